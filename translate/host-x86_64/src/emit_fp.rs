//! Inline code for floating-point operations with exact results.
//!
//! The host instruction computes the common case. Where the guest's rules may differ (which NaN is returned, tininess before
//! rounding, conversions out of range) a guard jumps to a cold path that evaluates the operation by its definition.
//! Sticky flags accumulate in the host's status word; the cold path adds what the host did not raise.
//!
//! What must hold: sources are unchanged when the guard is taken (the cold path reads them again), so results are
//! computed into a scratch register when the destination is also a source. Vectors of 8 bytes are computed on both
//! halves alike: garbage in upper lanes would raise flags.

use crate::asm::{Cc, K, Label, Level, Mr, Sz, V, Xmm};
use crate::emit_vec::{VecCx, splat};
use ir::{Attr, Fp, Inst, NanRule, Op, Round, Size};

/// What an inline form left for the caller.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    /// Where the cold path starts: the caller binds it, evaluates out of line into the destination and jumps to `done`.
    /// `None` when the form needs none.
    pub cold: Option<Label>,
    /// Bound after the inline form.
    pub done: Label,
}

/// Predicate of the host's comparisons that have more than eight.
const EQUAL_OR_UNORDERED: u8 = 8;

/// Rows for single and double, scalar and packed.
struct Rows {
    ss: V,
    sd: V,
    ps: V,
    pd: V,
}

/// The relations and the signalling bit of a host predicate, as [`Op::FCmpP`] names them.
fn predicate(p: u8) -> u64 {
    const RELATIONS: [u64; 16] = [2, 17, 19, 8, 13, 30, 28, 7, 10, 25, 27, 0, 5, 22, 20, 15];
    RELATIONS[usize::from(p & 15)] ^ u64::from(p & 16)
}

impl VecCx<'_> {
    fn take(&self, r: &Rows, double: bool, scalar: bool) -> V {
        match (double, scalar) {
            (false, true) => r.ss,
            (true, true) => r.sd,
            (false, false) => r.ps,
            (true, false) => r.pd,
        }
    }

    /// Emits a floating-point operation with a vector result; `None` (and no code) without an inline form.
    pub fn emit_fp(&mut self, inst: &Inst, d: Xmm, s: [Xmm; 3]) -> Option<Guard> {
        match inst.attr {
            Attr::Fp(fp) => self.fp(inst, fp, d, s),
            Attr::FpCvt(fp, other) => self.fp_convert(inst, fp, other, d, s[0]),
            _ => None,
        }
    }

    fn inline_ok(fp: &Fp) -> bool {
        fp.rules.plain() && matches!(fp.shape.lane, Size::S | Size::D) && matches!(fp.shape.lanes, 1 | 2 | 4)
    }

    fn fp(&mut self, inst: &Inst, fp: Fp, d: Xmm, s: [Xmm; 3]) -> Option<Guard> {
        use V::*;
        if fp.shape.lane == Size::H {
            return self.half(inst, fp, d, s);
        }
        if !Self::inline_ok(&fp) {
            return None;
        }
        let double = fp.shape.lane == Size::D;
        let scalar = fp.shape.lanes == 1;
        let half = fp.shape.bytes() == 8 && !scalar;
        let tiny = fp.rules.tiny_before;
        let dynamic = fp.round == Round::Dynamic;
        let rows = match inst.op {
            Op::FAdd => Rows { ss: Addss, sd: Addsd, ps: Addps, pd: Addpd },
            Op::FSub => Rows { ss: Subss, sd: Subsd, ps: Subps, pd: Subpd },
            Op::FMul => Rows { ss: Mulss, sd: Mulsd, ps: Mulps, pd: Mulpd },
            Op::FDiv => Rows { ss: Divss, sd: Divsd, ps: Divps, pd: Divpd },
            Op::FSqrt => Rows { ss: Sqrtss, sd: Sqrtsd, ps: Sqrtps, pd: Sqrtpd },
            Op::FMax | Op::FMaxNm => Rows { ss: Maxss, sd: Maxsd, ps: Maxps, pd: Maxpd },
            Op::FMin | Op::FMinNm => Rows { ss: Minss, sd: Minsd, ps: Minps, pd: Minpd },
            Op::FCmpEq | Op::FCmpGe | Op::FCmpGt => Rows { ss: Cmpss, sd: Cmpsd, ps: Cmpps, pd: Cmppd },
            Op::FRint => Rows { ss: Roundss, sd: Roundsd, ps: Roundps, pd: Roundpd },
            Op::FMa => match inst.imm & 3 {
                0 => Rows { ss: Vfmadd231ss, sd: Vfmadd231sd, ps: Vfmadd231ps, pd: Vfmadd231pd },
                1 => Rows { ss: Vfnmadd231ss, sd: Vfnmadd231sd, ps: Vfnmadd231ps, pd: Vfnmadd231pd },
                2 => Rows { ss: Vfmsub231ss, sd: Vfmsub231sd, ps: Vfmsub231ps, pd: Vfmsub231pd },
                _ => Rows { ss: Vfnmsub231ss, sd: Vfnmsub231sd, ps: Vfnmsub231ps, pd: Vfnmsub231pd },
            },
            Op::FPadd => Rows { ss: Addss, sd: Addsd, ps: Addps, pd: Addpd },
            Op::FPsub => Rows { ss: Subss, sd: Subsd, ps: Subps, pd: Subpd },
            Op::FAddSub if !scalar => Rows { ss: Addsubps, sd: Addsubpd, ps: Addsubps, pd: Addsubpd },
            Op::FCmpP => Rows { ss: Cmpss, sd: Cmpsd, ps: Cmpps, pd: Cmppd },
            _ => return None,
        };
        let x86 = fp.rules.nan == NanRule::X86;
        let arithmetic = matches!(inst.op, Op::FAdd | Op::FSub | Op::FMul | Op::FDiv | Op::FMax | Op::FMin);
        // The bits above a scalar are those of the first source: so the host does it.
        let keep = arithmetic && inst.imm == 1;
        if keep && !scalar || inst.op == Op::FMa && inst.imm & 4 != 0 {
            return None;
        }
        let bytes = if keep { 16 } else { fp.shape.bytes() };
        let row = self.take(&rows, double, scalar);
        if matches!(inst.op, Op::FMa) && self.a.feat.level < Level::Avx2 {
            return None;
        }
        match inst.op {
            Op::FCmpEq | Op::FCmpGe | Op::FCmpGt => {
                let [a, b, _] = self.inputs(s, half, 2);
                // Greater-than is less-than with the operands exchanged; the signalling predicates.
                match inst.op {
                    Op::FCmpEq => self.v3i(row, d, a, b, 0),
                    Op::FCmpGe => self.v3i(row, d, b, a, 2),
                    _ => self.v3i(row, d, b, a, 1),
                }
                self.low_bytes(d, d, fp.shape.bytes());
                return Some(self.unguarded());
            }
            Op::FCmpP => {
                let vex = self.a.feat.vex();
                let host =
                    |relations: u64| (0..if vex { 32 } else { 8 }).find(|&p| predicate(p) == relations);
                let [a, b, _] = self.inputs(s, half, 2);
                let turned = inst.imm & !5 | (inst.imm & 1) << 2 | inst.imm >> 2 & 1;
                match (host(inst.imm), host(turned)) {
                    (Some(p), _) => self.v3i(row, d, a, b, p),
                    (_, Some(p)) => self.v3i(row, d, b, a, p),
                    _ => return None,
                }
                self.low_bytes(d, d, bytes);
                return Some(self.unguarded());
            }
            Op::FRint => {
                let mode = match fp.round {
                    Round::Nearest => 0,
                    Round::Down => 1,
                    Round::Up => 2,
                    Round::Zero => 3,
                    Round::Dynamic => 4,
                    Round::NearestAway if inst.imm & 1 == 0 => return Some(self.round_away(&fp, d, s, half)),
                    Round::NearestAway | Round::Odd => return None,
                };
                let imm = mode | if inst.imm & 1 == 0 { 8 } else { 0 };
                let [a, ..] = self.inputs(s, half, 1);
                let r = self.result(d, s, half);
                if scalar {
                    self.a.v3i(row, r, a, a, imm);
                } else {
                    self.a.v2i(row, r, a, imm);
                }
                let guard = if fp.rules.nan == NanRule::Default { self.guard(&fp, r, false) } else { None };
                return Some(self.finish(guard, d, r, fp.shape.bytes()));
            }
            Op::FPadd | Op::FPsub | Op::FAddSub if scalar || !dynamic => return None,
            Op::FAddSub if x86 && !half => {
                self.v3(row, d, s[0], s[1]);
                return Some(self.unguarded());
            }
            Op::FAddSub => return None,
            Op::FPadd | Op::FPsub => {
                let [t0, t1] = self.t;
                match (double, half) {
                    (true, false) => {
                        self.a.v3(Punpcklqdq, t0, s[0], s[1]);
                        self.a.v3(Punpckhqdq, t1, s[0], s[1]);
                    }
                    (false, false) => {
                        self.a.v3i(Shufps, t0, s[0], s[1], 0x88);
                        self.a.v3i(Shufps, t1, s[0], s[1], 0xdd);
                    }
                    (_, true) => {
                        self.a.v3(Punpcklqdq, t1, s[0], s[1]);
                        self.a.v2i(Pshufd, t0, t1, 0x88);
                        self.a.v2i(Pshufd, t1, t1, 0xdd);
                    }
                }
                self.a.v3(row, t0, t0, t1);
                let guard = self.guard(&fp, t0, false);
                return Some(self.finish(guard, d, t0, fp.shape.bytes()));
            }
            Op::FMax | Op::FMin if x86 => {
                let [a, b, _] = self.inputs(s, half, 2);
                let r = if half { self.t[0] } else { d };
                self.a.v3(row, r, a, b);
                return Some(self.finish(None, d, r, bytes));
            }
            Op::FMaxNm | Op::FMinNm if x86 => return None,
            Op::FMax | Op::FMin | Op::FMaxNm | Op::FMinNm => {
                let [a, b, _] = self.inputs(s, half, 2);
                // The host's forms signal for quiet NaNs too: test first.
                let cold = self.unordered(&fp, a, b);
                let x = self.x[1];
                self.a.v3(row, x, a, b);
                let r = self.t[0];
                self.a.v3(row, r, b, a);
                // Equal operands (zeros of either sign): the two orders give either one.
                let max = matches!(inst.op, Op::FMax | Op::FMaxNm);
                self.a.v3(if max { Andps } else { Orps }, r, r, x);
                if keep {
                    self.a.v3(if double { Movsd } else { Movss }, r, a, r);
                }
                return Some(self.finish(Some(cold), d, r, bytes));
            }
            _ => {}
        }
        if !dynamic {
            return None;
        }
        let args = match inst.op {
            Op::FSqrt => 1,
            Op::FMa => 3,
            _ => 2,
        };
        let i = self.inputs(s, half, args);
        // Without a cold path nothing reads the sources again.
        let direct = (x86 || self.unguarded) && !half && inst.op != Op::FMa;
        let r = if direct { d } else { self.result(d, s, half) };
        match inst.op {
            Op::FSqrt if scalar => self.a.v3(row, r, i[0], i[0]),
            Op::FSqrt => self.a.v2(row, r, i[0]),
            Op::FMa => {
                self.a.vmov(r, i[0]);
                self.a.v3(row, r, i[1], i[2]);
            }
            _ => self.a.v3(row, r, i[0], i[1]),
        }
        let may_be_tiny = tiny && matches!(inst.op, Op::FMul | Op::FDiv | Op::FMa);
        let guard = self.guard(&fp, r, may_be_tiny);
        // The host takes the upper part of a scalar result from the first source.
        let bytes = if scalar && (self.clean || inst.imm & ir::MERGE != 0) { 16 } else { bytes };
        Some(self.finish(guard, d, r, bytes))
    }

    /// The sources, for 8-byte vectors repeated in both halves.
    fn inputs(&mut self, s: [Xmm; 3], half: bool, n: usize) -> [Xmm; 3] {
        if !half {
            return s;
        }
        let regs = [self.t[0], self.t[1], self.x[1]];
        for i in 0..n {
            self.a.v2(V::Movddup, regs[i], s[i]);
        }
        regs
    }

    /// Where to compute: not over a source.
    fn result(&self, d: Xmm, s: [Xmm; 3], half: bool) -> Xmm {
        if half || s.contains(&d) { self.t[0] } else { d }
    }

    pub(crate) fn unguarded(&mut self) -> Guard {
        let done = self.a.here();
        Guard { cold: None, done }
    }

    pub(crate) fn finish(&mut self, cold: Option<Label>, d: Xmm, r: Xmm, bytes: usize) -> Guard {
        self.low_bytes(d, r, bytes);
        let done = self.a.here();
        Guard { cold, done }
    }

    /// Jumps to a cold path if a lane of `r` is a NaN or, with `tiny`, the smallest normal number.
    pub(crate) fn guard(&mut self, fp: &Fp, r: Xmm, tiny: bool) -> Option<Label> {
        use V::*;
        if (fp.rules.nan == NanRule::X86 || self.unguarded) && !tiny {
            return None;
        }
        let cold = self.a.new_label();
        let double = fp.shape.lane == Size::D;
        let min_normal = if double { 0x0010_0000_0000_0000u64 } else { 0x0080_0000 };
        let bytes = fp.shape.lane.bytes();
        if !tiny {
            if fp.shape.lanes == 1 {
                self.a.v2(if double { Ucomisd } else { Ucomiss }, r, r);
                self.a.jcc(Cc::P, cold);
            } else if self.a.feat.level >= Level::Avx512 {
                self.a.vk2(if double { Vfpclasspd } else { Vfpclassps }, K(1), r, Some(0x81));
                self.a.kortest(true, K(1), K(1));
                self.a.jcc(Cc::Ne, cold);
            } else {
                let t = self.x[1];
                self.a.v3i(if double { Cmppd } else { Cmpps }, t, r, r, 3);
                self.any_lane(t, cold);
            }
            return Some(cold);
        }
        // Without its sign a value is the smallest normal number, or unordered with it: one comparison sees both.
        let t = self.t[1];
        self.v3c(Andps, t, r, splat(u64::MAX >> 1 >> (64 - 8 * bytes), bytes));
        let smallest = self.pool.get(self.a, splat(min_normal, bytes));
        if fp.shape.lanes == 1 {
            self.a.v2(if double { Ucomisd } else { Ucomiss }, t, smallest);
            self.a.jcc(Cc::E, cold);
        } else if self.a.feat.level >= Level::Avx512 {
            self.a.vk(if double { VcmppdK } else { VcmppsK }, K(1), t, smallest, Some(EQUAL_OR_UNORDERED));
            self.a.kortest(true, K(1), K(1));
            self.a.jcc(Cc::Ne, cold);
        } else if self.a.feat.level >= Level::Avx2 {
            self.a.v3i(if double { Cmppd } else { Cmpps }, t, t, smallest, EQUAL_OR_UNORDERED);
            self.any_lane(t, cold);
        } else {
            let x = self.x[1];
            self.a.v3i(if double { Cmppd } else { Cmpps }, x, r, r, 3);
            self.v3c(if double { Pcmpeqq } else { Pcmpeqd }, t, t, splat(min_normal, bytes));
            self.a.v3(Por, t, t, x);
            self.any_lane(t, cold);
        }
        Some(cold)
    }

    /// Jumps to `l` if the top bit of some lane of `x` is set.
    fn any_lane(&mut self, x: Xmm, l: Label) {
        self.a.v_gp(V::Movmskps, self.gp, x);
        self.a.mr(Mr::Test, Sz::D, self.gp, self.gp);
        self.a.jcc(Cc::Ne, l);
    }

    /// Jumps to a cold path if any lanes of the sources are unordered.
    fn unordered(&mut self, fp: &Fp, a: Xmm, b: Xmm) -> Label {
        use V::*;
        let cold = self.a.new_label();
        let double = fp.shape.lane == Size::D;
        if fp.shape.lanes == 1 {
            self.a.v2(if double { Ucomisd } else { Ucomiss }, a, b);
            self.a.jcc(Cc::P, cold);
        } else if self.a.feat.level >= Level::Avx512 {
            self.a.vk(if double { VcmppdK } else { VcmppsK }, K(1), a, b, Some(3));
            self.a.kortest(true, K(1), K(1));
            self.a.jcc(Cc::Ne, cold);
        } else {
            // Inputs of 8-byte vectors occupy the scratch registers up to t[1]; x[1] is free here.
            let x = self.x[1];
            self.a.v3i(if double { Cmppd } else { Cmpps }, x, a, b, 3);
            self.any_lane(x, cold);
        }
        cold
    }
}
