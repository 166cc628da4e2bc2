//! Public keys of authorities that signed what they must not have, and that nobody is to trust.
//!
//! The eight of webpki 0.104.0-alpha.8 (2026-10-20), which the version that rustls asks for does not
//! have yet: sub-authorities of emSign, all of them on P-384. A path through one of them does not
//! verify; another path may.

use ring::digest::{SHA256, digest};

/// Bytes of an uncompressed point on P-384: other keys need no digest.
const KEY_LENGTH: usize = 97;

/// SHA-256 of the key, the contents of subjectPublicKey.
static DIGESTS: [[u8; 32]; 8] = [
    hex("2c6d7ebad7672b22d4f266ed14cbb7b772b5c9fe707c58838aabba2d618fa40b"), // emSign DV TLS CA G3B
    hex("ed8b0c61259ac23f46684849866fbfdcc349a8914dc96c8a296cafeda08781e0"), // DV TLS CA G3C
    hex("c8d8f925a4de0e7565a2c713094f2e855ab8107f809d5a10b353e7beedf5f1b0"), // EV TLS CA G3B
    hex("2d606f36cfecc7f9c6cf417021281d5b78fc55c86b2cb33cf03302ed14ae2822"), // EV TLS CA G3C
    hex("6a6349bbf5129182f9e6cafc320a05a52f93fc35000eddf42447058e906fd530"), // OV TLS CA G3B
    hex("ea5397c853863a1f8786a821aaae1d3aca3c6c4b1a176f2670e9fd6677aa9621"), // OV TLS CA G3C
    hex("2fc66e07758df8a1f78a86ae645b88d2281a646e08b06bfb44689ace2052e488"), // OV CS CA G3B
    hex("d944abcfb1e37ca8c3d65e1711ff80dc65c37b9d1fb8c37005af57934d63c1a6"), // OV CS CA G3C
];

const fn hex(text: &str) -> [u8; 32] {
    let digits = text.as_bytes();
    assert!(digits.len() == 64);
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < digits.len() {
        let value = match digits[i] {
            digit @ b'0'..=b'9' => digit - b'0',
            digit => digit - b'a' + 10,
        };
        bytes[i / 2] = bytes[i / 2] << 4 | value;
        i += 1;
    }
    bytes
}

/// Whether nothing that this key signed is to be believed.
pub(super) fn is_distrusted(public_key: &[u8]) -> bool {
    public_key.len() == KEY_LENGTH && {
        let digest = digest(&SHA256, public_key);
        DIGESTS.iter().any(|known| known[..] == *digest.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contents of subjectPublicKey of emSign DV TLS CA - G3B.
    const KEY: &str = include_str!("fixtures/distrusted_key.hex");

    #[test]
    fn knows_a_distrusted_key_by_its_bytes() {
        let digits = KEY.trim().as_bytes();
        let mut key: Vec<u8> = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        assert_eq!(key.len(), KEY_LENGTH);
        assert!(is_distrusted(&key));
        key[50] ^= 1;
        assert!(!is_distrusted(&key));
        assert!(!is_distrusted(&[]));
    }
}
