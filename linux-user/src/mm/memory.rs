//! Guest memory as the translator asks for it: code bytes, and the accesses of its interpreter.

use super::{Mm, prot};
use crate::sys::uaccess;
use ir::Size;
use std::sync::atomic::Ordering;

impl engine::Memory for Mm {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        self.fetch_code(addr, buf)
    }

    fn hold(&self, addr: u64, buf: &mut [u8]) -> (usize, bool) {
        self.hold_and_fetch(addr, buf)
    }

    fn attributes(&self, addr: u64) -> u32 {
        self.find(addr).map_or(0, |(_, mapping)| mapping.prot & !prot::ACCESS)
    }

    fn has_attributes(&self) -> bool {
        self.marked.load(Ordering::Relaxed)
    }

    fn load(&self, addr: u64, buf: &mut [u8]) -> Result<(), u64> {
        let len = buf.len();
        crate::gdb::note_access(addr, len, false);
        let host = self.mem.host(addr, len).map_err(|_| addr)?;
        // One access where the guest makes one: other threads must not see it torn.
        if matches!(len, 1 | 2 | 4 | 8) {
            let value = uaccess::load(host, len).map_err(|_| self.first_bad(addr, len))?;
            buf.copy_from_slice(&value.to_le_bytes()[..len]);
            return Ok(());
        }
        match uaccess::copy_from(buf, host) {
            0 => Ok(()),
            left => Err(addr + (len - left) as u64),
        }
    }

    fn store(&self, addr: u64, data: &[u8]) -> Result<(), u64> {
        let len = data.len();
        crate::gdb::note_access(addr, len, true);
        let host = self.mem.host(addr, len).map_err(|_| addr)?;
        if matches!(len, 1 | 2 | 4 | 8) {
            let mut raw = [0; 8];
            raw[..len].copy_from_slice(data);
            return uaccess::store(host, len, u64::from_le_bytes(raw)).map_err(|_| self.first_bad(addr, len));
        }
        // Nothing is written if one of two pages is bad: a compare and exchange asks for the right to write.
        let second = (addr + len as u64).saturating_sub(1) & !(super::PAGE - 1);
        if second > addr {
            for at in [addr, second] {
                uaccess::cas(self.host_addr(at), 1, 0, 0).map_err(|_| at)?;
            }
        }
        match uaccess::copy_to(host, data) {
            0 => Ok(()),
            left => Err(addr + (len - left) as u64),
        }
    }

    fn copy(&self, to: u64, from: u64, len: usize) -> usize {
        crate::gdb::note_access(from, len, false);
        crate::gdb::note_access(to, len, true);
        match (self.mem.host(to, len), self.mem.host(from, len)) {
            (Ok(to), Ok(from)) => len - uaccess::copy_between(to, from, len),
            _ => 0,
        }
    }

    fn fill(&self, to: u64, byte: u8, len: usize) -> usize {
        crate::gdb::note_access(to, len, true);
        self.mem.host(to, len).map_or(0, |to| len - uaccess::fill(to, byte, len))
    }

    fn cas(&self, addr: u64, size: Size, expected: u128, new: u128) -> Result<u128, u64> {
        let len = size.bytes();
        crate::gdb::note_access(addr, len, true);
        let host = self.mem.host(addr, len).map_err(|_| addr)?;
        uaccess::cas(host, len, expected, new).map_err(|_| self.first_bad(addr, len))
    }
}

impl Mm {
    /// The first address of a faulting access that is bad: its own, or the start of the second page it touches.
    fn first_bad(&self, addr: u64, len: usize) -> u64 {
        let last = addr + len as u64 - 1;
        let second = last & !(super::PAGE - 1);
        let mut byte = [0];
        if second <= addr || uaccess::copy_from(&mut byte, self.host_addr(addr)) != 0 { addr } else { second }
    }
}
