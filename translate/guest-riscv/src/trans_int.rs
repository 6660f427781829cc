//! Integer instructions, branches, CSRs.

use crate::cpu::{self, Feature};
use crate::decode::{ArgsI, ArgsLoad, ArgsR, ArgsShi, ArgsUn, Int};
use crate::helpers;
use crate::trans::{Flow, Tr};
use ir::{Cc, Ext, Mem, Op, Shape, Size, Target, Term, TrapKind, Type, Val};

/// Link registers: calls and returns are told by them (manual, "Unconditional Jumps", return-address stack hints).
fn is_link(n: u32) -> bool {
    n == 1 || n == 5
}

impl Tr<'_> {
    pub(crate) fn int(&mut self, insn: Int) -> Flow {
        match insn {
            Int::Lui(a) => {
                let v = self.c(i64::from(a.imm) << 12);
                self.set(a.rd, v);
            }
            Int::Auipc(a) => {
                let v = self.b.addr(self.wrap(self.pc.wrapping_add((i64::from(a.imm) << 12) as u64)));
                self.set(a.rd, v);
            }
            Int::Jal(a) => {
                if is_link(a.rd)
                    && let Some(end) = self.forget()
                {
                    return end;
                }
                let target = self.wrap(self.pc.wrapping_add((i64::from(a.imm) * 2) as u64));
                let (rd, next) = (a.rd, self.next());
                self.set_link(rd);
                return Flow::End(if is_link(rd) {
                    Term::Call { target, ret: next }
                } else {
                    Term::Jump(Target::Pc(target))
                });
            }
            Int::Jalr(a) => {
                if (is_link(a.rd) || a.rd == 0 && is_link(a.rs1))
                    && let Some(end) = self.forget()
                {
                    return end;
                }
                let (rd, rs1, next) = (a.rd, a.rs1, self.next());
                let base = self.x(rs1);
                let off = self.c(i64::from(a.imm));
                let sum = if a.imm == 0 { base } else { self.b.add(base, off) };
                let mask = self.c(!1);
                let addr = self.b.and(sum, mask);
                let addr = self.widen(addr);
                self.set_link(rd);
                return Flow::End(if is_link(rd) {
                    Term::CallIndirect { addr, ret: next }
                } else if is_link(rs1) && rd == 0 {
                    Term::Return { addr }
                } else {
                    Term::Indirect { addr }
                });
            }
            Int::Beq(a) => return self.branch(Cc::Eq, a.rs1, a.rs2, i64::from(a.imm)),
            Int::Bne(a) => return self.branch(Cc::Ne, a.rs1, a.rs2, i64::from(a.imm)),
            Int::Blt(a) => return self.branch(Cc::Lt, a.rs1, a.rs2, i64::from(a.imm)),
            Int::Bge(a) => return self.branch(Cc::Ge, a.rs1, a.rs2, i64::from(a.imm)),
            Int::Bltu(a) => return self.branch(Cc::Cc, a.rs1, a.rs2, i64::from(a.imm)),
            Int::Bgeu(a) => return self.branch(Cc::Cs, a.rs1, a.rs2, i64::from(a.imm)),
            Int::Lb(a) | Int::Lh(a) | Int::Lw(a) | Int::Ld(a) | Int::Lbu(a) | Int::Lhu(a) | Int::Lwu(a) => {
                self.load(a);
            }
            Int::Sb(a) | Int::Sh(a) | Int::Sw(a) | Int::Sd(a) => {
                let size = Size::from_log2(a.size).unwrap_or(Size::D);
                let (base, disp) = self.address(a.rs1, i64::from(a.imm));
                let v = self.x(a.rs2);
                self.b.store(Mem::plain(size), base, Val::NONE, disp, v);
            }
            Int::Addi(a) => self.imm(a, |t, x, y| t.b.add(x, y)),
            Int::Xori(a) => self.imm(a, |t, x, y| t.b.xor(x, y)),
            Int::Ori(a) => self.imm(a, |t, x, y| t.b.or(x, y)),
            Int::Andi(a) => self.imm(a, |t, x, y| t.b.and(x, y)),
            Int::Slti(a) => self.imm(a, |t, x, y| t.less(Cc::Lt, x, y)),
            Int::Sltiu(a) => self.imm(a, |t, x, y| t.less(Cc::Cc, x, y)),
            Int::Slli(a) => self.shift_imm(a, |t, x, y| t.b.shl(x, y)),
            Int::Srli(a) => self.shift_imm(a, |t, x, y| t.b.shr(x, y)),
            Int::Srai(a) => self.shift_imm(a, |t, x, y| t.b.sar(x, y)),
            Int::Rori(a) => self.shift_imm(a, |t, x, y| t.b.ror(x, y)),
            Int::Bclri(a) => self.shift_imm(a, |t, x, y| t.bit(Op::AndN, x, y)),
            Int::Bseti(a) => self.shift_imm(a, |t, x, y| t.bit(Op::Or, x, y)),
            Int::Binvi(a) => self.shift_imm(a, |t, x, y| t.bit(Op::Xor, x, y)),
            Int::Bexti(a) => self.shift_imm(a, |t, x, y| t.bit_test(x, y)),
            Int::SlliUw(a) => self.shift_imm(a, |t, x, y| {
                let w = t.b.trunc(x);
                let z = t.b.zext32(w);
                t.b.shl(z, y)
            }),
            Int::Add(a) => self.reg(a, |t, x, y| t.b.add(x, y)),
            Int::Sub(a) => self.reg(a, |t, x, y| t.b.sub(x, y)),
            Int::Sll(a) => self.reg(a, |t, x, y| t.b.shl(x, y)),
            Int::Srl(a) => self.reg(a, |t, x, y| t.b.shr(x, y)),
            Int::Sra(a) => self.reg(a, |t, x, y| t.b.sar(x, y)),
            Int::Xor(a) => self.reg(a, |t, x, y| t.b.xor(x, y)),
            Int::Or(a) => self.reg(a, |t, x, y| t.b.or(x, y)),
            Int::And(a) => self.reg(a, |t, x, y| t.b.and(x, y)),
            Int::Slt(a) => self.reg(a, |t, x, y| t.less(Cc::Lt, x, y)),
            Int::Sltu(a) => self.reg(a, |t, x, y| t.less(Cc::Cc, x, y)),
            Int::Andn(a) => self.reg(a, |t, x, y| t.b.andn(x, y)),
            Int::Orn(a) => self.reg(a, |t, x, y| t.b.orn(x, y)),
            Int::Xnor(a) => self.reg(a, |t, x, y| {
                let v = t.b.xor(x, y);
                t.b.not(v)
            }),
            Int::Min(a) => self.reg(a, |t, x, y| t.b.smin(x, y)),
            Int::Max(a) => self.reg(a, |t, x, y| t.b.smax(x, y)),
            Int::Minu(a) => self.reg(a, |t, x, y| t.b.umin(x, y)),
            Int::Maxu(a) => self.reg(a, |t, x, y| t.b.umax(x, y)),
            Int::Ror(a) => self.reg(a, |t, x, y| t.b.ror(x, y)),
            Int::Rol(a) => self.reg(a, |t, x, y| {
                let n = t.b.neg(y);
                t.b.ror(x, n)
            }),
            Int::Bclr(a) => self.reg(a, |t, x, y| t.bit(Op::AndN, x, y)),
            Int::Bset(a) => self.reg(a, |t, x, y| t.bit(Op::Or, x, y)),
            Int::Binv(a) => self.reg(a, |t, x, y| t.bit(Op::Xor, x, y)),
            Int::Bext(a) => self.reg(a, |t, x, y| t.bit_test(x, y)),
            Int::CzeroEqz(a) => self.reg(a, |t, x, y| t.czero(Cc::Eq, x, y)),
            Int::CzeroNez(a) => self.reg(a, |t, x, y| t.czero(Cc::Ne, x, y)),
            Int::Sh1add(a) => self.reg(a, |t, x, y| t.shift_add(x, y, 1)),
            Int::Sh2add(a) => self.reg(a, |t, x, y| t.shift_add(x, y, 2)),
            Int::Sh3add(a) => self.reg(a, |t, x, y| t.shift_add(x, y, 3)),
            Int::AddUw(a) => self.reg_uw(a, 0),
            Int::Sh1addUw(a) => self.reg_uw(a, 1),
            Int::Sh2addUw(a) => self.reg_uw(a, 2),
            Int::Sh3addUw(a) => self.reg_uw(a, 3),
            Int::Mul(a) => self.reg(a, |t, x, y| t.b.mul(x, y)),
            Int::Mulh(a) if self.rv32() => self.high_product(a, true, true),
            Int::Mulhu(a) if self.rv32() => self.high_product(a, false, false),
            Int::Mulhsu(a) if self.rv32() => self.high_product(a, true, false),
            Int::Mulh(a) => self.reg(a, |t, x, y| t.b.mulhs(x, y)),
            Int::Mulhu(a) => self.reg(a, |t, x, y| t.b.mulhu(x, y)),
            Int::Mulhsu(a) => self.reg(a, |t, x, y| {
                // Signed times unsigned: the unsigned product less y where x is negative.
                let hi = t.b.mulhu(x, y);
                let n = t.b.const64(63);
                let sign = t.b.sar(x, n);
                let fix = t.b.and(sign, y);
                t.b.sub(hi, fix)
            }),
            Int::Div(a) => self.reg(a, |t, x, y| t.divide(Op::DivS, x, y)),
            Int::Divu(a) => self.reg(a, |t, x, y| t.divide(Op::DivU, x, y)),
            Int::Rem(a) => self.reg(a, |t, x, y| t.b.rems(x, y)),
            Int::Remu(a) => self.reg(a, |t, x, y| t.b.remu(x, y)),
            Int::Addiw(a) => {
                let x = self.w(a.rs1);
                let c = self.b.const32(i64::from(a.imm) as u32);
                let v = self.b.add(x, c);
                self.set(a.rd, v);
            }
            Int::Slliw(a) => self.shift_imm_w(a, |t, x, y| t.b.shl(x, y)),
            Int::Srliw(a) => self.shift_imm_w(a, |t, x, y| t.b.shr(x, y)),
            Int::Sraiw(a) => self.shift_imm_w(a, |t, x, y| t.b.sar(x, y)),
            Int::Roriw(a) => self.shift_imm_w(a, |t, x, y| t.b.ror(x, y)),
            Int::Addw(a) => self.reg_w(a, |t, x, y| t.b.add(x, y)),
            Int::Subw(a) => self.reg_w(a, |t, x, y| t.b.sub(x, y)),
            Int::Sllw(a) => self.reg_w(a, |t, x, y| t.b.shl(x, y)),
            Int::Srlw(a) => self.reg_w(a, |t, x, y| t.b.shr(x, y)),
            Int::Sraw(a) => self.reg_w(a, |t, x, y| t.b.sar(x, y)),
            Int::Rorw(a) => self.reg_w(a, |t, x, y| t.b.ror(x, y)),
            Int::Rolw(a) => self.reg_w(a, |t, x, y| {
                let n = t.b.neg(y);
                t.b.ror(x, n)
            }),
            Int::Mulw(a) => self.reg_w(a, |t, x, y| t.b.mul(x, y)),
            Int::Divw(a) => self.reg_w(a, |t, x, y| t.divide(Op::DivS, x, y)),
            Int::Divuw(a) => self.reg_w(a, |t, x, y| t.divide(Op::DivU, x, y)),
            Int::Remw(a) => self.reg_w(a, |t, x, y| t.b.rems(x, y)),
            Int::Remuw(a) => self.reg_w(a, |t, x, y| t.b.remu(x, y)),
            Int::Clz(a) => self.unary(a, |t, x| t.b.clz(x)),
            Int::Ctz(a) => self.unary(a, |t, x| t.b.ctz(x)),
            Int::Cpop(a) => self.unary(a, |t, x| t.b.popcnt(x)),
            Int::SextB(a) => self.unary(a, |t, x| t.b.sext8(x)),
            Int::SextH(a) => self.unary(a, |t, x| t.b.sext16(x)),
            Int::ZextH(a) | Int::ZextH32(a) => self.unary(a, |t, x| t.b.zext16(x)),
            Int::Rev8(a) | Int::Rev832(a) => self.unary(a, |t, x| t.b.bswap(x)),
            Int::Brev8(a) => self.unary(a, |t, x| {
                let r = t.b.bitrev(x);
                t.b.bswap(r)
            }),
            Int::OrcB(a) => self.unary(a, |t, x| t.orc_b(x)),
            Int::Clzw(a) => self.unary_w(a, |t, x| t.b.clz(x)),
            Int::Ctzw(a) => self.unary_w(a, |t, x| t.b.ctz(x)),
            Int::Cpopw(a) => self.unary_w(a, |t, x| t.b.popcnt(x)),
            Int::Pack(a) => self.reg(a, |t, x, y| {
                let half = t.cpu.xlen / 2;
                t.b.bfi(x, y, half, half)
            }),
            Int::Zip(a) => self.unary(a, |t, x| {
                t.shuffle(x, &[(8, 0xff00), (4, 0x00f0_00f0), (2, 0x0c0c_0c0c), (1, 0x2222_2222)])
            }),
            Int::Unzip(a) => self.unary(a, |t, x| {
                t.shuffle(x, &[(1, 0x2222_2222), (2, 0x0c0c_0c0c), (4, 0x00f0_00f0), (8, 0xff00)])
            }),
            Int::MopR(a) => {
                let v = self.c(0);
                self.set(a.rd, v);
            }
            Int::MopRr(a) => {
                let v = self.c(0);
                self.set(a.rd, v);
            }
            Int::VtMaskc(a) => self.reg(a, |t, x, y| t.czero(Cc::Eq, x, y)),
            Int::VtMaskcn(a) => self.reg(a, |t, x, y| t.czero(Cc::Ne, x, y)),
            Int::Packh(a) => self.reg(a, |t, x, y| {
                let lo = t.b.zext8(x);
                t.b.bfi(lo, y, 8, 8)
            }),
            Int::Packw(a) => self.reg_w(a, |t, x, y| t.b.bfi(x, y, 16, 16)),
            Int::Clmul(a) => self.reg(a, |t, x, y| t.clmul(x, y).0),
            Int::Clmulh(a) => self.reg(a, |t, x, y| t.clmul(x, y).1),
            Int::Clmulr(a) => self.reg(a, |t, x, y| {
                let (lo, hi) = t.clmul(x, y);
                t.b.extr(hi, lo, t.cpu.xlen - 1)
            }),
            Int::Xperm4(a) => self.reg(a, |t, x, y| t.xperm4(x, y)),
            Int::Xperm8(a) => self.reg(a, |t, x, y| t.xperm8(x, y)),
            Int::Fence(a) => {
                // Only an earlier store before a later load needs the host to wait.
                // fence.tso leaves that order out.
                let (pred, succ, tso) = (a.pred, a.succ, a.fm == 8);
                self.b.fence(if pred & 5 != 0 && succ & 10 != 0 && !tso { 0 } else { 1 });
            }
            Int::FenceI => {
                // No address: all code may have changed.
                let all = self.b.const64(0);
                self.b.push(Op::InvalCode, Type::Void, ir::Attr::None, &[all], 1 << 47);
                return Flow::End(Term::Resume { pc: self.next() });
            }
            Int::Ecall => return Flow::End(Term::Syscall { next: self.next() }),
            Int::Ebreak => {
                return Flow::End(Term::Trap { kind: TrapKind::Break, pc: self.pc, info: 0 });
            }
            Int::WrsNto | Int::WrsSto => {}
            // The kernel lets programs write blocks back, not drop them.
            Int::CboInval(_) => return Flow::Undefined,
            Int::CboClean(_) | Int::CboFlush(_) => {}
            Int::CboZero(a) => {
                let x = self.x64(a.rs1);
                let block = i64::from(self.cpu.block.zero);
                let mask = self.b.const64(-block as u64);
                let base = self.b.and(x, mask);
                let zero = self.b.vconst(0, true);
                let (size, step) = if block < 16 { (Size::S, 4) } else { (Size::Q, 16) };
                for at in (0..block).step_by(step) {
                    self.b.store(Mem::plain(size), base, Val::NONE, at, zero);
                }
            }
            Int::Csrrw(a) => return self.csr(a.csr, a.rd, CsrOp::Write, Source::Reg(a.rs1)),
            Int::Csrrs(a) => return self.csr(a.csr, a.rd, CsrOp::Set, Source::Reg(a.rs1)),
            Int::Csrrc(a) => return self.csr(a.csr, a.rd, CsrOp::Clear, Source::Reg(a.rs1)),
            Int::Csrrwi(a) => return self.csr(a.csr, a.rd, CsrOp::Write, Source::Imm(a.rs1)),
            Int::Csrrsi(a) => return self.csr(a.csr, a.rd, CsrOp::Set, Source::Imm(a.rs1)),
            Int::Csrrci(a) => return self.csr(a.csr, a.rd, CsrOp::Clear, Source::Imm(a.rs1)),
        }
        Flow::Next
    }

    fn branch(&mut self, cc: Cc, rs1: u32, rs2: u32, imm: i64) -> Flow {
        let (a, b) = (self.x(rs1), self.x(rs2));
        let d = self.b.sub(a, b);
        let flags = self.b.flags_of(d);
        let then = Target::Pc(self.wrap(self.pc.wrapping_add((imm * 2) as u64)));
        Flow::End(Term::Branch { flags, cc, then, els: Target::Pc(self.next()) })
    }

    fn load(&mut self, a: ArgsLoad) {
        let size = Size::from_log2(a.size).unwrap_or(Size::D);
        let (base, disp) = self.address(a.rs1, i64::from(a.imm));
        let mut mem = Mem::plain(size);
        if a.sign != 0 {
            mem.ext = Ext::Sign;
        }
        let v = self.b.load(self.xt, mem, base, Val::NONE, disp);
        self.set(a.rd, v);
    }

    fn imm(&mut self, a: ArgsI, f: impl Fn(&mut Self, Val, Val) -> Val) {
        let x = self.x(a.rs1);
        let y = self.c(i64::from(a.imm));
        let v = f(self, x, y);
        self.set(a.rd, v);
    }

    fn shift_imm(&mut self, a: ArgsShi, f: impl Fn(&mut Self, Val, Val) -> Val) {
        let x = self.x(a.rs1);
        let y = self.c(i64::from(a.sh));
        let v = f(self, x, y);
        self.set(a.rd, v);
    }

    fn shift_imm_w(&mut self, a: ArgsShi, f: impl Fn(&mut Self, Val, Val) -> Val) {
        let x = self.w(a.rs1);
        let y = self.b.const32(a.sh);
        let v = f(self, x, y);
        self.set(a.rd, v);
    }

    fn reg(&mut self, a: ArgsR, f: impl Fn(&mut Self, Val, Val) -> Val) {
        let (x, y) = (self.x(a.rs1), self.x(a.rs2));
        let v = f(self, x, y);
        self.set(a.rd, v);
    }

    fn reg_w(&mut self, a: ArgsR, f: impl Fn(&mut Self, Val, Val) -> Val) {
        let (x, y) = (self.w(a.rs1), self.w(a.rs2));
        let v = f(self, x, y);
        self.set(a.rd, v);
    }

    fn reg_uw(&mut self, a: ArgsR, n: u64) {
        self.reg(a, |t, x, y| {
            let w = t.b.trunc(x);
            let z = t.b.zext32(w);
            t.shift_add(z, y, n)
        });
    }

    fn unary(&mut self, a: ArgsUn, f: impl Fn(&mut Self, Val) -> Val) {
        let x = self.x(a.rs1);
        let v = f(self, x);
        self.set(a.rd, v);
    }

    fn unary_w(&mut self, a: ArgsUn, f: impl Fn(&mut Self, Val) -> Val) {
        let x = self.w(a.rs1);
        let v = f(self, x);
        self.set(a.rd, v);
    }

    fn less(&mut self, cc: Cc, x: Val, y: Val) -> Val {
        let d = self.b.sub(x, y);
        let f = self.b.flags_of(d);
        self.b.setcc(self.xt, cc, f)
    }

    /// Upper half of a product of two 32-bit registers.
    fn high_product(&mut self, a: ArgsR, signed1: bool, signed2: bool) {
        let wide = |t: &mut Self, n, signed| {
            let v = t.w(n);
            if signed { t.b.sext32(v) } else { t.b.zext32(v) }
        };
        let x = wide(self, a.rs1, signed1);
        let y = wide(self, a.rs2, signed2);
        let product = self.b.mul(x, y);
        let n = self.b.const64(32);
        let high = self.b.shr(product, n);
        let v = self.b.trunc(high);
        self.set(a.rd, v);
    }

    fn shift_add(&mut self, x: Val, y: Val, n: u64) -> Val {
        let c = self.c(n as i64);
        let s = self.b.shl(x, c);
        self.b.add(s, y)
    }

    /// x op (1 << y)
    fn bit(&mut self, op: Op, x: Val, y: Val) -> Val {
        let one = self.c(1);
        let m = self.b.shl(one, y);
        self.b.push(op, self.xt, ir::Attr::None, &[x, m], 0)
    }

    fn bit_test(&mut self, x: Val, y: Val) -> Val {
        let s = self.b.shr(x, y);
        let one = self.c(1);
        self.b.and(s, one)
    }

    /// Zero if y compares `cc` with zero, else x.
    fn czero(&mut self, cc: Cc, x: Val, y: Val) -> Val {
        let t = self.b.and(y, y);
        let f = self.b.flags_of(t);
        let zero = self.c(0);
        self.b.select(cc, f, zero, x)
    }

    /// Division by zero gives all ones (manual, "Division Operations").
    fn divide(&mut self, op: Op, x: Val, y: Val) -> Val {
        let ty = self.b.ty(x);
        let q = self.b.push(op, ty, ir::Attr::None, &[x, y], 0);
        let t = self.b.and(y, y);
        let f = self.b.flags_of(t);
        let ones = self.b.iconst(ty, u64::MAX);
        self.b.select(Cc::Eq, f, ones, q)
    }

    /// Exchanges bits: for each step those under the mask with those `n` places above.
    fn shuffle(&mut self, x: Val, steps: &[(u32, u32)]) -> Val {
        steps.iter().fold(x, |x, (n, mask)| {
            let (n, mask) = (self.b.const32(*n), self.b.const32(*mask));
            let down = self.b.shr(x, n);
            let d = self.b.xor(x, down);
            let d = self.b.and(d, mask);
            let up = self.b.shl(d, n);
            let both = self.b.or(d, up);
            self.b.xor(x, both)
        })
    }

    /// Carry-less product: low and high half.
    fn clmul(&mut self, x: Val, y: Val) -> (Val, Val) {
        let (x, y) = (self.vector(x), self.vector(y));
        let shape = Shape::new(Size::Q, 1);
        let product = self.b.vop(Op::VPmull, shape, &[x, y], 0);
        let lo = self.b.vget(self.xt, self.x_shape(), false, product, 0);
        let hi = self.b.vget(self.xt, self.x_shape(), false, product, 1);
        (lo, hi)
    }

    /// Lanes as wide as a register.
    fn x_shape(&self) -> Shape {
        if self.rv32() { Shape::new(Size::S, 4) } else { Shape::new(Size::D, 2) }
    }

    /// An integer as the lowest bytes of a vector, zeros above.
    pub(crate) fn vector(&mut self, x: Val) -> Val {
        let size = if self.b.ty(x) == Type::I32 { Size::S } else { Size::D };
        self.b.push(Op::VDup, Type::V128, ir::Attr::Vec(Shape::scalar(size)), &[x], 0)
    }

    /// Bytes of x selected by the bytes of y, zero where they reach beyond the register.
    fn xperm8(&mut self, x: Val, y: Val) -> Val {
        let (x, y) = (self.vector(x), self.vector(y));
        let zero = self.b.vconst(0, false);
        let shape = Shape::new(Size::B, 8);
        let v = self.b.vop(Op::VTbl, shape, &[zero, x, y], 0);
        self.b.vget(self.xt, self.x_shape(), false, v, 0)
    }

    /// The same with nibbles: a table of 16 bytes is looked up with the even and with the odd nibbles of y.
    fn xperm4(&mut self, x: Val, y: Val) -> Val {
        let (x, y) = (self.vector(x), self.vector(y));
        let low = self.b.vconst(0x0f0f_0f0f_0f0f_0f0f, false);
        let bytes = Shape::new(Size::B, 8);
        let nibbles = |t: &mut Self, v| {
            let even = t.b.vop(Op::VAnd, bytes, &[v, low], 0);
            let odd = t.b.vop(Op::VShrI, bytes, &[v], 4);
            (even, odd)
        };
        let (even, odd) = nibbles(self, x);
        let table = self.b.vop(Op::VZip1, Shape::new(Size::B, 16), &[even, odd], 0);
        let (even, odd) = nibbles(self, y);
        let zero = self.b.vconst(0, false);
        let lo = self.b.vop(Op::VTbl, bytes, &[zero, table, even], 0);
        let hi = self.b.vop(Op::VTbl, bytes, &[zero, table, odd], 0);
        let hi = self.b.vop(Op::VShlI, bytes, &[hi], 4);
        let v = self.b.vop(Op::VOr, bytes, &[lo, hi], 0);
        self.b.vget(self.xt, self.x_shape(), false, v, 0)
    }

    /// Each byte all ones unless it is zero.
    pub(crate) fn orc_b(&mut self, x: Val) -> Val {
        // Bit 7 of each byte of (x | (x & 0x7f) + 0x7f) says that the byte is not zero.
        let low = self.c(0x7f7f_7f7f_7f7f_7f7f);
        let a = self.b.and(x, low);
        let s = self.b.add(a, low);
        let o = self.b.or(s, x);
        let top = self.b.andn(o, low);
        let seven = self.c(7);
        let ones = self.b.shr(top, seven);
        let ff = self.c(0xff);
        self.b.mul(ones, ff)
    }

    /// The CSRs that user programs reach: fflags, frm, fcsr, cycle, time, instret.
    fn csr(&mut self, csr: u32, rd: u32, op: CsrOp, src: Source) -> Flow {
        let writes = match (op, src) {
            (CsrOp::Write, _) => true,
            (_, Source::Reg(n) | Source::Imm(n)) => n != 0,
        };
        let old = match csr {
            1..=3 if !self.has(Feature::Fx) => return Flow::Undefined,
            1 => self.fflags(),
            2 => self.b.get(cpu::FRM, Type::I32),
            3 => {
                let f = self.fflags();
                let r = self.b.get(cpu::FRM, Type::I32);
                self.b.bfi(f, r, 5, 3)
            }
            // The entropy source: only by an instruction that writes, whose value is ignored.
            0x15 if writes && self.has(Feature::Zkr) => {
                let v = self.b.call(helpers::SEED, Type::I64, &[]);
                let v = self.low(v);
                self.set(rd, v);
                return Flow::Next;
            }
            0x17 if self.has(Feature::Zcmt) => return self.csr_jvt(rd, op, src, writes),
            0xc00..=0xc1f | 0xc80..=0xc9f if !writes && self.has_counter(csr) => {
                let h = if csr & 31 == 1 { helpers::TIME } else { helpers::CYCLE };
                let mut v = self.b.call(h, Type::I64, &[]);
                if csr & 0x80 != 0 {
                    let n = self.b.const64(32);
                    v = self.b.shr(v, n);
                }
                let v = self.low(v);
                self.set(rd, v);
                return Flow::Next;
            }
            0x8..=0xa | 0xf => match self.vector_csr(csr) {
                Some(v) => v,
                None => return Flow::Undefined,
            },
            0xc20..=0xc22 if !writes => {
                let Some(v) = self.vector_csr(csr) else { return Flow::Undefined };
                let v = self.low(v);
                self.set(rd, v);
                return Flow::Next;
            }
            _ => return Flow::Undefined,
        };
        let operand = match src {
            Source::Reg(n) => self.w(n),
            Source::Imm(n) => self.b.const32(n),
        };
        let new = match op {
            CsrOp::Write => operand,
            CsrOp::Set => self.b.or(old, operand),
            CsrOp::Clear => self.b.andn(old, operand),
        };
        if rd != 0 {
            let v = self.b.zext32(old);
            let v = self.low(v);
            self.set(rd, v);
        }
        if !writes {
            return Flow::Next;
        }
        if matches!(csr, 0x8..=0xf) {
            return self.set_vector_csr(csr, new);
        }
        if csr != 2 {
            self.b.push(Op::SetFpFlags, Type::Void, ir::Attr::None, &[new], 2);
        }
        if csr == 1 {
            return Flow::Next;
        }
        let frm = self.b.ubfx(new, if csr == 2 { 0 } else { 5 }, 3);
        self.b.set(cpu::FRM, frm);
        // frm counts nearest, zero, down, up, away; the IR nearest, up, down, zero, away.
        let four = self.b.const32(4);
        let d = self.b.sub(four, frm);
        let three = self.b.const32(3);
        let lo = self.b.and(d, three);
        let hi = self.b.and(frm, four);
        let round = self.b.or(lo, hi);
        self.b.push(Op::SetRound, Type::Void, ir::Attr::None, &[round], 0);
        Flow::End(Term::Resume { pc: self.next() })
    }

    /// Whether programs may read this counter: cycle, time, instret, and their upper halves where registers have 32 bits.
    /// The others (Zihpm) are there, but kernels keep them for themselves.
    fn has_counter(&self, csr: u32) -> bool {
        csr & 31 < 3 && self.has(Feature::Zicntr) && (csr & 0x80 == 0 || self.rv32())
    }

    fn csr_jvt(&mut self, rd: u32, op: CsrOp, src: Source, writes: bool) -> Flow {
        let old = self.b.get(cpu::JVT, Type::I64);
        let operand = match src {
            Source::Reg(n) => self.x64(n),
            Source::Imm(n) => self.b.const64(u64::from(n)),
        };
        let new = match op {
            CsrOp::Write => operand,
            CsrOp::Set => self.b.or(old, operand),
            CsrOp::Clear => self.b.andn(old, operand),
        };
        let value = self.low(old);
        self.set(rd, value);
        if writes {
            // The mode: only 0, table jumps.
            let mask = self.b.const64(!63);
            let new = self.b.and(new, mask);
            self.b.set(cpu::JVT, new);
        }
        Flow::Next
    }

    /// fflags: the IR's flags in reverse order.
    fn fflags(&mut self) -> Val {
        self.b.push(Op::GetFpFlags, Type::I32, ir::Attr::None, &[], 2)
    }
}

#[derive(Clone, Copy)]
enum CsrOp {
    Write,
    Set,
    Clear,
}

#[derive(Clone, Copy)]
enum Source {
    Reg(u32),
    Imm(u32),
}
