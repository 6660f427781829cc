//! `-strace` of a program with known calls reads like strace's: names, flags, structures, errors, signals, exits.

use omnirun_tests::guests::{self, Link};
use omnirun_tests::list::GUESTS;
use std::process::Command;

/// Lines that must come in this order. `N` stands for a process's number, `@` for an address.
const EXPECTED: &[&str] = &[
    r#"openat(AT_FDCWD, "/nonexistent/file", O_RDONLY|O_DIRECTORY|O_CLOEXEC) = -1 ENOENT (No such file or directory)"#,
    r#"openat(AT_FDCWD, "/dev/null", O_RDWR|O_NOFOLLOW) = 3"#,
    r#"newfstatat(AT_FDCWD, "/dev/null", {st_mode=S_IFCHR|0666, st_size=0, ...}, 0) = 0"#,
    r#"write(3, "tab\tquote\"\n", 11) = 11"#,
    r#"writev(3, [{iov_base="ab", iov_len=2}, {iov_base="cde", iov_len=3}], 2) = 5"#,
    r"pipe2([4, 5], O_CLOEXEC) = 0",
    r"socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0, [6, 7]) = 0",
    r#"sendto(6, "hello", 5, MSG_NOSIGNAL, NULL, 0) = 5"#,
    r#"recvmsg(7, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="hello", iov_len=64}], msg_iovlen=1, msg_controllen=0, msg_flags=0}, MSG_DONTWAIT) = 5"#,
    r"socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 8",
    r"setsockopt(8, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0",
    r"setsockopt(8, SOL_TCP, TCP_NODELAY, [1], 4) = 0",
    r#"connect(8, {sa_family=AF_INET, sin_port=htons(1), sin_addr=inet_addr("127.0.0.1")}, 16) = -1 ECONNREFUSED (Connection refused)"#,
    r"ppoll([{fd=4, events=POLLIN, revents=0}], 1, {tv_sec=0, tv_nsec=0}, NULL, 8) = 0 (Timeout)",
    r"epoll_create1(EPOLL_CLOEXEC) = 9",
    r"epoll_ctl(9, EPOLL_CTL_ADD, 7, {events=EPOLLIN|EPOLLET, data=0x5}) = 0",
    r"ioctl(3, TIOCGWINSZ, @) = -1 ENOTTY (Inappropriate ioctl for device)",
    r"mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = @",
    r"mprotect(@, 4096, PROT_NONE) = 0",
    r"munmap(@, 8192) = 0",
    r"rt_sigaction(SIGUSR1, {sa_handler=@, sa_mask=[USR1], sa_flags=SA_RESTART}, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, 8) = 0",
    r"kill(N, SIGUSR1) = 0",
    r"--- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=N, si_uid=N} ---",
    r"clone(CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, NULL, NULL, NULL, @) = N",
    r"wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = N",
    r"exit_group(0) = ?",
    r"+++ exited with 0 +++",
];

/// True if the line is the pattern, word characters at `N` and `@` aside.
fn matches(pattern: &str, line: &str) -> bool {
    let (mut rest, mut pattern) = (line, pattern);
    loop {
        let hole = [("@", "0x"), ("=N", "="), ("(N", "("), (" N", " ")]
            .iter()
            .flat_map(|(mark, keep)| pattern.match_indices(mark).map(|(at, _)| (at, mark.len(), *keep)))
            .filter(|(at, len, _)| !pattern[at + len..].starts_with(|c: char| c.is_ascii_alphanumeric()))
            .min();
        let Some((at, len, keep)) = hole else { return rest == pattern };
        let Some(after) = rest.strip_prefix(&pattern[..at]).and_then(|r| r.strip_prefix(keep)) else {
            return false;
        };
        rest = after.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        pattern = &pattern[at + len..];
    }
}

#[test]
fn calls_read_like_straces() {
    let list = guests::discover().expect("guest programs");
    let test = list.iter().find(|t| t.name == "trace").expect("guest-tests/multiarch/trace.c");
    for guest in GUESTS.iter().filter(|g| g.hosted) {
        let program = test.build(Some(guest), Link::Static).expect("the cross compiler");
        let out = Command::new(guest.emulator())
            .env("QEMU_CACHE", "off")
            .arg("-strace")
            .arg(program)
            .output()
            .expect("the emulator");
        assert!(out.status.success(), "{}", guest.name);
        // Some libraries name the function that their handlers return to.
        let text = String::from_utf8_lossy(&out.stderr).replace("SA_RESTORER|", "");
        let mut lines = text.lines();
        for pattern in EXPECTED {
            // The order of clone's last two arguments is the architecture's.
            let turned = pattern.replace("NULL, @) = N", "@, NULL) = N");
            let found = lines.any(|line| {
                line.split_once(' ').is_some_and(|(_, call)| matches(pattern, call) || matches(&turned, call))
            });
            assert!(found, "{}: no line (in order) like\n{pattern}\nin\n{text}", guest.name);
        }
    }
}

#[test]
fn some_calls_and_a_file_for_each_process() {
    let list = guests::discover().expect("guest programs");
    let test = list.iter().find(|t| t.name == "trace").expect("guest-tests/multiarch/trace.c");
    for guest in GUESTS.iter().filter(|g| g.hosted) {
        let program = test.build(Some(guest), Link::Static).expect("the cross compiler");
        let dir = std::env::temp_dir().join(format!("omnirun-strace-{}-{}", std::process::id(), guest.name));
        std::fs::create_dir_all(&dir).expect("a directory for logs");
        let out = Command::new(guest.emulator())
            .env("QEMU_CACHE", "off")
            .arg("-strace=network,wait4,%signal")
            .arg("-D")
            .arg(dir.join("log.%d"))
            .arg(program)
            .output()
            .expect("the emulator");
        assert!(out.status.success() && out.stderr.is_empty(), "{}: {out:?}", guest.name);
        let mut files = 0;
        let mut text = String::new();
        for entry in std::fs::read_dir(&dir).expect("logs").flatten() {
            let log = std::fs::read_to_string(entry.path()).expect("a log");
            let pid = entry.path().extension().expect("a number").to_string_lossy().into_owned();
            assert!(log.lines().all(|line| line.split(' ').next() == Some(&*pid)), "{pid}:\n{log}");
            text += &log;
            files += 1;
        }
        std::fs::remove_dir_all(&dir).expect("logs removed");
        assert_eq!(files, 2, "{}: the program and its child", guest.name);
        for call in ["connect(", "kill(", "wait4(", "rt_sigaction(", "--- SIGUSR1 "] {
            assert!(text.contains(call), "{}: {call} in\n{text}", guest.name);
        }
        for call in ["openat(", "mmap(", "write(", "ioctl("] {
            assert!(!text.contains(call), "{}: {call} in\n{text}", guest.name);
        }
    }
}
