//! Slot forwarding: inside a block, a `get` of a slot whose value is known becomes that value.

use ir::{Attr, BlockId, Guest, Inst, Op, Region, SlotSet, Val};

/// Replaces arguments by `map` (identity where `Val::NONE`).
pub(crate) fn rewrite_args(inst: &mut Inst, map: &[Val]) {
    for a in &mut inst.args {
        if a.is_some() && map[a.index()].is_some() {
            *a = map[a.index()];
        }
    }
}

/// The pass.
pub fn run(region: &mut Region, guest: &dyn Guest) {
    let mut map = vec![Val::NONE; region.insts.len()];
    // Per slot the value it holds, valid if noted in this epoch: forgetting everything is one addition.
    let mut known = vec![(0u32, Val::NONE); guest.slots().slots.len()];
    let mut epoch = 0;
    for b in 0..region.blocks.len() {
        epoch += 1;
        let mut mapped = false;
        for i in region.range(BlockId(b as u32)) {
            let inst = &mut region.insts[i];
            if mapped {
                rewrite_args(inst, &map);
            }
            match (inst.op, inst.attr) {
                (Op::Get, Attr::Slot(s)) => {
                    let ty = inst.ty;
                    let slot = &mut known[s.0 as usize];
                    if slot.0 == epoch && region.insts[slot.1.index()].ty == ty {
                        map[i] = slot.1;
                        mapped = true;
                        region.insts[i] = Inst::NOP;
                    } else {
                        *slot = (epoch, Val(i as u32));
                    }
                }
                (Op::Set, Attr::Slot(s)) => known[s.0 as usize] = (epoch, inst.args[0]),
                (Op::Call, Attr::Helper(h)) => match &guest.helpers()[h.0 as usize].writes {
                    SlotSet::None => {}
                    SlotSet::Some(list) => list.iter().for_each(|s| known[s.0 as usize].0 = 0),
                    SlotSet::All => epoch += 1,
                },
                _ => {}
            }
        }
        if mapped {
            rewrite_term(&mut region.blocks[b].term, &map);
        }
    }
}

/// Replaces the values a terminator uses.
pub(crate) fn rewrite_term(term: &mut ir::Term, map: &[Val]) {
    use ir::Term;
    match term {
        Term::Branch { flags: v, .. }
        | Term::CallIndirect { addr: v, .. }
        | Term::Indirect { addr: v }
        | Term::Return { addr: v } => {
            if map[v.index()].is_some() {
                *v = map[v.index()];
            }
        }
        Term::Jump(_)
        | Term::Call { .. }
        | Term::Syscall { .. }
        | Term::Trap { .. }
        | Term::Switch { .. }
        | Term::Resume { .. } => {}
    }
}

/// The value a terminator uses.
pub(crate) fn term_value(term: &ir::Term) -> Option<Val> {
    use ir::Term;
    match term {
        Term::Branch { flags: v, .. }
        | Term::CallIndirect { addr: v, .. }
        | Term::Indirect { addr: v }
        | Term::Return { addr: v } => Some(*v),
        Term::Jump(_)
        | Term::Call { .. }
        | Term::Syscall { .. }
        | Term::Trap { .. }
        | Term::Switch { .. }
        | Term::Resume { .. } => None,
    }
}
