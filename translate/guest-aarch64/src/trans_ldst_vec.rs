//! Loads and stores of structures: LD1 to LD4, ST1 to ST4, single elements and replication. Input: a decoded row of group
//! `ldst_vec`; output: IR. Whole structures are moved 8 or 16 bytes at a time and (de)interleaved in registers.

use crate::decode::{ArgsMult, ArgsSingle, LdstVec as I};
use crate::trans::{Flow, Tr};
use crate::trans_ldst::size_of;
use ir::{Mem, Op, Shape, Size, Type, Val};

/// The n-th register after `rt`; numbers wrap.
fn reg(rt: u32, n: u32) -> u32 {
    (rt + n) & 31
}

impl Tr<'_> {
    pub(crate) fn structure(&mut self, insn: I) -> Flow {
        match insn {
            I::LdMult4(a)
            | I::Ld1Mult4(a)
            | I::LdMult3(a)
            | I::Ld1Mult3(a)
            | I::Ld1Mult1(a)
            | I::LdMult2(a)
            | I::Ld1Mult2(a) => self.multiple(a, None),
            I::LdMultp4(a)
            | I::Ld1Multp4(a)
            | I::LdMultp3(a)
            | I::Ld1Multp3(a)
            | I::Ld1Multp1(a)
            | I::LdMultp2(a)
            | I::Ld1Multp2(a) => {
                let plain =
                    ArgsMult { q: a.q, l: a.l, selem: a.selem, rpt: a.rpt, size: a.size, rn: a.rn, rt: a.rt };
                self.multiple(plain, Some(a.rm));
            }
            I::LdSingB(a) | I::LdSingH(a) | I::LdSingS(a) | I::LdSingD(a) => self.single(a, None),
            I::LdSingpB(a) | I::LdSingpH(a) | I::LdSingpS(a) | I::LdSingpD(a) => {
                let plain =
                    ArgsSingle { l: a.l, selem: a.selem, size: a.size, index: a.index, rn: a.rn, rt: a.rt };
                self.single(plain, Some(a.rm));
            }
            I::LdRep(a) | I::LdRepR2(a) => self.replicate(a.q, a.selem + 1, a.size, a.rn, a.rt, None),
            I::LdRepp(a) | I::LdReppR2(a) => self.replicate(a.q, a.selem + 1, a.size, a.rn, a.rt, Some(a.rm)),
        }
        Flow::Next
    }

    /// Post-index: adds `rm`, or the transfer size for 31.
    fn write_back(&mut self, rn: u32, base: Val, bytes: i64, rm: Option<u32>) {
        let new = match rm {
            None => return,
            Some(31) => self.add_imm(base, bytes),
            Some(rm) => {
                let m = self.x(rm);
                self.b.add(base, m)
            }
        };
        self.set_sp(rn, new);
    }

    fn multiple(&mut self, a: ArgsMult, rm: Option<u32>) {
        let chunk = 8i64 << a.q;
        let count = a.selem * a.rpt;
        let base = self.reg_sp(Type::I64, a.rn);
        let mem = Mem::plain(if a.q == 1 { Size::Q } else { Size::D });
        let shape = Shape::full(size_of(a.size), a.q == 1);
        if a.l == 1 {
            let chunks: Vec<Val> =
                (0..count).map(|i| self.load(Type::V128, mem, base, i64::from(i) * chunk)).collect();
            let regs = match a.selem {
                2 => vec![self.b.vop(Op::VUzp1, shape, &chunks, 0), self.b.vop(Op::VUzp2, shape, &chunks, 0)],
                3 => self.transpose3(&chunks, a.size, chunk as u32, true),
                4 => {
                    let even_lo = self.b.vop(Op::VUzp1, shape, &chunks[..2], 0);
                    let odd_lo = self.b.vop(Op::VUzp2, shape, &chunks[..2], 0);
                    let even_hi = self.b.vop(Op::VUzp1, shape, &chunks[2..], 0);
                    let odd_hi = self.b.vop(Op::VUzp2, shape, &chunks[2..], 0);
                    vec![
                        self.b.vop(Op::VUzp1, shape, &[even_lo, even_hi], 0),
                        self.b.vop(Op::VUzp1, shape, &[odd_lo, odd_hi], 0),
                        self.b.vop(Op::VUzp2, shape, &[even_lo, even_hi], 0),
                        self.b.vop(Op::VUzp2, shape, &[odd_lo, odd_hi], 0),
                    ]
                }
                _ => chunks,
            };
            for (i, v) in regs.into_iter().enumerate() {
                self.set_v(reg(a.rt, i as u32), v);
            }
        } else {
            let regs: Vec<Val> = (0..count).map(|i| self.v(reg(a.rt, i))).collect();
            let chunks = match a.selem {
                2 => vec![self.b.vop(Op::VZip1, shape, &regs, 0), self.b.vop(Op::VZip2, shape, &regs, 0)],
                3 => self.transpose3(&regs, a.size, chunk as u32, false),
                4 => {
                    let even_lo = self.b.vop(Op::VZip1, shape, &[regs[0], regs[2]], 0);
                    let even_hi = self.b.vop(Op::VZip2, shape, &[regs[0], regs[2]], 0);
                    let odd_lo = self.b.vop(Op::VZip1, shape, &[regs[1], regs[3]], 0);
                    let odd_hi = self.b.vop(Op::VZip2, shape, &[regs[1], regs[3]], 0);
                    vec![
                        self.b.vop(Op::VZip1, shape, &[even_lo, odd_lo], 0),
                        self.b.vop(Op::VZip2, shape, &[even_lo, odd_lo], 0),
                        self.b.vop(Op::VZip1, shape, &[even_hi, odd_hi], 0),
                        self.b.vop(Op::VZip2, shape, &[even_hi, odd_hi], 0),
                    ]
                }
                _ => regs,
            };
            for (i, v) in chunks.into_iter().enumerate() {
                self.store(mem, base, i as i64 * chunk, v);
            }
        }
        self.write_back(a.rn, base, i64::from(count) * chunk, rm);
    }

    /// Three registers of `bytes` bytes from three chunks of memory (`load`) or the reverse, by table look-ups.
    fn transpose3(&mut self, from: &[Val], size: u32, bytes: u32, load: bool) -> Vec<Val> {
        let esize = 1 << size;
        let active = Shape::full(Size::B, bytes == 16);
        let mut out = Vec::new();
        for to in 0..3 {
            // Per byte of the result: which of `from` it comes from, and which byte of that.
            let source = |i: u32| {
                let pos = if load { (i / esize * 3 + to) * esize + i % esize } else { to * bytes + i };
                if load {
                    (pos / bytes, pos % bytes)
                } else {
                    let (element, byte) = (pos / esize, pos % esize);
                    (element % 3, element / 3 * esize + byte)
                }
            };
            let mut v = self.b.vconst(0, true);
            for (n, &table) in from.iter().enumerate() {
                let index: u128 = (0..bytes).fold(0, |m, i| {
                    let (which, byte) = source(i);
                    let index = if which == n as u32 { byte } else { 0xff };
                    m | u128::from(index) << (8 * i)
                });
                let index = self.vector_const(index);
                v = self.b.vop(Op::VTbl, active, &[v, table, index], 0);
            }
            out.push(v);
        }
        out
    }

    fn vector_const(&mut self, value: u128) -> Val {
        let (lo, hi) = (value as u64, (value >> 64) as u64);
        if lo == hi {
            return self.b.vconst(lo, true);
        }
        let v = self.b.vconst(lo, false);
        if hi == 0 {
            return v;
        }
        let hi = self.b.const64(hi);
        self.b.vop(Op::VIns, Shape::scalar(Size::D), &[v, hi], 1)
    }

    fn element_type(size: Size) -> Type {
        if size == Size::D { Type::I64 } else { Type::I32 }
    }

    fn single(&mut self, a: ArgsSingle, rm: Option<u32>) {
        let size = size_of(a.size);
        let (ty, mem, lane) = (Self::element_type(size), Mem::plain(size), Shape::scalar(size));
        let base = self.reg_sp(Type::I64, a.rn);
        let step = size.bytes() as i64;
        let count = a.selem + 1;
        if a.l == 1 {
            let elements: Vec<Val> =
                (0..count).map(|i| self.load(ty, mem, base, i64::from(i) * step)).collect();
            for (i, v) in elements.into_iter().enumerate() {
                let rt = reg(a.rt, i as u32);
                let old = self.v(rt);
                let v = self.b.vop(Op::VIns, lane, &[old, v], u64::from(a.index));
                self.set_v(rt, v);
            }
        } else {
            for i in 0..count {
                let v = self.v(reg(a.rt, i));
                let v = self.b.vget(ty, lane, false, v, a.index);
                self.store(mem, base, i64::from(i) * step, v);
            }
        }
        self.write_back(a.rn, base, i64::from(count) * step, rm);
    }

    fn replicate(&mut self, q: u32, count: u32, size: u32, rn: u32, rt: u32, rm: Option<u32>) {
        let size = size_of(size);
        let base = self.reg_sp(Type::I64, rn);
        let step = size.bytes() as i64;
        let elements: Vec<Val> = (0..count)
            .map(|i| self.load(Self::element_type(size), Mem::plain(size), base, i64::from(i) * step))
            .collect();
        for (i, v) in elements.into_iter().enumerate() {
            let v = self.b.vop(Op::VDup, Shape::full(size, q == 1), &[v], 0);
            self.set_v(reg(rt, i as u32), v);
        }
        self.write_back(rn, base, i64::from(count) * step, rm);
    }
}
