//! `gdb-multiarch` debugs a threaded program over a unix socket: breakpoints, variables, a watchpoint, threads, signals,
//! a caught system call, the memory map.

use omnirun_tests::{emulator, root};
use std::process::{Command, Stdio};

const SESSION: &str = "\
set pagination off
set confirm off
target remote SOCKET
break sum
continue
backtrace
next
print c
set var c = 40
finish
watch counter
continue
info threads
delete
info proc mappings
info auxv
break work
continue
delete
catch syscall exit_group
continue
continue
continue
";

#[test]
fn gdb_debugs_a_threaded_program() {
    let dir = root().join("build/debugger");
    std::fs::create_dir_all(&dir).unwrap();
    let binary = dir.join("threaded");
    let compiled = Command::new("aarch64-linux-gnu-gcc")
        .args(["-g", "-O0", "-static", "-pthread"])
        .arg(root().join("guest-tests/debugger/threaded.c"))
        .arg("-o")
        .arg(&binary)
        .status()
        .expect("the cross compiler, which `make test` installs");
    assert!(compiled.success());
    let socket = dir.join(format!("socket-{}", std::process::id()));
    let guest = Command::new(emulator())
        .arg("-g")
        .arg(&socket)
        .arg(&binary)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the emulator, which `make test` builds");
    for _ in 0..200 {
        if socket.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let script = dir.join("session.gdb");
    std::fs::write(&script, SESSION.replace("SOCKET", &socket.display().to_string())).unwrap();
    let out = Command::new("timeout")
        .args(["120", "gdb-multiarch", "-q", "-batch", "-x"])
        .arg(&script)
        .arg(&binary)
        .output()
        .expect("gdb-multiarch, which `make test` installs");
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    let guest = guest.wait_with_output().unwrap();
    for expected in [
        "sum (a=2, b=3)",
        "in main ()",
        "$1 = 5",
        "Value returned is $2 = 40",
        "Old value = 0",
        "New value = 1",
        "* 2    Thread",
        "[stack]",
        "AT_EXECFN",
        "hit Breakpoint 3, work",
        "received signal SIGUSR1",
        "call to syscall exit_group",
        "exited with code 07",
    ] {
        assert!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
    assert_eq!(String::from_utf8_lossy(&guest.stdout), "sum 40\nsignal 10\ncounter 9\n", "{text}");
    assert_eq!(guest.status.code(), Some(7));
}
