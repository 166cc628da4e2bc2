//! rustls's errors as the host's stable codes (`src/errors.ts`).
//!
//! The matches name every variant. rustls's enums are non-exhaustive, so the language wants a
//! wildcard; the canonical build turns on a lint (`reprise_exhaustive`) that refuses one which
//! hides a variant. No message holds a secret: rustls's hold none.

use rustls::Error;
use rustls::error::{AlertDescription, CertificateError};
use wasm_bindgen::JsValue;

pub(crate) const MISUSE: &str = "ERR_TLS_ENGINE_MISUSE";
const MISBEHAVED: &str = "ERR_TLS_PEER_MISBEHAVED";
const INCOMPATIBLE: &str = "ERR_TLS_PEER_INCOMPATIBLE";
const CERT_INVALID: &str = "ERR_TLS_CERT_INVALID";

/// An error on its way to the host.
#[derive(Clone, Debug)]
pub(crate) struct EngineError {
    pub(crate) code: &'static str,
    /// The alert that the peer sent, or the one sent to it.
    pub(crate) alert: Option<u8>,
    pub(crate) message: String,
}

impl EngineError {
    /// A bad option of the host's caller: a `TypeError` there.
    pub(crate) fn option(message: String) -> Self {
        Self { code: "OPTION", alert: None, message }
    }

    pub(crate) fn misuse(message: &str) -> Self {
        Self { code: MISUSE, alert: None, message: message.into() }
    }

    /// The peer broke the protocol in a way that rustls does not look for.
    pub(crate) fn misbehaved(alert: Option<u8>, message: String) -> Self {
        Self { code: MISBEHAVED, alert, message }
    }

    pub(crate) fn out_of_memory() -> Self {
        let message = "there is no memory for this connection".into();
        Self { code: "ERR_TLS_OUT_OF_MEMORY", alert: None, message }
    }

    pub(crate) fn keys_exhausted() -> Self {
        let message = "the keys of this TLS 1.2 connection are used up: open another one".into();
        Self { code: "ERR_TLS_KEYS_EXHAUSTED", alert: None, message }
    }

    /// Also takes back what the source of randomness has to say of it.
    pub(crate) fn random_failed() -> Self {
        getrandom::take_failure();
        let message = "crypto.getRandomValues() failed, or wrote nothing".into();
        Self { code: "ERR_TLS_RANDOM_UNAVAILABLE", alert: None, message }
    }
}

impl From<Error> for EngineError {
    fn from(error: Error) -> Self {
        // ring says no more than that something failed.
        if getrandom::take_failure() {
            return Self::random_failed();
        }
        let alert = match &error {
            Error::AlertReceived(alert) => Some(alert.0),
            error => AlertDescription::try_from(error).ok().map(|alert| alert.0),
        };
        Self { code: code(&error), alert, message: error.to_string() }
    }
}

impl From<EngineError> for JsValue {
    fn from(error: EngineError) -> Self {
        let alert = error.alert.map(|alert| alert.to_string()).unwrap_or_default();
        JsValue::from_str(&format!("{}\0{}\0{}", error.code, alert, error.message))
    }
}

#[cfg_attr(reprise_exhaustive, deny(non_exhaustive_omitted_patterns))]
fn code(error: &Error) -> &'static str {
    match error {
        Error::AlertReceived(_) => "ERR_TLS_ALERT_RECEIVED",
        Error::InvalidCertificate(error) => certificate_code(error),
        Error::InvalidCertRevocationList(_) | Error::NoSuitableCertificate => CERT_INVALID,
        Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::InvalidMessage(_)
        | Error::DecryptError
        | Error::PeerMisbehaved(_)
        | Error::PeerSentOversizedRecord => MISBEHAVED,
        Error::PeerIncompatible(_)
        | Error::NoApplicationProtocol
        | Error::InvalidEncryptedClientHello(_)
        | Error::RejectedEch(_)
        | Error::UnsupportedNameType => INCOMPATIBLE,
        Error::General(_)
        | Error::EncryptError
        | Error::FailedToGetCurrentTime
        | Error::FailedToGetRandomBytes
        | Error::HandshakeNotComplete
        | Error::BadMaxFragmentSize
        | Error::InconsistentKeys(_)
        | Error::Unreachable(_)
        | Error::ApiMisuse(_)
        | Error::Other(_) => MISUSE,
        _ => MISUSE,
    }
}

#[cfg_attr(reprise_exhaustive, deny(non_exhaustive_omitted_patterns))]
fn certificate_code(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "ERR_TLS_CERT_EXPIRED"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "ERR_TLS_CERT_NOT_YET_VALID"
        }
        CertificateError::UnknownIssuer => "ERR_TLS_CERT_UNKNOWN_ISSUER",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "ERR_TLS_CERT_NAME_MISMATCH"
        }
        CertificateError::Revoked => "ERR_TLS_CERT_REVOKED",
        CertificateError::BadEncoding
        | CertificateError::UnhandledCriticalExtension
        | CertificateError::UnknownRevocationStatus
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. }
        | CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithm { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKey { .. }
        | CertificateError::InvalidPurpose
        | CertificateError::InvalidPurposeContext { .. }
        | CertificateError::InvalidOcspResponse
        | CertificateError::ApplicationVerificationFailure
        | CertificateError::Other(_) => CERT_INVALID,
        _ => CERT_INVALID,
    }
}
