//! Saturating vector operations: they set the sticky saturation flag. Lanes are computed exactly in `i128`.

use super::int::sext;
use super::vec::{get, half, lane_mask, put, shift_right, widening};
use crate::Shape;

/// Clamps to a signed or unsigned number of `bits` bits and notes when that changed it.
#[inline]
fn clamp(x: i128, bits: u32, signed: bool, sat: &mut u32) -> u64 {
    let (min, max) =
        if signed { (-(1i128 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) };
    let r = x.clamp(min, max);
    if r != x {
        *sat = 1;
    }
    r as u64 & lane_mask(bits)
}

#[inline]
fn value(x: u64, bits: u32, signed: bool) -> i128 {
    if signed { sext(x, bits).into() } else { x.into() }
}

/// Which signedness the operands and the result have.
#[derive(Clone, Copy)]
pub(super) struct Signs {
    pub a: bool,
    pub b: bool,
    pub r: bool,
}

/// Everything signed.
pub(super) const SIGNED: Signs = Signs { a: true, b: true, r: true };
/// Everything unsigned.
pub(super) const UNSIGNED: Signs = Signs { a: false, b: false, r: false };

/// Saturated `f` of each pair of lanes.
#[inline]
pub(super) fn sat2(
    s: Shape,
    a: u128,
    b: u128,
    signs: Signs,
    sat: &mut u32,
    f: impl Fn(i128, i128) -> i128,
) -> u128 {
    let bits = s.lane.bits();
    let mut r = 0;
    for i in 0..u32::from(s.lanes) {
        let x = value(get(a, bits, i), bits, signs.a);
        let y = value(get(b, bits, i), bits, signs.b);
        r |= put(bits, i, clamp(f(x, y), bits, signs.r, sat));
    }
    r
}

/// Doubling multiply, high half; `sign` is that of the product and `acc` an accumulator.
#[inline]
pub(super) fn doubling_high(
    s: Shape,
    (acc, a, b): (u128, u128, u128),
    sign: i128,
    round: bool,
    sat: &mut u32,
) -> u128 {
    let bits = s.lane.bits();
    let half_ulp = if round { 1i128 << (bits - 1) } else { 0 };
    let mut r = 0;
    for i in 0..u32::from(s.lanes) {
        let c = value(get(acc, bits, i), bits, true);
        let p = value(get(a, bits, i), bits, true) * value(get(b, bits, i), bits, true);
        // Exact for lanes of 8 to 32 bits, which is all there is; 64-bit lanes are unspecified.
        let x = (c << bits).wrapping_add(p.wrapping_mul(2 * sign)).wrapping_add(half_ulp) >> bits;
        r |= put(bits, i, clamp(x, bits, true, sat));
    }
    r
}

/// Doubling widening multiply of half-width lanes.
pub(super) fn doubling_long(s: Shape, a: u128, b: u128, imm: u64, sat: &mut u32) -> u128 {
    let (bits, h) = (s.lane.bits(), half(s.lane));
    let mut r = 0;
    for i in 0..u32::from(s.lanes) {
        let x = value(widening(s, a, imm, i), h, true);
        let y = value(widening(s, b, imm, i), h, true);
        r |= put(bits, i, clamp(2 * x * y, bits, true, sat));
    }
    r
}

/// Saturating shift by the signed low byte of each lane of `b`.
pub(super) fn shift_by(s: Shape, a: u128, b: u128, signed: bool, round: bool, sat: &mut u32) -> u128 {
    let bits = s.lane.bits();
    let mut r = 0;
    for i in 0..u32::from(s.lanes) {
        let x = value(get(a, bits, i), bits, signed);
        let n = i32::from(get(b, bits, i) as i8);
        let y = if n < 0 { shift_right(x, n.unsigned_abs(), round) } else { x << n.min(bits as i32 - 1) };
        // A shift by the whole width or more loses every set bit.
        let y = if n >= bits as i32 { x.signum() << bits } else { y };
        r |= put(bits, i, clamp(y, bits, signed, sat));
    }
    r
}

/// Signed lanes shifted left by `imm` and saturated as unsigned.
pub(super) fn shift_left_unsigned(s: Shape, a: u128, imm: u64, sat: &mut u32) -> u128 {
    let bits = s.lane.bits();
    let mut r = 0;
    for i in 0..u32::from(s.lanes) {
        let x = value(get(a, bits, i), bits, true);
        r |= put(bits, i, clamp(x << imm.min(63), bits, false, sat));
    }
    r
}

/// Lanes of double width, shifted right by `shift` with or without rounding, saturated to the shape's lanes.
pub(super) fn narrow(
    s: Shape,
    a: u128,
    (from_signed, to_signed): (bool, bool),
    shift: u32,
    round: bool,
    sat: &mut u32,
) -> u128 {
    let bits = s.lane.bits();
    let mut r = 0;
    for i in 0..u32::from(s.lanes) {
        let x = value(get(a, bits * 2, i), bits * 2, from_signed);
        r |= put(bits, i, clamp(shift_right(x, shift, round), bits, to_signed, sat));
    }
    r
}
