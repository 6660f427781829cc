//! The tracer's side of `ptrace`: the calls of the guest, and waiting.
//!
//! Input: host stops of tracees; output: the guest's view of them. [`Tracers::classify`] says what a host stop means: either the guest
//! sees it, or it is the emulator's own business and the tracee goes on at once. It runs in the guest's waits and, when
//! SIGCHLD comes while the tracer does something else, at its run loop ([`service`]), so that a tracee does not hang in a
//! stop that nobody will ever wait for.

use super::{Block, RANGES, UNTRACED, action, event, kind};
use crate::arch::{Legacy, nt};
use crate::errno::{Errno, SysResult};
use crate::host_signal::{self, SIGINFO_SIZE, bit, request};
use crate::signal::SigInfo;
use crate::sys::{raw_syscall, safe_syscall};
use crate::syscall::SysCx;
use crate::task::{Task, lock};
use bytemuck::Zeroable;
use engine::robust::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use syscall_tables::{Ty, structs};

const WNOHANG: u64 = 1;
const WSTOPPED: u64 = 2;
const WEXITED: u64 = 4;
const WCONTINUED: u64 = 8;
const WNOWAIT: u64 = 0x0100_0000;
const WNOTHREAD: u64 = 0x2000_0000;
const WALL: u64 = 0x4000_0000;

/// Host requests.
mod host {
    pub const CONT: u64 = 7;
    pub const ATTACH: u64 = 16;
    pub const DETACH: u64 = 17;
    pub const SETOPTIONS: u64 = 0x4200;
    pub const GETEVENTMSG: u64 = 0x4201;
    pub const GETSIGINFO: u64 = 0x4202;
    pub const SETSIGINFO: u64 = 0x4203;
    pub const SEIZE: u64 = 0x4206;
    pub const INTERRUPT: u64 = 0x4207;
    pub const LISTEN: u64 = 0x4208;
}

/// Where a tracee is, as the guest knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Running,
    /// In a stop that it made itself.
    Own,
    /// In a raw stop of a clone event.
    Event,
    /// In a group stop.
    Group,
    /// PTRACE_LISTEN.
    Listening,
}

struct Tracee {
    tgid: i32,
    tracer: i32,
    seized: bool,
    options: u64,
    /// Where its block is.
    addr: u64,
    block: Box<Block>,
    at: At,
    /// What a wait will report (`si_status`), if it has not yet.
    report: Option<i32>,
    /// Host options are set.
    known: bool,
    /// Its SIGSTOP of ATTACH is to come.
    attaching: bool,
    /// PTRACE_INTERRUPT was asked for.
    interrupt: bool,
}

struct Tracers {
    tracees: BTreeMap<i32, Tracee>,
    /// Tasks that stopped before their parent's event was seen.
    early: BTreeSet<i32>,
    /// Tasks whose first host stop is expected; true: let go.
    born: BTreeMap<i32, bool>,
}

static ACTIVE: AtomicBool = AtomicBool::new(false);
static TRACERS: Mutex<Tracers> =
    Mutex::new(Tracers { tracees: BTreeMap::new(), early: BTreeSet::new(), born: BTreeMap::new() });

fn ptrace(what: u64, tid: i32, addr: u64, data: u64) -> SysResult {
    raw_syscall(libc::SYS_ptrace, [what, tid as u64, addr, data, 0, 0])
}

fn siginfo(tid: i32) -> Result<[u8; SIGINFO_SIZE], Errno> {
    let mut raw = [0; SIGINFO_SIZE];
    ptrace(host::GETSIGINFO, tid, 0, raw.as_mut_ptr() as u64)?;
    Ok(raw)
}

fn tgid_of(tid: i32) -> i32 {
    let status = std::fs::read_to_string(format!("/proc/{tid}/status")).unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok()).unwrap_or(tid)
}

fn own_tid() -> i32 {
    raw_syscall(libc::SYS_gettid, [0; 6]).unwrap_or(0) as i32
}

fn memory(tid: i32, addr: u64, local: u64, len: usize, write: bool) -> Result<usize, Errno> {
    let here = [local, len as u64];
    let there = [addr, len as u64];
    let nr = if write { libc::SYS_process_vm_writev } else { libc::SYS_process_vm_readv };
    let args = [tid as u64, here.as_ptr() as u64, 1, there.as_ptr() as u64, 1, 0];
    raw_syscall(nr, args).map(|got| got as usize)
}

/// Guest memory of a tracee, whatever its rights.
fn peek(tid: i32, addr: u64, buf: &mut [u8]) -> Result<(), Errno> {
    if memory(tid, addr, buf.as_mut_ptr() as u64, buf.len(), false) == Ok(buf.len()) {
        return Ok(());
    }
    let file = std::fs::File::open(format!("/proc/{tid}/mem")).map_err(|_| Errno::EIO)?;
    file.read_exact_at(buf, addr).map_err(|_| Errno::EIO)
}

fn poke(tid: i32, addr: u64, bytes: &[u8]) -> Result<(), Errno> {
    let file =
        std::fs::File::options().write(true).open(format!("/proc/{tid}/mem")).map_err(|_| Errno::EIO)?;
    file.write_all_at(bytes, addr).map_err(|_| Errno::EIO)
}

impl Tracee {
    fn new(tid: i32) -> Tracee {
        Tracee {
            tgid: tgid_of(tid),
            tracer: own_tid(),
            seized: false,
            options: 0,
            addr: 0,
            block: Box::new(Block::zeroed()),
            at: At::Running,
            report: None,
            known: false,
            attaching: false,
            interrupt: false,
        }
    }

    /// Sets the host's options: exec and clones are always wanted, since a new task must be traced from its start.
    fn set_host_options(&mut self, tid: i32) {
        let clones = 1 << event::FORK | 1 << event::VFORK | 1 << event::CLONE;
        let mut options = 1 << event::EXEC | self.options & event::O_EXITKILL;
        if self.options & clones != 0 {
            options |= clones;
        }
        self.known = ptrace(host::SETOPTIONS, tid, 0, options).is_ok();
    }

    fn load(&mut self, tid: i32) -> bool {
        let at = std::ptr::from_mut(&mut *self.block) as u64;
        memory(tid, self.addr, at, size_of::<Block>(), false) == Ok(size_of::<Block>())
            && self.block.version == Block::VERSION
    }

    fn store(&mut self, tid: i32) {
        if self.addr != 0 {
            self.block.options = self.options;
            let at = std::ptr::from_mut(&mut *self.block) as u64;
            let _ = memory(tid, self.addr, at, size_of::<Block>(), true);
        }
    }

    /// A field of the block as it is now, while the tracee is in a raw stop.
    fn fresh(&mut self, tid: i32) -> Option<&Block> {
        if self.addr == 0 || !self.load(tid) { None } else { Some(&self.block) }
    }

    fn visible(&mut self, at: At, status: i32) {
        self.at = at;
        self.report = Some(status);
    }
}

/// A request for the tracee's handler, in place of the signal it stopped with.
fn deliver_request(tid: i32, value: u64) -> SysResult {
    let mut raw = [0u8; SIGINFO_SIZE];
    raw[..4].copy_from_slice(&libc::SIGTRAP.to_ne_bytes());
    raw[8..12].copy_from_slice(&request::CODE.to_ne_bytes());
    raw[24..32].copy_from_slice(&value.to_ne_bytes());
    ptrace(host::SETSIGINFO, tid, 0, raw.as_ptr() as u64)?;
    ptrace(host::CONT, tid, 0, libc::SIGTRAP as u64)
}

impl Tracers {
    /// Says what a host stop means: false if the stop is no tracee's, and then it is the guest's as it is. Otherwise the
    /// tracee goes on, or has something to report.
    fn classify(&mut self, tid: i32, status: i32) -> bool {
        let (sig, host_event) = (status & 0xff, (status >> 8) as u32);
        if let Some(&let_go) = self.born.get(&tid) {
            self.born.remove(&tid);
            if let_go {
                let _ = ptrace(host::DETACH, tid, 0, 0);
                return true;
            }
            let _ = ptrace(host::CONT, tid, 0, 0);
            return true;
        }
        let info = siginfo(tid);
        if !self.tracees.contains_key(&tid) {
            if info == Err(Errno::ESRCH) {
                return false;
            }
            let is_stop = info.is_ok_and(|raw| SigInfo::from_raw(raw).code() == request::CODE);
            // A new task that its parent's event has not announced yet, if there is anybody whose it may be.
            let first = host_event == event::STOP || sig == libc::SIGSTOP && host_event == 0;
            let cloning = self.tracees.values().any(|tracee| tracee.options & 0xe != 0);
            if first && cloning && !is_stop && info.is_ok_and(|raw| SigInfo::from_raw(raw).pid() == 0) {
                self.early.insert(tid);
                return true;
            }
            self.tracees.insert(tid, Tracee::new(tid));
            ACTIVE.store(true, Ordering::Release);
        }
        self.stopped(tid, sig, host_event, info);
        true
    }

    fn stopped(&mut self, tid: i32, sig: i32, host_event: u32, info: Result<[u8; SIGINFO_SIZE], Errno>) {
        let Some(tracee) = self.tracees.get_mut(&tid) else { return };
        let first = !tracee.known;
        if first {
            tracee.set_host_options(tid);
        }
        let go_on = |sig: i32| {
            let _ = ptrace(host::CONT, tid, 0, sig as u64);
        };
        match host_event {
            0 => {}
            event::FORK | event::VFORK | event::CLONE => {
                let mut child = 0u64;
                let _ = ptrace(host::GETEVENTMSG, tid, 0, &raw mut child as u64);
                let child = child as i32;
                let cloning = tracee.fresh(tid).map_or(0, |block| block.cloning);
                let traced = cloning != 0 && cloning != UNTRACED;
                let shown = traced && tracee.options & 1 << cloning != 0;
                if shown {
                    tracee.block.kind = kind::EVENT;
                    tracee.block.event = cloning;
                    tracee.block.message = child as u64;
                    tracee.visible(At::Event, libc::SIGTRAP | (cloning as i32) << 8);
                }
                let (seized, options) = (tracee.seized, tracee.options);
                if traced {
                    let mut new = Tracee::new(child);
                    (new.seized, new.options, new.known) = (seized, options, true);
                    self.tracees.insert(child, new);
                }
                if self.early.remove(&child) {
                    let what = if traced { host::CONT } else { host::DETACH };
                    let _ = ptrace(what, child, 0, 0);
                } else {
                    self.born.insert(child, !traced);
                }
                if !shown {
                    go_on(0);
                }
                return;
            }
            event::EXEC => {
                // What was known of the old image is gone; the new one makes its own stop.
                tracee.addr = 0;
                let tgid = tracee.tgid;
                let mut former = 0u64;
                let _ = ptrace(host::GETEVENTMSG, tid, 0, &raw mut former as u64);
                self.tracees.retain(|&other, tracee| other == tid || tracee.tgid != tgid);
                go_on(0);
                return;
            }
            event::STOP if sig != libc::SIGTRAP => {
                return tracee.visible(At::Group, sig | (event::STOP as i32) << 8);
            }
            // PTRACE_INTERRUPT of ours while listening, or the end of a group stop.
            event::STOP if tracee.at == At::Listening => {
                return tracee.visible(At::Group, sig | (event::STOP as i32) << 8);
            }
            _ => return go_on(0),
        }
        let Ok(raw) = info else {
            // A group stop.
            return tracee.visible(At::Group, sig);
        };
        let info = SigInfo::from_raw(raw);
        if info.signo() == libc::SIGTRAP && info.code() == request::CODE {
            let value = info.value();
            if value as u8 == request::ATTACH && std::mem::take(&mut tracee.interrupt) {
                // A second request would have been merged into the pending one.
                let _ = deliver_request(tid, value | 1 << 9);
                return;
            }
            if value as u8 == request::INTERRUPT && !std::mem::take(&mut tracee.interrupt) {
                // The attachment has answered it already.
                return go_on(0);
            }
            if value as u8 != request::STOP {
                return go_on(libc::SIGTRAP);
            }
            tracee.addr = value >> 8;
            let options = tracee.options;
            if !tracee.load(tid) {
                return go_on(libc::SIGTRAP);
            }
            // The first stop may come before the tracer has chosen anything: the tracee's may be from an exec.
            tracee.options |= tracee.block.options & !options;
            let block = &tracee.block;
            let good = tracee.options & event::O_TRACESYSGOOD != 0;
            let status = match block.kind {
                kind::SIGNAL => block.sig,
                kind::ENTRY | kind::EXIT if good => libc::SIGTRAP | 0x80,
                kind::EVENT => libc::SIGTRAP | (block.event as i32) << 8,
                _ => libc::SIGTRAP,
            };
            return tracee.visible(At::Own, status);
        }
        if std::mem::take(&mut tracee.attaching) && sig == libc::SIGSTOP {
            let value = u64::from(request::ATTACH) | tracee.options << 16;
            let _ = deliver_request(tid, value);
            return;
        }
        if tracee.fresh(tid).is_some_and(|block| block.passing == sig) {
            return go_on(sig);
        }
        if sig == libc::SIGSTOP {
            let _ = deliver_request(tid, u64::from(request::SIGNAL) | (sig as u64) << 8);
            return;
        }
        // An exec before the host's option was set sends SIGTRAP instead of the event.
        let old_exec = first && sig == libc::SIGTRAP && info.code() == 0;
        go_on(if old_exec { 0 } else { sig });
    }

    /// Looks at all tracees of the calling thread without waiting.
    fn look(&mut self) {
        let own = own_tid();
        let mut list: Vec<i32> =
            self.tracees.iter().filter(|(_, t)| t.tracer == own).map(|(&tid, _)| tid).collect();
        list.extend(self.born.keys());
        for tid in list {
            let mut raw = [0u8; SIGINFO_SIZE];
            let options = WNOHANG | WSTOPPED | WALL | WNOTHREAD;
            let args = [u64::from(libc::P_PID), tid as u64, raw.as_mut_ptr() as u64, options, 0, 0];
            let info = match raw_syscall(libc::SYS_waitid, args) {
                Ok(_) => SigInfo::from_raw(raw),
                Err(_) => {
                    if !std::path::Path::new(&format!("/proc/{tid}")).exists() {
                        self.forget(tid);
                    }
                    continue;
                }
            };
            if info.pid() == tid {
                self.classify(tid, info.status());
            }
        }
    }

    fn forget(&mut self, tid: i32) {
        self.tracees.remove(&tid);
        self.born.remove(&tid);
        self.early.remove(&tid);
    }

    /// A stop that a wait for `select` may report.
    fn reportable(&mut self, select: impl Fn(i32, &Tracee) -> bool) -> Option<i32> {
        self.tracees
            .iter()
            .find(|(tid, tracee)| tracee.report.is_some() && select(**tid, tracee))
            .map(|(tid, _)| *tid)
    }
}

/// At the run loop: SIGCHLD came, or another thread that got it says so.
pub fn service(_task: &mut Task) {
    if ACTIVE.load(Ordering::Acquire) {
        lock(&TRACERS).look();
    }
}

/// A SIGCHLD is to be delivered: true if it tells of nothing that concerns the guest.
pub fn own_business(task: &mut Task, info: &SigInfo) -> bool {
    if !ACTIVE.load(Ordering::Acquire) {
        return false;
    }
    let mut tracers = lock(&TRACERS);
    tracers.look();
    let own = own_tid();
    // Another signal may have been merged into this one: only if there is nothing at all to wait for, it tells of nothing.
    let silent = tracers.reportable(|_, _| true).is_none() && !child_waits();
    let others: BTreeSet<i32> =
        tracers.tracees.values().map(|tracee| tracee.tracer).filter(|&tid| tid != own).collect();
    for tid in others {
        let _ = host_signal::send_request(task.process.pid(), tid, u64::from(request::SERVICE));
    }
    const CLD_TRAPPED: i32 = 4;
    const CLD_STOPPED: i32 = 5;
    // What another thread's tracees have to report is not known here.
    silent
        && tracers.tracees.values().all(|tracee| tracee.tracer == own)
        && matches!(info.code(), CLD_TRAPPED | CLD_STOPPED)
        && (tracers.born.contains_key(&info.pid())
            || tracers.early.contains(&info.pid())
            || tracers.tracees.get(&info.pid()).is_some_and(|tracee| tracee.at == At::Running))
}

/// Whether a child has something to wait for; it stays there.
fn child_waits() -> bool {
    let mut raw = [0u8; SIGINFO_SIZE];
    let options = WNOHANG | WNOWAIT | WSTOPPED | WEXITED | WCONTINUED | WALL;
    let args = [u64::from(libc::P_ALL), 0, raw.as_mut_ptr() as u64, options, 0, 0];
    raw_syscall(libc::SYS_waitid, args).is_ok() && SigInfo::from_raw(raw).pid() != 0
}

/// In the child of a fork: it traces nobody.
pub fn forked() {
    if ACTIVE.swap(false, Ordering::Relaxed) {
        let mut tracers = lock(&TRACERS);
        tracers.tracees.clear();
        tracers.born.clear();
        tracers.early.clear();
    }
}

/// The table held still, so that a fork copies it whole.
pub fn freeze() -> impl Drop {
    lock(&TRACERS)
}

/// SIGCHLD must come to us from now on, whatever the guest does with it.
fn become_tracer(task: &mut Task) {
    ACTIVE.store(true, Ordering::Release);
    let caught = crate::signal::caught();
    task.sighand.catch(caught | bit(libc::SIGCHLD));
}

fn selects(pid: i32, tid: i32, tracee: &Tracee) -> bool {
    let group = |of: i32| raw_syscall(libc::SYS_getpgid, [of as u64, 0, 0, 0, 0, 0]).unwrap_or(0) as i32;
    let _ = tracee;
    match pid {
        -1 => true,
        0 => group(tid) == group(0),
        _ if pid < -1 => group(tid) == -pid,
        _ => tid == pid,
    }
}

/// `wait4`
pub fn sys_wait4(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let (pid, options) = (a[0] as i32, a[2] & 0xffff_ffff);
    loop {
        if let Some((tid, status)) = pending(|tid, tracee| selects(pid, tid, tracee), true) {
            cx.write_int(a[1], status << 8 | 0x7f)?;
            if a[3] != 0 {
                crate::syscall::write_struct(cx, Ty::Struct(structs::RUSAGE), a[3], &[0; 18])?;
            }
            return Ok(tid as u64);
        }
        let mut status = 0i32;
        let mut usage = [0u64; 18];
        let usage_at = if a[3] == 0 { 0 } else { usage.as_mut_ptr() as u64 };
        let args = [pid as i64 as u64, &raw mut status as u64, options, usage_at, 0, 0];
        let tid = safe_syscall(libc::SYS_wait4, args)? as i32;
        if tid != 0 && libc::WIFSTOPPED(status) && status != 0xffff {
            // One that the guest asked to see as a job's stop may be just that.
            if stop_found(cx.task, tid, status >> 8) {
                continue;
            }
        } else if tid != 0 && ACTIVE.load(Ordering::Acquire) && status != 0xffff {
            lock(&TRACERS).forget(tid);
        }
        cx.write_int(a[1], status)?;
        if a[3] != 0 && tid != 0 {
            crate::syscall::write_struct(cx, Ty::Struct(structs::RUSAGE), a[3], &usage)?;
        }
        return Ok(tid as u64);
    }
}

/// True if the stop is a tracee's and was dealt with.
fn stop_found(task: &mut Task, tid: i32, status: i32) -> bool {
    let found = lock(&TRACERS).classify(tid, status);
    if found && crate::signal::caught() & bit(libc::SIGCHLD) == 0 {
        become_tracer(task);
    }
    found
}

/// Takes a stop that waits to be reported.
fn pending(select: impl Fn(i32, &Tracee) -> bool, take: bool) -> Option<(i32, i32)> {
    if !ACTIVE.load(Ordering::Acquire) {
        return None;
    }
    let mut tracers = lock(&TRACERS);
    let tid = tracers.reportable(select)?;
    let tracee = tracers.tracees.get_mut(&tid)?;
    let status = tracee.report?;
    if take {
        tracee.report = None;
    }
    Some((tid, status))
}

/// `waitid`
pub fn sys_waitid(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let (idtype, id, options) = (a[0] as u32, a[1] as i32, a[3] & 0xffff_ffff);
    let keep = options & WNOWAIT != 0;
    let pid = match idtype {
        libc::P_ALL => Some(-1),
        libc::P_PID => Some(id),
        libc::P_PGID => Some(if id == 0 { 0 } else { -id }),
        _ => None,
    };
    loop {
        if options & WSTOPPED != 0
            && let Some(pid) = pid
            && let Some((tid, status)) = pending(|tid, tracee| selects(pid, tid, tracee), !keep)
        {
            if a[2] != 0 {
                const CLD_TRAPPED: i32 = 4;
                // SAFETY: no arguments.
                let mut info = SigInfo::user(libc::SIGCHLD, CLD_TRAPPED, tid, unsafe { libc::getuid() });
                info.raw[24..28].copy_from_slice(&status.to_ne_bytes());
                crate::signal::write_wait_info(cx, a[2], &info)?;
            }
            return Ok(0);
        }
        let mut raw = [0u8; SIGINFO_SIZE];
        let mut usage = [0u64; 18];
        let usage_at = if a[4] == 0 { 0 } else { usage.as_mut_ptr() as u64 };
        let args = [u64::from(idtype), id as i64 as u64, raw.as_mut_ptr() as u64, options, usage_at, 0];
        safe_syscall(libc::SYS_waitid, args)?;
        let info = SigInfo::from_raw(raw);
        const CLD_TRAPPED: i32 = 4;
        const CLD_STOPPED: i32 = 5;
        if info.pid() != 0 && matches!(info.code(), CLD_TRAPPED | CLD_STOPPED) {
            if keep {
                // The stop is still there; a wait of our own takes it.
                let mut taken = [0u8; SIGINFO_SIZE];
                let own = WNOHANG | WSTOPPED | WALL;
                let args = [u64::from(libc::P_PID), info.pid() as u64, taken.as_mut_ptr() as u64, own, 0, 0];
                if siginfo(info.pid()) == Err(Errno::ESRCH) {
                    crate::signal::write_wait_info(cx, a[2], &info)?;
                    return Ok(0);
                }
                raw_syscall(libc::SYS_waitid, args)?;
            }
            if stop_found(cx.task, info.pid(), info.status()) {
                continue;
            }
        } else if info.pid() != 0 && !keep && ACTIVE.load(Ordering::Acquire) {
            lock(&TRACERS).forget(info.pid());
        }
        if a[2] != 0 {
            crate::signal::write_wait_info(cx, a[2], &info)?;
        }
        if a[4] != 0 {
            crate::syscall::write_struct(cx, Ty::Struct(structs::RUSAGE), a[4], &usage)?;
        }
        return Ok(0);
    }
}

/// The guest wrote to the memory of a process by other means than POKE: its code may have changed.
pub fn memory_written(pid: i32, addr: u64, len: u64) {
    let mut tracers = lock(&TRACERS);
    let group = tracers.tracees.get(&pid).map_or(pid, |tracee| tracee.tgid);
    for tracee in tracers.tracees.values_mut().filter(|t| t.tgid == group && t.at != At::Running) {
        tracee.note_range(addr, len);
    }
}

/// As [`memory_written`], for a write to descriptor `fd`, which may be a `/proc/PID/mem`.
pub fn file_written(fd: i32, addr: u64, len: u64) {
    let Ok(name) = std::fs::read_link(format!("/proc/self/fd/{fd}")) else { return };
    let name = name.to_string_lossy();
    let Some(rest) = name.strip_prefix("/proc/").and_then(|rest| rest.strip_suffix("/mem")) else { return };
    let tid = rest.rsplit('/').next().and_then(|part| part.parse().ok());
    if let Some(tid) = tid {
        memory_written(tid, addr, len);
    }
}

impl Tracee {
    fn note_range(&mut self, addr: u64, len: u64) {
        let next = self.block.flushes as usize;
        if next < RANGES {
            self.block.ranges[next] = [addr, len];
        }
        self.block.flushes = (next as u32 + 1).min(RANGES as u32 + 1);
    }

    fn set(&mut self, note: u32) -> Option<(usize, usize, &mut u32)> {
        let set = self.block.sets.iter_mut().find(|set| set.note == note && note != 0)?;
        Some((set.at as usize, set.len as usize, &mut set.dirty))
    }

    fn siginfo(&self, tid: i32) -> Result<SigInfo, Errno> {
        match self.at {
            At::Own => Ok(SigInfo::from_raw(self.block.info)),
            At::Event => {
                let code = libc::SIGTRAP | (self.block.event as i32) << 8;
                Ok(SigInfo::user(libc::SIGTRAP, code, tid, 0))
            }
            At::Group | At::Listening => siginfo(tid).map(SigInfo::from_raw),
            At::Running => Err(Errno::ESRCH),
        }
    }

    fn resume(&mut self, tid: i32, how: u32, sig: i32) -> SysResult {
        self.block.action = how;
        self.block.inject = sig;
        self.block.seen = 1;
        self.store(tid);
        self.at = At::Running;
        self.report = None;
        let what = if how == action::DETACH { host::DETACH } else { host::CONT };
        ptrace(what, tid, 0, 0)
    }

    /// `struct ptrace_syscall_info`, host byte order, and its length.
    fn syscall_info(&self) -> Vec<u8> {
        let b = &self.block;
        let op: u8 = match (self.at, b.kind) {
            (At::Own, kind::ENTRY) => 1,
            (At::Own, kind::EXIT) => 2,
            (At::Own, kind::EVENT) if b.event == event::SECCOMP => 3,
            _ => 0,
        };
        let mut out = vec![op, 0, 0, 0];
        out.extend(b.audit_arch.to_le_bytes());
        out.extend(b.pc.to_le_bytes());
        out.extend(b.sp.to_le_bytes());
        match op {
            1 | 3 => {
                out.extend(b.nr.to_le_bytes());
                b.args.iter().for_each(|arg| out.extend(arg.to_le_bytes()));
                if op == 3 {
                    out.extend((b.message as u32).to_le_bytes());
                    out.extend([0; 4]);
                }
            }
            2 => {
                out.extend(b.result.to_le_bytes());
                out.push(u8::from((-4095..0).contains(&b.result)));
            }
            _ => {}
        }
        out
    }
}

/// `PTRACE_*` of the guest; the numbers are the same everywhere but for a few old ones.
pub fn sys_ptrace(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let (what, tid, addr, data) = (a[0], a[1] as i32, a[2], a[3]);
    match what {
        0 => return super::trace_me(cx.task),
        host::ATTACH => return attach(cx, tid, false, 0),
        host::SEIZE if addr != 0 => return Err(Errno::EIO),
        host::SEIZE => return attach(cx, tid, true, data),
        _ => {}
    }
    let word = cx.abi.info().word;
    let mut tracers = lock(&TRACERS);
    let tracee = tracers.tracees.get_mut(&tid).filter(|tracee| tracee.tracer == own_tid());
    let tracee = tracee.ok_or(Errno::ESRCH)?;
    const KILL: u64 = 8;
    if what == KILL {
        return raw_syscall(libc::SYS_tgkill, [tracee.tgid as u64, tid as u64, 9, 0, 0, 0]);
    }
    if what == host::INTERRUPT {
        if !tracee.seized {
            return Err(Errno::EIO);
        }
        if tracee.at == At::Listening {
            return ptrace(host::INTERRUPT, tid, 0, 0);
        }
        tracee.interrupt = true;
        return host_signal::send_request(tracee.tgid, tid, u64::from(request::INTERRUPT)).map(|_| 0);
    }
    if matches!(tracee.at, At::Running | At::Listening) {
        return Err(Errno::ESRCH);
    }
    match what {
        // PEEKTEXT, PEEKDATA
        1 | 2 => {
            let mut bytes = [0; 8];
            peek(tid, cx.mem.host(addr, word)?, &mut bytes[..word])?;
            cx.mem.copy_out(data, &bytes[..word])?;
            Ok(0)
        }
        // POKETEXT, POKEDATA
        4 | 5 => {
            let bytes = if cx.abi.info().big_endian { data.to_be_bytes() } else { data.to_le_bytes() };
            let bytes = if cx.abi.info().big_endian { &bytes[8 - word..] } else { &bytes[..word] };
            poke(tid, cx.mem.host(addr, word)?, bytes)?;
            tracee.note_range(addr, word as u64);
            Ok(0)
        }
        host::CONT | 24 | 9 | host::DETACH => {
            if data > 64 {
                return Err(Errno::EIO);
            }
            let how = match what {
                host::CONT => action::CONT,
                24 => action::SYSCALL,
                9 => action::STEP,
                _ => action::DETACH,
            };
            let result = tracee.resume(tid, how, data as i32);
            if how == action::DETACH {
                tracers.forget(tid);
            }
            result
        }
        host::LISTEN => {
            if !tracee.seized || tracee.at != At::Group {
                return Err(Errno::EIO);
            }
            ptrace(host::LISTEN, tid, 0, 0)?;
            tracee.at = At::Listening;
            Ok(0)
        }
        host::SETOPTIONS => {
            set_options(tracee, data)?;
            tracee.set_host_options(tid);
            tracee.store(tid);
            Ok(0)
        }
        host::GETEVENTMSG => {
            let message = tracee.block.message;
            cx.write_long(data, message)?;
            Ok(0)
        }
        host::GETSIGINFO => {
            let info = tracee.siginfo(tid)?;
            cx.task.arch.write_siginfo(&cx.task.mm, data, &info)?;
            Ok(0)
        }
        host::SETSIGINFO => {
            let info = cx.task.arch.read_siginfo(&cx.task.mm, data)?;
            tracee.block.info = info.raw;
            tracee.block.changed |= 1;
            Ok(0)
        }
        _ if let Some(legacy) = cx.arch.legacy_ptrace(what) => legacy_request(cx, tracee, legacy, addr, data),
        // GETREGSET, SETREGSET
        0x4204 | 0x4205 => regset(cx, tracee, addr as u32, data, what == 0x4205),
        // GETSIGMASK, SETSIGMASK
        0x420a | 0x420b => {
            if addr != 8 {
                return Err(Errno::EINVAL);
            }
            if what == 0x420a {
                cx.mem.write(data, &tracee.block.blocked)?;
            } else {
                tracee.block.blocked = cx.mem.read(data)?;
                tracee.block.changed |= 2;
            }
            Ok(0)
        }
        // GET_SYSCALL_INFO
        0x420e => {
            let info = tracee.syscall_info();
            let len = info.len().min(addr as usize);
            cx.mem.copy_out(data, &info[..len])?;
            Ok(info.len() as u64)
        }
        _ => Err(Errno::EIO),
    }
}

fn set_options(tracee: &mut Tracee, options: u64) -> Result<(), Errno> {
    const ALL: u64 = 0xff | event::O_EXITKILL | event::O_SUSPEND_SECCOMP;
    if options & !ALL != 0 || options & event::O_SUSPEND_SECCOMP != 0 {
        return Err(Errno::EINVAL);
    }
    tracee.options = options;
    Ok(())
}

/// One register set, through an iovec of the guest.
fn regset(cx: &mut SysCx<'_>, tracee: &mut Tracee, note: u32, iov: u64, write: bool) -> SysResult {
    let word = cx.abi.info().word as u64;
    let (base, len) = (cx.read_long(iov)?, cx.read_long(iov + word)? as usize);
    let machine = tracee.block.machine;
    const EM_AARCH64: u32 = 183;
    if note == nt::ARM_SYSTEM_CALL && machine == EM_AARCH64 {
        let mut bytes = (tracee.block.nr as u32).to_le_bytes();
        let len = len.min(4);
        if write {
            cx.mem.copy_in(base, &mut bytes[..len])?;
            tracee.block.nr = u64::from(u32::from_le_bytes(bytes));
            tracee.block.changed |= 4;
        } else {
            cx.mem.copy_out(base, &bytes[..len])?;
        }
        cx.write_long(iov + word, len as u64)?;
        return Ok(0);
    }
    let Some((at, size, dirty)) = tracee.set(note) else { return Err(Errno::EINVAL) };
    if !len.is_multiple_of(cx.arch.regset_unit(note)) {
        return Err(Errno::EINVAL);
    }
    let len = len.min(size);
    if write {
        *dirty = 1;
        let room = &mut tracee.block.data[at..at + len];
        cx.mem.copy_in(base, room)?;
    } else {
        cx.mem.copy_out(base, &tracee.block.data[at..at + len])?;
    }
    cx.write_long(iov + word, len as u64)?;
    Ok(0)
}

/// A request for registers from before there were register sets.
fn legacy_request(
    cx: &mut SysCx<'_>,
    tracee: &mut Tracee,
    request: Legacy,
    addr: u64,
    data: u64,
) -> SysResult {
    let word = cx.abi.info().word;
    let (note, first, len, write) = match request {
        Legacy::Set { note, write } => (note, 0, usize::MAX, write),
        Legacy::Peek { end } | Legacy::Poke { end } => {
            if !addr.is_multiple_of(word as u64) || addr >= end {
                return Err(Errno::EIO);
            }
            (nt::PRSTATUS, addr as usize, word, matches!(request, Legacy::Poke { .. }))
        }
    };
    let Some((at, size, dirty)) = tracee.set(note) else { return Err(Errno::EIO) };
    match request {
        Legacy::Peek { .. } | Legacy::Poke { .. } if first >= size => {
            // Behind the general registers: among others debug registers, of which none can be set.
            if write && data != 0 {
                return Err(Errno::EINVAL);
            }
            if !write {
                cx.write_long(data, 0)?;
            }
        }
        Legacy::Poke { .. } => {
            *dirty = 1;
            tracee.block.data[at + first..at + first + len].copy_from_slice(&data.to_le_bytes()[..len]);
        }
        Legacy::Set { .. } | Legacy::Peek { .. } => {
            let range = at + first..at + first + len.min(size);
            if write {
                *dirty = 1;
                cx.mem.copy_in(data, &mut tracee.block.data[range])?;
            } else {
                cx.mem.copy_out(data, &tracee.block.data[range])?;
            }
        }
    }
    Ok(0)
}

fn attach(cx: &mut SysCx<'_>, tid: i32, seize: bool, options: u64) -> SysResult {
    let mut tracee = Tracee { seized: seize, ..Tracee::new(tid) };
    if seize {
        set_options(&mut tracee, options).map_err(|_| Errno::EIO)?;
    }
    if tracee.tgid == cx.task.process.pid() {
        return Err(Errno::EPERM);
    }
    if !crate::proc_view::is_emulated(tid) {
        // A process of the host's own kind has no state that this guest could read.
        return Err(Errno::EPERM);
    }
    become_tracer(cx.task);
    let mut tracers = lock(&TRACERS);
    ptrace(if seize { host::SEIZE } else { host::ATTACH }, tid, 0, 0)?;
    tracee.attaching = !seize;
    if seize {
        tracee.set_host_options(tid);
        let value = u64::from(request::ATTACH) | 1 << 8 | options << 16;
        let _ = host_signal::send_request(tracee.tgid, tid, value);
    }
    tracers.tracees.insert(tid, tracee);
    Ok(0)
}

/// `process_vm_writev`: what it changes may be code.
pub fn sys_process_vm_writev(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let result = crate::syscall::run_plain(cx, syscall_tables::CallId::ProcessVmWritev, a)?;
    if ACTIVE.load(Ordering::Acquire) {
        let word = cx.abi.info().word as u64;
        for index in 0..a[4].min(1024) {
            let at = a[3] + index * 2 * word;
            let (base, len) = (cx.read_long(at)?, cx.read_long(at + word)?);
            memory_written(a[0] as i32, base, len);
        }
    }
    Ok(result)
}
