//! The crypto provider: rustls-ring's primitives, in an order made for wasm, with a
//! ChaCha20-Poly1305 and an AES-GCM of our own and the signatures of chains remembered.
//!
//! ChaCha20-Poly1305 is first: AES has no hardware here.

mod aes_gcm_suites;
mod chacha20_poly1305;
mod distrusted;
mod records;
mod remembered;
mod suite_selector;

pub(crate) use remembered::{ALL as CHAIN_ALGORITHMS, Aside, Fresh, take_fresh};
pub(crate) use suite_selector::suite_selector;

use std::borrow::Cow;
use std::sync::Arc;

use rustls::crypto::{
    CipherSuite, CryptoProvider, KeyProvider, SecureRandom, TicketerFactory,
    WebPkiSupportedAlgorithms,
};
use rustls::{Tls12CipherSuite, Tls13CipherSuite};

static TLS13_SUITES: &[&Tls13CipherSuite] = &[
    &chacha20_poly1305::TLS13,
    aes_gcm_suites::TLS13_AES_128_GCM_SHA256,
    aes_gcm_suites::TLS13_AES_256_GCM_SHA384,
];

static TLS12_SUITES: &[&Tls12CipherSuite] = &[
    &chacha20_poly1305::TLS12_ECDSA,
    &chacha20_poly1305::TLS12_RSA,
    aes_gcm_suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    aes_gcm_suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    aes_gcm_suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    aes_gcm_suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
];

/// The parts of rustls-ring's provider are taken out of it here, while compiling: where code has the
/// whole, all suites of ring are linked in.
const RING: &CryptoProvider = &rustls_ring::DEFAULT_PROVIDER;
static SECURE_RANDOM: &dyn SecureRandom = RING.secure_random;
pub(crate) static KEY_PROVIDER: &dyn KeyProvider = RING.key_provider;
static TICKETER_FACTORY: &dyn TicketerFactory = RING.ticketer_factory;
static SIGNATURES: WebPkiSupportedAlgorithms = RING.signature_verification_algorithms;

/// A provider with the named suites; all where none is named.
pub(crate) fn provider(allowed: &[u16]) -> CryptoProvider {
    let wanted = |suite: CipherSuite| allowed.is_empty() || allowed.contains(&suite.0);
    CryptoProvider {
        tls13_cipher_suites: TLS13_SUITES
            .iter()
            .copied()
            .filter(|s| wanted(s.common.suite))
            .collect(),
        tls12_cipher_suites: TLS12_SUITES
            .iter()
            .copied()
            .filter(|s| wanted(s.common.suite))
            .collect(),
        kx_groups: Cow::Borrowed(rustls_ring::DEFAULT_KX_GROUPS),
        signature_verification_algorithms: algorithms(),
        secure_random: SECURE_RANDOM,
        key_provider: KEY_PROVIDER,
        ticketer_factory: TICKETER_FACTORY,
    }
}

/// Every suite of one version, for limits on the version.
pub(crate) fn suites(version: u16) -> Vec<u16> {
    match version {
        0x0304 => TLS13_SUITES.iter().map(|s| s.common.suite.0).collect(),
        _ => TLS12_SUITES.iter().map(|s| s.common.suite.0).collect(),
    }
}

/// Whether a provider has a suite, of that version.
pub(crate) fn has_suite(provider: &CryptoProvider, version: u16, suite: u16) -> bool {
    match version {
        0x0304 => provider.tls13_cipher_suites.iter().any(|s| s.common.suite.0 == suite),
        _ => provider.tls12_cipher_suites.iter().any(|s| s.common.suite.0 == suite),
    }
}

/// The same provider with one suite in front.
pub(crate) fn with_first(provider: &CryptoProvider, first: u16) -> Arc<CryptoProvider> {
    let mut provider = provider.clone();
    let tls13 = provider.tls13_cipher_suites.to_mut();
    if let Some(at) = tls13.iter().position(|s| s.common.suite.0 == first) {
        tls13[..=at].rotate_right(1);
    }
    let tls12 = provider.tls12_cipher_suites.to_mut();
    if let Some(at) = tls12.iter().position(|s| s.common.suite.0 == first) {
        tls12[..=at].rotate_right(1);
    }
    Arc::new(provider)
}

/// Chains go through the memory; a handshake's own signature is new each time and does not.
fn algorithms() -> WebPkiSupportedAlgorithms {
    WebPkiSupportedAlgorithms::new(remembered::ALL, SIGNATURES.mapping())
        .expect("there are algorithms")
}
