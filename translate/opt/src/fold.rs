//! Constant folding by the interpreter's own definitions, and identities.

use crate::forward::{rewrite_args, rewrite_term};
use ir::{Attr, BlockId, Effect, FpState, Guest, Inst, Op, Region, Type, Val, interp};

/// The pass.
pub fn run(region: &mut Region, _guest: &dyn Guest) {
    let mut map = vec![Val::NONE; region.insts.len()];
    // An arithmetic instruction whose flags are used keeps its form: the flags are recomputed from it.
    let mut flags_used = vec![false; region.insts.len()];
    for inst in &region.insts {
        if inst.op == Op::FlagsOf {
            flags_used[inst.args[0].index()] = true;
        }
    }
    for b in 0..region.blocks.len() {
        for i in region.range(BlockId(b as u32)) {
            let mut inst = region.insts[i];
            rewrite_args(&mut inst, &map);
            if !flags_used[i]
                && matches!(inst.ty, Type::I32 | Type::I64)
                && inst.op.info().effect == Effect::Pure
            {
                if let Some(c) = constant(region, &inst) {
                    inst = Inst { op: Op::Const, attr: Attr::None, args: [Val::NONE; 4], imm: c, ..inst };
                } else if let Some(v) = identity(region, &inst) {
                    map[i] = v;
                    inst = Inst::NOP;
                }
            }
            region.insts[i] = inst;
        }
        rewrite_term(&mut region.blocks[b].term, &map);
    }
}

fn value(region: &Region, v: Val) -> Option<u64> {
    let i = region.inst(v);
    (i.op == Op::Const).then_some(i.imm)
}

/// The constant that `inst` computes.
fn constant(region: &Region, inst: &Inst) -> Option<u64> {
    if matches!(inst.op, Op::Const | Op::Addr) {
        return None;
    }
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
