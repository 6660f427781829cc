//! Our own binary, for an exec of another program of this architecture.
//!
//! Usually it is `/proc/self/exe`. Without a `/proc` (a chroot, a tree whose installer unmounts it) it is the file under its
//! name, if the name can be seen, or else a descriptor that is opened before a call which may hide both, and handed on
//! by `-self` from then on.

use crate::errno::Errno;
use crate::errno::SysResult;
use crate::log::move_high;
use crate::sys::raw_syscall;
use crate::syscall::{SysCx, run_plain};
use crate::task::{Files, lock};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use syscall_tables::CallId;

static NAME: OnceLock<Option<PathBuf>> = OnceLock::new();
/// What the descriptor is called among those that are not the guest's.
const HELD: &str = "self";

fn find() -> Option<PathBuf> {
    std::fs::read_link("/proc/self/exe").ok().or_else(|| {
        // SAFETY: the kernel's string, which lives as long as the process.
        let name = unsafe { std::ffi::CStr::from_ptr(libc::getauxval(libc::AT_EXECFN) as *const _) };
        std::path::absolute(Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()))).ok()
    })
}

/// Notes the binary's name at the start of the process, and the descriptor that the program which made exec gave.
pub fn start(given: Option<u64>, files: &Files) {
    let _ = name();
    if let Some(fd) = given {
        keep(move_high(fd as i32), files);
    }
}

fn keep(fd: i32, files: &Files) {
    lock(&files.hidden).insert(fd, HELD);
}

fn held(files: &Files) -> Option<i32> {
    lock(&files.hidden).iter().find(|(_, what)| **what == HELD).map(|(fd, _)| *fd)
}

/// The binary's name, if it is known.
pub fn name() -> Option<&'static Path> {
    NAME.get_or_init(find).as_deref()
}

/// Opens the binary while it can be found.
fn hold(cx: &SysCx<'_>) {
    if held(&cx.task.files).is_some() {
        return;
    }
    let flags = (libc::O_PATH | libc::O_CLOEXEC) as u64;
    let args = [libc::AT_FDCWD as u64, c"/proc/self/exe".as_ptr() as u64, flags, 0, 0, 0];
    if let Ok(fd) = raw_syscall(libc::SYS_openat, args) {
        keep(move_high(fd as i32), &cx.task.files);
    }
}

/// `chroot`
pub fn sys_chroot(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    hold(cx);
    run_plain(cx, CallId::Chroot, a)
}

/// `pivot_root`
pub fn sys_pivot_root(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    hold(cx);
    run_plain(cx, CallId::PivotRoot, a)
}

/// Executes the binary where `/proc/self/exe` cannot be reached; returns only an error.
pub fn exec(files: &Files, argv: &[CString], env: &[*const libc::c_char]) -> Errno {
    let pointers = |list: &[&CString]| -> Vec<*const libc::c_char> {
        list.iter().map(|text| text.as_ptr()).chain(std::iter::once(std::ptr::null())).collect()
    };
    let Some(held) = held(files) else {
        let Some(name) = name().and_then(|name| CString::new(name.as_os_str().as_bytes()).ok()) else {
            return Errno::ENOENT;
        };
        let argv = pointers(&argv.iter().collect::<Vec<_>>());
        let args = [name.as_ptr() as u64, argv.as_ptr() as u64, env.as_ptr() as u64, 0, 0, 0];
        return raw_syscall(libc::SYS_execve, args).err().unwrap_or(Errno::ENOENT);
    };
    let fd = match raw_syscall(libc::SYS_dup, [held as u64, 0, 0, 0, 0, 0]) {
        Ok(fd) => fd,
        Err(errno) => return errno,
    };
    let told = [c"-self".to_owned(), CString::new(fd.to_string()).unwrap_or_default()];
    let (first, rest) = argv.split_at(argv.len().min(1));
    let argv = pointers(&first.iter().chain(&told).chain(rest).collect::<Vec<_>>());
    let flags = libc::AT_EMPTY_PATH as u64;
    let args = [fd, c"".as_ptr() as u64, argv.as_ptr() as u64, env.as_ptr() as u64, flags, 0];
    let result = raw_syscall(libc::SYS_execveat, args);
    let _ = raw_syscall(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
    result.err().unwrap_or(Errno::ENOENT)
}
