//! What leaves the process: sealed under a ring of keys.
//!
//! ```text
//! struct {
//!     uint8 version = 1;
//!     opaque key_id[16];
//!     opaque salt[32];                 // random
//!     opaque ciphertext<16..>;         // ChaCha20-Poly1305, tag at the end
//! } Envelope;
//!
//! key || nonce = HKDF-SHA256(ikm = ring key, salt = salt,
//!                            info = purpose || 0 || fingerprint[32] || binding)
//! additional data = version || key_id
//! ```
//! Every envelope has a key of its own, so that random nonces never meet (birthday bound), and
//! one that is moved to another purpose, context or binding does not open. Keys are found by
//! their id, never by trial.

use chacha::{ChaCha20Poly1305, TAG};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroize;

const VERSION: u8 = 1;
const KEY_ID: usize = 16;
const SALT: usize = 32;
const HEADER: usize = 1 + KEY_ID;
pub(crate) const OVERHEAD: usize = HEADER + SALT + TAG;
/// A key of a ring on its way in: id, then secret.
pub(crate) const RING_ENTRY: usize = KEY_ID + 32;

/// What an envelope is bound to.
pub(crate) struct Binding<'a> {
    pub(crate) purpose: &'a str,
    pub(crate) fingerprint: &'a [u8],
    pub(crate) binding: &'a [u8],
}

/// Why an envelope does not open.
#[derive(Debug, PartialEq)]
pub(crate) enum Unopened {
    Version,
    /// No key of the ring has its id.
    WrongKey,
    Tampered,
}

struct Okm;

impl KeyType for Okm {
    fn len(&self) -> usize {
        32 + 12
    }
}

fn derive(ring_key: &[u8], salt: &[u8], to: &Binding<'_>) -> (ChaCha20Poly1305, [u8; 12]) {
    let prk = Salt::new(HKDF_SHA256, salt).extract(ring_key);
    let info = [to.purpose.as_bytes(), &[0], to.fingerprint, to.binding];
    let mut okm = [0; 32 + 12];
    prk.expand(&info, Okm).and_then(|okm_| okm_.fill(&mut okm)).expect("44 bytes can be derived");
    let (key, nonce) = okm.split_first_chunk().expect("44 bytes begin with 32");
    let derived = (ChaCha20Poly1305::new(key), nonce.try_into().expect("12 bytes are left"));
    okm.zeroize();
    derived
}

/// Why nothing is sealed.
#[derive(Debug, PartialEq)]
pub(crate) enum Unsealed {
    NoKey,
    NoRandomness,
}

/// Seals under the first key of a ring.
pub(crate) fn seal(ring: &[u8], to: &Binding<'_>, plain: &[u8]) -> Result<Vec<u8>, Unsealed> {
    let (id, secret) = ring.get(..RING_ENTRY).ok_or(Unsealed::NoKey)?.split_at(KEY_ID);
    let mut envelope = Vec::with_capacity(OVERHEAD + plain.len());
    envelope.push(VERSION);
    envelope.extend_from_slice(id);
    let mut salt = [0; SALT];
    SystemRandom::new().fill(&mut salt).map_err(|_| Unsealed::NoRandomness)?;
    envelope.extend_from_slice(&salt);
    let (key, nonce) = derive(secret, &salt, to);
    envelope.extend_from_slice(plain);
    let (head, data) = envelope.split_at_mut(HEADER + SALT);
    let tag = key.seal(&nonce, &head[..HEADER], data);
    envelope.extend_from_slice(&tag);
    Ok(envelope)
}

/// Opens with the key of the ring that has the envelope's id.
pub(crate) fn open(ring: &[u8], to: &Binding<'_>, envelope: &[u8]) -> Result<Vec<u8>, Unopened> {
    if envelope.first().is_some_and(|&version| version != VERSION) {
        return Err(Unopened::Version);
    }
    if envelope.len() < OVERHEAD {
        return Err(Unopened::Tampered);
    }
    let (header, rest) = envelope.split_at(HEADER);
    let (salt, rest) = rest.split_at(SALT);
    let (ciphertext, tag) = rest.split_last_chunk().ok_or(Unopened::Tampered)?;
    let entry = ring.chunks_exact(RING_ENTRY).find(|entry| entry[..KEY_ID] == header[1..]);
    let secret = &entry.ok_or(Unopened::WrongKey)?[KEY_ID..];
    let (key, nonce) = derive(secret, salt, to);
    let mut plain = ciphertext.to_vec();
    key.open(&nonce, header, &mut plain, tag).map_err(|_| Unopened::Tampered)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RING: [u8; 2 * RING_ENTRY] = {
        let mut ring = [7; 2 * RING_ENTRY];
        ring[RING_ENTRY] = 9;
        ring
    };

    fn to<'a>(purpose: &'a str, binding: &'a [u8]) -> Binding<'a> {
        Binding { purpose, fingerprint: &[1; 32], binding }
    }

    #[test]
    fn opens_by_id_for_the_same_binding_only() {
        let sealed = seal(&RING, &to("p", b"x"), b"plain").unwrap();
        assert_eq!(open(&RING, &to("p", b"x"), &sealed).unwrap(), b"plain");
        assert_eq!(open(&RING, &to("p", b"y"), &sealed), Err(Unopened::Tampered));
        assert_eq!(open(&RING, &to("q", b"x"), &sealed), Err(Unopened::Tampered));
        assert_eq!(open(&RING[RING_ENTRY..], &to("p", b"x"), &sealed), Err(Unopened::WrongKey));
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&RING, &to("p", b"x"), &flipped).is_err());
        }
        for len in 0..sealed.len() {
            assert!(open(&RING, &to("p", b"x"), &sealed[..len]).is_err());
        }
    }

    #[test]
    fn never_seals_without_a_key() {
        assert_eq!(seal(&[], &to("p", b"x"), b"plain"), Err(Unsealed::NoKey));
    }
}
