//! Checks against the host FPU (round to nearest) and against `rustc_apfloat` (the other modes).

use rustc_apfloat::ieee::{BFloat, Double, Half, Single};
use rustc_apfloat::{Float, FloatConvert, Round as ApRound, Status};

use super::*;

type Binary = fn(&mut Env, Format, u64, u64) -> u64;

/// A small generator, so that runs repeat (xorshift64*).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Bits of a float, with the interesting exponents and fractions much more often than by chance.
    fn float(&mut self, f: Format) -> u64 {
        let r = self.next();
        let frac = match r & 7 {
            0 => 0,
            1 => f.frac_mask(),
            2 => 1 << (self.next() % u64::from(f.frac_bits)),
            3 => f.frac_mask() << (self.next() % u64::from(f.frac_bits)) & f.frac_mask(),
            4 => self.next() & 7,
            _ => self.next() & f.frac_mask(),
        };
        let exp = match (r >> 3) & 7 {
            0 => 0,
            1 => f.exp_max(),
            2 => 1 + (r >> 8) % 3,
            3 => f.exp_max() - 1 - (r >> 8) % 3,
            4 | 5 => (f.exp_max() / 2 + (r >> 8) % 9).wrapping_sub(4) & f.exp_max(),
            _ => (r >> 8) & f.exp_max(),
        };
        f.zero(r >> 63 != 0) | (exp << f.frac_bits) | frac
    }
}

const ROUNDS: [(Round, ApRound); 5] = [
    (Round::NearestEven, ApRound::NearestTiesToEven),
    (Round::Up, ApRound::TowardPositive),
    (Round::Down, ApRound::TowardNegative),
    (Round::Zero, ApRound::TowardZero),
    (Round::NearestAway, ApRound::NearestTiesToAway),
];

fn env(round: Round) -> Env {
    Env { round, ..Env::default() }
}

fn ap_flags(s: Status) -> u32 {
    let mut flags = 0;
    for (bit, ours) in [
        (Status::INVALID_OP, INVALID),
        (Status::DIV_BY_ZERO, DIV_BY_ZERO),
        (Status::OVERFLOW, OVERFLOW),
        (Status::INEXACT, INEXACT),
    ] {
        if s.intersects(bit) {
            flags |= ours;
        }
    }
    flags
}

/// The flags that apfloat knows: not underflow as we define it, nor an overflow that gives the largest number.
fn known_flags(flags: u32, f: Format, result: u64) -> u32 {
    let saturated = result & !f.sign_bit() == f.max_finite(false);
    flags & !UNDERFLOW & !if saturated { OVERFLOW } else { 0 }
}

/// Equal, or both NaN (the choice of NaN is tested apart).
fn same(f: Format, a: u64, b: u64) -> bool {
    a == b || (f.is_nan(a) && f.is_nan(b))
}

fn check<T: Float>(f: Format, n: usize, seed: u64) {
    let mut rng = Rng(seed);
    for _ in 0..n {
        let (a, b, c) = (rng.float(f), rng.float(f), rng.float(f));
        let (x, y, z) = (T::from_bits(a.into()), T::from_bits(b.into()), T::from_bits(c.into()));
        let nans = f.is_nan(a) || f.is_nan(b);
        for (round, ap) in ROUNDS {
            let two: [(&str, Binary, _); 4] = [
                ("add", add, x.add_r(y, ap)),
                ("sub", sub, x.sub_r(y, ap)),
                ("mul", mul, x.mul_r(y, ap)),
                ("div", div, x.div_r(y, ap)),
            ];
            for (name, op, want) in two {
                let mut e = env(round);
                let got = op(&mut e, f, a, b);
                let value = want.value.to_bits() as u64;
                assert!(same(f, got, value), "{name} {f:?} {round:?} {a:#x} {b:#x}: {got:#x} not {value:#x}");
                if !nans {
                    let flags = known_flags(e.flags, f, got);
                    assert_eq!(flags, ap_flags(want.status), "{name} {f:?} {round:?} {a:#x} {b:#x}");
                }
            }
            let mut e = env(round);
            let got = fused_mul_add(&mut e, f, c, a, b);
            let want = x.mul_add_r(y, z, ap);
            let value = want.value.to_bits() as u64;
            assert!(same(f, got, value), "fma {f:?} {round:?} {a:#x} {b:#x} {c:#x}: {got:#x} not {value:#x}");
            if !nans && !f.is_nan(c) {
                assert_eq!(
                    known_flags(e.flags, f, got),
                    ap_flags(want.status),
                    "fma {f:?} {round:?} {a:#x} {b:#x} {c:#x}"
                );
            }
            let mut e = env(round);
            let got = round_to_int(&mut e, f, a, round, false);
            let value = x.round_to_integral(ap).value.to_bits() as u64;
            assert!(same(f, got, value), "rint {f:?} {round:?} {a:#x}: {got:#x} not {value:#x}");
            for bits in [32, 64] {
                let mut e = env(round);
                let got = to_sint(&mut e, f, a, bits, 0, round);
                let mut exact = false;
                let want = x.to_i128_r(bits as usize, ap, &mut exact);
                let value = want.value as u64 & (u64::MAX >> (64 - bits));
                assert_eq!(got, value, "to_sint{bits} {f:?} {round:?} {a:#x}");
                assert_eq!(e.flags, ap_flags(want.status), "to_sint{bits} {f:?} {round:?} {a:#x}");
                let mut e = env(round);
                let got = to_uint(&mut e, f, a, bits, 0, round);
                let want = x.to_u128_r(bits as usize, ap, &mut exact);
                assert_eq!(u128::from(got), want.value, "to_uint{bits} {f:?} {round:?} {a:#x}");
                assert_eq!(e.flags, ap_flags(want.status), "to_uint{bits} {f:?} {round:?} {a:#x}");
            }
            let i = rng.next() >> (a % 64);
            let mut e = env(round);
            let got = from_uint(&mut e, f, i, 0, round);
            let want = T::from_u128_r(i.into(), ap);
            assert_eq!(got, want.value.to_bits() as u64, "from_uint {f:?} {round:?} {i:#x}");
            assert_eq!(known_flags(e.flags, f, got), ap_flags(want.status));
            let i = (rng.next() as i64) >> (a % 64);
            let got = from_sint(&mut env(round), f, i, 0, round);
            assert_eq!(
                got,
                T::from_i128_r(i.into(), ap).value.to_bits() as u64,
                "from_sint {f:?} {round:?} {i:#x}"
            );
        }
        let relation = compare(&mut Env::default(), f, a, b, false);
        let want = match x.partial_cmp(&y) {
            None => Relation::Unordered,
            Some(std::cmp::Ordering::Less) => Relation::Less,
            Some(std::cmp::Ordering::Equal) => Relation::Equal,
            Some(std::cmp::Ordering::Greater) => Relation::Greater,
        };
        assert_eq!(relation, want, "compare {f:?} {a:#x} {b:#x}");
    }
}

#[test]
fn arithmetic_agrees_with_apfloat_f16() {
    check::<Half>(F16, 10_000, 1);
}

#[test]
fn arithmetic_agrees_with_apfloat_bf16() {
    check::<BFloat>(BF16, 10_000, 2);
}

#[test]
fn arithmetic_agrees_with_apfloat_f32() {
    check::<Single>(F32, 10_000, 3);
}

#[test]
fn arithmetic_agrees_with_apfloat_f64() {
    check::<Double>(F64, 10_000, 4);
}

#[test]
fn conversions_agree_with_apfloat() {
    fn one<A: Float + FloatConvert<B>, B: Float>(from: Format, to: Format, a: u64) {
        for (round, ap) in ROUNDS {
            let mut lossy = false;
            let want = A::from_bits(a.into()).convert_r(ap, &mut lossy);
            let got = convert(&mut env(round), from, to, a);
            let value = B::to_bits(want.value) as u64;
            assert!(same(to, got, value), "{from:?} {to:?} {round:?} {a:#x}: {got:#x} not {value:#x}");
        }
    }
    for a in 0..0x1_0000 {
        one::<Half, Single>(F16, F32, a);
        one::<Half, Double>(F16, F64, a);
        one::<BFloat, Single>(BF16, F32, a);
    }
    let mut rng = Rng(5);
    for _ in 0..60_000 {
        let a = rng.float(F64);
        one::<Double, Single>(F64, F32, a);
        one::<Double, Half>(F64, F16, a);
        let a = rng.float(F32);
        one::<Single, Double>(F32, F64, a);
        one::<Single, Half>(F32, F16, a);
        one::<Single, BFloat>(F32, BF16, a);
    }
}

#[test]
fn nearest_agrees_with_the_host() {
    let mut rng = Rng(6);
    for _ in 0..300_000 {
        let (a, b, c) = (rng.float(F64), rng.float(F64), rng.float(F64));
        let (x, y, z) = (f64::from_bits(a), f64::from_bits(b), f64::from_bits(c));
        let mut e = Env::default();
        let ok = |got: u64, want: f64| assert!(same(F64, got, want.to_bits()), "{a:#x} {b:#x} {c:#x}");
        ok(add(&mut e, F64, a, b), x + y);
        ok(mul(&mut e, F64, a, b), x * y);
        ok(div(&mut e, F64, a, b), x / y);
        ok(sqrt(&mut e, F64, a), x.sqrt());
        ok(fused_mul_add(&mut e, F64, c, a, b), x.mul_add(y, z));
        let (a, b, c) = (rng.float(F32), rng.float(F32), rng.float(F32));
        let (x, y, z) = (f32::from_bits(a as u32), f32::from_bits(b as u32), f32::from_bits(c as u32));
        let ok = |got: u64, want: f32| {
            assert!(same(F32, got, want.to_bits().into()), "{a:#x} {b:#x} {c:#x}");
        };
        ok(sub(&mut e, F32, a, b), x - y);
        ok(mul(&mut e, F32, a, b), x * y);
        ok(div(&mut e, F32, a, b), x / y);
        ok(sqrt(&mut e, F32, a), x.sqrt());
        ok(fused_mul_add(&mut e, F32, c, a, b), x.mul_add(y, z));
    }
}

/// The square root of every half, in every mode, by comparing squares exactly.
#[test]
fn square_roots_of_all_halves() {
    for a in 1..0x7c00u64 {
        let exact = f64::from_bits(widen_raw(F16, F64, a));
        for (round, _) in ROUNDS {
            let r = sqrt(&mut env(round), F16, a);
            let at = |bits| f64::from_bits(widen_raw(F16, F64, bits));
            let v = at(r);
            match round {
                Round::Up => assert!(v * v >= exact && at(r - 1) * at(r - 1) < exact),
                Round::Down | Round::Zero => assert!(v * v <= exact && at(r + 1) * at(r + 1) > exact),
                Round::NearestEven | Round::NearestAway => {
                    let low = (v + at(r - 1)) / 2.0;
                    let high = (v + at(r + 1)) / 2.0;
                    assert!(low * low < exact && exact < high * high, "{a:#x}");
                }
                Round::Odd => unreachable!(),
            }
        }
    }
}

#[test]
fn nan_rules() {
    let (q, s) = (0x7fc0_0001u64, 0xff80_0002u64);
    let one = 0x3f80_0000;
    let mut e = Env::default();
    assert_eq!(add(&mut e, F32, q, s), 0xffc0_0002);
    assert_eq!(e.flags, INVALID);
    e.flags = 0;
    assert_eq!(add(&mut e, F32, q, one), q);
    assert_eq!(e.flags, 0);
    assert_eq!(fused_mul_add(&mut e, F32, q, F32.infinity(false), 0), 0x7fc0_0000);
    assert_eq!(e.flags, INVALID);
    assert_eq!(fused_mul_add(&mut e, F32, q, 0x7fc0_0003, one), q);
    let mut first = Env { nan: NanRule::FirstOperand, negative_default_nan: true, ..Env::default() };
    assert_eq!(add(&mut first, F32, q, s), q);
    assert_eq!(sub(&mut first, F32, F32.infinity(false), F32.infinity(false)), 0xffc0_0000);
    let mut default = Env { nan: NanRule::Default, ..Env::default() };
    assert_eq!(mul(&mut default, F32, s, one), 0x7fc0_0000);
    assert_eq!(convert(&mut default, F32, F64, s), 0x7ff8_0000_0000_0000);
    assert_eq!(convert(&mut e, F32, F64, s), 0xfff8_0000_4000_0000);
}

#[test]
fn underflow_and_flushing() {
    let min = 0x0080_0000u64;
    let half = 0x3f00_0000;
    // An exact denormal is no underflow.
    let mut e = Env::default();
    assert_eq!(mul(&mut e, F32, min, half), min >> 1);
    assert_eq!(e.flags, 0);
    assert_eq!(mul(&mut e, F32, min + 1, half), min >> 1);
    assert_eq!(e.flags, UNDERFLOW | INEXACT);
    // The largest number below the smallest normal that rounds up to it: tiny only when asked before rounding.
    let below_one = 0x3f7f_ffff;
    let mut before = Env::default();
    assert_eq!(mul(&mut before, F32, min, below_one), min);
    assert_eq!(before.flags, UNDERFLOW | INEXACT);
    let mut after = Env { tininess: Tininess::After, ..Env::default() };
    assert_eq!(mul(&mut after, F32, min, below_one), min);
    assert_eq!(
        after.flags,
        UNDERFLOW | INEXACT,
        "24 bits hold the product, so it is tiny after rounding too"
    );
    let mut after = Env { tininess: Tininess::After, ..Env::default() };
    assert_eq!(mul(&mut after, F32, min + 1, 0x3f7f_fffe), min);
    assert_eq!(after.flags & INEXACT, INEXACT);
    let mut fz = Env { flush_in: true, flush_out: true, ..Env::default() };
    assert_eq!(mul(&mut fz, F32, min | 1 << 31, half), 1 << 31);
    assert_eq!(fz.flags, UNDERFLOW);
    fz.flags = 0;
    assert_eq!(add(&mut fz, F32, 1, min), min);
    assert_eq!(fz.flags, INPUT_DENORMAL);
    fz.flags = 0;
    assert_eq!(add(&mut fz, F16, 1, 1), 2);
    fz.flush_in16 = true;
    assert_eq!(add(&mut fz, F16, 1, 1), 0);
    assert_eq!(fz.flags, 0);
    let mut ah = Env { flush_out: true, tininess: Tininess::After, alternate: true, ..Env::default() };
    assert_eq!(mul(&mut ah, F32, min, half), 0);
    assert_eq!(ah.flags, UNDERFLOW | INEXACT);
}

#[test]
fn round_to_odd_then_nearest_is_exact() {
    let mut rng = Rng(7);
    for _ in 0..60_000 {
        let (a, b) = (rng.float(F32), rng.float(F32));
        let (wa, wb) = (widen_raw(F32, F64, a), widen_raw(F32, F64, b));
        let wide = add(&mut env(Round::Odd), F64, wa, wb);
        let narrow = convert(&mut Env::default(), F64, F32, wide);
        assert!(same(F32, narrow, add(&mut Env::default(), F32, a, b)), "{a:#x} {b:#x}");
    }
}

#[test]
fn alternative_half_saturates() {
    let mut e = Env::default();
    assert_eq!(convert(&mut e, F32, F16_ALT, 0x4800_0000), 0x7fff);
    assert_eq!(e.flags, INVALID);
    e.flags = 0;
    assert_eq!(convert(&mut e, F32, F16_ALT, 0x47ff_e000), 0x7fff);
    assert_eq!(e.flags, 0);
    assert_eq!(convert(&mut e, F16_ALT, F32, 0x7fff), 0x47ff_e000);
    assert_eq!(convert(&mut e, F32, F16_ALT, 0xffc0_0000), 0x8000);
    assert_eq!(e.flags, INVALID);
}

#[test]
fn minimum_and_maximum() {
    let mut e = Env::default();
    let (one, two, q) = (0x3f80_0000, 0x4000_0000, 0x7fc0_0005);
    assert_eq!(min_max(&mut e, F32, MinMax::Min, one, two), one);
    assert_eq!(min_max(&mut e, F32, MinMax::Min, 0, 1 << 31), 1 << 31);
    assert_eq!(min_max(&mut e, F32, MinMax::Max, 1 << 31, 0), 0);
    assert_eq!(min_max(&mut e, F32, MinMax::Max, one, q), q);
    assert_eq!(min_max(&mut e, F32, MinMax::MaxNum, one, q), one);
    assert_eq!(min_max(&mut e, F32, MinMax::MinNum, q, two), two);
    assert_eq!(e.flags, 0);
    assert_eq!(min_max(&mut e, F32, MinMax::MinSelect, 0, 1 << 31), 1 << 31);
    assert_eq!(min_max(&mut e, F32, MinMax::MinSelect, q, one), one);
    assert_eq!(e.flags, INVALID);
    let mut ah = Env { alternate: true, ..Env::default() };
    assert_eq!(min_max(&mut ah, F32, MinMax::Max, 0, 1 << 31), 1 << 31);
    assert_eq!(min_max(&mut ah, F32, MinMax::Max, q, one), one);
}

#[test]
fn integers_with_fractions() {
    let mut e = Env::default();
    // 1.5 with 4 fraction bits is 24, and back.
    assert_eq!(to_sint(&mut e, F32, 0x3fc0_0000, 32, 4, Round::Zero), 24);
    assert_eq!(from_sint(&mut e, F32, 24, 4, Round::NearestEven), 0x3fc0_0000);
    assert_eq!(from_sint(&mut e, F64, i64::MIN, 64, Round::NearestEven), (-0.5f64).to_bits());
    assert_eq!(e.flags, 0);
    assert_eq!(to_uint(&mut e, F64, (-0.25f64).to_bits(), 64, 0, Round::Zero), 0);
    assert_eq!(e.flags, INEXACT);
    assert_eq!(to_uint(&mut e, F64, (-1.0f64).to_bits(), 64, 0, Round::Zero), 0);
    assert_eq!(e.flags, INEXACT | INVALID);
    assert_eq!(to_sint(&mut e, F64, 1e300f64.to_bits(), 16, 0, Round::Zero), 0x7fff);
    assert_eq!(to_sint(&mut e, F32, 1, 64, 64, Round::Up), 1);
}

#[test]
fn javascript_conversion() {
    let js = |x: f64| {
        let mut e = Env::default();
        let (v, exact) = javascript_to_i32(&mut e, x.to_bits());
        (v as i32, exact, e.flags)
    };
    assert_eq!(js(1.0), (1, true, 0));
    assert_eq!(js(-1.5), (-1, false, INEXACT));
    assert_eq!(js(-0.0), (0, false, 0));
    assert_eq!(js(4294967301.0), (5, false, INVALID));
    assert_eq!(js(-2147483648.0), (i32::MIN, true, 0));
    assert_eq!(js(-4294967297.0), (-1, false, INVALID));
    assert_eq!(js(2f64.powi(83) + 2f64.powi(31)), (i32::MIN, false, INVALID));
    assert_eq!(js(f64::INFINITY), (0, false, INVALID));
}

#[test]
fn sized_rounding() {
    let mut e = Env::default();
    assert_eq!(round_to_int_sized(&mut e, F64, 2.5f64.to_bits(), 32, Round::NearestEven), 2f64.to_bits());
    assert_eq!(e.flags, INEXACT);
    let bad = (-2147483648.0f64).to_bits();
    assert_eq!(round_to_int_sized(&mut e, F64, 2147483648.0f64.to_bits(), 32, Round::Zero), bad);
    assert_eq!(round_to_int_sized(&mut e, F64, f64::NAN.to_bits(), 32, Round::Zero), bad);
    assert_eq!(e.flags, INEXACT | INVALID);
    e.flags = 0;
    assert_eq!(round_to_int_sized(&mut e, F64, bad, 32, Round::Zero), bad);
    assert_eq!(e.flags, 0);
}

#[test]
fn estimates_are_close_and_steps_converge() {
    let mut rng = Rng(8);
    for _ in 0..100_000 {
        let a = rng.float(F32) & 0x7fff_ffff;
        let x = f64::from(f32::from_bits(a as u32));
        if !(1e-37..1e37).contains(&x) {
            continue;
        }
        let mut e = Env::default();
        let r = f64::from(f32::from_bits(recip_estimate(&mut e, F32, a) as u32));
        assert!((r * x - 1.0).abs() < 1.0 / 256.0, "{x}: {r}");
        let s = recip_sqrt_estimate(&mut e, F32, a);
        let r = f64::from(f32::from_bits(s as u32));
        assert!((r * r * x - 1.0).abs() < 1.0 / 128.0, "{x}: {r}");
        // One Newton step.
        let ss = mul(&mut e, F32, s, s);
        let step = recip_sqrt_step(&mut e, F32, a, ss);
        let better = f64::from(f32::from_bits(mul(&mut e, F32, s, step) as u32));
        assert!((better * better * x - 1.0).abs() < 1.0 / 10000.0);
    }
    let mut e = Env::default();
    // Table ends: 1.0 gives 0.998..., and the known first and last entries.
    assert_eq!(recip_estimate(&mut e, F32, 0x3f80_0000), 0x3f7f_8000);
    assert_eq!(recip_sqrt_estimate(&mut e, F32, 0x3f80_0000), 0x3f7f_8000);
    assert_eq!(recip_estimate(&mut e, F64, 0x3ff0_0000_0000_0000), 0x3fef_f000_0000_0000);
    assert_eq!(recip_estimate(&mut e, F16, 0x3c00), 0x3bfc);
    assert_eq!(unsigned_recip_estimate(0x8000_0000), 0xff80_0000);
    assert_eq!(unsigned_recip_sqrt_estimate(0x4000_0000), 0xff80_0000);
    assert_eq!(unsigned_recip_estimate(1), u32::MAX);
    // Denormals and the ends of the range.
    assert_eq!(recip_estimate(&mut e, F32, 0x0020_0000), 0x7f7f_8000);
    assert_eq!(e.flags, 0);
    assert_eq!(recip_estimate(&mut e, F32, 0x001f_ffff), 0x7f80_0000);
    assert_eq!(e.flags, OVERFLOW | INEXACT);
    // The steps: infinity times zero, and exact values.
    assert_eq!(recip_step(&mut e, F32, F32.infinity(false), 0), 0x4000_0000);
    assert_eq!(recip_sqrt_step(&mut e, F32, F32.infinity(false), 0), 0x3fc0_0000);
    assert_eq!(recip_step(&mut e, F32, 0x3f80_0000, 0x3f80_0000), 0x3f80_0000);
    assert_eq!(recip_sqrt_step(&mut e, F32, 0x3f80_0000, 0x3f80_0000), 0x3f80_0000);
    assert_eq!(recip_exponent(&mut e, F32, 0x3f80_0000), 0x4000_0000);
    assert_eq!(recip_exponent(&mut e, F32, 0), 0x7f00_0000);
}

#[test]
fn widening_multiply_add() {
    let mut rng = Rng(9);
    for _ in 0..60_000 {
        let (a, n, m) = (rng.float(F32), rng.float(F16), rng.float(F16));
        let mut e = Env::default();
        let got = mul_add_widening(&mut e, F32, F16, a, n, m);
        let mut w = Env::default();
        let want = fused_mul_add(&mut w, F32, a, widen_raw(F16, F32, n), widen_raw(F16, F32, m));
        assert_eq!((got, e.flags), (want, w.flags));
    }
    // An extended product of infinity and zero is two with the sign of the product.
    assert_eq!(mul_extended(&mut Env::default(), F32, F32.infinity(true), 0), 0xc000_0000);
}
