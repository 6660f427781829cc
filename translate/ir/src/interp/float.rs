//! Floating-point operations: lanes through [`crate::softfloat`], with the environment an instruction asks for.

use super::vec::{get, put};
use crate::softfloat::{self as sf, Env, Format, MinMax, Relation};
use crate::{Fp, FpRules, FpState, NanRule, Round, Shape, Size};

/// The format of lanes of this size.
pub(super) fn format(size: Size) -> Format {
    match size {
        Size::H => sf::F16,
        Size::S => sf::F32,
        Size::D => sf::F64,
        Size::B | Size::Q => panic!("no floating-point format of {size:?}"),
    }
}

/// The software environment of an instruction under the given dynamic rounding mode (as `SetRound`).
pub fn env(rules: FpRules, round: Round, dynamic: u32) -> Env {
    let (nan, negative) = match rules.nan {
        NanRule::Arm if rules.alternate => (sf::NanRule::FirstOperand, true),
        NanRule::Arm => (sf::NanRule::SignallingFirst, false),
        NanRule::Default => (sf::NanRule::Default, rules.alternate),
        NanRule::X86 => (sf::NanRule::FirstOperand, true),
    };
    let x86 = rules.nan == NanRule::X86;
    Env {
        round: match round {
            Round::Dynamic => match dynamic {
                1 => sf::Round::Up,
                2 => sf::Round::Down,
                3 => sf::Round::Zero,
                4 => sf::Round::NearestAway,
                _ => sf::Round::NearestEven,
            },
            Round::Nearest => sf::Round::NearestEven,
            Round::Zero => sf::Round::Zero,
            Round::Down => sf::Round::Down,
            Round::Up => sf::Round::Up,
            Round::NearestAway => sf::Round::NearestAway,
            Round::Odd => sf::Round::Odd,
        },
        nan,
        negative_default_nan: negative,
        int_invalid: if x86 { sf::IntInvalid::Indefinite } else { sf::IntInvalid::NanIsZero },
        tininess: if rules.tiny_before && !rules.alternate {
            sf::Tininess::Before
        } else {
            sf::Tininess::After
        },
        flush_in: rules.flush_in,
        // Flushing inputs alone is the mode that raises nothing.
        quiet_flush_in: rules.flush_in && (x86 || rules.alternate || !rules.flush_out),
        flush_out: rules.flush_out,
        flush_in16: rules.flush_half,
        flush_out16: rules.flush_half,
        alternate: rules.alternate,
        report_denormals: x86,
        flags: 0,
    }
}

/// One instruction's environment; its flags go to the sticky state in the end.
pub(super) struct Lanes {
    env: Env,
    shape: Shape,
    format: Format,
}

impl Lanes {
    pub fn new(fp: Fp, state: &FpState) -> Lanes {
        Lanes { env: env(fp.rules, fp.round, state.round), shape: fp.shape, format: format(fp.shape.lane) }
    }

    fn bits(&self) -> u32 {
        self.shape.lane.bits()
    }

    fn lane(&self, v: u128, i: u32) -> u64 {
        get(v, self.bits(), i)
    }

    fn count(&self) -> u32 {
        u32::from(self.shape.lanes)
    }

    /// Negates as the alternate behaviour wants it: NaNs stay.
    fn neg(&self, a: u64) -> u64 {
        if (self.env.alternate || self.env.report_denormals) && self.format.is_nan(a) {
            a
        } else {
            a ^ self.format.sign_bit()
        }
    }

    /// A result from its lanes, with the flags they raise.
    fn build(mut self, state: &mut FpState, f: impl Fn(&mut Lanes, u32) -> u64) -> u128 {
        let mut r = 0;
        for i in 0..self.count() {
            let x = f(&mut self, i);
            r |= put(self.bits(), i, x);
        }
        state.flags |= self.env.flags;
        r
    }
}

/// An operation on one lane.
pub(super) type Unary = fn(&mut Env, Format, u64) -> u64;
/// An operation on two lanes.
pub(super) type Binary = fn(&mut Env, Format, u64, u64) -> u64;

pub(super) fn unary(fp: Fp, state: &mut FpState, a: u128, op: Unary) -> u128 {
    Lanes::new(fp, state).build(state, |l, i| {
        let x = l.lane(a, i);
        op(&mut l.env, l.format, x)
    })
}

pub(super) fn binary(fp: Fp, state: &mut FpState, a: u128, b: u128, op: Binary) -> u128 {
    Lanes::new(fp, state).build(state, |l, i| {
        let (x, y) = (l.lane(a, i), l.lane(b, i));
        op(&mut l.env, l.format, x, y)
    })
}

pub(super) fn pairwise(fp: Fp, state: &mut FpState, a: u128, b: u128, op: Binary) -> u128 {
    let at = |l: &Lanes, j: u32| {
        if j < l.count() { get(a, l.bits(), j) } else { get(b, l.bits(), j - l.count()) }
    };
    Lanes::new(fp, state).build(state, |l, i| {
        let (x, y) = (at(l, 2 * i), at(l, 2 * i + 1));
        op(&mut l.env, l.format, x, y)
    })
}

pub(super) fn max(e: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    sf::min_max(e, f, if e.report_denormals { MinMax::MaxSelect } else { MinMax::Max }, a, b)
}
pub(super) fn min(e: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    sf::min_max(e, f, if e.report_denormals { MinMax::MinSelect } else { MinMax::Min }, a, b)
}
pub(super) fn max_num(e: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    sf::min_max(e, f, MinMax::MaxNum, a, b)
}
pub(super) fn min_num(e: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    sf::min_max(e, f, MinMax::MinNum, a, b)
}
pub(super) fn maximum_number(e: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    sf::min_max(e, f, MinMax::MaximumNumber, a, b)
}
pub(super) fn minimum_number(e: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    sf::min_max(e, f, MinMax::MinimumNumber, a, b)
}
pub(super) fn mask_eq(e: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    mask(sf::compare(e, f, a, b, false) == Relation::Equal)
}
pub(super) fn mask_ge(e: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    mask(matches!(sf::compare(e, f, a, b, true), Relation::Equal | Relation::Greater))
}
pub(super) fn mask_gt(e: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    mask(sf::compare(e, f, a, b, true) == Relation::Greater)
}

fn mask(b: bool) -> u64 {
    if b { u64::MAX } else { 0 }
}

/// acc + a * b with the negations of `imm`.
pub(super) fn fma(fp: Fp, state: &mut FpState, acc: u128, a: u128, b: u128, imm: u64) -> u128 {
    Lanes::new(fp, state).build(state, |l, i| {
        let (mut c, mut x, y) = (get(acc, l.bits(), i), get(a, l.bits(), i), get(b, l.bits(), i));
        if imm & 1 != 0 {
            x = l.neg(x);
        }
        if (imm & 2 != 0) != (imm & 4 != 0 && i & 1 != 0) {
            c = l.neg(c);
        }
        sf::fused_mul_add(&mut l.env, l.format, c, x, y)
    })
}

/// Compares lane 0 into NZCV.
pub(super) fn compare(fp: Fp, state: &mut FpState, a: u128, b: u128, imm: u64) -> u128 {
    let mut l = Lanes::new(fp, state);
    let (x, y) = (get(a, l.bits(), 0), get(b, l.bits(), 0));
    let r = sf::compare(&mut l.env, l.format, x, y, imm & 1 != 0);
    if imm & crate::SILENT == 0 {
        state.flags |= l.env.flags;
    }
    match r {
        Relation::Less => 0b1000,
        Relation::Equal => 0b0110,
        Relation::Greater => 0b0010,
        Relation::Unordered => 0b0011,
    }
}

/// Compares lane 0 into Z, C and P.
pub(super) fn compare_parity(fp: Fp, state: &mut FpState, a: u128, b: u128, signalling: bool) -> u128 {
    let mut l = Lanes::new(fp, state);
    let (x, y) = (get(a, l.bits(), 0), get(b, l.bits(), 0));
    let r = sf::compare(&mut l.env, l.format, x, y, signalling);
    state.flags |= l.env.flags;
    match r {
        Relation::Less => 0b00_0010,
        Relation::Equal => 0b00_0100,
        Relation::Greater => 0,
        Relation::Unordered => 0b01_0110,
    }
}

/// Masks of the lanes whose relation is among those of `imm`; see [`crate::Op::FCmpP`].
pub(super) fn compare_lanes(fp: Fp, state: &mut FpState, a: u128, b: u128, imm: u64) -> u128 {
    Lanes::new(fp, state).build(state, |l, i| {
        let (x, y) = (get(a, l.bits(), i), get(b, l.bits(), i));
        let n = match sf::compare(&mut l.env, l.format, x, y, imm & 16 != 0) {
            Relation::Less => 0,
            Relation::Equal => 1,
            Relation::Greater => 2,
            Relation::Unordered => 3,
        };
        mask(imm >> n & 1 != 0)
    })
}

/// Differences in even lanes, sums in odd ones.
pub(super) fn add_sub(fp: Fp, state: &mut FpState, a: u128, b: u128) -> u128 {
    Lanes::new(fp, state).build(state, |l, i| {
        let (x, y) = (get(a, l.bits(), i), get(b, l.bits(), i));
        if i & 1 == 0 { sf::sub(&mut l.env, l.format, x, y) } else { sf::add(&mut l.env, l.format, x, y) }
    })
}

pub(super) fn round_to_int(fp: Fp, state: &mut FpState, a: u128, exact: bool) -> u128 {
    Lanes::new(fp, state).build(state, |l, i| {
        let (x, round) = (l.lane(a, i), l.env.round);
        sf::round_to_int(&mut l.env, l.format, x, round, exact)
    })
}

pub(super) fn round_to_int_sized(fp: Fp, state: &mut FpState, a: u128, bits: u32) -> u128 {
    Lanes::new(fp, state).build(state, |l, i| {
        let (x, round) = (l.lane(a, i), l.env.round);
        sf::round_to_int_sized(&mut l.env, l.format, x, bits, round)
    })
}

/// Complex addition with rotation 90 or 270.
pub(super) fn complex_add(fp: Fp, state: &mut FpState, a: u128, b: u128, rotation: u64) -> u128 {
    Lanes::new(fp, state).build(state, |l, i| {
        let (x, y) = (get(a, l.bits(), i), get(b, l.bits(), i ^ 1));
        // The real part takes -im (90) or im (270), the imaginary part re or -re.
        let negate = (i & 1 == 0) == (rotation == 90);
        let y = if negate { l.neg(y) } else { y };
        sf::add(&mut l.env, l.format, x, y)
    })
}

/// Complex multiply-add with rotation 0, 90, 180 or 270.
pub(super) fn complex_fma(fp: Fp, state: &mut FpState, acc: u128, a: u128, b: u128, rotation: u64) -> u128 {
    Lanes::new(fp, state).build(state, |l, i| {
        let bits = l.bits();
        let (re, im) = (i & !1, i | 1);
        let swapped = rotation == 90 || rotation == 270;
        let n = get(a, bits, if swapped { im } else { re });
        let m = get(b, bits, if swapped { i ^ 1 } else { i });
        let negate = match rotation {
            0 => false,
            90 => i == re,
            180 => true,
            _ => i == im,
        };
        let m = if negate { l.neg(m) } else { m };
        sf::fused_mul_add(&mut l.env, l.format, get(acc, bits, i), n, m)
    })
}

/// The 16-bit format that the flag bits of `FCvt` choose.
fn narrow_format(size: Size, imm: u64) -> Format {
    match (size, imm & 2 != 0, imm & 4 != 0) {
        (Size::H, true, _) => sf::BF16,
        (Size::H, false, true) => sf::F16_ALT,
        _ => format(size),
    }
}

/// Conversion between formats; see [`crate::Op::FCvt`].
pub(super) fn convert(fp: Fp, to: Size, state: &mut FpState, a: u128, imm: u64) -> u128 {
    let (from_format, to_format) = (narrow_format(fp.shape.lane, imm), narrow_format(to, imm));
    let mut e = env(fp.rules, fp.round, state.round);
    let a = if imm & 1 != 0 { a >> 64 } else { a };
    let mut r = 0;
    for i in 0..u32::from(fp.shape.lanes) {
        let x = get(a, fp.shape.lane.bits(), i);
        r |= put(to.bits(), i, sf::convert(&mut e, from_format, to_format, x));
    }
    state.flags |= e.flags;
    r
}

/// Half-precision lanes from lane `first` on as single-precision ones, keeping NaNs as they are.
pub(super) fn widen_half(fp: Fp, a: u128, first: u64) -> u128 {
    super::vec::build(fp.shape, |i| {
        let x = get(a, 16, i + first as u32);
        let denormal = x & 0x7c00 == 0;
        let x = if denormal && fp.rules.flush_half { x & 0x8000 } else { x };
        sf::widen_raw(sf::F16, sf::F32, x)
    })
}

/// Lane 0 to an integer of `bits` bits.
pub(super) fn to_int(fp: Fp, state: &mut FpState, a: u128, bits: u32, signed: bool, fbits: u64) -> u64 {
    let mut l = Lanes::new(fp, state);
    let (x, round) = (l.lane(a, 0), l.env.round);
    if fbits & crate::NAN_IS_MAX != 0 {
        l.env.int_invalid = sf::IntInvalid::NanIsMax;
    }
    let r = sf::to_int(&mut l.env, l.format, x, bits, fbits as u32 & 0xff, signed, round, true);
    state.flags |= l.env.flags;
    r
}

/// Each lane to an integer of the width of `to`.
pub(super) fn lanes_to_int(fp: Fp, to: Size, state: &mut FpState, a: u128, signed: bool, fbits: u64) -> u128 {
    let mut l = Lanes::new(fp, state);
    let (from, round) = (l.bits(), l.env.round);
    let mut r = 0;
    for i in 0..l.count() {
        let x = get(a, from, i);
        let y = sf::to_int(&mut l.env, l.format, x, to.bits(), fbits as u32, signed, round, true);
        r |= put(to.bits(), i, y);
    }
    state.flags |= l.env.flags;
    r
}

fn from_lane(l: &mut Lanes, x: u64, bits: u32, signed: bool, fbits: u64) -> u64 {
    let round = l.env.round;
    if signed {
        sf::from_sint(&mut l.env, l.format, super::int::sext(x, bits), fbits as u32, round)
    } else {
        sf::from_uint(&mut l.env, l.format, x & super::vec::lane_mask(bits), fbits as u32, round)
    }
}

/// An integer of `bits` bits to lane 0.
pub(super) fn from_int(fp: Fp, state: &mut FpState, a: u64, bits: u32, signed: bool, fbits: u64) -> u128 {
    let mut l = Lanes::new(fp, state);
    let r = from_lane(&mut l, a, bits, signed, fbits);
    state.flags |= l.env.flags;
    r.into()
}

pub(super) fn lanes_from_int(fp: Fp, state: &mut FpState, a: u128, signed: bool, fbits: u64) -> u128 {
    Lanes::new(fp, state).build(state, |l, i| {
        let bits = l.bits();
        from_lane(l, get(a, bits, i), bits, signed, fbits)
    })
}

/// Double to 32-bit integer modulo 2^32, bit 32 set if exact.
pub(super) fn javascript(fp: Fp, state: &mut FpState, a: u128) -> u64 {
    let mut l = Lanes::new(fp, state);
    let (v, exact) = sf::javascript_to_i32(&mut l.env, a as u64);
    state.flags |= l.env.flags;
    u64::from(v) | u64::from(exact) << 32
}

/// The environment of the bfloat16 dot products: round to odd, flush everything, default NaNs, nothing raised.
fn bf_env(negative_nan: bool) -> Env {
    Env {
        negative_default_nan: negative_nan,
        round: sf::Round::Odd,
        nan: sf::NanRule::Default,
        flush_in: true,
        flush_out: true,
        ..Env::default()
    }
}

/// In those products an overflow gives infinity in spite of the rounding mode.
fn bf_step(nan: bool, op: Binary, a: u64, b: u64) -> u64 {
    let mut e = bf_env(nan);
    let r = op(&mut e, sf::F32, a, b);
    if e.flags & sf::OVERFLOW != 0 { sf::F32.infinity(r & sf::F32.sign_bit() != 0) } else { r }
}

/// acc + (a0 * b0 + a1 * b1), each argument two bfloat16 numbers in a word.
fn bf_dot_add(nan: bool, acc: u64, a: u64, b: u64) -> u64 {
    let (lo, hi) = (|x: u64| (x & 0xffff) << 16, |x: u64| x & 0xffff_0000);
    let (x, y) = (bf_step(nan, sf::mul, lo(a), lo(b)), bf_step(nan, sf::mul, hi(a), hi(b)));
    bf_step(nan, sf::add, acc, bf_step(nan, sf::add, x, y))
}

pub(super) fn bf_dot(fp: Fp, acc: u128, a: u128, b: u128) -> u128 {
    super::vec::build(fp.shape, |i| {
        bf_dot_add(fp.rules.alternate, get(acc, 32, i), get(a, 32, i), get(b, 32, i))
    })
}

pub(super) fn bf_matrix(fp: Fp, acc: u128, a: u128, b: u128) -> u128 {
    super::vec::build(Shape::new(Size::S, 4), |e| {
        let (i, j) = (e / 2, e % 2);
        (0..2).fold(get(acc, 32, e), |sum, k| {
            bf_dot_add(fp.rules.alternate, sum, get(a, 32, 2 * i + k), get(b, 32, 2 * j + k))
        })
    })
}

/// The host's estimate of 1/x or 1/sqrt(x): its makers do not publish their tables.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "the instruction has no safe name")]
pub(super) fn host_estimate(x: u32, root: bool) -> u32 {
    use std::arch::x86_64::{_mm_cvtss_f32, _mm_rcp_ss, _mm_rsqrt_ss, _mm_set_ss};
    // SAFETY: SSE is part of this architecture.
    unsafe {
        let x = _mm_set_ss(f32::from_bits(x));
        let r = if root { _mm_rsqrt_ss(x) } else { _mm_rcp_ss(x) };
        _mm_cvtss_f32(r).to_bits()
    }
}

/// Elsewhere: the exact value rounded to 12 bits, which is within the error bound.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn host_estimate(bits: u32, root: bool) -> u32 {
    let x = f32::from_bits(bits);
    let sign = bits & 0x8000_0000;
    if x.is_nan() {
        return bits | 0x40_0000;
    }
    let x = if x.is_subnormal() { f32::from_bits(sign) } else { x };
    if root && x < 0.0 {
        return 0xffc0_0000;
    }
    let r = if root { 1.0 / x.sqrt() } else { 1.0 / x };
    let r = if r.is_subnormal() { f32::from_bits(sign) } else { r };
    if r.is_finite() { r.to_bits().wrapping_add(0x7ff) & !0xfff } else { r.to_bits() }
}

/// The host's estimate with 14 bits, where it has AVX-512.
///
/// # Safety
/// The host has AVX-512F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[allow(unsafe_code, reason = "the instructions need a host that has them")]
unsafe fn wide_estimate(x: u64, lane: Size, root: bool) -> u64 {
    use std::arch::x86_64::{
        _mm_cvtsd_f64, _mm_cvtss_f32, _mm_rcp14_sd, _mm_rcp14_ss, _mm_rsqrt14_sd, _mm_rsqrt14_ss, _mm_set_sd,
        _mm_set_ss,
    };
    if lane == Size::D {
        let v = _mm_set_sd(f64::from_bits(x));
        _mm_cvtsd_f64(if root { _mm_rsqrt14_sd(v, v) } else { _mm_rcp14_sd(v, v) }).to_bits()
    } else {
        let v = _mm_set_ss(f32::from_bits(x as u32));
        u64::from(_mm_cvtss_f32(if root { _mm_rsqrt14_ss(v, v) } else { _mm_rcp14_ss(v, v) }).to_bits())
    }
}

/// An estimate with 14 bits: the host's, or else the correctly rounded value.
#[allow(unsafe_code, reason = "the instructions need a host that has them")]
pub(super) fn host_estimate_14(x: u64, lane: Size, root: bool) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        // SAFETY: just found.
        return unsafe { wide_estimate(x, lane, root) };
    }
    let f = format(lane);
    let mut e = Env { nan: sf::NanRule::FirstOperand, negative_default_nan: true, ..Env::default() };
    let one = ((1u64 << (f.exp_bits - 1)) - 1) << f.frac_bits;
    let d = if root { sf::sqrt(&mut e, f, x) } else { x };
    sf::div(&mut e, f, one, d)
}
