//! AES in counter mode, eight blocks at once, without tables (FIPS 197).
//!
//! - Bitsliced: vector `i` holds bit `i` of all bytes of the state; bit `j` of each byte of it
//!   belongs to block `j`. The S-box is a circuit of 113 gates, over 128 bytes at once.
//! - By rows: byte `4 * row + column` of a vector is the state's byte `4 * column + row`, so that
//!   MixColumns looks at the rows below by moving words of 32 bits.
//! - Fixsliced: ShiftRows moves nothing. After `n` rounds row `r` lies `n * r` columns further
//!   (mod 4), which round keys and MixColumns take into account.
//!
//! Time depends on the number of rounds and blocks alone.

use zeroize::Zeroize;

use crate::v128::{V128, permute, wipe};

pub(crate) const BLOCK: usize = 16;
/// Blocks of one turn.
pub(crate) const LANES: usize = 8;

/// Eight bits of all bytes of eight blocks.
type Slices = [V128; 8];

/// The key schedule, bitsliced: for each round eight vectors, the same for all blocks.
pub(crate) struct Aes {
    keys: [[[u8; 16]; 8]; 15],
    rounds: usize,
}

/// What the counter blocks under one nonce have in common, in slices, with the first round key.
pub(crate) struct Counter(Slices);

impl Aes {
    /// Of no use before `set()`.
    pub(crate) const fn blank() -> Self {
        Self { keys: [[[0; 16]; 8]; 15], rounds: 0 }
    }

    /// Expands a key of 16 or 32 bytes.
    pub(crate) fn set(&mut self, key: &[u8]) {
        let words = key.len() / 4;
        let rounds = words + 6;
        let mut expanded = [[0; 4]; 60];
        for (word, bytes) in expanded.iter_mut().zip(key.chunks_exact(4)) {
            word.copy_from_slice(bytes);
        }
        let mut constant = 1;
        for at in words..4 * (rounds + 1) {
            let mut word = expanded[at - 1];
            if at % words == 0 {
                word.rotate_left(1);
                word = substitute_word(word);
                word[0] ^= constant;
                constant = constant << 1 ^ if constant & 0x80 == 0 { 0 } else { 0x1b };
            } else if words > 6 && at % words == 4 {
                word = substitute_word(word);
            }
            for (byte, earlier) in word.iter_mut().zip(expanded[at - words]) {
                *byte ^= earlier;
            }
            expanded[at] = word;
        }

        self.rounds = rounds;
        for (round, sliced) in self.keys.iter_mut().take(rounds + 1).enumerate() {
            let words = &expanded[4 * round..][..4];
            // The constant that the circuit leaves out of the S-box; MixColumns keeps it.
            let constant = if round == 0 { 0 } else { 0x63 };
            let mut laid = [0; 16];
            for (at, byte) in laid.iter_mut().enumerate() {
                let (row, column) = (at / 4, at % 4);
                *byte = words[column.wrapping_sub(round * row) % 4][row] ^ constant;
            }
            for (slice, vector) in sliced.iter_mut().zip(spread(V128::from_bytes(&laid))) {
                *slice = vector.to_bytes();
            }
            laid.zeroize();
        }
        expanded.zeroize();
    }

    /// One block alone, for the key of GHASH.
    pub(crate) fn encrypt_block(&self, block: &[u8; BLOCK]) -> [u8; BLOCK] {
        let mut state = spread(by_rows(V128::from_bytes(block)));
        add(&mut state, &self.keys[0]);
        self.encrypt(&mut state);
        state[0].to_bytes()
    }

    pub(crate) fn counter(&self, nonce: &[u8; 12]) -> Counter {
        let mut block = [0; BLOCK];
        block[..12].copy_from_slice(nonce);
        let mut slices = spread(by_rows(V128::from_bytes(&block)));
        add(&mut slices, &self.keys[0]);
        // The last three bits of the counter tell the eight blocks apart.
        for (slice, block_bits) in slices.iter_mut().zip([0xaa, 0xcc, 0xf0]) {
            let mut last = [0; 16];
            last[15] = block_bits;
            *slice = slice.xor(V128::from_bytes(&last));
        }
        Counter(slices)
    }

    /// The key stream of the blocks whose counters are `first` and the seven after it. `first` is
    /// a multiple of eight.
    #[inline(always)]
    pub(crate) fn key_stream(&self, counter: &Counter, first: u32) -> Slices {
        debug_assert!(first.is_multiple_of(8));
        let mut block = [0; BLOCK];
        block[12..].copy_from_slice(&first.to_be_bytes());
        let mut state = spread(by_rows(V128::from_bytes(&block)));
        for (slice, common) in state.iter_mut().zip(counter.0) {
            *slice = slice.xor(common);
        }
        self.encrypt(&mut state);
        state
    }

    /// From slices, with the first round key added, to blocks. Not inlined: it is long.
    #[inline(never)]
    fn encrypt(&self, state: &mut Slices) {
        let mut s = *state;
        let mut round = 0;
        loop {
            substitute(&mut s);
            mix_columns::<1>(&mut s);
            add(&mut s, &self.keys[round + 1]);
            substitute(&mut s);
            if round + 2 == self.rounds {
                break;
            }
            mix_columns::<2>(&mut s);
            add(&mut s, &self.keys[round + 2]);
            substitute(&mut s);
            mix_columns::<3>(&mut s);
            add(&mut s, &self.keys[round + 3]);
            substitute(&mut s);
            mix_columns::<0>(&mut s);
            add(&mut s, &self.keys[round + 4]);
            round += 4;
        }
        add(&mut s, &self.keys[self.rounds]);
        transpose(&mut s);
        // Back to columns, and every ShiftRows at once: 10 and 14 rounds leave the same shift.
        *state =
            s.map(|block| permute!(block, [0, 6, 8, 14, 1, 7, 9, 15, 2, 4, 10, 12, 3, 5, 11, 13]));
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl Drop for Aes {
    fn drop(&mut self) {
        self.keys.zeroize();
    }
}

fn substitute_word(word: [u8; 4]) -> [u8; 4] {
    let mut block = [0; 16];
    block[..4].copy_from_slice(&word);
    let mut slices = spread(V128::from_bytes(&block));
    substitute(&mut slices);
    let mut out = V128::splat(0x63);
    for (bit, slice) in slices.into_iter().enumerate() {
        out = out.xor(slice.and(V128::splat(1 << bit)));
    }
    let bytes = out.to_bytes();
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

/// The same bytes for all blocks, in slices.
#[inline(always)]
fn spread(bytes: V128) -> Slices {
    core::array::from_fn(|bit| bytes.and(V128::splat(1 << bit)).nonzero())
}

/// Of a block, its bytes by rows.
#[inline(always)]
fn by_rows(block: V128) -> V128 {
    permute!(block, [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15])
}

#[inline(always)]
fn add(state: &mut Slices, key: &[[u8; 16]; 8]) {
    for (slice, key) in state.iter_mut().zip(key) {
        *slice = slice.xor(V128::from_bytes(key));
    }
}

/// MixColumns after a number of ShiftRows that is `SHIFTS` mod 4: twice each byte and the one
/// below it, and the one below and the two below these once.
#[inline(always)]
fn mix_columns<const SHIFTS: usize>(s: &mut Slices) {
    let below = s.map(one_row_below::<SHIFTS>);
    let sums: Slices = core::array::from_fn(|bit| s[bit].xor(below[bit]));
    for bit in 0..8 {
        s[bit] = below[bit].xor(two_rows_below::<SHIFTS>(sums[bit]));
    }
    // Twice in the field: one bit on, and the last one comes back as 0x1b.
    s[0] = s[0].xor(sums[7]);
    s[1] = s[1].xor(sums[0].xor(sums[7]));
    s[2] = s[2].xor(sums[1]);
    s[3] = s[3].xor(sums[2].xor(sums[7]));
    s[4] = s[4].xor(sums[3].xor(sums[7]));
    s[5] = s[5].xor(sums[4]);
    s[6] = s[6].xor(sums[5]);
    s[7] = s[7].xor(sums[6]);
}

#[inline(always)]
fn one_row_below<const SHIFTS: usize>(v: V128) -> V128 {
    match SHIFTS {
        0 => permute!(v, [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3]),
        1 => permute!(v, [5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12, 1, 2, 3, 0]),
        2 => permute!(v, [6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, 2, 3, 0, 1]),
        _ => permute!(v, [7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14, 3, 0, 1, 2]),
    }
}

#[inline(always)]
fn two_rows_below<const SHIFTS: usize>(v: V128) -> V128 {
    match SHIFTS % 2 {
        0 => permute!(v, [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]),
        _ => permute!(v, [10, 11, 8, 9, 14, 15, 12, 13, 2, 3, 0, 1, 6, 7, 4, 5]),
    }
}

/// Slices to blocks and back: bit `i` of byte `b` of vector `j` changes places with bit `j` of
/// byte `b` of vector `i`.
#[inline(always)]
fn transpose(s: &mut Slices) {
    for at in [0, 2, 4, 6] {
        swap::<1>(s, at, 0x55);
    }
    for at in [0, 1, 4, 5] {
        swap::<2>(s, at, 0x33);
    }
    for at in [0, 1, 2, 3] {
        swap::<4>(s, at, 0x0f);
    }
}

#[inline(always)]
fn swap<const N: u32>(s: &mut Slices, at: usize, mask: u8) {
    let other = at + N as usize;
    let changed = s[at].shr::<N>().xor(s[other]).and(V128::splat(mask));
    s[other] = s[other].xor(changed);
    s[at] = s[at].xor(changed.shl::<N>());
}

/// The S-box without its constant, 0x63: the circuit of Boyar and Peralta ("A new combinational
/// logic minimization technique with applications to cryptology", 2010). Their input 0 is the
/// highest bit.
#[inline(always)]
fn substitute(s: &mut Slices) {
    let x = |a: V128, b: V128| a.xor(b);
    let n = |a: V128, b: V128| a.and(b);
    let [x7, x6, x5, x4, x3, x2, x1, x0] = *s;

    // To the tower field.
    let y14 = x(x3, x5);
    let y13 = x(x0, x6);
    let y9 = x(x0, x3);
    let y8 = x(x0, x5);
    let t0 = x(x1, x2);
    let y1 = x(t0, x7);
    let y4 = x(y1, x3);
    let y12 = x(y13, y14);
    let y2 = x(y1, x0);
    let y5 = x(y1, x6);
    let y3 = x(y5, y8);
    let t1 = x(x4, y12);
    let y15 = x(t1, x5);
    let y20 = x(t1, x1);
    let y6 = x(y15, x7);
    let y10 = x(y15, t0);
    let y11 = x(y20, y9);
    let y7 = x(x7, y11);
    let y17 = x(y10, y11);
    let y19 = x(y10, y8);
    let y16 = x(t0, y11);
    let y21 = x(y13, y16);
    let y18 = x(x0, y16);

    // The inverse there.
    let t2 = n(y12, y15);
    let t4 = x(n(y3, y6), t2);
    let t6 = x(n(y4, x7), t2);
    let t7 = n(y13, y16);
    let t9 = x(n(y5, y1), t7);
    let t11 = x(n(y2, y7), t7);
    let t12 = n(y9, y11);
    let t14 = x(n(y14, y17), t12);
    let t16 = x(n(y8, y10), t12);
    let t21 = x(x(t4, t14), y20);
    let t22 = x(x(t6, t16), y19);
    let t23 = x(x(t9, t14), y21);
    let t24 = x(x(t11, t16), y18);
    let t25 = x(t21, t22);
    let t26 = n(t21, t23);
    let t27 = x(t24, t26);
    let t29 = x(n(t25, t27), t22);
    let t30 = x(t23, t24);
    let t31 = x(t22, t26);
    let t33 = x(n(t31, t30), t24);
    let t34 = x(t23, t33);
    let t35 = x(t27, t33);
    let t36 = n(t24, t35);
    let t37 = x(t36, t34);
    let t38 = x(t27, t36);
    let t40 = x(t25, n(t29, t38));
    let t41 = x(t40, t37);
    let t42 = x(t29, t33);
    let t43 = x(t29, t40);
    let t44 = x(t33, t37);
    let t45 = x(t42, t41);
    let z0 = n(t44, y15);
    let z1 = n(t37, y6);
    let z2 = n(t33, x7);
    let z3 = n(t43, y16);
    let z4 = n(t40, y1);
    let z5 = n(t29, y7);
    let z6 = n(t42, y11);
    let z7 = n(t45, y17);
    let z8 = n(t41, y10);
    let z9 = n(t44, y12);
    let z10 = n(t37, y3);
    let z11 = n(t33, y4);
    let z12 = n(t43, y13);
    let z13 = n(t40, y5);
    let z14 = n(t29, y2);
    let z15 = n(t42, y9);
    let z16 = n(t45, y14);
    let z17 = n(t41, y8);

    // Back, with the affine map.
    let t46 = x(z15, z16);
    let t47 = x(z10, z11);
    let t48 = x(z5, z13);
    let t49 = x(z9, z10);
    let t50 = x(z2, z12);
    let t51 = x(z2, z5);
    let t52 = x(z7, z8);
    let t53 = x(z0, z3);
    let t54 = x(z6, z7);
    let t55 = x(z16, z17);
    let t56 = x(z12, t48);
    let t57 = x(t50, t53);
    let t58 = x(z4, t46);
    let t59 = x(z3, t54);
    let t60 = x(t46, t57);
    let t61 = x(z14, t57);
    let t62 = x(t52, t58);
    let t63 = x(t49, t58);
    let t64 = x(z4, t59);
    let t65 = x(t61, t62);
    let t66 = x(z1, t63);
    let t67 = x(t64, t65);
    let s0 = x(t59, t63);
    let s6 = x(t56, t62);
    let s7 = x(t48, t60);
    let s3 = x(t53, t66);
    let s4 = x(t51, t66);
    let s5 = x(t47, t65);
    let s1 = x(t64, s3);
    let s2 = x(t55, t67);
    *s = [s7, s6, s5, s4, s3, s2, s1, s0];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aes(key: &[u8]) -> Aes {
        let mut aes = Aes::blank();
        aes.set(key);
        aes
    }

    /// FIPS 197, appendix C.
    #[test]
    fn fips_197() {
        let key: [u8; 32] = core::array::from_fn(|at| at as u8);
        let block: [u8; 16] = core::array::from_fn(|at| 0x11 * at as u8);
        for (key_len, expected) in [
            (16, 0x69c4_e0d8_6a7b_0430_d8cd_b780_70b4_c55a_u128),
            (32, 0x8ea2_b7ca_5167_45bf_eafc_4990_4b49_6089),
        ] {
            let encrypted = aes(&key[..key_len]).encrypt_block(&block);
            assert_eq!(u128::from_be_bytes(encrypted), expected);
        }
    }

    /// FIPS 197, 5.1.1: the inverse, then the affine map.
    #[test]
    fn whole_s_box() {
        let times = |a: u8, b: u8| {
            (0..8).fold((0, a), |(sum, a), bit| {
                let sum = if b >> bit & 1 == 1 { sum ^ a } else { sum };
                (sum, a << 1 ^ if a & 0x80 == 0 { 0 } else { 0x1b })
            })
        };
        for byte in 0..=255_u8 {
            let inverse = (0..=255).find(|&other| times(byte, other).0 == 1).unwrap_or(0);
            let affine = [1, 2, 3, 4].map(|by| inverse.rotate_left(by));
            let expected = affine.into_iter().fold(inverse ^ 0x63, |sum, part| sum ^ part);
            assert_eq!(substitute_word([byte, 0, 0x53, byte]), [expected, 0x63, 0xed, expected]);
        }
    }

    #[test]
    fn key_stream_is_the_encrypted_counter() {
        let nonce: [u8; 12] = core::array::from_fn(|at| 0xf7_u8.wrapping_mul(at as u8 + 1));
        for key in [&[0x5c; 16][..], &[0xc5; 32]] {
            let aes = aes(key);
            let counter = aes.counter(&nonce);
            for first in [0, 8, 0xf8, 0x100, 0xfff8, 0x1_0000, 0xff_fff8, 0x8000_0000, 0xffff_fff8]
            {
                for (at, block) in aes.key_stream(&counter, first).into_iter().enumerate() {
                    let mut input = [0; 16];
                    input[..12].copy_from_slice(&nonce);
                    input[12..].copy_from_slice(&(first + at as u32).to_be_bytes());
                    assert_eq!(block.to_bytes(), aes.encrypt_block(&input));
                }
            }
        }
    }

    #[test]
    fn wiped_when_dropped() {
        let mut aes = core::mem::ManuallyDrop::new(aes(&[1; 32]));
        assert_ne!(aes.keys, [[[0; 16]; 8]; 15]);
        // SAFETY: dropped once, here; what is left are plain bytes.
        unsafe { core::mem::ManuallyDrop::drop(&mut aes) };
        assert_eq!(aes.keys, [[[0; 16]; 8]; 15]);
    }
}
