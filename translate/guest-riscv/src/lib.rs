//! The RISC-V guest: CPU models, decoder, and the front end that turns instructions into IR.

#![forbid(unsafe_code)]

pub mod cpu;
pub mod decode;
mod expand;
mod features;
mod helpers;
mod trans;
mod trans_atomic;
mod trans_boxed;
mod trans_crypto;
mod trans_float;
mod trans_int;
mod trans_xthead;
mod trans_zcm;
pub mod vector;

pub use expand::expand;

use capstone::prelude::*;
use cpu::Cpu;
use ir::{BlockRequest, Builder, Guest, HelperDesc, Machine, SlotTable};
use std::ops::Range;

/// The front end for one CPU.
#[derive(Debug)]
pub struct Riscv {
    cpu: Cpu,
    slots: SlotTable,
    helpers: Vec<HelperDesc>,
}

impl Riscv {
    /// A front end for this CPU.
    pub fn new(cpu: Cpu) -> Self {
        Riscv { cpu, slots: cpu::slot_table_for(cpu.vlen), helpers: helpers::table() }
    }

    /// The CPU.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }
}

impl Guest for Riscv {
    fn name(&self) -> &'static str {
        if self.cpu.xlen == 32 { "riscv32" } else { "riscv64" }
    }

    fn half_slots(&self) -> Range<u16> {
        cpu::f(0).0..cpu::f(31).0 + 1
    }

    fn address_bits(&self) -> u32 {
        self.cpu.xlen
    }

    fn slots(&self) -> &SlotTable {
        &self.slots
    }

    fn helpers(&self) -> &[HelperDesc] {
        &self.helpers
    }

    fn mode(&self, state: &[u8]) -> u64 {
        let at = self.slots.get(cpu::FRM).offset as usize;
        state.get(at).map_or(0, |&b| cpu::mode_of_frm(u32::from(b))) | vector::mode(state, self.cpu.vlen)
    }

    fn insn_align_log2(&self) -> u32 {
        1
    }

    fn translate_block(&self, req: &BlockRequest<'_>, b: &mut Builder) {
        trans::block(&self.cpu, req, b);
    }

    fn after_fault(&self, machine: &mut dyn Machine, code: &[u8]) -> Option<u64> {
        let word = u32::from_le_bytes(code.get(..4)?.try_into().ok()?);
        vector::after_fault(&self.cpu, machine, word).then_some(4)
    }

    fn disassemble(&self, pc: u64, code: &[u8]) -> Vec<(u64, Range<usize>, String)> {
        let cs = Capstone::new()
            .riscv()
            .mode(if self.cpu.xlen == 32 {
                arch::riscv::ArchMode::RiscV32
            } else {
                arch::riscv::ArchMode::RiscV64
            })
            .extra_mode([arch::riscv::ArchExtraMode::RiscVC].into_iter())
            .build()
            .ok();
        let mut out = Vec::new();
        let mut i = 0;
        while i + 2 <= code.len() {
            let len = if code[i] & 3 == 3 { 4 } else { 2 };
            let Some(bytes) = code.get(i..i + len) else { break };
            let addr = pc.wrapping_add(i as u64);
            let text = cs.as_ref().and_then(|cs| {
                let insns = cs.disasm_count(bytes, addr, 1).ok()?;
                let insn = insns.iter().next()?;
                Some(format!("{} {}", insn.mnemonic()?, insn.op_str()?).trim_end().to_string())
            });
            let text = text.unwrap_or_else(|| {
                let word = trans::word_of(bytes, &self.cpu.features);
                match word.and_then(|w| decode::decode(w, &self.cpu.features)) {
                    Some(insn) => insn.mnemonic().to_string(),
                    None => format!(".byte {bytes:02x?}"),
                }
            });
            out.push((addr, i..i + len, text));
            i += len;
        }
        out
    }
}
