//! Files by name and descriptor: the calls that look at paths, or that must not touch the emulator's own descriptors.

use super::SysCx;
use crate::errno::{Errno, SysResult};
use crate::sys::{raw_syscall, safe_syscall};
use crate::trace::tracer;
use std::borrow::Cow;
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};
use syscall_tables::{CallId, flags};

const O_NOFOLLOW: u64 = libc::O_NOFOLLOW as u64;
const AT_FDCWD: u64 = libc::AT_FDCWD as i64 as u64;

/// `open`
pub fn sys_open(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    open_at(cx, AT_FDCWD, a[0], a[1], a[2])
}

/// `openat`
pub fn sys_openat(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    open_at(cx, a[0], a[1], a[2], a[3])
}

fn open_at(cx: &mut SysCx<'_>, dirfd: u64, path: u64, flags: u64, mode: u64) -> SysResult {
    let flags = flags::OPEN.to_host(flags & 0xffff_ffff, cx.abi);
    // A name relative to a descriptor may be below /proc.
    if cx.path_as_is(path) && (dirfd as i32 == libc::AT_FDCWD || cx.mem.read::<u8>(path) == Ok(b'/')) {
        return safe_syscall(libc::SYS_openat, [dirfd, cx.mem.host_opt(path, 0)?, flags, mode, 0, 0]);
    }
    let path = cx.path(path)?;
    note_memory_file(&path, flags);
    if let Some(result) = crate::proc_view::open(cx.task, dirfd, &path, flags) {
        return result;
    }
    let path = cx.host_path_at(dirfd, &path, flags & O_NOFOLLOW == 0);
    safe_syscall(libc::SYS_openat, [dirfd, path.as_ptr() as u64, flags, mode, 0, 0])
}

/// `write`, which may be to another process's memory.
pub fn sys_write(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let result = super::run_plain(cx, CallId::Write, a)?;
    if MEMORY_FILES.load(Ordering::Relaxed) {
        let args = [a[0], 0, libc::SEEK_CUR as u64, 0, 0, 0];
        if let Ok(end) = raw_syscall(libc::SYS_lseek, args) {
            tracer::file_written(a[0] as i32, end.wrapping_sub(result), result);
        }
    }
    Ok(result)
}

/// `pwrite64`, as [`sys_write`].
pub fn sys_pwrite64(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let result = super::run_plain(cx, CallId::Pwrite64, a)?;
    if MEMORY_FILES.load(Ordering::Relaxed) {
        tracer::file_written(a[0] as i32, a[3], result);
    }
    Ok(result)
}

/// A descriptor of `/proc/PID/mem` that can be written was opened: writes are looked at.
static MEMORY_FILES: AtomicBool = AtomicBool::new(false);

fn note_memory_file(path: &CStr, flags: u64) {
    let path = path.to_bytes();
    if path.starts_with(b"/proc/") && path.ends_with(b"/mem") && flags & libc::O_ACCMODE as u64 != 0 {
        MEMORY_FILES.store(true, Ordering::Relaxed);
    }
}

/// `openat2`: a structure that may be longer than we know, as long as the rest is zero.
pub fn sys_openat2(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let (dirfd, path, how, size) = (a[0], a[1], a[2], a[3]);
    if size < 24 {
        return Err(Errno::EINVAL);
    }
    if size > 4096 {
        return Err(Errno::E2BIG);
    }
    let mut raw = vec![0u8; size as usize];
    cx.mem.copy_in(how, &mut raw)?;
    if raw[24..].iter().any(|b| *b != 0) {
        return Err(Errno::E2BIG);
    }
    let big = cx.abi.info().big_endian;
    let word = |i: usize| {
        let b: [u8; 8] = std::array::from_fn(|k| raw[i * 8 + k]);
        if big { u64::from_be_bytes(b) } else { u64::from_le_bytes(b) }
    };
    let open_flags = flags::OPEN.to_host(word(0), cx.abi);
    let host_how = [open_flags, word(1), word(2)];
    let path = cx.path(path)?;
    let path = if host_how[2] == 0 {
        cx.host_path_at(dirfd, &path, open_flags & O_NOFOLLOW == 0)
    } else {
        // With a resolve rule the path is relative to what the guest opened itself.
        Cow::Borrowed(path.as_c_str())
    };
    safe_syscall(libc::SYS_openat2, [dirfd, path.as_ptr() as u64, host_how.as_ptr() as u64, 24, 0, 0])
}

fn hidden(cx: &SysCx<'_>, fd: u64) -> bool {
    cx.task.files.is_hidden(fd as i32)
}

/// `close`
pub fn sys_close(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if hidden(cx, a[0]) {
        return Err(Errno::EBADF);
    }
    safe_syscall(libc::SYS_close, *a)
}

/// `close_range`: around the descriptors that are not the guest's.
pub fn sys_close_range(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let (first, last) = (u64::from(a[0] as u32), u64::from(a[1] as u32));
    if first > last || a[2] & !6 != 0 {
        return Err(Errno::EINVAL);
    }
    let kept: Vec<u64> = crate::task::lock(&cx.task.files.hidden).keys().map(|fd| *fd as u64).collect();
    let mut from = first;
    for fd in kept.into_iter().filter(|fd| (first..=last).contains(fd)) {
        if from < fd {
            raw_syscall(libc::SYS_close_range, [from, fd - 1, a[2], 0, 0, 0])?;
        }
        from = fd + 1;
    }
    if from <= last { raw_syscall(libc::SYS_close_range, [from, last, a[2], 0, 0, 0]) } else { Ok(0) }
}

/// `dup2`
pub fn sys_dup2(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if hidden(cx, a[0]) || hidden(cx, a[1]) {
        return Err(Errno::EBADF);
    }
    safe_syscall(libc::SYS_dup2, *a)
}

/// `dup3`
pub fn sys_dup3(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if hidden(cx, a[0]) || hidden(cx, a[1]) {
        return Err(Errno::EBADF);
    }
    let flags = flags::DUP.to_host(a[2] & 0xffff_ffff, cx.abi);
    safe_syscall(libc::SYS_dup3, [a[0], a[1], flags, 0, 0, 0])
}

/// `chdir`: the host's directory, else the tree's (see `paths`).
pub fn sys_chdir(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let path = cx.path(a[0])?;
    let change = |path: &CStr| safe_syscall(libc::SYS_chdir, [path.as_ptr() as u64, 0, 0, 0, 0, 0]);
    let mut result = change(&path);
    if matches!(result, Err(Errno::ENOENT | Errno::ENOTDIR))
        && let Cow::Owned(found) = cx.host_path_at(AT_FDCWD, &path, true)
    {
        result = change(&found);
    }
    cx.task.fs.moved();
    result
}

/// `fchdir`
pub fn sys_fchdir(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if hidden(cx, a[0]) {
        return Err(Errno::EBADF);
    }
    let result = safe_syscall(libc::SYS_fchdir, *a);
    cx.task.fs.moved();
    result
}

/// `readlink`
pub fn sys_readlink(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    read_link_at(cx, AT_FDCWD, a[0], a[1], a[2])
}

/// `readlinkat`
pub fn sys_readlinkat(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    read_link_at(cx, a[0], a[1], a[2], a[3])
}

fn read_link_at(cx: &mut SysCx<'_>, dirfd: u64, path: u64, buf: u64, size: u64) -> SysResult {
    if size as i32 <= 0 {
        return Err(Errno::EINVAL);
    }
    let path = cx.path(path)?;
    if let Some(target) = crate::proc_view::read_link(cx.task, &path) {
        let len = target.len().min(size as usize);
        cx.mem.copy_out(buf, &target[..len])?;
        return Ok(len as u64);
    }
    let path = cx.host_path_at(dirfd, &path, false);
    let buf = cx.mem.host(buf, 0)?;
    raw_syscall(libc::SYS_readlinkat, [dirfd, path.as_ptr() as u64, buf, size, 0, 0])
}
