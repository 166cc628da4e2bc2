//! Four 32-bit words side by side: one `v128` in wasm, an array elsewhere.
//!
//! Rules:
//! - Both have the same operations and give the same words: what is built on them is tested once
//!   natively and once in wasm.
//! - No operation branches or indexes by a value.
//!
//! It knows nothing of ciphers.

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(crate) use portable::Lanes;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) use simd::Lanes;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd {
    use core::arch::wasm32::{
        i8x16_shuffle, i32x4_add, i32x4_shl, i32x4_shuffle, i64x2_shuffle, u32x4, u32x4_shr,
        u32x4_splat, v128, v128_or, v128_xor,
    };
    use core::mem::transmute;

    #[derive(Clone, Copy)]
    pub(crate) struct Lanes(v128);

    impl Lanes {
        #[inline(always)]
        pub(crate) fn new([a, b, c, d]: [u32; 4]) -> Self {
            Self(u32x4(a, b, c, d))
        }

        #[inline(always)]
        pub(crate) fn splat(word: u32) -> Self {
            Self(u32x4_splat(word))
        }

        /// Of bytes in memory, each word little-endian.
        #[inline(always)]
        pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
            // SAFETY: both are 16 bytes, and any 16 bytes are a v128; wasm is little-endian.
            Self(unsafe { transmute::<[u8; 16], v128>(bytes) })
        }

        #[inline(always)]
        pub(crate) fn to_bytes(self) -> [u8; 16] {
            // SAFETY: both are 16 bytes, and all bits of a v128 are initialised.
            unsafe { transmute::<v128, [u8; 16]>(self.0) }
        }

        /// Word by word, modulo 2^32.
        #[inline(always)]
        pub(crate) fn add(self, other: Self) -> Self {
            Self(i32x4_add(self.0, other.0))
        }

        #[inline(always)]
        pub(crate) fn xor(self, other: Self) -> Self {
            Self(v128_xor(self.0, other.0))
        }

        /// Rotates each word. By 16 it is a shuffle, which V8 makes two instructions of.
        #[inline(always)]
        pub(crate) fn rotate_left<const BITS: u32>(self) -> Self {
            let x = self.0;
            Self(if BITS == 16 {
                i8x16_shuffle::<2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13>(x, x)
            } else {
                v128_or(i32x4_shl(x, BITS), u32x4_shr(x, 32 - BITS))
            })
        }

        /// Lane `i` of result `j` is lane `j` of row `i`.
        #[inline(always)]
        pub(crate) fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
            let ab_low = i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0);
            let ab_high = i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0);
            let cd_low = i32x4_shuffle::<0, 4, 1, 5>(c.0, d.0);
            let cd_high = i32x4_shuffle::<2, 6, 3, 7>(c.0, d.0);
            [
                Self(i64x2_shuffle::<0, 2>(ab_low, cd_low)),
                Self(i64x2_shuffle::<1, 3>(ab_low, cd_low)),
                Self(i64x2_shuffle::<0, 2>(ab_high, cd_high)),
                Self(i64x2_shuffle::<1, 3>(ab_high, cd_high)),
            ]
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod portable {
    use core::array::from_fn;

    #[derive(Clone, Copy)]
    pub(crate) struct Lanes([u32; 4]);

    impl Lanes {
        #[inline(always)]
        pub(crate) fn new(words: [u32; 4]) -> Self {
            Self(words)
        }

        #[inline(always)]
        pub(crate) fn splat(word: u32) -> Self {
            Self([word; 4])
        }

        #[inline(always)]
        pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
            let (words, _) = bytes.as_chunks();
            Self(from_fn(|i| u32::from_le_bytes(words[i])))
        }

        #[inline(always)]
        pub(crate) fn to_bytes(self) -> [u8; 16] {
            from_fn(|i| self.0[i / 4].to_le_bytes()[i % 4])
        }

        #[inline(always)]
        pub(crate) fn add(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i].wrapping_add(other.0[i])))
        }

        #[inline(always)]
        pub(crate) fn xor(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] ^ other.0[i]))
        }

        #[inline(always)]
        pub(crate) fn rotate_left<const BITS: u32>(self) -> Self {
            Self(self.0.map(|word| word.rotate_left(BITS)))
        }

        #[inline(always)]
        pub(crate) fn transpose(rows: [Self; 4]) -> [Self; 4] {
            from_fn(|j| Self(from_fn(|i| rows[i].0[j])))
        }
    }
}
