//! Inline code for vector operations on integer lanes, moves between lanes, and cryptography.
//!
//! Input: one IR instruction with V128 arguments in registers; output: host code that leaves the V128 result in `d`.
//! What must hold: `d` may be the same register as any source, so a sequence reads all sources before it writes `d` or
//! works in the scratch registers; lanes above the shape's are zeroed.

use crate::asm::{Asm, Gp, K, Level, V, Xmm};
use crate::pool::Pool;
use ir::{Attr, Inst, Op, Shape, Size};

/// What emission of one vector operation may use.
pub struct VecCx<'a> {
    /// The code buffer.
    pub a: &'a mut Asm,
    /// The region's constants.
    pub pool: &'a mut Pool,
    /// Scratch registers below 16, different from sources and destination and from [`Asm::vtmp`].
    pub t: [Xmm; 2],
    /// More scratch registers below 16; `x[0]` may be [`Asm::vtmp`].
    pub x: [Xmm; 2],
    /// A scratch general register.
    pub gp: Gp,
    /// The first source is zero above the active lanes; so then is a scalar result that the host computes over it.
    pub clean: bool,
    /// A NaN that the operation makes is seen later: see `chain`.
    pub unguarded: bool,
}

/// A 16-byte constant that repeats `pattern` of `bytes` bytes.
pub fn splat(pattern: u64, bytes: usize) -> u128 {
    let mut v = 0u128;
    let mask = if bytes == 8 { u128::from(u64::MAX) } else { (1u128 << (8 * bytes)) - 1 };
    for i in 0..16 / bytes {
        v |= (u128::from(pattern) & mask) << (8 * bytes * i);
    }
    v
}

/// A byte shuffle control from a list; missing bytes give zero.
fn shuffle(bytes: impl IntoIterator<Item = u8>) -> u128 {
    let mut v = u128::MAX;
    for (i, b) in bytes.into_iter().take(16).enumerate() {
        v = v & !(0xff << (8 * i)) | u128::from(b) << (8 * i);
    }
    v
}

/// Saturating arithmetic that leaves the sticky flag as it is.
fn quiet(inst: &Inst) -> bool {
    inst.imm == 1 && matches!(inst.op, Op::VQaddS | Op::VQaddU | Op::VQsubS | Op::VQsubU)
}

fn pick(lane: Size, rows: [V; 4]) -> Option<V> {
    rows.get(lane as usize).copied()
}

impl VecCx<'_> {
    /// Three operands, moving through scratch registers where the form cannot name xmm16 and up.
    pub fn v3(&mut self, op: V, d: Xmm, a: Xmm, b: Xmm) {
        if self.a.takes_high(op) || (d.0 < 16 && a.0 < 16 && b.0 < 16) {
            self.a.v3(op, d, a, b);
            return;
        }
        let la = self.low(a, 0);
        let lb = if b == a { la } else { self.low(b, 1) };
        let ld = if d.0 < 16 { d } else { self.x[0] };
        self.a.v3(op, ld, la, lb);
        self.a.vmov(d, ld);
    }

    /// The same with an immediate.
    pub fn v3i(&mut self, op: V, d: Xmm, a: Xmm, b: Xmm, imm: u8) {
        if self.a.takes_high(op) || (d.0 < 16 && a.0 < 16 && b.0 < 16) {
            self.a.v3i(op, d, a, b, imm);
            return;
        }
        let la = self.low(a, 0);
        let lb = if b == a { la } else { self.low(b, 1) };
        let ld = if d.0 < 16 { d } else { self.x[0] };
        self.a.v3i(op, ld, la, lb, imm);
        self.a.vmov(d, ld);
    }

    /// Two operands, the same way.
    pub fn v2(&mut self, op: V, d: Xmm, b: Xmm) {
        if self.a.takes_high(op) || (d.0 < 16 && b.0 < 16) {
            self.a.v2(op, d, b);
            return;
        }
        let lb = self.low(b, 1);
        let ld = if d.0 < 16 { d } else { self.x[0] };
        self.a.v2(op, ld, lb);
        self.a.vmov(d, ld);
    }

    fn low(&mut self, r: Xmm, i: usize) -> Xmm {
        if r.0 < 16 {
            return r;
        }
        self.a.vmov(self.x[i], r);
        self.x[i]
    }

    /// `d = a op constant`.
    pub fn v3c(&mut self, op: V, d: Xmm, a: Xmm, value: u128) {
        let m = self.pool.get(self.a, value);
        if self.a.takes_high(op) || (d.0 < 16 && a.0 < 16) {
            self.a.v3(op, d, a, m);
            return;
        }
        let la = self.low(a, 0);
        self.a.v3(op, la, la, m);
        self.a.vmov(d, la);
    }

    fn evex(&self) -> bool {
        self.a.feat.level >= Level::Avx512
    }

    /// Zeroes everything above the low `bytes` of `d`, which holds the value of `s` afterwards.
    pub fn low_bytes(&mut self, d: Xmm, s: Xmm, bytes: usize) {
        match bytes {
            16.. => self.a.vmov(d, s),
            8 => self.a.v2(V::MovqX, d, s),
            4 => self.a.v3i(V::Insertps, d, s, s, 0x0e),
            n => self.v3c(V::Pand, d, s, (1u128 << (8 * n)) - 1),
        }
    }

    fn zero(&mut self, d: Xmm) {
        self.a.v3(V::Pxor, d, d, d);
    }

    fn ones(&mut self, d: Xmm) {
        if d.0 >= 16 {
            self.a.v3i(V::Vpternlogd, d, d, d, 0xff);
        } else {
            self.a.v3(V::Pcmpeqd, d, d, d);
        }
    }

    fn not(&mut self, d: Xmm, s: Xmm) {
        if self.evex() {
            // imm 0x55: not of the third operand.
            self.a.v3i(V::Vpternlogd, d, s, s, 0x55);
        } else {
            let t = self.x[1];
            self.ones(t);
            self.a.v3(V::Pxor, d, s, t);
        }
    }

    pub(crate) fn const_to(&mut self, d: Xmm, value: u128) {
        if value == 0 {
            self.zero(d);
        } else if value == u128::MAX {
            self.ones(d);
        } else {
            let m = self.pool.get(self.a, value);
            self.a.v2(V::Movaps, d, m);
        }
    }

    /// Emits `inst`; false (and no code) if there is no inline form on this host.
    pub fn emit(&mut self, inst: &Inst, d: Xmm, s: [Xmm; 3]) -> bool {
        match inst.attr {
            Attr::Vec(shape) => self.vector(inst, shape, d, s),
            Attr::None => self.crypto(inst, d, s) || self.hash(inst, d, s),
            _ => false,
        }
    }

    fn vector(&mut self, inst: &Inst, shape: Shape, d: Xmm, s: [Xmm; 3]) -> bool {
        let bytes = shape.bytes();
        let lane = shape.lane;
        let before = self.a.pos();
        // Operations that compute all lanes alike; the upper ones are cleared afterwards.
        if self.lanewise(inst, lane, d, s) {
            if bytes < 16 {
                self.low_bytes(d, d, bytes);
            }
            return true;
        }
        debug_assert_eq!(before, self.a.pos(), "a form that does not apply emits nothing");
        match inst.op {
            Op::VConst => {
                let v = u128::from(inst.imm) | if bytes == 16 { u128::from(inst.imm) << 64 } else { 0 };
                self.const_to(d, v);
                true
            }
            Op::VLow => {
                self.low_bytes(d, s[0], bytes);
                true
            }
            Op::FAbs if lane != Size::H => {
                let m = splat(u64::MAX >> 1 >> (64 - lane.bits()), lane.bytes());
                self.v3c(V::Pand, d, s[0], if bytes < 16 { m & ((1 << (8 * bytes)) - 1) } else { m });
                true
            }
            Op::FAbs | Op::FNeg => self.sign(inst.op, shape, d, s[0]),
            Op::VInsLane => self.insert_lane(inst.imm, lane, d, s),
            _ => {
                self.permute(inst, shape, d, s)
                    || self.widen(inst, shape, d, s)
                    || self.reduce(inst, shape, d, s)
                    || !quiet(inst) && self.saturating(inst, shape, d, s)
            }
        }
    }

    fn sign(&mut self, op: Op, shape: Shape, d: Xmm, s: Xmm) -> bool {
        let lane = shape.lane;
        let top = splat(1 << (lane.bits() - 1), lane.bytes());
        if op == Op::FAbs {
            self.v3c(V::Pand, d, s, !top);
        } else {
            self.v3c(V::Pxor, d, s, top);
        }
        if shape.bytes() < 16 {
            self.low_bytes(d, d, shape.bytes());
        }
        true
    }

    fn lanewise(&mut self, inst: &Inst, lane: Size, d: Xmm, s: [Xmm; 3]) -> bool {
        use V::*;
        let [a, b, c] = s;
        let [t0, t1] = self.t;
        let simple = match inst.op {
            Op::VAnd => Some(Pand),
            Op::VOr => Some(Por),
            Op::VXor => Some(Pxor),
            Op::VAdd => pick(lane, [Paddb, Paddw, Paddd, Paddq]),
            Op::VSub => pick(lane, [Psubb, Psubw, Psubd, Psubq]),
            Op::VMul => match lane {
                Size::H => Some(Pmullw),
                Size::S => Some(Pmulld),
                Size::D if self.evex() => Some(Vpmullq),
                Size::B | Size::D | Size::Q => None,
            },
            Op::VSMax => self.wide_only(pick(lane, [Pmaxsb, Pmaxsw, Pmaxsd, Vpmaxsq])),
            Op::VSMin => self.wide_only(pick(lane, [Pminsb, Pminsw, Pminsd, Vpminsq])),
            Op::VUMax => self.wide_only(pick(lane, [Pmaxub, Pmaxuw, Pmaxud, Vpmaxuq])),
            Op::VUMin => self.wide_only(pick(lane, [Pminub, Pminuw, Pminud, Vpminuq])),
            Op::VMulHS => Some(Pmulhw),
            Op::VMulHU => Some(Pmulhuw),
            Op::VMulHR => Some(Pmulhrsw),
            Op::VMaddS => Some(Pmaddwd),
            Op::VMaddUs => Some(Pmaddubsw),
            Op::VSad => Some(Psadbw),
            Op::VMulLoS => Some(Pmuldq),
            Op::VMulLoU => Some(Pmuludq),
            Op::VShufB => Some(Pshufb),
            Op::VPackS => [Packsswb, Packssdw].get(lane as usize).copied(),
            Op::VPackU => [Packuswb, Packusdw].get(lane as usize).copied(),
            Op::VSign => [Psignb, Psignw, Psignd].get(lane as usize).copied(),
            Op::VShlX => [Psllw, Pslld, Psllq].get((lane as usize).wrapping_sub(1)).copied(),
            Op::VShrX => [Psrlw, Psrld, Psrlq].get((lane as usize).wrapping_sub(1)).copied(),
            Op::VSarX => self.wide_only([Psraw, Psrad, Vpsraq].get((lane as usize).wrapping_sub(1)).copied()),
            Op::VShlV => {
                self.wide_only([Vpsllvw, Vpsllvd, Vpsllvq].get((lane as usize).wrapping_sub(1)).copied())
            }
            Op::VShrV => {
                self.wide_only([Vpsrlvw, Vpsrlvd, Vpsrlvq].get((lane as usize).wrapping_sub(1)).copied())
            }
            Op::VSarV => {
                self.wide_only([Vpsravw, Vpsravd, Vpsravq].get((lane as usize).wrapping_sub(1)).copied())
            }
            Op::VRolV => self.wide_only([Vprolvd, Vprolvq].get((lane as usize).wrapping_sub(2)).copied()),
            Op::VQaddS if inst.imm == 1 => [Paddsb, Paddsw].get(lane as usize).copied(),
            Op::VQaddU if inst.imm == 1 => [Paddusb, Paddusw].get(lane as usize).copied(),
            Op::VQsubS if inst.imm == 1 => [Psubsb, Psubsw].get(lane as usize).copied(),
            Op::VQsubU if inst.imm == 1 => [Psubusb, Psubusw].get(lane as usize).copied(),
            Op::VRhaddU => match lane {
                Size::B => Some(Pavgb),
                Size::H => Some(Pavgw),
                Size::S | Size::D | Size::Q => None,
            },
            Op::VCmpEq if !(self.evex() && (a.0 | b.0 | d.0) >= 16) => {
                pick(lane, [Pcmpeqb, Pcmpeqw, Pcmpeqd, Pcmpeqq])
            }
            Op::VCmpGtS if !(self.evex() && (a.0 | b.0 | d.0) >= 16) => {
                pick(lane, [Pcmpgtb, Pcmpgtw, Pcmpgtd, Pcmpgtq])
            }
            _ => None,
        };
        if let Some(op) = simple {
            self.v3(op, d, a, b);
            return true;
        }
        match inst.op {
            Op::VAndN => self.v3(Pandn, d, b, a),
            Op::VOrN => {
                if self.evex() {
                    // Truth table of A | !C.
                    self.a.vmov(t0, a);
                    self.a.v3i(Vpternlogd, t0, a, b, 0xf5);
                    self.a.vmov(d, t0);
                } else {
                    self.ones(t0);
                    self.a.v3(Pxor, t0, t0, b);
                    self.a.v3(Por, d, a, t0);
                }
            }
            Op::VNot => self.not(d, a),
            Op::VBsl => {
                if self.evex() {
                    // mask ? b : c.
                    if d == a {
                        self.a.v3i(Vpternlogq, d, b, c, 0xca);
                    } else {
                        self.a.vmov(t0, a);
                        self.a.v3i(Vpternlogq, t0, b, c, 0xca);
                        self.a.vmov(d, t0);
                    }
                } else {
                    self.a.v3(Pand, t0, a, b);
                    self.a.v3(Pandn, t1, a, c);
                    self.a.v3(Por, d, t0, t1);
                }
            }
            Op::FRcp14 if self.evex() => self.a.v2(if lane == Size::D { Vrcp14pd } else { Vrcp14ps }, d, a),
            Op::FRsqrt14 if self.evex() => {
                self.a.v2(if lane == Size::D { Vrsqrt14pd } else { Vrsqrt14ps }, d, a)
            }
            Op::FRcp => self.v2(Rcpps, d, a),
            Op::FRsqrt => self.v2(Rsqrtps, d, a),
            Op::VTern if self.evex() => {
                self.a.vmov(t0, a);
                self.a.v3i(Vpternlogd, t0, b, c, inst.imm as u8);
                self.a.vmov(d, t0);
            }
            Op::VBlendT => {
                // The mask's top bits spread over the lanes, then a choice by bits.
                let m = t0;
                match lane {
                    Size::B | Size::D => {
                        self.zero(t1);
                        self.v3(if lane == Size::B { Pcmpgtb } else { Pcmpgtq }, m, t1, a);
                    }
                    Size::H => self.a.vsh(PsrawI, m, a, 15),
                    Size::S | Size::Q => self.a.vsh(PsradI, m, a, 31),
                }
                self.a.v3(Pand, t1, m, b);
                self.a.v3(Pandn, m, m, c);
                self.a.v3(Por, d, m, t1);
            }
            Op::VNeg => {
                let Some(op) = pick(lane, [Psubb, Psubw, Psubd, Psubq]) else { return false };
                self.zero(t0);
                self.a.v3(op, d, t0, a);
            }
            Op::VAbs => match lane {
                Size::B => self.v2(Pabsb, d, a),
                Size::H => self.v2(Pabsw, d, a),
                Size::S => self.v2(Pabsd, d, a),
                Size::D if self.evex() => self.a.v2(Vpabsq, d, a),
                Size::D | Size::Q => return false,
            },
            Op::VAbdS | Op::VAbdU => {
                let (max, min, sub) = match (inst.op, lane) {
                    (Op::VAbdS, Size::B) => (Pmaxsb, Pminsb, Psubb),
                    (Op::VAbdS, Size::H) => (Pmaxsw, Pminsw, Psubw),
                    (Op::VAbdS, Size::S) => (Pmaxsd, Pminsd, Psubd),
                    (_, Size::B) => (Pmaxub, Pminub, Psubb),
                    (_, Size::H) => (Pmaxuw, Pminuw, Psubw),
                    (_, Size::S) => (Pmaxud, Pminud, Psubd),
                    (_, Size::D | Size::Q) => return false,
                };
                self.a.v3(max, t0, a, b);
                self.a.v3(min, t1, a, b);
                self.a.v3(sub, d, t0, t1);
            }
            Op::VCmpEq | Op::VCmpGtS | Op::VCmpGeS | Op::VCmpGtU | Op::VCmpGeU | Op::VTst => {
                return self.compare(inst.op, lane, d, a, b);
            }
            Op::VShlI | Op::VShrI | Op::VSarI => return self.shift(inst.op, lane, inst.imm as u32, d, a),
            Op::VRshrI | Op::VRsarI => {
                let n = inst.imm as u32;
                let (Some(add), true) = (pick(lane, [Paddb, Paddw, Paddd, Paddq]), lane != Size::B) else {
                    return false;
                };
                let logical = inst.op == Op::VRshrI;
                if n == lane.bits() && !logical {
                    // Rounds to zero for every value.
                    self.zero(d);
                    return true;
                }
                let op = if logical { Op::VShrI } else { Op::VSarI };
                if lane == Size::D && !logical && !self.evex() {
                    return false;
                }
                // The rounding bit: bit n-1 of each lane.
                let up = lane.bits() - n;
                self.shift(Op::VShlI, lane, up, self.t[0], a);
                self.shift(Op::VShrI, lane, lane.bits() - 1, self.t[0], self.t[0]);
                if n == lane.bits() {
                    self.a.vmov(d, t0);
                } else {
                    self.shift(op, lane, n, self.t[1], a);
                    self.a.v3(add, d, t0, t1);
                }
            }
            Op::VSliI => {
                let n = inst.imm as u32;
                let keep = splat((1u64 << n).wrapping_sub(1), lane.bytes());
                if n == 0 {
                    self.a.vmov(d, b);
                    return true;
                }
                if !self.shift(Op::VShlI, lane, n, t0, b) {
                    return false;
                }
                self.v3c(Pand, t1, a, keep);
                self.a.v3(Por, d, t0, t1);
            }
            Op::VSriI => {
                let n = inst.imm as u32;
                if n == lane.bits() {
                    self.a.vmov(d, a);
                    return true;
                }
                let low = u64::MAX >> (64 - lane.bits()) >> n;
                if !self.shift(Op::VShrI, lane, n, t0, b) {
                    return false;
                }
                self.v3c(Pand, t1, a, !splat(low, lane.bytes()));
                self.a.v3(Por, d, t0, t1);
            }
            Op::VHaddU => {
                let (avg, sub) = match lane {
                    Size::B => (Pavgb, Psubb),
                    Size::H => (Pavgw, Psubw),
                    Size::S | Size::D | Size::Q => return false,
                };
                self.a.v3(Pxor, t0, a, b);
                self.v3c(Pand, t0, t0, splat(1, lane.bytes()));
                self.a.v3(avg, t1, a, b);
                self.a.v3(sub, d, t1, t0);
            }
            Op::VCnt if lane == Size::B => {
                if self.a.feat.bitalg {
                    self.a.v2(Vpopcntb, d, a);
                } else {
                    let lut = 0x0403_0302_0302_0201_0302_0201_0201_0100u128;
                    let low = splat(0x0f, 1);
                    self.v3c(Pand, t0, a, low);
                    self.a.vsh(PsrlwI, t1, a, 4);
                    self.v3c(Pand, t1, t1, low);
                    let m = self.pool.get(self.a, lut);
                    self.a.v2(Movaps, self.x[1], m);
                    let x = self.x[1];
                    self.a.v3(Pshufb, t0, x, t0);
                    self.a.v3(Pshufb, t1, x, t1);
                    self.a.v3(Paddb, d, t0, t1);
                }
            }
            Op::VClz if self.evex() && lane == Size::S => self.a.v2(Vplzcntd, d, a),
            Op::VRbit if lane == Size::B && self.a.feat.gfni => {
                let m = self.pool.get(self.a, splat(0x8040_2010_0804_0201, 8));
                self.a.v3i(Gf2p8affineqb, d, a, m, 0);
            }
            Op::VShlU if self.a.feat.level >= Level::Avx2 && matches!(lane, Size::S | Size::D) => {
                return self.shift_var(lane, false, d, a, b);
            }
            Op::VShlS if self.a.feat.level >= Level::Avx512 && matches!(lane, Size::S | Size::D) => {
                return self.shift_var(lane, true, d, a, b);
            }
            Op::VDotS | Op::VDotU | Op::VDotUs => self.dot(inst.op, d, s),
            _ => return false,
        }
        true
    }

    /// 64-bit minima and maxima exist with AVX-512 only.
    fn wide_only(&self, op: Option<V>) -> Option<V> {
        op.filter(|&v| self.a.has_v(v))
    }

    fn compare(&mut self, op: Op, lane: Size, d: Xmm, a: Xmm, b: Xmm) -> bool {
        use V::*;
        let [t0, t1] = self.t;
        if lane == Size::Q {
            return false;
        }
        if self.evex() {
            let (k, l) = (K(1), lane as usize);
            let signed = [Vpcmpb, Vpcmpw, Vpcmpd, Vpcmpq][l];
            let unsigned = [Vpcmpub, Vpcmpuw, Vpcmpud, Vpcmpuq][l];
            match op {
                Op::VCmpEq => self.a.vk(signed, k, a, b, Some(0)),
                Op::VCmpGtS => self.a.vk(signed, k, a, b, Some(6)),
                Op::VCmpGeS => self.a.vk(signed, k, a, b, Some(5)),
                Op::VCmpGtU => self.a.vk(unsigned, k, a, b, Some(6)),
                Op::VCmpGeU => self.a.vk(unsigned, k, a, b, Some(5)),
                _ => self.a.vk([Vptestmb, Vptestmw, Vptestmd, Vptestmq][l], k, a, b, None),
            }
            self.a.v_from_k([Vpmovm2b, Vpmovm2w, Vpmovm2d, Vpmovm2q][l], d, k);
            return true;
        }
        let eq = [Pcmpeqb, Pcmpeqw, Pcmpeqd, Pcmpeqq][lane as usize];
        let gt = [Pcmpgtb, Pcmpgtw, Pcmpgtd, Pcmpgtq][lane as usize];
        match op {
            Op::VCmpEq => self.a.v3(eq, d, a, b),
            Op::VCmpGtS => self.a.v3(gt, d, a, b),
            Op::VCmpGeS => {
                self.a.v3(gt, t0, b, a);
                self.not(d, t0);
            }
            Op::VTst => {
                self.a.v3(Pand, t0, a, b);
                self.zero(t1);
                self.a.v3(eq, t0, t0, t1);
                self.not(d, t0);
            }
            _ => {
                // Unsigned: compare with the sign bits flipped.
                let flip = splat(1 << (lane.bits() - 1), lane.bytes());
                self.v3c(Pxor, t0, a, flip);
                self.v3c(Pxor, t1, b, flip);
                if op == Op::VCmpGtU {
                    self.a.v3(gt, d, t0, t1);
                } else {
                    self.a.v3(gt, t0, t1, t0);
                    self.not(d, t0);
                }
            }
        }
        true
    }

    /// Shift by an immediate; for right shifts `n` may be the width.
    pub(crate) fn shift(&mut self, op: Op, lane: Size, n: u32, d: Xmm, a: Xmm) -> bool {
        use V::*;
        let bits = lane.bits();
        if n == 0 {
            self.a.vmov(d, a);
            return true;
        }
        if n >= bits && op != Op::VSarI {
            self.zero(d);
            return true;
        }
        let n = n.min(bits - 1) as u8;
        let row = match (op, lane) {
            (_, Size::Q) => return false,
            (Op::VShlI, Size::H) => PsllwI,
            (Op::VShlI, Size::S) => PslldI,
            (Op::VShlI, Size::D) => PsllqI,
            (Op::VShrI, Size::H) => PsrlwI,
            (Op::VShrI, Size::S) => PsrldI,
            (Op::VShrI, Size::D) => PsrlqI,
            (Op::VSarI, Size::H) => PsrawI,
            (Op::VSarI, Size::S) => PsradI,
            (Op::VSarI, Size::D) if self.evex() => VpsraqI,
            (Op::VSarI, Size::D) => {
                if n == 63 {
                    let x = self.x[1];
                    self.zero(x);
                    self.a.v3(Pcmpgtq, d, x, a);
                    return true;
                }
                // Sign lanes shifted into place over the logical shift.
                let x = self.x[1];
                self.zero(x);
                self.a.v3(Pcmpgtq, x, x, a);
                self.a.vsh(PsllqI, x, x, 64 - n);
                self.a.vsh(PsrlqI, d, a, n);
                self.a.v3(Por, d, d, x);
                return true;
            }
            (_, Size::B) => {
                let (row, mask) =
                    if op == Op::VShlI { (PsllwI, 0xff << n & 0xff) } else { (PsrlwI, 0xff >> n) };
                self.a.vsh(row, d, a, n);
                self.v3c(Pand, d, d, splat(mask, 1));
                if op == Op::VSarI {
                    let sign = splat(0x80 >> n, 1);
                    self.v3c(Pxor, d, d, sign);
                    self.v3c(Psubb, d, d, sign);
                }
                return true;
            }
            (_, Size::H | Size::S | Size::D) => return false,
        };
        self.a.vsh(row, d, a, n);
        true
    }

    /// Shift of S or D lanes by the signed low byte of each lane of `b`.
    fn shift_var(&mut self, lane: Size, signed: bool, d: Xmm, a: Xmm, b: Xmm) -> bool {
        use V::*;
        let [t0, t1] = self.t;
        let x = self.x[1];
        let wide = lane == Size::D;
        let (sl, sub, left, right) =
            if wide { (PsllqI, Psubq, Vpsllvq, Vpsrlvq) } else { (PslldI, Psubd, Vpsllvd, Vpsrlvd) };
        let up = (lane.bits() - 8) as u8;
        // t0 = sign-extended count, t1 = its negation; counts out of range shift everything out.
        self.a.vsh(sl, t0, b, up);
        if wide {
            if !self.evex() {
                // No 64-bit arithmetic shift: sign-extend through the compare.
                self.zero(t1);
                self.a.v3(Pcmpgtq, t1, t1, t0);
                self.a.vsh(PsllqI, t1, t1, 8);
                self.a.vsh(PsrlqI, t0, t0, up);
                self.a.v3(Por, t0, t0, t1);
            } else {
                self.a.vsh(VpsraqI, t0, t0, up);
            }
        } else {
            self.a.vsh(PsradI, t0, t0, up);
        }
        self.zero(t1);
        self.a.v3(sub, t1, t1, t0);
        if signed {
            let sar = if wide { Vpsravq } else { Vpsravd };
            let (cmp, blend) = if wide { (Vpcmpq, Vpblendmq) } else { (Vpcmpd, Vpblendmd) };
            // Lanes with a negative count take the arithmetic right shift.
            self.zero(x);
            self.a.vk(cmp, K(1), t0, x, Some(1));
            self.a.v3(left, t0, a, t0);
            self.a.v3(sar, t1, a, t1);
            self.a.v3k(blend, d, K(1), false, t0, t1, None);
        } else {
            self.a.v3(left, t0, a, t0);
            self.a.v3(right, t1, a, t1);
            self.a.v3(Por, d, t0, t1);
        }
        true
    }

    /// Dot products of four bytes: even and odd bytes as words, multiplied and added in pairs.
    fn dot(&mut self, op: Op, d: Xmm, [acc, a, b]: [Xmm; 3]) {
        use V::*;
        let [t0, t1] = self.t;
        let x = self.x[1];
        let (sa, sb) = (op == Op::VDotS, op != Op::VDotU);
        let even = |cx: &mut Self, d: Xmm, s: Xmm, signed: bool| {
            if signed {
                cx.a.vsh(PsllwI, d, s, 8);
                cx.a.vsh(PsrawI, d, d, 8);
            } else {
                cx.v3c(Pand, d, s, splat(0x00ff, 2));
            }
        };
        even(self, t0, a, sa);
        even(self, t1, b, sb);
        self.a.v3(Pmaddwd, t0, t0, t1);
        self.a.vsh(if sa { PsrawI } else { PsrlwI }, t1, a, 8);
        self.a.vsh(if sb { PsrawI } else { PsrlwI }, x, b, 8);
        self.a.v3(Pmaddwd, t1, t1, x);
        self.a.v3(Paddd, t0, t0, t1);
        self.a.v3(Paddd, d, acc, t0);
    }

    fn insert_lane(&mut self, imm: u64, lane: Size, d: Xmm, [a, b, _]: [Xmm; 3]) -> bool {
        use V::*;
        let (dst, src) = ((imm & 255) as u8, (imm >> 8) as u8);
        match (lane, dst, src) {
            (Size::S, ..) => self.a.v3i(Insertps, d, a, b, src << 6 | dst << 4),
            (Size::D, 0, 0) => self.a.v3(Movsd, d, a, b),
            (Size::D, 1, 0) => self.a.v3(Punpcklqdq, d, a, b),
            (Size::D, 0, 1) => self.a.v3i(Shufpd, d, b, a, 0b11),
            (Size::D, ..) => self.a.v3i(Shufpd, d, a, b, 0b10),
            (Size::H, ..) => {
                self.a.v_to_gp(Pextrw, self.gp, b, Some(src));
                self.a.vgp3(Pinsrw, d, a, self.gp, Some(dst));
            }
            (Size::B, ..) => {
                self.a.v_to_gp(Pextrb, self.gp, b, Some(src));
                self.a.vgp3(Pinsrb, d, a, self.gp, Some(dst));
            }
            (Size::Q, ..) => return false,
        }
        true
    }

    /// `d = bytes of s chosen by a constant control`.
    fn shuffle_const(&mut self, d: Xmm, s: Xmm, control: u128) {
        self.v3c(V::Pshufb, d, s, control);
    }

    /// Lanes of `a` and `b` by a constant list.
    fn constant_permute(&mut self, imm: u64, lane: Size, d: Xmm, a: Xmm, b: Xmm) {
        use V::*;
        let n = 16 / lane.bytes();
        let w = lane.bytes() as u8;
        let list: Vec<u8> = (0..n).map(|i| (imm >> (8 * i)) as u8).collect();
        let count = n as u8;
        let from_a = |x: &u8| *x < count;
        let from_b = |x: &u8| (count..2 * count).contains(x);
        let (all_a, all_b) = (list.iter().all(from_a), list.iter().all(from_b));
        if a == b || all_a || all_b {
            let s = if all_b { b } else { a };
            let of: Vec<u8> = list.iter().map(|&x| if x >= 0x80 { x } else { x % count }).collect();
            if of.iter().all(|&x| x < 0x80) && self.one_source(lane, &of, d, s) {
                return;
            }
            let ctl = shuffle(
                of.iter().flat_map(|&x| (0..w).map(move |j| if x >= 0x80 { 0x80 } else { x * w + j })),
            );
            self.shuffle_const(d, s, ctl);
            return;
        }
        // Every lane at its own place: a blend.
        if list.iter().enumerate().all(|(i, &x)| x < 0x80 && usize::from(x % count) == i) {
            let words = list.iter().enumerate().fold(0u32, |m, (i, x)| {
                let ones = (1u32 << (w / 2)) - 1;
                m | if from_b(x) { ones << (i * usize::from(w) / 2) } else { 0 }
            });
            self.v3i(Pblendw, d, a, b, words as u8);
            return;
        }
        let half = usize::from(count / 2);
        let order = if list[..half].iter().all(from_a) && list[half..].iter().all(from_b) {
            Some((a, b))
        } else if list[..half].iter().all(from_b) && list[half..].iter().all(from_a) {
            Some((b, a))
        } else {
            None
        };
        if let Some((x, y)) = order {
            let at = |i: usize| list[i] % count;
            match lane {
                Size::S => {
                    let imm = at(0) | at(1) << 2 | at(2) << 4 | at(3) << 6;
                    return self.a.v3i(Shufps, d, x, y, imm);
                }
                Size::D => return self.a.v3i(Shufpd, d, x, y, at(0) | at(1) << 1),
                Size::B | Size::H | Size::Q => {}
            }
        }
        let [t0, t1] = self.t;
        let control = |second: bool| {
            shuffle(list.iter().flat_map(|&x| {
                let mine = if second { (count..2 * count).contains(&x) } else { x < count };
                (0..w).map(move |j| if mine { x % count * w + j } else { 0x80 })
            }))
        };
        self.shuffle_const(t0, a, control(false));
        self.shuffle_const(t1, b, control(true));
        self.a.v3(Por, d, t0, t1);
    }

    /// One host shuffle of one source; false if it takes a table.
    fn one_source(&mut self, lane: Size, of: &[u8], d: Xmm, s: Xmm) -> bool {
        use V::*;
        match lane {
            Size::S => self.a.v2i(Pshufd, d, s, of[0] | of[1] << 2 | of[2] << 4 | of[3] << 6),
            Size::D => {
                let pair = |x: u8| if x == 0 { 0b0100 } else { 0b1110 };
                self.a.v2i(Pshufd, d, s, pair(of[0]) | pair(of[1]) << 4);
            }
            Size::H => {
                let packed = |q: &[u8]| q.iter().rev().fold(0, |m, x| m << 2 | x & 3);
                let (lo, hi) = of.split_at(4);
                if *hi == [4, 5, 6, 7] && lo.iter().all(|&x| x < 4) {
                    self.a.v2i(Pshuflw, d, s, packed(lo));
                } else if *lo == [0, 1, 2, 3] && hi.iter().all(|&x| x >= 4) {
                    self.a.v2i(Pshufhw, d, s, packed(hi));
                } else {
                    return false;
                }
            }
            Size::B | Size::Q => return false,
        }
        true
    }

    fn permute(&mut self, inst: &Inst, shape: Shape, d: Xmm, [a, b, c]: [Xmm; 3]) -> bool {
        use V::*;
        let [t0, t1] = self.t;
        let (lane, bytes, w) = (shape.lane, shape.bytes(), shape.lane.bytes() as u8);
        let full = bytes == 16;
        let lanes = shape.lanes;
        match inst.op {
            Op::VDupLane => {
                let n = inst.imm as u8;
                match (lane, full) {
                    (Size::S, true) => self.a.v2i(Pshufd, d, a, n * 0x55),
                    (Size::D, true) => self.a.v2i(Pshufd, d, a, if n == 0 { 0x44 } else { 0xee }),
                    (Size::D, false) if n == 0 => self.a.v2(MovqX, d, a),
                    _ => {
                        let ctl = shuffle((0..bytes as u8).map(|i| n * w + i % w));
                        self.shuffle_const(d, a, ctl);
                    }
                }
            }
            Op::VZip1 | Op::VZip2 => {
                let lo = [Punpcklbw, Punpcklwd, Punpckldq, Punpcklqdq];
                let hi = [Punpckhbw, Punpckhwd, Punpckhdq, Punpckhqdq];
                let (Some(lo), Some(hi)) = (pick(lane, lo), pick(lane, hi)) else { return false };
                match (inst.op, full) {
                    (Op::VZip1, true) => self.a.v3(lo, d, a, b),
                    (Op::VZip2, true) => self.a.v3(hi, d, a, b),
                    (Op::VZip1, false) => {
                        self.a.v3(lo, t0, a, b);
                        self.low_bytes(d, t0, bytes);
                    }
                    _ if bytes == 8 => {
                        self.a.v3(lo, t0, a, b);
                        self.a.vsh(PsrldqI, d, t0, 8);
                    }
                    _ => return false,
                }
            }
            Op::VUzp1 | Op::VUzp2 => {
                let odd = u8::from(inst.op == Op::VUzp2);
                match (lane, full) {
                    (Size::D, true) => {
                        self.a.v3(if odd == 0 { Punpcklqdq } else { Punpckhqdq }, d, a, b);
                    }
                    (Size::S, true) => self.a.v3i(Shufps, d, a, b, if odd == 0 { 0x88 } else { 0xdd }),
                    (Size::H | Size::B, true) => {
                        let ctl = shuffle((0..8).map(|i| (i / w * 2 + odd) * w + i % w));
                        self.shuffle_const(t0, a, ctl);
                        self.shuffle_const(t1, b, ctl);
                        self.a.v3(Punpcklqdq, d, t0, t1);
                    }
                    _ if bytes == 8 && lane != Size::D => {
                        self.a.v3(Punpcklqdq, t0, a, b);
                        let ctl = shuffle((0..8).map(|i| (i / w * 2 + odd) * w + i % w));
                        self.shuffle_const(d, t0, ctl);
                    }
                    _ => return false,
                }
            }
            Op::VTrn1 | Op::VTrn2 => {
                let first = inst.op == Op::VTrn1;
                match lane {
                    Size::D if full => self.a.v3(if first { Punpcklqdq } else { Punpckhqdq }, d, a, b),
                    Size::B | Size::H | Size::S => {
                        let bits = lane.bits() as u8;
                        let (left, right) = match lane {
                            Size::B => (PsllwI, PsrlwI),
                            Size::H => (PslldI, PsrldI),
                            _ => (PsllqI, PsrlqI),
                        };
                        let low = u64::MAX >> (64 - u32::from(bits));
                        let mask = splat(low, 2 * lane.bytes());
                        if first {
                            self.a.vsh(left, t0, b, bits);
                            self.v3c(Pand, t1, a, mask);
                        } else {
                            self.a.vsh(right, t0, a, bits);
                            self.v3c(Pand, t1, b, !mask);
                        }
                        self.a.v3(Por, d, t0, t1);
                        self.low_bytes(d, d, bytes);
                    }
                    Size::D | Size::Q => return false,
                }
            }
            Op::VExt => {
                let n = inst.imm as u8;
                if full {
                    self.a.v3i(Palignr, d, b, a, n);
                } else if bytes == 8 {
                    self.a.v3(Punpcklqdq, t0, a, b);
                    self.a.vsh(PsrldqI, t0, t0, n);
                    self.low_bytes(d, t0, 8);
                } else {
                    return false;
                }
            }
            Op::VRev => {
                let group = 1u8 << inst.imm;
                let ctl = shuffle((0..bytes as u8).map(|i| {
                    let (g, k) = (i / group * group, i % group);
                    g + (group - w - k / w * w) + k % w
                }));
                self.shuffle_const(d, a, ctl);
            }
            Op::VTbl => {
                // Index bytes outside the table's 16 get their top bit set; the shuffle gives zero there.
                let k = (inst.imm * 16) as u8;
                if k == 0 {
                    self.v3c(Paddusb, t0, c, splat(0x70, 1));
                } else {
                    self.v3c(Psubb, t0, c, splat(u64::from(k), 1));
                    self.v3c(Paddusb, t0, t0, splat(0x70, 1));
                }
                self.zero(t1);
                if self.evex() {
                    self.a.vk2(Vpmovb2m, K(1), t0, None);
                    self.a.v_from_k(Vpmovm2b, t1, K(1));
                } else {
                    self.a.v3(Pcmpgtb, t1, t1, t0);
                }
                self.a.v3(Pand, t1, t1, a);
                self.a.v3(Pshufb, t0, b, t0);
                self.a.v3(Por, d, t0, t1);
                self.low_bytes(d, d, bytes);
            }
            Op::VPerm => self.constant_permute(inst.imm, lane, d, a, b),
            Op::VNarrow if bytes <= 8 => {
                let ctl = shuffle((0..lanes).flat_map(|i| (0..w).map(move |j| i * 2 * w + j)));
                self.shuffle_const(d, a, ctl);
            }
            _ => return false,
        }
        true
    }

    fn widen(&mut self, inst: &Inst, shape: Shape, d: Xmm, [a, b, _]: [Xmm; 3]) -> bool {
        use V::*;
        let [t0, t1] = self.t;
        let hi = inst.imm == 1;
        let full = shape.bytes() == 16;
        match inst.op {
            Op::VWidenS | Op::VWidenU => {
                let signed = inst.op == Op::VWidenS;
                let row = match (shape.lane, signed) {
                    (Size::H, true) => Pmovsxbw,
                    (Size::S, true) => Pmovsxwd,
                    (Size::D, true) => Pmovsxdq,
                    (Size::H, false) => Pmovzxbw,
                    (Size::S, false) => Pmovzxwd,
                    (Size::D, false) => Pmovzxdq,
                    (Size::B | Size::Q, _) => return false,
                };
                if hi {
                    self.a.v2i(Pshufd, t0, a, 0xee);
                    self.a.v2(row, d, t0);
                } else {
                    self.a.v2(row, d, a);
                }
                self.low_bytes(d, d, shape.bytes());
            }
            Op::VMullS | Op::VMullU if full => {
                let signed = inst.op == Op::VMullS;
                match shape.lane {
                    Size::H => {
                        let row = if signed { Pmovsxbw } else { Pmovzxbw };
                        if hi {
                            self.a.v2i(Pshufd, t0, a, 0xee);
                            self.a.v2i(Pshufd, t1, b, 0xee);
                            self.a.v2(row, t0, t0);
                            self.a.v2(row, t1, t1);
                        } else {
                            self.a.v2(row, t0, a);
                            self.a.v2(row, t1, b);
                        }
                        self.a.v3(Pmullw, d, t0, t1);
                    }
                    Size::S => {
                        self.a.v3(Pmullw, t0, a, b);
                        self.a.v3(if signed { Pmulhw } else { Pmulhuw }, t1, a, b);
                        self.a.v3(if hi { Punpckhwd } else { Punpcklwd }, d, t0, t1);
                    }
                    Size::D => {
                        let ctl = if hi { 0xfa } else { 0x50 };
                        self.a.v2i(Pshufd, t0, a, ctl);
                        self.a.v2i(Pshufd, t1, b, ctl);
                        self.a.v3(if signed { Pmuldq } else { Pmuludq }, d, t0, t1);
                    }
                    Size::B | Size::Q => return false,
                }
            }
            Op::VPmull if shape.lane == Size::Q && self.a.feat.pclmul => {
                let high = (d.0 | a.0 | b.0) >= 16;
                if high && !self.a.feat.vaes {
                    let (la, lb) = (self.t[0], self.t[1]);
                    self.a.vmov(la, a);
                    self.a.vmov(lb, b);
                    self.a.v3i(Pclmulqdq, la, la, lb, if hi { 0x11 } else { 0 });
                    self.a.vmov(d, la);
                } else {
                    self.a.v3i(Pclmulqdq, d, a, b, if hi { 0x11 } else { 0 });
                }
            }
            Op::VAddlpU | Op::VAddlpS => {
                let signed = inst.op == Op::VAddlpS;
                match (shape.lane, signed) {
                    (Size::H, false) => self.v3c(Pmaddubsw, d, a, splat(1, 1)),
                    (Size::H, true) => {
                        let m = self.pool.get(self.a, splat(1, 1));
                        self.a.v2(Movaps, t0, m);
                        self.a.v3(Pmaddubsw, d, t0, a);
                    }
                    (Size::S, true) => self.v3c(Pmaddwd, d, a, splat(1, 2)),
                    (Size::S, false) => {
                        self.a.vsh(PsrldI, t0, a, 16);
                        self.v3c(Pand, t1, a, splat(0xffff, 4));
                        self.a.v3(Paddd, d, t0, t1);
                    }
                    (Size::D, false) => {
                        self.a.vsh(PsrlqI, t0, a, 32);
                        self.v3c(Pand, t1, a, splat(0xffff_ffff, 8));
                        self.a.v3(Paddq, d, t0, t1);
                    }
                    (Size::D, true) | (Size::B | Size::Q, _) => return false,
                }
                self.low_bytes(d, d, shape.bytes());
            }
            _ => return false,
        }
        true
    }

    fn reduce(&mut self, inst: &Inst, shape: Shape, d: Xmm, [a, b, _]: [Xmm; 3]) -> bool {
        use V::*;
        let [t0, t1] = self.t;
        let (lane, bytes) = (shape.lane, shape.bytes());
        let min_max = |op: Op| -> Option<V> {
            match op {
                Op::VRedSMax | Op::VPsmax => pick(lane, [Pmaxsb, Pmaxsw, Pmaxsd, Vpmaxsq]),
                Op::VRedSMin | Op::VPsmin => pick(lane, [Pminsb, Pminsw, Pminsd, Vpminsq]),
                Op::VRedUMax | Op::VPumax => pick(lane, [Pmaxub, Pmaxuw, Pmaxud, Vpmaxuq]),
                Op::VRedUMin | Op::VPumin => pick(lane, [Pminub, Pminuw, Pminud, Vpminuq]),
                Op::VRedAdd | Op::VPadd => pick(lane, [Paddb, Paddw, Paddd, Paddq]),
                Op::VPsub => pick(lane, [Psubb, Psubw, Psubd, Psubq]),
                _ => None,
            }
        };
        let Some(op) =
            min_max(inst.op).filter(|_| lane < Size::D || matches!(inst.op, Op::VPadd | Op::VPsub))
        else {
            if inst.op == Op::VRedAddlU && lane == Size::B {
                self.zero(t1);
                if bytes == 8 {
                    self.a.v2(MovqX, t0, a);
                    self.a.v3(Psadbw, d, t0, t1);
                } else {
                    self.a.v3(Psadbw, t0, a, t1);
                    self.a.v2i(Pshufd, t1, t0, 0xee);
                    self.a.v3(Paddd, d, t0, t1);
                }
                self.low_bytes(d, d, 4);
                return true;
            }
            return false;
        };
        match inst.op {
            Op::VRedSMax | Op::VRedSMin | Op::VRedUMax | Op::VRedUMin | Op::VRedAdd => {
                if !bytes.is_power_of_two() {
                    return false;
                }
                let mut step = bytes / 2;
                let mut cur = a;
                while step >= lane.bytes() {
                    self.a.vsh(PsrldqI, t1, cur, step as u8);
                    self.a.v3(op, t0, cur, t1);
                    cur = t0;
                    step /= 2;
                }
                self.low_bytes(d, cur, lane.bytes());
                true
            }
            _ => self.pairwise(op, lane, bytes, d, a, b),
        }
    }

    /// Pairwise operation: even lanes of a:b with odd lanes of a:b.
    fn pairwise(&mut self, op: V, lane: Size, bytes: usize, d: Xmm, a: Xmm, b: Xmm) -> bool {
        use V::*;
        let [t0, t1] = self.t;
        let x = self.x[1];
        match (lane, bytes) {
            (Size::D, 16) => {
                self.a.v3(Punpcklqdq, t0, a, b);
                self.a.v3(Punpckhqdq, t1, a, b);
            }
            (Size::S, 16) => {
                self.a.v3i(Shufps, t0, a, b, 0x88);
                self.a.v3i(Shufps, t1, a, b, 0xdd);
            }
            (Size::S | Size::H | Size::B, 8) | (Size::H | Size::B, 16) => {
                let w = lane.bytes() as u8;
                let even = |odd: u8| shuffle((0..8).map(move |i| (i / w * 2 + odd) * w + i % w));
                if bytes == 8 {
                    self.a.v3(Punpcklqdq, x, a, b);
                    self.shuffle_const(t0, x, even(0));
                    self.shuffle_const(t1, x, even(1));
                } else {
                    self.shuffle_const(t0, a, even(0));
                    self.shuffle_const(x, b, even(0));
                    self.a.v3(Punpcklqdq, t0, t0, x);
                    self.shuffle_const(t1, a, even(1));
                    self.shuffle_const(x, b, even(1));
                    self.a.v3(Punpcklqdq, t1, t1, x);
                }
            }
            _ => return false,
        }
        self.a.v3(op, d, t0, t1);
        self.low_bytes(d, d, bytes);
        true
    }

    fn crypto(&mut self, inst: &Inst, d: Xmm, [a, ..]: [Xmm; 3]) -> bool {
        use V::*;
        if !self.a.feat.aes {
            return false;
        }
        let [t0, t1] = self.t;
        // Without VAES the AES forms cannot name xmm16 and up: work in the scratch registers.
        match inst.op {
            Op::AesEnc | Op::AesDec => {
                self.zero(t1);
                self.a.vmov(t0, a);
                self.a.v3(if inst.op == Op::AesEnc { Aesenclast } else { Aesdeclast }, t0, t0, t1);
                self.a.vmov(d, t0);
            }
            Op::AesMc => {
                // The inverse of SubBytes and ShiftRows first, so that a whole round leaves MixColumns.
                self.zero(t1);
                self.a.vmov(t0, a);
                self.a.v3(Aesdeclast, t0, t0, t1);
                self.a.v3(Aesenc, t0, t0, t1);
                self.a.vmov(d, t0);
            }
            Op::AesImc => {
                self.a.vmov(t0, a);
                self.a.v2(Aesimc, t0, t0);
                self.a.vmov(d, t0);
            }
            _ => return false,
        }
        true
    }
}
