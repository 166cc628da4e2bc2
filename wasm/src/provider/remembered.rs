//! Signatures on certificates that verified once are not computed again.
//!
//! Whether a signature verifies is a pure function of algorithm, key, message and signature; only
//! a digest of all four is kept, and only of those that verified. Time, names and revocation are
//! no part of it: webpki checks them anew each time.
//!
//! Rule: what is kept is of handshakes that completed. Whoever answers a connection can send chains of
//! others, which verify; if those were kept, it could push out of the memory what is of use.

use core::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Mutex;

use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};
use ring::digest::{Context, SHA256, digest};

use super::distrusted::is_distrusted;

/// Chains of a few hundred servers; 32 bytes each.
const MAX_REMEMBERED: usize = 1024;
/// Of one handshake: more than a path that webpki takes has certificates.
const MAX_FRESH: usize = 8;

static REMEMBERED: Mutex<VecDeque<[u8; 32]>> = Mutex::new(VecDeque::new());

thread_local! {
    /// What verified since `take_fresh()` was called last.
    static FRESH: RefCell<Vec<[u8; 32]>> = const { RefCell::new(Vec::new()) };
}

/// Signatures that verified in one handshake, by their digests.
#[derive(Default)]
pub(crate) struct Fresh(Vec<[u8; 32]>);

/// What verified since the last call, to be kept by whoever verified it.
pub(crate) fn take_fresh() -> Fresh {
    Fresh(FRESH.take())
}

impl Fresh {
    pub(crate) fn add(&mut self, other: Fresh) {
        self.0.extend(other.0);
        self.0.truncate(MAX_FRESH);
    }

    /// The handshake is complete.
    pub(crate) fn remember(self) {
        if self.0.is_empty() {
            return;
        }
        let mut remembered = REMEMBERED.lock().unwrap();
        for digest in self.0 {
            if remembered.contains(&digest) {
                continue;
            }
            if remembered.len() == MAX_REMEMBERED {
                remembered.pop_front();
            }
            remembered.push_back(digest);
        }
    }
}

/// What verified when a stored session was checked, until a connection is made that offers it.
#[derive(Default)]
pub(crate) struct Aside(Mutex<Option<([u8; 32], Fresh)>>);

impl Aside {
    fn key(session: &[u8]) -> [u8; 32] {
        digest(&SHA256, session).as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    pub(crate) fn set(&self, session: &[u8], fresh: Fresh) {
        *self.0.lock().unwrap() = (!fresh.0.is_empty()).then(|| (Self::key(session), fresh));
    }

    /// Empty, where another session was checked meanwhile: then no more is lost than time.
    pub(crate) fn take(&self, session: &[u8]) -> Fresh {
        let mut aside = self.0.lock().unwrap();
        match aside.take() {
            Some((key, fresh)) if key == Self::key(session) => fresh,
            _ => Fresh::default(),
        }
    }
}

#[derive(Debug)]
struct Remembered(&'static dyn SignatureVerificationAlgorithm);

impl SignatureVerificationAlgorithm for Remembered {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        if is_distrusted(public_key) {
            return Err(InvalidSignature);
        }
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

        if REMEMBERED.lock().unwrap().contains(&digest) {
            return Ok(());
        }
        self.0.verify_signature(public_key, message, signature)?;
        FRESH.with_borrow_mut(|fresh| {
            if fresh.len() < MAX_FRESH {
                fresh.push(digest);
            }
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fresh_is_not_remembered_before_the_handshake_is_complete() {
        let digest = |n: u32| {
            let mut digest = [0xd0; 32];
            digest[..4].copy_from_slice(&n.to_be_bytes());
            digest
        };
        let is_remembered = |n: u32| REMEMBERED.lock().unwrap().contains(&digest(n));
        let verified = |n: u32| FRESH.with_borrow_mut(|fresh| fresh.push(digest(n)));

        verified(0);
        let mut fresh = take_fresh();
        assert!(take_fresh().0.is_empty());
        assert!(!is_remembered(0));
        drop(core::mem::take(&mut fresh)); // a handshake that failed
        assert!(!is_remembered(0));

        verified(1);
        fresh.add(take_fresh());
        fresh.remember();
        assert!(is_remembered(1));

        // Of one handshake no more than a few, whatever it verified.
        let mut many = Fresh::default();
        (100..200).for_each(|n| many.add(Fresh(vec![digest(n)])));
        many.remember();
        assert_eq!((100..200).filter(|n| is_remembered(*n)).count(), MAX_FRESH);
        assert!(is_remembered(1));
    }
}
