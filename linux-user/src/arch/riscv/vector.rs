//! Vector registers as signal frames, ptrace and the debugger show them.
//!
//! Layout source: UAPI `asm/ptrace.h` (`__riscv_v_ext_state`, `__riscv_v_regset_state`), `asm/sigcontext.h`.

use crate::cpu::CpuState;
use guest_riscv::vector as slots;
use ir::{SlotId, SlotTable};

/// Everything that vector instructions change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VectorState {
    /// Element to start at.
    pub vstart: u64,
    /// Length.
    pub vl: u64,
    /// Type.
    pub vtype: u64,
    /// Fixed-point rounding mode and saturation flag.
    pub vcsr: u64,
    /// The registers, one after the other.
    pub data: Vec<u8>,
}

/// Bytes of all registers.
fn data_len(vlen: u32) -> usize {
    4 * vlen as usize
}

impl VectorState {
    /// What a CPU holds.
    pub fn load(table: &SlotTable, vlen: u32, cpu: &CpuState) -> VectorState {
        let at = |id: SlotId| table.get(id).offset as usize;
        let data = slots::V_OFFSET as usize..slots::V_OFFSET as usize + data_len(vlen);
        VectorState {
            vstart: u64::from(cpu.read_u32(at(slots::VSTART))),
            vl: cpu.read_u64(at(slots::VL)),
            vtype: cpu.read_u64(at(slots::VTYPE)),
            vcsr: u64::from(cpu.read_u32(at(slots::VXRM)) & 3) << 1 | u64::from(cpu.header().sat != 0),
            data: cpu.state()[data].to_vec(),
        }
    }

    /// Sets a CPU's. What no CPU can hold becomes what `vsetvl` makes of it: the invalid type.
    pub fn store(&self, table: &SlotTable, vlen: u32, cpu: &mut CpuState) {
        let at = |id: SlotId| table.get(id).offset as usize;
        let (vl, vtype) = match slots::VType::decode(self.vtype, vlen, 64) {
            Some(t) => (self.vl.min(u64::from(t.vlmax(vlen))), self.vtype),
            None => (0, slots::VILL),
        };
        cpu.write_u32(at(slots::VSTART), (self.vstart & u64::from(vlen - 1)) as u32);
        cpu.write_u64(at(slots::VL), vl);
        cpu.write_u64(at(slots::VTYPE), vtype);
        cpu.write_u32(at(slots::VXRM), (self.vcsr >> 1 & 3) as u32);
        cpu.header_mut().sat = (self.vcsr & 1) as u32;
        let data = slots::V_OFFSET as usize..slots::V_OFFSET as usize + data_len(vlen);
        cpu.state_mut()[data].copy_from_slice(&self.data);
    }

    /// The state of a CPU that has not used it.
    pub fn reset(table: &SlotTable, vlen: u32, cpu: &mut CpuState) {
        let data = vec![0; data_len(vlen)];
        VectorState { vstart: 0, vl: 0, vtype: slots::VILL, vcsr: 0, data }.store(table, vlen, cpu);
    }

    /// Whether the program has used vectors: as for the kernel, a task that has not has no such state.
    pub fn used(&self) -> bool {
        self.vtype != slots::VILL || self.vcsr != 0 || self.data.iter().any(|byte| *byte != 0)
    }

    /// The five control registers in words of this many bytes.
    pub fn controls(&self, word: usize) -> Vec<u8> {
        let vlenb = self.data.len() as u64 / 32;
        // The invalid bit is the highest one of the register.
        let vtype = if self.vtype == slots::VILL { 1 << (8 * word - 1) } else { self.vtype };
        let words = [self.vstart, self.vl, vtype, self.vcsr, vlenb];
        words.iter().flat_map(|value| value.to_le_bytes()[..word].to_vec()).collect()
    }

    /// From these and the registers.
    pub fn from_parts(controls: &[u8], word: usize, data: Vec<u8>) -> VectorState {
        let get = |n: usize| {
            let mut raw = [0; 8];
            raw[..word].copy_from_slice(&controls[n * word..(n + 1) * word]);
            u64::from_le_bytes(raw)
        };
        VectorState { vstart: get(0), vl: get(1), vtype: get(2), vcsr: get(3), data }
    }
}
