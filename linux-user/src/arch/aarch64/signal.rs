//! AArch64 signal frames, byte for byte as the kernel's `arch/arm64/kernel/signal.c` lays them out.
//!
//! Input: registers and a [`Frame`] request; output: the bytes of the frame, where they go, and the registers with
//! which the handler starts. [`decode`] is the inverse. Both are pure; the caller copies to and from guest memory.
//! Layout source: UAPI `asm/sigcontext.h`, `asm/ucontext.h`; offsets are checked against the cross compiler's headers.

use crate::cpu::CpuState;
use crate::guest_mem::GuestMem;
use crate::signal::{AltStack, BadFrame, FaultAt, Frame, Restored, code, sa};
use engine::Engine;
use guest_aarch64::cpu as regs;
use ir::SlotId;
use ir::state::{flags_from_mem, flags_to_mem};

/// All registers that a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Regs {
    /// X0 to X30.
    pub x: [u64; 31],
    /// Stack pointer.
    pub sp: u64,
    /// Program counter.
    pub pc: u64,
    /// Processor state: NZCV and the bits EL0 can see.
    pub pstate: u64,
    /// Floating-point status.
    pub fpsr: u32,
    /// Floating-point control.
    pub fpcr: u32,
    /// V0 to V31.
    pub v: [u128; 32],
}

impl Regs {
    /// Sets PSTATE as `sigreturn` and ptrace do; false if it has bits that user mode cannot have.
    pub fn set_pstate(&mut self, pstate: u64) -> bool {
        if pstate & PSTATE_FORBIDDEN != 0 {
            return false;
        }
        self.pstate = pstate & PSTATE_KEPT;
        true
    }
}

/// `sizeof(struct rt_sigframe)`.
pub const FRAME_SIZE: u64 = 4688;

const UC: usize = 128;
const UC_STACK: usize = UC + 16;
const UC_SIGMASK: usize = UC + 40;
const SIGCONTEXT: usize = UC + 176;
const SC_REGS: usize = SIGCONTEXT + 8;
const SC_SP: usize = SC_REGS + 31 * 8;
const SC_PC: usize = SC_SP + 8;
const SC_PSTATE: usize = SC_PC + 8;
const RESERVED: usize = SIGCONTEXT + 288;
const RESERVED_SIZE: usize = 4096;

const FPSIMD_MAGIC: u32 = 0x4650_8001;
const FPSIMD_SIZE: usize = 528;
const ESR_MAGIC: u32 = 0x4553_5201;
const ESR_SIZE: usize = 16;
const EXTRA_MAGIC: u32 = 0x4558_5401;
const TERMINATOR: usize = 16;

/// Bytes that are ever written: the rest of the reserved area stays as the stack had it.
pub const USED: usize = RESERVED + FPSIMD_SIZE + ESR_SIZE + TERMINATOR;

/// PSTATE.BTYPE after an indirect call (what a handler's landing pad may check).
const PSTATE_BTYPE_C: u64 = 2 << 10;
const PSTATE_BTYPE: u64 = 3 << 10;
const PSTATE_BTYPE_SHIFT: u32 = 10;
const PSTATE_TCO: u64 = 1 << 25;
const PSTATE_NZCV: u64 = 0xf << 28;
/// What `valid_user_regs` lets through: flags, TCO, DIT, SSBS, BTYPE (single-step and the rest are cleared silently).
const PSTATE_KEPT: u64 = PSTATE_NZCV | PSTATE_TCO | PSTATE_BTYPE | 1 << 24 | 1 << 12;
/// Mode and interrupt masks: not EL0's, so a frame that has them is refused.
const PSTATE_FORBIDDEN: u64 = 0x1f | 0x3c0;

/// A frame ready to be copied out.
pub struct Encoded {
    /// Address of the frame: the handler's stack pointer.
    pub addr: u64,
    /// Its first bytes; the last record may end before them.
    pub bytes: [u8; USED],
    /// How many of them count.
    pub len: usize,
    /// Where the frame record goes that makes unwinding pass the frame.
    pub record_addr: u64,
    /// Interrupted frame pointer and link register.
    pub record: [u64; 2],
    /// Registers for the handler.
    pub regs: Regs,
}

fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

/// Builds the frame. `trampoline` is the vDSO's `__kernel_rt_sigreturn`, `btype` whether the CPU has BTI.
pub fn encode(regs: &Regs, frame: &Frame<'_>, trampoline: u64, btype: bool) -> Encoded {
    let record_addr = frame.sp.wrapping_sub(16) & !15;
    let addr = record_addr.wrapping_sub(FRAME_SIZE);
    let mut bytes = [0; USED];
    let b = &mut bytes;
    put(b, 0, frame.info.raw);
    put(b, UC_STACK, frame.altstack.sp.to_le_bytes());
    put(b, UC_STACK + 8, frame.altstack.flags.to_le_bytes());
    put(b, UC_STACK + 16, frame.altstack.size.to_le_bytes());
    put(b, UC_SIGMASK, frame.old_mask.to_le_bytes());
    put(b, SIGCONTEXT, frame.fault.address.to_le_bytes());
    for (index, value) in regs.x.iter().enumerate() {
        put(b, SC_REGS + index * 8, value.to_le_bytes());
    }
    put(b, SC_SP, regs.sp.to_le_bytes());
    put(b, SC_PC, regs.pc.to_le_bytes());
    put(b, SC_PSTATE, regs.pstate.to_le_bytes());
    let mut at = RESERVED;
    put(b, at, FPSIMD_MAGIC.to_le_bytes());
    put(b, at + 4, (FPSIMD_SIZE as u32).to_le_bytes());
    put(b, at + 8, regs.fpsr.to_le_bytes());
    put(b, at + 12, regs.fpcr.to_le_bytes());
    for (index, value) in regs.v.iter().enumerate() {
        put(b, at + 16 + index * 16, value.to_le_bytes());
    }
    at += FPSIMD_SIZE;
    if frame.fault.code != 0 {
        put(b, at, ESR_MAGIC.to_le_bytes());
        put(b, at + 4, (ESR_SIZE as u32).to_le_bytes());
        put(b, at + 8, frame.fault.code.to_le_bytes());
        at += ESR_SIZE;
    }
    let len = at + TERMINATOR;

    let mut new = *regs;
    new.x[0] = frame.sig as u64;
    if frame.action.flags & sa::SIGINFO != 0 {
        new.x[1] = addr;
        new.x[2] = addr + UC as u64;
    }
    new.x[29] = record_addr;
    new.x[30] = if frame.action.flags & sa::RESTORER != 0 { frame.action.restorer } else { trampoline };
    new.sp = addr;
    new.pc = frame.action.handler;
    new.pstate &= !(PSTATE_BTYPE | PSTATE_TCO);
    if btype {
        new.pstate |= PSTATE_BTYPE_C;
    }
    Encoded { addr, bytes, len, record_addr, record: [regs.x[29], regs.x[30]], regs: new }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Reads a frame (all [`FRAME_SIZE`] bytes of it) back, with the kernel's checks.
pub fn decode(bytes: &[u8]) -> Result<(Regs, Restored), BadFrame> {
    let bytes = bytes.get(..FRAME_SIZE as usize).ok_or(BadFrame)?;
    let mut regs = Regs {
        sp: u64_at(bytes, SC_SP),
        pc: u64_at(bytes, SC_PC),
        pstate: u64_at(bytes, SC_PSTATE),
        ..Regs::default()
    };
    for (index, value) in regs.x.iter_mut().enumerate() {
        *value = u64_at(bytes, SC_REGS + index * 8);
    }
    let pstate = regs.pstate;
    if !regs.set_pstate(pstate) {
        return Err(BadFrame);
    }
    let fpsimd = find_fpsimd(bytes).ok_or(BadFrame)?;
    regs.fpsr = u32_at(bytes, fpsimd + 8);
    regs.fpcr = u32_at(bytes, fpsimd + 12);
    for (index, value) in regs.v.iter_mut().enumerate() {
        let at = fpsimd + 16 + index * 16;
        *value = u128::from_le_bytes(bytes[at..at + 16].try_into().expect("sixteen bytes"));
    }
    let altstack = AltStack {
        sp: u64_at(bytes, UC_STACK),
        flags: u32_at(bytes, UC_STACK + 8),
        size: u64_at(bytes, UC_STACK + 16),
    };
    Ok((regs, Restored { mask: u64_at(bytes, UC_SIGMASK), altstack: Some(altstack) }))
}

/// The kernel's `parse_user_sigframe`: exactly one FPSIMD record, no unknown ones, all in bounds and aligned.
fn find_fpsimd(bytes: &[u8]) -> Option<usize> {
    let mut offset = 0;
    let mut found = None;
    loop {
        if RESERVED_SIZE - offset < 8 || offset % 16 != 0 {
            return None;
        }
        let at = RESERVED + offset;
        let (magic, size) = (u32_at(bytes, at), u32_at(bytes, at + 4) as usize);
        if RESERVED_SIZE - offset < size {
            return None;
        }
        match magic {
            0 => return if size == 0 { found } else { None },
            FPSIMD_MAGIC => {
                if found.is_some() || size != FPSIMD_SIZE {
                    return None;
                }
                found = Some(at);
            }
            ESR_MAGIC => {}
            // Nothing that we write needs the extra space, which must follow the frame directly.
            EXTRA_MAGIC => return None,
            _ => return None,
        }
        if size < 8 {
            return None;
        }
        offset += size;
    }
}

/// PSTATE bits that have slots.
const PSTATE_SSBS: u64 = 1 << 12;
const PSTATE_DIT: u64 = 1 << 24;
/// FPSR: cumulative exception flags and saturation.
const FPSR_FLAGS: u32 = 0x9f;
const FPSR_QC: u32 = 1 << 27;

/// Reads all registers of a CPU.
pub fn load(engine: &Engine, cpu: &CpuState) -> Regs {
    let slots = engine.guest().slots();
    let at = |id: SlotId| slots.get(id).offset as usize;
    let nzcv = flags_from_mem(cpu.read_u32(at(regs::NZCV))) & 15;
    let bit = |id: SlotId, bit: u64| if cpu.read_u32(at(id)) != 0 { bit } else { 0 };
    let btype = cpu.header().entry_mode >> regs::MODE_BTYPE_SHIFT & 3 | cpu.read_u32(at(regs::BTYPE)) & 3;
    Regs {
        x: std::array::from_fn(|n| cpu.read_u64(at(regs::x(n as u32)))),
        sp: cpu.read_u64(at(regs::SP)),
        pc: cpu.pc(),
        pstate: u64::from(nzcv) << 28
            | bit(regs::DIT, PSTATE_DIT)
            | bit(regs::SSBS, PSTATE_SSBS)
            | u64::from(btype) << PSTATE_BTYPE_SHIFT,
        fpsr: engine.fp_flags(cpu) & FPSR_FLAGS | if cpu.header().sat != 0 { FPSR_QC } else { 0 },
        fpcr: cpu.read_u32(at(regs::FPCR)),
        v: std::array::from_fn(|n| cpu.read_u128(at(regs::v(n as u32)))),
    }
}

/// Writes all registers of a CPU.
pub fn store(engine: &Engine, cpu: &mut CpuState, values: &Regs) {
    let slots = engine.guest().slots();
    let at = |id: SlotId| slots.get(id).offset as usize;
    for (n, value) in values.x.iter().enumerate() {
        cpu.write_u64(at(regs::x(n as u32)), *value);
    }
    cpu.write_u64(at(regs::SP), values.sp);
    cpu.set_pc(values.pc);
    cpu.write_u32(at(regs::NZCV), flags_to_mem((values.pstate >> 28) as u8 & 15));
    cpu.write_u32(at(regs::DIT), u32::from(values.pstate & PSTATE_DIT != 0));
    cpu.write_u32(at(regs::SSBS), u32::from(values.pstate & PSTATE_SSBS != 0));
    let btype = (values.pstate & PSTATE_BTYPE) >> PSTATE_BTYPE_SHIFT;
    cpu.header_mut().entry_mode = (btype as u32) << regs::MODE_BTYPE_SHIFT;
    cpu.write_u32(at(regs::BTYPE), 0);
    cpu.write_u32(at(regs::FPCR), values.fpcr);
    // FPCR.RMode and the engine's rounding modes have the same numbers.
    engine.set_fp(cpu, values.fpsr & FPSR_FLAGS, values.fpcr >> 22 & 3);
    cpu.header_mut().sat = u32::from(values.fpsr & FPSR_QC != 0);
    for (n, value) in values.v.iter().enumerate() {
        cpu.write_u128(at(regs::v(n as u32)), *value);
    }
    cpu.clear_monitor();
}

/// Writes a frame to guest memory and enters the handler.
pub fn push(
    engine: &Engine,
    cpu: &mut CpuState,
    mem: GuestMem,
    frame: &Frame<'_>,
    trampoline: u64,
) -> Result<(), BadFrame> {
    let btype = engine.guest().attributes_mode() != 0;
    let encoded = encode(&load(engine, cpu), frame, trampoline, btype);
    let record: Vec<u8> = encoded.record.iter().flat_map(|word| word.to_le_bytes()).collect();
    // The kernel touches the whole frame first, so that one which does not fit is refused as a whole.
    mem.copy_out(encoded.record_addr, &record).map_err(|_| BadFrame)?;
    mem.copy_out(encoded.addr, &encoded.bytes[..encoded.len]).map_err(|_| BadFrame)?;
    store(engine, cpu, &encoded.regs);
    Ok(())
}

/// Restores what the frame at SP holds.
pub fn pop(engine: &Engine, cpu: &mut CpuState, mem: GuestMem) -> Result<Restored, BadFrame> {
    let sp = load(engine, cpu).sp;
    if sp & 15 != 0 {
        return Err(BadFrame);
    }
    let mut bytes = vec![0; FRAME_SIZE as usize];
    mem.copy_in(sp, &mut bytes).map_err(|_| BadFrame)?;
    let (values, restored) = decode(&bytes)?;
    store(engine, cpu, &values);
    Ok(restored)
}

/// ESR_EL1 of an abort from EL0, as the kernel shows it to user space.
pub fn syndrome(fault: &FaultAt) -> u64 {
    const EC_INSTRUCTION_ABORT: u64 = 0x20;
    const EC_DATA_ABORT: u64 = 0x24;
    const IL: u64 = 1 << 25;
    const WNR: u64 = 1 << 6;
    let class = if fault.fetch { EC_INSTRUCTION_ABORT } else { EC_DATA_ABORT };
    let status = match (fault.sig, fault.code) {
        (libc::SIGBUS, code::BUS_ADRALN) => 0x21,
        (libc::SIGBUS, _) => 0x10,
        (_, code::SEGV_ACCERR) => 0x0f,
        _ => 0x07,
    };
    class << 26 | IL | status | if fault.write && !fault.fetch { WNR } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{FaultState, SigAction, SigInfo};

    fn sample() -> Regs {
        let mut regs = Regs {
            sp: 0x7fff_0008_1230,
            pc: 0x40_1000,
            pstate: 0xa000_0000 | 1 << 12,
            fpsr: 0x1f,
            fpcr: 0x0040_0000,
            ..Regs::default()
        };
        for (index, x) in regs.x.iter_mut().enumerate() {
            *x = 0x0101_0101_0101_0101 * (index as u64 + 1);
        }
        for (index, v) in regs.v.iter_mut().enumerate() {
            *v = u128::from(index as u64 + 1) << 64 | 7;
        }
        regs
    }

    fn build(regs: &Regs, flags: u64, fault: FaultState) -> Encoded {
        let info = SigInfo::fault(11, 1, 0xdead_0000);
        let action = SigAction { handler: 0x40_2000, flags, restorer: 0x40_3000, mask: 0 };
        let altstack = AltStack { sp: 0x5000, size: 0x2000, flags: 0 };
        let frame = Frame {
            sig: 11,
            info: &info,
            action,
            old_mask: 0x55,
            altstack,
            sp: regs.sp,
            fault,
            forced: true,
        };
        encode(regs, &frame, 0x99_0000, true)
    }

    fn whole(encoded: &Encoded) -> Vec<u8> {
        let mut bytes = vec![0; FRAME_SIZE as usize];
        bytes[..encoded.len].copy_from_slice(&encoded.bytes[..encoded.len]);
        bytes
    }

    #[test]
    fn sigreturn_of_a_frame_gives_the_same_registers() {
        let regs = sample();
        for fault in [FaultState::default(), FaultState { address: 0xdead_0000, code: 0x9200_0007 }] {
            let (back, restored) = decode(&whole(&build(&regs, sa::SIGINFO, fault))).expect("a good frame");
            assert_eq!(back, regs);
            assert_eq!(restored.mask, 0x55);
            assert_eq!(restored.altstack, Some(AltStack { sp: 0x5000, size: 0x2000, flags: 0 }));
        }
    }

    #[test]
    fn frame_has_the_kernels_offsets() {
        let regs = sample();
        let fault = FaultState { address: 0xdead_0000, code: 0x9200_0047 };
        let e = build(&regs, sa::SIGINFO | sa::RESTORER, fault);
        assert_eq!(e.record_addr, 0x7fff_0008_1220);
        assert_eq!(e.addr, e.record_addr - 4688);
        assert_eq!(u32_at(&e.bytes, 0), 11, "si_signo");
        assert_eq!(u64_at(&e.bytes, 16), 0xdead_0000, "si_addr");
        assert_eq!(u64_at(&e.bytes, 144), 0x5000, "uc_stack.ss_sp");
        assert_eq!(u64_at(&e.bytes, 168), 0x55, "uc_sigmask");
        assert_eq!(u64_at(&e.bytes, 304), 0xdead_0000, "fault_address");
        assert_eq!(u64_at(&e.bytes, 312), regs.x[0], "regs[0]");
        assert_eq!(u64_at(&e.bytes, 560), regs.sp, "sp");
        assert_eq!(u64_at(&e.bytes, 568), regs.pc, "pc");
        assert_eq!(u64_at(&e.bytes, 576), regs.pstate, "pstate");
        assert_eq!(u32_at(&e.bytes, 592), FPSIMD_MAGIC, "first record, 16-byte aligned");
        assert_eq!(u32_at(&e.bytes, 592 + 528), ESR_MAGIC);
        assert_eq!(u64_at(&e.bytes, 592 + 536), 0x9200_0047);
        assert_eq!(e.len, 592 + 528 + 16 + 16);
        assert_eq!((e.regs.x[0], e.regs.x[1], e.regs.x[2]), (11, e.addr, e.addr + 128));
        assert_eq!((e.regs.x[29], e.regs.x[30]), (e.record_addr, 0x40_3000));
        assert_eq!((e.regs.sp, e.regs.pc), (e.addr, 0x40_2000));
        assert_eq!(e.record, [regs.x[29], regs.x[30]]);
    }

    #[test]
    fn plain_handler_keeps_x1_and_returns_through_the_vdso() {
        let regs = sample();
        let e = build(&regs, 0, FaultState::default());
        assert_eq!((e.regs.x[1], e.regs.x[30]), (regs.x[1], 0x99_0000));
    }

    #[test]
    fn damaged_frames_are_refused() {
        let regs = sample();
        let good = whole(&build(&regs, 0, FaultState::default()));
        let damage = |at: usize, value: u32| {
            let mut bytes = good.clone();
            put(&mut bytes, at, value.to_le_bytes());
            decode(&bytes)
        };
        assert!(decode(&good).is_ok());
        assert_eq!(damage(RESERVED, 0), Err(BadFrame), "no FPSIMD record");
        assert_eq!(damage(RESERVED + 4, 520), Err(BadFrame), "wrong size");
        assert_eq!(damage(RESERVED + 528, 0x1234), Err(BadFrame), "unknown record");
        assert_eq!(damage(SC_PSTATE, 0x5), Err(BadFrame), "EL1 mode");
        assert_eq!(decode(&good[..4000]).map(|_| ()), Err(BadFrame), "short");
    }
}
