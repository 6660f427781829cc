//! Comparison, minimum and maximum.

use super::core::{Class, Unpacked, nans2, round_pack, unpack, used_denormals};
use super::{Env, Format, INVALID};

/// How two numbers stand to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relation {
    /// The first is smaller.
    Less,
    /// Equal (zeros of either sign are).
    Equal,
    /// The first is larger.
    Greater,
    /// One is a NaN.
    Unordered,
}

/// Which minimum or maximum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum MinMax {
    /// Minimum; NaNs propagate.
    Min,
    /// Maximum; NaNs propagate.
    Max,
    /// Minimum; a single quiet NaN is ignored.
    MinNum,
    /// Maximum; a single quiet NaN is ignored.
    MaxNum,
    /// Minimum; a single NaN of either kind is ignored, a signalling one raising invalid.
    MinimumNumber,
    /// Maximum; a single NaN of either kind is ignored, a signalling one raising invalid.
    MaximumNumber,
    /// `a < b ? a : b`, signalling.
    MinSelect,
    /// `a > b ? a : b`, signalling.
    MaxSelect,
}

fn order(a: &Unpacked, b: &Unpacked) -> Relation {
    // A key that orders numbers of one sign by magnitude.
    fn key(u: &Unpacked) -> (i32, u128) {
        match u.class {
            Class::Zero => (i32::MIN, 0),
            Class::Finite => (u.exp, u.sig),
            Class::Infinity | Class::Quiet | Class::Signalling => (i32::MAX, 0),
        }
    }
    if a.is_zero() && b.is_zero() {
        return Relation::Equal;
    }
    let less = match (a.sign, b.sign) {
        (true, false) => true,
        (false, true) => false,
        (false, false) if key(a) == key(b) => return Relation::Equal,
        (true, true) if key(a) == key(b) => return Relation::Equal,
        (false, false) => key(a) < key(b),
        (true, true) => key(a) > key(b),
    };
    if less { Relation::Less } else { Relation::Greater }
}

/// Compares. A signalling NaN raises invalid; with `signalling` a quiet one does too.
pub fn compare(env: &mut Env, f: Format, a: u64, b: u64, signalling: bool) -> Relation {
    let ua = unpack(env, f, a);
    let ub = unpack(env, f, b);
    if ua.is_nan() || ub.is_nan() {
        if signalling || ua.class == Class::Signalling || ub.class == Class::Signalling {
            env.raise(INVALID);
        }
        return Relation::Unordered;
    }
    used_denormals(env, f, ua.denormal | ub.denormal);
    order(&ua, &ub)
}

/// A minimum or maximum of the given kind.
pub fn min_max(env: &mut Env, f: Format, kind: MinMax, a: u64, b: u64) -> u64 {
    match kind {
        MinMax::Min => propagating(env, f, a, b, false, env.alternate),
        MinMax::Max => propagating(env, f, a, b, true, env.alternate),
        MinMax::MinNum => number(env, f, a, b, false),
        MinMax::MaxNum => number(env, f, a, b, true),
        MinMax::MinimumNumber => ignoring(env, f, a, b, false),
        MinMax::MaximumNumber => ignoring(env, f, a, b, true),
        MinMax::MinSelect => select(env, f, a, b, Relation::Less),
        MinMax::MaxSelect => select(env, f, a, b, Relation::Greater),
    }
}

/// The flushed bits of an operand.
fn flushed(f: Format, a: u64, u: &Unpacked) -> u64 {
    if u.is_zero() { f.zero(u.sign) } else { a & f.mask() }
}

fn propagating(env: &mut Env, f: Format, a: u64, b: u64, max: bool, second_wins: bool) -> u64 {
    let ua = unpack(env, f, a);
    let ub = unpack(env, f, b);
    if second_wins {
        if ua.is_zero() && ub.is_zero() && ua.sign != ub.sign {
            return f.zero(ub.sign);
        }
        if ua.is_nan() || ub.is_nan() {
            env.raise(INVALID);
            return flushed(f, b, &ub);
        }
    }
    if let Some(nan) = nans2(env, f, a, b) {
        return nan;
    }
    used_denormals(env, f, ua.denormal | ub.denormal);
    if ua.is_zero() && ub.is_zero() {
        return f.zero(if max { ua.sign && ub.sign } else { ua.sign || ub.sign });
    }
    let first = order(&ua, &ub) == if max { Relation::Greater } else { Relation::Less };
    let (bits, u) = if first { (a, &ua) } else { (b, &ub) };
    // A denormal result is flushed like any other, except where the second operand wins.
    if u.denormal && !second_wins { round_pack(env, f, u.sign, u.exp, u.sig) } else { flushed(f, bits, u) }
}

fn number(env: &mut Env, f: Format, a: u64, b: u64, max: bool) -> u64 {
    let quiet = |x| f.is_nan(x) && !f.is_snan(x);
    // A single quiet NaN counts as the infinity that never wins.
    let ignored = f.infinity(max);
    let (mut x, mut y) = (a, b);
    if !(env.alternate && f.is_nan(a) && f.is_nan(b)) {
        if quiet(a) && !quiet(b) {
            x = ignored;
        } else if quiet(b) && !quiet(a) {
            y = ignored;
        }
    }
    propagating(env, f, x, y, max, false)
}

fn ignoring(env: &mut Env, f: Format, a: u64, b: u64, max: bool) -> u64 {
    if f.is_snan(a) || f.is_snan(b) {
        env.raise(INVALID);
    }
    match (f.is_nan(a), f.is_nan(b)) {
        (true, true) => env.default_nan(f),
        (true, false) => b & f.mask(),
        (false, true) => a & f.mask(),
        (false, false) => propagating(env, f, a, b, max, false),
    }
}

fn select(env: &mut Env, f: Format, a: u64, b: u64, wanted: Relation) -> u64 {
    let first = compare(env, f, a, b, true) == wanted;
    let keep = if first { a } else { b };
    let mut silent = *env;
    let u = unpack(&mut silent, f, keep);
    flushed(f, keep, &u)
}
