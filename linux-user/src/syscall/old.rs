//! Calls of Linux's first years: those that hold several calls in one (`socketcall`, `ipc`), and those whose structures
//! have become too small.

use super::SysCx;
use crate::errno::{Errno, SysResult};
use crate::sys::{raw_syscall, safe_syscall};
use syscall_tables::{CallId, HOST, Ty, layout, structs};

/// A call that was in another: which, its registers, and where its result goes if that is not the result register.
pub struct Unpacked {
    /// The call.
    pub call: CallId,
    /// Its arguments as registers hold them.
    pub regs: [u64; 6],
    /// The address of a word for the result.
    pub store: Option<u64>,
}

/// The sub-calls of `socketcall`, from number 1 on, and how many arguments each has (UAPI `linux/net.h`).
const SOCKET_CALLS: [(CallId, usize); 20] = [
    (CallId::Socket, 3),
    (CallId::Bind, 3),
    (CallId::Connect, 3),
    (CallId::Listen, 2),
    (CallId::Accept, 3),
    (CallId::Getsockname, 3),
    (CallId::Getpeername, 3),
    (CallId::Socketpair, 4),
    (CallId::Send, 4),
    (CallId::Recv, 4),
    (CallId::Sendto, 6),
    (CallId::Recvfrom, 6),
    (CallId::Shutdown, 2),
    (CallId::Setsockopt, 5),
    (CallId::Getsockopt, 5),
    (CallId::Sendmsg, 3),
    (CallId::Recvmsg, 3),
    (CallId::Accept4, 4),
    (CallId::Recvmmsg, 5),
    (CallId::Sendmmsg, 4),
];

/// What is in a `socketcall` or an `ipc`; `None` for any other call.
pub fn unpack(cx: &SysCx<'_>, call: CallId, a: &[u64; 6]) -> Option<Result<Unpacked, Errno>> {
    match call {
        CallId::Socketcall => Some(socket_call(cx, a)),
        CallId::Ipc => Some(ipc_call(cx, a)),
        // Where there is a newer form, the old name takes one pointer to its arguments.
        CallId::Select if has(cx, CallId::Newselect) => Some(in_memory(cx, call, a[0], 5)),
        CallId::Mmap if has(cx, CallId::Mmap2) => Some(in_memory(cx, call, a[0], 6)),
        _ => None,
    }
}

fn has(cx: &SysCx<'_>, newer: CallId) -> bool {
    cx.abi.info().numbers.number_of(newer).is_some()
}

/// A call whose arguments are words in memory.
fn in_memory(cx: &SysCx<'_>, call: CallId, addr: u64, count: usize) -> Result<Unpacked, Errno> {
    let mut regs = [0; 6];
    for (n, reg) in regs.iter_mut().take(count).enumerate() {
        *reg = cx.read_long(addr.wrapping_add((n * cx.abi.info().word) as u64))?;
    }
    Ok(Unpacked { call, regs, store: None })
}

fn socket_call(cx: &SysCx<'_>, a: &[u64; 6]) -> Result<Unpacked, Errno> {
    let index = (a[0] as u32).wrapping_sub(1) as usize;
    let &(call, count) = SOCKET_CALLS.get(index).ok_or(Errno::EINVAL)?;
    in_memory(cx, call, a[1], count)
}

/// `ipc(call, first, second, third, ptr, fifth)`; the upper half of `call` is a version (UAPI `linux/ipc.h`).
fn ipc_call(cx: &SysCx<'_>, a: &[u64; 6]) -> Result<Unpacked, Errno> {
    let (version, number) = (a[0] >> 16 & 0xffff, a[0] & 0xffff);
    let [_, first, second, third, ptr, fifth] = *a;
    let word = cx.abi.info().word as u64;
    let mut store = None;
    let (call, regs) = match number {
        1 => (CallId::Semop, [first, ptr, second, 0, 0, 0]),
        2 => (CallId::Semget, [first, second, third, 0, 0, 0]),
        3 => (CallId::Semctl, [first, second, third, cx.read_long(ptr)?, 0, 0]),
        4 => (CallId::Semtimedop, [first, ptr, second, fifth, 0, 0]),
        11 => (CallId::Msgsnd, [first, ptr, second, third, 0, 0]),
        12 if version == 0 => {
            let (message, kind) = (cx.read_long(ptr)?, cx.read_long(ptr.wrapping_add(word))?);
            (CallId::Msgrcv, [first, message, second, kind, third, 0])
        }
        12 => (CallId::Msgrcv, [first, ptr, second, fifth, third, 0]),
        13 => (CallId::Msgget, [first, second, 0, 0, 0, 0]),
        14 => (CallId::Msgctl, [first, second, ptr, 0, 0, 0]),
        21 if version == 1 => return Err(Errno::EINVAL),
        21 => {
            store = Some(third);
            (CallId::Shmat, [first, ptr, second, 0, 0, 0])
        }
        22 => (CallId::Shmdt, [ptr, 0, 0, 0, 0, 0]),
        23 => (CallId::Shmget, [first, second, third, 0, 0, 0]),
        24 => (CallId::Shmctl, [first, second, ptr, 0, 0, 0]),
        _ => return Err(Errno::ENOSYS),
    };
    Ok(Unpacked { call, regs, store })
}

/// `socketcall`: `dispatch` has unpacked it, unless it could not be.
pub fn sys_socketcall(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    socket_call(cx, a).and(Err(Errno::EINVAL))
}

/// `ipc`: see [`sys_socketcall`].
pub fn sys_ipc(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    ipc_call(cx, a).and(Err(Errno::EINVAL))
}

/// `stime`: seconds only.
pub fn sys_stime(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let seconds = cx.read_long(a[0])?;
    let seconds = if cx.abi.info().word == 4 { seconds as u32 as i32 as i64 as u64 } else { seconds };
    let time = [seconds, 0u64];
    safe_syscall(libc::SYS_clock_settime, [libc::CLOCK_REALTIME as u64, time.as_ptr() as u64, 0, 0, 0, 0])
}

/// The fields of `uname` in an older structure, each of `room` bytes with its end.
fn old_uname(cx: &mut SysCx<'_>, addr: u64, room: usize) -> SysResult {
    let name = super::misc::host_uname(cx)?;
    let bytes: &[u8] = bytemuck::cast_slice(&name);
    let places = layout(structs::UTSNAME, HOST);
    let mut out = Vec::new();
    for field in ["sysname", "nodename", "release", "version", "machine"] {
        let at = places.field(field).map_or(0, |f| f.offset);
        let text = bytes[at..at + 65].split(|byte| *byte == 0).next().unwrap_or_default();
        let mut text = text[..text.len().min(room - 1)].to_vec();
        text.resize(room, 0);
        out.extend_from_slice(&text);
    }
    cx.mem.copy_out(addr, &out)?;
    Ok(0)
}

/// `olduname`: without the domain's name.
pub fn sys_olduname(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    old_uname(cx, a[0], 65)
}

/// `oldolduname`: names of eight characters.
pub fn sys_oldolduname(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    old_uname(cx, a[0], 9)
}

/// The kernel's `cp_old_stat`: `struct __old_kernel_stat` has seven shorts and four words.
fn put_old_stat(cx: &SysCx<'_>, addr: u64, stat: &libc::stat) -> SysResult {
    let short = |value: u64| u16::try_from(value).map_err(|_| Errno::EOVERFLOW);
    let (major, minor) = (stat.st_dev >> 8 & 0xfff, stat.st_dev & 0xff | stat.st_dev >> 12 & 0xf_ff00);
    let old_device = |major: u64, minor: u64| short((minor & 0xff) | major << 8);
    let shorts = [
        old_device(major, minor)?,
        short(stat.st_ino)?,
        stat.st_mode as u16,
        short(stat.st_nlink)?,
        // Identities that do not fit are the overflow user's, as in the kernel.
        u16::try_from(stat.st_uid).unwrap_or(65534),
        u16::try_from(stat.st_gid).unwrap_or(65534),
        old_device(stat.st_rdev >> 8 & 0xfff, stat.st_rdev & 0xff)?,
    ];
    if stat.st_size > 0x7fff_ffff {
        return Err(Errno::EOVERFLOW);
    }
    let words = [stat.st_size, stat.st_atime, stat.st_mtime, stat.st_ctime];
    let mut out = Vec::new();
    let mut put = |ty: Ty, value: u64| {
        let mut bytes = [0; 8];
        let (size, _) = syscall_tables::element(ty, cx.abi);
        syscall_tables::convert(ty, HOST, &value.to_ne_bytes(), cx.abi, &mut bytes);
        out.resize(out.len().next_multiple_of(size), 0);
        out.extend_from_slice(&bytes[..size]);
    };
    shorts.iter().for_each(|value| put(Ty::U16, u64::from(*value)));
    words.iter().for_each(|value| put(Ty::ULong, *value as u64));
    cx.mem.copy_out(addr, &out)?;
    Ok(0)
}

fn old_stat(cx: &SysCx<'_>, path: u64, addr: u64, flags: i32) -> SysResult {
    let path = cx.path(path)?;
    let path = cx.host_path(&path, flags == 0);
    // SAFETY: an all-zero structure is valid, and the kernel fills it.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    let at = libc::AT_FDCWD as u64;
    let args = [at, path.as_ptr() as u64, &raw mut stat as u64, flags as u64, 0, 0];
    safe_syscall(libc::SYS_newfstatat, args)?;
    put_old_stat(cx, addr, &stat)
}

/// `oldstat`
pub fn sys_oldstat(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    old_stat(cx, a[0], a[1], 0)
}

/// `oldlstat`
pub fn sys_oldlstat(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    old_stat(cx, a[0], a[1], libc::AT_SYMLINK_NOFOLLOW)
}

/// `oldfstat`
pub fn sys_oldfstat(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    // SAFETY: as above.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    raw_syscall(libc::SYS_fstat, [a[0], &raw mut stat as u64, 0, 0, 0, 0])?;
    put_old_stat(cx, a[1], &stat)
}
