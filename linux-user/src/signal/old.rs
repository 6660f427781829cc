//! The signal calls from before signals above 32: their sets are one word of the machine.

use super::{SigAction, sa};
use crate::errno::{Errno, SysResult};
use crate::host_signal::bit;
use crate::sys::raw_syscall;
use crate::syscall::SysCx;

/// What a set of one word can name.
const OLD: u64 = 0xffff_ffff;

/// `sigaction`: handler, mask, flags, restorer, each a word.
pub fn sys_sigaction(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let word = cx.abi.info().word as u64;
    let at = |base: u64, n: u64| base.wrapping_add(n * word);
    let action = if a[1] == 0 {
        None
    } else {
        Some(SigAction {
            handler: cx.read_long(at(a[1], 0))?,
            mask: cx.read_long(at(a[1], 1))?,
            flags: cx.read_long(at(a[1], 2))?,
            restorer: cx.read_long(at(a[1], 3))?,
        })
    };
    let former = super::syscalls::change_action(cx, a[0] as i32, action)?;
    if a[2] != 0 {
        let fields = [former.handler, former.mask & OLD, former.flags, former.restorer];
        for (n, value) in fields.into_iter().enumerate() {
            cx.write_long(at(a[2], n as u64), value)?;
        }
    }
    Ok(0)
}

/// `signal`: the handler is used once, and the signal is not blocked in it.
pub fn sys_signal(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let action = SigAction { handler: a[1], flags: sa::RESETHAND | sa::NODEFER, restorer: 0, mask: 0 };
    super::syscalls::change_action(cx, a[0] as i32, Some(action)).map(|former| former.handler)
}

/// `sigprocmask`
pub fn sys_sigprocmask(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let former = cx.task.blocked;
    if a[1] != 0 {
        let set = cx.read_long(a[1])? & OLD;
        let mask = match a[0] as i32 {
            libc::SIG_BLOCK => former | set,
            libc::SIG_UNBLOCK => former & !set,
            libc::SIG_SETMASK => former & !OLD | set,
            _ => return Err(Errno::EINVAL),
        };
        super::syscalls::change_mask(cx, mask)?;
    }
    if a[2] != 0 {
        cx.write_long(a[2], former & OLD)?;
    }
    Ok(0)
}

/// `sigpending`
pub fn sys_sigpending(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let mut host = 0u64;
    raw_syscall(libc::SYS_rt_sigpending, [&raw mut host as u64, 8, 0, 0, 0, 0])?;
    cx.write_long(a[0], (host | cx.task.slots.recorded()) & cx.task.blocked & OLD)?;
    Ok(0)
}

/// `sigsuspend`: the architecture says which argument is the set.
pub fn sys_sigsuspend(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let set = a[cx.arch.old_sigsuspend_set()] & OLD & !(bit(libc::SIGKILL) | bit(libc::SIGSTOP));
    super::syscalls::suspend(cx, set)
}

/// `sgetmask`
pub fn sys_sgetmask(cx: &mut SysCx<'_>, _a: &[u64; 6]) -> SysResult {
    Ok(cx.task.blocked & OLD)
}

/// `ssetmask`
pub fn sys_ssetmask(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let former = cx.task.blocked;
    super::syscalls::change_mask(cx, a[0] & OLD)?;
    Ok(former & OLD)
}
