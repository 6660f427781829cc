//! The x86 guest, 64 and 32 bits: CPU models, and the front end that turns instructions into IR. Decoding is `iced-x86`'s.
//!
//! See `README.md` in this folder for the conventions.

#![forbid(unsafe_code)]

pub mod cpu;
mod cpuid;
pub mod features;
pub mod helpers;
pub mod models;
mod operand;
pub mod segments;
mod trans;
mod trans_bits;
mod trans_flow;
mod trans_int;
mod trans_move;
mod trans_shift;
mod trans_string;
mod trans_system;
mod vector;
mod x87;

use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter, OpKind, Register};
use ir::{BlockRequest, Builder, Guest, HelperDesc, SlotTable};
use models::Cpu;
use std::ops::Range;

/// The front end for one CPU.
pub struct X86 {
    cpu: Cpu,
    slots: SlotTable,
    helpers: Vec<HelperDesc>,
}

impl X86 {
    /// A front end for this CPU.
    pub fn new(cpu: Cpu) -> X86 {
        X86 { slots: cpu::slot_table(cpu.bits), cpu, helpers: helpers::table() }
    }

    /// The CPU.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }
}

/// Whether the memory operand of the instruction at the start of `code` is in SS: then an address that is not canonical is #SS
/// rather than #GP.
pub fn uses_stack_segment(code: &[u8], bits: u32) -> bool {
    let insn = Decoder::new(bits, code, DecoderOptions::NONE).decode();
    if insn.op_kinds().any(|k| k == OpKind::Memory) {
        return insn.memory_segment() == Register::SS;
    }
    insn.is_stack_instruction()
}

impl Guest for X86 {
    fn name(&self) -> &'static str {
        if self.cpu.bits == 32 { "i386" } else { "x86_64" }
    }

    fn address_bits(&self) -> u32 {
        self.cpu.bits
    }

    fn reports_denormals(&self) -> bool {
        true
    }

    fn code_changes_by_stores(&self) -> bool {
        true
    }

    fn slots(&self) -> &SlotTable {
        &self.slots
    }

    fn helpers(&self) -> &[HelperDesc] {
        &self.helpers
    }

    fn mode(&self, state: &[u8]) -> u64 {
        cpu::mode(&self.slots, state)
    }

    fn insn_align_log2(&self) -> u32 {
        0
    }

    fn translate_block(&self, req: &BlockRequest<'_>, b: &mut Builder) {
        trans::block(&self.cpu, req, b);
    }

    fn disassemble(&self, pc: u64, code: &[u8]) -> Vec<(u64, Range<usize>, String)> {
        let mut decoder = Decoder::with_ip(self.cpu.bits, code, pc, DecoderOptions::NONE);
        let mut formatter = IntelFormatter::new();
        formatter.options_mut().set_hex_prefix("0x");
        formatter.options_mut().set_hex_suffix("");
        let mut out = Vec::new();
        let mut insn = Instruction::default();
        while decoder.can_decode() {
            let at = decoder.position();
            decoder.decode_out(&mut insn);
            let mut text = String::new();
            formatter.format(&insn, &mut text);
            out.push((insn.ip(), at..decoder.position(), text));
        }
        out
    }
}
