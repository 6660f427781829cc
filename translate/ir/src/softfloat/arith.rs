//! Add, subtract, multiply, divide, square root and fused multiply-add.

use super::core::{
    TOP, Unpacked, invalid, nans2, nans3, process_nan, round_pack, shift_right_jam, unpack, used_denormals,
};
use super::{DIV_BY_ZERO, Env, Format, NanRule, Round, convert};

/// The sign of an exact zero sum of non-zero numbers, or of zeros of opposite sign.
#[inline]
pub(super) fn zero_sum_sign(env: &Env) -> bool {
    env.round == Round::Down
}

/// The sum of two finite non-zero magnitudes with signs, as (sign, exp, sig), or `None` when it is zero.
/// Both significands have at least their low bit clear, or are far enough above the rounding position that a sticky
/// bit is harmless; see the module comment of `softfloat`.
pub(super) fn add_finite(
    (sa, ea, ma): (bool, i32, u128),
    (sb, eb, mb): (bool, i32, u128),
) -> Option<(bool, i32, u128)> {
    let ((sa, ea, ma), (sb, eb, mb)) =
        if (ea, ma) >= (eb, mb) { ((sa, ea, ma), (sb, eb, mb)) } else { ((sb, eb, mb), (sa, ea, ma)) };
    let small = shift_right_jam(mb, (ea - eb).unsigned_abs());
    if sa == sb {
        let sum = ma + small;
        return Some(if sum >> (TOP + 1) != 0 {
            (sa, ea + 1, shift_right_jam(sum, 1))
        } else {
            (sa, ea, sum)
        });
    }
    let diff = ma - small;
    if diff == 0 {
        return None;
    }
    let up = diff.leading_zeros() - (127 - TOP);
    Some((sa, ea - up as i32, diff << up))
}

/// The exact product of two finite non-zero numbers of formats with at most 63 fraction bits.
#[inline]
pub(super) fn mul_finite(a: &Unpacked, b: &Unpacked) -> (bool, i32, u128) {
    let sign = a.sign != b.sign;
    let p = ((a.sig >> 63) as u64 as u128) * ((b.sig >> 63) as u64 as u128);
    let exp = a.exp + b.exp;
    if p >> 127 != 0 { (sign, exp + 1, shift_right_jam(p, 1)) } else { (sign, exp, p) }
}

/// `a + b`.
pub fn add(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    let ua = unpack(env, f, a);
    let ub = unpack(env, f, b);
    if let Some(nan) = nans2(env, f, a, b) {
        return nan;
    }
    let r = add_unpacked(env, f, &ua, &ub);
    used_denormals(env, f, ua.denormal | ub.denormal);
    r
}

/// `a - b`.
pub fn sub(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    let ua = unpack(env, f, a);
    let mut ub = unpack(env, f, b);
    if let Some(nan) = nans2(env, f, a, b) {
        return nan;
    }
    ub.sign = !ub.sign;
    let r = add_unpacked(env, f, &ua, &ub);
    used_denormals(env, f, ua.denormal | ub.denormal);
    r
}

fn add_unpacked(env: &mut Env, f: Format, a: &Unpacked, b: &Unpacked) -> u64 {
    if a.is_inf() {
        return if b.is_inf() && a.sign != b.sign { invalid(env, f) } else { f.infinity(a.sign) };
    }
    if b.is_inf() {
        return f.infinity(b.sign);
    }
    let sum = match (a.is_zero(), b.is_zero()) {
        (true, true) if a.sign == b.sign => return f.zero(a.sign),
        (true, true) => None,
        (true, false) => Some((b.sign, b.exp, b.sig)),
        (false, true) => Some((a.sign, a.exp, a.sig)),
        (false, false) => add_finite((a.sign, a.exp, a.sig), (b.sign, b.exp, b.sig)),
    };
    match sum {
        Some((s, e, m)) => round_pack(env, f, s, e, m),
        None => f.zero(zero_sum_sign(env)),
    }
}

/// `a * b`.
pub fn mul(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    mul_either(env, f, a, b, false)
}

/// `a * b`, where an infinity times zero is two, exactly and silently.
pub fn mul_extended(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    mul_either(env, f, a, b, true)
}

fn mul_either(env: &mut Env, f: Format, a: u64, b: u64, extended: bool) -> u64 {
    let ua = unpack(env, f, a);
    let ub = unpack(env, f, b);
    if let Some(nan) = nans2(env, f, a, b) {
        return nan;
    }
    let sign = ua.sign != ub.sign;
    let r = if (ua.is_inf() && ub.is_zero()) || (ua.is_zero() && ub.is_inf()) {
        if extended { f.small(sign, 1, false) } else { invalid(env, f) }
    } else if ua.is_inf() || ub.is_inf() {
        f.infinity(sign)
    } else if ua.is_zero() || ub.is_zero() {
        f.zero(sign)
    } else {
        let (s, e, m) = mul_finite(&ua, &ub);
        round_pack(env, f, s, e, m)
    };
    used_denormals(env, f, ua.denormal | ub.denormal);
    r
}

/// `a / b`.
pub fn div(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    let ua = unpack(env, f, a);
    let ub = unpack(env, f, b);
    if let Some(nan) = nans2(env, f, a, b) {
        return nan;
    }
    let sign = ua.sign != ub.sign;
    let r = if (ua.is_inf() && ub.is_inf()) || (ua.is_zero() && ub.is_zero()) {
        invalid(env, f)
    } else if ua.is_inf() {
        f.infinity(sign)
    } else if ub.is_zero() {
        // Denormal numerators do not count as used here.
        env.raise(DIV_BY_ZERO);
        return f.infinity(sign);
    } else if ua.is_zero() || ub.is_inf() {
        f.zero(sign)
    } else {
        // A 64-bit by 64-bit quotient of at least 63 bits, with a sticky bit from the remainder.
        let num = (ua.sig >> 63) << 63;
        let den = ub.sig >> 63;
        let q = num / den;
        let sticky = u128::from(q * den != num);
        // q / 2^63 is the quotient of the significands, in (1/2, 2).
        let up = q.leading_zeros() - (127 - TOP);
        let exp = ua.exp - ub.exp + (TOP as i32 - 63 - up as i32);
        round_pack(env, f, sign, exp, (q << up) | sticky)
    };
    used_denormals(env, f, ua.denormal | ub.denormal);
    r
}

/// The square root.
pub fn sqrt(env: &mut Env, f: Format, a: u64) -> u64 {
    let u = unpack(env, f, a);
    if u.is_nan() {
        return process_nan(env, f, a);
    }
    let r = if u.is_zero() {
        f.zero(u.sign)
    } else if u.sign {
        return invalid(env, f);
    } else if u.is_inf() {
        f.infinity(false)
    } else {
        // The radicand is sig * 2^(0 or 1), so that the exponent is even; its root has 64 significant bits.
        let odd = (u.exp & 1) as u32;
        let rad = u.sig << odd;
        let root = rad.isqrt();
        let sticky = u128::from(root * root != rad);
        // sqrt(rad / 2^126) = root / 2^63, in [1, 2).
        let exp = (u.exp - odd as i32) / 2;
        round_pack(env, f, false, exp, (root << (TOP - 63)) | sticky)
    };
    used_denormals(env, f, u.denormal);
    r
}

/// `n * m + addend`, rounded once.
pub fn fused_mul_add(env: &mut Env, f: Format, addend: u64, n: u64, m: u64) -> u64 {
    fused(env, f, addend, n, m, false, 0)
}

/// `n * m + addend` divided by 2^`halvings`, rounded once; `step_rule` is for the Newton steps, where an infinity times
/// zero counts as zero.
pub(super) fn fused(
    env: &mut Env,
    f: Format,
    addend: u64,
    n: u64,
    m: u64,
    step_rule: bool,
    halvings: i32,
) -> u64 {
    let ua = unpack(env, f, addend);
    let un = unpack(env, f, n);
    let um = unpack(env, f, m);
    fused_unpacked(env, f, (addend, &ua), (n, &un), (m, &um), step_rule, halvings)
}

fn fused_unpacked(
    env: &mut Env,
    f: Format,
    (addend, ua): (u64, &Unpacked),
    (n, un): (u64, &Unpacked),
    (m, um): (u64, &Unpacked),
    step_rule: bool,
    halvings: i32,
) -> u64 {
    let inf_zero = (un.is_inf() && um.is_zero()) || (un.is_zero() && um.is_inf());
    let nan = nans3(env, f, addend, n, m);
    if inf_zero
        && f.is_nan(addend)
        && !f.is_snan(addend)
        && !env.alternate
        && env.nan != NanRule::FirstOperand
    {
        return invalid(env, f);
    }
    if let Some(nan) = nan {
        return nan;
    }
    let sp = un.sign != um.sign;
    let inf_product = un.is_inf() || um.is_inf();
    let r = if inf_zero {
        if step_rule {
            f.small(false, if halvings == 0 { 1 } else { 0 }, halvings != 0)
        } else {
            return invalid(env, f);
        }
    } else if ua.is_inf() && inf_product && ua.sign != sp {
        return invalid(env, f);
    } else if ua.is_inf() {
        f.infinity(ua.sign)
    } else if inf_product {
        f.infinity(sp)
    } else {
        let zero_product = un.is_zero() || um.is_zero();
        let sum = match (ua.is_zero(), zero_product) {
            (true, true) if ua.sign == sp => return finish(env, f, f.zero(sp), ua, un, um),
            (true, true) => None,
            (true, false) => Some(mul_finite(un, um)),
            (false, true) => Some((ua.sign, ua.exp, ua.sig)),
            (false, false) => add_finite((ua.sign, ua.exp, ua.sig), mul_finite(un, um)),
        };
        match sum {
            Some((s, e, sig)) => round_pack(env, f, s, e - halvings, sig),
            None => f.zero(zero_sum_sign(env)),
        }
    };
    finish(env, f, r, ua, un, um)
}

fn finish(env: &mut Env, f: Format, r: u64, a: &Unpacked, n: &Unpacked, m: &Unpacked) -> u64 {
    used_denormals(env, f, a.denormal | n.denormal | m.denormal);
    r
}

/// `n * m + addend` where the factors are of a narrower format than addend and result (`f`), rounded once.
pub fn mul_add_widening(env: &mut Env, f: Format, narrow: Format, addend: u64, n: u64, m: u64) -> u64 {
    let ua = unpack(env, f, addend);
    let un = unpack(env, narrow, n);
    let um = unpack(env, narrow, m);
    // Widening is exact and keeps NaNs, their signalling included, so that the NaN rule sees the original order.
    let (wn, wm) = (convert::widen_raw(narrow, f, n), convert::widen_raw(narrow, f, m));
    // Denormal 16-bit operands raise nothing.
    let un = Unpacked { denormal: false, ..un };
    let um = Unpacked { denormal: false, ..um };
    fused_unpacked(env, f, (addend, &ua), (wn, &un), (wm, &um), false, 0)
}
