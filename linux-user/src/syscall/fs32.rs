//! File calls whose 32-bit forms differ by more than a structure, and directory positions.
//!
//! File systems give positions in directories as 64-bit cookies, because we are a 64-bit process to the kernel. A guest whose
//! `long` or `off_t` has 32 bits gets numbers for the large ones, which lead back to the cookie when it seeks.

use super::SysCx;
use super::plain::{native, run, write_struct};
use crate::errno::{Errno, SysResult};
use crate::sys::{raw_syscall, safe_syscall};
use crate::task::lock;
use engine::robust::Mutex;
use std::collections::HashMap;
use std::sync::LazyLock;
use syscall_tables::{CallId, Ty, structs};

/// Cookies from here on are numbered; smaller ones stay.
const FIRST_NUMBER: u64 = 0x4000_0000;

/// Cookies seen, by number and by value.
#[derive(Default)]
struct Cookies {
    list: Vec<u64>,
    numbers: HashMap<u64, u32>,
}

static COOKIES: LazyLock<Mutex<Cookies>> = LazyLock::new(Mutex::default);

/// The table held still, so that a fork copies it whole.
pub fn freeze() -> impl Drop {
    lock(&COOKIES)
}

impl Cookies {
    fn number(&mut self, cookie: u64) -> u64 {
        if cookie < FIRST_NUMBER {
            return cookie;
        }
        let next = self.list.len() as u32;
        let number = *self.numbers.entry(cookie).or_insert(next);
        if number == next {
            self.list.push(cookie);
        }
        FIRST_NUMBER + u64::from(number)
    }

    fn cookie(&self, position: u64) -> u64 {
        let number = position.checked_sub(FIRST_NUMBER).and_then(|n| self.list.get(n as usize));
        number.copied().unwrap_or(position)
    }
}

fn is_directory(fd: u64) -> bool {
    // SAFETY: an all-zero structure is valid, and the kernel fills it.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    raw_syscall(libc::SYS_fstat, [fd, &raw mut stat as u64, 0, 0, 0, 0]).is_ok()
        && stat.st_mode & libc::S_IFMT == libc::S_IFDIR
}

fn seek(fd: u64, offset: u64, whence: u64) -> SysResult {
    let call = |offset| safe_syscall(libc::SYS_lseek, [fd, offset, whence, 0, 0, 0]);
    let cookie = lock(&COOKIES).cookie(offset);
    let directory = (cookie != offset || whence == libc::SEEK_CUR as u64) && is_directory(fd);
    let got = call(if directory { cookie } else { offset })?;
    Ok(if got >= FIRST_NUMBER && is_directory(fd) { lock(&COOKIES).number(got) } else { got })
}

/// `lseek`
pub fn sys_lseek(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if cx.abi.info().word == 8 {
        return run(cx, CallId::Lseek.desc(), a);
    }
    let got = seek(a[0], a[1], a[2])?;
    if got > i32::MAX as u64 { Err(Errno::EOVERFLOW) } else { Ok(got) }
}

/// `_llseek`
pub fn sys_llseek(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let got = seek(a[0], a[1] << 32 | a[2] & 0xffff_ffff, a[4])?;
    write_struct(cx, Ty::I64, a[3], &[got])?;
    Ok(0)
}

/// One entry of the host's `getdents64`.
struct Entry<'a> {
    ino: u64,
    next: u64,
    kind: u8,
    name: &'a [u8],
}

/// The entries in a buffer that the kernel has filled.
fn entries(buffer: &[u8]) -> Vec<Entry<'_>> {
    let mut list = Vec::new();
    let mut at = 0;
    let word = |at: usize| buffer.get(at..at + 8).map(|b| u64::from_le_bytes(b.try_into().expect("8 bytes")));
    while let (Some(ino), Some(next), Some(head)) = (word(at), word(at + 8), buffer.get(at + 16..at + 19)) {
        let len = usize::from(u16::from_le_bytes([head[0], head[1]]));
        let Some(name) = buffer.get(at + 19..at + len) else { break };
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        list.push(Entry { ino, next, kind: head[2], name: &name[..end] });
        at += len;
    }
    list
}

/// Reads entries and writes them by `form`; if they need more room than they had, the directory is set back.
fn list(cx: &SysCx<'_>, a: &[u64; 6], form: impl Fn(&Entry<'_>, u64) -> Result<Vec<u8>, Errno>) -> SysResult {
    let size = (a[2] as u32).min(1 << 20) as usize;
    let mut buffer = vec![0u64; size.div_ceil(8)];
    let pointer = buffer.as_mut_ptr() as u64;
    let got = safe_syscall(libc::SYS_getdents64, [a[0], pointer, size as u64, 0, 0, 0])? as usize;
    let bytes: &[u8] = &bytemuck::cast_slice(&buffer)[..got];
    let mut out = Vec::with_capacity(got);
    let mut last = None;
    for entry in entries(bytes) {
        let next = lock(&COOKIES).number(entry.next);
        let record = form(&entry, next)?;
        if out.len() + record.len() > size {
            let Some(back) = last else { return Err(Errno::EINVAL) };
            raw_syscall(libc::SYS_lseek, [a[0], back, libc::SEEK_SET as u64, 0, 0, 0])?;
            break;
        }
        out.extend_from_slice(&record);
        last = Some(entry.next);
    }
    cx.mem.copy_out(a[1], &out)?;
    Ok(out.len() as u64)
}

/// Bytes of a number in the guest's order.
fn number(cx: &SysCx<'_>, value: u64, size: usize) -> Vec<u8> {
    let mut bytes = value.to_le_bytes()[..size].to_vec();
    if cx.abi.info().big_endian {
        bytes.reverse();
    }
    bytes
}

/// `getdents64`
pub fn sys_getdents64(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if let Some(result) = native(cx, CallId::Getdents64, a) {
        return result;
    }
    let mapped = cx.abi.info().word == 4;
    list(cx, a, |entry, next| {
        let len = (19 + entry.name.len() + 1).next_multiple_of(8);
        let mut record = number(cx, entry.ino, 8);
        record.extend(number(cx, if mapped { next } else { entry.next }, 8));
        record.extend(number(cx, len as u64, 2));
        record.push(entry.kind);
        record.extend_from_slice(entry.name);
        record.resize(len, 0);
        Ok(record)
    })
}

/// `getdents`: inode and position are words, and the type is the last byte.
pub fn sys_getdents(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if let Some(result) = native(cx, CallId::Getdents, a) {
        return result;
    }
    let word = cx.abi.info().word;
    list(cx, a, |entry, next| {
        // The kernel refuses inodes that do not fit.
        if word == 4 && entry.ino > u64::from(u32::MAX) {
            return Err(Errno::EOVERFLOW);
        }
        let len = (2 * word + 2 + entry.name.len() + 2).next_multiple_of(word);
        let mut record = number(cx, entry.ino, word);
        record.extend(number(cx, if word == 4 { next } else { entry.next }, word));
        record.extend(number(cx, len as u64, 2));
        record.extend_from_slice(entry.name);
        record.resize(len - 1, 0);
        record.push(entry.kind);
        Ok(record)
    })
}

/// `arm_fadvise64_64`
pub fn sys_arm_fadvise64_64(_cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    safe_syscall(libc::SYS_fadvise64, [a[0], a[2], a[3], a[1], 0, 0])
}

/// `sync_file_range2`
pub fn sys_sync_file_range2(_cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    safe_syscall(libc::SYS_sync_file_range, [a[0], a[2], a[3], a[1], 0, 0])
}

fn put_statfs(cx: &SysCx<'_>, size: u64, addr: u64, host: &[u64]) -> SysResult {
    let ty = Ty::Struct(structs::STATFS64);
    let want = syscall_tables::element(ty, cx.abi).0 as u64;
    // ARM's packed one also goes by its size with padding.
    if size != want && size != want.next_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    write_struct(cx, ty, addr, host)?;
    Ok(0)
}

/// `statfs64`: the second argument is the size of the structure.
pub fn sys_statfs64(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let path = cx.path(a[0])?;
    let path = cx.host_path(&path, true);
    let mut host = [0u64; 15];
    safe_syscall(libc::SYS_statfs, [path.as_ptr() as u64, host.as_mut_ptr() as u64, 0, 0, 0, 0])?;
    put_statfs(cx, a[1], a[2], &host)
}

/// `fstatfs64`
pub fn sys_fstatfs64(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let mut host = [0u64; 15];
    safe_syscall(libc::SYS_fstatfs, [a[0], host.as_mut_ptr() as u64, 0, 0, 0, 0])?;
    put_statfs(cx, a[1], a[2], &host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_cookies_become_numbers_and_lead_back() {
        let mut c = Cookies::default();
        assert_eq!(c.number(7), 7);
        let a = c.number(0x1234_5678_9abc_def0);
        let b = c.number(i64::MAX as u64);
        assert!(a != b && a < 1 << 31 && b < 1 << 31);
        assert_eq!(c.number(0x1234_5678_9abc_def0), a);
        assert_eq!((c.cookie(a), c.cookie(b)), (0x1234_5678_9abc_def0, i64::MAX as u64));
        assert_eq!(c.cookie(7), 7);
    }
}
