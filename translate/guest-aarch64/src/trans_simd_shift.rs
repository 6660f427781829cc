//! Advanced SIMD shifts by an immediate, and the fixed-point conversions that share their encoding. Input: a decoded row
//! of group `simd_shift`; output: IR.

use crate::decode::{ArgsVsh, SimdShift as I};
use crate::fpsimd::{Fx, int_size, replicate, shape, wide};
use ir::{Op, Round, Shape, Size, Type};

/// Lane width: the highest set bit of immh.
fn lane(a: ArgsVsh) -> Size {
    int_size((a.imm >> 3 | 1).ilog2())
}

fn right(a: ArgsVsh) -> u64 {
    u64::from(2 * lane(a).bits() - a.imm)
}

fn left(a: ArgsVsh) -> u64 {
    u64::from(a.imm - lane(a).bits())
}

impl Fx<'_> {
    fn shift(&mut self, op: Op, count: u64, a: ArgsVsh) {
        let s = shape(a.scalar, a.q, lane(a));
        let n = self.v(a.rn);
        let r = self.vop(op, s, &[n], count);
        self.set_v(a.rd, r);
    }

    fn shift_acc(&mut self, op: Op, a: ArgsVsh) {
        let s = shape(a.scalar, a.q, lane(a));
        let (n, d) = (self.v(a.rn), self.v(a.rd));
        let r = self.vop(op, s, &[n], right(a));
        let r = self.vop(Op::VAdd, s, &[d, r], 0);
        self.set_v(a.rd, r);
    }

    fn shift_insert(&mut self, op: Op, count: u64, a: ArgsVsh) {
        let s = shape(a.scalar, a.q, lane(a));
        let (n, d) = (self.v(a.rn), self.v(a.rd));
        let r = self.vop(op, s, &[d, n], count);
        self.set_v(a.rd, r);
    }

    /// Saturating left shift: the form with counts in a register, with constant counts.
    fn shift_sat(&mut self, op: Op, a: ArgsVsh) {
        let s = shape(a.scalar, a.q, lane(a));
        let n = self.v(a.rn);
        let counts = self.b.vconst(replicate(lane(a), left(a)), true);
        let r = self.vop(op, s, &[n, counts], 0);
        self.set_v(a.rd, r);
    }

    fn shift_narrow(&mut self, op: Op, a: ArgsVsh) {
        let narrow = lane(a);
        let n = self.v(a.rn);
        let r = self.vop(op, Shape::full(wide(narrow), true), &[n], right(a));
        let r = self.vop(Op::VNarrow, Shape::full(narrow, false), &[r], 0);
        self.set_half(a.rd, a.q, r);
    }

    fn shift_narrow_sat(&mut self, op: Op, round: u64, a: ArgsVsh) {
        let s = shape(a.scalar, 0, lane(a));
        let n = self.v(a.rn);
        let r = self.vop(op, s, &[n], right(a) | round << 8);
        if a.scalar == 1 { self.set_v(a.rd, r) } else { self.set_half(a.rd, a.q, r) }
    }

    fn shift_long(&mut self, widen: Op, a: ArgsVsh) {
        let s = Shape::full(wide(lane(a)), true);
        let n = self.v(a.rn);
        let mut r = self.vop(widen, s, &[n], u64::from(a.q));
        if left(a) != 0 {
            r = self.vop(Op::VShlI, s, &[r], left(a));
        }
        self.set_v(a.rd, r);
    }

    fn fixed(&mut self, op: Op, round: Round, a: ArgsVsh) {
        let s = shape(a.scalar, a.q, lane(a));
        let n = self.v(a.rn);
        let fp = self.fp(s, round);
        let r = self.b.fcvt(op, Type::V128, fp, s.lane, n, right(a));
        self.set_fp(a.rd, a.scalar, s, a.rd, r);
    }

    /// One instruction of group `simd_shift`.
    pub fn trans_simd_shift(&mut self, i: &I) {
        match *i {
            I::SshrI(a) | I::SshrIs(a) => self.shift(Op::VSarI, right(a), a),
            I::UshrI(a) | I::UshrIs(a) => self.shift(Op::VShrI, right(a), a),
            I::SrshrI(a) | I::SrshrIs(a) => self.shift(Op::VRsarI, right(a), a),
            I::UrshrI(a) | I::UrshrIs(a) => self.shift(Op::VRshrI, right(a), a),
            I::SsraI(a) | I::SsraIs(a) => self.shift_acc(Op::VSarI, a),
            I::UsraI(a) | I::UsraIs(a) => self.shift_acc(Op::VShrI, a),
            I::SrsraI(a) | I::SrsraIs(a) => self.shift_acc(Op::VRsarI, a),
            I::UrsraI(a) | I::UrsraIs(a) => self.shift_acc(Op::VRshrI, a),
            I::ShlI(a) | I::ShlIs(a) => self.shift(Op::VShlI, left(a), a),
            I::SriI(a) | I::SriIs(a) => self.shift_insert(Op::VSriI, right(a), a),
            I::SliI(a) | I::SliIs(a) => self.shift_insert(Op::VSliI, left(a), a),
            I::SqshlI(a) | I::SqshlIs(a) => self.shift_sat(Op::VQshlS, a),
            I::UqshlI(a) | I::UqshlIs(a) => self.shift_sat(Op::VQshlU, a),
            I::SqshluI(a) | I::SqshluIs(a) => self.shift(Op::VQshluI, left(a), a),
            I::ShrnI(a) => self.shift_narrow(Op::VShrI, a),
            I::RshrnI(a) => self.shift_narrow(Op::VRshrI, a),
            I::SqshrnI(a) | I::SqshrnIs(a) => self.shift_narrow_sat(Op::VQshrnS, 0, a),
            I::SqrshrnI(a) | I::SqrshrnIs(a) => self.shift_narrow_sat(Op::VQshrnS, 1, a),
            I::UqshrnI(a) | I::UqshrnIs(a) => self.shift_narrow_sat(Op::VQshrnU, 0, a),
            I::UqrshrnI(a) | I::UqrshrnIs(a) => self.shift_narrow_sat(Op::VQshrnU, 1, a),
            I::SqshrunI(a) | I::SqshrunIs(a) => self.shift_narrow_sat(Op::VQshrnSu, 0, a),
            I::SqrshrunI(a) | I::SqrshrunIs(a) => self.shift_narrow_sat(Op::VQshrnSu, 1, a),
            I::SshllI(a) => self.shift_long(Op::VWidenS, a),
            I::UshllI(a) => self.shift_long(Op::VWidenU, a),
            I::ScvtfI(a) | I::ScvtfIs(a) => self.fixed(Op::VSToF, Round::Dynamic, a),
            I::UcvtfI(a) | I::UcvtfIs(a) => self.fixed(Op::VUToF, Round::Dynamic, a),
            I::FcvtzsI(a) | I::FcvtzsIs(a) => self.fixed(Op::VFToS, Round::Zero, a),
            I::FcvtzuI(a) | I::FcvtzuIs(a) => self.fixed(Op::VFToU, Round::Zero, a),
        }
    }
}
