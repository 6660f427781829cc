//! Advanced SIMD moves: permute, extract, table look-up, copies between lanes and general registers, modified
//! immediates. Input: a decoded row of group `simd_move`; output: IR.

use crate::decode::{ArgsV3, SimdMove as I};
use crate::fpsimd::{Fx, expand_fp_imm, int_size, replicate, shape};
use ir::{Op, Shape, Size, Type};

/// Lane width and number from imm5: the lowest set bit and what is above it.
fn lane(imm5: u32) -> (Size, u32) {
    let size = (imm5 | 16).trailing_zeros();
    (int_size(size), imm5 >> (size + 1))
}

fn int_type(size: Size) -> Type {
    if size == Size::D { Type::I64 } else { Type::I32 }
}

/// `AdvSIMDExpandImm`.
fn expand_imm(op: u32, cmode: u32, imm8: u32) -> u64 {
    let imm = u64::from(imm8);
    match cmode >> 1 {
        c @ 0..=3 => replicate(Size::S, imm << (8 * c)),
        c @ 4..=5 => replicate(Size::H, imm << (8 * (c - 4))),
        6 if cmode & 1 == 0 => replicate(Size::S, imm << 8 | 0xff),
        6 => replicate(Size::S, imm << 16 | 0xffff),
        _ => match (cmode & 1, op) {
            (0, 0) => replicate(Size::B, imm),
            (0, _) => (0..8).fold(0, |r, i| r | if imm >> i & 1 == 1 { 0xff << (8 * i) } else { 0 }),
            (_, 0) => replicate(Size::S, expand_fp_imm(Size::S, imm8)),
            (_, _) => expand_fp_imm(Size::D, imm8),
        },
    }
}

impl Fx<'_> {
    fn permute(&mut self, op: Op, a: ArgsV3) {
        let s = shape(0, a.q, int_size(a.size));
        let (n, m) = (self.v(a.rn), self.v(a.rm));
        let r = self.vop(op, s, &[n, m], 0);
        self.set_v(a.rd, r);
    }

    fn table(&mut self, keep: bool, [q, len, rm, rn, rd]: [u32; 5]) {
        let s = Shape::full(Size::B, q == 1);
        let index = self.v(rm);
        let mut r = if keep { self.v(rd) } else { self.vzero() };
        for i in 0..=len {
            let table = self.v((rn + i) % 32);
            r = self.vop(Op::VTbl, s, &[r, table, index], u64::from(i));
        }
        self.set_v(rd, r);
    }

    fn get_lane(&mut self, signed: bool, q: u32, imm5: u32, rn: u32, rd: u32) {
        let (size, index) = lane(imm5);
        let ty = if q == 1 { Type::I64 } else { Type::I32 };
        let n = self.v(rn);
        let r = self.b.vget(ty, Shape::full(size, true), signed, n, index);
        self.set_x(rd, r);
    }

    fn immediate(&mut self, q: u32, op: u32, cmode: u32, imm8: u32, rd: u32) {
        let q = q == 1;
        let imm = expand_imm(op, cmode, imm8);
        // cmode 0xx1 and 10x1 combine with the register.
        let combine = cmode & 1 == 1 && cmode < 12;
        let r = if combine {
            let (d, c) = (self.v(rd), self.b.vconst(imm, q));
            self.vop(if op == 1 { Op::VAndN } else { Op::VOr }, Shape::full(Size::D, q), &[d, c], 0)
        } else {
            let invert = op == 1 && cmode < 14;
            self.b.vconst(if invert { !imm } else { imm }, q)
        };
        self.set_v(rd, r);
    }

    /// One instruction of group `simd_move`.
    pub fn trans_simd_move(&mut self, i: &I) {
        match *i {
            I::Uzp1(a) => self.permute(Op::VUzp1, a),
            I::Uzp2(a) => self.permute(Op::VUzp2, a),
            I::Trn1(a) => self.permute(Op::VTrn1, a),
            I::Trn2(a) => self.permute(Op::VTrn2, a),
            I::Zip1(a) => self.permute(Op::VZip1, a),
            I::Zip2(a) => self.permute(Op::VZip2, a),
            I::Ext(a) => {
                let (n, m) = (self.v(a.rn), self.v(a.rm));
                let r = self.vop(Op::VExt, Shape::full(Size::B, a.q == 1), &[n, m], u64::from(a.imm));
                self.set_v(a.rd, r);
            }
            I::Tbl(a) => self.table(false, [a.q, a.len, a.rm, a.rn, a.rd]),
            I::Tbx(a) => self.table(true, [a.q, a.len, a.rm, a.rn, a.rd]),
            I::DupE(a) => {
                let (size, index) = lane(a.imm5);
                let n = self.v(a.rn);
                let r = self.vop(Op::VDupLane, Shape::full(size, a.q == 1), &[n], u64::from(index));
                self.set_v(a.rd, r);
            }
            I::DupS(a) => {
                let (size, index) = lane(a.imm5);
                let n = self.v(a.rn);
                let r = self.vop(Op::VDupLane, Shape::scalar(size), &[n], u64::from(index));
                self.set_v(a.rd, r);
            }
            I::DupG(a) => {
                let (size, _) = lane(a.imm5);
                let n = self.x(int_type(size), a.rn);
                let r = self.vop(Op::VDup, Shape::full(size, a.q == 1), &[n], 0);
                self.set_v(a.rd, r);
            }
            I::Smov(a) => self.get_lane(true, a.q, a.imm5, a.rn, a.rd),
            I::Umov(a) => self.get_lane(false, a.q, a.imm5, a.rn, a.rd),
            I::InsG(a) => {
                let (size, index) = lane(a.imm5);
                let (n, d) = (self.x(int_type(size), a.rn), self.v(a.rd));
                let r = self.vop(Op::VIns, Shape::full(size, true), &[d, n], u64::from(index));
                self.set_v(a.rd, r);
            }
            I::InsE(a) => {
                let (size, to) = lane(a.imm5);
                let from = a.imm4 >> size.bytes().ilog2();
                let (d, n) = (self.v(a.rd), self.v(a.rn));
                let r = self.vop(Op::VInsLane, Shape::full(size, true), &[d, n], u64::from(to | from << 8));
                self.set_v(a.rd, r);
            }
            I::Vimm(a) => self.immediate(a.q, a.op, a.cmode, a.imm8, a.rd),
            I::FmovVh(a) => {
                let pattern = replicate(Size::H, expand_fp_imm(Size::H, a.imm8));
                let r = self.b.vconst(pattern, a.q == 1);
                self.set_v(a.rd, r);
            }
        }
    }
}
