//! Helpers on integer lanes, and the cryptographic instructions without an operation of their own.

use ir::{Machine, Stop};

type R = Result<u128, Stop>;

pub(super) fn lane(v: u128, bits: u32, i: u32) -> u64 {
    (v >> (bits * i)) as u64 & (u64::MAX >> (64 - bits))
}

pub(super) fn build(bits: u32, f: impl Fn(u32) -> u64) -> u128 {
    (0..128 / bits).fold(0, |r, i| r | u128::from(f(i) & (u64::MAX >> (64 - bits))) << (bits * i))
}

pub(super) fn sext(x: u64, bits: u32) -> i64 {
    ((x << (64 - bits)) as i64) >> (64 - bits)
}

pub(super) fn min_position(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let (at, min) = (0..8).map(|i| (i, lane(a[0], 16, i))).min_by_key(|&(i, x)| (x, i)).unwrap_or((0, 0));
    Ok(u128::from(min) | u128::from(at) << 16)
}

/// mpsadbw: the immediate's bits 1:0 choose four bytes of b, bit 2 where in a to begin.
pub(super) fn multi_sad(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let imm = a[3] as u32;
    let (from, block) = ((imm >> 2 & 1) * 4, (imm & 3) * 4);
    Ok(build(16, |i| (0..4).map(|j| lane(a[0], 8, from + i + j).abs_diff(lane(a[1], 8, block + j))).sum()))
}

/// Bits 11:8 of the word: log2 of the lane's bytes.
pub(super) fn word_bits(a: &[u128; 4]) -> u32 {
    8 << (a[3] as u32 >> 8 & 7)
}

/// vpermilps, vpermilpd with a vector of controls.
pub(super) fn permute_in_lane(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let bits = word_bits(a);
    Ok(build(bits, |i| {
        let c = lane(a[1], bits, i) as u32;
        lane(a[0], bits, if bits == 32 { c & 3 } else { c >> 1 & 1 })
    }))
}

/// Narrower lanes: bits 3:0 the source's size, 7:4 the result's, 9:8 cut, signed or unsigned saturation.
pub(super) fn narrow(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let w = a[3] as u32;
    let (from, to) = (8 << (w & 15), 8 << (w >> 4 & 15));
    let max = (1i128 << (to - 1)) - 1;
    let mut r = 0u128;
    for i in 0..128 / from {
        let x = lane(a[0], from, i);
        let y = match w >> 8 & 3 {
            0 => x,
            1 => i128::from(sext(x, from)).clamp(-max - 1, max) as u64,
            _ => i128::from(x).min(2 * max + 1) as u64,
        };
        r |= u128::from(y & (u64::MAX >> (64 - to))) << (to * i);
    }
    Ok(r)
}

/// Multiplication in GF(2^8) modulo `poly` (with its bit 8).
fn field_mul(a: u64, b: u64, poly: u64) -> u64 {
    let mut r = (0..8).filter(|i| b >> i & 1 != 0).fold(0u64, |r, i| r ^ a << i);
    for i in (8..15).rev() {
        if r >> i & 1 != 0 {
            r ^= poly << (i - 8);
        }
    }
    r
}

/// The inverse in the AES field; zero for zero: the 254th power.
fn field_inverse(a: u64) -> u64 {
    (0..253).fold(a, |r, _| field_mul(r, a, 0x11b))
}

fn sub_byte(x: u64) -> u64 {
    let i = field_inverse(x);
    (0..5).fold(0x63, |r, n| r ^ (i << n | i >> (8 - n)) & 0xff)
}

pub(super) fn aes_keygen(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let rcon = u64::from(a[3] as u8);
    let sub = |w: u64| (0..4).fold(0, |r, i| r | sub_byte(w >> (8 * i) & 0xff) << (8 * i));
    let (x1, x3) = (sub(lane(a[0], 32, 1)), sub(lane(a[0], 32, 3)));
    let rot = |x: u64| (x >> 8 | x << 24) & 0xffff_ffff;
    Ok(build(32, |i| match i {
        0 => x1,
        1 => rot(x1) ^ rcon,
        2 => x3,
        _ => rot(x3) ^ rcon,
    }))
}

fn words(v: u128) -> [u32; 4] {
    [v as u32, (v >> 32) as u32, (v >> 64) as u32, (v >> 96) as u32]
}
fn vector(w: [u32; 4]) -> u128 {
    w.iter().rev().fold(0, |r, &x| r << 32 | u128::from(x))
}

/// Four rounds of SHA-1 on (d c b a, w3 w2 w1 w0 + e), both from lane 0 up, the newest uppermost.
pub(super) fn sha1_rounds(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let [d0, c0, b0, a0] = words(a[0]);
    let w = words(a[1]);
    let n = a[3] as u32 & 3;
    let k = [0x5a82_7999, 0x6ed9_eba1, 0x8f1b_bcdc, 0xca62_c1d6][n as usize];
    let (mut a, mut b, mut c, mut d, mut e) = (a0, b0, c0, d0, 0u32);
    for i in 0..4 {
        let f = match n {
            0 => b & c ^ !b & d,
            2 => b & c ^ b & d ^ c & d,
            _ => b ^ c ^ d,
        };
        // The first word has e in it already.
        let t = f.wrapping_add(a.rotate_left(5)).wrapping_add(w[3 - i]).wrapping_add(e).wrapping_add(k);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, t);
    }
    Ok(vector([d, c, b, a]))
}

pub(super) fn sha1_nexte(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let e = words(a[0])[3].rotate_left(30);
    let mut w = words(a[1]);
    w[3] = w[3].wrapping_add(e);
    Ok(vector(w))
}

pub(super) fn sha1_msg1(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let [w3, w2, w1, w0] = words(a[0]);
    let [_, _, w5, w4] = words(a[1]);
    Ok(vector([w5 ^ w3, w4 ^ w2, w3 ^ w1, w2 ^ w0]))
}

pub(super) fn sha1_msg2(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let s = words(a[0]);
    let [w15, w14, w13, _] = words(a[1]);
    let w16 = (s[3] ^ w13).rotate_left(1);
    let w17 = (s[2] ^ w14).rotate_left(1);
    let w18 = (s[1] ^ w15).rotate_left(1);
    let w19 = (s[0] ^ w16).rotate_left(1);
    Ok(vector([w19, w18, w17, w16]))
}

pub(super) fn sha256_msg1(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let w = words(a[0]);
    let next = words(a[1])[0];
    let s = |x: u32| x.rotate_right(7) ^ x.rotate_right(18) ^ x >> 3;
    let after = [w[1], w[2], w[3], next];
    Ok(vector(std::array::from_fn(|i| w[i].wrapping_add(s(after[i])))))
}

pub(super) fn sha256_msg2(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let w = words(a[0]);
    let [_, _, w14, w15] = words(a[1]);
    let s = |x: u32| x.rotate_right(17) ^ x.rotate_right(19) ^ x >> 10;
    let w16 = w[0].wrapping_add(s(w14));
    let w17 = w[1].wrapping_add(s(w15));
    let w18 = w[2].wrapping_add(s(w16));
    let w19 = w[3].wrapping_add(s(w17));
    Ok(vector([w16, w17, w18, w19]))
}

pub(super) fn gf_mul(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    Ok(build(8, |i| field_mul(lane(a[0], 8, i), lane(a[1], 8, i), 0x11b)))
}

/// A bit matrix (row 0 in byte 7) times a byte.
fn affine(matrix: u64, x: u64, imm: u64) -> u64 {
    (0..8).fold(imm, |r, i| {
        let row = matrix >> (8 * (7 - i)) & 0xff;
        r ^ u64::from((row & x).count_ones() & 1) << i
    })
}

pub(super) fn gf_affine(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let imm = u64::from(a[3] as u8);
    Ok(build(8, |i| affine(lane(a[1], 64, i / 8), lane(a[0], 8, i), imm)))
}

pub(super) fn gf_affine_inv(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let imm = u64::from(a[3] as u8);
    Ok(build(8, |i| affine(lane(a[1], 64, i / 8), field_inverse(lane(a[0], 8, i)), imm)))
}

/// Length and index of a bit field: from the word's bits 5:0 and 13:8 if bit 16 is set, else from the vector `v`.
fn field(word: u64, v: u128, shift: u32) -> (u32, u32) {
    let (length, index) = if word >> 16 & 1 != 0 {
        (word & 63, word >> 8 & 63)
    } else {
        ((v >> shift) as u64 & 63, (v >> (shift + 8)) as u64 & 63)
    };
    (if length == 0 { 64 } else { length as u32 }, index as u32)
}

pub(super) fn extract_field(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let (length, index) = field(a[3] as u64, a[1], 0);
    Ok(u128::from(lane(a[0], 64, 0) >> index & (u64::MAX >> (64 - length))))
}

pub(super) fn insert_field(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let (length, index) = field(a[3] as u64, a[1], 64);
    let mask = (u64::MAX >> (64 - length)) << index;
    Ok(u128::from(a[0] as u64 & !mask | (a[1] as u64) << index & mask))
}
