//! Moves: mov, extensions, lea, exchanges, the stack, conditional moves and sets, conversions between widths.

use crate::cpu::{self, RAX, RBP, RDX, RSP, Seg};
use crate::features::Feature;
use crate::operand::{Dst, Ea, address_bits, op_bits, type_of};
use crate::trans::{Flow, Tr, condition, flag};
use iced_x86::{Code, Instruction, Mnemonic, OpKind, Register};
use ir::{Cc, Op, Rmw, Shape, Size, Target, Term, Type, Val};

impl Tr<'_> {
    /// Translates an instruction of this group; `None` if it is not one.
    pub(crate) fn move_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic as M;
        match insn.mnemonic() {
            M::Mov => return self.mov(insn),
            M::Movnti => {
                let bits = op_bits(insn, 1);
                let v = self.read(insn, 1, bits);
                let ea = self.ea(insn);
                self.store(bits, ea, v);
            }
            M::Movzx => {
                let (bits, from) = (op_bits(insn, 0), op_bits(insn, 1));
                let v = self.read_zext(insn, 1, from);
                let v = self.retype(v, bits);
                let dst = self.dest_only(insn, 0);
                self.write(dst, bits, v);
            }
            M::Movsx | M::Movsxd => self.movsx(insn),
            M::Lea => self.lea(insn),
            M::Xchg => self.xchg(insn),
            M::Xadd => self.xadd(insn),
            M::Cmpxchg => self.cmpxchg(insn),
            M::Cmpxchg8b => return Some(self.cmpxchg8b(insn)),
            M::Cmpxchg16b => return Some(self.cmpxchg16b(insn)),
            M::Bswap => self.bswap(insn),
            M::Movbe => self.movbe(insn),
            M::Push => return self.push(insn),
            M::Pop => return self.pop(insn),
            M::Pusha | M::Pushad => self.pusha(insn),
            M::Popa | M::Popad => self.popa(insn),
            M::Enter => self.enter(insn),
            M::Leave => self.leave(insn),
            M::Cbw | M::Cwde | M::Cdqe => self.extend_accumulator(insn),
            M::Cwd | M::Cdq | M::Cqo => self.spread_sign(insn),
            M::Xlatb => self.xlat(insn),
            M::Nop => {}
            _ => {
                let cc = condition(insn.condition_code())?;
                if is_setcc(insn.mnemonic()) {
                    let dst = self.dest_only(insn, 0);
                    let f = self.flags();
                    let v = self.b.setcc(Type::I64, cc, f);
                    self.write(dst, 8, v);
                } else if is_cmov(insn.mnemonic()) {
                    let bits = op_bits(insn, 0);
                    // The source is read whatever the condition; a 32-bit destination loses its upper half.
                    let v = self.read(insn, 1, bits);
                    let (dst, old) = self.dest(insn, 0, bits);
                    let f = self.flags();
                    if bits == 16 {
                        let new = self.b.bfi(old, v, 0, 16);
                        let chosen = self.b.select(cc, f, new, old);
                        self.write_back(dst, bits, chosen);
                    } else {
                        let chosen = self.b.select(cc, f, v, old);
                        self.write_back(dst, bits, chosen);
                    }
                } else {
                    return None;
                }
            }
        }
        Some(Flow::Next)
    }

    fn mov(&mut self, insn: &Instruction) -> Option<Flow> {
        let segment =
            |n: u32| insn.op_kind(n) == OpKind::Register && insn.op_register(n).is_segment_register();
        let special =
            |n: u32| insn.op_kind(n) == OpKind::Register && !insn.op_register(n).is_gpr() && !segment(n);
        if segment(0) {
            return Some(self.load_segment_insn(insn));
        }
        if segment(1) {
            self.store_segment(insn);
            return Some(Flow::Next);
        }
        if special(0) || special(1) {
            // Control, debug and test registers.
            return Some(self.general_protection(0));
        }
        let bits = op_bits(insn, 0);
        let v = self.read(insn, 1, bits);
        let dst = self.dest_only(insn, 0);
        self.write(dst, bits, v);
        Some(Flow::Next)
    }

    fn movsx(&mut self, insn: &Instruction) {
        let (bits, from) = (op_bits(insn, 0), op_bits(insn, 1));
        let dst = self.dest_only(insn, 0);
        if from == bits {
            // movsxd without REX.W is a move.
            let v = self.read(insn, 1, bits);
            return self.write(dst, bits, v);
        }
        let v = if insn.op1_kind() == OpKind::Memory {
            let ea = self.ea(insn);
            let mem = self.mem(from).signed().scaled(ea.scale);
            self.b.load(type_of(bits), mem, ea.base, ea.index, ea.disp)
        } else {
            let v = self.read(insn, 1, from);
            match (from, bits) {
                (32, _) => self.b.sext32(v),
                (_, 32) => {
                    let v = self.b.trunc(v);
                    self.sext(v, from)
                }
                _ => self.sext(v, from),
            }
        };
        self.write(dst, bits, v);
    }

    fn lea(&mut self, insn: &Instruction) {
        let bits = op_bits(insn, 0);
        let ea = self.offset(insn);
        let v = self.linear(ea);
        let v = if address_bits(insn) == 32 && self.cpu.bits == 32 {
            // A sum of the whole registers may have more.
            self.b.trunc(v)
        } else {
            v
        };
        let dst = self.dest_only(insn, 0);
        let v = match bits {
            32 => self.narrow32(v),
            _ => self.wide(v),
        };
        self.write(dst, bits, v);
    }

    fn xchg(&mut self, insn: &Instruction) {
        let bits = op_bits(insn, 0);
        let memory = if insn.op0_kind() == OpKind::Memory {
            Some(1)
        } else if insn.op1_kind() == OpKind::Memory {
            Some(0)
        } else {
            None
        };
        let Some(reg) = memory else {
            let (x, y) = (self.read(insn, 0, bits), self.read(insn, 1, bits));
            let (dx, dy) = (self.dest_only(insn, 0), self.dest_only(insn, 1));
            self.write(dx, bits, y);
            return self.write(dy, bits, x);
        };
        let ea = self.ea(insn);
        let v = self.read(insn, reg, bits);
        let old = self.atomic(Rmw::Swap, bits, ea, v);
        let dst = self.dest_only(insn, reg);
        self.write(dst, bits, old);
    }

    fn xadd(&mut self, insn: &Instruction) {
        let bits = op_bits(insn, 0);
        let v = self.read(insn, 1, bits);
        if insn.has_lock_prefix() {
            let ea = self.ea(insn);
            let old = self.atomic(Rmw::Add, bits, ea, v);
            let r = self.op2(Op::Add, Op::LAdd, bits, old, v);
            let f = self.b.flags_of(r);
            let dst = self.dest_only(insn, 1);
            self.write(dst, bits, old);
            return self.set_flags(f);
        }
        let (dst, old) = self.dest(insn, 0, bits);
        let r = self.op2(Op::Add, Op::LAdd, bits, old, v);
        let f = self.b.flags_of(r);
        let source = self.dest_only(insn, 1);
        if let Dst::Mem(_) = dst {
            self.write_back(dst, bits, r);
            self.write(source, bits, old);
        } else {
            // The destination is written last: it may be the source too.
            self.write(source, bits, old);
            self.write(dst, bits, r);
        }
        self.set_flags(f);
    }

    /// The accumulator against the destination; equal: the source goes there, else the accumulator gets it.
    fn cmpxchg(&mut self, insn: &Instruction) {
        let bits = op_bits(insn, 0);
        let acc = self.r64(RAX);
        let acc = self.retype(acc, bits);
        let src = self.read(insn, 1, bits);
        if insn.op0_kind() == OpKind::Memory {
            let ea = self.ea(insn);
            let expected = self.zext(acc, bits);
            // Without LOCK it is no less atomic, and it writes in either case as the manual says.
            let old = self.compare_exchange(bits, ea, expected, src);
            let r = self.op2(Op::Sub, Op::LSub, bits, acc, old);
            let f = self.b.flags_turned(r);
            // A 32-bit accumulator keeps its upper half when equal.
            self.give_accumulator(bits, f, old);
            return self.set_flags(f);
        }
        let (dst, old) = self.dest(insn, 0, bits);
        let r = self.op2(Op::Sub, Op::LSub, bits, acc, old);
        let f = self.b.flags_turned(r);
        let new = self.b.select(Cc::Eq, f, src, old);
        self.give_accumulator(bits, f, old);
        if let (Dst::Reg(n), 32) = (dst, bits) {
            // A register that is not replaced keeps its upper half too.
            let whole = self.r64(n);
            let src = self.b.zext32(src);
            let chosen = self.b.select(Cc::Eq, f, src, whole);
            self.b.set(cpu::gpr(n), chosen);
        } else {
            self.write(dst, bits, new);
        }
        self.set_flags(f);
    }

    /// The accumulator gets `old` unless `f` is Z.
    fn give_accumulator(&mut self, bits: u32, f: Val, old: Val) {
        let was = self.r64(RAX);
        let new = match bits {
            32 => self.b.zext32(old),
            64 => old,
            _ => self.b.bfi(was, old, 0, bits),
        };
        let chosen = self.b.select(Cc::Eq, f, was, new);
        self.b.set(cpu::gpr(RAX), chosen);
    }

    fn cmpxchg8b(&mut self, insn: &Instruction) -> Flow {
        let pair = |t: &mut Self, low: u32, high: u32| {
            let (l, h) = (t.r64(low), t.r64(high));
            t.b.bfi(l, h, 32, 32)
        };
        let expected = pair(self, RAX, RDX);
        let new = pair(self, cpu::RBX, cpu::RCX);
        let ea = self.ea(insn);
        let old = self.compare_exchange(64, ea, expected, new);
        let d = self.b.sub(expected, old);
        let same = self.b.flags_of(d);
        let low = self.b.trunc(old);
        let n = self.b.const64(32);
        let high = self.b.shr(old, n);
        for (reg, v) in [(RAX, low), (RDX, high)] {
            let v = self.wide(v);
            let was = self.r64(reg);
            let chosen = self.b.select(Cc::Eq, same, was, v);
            self.b.set(cpu::gpr(reg), chosen);
        }
        self.merge_flags(same, flag::Z);
        Flow::Next
    }

    fn cmpxchg16b(&mut self, insn: &Instruction) -> Flow {
        let shape = Shape::new(Size::D, 2);
        let pair = |t: &mut Self, low: u32, high: u32| {
            let (l, h) = (t.r64(low), t.r64(high));
            let v = t.b.push(Op::VDup, Type::V128, ir::Attr::Vec(shape), &[l], 0);
            t.b.push(Op::VIns, Type::V128, ir::Attr::Vec(shape), &[v, h], 1)
        };
        let ea = self.ea(insn);
        // #GP if it is misaligned.
        let addr = self.flat(ea);
        let fifteen = self.b.const64(15);
        let low = self.b.and(addr, fifteen);
        let aligned = self.b.flags_of(low);
        let (bad, good) = (self.b.upcoming_block(1), self.b.upcoming_block(2));
        let (then, els) = (Target::Block(good), Target::Block(bad));
        self.b.end_block(Term::Branch { flags: aligned, cc: Cc::Eq, then, els }, self.pc);
        self.b.begin_internal(self.pc);
        self.b.insn(self.pc);
        if let Flow::End(term) = self.general_protection(0) {
            self.b.end_block(term, self.pc);
        }
        self.b.begin_internal(self.pc);
        self.b.insn(self.pc);
        let expected = pair(self, RAX, RDX);
        let new = pair(self, cpu::RBX, cpu::RCX);
        let ea = self.ea(insn);
        let old = self.compare_exchange(128, ea, expected, new);
        let low = self.b.vget(Type::I64, shape, false, old, 0);
        let high = self.b.vget(Type::I64, shape, false, old, 1);
        let (a, d) = (self.r64(RAX), self.r64(RDX));
        let (x, y) = (self.b.xor(a, low), self.b.xor(d, high));
        let any = self.b.or(x, y);
        let same = self.b.flags_of(any);
        // Where equal, old is what the registers hold.
        self.b.set(cpu::gpr(RAX), low);
        self.b.set(cpu::gpr(RDX), high);
        self.merge_flags(same, flag::Z);
        Flow::Next
    }

    fn bswap(&mut self, insn: &Instruction) {
        let bits = op_bits(insn, 0);
        let dst = self.dest_only(insn, 0);
        if bits == 16 {
            // Undefined: Intel's CPUs give zero.
            let zero = self.b.const64(0);
            return self.write(dst, 16, zero);
        }
        let v = self.read(insn, 0, bits);
        let r = self.b.bswap(v);
        self.write(dst, bits, r);
    }

    fn movbe(&mut self, insn: &Instruction) {
        let bits = op_bits(insn, 0);
        let swap = |t: &mut Self, v: Val| match bits {
            16 => t.b.rev16(v),
            _ => t.b.bswap(v),
        };
        if insn.op1_kind() == OpKind::Memory {
            let v = self.read(insn, 1, bits);
            let r = swap(self, v);
            let dst = self.dest_only(insn, 0);
            self.write(dst, bits, r);
        } else {
            let v = self.read(insn, 1, bits);
            let r = swap(self, v);
            let ea = self.ea(insn);
            self.store(bits, ea, r);
        }
    }

    // --- the stack ------------------------------------------------------------------------------------------

    /// Bits of the stack pointer. It is the code's size: 16-bit stacks come with 16-bit code here.
    pub(crate) fn stack_bits(&self) -> u32 {
        self.bits
    }

    /// The address `disp` bytes from the stack pointer.
    pub(crate) fn stack(&mut self, disp: i64) -> Ea {
        let sp = self.r64(RSP);
        let ea = if self.stack_bits() == 16 {
            let w = self.b.trunc(sp);
            let d = self.b.const32(disp as u32);
            let sum = self.b.add(w, d);
            let cut = self.b.zext16(sum);
            Ea { base: self.b.zext32(cut), index: Val::NONE, scale: 0, disp: 0 }
        } else {
            Ea { base: sp, index: Val::NONE, scale: 0, disp }
        };
        self.in_segment(ea, Some(Seg::Ss))
    }

    /// Adds to the stack pointer.
    pub(crate) fn add_sp(&mut self, by: i64) {
        let sp = self.r64(RSP);
        match self.stack_bits() {
            64 => {
                let (op, n) = if by < 0 { (Op::Sub, -by) } else { (Op::Add, by) };
                let n = self.b.const64(n as u64);
                let v = self.b.push(op, Type::I64, ir::Attr::None, &[sp, n], 0);
                self.b.set(cpu::gpr(RSP), v);
            }
            32 => {
                let w = self.b.trunc(sp);
                let (op, n) = if by < 0 { (Op::Sub, -by) } else { (Op::Add, by) };
                let n = self.b.const32(n as u32);
                let v = self.b.push(op, Type::I32, ir::Attr::None, &[w, n], 0);
                self.set_r(RSP, v);
            }
            _ => {
                let n = self.b.const64(by as u64);
                let v = self.b.add(sp, n);
                self.set_r16(RSP, v);
            }
        }
    }

    /// Pushes a raw value.
    pub(crate) fn push_value(&mut self, bits: u32, v: Val) {
        let bytes = i64::from(bits / 8);
        let ea = self.stack(-bytes);
        self.store(bits, ea, v);
        self.add_sp(-bytes);
    }

    /// Width of a push or pop: the operand size.
    fn stack_op_bits(&self, insn: &Instruction) -> u32 {
        insn.stack_pointer_increment().unsigned_abs() * 8
    }

    fn push(&mut self, insn: &Instruction) -> Option<Flow> {
        let bits = self.stack_op_bits(insn);
        if insn.op0_kind() == OpKind::Register && insn.op0_register().is_segment_register() {
            let seg = crate::operand::segment(insn.op0_register())?;
            let v = self.get32(cpu::selector(seg));
            // Intel's CPUs write 16 bits of a wider push of a segment and leave the rest.
            let bytes = i64::from(bits / 8);
            let ea = self.stack(-bytes);
            self.store(16, ea, v);
            self.add_sp(-bytes);
            return Some(Flow::Next);
        }
        let v = match insn.op0_kind() {
            OpKind::Register | OpKind::Memory => self.read(insn, 0, bits),
            _ => {
                let imm = insn.immediate(0);
                self.b.iconst(type_of(bits), imm)
            }
        };
        self.push_value(bits, v);
        Some(Flow::Next)
    }

    fn pop(&mut self, insn: &Instruction) -> Option<Flow> {
        let bits = self.stack_op_bits(insn);
        let bytes = i64::from(bits / 8);
        if insn.op0_kind() == OpKind::Register && insn.op0_register().is_segment_register() {
            return Some(self.pop_segment(insn, bits));
        }
        let ea = self.stack(0);
        let v = self.load(bits, ea);
        if insn.op0_kind() == OpKind::Register {
            let sp = insn.op0_register().full_register() == Register::RSP;
            // pop rsp: the value popped wins; pop sp: its low bits over the incremented pointer.
            if !(sp && bits >= 32) {
                self.add_sp(bytes);
            }
            let dst = self.dest_only(insn, 0);
            self.write(dst, bits, v);
            return Some(Flow::Next);
        }
        // An address with the stack pointer uses it as it is after the pop.
        let mut ea = self.ea(insn);
        let by = bytes;
        let is_sp = |r: Register| r != Register::None && r.full_register() == Register::RSP;
        if is_sp(insn.memory_base()) {
            ea.disp += by;
        }
        self.store(bits, ea, v);
        self.add_sp(bytes);
        Some(Flow::Next)
    }

    fn pusha(&mut self, insn: &Instruction) {
        let bits = self.stack_op_bits(insn) / 8;
        let bytes = i64::from(bits / 8);
        // The pushes go down: the first that fails leaves the registers as they were.
        for n in 0..8 {
            let v = self.r64(n);
            let v = self.retype(v, bits);
            let ea = self.stack(-bytes * (i64::from(n) + 1));
            self.store(bits, ea, v);
        }
        self.add_sp(-8 * bytes);
    }

    fn popa(&mut self, insn: &Instruction) {
        let bits = self.stack_op_bits(insn) / 8;
        let bytes = i64::from(bits / 8);
        let values: Vec<Val> = (0..8)
            .map(|n| {
                let ea = self.stack(bytes * (7 - n));
                self.load(bits, ea)
            })
            .collect();
        for (n, v) in values.into_iter().enumerate() {
            if n as u32 != RSP {
                self.write(Dst::Reg(n as u32), bits, v);
            }
        }
        self.add_sp(8 * bytes);
    }

    fn enter(&mut self, insn: &Instruction) {
        let bits = match insn.code() {
            Code::Enterw_imm16_imm8 => 16,
            Code::Enterd_imm16_imm8 => 32,
            _ => 64,
        };
        let (size, level) = (i64::from(insn.immediate16()), i64::from(insn.immediate8_2nd() & 31));
        let bytes = i64::from(bits / 8);
        let bp = self.r64(RBP);
        let v = self.retype(bp, bits);
        let ea = self.stack(-bytes);
        self.store(bits, ea, v);
        // The frame pointer is where rbp was pushed.
        let sp = self.r64(RSP);
        let n = self.b.const64(bytes as u64);
        let frame = self.b.sub(sp, n);
        for k in 1..level {
            let from = self.frame_address(-bytes * k);
            let v = self.load(bits, from);
            let to = self.stack(-bytes * (k + 1));
            self.store(bits, to, v);
        }
        let mut total = -bytes;
        if level > 0 {
            let v = self.retype(frame, bits);
            let to = self.stack(-bytes * (level + 1));
            self.store(bits, to, v);
            total -= bytes * level;
        }
        // The last word of the new frame is checked for writing, as the manual says.
        let probe = self.stack(total - size);
        let check = self.load(bits, probe);
        let _ = check;
        let zero = self.b.iconst(type_of(bits), 0);
        let _ = zero;
        self.write(Dst::Reg(RBP), bits.min(self.bits), frame);
        self.add_sp(total - size);
    }

    fn frame_address(&mut self, disp: i64) -> Ea {
        let bp = self.r64(RBP);
        let ea = if self.stack_bits() == 16 {
            let w = self.b.trunc(bp);
            let d = self.b.const32(disp as u32);
            let sum = self.b.add(w, d);
            let cut = self.b.zext16(sum);
            Ea { base: self.b.zext32(cut), index: Val::NONE, scale: 0, disp: 0 }
        } else {
            Ea { base: bp, index: Val::NONE, scale: 0, disp }
        };
        self.in_segment(ea, Some(Seg::Ss))
    }

    fn leave(&mut self, insn: &Instruction) {
        let bits = match insn.code() {
            Code::Leavew => 16,
            Code::Leaved => 32,
            _ => 64,
        };
        let bytes = i64::from(bits / 8);
        let ea = self.frame_address(0);
        let v = self.load(bits, ea);
        let bp = self.r64(RBP);
        match self.stack_bits() {
            64 => self.b.set(cpu::gpr(RSP), bp),
            32 => {
                let w = self.b.trunc(bp);
                self.set_r(RSP, w);
            }
            _ => self.set_r16(RSP, bp),
        }
        self.add_sp(bytes);
        self.write(Dst::Reg(RBP), bits, v);
    }

    // --- conversions ------------------------------------------------------------------------------------------

    /// cbw, cwde, cdqe.
    fn extend_accumulator(&mut self, insn: &Instruction) {
        let a = self.r64(RAX);
        match insn.mnemonic() {
            Mnemonic::Cbw => {
                let v = self.b.sext8(a);
                self.set_r16(RAX, v);
            }
            Mnemonic::Cwde => {
                let w = self.b.trunc(a);
                let v = self.b.sext16(w);
                self.set_r(RAX, v);
            }
            _ => {
                let w = self.b.trunc(a);
                let v = self.b.sext32(w);
                self.set_r(RAX, v);
            }
        }
    }

    /// cwd, cdq, cqo.
    fn spread_sign(&mut self, insn: &Instruction) {
        let a = self.r64(RAX);
        match insn.mnemonic() {
            Mnemonic::Cwd => {
                let v = self.b.sext16(a);
                let n = self.b.const64(63);
                let s = self.b.sar(v, n);
                self.set_r16(RDX, s);
            }
            Mnemonic::Cdq => {
                let w = self.b.trunc(a);
                let n = self.b.const32(31);
                let s = self.b.sar(w, n);
                self.set_r(RDX, s);
            }
            _ => {
                let n = self.b.const64(63);
                let s = self.b.sar(a, n);
                self.set_r(RDX, s);
            }
        }
    }

    fn xlat(&mut self, insn: &Instruction) {
        let a = self.r64(RAX);
        let al = self.b.zext8(a);
        let b = self.r64(cpu::RBX);
        let sum = self.b.add(b, al);
        let base = match address_bits(insn) {
            64 => sum,
            32 => {
                let w = self.b.trunc(sum);
                self.b.zext32(w)
            }
            _ => self.b.zext16(sum),
        };
        let ea = Ea { base, index: Val::NONE, scale: 0, disp: 0 };
        let ea = self.in_segment(ea, crate::operand::segment(insn.memory_segment()));
        let v = self.load(8, ea);
        self.write(Dst::Reg(RAX), 8, v);
    }

    /// Whether this CPU is a 64-bit one.
    #[allow(dead_code, reason = "for the groups")]
    pub(crate) fn has_long_mode(&self) -> bool {
        self.has(Feature::Lm)
    }
}

fn is_setcc(m: Mnemonic) -> bool {
    use Mnemonic as M;
    matches!(
        m,
        M::Seta
            | M::Setae
            | M::Setb
            | M::Setbe
            | M::Sete
            | M::Setg
            | M::Setge
            | M::Setl
            | M::Setle
            | M::Setne
            | M::Setno
            | M::Setnp
            | M::Setns
            | M::Seto
            | M::Setp
            | M::Sets
    )
}

fn is_cmov(m: Mnemonic) -> bool {
    use Mnemonic as M;
    matches!(
        m,
        M::Cmova
            | M::Cmovae
            | M::Cmovb
            | M::Cmovbe
            | M::Cmove
            | M::Cmovg
            | M::Cmovge
            | M::Cmovl
            | M::Cmovle
            | M::Cmovne
            | M::Cmovno
            | M::Cmovnp
            | M::Cmovns
            | M::Cmovo
            | M::Cmovp
            | M::Cmovs
    )
}
