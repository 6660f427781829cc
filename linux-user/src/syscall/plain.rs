//! Plain calls: arguments converted as the tables say, then the host's call of the same name.
//!
//! Each call has a plan, made at its first use: *direct* when nothing needs conversion (the guest's pointers go to the
//! kernel, which checks them), else *converted* through host copies laid out by the host's ABI.

use super::SysCx;
use crate::errno::{Errno, SysResult};
use crate::sys::safe_syscall;
use std::ffi::CString;
use std::sync::atomic::{AtomicU8, Ordering};
use syscall_tables::{
    ArgTy, CALLS, CallDesc, CallId, Count, Dir, HOST, MemArg, MemTy, Ty, convert, element, flags,
    read_scalar, same_layout,
};

/// 0 unknown, 1 direct, 2 converted. A process has one guest ABI, so a plan holds for its life.
static PLANS: [AtomicU8; CALLS.len()] = [const { AtomicU8::new(0) }; CALLS.len()];

/// The call of a handler that has nothing to do when guest data have the host's form.
pub fn native(cx: &mut SysCx<'_>, call: CallId, args: &[u64; 6]) -> Option<SysResult> {
    cx.is_native().then(|| run(cx, call.desc(), args))
}

/// No single converted buffer is larger: beyond it the call fails as for a bad address.
const MAX_COPY: usize = 64 << 20;

/// Runs a plain call.
pub fn run(cx: &mut SysCx<'_>, desc: &CallDesc, args: &[u64; 6]) -> SysResult {
    let plan = &PLANS[desc.id as usize];
    let kind = match plan.load(Ordering::Relaxed) {
        0 => {
            let kind = if is_direct(cx, desc) { 1 } else { 2 };
            plan.store(kind, Ordering::Relaxed);
            kind
        }
        kind => kind,
    };
    if kind == 1 { safe_syscall(i64::from(desc.host_nr), *args) } else { converted(cx, desc, args) }
}

fn is_direct(cx: &SysCx<'_>, desc: &CallDesc) -> bool {
    let base_zero = cx.mem.guest(0) == 0;
    base_zero
        && cx.abi.same_data_model(HOST)
        && desc.args.iter().all(|a| match a.ty {
            ArgTy::Flags(set) => set.same_as_host(cx.abi),
            // May be under `-L`, or a view of /proc.
            ArgTy::Rpath => false,
            ArgTy::Mem(m) => mem_is_direct(cx, &m),
            _ => true,
        })
}

fn mem_is_direct(cx: &SysCx<'_>, m: &MemArg) -> bool {
    match m.ty {
        MemTy::Elem(t) => same_layout(t, cx.abi, HOST) && same_flags(cx, t),
        MemTy::Iovec(t) | MemTy::Msghdr(t) => cx.mem.base() == 0 && same_layout(t, cx.abi, HOST),
        // The host kernel reads and writes whole words of its own.
        MemTy::FdSet | MemTy::Strings => cx.abi.same_data_model(HOST),
        MemTy::Sigset | MemTy::Sockaddr => !cx.abi.info().big_endian,
        MemTy::Bytes => true,
    }
}

/// True if no field of the structure holds flags whose values differ (`open_how`, `mq_attr`).
fn same_flags(cx: &SysCx<'_>, ty: Ty) -> bool {
    let Ty::Struct(id) = ty else { return true };
    id.on(cx.abi).fields.iter().all(|f| match f.show {
        syscall_tables::Show::Flags(set) => set.same_as_host(cx.abi),
        _ => same_flags(cx, f.ty),
    })
}

/// Copies and converts one element, flags included.
fn convert_elem(ty: Ty, from: syscall_tables::Arch, src: &[u8], to: syscall_tables::Arch, dst: &mut [u8]) {
    convert(ty, from, src, to, dst);
    let Ty::Struct(id) = ty else { return };
    for f in &syscall_tables::layout(id, to).fields {
        if let syscall_tables::Show::Flags(set) = f.field.show
            && f.field.count == 0
            && f.size <= 8
        {
            let value = f.get(dst, to);
            let new = set.convert(value, from, to);
            if new != value {
                f.put(dst, to, new);
            }
        }
    }
}

/// Words that a copy holds without an allocation.
const SMALL: usize = 24;

/// A host-aligned buffer.
enum Buffer {
    Small([u64; SMALL]),
    Large(Vec<u64>),
}

impl Buffer {
    fn new(bytes: usize) -> Buffer {
        let words = bytes.div_ceil(8).max(1);
        if words <= SMALL { Buffer::Small([0; SMALL]) } else { Buffer::Large(vec![0; words]) }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Buffer::Small(words) => bytemuck::cast_slice(words),
            Buffer::Large(words) => bytemuck::cast_slice(words),
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Buffer::Small(words) => bytemuck::cast_slice_mut(words),
            Buffer::Large(words) => bytemuck::cast_slice_mut(words),
        }
    }
}

/// A host copy of a guest buffer.
struct Copy {
    arg: usize,
    guest: u64,
    mem: MemArg,
    ty: Ty,
    count: usize,
    buffer: Buffer,
}

fn as_bytes(words: &[u64]) -> &[u8] {
    bytemuck::cast_slice(words)
}

fn as_bytes_mut(words: &mut [u64]) -> &mut [u8] {
    bytemuck::cast_slice_mut(words)
}

fn count_of(cx: &SysCx<'_>, count: Count, args: &[u64; 6], before: usize, ret: u64) -> Result<usize, Errno> {
    Ok(match count {
        Count::Same => before,
        Count::Lit(n) => n as usize,
        Count::Arg(i) => args[i as usize] as usize,
        Count::Ret => ret as usize,
        Count::Deref(i) => {
            let mut word = [0; 4];
            cx.mem.copy_in(args[i as usize], &mut word)?;
            read_scalar(Ty::U32, &word, cx.abi) as usize
        }
    })
}

fn converted(cx: &mut SysCx<'_>, desc: &CallDesc, args: &[u64; 6]) -> SysResult {
    let mut host = *args;
    let mut strings: Vec<CString> = Vec::new();
    let mut vectors: Vec<Vec<[u64; 2]>> = Vec::new();
    // No call has more pointers that need conversion than arguments.
    let mut copies: [Option<Copy>; 4] = [const { None }; 4];
    let mut used = 0;
    let small = cx.abi.info().word == 4;
    for (i, a) in desc.args.iter().enumerate() {
        let v = args[i];
        match a.ty {
            ArgTy::Flags(set) => {
                host[i] = set.to_host(if small { v as u32 as u64 } else { v }, cx.abi);
            }
            ArgTy::Rpath if !cx.path_as_is(v) => {
                let path = cx.path(v)?;
                let dirfd = match i.checked_sub(1).map(|before| desc.args[before].ty) {
                    Some(ArgTy::Dirfd) => args[i - 1],
                    _ => libc::AT_FDCWD as u64,
                };
                let path = cx.host_path_at(dirfd, &path, follows(desc, args)).into_owned();
                host[i] = path.as_ptr() as u64;
                strings.push(path);
            }
            ArgTy::Path | ArgTy::Rpath | ArgTy::Str | ArgTy::Addr => host[i] = cx.mem.host_opt(v, 0)?,
            ArgTy::Mem(m) if v != 0 => {
                if mem_is_direct(cx, &m) {
                    host[i] = cx.mem.host(v, 0)?;
                    continue;
                }
                let mut count = count_of(cx, m.count, args, 1, 0)?;
                let ty = match m.ty {
                    MemTy::Elem(t) | MemTy::Msghdr(t) => t,
                    MemTy::Iovec(_) => {
                        let list = iovec(cx, v, count)?;
                        host[i] = list.as_ptr() as u64;
                        vectors.push(list);
                        continue;
                    }
                    MemTy::FdSet => {
                        count = count.div_ceil(8 * cx.abi.info().word);
                        Ty::ULong
                    }
                    MemTy::Bytes | MemTy::Sigset | MemTy::Sockaddr | MemTy::Strings => Ty::U8,
                };
                let buffer = fetch(cx, m, ty, v, count)?;
                let free = copies.get_mut(used).ok_or(Errno::ENOSYS)?;
                *free = Some(Copy { arg: i, guest: v, mem: m, ty, count, buffer });
                used += 1;
            }
            _ => {}
        }
    }
    for c in copies.iter_mut().flatten() {
        host[c.arg] = c.buffer.bytes_mut().as_mut_ptr() as u64;
    }
    let result = safe_syscall(i64::from(desc.host_nr), host);
    drop((strings, vectors));
    let ret = result?;
    for c in copies.iter().flatten() {
        if c.mem.dir != Dir::In {
            let n = count_of(cx, c.mem.actual, args, c.count, ret)?.min(c.count);
            store(cx, c, n)?;
        }
    }
    Ok(ret)
}

/// True unless the call's flags say that the last component is not followed.
fn follows(desc: &CallDesc, args: &[u64; 6]) -> bool {
    if matches!(desc.id, CallId::Lstat | CallId::Lgetxattr | CallId::Llistxattr) {
        return false;
    }
    !desc.args.iter().zip(args).any(|(a, v)| {
        matches!(a.ty, ArgTy::Flags(set) if set == flags::AT || set == flags::AT_ACCESS) && v & 0x100 != 0
    })
}

/// The most buffers of a vector (UIO_MAXIOV).
const MAX_VECTOR: usize = 1024;

/// A guest's vector of buffers as the host's.
pub(super) fn iovec(cx: &SysCx<'_>, addr: u64, count: usize) -> Result<Vec<[u64; 2]>, Errno> {
    if count > MAX_VECTOR {
        return Err(Errno::EINVAL);
    }
    let word = cx.abi.info().word;
    let mut raw = vec![0; 2 * word * count];
    cx.mem.copy_in(addr, &mut raw)?;
    let words: Vec<u64> = raw.chunks_exact(word).map(|w| read_scalar(Ty::ULong, w, cx.abi)).collect();
    words
        .chunks_exact(2)
        .map(|w| {
            // A length that is negative for the guest.
            if w[1] >> (8 * word - 1) != 0 {
                return Err(Errno::EINVAL);
            }
            Ok([if w[1] == 0 { 0 } else { cx.mem.host(w[0], 0)? }, w[1]])
        })
        .collect()
}

/// Descriptor sets are arrays of words: bit n is bit n of the whole in the host's form, whatever the word.
pub(super) fn fd_set_in(cx: &SysCx<'_>, addr: u64, words: usize) -> Result<Vec<u64>, Errno> {
    let word = cx.abi.info().word;
    let mut raw = vec![0; word * words];
    cx.mem.copy_in(addr, &mut raw)?;
    let mut out = vec![0u64; (word * words).div_ceil(8).max(1)];
    for (n, w) in raw.chunks_exact(word).enumerate() {
        out[n * word / 8] |= read_scalar(Ty::ULong, w, cx.abi) << (n * word % 8 * 8);
    }
    Ok(out)
}

/// The way back.
pub(super) fn fd_set_out(cx: &SysCx<'_>, addr: u64, words: usize, host: &[u64]) -> Result<(), Errno> {
    let (word, big) = (cx.abi.info().word, cx.abi.info().big_endian);
    let mut raw = Vec::with_capacity(word * words);
    for n in 0..words {
        let bits = host[n * word / 8] >> (n * word % 8 * 8);
        match (word, big) {
            (4, false) => raw.extend_from_slice(&(bits as u32).to_le_bytes()),
            (4, true) => raw.extend_from_slice(&(bits as u32).to_be_bytes()),
            (_, false) => raw.extend_from_slice(&bits.to_le_bytes()),
            (_, true) => raw.extend_from_slice(&bits.to_be_bytes()),
        }
    }
    cx.mem.copy_out(addr, &raw)
}

fn fetch(cx: &SysCx<'_>, m: MemArg, ty: Ty, guest: u64, count: usize) -> Result<Buffer, Errno> {
    let (gs, hs) = (element(ty, cx.abi).0, element(ty, HOST).0);
    count.checked_mul(hs.max(gs)).filter(|n| *n <= MAX_COPY).ok_or(Errno::EFAULT)?;
    if matches!(m.ty, MemTy::FdSet) {
        return Ok(Buffer::Large(fd_set_in(cx, guest, count)?));
    }
    let mut buffer = Buffer::new(count * hs);
    if m.dir == Dir::Out {
        cx.mem.host(guest, count * gs)?;
        return Ok(buffer);
    }
    let mut raw = Buffer::new(count * gs);
    let raw = &mut raw.bytes_mut()[..count * gs];
    cx.mem.copy_in(guest, raw)?;
    let out = buffer.bytes_mut();
    for k in 0..count {
        convert_elem(ty, cx.abi, &raw[k * gs..][..gs], HOST, &mut out[k * hs..][..hs]);
    }
    Ok(buffer)
}

fn store(cx: &SysCx<'_>, c: &Copy, n: usize) -> Result<(), Errno> {
    if let (MemTy::FdSet, Buffer::Large(words)) = (c.mem.ty, &c.buffer) {
        return fd_set_out(cx, c.guest, c.count, words);
    }
    let (gs, hs) = (element(c.ty, cx.abi).0, element(c.ty, HOST).0);
    let mut raw = Buffer::new(n * gs);
    let raw = &mut raw.bytes_mut()[..n * gs];
    let src = c.buffer.bytes();
    for k in 0..n {
        convert_elem(c.ty, HOST, &src[k * hs..][..hs], cx.abi, &mut raw[k * gs..][..gs]);
    }
    cx.mem.copy_out(c.guest, raw)
}

/// Reads a structure of the guest into the host's layout.
pub fn read_struct(cx: &SysCx<'_>, ty: Ty, addr: u64) -> Result<Vec<u64>, Errno> {
    let (gs, hs) = (element(ty, cx.abi).0, element(ty, HOST).0);
    let mut raw = vec![0; gs];
    cx.mem.copy_in(addr, &mut raw)?;
    let mut out = vec![0u64; hs.div_ceil(8).max(1)];
    convert_elem(ty, cx.abi, &raw, HOST, &mut as_bytes_mut(&mut out)[..hs]);
    Ok(out)
}

/// Writes a structure in the host's layout to the guest.
pub fn write_struct(cx: &SysCx<'_>, ty: Ty, addr: u64, host: &[u64]) -> Result<(), Errno> {
    let (gs, hs) = (element(ty, cx.abi).0, element(ty, HOST).0);
    let mut raw = vec![0; gs];
    convert_elem(ty, HOST, &as_bytes(host)[..hs], cx.abi, &mut raw);
    cx.mem.copy_out(addr, &raw)
}

/// An aligned buffer for a structure of the host.
pub(super) fn host_buffer(ty: Ty) -> Vec<u64> {
    vec![0; element(ty, HOST).0.div_ceil(8).max(1)]
}
