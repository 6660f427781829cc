//! Dead slot writes: a `set` that is overwritten before anything can observe the slot is removed.
//!
//! Observers are a `get`, a helper that reads the slot, anything that may fault (the fault must see exact state),
//! and the end of the block. For flags slots the end of a block is looked through: if every successor lies in the region and
//! overwrites the flags before observing them, they are dead there.

use ir::{Attr, Block, BlockId, Effect, Guest, Inst, Op, Region, SlotSet, Target, Term, Type};

/// The pass.
pub fn run(region: &mut Region, guest: &dyn Guest) {
    let slots = guest.slots();
    let n = slots.slots.len();
    let flags: Vec<usize> = (0..n).filter(|&s| slots.slots[s].ty == Type::Flags).collect();
    let kills = flag_kills(region, guest, &flags);
    let mut dead = vec![false; n];
    for b in 0..region.blocks.len() {
        dead.fill(false);
        for (k, &s) in flags.iter().enumerate() {
            dead[s] = successors_kill(region, &region.blocks[b], &kills, k);
        }
        for i in region.range(BlockId(b as u32)).rev() {
            let inst = region.insts[i];
            match (inst.op, inst.attr) {
                (Op::Set, Attr::Slot(s)) => {
                    if dead[s.0 as usize] {
                        region.insts[i] = Inst::NOP;
                    } else {
                        dead[s.0 as usize] = true;
                    }
                }
                (Op::Get, Attr::Slot(s)) => dead[s.0 as usize] = false,
                (Op::Call, Attr::Helper(h)) => {
                    let d = &guest.helpers()[h.0 as usize];
                    match &d.reads {
                        _ if d.may_fault => dead.fill(false),
                        SlotSet::None => {}
                        SlotSet::Some(list) => list.iter().for_each(|s| dead[s.0 as usize] = false),
                        SlotSet::All => dead.fill(false),
                    }
                }
                _ => {
                    if observes_all(&inst) {
                        dead.fill(false);
                    }
                }
            }
        }
    }
}

fn observes_all(inst: &Inst) -> bool {
    match inst.op.info().effect {
        Effect::Load | Effect::Store | Effect::Call => true,
        Effect::Pure | Effect::Sticky | Effect::ReadState | Effect::WriteState | Effect::Barrier => false,
    }
}

/// Per block and flags slot: overwritten before observed.
fn flag_kills(region: &Region, guest: &dyn Guest, flags: &[usize]) -> Vec<Vec<bool>> {
    (0..region.blocks.len())
        .map(|b| {
            flags
                .iter()
                .map(|&slot| {
                    for i in region.range(BlockId(b as u32)) {
                        let inst = &region.insts[i];
                        match (inst.op, inst.attr) {
                            (Op::Set, Attr::Slot(s)) if s.0 as usize == slot => return true,
                            (Op::Get, Attr::Slot(s)) if s.0 as usize == slot => return false,
                            (Op::Call, Attr::Helper(h)) => {
                                let d = &guest.helpers()[h.0 as usize];
                                let reads = match &d.reads {
                                    SlotSet::None => false,
                                    SlotSet::Some(l) => l.iter().any(|s| s.0 as usize == slot),
                                    SlotSet::All => true,
                                };
                                if d.may_fault || reads {
                                    return false;
                                }
                            }
                            _ => {
                                if observes_all(inst) {
                                    return false;
                                }
                            }
                        }
                    }
                    false
                })
                .collect()
        })
        .collect()
}

fn successors_kill(region: &Region, block: &Block, kills: &[Vec<bool>], k: usize) -> bool {
    let kill = |t: Target| {
        let id = match t {
            // A backward transfer polls: the poll observes everything.
            Target::Pc(pc) if pc <= block.pc => None,
            Target::Pc(pc) => region.block_at(pc),
            Target::Block(b) => Some(b),
        };
        id.is_some_and(|b| kills[b.0 as usize][k])
    };
    match block.term {
        Term::Jump(t) => kill(t),
        Term::Branch { then, els, .. } => kill(then) && kill(els),
        Term::Call { .. }
        | Term::CallIndirect { .. }
        | Term::Indirect { .. }
        | Term::Return { .. }
        | Term::Syscall { .. }
        | Term::Trap { .. }
        | Term::Resume { .. } => false,
    }
}
