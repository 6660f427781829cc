//! Programs run by their names through the kernel's binfmt_misc, with every combination of flags.
//!
//! In a user namespace with a mount of its own (Linux 6.7); where the kernel refuses that, the test says so and ends.

use binfmt_conf::guests::Guest;
use binfmt_conf::options;
use std::path::Path;
use std::process::Command;

const QEMU: &str = env!("CARGO_BIN_EXE_qemu-aarch64");

const PROGRAM: &str = r#"
#include <stdio.h>
#include <sys/auxv.h>
int main(int argc, char **argv) {
    for (int i = 0; i < argc; i++) printf("[%s]", argv[i]);
    printf(" %s %lu\n", (char *)getauxval(AT_EXECFN), getauxval(AT_SECURE));
    return 5;
}
"#;

/// The line that registers the emulator with these flags.
fn line(flags: [bool; 3]) -> String {
    let word = |on| if on { "yes" } else { "no" }.to_owned();
    let dir = Path::new(QEMU).parent().unwrap().to_str().unwrap();
    let args =
        ["-Q", dir, "-c", &word(flags[0]), "-p", &word(flags[1]), "-g", &word(flags[2])].map(str::to_owned);
    options::parse(args, |_| None, "x86_64").unwrap().line(Guest::named("aarch64").unwrap())
}

#[test]
fn argv0_is_right_for_every_combination_of_flags() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("binfmt-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("p.c"), PROGRAM).unwrap();
    let (path, source) = (dir.join("p"), dir.join("p.c"));
    let built = Command::new("aarch64-linux-gnu-gcc").args(["-static", "-o"]).args([&path, &source]).status();
    assert!(built.is_ok_and(|s| s.success()), "install Debian's gcc-aarch64-linux-gnu");
    std::fs::write(dir.join("script"), format!("#!{} -x y\n", path.display())).unwrap();
    let mut script =
        "B=/proc/sys/fs/binfmt_misc\nmount -t binfmt_misc none $B || { echo REFUSED; exit 0; }\n".to_owned();
    script += &format!("cd {}; chmod +x script\n", dir.display());
    let mut expected = String::new();
    for bits in 0..8 {
        let flags = [bits & 1 != 0, bits & 2 != 0, bits & 4 != 0];
        script += &format!("printf '%s' '{}' > $B/register || exit 1\n", line(flags));
        // Under another name (bash makes the path absolute), by a relative path, through a script.
        script += "bash -c 'exec -a other ./p one'; echo $?\n";
        script += "./p; ./script z\n";
        let full = path.display().to_string();
        let name = if flags[2] { "other" } else { &full };
        expected +=
            &format!("[{name}][one] {full} 0\n5\n[./p] ./p 0\n[{full}][-x y][./script][z] {full} 0\n");
        script += "echo -1 > $B/qemu-aarch64\n";
    }
    let out = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "--pid",
            "--fork",
            "--mount-proc",
            "bash",
            "-c",
            &script,
        ])
        .output()
        .expect("util-linux has unshare");
    let (shown, err) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    std::fs::remove_dir_all(dir).unwrap();
    if err.contains("unshare") || shown.contains("REFUSED") {
        eprintln!("the kernel allows no binfmt_misc of our own here: {}", err.trim());
        return;
    }
    assert_eq!(shown, expected, "{err}");
}
