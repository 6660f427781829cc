//! Data processing on registers, with the CRC, flag manipulation and CSSC extensions; pointer authentication is in
//! `pauth.rs`. Input: a decoded row of group `dp_reg`; output: IR.

use crate::decode::{ArgsCsel, ArgsExtReg, ArgsRr, ArgsRrr, ArgsRrrr, ArgsShiftedReg, DpReg as I};
use crate::trans::{Flow, Tr};
use ir::{Op, Size, Type, Val};

/// Order of NZCV in a packed value.
const N: u32 = 31;

impl Tr<'_> {
    pub(crate) fn dp_reg(&mut self, insn: I) -> Flow {
        match insn {
            I::AndReg(a) => self.log_reg(a, Op::And, false),
            I::BicReg(a) => self.log_reg(a, Op::AndN, false),
            I::OrrReg(a) => self.log_reg(a, Op::Or, false),
            I::OrnReg(a) => self.log_reg(a, Op::OrN, false),
            I::EorReg(a) => self.log_reg(a, Op::Xor, false),
            I::EonReg(a) => {
                let ty = Self::ty(a.sf);
                let (n, m) = (self.reg(ty, a.rn), self.shifted(&a));
                let v = self.b.xor(n, m);
                let v = self.b.not(v);
                self.set(a.rd, v);
            }
            I::AndsReg(a) => self.log_reg(a, Op::And, true),
            I::BicsReg(a) => self.log_reg(a, Op::AndN, true),
            I::AddReg(a) => self.addsub_reg(a, Op::Add, false),
            I::AddsReg(a) => self.addsub_reg(a, Op::Add, true),
            I::SubReg(a) => self.addsub_reg(a, Op::Sub, false),
            I::SubsReg(a) => self.addsub_reg(a, Op::Sub, true),
            I::AddExt(a) => self.addsub_ext(a, Op::Add, false),
            I::AddsExt(a) => self.addsub_ext(a, Op::Add, true),
            I::SubExt(a) => self.addsub_ext(a, Op::Sub, false),
            I::SubsExt(a) => self.addsub_ext(a, Op::Sub, true),
            I::Adc(a) => self.carry(a, false, false),
            I::Adcs(a) => self.carry(a, false, true),
            I::Sbc(a) => self.carry(a, true, false),
            I::Sbcs(a) => self.carry(a, true, true),
            I::Rmif(a) => self.rmif(a.imm, a.rn, a.mask),
            I::Setf8(a) => self.setf(8, a.rn),
            I::Setf16(a) => self.setf(16, a.rn),
            I::CcmnReg(a) => {
                let m = self.reg(Self::ty(a.sf), a.rm);
                self.ccmp(Op::Add, a.rn, m, a.cond, a.nzcv);
            }
            I::CcmpReg(a) => {
                let m = self.reg(Self::ty(a.sf), a.rm);
                self.ccmp(Op::Sub, a.rn, m, a.cond, a.nzcv);
            }
            I::CcmnImm(a) => {
                let m = self.b.iconst(Self::ty(a.sf), u64::from(a.imm));
                self.ccmp(Op::Add, a.rn, m, a.cond, a.nzcv);
            }
            I::CcmpImm(a) => {
                let m = self.b.iconst(Self::ty(a.sf), u64::from(a.imm));
                self.ccmp(Op::Sub, a.rn, m, a.cond, a.nzcv);
            }
            I::Csel(a) => self.csel(a, None),
            I::Csinc(a) => self.csel(a, Some(Op::Add)),
            I::Csinv(a) => self.csel(a, Some(Op::Not)),
            I::Csneg(a) => self.csel(a, Some(Op::Neg)),
            I::Rbit(a) => self.unary(a, Op::BitRev),
            I::Rev16(a) => self.unary(a, Op::Rev16),
            I::Rev32(a) if a.sf == 1 => {
                // Bytes reversed in each word: the whole reversed, then the words swapped back.
                let n = self.x(a.rn);
                let v = self.b.bswap(n);
                let by = self.b.const64(32);
                let v = self.b.ror(v, by);
                self.set(a.rd, v);
            }
            I::Rev32(a) => self.unary(a, Op::Bswap),
            I::Rev64(a) => {
                let n = self.x(a.rn);
                let v = self.b.bswap(n);
                self.set(a.rd, v);
            }
            I::Clz(a) => self.unary(a, Op::Clz),
            I::Cls(a) => self.unary(a, Op::Cls),
            I::Ctz(a) => self.unary(a, Op::Ctz),
            I::Cnt(a) => self.unary(a, Op::Popcnt),
            I::Abs(a) => {
                let n = self.reg(Self::ty(a.sf), a.rn);
                let neg = self.b.neg(n);
                let v = self.b.smax(n, neg);
                self.set(a.rd, v);
            }
            I::Pacia(a) | I::Pacib(a) | I::Pacda(a) | I::Pacdb(a) => {
                let modifier = self.reg_sp(Type::I64, a.rn);
                self.pac_reg(a.key, a.rd, modifier);
            }
            I::Autia(a) | I::Autib(a) | I::Autda(a) | I::Autdb(a) => {
                let modifier = self.reg_sp(Type::I64, a.rn);
                self.aut_reg(a.key, a.rd, modifier);
            }
            I::Paciza(a) | I::Pacizb(a) | I::Pacdza(a) | I::Pacdzb(a) => {
                let modifier = self.b.const64(0);
                self.pac_reg(a.key, a.rd, modifier);
            }
            I::Autiza(a) | I::Autizb(a) | I::Autdza(a) | I::Autdzb(a) => {
                let modifier = self.b.const64(0);
                self.aut_reg(a.key, a.rd, modifier);
            }
            I::Xpaci(a) | I::Xpacd(a) => self.xpac_reg(a.rd),
            I::Pacga(a) => {
                let (n, m) = (self.x(a.rn), self.reg_sp(Type::I64, a.rm));
                let v = self.pacga(n, m);
                self.set(a.rd, v);
            }
            I::Udiv(a) => self.two(a, Op::DivU),
            I::Sdiv(a) => self.two(a, Op::DivS),
            I::Lslv(a) => self.two(a, Op::Shl),
            I::Lsrv(a) => self.two(a, Op::Shr),
            I::Asrv(a) => self.two(a, Op::Sar),
            I::Rorv(a) => self.two(a, Op::Ror),
            I::SmaxReg(a) => self.two(a, Op::SMax),
            I::UmaxReg(a) => self.two(a, Op::UMax),
            I::SminReg(a) => self.two(a, Op::SMin),
            I::UminReg(a) => self.two(a, Op::UMin),
            I::Crc32(a) | I::Crc32x(a) => {
                let (ty, size) = match a.sz {
                    0 => (Type::I32, Size::B),
                    1 => (Type::I32, Size::H),
                    2 => (Type::I32, Size::S),
                    _ => (Type::I64, Size::D),
                };
                let crc = self.reg(Type::I32, a.rn);
                let crc = if ty == Type::I64 { self.b.zext32(crc) } else { crc };
                let m = self.reg(ty, a.rm);
                let v = self.b.crc32(crc, m, size, a.c == 1);
                self.set(a.rd, v);
            }
            I::Madd(a) => self.madd(a, Op::Add),
            I::Msub(a) => self.madd(a, Op::Sub),
            I::Smaddl(a) => self.maddl(Op::Add, true, [a.rm, a.ra, a.rn, a.rd]),
            I::Smsubl(a) => self.maddl(Op::Sub, true, [a.rm, a.ra, a.rn, a.rd]),
            I::Umaddl(a) => self.maddl(Op::Add, false, [a.rm, a.ra, a.rn, a.rd]),
            I::Umsubl(a) => self.maddl(Op::Sub, false, [a.rm, a.ra, a.rn, a.rd]),
            I::Smulh(a) => {
                let (n, m) = (self.x(a.rn), self.x(a.rm));
                let v = self.b.mulhs(n, m);
                self.set(a.rd, v);
            }
            I::Umulh(a) => {
                let (n, m) = (self.x(a.rn), self.x(a.rm));
                let v = self.b.mulhu(n, m);
                self.set(a.rd, v);
            }
        }
        Flow::Next
    }

    /// `v` shifted by a constant; kind 0 left, 1 logical right, 2 arithmetic right, 3 rotated right.
    fn shift(&mut self, v: Val, kind: u32, by: u32) -> Val {
        if by == 0 {
            return v;
        }
        let by = self.b.iconst(self.b.ty(v), u64::from(by));
        match kind {
            0 => self.b.shl(v, by),
            1 => self.b.shr(v, by),
            2 => self.b.sar(v, by),
            _ => self.b.ror(v, by),
        }
    }

    fn shifted(&mut self, a: &ArgsShiftedReg) -> Val {
        let m = self.reg(Self::ty(a.sf), a.rm);
        self.shift(m, a.shift, a.imm)
    }

    fn log_reg(&mut self, a: ArgsShiftedReg, op: Op, flags: bool) {
        let ty = Self::ty(a.sf);
        let m = self.shifted(&a);
        let v = match op {
            Op::Or if a.rn == 31 => m,
            Op::OrN if a.rn == 31 => self.b.not(m),
            _ => {
                let n = self.reg(ty, a.rn);
                self.binary(op, n, m)
            }
        };
        self.set(a.rd, v);
        if flags {
            self.set_flags_of(v);
        }
    }

    fn addsub_reg(&mut self, a: ArgsShiftedReg, op: Op, flags: bool) {
        let n = self.reg(Self::ty(a.sf), a.rn);
        let m = self.shifted(&a);
        let v = if op == Op::Sub && a.rn == 31 && !flags { self.b.neg(m) } else { self.binary(op, n, m) };
        self.set(a.rd, v);
        if flags {
            self.set_flags_of(v);
        }
    }

    /// `ExtendReg`: 0 to 3 unsigned byte to doubleword, 4 to 7 signed; then shifted left.
    pub(crate) fn extended(&mut self, ty: Type, rm: u32, option: u32, shift: u32) -> Val {
        let v = match (option, ty) {
            (2, Type::I64) => {
                let w = self.reg(Type::I32, rm);
                self.b.zext32(w)
            }
            (6, Type::I64) => {
                let w = self.reg(Type::I32, rm);
                self.b.sext32(w)
            }
            _ => {
                let m = self.reg(ty, rm);
                match option {
                    0 => self.b.zext8(m),
                    1 => self.b.zext16(m),
                    4 => self.b.sext8(m),
                    5 => self.b.sext16(m),
                    _ => m,
                }
            }
        };
        self.shift(v, 0, shift)
    }

    fn addsub_ext(&mut self, a: ArgsExtReg, op: Op, flags: bool) {
        let ty = Self::ty(a.sf);
        let n = self.reg_sp(ty, a.rn);
        let m = self.extended(ty, a.rm, a.option, a.imm);
        let v = self.binary(op, n, m);
        if flags {
            self.set(a.rd, v);
            self.set_flags_of(v);
        } else {
            self.set_sp(a.rd, v);
        }
    }

    fn carry(&mut self, a: ArgsRrr, sub: bool, flags: bool) {
        let ty = Self::ty(a.sf);
        let (n, m, f) = (self.reg(ty, a.rn), self.reg(ty, a.rm), self.flags());
        let v = if sub { self.b.sbc(n, m, f) } else { self.b.adc(n, m, f) };
        self.set(a.rd, v);
        if flags {
            self.set_flags_of(v);
        }
    }

    fn rmif(&mut self, rotate: u32, rn: u32, mask: u32) {
        let n = self.x(rn);
        // Bits 3:0 of the rotated value go to 31:28.
        let n = self.shift(n, 3, (rotate + 36) & 63);
        let n = self.b.trunc(n);
        let v = if mask == 15 {
            n
        } else {
            let old = self.flags();
            let old = self.b.nzcv(old);
            let m = self.b.const32(mask << 28);
            let (keep, new) = (self.b.andn(old, m), self.b.and(n, m));
            self.b.or(keep, new)
        };
        let f = self.b.mkflags(v);
        self.set_flags(f);
    }

    fn setf(&mut self, width: u32, rn: u32) {
        let w = self.reg(Type::I32, rn);
        let old = self.flags();
        let old = self.b.nzcv(old);
        let carry = self.b.const32(1 << (N - 2));
        let c = self.b.and(old, carry);
        let top = self.shift(w, 0, 32 - width);
        let sign = self.b.const32(1 << N);
        let n = self.b.and(top, sign);
        let zero = self.b.and(top, top);
        let zero = self.b.flags_of(zero);
        let z = self.b.setcc(Type::I32, ir::Cc::Eq, zero);
        let z = self.shift(z, 0, N - 1);
        // V: bit `width` differs from the sign bit.
        let above = self.shift(w, 0, 31 - width);
        let v = self.b.xor(top, above);
        let v = self.b.and(v, sign);
        let v = self.shift(v, 1, 3);
        let packed = self.b.or(n, z);
        let packed = self.b.or(packed, c);
        let packed = self.b.or(packed, v);
        let f = self.b.mkflags(packed);
        self.set_flags(f);
    }

    fn ccmp(&mut self, op: Op, rn: u32, m: Val, cond: u32, nzcv: u32) {
        let n = self.reg(self.b.ty(m), rn);
        let v = self.binary(op, n, m);
        let then = self.b.flags_of(v);
        let f = match Self::cond(cond) {
            None => then,
            Some(cc) => {
                let old = self.flags();
                self.b.condflags(cc, old, then, nzcv << 28)
            }
        };
        self.set_flags(f);
    }

    fn csel(&mut self, a: ArgsCsel, op: Option<Op>) {
        let ty = Self::ty(a.sf);
        let Some(cc) = Self::cond(a.cond) else {
            let n = self.reg(ty, a.rn);
            return self.set(a.rd, n);
        };
        let f = self.flags();
        // cset, csetm
        if (a.rn, a.rm) == (31, 31) && matches!(op, Some(Op::Add | Op::Not)) {
            let v = self.b.setcc(ty, cc.invert(), f);
            let v = if op == Some(Op::Not) { self.b.neg(v) } else { v };
            return self.set(a.rd, v);
        }
        let (n, m) = (self.reg(ty, a.rn), self.reg(ty, a.rm));
        let m = match op {
            None => m,
            Some(Op::Add) => {
                let one = self.b.iconst(ty, 1);
                self.b.add(m, one)
            }
            Some(Op::Not) => self.b.not(m),
            Some(_) => self.b.neg(m),
        };
        let v = self.b.select(cc, f, n, m);
        self.set(a.rd, v);
    }

    fn unary(&mut self, a: ArgsRr, op: Op) {
        let ty = Self::ty(a.sf);
        let n = self.reg(ty, a.rn);
        let v = self.b.push(op, ty, ir::Attr::None, &[n], 0);
        self.set(a.rd, v);
    }

    fn two(&mut self, a: ArgsRrr, op: Op) {
        let ty = Self::ty(a.sf);
        let (n, m) = (self.reg(ty, a.rn), self.reg(ty, a.rm));
        let v = self.binary(op, n, m);
        self.set(a.rd, v);
    }

    fn madd(&mut self, a: ArgsRrrr, op: Op) {
        let ty = Self::ty(a.sf);
        let (n, m) = (self.reg(ty, a.rn), self.reg(ty, a.rm));
        let product = self.b.mul(n, m);
        self.accumulate(op, a.ra, a.rd, product);
    }

    fn maddl(&mut self, op: Op, signed: bool, [rm, ra, rn, rd]: [u32; 4]) {
        let (n, m) = (self.reg(Type::I32, rn), self.reg(Type::I32, rm));
        let (n, m) =
            if signed { (self.b.sext32(n), self.b.sext32(m)) } else { (self.b.zext32(n), self.b.zext32(m)) };
        let product = self.b.mul(n, m);
        self.accumulate(op, ra, rd, product);
    }

    fn accumulate(&mut self, op: Op, ra: u32, rd: u32, product: Val) {
        let v = match (op, ra) {
            (Op::Add, 31) => product,
            (_, 31) => self.b.neg(product),
            _ => {
                let acc = self.reg(self.b.ty(product), ra);
                self.binary(op, acc, product)
            }
        };
        self.set(rd, v);
    }
}
