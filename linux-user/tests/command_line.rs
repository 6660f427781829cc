//! The binary from outside: programs made here by hand, bad files, options, the debugger's protocol.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

const QEMU: &str = env!("CARGO_BIN_EXE_qemu-aarch64");

/// A directory of this test's own.
fn dir(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

fn write(path: &Path, bytes: &[u8], mode: u32) {
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// An ELF file with one segment at 0x400000: headers, then this code.
fn program(code: &[u32], interpreter: Option<&str>) -> Vec<u8> {
    let mut file = Vec::new();
    let count = 1 + u16::from(interpreter.is_some());
    file.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    for half in [2u16, 183] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    file.extend_from_slice(&1u32.to_le_bytes());
    for word in [0x400100u64, 64, 0] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(&0u32.to_le_bytes());
    for half in [64u16, 56, count, 64, 0, 0] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    let mut header = |kind: u32, flags: u32, words: [u64; 6]| {
        file.extend_from_slice(&kind.to_le_bytes());
        file.extend_from_slice(&flags.to_le_bytes());
        for word in words {
            file.extend_from_slice(&word.to_le_bytes());
        }
    };
    let len = 0x100 + 4 * code.len() as u64;
    header(1, 5, [0, 0x400000, 0x400000, len, len, 0x1000]);
    if let Some(name) = interpreter {
        header(3, 4, [0xd0, 0x4000d0, 0x4000d0, name.len() as u64 + 1, name.len() as u64 + 1, 1]);
    }
    file.resize(0xd0, 0);
    file.extend_from_slice(interpreter.unwrap_or("").as_bytes());
    file.resize(0x100, 0);
    for word in code {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file
}

const fn movz(register: u32, value: u32) -> u32 {
    0xd280_0000 | value << 5 | register
}

const SVC: u32 = 0xd400_0001;

/// `write(1, "hi\n" on the stack, 3); exit_group(7)`
fn hello() -> Vec<u32> {
    vec![
        // mov x1, #0x6968; movk x1, #0xa, lsl 16; str x1, [sp, #-16]!; mov x1, sp
        movz(1, 0x6968),
        0xf2a0_0141,
        0xf81f_0fe1,
        0x9100_03e1,
        movz(0, 1),
        movz(2, 3),
        movz(8, 64),
        SVC,
        movz(0, 7),
        movz(8, 94),
        SVC,
    ]
}

fn run(args: &[&str]) -> Output {
    Command::new(QEMU).args(args).env_remove("QEMU_LD_PREFIX").env("QEMU_CACHE", "off").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_program_runs_in_every_mode() {
    let dir = dir("modes");
    let path = dir.join("hello");
    write(&path, &program(&hello(), None), 0o755);
    let path = path.to_str().unwrap();
    for mode in [
        &[][..],
        &["-tier", "interpreter"],
        &["-one-insn-per-tb"],
        &["-d", "nochain"],
        &["-cpu", "cortex-a53"],
    ] {
        let mut args = mode.to_vec();
        args.push(path);
        let out = run(&args);
        assert_eq!(text(&out.stdout), "hi\n", "{mode:?}: {}", text(&out.stderr));
        assert_eq!(out.status.code(), Some(7), "{mode:?}");
        assert!(out.stderr.is_empty(), "{mode:?}: {}", text(&out.stderr));
    }
    let out = run(&["-strace", path]);
    assert!(text(&out.stderr).contains("write(1, \"hi\\n\", 3) = 3"), "{}", text(&out.stderr));
    let out = run(&["-d", "in_asm,op,op_opt,out_asm,exec,cpu,int,page", path]);
    assert!(text(&out.stderr).contains("svc #0"), "{}", text(&out.stderr));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn bad_programs_are_refused_with_one_line() {
    let dir = dir("bad");
    let file = |name: &str, bytes: &[u8], mode| {
        let path = dir.join(name);
        write(&path, bytes, mode);
        path.to_str().unwrap().to_owned()
    };
    let good = program(&hello(), None);
    let mut other = good.clone();
    other[18] = 243;
    let mut type_core = good.clone();
    type_core[16] = 4;
    let mut huge = good.clone();
    huge[64 + 40..64 + 48].copy_from_slice(&(1u64 << 60).to_le_bytes());
    let cases = [
        (dir.join("none").to_str().unwrap().to_owned(), 1, "No such file or directory"),
        (dir.to_str().unwrap().to_owned(), 1, "Is a directory"),
        (
            file("text", b"hello, this is no program at all, really not, no no no no no no no", 0o755),
            1,
            "Exec format error",
        ),
        (file("empty", b"", 0o755), 1, "Exec format error"),
        (file("riscv", &other, 0o755), 255, "this is a riscv64 program: use qemu-riscv64"),
        (file("core", &type_core, 0o755), 255, "neither an executable nor a shared object"),
        (file("huge", &huge, 0o755), 255, "outside the address space"),
        (file("cut", &good[..100], 0o755), 255, "cut off"),
        (
            file("interp", &program(&hello(), Some("/lib/no-such.so")), 0o755),
            255,
            "Could not open '/lib/no-such.so'",
        ),
    ];
    for (path, code, line) in cases {
        let out = run(&[&path]);
        let err = text(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{path}: {err}");
        assert!(err.contains(line) && err.lines().count() == 1, "{path}: {err}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn faults_end_the_process_by_their_signal() {
    use std::os::unix::process::ExitStatusExt;
    let dir = dir("faults");
    let cases = [
        // ldr x0, [xzr-like zero in x1]
        ("load", vec![movz(1, 0), 0xf940_0020], 11),
        // br x1 with x1 = 0
        ("jump", vec![movz(1, 0), 0xd61f_0020], 11),
        // udf
        ("undefined", vec![0], 4),
        // brk #0
        ("break", vec![0xd420_0000], 5),
        // the code ends: what follows in the page is zero, which is udf
        ("end", vec![movz(0, 0)], 4),
    ];
    for (name, code, signal) in cases {
        let path = dir.join(name);
        write(&path, &program(&code, None), 0o755);
        for tier in ["quick", "interpreter"] {
            let out = Command::new("/bin/sh")
                .env("QEMU_CACHE", "off")
                .args(["-c", "ulimit -c 0; exec \"$@\"", "sh", QEMU, "-tier", tier])
                .arg(&path)
                .output()
                .unwrap();
            assert_eq!(out.status.signal(), Some(signal), "{name} {tier}: {}", text(&out.stderr));
        }
    }
    std::fs::remove_dir_all(dir).unwrap();
}

/// A client of the debugger's protocol.
struct Gdb(UnixStream);

impl Gdb {
    fn connect(path: &Path) -> Gdb {
        for _ in 0..600 {
            if let Ok(stream) = UnixStream::connect(path) {
                stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                return Gdb(stream);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no debugger socket at {}", path.display());
    }

    fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.0.read_exact(&mut byte).unwrap();
        byte[0]
    }

    fn ask(&mut self, packet: &str) -> String {
        let sum = packet.bytes().fold(0u8, u8::wrapping_add);
        self.0.write_all(format!("${packet}#{sum:02x}").as_bytes()).unwrap();
        let mut reply = Vec::new();
        while self.byte() != b'$' {}
        loop {
            match self.byte() {
                b'#' => break,
                // Run-length encoding.
                b'*' => {
                    let count = self.byte() - 29;
                    let last = *reply.last().unwrap();
                    reply.extend(std::iter::repeat_n(last, count.into()));
                }
                byte => reply.push(byte),
            }
        }
        self.byte();
        self.byte();
        // After the report of the end nobody listens.
        let _ = self.0.write_all(b"+");
        text(&reply)
    }
}

#[test]
fn the_debugger_reads_stops_steps_and_sees_the_exit() {
    let dir = dir("gdb");
    let path = dir.join("hello");
    write(&path, &program(&hello(), None), 0o755);
    let socket = dir.join("socket");
    let mut child = Command::new(QEMU)
        .env("QEMU_CACHE", "off")
        .arg("-g")
        .arg(&socket)
        .arg(&path)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut gdb = Gdb::connect(&socket);
    assert!(gdb.ask("qSupported:multiprocess+;swbreak+;vContSupported+").contains("qXfer:features:read+"));
    assert!(gdb.ask("qXfer:features:read:target.xml:0,ffff").contains("org.gnu.gdb.aarch64.core"));
    let stop = gdb.ask("?");
    let thread = stop.strip_prefix("T05thread:").unwrap().trim_end_matches(';').to_owned();
    assert_eq!(gdb.ask("Hg0"), "OK");
    // The program counter, register 32: the entry.
    let registers = gdb.ask("g");
    assert_eq!(registers.get(32 * 16..32 * 16 + 16), Some("0001400000000000"), "{registers}");
    assert_eq!(gdb.ask("m400100,4"), "012d8dd2");
    assert!(gdb.ask("qXfer:auxv:read::0,1000").len() > 16);
    assert_eq!(gdb.ask("Z0,400110,4"), "OK");
    assert!(gdb.ask("vCont;c").starts_with("T05"));
    let registers = gdb.ask("g");
    assert_eq!(&registers[32 * 16..32 * 16 + 16], "1001400000000000");
    assert_eq!(gdb.ask("z0,400110,4"), "OK");
    assert!(gdb.ask(&format!("vCont;s:{thread};c")).starts_with("T05"));
    let registers = gdb.ask("g");
    assert_eq!(&registers[..16], "0100000000000000", "x0 after mov x0, #1");
    // Change the exit code behind its mov.
    assert_eq!(gdb.ask("Z0,400124,4"), "OK");
    assert!(gdb.ask("vCont;c").starts_with("T05"));
    assert_eq!(gdb.ask("P0=2a00000000000000"), "OK");
    assert!(gdb.ask("vCont;c").starts_with("W2a"));
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(out, "hi\n");
    assert_eq!(child.wait().unwrap().code(), Some(42));
    std::fs::remove_dir_all(dir).unwrap();
}

/// Mutilated programs, run: an exit code or a signal of the kernel's choice, one line, never a panic or a fault of ours.
#[test]
fn fuzz_programs() {
    let dir = dir("fuzz-programs");
    let path = dir.join("program");
    // exit(0)
    let good = program(&[0xd280_0ba8, 0xd280_0000, 0xd400_0001], None);
    let with_interpreter = program(&[0xd280_0ba8, 0xd280_0000, 0xd400_0001], Some("/lib/none"));
    let edges = [0u64, 1, 0xfff, 0x1000, 0xffff_ffff, 1 << 46, 1 << 47, 1 << 63, u64::MAX, u64::MAX - 4095];
    ir::testing::fuzz("programs", 2, |rng| {
        let mut file = if rng.one_in(4) { with_interpreter.clone() } else { good.clone() };
        for _ in 0..1 + rng.below(3) {
            // Not the code: it may become a loop.
            let at = rng.below(0x100);
            match rng.below(3) {
                0 => file[at] = rng.bits() as u8,
                1 => file[at] ^= 1 << rng.below(8),
                _ => {
                    let at = (at & !7).min(file.len() - 8);
                    file[at..at + 8].copy_from_slice(&rng.pick(&edges).to_le_bytes());
                }
            }
        }
        if rng.one_in(16) {
            file.truncate(rng.below(file.len()));
        }
        write(&path, &file, 0o755);
        let out = Command::new("timeout").args(["10", QEMU]).arg(&path).output().unwrap();
        let text = String::from_utf8_lossy(&out.stderr);
        let ours = ["panicked", "internal error"].iter().any(|word| text.contains(word));
        if ours || out.status.code() == Some(124) {
            let keep = dir.join("found");
            write(&keep, &file, 0o755);
            panic!("{}: {:?} {text}", keep.display(), out.status);
        }
    });
    std::fs::remove_dir_all(&dir).unwrap();
}
