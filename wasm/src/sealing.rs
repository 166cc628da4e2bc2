//! Sealing, opening and looking into sessions for the host, which has the keys and the stores.

use wasm_bindgen::prelude::*;

use crate::certificate;
use crate::envelope::{self, Binding, Unopened, Unsealed};
use crate::error::EngineError;
use crate::server_session::{ServerSession, StateFields};

pub(crate) fn unopened(why: Unopened) -> JsValue {
    let reason = match why {
        Unopened::Version => "version",
        Unopened::WrongKey => "wrong_key",
        Unopened::Tampered => "tampered",
    };
    EngineError { code: "REASON", alert: None, message: reason.into() }.into()
}

/// Seals under the first key of a ring (`envelope.rs`): entries of 16 bytes of id and 32 of key.
#[wasm_bindgen]
pub fn seal(
    ring: &[u8],
    purpose: &str,
    fingerprint: &[u8],
    binding: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, JsValue> {
    envelope::seal(ring, &Binding { purpose, fingerprint, binding }, plain).map_err(|why| match why
    {
        Unsealed::NoKey => EngineError::misuse("there is no key to seal under").into(),
        Unsealed::NoRandomness => EngineError::random_failed().into(),
    })
}

/// Opens what `seal()` made. Throws the reason why it cannot, in the words of `sessionMiss`.
#[wasm_bindgen]
pub fn open(
    ring: &[u8],
    purpose: &str,
    fingerprint: &[u8],
    binding: &[u8],
    envelope: &[u8],
) -> Result<Vec<u8>, JsValue> {
    envelope::open(ring, &Binding { purpose, fingerprint, binding }, envelope).map_err(unopened)
}

/// The chain in an opened ServerSession, as `Connection::peer_certificates()` has it.
#[wasm_bindgen]
pub fn server_session_chain(session: &[u8]) -> Vec<u8> {
    let fields = ServerSession::decode(session).and_then(|s| StateFields::read(&s.state));
    certificate::list(fields.and_then(|fields| fields.identity).as_ref())
}

/// The application's data in an opened ServerSession.
#[wasm_bindgen]
pub fn server_session_data(session: &[u8]) -> Vec<u8> {
    ServerSession::decode(session).map(|session| session.data).unwrap_or_default()
}
