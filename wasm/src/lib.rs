//! The engine: TLS 1.2 and 1.3 without I/O, behind WebAssembly.
//!
//! Rules of the boundary:
//! - The host calls in; the engine never calls out, except for random bytes.
//! - Time is an argument (seconds since 1970-01-01T00:00:00Z) of every call that may need it.
//! - Bytes do not cross as arguments where it matters: the host reads and writes wasm memory at
//!   the places named in a connection's status words (`status.rs`).
//! - An error crosses as one string, `CODE NUL alert NUL message` (`error.rs`).
//! - A panic aborts the instance: the host must drop it and every connection in it.
//!
//! This crate knows nothing of sockets, promises, stores or the format in which sessions are kept.

#![cfg_attr(reprise_exhaustive, feature(non_exhaustive_omitted_patterns_lint))]
#![warn(clippy::all, unreachable_pub)]

mod allocator;
mod certificate;
mod client;
mod client_hello;
mod clock;
mod credentials;
mod crl;
mod der;
mod engine;
mod envelope;
mod error;
mod handshake;
mod input_buffer;
mod key_log;
mod one_shot_store;
mod provider;
mod record_boundaries;
mod sealing;
mod server;
mod server_connection;
mod server_credentials;
mod server_session;
mod session;
mod sort;
mod status;
mod traffic;
mod verify;

pub use client::{ClientContext, ClientOptions};
pub use engine::{Connection, not_after, staging_ptr, staging_size};
pub use sealing::{open, seal, server_session_chain, server_session_data};
pub use server::{ServerContext, ServerOptions};
pub use server_credentials::ServerCredentials;

use wasm_bindgen::prelude::*;

/// Version of the boundary; the host refuses a wasm file that speaks another.
#[wasm_bindgen]
pub fn boundary_version() -> u32 {
    2
}

/// The end of the stack, which grows down from there. Nothing on it is alive while the host runs,
/// but what functions left there is: the host wipes it (`EngineInstance.wipeStack()`).
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen]
pub fn stack_end() -> usize {
    unsafe extern "C" {
        /// Defined by the linker.
        static __stack_high: u8;
    }
    &raw const __stack_high as usize
}

/// Stops the instance as a bug would. For tests of what the host does then.
#[wasm_bindgen]
pub fn panic_for_test() {
    panic!("panic_for_test");
}
