//! The translator: the loop over a basic block, and what all groups share.
//!
//! In: a decoded instruction; out: IR. The groups are tried by mnemonic, integer ones first. What must hold: nothing is
//! written before an access of the same instruction that may fault.

use crate::cpu::{self, MODE_16, MODE_32, MODE_SIZE, MODE_TF, trap};
use crate::features::{Feature, needed};
use crate::models::Cpu;
use iced_x86::{
    Code, CodeSize, ConditionCode, CpuidFeature, Decoder, DecoderError, DecoderOptions, Instruction, Mnemonic,
};
use ir::{BlockRequest, Builder, Cc, HelperId, SlotId, Target, Term, TrapKind, Type, Val};

/// What follows an instruction.
pub(crate) enum Flow {
    /// The next one.
    Next,
    /// The block ends here.
    End(Term),
    /// #UD
    Undefined,
}

/// Translates one block.
pub(crate) struct Tr<'a> {
    /// Where the IR goes.
    pub b: &'a mut Builder,
    /// The CPU.
    pub cpu: &'a Cpu,
    /// Mode bits as they are at this instruction: a group that changes TOP changes them here.
    pub mode: u64,
    /// Mode bits of the block.
    pub start_mode: u64,
    /// Address of the instruction.
    pub pc: u64,
    /// Address of the next one.
    pub next: u64,
    /// Bits of a code address and of the stack pointer: 16, 32 or 64.
    pub bits: u32,
    /// The code from the instruction on.
    pub bytes: &'a [u8],
}

/// Bits of the code that this mode says.
pub(crate) fn code_bits(mode: u64) -> u32 {
    match mode & MODE_SIZE {
        MODE_32 => 32,
        MODE_16 => 16,
        _ => 64,
    }
}

/// Whether it is in the space of hints, 0F 18 to 0F 1F, where a CPU does nothing for what it does not know: `rdsspq` is in
/// every unwinder.
fn is_hint(insn: &Instruction) -> bool {
    matches!(insn.mnemonic(), Mnemonic::Rdsspd | Mnemonic::Rdsspq)
        || insn.cpuid_features() == [CpuidFeature::MPX]
}

/// Translates the basic block that `req` asks for.
pub(crate) fn block<'a>(cpu: &'a Cpu, req: &BlockRequest<'a>, b: &'a mut Builder) {
    b.begin_block(req.pc);
    let bits = code_bits(req.mode);
    let mut t =
        Tr { b, cpu, mode: req.mode, start_mode: req.mode, pc: req.pc, next: req.pc, bits, bytes: req.code };
    let mut left = if req.mode & MODE_TF != 0 { 1 } else { req.max_insns.max(1) };
    let mut decoder = Decoder::with_ip(bits, req.code, req.pc, DecoderOptions::NONE);
    let mut insn = Instruction::default();
    loop {
        if left == 0 {
            let term = t.after_step(Term::Jump(Target::Pc(t.pc)));
            return t.end_block(term, t.pc);
        }
        left -= 1;
        t.bytes = &req.code[decoder.position()..];
        decoder.decode_out(&mut insn);
        let error = decoder.last_error();
        if error == DecoderError::NoMoreBytes {
            if t.pc == req.pc {
                t.b.insn(t.pc);
                // Fifteen bytes are always enough: with more there the instruction is too long.
                let kind = if req.code.len() >= 15 { TrapKind::Service } else { TrapKind::Fetch };
                let info = if req.code.len() >= 15 { trap::GP } else { 0 };
                t.b.end_block(Term::Trap { kind, pc: t.pc, info }, t.pc);
            } else {
                t.end_block(Term::Jump(Target::Pc(t.pc)), t.pc);
            }
            return;
        }
        t.next = t.wrap(t.pc.wrapping_add(insn.len() as u64));
        t.b.insn(t.pc);
        let flow = if error == DecoderError::None { t.instruction(&insn) } else { Flow::Undefined };
        match flow {
            Flow::Next => t.pc = t.next,
            Flow::End(term) => {
                let term = t.after_step(term);
                return t.end_block(term, t.next);
            }
            Flow::Undefined => {
                let term = Term::Trap { kind: TrapKind::Illegal, pc: t.pc, info: 0 };
                return t.b.end_block(term, t.next);
            }
        }
    }
}

impl Tr<'_> {
    /// Closes the open block, whose exit is under the mode as it is now. What a trap leaves behind is looked at anew.
    pub fn end_block(&mut self, term: Term, end: u64) {
        let inside = |t: Target| matches!(t, Target::Block(_));
        let leaves = match term {
            Term::Trap { .. } | Term::Resume { .. } | Term::Switch { .. } => false,
            Term::Jump(t) => !inside(t),
            Term::Branch { then, els, .. } => !inside(then) || !inside(els),
            _ => true,
        };
        if leaves && self.mode != self.start_mode {
            self.b.set_mode(self.mode);
        }
        self.b.end_block(term, end);
    }

    fn instruction(&mut self, insn: &Instruction) -> Flow {
        if !self.available(insn) {
            return if is_hint(insn) { Flow::Next } else { Flow::Undefined };
        }
        if insn.has_lock_prefix() && !crate::operand::lockable(insn) {
            return Flow::Undefined;
        }
        None.or_else(|| self.move_insn(insn))
            .or_else(|| self.int_insn(insn))
            .or_else(|| self.flow_insn(insn))
            .or_else(|| self.shift_insn(insn))
            .or_else(|| self.bits_insn(insn))
            .or_else(|| self.string_insn(insn))
            .or_else(|| self.system_insn(insn))
            .or_else(|| self.x87_insn(insn))
            .or_else(|| self.vector_insn(insn))
            .unwrap_or(Flow::Undefined)
    }

    /// Whether this CPU has the instruction.
    fn available(&self, insn: &Instruction) -> bool {
        insn.code() != Code::INVALID
            && insn.cpuid_features().iter().all(|&f| match needed(f) {
                Some(Some(feature)) => self.cpu.has(feature),
                Some(None) => true,
                None => false,
            })
    }

    /// Under TF the block's one instruction is followed by #DB, where control goes on in this thread's code.
    fn after_step(&mut self, term: Term) -> Term {
        match term {
            Term::Jump(Target::Pc(pc)) if self.mode & MODE_TF != 0 => self.debug_trap(pc),
            other => other,
        }
    }

    /// The trap after a single step, with pc there.
    fn debug_trap(&self, pc: u64) -> Term {
        Term::Trap { kind: TrapKind::Service, pc, info: trap::DB }
    }

    /// Whether the CPU has this.
    pub fn has(&self, f: Feature) -> bool {
        self.cpu.has(f)
    }

    /// Whether this is 64-bit code.
    pub fn long(&self) -> bool {
        self.bits == 64
    }

    /// A code address cut to the instruction pointer's width.
    pub fn wrap(&self, addr: u64) -> u64 {
        match self.bits {
            64 => addr,
            32 => addr & 0xffff_ffff,
            _ => addr & 0xffff,
        }
    }

    /// #GP with an error code.
    pub fn general_protection(&self, error: u64) -> Flow {
        let info = trap::with_error(trap::GP, error);
        Flow::End(Term::Trap { kind: TrapKind::Service, pc: self.pc, info })
    }

    /// Leaves with a service trap at this instruction, or behind it.
    pub fn service(&self, info: u64, behind: bool) -> Flow {
        let pc = if behind { self.next } else { self.pc };
        Flow::End(Term::Trap { kind: TrapKind::Service, pc, info })
    }

    /// Goes on at the next instruction under a mode that has to be looked up in the state.
    pub fn mode_changed(&self) -> Flow {
        Flow::End(Term::Resume { pc: self.next })
    }

    // --- registers and flags ------------------------------------------------------------------------------

    /// A general register, all 64 bits.
    pub fn r64(&mut self, n: u32) -> Val {
        self.b.get(cpu::gpr(n), Type::I64)
    }
    /// The low 32 bits of a general register.
    pub fn r32(&mut self, n: u32) -> Val {
        let v = self.r64(n);
        self.b.trunc(v)
    }
    /// Writes a general register: an I32 is zero-extended.
    pub fn set_r(&mut self, n: u32, v: Val) {
        let v = if self.b.ty(v) == Type::I32 { self.b.zext32(v) } else { v };
        self.b.set(cpu::gpr(n), v);
    }
    /// Writes the low 16 bits of a general register from an I64.
    pub fn set_r16(&mut self, n: u32, v: Val) {
        let old = self.r64(n);
        let new = self.b.bfi(old, v, 0, 16);
        self.b.set(cpu::gpr(n), new);
    }
    /// An I32 slot.
    pub fn get32(&mut self, slot: SlotId) -> Val {
        self.b.get(slot, Type::I32)
    }
    /// The arithmetic flags.
    pub fn flags(&mut self) -> Val {
        self.b.get(cpu::FLAGS, Type::Flags)
    }
    /// Writes them.
    pub fn set_flags(&mut self, f: Val) {
        self.b.set(cpu::FLAGS, f);
    }
    /// Replaces CF by bit 0 of an I32, which is 0 or 1.
    pub fn set_carry(&mut self, bit: Val) {
        let eight = self.b.const32(8);
        let packed = self.b.shl(bit, eight);
        let new = self.b.flags_unpack(packed);
        self.merge_flags(new, flag::C);
    }
    /// Replaces the flags in `mask`.
    pub fn merge_flags(&mut self, new: Val, mask: u8) {
        let old = self.flags();
        let merged = self.b.flags_merge(old, new, mask);
        self.set_flags(merged);
    }

    /// Calls a helper.
    pub fn call(&mut self, helper: HelperId, ty: Type, args: &[Val]) -> Val {
        self.b.call(helper, ty, args)
    }

    /// An I64 from any integer.
    pub fn wide(&mut self, v: Val) -> Val {
        if self.b.ty(v) == Type::I32 { self.b.zext32(v) } else { v }
    }
    /// An I32 from any integer.
    pub fn narrow32(&mut self, v: Val) -> Val {
        if self.b.ty(v) == Type::I64 { self.b.trunc(v) } else { v }
    }
}

/// Bits of a flags value as `flags_merge` names them.
#[allow(dead_code, reason = "the whole set")]
pub(crate) mod flag {
    pub const V: u8 = 1;
    pub const C: u8 = 2;
    pub const Z: u8 = 4;
    pub const N: u8 = 8;
    pub const P: u8 = 16;
    pub const H: u8 = 32;
}

/// The condition of a jump, move or set on the flags slot.
pub(crate) fn condition(cc: ConditionCode) -> Option<Cc> {
    Some(match cc {
        ConditionCode::o => Cc::Vs,
        ConditionCode::no => Cc::Vc,
        ConditionCode::b => Cc::Cs,
        ConditionCode::ae => Cc::Cc,
        ConditionCode::e => Cc::Eq,
        ConditionCode::ne => Cc::Ne,
        ConditionCode::be => Cc::Be,
        ConditionCode::a => Cc::Ab,
        ConditionCode::s => Cc::Mi,
        ConditionCode::ns => Cc::Pl,
        ConditionCode::p => Cc::Pe,
        ConditionCode::np => Cc::Po,
        ConditionCode::l => Cc::Lt,
        ConditionCode::ge => Cc::Ge,
        ConditionCode::le => Cc::Le,
        ConditionCode::g => Cc::Gt,
        ConditionCode::None => return None,
    })
}

/// Bits of the code an instruction was decoded for.
pub(crate) fn code_size(insn: &Instruction) -> u32 {
    match insn.code_size() {
        CodeSize::Code16 => 16,
        CodeSize::Code32 => 32,
        CodeSize::Code64 | CodeSize::Unknown => 64,
    }
}
