//! Beside ring: the same ciphertext and tag, and back.

use reprise_aes_gcm::{AesGcm, TAG};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::random::Random;

pub(crate) fn ring_key(key: &[u8]) -> LessSafeKey {
    let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
    LessSafeKey::new(UnboundKey::new(algorithm, key).unwrap())
}

pub(crate) fn ring_seals(
    key: &[u8],
    nonce: &[u8; 12],
    aad: &[u8],
    plain: &[u8],
) -> (Vec<u8>, [u8; TAG]) {
    let mut data = plain.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let tag = ring_key(key).seal_in_place_separate_tag(nonce, Aad::from(aad), &mut data).unwrap();
    (data, tag.as_ref().try_into().unwrap())
}

/// One message, at a place in memory that `offset` decides; what lies around it stays.
fn agrees(random: &mut Random, key: &[u8], aad_len: usize, len: usize, offset: usize) {
    let ours = AesGcm::new(key);
    let nonce = random.array();
    let aad = random.bytes(aad_len);
    let plain = random.bytes(len);
    let (cipher, expected) = ring_seals(key, &nonce, &aad, &plain);

    const AROUND: u8 = 0x5a;
    let mut memory = vec![AROUND; offset + len + 16];
    let data = &mut memory[offset..offset + len];
    data.copy_from_slice(&plain);
    let tag = ours.seal(&nonce, &aad, data);
    assert_eq!(data, cipher, "{len} bytes at {offset}");
    assert_eq!(tag, expected, "{len} bytes with {aad_len}");
    ours.open(&nonce, &aad, data, &tag).unwrap();
    assert_eq!(data, plain);
    assert!(memory[..offset].iter().chain(&memory[offset + len..]).all(|&byte| byte == AROUND));
}

pub(crate) fn every_short_length() {
    let mut random = Random(1);
    for key_len in [16, 32] {
        let key = random.bytes(key_len);
        for len in 0..=600 {
            agrees(&mut random, &key, 5, len, 0);
            agrees(&mut random, &key, len, len % 7, 0);
        }
    }
}

pub(crate) fn lengths_around_a_record() {
    let mut random = Random(2);
    for key_len in [16, 32] {
        let key = random.bytes(key_len);
        for len in 16_384 - 130..=16_384 + 280 {
            agrees(&mut random, &key, 5, len, len % 16);
        }
    }
}

/// More than 2^16 blocks: three bytes of the counter count.
pub(crate) fn counter_beyond_16_bits() {
    let mut random = Random(3);
    let key = random.bytes(16);
    agrees(&mut random, &key, 13, (1 << 20) + 1000, 0);
}

pub(crate) fn random_messages() {
    let mut random = Random(4);
    for _ in 0..5000 {
        let key = random.key();
        let aad_len = random.below(64);
        let (most, offset) = (1 << random.below(12), random.below(16));
        let len = random.below(most);
        agrees(&mut random, &key, aad_len, len, offset);
    }
}

pub(crate) fn unaligned_buffers() {
    let mut random = Random(5);
    let key = random.key();
    for offset in 0..32 {
        for len in [1, 15, 16, 17, 95, 96, 97, 223, 224, 225, 1000] {
            agrees(&mut random, &key, offset, len, offset);
        }
    }
}
