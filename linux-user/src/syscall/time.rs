//! Clocks that are read so often that the host's vDSO is worth it.

use super::SysCx;
use super::plain::write_struct;
use crate::errno::{Errno, SysResult};
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
