//! GHASH (NIST SP 800-38D), by looking nibbles up in vectors.
//!
//! - A product with a power of H needs, for each nibble of the block, 17 bytes of a table of 16
//!   rows. Byte `k` of all rows is one vector: 16 nibbles are looked up in it at once, in a register,
//!   so that neither time nor addresses depend on them.
//! - [`POWERS`] blocks are multiplied with descending powers, their products added byte by byte,
//!   then put in place and reduced once.
//!
//! A block is a polynomial: the highest bit of byte 0 is the coefficient of 1.

use zeroize::Zeroize;

use crate::aes::BLOCK;
use crate::v128::V128;

/// Blocks between two reductions.
const POWERS: usize = 4;
/// The bytes of a block times a byte.
const BYTES: usize = BLOCK + 1;

/// Of byte `k` of the products with power `POWERS - i`, for high nibbles and for low ones.
type Tables = [[[[u8; 16]; 2]; POWERS]; BYTES];

pub(crate) struct Ghash {
    tables: Tables,
}

impl Ghash {
    /// Of no use before `set_key()`.
    pub(crate) const fn blank() -> Self {
        Self { tables: [[[[0; 16]; 2]; POWERS]; BYTES] }
    }

    pub(crate) fn set_key(&mut self, h: &[u8; BLOCK]) {
        let mut power = *h;
        self.set(1, &power);
        for exponent in 2..=POWERS {
            power = self.multiply_few(&[power], V128::splat(0)).to_bytes();
            self.set(exponent, &power);
        }
        power.zeroize();
    }

    fn set(&mut self, exponent: usize, power: &[u8; BLOCK]) {
        let power = u128::from_be_bytes(*power);
        for shift in 0..8 {
            // The power times x^shift.
            let mut bytes = [0; BYTES];
            bytes[..BLOCK].copy_from_slice(&(power >> shift).to_be_bytes());
            bytes[BLOCK] = ((power << 8) >> shift) as u8;
            let bit = 3 - shift % 4;
            let rows: [u8; 16] = core::array::from_fn(|nibble| (nibble >> bit & 1) as u8 * 0xff);
            for (byte, tables) in bytes.into_iter().zip(&mut self.tables) {
                let table = &mut tables[POWERS - exponent][shift / 4];
                let row = V128::from_bytes(&rows).and(V128::splat(byte));
                *table = V128::from_bytes(table).xor(row).to_bytes();
            }
            bytes.zeroize();
        }
    }

    /// Hashes what is padded to whole blocks with zeros.
    pub(crate) fn update(&self, mut sum: V128, data: &[u8]) -> V128 {
        let (blocks, rest) = data.as_chunks::<BLOCK>();
        let (groups, blocks) = blocks.as_chunks::<POWERS>();
        for group in groups {
            sum = self.multiply(group, sum);
        }
        if !blocks.is_empty() {
            sum = self.multiply_few(blocks, sum);
        }
        if !rest.is_empty() {
            let mut last = [0; BLOCK];
            last[..rest.len()].copy_from_slice(rest);
            sum = self.multiply_few(&[last], sum);
        }
        sum
    }

    #[inline(never)]
    fn multiply_few(&self, blocks: &[[u8; BLOCK]], sum: V128) -> V128 {
        self.multiply(blocks, sum)
    }

    /// Adds the sum to the first block and multiplies each with its power; at most [`POWERS`].
    #[inline(always)]
    fn multiply(&self, blocks: &[[u8; BLOCK]], sum: V128) -> V128 {
        let mut nibbles = [[V128::splat(0); 2]; POWERS];
        let low = V128::splat(0x0f);
        for (at, (nibbles, block)) in nibbles.iter_mut().zip(blocks).enumerate() {
            let mut block = V128::from_bytes(block);
            if at == 0 {
                block = block.xor(sum);
            }
            *nibbles = [block.shr::<4>().and(low), block.and(low)];
        }

        let zero = V128::splat(0);
        let (mut product, mut above) = (zero, zero);
        for tables in self.tables.iter().rev() {
            above = above.one_byte_on(product);
            product = product.one_byte_on(zero);
            for (tables, nibbles) in tables[POWERS - blocks.len()..].iter().zip(&nibbles) {
                product = product.xor(V128::from_bytes(&tables[0]).look_up(nibbles[0]));
                product = product.xor(V128::from_bytes(&tables[1]).look_up(nibbles[1]));
            }
        }
        reduce(product, above)
    }
}

impl Drop for Ghash {
    fn drop(&mut self) {
        self.tables.zeroize();
    }
}

/// Modulo x^128 + x^7 + x^2 + x + 1.
#[inline(always)]
fn reduce(product: V128, above: V128) -> V128 {
    let above = u128::from_be_bytes(above.to_bytes());
    // What the shifts below push out, times x^128 again.
    let again = above << 127 ^ above << 126 ^ above << 121;
    let above = above ^ again;
    let folded = above ^ above >> 1 ^ above >> 2 ^ above >> 7;
    product.xor(V128::from_bytes(&folded.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SP 800-38D, 6.3: bit by bit.
    fn product(x: u128, y: u128) -> u128 {
        let mut sum = 0;
        let mut power = y;
        for bit in (0..128).rev() {
            if x >> bit & 1 == 1 {
                sum ^= power;
            }
            power = power >> 1 ^ if power & 1 == 1 { 0xe1 << 120 } else { 0 };
        }
        sum
    }

    #[test]
    fn hashes_as_the_definition_says() {
        let mut word = 1_u128;
        let mut next = || {
            word = word.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(5);
            word ^ word >> 64
        };
        let edges = [0, 1, 1 << 127, u128::MAX];
        for round in 0..200 {
            let h = edges.get(round).copied().unwrap_or_else(&mut next);
            let mut ghash = Ghash::blank();
            ghash.set_key(&h.to_be_bytes());
            let mut data = [0; 10 * BLOCK];
            let mut expected = 0;
            for (at, block) in data.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
                let value = edges.get((round + at) % 9).copied().unwrap_or_else(&mut next);
                *block = value.to_be_bytes();
                expected = product(expected ^ value, h);
            }
            let sum = ghash.update(V128::splat(0), &data).to_bytes();
            assert_eq!(u128::from_be_bytes(sum), expected);
        }
    }

    #[test]
    fn wiped_when_dropped() {
        let mut ghash = core::mem::ManuallyDrop::new(Ghash::blank());
        ghash.set_key(&[1; 16]);
        // SAFETY: dropped once, here; what is left are plain bytes.
        unsafe { core::mem::ManuallyDrop::drop(&mut ghash) };
        assert!(ghash.tables.as_flattened().as_flattened().iter().all(|bytes| bytes == &[0; 16]));
    }
}
