//! Flags recipes: how a flags slot's value follows from other slots, in the 32 bits that the slot has in memory.
//!
//! In: a flags slot's memory; out: its value. A recipe is stored where code is likely to overwrite the flags before anybody
//! looks: one store instead of collecting the host's flags. Whoever stores it promises that the slots it names keep their
//! values as long as the flags may be looked at. See [`crate::state::flags_to_mem`] for the plain form, whose upper half is
//! zero.

use crate::interp::flags_of;
use crate::{Op, SlotId, Type};

/// The operation whose flags are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecipeOp {
    /// `a - b`
    Sub,
    /// `a + b`
    Add,
    /// `a & b`
    And,
    /// `(a + b) - b`: the slot holds the difference.
    SubResult,
    /// `(a - b) + b`: the slot holds the sum.
    AddResult,
    /// [`RecipeOp::Sub`] with C turned round.
    SubTurned,
    /// [`RecipeOp::SubResult`] with C turned round.
    SubResultTurned,
}

impl RecipeOp {
    /// Whether C is turned round.
    pub fn turned(self) -> bool {
        matches!(self, RecipeOp::SubTurned | RecipeOp::SubResultTurned)
    }
}

/// The second operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecipeArg {
    /// A slot's value.
    Slot(SlotId),
    /// A constant below 2^20.
    Const(u32),
}

/// A flags value as a function of slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recipe {
    /// Operation.
    pub op: RecipeOp,
    /// I32 or I64.
    pub ty: Type,
    /// First operand.
    pub a: SlotId,
    /// Second operand.
    pub b: RecipeArg,
}

const MARK: u32 = 1 << 31;
const WIDE: u32 = 1 << 27;
const CONST: u32 = 1 << 20;
const OPS: [RecipeOp; 7] = [
    RecipeOp::Sub,
    RecipeOp::Add,
    RecipeOp::And,
    RecipeOp::SubResult,
    RecipeOp::AddResult,
    RecipeOp::SubTurned,
    RecipeOp::SubResultTurned,
];

/// Slots from this number on do not fit a recipe.
pub const RECIPE_SLOTS: u16 = 64;

impl Recipe {
    /// The form in memory; `None` if a slot or constant does not fit.
    pub fn encode(&self) -> Option<u32> {
        if self.a.0 >= RECIPE_SLOTS {
            return None;
        }
        let b = match self.b {
            RecipeArg::Slot(s) if s.0 < RECIPE_SLOTS => u32::from(s.0),
            RecipeArg::Const(c) if c < CONST => CONST | c,
            RecipeArg::Slot(_) | RecipeArg::Const(_) => return None,
        };
        let wide = if self.ty == Type::I64 { WIDE } else { 0 };
        Some(MARK | (self.op as u32) << 28 | wide | u32::from(self.a.0) << 21 | b)
    }

    /// The recipe in a flags slot's memory, if that is not the plain form.
    pub fn decode(mem: u32) -> Option<Recipe> {
        if mem & MARK == 0 {
            return None;
        }
        let op = *OPS.get((mem >> 28 & 7) as usize)?;
        let ty = if mem & WIDE != 0 { Type::I64 } else { Type::I32 };
        let b = if mem & CONST != 0 {
            RecipeArg::Const(mem & (CONST - 1))
        } else {
            RecipeArg::Slot(SlotId((mem & 63) as u16))
        };
        Some(Recipe { op, ty, a: SlotId((mem >> 21 & 63) as u16), b })
    }

    /// The flags (HPNZCV in bits 5 to 0), given the slots.
    pub fn flags(&self, mut slot: impl FnMut(SlotId) -> u64) -> u8 {
        let mask = if self.ty == Type::I64 { u64::MAX } else { u64::from(u32::MAX) };
        let a = slot(self.a) & mask;
        let b = match self.b {
            RecipeArg::Slot(s) => slot(s) & mask,
            RecipeArg::Const(c) => u64::from(c),
        };
        let (op, a) = match self.op {
            RecipeOp::Sub | RecipeOp::SubTurned => (Op::Sub, a),
            RecipeOp::Add => (Op::Add, a),
            RecipeOp::And => (Op::And, a),
            RecipeOp::SubResult | RecipeOp::SubResultTurned => (Op::Sub, a.wrapping_add(b) & mask),
            RecipeOp::AddResult => (Op::Add, a.wrapping_sub(b) & mask),
        };
        let f = flags_of(op, self.ty, &[u128::from(a), u128::from(b), 0, 0]).unwrap_or(0);
        if self.op.turned() { f ^ 2 } else { f }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_read_back() {
        for op in OPS {
            for ty in [Type::I32, Type::I64] {
                for b in [RecipeArg::Slot(SlotId(63)), RecipeArg::Const(0), RecipeArg::Const(CONST - 1)] {
                    let r = Recipe { op, ty, a: SlotId(17), b };
                    let mem = r.encode().expect("it fits");
                    assert_ne!(mem >> 16, 0);
                    assert_eq!(Recipe::decode(mem), Some(r));
                }
            }
        }
        let far = Recipe { op: RecipeOp::Sub, ty: Type::I64, a: SlotId(64), b: RecipeArg::Const(0) };
        assert_eq!(far.encode(), None);
        assert_eq!(Recipe::decode(0xffff), None);
    }

    #[test]
    fn results_give_the_operands_back() {
        for ty in [Type::I32, Type::I64] {
            let mask = if ty == Type::I64 { u64::MAX } else { u64::from(u32::MAX) };
            for a in [0, 1, mask, mask >> 1, (mask >> 1) + 1, 77] {
                for c in [0, 1, 77, 0xf_ffff] {
                    let direct = |op| {
                        let r = Recipe { op, ty, a: SlotId(0), b: RecipeArg::Const(c) };
                        r.flags(|_| a)
                    };
                    let from = |op, result: u64| {
                        let r = Recipe { op, ty, a: SlotId(0), b: RecipeArg::Const(c) };
                        r.flags(|_| result)
                    };
                    let c = u64::from(c);
                    assert_eq!(from(RecipeOp::SubResult, a.wrapping_sub(c)), direct(RecipeOp::Sub));
                    assert_eq!(from(RecipeOp::AddResult, a.wrapping_add(c)), direct(RecipeOp::Add));
                }
            }
        }
    }
}
