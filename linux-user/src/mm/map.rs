//! mmap, munmap, mprotect, mremap, brk and System V attachments.
//!
//! Input: the guest's arguments as given; output: the kernel's results. `mm/mod.rs` numbers the invariants.

use super::window::MIN_ADDR;
use super::{Kind, Layout, Mapping, Mm, PAGE, host_prot, page_up, prot, sys_mmap, sys_munmap};
use crate::errno::{Errno, SysResult};
use crate::guest_mem::GuestAddr;
use crate::sys::raw_syscall;
use std::ops::Range;
use std::sync::atomic::Ordering;

const MAP_SHARED: u64 = libc::MAP_SHARED as u64;
const MAP_PRIVATE: u64 = libc::MAP_PRIVATE as u64;
const MAP_TYPE: u64 = 0xf;
const MAP_FIXED: u64 = libc::MAP_FIXED as u64;
const MAP_ANONYMOUS: u64 = libc::MAP_ANONYMOUS as u64;
pub(super) const MAP_FIXED_NOREPLACE: u64 = libc::MAP_FIXED_NOREPLACE as u64;
const MAP_NORESERVE: u64 = libc::MAP_NORESERVE as u64;
const MAP_HUGETLB: u64 = libc::MAP_HUGETLB as u64;
/// MAP_32BIT and MAP_ABOVE4G of the x86-64 host: no generic Linux guest has them, they are hidden from the host.
const HOST_ONLY_FLAGS: u64 = 0x40 | 0x80;

const MREMAP_MAYMOVE: u64 = 1;
const MREMAP_FIXED: u64 = 2;
const MREMAP_DONTUNMAP: u64 = 4;

/// Reservations made to find out whether a range is free; given back unless kept.
pub(super) struct Reserved(pub(super) Vec<(u64, u64)>);

impl Reserved {
    /// They are the guest's now.
    pub(super) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        for &(addr, len) in &self.0 {
            sys_munmap(addr, len);
        }
    }
}

impl Mm {
    /// Takes the parts of `range` that the guest does not own; ENOMEM if one is the emulator's (invariant 1).
    fn reserve_gaps(&self, layout: &Layout, range: Range<u64>) -> Result<Reserved, Errno> {
        let mut reserved = Reserved(Vec::new());
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
        for gap in layout.map.gaps(range) {
            let (addr, len) = (self.host_addr(gap.start), gap.end - gap.start);
            match sys_mmap(addr, len, 0, flags, -1, 0) {
                Ok(got) if got == addr => reserved.0.push((addr, len)),
                Ok(got) => {
                    // A kernel before 4.17 takes the address as a hint only.
                    sys_munmap(got, len);
                    return Err(Errno::ENOMEM);
                }
                Err(Errno::EEXIST) => return Err(Errno::ENOMEM),
                Err(errno) => return Err(errno),
            }
        }
        Ok(reserved)
    }

    /// From the first mapping with a right of the architecture's own on, the translator asks for them.
    fn note_marked(&self, guest: u32) {
        if guest & self.extra_prot != 0 {
            self.marked.store(true, Ordering::Relaxed);
        }
    }

    /// `mmap`. `offset` is in bytes.
    pub fn mmap(&self, addr: GuestAddr, len: u64, prot: u32, flags: u64, fd: i32, offset: u64) -> SysResult {
        self.mmap_kind(addr, len, prot, flags, fd, offset, Kind::Plain)
    }

    /// [`Mm::mmap`] for the loader, which knows what the memory is for.
    pub fn mmap_kind(
        &self,
        addr: GuestAddr,
        len: u64,
        prot: u32,
        flags: u64,
        fd: i32,
        offset: u64,
        kind: Kind,
    ) -> SysResult {
        if offset & (PAGE - 1) != 0 {
            return Err(Errno::EINVAL);
        }
        if len == 0 {
            return Err(Errno::EINVAL);
        }
        let hidden = if self.has_low_flag { 0 } else { HOST_ONLY_FLAGS };
        let mut flags = flags & !hidden;
        let anonymous = flags & MAP_ANONYMOUS != 0;
        // The kernel rounds huge-page mappings to the huge page size that is asked for.
        let align = if flags & MAP_HUGETLB != 0 && anonymous { huge_page_size(flags) } else { PAGE };
        let len = len.checked_add(align - 1).ok_or(Errno::ENOMEM)? & !(align - 1);
        if len > self.mem.limit() {
            return Err(Errno::ENOMEM);
        }
        let mut guest = prot & (prot::ACCESS | self.extra_prot);
        if guest & prot::READ != 0 && self.read_implies_exec.load(Ordering::Relaxed) {
            guest |= prot::EXEC;
        }
        self.note_marked(guest);
        let shared = flags & MAP_TYPE != MAP_PRIVATE;
        let mapping = Mapping { prot: guest, shared, shm: None, kind, sealed: false };
        let fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0;
        if fixed && (addr & (PAGE - 1) != 0) {
            return Err(Errno::EINVAL);
        }
        if fixed && self.windowed() && addr < MIN_ADDR {
            return Err(Errno::EPERM);
        }
        let noreplace = flags & MAP_FIXED_NOREPLACE != 0;
        let mut layout = self.lock();
        check_address_space(&layout, len)?;
        let mut reserved = None;
        if fixed {
            let range = self.checked(addr, len)?;
            if noreplace {
                flags = (flags & !MAP_FIXED) | MAP_FIXED_NOREPLACE;
            } else {
                layout.check_seal(range.clone())?;
                reserved = Some(self.reserve_gaps(&layout, range)?);
            }
        }
        let hint = if fixed {
            self.host_addr(addr)
        } else {
            // An impossible hint is no hint.
            let hint = addr & !(PAGE - 1);
            if self.checked(hint, len).is_ok() && hint != 0 { self.host_addr(hint) } else { 0 }
        };
        let fd = if anonymous { -1 } else { fd };
        let mapped = if fixed || !self.windowed() {
            sys_mmap(hint, len, host_prot(guest), flags, fd, offset)
        } else {
            self.place(&layout, addr & !(PAGE - 1), len, align, |host| {
                sys_mmap(host, len, host_prot(guest), flags | MAP_FIXED_NOREPLACE, fd, offset)
            })
        };
        let host = match mapped {
            // An executable mapping of a file on a noexec mount is refused by the kernel; we never ask it for execution.
            Ok(host) if guest & prot::EXEC != 0 && !anonymous && on_noexec_mount(fd) => {
                if !fixed || noreplace {
                    sys_munmap(host, len);
                    return Err(Errno::EPERM);
                }
                host
            }
            Ok(host) => host,
            Err(errno) => return Err(errno),
        };
        if noreplace && host != hint {
            sys_munmap(host, len);
            return Err(Errno::EEXIST);
        }
        if let Some(reserved) = reserved {
            reserved.keep();
        }
        let start = self.mem.guest(host);
        let old = layout.map.insert(start..start + len, mapping);
        drop(layout);
        self.drop_code(&old);
        let changes = guest & prot::WRITE != 0 && self.watched.load(Ordering::Relaxed);
        if mapping.executable() && !shared && !anonymous && !changes {
            self.new_code(start..start + len, fd, offset);
        }
        Ok(start)
    }

    /// `munmap`.
    pub fn munmap(&self, addr: GuestAddr, len: u64) -> SysResult {
        if addr & (PAGE - 1) != 0 || len == 0 {
            return Err(Errno::EINVAL);
        }
        let len = page_up(len).ok_or(Errno::EINVAL)?;
        let range = self.checked(addr, len).map_err(|_| Errno::EINVAL)?;
        let mut layout = self.lock();
        layout.check_seal(range.clone())?;
        let parts: Vec<Range<u64>> = join(layout.map.overlapping(range.clone()).map(|(part, _)| part));
        for part in parts {
            let host = [self.host_addr(part.start), part.end - part.start, 0, 0, 0, 0];
            raw_syscall(libc::SYS_munmap, host)?;
        }
        let old = layout.map.remove(range);
        drop(layout);
        self.drop_code(&old);
        Ok(0)
    }

    /// `mprotect`.
    pub fn mprotect(&self, addr: GuestAddr, len: u64, prot: u32) -> SysResult {
        let grows = prot & (prot::GROWSDOWN | prot::GROWSUP);
        let prot = prot & !grows;
        if grows == prot::GROWSDOWN | prot::GROWSUP || addr & (PAGE - 1) != 0 {
            return Err(Errno::EINVAL);
        }
        if len == 0 {
            return Ok(0);
        }
        let len = page_up(len).ok_or(Errno::ENOMEM)?;
        if prot & !(prot::ACCESS | prot::SEM | self.extra_prot) != 0 {
            return Err(Errno::EINVAL);
        }
        let mut range = self.checked(addr, len)?;
        let mut guest = prot & (prot::ACCESS | self.extra_prot);
        if guest & prot::READ != 0 && self.read_implies_exec.load(Ordering::Relaxed) {
            guest |= prot::EXEC;
        }
        self.note_marked(guest);
        let mut layout = self.lock();
        let Some((first, mapping)) = layout.map.get(addr) else { return Err(Errno::ENOMEM) };
        if grows == prot::GROWSDOWN {
            if mapping.kind != Kind::Stack {
                return Err(Errno::EINVAL);
            }
            range.start = first.start;
        } else if grows == prot::GROWSUP {
            return Err(Errno::EINVAL);
        }
        // As the kernel: everything up to the first hole is changed, then the hole is reported.
        let hole = layout.map.gaps(range.clone()).first().map(|gap| gap.start);
        let end = hole.unwrap_or(range.end);
        layout.check_seal(range.start..end)?;
        let mut stale = Vec::new();
        let mut failed = None;
        // Neighbours that differ in guest terms only are one host call.
        for part in join(layout.map.overlapping(range.start..end).map(|(part, _)| part)) {
            let args =
                [self.host_addr(part.start), part.end - part.start, u64::from(host_prot(guest)), 0, 0, 0];
            if let Err(errno) = raw_syscall(libc::SYS_mprotect, args) {
                failed = Some(errno);
                break;
            }
            let watched = self.watched.load(Ordering::Relaxed);
            let changed = |old: u32| {
                guest & prot::EXEC == 0
                    || (old ^ guest) & self.extra_prot != 0
                    || watched && guest & prot::WRITE != 0
            };
            let parts = layout.map.overlapping(part.clone()).map(|(part, mapping)| (part, *mapping));
            stale.extend(parts.filter(|(_, mapping)| changed(mapping.prot)));
            layout.map.update(part, |mapping| mapping.prot = guest);
        }
        drop(layout);
        self.drop_code(&stale);
        match (failed, hole) {
            (Some(errno), _) => Err(errno),
            (None, Some(_)) => Err(Errno::ENOMEM),
            (None, None) => Ok(0),
        }
    }

    /// `mremap`.
    pub fn mremap(
        &self,
        old_addr: GuestAddr,
        old_len: u64,
        new_len: u64,
        flags: u64,
        new_addr: GuestAddr,
    ) -> SysResult {
        if flags & !(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) != 0
            || old_addr & (PAGE - 1) != 0
            || (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) != 0 && flags & MREMAP_MAYMOVE == 0)
        {
            return Err(Errno::EINVAL);
        }
        let old_len = page_up(old_len).ok_or(Errno::EINVAL)?;
        let new_len = page_up(new_len).ok_or(Errno::EINVAL)?;
        if new_len == 0 || (flags & MREMAP_DONTUNMAP != 0 && old_len != new_len) {
            return Err(Errno::EINVAL);
        }
        let mut layout = self.lock();
        let Some((found, mapping)) = layout.map.get(old_addr) else { return Err(Errno::EFAULT) };
        let mapping = *mapping;
        let old = self.checked(old_addr, old_len).map_err(|_| Errno::EFAULT)?;
        if old_len > 0 && found.end < old.end.min(old_addr + new_len) {
            // Not one mapping. Shrinking may still cut off what lies behind it.
            return Err(Errno::EFAULT);
        }
        layout.check_seal(old.clone())?;
        check_address_space(&layout, new_len.saturating_sub(old_len))?;
        let mut reserved = None;
        if flags & MREMAP_FIXED != 0 {
            let new = self.checked(new_addr, new_len).map_err(|_| Errno::EINVAL)?;
            if new_addr & (PAGE - 1) != 0 || (new.start < old.end && old.start < new.end) {
                return Err(Errno::EINVAL);
            }
            layout.check_seal(new.clone())?;
            reserved = Some(self.reserve_gaps(&layout, new)?);
        } else if new_len < old_len {
            // The kernel would unmap the tail; the parts of it that are the guest's only.
            let tail = old_addr + new_len..old.end;
            for part in join(layout.map.overlapping(tail.clone()).map(|(part, _)| part)) {
                raw_syscall(
                    libc::SYS_munmap,
                    [self.host_addr(part.start), part.end - part.start, 0, 0, 0, 0],
                )?;
            }
            let gone = layout.map.remove(tail);
            drop(layout);
            self.drop_code(&gone);
            return Ok(old_addr);
        }
        let args = [
            self.host_addr(old_addr),
            old_len,
            new_len,
            flags,
            if flags & MREMAP_FIXED != 0 {
                self.host_addr(new_addr)
            } else if new_addr == 0 {
                0
            } else {
                self.host_addr(new_addr)
            },
            0,
        ];
        let host = if flags & MREMAP_FIXED != 0 || !self.windowed() {
            raw_syscall(libc::SYS_mremap, args)?
        } else {
            self.remap_in_window(&layout, old.clone(), new_len, flags)?
        };
        if let Some(reserved) = reserved {
            reserved.keep();
        }
        let start = self.mem.guest(host);
        let mut stale = Vec::new();
        if start != old_addr {
            if flags & MREMAP_DONTUNMAP == 0 && old_len > 0 {
                stale.extend(layout.map.remove(old));
            } else {
                stale.extend(layout.map.overlapping(old).map(|(part, mapping)| (part, *mapping)));
            }
        }
        stale.extend(layout.map.insert(start..start + new_len, mapping));
        drop(layout);
        self.drop_code(&stale);
        Ok(start)
    }

    /// `brk`: the new end, or the old one if it cannot be moved there.
    pub fn brk(&self, new_end: GuestAddr) -> u64 {
        let mut layout = self.lock();
        let Range { start, end } = layout.brk.clone();
        if new_end < start || new_end == end {
            return end;
        }
        let (Some(old_top), Some(new_top)) = (page_up(end), page_up(new_end)) else { return end };
        let limit = data_limit();
        if new_top > self.mem.limit() || new_end - start > limit {
            return end;
        }
        if new_top > old_top {
            if check_address_space(&layout, new_top - old_top).is_err() {
                return end;
            }
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
            let (host, len) = (self.host_addr(old_top), new_top - old_top);
            let mut guest = prot::READ | prot::WRITE;
            if self.read_implies_exec.load(Ordering::Relaxed) {
                guest |= prot::EXEC;
            }
            match sys_mmap(host, len, host_prot(guest), flags, -1, 0) {
                Ok(got) if got == host => {}
                Ok(got) => {
                    sys_munmap(got, len);
                    return end;
                }
                Err(_) => return end,
            }
            layout.map.insert(old_top..new_top, Mapping::private(guest, Kind::Heap));
        } else if new_top < old_top {
            if layout.check_seal(new_top..old_top).is_err() {
                return end;
            }
            for part in join(layout.map.overlapping(new_top..old_top).map(|(part, _)| part)) {
                sys_munmap(self.host_addr(part.start), part.end - part.start);
            }
            let gone = layout.map.remove(new_top..old_top);
            layout.brk.end = new_end;
            drop(layout);
            self.drop_code(&gone);
            return new_end;
        }
        layout.brk.end = new_end;
        new_end
    }

    /// `shmat` of a segment of `size` bytes (from IPC_STAT). `flags` are the guest's, which are the host's.
    pub fn shmat(&self, id: i32, addr: GuestAddr, size: u64, flags: i32) -> SysResult {
        let size = page_up(size).ok_or(Errno::EINVAL)?;
        let mut layout = self.lock();
        let mut at = addr;
        let mut reserved = None;
        if addr != 0 {
            if addr & (PAGE - 1) != 0 {
                if flags & libc::SHM_RND == 0 {
                    return Err(Errno::EINVAL);
                }
                at &= !(PAGE - 1);
            }
            let range = self.checked(at, size).map_err(|_| Errno::EINVAL)?;
            if flags & libc::SHM_REMAP != 0 {
                layout.check_seal(range.clone())?;
                reserved = Some(self.reserve_gaps(&layout, range)?);
            }
        }
        let host_flags = flags & !libc::SHM_EXEC;
        let attach = |host| raw_syscall(libc::SYS_shmat, [id as u64, host, host_flags as u64, 0, 0, 0]);
        let host = if at != 0 {
            attach(self.host_addr(at))?
        } else if self.windowed() {
            // An occupied place is EINVAL here.
            self.place(&layout, 0, size, PAGE, |host| {
                attach(host).map_err(|errno| if errno == Errno::EINVAL { Errno::EEXIST } else { errno })
            })?
        } else {
            attach(0)?
        };
        if let Some(reserved) = reserved {
            reserved.keep();
        }
        let start = self.mem.guest(host);
        let mut guest = prot::READ;
        if flags & libc::SHM_RDONLY == 0 {
            guest |= prot::WRITE;
        }
        if flags & libc::SHM_EXEC != 0 || self.read_implies_exec.load(Ordering::Relaxed) {
            guest |= prot::EXEC;
        }
        let mapping =
            Mapping { prot: guest, shared: true, shm: Some(start), kind: Kind::Plain, sealed: false };
        let old = layout.map.insert(start..start + size, mapping);
        drop(layout);
        self.drop_code(&old);
        Ok(start)
    }

    /// `shmdt`.
    pub fn shmdt(&self, addr: GuestAddr) -> SysResult {
        let mut layout = self.lock();
        let parts: Vec<Range<u64>> = layout
            .map
            .iter()
            .filter(|(_, mapping)| mapping.shm == Some(addr))
            .map(|(part, _)| part)
            .collect();
        if parts.is_empty() {
            return Err(Errno::EINVAL);
        }
        raw_syscall(libc::SYS_shmdt, [self.host_addr(addr), 0, 0, 0, 0, 0])?;
        let mut stale = Vec::new();
        for part in parts {
            stale.extend(layout.map.remove(part));
        }
        drop(layout);
        self.drop_code(&stale);
        Ok(0)
    }

    /// Takes a range out of the map but leaves the host mapping: a guard that nobody may use.
    pub fn disown(&self, addr: GuestAddr, len: u64) {
        self.lock().map.remove(addr..addr + len);
    }

    /// Unmaps everything: the last step before another image's, or of a test.
    pub fn clear(&self) {
        let mut layout = self.lock();
        let all: Vec<(Range<u64>, Mapping)> = layout.map.remove(0..u64::MAX);
        for (range, _) in &all {
            sys_munmap(self.host_addr(range.start), range.end - range.start);
        }
        drop(layout);
        self.drop_code(&all);
    }
}

pub(super) fn sys_mremap(old: u64, old_len: u64, new_len: u64, flags: u64, new: u64) -> SysResult {
    raw_syscall(libc::SYS_mremap, [old, old_len, new_len, flags, new, 0])
}

/// Joins adjacent ranges.
pub(super) fn join(parts: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::new();
    for part in parts {
        match joined.last_mut() {
            Some(last) if last.end == part.start => last.end = part.end,
            _ => joined.push(part),
        }
    }
    joined
}

fn huge_page_size(flags: u64) -> u64 {
    let log2 = flags >> libc::MAP_HUGE_SHIFT & libc::MAP_HUGE_MASK as u64;
    if log2 == 0 { 2 << 20 } else { 1 << log2 }
}

/// RLIMIT_DATA, which bounds brk.
fn data_limit() -> u64 {
    crate::syscall::misc::data_limit().unwrap_or(u64::MAX)
}

/// RLIMIT_AS: the guest's own, kept for it, since the host's would count the emulator's memory.
fn check_address_space(layout: &Layout, more: u64) -> Result<(), Errno> {
    let Some(limit) = crate::syscall::misc::address_space_limit() else { return Ok(()) };
    let used: u64 = layout.map.iter().map(|(range, _)| range.end - range.start).sum();
    if used.saturating_add(more) > limit { Err(Errno::ENOMEM) } else { Ok(()) }
}

fn on_noexec_mount(fd: i32) -> bool {
    // The kernel's `struct statfs` on x86-64 is 15 words, the flags the eleventh.
    let mut info = [0u64; 15];
    let args = [fd as u64, info.as_mut_ptr() as u64, 0, 0, 0, 0];
    raw_syscall(libc::SYS_fstatfs, args).is_ok() && info[10] & libc::ST_NOEXEC != 0
}

/// The shared flag of `MAP_SHARED_VALIDATE` is `MAP_SHARED` with `MAP_PRIVATE`.
const _: () = assert!(libc::MAP_SHARED_VALIDATE as u64 == MAP_SHARED | MAP_PRIVATE);
