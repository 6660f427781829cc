//! Hot regions: a register map of the region's own.
//!
//! Guest state stays where the quick tier has it, in slots that are written in program order, but which slots are in host
//! registers is chosen for the region: slots that its loops use take the registers of canonically pinned ones that they do
//! not. A slot is in its canonical register, in memory, or in the register of another one, so the way between the two
//! maps is a store and a load per exchanged register, at the entry, at exits, around calls, and where a fault goes on
//! ([`ir::HostCode::fault_exit`]).

use crate::alloc::C;
use crate::asm::*;
use crate::regs::PinMap;
use ir::{Attr, BlockId, Guest, Op, Region, SlotId, Target, Term, Type};

/// Most loops around a block that count.
const MAX_DEPTH: u32 = 3;
/// How much more a block counts for each loop around it.
const DEPTH_FACTOR: u64 = 8;

/// A register that holds another slot than canonically.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Swap {
    Int { reg: Gp, hot: SlotId, cold: SlotId, written: bool },
    Vec { reg: Xmm, hot: SlotId, cold: SlotId, written: bool },
}

/// How often each block of the region runs, by the loops around it.
fn weights(r: &Region) -> Vec<u64> {
    // Several ways back to one head are one loop: the longest.
    let mut heads: Vec<(u64, u64)> = Vec::new();
    for b in &r.blocks {
        let targets = match b.term {
            Term::Jump(t) => [Some(t), None],
            Term::Branch { then, els, .. } => [Some(then), Some(els)],
            Term::Call { ret, .. } | Term::CallIndirect { ret, .. } => [Some(Target::Pc(ret)), None],
            Term::Syscall { next } => [Some(Target::Pc(next)), None],
            Term::Indirect { .. }
            | Term::Return { .. }
            | Term::Trap { .. }
            | Term::Switch { .. }
            | Term::Resume { .. } => [None, None],
        };
        for t in targets.into_iter().flatten() {
            let Target::Pc(pc) = t else { continue };
            match heads.iter_mut().find(|h| h.0 == pc) {
                Some(h) => h.1 = h.1.max(b.pc),
                None => heads.push((pc, b.pc)),
            }
        }
    }
    let mut depth = vec![0; r.blocks.len()];
    for (head, from) in heads {
        if r.block_at(head).is_some() {
            for (d, b) in depth.iter_mut().zip(&r.blocks) {
                *d += u32::from((head..=from).contains(&b.pc));
            }
        }
    }
    depth.into_iter().map(|d| DEPTH_FACTOR.pow(d.min(MAX_DEPTH))).collect()
}

/// The map for a region, and how it differs from the canonical one.
pub(crate) fn adapt(map: &PinMap, r: &Region, guest: &dyn Guest) -> (PinMap, Vec<Swap>) {
    let slots = &guest.slots().slots;
    let mut uses = vec![0u64; slots.len()];
    let mut written = vec![false; slots.len()];
    // Each exchange costs a store and a load at the entry and at the exit, and twice that around each call.
    let mut crossings = 2u64;
    for (b, w) in weights(r).into_iter().enumerate() {
        for i in r.range(BlockId(b as u32)) {
            let inst = &r.insts[i];
            match (inst.op, inst.attr) {
                (Op::Get | Op::Set, Attr::Slot(s)) => {
                    uses[s.0 as usize] += w;
                    written[s.0 as usize] |= inst.op == Op::Set;
                }
                (Op::Call, Attr::Helper(h)) => {
                    crossings += 2 * w;
                    let writes = &guest.helpers()[h.0 as usize].writes;
                    for (k, written) in written.iter_mut().enumerate() {
                        *written |= match writes {
                            ir::SlotSet::None => false,
                            ir::SlotSet::Some(list) => list.contains(&SlotId(k as u16)),
                            ir::SlotSet::All => true,
                        };
                    }
                }
                (Op::InvalCode, _) => crossings += 2 * w,
                _ => {}
            }
        }
        if matches!(r.blocks[b].term, Term::Call { .. } | Term::CallIndirect { .. } | Term::Syscall { .. }) {
            crossings += 2 * w;
        }
    }
    let mut out = map.clone();
    let mut swaps = Vec::new();
    let pairs = |ty: Type, pinned: Vec<SlotId>| {
        let is_pinned = |s: usize| map.int_of[s].is_some() || map.vec_of[s].is_some();
        let mut hot: Vec<SlotId> = (0..slots.len())
            .filter(|&s| slots[s].ty == ty && !is_pinned(s) && uses[s] > 0)
            .map(|s| SlotId(s as u16))
            .collect();
        hot.sort_by_key(|s| std::cmp::Reverse(uses[s.0 as usize]));
        let mut cold = pinned;
        cold.sort_by_key(|s| uses[s.0 as usize]);
        let gains = |h: SlotId, c: SlotId| uses[h.0 as usize] > uses[c.0 as usize] + 2 * crossings;
        hot.into_iter().zip(cold).take_while(move |&(h, c)| gains(h, c)).collect::<Vec<_>>()
    };
    for (hot, cold) in pairs(Type::I64, map.ints.iter().map(|p| p.0).collect()) {
        let reg = map.int_of[cold.0 as usize].expect("pinned");
        (out.int_of[hot.0 as usize], out.int_of[cold.0 as usize]) = (Some(reg), None);
        swaps.push(Swap::Int { reg, hot, cold, written: written[hot.0 as usize] });
    }
    for (hot, cold) in pairs(Type::V128, map.vecs.iter().map(|p| p.0).collect()) {
        let reg = map.vec_of[cold.0 as usize].expect("pinned");
        (out.vec_of[hot.0 as usize], out.vec_of[cold.0 as usize]) = (Some(reg), None);
        swaps.push(Swap::Vec { reg, hot, cold, written: written[hot.0 as usize] });
    }
    (out, swaps)
}

impl C<'_> {
    /// From the region's map to the canonical one. Changes neither the host's flags nor scratch registers.
    pub(crate) fn go_canonical(&mut self) {
        if std::mem::replace(&mut self.canonical, true) {
            return;
        }
        for &s in self.swaps {
            match s {
                Swap::Int { reg, hot, cold, written } => {
                    if written {
                        self.a.store(Sz::Q, self.map.mem(hot), reg);
                    }
                    self.a.mov(Sz::Q, reg, self.map.mem(cold));
                }
                Swap::Vec { reg, hot, cold, written } => {
                    if written {
                        self.a.vst(V::MovapsSt, self.map.mem(hot), reg);
                    }
                    self.a.v2(V::Movaps, reg, self.map.mem(cold));
                }
            }
        }
    }
    /// From the canonical map to the region's.
    pub(crate) fn go_own(&mut self) {
        self.canonical = false;
        for &s in self.swaps {
            match s {
                Swap::Int { reg, hot, cold, .. } => {
                    self.a.store(Sz::Q, self.map.mem(cold), reg);
                    self.a.mov(Sz::Q, reg, self.map.mem(hot));
                }
                Swap::Vec { reg, hot, cold, .. } => {
                    self.a.vst(V::MovapsSt, self.map.mem(cold), reg);
                    self.a.v2(V::Movaps, reg, self.map.mem(hot));
                }
            }
        }
    }
}
