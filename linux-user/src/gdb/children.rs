//! `fork` and `exec` of the program that is debugged.
//!
//! ```text
//! parent's task: fork --> report Fork(child) --> held      server: stop reply --> gdb
//! child's task:       --> waits for a verdict  <---------- D;CHILD: free   D;PARENT: follow
//! ```
//!
//! 1. The child of a fork waits before its first instruction until the debugger has chosen; the end of the parent, or of
//!    the connection, sets it free. Free, it drops all breakpoints and closes the connection.
//! 2. A child that is followed takes the connection over with a server of its own, and the parent runs free.
//! 3. `vfork` under a debugger that wants to hear of children copies memory, so that breakpoints of the one are not the
//!    other's; the parent waits as ever.
//! 4. exec hands the connection to the next emulator, which reports it before its first instruction.

use super::{ACTIVE, State, Stop, Thread, WATCHING, active, pid, server, state};
use crate::log::move_high;
use crate::sys::raw_syscall;
use crate::task::{Files, Task, lock};
use std::ffi::CString;
use std::os::fd::RawFd;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;

/// What becomes of a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is not debugged.
    Free,
    /// It goes on with the debugger.
    Follow {
        /// Packets are not acknowledged.
        no_ack: bool,
    },
    /// It dies.
    Kill,
}

/// A child that waits.
#[derive(Clone, Copy)]
pub struct Waiting {
    line: RawFd,
    /// Its parent's task closes the line.
    vfork: bool,
}

fn close(fd: RawFd) {
    let _ = raw_syscall(libc::SYS_close, [fd as u64, 0, 0, 0, 0, 0]);
}

fn read_byte(fd: RawFd) -> Option<u8> {
    let mut byte = [0u8];
    loop {
        match raw_syscall(libc::SYS_read, [fd as u64, byte.as_mut_ptr() as u64, 1, 0, 0, 0]) {
            Ok(1) => return Some(byte[0]),
            Err(crate::errno::Errno::EINTR) => {}
            Ok(_) | Err(_) => return None,
        }
    }
}

/// Tells a waiting child what becomes of it.
pub fn decide(child: i32, verdict: Verdict) {
    let Some(waiting) = state().children.remove(&child) else { return };
    let byte = match verdict {
        Verdict::Free => b'd',
        Verdict::Follow { no_ack: false } => b'f',
        Verdict::Follow { no_ack: true } => b'F',
        Verdict::Kill => b'k',
    };
    let args = [waiting.line as u64, &raw const byte as u64, 1, libc::MSG_NOSIGNAL as u64, 0, 0];
    let _ = raw_syscall(libc::SYS_sendto, args);
    if !waiting.vfork {
        close(waiting.line);
    }
}

/// Sets all waiting children free.
pub fn free_all() {
    let waiting: Vec<i32> = state().children.keys().copied().collect();
    for child in waiting {
        decide(child, Verdict::Free);
    }
}

/// A fork that is being made; the debugger's state is locked meanwhile.
pub struct Forking {
    state: Option<MutexGuard<'static, State>>,
    /// Ends of a line between parent and child, if the debugger wants to hear of children.
    line: Option<[RawFd; 2]>,
}

/// True if the debugger wants to hear of children.
pub fn wanted(task: &Task) -> bool {
    active(task) && state().wants_forks
}

/// Before a fork. Taken last of all locks.
pub fn forking(task: &Task) -> Forking {
    if !ACTIVE.load(Ordering::Relaxed) {
        return Forking { state: None, line: None };
    }
    let mut line = [0i32; 2];
    let kind = (libc::SOCK_STREAM | libc::SOCK_CLOEXEC) as u64;
    let made = wanted(task)
        && raw_syscall(libc::SYS_socketpair, [libc::AF_UNIX as u64, kind, 0, line.as_mut_ptr() as u64, 0, 0])
            .is_ok();
    let line = made.then(|| line.map(move_high));
    for fd in line.into_iter().flatten() {
        lock(&task.files.hidden).insert(fd, "gdb");
    }
    Forking { state: Some(state()), line }
}

impl Forking {
    /// In the parent, or if there is no child.
    pub fn parent(self, task: &Task, child: Option<i32>, vfork: bool) {
        let Some(mut state) = self.state else { return };
        let Some([ours, theirs]) = self.line else { return };
        close(theirs);
        if let Some(child) = child {
            state.children.insert(child, Waiting { line: ours, vfork });
            state.report(task.tid, Stop::Fork(child));
        }
        drop(state);
        if child.is_none() {
            close(ours);
        } else if vfork {
            // Until the child has the memory of another program, or none.
            while read_byte(ours).is_some() {}
            close(ours);
        }
        let mut hidden = lock(&task.files.hidden);
        hidden.remove(&theirs);
        if child.is_none() || vfork {
            hidden.remove(&ours);
        }
    }

    /// In the child, whose task is complete.
    pub fn child(self, task: &mut Task) {
        let Some(mut state) = self.state else { return };
        let verdict = self.line.and_then(|[ours, theirs]| {
            close(ours);
            lock(&task.files.hidden).remove(&ours);
            read_byte(theirs)
        });
        let (follow, no_ack) = (matches!(verdict, Some(b'f' | b'F')), verdict == Some(b'F'));
        if verdict == Some(b'k') {
            let _ = raw_syscall(libc::SYS_kill, [pid(), libc::SIGKILL as u64, 0, 0, 0, 0]);
        }
        state.threads.clear();
        state.queue.clear();
        for child in std::mem::take(&mut state.children).into_values() {
            close(child.line);
        }
        if follow {
            (state.stopped, state.locked) = (true, false);
            // The call that made us is not over.
            state
                .threads
                .insert(task.tid, Thread { status: super::Status::InCall, ..Thread::new(task, true) });
            let conn = state.fds[0];
            let (wake, memory) = (state.fds[1], state.fds[2]);
            drop(state);
            forget(&task.files, &[wake, memory]);
            if let Err(line) = server::serve_on(conn, task, Some(server::Past { no_ack, executed: None })) {
                crate::log::write(&format!("gdb: {line}\n"));
                super::detach(&task.engine);
            }
            return;
        }
        ACTIVE.store(false, Ordering::Relaxed);
        WATCHING.store(false, Ordering::Relaxed);
        for pc in std::mem::take(&mut state.breakpoints) {
            task.engine.set_breakpoint(pc, false);
        }
        let fds = state.fds;
        drop(state);
        forget(&task.files, &fds);
    }
}

/// Closes descriptors of ours.
fn forget(files: &Files, fds: &[RawFd]) {
    for &fd in fds.iter().filter(|fd| **fd >= 0) {
        close(fd);
        lock(&files.hidden).remove(&fd);
    }
}

/// What exec tells the next emulator, as the value of `-debugged`; the descriptor is to be closed if exec fails.
pub fn for_exec(task: &Task) -> Option<(String, RawFd)> {
    if !active(task) {
        return None;
    }
    let state = state();
    if !state.wants_execs {
        return None;
    }
    let fd = raw_syscall(libc::SYS_dup, [state.fds[0] as u64, 0, 0, 0, 0, 0]).ok()? as RawFd;
    let flag = |on: bool| u8::from(on);
    Some((format!("{fd},{},{}", flag(state.no_ack), flag(state.wants_forks)), fd))
}

/// Goes on with the debugger of the program that made exec.
pub fn after_exec(told: &str, task: &mut Task) -> Result<(), String> {
    let numbers: Option<Vec<i32>> = told.split(',').map(|number| number.parse().ok()).collect();
    let Some([fd, no_ack, forks]) = numbers.as_deref() else {
        return Err("-debugged: three numbers".to_owned());
    };
    let conn = move_high(*fd);
    lock(&task.files.hidden).insert(conn, "gdb");
    let no_ack = *no_ack != 0;
    {
        let mut state = state();
        (state.wants_forks, state.wants_execs, state.no_ack) = (*forks != 0, true, no_ack);
        state.queue.push_back((task.tid, Stop::Exec));
    }
    ACTIVE.store(true, Ordering::Relaxed);
    super::begin(task);
    let path = CString::new(task.process.exec.exe.as_os_str().as_encoded_bytes()).unwrap_or_default();
    server::serve_on(conn, task, Some(server::Past { no_ack, executed: Some(path.into_bytes()) }))
}
