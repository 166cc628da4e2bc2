//! AES-128-GCM and AES-256-GCM (NIST SP 800-38D) with nonces of 96 bits and tags of 128.
//!
//! Rules:
//! - Constant time: nothing branches on, or is addressed by, a key, plaintext or a tag.
//! - In place, without allocation. `open` decrypts after the tag was found to be right.
//! - Keys and what is derived from them are wiped when they are dropped.
//!
//! It does not know records, and does not see to it that a nonce is used once.

#![cfg_attr(not(test), no_std)]
#![warn(clippy::all, clippy::undocumented_unsafe_blocks, unreachable_pub)]

extern crate alloc;

mod aes;
mod ghash;
mod v128;

use alloc::boxed::Box;

use aes::{Aes, BLOCK, Counter, LANES};
use ghash::Ghash;
use v128::{V128, wipe};
use zeroize::Zeroize;

/// The length of a nonce, in bytes.
pub const NONCE: usize = 12;
/// The length of a tag, in bytes.
pub const TAG: usize = 16;

/// The longest message under one nonce, in bytes: the counter has 32 bits.
const MAX: u64 = (1 << 36) - 32;

/// A key with all that is derived from it: 4 KiB.
pub struct AesGcm {
    aes: Aes,
    ghash: Ghash,
}

/// The tag is not that of the ciphertext, the additional data and the nonce under this key.
#[derive(Debug, PartialEq, Eq)]
pub struct Forged;

/// The bytes of one turn of the key stream.
const TURN: usize = BLOCK * LANES;

impl AesGcm {
    /// Takes a key of 16 or 32 bytes. It is made where it stays: what moves leaves a copy behind.
    ///
    /// # Panics
    ///
    /// On any other length.
    pub fn new(key: &[u8]) -> Box<Self> {
        assert!(matches!(key.len(), 16 | 32));
        let mut this = Box::new(Self { aes: Aes::blank(), ghash: Ghash::blank() });
        this.aes.set(key);
        let mut h = this.aes.encrypt_block(&[0; BLOCK]);
        this.ghash.set_key(&h);
        h.zeroize();
        this
    }

    /// Encrypts in place and returns the tag.
    ///
    /// # Panics
    ///
    /// Here and in [`open`](Self::open) if the data is longer than 64 GiB less 32 bytes.
    pub fn seal(&self, nonce: &[u8; NONCE], aad: &[u8], data: &mut [u8]) -> [u8; TAG] {
        let stream = Stream::new(&self.aes, nonce);
        stream.apply(data);
        self.tag(&stream, aad, data)
    }

    /// Decrypts in place if the tag is right, and otherwise leaves the ciphertext as it is.
    pub fn open(
        &self,
        nonce: &[u8; NONCE],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; TAG],
    ) -> Result<(), Forged> {
        let stream = Stream::new(&self.aes, nonce);
        let mut expected = self.tag(&stream, aad, data);
        let difference = expected.iter().zip(tag).fold(0, |sum, (a, b)| sum | (a ^ b));
        // The tag that would have been right is nobody's to know.
        expected.zeroize();
        if core::hint::black_box(difference) != 0 {
            return Err(Forged);
        }
        stream.apply(data);
        Ok(())
    }

    fn tag(&self, stream: &Stream<'_>, aad: &[u8], ciphertext: &[u8]) -> [u8; TAG] {
        let mut sum = self.ghash.update(V128::splat(0), aad);
        sum = self.ghash.update(sum, ciphertext);
        let mut lengths = [0; BLOCK];
        lengths[..8].copy_from_slice(&(8 * aad.len() as u64).to_be_bytes());
        lengths[8..].copy_from_slice(&(8 * ciphertext.len() as u64).to_be_bytes());
        self.ghash.update(sum, &lengths).xor(stream.first[1]).to_bytes()
    }
}

/// The key stream under one nonce. Counter 0 is not used, 1 masks the tag, data starts at 2.
struct Stream<'a> {
    aes: &'a Aes,
    counter: Counter,
    first: [V128; LANES],
}

impl<'a> Stream<'a> {
    fn new(aes: &'a Aes, nonce: &[u8; NONCE]) -> Self {
        let counter = aes.counter(nonce);
        let first = aes.key_stream(&counter, 0);
        Self { aes, counter, first }
    }

    fn apply(&self, data: &mut [u8]) {
        assert!(data.len() as u64 <= MAX);
        let (head, rest) = data.split_at_mut(data.len().min(TURN - 2 * BLOCK));
        add(&self.first[2..], head);
        let mut counter = 0;
        for turn in rest.chunks_mut(TURN) {
            counter += LANES as u32;
            add(&self.aes.key_stream(&self.counter, counter), turn);
        }
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        wipe(&mut self.first);
    }
}

#[inline(always)]
fn add(stream: &[V128], data: &mut [u8]) {
    let (blocks, rest) = data.as_chunks_mut::<BLOCK>();
    for (block, stream) in blocks.iter_mut().zip(stream) {
        *block = V128::from_bytes(block).xor(*stream).to_bytes();
    }
    if !rest.is_empty() {
        for (byte, stream) in rest.iter_mut().zip(stream[blocks.len()].to_bytes()) {
            *byte ^= stream;
        }
    }
}
