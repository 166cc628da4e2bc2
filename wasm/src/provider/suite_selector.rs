//! Which suite a server chooses: by its own order, unless a session is to be resumed.

use rustls::crypto::CipherSuite;
use rustls::server::{CipherSuiteSelector, PreferServerOrder};
use rustls::{Tls12CipherSuite, Tls13CipherSuite};

/// Picks the suite of the session to be resumed where the client offers it: rustls resumes with
/// the identical suite only.
#[derive(Debug)]
struct PreferSuite(CipherSuite);

impl CipherSuiteSelector for PreferSuite {
    fn select_tls12_cipher_suite(
        &self,
        client: &mut dyn Iterator<Item = &'static Tls12CipherSuite>,
        server: &[&'static Tls12CipherSuite],
    ) -> Option<&'static Tls12CipherSuite> {
        let offered: Vec<_> = client.collect();
        let wanted = offered.iter().copied().find(|suite| suite.common.suite == self.0);
        wanted.or_else(|| {
            PreferServerOrder.select_tls12_cipher_suite(&mut offered.into_iter(), server)
        })
    }

    fn select_tls13_cipher_suite(
        &self,
        client: &mut dyn Iterator<Item = &'static Tls13CipherSuite>,
        server: &[&'static Tls13CipherSuite],
    ) -> Option<&'static Tls13CipherSuite> {
        let offered: Vec<_> = client.collect();
        let wanted = offered.iter().copied().find(|suite| suite.common.suite == self.0);
        wanted.or_else(|| {
            PreferServerOrder.select_tls13_cipher_suite(&mut offered.into_iter(), server)
        })
    }
}

/// rustls wants a selector that lives forever: there is one for each suite.
pub(crate) fn suite_selector(suite: u16) -> &'static dyn CipherSuiteSelector {
    macro_rules! selectors {
        ($($name:ident),*) => {{
            $(
                static $name: PreferSuite = PreferSuite(CipherSuite::$name);
                if suite == CipherSuite::$name.0 {
                    return &$name;
                }
            )*
            &PreferServerOrder
        }};
    }
    selectors!(
        TLS13_CHACHA20_POLY1305_SHA256,
        TLS13_AES_128_GCM_SHA256,
        TLS13_AES_256_GCM_SHA384,
        TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
    )
}
