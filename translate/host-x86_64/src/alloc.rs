//! Values inside a block: where each is, which scratch registers are free, and moves between them.
//!
//! Input: the region and liveness of the block; output: registers for the emitters. What must hold:
//! 1. A value's location is valid from its definition to its last use; a pinned register or slot in memory may be a
//!    value's location (an alias) and is copied away before it is overwritten.
//! 2. A pinned register or slot changes only where the block's `set` of it stands, or earlier when nothing between can
//!    fault, read the slot or look at the old value: so guest state is exact at every possible fault.
//! 3. Moves made here never change the host's flags.

use crate::asm::*;
use crate::hot::Swap;
use crate::pool::Pool;
use crate::regs::*;
use ir::state::{Header, SPILL_SLOTS, VSPILL_SLOTS};
use ir::{Attr, CompileCx, Effect, HostCode, Inst, Op, Plan, Region, Reloc, SlotId, Type, Val};

/// How guest flags sit in the host's flags register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// C is CF.
    Add,
    /// C is the inverse of CF.
    Sub,
    /// After `ucomis a, b`.
    Fp,
    /// After `ucomis b, a`.
    FpSwap,
    /// After `bt`: CF is the inverse of Z, nothing else is known.
    Bit,
}

/// Where a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loc {
    /// Nowhere: not yet computed or dead.
    None,
    /// A constant.
    Const(u64),
    /// A constant guest address (relocatable).
    Addr(u64),
    /// A general register, scratch or pinned. Flags: the memory form.
    R(Gp),
    /// A vector register.
    X(Xmm),
    /// Still in its slot's memory.
    Slot(SlotId),
    /// Spilled.
    Spill(u8),
    /// Spilled vector.
    VSpill(u8),
    /// The host's flags.
    Eflags(Kind),
    /// An addition computed where it is first used.
    Lazy,
}

/// Work placed after the region's hot code.
pub(crate) struct Cold {
    pub label: Label,
    pub pc: u64,
    /// Registers are as the canonical map says.
    pub canonical: bool,
    pub work: ColdWork,
}

pub(crate) enum ColdWork {
    /// Stub of an unlinked exit: key and the site's displacement field.
    Link { key: u64, site: u32 },
    /// Leave because of a poll, at a known address.
    Poll { pc: u64 },
    /// A loop has run often.
    Hot { pc: u64 },
    /// An exit of code with its own register map; `back`: it polls first.
    Leave { pc: u64, mode_key: u64, back: bool },
    /// Leave because of a poll, at the key in rax, which has mode bits or not.
    PollKey { moded: bool },
    /// Look up the key in rax and go there.
    LookUp,
    /// Look up the key in rax and call what is there; the pad's key, and where it goes on.
    LookUpCall { key: Label, back: Label },
    /// Take the status word back from where it was stored and go on.
    Status { back: Label },
    /// Evaluate out of line and come back; operations before that whose results are wrong first.
    Eval { before: Vec<OutCall>, call: OutCall, back: Label },
}

/// A captured call out of line.
#[derive(Clone)]
pub(crate) struct OutCall {
    pub desc: u32,
    pub helper: bool,
    pub args: [(Loc, Type); 4],
    pub count: usize,
    pub result: Loc,
}

const NEVER: u32 = 0;

/// What is known of a value of the block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    pub loc: Loc,
    /// Index of the last use (0: none).
    pub last: u32,
    /// The `flags` instruction of this result, if any is live.
    pub flags_val: u32,
    /// The merge that keeps an old C beside this addition's or subtraction's flags, which the host's inc and dec do.
    pub keeps_carry: u32,
    pub uses: u16,
    /// A vector known to be zero above this many bytes (16: unknown).
    pub vz: u8,
    /// An I32 whose register's upper half is zero.
    pub zx: bool,
    /// An addition computed where it is first used.
    pub lazy: bool,
    /// `flags` (and the comparison before it) computed by the `condflags` that uses it.
    pub fused: bool,
    /// Goes without a guard: see `chain`.
    pub elided: bool,
}

impl Value {
    pub const NEW: Value = Value {
        loc: Loc::None,
        last: NEVER,
        flags_val: u32::MAX,
        keeps_carry: u32::MAX,
        uses: 0,
        vz: 16,
        zx: false,
        lazy: false,
        fused: false,
        elided: false,
    };
}

/// The compiler's state for one region.
pub(crate) struct C<'a> {
    pub a: Asm,
    pub map: &'a PinMap,
    pub r: &'a Region,
    pub cx: &'a mut dyn CompileCx,
    pub out: HostCode,
    pub cold: Vec<Cold>,
    pub pool: Pool,
    /// Return addresses with their mode bits, and the labels of their keys.
    pub pads: Vec<(u64, u64, Label)>,
    pub mode_key: u64,
    /// Guest addresses have 32 bits and lie behind the gs segment's base.
    pub addr32: bool,
    pub no_chain: bool,
    pub plan: Plan,
    /// How `map` differs from the canonical one.
    pub swaps: &'a [Swap],
    /// What is emitted now runs with registers as in the canonical map.
    pub canonical: bool,
    pub heads: Vec<Label>,
    pub poll_head: Vec<bool>,

    /// By instruction index (whole region; values are local to a block).
    pub val: Vec<Value>,
    /// Operations may go without a guard.
    pub chains: bool,
    /// There was no room for the operands of operations that a cold path would evaluate again.
    pub chains_failed: bool,
    /// Slots of which only the low 8 bytes are ever other than zero.
    pub half_slots: std::ops::Range<u16>,
    /// By slot: its vector register is known to be zero above this many bytes.
    pub slot_vz: Vec<u8>,
    pub live: Vec<u32>,
    /// No live value dies before this operation.
    pub next_death: u32,
    pub users: [u8; 16],
    pub xusers: [u8; 32],
    pub lock: u16,
    pub xlock: u32,
    pub spill_used: u64,
    pub vspill_used: u64,
    /// A value and the slot in memory that holds it too, by scratch vector register: good while the value is there.
    pub copies: [Option<(u32, SlotId)>; XTEMPS.len()],
    pub idx: usize,
    pub block: usize,
    pub pc: u64,
    pub eflags: Option<u32>,
    pub flags_slot: Option<(u32, SlotId)>,
    /// Operations that need more scratch registers than there are: they go out of line.
    pub forced: &'a [usize],
    /// The operation that ran out of scratch registers: what was emitted is worthless.
    pub starved: Option<usize>,
    /// Patchable displacement fields: offset, stub, guest address.
    pub sites: Vec<(u32, Label, u64)>,
    /// Jump to the entry for mispredicted returns.
    pub miss: Option<Label>,
}

pub(crate) fn is_temp(g: Gp) -> bool {
    g == RAX || g == RCX || g == RDX || g == RSI
}
pub(crate) fn is_xtemp(x: Xmm) -> bool {
    XTEMPS.contains(&x)
}
pub(crate) fn sz_of(ty: Type) -> Sz {
    if ty == Type::I64 { Sz::Q } else { Sz::D }
}

fn spill_mem(n: u8) -> Mem {
    hdr(std::mem::offset_of!(Header, spill) + 8 * n as usize)
}
fn vspill_mem(n: u8) -> Mem {
    hdr(std::mem::offset_of!(Header, vspill) + 16 * n as usize)
}

impl<'a> C<'a> {
    pub(crate) fn inst(&self, v: Val) -> &'a Inst {
        &self.r.insts[v.index()]
    }
    pub(crate) fn ty(&self, v: Val) -> Type {
        self.inst(v).ty
    }
    // --- liveness ---------------------------------------------------------------------------------------

    /// Fills `last`, `uses`, `flags_val` and `lazy` for one block.
    pub(crate) fn analyse(&mut self, first: usize, last: usize, term_use: Option<Val>) {
        self.val[first..last].fill(Value::NEW);
        if let Some(v) = term_use {
            self.val[v.index()].last = last as u32;
            self.val[v.index()].uses += 1;
        }
        for i in (first..last).rev() {
            let inst = &self.r.insts[i];
            if matches!(inst.op, Op::Nop | Op::Insn) || (self.val[i].uses == 0 && self.skippable(inst)) {
                continue;
            }
            if inst.op == Op::FlagsOf {
                self.val[inst.args[0].index()].flags_val = i as u32;
            }
            for mut v in inst.args {
                if !v.is_some() {
                    continue;
                }
                if inst.op == Op::Clz {
                    // Leading zeros of a reversed value look at the value itself.
                    let made = self.r.inst(v);
                    if made.op == Op::BitRev {
                        v = made.args[0];
                    }
                }
                let k = v.index();
                self.val[k].uses += 1;
                if self.val[k].last == NEVER {
                    self.val[k].last = i as u32;
                }
            }
        }
        if self.chains {
            self.find_chains(first, last);
        }
        // An address update after an access (its `set` cannot move above the access) is computed at the `set`.
        for i in first..last {
            let inst = &self.r.insts[i];
            if inst.op == Op::CondFlags {
                self.fuse_compare(i);
            }
            if inst.op == Op::FlagsMerge {
                self.fuse_step(i);
            }
            if !matches!(inst.op, Op::Add | Op::Sub) || inst.ty != Type::I64 || self.val[i].uses == 0 {
                continue;
            }
            let [x, c, ..] = inst.args;
            let small = |v: Val| {
                let k = self.r.inst(v);
                k.op == Op::Const && i32::try_from((k.imm as i64).wrapping_neg()).is_ok()
            };
            if !small(c) || self.r.inst(x).op != Op::Get || self.val[i].flags_val != u32::MAX {
                continue;
            }
            let mut fault = false;
            for j in i + 1..last.min(i + 10) {
                let n = &self.r.insts[j];
                if n.args().any(|v| v.index() == i) {
                    if n.op == Op::Set && fault {
                        self.val[i].lazy = true;
                        self.val[x.index()].last = self.val[x.index()].last.max(j as u32);
                    }
                    break;
                }
                fault |= matches!(n.op.info().effect, Effect::Load | Effect::Store);
                if n.op.info().effect == Effect::Call {
                    break;
                }
            }
        }
    }

    /// A comparison wanted only by the conditional comparison `i` right after it is computed there.
    fn fuse_compare(&mut self, i: usize) {
        let inst = &self.r.insts[i];
        let f = inst.args[1].index();
        let fi = &self.r.insts[f];
        if self.val[i].uses == 0
            || fi.op != Op::FlagsOf
            || fi.imm != 0
            || self.val[f].uses != 1
            || inst.args[0].index() == f
        {
            return;
        }
        let p = fi.args[0].index();
        let made = &self.r.insts[p];
        let quiet = (p + 1..i)
            .all(|j| matches!(self.r.insts[j].op, Op::Nop | Op::FlagsOf | Op::Const | Op::Get | Op::Trunc));
        if !matches!(made.op, Op::Sub | Op::Add)
            || self.val[p].uses != 1
            || self.val[p].flags_val != f as u32
            || !quiet
        {
            return;
        }
        self.val[f].fused = true;
        self.val[p].fused = true;
        for v in made.args() {
            self.val[v.index()].last = self.val[v.index()].last.max(i as u32);
        }
    }

    /// All flags but C of an addition or subtraction of one, with an older C: the host's `inc` or `dec`, which leaves its
    /// carry flag alone.
    fn fuse_step(&mut self, i: usize) {
        const C: u64 = 2;
        let inst = &self.r.insts[i];
        let [old, new, ..] = inst.args;
        let f = &self.r.insts[new.index()];
        if self.val[i].uses == 0
            || inst.imm != 63 & !C
            || f.op != Op::FlagsOf
            || self.val[new.index()].uses != 1
        {
            return;
        }
        let p = f.args[0];
        let made = self.r.inst(p);
        let one = matches!(made.op, Op::Add | Op::Sub | Op::LAdd | Op::LSub)
            && self.r.inst(made.args[1]).op == Op::Const
            && self.r.inst(made.args[1]).imm == 1;
        let turned = f.imm == u64::from(matches!(made.op, Op::Sub | Op::LSub));
        if one && turned && old.index() < p.index() && self.val[p.index()].flags_val == new.0 {
            self.val[p.index()].keeps_carry = i as u32;
            self.val[new.index()].fused = true;
            self.val[i].fused = true;
        }
    }

    /// May be left out when its result is not used.
    pub(crate) fn skippable(&self, i: &Inst) -> bool {
        matches!(i.op.info().effect, Effect::Pure | Effect::ReadState) && i.ty != Type::Void
    }

    // --- allocation -------------------------------------------------------------------------------------

    pub(crate) fn lock(&mut self, g: Gp) {
        self.lock |= 1 << g.0;
    }
    pub(crate) fn locked(&self, g: Gp) -> bool {
        self.lock >> g.0 & 1 != 0
    }
    pub(crate) fn unlock(&mut self, g: Gp) {
        self.lock &= !(1 << g.0);
    }
    pub(crate) fn xlock(&mut self, x: Xmm) {
        self.xlock |= 1 << x.0;
    }

    /// A free scratch register, locked for this operation.
    pub(crate) fn tmp(&mut self) -> Gp {
        // rax last: flags and wide operations want it.
        const ORDER: [Gp; 4] = [RCX, RDX, RSI, RAX];
        for g in ORDER {
            if self.users[g.0 as usize] == 0 && !self.locked(g) {
                self.lock(g);
                return g;
            }
        }
        let v = self
            .live
            .iter()
            .copied()
            .filter(|&v| matches!(self.val[v as usize].loc, Loc::R(g) if is_temp(g) && !self.locked(g)))
            .max_by_key(|&v| self.val[v as usize].last);
        let Some(v) = v else {
            self.starved = Some(self.idx);
            return RAX;
        };
        let Loc::R(g) = self.val[v as usize].loc else { unreachable!("filtered") };
        self.spill_gp(g);
        self.lock(g);
        g
    }
    fn spill_gp(&mut self, g: Gp) {
        let n = (!self.spill_used).trailing_zeros() as u8;
        assert!((n as usize) < SPILL_SLOTS, "out of spill slots");
        self.a.store(Sz::Q, spill_mem(n), g);
        self.spill_used |= 1 << n;
        for k in 0..self.live.len() {
            let v = self.live[k] as usize;
            if self.val[v].loc == Loc::R(g) {
                self.val[v].loc = Loc::Spill(n);
            }
        }
        self.users[g.0 as usize] = 0;
    }
    /// Frees this very scratch register (its values move) and locks it.
    pub(crate) fn take(&mut self, g: Gp) {
        debug_assert!(!self.locked(g), "{g:?} is in use");
        if self.users[g.0 as usize] > 0 {
            let free =
                TEMPS.into_iter().find(|&t| self.users[t.0 as usize] == 0 && !self.locked(t) && t != g);
            match free {
                Some(t) => {
                    self.a.mov(Sz::Q, t, g);
                    for k in 0..self.live.len() {
                        let v = self.live[k] as usize;
                        if self.val[v].loc == Loc::R(g) {
                            self.val[v].loc = Loc::R(t);
                        }
                    }
                    self.users[t.0 as usize] = self.users[g.0 as usize];
                    self.users[g.0 as usize] = 0;
                }
                None => self.spill_gp(g),
            }
        }
        self.lock(g);
    }
    /// Takes `g` unless the operation's own argument `v` is in it and dies here.
    pub(crate) fn take_or_own(&mut self, g: Gp, v: Val) {
        if self.val[v.index()].loc == Loc::R(g) && self.users[g.0 as usize] == 1 && self.dies(v) {
            self.lock(g);
        } else if !self.locked(g) {
            self.take(g);
        }
    }
    pub(crate) fn xtmp(&mut self) -> Xmm {
        for x in XTEMPS {
            if self.xusers[x.0 as usize] == 0 && self.xlock >> x.0 & 1 == 0 {
                self.xlock(x);
                return x;
            }
        }
        let v = self
            .live
            .iter()
            .copied()
            .filter(
                |&v| matches!(self.val[v as usize].loc, Loc::X(x) if is_xtemp(x) && self.xlock >> x.0 & 1 == 0),
            )
            .max_by_key(|&v| self.val[v as usize].last);
        let Some(v) = v else {
            self.starved = Some(self.idx);
            return XTEMPS[0];
        };
        let Loc::X(x) = self.val[v as usize].loc else { unreachable!("filtered") };
        self.spill_x(x);
        self.xlock(x);
        x
    }
    fn spill_x(&mut self, x: Xmm) {
        let copy = XTEMPS.iter().position(|&t| t == x).and_then(|k| self.copies[k]);
        let to = match copy {
            Some((v, s)) if self.val[v as usize].loc == Loc::X(x) => Loc::Slot(s),
            _ => Loc::VSpill(self.store_x(x)),
        };
        for k in 0..self.live.len() {
            let v = self.live[k] as usize;
            if self.val[v].loc == Loc::X(x) {
                self.val[v].loc = to;
            }
        }
        self.xusers[x.0 as usize] = 0;
    }
    fn store_x(&mut self, x: Xmm) -> u8 {
        let n = (!self.vspill_used).trailing_zeros() as u8;
        assert!((n as usize) < VSPILL_SLOTS, "out of vector spill slots");
        self.a.vst(V::MovupsSt, vspill_mem(n), x);
        self.vspill_used |= 1 << n;
        n
    }
    pub(crate) fn dies(&self, v: Val) -> bool {
        self.val[v.index()].last as usize <= self.idx
    }

    // --- definitions ------------------------------------------------------------------------------------

    /// The pinned slot whose register the result of `idx` may be computed into (rule 2).
    fn hint(&self, idx: usize) -> Option<SlotId> {
        let end = self.r.blocks[self.block].last as usize;
        let mut v = Val(idx as u32);
        let mut touched: [SlotId; 8] = [SlotId(u16::MAX); 8];
        let mut n = 0;
        for j in idx + 1..end.min(idx + 12) {
            let i = &self.r.insts[j];
            match (i.op, i.attr) {
                (Op::Set, Attr::Slot(s)) => {
                    if i.args[0] == v {
                        if touched.contains(&s) {
                            return None;
                        }
                        let alias = match (self.map.int_of[s.0 as usize], self.map.vec_of[s.0 as usize]) {
                            (Some(g), _) => Loc::R(g),
                            (_, Some(x)) => Loc::X(x),
                            (None, None) => return None,
                        };
                        let busy = self.live.iter().any(|&u| {
                            self.val[u as usize].loc == alias && self.val[u as usize].last as usize > idx
                        });
                        return (!busy).then_some(s);
                    }
                    if n == touched.len() {
                        return None;
                    }
                    touched[n] = s;
                    n += 1;
                }
                (Op::Get, Attr::Slot(s)) => {
                    if self.val[j].uses > 0 {
                        if n == touched.len() {
                            return None;
                        }
                        touched[n] = s;
                        n += 1;
                    }
                }
                (Op::Zext32, _) if i.args[0] == v => v = Val(j as u32),
                (Op::Insn | Op::Nop | Op::Defer | Op::Prefetch, _) => {}
                _ => match i.op.info().effect {
                    Effect::Pure | Effect::Sticky | Effect::ReadState => {}
                    Effect::WriteState | Effect::Load | Effect::Store | Effect::Barrier | Effect::Call => {
                        return None;
                    }
                },
            }
        }
        None
    }
    fn hint_gp(&self) -> Option<Gp> {
        self.hint(self.idx).and_then(|s| self.map.int_of[s.0 as usize])
    }
    fn hint_x(&self) -> Option<Xmm> {
        self.hint(self.idx).and_then(|s| self.map.vec_of[s.0 as usize])
    }

    /// Destination of the current operation: a pinned register it will be set to, a dying argument's, or a new one.
    /// It may be the same as an argument's register.
    pub(crate) fn dst(&mut self, reuse: &[Val]) -> Gp {
        if let Some(g) = self.hint_gp() {
            self.lock(g);
            return g;
        }
        for &v in reuse {
            if !v.is_some() {
                continue;
            }
            if let Loc::R(g) = self.val[v.index()].loc
                && is_temp(g)
                && self.users[g.0 as usize] == 1
                && self.dies(v)
            {
                self.lock(g);
                return g;
            }
        }
        self.tmp()
    }
    /// A destination that is none of the registers in use by this operation.
    pub(crate) fn dst_new(&mut self) -> Gp {
        if let Some(g) = self.hint_gp()
            && !self.locked(g)
        {
            self.lock(g);
            return g;
        }
        self.tmp()
    }
    pub(crate) fn xdst(&mut self, reuse: &[Val]) -> Xmm {
        if let Some(x) = self.hint_x() {
            self.xlock(x);
            return x;
        }
        for &v in reuse {
            if let Loc::X(x) = self.val[v.index()].loc
                && is_xtemp(x)
                && self.xusers[x.0 as usize] == 1
                && self.dies(v)
            {
                self.xlock(x);
                return x;
            }
        }
        self.xtmp()
    }
    pub(crate) fn xdst_new(&mut self) -> Xmm {
        if let Some(x) = self.hint_x()
            && self.xlock >> x.0 & 1 == 0
        {
            self.xlock(x);
            return x;
        }
        self.xtmp()
    }
    /// Records where the current operation's result is.
    pub(crate) fn def(&mut self, loc: Loc) {
        self.def_at(self.idx, loc);
    }
    pub(crate) fn def_at(&mut self, i: usize, loc: Loc) {
        if self.val[i].uses == 0 {
            return;
        }
        self.val[i].loc = loc;
        match loc {
            Loc::R(g) if is_temp(g) => self.users[g.0 as usize] += 1,
            Loc::X(x) if is_xtemp(x) => self.xusers[x.0 as usize] += 1,
            Loc::R(_) | Loc::X(_) | Loc::Slot(_) => {}
            Loc::Spill(_) | Loc::VSpill(_) | Loc::Lazy => {}
            Loc::None | Loc::Const(_) | Loc::Addr(_) | Loc::Eflags(_) => return,
        }
        self.live.push(i as u32);
        self.next_death = self.next_death.min(self.val[i].last);
    }
    /// The result is a 32-bit operation's: its register's upper half is zero.
    pub(crate) fn def_z(&mut self, g: Gp) {
        self.val[self.idx].zx = true;
        self.def(Loc::R(g));
    }
    /// A value that is another one seen differently: shares its location.
    pub(crate) fn def_alias(&mut self, of: Val) {
        match self.val[of.index()].loc {
            Loc::Spill(_) => {
                let g = self.gp(of);
                self.def(Loc::R(g));
            }
            Loc::VSpill(_) => {
                let x = self.x(of);
                self.def(Loc::X(x));
            }
            l => self.def(l),
        }
    }
    fn drop_loc(&mut self, v: usize) {
        match self.val[v].loc {
            Loc::R(g) if is_temp(g) => self.users[g.0 as usize] -= 1,
            Loc::X(x) if is_xtemp(x) => self.xusers[x.0 as usize] -= 1,
            Loc::Spill(n) => {
                if !self.live.iter().any(|&u| u as usize != v && self.val[u as usize].loc == Loc::Spill(n)) {
                    self.spill_used &= !(1 << n);
                }
            }
            Loc::VSpill(n) => {
                if !self.live.iter().any(|&u| u as usize != v && self.val[u as usize].loc == Loc::VSpill(n)) {
                    self.vspill_used &= !(1 << n);
                }
            }
            Loc::R(_) | Loc::X(_) | Loc::Slot(_) | Loc::Lazy => {}
            Loc::None | Loc::Const(_) | Loc::Addr(_) | Loc::Eflags(_) => {}
        }
    }
    /// Frees what dies at the current operation.
    pub(crate) fn end_op(&mut self) {
        self.lock = 0;
        self.xlock = 0;
        if (self.idx as u32) < self.next_death {
            return;
        }
        self.next_death = u32::MAX;
        let mut k = 0;
        while k < self.live.len() {
            let v = self.live[k] as usize;
            if self.val[v].last as usize <= self.idx && v != self.idx || self.val[v].uses == 0 {
                self.live.swap_remove(k);
                self.drop_loc(v);
                self.val[v].loc = Loc::None;
            } else {
                self.next_death = self.next_death.min(self.val[v].last);
                k += 1;
            }
        }
    }
    /// Moves a value to a new location.
    fn relocate(&mut self, v: usize, to: Loc) {
        self.drop_loc(v);
        if let Some(k) = self.live.iter().position(|&u| u as usize == v) {
            self.live.swap_remove(k);
        }
        self.def_at(v, to);
    }

    // --- uses -------------------------------------------------------------------------------------------

    /// A guest address constant in a register.
    pub(crate) fn mov_addr(&mut self, g: Gp, v: u64) {
        self.a.mov_i(g, v);
        let at = self.a.pos();
        if v <= u32::MAX as u64 {
            self.out.relocs.push(Reloc::Guest32(at - 4));
        } else if i32::try_from(v as i64).is_err() {
            self.out.relocs.push(Reloc::Guest64(at - 8));
        } else {
            self.out.relocs.push(Reloc::Fixed);
        }
    }
    /// The value in a general register (any width), locked. It must not be changed.
    pub(crate) fn gp(&mut self, v: Val) -> Gp {
        let i = v.index();
        match self.val[i].loc {
            Loc::R(g) => {
                self.lock(g);
                g
            }
            Loc::Const(c) => {
                let g = self.tmp();
                self.a.mov_i(g, c);
                g
            }
            Loc::Addr(c) => {
                let g = self.tmp();
                self.mov_addr(g, c);
                g
            }
            Loc::Slot(s) => {
                let g = self.tmp();
                let ty = self.ty(v);
                self.a.mov(sz_of(ty), g, self.map.mem(s));
                self.val[i].zx = ty == Type::I32;
                self.relocate(i, Loc::R(g));
                g
            }
            Loc::Spill(n) => {
                let g = self.tmp();
                self.a.mov(Sz::Q, g, spill_mem(n));
                // All values of this spill come back together.
                for k in 0..self.live.len() {
                    let u = self.live[k] as usize;
                    if self.val[u].loc == Loc::Spill(n) {
                        self.val[u].loc = Loc::R(g);
                        self.users[g.0 as usize] += 1;
                    }
                }
                self.spill_used &= !(1 << n);
                g
            }
            Loc::Lazy => {
                let g = self.tmp();
                self.eval_lazy(i, g);
                g
            }
            Loc::None | Loc::X(_) | Loc::VSpill(_) | Loc::Eflags(_) => {
                unreachable!("{:?} is {:?}", self.inst(v).op, self.val[i].loc)
            }
        }
    }
    /// Computes a postponed addition into `g`.
    pub(crate) fn eval_lazy(&mut self, i: usize, g: Gp) {
        let inst = &self.r.insts[i];
        let [x, c, ..] = inst.args;
        let k = self.inst(c).imm as i64;
        let k = if inst.op == Op::Sub { k.wrapping_neg() } else { k };
        match self.val[x.index()].loc {
            Loc::R(b) => self.a.lea(Sz::Q, g, Mem::b(b, k as i32)),
            _ => {
                let m = self.rm(x);
                self.a.mov(Sz::Q, g, m);
                self.a.lea(Sz::Q, g, Mem::b(g, k as i32));
            }
        }
        self.relocate(i, Loc::R(g));
    }
    /// The value as a register or memory operand (read only).
    pub(crate) fn rm(&mut self, v: Val) -> Rm {
        match self.val[v.index()].loc {
            Loc::Slot(s) if self.dies(v) => Rm::M(self.map.mem(s)),
            Loc::Spill(n) if self.dies(v) => Rm::M(spill_mem(n)),
            _ => Rm::R(self.gp(v)),
        }
    }
    /// A constant that is a sign-extended 32-bit immediate at the operation's width.
    pub(crate) fn imm(&self, v: Val) -> Option<i32> {
        let Loc::Const(c) = self.val[v.index()].loc else { return None };
        if self.ty(v) == Type::I32 { Some(c as u32 as i32) } else { i32::try_from(c as i64).ok() }
    }
    pub(crate) fn konst(&self, v: Val) -> Option<u64> {
        match self.val[v.index()].loc {
            Loc::Const(c) => Some(if self.ty(v) == Type::I32 { c as u32 as u64 } else { c }),
            _ => None,
        }
    }
    /// `g = v` at the value's width.
    pub(crate) fn mov_to(&mut self, g: Gp, v: Val) {
        let sz = sz_of(self.ty(v));
        match self.val[v.index()].loc {
            Loc::Const(c) => self.a.mov_i(g, c),
            Loc::Addr(c) => self.mov_addr(g, c),
            Loc::R(r) => {
                if r != g {
                    self.a.mov(sz, g, r);
                }
            }
            Loc::Slot(s) => self.a.mov(sz, g, self.map.mem(s)),
            Loc::Spill(n) => self.a.mov(Sz::Q, g, spill_mem(n)),
            Loc::Lazy => {
                let k = v.index();
                if self.dies(v) {
                    self.eval_lazy_into(k, g);
                } else {
                    let r = self.gp(v);
                    self.a.mov(Sz::Q, g, r);
                }
            }
            Loc::None | Loc::X(_) | Loc::VSpill(_) | Loc::Eflags(_) => {
                unreachable!("{:?} is {:?}", self.inst(v).op, self.val[v.index()].loc)
            }
        }
    }
    fn eval_lazy_into(&mut self, i: usize, g: Gp) {
        let inst = &self.r.insts[i];
        let [x, c, ..] = inst.args;
        let k = self.inst(c).imm as i64;
        let k = if inst.op == Op::Sub { k.wrapping_neg() } else { k };
        if let Loc::R(b) = self.val[x.index()].loc {
            self.a.lea(Sz::Q, g, Mem::b(b, k as i32));
        } else {
            self.mov_to(g, x);
            self.a.lea(Sz::Q, g, Mem::b(g, k as i32));
        }
    }
    /// The value in a vector register, locked. It must not be changed.
    pub(crate) fn x(&mut self, v: Val) -> Xmm {
        let i = v.index();
        match self.val[i].loc {
            Loc::X(x) => {
                self.xlock(x);
                x
            }
            Loc::Slot(s) => {
                let x = self.xtmp();
                self.a.v2(V::Movaps, x, self.map.mem(s));
                self.relocate(i, Loc::X(x));
                x
            }
            Loc::VSpill(n) => {
                let x = self.xtmp();
                self.a.v2(V::Movups, x, vspill_mem(n));
                for k in 0..self.live.len() {
                    let u = self.live[k] as usize;
                    if self.val[u].loc == Loc::VSpill(n) {
                        self.val[u].loc = Loc::X(x);
                        self.xusers[x.0 as usize] += 1;
                    }
                }
                self.vspill_used &= !(1 << n);
                x
            }
            Loc::None
            | Loc::Const(_)
            | Loc::Addr(_)
            | Loc::R(_)
            | Loc::Spill(_)
            | Loc::Eflags(_)
            | Loc::Lazy => unreachable!("{:?} is {:?}", self.inst(v).op, self.val[i].loc),
        }
    }
    /// The value as vector register or (16-byte aligned) memory operand.
    pub(crate) fn xm(&mut self, v: Val) -> Xm {
        match self.val[v.index()].loc {
            Loc::Slot(s) if self.dies(v) => Xm::M(self.map.mem(s)),
            _ => Xm::R(self.x(v)),
        }
    }
    /// `x = v`
    pub(crate) fn xmov_to(&mut self, x: Xmm, v: Val) {
        match self.xm(v) {
            Xm::R(r) => self.a.vmov(x, r),
            Xm::M(m) => self.a.v2(V::Movaps, x, m),
        }
    }

    /// A destination after a call out of line: nothing of the arguments is needed any more.
    pub(crate) fn dst_after_call(&mut self) -> Gp {
        match self.hint_gp() {
            Some(g) => g,
            None => self.tmp(),
        }
    }
    /// [`Self::unalias`] before a call that writes `s`: also values that the call itself is the last to use are fine.
    pub(crate) fn unalias_call(&mut self, s: SlotId, _inst: &Inst) {
        self.unalias(s, None);
    }

    // --- slots ------------------------------------------------------------------------------------------

    /// Copies away every value that lives in slot `s` and is used after the current operation.
    pub(crate) fn unalias(&mut self, s: SlotId, except: Option<Val>) {
        let pin = match (self.map.int_of[s.0 as usize], self.map.vec_of[s.0 as usize]) {
            (Some(g), _) => Some(Loc::R(g)),
            (_, Some(x)) => Some(Loc::X(x)),
            (None, None) => None,
        };
        if let Some((_, fs)) = self.flags_slot
            && fs == s
        {
            self.flags_slot = None;
        }
        for copy in &mut self.copies {
            if copy.is_some_and(|(_, of)| of == s) {
                *copy = None;
            }
        }
        let mut k = 0;
        while k < self.live.len() {
            let v = self.live[k] as usize;
            let l = self.val[v].loc;
            let hit = (l == Loc::Slot(s) || Some(l) == pin)
                && self.val[v].last as usize > self.idx
                && except.is_none_or(|e| e.index() != v);
            if !hit {
                k += 1;
                continue;
            }
            // `relocate` swaps the list about; start over.
            match l {
                Loc::Slot(_) if self.r.insts[v].ty == Type::V128 => {
                    let x = self.x(Val(v as u32));
                    self.xlock &= !(1 << x.0);
                }
                Loc::Slot(_) => {
                    let g = self.gp(Val(v as u32));
                    self.unlock(g);
                }
                Loc::R(g) => {
                    let t = self.tmp();
                    self.a.mov(Sz::Q, t, g);
                    self.move_all(l, Loc::R(t));
                    self.unlock(t);
                }
                Loc::X(x) => {
                    let t = self.xtmp();
                    self.a.vmov(t, x);
                    self.move_all(l, Loc::X(t));
                    self.xlock &= !(1 << t.0);
                }
                Loc::None
                | Loc::Const(_)
                | Loc::Addr(_)
                | Loc::Spill(_)
                | Loc::VSpill(_)
                | Loc::Eflags(_)
                | Loc::Lazy => unreachable!("not an alias"),
            }
            k = 0;
        }
    }
    fn move_all(&mut self, from: Loc, to: Loc) {
        for k in 0..self.live.len() {
            let v = self.live[k] as usize;
            if self.val[v].loc == from && self.val[v].last as usize > self.idx {
                self.val[v].loc = to;
                match to {
                    Loc::R(g) => self.users[g.0 as usize] += 1,
                    Loc::X(x) => self.xusers[x.0 as usize] += 1,
                    _ => unreachable!("moved to a register"),
                }
            }
        }
    }

    /// How many bytes of a vector slot may be other than zero.
    pub(crate) fn slot_bytes(&self, s: SlotId) -> u8 {
        if self.half_slots.contains(&s.0) { 8 } else { 16 }
    }

    /// `get slot`
    pub(crate) fn get(&mut self, s: SlotId) {
        let k = s.0 as usize;
        if let Some(g) = self.map.int_of[k] {
            self.def(Loc::R(g));
        } else if let Some(x) = self.map.vec_of[k] {
            self.val[self.idx].vz = self.slot_vz[k];
            self.def(Loc::X(x));
        } else {
            self.val[self.idx].vz = self.slot_vz[k];
            self.def(Loc::Slot(s));
        }
    }
    /// `set slot`
    pub(crate) fn set(&mut self, s: SlotId, v: Val) {
        let k = s.0 as usize;
        let ty = self.ty(v);
        if ty == Type::Flags {
            self.set_flags(s, v);
            return;
        }
        if ty == Type::V128 {
            self.slot_vz[k] = self.val[v.index()].vz.min(self.slot_bytes(s));
        }
        if let Some(p) = self.map.int_of[k] {
            if self.val[v.index()].loc == Loc::R(p) {
                return;
            }
            self.unalias(s, Some(v));
            self.mov_to(p, v);
            // Small constants are better as immediates; a large one is now in a register.
            let small = match self.val[v.index()].loc {
                Loc::Const(_) => self.imm(v).is_some(),
                Loc::Addr(c) => i32::try_from(c).is_ok(),
                _ => false,
            };
            if !self.dies(v) && !small {
                self.relocate(v.index(), Loc::R(p));
            }
            return;
        }
        if let Some(p) = self.map.vec_of[k] {
            if self.val[v.index()].loc == Loc::X(p) {
                return;
            }
            self.unalias(s, Some(v));
            self.xmov_to(p, v);
            if !self.dies(v) {
                self.relocate(v.index(), Loc::X(p));
            }
            return;
        }
        if self.val[v.index()].loc == Loc::Slot(s) {
            return;
        }
        self.unalias(s, None);
        let m = self.map.mem(s);
        if ty == Type::V128 {
            let x = self.x(v);
            self.a.vst(V::MovapsSt, m, x);
            if let Some(k) = XTEMPS.iter().position(|&t| t == x) {
                self.copies[k] = Some((v.0, s));
            }
        } else if let Some(i) = self.imm(v) {
            self.a.store_i(sz_of(ty), m, i);
        } else {
            let g = self.gp(v);
            self.a.store(sz_of(ty), m, g);
        }
    }

    // --- constants in memory -----------------------------------------------------------------------------

    /// A 16-byte constant near the code.
    pub(crate) fn cst(&mut self, v: u128) -> Mem {
        self.pool.get(&mut self.a, v)
    }
    /// A 64-bit pattern in both halves.
    pub(crate) fn cst64(&mut self, v: u64) -> Mem {
        self.cst(v as u128 | (v as u128) << 64)
    }
}
