//! x86-64 and i386: registers, initial state, and the facts that programs see.
//!
//! ABI source: System V psABI supplements, the kernel's `arch/x86` UAPI headers.

pub mod signal;

use super::{Arch, GdbRegister, Hwcaps, Placement, Vdso, nt};
use crate::cpu::CpuState;
use crate::errno::Errno;
use crate::host_signal::SIGINFO_SIZE;
use crate::mm::Mm;
use crate::signal::{BadFrame, Frame, Restored, SigInfo, SignalArch, Trap};
use engine::Engine;
use guest_x86::cpu as regs;
use guest_x86::cpu::Seg;
use guest_x86::models::Cpu;
use ir::{SlotId, SlotTable};

/// An x86 CPU model and where its registers are.
pub struct X86 {
    cpu: Cpu,
    slots: SlotTable,
    registers: Vec<GdbRegister>,
}

/// Bytes of `syscall` and `int 0x80`.
const CALL_LEN: u64 = 2;

impl X86 {
    /// The architecture with this CPU.
    pub fn new(cpu: Cpu) -> X86 {
        X86 { slots: regs::slot_table(cpu.bits), cpu, registers: Vec::new() }
    }

    fn long(&self) -> bool {
        self.cpu.bits == 64
    }

    fn at(&self, id: SlotId) -> usize {
        self.slots.get(id).offset as usize
    }

    fn r(&self, cpu: &CpuState, n: u32) -> u64 {
        cpu.read_u64(self.at(regs::gpr(n)))
    }

    fn set_r(&self, cpu: &mut CpuState, n: u32, value: u64) {
        let value = if self.long() { value } else { value & 0xffff_ffff };
        cpu.write_u64(self.at(regs::gpr(n)), value);
    }

    fn set_selector(&self, cpu: &mut CpuState, seg: Seg, value: u32) {
        cpu.write_u32(self.at(regs::selector(seg)), value);
    }
}

impl SignalArch for X86 {
    fn push_frame(
        &self,
        engine: &Engine,
        cpu: &mut CpuState,
        mm: &Mm,
        frame: &Frame<'_>,
    ) -> Result<(), BadFrame> {
        let _ = (engine, cpu, mm, frame);
        Err(BadFrame)
    }

    fn pop_frame(&self, engine: &Engine, cpu: &mut CpuState, mm: &Mm) -> Result<Restored, BadFrame> {
        let _ = (engine, cpu, mm);
        Err(BadFrame)
    }

    fn trap(&self, cpu: &mut CpuState, kind: ir::TrapKind, info: u64) -> Trap {
        if (kind, info) == (ir::TrapKind::Service, regs::trap::FAR) {
            cpu.set_pc(cpu.read_u64(self.at(regs::FAR_TARGET)));
            return Trap::Done;
        }
        signal::trap(cpu.pc(), kind, info)
    }

    fn write_siginfo(&self, mm: &Mm, addr: u64, info: &SigInfo) -> Result<(), Errno> {
        mm.mem().copy_out(addr, &info.to_abi(self.abi()))
    }

    fn read_siginfo(&self, mm: &Mm, addr: u64) -> Result<SigInfo, Errno> {
        let mut raw = [0; SIGINFO_SIZE];
        mm.mem().copy_in(addr, &mut raw)?;
        Ok(SigInfo::from_abi(self.abi(), raw))
    }

    fn stack_pointer(&self, cpu: &CpuState) -> u64 {
        self.r(cpu, regs::RSP)
    }

    fn finish_interrupted(&self, cpu: &mut CpuState, next_pc: u64) {
        self.set_result(cpu, Err(Errno::EINTR));
        cpu.set_pc(next_pc);
    }

    fn clone_args(&self, a: &[u64; 6]) -> [u64; 5] {
        // 64 bits: flags, stack, parent's word, child's word, tls. 32 bits: flags, stack, parent's word, tls, child's word.
        if self.long() { [a[0], a[1], a[2], a[3], a[4]] } else { [a[0], a[1], a[2], a[4], a[3]] }
    }
}

impl Arch for X86 {
    fn abi(&self) -> syscall_tables::Arch {
        if self.long() { syscall_tables::Arch::X86_64 } else { syscall_tables::Arch::I386 }
    }

    fn syscall_regs(&self, cpu: &CpuState) -> (u64, [u64; 6]) {
        let order = if self.long() {
            [regs::RDI, regs::RSI, regs::RDX, 10, 8, 9]
        } else {
            [regs::RBX, regs::RCX, regs::RDX, regs::RSI, regs::RDI, regs::RBP]
        };
        // The number is an int: the kernel looks at eax.
        (self.r(cpu, regs::RAX) & 0xffff_ffff, order.map(|n| self.r(cpu, n)))
    }

    fn set_result(&self, cpu: &mut CpuState, result: Result<u64, Errno>) {
        let value = match result {
            Ok(value) => value,
            Err(errno) => i64::from(errno.0).wrapping_neg() as u64,
        };
        self.set_r(cpu, regs::RAX, value);
    }

    fn restart_syscall(&self, cpu: &mut CpuState, nr: u64, _args: &[u64; 6]) {
        self.set_r(cpu, regs::RAX, nr);
        cpu.set_pc(cpu.pc().wrapping_sub(CALL_LEN));
    }

    fn set_sp(&self, cpu: &mut CpuState, sp: u64) {
        self.set_r(cpu, regs::RSP, sp);
    }

    fn tls(&self, cpu: &CpuState) -> u64 {
        let seg = if self.long() { Seg::Fs } else { Seg::Gs };
        cpu.read_u64(self.at(regs::segment_base(seg)))
    }

    fn set_tls(&self, cpu: &mut CpuState, tls: u64) {
        let seg = if self.long() { Seg::Fs } else { Seg::Gs };
        cpu.write_u64(self.at(regs::segment_base(seg)), tls);
    }

    fn start(&self, cpu: &mut CpuState, entry: u64, sp: u64) {
        cpu.state_mut().fill(0);
        regs::reset(&self.slots, cpu.state_mut(), self.cpu.bits);
        // The kernel's selectors: user code and data (`asm/segment.h`).
        if self.long() {
            self.set_selector(cpu, Seg::Cs, 0x33);
            self.set_selector(cpu, Seg::Ss, 0x2b);
        } else {
            self.set_selector(cpu, Seg::Cs, 0x23);
            for seg in [Seg::Ss, Seg::Ds, Seg::Es] {
                self.set_selector(cpu, seg, 0x2b);
            }
        }
        self.set_sp(cpu, sp);
        cpu.set_pc(entry);
    }

    fn placement(&self) -> Placement {
        if self.long() {
            Placement { pie_base: crate::arch::PIE_BASE, pie_random_bits: 28, task_size: (1 << 47) - 4096 }
        } else {
            Placement { pie_base: 0x40_0000, pie_random_bits: 12, task_size: 0xffff_e000 }
        }
    }

    fn libc_package(&self) -> &'static str {
        if self.long() { "libc6:amd64" } else { "libc6:i386" }
    }

    fn hwcaps(&self) -> Hwcaps {
        Hwcaps { hwcap: u64::from(self.cpu.feature_bits()), hwcap2: 2, hwcap3: None }
    }

    fn platform(&self) -> &'static str {
        if self.long() { "x86_64" } else { "i686" }
    }

    fn min_signal_stack(&self) -> u64 {
        2048
    }

    fn vdso(&self) -> Option<&Vdso> {
        None
    }

    fn cpuinfo(&self, processors: usize) -> String {
        (0..processors)
            .map(|n| format!("processor\t: {n}\nvendor_id\t: {}\n\n", self.cpu.model.vendor))
            .collect()
    }

    fn dump(&self, engine: &Engine, cpu: &CpuState, vectors: bool) -> String {
        use std::fmt::Write;
        let _ = (engine, vectors);
        let mut out = String::new();
        let count = if self.long() { 16 } else { 8 };
        for n in 0..count {
            let name = self.slots.get(regs::gpr(n)).name;
            let separator = if n % 4 == 3 { "\n" } else { " " };
            let _ = write!(out, "{name:>3}={:016x}{separator}", self.r(cpu, n));
        }
        let flags = regs::eflags_image(
            cpu.read_u32(self.at(regs::FLAGS)),
            cpu.read_u32(self.at(regs::DF)),
            cpu.read_u32(self.at(regs::EFLAGS_REST)),
        );
        let _ = writeln!(out, "rip={:016x} rfl={flags:08x}", cpu.pc());
        out
    }

    fn regsets(&self) -> &'static [u32] {
        &[nt::PRSTATUS]
    }

    fn regset(&self, engine: &Engine, cpu: &CpuState, note: u32) -> Option<Vec<u8>> {
        let _ = (engine, cpu, note);
        None
    }

    fn set_regset(&self, engine: &Engine, cpu: &mut CpuState, note: u32, bytes: &[u8]) -> bool {
        let _ = (engine, cpu, note, bytes);
        false
    }

    fn gdb_description(&self) -> &str {
        ""
    }

    fn gdb_registers(&self) -> &[GdbRegister] {
        &self.registers
    }

    fn gdb_read(&self, engine: &Engine, cpu: &CpuState, index: usize) -> Vec<u8> {
        let _ = (engine, cpu, index);
        Vec::new()
    }

    fn gdb_write(&self, engine: &Engine, cpu: &mut CpuState, index: usize, value: &[u8]) {
        let _ = (engine, cpu, index, value);
    }
}
