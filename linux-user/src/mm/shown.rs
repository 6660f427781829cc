//! The guest's map as other emulated processes read it, for their view of our `/proc` files.
//!
//! A static says where the entries are and counts changes: odd while one is made. An ELF note in each of our binaries says
//! where the static is; a reader, which may be another binary, finds it by that, copies the entries with
//! `process_vm_readv` (the kernel decides whether it may) and keeps the copy if the count has not moved.

use super::range_map::Entry;
use super::{Kind, Layout, Mapping};
use crate::sys::raw_syscall;
use engine::robust::{self, MutexGuard};
use std::arch::global_asm;
use std::fs::File;
use std::mem::offset_of;
use std::ops::{Deref, DerefMut, Range};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Count of changes, address and number of entries, the guest's base, address and length of the program's name.
static SHOWN: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];
const WORDS: usize = 6;
const COUNT: usize = 0;
const LIST: usize = 1;
const LENGTH: usize = 2;
const BASE: usize = 3;
const NAME: usize = 4;
const NAME_LENGTH: usize = 5;

// The note: its name, what the static looks like, and its distance from this word.
global_asm!(
    ".pushsection .note.omnirun, \"a\", @note",
    ".balign 4",
    ".long 8, 16, 1",
    ".asciz \"Omnirun\"",
    ".globl omnirun_shown_note",
    ".hidden omnirun_shown_note",
    "omnirun_shown_note:",
    ".quad {layout}",
    ".quad {shown} - .",
    ".popsection",
    layout = const LAYOUT,
    shown = sym SHOWN,
);

/// Readers and writers of another layout pass each other by.
const LAYOUT: u64 = {
    type E = Entry<Mapping>;
    let value = offset_of!(E, value);
    (size_of::<E>() as u64)
        | (value as u64) << 8
        | (offset_of!(Mapping, prot) as u64) << 16
        | (offset_of!(Mapping, kind) as u64) << 24
        | (WORDS as u64) << 32
};

unsafe extern "C" {
    static omnirun_shown_note: u8;
}

/// Shows the program's name, for `/proc/PID/exe`.
pub fn set_program(path: &Path) {
    // It stays for as long as the process lives.
    let name: &'static [u8] = Box::leak(path.as_os_str().as_encoded_bytes().into());
    // The note belongs to whoever is shown: the linker must not leave it out.
    std::hint::black_box(&raw const omnirun_shown_note);
    SHOWN[NAME].store(name.as_ptr() as u64, Ordering::Relaxed);
    SHOWN[NAME_LENGTH].store(name.len() as u64, Ordering::Release);
}

/// More entries than Linux allows mappings by default.
const MOST: u64 = 1 << 20;

/// The locked layout; a change of it is shown when the lock is given up. A process that may be killed by itself changes a
/// copy, which takes the layout's place by one store.
pub struct LayoutGuard<'a> {
    guard: MutexGuard<'a, Box<Layout>>,
    base: u64,
    changed: bool,
    copy: Option<Box<Layout>>,
}

impl<'a> LayoutGuard<'a> {
    pub(super) fn new(guard: MutexGuard<'a, Box<Layout>>, base: u64) -> LayoutGuard<'a> {
        LayoutGuard { guard, base, changed: false, copy: None }
    }
}

/// Somebody may have died while he changed what is shown.
pub(super) fn mend() {
    SHOWN[COUNT].fetch_add(SHOWN[COUNT].load(Ordering::Acquire) & 1, Ordering::AcqRel);
}

impl Deref for LayoutGuard<'_> {
    type Target = Layout;

    fn deref(&self) -> &Layout {
        self.copy.as_ref().unwrap_or(&self.guard)
    }
}

impl DerefMut for LayoutGuard<'_> {
    fn deref_mut(&mut self) -> &mut Layout {
        if !self.changed {
            self.changed = true;
            SHOWN[COUNT].fetch_add(1, Ordering::AcqRel);
            if robust::name() != robust::OURS {
                self.copy = Some(self.guard.clone());
            }
        }
        self.copy.as_mut().unwrap_or(&mut self.guard)
    }
}

impl Drop for LayoutGuard<'_> {
    fn drop(&mut self) {
        if let Some(copy) = self.copy.take() {
            let old = std::mem::replace(&mut *self.guard, copy);
            drop(old);
        }
        if self.changed {
            let entries = self.guard.map.entries();
            SHOWN[LIST].store(entries.as_ptr() as u64, Ordering::Relaxed);
            SHOWN[LENGTH].store(entries.len() as u64, Ordering::Relaxed);
            SHOWN[BASE].store(self.base, Ordering::Relaxed);
            SHOWN[COUNT].fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// A guest range with its rights and what it is for.
pub type Part = (Range<u64>, u32, Kind);

/// Another process's map and the base of its guest's addresses.
pub struct Theirs {
    /// Sorted.
    pub parts: Vec<Part>,
    /// Host address of guest address zero.
    pub base: u64,
}

fn read_other(pid: i32, addr: u64, out: &mut [u8]) -> Option<()> {
    let local = [out.as_mut_ptr() as u64, out.len() as u64];
    let remote = [addr, out.len() as u64];
    let args = [pid as u64, local.as_ptr() as u64, 1, remote.as_ptr() as u64, 1, 0];
    (raw_syscall(libc::SYS_process_vm_readv, args) == Ok(out.len() as u64)).then_some(())
}

/// Where the static is in a process that one of our binaries runs; none if it is something else.
fn locate(pid: i32) -> Option<u64> {
    let file = File::open(format!("/proc/{pid}/exe")).ok()?;
    let note = note_address(&file)?;
    let mut desc = [0u64; 2];
    let inode = file.metadata().ok()?.ino().to_string();
    let list = std::fs::read(format!("/proc/{pid}/maps")).ok()?;
    let list = String::from_utf8_lossy(&list);
    let mut vmas = list.lines().filter_map(crate::proc_view::host_vma);
    let image = vmas.find(|vma| vma.inode == inode && vma.offset == 0)?.range.start;
    let at = image.wrapping_add(note);
    read_other(pid, at, bytemuck::cast_slice_mut(&mut desc))?;
    (desc[0] == LAYOUT).then(|| at.wrapping_add(8).wrapping_add(desc[1]))
}

/// Where our note's contents are in a program file, as an address.
fn note_address(file: &File) -> Option<u64> {
    let mut head = [0; 64];
    file.read_exact_at(&mut head, 0).ok()?;
    let number = |bytes: &[u8], at: usize, len: usize| {
        bytes
            .get(at..at + len)
            .map(|raw| raw.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    };
    if head[..6] != *b"\x7fELF\x02\x01" {
        return None;
    }
    let (offset, count) = (number(&head, 32, 8)?, number(&head, 56, 2)? as usize);
    let mut table = vec![0; count * 56];
    file.read_exact_at(&mut table, offset).ok()?;
    const PT_NOTE: u64 = 4;
    for header in table.chunks_exact(56).filter(|header| number(header, 0, 4) == Some(PT_NOTE)) {
        let (at, address, size) = (number(header, 8, 8)?, number(header, 16, 8)?, number(header, 32, 8)?);
        let mut notes = vec![0; (size as usize).min(4096)];
        file.read_exact_at(&mut notes, at).ok()?;
        let mut pos = 0;
        while let (Some(name), Some(desc)) = (number(&notes, pos, 4), number(&notes, pos + 4, 4)) {
            let contents = pos + 12 + (name as usize).next_multiple_of(4);
            if desc == 16 && notes.get(pos + 12..contents) == Some(b"Omnirun\0") {
                return Some(address + contents as u64);
            }
            pos = contents + (desc as usize).next_multiple_of(4);
        }
    }
    None
}

fn header(pid: i32, at: u64) -> Option<[u64; WORDS]> {
    let mut words = [0u64; WORDS];
    read_other(pid, at, bytemuck::cast_slice_mut(&mut words))?;
    Some(words)
}

/// The program that a process runs under one of our binaries.
pub fn program_of(pid: i32) -> Option<PathBuf> {
    let words = header(pid, locate(pid)?)?;
    let mut name = vec![0; words[NAME_LENGTH].min(4096) as usize];
    if name.is_empty() {
        return None;
    }
    read_other(pid, words[NAME], &mut name)?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(name)))
}

/// The host address of guest address zero in a process under one of our binaries.
pub fn base_of(pid: i32) -> Option<u64> {
    Some(header(pid, locate(pid)?)?[BASE])
}

/// The map of a process that runs under one of our binaries.
pub fn of_process(pid: i32) -> Option<Theirs> {
    let at = locate(pid)?;
    // A process that changes its map all the time is read at some moment all the same.
    for _ in 0..1000 {
        let before = header(pid, at)?;
        let length = before[LENGTH];
        if before[COUNT] % 2 != 0 || length > MOST {
            continue;
        }
        let size = size_of::<Entry<Mapping>>();
        let mut raw = vec![0u8; length as usize * size];
        let read = raw.is_empty() || read_other(pid, before[LIST], &mut raw).is_some();
        if header(pid, at)? == before && read {
            let parts = raw.chunks_exact(size).map(part).collect::<Option<_>>()?;
            return Some(Theirs { parts, base: before[BASE] });
        }
    }
    None
}

/// One entry from its bytes, which are another process's and may be anything.
fn part(raw: &[u8]) -> Option<Part> {
    type E = Entry<Mapping>;
    let word = |at: usize| u64::from_ne_bytes(raw[at..at + 8].try_into().expect("8 bytes"));
    let value = offset_of!(E, value);
    let at = value + offset_of!(Mapping, prot);
    let prot = u32::from_ne_bytes(raw[at..at + 4].try_into().expect("4 bytes"));
    let kind = [Kind::Plain, Kind::Heap, Kind::Stack, Kind::Vdso]
        .into_iter()
        .find(|kind| *kind as u8 == raw[value + offset_of!(Mapping, kind)])?;
    Some((word(offset_of!(E, start))..word(offset_of!(E, end)), prot, kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest_mem::GuestMem;
    use crate::mm::{Mm, prot};

    #[test]
    fn a_map_is_found_and_read_as_another_process_would() {
        let mm = Mm::new(GuestMem::new(0, 1 << 47), 0);
        let anon = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
        let addr = mm.mmap(0, 0x3000, prot::READ | prot::WRITE, anon, -1, 0).unwrap();
        mm.mprotect(addr + 0x1000, 0x1000, prot::READ | prot::EXEC).unwrap();
        // Tests of other maps run beside this one, and the last change is the one that is shown.
        let found = (0..1000).any(|_| {
            mm.mprotect(addr, 0x1000, prot::READ).unwrap();
            set_program(Path::new("/bin/x"));
            let theirs = of_process(std::process::id() as i32);
            let want = [
                (addr..addr + 0x1000, prot::READ, Kind::Plain),
                (addr + 0x1000..addr + 0x2000, prot::READ | prot::EXEC, Kind::Plain),
                (addr + 0x2000..addr + 0x3000, prot::READ | prot::WRITE, Kind::Plain),
            ];
            theirs.is_some_and(|theirs| theirs.base == 0 && theirs.parts == want)
        });
        assert!(found);
        assert_eq!(program_of(std::process::id() as i32).as_deref(), Some(Path::new("/bin/x")));
        assert!(of_process(1).is_none(), "the first process is none of ours");
        mm.clear();
    }
}
