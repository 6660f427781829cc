//! Inline forms of fixed-point arithmetic under the two rounding modes that programs use: half up and down. The mode is part of
//! the mode bits wherever vtype is.

use super::inline::{Form, lanes, pieces};
use crate::decode::Vector;
use crate::trans::Tr;
use ir::{Op, Shape, Size, Val};

/// Rounding of vxrm.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rounding {
    Up,
    Down,
}

impl Tr<'_> {
    fn rounding(&self) -> Option<Rounding> {
        match self.vxrm() {
            0 => Some(Rounding::Up),
            2 => Some(Rounding::Down),
            _ => None,
        }
    }

    /// Half the sum: `up` and `down` are the operations that round so.
    fn average(&mut self, fm: &Form, up: Op, down: Op) -> bool {
        match self.rounding() {
            Some(Rounding::Up) => self.vbin(fm, up),
            Some(Rounding::Down) => self.vbin(fm, down),
            None => false,
        }
    }

    /// Half the difference, which `half` rounds down.
    fn half_difference(&mut self, fm: &Form, half: Op) -> bool {
        let (s, rounding) = (lanes(fm.size), self.rounding());
        match rounding {
            Some(Rounding::Down) => self.vbin(fm, half),
            Some(Rounding::Up) => self.vmap(fm, |t, a, b| {
                let v = t.b.vop(half, s, &[a, b], 0);
                let differ = t.b.vop(Op::VXor, s, &[a, b], 0);
                let one = t.splat(fm.size, 1);
                let odd = t.b.vop(Op::VAnd, s, &[differ, one], 0);
                t.b.vop(Op::VAdd, s, &[v, odd], 0)
            }),
            None => false,
        }
    }

    /// Lanes of `size` shifted right by immediate or lanes `by` (taken modulo their width), rounded.
    fn scaled(&mut self, size: Size, a: Val, by: Result<Val, u32>, signed: bool, rounding: Rounding) -> Val {
        let pick = |up: [Op; 2], down: [Op; 2]| {
            let ops = if rounding == Rounding::Up { up } else { down };
            ops[usize::from(!signed)]
        };
        match by {
            Ok(by) => {
                let op = pick([Op::VRshlS, Op::VRshlU], [Op::VShlS, Op::VShlU]);
                self.vshift(size, a, by, op, false)
            }
            Err(n) => {
                let op = pick([Op::VRsarI, Op::VRshrI], [Op::VSarI, Op::VShrI]);
                self.vshift_imm(size, a, n & (size.bits() - 1), op)
            }
        }
    }

    /// vssrl and vssra.
    fn scaling_shift(&mut self, fm: &Form, signed: bool) -> bool {
        let Some(rounding) = self.rounding() else { return false };
        self.vmap(fm, |t, a, b| {
            let by = if fm.f.f3 == 3 { Err(fm.f.vs1) } else { Ok(b) };
            t.scaled(fm.size, a, by, signed, rounding)
        })
    }

    /// vnclip and vnclipu: what does not count saturates nothing.
    fn clip(&mut self, fm: &Form, signed: bool) -> bool {
        let Some(rounding) = self.rounding() else { return false };
        let (wide, rhs) = (fm.wide(), self.rhs(fm));
        let narrow = Shape::new(fm.size, (8 / fm.size.bytes()) as u8);
        let op = if signed { Op::VQnarrowS } else { Op::VQnarrowU };
        let wide_pieces = pieces(fm.bytes_of(wide));
        for p in 0..pieces(fm.bytes) {
            let mut halves = [None; 2];
            for (q, half) in (2 * p..wide_pieces).zip(&mut halves) {
                let a = self.vpiece(fm, fm.f.vs2, q);
                let by = if fm.f.f3 == 3 {
                    Err(fm.f.vs1)
                } else {
                    let b = self.rhs_piece(fm, rhs, p);
                    Ok(self.b.vop(Op::VWidenU, lanes(wide), &[b], u64::from(q & 1)))
                };
                let mut v = self.scaled(wide, a, by, signed, rounding);
                if let Some(m) = self.active(fm, wide, q) {
                    v = self.b.vop(Op::VAnd, lanes(wide), &[v, m], 0);
                }
                *half = Some(self.b.vop(op, narrow, &[v], 0));
            }
            let low = halves[0].expect("there is one at least");
            let v = halves[1].map_or(low, |high| self.b.vop(Op::VZip1, lanes(Size::D), &[low, high], 0));
            let m = self.active(fm, fm.size, p);
            self.vwrite(fm, p, v, m);
        }
        true
    }

    pub(super) fn inline_fixed(&mut self, insn: Vector, fm: &Form) -> bool {
        use Vector as V;
        match insn {
            V::Vaaddu(_) => self.average(fm, Op::VRhaddU, Op::VHaddU),
            V::Vaadd(_) => self.average(fm, Op::VRhaddS, Op::VHaddS),
            V::Vasubu(_) => self.half_difference(fm, Op::VHsubU),
            V::Vasub(_) => self.half_difference(fm, Op::VHsubS),
            V::Vssrl(_) => self.scaling_shift(fm, false),
            V::Vssra(_) => self.scaling_shift(fm, true),
            V::Vnclipu(_) => self.clip(fm, false),
            V::Vnclip(_) => self.clip(fm, true),
            V::Vsmul(_) if matches!(fm.size, Size::H | Size::S) => match self.rounding() {
                Some(Rounding::Up) => self.vsticky(fm, Op::VQrdmulh),
                Some(Rounding::Down) => self.vsticky(fm, Op::VQdmulh),
                None => false,
            },
            _ => self.inline_float(insn, fm),
        }
    }
}
