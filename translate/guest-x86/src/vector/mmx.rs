//! MMX: eight registers of 64 bits in the x87's, with the operations of the rows.
//!
//! An instruction that uses one puts the x87's top of stack to 0 and marks all registers as in use; a register that is written
//! gets the exponent of a NaN.

use super::convert::{integer_lanes, to_int};
use super::operand::{full, imm8, is_legacy, number};
use super::rows::Cx;
use super::table;
use crate::cpu;
use crate::operand::Ea;
use crate::trans::{Flow, Tr};
use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use ir::Size::{self, B, D, H, Q, S};
use ir::{Attr, Op, Round, Shape, Type, Val};

impl Tr<'_> {
    /// Translates an MMX instruction; `None` if it is not one.
    pub(crate) fn mmx_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic::*;
        if matches!(insn.mnemonic(), Emms | Femms) {
            self.x87_pending();
            self.mmx_state(0);
            return Some(Flow::Next);
        }
        if !Self::touches_mmx(insn) {
            // Its memory form leaves the x87 alone but for a pending exception.
            return match insn.mnemonic() {
                Cvtpi2ps => Some(self.mmx_to_singles(insn)),
                Cvtpi2pd => Some(self.mmx_to_doubles(insn)),
                _ => None,
            };
        }
        self.x87_pending();
        match insn.mnemonic() {
            Movd | Movq => self.mmx_move(insn),
            Movntq => {
                let v = self.mmx(insn.op1_register());
                let ea = self.ea(insn);
                self.vstore(D, ea, 0, false, v);
            }
            Movq2dq => {
                let v = self.mmx(insn.op1_register());
                self.b.set(cpu::xmm(number(insn.op0_register())), v);
            }
            Movdq2q => {
                let v = self.chunk(number(insn.op1_register()), 0);
                self.set_mmx(insn.op0_register(), v);
            }
            Maskmovq => {
                let (v, sel) = (self.mmx(insn.op1_register()), self.mmx(insn.op2_register()));
                self.masked_bytes_of(insn, v, sel);
            }
            Pmovmskb => {
                let v = self.mmx(insn.op1_register());
                let bits = self.b.push(Op::VMask, Type::I64, Attr::Vec(full(B)), &[v], 0);
                let (g, _) = crate::operand::gpr_number(insn.op0_register());
                self.set_r(g, bits);
            }
            Pextrw => {
                let v = self.mmx(insn.op1_register());
                let g = self.b.vget(Type::I32, full(H), false, v, u32::from(imm8(insn)) & 3);
                let (r, _) = crate::operand::gpr_number(insn.op0_register());
                self.set_r(r, g);
            }
            Pinsrw => {
                let g = self.read(insn, 1, 16);
                let g = self.narrow32(g);
                let old = self.mmx(insn.op0_register());
                let n = u64::from(imm8(insn)) & 3;
                let v = self.b.push(Op::VIns, Type::V128, Attr::Vec(full(H)), &[old, g], n);
                self.set_mmx(insn.op0_register(), v);
            }
            Pshufw => {
                let v = self.mmx_source(insn, 1);
                let mut out = v;
                for i in 0..4u64 {
                    let from = u64::from(imm8(insn)) >> (2 * i) & 3;
                    out = self.b.vop(Op::VInsLane, full(H), &[out, v], i | from << 8);
                }
                self.set_mmx(insn.op0_register(), out);
            }
            Cvtpi2ps => return Some(self.mmx_to_singles(insn)),
            Cvtpi2pd => return Some(self.mmx_to_doubles(insn)),
            Cvtps2pi | Cvttps2pi | Cvtpd2pi | Cvttpd2pi => self.mmx_from_reals(insn),
            _ => return self.mmx_row(insn),
        }
        self.mmx_state(0xff);
        Some(Flow::Next)
    }

    /// The x87 after an MMX instruction.
    fn mmx_state(&mut self, tags: u32) {
        let tags = self.b.const32(tags);
        self.b.set(cpu::FTW, tags);
        let zero = self.b.const32(0);
        self.b.set(cpu::FTOP, zero);
        self.set_top(0);
    }

    /// An MMX register in the low half of a vector.
    fn mmx(&mut self, r: Register) -> Val {
        let v = self.b.get(cpu::st(number(r)), Type::V128);
        self.b.vop(Op::VLow, Shape::scalar(D), &[v], 0)
    }

    /// Writes an MMX register from the low half of a vector.
    fn set_mmx(&mut self, r: Register, v: Val) {
        let exponent = self.b.const64(0xffff);
        let v = self.b.push(Op::VIns, Type::V128, Attr::Vec(full(D)), &[v, exponent], 1);
        self.b.set(cpu::st(number(r)), v);
    }

    /// A source operand of 64 bits.
    fn mmx_source(&mut self, insn: &Instruction, n: u32) -> Val {
        if insn.op_kind(n) == OpKind::Register {
            return self.mmx(insn.op_register(n));
        }
        let size = if insn.memory_size().size() == 4 { S } else { D };
        let ea = self.ea(insn);
        self.vload(size, ea, 0, false)
    }

    fn mmx_move(&mut self, insn: &Instruction) {
        let is_mmx = |n: u32| {
            insn.op_kind(n) == OpKind::Register
                && (Register::MM0..=Register::MM7).contains(&insn.op_register(n))
        };
        let other = if is_mmx(0) { 1 } else { 0 };
        let bits = crate::operand::op_bits(insn, other);
        match (is_mmx(0), is_mmx(1)) {
            (true, true) => {
                let v = self.mmx(insn.op1_register());
                self.set_mmx(insn.op0_register(), v);
            }
            (true, false) => {
                let g = self.read_zext(insn, 1, bits);
                let g = self.wide(g);
                let zero = self.vzero();
                let v = self.b.push(Op::VIns, Type::V128, Attr::Vec(full(D)), &[zero, g], 0);
                self.set_mmx(insn.op0_register(), v);
            }
            _ => {
                let v = self.mmx(insn.op1_register());
                let (ty, lane) = if bits == 64 { (Type::I64, D) } else { (Type::I32, S) };
                let g = self.b.vget(ty, full(lane), false, v, 0);
                let dst = self.dest_only(insn, 0);
                self.write(dst, bits, g);
            }
        }
    }

    /// A rounding and a source in one vector, made into another within the instruction's floating-point scope.
    fn mmx_convert(&mut self, insn: &Instruction, v: Val, make: impl Fn(&mut Self, Val) -> Val) -> Val {
        let scope = self.fp_begin(insn);
        let v = make(self, v);
        self.fp_end(scope);
        v
    }

    fn mmx_to_singles(&mut self, insn: &Instruction) -> Flow {
        self.x87_pending();
        let v = self.mmx_source(insn, 1);
        let v = self.mmx_convert(insn, v, |t, v| {
            let fp = t.fp(Shape::new(S, 2), Round::Dynamic);
            t.b.fcvt(Op::VSToF, Type::V128, fp, S, v, 0)
        });
        let n = number(insn.op0_register());
        let old = self.chunk(n, 0);
        let v = self.b.vop(Op::VInsLane, Shape::scalar(D), &[old, v], 0);
        self.b.set(cpu::xmm(n), v);
        self.mmx_used(insn)
    }

    fn mmx_to_doubles(&mut self, insn: &Instruction) -> Flow {
        if Self::touches_mmx(insn) {
            self.x87_pending();
        }
        let v = self.mmx_source(insn, 1);
        let v = self.mmx_convert(insn, v, |t, v| integer_lanes(t, Round::Dynamic, v, Op::VWidenS));
        self.b.set(cpu::xmm(number(insn.op0_register())), v);
        self.mmx_used(insn)
    }

    /// The x87's state after an instruction that may have had its operand in memory.
    fn mmx_used(&mut self, insn: &Instruction) -> Flow {
        if Self::touches_mmx(insn) {
            self.mmx_state(0xff);
        }
        Flow::Next
    }

    fn mmx_from_reals(&mut self, insn: &Instruction) {
        let double = matches!(insn.mnemonic(), Mnemonic::Cvtpd2pi | Mnemonic::Cvttpd2pi);
        let round = if matches!(insn.mnemonic(), Mnemonic::Cvttps2pi | Mnemonic::Cvttpd2pi) {
            Round::Zero
        } else {
            Round::Dynamic
        };
        let v = if insn.op_kind(1) == OpKind::Register {
            self.chunk(number(insn.op1_register()), 0)
        } else {
            let ea = self.ea(insn);
            self.vload(if double { Q } else { D }, ea, 0, double)
        };
        let v = self.mmx_convert(insn, v, |t, v| {
            if double {
                return to_int(t, round, v, Op::VFToS);
            }
            let v = t.b.vop(Op::VLow, Shape::scalar(D), &[v], 0);
            let cx = Cx { imm: 0, legacy: true, chunk: 0, lane: S, shape: full(S), round };
            table::convert(t, &cx, Op::VFToS, round, v)
        });
        self.set_mmx(insn.op0_register(), v);
    }

    /// An instruction that has a row.
    fn mmx_row(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic::*;
        let row = table::row(insn)?;
        let dst = insn.op0_register();
        let args: Vec<Val> = match row.n {
            1 => {
                // A shift by an immediate has one operand, which is the destination.
                let from = u32::from(insn.op_kind(1) != OpKind::Immediate8);
                vec![self.mmx_source(insn, from)]
            }
            _ => {
                let a = self.mmx(dst);
                vec![a, self.mmx_source(insn, 1)]
            }
        };
        let cx = |lane: Size| Cx {
            imm: imm8(insn),
            legacy: is_legacy(insn),
            chunk: 0,
            lane,
            shape: full(lane),
            round: Round::Dynamic,
        };
        // Operations that gather lanes of both sources see them side by side in one vector.
        let v = match insn.mnemonic() {
            Packsswb | Packssdw | Packuswb | Phaddw | Phaddd | Phsubw | Phsubd | Phaddsw | Phsubsw => {
                let both = self.b.vop(Op::VInsLane, full(D), &[args[0], args[1]], 1);
                self.make(&row, &cx(row.lane), &[both, both])
            }
            Punpckhbw | Punpckhwd | Punpckhdq => {
                let v = self.b.vop(Op::VZip1, full(row.lane), &args, 0);
                let zero = self.vzero();
                self.b.vop(Op::VExt, full(B), &[v, zero], 8)
            }
            Pshufb => {
                // Only three bits of an index and its top bit count.
                let bits = self.b.vconst(0x8787_8787_8787_8787, true);
                let index = self.b.vop(Op::VAnd, full(B), &[args[1], bits], 0);
                self.b.vop(Op::VShufB, full(B), &[args[0], index], 0)
            }
            Palignr => match imm8(insn) {
                n @ 0..=15 => {
                    let both = self.b.vop(Op::VInsLane, full(D), &[args[1], args[0]], 1);
                    let zero = self.vzero();
                    if n == 0 { both } else { self.b.vop(Op::VExt, full(B), &[both, zero], u64::from(n)) }
                }
                _ => self.vzero(),
            },
            _ => self.make(&row, &cx(row.lane), &args),
        };
        self.set_mmx(dst, v);
        self.mmx_state(0xff);
        Some(Flow::Next)
    }

    /// maskmovq: the bytes of a vector's low half to where rdi points.
    fn masked_bytes_of(&mut self, insn: &Instruction, v: Val, sel: Val) {
        let ea: Ea = self.masked_bytes_place(insn);
        let k = self.b.push(Op::VMask, Type::I64, Attr::Vec(full(B)), &[sel], 0);
        self.masked_store(ea, B, 1, k, move |_, _| v, false);
    }
}
