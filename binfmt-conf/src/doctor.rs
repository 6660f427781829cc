//! Why a program would not run, and what to do.
//!
//! Input: a file (or none) and the state of the machine; output: findings, one a line, and exit code 1 if one is a problem.
//! A script is followed to its interpreter, a dynamic program to its loader. Nothing is run or changed.

use crate::Outcome;
use crate::guests::{self, Guest};
use crate::options::Options;
use crate::registry::{Entry, Registry};
use std::fs::File;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Collects findings.
struct Report<'a> {
    done: &'a mut Outcome,
}

impl Report<'_> {
    fn good(&mut self, line: &str) {
        self.done.out += &format!("ok       {line}\n");
    }
    fn note(&mut self, line: &str) {
        self.done.out += &format!("note     {line}\n");
    }
    fn problem(&mut self, line: &str, advice: &str) {
        self.done.out += &format!("PROBLEM  {line}\n         {advice}\n");
        self.done.code = 1;
    }
}

/// Scripts that lead to scripts: the kernel's bound.
const MAX_DEPTH: usize = 5;

/// Examines a file, or the registrations.
pub fn run(options: &Options, registry: &Registry, done: &mut Outcome) {
    let mut report = Report { done };
    let entries = machine(registry, &mut report);
    match options.names.first() {
        Some(file) => program(options, Path::new(file), &entries, &mut report, 0),
        None => registrations(&entries, &mut report),
    }
}

/// The state of binfmt_misc.
fn machine(registry: &Registry, report: &mut Report<'_>) -> Vec<Entry> {
    if !registry.mounted() {
        report.note(&format!(
            "binfmt_misc is not mounted at {}: programs run by naming their emulator only (qemu-ARCH PROGRAM)",
            registry.dir().display()
        ));
        return Vec::new();
    }
    if !registry.switched_on() {
        report
            .problem("binfmt_misc is switched off", &format!("echo 1 > {}/status", registry.dir().display()));
    }
    registry.entries().unwrap_or_default()
}

fn registrations(entries: &[Entry], report: &mut Report<'_>) {
    let ours: Vec<&Entry> = entries.iter().filter(|e| e.name.starts_with("qemu-")).collect();
    if ours.is_empty() {
        report.note("no emulator is registered: qemu-binfmt-conf --qemu-path DIR registers those in DIR");
    }
    for e in ours {
        check_entry(e, report);
    }
}

/// An entry by itself: its emulator and its flags.
fn check_entry(e: &Entry, report: &mut Report<'_>) -> bool {
    let fixed = e.flags.contains('F');
    let there = File::open(&e.interpreter).is_ok();
    if !e.enabled {
        report.problem(
            &format!("{} is registered but disabled", e.name),
            "register it again, or echo 1 into its file",
        );
        return false;
    }
    if !there && !fixed {
        report.problem(
            &format!("{} is registered, but its emulator {} is not there", e.name, e.interpreter),
            "register it again with the right --qemu-path, or with --persistent yes",
        );
        return false;
    }
    let meaning =
        |flag: char, on: &'static str, off: &'static str| if e.flags.contains(flag) { on } else { off };
    report.good(&format!("{} is run by {} (flags {})", e.name, e.interpreter, or_none(&e.flags)));
    report.note(&format!(
        "{}; {}; {}",
        meaning(
            'F',
            "works in chroots and containers",
            "in a chroot the emulator must exist there (--persistent yes)"
        ),
        meaning('P', "argv[0] is kept", "argv[0] is the program's path (--preserve-argv0 yes keeps it)"),
        meaning('C', "set-uid programs get their rights", "set-uid has no effect (--credential yes)"),
    ));
    true
}

fn or_none(flags: &str) -> &str {
    if flags.is_empty() { "none" } else { flags }
}

fn program(options: &Options, path: &Path, entries: &[Entry], report: &mut Report<'_>, depth: usize) {
    let shown = path.display();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return report.problem(&format!("{shown}: {error}"), "give the path of a program"),
    };
    let Ok(meta) = file.metadata() else { return };
    if !meta.is_file() {
        return report.problem(&format!("{shown} is no regular file"), "give the path of a program");
    }
    if meta.permissions().mode() & 0o111 == 0 {
        report.problem(&format!("{shown} is not executable"), &format!("chmod +x {shown}"));
    }
    let mut head = vec![0; 256];
    let got = file.read_at(&mut head, 0).unwrap_or(0);
    head.truncate(got);
    if let Some(line) = head.strip_prefix(b"#!") {
        return script(options, path, line, entries, report, depth);
    }
    let Some(guest) = guests::of_program(&head) else {
        return unknown(path, &head, entries, report);
    };
    report.good(&format!("{shown} is a program for {}", guest.name));
    if meta.permissions().mode() & 0o6000 != 0 {
        report.note("it is set-uid or set-gid: that counts with flag C only (--credential yes)");
    }
    let native = guests::family_of_host(&options.host) == guest.family;
    match entries.iter().find(|e| e.enabled && e.matches(&head)) {
        Some(e) => {
            check_entry(e, report);
        }
        None if native => report.good("the host's processor family runs it itself"),
        None => emulator(options, guest, report),
    }
    elf(options, &file, guest, native, report);
}

/// No entry takes the program: is there an emulator at all?
fn emulator(options: &Options, guest: &Guest, report: &mut Report<'_>) {
    let name = guest.emulator();
    let path = std::env::var("PATH").unwrap_or_default();
    let dirs = std::iter::once(options.qemu_path.as_str()).chain(path.split(':'));
    let found =
        dirs.map(|dir| Path::new(dir).join(format!("{name}{}", options.qemu_suffix))).find(|p| p.is_file());
    match found {
        Some(path) => {
            let dir = path.parent().unwrap_or(Path::new("/")).display().to_string();
            report.problem(
                &format!(
                    "no entry of binfmt_misc takes it: it does not run by its name, but as {} PROGRAM",
                    path.display()
                ),
                &format!("qemu-binfmt-conf register --qemu-path {dir} {}", guest.name),
            );
        }
        None => report.problem(
            &format!("there is no {name} in {} or PATH", options.qemu_path),
            "install it, or say where it is with --qemu-path",
        ),
    }
}

fn unknown(path: &Path, head: &[u8], entries: &[Entry], report: &mut Report<'_>) {
    let shown = path.display();
    if let Some(e) = entries.iter().find(|e| e.enabled && e.matches(head)) {
        check_entry(e, report);
    } else if head.starts_with(b"\x7fELF") && head.len() >= 20 {
        let word = |b: [u8; 2]| if head[5] == 2 { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) };
        let (kind, machine) = (word([head[16], head[17]]), word([head[18], head[19]]));
        match kind {
            1 => report.problem(&format!("{shown} is an object file"), "link it"),
            4 => report.problem(&format!("{shown} is a core file"), "open it with gdb-multiarch"),
            _ => report.problem(
                &format!("{shown} is for machine number {machine}, which no emulator here runs"),
                "a program of another architecture is needed",
            ),
        }
    } else if head.starts_with(b"bFLT") {
        report.note(&format!(
            "{shown} is a flat binary, which does not say for which processor: run qemu-ARCH {shown}"
        ));
    } else if head.is_empty() {
        report.problem(&format!("{shown} is empty"), "copy it again");
    } else {
        report.problem(
            &format!("{shown} is no program (Exec format error)"),
            "a script begins with #! and its interpreter",
        );
    }
}

fn script(
    options: &Options,
    path: &Path,
    line: &[u8],
    entries: &[Entry],
    report: &mut Report<'_>,
    depth: usize,
) {
    let line = line.split(|&b| b == b'\n').next().unwrap_or(&[]);
    let text = String::from_utf8_lossy(line);
    let Some(name) = text.split_whitespace().next() else {
        return report.problem(&format!("{} names no interpreter", path.display()), "write it behind #!");
    };
    report.good(&format!("{} is a script for {name}", path.display()));
    if name.ends_with('\r') || text.ends_with('\r') {
        report.problem("its first line ends with a carriage return", "convert it to Unix line ends");
    }
    if depth + 1 >= MAX_DEPTH {
        return report.problem("interpreters lead to interpreters too often", "name a program behind #!");
    }
    program(options, &under_root(options, name), entries, report, depth + 1);
}

/// A path of the guest's system: under the root if it is there.
fn under_root(options: &Options, name: &str) -> PathBuf {
    let rooted = options.sysroot.as_ref().map(|root| root.join(name.trim_start_matches('/')));
    rooted.filter(|p| p.exists()).unwrap_or_else(|| PathBuf::from(name))
}

/// Reads numbers of the file's class and order.
struct Elf<'a> {
    file: &'a File,
    wide: bool,
    big_endian: bool,
}

impl Elf<'_> {
    fn bytes(&self, at: u64, len: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; len.min(1 << 16)];
        self.file.read_exact_at(&mut bytes, at).ok()?;
        Some(bytes)
    }
    fn number(&self, at: u64, len: usize) -> Option<u64> {
        let bytes = self.bytes(at, len)?;
        let fold = |n: u64, b: &u8| n << 8 | u64::from(*b);
        Some(if self.big_endian { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    }
    fn field(&self, at64: u64, at32: u64) -> Option<u64> {
        if self.wide { self.number(at64, 8) } else { self.number(at32, 4) }
    }
    /// (type, offset, size) of each program header.
    fn headers(&self) -> Option<Vec<(u64, u64, u64)>> {
        let at = self.field(32, 28)?;
        let (size, count) = if self.wide { (56, self.number(56, 2)?) } else { (32, self.number(44, 2)?) };
        (0..count)
            .map(|i| {
                let h = at.checked_add(i * size)?;
                let shifted = Elf { file: self.file, ..*self };
                let (offset, len) = if self.wide { (h + 8, h + 32) } else { (h + 4, h + 16) };
                let word = if self.wide { 8 } else { 4 };
                Some((shifted.number(h, 4)?, shifted.number(offset, word)?, shifted.number(len, word)?))
            })
            .collect()
    }
}

/// What the file says of its loader and of the processor it needs.
fn elf(options: &Options, file: &File, guest: &Guest, native: bool, report: &mut Report<'_>) {
    const PT_INTERP: u64 = 3;
    const PT_GNU_PROPERTY: u64 = 0x6474_e553;
    let elf = Elf { file, wide: guest.wide, big_endian: guest.big_endian };
    let Some(headers) = elf.headers() else {
        return report.problem("its program headers are cut off", "the file is damaged: copy it again");
    };
    match headers.iter().find(|h| h.0 == PT_INTERP) {
        None => report.good("it is statically linked: it needs nothing else"),
        Some(&(_, offset, len)) => {
            let name = elf.bytes(offset, len as usize).unwrap_or_default();
            let name = String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned();
            loader(options, guest, native, &name, report);
        }
    }
    for &(_, offset, len) in headers.iter().filter(|h| h.0 == PT_GNU_PROPERTY) {
        level(guest, &elf.bytes(offset, len as usize).unwrap_or_default(), report);
    }
}

fn loader(options: &Options, guest: &Guest, native: bool, name: &str, report: &mut Report<'_>) {
    let default = PathBuf::from(format!("/etc/qemu-binfmt/{}", guest.name));
    let roots = options.sysroot.iter().chain((!native && default.is_dir()).then_some(&default));
    let rooted = roots.map(|root| root.join(name.trim_start_matches('/'))).find(|p| p.exists());
    let Some(path) = rooted.or_else(|| Some(PathBuf::from(name)).filter(|p| p.exists())) else {
        return report.problem(
            &format!("its loader {name} is not there"),
            &format!(
                "give the root of a {} system: -L DIR, QEMU_LD_PREFIX=DIR, or a link {}; or install its C library",
                guest.name,
                default.display()
            ),
        );
    };
    let mut head = vec![0; 64];
    let got = File::open(&path).and_then(|f| f.read_at(&mut head, 0)).unwrap_or(0);
    if guest.matches(&head[..got]) {
        report.good(&format!("its loader is {}", path.display()));
    } else {
        let whose = guests::of_program(&head[..got]).map_or("no program", |g| g.name);
        report.problem(
            &format!("its loader {} is for another architecture ({whose})", path.display()),
            "give the right root with -L",
        );
    }
}

/// The processor level that a GNU property note asks for.
fn level(guest: &Guest, note: &[u8], report: &mut Report<'_>) {
    const X86_ISA_1_NEEDED: u32 = 0xc000_8002;
    const AARCH64_FEATURE_1_AND: u32 = 0xc000_0000;
    let word = |at: usize| note.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    let align = if guest.wide { 8 } else { 4 };
    let mut at = 16;
    while !guest.big_endian && at + 12 <= note.len() {
        let (kind, len) = (word(at), word(at + 4) as usize);
        match (guest.family, kind) {
            ("i386", X86_ISA_1_NEEDED) => {
                let level = 32 - word(at + 8).leading_zeros();
                report.note(&format!(
                    "it needs x86-64-v{level}: choose a CPU that has it with -cpu (max has all)"
                ));
            }
            ("arm", AARCH64_FEATURE_1_AND) => {
                let bits = word(at + 8);
                let names: Vec<&str> = [(1, "BTI"), (2, "PAuth"), (4, "GCS")]
                    .iter()
                    .filter(|(bit, _)| bits & bit != 0)
                    .map(|(_, name)| *name)
                    .collect();
                if !names.is_empty() {
                    report.note(&format!("it is built for {}, and runs without too", names.join(", ")));
                }
            }
            _ => {}
        }
        at = at.saturating_add((8 + len.min(1 << 16)).next_multiple_of(align));
    }
}
