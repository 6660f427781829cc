//! Which calls `-strace=SET` shows: names and classes, as strace's `-e trace=`.
//!
//! `file`, `%file` and the like are classes that follow from the tables or from the names; `!` in front shows all others.

use std::sync::OnceLock;
use syscall_tables::{ArgTy, CALLS, CallDesc, CallId, Ret};

/// By call; unset without a filter.
static SHOWN: OnceLock<Vec<bool>> = OnceLock::new();

const NETWORK: [&str; 20] = [
    "socket",
    "socketpair",
    "bind",
    "listen",
    "accept",
    "accept4",
    "connect",
    "getsockname",
    "getpeername",
    "sendto",
    "recvfrom",
    "send",
    "recv",
    "sendmsg",
    "recvmsg",
    "sendmmsg",
    "recvmmsg",
    "setsockopt",
    "getsockopt",
    "shutdown",
];
const PROCESS: [&str; 20] = [
    "clone",
    "clone3",
    "fork",
    "vfork",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "wait4",
    "waitid",
    "waitpid",
    "kill",
    "tkill",
    "tgkill",
    "pidfd_open",
    "pidfd_send_signal",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "unshare",
    "setns",
];
const MEMORY: [&str; 22] = [
    "mmap",
    "mmap2",
    "munmap",
    "mremap",
    "mprotect",
    "pkey_mprotect",
    "brk",
    "madvise",
    "process_madvise",
    "mincore",
    "msync",
    "mlock",
    "mlock2",
    "munlock",
    "mlockall",
    "munlockall",
    "mseal",
    "remap_file_pages",
    "mbind",
    "shmat",
    "shmdt",
    "move_pages",
];

fn is_file(d: &CallDesc) -> bool {
    d.args.iter().any(|a| matches!(a.ty, ArgTy::Path | ArgTy::Rpath))
}

fn is_descriptor(d: &CallDesc) -> bool {
    d.ret == Ret::Fd || d.args.iter().any(|a| matches!(a.ty, ArgTy::Fd | ArgTy::Dirfd))
}

fn is_signal(d: &CallDesc) -> bool {
    let sends = d.args.iter().any(|a| matches!(a.ty, ArgTy::Sig));
    sends || d.name.contains("sig") || matches!(d.name, "pause" | "sgetmask" | "ssetmask")
}

fn is_ipc(d: &CallDesc) -> bool {
    ["msg", "sem", "shm", "mq_"].iter().any(|kind| d.name.starts_with(kind)) || d.name == "ipc"
}

/// Whether a class or a name of the list means the call; none: there is no such class or call.
fn means(word: &str, d: &CallDesc) -> Option<bool> {
    let class = word.strip_prefix('%');
    Some(match class.unwrap_or(word) {
        "all" => true,
        "file" => is_file(d),
        "desc" => is_descriptor(d),
        "network" | "net" => NETWORK.contains(&d.name) || d.name.starts_with("recvmmsg"),
        "process" => PROCESS.contains(&d.name),
        "signal" => is_signal(d),
        "memory" => MEMORY.contains(&d.name),
        "ipc" if class.is_some() || !CALLS.iter().any(|c| c.name == "ipc") => is_ipc(d),
        name if class.is_none() && CALLS.iter().any(|c| c.name == name) => d.name == name,
        _ => return None,
    })
}

/// Sets what is shown. The error is the word that means nothing.
pub fn set(list: &str) -> Result<(), String> {
    let _ = SHOWN.set(parse(list)?);
    Ok(())
}

/// Checks a list. The error is the word that means nothing.
pub fn check(list: &str) -> Result<(), String> {
    parse(list).map(|_| ())
}

fn parse(list: &str) -> Result<Vec<bool>, String> {
    let (others, list) = list.strip_prefix('!').map_or((false, list), |rest| (true, rest));
    let mut shown = vec![false; CALLS.len()];
    for word in list.split(',').filter(|word| !word.is_empty()) {
        for (d, shown) in CALLS.iter().zip(&mut shown) {
            *shown |= means(word, d).ok_or_else(|| word.to_owned())?;
        }
    }
    Ok(shown.into_iter().map(|shown| shown != others).collect())
}

/// True if the call is shown.
pub fn shows(call: CallId) -> bool {
    SHOWN.get().is_none_or(|shown| shown[call as usize])
}

/// True if only some calls are shown.
pub fn active() -> bool {
    SHOWN.get().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<&'static str> {
        let shown = parse(list).unwrap();
        CALLS.iter().zip(shown).filter(|(_, shown)| *shown).map(|(d, _)| d.name).collect()
    }

    #[test]
    fn lists_mean_what_straces_do() {
        assert_eq!(names("read,write"), ["read", "write"]);
        let file = names("%file");
        assert!(file.contains(&"openat") && file.contains(&"execve") && !file.contains(&"read"));
        assert_eq!(file, names("file"));
        let signal = names("%signal");
        assert!(signal.contains(&"kill") && signal.contains(&"rt_sigprocmask") && !signal.contains(&"poll"));
        assert!(names("network").contains(&"connect") && !names("network").contains(&"openat"));
        assert!(names("%desc").contains(&"epoll_wait") && names("%ipc").contains(&"semop"));
        let rest = names("!%file,futex");
        assert!(!rest.contains(&"openat") && !rest.contains(&"futex") && rest.contains(&"read"));
        assert_eq!(parse("read,%nothing"), Err("%nothing".to_owned()));
        assert_eq!(parse("nocall"), Err("nocall".to_owned()));
    }
}
