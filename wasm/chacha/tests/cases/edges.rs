//! Keys and messages of Poly1305 at which carries and the last reduction go wrong, if they do.

use super::random::Random;
use super::{poly1305 as ours, reference};

/// Words that limbs of 26, 32, 44 or 64 bits have at their edges.
const WORDS: [u32; 12] = [
    0,
    1,
    2,
    5,
    0xffff_ffff,
    0xffff_fffe,
    0xffff_fffb,
    0xffff_fffa,
    0x8000_0000,
    0x7fff_ffff,
    0x03ff_ffff,
    0x0fff_fffc,
];

pub fn poly1305() {
    let agree = |key: &[u8; 32], message: &[u8]| {
        assert_eq!(ours(key, message), reference::poly1305(key, message), "{key:x?} {message:x?}");
    };
    let key = |r: u128, s: u128| -> [u8; 32] {
        [r.to_le_bytes(), s.to_le_bytes()].concat().try_into().unwrap()
    };

    // The largest r and the largest blocks, for long: no sum of products overflows, and the limbs
    // stay in their bounds. (Natively an overflow is a panic.)
    for r in [u128::MAX, 0x0fff_fffc_0fff_fffc_0fff_fffc_0fff_ffff, 1, 2, 3, 4, 5] {
        for byte in [0xff, 0xfe, 0xfb, 0x80, 0x7f, 1, 0] {
            for blocks in [1, 2, 3, 4, 5, 64, 200] {
                agree(&key(r, u128::MAX), &vec![byte; 16 * blocks]);
                agree(&key(r, 0), &vec![byte; 16 * blocks + 15]);
            }
        }
    }

    // With r = 1 the blocks are added up: each sum around p, 2p, 3p and around 2^128 and 2^130.
    for blocks in 1..=12u128 {
        for offset in -8..=8i128 {
            // blocks * 2^128 + the sum of their lower parts, all but one of which are full.
            let mut message = vec![0xff; 16 * (blocks as usize - 1)];
            message.extend(offset.to_le_bytes());
            for s in [0, 1, 5, u128::MAX] {
                agree(&key(1, s), &message);
            }
        }
    }
    // And those of which the sum is 2^130 - n, so p - 8 to p + 13: three high bits, and 2^128 - n.
    for n in -8..=13i128 {
        let full = u128::MAX.to_le_bytes();
        let parts = match n {
            1.. => [(-n).to_le_bytes(), [0; 16], [0; 16]],
            _ => [full, (1 - n).to_le_bytes(), [0; 16]],
        };
        agree(&key(1, 0), &parts.concat());
        agree(&key(1, u128::MAX), &parts.concat());
        // Near 2^130 by one product.
        agree(&key(2, 0), &(-n).to_le_bytes());
        agree(&key(4, 0), &(-n).to_le_bytes());
    }

    // Words at the edges, in every place.
    let mut random = Random::new(9);
    for _ in 0..4000 {
        let mut words = |count: usize| -> Vec<u8> {
            (0..count).flat_map(|_| WORDS[random.below(WORDS.len())].to_le_bytes()).collect()
        };
        let key = words(8).try_into().unwrap();
        let message = words(17);
        let len = random.below(message.len() + 1);
        agree(&key, &message[..len]);
    }
    // And any.
    for _ in 0..2000 {
        let key = random.array();
        let len = random.below(200);
        let message = random.bytes(len);
        agree(&key, &message);
    }
}
