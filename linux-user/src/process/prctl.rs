//! `prctl`: what concerns the host process is passed on; what concerns the guest's CPU or address space is answered
//! here; what is neither is refused as an older kernel would.

use crate::errno::{Errno, SysResult};
use crate::sys::raw_syscall;
use crate::syscall::SysCx;

const PR_SET_PDEATHSIG: i32 = 1;
const PR_GET_PDEATHSIG: i32 = 2;
const PR_GET_DUMPABLE: i32 = 3;
const PR_SET_DUMPABLE: i32 = 4;
const PR_GET_KEEPCAPS: i32 = 7;
const PR_SET_KEEPCAPS: i32 = 8;
const PR_GET_TIMING: i32 = 13;
const PR_SET_TIMING: i32 = 14;
const PR_SET_NAME: i32 = 15;
const PR_GET_NAME: i32 = 16;
const PR_GET_SECCOMP: i32 = 21;
const PR_SET_SECCOMP: i32 = 22;
const PR_CAPBSET_READ: i32 = 23;
const PR_CAPBSET_DROP: i32 = 24;
const PR_GET_SECUREBITS: i32 = 27;
const PR_SET_SECUREBITS: i32 = 28;
const PR_SET_TIMERSLACK: i32 = 29;
const PR_GET_TIMERSLACK: i32 = 30;
const PR_MCE_KILL: i32 = 33;
const PR_MCE_KILL_GET: i32 = 34;
const PR_SET_CHILD_SUBREAPER: i32 = 36;
const PR_GET_CHILD_SUBREAPER: i32 = 37;
const PR_SET_NO_NEW_PRIVS: i32 = 38;
const PR_GET_NO_NEW_PRIVS: i32 = 39;
const PR_GET_TID_ADDRESS: i32 = 40;
const PR_SET_THP_DISABLE: i32 = 41;
const PR_GET_THP_DISABLE: i32 = 42;
const PR_CAP_AMBIENT: i32 = 47;
const PR_GET_SPECULATION_CTRL: i32 = 52;
const PR_SET_SPECULATION_CTRL: i32 = 53;
const PR_SET_IO_FLUSHER: i32 = 57;
const PR_GET_IO_FLUSHER: i32 = 58;
const PR_SET_VMA: i32 = 0x5356_4d41;
const PR_SET_PTRACER: i32 = 0x5961_6d61;

const NAME_LEN: usize = 16;

/// READ_IMPLIES_EXEC.
const READ_IMPLIES_EXEC: u64 = 0x0040_0000;

/// `personality`: the host's, which its exec and ours pass on; mappings follow it here.
pub fn sys_personality(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let persona = a[0] & 0xffff_ffff;
    let old = raw_syscall(libc::SYS_personality, [persona, 0, 0, 0, 0, 0])?;
    if persona != 0xffff_ffff {
        cx.task.mm.set_read_implies_exec(persona & READ_IMPLIES_EXEC != 0);
    }
    Ok(old)
}

/// `prctl`
pub fn sys_prctl(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let host =
        |args: [u64; 5]| raw_syscall(libc::SYS_prctl, [args[0], args[1], args[2], args[3], args[4], 0]);
    let plain = [a[0], a[1], a[2], a[3], a[4]];
    let option = a[0] as i32;
    match option {
        PR_GET_PDEATHSIG | PR_GET_CHILD_SUBREAPER => {
            let mut value = 0i32;
            host([a[0], &raw mut value as u64, 0, 0, 0])?;
            cx.mem.write(a[1], &value)?;
            Ok(0)
        }
        PR_SET_NAME => {
            let mut name = [0u8; NAME_LEN];
            // The name may end before an unreadable page.
            let got = cx.mem.copy_in_partial(a[1], &mut name[..NAME_LEN - 1]);
            if got < NAME_LEN - 1 && !name[..got].contains(&0) {
                return Err(Errno::EFAULT);
            }
            host([a[0], name.as_ptr() as u64, 0, 0, 0])
        }
        PR_GET_NAME => {
            let mut name = [0u8; NAME_LEN];
            host([a[0], name.as_mut_ptr() as u64, 0, 0, 0])?;
            cx.mem.copy_out(a[1], &name)?;
            Ok(0)
        }
        PR_GET_TID_ADDRESS => {
            let word = cx.task.clear_child_tid;
            if cx.abi.info().word == 8 {
                cx.mem.write(a[1], &word)?;
            } else {
                cx.mem.write(a[1], &(word as u32))?;
            }
            Ok(0)
        }
        PR_SET_SECCOMP => crate::seccomp::prctl_set(cx, a[1], a[2]),
        PR_GET_SECCOMP => crate::seccomp::prctl_get(cx.task),
        // The emulator cannot be traced as the guest, but the guest's choice has other effects too.
        PR_SET_PDEATHSIG
        | PR_GET_DUMPABLE
        | PR_SET_DUMPABLE
        | PR_GET_KEEPCAPS
        | PR_SET_KEEPCAPS
        | PR_GET_TIMING
        | PR_SET_TIMING
        | PR_CAPBSET_READ
        | PR_CAPBSET_DROP
        | PR_GET_SECUREBITS
        | PR_SET_SECUREBITS
        | PR_SET_TIMERSLACK
        | PR_GET_TIMERSLACK
        | PR_MCE_KILL
        | PR_MCE_KILL_GET
        | PR_SET_CHILD_SUBREAPER
        | PR_SET_NO_NEW_PRIVS
        | PR_GET_NO_NEW_PRIVS
        | PR_SET_THP_DISABLE
        | PR_GET_THP_DISABLE
        | PR_CAP_AMBIENT
        | PR_GET_SPECULATION_CTRL
        | PR_SET_SPECULATION_CTRL
        | PR_SET_IO_FLUSHER
        | PR_GET_IO_FLUSHER
        | PR_SET_PTRACER => host(plain),
        PR_SET_VMA => {
            // Names of anonymous mappings: the range and the string are the guest's.
            let start = cx.mem.host(a[2], 0)?;
            let name = cx.mem.host_opt(a[4], 1)?;
            host([a[0], a[1], start, a[3], name])
        }
        _ => cx.task.arch.prctl(&mut cx.task.cpu, option, [a[1], a[2], a[3], a[4]]),
    }
}
