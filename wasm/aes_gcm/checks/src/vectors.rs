//! The test cases of McGrew and Viega ("The Galois/Counter Mode of Operation", appendix B) that
//! have nonces of 96 bits and keys of 128 or 256.

use reprise_aes_gcm::AesGcm;

use crate::differential::ring_seals;

struct Case {
    key: &'static str,
    nonce: &'static str,
    aad: &'static str,
    plain: &'static str,
    /// As long as the plaintext is.
    cipher: &'static str,
    tag: &'static str,
}

const KEY: &str = "feffe9928665731c6d6a8f9467308308";
const LONG_KEY: &str = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
const ZERO_KEY: &str = "00000000000000000000000000000000";
const LONG_ZERO_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const ZERO_NONCE: &str = "000000000000000000000000";
const NONCE: &str = "cafebabefacedbaddecaf888";
const AAD: &str = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
const PLAIN: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                     1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
const CIPHER: &str = "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
                      21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985";
const LONG_CIPHER: &str = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                           8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";

#[rustfmt::skip]
const CASES: [Case; 8] = [
    // 1 to 4.
    Case { key: ZERO_KEY, nonce: ZERO_NONCE, aad: "", plain: "", cipher: "",
        tag: "58e2fccefa7e3061367f1d57a4e7455a" },
    Case { key: ZERO_KEY, nonce: ZERO_NONCE, aad: "", plain: ZERO_KEY,
        cipher: "0388dace60b6a392f328c2b971b2fe78", tag: "ab6e47d42cec13bdf53a67b21257bddf" },
    Case { key: KEY, nonce: NONCE, aad: "", plain: PLAIN, cipher: CIPHER,
        tag: "4d5c2af327cd64a62cf35abd2ba6fab4" },
    Case { key: KEY, nonce: NONCE, aad: AAD, plain: PLAIN, cipher: CIPHER,
        tag: "5bc94fbc3221a5db94fae95ae7121a47" },
    // 13 to 16.
    Case { key: LONG_ZERO_KEY, nonce: ZERO_NONCE, aad: "", plain: "", cipher: "",
        tag: "530f8afbc74536b9a963b4f1c4cb738b" },
    Case { key: LONG_ZERO_KEY, nonce: ZERO_NONCE, aad: "", plain: ZERO_KEY,
        cipher: "cea7403d4d606b6e074ec5d3baf39d18", tag: "d0d1c8a799996bf0265b98b5d48ab919" },
    Case { key: LONG_KEY, nonce: NONCE, aad: "", plain: PLAIN, cipher: LONG_CIPHER,
        tag: "b094dac5d93471bdec1a502270e3cc6c" },
    Case { key: LONG_KEY, nonce: NONCE, aad: AAD, plain: PLAIN, cipher: LONG_CIPHER,
        tag: "76fc6ece0f4e1768cddf8853bb2d551b" },
];

pub(crate) fn nist_vectors() {
    for case in CASES {
        let key = bytes(case.key);
        let nonce = bytes(case.nonce).try_into().unwrap();
        let (aad, mut plain, mut cipher) = (bytes(case.aad), bytes(case.plain), bytes(case.cipher));
        if !aad.is_empty() {
            // Cases 4 and 16 are four bytes shorter.
            plain.truncate(60);
            cipher.truncate(60);
        }
        let mut data = plain.clone();
        let tag = AesGcm::new(&key).seal(&nonce, &aad, &mut data);
        assert_eq!(data, cipher);
        assert_eq!(tag.to_vec(), bytes(case.tag));
        assert_eq!(ring_seals(&key, &nonce, &aad, &plain), (cipher, tag));
        AesGcm::new(&key).open(&nonce, &aad, &mut data, &tag).unwrap();
        assert_eq!(data, plain);
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    hex.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
