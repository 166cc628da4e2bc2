//! rustls's view of a session store, for one connection: it hands out the one session that the
//! host preloaded, once, and keeps what the peer sends until the host polls it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use pki_types::ServerName;
use rustls::client::{ClientSessionKey, ClientSessionStore, Tls12Session, Tls13Session};
use rustls::crypto::kx::NamedGroup;

use crate::session::OfferedSession;

/// A server may send any number of tickets; only the newest are kept until they are polled.
const MAX_RECEIVED: usize = 16;
/// Servers whose key exchange group a context remembers.
const MAX_HINTS: usize = 128;

/// Which key exchange group a server chose last: spares the HelloRetryRequest next time.
#[derive(Default)]
pub(crate) struct GroupHints(Mutex<VecDeque<(ServerName<'static>, NamedGroup)>>);

impl GroupHints {
    fn set(&self, name: ServerName<'static>, group: NamedGroup) {
        let mut hints = self.0.lock().unwrap();
        hints.retain(|(known, _)| *known != name);
        if hints.len() == MAX_HINTS {
            hints.pop_front();
        }
        hints.push_back((name, group));
    }

    fn get(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        let hints = self.0.lock().unwrap();
        hints.iter().find(|(known, _)| known == name).map(|(_, group)| *group)
    }
}

pub(crate) struct OneShotStore {
    tls13: Mutex<Option<Tls13Session>>,
    tls12: Mutex<Option<Tls12Session>>,
    received: Mutex<VecDeque<Vec<u8>>>,
    hints: Arc<GroupHints>,
}

impl OneShotStore {
    pub(crate) fn new(offered: Option<OfferedSession>, hints: Arc<GroupHints>) -> Self {
        let (tls13, tls12) = match offered {
            Some(OfferedSession::Tls13(session)) => (Some(session), None),
            Some(OfferedSession::Tls12(session)) => (None, Some(session)),
            None => (None, None),
        };
        Self {
            tls13: Mutex::new(tls13),
            tls12: Mutex::new(tls12),
            received: Mutex::default(),
            hints,
        }
    }

    pub(crate) fn received_len(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    pub(crate) fn pop_received(&self) -> Option<Vec<u8>> {
        self.received.lock().unwrap().pop_front()
    }

    fn push(&self, state: Vec<u8>) {
        let mut received = self.received.lock().unwrap();
        if received.len() == MAX_RECEIVED {
            received.pop_front();
        }
        received.push_back(state);
    }
}

impl ClientSessionStore for OneShotStore {
    fn set_kx_hint(&self, key: ClientSessionKey<'static>, group: NamedGroup) {
        self.hints.set(key.server_name, group);
    }

    fn kx_hint(&self, key: &ClientSessionKey<'_>) -> Option<NamedGroup> {
        self.hints.get(&key.server_name)
    }

    fn set_tls12_session(&self, _: ClientSessionKey<'static>, session: Tls12Session) {
        self.push(crate::session::encode_tls12(&session));
    }

    fn tls12_session(&self, _: &ClientSessionKey<'_>) -> Option<Tls12Session> {
        self.tls12.lock().unwrap().clone()
    }

    fn remove_tls12_session(&self, _: &ClientSessionKey<'static>) {
        *self.tls12.lock().unwrap() = None;
    }

    fn insert_tls13_ticket(&self, _: ClientSessionKey<'static>, session: Tls13Session) {
        self.push(crate::session::encode_tls13(&session));
    }

    fn take_tls13_ticket(&self, _: &ClientSessionKey<'static>) -> Option<Tls13Session> {
        self.tls13.lock().unwrap().take()
    }
}

impl core::fmt::Debug for OneShotStore {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OneShotStore")
    }
}
