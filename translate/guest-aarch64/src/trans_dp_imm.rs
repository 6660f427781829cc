//! Data processing with an immediate. Input: a decoded row of group `dp_imm`; output: IR.

use crate::decode::{ArgsAddsubImm, ArgsBitfield, ArgsMovw, DpImm as I};
use crate::trans::{Flow, Tr};
use ir::{Op, Type, Val};

/// `DecodeBitMasks` for logical immediates; the decoder has excluded the reserved ones.
fn bit_mask(n: u32, immr: u32, imms: u32) -> u64 {
    let len = 31 - (n << 6 | !imms & 63).leading_zeros();
    let size = 1u32 << len;
    let (s, r) = (imms & (size - 1), immr & (size - 1));
    let ones = u64::MAX >> (63 - s);
    let element = if r == 0 { ones } else { ones >> r | ones << (size - r) };
    let element = if size == 64 { element } else { element & ((1 << size) - 1) };
    (0..64 / size).fold(0, |m, i| m | element << (i * size))
}

impl Tr<'_> {
    pub(crate) fn dp_imm(&mut self, insn: I) -> Flow {
        match insn {
            I::Adr(a) => {
                let v = self.b.addr(self.pc.wrapping_add(a.imm as u64));
                self.set(a.rd, v);
            }
            I::Adrp(a) => {
                let v = self.b.addr((self.pc & !0xfff).wrapping_add((i64::from(a.imm) << 12) as u64));
                self.set(a.rd, v);
            }
            I::AddImm(a) => self.addsub_imm(a, Op::Add, false),
            I::AddsImm(a) => self.addsub_imm(a, Op::Add, true),
            I::SubImm(a) => self.addsub_imm(a, Op::Sub, false),
            I::SubsImm(a) => self.addsub_imm(a, Op::Sub, true),
            I::SmaxImm(a) => self.minmax_imm(Op::SMax, a.sf, i64::from(a.simm) as u64, a.rn, a.rd),
            I::SminImm(a) => self.minmax_imm(Op::SMin, a.sf, i64::from(a.simm) as u64, a.rn, a.rd),
            I::UmaxImm(a) => self.minmax_imm(Op::UMax, a.sf, u64::from(a.imm), a.rn, a.rd),
            I::UminImm(a) => self.minmax_imm(Op::UMin, a.sf, u64::from(a.imm), a.rn, a.rd),
            I::AndImm(a) => self.log_imm(a, Op::And, false),
            I::OrrImm(a) => self.log_imm(a, Op::Or, false),
            I::EorImm(a) => self.log_imm(a, Op::Xor, false),
            I::AndsImm(a) => self.log_imm(a, Op::And, true),
            I::Movn(a) => self.mov_const(a, true),
            I::Movz(a) => self.mov_const(a, false),
            I::Movk(a) => {
                let ty = Self::ty(a.sf);
                let old = self.reg(ty, a.rd);
                let part = self.b.iconst(ty, u64::from(a.imm));
                let v = self.b.bfi(old, part, 16 * a.hw, 16);
                self.set(a.rd, v);
            }
            I::Sbfm(a) => self.sbfm(a),
            I::Ubfm(a) => self.ubfm(a),
            I::Bfm(a) => self.bfm(a),
            I::Extr(a) => {
                let ty = Self::ty(a.sf);
                let (hi, lo) = (self.reg(ty, a.rn), self.reg(ty, a.rm));
                let v = if a.imms == 0 {
                    lo
                } else if a.rn == a.rm {
                    let by = self.b.iconst(ty, u64::from(a.imms));
                    self.b.ror(hi, by)
                } else {
                    self.b.extr(hi, lo, a.imms)
                };
                self.set(a.rd, v);
            }
        }
        Flow::Next
    }

    /// A two-operand operation without attributes.
    pub(crate) fn binary(&mut self, op: Op, a: Val, b: Val) -> Val {
        let ty = self.b.ty(a);
        self.b.push(op, ty, ir::Attr::None, &[a, b], 0)
    }

    fn addsub_imm(&mut self, a: ArgsAddsubImm, op: Op, flags: bool) {
        let ty = Self::ty(a.sf);
        let n = self.reg_sp(ty, a.rn);
        if a.imm == 0 && !flags && a.sf == 1 {
            // mov to or from SP
            return self.set_sp(a.rd, n);
        }
        let imm = self.b.iconst(ty, u64::from(a.imm) << (12 * a.sh));
        let v = self.binary(op, n, imm);
        if flags {
            self.set(a.rd, v);
            self.set_flags_of(v);
        } else {
            self.set_sp(a.rd, v);
        }
    }

    fn minmax_imm(&mut self, op: Op, sf: u32, imm: u64, rn: u32, rd: u32) {
        let ty = Self::ty(sf);
        let n = self.reg(ty, rn);
        let imm = self.b.iconst(ty, imm);
        let v = self.binary(op, n, imm);
        self.set(rd, v);
    }

    fn log_imm(&mut self, a: ArgsBitfield, op: Op, flags: bool) {
        let ty = Self::ty(a.sf);
        let mask = bit_mask(a.n, a.immr, a.imms);
        let imm = self.b.iconst(ty, mask);
        if op == Op::Or && a.rn == 31 {
            return self.set_sp(a.rd, imm);
        }
        let n = self.reg(ty, a.rn);
        let v = self.binary(op, n, imm);
        if flags {
            self.set(a.rd, v);
            self.set_flags_of(v);
        } else {
            self.set_sp(a.rd, v);
        }
    }

    fn mov_const(&mut self, a: ArgsMovw, invert: bool) {
        let v = u64::from(a.imm) << (16 * a.hw);
        let v = if invert { !v } else { v };
        let v = self.b.const64(if a.sf == 1 { v } else { u64::from(v as u32) });
        self.set(a.rd, v);
    }

    fn ubfm(&mut self, a: ArgsBitfield) {
        let ty = Self::ty(a.sf);
        let width = 32 << a.sf;
        let n = self.reg(ty, a.rn);
        let v = if a.imms == width - 1 {
            let by = self.b.iconst(ty, u64::from(a.immr));
            self.b.shr(n, by)
        } else if a.imms >= a.immr {
            self.b.ubfx(n, a.immr, a.imms - a.immr + 1)
        } else {
            let by = self.b.iconst(ty, u64::from(width - a.immr));
            // With imms + 1 = immr it is a left shift; otherwise the upper bits of the field must go.
            let field = if a.imms + 1 == a.immr { n } else { self.b.ubfx(n, 0, a.imms + 1) };
            self.b.shl(field, by)
        };
        self.set(a.rd, v);
    }

    fn sbfm(&mut self, a: ArgsBitfield) {
        let ty = Self::ty(a.sf);
        let width = 32 << a.sf;
        if (a.sf, a.immr, a.imms) == (1, 0, 31) {
            let n = self.reg(Type::I32, a.rn);
            let v = self.b.sext32(n);
            return self.set(a.rd, v);
        }
        let n = self.reg(ty, a.rn);
        let v = if a.imms == width - 1 {
            let by = self.b.iconst(ty, u64::from(a.immr));
            self.b.sar(n, by)
        } else if a.imms >= a.immr {
            self.b.sbfx(n, a.immr, a.imms - a.immr + 1)
        } else {
            let by = self.b.iconst(ty, u64::from(width - a.immr));
            let field = self.b.sbfx(n, 0, a.imms + 1);
            self.b.shl(field, by)
        };
        self.set(a.rd, v);
    }

    fn bfm(&mut self, a: ArgsBitfield) {
        let ty = Self::ty(a.sf);
        let width = 32 << a.sf;
        let (old, n) = (self.reg(ty, a.rd), self.reg(ty, a.rn));
        let v = if a.imms >= a.immr {
            let len = a.imms - a.immr + 1;
            let field = if a.immr == 0 { n } else { self.b.ubfx(n, a.immr, len) };
            self.b.bfi(old, field, 0, len)
        } else {
            self.b.bfi(old, n, width - a.immr, a.imms + 1)
        };
        self.set(a.rd, v);
    }
}

#[cfg(test)]
mod tests {
    use super::bit_mask;

    #[test]
    fn bit_masks_of_the_manual() {
        assert_eq!(bit_mask(1, 0, 0), 1);
        assert_eq!(bit_mask(1, 1, 62), u64::MAX << 63 | u64::MAX >> 2);
        assert_eq!(bit_mask(0, 0, 0b11_1100), 0x5555_5555_5555_5555);
        assert_eq!(bit_mask(0, 0, 7), 0x0000_00ff_0000_00ff);
        assert_eq!(bit_mask(0, 8, 0b10_0111), 0xff00_ff00_ff00_ff00);
    }
}
