//! `fcntl`: its argument is a number, flags or a structure, depending on the command.

use super::SysCx;
use super::plain::{read_struct, write_struct};
use crate::errno::{Errno, SysResult};
use crate::sys::safe_syscall;
use syscall_tables::{HOST, StructId, Ty, flags, layout, structs};

/// Of 32-bit arches: the structure has 64-bit offsets.
const F_GETLK64: i32 = 12;
const F_SETLK64: i32 = 13;
const F_SETLKW64: i32 = 14;

fn call(fd: u64, cmd: u64, arg: u64) -> SysResult {
    safe_syscall(libc::SYS_fcntl, [fd, cmd, arg, 0, 0, 0])
}

/// `fcntl`
pub fn sys_fcntl(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let (fd, cmd, arg) = (a[0], a[1] & 0xffff_ffff, a[2]);
    if cx.task.files.is_hidden(fd as i32) {
        return Err(Errno::EBADF);
    }
    let small = cx.abi.info().word == 4;
    match cmd as i32 {
        libc::F_GETFL => call(fd, cmd, 0).map(|v| flags::OPEN.from_host(v, cx.abi)),
        libc::F_SETFL => call(fd, cmd, flags::OPEN.to_host(arg & 0xffff_ffff, cx.abi)),
        F_GETLK64 | F_SETLK64 | F_SETLKW64 if small => {
            let with = [libc::F_GETLK, libc::F_SETLK, libc::F_SETLKW][cmd as usize - F_GETLK64 as usize];
            lock(cx, fd, with, arg, structs::FLOCK64)
        }
        libc::F_OFD_GETLK | libc::F_OFD_SETLK | libc::F_OFD_SETLKW if small => {
            lock(cx, fd, cmd as i32, arg, structs::FLOCK64)
        }
        // On 64-bit arches the three are the 64-bit ones.
        libc::F_GETLK
        | libc::F_SETLK
        | libc::F_SETLKW
        | libc::F_OFD_GETLK
        | libc::F_OFD_SETLK
        | libc::F_OFD_SETLKW => lock(cx, fd, cmd as i32, arg, structs::FLOCK),
        // F_SETOWN_EX, F_GETOWN_EX, and the hints: 32- and 64-bit integers, the same bytes on arches of one order.
        15..=17 | 1035..=1038 => call(fd, cmd, cx.mem.host_opt(arg, 0)?),
        _ => call(fd, cmd, arg),
    }
}

/// `fcntl64`: the same, where the old one takes small locks only.
pub fn sys_fcntl64(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    sys_fcntl(cx, a)
}

/// A lock described by a guest structure; the host's is `struct flock`.
fn lock(cx: &SysCx<'_>, fd: u64, cmd: i32, arg: u64, id: StructId) -> SysResult {
    let ty = Ty::Struct(id);
    let mut lock = read_struct(cx, ty, arg)?;
    // On the host both structures are the same.
    let ret = call(fd, cmd as u64, lock.as_mut_ptr() as u64)?;
    if matches!(cmd, libc::F_GETLK | libc::F_OFD_GETLK) {
        if id == structs::FLOCK && cx.abi.info().word == 4 {
            let bytes: &[u8] = bytemuck::cast_slice(&lock);
            let fits = |name| {
                layout(id, HOST).field(name).is_none_or(|f| i32::try_from(f.get(bytes, HOST) as i64).is_ok())
            };
            if !fits("l_start") || !fits("l_len") {
                return Err(Errno::EOVERFLOW);
            }
        }
        write_struct(cx, ty, arg, &lock)?;
    }
    Ok(ret)
}
