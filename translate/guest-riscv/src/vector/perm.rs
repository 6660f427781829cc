//! Masks, moves and permutations.

use super::unit::{Output, Unit, sx, zx};
use crate::decode::Vector;

impl Unit<'_> {
    fn vlmax(&self) -> usize {
        self.t.vlmax(8 * self.vlenb as u32) as usize
    }

    /// vd[i] = vs2[index(i)], or zero if that is past the group.
    fn gather(&mut self, index: impl Fn(&Self, usize) -> u64) {
        let (sew, max) = (self.sew, self.vlmax() as u64);
        for i in self.vstart..self.vl {
            if self.on(i) {
                let k = index(self, i);
                let v = if k < max { self.get(self.f.vs2, k as usize, sew) } else { 0 };
                self.put(self.f.vd, i, sew, v);
            }
        }
    }

    /// Mask bits vd[i] = f(vs2[i], vs1[i]).
    fn logic(&mut self, f: impl Fn(bool, bool) -> bool) {
        for i in self.vstart..self.vl {
            let v = f(self.bit(self.f.vs2, i), self.bit(self.f.vs1, i));
            self.put_bit(self.f.vd, i, v);
        }
    }

    /// vmsbf, vmsof, vmsif: f(seen before, this bit).
    fn set_first(&mut self, f: impl Fn(bool, bool) -> bool) {
        let mut seen = false;
        for i in self.vstart..self.vl {
            if self.on(i) {
                let this = self.bit(self.f.vs2, i);
                self.put_bit(self.f.vd, i, f(seen, this));
                seen |= this;
            }
        }
    }

    fn slide1(&mut self, up: bool, v: u64) {
        let sew = self.sew;
        for i in self.vstart..self.vl {
            if self.on(i) {
                let x = match (up, i) {
                    (true, 0) => v,
                    (true, _) => self.get(self.f.vs2, i - 1, sew),
                    (false, _) if i + 1 == self.vl => v,
                    (false, _) => self.get(self.f.vs2, i + 1, sew),
                };
                self.put(self.f.vd, i, sew, x);
            }
        }
    }

    /// Every element, from the mask bit and the two operands.
    fn merge(&mut self, v: Option<u64>) {
        let sew = self.sew;
        for i in self.vstart..self.vl {
            let take = self.mask[i / 8] >> (i % 8) & 1 != 0;
            let x = match (take, v) {
                (true, Some(v)) => v,
                (true, None) => self.get(self.f.vs1, i, sew),
                (false, _) => self.get(self.f.vs2, i, sew),
            };
            self.put(self.f.vd, i, sew, x);
        }
    }

    fn splat(&mut self, v: Option<u64>) {
        for i in self.vstart..self.vl {
            let x = v.unwrap_or_else(|| self.get(self.f.vs1, i, self.sew));
            self.put(self.f.vd, i, self.sew, x);
        }
    }

    fn first_element(&mut self, v: u64) {
        if self.vstart < self.vl {
            self.put(self.f.vd, 0, self.sew, v);
        }
    }

    /// False if it is none of these.
    pub fn perm(&mut self, insn: Vector) -> bool {
        use Vector as V;
        let sew = self.sew;
        match insn {
            V::Vrgather(_) => match self.scalar() {
                Some(k) => self.gather(|_, _| k),
                None => self.gather(|u, i| u.get(u.f.vs1, i, sew)),
            },
            V::Vrgatherei16(_) => self.gather(|u, i| u.get(u.f.vs1, i, 1)),
            V::Vslideup(_) => {
                let by = self.scalar().unwrap_or(0);
                if by < self.vl as u64 {
                    let by = by as usize;
                    for i in self.vstart.max(by)..self.vl {
                        if self.on(i) {
                            let v = self.get(self.f.vs2, i - by, sew);
                            self.put(self.f.vd, i, sew, v);
                        }
                    }
                }
            }
            V::Vslidedown(_) => {
                let by = self.scalar().unwrap_or(0);
                self.gather(|_, i| (i as u64).saturating_add(by));
            }
            V::Vslide1up(_) => self.slide1(true, self.rs1),
            V::Vslide1down(_) => self.slide1(false, self.rs1),
            V::Vfslide1up(_) => self.slide1(true, self.float_scalar(sew)),
            V::Vfslide1down(_) => self.slide1(false, self.float_scalar(sew)),
            V::Vcompress(_) => {
                let mut to = 0;
                for i in 0..self.vl {
                    if self.bit(self.f.vs1, i) {
                        let v = self.get(self.f.vs2, i, sew);
                        self.put(self.f.vd, to, sew, v);
                        to += 1;
                    }
                }
            }
            V::Vmerge(_) | V::Vfmerge(_) => self.merge(self.scalar()),
            V::VmvV(_) | V::VfmvVF(_) => self.splat(self.scalar()),
            V::Vmvnr(_) => {
                let len = (self.f.vs1 as usize + 1) * self.vlenb;
                let skip = (self.vstart << sew).min(len);
                let (from, to) = (self.f.vs2 as usize * self.vlenb, self.f.vd as usize * self.vlenb);
                self.r.copy_within(from + skip..from + len, to + skip);
            }
            V::VmvXS(_) => self.out = Output::X(sx(self.get(self.f.vs2, 0, sew), sew) as u64),
            V::VmvSX(_) => self.first_element(self.rs1),
            V::VfmvFS(_) => {
                let v = self.get(self.f.vs2, 0, sew);
                self.out = Output::F(if sew == 3 { v } else { v | u64::MAX << (8 << sew) });
            }
            V::VfmvSF(_) => self.first_element(self.float_scalar(sew)),
            V::VcpopM(_) => {
                let n = (0..self.vl).filter(|&i| self.on(i) && self.bit(self.f.vs2, i)).count();
                self.out = Output::X(n as u64);
            }
            V::VfirstM(_) => {
                let at = (0..self.vl).find(|&i| self.on(i) && self.bit(self.f.vs2, i));
                self.out = Output::X(at.map_or(u64::MAX, |i| i as u64));
            }
            V::Vmsbf(_) => self.set_first(|seen, this| !seen && !this),
            V::Vmsof(_) => self.set_first(|seen, this| !seen && this),
            V::Vmsif(_) => self.set_first(|seen, _| !seen),
            V::Viota(_) => {
                let mut n = 0;
                for i in 0..self.vl {
                    if self.on(i) {
                        self.put(self.f.vd, i, sew, zx(n, sew));
                        n += u64::from(self.bit(self.f.vs2, i));
                    }
                }
            }
            V::Vid(_) => {
                for i in self.vstart..self.vl {
                    if self.on(i) {
                        self.put(self.f.vd, i, sew, i as u64);
                    }
                }
            }
            V::Vmandn(_) => self.logic(|a, b| a && !b),
            V::Vmand(_) => self.logic(|a, b| a && b),
            V::Vmor(_) => self.logic(|a, b| a || b),
            V::Vmxor(_) => self.logic(|a, b| a != b),
            V::Vmorn(_) => self.logic(|a, b| a || !b),
            V::Vmnand(_) => self.logic(|a, b| !(a && b)),
            V::Vmnor(_) => self.logic(|a, b| !(a || b)),
            V::Vmxnor(_) => self.logic(|a, b| a == b),
            _ => return false,
        }
        true
    }
}
