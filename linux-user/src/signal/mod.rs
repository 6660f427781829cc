//! Signals: recorded by the host handler, delivered here with exact guest state.
//!
//! Input: what [`HostSlots`](crate::host_signal::HostSlots) holds, or a fault; output: a frame on the guest's stack, the
//! default action, or nothing.
//!
//! Invariants:
//! 1. While a guest thread runs guest code or a blocking call, its host mask is the guest's blocked mask without the
//!    CPU's signals ([`SYNC_MASK`](crate::host_signal::SYNC_MASK)). So the host kernel keeps the queues: what is pending,
//!    in which order, for which thread; `sigpending`, `sigtimedwait`, `signalfd` and process-wide delivery are its own.
//! 2. The host handler only records the signal and leaves with it blocked on the host as well. Hence its slot is empty
//!    whenever the handler can run for it again; but for a signal that a thread raised itself (`raise`), which merges.
//! 3. The host mask is opened only by [`sync_mask`], through the race-free window: if a signal is recorded meanwhile it
//!    does not happen. A recorded signal stays closed, so entering a handler mostly needs no call at all.
//! 4. The poll word is cleared before the slots are looked at, never after.
//! 5. A recorded signal that the guest has come to block is given back to the host kernel, not delivered.
//! 6. Dispositions default and ignore of asynchronous signals are the host's too: the kernel stops, continues, ends the
//!    process and gives the wait status. The CPU's signals always have our handler.
//! 7. A call interrupted before it began returns 513 and is always executed again; one that the kernel would restart
//!    returns 512 and the guest's SA_RESTART decides; EINTR is the guest's (`sys/safe_syscall.rs`), but for the calls that the
//!    kernel executes again unless a handler runs (514): what interrupted them may be no signal of the guest's.
//! 8. Faults deliver at once, from the run loop's exit with exact state. If the guest blocks or ignores the signal, the
//!    process dies by it.
//! 9. The saved mask of `sigsuspend` and `ppoll` is put back when delivery is over, or goes into the first frame.
//! 10. Handlers run on the host's alternate stack: translated code's stack pointer is a return-prediction stack.
//! 11. Lock order: `Process::threads`, `SigHand`, then nothing; no lock is held while a frame is written.

mod action;
mod info;
mod old;
mod syscalls;

pub use action::{DefaultAction, SIG_DFL, SIG_IGN, SigAction, SigHand, caught, default_action, sa};
pub use info::{SigInfo, code};
pub use old::*;
pub use syscalls::*;

use crate::cpu::CpuState;
use crate::errno::{Errno, SysResult};
use crate::host_signal::{self, bit, host_mask};
use crate::mm::Mm;
use crate::sys::raw_syscall;
use crate::task::Task;
use engine::Engine;

/// `sigaltstack` state. The default is "none".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AltStack {
    /// Lowest address.
    pub sp: u64,
    /// Bytes; zero means disabled.
    pub size: u64,
    /// As last set: mode and SS_AUTODISARM.
    pub flags: u32,
}

impl Default for AltStack {
    fn default() -> AltStack {
        AltStack { sp: 0, size: 0, flags: ss::DISABLE }
    }
}

/// `ss_flags` values.
pub mod ss {
    /// The thread is on the stack.
    pub const ONSTACK: u32 = 1;
    /// There is no stack.
    pub const DISABLE: u32 = 2;
    /// Forget the stack while a handler is on it.
    pub const AUTODISARM: u32 = 1 << 31;
}

impl AltStack {
    /// True if `sp` lies on the stack (never with SS_AUTODISARM, as in the kernel's `on_sig_stack`).
    pub fn contains(&self, sp: u64) -> bool {
        self.flags & ss::AUTODISARM == 0 && sp > self.sp && sp - self.sp <= self.size
    }

    /// `ss_flags` as `sigaltstack` reports it.
    pub fn state(&self, sp: u64) -> u32 {
        if self.size == 0 {
            ss::DISABLE
        } else if self.contains(sp) {
            ss::ONSTACK
        } else {
            0
        }
    }
}

/// The last fault of a thread, which stays in its signal frames (`thread.fault_address`, `thread.fault_code`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FaultState {
    /// Faulting address.
    pub address: u64,
    /// Architecture's syndrome; zero means none.
    pub code: u64,
}

/// A memory fault, for the architecture's syndrome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FaultAt {
    /// Faulting address.
    pub address: u64,
    /// It was a write, as far as can be told: of what cannot be read, the read is told.
    pub write: bool,
    /// What the host's CPU says of that, if it found the fault.
    pub host_write: Option<bool>,
    /// It was an instruction fetch.
    pub fetch: bool,
    /// The signal.
    pub sig: i32,
    /// Its code.
    pub code: i32,
    /// The host's CPU could not even look for a page: the address is none.
    pub wild: bool,
}

/// What a trap of the CPU comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trap {
    /// A signal, at once.
    Signal(SigInfo),
    /// The same, and what stays of it in the thread's [`FaultState::code`].
    Exception(SigInfo, u64),
    /// A system call, perhaps of another ABI than the program's; PC is behind it.
    Call {
        /// The ABI.
        abi: syscall_tables::Arch,
        /// Its number there.
        number: u64,
        /// Its arguments.
        args: [u64; 6],
    },
    /// The instruction at PC must be executed by the interpreter.
    Step,
    /// Done; go on at PC.
    Done,
}

/// What a frame is built from.
pub struct Frame<'a> {
    /// The signal.
    pub sig: i32,
    /// Its information.
    pub info: &'a SigInfo,
    /// The action that was chosen.
    pub action: SigAction,
    /// Mask that sigreturn restores.
    pub old_mask: u64,
    /// Alternate stack as saved in the frame.
    pub altstack: AltStack,
    /// Where the frame ends: current stack pointer or top of the alternate stack.
    pub sp: u64,
    /// Last fault.
    pub fault: FaultState,
    /// The signal is of that fault.
    pub forced: bool,
}

/// What `sigreturn` gives back besides registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restored {
    /// Blocked mask.
    pub mask: u64,
    /// Alternate stack; none: the frame does not say.
    pub altstack: Option<AltStack>,
}

/// A frame could not be written or read, or is not one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadFrame;

/// What signals need of a guest architecture.
pub trait SignalArch {
    /// Writes the frame and makes the CPU enter the handler.
    fn push_frame(
        &self,
        engine: &Engine,
        cpu: &mut CpuState,
        mm: &Mm,
        frame: &Frame<'_>,
    ) -> Result<(), BadFrame>;
    /// Reads the frame at the stack pointer and sets all registers from it. `rt` says which form of it was asked for, on
    /// architectures that have two.
    fn pop_frame(&self, engine: &Engine, cpu: &mut CpuState, mm: &Mm, rt: bool)
    -> Result<Restored, BadFrame>;
    /// Stack pointer.
    fn stack_pointer(&self, cpu: &CpuState) -> u64;
    /// Ends an interrupted call: EINTR as its result, PC behind it.
    fn finish_interrupted(&self, cpu: &mut CpuState, next_pc: u64);
    /// What a memory fault comes to, and the thread's fault state after it; `old` is the one before.
    fn fault(&self, mm: &Mm, cpu: &CpuState, old: FaultState, fault: &FaultAt) -> (SigInfo, FaultState) {
        let _ = (mm, cpu, old);
        let state = FaultState { address: fault.address, code: 0 };
        (SigInfo::fault(fault.sig, fault.code, fault.address), state)
    }
    /// What it means that there is no code at PC; none: a fault.
    fn fetch_trap(&self, mm: &Mm, cpu: &mut CpuState) -> Option<Trap> {
        let _ = (mm, cpu);
        None
    }
    /// What a trap means.
    fn trap(&self, engine: &Engine, mm: &Mm, cpu: &mut CpuState, kind: ir::TrapKind, info: u64) -> Trap {
        let _ = (engine, mm);
        let pc = cpu.pc();
        let (sig, code, addr) = match kind {
            ir::TrapKind::Illegal if info == ir::ILLEGAL_OPERAND => (libc::SIGILL, code::ILL_ILLOPN, pc),
            ir::TrapKind::Illegal | ir::TrapKind::Service => (libc::SIGILL, code::ILL_ILLOPC, pc),
            ir::TrapKind::Break => (libc::SIGTRAP, code::TRAP_BRKPT, pc),
            ir::TrapKind::Arithmetic => (libc::SIGFPE, code::FPE_INTDIV, pc),
            ir::TrapKind::PcAlign => (libc::SIGBUS, code::BUS_ADRALN, pc),
            ir::TrapKind::SpAlign => (libc::SIGBUS, code::BUS_ADRALN, self.stack_pointer(cpu)),
            ir::TrapKind::Fetch => (libc::SIGSEGV, code::SEGV_MAPERR, pc),
            ir::TrapKind::Yield => return Trap::Step,
        };
        Trap::Signal(SigInfo::fault(sig, code, addr))
    }
    /// Writes a siginfo for a system call. The default is the host's layout, which 64-bit little-endian guests share.
    fn write_siginfo(&self, mm: &Mm, addr: u64, info: &SigInfo) -> Result<(), Errno> {
        mm.mem().copy_out(addr, &info.raw)
    }
    /// Reads one.
    fn read_siginfo(&self, mm: &Mm, addr: u64) -> Result<SigInfo, Errno> {
        let mut info = SigInfo { raw: [0; host_signal::SIGINFO_SIZE] };
        mm.mem().copy_in(addr, &mut info.raw)?;
        Ok(info)
    }
    /// Whether `struct sigaction` has the restorer's word.
    fn sigaction_has_restorer(&self) -> bool {
        true
    }

    /// Which argument of the old `sigsuspend` is the set.
    fn old_sigsuspend_set(&self) -> usize {
        2
    }
    /// MINSIGSTKSZ.
    fn minimum_altstack(&self) -> u64 {
        2048
    }
    /// `clone`'s arguments as flags, stack, parent's tid word, child's tid word, thread pointer. Most architectures
    /// pass the thread pointer fourth.
    fn clone_args(&self, a: &[u64; 6]) -> [u64; 5] {
        [a[0], a[1], a[2], a[4], a[3]]
    }
    /// `prctl` options of this architecture; others are EINVAL.
    fn prctl(&self, cpu: &mut CpuState, option: i32, args: [u64; 4]) -> SysResult {
        let _ = (cpu, option, args);
        Err(Errno::EINVAL)
    }
}

/// Delivers what is recorded and brings the host mask in line. Called by the run loop at [`Exit::Poll`] and after calls
/// (when [`wanted`]).
///
/// [`Exit::Poll`]: engine::Exit
pub fn deliver(task: &mut Task) {
    loop {
        task.cpu.clear_poll();
        crate::process::core_file::attend(task);
        crate::trace::attend(task);
        crate::seccomp::attend(task);
        while let Some(raw) = task.slots.take(task.blocked) {
            task.mask_stale = true;
            deliver_one(task, &SigInfo::from_raw(raw));
        }
        if let Some(mask) = task.saved_mask.take() {
            task.note_blocked(mask);
            continue;
        }
        while let Some(raw) = task.slots.take_of(task.blocked & host_signal::ALL_ASYNC) {
            requeue(task, &SigInfo::from_raw(raw));
        }
        if sync_mask(task) {
            break;
        }
    }
    task.restart = None;
}

/// True if [`deliver`] has something to do after a system call.
pub fn wanted(task: &Task) -> bool {
    task.mask_stale || task.saved_mask.is_some() || task.restart.is_some() || task.cpu.poll_requested()
}

/// Makes the host mask follow the guest's; false if a signal was recorded meanwhile (invariant 3).
pub fn sync_mask(task: &mut Task) -> bool {
    if !task.mask_stale {
        return true;
    }
    // The poll word may be set for other reasons than signals: then there is nothing to lose.
    match task.slots.open(task.blocked) {
        Ok(()) => {
            task.mask_stale = false;
            let more = task.slots.deliverable(task.blocked);
            if more {
                // One of the CPU's, recorded while the guest blocked it: the caller may not deliver itself.
                task.slots.kick();
            }
            !more
        }
        Err(_) => false,
    }
}

fn deliver_one(task: &mut Task, info: &SigInfo) {
    let sig = info.signo();
    if task.blocked & bit(sig) != 0 {
        requeue(task, info);
        return;
    }
    if !crate::gdb::signal(task, sig, &info.raw) {
        return;
    }
    if sig == libc::SIGCHLD && crate::trace::tracer::own_business(task, info) {
        return;
    }
    if let Some(info) = crate::trace::signal(task, info) {
        act(task, &info);
    }
}

/// A signal takes its action.
pub fn act(task: &mut Task, info: &SigInfo) {
    let sig = info.signo();
    let action = task.sighand.get(sig);
    if action.handler != SIG_IGN {
        crate::strace::delivered(task.tid, info);
    }
    match action.handler {
        SIG_IGN => {}
        SIG_DFL => match default_action(sig) {
            DefaultAction::Ignore => {}
            DefaultAction::Stop if crate::trace::active(task) => {
                // To this thread, which lets it pass.
                crate::trace::passes(task, libc::SIGSTOP);
                let args = [task.process.pid() as u64, task.tid as u64, libc::SIGSTOP as u64, 0, 0, 0];
                let _ = raw_syscall(libc::SYS_tgkill, args);
            }
            DefaultAction::Stop => {
                let pid = task.process.pid() as u64;
                let _ = raw_syscall(libc::SYS_kill, [pid, libc::SIGSTOP as u64, 0, 0, 0, 0]);
            }
            DefaultAction::Terminate => terminate(task, info),
        },
        _ => enter_handler(task, info, action, false),
    }
}

/// Gives a signal back to the host kernel; it is blocked on this thread now (invariant 2).
fn requeue(task: &Task, info: &SigInfo) {
    let args =
        [task.process.pid() as u64, task.tid as u64, info.signo() as u64, info.raw.as_ptr() as u64, 0, 0];
    let _ = raw_syscall(libc::SYS_rt_tgsigqueueinfo, args);
}

fn enter_handler(task: &mut Task, info: &SigInfo, action: SigAction, forced: bool) {
    let arch = task.arch;
    let sig = info.signo();
    if action.flags & sa::RESETHAND != 0 {
        task.sighand.reset(sig);
    }
    if let Some((errno, next_pc)) = task.restart.take() {
        let again = match errno {
            Errno::ERESTARTNOINTR => true,
            Errno::ERESTARTSYS => action.flags & sa::RESTART != 0,
            _ => false,
        };
        if !again {
            arch.finish_interrupted(&mut task.cpu, next_pc);
        }
    }
    task.sleep = None;
    let current_sp = arch.stack_pointer(&task.cpu);
    let use_alt = action.flags & sa::ONSTACK != 0 && task.altstack.state(current_sp) == 0;
    let sp = if use_alt { task.altstack.sp.wrapping_add(task.altstack.size) } else { current_sp };
    let old_mask = task.saved_mask.unwrap_or(task.blocked);
    let frame = Frame { sig, info, action, old_mask, altstack: task.altstack, sp, fault: task.fault, forced };
    // The kernel refuses a frame that would run off the lower end of the alternate stack it is on.
    let mut pushed = arch.push_frame(&task.engine, &mut task.cpu, &task.mm, &frame);
    if pushed.is_err() && task.mm.release_all_code() {
        pushed = arch.push_frame(&task.engine, &mut task.cpu, &task.mm, &frame);
    }
    match pushed {
        Ok(()) => {
            task.saved_mask = None;
            if task.altstack.flags & ss::AUTODISARM != 0 {
                task.altstack = AltStack::default();
            }
            let own = if action.flags & sa::NODEFER == 0 { bit(sig) } else { 0 };
            task.note_blocked(task.blocked | action.mask | own);
        }
        Err(BadFrame) => force_segv(task, sig),
    }
}

/// The kernel's `force_sigsegv`: a frame could not be made or read.
fn force_segv(task: &mut Task, failed: i32) {
    if failed == libc::SIGSEGV {
        terminate(task, &SigInfo::fault(libc::SIGSEGV, code::SI_KERNEL, 0));
    }
    force(task, &SigInfo::fault(libc::SIGSEGV, code::SI_KERNEL, 0));
}

/// Delivers a fault (invariant 8). The CPU's state is exact, its PC at the faulting instruction.
pub fn force(task: &mut Task, info: &SigInfo) {
    let sig = info.signo();
    if !crate::gdb::signal(task, sig, &info.raw) {
        return;
    }
    let Some(info) = crate::trace::signal(task, info) else { return };
    let (info, sig) = (&info, info.signo());
    crate::strace::delivered(task.tid, info);
    let action = task.sighand.get(sig);
    task.restart = None;
    if task.blocked & bit(sig) != 0 || action.handler <= SIG_IGN {
        terminate(task, info);
    }
    task.mask_stale = true;
    enter_handler(task, info, action, true);
}

/// Ends the process by a signal's default action.
pub fn terminate(task: &mut Task, info: &SigInfo) -> ! {
    let sig = info.signo();
    crate::strace::killed(sig);
    crate::process::exit::flush();
    crate::process::core_file::write(task, info);
    crate::gdb::dying(sig);
    crate::trace::exiting(task, sig);
    crate::trace::passes(task, sig);
    crate::process::exit::release_locks(task);
    host_signal::die_by_signal(sig)
}

/// `rt_sigreturn`, or the old `sigreturn`: all registers and the mask from the frame; a bad one is SIGSEGV.
pub fn sigreturn(task: &mut Task, rt: bool) -> SysResult {
    let arch = task.arch;
    match arch.pop_frame(&task.engine, &mut task.cpu, &task.mm, rt) {
        Ok(restored) => {
            task.note_blocked(restored.mask);
            task.mask_stale = true;
            // As the kernel, ignore what cannot be set.
            let sp = arch.stack_pointer(&task.cpu);
            if let Some(altstack) = restored.altstack {
                let _ = set_altstack(task, altstack, sp, 0);
            }
        }
        Err(BadFrame) => {
            let sp = arch.stack_pointer(&task.cpu);
            let code = task.mm.fault_code(sp);
            force(task, &SigInfo::fault(libc::SIGSEGV, code, sp));
        }
    }
    Err(Errno::ESIGRETURN)
}

/// The kernel's `do_sigaltstack`; `min` is the architecture's MINSIGSTKSZ (zero from sigreturn).
pub fn set_altstack(task: &mut Task, new: AltStack, sp: u64, min: u64) -> Result<(), Errno> {
    if task.altstack.contains(sp) {
        return Err(Errno::EPERM);
    }
    let mode = new.flags & !ss::AUTODISARM;
    if mode != ss::DISABLE && mode != ss::ONSTACK && mode != 0 {
        return Err(Errno::EINVAL);
    }
    task.altstack = if mode == ss::DISABLE {
        AltStack { flags: new.flags, ..AltStack::default() }
    } else {
        if new.size < min {
            return Err(Errno::ENOMEM);
        }
        new
    };
    Ok(())
}

/// Runs a blocking call that takes a temporary mask (ppoll, pselect6, epoll_pwait): `call` gets the host's form of it,
/// or nothing if the guest gave none. The guest's mask is put back, or framed, by delivery (invariant 9).
pub fn with_temporary_mask(
    task: &mut Task,
    mask: Option<u64>,
    call: impl FnOnce(&mut Task, Option<u64>) -> SysResult,
) -> SysResult {
    let Some(mask) = mask else { return call(task, None) };
    let kept = task.blocked;
    // The CPU's signals are masked on the host by nobody; ours alone is the mask that says whether one may be taken.
    task.slots.set_blocked(mask);
    let result = call(task, Some(host_mask(mask)));
    task.slots.set_blocked(kept);
    if result == Err(Errno::EINTR) {
        task.note_blocked(mask);
        task.saved_mask = Some(kept);
        task.mask_stale = true;
    }
    result
}
