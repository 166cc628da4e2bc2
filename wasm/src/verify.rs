//! How a server's chain is verified: webpki against the context's roots and revocation lists,
//! then pinned keys; and how a client's is. Used for handshakes and, before a session is resumed,
//! for its stored chain.

use std::sync::Arc;

use core::hash::Hasher;
use pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{
    HandshakeSignatureValid, ServerIdentity, ServerVerifier, SignatureVerificationInput,
};
use rustls::crypto::{
    CryptoProvider, Identity, SignatureScheme, VerifiedIdentity, WebPkiSupportedAlgorithms,
    verify_tls12_signature, verify_tls13_signature,
};
use rustls::error::CertificateError;
use rustls::server::danger::{ClientIdentity, ClientVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{DistinguishedName, Error, RootCertStore};

use crate::crl;
use crate::provider::CHAIN_ALGORITHMS;

/// Bytes of the authorities' names in a CertificateRequest, which may have none (RFC 8446 §4.2.4). A
/// message of 64 KiB is the largest that clients read.
const MAX_HINTS: usize = 32 * 1024;

/// What a context asks of a chain.
#[derive(Default)]
pub(crate) struct VerifyOptions {
    pub(crate) crls: Vec<CertificateRevocationListDer<'static>>,
    /// SHA-256 of SubjectPublicKeyInfos, one of which the end entity must have.
    pub(crate) pinned_keys: Vec<[u8; 32]>,
    pub(crate) danger_disable_verification: bool,
    pub(crate) danger_disable_hostname_verification: bool,
}

#[derive(Debug)]
pub(crate) struct ChainVerifier {
    /// `None`: chains are not verified.
    webpki: Option<WebPkiServerVerifier>,
    check_name: bool,
    pinned_keys: Vec<[u8; 32]>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ChainVerifier {
    pub(crate) fn new(
        roots: Arc<RootCertStore>,
        mut options: VerifyOptions,
        provider: &CryptoProvider,
    ) -> Result<Self, String> {
        crl::newest_first(&mut options.crls);
        let webpki = if options.danger_disable_verification {
            None
        } else {
            let builder = WebPkiServerVerifier::builder(roots, provider)
                .with_crls(options.crls)
                .enforce_revocation_expiration();
            Some(builder.build().map_err(|error| error.to_string())?)
        };
        Ok(Self {
            webpki,
            check_name: !options.danger_disable_hostname_verification,
            pinned_keys: options.pinned_keys,
            algorithms: provider.signature_verification_algorithms,
        })
    }

    fn check_pins(&self, identity: &Identity<'_>) -> Result<(), Error> {
        if self.pinned_keys.is_empty() {
            return Ok(());
        }
        let Identity::X509(chain) = identity else {
            return Err(CertificateError::BadEncoding.into());
        };
        let end_entity = CertificateDer::from(chain.end_entity.as_ref());
        let spki = ParsedCertificate::try_from(&end_entity)?.subject_public_key_info();
        let digest = ring::digest::digest(&ring::digest::SHA256, spki.as_ref());
        match self.pinned_keys.iter().any(|pin| pin[..] == *digest.as_ref()) {
            true => Ok(()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }
}

impl ServerVerifier for ChainVerifier {
    fn verify_identity<'a>(
        &self,
        identity: &ServerIdentity<'a, '_>,
    ) -> Result<VerifiedIdentity<'a>, Error> {
        if let Some(webpki) = &self.webpki {
            match webpki.verify_identity(identity) {
                Ok(_) => {}
                // webpki looks at the name last: the chain itself is good.
                Err(Error::InvalidCertificate(
                    CertificateError::NotValidForName
                    | CertificateError::NotValidForNameContext { .. },
                )) if !self.check_name => {}
                Err(error) => return Err(error),
            }
        }
        self.check_pins(identity.identity)?;
        Ok(VerifiedIdentity::assertion(identity.identity.clone()))
    }

    fn verify_tls12_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(input, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(input, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }

    fn request_ocsp_response(&self) -> bool {
        false
    }

    fn hash_config(&self, _: &mut dyn Hasher) {
        // rustls binds its session store's keys to this; every connection here has a store of
        // its own, and the host's context fingerprint binds sessions.
    }
}

/// How a client's chain is verified.
#[derive(Debug)]
pub(crate) struct ClientChainVerifier {
    inner: WebPkiClientVerifier,
    roots: Arc<RootCertStore>,
    crls: Vec<webpki::CertRevocationList<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientChainVerifier {
    pub(crate) fn new(
        roots: Arc<RootCertStore>,
        mut crls: Vec<CertificateRevocationListDer<'static>>,
        mandatory: bool,
        provider: &CryptoProvider,
    ) -> Result<Self, String> {
        crl::newest_first(&mut crls);
        let parsed = crls
            .iter()
            .map(|der| webpki::OwnedCertRevocationList::from_der(der).map(Into::into))
            .collect::<Result<_, _>>()
            .map_err(|error| format!("{error:?}"))?;
        let mut builder = WebPkiClientVerifier::builder(roots.clone(), provider)
            .with_crls(crls)
            .enforce_revocation_expiration();
        if !mandatory {
            builder = builder.allow_unauthenticated();
        }
        Ok(Self {
            inner: builder.build().map_err(|error| error.to_string())?,
            roots,
            crls: parsed,
            algorithms: provider.signature_verification_algorithms,
        })
    }

    /// Verifies a stored chain. rustls's own input type can be made by rustls only, so this asks
    /// webpki for the same.
    pub(crate) fn verify_stored(&self, identity: &Identity<'_>, now: UnixTime) -> bool {
        let Identity::X509(chain) = identity else { return false };
        let Ok(end_entity) = webpki::EndEntityCert::try_from(&chain.end_entity) else {
            return false;
        };
        let crls: Vec<_> = self.crls.iter().collect();
        let revocation = webpki::RevocationOptionsBuilder::new(&crls).ok().map(|builder| {
            builder
                .with_depth(webpki::RevocationCheckDepth::Chain)
                .with_status_policy(webpki::UnknownStatusPolicy::Deny)
                .with_expiration_policy(webpki::ExpirationPolicy::Enforce)
                .build()
        });
        let usage = webpki::ExtendedKeyUsage::client_auth();
        let roots = &self.roots.roots;
        end_entity
            .verify_for_usage(
                CHAIN_ALGORITHMS,
                roots,
                &chain.intermediates,
                now,
                &usage,
                revocation,
                None,
            )
            .is_ok()
    }
}

impl ClientVerifier for ClientChainVerifier {
    fn verify_identity<'a>(
        &self,
        identity: &ClientIdentity<'a, '_>,
    ) -> Result<VerifiedIdentity<'a>, Error> {
        self.inner.verify_identity(identity)
    }

    fn verify_tls12_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(input, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(input, &self.algorithms)
    }

    /// Hints help a client choose; where they would fill the message, it chooses without.
    fn root_hint_subjects(&self) -> Arc<[DistinguishedName]> {
        let hints = self.inner.root_hint_subjects();
        let length: usize = hints.iter().map(|name| name.as_ref().len() + 2).sum();
        if length > MAX_HINTS { Arc::default() } else { hints }
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
