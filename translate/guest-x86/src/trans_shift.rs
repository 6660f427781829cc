//! Shifts and rotates. SDM volume 2: SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD, SARX/SHLX/SHRX, RORX.
//!
//! Counts are taken modulo 32, or 64 for 64-bit operands; a count of zero changes no flag. OF after a count other than one
//! is undefined: Intel's CPUs give what the first step by one does.

use crate::cpu::{self, RCX};
use crate::operand::{Dst, op_bits, type_of};
use crate::trans::{Flow, Tr, flag};
use iced_x86::{Instruction, Mnemonic, OpKind};
use ir::{Attr, Cc, Op, Type, Val};

/// A shift count.
#[derive(Clone, Copy)]
enum Count {
    /// Known, in range.
    Known(u32),
    /// An I32 in range.
    Value(Val),
}

impl Tr<'_> {
    /// Translates an instruction of this group; `None` if it is not one.
    pub(crate) fn shift_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic as M;
        match insn.mnemonic() {
            M::Shl | M::Sal => self.shift(insn, Op::Shl, Op::LShl),
            M::Shr => self.shift(insn, Op::Shr, Op::LShr),
            M::Sar => self.shift(insn, Op::Sar, Op::LSar),
            M::Rol => self.rotate(insn, true),
            M::Ror => self.rotate(insn, false),
            M::Rcl => self.rotate_carry(insn, true),
            M::Rcr => self.rotate_carry(insn, false),
            M::Shld => self.double_shift(insn, true),
            M::Shrd => self.double_shift(insn, false),
            M::Shlx => self.plain_shift(insn, Op::Shl),
            M::Shrx => self.plain_shift(insn, Op::Shr),
            M::Sarx => self.plain_shift(insn, Op::Sar),
            M::Rorx => {
                let bits = op_bits(insn, 0);
                let v = self.read(insn, 1, bits);
                let n = self.b.iconst(type_of(bits), u64::from(insn.immediate8()));
                let r = self.b.ror(v, n);
                let dst = self.dest_only(insn, 0);
                self.write(dst, bits, r);
            }
            _ => return None,
        }
        Some(Flow::Next)
    }

    fn plain_shift(&mut self, insn: &Instruction, op: Op) {
        let bits = op_bits(insn, 0);
        let v = self.read(insn, 1, bits);
        let n = self.read(insn, 2, bits);
        let r = self.b.push(op, type_of(bits), Attr::None, &[v, n], 0);
        let dst = self.dest_only(insn, 0);
        self.write(dst, bits, r);
    }

    /// The count operand `n`, in range.
    fn count(&mut self, insn: &Instruction, n: u32, bits: u32) -> Count {
        let mask = if bits == 64 { 63 } else { 31 };
        if insn.op_kind(n) == OpKind::Register {
            let c = self.r32(RCX);
            let m = self.b.const32(mask);
            return Count::Value(self.b.and(c, m));
        }
        Count::Known(insn.immediate(n) as u32 & mask)
    }

    /// A count as a value of the operand's type.
    fn count_value(&mut self, count: Count, bits: u32) -> Val {
        match count {
            Count::Known(n) => self.b.iconst(type_of(bits), u64::from(n)),
            Count::Value(v) => self.retype(v, bits),
        }
    }

    /// Writes the flags unless the count is zero.
    fn flags_unless_zero(&mut self, count: Count, f: Val) {
        let Count::Value(n) = count else { return self.set_flags(f) };
        let zero = self.is_zero(n);
        let old = self.flags();
        let chosen = self.b.flags_select(Cc::Ne, zero, f, old);
        self.set_flags(chosen);
    }

    fn shift(&mut self, insn: &Instruction, op: Op, narrow: Op) {
        let bits = op_bits(insn, 0);
        let count = if insn.op1_kind() == OpKind::Register {
            // The operations take the count modulo the width by themselves.
            None
        } else {
            Some(self.count(insn, 1, bits))
        };
        let (dst, a) = self.dest(insn, 0, bits);
        match count {
            Some(Count::Known(0)) => self.write_back(dst, bits, a),
            Some(count) => {
                let n = self.count_value(count, bits);
                let r = self.op2(op, narrow, bits, a, n);
                let f = self.b.flags_of(r);
                self.write_back(dst, bits, r);
                self.set_flags(f);
            }
            None => {
                let c = self.b.get(cpu::gpr(RCX), Type::I64);
                let n = self.retype(c, bits);
                let r = self.op2(op, narrow, bits, a, n);
                let f = self.b.flags_of(r);
                let c = self.b.trunc(c);
                let m = self.b.const32(if bits == 64 { 63 } else { 31 });
                let low = self.b.and(c, m);
                self.write_back(dst, bits, r);
                self.flags_unless_zero(Count::Value(low), f);
            }
        }
    }

    /// A flags value with C and V from I32 that are 0 or 1, the others clear.
    pub(crate) fn carry_overflow(&mut self, c: Val, v: Val) -> Val {
        let eight = self.b.const32(8);
        let c = self.b.shl(c, eight);
        let packed = self.b.or(c, v);
        self.b.flags_unpack(packed)
    }

    /// Bit `n` of a raw value as an I32.
    pub(crate) fn bit(&mut self, v: Val, n: u32) -> Val {
        let b = self.b.ubfx(v, n, 1);
        self.narrow32(b)
    }

    /// The exclusive or of two bits of raw values.
    fn bits_differ(&mut self, a: Val, i: u32, b: Val, j: u32) -> Val {
        let (x, y) = (self.bit(a, i), self.bit(b, j));
        self.b.xor(x, y)
    }

    fn rotate(&mut self, insn: &Instruction, left: bool) {
        let bits = op_bits(insn, 0);
        let count = self.count(insn, 1, bits);
        let (dst, a) = self.dest(insn, 0, bits);
        if let Count::Known(0) = count {
            return self.write_back(dst, bits, a);
        }
        // Narrow values are repeated over 32 bits, where they rotate the same way.
        let wide = match bits {
            8 | 16 => {
                let low = self.b.trunc(a);
                let low = self.zext(low, bits);
                let by = self.b.const32(if bits == 8 { 0x0101_0101 } else { 0x1_0001 });
                self.b.mul(low, by)
            }
            _ => a,
        };
        let width = if bits == 64 { 64 } else { 32 };
        let n = match count {
            Count::Known(n) => {
                let n = if left { (width - n) % width } else { n };
                self.b.iconst(self.b.ty(wide), u64::from(n))
            }
            Count::Value(v) => {
                let v = if left { self.b.neg(v) } else { v };
                if bits == 64 { self.wide(v) } else { v }
            }
        };
        let r = self.b.ror(wide, n);
        let (c, v) = if left {
            (self.bit(r, 0), self.bits_differ(a, bits - 1, a, bits - 2))
        } else {
            (self.bit(r, bits - 1), self.bits_differ(a, 0, a, bits - 1))
        };
        let f = self.carry_overflow(c, v);
        let old = self.flags();
        // Intel's CPUs leave OF where the immediate count for a register is not one.
        let kept = matches!(count, Count::Known(n) if n != 1) && !matches!(dst, Dst::Mem(_));
        let f = self.b.flags_merge(old, f, if kept { flag::C } else { flag::C | flag::V });
        self.write(dst, bits, r);
        self.flags_unless_zero(count, f);
    }

    /// rcl, rcr: a rotation of one bit more.
    fn rotate_carry(&mut self, insn: &Instruction, left: bool) {
        let bits = op_bits(insn, 0);
        let count = self.count(insn, 1, bits);
        let (dst, a) = self.dest(insn, 0, bits);
        let around = u64::from(bits) + 1;
        // The count modulo width + 1 as an I64 (which 31 never reaches at 32 bits).
        let (n, count) = match count {
            Count::Known(k) => {
                let k = k % around as u32;
                if k == 0 {
                    return self.write_back(dst, bits, a);
                }
                (self.b.const64(u64::from(k)), Count::Known(k))
            }
            Count::Value(v) => {
                let v = if bits < 32 {
                    let m = self.b.const32(around as u32);
                    self.b.remu(v, m)
                } else {
                    v
                };
                (self.wide(v), Count::Value(v))
            }
        };
        let old = self.flags();
        let carry = self.b.setcc(Type::I32, Cc::Cs, old);
        let over = if left {
            self.bits_differ(a, bits - 1, a, bits - 2)
        } else {
            let top = self.bit(a, bits - 1);
            self.b.xor(carry, top)
        };
        let carry64 = self.wide(carry);
        let (r, c) = if bits == 64 {
            self.rotate_carry64(left, a, carry64, n)
        } else {
            let low = self.zext64(a, bits);
            let w = self.b.const64(u64::from(bits));
            let top = self.b.shl(carry64, w);
            let v = self.b.or(low, top);
            let all = self.b.const64(around);
            let back = self.b.sub(all, n);
            let (x, y) = if left {
                (self.b.shl(v, n), self.b.shr(v, back))
            } else {
                (self.b.shr(v, n), self.b.shl(v, back))
            };
            let r = self.b.or(x, y);
            (r, self.bit(r, bits))
        };
        let f = self.carry_overflow(c, over);
        let f = self.b.flags_merge(old, f, flag::C | flag::V);
        let r = self.retype(r, bits);
        self.write(dst, bits, r);
        self.flags_unless_zero(count, f);
    }

    /// On 64 bits; a count of zero gives `a`.
    fn rotate_carry64(&mut self, left: bool, a: Val, carry: Val, n: Val) -> (Val, Val) {
        let one = self.b.const64(1);
        let before = self.b.sub(n, one);
        let back = self.b.neg(n);
        let (main, rest, edge, out) = if left {
            let main = self.b.shl(a, n);
            let half = self.b.shr(a, one);
            (main, self.b.shr(half, back), self.b.shl(carry, before), self.b.shr(a, back))
        } else {
            let main = self.b.shr(a, n);
            let half = self.b.shl(a, one);
            (main, self.b.shl(half, back), self.b.shl(carry, back), self.b.shr(a, before))
        };
        let r = self.b.or(main, rest);
        let r = self.b.or(r, edge);
        let zero = self.is_zero(n);
        let r = self.b.select(Cc::Ne, zero, r, a);
        (r, self.bit(out, 0))
    }

    fn double_shift(&mut self, insn: &Instruction, left: bool) {
        let bits = op_bits(insn, 0);
        let count = self.count(insn, 2, bits);
        let src = self.read(insn, 1, bits);
        let (dst, a) = self.dest(insn, 0, bits);
        if let Count::Known(0) = count {
            return self.write_back(dst, bits, a);
        }
        let (r, c) = match bits {
            64 => self.double_shift64(left, a, src, count),
            32 => {
                if let Count::Known(n) = count {
                    let (hi, lo, by) = if left { (a, src, 32 - n) } else { (src, a, n) };
                    let r = self.b.extr(hi, lo, by);
                    (r, self.bit(a, if left { 32 - n } else { n - 1 }))
                } else {
                    let (hi, lo) = if left { (a, src) } else { (src, a) };
                    let (hi, lo) = (self.b.zext32(hi), self.b.zext32(lo));
                    let v = self.b.bfi(lo, hi, 32, 32);
                    self.wide_double_shift(left, v, count, 32, 64)
                }
            }
            _ => {
                // Counts above 16 go on into the destination once more.
                let (x, y) = (self.zext64(a, 16), self.zext64(src, 16));
                let v = self.b.bfi(x, y, 16, 16);
                let v = self.b.bfi(v, x, 32, 16);
                self.wide_double_shift(left, v, count, 32, 48)
            }
        };
        let over = if left {
            self.bits_differ(a, bits - 1, a, bits - 2)
        } else {
            self.bits_differ(src, 0, a, bits - 1)
        };
        let cv = self.carry_overflow(c, over);
        let r = self.retype(r, bits);
        let zero = self.b.iconst(type_of(bits), 0);
        let same = self.op2(Op::Or, Op::LOr, bits, r, zero);
        let nzp = self.b.flags_of(same);
        let f = self.b.flags_merge(cv, nzp, flag::N | flag::Z | flag::P);
        self.write(dst, bits, r);
        self.flags_unless_zero(count, f);
    }

    /// A double shift of `v`, whose low end (right) or upper end of `size` bits (left, the result `at` bits up) is the
    /// destination: result and last bit out.
    fn wide_double_shift(&mut self, left: bool, v: Val, count: Count, at: u32, size: u32) -> (Val, Val) {
        let n = match count {
            Count::Known(n) => self.b.const64(u64::from(n)),
            Count::Value(v) => self.wide(v),
        };
        if left {
            let shifted = self.b.shl(v, n);
            let k = self.b.const64(u64::from(at));
            let r = self.b.shr(shifted, k);
            let top = self.b.const64(u64::from(size));
            let from = self.b.sub(top, n);
            let out = self.b.shr(v, from);
            (r, self.bit(out, 0))
        } else {
            let r = self.b.shr(v, n);
            let one = self.b.const64(1);
            let from = self.b.sub(n, one);
            let out = self.b.shr(v, from);
            (r, self.bit(out, 0))
        }
    }

    fn double_shift64(&mut self, left: bool, a: Val, src: Val, count: Count) -> (Val, Val) {
        if let Count::Known(n) = count {
            let (hi, lo, by) = if left { (a, src, 64 - n) } else { (src, a, n) };
            let r = self.b.extr(hi, lo, by);
            return (r, self.bit(a, if left { 64 - n } else { n - 1 }));
        }
        let n = self.count_value(count, 64);
        let one = self.b.const64(1);
        let (inverse, before) = (self.b.not(n), self.b.sub(n, one));
        let back = self.b.neg(n);
        if left {
            let half = self.b.shr(src, one);
            let (x, y) = (self.b.shl(a, n), self.b.shr(half, inverse));
            let out = self.b.shr(a, back);
            (self.b.or(x, y), self.bit(out, 0))
        } else {
            let half = self.b.shl(src, one);
            let (x, y) = (self.b.shr(a, n), self.b.shl(half, inverse));
            let out = self.b.shr(a, before);
            (self.b.or(x, y), self.bit(out, 0))
        }
    }
}
