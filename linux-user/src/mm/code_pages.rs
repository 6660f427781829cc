//! Code that changes by ordinary stores: writable pages that translations were made from are write-protected on the host.
//!
//! Input: which code was fetched, faults of writes; output: host protection, and the news that translations are stale. A page
//! that faults often is left writable; translations of it compare the code with what they were made from. What must hold:
//!
//! 1. A page is protected before its bytes are copied for a translation, under the layout's lock, and made writable again
//!    under it before the translator hears that the code is stale: no change goes unseen.
//! 2. The set may name pages that are writable on the host (after `mprotect`, `munmap`): then nobody faults there.

use super::{Layout, Mm, PAGE, host_prot, prot};
use crate::sys::raw_syscall;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::Ordering;

/// After this many faults a page is left alone.
const PATIENCE: u32 = 12;
/// An instruction may reach this far into the next page.
const LONGEST: u64 = 16;

/// The pages of an address space, part of its layout.
#[derive(Clone, Debug, Default)]
pub struct CodePages {
    /// Write-protected for translations.
    held: BTreeSet<u64>,
    /// Faults so far.
    faults: BTreeMap<u64, u32>,
    /// Left alone.
    unwatched: BTreeSet<u64>,
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

    /// Protects the writable pages of code that is about to be copied, and cuts the range so that few are.
    pub(super) fn hold_code(&self, layout: &mut Layout, range: Range<u64>) -> Range<u64> {
        if !self.watched.load(Ordering::Relaxed) {
            return range;
        }
        let first = range.start & !(PAGE - 1);
        let mut end = range.end;
        let mut page = first;
        while page < end {
            let writable = layout.map.get(page).is_some_and(|(_, m)| m.prot & prot::WRITE != 0);
            if writable {
                // As little of changing memory as possible.
                end = end.min(if first + PAGE - range.start < LONGEST {
                    first + 2 * PAGE
                } else {
                    first + PAGE
                });
                if page < end && !layout.code.unwatched.contains(&page) {
                    let guest = layout.map.get(page).map_or(0, |(_, m)| m.prot);
                    layout.code.held.insert(page);
                    self.set_host(page, guest & !prot::WRITE);
                }
            }
            page += PAGE;
        }
        range.start..end.max(range.start)
    }

    /// Whether translations of the code at `addr` must look for changes.
    pub(super) fn code_unwatched(&self, addr: u64) -> bool {
        self.watched.load(Ordering::Relaxed) && {
            let unwatched = &self.lock().code.unwatched;
            !unwatched.is_empty() && {
                let page = addr & !(PAGE - 1);
                unwatched.contains(&page) || unwatched.contains(&((addr + LONGEST) & !(PAGE - 1)))
            }
        }
    }

    /// A write at `addr` has failed: true if it was only held off for translations, which are gone now.
    pub fn release_code(&self, addr: u64) -> bool {
        if !self.watched.load(Ordering::Relaxed) {
            return false;
        }
        let page = addr & !(PAGE - 1);
        {
            let mut layout = self.lock();
            let Some(guest) = layout.map.get(page).map(|(_, m)| m.prot) else { return false };
            if guest & prot::WRITE == 0 || !layout.code.held.remove(&page) {
                return false;
            }
            let faults = layout.code.faults.entry(page).or_default();
            *faults += 1;
            if *faults >= PATIENCE {
                layout.code.unwatched.insert(page);
            }
            self.set_host(page, guest);
        }
        self.invalidate_code(page, PAGE);
        true
    }

    /// Releases every page: the host kernel failed to write for the guest. False if none was held.
    pub fn release_all_code(&self) -> bool {
        if !self.watched.load(Ordering::Relaxed) {
            return false;
        }
        let held: Vec<u64> = self.lock().code.held.iter().copied().collect();
        held.into_iter().fold(false, |any, page| self.release_code(page) | any)
    }
}
