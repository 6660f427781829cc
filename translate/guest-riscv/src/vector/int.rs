//! Integer and fixed-point arithmetic on elements, with the bit manipulation of Zvbb and Zvbc.

use super::unit::{Unit, sx, zx};
use crate::decode::Vector;

/// Instructions whose five-bit immediate is not sign-extended.
pub(super) fn unsigned_immediate(insn: Vector) -> bool {
    use Vector as V;
    matches!(
        insn,
        V::Vsll(_)
            | V::Vsrl(_)
            | V::Vsra(_)
            | V::Vssrl(_)
            | V::Vssra(_)
            | V::Vnsrl(_)
            | V::Vnsra(_)
            | V::Vnclip(_)
            | V::Vnclipu(_)
            | V::Vwsll(_)
            | V::Vror(_)
            | V::VrorHi(_)
            | V::Vrgather(_)
            | V::Vslideup(_)
            | V::Vslidedown(_)
    )
}

/// What is added to `v >> shift` under a fixed-point rounding mode (manual, "Vector Fixed-Point Rounding Mode Register vxrm").
fn round_increment(v: u128, shift: u32, vxrm: u32) -> u128 {
    if shift == 0 {
        return 0;
    }
    let (lsb, half) = (v >> shift & 1, v >> (shift - 1) & 1);
    let below = v & ((1 << (shift - 1)) - 1) != 0;
    u128::from(match vxrm {
        0 => half != 0,
        1 => half != 0 && (below || lsb != 0),
        2 => false,
        _ => lsb == 0 && (half != 0 || below),
    })
}

fn rounded(v: i128, shift: u32, vxrm: u32) -> i128 {
    (v >> shift) + round_increment(v as u128, shift, vxrm) as i128
}

impl Unit<'_> {
    fn saturate_signed(&mut self, v: i128) -> u64 {
        let max = (1i128 << (self.bits() - 1)) - 1;
        let r = v.clamp(-max - 1, max);
        self.sat |= r != v;
        r as u64
    }

    fn saturate_unsigned(&mut self, v: i128) -> u64 {
        let r = v.clamp(0, (1i128 << self.bits()) - 1);
        self.sat |= r != v;
        r as u64
    }

    /// vd[i] = f(vs2[i], other, carry): every element, the mask is the carry.
    fn with_carry(&mut self, f: impl Fn(u64, u64, u64) -> u64) {
        let (sew, s) = (self.sew, self.scalar().map(|s| zx(s, self.sew)));
        for i in self.vstart..self.vl {
            let b = s.unwrap_or_else(|| self.get(self.f.vs1, i, sew));
            let carry = u64::from(self.mask[i / 8] >> (i % 8) & 1);
            let v = f(self.get(self.f.vs2, i, sew), b, carry);
            self.put(self.f.vd, i, sew, v);
        }
    }

    fn carry_out(&mut self, f: impl Fn(u128, u128, u128) -> u128) {
        let (sew, s) = (self.sew, self.scalar().map(|s| zx(s, self.sew)));
        for i in self.vstart..self.vl {
            let b = s.unwrap_or_else(|| self.get(self.f.vs1, i, sew));
            let carry = if self.f.vm { 0 } else { u128::from(self.mask[i / 8] >> (i % 8) & 1) };
            let v = f(u128::from(self.get(self.f.vs2, i, sew)), u128::from(b), carry);
            self.put_bit(self.f.vd, i, v >> self.bits() & 1 != 0);
        }
    }

    fn widen(&mut self, wide_source: bool, f: impl Fn(u64, u64, u64) -> u64) {
        let a = self.sew + u32::from(wide_source);
        self.map_sizes(self.sew + 1, a, |_, a, b, d| f(a, b, d));
    }

    /// Plain integer instructions. False if it is none.
    pub fn int(&mut self, insn: Vector) -> bool {
        use Vector as V;
        let (sew, bits) = (self.sew, self.bits());
        let shift = u64::from(bits - 1);
        let s = move |v: u64| sx(v, sew);
        match insn {
            V::Vadd(_) => self.map(|a, b, _| a.wrapping_add(b)),
            V::Vsub(_) => self.map(|a, b, _| a.wrapping_sub(b)),
            V::Vrsub(_) => self.map(|a, b, _| b.wrapping_sub(a)),
            V::Vminu(_) => self.map(|a, b, _| a.min(b)),
            V::Vmin(_) => self.map_signed(i64::min),
            V::Vmaxu(_) => self.map(|a, b, _| a.max(b)),
            V::Vmax(_) => self.map_signed(i64::max),
            V::Vand(_) => self.map(|a, b, _| a & b),
            V::Vor(_) => self.map(|a, b, _| a | b),
            V::Vxor(_) => self.map(|a, b, _| a ^ b),
            V::Vandn(_) => self.map(|a, b, _| a & !b),
            V::Vsll(_) => self.map(|a, b, _| a << (b & shift)),
            V::Vsrl(_) => self.map(|a, b, _| a >> (b & shift)),
            V::Vsra(_) => self.map(|a, b, _| (s(a) >> (b & shift)) as u64),
            V::Vror(_) => self.map(|a, b, _| rotate(a, bits, b & shift)),
            V::VrorHi(_) => self.map(|a, b, _| rotate(a, bits, (b + 32) & shift)),
            V::Vrol(_) => self.map(|a, b, _| rotate(a, bits, b.wrapping_neg() & shift)),
            V::Vadc(_) => self.with_carry(|a, b, c| a.wrapping_add(b).wrapping_add(c)),
            V::Vsbc(_) => self.with_carry(|a, b, c| a.wrapping_sub(b).wrapping_sub(c)),
            V::Vmadc(_) => self.carry_out(|a, b, c| a + b + c),
            V::Vmsbc(_) => self.carry_out(|a, b, c| a.wrapping_sub(b).wrapping_sub(c)),
            V::Vmseq(_) => self.compare(|_, a, b| a == b),
            V::Vmsne(_) => self.compare(|_, a, b| a != b),
            V::Vmsltu(_) => self.compare(|_, a, b| a < b),
            V::Vmslt(_) => self.compare(|_, a, b| s(a) < s(b)),
            V::Vmsleu(_) => self.compare(|_, a, b| a <= b),
            V::Vmsle(_) => self.compare(|_, a, b| s(a) <= s(b)),
            V::Vmsgtu(_) => self.compare(|_, a, b| a > b),
            V::Vmsgt(_) => self.compare(|_, a, b| s(a) > s(b)),
            V::Vdivu(_) => self.map(|a, b, _| a.checked_div(b).unwrap_or(u64::MAX)),
            V::Vdiv(_) => self.map_signed(|a, b| if b == 0 { -1 } else { a.wrapping_div(b) }),
            V::Vremu(_) => self.map(|a, b, _| a.checked_rem(b).unwrap_or(a)),
            V::Vrem(_) => self.map_signed(|a, b| if b == 0 { a } else { a.wrapping_rem(b) }),
            V::Vmul(_) => self.map(|a, b, _| a.wrapping_mul(b)),
            V::Vmulhu(_) => self.map(|a, b, _| ((u128::from(a) * u128::from(b)) >> bits) as u64),
            V::Vmulh(_) => self.map_signed(|a, b| ((i128::from(a) * i128::from(b)) >> bits) as i64),
            V::Vmulhsu(_) => {
                self.map(|a, b, _| (i128::from(s(a)).wrapping_mul(i128::from(b)) >> bits) as u64);
            }
            V::Vmacc(_) => self.map(|a, b, d| d.wrapping_add(a.wrapping_mul(b))),
            V::Vnmsac(_) => self.map(|a, b, d| d.wrapping_sub(a.wrapping_mul(b))),
            V::Vmadd(_) => self.map(|a, b, d| a.wrapping_add(d.wrapping_mul(b))),
            V::Vnmsub(_) => self.map(|a, b, d| a.wrapping_sub(d.wrapping_mul(b))),
            V::Vnsrl(_) => {
                let mask = u64::from(2 * bits - 1);
                self.map_sizes(sew, sew + 1, |_, a, b, _| a >> (b & mask));
            }
            V::Vnsra(_) => {
                let mask = u64::from(2 * bits - 1);
                self.map_sizes(sew, sew + 1, |_, a, b, _| (sx(a, sew + 1) >> (b & mask)) as u64);
            }
            V::Vwsll(_) => {
                let mask = u64::from(2 * bits - 1);
                self.widen(false, |a, b, _| a << (b & mask));
            }
            V::Vwaddu(_) => self.widen(false, |a, b, _| a.wrapping_add(b)),
            V::Vwadd(_) => self.widen(false, |a, b, _| s(a).wrapping_add(s(b)) as u64),
            V::Vwsubu(_) => self.widen(false, |a, b, _| a.wrapping_sub(b)),
            V::Vwsub(_) => self.widen(false, |a, b, _| s(a).wrapping_sub(s(b)) as u64),
            V::VwadduW(_) => self.widen(true, |a, b, _| a.wrapping_add(b)),
            V::VwaddW(_) => self.widen(true, |a, b, _| a.wrapping_add(s(b) as u64)),
            V::VwsubuW(_) => self.widen(true, |a, b, _| a.wrapping_sub(b)),
            V::VwsubW(_) => self.widen(true, |a, b, _| a.wrapping_sub(s(b) as u64)),
            V::Vwmulu(_) => self.widen(false, |a, b, _| a.wrapping_mul(b)),
            V::Vwmulsu(_) => self.widen(false, |a, b, _| (s(a) as u64).wrapping_mul(b)),
            V::Vwmul(_) => self.widen(false, |a, b, _| s(a).wrapping_mul(s(b)) as u64),
            V::Vwmaccu(_) => self.widen(false, |a, b, d| d.wrapping_add(a.wrapping_mul(b))),
            V::Vwmacc(_) => self.widen(false, |a, b, d| d.wrapping_add(s(a).wrapping_mul(s(b)) as u64)),
            V::Vwmaccus(_) => self.widen(false, |a, b, d| d.wrapping_add((s(a) as u64).wrapping_mul(b))),
            V::Vwmaccsu(_) => self.widen(false, |a, b, d| d.wrapping_add(a.wrapping_mul(s(b) as u64))),
            V::Vzext(_) => self.unary(sew, sew - (4 - (self.f.vs1 >> 1)), |_, a| a),
            V::Vsext(_) => {
                let from = sew - (4 - (self.f.vs1 >> 1));
                self.unary(sew, from, |_, a| sx(a, from) as u64);
            }
            V::Vbrev8(_) => self.unary(sew, sew, |_, a| a.swap_bytes().reverse_bits()),
            V::Vrev8(_) => self.unary(sew, sew, |_, a| a.swap_bytes() >> (64 - bits)),
            V::Vbrev(_) => self.unary(sew, sew, |_, a| a.reverse_bits() >> (64 - bits)),
            V::Vclz(_) => self.unary(sew, sew, |_, a| u64::from(a.leading_zeros() - (64 - bits))),
            V::Vctz(_) => self.unary(sew, sew, |_, a| u64::from(a.trailing_zeros().min(bits))),
            V::VcpopV(_) => self.unary(sew, sew, |_, a| u64::from(a.count_ones())),
            V::Vclmul(_) => self.map(|a, b, _| product(a, b) as u64),
            V::Vclmulh(_) => self.map(|a, b, _| (product(a, b) >> 64) as u64),
            V::Vredsum(_) => self.reduce(sew, |_, d, a| d.wrapping_add(a)),
            V::Vredand(_) => self.reduce(sew, |_, d, a| d & a),
            V::Vredor(_) => self.reduce(sew, |_, d, a| d | a),
            V::Vredxor(_) => self.reduce(sew, |_, d, a| d ^ a),
            V::Vredminu(_) => self.reduce(sew, |_, d, a| d.min(a)),
            V::Vredmin(_) => self.reduce(sew, |_, d, a| s(d).min(s(a)) as u64),
            V::Vredmaxu(_) => self.reduce(sew, |_, d, a| d.max(a)),
            V::Vredmax(_) => self.reduce(sew, |_, d, a| s(d).max(s(a)) as u64),
            V::Vwredsumu(_) => self.reduce(sew + 1, |_, d, a| d.wrapping_add(a)),
            V::Vwredsum(_) => self.reduce(sew + 1, |_, d, a| d.wrapping_add(s(a) as u64)),
            _ => return false,
        }
        true
    }

    /// Fixed-point instructions. False if it is none.
    pub fn fixed(&mut self, insn: Vector) -> bool {
        use Vector as V;
        let (sew, bits, rm) = (self.sew, self.bits(), self.vxrm);
        let shift = u64::from(bits - 1);
        let s = move |v: u64| i128::from(sx(v, sew));
        match insn {
            V::Vsaddu(_) => self.map_with(|u, a, b, _| u.saturate_unsigned(i128::from(a) + i128::from(b))),
            V::Vsadd(_) => self.map_with(|u, a, b, _| u.saturate_signed(s(a) + s(b))),
            V::Vssubu(_) => self.map_with(|u, a, b, _| u.saturate_unsigned(i128::from(a) - i128::from(b))),
            V::Vssub(_) => self.map_with(|u, a, b, _| u.saturate_signed(s(a) - s(b))),
            V::Vaaddu(_) => self.map(|a, b, _| rounded(i128::from(a) + i128::from(b), 1, rm) as u64),
            V::Vaadd(_) => self.map(|a, b, _| rounded(s(a) + s(b), 1, rm) as u64),
            V::Vasubu(_) => self.map(|a, b, _| rounded(i128::from(a) - i128::from(b), 1, rm) as u64),
            V::Vasub(_) => self.map(|a, b, _| rounded(s(a) - s(b), 1, rm) as u64),
            V::Vsmul(_) => {
                self.map_with(|u, a, b, _| u.saturate_signed(rounded(s(a) * s(b), bits - 1, rm)));
            }
            V::Vssrl(_) => self.map(|a, b, _| rounded(i128::from(a), (b & shift) as u32, rm) as u64),
            V::Vssra(_) => self.map(|a, b, _| rounded(s(a), (b & shift) as u32, rm) as u64),
            V::Vnclipu(_) => {
                let mask = u64::from(2 * bits - 1);
                self.map_sizes(sew, sew + 1, |u, a, b, _| {
                    u.saturate_unsigned(rounded(i128::from(a), (b & mask) as u32, rm))
                });
            }
            V::Vnclip(_) => {
                let mask = u64::from(2 * bits - 1);
                self.map_sizes(sew, sew + 1, |u, a, b, _| {
                    u.saturate_signed(rounded(i128::from(sx(a, sew + 1)), (b & mask) as u32, rm))
                });
            }
            _ => return false,
        }
        true
    }
}

/// Rotates the low `bits` right; the rest of `a` is zero.
fn rotate(a: u64, bits: u32, n: u64) -> u64 {
    if n == 0 { a } else { a >> n | a << (u64::from(bits) - n) }
}

/// Carry-less product.
fn product(a: u64, b: u64) -> u128 {
    (0..64).filter(|i| b >> i & 1 != 0).fold(0, |acc, i| acc ^ u128::from(a) << i)
}
