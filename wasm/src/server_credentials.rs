//! The certificates that a server answers with.

use std::sync::Arc;

use pki_types::CertificateDer;
use rustls::Error;
use rustls::crypto::{Credentials, SelectedCredential};
use rustls::error::PeerIncompatible;
use rustls::server::{ClientHello, ServerCredentialResolver};
use wasm_bindgen::prelude::*;

use crate::credentials::{credentials, private_key};

/// Certificate chains with their keys; the first that the client can verify is used.
#[wasm_bindgen]
#[derive(Default)]
pub struct ServerCredentials {
    list: Vec<Arc<Credentials>>,
    chain: Vec<CertificateDer<'static>>,
}

#[wasm_bindgen]
impl ServerCredentials {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next certificate in DER of the chain being added, end entity first.
    pub fn add_certificate(&mut self, der: Vec<u8>) {
        self.chain.push(CertificateDer::from(der));
    }

    /// Ends a chain with its key (PKCS#8, SEC1 or PKCS#1 by `kind`) and OCSP response, or none.
    pub fn add_key(&mut self, kind: &str, key: Vec<u8>, ocsp: Vec<u8>) -> Result<(), JsValue> {
        let key = private_key(kind, key)?;
        let mut credentials = credentials(core::mem::take(&mut self.chain), key)?;
        credentials.ocsp = (!ocsp.is_empty()).then(|| ocsp.into());
        self.list.push(Arc::new(credentials));
        Ok(())
    }

    pub(crate) fn resolver(&self) -> CredentialResolver {
        CredentialResolver(self.list.clone())
    }
}

#[derive(Debug)]
pub(crate) struct CredentialResolver(Vec<Arc<Credentials>>);

impl ServerCredentialResolver for CredentialResolver {
    fn resolve(&self, hello: &ClientHello<'_>) -> Result<SelectedCredential, Error> {
        let schemes = hello.signature_schemes();
        self.0
            .iter()
            .find_map(|credentials| credentials.signer(schemes))
            .ok_or(PeerIncompatible::NoSignatureSchemesInCommon.into())
    }
}
