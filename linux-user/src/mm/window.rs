//! Address spaces that lie behind a base: where 32-bit guests live, and how places in them are chosen.
//!
//! Nothing is reserved: the window is a stretch of host addresses where the host kernel puts nothing by itself, so that it
//! costs no address space (`ulimit -v`), and a page of it is mapped if and only if the guest has it. Places are chosen
//! here, downwards from the top, because the host kernel would choose any.

use super::map::{MAP_FIXED_NOREPLACE, Reserved, sys_mremap};
use super::{Layout, Mm, PAGE, sys_mmap, sys_munmap};
use crate::errno::{Errno, SysResult};
use std::ops::Range;

/// `vm.mmap_min_addr`: nothing is mapped below.
pub const MIN_ADDR: u64 = 64 << 10;
/// What a window takes: four gibibytes, and room after them for accesses that begin at their end.
const SIZE: u64 = 5 << 30;
/// Host addresses where windows lie. Programs and libraries of the host, its stacks and heaps are at the top of its space, or
/// (without a limit of stacks) go upwards from a third of it.
const ROOM: Range<u64> = 1 << 36..1 << 44;
/// How often an occupied place is tried elsewhere.
const TRIES: u32 = 4096;

/// A free window's base, from the one with this number on. It is the same for all processes unless something is there, so
/// that they can reach each other's memory (ptrace); what is random is where things are inside.
pub fn find_window(first: u64) -> Result<u64, Errno> {
    let slots = (ROOM.end - ROOM.start) / SIZE;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let taken: Vec<Range<u64>> = maps
        .lines()
        .filter_map(|line| line.split(' ').next()?.split_once('-'))
        .filter_map(|(a, b)| Some(u64::from_str_radix(a, 16).ok()?..u64::from_str_radix(b, 16).ok()?))
        .collect();
    (0..slots)
        .map(|n| ROOM.start + first.wrapping_add(n) % slots * SIZE)
        .find(|base| taken.iter().all(|r| r.end <= *base || r.start >= base + SIZE))
        .ok_or(Errno::ENOMEM)
}

impl Mm {
    /// True if places are chosen here: guest addresses are not host addresses, or end below them.
    pub fn windowed(&self) -> bool {
        self.chooses_places
    }

    /// Moves the place below which places are chosen: address space randomisation. Before anything is mapped.
    pub fn randomize_top(&self, random: u64) {
        const BITS: u32 = 11;
        let pages = random & ((1 << BITS) - 1);
        self.top.store(self.mem.limit() - pages * PAGE, std::sync::atomic::Ordering::Relaxed);
    }

    /// Calls `map` with the host address of a free place of `len` bytes: the hint's, if that is free, else the highest. What
    /// the map of the guest does not know (guards) answers EEXIST, and the search goes on below.
    pub(super) fn place(
        &self,
        layout: &Layout,
        hint: u64,
        len: u64,
        align: u64,
        map: impl Fn(u64) -> SysResult,
    ) -> SysResult {
        let top = self.top.load(std::sync::atomic::Ordering::Relaxed);
        if len > top - MIN_ADDR {
            return Err(Errno::ENOMEM);
        }
        if hint >= MIN_ADDR && hint <= self.mem.limit() - len && is_free(layout, hint..hint + len) {
            match map(self.host_addr(hint)) {
                Err(Errno::EEXIST) => {}
                result => return result,
            }
        }
        let mut below = top;
        let mut tries = 0;
        // The brk area grows upwards: the first gibibyte of its way is taken last.
        let heap = layout.brk.end..layout.brk.end.saturating_add(1 << 30).min(top);
        for pass in 0..2 {
            while tries < TRIES {
                let Some(start) = highest_gap(layout, below, len, align) else { break };
                if pass == 0 && layout.brk.end != 0 && start < heap.end && start + len > heap.start {
                    if start < heap.start {
                        break;
                    }
                    below = heap.start.min(start + len - PAGE);
                    continue;
                }
                match map(self.host_addr(start)) {
                    Err(Errno::EEXIST) => below = start + len - PAGE,
                    result => return result,
                }
                tries += 1;
            }
            below = top;
        }
        Err(Errno::ENOMEM)
    }

    /// mremap without a place of the guest's choice: where it is, or where there is room.
    pub(super) fn remap_in_window(
        &self,
        layout: &Layout,
        old: Range<u64>,
        new_len: u64,
        flags: u64,
    ) -> SysResult {
        const MAYMOVE: u64 = 1;
        const FIXED: u64 = 2;
        const DONTUNMAP: u64 = 4;
        let (host, old_len) = (self.host_addr(old.start), old.end - old.start);
        let room = old.start + new_len;
        // The host kernel must not let it grow over the end of the window.
        if flags & DONTUNMAP == 0 && old_len > 0 && room <= self.mem.limit() {
            let beyond = old.end..room.max(old.end);
            if beyond.is_empty() || is_free(layout, beyond) {
                match sys_mremap(host, old_len, new_len, 0, 0) {
                    Err(Errno::ENOMEM) => {}
                    result => return result,
                }
            }
        }
        if flags & MAYMOVE == 0 {
            return Err(Errno::ENOMEM);
        }
        self.place(layout, 0, new_len, PAGE, |to| {
            let reserve = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as u64;
            let got = sys_mmap(to, new_len, 0, reserve | MAP_FIXED_NOREPLACE, -1, 0)?;
            if got != to {
                sys_munmap(got, new_len);
                return Err(Errno::EEXIST);
            }
            let reserved = Reserved(vec![(to, new_len)]);
            let moved = sys_mremap(host, old_len, new_len, flags | FIXED, to)?;
            reserved.keep();
            Ok(moved)
        })
    }
}

fn is_free(layout: &Layout, range: Range<u64>) -> bool {
    layout.map.overlapping(range).next().is_none()
}

/// The start of the highest free stretch of `len` bytes that ends at or below `below`.
fn highest_gap(layout: &Layout, below: u64, len: u64, align: u64) -> Option<u64> {
    let gaps = layout.map.gaps(MIN_ADDR..below.max(MIN_ADDR));
    gaps.iter().rev().find_map(|gap| {
        let start = gap.end.checked_sub(len)? & !(align - 1);
        (start >= gap.start).then_some(start)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest_mem::GuestMem;
    use crate::mm::prot;
    use std::sync::atomic::{AtomicU64, Ordering};

    const ANON: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    const RW: u32 = prot::READ | prot::WRITE;

    fn window() -> Mm {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let base = find_window(NEXT.fetch_add(1, Ordering::Relaxed)).unwrap();
        Mm::new(GuestMem::new(base, 0xffff_f000), 0)
    }

    #[test]
    fn places_are_chosen_downwards_and_hints_are_taken() {
        let mm = window();
        let a = mm.mmap(0, 0x3000, RW, ANON, -1, 0).unwrap();
        assert_eq!(a, 0xffff_f000 - 0x3000);
        assert_eq!(mm.mmap(0, 0x1000, RW, ANON, -1, 0), Ok(a - 0x1000));
        assert_eq!(mm.mmap(0x50_0000, 0x1000, RW, ANON, -1, 0), Ok(0x50_0000));
        // Taken: elsewhere.
        assert_eq!(mm.mmap(0x50_0000, 0x1000, RW, ANON, -1, 0), Ok(a - 0x2000));
        mm.munmap(a, 0x3000).unwrap();
        assert_eq!(mm.mmap(0, 0x2000, RW, ANON, -1, 0), Ok(a + 0x1000));
        mm.clear();
    }

    #[test]
    fn nothing_lies_below_the_least_address_or_above_the_end() {
        let mm = window();
        let fixed = ANON | libc::MAP_FIXED as u64;
        assert_eq!(mm.mmap(0x1000, 0x1000, RW, fixed, -1, 0), Err(Errno::EPERM));
        assert_eq!(mm.mmap(0xffff_f000, 0x1000, RW, fixed, -1, 0), Err(Errno::ENOMEM));
        assert_eq!(mm.mmap(MIN_ADDR, 0x1000, RW, fixed, -1, 0), Ok(MIN_ADDR));
        assert!(mm.mmap(0, 0xffff_f000, RW, ANON, -1, 0).is_err());
        mm.clear();
    }

    #[test]
    fn mremap_moves_inside_the_window() {
        let mm = window();
        let a = mm.mmap(0x100_0000, 0x1000, RW, ANON, -1, 0).unwrap();
        mm.mem().write(a, &77u32).unwrap();
        // Room behind it: it stays.
        assert_eq!(mm.mremap(a, 0x1000, 0x3000, 1, 0), Ok(a));
        mm.mmap(a + 0x3000, 0x1000, RW, ANON | libc::MAP_FIXED as u64, -1, 0).unwrap();
        assert_eq!(mm.mremap(a, 0x3000, 0x5000, 0, 0), Err(Errno::ENOMEM));
        let b = mm.mremap(a, 0x3000, 0x5000, 1, 0).unwrap();
        assert!(b != a && b < 1 << 32);
        assert_eq!(mm.mem().read::<u32>(b), Ok(77));
        assert!(!mm.is_mapped(a, 1));
        mm.clear();
    }
}
