//! What was changed does not open, and nothing of it is decrypted.

use reprise_aes_gcm::{AesGcm, Forged};

use crate::random::Random;

/// Every bit of key, nonce, additional data, ciphertext and tag.
pub(crate) fn every_bit_counts() {
    let mut random = Random(6);
    for (key_len, aad_len, len) in [(16, 0, 0), (16, 5, 40), (32, 13, 129), (16, 33, 64)] {
        let mut parts = [
            random.bytes(key_len),
            random.bytes(12),
            random.bytes(aad_len),
            random.bytes(len),
            Vec::new(),
        ];
        let [key, nonce, aad, data, tag] = &mut parts;
        *tag = AesGcm::new(key).seal(nonce[..].try_into().unwrap(), aad, data).to_vec();
        assert_eq!(opens(&parts), Ok(()));
        for part in 0..parts.len() {
            for bit in 0..parts[part].len() * 8 {
                parts[part][bit / 8] ^= 1 << (bit % 8);
                assert_eq!(opens(&parts), Err(Forged), "bit {bit} of part {part}");
                parts[part][bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}

fn opens([key, nonce, aad, data, tag]: &[Vec<u8>; 5]) -> Result<(), Forged> {
    let nonce = nonce[..].try_into().unwrap();
    AesGcm::new(key).open(nonce, aad, &mut data.clone(), tag[..].try_into().unwrap())
}

pub(crate) fn forged_messages_stay_ciphertext() {
    let mut random = Random(7);
    for len in [1, 16, 95, 96, 97, 500, 16_385] {
        let key = AesGcm::new(&random.key());
        let nonce = random.array();
        let mut data = random.bytes(len);
        let tag = key.seal(&nonce, b"aad", &mut data);
        let sealed = data.clone();
        let mut forged = tag;
        forged[random.below(16)] ^= 0x80;
        assert_eq!(key.open(&nonce, b"aad", &mut data, &forged), Err(Forged));
        assert_eq!(data, sealed);
        assert_eq!(key.open(&nonce, b"AAD", &mut data, &tag), Err(Forged));
        assert_eq!(data, sealed);
        // One block more or less, and moved between ciphertext and additional data.
        assert_eq!(key.open(&nonce, b"aad", &mut data[1..], &tag), Err(Forged));
        let more = [b"aad", &sealed[..1]].concat();
        assert_eq!(key.open(&nonce, &more, &mut data[1..], &tag), Err(Forged));
        assert_eq!(data, sealed);
        assert_eq!(key.open(&nonce, b"aad", &mut data, &tag), Ok(()));
    }
}
