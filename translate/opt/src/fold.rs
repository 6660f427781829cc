//! Constant folding by the interpreter's own definitions, guest addresses with offsets, and identities.

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
        let mut mapped = false;
        for i in region.range(BlockId(b as u32)) {
            if mapped {
                rewrite_args(&mut region.insts[i], &map);
            }
            let inst = &region.insts[i];
            if !matches!(inst.ty, Type::I32 | Type::I64)
                || matches!(inst.op, Op::Const | Op::Addr | Op::Get)
                || flags_used[i]
                || inst.op.info().effect != Effect::Pure
            {
                continue;
            }
            if let Some(c) = constant(region, inst) {
                let folded = Inst { op: Op::Const, attr: Attr::None, args: [Val::NONE; 4], imm: c, ..*inst };
                region.insts[i] = folded;
            } else if let Some((base, sum)) = address(region, inst) {
                region.insts[i] = Inst { op: Op::Addr, args: [Val::NONE; 4], imm: sum, ..base };
            } else if let Some(v) = identity(region, inst) {
                map[i] = v;
                mapped = true;
                region.insts[i] = Inst::NOP;
            }
        }
        if mapped {
            rewrite_term(&mut region.blocks[b].term, &map);
        }
    }
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
