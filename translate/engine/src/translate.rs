//! From a guest address to an installed region.
//!
//! A region starts at the wanted address and follows fall-through and direct branches to a small cap, inside the
//! bytes that one fetch gave (which all have the same permission). Each block is an entry of its own.

use crate::store::Kept;
use crate::tables::Parts;
use crate::{Config, CpuState, Engine, Inner, LogItem};
use ir::{
    Attr, Block, BlockId, BlockRequest, Builder, CompileCx, Guest, Inst, Mem, Plan, Region, Size, Target,
    Term, TrapKind, Type, Val,
};
use std::fmt::Write as _;
use std::ops::Range;
use std::time::Instant;

/// Most guest instructions of a region.
const MAX_INSNS: usize = 48;
/// Most blocks of a region: with 12 (and 96 instructions) a static hello took 7.8 ms of processor time, with 4 (and 48)
/// 5.6, since most of what lies ahead never runs.
const MAX_BLOCKS: usize = 4;
/// No architecture has longer instructions.
pub(crate) const MAX_INSN_BYTES: u64 = 16;
/// Most bytes of guest code looked at, from the entry on.
const WINDOW: usize = 1024;

/// Guest code that was fetched for one translation.
pub(crate) struct Code {
    bytes: [u8; WINDOW],
    /// How many of them a persistent copy of the region may be known by; none if there must be no such copy.
    known: usize,
}

impl Default for Code {
    fn default() -> Code {
        Code { bytes: [0; WINDOW], known: 0 }
    }
}

/// Builds the region at `pc`. `None` if the code cannot be fetched. A single instruction is for one execution, so nobody has
/// to be told when it changes.
pub(crate) fn build_region(
    config: &Config,
    inner: &Inner,
    pc: u64,
    mode: u64,
    max_insns: usize,
    single: bool,
    code: &mut Code,
) -> Option<Region> {
    if !single && inner.breakpoints.contains(&pc) {
        return Some(breakpoint_region(pc, mode));
    }
    let memory = &*config.memory;
    let (len, changing) =
        if single { (memory.fetch(pc, &mut code.bytes), false) } else { memory.hold(pc, &mut code.bytes) };
    if len == 0 {
        return None;
    }
    if changing {
        let near = pc + 1..pc + MAX_CHECKED as u64 * MAX_INSN_BYTES;
        let max = if inner.breakpoints.range(near).next().is_some() { 1 } else { MAX_CHECKED.min(max_insns) };
        return Some(checked_region(config, &code.bytes[..len], pc, mode, max));
    }
    code.known = len;
    Some(region_of(config, inner, &code.bytes[..len], pc, mode, max_insns, single))
}

/// Most guest instructions of a region that checks its code.
const MAX_CHECKED: usize = 8;

/// A region over code that changes without notice: first it compares the code with the bytes it was made from, and is made anew if
/// they differ. Nothing in it runs behind a store, which may have changed what follows.
fn checked_region(config: &Config, code: &[u8], pc: u64, mode: u64, mut max: usize) -> Region {
    let guest = &*config.guest;
    let code = &code[..code.len().min(MAX_CHECKED * MAX_INSN_BYTES as usize)];
    let request = |max_insns| BlockRequest { pc, code, mode, max_insns, tagged: false, attributes: 0 };
    let mut trial = Builder::new(mode);
    guest.translate_block(&request(max), &mut trial);
    let trial = trial.finish();
    // The instruction with the first store is the last one.
    let mut seen = 0;
    for inst in &trial.insts {
        seen += usize::from(inst.op == ir::Op::Insn);
        if matches!(inst.op.info().effect, ir::Effect::Store | ir::Effect::Call) {
            max = seen.max(1);
            break;
        }
    }
    let end = trial.blocks.iter().map(|b| b.end.wrapping_sub(pc)).filter(|&n| n <= code.len() as u64).max();
    let bytes = &code[..end.unwrap_or(0).max(1) as usize];
    let mut b = Builder::new(mode);
    b.begin_block(pc);
    b.insn(pc);
    let base = b.addr(pc);
    let mut wrong = b.const64(0);
    let mut at = 0;
    while at < bytes.len() {
        let size = [Size::D, Size::S, Size::H, Size::B].into_iter().find(|s| s.bytes() <= bytes.len() - at);
        let size = size.unwrap_or(Size::B);
        let mut want = [0; 8];
        want[..size.bytes()].copy_from_slice(&bytes[at..at + size.bytes()]);
        let now = b.load(Type::I64, Mem::plain(size), base, Val::NONE, at as i64);
        let want = b.const64(u64::from_le_bytes(want));
        let differ = b.push(ir::Op::Xor, Type::I64, Attr::None, &[now, want], 0);
        wrong = b.push(ir::Op::Or, Type::I64, Attr::None, &[wrong, differ], 0);
        at += size.bytes();
    }
    let zero = b.const64(0);
    let difference = b.sub(wrong, zero);
    let flags = b.flags_of(difference);
    let (stale, good) = (b.upcoming_block(1), b.upcoming_block(2));
    b.end_block(
        Term::Branch { flags, cc: ir::Cc::Eq, then: Target::Block(good), els: Target::Block(stale) },
        pc,
    );
    b.begin_internal(pc);
    b.insn(pc);
    let base = b.addr(pc);
    b.push(ir::Op::InvalCode, Type::Void, Attr::None, &[base], bytes.len() as u64);
    b.end_block(Term::Resume { pc }, pc);
    guest.translate_block(&request(max), &mut b);
    let mut region = b.finish();
    // It is entered through the check.
    region.blocks[good.0 as usize].entry = false;
    region
}

/// Builds the region at `pc` from the code bytes that begin there.
fn region_of(
    config: &Config,
    inner: &Inner,
    code: &[u8],
    pc: u64,
    mode: u64,
    max_insns: usize,
    single: bool,
) -> Region {
    let guest = &*config.guest;
    let end = pc + code.len() as u64;
    // A block must not start where the window, or a page that is protected by itself, cuts its first instruction: it is made when it
    // is reached.
    let limit = end.saturating_sub(MAX_INSN_BYTES);
    // Only the first block is entered from where the entry bits come.
    let plain = mode & !guest.entry_modes(mode);
    let mut b = Builder::new(plain);
    let mut todo = vec![pc];
    let mut left = max_insns;
    let one = single || max_insns == 1;
    while let Some(at) = todo.pop() {
        if b.region().block_at(at).is_some() || left == 0 {
            continue;
        }
        if at != pc
            && (b.region().blocks.len() >= MAX_BLOCKS
                || inner.breakpoints.contains(&at)
                || inner.store.look_up(at | plain << 48).is_some())
        {
            continue;
        }
        let (mut max, mut code) = (left, &code[(at - pc) as usize..]);
        if let Some(&stop) = inner.breakpoints.range(at + 1..end).next().filter(|_| !single) {
            // Instructions differ in length, so near the breakpoint they are taken one by one.
            if stop - at < MAX_INSN_BYTES {
                max = 1;
            } else {
                code = &code[..(stop - at) as usize];
            }
        }
        let before = b.region().insts.len();
        let first = b.region().blocks.len();
        let tagged = inner.tagged_pages.contains(&(at >> 12));
        let attributes = if config.memory.has_attributes() { config.memory.attributes(at) } else { 0 };
        let mode = if at == pc { mode } else { plain };
        guest.translate_block(
            &BlockRequest { pc: at, code, mode, max_insns: max, tagged, attributes },
            &mut b,
        );
        let insns = b.region().insts[before..].iter().filter(|i| i.op == ir::Op::Insn).count();
        left = left.saturating_sub(insns.max(1));
        if one {
            break;
        }
        // A block cut short by the window must not loop on an empty remainder.
        for k in first..b.region().blocks.len() {
            if b.region().changes_mode(BlockId(k as u32)) {
                continue;
            }
            for t in successors(&b.region().blocks[k]).into_iter().flatten() {
                if t >= pc && t < limit {
                    todo.push(t);
                }
            }
        }
    }
    b.finish()
}

/// Direct successors worth translating now: the likelier one last, so that it is popped first.
fn successors(block: &Block) -> [Option<u64>; 2] {
    let pc = |t: Target| match t {
        Target::Pc(pc) => Some(pc),
        Target::Block(_) => None,
    };
    match block.term {
        Term::Jump(t) => [None, pc(t)],
        Term::Branch { then, els, .. } => [pc(then), pc(els)],
        Term::Call { ret, .. } | Term::CallIndirect { ret, .. } => [None, Some(ret)],
        Term::Syscall { next } => [None, Some(next)],
        Term::Indirect { .. }
        | Term::Return { .. }
        | Term::Trap { .. }
        | Term::Switch { .. }
        | Term::Resume { .. } => [None, None],
    }
}

fn breakpoint_region(pc: u64, mode: u64) -> Region {
    let mut b = Builder::new(mode);
    b.begin_block(pc);
    b.insn(pc);
    b.end_block(Term::Trap { kind: TrapKind::Yield, pc, info: 0 }, pc + 1);
    b.finish()
}

/// Guest byte ranges a region was made from.
fn guest_ranges(region: &Region) -> Vec<Range<u64>> {
    let mut v: Vec<Range<u64>> =
        region.blocks.iter().map(|b| b.pc..b.end.max(b.pc.saturating_add(1))).collect();
    v.sort_by_key(|r| r.start);
    let mut out: Vec<Range<u64>> = Vec::with_capacity(v.len());
    for r in v {
        match out.last_mut() {
            Some(l) if r.start <= l.end => l.end = l.end.max(r.end),
            Some(_) | None => out.push(r),
        }
    }
    out
}

struct Cx<'a> {
    engine: &'a Engine,
    interner: &'a mut crate::Interner,
    whole: &'a crate::Whole,
    mode_key: u64,
    plan: Plan,
}

impl CompileCx for Cx<'_> {
    fn guest(&self) -> &dyn Guest {
        self.engine.guest()
    }
    fn descriptor(&mut self, inst: &Inst) -> u32 {
        self.engine.descriptors.intern(self.interner, inst, |changing| self.whole.set(!changing))
    }
    fn mode_key(&self) -> u64 {
        self.mode_key
    }
    fn no_chain(&self) -> bool {
        self.engine.no_chain()
    }
    fn plan(&self) -> Plan {
        self.plan
    }
}

impl Engine {
    pub(crate) fn no_chain(&self) -> bool {
        self.config.no_chain || self.config.log_mask & (LogItem::Exec as u32 | LogItem::Cpu as u32) != 0
    }

    pub(crate) fn max_insns(&self) -> usize {
        if self.config.one_insn { 1 } else { MAX_INSNS }
    }

    /// The host address for `key`, translating if needed. `Ok(None)`: cannot be fetched. `Err`: the arena is full.
    pub(crate) fn find(&self, inner: &mut Inner, key: u64) -> Result<Option<u64>, ArenaFull> {
        inner.whole.set(true);
        let found = inner.store.look_up(key);
        inner.whole.set(false);
        if found.is_some() {
            return Ok(found);
        }
        if self.config.cache.is_some()
            && let Some(host) = self.find_kept(inner, key)?
        {
            return Ok(Some(host));
        }
        Ok(self.translate(inner, key)?.and_then(|_| inner.store.look_up(key)))
    }

    /// Translates and installs the region at `key`; the guest bytes it was made from. `Ok(None)`: cannot be fetched.
    fn translate(&self, inner: &mut Inner, key: u64) -> Result<Option<Vec<Range<u64>>>, ArenaFull> {
        let mut clock = Clock::start(self.config.time_stages);
        let (pc, mode) = split_key(key);
        let plain_key = key & !(self.guest().entry_modes(mode) << 48);
        let mode_key = plain_key & !PC_MASK;
        if let Some(region) = self.region_at_once(inner, pc, mode) {
            let plan = Plan { count: None, hot: true };
            let (_, guest) = self.install(inner, region, key, mode_key, plan, None, &mut clock)?;
            return Ok(Some(guest));
        }
        // Most of the time goes by here, and changes nothing of what is shared; `Interner` looks after itself.
        inner.whole.set(true);
        let mut code = Code::default();
        let Some(region) = build_region(&self.config, inner, pc, mode, self.max_insns(), false, &mut code)
        else {
            inner.whole.set(false);
            return Ok(None);
        };
        let hash = if code.known != 0 && self.keeps() && key == plain_key {
            let code = &code.bytes[..code.known];
            crate::persist::hash_of(code, pc, &guest_ranges(&region), &*self.config.memory)
        } else {
            None
        };
        let (_, guest) = self.install(inner, region, key, mode_key, self.quick_plan(), hash, &mut clock)?;
        if hash.is_some() && inner.persist.unsaved(&inner.store) >= crate::persist::MANY {
            self.save_kept(inner);
        }
        Ok(Some(guest))
    }

    /// Compiles a region for `key` and installs it; its other blocks are entered under `mode_key`. The host address of the
    /// first block, and the guest bytes. The clock has run since the region was begun.
    #[expect(clippy::too_many_arguments, reason = "each is one input of a compilation")]
    pub(crate) fn install(
        &self,
        inner: &mut Inner,
        mut region: Region,
        key: u64,
        mode_key: u64,
        plan: Plan,
        hash: Option<u64>,
        clock: &mut Clock,
    ) -> Result<(u64, Vec<Range<u64>>), ArenaFull> {
        let mut times = [0; 4];
        times[0] = clock.lap();
        inner.whole.set(true);
        let log = self.wants_log(&region);
        if log {
            self.log_guest(&region);
            self.log_ir(LogItem::Op, &region);
        }
        opt::run(&mut region, self.guest());
        times[1] = clock.lap();
        if log {
            self.log_ir(LogItem::OpOpt, &region);
        }
        let guest = guest_ranges(&region);
        let Inner { interner, whole, .. } = &mut *inner;
        let code =
            self.back_end().compile(&region, &mut Cx { engine: self, interner, whole, mode_key, plan });
        times[2] = clock.lap();
        inner.whole.set(false);
        let at = inner.arena.install(&code.bytes).ok_or(ArenaFull)?;
        if log {
            self.log_host(&code, at);
        }
        let host_bytes = code.bytes.len();
        if let Some(f) = &self.config.on_install {
            f(at, host_bytes, key & PC_MASK);
        }
        let first = at + u64::from(code.entries.first().map_or(0, |e| e.1));
        let kept =
            hash.map(|guest_hash| Kept { guest_hash, code_hash: crate::persist::content_hash(&code.bytes) });
        let pads: Vec<u32> = code.pads.iter().map(|p| p.key_at).collect();
        let installed = crate::store::Region {
            host: at..at + host_bytes as u64,
            first: key,
            mode_key,
            parts: Parts {
                guest: &guest,
                entries: &code.entries,
                exits: &code.exits,
                pads: &pads,
                marks: &code.marks,
                relocs: kept.map_or(&[][..], |_| &code.relocs),
            },
            fault_exit: code.fault_exit,
        };
        inner.store.add(&inner.arena, self.back_end(), &installed, kept);
        code.recycle();
        times[3] = clock.lap();
        {
            let c = &mut inner.counters;
            c.regions += 1;
            c.guest_bytes += guest.iter().map(|g| g.end - g.start).sum::<u64>();
            c.host_bytes += host_bytes as u64;
            if self.config.time_stages {
                c.guest_insns += region.insts.iter().filter(|i| i.op == ir::Op::Insn).count() as u64;
                for (sum, time) in c.stage_ns.iter_mut().zip(times) {
                    *sum += time;
                }
            }
        }
        region.recycle();
        Ok((first, guest))
    }

    /// Translates the code at `pc` as if it were to run next, to measure the translator; the guest bytes of the region. `None`
    /// if it cannot be fetched or the arena is full.
    pub fn translate_only(&self, pc: u64, mode: u64) -> Option<Vec<Range<u64>>> {
        self.translate(&mut self.lock(), pc | mode << 48).ok().flatten()
    }

    /// A copy of `len` bytes of installed code at `at`.
    pub fn installed_code(&self, at: u64, len: usize) -> Vec<u8> {
        let mut copy = Vec::new();
        self.lock().arena.read(&(at..at + len as u64), &mut copy);
        copy
    }

    /// True if new code may be written to the persistent cache.
    fn keeps(&self) -> bool {
        self.config.cache.as_ref().is_some_and(|c| c.write)
    }

    /// The host address for `key` from the persistent cache.
    fn find_kept(&self, inner: &mut Inner, key: u64) -> Result<Option<u64>, ArenaFull> {
        if !inner.breakpoints.is_empty() {
            return Ok(None);
        }
        let Inner { persist, arena, interner, tagged_pages, .. } = inner;
        let mut place = crate::persist::Place {
            arena,
            interner,
            descriptors: &self.descriptors,
            tagged: tagged_pages,
            config: &self.config,
        };
        persist.find(key, &mut place).map_err(|_| ArenaFull)
    }

    /// The host address of `key` if it is installed.
    pub(crate) fn installed(&self, inner: &Inner, key: u64) -> Option<u64> {
        inner.store.look_up(key).or_else(|| inner.persist.placed_entry(key))
    }

    pub(crate) fn save_kept(&self, inner: &mut Inner) {
        if let Some(cache) = &self.config.cache {
            let Inner { persist, store, arena, .. } = inner;
            persist.save(cache, store, arena, &self.descriptors, &self.config);
        }
    }

    /// A region is logged when one of its blocks starts in the filter.
    fn wants_log(&self, region: &Region) -> bool {
        let filter = &self.config.log_filter;
        let inside = |block: &Block| filter.iter().any(|range| range.contains(&block.pc));
        self.config.log_mask != 0 && (filter.is_empty() || region.blocks.iter().any(inside))
    }

    pub(crate) fn log(&self, item: LogItem, text: &str) {
        if self.config.log_mask & item as u32 != 0
            && let Some(sink) = &self.config.log
        {
            sink(item, text);
        }
    }

    fn log_guest(&self, region: &Region) {
        if self.config.log_mask & LogItem::InAsm as u32 == 0 {
            return;
        }
        let mut s = String::from("----------------\nIN:\n");
        for b in region.blocks.iter().filter(|b| b.entry) {
            let mut bytes = vec![0u8; (b.end - b.pc) as usize];
            let n = self.config.memory.fetch(b.pc, &mut bytes);
            for (at, range, text) in self.guest().disassemble(b.pc, &bytes[..n]) {
                let hex: String = bytes[range].iter().rev().map(|x| format!("{x:02x}")).collect();
                let _ = writeln!(s, "0x{at:08x}:  {hex}  {text}");
            }
            s.push('\n');
        }
        self.log(LogItem::InAsm, &s);
    }

    fn log_ir(&self, item: LogItem, region: &Region) {
        if self.config.log_mask & item as u32 != 0 {
            let title = if item == LogItem::Op { "OP" } else { "OP after optimization" };
            self.log(item, &format!("{title}:\n{}\n", ir::text::print(region, self.guest())));
        }
    }

    fn log_host(&self, code: &ir::HostCode, at: u64) {
        if self.config.log_mask & LogItem::OutAsm as u32 == 0 {
            return;
        }
        let mut s = format!("OUT: [size={}]\n", code.bytes.len());
        let mut marks = code.marks.iter().peekable();
        for (addr, text) in self.back_end().disassemble(&code.bytes, at) {
            while let Some(&&(off, pc)) = marks.peek() {
                if at + u64::from(off) > addr {
                    break;
                }
                let _ = writeln!(s, "  -- guest addr 0x{pc:016x}");
                marks.next();
            }
            let _ = writeln!(s, "0x{addr:08x}:  {text}");
        }
        s.push('\n');
        self.log(LogItem::OutAsm, &s);
    }

    /// Recomputes the mode part of the key after guest state that the mode depends on may have changed.
    pub(crate) fn refresh_mode(&self, cpu: &mut CpuState) {
        let mut mode = self.guest().mode(cpu.state());
        if self.config.memory.has_attributes() {
            mode |= self.guest().attributes_mode();
        }
        debug_assert!(mode < 1 << 16, "the mode fits the key");
        cpu.header_mut().mode_key = mode << 48;
    }
}

/// A stop watch; without being asked for it costs nothing.
pub(crate) struct Clock(Option<Instant>);

impl Clock {
    pub(crate) fn start(wanted: bool) -> Clock {
        Clock(wanted.then(Instant::now))
    }
    /// Nanoseconds since the last call.
    pub(crate) fn lap(&mut self) -> u64 {
        let Some(before) = &mut self.0 else { return 0 };
        let now = Instant::now();
        let ns = now.duration_since(*before).as_nanos() as u64;
        *before = now;
        ns
    }
}

/// The arena has no room: a flush is needed.
#[derive(Debug)]
pub(crate) struct ArenaFull;

/// Guest pc part of a key.
pub(crate) const PC_MASK: u64 = (1 << 48) - 1;

/// Splits a key into guest address and mode. Guest addresses have 48 bits; higher bits are the runtime's to check.
pub(crate) fn split_key(key: u64) -> (u64, u64) {
    (key & PC_MASK, key >> 48)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_cannot_be_entered_count_among_the_guest_bytes() {
        let mut b = Builder::new(0);
        b.begin_block(0x1000);
        let body = b.upcoming_block(1);
        b.end_block(Term::Jump(Target::Block(body)), 0x1000);
        b.begin_internal(0x1000);
        b.end_block(Term::Jump(Target::Pc(0x1010)), 0x1008);
        assert_eq!(guest_ranges(&b.finish()).as_slice(), std::slice::from_ref(&(0x1000..0x1008)));
    }
}
