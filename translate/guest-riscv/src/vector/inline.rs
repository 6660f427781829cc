//! Inline forms: vector instructions as operations on 128-bit pieces of register groups.
//!
//! With vl at its maximum and no mask a piece of the result is the operation on the pieces of the operands. Otherwise lanes past
//! vl and masked-off ones keep what the destination held: a mask of lanes selects. Operations with sticky effects see zeros in the
//! lanes that do not count. What has no inline form goes to the helper, and so does everything while vstart is not zero.
//!
//! An access may fault in the middle of a group; the engine then lets [`super::after_fault`] find the element.

use super::{FULL, Fields, VL, VType, piece};
use crate::decode::Vector;
use crate::trans::Tr;
use ir::{Attr, Cc, Mem, Op, Shape, Size, Type, Val};

/// Groups of more pieces would make too much code.
const MOST_PIECES: u32 = 16;
/// Elements of a strided or indexed access that is made one by one.
const MOST_ELEMENTS: u32 = 16;

/// An instruction under a vtype.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub f: Fields,
    pub t: VType,
    /// Width of an element.
    pub size: Size,
    /// Bytes of a group of such elements.
    pub bytes: u32,
    /// vl is at its maximum.
    pub full: bool,
    /// Pieces of one register.
    per_reg: u32,
}

impl Form {
    /// Bytes of the group with elements of another width.
    pub fn bytes_of(&self, size: Size) -> u32 {
        self.bytes * size.bytes() as u32 / self.size.bytes() as u32
    }
    pub fn wide(&self) -> Size {
        Size::from_log2(self.size as u32 + 1).unwrap_or(Size::D)
    }
    pub fn vlmax(&self) -> u32 {
        self.bytes >> self.t.sew
    }
    pub fn every(&self) -> bool {
        self.full && self.f.vm
    }
}

/// Pieces that hold this many bytes.
pub(super) fn pieces(bytes: u32) -> u32 {
    bytes.div_ceil(16)
}

pub(super) fn lanes(size: Size) -> Shape {
    Shape::full(size, true)
}

/// The second source.
#[derive(Clone, Copy)]
pub(super) enum Rhs {
    Reg(u32),
    /// The same in all lanes.
    Scalar(Val),
}

impl Tr<'_> {
    /// Slot of a piece of a group.
    pub(super) fn vpiece(&mut self, fm: &Form, reg: u32, p: u32) -> Val {
        self.b.get(piece(reg * fm.per_reg + p), Type::V128)
    }

    /// A constant of two halves.
    fn const128(&mut self, lo: u64, hi: u64) -> Val {
        if lo == hi {
            return self.b.vconst(lo, true);
        }
        let v = self.b.vconst(lo, false);
        if hi == 0 {
            return v;
        }
        let hi = self.b.const64(hi);
        self.b.vop(Op::VIns, lanes(Size::D), &[v, hi], 1)
    }

    /// The same value in all lanes.
    pub(super) fn splat(&mut self, size: Size, v: u64) -> Val {
        let bits = size.bits();
        let one = if bits == 64 { v } else { v & ((1 << bits) - 1) };
        let mut pattern = one;
        let mut n = bits;
        while n < 64 {
            pattern |= pattern << n;
            n *= 2;
        }
        self.b.vconst(pattern, true)
    }

    /// Element numbers of piece `p`.
    pub(super) fn iota(&mut self, size: Size, p: u32) -> Val {
        let n = 16 / size.bytes() as u64;
        let half = |from: u64| {
            (0..n / 2).fold(0, |v, i| {
                v | ((from + i) & (u64::MAX >> (64 - size.bits()))) << (i * u64::from(size.bits()))
            })
        };
        let first = u64::from(p) * n;
        self.const128(half(first), half(first + n / 2))
    }

    /// The mask register's bits for piece `p`, as lanes.
    fn v0_lanes(&mut self, fm: &Form, size: Size, p: u32) -> Val {
        let bits = self.b.vconst(0x8040_2010_0804_0201, true);
        let dup = |t: &mut Self, byte: u32, n: u8| {
            let v0 = t.vpiece(fm, 0, byte / 16);
            t.b.vop(Op::VDupLane, Shape::new(Size::B, n), &[v0], u64::from(byte % 16))
        };
        if size == Size::B {
            let (a, b) = (dup(self, 2 * p, 8), dup(self, 2 * p + 1, 8));
            let v = self.b.vop(Op::VZip1, lanes(Size::D), &[a, b], 0);
            return self.b.vop(Op::VTst, lanes(Size::B), &[v, bits], 0);
        }
        let per = size as u32 - 1;
        let v = dup(self, p >> per, 8);
        let mut v = self.b.vop(Op::VTst, Shape::new(Size::B, 8), &[v, bits], 0);
        for (level, s) in [Size::H, Size::S, Size::D].into_iter().enumerate() {
            if s > size {
                break;
            }
            // The halves are chosen from the top bit of the piece's place in the byte down.
            let level = level as u32;
            let part = if level == 0 { 0 } else { p >> (per - level) & 1 };
            v = self.b.vop(Op::VWidenS, lanes(s), &[v], u64::from(part));
        }
        v
    }

    /// The lanes of piece `p` that are written; `None` means all.
    pub(super) fn active(&mut self, fm: &Form, size: Size, p: u32) -> Option<Val> {
        let bytes = fm.bytes_of(size);
        let mut mask = None;
        if !fm.full {
            let vl = self.b.get(VL, Type::I64);
            let vl = self.b.push(Op::VDup, Type::V128, Attr::Vec(lanes(size)), &[vl], 0);
            let index = self.iota(size, p);
            // Bytes are counted up to 255.
            let op = if size == Size::B { Op::VCmpGtU } else { Op::VCmpGtS };
            mask = Some(self.b.vop(op, lanes(size), &[vl, index], 0));
        } else if bytes < 16 {
            mask = Some(self.b.vconst(u64::MAX >> (64 - 8 * bytes.min(8)), false));
        }
        if !fm.f.vm {
            let m = self.v0_lanes(fm, size, p);
            mask = Some(match mask {
                Some(k) => self.b.vop(Op::VAnd, lanes(size), &[k, m], 0),
                None => m,
            });
        }
        mask
    }

    /// Writes piece `p` of vd, lanes that are not active as they were.
    pub(super) fn vwrite(&mut self, fm: &Form, p: u32, v: Val, active: Option<Val>) {
        let v = match active {
            Some(m) => {
                let old = self.vpiece(fm, fm.f.vd, p);
                self.b.vop(Op::VBsl, lanes(Size::B), &[m, v, old], 0)
            }
            None => v,
        };
        self.b.set(piece(fm.f.vd * fm.per_reg + p), v);
    }

    /// x[rs1] sign-extended to 64 bits.
    fn rs1(&mut self, fm: &Form) -> Val {
        let v = self.x(fm.f.vs1);
        if self.rv32() { self.b.sext32(v) } else { v }
    }

    /// The second operand; an immediate is sign-extended.
    pub(super) fn rhs(&mut self, fm: &Form) -> Rhs {
        match fm.f.f3 {
            0..=2 => Rhs::Reg(fm.f.vs1),
            3 => {
                let v = i64::from(fm.f.vs1) << 59 >> 59;
                Rhs::Scalar(self.splat(fm.size, v as u64))
            }
            _ => {
                let v = self.rs1(fm);
                Rhs::Scalar(self.b.push(Op::VDup, Type::V128, Attr::Vec(lanes(fm.size)), &[v], 0))
            }
        }
    }

    pub(super) fn rhs_piece(&mut self, fm: &Form, rhs: Rhs, p: u32) -> Val {
        match rhs {
            Rhs::Reg(n) => self.vpiece(fm, n, p),
            Rhs::Scalar(v) => v,
        }
    }

    /// vd = f(vs2, other, vd) piece by piece.
    pub(super) fn vmap(&mut self, fm: &Form, f: impl Fn(&mut Self, Val, Val) -> Val) -> bool {
        let rhs = self.rhs(fm);
        for p in 0..pieces(fm.bytes) {
            let (a, b) = (self.vpiece(fm, fm.f.vs2, p), self.rhs_piece(fm, rhs, p));
            let v = f(self, a, b);
            let m = self.active(fm, fm.size, p);
            self.vwrite(fm, p, v, m);
        }
        true
    }

    pub(super) fn vbin(&mut self, fm: &Form, op: Op) -> bool {
        let s = lanes(fm.size);
        self.vmap(fm, |t, a, b| t.b.vop(op, s, &[a, b], 0))
    }

    /// The same for operations that must not see lanes that do not count.
    pub(super) fn vsticky(&mut self, fm: &Form, op: Op) -> bool {
        let (s, rhs) = (lanes(fm.size), self.rhs(fm));
        for p in 0..pieces(fm.bytes) {
            let (mut a, mut b) = (self.vpiece(fm, fm.f.vs2, p), self.rhs_piece(fm, rhs, p));
            let m = self.active(fm, fm.size, p);
            if let Some(m) = m {
                a = self.b.vop(Op::VAnd, s, &[a, m], 0);
                b = self.b.vop(Op::VAnd, s, &[b, m], 0);
            }
            let v = self.b.vop(op, s, &[a, b], 0);
            self.vwrite(fm, p, v, m);
        }
        true
    }

    /// Shift of elements of `size` by an amount that is taken modulo their width.
    pub(super) fn vshift(&mut self, size: Size, a: Val, by: Val, op: Op, left: bool) -> Val {
        let s = lanes(size);
        let mask = self.splat(size, u64::from(size.bits() - 1));
        let mut n = self.b.vop(Op::VAnd, s, &[by, mask], 0);
        if !left {
            n = self.b.vop(Op::VNeg, s, &[n], 0);
        }
        self.b.vop(op, s, &[a, n], 0)
    }

    pub(super) fn vshift_imm(&mut self, size: Size, a: Val, n: u32, op: Op) -> Val {
        match n {
            0 => a,
            n => self.b.vop(op, lanes(size), &[a], u64::from(n)),
        }
    }

    fn shifts(&mut self, fm: &Form, var: Op, imm: Op, left: bool) -> bool {
        let size = fm.size;
        if fm.f.f3 == 3 {
            let n = fm.f.vs1 & (size.bits() - 1);
            return self.vmap(fm, |t, a, _| t.vshift_imm(size, a, n, imm));
        }
        self.vmap(fm, |t, a, b| t.vshift(size, a, b, var, left))
    }

    /// vd = a ± b * c for the multiply-add family: `addend` is vd (or vs2), the factor the other.
    fn muladd(&mut self, fm: &Form, to_vd: bool, op: Op) -> bool {
        let (s, rhs) = (lanes(fm.size), self.rhs(fm));
        for p in 0..pieces(fm.bytes) {
            let (a, b) = (self.vpiece(fm, fm.f.vs2, p), self.rhs_piece(fm, rhs, p));
            let d = self.vpiece(fm, fm.f.vd, p);
            let (factor, addend) = if to_vd { (a, d) } else { (d, a) };
            let m = self.b.vop(Op::VMul, s, &[factor, b], 0);
            let v = self.b.vop(op, s, &[addend, m], 0);
            let m = self.active(fm, fm.size, p);
            self.vwrite(fm, p, v, m);
        }
        true
    }

    /// Piece `j` of a group of wide elements from narrow ones: `f` gets both operands as they are and which half counts.
    fn widening(&mut self, fm: &Form, f: impl Fn(&mut Self, Val, Val, u64, u32) -> Val) -> bool {
        let (wide, rhs) = (fm.wide(), self.rhs(fm));
        for j in 0..pieces(fm.bytes_of(wide)) {
            let (a, b) = (self.vpiece(fm, fm.f.vs2, j / 2), self.rhs_piece(fm, rhs, j / 2));
            // The group's own pieces are not read again: overlap is allowed only where this order is right.
            let v = f(self, a, b, u64::from(j & 1), j);
            let m = self.active(fm, wide, j);
            self.vwrite(fm, j, v, m);
        }
        true
    }

    fn widen_both(
        &mut self,
        fm: &Form,
        signs: [bool; 2],
        f: impl Fn(&mut Self, Val, Val, u32) -> Val,
    ) -> bool {
        let s = lanes(fm.wide());
        let op = signs.map(|signed| if signed { Op::VWidenS } else { Op::VWidenU });
        self.widening(fm, |t, a, b, half, j| {
            let a = t.b.vop(op[0], s, &[a], half);
            let b = t.b.vop(op[1], s, &[b], half);
            f(t, a, b, j)
        })
    }

    /// Wide vs2 with a narrow second operand.
    fn widen_second(&mut self, fm: &Form, signed: bool, op: Op) -> bool {
        let (wide, rhs) = (fm.wide(), self.rhs(fm));
        let (s, widen) = (lanes(wide), if signed { Op::VWidenS } else { Op::VWidenU });
        for j in 0..pieces(fm.bytes_of(wide)) {
            let (a, b) = (self.vpiece(fm, fm.f.vs2, j), self.rhs_piece(fm, rhs, j / 2));
            let b = self.b.vop(widen, s, &[b], u64::from(j & 1));
            let v = self.b.vop(op, s, &[a, b], 0);
            let m = self.active(fm, wide, j);
            self.vwrite(fm, j, v, m);
        }
        true
    }

    /// Low or high halves of two pieces of wide elements as one.
    pub(super) fn join(&mut self, fm: &Form, op: Op, a: Val, b: Option<Val>) -> Val {
        let b = b.unwrap_or(a);
        self.b.vop(op, lanes(fm.size), &[a, b], 0)
    }

    fn narrow_shift(&mut self, fm: &Form, var: Op, imm: Op) -> bool {
        let wide = fm.wide();
        let rhs = self.rhs(fm);
        let wide_pieces = pieces(fm.bytes_of(wide));
        for p in 0..pieces(fm.bytes) {
            let mut halves = [None; 2];
            for (h, out) in halves.iter_mut().enumerate() {
                let q = 2 * p + h as u32;
                if q >= wide_pieces {
                    continue;
                }
                let a = self.vpiece(fm, fm.f.vs2, q);
                *out = Some(if fm.f.f3 == 3 {
                    self.vshift_imm(wide, a, fm.f.vs1 & (wide.bits() - 1), imm)
                } else {
                    let b = self.rhs_piece(fm, rhs, p);
                    let b = self.b.vop(Op::VWidenU, lanes(wide), &[b], h as u64);
                    self.vshift(wide, a, b, var, false)
                });
            }
            let a = halves[0].expect("there is one at least");
            let v = self.join(fm, Op::VUzp1, a, halves[1]);
            let m = self.active(fm, fm.size, p);
            self.vwrite(fm, p, v, m);
        }
        true
    }

    /// vzext and vsext.
    fn vextend(&mut self, fm: &Form, op: Op) -> bool {
        // Log2 of the factor.
        let by = 4 - (fm.f.vs1 >> 1);
        for p in 0..pieces(fm.bytes) {
            let mut v = self.vpiece(fm, fm.f.vs2, p >> by);
            for level in (0..by).rev() {
                let size = Size::from_log2(fm.t.sew - level).unwrap_or(Size::D);
                v = self.b.vop(op, lanes(size), &[v], u64::from(p >> level & 1));
            }
            let m = self.active(fm, fm.size, p);
            self.vwrite(fm, p, v, m);
        }
        true
    }

    /// 64 bits of a mask register.
    fn mask_word(&mut self, fm: &Form, reg: u32, word: u32) -> Val {
        let v = self.vpiece(fm, reg, word / 2);
        self.b.vget(Type::I64, lanes(Size::D), false, v, word & 1)
    }

    /// The bits of word `word` below vl. Not all only if vlmax is at most 64.
    fn bits_below_vl(&mut self, fm: &Form, word: u32) -> Val {
        if fm.full {
            let n = fm.vlmax() - 64 * word;
            return self.b.const64(if n >= 64 { u64::MAX } else { (1 << n) - 1 });
        }
        // vl is less than vlmax.
        let (mut n, one) = (self.b.get(VL, Type::I64), self.b.const64(1));
        if fm.vlmax() <= 64 {
            let top = self.b.shl(one, n);
            return self.b.sub(top, one);
        }
        // How many bits are past this word's first, negative if none, and whether they fill it.
        let first = self.b.const64(64 * u64::from(word));
        n = self.b.sub(n, first);
        let zero = self.b.const64(0);
        n = self.b.smax(n, zero);
        let top = self.b.shl(one, n);
        let some = self.b.sub(top, one);
        let (full, all) = (self.b.const64(64), self.b.const64(u64::MAX));
        let d = self.b.sub(n, full);
        let flags = self.b.flags_of(d);
        self.b.select(Cc::Lt, flags, some, all)
    }

    /// Whether masks can be handled as words.
    pub(super) fn mask_words(fm: &Form) -> Option<u32> {
        (fm.vlmax() <= 128).then(|| fm.vlmax().div_ceil(64))
    }

    /// Writes word `word` of a mask register, where `masked` allows.
    pub(super) fn write_mask(&mut self, fm: &Form, word: u32, v: Val, masked: bool) {
        let mut active = self.bits_below_vl(fm, word);
        if masked && !fm.f.vm {
            let v0 = self.mask_word(fm, 0, word);
            active = self.b.and(active, v0);
        }
        let v = if self.b.as_const(active) == Some(u64::MAX) {
            v
        } else {
            let old = self.mask_word(fm, fm.f.vd, word);
            let (keep, new) = (self.b.andn(old, active), self.b.and(v, active));
            self.b.or(keep, new)
        };
        let d = self.vpiece(fm, fm.f.vd, 0);
        let d = self.b.vop(Op::VIns, lanes(Size::D), &[d, v], u64::from(word));
        self.b.set(piece(fm.f.vd * fm.per_reg), d);
    }

    /// Lane masks of the group's pieces as the bits of vd.
    pub(super) fn write_lanes(&mut self, fm: &Form, masks: &[Val]) {
        let s = lanes(fm.size);
        let per_word = 64 / u32::from(s.lanes);
        for (w, chunk) in masks.chunks(per_word as usize).enumerate() {
            let mut word = None;
            for (i, &m) in chunk.iter().enumerate() {
                let bits = self.b.push(Op::VMask, Type::I64, Attr::Vec(s), &[m], 0);
                word = Some(match word {
                    None => bits,
                    Some(v) => {
                        let n = self.b.const64(i as u64 * u64::from(s.lanes));
                        let b = self.b.shl(bits, n);
                        self.b.or(v, b)
                    }
                });
            }
            self.write_mask(fm, w as u32, word.expect("chunks are not empty"), true);
        }
    }

    fn vcompare(&mut self, fm: &Form, f: impl Fn(&mut Self, Val, Val) -> Val) -> bool {
        if Self::mask_words(fm).is_none() {
            return false;
        }
        let rhs = self.rhs(fm);
        let masks: Vec<Val> = (0..pieces(fm.bytes))
            .map(|p| {
                let (a, b) = (self.vpiece(fm, fm.f.vs2, p), self.rhs_piece(fm, rhs, p));
                f(self, a, b)
            })
            .collect();
        self.write_lanes(fm, &masks);
        true
    }

    fn vcmp(&mut self, fm: &Form, op: Op, swap: bool, not: bool) -> bool {
        let s = lanes(fm.size);
        self.vcompare(fm, |t, a, b| {
            let v = t.b.vop(op, s, &if swap { [b, a] } else { [a, b] }, 0);
            if not { t.b.vop(Op::VNot, s, &[v], 0) } else { v }
        })
    }

    fn mask_logic(&mut self, fm: &Form, f: impl Fn(&mut Self, Val, Val) -> Val) -> bool {
        let Some(words) = Self::mask_words(fm) else { return false };
        for w in 0..words {
            let (a, b) = (self.mask_word(fm, fm.f.vs2, w), self.mask_word(fm, fm.f.vs1, w));
            let v = f(self, a, b);
            self.write_mask(fm, w, v, false);
        }
        true
    }

    /// vcpop and vfirst.
    fn mask_scalar(&mut self, fm: &Form, first: bool) -> bool {
        let Some(words) = Self::mask_words(fm) else { return false };
        let found: Vec<Val> = (0..words)
            .map(|w| {
                let v = self.mask_word(fm, fm.f.vs2, w);
                let mut active = self.bits_below_vl(fm, w);
                if !fm.f.vm {
                    let v0 = self.mask_word(fm, 0, w);
                    active = self.b.and(active, v0);
                }
                self.b.and(v, active)
            })
            .collect();
        let mut result = None;
        for (w, &v) in found.iter().enumerate().rev() {
            result = Some(if first {
                let none = match result {
                    Some(r) => r,
                    None => self.b.const64(u64::MAX),
                };
                let at = self.b.ctz(v);
                let base = self.b.const64(64 * w as u64);
                let at = self.b.add(at, base);
                let v = self.b.and(v, v);
                let flags = self.b.flags_of(v);
                self.b.select(Cc::Eq, flags, none, at)
            } else {
                let n = self.b.popcnt(v);
                result.map_or(n, |r| self.b.add(r, n))
            });
        }
        let v = result.expect("a mask has a word");
        let v = self.low(v);
        self.set(fm.f.vd, v);
        true
    }

    /// vmerge: the mask chooses in every lane.
    pub(super) fn merge(&mut self, fm: &Form, rhs: Rhs) -> bool {
        let all = Form { f: Fields { vm: true, ..fm.f }, ..*fm };
        for p in 0..pieces(fm.bytes) {
            let (a, b) = (self.vpiece(fm, fm.f.vs2, p), self.rhs_piece(fm, rhs, p));
            let m = self.v0_lanes(fm, fm.size, p);
            let v = self.b.vop(Op::VBsl, lanes(fm.size), &[m, b, a], 0);
            let m = self.active(&all, fm.size, p);
            self.vwrite(&all, p, v, m);
        }
        true
    }

    pub(super) fn copy(&mut self, fm: &Form, rhs: Rhs) -> bool {
        for p in 0..pieces(fm.bytes) {
            let v = self.rhs_piece(fm, rhs, p);
            let m = self.active(fm, fm.size, p);
            self.vwrite(fm, p, v, m);
        }
        true
    }

    /// Writes element 0 of vd from lane 0, unless vl is zero.
    pub(super) fn write_first(&mut self, fm: &Form, size: Size, v: Val) {
        let old = self.vpiece(fm, fm.f.vd, 0);
        let mut new = self.b.vop(Op::VInsLane, lanes(size), &[old, v], 0);
        if !fm.full {
            let vl = self.b.get(VL, Type::I64);
            let t = self.b.and(vl, vl);
            let flags = self.b.flags_of(t);
            new = self.b.select(Cc::Eq, flags, old, new);
        }
        self.b.set(piece(fm.f.vd * fm.per_reg), new);
    }

    /// Pieces of vs2 with `neutral` in the lanes that do not count.
    fn counted(&mut self, fm: &Form, neutral: u64) -> Vec<Val> {
        (0..pieces(fm.bytes))
            .map(|p| {
                let a = self.vpiece(fm, fm.f.vs2, p);
                match self.active(fm, fm.size, p) {
                    None => a,
                    Some(m) if neutral == 0 => self.b.vop(Op::VAnd, lanes(fm.size), &[a, m], 0),
                    Some(m) => {
                        let n = self.splat(fm.size, neutral);
                        self.b.vop(Op::VBsl, lanes(fm.size), &[m, a, n], 0)
                    }
                }
            })
            .collect()
    }

    fn reduction(&mut self, fm: &Form, op: Op, all: Option<Op>, neutral: u64) -> bool {
        let s = lanes(fm.size);
        let values = self.counted(fm, neutral);
        let mut v = values[0];
        for &x in &values[1..] {
            v = self.b.vop(op, s, &[v, x], 0);
        }
        match all {
            Some(all) => v = self.b.vop(all, s, &[v], 0),
            None => {
                let mut n = 8;
                while n >= fm.size.bytes() as u64 {
                    let half = self.b.vop(Op::VExt, lanes(Size::B), &[v, v], n);
                    v = self.b.vop(op, s, &[v, half], 0);
                    n /= 2;
                }
            }
        }
        let first = self.vpiece(fm, fm.f.vs1, 0);
        let v = self.b.vop(op, Shape::scalar(fm.size), &[v, first], 0);
        self.write_first(fm, fm.size, v);
        true
    }

    fn wide_sum(&mut self, fm: &Form, signed: bool) -> bool {
        let wide = fm.wide();
        let s = lanes(wide);
        // Pairs of neighbours: every lane is counted once.
        let pairs = if signed { Op::VAddlpS } else { Op::VAddlpU };
        let values = self.counted(fm, 0);
        let mut sum = None;
        for x in values {
            let v = self.b.vop(pairs, s, &[x], 0);
            sum = Some(match sum {
                Some(y) => self.b.vop(Op::VAdd, s, &[y, v], 0),
                None => v,
            });
        }
        let v = self.b.vop(Op::VRedAdd, s, &[sum.expect("a group has a piece")], 0);
        let first = self.vpiece(fm, fm.f.vs1, 0);
        let v = self.b.vop(Op::VAdd, Shape::scalar(wide), &[v, first], 0);
        self.write_first(fm, wide, v);
        true
    }

    /// Slides of whole groups by a constant number of elements: `x` enters where elements leave.
    pub(super) fn slide(&mut self, fm: &Form, up: bool, by: u32, x: Option<Val>) -> bool {
        if !fm.every() || fm.bytes < 16 || by >= fm.vlmax() {
            return false;
        }
        let (n, k) = (pieces(fm.bytes), by << fm.t.sew);
        let (whole, rest) = (k / 16, u64::from(k % 16));
        let zero = self.b.vconst(0, true);
        let bytes = lanes(Size::B);
        for p in 0..n {
            let source = |t: &mut Self, q: i64| {
                if (0..i64::from(n)).contains(&q) { t.vpiece(fm, fm.f.vs2, q as u32) } else { zero }
            };
            let mut v;
            if up {
                if p < whole {
                    continue;
                }
                let q = i64::from(p - whole);
                v = if rest == 0 {
                    source(self, q)
                } else {
                    let (a, b) = (source(self, q - 1), source(self, q));
                    self.b.vop(Op::VExt, bytes, &[a, b], 16 - rest)
                };
                if q == 0 && rest != 0 && x.is_none() {
                    // The elements below keep what they were.
                    let ones = |n: u64| if n == 0 { 0 } else { u64::MAX >> (64 - 8 * n) };
                    let keep = self.const128(ones(rest.min(8)), ones(rest.saturating_sub(8)));
                    let old = self.vpiece(fm, fm.f.vd, p);
                    v = self.b.vop(Op::VBsl, bytes, &[keep, old, v], 0);
                }
            } else {
                let q = i64::from(p + whole);
                v = source(self, q);
                if rest != 0 {
                    let b = source(self, q + 1);
                    v = self.b.vop(Op::VExt, bytes, &[v, b], rest);
                }
            }
            if let Some(x) = x
                && p == if up { 0 } else { n - 1 }
            {
                let lane = if up { 0 } else { u64::from(lanes(fm.size).lanes) - 1 };
                v = self.b.vop(Op::VInsLane, lanes(fm.size), &[v, x], lane);
            }
            self.vwrite(fm, p, v, None);
        }
        true
    }

    /// x[rs1] in lane 0.
    fn scalar_lane(&mut self, fm: &Form) -> Val {
        let v = self.rs1(fm);
        self.b.push(Op::VDup, Type::V128, Attr::Vec(Shape::scalar(fm.size)), &[v], 0)
    }

    /// Loads and stores of consecutive bytes. A fault may find some pieces done: they are done again, with the same result.
    fn bytes_access(&mut self, fm: &Form, bytes: u32, write: bool) -> bool {
        let base = self.x(fm.f.vs1);
        for p in 0..pieces(bytes) {
            let n = (bytes - 16 * p).min(16);
            let mem = Mem::plain(Size::from_log2(n.ilog2()).unwrap_or(Size::Q));
            let at = i64::from(16 * p);
            if write {
                let v = self.vpiece(fm, fm.f.vd, p);
                self.b.store(mem, base, Val::NONE, at, v);
                continue;
            }
            let mut v = self.b.load(Type::V128, mem, base, Val::NONE, at);
            if mem.size != Size::Q {
                let old = self.vpiece(fm, fm.f.vd, p);
                v = self.b.vop(Op::VInsLane, lanes(mem.size), &[old, v], 0);
            }
            self.vwrite(fm, p, v, None);
        }
        true
    }

    /// A load of consecutive elements of which some do not count. All bytes are read: if that faults,
    /// [`super::after_fault`] reads those that count.
    fn masked_load(&mut self, fm: &Form, size: Size) -> bool {
        let (base, bytes) = (self.x64(fm.f.vs1), fm.bytes_of(size));
        for p in 0..pieces(bytes) {
            let n = (bytes - 16 * p).min(16);
            let mem = Mem::plain(Size::from_log2(n.ilog2()).unwrap_or(Size::Q));
            let v = self.b.load(Type::V128, mem, base, Val::NONE, i64::from(16 * p));
            let m = self.active(fm, size, p);
            self.vwrite(fm, p, v, m);
        }
        true
    }

    /// vrgather: with an immediate one element everywhere, else a table of 16 bytes.
    fn gather(&mut self, fm: &Form) -> bool {
        let (f, size) = (&fm.f, fm.size);
        if f.f3 == 3 {
            let per = u32::from(lanes(size).lanes);
            let v = if f.vs1 < fm.vlmax() {
                let v = self.vpiece(fm, f.vs2, f.vs1 / per);
                self.b.vop(Op::VDupLane, lanes(size), &[v], u64::from(f.vs1 % per))
            } else {
                self.b.vconst(0, true)
            };
            return self.copy(fm, Rhs::Scalar(v));
        }
        if f.f3 != 0 || size == Size::D || fm.bytes != 16 || !fm.every() {
            return false;
        }
        let (table, mut index) = (self.vpiece(fm, f.vs2, 0), self.vpiece(fm, f.vs1, 0));
        if size != Size::B {
            // The numbers of an element's bytes; those past the table are 16 and more.
            let (most, scale, first) =
                if size == Size::H { (8, 0x0202, 0x0100) } else { (4, 0x0404_0404, 0x0302_0100) };
            let [most, scale, first] = [most, scale, first].map(|n| self.splat(size, n));
            index = self.b.vop(Op::VUMin, lanes(size), &[index, most], 0);
            index = self.b.vop(Op::VMul, lanes(size), &[index, scale], 0);
            index = self.b.vop(Op::VAdd, lanes(size), &[index, first], 0);
        }
        let zero = self.b.vconst(0, true);
        let v = self.b.vop(Op::VTbl, lanes(Size::B), &[zero, table, index], 0);
        self.vwrite(fm, 0, v, None);
        true
    }

    /// Elements one by one, at addresses that `address` gives.
    fn elements(
        &mut self,
        fm: &Form,
        size: Size,
        write: bool,
        mut address: impl FnMut(&mut Self, u32) -> Val,
    ) -> bool {
        let n = fm.vlmax();
        if n > MOST_ELEMENTS || !fm.every() || fm.f.nf != 0 || fm.bytes_of(size) < 16 {
            return false;
        }
        let per = u32::from(lanes(size).lanes);
        let mut groups = Vec::new();
        for p in 0..pieces(fm.bytes_of(size)) {
            let mut v = if write { self.vpiece(fm, fm.f.vd, p) } else { self.b.vconst(0, true) };
            for i in 0..per {
                let at = address(self, p * per + i);
                if write {
                    let x = self.b.vget(Type::I64, lanes(size), false, v, i);
                    self.b.store(Mem::plain(size), at, Val::NONE, 0, x);
                } else {
                    let x = self.b.load(Type::I64, Mem::plain(size), at, Val::NONE, 0);
                    v = self.b.vop(Op::VIns, lanes(size), &[v, x], u64::from(i));
                }
            }
            groups.push(v);
        }
        if !write {
            for (p, v) in groups.into_iter().enumerate() {
                self.vwrite(fm, p as u32, v, None);
            }
        }
        true
    }

    fn strided(&mut self, fm: &Form, size: Size, write: bool) -> bool {
        let (mut at, stride) = (self.x(fm.f.vs1), self.x(fm.f.vs2));
        self.elements(fm, size, write, |t, i| {
            if i > 0 {
                at = t.b.add(at, stride);
            }
            at
        })
    }

    fn vindexed(&mut self, fm: &Form, write: bool) -> bool {
        let base = self.x(fm.f.vs1);
        let (size, reg) = (Size::from_log2(fm.f.eew()).unwrap_or(Size::D), fm.f.vs2);
        let per = u32::from(lanes(size).lanes);
        self.elements(fm, fm.size, write, |t, i| {
            let v = t.vpiece(fm, reg, i / per);
            let index = t.b.vget(Type::I64, lanes(size), false, v, i % per);
            t.b.add(base, index)
        })
    }

    /// The instruction under a vtype.
    pub(super) fn form(&self, f: &Fields, t: VType) -> Form {
        let vlenb = self.cpu.vlen / 8;
        let bytes = if t.lmul >= 0 { vlenb << t.lmul } else { vlenb >> -t.lmul };
        let size = Size::from_log2(t.sew).unwrap_or(Size::D);
        Form { f: *f, t, size, bytes, full: self.mode & FULL != 0, per_reg: vlenb / 16 }
    }

    /// Emits an inline form; false if there is none.
    pub(super) fn inline(&mut self, insn: Vector, f: &Fields, t: VType) -> bool {
        use Vector as V;
        let fm = &self.form(f, t);
        let (size, full) = (fm.size, fm.full);
        let vlenb = self.cpu.vlen / 8;
        if vlenb < 16 || pieces(fm.bytes) > MOST_PIECES || (!full && fm.vlmax() > 256) {
            return false;
        }
        let eew = Size::from_log2(f.eew().min(3)).unwrap_or(Size::D);
        let s = lanes(size);
        match insn {
            V::Vle(_) | V::Vse(_) | V::Vleff(_) if fm.every() && f.nf == 0 && !self.rv32() => {
                self.bytes_access(fm, fm.bytes_of(eew), matches!(insn, V::Vse(_)))
            }
            V::Vle(_)
                if !f.vm && f.nf == 0 && !self.rv32() && pieces(fm.bytes_of(eew)) <= MOST_PIECES / 2 =>
            {
                self.masked_load(fm, eew)
            }
            V::Vlm(_) | V::Vsm(_) if full && fm.vlmax() >= 8 && !self.rv32() => {
                self.bytes_access(fm, fm.vlmax() / 8, matches!(insn, V::Vsm(_)))
            }
            V::Vlr(_) | V::Vsr(_) if !self.rv32() && (f.nf + 1) * vlenb <= 16 * MOST_PIECES => {
                self.bytes_access(fm, (f.nf + 1) * vlenb, matches!(insn, V::Vsr(_)))
            }
            V::Vlse(_) | V::Vsse(_) if !self.rv32() => self.strided(fm, eew, matches!(insn, V::Vsse(_))),
            V::Vluxei(_) | V::Vloxei(_) if !self.rv32() => self.vindexed(fm, false),
            V::Vsuxei(_) | V::Vsoxei(_) if !self.rv32() => self.vindexed(fm, true),

            V::Vadd(_) => self.vbin(fm, Op::VAdd),
            V::Vsub(_) => self.vbin(fm, Op::VSub),
            V::Vrsub(_) => self.vmap(fm, |t, a, b| t.b.vop(Op::VSub, s, &[b, a], 0)),
            V::Vminu(_) => self.vbin(fm, Op::VUMin),
            V::Vmin(_) => self.vbin(fm, Op::VSMin),
            V::Vmaxu(_) => self.vbin(fm, Op::VUMax),
            V::Vmax(_) => self.vbin(fm, Op::VSMax),
            V::Vand(_) => self.vbin(fm, Op::VAnd),
            V::Vor(_) => self.vbin(fm, Op::VOr),
            V::Vxor(_) => self.vbin(fm, Op::VXor),
            V::Vandn(_) => self.vbin(fm, Op::VAndN),
            V::Vmul(_) => self.vbin(fm, Op::VMul),
            V::Vmulh(_) | V::Vmulhu(_) if size != Size::D => {
                let op = if matches!(insn, V::Vmulh(_)) { Op::VMullS } else { Op::VMullU };
                let w = lanes(fm.wide());
                self.vmap(fm, |t, a, b| {
                    let (lo, hi) = (t.b.vop(op, w, &[a, b], 0), t.b.vop(op, w, &[a, b], 1));
                    t.b.vop(Op::VUzp2, s, &[lo, hi], 0)
                })
            }
            V::Vsll(_) => self.shifts(fm, Op::VShlU, Op::VShlI, true),
            V::Vsrl(_) => self.shifts(fm, Op::VShlU, Op::VShrI, false),
            V::Vsra(_) => self.shifts(fm, Op::VShlS, Op::VSarI, false),
            V::Vsaddu(_) => self.vsticky(fm, Op::VQaddU),
            V::Vsadd(_) => self.vsticky(fm, Op::VQaddS),
            V::Vssubu(_) => self.vsticky(fm, Op::VQsubU),
            V::Vssub(_) => self.vsticky(fm, Op::VQsubS),
            V::Vmacc(_) => self.muladd(fm, true, Op::VAdd),
            V::Vnmsac(_) => self.muladd(fm, true, Op::VSub),
            V::Vmadd(_) => self.muladd(fm, false, Op::VAdd),
            V::Vnmsub(_) => self.muladd(fm, false, Op::VSub),
            V::VcpopV(_) => self.vmap_unary(fm, Op::VCnt),
            V::Vclz(_) => self.vmap_unary(fm, Op::VClz),
            V::Vbrev(_) => self.vmap_unary(fm, Op::VRbit),
            V::Vmseq(_) => self.vcmp(fm, Op::VCmpEq, false, false),
            V::Vmsne(_) => self.vcmp(fm, Op::VCmpEq, false, true),
            V::Vmsltu(_) => self.vcmp(fm, Op::VCmpGtU, true, false),
            V::Vmslt(_) => self.vcmp(fm, Op::VCmpGtS, true, false),
            V::Vmsleu(_) => self.vcmp(fm, Op::VCmpGeU, true, false),
            V::Vmsle(_) => self.vcmp(fm, Op::VCmpGeS, true, false),
            V::Vmsgtu(_) => self.vcmp(fm, Op::VCmpGtU, false, false),
            V::Vmsgt(_) => self.vcmp(fm, Op::VCmpGtS, false, false),
            V::Vmerge(_) => {
                let rhs = self.rhs(fm);
                self.merge(fm, rhs)
            }
            V::VmvV(_) => {
                let rhs = self.rhs(fm);
                self.copy(fm, rhs)
            }
            V::Vmvnr(_) if (f.vs1 + 1) * vlenb <= 16 * MOST_PIECES => {
                for p in 0..(f.vs1 + 1) * vlenb / 16 {
                    let v = self.vpiece(fm, f.vs2, p);
                    self.vwrite(fm, p, v, None);
                }
                true
            }
            V::Vid(_) => {
                for p in 0..pieces(fm.bytes) {
                    let v = self.iota(size, p);
                    let m = self.active(fm, size, p);
                    self.vwrite(fm, p, v, m);
                }
                true
            }
            V::VmvXS(_) => {
                let v = self.vpiece(fm, f.vs2, 0);
                let v = self.b.vget(Type::I64, s, true, v, 0);
                let v = self.low(v);
                self.set(f.vd, v);
                true
            }
            V::VmvSX(_) => {
                let v = self.scalar_lane(fm);
                self.write_first(fm, size, v);
                true
            }
            V::Vmandn(_) => self.mask_logic(fm, |t, a, b| t.b.andn(a, b)),
            V::Vmand(_) => self.mask_logic(fm, |t, a, b| t.b.and(a, b)),
            V::Vmor(_) => self.mask_logic(fm, |t, a, b| t.b.or(a, b)),
            V::Vmxor(_) => self.mask_logic(fm, |t, a, b| t.b.xor(a, b)),
            V::Vmorn(_) => self.mask_logic(fm, |t, a, b| t.b.orn(a, b)),
            V::Vmnand(_) => self.mask_logic(fm, |t, a, b| {
                let v = t.b.and(a, b);
                t.b.not(v)
            }),
            V::Vmnor(_) => self.mask_logic(fm, |t, a, b| {
                let v = t.b.or(a, b);
                t.b.not(v)
            }),
            V::Vmxnor(_) => self.mask_logic(fm, |t, a, b| {
                let v = t.b.xor(a, b);
                t.b.not(v)
            }),
            V::VcpopM(_) => self.mask_scalar(fm, false),
            V::VfirstM(_) => self.mask_scalar(fm, true),
            V::Vzext(_) => self.vextend(fm, Op::VWidenU),
            V::Vsext(_) => self.vextend(fm, Op::VWidenS),
            V::Vnsrl(_) => self.narrow_shift(fm, Op::VShlU, Op::VShrI),
            V::Vnsra(_) => self.narrow_shift(fm, Op::VShlS, Op::VSarI),
            V::Vwaddu(_) => self.wide_op(fm, [false; 2], Op::VAdd),
            V::Vwadd(_) => self.wide_op(fm, [true; 2], Op::VAdd),
            V::Vwsubu(_) => self.wide_op(fm, [false; 2], Op::VSub),
            V::Vwsub(_) => self.wide_op(fm, [true; 2], Op::VSub),
            V::VwadduW(_) => self.widen_second(fm, false, Op::VAdd),
            V::VwaddW(_) => self.widen_second(fm, true, Op::VAdd),
            V::VwsubuW(_) => self.widen_second(fm, false, Op::VSub),
            V::VwsubW(_) => self.widen_second(fm, true, Op::VSub),
            V::Vwmulu(_) => self.wide_mul(fm, Op::VMullU, false),
            V::Vwmul(_) => self.wide_mul(fm, Op::VMullS, false),
            V::Vwmaccu(_) => self.wide_mul(fm, Op::VMullU, true),
            V::Vwmacc(_) => self.wide_mul(fm, Op::VMullS, true),
            V::Vwmulsu(_) => self.wide_op(fm, [true, false], Op::VMul),
            V::Vredsum(_) => self.reduction(fm, Op::VAdd, Some(Op::VRedAdd), 0),
            V::Vredand(_) => self.reduction(fm, Op::VAnd, None, u64::MAX),
            V::Vredor(_) => self.reduction(fm, Op::VOr, None, 0),
            V::Vredxor(_) => self.reduction(fm, Op::VXor, None, 0),
            V::Vredminu(_) => self.reduction(fm, Op::VUMin, None, u64::MAX),
            V::Vredmin(_) => self.reduction(fm, Op::VSMin, None, u64::MAX >> (65 - size.bits())),
            V::Vredmaxu(_) => self.reduction(fm, Op::VUMax, None, 0),
            V::Vredmax(_) => self.reduction(fm, Op::VSMax, None, 1 << (size.bits() - 1)),
            V::Vwredsumu(_) => self.wide_sum(fm, false),
            V::Vwredsum(_) => self.wide_sum(fm, true),
            V::Vslideup(_) if f.f3 == 3 => self.slide(fm, true, f.vs1, None),
            V::Vslidedown(_) if f.f3 == 3 => self.slide(fm, false, f.vs1, None),
            V::Vslide1up(_) | V::Vslide1down(_) => {
                let x = self.scalar_lane(fm);
                self.slide(fm, matches!(insn, V::Vslide1up(_)), 1, Some(x))
            }
            V::Vrgather(_) => self.gather(fm),
            _ => self.inline_more(insn, fm),
        }
    }

    fn vmap_unary(&mut self, fm: &Form, op: Op) -> bool {
        for p in 0..pieces(fm.bytes) {
            let a = self.vpiece(fm, fm.f.vs2, p);
            let v = self.b.vop(op, lanes(fm.size), &[a], 0);
            let m = self.active(fm, fm.size, p);
            self.vwrite(fm, p, v, m);
        }
        true
    }

    fn wide_op(&mut self, fm: &Form, signs: [bool; 2], op: Op) -> bool {
        let s = lanes(fm.wide());
        self.widen_both(fm, signs, |t, a, b, _| t.b.vop(op, s, &[a, b], 0))
    }

    fn wide_mul(&mut self, fm: &Form, op: Op, add: bool) -> bool {
        let s = lanes(fm.wide());
        self.widening(fm, |t, a, b, half, j| {
            let v = t.b.vop(op, s, &[a, b], half);
            if !add {
                return v;
            }
            let d = t.vpiece(fm, fm.f.vd, j);
            t.b.vop(Op::VAdd, s, &[d, v], 0)
        })
    }
}
