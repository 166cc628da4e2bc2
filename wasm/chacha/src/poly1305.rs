//! Poly1305 (RFC 8439, section 2.5), with scalar multiplications.
//!
//! Rules:
//! - 64-bit products of 32-bit limbs, one block after the other, and no vectors: wasm has no product
//!   of every other lane, so two or four blocks in vectors take 1.6 times as long (ADR 13).
//! - No branch and no index depends on key or data.
//!
//! What is in `h` between blocks is not reduced: five limbs in base 2^32, of which the first is less
//! than 2.25 * 2^32 + 15, the next three are less than 2 * 2^32 and the last is less than 4. With a
//! block added they are less than 3.25 * 2^32 + 15, 3 * 2^32 and at most 4. The limbs of `r` are less
//! than 2^28 and those of 5/4 * `r` less than 1.25 * 2^28, so no sum of products reaches
//! (3.25 + 3 * 3.75 + 0.1) * 2^60, which is less than 2^64.

use zeroize::Zeroize;

/// Bytes of a block and of a tag.
pub const BLOCK: usize = 16;

const LOW: u64 = 0xffff_ffff;

/// The computation under one key. Is wiped when dropped.
pub struct Poly1305 {
    pub(crate) state: State,
    /// Is added at the end, modulo 2^128.
    s: [u64; 2],
}

/// What each block goes through; a copy of it stays in registers while it is one variable.
#[derive(Clone, Copy)]
pub(crate) struct State {
    r: [u64; 4],
    h: [u64; 5],
}

impl Drop for Poly1305 {
    fn drop(&mut self) {
        self.state.r.zeroize();
        self.state.h.zeroize();
        self.s.zeroize();
    }
}

impl State {
    /// h = (h + block + high * 2^128) * r
    #[inline(always)]
    pub(crate) fn block(&mut self, block: &[u8; BLOCK], high: u64) {
        let (words, _) = block.as_chunks();
        let word = |i: usize| u64::from(u32::from_le_bytes(words[i]));
        let [r0, r1, r2, r3] = self.r;
        // What overflows 2^128 comes back times 5/4 (2^130 is 5). Clamping made the division exact,
        // but for r0, whose last two bits are multiplied for themselves.
        let (t0, t1, t2, t3) = ((r0 >> 2) * 5, (r1 >> 2) * 5, (r2 >> 2) * 5, (r3 >> 2) * 5);
        let h0 = self.h[0] + word(0);
        let h1 = self.h[1] + word(1);
        let h2 = self.h[2] + word(2);
        let h3 = self.h[3] + word(3);
        let h4 = self.h[4] + high;

        let x0 = (h0 * r0 + h1 * t3) + (h2 * t2 + h3 * t1) + h4 * t0;
        let x1 = (h0 * r1 + h1 * r0) + (h2 * t3 + h3 * t2) + h4 * t1;
        let x2 = (h0 * r2 + h1 * r1) + (h2 * r0 + h3 * t3) + h4 * t2;
        let x3 = (h0 * r3 + h1 * r2) + (h2 * r1 + h3 * r0) + h4 * t3;
        let x4 = h4 * (r0 & 3) + (x3 >> 32);

        // Each limb hands its upper half on once, all at the same time.
        self.h = [
            (x0 & LOW) + (x4 >> 2) * 5,
            (x1 & LOW) + (x0 >> 32),
            (x2 & LOW) + (x1 >> 32),
            (x3 & LOW) + (x2 >> 32),
            x4 & 3,
        ];
    }
}

impl Poly1305 {
    pub fn new(key: &[u8; 32]) -> Self {
        let (words, _) = key.as_chunks();
        Self::from_words(core::array::from_fn(|i| u64::from_le_bytes(words[i])))
    }

    pub(crate) fn from_words([r_low, r_high, s_low, s_high]: [u64; 4]) -> Self {
        let (low, high) = (r_low & 0x0fff_fffc_0fff_ffff, r_high & 0x0fff_fffc_0fff_fffc);
        let r = [low & LOW, low >> 32, high & LOW, high >> 32];
        Self { state: State { r, h: [0; 5] }, s: [s_low, s_high] }
    }

    /// Whole blocks, then zeros up to a whole block: so an AEAD takes each of its parts.
    pub fn padded(&mut self, data: &[u8]) {
        let (blocks, rest) = data.as_chunks();
        let mut state = self.state;
        for block in blocks {
            state.block(block, 1);
        }
        self.state = state;
        if !rest.is_empty() {
            let mut block = [0; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            self.state.block(&block, 1);
        }
    }

    /// A last block that is shorter than 16 bytes. An AEAD has none; RFC 8439's examples have.
    pub fn short(&mut self, data: &[u8]) {
        let mut block = [0; BLOCK];
        block[..data.len()].copy_from_slice(data);
        block[data.len()] = 1;
        self.state.block(&block, 0);
    }

    /// (h mod 2^130 - 5) + s, modulo 2^128.
    pub fn tag(self) -> [u8; BLOCK] {
        let mut h = self.state.h;
        carry(&mut h);
        // The last limb is at most 5 now, so h is less than 6 * 2^128, which is less than 2p: p is
        // subtracted once or not at all. h - p is h + 5 - 2^130; it counts if it is not negative.
        let mut g = h;
        g[0] += 5;
        carry(&mut g);
        let reaches_p = (g[4] >> 2).wrapping_neg();
        let word = |i: usize| (h[i] & !reaches_p) | (g[i] & reaches_p);
        let low = u128::from(word(0) | word(1) << 32);
        let high = u128::from(word(2) | word(3) << 32);
        let s = u128::from(self.s[0]) | u128::from(self.s[1]) << 64;
        let tag = (low | high << 64).wrapping_add(s).to_le_bytes();
        h.zeroize();
        g.zeroize();
        tag
    }
}

/// Makes each limb but the last less than 2^32.
fn carry(h: &mut [u64; 5]) {
    for i in 0..4 {
        h[i + 1] += h[i] >> 32;
        h[i] &= LOW;
    }
}
