//! Merged flags that only conditions look at: where a condition needs flags of one side only, it looks at that side, and
//! the merge goes if nothing else wants it.

use ir::{Attr, Cc, Guest, Op, Region, Term, Val};

/// The pass.
pub fn run(region: &mut Region, _guest: &dyn Guest) {
    if !region.insts.iter().any(|i| i.op == Op::FlagsMerge) {
        return;
    }
    // Whether more than conditions want a value: then it has to be made anyway.
    let mut whole = vec![false; region.insts.len()];
    for inst in &region.insts {
        let conditional =
            matches!(inst.op, Op::SetCc | Op::Select | Op::VSelect | Op::FlagsSelect | Op::CondFlags);
        for (n, v) in inst.args().enumerate() {
            whole[v.index()] |= !(conditional && n == 0);
        }
    }
    for i in 0..region.insts.len() {
        if let (Op::SetCc | Op::Select | Op::VSelect | Op::FlagsSelect | Op::CondFlags, Attr::Cc(cc)) =
            (region.insts[i].op, region.insts[i].attr)
        {
            region.insts[i].args[0] = part(region, &whole, region.insts[i].args[0], cc);
        }
    }
    for b in 0..region.blocks.len() {
        if let Term::Branch { flags, cc, .. } = region.blocks[b].term {
            let new = part(region, &whole, flags, cc);
            if let Term::Branch { flags, .. } = &mut region.blocks[b].term {
                *flags = new;
            }
        }
    }
}

/// The side of the merge `v` that decides `cc`, or `v`.
fn part(region: &Region, whole: &[bool], v: Val, cc: Cc) -> Val {
    let mut v = v;
    loop {
        let inst = region.inst(v);
        if inst.op != Op::FlagsMerge || whole[v.index()] {
            return v;
        }
        let (needs, mask) = (cc.needs(), inst.imm as u8);
        v = if needs & !mask == 0 {
            inst.args[1]
        } else if needs & mask == 0 {
            inst.args[0]
        } else {
            return v;
        };
    }
}
