//! The system calls of signals. Where the host kernel keeps the state (queues, pending sets, other processes) the guest's
//! request goes to it; masks and actions are kept here and told to the host (invariants 1 and 6 of the module above).

use super::{AltStack, SigAction, SigInfo, action, ss};
use crate::errno::{Errno, SysResult};
use crate::host_signal::{self, NSIG, SIGINFO_SIZE, SYNC_MASK, bit};
use crate::sys::{raw_syscall, safe_syscall};
use crate::syscall::{SysCx, read_struct};
use crate::task::Task;
use syscall_tables::{StructId, Ty, structs};

/// `sizeof(sigset_t)` of the kernel.
const SET_SIZE: u64 = 8;

/// A signal set is an array of longs: on 32-bit big-endian guests the low word stands first.
fn set_from(cx: &SysCx<'_>, raw: [u8; 8]) -> u64 {
    let abi = cx.abi.info();
    match (abi.big_endian, abi.word) {
        (false, _) => u64::from_le_bytes(raw),
        (true, 4) => u64::from_be_bytes(raw).rotate_left(32),
        (true, _) => u64::from_be_bytes(raw),
    }
}

fn set_to(cx: &SysCx<'_>, set: u64) -> [u8; 8] {
    let abi = cx.abi.info();
    match (abi.big_endian, abi.word) {
        (false, _) => set.to_le_bytes(),
        (true, 4) => set.rotate_left(32).to_be_bytes(),
        (true, _) => set.to_be_bytes(),
    }
}

fn read_set(cx: &SysCx<'_>, addr: u64) -> Result<u64, Errno> {
    let mut raw = [0; 8];
    cx.mem.copy_in(addr, &mut raw)?;
    Ok(set_from(cx, raw))
}

fn write_set(cx: &SysCx<'_>, addr: u64, set: u64) -> Result<(), Errno> {
    cx.mem.copy_out(addr, &set_to(cx, set))
}

fn read_word(cx: &SysCx<'_>, addr: u64) -> Result<u64, Errno> {
    let abi = cx.abi.info();
    Ok(match (abi.word, abi.big_endian) {
        (8, false) => cx.mem.read::<u64>(addr)?,
        (8, true) => cx.mem.read::<u64>(addr)?.swap_bytes(),
        (_, false) => u64::from(cx.mem.read::<u32>(addr)?),
        (_, true) => u64::from(cx.mem.read::<u32>(addr)?.swap_bytes()),
    })
}

fn write_word(cx: &SysCx<'_>, addr: u64, value: u64) -> Result<(), Errno> {
    let abi = cx.abi.info();
    match (abi.word, abi.big_endian) {
        (8, false) => cx.mem.write(addr, &value),
        (8, true) => cx.mem.write(addr, &value.swap_bytes()),
        (_, false) => cx.mem.write(addr, &(value as u32)),
        (_, true) => cx.mem.write(addr, &(value as u32).swap_bytes()),
    }
}

/// `rt_sigaction`
pub fn sys_rt_sigaction(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let (sig, new, old) = (a[0] as i32, a[1], a[2]);
    if a[3] != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    check_signal(sig, new != 0)?;
    let word = cx.abi.info().word as u64;
    // Handler, flags, restorer (unless the architecture has no room for one), mask.
    let restorer = cx.arch.sigaction_has_restorer();
    let mask_at = if restorer { 3 * word } else { 2 * word };
    let action = if new == 0 {
        None
    } else {
        Some(SigAction {
            handler: read_word(cx, new)?,
            flags: read_word(cx, new + word)?,
            restorer: if restorer { read_word(cx, new + 2 * word)? } else { 0 },
            mask: read_set(cx, new + mask_at)?,
        })
    };
    let former = change_action(cx, sig, action)?;
    if old != 0 {
        write_word(cx, old, former.handler)?;
        write_word(cx, old + word, former.flags)?;
        if restorer {
            write_word(cx, old + 2 * word, former.restorer)?;
        }
        write_set(cx, old + mask_at, former.mask)?;
    }
    Ok(0)
}

/// A signal's number is one, and its action may be changed.
fn check_signal(sig: i32, change: bool) -> Result<(), Errno> {
    if !(1..=NSIG as i32).contains(&sig) || change && (sig == libc::SIGKILL || sig == libc::SIGSTOP) {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// Sets an action, if there is one to set; the former one.
pub(super) fn change_action(
    cx: &mut SysCx<'_>,
    sig: i32,
    action: Option<SigAction>,
) -> Result<SigAction, Errno> {
    check_signal(sig, action.is_some())?;
    let Some(action) = action else { return Ok(cx.task.sighand.get(sig)) };
    let former = cx.task.sighand.set(sig, action)?;
    if action.handler == action::SIG_IGN && SYNC_MASK & bit(sig) != 0 {
        // Ignoring a signal discards it where it is pending; for these we hold it.
        let _ = cx.task.slots.take_of(bit(sig));
    }
    Ok(former)
}

/// Sets the thread's mask.
pub(super) fn change_mask(cx: &mut SysCx<'_>, mask: u64) -> Result<(), Errno> {
    let former = cx.task.blocked;
    if mask == former {
        return Ok(());
    }
    cx.task.note_blocked(mask);
    cx.task.mask_stale = true;
    // A signal that came before this call is delivered before it, if the new mask would block it; what the new mask lets
    // in is delivered when this call returns.
    if !super::sync_mask(cx.task) && cx.task.slots.recorded() & mask & !former != 0 {
        cx.task.note_blocked(former);
        return Err(Errno::ERESTARTNOINTR);
    }
    Ok(())
}

/// `rt_sigprocmask`
pub fn sys_rt_sigprocmask(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let (how, new, old) = (a[0] as i32, a[1], a[2]);
    if a[3] != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let former = cx.task.blocked;
    if new != 0 {
        let set = read_set(cx, new)?;
        let mask = match how {
            libc::SIG_BLOCK => former | set,
            libc::SIG_UNBLOCK => former & !set,
            libc::SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        };
        change_mask(cx, mask)?;
    }
    if old != 0 {
        write_set(cx, old, former)?;
    }
    Ok(0)
}

/// `rt_sigpending`
pub fn sys_rt_sigpending(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if a[1] > SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let mut host = 0u64;
    raw_syscall(libc::SYS_rt_sigpending, [&raw mut host as u64, SET_SIZE, 0, 0, 0, 0])?;
    let pending = (host | cx.task.slots.recorded()) & cx.task.blocked;
    let bytes = set_to(cx, pending);
    cx.mem.copy_out(a[0], &bytes[..a[1] as usize])?;
    Ok(0)
}

/// `rt_sigsuspend`
pub fn sys_rt_sigsuspend(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if a[1] != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let mask = read_set(cx, a[0])? & !(bit(libc::SIGKILL) | bit(libc::SIGSTOP));
    suspend(cx, mask)
}

/// Waits under another mask for a signal.
pub(super) fn suspend(cx: &mut SysCx<'_>, mask: u64) -> SysResult {
    // Of the CPU's signals the host does not know that they are pending.
    if cx.task.slots.recorded() & SYNC_MASK & !mask != 0 {
        let kept = cx.task.blocked;
        cx.task.note_blocked(mask);
        cx.task.saved_mask = Some(kept);
        cx.task.mask_stale = true;
        return Err(Errno::EINTR);
    }
    super::with_temporary_mask(cx.task, Some(mask), |_, _| host_signal::host_sigsuspend(mask))
}

/// `pause`
pub fn sys_pause(_cx: &mut SysCx<'_>, _a: &[u64; 6]) -> SysResult {
    safe_syscall(libc::SYS_pause, [0; 6])
}

/// `restart_syscall`: the host kernel restarts its own; a guest that calls it itself has nothing to restart.
pub fn sys_restart_syscall(_cx: &mut SysCx<'_>, _a: &[u64; 6]) -> SysResult {
    Err(Errno::EINTR)
}

/// `rt_sigtimedwait`
pub fn sys_rt_sigtimedwait(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    timed_wait(cx, a, structs::TIMESPEC)
}

/// `rt_sigtimedwait_time64`
pub fn sys_rt_sigtimedwait_time64(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    timed_wait(cx, a, structs::TIMESPEC64)
}

fn timed_wait(cx: &mut SysCx<'_>, a: &[u64; 6], time: StructId) -> SysResult {
    if a[3] != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let set = read_set(cx, a[0])? & !(bit(libc::SIGKILL) | bit(libc::SIGSTOP));
    let timeout = if a[2] == 0 { None } else { Some(read_struct(cx, Ty::Struct(time), a[2])?) };
    let mut raw = [0u8; SIGINFO_SIZE];
    let found = match cx.task.slots.take_of(set & SYNC_MASK) {
        Some(info) => {
            raw = info;
            SigInfo::from_raw(raw).signo() as u64
        }
        None => {
            let time = timeout.as_ref().map_or(0, |time| time.as_ptr() as u64);
            let args = [&raw const set as u64, raw.as_mut_ptr() as u64, time, SET_SIZE, 0, 0];
            safe_syscall(libc::SYS_rt_sigtimedwait, args)?
        }
    };
    if a[1] != 0 {
        cx.task.arch.write_siginfo(&cx.task.mm, a[1], &SigInfo::from_raw(raw))?;
    }
    Ok(found)
}

/// Writes what `waitid` says. The kernel writes these fields and leaves the rest of the structure alone.
pub fn write_wait_info(cx: &SysCx<'_>, addr: u64, info: &SigInfo) -> Result<(), Errno> {
    let union = if cx.abi.info().word == 8 { 16 } else { 12 };
    let values = [info.signo(), info.errno(), info.code(), info.pid(), info.uid() as i32, info.status()];
    for (at, value) in [0, 4, 8, union, union + 4, union + 8].into_iter().zip(values) {
        write_int(cx, addr + at, value as u32)?;
    }
    Ok(())
}

fn read_info(cx: &SysCx<'_>, addr: u64, sig: u64) -> Result<SigInfo, Errno> {
    let mut info = cx.task.arch.read_siginfo(&cx.task.mm, addr)?;
    info.set_signo(sig as i32);
    Ok(info)
}

/// `rt_sigqueueinfo`
pub fn sys_rt_sigqueueinfo(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let info = read_info(cx, a[2], a[1])?;
    safe_syscall(libc::SYS_rt_sigqueueinfo, [a[0], a[1], info.raw.as_ptr() as u64, 0, 0, 0])
}

/// `rt_tgsigqueueinfo`
pub fn sys_rt_tgsigqueueinfo(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let info = read_info(cx, a[3], a[2])?;
    safe_syscall(libc::SYS_rt_tgsigqueueinfo, [a[0], a[1], a[2], info.raw.as_ptr() as u64, 0, 0])
}

/// `pidfd_send_signal`
pub fn sys_pidfd_send_signal(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if a[2] == 0 {
        return safe_syscall(libc::SYS_pidfd_send_signal, [a[0], a[1], 0, a[3], 0, 0]);
    }
    let info = cx.task.arch.read_siginfo(&cx.task.mm, a[2])?;
    safe_syscall(libc::SYS_pidfd_send_signal, [a[0], a[1], info.raw.as_ptr() as u64, a[3], 0, 0])
}

/// `kill`
pub fn sys_kill(_cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    safe_syscall(libc::SYS_kill, [a[0] as i32 as u64, a[1], 0, 0, 0, 0])
}

/// `tkill`
pub fn sys_tkill(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    to_thread(cx, libc::SYS_tkill, [a[0], a[1], 0, 0, 0, 0], a[0], a[1])
}

/// `tgkill`
pub fn sys_tgkill(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    to_thread(cx, libc::SYS_tgkill, [a[0], a[1], a[2], 0, 0, 0], a[1], a[2])
}

/// A thread that sends a signal to itself takes it before the call returns: `abort` and `raise` rely on it.
fn to_thread(cx: &mut SysCx<'_>, nr: i64, args: [u64; 6], tid: u64, sig: u64) -> SysResult {
    if nr != libc::SYS_tkill
        && args[0] as i32 == cx.task.process.pid()
        && raise(cx.task, tid as i32, sig as i32)
    {
        return Ok(0);
    }
    let result = safe_syscall(nr, args)?;
    if tid as i32 == cx.task.tid && (1..=64).contains(&sig) && SYNC_MASK & bit(sig as i32) != 0 {
        cx.task.mask_stale = true;
    }
    Ok(result)
}

/// A signal of the calling thread to itself that a handler of the guest takes at once needs no way through the host. False if it
/// must go there: only the host knows of queues, stops and deaths.
fn raise(task: &mut Task, tid: i32, sig: i32) -> bool {
    const REAL_TIME: i32 = 32;
    if tid != task.tid
        || !(1..REAL_TIME).contains(&sig)
        || (SYNC_MASK | task.blocked) & bit(sig) != 0
        || task.sighand.get(sig).handler <= super::SIG_IGN
    {
        return false;
    }
    let uid = raw_syscall(libc::SYS_getuid, [0; 6]).unwrap_or_default() as u32;
    let info = SigInfo::user(sig, super::code::SI_TKILL, task.process.pid(), uid);
    task.slots.record_own(sig, &info.raw);
    true
}

/// `sigaltstack`
pub fn sys_sigaltstack(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let word = cx.abi.info().word as u64;
    let sp = cx.task.arch.stack_pointer(&cx.task.cpu);
    let former = cx.task.altstack;
    if a[0] != 0 {
        let new = AltStack {
            sp: read_word(cx, a[0])?,
            flags: read_int(cx, a[0] + word)? as u32,
            size: read_word(cx, a[0] + 2 * word)?,
        };
        let min = cx.task.arch.minimum_altstack();
        super::set_altstack(cx.task, new, sp, min)?;
    }
    if a[1] != 0 {
        write_word(cx, a[1], former.sp)?;
        let flags = former.state(sp) | former.flags & ss::AUTODISARM;
        write_int(cx, a[1] + word, flags)?;
        write_word(cx, a[1] + 2 * word, former.size)?;
    }
    Ok(0)
}

fn read_int(cx: &SysCx<'_>, addr: u64) -> Result<i32, Errno> {
    let value = cx.mem.read::<i32>(addr)?;
    Ok(if cx.abi.info().big_endian { value.swap_bytes() } else { value })
}

fn write_int(cx: &SysCx<'_>, addr: u64, value: u32) -> Result<(), Errno> {
    cx.mem.write(addr, &if cx.abi.info().big_endian { value.swap_bytes() } else { value })
}

/// `rt_sigreturn`
pub fn sys_rt_sigreturn(cx: &mut SysCx<'_>, _a: &[u64; 6]) -> SysResult {
    super::sigreturn(cx.task, true)
}

/// `sigreturn`: of the frame without siginfo.
pub fn sys_sigreturn(cx: &mut SysCx<'_>, _a: &[u64; 6]) -> SysResult {
    super::sigreturn(cx.task, false)
}
