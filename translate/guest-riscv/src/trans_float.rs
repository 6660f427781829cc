//! F, D, Zfh: arithmetic with NaN boxing; the same in integer registers (Zfinx and its like); Zfa, Zfbfmin. The manual,
//! chapters of these names.
//!
//! A register is the low 64 bits of a V128 slot. A narrower value is boxed: ones above it. A source that is not boxed
//! counts as the canonical NaN; the check is left out for registers that this block itself has boxed. Values in integer
//! registers are not boxed but sign-extended, and a double takes an even pair of 32-bit registers.

use crate::cpu::{self, Feature};
use crate::decode::{ArgsFcvt, ArgsFint, Float};
use crate::trans::{Flow, Tr};
use ir::{Attr, Cc, Fp, FpRules, MERGE, Mem, NAN_IS_MAX, NanRule, Op, Round, SILENT, Shape, Size, Type, Val};

pub(crate) const RULES: FpRules = FpRules {
    nan: NanRule::Default,
    tiny_before: false,
    flush_in: false,
    flush_out: false,
    flush_half: false,
    alternate: false,
};

fn size(fmt: u32) -> Size {
    match fmt {
        0 => Size::S,
        1 => Size::D,
        _ => Size::H,
    }
}

/// The canonical NaN.
pub(crate) fn canonical(size: Size) -> u64 {
    match size {
        Size::H => 0x7e00,
        Size::S => 0x7fc0_0000,
        Size::B | Size::D | Size::Q => 0x7ff8_0000_0000_0000,
    }
}

/// The constants of `fli`: 1 is the smallest normal number of the format, 30 and 31 are infinity and NaN.
fn constant(n: u32, size: Size) -> u64 {
    const VALUES: [f64; 30] = [
        -1.0,
        0.0,
        1.0 / 65536.0,
        1.0 / 32768.0,
        1.0 / 256.0,
        1.0 / 128.0,
        0.0625,
        0.125,
        0.25,
        0.3125,
        0.375,
        0.4375,
        0.5,
        0.625,
        0.75,
        0.875,
        1.0,
        1.25,
        1.5,
        1.75,
        2.0,
        2.5,
        3.0,
        4.0,
        8.0,
        16.0,
        128.0,
        256.0,
        32768.0,
        65536.0,
    ];
    let value = match n {
        1 => match size {
            Size::H => 2f64.powi(-14),
            Size::S => f64::from(f32::MIN_POSITIVE),
            Size::B | Size::D | Size::Q => f64::MIN_POSITIVE,
        },
        31 => return canonical(size),
        n => VALUES.get(n as usize).copied().unwrap_or(f64::INFINITY),
    };
    match size {
        Size::S => u64::from((value as f32).to_bits()),
        Size::H => {
            // Two are denormal, one overflows; the others have short fractions.
            let bits = value.to_bits();
            let exponent = (bits >> 52 & 0x7ff) as i64 - 1023;
            match exponent {
                -16 => 0x0100,
                -15 => 0x0200,
                16.. => 0x7c00,
                e => bits >> 63 << 15 | ((e + 15) as u64) << 10 | bits >> 42 & 0x3ff,
            }
        }
        Size::B | Size::D | Size::Q => value.to_bits(),
    }
}

impl Tr<'_> {
    /// The rounding of an instruction's `rm` field; `None` if it is reserved.
    fn round(&self, rm: u32) -> Option<Round> {
        let frm = self.mode as u32 & 7;
        let dynamic = match frm {
            0..=3 => Some(Round::Dynamic),
            4 => Some(Round::NearestAway),
            _ => None,
        };
        match rm {
            7 => dynamic,
            r if r == frm && frm < 4 => Some(Round::Dynamic),
            0 => Some(Round::Nearest),
            1 => Some(Round::Zero),
            2 => Some(Round::Down),
            3 => Some(Round::Up),
            4 => Some(Round::NearestAway),
            _ => None,
        }
    }

    fn fp(&self, size: Size, round: Round) -> Fp {
        Fp { shape: Shape::scalar(size), round, rules: RULES }
    }

    /// Whether values are in integer registers.
    pub(crate) fn in_x(&self) -> bool {
        self.has(Feature::Zfinx)
    }

    /// A source register as a value of this format.
    pub(crate) fn f(&mut self, n: u32, size: Size) -> Val {
        if self.in_x() {
            let x = if self.rv32() && size == Size::D { self.pair64(n) } else { self.x(n) };
            let shape = Shape::scalar(size);
            return self.b.push(Op::VDup, Type::V128, Attr::Vec(shape), &[x], 0);
        }
        self.boxed_f(n, size, canonical(size))
    }

    fn boxed_f(&mut self, n: u32, size: Size, nan: u64) -> Val {
        let v = self.b.get(cpu::f(n), Type::V128);
        if size == Size::D || (size == Size::S && self.boxed >> n & 1 != 0) {
            return v;
        }
        // Sign-extended from above the value, a box is all ones.
        let raw = self.b.vget(Type::I64, Shape::new(Size::D, 2), false, v, 0);
        let box_value = self.b.sbfx(raw, size.bits(), 64 - size.bits());
        let one = self.b.const64(1);
        let t = self.b.add(box_value, one);
        let flags = self.b.flags_of(t);
        // Boxed: the upper part may come from here.
        let nan = self.b.vconst(nan | u64::MAX << size.bits(), false);
        self.b.select(Cc::Eq, flags, v, nan)
    }

    /// Writes a result of this format; lanes above it are zero in `v`.
    pub(crate) fn set_f(&mut self, n: u32, size: Size, v: Val) {
        if self.in_x() {
            if self.rv32() && size == Size::D {
                let bits = self.b.vget(Type::I64, Shape::new(Size::D, 2), false, v, 0);
                self.set_pair64(n, bits);
            } else {
                let bits = self.b.vget(self.xt, Shape::new(size, 1), true, v, 0);
                self.set(n, bits);
            }
            return;
        }
        let v = if size == Size::D {
            v
        } else {
            let ones = self.b.vconst(u64::MAX << size.bits(), false);
            self.b.vop(Op::VOr, Shape::new(Size::D, 2), &[v, ones], 0)
        };
        self.set_whole(n, size, v);
    }

    /// Writes a register with a value of this format that is boxed already.
    fn set_whole(&mut self, n: u32, size: Size, v: Val) {
        self.b.set(cpu::f(n), v);
        if size == Size::S {
            self.boxed |= 1 << n;
        } else {
            self.boxed &= !(1 << n);
        }
    }

    /// An arithmetic operation with its result. The box of a single is that of the first argument, which is one.
    fn arith(&mut self, op: Op, rd: u32, fp: Fp, args: &[Val], imm: u64) {
        let size = fp.shape.lane;
        if size == Size::S && !self.in_x() {
            let keep = if matches!(op, Op::FSqrt | Op::FMa) { MERGE } else { 1 };
            let v = self.b.fop(op, fp, args, imm | keep);
            self.set_whole(rd, size, v);
        } else {
            let v = self.b.fop(op, fp, args, imm);
            self.set_f(rd, size, v);
        }
    }

    fn binary(&mut self, op: Op, rd: u32, rs1: u32, rs2: u32, rm: u32, fmt: u32) -> Flow {
        let Some(round) = self.round(rm) else { return Flow::Undefined };
        let s = size(fmt);
        let (a, b) = (self.f(rs1, s), self.f(rs2, s));
        let fp = self.fp(s, round);
        self.arith(op, rd, fp, &[a, b], 0);
        Flow::Next
    }

    fn fused(&mut self, a: crate::decode::ArgsR4, negate: u64) -> Flow {
        let Some(round) = self.round(a.rm) else { return Flow::Undefined };
        let s = size(a.fmt);
        let (x, y, z) = (self.f(a.rs1, s), self.f(a.rs2, s), self.f(a.rs3, s));
        let fp = self.fp(s, round);
        self.arith(Op::FMa, a.rd, fp, &[z, x, y], negate);
        Flow::Next
    }

    /// Whether the double-precision operands of an instruction are even registers, where they are pairs.
    fn pairs_are_even(&self, insn: &Float) -> bool {
        if !self.in_x() || !self.rv32() {
            return true;
        }
        let even = |fmt: u32, list: &[u32]| fmt != 1 || list.iter().all(|n| n & 1 == 0);
        match *insn {
            Float::Fmadd(a) | Float::Fmsub(a) | Float::Fnmsub(a) | Float::Fnmadd(a) => {
                even(a.fmt, &[a.rd, a.rs1, a.rs2, a.rs3])
            }
            Float::Fadd(a) | Float::Fsub(a) | Float::Fmul(a) | Float::Fdiv(a) => {
                even(a.fmt, &[a.rd, a.rs1, a.rs2])
            }
            Float::Fsgnj(a) | Float::Fsgnjn(a) | Float::Fsgnjx(a) | Float::Fmin(a) | Float::Fmax(a) => {
                even(a.fmt, &[a.rd, a.rs1, a.rs2])
            }
            Float::Feq(a) | Float::Flt(a) | Float::Fle(a) => even(a.fmt, &[a.rs1, a.rs2]),
            Float::Fsqrt(a) => even(a.fmt, &[a.rd, a.rs1]),
            Float::Fclass(a) => even(a.fmt, &[a.rs1]),
            Float::FcvtF(a) => even(a.fmt, &[a.rd]) && even(a.from, &[a.rs1]),
            Float::FcvtX(a) => even(a.fmt, &[a.rs1]),
            Float::FcvtFx(a) => even(a.fmt, &[a.rd]),
            // Not with values in integer registers.
            Float::Flh(_) | Float::Flw(_) | Float::Fld(_) | Float::Fsh(_) | Float::Fsw(_) | Float::Fsd(_) => {
                true
            }
            Float::FmvX(_) | Float::FmvF(_) | Float::FcvtBf(_) | Float::FcvtSb(_) | Float::Fli(_) => true,
            Float::Fminm(_) | Float::Fmaxm(_) | Float::Fround(_) | Float::Froundnx(_) => true,
            Float::Fleq(_) | Float::Fltq(_) | Float::FcvtmodWD(_) | Float::FmvhXD(_) | Float::FmvpDX(_) => {
                true
            }
        }
    }

    pub(crate) fn float(&mut self, insn: Float) -> Flow {
        if !self.pairs_are_even(&insn) {
            return Flow::Undefined;
        }
        match insn {
            Float::Flh(a) | Float::Flw(a) | Float::Fld(a) => {
                let s = Size::from_log2(a.size).unwrap_or(Size::D);
                let (base, disp) = self.address(a.rs1, i64::from(a.imm));
                let v = self.b.load(Type::V128, Mem::plain(s), base, Val::NONE, disp);
                self.set_f(a.rd, s, v);
            }
            Float::Fsh(a) | Float::Fsw(a) | Float::Fsd(a) => {
                let s = Size::from_log2(a.size).unwrap_or(Size::D);
                let (base, disp) = self.address(a.rs1, i64::from(a.imm));
                let v = self.b.get(cpu::f(a.rs2), Type::V128);
                self.b.store(Mem::plain(s), base, Val::NONE, disp, v);
            }
            Float::Fmadd(a) => return self.fused(a, 0),
            Float::Fmsub(a) => return self.fused(a, 2),
            Float::Fnmsub(a) => return self.fused(a, 1),
            Float::Fnmadd(a) => return self.fused(a, 3),
            Float::Fadd(a) => return self.frm(Op::FAdd, a),
            Float::Fsub(a) => return self.frm(Op::FSub, a),
            Float::Fmul(a) => return self.frm(Op::FMul, a),
            Float::Fdiv(a) => return self.frm(Op::FDiv, a),
            Float::Fsqrt(a) => {
                let Some(round) = self.round(a.rm) else { return Flow::Undefined };
                let s = size(a.fmt);
                let x = self.f(a.rs1, s);
                let fp = self.fp(s, round);
                self.arith(Op::FSqrt, a.rd, fp, &[x], 0);
            }
            Float::Fsgnj(a) if a.rs1 == a.rs2 => {
                let s = size(a.fmt);
                let x = self.f(a.rs1, s);
                let low = self.b.vop(Op::VLow, Shape::scalar(s), &[x], 0);
                self.set_f(a.rd, s, low);
            }
            Float::Fsgnjn(a) if a.rs1 == a.rs2 => self.own_sign(Op::FNeg, a),
            Float::Fsgnjx(a) if a.rs1 == a.rs2 => self.own_sign(Op::FAbs, a),
            Float::Fsgnj(a) => self.sign(a, |_, y| y),
            Float::Fsgnjn(a) => {
                let sh = Shape::scalar(size(a.fmt));
                self.sign(a, |t, y| t.b.vop(Op::VNot, sh, &[y], 0));
            }
            Float::Fsgnjx(a) => {
                let s = size(a.fmt);
                let (x, y) = (self.f(a.rs1, s), self.f(a.rs2, s));
                let mask = self.b.vconst(1 << (s.bits() - 1), false);
                let sh = Shape::scalar(s);
                let m = self.b.vop(Op::VAnd, sh, &[y, mask], 0);
                let v = self.b.vop(Op::VXor, sh, &[x, m], 0);
                self.set_f(a.rd, s, v);
            }
            Float::Fmin(a) => self.min_max(Op::FMinNm, a),
            Float::Fmax(a) => self.min_max(Op::FMaxNm, a),
            Float::Feq(a) => self.compare(Op::FCmpEq, a, false),
            Float::Flt(a) => self.compare(Op::FCmpGt, a, true),
            Float::Fle(a) => self.compare(Op::FCmpGe, a, true),
            Float::Fclass(a) => {
                let s = size(a.fmt);
                let x = self.f(a.rs1, s);
                let r = self.classify(x, s);
                self.set(a.rd, r);
            }
            Float::FcvtF(a) => return self.between_formats(a),
            Float::FcvtX(a) => return self.float_to_integer(a),
            Float::FcvtFx(a) => {
                let Some(round) = self.round(a.rm) else { return Flow::Undefined };
                let s = size(a.fmt);
                let x = if a.wide != 0 { self.x(a.rs1) } else { self.w(a.rs1) };
                // 32-bit integers are exact in double precision.
                let round = if s == Size::D && a.wide == 0 { Round::Dynamic } else { round };
                let fp = self.fp(s, round);
                let op = if a.uns != 0 { Op::UToF } else { Op::SToF };
                let from = if a.wide != 0 { Size::D } else { Size::S };
                let v = self.b.fcvt(op, Type::V128, fp, from, x, 0);
                self.set_f(a.rd, s, v);
            }
            Float::FcvtBf(a) => {
                let Some(round) = self.round(a.rm) else { return Flow::Undefined };
                let x = self.f(a.rs1, Size::S);
                let fp = self.fp(Size::S, round);
                let v = self.b.fcvt(Op::FCvt, Type::V128, fp, Size::H, x, 2);
                self.set_f(a.rd, Size::H, v);
            }
            Float::FcvtSb(a) => {
                if self.round(a.rm).is_none() {
                    return Flow::Undefined;
                }
                let x = self.boxed_f(a.rs1, Size::H, 0x7fc0);
                let fp = self.fp(Size::H, Round::Dynamic);
                let v = self.b.fcvt(Op::FCvt, Type::V128, fp, Size::S, x, 2);
                self.set_f(a.rd, Size::S, v);
            }
            Float::Fli(a) => {
                let s = size(a.fmt);
                let v = self.b.vconst(constant(a.rs1, s), false);
                self.set_f(a.rd, s, v);
            }
            Float::Fminm(a) => self.min_max_nan(Op::FMin, a),
            Float::Fmaxm(a) => self.min_max_nan(Op::FMax, a),
            Float::Fround(a) | Float::Froundnx(a) => {
                let Some(round) = self.round(a.rm) else { return Flow::Undefined };
                let s = size(a.fmt);
                let x = self.f(a.rs1, s);
                let fp = self.fp(s, round);
                let v = self.b.fop(Op::FRint, fp, &[x], u64::from(matches!(insn, Float::Froundnx(_))));
                self.set_f(a.rd, s, v);
            }
            Float::Fleq(a) => self.compare_quiet(Cc::Ls, a),
            Float::Fltq(a) => self.compare_quiet(Cc::Mi, a),
            Float::FcvtmodWD(a) => {
                let x = self.f(a.rs1, Size::D);
                let fp = self.fp(Size::D, Round::Zero);
                let v = self.b.push(Op::FJcvt, Type::I64, Attr::Fp(fp), &[x], 0);
                let v = self.b.trunc(v);
                self.set(a.rd, v);
            }
            Float::FmvhXD(a) => {
                let x = self.b.get(cpu::f(a.rs1), Type::V128);
                let v = self.b.vget(Type::I32, Shape::new(Size::S, 4), false, x, 1);
                self.set(a.rd, v);
            }
            Float::FmvpDX(a) => {
                let (lo, hi) = (self.x64(a.rs1), self.x64(a.rs2));
                let bits = self.b.bfi(lo, hi, 32, 32);
                let v = self.vector(bits);
                self.set_f(a.rd, Size::D, v);
            }
            Float::FmvX(a) => {
                let s = size(a.fmt);
                let x = self.b.get(cpu::f(a.rs1), Type::V128);
                let v = self.b.vget(self.xt, Shape::new(s, 1), true, x, 0);
                self.set(a.rd, v);
            }
            Float::FmvF(a) => {
                let s = size(a.fmt);
                let x = self.x(a.rs1);
                let v = self.b.push(Op::VDup, Type::V128, Attr::Vec(Shape::scalar(s)), &[x], 0);
                self.set_f(a.rd, s, v);
            }
        }
        Flow::Next
    }

    fn frm(&mut self, op: Op, a: crate::decode::ArgsFrm) -> Flow {
        self.binary(op, a.rd, a.rs1, a.rs2, a.rm, a.fmt)
    }

    /// fneg and fabs.
    fn own_sign(&mut self, op: Op, a: crate::decode::ArgsFr) {
        let s = size(a.fmt);
        let x = self.f(a.rs1, s);
        let v = self.b.vop(op, Shape::scalar(s), &[x], 0);
        self.set_f(a.rd, s, v);
    }

    /// The magnitude of rs1 with the sign of (a function of) rs2.
    fn sign(&mut self, a: crate::decode::ArgsFr, f: impl Fn(&mut Self, Val) -> Val) {
        let s = size(a.fmt);
        let (x, y) = (self.f(a.rs1, s), self.f(a.rs2, s));
        let y = f(self, y);
        let mask = self.b.vconst(1 << (s.bits() - 1), false);
        let v = self.b.vop(Op::VBsl, Shape::scalar(s), &[mask, y, x], 0);
        self.set_f(a.rd, s, v);
    }

    /// A bit for the class of a value: -inf, -normal, -denormal, -0, +0, +denormal, +normal, +inf, signalling, quiet NaN.
    fn classify(&mut self, x: Val, s: Size) -> Val {
        let bits = self.b.vget(Type::I64, Shape::new(s, 1), false, x, 0);
        let width = s.bits();
        let fraction = match s {
            Size::H => 10,
            Size::S => 23,
            Size::B | Size::D | Size::Q => 52,
        };
        let magnitude = self.b.ubfx(bits, 0, width - 1);
        let normal = self.b.const64(1 << fraction);
        let inf = self.b.const64((1 << (width - 1)) - (1 << fraction));
        let at_least = |t: &mut Self, cc, limit| {
            let d = t.b.sub(magnitude, limit);
            let f = t.b.flags_of(d);
            t.b.setcc(Type::I64, cc, f)
        };
        let zero = self.b.const64(0);
        // +0 is 4, and each limit that is reached adds one.
        let mut index = self.b.const64(4);
        for (cc, limit) in [(Cc::Ne, zero), (Cc::Cs, normal), (Cc::Cs, inf)] {
            let step = at_least(self, cc, limit);
            index = self.b.add(index, step);
        }
        // Negative numbers have the same classes downwards.
        let sign = self.b.ubfx(bits, width - 1, 1);
        let all = self.b.neg(sign);
        let seven = self.b.const64(7);
        let all = self.b.and(all, seven);
        let index = self.b.xor(index, all);
        let quiet = self.b.ubfx(bits, fraction - 1, 1);
        let eight = self.b.const64(8);
        let nan = self.b.add(quiet, eight);
        let d = self.b.sub(magnitude, inf);
        let f = self.b.flags_of(d);
        let index = self.b.select(Cc::Hi, f, nan, index);
        let one = self.b.const64(1);
        let r = self.b.shl(one, index);
        self.low(r)
    }

    fn between_formats(&mut self, a: ArgsFcvt) -> Flow {
        let Some(round) = self.round(a.rm) else { return Flow::Undefined };
        let (to, from) = (size(a.fmt), size(a.from));
        // A widening conversion is exact.
        let round = if to > from { Round::Dynamic } else { round };
        let x = self.f(a.rs1, from);
        let fp = self.fp(from, round);
        let v = self.b.fcvt(Op::FCvt, Type::V128, fp, to, x, 0);
        self.set_f(a.rd, to, v);
        Flow::Next
    }

    fn float_to_integer(&mut self, a: ArgsFint) -> Flow {
        let Some(round) = self.round(a.rm) else { return Flow::Undefined };
        let s = size(a.fmt);
        let x = self.f(a.rs1, s);
        let fp = self.fp(s, round);
        let ty = if a.wide != 0 { Type::I64 } else { Type::I32 };
        let op = if a.uns != 0 { Op::FToU } else { Op::FToS };
        let v = self.b.fcvt(op, ty, fp, s, x, NAN_IS_MAX);
        self.set(a.rd, v);
        Flow::Next
    }

    /// IEEE 754-2019 minimum and maximum: any NaN wins.
    fn min_max_nan(&mut self, op: Op, a: crate::decode::ArgsFr) {
        let s = size(a.fmt);
        let (x, y) = (self.f(a.rs1, s), self.f(a.rs2, s));
        let fp = self.fp(s, Round::Dynamic);
        let v = self.b.fop(op, fp, &[x, y], 0);
        self.set_f(a.rd, s, v);
    }

    fn compare_quiet(&mut self, cc: Cc, a: crate::decode::ArgsFr) {
        let s = size(a.fmt);
        let (x, y) = (self.f(a.rs1, s), self.f(a.rs2, s));
        let fp = self.fp(s, Round::Dynamic);
        let flags = self.b.fcmp(fp, x, y, false);
        let r = self.b.setcc(self.xt, cc, flags);
        self.set(a.rd, r);
    }

    /// IEEE 754-2019 minimumNumber and maximumNumber: a NaN of either kind loses, a signalling one raises invalid.
    fn min_max(&mut self, op: Op, a: crate::decode::ArgsFr) {
        let s = size(a.fmt);
        let (x, y) = (self.f(a.rs1, s), self.f(a.rs2, s));
        let fp = self.fp(s, Round::Dynamic);
        let v = self.b.fop(op, fp, &[x, y], 1);
        self.set_f(a.rd, s, v);
    }

    fn compare(&mut self, op: Op, a: crate::decode::ArgsFr, swap: bool) {
        let s = size(a.fmt);
        let (x, y) = (self.f(a.rs1, s), self.f(a.rs2, s));
        let fp = self.fp(s, Round::Dynamic);
        if swap {
            // Less is greater with the operands exchanged; a NaN is neither.
            let cc = if op == Op::FCmpGt { Cc::Gt } else { Cc::Ge };
            let flags = if self.silent {
                self.b.push(Op::FCmp, Type::Flags, Attr::Fp(fp), &[y, x], SILENT)
            } else {
                self.b.fcmp(fp, y, x, true)
            };
            let r = self.b.setcc(self.xt, cc, flags);
            self.set(a.rd, r);
            return;
        }
        let m = self.b.fop(op, fp, &[x, y], 0);
        let v = self.b.vget(self.xt, Shape::new(s, 1), false, m, 0);
        let one = self.c(1);
        let r = self.b.and(v, one);
        self.set(a.rd, r);
    }
}
