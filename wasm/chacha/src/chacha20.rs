//! ChaCha20 (RFC 8439, section 2.4), four blocks at a time.
//!
//! Rules:
//! - There is no other way to make a block: what needs less takes four, so that there is one piece
//!   of code to get right.
//! - Sixteen times while the rounds run, other work gets a turn. A processor does it beside the
//!   vector instructions, which leave most of its scalar units idle.
//!
//! It knows nothing of tags; its counter is the caller's to keep from repeating.

use core::array::from_fn;

use zeroize::Zeroize;

use crate::lanes::Lanes;

/// Bytes of one block.
pub const BLOCK: usize = 64;
/// Bytes of the four blocks that are made at a time.
pub const CHUNK: usize = 4 * BLOCK;
/// How often other work gets a turn while a chunk is made.
pub(crate) const TURNS: usize = 16;

/// "expand 32-byte k", the first row of every block's input.
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// A key.
pub struct ChaCha20 {
    key: [u32; 8],
}

impl Drop for ChaCha20 {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// Four blocks of keystream in memory, for data that is no whole chunk.
pub struct Keystream([u64; CHUNK / 8]);

impl Drop for Keystream {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Four blocks of keystream in registers, each in four pieces of 16 bytes.
pub(crate) struct Blocks([[Lanes; 4]; 4]);

impl ChaCha20 {
    pub fn new(key: &[u8; 32]) -> Self {
        let (words, _) = key.as_chunks();
        Self { key: from_fn(|i| u32::from_le_bytes(words[i])) }
    }

    /// The four blocks from `counter` on.
    pub fn keystream(&self, nonce: &[u8; 12], counter: u32) -> Keystream {
        let Blocks(blocks) = self.blocks(nonce, counter, |_| ());
        let mut keystream = Keystream([0; CHUNK / 8]);
        let (pairs, _) = keystream.0.as_chunks_mut::<2>();
        for (pair, piece) in pairs.iter_mut().zip(blocks.as_flattened()) {
            let bytes = piece.to_bytes();
            let (halves, _) = bytes.as_chunks();
            *pair = [u64::from_le_bytes(halves[0]), u64::from_le_bytes(halves[1])];
        }
        keystream
    }

    /// The same in registers. `meanwhile` is called with the number of each turn, in order.
    #[inline(always)]
    pub(crate) fn blocks(
        &self,
        nonce: &[u8; 12],
        counter: u32,
        mut meanwhile: impl FnMut(usize),
    ) -> Blocks {
        let (nonce, _) = nonce.as_chunks::<4>();
        let constant = |i: usize| Lanes::splat(CONSTANTS[i]);
        let key = |i: usize| Lanes::splat(self.key[i]);
        let nonce = |i: usize| Lanes::splat(u32::from_le_bytes(nonce[i]));
        let counters = Lanes::splat(counter).add(Lanes::new([0, 1, 2, 3]));
        // Each word of all four blocks, block `j` in lane `j`. Written out: a loop over them would
        // leave the key on the stack.
        #[rustfmt::skip]
        let input = [
            constant(0), constant(1), constant(2), constant(3),
            key(0), key(1), key(2), key(3),
            key(4), key(5), key(6), key(7),
            counters, nonce(0), nonce(1), nonce(2),
        ];
        let mut x = input;
        for double_round in 0..TURNS / 2 {
            meanwhile(2 * double_round);
            column_round(&mut x);
            meanwhile(2 * double_round + 1);
            diagonal_round(&mut x);
        }
        for _ in TURNS / 2..10 {
            column_round(&mut x);
            diagonal_round(&mut x);
        }
        let row = |i: usize| Lanes::transpose(from_fn(|k| x[i + k].add(input[i + k])));
        let rows = [row(0), row(4), row(8), row(12)];
        Blocks(from_fn(|block| from_fn(|piece| rows[piece][block])))
    }
}

impl Blocks {
    #[inline(always)]
    pub(crate) fn apply(self, chunk: &mut [u8; CHUNK]) {
        let (data, _) = chunk.as_chunks_mut();
        for (data, piece) in data.iter_mut().zip(self.0.as_flattened()) {
            *data = Lanes::from_bytes(*data).xor(*piece).to_bytes();
        }
    }
}

impl Keystream {
    /// XORs the bytes from `from` on, a multiple of 8, into data that is no longer than they are.
    pub fn apply(&self, from: usize, data: &mut [u8]) {
        assert!(from.is_multiple_of(8) && data.len() <= CHUNK - from);
        let keystream = &self.0[from / 8..];
        let (words, rest) = data.as_chunks_mut();
        for (word, key) in words.iter_mut().zip(keystream) {
            *word = (u64::from_le_bytes(*word) ^ key).to_le_bytes();
        }
        if let Some(last) = keystream.get(words.len()) {
            for (byte, key) in rest.iter_mut().zip(last.to_le_bytes()) {
                *byte ^= key;
            }
        }
    }

    /// The first 32 bytes: Poly1305's one-time key where the counter was 0 (RFC 8439, section 2.6).
    pub(crate) fn one_time_key(&self) -> [u64; 4] {
        let [a, b, c, d, ..] = self.0;
        [a, b, c, d]
    }
}

#[inline(always)]
fn column_round(x: &mut [Lanes; 16]) {
    quarter_round(x, 0, 4, 8, 12);
    quarter_round(x, 1, 5, 9, 13);
    quarter_round(x, 2, 6, 10, 14);
    quarter_round(x, 3, 7, 11, 15);
}

#[inline(always)]
fn diagonal_round(x: &mut [Lanes; 16]) {
    quarter_round(x, 0, 5, 10, 15);
    quarter_round(x, 1, 6, 11, 12);
    quarter_round(x, 2, 7, 8, 13);
    quarter_round(x, 3, 4, 9, 14);
}

#[inline(always)]
fn quarter_round(x: &mut [Lanes; 16], a: usize, b: usize, c: usize, d: usize) {
    x[a] = x[a].add(x[b]);
    x[d] = x[d].xor(x[a]).rotate_left::<16>();
    x[c] = x[c].add(x[d]);
    x[b] = x[b].xor(x[c]).rotate_left::<12>();
    x[a] = x[a].add(x[b]);
    x[d] = x[d].xor(x[a]).rotate_left::<8>();
    x[c] = x[c].add(x[d]);
    x[b] = x[b].xor(x[c]).rotate_left::<7>();
}
