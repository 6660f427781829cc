//! Between vector and general registers, comparisons into the flags, conversions of one lane, string comparisons.

use super::helpers;
use super::operand::{FpScope, chunks_of, full, imm8, is_legacy, number, real_operands};
use crate::cpu;
use crate::operand::gpr_number;
use crate::trans::{Flow, Tr};
use iced_x86::{Instruction, Mnemonic, OpKind};
use ir::Size::{self, B, D, H, S};
use ir::{Attr, Op, Round, Shape, Type, Val};

impl Tr<'_> {
    /// Instructions of this file; `None` for others.
    pub(super) fn vector_scalar(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic::*;
        if Self::touches_mmx(insn) {
            return None;
        }
        match insn.mnemonic() {
            Comiss | Vcomiss => self.compare_flags(insn, S, true),
            Ucomiss | Vucomiss => self.compare_flags(insn, S, false),
            Comisd | Vcomisd => self.compare_flags(insn, D, true),
            Ucomisd | Vucomisd => self.compare_flags(insn, D, false),
            Ptest | Vptest => self.test(insn, None),
            Vtestps => self.test(insn, Some(0x8000_0000_8000_0000)),
            Vtestpd => self.test(insn, Some(1 << 63)),
            Cvtsi2ss | Vcvtsi2ss => self.convert_integer(insn, S, Op::SToF),
            Cvtsi2sd | Vcvtsi2sd => self.convert_integer(insn, D, Op::SToF),
            Vcvtusi2ss => self.convert_integer(insn, S, Op::UToF),
            Vcvtusi2sd => self.convert_integer(insn, D, Op::UToF),
            Cvtss2si | Vcvtss2si => self.convert_to_integer(insn, S, Op::FToS, false),
            Cvttss2si | Vcvttss2si => self.convert_to_integer(insn, S, Op::FToS, true),
            Cvtsd2si | Vcvtsd2si => self.convert_to_integer(insn, D, Op::FToS, false),
            Cvttsd2si | Vcvttsd2si => self.convert_to_integer(insn, D, Op::FToS, true),
            Vcvtss2usi => self.convert_to_integer(insn, S, Op::FToU, false),
            Vcvttss2usi => self.convert_to_integer(insn, S, Op::FToU, true),
            Vcvtsd2usi => self.convert_to_integer(insn, D, Op::FToU, false),
            Vcvttsd2usi => self.convert_to_integer(insn, D, Op::FToU, true),
            Cvtss2sd | Vcvtss2sd => self.change_format(insn, S, D),
            Cvtsd2ss | Vcvtsd2ss => self.change_format(insn, D, S),
            Pextrb | Vpextrb => self.extract(insn, B),
            Pextrw | Vpextrw => self.extract(insn, H),
            Pextrd | Vpextrd | Extractps | Vextractps => self.extract(insn, S),
            Pextrq | Vpextrq => self.extract(insn, D),
            Pinsrb | Vpinsrb => self.insert(insn, B),
            Pinsrw | Vpinsrw => self.insert(insn, H),
            Pinsrd | Vpinsrd => self.insert(insn, S),
            Pinsrq | Vpinsrq => self.insert(insn, D),
            Insertps | Vinsertps => self.insert_single(insn),
            Pcmpestri | Pcmpestri64 | Vpcmpestri | Vpcmpestri64 => self.string_compare(insn, true, false),
            Pcmpestrm | Pcmpestrm64 | Vpcmpestrm | Vpcmpestrm64 => self.string_compare(insn, true, true),
            Pcmpistri | Vpcmpistri => self.string_compare(insn, false, false),
            Pcmpistrm | Vpcmpistrm => self.string_compare(insn, false, true),
            Extrq | Insertq => self.bit_field(insn),
            Movntss => self.store_scalar(insn, S),
            Movntsd => self.store_scalar(insn, D),
            _ => return None,
        }
        Some(Flow::Next)
    }

    /// One lane of operand `n`, in the low bytes of a vector.
    pub(super) fn one_lane(&mut self, insn: &Instruction, n: u32, lane: Size) -> Val {
        if insn.op_kind(n) == OpKind::Register {
            return self.chunk(number(insn.op_register(n)), 0);
        }
        let ea = self.ea(insn);
        self.vload(lane, ea, 0, false)
    }

    fn compare_flags(&mut self, insn: &Instruction, lane: Size, signalling: bool) {
        let a = self.chunk(number(insn.op0_register()), 0);
        let b = self.one_lane(insn, 1, lane);
        let scope = self.fp_begin(insn);
        let fp = self.fp(Shape::scalar(lane), Round::Dynamic);
        let f = self.b.push(Op::FComi, Type::Flags, Attr::Fp(fp), &[a, b], u64::from(signalling));
        match scope {
            FpScope::Plain => self.set_flags(f),
            scope => {
                // What ends the scope may destroy the host's flags: keep them as a number.
                let packed = self.b.flags_pack(f);
                self.fp_end(scope);
                let f = self.b.flags_unpack(packed);
                self.set_flags(f);
            }
        }
    }

    /// ptest and vtestps: ZF if no common bit, CF if the second has none that the first lacks.
    fn test(&mut self, insn: &Instruction, only: Option<u64>) {
        let r = insn.op0_register();
        let chunks = chunks_of(r);
        let a = self.source(insn, 0, D, chunks, false, None);
        let b = self.source(insn, 1, D, chunks, false, None);
        let only = only.map(|bits| self.b.vconst(bits, true));
        let (mut both, mut lacks): (Option<Val>, Option<Val>) = (None, None);
        let mut pairs = Vec::new();
        for (&x, &y) in a.iter().zip(&b) {
            let y = match only {
                Some(m) => self.b.vop(Op::VAnd, full(D), &[y, m], 0),
                None => y,
            };
            pairs.push((x, y));
        }
        let f = if let [(x, y)] = pairs[..] {
            self.b.push(Op::VTest, Type::Flags, Attr::Vec(full(D)), &[x, y], 0)
        } else {
            for (x, y) in pairs {
                let p = self.b.vop(Op::VAnd, full(D), &[x, y], 0);
                let q = self.b.vop(Op::VAndN, full(D), &[y, x], 0);
                both = Some(both.map_or(p, |v| self.b.vop(Op::VOr, full(D), &[v, p], 0)));
                lacks = Some(lacks.map_or(q, |v| self.b.vop(Op::VOr, full(D), &[v, q], 0)));
            }
            let (both, lacks) = (both.unwrap_or(Val::NONE), lacks.unwrap_or(Val::NONE));
            // The two in the halves of one vector: the low one decides Z, the other C.
            let low = self.b.vop(Op::VZip1, full(D), &[both, lacks], 0);
            let high = self.b.vop(Op::VZip2, full(D), &[both, lacks], 0);
            let all = self.b.vop(Op::VOr, full(D), &[low, high], 0);
            let ones = self.b.vconst(u64::MAX, false);
            self.b.push(Op::VTest, Type::Flags, Attr::Vec(full(D)), &[ones, all], 0)
        };
        self.set_flags(f);
    }

    /// Writes lane 0, the rest being that of the operand before the last source, or of the destination of a legacy form.
    fn write_lane(&mut self, insn: &Instruction, lane: Size, v: Val) {
        let upper = if is_legacy(insn) { 0 } else { 1 };
        let upper = self.chunk(number(insn.op_register(upper)), 0);
        let v = self.b.vop(Op::VInsLane, Shape::scalar(lane), &[upper, v], 0);
        self.write_chunks(insn, insn.op0_register(), &[v]);
    }

    fn convert_integer(&mut self, insn: &Instruction, lane: Size, op: Op) {
        let n = real_operands(insn) - 1;
        let bits = crate::operand::op_bits(insn, n);
        let bits = if bits == 64 { 64 } else { 32 };
        let v = self.read(insn, n, bits);
        let scope = self.fp_begin(insn);
        let fp = self.fp(Shape::scalar(lane), Self::rounding(insn));
        let size = if bits == 64 { D } else { S };
        let r = self.b.fcvt(op, Type::V128, fp, size, v, 0);
        self.fp_end(scope);
        self.write_lane(insn, lane, r);
    }

    fn convert_to_integer(&mut self, insn: &Instruction, lane: Size, op: Op, truncate: bool) {
        let a = self.one_lane(insn, 1, lane);
        let wide = insn.op0_register().size() == 8;
        let ty = if wide { Type::I64 } else { Type::I32 };
        let scope = self.fp_begin(insn);
        let round = if truncate { Round::Zero } else { Self::rounding(insn) };
        let fp = self.fp(Shape::scalar(lane), round);
        let r = self.b.fcvt(op, ty, fp, lane, a, 0);
        self.fp_end(scope);
        let (n, _) = gpr_number(insn.op0_register());
        self.set_r(n, r);
    }

    fn change_format(&mut self, insn: &Instruction, from: Size, to: Size) {
        let mask = self.write_mask(insn);
        let n = real_operands(insn) - 1;
        let mut a = self.source(insn, n, from, 1, true, mask)[0];
        let scope = self.fp_begin(insn);
        if let Some(m) = mask {
            let on = self.lane_mask(m.k, from, 0);
            a = self.b.vop(Op::VAnd, full(from), &[a, on], 0);
        }
        let fp = self.fp(Shape::scalar(from), Self::rounding(insn));
        let mut r = self.b.fcvt(Op::FCvt, Type::V128, fp, to, a, 0);
        self.fp_end(scope);
        if let Some(m) = mask {
            r = self.masked_scalar(m, insn.op0_register(), to, r);
        }
        self.write_lane(insn, to, r);
    }

    fn extract(&mut self, insn: &Instruction, lane: Size) {
        let v = self.chunk(number(insn.op1_register()), 0);
        let n = u32::from(imm8(insn)) & (u32::from(full(lane).lanes) - 1);
        let ty = if lane == D { Type::I64 } else { Type::I32 };
        let g = self.b.vget(ty, full(lane), false, v, n);
        if insn.op0_kind() == OpKind::Register {
            let (r, _) = gpr_number(insn.op0_register());
            self.set_r(r, g);
        } else {
            let ea = self.ea(insn);
            let g = self.retype(g, lane.bits());
            self.store(lane.bits(), ea, g);
        }
    }

    fn insert(&mut self, insn: &Instruction, lane: Size) {
        let n = real_operands(insn) - 1;
        let g = if insn.op_kind(n) == OpKind::Register {
            self.reg_raw(insn.op_register(n))
        } else {
            let ea = self.ea(insn);
            self.load(lane.bits(), ea)
        };
        let upper = self.chunk(number(insn.op_register(n - 1)), 0);
        let at = u64::from(imm8(insn)) & (u64::from(full(lane).lanes) - 1);
        let v = self.b.vop(Op::VIns, full(lane), &[upper, g], at);
        self.write_chunks(insn, insn.op0_register(), &[v]);
    }

    fn insert_single(&mut self, insn: &Instruction) {
        let n = real_operands(insn) - 1;
        let imm = imm8(insn);
        let from = if insn.op_kind(n) == OpKind::Register { imm >> 6 } else { 0 };
        let b = self.one_lane(insn, n, S);
        let a = self.chunk(number(insn.op_register(n - 1)), 0);
        let to = imm >> 4 & 3;
        let lanes: Vec<u8> = (0..4)
            .map(|i| match i {
                i if imm >> i & 1 != 0 => 0x80,
                i if i == to => 4 + from,
                i => i,
            })
            .collect();
        let v = self.perm(S, &lanes, a, b);
        self.write_chunks(insn, insn.op0_register(), &[v]);
    }

    /// Length of a string, cut to -127..127, as the low 8 bits of an I64.
    fn length(&mut self, n: u32, wide: bool) -> Val {
        let v = self.r64(n);
        let v = if wide { v } else { self.b.sbfx(v, 0, 32) };
        let (max, min) = (self.b.const64(127), self.b.const64(127u64.wrapping_neg()));
        let v = self.b.smin(v, max);
        let v = self.b.smax(v, min);
        self.b.ubfx(v, 0, 8)
    }

    fn string_compare(&mut self, insn: &Instruction, explicit: bool, to_mask: bool) {
        let a = self.chunk(number(insn.op0_register()), 0);
        let b = self.whole_operand(insn, 1, false);
        let lengths = if explicit {
            use Mnemonic::*;
            let wide = matches!(insn.mnemonic(), Pcmpestri64 | Pcmpestrm64 | Vpcmpestri64 | Vpcmpestrm64);
            let x = self.length(cpu::RAX, wide);
            let y = self.length(cpu::RDX, wide);
            self.b.bfi(x, y, 8, 8)
        } else {
            self.b.const64(0)
        };
        let word = u64::from(imm8(insn)) | u64::from(explicit) << 8;
        let word = self.b.const64(word);
        let r = self.call(helpers::id(helpers::STRING_INDEX), Type::I64, &[a, b, lengths, word]);
        if to_mask {
            let m = self.call(helpers::id(helpers::STRING_MASK), Type::V128, &[a, b, lengths, word]);
            self.b.set(cpu::xmm(0), m);
            if !is_legacy(insn) {
                self.clear_above(0, 1);
            }
        } else {
            let index = self.b.ubfx(r, 16, 8);
            self.set_r(cpu::RCX, index);
        }
        let packed = self.b.trunc(r);
        let f = self.b.flags_unpack(packed);
        self.set_flags(f);
    }

    /// extrq and insertq of SSE4a: bit fields of the low half.
    fn bit_field(&mut self, insn: &Instruction) {
        let dst = number(insn.op0_register());
        let a = self.chunk(dst, 0);
        let extract = insn.mnemonic() == Mnemonic::Extrq;
        let immediates = insn.op_count() - real_operands(insn);
        let b = if real_operands(insn) > 1 { self.chunk(number(insn.op1_register()), 0) } else { a };
        let word = if immediates == 2 {
            let n = real_operands(insn);
            insn.immediate(n) & 63 | (insn.immediate(n + 1) & 63) << 8 | 1 << 16
        } else {
            0
        };
        let id = if extract { helpers::EXTRACT_FIELD } else { helpers::INSERT_FIELD };
        let v = self.call_pure(id, &[a, b], word);
        self.b.set(cpu::xmm(dst), v);
    }

    fn store_scalar(&mut self, insn: &Instruction, lane: Size) {
        let v = self.chunk(number(insn.op1_register()), 0);
        let ea = self.ea(insn);
        self.vstore(lane, ea, 0, false, v);
    }
}
