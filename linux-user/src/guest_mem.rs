//! Guest memory as syscall handlers see it: bounded, fault-safe copies. Any bad address is `EFAULT`, never a crash.
//!
//! Input: guest addresses; output: plain values and bytes. Byte order and struct layout are the callers' (ABI types).
//! No Rust reference ever points into guest memory, because other guest threads change it.

use crate::errno::Errno;
use crate::sys::uaccess;
use bytemuck::Pod;

/// A guest virtual address.
pub type GuestAddr = u64;

/// The window through which guest addresses are reached: host address = guest address + base.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GuestMem {
    base: u64,
    limit: u64,
}

impl GuestMem {
    /// Memory of a guest whose addresses lie in `0..limit`, at host address `base`.
    pub const fn new(base: u64, limit: u64) -> GuestMem {
        GuestMem { base, limit }
    }

    /// The host address of guest address zero.
    pub const fn base(self) -> u64 {
        self.base
    }

    /// First address past the guest's user space.
    pub const fn limit(self) -> u64 {
        self.limit
    }

    /// The host address of a guest range, as for arguments that the host kernel dereferences: it checks the memory.
    #[inline]
    pub fn host(self, addr: GuestAddr, len: usize) -> Result<u64, Errno> {
        match addr.checked_add(len as u64) {
            Some(end) if end <= self.limit => Ok(addr.wrapping_add(self.base)),
            _ => Err(Errno::EFAULT),
        }
    }

    /// As [`GuestMem::host`] for optional pointers: zero stays zero.
    #[inline]
    pub fn host_opt(self, addr: GuestAddr, len: usize) -> Result<u64, Errno> {
        if addr == 0 { Ok(0) } else { self.host(addr, len) }
    }

    /// The guest address of a host address in the window.
    pub const fn guest(self, host: u64) -> GuestAddr {
        host.wrapping_sub(self.base)
    }

    /// Reads a plain value.
    #[inline]
    pub fn read<T: Pod>(self, addr: GuestAddr) -> Result<T, Errno> {
        let mut value = T::zeroed();
        let size = size_of::<T>();
        if matches!(size, 1 | 2 | 4 | 8) {
            let raw = uaccess::load(self.host(addr, size)?, size).map_err(|_| Errno::EFAULT)?;
            bytemuck::bytes_of_mut(&mut value).copy_from_slice(&raw.to_le_bytes()[..size]);
        } else {
            self.copy_in(addr, bytemuck::bytes_of_mut(&mut value))?;
        }
        Ok(value)
    }

    /// Writes a plain value.
    #[inline]
    pub fn write<T: Pod>(self, addr: GuestAddr, value: &T) -> Result<(), Errno> {
        let size = size_of::<T>();
        if matches!(size, 1 | 2 | 4 | 8) {
            let mut raw = [0; 8];
            raw[..size].copy_from_slice(bytemuck::bytes_of(value));
            uaccess::store(self.host(addr, size)?, size, u64::from_le_bytes(raw)).map_err(|_| Errno::EFAULT)
        } else {
            self.copy_out(addr, bytemuck::bytes_of(value))
        }
    }

    /// Reads `count` plain values.
    pub fn read_vec<T: Pod>(self, addr: GuestAddr, count: usize) -> Result<Vec<T>, Errno> {
        let bytes = count.checked_mul(size_of::<T>()).ok_or(Errno::EFAULT)?;
        self.host(addr, bytes)?;
        let mut values = vec![T::zeroed(); count];
        self.copy_in(addr, bytemuck::cast_slice_mut(&mut values))?;
        Ok(values)
    }

    /// Fills `buf` from guest memory.
    pub fn copy_in(self, addr: GuestAddr, buf: &mut [u8]) -> Result<(), Errno> {
        let host = self.host(addr, buf.len())?;
        if uaccess::copy_from(buf, host) == 0 { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Fills as much of `buf` as is readable; returns how much.
    pub fn copy_in_partial(self, addr: GuestAddr, buf: &mut [u8]) -> usize {
        let room = self.limit.saturating_sub(addr).min(buf.len() as u64) as usize;
        room - uaccess::copy_from(&mut buf[..room], addr.wrapping_add(self.base))
    }

    /// Writes bytes to guest memory.
    pub fn copy_out(self, addr: GuestAddr, bytes: &[u8]) -> Result<(), Errno> {
        let host = self.host(addr, bytes.len())?;
        if uaccess::copy_to(host, bytes) == 0 { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Writes as many bytes as is possible; returns how many.
    pub fn copy_out_partial(self, addr: GuestAddr, bytes: &[u8]) -> usize {
        let room = self.limit.saturating_sub(addr).min(bytes.len() as u64) as usize;
        room - uaccess::copy_to(addr.wrapping_add(self.base), &bytes[..room])
    }

    /// Zeroes guest memory.
    pub fn zero(self, addr: GuestAddr, len: usize) -> Result<(), Errno> {
        let host = self.host(addr, len)?;
        if uaccess::fill(host, 0, len) == 0 { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Reads a string up to its NUL, which is not returned; `ENAMETOOLONG` if there is none within `max` bytes.
    pub fn cstr(self, addr: GuestAddr, max: usize) -> Result<Vec<u8>, Errno> {
        let mut out = Vec::new();
        let mut at = addr;
        while out.len() < max {
            // Up to the next page boundary at most: what lies behind it may be unreadable.
            let room = (4096 - (at & 4095)) as usize;
            let mut chunk = [0; 256];
            let want = room.min(chunk.len()).min(max - out.len());
            let got = self.copy_in_partial(at, &mut chunk[..want]);
            if let Some(end) = chunk[..got].iter().position(|&byte| byte == 0) {
                out.extend_from_slice(&chunk[..end]);
                return Ok(out);
            }
            if got < want {
                return Err(Errno::EFAULT);
            }
            out.extend_from_slice(&chunk[..got]);
            at += got as u64;
        }
        Err(Errno::ENAMETOOLONG)
    }

    /// Atomic compare-and-exchange of a 4-byte word; returns the old value.
    pub fn cas_u32(self, addr: GuestAddr, expected: u32, new: u32) -> Result<u32, Errno> {
        uaccess::cas4(self.host(addr, 4)?, expected, new).map_err(|_| Errno::EFAULT)
    }

    /// Atomic compare-and-exchange of an 8-byte word; returns the old value.
    pub fn cas_u64(self, addr: GuestAddr, expected: u64, new: u64) -> Result<u64, Errno> {
        uaccess::cas8(self.host(addr, 8)?, expected, new).map_err(|_| Errno::EFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEM: GuestMem = GuestMem::new(0, 1 << 47);

    #[test]
    fn values_and_strings_round_trip() {
        let mut buf = [0u8; 64];
        let addr = buf.as_mut_ptr() as u64;
        MEM.write(addr, &0x1122_3344_5566_7788u64).unwrap();
        assert_eq!(MEM.read::<u32>(addr).unwrap(), 0x5566_7788);
        MEM.copy_out(addr, b"path\0").unwrap();
        assert_eq!(MEM.cstr(addr, 10).unwrap(), b"path");
        assert_eq!(MEM.cstr(addr, 3), Err(Errno::ENAMETOOLONG));
        assert_eq!(MEM.cas_u32(addr + 32, 0, 7), Ok(0));
        assert_eq!(MEM.read::<u8>(addr + 32), Ok(7));
    }

    #[test]
    fn out_of_range_is_efault() {
        assert_eq!(MEM.read::<u64>(u64::MAX - 3), Err(Errno::EFAULT));
        assert_eq!(MEM.host(1 << 47, 1), Err(Errno::EFAULT));
    }

    #[test]
    fn wild_addresses_are_efault() {
        crate::host_signal::install_sync_handlers();
        let slots = crate::host_signal::HostSlots::default();
        // SAFETY: detached below, before the slots go.
        let old = unsafe { crate::host_signal::attach(&raw const slots) };
        assert_eq!(MEM.read::<u32>(0), Err(Errno::EFAULT));
        assert_eq!(MEM.write(8, &1u64), Err(Errno::EFAULT));
        assert_eq!(MEM.copy_out(16, &[0; 40]), Err(Errno::EFAULT));
        assert_eq!(MEM.zero(4096, 4096), Err(Errno::EFAULT));
        assert_eq!(MEM.cstr(1, 100), Err(Errno::EFAULT));
        assert_eq!(MEM.cas_u64(0, 0, 0), Err(Errno::EFAULT));
        // SAFETY: restores the former value.
        unsafe { crate::host_signal::attach(old) };
    }
}
