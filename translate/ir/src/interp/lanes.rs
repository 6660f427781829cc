//! Integer lanes as packed-arithmetic instruction sets have them: packs, high halves, sums of products, shifts by a vector.

use super::int::sext;
use super::vec::{build, get, map2, map2s, pairwise};
use crate::{Op, Shape};

/// Each bit is the bit of `table` that the bits of `a`, `b`, `c` number.
pub(super) fn ternary(a: u128, b: u128, c: u128, table: u8) -> u128 {
    let pick = |x: u128, one: bool| if one { x } else { !x };
    (0..8)
        .filter(|n| table >> n & 1 != 0)
        .fold(0, |r, n| r | pick(a, n & 4 != 0) & pick(b, n & 2 != 0) & pick(c, n & 1 != 0))
}

/// Evaluates an operation of this family.
pub(super) fn eval(op: Op, s: Shape, a: u128, b: u128) -> u128 {
    let bits = s.lane.bits();
    let lanes = u32::from(s.lanes);
    // Lane i of double (or half) width in the signed reading.
    let wide = |v: u128, i: u32| i128::from(sext(get(v, 2 * bits, i), 2 * bits));
    let half = |v: u128, i: u32| i128::from(sext(get(v, bits / 2, i), bits / 2));
    let either = |i: u32| if i < lanes / 2 { wide(a, i) } else { wide(b, i - lanes / 2) };
    match op {
        Op::VPackS => {
            let max = (1i128 << (bits - 1)) - 1;
            build(s, |i| either(i).clamp(-max - 1, max) as u64)
        }
        Op::VPackU => build(s, |i| either(i).clamp(0, (1 << bits) - 1) as u64),
        Op::VMulHS => map2s(s, a, b, |x, y| ((i128::from(x) * i128::from(y)) >> bits) as u64),
        Op::VMulHU => map2(s, a, b, |x, y| ((u128::from(x) * u128::from(y)) >> bits) as u64),
        Op::VMulHR => {
            map2s(s, a, b, |x, y| ((((i128::from(x) * i128::from(y)) >> (bits - 2)) + 1) >> 1) as u64)
        }
        Op::VMaddS => build(s, |i| {
            let product = |j: u32| half(a, j) * half(b, j);
            (product(2 * i) + product(2 * i + 1)) as u64
        }),
        Op::VMaddUs => {
            let max = (1i128 << (bits - 1)) - 1;
            let product = |j: u32| i128::from(get(a, bits / 2, j)) * half(b, j);
            build(s, |i| (product(2 * i) + product(2 * i + 1)).clamp(-max - 1, max) as u64)
        }
        Op::VSad => build(s, |i| (0..8).map(|j| get(a, 8, 8 * i + j).abs_diff(get(b, 8, 8 * i + j))).sum()),
        Op::VMulLoS => build(s, |i| (half(a, 2 * i) * half(b, 2 * i)) as u64),
        Op::VMulLoU => build(s, |i| get(a, bits / 2, 2 * i).wrapping_mul(get(b, bits / 2, 2 * i))),
        Op::VShlX | Op::VShrX | Op::VSarX => {
            let n = b as u64;
            build(s, |i| shift(op, bits, get(a, bits, i), n))
        }
        Op::VShlV | Op::VShrV | Op::VSarV => map2(s, a, b, |x, n| shift(op, bits, x, n)),
        Op::VRolV => map2(s, a, b, |x, n| {
            let n = n as u32 % bits;
            if n == 0 { x } else { x << n | x >> (bits - n) }
        }),
        Op::VSign => map2s(s, a, b, |x, y| match y.signum() {
            -1 => x.wrapping_neg() as u64,
            0 => 0,
            _ => x as u64,
        }),
        _ => pairwise(s, a, b, u64::wrapping_sub),
    }
}

fn shift(op: Op, bits: u32, x: u64, n: u64) -> u64 {
    match op {
        Op::VShlX | Op::VShlV if n < bits.into() => x << n,
        Op::VShrX | Op::VShrV if n < bits.into() => x >> n,
        Op::VSarX | Op::VSarV => (sext(x, bits) >> n.min(u64::from(bits) - 1)) as u64,
        _ => 0,
    }
}
