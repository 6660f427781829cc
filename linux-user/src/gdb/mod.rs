//! The debugger: hooks of the run loop, and the state they share with the connection's thread (`server`).
//!
//! All-stop. Rules:
//! 1. A guest thread touches its CPU only while it is not held; it is held ([`park`]) between instructions, or, inside a
//!    system call, before the call's result is stored. Only then does the server look at its CPU.
//! 2. `State` is locked last: no other lock of the runtime is taken under it, except a poll word's.
//! 3. A thread that has something to report puts it into the queue and holds all threads; the server reports the first
//!    entry once every thread is held, and the others when the program is resumed.
//! 4. Children of `fork` are debugged only instead of their parent (`children`); tasks in a `vfork` parent's memory pass
//!    all hooks by.
//!
//! Without `-g` each hook is one load.

pub mod children;
mod conn;
mod files;
mod identity;
mod server;
mod signals;
mod target;

pub use server::start;

use crate::cpu::CpuState;
use crate::task::{Task, lock};
use gdbstub::target::ext::breakpoints::WatchKind;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

static ACTIVE: AtomicBool = AtomicBool::new(false);
/// The process that is debugged.
static DEBUGGED: AtomicU64 = AtomicU64::new(0);
static STATE: Mutex<State> = Mutex::new(State::new());
static CHANGED: Condvar = Condvar::new();

/// What a resumed thread does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Continue,
    Step,
    /// Step until the program counter leaves the range.
    Range(u64, u64),
}

/// Where a thread is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Status {
    Running,
    InCall,
    Held,
}

/// Something to report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stop {
    Step,
    Break,
    Watch(WatchKind, u64),
    Signal(i32),
    CallEntry(u64),
    CallReturn(u64),
    Fork(i32),
    Exec,
    Exited(i32),
    Killed(i32),
}

#[derive(Debug)]
struct Thread {
    status: Status,
    hold: bool,
    action: Action,
    /// The debugger gave this thread an action of its own.
    chosen: bool,
    /// Signal to deliver on resumption.
    signal: Option<i32>,
    /// `siginfo_t` of the last signal that was reported.
    siginfo: Vec<u8>,
    /// It was held: a breakpoint where it stands has been reported.
    resumed: bool,
    cpu: *mut CpuState,
}

impl Thread {
    fn new(task: &mut Task, hold: bool) -> Thread {
        Thread {
            status: Status::Running,
            hold,
            action: Action::Continue,
            chosen: false,
            signal: None,
            siginfo: Vec::new(),
            resumed: false,
            cpu: &raw mut *task.cpu,
        }
    }
}

// SAFETY: the CPU is touched under rule 1 only.
unsafe impl Send for Thread {}

struct Watch {
    addr: u64,
    kind: WatchKind,
    /// What was there: a write by a system call is found by comparing.
    bytes: Vec<u8>,
}

/// An access of the instruction that is stepped.
#[derive(Clone, Copy)]
struct Access {
    addr: u64,
    len: u64,
    write: bool,
}

impl Watch {
    fn wants(&self, access: &Access) -> bool {
        let kind = match self.kind {
            WatchKind::Write => access.write,
            WatchKind::Read => !access.write,
            WatchKind::ReadWrite => true,
        };
        let end = self.addr.saturating_add(self.bytes.len() as u64);
        kind && access.addr < end && self.addr < access.addr.saturating_add(access.len)
    }
}

/// Some watchpoint is set: accesses are noted.
static WATCHING: AtomicBool = AtomicBool::new(false);

thread_local! {
    static ACCESSES: RefCell<Vec<Access>> = const { RefCell::new(Vec::new()) };
}

/// Notes an access by the interpreter, which executes each instruction while there are watchpoints.
#[inline]
pub fn note_access(addr: u64, len: usize, write: bool) {
    if WATCHING.load(Ordering::Relaxed) {
        ACCESSES.with_borrow_mut(|list| list.push(Access { addr, len: len as u64, write }));
    }
}

/// Which system calls are caught.
enum Catch {
    None,
    All,
    Some(BTreeSet<u64>),
}

impl Catch {
    fn has(&self, number: u64) -> bool {
        match self {
            Catch::None => false,
            Catch::All => true,
            Catch::Some(set) => set.contains(&number),
        }
    }
}

struct State {
    threads: BTreeMap<i32, Thread>,
    queue: VecDeque<(i32, Stop)>,
    stopped: bool,
    locked: bool,
    breakpoints: BTreeSet<u64>,
    watches: Vec<Watch>,
    catch: Catch,
    /// Written to when the queue gets an entry.
    wake: RawFd,
    /// The end of the process has been reported.
    end_told: bool,
    /// The debugger wants to hear of children.
    wants_forks: bool,
    /// The debugger wants to hear of exec.
    wants_execs: bool,
    /// Packets are not acknowledged.
    no_ack: bool,
    /// Children that wait for the debugger's choice.
    children: BTreeMap<i32, children::Waiting>,
    /// Connection, `wake` and memory.
    fds: [RawFd; 3],
}

impl State {
    const fn new() -> State {
        State {
            threads: BTreeMap::new(),
            queue: VecDeque::new(),
            stopped: true,
            locked: false,
            breakpoints: BTreeSet::new(),
            watches: Vec::new(),
            catch: Catch::None,
            wake: -1,
            end_told: false,
            wants_forks: false,
            wants_execs: false,
            no_ack: false,
            children: BTreeMap::new(),
            fds: [-1; 3],
        }
    }

    fn hold_all(&mut self) {
        self.stopped = true;
        for thread in self.threads.values_mut() {
            thread.hold = true;
        }
    }

    fn report(&mut self, tid: i32, stop: Stop) {
        self.queue.push_back((tid, stop));
        self.hold_all();
        let one = 1u64;
        let args = [self.wake as u64, &raw const one as u64, 8, 0, 0, 0];
        let _ = crate::sys::raw_syscall(libc::SYS_write, args);
    }

    /// The first report whose turn has come: while the debugger lets only some threads run, those of others wait.
    fn due(&self) -> Option<usize> {
        let runs = |tid| !self.locked || self.threads.get(tid).is_none_or(|thread| thread.chosen);
        self.queue.iter().position(|(tid, _)| runs(tid))
    }

    fn quiet(&self) -> bool {
        self.threads.values().all(|thread| thread.status != Status::Running)
    }
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pid() -> u64 {
    crate::sys::raw_syscall(libc::SYS_getpid, [0; 6]).unwrap_or(0)
}

fn wait(guard: MutexGuard<'static, State>) -> MutexGuard<'static, State> {
    CHANGED.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// True if a debugger is there and the task is its business.
#[inline]
pub fn active(task: &Task) -> bool {
    ACTIVE.load(Ordering::Relaxed) && !task.vforked
}

/// True while a debugger is connected to this process.
pub fn running() -> bool {
    ACTIVE.load(Ordering::Relaxed)
}

/// Enters the calling thread.
pub fn begin(task: &mut Task) {
    if !active(task) {
        return;
    }
    enter(task);
}

fn enter(task: &mut Task) {
    let mut state = state();
    let hold = state.stopped;
    let thread = Thread::new(task, hold);
    state.threads.insert(task.tid, thread);
}

/// The calling thread leaves.
pub fn end(task: &Task) {
    if active(task) {
        state().threads.remove(&task.tid);
        CHANGED.notify_all();
    }
}

/// Waits while the thread is held; true if it was.
fn park(tid: i32, status: Status) -> bool {
    let mut guard = state();
    let mut held = false;
    while guard.threads.get(&tid).is_some_and(|thread| thread.hold) && ACTIVE.load(Ordering::Relaxed) {
        held = true;
        if let Some(thread) = guard.threads.get_mut(&tid) {
            thread.status = Status::Held;
        }
        CHANGED.notify_all();
        guard = wait(guard);
    }
    if let Some(thread) = guard.threads.get_mut(&tid) {
        thread.status = status;
        thread.resumed |= held;
    }
    held
}

fn report(task: &Task, stop: Stop) {
    state().report(task.tid, stop);
}

/// How the next instructions are to be executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// As usual.
    Run,
    /// One instruction, then [`after_step`].
    Step,
}

/// Before guest code runs: holds the thread if that is asked for.
pub fn before_run(task: &Task) -> Turn {
    loop {
        park(task.tid, Status::Running);
        let mut state = state();
        let pc = task.cpu.pc();
        let at_break = state.breakpoints.contains(&pc);
        let watching = !state.watches.is_empty();
        let Some(thread) = state.threads.get_mut(&task.tid) else { return Turn::Run };
        let resumed = std::mem::take(&mut thread.resumed);
        let stepping = thread.action != Action::Continue;
        if at_break && !resumed {
            state.report(task.tid, Stop::Break);
            continue;
        }
        return if stepping || watching || at_break { Turn::Step } else { Turn::Run };
    }
}

/// Held while a thread executes one instruction under the debugger. Taken before the debugger's state, never after it.
pub fn alone() -> MutexGuard<'static, ()> {
    static STEP: Mutex<()> = Mutex::new(());
    STEP.lock().unwrap_or_else(PoisonError::into_inner)
}

/// After one instruction.
pub fn after_step(task: &Task) {
    let pc = task.cpu.pc();
    let mem = task.mm.mem();
    let mut guard = state();
    let accesses = ACCESSES.with_borrow_mut(std::mem::take);
    let mut hit = None;
    for watch in &mut guard.watches {
        let mut now = vec![0; watch.bytes.len()];
        let changed = mem.copy_in(watch.addr, &mut now).is_ok() && now != watch.bytes;
        if changed {
            watch.bytes = now;
        }
        if accesses.iter().any(|access| watch.wants(access)) || changed && watch.kind != WatchKind::Read {
            hit.get_or_insert((watch.kind, watch.addr));
        }
    }
    let action = guard.threads.get(&task.tid).map(|thread| thread.action);
    if let Some((kind, addr)) = hit {
        return guard.report(task.tid, Stop::Watch(kind, addr));
    }
    match action {
        Some(Action::Step) => guard.report(task.tid, Stop::Step),
        Some(Action::Range(start, end)) if !(start..end).contains(&pc) => guard.report(task.tid, Stop::Step),
        Some(Action::Range(..) | Action::Continue) | None => {}
    }
}

/// True if the translator stopped at a breakpoint of the debugger: the next [`before_run`] reports it.
pub fn is_breakpoint(pc: u64) -> bool {
    state().breakpoints.contains(&pc)
}

/// A signal is about to be delivered: true if the debugger lets it through.
pub fn signal(task: &Task, sig: i32, info: &[u8]) -> bool {
    if !active(task) {
        return true;
    }
    if let Some(thread) = state().threads.get_mut(&task.tid) {
        thread.signal = None;
        thread.siginfo = info.to_vec();
    }
    report(task, Stop::Signal(sig));
    park(task.tid, Status::Running);
    if !ACTIVE.load(Ordering::Relaxed) {
        return true;
    }
    state().threads.get_mut(&task.tid).is_none_or(|thread| thread.signal.take().is_some())
}

/// A system call begins; the program counter is behind it.
pub fn call_begins(task: &Task, number: u64) {
    let mut guard = state();
    if guard.catch.has(number) {
        guard.report(task.tid, Stop::CallEntry(number));
        drop(guard);
        park(task.tid, Status::InCall);
    } else if let Some(thread) = guard.threads.get_mut(&task.tid) {
        thread.status = Status::InCall;
        CHANGED.notify_all();
    }
}

/// A system call is over, its result not yet stored.
pub fn call_ends(task: &Task) {
    park(task.tid, Status::Running);
}

/// The result of a system call is stored.
pub fn call_ended(task: &Task, number: u64) {
    let mut guard = state();
    if guard.catch.has(number) {
        guard.report(task.tid, Stop::CallReturn(number));
        drop(guard);
        park(task.tid, Status::Running);
    }
}

fn tell_end(stop: Stop) {
    // A vfork child ends in our memory, but it is not our end.
    if !ACTIVE.load(Ordering::Relaxed) || DEBUGGED.load(Ordering::Relaxed) != pid() {
        return;
    }
    let mut guard = state();
    guard.threads.clear();
    guard.report(0, stop);
    CHANGED.notify_all();
    while !guard.end_told && ACTIVE.load(Ordering::Relaxed) {
        guard = wait(guard);
    }
}

/// The process exits.
pub fn exiting(code: i32) {
    tell_end(Stop::Exited(code));
}

/// The process dies by a signal.
pub fn dying(sig: i32) {
    tell_end(Stop::Killed(sig));
}

/// Forgets the debugger: everything runs on.
fn detach(engine: &engine::Engine) {
    children::free_all();
    let mut state = state();
    for &pc in &std::mem::take(&mut state.breakpoints) {
        engine.set_breakpoint(pc, false);
    }
    state.watches.clear();
    WATCHING.store(false, Ordering::Relaxed);
    state.catch = Catch::None;
    ACTIVE.store(false, Ordering::Relaxed);
    CHANGED.notify_all();
}

/// Asks every thread to come to its run loop.
fn kick(process: &crate::task::Process) {
    for entry in lock(&process.threads).iter() {
        // SAFETY: an entry is removed before its slots are freed, and we hold the list.
        unsafe { (*entry.slots).kick() };
    }
}
