//! Waiting with a temporary signal mask.

use super::SysCx;
use super::plain::{fd_set_in, fd_set_out, read_struct, write_struct};
use crate::errno::{Errno, SysResult};
use crate::signal::with_temporary_mask;
use crate::sys::{raw_syscall, safe_syscall};
use syscall_tables::{HOST, StructId, Ty, element, read_scalar, same_layout, structs};

/// A signal set of the kernel's size; zero address means none was given.
fn sigset(cx: &SysCx<'_>, addr: u64, size: u64) -> Result<Option<u64>, Errno> {
    if addr == 0 {
        return Ok(None);
    }
    if size != 8 {
        return Err(Errno::EINVAL);
    }
    let mut raw = [0; 8];
    cx.mem.copy_in(addr, &mut raw)?;
    // An array of longs: the 32-bit halves of a big-endian 32-bit guest stand low word first.
    let info = cx.abi.info();
    Ok(Some(match (info.big_endian, info.word) {
        (false, _) => u64::from_le_bytes(raw),
        (true, 4) => read_scalar(Ty::U32, &raw[..4], cx.abi) | read_scalar(Ty::U32, &raw[4..], cx.abi) << 32,
        (true, _) => u64::from_be_bytes(raw),
    }))
}

/// The host's mask argument: pointer and size.
fn mask_arg(mask: &Option<u64>) -> (u64, u64) {
    match mask {
        Some(m) => (m as *const u64 as u64, 8),
        None => (0, 8),
    }
}

/// A timeout as the host's call takes it: the guest's own memory if it has the host's form, else a copy.
enum Timeout {
    Guest(u64),
    Copy(Vec<u64>),
}

impl Timeout {
    fn pointer(&mut self) -> u64 {
        match self {
            Timeout::Guest(addr) => *addr,
            Timeout::Copy(words) => words.as_mut_ptr() as u64,
        }
    }
}

fn timespec(cx: &SysCx<'_>, id: StructId, addr: u64) -> Result<Timeout, Errno> {
    if addr == 0 || cx.is_native() {
        return cx.mem.host_opt(addr, 0).map(Timeout::Guest);
    }
    read_struct(cx, Ty::Struct(id), addr).map(Timeout::Copy)
}

fn put_timespec(cx: &SysCx<'_>, id: StructId, addr: u64, value: &Timeout) {
    if let Timeout::Copy(t) = value {
        // As the kernel: a timeout that cannot be written back is no error.
        let _ = write_struct(cx, Ty::Struct(id), addr, t);
    }
}

/// `ppoll`
pub fn sys_ppoll(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    wait_poll(cx, a, structs::TIMESPEC)
}

/// `ppoll_time64`
pub fn sys_ppoll_time64(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    wait_poll(cx, a, structs::TIMESPEC64)
}

fn wait_poll(cx: &mut SysCx<'_>, a: &[u64; 6], time_ty: StructId) -> SysResult {
    let mask = sigset(cx, a[3], a[4])?;
    let mut time = timespec(cx, time_ty, a[2])?;
    let (fds, t) = (cx.mem.host_opt(a[0], 0)?, time.pointer());
    let result = with_temporary_mask(cx.task, mask, |_, mask| {
        let (m, n) = mask_arg(&mask);
        safe_syscall(libc::SYS_ppoll, [fds, a[1], t, m, n, 0])
    });
    put_timespec(cx, time_ty, a[2], &time);
    result
}

/// `pselect6`: the last argument points to the address and size of the mask.
pub fn sys_pselect6(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    wait_select(cx, a, structs::TIMESPEC)
}

/// `pselect6_time64`
pub fn sys_pselect6_time64(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    wait_select(cx, a, structs::TIMESPEC64)
}

fn wait_select(cx: &mut SysCx<'_>, a: &[u64; 6], time_ty: StructId) -> SysResult {
    let mask = packed_sigset(cx, a[5])?;
    let mut time = timespec(cx, time_ty, a[4])?;
    let direct = cx.abi.same_data_model(HOST);
    // More descriptors than a process can have are as many as it can have.
    let words = (a[0] as i32).clamp(0, 1 << 20) as usize;
    let words = words.div_ceil(8 * cx.abi.info().word);
    let mut copies = [const { Vec::new() }; 3];
    let mut sets = [0; 3];
    for (n, addr) in [a[1], a[2], a[3]].into_iter().enumerate() {
        if direct || addr == 0 {
            sets[n] = cx.mem.host_opt(addr, 0)?;
        } else {
            copies[n] = fd_set_in(cx, addr, words)?;
            sets[n] = copies[n].as_mut_ptr() as u64;
        }
    }
    let t = time.pointer();
    let result = with_temporary_mask(cx.task, mask, |_, mask| {
        let (m, n) = mask_arg(&mask);
        let pack = [m, n];
        let p = if mask.is_some() { pack.as_ptr() as u64 } else { 0 };
        safe_syscall(libc::SYS_pselect6, [a[0], sets[0], sets[1], sets[2], t, p])
    });
    put_timespec(cx, time_ty, a[4], &time);
    if result.is_ok() {
        for (copy, addr) in copies.iter().zip([a[1], a[2], a[3]]).filter(|(copy, _)| !copy.is_empty()) {
            fd_set_out(cx, addr, words, copy)?;
        }
    }
    result
}

/// `epoll_pwait`
pub fn sys_epoll_pwait(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    wait_epoll(cx, a, a[3], libc::SYS_epoll_pwait)
}

/// `epoll_pwait2`
pub fn sys_epoll_pwait2(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let mut time = timespec(cx, structs::TIMESPEC64, a[3])?;
    let t = time.pointer();
    wait_epoll(cx, a, t, libc::SYS_epoll_pwait2)
}

fn wait_epoll(cx: &mut SysCx<'_>, a: &[u64; 6], timeout: u64, call: i64) -> SysResult {
    let ty = Ty::Struct(structs::EPOLL_EVENT);
    let mask = sigset(cx, a[4], a[5])?;
    let (gs, hs) = (element(ty, cx.abi).0, element(ty, HOST).0);
    let max = a[2] as i32;
    if max <= 0 || max as usize > i32::MAX as usize / gs {
        return Err(Errno::EINVAL);
    }
    let same = same_layout(ty, cx.abi, HOST);
    cx.mem.host(a[1], gs * max as usize)?;
    // The kernel writes what is ready and no more: a bounded buffer serves any request.
    let room = (max as usize).min(256);
    let mut buffer = if same { Vec::new() } else { vec![0u64; (room * hs).div_ceil(8)] };
    let (ptr, n) =
        if same { (cx.mem.host(a[1], 0)?, max as u64) } else { (buffer.as_mut_ptr() as u64, room as u64) };
    let ready = with_temporary_mask(cx.task, mask, |_, mask| {
        let (m, size) = mask_arg(&mask);
        safe_syscall(call, [a[0], ptr, n, timeout, m, size])
    })?;
    if !same {
        let src: &[u8] = bytemuck::cast_slice(&buffer);
        let mut out = vec![0; ready as usize * gs];
        for k in 0..ready as usize {
            syscall_tables::convert(ty, HOST, &src[k * hs..][..hs], cx.abi, &mut out[k * gs..][..gs]);
        }
        cx.mem.copy_out(a[1], &out)?;
    }
    Ok(ready)
}

/// A mask given by the address of its address and size, or none.
pub(super) fn packed_sigset(cx: &SysCx<'_>, addr: u64) -> Result<Option<u64>, Errno> {
    if addr == 0 {
        return Ok(None);
    }
    let raw = read_struct(cx, Ty::Struct(structs::SIGSET_ARG), addr)?;
    sigset(cx, raw[0], raw[1])
}

/// Rings are the kernel's own memory, so they are offered only where their contents mean the same on both sides: data laid
/// out as the host's, and no `-L`, whose paths the kernel would not know.
fn rings(cx: &SysCx<'_>) -> Result<(), Errno> {
    if cx.abi.same_data_model(HOST) && cx.task.fs.sysroot.is_none() && cx.mem.guest(0) == 0 {
        Ok(())
    } else {
        Err(Errno::ENOSYS)
    }
}

/// `io_uring_setup`
pub fn sys_io_uring_setup(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    rings(cx)?;
    let params = cx.mem.host(a[1], 120)?;
    raw_syscall(libc::SYS_io_uring_setup, [a[0], params, 0, 0, 0, 0])
}

/// `io_uring_register`
pub fn sys_io_uring_register(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    rings(cx)?;
    safe_syscall(libc::SYS_io_uring_register, *a)
}

/// `io_uring_enter`: the temporary mask stands alone, or in a structure with a timeout (IORING_ENTER_EXT_ARG).
pub fn sys_io_uring_enter(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    const EXT_ARG: u64 = 8;
    rings(cx)?;
    let mut ext = [0u64; 3];
    let extended = a[3] & EXT_ARG != 0;
    let (set, size) = if extended {
        if a[5] != size_of_val(&ext) as u64 {
            return Err(Errno::EINVAL);
        }
        cx.mem.copy_in(a[4], bytemuck::cast_slice_mut(&mut ext))?;
        (ext[0], ext[1] & 0xffff_ffff)
    } else {
        (a[4], a[5])
    };
    let mask = if set == 0 { None } else { sigset(cx, set, size)? };
    with_temporary_mask(cx.task, mask, |_, mask| {
        let here = mask.as_ref().map_or(0, |mask| std::ptr::from_ref(mask) as u64);
        let mut host_ext = ext;
        (host_ext[0], host_ext[1]) = (here, if here == 0 { 0 } else { 8 } | ext[1] & !0xffff_ffff);
        let (arg, len) = if extended {
            (host_ext.as_ptr() as u64, size_of_val(&host_ext) as u64)
        } else {
            (here, if here == 0 { a[5] } else { 8 })
        };
        safe_syscall(libc::SYS_io_uring_enter, [a[0], a[1], a[2], a[3], arg, len])
    })
}
