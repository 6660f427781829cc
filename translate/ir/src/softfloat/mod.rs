//! Software floating point: the exact definition of every FP op of the IR, on bit patterns.
//!
//! In: operands as raw bits in a `u64`, a [`Format`] and an [`Env`] (rounding, NaN, tininess and flush rules).
//! Out: result bits; exception flags accumulate in [`Env::flags`].
//! Everything that differs between architectures is a field of `Env`, never a question about which guest runs.
//! The finite core works on a 127-bit significand, so a 128-bit fused product of the formats here is never rounded twice.

mod arith;
mod compare;
mod convert;
mod core;
mod estimate;
#[cfg(test)]
mod tests;

pub use arith::{add, div, fused_mul_add, mul, mul_add_widening, mul_extended, sqrt, sub};
pub use compare::{MinMax, Relation, compare, min_max};
pub use convert::{
    convert, from_int, from_sint, from_uint, javascript_to_i32, round_to_int, round_to_int_sized, to_int,
    to_sint, to_uint, widen_raw,
};
pub use estimate::{
    recip_estimate, recip_exponent, recip_sqrt_estimate, recip_sqrt_step, recip_step,
    unsigned_recip_estimate, unsigned_recip_sqrt_estimate,
};

/// Invalid operation.
pub const INVALID: u32 = 1;
/// Division of a finite number by zero.
pub const DIV_BY_ZERO: u32 = 2;
/// Result too large for the format.
pub const OVERFLOW: u32 = 4;
/// Result tiny and inexact, or flushed.
pub const UNDERFLOW: u32 = 8;
/// Result rounded.
pub const INEXACT: u32 = 16;
/// A denormal operand was flushed (or, with [`Env::alternate`], used).
pub const INPUT_DENORMAL: u32 = 128;

/// An IEEE 754 binary interchange format (or one shaped like it) of at most 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    /// Width of the exponent field.
    pub exp_bits: u32,
    /// Width of the fraction field.
    pub frac_bits: u32,
    /// The all-ones exponent holds ordinary numbers; there are no infinities or NaNs.
    pub no_specials: bool,
}

/// IEEE binary16.
pub const F16: Format = Format { exp_bits: 5, frac_bits: 10, no_specials: false };
/// The alternative half precision without infinities and NaNs.
pub const F16_ALT: Format = Format { exp_bits: 5, frac_bits: 10, no_specials: true };
/// bfloat16.
pub const BF16: Format = Format { exp_bits: 8, frac_bits: 7, no_specials: false };
/// IEEE binary32.
pub const F32: Format = Format { exp_bits: 8, frac_bits: 23, no_specials: false };
/// IEEE binary64.
pub const F64: Format = Format { exp_bits: 11, frac_bits: 52, no_specials: false };

impl Format {
    /// Total width in bits.
    #[inline]
    pub const fn width(self) -> u32 {
        1 + self.exp_bits + self.frac_bits
    }

    /// The largest value of the exponent field.
    #[inline]
    pub(crate) const fn exp_max(self) -> u64 {
        (1 << self.exp_bits) - 1
    }

    #[inline]
    pub(crate) const fn bias(self) -> i32 {
        (1 << (self.exp_bits - 1)) - 1
    }

    /// The exponent of the smallest normal number.
    #[inline]
    pub(crate) const fn min_exp(self) -> i32 {
        1 - self.bias()
    }

    /// All fraction bits set.
    #[inline]
    pub const fn frac_mask(self) -> u64 {
        (1 << self.frac_bits) - 1
    }

    /// The bit that tells a quiet NaN.
    #[inline]
    pub const fn quiet_bit(self) -> u64 {
        1 << (self.frac_bits - 1)
    }

    /// The sign bit.
    #[inline]
    pub const fn sign_bit(self) -> u64 {
        1 << (self.width() - 1)
    }

    /// Every bit of the format.
    #[inline]
    pub const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.width())
    }

    /// A signed zero.
    #[inline]
    pub const fn zero(self, negative: bool) -> u64 {
        if negative { self.sign_bit() } else { 0 }
    }

    /// A signed infinity.
    #[inline]
    pub const fn infinity(self, negative: bool) -> u64 {
        self.zero(negative) | (self.exp_max() << self.frac_bits)
    }

    /// The largest finite number.
    #[inline]
    pub const fn max_finite(self, negative: bool) -> u64 {
        if self.no_specials {
            self.zero(negative) | (self.sign_bit() - 1)
        } else {
            self.infinity(negative) - 1
        }
    }

    /// 1.5 * 2^`exp` with fraction field `top` holding the bits just below the leading one.
    #[inline]
    pub(crate) const fn small(self, negative: bool, exp: i32, half: bool) -> u64 {
        let biased = (exp + self.bias()) as u64;
        self.zero(negative) | (biased << self.frac_bits) | if half { self.quiet_bit() } else { 0 }
    }

    /// Is it a NaN?
    #[inline]
    pub const fn is_nan(self, a: u64) -> bool {
        !self.no_specials && (a & (self.sign_bit() - 1)) > self.infinity(false)
    }

    /// Is it a signalling NaN?
    #[inline]
    pub const fn is_snan(self, a: u64) -> bool {
        self.is_nan(a) && a & self.quiet_bit() == 0
    }
}

/// How an inexact result is rounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Round {
    /// To nearest, ties to even.
    #[default]
    NearestEven,
    /// Towards plus infinity.
    Up,
    /// Towards minus infinity.
    Down,
    /// Towards zero.
    Zero,
    /// To nearest, ties away from zero.
    NearestAway,
    /// To odd (jamming), for results that are rounded again later.
    Odd,
}

/// Which NaN an operation with NaN operands returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum NanRule {
    /// The first signalling operand, else the first quiet one, quieted; the addend counts first in a fused multiply-add.
    /// An infinity times zero plus a quiet NaN gives the default NaN and raises invalid.
    #[default]
    SignallingFirst,
    /// The first NaN operand, quieted; the addend counts last.
    FirstOperand,
    /// Always the default NaN.
    Default,
}

/// What a conversion to an integer gives for operands that have no integer value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum IntInvalid {
    /// Saturate; a NaN gives zero.
    #[default]
    NanIsZero,
    /// Saturate; a NaN gives the largest integer.
    NanIsMax,
    /// The integer with only the top bit set (all ones when unsigned) for everything out of range.
    Indefinite,
}

/// When a result counts as tiny.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Tininess {
    /// Before rounding.
    #[default]
    Before,
    /// After rounding as if the exponent were unbounded.
    After,
}

/// The rules in force, and the flags raised so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Env {
    /// Rounding of results.
    pub round: Round,
    /// Choice of NaN.
    pub nan: NanRule,
    /// The default NaN has its sign bit set.
    pub negative_default_nan: bool,
    /// Integer results of invalid conversions.
    pub int_invalid: IntInvalid,
    /// Detection of underflow.
    pub tininess: Tininess,
    /// Denormal operands (not 16-bit) are taken as zero, raising input-denormal unless `quiet_flush_in`.
    pub flush_in: bool,
    /// `flush_in` raises nothing.
    pub quiet_flush_in: bool,
    /// Tiny results (not 16-bit) become zero: before rounding with underflow alone, or with [`Tininess::After`] after
    /// rounding with underflow and inexact.
    pub flush_out: bool,
    /// Denormal 16-bit operands are taken as zero, silently.
    pub flush_in16: bool,
    /// Tiny 16-bit results become zero.
    pub flush_out16: bool,
    /// The alternate behaviour: denormal operands that are used raise input-denormal, min and max return the second
    /// operand for NaNs and zeros, estimates flush and raise nothing.
    pub alternate: bool,
    /// Denormal operands that are used raise input-denormal (not those of conversions from 16 bits).
    pub report_denormals: bool,
    /// Exceptions raised, as the constants of this module.
    pub flags: u32,
}

impl Env {
    /// Raises exceptions.
    #[inline]
    pub fn raise(&mut self, flags: u32) {
        self.flags |= flags;
    }

    /// The default NaN of a format.
    #[inline]
    pub const fn default_nan(&self, f: Format) -> u64 {
        f.infinity(self.negative_default_nan) | f.quiet_bit()
    }
}
