//! `mseal`, which forbids changes of mappings, and `remap_file_pages`, one of the changes.
//!
//! Seals are kept in the guest's map and not set on the host: the emulator changes nothing there but for the guest.

use super::{Layout, Mm, PAGE, page_up, prot};
use crate::errno::{Errno, SysResult};
use crate::guest_mem::GuestAddr;
use crate::sys::raw_syscall;
use std::ops::Range;

impl Layout {
    /// EPERM if a part of the range is sealed.
    pub(super) fn check_seal(&self, range: Range<u64>) -> Result<(), Errno> {
        let sealed = self.map.overlapping(range).any(|(_, mapping)| mapping.sealed);
        if sealed { Err(Errno::EPERM) } else { Ok(()) }
    }
}

impl Mm {
    /// `mseal` without flags.
    pub fn seal(&self, addr: GuestAddr, len: u64) -> SysResult {
        if addr & (PAGE - 1) != 0 {
            return Err(Errno::EINVAL);
        }
        let len = page_up(len).ok_or(Errno::EINVAL)?;
        let end = addr.checked_add(len).ok_or(Errno::EINVAL)?;
        if len == 0 {
            return Ok(0);
        }
        let range = self.checked(addr, end - addr)?;
        let mut layout = self.lock();
        if !layout.map.gaps(range.clone()).is_empty() {
            return Err(Errno::ENOMEM);
        }
        layout.map.update(range, |mapping| mapping.sealed = true);
        Ok(0)
    }

    /// Advice that throws contents away is a change for those who could not have written them (the kernel's
    /// `can_modify_vma_madv`).
    pub(super) fn check_advice(&self, range: Range<u64>, advice: i32) -> Result<(), Errno> {
        let discards = [
            libc::MADV_FREE,
            libc::MADV_DONTNEED,
            libc::MADV_DONTNEED_LOCKED,
            libc::MADV_REMOVE,
            libc::MADV_DONTFORK,
            libc::MADV_WIPEONFORK,
        ];
        if !discards.contains(&advice) {
            return Ok(());
        }
        let layout = self.lock();
        let forbidden = layout
            .map
            .overlapping(range)
            .any(|(_, mapping)| mapping.sealed && !mapping.shared && mapping.prot & prot::WRITE == 0);
        if forbidden { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// `remap_file_pages`: other pages of the file that is mapped shared there. `offset` is in pages.
    pub fn remap_file_pages(&self, addr: GuestAddr, len: u64, offset: u64, flags: u64) -> SysResult {
        let start = addr & !(PAGE - 1);
        let range = self.checked(start, len & !(PAGE - 1)).map_err(|_| Errno::EINVAL)?;
        if range.is_empty() {
            return Err(Errno::EINVAL);
        }
        let layout = self.lock();
        let Some((found, mapping)) = layout.map.get(start) else { return Err(Errno::EINVAL) };
        let mapping = *mapping;
        if found.end < range.end || !mapping.shared || mapping.shm.is_some() {
            return Err(Errno::EINVAL);
        }
        layout.check_seal(range.clone())?;
        let len = range.end - range.start;
        raw_syscall(libc::SYS_remap_file_pages, [self.host_addr(start), len, 0, offset, flags, 0])?;
        drop(layout);
        self.drop_code(&[(range, mapping)]);
        Ok(0)
    }
}
