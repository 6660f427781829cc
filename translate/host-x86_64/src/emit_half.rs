//! Arithmetic and comparisons of half-precision lanes: in single precision, then rounded once more.
//!
//! Sums, differences, products, quotients and roots of numbers with 11 significant bits that are rounded to 24 bits and then to 11
//! or fewer are what rounding at once gives, in every direction and with the same flags: single precision has more than
//! twice as many bits and two. Fused operations are not among these. The lanes' conversions are exact and raise invalid for
//! signalling NaNs only.

use crate::asm::{Cc, Mr, Sz, V, Xmm};
use crate::emit_fp::Guard;
use crate::emit_vec::{VecCx, splat};
use ir::{Fp, Inst, NanRule, Op, Round, Size};

impl VecCx<'_> {
    /// `r` = the single-precision lanes of four half-precision ones: the lower or upper four of `s`, or only the first.
    fn singles(&mut self, r: Xmm, s: Xmm, upper: bool, scalar: bool) {
        match (upper, scalar) {
            (true, _) => {
                self.a.v2i(V::Pshufd, r, s, 0xee);
                self.a.v2(V::Vcvtph2ps, r, r);
            }
            (false, true) => {
                self.low_bytes(r, s, 2);
                self.a.v2(V::Vcvtph2ps, r, r);
            }
            (false, false) => self.a.v2(V::Vcvtph2ps, r, s),
        }
    }

    /// An operation on half-precision lanes; `None` (and no code) without an inline form.
    pub(crate) fn half(&mut self, inst: &Inst, fp: Fp, d: Xmm, s: [Xmm; 3]) -> Option<Guard> {
        use V::*;
        let lanes = fp.shape.lanes;
        let usual = fp.shape.lane == Size::H
            && matches!(lanes, 1 | 4 | 8)
            && fp.rules.plain()
            && fp.rules.nan != NanRule::X86
            && inst.imm == 0;
        if !usual || !self.a.has_v(Vcvtph2ps) {
            return None;
        }
        let scalar = lanes == 1;
        let row = match inst.op {
            Op::FAdd => [Addps, Addss],
            Op::FSub => [Subps, Subss],
            Op::FMul => [Mulps, Mulss],
            Op::FDiv => [Divps, Divss],
            Op::FSqrt => [Sqrtps, Sqrtss],
            Op::FCmpEq | Op::FCmpGe | Op::FCmpGt => [Cmpps, Cmpss],
            _ => return None,
        }[usize::from(scalar)];
        let compare = match inst.op {
            Op::FCmpEq => Some(0),
            Op::FCmpGe => Some(2),
            Op::FCmpGt => Some(1),
            _ => None,
        };
        if compare.is_none() && fp.round != Round::Dynamic {
            return None;
        }
        let ([low, t], high) = (self.t, self.x[1]);
        for (r, upper) in [(low, false), (high, true)].into_iter().take(if lanes == 8 { 2 } else { 1 }) {
            self.singles(r, s[0], upper, scalar);
            if inst.op != Op::FSqrt {
                self.singles(t, s[1], upper, scalar);
            }
            match (compare, inst.op) {
                // Greater-than is less-than with the operands exchanged.
                (Some(0), _) => self.a.v3i(row, r, r, t, 0),
                (Some(p), _) => self.a.v3i(row, r, t, r, p),
                (None, Op::FSqrt) if scalar => self.a.v3(row, r, r, r),
                (None, Op::FSqrt) => self.a.v2(row, r, r),
                (None, _) => self.a.v3(row, r, r, t),
            }
            if compare.is_none() {
                // By MXCSR's rounding mode.
                self.a.vsti(Vcvtps2ph, r, r, 4);
            }
        }
        if compare.is_some() {
            // Masks of 32 bits to masks of 16.
            self.a.v3(Packssdw, low, low, if lanes == 8 { high } else { low });
            return Some(self.finish(None, d, low, fp.shape.bytes()));
        }
        if lanes == 8 {
            self.a.v3(Punpcklqdq, low, low, high);
        }
        // A NaN, or what may have been tiny before it was rounded.
        let cold = self.a.new_label();
        self.v3c(Pand, t, low, splat(0x7fff, 2));
        if fp.rules.tiny_before && matches!(inst.op, Op::FMul | Op::FDiv) {
            self.v3c(Pcmpeqw, high, t, splat(0x0400, 2));
            self.v3c(Pcmpgtw, t, t, splat(0x7c00, 2));
            self.a.v3(Por, t, t, high);
        } else {
            self.v3c(Pcmpgtw, t, t, splat(0x7c00, 2));
        }
        self.a.v_gp(Pmovmskb, self.gp, t);
        self.a.mr(Mr::Test, Sz::D, self.gp, self.gp);
        self.a.jcc(Cc::Ne, cold);
        Some(self.finish(Some(cold), d, low, fp.shape.bytes()))
    }
}
