//! F, D, Zfh: arithmetic with NaN boxing. The manual, chapters "F", "D" and "Zfh".
//!
//! A register is the low 64 bits of a V128 slot. A narrower value is boxed: ones above it. A source that is not boxed
//! counts as the canonical NaN; the check is left out for registers that this block itself has boxed.

use crate::cpu;
use crate::decode::Float;
use crate::helpers;
use crate::trans::{Flow, Tr};
use ir::{Attr, Cc, Fp, FpRules, Mem, NanRule, Op, Round, Shape, Size, Type, Val};

const RULES: FpRules = FpRules {
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
fn canonical(size: Size) -> u64 {
    match size {
        Size::H => 0x7e00,
        Size::S => 0x7fc0_0000,
        Size::B | Size::D | Size::Q => 0x7ff8_0000_0000_0000,
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

    /// A source register as a value of this format.
    fn f(&mut self, n: u32, size: Size) -> Val {
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
        let nan = self.b.vconst(canonical(size), false);
        self.b.select(Cc::Eq, flags, v, nan)
    }

    /// Writes a result of this format; lanes above it are zero in `v`.
    fn set_f(&mut self, n: u32, size: Size, v: Val) {
        let v = if size == Size::D {
            v
        } else {
            let ones = self.b.vconst(u64::MAX << size.bits(), false);
            self.b.vop(Op::VOr, Shape::full(Size::D, false), &[v, ones], 0)
        };
        self.b.set(cpu::f(n), v);
        if size == Size::S {
            self.boxed |= 1 << n;
        } else {
            self.boxed &= !(1 << n);
        }
    }

    fn binary(&mut self, op: Op, rd: u32, rs1: u32, rs2: u32, rm: u32, fmt: u32) -> Flow {
        let Some(round) = self.round(rm) else { return Flow::Undefined };
        let s = size(fmt);
        let (a, b) = (self.f(rs1, s), self.f(rs2, s));
        let fp = self.fp(s, round);
        let v = self.b.fop(op, fp, &[a, b], 0);
        self.set_f(rd, s, v);
        Flow::Next
    }

    fn fused(&mut self, a: crate::decode::ArgsR4, negate: u64) -> Flow {
        let Some(round) = self.round(a.rm) else { return Flow::Undefined };
        let s = size(a.fmt);
        let (x, y, z) = (self.f(a.rs1, s), self.f(a.rs2, s), self.f(a.rs3, s));
        let fp = self.fp(s, round);
        let v = self.b.fop(Op::FMa, fp, &[z, x, y], negate);
        self.set_f(a.rd, s, v);
        Flow::Next
    }

    pub(crate) fn float(&mut self, insn: Float) -> Flow {
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
                let v = self.b.fop(Op::FSqrt, fp, &[x], 0);
                self.set_f(a.rd, s, v);
            }
            Float::Fsgnj(a) if a.rs1 == a.rs2 => {
                let s = size(a.fmt);
                let x = self.f(a.rs1, s);
                let low = self.b.vop(Op::VLow, Shape::scalar(s), &[x], 0);
                self.set_f(a.rd, s, low);
            }
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
                let bits = self.b.vget(Type::I64, Shape::new(s, 1), false, x, 0);
                let width = self.b.const64(s as u64);
                let v = self.b.call(helpers::FCLASS, Type::I64, &[bits, width]);
                let v = self.low(v);
                self.set(a.rd, v);
            }
            Float::FcvtF(a) => {
                let Some(round) = self.round(a.rm) else { return Flow::Undefined };
                let (to, from) = (size(a.fmt), size(a.from));
                // A widening conversion is exact.
                let round = if to > from { Round::Dynamic } else { round };
                let x = self.f(a.rs1, from);
                let fp = self.fp(from, round);
                let v = self.b.fcvt(Op::FCvt, Type::V128, fp, to, x, 0);
                self.set_f(a.rd, to, v);
            }
            Float::FcvtX(a) => {
                let Some(round) = self.round(a.rm) else { return Flow::Undefined };
                let s = size(a.fmt);
                let x = self.f(a.rs1, s);
                let fp = self.fp(s, round);
                let (ty, max) = match (a.wide != 0, a.uns != 0) {
                    (false, false) => (Type::I32, i32::MAX as u64),
                    (false, true) => (Type::I32, u64::from(u32::MAX)),
                    (true, false) => (Type::I64, i64::MAX as u64),
                    (true, true) => (Type::I64, u64::MAX),
                };
                let op = if a.uns != 0 { Op::FToU } else { Op::FToS };
                let v = self.b.fcvt(op, ty, fp, s, x, 0);
                // A NaN converts to the largest integer.
                let unordered = self.b.fcmp(fp, x, x, false);
                let max = self.b.iconst(ty, max);
                let v = self.b.select(Cc::Vs, unordered, max, v);
                self.set(a.rd, v);
            }
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

    /// The magnitude of rs1 with the sign of (a function of) rs2.
    fn sign(&mut self, a: crate::decode::ArgsFr, f: impl Fn(&mut Self, Val) -> Val) {
        let s = size(a.fmt);
        let (x, y) = (self.f(a.rs1, s), self.f(a.rs2, s));
        let y = f(self, y);
        let mask = self.b.vconst(1 << (s.bits() - 1), false);
        let v = self.b.vop(Op::VBsl, Shape::scalar(s), &[mask, y, x], 0);
        self.set_f(a.rd, s, v);
    }

    /// IEEE 754-2019 minimumNumber and maximumNumber: a NaN of either kind loses, a signalling one raises invalid.
    fn min_max(&mut self, op: Op, a: crate::decode::ArgsFr) {
        let s = size(a.fmt);
        let fp = self.fp(s, Round::Dynamic);
        let sh = Shape::scalar(s);
        let nan = self.b.vconst(canonical(s), false);
        let quiet = |t: &mut Self, n: u32| {
            let v = t.f(n, s);
            let number = t.b.fop(Op::FCmpEq, fp, &[v, v], 0);
            t.b.vop(Op::VBsl, sh, &[number, v, nan], 0)
        };
        let x = quiet(self, a.rs1);
        let y = quiet(self, a.rs2);
        let v = self.b.fop(op, fp, &[x, y], 0);
        self.set_f(a.rd, s, v);
    }

    fn compare(&mut self, op: Op, a: crate::decode::ArgsFr, swap: bool) {
        let s = size(a.fmt);
        let (x, y) = (self.f(a.rs1, s), self.f(a.rs2, s));
        let fp = self.fp(s, Round::Dynamic);
        let args = if swap { [y, x] } else { [x, y] };
        let m = self.b.fop(op, fp, &args, 0);
        let v = self.b.vget(self.xt, Shape::new(s, 1), false, m, 0);
        let one = self.c(1);
        let r = self.b.and(v, one);
        self.set(a.rd, r);
    }
}
