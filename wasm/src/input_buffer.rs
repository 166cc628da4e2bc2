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
const MOST_LARGE: usize = 16;
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
        // Whoever may not have a large one does not get it here either.
        let most = if size > LARGE { 2 * size } else { LARGE.min(2 * size) };
        let mut buf = SPARE.with_borrow_mut(|spare| match (size..=most).contains(&spare.len()) {
            true => core::mem::take(spare),
            false => Vec::new(),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// One record of so many bytes.
    fn record(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; HEADER + length];
        bytes[..3].copy_from_slice(&[23, 3, 3]);
        bytes[3..HEADER].copy_from_slice(&(length as u16).to_be_bytes());
        bytes
    }

    /// Puts bytes into the buffer as a host does whose reads fill their space; what it took.
    fn read(buffer: &mut InputBuffer, bytes: &[u8]) -> usize {
        let (_, space) = buffer.prepare(0, false);
        let n = space.min(bytes.len());
        let end = buffer.tls_end;
        buffer.buf[end..end + n].copy_from_slice(&bytes[..n]);
        buffer.received(n);
        n
    }

    /// Takes every whole record for plaintext, as rustls would.
    fn decrypt(buffer: &mut InputBuffer) {
        loop {
            let tls = &buffer.buf[buffer.tls..buffer.tls_end];
            let Some(header) = tls.get(..HEADER) else { break };
            let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
            if tls.len() < HEADER + length {
                break;
            }
            let start = buffer.tls + HEADER;
            buffer.discard(HEADER + length);
            buffer.push_plain(start, length);
        }
    }

    fn take_all(buffer: &mut InputBuffer) {
        let (_, len) = buffer.plain();
        buffer.take_plain(len);
    }

    /// Has a buffer read so many times, taking all plaintext before each.
    fn read_on(buffer: &mut InputBuffer, stream: &[u8], at: &mut usize, times: usize) {
        for _ in 0..times {
            take_all(buffer);
            *at += read(buffer, &stream[*at..]);
            decrypt(buffer);
        }
    }

    #[test]
    fn so_many_buffers_are_large_and_no_more() {
        let stream: Vec<u8> = (0..60).flat_map(|_| record(16_640)).collect();
        // In turn, and each to its end before the next.
        for (rounds, times) in [(5, 1), (1, 5)] {
            let mut buffers: Vec<InputBuffer> = (0..300).map(|_| InputBuffer::default()).collect();
            let mut at = vec![0; buffers.len()];
            for _ in 0..rounds {
                for (buffer, at) in buffers.iter_mut().zip(&mut at) {
                    read_on(buffer, &stream, at, times);
                }
            }
            let large = buffers.iter().filter(|buffer| buffer.is_large()).count();
            assert_eq!(large, MOST_LARGE);
            drop(buffers);
            assert_eq!(LARGE_ONES.get(), 0);
        }
    }

    #[test]
    fn an_empty_buffer_has_no_memory() {
        let mut buffer = InputBuffer::default();
        read(&mut buffer, &record(100));
        decrypt(&mut buffer);
        assert_eq!(buffer.buf.len(), WAITING);
        take_all(&mut buffer);
        assert_eq!(buffer.buf.len(), 0);
    }

    #[test]
    fn a_record_gets_the_room_that_its_header_asks_for() {
        let mut buffer = InputBuffer::default();
        let record = record(16_640);
        let mut at = read(&mut buffer, &record[..HEADER]);
        while at < record.len() {
            at += read(&mut buffer, &record[at..at + 100.min(record.len() - at)]);
        }
        decrypt(&mut buffer);
        assert_eq!(buffer.plain().1, 16_640);
        assert!(buffer.buf.len() <= 18 * 1024);
    }

    #[test]
    fn what_is_lent_stays_where_it_is() {
        let mut buffer = InputBuffer::default();
        let lent = buffer.prepare(0, false);
        buffer.release();
        buffer.clear();
        assert_eq!(buffer.prepare(100_000, false), lent);
        buffer.received(0);
        buffer.release();
        assert_eq!(buffer.buf.len(), 0);
    }

    #[test]
    fn no_more_room_is_made_than_a_buffer_may_have() {
        let mut buffer = InputBuffer::default();
        let stream: Vec<u8> = (0..60).flat_map(|_| record(16_640)).collect();
        let mut at = 0;
        loop {
            let n = read(&mut buffer, &stream[at..]);
            if n == 0 {
                break;
            }
            at += n;
            decrypt(&mut buffer);
        }
        assert!(buffer.buf.len() <= LARGEST && buffer.used() > LARGEST - 2 * LEAST_SPACE);
    }
}
