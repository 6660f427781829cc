//! `clone`, `clone3`, `fork`, `vfork`.
//!
//! Input: clone flags; output: a new host thread, a forked host process, or a host process that shares our memory.
//! The host kernel gets every flag that concerns what it keeps (descriptors, namespaces, exit signal, pidfd); the
//! rest (CLONE_VM's `Mm`, CLONE_SIGHAND's table, thread-local storage, tid words) is done here.
//!
//! * A guest thread is a host thread; its host tid is the guest's tid.
//! * fork is the host's fork with our own locks held, so that the child finds them free and what they guard whole.
//! * With CLONE_VM but not CLONE_THREAD the child is a host process in this address space. It borrows the host
//!   thread-local storage of a thread that the kernel suspends meanwhile (CLONE_VFORK): the caller itself for vfork, a
//!   helper thread otherwise. It may be killed at any moment without its parent: it takes locks by a name of its own
//!   (`engine::robust`), allocates from a heap of its own (`sys::heap`), keeps no translator's memory in the storage that it borrows
//!   (`ir::kept`), changes the memory map by replacing it, and whoever lent the storage opens what it has left locked. Not
//!   covered: threads that such a process starts itself.

use crate::errno::{Errno, SysResult};
use crate::host_signal::{self, ALL_ASYNC, HostAltStack};
use crate::process::exit;
use crate::sys::heap::{self, Own};
use crate::sys::raw_syscall;
use crate::syscall::SysCx;
use crate::task::{Process, Task};
use crate::trace;
use engine::robust;
use std::arch::global_asm;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

/// Clone flags (UAPI `sched.h`).
mod flag {
    pub const CSIGNAL: u64 = 0xff;
    pub const VM: u64 = 0x100;
    pub const FS: u64 = 0x200;
    pub const FILES: u64 = 0x400;
    pub const SIGHAND: u64 = 0x800;
    pub const PIDFD: u64 = 0x1000;
    pub const VFORK: u64 = 0x4000;
    pub const THREAD: u64 = 0x1_0000;
    pub const NEWNS: u64 = 0x2_0000;
    pub const SETTLS: u64 = 0x8_0000;
    pub const PARENT_SETTID: u64 = 0x10_0000;
    pub const CHILD_CLEARTID: u64 = 0x20_0000;
    pub const DETACHED: u64 = 0x40_0000;
    pub const CHILD_SETTID: u64 = 0x100_0000;
    pub const NEWUSER: u64 = 0x1000_0000;
    pub const NEWPID: u64 = 0x2000_0000;
    pub const CLEAR_SIGHAND: u64 = 0x1_0000_0000;
    pub const INTO_CGROUP: u64 = 0x2_0000_0000;
    /// What the emulator does itself for processes.
    pub const OURS: u64 = VM | SIGHAND | SETTLS | PARENT_SETTID | CHILD_SETTID | CHILD_CLEARTID | DETACHED;
}

const HOST_STACK: usize = 1 << 20;

/// What `clone` or `clone3` asks for.
#[derive(Clone, Copy, Default, Debug)]
pub struct CloneArgs {
    /// `CLONE_*` without the exit signal.
    pub flags: u64,
    /// Where the pidfd goes.
    pub pidfd: u64,
    /// Child's tid word.
    pub child_tid: u64,
    /// Parent's tid word.
    pub parent_tid: u64,
    /// Signal at the child's end.
    pub exit_signal: u64,
    /// New stack pointer, or zero.
    pub stack: u64,
    /// Thread pointer.
    pub tls: u64,
    /// Tids wanted in the nested pid namespaces.
    pub set_tid: (u64, u64),
    /// Descriptor of the cgroup.
    pub cgroup: u64,
}

/// `clone`. The order of the last arguments is the architecture's; the arch hands them over in one order.
pub fn sys_clone(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let [flags, stack, parent_tid, child_tid, tls] = cx.arch.clone_args(a);
    let args = CloneArgs {
        flags: flags & 0xffff_ffff & !flag::CSIGNAL,
        pidfd: if flags & flag::PIDFD != 0 { parent_tid } else { 0 },
        child_tid,
        parent_tid,
        exit_signal: flags & flag::CSIGNAL,
        stack,
        tls,
        ..CloneArgs::default()
    };
    if flags & flag::PIDFD != 0 && flags & (flag::PARENT_SETTID | flag::DETACHED) != 0 {
        return Err(Errno::EINVAL);
    }
    if flags & flag::SETTLS != 0 {
        cx.arch.check_clone_tls(cx.mem, tls)?;
    }
    clone(cx, &args)
}

/// `clone3`
pub fn sys_clone3(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    const FIELDS: usize = 11;
    let (addr, size) = (a[0], a[1]);
    if size > 4096 {
        return Err(Errno::E2BIG);
    }
    if size < 64 {
        return Err(Errno::EINVAL);
    }
    let mut bytes = vec![0; size as usize];
    cx.mem.copy_in(addr, &mut bytes)?;
    if bytes.iter().skip(FIELDS * 8).any(|&byte| byte != 0) {
        return Err(Errno::E2BIG);
    }
    let scalar = if cx.abi.info().big_endian { u64::from_be_bytes } else { u64::from_le_bytes };
    let mut f = [0u64; FIELDS];
    for (field, chunk) in f.iter_mut().zip(bytes.chunks_exact(8)) {
        *field = scalar(chunk.try_into().expect("eight bytes"));
    }
    let [
        flags,
        pidfd,
        child_tid,
        parent_tid,
        exit_signal,
        stack,
        stack_size,
        tls,
        set_tid,
        set_tid_size,
        cgroup,
    ] = f;
    if flags & (flag::CSIGNAL | flag::DETACHED) != 0 || exit_signal & !flag::CSIGNAL != 0 || exit_signal > 64
    {
        return Err(Errno::EINVAL);
    }
    if (stack == 0) != (stack_size == 0) {
        return Err(Errno::EINVAL);
    }
    if flags & (flag::THREAD | 0x8000) != 0 && exit_signal != 0 {
        return Err(Errno::EINVAL);
    }
    let args = CloneArgs {
        flags,
        pidfd,
        child_tid,
        parent_tid,
        exit_signal,
        stack: if stack == 0 { 0 } else { stack.wrapping_add(stack_size) },
        tls,
        set_tid: (set_tid, set_tid_size),
        cgroup,
    };
    if flags & flag::SETTLS != 0 {
        cx.arch.check_clone_tls(cx.mem, tls)?;
    }
    clone(cx, &args)
}

/// `fork`
pub fn sys_fork(cx: &mut SysCx<'_>, _a: &[u64; 6]) -> SysResult {
    clone(cx, &CloneArgs { exit_signal: libc::SIGCHLD as u64, ..CloneArgs::default() })
}

/// `vfork`
pub fn sys_vfork(cx: &mut SysCx<'_>, _a: &[u64; 6]) -> SysResult {
    let flags = flag::VM | flag::VFORK;
    clone(cx, &CloneArgs { flags, exit_signal: libc::SIGCHLD as u64, ..CloneArgs::default() })
}

fn clone(cx: &mut SysCx<'_>, args: &CloneArgs) -> SysResult {
    let f = args.flags;
    let has = |bits| f & bits == bits;
    if has(flag::NEWNS | flag::FS)
        || has(flag::NEWUSER | flag::FS)
        || has(flag::THREAD) && !has(flag::SIGHAND)
        || has(flag::SIGHAND) && !has(flag::VM)
        || has(flag::THREAD) && f & (flag::NEWUSER | flag::NEWPID) != 0
        || has(flag::SIGHAND | flag::CLEAR_SIGHAND)
    {
        return Err(Errno::EINVAL);
    }
    // A signal that came before must be handled before: its handler may run in one of us only.
    // The CPU's own stay open: guest memory is written below.
    let old_mask = host_signal::set_mask(ALL_ASYNC);
    cx.task.slots.note_mask(ALL_ASYNC);
    if cx.task.slots.deliverable(cx.task.blocked) {
        cx.task.mask_stale = true;
        return Err(Errno::ERESTARTNOINTR);
    }
    let before = cx.task.tid;
    let traced = trace::clone_begins(cx.task, f, args.exit_signal);
    let result = if has(flag::THREAD) {
        new_thread(cx, args, traced)
    } else if has(flag::VM) && !(has(flag::VFORK) && crate::gdb::children::wanted(cx.task)) {
        new_sharing_process(cx, args, traced)
    } else {
        new_process(cx, args)
    };
    if cx.task.tid == before {
        trace::clone_ends(cx.task, has(flag::VFORK), result);
    } else {
        cx.task.trace = trace::child_block(cx.task, traced);
    }
    // Nothing was recorded under the closed mask, so it may be opened here.
    if !cx.task.mask_stale {
        cx.task.slots.note_mask(old_mask);
        host_signal::set_mask(old_mask);
    }
    result
}

/// The child's task: its own CPU and slots, the shared objects as the flags say.
fn child_task(cx: &mut SysCx<'_>, args: &CloneArgs, process: Arc<Process>) -> Result<Box<Task>, Errno> {
    let parent = &mut *cx.task;
    let f = args.flags;
    let mut task = Box::new(Task {
        tid: 0,
        process,
        mm: parent.mm.clone(),
        sighand: if f & flag::SIGHAND != 0 {
            parent.sighand.clone()
        } else {
            Arc::new(parent.sighand.duplicate())
        },
        files: if f & flag::FILES != 0 { parent.files.clone() } else { Arc::new(parent.files.duplicate()) },
        fs: if f & flag::FS != 0 { parent.fs.clone() } else { Arc::new((*parent.fs).clone()) },
        arch: parent.arch,
        engine: parent.engine.clone(),
        cpu: parent.cpu.duplicate().ok_or(Errno::ENOMEM)?,
        slots: Box::default(),
        host_stack: None,
        blocked: parent.blocked,
        mask_stale: true,
        saved_mask: None,
        // The kernel's rule: a new thread has none, a vfork child keeps its parent's.
        altstack: if f & (flag::VM | flag::VFORK) == flag::VM { Default::default() } else { parent.altstack },
        fault: Default::default(),
        restart: None,
        sleep: None,
        clear_child_tid: if f & flag::CHILD_CLEARTID != 0 { args.child_tid } else { 0 },
        robust_list: (0, 0),
        leave: None,
        vforked: false,
        seccomp: Box::new(parent.seccomp.duplicate()),
        trace: None,
    });
    task.slots.set_blocked(task.blocked);
    start_state(cx, args, Some(&mut task));
    Ok(task)
}

/// Registers of the child: result zero, its stack and thread pointer. `None` means the calling task itself (fork).
fn start_state(cx: &mut SysCx<'_>, args: &CloneArgs, child: Option<&mut Task>) {
    let arch = cx.task.arch;
    let cpu = match child {
        Some(task) => {
            arch.set_result(&mut task.cpu, Ok(0));
            &mut *task.cpu
        }
        None => &mut *cx.task.cpu,
    };
    if args.stack != 0 {
        arch.set_sp(cpu, args.stack);
    }
    if args.flags & flag::SETTLS != 0 {
        arch.set_clone_tls(cpu, cx.mem, args.tls);
    }
}

/// Writes a tid word; a bad address is ignored, as the kernel does for the child's.
fn put_tid(task: &Task, addr: u64, tid: i32) {
    let _ = task.mm.mem().write(addr, &tid);
}

/// Binds a fresh task to the calling host thread, which started with all signals blocked; the CPU's are opened.
fn enter(task: &mut Task) {
    task.bind();
    task.enrol();
    host_signal::set_mask(ALL_ASYNC);
}

/// Parent and child meet here: zero until the child's tid is known.
struct Started {
    tid: AtomicI32,
}

impl Started {
    fn set(&self, tid: i32) {
        self.tid.store(tid, Ordering::Release);
        let word = self.tid.as_ptr() as u64;
        let _ = raw_syscall(libc::SYS_futex, [word, libc::FUTEX_WAKE as u64, 1, 0, 0, 0]);
    }

    fn wait(&self) -> i32 {
        loop {
            let tid = self.tid.load(Ordering::Acquire);
            if tid != 0 {
                return tid;
            }
            let word = self.tid.as_ptr() as u64;
            let _ = raw_syscall(libc::SYS_futex, [word, libc::FUTEX_WAIT as u64, 0, 0, 0, 0]);
        }
    }
}

fn gettid() -> i32 {
    raw_syscall(libc::SYS_gettid, [0; 6]).unwrap_or(0) as i32
}

/// A task on its way to the host thread that will run it.
struct Parcel(Box<Task>);

// SAFETY: a task holds raw pointers only into what it owns itself; it is handed over before it runs.
unsafe impl Send for Parcel {}

fn new_thread(cx: &mut SysCx<'_>, args: &CloneArgs, traced: bool) -> SysResult {
    if args.flags & flag::PIDFD != 0 || args.set_tid.1 != 0 || args.flags & flag::INTO_CGROUP != 0 {
        return Err(Errno::EINVAL);
    }
    let process = cx.task.process.clone();
    let mut task = child_task(cx, args, process)?;
    task.trace = trace::child_block(cx.task, traced);
    let parcel = Parcel(task);
    let started = Arc::new(Started { tid: AtomicI32::new(0) });
    let theirs = started.clone();
    let args = *args;
    // Until the thread has its slots no signal can be recorded there, not even one of the CPU's that somebody sends.
    host_signal::set_mask(host_signal::ALL_SIGNALS);
    let mortal = robust::name() != robust::OURS;
    let spawned = std::thread::Builder::new().stack_size(HOST_STACK).spawn(move || {
        let own = if mortal { Own::new() } else { None };
        if let Some(own) = &own {
            robust::act_as(robust::new_name());
            own.begin();
        }
        let parcel = parcel;
        let mut task = parcel.0;
        task.tid = gettid();
        // Host threads share both; the guest asked for its own.
        let unshare = !args.flags & (flag::FILES | flag::FS);
        if unshare != 0 {
            let _ = raw_syscall(libc::SYS_unshare, [unshare, 0, 0, 0, 0, 0]);
        }
        // Without memory for the handlers' stack the thread could not live; the kernel would have said ENOMEM.
        match HostAltStack::install() {
            Ok(stack) => task.host_stack = Some(Arc::new(stack)),
            Err(_) => {
                theirs.set(-Errno::EAGAIN.0);
                return;
            }
        }
        enter(&mut task);
        if args.flags & flag::PARENT_SETTID != 0 {
            put_tid(&task, args.parent_tid, task.tid);
        }
        if args.flags & flag::CHILD_SETTID != 0 {
            put_tid(&task, args.child_tid, task.tid);
        }
        theirs.set(task.tid);
        drop(theirs);
        let code = crate::run::run_task(&mut task);
        exit::leave_thread(&mut task, code);
        // SAFETY: null is always allowed; signals are blocked and the slots go with the task.
        unsafe { host_signal::attach(std::ptr::null()) };
    });
    host_signal::set_mask(ALL_ASYNC);
    spawned.map_err(|_| Errno::EAGAIN)?;
    let tid = started.wait();
    if tid < 0 { Err(Errno(-tid)) } else { Ok(tid as u64) }
}

/// `struct clone_args` of the host.
#[repr(C)]
#[derive(Default)]
struct HostCloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// The part of the request that the host kernel fulfils; `pidfd` and `tids` live in the caller.
fn host_args(
    cx: &SysCx<'_>,
    args: &CloneArgs,
    pidfd: &mut i32,
    tids: &mut Vec<i32>,
) -> Result<HostCloneArgs, Errno> {
    if args.set_tid.1 > 32 {
        return Err(Errno::EINVAL);
    }
    for index in 0..args.set_tid.1 {
        tids.push(cx.mem.read::<i32>(args.set_tid.0 + index * 4)?);
    }
    Ok(HostCloneArgs {
        // Our table of actions is what counts, and our handlers must stay.
        flags: args.flags & !(flag::OURS | flag::VFORK | flag::CLEAR_SIGHAND),
        pidfd: if args.flags & flag::PIDFD != 0 { std::ptr::from_mut(pidfd) as u64 } else { 0 },
        exit_signal: args.exit_signal,
        set_tid: if tids.is_empty() { 0 } else { tids.as_ptr() as u64 },
        set_tid_size: tids.len() as u64,
        cgroup: args.cgroup,
        ..HostCloneArgs::default()
    })
}

fn put_pidfd(cx: &mut SysCx<'_>, args: &CloneArgs, pidfd: i32) -> Result<(), Errno> {
    if args.flags & flag::PIDFD != 0 { cx.mem.write(args.pidfd, &pidfd) } else { Ok(()) }
}

/// fork: memory is copied.
fn new_process(cx: &mut SysCx<'_>, args: &CloneArgs) -> SysResult {
    let mut pidfd = -1;
    let mut tids = Vec::new();
    let host = host_args(cx, args, &mut pidfd, &mut tids)?;
    let plain = host.flags & !(flag::PIDFD | flag::FILES | flag::FS) == 0
        && host.exit_signal == libc::SIGCHLD as u64
        && tids.is_empty();
    let engine = cx.task.engine.clone();
    let mm = cx.task.mm.clone();
    let sighand = cx.task.sighand.clone();
    let process = cx.task.process.clone();
    let threads = crate::task::lock(&process.threads);
    let frozen = sighand.freeze();
    let tracers = trace::tracer::freeze();
    let files = cx.task.files.clone();
    let news = mm.freeze_news();
    // Translation fetches code under its own lock, so that one comes before the map's.
    let engine_locks = engine.fork_guard();
    let mm_lock = mm.lock();
    let tables = (
        crate::syscall::misc::freeze_limits(),
        crate::syscall::fs32::freeze(),
        crate::syscall::aio::freeze(),
    );
    let debugger = crate::gdb::children::forking(cx.task);
    // Every close and dup takes it, under nothing else.
    let hidden = crate::task::lock(&files.hidden);
    // Also the CPU's own signals: what is recorded in the child is then only what came for the child.
    host_signal::set_mask(host_signal::ALL_SIGNALS);
    // The C library's fork keeps its allocator's locks consistent, so it is taken whenever it can express the request.
    let result = if plain && host.flags == 0 {
        // SAFETY: our own locks are held; the child continues as the only thread.
        match unsafe { libc::fork() } {
            -1 => Err(Errno::last()),
            pid => Ok(pid as u64),
        }
    } else {
        // SAFETY: as `fork` does itself: held over the call, given up on both sides, by the one who took it.
        unsafe { omnirun_allocator_lock() };
        let args = [&raw const host as u64, size_of::<HostCloneArgs>() as u64, 0, 0, 0, 0];
        let result = raw_syscall(libc::SYS_clone3, args);
        // SAFETY: as above.
        unsafe {
            if result == Ok(0) { omnirun_allocator_unlock_child() } else { omnirun_allocator_unlock_parent() }
        }
        result
    };
    if result == Ok(0) {
        cx.task.slots.clear();
        // A process with memory of its own, whatever its parent was.
        heap::use_common();
        ir::kept::keep_nothing(false);
        robust::forget_name();
    }
    host_signal::set_mask(ALL_ASYNC);
    drop(hidden);
    drop(tables);
    drop(mm_lock);
    if result == Ok(0) {
        engine_locks.child(&cx.task.cpu);
    } else {
        drop(engine_locks);
    }
    drop(news);
    drop(tracers);
    drop(frozen);
    drop(threads);
    if result != Ok(0) {
        let child = result.ok().map(|pid| pid as i32);
        debugger.parent(cx.task, child, args.flags & flag::VFORK != 0);
        let pid = result?;
        if args.flags & flag::PARENT_SETTID != 0 {
            put_tid(cx.task, args.parent_tid, pid as i32);
        }
        put_pidfd(cx, args, pidfd)?;
        return Ok(pid);
    }
    let task = &mut *cx.task;
    if let Some((old, new)) = crate::log::forked() {
        let mut hidden = crate::task::lock(&task.files.hidden);
        if let Some(what) = hidden.remove(&old) {
            hidden.insert(new, what);
        }
    }
    trace::tracer::forked();
    task.tid = gettid();
    let process = Process::new(task.tid, task.process.exec.clone());
    process.personality.store(task.process.personality.load(Ordering::Relaxed), Ordering::Relaxed);
    task.process = Arc::new(process);
    task.enrol();
    task.robust_list = (0, 0);
    task.clear_child_tid = if args.flags & flag::CHILD_CLEARTID != 0 { args.child_tid } else { 0 };
    task.mask_stale = true;
    task.vforked = false;
    if args.flags & flag::CLEAR_SIGHAND != 0 {
        task.sighand.clear_handlers();
    }
    if args.flags & flag::CHILD_SETTID != 0 {
        put_tid(task, args.child_tid, task.tid);
    }
    debugger.child(task);
    start_state(cx, args, None);
    Ok(0)
}

// The C library's fork holds its allocator still by these functions, which a static link can reach; in a dynamic one (tests
// of this crate) they are not there and nothing is held.
global_asm!(
    ".pushsection .text",
    ".irp name, lock_parent, unlock_parent, unlock_child",
    ".weak __malloc_fork_\\name",
    ".endr",
    ".globl omnirun_allocator_lock",
    ".hidden omnirun_allocator_lock",
    "omnirun_allocator_lock:",
    "mov rax, [rip + __malloc_fork_lock_parent@GOTPCREL]",
    "jmp 2f",
    ".globl omnirun_allocator_unlock_parent",
    ".hidden omnirun_allocator_unlock_parent",
    "omnirun_allocator_unlock_parent:",
    "mov rax, [rip + __malloc_fork_unlock_parent@GOTPCREL]",
    "jmp 2f",
    ".globl omnirun_allocator_unlock_child",
    ".hidden omnirun_allocator_unlock_child",
    "omnirun_allocator_unlock_child:",
    "mov rax, [rip + __malloc_fork_unlock_child@GOTPCREL]",
    "2:",
    "test rax, rax",
    "jz 3f",
    "jmp rax",
    "3: ret",
    ".popsection",
);

unsafe extern "C" {
    fn omnirun_allocator_lock();
    fn omnirun_allocator_unlock_parent();
    fn omnirun_allocator_unlock_child();
}

// omnirun_clone_on_stack(args, size, function, argument): clone3 whose child calls function(argument) on the new stack
// and never returns.
global_asm!(
    ".pushsection .text",
    ".globl omnirun_clone_on_stack",
    ".hidden omnirun_clone_on_stack",
    "omnirun_clone_on_stack:",
    "mov r8, rdx",
    "mov r9, rcx",
    "mov eax, 435",
    "syscall",
    "test rax, rax",
    "jz 2f",
    "ret",
    "2:",
    "xor ebp, ebp",
    "mov rdi, r9",
    "call r8",
    "ud2",
    ".popsection",
);

unsafe extern "C" {
    fn omnirun_clone_on_stack(
        args: *const HostCloneArgs,
        size: usize,
        function: unsafe extern "C" fn(*mut libc::c_void) -> !,
        argument: *mut libc::c_void,
    ) -> i64;
}

/// What the child in our address space needs; it lives in the suspended thread's frame.
#[repr(C)]
struct Birth {
    task: Box<Task>,
    args: CloneArgs,
    started: *const Started,
    /// The child may be killed at any moment, whatever it has locked: a name for its locks, and a heap of its own.
    name: u32,
    heap: Own,
}

/// First code of a process that shares our memory.
unsafe extern "C" fn born(birth: *mut libc::c_void) -> ! {
    // SAFETY: the suspended parent keeps it alive and does not touch it.
    let birth = unsafe { &mut *birth.cast::<Birth>() };
    robust::act_as(birth.name);
    birth.heap.begin();
    ir::kept::keep_nothing(true);
    let task = &mut birth.task;
    let pid = raw_syscall(libc::SYS_getpid, [0; 6]).unwrap_or(0) as i32;
    task.tid = pid;
    task.process.pid.store(pid, Ordering::Relaxed);
    let args = &birth.args;
    if args.flags & flag::CLEAR_SIGHAND != 0 {
        task.sighand.clear_handlers();
    }
    if let Some(stack) = &task.host_stack {
        let _ = stack.activate();
    }
    enter(task);
    if args.flags & flag::PARENT_SETTID != 0 {
        put_tid(task, args.parent_tid, pid);
    }
    if args.flags & flag::CHILD_SETTID != 0 {
        put_tid(task, args.child_tid, pid);
    }
    // SAFETY: as above: `started` outlives the birth.
    unsafe { (*birth.started).set(pid) };
    let code = crate::run::run_task(task);
    exit::leave_thread(task, code);
    exit::exit_group(code)
}

/// Runs a child on its own host stack in our memory; returns when it has exec'ed or gone.
fn bear(mut birth: Birth, host: &mut HostCloneArgs) -> SysResult {
    let prot = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as u64;
    let size = HOST_STACK as u64;
    let stack = raw_syscall(libc::SYS_mmap, [0, size, prot, flags, u64::MAX, 0])?;
    let _ = raw_syscall(libc::SYS_mprotect, [stack, 4096, libc::PROT_NONE as u64, 0, 0, 0]);
    host.flags |= flag::VM | flag::VFORK | birth.args.flags & flag::SIGHAND;
    host.stack = stack;
    host.stack_size = size;
    // Neither may the child's signals be recorded in our slots, nor ours while they are not bound.
    host_signal::set_mask(host_signal::ALL_SIGNALS);
    let former = (robust::name(), heap::used());
    // SAFETY: the child gets its own stack and a birth that outlives it; it borrows our thread-local storage while the
    // kernel suspends us, and what it changes in it is put back below and by our caller.
    let pid =
        unsafe { omnirun_clone_on_stack(host, size_of::<HostCloneArgs>(), born, (&raw mut birth).cast()) };
    heap::go_back(former.1);
    ir::kept::keep_nothing(former.0 != robust::OURS);
    robust::act_as(former.0);
    // If it was killed, it may have held locks, and have been changing what they guard.
    birth.task.engine.reclaim(birth.name);
    birth.task.mm.reclaim(birth.name);
    robust::open_locks_of(birth.name);
    let _ = raw_syscall(libc::SYS_munmap, [stack, size, 0, 0, 0, 0]);
    Errno::from_ret(pid)
}

/// A process in our address space.
fn new_sharing_process(cx: &mut SysCx<'_>, args: &CloneArgs, traced: bool) -> SysResult {
    let mut pidfd = -1;
    let mut tids = Vec::new();
    let mut host = host_args(cx, args, &mut pidfd, &mut tids)?;
    let process = Arc::new(Process::new(0, cx.task.process.exec.clone()));
    let mut task = child_task(cx, args, process)?;
    task.vforked = true;
    task.trace = trace::child_block(cx.task, traced);
    let started = Started { tid: AtomicI32::new(0) };
    if args.flags & flag::VFORK != 0 {
        task.host_stack = cx.task.host_stack.clone();
        let heap = Own::new().ok_or(Errno::ENOMEM)?;
        let birth = Birth { task, args: *args, started: &raw const started, name: robust::new_name(), heap };
        let pid = bear(birth, &mut host);
        // The child left its own pointers in the thread-local storage that it borrowed.
        cx.task.bind();
        host_signal::set_mask(ALL_ASYNC);
        let pid = pid?;
        put_pidfd(cx, args, pidfd)?;
        return Ok(pid);
    }
    let started = Arc::new(started);
    let theirs = started.clone();
    let parcel = Parcel(task);
    let args_copy = *args;
    let spawned = std::thread::Builder::new().stack_size(HOST_STACK).spawn(move || {
        let parcel = parcel;
        let mut task = parcel.0;
        let mut pidfd = pidfd;
        if host.pidfd != 0 {
            host.pidfd = &raw mut pidfd as u64;
        }
        host.set_tid = if tids.is_empty() { 0 } else { tids.as_ptr() as u64 };
        match HostAltStack::install() {
            Ok(stack) => task.host_stack = Some(Arc::new(stack)),
            Err(errno) => return theirs.set(-errno.0),
        }
        let mm = task.mm.clone();
        let Some(heap) = Own::new() else { return theirs.set(-Errno::ENOMEM.0) };
        let name = robust::new_name();
        let birth = Birth { task, args: args_copy, started: &raw const *theirs, name, heap };
        if let Err(errno) = bear(birth, &mut host) {
            theirs.set(-errno.0);
        }
        if args_copy.flags & flag::PIDFD != 0 {
            let _ = mm.mem().write(args_copy.pidfd, &pidfd);
        }
        // SAFETY: null is always allowed; this thread is no guest's.
        unsafe { host_signal::attach(std::ptr::null()) };
    });
    spawned.map_err(|_| Errno::EAGAIN)?;
    let pid = started.wait();
    if pid < 0 { Err(Errno(-pid)) } else { Ok(pid as u64) }
}
