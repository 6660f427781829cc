//! x86-64 and i386: registers, initial state, and the facts that programs see.
//!
//! ABI source: System V psABI supplements, the kernel's `arch/x86` UAPI headers.

pub mod calls;
mod facts;
pub mod gdb;
pub mod signal;
pub mod state;
mod vdso;
pub mod xstate;

use super::{Arch, GdbRegister, Hwcaps, Legacy, Placement, Vdso, nt};
use crate::cpu::CpuState;
use crate::errno::Errno;
use crate::guest_mem::GuestMem;
use crate::host_signal::SIGINFO_SIZE;
use crate::mm::{Mm, prot};
use crate::signal::{BadFrame, FaultAt, FaultState, Frame, Restored, SigInfo, SignalArch, Trap, code};
use engine::Engine;
use guest_x86::cpu as regs;
use guest_x86::cpu::{Seg, trap as vector};
use guest_x86::features::Feature;
use guest_x86::models::Cpu;
use guest_x86::segments::{USER_CS, USER_DS, USER32_CS};
use ir::{SlotId, SlotTable, TrapKind};
use signal::Shape;
use state::Regs;

/// An x86 CPU model and where its registers are.
pub struct X86 {
    cpu: Cpu,
    slots: SlotTable,
    shape: Shape,
    vdso: vdso::Image,
    registers: Vec<gdb::Register>,
    gdb: Vec<GdbRegister>,
    target_xml: String,
}

/// Bytes of `syscall` and `int 0x80`.
const CALL_LEN: u64 = 2;
/// The page through which programs of old called the kernel for the time: three entries, 1 KiB apart.
const VSYSCALL: u64 = 0xffff_ffff_ff60_0000;

impl X86 {
    /// The architecture with this CPU.
    pub fn new(cpu: Cpu) -> X86 {
        let long = cpu.bits == 64;
        let registers = gdb::registers(long, cpu.has(Feature::Sse), cpu.has(Feature::Avx));
        X86 {
            slots: regs::slot_table(cpu.bits),
            shape: Shape { long, components: xstate::components(&cpu), fxsr: cpu.has(Feature::Fxsr) },
            vdso: vdso::image(long),
            target_xml: gdb::target_xml(long, &registers),
            gdb: registers.iter().map(|r| r.gdb).collect(),
            registers,
            cpu,
        }
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

    fn set_selector(&self, cpu: &mut CpuState, seg: Seg, value: u16) {
        cpu.write_u32(self.at(regs::selector(seg)), u32::from(value));
    }

    fn area(&self, engine: &Engine, cpu: &CpuState) -> Vec<u8> {
        xstate::save(engine, &self.slots, cpu, self.shape.components)
    }

    /// Number and arguments of a call by the 32-bit ABI.
    fn call32(&self, cpu: &CpuState) -> (u64, [u64; 6]) {
        let order = [regs::RBX, regs::RCX, regs::RDX, regs::RSI, regs::RDI, regs::RBP];
        let low = |n| self.r(cpu, n) & 0xffff_ffff;
        (low(regs::RAX), order.map(low))
    }

    /// Whether the faulting instruction accesses memory through the stack segment.
    fn is_stack_access(&self, mm: &Mm, cpu: &CpuState) -> bool {
        let mut code = [0; 15];
        let got = mm.fetch_code(cpu.pc(), &mut code);
        guest_x86::uses_stack_segment(&code[..got], self.cpu.bits)
    }

    /// Whether a page is there: only then its rights are what is missing. `/proc/self/pagemap`, bit 63.
    fn is_present(&self, mm: &Mm, addr: u64) -> bool {
        use std::os::unix::fs::FileExt;
        let Some((_, mapping)) = mm.find(addr) else { return false };
        if mapping.prot & (prot::READ | prot::WRITE | prot::EXEC) == 0 {
            return false;
        }
        let mut entry = [0; 8];
        let page = addr.wrapping_add(mm.mem().base()) >> 12;
        std::fs::File::open("/proc/self/pagemap")
            .and_then(|file| file.read_exact_at(&mut entry, page * 8))
            .map_or(true, |()| u64::from_le_bytes(entry) >> 63 != 0)
    }

    /// `sysenter`: the stack pointer is in ebp, which the vDSO has pushed there; control goes on at its landing pad.
    fn sysenter(&self, mm: &Mm, cpu: &mut CpuState) -> Trap {
        let vdso = mm.lock().image.vdso.start;
        let sp = self.r(cpu, regs::RBP) & 0xffff_ffff;
        let (number, mut args) = self.call32(cpu);
        self.set_r(cpu, regs::RSP, sp);
        cpu.set_pc(vdso + self.vdso.landing);
        match mm.mem().read::<u32>(sp) {
            Ok(value) => args[5] = u64::from(value),
            Err(_) => {
                self.set_result(cpu, Err(Errno::EFAULT));
                return Trap::Done;
            }
        }
        Trap::Call { abi: syscall_tables::Arch::I386, number, args }
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
        let vdso = mm.lock().image.vdso.start;
        let trampolines = self.vdso.trampolines.map(|at| vdso + at);
        let regs = state::load(&self.slots, cpu);
        let built = self.shape.encode(&regs, self.area(engine, cpu), frame, trampolines)?;
        mm.mem().copy_out(built.fp, &built.fp_bytes).map_err(|_| BadFrame)?;
        mm.mem().copy_out(built.addr, &built.bytes).map_err(|_| BadFrame)?;
        state::store(&self.slots, cpu, &built.regs);
        // A handler starts with the floating point in its initial state.
        xstate::restore(engine, &self.slots, cpu, &xstate::fresh(), 0);
        Ok(())
    }

    fn pop_frame(
        &self,
        engine: &Engine,
        cpu: &mut CpuState,
        mm: &Mm,
        rt: bool,
    ) -> Result<Restored, BadFrame> {
        let now = state::load(&self.slots, cpu);
        let mut read = self.shape.decode(&now, mm.mem(), rt)?;
        let (area, components) =
            if read.fp == 0 { (xstate::fresh(), 0) } else { self.shape.fp_area(mm.mem(), read.fp)? };
        if !xstate::restore(engine, &self.slots, cpu, &area, components) {
            return Err(BadFrame);
        }
        for s in regs::SEGS {
            if read.regs.selectors[s as usize] != now.selectors[s as usize] {
                state::reload(&self.slots, cpu, &mut read.regs, s);
            }
        }
        state::store(&self.slots, cpu, &read.regs);
        Ok(read.restored)
    }

    fn trap(&self, engine: &Engine, mm: &Mm, cpu: &mut CpuState, kind: TrapKind, info: u64) -> Trap {
        if kind == TrapKind::Service {
            match info {
                vector::INT80 => {
                    let (number, args) = self.call32(cpu);
                    return Trap::Call { abi: syscall_tables::Arch::I386, number, args };
                }
                vector::FAR => {
                    cpu.set_pc(cpu.read_u64(self.at(regs::FAR_TARGET)));
                    return Trap::Done;
                }
                vector::SYSENTER if !self.long() => return self.sysenter(mm, cpu),
                // Only AMD's CPUs have it in 32-bit code, and Linux enters by it only where the vDSO says so.
                vector::SYSENTER | vector::SYSCALL32 => {
                    if info == vector::SYSCALL32 {
                        cpu.set_pc(cpu.pc().wrapping_sub(CALL_LEN));
                    }
                    return self.trap(engine, mm, cpu, TrapKind::Illegal, 0);
                }
                _ => {}
            }
        }
        let word = |id| cpu.read_u32(self.at(id));
        let fp = signal::FpStatus {
            mxcsr: state::mxcsr(engine, &self.slots, cpu),
            control: word(regs::FCW),
            status: word(regs::FSW),
        };
        match signal::trap(cpu.pc(), kind, info, fp) {
            (Trap::Signal(info), code) => Trap::Exception(info, code),
            (other, _) => other,
        }
    }

    fn fetch_trap(&self, mm: &Mm, cpu: &mut CpuState) -> Option<Trap> {
        let entry = cpu.pc().wrapping_sub(VSYSCALL);
        if !self.long() || entry >= 4096 || entry & 0x3ff != 0 {
            return None;
        }
        // gettimeofday, time, getcpu
        let number = *[96, 201, 309].get((entry >> 10) as usize)?;
        let sp = self.r(cpu, regs::RSP);
        let back: u64 = mm.mem().read(sp).ok()?;
        self.set_r(cpu, regs::RSP, sp.wrapping_add(8));
        cpu.set_pc(back);
        let (_, args) = self.syscall_regs(cpu);
        Some(Trap::Call { abi: self.abi(), number, args })
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

    fn fault(&self, mm: &Mm, cpu: &CpuState, old: FaultState, at: &FaultAt) -> (SigInfo, FaultState) {
        // Addresses that have no page tables are a matter of protection, not of paging.
        let canonical = ((at.address << 16) as i64 >> 16) as u64 == at.address;
        if self.long() && (at.wild || !canonical) {
            let (sig, vector) = if !at.fetch && self.is_stack_access(mm, cpu) {
                (libc::SIGBUS, vector::SS)
            } else {
                (libc::SIGSEGV, vector::GP)
            };
            let code = signal::fault_code(vector, 0);
            return (SigInfo::fault(sig, code::SI_KERNEL, 0), FaultState { code, ..old });
        }
        if at.code == code::BUS_ADRALN && at.sig == libc::SIGBUS {
            // An SSE operand has to be aligned always, and the exception is another one then.
            if state::load(&self.slots, cpu).flags & regs::eflags::AC == 0 {
                let code = signal::fault_code(vector::GP, 0);
                return (SigInfo::fault(libc::SIGSEGV, code::SI_KERNEL, 0), FaultState { code, ..old });
            }
            let code = signal::fault_code(vector::AC, 0);
            return (SigInfo::fault(at.sig, at.code, 0), FaultState { code, ..old });
        }
        let kernels = self.long() && at.address >= self.placement().task_size;
        let present = kernels || at.code == code::SEGV_ACCERR && self.is_present(mm, at.address);
        let state = signal::page_fault(at.address, at.host_write.unwrap_or(at.write), at.fetch, present);
        (SigInfo::fault(at.sig, at.code, at.address), state)
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
        if !self.long() {
            return self.call32(cpu);
        }
        // The number is an int: the kernel looks at eax.
        let order = [regs::RDI, regs::RSI, regs::RDX, 10, 8, 9];
        (self.r(cpu, regs::RAX) & 0xffff_ffff, order.map(|n| self.r(cpu, n)))
    }

    fn mark_call(&self, cpu: &mut CpuState, number: Option<u64>) {
        cpu.write_u64(self.at(regs::ORIG_RAX), number.unwrap_or(u64::MAX));
        if number.is_some() {
            self.set_result(cpu, Err(Errno::ENOSYS));
        }
    }

    fn marked_call(&self, cpu: &CpuState) -> Option<u64> {
        Some(cpu.read_u64(self.at(regs::ORIG_RAX)) & 0xffff_ffff)
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

    fn check_clone_tls(&self, mem: GuestMem, tls: u64) -> Result<(), Errno> {
        if self.long() {
            // Above user space: what `arch_prctl` refuses too.
            return if tls < self.placement().task_size { Ok(()) } else { Err(Errno::EPERM) };
        }
        calls::check_clone_tls(mem, tls)
    }

    fn set_clone_tls(&self, cpu: &mut CpuState, mem: GuestMem, tls: u64) {
        if self.long() {
            self.set_tls(cpu, tls);
        } else {
            calls::set_clone_tls(cpu, mem, tls);
        }
    }

    fn start(&self, cpu: &mut CpuState, entry: u64, sp: u64) {
        cpu.state_mut().fill(0);
        regs::reset(&self.slots, cpu.state_mut(), self.cpu.bits);
        cpu.write_u32(self.at(regs::FLAGS), regs::eflags_parts(0).0);
        cpu.write_u64(self.at(regs::ORIG_RAX), u64::MAX);
        // The kernel's selectors: user code and data (`asm/segment.h`).
        self.set_selector(cpu, Seg::Cs, if self.long() { USER_CS } else { USER32_CS });
        self.set_selector(cpu, Seg::Ss, USER_DS);
        if !self.long() {
            self.set_selector(cpu, Seg::Ds, USER_DS);
            self.set_selector(cpu, Seg::Es, USER_DS);
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

    fn has_low_flag(&self) -> bool {
        self.long()
    }

    fn unsaid_stack_executes_all(&self) -> bool {
        !self.long()
    }

    fn libc_package(&self) -> &'static str {
        if self.long() { "libc6:amd64" } else { "libc6:i386" }
    }

    fn hwcaps(&self) -> Hwcaps {
        // HWCAP2: FSGSBASE (bit 1) can be used.
        let hwcap2 = if self.cpu.has(Feature::Fsgsbase) { 2 } else { 0 };
        Hwcaps { hwcap: u64::from(self.cpu.feature_bits()), hwcap2, hwcap3: None }
    }

    fn platform(&self) -> &'static str {
        if self.long() { "x86_64" } else { "i686" }
    }

    fn min_signal_stack(&self) -> u64 {
        self.shape.largest() as u64
    }

    fn vdso(&self) -> Option<&Vdso> {
        Some(&self.vdso.vdso)
    }

    fn cpuinfo(&self, processors: usize) -> String {
        facts::cpuinfo(&self.cpu, processors)
    }

    fn state_components(&self) -> u64 {
        self.shape.components
    }

    fn short_ids(&self) -> bool {
        !self.long()
    }

    fn dump(&self, engine: &Engine, cpu: &CpuState, vectors: bool) -> String {
        use std::fmt::Write;
        let all = state::load(&self.slots, cpu);
        let mut out = String::new();
        let order: &[(&str, usize)] = if self.long() { &DUMP64 } else { &DUMP32 };
        let digits = if self.long() { 16 } else { 8 };
        for (n, (name, reg)) in order.iter().enumerate() {
            let separator = if n % 4 == 3 { "\n" } else { " " };
            let _ = write!(out, "{name:<3}={:0digits$x}{separator}", all.r[*reg]);
        }
        let names = [(11, 'O'), (10, 'D'), (7, 'S'), (6, 'Z'), (4, 'A'), (2, 'P'), (0, 'C')];
        let flags: String =
            names.iter().map(|(bit, name)| if all.flags >> bit & 1 != 0 { *name } else { '-' }).collect();
        let ip = if self.long() { "RIP" } else { "EIP" };
        let _ = writeln!(out, "{ip}={:0digits$x} EFL={:08x} [{flags}]", all.ip, all.flags);
        for (n, name) in ["ES", "CS", "SS", "DS", "FS", "GS"].into_iter().enumerate() {
            let _ = writeln!(out, "{name} ={:04x} {:0digits$x}", all.selectors[n], all.bases[n]);
        }
        if vectors {
            let area = self.area(engine, cpu);
            let _ = writeln!(
                out,
                "FCW={:04x} FSW={:04x} [ST={}] FTW={:02x} MXCSR={:08x}",
                xstate::u16_at(&area, 0),
                xstate::u16_at(&area, 2),
                xstate::u16_at(&area, 2) >> 11 & 7,
                area[4],
                xstate::u32_at(&area, 24)
            );
            for n in 0..if self.long() { 16 } else { 8 } {
                let at = 160 + 16 * n;
                let (low, high) = (xstate::u64_at(&area, at), xstate::u64_at(&area, at + 8));
                let _ =
                    write!(out, "XMM{n:02}={high:016x} {low:016x}{}", if n % 2 == 1 { "\n" } else { " " });
            }
        }
        out
    }

    fn regsets(&self) -> &'static [u32] {
        match (self.long(), self.shape.components != 0) {
            (true, true) => &[nt::PRSTATUS, nt::PRFPREG, nt::X86_XSTATE],
            (true, false) => &[nt::PRSTATUS, nt::PRFPREG],
            (false, true) => &[nt::PRSTATUS, nt::PRFPREG, nt::PRXFPREG, nt::X86_XSTATE, nt::I386_TLS],
            (false, false) => &[nt::PRSTATUS, nt::PRFPREG, nt::PRXFPREG, nt::I386_TLS],
        }
    }

    fn regset(&self, engine: &Engine, cpu: &CpuState, note: u32) -> Option<Vec<u8>> {
        let all = state::load(&self.slots, cpu);
        Some(match note {
            nt::PRSTATUS if self.long() => {
                user_regs64(&all).iter().flat_map(|word| word.to_le_bytes()).collect()
            }
            nt::PRSTATUS => user_regs32(&all).iter().flat_map(|word| (*word as u32).to_le_bytes()).collect(),
            nt::PRFPREG if !self.long() => {
                let (cs, ds) = (all.selectors[Seg::Cs as usize], all.selectors[Seg::Ds as usize]);
                xstate::to_fsave(&self.area(engine, cpu), cs, ds).to_vec()
            }
            nt::PRFPREG | nt::PRXFPREG => self.area(engine, cpu)[..xstate::FXSAVE].to_vec(),
            nt::X86_XSTATE if self.shape.components != 0 => {
                let mut area = self.area(engine, cpu);
                // The kernel says in the first software word which components there are.
                area[xstate::SW_RESERVED..xstate::SW_RESERVED + 8]
                    .copy_from_slice(&self.shape.components.to_le_bytes());
                area
            }
            nt::I386_TLS if !self.long() => calls::tls_note(&state::tls(&self.slots, cpu)),
            _ => return None,
        })
    }

    fn regset_unit(&self, note: u32) -> usize {
        if note == nt::X86_XSTATE || self.long() { 8 } else { 4 }
    }

    fn set_regset(&self, engine: &Engine, cpu: &mut CpuState, note: u32, bytes: &[u8]) -> bool {
        match note {
            nt::PRSTATUS => {
                let old = state::load(&self.slots, cpu);
                let Some(mut all) =
                    (if self.long() { from_user64(&old, bytes) } else { from_user32(&old, bytes) })
                else {
                    return false;
                };
                let own_bases = self.long() && (all.bases != old.bases);
                for s in regs::SEGS {
                    if all.selectors[s as usize] != old.selectors[s as usize] && !own_bases {
                        state::reload(&self.slots, cpu, &mut all, s);
                    }
                }
                state::store(&self.slots, cpu, &all);
                true
            }
            nt::PRFPREG if !self.long() && bytes.len() == xstate::FSAVE => {
                let mut area = self.area(engine, cpu);
                xstate::from_fsave(bytes, &mut area);
                xstate::restore(engine, &self.slots, cpu, &area, self.shape.components)
            }
            nt::PRFPREG | nt::PRXFPREG if bytes.len() == xstate::FXSAVE => {
                let mut area = self.area(engine, cpu);
                area[..xstate::FXSAVE].copy_from_slice(bytes);
                xstate::restore(engine, &self.slots, cpu, &area, self.shape.components)
            }
            nt::X86_XSTATE if self.shape.components != 0 => {
                xstate::restore(engine, &self.slots, cpu, bytes, self.shape.components)
            }
            _ => false,
        }
    }

    fn legacy_ptrace(&self, request: u64) -> Option<Legacy> {
        let set = |note, write| Some(Legacy::Set { note, write });
        match request {
            // PEEKUSER, POKEUSER: `struct user` begins with the registers; behind them is what is not kept.
            3 => Some(Legacy::Peek { end: if self.long() { 912 } else { 284 } }),
            6 => Some(Legacy::Poke { end: if self.long() { 912 } else { 284 } }),
            12 => set(nt::PRSTATUS, false),
            13 => set(nt::PRSTATUS, true),
            14 => set(nt::PRFPREG, false),
            15 => set(nt::PRFPREG, true),
            18 if !self.long() => set(nt::PRXFPREG, false),
            19 if !self.long() => set(nt::PRXFPREG, true),
            _ => None,
        }
    }

    fn gdb_description(&self) -> &str {
        &self.target_xml
    }

    fn gdb_registers(&self) -> &[GdbRegister] {
        &self.gdb
    }

    fn gdb_read(&self, engine: &Engine, cpu: &CpuState, index: usize) -> Vec<u8> {
        use gdb::Place;
        let Some(register) = self.registers.get(index) else { return Vec::new() };
        let all = state::load(&self.slots, cpu);
        let word = |value: u64| value.to_le_bytes()[..self.cpu.bits as usize / 8].to_vec();
        match register.place {
            Place::General(n) => word(all.r[n as usize]),
            Place::Ip => word(all.ip),
            Place::Orig => word(all.orig_rax),
            Place::Flags => all.flags.to_le_bytes().to_vec(),
            Place::Selector(n) => u32::from(all.selectors[n]).to_le_bytes().to_vec(),
            Place::Base(n) => all.bases[n].to_le_bytes().to_vec(),
            Place::Xmm(n) => cpu.read_u128(self.at(regs::xmm(n))).to_le_bytes().to_vec(),
            Place::YmmHigh(n) => cpu.read_u128(self.at(regs::ymm_high(n))).to_le_bytes().to_vec(),
            Place::Mxcsr => state::mxcsr(engine, &self.slots, cpu).to_le_bytes().to_vec(),
            Place::St(n) => self.area(engine, cpu)[32 + 16 * n..][..10].to_vec(),
            Place::Control(n) => {
                let f = xstate::to_fsave(&self.area(engine, cpu), all.selectors[1], all.selectors[3]);
                let value = match n {
                    0..=2 => xstate::u32_at(&f, 4 * n) & 0xffff,
                    3 => u32::from(xstate::u16_at(&f, 16)),
                    4 => xstate::u32_at(&f, 12),
                    5 => u32::from(xstate::u16_at(&f, 24)),
                    6 => xstate::u32_at(&f, 20),
                    _ => u32::from(xstate::u16_at(&f, 18)),
                };
                value.to_le_bytes().to_vec()
            }
        }
    }

    fn gdb_write(&self, engine: &Engine, cpu: &mut CpuState, index: usize, value: &[u8]) {
        use gdb::Place;
        let Some(register) = self.registers.get(index) else { return };
        let mut wide = [0; 16];
        let len = value.len().min(16);
        wide[..len].copy_from_slice(&value[..len]);
        let full = u128::from_le_bytes(wide);
        let number = full as u64;
        let mut all = state::load(&self.slots, cpu);
        match register.place {
            Place::General(n) => all.r[n as usize] = number,
            Place::Ip => all.ip = number,
            Place::Orig => all.orig_rax = number,
            Place::Flags => all.flags = number as u32,
            Place::Base(n) => all.bases[n] = number,
            Place::Selector(n) => {
                all.selectors[n] = number as u16;
                state::reload(&self.slots, cpu, &mut all, regs::SEGS[n]);
            }
            Place::Xmm(n) => return cpu.write_u128(self.at(regs::xmm(n)), full),
            Place::YmmHigh(n) => return cpu.write_u128(self.at(regs::ymm_high(n)), full),
            Place::Mxcsr => return state::set_mxcsr(engine, &self.slots, cpu, number as u32),
            Place::St(n) => {
                let mut area = self.area(engine, cpu);
                area[32 + 16 * n..][..10].copy_from_slice(&wide[..10]);
                xstate::restore(engine, &self.slots, cpu, &area, self.shape.components);
                return;
            }
            Place::Control(n) => {
                let mut area = self.area(engine, cpu);
                let mut f = xstate::to_fsave(&area, all.selectors[1], all.selectors[3]);
                let low = (number as u16).to_le_bytes();
                match n {
                    0..=2 => f[4 * n..4 * n + 2].copy_from_slice(&low),
                    4 => f[12..16].copy_from_slice(&wide[..4]),
                    6 => f[20..24].copy_from_slice(&wide[..4]),
                    7 => f[18..20].copy_from_slice(&low),
                    // Selectors of the last instruction and operand are not kept.
                    _ => return,
                }
                xstate::from_fsave(&f, &mut area);
                xstate::restore(engine, &self.slots, cpu, &area, self.shape.components);
                return;
            }
        }
        state::store(&self.slots, cpu, &all);
    }
}

const DUMP64: [(&str, usize); 16] = [
    ("RAX", 0),
    ("RBX", 3),
    ("RCX", 1),
    ("RDX", 2),
    ("RSI", 6),
    ("RDI", 7),
    ("RBP", 5),
    ("RSP", 4),
    ("R8", 8),
    ("R9", 9),
    ("R10", 10),
    ("R11", 11),
    ("R12", 12),
    ("R13", 13),
    ("R14", 14),
    ("R15", 15),
];
const DUMP32: [(&str, usize); 8] =
    [("EAX", 0), ("EBX", 3), ("ECX", 1), ("EDX", 2), ("ESI", 6), ("EDI", 7), ("EBP", 5), ("ESP", 4)];

/// General registers in the order of 64-bit `user_regs_struct`, before orig_rax.
const USER64: [usize; 15] = [15, 14, 13, 12, 5, 3, 11, 10, 9, 8, 0, 1, 2, 6, 7];
/// Those of the 32-bit one.
const USER32: [usize; 7] = [3, 1, 2, 6, 7, 5, 0];

/// 64-bit `user_regs_struct`.
fn user_regs64(all: &Regs) -> [u64; 27] {
    let mut words = [0; 27];
    for (word, n) in words.iter_mut().zip(USER64) {
        *word = all.r[n];
    }
    let s = |n: Seg| u64::from(all.selectors[n as usize]);
    words[15] = all.orig_rax;
    words[16] = all.ip;
    words[17] = s(Seg::Cs);
    words[18] = u64::from(all.flags);
    words[19] = all.r[4];
    words[20] = s(Seg::Ss);
    words[21] = all.bases[Seg::Fs as usize];
    words[22] = all.bases[Seg::Gs as usize];
    for (n, seg) in [Seg::Ds, Seg::Es, Seg::Fs, Seg::Gs].into_iter().enumerate() {
        words[23 + n] = s(seg);
    }
    words
}

fn from_user64(old: &Regs, bytes: &[u8]) -> Option<Regs> {
    if bytes.len() != 27 * 8 {
        return None;
    }
    let word = |n: usize| xstate::u64_at(bytes, 8 * n);
    let mut all = *old;
    for (n, reg) in USER64.into_iter().enumerate() {
        all.r[reg] = word(n);
    }
    all.orig_rax = word(15);
    all.ip = word(16);
    all.selectors[Seg::Cs as usize] = word(17) as u16;
    all.flags = word(18) as u32;
    all.r[4] = word(19);
    all.selectors[Seg::Ss as usize] = word(20) as u16;
    all.bases[Seg::Fs as usize] = word(21);
    all.bases[Seg::Gs as usize] = word(22);
    for (n, seg) in [Seg::Ds, Seg::Es, Seg::Fs, Seg::Gs].into_iter().enumerate() {
        all.selectors[seg as usize] = word(23 + n) as u16;
    }
    Some(all)
}

/// 32-bit `user_regs_struct`.
fn user_regs32(all: &Regs) -> [u64; 17] {
    let mut words = [0; 17];
    for (word, n) in words.iter_mut().zip(USER32) {
        *word = all.r[n];
    }
    let s = |n: Seg| u64::from(all.selectors[n as usize]);
    for (n, seg) in [Seg::Ds, Seg::Es, Seg::Fs, Seg::Gs].into_iter().enumerate() {
        words[7 + n] = s(seg);
    }
    words[11] = all.orig_rax;
    words[12] = all.ip;
    words[13] = s(Seg::Cs);
    words[14] = u64::from(all.flags);
    words[15] = all.r[4];
    words[16] = s(Seg::Ss);
    words
}

fn from_user32(old: &Regs, bytes: &[u8]) -> Option<Regs> {
    if bytes.len() != 17 * 4 {
        return None;
    }
    let word = |n: usize| u64::from(xstate::u32_at(bytes, 4 * n));
    let mut all = *old;
    for (n, reg) in USER32.into_iter().enumerate() {
        all.r[reg] = word(n);
    }
    for (n, seg) in [Seg::Ds, Seg::Es, Seg::Fs, Seg::Gs].into_iter().enumerate() {
        all.selectors[seg as usize] = word(7 + n) as u16;
    }
    all.orig_rax = word(11) as u32 as i32 as i64 as u64;
    all.ip = word(12);
    all.selectors[Seg::Cs as usize] = word(13) as u16;
    all.flags = word(14) as u32;
    all.r[4] = word(15);
    all.selectors[Seg::Ss as usize] = word(16) as u16;
    Some(all)
}
