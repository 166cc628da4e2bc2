//! What only a server's connection is told and asked, between the ClientHello and the answer.

use std::sync::Arc;

use rustls::server::{ServerHandshake, Tls13Tickets};
use wasm_bindgen::prelude::*;

use crate::clock;
use crate::engine::{Connection, Sessions};
use crate::error::EngineError;
use crate::handshake::Handshake;
use crate::provider::suite_selector;
use crate::server::ServerHello;
use crate::server_credentials::ServerCredentials;
use crate::server_session::{Keeping, ServerSession};

#[wasm_bindgen]
impl Connection {
    /// What a server's host decides by, when `flag::WANTS_CONFIG` is set; `src/client_hello.ts`
    /// has the layout. Empty: the hello is not understood, and rustls will refuse it.
    pub fn client_hello(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Handshake::Hello(server) = &self.handshake else { return bytes };
        let Some(hello) = server.client_hello() else { return bytes };
        let vector = |bytes: &mut Vec<u8>, part: &[u8]| {
            bytes.extend_from_slice(&(part.len() as u16).to_be_bytes());
            bytes.extend_from_slice(part);
        };
        bytes.push(u8::from(hello.tls13) | u8::from(hello.early_data) << 1);
        vector(&mut bytes, hello.server_name.as_deref().unwrap_or_default().as_bytes());
        vector(&mut bytes, &hello.session_id);
        vector(&mut bytes, &hello.ticket);
        for list in [&hello.identities, &hello.alpn_protocols] {
            bytes.extend_from_slice(&(list.len() as u16).to_be_bytes());
            for item in list {
                vector(&mut bytes, item);
            }
        }
        bytes
    }

    /// The session that the client may resume: one of those it offered, opened and checked.
    pub fn preload(&mut self, id: &[u8], session: &[u8]) {
        if let Handshake::Hello(server) = &self.handshake {
            self.fresh.add(server.shared.checked.take(session));
        }
        let (Sessions::Server(sessions), Some(session)) =
            (&self.sessions, ServerSession::decode(session))
        else {
            return;
        };
        sessions.set_session_data(&session.data);
        sessions.preload(id, session);
    }

    /// What the application keeps with this connection's sessions; until the client's Finished.
    pub fn set_session_data(&mut self, data: &[u8]) {
        if let Sessions::Server(sessions) = &self.sessions {
            sessions.set_session_data(data);
        }
    }

    /// Keeps this connection's sessions for `poll_kept_session()`.
    pub fn keep_sessions(&mut self) {
        if let Sessions::Server(sessions) = &self.sessions {
            sessions.set_keeping(Keeping::Stored);
        }
    }

    /// Seals this connection's sessions into tickets under the first key of a ring.
    pub fn issue_tickets(&mut self, ring: Vec<u8>) {
        if let (Handshake::Hello(server), Sessions::Server(sessions)) =
            (&self.handshake, &self.sessions)
        {
            let name = server.client_hello().and_then(|hello| hello.server_name.clone());
            sessions.set_keeping(Keeping::Tickets {
                ring,
                fingerprint: server.shared.fingerprint.clone(),
                server_name: name.unwrap_or_default().into_bytes(),
            });
        }
    }

    /// Answers the ClientHello, after all of the above.
    pub fn choose_config(&mut self, credentials: &ServerCredentials, now: f64) {
        clock::set_now(now);
        let server = match core::mem::replace(&mut self.handshake, Handshake::Over) {
            Handshake::Hello(server) => server,
            other => {
                self.handshake = other;
                return;
            }
        };
        if let Err(error) = self.answer(server, credentials) {
            self.fail(error);
        }
        self.process_again = true;
        self.run();
    }

    fn answer(
        &mut self,
        server: ServerHello,
        credentials: &ServerCredentials,
    ) -> Result<(), EngineError> {
        let Sessions::Server(sessions) = &self.sessions else {
            return Err(EngineError::misuse("not a server"));
        };
        let mut config = server.shared.config.clone();
        config.cert_resolver = Arc::new(credentials.resolver(Some(sessions.clone())));
        if sessions.is_stored() {
            config.session_storage = sessions.clone();
            // Some clients of TLS 1.2 (Go's) know tickets only: theirs is the session id.
            if !server.will_be_tls13() {
                config.ticketer = Some(sessions.clone());
            }
        } else if sessions.is_ticketed() {
            config.ticketer = Some(sessions.clone());
        } else {
            config.send_tls13_tickets = Tls13Tickets { default: 0, max: 0 };
        }
        let preloaded = sessions.preloaded_suite();
        if let Some(suite) = preloaded {
            config.cipher_suite_selector = suite_selector(suite);
        }
        if let Some(lines) = &self.key_log {
            config.key_log = lines.clone();
        }
        self.early.offered = server.client_hello().is_some_and(|hello| hello.early_data);
        let may_accept = config.max_early_data_size > 0 && config.ticketer.is_none();
        if self.early.offered && may_accept && preloaded.is_some() {
            let connection = rustls::Connection::new(Arc::new(config))?;
            self.handshake = Handshake::EarlyData(Box::new(connection));
            return Ok(());
        }
        let started = ServerHandshake::start();
        let next = started.process(&mut self.input, &mut self.output)?;
        let ServerHandshake::Accepted(accepted) = next else {
            self.handshake = Handshake::Server(next);
            return Ok(());
        };
        let next = accepted.choose_config(Arc::new(config), &mut self.output)?;
        self.handshake = Handshake::Server(next);
        Ok(())
    }

    /// Refuses the ClientHello with an alert.
    pub fn refuse(&mut self, alert: u8) {
        if let Handshake::Hello(_) = self.handshake {
            self.refuse_with(alert);
            self.fail(EngineError {
                code: "ERR_TLS_PEER_INCOMPATIBLE",
                alert: Some(alert),
                message: "the client asked for a name that is not served".into(),
            });
        }
        self.update_status();
    }

    /// The oldest session that is to be stored: `src/kept_session.ts` has the layout.
    pub fn poll_kept_session(&mut self) -> Option<Vec<u8>> {
        let Sessions::Server(sessions) = &self.sessions else { return None };
        let kept = sessions.pop_kept();
        self.update_status();
        let kept = kept?;
        let mut bytes = vec![kept.lookup_id.len() as u8];
        bytes.extend_from_slice(&kept.lookup_id);
        bytes.extend_from_slice(&kept.session.expires_at.to_be_bytes());
        bytes.extend_from_slice(&kept.session.encode());
        Some(bytes)
    }

    /// Tickets that were not sent because they are too large.
    pub fn tickets_too_large(&self) -> u32 {
        match &self.sessions {
            Sessions::Server(sessions) => sessions.tickets_too_large(),
            Sessions::Client(_) => 0,
        }
    }
}
