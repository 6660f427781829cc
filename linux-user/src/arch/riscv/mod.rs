//! RISC-V, 64 and 32 bits: registers, initial state, and the facts that programs see.
//!
//! ABI source: the kernel's `arch/riscv` UAPI headers and its `Documentation/arch/riscv`.

mod facts;
pub mod gdb;
pub mod signal;
mod vdso;
pub mod vector;

use super::{Arch, GdbRegister, Hwcaps, Placement, Probe, Vdso, nt};
use crate::cpu::CpuState;
use crate::errno::{Errno, SysResult};
use crate::host_signal::SIGINFO_SIZE;
use crate::mm::Mm;
use crate::signal::{BadFrame, Frame, Restored, SigInfo, SignalArch};
use engine::Engine;
use guest_riscv::cpu as regs;
use guest_riscv::cpu::{Cpu, Feature};
use ir::SlotTable;
use signal::Shape;
use vector::VectorState;

/// A RISC-V CPU model and where its registers are.
pub struct Riscv {
    cpu: Cpu,
    shape: Shape,
    slots: SlotTable,
    vdso: Vdso,
    target_xml: String,
    registers: Vec<GdbRegister>,
    /// Bits of a vector register; zero without vectors.
    vlen: u32,
}

/// a0: first argument and result.
const A0: u32 = 10;
/// a7: system call number.
const A7: u32 = 17;
const SP: u32 = 2;
const TP: u32 = 4;

impl Riscv {
    /// The architecture with this CPU.
    pub fn new(cpu: Cpu) -> Riscv {
        let vlen = if cpu.features.has(Feature::Zve32x) { cpu.vlen } else { 0 };
        Riscv {
            cpu,
            shape: Shape::of(cpu.xlen),
            slots: regs::slot_table_for(cpu.vlen),
            vdso: vdso::image(cpu.xlen),
            target_xml: gdb::target_xml(cpu.xlen, vlen),
            registers: gdb::registers(cpu.xlen, vlen),
            vlen,
        }
    }

    /// A register of the debugger's vector feature: v0 to v31, then vstart, vl, vtype, vcsr, vlenb.
    fn vector_register(&self, cpu: &CpuState, index: usize) -> Option<Vec<u8>> {
        let state = VectorState::load(&self.slots, self.vlen, cpu);
        let (bytes, word) = (self.vlen as usize / 8, self.cpu.xlen as usize / 8);
        match index - gdb::V0 {
            n @ 0..32 => state.data.get(n * bytes..(n + 1) * bytes).map(<[u8]>::to_vec),
            n => state.controls(word).get((n - 32) * word..(n - 31) * word).map(<[u8]>::to_vec),
        }
    }

    fn set_vector_register(&self, cpu: &mut CpuState, index: usize, value: &[u8]) {
        let mut state = VectorState::load(&self.slots, self.vlen, cpu);
        let bytes = self.vlen as usize / 8;
        let n = index - gdb::V0;
        if let Some(place) = state.data.get_mut(n * bytes..(n + 1) * bytes).filter(|p| p.len() == value.len())
        {
            place.copy_from_slice(value);
            state.store(&self.slots, self.vlen, cpu);
        }
    }

    /// What of a value a register holds.
    fn mask(&self) -> u64 {
        u64::MAX >> (64 - self.cpu.xlen)
    }

    fn x(&self, cpu: &CpuState, n: u32) -> u64 {
        cpu.read_u64(self.slots.get(regs::x(n)).offset as usize) & self.mask()
    }

    fn set_x(&self, cpu: &mut CpuState, n: u32, value: u64) {
        cpu.write_u64(self.slots.get(regs::x(n)).offset as usize, value & self.mask());
    }
}

/// The options of this architecture. Vectors are on, and stay so over exec.
fn prctl(vectors: bool, option: i32, args: [u64; 4]) -> SysResult {
    const SET_CONTROL: i32 = 69;
    const GET_CONTROL: i32 = 70;
    const SET_ICACHE_FLUSH_CTX: i32 = 71;
    const ON: u64 = 2;
    const OFF: u64 = 1;
    match option {
        GET_CONTROL if vectors => Ok(ON),
        SET_CONTROL if vectors => {
            let (now, next) = (args[0] & 3, args[0] >> 2 & 3);
            if args[0] >> 5 != 0 || now == 3 || next == 3 {
                return Err(Errno::EINVAL);
            }
            // Once in use they cannot be turned off, and here they always are.
            if now == OFF || next == OFF { Err(Errno::EPERM) } else { Ok(0) }
        }
        // Where a thread or the process may skip its own fences: ours reach every thread.
        SET_ICACHE_FLUSH_CTX if args[0] <= 1 && args[1] <= 1 => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

impl SignalArch for Riscv {
    fn sigaction_has_restorer(&self) -> bool {
        false
    }

    fn push_frame(
        &self,
        engine: &Engine,
        cpu: &mut CpuState,
        mm: &Mm,
        frame: &Frame<'_>,
    ) -> Result<(), BadFrame> {
        let vdso = mm.lock().image.vdso.start;
        signal::push(self.shape, self.vlen, engine, cpu, mm.mem(), frame, vdso + self.vdso.sigreturn)
    }

    fn pop_frame(
        &self,
        engine: &Engine,
        cpu: &mut CpuState,
        mm: &Mm,
        _rt: bool,
    ) -> Result<Restored, BadFrame> {
        signal::pop(self.shape, self.vlen, engine, cpu, mm.mem())
    }

    fn write_siginfo(&self, mm: &Mm, addr: u64, info: &SigInfo) -> Result<(), Errno> {
        mm.mem().copy_out(addr, &info.to_abi(self.abi()))
    }

    fn read_siginfo(&self, mm: &Mm, addr: u64) -> Result<SigInfo, Errno> {
        let mut raw = [0; SIGINFO_SIZE];
        mm.mem().copy_in(addr, &mut raw)?;
        Ok(SigInfo::from_abi(self.abi(), raw))
    }

    fn prctl(&self, _cpu: &mut CpuState, option: i32, args: [u64; 4]) -> SysResult {
        prctl(self.vlen != 0, option, args)
    }

    fn stack_pointer(&self, cpu: &CpuState) -> u64 {
        self.x(cpu, SP)
    }

    fn finish_interrupted(&self, cpu: &mut CpuState, next_pc: u64) {
        self.set_result(cpu, Err(Errno::EINTR));
        cpu.set_pc(next_pc);
    }

    fn minimum_altstack(&self) -> u64 {
        2048
    }
}

impl Arch for Riscv {
    fn abi(&self) -> syscall_tables::Arch {
        if self.cpu.xlen == 32 { syscall_tables::Arch::Riscv32 } else { syscall_tables::Arch::Riscv64 }
    }

    fn syscall_regs(&self, cpu: &CpuState) -> (u64, [u64; 6]) {
        (self.x(cpu, A7), std::array::from_fn(|n| self.x(cpu, A0 + n as u32)))
    }

    fn set_result(&self, cpu: &mut CpuState, result: Result<u64, Errno>) {
        let value = match result {
            Ok(value) => value,
            Err(errno) => i64::from(errno.0).wrapping_neg() as u64,
        };
        self.set_x(cpu, A0, value);
    }

    fn restart_syscall(&self, cpu: &mut CpuState, _nr: u64, args: &[u64; 6]) {
        self.set_x(cpu, A0, args[0]);
        cpu.set_pc(cpu.pc().wrapping_sub(4));
    }

    fn set_sp(&self, cpu: &mut CpuState, sp: u64) {
        self.set_x(cpu, SP, sp);
    }

    fn tls(&self, cpu: &CpuState) -> u64 {
        self.x(cpu, TP)
    }

    fn set_tls(&self, cpu: &mut CpuState, tls: u64) {
        self.set_x(cpu, TP, tls);
    }

    fn start(&self, cpu: &mut CpuState, entry: u64, sp: u64) {
        cpu.state_mut().fill(0);
        if self.vlen != 0 {
            VectorState::reset(&self.slots, self.vlen, cpu);
        }
        self.set_sp(cpu, sp);
        cpu.set_pc(entry);
    }

    fn placement(&self) -> Placement {
        if self.cpu.xlen == 32 {
            return Placement { pie_base: 0x40_0000, pie_random_bits: 12, task_size: (1 << 32) - 4096 };
        }
        Placement { pie_base: crate::arch::PIE_BASE, pie_random_bits: 28, task_size: (1 << 47) - 4096 }
    }

    fn libc_package(&self) -> &'static str {
        if self.cpu.xlen == 32 {
            // Debian has none for these programs.
            "libc6 built for riscv32"
        } else {
            "libc6:riscv64 (or libc6-riscv64-cross, with -L /usr/riscv64-linux-gnu)"
        }
    }

    fn hwcaps(&self) -> Hwcaps {
        Hwcaps { hwcap: self.cpu.hwcap(), hwcap2: 0, hwcap3: None }
    }

    fn platform(&self) -> &'static str {
        // The kernel gives no AT_PLATFORM here; C libraries do not look at it.
        if self.cpu.xlen == 32 { "riscv32" } else { "riscv64" }
    }

    fn min_signal_stack(&self) -> u64 {
        let size = if self.vlen == 0 { self.shape.size } else { self.shape.size_with(self.vlen) };
        size as u64
    }

    fn vdso(&self) -> Option<&Vdso> {
        Some(&self.vdso)
    }

    fn cpuinfo(&self, processors: usize) -> String {
        facts::cpuinfo(&self.cpu, processors)
    }

    fn hwprobe(&self, key: i64) -> Option<Probe> {
        let value = facts::probe(&self.cpu, key, self.placement().task_size)?;
        Some(Probe { value, is_set: facts::is_set(key) })
    }

    fn dump(&self, engine: &Engine, cpu: &CpuState, vectors: bool) -> String {
        use std::fmt::Write;
        let all = signal::load(engine, cpu);
        let mut out = format!(" pc       {:016x}\n", all.x[0]);
        for n in 0..32 {
            let value = if n == 0 { 0 } else { all.x[n] };
            let name = gdb::REGISTERS[n].name;
            let separator = if n % 4 == 3 { "\n" } else { " " };
            let _ = write!(out, " x{n}/{name} {value:016x}{separator}");
        }
        if vectors {
            for (n, value) in all.f.iter().enumerate() {
                let separator = if n % 4 == 3 { "\n" } else { " " };
                let _ = write!(out, " f{n}/{} {value:016x}{separator}", gdb::REGISTERS[gdb::F0 + n].name);
            }
        }
        out
    }

    fn regsets(&self) -> &'static [u32] {
        if self.vlen == 0 {
            &[nt::PRSTATUS, nt::PRFPREG]
        } else {
            &[nt::PRSTATUS, nt::PRFPREG, nt::RISCV_VECTOR]
        }
    }

    fn regset(&self, engine: &Engine, cpu: &CpuState, note: u32) -> Option<Vec<u8>> {
        let all = signal::load(engine, cpu);
        match note {
            nt::PRSTATUS => {
                let word = self.cpu.xlen as usize / 8;
                Some(all.x.iter().flat_map(|x| x.to_le_bytes()[..word].to_vec()).collect())
            }
            nt::PRFPREG => {
                let mut bytes: Vec<u8> = all.f.iter().flat_map(|f| f.to_le_bytes()).collect();
                bytes.extend(u64::from(all.fcsr).to_le_bytes());
                Some(bytes)
            }
            nt::RISCV_VECTOR if self.vlen != 0 => {
                let state = VectorState::load(&self.slots, self.vlen, cpu);
                let mut bytes = state.controls(self.cpu.xlen as usize / 8);
                bytes.extend_from_slice(&state.data);
                Some(bytes)
            }
            _ => None,
        }
    }

    fn regset_unit(&self, note: u32) -> usize {
        match note {
            nt::PRFPREG => 8,
            nt::RISCV_VECTOR => 4,
            _ => self.cpu.xlen as usize / 8,
        }
    }

    fn set_regset(&self, engine: &Engine, cpu: &mut CpuState, note: u32, bytes: &[u8]) -> bool {
        let word = |n: usize| u64::from_le_bytes(bytes[n * 8..n * 8 + 8].try_into().expect("eight bytes"));
        let mut all = signal::load(engine, cpu);
        match (note, bytes.len()) {
            (nt::PRSTATUS, 256) if self.cpu.xlen == 64 => all.x = std::array::from_fn(word),
            (nt::PRSTATUS, 128) if self.cpu.xlen == 32 => {
                let narrow =
                    |n: usize| u32::from_le_bytes(bytes[n * 4..n * 4 + 4].try_into().expect("four bytes"));
                all.x = std::array::from_fn(|n| u64::from(narrow(n)));
            }
            (nt::PRFPREG, 264) => {
                all.f = std::array::from_fn(word);
                all.fcsr = word(32) as u32 & 0xff;
            }
            (nt::RISCV_VECTOR, len) => {
                let word = self.cpu.xlen as usize / 8;
                if self.vlen == 0 || len != 5 * word + 4 * self.vlen as usize {
                    return false;
                }
                let state = VectorState::from_parts(bytes, word, bytes[5 * word..].to_vec());
                state.store(&self.slots, self.vlen, cpu);
                return true;
            }
            _ => return false,
        }
        signal::store(engine, cpu, &all);
        true
    }

    fn gdb_description(&self) -> &str {
        &self.target_xml
    }

    fn gdb_registers(&self) -> &[GdbRegister] {
        &self.registers
    }

    fn gdb_read(&self, engine: &Engine, cpu: &CpuState, index: usize) -> Vec<u8> {
        let all = signal::load(engine, cpu);
        let word = |value: u64| value.to_le_bytes()[..self.cpu.xlen as usize / 8].to_vec();
        match index {
            0 => word(0),
            1..gdb::PC => word(all.x[index]),
            gdb::PC => word(all.x[0]),
            gdb::F0..gdb::FFLAGS => all.f[index - gdb::F0].to_le_bytes().to_vec(),
            gdb::FFLAGS => (all.fcsr & 31).to_le_bytes().to_vec(),
            66 => (all.fcsr >> 5).to_le_bytes().to_vec(),
            gdb::V0.. => self.vector_register(cpu, index).unwrap_or_default(),
            _ => all.fcsr.to_le_bytes().to_vec(),
        }
    }

    fn gdb_write(&self, engine: &Engine, cpu: &mut CpuState, index: usize, value: &[u8]) {
        if index >= gdb::V0 {
            return self.set_vector_register(cpu, index, value);
        }
        let mut wide = [0; 8];
        let len = value.len().min(8);
        wide[..len].copy_from_slice(&value[..len]);
        let value = u64::from_le_bytes(wide);
        let mut all = signal::load(engine, cpu);
        match index {
            0 => return,
            1..gdb::PC => all.x[index] = value,
            gdb::PC => all.x[0] = value,
            gdb::F0..gdb::FFLAGS => all.f[index - gdb::F0] = value,
            gdb::FFLAGS => all.fcsr = all.fcsr & !31 | value as u32 & 31,
            66 => all.fcsr = all.fcsr & 31 | (value as u32 & 7) << 5,
            _ => all.fcsr = value as u32 & 0xff,
        }
        signal::store(engine, cpu, &all);
    }
}
