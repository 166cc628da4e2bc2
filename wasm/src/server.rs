//! The server's side: a context built once from the host's options, the certificates it answers
//! with, and a connection's choice of both once its ClientHello is there.
//!
//! Which certificate, which session, and whether a session may be resumed at all, the host
//! decides between the ClientHello and the answer; it may await anything in between.

use std::sync::Arc;

use pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::crypto::CryptoProvider;
use rustls::enums::ApplicationProtocol;
use rustls::server::{NoServerSessionStorage, PreferServerOrder, Tls13Tickets};
use rustls::{RootCertStore, ServerConfig};
use wasm_bindgen::prelude::*;

use crate::allocator;
use crate::client_hello::{ClientHello, HelloReader, Parsed};
use crate::clock::{self, HostClock};
use crate::engine::{Connection, EarlyData, Sessions};
use crate::envelope::{self, Binding};
use crate::error::EngineError;
use crate::handshake::{Ask, Handshake};
use crate::key_log::KeyLogLines;
use crate::provider::{self, Aside, take_fresh};
use crate::sealing::unopened;
use crate::server_credentials::ServerCredentials;
use crate::server_session::{ServerSession, ServerSessions, StateFields, TICKET};
use crate::verify::ClientChainVerifier;

/// How far ahead of ours the clock of who sealed a session may be, in seconds.
const CLOCK_SKEW: u64 = 60;

/// Collects a context's options; `build()` checks them together.
#[wasm_bindgen]
#[derive(Default)]
pub struct ServerOptions {
    roots: Vec<CertificateDer<'static>>,
    crls: Vec<CertificateRevocationListDer<'static>>,
    client_auth: bool,
    client_auth_mandatory: bool,
    alpn: Vec<Vec<u8>>,
    suites: Vec<u16>,
    key_log: bool,
    max_early_data: u32,
    tickets: usize,
    max_age: u64,
    fingerprint: Vec<u8>,
}

#[wasm_bindgen]
impl ServerOptions {
    /// `fingerprint` binds what is sealed to the context.
    #[wasm_bindgen(constructor)]
    pub fn new(fingerprint: Vec<u8>) -> Self {
        Self { fingerprint, ..Self::default() }
    }

    /// A certificate in DER under which clients' chains are trusted.
    pub fn add_root(&mut self, der: Vec<u8>) {
        self.roots.push(CertificateDer::from(der));
    }

    /// A certificate revocation list in DER, for clients' chains.
    pub fn add_crl(&mut self, der: Vec<u8>) {
        self.crls.push(CertificateRevocationListDer::from(der));
    }

    /// Asks clients for a certificate.
    pub fn set_client_auth(&mut self, mandatory: bool) {
        self.client_auth = true;
        self.client_auth_mandatory = mandatory;
    }

    /// The next ALPN protocol, in order of preference.
    pub fn add_alpn(&mut self, protocol: Vec<u8>) {
        self.alpn.push(protocol);
    }

    /// A cipher suite to take. Without any, all.
    pub fn add_suite(&mut self, suite: u16) {
        self.suites.push(suite);
    }

    /// The versions to take.
    pub fn set_versions(&mut self, tls12: bool, tls13: bool) {
        if self.suites.is_empty() {
            self.suites = [provider::suites(0x0304), provider::suites(0x0303)].concat();
        }
        self.suites.retain(|suite| if suite >> 8 == 0x13 { tls13 } else { tls12 });
    }

    /// Keeps key log lines.
    pub fn set_key_log(&mut self) {
        self.key_log = true;
    }

    /// Bytes of early data to take; 0: none.
    pub fn set_max_early_data(&mut self, size: u32) {
        self.max_early_data = size;
    }

    /// TLS 1.3 tickets after a handshake, unless the client asks for another number.
    pub fn set_tickets(&mut self, count: usize) {
        self.tickets = count;
    }

    /// Seconds for which a session may be resumed.
    pub fn set_max_age(&mut self, seconds: f64) {
        self.max_age = seconds as u64;
    }

    pub fn build(self) -> Result<ServerContext, JsValue> {
        let provider = Arc::new(provider::provider(&self.suites));
        let mut verifier = None;
        if self.client_auth {
            let mut roots = RootCertStore::empty();
            for der in self.roots {
                roots.add(der).map_err(|error| {
                    EngineError::option(format!(
                        "Option \"caCerts\" has a bad certificate: {error}"
                    ))
                })?;
            }
            let mandatory = self.client_auth_mandatory;
            let built = ClientChainVerifier::new(Arc::new(roots), self.crls, mandatory, &provider)
                .map_err(|why| EngineError::option(format!("Option \"crls\": {why}")))?;
            verifier = Some(Arc::new(built));
        }
        let builder = ServerConfig::builder_with_details(provider.clone(), Arc::new(HostClock));
        let builder = match &verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier.clone()),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_server_credential_resolver(Arc::new(ServerCredentials::default().resolver(None)))
            .map_err(EngineError::from)?;
        config.alpn_protocols =
            self.alpn.iter().map(|p| ApplicationProtocol::from(p.clone())).collect();
        config.max_early_data_size = self.max_early_data;
        config.send_tls13_tickets = Tls13Tickets { default: self.tickets, max: MAX_TICKETS };
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.cipher_suite_selector = &PreferServerOrder;
        Ok(ServerContext {
            shared: Arc::new(Shared {
                config,
                provider,
                verifier,
                mandatory: self.client_auth && self.client_auth_mandatory,
                fingerprint: self.fingerprint,
                max_age: self.max_age,
                key_log: self.key_log,
                checked: Aside::default(),
            }),
        })
    }
}

/// A client may ask for more tickets (RFC 9149), up to this.
const MAX_TICKETS: usize = 8;

pub(crate) struct Shared {
    pub(crate) config: ServerConfig,
    provider: Arc<CryptoProvider>,
    verifier: Option<Arc<ClientChainVerifier>>,
    mandatory: bool,
    pub(crate) fingerprint: Vec<u8>,
    max_age: u64,
    key_log: bool,
    pub(crate) checked: Aside,
}

/// What every connection of one set of options shares.
#[wasm_bindgen]
pub struct ServerContext {
    shared: Arc<Shared>,
}

/// A connection before its ClientHello was answered.
pub(crate) struct ServerHello {
    pub(crate) shared: Arc<Shared>,
    reader: HelloReader,
    hello: Option<Parsed>,
}

impl ServerHello {
    pub(crate) fn parse(&mut self, received: &[u8]) {
        if self.hello.is_none() {
            self.hello = match self.reader.read(received) {
                Parsed::Partial => None,
                parsed => Some(parsed),
            };
        }
    }

    pub(crate) fn is_there(&self) -> bool {
        self.hello.is_some()
    }

    pub(crate) fn will_be_tls13(&self) -> bool {
        let ours = !self.shared.provider.tls13_cipher_suites.is_empty();
        ours && self.client_hello().is_some_and(|hello| hello.tls13)
    }

    pub(crate) fn client_hello(&self) -> Option<&ClientHello> {
        match &self.hello {
            Some(Parsed::Hello(hello)) => Some(hello),
            _ => None,
        }
    }
}

#[wasm_bindgen]
impl ServerContext {
    /// Waits for a ClientHello. With `ask`, the host's own check of a client's chain is awaited.
    pub fn accept(&self, ask: bool) -> Result<Connection, JsValue> {
        if !allocator::has_reserve(allocator::FOR_A_CONNECTION) {
            return Err(EngineError::out_of_memory().into());
        }
        let ask = match &self.shared.verifier {
            Some(verifier) if ask => Ask::Client(verifier.clone()),
            _ => Ask::Nobody,
        };
        let hello = ServerHello {
            shared: self.shared.clone(),
            reader: HelloReader::default(),
            hello: None,
        };
        let sessions = Sessions::Server(ServerSessions::new(self.shared.max_age));
        let key_log = self.shared.key_log.then(|| Arc::new(KeyLogLines::default()));
        let early = EarlyData::default();
        let handshake = Handshake::Hello(hello);
        Ok(Connection::new(handshake, ask, sessions, key_log, Vec::new(), early))
    }

    /// Opens a ticket: a ServerSession (`server_session.rs`). Throws the reason why it cannot, in
    /// the words of `missReasons`.
    pub fn open_ticket(
        &self,
        ring: &[u8],
        server_name: &str,
        ticket: &[u8],
    ) -> Result<Vec<u8>, JsValue> {
        let (purpose, binding) = (TICKET, server_name.as_bytes());
        let to = Binding { purpose, fingerprint: &self.shared.fingerprint, binding };
        envelope::open(ring, &to, ticket).map_err(unopened)
    }

    /// Whether an opened session may be resumed: the empty string, or the reason why not, in the
    /// words of `missReasons`. Its chain is verified as of now. `credentials`: what a full handshake
    /// would show to this client.
    pub fn check_session(
        &self,
        session: &[u8],
        server_name: &str,
        credentials: &ServerCredentials,
        now: f64,
    ) -> String {
        clock::set_now(now);
        let checked = self.check(session, server_name, credentials);
        self.shared.checked.set(session, take_fresh());
        checked.err().unwrap_or_default().into()
    }

    fn check(
        &self,
        session: &[u8],
        server_name: &str,
        credentials: &ServerCredentials,
    ) -> Result<(), &'static str> {
        let session = ServerSession::decode(session).ok_or("tampered")?;
        let fields = StateFields::read(&session.state).ok_or("tampered")?;
        let now = clock::now().as_secs();
        if session.handshake_time > now + CLOCK_SKEW {
            return Err("not_yet_valid");
        }
        if session.expires_at <= now {
            return Err("expired");
        }
        if fields.server_name.unwrap_or_default() != server_name
            || !credentials.stand_for(&session.holder)
        {
            return Err("other_server");
        }
        if !provider::has_suite(&self.shared.provider, fields.protocol, fields.suite) {
            return Err("suite_unavailable");
        }
        match (&self.shared.verifier, &fields.identity) {
            (None, None) => Ok(()),
            (Some(_), None) if !self.shared.mandatory => Ok(()),
            (Some(verifier), Some(chain)) if verifier.verify_stored(chain, clock::now()) => Ok(()),
            (Some(_), Some(_)) => Err("chain_invalid"),
            _ => Err("other_context"),
        }
    }
}
