//! Bit tests, scans and counts, BMI1, BMI2, CRC32, random numbers.
//!
//! Undefined flags are what Intel's CPUs give: bit tests change CF only; BSF and BSR clear all but ZF and PF; the BMI
//! instructions clear PF and AF.

use crate::cpu::{self, RDX};
use crate::features::Feature;
use crate::helpers::{SYSTEM, id};
use crate::operand::{Ea, address_bits, op_bits, segment, type_of};
use crate::trans::{Flow, Tr, flag};
use crate::trans_system::RANDOM;
use iced_x86::{Instruction, Mnemonic, OpKind};
use ir::{Attr, Cc, Op, Rmw, Size, Type, Val};

impl Tr<'_> {
    /// Translates an instruction of this group; `None` if it is not one.
    pub(crate) fn bits_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic as M;
        match insn.mnemonic() {
            M::Bt | M::Bts | M::Btr | M::Btc => self.bit_test(insn),
            M::Bsf => self.scan(insn, true),
            M::Bsr => self.scan(insn, false),
            M::Tzcnt => self.count_zeros(insn, true),
            M::Lzcnt => self.count_zeros(insn, false),
            M::Popcnt => self.popcnt(insn),
            M::Andn => {
                let (bits, a, b) = self.sources(insn, 1, 2);
                let r = self.b.andn(b, a);
                self.bmi_result(insn, bits, r, None);
            }
            M::Bextr => self.bextr(insn),
            M::Blsi | M::Blsr | M::Blsmsk => self.lowest(insn),
            M::Bzhi => self.bzhi(insn),
            M::Mulx => self.mulx(insn),
            M::Pdep => self.deposit(insn, Op::Pdep),
            M::Pext => self.deposit(insn, Op::Pext),
            M::Crc32 => self.crc32_insn(insn),
            M::Rdrand | M::Rdseed => self.random(insn),
            _ => return None,
        }
        Some(Flow::Next)
    }

    fn sources(&mut self, insn: &Instruction, x: u32, y: u32) -> (u32, Val, Val) {
        let bits = op_bits(insn, 0);
        (bits, self.read(insn, x, bits), self.read(insn, y, bits))
    }

    /// Writes a BMI result and its flags: N and Z of it, C as given (an I32) or clear.
    fn bmi_result(&mut self, insn: &Instruction, bits: u32, r: Val, carry: Option<Val>) {
        let zero = self.b.iconst(type_of(bits), 0);
        let same = self.b.or(r, zero);
        let nz = self.b.flags_of(same);
        let packed = match carry {
            Some(c) => {
                let eight = self.b.const32(8);
                self.b.shl(c, eight)
            }
            None => self.b.const32(0),
        };
        let c = self.b.flags_unpack(packed);
        let f = self.b.flags_merge(c, nz, flag::N | flag::Z);
        let dst = self.dest_only(insn, 0);
        self.write(dst, bits, r);
        self.set_flags(f);
    }

    fn bit_test(&mut self, insn: &Instruction) {
        let bits = op_bits(insn, 0);
        let op = insn.mnemonic();
        let mask = u64::from(bits - 1);
        let constant = insn.op1_kind() != OpKind::Register;
        let index = if constant {
            self.b.iconst(type_of(bits), insn.immediate(1) & mask)
        } else {
            self.read(insn, 1, bits)
        };
        let ty = type_of(bits);
        let m = self.b.iconst(ty, mask);
        let low = if constant { index } else { self.b.and(index, m) };
        let one = self.b.iconst(ty, 1);
        let changed = |t: &mut Self, a: Val| {
            let bit = t.b.shl(one, low);
            match op {
                Mnemonic::Bts => t.b.or(a, bit),
                Mnemonic::Btr => t.b.andn(a, bit),
                _ => t.b.xor(a, bit),
            }
        };
        let tested = |t: &mut Self, a: Val| {
            let v = t.b.shr(a, low);
            let v = t.narrow32(v);
            let one = t.b.const32(1);
            t.b.and(v, one)
        };
        if insn.op0_kind() == OpKind::Register {
            let (dst, a) = self.dest(insn, 0, bits);
            let c = tested(self, a);
            if op != Mnemonic::Bt {
                let r = changed(self, a);
                // Only bits of the operand's width change.
                self.write_back(dst, bits, r);
            }
            return self.set_carry(c);
        }
        let ea = if constant { self.ea(insn) } else { self.bit_string(insn, index, bits) };
        if insn.has_lock_prefix() {
            let bit = self.b.shl(one, low);
            let rmw = match op {
                Mnemonic::Bts => Rmw::Or,
                Mnemonic::Btr => Rmw::AndNot,
                _ => Rmw::Xor,
            };
            let old = self.atomic(rmw, bits, ea, bit);
            let c = tested(self, old);
            return self.set_carry(c);
        }
        let a = self.load(bits, ea);
        let c = tested(self, a);
        if op != Mnemonic::Bt {
            let r = changed(self, a);
            self.store(bits, ea, r);
        }
        self.set_carry(c);
    }

    /// The address of the unit of a bit string that holds the bit `index`, a signed number.
    fn bit_string(&mut self, insn: &Instruction, index: Val, bits: u32) -> Ea {
        let wide = self.sext64(index, bits);
        let n = self.b.const64(u64::from(bits.trailing_zeros()));
        let unit = self.b.sar(wide, n);
        let n = self.b.const64(u64::from(bits.trailing_zeros() - 3));
        let bytes = self.b.shl(unit, n);
        let ea = self.offset(insn);
        let base = self.linear(ea);
        let sum = self.b.add(base, bytes);
        // It wraps at the width of addresses, before the segment's base.
        let sum = match address_bits(insn) {
            64 => sum,
            32 => {
                let w = self.b.trunc(sum);
                self.b.zext32(w)
            }
            _ => self.b.zext16(sum),
        };
        let ea = Ea { base: sum, index: Val::NONE, scale: 0, disp: 0 };
        self.in_segment(ea, segment(insn.memory_segment()))
    }

    /// bsf, bsr: the destination stays if the source is zero.
    fn scan(&mut self, insn: &Instruction, forward: bool) {
        let bits = op_bits(insn, 0);
        let v = self.read_zext(insn, 1, bits);
        let n = self.scan_value(v, bits, forward);
        let zero = self.is_zero(v);
        let (dst, _) = self.dest(insn, 0, bits);
        let crate::operand::Dst::Reg(reg) = dst else { return };
        let old = self.r64(reg);
        let n64 = self.wide(n);
        let new = if bits == 16 { self.b.bfi(old, n64, 0, 16) } else { n64 };
        let chosen = self.b.select(Cc::Eq, zero, old, new);
        // Z by the source; P by the result, or set.
        let n32 = self.narrow32(n);
        let nothing = self.b.const32(0);
        let p = self.b.narrow(Op::LOr, 8, &[n32, nothing]);
        let p = self.b.flags_of(p);
        let none = self.b.flags_unpack(nothing);
        let some = self.b.flags_merge(none, p, flag::P);
        let zp = self.zero_flags();
        let f = self.b.flags_select(Cc::Eq, zero, zp, some);
        self.b.set(cpu::gpr(reg), chosen);
        self.set_flags(f);
    }

    /// The number of the lowest or highest bit set of a zero-extended raw value.
    fn scan_value(&mut self, v: Val, bits: u32, forward: bool) -> Val {
        if forward {
            return self.b.ctz(v);
        }
        let n = self.b.clz(v);
        let top = self.b.iconst(type_of(bits), if bits == 32 { 31 } else { 63 });
        self.b.xor(n, top)
    }

    fn count_zeros(&mut self, insn: &Instruction, forward: bool) {
        // CPUs without it see the older instruction: the prefix is ignored.
        if !self.has(if forward { Feature::Bmi1 } else { Feature::Abm }) {
            return self.scan(insn, forward);
        }
        let bits = op_bits(insn, 0);
        let v = self.read_zext(insn, 1, bits);
        let r = match (forward, bits) {
            (true, 16) => {
                let bound = self.b.const64(1 << 16);
                let v = self.b.or(v, bound);
                self.b.ctz(v)
            }
            (true, _) => self.b.ctz(v),
            (false, 16) => {
                let n = self.b.clz(v);
                let less = self.b.const64(48);
                self.b.sub(n, less)
            }
            (false, _) => self.b.clz(v),
        };
        let zero = self.is_zero(v);
        let c = self.b.setcc(Type::I32, Cc::Eq, zero);
        let rz = self.is_zero(r);
        let eight = self.b.const32(8);
        let packed = self.b.shl(c, eight);
        let c = self.b.flags_unpack(packed);
        let f = self.b.flags_merge(c, rz, flag::Z);
        let dst = self.dest_only(insn, 0);
        self.write(dst, bits, r);
        self.set_flags(f);
    }

    fn popcnt(&mut self, insn: &Instruction) {
        let bits = op_bits(insn, 0);
        let v = self.read_zext(insn, 1, bits);
        let r = self.b.popcnt(v);
        let zero = self.is_zero(r);
        let nothing = self.b.const32(0);
        let none = self.b.flags_unpack(nothing);
        let f = self.b.flags_merge(none, zero, flag::Z);
        let dst = self.dest_only(insn, 0);
        self.write(dst, bits, r);
        self.set_flags(f);
    }

    fn bextr(&mut self, insn: &Instruction) {
        let (bits, v, control) = self.sources(insn, 1, 2);
        let start = self.b.ubfx(control, 0, 8);
        let len = self.b.ubfx(control, 8, 8);
        // Shifts are modulo the width: what lies beyond it is zero.
        let shifted = self.b.shr(v, start);
        let zero = self.b.iconst(type_of(bits), 0);
        let width = self.b.iconst(type_of(bits), u64::from(bits));
        let d = self.b.sub(start, width);
        let inside = self.b.flags_of(d);
        let shifted = self.b.select(Cc::Cc, inside, shifted, zero);
        let r = self.low_bits(shifted, len, bits);
        let nothing = self.b.const32(0);
        let none = self.b.flags_unpack(nothing);
        let rz = self.is_zero(r);
        let f = self.b.flags_merge(none, rz, flag::Z);
        let dst = self.dest_only(insn, 0);
        self.write(dst, bits, r);
        self.set_flags(f);
    }

    /// The low `len` (0 to 255) bits of `v`.
    fn low_bits(&mut self, v: Val, len: Val, bits: u32) -> Val {
        let ones = self.b.iconst(type_of(bits), u64::MAX);
        let high = self.b.shl(ones, len);
        let cut = self.b.andn(v, high);
        let width = self.b.iconst(type_of(bits), u64::from(bits));
        let d = self.b.sub(len, width);
        let less = self.b.flags_of(d);
        self.b.select(Cc::Cc, less, cut, v)
    }

    fn bzhi(&mut self, insn: &Instruction) {
        let (bits, v, index) = self.sources(insn, 1, 2);
        let n = self.b.ubfx(index, 0, 8);
        let r = self.low_bits(v, n, bits);
        let width = self.b.iconst(type_of(bits), u64::from(bits));
        let d = self.b.sub(n, width);
        let f = self.b.flags_of(d);
        let c = self.b.setcc(Type::I32, Cc::Cs, f);
        self.bmi_result(insn, bits, r, Some(c));
    }

    /// blsi, blsr, blsmsk.
    fn lowest(&mut self, insn: &Instruction) {
        let bits = op_bits(insn, 0);
        let v = self.read(insn, 1, bits);
        let ty = type_of(bits);
        let zero = self.is_zero(v);
        let one = self.b.iconst(ty, 1);
        let (r, cc) = match insn.mnemonic() {
            Mnemonic::Blsi => {
                let n = self.b.neg(v);
                (self.b.and(v, n), Cc::Ne)
            }
            Mnemonic::Blsr => {
                let n = self.b.sub(v, one);
                (self.b.and(v, n), Cc::Eq)
            }
            _ => {
                let n = self.b.sub(v, one);
                (self.b.xor(v, n), Cc::Eq)
            }
        };
        let c = self.b.setcc(Type::I32, cc, zero);
        self.bmi_result(insn, bits, r, Some(c));
    }

    /// mulx: no flags; the high half wins where both go to one register.
    fn mulx(&mut self, insn: &Instruction) {
        let bits = op_bits(insn, 0);
        let b = self.read(insn, 2, bits);
        let d = self.r64(RDX);
        let (low, high) = if bits == 64 {
            (self.b.mul(d, b), self.b.mulhu(d, b))
        } else {
            let (x, y) = (self.zext64(d, 32), self.zext64(b, 32));
            let p = self.b.mul(x, y);
            let n = self.b.const64(32);
            let h = self.b.shr(p, n);
            (self.b.trunc(p), self.b.trunc(h))
        };
        let (to_high, to_low) = (self.dest_only(insn, 0), self.dest_only(insn, 1));
        self.write(to_low, bits, low);
        self.write(to_high, bits, high);
    }

    fn deposit(&mut self, insn: &Instruction, op: Op) {
        let (bits, v, mask) = self.sources(insn, 1, 2);
        let r = self.b.push(op, type_of(bits), Attr::None, &[v, mask], 0);
        let dst = self.dest_only(insn, 0);
        self.write(dst, bits, r);
    }

    fn crc32_insn(&mut self, insn: &Instruction) {
        let from = op_bits(insn, 1);
        let to = op_bits(insn, 0);
        let v = self.read_zext(insn, 1, from);
        let (reg, _) = crate::operand::gpr_number(insn.op0_register());
        let size = match from {
            8 => Size::B,
            16 => Size::H,
            32 => Size::S,
            _ => Size::D,
        };
        let crc = self.r64(reg);
        let r = if from == 64 {
            self.b.crc32(crc, v, size, true)
        } else {
            let (crc, v) = (self.b.trunc(crc), self.narrow32(v));
            self.b.crc32(crc, v, size, true)
        };
        let r = if to == 64 { self.wide(r) } else { self.narrow32(r) };
        self.set_r(reg, r);
    }

    fn random(&mut self, insn: &Instruction) {
        let bits = op_bits(insn, 0);
        let v = self.call(id(SYSTEM, RANDOM), Type::I64, &[]);
        let dst = self.dest_only(insn, 0);
        let v = self.retype(v, bits);
        self.write(dst, bits, v);
        // It always succeeds: C is set, the others are clear.
        let packed = self.b.const32(1 << 8);
        let f = self.b.flags_unpack(packed);
        self.set_flags(f);
    }
}
