//! The steps of a handshake, on either side: what rustls wants next, until it is complete or waits
//! for the peer, for the host's configuration or for the host's word on the peer's chain.
//!
//! It knows nothing of the boundary, and of traffic only that it follows.

use std::sync::Arc;

use rustls::client::ClientHandshake;
use rustls::client::danger::ServerVerifier;
use rustls::crypto::VerifiedIdentity;
use rustls::server::danger::ClientVerifier;
use rustls::server::{ServerHandshake, ServerSide};
use rustls::split::SplitConnection;
use rustls::{Tcp, TlsInputBuffer};

use crate::engine::{Connection, Receive};
use crate::error::EngineError;
use crate::server::ServerHello;
use crate::verify::{ChainVerifier, ClientChainVerifier};

/// The alert of RFC 8446 §6.2.
const UNEXPECTED_MESSAGE: u8 = 10;

pub(crate) enum Handshake {
    Client(ClientHandshake),
    /// A server's, before the host has chosen what it answers with.
    Hello(ServerHello),
    Server(ServerHandshake),
    /// A server's that may accept early data, which only this form of a connection hands out.
    EarlyData(Box<rustls::Connection<ServerSide, Tcp>>),
    Over,
}

/// Who verifies a chain before the host is asked about it.
pub(crate) enum Ask {
    Nobody,
    Server(Arc<ChainVerifier>),
    Client(Arc<ClientChainVerifier>),
}

impl Connection {
    pub(crate) fn advance(&mut self) -> Result<(), EngineError> {
        let mut process = self.input.has_tls() | core::mem::take(&mut self.process_again);
        while process && !self.wants_verify {
            process = match core::mem::replace(&mut self.handshake, Handshake::Over) {
                Handshake::Client(handshake) => self.advance_client(handshake)?,
                Handshake::Hello(hello) => self.advance_hello(hello),
                Handshake::Server(handshake) => self.advance_server(handshake)?,
                Handshake::EarlyData(connection) => self.advance_early_data(connection)?,
                Handshake::Over => break,
            };
        }
        match self.wants_verify {
            true => Ok(()),
            false => self.advance_traffic(),
        }
    }

    /// One step; true if another may follow without more input.
    fn advance_client(&mut self, handshake: ClientHandshake) -> Result<bool, EngineError> {
        let next = match handshake {
            ClientHandshake::NeedsInput(needs) => {
                let next = needs.process(&mut self.input, &mut self.output)?;
                if let ClientHandshake::NeedsInput(_) = next {
                    self.handshake = Handshake::Client(next);
                    return Ok(false);
                }
                next
            }
            ClientHandshake::VerifyServerIdentity(verify) => {
                let Ask::Server(verifier) = &self.ask else {
                    self.handshake = Handshake::Client(verify.with_config(&mut self.output)?);
                    return Ok(true);
                };
                let checked = verify.presented_identity().and_then(|presented| {
                    verifier.verify_identity(&presented).map(VerifiedIdentity::into_owned)
                });
                if let Err(error) = checked {
                    verify.continue_with(Err(error), &mut self.output)?;
                    return Ok(false);
                }
                self.wants_verify = true;
                ClientHandshake::VerifyServerIdentity(verify)
            }
            ClientHandshake::Complete(split) => {
                let SplitConnection { send, receive, outputs, side_outputs } = split;
                self.send = Some(send);
                self.receive = Receive::Client(receive);
                self.outputs = Some(outputs);
                self.early.accepted = side_outputs.is_early_data_accepted();
                return Ok(false);
            }
            _ => return Err(EngineError::misuse("unknown handshake state")),
        };
        self.handshake = Handshake::Client(next);
        Ok(true)
    }

    /// Waits until the ClientHello is there; then the host chooses the configuration.
    fn advance_hello(&mut self, mut hello: ServerHello) -> bool {
        hello.parse(self.input.slice_mut());
        self.handshake = Handshake::Hello(hello);
        false
    }

    fn advance_server(&mut self, handshake: ServerHandshake) -> Result<bool, EngineError> {
        let next = match handshake {
            ServerHandshake::NeedsInput(needs) => {
                let next = needs.process(&mut self.input, &mut self.output)?;
                if let ServerHandshake::NeedsInput(_) = next {
                    self.handshake = Handshake::Server(next);
                    return Ok(false);
                }
                next
            }
            ServerHandshake::VerifyClientIdentity(verify) => {
                let Ask::Client(verifier) = &self.ask else {
                    self.handshake = Handshake::Server(verify.with_config(&mut self.output)?);
                    return Ok(true);
                };
                let checked = verify.presented_identity().and_then(|presented| {
                    verifier.verify_identity(&presented).map(VerifiedIdentity::into_owned)
                });
                if let Err(error) = checked {
                    verify.continue_with(Err(error), &mut self.output)?;
                    return Ok(false);
                }
                self.wants_verify = true;
                ServerHandshake::VerifyClientIdentity(verify)
            }
            ServerHandshake::Complete(split) => {
                self.complete_server(split);
                return Ok(false);
            }
            // The host has answered what came before it, such as a warning: it knows nothing of
            // this hello.
            ServerHandshake::Accepted(_) => {
                self.refuse_with(UNEXPECTED_MESSAGE);
                return Err(EngineError {
                    code: "ERR_TLS_PEER_MISBEHAVED",
                    alert: Some(UNEXPECTED_MESSAGE),
                    message: "the client sent something else before its ClientHello".into(),
                });
            }
            _ => return Err(EngineError::misuse("unknown handshake state")),
        };
        self.handshake = Handshake::Server(next);
        Ok(true)
    }

    fn complete_server(&mut self, split: SplitConnection<ServerSide>) {
        self.send = Some(split.send);
        self.receive = Receive::Server(split.receive);
        self.outputs = Some(split.outputs);
    }

    fn advance_early_data(
        &mut self,
        mut connection: Box<rustls::Connection<ServerSide, Tcp>>,
    ) -> Result<bool, EngineError> {
        let mut messages = connection.read_tls(&mut self.input, &mut self.output);
        while let Some(early) = messages.next_early_data() {
            self.early.received.extend_from_slice(early?.bytes());
        }
        drop(messages);
        self.early.accepted |= connection.early_exporter().is_ok();
        if connection.is_handshaking() {
            self.handshake = Handshake::EarlyData(connection);
            return Ok(false);
        }
        let split = connection.split()?;
        // The chain of a client that did not resume after all: this form of a connection verified
        // it, and the host is asked before anything goes out or in.
        let asked = matches!(self.ask, Ask::Client(_)) && split.outputs.peer_identity().is_some();
        self.complete_server(split);
        self.wants_verify = asked && !self.resumed();
        Ok(false)
    }
}
