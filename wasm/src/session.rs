//! A client's session as rustls encodes it, behind two bytes that name its protocol version.
//! `src/session_state.ts` documents the layout and reads it for the host.
//!
//! This module knows nothing of expiry, digests or who may read the bytes: that is the host's.

use pki_types::CertificateDer;
use rustls::client::{Tls12Session, Tls13Session};
use rustls::crypto::{CryptoProvider, Identity};

use crate::provider::has_suite;

const TLS12: [u8; 2] = [3, 3];
const TLS13: [u8; 2] = [3, 4];

pub(crate) enum OfferedSession {
    Tls12(Tls12Session),
    Tls13(Tls13Session),
}

/// Why a session's bytes cannot be offered.
#[derive(Debug, PartialEq)]
pub(crate) enum Unusable {
    /// The bytes are no session.
    Malformed,
    /// The session's cipher suite is not in the provider.
    SuiteUnavailable,
}

pub(crate) fn encode_tls12(session: &Tls12Session) -> Vec<u8> {
    let mut state = TLS12.to_vec();
    session.encode(&mut state);
    state
}

pub(crate) fn encode_tls13(session: &Tls13Session) -> Vec<u8> {
    let mut state = TLS13.to_vec();
    session.encode(&mut state);
    state
}

impl OfferedSession {
    pub(crate) fn decode(state: &[u8], provider: &CryptoProvider) -> Result<Self, Unusable> {
        let (version, rest) = state.split_first_chunk::<2>().ok_or(Unusable::Malformed)?;
        let suite = suite(state).ok_or(Unusable::Malformed)?;
        if !matches!(*version, TLS12 | TLS13) {
            return Err(Unusable::Malformed);
        }
        if !has_suite(provider, u16::from_be_bytes(*version), suite) {
            return Err(Unusable::SuiteUnavailable);
        }
        let decoded = match *version {
            TLS13 => Tls13Session::from_slice(rest, provider).map(Self::Tls13),
            _ => Tls12Session::from_slice(rest, provider).map(Self::Tls12),
        };
        decoded.map_err(|_| Unusable::Malformed)
    }
}

/// The session's cipher suite: both versions have it in front.
pub(crate) fn suite(state: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(*state.get(2..)?.first_chunk()?))
}

/// The chain that the session's original handshake verified.
pub(crate) fn peer_identity(state: &[u8]) -> Option<Identity<'static>> {
    let mut reader = Reader(state);
    let version = *reader.take(2)?.first_chunk::<2>()?;
    reader.take(2)?; // suite
    if version == TLS13 {
        let secret = reader.length(1)?;
        reader.take(secret + 4 + 4)?; // secret, age_add, max_early_data_size
    } else {
        let session_id = reader.length(1)?;
        reader.take(session_id + 48 + 1)?; // session id, master secret, EMS
    }
    let ticket = reader.length(2)?;
    reader.take(ticket + 8 + 8)?; // ticket, epoch, lifetime
    if reader.length(1)? != 0 {
        return None; // a raw public key, which no configuration here asks for
    }
    let mut chain = Vec::new();
    let end_entity = reader.length(3)?;
    chain.push(CertificateDer::from(reader.take(end_entity)?.to_vec()));
    let intermediates = reader.length(3)?;
    let mut list = Reader(reader.take(intermediates)?);
    while !list.0.is_empty() {
        let len = list.length(3)?;
        chain.push(CertificateDer::from(list.take(len)?.to_vec()));
    }
    Identity::from_cert_chain(chain).ok()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    /// A length prefix of `size` bytes, big-endian.
    fn length(&mut self, size: usize) -> Option<usize> {
        let bytes = self.take(size)?;
        Some(bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte)))
    }
}
