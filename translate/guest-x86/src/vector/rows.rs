//! What runs a row of the table: sources, the operation chunk by chunk, write-back.

use super::helpers;
use super::operand::{Mask, chunks_of, full, imm8, is_legacy, number, real_operands};
use crate::trans::{Flow, Tr};
use iced_x86::{Instruction, OpKind, Register};
use ir::{Attr, Op, Round, Shape, Size, Type, Val};

/// What an operation's function may look at.
pub(super) struct Cx {
    /// The immediate.
    pub imm: u8,
    /// A legacy SSE form.
    pub legacy: bool,
    /// Which chunk.
    pub chunk: u32,
    /// Lane size of the row.
    pub lane: Size,
    /// Active lanes: all of a chunk, or one.
    pub shape: Shape,
    /// Rounding.
    pub round: Round,
}

/// A function that makes one chunk of the result.
pub(super) type Make = fn(&mut Tr<'_>, &Cx, &[Val]) -> Val;

/// The operation of a row.
#[derive(Clone, Copy)]
pub(super) enum Emit {
    /// An operation on integer lanes, with its immediate.
    Op(Op, u64),
    /// The same with the two sources exchanged.
    Swap(Op),
    /// An operation on floating-point lanes, with its immediate.
    Fp(Op, u64),
    /// A fused multiply-add: which sources are the addend and the two factors, and its immediate.
    Fused([u8; 3], u64),
    /// Anything.
    F(Make),
    /// A pure helper of the sources and the immediate.
    Call(u16),
    /// A helper of the sources that uses the floating-point environment; the fourth argument packs immediate and environment.
    FpCall(u16),
}

/// A row.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// Number of sources.
    pub n: u32,
    /// Size of a lane.
    pub lane: Size,
    /// What to do.
    pub emit: Emit,
    /// One lane; the rest comes from the operand before the last source (or the destination).
    pub scalar: bool,
    /// The second source is a count in an XMM register or 16 bytes of memory.
    pub count: bool,
    /// Result is a mask register's worth of lane masks.
    pub to_mask: bool,
    /// Raises floating-point exceptions.
    pub fp: bool,
    /// Memory is read whole, whatever the mask is: result lanes come from other lanes.
    pub whole: bool,
}

impl Row {
    pub fn new(n: u32, lane: Size, emit: Emit) -> Row {
        let fp = matches!(emit, Emit::Fp(..) | Emit::Fused(..) | Emit::FpCall(_));
        Row { n, lane, emit, scalar: false, count: false, to_mask: false, fp, whole: false }
    }
    pub fn scalar(self) -> Row {
        Row { scalar: true, ..self }
    }
    pub fn count(self) -> Row {
        Row { count: true, ..self }
    }
    pub fn mask(self) -> Row {
        Row { to_mask: true, ..self }
    }
    pub fn whole(self) -> Row {
        Row { whole: true, ..self }
    }
    pub fn fp(self) -> Row {
        Row { fp: true, ..self }
    }
}

/// The number of a rounding mode in a helper's packed argument.
pub(super) fn round_number(r: Round) -> u64 {
    match r {
        Round::Nearest => 0,
        Round::Up => 1,
        Round::Down => 2,
        Round::Zero => 3,
        _ => 7,
    }
}

impl Tr<'_> {
    /// Translates an instruction by its row.
    pub(super) fn vector_row(&mut self, insn: &Instruction, row: &Row) -> Flow {
        let real = real_operands(insn);
        let lane = row.lane;
        let first = real - row.n;
        let mask = self.write_mask(insn);
        let chunks = if row.scalar {
            1
        } else {
            (0..real)
                .filter(|&i| insn.op_kind(i) == OpKind::Register)
                .map(|i| chunks_of(insn.op_register(i)))
                .max()
                .unwrap_or(1)
        };
        let chunks =
            if row.to_mask && !row.scalar { self.compared_chunks(insn, real, chunks) } else { chunks };
        let read = if row.whole { None } else { mask };
        let sources: Vec<Vec<Val>> = (0..row.n)
            .map(|i| {
                if row.count && i == 1 {
                    self.count_source(insn, first + i, chunks)
                } else {
                    self.source(insn, first + i, lane, chunks, row.scalar, read)
                }
            })
            .collect();
        let scope = if row.fp { Some(self.fp_begin(insn)) } else { None };
        let shape = if row.scalar { Shape::scalar(lane) } else { full(lane) };
        let mut results = Vec::with_capacity(chunks as usize);
        for c in 0..chunks {
            let mut args: Vec<Val> = sources.iter().map(|s| s[c as usize]).collect();
            if let (true, Some(m)) = (row.fp, mask) {
                self.defuse(row, &mut args, m, lane, c);
            }
            let cx = Cx {
                imm: imm8(insn),
                legacy: is_legacy(insn),
                chunk: c,
                lane,
                shape,
                round: Self::rounding(insn),
            };
            results.push(self.make(row, &cx, &args));
        }
        if let Some(scope) = scope {
            self.fp_end(scope);
        }
        if row.to_mask {
            self.write_lane_masks(insn, shape, mask, &results);
            return Flow::Next;
        }
        let dst = insn.op0_register();
        if row.scalar {
            let keeps = matches!(row.emit, Emit::Fp(_, 1)) && row.n == 2;
            let r = results[0];
            let r = match mask {
                Some(m) => self.masked_scalar(m, dst, lane, r),
                None => r,
            };
            if !(keeps && mask.is_none()) {
                // The operand that the upper part comes from.
                let upper = if matches!(row.emit, Emit::Fused(..)) || is_legacy(insn) { 0 } else { 1 };
                let upper = self.chunk(number(insn.op_register(upper)), 0);
                let whole = self.b.vop(Op::VInsLane, Shape::scalar(lane), &[upper, r], 0);
                self.write_chunks(insn, dst, &[whole]);
            } else {
                self.write_chunks(insn, dst, &[r]);
            }
            return Flow::Next;
        }
        let results = self.masked(mask, dst, lane, results);
        self.write_chunks(insn, dst, &results);
        Flow::Next
    }

    /// Chunks of an instruction whose only vector may be in memory.
    fn compared_chunks(&self, insn: &Instruction, real: u32, chunks: u32) -> u32 {
        let vectors = (0..real).any(|i| {
            let r = insn.op_register(i);
            insn.op_kind(i) == OpKind::Register && (r.is_xmm() || r.is_ymm() || r.is_zmm())
        });
        if vectors {
            chunks
        } else if insn.is_broadcast() {
            super::convert::broadcast_chunks(insn)
        } else {
            (insn.memory_size().size() as u32 / 16).max(1)
        }
    }

    /// Lane 0 under a mask.
    pub(super) fn masked_scalar(&mut self, m: Mask, dst: Register, lane: Size, r: Val) -> Val {
        let v = self.lane_mask(m.k, lane, 0);
        if m.zeroing {
            self.b.vop(Op::VAnd, full(lane), &[r, v], 0)
        } else {
            let old = self.chunk(number(dst), 0);
            self.b.vop(Op::VBsl, full(lane), &[v, r, old], 0)
        }
    }

    /// Lanes that are masked off become ones, on which no operation raises anything.
    fn defuse(&mut self, row: &Row, args: &mut [Val], m: Mask, lane: Size, c: u32) {
        let v = self.lane_mask(m.k, lane, c);
        let one = match lane {
            // Only of quiet NaNs can fix-ups not raise anything.
            _ if matches!(row.emit, Emit::FpCall(helpers::FIXUP)) => u64::MAX,
            Size::H => 0x3c00_3c00_3c00_3c00,
            Size::S => 0x3f80_0000_3f80_0000,
            _ => 0x3ff0_0000_0000_0000,
        };
        let one = self.b.vconst(one, true);
        for a in args {
            *a = self.b.vop(Op::VBsl, full(lane), &[v, *a, one], 0);
        }
    }

    fn count_source(&mut self, insn: &Instruction, n: u32, chunks: u32) -> Vec<Val> {
        let v = if insn.op_kind(n) == OpKind::Register {
            self.chunk(number(insn.op_register(n)), 0)
        } else {
            let ea = self.ea(insn);
            self.vload(Size::Q, ea, 0, is_legacy(insn))
        };
        vec![v; chunks as usize]
    }

    /// One chunk of a row's result.
    pub(super) fn make(&mut self, row: &Row, cx: &Cx, args: &[Val]) -> Val {
        match row.emit {
            Emit::Op(op, imm) => self.b.vop(op, full(cx.lane), args, imm),
            Emit::Swap(op) => self.b.vop(op, full(cx.lane), &[args[1], args[0]], 0),
            Emit::Fp(op, imm) => {
                let fp = self.fp(cx.shape, cx.round);
                // What keeps the upper bits of its first source says so itself.
                let imm = if cx.shape.lanes > 1 && imm == 1 { 0 } else { imm };
                self.b.fop(op, fp, args, imm)
            }
            Emit::Fused(order, imm) => {
                let fp = self.fp(cx.shape, cx.round);
                let [acc, x, y] = order.map(|i| args[i as usize]);
                self.b.fop(Op::FMa, fp, &[acc, x, y], imm)
            }
            Emit::F(f) => f(self, cx, args),
            Emit::Call(id) => self.call_pure(id, args, u64::from(cx.imm)),
            Emit::FpCall(id) => {
                let env = self.fp_word(cx.shape, cx.round);
                self.call_pure(id, args, u64::from(cx.imm) | env)
            }
        }
    }

    /// Shape, rounding and flush bits for a helper, above an immediate of 8 bits.
    pub(super) fn fp_word(&self, shape: Shape, round: Round) -> u64 {
        let rules = self.fp_rules();
        (shape.lane as u64) << 8
            | u64::from(shape.lanes) << 12
            | round_number(round) << 20
            | u64::from(rules.flush_in) << 24
            | u64::from(rules.flush_out) << 25
    }

    /// Calls a helper with vector sources and a word in the fourth place.
    pub(super) fn call_pure(&mut self, id: u16, args: &[Val], word: u64) -> Val {
        let mut all = [Val::NONE; 4];
        all[..args.len()].copy_from_slice(args);
        let zero = if args.len() < 3 { Some(self.b.const64(0)) } else { None };
        for a in all.iter_mut().take(3).skip(args.len()) {
            *a = zero.unwrap_or(Val::NONE);
        }
        all[3] = self.b.const64(word);
        self.call(helpers::id(id), Type::V128, &all)
    }

    /// Writes lane masks to a mask register, the lanes that the write mask has off being zero.
    pub(super) fn write_lane_masks(
        &mut self,
        insn: &Instruction,
        shape: Shape,
        mask: Option<Mask>,
        chunks: &[Val],
    ) {
        let mut all = None;
        for (c, &v) in chunks.iter().enumerate() {
            let bits = self.b.push(Op::VMask, Type::I64, Attr::Vec(shape), &[v], 0);
            all = Some(match all {
                None => bits,
                Some(before) => {
                    let n = self.b.const64(c as u64 * u64::from(shape.lanes));
                    let up = self.b.shl(bits, n);
                    self.b.or(before, up)
                }
            });
        }
        let Some(mut k) = all else { return };
        if let Some(m) = mask {
            k = self.b.and(k, m.k);
        }
        self.b.set(crate::cpu::k(number(insn.op0_register())), k);
    }
}
