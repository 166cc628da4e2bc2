//! A chain with its private key, from the host's DER.

use std::sync::Arc;

use pki_types::{CertificateDer, PrivateKeyDer};
use rustls::Error;
use rustls::crypto::{Credentials, Identity};

use crate::error::EngineError;
use crate::provider::KEY_PROVIDER;

/// A key by its kind: PKCS#8, SEC1 or PKCS#1.
pub(crate) fn private_key(kind: &str, der: Vec<u8>) -> Result<PrivateKeyDer<'static>, EngineError> {
    match kind {
        "pkcs8" => Ok(PrivateKeyDer::Pkcs8(der.into())),
        "sec1" => Ok(PrivateKeyDer::Sec1(der.into())),
        "pkcs1" => Ok(PrivateKeyDer::Pkcs1(der.into())),
        _ => Err(EngineError::misuse("unknown kind of key")),
    }
}

/// Refuses what does not parse, and a key that is not the certificate's.
pub(crate) fn credentials(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Credentials, EngineError> {
    let identity = Identity::from_cert_chain(chain)
        .map_err(|_| EngineError::option("Option \"cert\" has no certificate".into()))?;
    let key = KEY_PROVIDER
        .load_private_key(key)
        .map_err(|error| EngineError::option(format!("Option \"key\" is bad: {error}")))?;
    Credentials::new(Arc::new(identity), key).map_err(|error| match error {
        Error::InconsistentKeys(_) => {
            EngineError::option("Options \"cert\" and \"key\" do not belong together".into())
        }
        error => EngineError::option(format!("Option \"cert\" is bad: {error}")),
    })
}
