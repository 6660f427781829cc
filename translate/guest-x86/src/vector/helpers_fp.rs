//! Helpers on floating-point lanes.

use super::helpers_int::lane;
use ir::softfloat::{self as sf, Env, Format};
use ir::{Machine, Stop};

type R = Result<u128, Stop>;

/// What the word of a floating-point helper says.
pub(super) struct Word {
    pub imm: u8,
    pub bits: u32,
    pub lanes: u32,
    pub format: Format,
    round: u32,
    flush_in: bool,
    flush_out: bool,
}

pub(super) fn word(a: &[u128; 4]) -> Word {
    let w = a[3] as u32;
    let size = w >> 8 & 15;
    Word {
        imm: w as u8,
        bits: 8 << size,
        lanes: w >> 12 & 255,
        format: match size {
            1 => sf::F16,
            2 => sf::F32,
            _ => sf::F64,
        },
        round: w >> 20 & 7,
        flush_in: w >> 24 & 1 != 0,
        flush_out: w >> 25 & 1 != 0,
    }
}

/// A rounding by the IR's number of dynamic modes.
pub(super) fn rounding(n: u32) -> sf::Round {
    match n {
        1 => sf::Round::Up,
        2 => sf::Round::Down,
        3 => sf::Round::Zero,
        _ => sf::Round::NearestEven,
    }
}

impl Word {
    /// The environment of an operation now.
    pub fn env(&self, m: &mut dyn Machine) -> Env {
        Env {
            round: rounding(if self.round == 7 { m.fp().round } else { self.round }),
            nan: sf::NanRule::FirstOperand,
            negative_default_nan: true,
            int_invalid: sf::IntInvalid::Indefinite,
            tininess: sf::Tininess::After,
            flush_in: self.flush_in,
            quiet_flush_in: true,
            flush_out: self.flush_out,
            report_denormals: true,
            ..Env::default()
        }
    }

    /// A result from its lanes.
    pub fn each(&self, m: &mut dyn Machine, mut f: impl FnMut(&mut Env, u32) -> u64) -> u128 {
        let mut env = self.env(m);
        let mut r = 0;
        for i in 0..self.lanes {
            let x = f(&mut env, i) & (u64::MAX >> (64 - self.bits));
            r |= u128::from(x) << (self.bits * i);
        }
        m.fp().flags |= env.flags;
        r
    }
}

/// The two low single-precision lanes to 64-bit integers; bit 0 of the immediate: signed.
pub(super) fn single_to_long(m: &mut dyn Machine, a: &[u128; 4]) -> R {
    let w = word(a);
    let mut env = w.env(m);
    let mut r = 0;
    for i in 0..2 {
        let (x, round) = (lane(a[0], 32, i), env.round);
        let y = sf::to_int(&mut env, sf::F32, x, 64, 0, w.imm & 1 != 0, round, true);
        r |= u128::from(y) << (64 * i);
    }
    m.fp().flags |= env.flags;
    Ok(r)
}

/// 64-bit integers to single precision.
pub(super) fn long_to_single(m: &mut dyn Machine, a: &[u128; 4]) -> R {
    let w = word(a);
    let mut env = w.env(m);
    let mut r = 0;
    for i in 0..2 {
        let (x, round) = (lane(a[0], 64, i), env.round);
        let y = if w.imm & 1 != 0 {
            sf::from_sint(&mut env, sf::F32, x as i64, 0, round)
        } else {
            sf::from_uint(&mut env, sf::F32, x, 0, round)
        };
        r |= u128::from(y) << (32 * i);
    }
    m.fp().flags |= env.flags;
    Ok(r)
}

/// One single-precision number as bfloat16: to nearest even, denormals as zero, no flags. SDM: VCVTNEPS2BF16.
fn bf16(x: u64) -> u64 {
    if sf::F32.is_nan(x) {
        return x >> 16 | 0x40;
    }
    if x & 0x7f80_0000 == 0 {
        return x >> 16 & 0x8000;
    }
    if x & 0x7fff_ffff == 0x7f80_0000 {
        return x >> 16;
    }
    (x + 0x7fff + (x >> 16 & 1)) >> 16
}

pub(super) fn to_bf16(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    Ok((0..4).fold(0, |r, i| r | u128::from(bf16(lane(a[0], 32, i))) << (16 * i)))
}

/// acc + the products of two pairs of bfloat16 numbers: fused, to nearest even, denormals as zero, nothing raised.
pub(super) fn bf16_product_sum(acc: u64, a: u64, b: u64) -> u64 {
    let mut env = Env {
        nan: sf::NanRule::FirstOperand,
        negative_default_nan: true,
        tininess: sf::Tininess::After,
        flush_in: true,
        flush_out: true,
        ..Env::default()
    };
    let high = sf::fused_mul_add(&mut env, sf::F32, acc, a & 0xffff_0000, b & 0xffff_0000);
    sf::fused_mul_add(&mut env, sf::F32, high, (a & 0xffff) << 16, (b & 0xffff) << 16)
}

/// A number taken apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Zero,
    Denormal,
    Normal,
    Infinity,
    Quiet,
    Signalling,
}

/// The class of a number, denormals being zeros under `flush`.
fn class(f: Format, x: u64, flush: bool) -> Class {
    let max = (1 << f.exp_bits) - 1;
    let (exp, frac) = (x >> f.frac_bits & max, x & f.frac_mask());
    match (exp, frac) {
        (0, 0) => Class::Zero,
        (0, _) if flush => Class::Zero,
        (0, _) => Class::Denormal,
        (e, 0) if e == max => Class::Infinity,
        (e, _) if e == max && f.is_snan(x) => Class::Signalling,
        (e, _) if e == max => Class::Quiet,
        _ => Class::Normal,
    }
}

fn negative(f: Format, x: u64) -> bool {
    x & f.sign_bit() != 0
}

fn bias(f: Format) -> i64 {
    (1 << (f.exp_bits - 1)) - 1
}

/// 2^n as a normal number.
fn power(f: Format, n: i64) -> u64 {
    ((n + bias(f)) as u64) << f.frac_bits
}

/// Exponent and fraction of a number that is neither zero nor special: |x| = 1.fraction * 2^exponent.
fn parts(f: Format, x: u64) -> (i64, u64) {
    let exp = (x >> f.frac_bits & ((1 << f.exp_bits) - 1)) as i64;
    let frac = x & f.frac_mask();
    if exp != 0 {
        return (exp - bias(f), frac);
    }
    let up = frac.leading_zeros() - (63 - f.frac_bits);
    (1 - bias(f) - i64::from(up), frac << up & f.frac_mask())
}

fn quieted(env: &mut Env, f: Format, x: u64) -> u64 {
    if f.is_snan(x) {
        env.raise(sf::INVALID);
    }
    x & f.mask() | f.quiet_bit()
}

/// Rounds to a multiple of 2^-(imm bits 7:4); precision is raised unless bit 3 is set.
fn round_scaled(env: &mut Env, f: Format, x: u64, imm: u8) -> u64 {
    let round = match imm & 7 {
        0 => sf::Round::NearestEven,
        1 => sf::Round::Down,
        2 => sf::Round::Up,
        3 => sf::Round::Zero,
        _ => env.round,
    };
    match class(f, x, env.flush_in) {
        Class::Quiet | Class::Signalling => return quieted(env, f, x),
        Class::Infinity => return x,
        Class::Zero => return f.zero(negative(f, x)),
        Class::Denormal | Class::Normal => {}
    }
    if parts(f, x).0 >= i64::from(f.frac_bits) {
        return x;
    }
    let scale = i64::from(imm >> 4);
    let mut quiet = Env { flags: 0, flush_in: false, flush_out: false, ..*env };
    let up = sf::mul(&mut quiet, f, x, power(f, scale));
    quiet.flags = 0;
    let whole = sf::round_to_int(&mut quiet, f, up, round, true);
    if imm & 8 == 0 {
        env.raise(quiet.flags & sf::INEXACT);
    }
    sf::mul(&mut quiet, f, whole, power(f, -scale))
}

pub(super) fn round_scale(m: &mut dyn Machine, a: &[u128; 4]) -> R {
    let w = word(a);
    Ok(w.each(m, |env, i| round_scaled(env, w.format, lane(a[0], w.bits, i), w.imm)))
}

pub(super) fn reduce(m: &mut dyn Machine, a: &[u128; 4]) -> R {
    let w = word(a);
    let f = w.format;
    Ok(w.each(m, |env, i| {
        let x = lane(a[0], w.bits, i);
        match class(f, x, env.flush_in) {
            Class::Quiet | Class::Signalling => return quieted(env, f, x),
            Class::Infinity => return 0,
            _ => {}
        }
        // What is reported is the rounding of the difference.
        let whole = round_scaled(env, f, x, w.imm | 8);
        let round = match w.imm & 7 {
            0 => sf::Round::NearestEven,
            1 => sf::Round::Down,
            2 => sf::Round::Up,
            3 => sf::Round::Zero,
            _ => env.round,
        };
        let mut quiet = Env { flags: 0, round, ..*env };
        let r = sf::sub(&mut quiet, f, x, whole);
        if w.imm & 8 == 0 {
            env.raise(quiet.flags & sf::INEXACT);
        }
        r
    }))
}

/// Raises the denormal flag for an operand that is one.
fn denormal(env: &mut Env) {
    env.raise(sf::INPUT_DENORMAL);
}

pub(super) fn get_exp(m: &mut dyn Machine, a: &[u128; 4]) -> R {
    let w = word(a);
    let f = w.format;
    Ok(w.each(m, |env, i| {
        let x = lane(a[0], w.bits, i);
        match class(f, x, env.flush_in) {
            Class::Quiet | Class::Signalling => return quieted(env, f, x),
            Class::Infinity => return f.infinity(false),
            Class::Zero => return f.infinity(true),
            Class::Denormal => denormal(env),
            Class::Normal => {}
        }
        let round = env.round;
        sf::from_sint(&mut Env::default(), f, parts(f, x).0, 0, round)
    }))
}

pub(super) fn get_mant(m: &mut dyn Machine, a: &[u128; 4]) -> R {
    let w = word(a);
    let f = w.format;
    let (interval, sign) = (w.imm & 3, w.imm >> 2 & 3);
    Ok(w.each(m, |env, i| {
        let x = lane(a[0], w.bits, i);
        let minus = negative(f, x);
        let s = f.zero(minus && sign & 1 == 0);
        let one = power(f, 0);
        match class(f, x, env.flush_in) {
            Class::Quiet | Class::Signalling => return quieted(env, f, x),
            Class::Zero => return s | one,
            _ => {}
        }
        if minus && sign & 2 != 0 {
            env.raise(sf::INVALID);
            return env.default_nan(f);
        }
        match class(f, x, env.flush_in) {
            Class::Infinity => return s | one,
            Class::Denormal => denormal(env),
            _ => {}
        }
        let (exp, frac) = parts(f, x);
        let top = frac >> (f.frac_bits - 1) & 1 != 0;
        let e = match interval {
            0 => 0,
            1 if exp & 1 != 0 => -1,
            1 => 0,
            2 => -1,
            _ if top => -1,
            _ => 0,
        };
        s | power(f, e) | frac
    }))
}

pub(super) fn scale(m: &mut dyn Machine, a: &[u128; 4]) -> R {
    let w = word(a);
    let f = w.format;
    Ok(w.each(m, |env, i| scale_by(env, f, lane(a[0], w.bits, i), lane(a[1], w.bits, i))))
}

/// x * 2^floor(y). SDM: VSCALEFPS, table of special cases.
fn scale_by(env: &mut Env, f: Format, x: u64, y: u64) -> u64 {
    let (cx, cy) = (class(f, x, env.flush_in), class(f, y, env.flush_in));
    let minus = negative(f, x);
    if cx == Class::Signalling || cy == Class::Signalling {
        env.raise(sf::INVALID);
    }
    let nan = |v: u64| v & f.mask() | f.quiet_bit();
    match (cx, cy) {
        (Class::Signalling, _) => return nan(x),
        (Class::Quiet, Class::Infinity) => return if negative(f, y) { 0 } else { f.infinity(false) },
        (Class::Quiet, _) => return nan(x),
        (_, Class::Quiet | Class::Signalling) => return nan(y),
        (Class::Infinity, Class::Infinity) if negative(f, y) => {
            env.raise(sf::INVALID);
            return env.default_nan(f);
        }
        (Class::Infinity, _) => return x,
        (Class::Zero, Class::Infinity) if !negative(f, y) => {
            env.raise(sf::INVALID);
            return env.default_nan(f);
        }
        (_, Class::Infinity) => return if negative(f, y) { f.zero(minus) } else { f.infinity(minus) },
        _ => {}
    }
    if cx == Class::Denormal {
        denormal(env);
    }
    if cx == Class::Zero {
        return f.zero(minus);
    }
    let mut quiet = Env::default();
    let n = if cy == Class::Zero {
        0
    } else {
        let floor = sf::to_int(&mut quiet, f, y, 32, 0, true, sf::Round::Down, false) as u32 as i32;
        i64::from(floor).clamp(-100_000, 100_000)
    };
    let (exp, frac) = parts(f, x);
    let total = (exp + n).clamp(-20_000, 20_000);
    let s = f.zero(minus);
    let (low, high) = (1 - bias(f), bias(f));
    if total >= low && total <= high {
        return s | power(f, total) | frac;
    }
    let mut rules = Env { flush_in: false, report_denormals: false, ..*env };
    let r = if total > high {
        sf::mul(&mut rules, f, s | power(f, high) | frac, power(f, 1))
    } else {
        // One rounding of a product of normal numbers.
        let total = total.max(low - i64::from(f.frac_bits) - 3);
        let half = i64::from(f.frac_bits) + 8;
        sf::mul(&mut rules, f, s | power(f, total + half) | frac, power(f, -half))
    };
    env.raise(rules.flags);
    r
}

pub(super) fn range(m: &mut dyn Machine, a: &[u128; 4]) -> R {
    let w = word(a);
    let f = w.format;
    Ok(w.each(m, |env, i| {
        let (x, y) = (lane(a[0], w.bits, i), lane(a[1], w.bits, i));
        let (cx, cy) = (class(f, x, env.flush_in), class(f, y, env.flush_in));
        let flushed = |v: u64, c: Class| if c == Class::Zero { f.zero(negative(f, v)) } else { v };
        let (fx, fy) = (flushed(x, cx), flushed(y, cy));
        let magnitude = |v: u64| v & !f.sign_bit();
        if cx == Class::Signalling {
            return quieted(env, f, x);
        }
        if cy == Class::Signalling {
            return quieted(env, f, y);
        }
        let chosen = if cx == Class::Quiet {
            if cy == Class::Quiet { x } else { fy }
        } else if cy == Class::Quiet {
            fx
        } else {
            if cx == Class::Denormal || cy == Class::Denormal {
                denormal(env);
            }
            // Order with the negative zero below the positive one.
            let key =
                |v: u64| if negative(f, v) { -(magnitude(v) as i128) - 1 } else { magnitude(v) as i128 };
            let less = match w.imm & 3 {
                0 | 1 => key(fx) <= key(fy),
                _ => match magnitude(fx).cmp(&magnitude(fy)) {
                    std::cmp::Ordering::Equal => key(fx) <= key(fy),
                    order => order.is_lt(),
                },
            };
            if less == (w.imm & 1 == 0) { fx } else { fy }
        };
        match w.imm >> 2 & 3 {
            0 => magnitude(chosen) | x & f.sign_bit(),
            1 => chosen,
            2 => magnitude(chosen),
            _ => magnitude(chosen) | f.sign_bit(),
        }
    }))
}

pub(super) fn fixup(m: &mut dyn Machine, a: &[u128; 4]) -> R {
    let w = word(a);
    let f = w.format;
    Ok(w.each(m, |env, i| {
        let (dest, x, table) = (lane(a[0], w.bits, i), lane(a[1], w.bits, i), lane(a[2], w.bits, i));
        let minus = negative(f, x);
        let c = class(f, x, env.flush_in);
        let x = if c == Class::Zero { f.zero(minus) } else { x };
        let one = power(f, 0);
        // Each kind of number, and the bits of the immediate by which it raises divide-by-zero and invalid.
        let (token, zero_divide, invalid) = match c {
            Class::Quiet => (0, 0, 0),
            Class::Signalling => (1, 0, 1 << 4),
            Class::Zero => (2, 1, 2),
            _ if x == one => (3, 1 << 2, 1 << 3),
            Class::Infinity if minus => (4, 0, 1 << 5),
            Class::Infinity => (5, 0, 1 << 7),
            _ if minus => (6, 0, 1 << 6),
            _ => (7, 0, 0),
        };
        if w.imm & zero_divide != 0 {
            env.raise(sf::DIV_BY_ZERO);
        }
        if w.imm & invalid != 0 {
            env.raise(sf::INVALID);
        }
        let sign = f.sign_bit();
        match table >> (4 * token) & 15 {
            0 => dest,
            1 => x,
            2 => x | f.infinity(false) | f.quiet_bit(),
            3 => env.default_nan(f),
            4 => f.infinity(true),
            5 => f.infinity(false),
            6 => f.infinity(minus),
            7 => sign,
            8 => 0,
            9 => one | sign,
            10 => one,
            11 => power(f, -1),
            12 => {
                if f.frac_bits == 52 {
                    90f64.to_bits()
                } else {
                    u64::from(90f32.to_bits())
                }
            }
            13 => {
                if f.frac_bits == 52 {
                    std::f64::consts::FRAC_PI_2.to_bits()
                } else {
                    u64::from(std::f32::consts::FRAC_PI_2.to_bits())
                }
            }
            14 => f.max_finite(false),
            _ => f.max_finite(true),
        }
    }))
}

/// Lane masks: whether the number is of one of the immediate's classes.
pub(super) fn classify(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let w = word(a);
    let f = w.format;
    let mut r = 0;
    for i in 0..w.lanes {
        let x = lane(a[0], w.bits, i);
        let minus = negative(f, x);
        let bits = match class(f, x, w.flush_in) {
            Class::Quiet => 1,
            Class::Signalling => 0x80,
            Class::Zero => {
                if minus {
                    4
                } else {
                    2
                }
            }
            Class::Infinity => {
                if minus {
                    0x10
                } else {
                    8
                }
            }
            Class::Denormal => {
                if minus {
                    0x60
                } else {
                    0x20
                }
            }
            Class::Normal => {
                if minus {
                    0x40
                } else {
                    0
                }
            }
        };
        if w.imm & bits != 0 {
            r |= u128::from(u64::MAX >> (64 - w.bits)) << (w.bits * i);
        }
    }
    Ok(r)
}
