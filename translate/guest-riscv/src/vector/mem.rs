//! Loads and stores, element by element: vstart says how far they got when one faults.

use super::{Fields, V_OFFSET, VL, VSTART, VType};
use crate::decode::Vector;
use ir::{Machine, Stop};

/// Whether the instruction accesses memory.
pub(crate) fn is_memory(insn: Vector) -> bool {
    use Vector as V;
    matches!(
        insn,
        V::Vle(_)
            | V::Vleff(_)
            | V::Vlse(_)
            | V::Vse(_)
            | V::Vsse(_)
            | V::Vlm(_)
            | V::Vsm(_)
            | V::Vlr(_)
            | V::Vsr(_)
            | V::Vluxei(_)
            | V::Vloxei(_)
            | V::Vsuxei(_)
            | V::Vsoxei(_)
    )
}

/// One access.
pub(super) struct Access<'a> {
    pub m: &'a mut dyn Machine,
    pub vlenb: usize,
    pub t: VType,
    pub vl: usize,
    pub vstart: usize,
    pub f: Fields,
    pub mask: [u8; 128],
    pub base: u64,
    pub rs2: u64,
    /// Only a fault of the first element is one.
    pub first_only: bool,
    /// Addresses have 32 bits.
    pub rv32: bool,
}

impl Access<'_> {
    fn on(&self, i: usize) -> bool {
        self.f.vm || self.mask[i / 8] >> (i % 8) & 1 != 0
    }

    fn at(&self, reg: u32, i: usize, eew: u32) -> usize {
        V_OFFSET as usize + reg as usize * self.vlenb + (i << eew)
    }

    fn address(&self, addr: u64) -> u64 {
        if self.rv32 { addr & 0xffff_ffff } else { addr }
    }

    fn load(&mut self, addr: u64, reg: u32, i: usize, eew: u32) -> Result<(), Stop> {
        let mut buf = [0; 8];
        let n = 1 << eew;
        self.m.load(self.address(addr), &mut buf[..n])?;
        let at = self.at(reg, i, eew);
        self.m.state()[at..at + n].copy_from_slice(&buf[..n]);
        Ok(())
    }

    fn store(&mut self, addr: u64, reg: u32, i: usize, eew: u32) -> Result<(), Stop> {
        let mut buf = [0; 8];
        let n = 1 << eew;
        let at = self.at(reg, i, eew);
        buf[..n].copy_from_slice(&self.m.state()[at..at + n]);
        self.m.store(self.address(addr), &buf[..n])
    }

    /// The element was not finished: it is the next to be executed.
    fn stopped(&mut self, i: usize, stop: Stop) -> Stop {
        self.m.set_slot(VSTART, i as u128);
        stop
    }

    /// The elements from vstart to `end` whose first byte is at `base`, all of them without a mask and one after the other in
    /// memory: in pieces. False if it was not possible; then nothing was done that element order would not have done.
    fn run(&mut self, end: usize, eew: u32, write: bool) -> bool {
        let (from, to) = (self.at(self.f.vd, self.vstart, eew), self.at(self.f.vd, end, eew));
        let addr = self.address(self.base.wrapping_add((self.vstart << eew) as u64));
        let (mut small, mut large);
        let len = to.saturating_sub(from);
        let buf: &mut [u8] = if len <= 64 {
            small = [0; 64];
            &mut small
        } else {
            large = [0; 1024];
            &mut large
        };
        let Some(buf) = buf.get_mut(..len) else { return false };
        if buf.is_empty() {
            return true;
        }
        if write {
            buf.copy_from_slice(&self.m.state()[from..to]);
            self.m.store(addr, buf).is_ok()
        } else {
            let done = self.m.load(addr, buf).is_ok();
            if done {
                self.m.state()[from..to].copy_from_slice(buf);
            }
            done
        }
    }

    /// Element `i` of `n` is at `address(i)`, its fields after each other there and in register groups `1 << lmul` apart.
    fn each(
        &mut self,
        n: usize,
        eew: u32,
        lmul: i32,
        write: bool,
        address: impl Fn(&mut Self, usize) -> u64,
    ) -> Result<(), Stop> {
        let fields = if self.f.nf == 0 { 1 } else { self.f.nf + 1 };
        let step = 1 << lmul.max(0);
        for i in self.vstart..n {
            if !self.on(i) {
                continue;
            }
            let addr = address(self, i);
            if self.first_only && fields > 1 {
                // An element counts as a whole.
                let mut buf = [0; 64];
                let probe = self.m.load(self.address(addr), &mut buf[..(fields as usize) << eew]);
                probe.map_err(|stop| self.stopped(i, stop))?;
            }
            for k in 0..fields {
                let (at, reg) = (addr.wrapping_add(u64::from(k) << eew), self.f.vd + k * step);
                let done = if write { self.store(at, reg, i, eew) } else { self.load(at, reg, i, eew) };
                done.map_err(|stop| self.stopped(i, stop))?;
            }
        }
        Ok(())
    }

    pub fn exec(&mut self, insn: Vector) -> Result<(), Stop> {
        use Vector as V;
        let eew = self.f.eew();
        let write =
            matches!(insn, V::Vse(_) | V::Vsse(_) | V::Vsm(_) | V::Vsr(_) | V::Vsuxei(_) | V::Vsoxei(_));
        // Log2 of the registers of a field when elements have the width in the encoding.
        let emul = eew as i32 - self.t.sew as i32 + self.t.lmul;
        let size = u64::from(self.f.nf + 1) << eew;
        let base = self.base;
        match insn {
            V::Vle(_) | V::Vse(_) => {
                if self.f.nf == 0 && self.f.vm && self.run(self.vl, eew, write) {
                    return Ok(());
                }
                self.each(self.vl, eew, emul, write, |_, i| base.wrapping_add(i as u64 * size))
            }
            V::Vlse(_) | V::Vsse(_) => {
                let stride = self.rs2;
                self.each(self.vl, eew, emul, write, |_, i| {
                    base.wrapping_add((i as u64).wrapping_mul(stride))
                })
            }
            V::Vluxei(_) | V::Vloxei(_) | V::Vsuxei(_) | V::Vsoxei(_) => {
                let vs2 = self.f.vs2;
                self.each(self.vl, self.t.sew, self.t.lmul, write, |a, i| {
                    let at = a.at(vs2, i, eew);
                    let mut index = [0; 8];
                    index[..1 << eew].copy_from_slice(&a.m.state()[at..at + (1 << eew)]);
                    base.wrapping_add(u64::from_le_bytes(index))
                })
            }
            V::Vlm(_) | V::Vsm(_) => {
                self.f.vm = true;
                let n = self.vl.div_ceil(8);
                self.each(n, 0, 0, write, |_, i| base.wrapping_add(i as u64))
            }
            V::Vlr(_) | V::Vsr(_) => {
                // The registers are one long one.
                let n = ((self.f.nf as usize + 1) * self.vlenb) >> eew;
                self.f.nf = 0;
                if self.run(n, eew, write) {
                    return Ok(());
                }
                self.each(n, eew, 3, write, |_, i| base.wrapping_add((i << eew) as u64))
            }
            V::Vleff(_) => {
                let done = self.each(self.vl, eew, emul, false, |_, i| base.wrapping_add(i as u64 * size));
                let Err(stop) = done else { return Ok(()) };
                let at = self.m.slot(VSTART);
                if at == 0 {
                    return Err(stop);
                }
                // A fault of a later element shortens the vector.
                self.m.set_slot(VL, at);
                self.m.set_slot(VSTART, 0);
                Ok(())
            }
            _ => unreachable!("only accesses come here"),
        }
    }
}
