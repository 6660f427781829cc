//! `/proc` as the guest must see it: the program, not the emulator.
//!
//! Input: paths and the guest's memory map; output: other paths ([`redirect`]) or whole file contents ([`open`]).
//! What the host kernel can be told itself (command line, environment, auxiliary vector, stack) it is told at the start
//! ([`tell_kernel`]), so that other processes see it too.

use crate::arch::Arch;
use crate::errno::{Errno, SysResult};
use crate::mm::shown::{self, Part, Theirs};
use crate::mm::{Kind, Mm, prot};
use crate::sys::raw_syscall;
use crate::task::Task;
use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::fmt::Write;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// A file that looks different to the guest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum View {
    Exe,
    Maps,
    Smaps,
    Auxv,
    CpuInfo,
    Status,
}

/// Which view a path under `/proc` means for this process.
fn view(path: &[u8], pid: i32, is_own_tid: impl Fn(i32) -> bool) -> Option<View> {
    let rest = path.strip_prefix(b"/proc/")?;
    if rest == b"cpuinfo" {
        return Some(View::CpuInfo);
    }
    let mut parts = rest.split(|&byte| byte == b'/').filter(|part| !part.is_empty());
    let number = |part: &[u8]| std::str::from_utf8(part).ok()?.parse::<i32>().ok();
    let own = |part: &[u8]| {
        part == b"self" || part == b"thread-self" || number(part).is_some_and(|n| n == pid || is_own_tid(n))
    };
    if !own(parts.next()?) {
        return None;
    }
    let mut name = parts.next()?;
    if name == b"task" {
        if !number(parts.next()?).is_some_and(|n| n == pid || is_own_tid(n)) {
            return None;
        }
        name = parts.next()?;
    }
    if parts.next().is_some() {
        return None;
    }
    match name {
        b"exe" => Some(View::Exe),
        b"maps" => Some(View::Maps),
        b"smaps" => Some(View::Smaps),
        b"auxv" => Some(View::Auxv),
        b"status" => Some(View::Status),
        _ => None,
    }
}

fn view_for(task: &Task, path: &CStr) -> Option<View> {
    let bytes = path.to_bytes();
    if !bytes.starts_with(b"/proc/") {
        return None;
    }
    view(bytes, task.process.pid(), |tid| {
        crate::task::lock(&task.process.threads).iter().any(|entry| entry.tid == tid)
    })
}

/// Another path for a path that is followed: the program behind `/proc/self/exe`.
pub fn redirect<'p>(task: &Task, path: &'p CStr, follow: bool) -> Option<Cow<'p, CStr>> {
    if !follow {
        return None;
    }
    match view_for(task, path) {
        Some(View::Exe) => {}
        Some(View::Maps | View::Smaps | View::Auxv | View::CpuInfo | View::Status) => return None,
        None => {
            let exe = other_exe(path.to_bytes())?;
            return CString::new(exe.into_os_string().into_encoded_bytes()).ok().map(Cow::Owned);
        }
    }
    CString::new(task.process.exec.exe.as_os_str().as_bytes()).ok().map(Cow::Owned)
}

/// The target of a link that looks different to the guest.
pub fn read_link(task: &Task, path: &CStr) -> Option<Vec<u8>> {
    match view_for(task, path) {
        Some(View::Exe) => Some(task.process.exec.exe.as_os_str().as_bytes().to_vec()),
        Some(View::Maps | View::Smaps | View::Auxv | View::CpuInfo | View::Status) => None,
        None => other_exe(path.to_bytes()).map(|path| path.into_os_string().into_encoded_bytes()),
    }
}

/// True if a task runs under this emulator or one beside it.
pub fn is_emulated(tid: i32) -> bool {
    let of = |who: &str| {
        let meta = std::fs::metadata(format!("/proc/{who}/exe")).ok()?;
        let link = std::fs::read_link(format!("/proc/{who}/exe")).ok()?;
        Some((meta.dev(), meta.ino(), link))
    };
    let (Some(theirs), Some(ours)) = (of(&tid.to_string()), of("self")) else { return false };
    (theirs.0, theirs.1) == (ours.0, ours.1)
        || theirs.2.parent() == ours.2.parent()
            && theirs.2.file_name().is_some_and(|name| name.as_bytes().starts_with(b"qemu-"))
}

/// The program behind `/proc/PID/exe` of another process that one of our binaries runs.
fn other_exe(path: &[u8]) -> Option<PathBuf> {
    let pid = path.strip_prefix(b"/proc/")?.strip_suffix(b"/exe")?;
    shown::program_of(std::str::from_utf8(pid).ok()?.parse().ok()?)
}

/// What a descriptor of `/proc/PID/mem` is behind, if that process's guest addresses are not the host's.
pub fn memory_base(task: &Task, fd: u64) -> Option<u64> {
    let path = std::fs::read_link(format!("/proc/self/fd/{}", fd as i32)).ok()?;
    let who = path.as_os_str().as_bytes().strip_prefix(b"/proc/")?.strip_suffix(b"/mem")?;
    let pid: i32 = std::str::from_utf8(who).ok()?.rsplit('/').next()?.parse().ok()?;
    let own = pid == task.process.pid()
        || crate::task::lock(&task.process.threads).iter().any(|entry| entry.tid == pid);
    let base = if own { task.mm.mem().base() } else { shown::base_of(pid)? };
    (base != 0).then_some(base)
}

/// Opens a file whose contents look different to the guest; none: it is the host's.
pub fn open(task: &Task, dirfd: u64, path: &CStr, flags: u64) -> Option<SysResult> {
    let absolute;
    let path = if path.to_bytes().first() == Some(&b'/') {
        path
    } else {
        absolute = absolute_proc_path(dirfd, path)?;
        &absolute
    };
    let content = match view_for(task, path) {
        None => other_map(path.to_bytes())?,
        Some(View::Exe) => return None,
        Some(View::Maps) => maps(&task.mm),
        Some(View::Smaps) => smaps(&task.mm),
        Some(View::Auxv) => task.mm.lock().image.auxv.clone(),
        Some(View::CpuInfo) => cpuinfo(task.arch).into_bytes(),
        Some(View::Status) => status(task, path)?,
    };
    if flags & libc::O_ACCMODE as u64 != libc::O_RDONLY as u64 {
        return Some(Err(Errno::EACCES));
    }
    Some(content_fd(&content, flags))
}

/// A path relative to a directory under `/proc`, which some programs keep open.
fn absolute_proc_path(dirfd: u64, path: &CStr) -> Option<CString> {
    let name = path.to_bytes();
    let last = name.rsplit(|&byte| byte == b'/').next().unwrap_or(name);
    if dirfd as i32 == libc::AT_FDCWD
        || !matches!(last, b"maps" | b"smaps" | b"auxv" | b"cpuinfo" | b"status")
    {
        return None;
    }
    let dir = std::fs::read_link(format!("/proc/self/fd/{}", dirfd as i32)).ok()?;
    CString::new(dir.join(std::ffi::OsStr::from_bytes(name)).as_os_str().as_bytes()).ok()
}

fn content_fd(content: &[u8], flags: u64) -> SysResult {
    let cloexec = if flags & libc::O_CLOEXEC as u64 != 0 { libc::MFD_CLOEXEC } else { 0 };
    let fd = raw_syscall(libc::SYS_memfd_create, [c"proc".as_ptr() as u64, u64::from(cloexec), 0, 0, 0, 0])?;
    let mut done = 0;
    while done < content.len() {
        let left = &content[done..];
        match raw_syscall(libc::SYS_write, [fd, left.as_ptr() as u64, left.len() as u64, 0, 0, 0]) {
            Ok(count) => done += count as usize,
            Err(errno) => {
                let _ = raw_syscall(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
                return Err(errno);
            }
        }
    }
    raw_syscall(libc::SYS_lseek, [fd, 0, libc::SEEK_SET as u64, 0, 0, 0])?;
    Ok(fd)
}

/// One line of the host's `maps`.
pub(crate) struct HostVma<'a> {
    pub range: Range<u64>,
    private: char,
    pub offset: u64,
    device: &'a str,
    pub inode: &'a str,
    pub name: &'a str,
}

/// Reads one; none if the line is something else.
pub(crate) fn host_vma(line: &str) -> Option<HostVma<'_>> {
    let mut rest = line;
    let mut field = || {
        let end = rest.find(' ').unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        rest = tail.trim_start_matches(' ');
        word
    };
    let (start, end) = field().split_once('-')?;
    let range = u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?;
    let private = field().chars().nth(3)?;
    let offset = u64::from_str_radix(field(), 16).ok()?;
    let (device, inode) = (field(), field());
    Some(HostVma { range, private, offset, device, inode, name: rest })
}

/// A host mapping's range in guest addresses: all of it, or (behind a base) what is in the window.
pub fn guest_range(mm: &Mm, host: &Range<u64>) -> Range<u64> {
    let base = mm.mem().base();
    host.start.saturating_sub(base)..host.end.saturating_sub(base)
}

fn vma_line(vma: &HostVma<'_>, (range, rights, kind): &Part) -> String {
    let right = |bit, name| if rights & bit != 0 { name } else { '-' };
    let name = match kind {
        Kind::Heap => "[heap]",
        Kind::Stack => "[stack]",
        Kind::Vdso => "[vdso]",
        Kind::Plain => vma.name,
    };
    let mut line = format!(
        "{:08x}-{:08x} {}{}{}{} {:08x} {} {} ",
        range.start,
        range.end,
        right(prot::READ, 'r'),
        right(prot::WRITE, 'w'),
        right(prot::EXEC, 'x'),
        vma.private,
        if vma.inode == "0" { 0 } else { vma.offset + (range.start - vma.range.start) },
        vma.device,
        vma.inode
    );
    if !name.is_empty() {
        let _ = write!(line, "{:1$}{name}", "", 73usize.saturating_sub(line.len()));
    }
    line.push('\n');
    line
}

/// A guest's map and the base of its addresses, to look parts up in.
struct GuestMap<'a> {
    base: u64,
    parts: &'a dyn Fn(Range<u64>) -> Vec<Part>,
}

impl GuestMap<'_> {
    /// The lines of what is the guest's in a host mapping.
    fn lines(&self, vma: HostVma<'_>) -> Vec<String> {
        let range = vma.range.start.saturating_sub(self.base)..vma.range.end.saturating_sub(self.base);
        let vma = HostVma { range, ..vma };
        (self.parts)(vma.range.clone()).iter().map(|part| vma_line(&vma, part)).collect()
    }

    /// `maps`: the host's mappings, cut to what is the guest's, with the guest's rights.
    fn maps(&self, host: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(host);
        text.lines().filter_map(host_vma).flat_map(|vma| self.lines(vma)).collect::<String>().into_bytes()
    }

    /// `smaps`: as [`GuestMap::maps`]; the figures are those of the whole host mapping.
    fn smaps(&self, host: &[u8]) -> Vec<u8> {
        let mut out = String::new();
        let mut parts: Vec<String> = Vec::new();
        let mut figures = String::new();
        let mut flush = |parts: &mut Vec<String>, figures: &mut String| {
            for part in parts.drain(..) {
                out += &part;
                out += figures;
            }
            figures.clear();
        };
        for line in String::from_utf8_lossy(host).lines() {
            match host_vma(line) {
                Some(vma) => {
                    flush(&mut parts, &mut figures);
                    parts = self.lines(vma);
                }
                None => {
                    figures += line;
                    figures.push('\n');
                }
            }
        }
        flush(&mut parts, &mut figures);
        out.into_bytes()
    }
}

/// Shows one of the own process's files through its map, which does not change meanwhile.
fn own_map(mm: &Mm, file: &str, show: impl FnOnce(&GuestMap<'_>, &[u8]) -> Vec<u8>) -> Vec<u8> {
    let layout = mm.lock();
    // Read under the lock, so that both agree.
    let host = std::fs::read(format!("/proc/self/{file}")).unwrap_or_default();
    let parts = |range| {
        layout.map.overlapping(range).map(|(range, mapping)| (range, mapping.prot, mapping.kind)).collect()
    };
    show(&GuestMap { base: mm.mem().base(), parts: &parts }, &host)
}

/// `/proc/self/maps`
pub fn maps(mm: &Mm) -> Vec<u8> {
    own_map(mm, "maps", |map, host| map.maps(host))
}

/// `/proc/self/smaps`
pub fn smaps(mm: &Mm) -> Vec<u8> {
    own_map(mm, "smaps", |map, host| map.smaps(host))
}

/// `maps` or `smaps` of another process under one of our binaries; none: it is not one, or it may not be looked into.
fn other_map(path: &[u8]) -> Option<Vec<u8>> {
    let (who, file) = path.strip_prefix(b"/proc/").and_then(|rest| {
        let mut parts = rest.rsplitn(2, |byte| *byte == b'/');
        let file = parts.next()?;
        Some((std::str::from_utf8(parts.next()?).ok()?, file))
    })?;
    if file != b"maps" && file != b"smaps" {
        return None;
    }
    // `PID` or `PID/task/TID`.
    let Theirs { parts, base } = shown::of_process(who.rsplit('/').next()?.parse().ok()?)?;
    let host = std::fs::read(std::ffi::OsStr::from_bytes(path)).ok()?;
    let cut = |range: Range<u64>| {
        let first = parts.partition_point(|part| part.0.end <= range.start);
        let found = parts[first..].iter().take_while(|part| part.0.start < range.end);
        found
            .map(|(r, rights, kind)| (r.start.max(range.start)..r.end.min(range.end), *rights, *kind))
            .collect()
    };
    let map = GuestMap { base, parts: &cut };
    Some(if file == b"maps" { map.maps(&host) } else { map.smaps(&host) })
}

/// `/proc/PID/status` of an own thread: the host's, with the guest's signals and filters.
fn status(task: &Task, path: &CStr) -> Option<Vec<u8>> {
    let text = std::fs::read_to_string(std::ffi::OsStr::from_bytes(path.to_bytes())).ok()?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let tid: i32 = field("Pid")?.trim().parse().ok()?;
    let hex = |name: &str| u64::from_str_radix(field(name).unwrap_or("0").trim(), 16).unwrap_or(0);
    let (mut blocked, mut recorded) = (task.blocked, task.slots.recorded());
    if tid != task.tid {
        let threads = crate::task::lock(&task.process.threads);
        let entry = threads.iter().find(|entry| entry.tid == tid)?;
        // SAFETY: an entry is removed before its slots are freed, and we hold the list.
        let slots = unsafe { &*entry.slots };
        (blocked, recorded) = (slots.blocked(), slots.recorded());
    }
    let (mut ignored, mut caught) = (0, 0);
    for sig in 1..=64 {
        match task.sighand.get(sig).handler {
            crate::signal::SIG_DFL => {}
            crate::signal::SIG_IGN => ignored |= crate::host_signal::bit(sig),
            _ => caught |= crate::host_signal::bit(sig),
        }
    }
    let mut out = String::new();
    for line in text.lines() {
        let name = line.split(':').next().unwrap_or("");
        let set = match name {
            "SigPnd" => Some(hex("SigPnd") | recorded & blocked),
            "SigBlk" => Some(blocked),
            "SigIgn" => Some(ignored),
            "SigCgt" => Some(caught),
            _ => None,
        };
        let _ = match (set, name) {
            (Some(set), _) => writeln!(out, "{name}:\t{set:016x}"),
            (None, "Seccomp") => writeln!(out, "Seccomp:\t{}", task.seccomp.mode()),
            (None, "Seccomp_filters") => writeln!(out, "Seccomp_filters:\t{}", task.seccomp.filters()),
            (None, _) => writeln!(out, "{line}"),
        };
    }
    Some(out.into_bytes())
}

fn cpuinfo(arch: &dyn Arch) -> String {
    // SAFETY: no pointers are involved.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    arch.cpuinfo(count.max(1) as usize)
}

/// `struct prctl_mm_map` of the kernel's UAPI `linux/prctl.h`.
#[repr(C)]
struct PrctlMmMap {
    start_code: u64,
    end_code: u64,
    start_data: u64,
    end_data: u64,
    start_brk: u64,
    brk: u64,
    start_stack: u64,
    arg_start: u64,
    arg_end: u64,
    env_start: u64,
    env_end: u64,
    auxv: u64,
    auxv_size: u32,
    exe_fd: u32,
}

/// Tells the host kernel where the guest's image, arguments and environment are: `ps` and `/proc/PID/cmdline` then show
/// the program. A kernel that refuses costs only that.
pub fn tell_kernel(mm: &Mm) {
    let mut image = mm.lock().image.clone();
    for range in [&mut image.code, &mut image.data, &mut image.args, &mut image.env] {
        *range = mm.host_addr(range.start)..mm.host_addr(range.end);
    }
    image.start_stack = mm.host_addr(image.start_stack);
    // The C library of the emulator goes on using its own brk area.
    let Some((start_brk, brk)) = own_brk() else { return };
    let mut auxv = image.auxv;
    // The kernel's vector is of fixed size, and it wants an end.
    auxv.truncate(40 * 8);
    let map = PrctlMmMap {
        start_code: image.code.start,
        end_code: image.code.end,
        start_data: image.data.start,
        end_data: image.data.end,
        start_brk,
        brk,
        start_stack: image.start_stack,
        arg_start: image.args.start,
        arg_end: image.args.end,
        env_start: image.env.start,
        env_end: image.env.end,
        auxv: auxv.as_ptr() as u64,
        auxv_size: auxv.len() as u32,
        exe_fd: u32::MAX,
    };
    const PR_SET_MM_MAP: u64 = 14;
    let args =
        [libc::PR_SET_MM as u64, PR_SET_MM_MAP, &raw const map as u64, size_of::<PrctlMmMap>() as u64, 0, 0];
    let _ = raw_syscall(libc::SYS_prctl, args);
}

/// The end of the emulator's own brk area when it began.
static FIRST_BRK: AtomicU64 = AtomicU64::new(0);

fn own_brk_now() -> u64 {
    // SAFETY: moves nothing.
    unsafe { libc::sbrk(0) as u64 }
}

/// Notes where the emulator's own brk area is, before much is in it: the kernel only tells where it began in a file that
/// takes long to write. What the C library has there already is never given back.
pub fn note_own_brk() {
    FIRST_BRK.store(own_brk_now(), Ordering::Relaxed);
}

fn own_brk() -> Option<(u64, u64)> {
    let first = FIRST_BRK.load(Ordering::Relaxed);
    (first != 0).then(|| (first, own_brk_now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_paths_are_recognised_in_all_spellings() {
        let is = |path: &str| view(path.as_bytes(), 100, |tid| tid == 101);
        assert_eq!(is("/proc/self/exe"), Some(View::Exe));
        assert_eq!(is("/proc/100/maps"), Some(View::Maps));
        assert_eq!(is("/proc/101/maps"), Some(View::Maps));
        assert_eq!(is("/proc/thread-self/maps"), Some(View::Maps));
        assert_eq!(is("/proc/self/task/101/smaps"), Some(View::Smaps));
        assert_eq!(is("/proc/cpuinfo"), Some(View::CpuInfo));
        assert_eq!(is("/proc/self/task/7/smaps"), None);
        assert_eq!(is("/proc/99/maps"), None);
        assert_eq!(is("/proc/self/exe/x"), None);
        assert_eq!(is("/proc/self/status"), Some(View::Status));
        assert_eq!(is("/proc/self/stat"), None);
    }

    #[test]
    fn maps_show_only_the_guests_memory_with_its_rights() {
        let mm = Mm::new(crate::guest_mem::GuestMem::new(0, 1 << 47), 0);
        let anon = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
        let addr = mm.mmap(0, 0x3000, prot::READ | prot::WRITE, anon, -1, 0).unwrap();
        mm.mprotect(addr + 0x1000, 0x1000, prot::READ | prot::EXEC).unwrap();
        let text = String::from_utf8(maps(&mm)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(
            lines[1].trim_end(),
            format!("{:08x}-{:08x} r-xp 00000000 00:00 0", addr + 0x1000, addr + 0x2000)
        );
        assert!(String::from_utf8(smaps(&mm)).unwrap().contains("Rss:"));
        mm.clear();
    }
}
