//! What is to hold natively and in wasm: the same functions run in both (`native.rs`, and
//! `examples/in_wasm.rs` by `scripts/check_rust.ts`). The oracle is ring.

mod edges;
mod random;
mod reference;
mod rfc8439;

use random::Random;
use reprise_chacha::chacha20::{CHUNK, ChaCha20};
use reprise_chacha::poly1305::Poly1305;
use reprise_chacha::{ChaCha20Poly1305, TAG, Tampered};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

/// All of them, by name.
pub const CASES: &[(&str, fn())] = &[
    ("ChaCha20 makes the blocks of RFC 8439", blocks_of_the_rfc),
    ("ChaCha20 encrypts as in RFC 8439", ciphers_of_the_rfc),
    ("Poly1305 makes the tags of RFC 8439", macs_of_the_rfc),
    ("the AEAD is that of RFC 8439", aeads_of_the_rfc),
    ("any piece of a keystream is XORed in place", pieces_of_a_keystream),
    ("the four counters of a chunk wrap one by one", counters_wrap),
    ("Poly1305 agrees with a slow one at every edge", edges::poly1305),
    ("every length up to 2,560 is ring's", every_short_length),
    ("every length around a full record is ring's", lengths_of_records),
    ("every length of additional data is ring's", lengths_of_aad),
    ("thousands of random messages are ring's", random_messages),
    ("any address and what lies around it are left alone", unaligned),
    ("no flipped bit opens, and nothing is left of the message", every_flipped_bit),
    ("no flipped bit of a full record opens", flipped_bits_of_a_record),
    ("no other length, key, nonce or tag opens", anything_else),
];

pub fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap())
        .collect()
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap()
}

/// Encrypts or decrypts with ChaCha20 alone.
fn apply(key: &ChaCha20, nonce: &[u8; 12], counter: u32, data: &mut [u8]) {
    for (i, part) in data.chunks_mut(CHUNK).enumerate() {
        key.keystream(nonce, counter + 4 * i as u32).apply(0, part);
    }
}

fn poly1305(key: &[u8; 32], message: &[u8]) -> [u8; TAG] {
    let mut mac = Poly1305::new(key);
    let (whole, rest) = message.split_at(message.len() / 16 * 16);
    mac.padded(whole);
    if !rest.is_empty() {
        mac.short(rest);
    }
    mac.tag()
}

/// Ciphertext, then tag.
fn ring_seals(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).unwrap());
    let mut sealed = plain.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut sealed).unwrap();
    sealed
}

/// Sealed here it is what ring seals; it opens; and with another tag it is wiped.
fn is_rings(random: &mut Random, plain: &[u8], aad: &[u8]) {
    let (key, nonce) = (random.array(), random.array());
    let expected = ring_seals(&key, &nonce, aad, plain);
    let (ciphertext, expected_tag) = expected.split_at(plain.len());
    let aead = ChaCha20Poly1305::new(&key);

    let mut data = plain.to_vec();
    let mut tag = aead.seal(&nonce, aad, &mut data);
    assert!(data == ciphertext, "the ciphertext of {} bytes", plain.len());
    assert_eq!(tag, expected_tag, "the tag of {} and {} bytes", plain.len(), aad.len());

    assert_eq!(aead.open(&nonce, aad, &mut data, &tag), Ok(()));
    assert!(data == plain, "the plaintext of {} bytes", plain.len());

    data.copy_from_slice(ciphertext);
    tag[random.below(TAG)] ^= 1 << random.below(8);
    assert_eq!(aead.open(&nonce, aad, &mut data, &tag), Err(Tampered));
    assert!(data.iter().all(|&byte| byte == 0), "{} bytes are wiped", plain.len());
}

fn blocks_of_the_rfc() {
    assert_eq!(rfc8439::BLOCKS.len(), 1 + 5 + 1 + 3);
    for block in rfc8439::BLOCKS {
        let expected = hex(block.keystream);
        let mut data = vec![0; expected.len()];
        let key = ChaCha20::new(&array(&hex(block.key)));
        apply(&key, &array(&hex(block.nonce)), block.counter, &mut data);
        assert_eq!(data, expected);
    }
}

fn ciphers_of_the_rfc() {
    assert_eq!(rfc8439::CIPHERS.len(), 1 + 3);
    for cipher in rfc8439::CIPHERS {
        let mut data = hex(cipher.plaintext);
        let key = ChaCha20::new(&array(&hex(cipher.key)));
        apply(&key, &array(&hex(cipher.nonce)), cipher.counter, &mut data);
        assert_eq!(data, hex(cipher.ciphertext));
    }
}

fn macs_of_the_rfc() {
    assert_eq!(rfc8439::MACS.len(), 1 + 11);
    for mac in rfc8439::MACS {
        let (key, message) = (array(&hex(mac.key)), hex(mac.message));
        assert_eq!(poly1305(&key, &message).to_vec(), hex(mac.tag));
        assert_eq!(reference::poly1305(&key, &message).to_vec(), hex(mac.tag));
    }
}

fn aeads_of_the_rfc() {
    assert_eq!(rfc8439::AEADS.len(), 1 + 1);
    for example in rfc8439::AEADS {
        let aead = ChaCha20Poly1305::new(&array(&hex(example.key)));
        let (nonce, aad) = (array(&hex(example.nonce)), hex(example.aad));
        let mut data = hex(example.plaintext);
        let tag = aead.seal(&nonce, &aad, &mut data);
        assert_eq!(data, hex(example.ciphertext));
        assert_eq!(tag.to_vec(), hex(example.tag));
        assert_eq!(aead.open(&nonce, &aad, &mut data, &tag), Ok(()));
        assert_eq!(data, hex(example.plaintext));
    }
}

fn pieces_of_a_keystream() {
    let key = ChaCha20::new(&[7; 32]);
    let mut whole = [0; CHUNK];
    key.keystream(&[8; 12], 9).apply(0, &mut whole);
    for from in (0..=CHUNK).step_by(8) {
        for len in 0..=CHUNK - from {
            let mut data = [0xa5; CHUNK];
            key.keystream(&[8; 12], 9).apply(from, &mut data[..len]);
            for (i, byte) in data.iter().enumerate() {
                assert_eq!(byte ^ 0xa5, if i < len { whole[from + i] } else { 0 });
            }
        }
    }
}

/// No message is long enough for this; the words are modulo 2^32 all the same.
fn counters_wrap() {
    let key = ChaCha20::new(&[1; 32]);
    let mut across = [0; CHUNK];
    key.keystream(&[2; 12], u32::MAX - 1).apply(0, &mut across);
    let mut after = [0; CHUNK];
    key.keystream(&[2; 12], 0).apply(0, &mut after);
    assert_eq!(across[2 * 64..], after[..2 * 64]);
}

fn every_short_length() {
    let mut random = Random::new(1);
    for len in 0..=2560 {
        let plain = random.bytes(len);
        is_rings(&mut random, &plain, &[23, 3, 3, 1, 2]);
    }
}

/// TLS 1.3 allows 2^14 + 256 bytes of ciphertext, TLS 1.2 2^14 + 2048.
fn lengths_of_records() {
    let mut random = Random::new(2);
    for around in [1 << 14, (1 << 14) + 256, (1 << 14) + 2048, 1 << 16] {
        for len in around - 40..around + 40 {
            let plain = random.bytes(len);
            is_rings(&mut random, &plain, &[23, 3, 3, 64, 0]);
        }
    }
}

fn lengths_of_aad() {
    let mut random = Random::new(3);
    for len in 0..300 {
        let (aad, plain) = (random.bytes(len), random.bytes(len % 37));
        is_rings(&mut random, &plain, &aad);
    }
}

fn random_messages() {
    let mut random = Random::new(4);
    for _ in 0..5000 {
        // Short ones more often than long ones.
        let most = [64, 600, 3000][random.below(3)];
        let (len, aad_len) = (random.below(most), random.below(40));
        let plain = random.bytes(len);
        let aad = random.bytes(aad_len);
        is_rings(&mut random, &plain, &aad);
    }
}

fn unaligned() {
    let mut random = Random::new(5);
    let aead = ChaCha20Poly1305::new(&random.array());
    let nonce = random.array();
    let plain = random.bytes(3000);
    for len in [0, 1, 15, 16, 191, 192, 193, 447, 448, 449, 703, 704, 1000, 3000] {
        let mut expected = plain[..len].to_vec();
        let expected_tag = aead.seal(&nonce, b"aad", &mut expected);
        for offset in 0..32 {
            let mut memory = vec![0xee; offset + len + 32];
            memory[offset..offset + len].copy_from_slice(&plain[..len]);
            let tag = aead.seal(&nonce, b"aad", &mut memory[offset..offset + len]);
            assert_eq!(tag, expected_tag);
            assert!(memory[offset..offset + len] == expected);
            assert_eq!(aead.open(&nonce, b"aad", &mut memory[offset..offset + len], &tag), Ok(()));
            assert!(memory[offset..offset + len] == plain[..len]);
            assert!(memory[..offset].iter().all(|&byte| byte == 0xee));
            assert!(memory[offset + len..].iter().all(|&byte| byte == 0xee));
        }
    }
}

fn every_flipped_bit() {
    let mut random = Random::new(6);
    let aead = ChaCha20Poly1305::new(&random.array());
    let nonce: [u8; 12] = random.array();
    for len in [0, 1, 16, 192, 500, 730] {
        let plain = random.bytes(len);
        let mut sealed = plain.clone();
        let aad = random.bytes(13);
        let tag = aead.seal(&nonce, &aad, &mut sealed);
        let parts = [sealed.len(), aad.len(), tag.len(), nonce.len()];
        for (part, part_len) in parts.into_iter().enumerate() {
            for bit in 0..8 * part_len {
                let (mut data, mut aad, mut tag, mut nonce) =
                    (sealed.clone(), aad.clone(), tag, nonce);
                let parts: [&mut [u8]; 4] = [&mut data, &mut aad, &mut tag, &mut nonce];
                parts.into_iter().nth(part).unwrap()[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(aead.open(&nonce, &aad, &mut data, &tag), Err(Tampered));
                assert!(data.iter().all(|&byte| byte == 0));
            }
        }
    }
}

fn flipped_bits_of_a_record() {
    let mut random = Random::new(7);
    let aead = ChaCha20Poly1305::new(&random.array());
    let nonce = random.array();
    let mut sealed = random.bytes((1 << 14) + 1);
    let tag = aead.seal(&nonce, &[23, 3, 3, 64, 17], &mut sealed);
    // Each byte of the message once.
    for at in 0..sealed.len() {
        let mut data = sealed.clone();
        data[at] ^= 1 << random.below(8);
        assert_eq!(aead.open(&nonce, &[23, 3, 3, 64, 17], &mut data, &tag), Err(Tampered));
        assert!(data.iter().all(|&byte| byte == 0));
    }
}

fn anything_else() {
    let mut random = Random::new(8);
    let (key, nonce): ([u8; 32], [u8; 12]) = (random.array(), random.array());
    let aead = ChaCha20Poly1305::new(&key);
    for len in [1, 16, 200, 700] {
        let mut sealed = random.bytes(len);
        let tag = aead.seal(&nonce, b"", &mut sealed);
        let fails = |aead: &ChaCha20Poly1305, aad: &[u8], data: &[u8], tag: [u8; TAG]| {
            assert_eq!(aead.open(&nonce, aad, &mut data.to_vec(), &tag), Err(Tampered));
        };
        for shorter in 0..len {
            fails(&aead, b"", &sealed[..shorter], tag);
        }
        let longer = [&sealed[..], &[0]].concat();
        fails(&aead, b"", &longer, tag);
        // The same bytes to Poly1305 but for the lengths at the end.
        fails(&aead, &[0], &sealed, tag);
        fails(&aead, &sealed[..1], &sealed[1..], tag);
        fails(&aead, b"", &sealed, [0; TAG]);
        let mut other_key = key;
        other_key[31] ^= 128;
        fails(&ChaCha20Poly1305::new(&other_key), b"", &sealed, tag);
    }
}
