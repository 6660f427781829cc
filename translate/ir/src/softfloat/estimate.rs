//! Reciprocal and reciprocal-square-root estimates and Newton steps, as the Arm Architecture Reference Manual defines
//! them (shared pseudocode `FPRecipEstimate`, `FPRSqrtEstimate`, `FPRecipStepFused`, `FPRSqrtStepFused`, `FPRecpX`).

use super::arith::fused;
use super::core::{invalid, overflowed, process_nan, unpack};
use super::{DIV_BY_ZERO, Env, F32, Format, INEXACT, OVERFLOW, Round, UNDERFLOW};

/// Runs `op` in the environment that the alternate behaviour prescribes for estimates: flushing, nearest, no flags.
pub(super) fn estimating(env: &mut Env, op: impl FnOnce(&mut Env) -> u64) -> u64 {
    if !env.alternate {
        return op(env);
    }
    let mut quiet = Env { round: Round::NearestEven, flush_in: true, flush_out: true, ..*env };
    op(&mut quiet)
}

/// Fraction bits that an estimate looks at, and that it gives.
#[derive(Clone, Copy)]
struct Precision {
    from: u32,
    to: u32,
}

const NORMAL: Precision = Precision { from: 8, to: 8 };

/// The alternate behaviour has better estimates in single precision.
fn precision(env: &Env, f: Format) -> Precision {
    if env.alternate && f == F32 { Precision { from: 11, to: 12 } } else { NORMAL }
}

/// `a` of `from` + 1 bits stands for 0.5 to 1; the result of `to` + 1 bits for 1 to 2.
fn recip_table(a: u64, p: Precision) -> u64 {
    let a = a * 2 + 1;
    ((1 << (p.from + p.to + 3)) / a).div_ceil(2)
}

/// `a` of `from` or `from` + 1 bits stands for 0.25 to 1; the result of `to` + 1 bits for 1 to 2.
fn rsqrt_table(a: u64, p: Precision) -> u64 {
    let a = if a < 1 << p.from { a * 2 + 1 } else { ((a >> 1 << 1) + 1) * 2 };
    // The largest b with a * b * b < limit, at least 2^(to + 1).
    let least = 2u64 << p.to;
    let limit = 1u64 << (p.from + 2 * p.to + 4);
    let mut b = (limit / a).isqrt().max(least);
    while a * (b + 1) * (b + 1) < limit {
        b += 1;
    }
    while b > least && a * b * b >= limit {
        b -= 1;
    }
    b.div_ceil(2)
}

/// The fraction field moved to the top of 52 bits.
fn fraction52(f: Format, a: u64) -> u64 {
    (a & f.frac_mask()) << (52 - f.frac_bits)
}

const FRAC52: u64 = (1 << 52) - 1;

fn assemble(f: Format, sign: bool, exp: i32, fraction: u64) -> u64 {
    f.zero(sign) | ((exp as u64 & f.exp_max()) << f.frac_bits) | (fraction >> (52 - f.frac_bits))
}

/// An estimate of 1/a to 8 bits, or 12.
pub fn recip_estimate(env: &mut Env, f: Format, a: u64) -> u64 {
    estimating(env, |env| {
        let u = unpack(env, f, a);
        if u.is_nan() {
            return process_nan(env, f, a);
        }
        if u.is_inf() {
            return f.zero(u.sign);
        }
        if u.is_zero() {
            env.raise(DIV_BY_ZERO);
            return f.infinity(u.sign);
        }
        if u.exp < -(f.bias() + 1) {
            env.raise(OVERFLOW | INEXACT);
            return overflowed(f, env.round, u.sign);
        }
        let flush = if f.exp_bits == 5 { env.flush_out16 } else { env.flush_out };
        if flush && u.exp >= f.bias() - 1 {
            env.raise(UNDERFLOW);
            return f.zero(u.sign);
        }
        let mut fraction = fraction52(f, a);
        let mut exp = ((a >> f.frac_bits) & f.exp_max()) as i32;
        if exp == 0 {
            if fraction >> 51 == 0 {
                exp = -1;
                fraction = (fraction << 2) & FRAC52;
            } else {
                fraction = (fraction << 1) & FRAC52;
            }
        }
        let p = precision(env, f);
        let scaled = 1 << p.from | fraction >> (52 - p.from);
        let mut result_exp = 2 * f.bias() - 1 - exp;
        let mut fraction = (recip_table(scaled, p) << (52 - p.to)) & FRAC52;
        if result_exp == 0 {
            fraction = (1 << 51) | (fraction >> 1);
        } else if result_exp == -1 {
            fraction = (1 << 50) | (fraction >> 2);
            result_exp = 0;
        }
        assemble(f, u.sign, result_exp, fraction)
    })
}

/// An estimate of 1/sqrt(a) to 8 bits, or 12.
pub fn recip_sqrt_estimate(env: &mut Env, f: Format, a: u64) -> u64 {
    estimating(env, |env| {
        let u = unpack(env, f, a);
        if u.is_nan() {
            return process_nan(env, f, a);
        }
        if u.is_zero() {
            env.raise(DIV_BY_ZERO);
            return f.infinity(u.sign);
        }
        if u.sign {
            return invalid(env, f);
        }
        if u.is_inf() {
            return f.zero(false);
        }
        let mut fraction = fraction52(f, a);
        let mut exp = ((a >> f.frac_bits) & f.exp_max()) as i32;
        if exp == 0 {
            while fraction >> 51 == 0 {
                fraction <<= 1;
                exp -= 1;
            }
            fraction = (fraction << 1) & FRAC52;
        }
        let p = precision(env, f);
        // An odd exponent takes a bit of precision: the number is below a half then.
        let scaled = (1 << p.from | fraction >> (52 - p.from)) >> (exp & 1);
        let result_exp = (3 * f.bias() - 1 - exp) / 2;
        assemble(f, false, result_exp, (rsqrt_table(scaled, p) << (52 - p.to)) & FRAC52)
    })
}

/// `-n` for the steps; the alternate behaviour leaves NaNs alone.
fn negated(env: &Env, f: Format, n: u64) -> u64 {
    if env.alternate && f.is_nan(n) { n } else { n ^ f.sign_bit() }
}

/// `2 - n * m`, rounded once.
pub fn recip_step(env: &mut Env, f: Format, n: u64, m: u64) -> u64 {
    estimating(env, |env| {
        let n = negated(env, f, n);
        fused(env, f, f.small(false, 1, false), n, m, true, 0)
    })
}

/// `(3 - n * m) / 2`, rounded once.
pub fn recip_sqrt_step(env: &mut Env, f: Format, n: u64, m: u64) -> u64 {
    estimating(env, |env| {
        let n = negated(env, f, n);
        fused(env, f, f.small(false, 1, true), n, m, true, 1)
    })
}

/// The exponent of the reciprocal, with a zero fraction.
pub fn recip_exponent(env: &mut Env, f: Format, a: u64) -> u64 {
    estimating(env, |env| {
        let u = unpack(env, f, a);
        if u.is_nan() {
            return process_nan(env, f, a);
        }
        let exp = (a >> f.frac_bits) & f.exp_max();
        let exp = if exp == 0 { f.exp_max() - 1 } else { exp ^ f.exp_max() };
        f.zero(u.sign) | (exp << f.frac_bits)
    })
}

/// The estimate of the reciprocal of a fixed-point number in 0.5 to 1.
pub fn unsigned_recip_estimate(a: u32) -> u32 {
    if a >> 31 == 0 { u32::MAX } else { (recip_table((a >> 23).into(), NORMAL) as u32) << 23 }
}

/// The estimate of the reciprocal square root of a fixed-point number in 0.25 to 1.
pub fn unsigned_recip_sqrt_estimate(a: u32) -> u32 {
    if a >> 30 == 0 { u32::MAX } else { (rsqrt_table((a >> 23).into(), NORMAL) as u32) << 23 }
}
