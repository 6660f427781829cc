//! The tool from outside: a directory that looks like binfmt_misc, and the real one in namespaces of our own.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TOOL: &str = env!("CARGO_BIN_EXE_qemu-binfmt-conf");

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("binfmt")).unwrap();
        std::fs::create_dir_all(dir.join("bin")).unwrap();
        std::fs::write(dir.join("binfmt/register"), "").unwrap();
        std::fs::write(dir.join("binfmt/status"), "enabled\n").unwrap();
        for name in ["qemu-aarch64", "qemu-riscv64", "qemu-aarch64-x"] {
            std::fs::write(dir.join("bin").join(name), "").unwrap();
        }
        Dir(dir)
    }
    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }
    fn run(&self, args: &[&str]) -> Output {
        let (binfmt, bin) = (self.path("binfmt"), self.path("bin"));
        let mut c = Command::new(TOOL);
        c.args(args).args(["--binfmt-dir", &binfmt, "--qemu-path", &bin]).env("HOST_ARCH", "x86_64");
        c.env_remove("QEMU_LD_PREFIX").env("PATH", "/nowhere").output().unwrap()
    }
    fn ok(&self, args: &[&str]) -> String {
        let out = self.run(args);
        assert!(out.status.success(), "{args:?}: {out:?}");
        text(&out.stdout)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn registers_what_is_there_with_the_flags_asked_for() {
    let d = Dir::new("register");
    let out = d.ok(&[]);
    assert_eq!(out.lines().count(), 2, "{out}");
    let lines = d.read("binfmt/register");
    assert!(lines.starts_with(":qemu-aarch64:M::\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00"), "{lines}");
    assert!(lines.contains(&format!(":{}:", d.path("bin/qemu-riscv64"))));
    for (args, end) in [
        (&["--persistent", "yes"][..], ":F"),
        (&["-c", "yes"], ":OC"),
        (&["--preserve-argv0=yes"], ":P"),
        (&["-p", "yes", "-c", "yes", "-g", "yes"], ":OCFP"),
    ] {
        std::fs::write(d.0.join("binfmt/register"), "").unwrap();
        d.ok(&[&["register"][..], args, &["aarch64"]].concat());
        let line = d.read("binfmt/register");
        assert!(line.ends_with(end) && line.matches(":qemu-").count() == 1, "{line}");
    }
    std::fs::write(d.0.join("binfmt/register"), "").unwrap();
    d.ok(&["--qemu-suffix", "-x", "aarch64"]);
    assert!(d.read("binfmt/register").contains("/qemu-aarch64-x:"));
}

#[test]
fn what_cannot_be_registered_is_refused() {
    let d = Dir::new("refuse");
    for (args, part) in [
        (&["register", "pdp11"][..], "unknown CPU \"pdp11\""),
        (&["--persistent", "no", "register", "sh4"], "qemu-sh4 does not exist"),
        (&["--frobnicate"], "unknown option"),
        (&["--persistent", "maybe"], "yes or no"),
        (&["remove", "aarch64"], "qemu-aarch64 is not registered"),
    ] {
        let out = d.run(args);
        assert_eq!((out.status.code(), text(&out.stderr).lines().count()), (Some(1), 1), "{args:?}: {out:?}");
        assert!(text(&out.stderr).contains(part), "{args:?}: {out:?}");
    }
    std::fs::remove_dir_all(d.0.join("binfmt")).unwrap();
    let out = d.run(&["register", "aarch64"]);
    assert!(out.status.code() == Some(1) && text(&out.stderr).contains("not mounted"), "{out:?}");
}

#[test]
fn shows_and_removes_entries() {
    let d = Dir::new("show");
    let entry = "enabled\ninterpreter /usr/bin/qemu-arm\nflags: OCF\noffset 0\nmagic 7f45\nmask ffff\n";
    std::fs::write(d.0.join("binfmt/qemu-arm"), entry).unwrap();
    std::fs::write(d.0.join("binfmt/other"), "disabled\ninterpreter /bin/o\nflags: \n").unwrap();
    let all = d.ok(&["show"]);
    assert!(all.contains("qemu-arm             enabled  flags OCF   /usr/bin/qemu-arm"), "{all}");
    assert!(all.contains("other                disabled flags -"), "{all}");
    assert_eq!(d.ok(&["show", "arm"]).lines().count(), 1);
    assert_eq!(d.ok(&["remove", "all"]), "removed qemu-arm\n");
    assert!(d.read("binfmt/qemu-arm").ends_with("-1") && !d.read("binfmt/other").contains("-1"));
}

#[test]
fn writes_files_for_systemd_and_debian() {
    let d = Dir::new("files");
    let dir = d.path("");
    d.ok(&["--systemd", "aarch64", "--exportdir", &dir, "--persistent", "yes"]);
    let line = d.read("qemu-aarch64.conf");
    assert!(line.starts_with(":qemu-aarch64:M::") && line.ends_with(":F\n"), "{line}");
    let all = d.ok(&["--systemd", "ALL", "--exportdir", &dir]);
    assert!(all.lines().count() > 25 && d.read("qemu-mipsn32.conf").contains("\\x20"), "{all}");
    assert!(!d.0.join("qemu-i386.conf").exists());
    d.ok(&["--debian", "--exportdir", &dir, "--credential", "yes", "riscv64"]);
    let template = d.read("qemu-riscv64");
    let interpreter = format!("interpreter {}", d.path("bin/qemu-riscv64"));
    for part in [
        "package qemu-riscv64\n",
        &interpreter,
        "\ncredentials yes\npreserve no\nfix_binary no\n",
        "\nmagic \\x7f",
    ] {
        assert!(template.contains(part), "{template}");
    }
}

/// The head of a program with one header.
fn program(interpreter: Option<&str>, machine: u16) -> Vec<u8> {
    let mut f = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    f.extend_from_slice(&2u16.to_le_bytes());
    f.extend_from_slice(&machine.to_le_bytes());
    f.extend_from_slice(&1u32.to_le_bytes());
    for word in [0u64, 64, 0] {
        f.extend_from_slice(&word.to_le_bytes());
    }
    f.extend_from_slice(&0u32.to_le_bytes());
    for half in [64u16, 56, 1, 0, 0, 0] {
        f.extend_from_slice(&half.to_le_bytes());
    }
    let name = interpreter.unwrap_or("");
    let kind: u32 = if interpreter.is_some() { 3 } else { 1 };
    f.extend_from_slice(&kind.to_le_bytes());
    f.extend_from_slice(&4u32.to_le_bytes());
    for word in [120u64, 0, 0, name.len() as u64 + 1, 0, 0] {
        f.extend_from_slice(&word.to_le_bytes());
    }
    f.extend_from_slice(name.as_bytes());
    f.resize(256, 0);
    f
}

#[test]
fn the_doctor_names_the_trouble() {
    let d = Dir::new("doctor");
    let write = |name: &str, bytes: &[u8], mode| {
        let path = d.path(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let arm = write("static", &program(None, 183), 0o755);
    let dynamic = write("dynamic", &program(Some("/lib/ld-none.so"), 183), 0o755);
    let cases = [
        (arm.clone(), 1, "qemu-binfmt-conf register --qemu-path"),
        (dynamic.clone(), 1, "its loader /lib/ld-none.so is not there"),
        (write("closed", &program(None, 183), 0o644), 1, "is not executable"),
        (write("sh4", &program(None, 0x1234), 0o755), 1, "machine number 4660"),
        (
            write(
                "s390",
                &{
                    let mut f = program(None, 0);
                    f[5] = 2;
                    f[16..20].copy_from_slice(&[0, 2, 0, 22]);
                    f
                },
                0o755,
            ),
            1,
            "there is no qemu-s390x",
        ),
        (write("text", b"hello\n", 0o755), 1, "is no program"),
        (write("script", b"#!/no/such/shell -e\n", 0o755), 1, "/no/such/shell: No such file"),
        (write("crlf", b"#!/bin/sh\r\n", 0o755), 1, "carriage return"),
        (write("flat", b"bFLT\0\0\0\x04", 0o755), 0, "flat binary"),
        (d.path("none"), 1, "No such file"),
    ];
    for (path, code, part) in cases {
        let out = d.run(&["doctor", &path]);
        assert!(text(&out.stdout).contains(part), "{path}: {out:?}");
        assert_eq!(out.status.code(), Some(code), "{path}: {out:?}");
    }
    // Registered, and with a root that has the loader.
    let entry = format!(
        "enabled\ninterpreter {}\nflags: F\noffset 0\nmagic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff0000fffffffffffffffeffffff\n",
        d.path("bin/qemu-aarch64")
    );
    std::fs::write(d.0.join("binfmt/qemu-aarch64"), entry).unwrap();
    assert!(d.ok(&["doctor", &arm]).contains("works in chroots"));
    std::fs::create_dir_all(d.0.join("root/lib")).unwrap();
    write("root/lib/ld-none.so", &program(None, 183), 0o755);
    assert!(d.ok(&["doctor", "-L", &d.path("root"), &dynamic]).contains("its loader is"));
    write("root/lib/ld-none.so", &program(None, 62), 0o755);
    assert!(
        text(&d.run(&["doctor", "-L", &d.path("root"), &dynamic]).stdout)
            .contains("another architecture (x86_64)")
    );
    std::fs::write(d.0.join("binfmt/status"), "disabled\n").unwrap();
    assert!(text(&d.run(&["doctor"]).stdout).contains("switched off"));
}

/// Registers in a mount of our own, where the kernel lets us: it takes every rule, and lists and forgets the entries.
#[test]
fn the_kernel_takes_the_rules() {
    let d = Dir::new("kernel");
    let bin = d.path("bin");
    let script = format!(
        "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || {{ echo REFUSED; exit 0; }}\n\
         for g in $({TOOL} --help | sed -n 's/^CPU is one of: //p'); do : > {bin}/qemu-$g; chmod +x {bin}/qemu-$g; done\n\
         {TOOL} register --qemu-path {bin} -g yes -c yes -p yes || exit 1\n\
         {TOOL} show; {TOOL} remove all; {TOOL} show; echo END"
    );
    // A user namespace's own binfmt_misc needs Linux 6.7.
    let out = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "--pid",
            "--fork",
            "--mount-proc",
            "sh",
            "-c",
            &script,
        ])
        .output()
        .expect("util-linux has unshare");
    let shown = text(&out.stdout);
    if text(&out.stderr).contains("unshare") || shown.contains("REFUSED") {
        eprintln!("the kernel allows no binfmt_misc of our own here: {}", text(&out.stderr).trim());
        return;
    }
    assert!(shown.ends_with("END\n"), "{out:?}");
    // The host's own programs are left alone: what runs next is one.
    let guests = binfmt_conf::guests::GUESTS.iter().filter(|g| g.family != "i386").count();
    assert_eq!(shown.matches(" enabled ").count(), guests, "{out:?}");
    assert_eq!(shown.matches("flags POCF").count(), guests, "{out:?}");
    assert_eq!(shown.matches("removed ").count(), guests, "{out:?}");
}
