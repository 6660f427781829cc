//! Messages and socket options of guests whose data have another form than the host's: vectors, names and control data
//! are converted through host copies. Guests with the host's form go straight to the kernel.

use super::SysCx;
use super::plain::{iovec, native, read_struct, run, write_struct};
use crate::errno::{Errno, SysResult};
use crate::sys::{raw_syscall, safe_syscall};
use syscall_tables::{CallId, HOST, StructId, Ty, element, layout, read_scalar, structs};

/// More control data than the kernel takes.
const MAX_CONTROL: usize = 1 << 20;
/// Longest socket address.
const MAX_NAME: usize = 128;
/// The most messages of one call (UIO_MAXIOV).
const MAX_MESSAGES: u64 = 1024;
/// Control data of a message with time stamps: the old forms are pairs of longs.
const TIME_STAMPS: [i32; 2] = [libc::SCM_TIMESTAMP, libc::SCM_TIMESTAMPNS];

/// A guest message header.
struct Header {
    name: u64,
    name_len: u64,
    iov: u64,
    iov_len: u64,
    control: u64,
    control_len: u64,
    at: u64,
}

fn field(id: StructId, cx: &SysCx<'_>, name: &str) -> (u64, usize) {
    layout(id, cx.abi).field(name).map_or((0, 0), |f| (f.offset as u64, f.size))
}

impl Header {
    fn read(cx: &SysCx<'_>, at: u64) -> Result<Header, Errno> {
        let mut raw = vec![0; element(Ty::Struct(structs::MSGHDR), cx.abi).0];
        cx.mem.copy_in(at, &mut raw)?;
        let places = layout(structs::MSGHDR, cx.abi);
        let get = |name| places.field(name).map_or(0, |f| f.get(&raw, cx.abi));
        Ok(Header {
            name: get("msg_name"),
            name_len: get("msg_namelen"),
            iov: get("msg_iov"),
            iov_len: get("msg_iovlen"),
            control: get("msg_control"),
            control_len: get("msg_controllen"),
            at,
        })
    }

    /// Writes one field of the guest's header.
    fn put(&self, cx: &SysCx<'_>, name: &str, value: u64) -> Result<(), Errno> {
        let (offset, size) = field(structs::MSGHDR, cx, name);
        let ty = if size == 8 { Ty::U64 } else { Ty::U32 };
        let mut raw = [0; 8];
        syscall_tables::convert(ty, HOST, &value.to_ne_bytes()[..size], cx.abi, &mut raw);
        cx.mem.copy_out(self.at + offset, &raw[..size])
    }
}

/// The host's header with what it points to.
struct Message {
    header: libc::msghdr,
    vector: Vec<[u64; 2]>,
    name: Vec<u8>,
    control: Vec<u64>,
}

impl Message {
    fn new(cx: &SysCx<'_>, guest: &Header, send: bool) -> Result<Box<Message>, Errno> {
        let vector = iovec(cx, guest.iov, guest.iov_len as usize).map_err(|errno| {
            if errno == Errno::EINVAL && guest.iov_len > 1024 { Errno::EMSGSIZE } else { errno }
        })?;
        let mut name = Vec::new();
        if guest.name != 0 {
            if guest.name_len as i32 <= -1 {
                return Err(Errno::EINVAL);
            }
            name = vec![0; (guest.name_len as usize).min(MAX_NAME)];
            if send {
                cx.mem.copy_in(guest.name, &mut name)?;
                to_host_family(cx, &mut name);
            }
        }
        let mut control = Vec::new();
        if guest.control != 0 && guest.control_len != 0 {
            let len = guest.control_len as usize;
            if len > MAX_CONTROL {
                return Err(Errno::ENOBUFS);
            }
            if send {
                let mut raw = vec![0; len];
                cx.mem.copy_in(guest.control, &mut raw)?;
                control = control_to_host(cx, &raw)?;
            } else {
                // Ours are longer by padding, one of the guest's at least a header.
                control = vec![0; len.div_ceil(8) * 2 + 2];
            }
        }
        // SAFETY: an all-zero header is valid.
        let mut message = Box::new(Message { header: unsafe { std::mem::zeroed() }, vector, name, control });
        let m = &mut *message;
        let h = &mut m.header;
        if !m.name.is_empty() {
            h.msg_name = m.name.as_mut_ptr().cast();
            h.msg_namelen = m.name.len() as u32;
        }
        h.msg_iov = m.vector.as_mut_ptr().cast();
        h.msg_iovlen = m.vector.len();
        if !m.control.is_empty() {
            h.msg_control = m.control.as_mut_ptr().cast();
            h.msg_controllen = if send { m.control.len() * 8 } else { guest.control_len as usize + 4 };
        }
        Ok(message)
    }

    /// Gives the guest what was received besides the data.
    fn give(&self, cx: &SysCx<'_>, guest: &Header) -> Result<(), Errno> {
        let h = &self.header;
        if guest.name != 0 {
            let mut name = self.name[..(h.msg_namelen as usize).min(self.name.len())].to_vec();
            to_host_family(cx, &mut name);
            cx.mem.copy_out(guest.name, &name)?;
            guest.put(cx, "msg_namelen", u64::from(h.msg_namelen))?;
        }
        let mut flags = h.msg_flags as u64;
        if guest.control != 0 {
            let bytes: &[u8] = bytemuck::cast_slice(&self.control);
            let (out, cut) =
                control_to_guest(cx, &bytes[..h.msg_controllen.min(bytes.len())], guest.control_len as usize);
            if cut {
                flags |= libc::MSG_CTRUNC as u64;
            }
            cx.mem.copy_out(guest.control, &out)?;
            guest.put(cx, "msg_controllen", out.len() as u64)?;
        } else {
            guest.put(cx, "msg_controllen", 0)?;
        }
        guest.put(cx, "msg_flags", flags)
    }
}

/// The family of a socket address is in the machine's byte order; the rest of the common ones is in the network's.
fn to_host_family(cx: &SysCx<'_>, name: &mut [u8]) {
    if cx.abi.info().big_endian && name.len() >= 2 {
        name.swap(0, 1);
    }
}

/// Header and alignment of control messages: a word and two integers.
fn control_header(word: usize) -> usize {
    (word + 8).next_multiple_of(word)
}

fn int(cx: &SysCx<'_>, bytes: &[u8]) -> i32 {
    read_scalar(Ty::I32, bytes, cx.abi) as i32
}

/// Socket-level control data are integers; those of other levels that are not bytes are rare.
fn swap_ints(cx: &SysCx<'_>, level: i32, data: &mut [u8]) {
    if cx.abi.info().big_endian && level == libc::SOL_SOCKET {
        data.chunks_exact_mut(4).for_each(<[u8]>::reverse);
    }
}

fn control_to_host(cx: &SysCx<'_>, raw: &[u8]) -> Result<Vec<u64>, Errno> {
    let word = cx.abi.info().word;
    let head = control_header(word);
    let mut out: Vec<u8> = Vec::new();
    let mut at = 0;
    while raw.len() - at >= head {
        let len = read_scalar(Ty::ULong, &raw[at..], cx.abi) as usize;
        if len < head || len > raw.len() - at {
            return Err(Errno::EINVAL);
        }
        let (level, kind) = (int(cx, &raw[at + word..]), int(cx, &raw[at + word + 4..]));
        let mut data = raw[at + head..at + len].to_vec();
        swap_ints(cx, level, &mut data);
        out.extend_from_slice(&(16 + data.len()).to_ne_bytes());
        out.extend_from_slice(&level.to_ne_bytes());
        out.extend_from_slice(&kind.to_ne_bytes());
        out.extend_from_slice(&data);
        out.resize(out.len().next_multiple_of(8), 0);
        at = (at + len.next_multiple_of(word)).min(raw.len());
    }
    Ok(out.chunks_exact(8).map(|c| u64::from_ne_bytes(c.try_into().expect("8 bytes"))).collect())
}

/// The guest's form of received control data, and whether some did not fit; descriptors that did not are closed.
fn control_to_guest(cx: &SysCx<'_>, host: &[u8], room: usize) -> (Vec<u8>, bool) {
    let info = cx.abi.info();
    let word = info.word;
    let head = control_header(word);
    let mut out = Vec::new();
    let mut cut = false;
    let mut at = 0;
    while host.len() - at >= 16 {
        let len = usize::from_ne_bytes(host[at..at + 8].try_into().expect("8 bytes"));
        if len < 16 || len > host.len() - at {
            break;
        }
        let number = |i: usize| i32::from_ne_bytes(host[at + i..at + i + 4].try_into().expect("4 bytes"));
        let (level, kind) = (number(8), number(12));
        let mut data = host[at + 16..at + len].to_vec();
        if level == libc::SOL_SOCKET && TIME_STAMPS.contains(&kind) && data.len() == 16 && word == 4 {
            data = [&data[..4], &data[8..12]].concat();
        }
        let rights = level == libc::SOL_SOCKET && kind == libc::SCM_RIGHTS;
        let space = room.saturating_sub(out.len() + head);
        if data.len() > space {
            cut = true;
            let keep = if rights { space & !3 } else { 0 };
            if rights {
                for fd in data[keep..].chunks_exact(4) {
                    let fd = i32::from_ne_bytes(fd.try_into().expect("4 bytes"));
                    let _ = raw_syscall(libc::SYS_close, [fd as u64, 0, 0, 0, 0, 0]);
                }
            }
            data.truncate(keep);
        }
        if data.is_empty() && cut {
            break;
        }
        swap_ints(cx, level, &mut data);
        let mut record = vec![0; head];
        let mut put = |at: usize, ty: Ty, value: u64| {
            let size = element(ty, HOST).0;
            syscall_tables::convert(ty, HOST, &value.to_ne_bytes()[..size], cx.abi, &mut record[at..]);
        };
        put(0, Ty::ULong, (head + data.len()) as u64);
        put(word, Ty::I32, level as u64);
        put(word + 4, Ty::I32, kind as u64);
        out.extend_from_slice(&record);
        out.extend_from_slice(&data);
        out.resize(out.len().next_multiple_of(word).min(room.max(out.len())), 0);
        at = (at + len.next_multiple_of(8)).min(host.len());
    }
    (out, cut)
}

/// `send`: `sendto` without an address.
pub fn sys_send(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    run(cx, CallId::Sendto.desc(), &[a[0], a[1], a[2], a[3], 0, 0])
}

/// `recv`: `recvfrom` without an address.
pub fn sys_recv(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    run(cx, CallId::Recvfrom.desc(), &[a[0], a[1], a[2], a[3], 0, 0])
}

/// `sendmsg`
pub fn sys_sendmsg(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if let Some(result) = native(cx, CallId::Sendmsg, a) {
        return result;
    }
    let guest = Header::read(cx, a[1])?;
    let message = Message::new(cx, &guest, true)?;
    safe_syscall(libc::SYS_sendmsg, [a[0], &raw const message.header as u64, a[2], 0, 0, 0])
}

/// `recvmsg`
pub fn sys_recvmsg(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if let Some(result) = native(cx, CallId::Recvmsg, a) {
        return result;
    }
    let guest = Header::read(cx, a[1])?;
    let mut message = Message::new(cx, &guest, false)?;
    let got = safe_syscall(libc::SYS_recvmsg, [a[0], &raw mut message.header as u64, a[2], 0, 0, 0])?;
    message.give(cx, &guest)?;
    Ok(got)
}

/// Writes `msg_len` of the n-th `mmsghdr`.
fn put_len(cx: &SysCx<'_>, at: u64, len: u64) -> Result<(), Errno> {
    let (offset, _) = field(structs::MMSGHDR, cx, "msg_len");
    write_struct(cx, Ty::U32, at + offset, &[len])
}

/// `sendmmsg`
pub fn sys_sendmmsg(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if let Some(result) = native(cx, CallId::Sendmmsg, a) {
        return result;
    }
    let step = element(Ty::Struct(structs::MMSGHDR), cx.abi).0 as u64;
    let mut done = 0;
    while done < a[2].min(MAX_MESSAGES) {
        let at = a[1].wrapping_add(done * step);
        match sys_sendmsg(cx, &[a[0], at, a[3], 0, 0, 0]) {
            Ok(len) => put_len(cx, at, len)?,
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
        done += 1;
    }
    Ok(done)
}

/// `recvmmsg`
pub fn sys_recvmmsg(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if let Some(result) = native(cx, CallId::Recvmmsg, a) {
        return result;
    }
    receive_many(cx, a, structs::TIMESPEC)
}

/// `recvmmsg_time64`
pub fn sys_recvmmsg_time64(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    receive_many(cx, a, structs::TIMESPEC64)
}

fn receive_many(cx: &mut SysCx<'_>, a: &[u64; 6], time_ty: StructId) -> SysResult {
    const WAIT_FOR_ONE: u64 = libc::MSG_WAITFORONE as u64;
    let start = std::time::Instant::now();
    let limit = if a[4] == 0 {
        None
    } else {
        let t = read_struct(cx, Ty::Struct(time_ty), a[4])?;
        if (t[0] as i64) < 0 || t[1] >= 1_000_000_000 {
            return Err(Errno::EINVAL);
        }
        Some(std::time::Duration::new(t[0], t[1] as u32))
    };
    let step = element(Ty::Struct(structs::MMSGHDR), cx.abi).0 as u64;
    let mut flags = a[3] & !WAIT_FOR_ONE;
    let mut done = 0;
    while done < a[2].min(MAX_MESSAGES) {
        let at = a[1].wrapping_add(done * step);
        match sys_recvmsg(cx, &[a[0], at, flags, 0, 0, 0]) {
            Ok(len) => put_len(cx, at, len)?,
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
        done += 1;
        if a[3] & WAIT_FOR_ONE != 0 {
            flags |= libc::MSG_DONTWAIT as u64;
        }
        // As in the kernel, the time is looked at after each message only.
        if limit.is_some_and(|limit| start.elapsed() >= limit) {
            break;
        }
    }
    if let Some(limit) = limit {
        let left = limit.saturating_sub(start.elapsed());
        write_struct(cx, Ty::Struct(time_ty), a[4], &[left.as_secs(), u64::from(left.subsec_nanos())])?;
    }
    Ok(done)
}

/// The options whose value is a pair of longs.
fn is_time_option(level: u64, option: u64) -> bool {
    level as i32 == libc::SOL_SOCKET && matches!(option as i32, libc::SO_RCVTIMEO | libc::SO_SNDTIMEO)
}

/// `setsockopt`
pub fn sys_setsockopt(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if let Some(result) = native(cx, CallId::Setsockopt, a) {
        return result;
    }
    let (level, option) = (a[1], a[2]);
    if is_time_option(level, option) {
        let ty = Ty::Struct(structs::TIMEVAL);
        if (a[4] as usize) < element(ty, cx.abi).0 {
            return Err(Errno::EINVAL);
        }
        let time = read_struct(cx, ty, a[3])?;
        return safe_syscall(libc::SYS_setsockopt, [a[0], level, option, time.as_ptr() as u64, 16, 0]);
    }
    if level as i32 == libc::SOL_SOCKET
        && matches!(option as i32, libc::SO_ATTACH_FILTER | libc::SO_ATTACH_REUSEPORT_CBPF)
    {
        let ty = Ty::Struct(structs::SOCK_FPROG);
        let program = read_struct(cx, ty, a[3])?;
        let count = (program[0] & 0xffff) as usize;
        let size = element(Ty::Struct(structs::SOCK_FILTER), cx.abi).0;
        let mut code = vec![0; count * size];
        cx.mem.copy_in(program[1], &mut code)?;
        let mut host = vec![0; count * size];
        for (from, to) in code.chunks_exact(size).zip(host.chunks_exact_mut(size)) {
            syscall_tables::convert(Ty::Struct(structs::SOCK_FILTER), cx.abi, from, HOST, to);
        }
        let program = [program[0], host.as_ptr() as u64];
        return safe_syscall(libc::SYS_setsockopt, [a[0], level, option, program.as_ptr() as u64, 16, 0]);
    }
    let mut value = vec![0; (a[4] as usize).min(MAX_CONTROL)];
    cx.mem.copy_in(a[3], &mut value)?;
    swap_value(cx, &mut value);
    safe_syscall(libc::SYS_setsockopt, [a[0], level, option, value.as_ptr() as u64, a[4], 0])
}

/// Values of four bytes are integers.
fn swap_value(cx: &SysCx<'_>, value: &mut [u8]) {
    if cx.abi.info().big_endian && value.len() == 4 {
        value.reverse();
    }
}

/// `getsockopt`
pub fn sys_getsockopt(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if let Some(result) = native(cx, CallId::Getsockopt, a) {
        return result;
    }
    let (level, option) = (a[1], a[2]);
    let given = read_struct(cx, Ty::I32, a[4])?[0] as i32;
    if given < 0 {
        return Err(Errno::EINVAL);
    }
    let time = is_time_option(level, option);
    let mut value = vec![0u64; (given as usize).min(MAX_CONTROL).div_ceil(8).max(2)];
    let mut len = if time { 16 } else { given };
    let ret = safe_syscall(
        libc::SYS_getsockopt,
        [a[0], level, option, value.as_mut_ptr() as u64, &raw mut len as u64, 0],
    )?;
    if time {
        let ty = Ty::Struct(structs::TIMEVAL);
        let size = element(ty, cx.abi).0;
        let mut out = vec![0; size];
        syscall_tables::convert(ty, HOST, bytemuck::cast_slice(&value[..2]), cx.abi, &mut out);
        let len = size.min(given as usize);
        cx.mem.copy_out(a[3], &out[..len])?;
        write_struct(cx, Ty::I32, a[4], &[len as u64])?;
        return Ok(ret);
    }
    let bytes: &mut [u8] = &mut bytemuck::cast_slice_mut(&mut value)[..(len.min(given)) as usize];
    swap_value(cx, bytes);
    cx.mem.copy_out(a[3], bytes)?;
    write_struct(cx, Ty::I32, a[4], &[len as u64])?;
    Ok(ret)
}
