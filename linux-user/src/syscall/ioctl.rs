//! `ioctl` by table: each known request says what its argument is; numbers and structures are converted where they
//! differ. A request that the table does not know is passed on if the guest lays data out as the host does, since request
//! numbers and structures are then the same; otherwise it is ENOTTY and one line in the log.

use super::SysCx;
use super::plain::{host_buffer, read_struct, write_struct};
use crate::errno::{Errno, SysResult};
use crate::sys::safe_syscall;
use std::sync::OnceLock;
use syscall_tables::{Dir, HOST, IOCTLS, IoctlArg, IoctlDesc, same_layout};

/// Group of KVM requests: a guest must not get at the host's virtual machines.
const KVM_GROUP: u64 = 0xae;

fn find(cx: &SysCx<'_>, request: u64) -> Option<&'static IoctlDesc> {
    static SORTED: OnceLock<Vec<(u64, &'static IoctlDesc)>> = OnceLock::new();
    let table = SORTED.get_or_init(|| {
        let mut rows: Vec<_> = IOCTLS.iter().map(|d| (d.on(cx.abi), d)).collect();
        rows.sort_by_key(|r| r.0);
        rows
    });
    table.binary_search_by_key(&request, |r| r.0).ok().map(|i| table[i].1)
}

/// `ioctl`
pub fn sys_ioctl(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let (fd, request, arg) = (a[0], a[1] & 0xffff_ffff, a[2]);
    if cx.task.files.is_hidden(fd as i32) {
        return Err(Errno::EBADF);
    }
    if let Some(result) = crate::seccomp::notification_ioctl(cx, fd, request, arg) {
        return result;
    }
    let call = |nr: u64, arg: u64| safe_syscall(libc::SYS_ioctl, [fd, nr, arg, 0, 0, 0]);
    let Some(desc) = find(cx, request) else {
        if request >> 8 & 0xff == KVM_GROUP {
            return Err(Errno::ENOTTY);
        }
        if cx.abi.same_data_model(HOST) {
            return call(request, arg);
        }
        crate::strace::note(&format!("Unsupported ioctl {request:#x}"));
        return Err(Errno::ENOTTY);
    };
    let nr = desc.on(HOST);
    match desc.arg {
        IoctlArg::None | IoctlArg::Value => call(nr, arg),
        IoctlArg::Raw => call(nr, cx.mem.host_opt(arg, 0)?),
        IoctlArg::Refuse => Err(Errno::ENOTTY),
        IoctlArg::Handler if cx.abi.same_data_model(HOST) => call(nr, cx.mem.host_opt(arg, 0)?),
        IoctlArg::Handler => {
            crate::strace::note(&format!("Unsupported ioctl {}", desc.name));
            Err(Errno::ENOTTY)
        }
        IoctlArg::Mem(_, ty) if same_layout(ty, cx.abi, HOST) => call(nr, cx.mem.host_opt(arg, 0)?),
        IoctlArg::Mem(dir, ty) => {
            let mut buffer = if dir == Dir::Out { host_buffer(ty) } else { read_struct(cx, ty, arg)? };
            let ret = call(nr, buffer.as_mut_ptr() as u64)?;
            if dir != Dir::In {
                write_struct(cx, ty, arg, &buffer)?;
            }
            Ok(ret)
        }
    }
}
