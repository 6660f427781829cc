//! What `/proc` shows of a process that another of our binaries runs: the guest, as the process sees itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROGRAM: &str = r#"
#define _FILE_OFFSET_BITS 64
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static volatile int value = 1234;
static void show(const char *who, long long at) {
    static char buf[65536];
    char path[64], exe[4096] = {0};
    snprintf(path, sizeof path, "/proc/%s/exe", who);
    readlink(path, exe, sizeof exe - 1);
    printf("%s\n", exe);
    snprintf(path, sizeof path, "/proc/%s/maps", who);
    FILE *f = fopen(path, "r");
    // Inodes and offsets, without what the program does meanwhile on its heap.
    while (f && fgets(buf, sizeof buf, f)) if (!strstr(buf, "[heap]")) fputs(buf, stdout);
    snprintf(path, sizeof path, "/proc/%s/mem", who);
    int got = 0, fd = open(path, O_RDONLY);
    int done = pread(fd, &got, sizeof got, at);
    printf("%d %d\n", done, got);
    fflush(stdout);
}
int main(int argc, char **argv) {
    static char out[1 << 16];
    setvbuf(stdout, out, _IOFBF, sizeof out);
    if (argc > 2) return show(argv[1], atoll(argv[2])), 0;
    printf("%lld\n", (long long)(uintptr_t)&value);
    show("self", (uintptr_t)&value);
    printf("END\n");
    fflush(stdout);
    getchar();
    return 0;
}
"#;

fn build(dir: &Path, triple: &str) -> PathBuf {
    let out = dir.join(triple);
    let cc = format!("{triple}-gcc");
    let built = Command::new(&cc).args(["-O1", "-static", "-o"]).arg(&out).arg(dir.join("p.c")).status();
    assert!(built.is_ok_and(|s| s.success()), "{cc} is missing");
    out
}

#[test]
fn another_binarys_process_looks_as_it_sees_itself() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("other-binary-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("p.c"), PROGRAM).unwrap();
    let guests = [
        (env!("CARGO_BIN_EXE_qemu-aarch64"), build(&dir, "aarch64-linux-gnu")),
        (env!("CARGO_BIN_EXE_qemu-riscv64"), build(&dir, "riscv64-linux-gnu")),
        (env!("CARGO_BIN_EXE_qemu-i386"), build(&dir, "i686-linux-gnu")),
    ];
    for (seen_by, (qemu, program)) in guests.iter().enumerate() {
        let mut child = Command::new(qemu)
            .arg(program)
            .env("QEMU_CACHE", "off")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (mut address, mut own) = (String::new(), String::new());
        out.read_line(&mut address).unwrap();
        while !own.ends_with("END\n") {
            assert!(out.read_line(&mut own).unwrap() > 0, "{own}");
        }
        assert!(
            own.starts_with(program.to_str().unwrap()) && own.contains("[stack]") && own.contains("4 1234\n"),
            "{own}"
        );
        let (other_qemu, other) = &guests[(seen_by + 1) % guests.len()];
        let seen = Command::new(other_qemu)
            .arg(other)
            .args([&child.id().to_string(), address.trim()])
            .env("QEMU_CACHE", "off")
            .output()
            .unwrap();
        let seen = String::from_utf8(seen.stdout).unwrap() + "END\n";
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        out.read_to_string(&mut address).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(seen, own, "{qemu} seen by {other_qemu}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}
