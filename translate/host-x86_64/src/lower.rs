//! Lowering of a region: blocks in order, each operation to host code, then stubs, cold paths and constants.
//! Input: a verified region; output: [`HostCode`]. What must hold: at the head of every block and at every exit all pinned
//! slots are in their registers and nothing else is live.

use crate::alloc::*;
use crate::asm::*;
use crate::flags::Cond;
use crate::hot::Swap;
use crate::pool::Pool;
use crate::regs::*;
use ir::state::{Header, LOOKUP_BYTES, LOOKUP_ENTRIES, LOOP_COUNTERS, RuntimeEntry};
use ir::{
    Attr, BlockId, CompileCx, Effect, ExitSite, HostCode, Inst, Op, Pad, Region, Reloc, SlotId, SlotSet,
    Target, Term, Type, Val, exit,
};
use std::cell::Cell;
use std::mem::offset_of;

/// Per-value tables kept from one compilation to the next, so that they are not allocated and cleared each time:
/// `analyse` sets up the part that a block uses.
#[derive(Default)]
struct Tables {
    val: Vec<Value>,
    slot_vz: Vec<u8>,
    live: Vec<u32>,
    asm: Asm,
    heads: Vec<Label>,
    poll_head: Vec<bool>,
    cold: Vec<Cold>,
    pool: Pool,
    pads: Vec<(u64, u64, Label)>,
    sites: Vec<(u32, Label, u64)>,
}

thread_local! {
    static TABLES: Cell<Tables> = Cell::default();
}

/// A table with room for `n` entries of any contents.
fn grown<T: Clone>(mut v: Vec<T>, n: usize, with: T) -> Vec<T> {
    if v.len() < n {
        v.resize(n, with);
    }
    v
}

/// Compiles a region. An operation whose inline form needs more scratch registers than there are is evaluated out of line,
/// which is found out by trying.
pub(crate) fn compile(feat: Features, map: &PinMap, r: &Region, cx: &mut dyn CompileCx) -> HostCode {
    let mut forced = Vec::new();
    let mut chains = true;
    let adapted = cx.plan().hot.then(|| crate::hot::adapt(map, r, cx.guest()));
    let (map, swaps) = adapted.as_ref().map_or((map, &[][..]), |(m, s)| (m, &s[..]));
    loop {
        match attempt(feat, map, swaps, r, cx, &forced, chains) {
            Ok(code) => return code,
            Err(NO_CHAINS) => chains = false,
            Err(op) => {
                assert!(!forced.contains(&op), "operation {op} needs too many registers even out of line");
                forced.push(op);
            }
        }
    }
}

/// The error of an attempt that must be made again without chains.
const NO_CHAINS: usize = usize::MAX;

/// Compiles with the operations `forced` out of line; `Err` names one more that must be.
fn attempt(
    feat: Features,
    map: &PinMap,
    swaps: &[Swap],
    r: &Region,
    cx: &mut dyn CompileCx,
    forced: &[usize],
    chains: bool,
) -> Result<HostCode, usize> {
    let n = r.insts.len();
    let mut t = ir::kept::take(&TABLES);
    let mut out = HostCode::empty();
    let mut a = t.asm;
    a.reset();
    a.feat = feat;
    a.buf = std::mem::take(&mut out.bytes);
    a.buf.reserve(n * 8 + 256);
    a.vtmp = Some(XSCRATCH[2]);
    t.heads.clear();
    t.heads.extend(r.blocks.iter().map(|_| a.new_label()));
    back_edges(r, &mut t.poll_head);
    t.cold.clear();
    t.pads.clear();
    t.sites.clear();
    let (mode_key, no_chain) = (cx.mode_key(), cx.no_chain());
    let addr32 = cx.guest().address_bits() == 32;
    let half_slots = cx.guest().half_slots();
    let plan = cx.plan();
    let mut c = C {
        a,
        map,
        r,
        out,
        cold: t.cold,
        pool: t.pool,
        pads: t.pads,
        mode_key,
        addr32,
        no_chain,
        plan,
        swaps,
        canonical: false,
        heads: t.heads,
        poll_head: t.poll_head,
        val: grown(t.val, n, Value::NEW),
        chains,
        chains_failed: false,
        half_slots,
        slot_vz: grown(t.slot_vz, map.disp.len(), 16),
        live: t.live,
        next_death: u32::MAX,
        users: [0; 16],
        xusers: [0; 32],
        lock: 0,
        xlock: 0,
        spill_used: 0,
        vspill_used: 0,
        copies: [None; XTEMPS.len()],
        idx: 0,
        block: 0,
        pc: 0,
        eflags: None,
        flags_slot: None,
        forced,
        starved: None,
        sites: t.sites,
        miss: None,
        cx,
    };
    // What only leaves for another mode is off the straight path.
    for late in [false, true] {
        for b in (0..r.blocks.len()).filter(|&b| leaves(r, b) == late) {
            c.emit_block(b);
            if let Some(op) = c.starved {
                return Err(op);
            }
        }
        if c.chains_failed {
            return Err(NO_CHAINS);
        }
    }
    c.emit_cold();
    Ok(c.finish())
}

/// A part of an instruction that does nothing but go on in another mode.
fn leaves(r: &Region, b: usize) -> bool {
    let blk = &r.blocks[b];
    matches!(blk.term, Term::Switch { .. }) && !blk.entry && blk.first == blk.last
}

/// Blocks that some block of the region not before them jumps to: they poll.
fn back_edges(r: &Region, polls: &mut Vec<bool>) {
    polls.clear();
    polls.resize(r.blocks.len(), false);
    let mut see = |b: &ir::Block, t: Target| {
        if let Target::Pc(pc) = t
            && pc <= b.pc
            && let Some(i) = r.block_at(pc)
        {
            polls[i.0 as usize] = true;
        }
    };
    for b in &r.blocks {
        match b.term {
            Term::Jump(t) => see(b, t),
            Term::Branch { then, els, .. } => {
                see(b, then);
                see(b, els);
            }
            Term::Call { .. }
            | Term::CallIndirect { .. }
            | Term::Indirect { .. }
            | Term::Return { .. }
            | Term::Syscall { .. }
            | Term::Trap { .. }
            | Term::Switch { .. }
            | Term::Resume { .. } => {}
        }
    }
}

impl C<'_> {
    fn emit_block(&mut self, b: usize) {
        let blk = &self.r.blocks[b];
        let (first, last) = (blk.first as usize, blk.last as usize);
        self.block = b;
        self.pc = blk.pc;
        self.mode_key = self.cx.mode_key();
        if self.plan.hot && b == 0 {
            self.out.marks.push((self.a.pos(), blk.pc));
            self.out.entries.push((blk.pc, self.a.pos()));
            self.go_own();
        }
        self.canonical = false;
        self.live.clear();
        self.next_death = u32::MAX;
        self.users = [0; 16];
        self.xusers = [0; 32];
        self.spill_used = 0;
        self.vspill_used = 0;
        self.copies = [None; XTEMPS.len()];
        self.eflags = None;
        self.flags_slot = None;
        self.slot_vz.fill(16);
        for k in self.half_slots.clone() {
            self.slot_vz[k as usize] = 8;
        }
        self.lock = 0;
        self.xlock = 0;
        let head = self.heads[b];
        self.a.bind(head);
        self.out.marks.push((self.a.pos(), blk.pc));
        if blk.entry && !self.plan.hot {
            self.out.entries.push((blk.pc, self.a.pos()));
        }
        if self.poll_head[b] {
            self.poll(blk.pc);
            self.count(blk.pc);
        }
        let term_use = match blk.term {
            Term::Branch { flags: v, .. }
            | Term::CallIndirect { addr: v, .. }
            | Term::Indirect { addr: v }
            | Term::Return { addr: v } => Some(v),
            Term::Jump(_)
            | Term::Call { .. }
            | Term::Syscall { .. }
            | Term::Trap { .. }
            | Term::Switch { .. }
            | Term::Resume { .. } => None,
        };
        self.analyse(first, last, term_use);
        for i in first..last {
            self.idx = i;
            let inst = &self.r.insts[i];
            match inst.op {
                Op::Nop => continue,
                Op::Insn => {
                    self.pc = inst.imm;
                    self.out.marks.push((self.a.pos(), inst.imm));
                    continue;
                }
                _ if self.val[i].uses == 0 && self.skippable(inst) => continue,
                _ => {}
            }
            if self.val[i].fused {
                continue;
            }
            if self.val[i].lazy {
                self.def(Loc::Lazy);
                continue;
            }
            self.guard_flags(inst);
            if self.forced.contains(&i) {
                self.emit_out(inst);
            } else {
                self.emit(inst);
            }
            self.end_op();
            if self.starved.is_some() {
                return;
            }
        }
        self.idx = last;
        self.emit_term(&blk.term, blk.pc, b);
        self.end_op();
        debug_assert!(self.users.iter().all(|&u| u == 0), "scratch registers leak");
    }

    // --- exits ------------------------------------------------------------------------------------------

    pub(crate) fn cold(&mut self, work: ColdWork) -> Label {
        let label = self.a.new_label();
        self.cold_work(label, work);
        label
    }
    fn cold_work(&mut self, label: Label, work: ColdWork) {
        self.cold.push(Cold { label, pc: self.pc, canonical: self.canonical, work });
    }
    /// Counts a passage of the loop whose head is at `pc`.
    fn count(&mut self, pc: u64) {
        let Some(by) = self.plan.count else { return };
        let n = (pc >> self.cx.guest().insn_align_log2()) as usize % LOOP_COUNTERS;
        let l = self.cold(ColdWork::Hot { pc });
        self.a.alu_i(Alu::Add, Sz::D, hdr(offset_of!(Header, loops) + 4 * n), by as i32);
        self.a.jcc(Cc::B, l);
    }
    /// The displacement field of a jump to the head of loop `i`, which can be made to lead to a better translation.
    fn head_field(&mut self, i: BlockId) {
        let l = self.heads[i.0 as usize];
        let key = self.r.blocks[i.0 as usize].pc | self.mode_key;
        self.sites.push((self.a.pos(), l, key));
        self.a.rel32(l);
    }
    fn is_counted(&self, i: BlockId) -> bool {
        self.plan.count.is_some() && self.poll_head[i.0 as usize]
    }
    fn poll(&mut self, pc: u64) {
        let l = self.cold(ColdWork::Poll { pc });
        self.a.alu_i(Alu::Cmp, Sz::D, hdr(offset_of!(Header, poll)), 0);
        self.a.jcc(Cc::Ne, l);
    }
    fn poll_key(&mut self) {
        let l = self.cold(ColdWork::PollKey { moded: self.mode_key != 0 });
        self.a.alu_i(Alu::Cmp, Sz::D, hdr(offset_of!(Header, poll)), 0);
        self.a.jcc(Cc::Ne, l);
    }
    /// Pads so that a displacement field `skip` bytes ahead is 4-byte aligned.
    fn align_field(&mut self, skip: u32) {
        let pad = (self.a.pos() + skip).wrapping_neg() & 3;
        self.a.nops(pad as usize);
    }
    /// Remembers the site whose field was just emitted; its stub is bound later.
    fn site(&mut self, pc: u64) -> Label {
        let at = self.a.pos();
        let l = self.cold(ColdWork::Link { key: pc | self.mode_key, site: at });
        if !self.no_chain {
            self.sites.push((at, l, pc | self.mode_key));
        }
        l
    }
    fn site_jmp(&mut self, pc: u64) {
        self.align_field(1);
        self.a.u8(0xe9);
        let l = self.site(pc);
        self.a.rel32(l);
    }
    fn site_jcc(&mut self, cc: Cc, pc: u64) {
        self.align_field(2);
        self.a.u8(0x0f);
        self.a.u8(0x80 | cc as u8);
        let l = self.site(pc);
        self.a.rel32(l);
    }
    /// The label of a target inside the region.
    fn inside(&self, t: Target) -> Option<BlockId> {
        match t {
            Target::Pc(_) if self.mode_key != self.cx.mode_key() => None,
            Target::Pc(pc) => self.r.block_at(pc),
            Target::Block(b) => Some(b),
        }
    }
    /// Whether the code of block `i` comes right after that of `b`.
    fn follows(&self, i: BlockId, b: usize) -> bool {
        let late = leaves(self.r, b);
        (b + 1..self.r.blocks.len()).find(|&n| leaves(self.r, n) == late) == Some(i.0 as usize)
    }

    /// Goes to `t`; nothing is emitted when it is the next block.
    fn transfer(&mut self, t: Target, from: u64, b: usize) {
        if let Some(i) = self.inside(t) {
            if self.canonical {
                self.go_own();
            }
            if !self.follows(i, b) {
                if self.is_counted(i) {
                    self.align_field(1);
                    self.a.u8(0xe9);
                    self.head_field(i);
                } else {
                    let l = self.heads[i.0 as usize];
                    self.a.jmp(l);
                }
            }
            return;
        }
        let Target::Pc(pc) = t else { unreachable!("blocks are inside") };
        self.leave_to(pc, pc <= from);
    }
    /// An exit to `pc`; `back`: it polls.
    fn leave_to(&mut self, pc: u64, back: bool) {
        self.go_canonical();
        if back {
            self.poll(pc);
            self.count(pc);
        }
        self.site_jmp(pc);
    }
    fn branch(&mut self, c: Cond, t: Target, from: u64) {
        if let Some(i) = self.inside(t) {
            let l = self.heads[i.0 as usize];
            match c {
                Cond::One(cc) if self.is_counted(i) => {
                    self.align_field(2);
                    self.a.u8(0x0f);
                    self.a.u8(0x80 | cc as u8);
                    self.head_field(i);
                }
                c if self.is_counted(i) => {
                    let skip = self.a.new_label();
                    self.jump_if(c.invert(), skip);
                    self.align_field(1);
                    self.a.u8(0xe9);
                    self.head_field(i);
                    self.a.bind(skip);
                }
                c => self.jump_if(c, l),
            }
            return;
        }
        let Target::Pc(pc) = t else { unreachable!("blocks are inside") };
        match c {
            c if !self.swaps.is_empty() => {
                let l = self.cold(ColdWork::Leave { pc, mode_key: self.mode_key, back: pc <= from });
                self.jump_if(c, l);
            }
            Cond::One(cc) if pc > from => self.site_jcc(cc, pc),
            c => {
                let skip = self.a.new_label();
                self.jump_if(c.invert(), skip);
                self.leave_to(pc, pc <= from);
                self.a.bind(skip);
            }
        }
    }
    fn leave(&mut self, pc: u64, code: u32, info: Option<u64>) {
        self.leave_state(pc, code, info);
        self.a.jmp_rm(entry(RuntimeEntry::Exit));
    }
    fn leave_state(&mut self, pc: u64, code: u32, info: Option<u64>) {
        self.mov_addr(RAX, pc);
        self.a.store(Sz::Q, hdr(offset_of!(Header, pc)), RAX);
        if let Some(i) = info {
            self.a.mov_i(RAX, i);
            self.a.store(Sz::Q, hdr(offset_of!(Header, exit_info)), RAX);
        }
        self.a.store_i(Sz::D, hdr(offset_of!(Header, exit_code)), code as i32);
    }
    /// rax = key of a computed address.
    fn key_of(&mut self, addr: Val) {
        self.take_or_own(RAX, addr);
        self.mov_to(RAX, addr);
        if self.mode_key != 0 {
            self.a.alu(Alu::Or, Sz::Q, RAX, Rm::M(hdr(offset_of!(Header, mode_key))));
        }
    }
    /// Looks up the key in rax: memory that holds the host address to go to, once the returned label was not taken.
    fn probe(&mut self) -> (Mem, Label) {
        let align = self.cx.guest().insn_align_log2() as u8;
        self.a.mov(Sz::D, RCX, RAX);
        self.a.shift_i(Sh::Shr, Sz::D, RCX, LOOKUP_ENTRIES.ilog2() as u8);
        self.a.alu(Alu::Xor, Sz::D, RCX, RAX);
        self.a.alu_i(Alu::And, Sz::D, RCX, ((LOOKUP_ENTRIES - 1) << align) as i32);
        // Entries have 16 bytes; an index is scaled by 8 at most.
        if align == 0 {
            self.a.alu(Alu::Add, Sz::D, RCX, RCX);
        }
        let table = -(LOOKUP_BYTES as i32) - BASE;
        let entry = Mem::bi(RBP, RCX, 4 - align.clamp(1, 4), table);
        self.a.alu(Alu::Cmp, Sz::Q, RAX, entry);
        let miss = self.a.new_label();
        self.a.jcc(Cc::Ne, miss);
        (entry.plus(8), miss)
    }
    /// The landing pad after a call, which a host `ret` reaches with the key in rax.
    fn pad(&mut self, ret: u64, b: usize) {
        let key = self.a.new_label();
        self.pads.push((ret, self.mode_key, key));
        self.check_pad(key);
        self.transfer(Target::Pc(ret), 0, b);
    }
    fn check_pad(&mut self, key: Label) {
        self.a.alu(Alu::Cmp, Sz::Q, RAX, Rm::M(Mem::label(key)));
        let miss = *self.miss.get_or_insert_with(|| self.a.new_label());
        self.a.jcc(Cc::Ne, miss);
    }

    fn emit_term(&mut self, term: &Term, pc: u64, b: usize) {
        match *term {
            Term::Jump(t) => self.transfer(t, pc, b),
            Term::Branch { flags, cc, then, els } => {
                let c = self.cond(flags, cc);
                if self.inside(then).is_some_and(|i| self.follows(i, b)) {
                    self.branch(c.invert(), els, pc);
                } else {
                    self.branch(c, then, pc);
                    self.transfer(els, pc, b);
                }
            }
            Term::Call { target, ret } => {
                self.go_canonical();
                if target <= pc {
                    self.poll(target);
                }
                if self.no_chain {
                    self.site_jmp(target);
                    return;
                }
                self.align_field(1);
                self.a.u8(0xe8);
                let l = self.site(target);
                self.a.rel32(l);
                self.pad(ret, b);
            }
            Term::CallIndirect { addr, ret } => {
                self.key_of(addr);
                self.go_canonical();
                self.poll_key();
                if self.no_chain {
                    self.a.jmp_rm(entry(RuntimeEntry::LookUp));
                    return;
                }
                let (entry, miss) = self.probe();
                self.a.call_rm(entry);
                let (key, back) = (self.a.new_label(), self.a.new_label());
                self.pads.push((ret, self.mode_key, key));
                self.check_pad(key);
                self.a.bind(back);
                self.cold_work(miss, ColdWork::LookUpCall { key, back });
                self.transfer(Target::Pc(ret), 0, b);
            }
            Term::Indirect { addr } => {
                self.key_of(addr);
                self.go_canonical();
                self.poll_key();
                if self.no_chain {
                    self.a.jmp_rm(entry(RuntimeEntry::LookUp));
                    return;
                }
                let (entry, miss) = self.probe();
                self.a.jmp_rm(entry);
                self.cold_work(miss, ColdWork::LookUp);
            }
            Term::Return { addr } => {
                // No poll: landing on a pad goes forward in the caller's frame, so any endless execution also has a
                // backward transfer or a missed pad, which poll.
                self.key_of(addr);
                self.go_canonical();
                if self.no_chain {
                    self.a.jmp_rm(entry(RuntimeEntry::LookUp));
                    return;
                }
                self.a.ret();
            }
            Term::Syscall { next } if self.no_chain => self.leave(next, exit::SYSCALL, None),
            Term::Syscall { next } => {
                self.go_canonical();
                self.leave_state(next, exit::SYSCALL, None);
                self.a.call_rm(entry(RuntimeEntry::Syscall));
                // The runtime looked at the poll word; a call goes forward.
                self.transfer(Target::Pc(next), 0, b);
            }
            Term::Trap { kind, pc, info } => {
                self.go_canonical();
                self.leave(pc, exit::TRAP | (kind as u32) << 8, Some(info));
            }
            Term::Switch { pc, mode } => {
                self.go_canonical();
                self.emit_set_mode(mode);
                self.site_jmp(pc);
            }
            Term::Resume { pc } => {
                self.go_canonical();
                self.leave(pc, exit::RESUME, None);
            }
        }
    }

    /// `setmode`: in the header for indirect exits and the runtime, and for the keys of the block's direct ones.
    pub(crate) fn emit_set_mode(&mut self, mode: u64) {
        let at = hdr(offset_of!(Header, mode_key)).plus(4);
        self.a.store_i(Sz::D, at, (mode << 16) as i32);
        self.mode_key = mode << 48;
    }

    // --- out of line ------------------------------------------------------------------------------------

    /// Captures the operands of the current operation for a call out of line. eax must be free by then.
    pub(crate) fn capture(&mut self, inst: &Inst, result: Loc) -> OutCall {
        let helper = !matches!(inst.op.info().effect, Effect::Pure | Effect::Sticky);
        // An optional operand that is absent is zero: the cells keep what an earlier call left there.
        let count = inst.op.info().args.len();
        let mut args = [(Loc::Const(0), Type::I64); 4];
        for (arg, &v) in args.iter_mut().zip(&inst.args) {
            if !v.is_some() {
                continue;
            }
            let ty = self.ty(v);
            if ty == Type::Flags {
                let l = match self.val[v.index()].loc {
                    Loc::Const(c) => Loc::Const(ir::state::flags_to_mem(c as u8).into()),
                    _ => Loc::R(self.flags_copy(v)),
                };
                *arg = (l, Type::I32);
                continue;
            }
            if self.val[v.index()].loc == Loc::Lazy {
                self.gp(v);
            }
            match self.val[v.index()].loc {
                Loc::R(g) => self.lock(g),
                Loc::X(x) => self.xlock(x),
                _ => {}
            }
            *arg = (self.val[v.index()].loc, ty);
        }
        OutCall { desc: self.cx.descriptor(inst), helper, args, count, result }
    }
    /// Emits a captured call. Only eax is changed, and the result's register.
    pub(crate) fn out_call(&mut self, call: &OutCall, pc: u64) {
        let arg = |k: usize| hdr(offset_of!(Header, call_args) + 16 * k);
        for pass in 0..2 {
            for (k, (l, ty)) in call.args[..call.count].iter().enumerate() {
                let in_reg = matches!(l, Loc::R(_) | Loc::X(_));
                if in_reg != (pass == 0) {
                    continue;
                }
                let m = arg(k);
                match *l {
                    Loc::X(x) => {
                        self.a.vst(V::MovupsSt, m, x);
                        continue;
                    }
                    Loc::R(g) => {
                        self.a.store(sz_of(*ty), m, g);
                        if *ty == Type::I32 {
                            self.a.store_i(Sz::D, m.plus(4), 0);
                        }
                    }
                    Loc::Const(c) => {
                        self.a.mov_i(RAX, if *ty == Type::I32 { c as u32 as u64 } else { c });
                        self.a.store(Sz::Q, m, RAX);
                    }
                    Loc::Addr(c) => {
                        self.mov_addr(RAX, c);
                        self.a.store(Sz::Q, m, RAX);
                    }
                    Loc::Slot(_) | Loc::Spill(_) | Loc::VSpill(_) => {
                        let from = match *l {
                            Loc::Slot(s) => self.map.mem(s),
                            Loc::Spill(n) => hdr(offset_of!(Header, spill) + 8 * n as usize),
                            Loc::VSpill(n) => hdr(offset_of!(Header, vspill) + 16 * n as usize),
                            _ => unreachable!("memory"),
                        };
                        self.a.mov(if *ty == Type::I32 { Sz::D } else { Sz::Q }, RAX, from);
                        self.a.store(Sz::Q, m, RAX);
                        if *ty == Type::V128 {
                            self.a.mov(Sz::Q, RAX, from.plus(8));
                            self.a.store(Sz::Q, m.plus(8), RAX);
                        }
                    }
                    Loc::None | Loc::Eflags(_) | Loc::Lazy => unreachable!("captured"),
                }
                if *ty != Type::V128 {
                    self.a.store_i(Sz::Q, m.plus(8), 0);
                }
            }
        }
        if call.helper {
            self.mov_addr(RAX, pc);
            self.a.store(Sz::Q, hdr(offset_of!(Header, pc)), RAX);
        }
        self.a.u8(0xb8);
        self.a.u32(call.desc);
        self.out.relocs.push(Reloc::Descriptor(self.a.pos() - 4));
        if call.helper {
            let was = self.canonical;
            self.go_canonical();
            self.a.call_rm(entry(RuntimeEntry::Helper));
            if !was {
                self.go_own();
            }
        } else {
            self.a.call_rm(entry(RuntimeEntry::Eval));
        }
        let res = hdr(offset_of!(Header, call_result));
        match call.result {
            Loc::R(g) => self.a.mov(Sz::Q, g, res),
            Loc::X(x) => self.a.v2(V::Movups, x, res),
            Loc::VSpill(n) => {
                let to = hdr(offset_of!(Header, vspill) + 16 * n as usize);
                for half in [0, 8] {
                    self.a.mov(Sz::Q, RAX, res.plus(half));
                    self.a.store(Sz::Q, to.plus(half), RAX);
                }
            }
            _ => {}
        }
    }
    /// The current operation entirely out of line.
    pub(crate) fn emit_out(&mut self, inst: &Inst) {
        // An inline form may have been tried: it holds nothing any more.
        self.lock = 0;
        self.xlock = 0;
        self.save_flags();
        if let Attr::Helper(h) = inst.attr {
            let writes = self.cx.guest().helpers()[h.0 as usize].writes.clone();
            let all: Vec<SlotId> = match writes {
                SlotSet::None => Vec::new(),
                SlotSet::Some(l) => l,
                SlotSet::All => (0..self.map.disp.len()).map(|k| SlotId(k as u16)).collect(),
            };
            for s in all {
                self.unalias_call(s, inst);
                self.slot_vz[s.0 as usize] = self.slot_bytes(s);
            }
        }
        self.take(RAX);
        let mut call = self.capture(inst, Loc::None);
        match inst.ty {
            Type::Void => self.out_call(&call, self.pc),
            Type::I32 | Type::I64 => {
                self.lock &= 1;
                // The result may take the place of a dying argument: it is written after the call.
                let d = self.dst_after_call();
                call.result = Loc::R(d);
                self.out_call(&call, self.pc);
                if inst.ty == Type::I32 { self.def_z(d) } else { self.def(Loc::R(d)) }
            }
            Type::V128 => {
                // As above: arguments keep their contents until they are stored.
                self.xlock = 0;
                let d = self.xdst(&[]);
                call.result = Loc::X(d);
                self.out_call(&call, self.pc);
                self.def(Loc::X(d));
            }
            Type::Flags => {
                let t = RAX;
                call.result = Loc::R(t);
                self.out_call(&call, self.pc);
                self.lock = 1;
                self.def(Loc::R(t));
            }
        }
    }
    /// Puts the evaluation of the current operation at a label that the code already jumps to.
    pub(crate) fn cold_at(&mut self, inst: &Inst, result: Loc, label: Label, back: Label) {
        let mut call = self.capture(inst, result);
        let before = self.evaluated_again(inst, &mut call);
        self.cold_work(label, ColdWork::Eval { before, call, back });
    }
    /// An evaluation in the cold part that produces the current operation's result in `result` and comes back to the
    /// label returned second.
    pub(crate) fn cold_eval(&mut self, inst: &Inst, result: Loc) -> (Label, Label) {
        let call = self.capture(inst, result);
        let back = self.a.new_label();
        (self.cold(ColdWork::Eval { before: Vec::new(), call, back }), back)
    }

    fn emit_cold(&mut self) {
        let mut work = std::collections::VecDeque::from(std::mem::take(&mut self.cold));
        while let Some(c) = work.pop_front() {
            self.canonical = c.canonical;
            self.pc = c.pc;
            self.a.bind(c.label);
            self.out.marks.push((self.a.pos(), c.pc));
            match c.work {
                ColdWork::Link { key, site } => {
                    self.mov_addr(RAX, key);
                    if self.no_chain {
                        self.a.jmp_rm(entry(RuntimeEntry::LookUp));
                        continue;
                    }
                    let end = self.a.pos() + 7;
                    self.a.lea(Sz::Q, RCX, Mem::rip(site as i32 - end as i32));
                    self.a.jmp_rm(entry(RuntimeEntry::Link));
                }
                ColdWork::Poll { pc } => {
                    self.go_canonical();
                    self.leave(pc, exit::POLL, None);
                }
                ColdWork::Hot { pc } => self.leave(pc, exit::HOT, None),
                ColdWork::Leave { pc, mode_key, back } => {
                    self.mode_key = mode_key;
                    self.leave_to(pc, back);
                    work.extend(self.cold.drain(..));
                }
                ColdWork::PollKey { moded } => {
                    if moded {
                        self.a.mov(Sz::Q, RCX, Rm::M(hdr(offset_of!(Header, mode_key))));
                        self.a.mop(Mop::Not, Sz::Q, RCX);
                        self.a.alu(Alu::And, Sz::Q, RAX, RCX);
                    }
                    self.a.store(Sz::Q, hdr(offset_of!(Header, pc)), RAX);
                    self.a.store_i(Sz::D, hdr(offset_of!(Header, exit_code)), exit::POLL as i32);
                    self.a.jmp_rm(entry(RuntimeEntry::Exit));
                }
                ColdWork::LookUp => self.a.jmp_rm(entry(RuntimeEntry::LookUp)),
                ColdWork::LookUpCall { key, back } => {
                    // Called, so that the return address is there for the callee that it jumps to: a second pad.
                    self.a.call_rm(entry(RuntimeEntry::LookUp));
                    self.check_pad(key);
                    self.a.jmp(back);
                }
                ColdWork::Status { back } => {
                    self.a.ldmxcsr(hdr(offset_of!(Header, guest_fpcr)));
                    self.a.jmp(back);
                }
                ColdWork::Eval { before, call, back } => {
                    for b in &before {
                        self.out_call(b, c.pc);
                    }
                    self.out_call(&call, c.pc);
                    self.a.jmp(back);
                }
            }
        }
        if !self.swaps.is_empty() {
            self.out.fault_exit = Some(self.a.pos());
            self.canonical = false;
            self.go_canonical();
            self.a.jmp_rm(entry(RuntimeEntry::Exit));
        }
        if let Some(l) = self.miss {
            self.a.bind(l);
            self.a.jmp_rm(entry(RuntimeEntry::ReturnMiss));
        }
        let mut pads = std::mem::take(&mut self.pads);
        for (ret, mode_key, key) in pads.drain(..) {
            while self.a.pos() & 7 != 0 {
                self.a.int3();
            }
            self.a.bind(key);
            let at = self.a.pos();
            self.out.pads.push(Pad { key_at: at, pc: ret });
            self.out.relocs.push(Reloc::Guest64(at));
            self.a.u64(ret | mode_key);
        }
        self.pads = pads;
        self.pool.finish(&mut self.a);
    }

    fn finish(mut self) -> HostCode {
        self.a.finish();
        for (at, l, key) in self.sites.drain(..) {
            let stub = self.a.offset(l).expect("stubs are bound");
            self.out.exits.push(ExitSite { at, stub, key });
        }
        self.out.bytes = std::mem::take(&mut self.a.buf);
        let tables = Tables {
            val: self.val,
            slot_vz: self.slot_vz,
            live: self.live,
            asm: self.a,
            heads: self.heads,
            poll_head: self.poll_head,
            cold: self.cold,
            pool: self.pool,
            pads: self.pads,
            sites: self.sites,
        };
        ir::kept::keep(&TABLES, tables);
        self.out
    }
}
