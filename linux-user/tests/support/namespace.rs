//! Namespaces of a test's own, for what would otherwise change the machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

/// Runs a script as root of new user, mount and process namespaces with a binfmt_misc of its own, `$B`; `ids` are the
/// lines of its maps of users and groups. None: the kernel does not allow it.
pub fn in_namespace(script: &str, ids: &str) -> Option<String> {
    let script = format!(
        "B=/proc/sys/fs/binfmt_misc; mount --make-rprivate / && mount -t proc proc /proc && \
         mount -t binfmt_misc none $B || {{ echo REFUSED; exit 0; }}\n{script}"
    );
    // The second shell has the rights of root in there, because there is one when it starts.
    let mut child = Command::new("unshare")
        .args(["--user", "--mount", "--pid", "--fork", "sh", "-c"])
        .arg("echo READY; read go; exec sh -c \"$SCRIPT\"")
        .env("SCRIPT", script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("util-linux has unshare");
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut shown = String::new();
    out.read_line(&mut shown).unwrap();
    let map = |file: &str| std::fs::write(format!("/proc/{}/{file}", child.id()), ids);
    let refused = shown != "READY\n"
        || std::fs::write(format!("/proc/{}/setgroups", child.id()), "deny").is_err()
        || map("uid_map").is_err()
        || map("gid_map").is_err();
    if refused {
        shown = "REFUSED".to_owned();
    } else {
        shown.clear();
        child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        out.read_to_string(&mut shown).unwrap();
    }
    drop(child.stdin.take());
    let _ = child.wait();
    if shown.contains("REFUSED") {
        eprintln!("the kernel allows no binfmt_misc of our own here");
        return None;
    }
    Some(shown)
}
