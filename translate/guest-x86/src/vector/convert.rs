//! Conversions whose source and result lanes have different widths.

use super::helpers;
use super::operand::{Mask, chunks_of, full, imm8, number};
use crate::trans::{Flow, Tr};
use iced_x86::{Instruction, Mnemonic, OpKind};
use ir::Size::{self, B, D, H, Q, S};
use ir::{Op, Round, Shape, Type, Val};

/// What a narrowing of integers does with values that do not fit.
#[derive(Clone, Copy)]
enum Fit {
    Cut,
    Signed,
    Unsigned,
}

impl Tr<'_> {
    /// Instructions of this file; `None` for others.
    pub(super) fn vector_convert(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic::*;
        if Self::touches_mmx(insn) {
            return None;
        }
        match insn.mnemonic() {
            Pmovsxbw | Vpmovsxbw => self.extend(insn, B, H, Op::VWidenS),
            Pmovsxbd | Vpmovsxbd => self.extend(insn, B, S, Op::VWidenS),
            Pmovsxbq | Vpmovsxbq => self.extend(insn, B, D, Op::VWidenS),
            Pmovsxwd | Vpmovsxwd => self.extend(insn, H, S, Op::VWidenS),
            Pmovsxwq | Vpmovsxwq => self.extend(insn, H, D, Op::VWidenS),
            Pmovsxdq | Vpmovsxdq => self.extend(insn, S, D, Op::VWidenS),
            Pmovzxbw | Vpmovzxbw => self.extend(insn, B, H, Op::VWidenU),
            Pmovzxbd | Vpmovzxbd => self.extend(insn, B, S, Op::VWidenU),
            Pmovzxbq | Vpmovzxbq => self.extend(insn, B, D, Op::VWidenU),
            Pmovzxwd | Vpmovzxwd => self.extend(insn, H, S, Op::VWidenU),
            Pmovzxwq | Vpmovzxwq => self.extend(insn, H, D, Op::VWidenU),
            Pmovzxdq | Vpmovzxdq => self.extend(insn, S, D, Op::VWidenU),
            Vpmovwb => self.shorten(insn, H, B, Fit::Cut),
            Vpmovdb => self.shorten(insn, S, B, Fit::Cut),
            Vpmovdw => self.shorten(insn, S, H, Fit::Cut),
            Vpmovqb => self.shorten(insn, D, B, Fit::Cut),
            Vpmovqw => self.shorten(insn, D, H, Fit::Cut),
            Vpmovqd => self.shorten(insn, D, S, Fit::Cut),
            Vpmovswb => self.shorten(insn, H, B, Fit::Signed),
            Vpmovsdb => self.shorten(insn, S, B, Fit::Signed),
            Vpmovsdw => self.shorten(insn, S, H, Fit::Signed),
            Vpmovsqb => self.shorten(insn, D, B, Fit::Signed),
            Vpmovsqw => self.shorten(insn, D, H, Fit::Signed),
            Vpmovsqd => self.shorten(insn, D, S, Fit::Signed),
            Vpmovuswb => self.shorten(insn, H, B, Fit::Unsigned),
            Vpmovusdb => self.shorten(insn, S, B, Fit::Unsigned),
            Vpmovusdw => self.shorten(insn, S, H, Fit::Unsigned),
            Vpmovusqb => self.shorten(insn, D, B, Fit::Unsigned),
            Vpmovusqw => self.shorten(insn, D, H, Fit::Unsigned),
            Vpmovusqd => self.shorten(insn, D, S, Fit::Unsigned),
            Cvtps2pd | Vcvtps2pd => self.widening(insn, S, D, |t, r, v| {
                let fp = t.fp(Shape::new(S, 2), r);
                t.b.fcvt(Op::FCvt, Type::V128, fp, D, v, 0)
            }),
            Vcvtph2ps => self.widening(insn, H, S, |t, r, v| {
                let mut fp = t.fp(Shape::new(H, 4), r);
                (fp.rules.flush_in, fp.rules.flush_out) = (false, false);
                t.b.fcvt(Op::FCvt, Type::V128, fp, S, v, 0)
            }),
            Cvtdq2pd | Vcvtdq2pd => self.widening(insn, S, D, |t, r, v| integer_lanes(t, r, v, Op::VWidenS)),
            Vcvtudq2pd => self.widening(insn, S, D, |t, r, v| integer_lanes(t, r, v, Op::VWidenU)),
            Vcvtps2qq => self.widening(insn, S, D, |t, r, v| to_long(t, r, v, true)),
            Vcvtps2uqq => self.widening(insn, S, D, |t, r, v| to_long(t, r, v, false)),
            Vcvttps2qq => self.widening(insn, S, D, |t, _, v| to_long(t, Round::Zero, v, true)),
            Vcvttps2uqq => self.widening(insn, S, D, |t, _, v| to_long(t, Round::Zero, v, false)),
            Cvtpd2ps | Vcvtpd2ps => self.narrowing(insn, |t, r, v| {
                let fp = t.fp(full(D), r);
                t.b.fcvt(Op::FCvt, Type::V128, fp, S, v, 0)
            }),
            Cvtpd2dq | Vcvtpd2dq => self.narrowing(insn, |t, r, v| to_int(t, r, v, Op::VFToS)),
            Cvttpd2dq | Vcvttpd2dq => self.narrowing(insn, |t, _, v| to_int(t, Round::Zero, v, Op::VFToS)),
            Vcvtpd2udq => self.narrowing(insn, |t, r, v| to_int(t, r, v, Op::VFToU)),
            Vcvttpd2udq => self.narrowing(insn, |t, _, v| to_int(t, Round::Zero, v, Op::VFToU)),
            Vcvtqq2ps => self.narrowing(insn, |t, r, v| long_to_single(t, r, v, true)),
            Vcvtuqq2ps => self.narrowing(insn, |t, r, v| long_to_single(t, r, v, false)),
            Vcvtps2ph => self.half_from_single(insn),
            Vcvtneps2bf16 => self.bfloat_from_single(insn),
            Vcvtne2ps2bf16 => self.pair_to_bfloat(insn),
            _ => return None,
        }
        Some(Flow::Next)
    }

    /// The parts of a source from which lanes `to` of each result chunk are made, in the low bytes.
    fn parts(
        &mut self,
        insn: &Instruction,
        from: Size,
        to: Size,
        chunks: u32,
        mask: Option<Mask>,
    ) -> Vec<Val> {
        let each = 16 * from.bytes() as u32 / to.bytes() as u32;
        if insn.op_kind(1) == OpKind::Register {
            let n = number(insn.op_register(1));
            return (0..chunks)
                .map(|c| {
                    let v = self.chunk(n, c * each / 16);
                    let at = c * each % 16;
                    if at == 0 {
                        v
                    } else {
                        let zero = self.vzero();
                        self.b.vop(Op::VExt, full(B), &[v, zero], u64::from(at))
                    }
                })
                .collect();
        }
        if insn.is_broadcast() {
            return self.source(insn, 1, from, chunks, false, mask);
        }
        let ea = self.ea(insn);
        (0..chunks)
            .map(|c| match mask {
                Some(m) => {
                    let bits = self.chunk_bits(m.k, to, c);
                    self.masked_load(ea, c * each, from, bits)
                }
                None => {
                    let size = Size::from_log2(each.trailing_zeros()).unwrap_or(Q);
                    self.vload(size, ea, c * each, false)
                }
            })
            .collect()
    }

    fn extend(&mut self, insn: &Instruction, from: Size, to: Size, op: Op) {
        let mask = self.write_mask(insn);
        let chunks = chunks_of(insn.op0_register());
        let parts = self.parts(insn, from, to, chunks, mask);
        let mut results = Vec::new();
        for mut v in parts {
            let mut lane = from;
            while lane != to {
                lane = Size::from_log2(lane as u32 + 1).unwrap_or(to);
                v = self.b.vop(op, full(lane), &[v], 0);
            }
            results.push(v);
        }
        self.write_result(insn, to, results);
    }

    /// Source lanes that are masked off become zero: no conversion raises anything for it.
    fn only(&mut self, mask: Option<Mask>, lane: Size, part: u32, v: Val) -> Val {
        let Some(m) = mask else { return v };
        let on = self.lane_mask(m.k, lane, part);
        self.b.vop(Op::VAnd, full(lane), &[v, on], 0)
    }

    fn widening(&mut self, insn: &Instruction, from: Size, to: Size, f: fn(&mut Tr<'_>, Round, Val) -> Val) {
        let mask = self.write_mask(insn);
        let chunks = chunks_of(insn.op0_register());
        let parts = self.parts(insn, from, to, chunks, mask);
        let scope = self.fp_begin(insn);
        let round = Self::rounding(insn);
        let lanes = u64::from(full(to).lanes);
        let mut results = Vec::new();
        for (c, mut v) in parts.into_iter().enumerate() {
            if let Some(m) = mask {
                let shape = Shape::new(from, lanes as u8);
                let attr = ir::Attr::Vec(shape);
                let on = self.b.push(Op::VFromMask, Type::V128, attr, &[m.k], c as u64 * lanes);
                v = self.b.vop(Op::VAnd, full(from), &[v, on], 0);
            }
            results.push(f(self, round, v));
        }
        self.fp_end(scope);
        self.write_result(insn, to, results);
    }

    /// Lanes of 64 bits to lanes of 32: two source chunks make one.
    fn narrowing(&mut self, insn: &Instruction, f: fn(&mut Tr<'_>, Round, Val) -> Val) {
        let mask = self.write_mask(insn);
        let dst = insn.op0_register();
        let chunks = if insn.op_kind(1) == OpKind::Register {
            chunks_of(insn.op_register(1))
        } else if insn.is_broadcast() {
            // The size of what the element is repeated to.
            broadcast_chunks(insn)
        } else {
            (insn.memory_size().size() as u32 / 16).max(1)
        };
        let sources = self.source(insn, 1, D, chunks, false, mask);
        let scope = self.fp_begin(insn);
        let round = Self::rounding(insn);
        let mut halves = Vec::new();
        for (c, v) in sources.into_iter().enumerate() {
            let v = self.only(mask, D, c as u32, v);
            halves.push(f(self, round, v));
        }
        self.fp_end(scope);
        let results = self.joined(&halves);
        let results = self.masked_narrow(mask, dst, S, chunks * 2, results);
        self.write_chunks(insn, dst, &results);
    }

    /// Pairs of low halves as whole chunks.
    fn joined(&mut self, halves: &[Val]) -> Vec<Val> {
        halves
            .chunks(2)
            .map(|p| match *p {
                [lo, hi] => self.b.vop(Op::VZip1, full(D), &[lo, hi], 0),
                _ => p[0],
            })
            .collect()
    }

    /// A write mask over a result whose lanes beyond the first `lanes` are zero.
    fn masked_narrow(
        &mut self,
        mask: Option<Mask>,
        dst: iced_x86::Register,
        lane: Size,
        lanes: u32,
        chunks: Vec<Val>,
    ) -> Vec<Val> {
        let whole = u32::from(full(lane).lanes);
        let mut chunks = self.masked(mask, dst, lane, chunks);
        if let (Some(m), true) = (mask, lanes < whole)
            && !m.zeroing
        {
            chunks[0] = self.b.vop(Op::VLow, Shape::new(lane, lanes as u8), &[chunks[0]], 0);
        }
        chunks
    }

    fn half_from_single(&mut self, insn: &Instruction) {
        let mask = self.write_mask(insn);
        let n = number(insn.op1_register());
        let chunks = chunks_of(insn.op1_register());
        let scope = self.fp_begin(insn);
        let round = match imm8(insn) & 7 {
            0 => Round::Nearest,
            1 => Round::Down,
            2 => Round::Up,
            3 => Round::Zero,
            _ => Round::Dynamic,
        };
        let mut halves = Vec::new();
        for c in 0..chunks {
            let v = self.chunk(n, c);
            let v = self.only(mask, S, c, v);
            let mut fp = self.fp(full(S), round);
            fp.rules.flush_out = false;
            halves.push(self.b.fcvt(Op::FCvt, Type::V128, fp, H, v, 0));
        }
        if insn.op0_kind() == OpKind::Memory {
            // The access comes before the exceptions of a store that would not happen; both are before any write.
            self.fp_end(scope);
            let ea = self.ea(insn);
            self.store_halves(ea, H, 4, mask, &halves);
            return;
        }
        self.fp_end(scope);
        let results = self.joined(&halves);
        let results = self.masked_narrow(mask, insn.op0_register(), H, chunks * 4, results);
        self.write_chunks(insn, insn.op0_register(), &results);
    }

    /// Stores the low `lanes` of each of `parts`, one behind the other.
    fn store_halves(
        &mut self,
        ea: crate::operand::Ea,
        lane: Size,
        lanes: u32,
        mask: Option<Mask>,
        parts: &[Val],
    ) {
        let bytes = lane.bytes() as u32 * lanes;
        if parts.len() > 1 {
            let k = match mask {
                Some(m) => m.k,
                None => self.b.const64(u64::MAX),
            };
            self.probe_store(ea, lane, lanes * parts.len() as u32, k);
        }
        for (c, &v) in parts.iter().enumerate() {
            let c = c as u32;
            match mask {
                None => {
                    let size = Size::from_log2(bytes.trailing_zeros()).unwrap_or(Q);
                    self.vstore(size, ea, c * bytes, false, v);
                }
                Some(m) => {
                    let bits = self.b.ubfx(m.k, c * lanes, lanes);
                    self.store_lanes(ea, c * bytes, lane, v, bits);
                }
            }
        }
    }

    fn shorten(&mut self, insn: &Instruction, from: Size, to: Size, fit: Fit) {
        let mask = self.write_mask(insn);
        let n = number(insn.op1_register());
        let chunks = chunks_of(insn.op1_register());
        let word = (from as u64) | (to as u64) << 4 | (fit as u64) << 8;
        let lanes = u32::from(full(from).lanes);
        let parts: Vec<Val> = (0..chunks)
            .map(|c| {
                let v = self.chunk(n, c);
                match (fit, to as u32 + 1 == from as u32) {
                    (Fit::Cut, true) => self.b.vop(Op::VNarrow, Shape::new(to, lanes as u8), &[v], 0),
                    _ => self.call_pure(helpers::NARROW, &[v], word),
                }
            })
            .collect();
        if insn.op0_kind() == OpKind::Memory {
            let ea = self.ea(insn);
            self.store_halves(ea, to, lanes, mask, &parts);
            return;
        }
        // Parts of 8, 4 or 2 bytes, put together.
        let bytes = lanes * to.bytes() as u32;
        let mut results: Vec<Val> = Vec::new();
        for (c, &p) in parts.iter().enumerate() {
            let at = c as u32 * bytes;
            if at.is_multiple_of(16) {
                results.push(p);
                continue;
            }
            let last = results.len() - 1;
            let unit = Size::from_log2(bytes.trailing_zeros()).unwrap_or(D);
            let lane = u64::from(at % 16 / bytes);
            results[last] = self.b.vop(Op::VInsLane, full(unit), &[results[last], p], lane);
        }
        let dst = insn.op0_register();
        let results = self.masked_narrow(mask, dst, to, chunks * lanes, results);
        self.write_chunks(insn, dst, &results);
    }

    fn bfloat_from_single(&mut self, insn: &Instruction) {
        let mask = self.write_mask(insn);
        let chunks = if insn.op_kind(1) == OpKind::Register {
            chunks_of(insn.op_register(1))
        } else if insn.is_broadcast() {
            broadcast_chunks(insn)
        } else {
            (insn.memory_size().size() as u32 / 16).max(1)
        };
        let sources = self.source(insn, 1, S, chunks, false, mask);
        let halves: Vec<Val> =
            sources.into_iter().map(|v| self.call_pure(helpers::TO_BF16, &[v], 0)).collect();
        let results = self.joined(&halves);
        let dst = insn.op0_register();
        let results = self.masked_narrow(mask, dst, H, chunks * 4, results);
        self.write_chunks(insn, dst, &results);
    }

    fn pair_to_bfloat(&mut self, insn: &Instruction) {
        let chunks = chunks_of(insn.op0_register());
        // Memory is not masked: a result lane is not made from the source lane of its number.
        let a = self.source(insn, 1, S, chunks, false, None);
        let b = self.source(insn, 2, S, chunks, false, None);
        let all: Vec<Val> = b.into_iter().chain(a).collect();
        let halves: Vec<Val> = all.into_iter().map(|v| self.call_pure(helpers::TO_BF16, &[v], 0)).collect();
        let results = self.joined(&halves);
        self.write_result(insn, H, results);
    }
}

/// Chunks of the vector that a broadcast memory operand stands for.
pub(super) fn broadcast_chunks(insn: &Instruction) -> u32 {
    let m = format!("{:?}", insn.memory_size());
    if m.starts_with("Broadcast128") {
        1
    } else if m.starts_with("Broadcast256") {
        2
    } else {
        4
    }
}

pub(super) fn integer_lanes(t: &mut Tr<'_>, round: Round, v: Val, widen: Op) -> Val {
    let wide = t.b.vop(widen, full(D), &[v], 0);
    let fp = t.fp(full(D), round);
    t.b.fcvt(Op::VSToF, Type::V128, fp, D, wide, 0)
}

pub(super) fn to_int(t: &mut Tr<'_>, round: Round, v: Val, op: Op) -> Val {
    let fp = t.fp(full(D), round);
    t.b.fcvt(op, Type::V128, fp, S, v, 0)
}

fn to_long(t: &mut Tr<'_>, round: Round, v: Val, signed: bool) -> Val {
    let word = t.fp_word(Shape::new(S, 2), round) | u64::from(signed);
    t.call_pure(helpers::SINGLE_TO_LONG, &[v], word)
}

fn long_to_single(t: &mut Tr<'_>, round: Round, v: Val, signed: bool) -> Val {
    let word = t.fp_word(full(D), round) | u64::from(signed);
    t.call_pure(helpers::LONG_TO_SINGLE, &[v], word)
}
