//! Inline code for saturating, halving and rounding operations on integer lanes.
//!
//! A saturating form computes the saturated result and something that is non-zero where it differs from the exact one;
//! that sets the sticky flag in the state block behind a short, well predicted jump. What must hold: results are made in
//! scratch registers and written to `d` last, since `d` may be a source; lanes above the shape's do not count for the flag.

use crate::asm::{Cc, K, Sz, V, Xmm};
use crate::emit_vec::{VecCx, splat};
use crate::regs::hdr;
use ir::state::Header;
use ir::{Inst, Op, Shape, Size};
use std::mem::offset_of;

/// The row for B, H or S lanes.
fn by_lane(lane: Size, rows: [V; 3]) -> Option<V> {
    rows.get(lane as usize).copied()
}

fn top_bit(lane: Size) -> u128 {
    splat(1 << (lane.bits() - 1), lane.bytes())
}

impl VecCx<'_> {
    /// Emits a form of this file; false (and no code) if there is none on this host.
    pub(crate) fn saturating(&mut self, inst: &Inst, shape: Shape, d: Xmm, s: [Xmm; 3]) -> bool {
        let bytes = shape.bytes();
        let (lane, [a, b, _]) = (shape.lane, s);
        let t0 = self.t[0];
        let done = match inst.op {
            Op::VQaddS | Op::VQsubS | Op::VQaddU | Op::VQsubU => self.add_sub(inst.op, lane, bytes, a, b),
            Op::VQabs | Op::VQneg => self.abs_neg(inst.op, lane, bytes, a),
            Op::VQdmulh => self.mul_high(lane, bytes, a, b, false),
            Op::VQrdmulh => self.mul_high(lane, bytes, a, b, true),
            Op::VQdmull => self.mul_long(shape, a, b, inst.imm != 0),
            Op::VQnarrowS | Op::VQnarrowU | Op::VQnarrowSu => self.narrow(inst.op, shape, a, 0, false),
            Op::VQshrnS | Op::VQshrnU | Op::VQshrnSu => {
                let (n, round) = (inst.imm as u32 & 255, inst.imm & 256 != 0);
                self.narrow(inst.op, shape, a, n, round)
            }
            Op::VHaddS | Op::VHaddU | Op::VRhaddS | Op::VRhaddU | Op::VHsubS | Op::VHsubU => {
                self.halving(inst.op, lane, a, b)
            }
            Op::VMul if lane == Size::B => {
                let (t1, x) = (self.t[1], self.x[1]);
                self.a.v3(V::Pmullw, t0, a, b);
                self.v3c(V::Pand, t0, t0, splat(0x00ff, 2));
                self.a.vsh(V::PsrlwI, t1, a, 8);
                self.a.vsh(V::PsrlwI, x, b, 8);
                self.a.v3(V::Pmullw, t1, t1, x);
                self.a.vsh(V::PsllwI, t1, t1, 8);
                self.a.v3(V::Por, t0, t0, t1);
                true
            }
            Op::VRshrI | Op::VRsarI if lane == Size::B => {
                let (n, t1) = (inst.imm as u32, self.t[1]);
                let op = if inst.op == Op::VRshrI { Op::VShrI } else { Op::VSarI };
                self.shift(op, lane, n, t1, a);
                self.shift(Op::VShrI, lane, n - 1, t0, a);
                self.v3c(V::Pand, t0, t0, splat(1, 1));
                self.a.v3(V::Paddb, t0, t0, t1);
                true
            }
            Op::VShlS | Op::VShlU | Op::VRshlS | Op::VRshlU => self.shift_by(inst.op, lane, a, b),
            _ => false,
        };
        if done {
            self.low_bytes(d, t0, bytes);
        }
        done
    }

    /// Sets the sticky flag if the low `bytes` of `x` are not all zero.
    fn note(&mut self, x: Xmm, bytes: usize) {
        if bytes < 16 {
            self.low_bytes(x, x, bytes);
        }
        self.a.v2(V::Ptest, x, x);
        let done = self.a.new_label();
        self.a.jcc8(Cc::E, done);
        self.a.store_i(Sz::D, hdr(offset_of!(Header, sat)), 1);
        self.a.bind(done);
    }

    fn add_sub(&mut self, op: Op, lane: Size, bytes: usize, a: Xmm, b: Xmm) -> bool {
        use V::*;
        let [t0, t1] = self.t;
        let x = self.x[1];
        let add = matches!(op, Op::VQaddS | Op::VQaddU);
        if matches!(lane, Size::D | Size::Q) {
            return false;
        }
        let exact = match (lane, add) {
            (Size::B, true) => Paddb,
            (Size::H, true) => Paddw,
            (Size::B, false) => Psubb,
            (Size::H, false) => Psubw,
            (_, true) => Paddd,
            (_, false) => Psubd,
        };
        self.a.v3(exact, t1, a, b);
        if lane != Size::S {
            let byte = lane == Size::B;
            let row = match op {
                Op::VQaddS if byte => Paddsb,
                Op::VQaddS => Paddsw,
                Op::VQaddU if byte => Paddusb,
                Op::VQaddU => Paddusw,
                Op::VQsubS if byte => Psubsb,
                Op::VQsubS => Psubsw,
                _ if byte => Psubusb,
                _ => Psubusw,
            };
            self.a.v3(row, t0, a, b);
        } else {
            match op {
                Op::VQaddU => {
                    // min(a, !b) + b
                    self.v3c(Pxor, t0, b, u128::MAX);
                    self.a.v3(Pminud, t0, t0, a);
                    self.a.v3(Paddd, t0, t0, b);
                }
                Op::VQsubU => {
                    // max(a, b) - b
                    self.a.v3(Pmaxud, t0, a, b);
                    self.a.v3(Psubd, t0, t0, b);
                }
                _ => {
                    // Overflow where the signs of the operands agree (differ, to subtract) and the result's does not.
                    self.a.v3(Pxor, x, t1, a);
                    self.a.v3(Pxor, t0, if add { t1 } else { a }, b);
                    self.a.v3(Pand, x, x, t0);
                    self.a.vsh(PsradI, x, x, 31);
                    // The limit on a's side, where it overflowed.
                    self.a.vsh(PsradI, t0, a, 31);
                    self.v3c(Pxor, t0, t0, splat(0x7fff_ffff, 4));
                    self.a.v3(Pxor, t0, t0, t1);
                    self.a.v3(Pand, t0, t0, x);
                    self.a.v3(Pxor, t0, t0, t1);
                }
            }
        }
        self.a.v3(Pxor, t1, t1, t0);
        self.note(t1, bytes);
        true
    }

    fn abs_neg(&mut self, op: Op, lane: Size, bytes: usize, a: Xmm) -> bool {
        use V::*;
        let [t0, t1] = self.t;
        let (Some(abs), Some(sub), Some(eq), Some(add)) = (
            by_lane(lane, [Pabsb, Pabsw, Pabsd]),
            by_lane(lane, [Psubb, Psubw, Psubd]),
            by_lane(lane, [Pcmpeqb, Pcmpeqw, Pcmpeqd]),
            by_lane(lane, [Paddb, Paddw, Paddd]),
        ) else {
            return false;
        };
        if op == Op::VQabs {
            self.a.v2(abs, t0, a);
        } else {
            self.a.v3(Pxor, t0, t0, t0);
            self.a.v3(sub, t0, t0, a);
        }
        // The smallest number stays what it is: it becomes the largest by subtracting one.
        self.const_to(t1, top_bit(lane));
        self.a.v3(eq, t1, t1, t0);
        self.a.v3(add, t0, t0, t1);
        self.note(t1, bytes);
        true
    }

    /// The high half of the doubled product; it overflows only for the product of the smallest numbers.
    fn mul_high(&mut self, lane: Size, bytes: usize, a: Xmm, b: Xmm, round: bool) -> bool {
        use V::*;
        let [t0, t1] = self.t;
        let x = self.x[1];
        match lane {
            Size::H if round => self.a.v3(Pmulhrsw, t0, a, b),
            Size::H => {
                self.a.v3(Pmulhw, t0, a, b);
                self.a.v3(Pmullw, t1, a, b);
                self.a.vsh(PsllwI, t0, t0, 1);
                self.a.vsh(PsrlwI, t1, t1, 15);
                self.a.v3(Por, t0, t0, t1);
            }
            Size::S => {
                self.a.vsh(PsrlqI, t0, a, 32);
                self.a.vsh(PsrlqI, x, b, 32);
                self.a.v3(Pmuldq, t0, t0, x);
                self.a.v3(Pmuldq, t1, a, b);
                self.a.v3(Paddq, t0, t0, t0);
                self.a.v3(Paddq, t1, t1, t1);
                if round {
                    self.v3c(Paddq, t0, t0, splat(1 << 31, 8));
                    self.v3c(Paddq, t1, t1, splat(1 << 31, 8));
                }
                self.a.vsh(PsrlqI, t1, t1, 32);
                self.v3c(Pand, t0, t0, splat(0xffff_ffff << 32, 8));
                self.a.v3(Por, t0, t0, t1);
            }
            Size::B | Size::D | Size::Q => return false,
        }
        self.const_to(t1, top_bit(lane));
        self.a.v3(if lane == Size::H { Pcmpeqw } else { Pcmpeqd }, t1, t1, t0);
        self.a.v3(Pxor, t0, t0, t1);
        self.note(t1, bytes);
        true
    }

    fn mul_long(&mut self, shape: Shape, a: Xmm, b: Xmm, upper: bool) -> bool {
        use V::*;
        let [t0, t1] = self.t;
        if shape.lane != Size::S {
            return false;
        }
        self.a.v3(Pmullw, t0, a, b);
        self.a.v3(Pmulhw, t1, a, b);
        self.a.v3(if upper { Punpckhwd } else { Punpcklwd }, t0, t0, t1);
        self.a.v3(Paddd, t0, t0, t0);
        self.const_to(t1, top_bit(Size::S));
        self.a.v3(Pcmpeqd, t1, t1, t0);
        self.a.v3(Pxor, t0, t0, t1);
        self.note(t1, shape.bytes());
        true
    }

    /// Lanes of double width shifted right and saturated.
    fn narrow(&mut self, op: Op, shape: Shape, a: Xmm, n: u32, round: bool) -> bool {
        use V::*;
        let [t0, t1] = self.t;
        let x = self.x[1];
        let (wide, byte) = match shape.lane {
            Size::B => (Size::H, true),
            Size::H => (Size::S, false),
            Size::S | Size::D | Size::Q => return false,
        };
        let unsigned = matches!(op, Op::VQnarrowU | Op::VQshrnU);
        let to_unsigned = !matches!(op, Op::VQnarrowS | Op::VQshrnS);
        if n >= wide.bits() {
            return false;
        }
        let shift = if unsigned { Op::VShrI } else { Op::VSarI };
        // x = the exact shifted lanes.
        self.shift(shift, wide, n, x, a);
        if round && n > 0 {
            self.shift(Op::VShrI, wide, n - 1, t0, a);
            self.v3c(Pand, t0, t0, splat(1, wide.bytes()));
            self.a.v3(if byte { Paddw } else { Paddd }, x, x, t0);
        }
        if unsigned {
            let max = splat(u64::MAX >> (64 - shape.lane.bits()), wide.bytes());
            self.v3c(if byte { Pminuw } else { Pminud }, t0, x, max);
            self.a.v3(Pxor, x, x, t0);
            self.a.v3(if byte { Packuswb } else { Packusdw }, t0, t0, t0);
        } else {
            let pack = match (byte, to_unsigned) {
                (true, false) => Packsswb,
                (true, true) => Packuswb,
                (false, false) => Packssdw,
                (false, true) => Packusdw,
            };
            let back = match (byte, to_unsigned) {
                (true, false) => Pmovsxbw,
                (true, true) => Pmovzxbw,
                (false, false) => Pmovsxwd,
                (false, true) => Pmovzxwd,
            };
            self.a.v3(pack, t0, x, x);
            self.a.v2(back, t1, t0);
            self.a.v3(Pxor, x, x, t1);
        }
        self.note(x, 2 * shape.bytes());
        true
    }

    fn halving(&mut self, op: Op, lane: Size, a: Xmm, b: Xmm) -> bool {
        use V::*;
        let [t0, t1] = self.t;
        let x = self.x[1];
        let signed = matches!(op, Op::VHaddS | Op::VRhaddS | Op::VHsubS);
        if lane == Size::S {
            // Half of the bits that differ, with the bits in common or those borrowed.
            let shift = if signed { PsradI } else { PsrldI };
            self.a.v3(Pxor, t1, a, b);
            self.a.vsh(shift, t1, t1, 1);
            match op {
                Op::VHaddS | Op::VHaddU => {
                    self.a.v3(Pand, t0, a, b);
                    self.a.v3(Paddd, t0, t0, t1);
                }
                Op::VRhaddS | Op::VRhaddU => {
                    self.a.v3(Por, t0, a, b);
                    self.a.v3(Psubd, t0, t0, t1);
                }
                _ => {
                    self.a.v3(Pandn, t0, a, b);
                    self.a.v3(Psubd, t0, t1, t0);
                }
            }
            return true;
        }
        let (avg, sub) = match lane {
            Size::B => (Pavgb, Psubb),
            Size::H => (Pavgw, Psubw),
            Size::S | Size::D | Size::Q => return false,
        };
        // Signed numbers with the sign bit flipped average as unsigned ones; a difference is a sum with the complement.
        let flip = top_bit(lane);
        let subtract = matches!(op, Op::VHsubS | Op::VHsubU);
        let (fa, fb) = match (signed, subtract) {
            (false, false) => (0, 0),
            (true, false) => (flip, flip),
            (false, true) => (0, u128::MAX),
            (true, true) => (flip, !flip),
        };
        self.v3c(Pxor, t0, a, fa);
        self.v3c(Pxor, t1, b, fb);
        if matches!(op, Op::VHaddS | Op::VHaddU) {
            // The average rounds up: take off what it added.
            self.a.v3(Pxor, x, t0, t1);
            self.v3c(Pand, x, x, splat(1, lane.bytes()));
            self.a.v3(avg, t0, t0, t1);
            self.a.v3(sub, t0, t0, x);
        } else {
            self.a.v3(avg, t0, t0, t1);
        }
        if signed || subtract {
            self.v3c(Pxor, t0, t0, flip);
        }
        true
    }

    /// Shifts by the signed low byte of each lane of `b`, right ones rounded for the R forms.
    fn shift_by(&mut self, op: Op, lane: Size, a: Xmm, b: Xmm) -> bool {
        use V::*;
        let [t0, t1] = self.t;
        let x = self.x[1];
        let signed = matches!(op, Op::VShlS | Op::VRshlS);
        let round = matches!(op, Op::VRshlS | Op::VRshlU);
        let (left, sar, shr, sub, add, up, down, cmp, blend) = match lane {
            Size::H => (Vpsllvw, Vpsravw, Vpsrlvw, Psubw, Paddw, PsllwI, PsrawI, Vpcmpw, Vpblendmw),
            Size::S => (Vpsllvd, Vpsravd, Vpsrlvd, Psubd, Paddd, PslldI, PsradI, Vpcmpd, Vpblendmd),
            Size::D => (Vpsllvq, Vpsravq, Vpsrlvq, Psubq, Paddq, PsllqI, VpsraqI, Vpcmpq, Vpblendmq),
            Size::B | Size::Q => return false,
        };
        let right = if signed { sar } else { shr };
        if !self.a.has_v(left) || !self.a.has_v(sar) || !self.a.has_v(cmp) {
            return false;
        }
        let n = (lane.bits() - 8) as u8;
        // t1 = the count, x = its negation; counts past the width shift everything out.
        self.a.vsh(up, t1, b, n);
        self.a.vsh(down, t1, t1, n);
        self.a.v3(Pxor, x, x, x);
        self.a.vk(cmp, K(1), t1, x, Some(1));
        self.a.v3(sub, x, x, t1);
        self.a.v3(left, t1, a, t1);
        self.a.v3(right, t0, a, x);
        if round {
            // Plus the last bit shifted out.
            let ones = self.pool.get(self.a, splat(1, lane.bytes()));
            self.a.v3(sub, x, x, ones);
            self.a.v3(right, x, a, x);
            let ones = self.pool.get(self.a, splat(1, lane.bytes()));
            self.a.v3(Pand, x, x, ones);
            self.a.v3(add, t0, t0, x);
        }
        self.a.v3k(blend, t0, K(1), false, t1, t0, None);
        true
    }
}
