//! Dead code: operations without effect whose result nobody uses, and slot writes that are overwritten before anything can
//! observe the slot.
//!
//! Observers are a `get`, a helper that reads the slot, anything that may fault (the fault must see exact state),
//! and the end of the block. For flags slots the end of a block is looked through: if every successor lies in the region and
//! overwrites the flags before observing them, they are dead there.

use crate::values::{table, term_value};
use ir::{Attr, Block, BlockId, Effect, Guest, Inst, Op, Region, SlotId, SlotSet, Target, Term, Type};
use std::cell::Cell;

thread_local! {
    static USED: Cell<Vec<bool>> = const { Cell::new(Vec::new()) };
    static DEAD: Cell<Vec<u32>> = const { Cell::new(Vec::new()) };
    static FLAGS: Cell<Vec<SlotId>> = const { Cell::new(Vec::new()) };
    static KILLS: Cell<Vec<u32>> = const { Cell::new(Vec::new()) };
}

/// The pass.
pub fn run(region: &mut Region, guest: &dyn Guest) {
    let slots = guest.slots();
    let n = slots.slots.len();
    let mut flags = ir::kept::take(&FLAGS);
    flags.clear();
    flags.extend((0..n).filter(|&s| slots.slots[s].ty == Type::Flags).map(|s| SlotId(s as u16)).take(32));
    let mut kills = ir::kept::take(&KILLS);
    flag_kills(region, guest, &flags, &mut kills);
    let mut used = table(&USED, region.insts.len(), false);
    // A slot is dead while its entry is the epoch: to make all live again is one addition.
    let mut dead = table(&DEAD, n, 0);
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
        if let Some(v) = term_value(&region.blocks[b].term) {
            used[v.index()] = true;
        }
        for i in region.range(BlockId(b as u32)).rev() {
            let inst = &mut region.insts[i];
            match (inst.op, inst.attr) {
                (Op::Insn, _) => continue,
                (Op::Set, Attr::Slot(s)) => {
                    if dead[s.0 as usize] == epoch {
                        *inst = Inst::NOP;
                        continue;
                    }
                    dead[s.0 as usize] = epoch;
                }
                (Op::Call, Attr::Helper(h)) => {
                    let d = &guest.helpers()[h.0 as usize];
                    match &d.reads {
                        _ if d.may_fault => epoch += 1,
                        SlotSet::None => {}
                        SlotSet::Some(list) => list.iter().for_each(|s| dead[s.0 as usize] = 0),
                        SlotSet::All => epoch += 1,
                    }
                }
                (op, attr) => match op.info().effect {
                    Effect::Pure | Effect::ReadState if inst.ty != Type::Void && !used[i] => {
                        *inst = Inst::NOP;
                        continue;
                    }
                    Effect::ReadState => {
                        if let (Op::Get, Attr::Slot(s)) = (op, attr) {
                            dead[s.0 as usize] = 0;
                        }
                    }
                    Effect::Load | Effect::Store | Effect::Call => epoch += 1,
                    Effect::Pure | Effect::Sticky | Effect::WriteState | Effect::Barrier => {}
                },
            }
            for a in inst.args {
                if a.is_some() {
                    used[a.index()] = true;
                }
            }
        }
    }
    ir::kept::keep(&USED, used);
    ir::kept::keep(&DEAD, dead);
    ir::kept::keep(&FLAGS, flags);
    ir::kept::keep(&KILLS, kills);
}

fn observes_all(inst: &Inst) -> bool {
    match inst.op.info().effect {
        Effect::Load | Effect::Store | Effect::Call => true,
        Effect::Pure | Effect::Sticky | Effect::ReadState | Effect::WriteState | Effect::Barrier => false,
    }
}

/// Per block, one bit for each flags slot that it overwrites before anything observes it.
fn flag_kills(region: &Region, guest: &dyn Guest, flags: &[SlotId], kills: &mut Vec<u32>) {
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
    kills.clear();
    kills.extend((0..region.blocks.len()).map(block));
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
