//! Calls that apply to existing pages: madvise, msync, mincore, mlock and their kin.
//!
//! Each is done for the guest's pages in the range and for nothing else; a hole gives the kernel's ENOMEM afterwards.

use super::map::join;
use super::{Mapping, Mm, PAGE, page_up};
use crate::errno::{Errno, SysResult};
use crate::guest_mem::GuestAddr;
use crate::sys::raw_syscall;
use std::ops::Range;

impl Mm {
    /// Runs `call(host address, length)` for each run of guest pages. The lock is not held, for these may block.
    fn each_run(
        &self,
        range: Range<u64>,
        mut call: impl FnMut(u64, u64) -> SysResult,
    ) -> Result<bool, Errno> {
        let (runs, hole) = {
            let layout = self.lock();
            let runs = join(layout.map.overlapping(range.clone()).map(|(part, _)| part));
            (runs, !layout.map.gaps(range).is_empty())
        };
        for run in runs {
            call(self.host_addr(run.start), run.end - run.start)?;
        }
        Ok(hole)
    }

    fn page_range(&self, addr: GuestAddr, len: u64, bad_align: Errno) -> Result<Range<u64>, Errno> {
        if addr & (PAGE - 1) != 0 {
            return Err(bad_align);
        }
        let len = page_up(len).ok_or(Errno::EINVAL)?;
        self.checked(addr, len)
    }

    /// `madvise`.
    pub fn madvise(&self, addr: GuestAddr, len: u64, advice: i32) -> SysResult {
        let range = self.page_range(addr, len, Errno::EINVAL)?;
        if range.is_empty() {
            // The kernel checks the advice even then.
            return raw_syscall(libc::SYS_madvise, [self.host_addr(addr), 0, advice as u64, 0, 0, 0]);
        }
        self.check_advice(range.clone(), advice)?;
        let call = |host, len| raw_syscall(libc::SYS_madvise, [host, len, advice as u64, 0, 0, 0]);
        let hole = self.each_run(range.clone(), call)?;
        if matches!(
            advice,
            libc::MADV_DONTNEED | libc::MADV_FREE | libc::MADV_REMOVE | libc::MADV_DONTNEED_LOCKED
        ) {
            let old: Vec<(Range<u64>, Mapping)> =
                self.lock().map.overlapping(range).map(|(part, mapping)| (part, *mapping)).collect();
            self.drop_code(&old);
        }
        if hole { Err(Errno::ENOMEM) } else { Ok(0) }
    }

    /// `msync`.
    pub fn msync(&self, addr: GuestAddr, len: u64, flags: i32) -> SysResult {
        let known = libc::MS_ASYNC | libc::MS_INVALIDATE | libc::MS_SYNC;
        if flags & !known != 0 || flags & libc::MS_ASYNC != 0 && flags & libc::MS_SYNC != 0 {
            return Err(Errno::EINVAL);
        }
        let range = self.page_range(addr, len, Errno::EINVAL)?;
        let call = |host, len| raw_syscall(libc::SYS_msync, [host, len, flags as u64, 0, 0, 0]);
        if self.each_run(range, call)? { Err(Errno::ENOMEM) } else { Ok(0) }
    }

    /// `mincore`: one byte per page at `vec`.
    pub fn mincore(&self, addr: GuestAddr, len: u64, vec: GuestAddr) -> SysResult {
        let range = self.page_range(addr, len, Errno::EINVAL)?;
        let pages = (range.end - range.start) / PAGE;
        self.mem.host(vec, pages as usize)?;
        if !self.lock().map.gaps(range.clone()).is_empty() {
            return Err(Errno::ENOMEM);
        }
        let mut buf = [0u8; 1024];
        let mut done = 0;
        while done < pages {
            let chunk = (pages - done).min(buf.len() as u64);
            let host = self.host_addr(range.start + done * PAGE);
            raw_syscall(libc::SYS_mincore, [host, chunk * PAGE, buf.as_mut_ptr() as u64, 0, 0, 0])?;
            self.mem.copy_out(vec + done, &buf[..chunk as usize])?;
            done += chunk;
        }
        Ok(0)
    }

    /// `mlock` and `mlock2`.
    pub fn mlock(&self, addr: GuestAddr, len: u64, flags: u32) -> SysResult {
        let start = addr & !(PAGE - 1);
        let range = self.page_range(start, len.saturating_add(addr - start), Errno::EINVAL)?;
        let call = |host, len| raw_syscall(libc::SYS_mlock2, [host, len, u64::from(flags), 0, 0, 0]);
        if self.each_run(range, call)? { Err(Errno::ENOMEM) } else { Ok(0) }
    }

    /// `munlock`.
    pub fn munlock(&self, addr: GuestAddr, len: u64) -> SysResult {
        let start = addr & !(PAGE - 1);
        let range = self.page_range(start, len.saturating_add(addr - start), Errno::EINVAL)?;
        let call = |host, len| raw_syscall(libc::SYS_munlock, [host, len, 0, 0, 0, 0]);
        if self.each_run(range, call)? { Err(Errno::ENOMEM) } else { Ok(0) }
    }

    /// A call of the form `call(addr, len, ...)` on guest pages that all exist, as `mbind` or `pkey_mprotect` take them:
    /// the host address, or ENOMEM.
    pub fn host_range(&self, addr: GuestAddr, len: u64) -> Result<u64, Errno> {
        let range = self.page_range(addr, len, Errno::EINVAL)?;
        if self.lock().map.gaps(range).is_empty() { Ok(self.host_addr(addr)) } else { Err(Errno::ENOMEM) }
    }
}
