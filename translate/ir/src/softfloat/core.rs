//! Taking bits apart, rounding and packing, and the choice of NaNs.

use super::{Env, Format, INEXACT, INPUT_DENORMAL, INVALID, NanRule, OVERFLOW, Round, Tininess, UNDERFLOW};

/// The position of the leading one of a finite significand.
pub(super) const TOP: u32 = 126;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    Zero,
    Finite,
    Infinity,
    Quiet,
    Signalling,
}

/// A number taken apart: `sig / 2^TOP * 2^exp` when finite, with bit `TOP` of `sig` set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unpacked {
    pub class: Class,
    pub sign: bool,
    pub denormal: bool,
    pub exp: i32,
    pub sig: u128,
}

impl Unpacked {
    #[inline]
    pub fn is_nan(&self) -> bool {
        matches!(self.class, Class::Quiet | Class::Signalling)
    }

    #[inline]
    pub fn is_zero(&self) -> bool {
        self.class == Class::Zero
    }

    #[inline]
    pub fn is_inf(&self) -> bool {
        self.class == Class::Infinity
    }
}

/// Shifts right, keeping in bit 0 whether any bit was lost.
#[inline]
pub(super) fn shift_right_jam(a: u128, by: u32) -> u128 {
    match by {
        0 => a,
        1..=127 => (a >> by) | u128::from(a << (128 - by) != 0),
        _ => u128::from(a != 0),
    }
}

/// Takes an operand apart, flushing denormals as the environment says.
pub(super) fn unpack(env: &mut Env, f: Format, a: u64) -> Unpacked {
    let half = f.exp_bits == 5;
    let u = unpack_raw(f, a);
    if u.denormal && if half { env.flush_in16 } else { env.flush_in } {
        if !half && !env.quiet_flush_in {
            env.raise(INPUT_DENORMAL);
        }
        return Unpacked { class: Class::Zero, denormal: false, ..u };
    }
    u
}

/// Takes an operand apart as it is.
pub(super) fn unpack_raw(f: Format, a: u64) -> Unpacked {
    let sign = a & f.sign_bit() != 0;
    let frac = a & f.frac_mask();
    let exp = (a >> f.frac_bits) & f.exp_max();
    let mut u = Unpacked { class: Class::Finite, sign, denormal: false, exp: 0, sig: 0 };
    if exp == f.exp_max() && !f.no_specials {
        u.class = match frac {
            0 => Class::Infinity,
            x if x & f.quiet_bit() != 0 => Class::Quiet,
            _ => Class::Signalling,
        };
    } else if exp != 0 {
        u.exp = exp as i32 - f.bias();
        u.sig = u128::from(frac | (1 << f.frac_bits)) << (TOP - f.frac_bits);
    } else if frac == 0 {
        u.class = Class::Zero;
    } else {
        let shift = frac.leading_zeros() - (63 - f.frac_bits);
        u.denormal = true;
        u.exp = f.min_exp() - shift as i32;
        u.sig = u128::from(frac) << (TOP - f.frac_bits + shift);
    }
    u
}

/// Raises input-denormal for denormal operands that were used, where the environment asks for it.
#[inline]
pub(super) fn used_denormals(env: &mut Env, f: Format, any: bool) {
    if any && (env.alternate || env.report_denormals) && f.exp_bits != 5 {
        env.raise(INPUT_DENORMAL);
    }
}

/// Whether the magnitude is incremented, given the kept low bit, and the remainder against one half.
#[inline]
pub(super) fn increments(round: Round, sign: bool, odd: bool, rem: u128, half: u128) -> bool {
    match round {
        Round::NearestEven => rem > half || (rem == half && odd),
        Round::NearestAway => rem >= half,
        Round::Up => rem != 0 && !sign,
        Round::Down => rem != 0 && sign,
        Round::Zero | Round::Odd => false,
    }
}

/// Rounds with the rounding mode of the environment; see [`round_pack_as`].
#[inline]
pub(super) fn round_pack(env: &mut Env, f: Format, sign: bool, exp: i32, sig: u128) -> u64 {
    round_pack_as(env, f, env.round, sign, exp, sig)
}

/// Rounds `sig / 2^TOP * 2^exp` (bit `TOP` set, bit 0 possibly sticky) to the format and raises what that raises.
pub(super) fn round_pack_as(env: &mut Env, f: Format, round: Round, sign: bool, exp: i32, sig: u128) -> u64 {
    let min = f.min_exp();
    let flush = if f.exp_bits == 5 { env.flush_out16 } else { env.flush_out };
    if flush && env.tininess == Tininess::Before && exp < min {
        env.raise(UNDERFLOW);
        return f.zero(sign);
    }
    let normal_shift = TOP - f.frac_bits;
    let mut sig = sig;
    let mut shift = normal_shift;
    let mut biased = 1;
    let mut tiny = false;
    if exp < min {
        tiny = true;
        if env.tininess == Tininess::After && exp == min - 1 {
            // Tiny after rounding unless rounding to full precision carries into the smallest normal number.
            let kept = sig >> normal_shift;
            let rem = sig & ((1 << normal_shift) - 1);
            let up = increments(round, sign, kept & 1 != 0, rem, 1 << (normal_shift - 1));
            tiny = !(up && kept + 1 == 1 << (f.frac_bits + 1));
        }
        let extra = (min - exp) as u32;
        if normal_shift + extra > 127 {
            sig = 1;
            shift = 127;
        } else {
            shift += extra;
        }
    } else {
        biased = u64::from((exp - min) as u32) + 1;
    }
    let rem = sig & ((1u128 << shift) - 1);
    let mut kept = (sig >> shift) as u64;
    let inexact = rem != 0;
    if tiny && flush {
        env.raise(UNDERFLOW | INEXACT);
        return f.zero(sign);
    }
    if increments(round, sign, kept & 1 != 0, rem, 1u128 << (shift - 1)) {
        kept += 1;
    } else if round == Round::Odd && inexact {
        kept |= 1;
    }
    // The implicit bit of `kept` adds one to the exponent field; a carry out of the fraction does so once more.
    let limit = f.infinity(false);
    let packed = if biased > f.exp_max() { u64::MAX } else { ((biased - 1) << f.frac_bits) + kept };
    if f.no_specials {
        if packed > f.max_finite(false) {
            env.raise(INVALID);
            return f.max_finite(sign);
        }
    } else if packed >= limit {
        env.raise(OVERFLOW | INEXACT);
        return overflowed(f, round, sign);
    }
    if inexact {
        env.raise(if tiny { UNDERFLOW | INEXACT } else { INEXACT });
    }
    f.zero(sign) | packed
}

/// The result of an overflow: infinity or the largest finite number.
pub(super) fn overflowed(f: Format, round: Round, sign: bool) -> u64 {
    let to_inf = match round {
        Round::NearestEven | Round::NearestAway => true,
        Round::Up => !sign,
        Round::Down => sign,
        Round::Zero | Round::Odd => false,
    };
    if to_inf { f.infinity(sign) } else { f.max_finite(sign) }
}

/// Invalid operation: the default NaN.
#[inline]
pub(super) fn invalid(env: &mut Env, f: Format) -> u64 {
    env.raise(INVALID);
    env.default_nan(f)
}

/// The result for one operand known to be a NaN.
pub(super) fn process_nan(env: &mut Env, f: Format, a: u64) -> u64 {
    if f.is_snan(a) {
        env.raise(INVALID);
    }
    if env.nan == NanRule::Default { env.default_nan(f) } else { (a & f.mask()) | f.quiet_bit() }
}

/// The result when any of the operands, listed in order of precedence, is a NaN.
fn choose_nan(env: &mut Env, f: Format, ops: &[u64]) -> Option<u64> {
    let first = *ops.iter().find(|&&a| f.is_nan(a))?;
    let signalling = ops.iter().find(|&&a| f.is_snan(a));
    if signalling.is_some() {
        env.raise(INVALID);
    }
    Some(match env.nan {
        NanRule::Default => env.default_nan(f),
        NanRule::FirstOperand => (first & f.mask()) | f.quiet_bit(),
        NanRule::SignallingFirst => (signalling.unwrap_or(&first) & f.mask()) | f.quiet_bit(),
    })
}

/// The result of a two-operand operation when one is a NaN.
#[inline]
pub(super) fn nans2(env: &mut Env, f: Format, a: u64, b: u64) -> Option<u64> {
    if f.is_nan(a) || f.is_nan(b) { choose_nan(env, f, &[a, b]) } else { None }
}

/// The result of `n * m + addend` when one is a NaN.
pub(super) fn nans3(env: &mut Env, f: Format, addend: u64, n: u64, m: u64) -> Option<u64> {
    match env.nan {
        NanRule::FirstOperand => choose_nan(env, f, &[n, m, addend]),
        NanRule::SignallingFirst | NanRule::Default => choose_nan(env, f, &[addend, n, m]),
    }
}
