//! System calls that are done without leaving translated code: those that neither block nor touch what this crate keeps.
//!
//! Input: the CPU at a system call; output: its result in the CPU, or "not here", and the run loop does the call. The
//! translator is told of [`call`] only when nobody watches calls (no trace, no debugger).

use super::HANDLERS;
use crate::arch::Arch;
use crate::cpu::CpuState;
use crate::errno::SysResult;
use crate::guest_mem::GuestMem;
use crate::mm::Mm;
use crate::sys::raw_syscall;
use crate::{gdb, strace};
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use syscall_tables::{CallId, Level};

/// Calls without arguments to convert whose host call gives the guest's answer at once.
const INSTANT: [CallId; 12] = [
    CallId::Getppid,
    CallId::Getuid,
    CallId::Geteuid,
    CallId::Getgid,
    CallId::Getegid,
    CallId::Getuid32,
    CallId::Geteuid32,
    CallId::Getgid32,
    CallId::Getegid32,
    CallId::Getpgid,
    CallId::Getsid,
    CallId::Umask,
];

/// Those of them whose ids have 16 bits on some ABIs.
const SHORT: [CallId; 4] = [CallId::Getuid, CallId::Geteuid, CallId::Getgid, CallId::Getegid];

/// Guest numbers above this have no instant calls.
const NUMBERS: usize = 256;

/// What [`call`] needs to know; a process has one guest architecture and, in one address space, one vDSO.
struct Fast {
    arch: &'static dyn Arch,
    mem: GuestMem,
    vdso: Range<u64>,
    /// Host number plus one of instant calls by guest number, or zero.
    instant: [u16; NUMBERS],
}

static FAST: OnceLock<Fast> = OnceLock::new();

/// Calls are watched by a tracer or a seccomp filter: they all go through the run loop, for the rest of the process.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// See [`WATCHED`].
pub fn watch() {
    WATCHED.store(true, Ordering::Relaxed);
}

/// Prepares [`call`] for this process; false if all calls go through the run loop.
pub fn prepare(arch: &'static dyn Arch, mm: &Mm) -> bool {
    let abi = arch.abi();
    if strace::enabled() || abi.info().big_endian {
        return false;
    }
    let short = super::short_ids::has(abi);
    let mut instant = [0; NUMBERS];
    for (number, entry) in instant.iter_mut().enumerate() {
        if let Some(call) = abi.call(number as u64)
            && INSTANT.contains(&call)
            && !(short && SHORT.contains(&call))
            && call.desc().level == Level::Plain
            && HANDLERS[call as usize].is_none()
        {
            *entry = u16::try_from(call.desc().host_nr + 1).unwrap_or(0);
        }
    }
    let fast = Fast { arch, mem: mm.mem(), vdso: mm.vdso(), instant };
    FAST.set(fast).is_ok()
}

/// The engine's hook.
pub fn call(cpu: &mut CpuState) -> bool {
    let Some(fast) = FAST.get() else { return false };
    let (number, args) = fast.arch.syscall_regs(cpu);
    let result = match fast.instant.get(number as usize) {
        Some(&host) if host != 0 && !gdb::running() && !WATCHED.load(Ordering::Relaxed) => {
            raw_syscall(i64::from(host) - 1, args)
        }
        _ if fast.vdso.contains(&cpu.pc()) => match vdso_call(fast.mem, fast.arch.abi(), number, &args) {
            Some(result) => result,
            None => return false,
        },
        _ => return false,
    };
    fast.arch.set_result(cpu, result);
    true
}

/// A call made by the guest's vDSO, answered from the host's: no dispatch, no trace, no kernel. None: as any other call.
pub fn vdso_call(
    mem: GuestMem,
    abi: syscall_tables::Arch,
    number: u64,
    args: &[u64; 6],
) -> Option<SysResult> {
    let word = abi.info().word;
    if abi.info().big_endian {
        return None;
    }
    let (clock, out, unit, word) = match abi.call(number)? {
        CallId::ClockGettime => (args[0] as i32, args[1], 1, word),
        CallId::ClockGettime64 => (args[0] as i32, args[1], 1, 8),
        // With a time zone it is no longer about the time.
        CallId::Gettimeofday if args[0] != 0 && args[1] == 0 => (libc::CLOCK_REALTIME, args[0], 1000, word),
        CallId::Time => (libc::CLOCK_REALTIME_COARSE, 0, 0, word),
        CallId::Getcpu if args[1] == 0 => {
            // SAFETY: no arguments.
            let cpu = unsafe { libc::sched_getcpu() };
            let stored = if args[0] == 0 { Ok(()) } else { mem.write(args[0], &cpu) };
            return Some(stored.map(|()| 0));
        }
        _ => return None,
    };
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the argument is ours; the C library asks the host's vDSO.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return None;
    }
    let put = |at: u64, value: u64| {
        if word == 8 { mem.write(at, &value) } else { mem.write(at, &(value as u32)) }
    };
    let seconds = time.tv_sec as u64;
    if unit == 0 {
        let stored = if args[0] == 0 { Ok(()) } else { put(args[0], seconds) };
        return Some(stored.map(|()| seconds));
    }
    // Two single stores: cheaper than a copy of so few bytes.
    let part = time.tv_nsec as u64 / unit;
    let stored = put(out, seconds).and_then(|()| put(out.wrapping_add(word as u64), part));
    Some(stored.map(|()| 0))
}
