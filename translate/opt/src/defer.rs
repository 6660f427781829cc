//! Deferred flags: a `set` of a flags slot that is overwritten before anything but a fault or a poll looks at it becomes a
//! recipe: how the flags follow from slots that keep their values until then (`ir::Recipe`).
//!
//! Where control may go on to code that could look at the flags, or that the region does not know, the edge gets a block
//! of its own that makes the flags. So recipes never leave the region except by a fault or a poll, whose handling
//! makes the flags from them.

use ir::{
    Attr, Block, BlockId, Effect, Guest, Inst, Op, Recipe, RecipeArg, RecipeOp, Region, SlotId, Target, Term,
    Type, Val,
};

/// How many blocks ahead the overwriting may be.
const DEPTH: usize = 3;

/// The pass.
pub fn run(region: &mut Region, guest: &dyn Guest) {
    let slots = guest.slots();
    let Some(flags) = slots.slots.iter().position(|s| s.ty == Type::Flags) else { return };
    let flags = SlotId(flags as u16);
    for b in 0..region.blocks.len() {
        let Some(at) = sets(region, guest, b, flags) else { continue };
        let end = region.blocks[b].last as usize;
        let Some(recipe) = recipe(region, guest, b, at, end) else { continue };
        let [then, els] = targets(&region.blocks[b].term);
        let safe = |t: Option<Target>| t.is_some_and(|t| is_safe_at(region, t, &recipe, flags, DEPTH));
        let (then_safe, els_safe) = (safe(then), safe(els));
        if !then_safe && !els_safe {
            continue;
        }
        region.insts[at] = defer(&recipe, flags);
        let mut split = |t: Option<Target>, is_safe: bool| match t {
            Some(t) if !is_safe => make_on_edge(region, guest, b, t, &recipe, flags),
            Some(t) => t,
            None => Target::Pc(0),
        };
        let (then, els) = (split(then, then_safe), split(els, els_safe));
        match &mut region.blocks[b].term {
            Term::Jump(t) => *t = then,
            Term::Branch { then: t, els: e, .. } => (*t, *e) = (then, els),
            _ => unreachable!("no targets"),
        }
    }
}

fn targets(term: &Term) -> [Option<Target>; 2] {
    match *term {
        Term::Jump(t) => [Some(t), None],
        Term::Branch { then, els, .. } => [Some(then), Some(els)],
        Term::Call { .. }
        | Term::CallIndirect { .. }
        | Term::Indirect { .. }
        | Term::Switch { .. }
        | Term::Return { .. }
        | Term::Syscall { .. }
        | Term::Trap { .. }
        | Term::Resume { .. } => [None, None],
    }
}

fn defer(recipe: &Recipe, flags: SlotId) -> Inst {
    let imm = u64::from(recipe.encode().expect("chosen to fit"));
    Inst { op: Op::Defer, ty: Type::Void, attr: Attr::Slot(flags), args: [Val::NONE; 4], imm }
}

fn is_set(inst: &Inst, slot: SlotId) -> bool {
    inst.op == Op::Set && matches!(inst.attr, Attr::Slot(s) if s == slot)
}

fn faults(inst: &Inst) -> bool {
    matches!(inst.op.info().effect, Effect::Load | Effect::Store)
}

/// Defers sets that a later one in the same block overwrites, with only accesses between. The block's last `set` of the flags,
/// if nothing reads them after it.
fn sets(region: &mut Region, guest: &dyn Guest, b: usize, flags: SlotId) -> Option<usize> {
    let (mut next, mut last) = (None, None);
    let mut open = targets(&region.blocks[b].term)[0].is_some() && !region.changes_mode(BlockId(b as u32));
    for i in region.range(BlockId(b as u32)).rev() {
        let inst = &region.insts[i];
        match (inst.op, inst.attr) {
            (Op::Nop | Op::Insn | Op::Const, _) => {}
            (Op::Set, Attr::Slot(s)) if s == flags => {
                match next {
                    Some(end) => {
                        if let Some(recipe) = recipe(region, guest, b, i, end) {
                            region.insts[i] = defer(&recipe, flags);
                        }
                    }
                    None if open => last = Some(i),
                    None => {}
                }
                (next, open) = (Some(i), false);
            }
            (Op::Get | Op::Defer, Attr::Slot(s)) => {
                if s == flags {
                    (next, open) = (None, false);
                }
            }
            (Op::Set, _) => {}
            (op, _) => {
                if op.info().effect == Effect::Call {
                    (next, open) = (None, false);
                }
            }
        }
    }
    last
}

/// A recipe for the flags that the `set` at `at` stores, valid for everything that may look between it and `end`.
fn recipe(region: &Region, guest: &dyn Guest, b: usize, at: usize, end: usize) -> Option<Recipe> {
    let made = region.inst(region.insts[at].args[0]);
    if made.op != Op::FlagsOf {
        return None;
    }
    let result = made.args[0];
    let op = region.inst(result);
    let [x, y, ..] = op.args;
    let holder = |v: Val| holder(region, guest, b, at, end, v);
    let second = |v: Val| {
        let d = region.inst(v);
        if d.op == Op::Const {
            let c = if op.ty == Type::I32 { u64::from(d.imm as u32) } else { d.imm };
            return u32::try_from(c).ok().map(RecipeArg::Const);
        }
        holder(v).map(RecipeArg::Slot)
    };
    let (kind, of_result) = match (op.op, made.imm & 1 != 0) {
        (Op::Sub, false) => (RecipeOp::Sub, RecipeOp::SubResult),
        (Op::Sub, true) => (RecipeOp::SubTurned, RecipeOp::SubResultTurned),
        (Op::Add, false) => (RecipeOp::Add, RecipeOp::AddResult),
        // Of or and xor as well the flags are those of the result.
        (Op::And | Op::Or | Op::Xor, false) => (RecipeOp::And, RecipeOp::And),
        _ => return None,
    };
    let fits = |r: Recipe| r.encode().is_some().then_some(r);
    if matches!(op.op, Op::Or | Op::Xor) {
        let a = holder(result)?;
        return fits(Recipe { op: kind, ty: op.ty, a, b: RecipeArg::Slot(a) });
    }
    if let (Some(a), Some(b)) = (holder(x), second(y))
        && let Some(r) = fits(Recipe { op: kind, ty: op.ty, a, b })
    {
        return Some(r);
    }
    let a = holder(result)?;
    let b = if op.op == Op::And { RecipeArg::Slot(a) } else { second(y)? };
    fits(Recipe { op: of_result, ty: op.ty, a, b })
}

/// A slot that holds `v` (at its width) whenever something between `at` and `end` may fault, and at `end` if that is the
/// block's.
fn holder(region: &Region, guest: &dyn Guest, b: usize, at: usize, end: usize, v: Val) -> Option<SlotId> {
    let range = region.range(BlockId(b as u32));
    let holds = |content: Val| {
        let c = region.inst(content);
        let d = region.inst(v);
        content == v
            || (matches!(c.op, Op::Zext32 | Op::Sext32) && c.args[0] == v)
            || (d.op == Op::Trunc && d.args[0] == content)
    };
    // From `from` on the slot holds the value: nothing writes it before the last that may look.
    let keeps = |s: SlotId, from: usize| {
        let mut written = false;
        for i in from..end {
            let inst = &region.insts[i];
            written |= is_set(inst, s);
            if written && faults(inst) {
                return false;
            }
        }
        !(written && end == range.end)
    };
    let usable =
        |s: SlotId| s.0 < ir::RECIPE_SLOTS && matches!(guest.slots().get(s).ty, Type::I32 | Type::I64);
    // Written after the flags, before anything may fault.
    for i in at + 1..end {
        let inst = &region.insts[i];
        if faults(inst) {
            break;
        }
        if let (Op::Set, Attr::Slot(s)) = (inst.op, inst.attr)
            && usable(s)
            && holds(inst.args[0])
            && keeps(s, i + 1)
        {
            return Some(s);
        }
    }
    // Held already.
    let mut seen = 0u64;
    for i in (range.start..at).rev() {
        let inst = &region.insts[i];
        if inst.op.info().effect == Effect::Call {
            break;
        }
        let (Op::Set | Op::Get, Attr::Slot(s)) = (inst.op, inst.attr) else { continue };
        if !usable(s) || seen >> s.0 & 1 != 0 {
            continue;
        }
        seen |= 1 << s.0;
        let content = if inst.op == Op::Set { inst.args[0] } else { Val(i as u32) };
        if holds(content) && keeps(s, at + 1) {
            return Some(s);
        }
    }
    None
}

fn names(recipe: &Recipe, s: SlotId) -> bool {
    recipe.a == s || recipe.b == RecipeArg::Slot(s)
}

/// True if the flags are overwritten from `t` on, and until then the recipe holds wherever something may look.
fn is_safe_at(region: &Region, t: Target, recipe: &Recipe, flags: SlotId, depth: usize) -> bool {
    let block = match t {
        Target::Pc(pc) => region.block_at(pc),
        Target::Block(b) => Some(b),
    };
    let Some(block) = block else { return false };
    let mut written = false;
    for i in region.range(block) {
        let inst = &region.insts[i];
        match (inst.op, inst.attr) {
            (Op::Set | Op::Defer, Attr::Slot(s)) if s == flags => return true,
            (Op::Get, Attr::Slot(s)) if s == flags => return false,
            (Op::Set, Attr::Slot(s)) => written |= names(recipe, s),
            _ if inst.op.info().effect == Effect::Call => return false,
            _ if written && faults(inst) => return false,
            _ => {}
        }
    }
    let next = targets(&region.blocks[block.0 as usize].term);
    !written
        && depth > 0
        && next[0].is_some()
        && next.into_iter().flatten().all(|t| is_safe_at(region, t, recipe, flags, depth - 1))
}

/// A block that makes the flags on the way from `b` to `t`.
fn make_on_edge(
    region: &mut Region,
    guest: &dyn Guest,
    b: usize,
    t: Target,
    recipe: &Recipe,
    flags: SlotId,
) -> Target {
    let first = region.insts.len() as u32;
    let mut push = |op: Op, ty: Type, attr: Attr, args: &[Val], imm: u64| {
        let mut all = [Val::NONE; 4];
        all[..args.len()].copy_from_slice(args);
        region.insts.push(Inst { op, ty, attr, args: all, imm });
        Val(region.insts.len() as u32 - 1)
    };
    let ty = recipe.ty;
    let mut read = |s: SlotId| {
        let held = guest.slots().get(s).ty;
        let v = push(Op::Get, held, Attr::Slot(s), &[], 0);
        if held == ty {
            v
        } else {
            push(if ty == Type::I32 { Op::Trunc } else { Op::Zext32 }, ty, Attr::None, &[v], 0)
        }
    };
    let a = read(recipe.a);
    let other = match recipe.b {
        RecipeArg::Slot(s) if s == recipe.a => Ok(a),
        RecipeArg::Slot(s) => Ok(read(s)),
        RecipeArg::Const(c) => Err(c),
    };
    let y = match other {
        Ok(v) => v,
        Err(c) => push(Op::Const, ty, Attr::None, &[], u64::from(c)),
    };
    let (op, x) = match recipe.op {
        RecipeOp::Sub | RecipeOp::SubTurned => (Op::Sub, a),
        RecipeOp::Add => (Op::Add, a),
        RecipeOp::And => (Op::And, a),
        RecipeOp::SubResult | RecipeOp::SubResultTurned => {
            (Op::Sub, push(Op::Add, ty, Attr::None, &[a, y], 0))
        }
        RecipeOp::AddResult => (Op::Add, push(Op::Sub, ty, Attr::None, &[a, y], 0)),
    };
    let result = push(op, ty, Attr::None, &[x, y], 0);
    let turned = u64::from(recipe.op.turned());
    let value = push(Op::FlagsOf, Type::Flags, Attr::None, &[result], turned);
    push(Op::Set, Type::Void, Attr::Slot(flags), &[value], 0);
    let last = region.insts.len() as u32;
    let (pc, end) = (region.blocks[b].pc, region.blocks[b].end);
    region.blocks.push(Block { pc, end, entry: false, first, last, term: Term::Jump(t) });
    Target::Block(BlockId(region.blocks.len() as u32 - 1))
}
