//! Scalar floating point: the manual's "Floating-point data-processing", compare, select, immediate and the conversions to
//! and from integers and fixed point. Input: a decoded row of group `fp`; output: IR.

use crate::decode::Fp as I;
use crate::fpsimd::{Fx, expand_fp_imm, ftype_size};
use ir::{Op, Round, Shape, Size, Type, Val};

fn int_type(sf: u32) -> (Type, Size) {
    if sf == 1 { (Type::I64, Size::D) } else { (Type::I32, Size::S) }
}

impl Fx<'_> {
    fn two(&mut self, op: Op, ftype: u32, rm: u32, rn: u32, rd: u32) {
        let s = Shape::scalar(ftype_size(ftype));
        let (n, m) = (self.v(rn), self.v(rm));
        let r = self.fop(op, s, &[n, m]);
        self.set_scalar(rd, s.lane, rn, r);
    }

    fn three(&mut self, negate: u64, ftype: u32, [rm, ra, rn, rd]: [u32; 4]) {
        let s = Shape::scalar(ftype_size(ftype));
        let (a, n, m) = (self.v(ra), self.v(rn), self.v(rm));
        let fp = self.fp(s, Round::Dynamic);
        let r = self.b.fop(Op::FMa, fp, &[a, n, m], negate);
        self.set_scalar(rd, s.lane, ra, r);
    }

    fn sign(&mut self, op: Op, ftype: u32, rn: u32, rd: u32) {
        let s = Shape::scalar(ftype_size(ftype));
        let n = self.v(rn);
        let r = self.fsign(op, s, n);
        self.set_scalar(rd, s.lane, rd, r);
    }

    fn round(&mut self, op: Op, round: Round, imm: u64, ftype: u32, rn: u32, rd: u32) {
        let s = Shape::scalar(ftype_size(ftype));
        let n = self.v(rn);
        let fp = self.fp(s, round);
        let r = self.b.fop(op, fp, &[n], imm);
        self.set_scalar(rd, s.lane, rd, r);
    }

    /// Conversion between formats.
    fn format(&mut self, from: Size, to: Size, rn: u32, rd: u32) {
        let n = self.v(rn);
        let fp = self.fp(Shape::scalar(from), Round::Dynamic);
        let imm = self.ahp_imm(from, to);
        let r = self.b.fcvt(Op::FCvt, Type::V128, fp, to, n, imm);
        self.set_scalar(rd, to, rd, r);
    }

    fn float_int(&mut self, op: Op, round: Round, [sf, ftype, fbits, rn, rd]: [u32; 5]) {
        let (ty, size) = int_type(sf);
        let n = self.v(rn);
        let fp = self.fp(Shape::scalar(ftype_size(ftype)), round);
        let r = self.b.fcvt(op, ty, fp, size, n, u64::from(fbits));
        self.set_x(rd, r);
    }

    fn int_float(&mut self, op: Op, [sf, ftype, fbits, rn, rd]: [u32; 5]) {
        let (ty, size) = int_type(sf);
        let s = Shape::scalar(ftype_size(ftype));
        let n = self.x(ty, rn);
        let fp = self.fp(s, Round::Dynamic);
        let r = self.b.fcvt(op, Type::V128, fp, size, n, u64::from(fbits));
        self.set_scalar(rd, s.lane, rd, r);
    }

    fn compare(&mut self, ftype: u32, n: Val, m: Val, signal: u32) -> Val {
        let fp = self.fp(Shape::scalar(ftype_size(ftype)), Round::Dynamic);
        self.b.fcmp(fp, n, m, signal == 1)
    }

    /// One instruction of group `fp`.
    pub fn trans_fp(&mut self, i: &I) {
        match *i {
            I::Fmov(a) => {
                let n = self.v(a.rn);
                let r = self.vop(Op::VLow, Shape::scalar(ftype_size(a.ftype)), &[n], 0);
                self.set_v(a.rd, r);
            }
            I::Fabs(a) => self.sign(Op::FAbs, a.ftype, a.rn, a.rd),
            I::Fneg(a) => self.sign(Op::FNeg, a.ftype, a.rn, a.rd),
            I::Fsqrt(a) => {
                let s = Shape::scalar(ftype_size(a.ftype));
                let n = self.v(a.rn);
                let r = self.fop(Op::FSqrt, s, &[n]);
                self.set_scalar(a.rd, s.lane, a.rd, r);
            }
            I::Frintn(a) => self.round(Op::FRint, Round::Nearest, 0, a.ftype, a.rn, a.rd),
            I::Frintp(a) => self.round(Op::FRint, Round::Up, 0, a.ftype, a.rn, a.rd),
            I::Frintm(a) => self.round(Op::FRint, Round::Down, 0, a.ftype, a.rn, a.rd),
            I::Frintz(a) => self.round(Op::FRint, Round::Zero, 0, a.ftype, a.rn, a.rd),
            I::Frinta(a) => self.round(Op::FRint, Round::NearestAway, 0, a.ftype, a.rn, a.rd),
            I::Frintx(a) => self.round(Op::FRint, Round::Dynamic, 1, a.ftype, a.rn, a.rd),
            I::Frinti(a) => self.round(Op::FRint, Round::Dynamic, 0, a.ftype, a.rn, a.rd),
            I::Frint32z(a) => self.round(Op::FRintN, Round::Zero, 32, a.ftype, a.rn, a.rd),
            I::Frint32x(a) => self.round(Op::FRintN, Round::Dynamic, 32, a.ftype, a.rn, a.rd),
            I::Frint64z(a) => self.round(Op::FRintN, Round::Zero, 64, a.ftype, a.rn, a.rd),
            I::Frint64x(a) => self.round(Op::FRintN, Round::Dynamic, 64, a.ftype, a.rn, a.rd),
            I::FcvtS(a) => self.format(ftype_size(a.ftype), Size::S, a.rn, a.rd),
            I::FcvtD(a) => self.format(ftype_size(a.ftype), Size::D, a.rn, a.rd),
            I::FcvtH(a) => self.format(ftype_size(a.ftype), Size::H, a.rn, a.rd),
            I::Bfcvt(a) => {
                let n = self.v(a.rn);
                let fp = self.fp(Shape::scalar(Size::S), Round::Dynamic);
                let r = self.b.fcvt(Op::FCvt, Type::V128, fp, Size::H, n, 2);
                self.set_scalar(a.rd, Size::H, a.rd, r);
            }
            I::Fmul(a) => self.two(Op::FMul, a.ftype, a.rm, a.rn, a.rd),
            I::Fdiv(a) => self.two(Op::FDiv, a.ftype, a.rm, a.rn, a.rd),
            I::Fadd(a) => self.two(Op::FAdd, a.ftype, a.rm, a.rn, a.rd),
            I::Fsub(a) => self.two(Op::FSub, a.ftype, a.rm, a.rn, a.rd),
            I::Fmax(a) => self.two(Op::FMax, a.ftype, a.rm, a.rn, a.rd),
            I::Fmin(a) => self.two(Op::FMin, a.ftype, a.rm, a.rn, a.rd),
            I::Fmaxnm(a) => self.two(Op::FMaxNm, a.ftype, a.rm, a.rn, a.rd),
            I::Fminnm(a) => self.two(Op::FMinNm, a.ftype, a.rm, a.rn, a.rd),
            I::Fnmul(a) => {
                let s = Shape::scalar(ftype_size(a.ftype));
                let (n, m) = (self.v(a.rn), self.v(a.rm));
                let r = self.fop(Op::FMul, s, &[n, m]);
                let r = self.fsign(Op::FNeg, s, r);
                self.set_scalar(a.rd, s.lane, a.rn, r);
            }
            I::Fcsel(a) => {
                let s = Shape::scalar(ftype_size(a.ftype));
                let n = self.v(a.rn);
                let r = match crate::trans::Tr::cond(a.cond) {
                    Some(cc) => {
                        let (m, f) = (self.v(a.rm), self.flags());
                        self.b.select(cc, f, n, m)
                    }
                    None => n,
                };
                let r = self.vop(Op::VLow, s, &[r], 0);
                self.set_v(a.rd, r);
            }
            I::Fccmp(a) => {
                let (n, m) = (self.v(a.rn), self.v(a.rm));
                let flags = match crate::trans::Tr::cond(a.cond) {
                    Some(cc) => {
                        // Where the condition fails nothing is compared: zeros raise no exception.
                        let f = self.flags();
                        let zero = self.vzero();
                        let n = self.b.select(cc, f, n, zero);
                        let m = self.b.select(cc, f, m, zero);
                        let compared = self.compare(a.ftype, n, m, a.signal);
                        self.b.condflags(cc, f, compared, a.nzcv << 28)
                    }
                    None => self.compare(a.ftype, n, m, a.signal),
                };
                self.set_flags(flags);
            }
            I::Fcmp(a) => {
                let (n, m) = (self.v(a.rn), self.v(a.rm));
                let flags = self.compare(a.ftype, n, m, a.signal);
                self.set_flags(flags);
            }
            I::FcmpZero(a) => {
                let (n, m) = (self.v(a.rn), self.vzero());
                let flags = self.compare(a.ftype, n, m, a.signal);
                self.set_flags(flags);
            }
            I::FmovImm(a) => {
                let r = self.b.vconst(expand_fp_imm(ftype_size(a.ftype), a.imm8), false);
                self.set_v(a.rd, r);
            }
            I::Fmadd(a) => self.three(0, a.ftype, [a.rm, a.ra, a.rn, a.rd]),
            I::Fmsub(a) => self.three(1, a.ftype, [a.rm, a.ra, a.rn, a.rd]),
            I::Fnmadd(a) => self.three(3, a.ftype, [a.rm, a.ra, a.rn, a.rd]),
            I::Fnmsub(a) => self.three(2, a.ftype, [a.rm, a.ra, a.rn, a.rd]),
            I::FcvtnsG(a) => self.float_int(Op::FToS, Round::Nearest, [a.sf, a.ftype, 0, a.rn, a.rd]),
            I::FcvtnuG(a) => self.float_int(Op::FToU, Round::Nearest, [a.sf, a.ftype, 0, a.rn, a.rd]),
            I::FcvtasG(a) => self.float_int(Op::FToS, Round::NearestAway, [a.sf, a.ftype, 0, a.rn, a.rd]),
            I::FcvtauG(a) => self.float_int(Op::FToU, Round::NearestAway, [a.sf, a.ftype, 0, a.rn, a.rd]),
            I::FcvtpsG(a) => self.float_int(Op::FToS, Round::Up, [a.sf, a.ftype, 0, a.rn, a.rd]),
            I::FcvtpuG(a) => self.float_int(Op::FToU, Round::Up, [a.sf, a.ftype, 0, a.rn, a.rd]),
            I::FcvtmsG(a) => self.float_int(Op::FToS, Round::Down, [a.sf, a.ftype, 0, a.rn, a.rd]),
            I::FcvtmuG(a) => self.float_int(Op::FToU, Round::Down, [a.sf, a.ftype, 0, a.rn, a.rd]),
            I::FcvtzsG(a) => self.float_int(Op::FToS, Round::Zero, [a.sf, a.ftype, 0, a.rn, a.rd]),
            I::FcvtzuG(a) => self.float_int(Op::FToU, Round::Zero, [a.sf, a.ftype, 0, a.rn, a.rd]),
            I::FcvtzsX(a) => self.float_int(Op::FToS, Round::Zero, [a.sf, a.ftype, 64 - a.scale, a.rn, a.rd]),
            I::FcvtzuX(a) => self.float_int(Op::FToU, Round::Zero, [a.sf, a.ftype, 64 - a.scale, a.rn, a.rd]),
            I::ScvtfG(a) => self.int_float(Op::SToF, [a.sf, a.ftype, 0, a.rn, a.rd]),
            I::UcvtfG(a) => self.int_float(Op::UToF, [a.sf, a.ftype, 0, a.rn, a.rd]),
            I::ScvtfX(a) => self.int_float(Op::SToF, [a.sf, a.ftype, 64 - a.scale, a.rn, a.rd]),
            I::UcvtfX(a) => self.int_float(Op::UToF, [a.sf, a.ftype, 64 - a.scale, a.rn, a.rd]),
            I::FmovToG(a) => {
                let n = self.v(a.rn);
                let s = Shape::scalar(ftype_size(a.ftype));
                let r = self.b.vget(int_type(a.sf).0, s, false, n, 0);
                self.set_x(a.rd, r);
            }
            I::FmovFromG(a) => {
                let n = self.x(int_type(a.sf).0, a.rn);
                let r = self.vop(Op::VDup, Shape::scalar(ftype_size(a.ftype)), &[n], 0);
                self.set_v(a.rd, r);
            }
            I::FmovToGtop(a) => {
                let n = self.v(a.rn);
                let r = self.b.vget(Type::I64, Shape::full(Size::D, true), false, n, 1);
                self.set_x(a.rd, r);
            }
            I::FmovFromGtop(a) => {
                let (n, d) = (self.x(Type::I64, a.rn), self.v(a.rd));
                let r = self.vop(Op::VIns, Shape::full(Size::D, true), &[d, n], 1);
                self.set_v(a.rd, r);
            }
            I::Fjcvtzs(a) => {
                let n = self.v(a.rn);
                let fp = self.fp(Shape::scalar(Size::D), Round::Zero);
                let r = self.push_fp(Op::FJcvt, Type::I64, fp, &[n]);
                // Bit 32, "exact", becomes Z; N, C and V are zero.
                let two = self.b.const64(2);
                let z = self.b.shr(r, two);
                let z = self.b.trunc(z);
                let mask = self.b.const32(1 << 30);
                let z = self.b.and(z, mask);
                let flags = self.b.mkflags(z);
                self.set_flags(flags);
                let w = self.b.trunc(r);
                self.set_x(a.rd, w);
            }
        }
    }
}
