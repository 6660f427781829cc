//! Conversions between formats, to and from integers, and rounding to an integral value.

use super::core::{
    Class, TOP, Unpacked, increments, process_nan, round_pack, round_pack_as, shift_right_jam, unpack,
    unpack_raw, used_denormals,
};
use super::estimate::estimating;
use super::{BF16, Env, Format, INEXACT, INVALID, IntInvalid, NanRule, Round};

/// Converts between formats with the environment's rounding.
pub fn convert(env: &mut Env, from: Format, to: Format, a: u64) -> u64 {
    // Under the alternate behaviour bfloat16 results are made like estimates.
    if to == BF16 {
        estimating(env, |env| convert_as(env, from, to, a))
    } else {
        convert_as(env, from, to, a)
    }
}

fn convert_as(env: &mut Env, from: Format, to: Format, a: u64) -> u64 {
    // Conversions do not flush 16-bit numbers, neither as operand nor as result.
    let (in16, out16) = (env.flush_in16, env.flush_out16);
    (env.flush_in16, env.flush_out16) = (false, false);
    let u = unpack(env, from, a);
    let r = match u.class {
        Class::Quiet | Class::Signalling => {
            if u.class == Class::Signalling || to.no_specials {
                env.raise(INVALID);
            }
            if to.no_specials {
                to.zero(u.sign)
            } else if env.nan == NanRule::Default {
                env.default_nan(to)
            } else {
                move_nan(from, to, a) | to.quiet_bit()
            }
        }
        Class::Infinity if to.no_specials => {
            env.raise(INVALID);
            to.max_finite(u.sign)
        }
        Class::Infinity => to.infinity(u.sign),
        Class::Zero => to.zero(u.sign),
        Class::Finite => {
            let r = round_pack(env, to, u.sign, u.exp, u.sig);
            used_denormals(env, from, u.denormal);
            r
        }
    };
    (env.flush_in16, env.flush_out16) = (in16, out16);
    r
}

/// The NaN with the same sign and the same top fraction bits.
fn move_nan(from: Format, to: Format, a: u64) -> u64 {
    let frac = a & from.frac_mask();
    let frac = if to.frac_bits >= from.frac_bits {
        frac << (to.frac_bits - from.frac_bits)
    } else {
        frac >> (from.frac_bits - to.frac_bits)
    };
    to.infinity(a & from.sign_bit() != 0) | frac
}

/// Widens exactly and silently: denormals are kept and signalling NaNs stay so.
pub fn widen_raw(from: Format, to: Format, a: u64) -> u64 {
    let u = unpack_raw(from, a);
    match u.class {
        Class::Quiet | Class::Signalling => move_nan(from, to, a),
        Class::Infinity => to.infinity(u.sign),
        Class::Zero => to.zero(u.sign),
        Class::Finite => round_pack(&mut Env::default(), to, u.sign, u.exp, u.sig),
    }
}

/// The magnitude of `u * 2^scale` rounded to an integer (saturated at 2^127), and whether that was inexact.
fn to_magnitude(u: &Unpacked, scale: i32, round: Round) -> (u128, bool) {
    let exp = u.exp + scale;
    if exp >= TOP as i32 {
        return (1 << 127, false);
    }
    // At least one bit is shifted out, so that the remainder can be compared with a half.
    let (sig, shift) = if exp < -1 { (1, TOP + 1) } else { (u.sig, (TOP as i32 - exp) as u32) };
    let kept = sig >> shift;
    let rem = sig & ((1u128 << shift) - 1);
    let up = increments(round, u.sign, kept & 1 != 0, rem, 1u128 << (shift - 1));
    let odd = u128::from(round == Round::Odd && rem != 0);
    ((kept + u128::from(up)) | odd, rem != 0)
}

/// Converts to a signed integer of `bits` (at most 64) bits with `fbits` fraction bits.
pub fn to_sint(env: &mut Env, f: Format, a: u64, bits: u32, fbits: u32, round: Round) -> u64 {
    to_int(env, f, a, bits, fbits, true, round, true)
}

/// Converts to an unsigned integer of `bits` (at most 64) bits with `fbits` fraction bits.
pub fn to_uint(env: &mut Env, f: Format, a: u64, bits: u32, fbits: u32, round: Round) -> u64 {
    to_int(env, f, a, bits, fbits, false, round, true)
}

/// Converts to an integer, as bits zero-extended to 64; `exact` asks for the inexact exception.
pub fn to_int(
    env: &mut Env,
    f: Format,
    a: u64,
    bits: u32,
    fbits: u32,
    signed: bool,
    round: Round,
    exact: bool,
) -> u64 {
    let mask = u64::MAX >> (64 - bits);
    let top = 1u64 << (bits - 1);
    let (max, min) = if signed { (top - 1, top) } else { (mask, 0) };
    let u = unpack(env, f, a);
    let saturated = |env: &mut Env, negative: bool| {
        env.raise(INVALID);
        match env.int_invalid {
            IntInvalid::NanIsZero | IntInvalid::NanIsMax if negative => min,
            IntInvalid::NanIsZero | IntInvalid::NanIsMax => max,
            IntInvalid::Indefinite => indefinite(signed, top, mask),
        }
    };
    match u.class {
        Class::Quiet | Class::Signalling => {
            env.raise(INVALID);
            match env.int_invalid {
                IntInvalid::NanIsZero => 0,
                IntInvalid::NanIsMax => max,
                IntInvalid::Indefinite => indefinite(signed, top, mask),
            }
        }
        Class::Infinity => saturated(env, u.sign),
        Class::Zero => 0,
        Class::Finite => {
            let (mag, inexact) = to_magnitude(&u, fbits as i32, round);
            let limit = match (signed, u.sign) {
                (true, true) => u128::from(top),
                (true, false) | (false, false) => u128::from(max),
                (false, true) => 0,
            };
            if mag > limit {
                return saturated(env, u.sign);
            }
            if inexact && exact {
                env.raise(INEXACT);
            }
            let mag = mag as u64;
            (if u.sign { mag.wrapping_neg() } else { mag }) & mask
        }
    }
}

fn indefinite(signed: bool, top: u64, mask: u64) -> u64 {
    if signed { top } else { mask }
}

/// Converts a 64-bit signed integer, divided by 2^`fbits`.
pub fn from_sint(env: &mut Env, f: Format, a: i64, fbits: u32, round: Round) -> u64 {
    from_int(env, f, a < 0, u128::from(a.unsigned_abs()), fbits, round)
}

/// Converts a 64-bit unsigned integer, divided by 2^`fbits`.
pub fn from_uint(env: &mut Env, f: Format, a: u64, fbits: u32, round: Round) -> u64 {
    from_int(env, f, false, u128::from(a), fbits, round)
}

/// Converts a signed magnitude, divided by 2^`fbits`.
pub fn from_int(env: &mut Env, f: Format, negative: bool, mag: u128, fbits: u32, round: Round) -> u64 {
    if mag == 0 {
        return f.zero(false);
    }
    let lz = mag.leading_zeros();
    let exp = 127 - lz as i32 - fbits as i32;
    let sig = if lz == 0 { shift_right_jam(mag, 1) } else { mag << (lz - 1) };
    round_pack_as(env, f, round, negative, exp, sig)
}

/// Rounds to an integral value; `exact` asks for the inexact exception.
pub fn round_to_int(env: &mut Env, f: Format, a: u64, round: Round, exact: bool) -> u64 {
    let u = unpack(env, f, a);
    match u.class {
        Class::Quiet | Class::Signalling => process_nan(env, f, a),
        Class::Infinity => f.infinity(u.sign),
        Class::Zero => f.zero(u.sign),
        Class::Finite => {
            if u.exp >= f.frac_bits as i32 {
                return a & f.mask();
            }
            let (mag, inexact) = to_magnitude(&u, 0, round);
            if inexact && exact {
                env.raise(INEXACT);
            }
            if mag == 0 { f.zero(u.sign) } else { from_int(env, f, u.sign, mag, 0, Round::Zero) }
        }
    }
}

/// Rounds to an integral value that fits a signed integer of `bits` bits; everything else is invalid and gives the most
/// negative such integer.
pub fn round_to_int_sized(env: &mut Env, f: Format, a: u64, bits: u32, round: Round) -> u64 {
    let u = unpack(env, f, a);
    let out_of_range = f.small(true, bits as i32 - 1, false);
    match u.class {
        Class::Quiet | Class::Signalling | Class::Infinity => {
            env.raise(INVALID);
            out_of_range
        }
        Class::Zero => f.zero(u.sign),
        Class::Finite => {
            let (mag, inexact) = to_magnitude(&u, 0, round);
            let limit = (1u128 << (bits - 1)) - u128::from(!u.sign);
            if mag > limit {
                env.raise(INVALID);
                return out_of_range;
            }
            if inexact {
                env.raise(INEXACT);
            }
            if mag == 0 { f.zero(u.sign) } else { from_int(env, f, u.sign, mag, 0, Round::Zero) }
        }
    }
}

/// Converts binary64 to a 32-bit integer modulo 2^32, rounding to zero, and tells whether the value was exact: not an
/// infinity, a NaN, minus zero, fractional or out of range.
pub fn javascript_to_i32(env: &mut Env, a: u64) -> (u32, bool) {
    let f = super::F64;
    let u = unpack(env, f, a);
    match u.class {
        Class::Quiet | Class::Signalling | Class::Infinity => {
            env.raise(INVALID);
            (0, false)
        }
        // A flushed denormal is not exact either.
        Class::Zero => (0, a == 0),
        Class::Finite => {
            // Above 2^84 all bits that count are zero.
            let (low, inexact, big) = if u.exp > 84 {
                (0, false, true)
            } else {
                let (mag, inexact) = to_magnitude(&u, 0, Round::Zero);
                (mag as u32, inexact, mag > (1 << 31) - u128::from(!u.sign))
            };
            if big {
                env.raise(INVALID);
            } else if inexact {
                env.raise(INEXACT);
            }
            (if u.sign { low.wrapping_neg() } else { low }, !big && !inexact)
        }
    }
}
