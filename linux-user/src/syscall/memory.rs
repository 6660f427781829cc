//! Memory calls: arguments in, the address space ([`crate::mm::Mm`]) does the rest.

use super::SysCx;
use super::plain::{read_struct, write_struct};
use crate::errno::{Errno, SysResult};
use crate::sys::{raw_syscall, safe_syscall};
use syscall_tables::Ty;

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
    // A 32-bit call of a program that has larger addresses gets one it can use.
    let low = if cx.mem.base() == 0 && cx.abi.info().word == 4 { libc::MAP_32BIT as u64 } else { 0 };
    cx.task.mm.mmap(a[0], a[1], a[2] as u32, a[3] | low, a[4] as i32, a[5] << 12)
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

/// `pkey_alloc`: as on a processor that has none, after the kernel's checks.
pub fn sys_pkey_alloc(_cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    const RIGHTS: u64 = 3;
    Err(if a[0] != 0 || a[1] & !RIGHTS != 0 { Errno::EINVAL } else { Errno::ENOSPC })
}

/// `pkey_free`: none can have been allocated.
pub fn sys_pkey_free(_cx: &mut SysCx<'_>, _a: &[u64; 6]) -> SysResult {
    Err(Errno::EINVAL)
}

/// `map_shadow_stack`: as on a processor that has none.
pub fn sys_map_shadow_stack(_cx: &mut SysCx<'_>, _a: &[u64; 6]) -> SysResult {
    Err(Errno::EOPNOTSUPP)
}

/// `mseal`
pub fn sys_mseal(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if a[2] != 0 {
        return Err(Errno::EINVAL);
    }
    cx.task.mm.seal(a[0], a[1])
}

/// `remap_file_pages`
pub fn sys_remap_file_pages(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if a[2] != 0 {
        return Err(Errno::EINVAL);
    }
    cx.task.mm.remap_file_pages(a[0], a[1], a[3], a[4])
}

/// `move_pages`: a vector of addresses, whose nodes are asked for or wanted.
pub fn sys_move_pages(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if cx.is_native() {
        return safe_syscall(libc::SYS_move_pages, *a);
    }
    const MOST: u64 = 1 << 20;
    if a[1] > MOST {
        return Err(Errno::E2BIG);
    }
    let (word, count) = (cx.abi.info().word as u64, a[1]);
    let int = Ty::I32;
    let page = |n: u64| cx.mem.host_opt(cx.read_long(a[2].wrapping_add(n * word))?, 0);
    let pages = if a[2] == 0 { Vec::new() } else { (0..count).map(page).collect::<Result<Vec<_>, _>>()? };
    let node = |n: u64| Ok(read_struct(cx, int, a[3].wrapping_add(4 * n))?[0] as i32);
    let nodes: Vec<i32> =
        if a[3] == 0 { Vec::new() } else { (0..count).map(node).collect::<Result<_, Errno>>()? };
    let mut status = vec![0i32; count as usize];
    let pointer = |given: u64, list: *const u8| if given == 0 { 0 } else { list as u64 };
    let args = [
        a[0],
        count,
        pointer(a[2], pages.as_ptr().cast()),
        pointer(a[3], nodes.as_ptr().cast()),
        status.as_mut_ptr() as u64,
        a[5],
    ];
    let result = safe_syscall(libc::SYS_move_pages, args)?;
    if a[4] != 0 {
        for (n, value) in status.iter().enumerate() {
            write_struct(cx, int, a[4].wrapping_add(4 * n as u64), &[*value as u32 as u64])?;
        }
    }
    Ok(result)
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
