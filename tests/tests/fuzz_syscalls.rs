//! Fuzz target of system call arguments: `guest-tests/fuzz/syscalls.c` makes random calls under the emulator, with and
//! without `-strace`; the emulator must neither panic nor fault itself. `OMNIRUN_FUZZ_SECONDS` and `OMNIRUN_SEED` as in
//! the other targets.

use omnirun_tests::list::Guest;
use omnirun_tests::root;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

fn run(name: &str) {
    let guest = Guest::named(name).expect("a guest of ours");
    let number = |name: &str| std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    let (seed, seconds) =
        (number("OMNIRUN_SEED").unwrap_or(1), number("OMNIRUN_FUZZ_SECONDS").unwrap_or(2).max(2));
    println!("{name} system calls: seed {seed}, {seconds} s");
    let dir = root().join("build/work").join(format!("fuzz-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("a directory of our own");
    // The guest gives up root.
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o777)).expect("our own directory");
    let program = dir.join("syscalls");
    let compiler = format!("{}-gcc", guest.triple);
    let built = Command::new(&compiler)
        .args(["-O1", "-static", "-w", "-D_GNU_SOURCE", "-o"])
        .arg(&program)
        .arg(root().join("guest-tests/fuzz/syscalls.c"))
        .status()
        .unwrap_or_else(|e| panic!("{compiler}: {e}: install the package gcc-{}", guest.triple));
    assert!(built.success(), "syscalls.c does not build");
    // A third of the time with the trace, whose printer sees the same wild arguments.
    let traced = (seconds / 3).max(1);
    for (part, trace) in [(seconds - traced, false), (traced, true)] {
        let log = dir.join("trace");
        let mut cmd = Command::new("timeout");
        cmd.args(["--kill-after=5", &(part + 60).to_string()]).arg(guest.emulator());
        if trace {
            cmd.arg("-strace").arg("-D").arg("/dev/null");
        }
        cmd.arg(&program).arg(seed.to_string()).arg(part.to_string()).current_dir(&dir);
        let out = cmd.output().unwrap_or_else(|e| panic!("{}: {e}", log.display()));
        let text = String::from_utf8_lossy(&out.stderr);
        // Exactly our words: the guest writes all kinds of its memory there, also messages of its C library.
        let ours: Vec<&str> = text
            .lines()
            .filter(|l| {
                l.contains("omnirun: internal error")
                    || l.contains("' panicked at ")
                    || l.contains(") panicked at ")
            })
            .take(20)
            .collect();
        assert!(ours.is_empty(), "{}\n(directory {})", ours.join("\n"), dir.display());
        assert!(out.status.success(), "{:?}: {}", out.status, omnirun_tests::run::tail(&text, 10));
        println!("{}", text.lines().last().unwrap_or(""));
    }
    std::fs::remove_dir_all(&dir).expect("our own directory");
}

#[test]
fn fuzz_aarch64_syscalls() {
    run("aarch64");
}

#[test]
fn fuzz_riscv64_syscalls() {
    run("riscv64");
}

#[test]
fn fuzz_x86_64_syscalls() {
    run("x86_64");
}
