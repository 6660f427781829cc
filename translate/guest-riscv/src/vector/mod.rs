//! Vectors: state, vtype, mode bits, and the translation of what has no inline form into a call of the element-exact helper.
//!
//! In: a decoded vector instruction and the mode bits. Out: IR. `check` tells which encodings are reserved under a vtype,
//! `unit` and its parts are the definition of every instruction, element by element.
//!
//! vtype is part of the mode, as are vxrm and whether vl is at its maximum. All may be unknown to translated code: calls and
//! returns drop them, since no calling convention keeps them, so that ordinary code is translated once. A new vtype changes the
//! mode in the middle of a block: what follows stays in the region, whose own mode bits are what it was entered with. Elements past vl and masked-off
//! ones keep their values under every policy.

mod check;
mod crypto;
mod float;
mod inline;
mod inline_fixed;
mod inline_float;
mod inline_more;
mod inline_part;
mod int;
mod mem;
mod perm;
mod unit;

pub(crate) use unit::{after_fault, helper};

use crate::cpu::Feature;
use crate::decode::Vector;
use crate::helpers;
use crate::trans::{Flow, Tr};
use ir::{Attr, Cc, Op, SlotDesc, SlotId, Target, Term, Type, Val};

/// The vector length register (I64).
pub const VL: SlotId = SlotId(64);
/// The type register as read by a program, bit 63 set if it is invalid (I64).
pub const VTYPE: SlotId = SlotId(65);
/// Index of the first element to be executed (I32).
pub const VSTART: SlotId = SlotId(66);
/// Fixed-point rounding mode (I32). The saturation flag vxsat is the engine's sticky one.
pub const VXRM: SlotId = SlotId(67);
// One more for jvt: `cpu::JVT`.
const FIRST: u16 = 69;

/// The invalid bit of vtype.
pub const VILL: u64 = 1 << 63;

const VL_OFFSET: u32 = 768;
const VTYPE_OFFSET: u32 = 776;
const VSTART_OFFSET: u32 = 784;
/// Right after vstart: both are read at once.
const VXRM_OFFSET: u32 = VSTART_OFFSET + 4;
const JVT_OFFSET: u32 = 792;
/// Offset of v0 in the guest part of the state block; the others follow, each as long as the CPU's vlen says.
pub const V_OFFSET: u32 = 800;

const NAMES: [&str; 32] = [
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15",
    "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30",
    "v31",
];
const PIECES: [&str; 8] = ["", "+16", "+32", "+48", "+64", "+80", "+96", "+112"];

/// Appends the vector slots to the state table.
pub(crate) fn add_slots(slots: &mut Vec<SlotDesc>, vlen: u32) {
    let slot = |name, ty, offset| SlotDesc { name, ty, offset };
    slots.push(slot("vl", Type::I64, VL_OFFSET));
    slots.push(slot("vtype", Type::I64, VTYPE_OFFSET));
    slots.push(slot("vstart", Type::I32, VSTART_OFFSET));
    slots.push(slot("vxrm", Type::I32, VXRM_OFFSET));
    slots.push(slot("jvt", Type::I64, JVT_OFFSET));
    debug_assert_eq!(slots.len(), FIRST as usize);
    for n in 0..32 * vlen / 128 {
        // Narrow registers share a slot.
        let (reg, piece) = (n * 128 / vlen, (128 * n % vlen) / 128);
        let name = if piece == 0 { NAMES[reg as usize] } else { PIECES[piece as usize] };
        slots.push(slot(name, Type::V128, V_OFFSET + 16 * n));
    }
}

/// Bytes of the guest part of the state block.
pub(crate) fn state_size(vlen: u32) -> u32 {
    V_OFFSET + 4 * vlen
}

/// The slot of the 16 bytes with number `piece`, counted from v0's first through all registers.
pub fn piece(piece: u32) -> SlotId {
    SlotId(FIRST + piece as u16)
}

/// vtype, decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VType {
    /// Log2 of the bytes of an element.
    pub sew: u32,
    /// Log2 of the registers of a group.
    pub lmul: i32,
}

impl VType {
    /// From the register's value; `None` if it is invalid. `vlen` bits per register, `elen` the widest element.
    pub fn decode(v: u64, vlen: u32, elen: u32) -> Option<VType> {
        if v >> 8 != 0 {
            return None;
        }
        let sew = (v >> 3 & 7) as u32;
        let lmul = ((v & 7) as i32) << 29 >> 29;
        let fits = lmul != -4 && sew < 4 && 8 << sew <= elen.min(vlen) >> (-lmul).max(0);
        fits.then_some(VType { sew, lmul })
    }

    /// Elements of a group.
    pub fn vlmax(self, vlen: u32) -> u32 {
        let n = vlen >> (3 + self.sew);
        if self.lmul >= 0 { n << self.lmul } else { n >> -self.lmul }
    }
}

/// Mode bit: vtype is known and valid.
const KNOWN: u64 = 1 << 3;
/// Mode bit: vl is the largest that vtype allows.
const FULL: u64 = 1 << 9;
/// Mode bit: vstart is not zero.
const STARTED: u64 = 1 << 10;
/// Mode bits: vxrm, where vtype is known.
const ROUNDING: u32 = 12;
/// The mode bits that describe vtype, vl and vxrm.
const CONFIGURATION: u64 = VTYPE_AND_VL | 3 << ROUNDING;
const VTYPE_AND_VL: u64 = 0x7f << 3;

fn configured(t: VType, full: bool) -> u64 {
    KNOWN | u64::from(t.sew) << 4 | ((t.lmul & 7) as u64) << 6 | if full { FULL } else { 0 }
}

/// The mode bits of this state, as exactly as can be said.
pub(crate) fn mode(state: &[u8], vlen: u32) -> u64 {
    let at = |offset: u32| state.get(offset as usize..offset as usize + 8).and_then(|b| b.try_into().ok());
    let word = |offset| at(offset).map_or(0, u64::from_le_bytes);
    let started = if word(VSTART_OFFSET) as u32 != 0 { STARTED } else { 0 };
    let Some(t) = VType::decode(word(VTYPE_OFFSET), vlen, 64) else { return started };
    let rounding = (word(VSTART_OFFSET) >> 32 & 3) << ROUNDING;
    configured(t, word(VL_OFFSET) == u64::from(t.vlmax(vlen))) | rounding | started
}

/// Fields of a word, whatever its format calls them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    pub vd: u32,
    pub vs1: u32,
    pub vs2: u32,
    pub f3: u32,
    /// Not masked.
    pub vm: bool,
    /// Fields of a segment, less one.
    pub nf: u32,
}

impl Fields {
    pub fn of(w: u32) -> Fields {
        Fields {
            vd: w >> 7 & 31,
            vs1: w >> 15 & 31,
            vs2: w >> 20 & 31,
            f3: w >> 12 & 7,
            vm: w >> 25 & 1 != 0,
            nf: w >> 29,
        }
    }

    /// Log2 of the bytes that a load's or store's width field stands for (of no use for other instructions).
    pub fn eew(&self) -> u32 {
        self.f3.saturating_sub(4)
    }
}

/// The length that an instruction asks for.
#[derive(Clone, Copy)]
enum Avl {
    /// As it is.
    Same,
    /// The largest.
    Most,
    /// This, if it is not too large.
    Is(Val),
}

/// What the helper is asked beside the word.
const ASK_VALID: u64 = 1 << 40;
/// Integer registers have 32 bits.
const ASK_RV32: u64 = 1 << 41;
/// Elements have 32 bits at most.
const ASK_ELEN32: u64 = 1 << 42;

impl Tr<'_> {
    /// vtype of the mode bits.
    fn vtype(&self) -> Option<VType> {
        let t = VType { sew: (self.mode >> 4 & 3) as u32, lmul: ((self.mode >> 6 & 7) as i32) << 29 >> 29 };
        (self.mode & KNOWN != 0).then_some(t)
    }

    fn elen(&self) -> u32 {
        if self.cpu.features.has(Feature::Zve64x) { 64 } else { 32 }
    }

    /// Calls the helper for the current instruction.
    fn vexec(&mut self, ask: u64) {
        let log2 = (self.cpu.vlen / 8).ilog2();
        let ask = ask | if self.rv32() { ASK_RV32 } else { 0 };
        let ask = ask | if self.elen() == 32 { ASK_ELEN32 } else { 0 };
        let arg = self.b.const64(u64::from(self.word) | u64::from(log2) << 32 | ask);
        self.b.push(Op::Call, Type::Void, Attr::Helper(helpers::VEXEC), &[arg], 0);
    }

    pub(crate) fn vector_insn(&mut self, insn: Vector) -> Flow {
        let f = Fields::of(self.word);
        match insn {
            Vector::Vsetvli(a) => return self.vset(a.rd, a.rs1, u64::from(a.zimm)),
            Vector::Vsetivli(a) => {
                let avl = self.b.const64(u64::from(a.rs1));
                return self.vset_to(a.rd, u64::from(a.zimm), Avl::Is(avl));
            }
            Vector::Vsetvl(_) => {
                self.vexec(0);
                return Flow::End(Term::Resume { pc: self.next() });
            }
            _ => {}
        }
        let t = self.vtype();
        let cpu = self.cpu;
        if t.is_none() && !check::without_vtype(insn) {
            // Traps if vtype is invalid; else the mode is found afresh and is a known one.
            self.vexec(ASK_VALID);
            return Flow::End(Term::Resume { pc: self.pc });
        }
        let cx = check::Context {
            f: &f,
            t: t.unwrap_or(VType { sew: 0, lmul: 0 }),
            features: &cpu.features,
            elen: self.elen(),
            vlen: self.cpu.vlen,
            started: self.mode & STARTED != 0,
            frm: self.mode as u32 & 7,
        };
        if !cx.allowed(insn) {
            return Flow::Undefined;
        }
        if self.mode & STARTED == 0 && self.inline(insn, &f, cx.t) {
            return Flow::Next;
        }
        if self.mode & STARTED == 0 && t.is_some() && self.has_part_access(insn, &f, cx.t) {
            if self.mode != self.region_mode {
                // It goes on from several blocks.
                return Flow::End(Term::Switch { pc: self.pc, mode: self.mode });
            }
            return self.part_access(insn, &f, cx.t);
        }
        self.vexec(0);
        if matches!(insn, Vector::VfmvFS(_)) {
            self.boxed &= !(1 << f.vd);
        }
        if self.mode & STARTED != 0 {
            return Flow::End(Term::Resume { pc: self.next() });
        }
        if matches!(insn, Vector::Vleff(_))
            && let Some(t) = t
        {
            return self.configured(t, None, None);
        }
        Flow::Next
    }

    /// vsetvli: the requested length is rs1, or no limit, or the length as it is.
    fn vset(&mut self, rd: u32, rs1: u32, zimm: u64) -> Flow {
        if rs1 != 0 {
            let avl = self.x64(rs1);
            return self.vset_to(rd, zimm, Avl::Is(avl));
        }
        self.vset_to(rd, zimm, if rd != 0 { Avl::Most } else { Avl::Same })
    }

    fn vset_to(&mut self, rd: u32, zimm: u64, avl: Avl) -> Flow {
        if self.mode & STARTED != 0 {
            let zero = self.b.const32(0);
            self.b.set(VSTART, zero);
        }
        let Some(t) = VType::decode(zimm, self.cpu.vlen, self.elen()) else {
            let ill = self.b.const64(VILL);
            self.b.set(VTYPE, ill);
            let none = self.b.const64(0);
            self.b.set(VL, none);
            self.set_x64(rd, none);
            let mode = self.mode & !CONFIGURATION & !STARTED;
            return Flow::End(Term::Switch { pc: self.next(), mode });
        };
        let raw = self.b.const64(zimm);
        self.b.set(VTYPE, raw);
        let max = u64::from(t.vlmax(self.cpu.vlen));
        let before = self.vtype().map(|old| u64::from(old.vlmax(self.cpu.vlen)));
        let (vl, full) = match (avl, before) {
            // Such an instruction changes the type of vectors of one length.
            (Avl::Same, Some(old)) if old == max => (None, Some(self.mode & FULL != 0)),
            (Avl::Same, Some(old)) if self.mode & FULL != 0 => {
                (Some(self.b.const64(old.min(max))), Some(old >= max))
            }
            (Avl::Most, _) => (Some(self.b.const64(max)), Some(true)),
            (Avl::Same, _) => {
                let vl = self.b.get(VL, Type::I64);
                let most = self.b.const64(max);
                (Some(self.b.umin(vl, most)), None)
            }
            (Avl::Is(avl), _) => match self.b.as_const(avl) {
                Some(n) => (Some(self.b.const64(n.min(max))), Some(n >= max)),
                None => {
                    let most = self.b.const64(max);
                    (Some(self.b.umin(avl, most)), None)
                }
            },
        };
        if let Some(vl) = vl {
            self.b.set(VL, vl);
            self.set_x64(rd, vl);
        }
        self.configured(t, vl, full)
    }

    /// Goes on after the instruction under the mode of this vtype and length, of which it may be known whether it is the
    /// largest. If not, the largest is what the block goes on with.
    fn configured(&mut self, t: VType, vl: Option<Val>, full: Option<bool>) -> Flow {
        let next = self.next();
        if self.mode & KNOWN == 0 {
            // vxrm was not known either: it is zero, or the mode is found afresh.
            let rounding = self.b.get(VXRM, Type::I32);
            let d = self.b.and(rounding, rounding);
            let flags = self.b.flags_of(d);
            let [other, on] = [1, 2].map(|n| Target::Block(self.b.upcoming_block(n)));
            self.b.end_block(Term::Branch { flags, cc: Cc::Ne, then: other, els: on }, next);
            self.b.begin_internal(self.pc);
            self.b.end_block(Term::Resume { pc: next }, next);
            self.b.begin_internal(self.pc);
        }
        let base = self.mode & !VTYPE_AND_VL & !STARTED;
        if let Some(full) = full {
            self.mode = base | configured(t, full);
            return Flow::Next;
        }
        let vl = match vl {
            Some(vl) if self.mode & KNOWN != 0 => vl,
            _ => self.b.get(VL, Type::I64),
        };
        let max = self.b.const64(u64::from(t.vlmax(self.cpu.vlen)));
        let d = self.b.sub(vl, max);
        let flags = self.b.flags_of(d);
        let less = base | configured(t, false);
        let stays = less == self.region_mode;
        let on = Target::Block(self.b.upcoming_block(if stays { 1 } else { 2 }));
        let els = if stays { Target::Pc(next) } else { Target::Block(self.b.upcoming_block(1)) };
        self.b.end_block(Term::Branch { flags, cc: Cc::Eq, then: on, els }, next);
        if !stays {
            self.b.begin_internal(self.pc);
            self.b.end_block(Term::Switch { pc: next, mode: less }, next);
        }
        self.b.begin_internal(self.pc);
        self.mode = base | configured(t, true);
        Flow::Next
    }

    /// vxrm, where vtype is known.
    fn vxrm(&self) -> u64 {
        self.mode >> ROUNDING & 3
    }

    /// Writes an integer register with a value that fits it.
    fn set_x64(&mut self, rd: u32, v: Val) {
        let v = self.low(v);
        self.set(rd, v);
    }

    /// Reads a vector CSR. `None` if there is none with this number.
    pub(crate) fn vector_csr(&mut self, csr: u32) -> Option<Val> {
        if !self.cpu.features.has(Feature::Zve32x) {
            return None;
        }
        Some(match csr {
            0x008 => self.b.get(VSTART, Type::I32),
            0x009 => self.b.push(Op::GetSat, Type::I32, Attr::None, &[], 0),
            0x00a => self.b.get(VXRM, Type::I32),
            0x00f => {
                let sat = self.b.push(Op::GetSat, Type::I32, Attr::None, &[], 0);
                let rm = self.b.get(VXRM, Type::I32);
                self.b.bfi(sat, rm, 1, 2)
            }
            0xc20 => self.b.get(VL, Type::I64),
            0xc21 => {
                let v = self.b.get(VTYPE, Type::I64);
                if !self.rv32() {
                    return Some(v);
                }
                // The invalid bit is the top one.
                let n = self.b.const64(32);
                let high = self.b.shr(v, n);
                self.b.or(v, high)
            }
            0xc22 => self.b.const64(u64::from(self.cpu.vlen / 8)),
            _ => return None,
        })
    }

    /// Writes a vector CSR that can be written; the value is an I32.
    pub(crate) fn set_vector_csr(&mut self, csr: u32, v: Val) -> Flow {
        match csr {
            0x008 => {
                let start = self.b.ubfx(v, 0, self.cpu.vlen.ilog2());
                self.b.set(VSTART, start);
                return Flow::End(Term::Resume { pc: self.next() });
            }
            0x009 | 0x00f => {
                let sat = self.b.ubfx(v, 0, 1);
                self.b.push(Op::SetSat, Type::Void, Attr::None, &[sat], 0);
            }
            _ => {}
        }
        if csr != 0x009 {
            let rm = self.b.ubfx(v, if csr == 0x00a { 0 } else { 1 }, 2);
            self.b.set(VXRM, rm);
            if self.mode & KNOWN != 0 {
                let Some(rm) = self.b.as_const(rm) else {
                    return Flow::End(Term::Resume { pc: self.next() });
                };
                self.mode = self.mode & !(3 << ROUNDING) | rm << ROUNDING;
            }
        }
        Flow::Next
    }

    /// Before a call or return, in a mode that knows vtype and vl: goes on in one that does not, in this region if that is
    /// its mode.
    pub(crate) fn forget(&mut self) -> Option<Flow> {
        let mode = self.mode & !CONFIGURATION;
        if mode == self.region_mode {
            self.mode = mode;
        }
        let knows = self.mode != mode && !self.single;
        knows.then_some(Flow::End(Term::Switch { pc: self.pc, mode }))
    }
}
