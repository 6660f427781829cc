//! Vector operands: registers as chunks of 128 bits, memory, masks; the one place of each encoding's way to write a result.

use super::helpers;
use crate::cpu::{self, MODE_DAZ, MODE_FZ, MODE_SSE_UNMASKED};
use crate::features::Feature;
use crate::operand::Ea;
use crate::trans::Tr;
use iced_x86::{EncodingKind, Instruction, OpKind, Register, RoundingControl};
use ir::{Attr, Fp, FpRules, Mem, NanRule, Op, Round, Shape, Size, SlotId, Type, Val};

/// The slot of chunk `c` of vector register `n`.
pub(super) fn chunk_slot(n: u32, c: u32) -> SlotId {
    match c {
        0 => cpu::xmm(n),
        1 => cpu::ymm_high(n),
        c => cpu::zmm_high(n, c - 2),
    }
}

/// Chunks of a vector register.
pub(super) fn chunks_of(r: Register) -> u32 {
    (r.size() as u32 / 16).max(1)
}

/// The number of a vector or mask register.
pub(super) fn number(r: Register) -> u32 {
    r.number() as u32
}

/// Operands that are not immediates.
pub(super) fn real_operands(insn: &Instruction) -> u32 {
    let immediate = |k: OpKind| {
        matches!(
            k,
            OpKind::Immediate8
                | OpKind::Immediate8_2nd
                | OpKind::Immediate16
                | OpKind::Immediate32
                | OpKind::Immediate64
                | OpKind::Immediate8to16
                | OpKind::Immediate8to32
                | OpKind::Immediate8to64
                | OpKind::Immediate32to64
        )
    };
    (0..insn.op_count()).take_while(|&n| !immediate(insn.op_kind(n))).count() as u32
}

/// The first immediate.
pub(super) fn imm8(insn: &Instruction) -> u8 {
    let n = real_operands(insn);
    if n < insn.op_count() { insn.immediate(n) as u8 } else { 0 }
}

/// Whether this is a legacy SSE form.
pub(super) fn is_legacy(insn: &Instruction) -> bool {
    insn.encoding() == EncodingKind::Legacy
}

/// All 16 bytes in lanes of this size.
pub(super) fn full(lane: Size) -> Shape {
    Shape::full(lane, true)
}

/// A write mask in force.
#[derive(Clone, Copy)]
pub(super) struct Mask {
    /// The mask register's value.
    pub k: Val,
    /// Lanes that are not written become zero, else they stay.
    pub zeroing: bool,
}

/// What a floating-point instruction has to do to the flags behind it.
#[derive(Clone, Copy)]
pub(super) enum FpScope {
    /// Nothing.
    Plain,
    /// These are the flags again: the instruction suppresses exceptions.
    Quiet(Val),
    /// These are added, after a look for unmasked exceptions.
    Checked(Val),
}

impl Tr<'_> {
    /// Rules of floating point under the block's mode.
    pub(super) fn fp_rules(&self) -> FpRules {
        FpRules {
            nan: NanRule::X86,
            tiny_before: false,
            flush_in: self.mode & MODE_DAZ != 0,
            flush_out: self.mode & MODE_FZ != 0,
            flush_half: false,
            alternate: false,
        }
    }

    /// The attribute of an operation on these lanes.
    pub(super) fn fp(&self, shape: Shape, round: Round) -> Fp {
        Fp { shape, round, rules: self.fp_rules() }
    }

    /// The rounding an instruction asks for.
    pub(super) fn rounding(insn: &Instruction) -> Round {
        match insn.rounding_control() {
            RoundingControl::RoundToNearest => Round::Nearest,
            RoundingControl::RoundDown => Round::Down,
            RoundingControl::RoundUp => Round::Up,
            RoundingControl::RoundTowardZero => Round::Zero,
            RoundingControl::None => Round::Dynamic,
        }
    }

    fn get_fp_flags(&mut self) -> Val {
        self.b.push(Op::GetFpFlags, Type::I32, Attr::None, &[], 1)
    }
    /// Replaces the sticky flags.
    pub(super) fn set_fp_flags(&mut self, v: Val) {
        self.b.push(Op::SetFpFlags, Type::Void, Attr::None, &[v], 0);
    }
    /// The sticky flags in the IR's form.
    pub(super) fn fp_flags(&mut self) -> Val {
        self.get_fp_flags()
    }

    /// Before the operations of a floating-point instruction.
    pub(super) fn fp_begin(&mut self, insn: &Instruction) -> FpScope {
        if insn.suppress_all_exceptions() || insn.rounding_control() != RoundingControl::None {
            return FpScope::Quiet(self.get_fp_flags());
        }
        if self.mode & MODE_SSE_UNMASKED == 0 {
            return FpScope::Plain;
        }
        let old = self.get_fp_flags();
        let none = self.b.const32(0);
        self.set_fp_flags(none);
        FpScope::Checked(old)
    }

    /// After them and before anything is written.
    pub(super) fn fp_end(&mut self, scope: FpScope) {
        match scope {
            FpScope::Plain => {}
            FpScope::Quiet(old) => self.set_fp_flags(old),
            FpScope::Checked(old) => {
                let new = self.get_fp_flags();
                let mxcsr = self.get32(cpu::MXCSR);
                // Where the instruction stops, the flags are what the helper leaves.
                let none = self.b.const32(0);
                self.set_fp_flags(none);
                let all = self.call(helpers::id(helpers::CHECK_EXCEPTIONS), Type::I32, &[new, old, mxcsr]);
                self.set_fp_flags(all);
            }
        }
    }

    /// The mask an EVEX instruction names.
    pub(super) fn write_mask(&mut self, insn: &Instruction) -> Option<Mask> {
        let r = insn.op_mask();
        (r != Register::None)
            .then(|| Mask { k: self.b.get(cpu::k(number(r)), Type::I64), zeroing: insn.zeroing_masking() })
    }

    /// The mask of chunk `c` as a vector.
    pub(super) fn lane_mask(&mut self, k: Val, lane: Size, c: u32) -> Val {
        let shape = full(lane);
        self.b.push(Op::VFromMask, Type::V128, Attr::Vec(shape), &[k], u64::from(c) * u64::from(shape.lanes))
    }

    /// A chunk of a register.
    pub(super) fn chunk(&mut self, n: u32, c: u32) -> Val {
        self.b.get(chunk_slot(n, c), Type::V128)
    }

    /// A vector of zeros.
    pub(super) fn vzero(&mut self) -> Val {
        self.b.vconst(0, true)
    }

    /// Loads `size` at `ea` + `disp` into the low bytes of a vector.
    pub(super) fn vload(&mut self, size: Size, ea: Ea, disp: u32, aligned: bool) -> Val {
        let mut mem = Mem::plain(size).scaled(ea.scale);
        if aligned {
            mem = mem.natural();
        }
        self.b.load(Type::V128, mem, ea.base, ea.index, ea.disp + i64::from(disp))
    }

    /// Stores the low `size` of a vector there.
    pub(super) fn vstore(&mut self, size: Size, ea: Ea, disp: u32, aligned: bool, v: Val) {
        let mut mem = Mem::plain(size).scaled(ea.scale);
        if aligned {
            mem = mem.natural();
        }
        self.b.store(mem, ea.base, ea.index, ea.disp + i64::from(disp), v);
    }

    /// Loads the elements of a chunk whose mask bits are set; others are zero and not touched. `bits`: the mask, from bit 0, no
    /// others set.
    pub(super) fn masked_load(&mut self, ea: Ea, disp: u32, lane: Size, bits: Val) -> Val {
        let disp = (ea.disp + i64::from(disp)) as u64;
        let attr = Attr::Mem(Mem::plain(lane).scaled(ea.scale));
        self.b.push(Op::VLoadMask, Type::V128, attr, &[ea.base, ea.index, bits], disp)
    }

    /// Stores the elements of a chunk whose mask bits are set.
    pub(super) fn store_lanes(&mut self, ea: Ea, disp: u32, lane: Size, v: Val, bits: Val) {
        let disp = (ea.disp + i64::from(disp)) as u64;
        let attr = Attr::Mem(Mem::plain(lane).scaled(ea.scale));
        self.b.push(Op::VStoreMask, Type::Void, attr, &[ea.base, ea.index, v, bits], disp);
    }

    /// The mask's bits for chunk `c`, from bit 0.
    pub(super) fn chunk_bits(&mut self, k: Val, lane: Size, c: u32) -> Val {
        let n = u32::from(full(lane).lanes);
        self.b.ubfx(k, n * c, n)
    }

    /// 1 if any of the mask's low `lanes` bits is set.
    fn any_bit(&mut self, k: Val, lanes: u32) -> Val {
        let low = if lanes >= 64 { k } else { self.b.ubfx(k, 0, lanes) };
        let zero = self.b.const64(0);
        let diff = self.b.sub(low, zero);
        let f = self.b.flags_of(diff);
        self.b.setcc(Type::I64, ir::Cc::Ne, f)
    }

    /// The chunks of source operand `n` of an instruction whose lanes are `lane` wide. A scalar one has one lane; `mask` suppresses
    /// accesses.
    pub(super) fn source(
        &mut self,
        insn: &Instruction,
        n: u32,
        lane: Size,
        chunks: u32,
        scalar: bool,
        mask: Option<Mask>,
    ) -> Vec<Val> {
        if insn.op_kind(n) == OpKind::Register {
            let r = number(insn.op_register(n));
            return (0..chunks).map(|c| self.chunk(r, c)).collect();
        }
        let ea = self.ea(insn);
        if insn.is_broadcast() {
            // An element is not always as wide as a lane of the result.
            let bytes = insn.memory_size().size() as u32;
            let unit = Size::from_log2(bytes.trailing_zeros()).unwrap_or(lane);
            let v = match mask {
                None => self.vload(unit, ea, 0, false),
                Some(m) => {
                    let any = self.any_bit(m.k, chunks * u32::from(full(lane).lanes));
                    self.masked_load(ea, 0, unit, any)
                }
            };
            let v = self.b.vop(Op::VDupLane, full(unit), &[v], 0);
            return vec![v; chunks as usize];
        }
        if scalar {
            return vec![match mask {
                None => self.vload(lane, ea, 0, false),
                Some(m) => {
                    let bit = self.b.ubfx(m.k, 0, 1);
                    self.masked_load(ea, 0, lane, bit)
                }
            }];
        }
        let aligned = is_legacy(insn) && !self.unaligned_allowed(insn);
        (0..chunks)
            .map(|c| match mask {
                None => self.vload(Size::Q, ea, 16 * c, aligned),
                Some(m) => {
                    let bits = self.chunk_bits(m.k, lane, c);
                    self.masked_load(ea, 16 * c, lane, bits)
                }
            })
            .collect()
    }

    /// Legacy instructions whose 16-byte operand may be anywhere.
    fn unaligned_allowed(&self, insn: &Instruction) -> bool {
        use iced_x86::Mnemonic as M;
        matches!(
            insn.mnemonic(),
            M::Movups
                | M::Movupd
                | M::Movdqu
                | M::Lddqu
                | M::Pcmpestri
                | M::Pcmpestrm
                | M::Pcmpistri
                | M::Pcmpistrm
        )
    }

    /// Writes chunks to a vector register: what is above stays in legacy forms and becomes zero in the others.
    pub(super) fn write_chunks(&mut self, insn: &Instruction, r: Register, chunks: &[Val]) {
        let n = number(r);
        for (c, &v) in chunks.iter().enumerate() {
            self.b.set(chunk_slot(n, c as u32), v);
        }
        if is_legacy(insn) {
            return;
        }
        self.clear_above(n, chunks.len() as u32);
    }

    /// Clears a register from chunk `from` on.
    pub(super) fn clear_above(&mut self, n: u32, from: u32) {
        let have = if self.has(Feature::Avx512f) {
            4
        } else if self.has(Feature::Avx) {
            2
        } else {
            1
        };
        if from < have {
            let zero = self.vzero();
            for c in from..have {
                self.b.set(chunk_slot(n, c), zero);
            }
        }
    }

    /// Applies a write mask to a result.
    pub(super) fn masked(
        &mut self,
        mask: Option<Mask>,
        r: Register,
        lane: Size,
        chunks: Vec<Val>,
    ) -> Vec<Val> {
        let Some(mask) = mask else { return chunks };
        let n = number(r);
        let mut out = Vec::with_capacity(chunks.len());
        for (c, v) in chunks.into_iter().enumerate() {
            let c = c as u32;
            let m = self.lane_mask(mask.k, lane, c);
            out.push(if mask.zeroing {
                self.b.vop(Op::VAnd, full(lane), &[v, m], 0)
            } else {
                let old = self.chunk(n, c);
                self.b.vop(Op::VBsl, full(lane), &[m, v, old], 0)
            });
        }
        out
    }

    /// Writes a result to operand 0 under the instruction's mask.
    pub(super) fn write_result(&mut self, insn: &Instruction, lane: Size, chunks: Vec<Val>) {
        let mask = self.write_mask(insn);
        let r = insn.op0_register();
        let chunks = self.masked(mask, r, lane, chunks);
        self.write_chunks(insn, r, &chunks);
    }
}
