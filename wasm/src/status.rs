//! The words through which the host sees a connection without a call: it reads them as a
//! `Uint32Array` at `Connection::status_ptr()`. `src/engine.ts` has the same list.

/// Indices into the status words.
pub(crate) mod word {
    pub(crate) const FLAGS: usize = 0;
    /// Where the host may put TLS bytes, after `prepare_input()`.
    pub(crate) const INPUT_PTR: usize = 1;
    pub(crate) const INPUT_SPACE: usize = 2;
    /// Decrypted bytes that the host has not taken.
    pub(crate) const PLAIN_PTR: usize = 3;
    pub(crate) const PLAIN_LEN: usize = 4;
    /// TLS bytes that wait for `begin_transmit()`.
    pub(crate) const OUTPUT_LEN: usize = 5;
    /// TLS bytes under transmission; they stay in place until `end_transmit()`.
    pub(crate) const TRANSMIT_PTR: usize = 6;
    pub(crate) const TRANSMIT_LEN: usize = 7;
    /// Sessions received and not yet polled.
    pub(crate) const SESSIONS: usize = 8;
    /// Key log lines not yet polled.
    pub(crate) const KEY_LOG: usize = 9;
    /// Early data received and not taken, on a server.
    pub(crate) const EARLY_LEN: usize = 10;
    pub(crate) const COUNT: usize = 11;
}

/// Bits of `word::FLAGS`.
pub(crate) mod flag {
    pub(crate) const HANDSHAKING: u32 = 1;
    /// The chain was verified; the host's own check must say `verified()` before more happens.
    pub(crate) const WANTS_VERIFY: u32 = 2;
    pub(crate) const RESUMED: u32 = 4;
    /// close_notify came: no more plaintext follows.
    pub(crate) const PEER_CLOSED: u32 = 8;
    pub(crate) const FAILED: u32 = 16;
    /// close_notify was sent: no more plaintext can be sent.
    pub(crate) const CLOSED: u32 = 32;
    /// The ClientHello is there; the host must say what is answered.
    pub(crate) const WANTS_CONFIG: u32 = 64;
    pub(crate) const EARLY_OFFERED: u32 = 128;
    pub(crate) const EARLY_ACCEPTED: u32 = 256;
}
