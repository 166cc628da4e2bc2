//! ChaCha20-Poly1305 (RFC 8439), in place, made for wasm's vectors.
//!
//! Rules:
//! - Constant time: no branch and no index depends on a key or on data, only on lengths.
//! - One pass: each chunk is read by Poly1305 while ChaCha20 makes the keystream for it (or, when
//!   sealing, for the one after it).
//! - So opening decrypts before the tag is known. Nothing can see it: the caller's slice is borrowed
//!   until `open` returns, and if the tag is wrong the slice is zeros by then.
//! - No allocation. Keys, the one-time key and keystream are wiped when dropped; what only ever was
//!   in registers is not (a wasm engine keeps those outside of wasm memory).
//!
//! It knows nothing of TLS. Nonces are the caller's to keep from repeating.

#![no_std]
#![warn(clippy::all, unreachable_pub, unsafe_op_in_unsafe_fn)]

pub mod chacha20;
mod lanes;
pub mod poly1305;

use zeroize::Zeroize;

use chacha20::{BLOCK, CHUNK, ChaCha20};
use poly1305::Poly1305;

/// Bytes of a tag.
pub const TAG: usize = poly1305::BLOCK;
/// What of a message is encrypted with the blocks made beside the one-time key.
const FIRST: usize = CHUNK - BLOCK;
/// The counter of the first block after these.
const NEXT: u32 = (CHUNK / BLOCK) as u32;

/// A key for many messages, each under a nonce of its own.
pub struct ChaCha20Poly1305(ChaCha20);

/// The tag is another one: of another key, nonce, additional data or message.
#[derive(Debug, PartialEq, Eq)]
pub struct Tampered;

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Seal,
    Open,
}

impl ChaCha20Poly1305 {
    pub fn new(key: &[u8; 32]) -> Self {
        Self(ChaCha20::new(key))
    }

    /// Encrypts in place and returns the tag.
    pub fn seal(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8]) -> [u8; TAG] {
        self.run(nonce, aad, data, Direction::Seal)
    }

    /// Decrypts in place. If the tag is wrong, `data` is zeros.
    pub fn open(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; TAG],
    ) -> Result<(), Tampered> {
        let mut expected = self.run(nonce, aad, data, Direction::Open);
        let mut difference = 0;
        for (a, b) in expected.iter().zip(tag) {
            difference |= a ^ b;
        }
        // The tag that would have been right is nobody's to know.
        expected.zeroize();
        // Keeps the compiler from comparing byte by byte.
        if core::hint::black_box(difference) == 0 {
            return Ok(());
        }
        data.fill(0);
        Err(Tampered)
    }

    /// The tag is over the ciphertext: before it is decrypted, or after it was encrypted.
    fn run(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        data: &mut [u8],
        direction: Direction,
    ) -> [u8; TAG] {
        // RFC 8439, section 2.8: the counter must not wrap.
        assert!(data.len() as u64 / BLOCK as u64 <= u64::from(u32::MAX - NEXT));
        let aad_len = aad.len() as u64;
        let data_len = data.len() as u64;
        let (first, rest) = data.split_at_mut(data.len().min(FIRST));

        let keystream = self.0.keystream(nonce, 0);
        let mut mac = Poly1305::from_words(keystream.one_time_key());
        mac.padded(aad);
        around(&mut mac, first, direction, |first| keystream.apply(BLOCK, first));

        let (chunks, last) = rest.as_chunks_mut();
        self.chunks(nonce, &mut mac, chunks, direction);
        if !last.is_empty() {
            let counter = NEXT + NEXT * chunks.len() as u32;
            let keystream = self.0.keystream(nonce, counter);
            around(&mut mac, last, direction, |last| keystream.apply(0, last));
        }

        let mut lengths = [0; 16];
        lengths[..8].copy_from_slice(&aad_len.to_le_bytes());
        lengths[8..].copy_from_slice(&data_len.to_le_bytes());
        mac.padded(&lengths);
        mac.tag()
    }

    /// The one loop in which a long message spends its time.
    fn chunks(
        &self,
        nonce: &[u8; 12],
        mac: &mut Poly1305,
        chunks: &mut [[u8; CHUNK]],
        direction: Direction,
    ) {
        if chunks.is_empty() {
            return;
        }
        // Sealing, Poly1305 is one chunk behind ChaCha20: it needs the ciphertext.
        let behind = match direction {
            Direction::Seal => {
                self.0.keystream(nonce, NEXT).apply(0, &mut chunks[0]);
                1
            }
            Direction::Open => 0,
        };
        let mut state = mac.state;
        for i in behind..chunks.len() {
            let (ciphertext, _) = chunks[i - behind].as_chunks();
            let counter = NEXT + NEXT * i as u32;
            let blocks = self.0.blocks(nonce, counter, |turn| state.block(&ciphertext[turn], 1));
            blocks.apply(&mut chunks[i]);
        }
        mac.state = state;
        if direction == Direction::Seal {
            mac.padded(&chunks[chunks.len() - 1]);
        }
    }
}

/// Lets Poly1305 read the ciphertext, on whichever side of `apply` it is.
fn around(
    mac: &mut Poly1305,
    data: &mut [u8],
    direction: Direction,
    apply: impl FnOnce(&mut [u8]),
) {
    match direction {
        Direction::Seal => {
            apply(data);
            mac.padded(data);
        }
        Direction::Open => {
            mac.padded(data);
            apply(data);
        }
    }
}
