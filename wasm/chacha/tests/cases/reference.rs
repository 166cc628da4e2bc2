//! Poly1305 as RFC 8439, section 2.5 describes it, byte by byte, with nothing clever.

/// 2^130 - 5, little-endian.
const P: [u8; 17] = {
    let mut p = [0xff; 17];
    p[0] = 0xfb;
    p[16] = 3;
    p
};

pub fn poly1305(key: &[u8; 32], message: &[u8]) -> [u8; 16] {
    let mut r = [0; 17];
    r[..16].copy_from_slice(&key[..16]);
    for i in [3, 7, 11, 15] {
        r[i] &= 15;
    }
    for i in [4, 8, 12] {
        r[i] &= 252;
    }
    let mut h = [0; 17];
    for block in message.chunks(16) {
        let mut n = [0; 17];
        n[..block.len()].copy_from_slice(block);
        n[block.len()] = 1;
        h = modulo_p(&sum(&h, &n));
        h = modulo_p(&product(&h, &r));
    }
    let mut s = [0; 17];
    s[..16].copy_from_slice(&key[16..]);
    sum(&h, &s)[..16].try_into().unwrap()
}

fn sum(a: &[u8; 17], b: &[u8; 17]) -> Vec<u8> {
    let mut carry = 0;
    let mut sum: Vec<u8> = a
        .iter()
        .zip(b)
        .map(|(a, b)| {
            carry += u16::from(*a) + u16::from(*b);
            let low = carry as u8;
            carry >>= 8;
            low
        })
        .collect();
    sum.push(carry as u8);
    sum
}

fn product(a: &[u8; 17], b: &[u8; 17]) -> Vec<u8> {
    let mut columns = [0u32; 34];
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate() {
            columns[i + j] += u32::from(*a) * u32::from(*b);
        }
    }
    let mut carry = 0;
    columns
        .iter()
        .map(|column| {
            carry += column;
            let low = carry as u8;
            carry >>= 8;
            low
        })
        .collect()
}

/// Long division, bit by bit: doubles the remainder, adds a bit, subtracts p if it reaches it.
fn modulo_p(number: &[u8]) -> [u8; 17] {
    let mut remainder = [0u8; 17];
    for bit in (0..8 * number.len()).rev() {
        let mut carry = number[bit / 8] >> (bit % 8) & 1;
        for byte in &mut remainder {
            let top = *byte >> 7;
            *byte = *byte << 1 | carry;
            carry = top;
        }
        if remainder.iter().rev().ge(P.iter().rev()) {
            let mut borrow = 0;
            for (byte, p) in remainder.iter_mut().zip(P) {
                let difference = i16::from(*byte) - i16::from(p) - borrow;
                *byte = difference as u8;
                borrow = i16::from(difference < 0);
            }
        }
    }
    remainder
}
