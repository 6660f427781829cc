//! `fcntl`: its argument is a number, flags or a structure, depending on the command.

use super::SysCx;
use super::plain::{read_struct, write_struct};
use crate::errno::{Errno, SysResult};
use crate::sys::safe_syscall;
use syscall_tables::{Ty, flags, structs};

fn call(fd: u64, cmd: u64, arg: u64) -> SysResult {
    safe_syscall(libc::SYS_fcntl, [fd, cmd, arg, 0, 0, 0])
}

/// `fcntl`
pub fn sys_fcntl(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let (fd, cmd, arg) = (a[0], a[1] & 0xffff_ffff, a[2]);
    if cx.task.files.is_hidden(fd as i32) {
        return Err(Errno::EBADF);
    }
    match cmd as i32 {
        libc::F_GETFL => call(fd, cmd, 0).map(|v| flags::OPEN.from_host(v, cx.abi)),
        libc::F_SETFL => call(fd, cmd, flags::OPEN.to_host(arg & 0xffff_ffff, cx.abi)),
        // On 64-bit arches the three are the 64-bit ones.
        libc::F_GETLK
        | libc::F_SETLK
        | libc::F_SETLKW
        | libc::F_OFD_GETLK
        | libc::F_OFD_SETLK
        | libc::F_OFD_SETLKW => {
            let ty = Ty::Struct(structs::FLOCK);
            let mut lock = read_struct(cx, ty, arg)?;
            let ret = call(fd, cmd, lock.as_mut_ptr() as u64)?;
            if matches!(cmd as i32, libc::F_GETLK | libc::F_OFD_GETLK) {
                write_struct(cx, ty, arg, &lock)?;
            }
            Ok(ret)
        }
        // F_SETOWN_EX, F_GETOWN_EX, and the hints: 32- and 64-bit integers, the same bytes on arches of one order.
        15..=17 | 1035..=1038 => call(fd, cmd, cx.mem.host_opt(arg, 0)?),
        _ => call(fd, cmd, arg),
    }
}
