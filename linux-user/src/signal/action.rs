//! Signal actions (`SigHand`) and what the host is told of them.
//!
//! Input: the guest's `sigaction`; output: the guest's table and the host's disposition, which agree so that the kernel
//! itself discards ignored signals, ends the process by default and keeps SA_NOCLDWAIT's promise.

use crate::errno::Errno;
use crate::host_signal::{self, ALL_ASYNC, KSigaction, NSIG, SYNC_MASK, bit};
use crate::task::lock;
use engine::robust::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// `sa_flags` bits (the same on all our guests but MIPS, whose table converts them).
pub mod sa {
    /// Children that stop send no SIGCHLD.
    pub const NOCLDSTOP: u64 = 1;
    /// Children leave no zombie.
    pub const NOCLDWAIT: u64 = 2;
    /// The handler takes siginfo and context.
    pub const SIGINFO: u64 = 4;
    /// `sa_restorer` is valid.
    pub const RESTORER: u64 = 0x0400_0000;
    /// Run on the alternate stack.
    pub const ONSTACK: u64 = 0x0800_0000;
    /// Restart interrupted calls.
    pub const RESTART: u64 = 0x1000_0000;
    /// Do not block the signal itself.
    pub const NODEFER: u64 = 0x4000_0000;
    /// Back to the default when delivered.
    pub const RESETHAND: u64 = 0x8000_0000;
    /// Probing for flag support is understood (the bit itself is always cleared).
    pub const UNSUPPORTED: u64 = 0x400;
    /// Tag bits of a fault address are kept.
    pub const EXPOSE_TAGBITS: u64 = 0x800;
    /// All that a kernel knows; others are cleared on return.
    pub const KNOWN: u64 =
        NOCLDSTOP | NOCLDWAIT | SIGINFO | RESTORER | ONSTACK | RESTART | NODEFER | RESETHAND | EXPOSE_TAGBITS;
}

/// The guest's action for one signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SigAction {
    /// 0 = default, 1 = ignore, else the handler's address.
    pub handler: u64,
    /// `SA_*` of [`sa`].
    pub flags: u64,
    /// Return trampoline with SA_RESTORER.
    pub restorer: u64,
    /// Blocked while the handler runs.
    pub mask: u64,
}

/// `SIG_DFL`.
pub const SIG_DFL: u64 = 0;
/// `SIG_IGN`.
pub const SIG_IGN: u64 = 1;

/// What a delivered signal does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DefaultAction {
    /// Nothing (also SIGCONT once it has continued the process, which the host kernel does).
    Ignore,
    /// The process stops.
    Stop,
    /// The process ends, perhaps with a core file.
    Terminate,
}

/// The default action of a signal.
pub fn default_action(sig: i32) -> DefaultAction {
    match sig {
        libc::SIGCHLD | libc::SIGURG | libc::SIGWINCH | libc::SIGCONT => DefaultAction::Ignore,
        libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU => DefaultAction::Stop,
        _ => DefaultAction::Terminate,
    }
}

/// The guest's actions.
#[derive(Clone)]
struct Table {
    actions: [SigAction; NSIG],
    /// Those that are still as this process inherited them, default or ignored, and only the host knows which: to ask for
    /// all of them costs as many calls as all else that starts a small program.
    inherited: u64,
}

impl Table {
    fn of(&mut self, sig: i32) -> &mut SigAction {
        let action = &mut self.actions[sig as usize - 1];
        if self.inherited & bit(sig) != 0 {
            self.inherited &= !bit(sig);
            if host_signal::host_sigaction(sig, None).is_ok_and(|old| old.handler == SIG_IGN) {
                action.handler = SIG_IGN;
            }
        }
        action
    }
}

/// Signal actions of a group of tasks (CLONE_SIGHAND).
pub struct SigHand {
    table: Mutex<Table>,
}

impl SigHand {
    /// All default but what this process inherited as ignored. `ignored`: the CPU's signals of which that is known,
    /// because they have host handlers already.
    pub fn inherited(ignored: u64) -> SigHand {
        let mut actions = [SigAction::default(); NSIG];
        for (index, action) in actions.iter_mut().enumerate() {
            if ignored >> index & 1 != 0 {
                action.handler = SIG_IGN;
            }
        }
        SigHand { table: Mutex::new(Table { actions, inherited: !SYNC_MASK }) }
    }

    /// A private copy, for a child without CLONE_SIGHAND.
    pub fn duplicate(&self) -> SigHand {
        SigHand { table: Mutex::new(lock(&self.table).clone()) }
    }

    /// The table held still, so that a fork copies it whole.
    pub fn freeze(&self) -> impl Drop + '_ {
        lock(&self.table)
    }

    /// The action of `sig` (1 to 64).
    pub fn get(&self, sig: i32) -> SigAction {
        *lock(&self.table).of(sig)
    }

    /// Sets the action of `sig` and tells the host; returns the former one.
    pub fn set(&self, sig: i32, mut action: SigAction) -> Result<SigAction, Errno> {
        action.flags &= sa::KNOWN;
        action.mask &= !(bit(libc::SIGKILL) | bit(libc::SIGSTOP));
        let mut table = lock(&self.table);
        let former = table.of(sig);
        tell_host(sig, &action)?;
        Ok(std::mem::replace(former, action))
    }

    /// What the kernel does when a handler with SA_RESETHAND is entered.
    pub fn reset(&self, sig: i32) {
        let mut table = lock(&self.table);
        let action = table.of(sig);
        action.handler = SIG_DFL;
        // One that is already recorded finds the guest's table, which now says default.
        let _ = tell_host(sig, action);
    }

    /// CLONE_CLEAR_SIGHAND: handlers become default, ignored stays.
    pub fn clear_handlers(&self) {
        let mut table = lock(&self.table);
        for (index, action) in table.actions.iter_mut().enumerate() {
            if action.handler > SIG_IGN {
                *action = SigAction::default();
                let _ = tell_host(index as i32 + 1, action);
            }
        }
    }

    /// The CPU's signals always have our handler; before an exec the ignored ones must be the host's again.
    pub fn before_exec(&self) {
        self.each_ignored_sync(|sig| {
            let _ = host_signal::host_sigaction(
                sig,
                Some(&KSigaction { handler: SIG_IGN, ..KSigaction::default() }),
            );
        });
    }

    /// Undoes [`SigHand::before_exec`] when the exec failed.
    pub fn exec_failed(&self) {
        self.each_ignored_sync(|sig| {
            let _ = host_signal::host_sigaction(sig, Some(&host_signal::recording_action(0)));
        });
    }

    fn each_ignored_sync(&self, act: impl Fn(i32)) {
        let mut table = lock(&self.table);
        for sig in 1..=NSIG as i32 {
            if (SYNC_MASK | CAUGHT.load(Ordering::Relaxed)) & bit(sig) != 0
                && table.of(sig).handler == SIG_IGN
            {
                act(sig);
            }
        }
    }

    /// Sets which signals come to us even if their action is default or ignore, and tells the host of those that change.
    pub fn catch(&self, set: u64) {
        let mut table = lock(&self.table);
        let former = caught();
        for sig in (1..=NSIG as i32).filter(|sig| (former ^ set) & bit(*sig) != 0) {
            let action = *table.of(sig);
            // What the host has now is not what was inherited, so it was asked for first.
            CAUGHT.store(CAUGHT.load(Ordering::Relaxed) ^ bit(sig), Ordering::Relaxed);
            if action.handler <= SIG_IGN {
                let _ = tell_host(sig, &action);
            }
        }
    }
}

/// Signals that come to us whatever their action: those that write a core file while one is wanted, and all of a traced
/// process.
static CAUGHT: AtomicU64 = AtomicU64::new(0);

/// The set that [`SigHand::catch`] gave.
pub fn caught() -> u64 {
    CAUGHT.load(Ordering::Relaxed)
}

fn tell_host(sig: i32, action: &SigAction) -> Result<(), Errno> {
    if SYNC_MASK & bit(sig) != 0 {
        return Ok(());
    }
    let child_flags = action.flags & (sa::NOCLDSTOP | sa::NOCLDWAIT);
    let host = match action.handler {
        SIG_DFL | SIG_IGN if caught() & bit(sig) == 0 || matches!(sig, libc::SIGKILL | libc::SIGSTOP) => {
            KSigaction { handler: action.handler, flags: child_flags, restorer: 0, mask: ALL_ASYNC }
        }
        _ => host_signal::recording_action(child_flags),
    };
    host_signal::host_sigaction(sig, Some(&host)).map(|_| ())
}
