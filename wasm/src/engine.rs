//! One connection without I/O: TLS bytes in, TLS bytes out, plaintext, sessions.
//!
//! Nothing here awaits or fails by exception. A call that makes the connection fail sets
//! `flag::FAILED`; plaintext that came before the failure can still be taken, and the output then
//! ends with the alert for the peer.
//!
//! What a peer can make a connection hold is bounded: of its bytes by `MAX_HANDSHAKE_HELD` and
//! `MAX_TRAFFIC_HELD`, of our answers by one at a time. Where memory is out the connection that
//! needed it fails, and frees what it had.

use core::cell::RefCell;
use std::sync::Arc;

use rustls::client::{ClientHandshake, ClientSide};
use rustls::crypto::{Identity, VerifiedIdentity};
use rustls::error::CertificateError;
use rustls::server::{ServerHandshake, ServerSide};
use rustls::split::{ReceiveTraffic, SendTraffic};
use rustls::{ConnectionOutputs, Error, HandshakeKind};
use wasm_bindgen::prelude::*;

use crate::allocator;
use crate::certificate;
use crate::clock;
use crate::error::EngineError;
use crate::handshake::{Ask, Handshake};
use crate::input_buffer::InputBuffer;
use crate::key_log::KeyLogLines;
use crate::one_shot_store::OneShotStore;
use crate::provider::{Fresh, take_fresh};
use crate::server_session::ServerSessions;
use crate::status::{flag, word};
use crate::traffic::read_traffic;

/// Plaintext on its way to be encrypted; one for the instance, as every call empties it.
const STAGING_SIZE: usize = 64 * 1024;
/// Output buffers above this are given back when empty.
const KEPT_OUTPUT: usize = 1024;
/// Bytes of a handshake that are not dealt with yet: the largest message that rustls takes (64 KiB),
/// and what records add to it.
const MAX_HANDSHAKE_HELD: usize = 80 * 1024;
/// After the handshake: the largest record (RFC 5246 §6.2.3), and a message of 32 KiB in parts.
/// A ticket, the largest there is, has some hundred bytes, or some thousand with a client's chain.
const MAX_TRAFFIC_HELD: usize = 5 + (1 << 14) + 2048 + 32 * 1024;

/// What encryption adds to a record, at most: header, explicit nonce, type and tag.
const RECORD_OVERHEAD: usize = 5 + 8 + 1 + 16;

/// How many records so much plaintext takes, and one for a key update.
fn records_of(length: usize) -> usize {
    length.div_ceil(1 << 14) + 2
}

/// Alert (RFC 8446 §6.2).
const DECODE_ERROR: u8 = 50;

thread_local! {
    static STAGING: RefCell<Vec<u8>> = RefCell::new(vec![0; STAGING_SIZE]);
}

/// Where the host puts plaintext before `Connection::send()`.
#[wasm_bindgen]
pub fn staging_ptr() -> usize {
    STAGING.with_borrow(|staging| staging.as_ptr() as usize)
}

#[wasm_bindgen]
pub fn staging_size() -> usize {
    STAGING_SIZE
}

/// The end of a certificate's validity in seconds since 1970; NaN where it cannot be read.
#[wasm_bindgen]
pub fn not_after(certificate: &[u8]) -> f64 {
    certificate::not_after(certificate).map_or(f64::NAN, |seconds| seconds as f64)
}

pub(crate) enum Receive {
    Client(ReceiveTraffic<ClientSide>),
    Server(ReceiveTraffic<ServerSide>),
    Over,
}

/// Where sessions that the peer gives, or that are given to it, wait for the host.
pub(crate) enum Sessions {
    Client(Arc<OneShotStore>),
    Server(Arc<ServerSessions>),
}

#[wasm_bindgen]
pub struct Connection {
    status: Box<[u32; word::COUNT]>,
    pub(crate) input: InputBuffer,
    pub(crate) output: Vec<u8>,
    transmit: Vec<u8>,
    pub(crate) handshake: Handshake,
    pub(crate) receive: Receive,
    pub(crate) send: Option<SendTraffic>,
    pub(crate) outputs: Option<ConnectionOutputs>,
    pub(crate) ask: Ask,
    pub(crate) wants_verify: bool,
    /// The rest of a flight may be buffered behind the certificate that was verified.
    pub(crate) process_again: bool,
    peer_closed: bool,
    closed: bool,
    /// rustls has an answer for the peer, which waits until the output is taken: answers to several
    /// key updates are one then (RFC 8446 §4.6.3).
    answer_waits: bool,
    error: Option<EngineError>,
    /// Signatures of the peer's chain that verified in this handshake.
    pub(crate) fresh: Fresh,
    pub(crate) sessions: Sessions,
    pub(crate) key_log: Option<Arc<KeyLogLines>>,
    pub(crate) early: EarlyData,
}

/// What became of early data (RFC 8446 §2.3).
#[derive(Default)]
pub(crate) struct EarlyData {
    /// A client's: how much of it was sent early.
    pub(crate) sent: usize,
    pub(crate) offered: bool,
    pub(crate) accepted: bool,
    /// A server's: received and not taken. rustls bounds it by the configured size.
    pub(crate) received: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(
        handshake: Handshake,
        ask: Ask,
        sessions: Sessions,
        key_log: Option<Arc<KeyLogLines>>,
        output: Vec<u8>,
        early: EarlyData,
    ) -> Self {
        let mut connection = Self {
            status: Box::new([0; word::COUNT]),
            input: InputBuffer::default(),
            output,
            transmit: Vec::new(),
            handshake,
            receive: Receive::Over,
            send: None,
            outputs: None,
            ask,
            wants_verify: false,
            process_again: false,
            peer_closed: false,
            closed: false,
            answer_waits: false,
            error: None,
            fresh: Fresh::default(),
            sessions,
            key_log,
            early,
        };
        connection.update_status();
        connection
    }

    pub(crate) fn advance_traffic(&mut self) -> Result<(), EngineError> {
        let mut flush = false;
        let result = match core::mem::replace(&mut self.receive, Receive::Over) {
            Receive::Client(receive) => read_traffic(receive, &mut self.input, &mut flush)
                .map(|next| next.map_or(Receive::Over, Receive::Client)),
            Receive::Server(receive) => read_traffic(receive, &mut self.input, &mut flush)
                .map(|next| next.map_or(Receive::Over, Receive::Server)),
            Receive::Over => return Ok(()),
        };
        // An error leaves an alert with the sender.
        self.answer_waits |= flush || result.is_err();
        if result.is_err() || (self.output.is_empty() && self.transmit.is_empty()) {
            self.write_answer();
        }
        self.receive = result?;
        self.peer_closed = matches!(self.receive, Receive::Over);
        Ok(())
    }

    /// Has rustls write what it has for the peer.
    fn write_answer(&mut self) {
        if core::mem::take(&mut self.answer_waits)
            && let Some(send) = &mut self.send
        {
            let _ = send.write((&[][..]).into(), &mut self.output);
        }
    }

    /// A peer whose message does not end is refused while little of it is held.
    fn check_held(&mut self) -> Result<(), EngineError> {
        let waits_for_host = self.wants_verify || self.wants_config();
        let (most, what) = match &self.handshake {
            _ if waits_for_host || self.error.is_some() => return Ok(()),
            Handshake::Over => (MAX_TRAFFIC_HELD, "a message after the handshake"),
            _ => (MAX_HANDSHAKE_HELD, "a handshake message"),
        };
        if self.input.held() <= most {
            return Ok(());
        }
        let message = format!("the peer sent {what} that does not end within {most} bytes");
        if let Handshake::Hello(_) = self.handshake {
            // rustls has seen nothing of it yet.
            self.refuse_with(DECODE_ERROR);
            return Err(EngineError::misbehaved(Some(DECODE_ERROR), message));
        }
        self.input.spoil();
        let alert = self.advance().err().and_then(|error| error.alert);
        Err(EngineError::misbehaved(alert, message))
    }

    /// A fatal alert before anything is encrypted (RFC 8446 §6).
    pub(crate) fn refuse_with(&mut self, alert: u8) {
        self.output.extend_from_slice(&[21, 3, 3, 0, 2, 2, alert]);
    }

    /// Memory was out in a call for this connection: it ends, and others go on.
    fn give_up(&mut self) {
        self.fail(EngineError::out_of_memory());
        self.send = None;
        self.input.clear();
        self.output = Vec::new();
        self.early.received = Vec::new();
        allocator::has_reserve(allocator::FOR_A_CONNECTION);
    }

    /// Whether a call that may need so much memory may begin; else the connection has failed.
    fn may_begin(&mut self, needed: allocator::Needed) -> bool {
        if allocator::has_reserve(needed) {
            return true;
        }
        self.give_up();
        self.update_status();
        false
    }

    fn wants_config(&self) -> bool {
        matches!(&self.handshake, Handshake::Hello(hello) if hello.is_there())
    }

    pub(crate) fn fail(&mut self, error: EngineError) {
        self.fresh = Fresh::default();
        self.handshake = Handshake::Over;
        self.receive = Receive::Over;
        self.wants_verify = false;
        self.error.get_or_insert(error);
    }

    fn is_handshaking(&self) -> bool {
        !matches!(self.handshake, Handshake::Over)
    }

    pub(crate) fn resumed(&self) -> bool {
        let kind = self.outputs.as_ref().and_then(|outputs| outputs.handshake_kind());
        matches!(kind, Some(HandshakeKind::Resumed | HandshakeKind::ResumedWithHelloRetryRequest))
    }

    pub(crate) fn update_status(&mut self) {
        if allocator::take_used() {
            self.give_up();
        }
        let flags = [
            (flag::HANDSHAKING, self.is_handshaking()),
            (flag::WANTS_VERIFY, self.wants_verify),
            (flag::RESUMED, self.resumed()),
            (flag::PEER_CLOSED, self.peer_closed),
            (flag::FAILED, self.error.is_some()),
            (flag::CLOSED, self.closed),
            (flag::WANTS_CONFIG, self.wants_config()),
            (flag::EARLY_OFFERED, self.early.offered),
            (flag::EARLY_ACCEPTED, self.early.accepted),
        ];
        let held = self.wants_verify && !self.is_handshaking();
        let (plain_ptr, plain_len) = self.input.plain();
        let status = &mut *self.status;
        status[word::FLAGS] = flags.iter().filter(|(_, set)| *set).map(|(bit, _)| bit).sum();
        status[word::PLAIN_PTR] = plain_ptr as u32;
        status[word::PLAIN_LEN] = plain_len as u32;
        status[word::OUTPUT_LEN] = if held { 0 } else { self.output.len() as u32 };
        status[word::TRANSMIT_PTR] = self.transmit.as_ptr() as usize as u32;
        status[word::TRANSMIT_LEN] = self.transmit.len() as u32;
        status[word::SESSIONS] = match &self.sessions {
            _ if held => 0,
            Sessions::Client(store) => store.received_len() as u32,
            Sessions::Server(sessions) => sessions.kept_len() as u32,
        };
        status[word::EARLY_LEN] = self.early.received.len() as u32;
        status[word::KEY_LOG] = self.key_log.as_ref().map_or(0, |lines| lines.len() as u32);
    }
}

fn assertion(identity: &Identity<'_>) -> VerifiedIdentity<'static> {
    VerifiedIdentity::assertion(identity.clone().into_owned())
}

#[wasm_bindgen]
impl Connection {
    /// Where the status words are (`status.rs`); the place does not change.
    pub fn status_ptr(&self) -> usize {
        self.status.as_ptr() as usize
    }

    /// Makes room for TLS bytes; see `word::INPUT_PTR`. The host calls it before each read, and
    /// neither this nor `receive()` while one is under way. `available`: how many bytes it has for
    /// the connection already, or 0.
    pub fn prepare_input(&mut self, available: usize) {
        (self.status[word::INPUT_PTR], self.status[word::INPUT_SPACE]) = (0, 0);
        if !self.may_begin(allocator::FOR_TRAFFIC) {
            return;
        }
        let (ptr, space) = self.input.prepare(available, self.is_handshaking());
        if space == 0 && self.input.plain().1 == 0 {
            self.give_up();
        }
        self.status[word::INPUT_PTR] = ptr as u32;
        self.status[word::INPUT_SPACE] = space as u32;
        self.update_status();
    }

    /// The host put `n` TLS bytes at `word::INPUT_PTR`.
    pub fn receive(&mut self, n: usize, now: f64) {
        clock::set_now(now);
        self.input.received(n);
        self.run();
    }

    pub(crate) fn run(&mut self) {
        let needed = match self.is_handshaking() {
            true => allocator::FOR_A_HANDSHAKE,
            false => allocator::FOR_TRAFFIC,
        };
        if !self.may_begin(needed) {
            return;
        }
        let advanced = self.advance();
        self.fresh.add(take_fresh());
        if let Err(error) = advanced.and_then(|()| self.check_held()) {
            self.fail(error);
        }
        if self.error.is_none() && !self.is_handshaking() && !self.wants_verify {
            core::mem::take(&mut self.fresh).remember();
        }
        self.input.release();
        self.update_status();
    }

    /// The host took `n` bytes of plaintext.
    pub fn take_plain(&mut self, n: usize) {
        self.input.take_plain(n);
        self.update_status();
    }

    /// Encrypts `n` bytes of the staging area into the output. Where the keys of TLS 1.2 are used
    /// up it encrypts nothing, and puts close_notify into the output.
    pub fn send(&mut self, n: usize) -> Result<(), JsValue> {
        if !self.may_begin(allocator::FOR_TRAFFIC) {
            return Err(EngineError::out_of_memory().into());
        }
        if !allocator::make_room(&mut self.output, n + records_of(n) * RECORD_OVERHEAD) {
            self.give_up();
            self.update_status();
            return Err(EngineError::out_of_memory().into());
        }
        let send = self.send.as_mut().ok_or_else(|| EngineError::misuse("cannot send now"))?;
        let sent = STAGING.with_borrow_mut(|staging| {
            let sent = send.write((&staging[..n]).into(), &mut self.output);
            staging[..n].fill(0);
            sent
        });
        let failed = match sent {
            Ok(()) => None,
            Err(Error::EncryptError) => {
                self.send = None;
                self.closed = true;
                Some(EngineError::keys_exhausted())
            }
            Err(error) => Some(error.into()),
        };
        self.update_status();
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Sends close_notify (RFC 8446 §6.1); receiving goes on. A second call does nothing.
    pub fn close(&mut self) -> Result<(), JsValue> {
        if let Some(send) = self.send.take() {
            send.close(&mut self.output).map_err(EngineError::from)?;
            self.closed = true;
        }
        self.update_status();
        Ok(())
    }

    /// Asks for new traffic keys in both directions (RFC 8446 §4.6.3); an error on TLS 1.2.
    pub fn update_keys(&mut self) -> Result<(), JsValue> {
        let send = self.send.as_mut().ok_or_else(|| EngineError::misuse("cannot send now"))?;
        send.refresh_traffic_keys(&mut self.output).map_err(EngineError::from)?;
        self.update_status();
        Ok(())
    }

    /// Moves the output to `word::TRANSMIT_PTR`, where it stays until `end_transmit()`.
    pub fn begin_transmit(&mut self) {
        assert!(self.transmit.is_empty(), "a transmission is under way");
        core::mem::swap(&mut self.transmit, &mut self.output);
        self.update_status();
    }

    pub fn end_transmit(&mut self) {
        self.transmit.clear();
        if self.transmit.capacity() > KEPT_OUTPUT {
            self.transmit = Vec::new();
        }
        if self.output.is_empty() {
            self.write_answer();
        }
        self.update_status();
    }

    /// The host's answer to `flag::WANTS_VERIFY`.
    pub fn verified(&mut self, accepted: bool, now: f64) {
        clock::set_now(now);
        if !core::mem::take(&mut self.wants_verify) {
            return;
        }
        let refused = || Error::from(CertificateError::ApplicationVerificationFailure);
        let output = &mut self.output;
        let next = match core::mem::replace(&mut self.handshake, Handshake::Over) {
            Handshake::Client(ClientHandshake::VerifyServerIdentity(verify)) => {
                let answer = match accepted {
                    true => verify.presented_identity().map(|p| assertion(p.identity)),
                    false => Err(refused()),
                };
                verify.continue_with(answer, output).map(Handshake::Client)
            }
            Handshake::Server(ServerHandshake::VerifyClientIdentity(verify)) => {
                let answer = match accepted {
                    true => verify.presented_identity().map(|p| assertion(p.identity)),
                    false => Err(refused()),
                };
                verify.continue_with(answer, output).map(Handshake::Server)
            }
            _ if accepted => Ok(Handshake::Over),
            _ => {
                self.send = None;
                output.clear();
                Err(refused())
            }
        };
        match next {
            Ok(next) => {
                self.handshake = next;
                self.process_again = true;
            }
            Err(error) => self.fail(error.into()),
        }
        self.run();
    }

    /// The chain that the peer presented, end entity first: each a length of 3 bytes and the DER.
    pub fn peer_certificates(&self) -> Vec<u8> {
        let identity = match (&self.handshake, &self.outputs) {
            (Handshake::Client(ClientHandshake::VerifyServerIdentity(verify)), _) => {
                verify.presented_identity().ok().map(|presented| presented.identity.clone())
            }
            (Handshake::Server(ServerHandshake::VerifyClientIdentity(verify)), _) => {
                verify.presented_identity().ok().map(|presented| presented.identity.clone())
            }
            (_, Some(outputs)) => {
                outputs.peer_identity().map(|verified| verified.identity().clone())
            }
            _ => None,
        };
        certificate::list(identity.as_ref())
    }

    /// The oldest session that was received and not polled, as `session.rs` has it.
    pub fn poll_session(&mut self) -> Option<Vec<u8>> {
        let state = match &self.sessions {
            Sessions::Client(store) => store.pop_received(),
            Sessions::Server(_) => None,
        };
        self.update_status();
        state
    }

    /// Early data received and not taken, on a server.
    pub fn take_early_data(&mut self) -> Vec<u8> {
        let early = core::mem::take(&mut self.early.received);
        self.update_status();
        early
    }

    /// How many bytes of early data went with the ClientHello, on a client.
    pub fn early_data_sent(&self) -> usize {
        self.early.sent
    }

    /// The oldest key log line not polled.
    pub fn poll_key_log(&mut self) -> Option<String> {
        let line = self.key_log.as_ref().and_then(|lines| lines.pop());
        self.update_status();
        line
    }

    /// The error behind `flag::FAILED`.
    pub fn error(&self) -> JsValue {
        self.error.clone().map_or(JsValue::UNDEFINED, JsValue::from)
    }

    /// Negotiated protocol version, 0 before it is known.
    pub fn protocol(&self) -> u16 {
        self.outputs.as_ref().and_then(|o| o.protocol_version()).map_or(0, |v| v.0)
    }

    pub fn cipher_suite(&self) -> u16 {
        self.outputs.as_ref().and_then(|o| o.negotiated_cipher_suite()).map_or(0, |s| s.suite().0)
    }

    /// Key exchange group, 0 where none took place (TLS 1.2 resumption).
    pub fn group(&self) -> u16 {
        let group = self.outputs.as_ref().and_then(|o| o.negotiated_key_exchange_group());
        group.map_or(0, |group| group.name().0)
    }

    pub fn alpn(&self) -> Option<Vec<u8>> {
        let alpn = self.outputs.as_ref().and_then(|o| o.alpn_protocol());
        alpn.map(|protocol| protocol.as_ref().to_vec())
    }
}
