//! `seccomp`: strict mode and BPF filters over the guest's call numbers, arguments and `AUDIT_ARCH`.
//!
//! Input: filters that the guest installs; output: what becomes of each call ([`check`]). Filters belong to a thread, are
//! shared with its children, go through exec in a memory file (`-seccomp`), and never reach the host's own calls. For user
//! notification the host helps: a host filter with a listener answers only to numbers from [`NOTIFY_BASE`] on, which no
//! kernel has; a call that a guest's filter wants to notify of is made under that number, so the listener is the kernel's
//! own file, and its `ioctl`s convert numbers ([`notification_ioctl`]).

use crate::errno::{Errno, SysResult};
use crate::host_signal::{self, request};
use crate::signal::{self, SigInfo};
use crate::sys::{raw_syscall, safe_syscall};
use crate::syscall::SysCx;
use crate::task::{Leave, Task, lock};
use crate::trace;
use engine::robust::Mutex;
use std::os::fd::FromRawFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use syscall_tables::CallId;

/// Actions and their mask (UAPI `linux/seccomp.h`).
mod ret {
    pub const KILL_PROCESS: u32 = 0x8000_0000;
    pub const KILL_THREAD: u32 = 0;
    pub const TRAP: u32 = 0x0003_0000;
    pub const ERRNO: u32 = 0x0005_0000;
    pub const USER_NOTIF: u32 = 0x7fc0_0000;
    pub const TRACE: u32 = 0x7ff0_0000;
    pub const LOG: u32 = 0x7ffc_0000;
    pub const ALLOW: u32 = 0x7fff_0000;
    pub const ACTION: u32 = 0xffff_0000;
    pub const DATA: u32 = 0xffff;
}

mod flag {
    pub const TSYNC: u64 = 1;
    pub const NEW_LISTENER: u64 = 8;
    pub const TSYNC_ESRCH: u64 = 16;
    pub const WAIT_KILLABLE_RECV: u64 = 32;
    pub const ALL: u64 = 63;
}

/// Host call numbers from here on stand for the guest's in notifications.
const NOTIFY_BASE: u32 = 0x1000_0000;
/// A notified call's result that means "execute it".
const CONTINUE: u64 = 0x004f_6d6e_6943_6f6e;

/// One instruction, `struct sock_filter`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Insn {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

/// A filter and those that were installed before it.
#[derive(Debug)]
pub struct Filter {
    program: Vec<Insn>,
    former: Option<Arc<Filter>>,
}

impl Drop for Filter {
    fn drop(&mut self) {
        // Long chains must not recurse.
        let mut next = self.former.take();
        while let Some(filter) = next {
            next = Arc::try_unwrap(filter).ok().and_then(|mut filter| filter.former.take());
        }
    }
}

/// Modes as `PR_GET_SECCOMP` gives them.
const DISABLED: u32 = 0;
const STRICT: u32 = 1;
const FILTER: u32 = 2;

/// A thread's state; other threads change it by TSYNC.
#[derive(Default)]
pub struct State {
    mode: AtomicU32,
    filter: Mutex<Option<Arc<Filter>>>,
}

impl State {
    /// For a child.
    pub fn duplicate(&self) -> State {
        State { mode: AtomicU32::new(self.mode()), filter: Mutex::new(lock(&self.filter).clone()) }
    }

    /// How many filters there are.
    pub fn filters(&self) -> usize {
        let filter = lock(&self.filter).clone();
        std::iter::successors(filter.as_deref(), |filter| filter.former.as_deref()).count()
    }

    /// As `PR_GET_SECCOMP` gives it.
    pub fn mode(&self) -> u32 {
        self.mode.load(Ordering::Acquire)
    }

    /// True if calls must be checked.
    #[inline]
    pub fn active(&self) -> bool {
        self.mode() != DISABLED
    }

    fn set(&self, filter: Arc<Filter>) {
        *lock(&self.filter) = Some(filter);
        self.mode.store(FILTER, Ordering::Release);
    }
}

/// What becomes of a call.
pub enum Verdict {
    /// It runs, perhaps as another one.
    Run(u64, [u64; 6]),
    /// It is over, with this result.
    Done(SysResult),
    /// It is over, and the registers are as they shall be.
    Nothing,
}

/// Checks a call before it runs. `pc` is behind the instruction.
pub fn check(task: &mut Task, abi: syscall_tables::Arch, number: u64, args: &[u64; 6], pc: u64) -> Verdict {
    let run = Verdict::Run(number, *args);
    if task.seccomp.mode() == STRICT {
        let allowed = [CallId::Read, CallId::Write, CallId::Exit, CallId::RtSigreturn, CallId::Sigreturn];
        if abi.call(number).is_some_and(|call| allowed.contains(&call)) {
            return run;
        }
        return die(task, libc::SIGKILL);
    }
    let filter = lock(&task.seccomp.filter).clone();
    let data = Data { bytes: data_bytes(abi, number, args, pc), big: abi.info().big_endian };
    let mut verdict = ret::ALLOW;
    let mut next = filter.as_deref();
    while let Some(filter) = next {
        let value = evaluate(&filter.program, &data);
        // The first of equals counts, and the smallest signed action.
        if ((value & ret::ACTION) as i32) < ((verdict & ret::ACTION) as i32) {
            verdict = value;
        }
        next = filter.former.as_deref();
    }
    let low = verdict & ret::DATA;
    match verdict & ret::ACTION {
        ret::ALLOW | ret::LOG => run,
        ret::ERRNO => Verdict::Done(if low == 0 { Ok(0) } else { Err(Errno(low.min(4095) as i32)) }),
        ret::TRAP => {
            let info = sigsys(abi, number, pc, low);
            signal::force(task, &info);
            Verdict::Nothing
        }
        ret::TRACE => {
            if !trace::wants(task, trace::event::SECCOMP) {
                return Verdict::Done(Err(Errno::ENOSYS));
            }
            trace::report(task, trace::event::SECCOMP, u64::from(low));
            match trace::changed_call(task) {
                trace::Entry::Run(number, args) => Verdict::Run(number, args),
                trace::Entry::Skip => Verdict::Nothing,
            }
        }
        ret::USER_NOTIF => {
            let host = u64::from(NOTIFY_BASE) + number;
            match safe_syscall(host as i64, *args) {
                Ok(CONTINUE) => run,
                result => Verdict::Done(result),
            }
        }
        ret::KILL_THREAD if task.process.thread_count() > 1 => die(task, libc::SIGSYS),
        // KILL_PROCESS, KILL_THREAD of the only thread, and what no kernel knows.
        _ => {
            let info = sigsys(abi, number, pc, low);
            signal::terminate(task, &info)
        }
    }
}

/// The thread ends as by the kernel's `do_exit(sig)`.
fn die(task: &mut Task, sig: i32) -> Verdict {
    if task.process.thread_count() == 1 {
        crate::process::exit::flush();
        host_signal::die_by_signal(sig);
    }
    task.leave = Some(Leave::Thread(0));
    Verdict::Nothing
}

fn sigsys(abi: syscall_tables::Arch, number: u64, pc: u64, data: u32) -> SigInfo {
    const SYS_SECCOMP: i32 = 1;
    let mut info = SigInfo::fault(libc::SIGSYS, SYS_SECCOMP, pc);
    info.raw[4..8].copy_from_slice(&data.to_ne_bytes());
    info.raw[24..28].copy_from_slice(&(number as i32).to_ne_bytes());
    info.raw[28..32].copy_from_slice(&trace::audit_arch(abi).to_ne_bytes());
    info
}

/// `struct seccomp_data` in the guest's byte order.
struct Data {
    bytes: [u8; 64],
    big: bool,
}

fn data_bytes(abi: syscall_tables::Arch, number: u64, args: &[u64; 6], pc: u64) -> [u8; 64] {
    let big = abi.info().big_endian;
    let mut bytes = [0; 64];
    let mut put = |at: usize, value: u64, size: usize| {
        let room = &mut bytes[at..at + size];
        room.copy_from_slice(&value.to_le_bytes()[..size]);
        if big {
            room.reverse();
        }
    };
    put(0, number, 4);
    put(4, u64::from(trace::audit_arch(abi)), 4);
    put(8, pc, 8);
    for (index, &arg) in args.iter().enumerate() {
        put(16 + 8 * index, if abi.info().word == 4 { arg & 0xffff_ffff } else { arg }, 8);
    }
    bytes
}

impl Data {
    fn word(&self, at: u32) -> u32 {
        let raw =
            self.bytes[at as usize..at as usize + 4].try_into().expect("four bytes, checked at installation");
        if self.big { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) }
    }
}

/// Classic BPF: classes, sizes, modes and operations (UAPI `linux/bpf_common.h`).
mod bpf {
    pub const LD: u16 = 0;
    pub const LDX: u16 = 1;
    pub const ST: u16 = 2;
    pub const STX: u16 = 3;
    pub const ALU: u16 = 4;
    pub const JMP: u16 = 5;
    pub const RET: u16 = 6;
    pub const ABS: u16 = 0x20;
    pub const MEM: u16 = 0x60;
    pub const LEN: u16 = 0x80;
    pub const X: u16 = 8;
    pub const A: u16 = 0x10;
    pub const TXA: u16 = 0x80;
}

const DATA_SIZE: u32 = 64;
const CELLS: usize = 16;

/// Runs a checked program.
fn evaluate(program: &[Insn], data: &Data) -> u32 {
    let (mut a, mut x, mut cells, mut pc) = (0u32, 0u32, [0u32; CELLS], 0usize);
    loop {
        let Some(&Insn { code, jt, jf, k }) = program.get(pc) else { return ret::KILL_THREAD };
        pc += 1;
        let source = if code & bpf::X != 0 { x } else { k };
        match code & 7 {
            bpf::LD => {
                a = match code & 0xe0 {
                    bpf::ABS => data.word(k),
                    bpf::LEN => DATA_SIZE,
                    bpf::MEM => cells[k as usize],
                    _ => k,
                };
            }
            bpf::LDX => {
                x = match code & 0xe0 {
                    bpf::LEN => DATA_SIZE,
                    bpf::MEM => cells[k as usize],
                    _ => k,
                };
            }
            bpf::ST => cells[k as usize] = a,
            bpf::STX => cells[k as usize] = x,
            bpf::ALU => {
                a = match code & 0xf0 {
                    0x00 => a.wrapping_add(source),
                    0x10 => a.wrapping_sub(source),
                    0x20 => a.wrapping_mul(source),
                    0x30 => match a.checked_div(source) {
                        Some(value) => value,
                        None => return 0,
                    },
                    0x40 => a | source,
                    0x50 => a & source,
                    0x60 => a.wrapping_shl(source),
                    0x70 => a.wrapping_shr(source),
                    0x80 => a.wrapping_neg(),
                    _ => a ^ source,
                };
            }
            bpf::JMP => {
                let taken = match code & 0xf0 {
                    0x00 => {
                        pc += k as usize;
                        continue;
                    }
                    0x10 => a == source,
                    0x20 => a > source,
                    0x30 => a >= source,
                    _ => a & source != 0,
                };
                pc += usize::from(if taken { jt } else { jf });
            }
            bpf::RET => return if code & 0x18 == bpf::A { a } else { k },
            _ => {
                if code & 0xf8 == bpf::TXA {
                    a = x;
                } else {
                    x = a;
                }
            }
        }
    }
}

/// The kernel's `bpf_check_classic` and `seccomp_check_filter`: only known instructions, jumps forward and inside, cells
/// written before they are read on every way, a return at the end.
fn checked(program: &[Insn]) -> bool {
    let len = program.len();
    if len == 0 || len > 4096 {
        return false;
    }
    // Which cells are surely written on arrival.
    let mut written = vec![u16::MAX; len];
    let mut valid = 0u16;
    for (index, insn) in program.iter().enumerate() {
        valid &= written[index];
        let k = insn.k;
        let cell = (k as usize) < CELLS;
        let reads = |cells: u16| cell && cells >> k & 1 != 0;
        let good = match insn.code {
            // LD W ABS, as seccomp allows it; LD and LDX IMM, LEN; MEM.
            0x20 => k.is_multiple_of(4) && k < DATA_SIZE,
            0x00 | 0x01 | 0x80 | 0x81 | 0x07 | 0x87 | 0x06 | 0x16 => true,
            0x60 | 0x61 => reads(valid),
            0x02 | 0x03 => {
                valid |= if cell { 1 << k } else { 0 };
                cell
            }
            0x04 | 0x0c | 0x14 | 0x1c | 0x24 | 0x2c | 0x3c | 0x44 | 0x4c | 0x54 | 0x5c | 0x6c | 0x7c
            | 0x84 | 0xa4 | 0xac => true,
            0x34 => k != 0,
            0x64 | 0x74 => k < 32,
            0x05 => {
                let to = index + 1 + k as usize;
                if to < len {
                    written[to] &= valid;
                }
                valid = u16::MAX;
                (k as usize) < len && to < len
            }
            0x15 | 0x1d | 0x25 | 0x2d | 0x35 | 0x3d | 0x45 | 0x4d => {
                let ways = [index + 1 + usize::from(insn.jt), index + 1 + usize::from(insn.jf)];
                for to in ways.into_iter().filter(|&to| to < len) {
                    written[to] &= valid;
                }
                valid = u16::MAX;
                ways.into_iter().all(|to| to < len)
            }
            _ => false,
        };
        if !good {
            return false;
        }
    }
    matches!(program[len - 1].code, 0x06 | 0x16)
}

fn read_program(cx: &SysCx<'_>, addr: u64) -> Result<Vec<Insn>, Errno> {
    let info = cx.abi.info();
    let mut raw = [0; 2];
    cx.mem.copy_in(addr, &mut raw)?;
    let short =
        |raw: [u8; 2]| if info.big_endian { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) };
    let len = usize::from(short(raw));
    if len == 0 || len > 4096 {
        return Err(Errno::EINVAL);
    }
    let mut bytes = vec![0; len * 8];
    cx.mem.copy_in(cx.read_long(addr + info.word as u64)?, &mut bytes)?;
    let insn = |b: &[u8]| {
        let k = [b[4], b[5], b[6], b[7]];
        let k = if info.big_endian { u32::from_be_bytes(k) } else { u32::from_le_bytes(k) };
        Insn { code: short([b[0], b[1]]), jt: b[2], jf: b[3], k }
    };
    let program: Vec<Insn> = bytes.chunks_exact(8).map(insn).collect();
    if checked(&program) { Ok(program) } else { Err(Errno::EINVAL) }
}

fn may_install() -> bool {
    if raw_syscall(libc::SYS_prctl, [libc::PR_GET_NO_NEW_PRIVS as u64, 0, 0, 0, 0, 0]) == Ok(1) {
        return true;
    }
    const CAP_SYS_ADMIN: u32 = 21;
    let header = [0x2008_0522u32, 0];
    let mut data = [0u32; 6];
    let args = [header.as_ptr() as u64, data.as_mut_ptr() as u64, 0, 0, 0, 0];
    raw_syscall(libc::SYS_capget, args).is_ok() && data[0] >> CAP_SYS_ADMIN & 1 != 0
}

fn set_strict(task: &mut Task) -> SysResult {
    if task.seccomp.mode() == FILTER {
        return Err(Errno::EINVAL);
    }
    crate::syscall::fast::watch();
    task.seccomp.mode.store(STRICT, Ordering::Release);
    Ok(0)
}

/// True if `old` is `new` or was installed before it.
fn is_ancestor(old: Option<&Arc<Filter>>, new: Option<&Arc<Filter>>) -> bool {
    let Some(old) = old else { return true };
    let mut next = new;
    while let Some(filter) = next {
        if Arc::ptr_eq(filter, old) {
            return true;
        }
        next = filter.former.as_ref();
    }
    false
}

fn set_filter(cx: &mut SysCx<'_>, flags: u64, addr: u64) -> SysResult {
    if flags & !flag::ALL != 0
        || flags & flag::TSYNC != 0 && flags & flag::NEW_LISTENER != 0 && flags & flag::TSYNC_ESRCH == 0
        || flags & flag::WAIT_KILLABLE_RECV != 0 && flags & flag::NEW_LISTENER == 0
    {
        return Err(Errno::EINVAL);
    }
    let program = read_program(cx, addr)?;
    if !may_install() {
        return Err(Errno::EACCES);
    }
    let task = &mut *cx.task;
    if task.seccomp.mode() == STRICT {
        return Err(Errno::EINVAL);
    }
    let former = lock(&task.seccomp.filter).clone();
    let threads = lock(&task.process.threads);
    if flags & flag::TSYNC != 0 {
        for entry in threads.iter().filter(|entry| entry.tid != task.tid) {
            // SAFETY: an entry is removed before its thread frees its state, and we hold the list.
            let other = unsafe { &*entry.seccomp };
            let theirs = lock(&other.filter).clone();
            if other.mode() == STRICT || !is_ancestor(theirs.as_ref(), former.as_ref()) {
                return if flags & flag::TSYNC_ESRCH != 0 { Err(Errno::ESRCH) } else { Ok(entry.tid as u64) };
            }
        }
    }
    let listener = if flags & flag::NEW_LISTENER != 0 { Some(host_listener(flags)?) } else { None };
    crate::syscall::fast::watch();
    let filter = Arc::new(Filter { program, former });
    task.seccomp.set(filter.clone());
    if flags & flag::TSYNC != 0 {
        for entry in threads.iter().filter(|entry| entry.tid != task.tid) {
            // SAFETY: as above.
            unsafe { &*entry.seccomp }.set(filter.clone());
            let value = u64::from(request::SECCOMP);
            let _ = host_signal::send_request(task.process.pid(), entry.tid, value);
        }
    }
    Ok(listener.unwrap_or(0))
}

/// A thread got a filter by another's TSYNC: it may not gain privileges from now on either.
pub fn attend(task: &Task) {
    if task.slots.take_request(request::SECCOMP).is_some() {
        let _ = raw_syscall(libc::SYS_prctl, [libc::PR_SET_NO_NEW_PRIVS as u64, 1, 0, 0, 0, 0]);
    }
}

/// The host's filter with a listener: all calls are allowed but those that stand for a guest's.
fn host_listener(flags: u64) -> SysResult {
    let insn = |code: u16, jt: u8, jf: u8, k: u32| libc::sock_filter { code, jt, jf, k };
    let program = [
        insn(0x20, 0, 0, 0),
        insn(0x35, 0, 2, NOTIFY_BASE),
        insn(0x35, 1, 0, 2 * NOTIFY_BASE),
        insn(0x06, 0, 0, ret::USER_NOTIF),
        insn(0x06, 0, 0, ret::ALLOW),
    ];
    let head = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    let flags = flags & (flag::NEW_LISTENER | flag::WAIT_KILLABLE_RECV);
    raw_syscall(libc::SYS_seccomp, [1, flags, &raw const head as u64, 0, 0, 0])
}

/// `seccomp`
pub fn sys_seccomp(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let (operation, flags, addr) = (a[0] as u32, a[1] & 0xffff_ffff, a[2]);
    match operation {
        0 if flags != 0 || addr != 0 => Err(Errno::EINVAL),
        0 => set_strict(cx.task),
        1 => set_filter(cx, flags, addr),
        // GET_ACTION_AVAIL
        2 if flags != 0 => Err(Errno::EINVAL),
        2 => {
            let mut raw = [0; 4];
            cx.mem.copy_in(addr, &mut raw)?;
            let action =
                if cx.abi.info().big_endian { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) };
            let known = [
                ret::KILL_PROCESS,
                ret::KILL_THREAD,
                ret::TRAP,
                ret::ERRNO,
                ret::USER_NOTIF,
                ret::TRACE,
                ret::LOG,
                ret::ALLOW,
            ];
            if known.contains(&action) { Ok(0) } else { Err(Errno::EOPNOTSUPP) }
        }
        // GET_NOTIF_SIZES: the structures have no machine's layout.
        3 if flags != 0 => Err(Errno::EINVAL),
        3 => {
            let sizes: [u16; 3] = [80, 24, 64];
            for (index, size) in sizes.into_iter().enumerate() {
                let size = if cx.abi.info().big_endian { size.swap_bytes() } else { size };
                cx.mem.write(addr + 2 * index as u64, &size)?;
            }
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// `PR_SET_SECCOMP`
pub fn prctl_set(cx: &mut SysCx<'_>, mode: u64, addr: u64) -> SysResult {
    match mode as u32 {
        STRICT => set_strict(cx.task),
        FILTER => set_filter(cx, 0, addr),
        _ => Err(Errno::EINVAL),
    }
}

/// `PR_GET_SECCOMP`
pub fn prctl_get(task: &Task) -> SysResult {
    Ok(u64::from(task.seccomp.mode()))
}

/// Requests of a listener whose structures hold call numbers: RECV and SEND. None: not one of these.
pub fn notification_ioctl(cx: &mut SysCx<'_>, fd: u64, nr: u64, addr: u64) -> Option<SysResult> {
    const RECV: u64 = 0xc050_2100;
    const SEND: u64 = 0xc018_2101;
    if cx.abi.info().big_endian || !matches!(nr, RECV | SEND) {
        return None;
    }
    Some(notification(cx, fd, nr, addr, nr == RECV))
}

fn notification(cx: &mut SysCx<'_>, fd: u64, nr: u64, addr: u64, receive: bool) -> SysResult {
    let mut bytes = [0u8; 80];
    let len = if receive { 80 } else { 24 };
    cx.mem.copy_in(addr, &mut bytes[..len])?;
    const FLAG_CONTINUE: u32 = 1;
    if !receive && u32::from_le_bytes([bytes[20], bytes[21], bytes[22], bytes[23]]) == FLAG_CONTINUE {
        if bytes[8..20] != [0; 12] {
            return Err(Errno::EINVAL);
        }
        bytes[8..16].copy_from_slice(&CONTINUE.to_le_bytes());
        bytes[20..24].copy_from_slice(&[0; 4]);
    }
    let result = safe_syscall(libc::SYS_ioctl, [fd, nr, bytes.as_mut_ptr() as u64, 0, 0, 0])?;
    if receive {
        let number = u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]);
        bytes[16..20].copy_from_slice(&number.wrapping_sub(NOTIFY_BASE).to_le_bytes());
        bytes[20..24].copy_from_slice(&trace::audit_arch(cx.abi).to_le_bytes());
        cx.mem.copy_out(addr, &bytes)?;
    }
    Ok(result)
}

/// The thread's filters for the next emulator: a descriptor, which exec keeps open.
pub fn for_exec(task: &Task) -> Result<Option<i32>, Errno> {
    if task.seccomp.mode() != FILTER {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let filter = lock(&task.seccomp.filter).clone();
    let mut next = filter.as_deref();
    while let Some(filter) = next {
        bytes.extend((filter.program.len() as u32).to_ne_bytes());
        for insn in &filter.program {
            bytes.extend(insn.code.to_ne_bytes());
            bytes.extend([insn.jt, insn.jf]);
            bytes.extend(insn.k.to_ne_bytes());
        }
        next = filter.former.as_deref();
    }
    let fd = raw_syscall(libc::SYS_memfd_create, [c"seccomp".as_ptr() as u64, 0, 0, 0, 0, 0])? as i32;
    // SAFETY: a fresh descriptor, which stays open.
    let file = std::mem::ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(fd) });
    file.write_all_at(&bytes, 0)?;
    Ok(Some(fd))
}

/// Takes over what [`for_exec`] left; the descriptor is closed.
pub fn after_exec(task: &Task, fd: i32) {
    // SAFETY: the former emulator opened it for us.
    let file = unsafe { std::fs::File::from_raw_fd(fd) };
    let mut bytes = vec![0; file.metadata().map_or(0, |meta| meta.len() as usize)];
    if file.read_exact_at(&mut bytes, 0).is_err() {
        return;
    }
    let mut programs = Vec::new();
    let mut rest = &bytes[..];
    while let Some((head, tail)) = rest.split_at_checked(4) {
        let len = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]) as usize * 8;
        let Some((body, tail)) = tail.split_at_checked(len) else { return };
        let insn = |b: &[u8]| Insn {
            code: u16::from_ne_bytes([b[0], b[1]]),
            jt: b[2],
            jf: b[3],
            k: u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
        };
        programs.push(body.chunks_exact(8).map(insn).collect::<Vec<_>>());
        rest = tail;
    }
    // Newest first in the file.
    let mut filter = None;
    for program in programs.into_iter().rev().filter(|program| checked(program)) {
        filter = Some(Arc::new(Filter { program, former: filter }));
    }
    if let Some(filter) = filter {
        crate::syscall::fast::watch();
        task.seccomp.set(filter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insn(code: u16, jt: u8, jf: u8, k: u32) -> Insn {
        Insn { code, jt, jf, k }
    }

    #[test]
    fn programs_see_number_arch_and_arguments() {
        let abi = syscall_tables::Arch::Aarch64;
        let data =
            Data { bytes: data_bytes(abi, 57, &[0x1_0000_0002, 0, 0, 0, 0, 9], 0x40_0000), big: false };
        assert_eq!((data.word(0), data.word(4)), (57, 0xc000_00b7));
        assert_eq!((data.word(16), data.word(20), data.word(56)), (2, 1, 9));
        let program = [
            insn(0x20, 0, 0, 0),
            insn(0x15, 0, 1, 57),
            insn(0x06, 0, 0, ret::ERRNO | 7),
            insn(0x06, 0, 0, ret::ALLOW),
        ];
        assert!(checked(&program));
        assert_eq!(evaluate(&program, &data), ret::ERRNO | 7);
    }

    #[test]
    fn bad_programs_are_refused() {
        let end = insn(0x06, 0, 0, ret::ALLOW);
        assert!(!checked(&[]));
        assert!(!checked(&[insn(0x20, 0, 0, 0)]), "no return");
        assert!(!checked(&[insn(0x20, 0, 0, 64), end]), "past the data");
        assert!(!checked(&[insn(0x20, 0, 0, 2), end]), "misaligned");
        assert!(!checked(&[insn(0x05, 0, 0, 1), end]), "jump past the end");
        assert!(!checked(&[insn(0x34, 0, 0, 0), end]), "division by zero");
        assert!(!checked(&[insn(0x60, 0, 0, 3), end]), "cell that was never written");
        assert!(checked(&[insn(0x02, 0, 0, 3), insn(0x60, 0, 0, 3), end]));
        assert!(!checked(&[insn(0x28, 0, 0, 0), end]), "half word");
    }
}
