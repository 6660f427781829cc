//! Branches, exceptions, hints, barriers, cache maintenance, system registers. Input: a decoded row of group `branch_sys`;
//! output: IR or the end of the block.

use crate::cpu::{self, CNTFRQ_EL0, CTR_EL0, DCZID_EL0, Feature};
use crate::decode::BranchSys as I;
use crate::helpers;
use crate::trans::{Flow, Tr};
use ir::{Cc, Mem, Op, Size, SlotId, Target, Term, TrapKind, Type, Val};

/// System register numbers op0:op1:CRn:CRm:op2.
const fn sysreg(op0: u32, op1: u32, crn: u32, crm: u32, op2: u32) -> u32 {
    op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2
}

const NZCV: u32 = sysreg(3, 3, 4, 2, 0);
const DIT: u32 = sysreg(3, 3, 4, 2, 5);
const SSBS: u32 = sysreg(3, 3, 4, 2, 6);
const FPCR: u32 = sysreg(3, 3, 4, 4, 0);
const FPSR: u32 = sysreg(3, 3, 4, 4, 1);
const TPIDR_EL0: u32 = sysreg(3, 3, 13, 0, 2);
const TPIDRRO_EL0: u32 = sysreg(3, 3, 13, 0, 3);
const CTR: u32 = sysreg(3, 3, 0, 0, 1);
const DCZID: u32 = sysreg(3, 3, 0, 0, 7);
const RNDR: u32 = sysreg(3, 3, 2, 4, 0);
const RNDRRS: u32 = sysreg(3, 3, 2, 4, 1);
const CNTFRQ: u32 = sysreg(3, 3, 14, 0, 0);
const CNTVCT: u32 = sysreg(3, 3, 14, 0, 2);
const CNTVCTSS: u32 = sysreg(3, 3, 14, 0, 6);

/// Position of DIT and SSBS in the registers of those names.
const DIT_BIT: u32 = 24;
const SSBS_BIT: u32 = 12;

/// Cumulative flags of FPSR; they have the IR's order.
const FPSR_FLAGS: u32 = 0x9f;
const FPSR_QC: u32 = 27;

impl Tr<'_> {
    pub(crate) fn branch_sys(&mut self, insn: I) -> Flow {
        match insn {
            I::B(a) => return Flow::End(Term::Jump(self.relative(a.imm))),
            I::Bl(a) => {
                let ret = self.link();
                return Flow::End(Term::Call { target: self.target(a.imm), ret });
            }
            I::Cbz(a) => return self.compare_branch(a.sf, a.rt, a.imm, Cc::Eq),
            I::Cbnz(a) => return self.compare_branch(a.sf, a.rt, a.imm, Cc::Ne),
            I::Tbz(a) => return self.test_branch(a.bit, a.rt, a.imm, Cc::Eq),
            I::Tbnz(a) => return self.test_branch(a.bit, a.rt, a.imm, Cc::Ne),
            I::BCond(a) | I::BcCond(a) => {
                let then = self.relative(a.imm);
                return Flow::End(match Self::cond(a.cond) {
                    None => Term::Jump(then),
                    Some(cc) => {
                        let flags = self.flags();
                        Term::Branch { flags, cc, then, els: Target::Pc(self.next()) }
                    }
                });
            }
            I::Svc(_) => return Flow::End(Term::Syscall { next: self.next() }),
            I::Brk(a) => {
                let info = u64::from(a.uimm);
                return Flow::End(Term::Trap { kind: TrapKind::Break, pc: self.pc, info });
            }
            I::Br(a) => {
                let addr = self.x(a.rn);
                return Flow::End(self.jump(a.rn, addr));
            }
            I::Blr(a) => {
                let addr = self.x(a.rn);
                return Flow::End(self.indirect_call(addr));
            }
            I::Ret(a) => {
                let addr = self.x(a.rn);
                return Flow::End(Term::Return { addr });
            }
            I::Braz(a) => {
                let zero = self.b.const64(0);
                let addr = self.authenticated(a.m, a.rn, zero);
                return Flow::End(self.jump(a.rn, addr));
            }
            I::Bra(a) => {
                let modifier = self.reg_sp(Type::I64, a.rm);
                let addr = self.authenticated(a.m, a.rn, modifier);
                return Flow::End(self.jump(a.rn, addr));
            }
            I::Blraz(a) => {
                let zero = self.b.const64(0);
                let addr = self.authenticated(a.m, a.rn, zero);
                return Flow::End(self.indirect_call(addr));
            }
            I::Blra(a) => {
                let modifier = self.reg_sp(Type::I64, a.rm);
                let addr = self.authenticated(a.m, a.rn, modifier);
                return Flow::End(self.indirect_call(addr));
            }
            I::Reta(a) => {
                let modifier = self.reg_sp(Type::I64, 31);
                let addr = self.authenticated(a.m, 30, modifier);
                return Flow::End(Term::Return { addr });
            }
            // Waiting may end at any time. Where BTI lands is checked at the head of the block.
            I::YieldHint | I::Wfe | I::Wfi | I::Wfet(_) | I::Wfit(_) | I::Hint(_) | I::Bti(_) => {}
            I::Xpaclri => self.xpac_reg(30),
            I::Pacia1716(a) | I::Pacib1716(a) => {
                let modifier = self.x(16);
                self.pac_reg(a.key, 17, modifier);
            }
            I::Autia1716(a) | I::Autib1716(a) => {
                let modifier = self.x(16);
                self.aut_reg(a.key, 17, modifier);
            }
            I::Paciaz(a) | I::Pacibz(a) => {
                let modifier = self.b.const64(0);
                self.pac_reg(a.key, 30, modifier);
            }
            I::Paciasp(a) | I::Pacibsp(a) => {
                let modifier = self.reg_sp(Type::I64, 31);
                self.pac_reg(a.key, 30, modifier);
            }
            I::Autiaz(a) | I::Autibz(a) => {
                let modifier = self.b.const64(0);
                self.aut_reg(a.key, 30, modifier);
            }
            I::Autiasp(a) | I::Autibsp(a) => {
                let modifier = self.reg_sp(Type::I64, 31);
                self.aut_reg(a.key, 30, modifier);
            }
            I::Clrex => {
                self.b.push(Op::ClearMonitor, Type::Void, ir::Attr::None, &[], 0);
            }
            I::Dsb(_) | I::DsbNxs => self.b.fence(0),
            // The low bits are the access types: 1 loads, 2 stores, 3 both (0 is reserved and acts as both).
            I::Dmb(a) => self.b.fence(match a.crm & 3 {
                1 => 1,
                2 => 2,
                _ => 0,
            }),
            // Code that follows may have been changed and invalidated: it is looked up afresh.
            I::Isb => return Flow::End(Term::Resume { pc: self.next() }),
            I::Sb => {}
            I::Cfinv => self.edit_flags(|b, f| {
                let c = b.const32(1 << 29);
                b.xor(f, c)
            }),
            I::Axflag => self.axflag(),
            I::Xaflag => self.xaflag(),
            I::MsrSsbs(a) => self.set_pstate(cpu::SSBS, a.uimm & 1),
            I::MsrDit(a) => self.set_pstate(cpu::DIT, a.uimm & 1),
            I::IcIvau(a) => {
                let x = self.x(a.rt);
                let x = self.untag(x);
                let line = self.b.const64(!63);
                let x = self.b.and(x, line);
                self.b.push(Op::InvalCode, Type::Void, ir::Attr::None, &[x], 64);
            }
            I::DcZva(a) => {
                let x = self.x(a.rt);
                let x = self.untag(x);
                let line = self.b.const64(!63);
                let x = self.b.and(x, line);
                let zero = self.b.vconst(0, true);
                for i in 0..4 {
                    self.b.store(Mem::plain(Size::Q), x, Val::NONE, 16 * i, zero);
                }
            }
            // Caches are coherent; the access rights of the address are not checked beyond a read of one byte.
            I::DcCvac(a) | I::DcCvau(a) | I::DcCvap(a) | I::DcCvadp(a) | I::DcCivac(a) => {
                let x = self.x(a.rt);
                self.load(Type::I32, Mem::plain(Size::B), x, 0);
            }
            I::CfpRctx(_) | I::DvpRctx(_) | I::CppRctx(_) => {}
            I::Msr(a) => return self.msr(a.sysreg, a.rt),
            I::Mrs(a) => return self.mrs(a.sysreg, a.rt),
        }
        Flow::Next
    }

    fn target(&self, words: i32) -> u64 {
        self.pc.wrapping_add((i64::from(words) << 2) as u64)
    }

    fn relative(&self, words: i32) -> Target {
        Target::Pc(self.target(words))
    }

    /// Sets the link register; gives the return address.
    fn link(&mut self) -> u64 {
        let next = self.next();
        let v = self.b.addr(next);
        self.set(30, v);
        next
    }

    /// The destination of an indirect branch with the PSTATE.BTYPE that it sets, in the bits of the address that hold no
    /// address.
    fn with_btype(&mut self, addr: Val, btype: u64) -> Val {
        if self.mode & cpu::MODE_BTI == 0 {
            return addr;
        }
        let top = self.b.const64(btype << (cpu::MODE_BTYPE_SHIFT + 48 - 56));
        self.b.bfi(addr, top, 56, 8)
    }

    /// A jump through the link register is a return in all but name, except to the landing pads of guarded pages.
    fn jump(&mut self, rn: u32, addr: Val) -> Term {
        if rn == 30 && self.mode & cpu::MODE_BTI == 0 {
            return Term::Return { addr };
        }
        let btype = if matches!(rn, 16 | 17) || !self.guarded { 1 } else { 3 };
        Term::Indirect { addr: self.with_btype(addr, btype) }
    }

    fn indirect_call(&mut self, addr: Val) -> Term {
        let addr = self.with_btype(addr, 2);
        let ret = self.link();
        Term::CallIndirect { addr, ret }
    }

    fn compare_branch(&mut self, sf: u32, rt: u32, imm: i32, cc: Cc) -> Flow {
        let v = self.reg(Self::ty(sf), rt);
        let t = self.b.and(v, v);
        let flags = self.b.flags_of(t);
        Flow::End(Term::Branch { flags, cc, then: self.relative(imm), els: Target::Pc(self.next()) })
    }

    fn test_branch(&mut self, bit: u32, rt: u32, imm: i32, cc: Cc) -> Flow {
        let ty = if bit < 32 { Type::I32 } else { Type::I64 };
        let v = self.reg(ty, rt);
        let mask = self.b.iconst(ty, 1 << bit);
        let t = self.b.and(v, mask);
        let flags = self.b.flags_of(t);
        Flow::End(Term::Branch { flags, cc, then: self.relative(imm), els: Target::Pc(self.next()) })
    }

    fn set_pstate(&mut self, slot: SlotId, value: u32) {
        let v = self.b.const32(value);
        self.b.set(slot, v);
    }

    /// Replaces the packed flags by a function of them.
    fn edit_flags(&mut self, f: impl FnOnce(&mut ir::Builder, Val) -> Val) {
        let old = self.flags();
        let old = self.b.nzcv(old);
        let new = f(self.b, old);
        let new = self.b.mkflags(new);
        self.set_flags(new);
    }

    /// Z, C and V of the packed flags as the low bit of three values.
    fn flag_bits(b: &mut ir::Builder, f: Val) -> [Val; 3] {
        [b.ubfx(f, 30, 1), b.ubfx(f, 29, 1), b.ubfx(f, 28, 1)]
    }

    fn pack_flags(b: &mut ir::Builder, bits: [(Val, u32); 4]) -> Val {
        let mut sum = b.const32(0);
        for (bit, pos) in bits {
            let by = b.const32(pos);
            let v = b.shl(bit, by);
            sum = b.or(sum, v);
        }
        sum
    }

    /// Flags of a comparison in the other architectures' form: Z |= V, C &= !V, N = V = 0.
    fn axflag(&mut self) {
        self.edit_flags(|b, f| {
            let [z, c, v] = Self::flag_bits(b, f);
            let zero = b.const32(0);
            let (z, c) = (b.or(z, v), b.andn(c, v));
            Self::pack_flags(b, [(zero, 31), (z, 30), (c, 29), (zero, 28)])
        });
    }

    /// The reverse: N = !C & !Z, Z = Z & C, C = C | Z, V = !C & Z.
    fn xaflag(&mut self) {
        self.edit_flags(|b, f| {
            let [z, c, _] = Self::flag_bits(b, f);
            let one = b.const32(1);
            let either = b.or(z, c);
            let n = b.xor(either, one);
            let both = b.and(z, c);
            let v = b.andn(z, c);
            Self::pack_flags(b, [(n, 31), (both, 30), (either, 29), (v, 28)])
        });
    }

    fn mrs(&mut self, reg: u32, rt: u32) -> Flow {
        let has = |f| self.cpu.features.has(f);
        let v = match reg {
            NZCV => {
                let f = self.flags();
                self.b.nzcv(f)
            }
            FPCR => self.b.get(cpu::FPCR, Type::I32),
            FPSR => {
                let flags = self.b.push(Op::GetFpFlags, Type::I32, ir::Attr::None, &[], 0);
                let sat = self.b.push(Op::GetSat, Type::I32, ir::Attr::None, &[], 0);
                let by = self.b.const32(FPSR_QC);
                let sat = self.b.shl(sat, by);
                self.b.or(flags, sat)
            }
            TPIDR_EL0 => self.b.get(cpu::TPIDR, Type::I64),
            TPIDRRO_EL0 => self.b.get(cpu::TPIDRRO, Type::I64),
            CTR => self.b.const64(CTR_EL0),
            DCZID => self.b.const64(DCZID_EL0),
            CNTFRQ => self.b.const64(CNTFRQ_EL0),
            CNTVCT => self.b.call(helpers::CNTVCT, Type::I64, &[]),
            CNTVCTSS if has(Feature::Ecv) => self.b.call(helpers::CNTVCT, Type::I64, &[]),
            DIT if has(Feature::Dit) => self.pstate_bit(cpu::DIT, DIT_BIT),
            SSBS if has(Feature::Ssbs) => self.pstate_bit(cpu::SSBS, SSBS_BIT),
            RNDR | RNDRRS if has(Feature::Rng) => {
                // Success clears all flags; a failure would set Z.
                let zero = self.b.const32(0);
                let f = self.b.mkflags(zero);
                self.set_flags(f);
                self.b.call(helpers::RNDR, Type::I64, &[])
            }
            _ => match self.cpu.id_register(reg) {
                Some(v) => self.b.const64(v),
                None => return Flow::Undefined,
            },
        };
        self.set(rt, v);
        Flow::Next
    }

    fn pstate_bit(&mut self, slot: SlotId, bit: u32) -> Val {
        let v = self.b.get(slot, Type::I32);
        let by = self.b.const32(bit);
        self.b.shl(v, by)
    }

    fn msr(&mut self, reg: u32, rt: u32) -> Flow {
        let has = |f| self.cpu.features.has(f);
        match reg {
            NZCV => {
                let w = self.reg(Type::I32, rt);
                let f = self.b.mkflags(w);
                self.set_flags(f);
            }
            FPCR => {
                let w = self.reg(Type::I32, rt);
                let mask = self.b.const32(cpu::fpcr_mask(&self.cpu.features));
                let v = self.b.and(w, mask);
                self.b.set(cpu::FPCR, v);
                // RMode has the IR's order: nearest, up, down, zero.
                let round = self.b.ubfx(v, 22, 2);
                self.b.push(Op::SetRound, Type::Void, ir::Attr::None, &[round], 0);
                // The other controls are part of the translation key.
                return Flow::End(Term::Resume { pc: self.next() });
            }
            FPSR => {
                let w = self.reg(Type::I32, rt);
                let mask = self.b.const32(FPSR_FLAGS);
                let flags = self.b.and(w, mask);
                self.b.push(Op::SetFpFlags, Type::Void, ir::Attr::None, &[flags], 0);
                let sat = self.b.ubfx(w, FPSR_QC, 1);
                self.b.push(Op::SetSat, Type::Void, ir::Attr::None, &[sat], 0);
            }
            TPIDR_EL0 => {
                let x = self.x(rt);
                self.b.set(cpu::TPIDR, x);
            }
            DIT if has(Feature::Dit) => self.set_pstate_bit(cpu::DIT, DIT_BIT, rt),
            SSBS if has(Feature::Ssbs) => self.set_pstate_bit(cpu::SSBS, SSBS_BIT, rt),
            _ => return Flow::Undefined,
        }
        Flow::Next
    }

    fn set_pstate_bit(&mut self, slot: SlotId, bit: u32, rt: u32) {
        let w = self.reg(Type::I32, rt);
        let v = self.b.ubfx(w, bit, 1);
        self.b.set(slot, v);
    }
}
