//! A server's session: rustls's state with what we add to it, and the stores that one connection
//! sees: the session the host preloaded, once, and those it is to keep or to seal into tickets.
//!
//! ```text
//! struct {
//!     uint8 format = 2;
//!     uint64 handshake_time;           // seconds since 1970: the full handshake behind it
//!     uint64 expires_at;               // seconds since 1970
//!     opaque holder[32];               // whom its certificate stood for (certificate.rs)
//!     opaque session_data<0..2^16-1>;  // the application's
//!     opaque state<1..2^24-1>;         // rustls's ServerSessionValue
//! } ServerSession;
//! ```
//! It leaves the process sealed only (`envelope.rs`).

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use pki_types::CertificateDer;
use ring::rand::{SecureRandom, SystemRandom};
use rustls::crypto::{Identity, TicketProducer};
use rustls::server::{ServerSessionKey, StoresServerSessions};

use crate::certificate;
use crate::clock;
use crate::envelope::{self, Binding};

const FORMAT: u8 = 2;
/// RFC 8446 §4.6.1: no ticket lives longer, however often it is renewed.
const MAX_LIFETIME: u64 = 7 * 24 * 60 * 60;
/// A larger ticket is not sent: some clients and middleboxes drop the hello that offers it.
const MAX_TICKET: usize = 4 * 1024;
/// Sessions of one connection that wait for the host.
const MAX_WAITING: usize = 8;

/// A session as it is opened; see the module.
pub(crate) struct ServerSession {
    pub(crate) handshake_time: u64,
    pub(crate) expires_at: u64,
    pub(crate) holder: [u8; 32],
    pub(crate) data: Vec<u8>,
    pub(crate) state: Vec<u8>,
}

impl ServerSession {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(&self.handshake_time.to_be_bytes());
        bytes.extend_from_slice(&self.expires_at.to_be_bytes());
        bytes.extend_from_slice(&self.holder);
        bytes.extend_from_slice(&(self.data.len() as u16).to_be_bytes());
        bytes.extend_from_slice(&self.data);
        bytes.extend_from_slice(&(self.state.len() as u32).to_be_bytes()[1..]);
        bytes.extend_from_slice(&self.state);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.uint(1)? != u64::from(FORMAT) {
            return None;
        }
        let session = Self {
            handshake_time: reader.uint(8)?,
            expires_at: reader.uint(8)?,
            holder: *reader.take(32)?.first_chunk()?,
            data: reader.vector(2)?.to_vec(),
            state: reader.vector(3)?.to_vec(),
        };
        reader.0.is_empty().then_some(session)
    }
}

/// The fields of rustls's ServerSessionValue that decide whether it may be resumed.
pub(crate) struct StateFields {
    pub(crate) protocol: u16,
    pub(crate) server_name: Option<String>,
    pub(crate) suite: u16,
    pub(crate) identity: Option<Identity<'static>>,
}

impl StateFields {
    pub(crate) fn read(state: &[u8]) -> Option<Self> {
        let mut reader = Reader(state);
        let protocol = reader.uint(2)? as u16;
        reader.take(8)?; // creation time: ours counts
        let server_name = match reader.uint(1)? {
            1 => Some(String::from_utf8(reader.vector(1)?.to_vec()).ok()?),
            _ => None,
        };
        let suite = reader.uint(2)? as u16;
        let identity = match reader.uint(1)? {
            1 => Some(reader.identity()?),
            _ => None,
        };
        Some(Self { protocol, server_name, suite, identity })
    }

    /// The earliest end of the chain's certificates that have not ended already.
    fn not_after(&self) -> u64 {
        let Some(Identity::X509(chain)) = &self.identity else { return u64::MAX };
        let now = clock::now().as_secs();
        core::iter::once(&chain.end_entity)
            .chain(&chain.intermediates)
            .filter_map(|der| certificate::not_after(der))
            .filter(|end| *end > now)
            .min()
            .unwrap_or(u64::MAX)
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    fn uint(&mut self, size: usize) -> Option<u64> {
        Some(self.take(size)?.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    fn vector(&mut self, size: usize) -> Option<&'a [u8]> {
        let length = self.uint(size)? as usize;
        self.take(length)
    }

    fn identity(&mut self) -> Option<Identity<'static>> {
        if self.uint(1)? != 0 {
            return None; // a raw public key, which no configuration here asks for
        }
        let mut chain = vec![CertificateDer::from(self.vector(3)?.to_vec())];
        let mut list = Reader(self.vector(3)?);
        while !list.0.is_empty() {
            chain.push(CertificateDer::from(list.vector(3)?.to_vec()));
        }
        Identity::from_cert_chain(chain).ok()
    }
}

/// How sessions of one connection are kept.
pub(crate) enum Keeping {
    /// Not at all.
    Off,
    /// The host stores them under their lookup id.
    Stored,
    /// Sealed into tickets under the ring's first key.
    Tickets { ring: Vec<u8>, fingerprint: Vec<u8>, server_name: Vec<u8> },
}

/// A session on its way to the host's store.
pub(crate) struct KeptSession {
    pub(crate) lookup_id: Vec<u8>,
    pub(crate) session: ServerSession,
}

struct Inner {
    keeping: Keeping,
    preloaded: Option<(Vec<u8>, ServerSession)>,
    /// Time and certificate of the full handshake behind the session that was handed to rustls.
    original: Option<(u64, [u8; 32])>,
    /// Whom the certificate stands for that a full handshake of this connection shows.
    holder: [u8; 32],
    session_data: Vec<u8>,
    max_age: u64,
    expires_at: u64,
    kept: VecDeque<KeptSession>,
    tickets_too_large: u32,
}

/// The store and the ticket producer of one connection, which rustls holds and we share.
pub(crate) struct ServerSessions(Mutex<Inner>);

impl ServerSessions {
    pub(crate) fn new(max_age: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Inner {
            keeping: Keeping::Off,
            preloaded: None,
            original: None,
            holder: [0; 32],
            session_data: Vec::new(),
            max_age,
            expires_at: 0,
            kept: VecDeque::new(),
            tickets_too_large: 0,
        })))
    }

    pub(crate) fn set_keeping(&self, keeping: Keeping) {
        self.0.lock().unwrap().keeping = keeping;
    }

    pub(crate) fn is_stored(&self) -> bool {
        matches!(self.0.lock().unwrap().keeping, Keeping::Stored)
    }

    pub(crate) fn is_ticketed(&self) -> bool {
        matches!(self.0.lock().unwrap().keeping, Keeping::Tickets { .. })
    }

    pub(crate) fn set_session_data(&self, data: &[u8]) {
        self.0.lock().unwrap().session_data = data.to_vec();
    }

    /// The certificate that a full handshake will show.
    pub(crate) fn set_holder(&self, holder: [u8; 32]) {
        self.0.lock().unwrap().holder = holder;
    }

    /// What rustls will find under `id`, once.
    pub(crate) fn preload(&self, id: &[u8], session: ServerSession) {
        self.0.lock().unwrap().preloaded = Some((id.to_vec(), session));
    }

    /// The suite to choose for the preloaded session.
    pub(crate) fn preloaded_suite(&self) -> Option<u16> {
        let inner = self.0.lock().unwrap();
        let (_, session) = inner.preloaded.as_ref()?;
        Some(StateFields::read(&session.state)?.suite)
    }

    pub(crate) fn kept_len(&self) -> usize {
        self.0.lock().unwrap().kept.len()
    }

    pub(crate) fn pop_kept(&self) -> Option<KeptSession> {
        self.0.lock().unwrap().kept.pop_front()
    }

    pub(crate) fn tickets_too_large(&self) -> u32 {
        self.0.lock().unwrap().tickets_too_large
    }

    /// The handshake is a full one after all: what belongs to the session that was preloaded stays
    /// with that one.
    pub(crate) fn forget_preloaded(&self) {
        let mut inner = self.0.lock().unwrap();
        if inner.preloaded.take().is_some() {
            inner.original = None;
            inner.session_data.clear();
        }
    }

    fn find(&self, id: &[u8]) -> Option<Vec<u8>> {
        let mut inner = self.0.lock().unwrap();
        let (preloaded, session) = inner.preloaded.as_ref()?;
        if preloaded != id {
            return None;
        }
        let state = session.state.clone();
        inner.original = Some((session.handshake_time, session.holder));
        Some(state)
    }
}

impl Inner {
    /// A state with its times: a renewed session is as old as its full handshake, and ends when that
    /// would have ended. `None`: it would be over already.
    fn session(&self, state: Vec<u8>) -> Option<ServerSession> {
        let now = clock::now().as_secs();
        let (handshake_time, holder) = self.original.unwrap_or((now, self.holder));
        let not_after = StateFields::read(&state)?.not_after();
        let expires_at =
            handshake_time.saturating_add(self.max_age.min(MAX_LIFETIME)).min(not_after);
        let data = self.session_data.clone();
        let session = ServerSession { handshake_time, expires_at, holder, data, state };
        (expires_at > now).then_some(session)
    }
}

impl Inner {
    /// TLS 1.2: the id under which a session is in the store. One that is resumed stays where it
    /// was found; a new one rustls has put there before it asks for a ticket, unless the client
    /// offered a ticket.
    fn stored_id(&mut self, session: ServerSession) -> Option<Vec<u8>> {
        if let Some((id, _)) = &self.preloaded {
            return Some(id.clone());
        }
        if let Some(kept) = self.kept.back() {
            return Some(kept.lookup_id.clone());
        }
        let mut id = vec![0; 32];
        SystemRandom::new().fill(&mut id).ok()?;
        self.kept.push_back(KeptSession { lookup_id: id.clone(), session });
        Some(id)
    }
}

impl StoresServerSessions for ServerSessions {
    fn put(&self, key: ServerSessionKey<'_>, value: Vec<u8>) -> bool {
        let mut inner = self.0.lock().unwrap();
        if !matches!(inner.keeping, Keeping::Stored) || inner.kept.len() == MAX_WAITING {
            return false;
        }
        let Some(session) = inner.session(value) else { return false };
        inner.expires_at = session.expires_at;
        inner.kept.push_back(KeptSession { lookup_id: key.as_ref().to_vec(), session });
        true
    }

    fn get(&self, key: ServerSessionKey<'_>) -> Option<Vec<u8>> {
        self.find(key.as_ref())
    }

    fn take(&self, key: ServerSessionKey<'_>) -> Option<Vec<u8>> {
        self.find(key.as_ref())
    }

    fn can_cache(&self) -> bool {
        self.is_stored()
    }

    fn ticket_lifetime(&self) -> Duration {
        self.lifetime()
    }
}

impl TicketProducer for ServerSessions {
    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut inner = self.0.lock().unwrap();
        let session = inner.session(plain.to_vec())?;
        let expires_at = session.expires_at;
        if let Keeping::Stored = inner.keeping {
            inner.expires_at = expires_at;
            return inner.stored_id(session);
        }
        let Keeping::Tickets { ring, fingerprint, server_name } = &inner.keeping else {
            return None;
        };
        let to = Binding { purpose: TICKET, fingerprint, binding: server_name };
        let ticket = envelope::seal(ring, &to, &session.encode()).ok()?;
        if ticket.len() > MAX_TICKET {
            inner.tickets_too_large += 1;
            return None;
        }
        inner.expires_at = expires_at;
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.find(ticket)
    }

    /// rustls asks after `encrypt()` or `put()`, for the ticket that it made.
    fn lifetime(&self) -> Duration {
        let left = self.0.lock().unwrap().expires_at.saturating_sub(clock::now().as_secs());
        Duration::from_secs(left)
    }
}

impl core::fmt::Debug for ServerSessions {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ServerSessions")
    }
}

/// Purposes of envelopes (`envelope.rs`).
pub(crate) const TICKET: &str = "ticket";
