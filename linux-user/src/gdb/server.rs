//! The connection's thread: waits for the debugger, then moves between its packets and the guest's reports.

use super::conn::Conn;
use super::signals::to_gdb;
use super::target::Debuggee;
use super::{ACTIVE, CHANGED, DEBUGGED, Stop, detach, kick, state, wait};
use crate::host_signal::{ALL_SIGNALS, set_mask};
use crate::log::move_high;
use crate::process::exit;
use crate::sys::raw_syscall;
use crate::task::{Task, lock};
use gdbstub::common::Signal;
use gdbstub::stub::state_machine::GdbStubStateMachine;
use gdbstub::stub::{BaseStopReason, DisconnectReason, GdbStub, MultiThreadStopReason};
use gdbstub::target::ext::catch_syscalls::CatchSyscallPosition;
use std::fs::File;
use std::io::{self, Read};
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::os::unix::net::UnixListener;
use std::sync::atomic::Ordering;

/// Waits for a connection on a port or, if the name is not a number, a unix socket.
fn accept(name: &str) -> io::Result<File> {
    let fd = if let Ok(port) = name.parse::<u16>() {
        let listener = TcpListener::bind(("0.0.0.0", port))?;
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        stream.into_raw_fd()
    } else {
        let path = name.replacen("%d", &std::process::id().to_string(), 1);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&path)?;
        let (stream, _) = listener.accept()?;
        // The name has served.
        let _ = std::fs::remove_file(&path);
        stream.into_raw_fd()
    };
    // SAFETY: a descriptor that we own.
    Ok(unsafe { File::from_raw_fd(move_high(fd)) })
}

/// Waits for the debugger and gives it the task, which is held before its first instruction. The error is one line.
pub fn start(name: &str, task: &mut Task) -> Result<(), String> {
    let conn = accept(name).map_err(|error| format!("gdb connection '{name}': {error}"))?.into_raw_fd();
    lock(&task.files.hidden).insert(conn, "gdb");
    ACTIVE.store(true, Ordering::Relaxed);
    super::begin(task);
    serve_on(conn, task, None)
}

/// What went before on a connection that is taken over.
pub struct Past {
    /// Packets are not acknowledged.
    pub no_ack: bool,
    /// The program that was executed, if that is to be reported.
    pub executed: Option<Vec<u8>>,
}

/// Starts the server of a connection for a task that is entered and held.
pub fn serve_on(conn: RawFd, task: &Task, past: Option<Past>) -> Result<(), String> {
    let fail = |error: io::Error| format!("gdb connection: {error}");
    let wake = raw_syscall(libc::SYS_eventfd2, [0, libc::EFD_CLOEXEC as u64, 0, 0, 0, 0])
        .map_err(|errno| format!("gdb connection: {}", errno.text().unwrap_or("?")))?;
    let wake = move_high(wake as RawFd);
    let memory = File::options().read(true).write(true).open("/proc/self/mem").map_err(fail)?;
    // SAFETY: a descriptor that we own.
    let memory = unsafe { File::from_raw_fd(move_high(memory.into_raw_fd())) };
    {
        let mut hidden = lock(&task.files.hidden);
        for fd in [wake, memory.as_raw_fd()] {
            hidden.insert(fd, "gdb");
        }
    }
    {
        let mut state = state();
        (state.wake, state.fds) = (wake, [conn, wake, memory.as_raw_fd()]);
    }
    DEBUGGED.store(super::pid(), Ordering::Relaxed);
    let debuggee = Debuggee {
        process: task.process.clone(),
        mm: task.mm.clone(),
        engine: task.engine.clone(),
        arch: task.arch,
        memory,
        sysroot: task.fs.sysroot.clone(),
        files: Vec::new(),
    };
    // SAFETY: the descriptor is the server's from here on.
    let file = unsafe { File::from_raw_fd(conn) };
    // The new thread is no guest's: it must never take a signal.
    let old = set_mask(ALL_SIGNALS);
    let spawned =
        std::thread::Builder::new().name("gdb".into()).spawn(move || serve(file, wake, debuggee, past));
    set_mask(old);
    spawned.map(|_| ()).map_err(fail)
}

/// What is there first: bytes from the debugger, or a report.
fn poll(conn: RawFd, wake: RawFd) -> bool {
    let mut fds = [
        libc::pollfd { fd: conn, events: libc::POLLIN, revents: 0 },
        libc::pollfd { fd: wake, events: libc::POLLIN, revents: 0 },
    ];
    let args = [fds.as_mut_ptr() as u64, 2, u64::MAX, 0, 0, 0];
    let _ = raw_syscall(libc::SYS_poll, args);
    fds[1].revents == 0
}

fn serve(file: File, wake: RawFd, mut debuggee: Debuggee, past: Option<Past>) {
    let engine = debuggee.engine.clone();
    let conn = file.as_raw_fd();
    let result = session(file, conn, wake, &mut debuggee, past);
    detach(&engine);
    match result {
        Ok(Some(DisconnectReason::Kill)) => exit::exit_group(0),
        // The program goes on without its debugger.
        Ok(_) => {}
        Err(line) => crate::log::write(&format!("gdb: {line}\n")),
    }
    let mut state = state();
    state.end_told = true;
    CHANGED.notify_all();
}

/// The next byte for `gdbstub`; none at the end of the connection.
fn byte(conn: &mut Conn) -> Option<u8> {
    loop {
        if let Some(byte) = conn.pending.pop_front() {
            return Some(byte);
        }
        let mut byte = [0];
        match conn.file.read(&mut byte) {
            Ok(1) => {
                conn.take(byte[0]).ok()?;
                if conn.handed_over {
                    return None;
                }
            }
            Ok(_) => return None,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

fn session(
    file: File,
    fd: RawFd,
    wake: RawFd,
    debuggee: &mut Debuggee,
    past: Option<Past>,
) -> Result<Option<DisconnectReason>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut conn = Conn::new(file);
    if let Some(past) = &past {
        conn.recall(past.no_ack, past.executed.is_some());
        conn.executed.clone_from(&past.executed);
    }
    hold(debuggee);
    let mut machine = GdbStub::new(conn).run_state_machine(debuggee).map_err(|error| text(&error))?;
    while past.is_some() {
        machine = match machine {
            GdbStubStateMachine::Idle(mut idle) => match idle.borrow_conn().pending.pop_front() {
                Some(byte) => idle.incoming_data(debuggee, byte).map_err(|error| text(&error))?,
                None => {
                    idle.borrow_conn().unmute();
                    machine = GdbStubStateMachine::Idle(idle);
                    break;
                }
            },
            GdbStubStateMachine::Running(mut running) => {
                running.borrow_conn().unmute();
                machine = GdbStubStateMachine::Running(running);
                break;
            }
            other => other,
        };
    }
    loop {
        machine = match machine {
            GdbStubStateMachine::Idle(mut idle) => match byte(idle.borrow_conn()) {
                Some(byte) => idle.incoming_data(debuggee, byte).map_err(|error| text(&error))?,
                None => return Ok(None),
            },
            GdbStubStateMachine::Running(mut running) => {
                if let Some(reason) = next_report(debuggee) {
                    let ends = matches!(reason, BaseStopReason::Exited(_) | BaseStopReason::Terminated(_));
                    let next = running.report_stop(debuggee, reason).map_err(|error| text(&error))?;
                    if ends {
                        return Ok(None);
                    }
                    next
                } else if !running.borrow_conn().pending.is_empty() || poll(fd, wake) {
                    match byte(running.borrow_conn()) {
                        Some(byte) => running.incoming_data(debuggee, byte).map_err(|error| text(&error))?,
                        None => return Ok(None),
                    }
                } else {
                    let mut count = 0u64;
                    let _ = raw_syscall(libc::SYS_read, [wake as u64, &raw mut count as u64, 8, 0, 0, 0]);
                    GdbStubStateMachine::Running(running)
                }
            }
            GdbStubStateMachine::CtrlCInterrupt(interrupt) => {
                hold(debuggee);
                let tid = first_thread();
                let reason: MultiThreadStopReason<u64> =
                    BaseStopReason::SignalWithThread { tid, signal: Signal::SIGINT };
                interrupt.interrupt_handled(debuggee, Some(reason)).map_err(|error| text(&error))?
            }
            GdbStubStateMachine::Disconnected(gone) => return Ok(Some(gone.get_reason())),
        };
    }
}

fn tid_of(tid: i32) -> NonZeroUsize {
    NonZeroUsize::new(tid.max(1) as usize).unwrap_or(NonZeroUsize::MIN)
}

fn first_thread() -> NonZeroUsize {
    tid_of(state().threads.keys().next().copied().unwrap_or(1))
}

/// Holds all threads and waits until they are.
fn hold(debuggee: &Debuggee) {
    let mut guard = state();
    guard.hold_all();
    drop(guard);
    kick(&debuggee.process);
    guard = state();
    while !guard.quiet() {
        guard = wait(guard);
    }
}

/// The first report that is due, once all threads are held.
fn next_report(debuggee: &Debuggee) -> Option<MultiThreadStopReason<u64>> {
    loop {
        state().due()?;
        hold(debuggee);
        let mut guard = state();
        let due = guard.due()?;
        let (tid, stop) = guard.queue.remove(due)?;
        // A breakpoint that was removed, or a thread that left, before its report's turn.
        let stale = match stop {
            Stop::Break => guard.threads.get(&tid).is_none_or(|thread| {
                // SAFETY: the thread is held (rule 1).
                let pc = unsafe { (*thread.cpu).pc() };
                !guard.breakpoints.contains(&pc)
            }),
            Stop::Step | Stop::Watch(..) | Stop::Signal(_) | Stop::CallEntry(_) | Stop::CallReturn(_) => {
                !guard.threads.contains_key(&tid)
            }
            Stop::Fork(child) => !guard.children.contains_key(&child),
            Stop::Exec | Stop::Exited(_) | Stop::Killed(_) => false,
        };
        drop(guard);
        if stale {
            debuggee.resume_all();
            continue;
        }
        let tid = tid_of(tid);
        return Some(match stop {
            Stop::Step | Stop::Exec => BaseStopReason::SignalWithThread { tid, signal: Signal::SIGTRAP },
            Stop::Fork(child) => BaseStopReason::Fork { cur_tid: tid, new_tid: tid_of(child) },
            Stop::Break => BaseStopReason::SwBreak(tid),
            Stop::Watch(kind, addr) => BaseStopReason::Watch { tid, kind, addr },
            Stop::Signal(sig) => BaseStopReason::SignalWithThread { tid, signal: to_gdb(sig) },
            Stop::CallEntry(number) => {
                BaseStopReason::CatchSyscall { tid: Some(tid), number, position: CatchSyscallPosition::Entry }
            }
            Stop::CallReturn(number) => BaseStopReason::CatchSyscall {
                tid: Some(tid),
                number,
                position: CatchSyscallPosition::Return,
            },
            Stop::Exited(code) => BaseStopReason::Exited(code as u8),
            Stop::Killed(sig) => BaseStopReason::Terminated(to_gdb(sig)),
        });
    }
}
