//! Kernel objects, split as the kernel splits them, so that every clone flag means what it says.
//!
//! A [`Task`] is one guest thread and belongs to the host thread that runs it; it points to what it may share:
//! [`Mm`] (CLONE_VM), [`SigHand`] (CLONE_SIGHAND), [`Files`] (CLONE_FILES), [`Fs`] (CLONE_FS) and [`Process`]
//! (CLONE_THREAD). The host's own descriptor table, working directory, root, umask, credentials and limits are the
//! guest's: the matching host flags are given to the host kernel as well. What stands here is only what the host kernel
//! cannot keep for us.

use crate::arch::Arch;
use crate::cpu::{CpuState, OwnedCpu};
use crate::errno::Errno;
use crate::host_signal::{self, ALL_SIGNALS, HostAltStack, HostSlots, bit};
use crate::mm::Mm;
use crate::signal::{self, AltStack, FaultState, SigHand};
use engine::Engine;
use engine::robust::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

/// Locks a mutex of kernel objects.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

/// Why a task's run loop ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leave {
    /// `exit`: this thread only, with its exit code.
    Thread(i32),
}

/// Emulator-side facts about descriptors (CLONE_FILES). The table itself is the host's.
#[derive(Default)]
pub struct Files {
    /// Descriptors that are the emulator's own (log file, gdb connection): the guest sees EBADF, exec closes them.
    pub hidden: Mutex<BTreeMap<i32, &'static str>>,
}

impl Files {
    /// A private copy, for a child without CLONE_FILES.
    pub fn duplicate(&self) -> Files {
        Files { hidden: Mutex::new(lock(&self.hidden).clone()) }
    }

    /// True if the guest must not see descriptor `fd`.
    pub fn is_hidden(&self, fd: i32) -> bool {
        lock(&self.hidden).contains_key(&fd)
    }
}

/// What the kernel's `fs_struct` holds that is ours to know.
#[derive(Default)]
pub struct Fs {
    /// `-L`: where absolute paths are looked up first.
    pub sysroot: Option<PathBuf>,
    /// The tree has the working directory too: names relative to it are looked up there first, as absolute ones are.
    shadowed: AtomicBool,
}

impl Clone for Fs {
    fn clone(&self) -> Fs {
        Fs { sysroot: self.sysroot.clone(), shadowed: AtomicBool::new(self.is_shadowed()) }
    }
}

impl Fs {
    /// The state of a new process.
    pub fn new(sysroot: Option<PathBuf>) -> Fs {
        let fs = Fs { sysroot, ..Fs::default() };
        fs.moved();
        fs
    }

    /// The working directory has changed.
    pub fn moved(&self) {
        if let Some(root) = &self.sysroot {
            self.shadowed.store(crate::paths::has_cwd(root), Ordering::Relaxed);
        }
    }

    /// Whether a relative name may mean something in the tree.
    pub fn is_shadowed(&self) -> bool {
        self.shadowed.load(Ordering::Relaxed)
    }

    /// What a name relative to the working directory means in the tree, if it means something there.
    pub fn below_cwd(&self, name: &CStr, follow: bool) -> Option<CString> {
        let root = self.sysroot.as_ref().filter(|_| self.is_shadowed())?;
        crate::paths::below_cwd(root, name, follow)
    }
}

/// How this emulator starts itself again for a guest's exec.
#[derive(Default, Clone)]
pub struct ExecConfig {
    /// Machine number (`e_machine`) of the guests this binary runs.
    pub machine: u16,
    /// ELF class byte (1 or 2) and data byte (1 little, 2 big) of these guests.
    pub class: u8,
    /// See `class`.
    pub data: u8,
    /// The guest program's file, for a guest that executes `/proc/self/exe`.
    pub exe: PathBuf,
    /// Options to pass on, in front of `-0 argv0 path args`.
    pub options: Vec<CString>,
}

/// One thread as others in its process see it.
#[derive(Clone, Copy)]
pub struct ThreadEntry {
    /// Thread id, the host's own.
    pub tid: i32,
    /// Its CPU: to be read by others only while the thread is stopped.
    pub cpu: *mut CpuState,
    /// Its slots, to set its poll word.
    pub slots: *const HostSlots,
    /// Its filters, which another thread may set.
    pub seccomp: *const crate::seccomp::State,
}

// SAFETY: the pointers are used under the rules of `ThreadEntry`'s fields; an entry is removed before its thread frees
// what they point to.
unsafe impl Send for ThreadEntry {}

/// A thread group.
pub struct Process {
    /// Process id.
    pub pid: AtomicI32,
    /// Its living threads.
    pub threads: Mutex<Vec<ThreadEntry>>,
    /// What the first thread's `exit` gave, if it has left while others run.
    pub leader_exit: AtomicI32,
    /// How to start children that are foreign programs.
    pub exec: Arc<ExecConfig>,
    /// The value last given to `personality`.
    pub personality: AtomicU32,
    /// The thread that ends the process by a signal and may write a core file; zero before.
    pub dying: AtomicI32,
    /// How many threads wait for that.
    pub parked: AtomicU32,
}

impl Process {
    /// A process without threads yet.
    pub fn new(pid: i32, exec: Arc<ExecConfig>) -> Process {
        Process {
            pid: AtomicI32::new(pid),
            threads: Mutex::new(Vec::new()),
            leader_exit: AtomicI32::new(0),
            exec,
            personality: AtomicU32::new(0),
            dying: AtomicI32::new(0),
            parked: AtomicU32::new(0),
        }
    }

    /// Process id.
    pub fn pid(&self) -> i32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// Enters the calling thread's task.
    pub fn add_thread(&self, task: &mut Task) {
        let entry = ThreadEntry {
            tid: task.tid,
            cpu: &raw mut *task.cpu,
            slots: &raw const *task.slots,
            seccomp: &raw const *task.seccomp,
        };
        lock(&self.threads).push(entry);
    }

    /// Removes a thread; true if it was the last.
    pub fn remove_thread(&self, tid: i32) -> bool {
        let mut threads = lock(&self.threads);
        threads.retain(|entry| entry.tid != tid);
        threads.is_empty()
    }

    /// Number of living guest threads.
    pub fn thread_count(&self) -> usize {
        lock(&self.threads).len()
    }

    /// Asks every thread to come to its run loop.
    pub fn kick_all(&self) {
        for entry in lock(&self.threads).iter() {
            // SAFETY: an entry is removed before its slots are freed, and we hold the list.
            unsafe { (*entry.slots).kick() };
        }
    }
}

/// One guest thread.
pub struct Task {
    /// Thread id: the host's own.
    pub tid: i32,
    /// Its thread group.
    pub process: Arc<Process>,
    /// Address space.
    pub mm: Arc<Mm>,
    /// Signal actions.
    pub sighand: Arc<SigHand>,
    /// Descriptors.
    pub files: Arc<Files>,
    /// File-system context.
    pub fs: Arc<Fs>,
    /// Architecture.
    pub arch: &'static dyn Arch,
    /// Translator, shared like the address space.
    pub engine: Arc<Engine>,
    /// Registers.
    pub cpu: OwnedCpu,
    /// What the host signal handler writes.
    pub slots: Box<HostSlots>,
    /// Host stack of the handlers; shared with a vfork child.
    pub host_stack: Option<Arc<HostAltStack>>,
    /// The guest's blocked signals.
    pub blocked: u64,
    /// The host mask does not match `blocked` yet.
    pub mask_stale: bool,
    /// Mask to put back once delivery is over (sigsuspend, ppoll).
    pub saved_mask: Option<u64>,
    /// The guest's alternate stack.
    pub altstack: AltStack,
    /// The last fault, as signal frames show it.
    pub fault: FaultState,
    /// A call that wants to be executed again, and the PC behind it.
    pub restart: Option<(Errno, u64)>,
    /// A sleep that will go on if no handler runs.
    pub sleep: Option<crate::syscall::time::Sleep>,
    /// `set_tid_address`: cleared and woken at exit.
    pub clear_child_tid: u64,
    /// `set_robust_list`: head and length.
    pub robust_list: (u64, u64),
    /// Set by a call that ends the thread.
    pub leave: Option<Leave>,
    /// Runs in its parent's memory until it execs or exits.
    pub vforked: bool,
    /// Its seccomp mode and filters.
    pub seccomp: Box<crate::seccomp::State>,
    /// It is traced: what it shares with the tracer.
    pub trace: Option<Box<crate::trace::Block>>,
}

impl Task {
    /// The first task of a process: takes over the calling thread's signals (mask, dispositions, handlers' stack).
    pub fn first(
        process: Arc<Process>,
        mm: Arc<Mm>,
        fs: Arc<Fs>,
        arch: &'static dyn Arch,
        engine: Arc<Engine>,
    ) -> Result<Box<Task>, Errno> {
        let blocked = host_signal::set_mask(ALL_SIGNALS);
        let cpu = OwnedCpu::new(&engine);
        let host_stack = HostAltStack::install()?;
        let ignored = host_signal::install_sync_handlers();
        let mut task = Box::new(Task {
            tid: process.pid(),
            process,
            mm,
            sighand: Arc::new(SigHand::inherited(ignored)),
            files: Arc::new(Files::default()),
            fs,
            arch,
            engine,
            cpu,
            slots: Box::default(),
            host_stack: Some(Arc::new(host_stack)),
            blocked: 0,
            mask_stale: true,
            saved_mask: None,
            altstack: AltStack::default(),
            fault: FaultState::default(),
            restart: None,
            sleep: None,
            clear_child_tid: 0,
            robust_list: (0, 0),
            leave: None,
            vforked: false,
            seccomp: Box::default(),
            trace: None,
        });
        crate::process::core_file::follow_limit(&task.sighand);
        task.note_blocked(blocked);
        task.bind();
        task.enrol();
        // Only now may a signal come: the handler finds its slots.
        signal::sync_mask(&mut task);
        Ok(task)
    }

    /// Enters the task in its process's list of threads.
    pub fn enrol(&mut self) {
        let process = self.process.clone();
        process.add_thread(self);
    }

    /// Makes the task the calling host thread's.
    pub fn bind(&mut self) {
        let engine = Arc::as_ptr(&self.engine).cast::<()>();
        let cpu: *mut CpuState = &raw mut *self.cpu;
        // SAFETY: the task outlives its attachment: it is detached or replaced before it is dropped.
        unsafe {
            self.slots.bind((*cpu).poll(), recover, engine, cpu.cast());
            host_signal::attach(&raw const *self.slots);
        }
    }

    /// Changes the guest's blocked mask; the host's follows through `signal::sync_mask`. SIGKILL and SIGSTOP cannot be
    /// blocked.
    pub fn note_blocked(&mut self, mask: u64) {
        self.blocked = mask & !(bit(libc::SIGKILL) | bit(libc::SIGSTOP));
        self.slots.set_blocked(self.blocked);
    }
}

/// The hook through which the host handler reaches the engine.
unsafe fn recover(
    engine: *const (),
    cpu: *mut (),
    uc: *mut libc::ucontext_t,
    sig: i32,
    info: *const libc::siginfo_t,
) -> bool {
    // SAFETY: `Task::bind` passed these pointers; the kernel passed the others.
    unsafe {
        let engine = &*engine.cast::<Engine>();
        engine.recover_fault(cpu.cast(), uc, sig, (*info).si_code, (*info).si_addr() as u64)
    }
}
