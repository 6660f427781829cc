//! Dead slot writes: a `set` that is overwritten before anything can observe the slot is removed.
//!
//! Observers are a `get`, a helper that reads the slot, anything that may fault (the fault must see exact state),
//! and the end of the block. For flags slots the end of a block is looked through: if every successor lies in the region and
//! overwrites the flags before observing them, they are dead there.

use ir::{Attr, Block, BlockId, Effect, Guest, Inst, Op, Region, SlotId, SlotSet, Target, Term, Type};

/// The pass.
pub fn run(region: &mut Region, guest: &dyn Guest) {
    let slots = guest.slots();
    let n = slots.slots.len();
    let flags: Vec<SlotId> =
        (0..n).filter(|&s| slots.slots[s].ty == Type::Flags).map(|s| SlotId(s as u16)).take(32).collect();
    let kills = flag_kills(region, guest, &flags);
    // A slot is dead while its entry is the epoch: to make all live again is one addition.
    let mut dead = vec![0u32; n];
    let mut epoch = 0;
    for b in 0..region.blocks.len() {
        epoch += 1;
        let changes = region.changes_mode(BlockId(b as u32));
        let killed = if changes { 0 } else { successors_kill(region, &region.blocks[b], &kills) };
        for (k, s) in flags.iter().enumerate() {
            if killed >> k & 1 != 0 {
                dead[s.0 as usize] = epoch;
            }
        }
        for i in region.range(BlockId(b as u32)).rev() {
            let inst = &mut region.insts[i];
            match (inst.op, inst.attr) {
                (Op::Set, Attr::Slot(s)) => {
                    if dead[s.0 as usize] == epoch {
                        *inst = Inst::NOP;
                    } else {
                        dead[s.0 as usize] = epoch;
                    }
                }
                (Op::Get, Attr::Slot(s)) => dead[s.0 as usize] = 0,
                (Op::Call, Attr::Helper(h)) => {
                    let d = &guest.helpers()[h.0 as usize];
                    match &d.reads {
                        _ if d.may_fault => epoch += 1,
                        SlotSet::None => {}
                        SlotSet::Some(list) => list.iter().for_each(|s| dead[s.0 as usize] = 0),
                        SlotSet::All => epoch += 1,
                    }
                }
                _ => epoch += u32::from(observes_all(inst)),
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

/// Per block, one bit for each flags slot that it overwrites before anything observes it.
fn flag_kills(region: &Region, guest: &dyn Guest, flags: &[SlotId]) -> Vec<u32> {
    let bit = |s: SlotId| flags.iter().position(|&f| f == s).map_or(0, |k| 1u32 << k);
    let block = |b: usize| {
        let mut pending = ((1u64 << flags.len()) - 1) as u32;
        let mut kills = 0;
        for i in region.range(BlockId(b as u32)) {
            let inst = &region.insts[i];
            match (inst.op, inst.attr) {
                (Op::Set, Attr::Slot(s)) => {
                    kills |= bit(s) & pending;
                    pending &= !bit(s);
                }
                (Op::Get, Attr::Slot(s)) => pending &= !bit(s),
                (Op::Call, Attr::Helper(h)) => {
                    let d = &guest.helpers()[h.0 as usize];
                    match &d.reads {
                        _ if d.may_fault => pending = 0,
                        SlotSet::None => {}
                        SlotSet::Some(list) => list.iter().for_each(|&s| pending &= !bit(s)),
                        SlotSet::All => pending = 0,
                    }
                }
                _ if observes_all(inst) => pending = 0,
                _ => {}
            }
            if pending == 0 {
                break;
            }
        }
        kills
    };
    (0..region.blocks.len()).map(block).collect()
}

fn successors_kill(region: &Region, block: &Block, kills: &[u32]) -> u32 {
    let kill = |t: Target| {
        let id = match t {
            // A backward transfer polls: the poll observes everything.
            Target::Pc(pc) if pc <= block.pc => None,
            Target::Pc(pc) => region.block_at(pc),
            Target::Block(b) => Some(b),
        };
        id.map_or(0, |b| kills[b.0 as usize])
    };
    match block.term {
        Term::Jump(t) => kill(t),
        Term::Branch { then, els, .. } => kill(then) & kill(els),
        Term::Call { .. }
        | Term::CallIndirect { .. }
        | Term::Indirect { .. }
        | Term::Return { .. }
        | Term::Syscall { .. }
        | Term::Trap { .. }
        | Term::Switch { .. }
        | Term::Resume { .. } => 0,
    }
}
