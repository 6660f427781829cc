//! Inline forms of floating-point instructions. Lanes that do not count must not raise anything: they compute with harmless
//! numbers.

use super::inline::{Form, Rhs, lanes, pieces};
use crate::decode::Vector;
use crate::trans::Tr;
use crate::trans_float::RULES;
use ir::{Fp, Op, Round, Shape, Size, Type, Val};

impl Tr<'_> {
    fn vfp(&self, shape: Shape, round: Round) -> Fp {
        Fp { shape, round, rules: RULES }
    }

    /// Rounding by frm, which is a mode here.
    fn vround(&self) -> Round {
        if self.mode & 7 == 4 { Round::NearestAway } else { Round::Dynamic }
    }

    /// The shape of arithmetic on a piece: fewer lanes for fractional groups.
    fn vshape(fm: &Form, size: Size) -> Shape {
        let bytes = fm.bytes_of(size).min(16);
        Shape::new(size, (bytes / size.bytes() as u32).max(1) as u8)
    }

    /// f[rs1] as a value of the element's format in lane 0: what is not boxed is the canonical NaN.
    fn float_scalar(&mut self, fm: &Form) -> Val {
        self.f(fm.f.vs1, fm.size)
    }

    fn float_rhs(&mut self, fm: &Form) -> Rhs {
        if fm.f.f3 == 1 {
            return Rhs::Reg(fm.f.vs1);
        }
        let v = self.float_scalar(fm);
        Rhs::Scalar(self.b.vop(Op::VDupLane, lanes(fm.size), &[v], 0))
    }

    /// `v` where lanes count, else `neutral` in each.
    fn harmless(&mut self, size: Size, v: Val, m: Option<Val>, neutral: u64) -> Val {
        match m {
            None => v,
            Some(m) if neutral == 0 => self.b.vop(Op::VAnd, lanes(size), &[v, m], 0),
            Some(m) => {
                let n = self.splat(size, neutral);
                self.b.vop(Op::VBsl, lanes(size), &[m, v, n], 0)
            }
        }
    }

    /// vd = f(vs2, other, vd) with harmless operands where lanes do not count.
    fn fmap(&mut self, fm: &Form, one: bool, f: impl Fn(&mut Self, [Val; 3], Shape) -> Val) -> bool {
        let (rhs, s) = (self.float_rhs(fm), Self::vshape(fm, fm.size));
        let neutral = if one { one_of(fm.size) } else { 0 };
        for p in 0..pieces(fm.bytes) {
            let (a, b) = (self.vpiece(fm, fm.f.vs2, p), self.rhs_piece(fm, rhs, p));
            let d = self.vpiece(fm, fm.f.vd, p);
            let m = self.active(fm, fm.size, p);
            // A shape of fewer lanes already leaves out the rest of a fractional group.
            let h = m.filter(|_| !fm.every());
            let v = [a, b, d].map(|v| self.harmless(fm.size, v, h, neutral));
            let v = f(self, v, s);
            self.vwrite(fm, p, v, m);
        }
        true
    }

    fn farith(&mut self, fm: &Form, op: Op, swap: bool) -> bool {
        let round = self.vround();
        self.fmap(fm, op == Op::FDiv, |t, [a, b, _], s| {
            let fp = t.vfp(s, round);
            t.b.fop(op, fp, &if swap { [b, a] } else { [a, b] }, 0)
        })
    }

    /// `negate` as in the operation: bit 0 the product, bit 1 the addend.
    fn ffused(&mut self, fm: &Form, to_vd: bool, negate: u64) -> bool {
        let round = self.vround();
        self.fmap(fm, false, |t, [a, b, d], s| {
            let fp = t.vfp(s, round);
            let (addend, factor) = if to_vd { (d, a) } else { (a, d) };
            t.b.fop(Op::FMa, fp, &[addend, factor, b], negate)
        })
    }

    /// minimumNumber and maximumNumber: a NaN of either kind loses, a signalling one raises invalid.
    fn fminmax(&mut self, fm: &Form, op: Op) -> bool {
        let nan = crate::trans_float::canonical(fm.size);
        self.fmap(fm, false, |t, [a, b, _], s| {
            let fp = t.vfp(s, Round::Dynamic);
            let nan = t.splat(fm.size, nan);
            let [a, b] = [a, b].map(|v| {
                let number = t.b.fop(Op::FCmpEq, fp, &[v, v], 0);
                t.b.vop(Op::VBsl, s, &[number, v, nan], 0)
            });
            t.b.fop(op, fp, &[a, b], 0)
        })
    }

    /// The sign of (a function of) the other operand on vs2's magnitude.
    fn fsign(&mut self, fm: &Form, f: impl Fn(&mut Self, Val, Val, Shape) -> Val) -> bool {
        let top = 1 << (fm.size.bits() - 1);
        self.fmap(fm, false, |t, [a, b, _], s| {
            let y = f(t, a, b, s);
            let top = t.splat(fm.size, top);
            t.b.vop(Op::VBsl, s, &[top, y, a], 0)
        })
    }

    fn fcompare(&mut self, fm: &Form, op: Op, swap: bool, not: bool) -> bool {
        if Self::mask_words(fm).is_none() {
            return false;
        }
        let (rhs, s) = (self.float_rhs(fm), Self::vshape(fm, fm.size));
        let fp = self.vfp(s, Round::Dynamic);
        let masks: Vec<Val> = (0..pieces(fm.bytes))
            .map(|p| {
                let (a, b) = (self.vpiece(fm, fm.f.vs2, p), self.rhs_piece(fm, rhs, p));
                let m = if fm.every() { None } else { self.active(fm, fm.size, p) };
                let [a, b] = [a, b].map(|v| self.harmless(fm.size, v, m, 0));
                let v = self.b.fop(op, fp, &if swap { [b, a] } else { [a, b] }, 0);
                if not { self.b.vop(Op::VNot, s, &[v], 0) } else { v }
            })
            .collect();
        self.write_lanes(fm, &masks);
        true
    }

    /// To integers of the same width; a NaN gives the largest.
    fn fto_int(&mut self, fm: &Form, op: Op, round: Round, max: u64) -> bool {
        let size = fm.size;
        self.funary(fm, |t, a, s| {
            let fp = t.vfp(s, round);
            let v = t.b.fcvt(op, Type::V128, fp, size, a, 0);
            let number = t.b.fop(Op::FCmpEq, t.vfp(s, Round::Dynamic), &[a, a], 0);
            let max = t.splat(size, max);
            t.b.vop(Op::VBsl, s, &[number, v, max], 0)
        })
    }

    fn funary(&mut self, fm: &Form, f: impl Fn(&mut Self, Val, Shape) -> Val) -> bool {
        let s = Self::vshape(fm, fm.size);
        for p in 0..pieces(fm.bytes) {
            let a = self.vpiece(fm, fm.f.vs2, p);
            let m = self.active(fm, fm.size, p);
            let a = self.harmless(fm.size, a, m.filter(|_| !fm.every()), 0);
            let v = f(self, a, s);
            self.vwrite(fm, p, v, m);
        }
        true
    }

    /// A piece of narrow numbers widened: the lower or upper half.
    fn fwiden(&mut self, fm: &Form, v: Val, half: u32) -> Val {
        let n = Self::vshape(fm, fm.wide()).lanes;
        let fp = self.vfp(Shape::new(fm.size, n), Round::Dynamic);
        self.b.fcvt(Op::FCvt, Type::V128, fp, fm.wide(), v, u64::from(half))
    }

    /// Wide arithmetic; both operands narrow, or vs2 wide. Every lane counts.
    fn fwide(&mut self, fm: &Form, wide_source: bool, f: impl Fn(&mut Self, [Val; 3], Shape) -> Val) -> bool {
        if !fm.every() {
            return false;
        }
        let (rhs, wide) = (self.float_rhs(fm), fm.wide());
        let s = Self::vshape(fm, wide);
        for j in 0..pieces(fm.bytes_of(wide)) {
            let a = self.vpiece(fm, fm.f.vs2, if wide_source { j } else { j / 2 });
            let b = self.rhs_piece(fm, rhs, j / 2);
            let a = if wide_source { a } else { self.fwiden(fm, a, j & 1) };
            let b = self.fwiden(fm, b, j & 1);
            let d = self.vpiece(fm, fm.f.vd, j);
            let v = f(self, [a, b, d], s);
            let m = self.active(fm, wide, j);
            self.vwrite(fm, j, v, m);
        }
        true
    }

    fn fwide_arith(&mut self, fm: &Form, wide_source: bool, op: Op) -> bool {
        let round = self.vround();
        self.fwide(fm, wide_source, |t, [a, b, _], s| t.b.fop(op, t.vfp(s, round), &[a, b], 0))
    }

    fn fwide_fused(&mut self, fm: &Form, negate: u64) -> bool {
        let round = self.vround();
        self.fwide(fm, false, |t, [a, b, d], s| t.b.fop(Op::FMa, t.vfp(s, round), &[d, a, b], negate))
    }

    /// A sum in element order, when there are few elements.
    fn fsum(&mut self, fm: &Form) -> bool {
        if !fm.every() || fm.vlmax() > 16 {
            return false;
        }
        let fp = self.vfp(Shape::scalar(fm.size), self.vround());
        let mut acc = self.vpiece(fm, fm.f.vs1, 0);
        let per = 16 / fm.size.bytes() as u32;
        for i in 0..fm.vlmax() {
            let v = self.vpiece(fm, fm.f.vs2, i / per);
            let x = match i % per {
                0 => v,
                k => self.b.vop(Op::VDupLane, Shape::scalar(fm.size), &[v], u64::from(k)),
            };
            acc = self.b.fop(Op::FAdd, fp, &[acc, x], 0);
        }
        self.write_first(fm, fm.size, acc);
        true
    }

    pub(super) fn inline_float(&mut self, insn: Vector, fm: &Form) -> bool {
        use Vector as V;
        let max = u64::MAX >> (64 - fm.size.bits());
        let round = self.vround();
        match insn {
            V::Vfadd(_) => self.farith(fm, Op::FAdd, false),
            V::Vfsub(_) => self.farith(fm, Op::FSub, false),
            V::Vfrsub(_) => self.farith(fm, Op::FSub, true),
            V::Vfmul(_) => self.farith(fm, Op::FMul, false),
            V::Vfdiv(_) => self.farith(fm, Op::FDiv, false),
            V::Vfrdiv(_) => self.farith(fm, Op::FDiv, true),
            V::Vfsqrt(_) => self.funary(fm, |t, a, s| t.b.fop(Op::FSqrt, t.vfp(s, round), &[a], 0)),
            V::Vfmacc(_) => self.ffused(fm, true, 0),
            V::Vfnmacc(_) => self.ffused(fm, true, 3),
            V::Vfmsac(_) => self.ffused(fm, true, 2),
            V::Vfnmsac(_) => self.ffused(fm, true, 1),
            V::Vfmadd(_) => self.ffused(fm, false, 0),
            V::Vfnmadd(_) => self.ffused(fm, false, 3),
            V::Vfmsub(_) => self.ffused(fm, false, 2),
            V::Vfnmsub(_) => self.ffused(fm, false, 1),
            V::Vfmin(_) => self.fminmax(fm, Op::FMinNm),
            V::Vfmax(_) => self.fminmax(fm, Op::FMaxNm),
            V::Vfsgnj(_) => self.fsign(fm, |_, _, b, _| b),
            V::Vfsgnjn(_) => self.fsign(fm, |t, _, b, s| t.b.vop(Op::VNot, s, &[b], 0)),
            V::Vfsgnjx(_) => self.fsign(fm, |t, a, b, s| t.b.vop(Op::VXor, s, &[a, b], 0)),
            V::Vmfeq(_) => self.fcompare(fm, Op::FCmpEq, false, false),
            V::Vmfne(_) => self.fcompare(fm, Op::FCmpEq, false, true),
            V::Vmflt(_) => self.fcompare(fm, Op::FCmpGt, true, false),
            V::Vmfle(_) => self.fcompare(fm, Op::FCmpGe, true, false),
            V::Vmfgt(_) => self.fcompare(fm, Op::FCmpGt, false, false),
            V::Vmfge(_) => self.fcompare(fm, Op::FCmpGe, false, false),
            V::VfcvtXuF(_) => self.fto_int(fm, Op::VFToU, round, max),
            V::VfcvtXF(_) => self.fto_int(fm, Op::VFToS, round, max >> 1),
            V::VfcvtRtzXuF(_) => self.fto_int(fm, Op::VFToU, Round::Zero, max),
            V::VfcvtRtzXF(_) => self.fto_int(fm, Op::VFToS, Round::Zero, max >> 1),
            V::VfcvtFXu(_) => {
                self.funary(fm, |t, a, s| t.b.fcvt(Op::VUToF, Type::V128, t.vfp(s, round), s.lane, a, 0))
            }
            V::VfcvtFX(_) => {
                self.funary(fm, |t, a, s| t.b.fcvt(Op::VSToF, Type::V128, t.vfp(s, round), s.lane, a, 0))
            }
            V::Vfwadd(_) => self.fwide_arith(fm, false, Op::FAdd),
            V::Vfwsub(_) => self.fwide_arith(fm, false, Op::FSub),
            V::Vfwmul(_) => self.fwide_arith(fm, false, Op::FMul),
            V::VfwaddW(_) => self.fwide_arith(fm, true, Op::FAdd),
            V::VfwsubW(_) => self.fwide_arith(fm, true, Op::FSub),
            V::Vfwmacc(_) => self.fwide_fused(fm, 0),
            V::Vfwnmacc(_) => self.fwide_fused(fm, 3),
            V::Vfwmsac(_) => self.fwide_fused(fm, 2),
            V::Vfwnmsac(_) => self.fwide_fused(fm, 1),
            V::VfwcvtFF(_) if fm.every() => {
                let wide = fm.wide();
                for j in 0..pieces(fm.bytes_of(wide)) {
                    let a = self.vpiece(fm, fm.f.vs2, j / 2);
                    let v = self.fwiden(fm, a, j & 1);
                    let m = self.active(fm, wide, j);
                    self.vwrite(fm, j, v, m);
                }
                true
            }
            V::VfncvtFF(_) if fm.every() && fm.bytes >= 16 => {
                let fp = self.vfp(lanes(fm.wide()), round);
                for p in 0..pieces(fm.bytes) {
                    let [a, b] = [2 * p, 2 * p + 1].map(|q| {
                        let a = self.vpiece(fm, fm.f.vs2, q);
                        self.b.fcvt(Op::FCvt, Type::V128, fp, fm.size, a, 0)
                    });
                    let v = self.b.vop(Op::VZip1, lanes(Size::D), &[a, b], 0);
                    self.vwrite(fm, p, v, None);
                }
                true
            }
            V::Vfredusum(_) | V::Vfredosum(_) => self.fsum(fm),
            V::Vfmerge(_) => {
                let rhs = self.float_rhs(fm);
                self.merge(fm, rhs)
            }
            V::VfmvVF(_) => {
                let rhs = self.float_rhs(fm);
                self.copy(fm, rhs)
            }
            V::VfmvSF(_) => {
                let v = self.float_scalar(fm);
                self.write_first(fm, fm.size, v);
                true
            }
            V::VfmvFS(_) => {
                let v = self.vpiece(fm, fm.f.vs2, 0);
                let low = self.b.vop(Op::VLow, Shape::scalar(fm.size), &[v], 0);
                self.set_f(fm.f.vd, fm.size, low);
                true
            }
            V::Vfslide1up(_) | V::Vfslide1down(_) => {
                let x = self.float_scalar(fm);
                self.slide(fm, matches!(insn, V::Vfslide1up(_)), 1, Some(x))
            }
            _ => false,
        }
    }
}

/// 1.0
fn one_of(size: Size) -> u64 {
    match size {
        Size::H => 0x3c00,
        Size::S => 0x3f80_0000,
        Size::B | Size::D | Size::Q => 0x3ff0_0000_0000_0000,
    }
}
