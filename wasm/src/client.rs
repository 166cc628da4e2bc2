//! The client's side: a context built once from the host's options, and connections from it.
//!
//! A context knows nothing of stores or of the host's format of sessions; it takes a session's
//! state as `session.rs` has it, and says whether it may be offered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use pki_types::{
    CertificateDer, CertificateRevocationListDer, Der, PrivateKeyDer, ServerName, TrustAnchor,
};
use rustls::client::danger::{ServerIdentity, ServerVerifier};
use rustls::client::{ClientHandshake, Resumption, TicketRequest};
use rustls::crypto::{CryptoProvider, SingleCredential};
use rustls::enums::ApplicationProtocol;
use rustls::{ClientConfig, RootCertStore};
use wasm_bindgen::prelude::*;

use crate::allocator;
use crate::clock::{self, HostClock};
use crate::credentials::{credentials, private_key};
use crate::engine::{Connection, EarlyData, Sessions};
use crate::error::EngineError;
use crate::handshake::{Ask, Handshake};
use crate::key_log::KeyLogLines;
use crate::one_shot_store::{GroupHints, OneShotStore};
use crate::provider::{self, Aside, take_fresh};
use crate::session::{self, OfferedSession, Unusable};
use crate::verify::{ChainVerifier, VerifyOptions};

/// Collects a context's options; `build()` checks them together.
#[wasm_bindgen]
#[derive(Default)]
pub struct ClientOptions {
    roots: Roots,
    verify: VerifyOptions,
    chain: Vec<CertificateDer<'static>>,
    key: Option<PrivateKeyDer<'static>>,
    alpn: Vec<Vec<u8>>,
    suites: Vec<u16>,
    ticket_request: Option<TicketRequest>,
    key_log: bool,
}

/// `RootCertStore` has no `Default`.
struct Roots(RootCertStore);

impl Default for Roots {
    fn default() -> Self {
        Self(RootCertStore::empty())
    }
}

#[wasm_bindgen]
impl ClientOptions {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// A trusted certificate in DER.
    pub fn add_root(&mut self, der: Vec<u8>) -> Result<(), JsValue> {
        let added = self.roots.0.add(CertificateDer::from(der));
        added.map_err(|error| {
            EngineError::option(format!("Option \"caCerts\" has a bad certificate: {error}")).into()
        })
    }

    /// A trust anchor: subject and SubjectPublicKeyInfo, and name constraints or nothing, each
    /// the contents of its DER SEQUENCE.
    pub fn add_trust_anchor(&mut self, subject: Vec<u8>, spki: Vec<u8>, constraints: Vec<u8>) {
        self.roots.0.roots.push(TrustAnchor {
            subject: Der::from(subject),
            subject_public_key_info: Der::from(spki),
            name_constraints: (!constraints.is_empty()).then(|| Der::from(constraints)),
        });
    }

    /// A certificate revocation list in DER.
    pub fn add_crl(&mut self, der: Vec<u8>) {
        self.verify.crls.push(CertificateRevocationListDer::from(der));
    }

    /// The SHA-256 of a SubjectPublicKeyInfo.
    pub fn add_pinned_key(&mut self, digest: &[u8]) -> Result<(), JsValue> {
        let digest = digest.try_into().map_err(|_| EngineError::misuse("a pin has 32 bytes"))?;
        self.verify.pinned_keys.push(digest);
        Ok(())
    }

    /// The next certificate of the client's own chain in DER, end entity first.
    pub fn add_certificate(&mut self, der: Vec<u8>) {
        self.chain.push(CertificateDer::from(der));
    }

    /// The client's private key: PKCS#8, SEC1 or PKCS#1 by `kind`.
    pub fn set_key(&mut self, kind: &str, der: Vec<u8>) -> Result<(), JsValue> {
        self.key = Some(private_key(kind, der)?);
        Ok(())
    }

    /// The next ALPN protocol, in order of preference.
    pub fn add_alpn(&mut self, protocol: Vec<u8>) {
        self.alpn.push(protocol);
    }

    /// A cipher suite to offer. Without any, all.
    pub fn add_suite(&mut self, suite: u16) {
        self.suites.push(suite);
    }

    /// The versions to offer.
    pub fn set_versions(&mut self, tls12: bool, tls13: bool) {
        if self.suites.is_empty() {
            self.suites = [provider::suites(0x0304), provider::suites(0x0303)].concat();
        }
        self.suites.retain(|suite| if suite >> 8 == 0x13 { tls13 } else { tls12 });
    }

    /// How many tickets servers are asked for (RFC 9149): after a full handshake, and after a
    /// resumed one.
    pub fn set_ticket_request(&mut self, full: u8, resumed: u8) {
        self.ticket_request =
            Some(TicketRequest { new_session_count: full, resumption_count: resumed });
    }

    pub fn set_key_log(&mut self) {
        self.key_log = true;
    }

    pub fn danger_disable_verification(&mut self) {
        self.verify.danger_disable_verification = true;
    }

    pub fn danger_disable_hostname_verification(&mut self) {
        self.verify.danger_disable_hostname_verification = true;
    }

    pub fn build(self) -> Result<ClientContext, JsValue> {
        let provider = Arc::new(provider::provider(&self.suites));
        let verifier = ChainVerifier::new(Arc::new(self.roots.0), self.verify, &provider)
            .map_err(|why| EngineError::option(format!("Option \"crls\": {why}")))?;
        let credential = match self.key {
            None => None,
            Some(key) => Some(Arc::new(SingleCredential::from(credentials(self.chain, key)?))),
        };
        let context = ClientContext {
            verifier: Arc::new(verifier),
            credential,
            alpn: self.alpn.iter().map(|p| ApplicationProtocol::from(p.clone())).collect(),
            key_log: self.key_log,
            ticket_request: self.ticket_request,
            hints: Arc::default(),
            checked: Aside::default(),
            configs: Mutex::default(),
            provider,
        };
        context.config(None).map_err(EngineError::from)?;
        Ok(context)
    }
}

/// What every connection of one set of options shares.
#[wasm_bindgen]
pub struct ClientContext {
    provider: Arc<CryptoProvider>,
    verifier: Arc<ChainVerifier>,
    credential: Option<Arc<SingleCredential>>,
    alpn: Vec<ApplicationProtocol<'static>>,
    key_log: bool,
    ticket_request: Option<TicketRequest>,
    hints: Arc<GroupHints>,
    checked: Aside,
    /// By the suite offered first: the preferred one, or that of a session to be resumed.
    configs: Mutex<HashMap<Option<u16>, ClientConfig>>,
}

impl ClientContext {
    fn config(&self, first: Option<u16>) -> Result<ClientConfig, rustls::Error> {
        let mut configs = self.configs.lock().unwrap();
        if let Some(config) = configs.get(&first) {
            return Ok(config.clone());
        }
        let provider = match first {
            Some(suite) => provider::with_first(&self.provider, suite),
            None => self.provider.clone(),
        };
        let builder = ClientConfig::builder_with_details(provider, Arc::new(HostClock))
            .dangerous()
            .with_custom_certificate_verifier(self.verifier.clone());
        let mut config = match &self.credential {
            Some(credential) => builder.with_client_credential_resolver(credential.clone())?,
            None => builder.with_no_client_auth()?,
        };
        config.alpn_protocols = self.alpn.clone();
        config.send_ticket_request = self.ticket_request;
        config.resumption = Resumption::disabled();
        configs.insert(first, config.clone());
        Ok(config)
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, EngineError> {
    ServerName::try_from(name.to_owned()).map_err(|_| {
        EngineError::option(format!(
            "Option \"serverName\" is neither a DNS name nor an IP address: {name:?}"
        ))
    })
}

#[wasm_bindgen]
impl ClientContext {
    /// Whether a session's state may be offered to `name`: the empty string, or the reason why
    /// not, in the words of `sessionMiss`. Its chain is verified as of now.
    pub fn check_session(&self, name: &str, state: &[u8], now: f64) -> Result<String, JsValue> {
        clock::set_now(now);
        let name = server_name(name)?;
        let reason = match OfferedSession::decode(state, &self.provider) {
            Err(Unusable::Malformed) => "tampered",
            Err(Unusable::SuiteUnavailable) => "suite_unavailable",
            Ok(_) => match session::peer_identity(state) {
                None => "tampered",
                Some(chain) => {
                    let input = ServerIdentity::new(&chain, &name, clock::now());
                    let verified = self.verifier.verify_identity(&input);
                    self.checked.set(state, take_fresh());
                    match verified {
                        Ok(_) => "",
                        Err(_) => "chain_invalid",
                    }
                }
            },
        };
        Ok(reason.into())
    }

    /// Starts a handshake; the ClientHello is in the output at once. `state` is a session's
    /// state that passed `check_session()`, or empty. With `ask`, the host's own check of the
    /// chain is awaited (`flag::WANTS_VERIFY`). As much of `early_data` goes with the
    /// ClientHello as the session allows (`early_data_sent()`).
    pub fn connect(
        &self,
        name: &str,
        state: &[u8],
        ask: bool,
        early_data: &[u8],
        now: f64,
    ) -> Result<Connection, JsValue> {
        if !allocator::has_reserve(allocator::FOR_A_CONNECTION) {
            return Err(EngineError::out_of_memory().into());
        }
        clock::set_now(now);
        let name = server_name(name)?;
        let offered = match state {
            [] => None,
            state => Some(
                OfferedSession::decode(state, &self.provider)
                    .map_err(|_| EngineError::misuse("an unchecked session was offered"))?,
            ),
        };
        let first = offered.as_ref().and_then(|_| session::suite(state));
        let store = Arc::new(OneShotStore::new(offered, self.hints.clone()));
        let key_log = self.key_log.then(|| Arc::new(KeyLogLines::default()));
        let mut config = self.config(first).map_err(EngineError::from)?;
        config.resumption = Resumption::store(store.clone());
        if let Some(lines) = &key_log {
            config.key_log = lines.clone();
        }
        let mut output = Vec::with_capacity(2048);
        config.enable_early_data = !early_data.is_empty();
        let mut handshake = Arc::new(config)
            .connect(name)
            .start_handshake(&mut output)
            .map_err(EngineError::from)?;
        let mut early = EarlyData::default();
        if !early_data.is_empty()
            && let Some(mut writer) = handshake.early_data()
        {
            early.sent = writer.write(early_data.into(), &mut output).map_err(EngineError::from)?;
            early.offered = true;
        }
        let ask = match ask {
            true => Ask::Server(self.verifier.clone()),
            false => Ask::Nobody,
        };
        let handshake = Handshake::Client(ClientHandshake::NeedsInput(handshake));
        let sessions = Sessions::Client(store);
        let mut connection = Connection::new(handshake, ask, sessions, key_log, output, early);
        connection.fresh = self.checked.take(state);
        Ok(connection)
    }
}
