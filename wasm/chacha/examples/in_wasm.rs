//! The cases, in wasm: `scripts/check_rust.ts` builds this, runs each, and measures.
//! Elsewhere it is empty.

#![cfg(target_arch = "wasm32")]

#[path = "../tests/cases/mod.rs"]
mod cases;

use std::hint::black_box;

use cases::CASES;
use reprise_chacha::ChaCha20Poly1305;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    /// Takes UTF-8: the name of a case that begins, or what a panic says.
    safe fn say(text: *const u8, len: usize);
}

fn tell(text: &str) {
    say(text.as_ptr(), text.len());
}

#[unsafe(no_mangle)]
extern "C" fn count() -> usize {
    std::panic::set_hook(Box::new(|panic| tell(&panic.to_string())));
    CASES.len()
}

#[unsafe(no_mangle)]
extern "C" fn run(number: usize) {
    let (name, case) = CASES[number];
    tell(name);
    case();
}

/// Seals one message many times, for a clock outside.
#[unsafe(no_mangle)]
extern "C" fn seal(with_ring: bool, len: usize, times: usize) {
    let mut data = vec![0; len];
    let ours = ChaCha20Poly1305::new(&[1; 32]);
    let rings = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[1; 32]).unwrap());
    for _ in 0..times {
        if with_ring {
            let (nonce, aad) = (Nonce::assume_unique_for_key([2; 12]), Aad::from([3; 5]));
            black_box(rings.seal_in_place_separate_tag(nonce, aad, &mut data).is_ok());
        } else {
            black_box(ours.seal(&[2; 12], &[3; 5], &mut data));
        }
    }
}

// ring wants a source of random bytes to link; nothing here asks it for any.
getrandom::register_custom_getrandom!(no_random);

fn no_random(_: &mut [u8]) -> Result<(), getrandom::Error> {
    Err(getrandom::Error::UNSUPPORTED)
}
