//! Cases: an instruction of a given form (iced's `Code`) with random operands, encoded, and registers that fit it.
//!
//! A group that needs other operand kinds adds an arm to `operand`; what an instruction uses without naming it is set in
//! `prepare`.

use crate::state::{CODE, DATA, DATA_SIZE, State};
use iced_x86::{
    Code, Encoder, Formatter, Instruction, IntelFormatter, Mnemonic, OpCodeOperandKind as K, OpKind, Register,
};
use ir::testing::Rng;

/// An encoded instruction and its state.
pub struct Case {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// As text.
    pub text: String,
    /// Before.
    pub state: State,
}

const GPR64: [Register; 16] = [
    Register::RAX,
    Register::RCX,
    Register::RDX,
    Register::RBX,
    Register::RSP,
    Register::RBP,
    Register::RSI,
    Register::RDI,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
];
const GPR8: [Register; 20] = [
    Register::AL,
    Register::CL,
    Register::DL,
    Register::BL,
    Register::AH,
    Register::CH,
    Register::DH,
    Register::BH,
    Register::SPL,
    Register::BPL,
    Register::SIL,
    Register::DIL,
    Register::R8L,
    Register::R9L,
    Register::R10L,
    Register::R11L,
    Register::R12L,
    Register::R13L,
    Register::R14L,
    Register::R15L,
];

/// A general register of a width.
pub fn gpr(bits: u32, n: usize) -> Register {
    let base = match bits {
        16 => Register::AX,
        32 => Register::EAX,
        _ => Register::RAX,
    };
    base + n as u32
}

/// A memory operand.
struct Memory {
    base: Register,
    index: Register,
    scale: u32,
    disp: i64,
    /// Bits of the address registers.
    bits: u32,
}

/// Makes cases for a code size.
pub struct Maker<'a> {
    /// Bits of the code.
    pub bits: u32,
    /// Where random numbers come from.
    pub rng: &'a mut Rng,
    /// For instructions in a row: memory is at rsp or rbp, which no instruction names.
    pub row: bool,
}

impl Maker<'_> {
    fn registers(&self) -> usize {
        if self.bits == 64 { 16 } else { 8 }
    }

    fn any_gpr(&mut self, bits: u32) -> Register {
        if bits == 8 {
            let n = if self.bits == 64 { 20 } else { 8 };
            return loop {
                let r = GPR8[self.rng.below(n)];
                if !(self.row && matches!(r, Register::SPL | Register::BPL)) {
                    break r;
                }
            };
        }
        let n = self.registers();
        loop {
            let k = self.rng.below(n);
            if !(self.row && matches!(k, 4 | 5)) {
                return gpr(bits, k);
            }
        }
    }

    fn memory(&mut self) -> Memory {
        if self.row {
            let base = gpr(self.bits, 4 + usize::from(self.rng.one_in(3)));
            let disp = self.rng.below(256) as i64 - 128;
            return Memory { base, index: Register::None, scale: 1, disp, bits: self.bits };
        }
        let bits = if self.bits == 64 && self.rng.one_in(6) { 32 } else { self.bits };
        let n = self.registers();
        let mut base = self.rng.below(n);
        let index = loop {
            let i = self.rng.below(n);
            if i != 4 && i != base {
                break i;
            }
        };
        if self.rng.one_in(12) {
            base = 4;
        }
        let disp = match self.rng.below(3) {
            0 => 0,
            1 => self.rng.below(128) as i64 - 64,
            _ => self.rng.below(2048) as i64 - 1024,
        };
        match self.rng.below(4) {
            // An address alone.
            0 if self.rng.one_in(3) => {
                let disp = DATA as i64 + (self.rng.below(DATA_SIZE - 128) & !7) as i64;
                Memory { base: Register::None, index: Register::None, scale: 1, disp, bits }
            }
            0 | 1 => Memory { base: gpr(bits, base), index: Register::None, scale: 1, disp, bits },
            _ => {
                let scale = 1 << self.rng.below(4);
                Memory { base: gpr(bits, base), index: gpr(bits, index), scale, disp, bits }
            }
        }
    }

    /// Sets operand `n` to a memory operand.
    pub fn put_memory(&mut self, insn: &mut Instruction, n: u32) {
        let m = self.memory();
        insn.set_op_kind(n, OpKind::Memory);
        insn.set_memory_base(m.base);
        insn.set_memory_index(m.index);
        insn.set_memory_index_scale(m.scale);
        insn.set_memory_displacement64(if m.bits == 64 { m.disp as u64 } else { u64::from(m.disp as u32) });
        let size = if m.disp == 0 && m.base != Register::None {
            0
        } else if m.base != Register::None && i8::try_from(m.disp).is_ok() {
            1
        } else {
            m.bits / 8
        };
        insn.set_memory_displ_size(size);
    }

    fn string_operand(&mut self, insn: &mut Instruction, n: u32, kinds: [OpKind; 3], half: bool) {
        let kind = match (self.bits, half) {
            (64, false) => kinds[2],
            (64, true) | (32, false) => kinds[1],
            _ => kinds[0],
        };
        insn.set_op_kind(n, kind);
    }

    /// Sets operand `n`; false if its kind is not one of ours.
    fn operand(&mut self, insn: &mut Instruction, n: u32, kind: K, half: bool) -> bool {
        let reg = |insn: &mut Instruction, r: Register| {
            insn.set_op_kind(n, OpKind::Register);
            insn.set_op_register(n, r);
        };
        let memory_too = match kind {
            K::r8_or_mem => Some(8),
            K::r16_or_mem => Some(16),
            K::r32_or_mem => Some(32),
            K::r64_or_mem => Some(64),
            _ => None,
        };
        if let Some(bits) = memory_too {
            if insn.has_lock_prefix() || self.rng.one_in(2) {
                self.put_memory(insn, n);
            } else {
                let r = self.any_gpr(bits);
                reg(insn, r);
            }
            return true;
        }
        match kind {
            K::mem | K::mem_offs if kind == K::mem => self.put_memory(insn, n),
            K::mem_offs => {
                insn.set_op_kind(n, OpKind::Memory);
                insn.set_memory_base(Register::None);
                insn.set_memory_displ_size(self.bits / 8);
                insn.set_memory_displacement64(DATA + self.rng.below(DATA_SIZE - 8) as u64);
            }
            K::r8_reg | K::r8_opcode => {
                let r = self.any_gpr(8);
                reg(insn, r);
            }
            K::r16_reg | K::r16_rm | K::r16_opcode => {
                let r = self.any_gpr(16);
                reg(insn, r);
            }
            K::r32_reg | K::r32_rm | K::r32_opcode | K::r32_vvvv => {
                let r = self.any_gpr(32);
                reg(insn, r);
            }
            K::r64_reg | K::r64_rm | K::r64_opcode | K::r64_vvvv => {
                let r = self.any_gpr(64);
                reg(insn, r);
            }
            K::r16_reg_mem | K::r32_reg_mem | K::r64_reg_mem => return false,
            K::al => reg(insn, Register::AL),
            K::cl => reg(insn, Register::CL),
            K::ax => reg(insn, Register::AX),
            K::dx => reg(insn, Register::DX),
            K::eax => reg(insn, Register::EAX),
            K::rax => reg(insn, Register::RAX),
            K::imm8 => {
                insn.set_op_kind(
                    n,
                    if n > 0 && insn.op_kind(n - 1) == OpKind::Immediate16 {
                        OpKind::Immediate8_2nd
                    } else {
                        OpKind::Immediate8
                    },
                );
                let v = self.rng.number() as u8;
                if insn.op_kind(n) == OpKind::Immediate8 {
                    insn.set_immediate8(v)
                } else {
                    insn.set_immediate8_2nd(v & 3)
                }
            }
            K::imm8_const_1 => {
                insn.set_op_kind(n, OpKind::Immediate8);
                insn.set_immediate8(1);
            }
            K::imm8sex16 => {
                insn.set_op_kind(n, OpKind::Immediate8to16);
                insn.set_immediate8to16(i16::from(self.rng.number() as i8));
            }
            K::imm8sex32 => {
                insn.set_op_kind(n, OpKind::Immediate8to32);
                insn.set_immediate8to32(i32::from(self.rng.number() as i8));
            }
            K::imm8sex64 => {
                insn.set_op_kind(n, OpKind::Immediate8to64);
                insn.set_immediate8to64(i64::from(self.rng.number() as i8));
            }
            K::imm16 => {
                insn.set_op_kind(n, OpKind::Immediate16);
                // Frames and returns stay inside what is mapped or reserved.
                let v = self.rng.number() as u16;
                insn.set_immediate16(v);
            }
            K::imm32 => {
                insn.set_op_kind(n, OpKind::Immediate32);
                insn.set_immediate32(self.rng.number() as u32);
            }
            K::imm32sex64 => {
                insn.set_op_kind(n, OpKind::Immediate32to64);
                insn.set_immediate32to64(i64::from(self.rng.number() as i32));
            }
            K::imm64 => {
                insn.set_op_kind(n, OpKind::Immediate64);
                insn.set_immediate64(self.rng.number());
            }
            K::seg_rSI => {
                let k = [OpKind::MemorySegSI, OpKind::MemorySegESI, OpKind::MemorySegRSI];
                self.string_operand(insn, n, k, half);
            }
            K::es_rDI => {
                let k = [OpKind::MemoryESDI, OpKind::MemoryESEDI, OpKind::MemoryESRDI];
                self.string_operand(insn, n, k, half);
            }
            K::seg_rBX_al => {
                insn.set_op_kind(n, OpKind::Memory);
                insn.set_memory_base(gpr(if half { self.bits / 2 } else { self.bits }, 3));
                insn.set_memory_index(Register::AL);
            }
            K::br16_1 | K::br16_2 => {
                insn.set_op_kind(n, OpKind::NearBranch16);
                insn.set_near_branch16(((CODE as usize + 16 + self.rng.below(64)) & 0xffff) as u16);
            }
            K::br32_1 | K::br32_4 => {
                insn.set_op_kind(n, OpKind::NearBranch32);
                insn.set_near_branch32((CODE as usize + 16 + self.rng.below(64)) as u32);
            }
            K::br64_1 | K::br64_4 => {
                insn.set_op_kind(n, OpKind::NearBranch64);
                insn.set_near_branch64(CODE + 16 + self.rng.below(64) as u64);
            }
            _ if crate::x87::operand(self, insn, n, kind) => {}
            _ => return crate::vector::operand(self, insn, n, kind),
        }
        true
    }

    /// Some instructions of these forms in a row, with a state.
    pub fn sequence(&mut self, forms: &[Code], len: usize) -> Option<Case> {
        let (mut bytes, mut text) = (Vec::new(), String::new());
        for _ in 0..len {
            let code = self.rng.pick(forms);
            let case = self.case(code)?;
            bytes.extend(case.bytes);
            text += &case.text;
            text += "; ";
        }
        let mut state = self.prepare(&Instruction::default());
        if self.rng.one_in(4) {
            // The second pointer faults.
            state.gpr[5] = DATA - 4096;
        }
        Some(Case { bytes, text, state })
    }

    /// A case of a form; `None` if an operand kind is unknown or the operands do not encode together.
    pub fn case(&mut self, code: Code) -> Option<Case> {
        let info = code.op_code();
        if self.bits == 64 && !info.mode64() || self.bits == 32 && !info.mode32() {
            return None;
        }
        for _ in 0..20 {
            let mut insn = Instruction::default();
            insn.set_code(code);
            let half = self.rng.one_in(5) && self.bits == 64;
            if info.can_use_lock_prefix() && self.rng.one_in(3) {
                insn.set_has_lock_prefix(true);
            }
            let string = (0..info.op_count()).any(|n| matches!(info.op_kind(n), K::seg_rSI | K::es_rDI));
            if string && !self.rng.one_in(3) {
                if self.rng.one_in(2) {
                    insn.set_has_rep_prefix(true)
                } else {
                    insn.set_has_repne_prefix(true)
                }
            }
            for n in 0..info.op_count() {
                if !self.operand(&mut insn, n, info.op_kind(n), half) {
                    return None;
                }
            }
            crate::vector::decorate(self.rng, &mut insn);
            let mut encoder = Encoder::new(self.bits);
            if encoder.encode(&insn, CODE).is_err() {
                continue;
            }
            let bytes = encoder.take_buffer();
            let mut text = String::new();
            IntelFormatter::new().format(&insn, &mut text);
            let state = self.prepare(&insn);
            return Some(Case { bytes, text, state });
        }
        None
    }

    /// Registers and memory for an instruction: addresses point into the window, mostly.
    pub fn prepare(&mut self, insn: &Instruction) -> State {
        let mut s = State::new();
        for byte in s.data.chunks_exact_mut(8) {
            byte.copy_from_slice(&self.rng.bits().to_le_bytes());
        }
        for n in 0..self.registers() {
            s.gpr[n] = self.rng.number();
        }
        s.flags = (self.rng.bits() as u32 & 0x8d5) | 0x202;
        if insn.is_string_instruction() && self.rng.one_in(3) {
            s.flags |= 0x400;
        }
        // Implicit pointers.
        let place = |rng: &mut Rng| DATA + 2048 + rng.below(4096) as u64;
        s.gpr[4] = place(self.rng) & !7;
        s.gpr[5] = place(self.rng);
        if insn.is_string_instruction() || insn.mnemonic() == Mnemonic::Xlatb {
            for n in [3, 6, 7] {
                s.gpr[n] = place(self.rng);
            }
            // Overlaps, and ends of the window.
            if self.rng.one_in(4) {
                s.gpr[7] = s.gpr[6].wrapping_add(self.rng.below(33) as u64).wrapping_sub(16);
            }
            if self.rng.one_in(12) {
                s.gpr[6 + self.rng.below(2)] = DATA + DATA_SIZE as u64 - self.rng.below(64) as u64;
            }
            s.gpr[1] = self.rng.below(80) as u64;
            if self.rng.one_in(3) {
                let value = self.rng.pick(&[0, 0x4141_4141_4141_4141, u64::MAX]);
                s.data.fill(value as u8);
                let at = self.rng.below(DATA_SIZE);
                s.data[at] = 7;
                s.gpr[0] = value;
            }
        }
        if matches!(insn.mnemonic(), Mnemonic::Div | Mnemonic::Idiv) && self.rng.one_in(2) {
            // Quotients that fit.
            s.gpr[2] = if self.rng.one_in(2) { 0 } else { self.rng.below(16) as u64 };
            s.gpr[0] = self.rng.number() >> 1;
        }
        if matches!(insn.mnemonic(), Mnemonic::Ret | Mnemonic::Jmp | Mnemonic::Call) {
            self.targets(insn, &mut s);
        }
        if matches!(insn.mnemonic(), Mnemonic::Bt | Mnemonic::Bts | Mnemonic::Btr | Mnemonic::Btc)
            && insn.op0_kind() == OpKind::Memory
            && insn.op1_kind() == OpKind::Register
        {
            let n = insn.op1_register().full_register() as usize - Register::RAX as usize;
            let high = if insn.op1_register().size() == 8 { 0 } else { self.rng.bits() << 32 };
            let bit = self.rng.below(32 << 10) as i64 - (16 << 10);
            s.gpr[n] = if high == 0 { bit as u64 } else { bit as u32 as u64 | high };
        }
        crate::vector::prepare(self, insn, &mut s);
        crate::x87::prepare(self, insn, &mut s);
        if !insn.memory_index().is_vector_register() {
            self.address(insn, &mut s);
        }
        if matches!(insn.mnemonic(), Mnemonic::Cmpxchg | Mnemonic::Cmpxchg8b | Mnemonic::Cmpxchg16b)
            && self.rng.one_in(2)
        {
            self.expect(insn, &mut s);
        }
        if self.bits == 32 {
            for v in &mut s.gpr {
                *v &= 0xffff_ffff;
            }
        }
        s
    }

    /// Code addresses where indirect transfers go.
    fn targets(&mut self, insn: &Instruction, s: &mut State) {
        let to = CODE + 32 + self.rng.below(256) as u64;
        if insn.mnemonic() == Mnemonic::Ret {
            let at = (s.gpr[4] - DATA) as usize;
            s.data[at..at + 8].copy_from_slice(&to.to_le_bytes());
        } else if insn.op0_kind() == OpKind::Register {
            let n = insn.op0_register().full_register() as usize - Register::RAX as usize;
            if n != 4 {
                s.gpr[n] = to;
            }
        } else {
            for word in s.data.chunks_exact_mut(self.bits as usize / 8) {
                let len = word.len();
                word.copy_from_slice(&to.to_le_bytes()[..len]);
            }
        }
    }

    /// The registers of a memory operand.
    fn address(&mut self, insn: &Instruction, s: &mut State) {
        if !insn.op_kinds().any(|k| k == OpKind::Memory) || insn.mnemonic() == Mnemonic::Xlatb {
            return;
        }
        let (base, index) = (insn.memory_base(), insn.memory_index());
        if base == Register::None && index == Register::None {
            return;
        }
        let number = |r: Register| r.full_register() as usize - Register::RAX as usize;
        let bits = base.size() * 8;
        let mut target = DATA + 1024 + self.rng.below(DATA_SIZE - 2048) as u64;
        if self.rng.one_in(2) || matches!(insn.mnemonic(), Mnemonic::Jmp | Mnemonic::Call) {
            target &= !63;
        }
        // How much of FBSTP's number is written before a fault in its midst is the CPU model's affair.
        if self.rng.one_in(24) && insn.mnemonic() != Mnemonic::Fbstp {
            target = DATA + DATA_SIZE as u64 - self.rng.below(20) as u64;
        }
        if self.rng.one_in(60) {
            target = DATA - 4096 + self.rng.below(4096) as u64;
        }
        let high = |rng: &mut Rng, bits: usize| if bits == 32 { rng.bits() << 32 } else { 0 };
        let mut rest = insn.memory_displacement64();
        if index != Register::None {
            let small = self.rng.below(48) as u64;
            s.gpr[number(index)] = small | high(self.rng, bits);
            rest = rest.wrapping_add(small.wrapping_mul(u64::from(insn.memory_index_scale())));
        }
        let value = target.wrapping_sub(rest);
        let value = if bits == 32 { value & 0xffff_ffff } else { value };
        s.gpr[number(base)] = value | high(self.rng, bits);
        if base.size() == 8 && self.rng.one_in(120) {
            // Not canonical.
            s.gpr[number(base)] ^= 1 << 50;
        }
    }

    /// Makes compare and exchange succeed.
    fn expect(&mut self, insn: &Instruction, s: &mut State) {
        if insn.op0_kind() == OpKind::Register {
            let n = insn.op0_register();
            if n.size() > 1 {
                s.gpr[n.full_register() as usize - Register::RAX as usize] = s.gpr[0];
            }
            return;
        }
        let (low, high) = (s.gpr[0], s.gpr[2]);
        let both = insn.mnemonic() == Mnemonic::Cmpxchg8b;
        for (n, word) in s.data.chunks_exact_mut(8).enumerate() {
            let v = if both {
                low & 0xffff_ffff | high << 32
            } else if insn.mnemonic() == Mnemonic::Cmpxchg16b && n % 2 == 1 {
                high
            } else {
                low
            };
            word.copy_from_slice(&v.to_le_bytes());
        }
    }
}

/// The 64-bit registers by number.
pub fn name(n: usize) -> Register {
    GPR64[n]
}
