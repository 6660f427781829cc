//! Control flow: jumps, calls, returns, loops, interrupts, far transfers.

use crate::cpu::{self, MODE_TF, RCX, trap};
use crate::operand::op_bits;
use crate::trans::{Flow, Tr, condition};
use iced_x86::{Code, FlowControl, Instruction, Mnemonic, OpKind};
use ir::{Cc, Op, Target, Term, TrapKind, Type, Val};

impl Tr<'_> {
    /// Translates an instruction of this group; `None` if it is not one.
    pub(crate) fn flow_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic as M;
        Some(match insn.mnemonic() {
            M::Jmp => match insn.flow_control() {
                FlowControl::UnconditionalBranch if is_near(insn) => {
                    let to = self.near_target(insn);
                    self.jump(to)
                }
                FlowControl::IndirectBranch if is_near(insn) => {
                    let addr = self.indirect_target(insn);
                    self.indirect(Term::Indirect { addr })
                }
                _ => self.far(insn, false),
            },
            M::Call => {
                if !is_near(insn) {
                    return Some(self.far(insn, true));
                }
                self.call_insn(insn)
            }
            M::Ret => self.ret(insn),
            M::Retf | M::Iret | M::Iretd | M::Iretq => self.far_return(insn),
            M::Jcxz | M::Jecxz | M::Jrcxz => {
                let v = self.counter(insn);
                let f = self.is_zero(v);
                self.branch(insn, Cc::Eq, f)
            }
            M::Loop | M::Loope | M::Loopne => self.loop_insn(insn),
            M::Int3 => Flow::End(Term::Trap { kind: TrapKind::Break, pc: self.next, info: trap::BP }),
            M::Int => self.int(insn.immediate8()),
            // The detail tells it from a single step.
            M::Int1 => self.service(trap::with_error(trap::DB, 1), true),
            M::Into => self.into(),
            M::Bound => self.bound(insn),
            M::Ud0 | M::Ud1 | M::Ud2 => Flow::Undefined,
            M::Xbegin | M::Xend | M::Xtest | M::Xabort => Flow::Undefined,
            _ if insn.is_jcc_short_or_near() => {
                let cc = condition(insn.condition_code())?;
                let f = self.flags();
                self.branch(insn, cc, f)
            }
            _ => return None,
        })
    }

    /// The destination of a near branch. With a 16-bit operand size it is cut to 16 bits.
    fn near_target(&self, insn: &Instruction) -> u64 {
        let to = insn.near_branch_target();
        match insn.op0_kind() {
            OpKind::NearBranch16 => to & 0xffff,
            OpKind::NearBranch32 => to & 0xffff_ffff,
            _ => to,
        }
    }

    /// The destination of an indirect near branch as a code address.
    fn indirect_target(&mut self, insn: &Instruction) -> Val {
        let bits = op_bits(insn, 0);
        let v = self.read_zext(insn, 0, bits);
        self.wide(v)
    }

    fn jump(&mut self, to: u64) -> Flow {
        Flow::End(Term::Jump(Target::Pc(to)))
    }

    /// Ends the block with an indirect transfer. Under TF it is the interpreter of the trap that makes it.
    fn indirect(&mut self, term: Term) -> Flow {
        Flow::End(term)
    }

    fn branch(&mut self, insn: &Instruction, cc: Cc, f: Val) -> Flow {
        let (then, els) = (self.near_target(insn), self.next);
        if self.mode & MODE_TF != 0 {
            return self.traced_branch(cc, f, then, els);
        }
        Flow::End(Term::Branch { flags: f, cc, then: Target::Pc(then), els: Target::Pc(els) })
    }

    /// A branch under TF: both ways trap.
    fn traced_branch(&mut self, cc: Cc, f: Val, then: u64, els: u64) -> Flow {
        let first = self.b.upcoming_block(1);
        let second = self.b.upcoming_block(2);
        let term = Term::Branch { flags: f, cc, then: Target::Block(first), els: Target::Block(second) };
        self.b.end_block(term, self.pc);
        self.b.begin_internal(self.pc);
        let trap = Term::Trap { kind: TrapKind::Service, pc: then, info: trap::DB };
        self.b.end_block(trap, self.pc);
        self.b.begin_internal(self.pc);
        Flow::End(Term::Jump(Target::Pc(els)))
    }

    fn call_insn(&mut self, insn: &Instruction) -> Flow {
        let direct = insn.flow_control() == FlowControl::Call;
        let bits = insn.stack_pointer_increment().unsigned_abs() * 8;
        let ret = self.next;
        if direct {
            let target = self.near_target(insn);
            let v = self.b.addr(ret);
            let v = self.retype(v, bits);
            self.push_value(bits, v);
            if self.mode & MODE_TF != 0 {
                return self.jump(target);
            }
            return Flow::End(Term::Call { target, ret });
        }
        let addr = self.indirect_target(insn);
        let v = self.b.addr(ret);
        let v = self.retype(v, bits);
        self.push_value(bits, v);
        self.indirect(Term::CallIndirect { addr, ret })
    }

    fn ret(&mut self, insn: &Instruction) -> Flow {
        let extra = if insn.op_count() > 0 { i64::from(insn.immediate16()) } else { 0 };
        let total = i64::from(insn.stack_pointer_increment());
        let bits = ((total - extra) * 8) as u32;
        let ea = self.stack(0);
        let v = self.load(bits, ea);
        self.add_sp(total);
        let addr = self.wide(v);
        self.indirect(Term::Return { addr })
    }

    /// rcx, ecx or cx as a raw value cut to its width.
    fn counter(&mut self, insn: &Instruction) -> Val {
        let v = self.r64(RCX);
        match counter_bits(insn) {
            64 => v,
            32 => self.b.trunc(v),
            _ => self.b.zext16(v),
        }
    }

    /// Flags of a comparison with zero.
    pub(crate) fn is_zero(&mut self, v: Val) -> Val {
        let zero = self.b.iconst(self.b.ty(v), 0);
        let d = self.b.sub(v, zero);
        self.b.flags_of(d)
    }

    /// loop, loope, loopne: the counter goes down; flags stay.
    fn loop_insn(&mut self, insn: &Instruction) -> Flow {
        let old = self.r64(RCX);
        let bits = counter_bits(insn);
        let new = match bits {
            64 => {
                let one = self.b.const64(1);
                let v = self.b.sub(old, one);
                self.b.set(cpu::gpr(RCX), v);
                v
            }
            32 => {
                let w = self.b.trunc(old);
                let one = self.b.const32(1);
                let v = self.b.sub(w, one);
                self.set_r(RCX, v);
                v
            }
            _ => {
                let one = self.b.const64(1);
                let v = self.b.sub(old, one);
                self.set_r16(RCX, v);
                self.b.zext16(v)
            }
        };
        let zero = self.is_zero(new);
        if insn.mnemonic() == Mnemonic::Loop {
            return self.branch(insn, Cc::Ne, zero);
        }
        let f = self.flags();
        let cc = if insn.mnemonic() == Mnemonic::Loope { Cc::Eq } else { Cc::Ne };
        let left = self.b.setcc(Type::I32, Cc::Ne, zero);
        let on = self.b.setcc(Type::I32, cc, f);
        let both = self.b.push(Op::And, Type::I32, ir::Attr::None, &[left, on], 0);
        let go = self.b.flags_of(both);
        self.branch(insn, Cc::Ne, go)
    }

    fn int(&mut self, vector: u8) -> Flow {
        match vector {
            0x80 if self.long() => self.service(trap::INT80, true),
            0x80 => Flow::End(Term::Syscall { next: self.next }),
            // What the kernel lets user mode call: 3 and 4.
            3 => Flow::End(Term::Trap { kind: TrapKind::Break, pc: self.next, info: trap::BP }),
            4 => self.service(trap::OF, true),
            n => self.general_protection(u64::from(n) * 8 + 2),
        }
    }

    fn into(&mut self) -> Flow {
        let f = self.flags();
        let yes = self.b.upcoming_block(1);
        let term =
            Term::Branch { flags: f, cc: Cc::Vs, then: Target::Block(yes), els: Target::Pc(self.next) };
        self.end_block(term, self.next);
        self.b.begin_internal(self.pc);
        self.b.insn(self.pc);
        self.service(trap::OF, true)
    }

    /// bound: #BR unless lower <= index <= upper, signed.
    fn bound(&mut self, insn: &Instruction) -> Flow {
        let bits = op_bits(insn, 0);
        let index = self.read(insn, 0, bits);
        let index = self.sext64(index, bits);
        let ea = self.ea(insn);
        let mem = self.mem(bits).signed().scaled(ea.scale);
        let ty = Type::I64;
        let low = self.b.load(ty, mem, ea.base, ea.index, ea.disp);
        let high = self.b.load(ty, mem, ea.base, ea.index, ea.disp + i64::from(bits / 8));
        let d = self.b.sub(index, low);
        let f = self.b.flags_of(d);
        let under = self.b.setcc(Type::I32, Cc::Lt, f);
        let d = self.b.sub(index, high);
        let f = self.b.flags_of(d);
        let over = self.b.setcc(Type::I32, Cc::Gt, f);
        let bad = self.b.or(under, over);
        let f = self.is_zero(bad);
        let trap_block = self.b.upcoming_block(1);
        let term = Term::Branch {
            flags: f,
            cc: Cc::Ne,
            then: Target::Block(trap_block),
            els: Target::Pc(self.next),
        };
        self.end_block(term, self.next);
        self.b.begin_internal(self.pc);
        self.b.insn(self.pc);
        self.service(trap::BR, false)
    }
}

/// Width of the counter of a loop or jcxz.
fn counter_bits(insn: &Instruction) -> u32 {
    use Code as C;
    match insn.code() {
        C::Jcxz_rel8_16 | C::Jcxz_rel8_32 => 16,
        C::Jecxz_rel8_16 | C::Jecxz_rel8_32 | C::Jecxz_rel8_64 => 32,
        C::Jrcxz_rel8_16 | C::Jrcxz_rel8_64 => 64,
        C::Loop_rel8_16_CX | C::Loop_rel8_32_CX => 16,
        C::Loope_rel8_16_CX | C::Loope_rel8_32_CX => 16,
        C::Loopne_rel8_16_CX | C::Loopne_rel8_32_CX => 16,
        C::Loop_rel8_16_ECX | C::Loop_rel8_32_ECX | C::Loop_rel8_64_ECX => 32,
        C::Loope_rel8_16_ECX | C::Loope_rel8_32_ECX | C::Loope_rel8_64_ECX => 32,
        C::Loopne_rel8_16_ECX | C::Loopne_rel8_32_ECX | C::Loopne_rel8_64_ECX => 32,
        _ => 64,
    }
}

fn is_near(insn: &Instruction) -> bool {
    insn.is_jmp_short_or_near()
        || insn.is_jmp_near_indirect()
        || insn.is_call_near()
        || insn.is_call_near_indirect()
}
