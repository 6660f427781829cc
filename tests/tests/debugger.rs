//! `gdb-multiarch` debugs a threaded program over a unix socket: breakpoints, variables, a watchpoint, threads, signals,
//! a caught system call, the memory map; and follows one that forks and executes.

use omnirun_tests::list::{GUESTS, Guest};
use omnirun_tests::root;
use std::process::{Command, Output, Stdio};

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

const ACCESSES: &str = "\
set pagination off
set confirm off
target remote SOCKET
break sum
continue
delete
rwatch counter
continue
info watchpoints
delete
awatch counter
continue
delete
handle SIGUSR1 stop print pass
continue
print $_siginfo.si_signo
print $_siginfo._sifields._kill.si_pid == 0
continue
";

#[test]
fn gdb_sees_reads_and_what_a_signal_carries() {
    for guest in GUESTS.iter().filter(|g| g.hosted) {
        let (text, process) = session(guest, "threaded", "accesses", ACCESSES);
        for expected in [
            "Hardware read watchpoint 2: counter",
            "Value = ",
            "breakpoint already hit 1 time",
            "Hardware access (read/write) watchpoint 3: counter",
            "received signal SIGUSR1",
            "$1 = 10",
            "$2 = 0",
            "exited with code 07",
        ] {
            assert!(text.contains(expected), "{}: no {expected:?} in:\n{text}", guest.name);
        }
        assert_eq!(process.status.code(), Some(7), "{text}");
    }
}

const FOLLOW_PARENT: &str = "\
set pagination off
set confirm off
target remote SOCKET
break in_child
break in_parent
break after_exec
catch fork
continue
delete 4
continue
backtrace
continue
print x
continue
";

const FOLLOW_CHILD: &str = "\
set pagination off
set confirm off
set follow-fork-mode child
target remote SOCKET
break in_child
break in_parent
break after_exec
continue
print x
catch exec
continue
continue
backtrace
continue
";

#[test]
fn gdb_follows_forks_and_exec() {
    let parent = [
        "Catchpoint 4 (forked process",
        "Detaching after fork from child process",
        "hit Breakpoint 2, in_parent (x=1)",
        "is executing new program",
        "hit Breakpoint 3, after_exec (x=5)",
        "$1 = 5",
        "exited with code 010",
    ];
    let child = [
        "hit Breakpoint 1, in_child (x=1)",
        "$1 = 1",
        "Catchpoint 4 (exec'd",
        "hit Breakpoint 3, after_exec (x=1)",
        "exited with code 04",
    ];
    for guest in GUESTS.iter().filter(|g| g.hosted) {
        for (name, commands, expected) in
            [("parent", FOLLOW_PARENT, &parent[..]), ("child", FOLLOW_CHILD, &child[..])]
        {
            let (text, process) = session(guest, "forks", name, commands);
            for line in expected {
                // The first thread's breakpoints are reported without its number.
                let line = line.strip_prefix("hit ").unwrap_or(line);
                assert!(text.contains(line), "{}, {name}: no {line:?} in:\n{text}", guest.name);
            }
            let printed = String::from_utf8_lossy(&process.stdout);
            assert_eq!(printed, "child 2\nparent 3 child ended with 4\nspawned ended with 4\n", "{text}");
            assert_eq!(process.status.code(), Some(8), "{text}");
        }
    }
}

/// Runs a session on the program; what the debugger printed, and how the program ended.
fn session(guest: &Guest, program: &str, name: &str, commands: &str) -> (String, Output) {
    let dir = root().join("build/debugger").join(guest.name).join(name);
    std::fs::create_dir_all(&dir).unwrap();
    let binary = dir.join(program);
    let compiled = Command::new(format!("{}-gcc", guest.triple))
        .args(["-g", "-O0", "-static", "-pthread"])
        .arg(root().join(format!("guest-tests/debugger/{program}.c")))
        .arg("-o")
        .arg(&binary)
        .status()
        .expect("the cross compiler, which `make test` installs");
    assert!(compiled.success());
    let socket = dir.join(format!("socket-{}", std::process::id()));
    let process = Command::new(guest.emulator())
        .env("QEMU_CACHE", "off")
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
    std::fs::write(&script, commands.replace("SOCKET", &socket.display().to_string())).unwrap();
    let out = Command::new("timeout")
        .args(["120", "gdb-multiarch", "-q", "-batch", "-x"])
        .arg(&script)
        .arg(&binary)
        .output()
        .expect("gdb-multiarch, which `make test` installs");
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (text, process.wait_with_output().unwrap())
}

fn debug(guest: &Guest) {
    let catch = if guest.gdb_calls { "catch syscall exit_group\ncontinue" } else { "" };
    let (text, process) = session(guest, "threaded", "threads", &SESSION.replace("CATCH", catch));
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
