//! The cache of translations from outside: that it is used, private, bounded, and that no state of its files does harm.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const QEMU: &str = env!("CARGO_BIN_EXE_qemu-aarch64");
const SVC: u32 = 0xd400_0001;

/// A directory of this test's own, removed at its end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cache-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        Dir(dir)
    }
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const fn movz(register: u32, value: u32) -> u32 {
    0xd280_0000 | value << 5 | register
}

/// A program that goes through `blocks` blocks, prints "hi\n" and ends with `status`.
fn program(blocks: usize, status: u32) -> Vec<u8> {
    let mut code = Vec::new();
    for i in 0..blocks {
        // add x9, x9, #i; b next
        code.push(0x9100_0129 | (i as u32 & 0xfff) << 10);
        code.push(0x1400_0001);
    }
    code.extend([
        movz(1, 0x6968),
        0xf2a0_0141,
        0xf81f_0fe1,
        0x9100_03e1,
        movz(0, 1),
        movz(2, 3),
        movz(8, 64),
    ]);
    code.extend([SVC, movz(0, status), movz(8, 94), SVC]);
    let mut file = Vec::new();
    file.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    for half in [2u16, 183] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    file.extend_from_slice(&1u32.to_le_bytes());
    for word in [0x400100u64, 64, 0] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(&0u32.to_le_bytes());
    for half in [64u16, 56, 1, 64, 0, 0] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    file.extend_from_slice(&1u32.to_le_bytes());
    file.extend_from_slice(&5u32.to_le_bytes());
    let len = 0x100 + 4 * code.len() as u64;
    for word in [0, 0x400000, 0x400000, len, len, 0x1000] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.resize(0x100, 0);
    for word in code {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file
}

fn put(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn command(cache: &str, program: &Path) -> Command {
    let mut c = Command::new(QEMU);
    c.arg("-cache").arg(cache).arg(program).env_remove("QEMU_CACHE").env_remove("QEMU_LD_PREFIX");
    c
}

/// What a run took from the cache, translated, and offered.
#[derive(Debug, PartialEq)]
struct Stats {
    taken: u64,
    refused: u64,
    translated: u64,
    offered: u64,
}

fn stats_of(out: &Output, status: i32) -> Stats {
    let err = String::from_utf8_lossy(&out.stderr);
    assert_eq!(String::from_utf8_lossy(&out.stdout), "hi\n", "{err}");
    assert_eq!(out.status.code(), Some(status), "{err}");
    let numbers: Vec<u64> = err
        .split(|c: char| !c.is_ascii_digit())
        .filter(|w| !w.is_empty())
        .map(|w| w.parse().unwrap())
        .collect();
    match numbers[..] {
        [taken, _, refused, translated, offered] => Stats { taken, refused, translated, offered },
        _ => panic!("no figures: {err}"),
    }
}

fn run(dir: &Path, program: &Path) -> Stats {
    let out = command(&format!("dir={},stats", dir.display()), program).output().unwrap();
    stats_of(&out, 7)
}

/// The cache files in a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let list = std::fs::read_dir(dir).map(|l| l.flatten().map(|e| e.path()).collect());
    list.unwrap_or_default()
}

#[test]
fn the_second_run_translates_nothing() {
    let dir = Dir::new("second");
    let (cache, prog) = (dir.path("c"), dir.path("p"));
    put(&prog, &program(200, 7));
    let first = run(&cache, &prog);
    assert!(first.taken == 0 && first.translated > 20 && first.offered == first.translated, "{first:?}");
    let second = run(&cache, &prog);
    assert!(second.taken == first.offered && second.translated == 0, "{second:?}");
    // Private to the user, and nothing but the one file.
    assert_eq!(std::fs::metadata(&cache).unwrap().mode() & 0o777, 0o700);
    let list = files(&cache);
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(std::fs::metadata(&list[0]).unwrap().mode() & 0o777, 0o600);
    // Another model's code is another's.
    let out =
        command(&format!("dir={},stats", cache.display()), &prog).env("QEMU_CPU", "cortex-a53").output();
    assert_eq!(stats_of(&out.unwrap(), 7).taken, 0);
    assert_eq!(files(&cache).len(), 2);
}

#[test]
fn a_changed_program_is_a_new_program() {
    let dir = Dir::new("changed");
    let (cache, prog) = (dir.path("c"), dir.path("p"));
    put(&prog, &program(200, 7));
    run(&cache, &prog);
    // Changed in place, with size and time kept: what is left to see it is the change time.
    let time = std::fs::metadata(&prog).unwrap().modified().unwrap();
    put(&prog, &program(200, 9));
    std::fs::File::options().write(true).open(&prog).unwrap().set_modified(time).unwrap();
    let out = command(&format!("dir={},stats", cache.display()), &prog).output().unwrap();
    assert_eq!(stats_of(&out, 9).taken, 0);
    // And if even the identity were the same, the guest bytes are compared: the new program's file under the old name.
    let list = files(&cache);
    assert_eq!(list.len(), 2);
}

#[test]
fn modes_do_what_they_say() {
    let dir = Dir::new("modes");
    let (cache, prog) = (dir.path("c"), dir.path("p"));
    put(&prog, &program(200, 7));
    let mode = |word: &str| {
        let out = command(&format!("{word},stats,dir={}", cache.display()), &prog).output().unwrap();
        assert_eq!(out.status.code(), Some(7));
        out
    };
    assert!(mode("off").stderr.is_empty());
    mode("ro");
    assert!(!cache.exists(), "reading makes nothing");
    run(&cache, &prog);
    let before = std::fs::read(&files(&cache)[0]).unwrap();
    let ro = stats_of(&mode("ro"), 7);
    assert!(ro.taken > 0 && ro.translated == 0, "{ro:?}");
    assert!(mode("off").stderr.is_empty());
    assert_eq!(std::fs::read(&files(&cache)[0]).unwrap(), before);
    // Ways of running that show or change how code is made have no cache.
    for option in ["-one-insn-per-tb", "-d nochain", "-d in_asm -D /dev/null", "-tier interpreter"] {
        let mut c = Command::new(QEMU);
        c.args(option.split(' ')).arg("-cache").arg(format!("stats,dir={}", cache.display())).arg(&prog);
        let out = c.env_remove("QEMU_CACHE").output().unwrap();
        assert!(!String::from_utf8_lossy(&out.stderr).contains("cache:"), "{option}");
    }
    // The variable; what a person can ask.
    let ask = |word: &str| {
        let out = Command::new(QEMU)
            .args(["-cache", word])
            .env("QEMU_CACHE", format!("dir={}", cache.display()))
            .output()
            .unwrap();
        assert_eq!(out.status.code(), Some(0));
        String::from_utf8(out.stdout).unwrap()
    };
    let info = ask("info");
    assert!(info.contains("files      1\n") && info.contains(&cache.display().to_string()), "{info}");
    assert_eq!(ask("clear"), "1 files removed\n");
    assert!(files(&cache).is_empty());
    let bad = Command::new(QEMU).args(["-cache", "nonsense", "x"]).env_remove("QEMU_CACHE").output().unwrap();
    assert_eq!(bad.status.code(), Some(1));
}

#[test]
fn damaged_files_are_replaced() {
    let dir = Dir::new("damaged");
    let (cache, prog) = (dir.path("c"), dir.path("p"));
    put(&prog, &program(200, 7));
    let first = run(&cache, &prog);
    let file = files(&cache)[0].clone();
    let good = std::fs::read(&file).unwrap();
    let mut cases: Vec<(String, Vec<u8>)> = vec![
        ("empty".into(), Vec::new()),
        ("zeros".into(), vec![0; good.len()]),
        ("cut short".into(), good[..good.len() / 2].to_vec()),
        ("longer".into(), [&good[..], b"x"].concat()),
        ("another version".into(), [b"OMNICC99", &good[8..]].concat()),
    ];
    for at in (8..good.len()).step_by(good.len() / 40) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        cases.push((format!("byte {at}"), bytes));
    }
    for (what, bytes) in cases {
        std::fs::write(&file, &bytes).unwrap();
        let s = run(&cache, &prog);
        assert!(s.taken + s.translated >= first.translated, "{what}: {s:?}");
        let _ = std::fs::remove_file(&file);
    }
    // After damage to the index the file is written anew.
    std::fs::write(&file, &good[..100]).unwrap();
    assert_eq!(run(&cache, &prog).taken, 0);
    assert_eq!(run(&cache, &prog).translated, 0);
}

#[test]
fn what_is_not_private_is_not_trusted() {
    let dir = Dir::new("private");
    let (cache, prog) = (dir.path("c"), dir.path("p"));
    put(&prog, &program(200, 7));
    run(&cache, &prog);
    let file = files(&cache)[0].clone();
    let mode =
        |path: &Path, bits| std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).unwrap();
    // The file: writable by others, a link, a pipe, a directory.
    mode(&file, 0o622);
    assert_eq!(run(&cache, &prog).taken, 0);
    let moved = dir.path("moved");
    std::fs::rename(files(&cache).pop().unwrap_or(file.clone()), &moved).unwrap();
    symlink(&moved, &file).unwrap();
    assert_eq!(run(&cache, &prog).taken, 0);
    std::fs::remove_file(&file).unwrap();
    let made = Command::new("mkfifo").arg(&file).status().unwrap();
    assert!(made.success());
    assert_eq!(run(&cache, &prog).taken, 0);
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert_eq!(run(&cache, &prog).taken, 0);
    std::fs::remove_dir(&file).unwrap();
    // The directory: writable by others, a link.
    mode(&cache, 0o777);
    let quiet = |dir: &Path| {
        let out = command(&format!("dir={},stats", dir.display()), &prog).output().unwrap();
        assert_eq!((out.status.code(), &out.stderr[..]), (Some(7), &b""[..]), "there is no cache");
    };
    quiet(&cache);
    mode(&cache, 0o700);
    let link = dir.path("link");
    symlink(&cache, &link).unwrap();
    quiet(&link);
    quiet(Path::new("/proc/nothing/here"));
    quiet(Path::new("/dev/null"));
}

#[test]
fn limits_and_full_disks_cost_only_the_cache() {
    let dir = Dir::new("limits");
    let (cache, prog) = (dir.path("c"), dir.path("p"));
    put(&prog, &program(200, 7));
    // A limit on file size must not raise SIGXFSZ; no descriptors; a directory that cannot be written.
    let shell = |line: &str| {
        let out = Command::new("/bin/sh")
            .args(["-c", &format!("ulimit -c 0; {line}; exec \"$@\""), "sh", QEMU, "-cache"])
            .arg(format!("dir={},stats", cache.display()))
            .arg(&prog)
            .env_remove("QEMU_CACHE")
            .output()
            .unwrap();
        stats_of(&out, 7)
    };
    assert_eq!(shell("ulimit -f 1").taken, 0);
    assert!(files(&cache).is_empty(), "nothing is left of a write that could not be");
    // Where the part file would be is a link to a device: it is not followed.
    shell(":");
    let file = files(&cache)[0].clone();
    std::fs::remove_file(&file).unwrap();
    symlink("/dev/full", file.with_extension("part")).unwrap();
    assert_eq!(shell(":").taken, 0);
    assert!(!file.exists());
    std::fs::remove_file(file.with_extension("part")).unwrap();
    shell(":");
    assert!(shell("ulimit -f 1").taken > 0);
    assert!(shell("ulimit -n 5").translated + shell("ulimit -n 5").taken > 0);
}

#[test]
fn what_a_dead_writer_left_is_taken_away() {
    let dir = Dir::new("dead");
    let (cache, prog) = (dir.path("c"), dir.path("p"));
    put(&prog, &program(200, 7));
    run(&cache, &prog);
    let file = files(&cache)[0].clone();
    std::fs::remove_file(&file).unwrap();
    let part = file.with_extension("part");
    std::fs::write(&part, b"half").unwrap();
    // A writer seems to be at work: this run leaves it alone.
    run(&cache, &prog);
    assert!(part.exists() && !file.exists());
    let old = std::time::SystemTime::now() - Duration::from_secs(3600);
    std::fs::File::options().write(true).open(&part).unwrap().set_modified(old).unwrap();
    run(&cache, &prog);
    assert!(!part.exists() && file.exists());
    assert_eq!(run(&cache, &prog).translated, 0);
}

#[test]
fn writers_and_kills_at_once_leave_sound_files() {
    let dir = Dir::new("race");
    let cache = dir.path("c");
    let progs: Vec<PathBuf> = (0..3)
        .map(|i| {
            let path = dir.path(&format!("p{i}"));
            put(&path, &program(400 + 100 * i, 7));
            path
        })
        .collect();
    let option = format!("dir={}", cache.display());
    for round in 0..12u64 {
        let children: Vec<_> =
            (0..6).map(|i| command(&option, &progs[i % 3]).stdout(Stdio::null()).spawn().unwrap()).collect();
        for (i, mut child) in children.into_iter().enumerate() {
            if i % 2 == 1 {
                std::thread::sleep(Duration::from_micros(300 * (round * 3 + i as u64)));
                let _ = child.kill();
            }
            let _ = child.wait();
        }
        if round % 4 == 3 {
            for file in files(&cache) {
                let _ = std::fs::remove_file(file);
            }
        }
    }
    for file in files(&cache).iter().filter(|f| f.extension().is_some_and(|e| e == "part")) {
        std::fs::remove_file(file).unwrap();
    }
    for prog in &progs {
        run(&cache, prog);
        let s = run(&cache, prog);
        assert_eq!((s.translated, s.refused), (0, 0), "{s:?}");
    }
}

#[test]
fn the_size_is_bounded() {
    let dir = Dir::new("size");
    let cache = dir.path("c");
    let total = || files(&cache).iter().map(|f| f.metadata().unwrap().len()).sum::<u64>();
    let mut most = 0;
    for i in 0..12 {
        let prog = dir.path(&format!("p{i}"));
        put(&prog, &program(300, 7));
        let out = command(&format!("dir={},size=100K", cache.display()), &prog).output().unwrap();
        assert_eq!(out.status.code(), Some(7));
        most = most.max(total());
    }
    assert!(most > 50_000 && most <= 100 << 10, "{most} bytes");
}

#[test]
fn the_default_is_the_users_own_directory() {
    let dir = Dir::new("default");
    let (home, prog) = (dir.path("home"), dir.path("p"));
    put(&prog, &program(200, 7));
    std::fs::create_dir(&home).unwrap();
    let run = |name: &str, value: &Path| {
        let mut c = Command::new(QEMU);
        c.arg(&prog).env_clear().env(name, value).stdout(Stdio::null());
        assert_eq!(c.status().unwrap().code(), Some(7));
    };
    run("HOME", &home);
    // In a tree that is being built (root's chroot) there is none, and then there must be none at all.
    let at_home = match std::fs::metadata("/proc/1/root") {
        Ok(a) => {
            let b = std::fs::metadata("/").unwrap();
            (a.dev(), a.ino()) == (b.dev(), b.ino())
        }
        // Where the first process may not be looked at, a root that is a mount point is no chroot.
        Err(_) => std::fs::read_to_string("/proc/self/mountinfo")
            .is_ok_and(|list| list.lines().any(|line| line.split(' ').nth(4) == Some("/"))),
    };
    // SAFETY: has no preconditions.
    let root = unsafe { libc::geteuid() } == 0;
    let made = home.join(".cache/omnirun");
    assert_eq!(made.exists(), at_home || !root);
    if made.exists() {
        assert_eq!(files(&made).len(), 1);
        assert_eq!(std::fs::metadata(&made).unwrap().mode() & 0o777, 0o700);
    }
    run("XDG_CACHE_HOME", &dir.path("xdg"));
    assert_eq!(dir.path("xdg/omnirun").exists(), made.exists());
    run("HOME", Path::new("relative"));
    run("HOME", Path::new("/nonexistent/home"));
    let mut c = Command::new(QEMU);
    assert_eq!(c.arg(&prog).env_clear().stdout(Stdio::null()).status().unwrap().code(), Some(7));
    assert!(!Path::new("relative").exists());
    let _ = std::io::stderr().flush();
}
