//! `/proc/PID/mem` of guests behind a base: positions in it are guest addresses.
//!
//! The descriptor is the host's, so nothing keeps account of it over `dup`, `fork` and `close`. Where a guest address is,
//! the host process has nothing: the call fails with EIO, and only then it is looked what the descriptor is, and the call
//! made again at the right place.

use super::SysCx;
use crate::errno::SysResult;
use crate::sys::raw_syscall;
use syscall_tables::CallId;

/// Makes a call that failed with EIO again, if it was for such a file.
pub fn again(cx: &mut SysCx<'_>, call: CallId, args: &[u64; 6]) -> Option<SysResult> {
    let (host, moves) = match call {
        CallId::Pread64 => (libc::SYS_pread64, false),
        CallId::Pwrite64 => (libc::SYS_pwrite64, false),
        CallId::Read => (libc::SYS_pread64, true),
        CallId::Write => (libc::SYS_pwrite64, true),
        _ => return None,
    };
    let base = crate::proc_view::memory_base(cx.task, args[0])?;
    let seek = |by: u64| raw_syscall(libc::SYS_lseek, [args[0], by, libc::SEEK_CUR as u64, 0, 0, 0]);
    let at = if moves { seek(0).ok()? } else { args[3] };
    if at >= 1 << 32 {
        return None;
    }
    let buf = match cx.mem.host(args[1], args[2] as usize) {
        Ok(buf) => buf,
        Err(errno) => return Some(Err(errno)),
    };
    let result = raw_syscall(host, [args[0], buf, args[2], at.wrapping_add(base), 0, 0]);
    if moves && let Ok(done) = result {
        let _ = seek(done);
    }
    Some(result)
}
