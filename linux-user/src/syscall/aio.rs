//! Linux's asynchronous input and output (`io_setup` and its kin) for guests whose data have another form than the host's.
//!
//! A request block has the same layout everywhere, but the address in it is the host's and the kernel gives the block's own
//! address back in the event. So a block is turned into the host's form where it stands, for the time of the call, and
//! addresses in events are turned back. A context is an address of 64 bits; the guest gets that of an empty page instead,
//! in which its library looks for a ring and finds none.

use super::SysCx;
use super::plain::{iovec, read_struct};
use crate::errno::{Errno, SysResult};
use crate::mm::{PAGE, prot};
use crate::signal::with_temporary_mask;
use crate::sys::{raw_syscall, safe_syscall};
use crate::task::lock;
use engine::robust::Mutex;
use std::collections::BTreeMap;
use syscall_tables::{CallId, HOST, StructId, Ty, convert, element, structs};

/// The kernel's contexts by the guest's.
static CONTEXTS: Mutex<BTreeMap<u64, u64>> = Mutex::new(BTreeMap::new());

/// The table held still, so that a fork copies it whole. (The contexts themselves are not inherited.)
pub fn freeze() -> impl Drop {
    lock(&CONTEXTS)
}

fn context(guest: u64) -> Result<u64, Errno> {
    lock(&CONTEXTS).get(&guest).copied().ok_or(Errno::EINVAL)
}

/// `struct iocb`: bytes of each field up to the padding (UAPI `linux/aio_abi.h`): data, key and flags, operation, priority,
/// descriptor, buffer, length, position, reserved, flags, eventfd.
const FIELDS: [usize; 12] = [8, 4, 4, 2, 2, 4, 8, 8, 8, 8, 4, 4];
const SIZE: usize = 64;
const OPERATION: usize = 16;
const BUFFER: usize = 24;
const LENGTH: usize = 32;
const POLL: u16 = 5;
const NOOP: u16 = 6;
const FSYNC: u16 = 2;
const FDSYNC: u16 = 3;
const PREADV: u16 = 7;
const PWRITEV: u16 = 8;

/// Changes the byte order of a block's fields, if the guest has another.
fn reorder(cx: &SysCx<'_>, block: &mut [u8; SIZE]) {
    if cx.abi.info().big_endian {
        let mut at = 0;
        for size in FIELDS {
            block[at..at + size].reverse();
            at += size;
        }
    }
}

/// A block in the host's form in the guest's memory; put back on drop.
struct Turned<'a> {
    cx: &'a SysCx<'a>,
    at: u64,
    guest: [u8; SIZE],
    _vector: Vec<[u64; 2]>,
}

impl<'a> Turned<'a> {
    fn new(cx: &'a SysCx<'a>, at: u64) -> Result<Turned<'a>, Errno> {
        let mut guest = [0; SIZE];
        cx.mem.copy_in(at, &mut guest)?;
        let mut host = guest;
        reorder(cx, &mut host);
        let word = |at: usize| u64::from_le_bytes(host[at..at + 8].try_into().expect("8 bytes"));
        let operation = u16::from_le_bytes([host[OPERATION], host[OPERATION + 1]]);
        let mut vector = Vec::new();
        let buffer = match operation {
            FSYNC | FDSYNC | POLL | NOOP => word(BUFFER),
            PREADV | PWRITEV => {
                vector = iovec(cx, word(BUFFER), word(LENGTH) as usize)?;
                vector.as_ptr() as u64
            }
            _ => cx.mem.host_opt(word(BUFFER), 0)?,
        };
        host[BUFFER..BUFFER + 8].copy_from_slice(&buffer.to_le_bytes());
        cx.mem.copy_out(at, &host)?;
        Ok(Turned { cx, at, guest, _vector: vector })
    }
}

impl Drop for Turned<'_> {
    fn drop(&mut self) {
        // The key is the kernel's to write; everything else is as it was.
        const KEY: usize = 8;
        let mut now = [0; SIZE];
        if self.cx.mem.copy_in(self.at, &mut now).is_ok() {
            reorder(self.cx, &mut now);
            self.guest[KEY..KEY + 4].copy_from_slice(&now[KEY..KEY + 4]);
            let _ = self.cx.mem.copy_out(self.at, &self.guest);
        }
    }
}

/// `io_setup`
pub fn sys_io_setup(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if cx.is_native() {
        return safe_syscall(libc::SYS_io_setup, *a);
    }
    if cx.read_long(a[1])? != 0 {
        return Err(Errno::EINVAL);
    }
    let mut host = 0u64;
    raw_syscall(libc::SYS_io_setup, [a[0], &raw mut host as u64, 0, 0, 0, 0])?;
    let undo = |errno| {
        let _ = raw_syscall(libc::SYS_io_destroy, [host, 0, 0, 0, 0, 0]);
        errno
    };
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let guest = cx.task.mm.mmap(0, PAGE, prot::READ, flags, -1, 0).map_err(undo)?;
    cx.write_long(a[1], guest).map_err(undo)?;
    lock(&CONTEXTS).insert(guest, host);
    Ok(0)
}

/// `io_destroy`
pub fn sys_io_destroy(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if cx.is_native() {
        return safe_syscall(libc::SYS_io_destroy, *a);
    }
    let host = lock(&CONTEXTS).remove(&a[0]).ok_or(Errno::EINVAL)?;
    let _ = cx.task.mm.munmap(a[0], PAGE);
    safe_syscall(libc::SYS_io_destroy, [host, 0, 0, 0, 0, 0])
}

/// `io_submit`
pub fn sys_io_submit(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if cx.is_native() {
        return safe_syscall(libc::SYS_io_submit, *a);
    }
    let host = context(a[0])?;
    let count = a[1] as i64;
    if count < 0 {
        return Err(Errno::EINVAL);
    }
    let word = cx.abi.info().word as u64;
    let mut done = 0;
    for index in 0..count as u64 {
        let one = || {
            let at = cx.read_long(a[2].wrapping_add(index * word))?;
            let turned = Turned::new(cx, at)?;
            let pointer = cx.mem.host(turned.at, SIZE)?;
            safe_syscall(libc::SYS_io_submit, [host, 1, &raw const pointer as u64, 0, 0, 0])
        };
        match one() {
            Ok(_) => done += 1,
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// `io_cancel`
pub fn sys_io_cancel(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if cx.is_native() {
        return safe_syscall(libc::SYS_io_cancel, *a);
    }
    let (host, block) = (context(a[0])?, cx.mem.host(a[1], SIZE)?);
    let mut event = [0u64; 4];
    safe_syscall(libc::SYS_io_cancel, [host, block, event.as_mut_ptr() as u64, 0, 0, 0])
}

/// `io_getevents`
pub fn sys_io_getevents(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    get_events(cx, a, structs::TIMESPEC, None)
}

/// `io_pgetevents`: the last argument points to the address and size of the mask.
pub fn sys_io_pgetevents(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let mask = super::poll::packed_sigset(cx, a[5])?;
    get_events(cx, a, structs::TIMESPEC, mask)
}

/// `io_pgetevents_time64`
pub fn sys_io_pgetevents_time64(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let mask = super::poll::packed_sigset(cx, a[5])?;
    get_events(cx, a, structs::TIMESPEC64, mask)
}

fn get_events(cx: &mut SysCx<'_>, a: &[u64; 6], time: StructId, mask: Option<u64>) -> SysResult {
    const MOST: u64 = 4096;
    let native = cx.is_native();
    let mut timeout = Vec::new();
    if a[4] != 0 {
        timeout = read_struct(cx, Ty::Struct(time), a[4])?;
    }
    let limit = if timeout.is_empty() { 0 } else { timeout.as_ptr() as u64 };
    let mut events = Vec::new();
    let (host, most, into) = if native {
        (a[0], a[2], a[3])
    } else {
        let most = a[2].min(MOST);
        events.resize(4 * most as usize, 0u64);
        (context(a[0])?, most, events.as_mut_ptr() as u64)
    };
    let nr = i64::from(CallId::IoPgetevents.desc().host_nr);
    let got = with_temporary_mask(cx.task, mask, |_, mask| {
        let pack = [mask.as_ref().map_or(0, |mask| std::ptr::from_ref(mask) as u64), 8];
        let p = if mask.is_some() { pack.as_ptr() as u64 } else { 0 };
        safe_syscall(nr, [host, a[1], most, into, limit, p])
    })?;
    if !native {
        let ty = Ty::Struct(structs::IO_EVENT);
        let (size, _) = element(ty, cx.abi);
        let mut out = vec![0; size * got as usize];
        for (event, to) in events.chunks_exact_mut(4).zip(out.chunks_exact_mut(size)) {
            // `data` is the guest's eight bytes, whatever their order; `obj` is the block's address.
            event[1] = cx.mem.guest(event[1]);
            convert(ty, HOST, bytemuck::cast_slice(event), cx.abi, to);
        }
        cx.mem.copy_out(a[3], &out)?;
    }
    Ok(got)
}
