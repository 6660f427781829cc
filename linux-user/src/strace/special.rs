//! Arguments whose form depends on another argument, and results that say more than a number.

use super::format::Printer;
use std::fmt::Write;
use syscall_tables::{
    ArgTy, CallDesc, CallId, Dir, FlagSetId, IOCTLS, IoctlArg, IoctlDesc, Ret, Ty, flags, structs,
};

impl Printer {
    fn known_ioctl(&self, request: u64) -> Option<&'static IoctlDesc> {
        IOCTLS.iter().find(|d| d.on(self.abi) == request)
    }

    /// An ioctl's request.
    pub fn ioctl(&mut self, request: u64) {
        match self.known_ioctl(request) {
            Some(d) => self.out.push_str(d.name),
            None => {
                let dir = ["_IOC_NONE", "_IOC_WRITE", "_IOC_READ", "_IOC_READ|_IOC_WRITE"]
                    [(request >> 30) as usize & 3];
                let (group, nr, size) = (request >> 8 & 0xff, request & 0xff, request >> 16 & 0x3fff);
                let _ = write!(self.out, "_IOC({dir}, {group:#x}, {nr:#x}, {size:#x})");
            }
        }
    }

    fn wait_status(&mut self, s: u64) {
        let s = s as i32;
        let _ = if libc::WIFEXITED(s) {
            write!(self.out, "[{{WIFEXITED(s) && WEXITSTATUS(s) == {}}}]", libc::WEXITSTATUS(s))
        } else if libc::WIFSIGNALED(s) {
            self.out.push_str("[{WIFSIGNALED(s) && WTERMSIG(s) == ");
            self.signal(libc::WTERMSIG(s) as u64);
            write!(self.out, "{}}}]", if libc::WCOREDUMP(s) { " && WCOREDUMP(s)" } else { "" })
        } else if libc::WIFSTOPPED(s) {
            self.out.push_str("[{WIFSTOPPED(s) && WSTOPSIG(s) == ");
            self.signal(libc::WSTOPSIG(s) as u64);
            write!(self.out, "}}]")
        } else {
            write!(self.out, "[{{WIFCONTINUED(s)}}]")
        };
    }
}

/// The option names of a socket level.
fn option_set(level: u64) -> Option<FlagSetId> {
    match level as i32 {
        libc::SOL_SOCKET => Some(flags::SO),
        libc::IPPROTO_TCP => Some(flags::TCP_OPT),
        libc::IPPROTO_IP => Some(flags::IP_OPT),
        libc::IPPROTO_IPV6 => Some(flags::IPV6_OPT),
        _ => None,
    }
}

/// True if argument `i` is an address whose content the kernel writes, though its type does not say so.
pub fn written(p: &Printer, desc: &CallDesc, a: &[u64; 6], i: usize) -> bool {
    match (desc.id, desc.args[i].name) {
        (CallId::Ioctl, "arg") => p
            .known_ioctl(a[1] & 0xffff_ffff)
            .is_some_and(|d| matches!(d.arg, IoctlArg::Mem(dir, _) if dir != Dir::In)),
        (CallId::Fcntl, "arg") => {
            matches!((a[1] & 0xffff_ffff) as i32, libc::F_GETLK | libc::F_OFD_GETLK)
        }
        _ => false,
    }
}

/// Prints argument `i` if the call has a form of its own for it.
pub fn argument(p: &mut Printer, desc: &CallDesc, a: &[u64; 6], i: usize, after: Option<u64>) -> bool {
    let name = desc.args[i].name;
    match (desc.id, name) {
        (CallId::Clone, "flags") => {
            p.flags(flags::CLONE, a[0] & 0xffff_ff00);
            if a[0] & 0xff != 0 {
                p.out.push('|');
                p.signal(a[0] & 0xff);
            }
        }
        (CallId::Open | CallId::Openat, "mode") => {
            let flags = a[i - 1];
            let creates = |n: &str| flags::OPEN.value(n, p.abi).is_some_and(|v| flags & v == v);
            if creates("O_CREAT") || creates("O_TMPFILE") {
                return false;
            }
            // Not an argument at all then: take back the comma.
            p.out.truncate(p.out.len() - 2);
        }
        (CallId::Fcntl | CallId::Fcntl64, "arg") => return fcntl(p, a, after),
        (CallId::Ioctl, "arg") => {
            let Some(d) = p.known_ioctl(a[1] & 0xffff_ffff) else { return false };
            match d.arg {
                IoctlArg::None => p.out.truncate(p.out.len() - 2),
                IoctlArg::Mem(dir, ty) if a[2] != 0 && !(dir == Dir::Out && p.failed) => match ty {
                    Ty::Struct(_) => p.element(ty, a[2]),
                    _ => {
                        p.out.push('[');
                        p.element(ty, a[2]);
                        p.out.push(']');
                    }
                },
                IoctlArg::Value
                | IoctlArg::Raw
                | IoctlArg::Mem(..)
                | IoctlArg::Handler
                | IoctlArg::Refuse => {
                    return false;
                }
            }
        }
        (CallId::Setsockopt | CallId::Getsockopt, "optname") => match option_set(a[1] & 0xffff_ffff) {
            Some(set) => p.flags(set, a[2] & 0xffff_ffff),
            None => return false,
        },
        (CallId::Setsockopt | CallId::Getsockopt, "optval") => {
            let len = if desc.id == CallId::Setsockopt { Some(a[4]) } else { p.load(Ty::U32, a[4]) };
            if len != Some(4) || p.failed {
                return false;
            }
            let Some(v) = p.load(Ty::I32, a[3]) else { return false };
            let _ = write!(p.out, "[{}]", v as i32);
        }
        (CallId::Socket | CallId::Socketpair, "protocol")
            if matches!(a[0] as i32, libc::AF_INET | libc::AF_INET6) =>
        {
            p.flags(flags::PROTO, a[2] & 0xffff_ffff);
        }
        (CallId::Wait4 | CallId::Waitpid, "wstatus")
            if a[1] != 0 && !p.failed && after.is_some_and(|r| r != 0) =>
        {
            match p.load(Ty::U32, a[1]) {
                Some(s) => p.wait_status(s),
                None => return false,
            }
        }
        (CallId::Execve | CallId::Execveat, "envp") if a[i] != 0 => {
            let word = p.abi.info().word as u64;
            let count = (0..100_000u64)
                .take_while(|k| !matches!(p.load(Ty::Ptr, a[i].wrapping_add(k * word)), None | Some(0)))
                .count();
            let _ = write!(p.out, "{:#x} /* {count} vars */", a[i]);
        }
        (CallId::Prlimit64 | CallId::Getrlimit | CallId::Setrlimit, "new_limit" | "old_limit" | "rlim")
            if a[i] != 0 && !p.failed =>
        {
            let (cur, max) = (p.load(Ty::U64, a[i]), p.load(Ty::U64, a[i].wrapping_add(8)));
            let (Some(cur), Some(max), 8) = (cur, max, p.abi.info().word) else { return false };
            let text = |v: u64| match v {
                u64::MAX => "RLIM64_INFINITY".to_string(),
                v if v > 1024 && v % 1024 == 0 => format!("{}*1024", v / 1024),
                v => v.to_string(),
            };
            let _ = write!(p.out, "{{rlim_cur={}, rlim_max={}}}", text(cur), text(max));
        }
        (CallId::RtSigaction, "act" | "oldact") => return sigaction(p, a[i], name == "oldact"),
        (CallId::Prctl, "arg2") if a[0] as i32 == libc::PR_SET_NAME => p.string(a[1], 16),
        (CallId::Futex, "val3") if !matches!(a[1] & 0x7f, 4 | 5 | 9..=12) => p.out.truncate(p.out.len() - 2),
        (CallId::Futex, "uaddr2") if !matches!(a[1] & 0x7f, 3..=5 | 11 | 12) => {
            p.out.truncate(p.out.len() - 2)
        }
        (CallId::Futex, "timeout") => match a[1] & 0x7f {
            0 | 6 | 9 | 11 | 13 if a[3] != 0 => p.element(Ty::Struct(structs::TIMESPEC), a[3]),
            0 | 6 | 9 | 11 | 13 | 3..=5 | 12 => return false,
            _ => p.out.truncate(p.out.len() - 2),
        },
        _ => return false,
    }
    true
}

fn fcntl(p: &mut Printer, a: &[u64; 6], _after: Option<u64>) -> bool {
    match (a[1] & 0xffff_ffff) as i32 {
        libc::F_GETFD
        | libc::F_GETFL
        | libc::F_GETOWN
        | libc::F_GETLEASE
        | libc::F_GETPIPE_SZ
        | libc::F_GET_SEALS => {
            p.out.truncate(p.out.len() - 2);
        }
        libc::F_SETFD => p.flags(flags::FD, a[2] & 0xffff_ffff),
        libc::F_SETFL => p.flags(flags::OPEN, a[2] & 0xffff_ffff),
        libc::F_ADD_SEALS => p.flags(flags::SEAL, a[2] & 0xffff_ffff),
        libc::F_GETLK
        | libc::F_SETLK
        | libc::F_SETLKW
        | libc::F_OFD_GETLK
        | libc::F_OFD_SETLK
        | libc::F_OFD_SETLKW => {
            p.element(Ty::Struct(structs::FLOCK), a[2]);
        }
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC | libc::F_SETPIPE_SZ | libc::F_SETOWN => {
            let _ = write!(p.out, "{}", a[2] as i32);
        }
        _ => return false,
    }
    true
}

fn sigaction(p: &mut Printer, addr: u64, old: bool) -> bool {
    let places = syscall_tables::layout(structs::SIGACTION, p.abi);
    let mut raw = vec![0; places.size];
    if addr == 0 || (old && p.failed) || p.mem.copy_in(addr, &mut raw).is_err() {
        return false;
    }
    let abi = p.abi;
    let get = |name: &str| places.field(name).map_or(0, |f| f.get(&raw, abi));
    p.out.push_str("{sa_handler=");
    match get("sa_handler") {
        0 => p.out.push_str("SIG_DFL"),
        1 => p.out.push_str("SIG_IGN"),
        h => p.addr(h),
    }
    p.out.push_str(", sa_mask=");
    p.sigset(get("sa_mask"));
    p.out.push_str(", sa_flags=");
    p.flags(flags::SIGACTION, get("sa_flags"));
    p.out.push('}');
    true
}

/// The result of a call that succeeded.
pub fn result(p: &mut Printer, desc: &CallDesc, a: &[u64; 6], v: u64) {
    let _ = match desc.ret {
        Ret::Int | Ret::Fd => write!(p.out, "{}", v as i64),
        Ret::Addr | Ret::Hex => write!(p.out, "{v:#x}"),
        Ret::Mode => write!(p.out, "0{v:o}"),
        Ret::Never => write!(p.out, "?"),
    };
    match desc.id {
        CallId::Fcntl | CallId::Fcntl64 => match (a[1] & 0xffff_ffff) as i32 {
            libc::F_GETFL => {
                p.out.truncate(p.out.rfind(' ').map_or(0, |i| i + 1));
                let _ = write!(p.out, "{v:#x} (flags ");
                p.flags(flags::OPEN, v);
                p.out.push(')');
            }
            libc::F_GETFD if v != 0 => {
                p.out.push_str(" (flags ");
                p.flags(flags::FD, v);
                p.out.push(')');
            }
            _ => {}
        },
        CallId::Poll | CallId::Ppoll | CallId::Select | CallId::Pselect6 if v == 0 => {
            p.out.push_str(" (Timeout)")
        }
        _ => {}
    }
    debug_assert!(
        desc.args.iter().all(|a| a.ty != ArgTy::Fcntl) || matches!(desc.id, CallId::Fcntl | CallId::Fcntl64)
    );
}
