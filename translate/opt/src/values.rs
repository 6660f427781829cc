//! What the passes share: replacing values, the value a terminator uses, and tables that are kept from one region to the
//! next, so that a short region does not pay for memory.

use ir::kept::{self, Kept};
use ir::{Inst, Val};

/// The table with `n` entries of `value`; given back with `keep` at the end.
pub(crate) fn table<T: Clone>(kept: &'static Kept<Vec<T>>, n: usize, value: T) -> Vec<T> {
    let mut v = kept::take(kept);
    v.clear();
    v.resize(n, value);
    v
}

/// Replaces arguments by `map` (identity where `Val::NONE`).
pub(crate) fn rewrite_args(inst: &mut Inst, map: &[Val]) {
    for a in &mut inst.args {
        if a.is_some() && map[a.index()].is_some() {
            *a = map[a.index()];
        }
    }
}

/// Replaces the values a terminator uses.
pub(crate) fn rewrite_term(term: &mut ir::Term, map: &[Val]) {
    use ir::Term;
    match term {
        Term::Branch { flags: v, .. }
        | Term::CallIndirect { addr: v, .. }
        | Term::Indirect { addr: v }
        | Term::Return { addr: v } => {
            if map[v.index()].is_some() {
                *v = map[v.index()];
            }
        }
        Term::Jump(_)
        | Term::Call { .. }
        | Term::Syscall { .. }
        | Term::Trap { .. }
        | Term::Switch { .. }
        | Term::Resume { .. } => {}
    }
}

/// The value a terminator uses.
pub(crate) fn term_value(term: &ir::Term) -> Option<Val> {
    use ir::Term;
    match term {
        Term::Branch { flags: v, .. }
        | Term::CallIndirect { addr: v, .. }
        | Term::Indirect { addr: v }
        | Term::Return { addr: v } => Some(*v),
        Term::Jump(_)
        | Term::Call { .. }
        | Term::Syscall { .. }
        | Term::Trap { .. }
        | Term::Switch { .. }
        | Term::Resume { .. } => None,
    }
}
