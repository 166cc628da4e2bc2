//! Randomness of the engine, in the place of the crate `getrandom` of the registry, which ring calls.
//!
//! Rules:
//! - The host writes straight into wasm memory. The registry's crate fills an array of 256 bytes on
//!   JavaScript's side, which stays there: it held the private key of the last key exchange.
//! - A source that throws, or that writes nothing, is refused; `take_failure()` says so to whoever
//!   turns ring's `Unspecified` into an error.
//!
//! It does not know what the bytes are for, and it cannot know how good they are.

use core::sync::atomic::{AtomicBool, Ordering};

/// A source that writes nothing shows by this many zeros: chance gives them once in 2^128 draws.
const LEAST: usize = 16;
/// `crypto.getRandomValues()` takes no more at once (Web Cryptography API).
const MOST: usize = 65_536;

static FAILED: AtomicBool = AtomicBool::new(false);

/// The host has no randomness to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error(());

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the host's crypto.getRandomValues() failed")
    }
}

/// Fills `dest` with random bytes of the host.
pub fn getrandom(dest: &mut [u8]) -> Result<(), Error> {
    fill_from(dest, host)
}

/// Whether a draw failed since the last call of this function.
pub fn take_failure() -> bool {
    FAILED.swap(false, Ordering::Relaxed)
}

fn fill_from(dest: &mut [u8], source: fn(&mut [u8]) -> bool) -> Result<(), Error> {
    if dest.is_empty() {
        return Ok(());
    }
    let drawn = if dest.len() < LEAST {
        let mut whole = [0; LEAST];
        let drawn = draw(&mut whole, source);
        dest.copy_from_slice(&whole[..dest.len()]);
        wipe(&mut whole);
        drawn
    } else {
        draw(dest, source)
    };
    if drawn {
        return Ok(());
    }
    FAILED.store(true, Ordering::Relaxed);
    Err(Error(()))
}

/// `dest` has `LEAST` bytes or more, and so has each part that is drawn.
fn draw(dest: &mut [u8], source: fn(&mut [u8]) -> bool) -> bool {
    dest.fill(0);
    let mut rest = dest;
    while !rest.is_empty() {
        let size = match rest.len() {
            len if len <= MOST => len,
            len if len - MOST < LEAST => MOST - LEAST,
            _ => MOST,
        };
        let (part, after) = rest.split_at_mut(size);
        if !source(part) || part.iter().all(|byte| *byte == 0) {
            return false;
        }
        rest = after;
    }
    true
}

fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    // Keeps the compiler from dropping a write to memory that nobody reads again.
    core::hint::black_box(bytes);
}

#[cfg(target_arch = "wasm32")]
fn host(dest: &mut [u8]) -> bool {
    use wasm_bindgen::prelude::*;

    #[wasm_bindgen]
    extern "C" {
        /// Gets a view of wasm memory: nothing is copied.
        #[wasm_bindgen(js_namespace = ["globalThis", "crypto"], js_name = getRandomValues, catch)]
        fn get_random_values(dest: &mut [u8]) -> Result<JsValue, JsValue>;
    }

    get_random_values(dest).is_ok()
}

/// For tests on the host: what the engine is in is wasm.
#[cfg(not(target_arch = "wasm32"))]
fn host(dest: &mut [u8]) -> bool {
    use std::io::Read;
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(dest)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_every_length() {
        for len in (0..100).chain([MOST, MOST + 1, MOST + LEAST, 3 * MOST + 5]) {
            let mut bytes = vec![0; len];
            getrandom(&mut bytes).unwrap();
            // A part of 16 zeros would be chance once in 2^128.
            assert!(bytes.chunks_exact(LEAST).all(|part| part.iter().any(|byte| *byte != 0)));
        }
    }

    #[test]
    fn refuses_a_source_that_writes_nothing() {
        for len in [1, 15, 16, 32, MOST + 1] {
            let mut bytes = vec![7; len];
            assert_eq!(fill_from(&mut bytes, |_| true), Err(Error(())), "{len}");
            assert!(take_failure());
            assert!(!take_failure());
        }
    }

    #[test]
    fn refuses_a_source_that_fails() {
        assert!(fill_from(&mut [0; 32], |_| false).is_err());
        assert!(take_failure());
    }

    #[test]
    fn asks_for_parts_that_the_host_takes() {
        fn counting(part: &mut [u8]) -> bool {
            assert!(part.len() <= MOST && part.len() >= LEAST);
            part.fill(1);
            true
        }
        for len in MOST - 2..MOST + 2 * LEAST {
            fill_from(&mut vec![0; len], counting).unwrap();
        }
    }
}
