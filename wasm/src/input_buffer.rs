//! One connection's received bytes. The host writes TLS bytes at the end, rustls decrypts them in
//! place, and the plaintext is moved to the front, where the host copies it out once.
//!
//! ```text
//! | taken | plaintext | consumed | TLS bytes | space for the host |
//!         plain       plain_end  tls         tls_end
//! ```
//! Rules on memory:
//! - Nothing received and nothing expected: no memory. `release()` sees to that.
//! - Somebody waits for the peer: `WAITING` bytes, which is what a read under way works in.
//! - A record that is under way gets the room that its header asks for, and not more.
//! - Only where reads fill their space and nobody keeps plaintext waiting the buffer grows, up to
//!   `LARGEST`; with the first read that does not fill it, it is small again. A peer can stop in
//!   between, so only so many connections of an instance have a large buffer at a time.
//! - A large buffer that is given back stays with the instance, one of them, for the next who
//!   needs one.
//!
//! From `prepare()` to `received()` the space belongs to the host, whose read may be under way in
//! it: it neither moves nor is freed, whatever else is called.

use core::cell::{Cell, RefCell};

use rustls::TlsInputBuffer;

use crate::allocator;
use crate::record_boundaries::{HEADER, RecordBoundaries};

/// Holds a ClientHello with a post-quantum key share, and most flights of servers.
const WAITING: usize = 4 * 1024;
/// One read of the host carries up to 16 full records (RFC 8446 §5.2).
const LARGEST: usize = 264 * 1024;
/// A buffer above this is large: more than the largest record and a few small ones.
const LARGE: usize = 36 * 1024;
/// Connections of an instance that may have a large buffer for their speed.
const MOST_LARGE: usize = 64;
/// `prepare()` makes room for at least this much.
const LEAST_SPACE: usize = 512;
/// Sizes are multiples of this.
const STEP: usize = 1024;

thread_local! {
    /// Large, wiped, and nobody's.
    static SPARE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// Large buffers that connections have.
    static LARGE_ONES: Cell<usize> = const { Cell::new(0) };
}

#[derive(Default)]
pub(crate) struct InputBuffer {
    buf: Vec<u8>,
    plain: usize,
    plain_end: usize,
    tls: usize,
    tls_end: usize,
    /// Nothing was written beyond it since the buffer was taken.
    written_end: usize,
    /// The last read filled its space: more was waiting.
    filled: bool,
    /// The space is the host's.
    lent: bool,
    boundaries: RecordBoundaries,
}

impl InputBuffer {
    /// Makes room at the end; returns its place and size. `available`: how many bytes the host has
    /// for it already, 0 where it does not know. With `steady` the buffer does not grow for speed.
    /// A size of 0: plaintext has to be taken first; if there is none, memory is out.
    pub(crate) fn prepare(&mut self, available: usize, steady: bool) -> (usize, usize) {
        if !self.lent {
            if self.used() + LEAST_SPACE > LARGEST || !self.make_room(available, steady) {
                return (self.buf.as_ptr() as usize, 0);
            }
            self.lent = true;
        }
        (self.buf.as_ptr() as usize + self.tls_end, self.buf.len() - self.tls_end)
    }

    /// False: there is no memory for it.
    fn make_room(&mut self, available: usize, steady: bool) -> bool {
        let used = self.used();
        let no_plain = self.plain == self.plain_end;
        let record = match self.boundaries.begun() {
            // The header may be followed by anything: there is no more to be known yet.
            begun if begun < HEADER => LEAST_SPACE,
            _ => self.boundaries.missing().max(LEAST_SPACE),
        };
        let least = (used + record).clamp(WAITING, LARGEST).next_multiple_of(STEP);
        let wanted = match no_plain && !steady {
            true if self.filled => (self.buf.len() * 4).max(least),
            true => (used + available).max(least),
            false => least,
        };
        let may_be_large = self.is_large() || LARGE_ONES.get() < MOST_LARGE;
        let most = if may_be_large { LARGEST } else { LARGE };
        let wanted = wanted.min(most).max(least).next_multiple_of(STEP);
        let fits = self.buf.len() >= wanted && self.buf.len() <= 2 * wanted;
        if !fits && (self.exchange(wanted) || self.buf.len() < least && self.exchange(least)) {
            return true;
        }
        if self.buf.len() - self.tls_end < record {
            self.compact();
        }
        self.buf.len() >= least
    }

    /// Gives the buffer back if nothing is in it.
    pub(crate) fn release(&mut self) {
        let is_empty = self.plain == self.plain_end && self.tls == self.tls_end;
        if is_empty && !self.lent && !self.buf.is_empty() {
            self.give_back();
            (self.plain, self.plain_end, self.tls, self.tls_end) = (0, 0, 0, 0);
        }
    }

    /// Gives the buffer back with everything in it.
    pub(crate) fn clear(&mut self) {
        (self.plain, self.tls) = (self.plain_end, self.tls_end);
        self.filled = false;
        self.release();
    }

    /// Moves what is there into a buffer of another size. False: there is no memory for it.
    fn exchange(&mut self, size: usize) -> bool {
        let mut buf = SPARE.with_borrow_mut(|spare| match spare.len() {
            len if len >= size && len <= 2 * size => core::mem::take(spare),
            _ => Vec::new(),
        });
        if buf.is_empty() {
            let Some(zeros) = allocator::zeros(size) else { return false };
            buf = zeros;
        }
        let plain_len = self.plain_end - self.plain;
        let used = self.used();
        buf[..plain_len].copy_from_slice(&self.buf[self.plain..self.plain_end]);
        buf[plain_len..used].copy_from_slice(&self.buf[self.tls..self.tls_end]);
        self.give_back();
        self.buf = buf;
        if self.is_large() {
            LARGE_ONES.set(LARGE_ONES.get() + 1);
        }
        (self.plain, self.plain_end) = (0, plain_len);
        (self.tls, self.tls_end, self.written_end) = (plain_len, used, used);
        true
    }

    fn used(&self) -> usize {
        (self.plain_end - self.plain) + (self.tls_end - self.tls)
    }

    fn is_large(&self) -> bool {
        self.buf.len() > LARGE
    }

    /// Keeps a large buffer for the next who needs one; what is freed the allocator wipes.
    fn give_back(&mut self) {
        if self.is_large() {
            LARGE_ONES.set(LARGE_ONES.get() - 1);
        }
        let mut buf = core::mem::take(&mut self.buf);
        let written = core::mem::take(&mut self.written_end);
        SPARE.with_borrow_mut(|spare| {
            if buf.len() > spare.len() && buf.len() > WAITING {
                buf[..written].fill(0);
                *spare = buf;
            }
        });
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
        self.lent = false;
        self.boundaries.pass(&self.buf[self.tls_end..self.tls_end + n]);
        self.filled = n == space;
        self.tls_end += n;
        self.written_end = self.written_end.max(self.tls_end);
    }

    /// TLS bytes that are there and not dealt with: a record under way, and messages in parts.
    pub(crate) fn held(&self) -> usize {
        self.tls_end - self.tls
    }

    /// Makes the record under way one that rustls refuses, so that it makes the alert.
    pub(crate) fn spoil(&mut self) {
        const NO_RECORD: [u8; HEADER] = [0xff, 3, 3, 0, 1];
        let begun = self.boundaries.begun();
        let short = HEADER.saturating_sub(begun);
        if self.buf.len() - self.tls_end < short && !self.make_room(0, true) {
            return;
        }
        let start = self.tls_end - begun;
        self.tls_end += short;
        self.written_end = self.written_end.max(self.tls_end);
        self.buf[start..start + HEADER].copy_from_slice(&NO_RECORD);
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
        // Where reads fill their space, the next one is at hand: keep it.
        if !self.filled {
            self.release();
        }
    }

    pub(crate) fn has_tls(&self) -> bool {
        self.tls < self.tls_end
    }
}

impl Drop for InputBuffer {
    fn drop(&mut self) {
        self.lent = false;
        self.clear();
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
