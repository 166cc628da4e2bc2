//! A vector of 128 bits: the operations that AES-GCM is made of, each of constant time.
//!
//! In wasm each is one instruction of simd128. Elsewhere the same operations on two words of 64
//! bits run the same circuits in native tests; nothing that is shipped uses them.
//!
//! Byte 0 is the lowest byte of the first word.

pub(crate) use backend::V128;

/// Zeros, which the compiler may not leave out.
#[inline(always)]
pub(crate) fn wipe(vectors: &mut [V128]) {
    for vector in vectors.iter_mut() {
        // SAFETY: it is a reference to one.
        unsafe { core::ptr::write_volatile(vector, V128::splat(0)) };
    }
}

/// The bytes of a vector in another order: `permute!(v, [i0, .., i15])` has byte `i0` first.
macro_rules! permute {
    ($v:expr, [$($i:literal),* $(,)?]) => {
        crate::v128::permute_arguments!($v, $($i),*)
    };
}

#[cfg(target_arch = "wasm32")]
macro_rules! permute_arguments {
    ($v:expr, $($i:literal),*) => {{
        let v: V128 = $v;
        V128(core::arch::wasm32::u8x16_shuffle::<$($i),*>(v.0, v.0))
    }};
}

#[cfg(not(target_arch = "wasm32"))]
macro_rules! permute_arguments {
    ($v:expr, $($i:literal),*) => {{
        let v: V128 = $v;
        let bytes = v.to_bytes();
        V128::from_bytes(&[$(bytes[$i]),*])
    }};
}

pub(crate) use {permute, permute_arguments};

#[cfg(target_arch = "wasm32")]
mod backend {
    use core::arch::wasm32::{
        i8x16_ne, u8x16_shuffle, u8x16_splat, u8x16_swizzle, u64x2_shl, u64x2_shr, u64x2_splat,
        v128, v128_and, v128_xor,
    };

    #[derive(Clone, Copy)]
    pub(crate) struct V128(pub(crate) v128);

    impl V128 {
        #[inline(always)]
        pub(crate) fn from_bytes(bytes: &[u8; 16]) -> Self {
            // SAFETY: 16 bytes of any value are a v128; the copy asks for no alignment.
            Self(unsafe { core::mem::transmute::<[u8; 16], v128>(*bytes) })
        }

        #[inline(always)]
        pub(crate) fn to_bytes(self) -> [u8; 16] {
            // SAFETY: any v128 is 16 bytes.
            unsafe { core::mem::transmute::<v128, [u8; 16]>(self.0) }
        }

        #[inline(always)]
        pub(crate) fn splat(byte: u8) -> Self {
            Self(u8x16_splat(byte))
        }

        #[inline(always)]
        pub(crate) fn xor(self, other: Self) -> Self {
            Self(v128_xor(self.0, other.0))
        }

        #[inline(always)]
        pub(crate) fn and(self, other: Self) -> Self {
            Self(v128_and(self.0, other.0))
        }

        /// Each word of 64 bits shifted towards its high bits.
        #[inline(always)]
        pub(crate) fn shl<const N: u32>(self) -> Self {
            Self(u64x2_shl(self.0, N))
        }

        /// Each word of 64 bits shifted towards its low bits.
        #[inline(always)]
        pub(crate) fn shr<const N: u32>(self) -> Self {
            Self(u64x2_shr(self.0, N))
        }

        /// Each byte all ones where it is not zero.
        #[inline(always)]
        pub(crate) fn nonzero(self) -> Self {
            Self(i8x16_ne(self.0, u64x2_splat(0)))
        }

        /// This vector as a table of 16 bytes, looked up with each of `indexes`, all below 16.
        #[inline(always)]
        pub(crate) fn look_up(self, indexes: Self) -> Self {
            Self(u8x16_swizzle(self.0, indexes.0))
        }

        /// All bytes one place further; the last one of `before` comes first.
        #[inline(always)]
        pub(crate) fn one_byte_on(self, before: Self) -> Self {
            Self(u8x16_shuffle::<15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30>(
                before.0, self.0,
            ))
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod backend {
    #[derive(Clone, Copy)]
    pub(crate) struct V128([u64; 2]);

    impl V128 {
        pub(crate) fn from_bytes(bytes: &[u8; 16]) -> Self {
            let all = u128::from_le_bytes(*bytes);
            Self([all as u64, (all >> 64) as u64])
        }

        pub(crate) fn to_bytes(self) -> [u8; 16] {
            (u128::from(self.0[0]) | u128::from(self.0[1]) << 64).to_le_bytes()
        }

        pub(crate) fn splat(byte: u8) -> Self {
            Self([u64::from_ne_bytes([byte; 8]); 2])
        }

        #[inline(always)]
        pub(crate) fn xor(self, other: Self) -> Self {
            Self([self.0[0] ^ other.0[0], self.0[1] ^ other.0[1]])
        }

        #[inline(always)]
        pub(crate) fn and(self, other: Self) -> Self {
            Self([self.0[0] & other.0[0], self.0[1] & other.0[1]])
        }

        pub(crate) fn shl<const N: u32>(self) -> Self {
            Self(self.0.map(|word| word << N))
        }

        pub(crate) fn shr<const N: u32>(self) -> Self {
            Self(self.0.map(|word| word >> N))
        }

        pub(crate) fn nonzero(self) -> Self {
            Self(self.0.map(|word| {
                let low = 0x7f7f_7f7f_7f7f_7f7f;
                // The high bit of each byte: whether any of its bits is set.
                let any = (((word & low) + low) | word) & !low;
                (any >> 7) * 0xff
            }))
        }

        pub(crate) fn look_up(self, indexes: Self) -> Self {
            let table = self.to_bytes();
            let mut found = Self([0; 2]);
            for (at, &byte) in table.iter().enumerate() {
                let elsewhere = indexes.xor(Self::splat(at as u8)).nonzero();
                found = found.xor(Self(elsewhere.0.map(|word| !word)).and(Self::splat(byte)));
            }
            found
        }

        pub(crate) fn one_byte_on(self, before: Self) -> Self {
            let [low, high] = self.0;
            Self([low << 8 | before.0[1] >> 56, high << 8 | low >> 56])
        }
    }
}
