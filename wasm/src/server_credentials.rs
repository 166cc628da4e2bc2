//! The certificates that a server answers with.

use std::sync::Arc;

use pki_types::CertificateDer;
use rustls::Error;
use rustls::crypto::{Credentials, SelectedCredential, SignatureScheme, Signer};
use rustls::error::PeerIncompatible;
use rustls::server::{ClientHello, ServerCredentialResolver};
use wasm_bindgen::prelude::*;

use crate::certificate;
use crate::credentials::{credentials, private_key};
use crate::error::EngineError;
use crate::server_session::ServerSessions;

/// Certificate chains with their keys; the first that the client can verify is used.
#[wasm_bindgen]
#[derive(Default)]
pub struct ServerCredentials {
    list: Vec<Credential>,
    chain: Vec<CertificateDer<'static>>,
}

#[derive(Clone, Debug)]
struct Credential {
    credentials: Arc<Credentials>,
    /// Whom its certificate stands for.
    holder: [u8; 32],
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
        let holder = self.chain.first().and_then(|der| certificate::holder(der));
        let mut credentials = credentials(core::mem::take(&mut self.chain), key)?;
        credentials.ocsp = (!ocsp.is_empty()).then(|| ocsp.into());
        let holder = holder.ok_or_else(|| {
            EngineError::option("Option \"cert\" has a certificate that is not understood".into())
        })?;
        self.list.push(Credential { credentials: Arc::new(credentials), holder });
        Ok(())
    }

    /// Whether a full handshake under these can show a certificate for the same names.
    pub(crate) fn stand_for(&self, holder: &[u8; 32]) -> bool {
        self.list.iter().any(|credential| credential.holder == *holder)
    }

    /// `sessions` of the connection that is answered; `None` for a configuration that answers
    /// nobody by itself.
    pub(crate) fn resolver(&self, sessions: Option<Arc<ServerSessions>>) -> CredentialResolver {
        CredentialResolver { list: self.list.clone(), sessions }
    }
}

#[derive(Debug)]
pub(crate) struct CredentialResolver {
    list: Vec<Credential>,
    sessions: Option<Arc<ServerSessions>>,
}

impl ServerCredentialResolver for CredentialResolver {
    fn resolve(&self, hello: &ClientHello<'_>) -> Result<SelectedCredential, Error> {
        let schemes = hello.signature_schemes();
        let (mut selected, holder) = self
            .list
            .iter()
            .find_map(|each| Some((each.credentials.signer(schemes)?, each.holder)))
            .ok_or(PeerIncompatible::NoSignatureSchemesInCommon)?;
        if let Some(sessions) = &self.sessions {
            sessions.set_holder(holder);
            selected.signer =
                Box::new(FullHandshake { signer: selected.signer, sessions: sessions.clone() });
        }
        Ok(selected)
    }
}

/// A server signs in full handshakes only: there nothing of a session that the client named, and
/// has not shown to hold, must go on.
#[derive(Debug)]
struct FullHandshake {
    signer: Box<dyn Signer>,
    sessions: Arc<ServerSessions>,
}

impl Signer for FullHandshake {
    fn sign(self: Box<Self>, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.sessions.forget_preloaded();
        self.signer.sign(message)
    }

    fn scheme(&self) -> SignatureScheme {
        self.signer.scheme()
    }
}
