//! Advanced SIMD floating point: vector and scalar forms, by element, pairwise, across lanes, conversions, FMLAL,
//! complex numbers, bfloat16. Input: a decoded row of group `simd_fp`; output: IR.

use crate::decode::{ArgsF2, ArgsF3, ArgsFel, SimdFp as I};
use crate::fpsimd::{Fx, fp_size, int_size, replicate, shape, wide};
use ir::{Op, Round, Shape, Size, Type, Val};

impl Fx<'_> {
    fn f_bin(&mut self, op: Op, a: ArgsF3) {
        let s = shape(a.scalar, a.q, fp_size(a.sz));
        let (n, m) = (self.v(a.rn), self.v(a.rm));
        let r = self.fop(op, s, &[n, m]);
        self.set_fp(a.rd, a.scalar, s, a.rn, r);
    }

    /// Comparison with operands swapped or not, and absolute values or not.
    fn f_cmp(&mut self, op: Op, absolute: bool, a: ArgsF3) {
        let s = shape(a.scalar, a.q, fp_size(a.sz));
        let (mut n, mut m) = (self.v(a.rn), self.v(a.rm));
        if absolute {
            n = self.vop(Op::FAbs, s, &[n], 0);
            m = self.vop(Op::FAbs, s, &[m], 0);
        }
        let r = self.fop(op, s, &[n, m]);
        self.set_fp(a.rd, a.scalar, s, a.rn, r);
    }

    /// `negate` as in [`Op::FMa`].
    fn f_mla(&mut self, negate: u64, a: ArgsF3) {
        let s = shape(a.scalar, a.q, fp_size(a.sz));
        let (d, n, m) = (self.v(a.rd), self.v(a.rn), self.v(a.rm));
        let fp = self.fp(s, Round::Dynamic);
        let r = self.b.fop(Op::FMa, fp, &[d, n, m], negate);
        self.set_v(a.rd, r);
    }

    fn f_elem(&mut self, op: Op, a: ArgsFel) {
        let s = shape(a.scalar, a.q, fp_size(a.sz));
        let n = self.v(a.rn);
        let m = self.vdup(s.lane, a.idx, a.rm);
        let r = self.fop(op, s, &[n, m]);
        self.set_fp(a.rd, a.scalar, s, a.rn, r);
    }

    fn f_mla_elem(&mut self, negate: u64, a: ArgsFel) {
        let s = shape(a.scalar, a.q, fp_size(a.sz));
        let (d, n) = (self.v(a.rd), self.v(a.rn));
        let m = self.vdup(s.lane, a.idx, a.rm);
        let fp = self.fp(s, Round::Dynamic);
        let r = self.b.fop(Op::FMa, fp, &[d, n, m], negate);
        self.set_fp(a.rd, a.scalar, s, a.rd, r);
    }

    fn f_un(&mut self, op: Op, a: ArgsF2) {
        let s = shape(a.scalar, a.q, fp_size(a.sz));
        let n = self.v(a.rn);
        let r = self.fop(op, s, &[n]);
        self.set_fp(a.rd, a.scalar, s, a.rd, r);
    }

    fn f_sign(&mut self, op: Op, a: ArgsF2) {
        let s = shape(a.scalar, a.q, fp_size(a.sz));
        let n = self.v(a.rn);
        let r = self.fsign(op, s, n);
        self.set_v(a.rd, r);
    }

    fn f_round(&mut self, op: Op, round: Round, imm: u64, a: ArgsF2) {
        let s = shape(a.scalar, a.q, fp_size(a.sz));
        let n = self.v(a.rn);
        let fp = self.fp(s, round);
        let r = self.b.fop(op, fp, &[n], imm);
        self.set_v(a.rd, r);
    }

    fn f_int(&mut self, op: Op, round: Round, a: ArgsF2) {
        let s = shape(a.scalar, a.q, fp_size(a.sz));
        let n = self.v(a.rn);
        let fp = self.fp(s, round);
        let r = self.b.fcvt(op, Type::V128, fp, s.lane, n, 0);
        self.set_fp(a.rd, a.scalar, s, a.rd, r);
    }

    fn f_zero(&mut self, op: Op, swap: bool, a: ArgsF2) {
        let s = shape(a.scalar, a.q, fp_size(a.sz));
        let (n, z) = (self.v(a.rn), self.vzero());
        let r = self.fop(op, s, &if swap { [z, n] } else { [n, z] });
        self.set_fp(a.rd, a.scalar, s, a.rd, r);
    }

    /// Adjacent pairs of n:m combined by `op`: its even lanes with its odd ones.
    fn f_pairs(&mut self, op: Op, a: ArgsF3) {
        let s = shape(0, a.q, fp_size(a.sz));
        let (n, m) = (self.v(a.rn), self.v(a.rm));
        let r = self.f_pairs_of(op, s, n, m);
        self.set_v(a.rd, r);
    }

    fn f_pairs_of(&mut self, op: Op, s: Shape, n: Val, m: Val) -> Val {
        let even = self.vop(Op::VUzp1, s, &[n, m], 0);
        let odd = self.vop(Op::VUzp2, s, &[n, m], 0);
        self.fop(op, s, &[even, odd])
    }

    /// Lanes 0 and 1 combined by `op`.
    fn f_pair(&mut self, op: Op, size: Size, n: Val) -> Val {
        let s = Shape::scalar(size);
        let m = self.vop(Op::VDupLane, s, &[n], 1);
        self.fop(op, s, &[n, m])
    }

    fn f_pair_scalar(&mut self, op: Op, a: ArgsF2) {
        let n = self.v(a.rn);
        let r = self.f_pair(op, fp_size(a.sz), n);
        self.set_v(a.rd, r);
    }

    /// The manual's `Reduce`: pairs, then pairs of the results.
    fn f_reduce(&mut self, op: Op, a: ArgsF2) {
        let s = shape(0, a.q, fp_size(a.sz));
        let mut n = self.v(a.rn);
        let mut lanes = s.lanes;
        while lanes > 2 {
            n = self.f_pairs_of(op, s, n, n);
            lanes /= 2;
        }
        let r = self.f_pair(op, s.lane, n);
        self.set_v(a.rd, r);
    }

    /// Half-precision products added to single lanes; `upper` takes the second half of the source.
    fn fmlal(&mut self, negate: u64, upper: bool, q: u32, [n, m, rd]: [Val; 3], m_all: bool, d: u32) {
        let s = Shape::full(Size::S, q == 1);
        let fp = self.fp(s, Round::Dynamic);
        let first = if upper { u64::from(s.lanes) } else { 0 };
        let n = self.b.fop(Op::FWidenH, fp, &[n], first);
        let m = self.b.fop(Op::FWidenH, fp, &[m], if m_all { 0 } else { first });
        let r = self.b.fop(Op::FMa, fp, &[rd, n, m], negate);
        self.set_v(d, r);
    }

    fn fmlal_v(&mut self, negate: u64, upper: bool, [q, rm, rn, rd]: [u32; 4]) {
        let args = [self.v(rn), self.v(rm), self.v(rd)];
        self.fmlal(negate, upper, q, args, false, rd);
    }

    fn fmlal_e(&mut self, negate: u64, upper: bool, [q, idx, rm, rn, rd]: [u32; 5]) {
        let args = [self.v(rn), self.vdup(Size::H, idx, rm), self.v(rd)];
        self.fmlal(negate, upper, q, args, true, rd);
    }

    /// bfloat16 products of even (`q` = 0) or odd lanes added to single lanes.
    fn bfmlal(&mut self, q: u32, n: Val, m: Val, m_top: bool, rd: u32) {
        let s = Shape::full(Size::S, true);
        let n = self.bf_lanes(s, q == 1, n);
        let m = self.bf_lanes(s, m_top, m);
        let d = self.v(rd);
        let r = self.fop(Op::FMa, s, &[d, n, m]);
        self.set_v(rd, r);
    }

    /// The odd or even bfloat16 lanes as single lanes.
    fn bf_lanes(&mut self, s: Shape, odd: bool, v: Val) -> Val {
        if odd {
            let mask = self.b.vconst(replicate(Size::S, 0xffff_0000), true);
            self.vop(Op::VAnd, s, &[v, mask], 0)
        } else {
            self.vop(Op::VShlI, s, &[v], 16)
        }
    }

    fn complex(&mut self, op: Op, s: Shape, args: &[Val], degrees: u32, rd: u32) {
        let fp = self.fp(s, Round::Dynamic);
        let r = self.b.fop(op, fp, args, u64::from(degrees));
        self.set_v(rd, r);
    }

    /// Narrowing conversion into the lower or upper half.
    fn f_narrow(&mut self, from: Size, round: Round, imm: u64, q: u32, rn: u32, rd: u32) {
        let to = if from == Size::D { Size::S } else { Size::H };
        let n = self.v(rn);
        let fp = self.fp(Shape::full(from, true), round);
        let r = self.b.fcvt(Op::FCvt, Type::V128, fp, to, n, imm);
        self.set_half(rd, q, r);
    }

    /// One instruction of group `simd_fp`.
    pub fn trans_simd_fp(&mut self, i: &I) {
        match *i {
            I::FmaxnmV(a) | I::FmaxnmH(a) => self.f_bin(Op::FMaxNm, a),
            I::FminnmV(a) | I::FminnmH(a) => self.f_bin(Op::FMinNm, a),
            I::FmlaV(a) | I::FmlaH(a) => self.f_mla(0, a),
            I::FmlsV(a) | I::FmlsH(a) => self.f_mla(1, a),
            I::FaddV(a) | I::FaddH(a) => self.f_bin(Op::FAdd, a),
            I::FsubV(a) | I::FsubH(a) => self.f_bin(Op::FSub, a),
            I::FmulxV(a) | I::FmulxH(a) | I::FmulxS(a) | I::FmulxSh(a) => self.f_bin(Op::FMulx, a),
            I::FcmeqV(a) | I::FcmeqH(a) | I::FcmeqS(a) | I::FcmeqSh(a) => self.f_cmp(Op::FCmpEq, false, a),
            I::FcmgeV(a) | I::FcmgeH(a) | I::FcmgeS(a) | I::FcmgeSh(a) => self.f_cmp(Op::FCmpGe, false, a),
            I::FcmgtV(a) | I::FcmgtH(a) | I::FcmgtS(a) | I::FcmgtSh(a) => self.f_cmp(Op::FCmpGt, false, a),
            I::FacgeV(a) | I::FacgeH(a) | I::FacgeS(a) | I::FacgeSh(a) => self.f_cmp(Op::FCmpGe, true, a),
            I::FacgtV(a) | I::FacgtH(a) | I::FacgtS(a) | I::FacgtSh(a) => self.f_cmp(Op::FCmpGt, true, a),
            I::FmaxV(a) | I::FmaxH(a) => self.f_bin(Op::FMax, a),
            I::FminV(a) | I::FminH(a) => self.f_bin(Op::FMin, a),
            I::FrecpsV(a) | I::FrecpsH(a) | I::FrecpsS(a) | I::FrecpsSh(a) => self.f_bin(Op::FRecps, a),
            I::FrsqrtsV(a) | I::FrsqrtsH(a) | I::FrsqrtsS(a) | I::FrsqrtsSh(a) => self.f_bin(Op::FRsqrts, a),
            I::FmaxnmpV(a) | I::FmaxnmpH(a) => self.f_pairs(Op::FMaxNm, a),
            I::FminnmpV(a) | I::FminnmpH(a) => self.f_pairs(Op::FMinNm, a),
            I::FmaxpV(a) | I::FmaxpH(a) => self.f_pairs(Op::FMax, a),
            I::FminpV(a) | I::FminpH(a) => self.f_pairs(Op::FMin, a),
            I::FaddpV(a) | I::FaddpH(a) => self.f_bin(Op::FPadd, a),
            I::FmulV(a) | I::FmulH(a) => self.f_bin(Op::FMul, a),
            I::FdivV(a) | I::FdivH(a) => self.f_bin(Op::FDiv, a),
            I::FabdV(a) | I::FabdH(a) | I::FabdS(a) | I::FabdSh(a) => {
                let s = shape(a.scalar, a.q, fp_size(a.sz));
                let (n, m) = (self.v(a.rn), self.v(a.rm));
                let r = self.fop(Op::FSub, s, &[n, m]);
                let r = self.fsign(Op::FAbs, s, r);
                self.set_fp(a.rd, a.scalar, s, a.rn, r);
            }
            I::FmlalV(a) => self.fmlal_v(0, false, [a.q, a.rm, a.rn, a.rd]),
            I::FmlslV(a) => self.fmlal_v(1, false, [a.q, a.rm, a.rn, a.rd]),
            I::Fmlal2V(a) => self.fmlal_v(0, true, [a.q, a.rm, a.rn, a.rd]),
            I::Fmlsl2V(a) => self.fmlal_v(1, true, [a.q, a.rm, a.rn, a.rd]),
            I::FmlalE(a) => self.fmlal_e(0, false, [a.q, a.idx, a.rm, a.rn, a.rd]),
            I::FmlslE(a) => self.fmlal_e(1, false, [a.q, a.idx, a.rm, a.rn, a.rd]),
            I::Fmlal2E(a) => self.fmlal_e(0, true, [a.q, a.idx, a.rm, a.rn, a.rd]),
            I::Fmlsl2E(a) => self.fmlal_e(1, true, [a.q, a.idx, a.rm, a.rn, a.rd]),
            I::BfdotV(a) => {
                let args = [self.v(a.rd), self.v(a.rn), self.v(a.rm)];
                let r = self.fop(Op::BfDot, Shape::full(Size::S, a.q == 1), &args);
                self.set_v(a.rd, r);
            }
            I::BfdotE(a) => {
                let args = [self.v(a.rd), self.v(a.rn), self.vdup(Size::S, a.idx, a.rm)];
                let r = self.fop(Op::BfDot, Shape::full(Size::S, a.q == 1), &args);
                self.set_v(a.rd, r);
            }
            I::Bfmmla(a) => {
                let args = [self.v(a.rd), self.v(a.rn), self.v(a.rm)];
                let r = self.fop(Op::BfMmla, Shape::full(Size::S, true), &args);
                self.set_v(a.rd, r);
            }
            I::BfmlalV(a) => {
                let (n, m) = (self.v(a.rn), self.v(a.rm));
                self.bfmlal(a.q, n, m, a.q == 1, a.rd);
            }
            I::BfmlalE(a) => {
                let (n, m) = (self.v(a.rn), self.vdup(Size::H, a.idx, a.rm));
                self.bfmlal(a.q, n, m, true, a.rd);
            }
            I::FcmlaV(a) => {
                let args = [self.v(a.rd), self.v(a.rn), self.v(a.rm)];
                self.complex(Op::FCmla, Shape::full(int_size(a.size), a.q == 1), &args, 90 * a.rot, a.rd);
            }
            I::FcaddV(a) => {
                let args = [self.v(a.rn), self.v(a.rm)];
                self.complex(
                    Op::FCadd,
                    Shape::full(int_size(a.size), a.q == 1),
                    &args,
                    90 + 180 * a.rot,
                    a.rd,
                );
            }
            I::FcmlaE(a) | I::FcmlaEh(a) => {
                // The element is a pair of lanes; for halves idx is H:L, the register has all five bits.
                let size = int_size(a.size);
                let pair = if size == Size::H { a.idx >> 1 } else { a.idx >> 2 };
                let m = self.v(a.rm);
                let m = self.vop(Op::VDupLane, Shape::full(wide(size), true), &[m], u64::from(pair));
                let args = [self.v(a.rd), self.v(a.rn), m];
                self.complex(Op::FCmla, Shape::full(size, a.q == 1), &args, 90 * a.rot, a.rd);
            }
            I::FrintnV(a) | I::FrintnH(a) => self.f_round(Op::FRint, Round::Nearest, 0, a),
            I::FrintmV(a) | I::FrintmH(a) => self.f_round(Op::FRint, Round::Down, 0, a),
            I::FrintpV(a) | I::FrintpH(a) => self.f_round(Op::FRint, Round::Up, 0, a),
            I::FrintzV(a) | I::FrintzH(a) => self.f_round(Op::FRint, Round::Zero, 0, a),
            I::FrintaV(a) | I::FrintaH(a) => self.f_round(Op::FRint, Round::NearestAway, 0, a),
            I::FrintxV(a) | I::FrintxH(a) => self.f_round(Op::FRint, Round::Dynamic, 1, a),
            I::FrintiV(a) | I::FrintiH(a) => self.f_round(Op::FRint, Round::Dynamic, 0, a),
            I::Frint32zV(a) => self.f_round(Op::FRintN, Round::Zero, 32, a),
            I::Frint32xV(a) => self.f_round(Op::FRintN, Round::Dynamic, 32, a),
            I::Frint64zV(a) => self.f_round(Op::FRintN, Round::Zero, 64, a),
            I::Frint64xV(a) => self.f_round(Op::FRintN, Round::Dynamic, 64, a),
            I::FcvtnsV(a) | I::FcvtnsH(a) | I::FcvtnsS(a) | I::FcvtnsSh(a) => {
                self.f_int(Op::VFToS, Round::Nearest, a)
            }
            I::FcvtnuV(a) | I::FcvtnuH(a) | I::FcvtnuS(a) | I::FcvtnuSh(a) => {
                self.f_int(Op::VFToU, Round::Nearest, a)
            }
            I::FcvtmsV(a) | I::FcvtmsH(a) | I::FcvtmsS(a) | I::FcvtmsSh(a) => {
                self.f_int(Op::VFToS, Round::Down, a)
            }
            I::FcvtmuV(a) | I::FcvtmuH(a) | I::FcvtmuS(a) | I::FcvtmuSh(a) => {
                self.f_int(Op::VFToU, Round::Down, a)
            }
            I::FcvtpsV(a) | I::FcvtpsH(a) | I::FcvtpsS(a) | I::FcvtpsSh(a) => {
                self.f_int(Op::VFToS, Round::Up, a)
            }
            I::FcvtpuV(a) | I::FcvtpuH(a) | I::FcvtpuS(a) | I::FcvtpuSh(a) => {
                self.f_int(Op::VFToU, Round::Up, a)
            }
            I::FcvtzsV(a) | I::FcvtzsH(a) | I::FcvtzsS(a) | I::FcvtzsSh(a) => {
                self.f_int(Op::VFToS, Round::Zero, a)
            }
            I::FcvtzuV(a) | I::FcvtzuH(a) | I::FcvtzuS(a) | I::FcvtzuSh(a) => {
                self.f_int(Op::VFToU, Round::Zero, a)
            }
            I::FcvtasV(a) | I::FcvtasH(a) | I::FcvtasS(a) | I::FcvtasSh(a) => {
                self.f_int(Op::VFToS, Round::NearestAway, a);
            }
            I::FcvtauV(a) | I::FcvtauH(a) | I::FcvtauS(a) | I::FcvtauSh(a) => {
                self.f_int(Op::VFToU, Round::NearestAway, a);
            }
            I::ScvtfV(a) | I::ScvtfH(a) | I::ScvtfS(a) | I::ScvtfSh(a) => {
                self.f_int(Op::VSToF, Round::Dynamic, a)
            }
            I::UcvtfV(a) | I::UcvtfH(a) | I::UcvtfS(a) | I::UcvtfSh(a) => {
                self.f_int(Op::VUToF, Round::Dynamic, a)
            }
            I::Fcmgt0V(a) | I::Fcmgt0H(a) | I::Fcmgt0S(a) | I::Fcmgt0Sh(a) => {
                self.f_zero(Op::FCmpGt, false, a)
            }
            I::Fcmge0V(a) | I::Fcmge0H(a) | I::Fcmge0S(a) | I::Fcmge0Sh(a) => {
                self.f_zero(Op::FCmpGe, false, a)
            }
            I::Fcmeq0V(a) | I::Fcmeq0H(a) | I::Fcmeq0S(a) | I::Fcmeq0Sh(a) => {
                self.f_zero(Op::FCmpEq, false, a)
            }
            I::Fcmle0V(a) | I::Fcmle0H(a) | I::Fcmle0S(a) | I::Fcmle0Sh(a) => {
                self.f_zero(Op::FCmpGe, true, a)
            }
            I::Fcmlt0V(a) | I::Fcmlt0H(a) | I::Fcmlt0S(a) | I::Fcmlt0Sh(a) => {
                self.f_zero(Op::FCmpGt, true, a)
            }
            I::FabsV(a) | I::FabsH(a) => self.f_sign(Op::FAbs, a),
            I::FnegV(a) | I::FnegH(a) => self.f_sign(Op::FNeg, a),
            I::FrecpeV(a) | I::FrecpeH(a) | I::FrecpeS(a) | I::FrecpeSh(a) => self.f_un(Op::FRecpe, a),
            I::FrsqrteV(a) | I::FrsqrteH(a) | I::FrsqrteS(a) | I::FrsqrteSh(a) => self.f_un(Op::FRsqrte, a),
            I::FrecpxS(a) | I::FrecpxSh(a) => self.f_un(Op::FRecpx, a),
            I::FsqrtV(a) | I::FsqrtH(a) => self.f_un(Op::FSqrt, a),
            I::FcvtnV(a) => {
                let (from, to) = if a.sz == 1 { (Size::D, Size::S) } else { (Size::S, Size::H) };
                let imm = self.ahp_imm(from, to);
                self.f_narrow(from, Round::Dynamic, imm, a.q, a.rn, a.rd);
            }
            I::FcvtlV(a) => {
                let (from, to) = if a.sz == 1 { (Size::S, Size::D) } else { (Size::H, Size::S) };
                let n = self.v(a.rn);
                let fp = self.fp(Shape::full(from, false), Round::Dynamic);
                let imm = self.ahp_imm(from, to) | u64::from(a.q);
                let r = self.b.fcvt(Op::FCvt, Type::V128, fp, to, n, imm);
                self.set_v(a.rd, r);
            }
            I::FcvtxnV(a) => self.f_narrow(Size::D, Round::Odd, 0, a.q, a.rn, a.rd),
            I::FcvtxnS(a) => {
                let n = self.v(a.rn);
                let fp = self.fp(Shape::scalar(Size::D), Round::Odd);
                let r = self.b.fcvt(Op::FCvt, Type::V128, fp, Size::S, n, 0);
                self.set_scalar(a.rd, Size::S, a.rd, r);
            }
            I::BfcvtnV(a) => self.f_narrow(Size::S, Round::Dynamic, 2, a.q, a.rn, a.rd),
            I::Fmaxnmv(a) | I::FmaxnmvH(a) => self.f_reduce(Op::FMaxNm, a),
            I::Fminnmv(a) | I::FminnmvH(a) => self.f_reduce(Op::FMinNm, a),
            I::Fmaxv(a) | I::FmaxvH(a) => self.f_reduce(Op::FMax, a),
            I::Fminv(a) | I::FminvH(a) => self.f_reduce(Op::FMin, a),
            I::FmaxnmpS(a) | I::FmaxnmpSh(a) => self.f_pair_scalar(Op::FMaxNm, a),
            I::FminnmpS(a) | I::FminnmpSh(a) => self.f_pair_scalar(Op::FMinNm, a),
            I::FmaxpS(a) | I::FmaxpSh(a) => self.f_pair_scalar(Op::FMax, a),
            I::FminpS(a) | I::FminpSh(a) => self.f_pair_scalar(Op::FMin, a),
            I::FaddpS(a) | I::FaddpSh(a) => self.f_pair_scalar(Op::FAdd, a),
            I::FmlaE(a) | I::FmlaEh(a) | I::FmlaEs(a) | I::FmlaEsh(a) => self.f_mla_elem(0, a),
            I::FmlsE(a) | I::FmlsEh(a) | I::FmlsEs(a) | I::FmlsEsh(a) => self.f_mla_elem(1, a),
            I::FmulE(a) | I::FmulEh(a) | I::FmulEs(a) | I::FmulEsh(a) => self.f_elem(Op::FMul, a),
            I::FmulxE(a) | I::FmulxEh(a) | I::FmulxEs(a) | I::FmulxEsh(a) => self.f_elem(Op::FMulx, a),
        }
    }
}
