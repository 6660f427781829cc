//! Programs run by their names through the kernel's binfmt_misc, with every combination of flags, and programs that give
//! rights by their file.
//!
//! In a user namespace with a mount of its own (Linux 6.7); where the kernel refuses that, the test says so and ends.

#[path = "support/namespace.rs"]
mod namespace;

use binfmt_conf::guests::Guest;
use binfmt_conf::options;
use namespace::in_namespace;
use std::path::{Path, PathBuf};
use std::process::Command;

const QEMU: &str = env!("CARGO_BIN_EXE_qemu-aarch64");

const PROGRAM: &str = r#"
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
int main(int argc, char **argv) {
    if (argc > 2 && !strcmp(argv[1], "exec")) return execv(argv[2], argv + 2), 9;
    for (int i = 0; i < argc; i++) printf("[%s]", argv[i]);
    printf(" %s %lu %d %d\n", (char *)getauxval(AT_EXECFN), getauxval(AT_SECURE), getuid(), geteuid());
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

/// A directory with the program `p` in it.
fn program(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("binfmt-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("p.c"), PROGRAM).unwrap();
    let built = Command::new("aarch64-linux-gnu-gcc")
        .args(["-static", "-o"])
        .args([dir.join("p"), dir.join("p.c")])
        .status();
    assert!(built.is_ok_and(|s| s.success()), "install Debian's gcc-aarch64-linux-gnu");
    dir
}

fn id(option: &str) -> String {
    String::from_utf8(Command::new("id").arg(option).output().unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn argv0_is_right_for_every_combination_of_flags() {
    let dir = program("flags");
    let path = dir.join("p");
    std::fs::write(dir.join("script"), format!("#!{} -x y\n", path.display())).unwrap();
    let mut script = format!("cd {}; chmod +x script\n", dir.display());
    let mut expected = String::new();
    for bits in 0..8 {
        let flags = [bits & 1 != 0, bits & 2 != 0, bits & 4 != 0];
        script += &format!("printf '%s' '{}' > $B/register || exit 1\n", line(flags));
        // Under another name (bash makes the path absolute), by a relative path, through a script.
        script += "bash -c 'exec -a other ./p one'; echo $?\n";
        script += "./p; ./script z\n";
        let full = path.display().to_string();
        let name = if flags[2] { "other" } else { &full };
        expected += &format!(
            "[{name}][one] {full} 0 0 0\n5\n[./p] ./p 0 0 0\n[{full}][-x y][./script][z] {full} 0 0 0\n"
        );
        script += "echo -1 > $B/qemu-aarch64\n";
    }
    let ids = format!("0 {} 1\n", id("-u"));
    let shown = in_namespace(&script, &ids);
    std::fs::remove_dir_all(dir).unwrap();
    if let Some(shown) = shown {
        assert_eq!(shown, expected);
    }
}

/// A set-uid program has the rights of its file's owner, and nobody steers it, if binfmt_misc has flag C: started by a
/// host program, by a foreign one, and as a script's interpreter.
#[test]
fn set_uid_programs_get_their_rights_with_flag_c() {
    if id("-u") != "0" {
        eprintln!("only root can map the other users that this needs");
        return;
    }
    let dir = program("set-uid");
    std::fs::write(dir.join("script"), format!("#!{}/s\n", dir.display())).unwrap();
    let mut script =
        format!("cd {}; cp p s; chown 65534:65533 s; chmod 6755 s; chmod +x script\n", dir.display());
    let mut expected = String::new();
    for flags in [[true, false, false], [true, true, true], [false, true, false]] {
        script += &format!("printf '%s' '{}' > $B/register || exit 1\n", line(flags));
        script += "for c in ./s './p exec ./s' ./script; do $c; echo $?; done\n";
        // An option that would be refused.
        script += "QEMU_LOG=nonsense ./s 2>&1 | grep -c nonsense\n";
        script += "echo -1 > $B/qemu-aarch64\n";
        let rights = if flags[0] { "1 0 65534" } else { "0 0 0" };
        expected += &format!("[./s] ./s {rights}\n5\n[./s] ./s {rights}\n5\n");
        expected += &format!("[{}/s][./script] {}/s {rights}\n5\n", dir.display(), dir.display());
        expected += if flags[0] { "0\n" } else { "1\n" };
    }
    let shown = in_namespace(&script, "0 0 4294967295\n");
    std::fs::remove_dir_all(dir).unwrap();
    if let Some(shown) = shown {
        assert_eq!(shown, expected);
    }
}
