//! Inline forms of cryptography, bit manipulation and segment accesses.

use super::inline::{Form, Rhs, lanes, pieces};
use super::piece;
use crate::decode::Vector;
use crate::trans::Tr;
use ir::{Mem, Op, Shape, Size, Type, Val};

impl Tr<'_> {
    /// vd = f(vd, vs2, vs1) by groups of four words, all of which count; `scalar` takes vs2's first group always.
    fn quads(&mut self, fm: &Form, scalar: bool, f: impl Fn(&mut Self, [Val; 3]) -> Val) -> bool {
        if !fm.full {
            return false;
        }
        for p in 0..pieces(fm.bytes) {
            let d = self.vpiece(fm, fm.f.vd, p);
            let a = self.vpiece(fm, fm.f.vs2, if scalar { 0 } else { p });
            let b = self.vpiece(fm, fm.f.vs1, p);
            let v = f(self, [d, a, b]);
            self.vwrite(fm, p, v, None);
        }
        true
    }

    fn xor128(&mut self, a: Val, b: Val) -> Val {
        self.b.vop(Op::VXor, lanes(Size::D), &[a, b], 0)
    }

    fn encrypt(&mut self, fm: &Form, scalar: bool, mix: bool) -> bool {
        self.quads(fm, scalar, |t, [d, k, _]| {
            let v = t.b.crypto(Op::AesEnc, &[d], 0);
            let v = if mix { t.b.crypto(Op::AesMc, &[v], 0) } else { v };
            t.xor128(v, k)
        })
    }

    fn decrypt(&mut self, fm: &Form, scalar: bool, mix: bool) -> bool {
        self.quads(fm, scalar, |t, [d, k, _]| {
            let v = t.b.crypto(Op::AesDec, &[d], 0);
            let v = t.xor128(v, k);
            if mix { t.b.crypto(Op::AesImc, &[v], 0) } else { v }
        })
    }

    /// Two rounds of SHA-256 with the lower or upper half of vs1.
    fn sha256_rounds(&mut self, fm: &Form, high: u64) -> bool {
        fm.size == Size::S
            && self.quads(fm, false, |t, [d, a, w]| {
                let w = t.b.vop(Op::VDupLane, lanes(Size::D), &[w], high);
                t.b.crypto(Op::Sha256Two, &[d, a, w], 0)
            })
    }

    /// Product in GCM's field of values whose bytes have their bits reversed.
    fn gcm(&mut self, a: Val, b: Val) -> Val {
        let (bytes, d) = (lanes(Size::B), lanes(Size::D));
        let one = Shape::new(Size::Q, 1);
        let a = self.b.vop(Op::VRbit, bytes, &[a], 0);
        let b = self.b.vop(Op::VRbit, bytes, &[b], 0);
        let swapped = self.b.vop(Op::VExt, bytes, &[b, b], 8);
        let mul = |t: &mut Self, x, y, half| t.b.vop(Op::VPmull, one, &[x, y], half);
        let (low, high) = (mul(self, a, b, 0), mul(self, a, b, 1));
        let (m0, m1) = (mul(self, a, swapped, 0), mul(self, a, swapped, 1));
        let middle = self.xor128(m0, m1);
        let zero = self.b.vconst(0, true);
        let up = self.b.vop(Op::VExt, bytes, &[zero, middle], 8);
        let down = self.b.vop(Op::VExt, bytes, &[middle, zero], 8);
        let (low, high) = (self.xor128(low, up), self.xor128(high, down));
        // x^128 = x^7 + x^2 + x + 1.
        let poly = self.b.vconst(0x87, true);
        let (r0, r1) = (mul(self, high, poly, 0), mul(self, high, poly, 1));
        let up = self.b.vop(Op::VExt, bytes, &[zero, r1], 8);
        let over = mul(self, r1, poly, 1);
        let v = self.xor128(low, r0);
        let v = self.xor128(v, up);
        let v = self.b.vop(Op::VXor, d, &[v, over], 0);
        self.b.vop(Op::VRbit, bytes, &[v], 0)
    }

    /// Rotation right by the other operand, or left.
    fn rotate(&mut self, fm: &Form, left: bool, more: u32) -> bool {
        let (s, bits) = (lanes(fm.size), fm.size.bits());
        let rhs = if fm.f.f3 == 3 {
            Rhs::Scalar(self.splat(fm.size, u64::from((fm.f.vs1 + more) & (bits - 1))))
        } else {
            self.rhs(fm)
        };
        let mask = self.splat(fm.size, u64::from(bits - 1));
        for p in 0..pieces(fm.bytes) {
            let (a, n) = (self.vpiece(fm, fm.f.vs2, p), self.rhs_piece(fm, rhs, p));
            let n = self.b.vop(Op::VAnd, s, &[n, mask], 0);
            let n = if left { n } else { self.b.vop(Op::VNeg, s, &[n], 0) };
            // The other way by the rest of the width; by all of it, which leaves nothing, when there is nothing to rotate.
            let width = if left { u64::from(bits) } else { u64::from(bits).wrapping_neg() };
            let width = self.splat(fm.size, width);
            let other = self.b.vop(Op::VSub, s, &[n, width], 0);
            let (x, y) = (self.b.vop(Op::VShlU, s, &[a, n], 0), self.b.vop(Op::VShlU, s, &[a, other], 0));
            let v = self.b.vop(Op::VOr, s, &[x, y], 0);
            let m = self.active(fm, fm.size, p);
            self.vwrite(fm, p, v, m);
        }
        true
    }

    /// Carry-less products of 64-bit elements: the lower or upper halves.
    fn carry_less(&mut self, fm: &Form, op: Op) -> bool {
        let rhs = self.rhs(fm);
        for p in 0..pieces(fm.bytes) {
            let (a, b) = (self.vpiece(fm, fm.f.vs2, p), self.rhs_piece(fm, rhs, p));
            let one = Shape::new(Size::Q, 1);
            let (x, y) = (self.b.vop(Op::VPmull, one, &[a, b], 0), self.b.vop(Op::VPmull, one, &[a, b], 1));
            let v = self.b.vop(op, lanes(Size::D), &[x, y], 0);
            let m = self.active(fm, fm.size, p);
            self.vwrite(fm, p, v, m);
        }
        true
    }

    /// Segments of two or four fields, all elements: pieces are zipped or unzipped.
    fn segments(&mut self, fm: &Form, size: Size, store: bool) -> bool {
        let (fields, bytes) = (fm.f.nf + 1, fm.bytes_of(size));
        if !matches!(fields, 2 | 4) || !fm.every() || bytes < 16 || fields * pieces(bytes) > 8 {
            return false;
        }
        let (base, s, q) = (self.x64(fm.f.vs1), lanes(size), Mem::plain(Size::Q));
        let zip = |t: &mut Self, ops: [Op; 2], a: Val, b: Val| {
            let x = t.b.vop(ops[0], s, &[a, b], 0);
            (x, t.b.vop(ops[1], s, &[a, b], 0))
        };
        // Registers of a field.
        let step = (bytes / (self.cpu.vlen / 8)).max(1);
        let slot = |t: &Self, k: u32, p: u32| piece((fm.f.vd + k * step) * (t.cpu.vlen / 128) + p);
        for p in 0..pieces(bytes) {
            let at = |k: u32| i64::from(16 * (p * fields + k));
            if store {
                let v: Vec<Val> = (0..fields).map(|k| self.b.get(slot(self, k, p), Type::V128)).collect();
                let out = match v[..] {
                    [a, b] => {
                        let (x, y) = zip(self, [Op::VZip1, Op::VZip2], a, b);
                        vec![x, y]
                    }
                    [a, b, c, d] => {
                        let (e, f) = zip(self, [Op::VZip1, Op::VZip2], a, c);
                        let (g, h) = zip(self, [Op::VZip1, Op::VZip2], b, d);
                        let (w, x) = zip(self, [Op::VZip1, Op::VZip2], e, g);
                        let (y, z) = zip(self, [Op::VZip1, Op::VZip2], f, h);
                        vec![w, x, y, z]
                    }
                    _ => return false,
                };
                for (k, v) in out.into_iter().enumerate() {
                    self.b.store(q, base, Val::NONE, at(k as u32), v);
                }
                continue;
            }
            let v: Vec<Val> =
                (0..fields).map(|k| self.b.load(Type::V128, q, base, Val::NONE, at(k))).collect();
            let uzp = [Op::VUzp1, Op::VUzp2];
            let out = match v[..] {
                [a, b] => {
                    let (x, y) = zip(self, uzp, a, b);
                    vec![x, y]
                }
                [a, b, c, d] => {
                    let (e, f) = zip(self, uzp, a, b);
                    let (g, h) = zip(self, uzp, c, d);
                    let (w, y) = zip(self, uzp, e, g);
                    let (x, z) = zip(self, uzp, f, h);
                    vec![w, x, y, z]
                }
                _ => return false,
            };
            for (k, v) in out.into_iter().enumerate() {
                self.b.set(slot(self, k as u32, p), v);
            }
        }
        true
    }

    pub(super) fn inline_more(&mut self, insn: Vector, fm: &Form) -> bool {
        use Vector as V;
        let eew = Size::from_log2(fm.f.eew().min(3)).unwrap_or(Size::D);
        match insn {
            V::VaesemVv(_) => self.encrypt(fm, false, true),
            V::VaesemVs(_) => self.encrypt(fm, true, true),
            V::VaesefVv(_) => self.encrypt(fm, false, false),
            V::VaesefVs(_) => self.encrypt(fm, true, false),
            V::VaesdmVv(_) => self.decrypt(fm, false, true),
            V::VaesdmVs(_) => self.decrypt(fm, true, true),
            V::VaesdfVv(_) => self.decrypt(fm, false, false),
            V::VaesdfVs(_) => self.decrypt(fm, true, false),
            V::VaeszVs(_) => self.quads(fm, true, |t, [d, k, _]| t.xor128(d, k)),
            V::Vgmul(_) => self.quads(fm, false, |t, [d, h, _]| t.gcm(d, h)),
            V::Vghsh(_) => self.quads(fm, false, |t, [d, h, x]| {
                let y = t.xor128(d, x);
                t.gcm(y, h)
            }),
            V::Vsha2ms(_) if fm.size == Size::S => self.quads(fm, false, |t, [d, a, b]| {
                let v = t.b.crypto(Op::Sha256Su0, &[d, a], 0);
                t.b.crypto(Op::Sha256Su1, &[v, a, b], 0)
            }),
            V::Vsha2cl(_) => self.sha256_rounds(fm, 0),
            V::Vsha2ch(_) => self.sha256_rounds(fm, 1),
            V::Vsm4rVv(_) => self.quads(fm, false, |t, [d, k, _]| t.b.crypto(Op::Sm4E, &[d, k], 0)),
            V::Vsm4rVs(_) => self.quads(fm, true, |t, [d, k, _]| t.b.crypto(Op::Sm4E, &[d, k], 0)),
            V::Vror(_) => self.rotate(fm, false, 0),
            V::VrorHi(_) => self.rotate(fm, false, 32),
            V::Vrol(_) => self.rotate(fm, true, 0),
            V::Vclmul(_) => self.carry_less(fm, Op::VUzp1),
            V::Vclmulh(_) => self.carry_less(fm, Op::VUzp2),
            V::Vbrev8(_) | V::Vrev8(_) => {
                for p in 0..pieces(fm.bytes) {
                    let a = self.vpiece(fm, fm.f.vs2, p);
                    let v = match insn {
                        V::Vbrev8(_) => self.b.vop(Op::VRbit, lanes(Size::B), &[a], 0),
                        _ if fm.size == Size::B => a,
                        _ => self.b.vop(Op::VRev, lanes(Size::B), &[a], fm.size as u64),
                    };
                    let m = self.active(fm, fm.size, p);
                    self.vwrite(fm, p, v, m);
                }
                true
            }
            V::Vle(_) | V::Vse(_) if !self.rv32() => self.segments(fm, eew, matches!(insn, V::Vse(_))),
            _ => self.inline_fixed(insn, fm),
        }
    }
}
