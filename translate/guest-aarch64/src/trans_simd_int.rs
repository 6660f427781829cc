//! Advanced SIMD integer arithmetic: three registers, three of different types, two registers, across lanes, by element,
//! dot products. Input: a decoded row of group `simd_int`; output: IR.

use crate::decode::{ArgsV2, ArgsV3, ArgsVel, SimdInt as I};
use crate::fpsimd::{Fx, element, int_size, shape, wide};
use ir::{Op, Shape, Size, Val};

/// How a widened or by-element product is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It is the result.
    Plain,
    /// `acc op product`.
    Into(Op),
}

impl Fx<'_> {
    fn bin(&mut self, op: Op, a: ArgsV3) {
        let s = shape(a.scalar, a.q, int_size(a.size));
        let (n, m) = (self.v(a.rn), self.v(a.rm));
        let r = self.vop(op, s, &[n, m], 0);
        self.set_v(a.rd, r);
    }

    /// d op (n inner m)
    fn bin_acc(&mut self, inner: Op, op: Op, a: ArgsV3) {
        let s = shape(a.scalar, a.q, int_size(a.size));
        let (n, m, d) = (self.v(a.rn), self.v(a.rm), self.v(a.rd));
        let r = self.vop(inner, s, &[n, m], 0);
        let r = self.vop(op, s, &[d, r], 0);
        self.set_v(a.rd, r);
    }

    /// op(d, n, m)
    fn tri(&mut self, op: Op, a: ArgsV3) {
        let s = shape(a.scalar, a.q, int_size(a.size));
        let (d, n, m) = (self.v(a.rd), self.v(a.rn), self.v(a.rm));
        let r = self.vop(op, s, &[d, n, m], 0);
        self.set_v(a.rd, r);
    }

    /// Logic on all active bytes.
    fn logic(&mut self, op: Op, q: u32, rm: u32, rn: u32, rd: u32) {
        let (n, m) = (self.v(rn), self.v(rm));
        let r = self.vop(op, Shape::full(Size::D, q == 1), &[n, m], 0);
        self.set_v(rd, r);
    }

    /// Selection of bits of `a` where `mask` is set, else of `b`; arguments are register numbers.
    fn bsl(&mut self, q: u32, [mask, a, b, rd]: [u32; 4]) {
        let (mask, a, b) = (self.v(mask), self.v(a), self.v(b));
        let r = self.vop(Op::VBsl, Shape::full(Size::D, q == 1), &[mask, a, b], 0);
        self.set_v(rd, r);
    }

    /// Both operands widened, then `op`, then used.
    fn long(&mut self, widen: Op, op: Op, used: Use, a: ArgsV3) {
        let s = Shape::full(wide(int_size(a.size)), true);
        let (n, m) = (self.v(a.rn), self.v(a.rm));
        let n = self.vop(widen, s, &[n], u64::from(a.q));
        let m = self.vop(widen, s, &[m], u64::from(a.q));
        let r = self.vop(op, s, &[n, m], 0);
        self.finish(s, used, r, a.rd);
    }

    /// The second operand widened.
    fn widen(&mut self, widen: Op, op: Op, a: ArgsV3) {
        let s = Shape::full(wide(int_size(a.size)), true);
        let (n, m) = (self.v(a.rn), self.v(a.rm));
        let m = self.vop(widen, s, &[m], u64::from(a.q));
        let r = self.vop(op, s, &[n, m], 0);
        self.set_v(a.rd, r);
    }

    /// Sum or difference of wide lanes, upper halves kept.
    fn high_narrow(&mut self, op: Op, shift: Op, a: ArgsV3) {
        let narrow = int_size(a.size);
        let s = Shape::full(wide(narrow), true);
        let (n, m) = (self.v(a.rn), self.v(a.rm));
        let r = self.vop(op, s, &[n, m], 0);
        let r = self.vop(shift, s, &[r], u64::from(narrow.bits()));
        let r = self.vop(Op::VNarrow, Shape::full(narrow, false), &[r], 0);
        self.set_half(a.rd, a.q, r);
    }

    fn finish(&mut self, s: Shape, used: Use, r: Val, rd: u32) {
        let r = match used {
            Use::Plain => r,
            Use::Into(op) => {
                let d = self.v(rd);
                self.vop(op, s, &[d, r], 0)
            }
        };
        self.set_v(rd, r);
    }

    /// Widening product.
    fn mull(&mut self, op: Op, used: Use, a: ArgsV3) {
        let s = shape(a.scalar, 1, wide(int_size(a.size)));
        let (n, m) = (self.v(a.rn), self.v(a.rm));
        let r = self.vop(op, s, &[n, m], u64::from(a.q));
        self.finish(s, used, r, a.rd);
    }

    /// The by-element operand in every lane of a whole register.
    pub fn vdup(&mut self, size: Size, idx: u32, rm: u32) -> Val {
        let (reg, lane) = element(size, idx, rm);
        let m = self.v(reg);
        self.vop(Op::VDupLane, Shape::full(size, true), &[m], u64::from(lane))
    }

    fn mull_elem(&mut self, op: Op, used: Use, a: ArgsVel) {
        let size = int_size(a.size);
        let s = shape(a.scalar, 1, wide(size));
        let n = self.v(a.rn);
        let m = self.vdup(size, a.idx, a.rm);
        let r = self.vop(op, s, &[n, m], u64::from(a.q));
        self.finish(s, used, r, a.rd);
    }

    fn bin_elem(&mut self, op: Op, used: Use, a: ArgsVel) {
        let size = int_size(a.size);
        let s = shape(a.scalar, a.q, size);
        let n = self.v(a.rn);
        let m = self.vdup(size, a.idx, a.rm);
        let r = self.vop(op, s, &[n, m], 0);
        self.finish(s, used, r, a.rd);
    }

    fn tri_elem(&mut self, op: Op, a: ArgsVel) {
        let size = int_size(a.size);
        let s = shape(a.scalar, a.q, size);
        let (d, n) = (self.v(a.rd), self.v(a.rn));
        let m = self.vdup(size, a.idx, a.rm);
        let r = self.vop(op, s, &[d, n, m], 0);
        self.set_v(a.rd, r);
    }

    fn un(&mut self, op: Op, imm: u64, a: ArgsV2) {
        let s = shape(a.scalar, a.q, int_size(a.size));
        let n = self.v(a.rn);
        let r = self.vop(op, s, &[n], imm);
        self.set_v(a.rd, r);
    }

    /// Compare with zero; `swap` puts zero first.
    fn zero(&mut self, op: Op, swap: bool, a: ArgsV2) {
        let s = shape(a.scalar, a.q, int_size(a.size));
        let (n, z) = (self.v(a.rn), self.vzero());
        let r = self.vop(op, s, &if swap { [z, n] } else { [n, z] }, 0);
        self.set_v(a.rd, r);
    }

    /// op(d, n)
    fn into(&mut self, op: Op, a: ArgsV2) {
        let s = shape(a.scalar, a.q, int_size(a.size));
        let (d, n) = (self.v(a.rd), self.v(a.rn));
        let r = self.vop(op, s, &[d, n], 0);
        self.set_v(a.rd, r);
    }

    /// Adjacent pairs added into lanes of double width.
    fn pair_long(&mut self, op: Op, used: Use, a: ArgsV2) {
        let s = Shape::full(wide(int_size(a.size)), a.q == 1);
        let n = self.v(a.rn);
        let r = self.vop(op, s, &[n], 0);
        self.finish(s, used, r, a.rd);
    }

    fn narrow(&mut self, op: Op, a: ArgsV2) {
        let s = shape(a.scalar, 0, int_size(a.size));
        let n = self.v(a.rn);
        let r = self.vop(op, s, &[n], 0);
        if a.scalar == 1 { self.set_v(a.rd, r) } else { self.set_half(a.rd, a.q, r) }
    }

    /// Dot product with a group of four bytes.
    fn dot_elem(&mut self, op: Op, swap: bool, [q, idx, rm, rn, rd]: [u32; 5]) {
        let (d, n) = (self.v(rd), self.v(rn));
        let m = self.vdup(Size::S, idx, rm);
        let r = self.vop(op, Shape::full(Size::S, q == 1), &if swap { [d, m, n] } else { [d, n, m] }, 0);
        self.set_v(rd, r);
    }

    fn dot(&mut self, op: Op, q: u32, rm: u32, rn: u32, rd: u32) {
        let (d, n, m) = (self.v(rd), self.v(rn), self.v(rm));
        let r = self.vop(op, Shape::full(Size::S, q == 1), &[d, n, m], 0);
        self.set_v(rd, r);
    }

    /// One instruction of group `simd_int`.
    pub fn trans_simd_int(&mut self, i: &I) {
        const ADD: Use = Use::Into(Op::VAdd);
        const SUB: Use = Use::Into(Op::VSub);
        const QADD: Use = Use::Into(Op::VQaddS);
        const QSUB: Use = Use::Into(Op::VQsubS);
        match *i {
            I::ShaddV(a) => self.bin(Op::VHaddS, a),
            I::UhaddV(a) => self.bin(Op::VHaddU, a),
            I::SqaddV(a) | I::SqaddS(a) => self.bin(Op::VQaddS, a),
            I::UqaddV(a) | I::UqaddS(a) => self.bin(Op::VQaddU, a),
            I::SrhaddV(a) => self.bin(Op::VRhaddS, a),
            I::UrhaddV(a) => self.bin(Op::VRhaddU, a),
            I::ShsubV(a) => self.bin(Op::VHsubS, a),
            I::UhsubV(a) => self.bin(Op::VHsubU, a),
            I::SqsubV(a) | I::SqsubS(a) => self.bin(Op::VQsubS, a),
            I::UqsubV(a) | I::UqsubS(a) => self.bin(Op::VQsubU, a),
            I::CmgtV(a) | I::CmgtS(a) => self.bin(Op::VCmpGtS, a),
            I::CmhiV(a) | I::CmhiS(a) => self.bin(Op::VCmpGtU, a),
            I::CmgeV(a) | I::CmgeS(a) => self.bin(Op::VCmpGeS, a),
            I::CmhsV(a) | I::CmhsS(a) => self.bin(Op::VCmpGeU, a),
            I::SshlV(a) | I::SshlS(a) => self.bin(Op::VShlS, a),
            I::UshlV(a) | I::UshlS(a) => self.bin(Op::VShlU, a),
            I::SqshlV(a) | I::SqshlS(a) => self.bin(Op::VQshlS, a),
            I::UqshlV(a) | I::UqshlS(a) => self.bin(Op::VQshlU, a),
            I::SrshlV(a) | I::SrshlS(a) => self.bin(Op::VRshlS, a),
            I::UrshlV(a) | I::UrshlS(a) => self.bin(Op::VRshlU, a),
            I::SqrshlV(a) | I::SqrshlS(a) => self.bin(Op::VQrshlS, a),
            I::UqrshlV(a) | I::UqrshlS(a) => self.bin(Op::VQrshlU, a),
            I::SmaxV(a) => self.bin(Op::VSMax, a),
            I::UmaxV(a) => self.bin(Op::VUMax, a),
            I::SminV(a) => self.bin(Op::VSMin, a),
            I::UminV(a) => self.bin(Op::VUMin, a),
            I::SabdV(a) => self.bin(Op::VAbdS, a),
            I::UabdV(a) => self.bin(Op::VAbdU, a),
            I::SabaV(a) => self.bin_acc(Op::VAbdS, Op::VAdd, a),
            I::UabaV(a) => self.bin_acc(Op::VAbdU, Op::VAdd, a),
            I::AddV(a) | I::AddS(a) => self.bin(Op::VAdd, a),
            I::SubV(a) | I::SubS(a) => self.bin(Op::VSub, a),
            I::CmtstV(a) | I::CmtstS(a) => self.bin(Op::VTst, a),
            I::CmeqV(a) | I::CmeqS(a) => self.bin(Op::VCmpEq, a),
            I::MlaV(a) => self.bin_acc(Op::VMul, Op::VAdd, a),
            I::MlsV(a) => self.bin_acc(Op::VMul, Op::VSub, a),
            I::MulV(a) => self.bin(Op::VMul, a),
            I::PmulV(a) => self.bin(Op::VPmul, a),
            I::SmaxpV(a) => self.bin(Op::VPsmax, a),
            I::UmaxpV(a) => self.bin(Op::VPumax, a),
            I::SminpV(a) => self.bin(Op::VPsmin, a),
            I::UminpV(a) => self.bin(Op::VPumin, a),
            I::SqdmulhV(a) | I::SqdmulhS(a) => self.bin(Op::VQdmulh, a),
            I::SqrdmulhV(a) | I::SqrdmulhS(a) => self.bin(Op::VQrdmulh, a),
            I::AddpV(a) => self.bin(Op::VPadd, a),
            I::AndV(a) => self.logic(Op::VAnd, a.q, a.rm, a.rn, a.rd),
            I::BicV(a) => self.logic(Op::VAndN, a.q, a.rm, a.rn, a.rd),
            I::OrrV(a) if a.rm == a.rn => {
                let n = self.v(a.rn);
                let r = if a.q == 1 { n } else { self.vop(Op::VLow, Shape::scalar(Size::D), &[n], 0) };
                self.set_v(a.rd, r);
            }
            I::OrrV(a) => self.logic(Op::VOr, a.q, a.rm, a.rn, a.rd),
            I::OrnV(a) => self.logic(Op::VOrN, a.q, a.rm, a.rn, a.rd),
            I::EorV(a) if a.rm == a.rn => {
                let r = self.vzero();
                self.set_v(a.rd, r);
            }
            I::EorV(a) => self.logic(Op::VXor, a.q, a.rm, a.rn, a.rd),
            I::BslV(a) => self.bsl(a.q, [a.rd, a.rn, a.rm, a.rd]),
            I::BitV(a) => self.bsl(a.q, [a.rm, a.rn, a.rd, a.rd]),
            I::BifV(a) => self.bsl(a.q, [a.rm, a.rd, a.rn, a.rd]),
            I::SqrdmlahV(a) | I::SqrdmlahS(a) => self.tri(Op::VQrdmlah, a),
            I::SqrdmlshV(a) | I::SqrdmlshS(a) => self.tri(Op::VQrdmlsh, a),
            I::SdotV(a) => self.dot(Op::VDotS, a.q, a.rm, a.rn, a.rd),
            I::UdotV(a) => self.dot(Op::VDotU, a.q, a.rm, a.rn, a.rd),
            I::UsdotV(a) => self.dot(Op::VDotUs, a.q, a.rm, a.rn, a.rd),
            I::Smmla(a) => self.dot(Op::VMmlaS, 1, a.rm, a.rn, a.rd),
            I::Ummla(a) => self.dot(Op::VMmlaU, 1, a.rm, a.rn, a.rd),
            I::Usmmla(a) => self.dot(Op::VMmlaUs, 1, a.rm, a.rn, a.rd),
            I::SaddlV(a) => self.long(Op::VWidenS, Op::VAdd, Use::Plain, a),
            I::UaddlV(a) => self.long(Op::VWidenU, Op::VAdd, Use::Plain, a),
            I::SaddwV(a) => self.widen(Op::VWidenS, Op::VAdd, a),
            I::UaddwV(a) => self.widen(Op::VWidenU, Op::VAdd, a),
            I::SsublV(a) => self.long(Op::VWidenS, Op::VSub, Use::Plain, a),
            I::UsublV(a) => self.long(Op::VWidenU, Op::VSub, Use::Plain, a),
            I::SsubwV(a) => self.widen(Op::VWidenS, Op::VSub, a),
            I::UsubwV(a) => self.widen(Op::VWidenU, Op::VSub, a),
            I::Addhn(a) => self.high_narrow(Op::VAdd, Op::VShrI, a),
            I::Raddhn(a) => self.high_narrow(Op::VAdd, Op::VRshrI, a),
            I::Subhn(a) => self.high_narrow(Op::VSub, Op::VShrI, a),
            I::Rsubhn(a) => self.high_narrow(Op::VSub, Op::VRshrI, a),
            I::SabalV(a) => self.long(Op::VWidenS, Op::VAbdS, ADD, a),
            I::UabalV(a) => self.long(Op::VWidenU, Op::VAbdU, ADD, a),
            I::SabdlV(a) => self.long(Op::VWidenS, Op::VAbdS, Use::Plain, a),
            I::UabdlV(a) => self.long(Op::VWidenU, Op::VAbdU, Use::Plain, a),
            I::SmlalV(a) => self.mull(Op::VMullS, ADD, a),
            I::UmlalV(a) => self.mull(Op::VMullU, ADD, a),
            I::SmlslV(a) => self.mull(Op::VMullS, SUB, a),
            I::UmlslV(a) => self.mull(Op::VMullU, SUB, a),
            I::SmullV(a) => self.mull(Op::VMullS, Use::Plain, a),
            I::UmullV(a) => self.mull(Op::VMullU, Use::Plain, a),
            I::SqdmlalV(a) | I::SqdmlalS(a) => self.mull(Op::VQdmull, QADD, a),
            I::SqdmlslV(a) | I::SqdmlslS(a) => self.mull(Op::VQdmull, QSUB, a),
            I::SqdmullV(a) | I::SqdmullS(a) => self.mull(Op::VQdmull, Use::Plain, a),
            I::PmullB(a) | I::PmullD(a) => {
                let size = if matches!(*i, I::PmullB(_)) { Size::H } else { Size::Q };
                let (n, m) = (self.v(a.rn), self.v(a.rm));
                let r = self.vop(Op::VPmull, Shape::full(size, true), &[n, m], u64::from(a.q));
                self.set_v(a.rd, r);
            }
            I::Rev64V(a) => self.un(Op::VRev, 3, a),
            I::Rev32V(a) => self.un(Op::VRev, 2, a),
            I::Rev16V(a) => self.un(Op::VRev, 1, a),
            I::SaddlpV(a) => self.pair_long(Op::VAddlpS, Use::Plain, a),
            I::UaddlpV(a) => self.pair_long(Op::VAddlpU, Use::Plain, a),
            I::SadalpV(a) => self.pair_long(Op::VAddlpS, ADD, a),
            I::UadalpV(a) => self.pair_long(Op::VAddlpU, ADD, a),
            I::SuqaddV(a) | I::SuqaddS(a) => self.into(Op::VSuqadd, a),
            I::UsqaddV(a) | I::UsqaddS(a) => self.into(Op::VUsqadd, a),
            I::ClsV(a) => self.un(Op::VCls, 0, a),
            I::ClzV(a) => self.un(Op::VClz, 0, a),
            I::CntV(a) => self.un(Op::VCnt, 0, a),
            I::SqabsV(a) | I::SqabsS(a) => self.un(Op::VQabs, 0, a),
            I::SqnegV(a) | I::SqnegS(a) => self.un(Op::VQneg, 0, a),
            I::Cmgt0V(a) | I::Cmgt0S(a) => self.zero(Op::VCmpGtS, false, a),
            I::Cmge0V(a) | I::Cmge0S(a) => self.zero(Op::VCmpGeS, false, a),
            I::Cmeq0V(a) | I::Cmeq0S(a) => self.zero(Op::VCmpEq, false, a),
            I::Cmle0V(a) | I::Cmle0S(a) => self.zero(Op::VCmpGeS, true, a),
            I::Cmlt0V(a) | I::Cmlt0S(a) => self.zero(Op::VCmpGtS, true, a),
            I::AbsV(a) | I::AbsS(a) => self.un(Op::VAbs, 0, a),
            I::NegV(a) | I::NegS(a) => self.un(Op::VNeg, 0, a),
            I::XtnV(a) => self.narrow(Op::VNarrow, a),
            I::SqxtnV(a) | I::SqxtnS(a) => self.narrow(Op::VQnarrowS, a),
            I::UqxtnV(a) | I::UqxtnS(a) => self.narrow(Op::VQnarrowU, a),
            I::SqxtunV(a) | I::SqxtunS(a) => self.narrow(Op::VQnarrowSu, a),
            I::ShllV(a) => {
                let size = int_size(a.size);
                let s = Shape::full(wide(size), true);
                let n = self.v(a.rn);
                let r = self.vop(Op::VWidenU, s, &[n], u64::from(a.q));
                let r = self.vop(Op::VShlI, s, &[r], u64::from(size.bits()));
                self.set_v(a.rd, r);
            }
            I::NotV(a) => self.un(Op::VNot, 0, a),
            // The size field is part of the opcode: the lanes are bytes.
            I::RbitV(a) => self.un(Op::VRbit, 0, ArgsV2 { size: 0, ..a }),
            I::UrecpeV(a) => self.un(Op::VUrecpe, 0, a),
            I::UrsqrteV(a) => self.un(Op::VUrsqrte, 0, a),
            I::Saddlv(a) => self.un(Op::VRedAddlS, 0, a),
            I::Uaddlv(a) => self.un(Op::VRedAddlU, 0, a),
            I::Smaxv(a) => self.un(Op::VRedSMax, 0, a),
            I::Sminv(a) => self.un(Op::VRedSMin, 0, a),
            I::Umaxv(a) => self.un(Op::VRedUMax, 0, a),
            I::Uminv(a) => self.un(Op::VRedUMin, 0, a),
            I::Addv(a) => self.un(Op::VRedAdd, 0, a),
            I::AddpS(a) => {
                let n = self.v(a.rn);
                let r = self.vop(Op::VRedAdd, Shape::full(Size::D, true), &[n], 0);
                self.set_v(a.rd, r);
            }
            I::SmlalE(a) => self.mull_elem(Op::VMullS, ADD, a),
            I::UmlalE(a) => self.mull_elem(Op::VMullU, ADD, a),
            I::SmlslE(a) => self.mull_elem(Op::VMullS, SUB, a),
            I::UmlslE(a) => self.mull_elem(Op::VMullU, SUB, a),
            I::SmullE(a) => self.mull_elem(Op::VMullS, Use::Plain, a),
            I::UmullE(a) => self.mull_elem(Op::VMullU, Use::Plain, a),
            I::SqdmlalE(a) | I::SqdmlalEs(a) => self.mull_elem(Op::VQdmull, QADD, a),
            I::SqdmlslE(a) | I::SqdmlslEs(a) => self.mull_elem(Op::VQdmull, QSUB, a),
            I::SqdmullE(a) | I::SqdmullEs(a) => self.mull_elem(Op::VQdmull, Use::Plain, a),
            I::MulE(a) => self.bin_elem(Op::VMul, Use::Plain, a),
            I::MlaE(a) => self.bin_elem(Op::VMul, ADD, a),
            I::MlsE(a) => self.bin_elem(Op::VMul, SUB, a),
            I::SqdmulhE(a) | I::SqdmulhEs(a) => self.bin_elem(Op::VQdmulh, Use::Plain, a),
            I::SqrdmulhE(a) | I::SqrdmulhEs(a) => self.bin_elem(Op::VQrdmulh, Use::Plain, a),
            I::SqrdmlahE(a) | I::SqrdmlahEs(a) => self.tri_elem(Op::VQrdmlah, a),
            I::SqrdmlshE(a) | I::SqrdmlshEs(a) => self.tri_elem(Op::VQrdmlsh, a),
            I::SdotE(a) => self.dot_elem(Op::VDotS, false, [a.q, a.idx, a.rm, a.rn, a.rd]),
            I::UdotE(a) => self.dot_elem(Op::VDotU, false, [a.q, a.idx, a.rm, a.rn, a.rd]),
            I::UsdotE(a) => self.dot_elem(Op::VDotUs, false, [a.q, a.idx, a.rm, a.rn, a.rd]),
            I::SudotE(a) => self.dot_elem(Op::VDotUs, true, [a.q, a.idx, a.rm, a.rn, a.rd]),
        }
    }
}
