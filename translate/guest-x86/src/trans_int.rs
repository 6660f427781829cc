//! Integer arithmetic and logic: add to cmp, inc, dec, neg, not, test, mul, div, adcx/adox, decimal adjustments.
//! SDM volume 2, by mnemonic. Undefined flags are what Intel's CPUs give, which the tests compare with the host.

use crate::cpu::{self, RAX, RDX, trap};
use crate::operand::{Dst, op_bits, type_of};
use crate::trans::{Flow, Tr, flag};
use iced_x86::{Instruction, Mnemonic, OpKind};
use ir::{Cc, Op, Rmw, Target, Term, TrapKind, Type, Val};

/// An operation with its narrow form, and how its carry is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alu {
    Add,
    Or,
    Adc,
    Sbb,
    And,
    Sub,
    Xor,
}

impl Tr<'_> {
    /// Translates an instruction of this group; `None` if it is not one.
    pub(crate) fn int_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic as M;
        match insn.mnemonic() {
            M::Add => self.alu(insn, Alu::Add),
            M::Or => self.alu(insn, Alu::Or),
            M::Adc => self.alu(insn, Alu::Adc),
            M::Sbb => self.alu(insn, Alu::Sbb),
            M::And => self.alu(insn, Alu::And),
            M::Sub => self.alu(insn, Alu::Sub),
            M::Xor => self.alu(insn, Alu::Xor),
            M::Cmp => self.compare(insn, Op::Sub, Op::LSub),
            M::Test => self.compare(insn, Op::And, Op::LAnd),
            M::Inc => self.step(insn, true),
            M::Dec => self.step(insn, false),
            M::Neg => self.neg(insn),
            M::Not => self.not(insn),
            M::Mul => self.mul(insn, false),
            M::Imul if insn.op_count() == 1 => self.mul(insn, true),
            M::Imul => self.imul(insn),
            M::Div => return Some(self.div(insn, false)),
            M::Idiv => return Some(self.div(insn, true)),
            M::Adcx => self.add_extended(insn, flag::C),
            M::Adox => self.add_extended(insn, flag::V),
            M::Aaa => self.aaa(true),
            M::Aas => self.aaa(false),
            M::Daa => self.daa(true),
            M::Das => self.daa(false),
            M::Aam => return Some(self.aam(insn)),
            M::Aad => self.aad(insn),
            _ => return None,
        }
        Some(Flow::Next)
    }

    /// The operation `op` (`narrow` at 8 and 16 bits) on raw values.
    pub(crate) fn op2(&mut self, op: Op, narrow: Op, bits: u32, a: Val, b: Val) -> Val {
        if bits >= 32 {
            let ty = self.b.ty(a);
            self.b.push(op, ty, ir::Attr::None, &[a, b], 0)
        } else {
            self.b.narrow(narrow, bits, &[a, b])
        }
    }

    /// Result and flags of an ALU operation on raw values.
    fn alu_value(&mut self, alu: Alu, bits: u32, a: Val, b: Val) -> (Val, Val) {
        let r = match alu {
            Alu::Add => self.op2(Op::Add, Op::LAdd, bits, a, b),
            Alu::Or => self.op2(Op::Or, Op::LOr, bits, a, b),
            Alu::And => self.op2(Op::And, Op::LAnd, bits, a, b),
            Alu::Sub => self.op2(Op::Sub, Op::LSub, bits, a, b),
            Alu::Xor => self.op2(Op::Xor, Op::LXor, bits, a, b),
            Alu::Adc | Alu::Sbb => {
                let f = self.flags();
                let (op, narrow) = if alu == Alu::Adc { (Op::Adc, Op::LAdc) } else { (Op::Sbc, Op::LSbc) };
                let borrow = if alu == Alu::Sbb { 256 } else { 0 };
                let ty = self.b.ty(a);
                let (op, imm) = if bits >= 32 { (op, borrow) } else { (narrow, borrow | u64::from(bits)) };
                self.b.push(op, ty, ir::Attr::None, &[a, b, f], imm)
            }
        };
        let f = if matches!(alu, Alu::Sub | Alu::Sbb) { self.b.flags_turned(r) } else { self.b.flags_of(r) };
        (r, f)
    }

    fn alu(&mut self, insn: &Instruction, alu: Alu) {
        let bits = op_bits(insn, 0);
        if insn.has_lock_prefix() {
            return self.locked_alu(insn, alu, bits);
        }
        // xor and sub of a register with itself: zero, whatever it was.
        let same = insn.op0_kind() == OpKind::Register
            && insn.op1_kind() == OpKind::Register
            && insn.op0_register() == insn.op1_register();
        if same && matches!(alu, Alu::Xor | Alu::Sub) && bits >= 32 {
            let Dst::Reg(n) = self.dest_only(insn, 0) else { return };
            let zero = self.b.iconst(type_of(bits), 0);
            let f = self.zero_flags();
            self.set_r(n, zero);
            return self.set_flags(f);
        }
        let (dst, a) = self.dest(insn, 0, bits);
        let b = self.read(insn, 1, bits);
        let (r, f) = self.alu_value(alu, bits, a, b);
        self.write_back(dst, bits, r);
        self.set_flags(f);
    }

    /// The flags of a zero result of a logic operation: Z and P.
    pub(crate) fn zero_flags(&mut self) -> Val {
        let packed = self.b.const32(ir::state::flags_to_mem(flag::Z | flag::P));
        self.b.flags_unpack(packed)
    }

    fn locked_alu(&mut self, insn: &Instruction, alu: Alu, bits: u32) {
        let rmw = match alu {
            Alu::Add => Rmw::Add,
            Alu::Sub => Rmw::Add,
            Alu::Or => Rmw::Or,
            Alu::And => Rmw::And,
            Alu::Xor => Rmw::Xor,
            Alu::Adc | Alu::Sbb => return self.locked_with_carry(insn, alu, bits),
        };
        let b = self.read(insn, 1, bits);
        let ea = self.ea(insn);
        let given = if alu == Alu::Sub {
            let zero = self.b.iconst(self.b.ty(b), 0);
            self.b.sub(zero, b)
        } else {
            b
        };
        let old = self.atomic(rmw, bits, ea, given);
        let (_, f) = self.alu_value(alu, bits, old, b);
        self.set_flags(f);
    }

    /// `lock adc` and `lock sbb`: what is added depends on CF only, so it is one addition.
    fn locked_with_carry(&mut self, insn: &Instruction, alu: Alu, bits: u32) {
        let b = self.read(insn, 1, bits);
        let ea = self.ea(insn);
        let f = self.flags();
        let carry = self.b.setcc(self.b.ty(b), Cc::Cs, f);
        let sum = self.b.add(b, carry);
        let given = if alu == Alu::Sbb {
            let zero = self.b.iconst(self.b.ty(b), 0);
            self.b.sub(zero, sum)
        } else {
            sum
        };
        let old = self.atomic(Rmw::Add, bits, ea, given);
        let (_, f) = self.alu_value(alu, bits, old, b);
        self.set_flags(f);
    }

    fn compare(&mut self, insn: &Instruction, op: Op, narrow: Op) {
        let bits = op_bits(insn, 0);
        let a = self.read(insn, 0, bits);
        let b = self.read(insn, 1, bits);
        let r = self.op2(op, narrow, bits, a, b);
        let f = if op == Op::Sub { self.b.flags_turned(r) } else { self.b.flags_of(r) };
        self.set_flags(f);
    }

    /// inc, dec: all flags but C.
    fn step(&mut self, insn: &Instruction, up: bool) {
        let bits = op_bits(insn, 0);
        let alu = if up { Alu::Add } else { Alu::Sub };
        let f_old = self.flags();
        let (r, f) = if insn.has_lock_prefix() {
            let ea = self.ea(insn);
            let by = self.b.iconst(type_of(bits), if up { 1 } else { u64::MAX });
            let old = self.atomic(Rmw::Add, bits, ea, by);
            let one = self.b.iconst(type_of(bits), 1);
            let (r, f) = self.alu_value(alu, bits, old, one);
            (r, f)
        } else {
            let (dst, a) = self.dest(insn, 0, bits);
            let one = self.b.iconst(type_of(bits), 1);
            let (r, f) = self.alu_value(alu, bits, a, one);
            self.write_back(dst, bits, r);
            (r, f)
        };
        let _ = r;
        let merged = self.b.flags_merge(f_old, f, !flag::C & 63);
        self.set_flags(merged);
    }

    fn neg(&mut self, insn: &Instruction) {
        let bits = op_bits(insn, 0);
        if insn.has_lock_prefix() {
            let ea = self.ea(insn);
            return self.locked_loop(insn, bits, ea, |t, old| {
                let r = t.op1(Op::Neg, Op::LNeg, bits, old);
                let f = t.b.flags_turned(r);
                (r, Some(f))
            });
        }
        let (dst, a) = self.dest(insn, 0, bits);
        let r = self.op1(Op::Neg, Op::LNeg, bits, a);
        let f = self.b.flags_turned(r);
        self.write_back(dst, bits, r);
        self.set_flags(f);
    }

    fn op1(&mut self, op: Op, narrow: Op, bits: u32, a: Val) -> Val {
        if bits >= 32 {
            let ty = self.b.ty(a);
            self.b.push(op, ty, ir::Attr::None, &[a], 0)
        } else {
            self.b.narrow(narrow, bits, &[a])
        }
    }

    fn not(&mut self, insn: &Instruction) {
        let bits = op_bits(insn, 0);
        let ones = self.b.iconst(type_of(bits), u64::MAX);
        if insn.has_lock_prefix() {
            let ea = self.ea(insn);
            self.atomic(Rmw::Xor, bits, ea, ones);
            return;
        }
        let (dst, a) = self.dest(insn, 0, bits);
        let r = if bits >= 32 { self.b.not(a) } else { self.b.narrow(Op::LXor, bits, &[a, ones]) };
        self.write_back(dst, bits, r);
    }

    /// A locked operation that no atomic operation of the IR does: a loop of compare and exchange, in blocks that are
    /// part of the instruction. `f` makes the new value and the flags from the old value.
    pub(crate) fn locked_loop(
        &mut self,
        _insn: &Instruction,
        bits: u32,
        ea: crate::operand::Ea,
        f: impl Fn(&mut Self, Val) -> (Val, Option<Val>),
    ) {
        // The address is computed in each block: values do not cross blocks, state does, and it does not change.
        let _ = ea;
        let again = self.b.upcoming_block(1);
        self.b.end_block(Term::Jump(Target::Block(again)), self.pc);
        self.b.begin_internal(self.pc);
        self.b.insn(self.pc);
        let ea = self.ea(_insn);
        let old = self.load(bits, ea);
        let (new, flags) = f(self, old);
        let seen = self.compare_exchange(bits, ea, old, new);
        let diff = self.b.sub(seen, old);
        let same = self.b.flags_of(diff);
        let after = self.b.upcoming_block(1);
        // Flags are written when the exchange has happened; until then the loop's own comparison decides.
        if let Some(flags) = flags {
            let kept = self.flags();
            let chosen = self.b.flags_select(Cc::Eq, same, flags, kept);
            self.set_flags(chosen);
        }
        self.b.end_block(
            Term::Branch { flags: same, cc: Cc::Eq, then: Target::Block(after), els: Target::Block(again) },
            self.pc,
        );
        self.b.begin_internal(self.pc);
        self.b.insn(self.pc);
    }

    // --- multiplication and division ------------------------------------------------------------------------

    /// The flags of a product: C and V if `over` (0 or 1) is set, N and P from the low part, Z and H clear.
    fn product_flags(&mut self, bits: u32, low: Val, over: Val) {
        let zero = self.b.iconst(self.b.ty(low), 0);
        let r = self.op2(Op::Or, Op::LOr, bits, low, zero);
        let np = self.b.flags_of(r);
        let over = self.narrow32(over);
        let eight = self.b.const32(8);
        let c = self.b.shl(over, eight);
        let cv = self.b.or(c, over);
        let cv = self.b.flags_unpack(cv);
        let f = self.b.flags_merge(cv, np, flag::N | flag::P);
        self.set_flags(f);
    }

    /// mul, imul with one operand.
    fn mul(&mut self, insn: &Instruction, signed: bool) {
        let bits = op_bits(insn, 0);
        let b = self.read(insn, 0, bits);
        let a = self.r64(RAX);
        match bits {
            64 => {
                let low = self.b.mul(a, b);
                let high = if signed { self.b.mulhs(a, b) } else { self.b.mulhu(a, b) };
                self.b.set(cpu::gpr(RAX), low);
                self.b.set(cpu::gpr(RDX), high);
                let over = if signed {
                    let n = self.b.const64(63);
                    let sign = self.b.sar(low, n);
                    self.differs(high, sign)
                } else {
                    let zero = self.b.const64(0);
                    self.differs(high, zero)
                };
                self.product_flags(64, low, over);
            }
            _ => {
                let (x, y) = if signed {
                    (self.sext64(a, bits), self.sext64(b, bits))
                } else {
                    (self.zext64(a, bits), self.zext64(b, bits))
                };
                let product = self.b.mul(x, y);
                let fits = if signed { self.sext64(product, bits) } else { self.zext64(product, bits) };
                let over = self.differs(product, fits);
                match bits {
                    8 => self.set_r16(RAX, product),
                    16 => {
                        let n = self.b.const64(16);
                        let high = self.b.shr(product, n);
                        self.set_r16(RAX, product);
                        self.set_r16(RDX, high);
                    }
                    _ => {
                        let n = self.b.const64(32);
                        let high = self.b.shr(product, n);
                        let (low, high) = (self.b.trunc(product), self.b.trunc(high));
                        self.set_r(RAX, low);
                        self.set_r(RDX, high);
                    }
                }
                let low = if bits == 32 { self.b.trunc(product) } else { product };
                self.product_flags(bits, low, over);
            }
        }
    }

    /// 1 if two I64 differ.
    fn differs(&mut self, a: Val, b: Val) -> Val {
        let d = self.b.sub(a, b);
        let f = self.b.flags_of(d);
        self.b.setcc(Type::I32, Cc::Ne, f)
    }

    /// A raw value sign-extended to an I64.
    pub(crate) fn sext64(&mut self, v: Val, bits: u32) -> Val {
        match bits {
            8 | 16 => {
                let v = self.wide(v);
                self.sext(v, bits)
            }
            32 => {
                let v = self.narrow32(v);
                self.b.sext32(v)
            }
            _ => v,
        }
    }

    /// A raw value zero-extended to an I64.
    pub(crate) fn zext64(&mut self, v: Val, bits: u32) -> Val {
        match bits {
            8 | 16 => {
                let v = self.wide(v);
                self.zext(v, bits)
            }
            32 => {
                let v = self.narrow32(v);
                self.b.zext32(v)
            }
            _ => v,
        }
    }

    /// imul with two or three operands.
    fn imul(&mut self, insn: &Instruction) {
        let bits = op_bits(insn, 0);
        let dst = self.dest_only(insn, 0);
        let (x, y) = if insn.op_count() == 3 { (1, 2) } else { (0, 1) };
        let a = self.read(insn, x, bits);
        let b = self.read(insn, y, bits);
        if bits == 64 {
            let low = self.b.mul(a, b);
            self.write(dst, 64, low);
            let high = self.b.mulhs(a, b);
            let n = self.b.const64(63);
            let sign = self.b.sar(low, n);
            let over = self.differs(high, sign);
            return self.product_flags(64, low, over);
        }
        // The low part by itself, so that it is one multiplication when nobody looks at the flags.
        let low = if bits == 32 {
            self.b.mul(a, b)
        } else {
            let (x, y) = (self.sext64(a, bits), self.sext64(b, bits));
            self.b.mul(x, y)
        };
        self.write(dst, bits, low);
        let (x, y) = (self.sext64(a, bits), self.sext64(b, bits));
        let product = self.b.mul(x, y);
        let fits = self.sext64(product, bits);
        let over = self.differs(product, fits);
        self.product_flags(bits, low, over);
    }

    /// div, idiv. Flags stay as they are.
    fn div(&mut self, insn: &Instruction, signed: bool) -> Flow {
        let bits = op_bits(insn, 0);
        let b = self.read(insn, 0, bits);
        if bits == 64 {
            return self.div64(b, signed);
        }
        // The dividend of up to 64 bits.
        let a = self.r64(RAX);
        let dividend = match bits {
            8 => {
                let v = a;
                if signed { self.b.sext16(v) } else { self.b.zext16(v) }
            }
            16 => {
                let d = self.r64(RDX);
                let low = self.b.zext16(a);
                let v = self.b.bfi(low, d, 16, 16);
                if signed {
                    let w = self.b.trunc(v);
                    self.b.sext32(w)
                } else {
                    v
                }
            }
            _ => {
                let d = self.r64(RDX);
                self.b.bfi(a, d, 32, 32)
            }
        };
        let divisor = if signed { self.sext64(b, bits) } else { self.zext64(b, bits) };
        let q = if signed { self.b.divs(dividend, divisor) } else { self.b.divu(dividend, divisor) };
        // Wrong if the divisor is zero or the quotient does not fit. MIN / -1 is MIN, which does not fit either.
        let fits = if signed { self.sext64(q, bits) } else { self.zext64(q, bits) };
        let zero = self.b.const64(0);
        let d = self.b.sub(divisor, zero);
        let is_zero = self.b.flags_of(d);
        let bad_q = self.b.xor(q, fits);
        let one = self.b.const64(1);
        let bad = self.b.select(Cc::Eq, is_zero, one, bad_q);
        let zero = self.b.const64(0);
        let d = self.b.sub(bad, zero);
        let ok = self.b.flags_of(d);
        self.divide_or_trap(ok);
        // Once more: values do not cross blocks.
        let b = self.read_again(insn, bits);
        let a = self.r64(RAX);
        match bits {
            8 => {
                let dividend = if signed { self.b.sext16(a) } else { self.b.zext16(a) };
                let divisor = if signed { self.sext64(b, 8) } else { self.zext64(b, 8) };
                let (q, r) = self.quotient(signed, dividend, divisor);
                let q = self.b.zext8(q);
                let both = self.b.bfi(q, r, 8, 8);
                self.set_r16(RAX, both);
            }
            16 => {
                let d = self.r64(RDX);
                let low = self.b.zext16(a);
                let v = self.b.bfi(low, d, 16, 16);
                let dividend = if signed {
                    let w = self.b.trunc(v);
                    self.b.sext32(w)
                } else {
                    v
                };
                let divisor = if signed { self.sext64(b, 16) } else { self.zext64(b, 16) };
                let (q, r) = self.quotient(signed, dividend, divisor);
                self.set_r16(RAX, q);
                self.set_r16(RDX, r);
            }
            _ => {
                let d = self.r64(RDX);
                let dividend = self.b.bfi(a, d, 32, 32);
                let divisor = if signed { self.sext64(b, 32) } else { self.zext64(b, 32) };
                let (q, r) = self.quotient(signed, dividend, divisor);
                let (q, r) = (self.b.trunc(q), self.b.trunc(r));
                self.set_r(RAX, q);
                self.set_r(RDX, r);
            }
        }
        Flow::Next
    }

    fn read_again(&mut self, insn: &Instruction, bits: u32) -> Val {
        self.read(insn, 0, bits)
    }

    fn quotient(&mut self, signed: bool, a: Val, b: Val) -> (Val, Val) {
        if signed { (self.b.divs(a, b), self.b.rems(a, b)) } else { (self.b.divu(a, b), self.b.remu(a, b)) }
    }

    /// Goes on in a block of the same instruction if `ok` is Z, else to #DE.
    fn divide_or_trap(&mut self, ok: Val) {
        let bad = self.b.upcoming_block(1);
        let good = self.b.upcoming_block(2);
        let (then, els) = (Target::Block(good), Target::Block(bad));
        self.b.end_block(Term::Branch { flags: ok, cc: Cc::Eq, then, els }, self.pc);
        self.b.begin_internal(self.pc);
        self.b.insn(self.pc);
        let term = Term::Trap { kind: TrapKind::Arithmetic, pc: self.pc, info: trap::DE };
        self.b.end_block(term, self.pc);
        self.b.begin_internal(self.pc);
        self.b.insn(self.pc);
    }

    /// 128 by 64 bits: by a helper, which traps.
    fn div64(&mut self, b: Val, signed: bool) -> Flow {
        let a = self.r64(RAX);
        let d = self.r64(RDX);
        let sign = self.b.const64(u64::from(signed));
        let h = crate::helpers::id(crate::helpers::SYSTEM, crate::trans_system::DIVIDE);
        let q = self.call(h, Type::V128, &[a, d, b, sign]);
        let shape = ir::Shape::new(ir::Size::D, 2);
        let (quotient, rest) =
            (self.b.vget(Type::I64, shape, false, q, 0), self.b.vget(Type::I64, shape, false, q, 1));
        self.b.set(cpu::gpr(RAX), quotient);
        self.b.set(cpu::gpr(RDX), rest);
        Flow::Next
    }

    /// adcx, adox: addition with one flag as carry in and out.
    fn add_extended(&mut self, insn: &Instruction, which: u8) {
        let bits = op_bits(insn, 0);
        let (dst, a) = self.dest(insn, 0, bits);
        let b = self.read(insn, 1, bits);
        let f = self.flags();
        let carry = if which == flag::C {
            f
        } else {
            let v = self.b.setcc(Type::I32, Cc::Vs, f);
            let eight = self.b.const32(8);
            let packed = self.b.shl(v, eight);
            self.b.flags_unpack(packed)
        };
        let r = self.b.adc(a, b, carry);
        let out = self.b.flags_of(r);
        self.write_back(dst, bits, r);
        if which == flag::C {
            let merged = self.b.flags_merge(f, out, flag::C);
            return self.set_flags(merged);
        }
        let bit = self.b.setcc(Type::I32, Cc::Cs, out);
        let new = self.b.flags_unpack(bit);
        let merged = self.b.flags_merge(f, new, flag::V);
        self.set_flags(merged);
    }

    // --- decimal adjustments (32-bit code) --------------------------------------------------------------------

    /// aaa, aas.
    fn aaa(&mut self, add: bool) {
        let a = self.r64(RAX);
        let f = self.flags();
        let packed = self.b.flags_pack(f);
        let h = self.b.ubfx(packed, 12, 1);
        let a32 = self.b.trunc(a);
        let low = self.b.ubfx(a32, 0, 4);
        let nine = self.b.const32(9);
        let over = self.below(nine, low);
        let adjust = self.b.or(h, over);
        // AX + 0x106, or AX - 6 and AH - 1.
        let by = self.b.const32(0x106);
        let by = self.b.mul(adjust, by);
        let sum = if add { self.b.add(a32, by) } else { self.b.sub(a32, by) };
        let mask = self.b.const32(0xff0f);
        let ax = self.b.and(sum, mask);
        let ax = self.wide(ax);
        self.set_r16(RAX, ax);
        // C = H = adjust; the others as of the result in AL, which is what Intel's CPUs do.
        let eight = self.b.const32(8);
        let c = self.b.shl(adjust, eight);
        let twelve = self.b.const32(12);
        let h = self.b.shl(adjust, twelve);
        let ch = self.b.or(c, h);
        let ch = self.b.flags_unpack(ch);
        let al = self.b.ubfx(sum, 0, 4);
        let szp = self.low_byte_flags(al);
        let merged = self.b.flags_merge(ch, szp, flag::Z | flag::P | flag::N);
        self.set_flags(merged);
    }

    /// N, Z, P of the low byte of an I32.
    fn low_byte_flags(&mut self, v: Val) -> Val {
        let zero = self.b.const32(0);
        let r = self.b.narrow(Op::LOr, 8, &[v, zero]);
        self.b.flags_of(r)
    }

    /// 1 if a < b unsigned.
    fn below(&mut self, a: Val, b: Val) -> Val {
        let d = self.b.sub(a, b);
        let f = self.b.flags_of(d);
        self.b.setcc(Type::I32, Cc::Cc, f)
    }

    /// daa, das.
    fn daa(&mut self, add: bool) {
        let a = self.r64(RAX);
        let f = self.flags();
        let packed = self.b.flags_pack(f);
        let (h, c) = (self.b.ubfx(packed, 12, 1), self.b.ubfx(packed, 8, 1));
        let a32 = self.b.trunc(a);
        let al = self.b.zext8(a32);
        let low = self.b.ubfx(a32, 0, 4);
        let (nine, most) = (self.b.const32(9), self.b.const32(0x99));
        let low_over = self.below(nine, low);
        let half = self.b.or(h, low_over);
        let high_over = self.below(most, al);
        let high = self.b.or(c, high_over);
        let (six, sixty) = (self.b.const32(6), self.b.const32(0x60));
        let x = self.b.mul(half, six);
        let y = self.b.mul(high, sixty);
        let by = self.b.add(x, y);
        let sum = if add { self.b.add(al, by) } else { self.b.sub(al, by) };
        // das: a borrow of the first step alone sets C too.
        let carry = if add {
            high
        } else {
            let borrowed = self.below(al, x);
            self.b.or(high, borrowed)
        };
        let wide = self.wide(sum);
        let old = self.r64(RAX);
        let new = self.b.bfi(old, wide, 0, 8);
        self.b.set(cpu::gpr(RAX), new);
        let (eight, twelve) = (self.b.const32(8), self.b.const32(12));
        let c = self.b.shl(carry, eight);
        let h = self.b.shl(half, twelve);
        let ch = self.b.or(c, h);
        let ch = self.b.flags_unpack(ch);
        let szp = self.low_byte_flags(sum);
        let merged = self.b.flags_merge(ch, szp, flag::Z | flag::P | flag::N);
        self.set_flags(merged);
    }

    fn aam(&mut self, insn: &Instruction) -> Flow {
        let base = insn.immediate8();
        if base == 0 {
            let term = Term::Trap { kind: TrapKind::Arithmetic, pc: self.pc, info: trap::DE };
            return Flow::End(term);
        }
        let al = self.r32(RAX);
        let al = self.b.zext8(al);
        let by = self.b.const32(u32::from(base));
        let (q, r) = (self.b.divu(al, by), self.b.remu(al, by));
        let ax = self.b.bfi(r, q, 8, 8);
        let ax = self.wide(ax);
        self.set_r16(RAX, ax);
        let f = self.low_byte_flags(r);
        self.set_flags(f);
        Flow::Next
    }

    fn aad(&mut self, insn: &Instruction) {
        let a = self.r32(RAX);
        let ah = self.b.ubfx(a, 8, 8);
        let by = self.b.const32(u32::from(insn.immediate8()));
        let tens = self.b.mul(ah, by);
        // Flags as of the addition AL + AH * base.
        let r = self.b.narrow(Op::LAdd, 8, &[a, tens]);
        let f = self.b.flags_of(r);
        let al = self.b.zext8(r);
        let al = self.wide(al);
        self.set_r16(RAX, al);
        self.set_flags(f);
    }
}
