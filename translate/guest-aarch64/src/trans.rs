//! The translator: decoded instructions to IR. This file holds the loop over a basic block and what all groups share
//! (register access, conditions, addresses); the groups are in `trans_*.rs`, cut as the Arm manual cuts them.

use crate::cpu::{self, Cpu};
use crate::decode::{Insn, decode};
use crate::fpsimd::{FpMode, Fx};
use ir::{BlockRequest, Builder, Cc, Mem, Op, Target, Term, TrapKind, Type, Val};

/// What follows an instruction.
pub(crate) enum Flow {
    /// The next one.
    Next,
    /// The block ends here.
    End(Term),
    /// It is not allocated after all (system register numbers, register combinations).
    Undefined,
}

/// Translates one block.
pub(crate) struct Tr<'a> {
    /// Where the IR goes.
    pub b: &'a mut Builder,
    /// The CPU.
    pub cpu: &'a Cpu,
    /// Mode bits, see [`cpu::mode`].
    pub mode: u64,
    /// Strip address tags before each access.
    pub tagged: bool,
    /// Address of the instruction.
    pub pc: u64,
    /// The block lies in a guarded page.
    pub guarded: bool,
    /// The instruction ended its block by a check; it goes on in a part that only this instruction reaches.
    pub split: bool,
    /// The instruction gave SP a value that may not be a multiple of 16.
    sp_unknown: bool,
}

/// Translates the basic block that `req` asks for.
pub(crate) fn block(cpu: &Cpu, req: &BlockRequest<'_>, b: &mut Builder) {
    b.begin_block(req.pc);
    let guarded = req.attributes & cpu::GUARDED != 0;
    let mut t = Tr {
        b,
        cpu,
        mode: req.mode,
        tagged: req.tagged,
        pc: req.pc,
        guarded,
        split: false,
        sp_unknown: false,
    };
    let trap = |kind, pc| Term::Trap { kind, pc, info: 0 };
    if req.pc & 3 != 0 {
        t.b.insn(req.pc);
        t.b.end_block(trap(TrapKind::PcAlign, req.pc), req.pc);
        return;
    }
    let btype = req.mode >> cpu::MODE_BTYPE_SHIFT & 3;
    if let (true, Some(word)) = (guarded && btype != 0, req.code.first_chunk())
        && !is_landing_pad(u32::from_le_bytes(*word), btype)
    {
        t.b.insn(req.pc);
        t.set_btype(btype);
        return t.b.end_block(trap(TrapKind::Illegal, req.pc), t.next());
    }
    let mut words = req.code.chunks_exact(4).take(req.max_insns.max(1));
    loop {
        let Some(word) = words.next() else {
            if t.pc == req.pc {
                t.b.insn(t.pc);
                t.b.end_block(trap(TrapKind::Fetch, t.pc), t.pc);
            } else {
                t.b.end_block(Term::Jump(Target::Pc(t.pc)), t.pc);
            }
            return;
        };
        t.b.insn(t.pc);
        let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        let flow = match decode(word, &cpu.features) {
            Some(insn) if t.mode & cpu::MODE_SP_MISALIGNED != 0 && accesses_by_sp(insn, word) => {
                return t.b.end_block(trap(TrapKind::SpAlign, t.pc), t.pc.wrapping_add(4));
            }
            Some(insn) => t.insn(insn),
            None => Flow::Undefined,
        };
        let next = t.pc.wrapping_add(4);
        match flow {
            Flow::Next if t.sp_unknown => return t.check_sp(),
            Flow::Next if t.split => return t.b.end_block(Term::Jump(Target::Pc(next)), next),
            Flow::Next => t.pc = next,
            Flow::End(term @ Term::Trap { .. }) if btype != 0 && t.pc == req.pc => {
                t.set_btype(btype);
                return t.b.end_block(term, next);
            }
            Flow::End(term) => return t.b.end_block(term, next),
            Flow::Undefined => return t.b.end_block(trap(TrapKind::Illegal, t.pc), next),
        }
    }
}

/// Whether an indirect branch that set PSTATE.BTYPE to `btype` may land on this instruction in a guarded page. As Linux sets
/// SCTLR_EL1.BT0, PACIASP and PACIBSP are no targets of jumps (BTYPE 3).
fn is_landing_pad(word: u32, btype: u64) -> bool {
    const BRK_OR_HLT: u32 = 0xd400_0000;
    match word {
        // PACIASP, PACIBSP
        0xd503_233f | 0xd503_237f => btype != 3,
        // BTI c, BTI j, BTI jc
        0xd503_245f => btype != 3,
        0xd503_249f => btype != 2,
        0xd503_24df => true,
        _ => matches!(word & 0xffe0_001f ^ BRK_OR_HLT, 0x20_0000 | 0x40_0000),
    }
}

/// Whether the instruction uses SP as the base of an access, which checks its alignment. (Prefetches do not.)
fn accesses_by_sp(insn: Insn, word: u32) -> bool {
    word >> 5 & 31 == 31
        && match insn {
            Insn::Ldst(i) => i.has_checked_base(),
            Insn::LdstAtomic(_) | Insn::LdstVec(_) => true,
            Insn::DpImm(_)
            | Insn::DpReg(_)
            | Insn::BranchSys(_)
            | Insn::Fp(_)
            | Insn::SimdInt(_)
            | Insn::SimdFp(_)
            | Insn::SimdMove(_)
            | Insn::SimdShift(_)
            | Insn::Crypto(_) => false,
        }
}

impl Tr<'_> {
    fn insn(&mut self, insn: Insn) -> Flow {
        match insn {
            Insn::DpImm(i) => self.dp_imm(i),
            Insn::DpReg(i) => self.dp_reg(i),
            Insn::BranchSys(i) => self.branch_sys(i),
            Insn::Ldst(i) => self.ldst(i),
            Insn::LdstAtomic(i) => self.atomic(i),
            Insn::LdstVec(i) => self.structure(i),
            Insn::Fp(i) => self.fpsimd(|f| f.trans_fp(&i)),
            Insn::SimdInt(i) => self.fpsimd(|f| f.trans_simd_int(&i)),
            Insn::SimdFp(i) => self.fpsimd(|f| f.trans_simd_fp(&i)),
            Insn::SimdMove(i) => self.fpsimd(|f| f.trans_simd_move(&i)),
            Insn::SimdShift(i) => self.fpsimd(|f| f.trans_simd_shift(&i)),
            Insn::Crypto(i) => self.fpsimd(|f| f.trans_crypto(&i)),
        }
    }

    fn set_btype(&mut self, btype: u64) {
        let v = self.b.const32(btype as u32);
        self.b.set(cpu::BTYPE, v);
    }

    fn fpsimd(&mut self, translate: impl FnOnce(&mut Fx<'_>)) -> Flow {
        translate(&mut Fx { b: self.b, mode: FpMode::new(self.mode) });
        Flow::Next
    }

    /// Address of the next instruction.
    pub fn next(&self) -> u64 {
        self.pc.wrapping_add(4)
    }

    /// I64 if `sf` is set, else I32.
    pub fn ty(sf: u32) -> Type {
        if sf == 1 { Type::I64 } else { Type::I32 }
    }

    /// X register, 31 is zero.
    pub fn x(&mut self, n: u32) -> Val {
        self.reg(Type::I64, n)
    }

    /// X or W register, 31 is zero.
    pub fn reg(&mut self, ty: Type, n: u32) -> Val {
        if n == 31 {
            return self.b.iconst(ty, 0);
        }
        let x = self.b.get(cpu::x(n), Type::I64);
        if ty == Type::I32 { self.b.trunc(x) } else { x }
    }

    /// X or W register, 31 is the stack pointer.
    pub fn reg_sp(&mut self, ty: Type, n: u32) -> Val {
        if n != 31 {
            return self.reg(ty, n);
        }
        let x = self.b.get(cpu::SP, Type::I64);
        if ty == Type::I32 { self.b.trunc(x) } else { x }
    }

    /// Writes an X register (a W value is zero-extended); 31 is dropped.
    pub fn set(&mut self, n: u32, value: Val) {
        if n != 31 {
            let value = if self.b.ty(value) == Type::I32 { self.b.zext32(value) } else { value };
            self.b.set(cpu::x(n), value);
        }
    }

    /// Writes an X register; 31 is the stack pointer.
    pub fn set_sp(&mut self, n: u32, value: Val) {
        if n != 31 {
            return self.set(n, value);
        }
        let value = if self.b.ty(value) == Type::I32 { self.b.zext32(value) } else { value };
        self.sp_unknown = !self.keeps_sp_aligned(value);
        self.b.set(cpu::SP, value);
    }

    /// Whether `value` is a multiple of 16 if SP is: SP moved by a multiple, or a mask without low bits.
    fn keeps_sp_aligned(&self, value: Val) -> bool {
        let inst = self.b.region().inst(value);
        let multiple = |v: Val| self.b.as_const(v).is_some_and(|c| c & 15 == 0);
        match inst.op {
            Op::Add | Op::Sub => self.b.held(cpu::SP) == Some(inst.args[0]) && multiple(inst.args[1]),
            Op::And => multiple(inst.args[1]),
            _ => false,
        }
    }

    /// Ends the block after an instruction that may have misaligned SP. The alignment is part of the mode, so that accesses
    /// need no check in the mode in which all programs live.
    fn check_sp(&mut self) {
        let next = self.next();
        if self.mode & cpu::MODE_SP_MISALIGNED == 0 {
            let sp = self.b.get(cpu::SP, Type::I64);
            let low = self.b.const64(15);
            let low = self.b.and(sp, low);
            let flags = self.b.flags_of(low);
            let then = Target::Block(self.b.upcoming_block(1));
            self.b.end_block(Term::Branch { flags, cc: Cc::Ne, then, els: Target::Pc(next) }, next);
            self.b.begin_internal(self.pc);
        }
        self.b.end_block(Term::Resume { pc: next }, next);
    }

    /// Vector register.
    pub fn v(&mut self, n: u32) -> Val {
        self.b.get(cpu::v(n), Type::V128)
    }

    /// Writes a vector register.
    pub fn set_v(&mut self, n: u32, value: Val) {
        self.b.set(cpu::v(n), value);
    }

    /// The condition flags.
    pub fn flags(&mut self) -> Val {
        self.b.get(cpu::NZCV, Type::Flags)
    }

    /// Writes the condition flags.
    pub fn set_flags(&mut self, flags: Val) {
        self.b.set(cpu::NZCV, flags);
    }

    /// Writes the flags of the operation that made `v`.
    pub fn set_flags_of(&mut self, v: Val) {
        let f = self.b.flags_of(v);
        self.set_flags(f);
    }

    /// A condition field; `None` is "always".
    pub fn cond(cond: u32) -> Option<Cc> {
        // 0b111x is "always"; the IR has conditions beyond the architecture's fourteen.
        Cc::ALL[..14].get(cond as usize).copied()
    }

    /// `v + imm`
    pub fn add_imm(&mut self, v: Val, imm: i64) -> Val {
        if imm == 0 {
            return v;
        }
        let c = self.b.const64(imm as u64);
        self.b.add(v, c)
    }

    /// The address `v` without its tag, if tags must be stripped here.
    pub fn untag(&mut self, v: Val) -> Val {
        if self.tagged { self.b.sbfx(v, 0, 56) } else { v }
    }

    /// Base and displacement of an access at `base + disp`.
    pub fn address(&mut self, base: Val, disp: i64) -> (Val, i64) {
        if self.tagged {
            let sum = self.add_imm(base, disp);
            (self.untag(sum), 0)
        } else {
            (base, disp)
        }
    }

    /// Load at `base + disp`.
    pub fn load(&mut self, ty: Type, mem: Mem, base: Val, disp: i64) -> Val {
        let (base, disp) = self.address(base, disp);
        self.b.load(ty, mem, base, Val::NONE, disp)
    }

    /// Store at `base + disp`.
    pub fn store(&mut self, mem: Mem, base: Val, disp: i64, v: Val) {
        let (base, disp) = self.address(base, disp);
        self.b.store(mem, base, Val::NONE, disp, v);
    }
}
