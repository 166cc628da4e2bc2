//! One connection's received bytes. The host writes TLS bytes at the end, rustls decrypts them in
//! place, and the plaintext is moved to the front, where the host copies it out once.
//!
//! ```text
//! | taken | plaintext | consumed | TLS bytes | space for the host |
//!         plain       plain_end  tls         tls_end
//! ```
//! Nothing moves except in `prepare()` and `push_plain()`; the host has no read under way into
//! the space then. The size is bounded: a full buffer is back-pressure, not an error.

use rustls::TlsInputBuffer;

/// Holds one full record (RFC 8446 §5.2: 5 + 2^14 + 256) and a little more.
const INITIAL_SIZE: usize = 18 * 1024;
/// Holds the largest handshake message that rustls takes (64 KiB) in small records, and makes
/// one read of the host carry up to 16 full records.
const MAX_SIZE: usize = 264 * 1024;
/// After this many small reads in a row a connection gives its large buffer back.
const SMALL_READS: u8 = 16;
/// `prepare()` makes room for at least this much where the bound allows.
const WANTED_SPACE: usize = 17 * 1024;

#[derive(Default)]
pub(crate) struct InputBuffer {
    buf: Vec<u8>,
    plain: usize,
    plain_end: usize,
    tls: usize,
    tls_end: usize,
    grow: bool,
    /// Reads in a row that would have fitted the initial size.
    small_reads: u8,
}

impl InputBuffer {
    /// Makes room at the end; returns its place and size. A size of 0: take plaintext first.
    pub(crate) fn prepare(&mut self) -> (usize, usize) {
        if self.plain == self.plain_end {
            self.plain = 0;
            self.plain_end = 0;
        }
        if self.tls == self.tls_end {
            self.tls = self.plain_end;
            self.tls_end = self.plain_end;
        }
        let idle = self.tls_end == 0 && self.small_reads == SMALL_READS;
        if self.buf.is_empty() || (idle && self.buf.len() > INITIAL_SIZE) {
            self.buf = vec![0; INITIAL_SIZE];
        }
        if self.buf.len() - self.tls_end < WANTED_SPACE || self.grow {
            self.compact();
        }
        let used = self.tls_end;
        if (self.buf.len() - used < WANTED_SPACE || self.grow) && self.buf.len() < MAX_SIZE {
            let size = (self.buf.len() * 4).max(used + WANTED_SPACE).min(MAX_SIZE);
            let mut larger = vec![0; size];
            larger[..used].copy_from_slice(&self.buf[..used]);
            self.buf = larger;
        }
        self.grow = false;
        (self.buf.as_ptr() as usize + self.tls_end, self.buf.len() - self.tls_end)
    }

    fn compact(&mut self) {
        let plain_len = self.plain_end - self.plain;
        self.buf.copy_within(self.plain..self.plain_end, 0);
        self.buf.copy_within(self.tls..self.tls_end, plain_len);
        self.tls_end = plain_len + (self.tls_end - self.tls);
        self.tls = plain_len;
        self.plain = 0;
        self.plain_end = plain_len;
    }

    /// The host put `n` bytes into the space.
    pub(crate) fn received(&mut self, n: usize) {
        let space = self.buf.len() - self.tls_end;
        assert!(n <= space, "more bytes than the space holds");
        // A read that fills the space means that more is waiting: larger reads are cheaper.
        self.grow = n == space;
        self.small_reads =
            if n < INITIAL_SIZE / 2 { (self.small_reads + 1).min(SMALL_READS) } else { 0 };
        self.tls_end += n;
    }

    /// Where `data`, a part of this buffer, starts.
    pub(crate) fn base(&self) -> usize {
        self.buf.as_ptr() as usize
    }

    /// Moves decrypted bytes behind the plaintext that is there. They lie behind it already.
    pub(crate) fn push_plain(&mut self, start: usize, len: usize) {
        if self.plain == self.plain_end {
            // Nothing to join: leave the bytes where they are.
            self.plain = start;
            self.plain_end = start + len;
            return;
        }
        self.buf.copy_within(start..start + len, self.plain_end);
        self.plain_end += len;
    }

    pub(crate) fn plain(&self) -> (usize, usize) {
        (self.base() + self.plain, self.plain_end - self.plain)
    }

    pub(crate) fn take_plain(&mut self, n: usize) {
        assert!(n <= self.plain_end - self.plain, "more plaintext than there is");
        self.plain += n;
    }

    pub(crate) fn has_tls(&self) -> bool {
        self.tls < self.tls_end
    }
}

impl TlsInputBuffer for InputBuffer {
    fn slice_mut(&mut self) -> &mut [u8] {
        &mut self.buf[self.tls..self.tls_end]
    }

    fn discard(&mut self, n: usize) {
        self.tls += n;
    }

    fn received_close_notify(&mut self) {}

    fn has_seen_eof(&self) -> bool {
        false
    }
}
