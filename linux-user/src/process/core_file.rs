//! The core file of a guest that dies by a signal: an ELF file in the guest's format, as the kernel's `elf_core_dump`
//! writes it.
//!
//! Input: the dying task and its signal; output: the file that `/proc/sys/kernel/core_pattern` names, at most
//! RLIMIT_CORE long, with the registers of all threads. Patterns that start a program are the host's business: it gets
//! the emulator's core.
//!
//! The other threads are asked to stay at their run loops ([`attend`]) so that their registers are exact; one that is in
//! a system call has exact registers anyway, so waiting for it is bounded.

use crate::arch::nt;
use crate::cpu::CpuState;
use crate::host_signal::{self, request};
use crate::mm::{Kind, Mapping, PAGE, prot};
use crate::proc_view::{HostVma, guest_range, host_vma};
use crate::signal::{SigHand, SigInfo, caught};
use crate::sys::raw_syscall;
use crate::task::{Task, lock};
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long the other threads have to come to their run loops: long only on a machine that is too busy to run them.
const GATHER: Duration = Duration::from_millis(1000);

/// True if the default action of a signal writes a core file.
pub fn dumps(sig: i32) -> bool {
    matches!(
        sig,
        libc::SIGQUIT
            | libc::SIGILL
            | libc::SIGTRAP
            | libc::SIGABRT
            | libc::SIGBUS
            | libc::SIGFPE
            | libc::SIGSEGV
            | libc::SIGXCPU
            | libc::SIGXFSZ
            | libc::SIGSYS
    )
}

/// The signals that [`dumps`].
fn dumping() -> u64 {
    (1..=64).filter(|&sig| dumps(sig)).fold(0, |set, sig| set | host_signal::bit(sig))
}

/// Has the signals that write a core file come to us if one is wanted: the host would write the emulator's. Called at the
/// start and when the limit has changed.
pub fn follow_limit(sighand: &SigHand) {
    let set = caught();
    let want = if limit() != 0 { set | dumping() } else { set & !dumping() };
    // Of a traced process all signals come anyway.
    if want != set && set != host_signal::ALL_SIGNALS {
        sighand.catch(want);
    }
}

/// RLIMIT_CORE's soft limit; no file is written below a page.
pub fn limit() -> u64 {
    let mut limits = [0u64; 2];
    let args = [0, u64::from(libc::RLIMIT_CORE), 0, limits.as_mut_ptr() as u64, 0, 0];
    if raw_syscall(libc::SYS_prlimit64, args).is_ok() && limits[0] >= PAGE { limits[0] } else { 0 }
}

/// The calling thread stays here, its registers exact, until the process is gone.
pub fn attend(task: &Task) {
    if task.slots.take_request(request::PARK).is_none() {
        return;
    }
    park(task)
}

fn park(task: &Task) -> ! {
    task.process.parked.fetch_add(1, Ordering::AcqRel);
    host_signal::set_mask(host_signal::ALL_SIGNALS);
    loop {
        let _ = raw_syscall(libc::SYS_pause, [0; 6]);
    }
}

/// Writes the core file of a task that dies by `info`, if there is to be one. Afterwards the task must die.
pub fn write(task: &mut Task, info: &SigInfo) {
    let own = &task.process.dying;
    if own.compare_exchange(0, task.tid, Ordering::AcqRel, Ordering::Acquire).is_err() {
        // Another thread is at it and ends us both.
        park(task)
    }
    let limit = limit();
    let dumpable = raw_syscall(libc::SYS_prctl, [libc::PR_GET_DUMPABLE as u64, 0, 0, 0, 0, 0]) == Ok(1);
    if !dumps(info.signo()) || limit == 0 || !dumpable {
        return;
    }
    let Some(path) = path(task, info.signo()) else { return };
    gather(task);
    let open = || {
        // As the kernel: never through a link, and only into a file of our own.
        let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true).mode(0o600).custom_flags(flags);
        let file = options.open(&path).ok()?;
        file.metadata().ok().filter(std::fs::Metadata::is_file).map(|_| file)
    };
    let written = open().is_some_and(|file| Dump::new(task, info).write(&file, limit).is_some());
    let host_limit = if written { cover() } else { 0 };
    let limits = [host_limit, host_limit];
    let args = [0, u64::from(libc::RLIMIT_CORE), limits.as_ptr() as u64, 0, 0, 0];
    let _ = raw_syscall(libc::SYS_prlimit64, args);
}

/// Only the host kernel can set the core flag of a wait status, and it does so when it writes a core file itself: a
/// stub of one page goes to a place of ours, under the same name each time. Returns the limit for it.
fn cover() -> u64 {
    // SAFETY: no arguments.
    let uid = unsafe { libc::geteuid() };
    for base in ["/dev/shm", "/tmp", "/var/tmp"] {
        let dir = PathBuf::from(format!("{base}/.omnirun-core-{uid}"));
        let _ = std::fs::create_dir(&dir);
        let Ok(meta) = std::fs::symlink_metadata(&dir) else { continue };
        use std::os::unix::fs::MetadataExt;
        if !meta.is_dir() || meta.uid() != uid {
            continue;
        }
        let _ = std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700));
        for old in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let _ = std::fs::remove_file(old.path());
        }
        if raw_syscall(libc::SYS_unshare, [libc::CLONE_FS as u64, 0, 0, 0, 0, 0]).is_ok()
            && std::env::set_current_dir(&dir).is_ok()
        {
            return PAGE;
        }
    }
    0
}

/// The file's name; none if the pattern is a program or names a directory structure the host must make.
fn path(task: &Task, sig: i32) -> Option<PathBuf> {
    let pattern = std::fs::read("/proc/sys/kernel/core_pattern").ok()?;
    let pattern = pattern.trim_ascii_end();
    let pid = task.process.pid();
    let name = expand(task, pattern, sig)?;
    let with_pid = std::fs::read("/proc/sys/kernel/core_uses_pid").is_ok_and(|text| text.starts_with(b"1"));
    let mut name = name;
    if with_pid && !pattern.windows(2).any(|pair| pair == b"%p") {
        name.extend(format!(".{pid}").bytes());
    }
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(&name)))
}

fn expand(task: &Task, pattern: &[u8], sig: i32) -> Option<Vec<u8>> {
    if pattern.is_empty() || matches!(pattern[0], b'|' | b'@') {
        return None;
    }
    let mut name = Vec::new();
    let mut rest = pattern.iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            name.push(byte);
            continue;
        }
        let flat = |text: &[u8]| text.iter().map(|&b| if b == b'/' { b'!' } else { b }).collect::<Vec<u8>>();
        match rest.next() {
            None => {}
            Some(b'%') => name.push(b'%'),
            Some(b'p' | b'P') => name.extend(task.process.pid().to_string().bytes()),
            Some(b'i' | b'I') => name.extend(task.tid.to_string().bytes()),
            // SAFETY: no arguments.
            Some(b'u') => name.extend(unsafe { libc::getuid() }.to_string().bytes()),
            // SAFETY: no arguments.
            Some(b'g') => name.extend(unsafe { libc::getgid() }.to_string().bytes()),
            Some(b'd') => name.push(b'1'),
            Some(b's') => name.extend(sig.to_string().bytes()),
            Some(b't') => {
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                name.extend(now.unwrap_or_default().as_secs().to_string().bytes());
            }
            Some(b'h') => {
                let host = std::fs::read("/proc/sys/kernel/hostname").unwrap_or_default();
                name.extend(flat(host.trim_ascii_end()));
            }
            Some(b'e') => name.extend(flat(&comm())),
            Some(b'f') => {
                name.extend(flat(task.process.exec.exe.file_name().map_or(b"", OsStrExt::as_bytes)));
            }
            Some(b'E') => name.extend(flat(task.process.exec.exe.as_os_str().as_bytes())),
            Some(b'c') => name.extend(limit().to_string().bytes()),
            Some(b'C') => {}
            Some(_) => {}
        }
    }
    Some(name)
}

fn comm() -> Vec<u8> {
    let mut name = std::fs::read("/proc/self/comm").unwrap_or_default();
    name.truncate(name.trim_ascii_end().len());
    name
}

/// Brings the other threads to their run loops, for a bounded time.
fn gather(task: &Task) {
    let process = &task.process;
    let others = {
        let threads = lock(&process.threads);
        for entry in threads.iter().filter(|entry| entry.tid != task.tid) {
            let _ = host_signal::send_request(process.pid(), entry.tid, u64::from(request::PARK));
        }
        threads.len().saturating_sub(1) as u32
    };
    let start = Instant::now();
    while process.parked.load(Ordering::Acquire) < others && start.elapsed() < GATHER {
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Guest-format numbers.
struct Out {
    bytes: Vec<u8>,
    wide: bool,
    big: bool,
}

impl Out {
    fn new(wide: bool, big: bool) -> Out {
        Out { bytes: Vec::new(), wide, big }
    }

    fn number(&mut self, value: u64, size: usize) {
        let at = self.bytes.len();
        self.bytes.extend(&value.to_le_bytes()[..size]);
        if self.big {
            self.bytes[at..].reverse();
        }
    }

    fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    fn u16(&mut self, value: u16) {
        self.number(u64::from(value), 2);
    }

    fn int(&mut self, value: i32) {
        self.number(u64::from(value as u32), 4);
    }

    fn long(&mut self, value: u64) {
        self.number(value, if self.wide { 8 } else { 4 });
    }

    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn text(&mut self, text: &[u8], room: usize) {
        let at = self.bytes.len();
        self.bytes.extend(&text[..text.len().min(room - 1)]);
        self.bytes.resize(at + room, 0);
    }
}

/// A segment: guest range, rights, and how many of its bytes go into the file.
struct Segment {
    range: Range<u64>,
    prot: u32,
    filed: u64,
}

struct FileRange {
    range: Range<u64>,
    page: u64,
    name: String,
}

/// Appends a note: name, type, bytes.
type Note<'a> = dyn FnMut(&[u8], u32, &[u8]) + 'a;

struct Dump<'a> {
    task: &'a Task,
    info: &'a SigInfo,
    segments: Vec<Segment>,
    files: Vec<FileRange>,
}

impl<'a> Dump<'a> {
    fn new(task: &'a Task, info: &'a SigInfo) -> Dump<'a> {
        let mut dump = Dump { task, info, segments: Vec::new(), files: Vec::new() };
        let text =
            String::from_utf8_lossy(&std::fs::read("/proc/self/smaps").unwrap_or_default()).into_owned();
        let filter = std::fs::read_to_string("/proc/self/coredump_filter")
            .ok()
            .and_then(|text| u64::from_str_radix(text.trim(), 16).ok())
            .unwrap_or(0x33);
        let layout = task.mm.lock();
        let mut current: Option<(HostVma<'_>, bool)> = None;
        let mut finish = |vma: Option<(HostVma<'_>, bool)>| {
            let Some((mut vma, anonymous)) = vma else { return };
            vma.range = guest_range(&task.mm, &vma.range);
            for (range, mapping) in layout.map.overlapping(vma.range.clone()) {
                dump.add(&vma, anonymous, range, mapping, filter);
            }
        };
        for line in text.lines() {
            if let Some(vma) = host_vma(line) {
                finish(current.replace((vma, false)));
            } else if let Some(rest) = line.strip_prefix("Anonymous:")
                && let Some((_, anonymous)) = &mut current
            {
                *anonymous = !rest.trim().starts_with("0 ");
            }
        }
        finish(current);
        drop(layout);
        dump
    }

    /// The kernel's `vma_dump_size`.
    fn add(&mut self, vma: &HostVma<'_>, anonymous: bool, range: Range<u64>, mapping: &Mapping, filter: u64) {
        let size = range.end - range.start;
        let file = vma.inode != "0";
        let named = file && vma.name.starts_with('/');
        let from = vma.offset + (range.start - vma.range.start);
        let whole = match (mapping.kind, mapping.shared) {
            (Kind::Vdso, _) => true,
            (_, true) if vma.name.starts_with("/dev/zero") || vma.name.starts_with("/SYSV") => {
                filter & 2 != 0
            }
            (_, true) if file => filter & 8 != 0,
            (_, true) => filter & 2 != 0,
            (_, false) if !file || anonymous => filter & 1 != 0,
            (_, false) => filter & 4 != 0,
        };
        let mut magic = [0; 4];
        let header = filter & 16 != 0
            && named
            && from == 0
            && mapping.prot & prot::READ != 0
            && self.task.mm.mem().copy_in(range.start, &mut magic).is_ok()
            && magic == *b"\x7fELF";
        let readable = mapping.prot & (prot::ACCESS) != 0 || anonymous;
        let filed = if whole && readable {
            size
        } else if header {
            PAGE.min(size)
        } else {
            0
        };
        if named {
            let name = vma.name.strip_suffix(" (deleted)").unwrap_or(vma.name).to_owned();
            self.files.push(FileRange { range: range.clone(), page: from / PAGE, name });
        }
        self.segments.push(Segment { range, prot: mapping.prot, filed });
    }

    fn out(&self) -> Out {
        let info = self.task.arch.abi().info();
        Out::new(info.word == 8, info.big_endian)
    }

    /// `struct elf_prstatus`.
    fn prstatus(&self, tid: i32, cpu: &CpuState, blocked: u64) -> Vec<u8> {
        let mut out = self.out();
        let sig = self.info.signo();
        out.int(sig);
        out.int(self.info.code());
        out.int(self.info.errno());
        out.u16(sig as u16);
        out.align(if out.wide { 8 } else { 4 });
        out.long(0);
        out.long(blocked);
        let ids = [tid, parent(), group(), session()];
        ids.into_iter().for_each(|id| out.int(id));
        let usage = |who| {
            let mut usage = [0u64; 18];
            let _ = raw_syscall(libc::SYS_getrusage, [who, usage.as_mut_ptr() as u64, 0, 0, 0, 0]);
            usage
        };
        let (own, children) = (usage(1), usage(u64::MAX));
        own[..4].iter().chain(&children[..4]).for_each(|&value| out.long(value));
        out.bytes.extend(self.task.arch.regset(&self.task.engine, cpu, nt::PRSTATUS).unwrap_or_default());
        out.int(1);
        let word = if out.wide { 8 } else { 4 };
        out.align(word);
        out.bytes
    }

    /// `struct elf_prpsinfo`.
    fn prpsinfo(&self) -> Vec<u8> {
        let mut out = self.out();
        out.u8(0);
        out.u8(b'R');
        out.u8(0);
        out.u8(0);
        out.align(if out.wide { 8 } else { 4 });
        out.long(0);
        // SAFETY: no arguments.
        let (uid, gid) = unsafe { (libc::getuid(), libc::getgid()) };
        if self.task.arch.short_ids() {
            out.u16(uid as u16);
            out.u16(gid as u16);
        } else {
            out.int(uid as i32);
            out.int(gid as i32);
        }
        [self.task.process.pid(), parent(), group(), session()].into_iter().for_each(|id| out.int(id));
        out.text(&comm(), 16);
        let args = self.task.mm.lock().image.args.clone();
        let mut line = vec![0; (args.end - args.start).min(79) as usize];
        let got = self.task.mm.mem().copy_in_partial(args.start, &mut line);
        line.truncate(got);
        if line.last() == Some(&0) {
            line.pop();
        }
        line.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b' ');
        out.text(&line, 80);
        out.bytes
    }

    /// NT_FILE.
    fn file_note(&self) -> Vec<u8> {
        let mut out = self.out();
        out.long(self.files.len() as u64);
        out.long(PAGE);
        for file in &self.files {
            out.long(file.range.start);
            out.long(file.range.end);
            out.long(file.page);
        }
        for file in &self.files {
            out.bytes.extend(file.name.bytes());
            out.u8(0);
        }
        out.bytes
    }

    fn notes(&self) -> Vec<u8> {
        let mut out = self.out();
        let mut note = |name: &[u8], kind: u32, bytes: &[u8]| {
            out.int(name.len() as i32 + 1);
            out.int(bytes.len() as i32);
            out.int(kind as i32);
            out.bytes.extend(name);
            out.u8(0);
            out.align(4);
            out.bytes.extend(bytes);
            out.align(4);
        };
        const NT_PRPSINFO: u32 = 3;
        const NT_AUXV: u32 = 6;
        const NT_SIGINFO: u32 = 0x5349_4749;
        const NT_FILE: u32 = 0x4649_4c45;
        let task = self.task;
        let more = |cpu: &CpuState, note: &mut Note<'_>| {
            for &kind in task.arch.regsets() {
                if kind != nt::PRSTATUS
                    && let Some(bytes) = task.arch.regset(&task.engine, cpu, kind)
                {
                    note(if kind == nt::PRFPREG { b"CORE" } else { b"LINUX" }, kind, &bytes);
                }
            }
        };
        note(b"CORE", nt::PRSTATUS, &self.prstatus(task.tid, &task.cpu, task.blocked));
        note(b"CORE", NT_PRPSINFO, &self.prpsinfo());
        note(b"CORE", NT_SIGINFO, &self.info.to_abi(task.arch.abi()));
        note(b"CORE", NT_AUXV, &task.mm.lock().image.auxv);
        note(b"CORE", NT_FILE, &self.file_note());
        more(&task.cpu, &mut note);
        for entry in lock(&task.process.threads).iter().filter(|entry| entry.tid != task.tid) {
            // SAFETY: the thread is parked or in a system call, and stays in the list, which is locked.
            let cpu = unsafe { &*entry.cpu };
            note(b"CORE", nt::PRSTATUS, &self.prstatus(entry.tid, cpu, 0));
            more(cpu, &mut note);
        }
        out.bytes
    }

    /// Writes the file; none if not even its head fits or the disk is full.
    fn write(&self, file: &File, limit: u64) -> Option<()> {
        let info = self.task.arch.abi().info();
        let wide = info.word == 8;
        let (ehsize, phentsize) = if wide { (64, 56) } else { (52, 32) };
        let notes = self.notes();
        let count = self.segments.len() + 1;
        let mut out = self.out();
        out.bytes.extend(b"\x7fELF");
        out.u8(if wide { 2 } else { 1 });
        out.u8(if info.big_endian { 2 } else { 1 });
        out.u8(1);
        out.align(16);
        out.u16(4);
        out.u16(info.elf_machine);
        out.int(1);
        out.long(0);
        out.long(ehsize as u64);
        // A file of more segments than the field can count has a section header that says how many.
        const PN_XNUM: usize = 0xffff;
        let extended = count >= PN_XNUM;
        let table_end = ehsize + count * phentsize;
        let notes_at = table_end + if extended { if wide { 64 } else { 40 } } else { 0 };
        out.long(if extended { table_end as u64 } else { 0 });
        out.int(0);
        out.u16(ehsize as u16);
        out.u16(phentsize as u16);
        out.u16(count.min(PN_XNUM) as u16);
        out.u16(if extended { if wide { 64 } else { 40 } } else { 0 });
        out.u16(u16::from(extended));
        out.u16(0);
        let mut header = |kind: i32, flags: i32, offset: u64, addr: u64, filed: u64, size: u64| {
            let align = if kind == 1 { PAGE } else { 0 };
            out.int(kind);
            if wide {
                out.int(flags);
            }
            [offset, addr, 0, filed, size].into_iter().for_each(|value| out.long(value));
            if !wide {
                out.int(flags);
            }
            out.long(align);
        };
        header(4, 0, notes_at as u64, 0, notes.len() as u64, 0);
        let data = ((notes_at + notes.len()) as u64).next_multiple_of(PAGE);
        let mut at = data;
        for segment in &self.segments {
            let right = |bit, flag| if segment.prot & bit != 0 { flag } else { 0 };
            let flags = right(prot::READ, 4) | right(prot::WRITE, 2) | right(prot::EXEC, 1);
            let size = segment.range.end - segment.range.start;
            header(1, flags, at, segment.range.start, segment.filed, size);
            at += segment.filed;
        }
        if extended {
            // Section zero: the count stands in sh_info.
            let section = out.bytes.len();
            let info_at = section + if wide { 44 } else { 28 };
            out.bytes.resize(info_at, 0);
            out.int(count as i32);
            out.bytes.resize(section + if wide { 64 } else { 40 }, 0);
        }
        let mut head = out.bytes;
        head.extend(notes);
        let end = (head.len() as u64).min(limit);
        (&*file).write_all(&head[..end as usize]).ok()?;
        let mut at = data;
        for segment in &self.segments {
            if at >= limit {
                break;
            }
            copy(self.task, segment, file, at, limit);
            at += segment.filed;
        }
        file.set_len(at.max(end).min(limit)).ok()
    }
}

/// Copies what is present of a segment; the rest stays a hole.
fn copy(task: &Task, segment: &Segment, file: &File, at: u64, limit: u64) {
    let Ok(pagemap) = File::open("/proc/self/pagemap") else { return };
    const CHUNK: u64 = 256;
    let mut page = 0;
    let pages = segment.filed / PAGE;
    let host = task.mm.mem().host(segment.range.start, 0).unwrap_or(0);
    let mut bytes = vec![0; (CHUNK * PAGE) as usize];
    let Ok(memory) = File::open("/proc/self/mem") else { return };
    while page < pages {
        let count = CHUNK.min(pages - page);
        let mut present = vec![0u8; count as usize * 8];
        let known = pagemap.read_exact_at(&mut present, (host / PAGE + page) * 8).is_ok();
        // Bits 63 and 62: in memory, or swapped out.
        let there = |index: u64| !known || present[index as usize * 8 + 7] & 0xc0 != 0;
        let mut index = 0;
        while index < count {
            if !there(index) {
                index += 1;
                continue;
            }
            let first = index;
            while index < count && there(index) {
                index += 1;
            }
            let offset = (page + first) * PAGE;
            let room = limit.saturating_sub(at + offset).min((index - first) * PAGE) as usize;
            // Also what the guest may not read: the kernel dumps that too.
            if let Ok(got) = memory.read_at(&mut bytes[..room], host + offset) {
                let _ = file.write_all_at(&bytes[..got], at + offset);
            }
        }
        page += count;
    }
}

fn parent() -> i32 {
    raw_syscall(libc::SYS_getppid, [0; 6]).unwrap_or(0) as i32
}

fn group() -> i32 {
    raw_syscall(libc::SYS_getpgid, [0; 6]).unwrap_or(0) as i32
}

fn session() -> i32 {
    raw_syscall(libc::SYS_getsid, [0; 6]).unwrap_or(0) as i32
}
