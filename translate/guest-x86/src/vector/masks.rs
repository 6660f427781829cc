//! Mask registers: their own instructions, and moves between them and lanes.

use super::operand::{chunks_of, full, number};
use crate::cpu;
use crate::trans::{Flow, Tr};
use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use ir::Size::{self, B, D, H, S};
use ir::{Cc, Op, Type, Val};

impl Tr<'_> {
    /// Instructions on mask registers; `None` for others.
    pub(super) fn mask_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic::*;
        match insn.mnemonic() {
            Kmovb => self.mask_move(insn, 8),
            Kmovw => self.mask_move(insn, 16),
            Kmovd => self.mask_move(insn, 32),
            Kmovq => self.mask_move(insn, 64),
            Kandb => self.mask_op(insn, 8, |t, a, b| t.b.and(a, b)),
            Kandw => self.mask_op(insn, 16, |t, a, b| t.b.and(a, b)),
            Kandd => self.mask_op(insn, 32, |t, a, b| t.b.and(a, b)),
            Kandq => self.mask_op(insn, 64, |t, a, b| t.b.and(a, b)),
            Kandnb => self.mask_op(insn, 8, |t, a, b| t.b.andn(b, a)),
            Kandnw => self.mask_op(insn, 16, |t, a, b| t.b.andn(b, a)),
            Kandnd => self.mask_op(insn, 32, |t, a, b| t.b.andn(b, a)),
            Kandnq => self.mask_op(insn, 64, |t, a, b| t.b.andn(b, a)),
            Korb => self.mask_op(insn, 8, |t, a, b| t.b.or(a, b)),
            Korw => self.mask_op(insn, 16, |t, a, b| t.b.or(a, b)),
            Kord => self.mask_op(insn, 32, |t, a, b| t.b.or(a, b)),
            Korq => self.mask_op(insn, 64, |t, a, b| t.b.or(a, b)),
            Kxorb => self.mask_op(insn, 8, |t, a, b| t.b.xor(a, b)),
            Kxorw => self.mask_op(insn, 16, |t, a, b| t.b.xor(a, b)),
            Kxord => self.mask_op(insn, 32, |t, a, b| t.b.xor(a, b)),
            Kxorq => self.mask_op(insn, 64, |t, a, b| t.b.xor(a, b)),
            Kxnorb => self.mask_op(insn, 8, not_xor),
            Kxnorw => self.mask_op(insn, 16, not_xor),
            Kxnord => self.mask_op(insn, 32, not_xor),
            Kxnorq => self.mask_op(insn, 64, not_xor),
            Kaddb => self.mask_op(insn, 8, |t, a, b| t.b.add(a, b)),
            Kaddw => self.mask_op(insn, 16, |t, a, b| t.b.add(a, b)),
            Kaddd => self.mask_op(insn, 32, |t, a, b| t.b.add(a, b)),
            Kaddq => self.mask_op(insn, 64, |t, a, b| t.b.add(a, b)),
            Kunpckbw => self.mask_join(insn, 8),
            Kunpckwd => self.mask_join(insn, 16),
            Kunpckdq => self.mask_join(insn, 32),
            Knotb => self.mask_not(insn, 8),
            Knotw => self.mask_not(insn, 16),
            Knotd => self.mask_not(insn, 32),
            Knotq => self.mask_not(insn, 64),
            Kshiftlb => self.mask_shift(insn, 8, true),
            Kshiftlw => self.mask_shift(insn, 16, true),
            Kshiftld => self.mask_shift(insn, 32, true),
            Kshiftlq => self.mask_shift(insn, 64, true),
            Kshiftrb => self.mask_shift(insn, 8, false),
            Kshiftrw => self.mask_shift(insn, 16, false),
            Kshiftrd => self.mask_shift(insn, 32, false),
            Kshiftrq => self.mask_shift(insn, 64, false),
            Kortestb => self.mask_test(insn, 8, false),
            Kortestw => self.mask_test(insn, 16, false),
            Kortestd => self.mask_test(insn, 32, false),
            Kortestq => self.mask_test(insn, 64, false),
            Ktestb => self.mask_test(insn, 8, true),
            Ktestw => self.mask_test(insn, 16, true),
            Ktestd => self.mask_test(insn, 32, true),
            Ktestq => self.mask_test(insn, 64, true),
            Vpmovm2b => self.mask_to_lanes(insn, B),
            Vpmovm2w => self.mask_to_lanes(insn, H),
            Vpmovm2d => self.mask_to_lanes(insn, S),
            Vpmovm2q => self.mask_to_lanes(insn, D),
            Vpmovb2m => self.lanes_to_mask(insn, B),
            Vpmovw2m => self.lanes_to_mask(insn, H),
            Vpmovd2m => self.lanes_to_mask(insn, S),
            Vpmovq2m => self.lanes_to_mask(insn, D),
            Vpbroadcastmb2q => self.mask_broadcast(insn, 8, D),
            Vpbroadcastmw2d => self.mask_broadcast(insn, 16, S),
            _ => return None,
        }
        Some(Flow::Next)
    }

    fn k(&mut self, r: Register) -> Val {
        self.b.get(cpu::k(number(r)), Type::I64)
    }

    fn low(&mut self, v: Val, bits: u32) -> Val {
        if bits == 64 { v } else { self.b.ubfx(v, 0, bits) }
    }

    fn set_k(&mut self, insn: &Instruction, v: Val, bits: u32) {
        let v = self.low(v, bits);
        self.b.set(cpu::k(number(insn.op0_register())), v);
    }

    fn mask_move(&mut self, insn: &Instruction, bits: u32) {
        let (r0, r1) = (insn.op0_register(), insn.op1_register());
        if insn.op0_kind() == OpKind::Memory {
            let v = self.k(r1);
            let v = if bits == 32 { self.b.trunc(v) } else { v };
            let ea = self.ea(insn);
            self.store(bits, ea, v);
            return;
        }
        if r0.is_k() {
            let v = if insn.op1_kind() == OpKind::Memory {
                let ea = self.ea(insn);
                let v = self.load(bits, ea);
                self.wide(v)
            } else if r1.is_k() {
                self.k(r1)
            } else {
                let (n, _) = crate::operand::gpr_number(r1);
                self.r64(n)
            };
            self.set_k(insn, v, bits);
            return;
        }
        let v = self.k(r1);
        let v = self.low(v, bits);
        let (n, _) = crate::operand::gpr_number(r0);
        self.set_r(n, v);
    }

    fn mask_op(&mut self, insn: &Instruction, bits: u32, f: fn(&mut Tr<'_>, Val, Val) -> Val) {
        let a = self.k(insn.op1_register());
        let b = self.k(insn.op2_register());
        let v = f(self, a, b);
        self.set_k(insn, v, bits);
    }

    fn mask_join(&mut self, insn: &Instruction, bits: u32) {
        let a = self.k(insn.op1_register());
        let b = self.k(insn.op2_register());
        let b = self.low(b, bits);
        let v = self.b.bfi(b, a, bits, bits);
        self.set_k(insn, v, 2 * bits);
    }

    fn mask_not(&mut self, insn: &Instruction, bits: u32) {
        let a = self.k(insn.op1_register());
        let v = self.b.not(a);
        self.set_k(insn, v, bits);
    }

    fn mask_shift(&mut self, insn: &Instruction, bits: u32, left: bool) {
        let n = u32::from(insn.immediate8());
        let a = self.k(insn.op1_register());
        let v = if n >= bits {
            self.b.const64(0)
        } else {
            let a = self.low(a, bits);
            let n = self.b.const64(u64::from(n));
            if left { self.b.shl(a, n) } else { self.b.shr(a, n) }
        };
        self.set_k(insn, v, bits);
    }

    /// kortest: ZF if the union is empty, CF if it is full. ktest: ZF if the intersection is, CF if the second is in the first.
    fn mask_test(&mut self, insn: &Instruction, bits: u32, test: bool) {
        let a = self.k(insn.op0_register());
        let b = self.k(insn.op1_register());
        let (z, c) = if test {
            (self.b.and(a, b), self.b.andn(b, a))
        } else {
            let all = self.b.or(a, b);
            (all, self.b.not(all))
        };
        let mut packed = self.b.const32(0);
        for (v, at) in [(z, 14), (c, 8)] {
            let v = self.low(v, bits);
            let zero = self.b.const64(0);
            let diff = self.b.sub(v, zero);
            let f = self.b.flags_of(diff);
            let bit = self.b.setcc(Type::I32, Cc::Eq, f);
            packed = self.b.bfi(packed, bit, at, 1);
        }
        let f = self.b.flags_unpack(packed);
        self.set_flags(f);
    }

    fn mask_to_lanes(&mut self, insn: &Instruction, lane: Size) {
        let k = self.k(insn.op1_register());
        let r = insn.op0_register();
        let values: Vec<Val> = (0..chunks_of(r)).map(|c| self.lane_mask(k, lane, c)).collect();
        self.write_chunks(insn, r, &values);
    }

    fn lanes_to_mask(&mut self, insn: &Instruction, lane: Size) {
        let r = insn.op1_register();
        let n = number(r);
        let values: Vec<Val> = (0..chunks_of(r)).map(|c| self.chunk(n, c)).collect();
        let bits = self.top_bits(lane, &values);
        self.b.set(cpu::k(number(insn.op0_register())), bits);
    }

    fn mask_broadcast(&mut self, insn: &Instruction, bits: u32, lane: Size) {
        let k = self.k(insn.op1_register());
        let k = self.low(k, bits);
        let k = if lane == S { self.b.trunc(k) } else { k };
        let v = self.b.vop(Op::VDup, full(lane), &[k], 0);
        let r = insn.op0_register();
        let values = vec![v; chunks_of(r) as usize];
        self.write_chunks(insn, r, &values);
    }
}

fn not_xor(t: &mut Tr<'_>, a: Val, b: Val) -> Val {
    let v = t.b.xor(a, b);
    t.b.not(v)
}
