//! What traps mean as signals (kernel `arch/x86/kernel/traps.c`).

use crate::signal::{SigInfo, Trap, code};
use guest_x86::cpu::trap as vector;
use ir::TrapKind;

/// SI_KERNEL.
const SI_KERNEL: i32 = 0x80;

/// The signal of a trap at `pc`.
pub fn trap(pc: u64, kind: TrapKind, info: u64) -> Trap {
    let (sig, si_code, addr) = match kind {
        TrapKind::Illegal => (libc::SIGILL, code::ILL_ILLOPN, pc),
        TrapKind::Break => (libc::SIGTRAP, SI_KERNEL, 0),
        TrapKind::Arithmetic => (libc::SIGFPE, code::FPE_INTDIV, pc),
        TrapKind::Service => match info & 0xff {
            vector::DB => (libc::SIGTRAP, code::TRAP_BRKPT, pc),
            _ => (libc::SIGSEGV, SI_KERNEL, 0),
        },
        TrapKind::PcAlign | TrapKind::SpAlign => (libc::SIGBUS, code::BUS_ADRALN, pc),
        TrapKind::Fetch => (libc::SIGSEGV, code::SEGV_MAPERR, pc),
        TrapKind::Yield => return Trap::Step,
    };
    Trap::Signal(SigInfo::fault(sig, si_code, addr))
}
