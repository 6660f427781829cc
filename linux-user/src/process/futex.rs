//! Futexes, `exit`, and the words that a thread's end touches. For futexes the host kernel does the work: guest threads are host threads with
//! the same tids, so priority inheritance and robust lists are the kernel's own.

use crate::errno::{Errno, SysResult};
use crate::process::exit;
use crate::sys::{raw_syscall, safe_syscall};
use crate::syscall::{SysCx, read_struct};
use crate::task::{Leave, lock};
use syscall_tables::{CallId, StructId, Ty, structs};

const CMD_MASK: u64 = !(128 | 256);
const WAIT: u64 = 0;
const REQUEUE: u64 = 3;
const CMP_REQUEUE: u64 = 4;
const WAKE_OP: u64 = 5;
const LOCK_PI: u64 = 6;
const WAIT_BITSET: u64 = 9;
const WAIT_REQUEUE_PI: u64 = 11;
const CMP_REQUEUE_PI: u64 = 12;
const LOCK_PI2: u64 = 13;

/// `futex`
pub fn sys_futex(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    futex(cx, a, structs::TIMESPEC)
}

/// `futex_time64`
pub fn sys_futex_time64(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    futex(cx, a, structs::TIMESPEC64)
}

fn futex(cx: &mut SysCx<'_>, a: &[u64; 6], time: StructId) -> SysResult {
    let mem = cx.mem;
    let command = a[1] & CMD_MASK & 0xffff_ffff;
    let word = mem.host(a[0], 4)?;
    let copy;
    // The fourth argument is a timeout for those that wait and a plain number for those that move waiters.
    let fourth = match command {
        WAIT | LOCK_PI | WAIT_BITSET | WAIT_REQUEUE_PI | LOCK_PI2 if a[3] != 0 && !cx.is_native() => {
            copy = read_struct(cx, Ty::Struct(time), a[3])?;
            copy.as_ptr() as u64
        }
        WAIT | LOCK_PI | WAIT_BITSET | WAIT_REQUEUE_PI | LOCK_PI2 => mem.host_opt(a[3], 16)?,
        _ => a[3],
    };
    let second = match command {
        REQUEUE | CMP_REQUEUE | WAKE_OP | WAIT_REQUEUE_PI | CMP_REQUEUE_PI => mem.host(a[4], 4)?,
        _ => a[4],
    };
    safe_syscall(libc::SYS_futex, [word, a[1], a[2], fourth, second, a[5]])
}

/// The most futexes of one wait (FUTEX_WAITV_MAX).
const MOST_WAITERS: u64 = 128;

/// A list of futexes in the host's form.
fn waiters(cx: &SysCx<'_>, addr: u64, count: u64) -> Result<Vec<[u64; 3]>, Errno> {
    let ty = Ty::Struct(structs::FUTEX_WAITV);
    let size = syscall_tables::element(ty, cx.abi).0 as u64;
    (0..count)
        .map(|index| {
            let words = read_struct(cx, ty, addr.wrapping_add(index * size))?;
            Ok([words[0], cx.mem.host_opt(words[1], 4)?, words[2]])
        })
        .collect()
}

/// `futex_waitv`
pub fn sys_futex_waitv(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if cx.is_native() {
        return safe_syscall(libc::SYS_futex_waitv, *a);
    }
    if a[1] == 0 || a[1] > MOST_WAITERS {
        return Err(Errno::EINVAL);
    }
    let list = waiters(cx, a[0], a[1])?;
    let time = if a[3] == 0 { Vec::new() } else { read_struct(cx, Ty::Struct(structs::TIMESPEC64), a[3])? };
    let limit = if time.is_empty() { 0 } else { time.as_ptr() as u64 };
    safe_syscall(libc::SYS_futex_waitv, [list.as_ptr() as u64, a[1], a[2], limit, a[4], 0])
}

/// `futex_requeue`: from the first of two futexes to the second.
pub fn sys_futex_requeue(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let nr = i64::from(CallId::FutexRequeue.desc().host_nr);
    if cx.is_native() || a[0] == 0 {
        return safe_syscall(nr, *a);
    }
    let list = waiters(cx, a[0], 2)?;
    safe_syscall(nr, [list.as_ptr() as u64, a[1], a[2], a[3], 0, 0])
}

/// `exit`: the run loop ends and its caller calls [`exit::leave_thread`].
pub fn sys_exit(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    cx.task.leave = Some(Leave::Thread((a[0] & 0xff) as i32));
    Ok(0)
}

/// `exit_group`
pub fn sys_exit_group(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    crate::trace::exiting(cx.task, ((a[0] & 0xff) << 8) as i32);
    if cx.task.vforked {
        // Its parent's memory lives on.
        exit::release(cx.task);
    }
    exit::release_locks(cx.task);
    exit::exit_group((a[0] & 0xff) as i32)
}

/// `set_tid_address`
pub fn sys_set_tid_address(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    // Ours to clear: the host's own word belongs to the host C library.
    cx.task.clear_child_tid = a[0];
    Ok(cx.task.tid as u64)
}

/// `set_robust_list`
pub fn sys_set_robust_list(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if a[1] != 3 * cx.abi.info().word as u64 {
        return Err(Errno::EINVAL);
    }
    cx.task.robust_list = (a[0], a[1]);
    // If the process is killed, the kernel marks the futexes.
    if exit::kernel_reads_list(cx.task) {
        let _ = raw_syscall(libc::SYS_set_robust_list, [a[0], 24, 0, 0, 0, 0]);
    }
    Ok(0)
}

/// `get_robust_list`
pub fn sys_get_robust_list(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let pid = a[0] as i32;
    if pid != 0 && pid != cx.task.tid {
        let known = lock(&cx.task.process.threads).iter().any(|entry| entry.tid == pid);
        return Err(if known { Errno::EPERM } else { Errno::ESRCH });
    }
    let (head, length) = cx.task.robust_list;
    if cx.abi.info().word == 8 {
        cx.mem.write(a[2], &length)?;
        cx.mem.write(a[1], &head)?;
    } else {
        cx.mem.write(a[2], &(length as u32))?;
        cx.mem.write(a[1], &(head as u32))?;
    }
    Ok(0)
}
