//! AArch64, little-endian: registers, initial state, and the facts that programs see.
//!
//! ABI source: the kernel's `arch/arm64` UAPI headers and its `Documentation/arch/arm64`.

pub mod gdb;
mod prctl;
pub mod signal;
mod vdso;

use super::{Arch, GdbRegister, Hwcaps, Model, Placement, Vdso, nt};
use crate::cpu::CpuState;
use crate::errno::{Errno, SysResult};
use crate::mm::Mm;
use crate::signal::{BadFrame, FaultAt, FaultState, Frame, Restored, SigInfo, SignalArch};
use engine::Engine;
use guest_aarch64::cpu as regs;
use guest_aarch64::cpu::{Cpu, Feature, MODELS};
use ir::{SlotId, SlotTable};

/// An AArch64 CPU model and where its registers are.
pub struct Aarch64 {
    cpu: Cpu,
    slots: SlotTable,
    vdso: Vdso,
    target_xml: String,
}

/// The models for `-cpu`.
pub fn models() -> Vec<Model> {
    MODELS.iter().map(|model| Model { name: model.name, about: "" }).collect()
}

impl Aarch64 {
    /// The architecture with this CPU.
    pub fn new(cpu: Cpu) -> Aarch64 {
        Aarch64 { cpu, slots: regs::slot_table(), vdso: vdso::image(), target_xml: gdb::target_xml() }
    }

    fn at(&self, id: SlotId) -> usize {
        self.slots.get(id).offset as usize
    }

    fn x(&self, cpu: &CpuState, n: u32) -> u64 {
        cpu.read_u64(self.at(regs::x(n)))
    }

    fn set_x(&self, cpu: &mut CpuState, n: u32, value: u64) {
        cpu.write_u64(self.at(regs::x(n)), value);
    }

    fn sp(&self, cpu: &CpuState) -> u64 {
        cpu.read_u64(self.at(regs::SP))
    }
}

impl SignalArch for Aarch64 {
    fn push_frame(
        &self,
        engine: &Engine,
        cpu: &mut CpuState,
        mm: &Mm,
        frame: &Frame<'_>,
    ) -> Result<(), BadFrame> {
        let vdso = mm.lock().image.vdso.start;
        signal::push(engine, cpu, mm.mem(), frame, vdso + self.vdso.sigreturn)
    }

    fn pop_frame(
        &self,
        engine: &Engine,
        cpu: &mut CpuState,
        mm: &Mm,
        _rt: bool,
    ) -> Result<Restored, BadFrame> {
        signal::pop(engine, cpu, mm.mem())
    }

    fn stack_pointer(&self, cpu: &CpuState) -> u64 {
        self.sp(cpu)
    }

    fn finish_interrupted(&self, cpu: &mut CpuState, next_pc: u64) {
        self.set_result(cpu, Err(Errno::EINTR));
        cpu.set_pc(next_pc);
    }

    fn fault(&self, _mm: &Mm, _cpu: &CpuState, _old: FaultState, fault: &FaultAt) -> (SigInfo, FaultState) {
        let state = FaultState { address: fault.address, code: signal::syndrome(fault) };
        (SigInfo::fault(fault.sig, fault.code, fault.address), state)
    }

    fn minimum_altstack(&self) -> u64 {
        5120
    }

    fn prctl(&self, cpu: &mut CpuState, option: i32, args: [u64; 4]) -> SysResult {
        prctl::prctl(&self.slots, self.cpu.features.has(Feature::Pauth), cpu, option, args)
    }
}

impl Arch for Aarch64 {
    fn abi(&self) -> syscall_tables::Arch {
        syscall_tables::Arch::Aarch64
    }

    fn syscall_regs(&self, cpu: &CpuState) -> (u64, [u64; 6]) {
        // The kernel looks at the low half of X8 only.
        (self.x(cpu, 8) & 0xffff_ffff, std::array::from_fn(|n| self.x(cpu, n as u32)))
    }

    fn set_result(&self, cpu: &mut CpuState, result: Result<u64, Errno>) {
        let value = match result {
            Ok(value) => value,
            Err(errno) => i64::from(errno.0).wrapping_neg() as u64,
        };
        self.set_x(cpu, 0, value);
    }

    fn restart_syscall(&self, cpu: &mut CpuState, _nr: u64, args: &[u64; 6]) {
        self.set_x(cpu, 0, args[0]);
        cpu.set_pc(cpu.pc().wrapping_sub(4));
    }

    fn set_sp(&self, cpu: &mut CpuState, sp: u64) {
        cpu.write_u64(self.at(regs::SP), sp);
    }

    fn tls(&self, cpu: &CpuState) -> u64 {
        cpu.read_u64(self.at(regs::TPIDR))
    }

    fn set_tls(&self, cpu: &mut CpuState, tls: u64) {
        cpu.write_u64(self.at(regs::TPIDR), tls);
    }

    fn start(&self, cpu: &mut CpuState, entry: u64, sp: u64) {
        cpu.state_mut().fill(0);
        // As after reset: memory that held no flags reads as "none set".
        cpu.write_u32(self.at(regs::NZCV), ir::state::flags_to_mem(0));
        // The kernel sets SSBS for new processes, and gives each process its own authentication keys.
        cpu.write_u32(self.at(regs::SSBS), u32::from(self.cpu.features.has(Feature::Ssbs)));
        let mut keys = [0u64; 10];
        let args = [keys.as_mut_ptr() as u64, size_of_val(&keys) as u64, 0, 0, 0, 0];
        let _ = crate::sys::raw_syscall(libc::SYS_getrandom, args);
        for (index, key) in keys.iter().enumerate() {
            cpu.write_u64(self.at(regs::pac_key(index as u32 / 2, index % 2 == 1)), *key);
        }
        self.set_sp(cpu, sp);
        cpu.set_pc(entry);
    }

    fn placement(&self) -> Placement {
        Placement { pie_base: crate::arch::PIE_BASE, pie_random_bits: 28, task_size: (1 << 47) - 4096 }
    }

    fn extra_prot(&self) -> u32 {
        if self.cpu.features.has(Feature::Bti) { regs::GUARDED } else { 0 }
    }

    fn segment_prot(&self, features: u32) -> u32 {
        // GNU_PROPERTY_AARCH64_FEATURE_1_BTI
        if features & 1 != 0 { self.extra_prot() } else { 0 }
    }

    fn libc_package(&self) -> &'static str {
        "libc6:arm64 (or libc6-arm64-cross, with -L /usr/aarch64-linux-gnu)"
    }

    fn hwcaps(&self) -> Hwcaps {
        Hwcaps { hwcap: self.cpu.hwcap(), hwcap2: self.cpu.hwcap2(), hwcap3: None }
    }

    fn platform(&self) -> &'static str {
        "aarch64"
    }

    fn min_signal_stack(&self) -> u64 {
        // The frame, and room for the record below it and the handler: the kernel's own figure without SVE.
        4720
    }

    fn vdso(&self) -> Option<&Vdso> {
        Some(&self.vdso)
    }

    fn cpuinfo(&self, processors: usize) -> String {
        let caps = self.hwcaps();
        let names = HWCAP_NAMES
            .iter()
            .enumerate()
            .filter(|(bit, _)| caps.hwcap >> bit & 1 != 0)
            .chain(HWCAP2_NAMES.iter().enumerate().filter(|(bit, _)| caps.hwcap2 >> bit & 1 != 0))
            .map(|(_, name)| *name)
            .filter(|name| !name.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        let midr = self.cpu.midr;
        (0..processors)
            .map(|index| {
                format!(
                    "processor\t: {index}\nBogoMIPS\t: 100.00\nFeatures\t: {names}\nCPU implementer\t: {:#04x}\n\
                     CPU architecture: 8\nCPU variant\t: {:#x}\nCPU part\t: {:#05x}\nCPU revision\t: {}\n\n",
                    midr >> 24,
                    midr >> 20 & 15,
                    midr >> 4 & 0xfff,
                    midr & 15
                )
            })
            .collect()
    }

    fn untag(&self, addr: u64) -> u64 {
        ((addr << 8) as i64 >> 8) as u64
    }

    fn dump(&self, engine: &Engine, cpu: &CpuState, vectors: bool) -> String {
        use std::fmt::Write;
        let all = signal::load(engine, cpu);
        let mut out = format!(" PC={:016x} ", all.pc);
        for (n, value) in all.x.iter().enumerate() {
            let separator = if n % 4 == 2 { "\n" } else { " " };
            let _ = write!(out, "X{n:02}={value:016x}{separator}");
        }
        let flag = |bit: u32, name| if all.pstate >> bit & 1 != 0 { name } else { '-' };
        let _ = writeln!(
            out,
            " SP={:016x}\nPSTATE={:08x} {}{}{}{} TPIDR={:016x}",
            all.sp,
            all.pstate,
            flag(31, 'N'),
            flag(30, 'Z'),
            flag(29, 'C'),
            flag(28, 'V'),
            self.tls(cpu)
        );
        if vectors {
            let _ = writeln!(out, "FPCR={:08x} FPSR={:08x}", all.fpcr, all.fpsr);
            for (n, value) in all.v.iter().enumerate() {
                let separator = if n % 2 == 1 { "\n" } else { " " };
                let _ = write!(out, "Q{n:02}={:016x}:{:016x}{separator}", value >> 64, *value as u64);
            }
        }
        out
    }

    fn regsets(&self) -> &'static [u32] {
        &[nt::PRSTATUS, nt::PRFPREG, nt::ARM_TLS, nt::ARM_HW_BREAK, nt::ARM_HW_WATCH, nt::ARM_PAC_MASK]
    }

    fn regset(&self, engine: &Engine, cpu: &CpuState, note: u32) -> Option<Vec<u8>> {
        let all = signal::load(engine, cpu);
        Some(match note {
            nt::PRSTATUS => {
                let words = all.x.iter().chain([&all.sp, &all.pc, &all.pstate]);
                words.flat_map(|word| word.to_le_bytes()).collect()
            }
            nt::PRFPREG => {
                let mut bytes: Vec<u8> = all.v.iter().flat_map(|v| v.to_le_bytes()).collect();
                bytes.extend(all.fpsr.to_le_bytes());
                bytes.extend(all.fpcr.to_le_bytes());
                bytes.resize(528, 0);
                bytes
            }
            nt::ARM_TLS => self.tls(cpu).to_le_bytes().to_vec(),
            // Debug architecture 8.0 with no slots.
            nt::ARM_HW_BREAK | nt::ARM_HW_WATCH => vec![0, 6, 0, 0, 0, 0, 0, 0],
            // Bits 54 to 48 and 63 to 56 hold the code of an address of 48 bits.
            nt::ARM_PAC_MASK if self.cpu.features.has(Feature::Pauth) => {
                [PAC_MASK.to_le_bytes(), PAC_MASK.to_le_bytes()].concat()
            }
            _ => return None,
        })
    }

    fn regset_unit(&self, note: u32) -> usize {
        if matches!(note, nt::PRFPREG | nt::ARM_HW_BREAK | nt::ARM_HW_WATCH) { 4 } else { 8 }
    }

    fn set_regset(&self, engine: &Engine, cpu: &mut CpuState, note: u32, bytes: &[u8]) -> bool {
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let mut all = signal::load(engine, cpu);
        match (note, bytes.len()) {
            (nt::PRSTATUS, 272) => {
                for (n, x) in all.x.iter_mut().enumerate() {
                    *x = word(n * 8);
                }
                (all.sp, all.pc) = (word(248), word(256));
                if !all.set_pstate(word(264)) {
                    return false;
                }
            }
            (nt::PRFPREG, 528) => {
                for (n, v) in all.v.iter_mut().enumerate() {
                    *v = u128::from(word(n * 16 + 8)) << 64 | u128::from(word(n * 16));
                }
                (all.fpsr, all.fpcr) = (word(512) as u32, (word(512) >> 32) as u32);
            }
            (nt::ARM_TLS, 8) => {
                self.set_tls(cpu, word(0));
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
        gdb::REGISTERS
    }

    fn gdb_read(&self, engine: &Engine, cpu: &CpuState, index: usize) -> Vec<u8> {
        let all = signal::load(engine, cpu);
        match index {
            0..=30 => all.x[index].to_le_bytes().to_vec(),
            31 => all.sp.to_le_bytes().to_vec(),
            32 => all.pc.to_le_bytes().to_vec(),
            33 => (all.pstate as u32).to_le_bytes().to_vec(),
            gdb::V0..gdb::FPSR => all.v[index - gdb::V0].to_le_bytes().to_vec(),
            gdb::FPSR => all.fpsr.to_le_bytes().to_vec(),
            67 => all.fpcr.to_le_bytes().to_vec(),
            _ => self.tls(cpu).to_le_bytes().to_vec(),
        }
    }

    fn gdb_write(&self, engine: &Engine, cpu: &mut CpuState, index: usize, value: &[u8]) {
        let mut wide = [0; 16];
        let len = value.len().min(16);
        wide[..len].copy_from_slice(&value[..len]);
        let wide = u128::from_le_bytes(wide);
        let narrow = wide as u64;
        let mut all = signal::load(engine, cpu);
        match index {
            0..=30 => all.x[index] = narrow,
            31 => all.sp = narrow,
            32 => all.pc = narrow,
            33 => all.pstate = narrow,
            gdb::V0..gdb::FPSR => all.v[index - gdb::V0] = wide,
            gdb::FPSR => all.fpsr = narrow as u32,
            67 => all.fpcr = narrow as u32,
            _ => return self.set_tls(cpu, narrow),
        }
        signal::store(engine, cpu, &all);
    }
}

/// Where pointer authentication codes stand in user addresses.
const PAC_MASK: u64 = 0x7f_0000_0000_0000;

/// `/proc/cpuinfo` names of AT_HWCAP bits, in order.
const HWCAP_NAMES: [&str; 32] = [
    "fp", "asimd", "evtstrm", "aes", "pmull", "sha1", "sha2", "crc32", "atomics", "fphp", "asimdhp", "cpuid",
    "asimdrdm", "jscvt", "fcma", "lrcpc", "dcpop", "sha3", "sm3", "sm4", "asimddp", "sha512", "sve",
    "asimdfhm", "dit", "uscat", "ilrcpc", "flagm", "ssbs", "sb", "paca", "pacg",
];

/// `/proc/cpuinfo` names of AT_HWCAP2 bits, in order; empty where none of ours is.
const HWCAP2_NAMES: [&str; 48] = [
    "dcpodp",
    "sve2",
    "sveaes",
    "svepmull",
    "svebitperm",
    "svesha3",
    "svesm4",
    "flagm2",
    "frint",
    "svei8mm",
    "svef32mm",
    "svef64mm",
    "svebf16",
    "i8mm",
    "bf16",
    "dgh",
    "rng",
    "bti",
    "mte",
    "ecv",
    "afp",
    "rpres",
    "mte3",
    "sme",
    "smei16i64",
    "smef64f64",
    "smei8i32",
    "smef16f32",
    "smeb16f32",
    "smef32f32",
    "smefa64",
    "wfxt",
    "ebf16",
    "sveebf16",
    "cssc",
    "rprfm",
    "sve2p1",
    "sme2",
    "sme2p1",
    "smei16i32",
    "smebi32i32",
    "smeb16b16",
    "smef16f16",
    "mops",
    "hbc",
    "sveb16b16",
    "lrcpc3",
    "lse128",
];
