//! The crypto provider: rustls-ring's primitives, in an order made for wasm, with the signatures
//! of chains remembered.
//!
//! ChaCha20-Poly1305 is first: AES has no hardware here and runs at a seventh of its speed.

mod remembered;
mod suite_selector;

pub(crate) use remembered::ALL as CHAIN_ALGORITHMS;
pub(crate) use suite_selector::suite_selector;

use std::sync::Arc;

use rustls::crypto::{CipherSuite, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::{Tls12CipherSuite, Tls13CipherSuite};
use rustls_ring::cipher_suite as suite;

static TLS13_SUITES: &[&Tls13CipherSuite] = &[
    suite::TLS13_CHACHA20_POLY1305_SHA256,
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS13_AES_256_GCM_SHA384,
];

static TLS12_SUITES: &[&Tls12CipherSuite] = &[
    suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
];

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
        signature_verification_algorithms: algorithms(),
        ..rustls_ring::DEFAULT_PROVIDER
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
    let handshake = rustls_ring::DEFAULT_PROVIDER.signature_verification_algorithms.mapping();
    WebPkiSupportedAlgorithms::new(remembered::ALL, handshake).expect("there are algorithms")
}
