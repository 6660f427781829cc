//! The AArch64 guest: CPU models, decoder, and the front end that turns instructions into IR.

#![forbid(unsafe_code)]

pub mod cpu;
pub mod decode;
mod fpsimd;
mod helpers;
mod mops;
mod pauth;
pub mod regs;
mod rmw128;
mod trans;
mod trans_branch_sys;
mod trans_crypto;
mod trans_dp_imm;
mod trans_dp_reg;
mod trans_fp;
mod trans_ldst;
mod trans_ldst_atomic;
mod trans_ldst_vec;
mod trans_simd_fp;
mod trans_simd_int;
mod trans_simd_move;
mod trans_simd_shift;

use capstone::prelude::*;
use cpu::Cpu;
use ir::{BlockRequest, Builder, Guest, HelperDesc, SlotTable};
use std::ops::Range;

/// The front end for one CPU.
#[derive(Debug)]
pub struct Aarch64 {
    cpu: Cpu,
    slots: SlotTable,
    helpers: Vec<HelperDesc>,
}

impl Aarch64 {
    /// A front end for this CPU.
    pub fn new(cpu: Cpu) -> Self {
        Aarch64 { cpu, slots: cpu::slot_table(), helpers: helpers::table() }
    }

    /// The CPU.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }
}

impl Guest for Aarch64 {
    fn name(&self) -> &'static str {
        "aarch64"
    }

    fn slots(&self) -> &SlotTable {
        &self.slots
    }

    fn helpers(&self) -> &[HelperDesc] {
        &self.helpers
    }

    fn mode(&self, state: &[u8]) -> u64 {
        let at = |slot| self.slots.get(slot).offset as usize;
        let (fpcr, sp) = (at(cpu::FPCR), at(cpu::SP));
        let fpcr = state.get(fpcr..fpcr + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
        let sp = state.get(sp..sp + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
        cpu::mode(fpcr, sp)
    }

    fn insn_align_log2(&self) -> u32 {
        2
    }

    fn branch_address(&self, addr: u64) -> u64 {
        // AArch64.BranchAddr with TBI: the top byte is a copy of bit 55.
        ((addr << 8) as i64 >> 8) as u64
    }

    fn attributes_mode(&self) -> u64 {
        if self.cpu.features.has(cpu::Feature::Bti) { cpu::MODE_BTI } else { 0 }
    }

    fn entry_modes(&self, mode: u64) -> u64 {
        if mode & cpu::MODE_BTI != 0 { 3 << cpu::MODE_BTYPE_SHIFT } else { 0 }
    }

    fn translate_block(&self, req: &BlockRequest<'_>, b: &mut Builder) {
        trans::block(&self.cpu, req, b);
    }

    fn disassemble(&self, pc: u64, code: &[u8]) -> Vec<(u64, Range<usize>, String)> {
        let cs = Capstone::new().arm64().mode(arch::arm64::ArchMode::Arm).build().ok();
        let one = |i: usize, word: &[u8]| {
            let addr = pc.wrapping_add(4 * i as u64);
            let text = cs.as_ref().and_then(|cs| {
                let insns = cs.disasm_count(word, addr, 1).ok()?;
                let insn = insns.iter().next()?;
                Some(format!("{} {}", insn.mnemonic()?, insn.op_str()?).trim_end().to_string())
            });
            let raw = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            // What the disassembler is too old for gets its mnemonic from our tables.
            let text = text.unwrap_or_else(|| match decode::decode(raw, &self.cpu.features) {
                Some(insn) => format!("{} // {raw:#010x}", insn.mnemonic()),
                None => format!(".word {raw:#010x}"),
            });
            (addr, 4 * i..4 * i + 4, text)
        };
        code.chunks_exact(4).enumerate().map(|(i, word)| one(i, word)).collect()
    }
}
