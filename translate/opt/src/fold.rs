//! Constant folding by the interpreter's own definitions, guest addresses with offsets, identities, and what can be folded
//! into addresses: all that goes forward through a block, in one walk.

use crate::address::{self, Homes};
use crate::values::{rewrite_args, rewrite_term, table};
use ir::{Attr, BlockId, Cc, Effect, FpState, Guest, Inst, Op, Region, Term, Type, Val, interp};
use std::cell::Cell;

thread_local! {
    static MAP: Cell<Vec<Val>> = const { Cell::new(Vec::new()) };
}

/// The pass.
pub fn run(region: &mut Region, guest: &dyn Guest) {
    let mut map = MAP.take();
    let mut homes = Homes::new(region, guest);
    for b in 0..region.blocks.len() {
        let mut mapped = false;
        for i in region.range(BlockId(b as u32)) {
            if mapped {
                rewrite_args(&mut region.insts[i], &map);
            }
            let inst = &region.insts[i];
            match inst.op {
                Op::Nop | Op::Insn | Op::Const | Op::Addr | Op::FlagsOf => continue,
                Op::Get | Op::Set => {
                    homes.see(inst, i);
                    continue;
                }
                Op::Load
                | Op::Store
                | Op::VLoad
                | Op::VStore
                | Op::VLoadMask
                | Op::VStoreMask
                | Op::Prefetch => {
                    address::run(region, &homes, i);
                    continue;
                }
                _ => {}
            }
            if !matches!(inst.ty, Type::I32 | Type::I64) || inst.op.info().effect != Effect::Pure {
                continue;
            }
            if let Some(c) = constant(region, inst) {
                if flags_used(region, b, i) {
                    continue;
                }
                let folded = Inst { op: Op::Const, attr: Attr::None, args: [Val::NONE; 4], imm: c, ..*inst };
                region.insts[i] = folded;
            } else if let Some((base, sum)) = address(region, inst) {
                if !flags_used(region, b, i) {
                    region.insts[i] = Inst { op: Op::Addr, args: [Val::NONE; 4], imm: sum, ..base };
                }
            } else if let Some(v) = identity(region, inst) {
                if flags_used(region, b, i) {
                    continue;
                }
                if !mapped {
                    ir::kept::keep(&MAP, map);
                    map = table(&MAP, region.insts.len(), Val::NONE);
                    mapped = true;
                }
                map[i] = v;
                region.insts[i] = Inst::NOP;
            }
        }
        if mapped {
            rewrite_term(&mut region.blocks[b].term, &map);
        }
        if let Some((new, condition)) = condition(region, b)
            && let Term::Branch { flags, cc, .. } = &mut region.blocks[b].term
        {
            (*flags, *cc) = (new, condition);
        }
    }
    ir::kept::keep(&MAP, map);
    homes.done();
}

/// An arithmetic instruction whose flags are used keeps its form: the flags are recomputed from it.
fn flags_used(region: &Region, b: usize, i: usize) -> bool {
    let rest = &region.insts[i + 1..region.blocks[b].last as usize];
    rest.iter().any(|inst| inst.op == Op::FlagsOf && inst.args[0].index() == i)
}

/// A branch on whether a condition that was stored as a number is zero is one on the condition itself, if its flags are still
/// there: nothing but moves stands between.
fn condition(region: &Region, b: usize) -> Option<(Val, Cc)> {
    let Term::Branch { flags, cc, .. } = region.blocks[b].term else { return None };
    let test = region.inst(flags);
    let difference = (test.op == Op::FlagsOf && test.imm == 0).then_some(test.args[0])?;
    let d = region.inst(difference);
    let zero = d.op == Op::Sub && value(region, d.args[1]) == Some(0);
    let set = zero.then(|| region.inst(d.args[0])).filter(|s| s.op == Op::SetCc)?;
    let Attr::Cc(stored) = set.attr else { return None };
    let cc = match cc {
        Cc::Ne => stored,
        Cc::Eq => stored.invert(),
        _ => return None,
    };
    let moves = |i: usize| {
        let inst = &region.insts[i];
        matches!(inst.op, Op::Insn | Op::Nop | Op::Const | Op::Set | Op::Get)
            || (inst.op == Op::SetCc && inst.args[0] == set.args[0])
            || (Val(i as u32) == difference || Val(i as u32) == flags)
    };
    let after = set.args[0].index() + 1;
    let end = region.range(BlockId(b as u32)).end;
    (after..end).all(moves).then_some((set.args[0], cc))
}

/// A guest address plus or minus a constant is another one.
fn address(region: &Region, inst: &Inst) -> Option<(Inst, u64)> {
    if !matches!(inst.op, Op::Add | Op::Sub) {
        return None;
    }
    let base = *region.inst(inst.args[0]);
    let by = value(region, inst.args[1])?;
    let sum = if inst.op == Op::Add { base.imm.wrapping_add(by) } else { base.imm.wrapping_sub(by) };
    (base.op == Op::Addr).then_some((base, sum))
}

fn value(region: &Region, v: Val) -> Option<u64> {
    let i = region.inst(v);
    (i.op == Op::Const).then_some(i.imm)
}

/// The constant that `inst` computes.
fn constant(region: &Region, inst: &Inst) -> Option<u64> {
    let mut args = [0u128; 4];
    for (slot, v) in args.iter_mut().zip(inst.args()) {
        *slot = u128::from(value(region, v)?);
    }
    Some(interp::eval(inst, &args, &mut FpState::default()) as u64)
}

/// An existing value equal to `inst`'s.
fn identity(region: &Region, inst: &Inst) -> Option<Val> {
    let [a, b, ..] = inst.args;
    let width = if inst.ty == Type::I32 { 32 } else { 64 };
    let ones = if inst.ty == Type::I32 { u64::from(u32::MAX) } else { u64::MAX };
    let cb = || if b.is_some() { value(region, b) } else { None };
    let ca = || value(region, a);
    match inst.op {
        Op::Add | Op::Or | Op::Xor => {
            if cb() == Some(0) {
                Some(a)
            } else if ca() == Some(0) {
                Some(b)
            } else {
                None
            }
        }
        Op::Sub | Op::AndN => (cb() == Some(0)).then_some(a),
        Op::Shl | Op::Shr | Op::Sar | Op::Ror => cb().is_some_and(|c| c % width == 0).then_some(a),
        Op::And => {
            if a == b || cb() == Some(ones) {
                Some(a)
            } else if ca() == Some(ones) {
                Some(b)
            } else {
                None
            }
        }
        Op::Mul => (cb() == Some(1)).then_some(a),
        Op::Ubfx | Op::Sbfx => (inst.imm == width << 8).then_some(a),
        Op::Trunc => {
            let d = region.inst(a);
            matches!(d.op, Op::Zext32 | Op::Sext32).then_some(d.args[0])
        }
        _ => None,
    }
}
