//! Integer vector operations. Lanes are at most 64 bits wide and travel as `u64`; the rest of a result is zero.

use super::int::{cls, sext};
use crate::softfloat;
use crate::{Shape, Size};

#[inline]
pub(super) fn lane_mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

/// Lane `i` of width `bits`, zero-extended.
#[inline]
pub(super) fn get(v: u128, bits: u32, i: u32) -> u64 {
    (v >> (i * bits)) as u64 & lane_mask(bits)
}

/// A vector with only lane `i` set.
#[inline]
pub(super) fn put(bits: u32, i: u32, x: u64) -> u128 {
    u128::from(x & lane_mask(bits)) << (i * bits)
}

/// The low `bytes` bytes.
#[inline]
pub(super) fn low(v: u128, bytes: usize) -> u128 {
    if bytes >= 16 { v } else { v & ((1 << (bytes * 8)) - 1) }
}

/// A result from its lanes.
#[inline]
pub(super) fn build(s: Shape, f: impl Fn(u32) -> u64) -> u128 {
    let bits = s.lane.bits();
    let mut r = 0;
    for i in 0..u32::from(s.lanes) {
        r |= put(bits, i, f(i));
    }
    r
}

#[inline]
pub(super) fn map1(s: Shape, a: u128, f: impl Fn(u64) -> u64) -> u128 {
    let bits = s.lane.bits();
    build(s, |i| f(get(a, bits, i)))
}

#[inline]
pub(super) fn map2(s: Shape, a: u128, b: u128, f: impl Fn(u64, u64) -> u64) -> u128 {
    let bits = s.lane.bits();
    build(s, |i| f(get(a, bits, i), get(b, bits, i)))
}

/// As [`map1`], with the lane sign-extended.
#[inline]
pub(super) fn map1s(s: Shape, a: u128, f: impl Fn(i64) -> u64) -> u128 {
    let bits = s.lane.bits();
    map1(s, a, |x| f(sext(x, bits)))
}

/// As [`map2`], with the lanes sign-extended.
#[inline]
pub(super) fn map2s(s: Shape, a: u128, b: u128, f: impl Fn(i64, i64) -> u64) -> u128 {
    let bits = s.lane.bits();
    map2(s, a, b, |x, y| f(sext(x, bits), sext(y, bits)))
}

/// All ones in the lanes where `f` holds.
#[inline]
pub(super) fn mask2(s: Shape, a: u128, b: u128, f: impl Fn(u64, u64) -> bool) -> u128 {
    map2(s, a, b, |x, y| if f(x, y) { u64::MAX } else { 0 })
}

/// As [`mask2`], signed.
#[inline]
pub(super) fn mask2s(s: Shape, a: u128, b: u128, f: impl Fn(i64, i64) -> bool) -> u128 {
    map2s(s, a, b, |x, y| if f(x, y) { u64::MAX } else { 0 })
}

/// Half the lane width, for widening operations.
pub(super) fn half(lane: Size) -> u32 {
    lane.bits() / 2
}

/// The source lane of a widening operation: from byte 0, or from byte 8 when `imm` is 1.
#[inline]
pub(super) fn widening(s: Shape, v: u128, imm: u64, i: u32) -> u64 {
    let v = if imm & 1 != 0 { v >> 64 } else { v };
    get(v, half(s.lane), i)
}

/// Pairs of the concatenation a:b; result lane `i` is `f` of its lanes 2i and 2i+1.
#[inline]
pub(super) fn pairwise(s: Shape, a: u128, b: u128, f: impl Fn(u64, u64) -> u64) -> u128 {
    let bits = s.lane.bits();
    let n = u32::from(s.lanes);
    let at = |j: u32| if j < n { get(a, bits, j) } else { get(b, bits, j - n) };
    build(s, |i| f(at(2 * i), at(2 * i + 1)))
}

/// A reduction to lane 0.
#[inline]
pub(super) fn reduce(s: Shape, a: u128, f: impl Fn(u64, u64) -> u64) -> u128 {
    let bits = s.lane.bits();
    let r = (1..u32::from(s.lanes)).fold(get(a, bits, 0), |r, i| f(r, get(a, bits, i)));
    put(bits, 0, r)
}

/// As [`reduce`], signed.
#[inline]
pub(super) fn reduces(s: Shape, a: u128, f: impl Fn(i64, i64) -> i64) -> u128 {
    let bits = s.lane.bits();
    reduce(s, a, |x, y| f(sext(x, bits), sext(y, bits)) as u64)
}

/// Sum of the lanes in one lane of double width.
pub(super) fn sum_long(s: Shape, a: u128, signed: bool) -> u128 {
    let bits = s.lane.bits();
    let sum = (0..u32::from(s.lanes)).fold(0u64, |r, i| {
        let x = get(a, bits, i);
        r.wrapping_add(if signed { sext(x, bits) as u64 } else { x })
    });
    put((bits * 2).min(64), 0, sum)
}

/// Adjacent half-width lanes added.
pub(super) fn add_long_pairs(s: Shape, a: u128, signed: bool) -> u128 {
    let h = half(s.lane);
    let at = |j| {
        let x = get(a, h, j);
        if signed { sext(x, h) as u64 } else { x }
    };
    build(s, |i| at(2 * i).wrapping_add(at(2 * i + 1)))
}

pub(super) fn zip(s: Shape, a: u128, b: u128, upper: bool) -> u128 {
    let bits = s.lane.bits();
    let base = if upper { u32::from(s.lanes) / 2 } else { 0 };
    build(s, |i| get(if i & 1 == 0 { a } else { b }, bits, base + i / 2))
}

pub(super) fn unzip(s: Shape, a: u128, b: u128, odd: u32) -> u128 {
    let bits = s.lane.bits();
    let h = (u32::from(s.lanes) / 2).max(1);
    build(s, |i| if i < h { get(a, bits, 2 * i + odd) } else { get(b, bits, 2 * (i - h) + odd) })
}

pub(super) fn transpose(s: Shape, a: u128, b: u128, odd: u32) -> u128 {
    let bits = s.lane.bits();
    build(s, |i| get(if i & 1 == 0 { a } else { b }, bits, (i & !1) + odd))
}

pub(super) fn extract(s: Shape, a: u128, b: u128, imm: u64) -> u128 {
    let n = s.bytes() as u32;
    let k = (imm as u32).min(n);
    let (a, b) = (low(a, n as usize), low(b, n as usize));
    let from_a = if k < 16 { a >> (8 * k) } else { 0 };
    let from_b = if n - k < 16 { b << (8 * (n - k)) } else { 0 };
    low(from_a | from_b, n as usize)
}

pub(super) fn table(s: Shape, base: u128, table: u128, index: u128, imm: u64) -> u128 {
    let (base, table, index) = (base.to_le_bytes(), table.to_le_bytes(), index.to_le_bytes());
    let mut r = [0u8; 16];
    for i in 0..s.bytes().min(16) {
        let at = u64::from(index[i]).wrapping_sub(16 * imm);
        r[i] = if at < 16 { table[at as usize] } else { base[i] };
    }
    u128::from_le_bytes(r)
}

pub(super) fn reverse(s: Shape, a: u128, imm: u64) -> u128 {
    let bits = s.lane.bits();
    let per = ((8u32 << imm) / bits).max(1);
    build(s, |i| get(a, bits, (i / per) * per + (per - 1 - i % per)))
}

/// Carry-less product of two 64-bit numbers.
pub(super) fn carryless(a: u64, b: u64) -> u128 {
    let mut r = 0;
    let mut b = b;
    while b != 0 {
        r ^= u128::from(a) << b.trailing_zeros();
        b &= b - 1;
    }
    r
}

pub(super) fn carryless_long(s: Shape, a: u128, b: u128, imm: u64) -> u128 {
    if s.lane == Size::Q {
        let part = |v: u128| if imm & 1 != 0 { (v >> 64) as u64 } else { v as u64 };
        return carryless(part(a), part(b));
    }
    build(s, |i| carryless(widening(s, a, imm, i), widening(s, b, imm, i)) as u64)
}

/// A 64-bit sum of products of four bytes, each signed or not.
#[inline]
fn dot4(a: u64, b: u64, a_signed: bool, b_signed: bool) -> i64 {
    let byte = |v: u64, k: u32, signed: bool| {
        let x = v >> (8 * k) & 0xff;
        if signed { i64::from(x as i8) } else { x as i64 }
    };
    (0..4).map(|k| byte(a, k, a_signed) * byte(b, k, b_signed)).sum()
}

pub(super) fn dot(s: Shape, acc: u128, a: u128, b: u128, a_signed: bool, b_signed: bool) -> u128 {
    build(s, |i| get(acc, 32, i).wrapping_add(dot4(get(a, 32, i), get(b, 32, i), a_signed, b_signed) as u64))
}

pub(super) fn matrix(acc: u128, a: u128, b: u128, a_signed: bool, b_signed: bool) -> u128 {
    build(Shape::new(Size::S, 4), |e| {
        let (i, j) = (e / 2, e % 2);
        let sum = (0..2)
            .map(|k| dot4(get(a, 32, 2 * i + k), get(b, 32, 2 * j + k), a_signed, b_signed))
            .sum::<i64>();
        get(acc, 32, e).wrapping_add(sum as u64)
    })
}

pub(super) fn count_leading_sign(s: Shape, a: u128) -> u128 {
    let bits = s.lane.bits();
    map1(s, a, |x| cls(x, bits))
}

/// `x >> n`, rounded to nearest with ties up when asked.
#[inline]
pub(super) fn shift_right(x: i128, n: u32, round: bool) -> i128 {
    let n = n.min(100);
    if round && n > 0 { (x + (1 << (n - 1))) >> n } else { x >> n }
}

/// Shift of each lane by the signed low byte of the lane of `b`, left or right.
pub(super) fn shift_by(s: Shape, a: u128, b: u128, signed: bool, round: bool) -> u128 {
    let bits = s.lane.bits();
    map2(s, a, b, |x, by| {
        let n = i32::from(by as i8);
        if n >= bits as i32 {
            0
        } else if n >= 0 {
            x << n
        } else {
            let x = if signed { i128::from(sext(x, bits)) } else { i128::from(x) };
            shift_right(x, n.unsigned_abs(), round) as u64
        }
    })
}

pub(super) fn shift_left_insert(s: Shape, a: u128, b: u128, imm: u64) -> u128 {
    let keep = (1u64 << imm.min(63)) - 1;
    map2(s, a, b, |x, y| (y << imm) | (x & keep))
}

pub(super) fn shift_right_insert(s: Shape, a: u128, b: u128, imm: u64) -> u128 {
    let bits = s.lane.bits();
    let m = lane_mask(bits);
    let inserted = if imm >= u64::from(bits) { 0 } else { m >> imm };
    map2(s, a, b, |x, y| (x & !inserted) | if inserted == 0 { 0 } else { y >> imm })
}

pub(super) fn unsigned_estimate(s: Shape, a: u128, sqrt: bool) -> u128 {
    map1(s, a, |x| {
        let x = x as u32;
        u64::from(if sqrt {
            softfloat::unsigned_recip_sqrt_estimate(x)
        } else {
            softfloat::unsigned_recip_estimate(x)
        })
    })
}
