//! Inline forms of unit-stride accesses when vl is not at its maximum: the last round of a loop, short strings.
//!
//! The bytes are accessed in pieces of 16, the last of which ends where the access ends, so that it overlaps the one before. An
//! access of less than 16 bytes reads what is around it in the same page.

use super::inline::{Form, lanes, pieces};
use super::{Fields, VL, VType, piece};
use crate::decode::Vector;
use crate::trans::{Flow, Tr};
use ir::{Attr, Cc, Mem, Op, Size, Target, Term, Type, Val};

const PAGE: u64 = 4096;

impl Tr<'_> {
    /// Bytes that the access covers.
    fn part_bytes(&mut self, eew: Size) -> Val {
        let vl = self.b.get(VL, Type::I64);
        let n = self.b.const64(eew as u64);
        self.b.shl(vl, n)
    }

    /// Ends the block: goes on after the instruction if `a` is below `b` (unsigned), else in the next block.
    fn unless_below(&mut self, a: Val, b: u64, then: Target) {
        let b = self.b.const64(b);
        let d = self.b.sub(a, b);
        let flags = self.b.flags_of(d);
        let els = Target::Block(self.b.upcoming_block(1));
        let next = self.next();
        self.b.end_block(Term::Branch { flags, cc: Cc::Cc, then, els }, next);
        self.b.begin_internal(self.pc);
    }

    /// `n` in every byte, added to the bytes' own numbers.
    fn shifted_iota(&mut self, n: Val) -> Val {
        let by = self.b.push(Op::VDup, Type::V128, Attr::Vec(lanes(Size::B)), &[n], 0);
        let iota = self.iota(Size::B, 0);
        self.b.vop(Op::VAdd, lanes(Size::B), &[iota, by], 0)
    }

    /// Whether it is an access of consecutive elements with vl below its maximum, without a mask.
    pub(super) fn has_part_access(&mut self, insn: Vector, f: &Fields, t: VType) -> bool {
        let (Some(eew), fm) = (Size::from_log2(f.eew().min(3)), self.form(f, t)) else { return false };
        let plain = matches!(insn, Vector::Vle(_) | Vector::Vse(_)) && f.vm && f.nf == 0;
        plain && !fm.full && !self.rv32() && self.cpu.vlen >= 128 && fm.bytes_of(eew) <= 128
    }

    /// Such an access.
    pub(super) fn part_access(&mut self, insn: Vector, f: &Fields, t: VType) -> Flow {
        let (eew, fm) = (Size::from_log2(f.eew().min(3)).unwrap_or(Size::D), self.form(f, t));
        if matches!(insn, Vector::Vse(_)) { self.part_store(&fm, eew) } else { self.part_load(&fm, eew) }
    }

    fn part_load(&mut self, fm: &Form, eew: Size) -> Flow {
        let next = Target::Pc(self.next());
        let bytes = self.part_bytes(eew);
        self.unless_below(bytes, 1, next);
        let (base, bytes) = (self.x64(fm.f.vs1), self.part_bytes(eew));
        let c16 = self.b.const64(16);
        // Where the last 16 bytes begin; at the start of a page a short access must not begin below it.
        let last = self.b.sub(bytes, c16);
        let in_page = self.b.const64(PAGE - 16);
        let above = self.b.and(base, in_page);
        let flags = self.b.flags_of(above);
        let zero = self.b.const64(0);
        let at_start = self.b.smax(last, zero);
        let last = self.b.select(Cc::Eq, flags, at_start, last);
        for p in 0..pieces(fm.bytes_of(eew)) {
            let place = self.b.const64(16 * u64::from(p));
            let from = self.b.smin(place, last);
            let v = self.b.load(Type::V128, Mem::plain(Size::Q), base, from, 0);
            let late = self.b.sub(place, from);
            let index = self.shifted_iota(late);
            let old = self.vpiece(fm, fm.f.vd, p);
            // Bytes past the end have numbers from 16 on: they stay.
            let mut v = self.b.vop(Op::VTbl, lanes(Size::B), &[old, v, index], 0);
            if p == 0 {
                // Short and at the start of a page: more than is wanted was read.
                let n = self.b.umin(bytes, c16);
                let n = self.b.push(Op::VDup, Type::V128, Attr::Vec(lanes(Size::B)), &[n], 0);
                let iota = self.iota(Size::B, 0);
                let m = self.b.vop(Op::VCmpGtS, lanes(Size::B), &[n, iota], 0);
                v = self.b.vop(Op::VBsl, lanes(Size::B), &[m, v, old], 0);
            }
            self.b.set(piece(fm.f.vd * self.per_reg() + p), v);
        }
        Flow::End(Term::Jump(next))
    }

    fn per_reg(&self) -> u32 {
        self.cpu.vlen / 128
    }

    fn part_store(&mut self, fm: &Form, eew: Size) -> Flow {
        let next = Target::Pc(self.next());
        let end = self.next();
        let bytes = self.part_bytes(eew);
        self.unless_below(bytes, 1, next);
        // Blocks, counted from the open one: `whole` tests, of which test k leads to rest k if piece k is not covered; each
        // but the first begins with the store of the piece before. Then the store of the last whole piece with the last rest,
        // the other rests, and rest 0, which is short.
        let whole = pieces(fm.bytes_of(eew)) - 1;
        for k in 0..whole {
            let ahead = if k == 0 { 2 * whole } else { whole };
            let rest = Target::Block(self.b.upcoming_block(ahead));
            let bytes = self.part_bytes(eew);
            self.unless_below(bytes, 16 * u64::from(k + 1), rest);
            let base = self.x64(fm.f.vs1);
            let v = self.vpiece(fm, fm.f.vd, k);
            self.b.store(Mem::plain(Size::Q), base, Val::NONE, i64::from(16 * k), v);
        }
        for k in (1..=whole).rev().take(1).chain(1..whole) {
            // The last 16 bytes, from the two pieces that they lie in.
            let (base, bytes) = (self.x64(fm.f.vs1), self.part_bytes(eew));
            let start = self.b.const64(16 * u64::from(k));
            let late = self.b.sub(bytes, start);
            let index = self.shifted_iota(late);
            let (a, b) = (self.vpiece(fm, fm.f.vd, k - 1), self.vpiece(fm, fm.f.vd, k));
            let zero = self.b.vconst(0, true);
            let v = self.b.vop(Op::VTbl, lanes(Size::B), &[zero, a, index], 0);
            let v = self.b.vop(Op::VTbl, lanes(Size::B), &[v, b, index], 1);
            self.b.store(Mem::plain(Size::Q), base, bytes, -16, v);
            self.b.end_block(Term::Jump(next), end);
            self.b.begin_internal(self.pc);
        }
        self.short_store(fm, eew, next)
    }

    /// 1 to 15 bytes of piece 0.
    fn short_store(&mut self, fm: &Form, eew: Size, next: Target) -> Flow {
        let end = self.next();
        for size in [Size::D, Size::S] {
            // Two accesses that may overlap; three blocks on if it is shorter.
            let bytes = self.part_bytes(eew);
            let shorter = Target::Block(self.b.upcoming_block(2));
            self.unless_below(bytes, size.bytes() as u64, shorter);
            let (base, bytes) = (self.x64(fm.f.vs1), self.part_bytes(eew));
            let v = self.vpiece(fm, fm.f.vd, 0);
            let first = self.b.vget(Type::I64, lanes(size), false, v, 0);
            self.b.store(Mem::plain(size), base, Val::NONE, 0, first);
            let len = self.b.const64(size.bytes() as u64);
            let from = self.b.sub(bytes, len);
            let index = self.shifted_iota(from);
            let zero = self.b.vconst(0, true);
            let v = self.b.vop(Op::VTbl, lanes(Size::B), &[zero, v, index], 0);
            let last = self.b.vget(Type::I64, lanes(size), false, v, 0);
            self.b.store(Mem::plain(size), base, bytes, -(size.bytes() as i64), last);
            self.b.end_block(Term::Jump(next), end);
            self.b.begin_internal(self.pc);
        }
        // 1 to 3: the first, the middle and the last byte.
        let (base, bytes) = (self.x64(fm.f.vs1), self.part_bytes(eew));
        let v = self.vpiece(fm, fm.f.vd, 0);
        let word = self.b.vget(Type::I64, lanes(Size::D), false, v, 0);
        let one = self.b.const64(1);
        let middle = self.b.shr(bytes, one);
        let last = self.b.sub(bytes, one);
        let byte = Mem::plain(Size::B);
        self.b.store(byte, base, Val::NONE, 0, word);
        for at in [middle, last] {
            let three = self.b.const64(3);
            let n = self.b.shl(at, three);
            let x = self.b.shr(word, n);
            self.b.store(byte, base, at, 0, x);
        }
        Flow::End(Term::Jump(next))
    }
}
