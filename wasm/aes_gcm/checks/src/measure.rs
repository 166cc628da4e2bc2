//! Work to be timed from outside: `scripts/check/aes_gcm.ts --measure`.

#![cfg(target_arch = "wasm32")]

use reprise_aes_gcm::AesGcm;
use ring::aead::{Aad, Nonce};

use crate::differential::ring_key;

const KEY: [u8; 32] = [7; 32];
const NONCE: [u8; 12] = [3; 12];
const AAD: [u8; 5] = [1; 5];

fn ours(key: &AesGcm, data: &mut [u8]) {
    std::hint::black_box(key.seal(&NONCE, &AAD, data));
}

fn rings(key: &ring::aead::LessSafeKey, data: &mut [u8]) {
    let nonce = Nonce::assume_unique_for_key(NONCE);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(AAD), data).unwrap();
    std::hint::black_box(tag.as_ref()[0]);
}

// SAFETY, here and below: no other symbol has this name.
#[unsafe(export_name = "measure ours")]
extern "C" fn measure_ours(key_len: usize, len: usize, times: u32) {
    let (key, mut data) = (AesGcm::new(&KEY[..key_len]), vec![0; len]);
    (0..times).for_each(|_| ours(&key, &mut data));
}

#[unsafe(export_name = "measure ring")]
extern "C" fn measure_ring(key_len: usize, len: usize, times: u32) {
    let (key, mut data) = (ring_key(&KEY[..key_len]), vec![0; len]);
    (0..times).for_each(|_| rings(&key, &mut data));
}

/// A new key for each message.
#[unsafe(export_name = "measure ours, new keys")]
extern "C" fn measure_our_keys(key_len: usize, len: usize, times: u32) {
    let mut data = vec![0; len];
    (0..times).for_each(|_| ours(&AesGcm::new(&KEY[..key_len]), &mut data));
}

#[unsafe(export_name = "measure ring, new keys")]
extern "C" fn measure_ring_keys(key_len: usize, len: usize, times: u32) {
    let mut data = vec![0; len];
    (0..times).for_each(|_| rings(&ring_key(&KEY[..key_len]), &mut data));
}
