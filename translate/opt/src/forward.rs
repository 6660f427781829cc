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
    let mut known = vec![Val::NONE; guest.slots().slots.len()];
    for b in 0..region.blocks.len() {
        known.fill(Val::NONE);
        for i in region.range(BlockId(b as u32)) {
            let mut inst = region.insts[i];
            rewrite_args(&mut inst, &map);
            match (inst.op, inst.attr) {
                (Op::Get, Attr::Slot(s)) => {
                    let k = known[s.0 as usize];
                    if k.is_some() && region.insts[k.index()].ty == inst.ty {
                        map[i] = k;
                        inst = Inst::NOP;
                    } else {
                        known[s.0 as usize] = Val(i as u32);
                    }
                }
                (Op::Set, Attr::Slot(s)) => known[s.0 as usize] = inst.args[0],
                (Op::Call, Attr::Helper(h)) => match &guest.helpers()[h.0 as usize].writes {
                    SlotSet::None => {}
                    SlotSet::Some(list) => list.iter().for_each(|s| known[s.0 as usize] = Val::NONE),
                    SlotSet::All => known.fill(Val::NONE),
                },
                _ => {}
            }
            region.insts[i] = inst;
        }
        rewrite_term(&mut region.blocks[b].term, &map);
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
        | Term::Resume { .. } => None,
    }
}
