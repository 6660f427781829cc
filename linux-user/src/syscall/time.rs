//! Clocks that are read so often that the host's vDSO is worth it, and sleep that is interrupted.

use super::SysCx;
use super::plain::{read_struct, write_struct};
use crate::errno::{Errno, SysResult};
use crate::sys::safe_syscall;
use syscall_tables::{StructId, Ty, structs};

/// `clock_gettime`
pub fn sys_clock_gettime(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    get_time(cx, a, structs::TIMESPEC)
}

/// `clock_gettime64`
pub fn sys_clock_gettime64(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    get_time(cx, a, structs::TIMESPEC64)
}

fn get_time(cx: &mut SysCx<'_>, a: &[u64; 6], ty: StructId) -> SysResult {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a valid timespec; the C library uses the vDSO for the common clocks.
    if unsafe { libc::clock_gettime(a[0] as i32, &mut t) } != 0 {
        return Err(Errno::last());
    }
    write_struct(cx, Ty::Struct(ty), a[1], &[t.tv_sec as u64, t.tv_nsec as u64])?;
    Ok(0)
}

/// `gettimeofday`
pub fn sys_gettimeofday(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if a[0] != 0 {
        let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: as above.
        if unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut t) } != 0 {
            return Err(Errno::last());
        }
        write_struct(cx, Ty::Struct(structs::TIMEVAL), a[0], &[t.tv_sec as u64, t.tv_nsec as u64 / 1000])?;
    }
    if a[1] != 0 {
        let mut zone = [0u64; 1];
        crate::sys::raw_syscall(libc::SYS_gettimeofday, [0, zone.as_mut_ptr() as u64, 0, 0, 0, 0])?;
        write_struct(cx, Ty::Struct(structs::TIMEZONE), a[1], &zone)?;
    }
    Ok(0)
}

/// A relative sleep that was interrupted: it goes on where it stopped unless a handler runs, as by the kernel's restart block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sleep {
    /// Host call, clock and requested time.
    what: [u64; 4],
    /// Seconds and nanoseconds that are left.
    left: [u64; 2],
}

/// `nanosleep`
pub fn sys_nanosleep(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    sleep(cx, None, 0, (a[0], a[1]), structs::TIMESPEC)
}

/// `clock_nanosleep`
pub fn sys_clock_nanosleep(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    sleep(cx, Some(a[0]), a[1], (a[2], a[3]), structs::TIMESPEC)
}

/// `clock_nanosleep_time64`
pub fn sys_clock_nanosleep_time64(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    sleep(cx, Some(a[0]), a[1], (a[2], a[3]), structs::TIMESPEC64)
}

fn sleep(
    cx: &mut SysCx<'_>,
    clock: Option<u64>,
    flags: u64,
    (request, remain): (u64, u64),
    ty: StructId,
) -> SysResult {
    let time = read_struct(cx, Ty::Struct(ty), request)?;
    let call = if clock.is_some() { libc::SYS_clock_nanosleep } else { libc::SYS_nanosleep };
    let what = [call as u64, clock.unwrap_or(0), time[0], time[1]];
    let resumed = cx.task.sleep.take().filter(|sleep| sleep.what == what);
    let absolute = clock.is_some() && flags & libc::TIMER_ABSTIME as u64 != 0;
    let want = resumed.filter(|_| !absolute).map_or([time[0], time[1]], |sleep| sleep.left);
    let mut left = want;
    let (want, rest) = (want.as_ptr() as u64, left.as_mut_ptr() as u64);
    let result = match clock {
        Some(clock) => safe_syscall(call, [clock, flags, want, rest, 0, 0]),
        None => safe_syscall(call, [want, rest, 0, 0, 0, 0]),
    };
    if result == Err(Errno::EINTR) && !absolute {
        cx.task.sleep = Some(Sleep { what, left });
        if remain != 0 {
            write_struct(cx, Ty::Struct(ty), remain, &left)?;
        }
    }
    result
}
