//! The register map: which host registers are scratch and which hold guest slots at every block boundary.
//! Input: a guest's slot table and the host's feature level; output: [`PinMap`], constant for the process.

use crate::asm::*;
use ir::state::{GUEST_OFFSET, Header};
use ir::{SlotId, SlotTable};

/// Scratch general registers: values inside a block. The back end's entries get arguments in the first two.
pub(crate) const TEMPS: [Gp; 4] = [RAX, RCX, RDX, RSI];
/// Pinned general registers, best first (the legacy ones encode shorter).
const PINS: [Gp; 10] = [RBX, RDI, R8, R9, R10, R11, R12, R13, R14, R15];
/// Scratch vector registers of the emitters, never a value's place. The third is the assembler's too.
pub(crate) const XSCRATCH: [Xmm; 4] = [Xmm(0), Xmm(1), Xmm(2), Xmm(3)];
/// Vector registers of values inside a block, low so that encodings without EVEX reach them.
pub(crate) const XTEMPS: [Xmm; 4] = [Xmm(4), Xmm(5), Xmm(6), Xmm(7)];
/// The first pinned vector register.
const XPIN: u8 = 8;

/// Displacement of the state base register from the start of the state block.
pub(crate) const BASE: i32 = GUEST_OFFSET as i32 + 128;

/// Memory operand of a header field at `offset`.
pub(crate) fn hdr(offset: usize) -> Mem {
    Mem::b(RBP, offset as i32 - BASE)
}
/// Memory operand of a runtime entry.
pub(crate) fn entry(e: ir::state::RuntimeEntry) -> Mem {
    hdr(std::mem::offset_of!(Header, entries) + 8 * e as usize)
}

/// Where the pinned slots are.
#[derive(Clone, Debug, Default)]
pub(crate) struct PinMap {
    /// Slot and register of the pinned integers.
    pub ints: Vec<(SlotId, Gp)>,
    /// Slot and register of the pinned vectors.
    pub vecs: Vec<(SlotId, Xmm)>,
    /// By slot: register of a pinned integer.
    pub int_of: Vec<Option<Gp>>,
    /// By slot: register of a pinned vector.
    pub vec_of: Vec<Option<Xmm>>,
    /// By slot: memory displacement from the state base register.
    pub disp: Vec<i32>,
}

impl PinMap {
    pub(crate) fn new(slots: &SlotTable, feat: &Features) -> PinMap {
        let ints: Vec<_> = slots.pin_int.iter().copied().zip(PINS).collect();
        let hi = if feat.evex() { 32 } else { 16 };
        let vecs: Vec<_> = slots.pin_vec.iter().copied().zip((XPIN..hi).map(Xmm)).collect();
        let n = slots.slots.len();
        let mut m = PinMap {
            int_of: vec![None; n],
            vec_of: vec![None; n],
            disp: slots.slots.iter().map(|s| s.offset as i32 - 128).collect(),
            ..PinMap::default()
        };
        for &(s, r) in &ints {
            m.int_of[s.0 as usize] = Some(r);
        }
        for &(s, r) in &vecs {
            m.vec_of[s.0 as usize] = Some(r);
        }
        m.ints = ints;
        m.vecs = vecs;
        m
    }
    /// Memory operand of a slot.
    pub(crate) fn mem(&self, s: SlotId) -> Mem {
        Mem::b(RBP, self.disp[s.0 as usize])
    }
}
