//! exec in a place without `/proc` and without the emulator's own file, as in a chroot: in a user namespace; where the
//! kernel refuses that, the test says so and ends.

use std::path::Path;
use std::process::Command;

const QEMU: &str = env!("CARGO_BIN_EXE_qemu-aarch64");

const PROGRAM: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
    int depth = atoi(argv[1]);
    if (depth == 3 && (chroot(".") || chdir("/"))) return 1;
    printf("%s %s\n", argv[0], argv[1]);
    fflush(stdout);
    if (depth == 0) return 7;
    char next[2] = { argv[1][0] - 1, 0 };
    int status = 0;
    if (depth == 2 || fork() == 0) {
        execl("/p", "other name", next, NULL);
        perror("execl");
        _exit(1);
    }
    wait(&status);
    return WEXITSTATUS(status);
}
"#;

/// A debug build of the emulator is linked dynamically: it gets its libraries. The released one is static.
fn bring_libraries(root: &Path) {
    let listed = Command::new("ldd").arg(QEMU).output().expect("the C library has ldd");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for library in listed.split_whitespace().filter(|word| word.starts_with('/')) {
        let copy = root.join(&library[1..]);
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(library, copy).unwrap();
    }
}

#[test]
fn exec_finds_the_emulator_in_a_chroot_without_proc() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("no-proc-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (path, source) = (dir.join("p"), dir.join("p.c"));
    std::fs::write(&source, PROGRAM).unwrap();
    let built = Command::new("aarch64-linux-gnu-gcc").args(["-static", "-o"]).args([&path, &source]).status();
    assert!(built.is_ok_and(|s| s.success()), "install Debian's gcc-aarch64-linux-gnu");
    let allowed = Command::new("unshare").args(["--user", "--map-root-user", "true"]).status();
    if !allowed.is_ok_and(|status| status.success()) {
        return eprintln!("no user namespaces here: not tested");
    }
    bring_libraries(&dir);
    let out = Command::new("unshare")
        .args(["--user", "--map-root-user", QEMU, "./p", "3"])
        .current_dir(&dir)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
    assert_eq!(text, "./p 3\nother name 2\nother name 1\nother name 0\n");
    assert_eq!(out.status.code(), Some(7));
    std::fs::remove_dir_all(&dir).unwrap();
}
