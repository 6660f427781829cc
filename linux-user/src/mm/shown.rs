//! The guest's map as other emulated processes read it, for their view of our `/proc` files.
//!
//! A static says where the entries are and counts changes: odd while one is made. A reader of the same build finds the
//! static at the same distance from the image's start, copies the entries with `process_vm_readv` (the kernel decides
//! whether it may) and keeps the copy if the count has not moved.

use super::range_map::Entry;
use super::{Kind, Layout, Mapping};
use crate::host_signal::image_base;
use crate::sys::raw_syscall;
use std::mem::offset_of;
use std::ops::{Deref, DerefMut, Range};
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU64, Ordering};

/// Count of changes, address and number of entries, the guest's base.
static SHOWN: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
const COUNT: usize = 0;
const LIST: usize = 1;
const LENGTH: usize = 2;
const BASE: usize = 3;

/// More entries than Linux allows mappings by default.
const MOST: u64 = 1 << 20;

/// The locked layout; a change of it is shown when the lock is given up.
pub struct LayoutGuard<'a> {
    guard: MutexGuard<'a, Layout>,
    base: u64,
    changed: bool,
}

impl<'a> LayoutGuard<'a> {
    pub(super) fn new(guard: MutexGuard<'a, Layout>, base: u64) -> LayoutGuard<'a> {
        LayoutGuard { guard, base, changed: false }
    }
}

impl Deref for LayoutGuard<'_> {
    type Target = Layout;

    fn deref(&self) -> &Layout {
        &self.guard
    }
}

impl DerefMut for LayoutGuard<'_> {
    fn deref_mut(&mut self) -> &mut Layout {
        if !self.changed {
            self.changed = true;
            SHOWN[COUNT].fetch_add(1, Ordering::AcqRel);
        }
        &mut self.guard
    }
}

impl Drop for LayoutGuard<'_> {
    fn drop(&mut self) {
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

/// The map of a process that runs under this very emulator, whose image begins at `image` there.
pub fn of_process(pid: i32, image: u64) -> Option<Theirs> {
    let at = image.wrapping_add((SHOWN.as_ptr() as u64).wrapping_sub(image_base()));
    let header = || {
        let mut words = [0u64; 4];
        read_other(pid, at, bytemuck::cast_slice_mut(&mut words))?;
        Some(words)
    };
    // A process that changes its map all the time is read at some moment all the same.
    for _ in 0..1000 {
        let before = header()?;
        let length = before[LENGTH];
        if before[COUNT] % 2 != 0 || length > MOST {
            continue;
        }
        let size = size_of::<Entry<Mapping>>();
        let mut raw = vec![0u8; length as usize * size];
        let read = raw.is_empty() || read_other(pid, before[LIST], &mut raw).is_some();
        if header()? == before && read {
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
            let theirs = of_process(std::process::id() as i32, image_base());
            let want = [
                (addr..addr + 0x1000, prot::READ, Kind::Plain),
                (addr + 0x1000..addr + 0x2000, prot::READ | prot::EXEC, Kind::Plain),
                (addr + 0x2000..addr + 0x3000, prot::READ | prot::WRITE, Kind::Plain),
            ];
            theirs.is_some_and(|theirs| theirs.base == 0 && theirs.parts == want)
        });
        assert!(found);
        mm.clear();
    }
}
