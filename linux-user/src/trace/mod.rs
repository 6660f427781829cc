//! `ptrace` between emulated tasks. This file is the tracee's side; [`tracer`] is the other.
//!
//! The host kernel does the tracing: a guest's TRACEME, ATTACH or SEIZE is the host's, so who waits for whom, exits,
//! kills, group stops and EXITKILL are the kernel's own. What the kernel cannot know is the guest's state. Therefore:
//!
//! 1. Every stop with guest state is made by the tracee itself ([`stop`]): it writes its registers into its [`Block`] and
//!    sends itself a request ([`request::STOP`](crate::host_signal::request)) with the block's address. The host stops it
//!    before the signal is delivered, and the tracer's wait finds the request and reports what the block says. If
//!    nobody traces it any more, the signal arrives, and the tracee is free.
//! 2. The tracer changes the block while the tracee is stopped and then continues it without the signal; the tracee takes
//!    over what was changed.
//! 3. All other host stops are raw. Signals are let through to the host handler, which records them; the tracee stops by
//!    rule 1 when it would deliver them, with exact registers. So a traced process catches all signals on the host.
//!    SIGSTOP, which cannot be caught, is turned into a request by the tracer. What the tracee announces in
//!    [`Block::passing`] passes.
//! 4. Raw stops of the host's clone events are reported as the guest's, from the block that the tracee filled before the
//!    call ([`clone_begins`]); threads of the emulator are let go. The new task's own first stop is made by rule 1.
//! 5. exec hands the state to the next emulator by an option ([`after_exec`]).

pub mod tracer;

use crate::errno::{Errno, SysResult};
use crate::host_signal::{self, ALL_SIGNALS, request};
use crate::signal::{SigInfo, code};
use crate::sys::raw_syscall;
use crate::task::Task;
use bytemuck::{Pod, Zeroable};

/// `PTRACE_O_*` and `PTRACE_EVENT_*`.
#[allow(missing_docs, reason = "the kernel's names")]
pub mod event {
    pub const FORK: u32 = 1;
    pub const VFORK: u32 = 2;
    pub const CLONE: u32 = 3;
    pub const EXEC: u32 = 4;
    pub const VFORK_DONE: u32 = 5;
    pub const EXIT: u32 = 6;
    pub const SECCOMP: u32 = 7;
    pub const STOP: u32 = 128;
    pub const O_TRACESYSGOOD: u64 = 1;
    pub const O_EXITKILL: u64 = 1 << 20;
    pub const O_SUSPEND_SECCOMP: u64 = 1 << 21;
}

/// Why a tracee stopped.
pub mod kind {
    /// A signal is to be delivered.
    pub const SIGNAL: u32 = 0;
    /// A system call begins.
    pub const ENTRY: u32 = 1;
    /// A system call is over.
    pub const EXIT: u32 = 2;
    /// A `PTRACE_EVENT_*`.
    pub const EVENT: u32 = 3;
}

/// How a tracee goes on.
pub mod action {
    /// PTRACE_CONT.
    pub const CONT: u32 = 0;
    /// PTRACE_SYSCALL.
    pub const SYSCALL: u32 = 1;
    /// PTRACE_SINGLESTEP.
    pub const STEP: u32 = 2;
    /// PTRACE_DETACH.
    pub const DETACH: u32 = 3;
}

const SETS: usize = 6;
const DATA: usize = 4096;
const RANGES: usize = 16;

/// One register set in [`Block::data`].
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Set {
    /// Note type; zero: no more.
    pub note: u32,
    /// Bytes.
    pub len: u32,
    /// Where they start.
    pub at: u32,
    /// Changed by the tracer.
    pub dirty: u32,
}

/// What tracee and tracer share; it lives in the tracee. Both are the same build of the emulator ([`Block::VERSION`]).
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Block {
    /// [`Block::VERSION`].
    pub version: u64,
    /// `PTRACE_O_*`, the tracer's to set.
    pub options: u64,
    /// Event's message.
    pub message: u64,
    /// System call: number, arguments, result, where.
    pub nr: u64,
    /// See `nr`.
    pub args: [u64; 6],
    /// See `nr`.
    pub result: i64,
    /// Program counter.
    pub pc: u64,
    /// Stack pointer.
    pub sp: u64,
    /// The guest's blocked signals.
    pub blocked: u64,
    /// Start and length of changed memory, [`Block::flushes`] of them.
    pub ranges: [[u64; 2]; RANGES],
    /// `AUDIT_ARCH_*`.
    pub audit_arch: u32,
    /// ELF machine.
    pub machine: u32,
    /// One of [`kind`].
    pub kind: u32,
    /// `PTRACE_EVENT_*`.
    pub event: u32,
    /// Signal of a signal stop.
    pub sig: i32,
    /// Attached by SEIZE.
    pub seized: u32,
    /// One of [`action`].
    pub action: u32,
    /// Signal to deliver after a signal stop.
    pub inject: i32,
    /// [`Block::info`], [`Block::blocked`], [`Block::nr`] changed: bits 0, 1, 2.
    pub changed: u32,
    /// Entries of `ranges`; more than there is room for: everything.
    pub flushes: u32,
    /// A signal that the tracer lets through to the host's own action.
    pub passing: i32,
    /// The event of the clone call that is being made, [`UNTRACED`] if the child is not to be traced.
    pub cloning: u32,
    /// The task has to make its first stop.
    pub first: u32,
    /// The tracer has resumed this stop.
    pub seen: u32,
    /// siginfo.
    pub info: [u8; 128],
    /// Register sets.
    pub sets: [Set; SETS],
    /// Their bytes.
    pub data: [u8; DATA],
}

/// A clone whose child stays untraced.
pub const UNTRACED: u32 = 255;

impl Block {
    /// Changes with the layout.
    pub const VERSION: u64 = 0x4f6d_6e69_0001_0000 | size_of::<Block>() as u64;

    fn new(task: &Task, options: u64, seized: bool) -> Box<Block> {
        let mut block = Box::new(Block::zeroed());
        let info = task.arch.abi().info();
        block.version = Block::VERSION;
        block.options = options;
        block.seized = u32::from(seized);
        block.machine = u32::from(info.elf_machine);
        block.audit_arch = audit_arch(task.arch.abi());
        block
    }
}

/// `AUDIT_ARCH_*` of a guest.
pub fn audit_arch(abi: syscall_tables::Arch) -> u32 {
    let info = abi.info();
    u32::from(info.elf_machine)
        | if info.word == 8 { 0x8000_0000 } else { 0 }
        | if info.big_endian { 0 } else { 0x4000_0000 }
}

/// True if the task is traced.
#[inline]
pub fn active(task: &Task) -> bool {
    task.trace.is_some()
}

fn begin(task: &mut Task, options: u64, seized: bool) {
    if task.trace.is_none() {
        task.trace = Some(Block::new(task, options, seized));
        task.sighand.catch(ALL_SIGNALS);
        crate::syscall::fast::watch();
        task.mask_stale = true;
    }
}

fn end(task: &mut Task) {
    task.trace = None;
    // Other threads may still be traced; catching more than needed is harmless.
}

/// PTRACE_TRACEME.
pub fn trace_me(task: &mut Task) -> SysResult {
    raw_syscall(libc::SYS_ptrace, [0; 6])?;
    begin(task, 0, false);
    Ok(0)
}

/// Writes the task's state into its block.
fn publish(task: &mut Task) {
    let Some(mut block) = task.trace.take() else { return };
    let mut at = 0usize;
    block.sets = [Set::zeroed(); SETS];
    for (set, &note) in block.sets.iter_mut().zip(task.arch.regsets()) {
        let bytes = task.arch.regset(&task.engine, &task.cpu, note).unwrap_or_default();
        if at + bytes.len() > DATA {
            break;
        }
        block.data[at..at + bytes.len()].copy_from_slice(&bytes);
        *set = Set { note, len: bytes.len() as u32, at: at as u32, dirty: 0 };
        at = (at + bytes.len()).next_multiple_of(8);
    }
    block.pc = task.cpu.pc();
    block.sp = task.arch.stack_pointer(&task.cpu);
    block.blocked = task.blocked;
    block.changed = 0;
    task.trace = Some(block);
}

/// Takes over what the tracer changed.
fn take_over(task: &mut Task) {
    let Some(mut block) = task.trace.take() else { return };
    for set in block.sets.iter_mut().filter(|set| set.dirty != 0 && set.note != 0) {
        let (at, len) = (set.at as usize, set.len as usize);
        if let Some(bytes) = block.data.get(at..at + len) {
            task.arch.set_regset(&task.engine, &mut task.cpu, set.note, bytes);
        }
        set.dirty = 0;
    }
    if block.flushes as usize > RANGES {
        task.mm.invalidate_code(0, u64::MAX);
    } else {
        for [start, len] in &block.ranges[..block.flushes as usize] {
            task.mm.invalidate_code(*start, *len);
        }
    }
    block.flushes = 0;
    if block.changed & 2 != 0 {
        task.note_blocked(block.blocked);
        task.mask_stale = true;
    }
    task.trace = Some(block);
}

/// Stops; returns the signal with which the tracer lets the task go on, or none if nobody traces it. `fill` says what the
/// stop is.
fn stop(task: &mut Task, fill: impl FnOnce(&mut Block)) -> Option<i32> {
    publish(task);
    let block = task.trace.as_mut()?;
    (block.event, block.sig, block.inject, block.message) = (0, 0, 0, 0);
    fill(block);
    // Whoever resumes says how.
    block.action = action::CONT;
    let value = u64::from(request::STOP) | (&raw const **block as u64) << 8;
    let pid = raw_syscall(libc::SYS_getpid, [0; 6]).unwrap_or(0) as i32;
    let seen = &raw mut block.seen;
    // SAFETY: a field of the block, which the tracer writes too, hence volatile.
    unsafe { seen.write_volatile(0) };
    loop {
        let sent = host_signal::send_request(pid, task.tid, value);
        // The signal arrived, so nobody took it.
        if task.slots.take_request(request::STOP).is_some() || sent.is_err() {
            end(task);
            return None;
        }
        // SAFETY: as above.
        if unsafe { seen.read_volatile() } != 0 {
            break;
        }
        // Another request was pending, and a signal is pending only once: again.
    }
    take_over(task);
    let block = task.trace.as_ref()?;
    let inject = block.inject;
    if block.action == action::DETACH {
        end(task);
    }
    Some(inject)
}

/// True if the task's tracer asked for an event.
pub fn wants(task: &Task, option: u32) -> bool {
    task.trace.as_ref().is_some_and(|block| block.options & 1 << option != 0)
}

fn trap_info(task: &Task, code: i32) -> [u8; 128] {
    // SAFETY: no arguments.
    SigInfo::user(libc::SIGTRAP, code, task.process.pid(), unsafe { libc::getuid() }).raw
}

/// A `PTRACE_EVENT_*` stop, if the tracer wants it.
pub fn report(task: &mut Task, event: u32, message: u64) {
    if event == event::STOP || wants(task, event) {
        let info = trap_info(task, libc::SIGTRAP | (event as i32) << 8);
        let _ = stop(task, |block| {
            (block.kind, block.event, block.message, block.info) = (kind::EVENT, event, message, info);
        });
    }
}

/// The end of a task, by exit or a signal; `status` as a wait status.
pub fn exiting(task: &mut Task, status: i32) {
    report(task, event::EXIT, status as u64);
}

/// A signal is about to be delivered: what is delivered instead, if anything.
pub fn signal(task: &mut Task, info: &SigInfo) -> Option<SigInfo> {
    if task.trace.is_none() {
        return Some(*info);
    }
    let (sig, raw) = (info.signo(), info.raw);
    match stop(task, |block| (block.kind, block.sig, block.info) = (kind::SIGNAL, sig, raw)) {
        None => Some(*info),
        Some(0) => None,
        Some(same) if same == sig => {
            Some(task.trace.as_ref().map_or(*info, |block| SigInfo::from_raw(block.info)))
        }
        // SAFETY: no arguments.
        Some(other) => Some(SigInfo::user(other, code::SI_USER, parent(), unsafe { libc::getuid() })),
    }
}

fn parent() -> i32 {
    raw_syscall(libc::SYS_getppid, [0; 6]).unwrap_or(0) as i32
}

/// A signal takes its default action on the host: the tracer lets it pass.
pub fn passes(task: &mut Task, sig: i32) {
    if let Some(block) = &mut task.trace {
        block.passing = sig;
    }
}

/// What a traced system call comes to.
pub enum Entry {
    /// It runs, with this number and these arguments.
    Run(u64, [u64; 6]),
    /// The tracer has cancelled it.
    Skip,
}

/// A system call begins.
pub fn call_begins(task: &mut Task, number: u64, args: &[u64; 6]) -> Entry {
    let wanted = task.trace.as_ref().is_some_and(|block| block.action == action::SYSCALL);
    if let Some(block) = &mut task.trace {
        (block.nr, block.args) = (number, *args);
    }
    if !wanted {
        return Entry::Run(number, *args);
    }
    call_stop(task, kind::ENTRY);
    changed_call(task)
}

/// The call as the tracer left it.
pub fn changed_call(task: &mut Task) -> Entry {
    let (again, args) = task.arch.syscall_regs(&task.cpu);
    let again = task.arch.marked_call(&task.cpu).unwrap_or(again);
    match &task.trace {
        Some(block) if block.changed & 4 != 0 => {
            if block.nr as u32 == u32::MAX {
                Entry::Skip
            } else {
                Entry::Run(block.nr, args)
            }
        }
        _ if again as u32 == u32::MAX => Entry::Skip,
        _ => Entry::Run(again, args),
    }
}

fn call_stop(task: &mut Task, what: u32) {
    let good = task.trace.as_ref().is_some_and(|block| block.options & event::O_TRACESYSGOOD != 0);
    let info = trap_info(task, if good { libc::SIGTRAP | 0x80 } else { libc::SIGTRAP });
    if let Some(sig) = stop(task, |block| (block.kind, block.info) = (what, info))
        && sig != 0
    {
        // As the kernel's `ptrace_report_syscall`: the signal is sent.
        let args = [task.process.pid() as u64, task.tid as u64, sig as u64, 0, 0, 0];
        let _ = raw_syscall(libc::SYS_tgkill, args);
    }
}

/// A system call is over and its result stored.
pub fn call_ends(task: &mut Task, result: SysResult) {
    let Some(block) = &mut task.trace else { return };
    block.result = match result {
        Ok(value) => value as i64,
        Err(Errno::ESIGRETURN) => 0,
        Err(errno) => -i64::from(errno.0),
    };
    if block.action == action::SYSCALL {
        call_stop(task, kind::EXIT);
    }
}

/// True if the next instruction is to be executed by itself.
#[inline]
pub fn stepping(task: &Task) -> bool {
    task.trace.as_ref().is_some_and(|block| block.action == action::STEP)
}

/// One instruction was executed.
pub fn stepped(task: &mut Task) {
    const TRAP_TRACE: i32 = 2;
    if stepping(task) {
        let info = SigInfo::fault(libc::SIGTRAP, TRAP_TRACE, task.cpu.pc());
        if let Some(info) = signal(task, &info) {
            crate::signal::act(task, &info);
        }
    }
}

/// The first stop of a new task, and requests of tracers. Called at the run loop.
pub fn attend(task: &mut Task) {
    if let Some(block) = &mut task.trace
        && std::mem::take(&mut block.first) != 0
    {
        first_stop(task);
    }
    if let Some(value) = task.slots.take_request(request::ATTACH) {
        let seized = value >> 8 & 1 != 0;
        begin(task, value >> 16, seized);
        if !seized {
            stop_signal(task, libc::SIGSTOP);
        } else if value >> 9 & 1 != 0 {
            report(task, event::STOP, 0);
        }
    }
    if let Some(value) = task.slots.take_request(request::SIGNAL) {
        begin(task, 0, false);
        stop_signal(task, (value >> 8 & 0x7f) as i32);
    }
    if task.slots.take_request(request::INTERRUPT).is_some() && task.trace.is_some() {
        report(task, event::STOP, 0);
    }
    if task.slots.take_request(request::SERVICE).is_some() {
        tracer::service(task);
    }
}

fn first_stop(task: &mut Task) {
    if task.trace.as_ref().is_some_and(|block| block.seized != 0) {
        report(task, event::STOP, 0);
    } else {
        stop_signal(task, libc::SIGSTOP);
    }
}

/// A stop for a signal that is not queued anywhere; what the tracer then delivers takes effect.
fn stop_signal(task: &mut Task, sig: i32) {
    // SAFETY: no arguments.
    let info = SigInfo::user(sig, code::SI_USER, parent(), unsafe { libc::getuid() });
    if let Some(info) = signal(task, &info) {
        crate::signal::act(task, &info);
    }
}

/// A clone call begins: the tracer will see the host's event and needs to know what it is. `flags` without the exit
/// signal.
pub fn clone_begins(task: &mut Task, flags: u64, exit_signal: u64) -> bool {
    const CLONE_VFORK: u64 = 0x4000;
    const CLONE_UNTRACED: u64 = 0x80_0000;
    const CLONE_PTRACE: u64 = 0x2000;
    if task.trace.is_none() {
        return false;
    }
    let event = if flags & CLONE_VFORK != 0 {
        event::VFORK
    } else if exit_signal != libc::SIGCHLD as u64 {
        event::CLONE
    } else {
        event::FORK
    };
    let traced = flags & CLONE_UNTRACED == 0 && (wants(task, event) || flags & CLONE_PTRACE != 0);
    publish(task);
    if let Some(block) = &mut task.trace {
        block.cloning = if traced { event } else { UNTRACED };
    }
    traced
}

/// The clone call is over in the parent.
pub fn clone_ends(task: &mut Task, vfork: bool, pid: SysResult) {
    let Some(block) = &mut task.trace else { return };
    block.cloning = 0;
    // At the event the tracer may have changed something.
    take_over(task);
    if vfork && let Ok(pid) = pid {
        report(task, event::VFORK_DONE, pid);
    }
}

/// The block of a new task whose parent is traced.
pub fn child_block(parent: &Task, traced: bool) -> Option<Box<Block>> {
    let mut block = parent.trace.clone().filter(|_| traced)?;
    (block.first, block.cloning, block.passing, block.flushes) = (1, 0, 0, 0);
    block.action = action::CONT;
    Some(block)
}

/// What exec tells the next emulator, as the value of `-traced`.
pub fn for_exec(task: &Task) -> Option<String> {
    let block = task.trace.as_ref()?;
    Some(format!("{:x}:{}:{}:{}", block.options, block.seized, block.action, task.tid))
}

/// After exec: the event, the end of the call if that was asked for, and without the event the older SIGTRAP, which is a
/// signal and comes when the call is over.
pub fn after_exec(task: &mut Task, told: &str) {
    let mut parts = told.split(':');
    let mut next = |radix| parts.next().and_then(|part| u64::from_str_radix(part, radix).ok());
    let (Some(options), Some(seized), Some(act), Some(tid)) = (next(16), next(10), next(10), next(10)) else {
        return;
    };
    begin(task, options, seized != 0);
    let nr = task.arch.abi().info().numbers.number_of(syscall_tables::CallId::Execve).unwrap_or(0);
    if let Some(block) = &mut task.trace {
        block.nr = nr;
        block.action = act as u32;
    }
    let event = wants(task, event::EXEC);
    if event {
        report(task, event::EXEC, tid);
    }
    call_ends(task, Ok(0));
    if !event && seized == 0 {
        // SAFETY: no arguments.
        let info = SigInfo::user(libc::SIGTRAP, code::SI_USER, task.tid, unsafe { libc::getuid() });
        if let Some(info) = signal(task, &info)
            && task.trace.is_some()
        {
            crate::signal::act(task, &info);
        }
    }
}
