//! The string comparisons of SSE4.2. Facts: SDM volume 1, "Packed string comparison", volume 2B.

use super::helpers_int::{lane, sext};
use ir::{Machine, Stop};

/// The result before and after polarity, and the lengths.
struct Compared {
    result: u32,
    units: u32,
    lengths: [u32; 2],
}

/// (a, b, lengths, immediate | explicit << 8).
fn compare(a: &[u128; 4]) -> Compared {
    let imm = a[3] as u32;
    let bits = if imm & 1 != 0 { 16 } else { 8 };
    let signed = imm & 2 != 0;
    let units = 128 / bits;
    let length = |i: u32| {
        if imm >> 8 & 1 != 0 {
            let n = sext(a[2] as u64 >> (8 * i) & 0xff, 8).unsigned_abs() as u32;
            n.min(units)
        } else {
            (0..units).find(|&j| lane(a[i as usize], bits, j) == 0).unwrap_or(units)
        }
    };
    let (la, lb) = (length(0), length(1));
    let unit = |v: u128, i: u32| {
        let x = lane(v, bits, i);
        if signed { sext(x, bits) } else { x as i64 }
    };
    let (x, y) = (|i: u32| unit(a[0], i), |j: u32| unit(a[1], j));
    let hit = |j: u32| match imm >> 2 & 3 {
        // Any of the units of a.
        0 => j < lb && (0..la).any(|i| x(i) == y(j)),
        // In one of the ranges that pairs of a are.
        1 => j < lb && (0..la / 2).any(|i| x(2 * i) <= y(j) && y(j) <= x(2 * i + 1)),
        // Equal at the same place; beyond both ends they are.
        2 => match (j < la, j < lb) {
            (true, true) => x(j) == y(j),
            (valid_a, valid_b) => valid_a == valid_b,
        },
        // a is a substring of b from j on, as far as b reaches in the register.
        _ => (0..la).all(|i| j + i >= units || j + i < lb && x(i) == y(j + i)),
    };
    let mut result = (0..units).fold(0u32, |r, j| r | u32::from(hit(j)) << j);
    match imm >> 4 & 3 {
        1 => result ^= (1u32 << units) - 1,
        3 => result ^= (1u32 << lb) - 1,
        _ => {}
    }
    Compared { result, units, lengths: [la, lb] }
}

/// Flags in their memory form, and the index from bit 16 on.
pub(super) fn index(_: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    let c = compare(a);
    let most = a[3] as u32 & 0x40 != 0;
    let index = match (c.result, most) {
        (0, _) => c.units,
        (r, true) => 31 - r.leading_zeros(),
        (r, false) => r.trailing_zeros(),
    };
    let [la, lb] = c.lengths;
    let flags = u32::from(c.result != 0) << 8
        | u32::from(lb < c.units) << 14
        | u32::from(la < c.units) << 15
        | c.result & 1;
    Ok(u128::from(flags | index << 16))
}

/// The mask, as bits or as units.
pub(super) fn mask(_: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    let c = compare(a);
    if a[3] as u32 & 0x40 == 0 {
        return Ok(c.result.into());
    }
    let bits = 128 / c.units;
    let ones = u128::from(u64::MAX >> (64 - bits));
    Ok((0..c.units).filter(|j| c.result >> j & 1 != 0).fold(0, |r, j| r | ones << (bits * j)))
}
