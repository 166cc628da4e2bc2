//! What AES-GCM has to do, checked natively (`cargo test`) and in wasm, where each check is an
//! export that traps when it fails (`scripts/check/aes_gcm.ts`). The oracle is ring.
//!
//! Nothing of this crate is part of the engine.

#![cfg(any(test, target_arch = "wasm32"))]
#![warn(clippy::all)]

mod differential;
mod measure;
mod random;
mod tampering;
mod vectors;

macro_rules! checks {
    ($($module:ident::$name:ident),* $(,)?) => {
        #[cfg(test)]
        mod native {
            $(
                #[test]
                fn $name() {
                    super::$module::$name();
                }
            )*
        }

        #[cfg(target_arch = "wasm32")]
        mod exported {
            $(
                // SAFETY: no other symbol has this name.
                #[unsafe(export_name = concat!("check ", stringify!($name)))]
                extern "C" fn $name() {
                    super::$module::$name();
                }
            )*
        }
    };
}

checks!(
    vectors::nist_vectors,
    differential::every_short_length,
    differential::lengths_around_a_record,
    differential::counter_beyond_16_bits,
    differential::random_messages,
    differential::unaligned_buffers,
    tampering::every_bit_counts,
    tampering::forged_messages_stay_ciphertext,
);
