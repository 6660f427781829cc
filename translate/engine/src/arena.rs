//! The code arena: one executable mapping per process, filled from the bottom, emptied as a whole.

use crate::sys::Mapping;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// Host code is installed at multiples of this.
const ALIGN: usize = 16;
/// The arena's pages are made present so many bytes at a time: a fault each costs several times as much.
const STEP: usize = 64 << 10;

/// The arena. The runtime entries stay at its bottom for ever.
pub(crate) struct Arena {
    map: Mapping,
    kept: usize,
    used: usize,
    /// Pages below this are present.
    present: usize,
}

impl Arena {
    pub fn new(len: usize) -> io::Result<Arena> {
        Ok(Arena { map: Mapping::new(len, true)?, kept: 0, used: 0, present: 0 })
    }

    /// Host address range of the whole arena.
    pub fn range(&self) -> std::ops::Range<u64> {
        let b = self.map.base() as u64;
        b..b + self.map.size() as u64
    }

    /// Copies `bytes` in; `None` when full.
    pub fn install(&mut self, bytes: &[u8]) -> Option<u64> {
        let at = self.used.next_multiple_of(ALIGN);
        if at + bytes.len() > self.map.size() {
            return None;
        }
        self.used = at + bytes.len();
        if self.used > self.present {
            let len = (self.used - self.present).next_multiple_of(STEP);
            self.map.populate(self.present, len);
            self.present += len;
        }
        // SAFETY: [at, at + len) is inside the mapping and no code that runs lies there: it is above `used`.
        unsafe {
            let dst = self.map.base().add(at);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), dst, bytes.len());
            Some(dst as u64)
        }
    }

    /// Installed code that nothing leads to yet, to be changed.
    pub fn fresh(&mut self, at: u64, len: usize) -> &mut [u8] {
        let r = self.range();
        assert!(at >= r.start && at + len as u64 <= r.start + self.used as u64, "installed code");
        // SAFETY: the range is installed, and as nothing leads there no thread runs or patches it.
        unsafe { std::slice::from_raw_parts_mut(at as *mut u8, len) }
    }

    /// Copies installed code to the end of `to`.
    pub fn read(&self, code: &std::ops::Range<u64>, to: &mut Vec<u8>) {
        let r = self.range();
        assert!(code.start >= r.start && code.end <= r.start + self.used as u64, "installed code");
        // SAFETY: the range is installed; writers of single fields hold the translation lock, as our caller does.
        to.extend_from_slice(unsafe {
            std::slice::from_raw_parts(code.start as *const u8, (code.end - code.start) as usize)
        });
    }

    /// The 4-byte aligned field at `addr`.
    pub fn read32(&self, addr: u64) -> u32 {
        assert!(self.range().contains(&addr) && addr.is_multiple_of(4), "an aligned field of the arena");
        // SAFETY: as in `patch32`.
        unsafe { AtomicU32::from_ptr(addr as *mut u32) }.load(Ordering::Acquire)
    }

    /// What is installed now survives [`Arena::clear`].
    pub fn keep(&mut self) {
        self.kept = self.used;
    }

    /// Forgets everything but the kept part. No thread may be in translated code.
    pub fn clear(&mut self) {
        self.used = self.kept;
    }

    /// Atomically replaces the 4-byte aligned field at `addr`, which other threads may be executing.
    pub fn patch32(&self, addr: u64, value: u32) {
        assert!(
            self.range().contains(&addr) && addr.is_multiple_of(4),
            "patches are aligned fields of the arena"
        );
        // SAFETY: aligned, inside our mapping, accessed atomically by all writers; the CPU fetches an aligned
        // 4-byte field whole.
        unsafe { AtomicU32::from_ptr(addr as *mut u32) }.store(value, Ordering::Release);
    }

    /// Atomically replaces the 8-byte aligned datum at `addr`.
    pub fn patch64(&self, addr: u64, value: u64) {
        assert!(
            self.range().contains(&addr) && addr.is_multiple_of(8),
            "patches are aligned fields of the arena"
        );
        // SAFETY: as in `patch32`.
        unsafe { std::sync::atomic::AtomicU64::from_ptr(addr as *mut u64) }.store(value, Ordering::Release);
    }
}
