//! Chains of floating-point operations: a result that is only an operand of further operations needs no look at whether it is
//! a NaN, because a NaN stays one to the end of the chain, where it is seen.
//!
//! Input: the uses of a block; output: `C::elided`. The guard at the end sends control to its cold path, which evaluates the
//! unguarded operations again by their definition where the payload or sign of a NaN depends on where it came from, and so
//! their operands are kept until then. Nothing else sees an unguarded value: it is in no slot.

use crate::alloc::{C, Loc, OutCall};
use crate::asm::Level;
use ir::state::VSPILL_SLOTS;
use ir::{Attr, Effect, Fp, Inst, NanRule, Op, Round, Size, Val};

/// How far ahead uses are looked for.
const WINDOW: usize = 40;
/// Most operations that a cold path evaluates again.
const MAX_AGAIN: usize = 4;

impl C<'_> {
    /// The attributes of an operation whose result is a NaN if an operand is and that is done inline.
    fn keeps_nan(&self, i: usize) -> Option<Fp> {
        let inst = &self.r.insts[i];
        let fused = matches!(inst.op, Op::FMa) && self.a.feat.level >= Level::Avx2;
        if !matches!(inst.op, Op::FAdd | Op::FSub | Op::FMul | Op::FDiv | Op::FSqrt) && !fused {
            return None;
        }
        let Attr::Fp(fp) = inst.attr else { return None };
        let plain = fp.rules.plain()
            && fp.rules.nan != NanRule::X86
            && fp.round == Round::Dynamic
            && matches!(fp.shape.lane, Size::S | Size::D)
            && matches!(fp.shape.lanes, 1 | 2 | 4);
        (plain && !self.forced.contains(&i)).then_some(fp)
    }
    /// The same, if all that its guard looks for is a NaN. A fused operation's is for a flag, too: infinity times zero plus
    /// a quiet NaN raises none on the host.
    fn only_nan(&self, i: usize) -> Option<Fp> {
        let op = self.r.insts[i].op;
        if op == Op::FMa {
            return None;
        }
        let tiny = !matches!(op, Op::FAdd | Op::FSub | Op::FSqrt);
        self.keeps_nan(i).filter(|fp| !(fp.rules.tiny_before && tiny))
    }
    /// Whether a cold path must evaluate the operations before its own again.
    fn again(fp: &Fp) -> bool {
        fp.rules.nan != NanRule::Default
    }

    /// Finds the operations of a block that go without a guard.
    pub(crate) fn find_chains(&mut self, first: usize, last: usize) {
        let mut some = false;
        for i in first..last {
            if self.val[i].uses == 0 {
                continue;
            }
            let Some(fp) = self.only_nan(i) else { continue };
            let mut found = 0;
            for j in i + 1..last.min(i + WINDOW) {
                // What is evaluated again raises its flags again, and rounds as it did.
                let op = self.r.insts[j].op;
                if matches!(op, Op::SetFpFlags | Op::SetRound) || op.info().effect == Effect::Call {
                    break;
                }
                let uses = self.r.insts[j].args().filter(|v| v.index() == i).count() as u16;
                if uses > 0 {
                    let same = self.keeps_nan(j).is_some_and(|f| f.shape == fp.shape && f.rules == fp.rules);
                    if !same || self.val[j].uses == 0 {
                        break;
                    }
                    found += uses;
                }
            }
            // Where nothing is evaluated again the length does not matter.
            if found == self.val[i].uses && (!Self::again(&fp) || self.chain_before(i).len() < MAX_AGAIN) {
                self.val[i].elided = true;
                some = true;
            }
        }
        if some {
            self.keep_operands(first, last);
        }
    }
    /// The unguarded operations that a result depends on, in order.
    fn chain_before(&self, i: usize) -> Vec<usize> {
        let mut list: Vec<usize> = Vec::new();
        let mut todo = vec![i];
        while let Some(k) = todo.pop() {
            for v in self.r.insts[k].args() {
                let v = v.index();
                if self.val[v].elided && !list.contains(&v) {
                    list.push(v);
                    todo.push(v);
                }
            }
        }
        list.sort_unstable();
        list
    }
    /// Operands of unguarded operations live until after the last guard that may evaluate these again.
    fn keep_operands(&mut self, first: usize, last: usize) {
        for j in (first..last).rev() {
            if self.val[j].elided || !self.keeps_nan(j).is_some_and(|f| Self::again(&f)) {
                continue;
            }
            for e in self.chain_before(j) {
                for v in self.r.insts[e].args() {
                    if !self.val[v.index()].elided {
                        let l = &mut self.val[v.index()].last;
                        *l = (*l).max(j as u32 + 1);
                    }
                }
            }
        }
    }

    /// The evaluations before that of the current operation `i`, whose operands `call` has captured.
    pub(crate) fn evaluated_again(&mut self, i: &Inst, call: &mut OutCall) -> Vec<OutCall> {
        let Attr::Fp(fp) = i.attr else { return Vec::new() };
        if !Self::again(&fp) || !i.args().any(|v| self.val[v.index()].elided) {
            return Vec::new();
        }
        let chain = self.chain_before(self.idx);
        let free = (0..VSPILL_SLOTS as u8).rev().filter(|n| self.vspill_used >> n & 1 == 0);
        let places: Vec<(usize, u8)> = chain.iter().copied().zip(free).collect();
        if places.len() < chain.len() {
            self.chains_failed = true;
            return Vec::new();
        }
        let place = |v: Val| places.iter().find(|p| p.0 == v.index()).map(|p| Loc::VSpill(p.1));
        let mut calls = Vec::new();
        for &(e, n) in &places {
            let inst = &self.r.insts[e];
            let mut c = self.capture(inst, Loc::VSpill(n));
            for (arg, v) in c.args.iter_mut().zip(inst.args()) {
                arg.0 = place(v).unwrap_or(arg.0);
            }
            calls.push(c);
        }
        for (arg, v) in call.args.iter_mut().zip(i.args()) {
            arg.0 = place(v).unwrap_or(arg.0);
        }
        calls
    }
}
