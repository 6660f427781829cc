//! The end of threads and processes: `exit`, `exit_group`, and what the kernel's `exit_mm` and `mm_release` do for the
//! guest's robust futexes and its `clear_child_tid` word.

use crate::guest_mem::GuestMem;
use crate::host_signal;
use crate::signal::{SigInfo, code};
use crate::sys::raw_syscall;
use crate::task::Task;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

const FUTEX_WAKE: u64 = 1;
const FUTEX_WAITERS: u32 = 0x8000_0000;
const FUTEX_OWNER_DIED: u32 = 0x4000_0000;
const FUTEX_TID_MASK: u32 = 0x3fff_ffff;
/// The kernel's bound on the length of a robust list.
const ROBUST_LIST_LIMIT: usize = 2048;

static AT_END: OnceLock<fn()> = OnceLock::new();

/// Sets what is done before the process ends in whatever way, or execs: logs reach their files. Once.
pub fn at_end(act: fn()) {
    let _ = AT_END.set(act);
}

/// Does it.
pub fn flush() {
    if let Some(act) = AT_END.get() {
        act();
    }
}

/// `exit_group`: the host kernel ends all threads.
pub fn exit_group(code: i32) -> ! {
    flush();
    crate::gdb::exiting(code);
    let _ = raw_syscall(libc::SYS_exit_group, [code as u64, 0, 0, 0, 0, 0]);
    unreachable!("exit_group returned")
}

/// The guest-visible end of a thread. Afterwards no guest code of this thread may run.
///
/// The first thread and vfork children never return from here; others return and let their host thread end. The last
/// thread of the process ends it with the first thread's code, whatever host threads the emulator has besides.
pub fn leave_thread(task: &mut Task, status: i32) {
    crate::trace::exiting(task, (status & 0xff) << 8);
    let leader = task.tid == task.process.pid();
    if leader {
        task.process.leader_exit.store(status, Ordering::Release);
    }
    let last = task.process.remove_thread(task.tid);
    if task.vforked {
        release(task);
    }
    if last || task.vforked {
        exit_group(task.process.leader_exit.load(Ordering::Acquire));
    }
    host_signal::set_mask(host_signal::ALL_ASYNC);
    pass_on(task);
    release(task);
    if leader {
        // The others go on; the process stays visible until the last of them leaves.
        let _ = raw_syscall(libc::SYS_exit, [status as u64, 0, 0, 0, 0, 0]);
    }
}

/// A signal that came for the process but was recorded by this thread goes to another one.
fn pass_on(task: &Task) {
    while let Some(raw) = task.slots.take_of(host_signal::ALL_SIGNALS) {
        let info = SigInfo::from_raw(raw);
        if info.code() != code::SI_TKILL {
            let args = [task.process.pid() as u64, info.signo() as u64, raw.as_ptr() as u64, 0, 0, 0];
            let _ = raw_syscall(libc::SYS_rt_sigqueueinfo, args);
        }
    }
}

/// What a thread leaves behind in memory that others go on to use (the kernel's `mm_release`).
pub fn release(task: &Task) {
    // Ours is done here, before a joiner can see the thread gone; the kernel must not do it again later.
    let _ = raw_syscall(libc::SYS_set_robust_list, [0, 24, 0, 0, 0, 0]);
    exit_robust_list(task);
    if task.clear_child_tid != 0 && task.mm.mem().write(task.clear_child_tid, &0u32).is_ok() {
        wake(task.mm.mem(), task.clear_child_tid);
    }
}

/// Whether the list has the host's own form, so that the kernel can read it when the thread is killed.
pub fn kernel_reads_list(task: &Task) -> bool {
    let (info, (head, _)) = (task.arch.abi().info(), task.robust_list);
    info.word == 8 && !info.big_endian && task.mm.mem().host_opt(head, 24) == Ok(head)
}

/// The process ends with this thread's call or signal: its futexes are marked if the kernel cannot do it.
pub fn release_locks(task: &Task) {
    if !kernel_reads_list(task) {
        exit_robust_list(task);
    }
}

/// Marks the robust futexes that the thread holds (the kernel's `exit_robust_list`).
fn exit_robust_list(task: &Task) {
    let (head, _) = task.robust_list;
    if head == 0 {
        return;
    }
    let mem = task.mm.mem();
    let info = task.arch.abi().info();
    let (word, swap) = (info.word as u64, info.big_endian);
    let read = |addr: u64| match word {
        8 => mem.read::<u64>(addr).map(|v| if swap { v.swap_bytes() } else { v }),
        _ => mem.read::<u32>(addr).map(|v| u64::from(if swap { v.swap_bytes() } else { v })),
    };
    // The offset is a signed long: addresses wrap at the guest's width.
    let at = |entry: u64, offset: u64| {
        let addr = (entry & !1).wrapping_add(offset);
        if word == 8 { addr } else { addr & 0xffff_ffff }
    };
    let Ok(offset) = read(head + word) else { return };
    let Ok(pending) = read(head + 2 * word) else { return };
    let Ok(mut entry) = read(head) else { return };
    for _ in 0..ROBUST_LIST_LIMIT {
        if entry & !1 == head {
            break;
        }
        // Read on before the futex is given away: its memory may then go.
        let next = read(entry & !1);
        if entry & !1 != pending & !1 {
            futex_death(mem, task.tid, at(entry, offset), swap, entry & 1 != 0, false);
        }
        let Ok(next) = next else { return };
        entry = next;
    }
    if pending & !1 != 0 {
        futex_death(mem, task.tid, at(pending, offset), swap, pending & 1 != 0, true);
    }
}

fn wake(mem: GuestMem, addr: u64) {
    if let Ok(word) = mem.host(addr, 4) {
        let _ = raw_syscall(libc::SYS_futex, [word, FUTEX_WAKE, 1, 0, 0, 0]);
    }
}

fn futex_death(mem: GuestMem, tid: i32, addr: u64, swap: bool, pi: bool, pending: bool) {
    if !addr.is_multiple_of(4) {
        return;
    }
    let turned = |v: u32| if swap { v.swap_bytes() } else { v };
    let Ok(mut value) = mem.read::<u32>(addr).map(turned) else { return };
    loop {
        if pending && !pi && value == 0 {
            // Released, but its waker died before it woke anyone.
            wake(mem, addr);
            return;
        }
        if value & FUTEX_TID_MASK != tid as u32 {
            return;
        }
        let new = value & FUTEX_WAITERS | FUTEX_OWNER_DIED;
        match mem.cas_u32(addr, turned(value), turned(new)).map(turned) {
            Ok(old) if old == value => break,
            Ok(old) => value = old,
            Err(_) => return,
        }
    }
    if !pi && value & FUTEX_WAITERS != 0 {
        wake(mem, addr);
    }
}
