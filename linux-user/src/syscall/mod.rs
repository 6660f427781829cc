//! The central dispatch: guest number and six arguments in, result out.
//!
//! A number is looked up in the guest's table; its call is then *plain* (the tables convert, the host's call of the same
//! name runs: `plain`), has a handler here or in the process, memory or signal code, or is ENOSYS, said once in the log.
//! Handlers get a [`SysCx`] and return `Result<u64, Errno>`; the codes 512..516 are the signal code's business.

pub mod aio;
pub mod events;
pub mod fast;
pub mod fcntl;
pub mod fs;
pub mod fs32;
pub mod ioctl;
pub mod ipc;
pub mod keys;
pub mod memory;
mod memory_file;
pub mod message;
pub mod misc;
pub mod old;
mod outputs;
mod plain;
pub mod poll;
pub mod short_ids;
pub mod time;

pub use plain::{native, read_struct, write_struct};

use crate::errno::{Errno, SysResult};
use crate::guest_mem::GuestMem;
use crate::seccomp;
use crate::strace;
use crate::task::Task;
use crate::trace::tracer;
use crate::{arch, process, signal};
use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicU64, Ordering};
use syscall_tables::{Arch, CALLS, CallId, HOST, Level};

/// What a handler works with.
pub struct SysCx<'a> {
    /// The calling thread.
    pub task: &'a mut Task,
    /// Its memory.
    pub mem: GuestMem,
    /// Its ABI.
    pub abi: Arch,
    /// Registers, frames and facts of its architecture.
    pub arch: &'static dyn arch::Arch,
}

/// A system call's code.
pub type Handler = fn(&mut SysCx<'_>, &[u64; 6]) -> SysResult;

/// The longest path the kernel takes.
pub const PATH_MAX: usize = 4096;

impl SysCx<'_> {
    /// A path argument as the guest wrote it.
    pub fn path(&self, addr: u64) -> Result<CString, Errno> {
        let bytes = self.mem.cstr(addr, PATH_MAX)?;
        Ok(CString::new(bytes).unwrap_or_default())
    }

    /// True if guest data have the host's form and lie where the guest says.
    pub fn is_native(&self) -> bool {
        self.abi.same_data_model(HOST) && self.mem.base() == 0
    }

    /// True if the kernel may read a path argument itself: nothing there can look different to the guest. (An unreadable
    /// one is the kernel's to refuse.)
    pub fn path_as_is(&self, addr: u64) -> bool {
        let mut head = [0; 5];
        let got = self.mem.copy_in_partial(addr, &mut head);
        let head = &head[..got];
        (head.first() != Some(&b'/') && !self.task.fs.is_shadowed())
            || (head.first() == Some(&b'/')
                && self.task.fs.sysroot.is_none()
                && !head.starts_with(b"//")
                && head != b"/proc")
    }

    /// The host path of an existing file that a guest path names (see `paths`).
    pub fn host_path<'p>(&self, path: &'p CStr, follow: bool) -> Cow<'p, CStr> {
        crate::proc_view::redirect(self.task, path, follow)
            .unwrap_or_else(|| crate::paths::host_path(self.task.fs.sysroot.as_deref(), path, follow))
    }

    /// The same for a path that is relative to a descriptor or to the working directory.
    pub fn host_path_at<'p>(&self, dirfd: u64, path: &'p CStr, follow: bool) -> Cow<'p, CStr> {
        let below = || self.task.fs.below_cwd(path, follow);
        match (dirfd as i32 == libc::AT_FDCWD).then(below).flatten() {
            Some(found) => Cow::Owned(found),
            None => self.host_path(path, follow),
        }
    }
}

impl SysCx<'_> {
    /// Writes an `int` of the guest, unless the pointer is null.
    pub fn write_int(&self, addr: u64, value: i32) -> Result<(), Errno> {
        if addr == 0 {
            return Ok(());
        }
        self.mem.write(addr, &if self.abi.info().big_endian { value.swap_bytes() } else { value })
    }

    /// Reads a `long` of the guest.
    pub fn read_long(&self, addr: u64) -> Result<u64, Errno> {
        let mut raw = [0; 8];
        let info = self.abi.info();
        self.mem.copy_in(addr, &mut raw[..info.word])?;
        Ok(match (info.big_endian, info.word) {
            (false, _) => u64::from_le_bytes(raw),
            (true, 8) => u64::from_be_bytes(raw),
            (true, _) => u64::from(u32::from_be_bytes([raw[0], raw[1], raw[2], raw[3]])),
        })
    }

    /// Writes a `long` of the guest.
    pub fn write_long(&self, addr: u64, value: u64) -> Result<(), Errno> {
        let info = self.abi.info();
        match (info.big_endian, info.word) {
            (false, word) => self.mem.copy_out(addr, &value.to_le_bytes()[..word]),
            (true, word) => self.mem.copy_out(addr, &value.to_be_bytes()[8 - word..]),
        }
    }
}

/// Runs a call by its table row, for handlers that only add to it.
pub fn run_plain(cx: &mut SysCx<'_>, call: CallId, args: &[u64; 6]) -> SysResult {
    plain::run(cx, call.desc(), args)
}

macro_rules! handler_table {
    ($($call:ident => $module:ident :: $name:ident;)*) => {
        static HANDLERS: [Option<Handler>; CALLS.len()] = {
            let mut table: [Option<Handler>; CALLS.len()] = [None; CALLS.len()];
            $(table[CallId::$call as usize] = Some($module::$name as Handler);)*
            table
        };
    };
}

syscall_tables::with_handlers!(handler_table);

/// Executes one call. The result is the guest's, or one of the codes that only the run loop understands.
pub fn dispatch(cx: &mut SysCx<'_>, number: u64, args: &[u64; 6]) -> SysResult {
    let Some(call) = cx.abi.call(number) else {
        if strace::enabled() {
            strace::unknown(cx, number, args);
        }
        say_once(number as usize % ONCE_BITS, || format!("Unknown syscall {number}"));
        return Err(Errno::ENOSYS);
    };
    match old::unpack(cx, call, args) {
        None => call_with(cx, call, args),
        Some(Ok(inner)) => {
            let result = call_with(cx, inner.call, &inner.regs)?;
            match inner.store {
                Some(at) => cx.write_long(at, result).map(|()| 0),
                None => Ok(result),
            }
        }
        Some(Err(errno)) => Err(errno),
    }
}

/// Whether the kernel ends the call with EINTR only if a handler runs, and executes it again otherwise (ERESTARTNOHAND and
/// ERESTART_RESTARTBLOCK in its sources). Waits whose time is left nowhere are not among them.
pub fn waits_for_handler(abi: Arch, number: u64, args: &[u64; 6]) -> bool {
    use CallId as C;
    match abi.call(number) {
        Some(C::Poll) => (args[2] as i32) < 0,
        Some(
            C::Pause
            | C::RtSigsuspend
            | C::Sigsuspend
            | C::Select
            | C::Newselect
            | C::Pselect6
            | C::Pselect6Time64
            | C::Ppoll
            | C::PpollTime64
            | C::Nanosleep
            | C::ClockNanosleep
            | C::ClockNanosleepTime64
            | C::Msgsnd
            | C::Msgrcv,
        ) => true,
        _ => false,
    }
}

/// Executes a call whose arguments are as registers hold them.
fn call_with(cx: &mut SysCx<'_>, call: CallId, args: &[u64; 6]) -> SysResult {
    let info = cx.abi.info();
    if info.word == 8 && !info.big_endian {
        let _open = if cx.task.mm.holds_code() { outputs::open(cx, call, args) } else { None };
        return if strace::enabled() { strace::traced(cx, call, args, run) } else { run(cx, call, args) };
    }
    let args = &syscall_tables::widen(info, call.desc(), args);
    let _open = if cx.task.mm.holds_code() { outputs::open(cx, call, args) } else { None };
    let run = if call.desc().level_on(cx.abi).works() { run_narrow } else { refused };
    if strace::enabled() { strace::traced(cx, call, args, run) } else { run(cx, call, args) }
}

fn refused(cx: &mut SysCx<'_>, call: CallId, _args: &[u64; 6]) -> SysResult {
    say_once(ONCE_BITS + call as usize % ONCE_BITS, || {
        format!("Unsupported syscall: {} ({})", call.desc().name, call.desc().reason_on(cx.abi))
    });
    Err(Errno::ENOSYS)
}

/// A call of a 32-bit ABI.
fn run_narrow(cx: &mut SysCx<'_>, call: CallId, args: &[u64; 6]) -> SysResult {
    short_ids::run(cx, call, args, run).unwrap_or_else(|| run(cx, call, args))
}

#[inline]
fn run(cx: &mut SysCx<'_>, call: CallId, args: &[u64; 6]) -> SysResult {
    let result = run_once(cx, call, args);
    if result == Err(Errno::EIO) { memory_file::again(cx, call, args).unwrap_or(result) } else { result }
}

#[inline]
fn run_once(cx: &mut SysCx<'_>, call: CallId, args: &[u64; 6]) -> SysResult {
    match HANDLERS[call as usize] {
        Some(handler) => handler(cx, args),
        None => {
            let desc = call.desc();
            match desc.level {
                Level::Plain => plain::run(cx, desc, args),
                Level::Handler | Level::None | Level::Never => {
                    say_once(ONCE_BITS + call as usize % ONCE_BITS, || {
                        format!("Unsupported syscall: {} ({})", desc.name, desc.note)
                    });
                    Err(Errno::ENOSYS)
                }
            }
        }
    }
}

const ONCE_BITS: usize = 2048;
static SAID: [AtomicU64; 2 * ONCE_BITS / 64] = [const { AtomicU64::new(0) }; 2 * ONCE_BITS / 64];

/// One line in the log per process and reason, for those who asked with `-d unimp` or `-strace`.
fn say_once(bit: usize, text: impl FnOnce() -> String) {
    let mask = 1u64 << (bit % 64);
    if SAID[bit / 64].fetch_or(mask, Ordering::Relaxed) & mask == 0 {
        strace::note(&text());
    }
}
