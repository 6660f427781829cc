//! x86 signal frames, byte for byte as the kernel's `arch/x86/kernel/signal_64.c` and `signal_32.c` lay them out, and what
//! traps mean as signals (`arch/x86/kernel/traps.c`).
//!
//! Layout source: UAPI `asm/sigcontext.h`, `asm/ucontext.h`, the kernel's `asm/sigframe.h`. Building is pure. Three frames:
//! 64-bit, 32-bit with siginfo, 32-bit of the old form.

use super::state::Regs;
use super::xstate::{self, FXSAVE, SW_RESERVED, u32_at, u64_at};
use crate::guest_mem::GuestMem;
use crate::signal::{AltStack, BadFrame, FaultState, Frame, Restored, SigInfo, Trap, code, sa};
use guest_x86::cpu::{RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP, Seg, eflags, trap as vector};
use guest_x86::segments::{USER_CS, USER_DS, USER32_CS};
use ir::TrapKind;
use syscall_tables::Arch;

/// Behind the legacy region: more follows.
const MAGIC1: u32 = 0x4650_5853;
/// Behind the area: it is whole.
const MAGIC2: u32 = 0x4650_5845;
/// The 387's form and the kernel's words behind it, in front of the area in 32-bit frames.
const FREGS: usize = 112;
/// `struct sigcontext_64` and `struct ucontext` around it.
const UC64: usize = 8;
const INFO64: usize = UC64 + 304;
const SIZE64: usize = INFO64 + 128;
/// Where the 32-bit frames have their parts.
const SC32: usize = 8;
const EXTRAMASK: usize = SC32 + 88 + 624;
const RETCODE_OLD: usize = EXTRAMASK + 4;
const SIZE_OLD: usize = RETCODE_OLD + 8;
const INFO32: usize = 16;
const UC32: usize = INFO32 + 128;
const RETCODE_RT: usize = UC32 + 20 + 88 + 8;
const SIZE_RT: usize = RETCODE_RT + 8;
/// What sigreturn takes of EFLAGS.
const RESTORED_FLAGS: u32 = eflags::AC
    | eflags::OF
    | eflags::DF
    | eflags::TF
    | eflags::SF
    | eflags::ZF
    | eflags::AF
    | eflags::PF
    | eflags::CF;
/// Bytes below the stack pointer that 64-bit functions may use.
const RED_ZONE: u64 = 128;

/// What frames depend on besides registers.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// 64-bit programs.
    pub long: bool,
    /// Components of the XSAVE area; zero without XSAVE.
    pub components: u64,
    /// FXSAVE exists.
    pub fxsr: bool,
}

/// A built frame.
#[derive(Debug)]
pub struct Built {
    /// Address of the frame.
    pub addr: u64,
    /// Its bytes; the floating-point state is behind them.
    pub bytes: Vec<u8>,
    /// Address of the floating-point state.
    pub fp: u64,
    /// Its bytes.
    pub fp_bytes: Vec<u8>,
    /// Registers for the handler.
    pub regs: Regs,
}

fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

fn u16_of(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// The thread's fault state, in two halves: the vector and its error code.
pub fn fault_code(vector: u64, error: u64) -> u64 {
    vector << 32 | error & 0xffff_ffff
}

impl Shape {
    /// Bytes of a 32-bit or 64-bit frame's floating-point state.
    fn fp_size(&self) -> usize {
        let area = xstate::size(self.components) + if self.components == 0 { 0 } else { 4 };
        match (self.long, self.fxsr) {
            (true, _) => area,
            (false, true) => FREGS + area,
            (false, false) => FREGS,
        }
    }

    /// AT_MINSIGSTKSZ: the largest frame with its alignments (`get_sigframe_size`).
    pub fn largest(&self) -> usize {
        let (frame, padding) =
            if self.long { (SIZE64, 8 + 15 + 63) } else { (SIZE_RT.max(SIZE_OLD), 4 + 15 + 63) };
        (frame + padding + self.fp_size()).next_multiple_of(8)
    }

    /// The floating-point state as the frame has it, from the area's image.
    fn fp_bytes(&self, mut area: Vec<u8>, regs: &Regs) -> Vec<u8> {
        if self.components != 0 {
            let size = area.len() as u32;
            put(&mut area, SW_RESERVED, MAGIC1.to_le_bytes());
            // All that the pointer in the frame leads to.
            let front = if self.long { 0 } else { FREGS as u32 };
            put(&mut area, SW_RESERVED + 4, (front + size + 4).to_le_bytes());
            put(&mut area, SW_RESERVED + 8, self.components.to_le_bytes());
            put(&mut area, SW_RESERVED + 16, size.to_le_bytes());
            area.extend(MAGIC2.to_le_bytes());
        }
        if self.long {
            return area;
        }
        let (cs, ds) = (regs.selectors[Seg::Cs as usize], regs.selectors[Seg::Ds as usize]);
        let mut out = xstate::to_fsave(&area, cs, ds).to_vec();
        out.extend(xstate::u16_at(&area, 2).to_le_bytes());
        // The magic that says whether an FXSAVE image follows.
        out.extend(if self.fxsr { 0u16 } else { 0xffff }.to_le_bytes());
        if self.fxsr {
            out.extend(area);
        }
        out
    }

    /// Builds the frame. `area` is the XSAVE area's image; `restorer` the vDSO's trampolines, of the old form and with siginfo.
    pub fn encode(
        &self,
        regs: &Regs,
        area: Vec<u8>,
        frame: &Frame<'_>,
        restorer: [u64; 2],
    ) -> Result<Built, BadFrame> {
        let mut saved = *regs;
        if frame.forced && resumes(frame.fault.code >> 32) {
            saved.flags |= eflags::RF;
        }
        let fp_bytes = self.fp_bytes(area, regs);
        // In front of the area, which is aligned to 64, the 387's form of 32-bit programs.
        let front = if self.long { 0 } else { FREGS };
        let red = if self.long && frame.sp == regs.r[RSP as usize] { RED_ZONE } else { 0 };
        let top = frame.sp.wrapping_sub(red);
        let fp = (top.wrapping_sub((fp_bytes.len() - front.min(fp_bytes.len())) as u64) & !63)
            .wrapping_sub(front as u64);
        let own = frame.action.flags & sa::RESTORER != 0;
        let mut new = *regs;
        new.flags &= !(eflags::DF | eflags::TF | eflags::RF);
        new.ip = frame.action.handler;
        new.orig_rax = u64::MAX;
        let (addr, bytes);
        if self.long {
            if !own {
                return Err(BadFrame);
            }
            addr = (fp.wrapping_sub(SIZE64 as u64) & !15).wrapping_sub(8);
            bytes = self.frame64(&saved, frame, addr, fp);
            new.r[RDI as usize] = frame.sig as u64;
            new.r[RAX as usize] = 0;
            new.r[RSI as usize] = addr.wrapping_add(INFO64 as u64);
            new.r[RDX as usize] = addr.wrapping_add(UC64 as u64);
            (new.selectors[Seg::Cs as usize], new.code_size) = (USER_CS, 0);
        } else {
            let rt = frame.action.flags & sa::SIGINFO != 0;
            let size = if rt { SIZE_RT } else { SIZE_OLD } as u64;
            addr = (fp.wrapping_sub(size).wrapping_add(4) & !15).wrapping_sub(4) & 0xffff_ffff;
            let back = if own { frame.action.restorer } else { restorer[usize::from(rt)] };
            let (fp, fits) = (fp & 0xffff_ffff, fp <= 0xffff_ffff);
            if !fits {
                return Err(BadFrame);
            }
            bytes = if rt {
                self.frame_rt(&saved, frame, addr, fp, back)
            } else {
                frame_old(&saved, frame, fp, back)
            };
            new.r[RAX as usize] = frame.sig as u64;
            let at = |offset: usize| if rt { addr + offset as u64 } else { 0 };
            (new.r[RDX as usize], new.r[RCX as usize]) = (at(INFO32), at(UC32));
            (new.selectors[Seg::Cs as usize], new.code_size) = (USER32_CS, guest_x86::cpu::MODE_32 as u32);
            for s in [Seg::Ds, Seg::Es, Seg::Ss] {
                (new.selectors[s as usize], new.bases[s as usize]) = (USER_DS, 0);
            }
        }
        new.bases[Seg::Cs as usize] = 0;
        new.r[RSP as usize] = addr;
        let fp = if self.long { fp } else { fp & 0xffff_ffff };
        Ok(Built { addr, bytes, fp, fp_bytes, regs: new })
    }

    fn frame64(&self, regs: &Regs, frame: &Frame<'_>, _addr: u64, fp: u64) -> Vec<u8> {
        let mut b = vec![0; SIZE64];
        put(&mut b, 0, frame.action.restorer.to_le_bytes());
        // UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS
        let flags: u64 = u64::from(self.components != 0)
            | 2
            | if regs.selectors[Seg::Cs as usize] == USER_CS { 4 } else { 0 };
        put(&mut b, UC64, flags.to_le_bytes());
        put(&mut b, UC64 + 16, frame.altstack.sp.to_le_bytes());
        put(&mut b, UC64 + 24, frame.altstack.flags.to_le_bytes());
        put(&mut b, UC64 + 32, frame.altstack.size.to_le_bytes());
        let sc = UC64 + 40;
        for (n, reg) in ORDER64.into_iter().enumerate() {
            put(&mut b, sc + 8 * n, regs.r[reg as usize].to_le_bytes());
        }
        put(&mut b, sc + 128, regs.ip.to_le_bytes());
        put(&mut b, sc + 136, u64::from(regs.flags).to_le_bytes());
        put(&mut b, sc + 144, regs.selectors[Seg::Cs as usize].to_le_bytes());
        put(&mut b, sc + 150, regs.selectors[Seg::Ss as usize].to_le_bytes());
        put(&mut b, sc + 152, (frame.fault.code & 0xffff_ffff).to_le_bytes());
        put(&mut b, sc + 160, (frame.fault.code >> 32).to_le_bytes());
        put(&mut b, sc + 168, frame.old_mask.to_le_bytes());
        put(&mut b, sc + 176, frame.fault.address.to_le_bytes());
        put(&mut b, sc + 184, fp.to_le_bytes());
        put(&mut b, UC64 + 296, frame.old_mask.to_le_bytes());
        if frame.action.flags & sa::SIGINFO != 0 {
            put(&mut b, INFO64, frame.info.raw);
        }
        b
    }

    fn frame_rt(&self, regs: &Regs, frame: &Frame<'_>, addr: u64, fp: u64, back: u64) -> Vec<u8> {
        let mut b = vec![0; SIZE_RT];
        let mut word = |at: usize, value: u64| put(&mut b, at, (value as u32).to_le_bytes());
        word(0, back);
        word(4, frame.sig as u64);
        word(8, addr + INFO32 as u64);
        word(12, addr + UC32 as u64);
        word(UC32, u64::from(self.components != 0));
        word(UC32 + 8, frame.altstack.sp);
        word(UC32 + 12, u64::from(frame.altstack.flags));
        word(UC32 + 16, frame.altstack.size);
        put(&mut b, INFO32, frame.info.to_abi(Arch::I386));
        context32(&mut b, UC32 + 20, regs, frame, fp);
        put(&mut b, UC32 + 108, frame.old_mask.to_le_bytes());
        // mov $__NR_rt_sigreturn, %eax; int $0x80: debuggers know the frame by it.
        put(&mut b, RETCODE_RT, [0xb8, 0xad, 0, 0, 0, 0xcd, 0x80, 0]);
        b
    }
}

fn frame_old(regs: &Regs, frame: &Frame<'_>, fp: u64, back: u64) -> Vec<u8> {
    let mut b = vec![0; SIZE_OLD];
    put(&mut b, 0, (back as u32).to_le_bytes());
    put(&mut b, 4, frame.sig.to_le_bytes());
    context32(&mut b, SC32, regs, frame, fp);
    put(&mut b, EXTRAMASK, ((frame.old_mask >> 32) as u32).to_le_bytes());
    // pop %eax; mov $__NR_sigreturn, %eax; int $0x80
    put(&mut b, RETCODE_OLD, [0x58, 0xb8, 0x77, 0, 0, 0, 0xcd, 0x80]);
    b
}

/// Registers in the order of `struct sigcontext_64`.
const ORDER64: [u32; 16] = [8, 9, 10, 11, 12, 13, 14, 15, RDI, RSI, RBP, RBX, RDX, RAX, RCX, RSP];
/// Segments, then registers in the order of `struct sigcontext_32`.
const SEGS32: [Seg; 4] = [Seg::Gs, Seg::Fs, Seg::Es, Seg::Ds];
const ORDER32: [u32; 8] = [RDI, RSI, RBP, RSP, RBX, RDX, RCX, RAX];

fn context32(b: &mut [u8], sc: usize, regs: &Regs, frame: &Frame<'_>, fp: u64) {
    for (n, s) in SEGS32.into_iter().enumerate() {
        put(b, sc + 4 * n, regs.selectors[s as usize].to_le_bytes());
    }
    let mut word = |n: usize, value: u64| put(b, sc + 4 * n, (value as u32).to_le_bytes());
    for (n, reg) in ORDER32.into_iter().enumerate() {
        word(4 + n, regs.r[reg as usize]);
    }
    word(12, frame.fault.code >> 32);
    word(13, frame.fault.code);
    word(14, regs.ip);
    word(15, u64::from(regs.selectors[Seg::Cs as usize]));
    word(16, u64::from(regs.flags));
    word(17, regs.r[RSP as usize]);
    word(18, u64::from(regs.selectors[Seg::Ss as usize]));
    word(19, fp);
    word(20, frame.old_mask);
    word(21, frame.fault.address);
}

/// What a frame says.
#[derive(Debug)]
pub struct Read {
    /// Registers; bases of segments are still the old ones.
    pub regs: Regs,
    /// Address of the floating-point state; zero: reset it.
    pub fp: u64,
    /// Mask and alternate stack.
    pub restored: Restored,
}

impl Shape {
    /// Reads the frame below the stack pointer: `rt` says which sigreturn was called.
    pub fn decode(&self, now: &Regs, mem: GuestMem, rt: bool) -> Result<Read, BadFrame> {
        let sp = now.r[RSP as usize];
        let mut regs = *now;
        regs.orig_rax = u64::MAX;
        if self.long {
            let mut b = vec![0; INFO64];
            mem.copy_in(sp.wrapping_sub(8), &mut b).map_err(|_| BadFrame)?;
            let sc = UC64 + 40;
            for (n, reg) in ORDER64.into_iter().enumerate() {
                regs.r[reg as usize] = u64_at(&b, sc + 8 * n);
            }
            regs.ip = u64_at(&b, sc + 128);
            regs.flags = merge_flags(now.flags, u64_at(&b, sc + 136) as u32);
            regs.selectors[Seg::Cs as usize] = u16_of(&b, sc + 144) | 3;
            let strict = u64_at(&b, UC64) & 4 != 0;
            regs.selectors[Seg::Ss as usize] = if strict { u16_of(&b, sc + 150) | 3 } else { USER_DS };
            let altstack = AltStack {
                sp: u64_at(&b, UC64 + 16),
                flags: u32_at(&b, UC64 + 24),
                size: u64_at(&b, UC64 + 32),
            };
            let restored = Restored { mask: u64_at(&b, UC64 + 296), altstack: Some(altstack) };
            return Ok(Read { regs, fp: u64_at(&b, sc + 184), restored });
        }
        // The trampoline's return has popped the first word; the old one pops the signal's number too.
        let (addr, size, sc) = if rt {
            (sp.wrapping_sub(4), RETCODE_RT, UC32 + 20)
        } else {
            (sp.wrapping_sub(8), RETCODE_OLD, SC32)
        };
        let mut b = vec![0; size];
        mem.copy_in(addr & 0xffff_ffff, &mut b).map_err(|_| BadFrame)?;
        for (n, s) in SEGS32.into_iter().enumerate() {
            regs.selectors[s as usize] = u16_of(&b, sc + 4 * n);
        }
        let word = |n: usize| u64::from(u32_at(&b, sc + 4 * n));
        for (n, reg) in ORDER32.into_iter().enumerate() {
            regs.r[reg as usize] = word(4 + n);
        }
        regs.ip = word(14);
        regs.selectors[Seg::Cs as usize] = word(15) as u16 | 3;
        regs.flags = merge_flags(now.flags, word(16) as u32);
        regs.selectors[Seg::Ss as usize] = word(18) as u16 | 3;
        let restored = if rt {
            let altstack = AltStack {
                sp: u64::from(u32_at(&b, UC32 + 8)),
                flags: u32_at(&b, UC32 + 12),
                size: u64::from(u32_at(&b, UC32 + 16)),
            };
            Restored { mask: u64_at(&b, UC32 + 108), altstack: Some(altstack) }
        } else {
            Restored { mask: word(20) | u64::from(u32_at(&b, EXTRAMASK)) << 32, altstack: None }
        };
        Ok(Read { regs, fp: word(19), restored })
    }

    /// Reads the floating-point state that a frame points to, as an area's image and the components that it has. A frame
    /// whose magic numbers are not the kernel's has the legacy region only, as `fpu__restore_sig` sees it.
    pub fn fp_area(&self, mem: GuestMem, fp: u64) -> Result<(Vec<u8>, u64), BadFrame> {
        let mut area = vec![0; xstate::size(self.components)];
        let front = if self.long { 0 } else { FREGS };
        let read = |at: u64, bytes: &mut [u8]| mem.copy_in(at, bytes).map_err(|_| BadFrame);
        let start = fp.wrapping_add(front as u64);
        let mut components = self.components;
        if self.long || self.fxsr {
            read(start, &mut area[..FXSAVE])?;
            let whole = components != 0
                && u32_at(&area, SW_RESERVED) == MAGIC1
                && u32_at(&area, SW_RESERVED + 16) as usize == area.len()
                && u32_at(&area, SW_RESERVED + 4) as usize > area.len()
                && mem.read::<u32>(start.wrapping_add(area.len() as u64)).is_ok_and(|magic| magic == MAGIC2);
            if whole {
                read(start, &mut area)?;
                let kept = u64_at(&area, SW_RESERVED + 8) & components;
                let present = u64_at(&area, FXSAVE) & kept;
                put(&mut area, FXSAVE, present.to_le_bytes());
            } else {
                components = 0;
            }
        } else {
            put(&mut area, 24, guest_x86::cpu::MXCSR_DEFAULT.to_le_bytes());
            components = 0;
        }
        if !self.long {
            let mut fsave = [0; xstate::FSAVE];
            read(fp, &mut fsave)?;
            xstate::from_fsave(&fsave, &mut area);
        }
        Ok((area, components))
    }
}

fn merge_flags(now: u32, new: u32) -> u32 {
    now & !RESTORED_FLAGS | new & RESTORED_FLAGS
}

/// Whether an exception is a fault: the CPU sets RF in the image of EFLAGS then.
fn resumes(vector: u64) -> bool {
    !matches!(vector, vector::DB | vector::BP | vector::OF)
}

/// SI_KERNEL.
const SI_KERNEL: i32 = code::SI_KERNEL;
/// `si_code` of SIGFPE and SIGTRAP.
const FPE_FLTDIV: i32 = 3;
const FPE_FLTOVF: i32 = 4;
const FPE_FLTUND: i32 = 5;
const FPE_FLTRES: i32 = 6;
const FPE_FLTINV: i32 = 7;
const TRAP_TRACE: i32 = 2;

/// The code of a floating-point exception from its unmasked status bits (`fpu__exception_code`).
fn fpe_code(status: u32) -> i32 {
    match status {
        s if s & 1 != 0 => FPE_FLTINV,
        s if s & 4 != 0 => FPE_FLTDIV,
        s if s & 8 != 0 => FPE_FLTOVF,
        s if s & 0x12 != 0 => FPE_FLTUND,
        s if s & 0x20 != 0 => FPE_FLTRES,
        _ => FPE_FLTINV,
    }
}

/// Status of an unmasked floating-point exception: MXCSR, x87 control and status.
#[derive(Clone, Copy, Debug, Default)]
pub struct FpStatus {
    /// MXCSR.
    pub mxcsr: u32,
    /// x87 control word.
    pub control: u32,
    /// x87 status word.
    pub status: u32,
}

/// The signal of a trap at `pc`, and the vector and error code that frames show.
pub fn trap(pc: u64, kind: TrapKind, info: u64, fp: FpStatus) -> (Trap, u64) {
    let signal = |sig, code, addr| Trap::Signal(SigInfo::fault(sig, code, addr));
    let (vector, error) = (info & 0xff, info >> 8);
    match kind {
        TrapKind::Illegal => (signal(libc::SIGILL, code::ILL_ILLOPN, pc), fault_code(6, 0)),
        TrapKind::Break => (signal(libc::SIGTRAP, SI_KERNEL, 0), fault_code(vector::BP, 0)),
        TrapKind::Arithmetic => {
            let code = match vector {
                vector::MF => fpe_code(fp.status & !fp.control & 0x3f),
                vector::XM => fpe_code(fp.mxcsr & !(fp.mxcsr >> 7) & 0x3f),
                _ => code::FPE_INTDIV,
            };
            (signal(libc::SIGFPE, code, pc), fault_code(vector, 0))
        }
        TrapKind::Service => {
            let made = match vector {
                // The error code is ours: a trap after `int1`, which leaves no bit in DR6.
                vector::DB if error != 0 => signal(libc::SIGTRAP, code::TRAP_BRKPT, pc),
                vector::DB => signal(libc::SIGTRAP, TRAP_TRACE, pc),
                vector::NP | vector::SS => signal(libc::SIGBUS, SI_KERNEL, 0),
                vector::AC => signal(libc::SIGBUS, code::BUS_ADRALN, 0),
                _ => signal(libc::SIGSEGV, SI_KERNEL, 0),
            };
            let error = if vector == vector::DB { 0 } else { error };
            (made, fault_code(vector, error))
        }
        TrapKind::PcAlign | TrapKind::SpAlign => {
            (signal(libc::SIGBUS, code::BUS_ADRALN, 0), fault_code(vector::AC, 0))
        }
        TrapKind::Fetch => (signal(libc::SIGSEGV, code::SEGV_MAPERR, pc), fault_code(PAGE_FAULT, 0x14)),
        TrapKind::Yield => (Trap::Step, 0),
    }
}

/// #PF
pub const PAGE_FAULT: u64 = 14;

/// The fault state of a page fault. `present` says whether the page was there and only its rights were missing.
pub fn page_fault(address: u64, write: bool, fetch: bool, present: bool) -> FaultState {
    let error = u64::from(present) | u64::from(write) << 1 | 4 | u64::from(fetch) << 4;
    FaultState { address, code: fault_code(PAGE_FAULT, error) }
}
