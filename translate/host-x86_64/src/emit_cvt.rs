//! Inline code for conversions: between formats, to and from integers, and rounding with ties away.
//!
//! As in `emit_fp`, the host computes the common case exactly and a guard leads to the definition for the rest. What must
//! hold for the sticky flags: an instruction of the host runs only on values where it raises no more than the guest's
//! operation. So a rounding step that the host lacks is done with exceptions suppressed, and inexact is raised by
//! converting the operand itself once the result is known to be in range.

use crate::asm::{Alu, Cc, Gp, Level, Mr, Sh, Sz, V, Xmm};
use crate::emit_fp::Guard;
use crate::emit_vec::{VecCx, splat};
use ir::{Attr, Fp, Inst, NanRule, Op, Round, Size};

/// Immediate of the host's rounding instructions: towards zero, and no inexact exception.
const TRUNC: u8 = 3;
const QUIET: u8 = 8;

fn is_double(fp: &Fp) -> Option<bool> {
    match fp.shape.lane {
        Size::D => Some(true),
        Size::S => Some(false),
        Size::B | Size::H | Size::Q => None,
    }
}

/// The host's number of a rounding mode it has.
fn host_round(round: Round) -> Option<u8> {
    match round {
        Round::Nearest => Some(0),
        Round::Down => Some(1),
        Round::Up => Some(2),
        Round::Zero => Some(TRUNC),
        Round::Dynamic | Round::NearestAway | Round::Odd => None,
    }
}

impl VecCx<'_> {
    /// One lane or all, single or double.
    fn form(double: bool, scalar: bool, rows: [V; 4]) -> V {
        rows[usize::from(double) + 2 * usize::from(!scalar)]
    }

    fn round_step(&mut self, r: Xmm, a: Xmm, mode: u8, double: bool, scalar: bool) {
        let row = Self::form(double, scalar, [V::Roundss, V::Roundsd, V::Roundps, V::Roundpd]);
        if scalar {
            self.a.v3i(row, r, a, a, mode);
        } else {
            self.a.v2i(row, r, a, mode);
        }
    }

    /// `r = a` rounded to integral without raising inexact; infinities may raise invalid. `t` is scratch; all differ.
    fn rounded(&mut self, r: Xmm, a: Xmm, t: Xmm, round: Round, double: bool, scalar: bool) {
        if let Some(mode) = host_round(round) {
            self.round_step(r, a, mode | QUIET, double, scalar);
            return;
        }
        let sub = Self::form(double, scalar, [V::Subss, V::Subsd, V::Subps, V::Subpd]);
        let add = Self::form(double, scalar, [V::Addss, V::Addsd, V::Addps, V::Addpd]);
        // Ties away: the fraction is exact, and twice it truncates to what must be added.
        self.round_step(r, a, TRUNC | QUIET, double, scalar);
        self.a.v3(sub, t, a, r);
        self.a.v3(add, t, t, t);
        self.round_step(t, t, TRUNC | QUIET, double, scalar);
        self.a.v3(add, r, r, t);
    }

    /// Rounds to integral, ties away from zero.
    pub(crate) fn round_away(&mut self, fp: &Fp, d: Xmm, s: [Xmm; 3], half: bool) -> Guard {
        use V::*;
        let double = fp.shape.lane == Size::D;
        let (r, t, m) = (self.t[0], self.t[1], self.x[1]);
        let lane = fp.shape.lane.bytes();
        let x = s[0];
        let scalar = fp.shape.lanes == 1;
        // Unused lanes are zero, so that packed forms raise nothing for them.
        if half || scalar {
            self.low_bytes(t, x, fp.shape.bytes());
        } else {
            self.a.vmov(t, x);
        }
        let (sub, add) = if double { (Subpd, Addpd) } else { (Subps, Addps) };
        self.round_step(r, t, TRUNC | QUIET, double, false);
        // Integral numbers and infinities contribute zero: an infinity minus itself would be invalid.
        self.v3i(if double { Cmppd } else { Cmpps }, m, t, r, 4);
        self.a.v3(Andps, t, t, m);
        self.a.v3(Andps, m, m, r);
        self.a.v3(sub, t, t, m);
        self.a.v3(add, t, t, t);
        self.round_step(t, t, TRUNC | QUIET, double, false);
        self.a.v3(add, r, r, t);
        // A zero keeps the operand's sign, whatever the rounding mode made of it.
        self.v3c(Pand, r, r, !splat(1 << (8 * lane - 1), lane));
        self.v3c(Pand, m, x, splat(1 << (8 * lane - 1), lane));
        self.a.v3(Orps, r, r, m);
        let guard = if fp.rules.nan == NanRule::Default { self.guard(fp, r, false) } else { None };
        self.finish(guard, d, r, fp.shape.bytes())
    }

    /// Conversions with a vector result; `None` (and no code) without an inline form.
    pub(crate) fn fp_convert(&mut self, inst: &Inst, fp: Fp, other: Size, d: Xmm, s: Xmm) -> Option<Guard> {
        if !fp.rules.plain() {
            return None;
        }
        match inst.op {
            Op::FCvt if fp.round == Round::Dynamic => self.format(inst, fp, other, d, s),
            Op::VSToF | Op::VUToF if fp.round == Round::Dynamic => self.lanes_from_int(inst, fp, d, s),
            Op::VFToS | Op::VFToU if inst.imm == 0 => self.lanes_to_int(inst, fp, d, s),
            _ => None,
        }
    }

    fn format(&mut self, inst: &Inst, fp: Fp, other: Size, d: Xmm, s: Xmm) -> Option<Guard> {
        use V::*;
        let default_nan = fp.rules.nan == NanRule::Default;
        let tiny = fp.rules.tiny_before;
        let (t, upper) = (self.t[0], inst.imm == 1);
        match (fp.shape.lane, other, fp.shape.lanes) {
            (Size::S, Size::D, 1) if inst.imm == 0 => {
                let r = if d == s { t } else { d };
                self.a.v3(Cvtss2sd, r, s, s);
                let g = if default_nan { self.guard(&lanes_of(&fp, Size::D), r, false) } else { None };
                Some(self.finish(g, d, r, 8))
            }
            (Size::D, Size::S, 1) if inst.imm == 0 => {
                let r = if d == s { t } else { d };
                self.a.v3(Cvtsd2ss, r, s, s);
                let g = if default_nan || tiny { self.guard(&lanes_of(&fp, Size::S), r, tiny) } else { None };
                Some(self.finish(g, d, r, 4))
            }
            (Size::S, Size::D, 2) if !default_nan && inst.imm <= 1 => {
                if upper {
                    self.a.v2i(Pshufd, t, s, 0xee);
                    self.a.v2(Cvtps2pd, d, t);
                } else {
                    self.a.v2(Cvtps2pd, d, s);
                }
                Some(self.unguarded())
            }
            (Size::D, Size::S, 2) if inst.imm == 0 => {
                self.a.v2(Cvtpd2ps, t, s);
                let g = if default_nan || tiny { self.guard(&lanes_of(&fp, Size::S), t, tiny) } else { None };
                Some(self.finish(g, d, t, 8))
            }
            (Size::H, Size::S, 1 | 4) if inst.imm <= 1 && !default_nan && self.a.has_v(Vcvtph2ps) => {
                if upper {
                    self.a.v2i(Pshufd, t, s, 0xee);
                    self.low_bytes(t, t, fp.shape.bytes());
                } else {
                    self.low_bytes(t, s, fp.shape.bytes());
                }
                self.a.v2(Vcvtph2ps, d, t);
                Some(self.unguarded())
            }
            (Size::S, Size::H, lanes @ (1 | 4)) if inst.imm == 0 && self.a.has_v(Vcvtps2ph) => {
                if lanes == 1 {
                    self.low_bytes(t, s, 4);
                } else {
                    self.a.vmov(t, s);
                }
                // By MXCSR's rounding mode.
                self.a.vsti(Vcvtps2ph, t, t, 4);
                let t1 = self.t[1];
                let cold = self.a.new_label();
                if tiny || default_nan {
                    let x = self.x[1];
                    self.v3c(Pand, t1, t, splat(0x7fff, 2));
                    self.v3c(Pcmpeqw, x, t1, splat(0x0400, 2));
                    self.v3c(Pcmpgtw, t1, t1, splat(0x7c00, 2));
                    self.a.v3(Por, x, x, t1);
                    self.a.v_gp(Pmovmskb, self.gp, x);
                    self.a.mr(Mr::Test, Sz::D, self.gp, self.gp);
                    self.a.jcc(Cc::Ne, cold);
                }
                let guard = (tiny || default_nan).then_some(cold);
                Some(self.finish(guard, d, t, 2 * usize::from(lanes)))
            }
            _ => None,
        }
    }

    fn lanes_from_int(&mut self, inst: &Inst, fp: Fp, d: Xmm, s: Xmm) -> Option<Guard> {
        use V::*;
        let double = is_double(&fp)?;
        let signed = inst.op == Op::VSToF;
        let bytes = fp.shape.bytes();
        let (t, t1, x) = (self.t[0], self.t[1], self.x[1]);
        let row = match (double, signed) {
            (false, true) => Cvtdq2ps,
            (false, false) => Vcvtudq2ps,
            (true, true) => Vcvtqq2pd,
            (true, false) => Vcvtuqq2pd,
        };
        if self.a.has_v(row) {
            self.low_bytes(t, s, bytes);
            self.a.v2(row, t, t);
        } else if !double {
            // Halves of 16 bits are exact; their sum is rounded once.
            self.low_bytes(t, s, bytes);
            self.v3c(Pand, t1, t, splat(0xffff, 4));
            self.a.vsh(PsrldI, t, t, 16);
            self.a.v2(Cvtdq2ps, t, t);
            self.a.v2(Cvtdq2ps, t1, t1);
            self.v3c(Mulps, t, t, splat(u64::from(65536f32.to_bits()), 4));
            self.a.v3(Addps, t, t, t1);
        } else if signed {
            let gp = self.gp;
            self.a.v_to_gp(MovqGp, gp, s, None);
            if fp.shape.lanes == 2 {
                self.a.v2i(Pshufd, t1, s, 0xee);
            }
            self.a.v3(Pxor, t, t, t);
            self.a.vgp3(Cvtsi2sdQ, t, t, gp, None);
            if fp.shape.lanes == 2 {
                self.a.v_to_gp(MovqGp, gp, t1, None);
                self.a.v3(Pxor, x, x, x);
                self.a.vgp3(Cvtsi2sdQ, x, x, gp, None);
                self.a.v3(Punpcklqdq, t, t, x);
            }
        } else {
            return None;
        }
        self.scale(t, double, false, inst.imm);
        self.low_bytes(d, t, bytes);
        Some(self.unguarded())
    }

    /// `r` divided by 2^`fbits`: exact, for results of integer conversions.
    fn scale(&mut self, r: Xmm, double: bool, scalar: bool, fbits: u64) {
        if fbits == 0 {
            return;
        }
        let row = Self::form(double, scalar, [V::Mulss, V::Mulsd, V::Mulps, V::Mulpd]);
        let factor = if double { splat((1023 - fbits) << 52, 8) } else { splat((127 - fbits) << 23, 4) };
        self.v3c(row, r, r, factor);
    }

    fn lanes_to_int(&mut self, inst: &Inst, fp: Fp, d: Xmm, s: Xmm) -> Option<Guard> {
        use V::*;
        let double = is_double(&fp)?;
        let signed = inst.op == Op::VFToS;
        let other = match inst.attr {
            Attr::FpCvt(_, size) => size,
            _ => fp.shape.lane,
        };
        if fp.rules.nan == NanRule::X86 {
            return self.indefinite_lanes(&fp, other, signed, d, s);
        }
        if other != fp.shape.lane || matches!(fp.round, Round::Dynamic | Round::Odd) {
            return None;
        }
        let row = match (double, signed) {
            (false, true) => Cvttps2dq,
            (false, false) => Vcvttps2udq,
            (true, true) => Vcvttpd2qq,
            (true, false) => Vcvttpd2uqq,
        };
        let packed = self.a.has_v(row);
        if !(packed || double && signed) {
            return None;
        }
        let bytes = fp.shape.bytes();
        let (src, r, x) = (self.t[0], self.t[1], self.x[1]);
        // Unused lanes are zero.
        self.low_bytes(src, s, bytes);
        let mut from = src;
        if fp.round != Round::Zero {
            self.rounded(x, src, r, fp.round, double, false);
            from = x;
        }
        let cold = self.a.new_label();
        let gp = self.gp;
        if packed {
            self.a.v2(row, r, from);
            let bad = match (double, signed) {
                (false, true) => splat(0x8000_0000, 4),
                (true, true) => splat(1 << 63, 8),
                (_, false) => u128::MAX,
            };
            self.v3c(if double { Pcmpeqq } else { Pcmpeqd }, x, r, bad);
            self.a.v_gp(Movmskps, gp, x);
            self.a.mr(Mr::Test, Sz::D, gp, gp);
            self.a.jcc(Cc::Ne, cold);
            if fp.round != Round::Zero {
                self.a.v2(row, x, src);
            }
        } else {
            for lane in 0..fp.shape.lanes {
                if lane == 1 {
                    self.a.v3(Unpckhpd, from, from, from);
                }
                self.a.v_gp(Cvttsd2siQ, gp, from);
                self.a.alu_i(Alu::Cmp, Sz::Q, gp, 1);
                self.a.jcc(Cc::O, cold);
                if lane == 0 {
                    self.a.v_from_gp(Movq, r, gp);
                } else {
                    let hi = from;
                    self.a.v_from_gp(Movq, hi, gp);
                    self.a.v3(Punpcklqdq, r, r, hi);
                }
            }
            if fp.round != Round::Zero {
                // Both lanes are in range: raise inexact for the operands themselves.
                for lane in 0..fp.shape.lanes {
                    if lane == 1 {
                        self.a.v3(Unpckhpd, src, src, src);
                    }
                    self.a.v_gp(Cvttsd2siQ, gp, src);
                }
            }
        }
        Some(self.finish(Some(cold), d, r, bytes))
    }

    /// Whole vectors to integers where what has no value becomes the host's indefinite integer.
    fn indefinite_lanes(&mut self, fp: &Fp, other: Size, signed: bool, d: Xmm, s: Xmm) -> Option<Guard> {
        use V::*;
        let cut = match fp.round {
            Round::Zero => true,
            Round::Dynamic => false,
            _ => return None,
        };
        if fp.shape.bytes() != 16 {
            return None;
        }
        let row = match (fp.shape.lane, other, signed, cut) {
            (Size::S, Size::S, true, true) => Cvttps2dq,
            (Size::S, Size::S, true, false) => Cvtps2dq,
            (Size::S, Size::S, false, true) => Vcvttps2udq,
            (Size::S, Size::S, false, false) => Vcvtps2udq,
            (Size::D, Size::S, true, true) => Cvttpd2dq,
            (Size::D, Size::S, true, false) => Cvtpd2dq,
            (Size::D, Size::D, true, true) => Vcvttpd2qq,
            (Size::D, Size::D, true, false) => Vcvtpd2qq,
            (Size::D, Size::D, false, true) => Vcvttpd2uqq,
            (Size::D, Size::D, false, false) => Vcvtpd2uqq,
            _ => return None,
        };
        if !self.a.has_v(row) {
            return None;
        }
        self.v2(row, d, s);
        Some(self.unguarded())
    }

    /// Floating point to a general register; `None` without an inline form. `wide`: the result is I64.
    pub fn emit_fp_to_int(&mut self, inst: &Inst, d: Gp, wide: bool, s: Xmm) -> Option<Guard> {
        use V::*;
        let Attr::FpCvt(fp, _) = inst.attr else { return None };
        if !fp.rules.plain() || inst.imm & !ir::NAN_IS_MAX != 0 || fp.round == Round::Odd {
            return None;
        }
        let double = is_double(&fp)?;
        let signed = inst.op == Op::FToS;
        let evex = self.a.feat.level >= Level::Avx512;
        let sz = if wide { Sz::Q } else { Sz::D };
        if fp.round == Round::Dynamic && !signed && !evex {
            return None;
        }
        let direct = matches!(fp.round, Round::Zero | Round::Dynamic) && (signed || evex);
        let truncate = fp.round != Round::Dynamic;
        let indefinite = fp.rules.nan == NanRule::X86;
        if indefinite && !direct {
            return None;
        }
        let from = if direct {
            s
        } else {
            self.rounded(self.t[0], s, self.t[1], fp.round, double, true);
            self.t[0]
        };
        let cold = self.a.new_label();
        let gp = self.gp;
        // An unsigned 32-bit result goes through 64 bits, a 64-bit one must be below 2^63, without AVX-512.
        let (row, check) = if signed || !evex {
            let row = match (double, wide || !signed, truncate) {
                (false, false, true) => Cvttss2si,
                (false, true, true) => Cvttss2siQ,
                (true, false, true) => Cvttsd2si,
                (true, true, true) => Cvttsd2siQ,
                (false, false, false) => Cvtss2si,
                (false, true, false) => Cvtss2siQ,
                (true, false, false) => Cvtsd2si,
                (true, true, false) => Cvtsd2siQ,
            };
            (row, !signed)
        } else {
            let row = match (double, wide, truncate) {
                (false, false, true) => Vcvttss2usi,
                (false, true, true) => Vcvttss2usiQ,
                (true, false, true) => Vcvttsd2usi,
                (true, true, true) => Vcvttsd2usiQ,
                (false, false, false) => Vcvtss2usi,
                (false, true, false) => Vcvtss2usiQ,
                (true, false, false) => Vcvtsd2usi,
                (true, true, false) => Vcvtsd2usiQ,
            };
            (row, false)
        };
        if check && wide {
            // From 2^63 on the signed conversion would raise invalid.
            let limit = if double { 0x43e0_0000_0000_0000 } else { 0x5f00_0000 };
            let m = self.pool.get(self.a, splat(limit, if double { 8 } else { 4 }));
            let x = self.x[1];
            self.a.v2(Movaps, x, m);
            self.a.v2(if double { Ucomisd } else { Ucomiss }, x, from);
            self.a.jcc(Cc::Be, cold);
        }
        self.a.v_gp(row, d, from);
        if indefinite {
            let done = self.a.here();
            return Some(Guard { cold: None, done });
        }
        if signed {
            // The integer indefinite is the only value from which 1 cannot be subtracted.
            self.a.alu_i(Alu::Cmp, sz, d, 1);
            self.a.jcc(Cc::O, cold);
        } else if !check {
            // Out of range gives all ones.
            self.a.alu_i(Alu::Cmp, sz, d, -1);
            self.a.jcc(Cc::E, cold);
        } else if wide {
            self.a.mr(Mr::Test, Sz::Q, d, d);
            self.a.jcc(Cc::S, cold);
        } else {
            self.a.mov(Sz::Q, gp, d);
            self.a.shift_i(Sh::Shr, Sz::Q, gp, 32);
            self.a.jcc(Cc::Ne, cold);
        }
        if !direct {
            self.a.v_gp(row, gp, s);
        }
        let done = self.a.here();
        Some(Guard { cold: Some(cold), done })
    }

    /// A general register to floating point; false without an inline form. `s` of an I32 may have garbage above
    /// bit 31; it is not changed.
    pub fn emit_int_to_fp(&mut self, inst: &Inst, d: Xmm, wide: bool, s: Gp) -> bool {
        use V::*;
        let Attr::FpCvt(fp, _) = inst.attr else { return false };
        if fp.round != Round::Dynamic || !fp.rules.plain() {
            return false;
        }
        let Some(double) = is_double(&fp) else { return false };
        let evex = self.a.feat.level >= Level::Avx512;
        let signed = inst.op == Op::SToF;
        let row = match (signed || !evex, wide || (!signed && !evex), double) {
            (true, false, true) => Cvtsi2sd,
            (true, true, true) => Cvtsi2sdQ,
            (true, false, false) => Cvtsi2ss,
            (true, true, false) => Cvtsi2ssQ,
            (false, false, true) => Vcvtusi2sd,
            (false, true, true) => Vcvtusi2sdQ,
            (false, false, false) => Vcvtusi2ss,
            (false, true, false) => Vcvtusi2ssQ,
        };
        self.a.v3(Pxor, d, d, d);
        if signed || evex {
            self.a.vgp3(row, d, d, s, None);
        } else if !wide {
            self.a.mov(Sz::D, self.gp, s);
            self.a.vgp3(row, d, d, self.gp, None);
        } else {
            let (big, done) = (self.a.new_label(), self.a.new_label());
            let (t, gp) = (self.t[0], self.gp);
            self.a.v3(Pxor, t, t, t);
            self.a.mr(Mr::Test, Sz::Q, s, s);
            self.a.jcc(Cc::S, big);
            self.a.vgp3(row, t, t, s, None);
            self.a.jmp(done);
            self.a.bind(big);
            // Half of it with the lost bit kept below, doubled: rounded the same way.
            self.a.mov(Sz::Q, gp, s);
            self.a.shift_i(Sh::Shr, Sz::Q, gp, 1);
            let odd = self.a.new_label();
            self.a.test_i(Sz::D, s, 1);
            self.a.jcc(Cc::E, odd);
            self.a.alu_i(Alu::Or, Sz::Q, gp, 1);
            self.a.bind(odd);
            self.a.vgp3(row, t, t, gp, None);
            self.a.v3(if double { Addsd } else { Addss }, t, t, t);
            self.a.bind(done);
            self.a.vmov(d, t);
        }
        self.scale(d, double, true, inst.imm);
        true
    }

    /// Double to 32 bits modulo 2^32 where it fits; bit 32 of `d` says whether it was exact.
    pub fn modular(&mut self, d: Gp, s: Xmm) -> Guard {
        use V::*;
        let t = self.t[0];
        let cold = self.a.new_label();
        self.a.v_gp(Cvttsd2si, d, s);
        self.a.alu_i(Alu::Cmp, Sz::D, d, 1);
        self.a.jcc(Cc::O, cold);
        // Exact, and not the negative zero, if converting back gives the same bits.
        self.a.v3(Pxor, t, t, t);
        self.a.vgp3(Cvtsi2sd, t, t, d, None);
        self.v3(Pcmpeqq, t, t, s);
        self.a.v_to_gp(MovqGp, self.gp, t, None);
        self.a.shift_i(Sh::Shr, Sz::Q, self.gp, 63);
        self.a.shift_i(Sh::Shl, Sz::Q, self.gp, 32);
        self.a.alu(Alu::Or, Sz::Q, d, self.gp);
        let done = self.a.here();
        Guard { cold: Some(cold), done }
    }
}

fn lanes_of(fp: &Fp, lane: Size) -> Fp {
    Fp { shape: ir::Shape::new(lane, fp.shape.lanes), ..*fp }
}
