//! Address folding: constants added to a base move into the displacement, a sum of two values becomes base and
//! index, a shifted index becomes a scale. A slot's old value is not dragged past a `set` of the slot: that would cost a
//! copy, while the sum is usually what the slot holds now.

use crate::values::table;
use ir::{Attr, Guest, Inst, Op, Region, SlotId, Type, Val};
use std::cell::Cell;

/// Folds what it can into the address of the access `i`.
pub(crate) fn run(region: &mut Region, homes: &Homes, i: usize) {
    let mut inst = region.insts[i];
    let Attr::Mem(mut mem) = inst.attr else { return };
    // Constants into the displacement.
    for _ in 0..2 {
        let d = region.inst(inst.args[0]);
        let (op, [x, y, ..]) = (d.op, d.args);
        let sign = match op {
            Op::Add => 1i64,
            Op::Sub => -1,
            _ => break,
        };
        let c = region.inst(y);
        if c.op != Op::Const {
            break;
        }
        let disp = (inst.imm as i64).wrapping_add((c.imm as i64).wrapping_mul(sign));
        if i32::try_from(disp).is_err() || homes.is_old(x) {
            break;
        }
        inst.imm = disp as u64;
        inst.args[0] = x;
    }
    // A sum of two registers into base and index.
    if !inst.args[1].is_some() {
        let d = region.inst(inst.args[0]);
        let old = d.op == Op::Add && d.args[..2].iter().any(|&v| homes.is_old(v));
        if d.op == Op::Add && !old && !is_const(region, d.args[1]) {
            (inst.args[0], inst.args[1]) = (d.args[0], d.args[1]);
            mem.scale = 0;
        }
    }
    // A shifted index into the scale.
    if inst.args[1].is_some() && mem.scale == 0 {
        let d = region.inst(inst.args[1]);
        if d.op == Op::Shl && d.ty == Type::I64 {
            let n = region.inst(d.args[1]);
            if n.op == Op::Const && n.imm <= 3 {
                inst.args[1] = d.args[0];
                mem.scale = n.imm as u8;
            }
        }
    }
    inst.attr = Attr::Mem(mem);
    region.insts[i] = inst;
}

thread_local! {
    static HOLDER: Cell<Vec<Val>> = const { Cell::new(Vec::new()) };
    static HOME: Cell<Vec<Option<SlotId>>> = const { Cell::new(Vec::new()) };
}

/// Which value each slot holds, and which slot each value was last in.
pub(crate) struct Homes {
    holder: Vec<Val>,
    home: Vec<Option<SlotId>>,
}

impl Homes {
    pub fn new(region: &Region, guest: &dyn Guest) -> Homes {
        Homes {
            holder: table(&HOLDER, guest.slots().slots.len(), Val::NONE),
            home: table(&HOME, region.insts.len(), None),
        }
    }
    /// Gives the memory back.
    pub fn done(self) {
        ir::kept::keep(&HOLDER, self.holder);
        ir::kept::keep(&HOME, self.home);
    }
    /// Notes the `get` or `set` at `i`.
    pub fn see(&mut self, inst: &Inst, i: usize) {
        let (slot, v) = match (inst.op, inst.attr) {
            (Op::Get, Attr::Slot(s)) => (s, Val(i as u32)),
            (Op::Set, Attr::Slot(s)) => (s, inst.args[0]),
            _ => return,
        };
        self.holder[slot.0 as usize] = v;
        self.home[v.index()] = Some(slot);
    }
    /// The value is one that a slot held before another.
    fn is_old(&self, v: Val) -> bool {
        self.home[v.index()].is_some_and(|s| self.holder[s.0 as usize] != v)
    }
}

fn is_const(region: &Region, v: Val) -> bool {
    region.inst(v).op == Op::Const
}
