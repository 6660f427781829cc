//! The options from outside, each by what it does to a program that reports what it got.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const QEMU: &str = env!("CARGO_BIN_EXE_qemu-aarch64");

/// Prints its arguments, environment, kernel release, stack limit's effect, addresses and AT_RANDOM.
const PROGRAM: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>
extern char **environ;
static int deep(int n) { volatile char room[4096]; room[0] = n; return n ? deep(n - 1) + room[0] : 0; }
int main(int argc, char **argv) {
    struct utsname u;
    uname(&u);
    for (int i = 0; i < argc; i++) printf("arg %s\n", argv[i]);
    for (char **e = environ; *e; e++) printf("env %s\n", *e);
    printf("release %s\n", u.release);
    printf("main %p\n", (void *)main);
    unsigned char *r = (unsigned char *)getauxval(AT_RANDOM);
    if (argc > 1 && !strcmp(argv[1], "places")) printf("stack %p\nheap %p\n", (void *)&u, malloc(1 << 22));
    printf("random %02x%02x%02x%02x\n", r[0], r[1], r[2], r[3]);
    if (argc > 1 && !strcmp(argv[1], "deep")) printf("deep %d\n", deep(atoi(argv[2])) != -1);
    return 0;
}
"#;

fn tmp(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("options-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// The program, position-independent.
fn program() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let dir = tmp("program");
        let (source, path) = (dir.join("report.c"), dir.join("report"));
        std::fs::write(&source, PROGRAM).unwrap();
        let built = Command::new("aarch64-linux-gnu-gcc")
            .args(["-O0", "-static-pie", "-fPIE", "-o"])
            .args([&path, &source])
            .status();
        assert!(built.is_ok_and(|s| s.success()), "install Debian's gcc-aarch64-linux-gnu");
        path
    })
}

fn command(args: &[&str]) -> Command {
    let mut c = Command::new(QEMU);
    c.env_clear().args(args);
    c
}

/// Options, then the program and its arguments.
fn report(options: &[&str], args: &[&str], variables: &[(&str, &str)]) -> String {
    let out = command(options).arg(program()).args(args).envs(variables.iter().copied()).output().unwrap();
    assert!(out.status.success(), "{options:?}: {out:?}");
    text(&out.stdout)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn line<'a>(report: &'a str, word: &str) -> &'a str {
    report
        .lines()
        .find_map(|l| l.strip_prefix(word))
        .unwrap_or_else(|| panic!("no {word} in {report}"))
        .trim()
}

fn refused(options: &[&str]) -> (String, i32) {
    let out: Output = command(options).arg(program()).output().unwrap();
    let err = text(&out.stderr);
    assert_eq!((err.lines().count(), out.stdout.len()), (1, 0), "{options:?}: {out:?}");
    (err.trim_end().to_owned(), out.status.code().unwrap())
}

#[test]
fn environment_and_argv0_are_the_ones_asked_for() {
    let r = report(
        &["-E", "A=1,B=2", "-E", "C=x=y", "-U", "D,B", "-0", "zero"],
        &["one"],
        &[("D", "4"), ("E", "5")],
    );
    let env: Vec<&str> = r.lines().filter_map(|l| l.strip_prefix("env ")).collect();
    assert_eq!(env, ["E=5", "A=1", "C=x=y"]);
    assert_eq!(r.lines().take(2).collect::<Vec<_>>(), ["arg zero", "arg one"]);
    let r = report(
        &[],
        &[],
        &[("QEMU_SET_ENV", "A=1"), ("QEMU_UNSET_ENV", "B"), ("B", "2"), ("QEMU_ARGV0", "z")],
    );
    assert!(r.contains("env A=1\n") && !r.contains("env B=2") && r.starts_with("arg z\n"), "{r}");
}

#[test]
fn release_and_random_are_set() {
    assert_eq!(line(&report(&["-r", "5.15.0-odd"], &[], &[]), "release"), "5.15.0-odd");
    assert_eq!(line(&report(&[], &[], &[("QEMU_UNAME", "4.4.4")]), "release"), "4.4.4");
    let seeded = |seed| report(&["-seed", seed], &[], &[]);
    assert_eq!(seeded("7"), seeded("7"));
    assert_ne!(line(&seeded("7"), "random"), line(&seeded("8"), "random"));
    assert_eq!(
        seeded("9"),
        report(&[], &[], &[("QEMU_RAND_SEED", "9")]).replace("env QEMU_RAND_SEED=9\n", "")
    );
}

#[test]
fn base_places_a_position_independent_program() {
    let at = |r: &str| u64::from_str_radix(line(r, "main").trim_start_matches("0x"), 16).unwrap();
    let r = report(&["-B", "0x1230000000"], &[], &[]);
    assert!((0x12_3000_0000..0x12_3100_0000).contains(&at(&r)), "{r}");
    let r = report(&[], &[], &[("QEMU_GUEST_BASE", "0x2230000000")]);
    assert!((0x22_3000_0000..0x22_3100_0000).contains(&at(&r)), "{r}");
}

#[test]
fn reserved_addresses_bound_the_program() {
    for (options, bound) in
        [(&["-R", "4G"][..], 1 << 32), (&["-R", "0x40000000"], 1 << 30), (&["-R", "0"], 1u64 << 47)]
    {
        let r = report(options, &["places"], &[]);
        for word in ["main", "stack", "heap"] {
            let at = u64::from_str_radix(line(&r, word).trim_start_matches("0x"), 16).unwrap();
            assert!(at < bound && (bound == 1 << 47) == (at >= 1 << 32), "{options:?}: {r}");
        }
    }
}

#[test]
fn the_stack_has_the_size_asked_for() {
    assert!(report(&["-s", "64M"], &["deep", "12000"], &[]).contains("deep 1"));
    let out = command(&["-s", "1M"]).arg(program()).args(["deep", "12000"]).output().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&out.status), Some(11), "{out:?}");
    assert!(report(&[], &["deep", "12000"], &[("QEMU_STACK_SIZE", "67108864")]).contains("deep 1"));
}

#[test]
fn logs_go_where_and_hold_what_was_asked_for() {
    let dir = tmp("log");
    let file = dir.join("log-%d");
    let mut child = command(&["-d", "in_asm", "-D", file.to_str().unwrap()])
        .arg(program())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    assert!(child.wait().unwrap().success());
    let all = std::fs::read_to_string(dir.join(format!("log-{}", child.id()))).unwrap();
    assert!(all.contains("IN:") && all.contains("ret"), "{}", &all[..all.len().min(400)]);
    // Only the page of `main`.
    let main = report(&["-seed", "1", "-B", "0x1230000000"], &[], &[]);
    let main = line(&main, "main");
    let some =
        command(&["-seed", "1", "-B", "0x1230000000", "-d", "in_asm", "-dfilter", &format!("{main}+0x10")])
            .arg(program())
            .output()
            .unwrap();
    let some = text(&some.stderr);
    assert!(some.contains("IN:") && some.matches("IN:").count() < 4, "{some}");
    let none = command(&["-d", "in_asm", "-dfilter", "0x10+1"]).arg(program()).output().unwrap();
    assert!(none.stderr.is_empty());
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn profilers_get_their_files() {
    let dir = tmp("perf");
    let mut child = command(&["-perfmap", "-jitdump"])
        .arg(program())
        .current_dir(&dir)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    assert!(child.wait().unwrap().success());
    let map = PathBuf::from(format!("/tmp/perf-{}.map", child.id()));
    let names = std::fs::read_to_string(&map).unwrap();
    std::fs::remove_file(map).unwrap();
    let words: Vec<&str> = names.lines().next().unwrap().split(' ').collect();
    assert!(
        words.len() == 3 && u64::from_str_radix(words[0], 16).is_ok() && words[2].starts_with("guest_0x")
    );
    let dump = std::fs::read(dir.join(format!("jit-{}.dump", child.id()))).unwrap();
    assert_eq!(dump[..4], 0x4a69_5444u32.to_le_bytes());
    assert!(dump.len() > 4096);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_changes_no_result_changes_none() {
    let plain = report(&["-seed", "3"], &["x"], &[]);
    for options in [
        &["-one-insn-per-tb"][..],
        &["-singlestep"],
        &["-tb-size", "1"],
        &["-tb-size", "0"],
        &["-p", "65536"],
        &["-t", "34 40 5,50 50 1"],
        &["-trace", "enable=*"],
    ] {
        assert_eq!(report(&[options, &["-seed", "3"]].concat(), &["x"], &[]), plain, "{options:?}");
    }
    assert_eq!(
        report(&["-seed", "3"], &["x"], &[("QEMU_ONE_INSN_PER_TB", "1")])
            .replace("env QEMU_ONE_INSN_PER_TB=1\n", ""),
        plain
    );
}

#[test]
fn what_is_wrong_is_refused_with_one_line_and_exit_code_1() {
    for (options, part) in [
        (&["-foo"][..], "unknown option 'foo'"),
        (&["-p", "5"], "page size must be a power of two"),
        (&["-R", "5"], "not aligned"),
        (&["-R", "1x"], "'-R'"),
        (&["-B", "zz"], "'-B'"),
        (&["-s", "big"], "'-s'"),
        (&["-seed", "zz"], "'-seed'"),
        (&["-tb-size", "zz"], "'-tb-size'"),
        (&["-E", "A"], "'-E'"),
        (&["-U", "A=b"], "'-U'"),
        (&["-d", "foo"], "unknown log item 'foo'"),
        (&["-d", "tid"], "%d"),
        (&["-dfilter", "zz"], "zz"),
        (&["-D", "/no/such/dir/x", "-d", "page"], "No such file or directory"),
        (&["-cpu", "foo"], "unable to find CPU model 'foo'"),
        (&["-t", "34 40"], "Malformed host signal"),
        (&["-t", "1 2 3"], "1 is not a target rt signal"),
    ] {
        let (err, code) = refused(options);
        assert!(err.contains(part) && code == 1, "{options:?}: {err} ({code})");
    }
}
