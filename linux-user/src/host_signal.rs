//! The only async-signal code: host signal handlers, per-thread slots, host masks and dispositions.
//!
//! Input: a host signal. Output: a record in the thread's fixed [`HostSlots`], its poll word set, a rewound system call
//! or a recovered fault. Nothing here allocates, locks or logs. The rules that the rest relies on are the numbered
//! invariants of `signal/mod.rs`.
//!
//! All calls are raw ones: the guest owns all 64 signals, and the host C library would keep 32 and 33 for itself.

use crate::errno::{Errno, SysResult};
use crate::sys::{raw_syscall, safe_syscall};
use std::arch::global_asm;
use std::cell::{Cell, UnsafeCell};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// Number of signals; they are numbered from 1.
pub const NSIG: usize = 64;

/// The mask bit of a signal.
pub const fn bit(sig: i32) -> u64 {
    1 << (sig - 1)
}

/// Signals that the CPU raises: the host never blocks them while guest code may run.
pub const SYNC_SIGNALS: [i32; 5] = [libc::SIGILL, libc::SIGTRAP, libc::SIGBUS, libc::SIGFPE, libc::SIGSEGV];

/// [`SYNC_SIGNALS`] as a mask.
pub const SYNC_MASK: u64 =
    bit(libc::SIGILL) | bit(libc::SIGTRAP) | bit(libc::SIGBUS) | bit(libc::SIGFPE) | bit(libc::SIGSEGV);

/// All that the host may block while guest code runs.
pub const ALL_ASYNC: u64 = !SYNC_MASK;

/// Everything.
pub const ALL_SIGNALS: u64 = !0;

/// `siginfo_t` as the host kernel lays it out.
pub const SIGINFO_SIZE: usize = 128;

/// The kernel's `struct sigaction` on x86-64.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct KSigaction {
    /// SIG_DFL, SIG_IGN or an address.
    pub handler: u64,
    /// `SA_*`.
    pub flags: u64,
    /// Address of the return trampoline (SA_RESTORER).
    pub restorer: u64,
    /// Blocked while the handler runs.
    pub mask: u64,
}

const SA_RESTORER: u64 = 0x0400_0000;

/// One recorded siginfo: `signo` zero means empty. Written by the handler, taken by the thread itself.
struct Slot {
    signo: AtomicI32,
    info: UnsafeCell<[u8; SIGINFO_SIZE]>,
}

/// The owner is filling the slot.
const BUSY: i32 = -1;

impl Slot {
    const fn new() -> Slot {
        Slot { signo: AtomicI32::new(0), info: UnsafeCell::new([0; SIGINFO_SIZE]) }
    }

    /// Handler side: keeps the first record, as the kernel does for a pending standard signal.
    fn put(&self, signo: i32, info: *const u8) {
        if self.signo.load(Ordering::Relaxed) != 0 {
            return;
        }
        // SAFETY: the slot is empty, so the owner does not read it; handler and owner are the same thread.
        unsafe { std::ptr::copy_nonoverlapping(info, self.info.get().cast::<u8>(), SIGINFO_SIZE) };
        self.signo.store(signo, Ordering::Release);
    }

    /// The owner's side: as [`Slot::put`], while the handler may come in between.
    fn put_own(&self, signo: i32, info: &[u8; SIGINFO_SIZE]) {
        // A handler that finds the slot in use merges its signal into this one.
        if self.signo.compare_exchange(0, BUSY, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            // SAFETY: the slot is marked, so the handler does not write it; handler and owner are the same thread.
            unsafe { *self.info.get() = *info };
            self.signo.store(signo, Ordering::Release);
        }
    }

    fn take(&self) -> Option<[u8; SIGINFO_SIZE]> {
        if self.signo.load(Ordering::Acquire) == 0 {
            return None;
        }
        // SAFETY: a full slot is not written by the handler.
        let info = unsafe { *self.info.get() };
        self.signo.store(0, Ordering::Release);
        Some(info)
    }
}

/// Recovers guest state from a fault in translated code: `(context, cpu, ucontext, signo, siginfo)`; true if the PC was
/// in translated code and the ucontext now leads out of it. Must be async-signal-safe.
pub type RecoverFn =
    unsafe fn(*const (), *mut (), *mut libc::ucontext_t, i32, *const libc::siginfo_t) -> bool;

/// The part of a guest thread that its host signal handler may touch. One per thread, at a fixed address.
pub struct HostSlots {
    poll: AtomicPtr<AtomicU32>,
    recover: Cell<Option<RecoverFn>>,
    recover_context: AtomicPtr<()>,
    recover_cpu: AtomicPtr<()>,
    /// By signal: while one is full, the host blocks that signal (or its record is merged, for the CPU's own).
    slots: [Slot; NSIG],
    /// Which of them are full.
    recorded: AtomicU64,
    /// What the host mask is, or [`MASK_UNKNOWN`].
    mask: AtomicU64,
    /// The guest's blocked mask, for the signals that the host cannot block ([`SYNC_MASK`]).
    blocked: AtomicU64,
    /// Requests of other emulated tasks: the last of each kind, see [`request`].
    requests: [AtomicU64; request::KINDS],
}

/// Requests to a guest thread: a SIGTRAP that carries [`request::CODE`] and a value whose low byte is the kind.
pub mod request {
    /// `si_code` of a request: sent by `rt_tgsigqueueinfo`, and no kernel's.
    pub const CODE: i32 = -0x4f6d;
    /// How many kinds there are.
    pub const KINDS: usize = 7;
    /// Stay where you are: the process writes its core file.
    pub const PARK: u8 = 0;
    /// A stop under ptrace that no tracer took.
    pub const STOP: u8 = 1;
    /// A tracer has attached.
    pub const ATTACH: u8 = 2;
    /// PTRACE_INTERRUPT.
    pub const INTERRUPT: u8 = 3;
    /// A signal that handlers cannot catch came from the host: the second byte is its number.
    pub const SIGNAL: u8 = 4;
    /// A seccomp filter was installed by another thread.
    pub const SECCOMP: u8 = 5;
    /// A tracee stopped: the tracing thread is to look.
    pub const SERVICE: u8 = 6;
}

impl Default for HostSlots {
    fn default() -> Self {
        HostSlots {
            poll: AtomicPtr::new((&raw const NO_POLL).cast_mut()),
            recover: Cell::new(None),
            recover_context: AtomicPtr::default(),
            recover_cpu: AtomicPtr::default(),
            slots: [const { Slot::new() }; NSIG],
            recorded: AtomicU64::new(0),
            mask: AtomicU64::new(MASK_UNKNOWN),
            blocked: AtomicU64::new(0),
            requests: [const { AtomicU64::new(0) }; request::KINDS],
        }
    }
}

/// Marks a request as present whatever its value.
const REQUEST_SET: u64 = 1 << 63;

/// Sends a request to a guest thread of this or another process.
pub fn send_request(pid: i32, tid: i32, value: u64) -> SysResult {
    let mut info = [0u8; SIGINFO_SIZE];
    info[..4].copy_from_slice(&libc::SIGTRAP.to_ne_bytes());
    info[8..12].copy_from_slice(&request::CODE.to_ne_bytes());
    info[16..20].copy_from_slice(&(std::process::id() as i32).to_ne_bytes());
    info[24..32].copy_from_slice(&value.to_ne_bytes());
    let args = [pid as u64, tid as u64, libc::SIGTRAP as u64, info.as_ptr() as u64, 0, 0];
    raw_syscall(libc::SYS_rt_tgsigqueueinfo, args)
}

/// No host mask of a guest thread: the CPU's signals are open in all of them.
const MASK_UNKNOWN: u64 = !0;

static NO_POLL: AtomicU32 = AtomicU32::new(0);

thread_local! {
    // Constant initialiser and no destructor: a plain TLS word, safe to read in a handler.
    static CURRENT: Cell<*const HostSlots> = const { Cell::new(std::ptr::null()) };
}

/// The poll word of the calling guest thread, or of nobody.
pub fn poll_word() -> *const AtomicU32 {
    match current() {
        Some(slots) => slots.poll.load(Ordering::Relaxed),
        None => &NO_POLL,
    }
}

fn current() -> Option<&'static HostSlots> {
    // SAFETY: `attach` gets a pointer that stays valid until it is replaced.
    unsafe { CURRENT.with(Cell::get).as_ref() }
}

/// Makes `slots` the calling thread's; returns the former ones, which a vfork parent puts back.
///
/// # Safety
/// `slots` is null or outlives its being attached.
pub unsafe fn attach(slots: *const HostSlots) -> *const HostSlots {
    CURRENT.with(|current| current.replace(slots))
}

impl HostSlots {
    /// Binds the CPU whose poll word is set by signals and whose faults are recovered.
    ///
    /// # Safety
    /// All pointers outlive the slots' attachment; `recover` upholds [`RecoverFn`].
    pub unsafe fn bind(&self, poll: *const AtomicU32, recover: RecoverFn, context: *const (), cpu: *mut ()) {
        self.recover_context.store(context.cast_mut(), Ordering::Relaxed);
        self.recover_cpu.store(cpu, Ordering::Relaxed);
        self.recover.set(Some(recover));
        self.poll.store(poll.cast_mut(), Ordering::Release);
    }

    /// Tells the handler which of the synchronous signals the guest blocks.
    pub fn set_blocked(&self, blocked: u64) {
        self.blocked.store(blocked, Ordering::Relaxed);
    }

    /// The guest's blocked mask as the handler knows it.
    pub fn blocked(&self) -> u64 {
        self.blocked.load(Ordering::Relaxed)
    }

    /// Handler side: keeps a signal.
    fn record(&self, sig: i32, info: *const u8) {
        self.slots[sig as usize - 1].put(sig, info);
        self.recorded.fetch_or(bit(sig), Ordering::Release);
    }

    /// Records a standard signal that the thread sends to itself: the host would call the handler at once. It stays open
    /// on the host until the mask is brought in line; if it comes from there as well it is merged, as two pending ones are.
    pub fn record_own(&self, sig: i32, info: &[u8; SIGINFO_SIZE]) {
        self.slots[sig as usize - 1].put_own(sig, info);
        self.recorded.fetch_or(bit(sig), Ordering::Release);
        self.kick();
    }

    /// Takes a recorded signal that `blocked` allows; the CPU's first, then by number, as the kernel orders them.
    pub fn take(&self, blocked: u64) -> Option<[u8; SIGINFO_SIZE]> {
        self.take_of(!blocked)
    }

    /// Takes a recorded signal that is in `set`.
    pub fn take_of(&self, set: u64) -> Option<[u8; SIGINFO_SIZE]> {
        let ready = self.recorded() & set;
        if ready == 0 {
            return None;
        }
        let first = if ready & SYNC_MASK != 0 { ready & SYNC_MASK } else { ready };
        let index = first.trailing_zeros();
        self.recorded.fetch_and(!(1 << index), Ordering::AcqRel);
        self.slots[index as usize].take()
    }

    /// Takes the last request of a kind, if there is one: the value it carried.
    pub fn take_request(&self, kind: u8) -> Option<u64> {
        match self.requests[usize::from(kind)].swap(0, Ordering::AcqRel) {
            0 => None,
            value => Some(value & !REQUEST_SET),
        }
    }

    /// True if a request of the kind waits.
    pub fn has_request(&self, kind: u8) -> bool {
        self.requests[usize::from(kind)].load(Ordering::Acquire) != 0
    }

    /// The recorded signals as a mask.
    pub fn recorded(&self) -> u64 {
        self.recorded.load(Ordering::Acquire)
    }

    /// True if a recorded signal may be delivered under `blocked`.
    pub fn deliverable(&self, blocked: u64) -> bool {
        self.recorded() & !blocked != 0
    }

    /// Notes that the host mask was set by other means than [`HostSlots::open`].
    pub fn note_mask(&self, mask: u64) {
        self.mask.store(mask, Ordering::Release);
    }

    /// Makes the host mask that of a guest which blocks `blocked`. Signals that are recorded stay closed. An error means
    /// that one was recorded meanwhile, or the poll word is set for another reason; nothing was opened.
    pub fn open(&self, blocked: u64) -> Result<(), Errno> {
        let want = host_mask(blocked | self.recorded());
        if self.mask.load(Ordering::Acquire) == want {
            return Ok(());
        }
        // Noted first: a handler that comes right behind the call adds its signal to what is noted.
        self.note_mask(want);
        let args = [libc::SIG_SETMASK as u64, &raw const want as u64, 0, 8, 0, 0];
        safe_syscall(libc::SYS_rt_sigprocmask, args).map(|_| ()).inspect_err(|_| self.note_mask(MASK_UNKNOWN))
    }

    /// Sets the thread's poll word.
    pub fn kick(&self) {
        // SAFETY: the word outlives the attachment (`bind`).
        unsafe { crate::cpu::request_poll(&*self.poll.load(Ordering::Acquire)) };
    }

    /// Forgets everything recorded (in the child of a fork: pending signals are not inherited).
    pub fn clear(&self) {
        while self.take(0).is_some() {}
    }
}

/// Sets the calling thread's host mask and returns the former one.
pub fn set_mask(mask: u64) -> u64 {
    let mut old = 0u64;
    let args = [libc::SIG_SETMASK as u64, &raw const mask as u64, &raw mut old as u64, 8, 0, 0];
    raw_syscall(libc::SYS_rt_sigprocmask, args).expect("sigprocmask with valid arguments");
    old
}

/// The host mask under which a guest thread with blocked mask `guest` runs.
pub const fn host_mask(guest: u64) -> u64 {
    guest & !SYNC_MASK
}

/// The raw `rt_sigaction`.
pub fn host_sigaction(sig: i32, new: Option<&KSigaction>) -> Result<KSigaction, Errno> {
    let mut old = KSigaction::default();
    let new = new.map_or(0, |new| std::ptr::from_ref(new) as u64);
    raw_syscall(libc::SYS_rt_sigaction, [sig as u64, new, &raw mut old as u64, 8, 0, 0])?;
    Ok(old)
}

global_asm!(
    ".pushsection .text",
    ".globl omnirun_restore_rt",
    ".hidden omnirun_restore_rt",
    "omnirun_restore_rt:",
    "mov eax, 15",
    "syscall",
    ".popsection",
);

unsafe extern "C" {
    fn omnirun_restore_rt();
}

/// The action that leads a host signal into [`handler`]; `flags` may add SA_NOCLDSTOP and SA_NOCLDWAIT.
pub fn recording_action(flags: u64) -> KSigaction {
    KSigaction {
        handler: handler as *const () as u64,
        // SA_RESTART: the kernel then says by its stepping back which calls are restartable (see `safe_syscall`).
        flags: flags | (libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART) as u64 | SA_RESTORER,
        restorer: omnirun_restore_rt as *const () as u64,
        mask: ALL_ASYNC,
    }
}

/// Installs the handlers of the synchronous signals, for the whole life of the process. Returns those that were ignored.
pub fn install_sync_handlers() -> u64 {
    let mut ignored = 0;
    for sig in SYNC_SIGNALS {
        let old = host_sigaction(sig, Some(&recording_action(0))).expect("sigaction of a synchronous signal");
        if old.handler == libc::SIG_IGN as u64 {
            ignored |= bit(sig);
        }
    }
    ignored
}

const GREG_RIP: usize = libc::REG_RIP as usize;
const GREG_RCX: usize = libc::REG_RCX as usize;

/// The one host handler. Runs on the thread's host alternate stack with all asynchronous signals blocked.
unsafe extern "C" fn handler(sig: i32, info: *const libc::siginfo_t, context: *mut libc::c_void) {
    let uc = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel passes a valid siginfo.
    let code = unsafe { (*info).si_code };
    let is_request = sig == libc::SIGTRAP && code == request::CODE;
    let Some(slots) = current() else {
        if is_request {
            return;
        }
        // A thread that is no guest's, or not yet.
        if SYNC_MASK & bit(sig) != 0 && code > 0 {
            die_of_own_fault(sig, info, uc);
        } else {
            postpone(sig, info, uc);
        }
        return;
    };
    if SYNC_MASK & bit(sig) != 0 && code > 0 {
        // SAFETY: the kernel's arguments, the hooks of `bind`.
        unsafe { fault(slots, sig, info, uc) };
        return;
    }
    if is_request {
        // SAFETY: a siginfo with a value.
        let value = unsafe { (*info).si_value().sival_ptr as u64 };
        if let Some(word) = slots.requests.get((value & 0xff) as usize) {
            word.store(value | REQUEST_SET, Ordering::Release);
        }
    } else {
        slots.record(sig, info.cast());
    }
    if is_request {
        // Nothing of the mask changes.
    } else if SYNC_MASK & bit(sig) != 0 {
        if slots.blocked.load(Ordering::Relaxed) & bit(sig) != 0 {
            return;
        }
    } else {
        slots.mask.fetch_or(bit(sig), Ordering::AcqRel);
        // SAFETY: the kernel's frame; its mask is 8 bytes whatever the C library's type says.
        unsafe { *(&raw mut (*uc).uc_sigmask).cast::<u64>() |= bit(sig) };
    }
    slots.kick();
    // SAFETY: the kernel's frame.
    unsafe {
        let gregs = &mut (*uc).uc_mcontext.gregs;
        if let Some(pc) = safe_syscall::rewind(gregs[GREG_RIP] as u64, gregs[GREG_RCX] as u64) {
            gregs[GREG_RIP] = pc as i64;
        }
    }
}

/// A new thread starts with one signal open that the host C library keeps for itself and that is the guest's here, and
/// threads of the emulator have the CPU's signals open, which somebody may send: the signal goes back to the kernel, for
/// another thread if it was not for this one.
fn postpone(sig: i32, info: *const libc::siginfo_t, uc: *mut libc::ucontext_t) {
    // SAFETY: the kernel's frame; its mask is 8 bytes.
    unsafe { *(&raw mut (*uc).uc_sigmask).cast::<u64>() |= ALL_ASYNC | bit(sig) };
    let pid = raw_syscall(libc::SYS_getpid, [0; 6]).unwrap_or(0);
    let tid = raw_syscall(libc::SYS_gettid, [0; 6]).unwrap_or(0);
    // SAFETY: the kernel passes a valid siginfo.
    if unsafe { (*info).si_code } == libc::SI_TKILL {
        let _ = raw_syscall(libc::SYS_rt_tgsigqueueinfo, [pid, tid, sig as u64, info as u64, 0, 0]);
    } else {
        let _ = raw_syscall(libc::SYS_rt_sigqueueinfo, [pid, sig as u64, info as u64, 0, 0, 0]);
    }
}

/// A fault of the CPU: in a guarded copy of guest memory, in translated code, or (a bug) in the emulator.
unsafe fn fault(slots: &HostSlots, sig: i32, info: *const libc::siginfo_t, uc: *mut libc::ucontext_t) {
    // SAFETY: the kernel's frame.
    let pc = unsafe { (*uc).uc_mcontext.gregs[GREG_RIP] } as u64;
    if let Some(fixup) = crate::sys::uaccess::fixup(pc) {
        // SAFETY: as above.
        unsafe { (*uc).uc_mcontext.gregs[GREG_RIP] = fixup as i64 };
        return;
    }
    if let Some(recover) = slots.recover.get() {
        let engine = slots.recover_context.load(Ordering::Relaxed);
        let cpu = slots.recover_cpu.load(Ordering::Relaxed);
        // SAFETY: bound by `HostSlots::bind`.
        if unsafe { recover(engine, cpu, uc, sig, info) } {
            return;
        }
    }
    die_of_own_fault(sig, info, uc);
}

/// Our own bug: say where, and let the fault happen again under the default action.
fn die_of_own_fault(sig: i32, info: *const libc::siginfo_t, uc: *mut libc::ucontext_t) {
    let mut line = Line { bytes: [0; 192], len: 0 };
    // SAFETY: the kernel's arguments.
    let (pc, addr) = unsafe { ((*uc).uc_mcontext.gregs[GREG_RIP] as u64, (*info).si_addr() as u64) };
    line.text(b"omnirun: internal error: host signal ");
    line.hex(sig as u64);
    line.text(b" at host pc ");
    line.hex(pc);
    line.text(b" (image+");
    line.hex(pc.wrapping_sub(image_base()));
    line.text(b"), address ");
    line.hex(addr);
    line.text(b"\n");
    let _ = raw_syscall(libc::SYS_write, [2, line.bytes.as_ptr() as u64, line.len as u64, 0, 0, 0]);
    let _ = host_sigaction(sig, Some(&KSigaction::default()));
}

/// Where the emulator's own image begins.
pub fn image_base() -> u64 {
    unsafe extern "C" {
        static __executable_start: u8;
    }
    &raw const __executable_start as u64
}

/// A line built without allocation.
struct Line {
    bytes: [u8; 192],
    len: usize,
}

impl Line {
    fn text(&mut self, text: &[u8]) {
        for &byte in text {
            if self.len < self.bytes.len() {
                self.bytes[self.len] = byte;
                self.len += 1;
            }
        }
    }

    fn hex(&mut self, value: u64) {
        self.text(b"0x");
        let digits = (64 - value.leading_zeros()).div_ceil(4).max(1);
        for index in (0..digits).rev() {
            self.text(&[b"0123456789abcdef"[(value >> (index * 4) & 15) as usize]]);
        }
    }
}

/// Host stack for the handlers of one thread: translated code's rsp is no stack to push on.
pub struct HostAltStack {
    base: u64,
}

const ALT_GUARD: u64 = 4096;
const ALT_SIZE: u64 = 128 * 1024;

impl HostAltStack {
    /// Maps a stack with a guard page and makes it the calling thread's.
    pub fn install() -> Result<HostAltStack, Errno> {
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as u64;
        let prot = (libc::PROT_READ | libc::PROT_WRITE) as u64;
        let base = raw_syscall(libc::SYS_mmap, [0, ALT_GUARD + ALT_SIZE, prot, flags, u64::MAX, 0])?;
        raw_syscall(libc::SYS_mprotect, [base, ALT_GUARD, libc::PROT_NONE as u64, 0, 0, 0])?;
        let stack = HostAltStack { base };
        stack.activate()?;
        Ok(stack)
    }

    /// Makes the stack the calling thread's (again).
    pub fn activate(&self) -> SysResult {
        let stack = libc::stack_t {
            ss_sp: (self.base + ALT_GUARD) as *mut libc::c_void,
            ss_flags: 0,
            ss_size: ALT_SIZE as usize,
        };
        raw_syscall(libc::SYS_sigaltstack, [&raw const stack as u64, 0, 0, 0, 0, 0])
    }
}

impl Drop for HostAltStack {
    fn drop(&mut self) {
        let off = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        // The mask keeps the handlers off the stack while it goes.
        let old = set_mask(ALL_SIGNALS);
        let _ = raw_syscall(libc::SYS_sigaltstack, [&raw const off as u64, 0, 0, 0, 0, 0]);
        let _ = raw_syscall(libc::SYS_munmap, [self.base, ALT_GUARD + ALT_SIZE, 0, 0, 0, 0]);
        set_mask(old);
    }
}

/// Ends the process by `sig` as its default action does, so that the wait status and the core flag are the kernel's.
pub fn die_by_signal(sig: i32) -> ! {
    set_mask(ALL_SIGNALS);
    let _ = host_sigaction(sig, Some(&KSigaction::default()));
    let pid = std::process::id() as u64;
    let tid = raw_syscall(libc::SYS_gettid, [0; 6]).unwrap_or(pid);
    let _ = raw_syscall(libc::SYS_tgkill, [pid, tid, sig as u64, 0, 0, 0]);
    set_mask(!bit(sig));
    // Only an init process, which signals of its own do not kill, comes here.
    let _ = raw_syscall(libc::SYS_exit_group, [128 + sig as u64, 0, 0, 0, 0, 0]);
    unreachable!("exit_group returned")
}

/// Waits in `rt_sigsuspend` under the host form of a guest mask.
pub fn host_sigsuspend(guest_mask: u64) -> SysResult {
    let mask = host_mask(guest_mask);
    safe_syscall(libc::SYS_rt_sigsuspend, [&raw const mask as u64, 8, 0, 0, 0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe fn no_recovery(
        _: *const (),
        _: *mut (),
        _: *mut libc::ucontext_t,
        _: i32,
        _: *const libc::siginfo_t,
    ) -> bool {
        false
    }

    fn gettid() -> u64 {
        raw_syscall(libc::SYS_gettid, [0; 6]).unwrap()
    }

    /// Sends a signal to this thread once it sleeps in the kernel.
    fn interrupt_later(sig: i32) -> std::thread::JoinHandle<()> {
        let (pid, tid) = (u64::from(std::process::id()), gettid());
        std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(30));
            raw_syscall(libc::SYS_tgkill, [pid, tid, sig as u64, 0, 0, 0]).unwrap();
        })
    }

    #[test]
    fn interrupted_calls_say_how_they_continue() {
        let poll = AtomicU32::new(0);
        let slots = HostSlots::default();
        let stack = HostAltStack::install().unwrap();
        let sig = libc::SIGUSR1;
        host_sigaction(sig, Some(&recording_action(0))).unwrap();
        // SAFETY: poll and slots outlive the attachment, which ends below.
        let old = unsafe {
            slots.bind(&raw const poll, no_recovery, std::ptr::null(), std::ptr::null_mut());
            attach(&raw const slots)
        };
        let mut pipe = [0i32; 2];
        raw_syscall(libc::SYS_pipe2, [pipe.as_mut_ptr() as u64, 0, 0, 0, 0, 0]).unwrap();
        let mut byte = 0u8;
        let read = [pipe[0] as u64, &raw mut byte as u64, 1, 0, 0, 0];

        let sender = interrupt_later(sig);
        assert_eq!(
            safe_syscall(libc::SYS_read, read),
            Err(Errno::ERESTARTSYS),
            "the kernel would restart it"
        );
        sender.join().unwrap();
        assert_eq!(slots.recorded(), bit(sig));
        assert_eq!(set_mask(ALL_ASYNC) & bit(sig), bit(sig), "a recorded signal is blocked");
        assert_eq!(safe_syscall(libc::SYS_read, read), Err(Errno::ERESTARTNOINTR), "not begun");
        assert!(slots.take(0).is_some());
        poll.store(0, Ordering::SeqCst);
        set_mask(0);

        let sender = interrupt_later(sig);
        let time = [5u64, 0];
        let sleep = [time.as_ptr() as u64, 0, 0, 0, 0, 0];
        assert_eq!(
            safe_syscall(libc::SYS_nanosleep, sleep),
            Err(Errno::EINTR),
            "not restarted behind a handler"
        );
        sender.join().unwrap();
        assert!(slots.take(0).is_some());
        poll.store(0, Ordering::SeqCst);

        // SAFETY: puts the former slots back.
        unsafe { attach(old) };
        host_sigaction(sig, Some(&KSigaction::default())).unwrap();
        set_mask(0);
        drop(stack);
    }
}
