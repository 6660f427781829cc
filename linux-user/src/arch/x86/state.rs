//! The registers of an x86 CPU as frames, debuggers and core files show them, and segment registers as the kernel loads them.

use crate::cpu::CpuState;
use engine::Engine;
use guest_x86::cpu::{self as regs, SEGS, Seg};
use guest_x86::segments;
use ir::{SlotId, SlotTable};

/// The integer registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Regs {
    /// In the manual's order: rax rcx rdx rbx rsp rbp rsi rdi r8 to r15.
    pub r: [u64; 16],
    /// Instruction pointer.
    pub ip: u64,
    /// EFLAGS.
    pub flags: u32,
    /// Selectors, by [`Seg`].
    pub selectors: [u16; 6],
    /// Bases, by [`Seg`].
    pub bases: [u64; 6],
    /// What CS says of the code's size, as slot `CODE_SIZE`.
    pub code_size: u32,
    /// Number of the system call being made; all ones otherwise.
    pub orig_rax: u64,
}

/// Reads them.
pub fn load(slots: &SlotTable, cpu: &CpuState) -> Regs {
    let at = |id: SlotId| slots.get(id).offset as usize;
    let word = |id: SlotId| cpu.read_u32(at(id));
    Regs {
        r: std::array::from_fn(|n| cpu.read_u64(at(regs::gpr(n as u32)))),
        ip: cpu.pc(),
        flags: regs::eflags_image(word(regs::FLAGS), word(regs::DF), word(regs::EFLAGS_REST)),
        selectors: SEGS.map(|s| word(regs::selector(s)) as u16),
        bases: SEGS.map(|s| cpu.read_u64(at(regs::segment_base(s)))),
        code_size: word(regs::CODE_SIZE),
        orig_rax: cpu.read_u64(at(regs::ORIG_RAX)),
    }
}

/// Writes them.
pub fn store(slots: &SlotTable, cpu: &mut CpuState, values: &Regs) {
    let at = |id: SlotId| slots.get(id).offset as usize;
    for (n, value) in values.r.iter().enumerate() {
        cpu.write_u64(at(regs::gpr(n as u32)), *value);
    }
    cpu.set_pc(values.ip);
    let (arithmetic, df, rest) = regs::eflags_parts(values.flags);
    cpu.write_u32(at(regs::FLAGS), arithmetic);
    cpu.write_u32(at(regs::DF), df);
    cpu.write_u32(at(regs::EFLAGS_REST), rest);
    for s in SEGS {
        cpu.write_u32(at(regs::selector(s)), u32::from(values.selectors[s as usize]));
        cpu.write_u64(at(regs::segment_base(s)), values.bases[s as usize]);
    }
    cpu.write_u32(at(regs::CODE_SIZE), values.code_size);
    cpu.write_u64(at(regs::ORIG_RAX), values.orig_rax);
}

/// The thread's own descriptors in the global table.
pub fn tls(slots: &SlotTable, cpu: &CpuState) -> [u64; 3] {
    std::array::from_fn(|n| cpu.read_u64(slots.get(regs::tls(n as u32)).offset as usize))
}

/// Sets one of them; segment registers that were loaded with it get its new base.
pub fn set_tls(slots: &SlotTable, cpu: &mut CpuState, n: u32, descriptor: u64) {
    cpu.write_u64(slots.get(regs::tls(n)).offset as usize, descriptor);
    let mut all = load(slots, cpu);
    for s in SEGS {
        if u64::from(all.selectors[s as usize] >> 2) == (segments::FIRST_TLS + u64::from(n)) << 1 {
            reload(slots, cpu, &mut all, s);
        }
    }
    store(slots, cpu, &all);
}

/// Loads a segment register again with the selector that stands in `all`; what cannot be loaded becomes null, as when the
/// kernel goes back to user mode.
pub fn reload(slots: &SlotTable, cpu: &CpuState, all: &mut Regs, s: Seg) {
    let n = s as usize;
    let (selector, tls) = (u64::from(all.selectors[n]), tls(slots, cpu));
    if s == Seg::Cs {
        // Code that cannot be returned to: the kernel's exception comes at the first instruction.
        if let Ok((base, size)) = segments::code(selector, true, tls) {
            (all.bases[n], all.code_size) = (base, size as u32);
        }
        return;
    }
    match segments::data(s, selector, tls) {
        Ok(base) => all.bases[n] = base,
        Err(_) => (all.selectors[n], all.bases[n]) = (0, 0),
    }
}

/// MXCSR: the slot's bits and the engine's sticky flags.
pub fn mxcsr(engine: &Engine, slots: &SlotTable, cpu: &CpuState) -> u32 {
    let sticky = regs::mxcsr_of_sticky(engine.fp_flags(cpu));
    cpu.read_u32(slots.get(regs::MXCSR).offset as usize) & !0x3f | sticky
}

/// Sets it.
pub fn set_mxcsr(engine: &Engine, slots: &SlotTable, cpu: &mut CpuState, value: u32) {
    cpu.write_u32(slots.get(regs::MXCSR).offset as usize, value & 0xffc0);
    engine.set_fp(cpu, regs::sticky_of_mxcsr(value), regs::round_of_mxcsr(value));
}
