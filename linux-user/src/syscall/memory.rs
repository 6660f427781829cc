//! Memory calls: arguments in, the address space ([`crate::mm::Mm`]) does the rest.

use super::SysCx;
use crate::errno::{Errno, SysResult};
use crate::sys::raw_syscall;

const PAGE: u64 = crate::mm::PAGE;

/// `mmap`; the offset is in bytes.
pub fn sys_mmap(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if a[5] & (PAGE - 1) != 0 {
        return Err(Errno::EINVAL);
    }
    cx.task.mm.mmap(a[0], a[1], a[2] as u32, a[3], a[4] as i32, a[5])
}

/// `mmap2`; the offset is in units of 4096 bytes.
pub fn sys_mmap2(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    cx.task.mm.mmap(a[0], a[1], a[2] as u32, a[3], a[4] as i32, a[5] << 12)
}

/// `munmap`
pub fn sys_munmap(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    cx.task.mm.munmap(a[0], a[1])
}

/// `mremap`
pub fn sys_mremap(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    cx.task.mm.mremap(a[0], a[1], a[2], a[3], a[4])
}

/// `mprotect`
pub fn sys_mprotect(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    cx.task.mm.mprotect(a[0], a[1], a[2] as u32)
}

/// `pkey_mprotect`: without keys only the default one is known.
pub fn sys_pkey_mprotect(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if a[3] as i32 != -1 {
        return Err(Errno::EINVAL);
    }
    sys_mprotect(cx, a)
}

/// `brk`
pub fn sys_brk(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    Ok(cx.task.mm.brk(a[0]))
}

/// `madvise`
pub fn sys_madvise(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    cx.task.mm.madvise(a[0], a[1], a[2] as i32)
}

/// `mincore`
pub fn sys_mincore(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    cx.task.mm.mincore(a[0], a[1], a[2])
}

/// `msync`
pub fn sys_msync(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    cx.task.mm.msync(a[0], a[1], a[2] as i32)
}

/// `mlock`
pub fn sys_mlock(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    cx.task.mm.mlock(a[0], a[1], 0)
}

/// `mlock2`
pub fn sys_mlock2(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    cx.task.mm.mlock(a[0], a[1], a[2] as u32)
}

/// `munlock`
pub fn sys_munlock(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    cx.task.mm.munlock(a[0], a[1])
}

/// `shmat`
pub fn sys_shmat(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    // The size decides how much of the address space is taken.
    // SAFETY: an all-zero structure is valid.
    let mut segment: libc::shmid_ds = unsafe { std::mem::zeroed() };
    let args = [a[0], libc::IPC_STAT as u64, &raw mut segment as u64, 0, 0, 0];
    raw_syscall(libc::SYS_shmctl, args)?;
    cx.task.mm.shmat(a[0] as i32, a[1], segment.shm_segsz as u64, a[2] as i32)
}

/// `shmdt`
pub fn sys_shmdt(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    cx.task.mm.shmdt(a[0])
}

/// `riscv_flush_icache`: translations of the range are no longer valid, in any thread.
pub fn sys_riscv_flush_icache(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    const LOCAL: u64 = 1;
    if a[2] & !LOCAL != 0 {
        return Err(Errno::EINVAL);
    }
    cx.task.mm.invalidate_code(a[0], a[1].saturating_sub(a[0]));
    Ok(0)
}
