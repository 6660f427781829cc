//! Flags: conditions on the host's flags register, the memory form of a flags slot, and saving what an operation would
//! destroy. Input: a flags value and where it is; output: a host condition.

use crate::alloc::{C, Kind, Loc};
use crate::asm::*;
use ir::{Op, SlotId, Type, Val};

/// A condition as one or two host conditions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cond {
    One(Cc),
    Both(Cc, Cc),
    Either(Cc, Cc),
}

impl Cond {
    pub(crate) fn invert(self) -> Cond {
        match self {
            Cond::One(a) => Cond::One(a.invert()),
            Cond::Both(a, b) => Cond::Either(a.invert(), b.invert()),
            Cond::Either(a, b) => Cond::Both(a.invert(), b.invert()),
        }
    }
}

fn host_cond(kind: Kind, cc: ir::Cc) -> Cond {
    use Cond::{Both, Either, One};
    use ir::Cc as G;
    match (kind, cc) {
        (Kind::Add | Kind::Sub, G::Eq) => One(Cc::E),
        (Kind::Add | Kind::Sub, G::Ne) => One(Cc::Ne),
        (Kind::Add | Kind::Sub, G::Mi) => One(Cc::S),
        (Kind::Add | Kind::Sub, G::Pl) => One(Cc::Ns),
        (Kind::Add | Kind::Sub, G::Vs) => One(Cc::O),
        (Kind::Add | Kind::Sub, G::Vc) => One(Cc::No),
        (Kind::Add | Kind::Sub, G::Ge) => One(Cc::Ge),
        (Kind::Add | Kind::Sub, G::Lt) => One(Cc::L),
        (Kind::Add | Kind::Sub, G::Gt) => One(Cc::G),
        (Kind::Add | Kind::Sub, G::Le) => One(Cc::Le),
        (Kind::Add, G::Cs) | (Kind::Sub, G::Cc) => One(Cc::B),
        (Kind::Add, G::Cc) | (Kind::Sub, G::Cs) => One(Cc::Ae),
        (Kind::Add, G::Hi) => Both(Cc::B, Cc::Ne),
        (Kind::Add, G::Ls) => Either(Cc::Ae, Cc::E),
        (Kind::Sub, G::Hi) => One(Cc::A),
        (Kind::Sub, G::Ls) => One(Cc::Be),
        (Kind::Add | Kind::Sub, G::Pe) => One(Cc::P),
        (Kind::Add | Kind::Sub, G::Po) => One(Cc::Np),
        (Kind::Add, G::Be) => One(Cc::Be),
        (Kind::Add, G::Ab) => One(Cc::A),
        (Kind::Sub, G::Be) => Either(Cc::Ae, Cc::E),
        (Kind::Sub, G::Ab) => Both(Cc::B, Cc::Ne),
        // After a comparison of floating-point numbers P is clear, and C is set with Z.
        (Kind::Fp | Kind::FpSwap, G::Pe) => Both(Cc::E, Cc::Ne),
        (Kind::Fp | Kind::FpSwap, G::Po) => Either(Cc::E, Cc::Ne),
        (Kind::Fp, G::Be) => Either(Cc::Ae, Cc::P),
        (Kind::Fp, G::Ab) => Both(Cc::B, Cc::Np),
        (Kind::FpSwap, G::Be) => One(Cc::Be),
        (Kind::FpSwap, G::Ab) => One(Cc::A),
        (Kind::Bit, G::Eq) => One(Cc::Ae),
        (Kind::Bit, _) => One(Cc::B),
        (Kind::Fp | Kind::FpSwap, G::Eq) => Both(Cc::E, Cc::Np),
        (Kind::Fp | Kind::FpSwap, G::Ne) => Either(Cc::Ne, Cc::P),
        (Kind::Fp | Kind::FpSwap, G::Vs) => One(Cc::P),
        (Kind::Fp | Kind::FpSwap, G::Vc) => One(Cc::Np),
        (Kind::Fp, G::Mi | G::Cc) => Both(Cc::B, Cc::Np),
        (Kind::Fp, G::Pl | G::Cs) => Either(Cc::Ae, Cc::P),
        (Kind::Fp, G::Hi) => Either(Cc::A, Cc::P),
        (Kind::Fp, G::Ls) => Both(Cc::Be, Cc::Np),
        (Kind::Fp, G::Ge) => One(Cc::Ae),
        (Kind::Fp, G::Lt) => One(Cc::B),
        (Kind::Fp, G::Gt) => One(Cc::A),
        (Kind::Fp, G::Le) => One(Cc::Be),
        (Kind::FpSwap, G::Mi | G::Cc) => One(Cc::A),
        (Kind::FpSwap, G::Pl | G::Cs) => One(Cc::Be),
        (Kind::FpSwap, G::Ls) => One(Cc::Ae),
        (Kind::FpSwap, G::Hi) => One(Cc::B),
        (Kind::FpSwap, G::Gt) => Both(Cc::B, Cc::Np),
        (Kind::FpSwap, G::Le) => Either(Cc::Ae, Cc::P),
        (Kind::FpSwap, G::Ge) => Both(Cc::Be, Cc::Np),
        (Kind::FpSwap, G::Lt) => Either(Cc::A, Cc::P),
    }
}

/// pext/pdep mask between the memory form and packed nzcv.
const MEM_MASK: u32 = 0xc101;

impl C<'_> {
    /// Operations whose code never changes the host's flags.
    fn keeps_flags(&self, i: &ir::Inst) -> bool {
        let own_in_host = |v: Val| matches!(self.val[v.index()].loc, Loc::Eflags(_));
        match (i.op, i.attr) {
            (Op::Select | Op::VSelect, _) => return own_in_host(i.args[0]),
            (Op::SetCc, ir::Attr::Cc(cc)) => {
                let l = self.val[i.args[0].index()].loc;
                return matches!(l, Loc::Eflags(k) if matches!(host_cond(k, cc), Cond::One(_)));
            }
            (Op::Load | Op::Store | Op::VLoad | Op::VStore, ir::Attr::Mem(m)) => {
                return !m.aligned && !m.big_endian && m.scale < 4 && m.order != ir::Order::Release;
            }
            (Op::VLoadMask | Op::VStoreMask, ir::Attr::Mem(m)) => {
                return self.a.feat.evex() && m.size != ir::Size::Q && m.scale < 4;
            }
            (Op::Add, _) => {
                let reg = |v: Val| matches!(self.val[v.index()].loc, Loc::R(_));
                let [a, b, ..] = i.args;
                let want = self.val[self.idx].flags_val;
                return want == u32::MAX && reg(a) && (reg(b) || self.imm(b).is_some());
            }
            (Op::Sub, _) => {
                let [a, b, ..] = i.args;
                return self.val[self.idx].flags_val == u32::MAX
                    && matches!(self.val[a.index()].loc, Loc::R(_))
                    && self.imm(b).is_some_and(|k| k != i32::MIN);
            }
            _ => {}
        }
        matches!(
            i.op,
            Op::Nop
                | Op::Insn
                | Op::Get
                | Op::Set
                | Op::Defer
                | Op::SetMode
                | Op::Const
                | Op::Addr
                | Op::FlagsOf
                | Op::Zext32
                | Op::Trunc
                | Op::Not
                | Op::Zext8
                | Op::Zext16
                | Op::Sext8
                | Op::Sext16
                | Op::Sext32
                | Op::VConst
                | Op::VAnd
                | Op::VOr
                | Op::VXor
                | Op::VAdd
                | Op::VSub
        )
    }
    /// Before an operation: if it destroys the host's flags and they are wanted later, saves them.
    pub(crate) fn guard_flags(&mut self, i: &ir::Inst) {
        let Some(f) = self.eflags else { return };
        let own = i.args().any(|v| v.0 == f);
        if self.keeps_flags(i) {
            return;
        }
        let later = self.val[f as usize].last as usize > self.idx;
        if later {
            if !own && self.setcc_early(f) {
                return;
            }
            self.save_flags();
        } else if !own {
            self.eflags = None;
            self.val[f as usize].loc = Loc::None;
        }
    }
    /// If all that is still wanted of the flags `f` is one `setcc`, does it now. False if not.
    fn setcc_early(&mut self, f: u32) -> bool {
        let Loc::Eflags(kind) = self.val[f as usize].loc else { return false };
        let user = self.val[f as usize].last as usize;
        if user >= self.r.blocks[self.block].last as usize {
            return false;
        }
        let inst = &self.r.insts[user];
        let alone = (self.idx..user).all(|j| self.r.insts[j].args().all(|v| v.0 != f));
        let (Op::SetCc, ir::Attr::Cc(cc)) = (inst.op, inst.attr) else { return false };
        let Cond::One(cc) = host_cond(kind, cc) else { return false };
        if !alone || self.val[user].uses == 0 {
            return false;
        }
        let t = self.tmp();
        self.a.setcc(cc, t);
        self.a.reg_rm(RegRm::Movzx8, Sz::D, t, t);
        self.val[user].zx = true;
        self.def_at(user, Loc::R(t));
        self.unlock(t);
        self.val[user].fused = true;
        self.eflags = None;
        self.val[f as usize].loc = Loc::None;
        true
    }
    /// Moves the flags value out of the host's flags register.
    pub(crate) fn save_flags(&mut self) {
        let Some(f) = self.eflags.take() else { return };
        let Loc::Eflags(kind) = self.val[f as usize].loc else { return };
        if let Some((v, s)) = self.flags_slot
            && v == f
        {
            self.val[f as usize].loc = Loc::None;
            self.def_at(f as usize, Loc::Slot(s));
            return;
        }
        let locks = self.lock;
        self.take(RAX);
        self.flags_to_rax(kind);
        self.val[f as usize].loc = Loc::None;
        self.def_at(f as usize, Loc::R(RAX));
        self.lock = locks;
    }
    /// The memory form of the host's flags into eax, which is locked. Afterwards the host's flags are of the kind
    /// returned.
    fn flags_to_rax(&mut self, kind: Kind) -> Kind {
        match kind {
            Kind::Bit => {
                // Only Z is asked for later.
                self.a.setcc(Cc::Ae, RAX);
                self.a.reg_rm(RegRm::Movzx8, Sz::D, RAX, RAX);
                self.a.shift_i(Sh::Shl, Sz::D, RAX, 14);
                Kind::Add
            }
            Kind::Add | Kind::Sub => {
                if kind == Kind::Sub {
                    self.a.cmc();
                }
                // The upper half of the memory form is zero.
                self.a.mov_i(RAX, 0);
                self.a.setcc(Cc::O, RAX);
                self.a.lahf();
                Kind::Add
            }
            Kind::Fp | Kind::FpSwap => {
                // less: N; equal: Z C; greater: C; unordered: C V.
                let (above, below) =
                    if kind == Kind::Fp { (0x0100u64, 0x8000u128) } else { (0x8000u64, 0x0100u128) };
                let (b, e, p) = (self.cst(below), self.cst(0x4100), self.cst(0x0101));
                self.a.mov_i(RAX, above);
                self.a.cmov(Cc::B, Sz::D, RAX, b);
                self.a.cmov(Cc::E, Sz::D, RAX, e);
                self.a.cmov(Cc::P, Sz::D, RAX, p);
                kind
            }
        }
    }
    /// `set` of a flags slot.
    pub(crate) fn set_flags(&mut self, s: SlotId, f: Val) {
        let m = self.map.mem(s);
        match self.val[f.index()].loc {
            Loc::Eflags(kind) => {
                self.unalias(s, None);
                self.take(RAX);
                let mut stored = self.flags_to_rax(kind);
                self.a.store(Sz::D, m, RAX);
                if stored != kind && self.branch_compares(f) {
                    self.a.cmc();
                    stored = kind;
                }
                let kind = stored;
                self.val[f.index()].loc = Loc::Eflags(kind);
                self.flags_slot = Some((f.0, s));
            }
            Loc::Slot(t) if t == s => {}
            Loc::Const(c) => {
                self.unalias(s, None);
                self.a.store_i(Sz::D, m, ir::state::flags_to_mem(c as u8) as i32);
            }
            _ => {
                self.unalias(s, None);
                let g = self.gp(f);
                self.a.store(Sz::D, m, g);
            }
        }
    }
    /// The block ends with an unsigned comparison on `f`, which is one jump only if C is the inverse of CF.
    fn branch_compares(&self, f: Val) -> bool {
        use ir::Cc::{Hi, Ls};
        matches!(self.r.blocks[self.block].term,
            ir::Term::Branch { flags, cc: Hi | Ls, .. } if flags == f)
    }
    /// Declares that the host's flags now hold the flags of instruction `v` (a result), if anybody wants them.
    pub(crate) fn made_flags(&mut self, v: usize, kind: Kind) {
        let f = self.val[v].flags_val;
        self.eflags = None;
        let turned = f != u32::MAX && self.r.insts[f as usize].imm & 1 != 0;
        let kind = match kind {
            Kind::Add if turned => Kind::Sub,
            Kind::Sub if turned => Kind::Add,
            k => k,
        };
        if f != u32::MAX && self.val[f as usize].uses > 0 {
            self.val[f as usize].loc = Loc::Eflags(kind);
            self.eflags = Some(f);
        }
    }
    /// Makes the host's flags decide `cc` on `f`. May use eax; nothing may be locked there.
    pub(crate) fn cond(&mut self, f: Val, cc: ir::Cc) -> Cond {
        let loc = self.val[f.index()].loc;
        if let Loc::Eflags(kind) = loc {
            return host_cond(kind, cc);
        }
        if let Loc::Const(c) = loc {
            let zero = !cc.holds(c as u8);
            // A comparison with a known outcome keeps the callers simple; folding has removed nearly all of these.
            self.a.alu(Alu::Cmp, Sz::Q, RBP, RBP);
            return Cond::One(if zero { Cc::Ne } else { Cc::E });
        }
        use ir::Cc as G;
        let bit = match cc {
            G::Eq | G::Ne => 14u8,
            G::Cs | G::Cc => 8,
            G::Mi | G::Pl => 15,
            G::Vs | G::Vc => 0,
            G::Pe | G::Po => 10,
            G::Hi | G::Ls | G::Ge | G::Lt | G::Gt | G::Le | G::Be | G::Ab => 255,
        };
        self.eflags = None;
        if bit != 255 {
            let set = matches!(cc, G::Eq | G::Cs | G::Mi | G::Vs | G::Pe);
            match self.rm(f) {
                Rm::M(m) => self.a.test_i(Sz::B, m.plus((bit / 8) as i32), 1 << (bit % 8)),
                Rm::R(g) => self.a.test_i(Sz::D, g, 1 << bit),
            }
            return Cond::One(if set { Cc::Ne } else { Cc::E });
        }
        let kind = self.flags_from(f);
        host_cond(kind, cc)
    }
    /// Restores a saved flags value into the host's flags; destroys eax.
    fn flags_from(&mut self, f: Val) -> Kind {
        let here = self.val[f.index()].loc == Loc::R(RAX);
        if here && self.dies(f) && self.users[0] == 1 {
            self.lock(RAX);
        } else {
            // The addition below must not reach a register that a value lives in.
            self.unlock(RAX);
            self.take(RAX);
            self.mov_to(RAX, f);
        }
        self.a.alu_i(Alu::Add, Sz::B, RAX, 0x7f);
        self.a.sahf();
        self.unlock(RAX);
        Kind::Add
    }
    /// The host's carry flag becomes C (`inverted`: not C) of `f`. Only the carry counts.
    pub(crate) fn carry(&mut self, f: Val, inverted: bool) {
        let is_inverted = match self.val[f.index()].loc {
            Loc::Eflags(Kind::Sub) => true,
            Loc::Eflags(Kind::Add) => false,
            Loc::Eflags(kind) => {
                // C is set unless less.
                self.take(RAX);
                self.flags_to_rax(kind);
                self.a.bt_i(Mr::Bt, Sz::D, RAX, 8);
                self.unlock(RAX);
                false
            }
            Loc::Const(c) => {
                if c & 2 != 0 {
                    self.a.stc();
                } else {
                    self.a.clc();
                }
                false
            }
            _ => {
                match self.rm(f) {
                    Rm::M(m) => self.a.bt_i(Mr::Bt, Sz::D, m, 8),
                    Rm::R(g) => self.a.bt_i(Mr::Bt, Sz::D, g, 8),
                }
                false
            }
        };
        if is_inverted != inverted {
            self.a.cmc();
        }
    }
    /// Jumps to `l` if `c` holds.
    pub(crate) fn jump_if(&mut self, c: Cond, l: Label) {
        match c {
            Cond::One(c) => self.a.jcc(c, l),
            Cond::Either(x, y) => {
                self.a.jcc(x, l);
                self.a.jcc(y, l);
            }
            Cond::Both(x, y) => {
                let skip = self.a.new_label();
                self.a.jcc8(x.invert(), skip);
                self.a.jcc(y, l);
                self.a.bind(skip);
            }
        }
    }
    /// The memory form of `f` in a register that the operation may destroy.
    pub(crate) fn flags_copy(&mut self, f: Val) -> Gp {
        match self.val[f.index()].loc {
            Loc::Eflags(kind) => {
                self.take(RAX);
                self.flags_to_rax(kind);
                self.eflags = None;
                RAX
            }
            Loc::Const(c) => {
                let t = self.tmp();
                self.a.mov_i(t, ir::state::flags_to_mem(c as u8) as u64);
                t
            }
            _ => {
                let m = self.rm(f);
                let t = self.tmp();
                self.a.mov(Sz::D, t, m);
                t
            }
        }
    }
    /// Packed flags in bits 3:0 of a new scratch register.
    fn flags_low(&mut self, f: Val) -> Gp {
        let t = self.flags_copy(f);
        if self.a.feat.vex() {
            let m = self.tmp();
            self.a.mov_i(m, MEM_MASK as u64);
            self.a.vex_rvm(VexRvm::Pext, Sz::D, t, t, m);
        } else {
            // N Z at 15:14 to 3:2, C at 8 to 1, V stays.
            let m = self.tmp();
            self.a.mov(Sz::D, m, t);
            self.a.shift_i(Sh::Shr, Sz::D, m, 12);
            self.a.alu_i(Alu::And, Sz::D, m, 12);
            self.a.alu_i(Alu::And, Sz::D, t, 0x101);
            self.a.alu(Alu::Or, Sz::D, m, t);
            self.a.shift_i(Sh::Shr, Sz::D, t, 7);
            self.a.alu(Alu::Or, Sz::D, t, m);
            self.a.alu_i(Alu::And, Sz::D, t, 15);
        }
        t
    }
    /// `nzcv`
    pub(crate) fn emit_nzcv(&mut self, f: Val) {
        let t = self.flags_low(f);
        self.a.shift_i(Sh::Shl, Sz::D, t, 28);
        self.def_z(t);
    }
    /// The memory form, in place, from packed flags in bits 3:0 of `t`.
    fn flags_mem_from_low(&mut self, t: Gp) {
        if self.a.feat.vex() {
            let m = self.tmp();
            self.a.mov_i(m, MEM_MASK as u64);
            self.a.vex_rvm(VexRvm::Pdep, Sz::D, t, t, m);
        } else {
            let m = self.tmp();
            self.a.mov(Sz::D, m, t);
            self.a.shift_i(Sh::Shl, Sz::D, m, 12);
            self.a.alu_i(Alu::And, Sz::D, m, 0xc000);
            self.a.alu_i(Alu::And, Sz::D, t, 3);
            self.a.alu(Alu::Or, Sz::D, m, t);
            self.a.shift_i(Sh::Shl, Sz::D, t, 7);
            self.a.alu_i(Alu::And, Sz::D, t, 0x100);
            self.a.alu_i(Alu::And, Sz::D, m, 0xc001);
            self.a.alu(Alu::Or, Sz::D, t, m);
        }
    }
    /// `mkflags`
    pub(crate) fn emit_mkflags(&mut self, v: Val) {
        if let Some(c) = self.konst(v) {
            self.def(Loc::Const(c >> 28 & 15));
            return;
        }
        let t = self.tmp();
        self.mov_to(t, v);
        self.a.shift_i(Sh::Shr, Sz::D, t, 28);
        self.flags_mem_from_low(t);
        self.def(Loc::R(t));
    }
    /// `condflags` of a comparison that was postponed to here (see `analyse`): the host's flags become either the
    /// comparison's or the constant.
    fn emit_condflags_fused(&mut self, cc: ir::Cc, f: Val, made: &ir::Inst, nzcv: u64) {
        let sz = crate::alloc::sz_of(made.ty);
        let [a, b, ..] = made.args;
        let sub = made.op == Op::Sub;
        self.take(RAX);
        let ra = self.gp(a);
        let rb = if self.imm(b).is_some() { None } else { Some(self.gp(b)) };
        self.unlock(RAX);
        let c = self.cond(f, cc);
        self.lock(RAX);
        let (test, done) = (self.a.new_label(), self.a.new_label());
        self.jump_if(c, test);
        let flags = (nzcv >> 28) as u8 & 15 ^ if sub { 2 } else { 0 };
        self.a.mov_i(RAX, u64::from(ir::state::flags_to_mem(flags)));
        self.a.alu_i(Alu::Add, Sz::B, RAX, 0x7f);
        self.a.sahf();
        self.a.jmp8(done);
        self.a.bind(test);
        match (sub, rb, self.imm(b)) {
            (true, Some(rb), _) => self.a.alu(Alu::Cmp, sz, ra, rb),
            (true, None, k) => self.a.alu_i(Alu::Cmp, sz, ra, k.unwrap_or(0)),
            (false, rb, k) => {
                self.a.mov(sz, RAX, ra);
                match rb {
                    Some(rb) => self.a.alu(Alu::Add, sz, RAX, rb),
                    None => self.a.alu_i(Alu::Add, sz, RAX, k.unwrap_or(0)),
                }
            }
        }
        self.a.bind(done);
        self.eflags = None;
        if self.val[self.idx].uses > 0 {
            self.val[self.idx].loc = Loc::Eflags(if sub { Kind::Sub } else { Kind::Add });
            self.eflags = Some(self.idx as u32);
        }
    }
    /// `condflags`
    pub(crate) fn emit_condflags(&mut self, cc: ir::Cc, f: Val, then: Val, nzcv: u64) {
        if self.val[then.index()].fused {
            let made = self.inst(self.inst(then).args[0]);
            return self.emit_condflags_fused(cc, f, made, nzcv);
        }
        let other = u128::from(ir::state::flags_to_mem((nzcv >> 28) as u8 & 15));
        // `then` is usually the newest and in the host's flags: move it out first.
        self.take(RAX);
        let t = self.tmp();
        if let Loc::Eflags(kind) = self.val[then.index()].loc {
            self.flags_to_rax(kind);
            self.eflags = None;
            self.a.mov(Sz::D, t, RAX);
        } else if let Loc::Const(c) = self.val[then.index()].loc {
            self.a.mov_i(t, ir::state::flags_to_mem(c as u8) as u64);
        } else {
            let m = self.rm(then);
            self.a.mov(Sz::D, t, m);
        }
        self.lock = 1 << t.0;
        let o = self.cst(other);
        let c = self.cond(f, cc);
        match c.invert() {
            Cond::One(c) => self.a.cmov(c, Sz::D, t, o),
            Cond::Either(x, y) => {
                self.a.cmov(x, Sz::D, t, o);
                self.a.cmov(y, Sz::D, t, o);
            }
            Cond::Both(x, y) => {
                let skip = self.a.new_label();
                self.a.jcc8(x.invert(), skip);
                self.a.cmov(y, Sz::D, t, o);
                self.a.bind(skip);
            }
        }
        self.eflags = None;
        self.def(Loc::R(t));
    }
    /// `flagspack`
    pub(crate) fn emit_flags_pack(&mut self, f: Val) {
        let t = self.flags_copy(f);
        self.a.alu_i(Alu::And, Sz::D, t, ir::state::FLAGS_MEM as i32);
        self.eflags = None;
        self.def_z(t);
    }
    /// `flagsunpack`
    pub(crate) fn emit_flags_unpack(&mut self, v: Val) {
        if let Some(c) = self.konst(v) {
            self.def(Loc::Const(ir::state::flags_from_mem(c as u32).into()));
            return;
        }
        let t = self.tmp();
        self.mov_to(t, v);
        self.a.alu_i(Alu::And, Sz::D, t, ir::state::FLAGS_MEM as i32);
        self.def(Loc::R(t));
    }
    /// `flagsmerge`
    pub(crate) fn emit_flags_merge(&mut self, a: Val, b: Val, mask: u8) {
        let keep = ir::state::flags_to_mem(!mask) as i32;
        let take = ir::state::flags_to_mem(mask) as i32;
        if a == b {
            self.save_flags();
        }
        // What is in the host's flags register comes first.
        let order = if matches!(self.val[b.index()].loc, Loc::Eflags(_)) {
            [(b, take), (a, keep)]
        } else {
            [(a, keep), (b, take)]
        };
        let parts = order.map(|(v, bits)| {
            let t = self.flags_copy(v);
            self.eflags = None;
            self.a.alu_i(Alu::And, Sz::D, t, bits);
            t
        });
        self.a.alu(Alu::Or, Sz::D, parts[0], parts[1]);
        self.def(Loc::R(parts[0]));
    }
    /// `flagsselect`
    pub(crate) fn emit_flags_select(&mut self, cc: ir::Cc, f: Val, a: Val, b: Val) {
        // What is in the host's flags register moves out, unless it is only the condition.
        if self.eflags.is_some_and(|e| e == a.0 || e == b.0) {
            self.save_flags();
        }
        self.take(RAX);
        let t = self.tmp();
        let from = match self.val[a.index()].loc {
            Loc::Const(c) => {
                let g = self.tmp();
                self.a.mov_i(g, u64::from(ir::state::flags_to_mem(c as u8)));
                g
            }
            _ => self.gp(a),
        };
        if let Loc::Const(c) = self.val[b.index()].loc {
            self.a.mov_i(t, u64::from(ir::state::flags_to_mem(c as u8)));
        } else {
            let m = self.rm(b);
            self.a.mov(Sz::D, t, m);
        }
        self.lock = 1 << t.0 | 1 << from.0;
        match self.cond(f, cc) {
            Cond::One(x) => self.a.cmov(x, Sz::D, t, from),
            Cond::Either(x, y) => {
                self.a.cmov(x, Sz::D, t, from);
                self.a.cmov(y, Sz::D, t, from);
            }
            Cond::Both(x, y) => {
                let skip = self.a.new_label();
                self.a.jcc8(x.invert(), skip);
                self.a.cmov(y, Sz::D, t, from);
                self.a.bind(skip);
            }
        }
        self.eflags = None;
        self.def(Loc::R(t));
    }
    /// `setcc`
    pub(crate) fn emit_setcc(&mut self, cc: ir::Cc, f: Val) {
        let c = self.cond(f, cc);
        let (x, y, both) = match c {
            Cond::One(x) => (x, None, false),
            Cond::Both(x, y) => (x, Some(y), true),
            Cond::Either(x, y) => (x, Some(y), false),
        };
        let t = self.tmp();
        self.a.setcc(x, t);
        if let Some(y) = y {
            let u = self.tmp();
            self.a.setcc(y, u);
            self.a.alu(if both { Alu::And } else { Alu::Or }, Sz::B, t, u);
            self.eflags = None;
        }
        let d = self.dst_new();
        self.a.reg_rm(RegRm::Movzx8, Sz::D, d, t);
        self.def_z(d);
    }
    /// `select`
    pub(crate) fn emit_select(&mut self, cc: ir::Cc, f: Val, a: Val, b: Val, ty: Type) {
        let sz = crate::alloc::sz_of(ty);
        let mut c = self.cond(f, cc);
        let (mut a, mut b) = (a, b);
        // One conditional move per host condition: "both" is turned round into "either".
        if matches!(c, Cond::Both(..)) {
            c = c.invert();
            std::mem::swap(&mut a, &mut b);
        }
        // d = b; if c: d = a.
        let (ra, rb) = (self.rm(a), self.rm(b));
        let d = self.dst(&[b]);
        let (ra, rb, c) = match (c, ra) {
            (Cond::One(x), Rm::R(r)) if r == d && rb != Rm::R(d) => (rb, Rm::R(r), Cond::One(x.invert())),
            (_, Rm::R(r)) if r == d && rb != Rm::R(d) => {
                let t = self.tmp();
                self.a.mov(Sz::Q, t, r);
                (Rm::R(t), rb, c)
            }
            _ => (ra, rb, c),
        };
        if rb != Rm::R(d) {
            self.a.mov(sz, d, rb);
        }
        match c {
            Cond::One(x) => self.a.cmov(x, sz, d, ra),
            Cond::Either(x, y) | Cond::Both(x, y) => {
                self.a.cmov(x, sz, d, ra);
                self.a.cmov(y, sz, d, ra);
            }
        }
        // A 32-bit conditional move clears the upper half even when not taken.
        if sz == Sz::D {
            self.def_z(d);
        } else {
            self.def(Loc::R(d));
        }
    }
    /// `vselect`
    pub(crate) fn emit_vselect(&mut self, cc: ir::Cc, f: Val, a: Val, b: Val) {
        let c = self.cond(f, cc);
        let (xa, xb) = (self.x(a), self.x(b));
        let d = self.xdst_new();
        let done = self.a.new_label();
        self.a.vmov(d, xa);
        self.jump_if(c, done);
        self.a.vmov(d, xb);
        self.a.bind(done);
        self.val[self.idx].vz = self.val[a.index()].vz.max(self.val[b.index()].vz);
        self.def(Loc::X(d));
    }
}
