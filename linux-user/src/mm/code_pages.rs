//! Code that changes by ordinary stores: writable pages that translations were made from are write-protected on the host.
//!
//! Input: which code was fetched, faults of writes; output: host protection, and the news that translations are stale. A page
//! that faults often is left writable; translations of it compare the code with what they were made from. So do those of
//! shared memory, which other mappings and other processes may change. What must hold:
//!
//! 1. A page is protected before its bytes are copied for a translation, under the layout's lock, and made writable again
//!    under it before the translator hears that the code is stale: no change goes unseen.
//! 2. While somebody writes a page for the guest (a store by the interpreter, the kernel in a system call) it is not protected, so
//!    that the write succeeds however busily other threads run its code: what they translate meanwhile compares.
//! 3. The set may name pages that are writable on the host (after `mprotect`, `munmap`): then nobody faults there.

use super::{Layout, Mm, PAGE, host_prot, prot};
use crate::sys::raw_syscall;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// After this many faults a page is left alone,
const PATIENCE: u32 = 16;
/// where one fault in this time does not count: code that is made bit by bit should run at full speed afterwards.
const FORGIVEN: Duration = Duration::from_millis(20);
/// An instruction may reach this far into the next page.
const LONGEST: u64 = 16;

/// The pages of an address space, part of its layout.
#[derive(Clone, Debug, Default)]
pub struct CodePages {
    /// Write-protected for translations.
    held: BTreeSet<u64>,
    /// Faults that count, and when the last one was.
    faults: BTreeMap<u64, (u32, Instant)>,
    /// Left alone.
    unwatched: BTreeSet<u64>,
    /// Being written, how often at once.
    written: BTreeMap<u64, u32>,
}

impl CodePages {
    /// Whether translations of the page's code have to compare it.
    fn changes(&self, page: u64) -> bool {
        self.unwatched.contains(&page) || self.written.contains_key(&page)
    }
}

/// Code pages that are being written for the guest: writable until this is dropped.
pub struct Writing {
    mm: Arc<Mm>,
    pages: Vec<u64>,
}

impl Drop for Writing {
    fn drop(&mut self) {
        let written = &mut self.mm.lock().code.written;
        for page in &self.pages {
            match written.get_mut(page) {
                Some(n @ 2..) => *n -= 1,
                _ => drop(written.remove(page)),
            }
        }
    }
}

impl Mm {
    /// From now on code may change by stores.
    pub fn watch_code(&self) {
        self.watched.store(true, Ordering::Relaxed);
    }

    fn set_host(&self, page: u64, guest: u32) {
        let args = [self.host_addr(page), PAGE, u64::from(host_prot(guest)), 0, 0, 0];
        // Where it fails the mapping has just gone, and with it the code.
        let _ = raw_syscall(libc::SYS_mprotect, args);
    }

    /// Protects the writable pages of code that is about to be copied, and cuts the range so that few are: its end, and whether
    /// the translation has to look for changes.
    pub(super) fn hold_code(&self, layout: &mut Layout, range: Range<u64>) -> (u64, bool) {
        let mut changing = false;
        let first = range.start & !(PAGE - 1);
        let mut end = range.end;
        let mut page = first;
        while page < end {
            let Some((_, &mapping)) = layout.map.get(page) else { break };
            let writable = mapping.prot & prot::WRITE != 0;
            if writable || mapping.shared {
                // As little of changing memory as possible.
                end = end.min(if first + PAGE - range.start < LONGEST {
                    first + 2 * PAGE
                } else {
                    first + PAGE
                });
                if page >= end {
                    break;
                }
                if mapping.shared || layout.code.changes(page) {
                    changing = true;
                } else {
                    self.any_held.store(true, Ordering::Relaxed);
                    layout.code.held.insert(page);
                    self.set_host(page, mapping.prot & !prot::WRITE);
                }
            }
            page += PAGE;
        }
        (end.max(range.start), changing)
    }

    /// The memory of a range is another now: what was learned of the pages is forgotten.
    pub(super) fn forget_code(&self, range: Range<u64>) {
        if !self.watched.load(Ordering::Relaxed) {
            return;
        }
        let code = &mut self.lock().code;
        code.faults.retain(|page, _| !range.contains(page));
        code.unwatched.retain(|page| !range.contains(page));
    }

    /// A write at `addr` has failed: what holds the page open for another try, if it was only held off for translations. Those
    /// are gone now.
    pub fn release_code(self: &Arc<Mm>, addr: u64) -> Option<Writing> {
        if !self.watched.load(Ordering::Relaxed) {
            return None;
        }
        let page = addr & !(PAGE - 1);
        {
            let mut layout = self.lock();
            if !layout.code.held.contains(&page) || !self.open(&mut layout, page) {
                return None;
            }
            *layout.code.written.entry(page).or_default() += 1;
        }
        self.invalidate_code(page, PAGE);
        Some(Writing { mm: self.clone(), pages: vec![page] })
    }

    /// Makes a held page writable; false if the guest has no right to write.
    fn open(&self, layout: &mut Layout, page: u64) -> bool {
        let Some(guest) = layout.map.get(page).map(|(_, m)| m.prot) else { return false };
        if guest & prot::WRITE == 0 {
            return false;
        }
        layout.code.held.remove(&page);
        let now = Instant::now();
        let (faults, last) = layout.code.faults.entry(page).or_insert((0, now));
        let forgiven = now.duration_since(*last).as_millis() / FORGIVEN.as_millis();
        *faults = faults.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX)) + 1;
        *last = now;
        if *faults >= PATIENCE {
            layout.code.unwatched.insert(page);
        }
        self.set_host(page, guest);
        true
    }

    /// The kernel is about to write guest memory in these ranges: what keeps their code pages open. None if there are none.
    pub fn open_code(self: &Arc<Mm>, ranges: impl Iterator<Item = Range<u64>>) -> Option<Writing> {
        let mut pages = Vec::new();
        let mut stale = Vec::new();
        {
            let mut layout = self.lock();
            for range in ranges.filter(|r| !r.is_empty()) {
                let both = prot::WRITE | prot::EXEC;
                let code = layout.map.overlapping(range).filter(|(_, m)| m.prot & both == both && !m.shared);
                pages.extend(
                    code.flat_map(|(part, _)| (part.start & !(PAGE - 1)..part.end).step_by(PAGE as usize)),
                );
            }
            for &page in &pages {
                *layout.code.written.entry(page).or_default() += 1;
                if layout.code.held.contains(&page) && self.open(&mut layout, page) {
                    stale.push(page);
                }
            }
        }
        for page in stale {
            self.invalidate_code(page, PAGE);
        }
        (!pages.is_empty()).then(|| Writing { mm: self.clone(), pages })
    }

    /// Whether a page is or was held.
    pub fn holds_code(&self) -> bool {
        self.any_held.load(Ordering::Relaxed)
    }

    /// Releases every page: the host kernel failed to write for the guest. False if none was held.
    pub fn release_all_code(self: &Arc<Mm>) -> bool {
        if !self.holds_code() {
            return false;
        }
        let held: Vec<u64> = self.lock().code.held.iter().copied().collect();
        held.into_iter().fold(false, |any, page| self.release_code(page).is_some() | any)
    }
}
