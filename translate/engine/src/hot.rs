//! The hot tier: loops that have run often are compiled once more, as one region with registers of its own.
//!
//! The quick tier counts the passages of loop heads (`ir::Plan::count`). When a counter overflows the thread leaves with
//! `exit::HOT` at the head, the natural loop of that head is gathered from the guest's code, as far as the quick tier has
//! seen its blocks, compiled, and published: the key's entry and all sites that lead to it, jumps inside quick regions
//! included, are patched to the new code. It is compiled by the thread that found it: the size of a loop is bounded, and so
//! is the time. A loop that cannot be had stays in the quick tier.

use crate::translate::{ArenaFull, Clock, MAX_INSN_BYTES, PC_MASK};
use crate::{Config, CpuState, Engine, Inner};
use ir::{Block, BlockId, BlockRequest, Builder, Inst, Plan, Region, Target, Term};

/// What makes loops hot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HotConfig {
    /// A loop is hot after so many passages of its head.
    pub threshold: u32,
    /// For tests: what of all code is compiled by the hot tier at first sight.
    pub at_once: AtOnce,
}

/// Code that is compiled by the hot tier at first sight, loop or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AtOnce {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// Half of it, chosen by this seed.
    Half(u64),
}

impl Default for HotConfig {
    fn default() -> HotConfig {
        HotConfig { threshold: 1 << 14, at_once: AtOnce::None }
    }
}

/// Most blocks and guest instructions of a loop.
const MAX_LOOP: (usize, usize) = (64, 768);
/// The same for what is compiled at first sight.
const MAX_SIGHT: (usize, usize) = (12, 96);
/// Bytes of a block that are looked at.
const WINDOW: usize = 1024;

/// The blocks from `pc` on that `wanted` accepts, nearest first. `None` if there is nothing to fetch.
fn gather(
    config: &Config,
    inner: &Inner,
    pc: u64,
    mode: u64,
    (max_blocks, max_insns): (usize, usize),
    wanted: &dyn Fn(u64) -> bool,
) -> Option<Region> {
    let guest = &*config.guest;
    let plain = mode & !guest.entry_modes(mode);
    let mut b = Builder::new(plain);
    let mut todo = std::collections::VecDeque::from([pc]);
    let mut left = max_insns;
    while let Some(at) = todo.pop_front() {
        if left == 0 || b.region().blocks.len() >= max_blocks || b.region().block_at(at).is_some() {
            continue;
        }
        let mut code = [0u8; WINDOW];
        let (len, changing) = config.memory.hold(at, &mut code);
        // Code that changes without notice stays with the quick tier.
        if changing {
            continue;
        }
        if len < if at == pc { 1 } else { MAX_INSN_BYTES as usize } {
            continue;
        }
        let before = (b.region().insts.len(), b.region().blocks.len());
        let attributes = if config.memory.has_attributes() { config.memory.attributes(at) } else { 0 };
        let request = BlockRequest {
            pc: at,
            code: &code[..len],
            mode: if at == pc { mode } else { plain },
            max_insns: left,
            tagged: inner.tagged_pages.contains(&(at >> 12)),
            attributes,
        };
        guest.translate_block(&request, &mut b);
        let insns = b.region().insts[before.0..].iter().filter(|i| i.op == ir::Op::Insn).count();
        left = left.saturating_sub(insns.max(1));
        for k in before.1..b.region().blocks.len() {
            for t in exits(b.region(), k).into_iter().flatten() {
                if let Target::Pc(t) = t
                    && wanted(t)
                {
                    todo.push_back(t);
                }
            }
        }
    }
    let region = b.finish();
    (!region.blocks.is_empty()).then_some(region)
}

/// Where control goes on in the same region, after a call that returned, too.
fn successors(term: &Term) -> [Option<Target>; 2] {
    match *term {
        Term::Jump(t) => [Some(t), None],
        Term::Branch { then, els, .. } => [Some(els), Some(then)],
        Term::Call { ret, .. } | Term::CallIndirect { ret, .. } => [Some(Target::Pc(ret)), None],
        Term::Syscall { next } => [Some(Target::Pc(next)), None],
        Term::Indirect { .. }
        | Term::Return { .. }
        | Term::Trap { .. }
        | Term::Switch { .. }
        | Term::Resume { .. } => [None, None],
    }
}

/// [`successors`] of a block, of which those under another mode are none.
fn exits(region: &Region, block: usize) -> [Option<Target>; 2] {
    if region.changes_mode(BlockId(block as u32)) {
        return [None, None];
    }
    successors(&region.blocks[block].term)
}

fn find(region: &Region, t: Target) -> Option<usize> {
    match t {
        Target::Pc(pc) => region.block_at(pc),
        Target::Block(b) => Some(b),
    }
    .map(|b| b.0 as usize)
}

/// Keeps of the region what leads back to its first block, and parts of instructions that what is kept jumps to. `None`
/// if the first block is in no loop.
fn natural_loop(region: &Region) -> Option<Region> {
    let n = region.blocks.len();
    let next: Vec<[Option<usize>; 2]> =
        (0..n).map(|b| exits(region, b).map(|t| t.and_then(|t| find(region, t)))).collect();
    let mut keep = vec![false; n];
    // Blocks come nearest first, so going backwards few rounds are needed.
    loop {
        let mut changed = false;
        for b in (0..n).rev() {
            if !keep[b] && next[b].iter().flatten().any(|&s| s == 0 || keep[s]) {
                (keep[b], changed) = (true, true);
            }
        }
        if !changed {
            break;
        }
    }
    if !keep[0] {
        return None;
    }
    loop {
        let mut changed = false;
        for b in 0..n {
            if !keep[b] {
                continue;
            }
            for t in successors(&region.blocks[b].term).into_iter().flatten() {
                if let Target::Block(t) = t
                    && !std::mem::replace(&mut keep[t.0 as usize], true)
                {
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    Some(select(region, &keep))
}

/// The region with only the blocks in `keep`, laid out so that a block is followed by its likelier successor.
fn select(region: &Region, keep: &[bool]) -> Region {
    let mut order = Vec::new();
    let mut placed = vec![false; keep.len()];
    let mut todo = vec![0];
    while let Some(b) = todo.pop() {
        if !keep[b] || std::mem::replace(&mut placed[b], true) {
            continue;
        }
        order.push(b);
        let [near, far] = exits(region, b).map(|t| t.and_then(|t| find(region, t)));
        todo.extend(far);
        todo.extend(near);
    }
    let mut number = vec![None; keep.len()];
    for (new, &old) in order.iter().enumerate() {
        number[old] = Some(BlockId(new as u32));
    }
    let target = |t: Target| match t {
        Target::Pc(_) => t,
        Target::Block(b) => Target::Block(number[b.0 as usize].expect("kept with its user")),
    };
    let mut out = Region { mode: region.mode, ..Region::default() };
    for old in order {
        let block = &region.blocks[old];
        let first = out.insts.len() as u32;
        let moved = |v: ir::Val| if v.is_some() { ir::Val(v.0 - block.first + first) } else { v };
        out.insts.extend(
            region.insts[block.first as usize..block.last as usize]
                .iter()
                .map(|i| Inst { args: i.args.map(moved), ..*i }),
        );
        let term = match block.term {
            Term::Jump(t) => Term::Jump(target(t)),
            Term::Branch { flags, cc, then, els } => {
                Term::Branch { flags: moved(flags), cc, then: target(then), els: target(els) }
            }
            Term::CallIndirect { addr, ret } => Term::CallIndirect { addr: moved(addr), ret },
            Term::Indirect { addr } => Term::Indirect { addr: moved(addr) },
            Term::Return { addr } => Term::Return { addr: moved(addr) },
            Term::Call { .. }
            | Term::Syscall { .. }
            | Term::Trap { .. }
            | Term::Switch { .. }
            | Term::Resume { .. } => block.term,
        };
        out.blocks.push(Block { first, last: out.insts.len() as u32, term, ..block.clone() });
    }
    out
}

impl Engine {
    /// What loops become hot by, if they do at all.
    pub(crate) fn hot(&self) -> Option<&HotConfig> {
        self.config.hot.as_ref().filter(|_| !self.config.one_insn && !self.no_chain())
    }

    /// How the quick tier compiles.
    pub(crate) fn quick_plan(&self) -> Plan {
        let by = |h: &HotConfig| (1u64 << 32).div_ceil(u64::from(h.threshold.max(1)));
        Plan { count: self.hot().map(|h| u32::try_from(by(h)).unwrap_or(u32::MAX)), hot: false }
    }

    /// The region for `key` if it is compiled by the hot tier at first sight.
    pub(crate) fn region_at_once(&self, inner: &Inner, pc: u64, mode: u64) -> Option<Region> {
        let chosen = match self.hot()?.at_once {
            AtOnce::None => false,
            AtOnce::All => true,
            AtOnce::Half(seed) => ((pc ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63) != 0,
        };
        if !chosen || !inner.breakpoints.is_empty() {
            return None;
        }
        let near = |t: u64| t >= pc && t < pc + WINDOW as u64;
        let region = gather(&self.config, inner, pc, mode, MAX_SIGHT, &near)?;
        let all = vec![true; region.blocks.len()];
        Some(select(&region, &all))
    }

    /// The loop whose head is at the CPU's pc has run often.
    pub(crate) fn heat(&self, cpu: &CpuState) -> Result<(), ArenaFull> {
        let key = cpu.pc() | cpu.header().mode_key;
        let mode = key >> 48;
        let mut inner = self.lock();
        let inner = &mut *inner;
        if self.hot().is_none() || !inner.breakpoints.is_empty() || inner.lukewarm.contains(&key) {
            return Ok(());
        }
        // Links between regions that come from files are known only to the files.
        inner.persist.release(&mut inner.store, &inner.arena, self.back_end());
        let host = match inner.store.hot_entry(key) {
            Some(host) => host,
            None => {
                let head = key & PC_MASK;
                let mode_key = key & !PC_MASK;
                let seen = |t: u64| t >= head && inner.store.look_up(t | mode_key).is_some();
                let region = gather(&self.config, inner, head, mode, MAX_LOOP, &seen);
                let Some(region) = region.and_then(|r| natural_loop(&r)) else {
                    inner.lukewarm.insert(key);
                    return Ok(());
                };
                let plan = Plan { count: None, hot: true };
                let mut clock = Clock::start(self.config.time_stages);
                self.install(inner, region, key, mode_key, plan, None, &mut clock)?.0
            }
        };
        inner.store.publish(&inner.arena, self.back_end(), key, host);
        self.forget(&[key]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(pc: u64, term: Term) -> Block {
        Block { pc, end: pc + 4, entry: true, first: 0, last: 0, term }
    }
    fn jump(pc: u64) -> Term {
        Term::Jump(Target::Pc(pc))
    }

    #[test]
    fn a_loop_keeps_what_leads_back() {
        let fork = |then, els| Term::Branch {
            flags: ir::Val(0),
            cc: ir::Cc::Eq,
            then: Target::Pc(then),
            els: Target::Pc(els),
        };
        let blocks = vec![
            block(0, fork(8, 4)),
            block(4, fork(0, 12)),
            block(8, jump(16)),
            block(12, jump(0)),
            block(16, Term::Resume { pc: 16 }),
        ];
        let region = Region { mode: 0, blocks, insts: vec![Inst::NOP] };
        let l = natural_loop(&region).expect("a loop");
        assert_eq!(l.blocks.iter().map(|b| b.pc).collect::<Vec<_>>(), [0, 4, 12]);
        assert!(natural_loop(&Region { blocks: region.blocks[2..].to_vec(), ..region }).is_none());
    }
}
