//! `gdb-multiarch` debugs a threaded program over a unix socket: breakpoints, variables, a watchpoint, threads, signals,
//! a caught system call, the memory map.

use omnirun_tests::list::{GUESTS, Guest};
use omnirun_tests::root;
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
CATCH
continue
continue
";

#[test]
fn gdb_debugs_a_threaded_program() {
    for guest in GUESTS.iter().filter(|g| g.hosted) {
        debug(guest);
    }
}

fn debug(guest: &Guest) {
    let dir = root().join("build/debugger").join(guest.name);
    std::fs::create_dir_all(&dir).unwrap();
    let binary = dir.join("threaded");
    let compiled = Command::new(format!("{}-gcc", guest.triple))
        .args(["-g", "-O0", "-static", "-pthread"])
        .arg(root().join("guest-tests/debugger/threaded.c"))
        .arg("-o")
        .arg(&binary)
        .status()
        .expect("the cross compiler, which `make test` installs");
    assert!(compiled.success());
    let socket = dir.join(format!("socket-{}", std::process::id()));
    let process = Command::new(guest.emulator())
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
    let catch = if guest.gdb_calls { "catch syscall exit_group\ncontinue" } else { "" };
    let session = SESSION.replace("SOCKET", &socket.display().to_string()).replace("CATCH", catch);
    std::fs::write(&script, session).unwrap();
    let out = Command::new("timeout")
        .args(["120", "gdb-multiarch", "-q", "-batch", "-x"])
        .arg(&script)
        .arg(&binary)
        .output()
        .expect("gdb-multiarch, which `make test` installs");
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    let process = process.wait_with_output().unwrap();
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
        if expected.contains("syscall") && !guest.gdb_calls {
            continue;
        }
        assert!(text.contains(expected), "{}: no {expected:?} in:\n{text}", guest.name);
    }
    assert_eq!(String::from_utf8_lossy(&process.stdout), "sum 40\nsignal 10\ncounter 9\n", "{text}");
    assert_eq!(process.status.code(), Some(7));
}
