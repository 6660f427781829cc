//! Floating-point instructions on elements, through the software definition.

use super::unit::Unit;
use crate::decode::Vector;
use ir::softfloat::{self as sf, Env, Format, MinMax, Relation, Round};

/// The format of elements of this width.
pub(super) fn format(sew: u32) -> Format {
    match sew {
        0 | 1 => sf::F16,
        2 => sf::F32,
        _ => sf::F64,
    }
}

/// A one-hot class, as fclass gives it.
fn class(f: Format, v: u64) -> u64 {
    let sign = v & f.sign_bit() != 0;
    let magnitude = v & !f.sign_bit();
    let exp = magnitude >> f.frac_bits;
    let pick = |negative: u32, positive: u32| 1 << if sign { negative } else { positive };
    if f.is_nan(v) {
        if f.is_snan(v) { 1 << 8 } else { 1 << 9 }
    } else if magnitude == f.infinity(false) {
        pick(0, 7)
    } else if magnitude == 0 {
        pick(3, 4)
    } else if exp == 0 {
        pick(2, 5)
    } else {
        pick(1, 6)
    }
}

/// The seven bits of an estimate: the nearest to the function at the middle of the interval (manual, "vfrec7", "vfrsqrt7").
fn seven(y: f64) -> u64 {
    (y * 256.0).round() as u64 - 128
}

/// Significand with the leading one removed and exponent of a finite non-zero number, denormals with exponents below 1.
fn normalized(f: Format, v: u64) -> (i64, u64) {
    let exp = (v & !f.sign_bit()) >> f.frac_bits;
    let frac = v & f.frac_mask();
    if exp != 0 {
        return (exp as i64, frac);
    }
    let zeros = frac.leading_zeros() - (64 - f.frac_bits);
    (-i64::from(zeros), frac << (zeros + 1) & f.frac_mask())
}

/// vfrec7.
fn reciprocal(env: &mut Env, f: Format, v: u64) -> u64 {
    let negative = v & f.sign_bit() != 0;
    if f.is_nan(v) {
        if f.is_snan(v) {
            env.raise(sf::INVALID);
        }
        return env.default_nan(f);
    }
    if v & !f.sign_bit() == f.infinity(false) {
        return f.zero(negative);
    }
    if v & !f.sign_bit() == 0 {
        env.raise(sf::DIV_BY_ZERO);
        return f.infinity(negative);
    }
    let (exp, frac) = normalized(f, v);
    if exp < -1 {
        env.raise(sf::OVERFLOW | sf::INEXACT);
        let to_zero = match env.round {
            Round::Zero => true,
            Round::Up => negative,
            Round::Down => !negative,
            Round::NearestEven | Round::NearestAway | Round::Odd => false,
        };
        return if to_zero { f.max_finite(negative) } else { f.infinity(negative) };
    }
    let index = frac >> (f.frac_bits - 7);
    let bits = seven(1.0 / (1.0 + (index as f64 + 0.5) / 128.0));
    let bias = (1i64 << (f.exp_bits - 1)) - 1;
    let out = 2 * bias - 1 - exp;
    let mut frac = bits << (f.frac_bits - 7);
    if out <= 0 {
        // A denormal result.
        frac = frac >> 1 | f.quiet_bit();
        if out < 0 {
            frac >>= 1;
        }
    }
    f.zero(negative) | (out.max(0) as u64) << f.frac_bits | frac
}

/// vfrsqrt7.
fn reciprocal_root(env: &mut Env, f: Format, v: u64) -> u64 {
    let negative = v & f.sign_bit() != 0;
    if v & !f.sign_bit() == 0 {
        env.raise(sf::DIV_BY_ZERO);
        return f.infinity(negative);
    }
    if f.is_nan(v) || negative {
        if negative && !f.is_nan(v) || f.is_snan(v) {
            env.raise(sf::INVALID);
        }
        return env.default_nan(f);
    }
    if v == f.infinity(false) {
        return 0;
    }
    let (exp, frac) = normalized(f, v);
    let index = frac >> (f.frac_bits - 6);
    let x = 1.0 + (index as f64 + 0.5) / 64.0;
    let bits = seven(1.0 / if exp & 1 == 0 { 2.0 * x } else { x }.sqrt());
    let bias = (1i64 << (f.exp_bits - 1)) - 1;
    let out = (3 * bias - 1 - exp) / 2;
    (out as u64) << f.frac_bits | bits << (f.frac_bits - 7)
}

impl Unit<'_> {
    /// vd[i] = ±(a * b) ± c: the signs of product and addend.
    fn fused(&mut self, negate: (bool, bool), order: impl Fn(u64, u64, u64) -> (u64, u64, u64)) {
        let f = format(self.sew);
        self.map_with(|u, a, b, d| {
            let (x, y, c) = order(a, b, d);
            let sign = |v: u64, n: bool| if n { v ^ f.sign_bit() } else { v };
            sf::fused_mul_add(&mut u.env, f, sign(c, negate.1), sign(x, negate.0), y)
        });
    }

    /// The same with products of narrow elements; `narrow` is their format.
    fn fused_wide(&mut self, narrow: Format, negate: (bool, bool)) {
        let w = format(self.sew + 1);
        self.map_sizes(self.sew + 1, self.sew, |u, a, b, d| {
            let x = sf::convert(&mut u.env, narrow, w, a);
            let y = sf::convert(&mut u.env, narrow, w, b);
            let sign = |v: u64, n: bool| if n { v ^ w.sign_bit() } else { v };
            sf::fused_mul_add(&mut u.env, w, sign(d, negate.1), sign(x, negate.0), y)
        });
    }

    fn arith(&mut self, op: impl Fn(&mut Env, Format, u64, u64) -> u64) {
        let f = format(self.sew);
        self.map_with(|u, a, b, _| op(&mut u.env, f, a, b));
    }

    fn arith_wide(&mut self, wide_source: bool, op: impl Fn(&mut Env, Format, u64, u64) -> u64) {
        let (n, w) = (format(self.sew), format(self.sew + 1));
        self.map_sizes(self.sew + 1, self.sew + u32::from(wide_source), |u, a, b, _| {
            let a = if wide_source { a } else { sf::convert(&mut u.env, n, w, a) };
            let b = sf::convert(&mut u.env, n, w, b);
            op(&mut u.env, w, a, b)
        });
    }

    fn relation(&mut self, signalling: bool, f: impl Fn(Relation) -> bool) {
        let fmt = format(self.sew);
        self.compare(|u, a, b| f(sf::compare(&mut u.env, fmt, a, b, signalling)));
    }

    fn float_to_int(&mut self, to: u32, from: u32, signed: bool, zero: bool) {
        let round = if zero { Round::Zero } else { self.env.round };
        let f = format(from);
        self.unary(to, from, |u, a| sf::to_int(&mut u.env, f, a, 8 << to, 0, signed, round, true));
    }

    fn int_to_float(&mut self, to: u32, from: u32, signed: bool) {
        let (f, round) = (format(to), self.env.round);
        self.unary(to, from, |u, a| {
            if signed {
                sf::from_sint(&mut u.env, f, super::unit::sx(a, from), 0, round)
            } else {
                sf::from_uint(&mut u.env, f, a, 0, round)
            }
        });
    }

    fn convert(&mut self, to: (u32, Format), from: (u32, Format), odd: bool) {
        let round = self.env.round;
        if odd {
            self.env.round = Round::Odd;
        }
        self.unary(to.0, from.0, |u, a| sf::convert(&mut u.env, from.1, to.1, a));
        self.env.round = round;
    }

    fn sign(&mut self, f: impl Fn(u64, u64) -> u64) {
        let top = 1u64 << (self.bits() - 1);
        self.map(|a, b, _| a & !top | f(a, b) & top);
    }

    /// False if it is none of these.
    pub fn float(&mut self, insn: Vector) -> bool {
        use Vector as V;
        let sew = self.sew;
        let (n, w) = (format(sew), format(sew + 1));
        match insn {
            V::Vfadd(_) => self.arith(sf::add),
            V::Vfsub(_) => self.arith(sf::sub),
            V::Vfrsub(_) => self.arith(|e, f, a, b| sf::sub(e, f, b, a)),
            V::Vfmul(_) => self.arith(sf::mul),
            V::Vfdiv(_) => self.arith(sf::div),
            V::Vfrdiv(_) => self.arith(|e, f, a, b| sf::div(e, f, b, a)),
            V::Vfmin(_) => self.arith(|e, f, a, b| sf::min_max(e, f, MinMax::MinimumNumber, a, b)),
            V::Vfmax(_) => self.arith(|e, f, a, b| sf::min_max(e, f, MinMax::MaximumNumber, a, b)),
            V::Vfsgnj(_) => self.sign(|_, b| b),
            V::Vfsgnjn(_) => self.sign(|_, b| !b),
            V::Vfsgnjx(_) => self.sign(|a, b| a ^ b),
            V::Vfsqrt(_) => self.unary(sew, sew, |u, a| sf::sqrt(&mut u.env, n, a)),
            V::Vfrec7(_) => self.unary(sew, sew, |u, a| reciprocal(&mut u.env, n, a)),
            V::Vfrsqrt7(_) => self.unary(sew, sew, |u, a| reciprocal_root(&mut u.env, n, a)),
            V::Vfclass(_) => self.unary(sew, sew, |_, a| class(n, a)),
            V::Vfmacc(_) => self.fused((false, false), |a, b, d| (a, b, d)),
            V::Vfnmacc(_) => self.fused((true, true), |a, b, d| (a, b, d)),
            V::Vfmsac(_) => self.fused((false, true), |a, b, d| (a, b, d)),
            V::Vfnmsac(_) => self.fused((true, false), |a, b, d| (a, b, d)),
            V::Vfmadd(_) => self.fused((false, false), |a, b, d| (d, b, a)),
            V::Vfnmadd(_) => self.fused((true, true), |a, b, d| (d, b, a)),
            V::Vfmsub(_) => self.fused((false, true), |a, b, d| (d, b, a)),
            V::Vfnmsub(_) => self.fused((true, false), |a, b, d| (d, b, a)),
            V::Vfwmacc(_) => self.fused_wide(n, (false, false)),
            V::Vfwnmacc(_) => self.fused_wide(n, (true, true)),
            V::Vfwmsac(_) => self.fused_wide(n, (false, true)),
            V::Vfwnmsac(_) => self.fused_wide(n, (true, false)),
            V::Vfwmaccbf16(_) => self.fused_wide(sf::BF16, (false, false)),
            V::Vfwadd(_) => self.arith_wide(false, sf::add),
            V::Vfwsub(_) => self.arith_wide(false, sf::sub),
            V::Vfwmul(_) => self.arith_wide(false, sf::mul),
            V::VfwaddW(_) => self.arith_wide(true, sf::add),
            V::VfwsubW(_) => self.arith_wide(true, sf::sub),
            V::Vmfeq(_) => self.relation(false, |r| r == Relation::Equal),
            V::Vmfne(_) => self.relation(false, |r| r != Relation::Equal),
            V::Vmflt(_) => self.relation(true, |r| r == Relation::Less),
            V::Vmfle(_) => self.relation(true, |r| matches!(r, Relation::Less | Relation::Equal)),
            V::Vmfgt(_) => self.relation(true, |r| r == Relation::Greater),
            V::Vmfge(_) => self.relation(true, |r| matches!(r, Relation::Greater | Relation::Equal)),
            V::VfcvtXuF(_) => self.float_to_int(sew, sew, false, false),
            V::VfcvtXF(_) => self.float_to_int(sew, sew, true, false),
            V::VfcvtRtzXuF(_) => self.float_to_int(sew, sew, false, true),
            V::VfcvtRtzXF(_) => self.float_to_int(sew, sew, true, true),
            V::VfcvtFXu(_) => self.int_to_float(sew, sew, false),
            V::VfcvtFX(_) => self.int_to_float(sew, sew, true),
            V::VfwcvtXuF(_) => self.float_to_int(sew + 1, sew, false, false),
            V::VfwcvtXF(_) => self.float_to_int(sew + 1, sew, true, false),
            V::VfwcvtRtzXuF(_) => self.float_to_int(sew + 1, sew, false, true),
            V::VfwcvtRtzXF(_) => self.float_to_int(sew + 1, sew, true, true),
            V::VfwcvtFXu(_) => self.int_to_float(sew + 1, sew, false),
            V::VfwcvtFX(_) => self.int_to_float(sew + 1, sew, true),
            V::VfwcvtFF(_) => self.convert((sew + 1, w), (sew, n), false),
            V::Vfwcvtbf16(_) => self.convert((sew + 1, w), (sew, sf::BF16), false),
            V::VfncvtXuF(_) => self.float_to_int(sew, sew + 1, false, false),
            V::VfncvtXF(_) => self.float_to_int(sew, sew + 1, true, false),
            V::VfncvtRtzXuF(_) => self.float_to_int(sew, sew + 1, false, true),
            V::VfncvtRtzXF(_) => self.float_to_int(sew, sew + 1, true, true),
            V::VfncvtFXu(_) => self.int_to_float(sew, sew + 1, false),
            V::VfncvtFX(_) => self.int_to_float(sew, sew + 1, true),
            V::VfncvtFF(_) => self.convert((sew, n), (sew + 1, w), false),
            V::VfncvtRodFF(_) => self.convert((sew, n), (sew + 1, w), true),
            V::Vfncvtbf16(_) => self.convert((sew, sf::BF16), (sew + 1, w), false),
            V::Vfredusum(_) | V::Vfredosum(_) => self.reduce(sew, |u, d, a| sf::add(&mut u.env, n, d, a)),
            V::Vfredmin(_) => {
                self.reduce(sew, |u, d, a| sf::min_max(&mut u.env, n, MinMax::MinimumNumber, d, a))
            }
            V::Vfredmax(_) => {
                self.reduce(sew, |u, d, a| sf::min_max(&mut u.env, n, MinMax::MaximumNumber, d, a))
            }
            V::Vfwredusum(_) | V::Vfwredosum(_) => self.reduce(sew + 1, |u, d, a| {
                let a = sf::convert(&mut u.env, n, w, a);
                sf::add(&mut u.env, w, d, a)
            }),
            _ => return false,
        }
        true
    }
}
