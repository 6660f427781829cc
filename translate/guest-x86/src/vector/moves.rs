//! Moves: whole registers, parts of them, non-temporal and masked stores.

use super::helpers;
use super::operand::{chunks_of, full, is_legacy, number, real_operands};
use crate::cpu;
use crate::operand::{Ea, address_bits, segment};
use crate::trans::{Flow, Tr};
use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use ir::Size::{self, B, D, H, Q, S};
use ir::{Attr, Op, Shape, Type, Val};

/// Moves of whole registers: lane size (for masks), and whether the address must be aligned.
fn whole(m: Mnemonic) -> Option<(Size, bool)> {
    use Mnemonic::*;
    Some(match m {
        Movaps | Vmovaps | Movntps | Vmovntps | Vmovdqa32 => (S, true),
        Movapd | Vmovapd | Movntpd | Vmovntpd | Vmovdqa64 => (D, true),
        Movdqa | Vmovdqa | Movntdq | Vmovntdq | Movntdqa | Vmovntdqa => (D, true),
        Movups | Vmovups | Vmovdqu32 => (S, false),
        Movupd | Vmovupd | Vmovdqu64 | Movdqu | Vmovdqu | Lddqu | Vlddqu => (D, false),
        Vmovdqu8 => (B, false),
        Vmovdqu16 => (H, false),
        _ => return None,
    })
}

impl Tr<'_> {
    /// Moves; `None` if it is none.
    pub(super) fn vector_move(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic::*;
        if let Some((lane, aligned)) = whole(insn.mnemonic()) {
            self.whole_move(insn, lane, aligned);
            return Some(Flow::Next);
        }
        let (r0, r1) = (insn.op0_register(), insn.op1_register());
        match insn.mnemonic() {
            Movd | Vmovd | Movq | Vmovq => return self.move_low(insn),
            Movss | Vmovss => self.move_scalar(insn, S),
            Movsd | Vmovsd if r0.is_xmm() || r1.is_xmm() => self.move_scalar(insn, D),
            Movlps | Movlpd | Vmovlps | Vmovlpd => self.move_half(insn, 0),
            Movhps | Movhpd | Vmovhps | Vmovhpd => self.move_half(insn, 1),
            Movhlps | Vmovhlps => self.insert_half(insn, 0, 1),
            Movlhps | Vmovlhps => self.insert_half(insn, 1, 0),
            Movddup | Vmovddup => self.duplicate(insn),
            Movmskps | Vmovmskps => self.collect(insn, S),
            Movmskpd | Vmovmskpd => self.collect(insn, D),
            Pmovmskb | Vpmovmskb if r1.is_xmm() || r1.is_ymm() => self.collect(insn, B),
            Maskmovdqu | Vmaskmovdqu => self.masked_bytes(insn),
            Vmaskmovps | Vpmaskmovd => self.move_masked(insn, S),
            Vmaskmovpd | Vpmaskmovq => self.move_masked(insn, D),
            Vzeroupper | Vzeroall => {
                let count = if self.long() { 16 } else { 8 };
                let from = u32::from(insn.mnemonic() == Vzeroupper);
                for n in 0..count {
                    self.clear_above(n, from);
                }
            }
            _ => return None,
        }
        Some(Flow::Next)
    }

    /// The address of a memory operand that has to be aligned to `bytes`: misaligned by one when it is not, so that the check
    /// of a 16-byte access finds it.
    fn aligned_ea(&mut self, ea: Ea, bytes: u32) -> Ea {
        if bytes <= 16 {
            return ea;
        }
        let addr = self.linear(ea);
        let wrong = self.b.ubfx(addr, 4, bytes.trailing_zeros() - 4);
        let base = self.b.or(addr, wrong);
        Ea { base, index: Val::NONE, scale: 0, disp: 0 }
    }

    fn whole_move(&mut self, insn: &Instruction, lane: Size, aligned: bool) {
        let mask = self.write_mask(insn);
        if insn.op0_kind() == OpKind::Register {
            let r = insn.op0_register();
            let chunks = chunks_of(r);
            let values = if insn.op1_kind() == OpKind::Register {
                let n = number(insn.op1_register());
                (0..chunks).map(|c| self.chunk(n, c)).collect()
            } else {
                let mut ea = self.ea(insn);
                if aligned {
                    ea = self.aligned_ea(ea, 16 * chunks);
                }
                (0..chunks)
                    .map(|c| match mask {
                        None => self.vload(Q, ea, 16 * c, aligned && c == 0),
                        Some(m) => {
                            let bits = self.chunk_bits(m.k, lane, c);
                            if aligned {
                                self.require_aligned(ea, bits);
                            }
                            self.masked_load(ea, 16 * c, lane, bits)
                        }
                    })
                    .collect()
            };
            let values = self.masked(mask, r, lane, values);
            self.write_chunks(insn, r, &values);
            return;
        }
        let r = insn.op1_register();
        let chunks = chunks_of(r);
        let mut ea = self.ea(insn);
        if aligned {
            ea = self.aligned_ea(ea, 16 * chunks);
        }
        let n = number(r);
        if let Some(m) = mask {
            self.masked_store(ea, lane, chunks, m.k, |t, c| t.chunk(n, c), aligned);
            return;
        }
        for i in 0..chunks {
            // From the top down: one that leaves its page then faults before anything is written.
            let c = if aligned { i } else { chunks - 1 - i };
            let v = self.chunk(n, c);
            self.vstore(Q, ea, 16 * c, aligned && c == 0, v);
        }
    }

    /// The address has to be aligned if anything is accessed.
    fn require_aligned(&mut self, ea: Ea, bits: Val) {
        let addr = self.flat(ea);
        self.call(helpers::id(helpers::CHECK_ALIGNMENT), Type::Void, &[addr, bits]);
    }

    /// Stores the elements whose bits in `k` are set.
    pub(super) fn masked_store(
        &mut self,
        ea: Ea,
        lane: Size,
        chunks: u32,
        k: Val,
        mut value: impl FnMut(&mut Self, u32) -> Val,
        aligned: bool,
    ) {
        // From the top down: one that leaves its page then faults before anything is written.
        for c in (0..chunks).rev() {
            let bits = self.chunk_bits(k, lane, c);
            if aligned {
                self.require_aligned(ea, bits);
            }
            let v = value(self, c);
            self.store_lanes(ea, 16 * c, lane, v, bits);
        }
    }

    /// The fault of a masked store that is made in parts.
    pub(super) fn probe_store(&mut self, ea: Ea, lane: Size, lanes: u32, k: Val) {
        let addr = self.flat(ea);
        let what = self.b.const32(lane as u32 | lanes << 8);
        self.call(helpers::id(helpers::PROBE_STORE), Type::Void, &[addr, k, what]);
    }

    /// movd, movq.
    fn move_low(&mut self, insn: &Instruction) -> Option<Flow> {
        let (r0, r1) = (insn.op0_register(), insn.op1_register());
        if r0.is_mm() || r1.is_mm() || !(r0.is_xmm() || r1.is_xmm()) {
            return None;
        }
        let quad = matches!(insn.mnemonic(), Mnemonic::Movq | Mnemonic::Vmovq);
        let lane = if quad { D } else { S };
        if r0.is_xmm() {
            let v = if r1.is_xmm() {
                let v = self.chunk(number(r1), 0);
                self.b.vop(Op::VLow, Shape::scalar(D), &[v], 0)
            } else if insn.op1_kind() == OpKind::Register {
                let g = self.reg_raw(r1);
                self.b.vop(Op::VDup, Shape::scalar(lane), &[g], 0)
            } else {
                let ea = self.ea(insn);
                self.vload(lane, ea, 0, false)
            };
            self.write_chunks(insn, r0, &[v]);
            return Some(Flow::Next);
        }
        let v = self.chunk(number(r1), 0);
        if insn.op0_kind() == OpKind::Register {
            let ty = if quad { Type::I64 } else { Type::I32 };
            let g = self.b.vget(ty, full(lane), false, v, 0);
            let (n, _) = crate::operand::gpr_number(r0);
            self.set_r(n, g);
        } else {
            let ea = self.ea(insn);
            self.vstore(lane, ea, 0, false, v);
        }
        Some(Flow::Next)
    }

    /// movss, movsd.
    fn move_scalar(&mut self, insn: &Instruction, lane: Size) {
        let mask = self.write_mask(insn);
        if insn.op0_kind() == OpKind::Memory {
            let n = number(insn.op1_register());
            let ea = self.ea(insn);
            match mask {
                None => {
                    let v = self.chunk(n, 0);
                    self.vstore(lane, ea, 0, false, v);
                }
                Some(m) => {
                    let bit = self.b.ubfx(m.k, 0, 1);
                    self.masked_store(ea, lane, 1, bit, |t, _| t.chunk(n, 0), false);
                }
            }
            return;
        }
        let dst = insn.op0_register();
        let real = real_operands(insn);
        if insn.op_kind(real - 1) == OpKind::Memory {
            let ea = self.ea(insn);
            let v = match mask {
                None => self.vload(lane, ea, 0, false),
                Some(m) => {
                    let bit = self.b.ubfx(m.k, 0, 1);
                    let v = self.masked_load(ea, 0, lane, bit);
                    let v = self.masked_scalar(m, dst, lane, v);
                    self.b.vop(Op::VLow, Shape::scalar(lane), &[v], 0)
                }
            };
            self.write_chunks(insn, dst, &[v]);
            return;
        }
        let mut v = self.chunk(number(insn.op_register(real - 1)), 0);
        if let Some(m) = mask {
            v = self.masked_scalar(m, dst, lane, v);
        }
        let upper = self.chunk(number(insn.op_register(real - 2)), 0);
        let v = self.b.vop(Op::VInsLane, Shape::scalar(lane), &[upper, v], 0);
        self.write_chunks(insn, dst, &[v]);
    }

    /// movlps, movhps and their like: 8 bytes of memory and one half of a register.
    fn move_half(&mut self, insn: &Instruction, half: u64) {
        let ea = self.ea(insn);
        if insn.op0_kind() == OpKind::Memory {
            let v = self.chunk(number(insn.op1_register()), 0);
            if half == 0 {
                self.vstore(D, ea, 0, false, v);
            } else {
                let g = self.b.vget(Type::I64, full(D), false, v, 1);
                self.store(64, ea, g);
            }
            return;
        }
        let v = self.vload(D, ea, 0, false);
        let real = real_operands(insn);
        let rest = self.chunk(number(insn.op_register(real - 2)), 0);
        let v = self.b.vop(Op::VInsLane, full(D), &[rest, v], half);
        self.write_chunks(insn, insn.op0_register(), &[v]);
    }

    fn insert_half(&mut self, insn: &Instruction, to: u64, from: u64) {
        let real = real_operands(insn);
        let a = self.chunk(number(insn.op_register(real - 2)), 0);
        let b = self.chunk(number(insn.op_register(real - 1)), 0);
        let v = self.b.vop(Op::VInsLane, full(D), &[a, b], to | from << 8);
        self.write_chunks(insn, insn.op0_register(), &[v]);
    }

    fn duplicate(&mut self, insn: &Instruction) {
        let dst = insn.op0_register();
        let chunks = chunks_of(dst);
        // Memory is read whatever the mask is.
        let low = insn.op1_kind() == OpKind::Memory && chunks == 1;
        let values = self.source(insn, 1, D, chunks, low, None);
        let values = values.iter().map(|&v| self.b.vop(Op::VDupLane, full(D), &[v], 0)).collect();
        self.write_result(insn, D, values);
    }

    /// Top bits of the lanes as an integer.
    pub(super) fn top_bits(&mut self, lane: Size, chunks: &[Val]) -> Val {
        let lanes = u64::from(full(lane).lanes);
        let mut all: Option<Val> = None;
        for (c, &v) in chunks.iter().enumerate() {
            let bits = self.b.push(Op::VMask, Type::I64, Attr::Vec(full(lane)), &[v], 0);
            all = Some(match all {
                None => bits,
                Some(before) => {
                    let n = self.b.const64(c as u64 * lanes);
                    let up = self.b.shl(bits, n);
                    self.b.or(before, up)
                }
            });
        }
        all.unwrap_or(Val::NONE)
    }

    fn collect(&mut self, insn: &Instruction, lane: Size) {
        let r = insn.op1_register();
        let n = number(r);
        let chunks: Vec<Val> = (0..chunks_of(r)).map(|c| self.chunk(n, c)).collect();
        let bits = self.top_bits(lane, &chunks);
        let (g, _) = crate::operand::gpr_number(insn.op0_register());
        self.set_r(g, bits);
    }

    /// Where rdi points, for maskmovdqu and maskmovq.
    pub(super) fn masked_bytes_place(&mut self, insn: &Instruction) -> Ea {
        let rdi = self.r64(cpu::RDI);
        let rdi = match insn.op0_kind() {
            OpKind::MemorySegDI => self.b.zext16(rdi),
            OpKind::MemorySegEDI => {
                let low = self.b.trunc(rdi);
                self.b.zext32(low)
            }
            _ => rdi,
        };
        let _ = address_bits(insn);
        let ea = Ea { base: rdi, index: Val::NONE, scale: 0, disp: 0 };
        self.in_segment(ea, segment(insn.memory_segment()))
    }

    /// maskmovdqu: bytes to where rdi points.
    fn masked_bytes(&mut self, insn: &Instruction) {
        let (src, sel) = (number(insn.op1_register()), number(insn.op2_register()));
        let ea = self.masked_bytes_place(insn);
        let sel = self.chunk(sel, 0);
        let k = self.top_bits(B, &[sel]);
        self.masked_store(ea, B, 1, k, |t, _| t.chunk(src, 0), false);
    }

    /// vmaskmovps and its like.
    fn move_masked(&mut self, insn: &Instruction, lane: Size) {
        let store = insn.op0_kind() == OpKind::Memory;
        let sel = insn.op1_register();
        let chunks = chunks_of(sel);
        let ea = self.ea(insn);
        let n = number(sel);
        let masks: Vec<Val> = (0..chunks).map(|c| self.chunk(n, c)).collect();
        let k = self.top_bits(lane, &masks);
        if store {
            let src = number(insn.op2_register());
            self.masked_store(ea, lane, chunks, k, |t, c| t.chunk(src, c), false);
            return;
        }
        let values: Vec<Val> = (0..chunks)
            .map(|c| {
                let bits = self.chunk_bits(k, lane, c);
                self.masked_load(ea, 16 * c, lane, bits)
            })
            .collect();
        self.write_chunks(insn, insn.op0_register(), &values);
    }

    /// Whether an operand is an MMX register: those instructions are another group's.
    pub(super) fn touches_mmx(insn: &Instruction) -> bool {
        (0..insn.op_count()).any(|n| {
            insn.op_kind(n) == OpKind::Register
                && (Register::MM0..=Register::MM7).contains(&insn.op_register(n))
        })
    }

    /// Legacy forms need an aligned operand of 16 bytes.
    pub(super) fn whole_operand(&mut self, insn: &Instruction, n: u32, aligned: bool) -> Val {
        if insn.op_kind(n) == OpKind::Register {
            return self.chunk(number(insn.op_register(n)), 0);
        }
        let ea = self.ea(insn);
        self.vload(Q, ea, 0, aligned && is_legacy(insn))
    }
}
