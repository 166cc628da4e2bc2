//! Signatures on certificates that verified once are not computed again.
//!
//! Whether a signature verifies is a pure function of algorithm, key, message and signature; only
//! a digest of all four is kept, and only of those that verified. Time, names and revocation are
//! no part of it: webpki checks them anew each time.

use std::collections::VecDeque;
use std::sync::Mutex;

use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};
use ring::digest::{Context, SHA256};

/// Chains of a few hundred servers; 32 bytes each.
const MAX_REMEMBERED: usize = 1024;

static REMEMBERED: Mutex<VecDeque<[u8; 32]>> = Mutex::new(VecDeque::new());

#[derive(Debug)]
struct Remembered(&'static dyn SignatureVerificationAlgorithm);

impl SignatureVerificationAlgorithm for Remembered {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let mut digest = Context::new(&SHA256);
        let key_algorithm = self.0.public_key_alg_id();
        let signature_algorithm = self.0.signature_alg_id();
        for part in
            [key_algorithm.as_ref(), signature_algorithm.as_ref(), public_key, message, signature]
        {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let digest: [u8; 32] = digest.finish().as_ref().try_into().expect("SHA-256 has 32 bytes");

        let mut remembered = REMEMBERED.lock().unwrap();
        if remembered.contains(&digest) {
            return Ok(());
        }
        self.0.verify_signature(public_key, message, signature)?;
        if remembered.len() == MAX_REMEMBERED {
            remembered.pop_front();
        }
        remembered.push_back(digest);
        Ok(())
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.0.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.0.signature_alg_id()
    }
}

macro_rules! remembered {
    ($($name:ident),* $(,)?) => {
        /// The algorithms that rustls-ring uses for chains, each with the memory in front.
        pub(crate) static ALL: &[&dyn SignatureVerificationAlgorithm] =
            &[$(&Remembered(rustls_ring::$name)),*];
    };
}

remembered!(
    ECDSA_P256_SHA256,
    ECDSA_P256_SHA384,
    ECDSA_P384_SHA256,
    ECDSA_P384_SHA384,
    ED25519,
    RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512,
    RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
);
