//! `-d` and `-D`: where log text goes, and who writes it.
//!
//! Input: items of `options::LOG_ITEMS`; output: whole texts, each in one `write`, on standard error or in the file. The
//! descriptor is moved out of the guest's way and hidden from it. Without items nothing here is called.

use crate::errno::Errno;
use crate::options::{LogBit, Options};
use crate::sys::raw_syscall;
use engine::LogItem;
use std::ffi::CString;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

static FD: AtomicI32 = AtomicI32::new(2);
static BITS: AtomicU32 = AtomicU32::new(0);
/// The log file's name, if it says that each process has its own.
static EACH: OnceLock<String> = OnceLock::new();

/// Descriptors of ours start here, where programs do not look.
const HIGH_FD: u64 = 960;

/// True if a `-d` item is on.
#[inline]
pub fn on(bit: LogBit) -> bool {
    BITS.load(Ordering::Relaxed) & bit as u32 != 0
}

/// Writes a text.
pub fn write(text: &str) {
    let mut bytes = text.as_bytes();
    while !bytes.is_empty() {
        let args = [FD.load(Ordering::Relaxed) as u64, bytes.as_ptr() as u64, bytes.len() as u64, 0, 0, 0];
        match raw_syscall(libc::SYS_write, args) {
            Ok(count) if count > 0 => bytes = &bytes[count as usize..],
            Err(Errno::EINTR) => {}
            // A log that cannot be written is no reason to stop the guest.
            Ok(_) | Err(_) => return,
        }
    }
}

/// The descriptor, if it is not standard error: the guest must not see it.
pub fn own_fd() -> Option<i32> {
    let fd = FD.load(Ordering::Relaxed);
    (fd != 2).then_some(fd)
}

/// Moves a descriptor of ours out of the way of the guest's.
pub fn move_high(fd: i32) -> i32 {
    let args = [fd as u64, libc::F_DUPFD_CLOEXEC as u64, HIGH_FD, 0, 0, 0];
    // A low limit of descriptors leaves it where it is.
    let Ok(high) = raw_syscall(libc::SYS_fcntl, args) else { return fd };
    let _ = raw_syscall(libc::SYS_close, [fd as u64, 0, 0, 0, 0, 0]);
    high as i32
}

/// Opens a log file whose name may have the process's number in it.
fn open(name: &str, fresh: bool) -> Result<i32, String> {
    let name = name.replacen("%d", &std::process::id().to_string(), 1);
    let path = CString::new(name.as_bytes()).map_err(|_| "the name of the log file has a NUL".to_owned())?;
    let fresh = if fresh { libc::O_TRUNC } else { 0 };
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC | fresh;
    let args = [libc::AT_FDCWD as u64, path.as_ptr() as u64, flags as u64, 0o666, 0, 0];
    let fd = raw_syscall(libc::SYS_openat, args)
        .map_err(|errno| format!("could not open log file '{name}': {}", errno.text().unwrap_or("?")))?;
    Ok(move_high(fd as i32))
}

/// In the child of a fork: a log that each process has for itself begins anew. The former descriptor, which is closed, and
/// the new one.
pub fn forked() -> Option<(i32, i32)> {
    let fd = open(EACH.get()?, true).ok()?;
    let old = FD.swap(fd, Ordering::Relaxed);
    let _ = raw_syscall(libc::SYS_close, [old as u64, 0, 0, 0, 0, 0]);
    crate::strace::set_output(fd);
    Some((old, fd))
}

/// Opens the log and turns the items on. The error is one line.
pub fn start(options: &Options) -> Result<(), String> {
    BITS.store(options.log, Ordering::Relaxed);
    let file = options.log_file.clone();
    if options.logs(LogBit::Tid) {
        match &file {
            Some(name) if name.contains("%d") => {}
            Some(_) | None => return Err("'-d tid' needs a log file name with '%d' (-D)".to_owned()),
        }
    }
    if let Some(name) = file {
        // A program that this one's guest executes goes on in the same file.
        FD.store(open(&name, !options.log_append)?, Ordering::Relaxed);
        if name.contains("%d") {
            let _ = EACH.set(name);
        }
    }
    if options.log_file.is_none() && (options.log != 0 || options.strace) {
        // The guest may close or redirect its standard error.
        let args = [2, libc::F_DUPFD_CLOEXEC as u64, HIGH_FD, 0, 0, 0];
        if let Ok(fd) = raw_syscall(libc::SYS_fcntl, args) {
            FD.store(fd as i32, Ordering::Relaxed);
        }
    }
    let fd = FD.load(Ordering::Relaxed);
    crate::strace::set_output(fd);
    if options.strace || options.logs(LogBit::Strace) {
        crate::strace::enable(options.strace_times);
        if let Some(list) = &options.strace_filter {
            crate::strace::filter::set(list)?;
        }
    }
    if options.logs(LogBit::Unimp) {
        crate::strace::log_unsupported();
    }
    Ok(())
}

/// The engine's items among ours.
pub fn engine_mask(options: &Options) -> u32 {
    let pairs = [
        (LogBit::InAsm, LogItem::InAsm),
        (LogBit::Op, LogItem::Op),
        (LogBit::OpOpt, LogItem::OpOpt),
        (LogBit::OutAsm, LogItem::OutAsm),
        (LogBit::Exec, LogItem::Exec),
        (LogBit::Cpu, LogItem::Cpu),
    ];
    pairs.iter().filter(|(ours, _)| options.logs(*ours)).fold(0, |mask, (_, theirs)| mask | *theirs as u32)
}
