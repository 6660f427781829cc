//! `-strace`: one line per system call, `PID name(args) = result`, read like strace's.
//!
//! Input: a call, its arguments and the guest's memory; output: text on the log's descriptor. Arguments that the kernel
//! reads are formatted before the call, those it writes afterwards; a line is one `write`, so threads do not mix. How
//! arguments look follows from the tables (`format`), with a few calls that need more (`special`, `socket`).

pub mod filter;
mod format;
mod signal;
mod socket;
mod special;

use crate::errno::{Errno, SysResult};
use crate::syscall::SysCx;
use format::Printer;
pub use signal::{delivered, killed};
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Instant;
use syscall_tables::{ArgTy, CallDesc, CallId, Dir, Ret};

static ENABLED: AtomicBool = AtomicBool::new(false);
static TIMES: AtomicBool = AtomicBool::new(false);
static UNIMP: AtomicBool = AtomicBool::new(false);
static OUTPUT: AtomicI32 = AtomicI32::new(2);

/// Turns tracing on; `times` adds the time of day in front and the duration behind.
pub fn enable(times: bool) {
    ENABLED.store(true, Ordering::Relaxed);
    TIMES.store(times, Ordering::Relaxed);
}

/// Says what is not supported even without tracing (`-d unimp`).
pub fn log_unsupported() {
    UNIMP.store(true, Ordering::Relaxed);
}

/// Where lines go (`-D`); standard error without it.
pub fn set_output(fd: i32) {
    OUTPUT.store(fd, Ordering::Relaxed);
}

/// True if calls are traced.
#[inline]
pub fn enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

fn emit(line: &str) {
    let fd = OUTPUT.load(Ordering::Relaxed);
    let args = [fd as u64, line.as_ptr() as u64, line.len() as u64, 0, 0, 0];
    // A log that cannot be written is no reason to stop the guest.
    let _ = crate::sys::raw_syscall(libc::SYS_write, args);
}

/// A line about something not supported, for those who asked.
pub fn note(text: &str) {
    if enabled() && !filter::active() || UNIMP.load(Ordering::Relaxed) {
        emit(&format!("{text}\n"));
    }
}

fn head(tid: i32) -> String {
    let mut line = String::with_capacity(160);
    if TIMES.load(Ordering::Relaxed) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let _ = write!(line, "{}.{:06} ", now.as_secs(), now.subsec_micros());
    }
    let _ = write!(line, "{tid} ");
    line
}

/// A call whose number the table does not have.
pub fn unknown(cx: &SysCx<'_>, number: u64, a: &[u64; 6]) {
    if filter::active() {
        return;
    }
    let mut line = head(cx.task.tid);
    let _ = writeln!(
        line,
        "syscall_{number:#x}({:#x}, {:#x}, {:#x}, {:#x}, {:#x}, {:#x}) = -1 ENOSYS ({})",
        a[0],
        a[1],
        a[2],
        a[3],
        a[4],
        a[5],
        Errno::ENOSYS
    );
    emit(&line);
}

/// The end of the process, as strace shows it.
fn exited(tid: i32, status: i32) {
    if enabled() {
        emit(&format!("{}+++ exited with {status} +++\n", head(tid)));
    }
}

/// Arguments from `from` on, as long as `when` allows them; returns the first that is left.
fn arguments(p: &mut Printer, desc: &CallDesc, a: &[u64; 6], from: usize, after: Option<u64>) -> usize {
    for (i, arg) in desc.args.iter().enumerate().skip(from) {
        let written = matches!(arg.ty, ArgTy::Mem(m) if m.dir != Dir::In) || special::written(p, desc, a, i);
        if after.is_none() && written {
            return i;
        }
        if i > 0 {
            p.out.push_str(", ");
        }
        if !special::argument(p, desc, a, i, after) {
            p.argument(arg.ty, a, i, after);
        }
    }
    desc.args.len()
}

/// Whether an exec will probably succeed: its line must be written before it is known.
fn can_execute(cx: &SysCx<'_>, call: CallId, a: &[u64; 6]) -> bool {
    let (dirfd, path) = if call == CallId::Execveat { (a[0], a[1]) } else { (libc::AT_FDCWD as u64, a[0]) };
    let Ok(path) = cx.path(path) else { return false };
    if path.is_empty() {
        return call == CallId::Execveat;
    }
    let path = cx.host_path(&path, true);
    let args = [dirfd, path.as_ptr() as u64, libc::X_OK as u64, 0, 0, 0];
    crate::sys::raw_syscall(libc::SYS_faccessat, args).is_ok()
}

/// Runs a call with a line before and after it.
pub fn traced(
    cx: &mut SysCx<'_>,
    call: CallId,
    a: &[u64; 6],
    run: fn(&mut SysCx<'_>, CallId, &[u64; 6]) -> SysResult,
) -> SysResult {
    if !filter::shows(call) {
        return run(cx, call, a);
    }
    let desc = call.desc();
    let tid = cx.task.tid;
    let mut p = Printer { out: head(tid), mem: cx.mem, abi: cx.abi, failed: false };
    p.out.push_str(desc.name);
    p.out.push('(');
    // A program that replaces itself or ends has no "afterwards".
    let exec = matches!(call, CallId::Execve | CallId::Execveat);
    let ends = desc.ret == Ret::Never || (exec && can_execute(cx, call, a));
    let done = arguments(&mut p, desc, a, 0, None);
    if ends {
        let mut line = p.out.clone();
        line.push_str(if desc.ret == Ret::Never { ") = ?\n" } else { ") = 0\n" });
        emit(&line);
        if matches!(call, CallId::Exit | CallId::ExitGroup) {
            exited(tid, a[0] as i32 & 0xff);
        }
    }
    let start = Instant::now();
    let result = run(cx, call, a);
    if ends && (result.is_ok() || desc.ret == Ret::Never || result == Err(Errno::ESIGRETURN)) {
        return result;
    }
    if cx.task.tid != tid {
        // A fork's child: the line is its parent's.
        return result;
    }
    p.failed = result.is_err();
    arguments(&mut p, desc, a, done, Some(*result.as_ref().unwrap_or(&0)));
    p.out.push_str(") = ");
    match result {
        Ok(v) => special::result(&mut p, desc, a, v),
        Err(e) if e.is_restart() => {
            let _ = write!(p.out, "? {e:?} ({e})");
        }
        Err(e) => {
            let _ = write!(p.out, "-1 {e:?} ({e})");
        }
    }
    if TIMES.load(Ordering::Relaxed) {
        let _ = write!(p.out, " <{:.6}>", start.elapsed().as_secs_f64());
    }
    p.out.push('\n');
    emit(&p.out);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest_mem::GuestMem;
    use syscall_tables::{ARCHES, CALLS};

    #[test]
    fn wild_arguments_are_printed_without_a_panic() {
        crate::host_signal::install_sync_handlers();
        let slots = crate::host_signal::HostSlots::default();
        // SAFETY: detached below, before the slots go.
        let old = unsafe { crate::host_signal::attach(&raw const slots) };
        let mut seed = 0x2545_f491_4f6c_dd1du64;
        let mut random = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let mut memory: Vec<u64> = (0..1024).map(|_| random()).collect();
        let base = memory.as_ptr() as u64;
        for round in 0..40 {
            for word in memory.iter_mut() {
                // Pointers into the buffer lead deeper.
                *word = if random() % 3 == 0 { base + random() % 8192 } else { random() >> (random() % 64) };
            }
            for desc in &CALLS {
                let abi = ARCHES[round % ARCHES.len()].arch;
                let mut p =
                    Printer { out: String::new(), mem: GuestMem::new(0, 1 << 47), abi, failed: false };
                let a: [u64; 6] = std::array::from_fn(|_| match random() % 4 {
                    0 => base + random() % 8192,
                    1 => random() % 64,
                    2 => u64::MAX - random() % 16,
                    _ => random(),
                });
                let done = arguments(&mut p, desc, &a, 0, None);
                p.failed = random() % 4 == 0;
                let ret = random() >> (random() % 64);
                arguments(&mut p, desc, &a, done, Some(ret));
                special::result(&mut p, desc, &a, ret);
                assert!(p.out.len() < 1 << 20);
            }
        }
        // SAFETY: restores the former value.
        unsafe { crate::host_signal::attach(old) };
    }
}
