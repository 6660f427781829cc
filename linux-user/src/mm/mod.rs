//! Guest address space: which ranges are the guest's, with which rights, and the host mappings that back them.
//!
//! Input: the loader's plan and the guest's mmap family; output: host mappings, the map behind `/proc/self/maps`, code
//! bytes for the translator, and the news that translated code is stale. What must hold:
//!
//! 1. A page is in the map if and only if the guest owns it. Host pages that are in no map are the emulator's (or
//!    nobody's) and are never unmapped, replaced, advised or locked for the guest.
//! 2. Guest PROT_EXEC is never host PROT_EXEC: executable guest pages are readable host pages.
//! 3. The lock is held over host call and map update, and never while the translator is told of stale code (it fetches
//!    code under its own lock): first the mapping changes, then the code goes.

mod advice;
mod code_pages;
mod map;
mod memory;
mod range_map;
mod seal;
pub mod shown;
mod window;

pub use code_pages::Writing;
pub use range_map::RangeMap;
pub use window::find_window;

use crate::errno::{Errno, SysResult};
use crate::guest_mem::{GuestAddr, GuestMem};
use crate::sys::{raw_syscall, uaccess};
use engine::robust::Mutex;
use std::ops::Range;
use std::sync::OnceLock;

/// Guest page size, and the host's.
pub const PAGE: u64 = 4096;

/// `PROT_*` bits that the guest sees.
pub mod prot {
    /// PROT_READ.
    pub const READ: u32 = 1;
    /// PROT_WRITE.
    pub const WRITE: u32 = 2;
    /// PROT_EXEC.
    pub const EXEC: u32 = 4;
    /// PROT_SEM: accepted and without effect.
    pub const SEM: u32 = 8;
    /// PROT_GROWSDOWN: mprotect extends to the start of a growing mapping.
    pub const GROWSDOWN: u32 = 0x0100_0000;
    /// PROT_GROWSUP: no Linux host of ours has such mappings.
    pub const GROWSUP: u32 = 0x0200_0000;
    /// What all architectures know.
    pub const ACCESS: u32 = READ | WRITE | EXEC;
}

/// What a guest mapping is for, as `/proc/self/maps` names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// As the host names it: a file or anonymous memory.
    Plain,
    /// The brk area.
    Heap,
    /// The first thread's stack.
    Stack,
    /// The guest's vDSO.
    Vdso,
}

/// One range of guest memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Mapping {
    /// Guest rights: `prot::ACCESS` and the architecture's extra bits.
    pub prot: u32,
    /// Shared with other processes (MAP_SHARED).
    pub shared: bool,
    /// A System V segment: the address at which it was attached.
    pub shm: Option<u64>,
    /// What it is for.
    pub kind: Kind,
    /// `mseal`: it stays as it is until the process ends or execs.
    pub sealed: bool,
}

impl Mapping {
    /// Private memory of the given rights.
    pub const fn private(prot: u32, kind: Kind) -> Mapping {
        Mapping { prot, shared: false, shm: None, kind, sealed: false }
    }

    fn executable(&self) -> bool {
        self.prot & prot::EXEC != 0
    }
}

/// Host rights for guest rights (invariant 2).
pub const fn host_prot(guest: u32) -> u32 {
    let access = guest & (prot::READ | prot::WRITE);
    if guest & prot::EXEC != 0 { access | prot::READ } else { access }
}

/// Tells the translator that code in a range (start, length) is stale.
pub type StaleCode = Box<dyn Fn(u64, u64) + Send + Sync>;

/// What identifies a file as it is now: device, inode, size, times of change in nanoseconds.
pub type FileId = [u64; 5];

/// Told of each private executable mapping of a file: its range, the file, the offset in it.
pub type NewCode = Box<dyn Fn(Range<u64>, FileId, u64) + Send + Sync>;

/// Who is told of new code, or what is to be told before anybody listens.
enum CodeNews {
    Waiting(Vec<(Range<u64>, FileId, u64)>),
    Told(NewCode),
    Nobody,
}

/// Everything under the lock.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// The guest's memory.
    pub map: RangeMap<Mapping>,
    /// Start and current end of the brk area.
    pub brk: Range<u64>,
    /// Guest addresses of program, stack, arguments and environment.
    pub image: ImageLayout,
    /// Pages that are write-protected for translations.
    pub code: code_pages::CodePages,
}

/// What `/proc/self/stat`, `cmdline`, `environ` and `auxv` tell about the image. Guest addresses.
#[derive(Clone, Debug, Default)]
pub struct ImageLayout {
    /// Executable segments: lowest start to highest end.
    pub code: Range<u64>,
    /// Writable segments.
    pub data: Range<u64>,
    /// Stack pointer at entry.
    pub start_stack: u64,
    /// Argument strings.
    pub args: Range<u64>,
    /// Environment strings.
    pub env: Range<u64>,
    /// The auxiliary vector as the guest got it.
    pub auxv: Vec<u8>,
    /// The vDSO, or an empty range.
    pub vdso: Range<u64>,
    /// The main stack's reserved range.
    pub stack: Range<u64>,
}

/// A guest address space, shared by the tasks of CLONE_VM.
pub struct Mm {
    mem: GuestMem,
    /// Rights that the architecture adds to `prot::ACCESS` (such as branch-target marks).
    extra_prot: u32,
    layout: Mutex<Box<Layout>>,
    stale: OnceLock<StaleCode>,
    news: Mutex<CodeNews>,
    /// Where the vDSO makes calls of its own.
    vdso: OnceLock<Range<u64>>,
    /// Where the search for places begins (guests behind a base).
    top: std::sync::atomic::AtomicU64,
    /// READ_IMPLIES_EXEC of the personality.
    read_implies_exec: std::sync::atomic::AtomicBool,
    /// The host kernel would choose places outside.
    chooses_places: bool,
    /// MAP_32BIT means here what it means on the host.
    has_low_flag: bool,
    /// Some mapping has or had one of the extra rights.
    marked: std::sync::atomic::AtomicBool,
    /// Code may change by stores.
    watched: std::sync::atomic::AtomicBool,
    /// Some page was write-protected for that.
    any_held: std::sync::atomic::AtomicBool,
}

impl Mm {
    /// An empty address space. `extra_prot`: see [`Mapping::prot`].
    pub fn new(mem: GuestMem, extra_prot: u32) -> Mm {
        Mm {
            mem,
            extra_prot,
            layout: Mutex::new(Box::default()),
            stale: OnceLock::new(),
            news: Mutex::new(CodeNews::Waiting(Vec::new())),
            vdso: OnceLock::new(),
            top: mem.limit().into(),
            read_implies_exec: false.into(),
            chooses_places: mem.base() != 0,
            has_low_flag: false,
            marked: false.into(),
            watched: false.into(),
            any_held: false.into(),
        }
    }

    /// The address space ends below the host's (`-R`): places in it are chosen here.
    pub fn bounded(mut self) -> Mm {
        self.chooses_places = true;
        self
    }

    /// MAP_32BIT is a flag of the guest's too.
    pub fn with_low_flag(mut self) -> Mm {
        self.has_low_flag = true;
        self
    }

    /// Fault-safe access to the guest's memory.
    pub fn mem(&self) -> GuestMem {
        self.mem
    }

    /// Sets who is told of stale code. Once, before guest code runs.
    pub fn on_stale_code(&self, stale: StaleCode) {
        if self.stale.set(stale).is_err() {
            unreachable!("the translator is bound once");
        }
    }

    /// Sets who is told of new code of files, from now on and so far; `None` if nobody wants to know.
    pub fn on_new_code(&self, told: Option<NewCode>) {
        let mut news = self.news.lock();
        if let (CodeNews::Waiting(waiting), Some(tell)) = (&mut *news, &told) {
            for (range, id, offset) in waiting.drain(..) {
                tell(range, id, offset);
            }
        }
        *news = told.map_or(CodeNews::Nobody, CodeNews::Told);
    }

    /// The news held still, so that a fork copies them whole. Who tells them takes the translator's lock under this one.
    pub fn freeze_news(&self) -> impl Drop + '_ {
        self.news.lock()
    }

    /// A private executable mapping of `fd` was made. The layout's lock must be free.
    fn new_code(&self, range: Range<u64>, fd: i32, offset: u64) {
        let mut news = self.news.lock();
        if matches!(*news, CodeNews::Nobody) {
            return;
        }
        let Some(id) = file_id(fd) else { return };
        match &mut *news {
            CodeNews::Waiting(waiting) => waiting.push((range, id, offset)),
            CodeNews::Told(tell) => tell(range, id, offset),
            CodeNews::Nobody => {}
        }
    }

    /// Says where the part of the vDSO is whose calls nobody sees. Once.
    pub fn set_vdso(&self, range: Range<u64>) {
        let _ = self.vdso.set(range);
    }

    /// Where that is; empty without one.
    pub fn vdso(&self) -> Range<u64> {
        self.vdso.get().cloned().unwrap_or_default()
    }

    /// True if `pc` is there.
    pub fn in_vdso(&self, pc: u64) -> bool {
        self.vdso.get().is_some_and(|range| range.contains(&pc))
    }

    /// Sets READ_IMPLIES_EXEC: mappings that can be read can be executed.
    pub fn set_read_implies_exec(&self, on: bool) {
        self.read_implies_exec.store(on, std::sync::atomic::Ordering::Relaxed);
    }

    /// The map and the image's addresses, locked. A fork takes this lock so that the child finds it free and whole.
    pub fn lock(&self) -> shown::LayoutGuard<'_> {
        let guard = self.layout.lock();
        shown::LayoutGuard::new(guard, self.mem.base())
    }

    /// Frees what a process that died by itself had locked, by the name it had. It changes no layout but as a whole.
    pub fn reclaim(&self, dead: u32) {
        if let Some(guard) = self.layout.reclaim(dead) {
            shown::mend();
            drop(guard);
        }
    }

    /// The mapping that holds `addr`.
    pub fn find(&self, addr: GuestAddr) -> Option<(Range<u64>, Mapping)> {
        self.lock().map.get(addr).map(|(range, mapping)| (range, *mapping))
    }

    /// True if all of a range is mapped.
    pub fn is_mapped(&self, addr: GuestAddr, len: u64) -> bool {
        self.checked(addr, len).is_ok_and(|range| self.lock().map.gaps(range).is_empty())
    }

    /// SEGV_MAPERR (1) or SEGV_ACCERR (2) for a faulting address.
    pub fn fault_code(&self, addr: GuestAddr) -> i32 {
        if self.find(addr).is_some() { 2 } else { 1 }
    }

    /// Copies code bytes at `addr`: as many as are executable and readable.
    pub fn fetch_code(&self, addr: GuestAddr, buf: &mut [u8]) -> usize {
        self.copy_code(addr, buf, false).0
    }

    /// The same for a translation, which will be told when they change; whether it has to look for that itself.
    pub(super) fn hold_and_fetch(&self, addr: GuestAddr, buf: &mut [u8]) -> (usize, bool) {
        self.copy_code(addr, buf, true)
    }

    fn copy_code(&self, addr: GuestAddr, buf: &mut [u8], hold: bool) -> (usize, bool) {
        let (mut len, mut changing) = (0u64, false);
        {
            let mut layout = self.lock();
            let mut end = addr.saturating_add(buf.len() as u64);
            // Only a look at the layout, if it can be.
            if hold && self.watched.load(std::sync::atomic::Ordering::Relaxed) {
                (end, changing) = self.hold_code(&mut layout, addr..end);
            }
            for (range, mapping) in layout.map.overlapping(addr..end) {
                if range.start != addr + len || !mapping.executable() {
                    break;
                }
                len = range.end.min(end) - addr;
            }
        }
        let host = self.host_addr(addr);
        let len = len as usize;
        (len - uaccess::copy_from(&mut buf[..len], host), changing)
    }

    /// Says that the guest asked for translations of a range to be dropped (cache maintenance calls).
    pub fn invalidate_code(&self, start: GuestAddr, len: u64) {
        if let Some(stale) = self.stale.get() {
            stale(start, len);
        }
    }

    /// Drops the translations of what was executable in `old`. The lock must be free (invariant 3).
    fn drop_code(&self, old: &[(Range<u64>, Mapping)]) {
        for (range, mapping) in old {
            if mapping.executable() {
                self.forget_code(range.clone());
                self.invalidate_code(range.start, range.end - range.start);
            }
        }
    }

    /// A range that lies in the guest's space.
    fn checked(&self, addr: GuestAddr, len: u64) -> Result<Range<u64>, Errno> {
        match addr.checked_add(len) {
            Some(end) if end <= self.mem.limit() => Ok(addr..end),
            _ => Err(Errno::ENOMEM),
        }
    }

    /// The host address of a guest address.
    pub fn host_addr(&self, addr: GuestAddr) -> u64 {
        addr.wrapping_add(self.mem.base())
    }
}

/// The identity of a regular file.
fn file_id(fd: i32) -> Option<FileId> {
    // SAFETY: zero is a valid value of this plain structure, and the kernel fills it.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    raw_syscall(libc::SYS_fstat, [fd as u64, &raw mut stat as u64, 0, 0, 0, 0]).ok()?;
    let nanoseconds = |s: i64, n: i64| (s as u64).wrapping_mul(1_000_000_000).wrapping_add(n as u64);
    (stat.st_mode & libc::S_IFMT == libc::S_IFREG).then_some([
        stat.st_dev,
        stat.st_ino,
        stat.st_size as u64,
        nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
    ])
}

/// Rounds up to pages; none if that overflows.
pub fn page_up(len: u64) -> Option<u64> {
    Some(len.checked_add(PAGE - 1)? & !(PAGE - 1))
}

fn sys_mmap(addr: u64, len: u64, prot: u32, flags: u64, fd: i32, offset: u64) -> SysResult {
    raw_syscall(libc::SYS_mmap, [addr, len, u64::from(prot), flags, fd as i64 as u64, offset])
}

fn sys_munmap(addr: u64, len: u64) {
    // What is unmapped here was mapped by us: the only possible failure is a host out of mappings, and then the memory
    // stays, which is harmless.
    let _ = raw_syscall(libc::SYS_munmap, [addr, len, 0, 0, 0, 0]);
}

#[cfg(test)]
mod tests;
