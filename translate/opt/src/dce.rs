//! Dead code: operations without effect whose result nobody uses.

use crate::forward::term_value;
use ir::{BlockId, Effect, Guest, Inst, Op, Region, Type};

/// The pass.
pub fn run(region: &mut Region, _guest: &dyn Guest) {
    let mut used = vec![false; region.insts.len()];
    for b in 0..region.blocks.len() {
        if let Some(v) = term_value(&region.blocks[b].term) {
            used[v.index()] = true;
        }
        for i in region.range(BlockId(b as u32)).rev() {
            let inst = region.insts[i];
            let removable = inst.ty != Type::Void
                && match inst.op.info().effect {
                    Effect::Pure | Effect::ReadState => true,
                    Effect::Sticky
                    | Effect::WriteState
                    | Effect::Load
                    | Effect::Store
                    | Effect::Barrier
                    | Effect::Call => false,
                };
            if inst.op == Op::Nop || (removable && !used[i]) {
                region.insts[i] = Inst::NOP;
                continue;
            }
            for a in inst.args() {
                used[a.index()] = true;
            }
        }
    }
}
