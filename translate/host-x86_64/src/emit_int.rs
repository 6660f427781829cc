//! Integer operations.

use crate::alloc::{C, Kind, Loc, sz_of};
use crate::asm::*;
use ir::{Inst, Op, Term, Type, Val};

impl C<'_> {
    /// True if somebody wants the flags of the current operation.
    fn wants_flags(&self) -> bool {
        let f = self.val[self.idx].flags_val;
        f != u32::MAX && self.val[f as usize].uses > 0
    }
    /// True if nobody wants more than the flags.
    fn only_flags(&self) -> bool {
        self.wants_flags() && self.val[self.idx].uses == 1
    }
    fn def_int(&mut self, ty: Type, d: Gp) {
        if ty == Type::I32 { self.def_z(d) } else { self.def(Loc::R(d)) }
    }

    /// Two-operand form `a op b`; the result's register.
    fn two(&mut self, op: Alu, sz: Sz, a: Val, b: Val, commutes: bool) -> Gp {
        let (a, b) = if commutes && self.imm(a).is_some() && self.imm(b).is_none() { (b, a) } else { (a, b) };
        if let Some(k) = self.imm(b) {
            let d = self.dst(&[a]);
            self.mov_to(d, a);
            self.a.alu_i(op, sz, d, k);
            return d;
        }
        let rb = self.rm(b);
        let d = if commutes { self.dst(&[a, b]) } else { self.dst(&[a]) };
        if rb == Rm::R(d) && self.val[a.index()].loc != Loc::R(d) {
            if commutes {
                let ra = self.rm(a);
                self.a.alu(op, sz, d, ra);
                return d;
            }
            let t = self.tmp();
            self.mov_to(t, a);
            self.a.alu(op, sz, t, rb);
            return t;
        }
        self.mov_to(d, a);
        self.a.alu(op, sz, d, rb);
        d
    }

    fn emit_add(&mut self, i: &Inst, sz: Sz) {
        let [a, b, ..] = i.args;
        if self.wants_flags() {
            let d = self.two(Alu::Add, sz, a, b, true);
            self.def_int(i.ty, d);
            self.made_flags(self.idx, Kind::Add);
            return;
        }
        let (a, b) = if self.imm(a).is_some() { (b, a) } else { (a, b) };
        let ra = if matches!(self.val[a.index()].loc, Loc::R(_)) { Some(self.gp(a)) } else { None };
        if let Some(k) = self.imm(b) {
            if let Some(ra) = ra {
                let d = self.dst(&[a]);
                if d == ra && self.eflags.is_none() {
                    self.a.alu_i(Alu::Add, sz, d, k);
                } else {
                    self.a.lea(sz, d, Mem::b(ra, k));
                }
                return self.def_int(i.ty, d);
            }
        } else if let (Some(ra), Loc::R(_)) = (ra, self.val[b.index()].loc) {
            let rb = self.gp(b);
            let d = self.dst(&[a, b]);
            if self.eflags.is_none() && (d == ra || d == rb) {
                self.a.alu(Alu::Add, sz, d, if d == ra { rb } else { ra });
            } else {
                self.a.lea(sz, d, Mem::bi(ra, rb, 0, 0));
            }
            return self.def_int(i.ty, d);
        }
        self.save_flags();
        let d = self.two(Alu::Add, sz, a, b, true);
        self.def_int(i.ty, d);
    }

    fn emit_sub(&mut self, i: &Inst, sz: Sz) {
        let [a, b, ..] = i.args;
        if self.only_flags() {
            if let Some(k) = self.imm(b) {
                let ra = self.rm(a);
                match ra {
                    Rm::R(r) if k == 0 => self.a.mr(Mr::Test, sz, r, r),
                    _ => self.a.alu_i(Alu::Cmp, sz, ra, k),
                }
            } else {
                let ra = self.gp(a);
                let rb = self.rm(b);
                self.a.alu(Alu::Cmp, sz, ra, rb);
            }
        } else if let (Some(k), false, Loc::R(ra)) =
            (self.imm(b), self.wants_flags(), self.val[a.index()].loc)
            && k != i32::MIN
        {
            self.lock(ra);
            let d = self.dst(&[a]);
            if d == ra && self.eflags.is_none() {
                self.a.alu_i(Alu::Sub, sz, d, k);
            } else {
                self.a.lea(sz, d, Mem::b(ra, -k));
            }
            return self.def_int(i.ty, d);
        } else {
            let d = self.two(Alu::Sub, sz, a, b, false);
            self.def_int(i.ty, d);
        }
        self.made_flags(self.idx, Kind::Sub);
    }

    /// The number of the one bit set in `mask`, if the block's branch on zero or not is all that wants the flags.
    fn single_bit(&self, mask: Val) -> Option<u8> {
        let f = self.val[self.idx].flags_val;
        let k = self.konst(mask)?;
        let Term::Branch { flags, cc: ir::Cc::Eq | ir::Cc::Ne, .. } = self.r.blocks[self.block].term else {
            return None;
        };
        (k.is_power_of_two() && flags.0 == f && self.val[f as usize].uses == 1)
            .then(|| k.trailing_zeros() as u8)
    }

    fn emit_logic(&mut self, i: &Inst, sz: Sz, op: Alu) {
        let [a, b, ..] = i.args;
        if op == Alu::And && self.only_flags() {
            let (a, b) = if self.imm(a).is_some() { (b, a) } else { (a, b) };
            if let Some(k) = self.imm(b) {
                let ra = self.rm(a);
                // A mask that fits 31 bits gives the same flags in 32 bits, one byte shorter.
                self.a.test_i(if k >= 0 { Sz::D } else { sz }, ra, k);
            } else if let Some(n) = self.single_bit(b) {
                let ra = self.gp(a);
                self.a.bt_i(Mr::Bt, Sz::Q, ra, n);
                self.made_flags(self.idx, Kind::Bit);
                return;
            } else {
                let (ra, rb) = (self.rm(a), self.gp(b));
                self.a.mr(Mr::Test, sz, ra, rb);
            }
        } else {
            let d = self.two(op, sz, a, b, true);
            self.def_int(i.ty, d);
        }
        self.made_flags(self.idx, Kind::Add);
    }

    fn emit_andn(&mut self, i: &Inst, sz: Sz) {
        // a & !b; the host's andn inverts its first operand.
        let [a, b, ..] = i.args;
        if let Some(k) = self.imm(b) {
            let d = self.dst(&[a]);
            self.mov_to(d, a);
            self.a.alu_i(Alu::And, sz, d, !k);
            self.def_int(i.ty, d);
        } else if self.a.feat.vex() && !self.wants_flags() {
            // Its flags would lack the parity.
            let (rb, ra) = (self.gp(b), self.rm(a));
            let d = self.dst(&[a, b]);
            self.a.vex_rvm(VexRvm::Andn, sz, d, rb, ra);
            self.def_int(i.ty, d);
        } else {
            let ra = self.rm(a);
            let t = self.tmp();
            self.mov_to(t, b);
            self.a.mop(Mop::Not, sz, t);
            self.a.alu(Alu::And, sz, t, ra);
            self.def_int(i.ty, t);
        }
        self.made_flags(self.idx, Kind::Add);
    }

    fn emit_shift(&mut self, i: &Inst, sz: Sz, sh: Sh, vex: Option<VexRmv>) {
        let [a, b, ..] = i.args;
        let w = sz.bytes() as u64 * 8;
        if self.wants_flags() {
            let d = self.shift_flags(i, sz, sh, (w - 1) as u8);
            self.def_int(i.ty, d);
            return self.made_flags(self.idx, Kind::Add);
        }
        if let Some(n) = self.konst(b) {
            let n = (n & (w - 1)) as u8;
            if sh == Sh::Ror && self.a.feat.vex() && n != 0 {
                let ra = self.rm(a);
                let d = self.dst(&[a]);
                self.a.rorx(sz, d, ra, n);
                return self.def_int(i.ty, d);
            }
            if let (Sh::Shl, 1..=3, Loc::R(r)) = (sh, n, self.val[a.index()].loc) {
                self.lock(r);
                let d = self.dst(&[a]);
                if d != r && n == 1 {
                    self.a.lea(sz, d, Mem::bi(r, r, 0, 0));
                    return self.def_int(i.ty, d);
                }
                self.mov_to(d, a);
                self.a.shift_i(sh, sz, d, n);
                return self.def_int(i.ty, d);
            }
            let d = self.dst(&[a]);
            self.mov_to(d, a);
            if n != 0 {
                self.a.shift_i(sh, sz, d, n);
            } else if sz == Sz::D {
                self.a.mov(Sz::D, d, d);
            }
            return self.def_int(i.ty, d);
        }
        if let (Some(op), true) = (vex, self.a.feat.vex()) {
            let (rb, ra) = (self.gp(b), self.rm(a));
            let d = self.dst(&[a, b]);
            self.a.vex_rmv(op, sz, d, ra, rb);
            return self.def_int(i.ty, d);
        }
        self.take(RCX);
        self.mov_to(RCX, b);
        let d = self.dst_new();
        self.mov_to(d, a);
        self.a.shift_cl(sh, sz, d);
        self.def_int(i.ty, d);
    }

    /// A shift by the host's instruction that sets flags; counts are taken modulo `mask` + 1.
    fn shift_flags(&mut self, i: &Inst, sz: Sz, sh: Sh, mask: u8) -> Gp {
        let [a, b, ..] = i.args;
        if let Some(n) = self.konst(b) {
            let d = self.dst(&[a]);
            self.mov_to(d, a);
            self.a.shift_i(sh, sz, d, n as u8 & mask);
            return d;
        }
        self.take_or_own(RCX, b);
        self.mov_to(RCX, b);
        let d = self.dst_new();
        self.mov_to(d, a);
        self.a.shift_cl(sh, sz, d);
        d
    }

    /// An operation on the low bits of its first argument's register: the host's own narrow instruction.
    fn emit_narrow(&mut self, i: &Inst) -> bool {
        let [a, b, f, _] = i.args;
        let sz = if i.imm & 0xff == 8 { Sz::B } else { Sz::W };
        let (alu, kind) = match i.op {
            Op::LAdd => (Alu::Add, Kind::Add),
            Op::LSub => (Alu::Sub, Kind::Sub),
            Op::LAdc => (Alu::Adc, Kind::Add),
            Op::LSbc => (Alu::Sbb, Kind::Sub),
            Op::LAnd => (Alu::And, Kind::Add),
            Op::LOr => (Alu::Or, Kind::Add),
            Op::LXor => (Alu::Xor, Kind::Add),
            Op::LShl | Op::LShr | Op::LSar => {
                let sh = match i.op {
                    Op::LShl => Sh::Shl,
                    Op::LShr => Sh::Shr,
                    _ => Sh::Sar,
                };
                let d = self.shift_flags(i, sz, sh, 31);
                self.def(Loc::R(d));
                self.made_flags(self.idx, Kind::Add);
                return true;
            }
            Op::LNeg => {
                let d = self.dst(&[a]);
                self.mov_to(d, a);
                self.a.mop(Mop::Neg, sz, d);
                self.def(Loc::R(d));
                self.made_flags(self.idx, Kind::Sub);
                return true;
            }
            _ => return false,
        };
        match i.op {
            Op::LAdc => self.carry(f, false),
            Op::LSbc => self.carry(f, i.imm & 256 == 0),
            _ => {}
        }
        let imm = self.konst(b).map(|k| if sz == Sz::B { i32::from(k as i8) } else { i32::from(k as i16) });
        if self.only_flags() && matches!(i.op, Op::LSub | Op::LAnd) {
            match (imm, i.op) {
                (Some(k), Op::LSub) => {
                    let ra = self.rm(a);
                    self.a.alu_i(Alu::Cmp, sz, ra, k);
                }
                (Some(k), _) => {
                    let ra = self.rm(a);
                    self.a.test_i(sz, ra, k);
                }
                (None, Op::LSub) => {
                    let ra = self.gp(a);
                    let rb = self.rm(b);
                    self.a.alu(Alu::Cmp, sz, ra, rb);
                }
                (None, _) => {
                    let (ra, rb) = (self.rm(a), self.gp(b));
                    self.a.mr(Mr::Test, sz, ra, rb);
                }
            }
        } else if let Some(k) = imm {
            let d = self.dst(&[a]);
            self.mov_to(d, a);
            self.a.alu_i(alu, sz, d, k);
            self.def(Loc::R(d));
        } else {
            let d = self.two(alu, sz, a, b, false);
            self.def(Loc::R(d));
        }
        self.made_flags(self.idx, kind);
        true
    }

    fn emit_mul_high(&mut self, i: &Inst, signed: bool) {
        let [a, b, ..] = i.args;
        if !signed && self.a.feat.vex() {
            self.take(RDX);
            self.mov_to(RDX, a);
            let rb = self.rm(b);
            let d = self.dst_new();
            self.a.vex_rvm(VexRvm::Mulx, Sz::Q, d, d, rb);
            return self.def(Loc::R(d));
        }
        self.take(RAX);
        self.take(RDX);
        self.mov_to(RAX, a);
        let rb = self.rm(b);
        self.a.mop(if signed { Mop::Imul } else { Mop::Mul }, Sz::Q, rb);
        self.def(Loc::R(RDX));
    }

    fn emit_div(&mut self, i: &Inst, sz: Sz, signed: bool, rem: bool) {
        let [a, b, ..] = i.args;
        self.take(RAX);
        self.take(RDX);
        let rb = self.gp(b);
        let (zero, minus, done) = (self.a.new_label(), self.a.new_label(), self.a.new_label());
        self.mov_to(RAX, a);
        self.a.mr(Mr::Test, sz, rb, rb);
        self.a.jcc8(Cc::E, zero);
        if signed {
            self.a.alu_i(Alu::Cmp, sz, rb, -1);
            self.a.jcc8(Cc::E, minus);
            self.a.cdq(sz);
            self.a.mop(Mop::Idiv, sz, rb);
        } else {
            self.a.zero(RDX);
            self.a.mop(Mop::Div, sz, rb);
        }
        self.a.jmp8(done);
        if signed {
            self.a.bind(minus);
            if rem {
                self.a.zero(RDX);
            } else {
                self.a.mop(Mop::Neg, sz, RAX);
            }
            self.a.jmp8(done);
        }
        self.a.bind(zero);
        if rem {
            self.a.mov(sz, RDX, RAX);
        } else {
            self.a.zero(RAX);
        }
        self.a.bind(done);
        self.def_int(i.ty, if rem { RDX } else { RAX });
    }

    fn emit_clz(&mut self, i: &Inst, sz: Sz, a: Val) {
        // Trailing zeros are written as leading zeros of the reversed value (see `analyse`).
        if self.r.inst(a).op == Op::BitRev {
            return self.emit_ctz(i, sz, self.r.inst(a).args[0]);
        }
        let w = sz.bytes() * 8;
        if self.a.feat.vex() {
            let ra = self.rm(a);
            let d = self.dst(&[a]);
            self.a.reg_rm(RegRm::Lzcnt, sz, d, ra);
            return self.def_int(i.ty, d);
        }
        let ra = self.rm(a);
        let (t, u) = (self.tmp(), self.tmp());
        self.a.mov_i(u, (2 * w - 1) as u64);
        self.a.reg_rm(RegRm::Bsr, sz, t, ra);
        self.a.cmov(Cc::E, sz, t, u);
        self.a.alu_i(Alu::Xor, sz, t, (w - 1) as i32);
        self.def_int(i.ty, t);
    }

    fn emit_ctz(&mut self, i: &Inst, sz: Sz, a: Val) {
        if self.a.feat.vex() {
            let ra = self.rm(a);
            let d = self.dst(&[a]);
            self.a.reg_rm(RegRm::Tzcnt, sz, d, ra);
            return self.def_int(i.ty, d);
        }
        let ra = self.rm(a);
        let (t, u) = (self.tmp(), self.tmp());
        self.a.mov_i(u, sz.bytes() as u64 * 8);
        self.a.reg_rm(RegRm::Bsf, sz, t, ra);
        self.a.cmov(Cc::E, sz, t, u);
        self.def_int(i.ty, t);
    }

    fn emit_bitrev(&mut self, i: &Inst, sz: Sz, a: Val) {
        let d = self.dst_new();
        let t = self.tmp();
        self.mov_to(d, a);
        self.a.bswap(sz, d);
        for (sh, mask) in
            [(4u8, 0x0f0f_0f0f_0f0f_0f0fu64), (2, 0x3333_3333_3333_3333), (1, 0x5555_5555_5555_5555)]
        {
            let m = self.cst64(mask);
            self.a.mov(sz, t, d);
            self.a.shift_i(Sh::Shr, sz, t, sh);
            self.a.alu(Alu::And, sz, t, m);
            self.a.alu(Alu::And, sz, d, m);
            self.a.shift_i(Sh::Shl, sz, d, sh);
            self.a.alu(Alu::Or, sz, d, t);
        }
        self.def_int(i.ty, d);
    }

    fn emit_field(&mut self, i: &Inst, sz: Sz, signed: bool) {
        let a = i.args[0];
        let (lsb, len, w) = ((i.imm & 0xff) as u8, (i.imm >> 8 & 0xff) as u8, (sz.bytes() * 8) as u8);
        if lsb == 0 && matches!(len, 8 | 16 | 32) && len < w {
            let ra = self.rm(a);
            let d = self.dst(&[a]);
            match (len, signed) {
                (8, false) => self.a.reg_rm(RegRm::Movzx8, Sz::D, d, ra),
                (16, false) => self.a.reg_rm(RegRm::Movzx16, Sz::D, d, ra),
                (_, false) => self.a.mov(Sz::D, d, ra),
                (8, true) => self.a.reg_rm(RegRm::Movsx8, sz, d, ra),
                (16, true) => self.a.reg_rm(RegRm::Movsx16, sz, d, ra),
                (_, true) => self.a.reg_rm(RegRm::Movsxd, Sz::Q, d, ra),
            }
            return self.def_int(i.ty, d);
        }
        let d = self.dst(&[a]);
        self.mov_to(d, a);
        let top = w - lsb - len;
        if !signed && len <= 31 && top > 0 {
            if lsb > 0 {
                self.a.shift_i(Sh::Shr, sz, d, lsb);
            }
            self.a.alu_i(Alu::And, Sz::D, d, ((1u32 << len) - 1) as i32);
            return self.def_int(i.ty, d);
        }
        if top > 0 {
            self.a.shift_i(Sh::Shl, sz, d, top);
        }
        if top + lsb > 0 {
            self.a.shift_i(if signed { Sh::Sar } else { Sh::Shr }, sz, d, top + lsb);
        } else if sz == Sz::D {
            self.a.mov(Sz::D, d, d);
        }
        self.def_int(i.ty, d);
    }

    fn emit_bfi(&mut self, i: &Inst, sz: Sz) {
        let [a, b, ..] = i.args;
        let (lsb, len, w) = (i.imm as u32 & 0xff, i.imm as u32 >> 8 & 0xff, sz.bytes() * 8);
        if len == w {
            let d = self.dst(&[b]);
            self.mov_to(d, b);
            if sz == Sz::D {
                self.a.mov(Sz::D, d, d);
            }
            return self.def_int(i.ty, d);
        }
        let field = ((1u64 << len) - 1) << lsb;
        let keep = !field;
        let t = self.tmp();
        self.mov_to(t, b);
        if len <= 31 {
            self.a.alu_i(Alu::And, Sz::D, t, ((1u64 << len) - 1) as i32);
            if lsb > 0 {
                self.a.shift_i(Sh::Shl, sz, t, lsb as u8);
            }
        } else {
            self.a.shift_i(Sh::Shl, sz, t, (w - len) as u8);
            if w - len - lsb > 0 {
                self.a.shift_i(Sh::Shr, sz, t, (w - len - lsb) as u8);
            }
        }
        let d = self.dst(&[a]);
        self.mov_to(d, a);
        let m = if sz == Sz::D { Some(keep as u32 as i32) } else { i32::try_from(keep as i64).ok() };
        match m {
            Some(k) => self.a.alu_i(Alu::And, sz, d, k),
            None => {
                let c = self.cst64(keep);
                self.a.alu(Alu::And, sz, d, c);
            }
        }
        self.a.alu(Alu::Or, sz, d, t);
        self.def_int(i.ty, d);
    }

    fn emit_minmax(&mut self, i: &Inst, sz: Sz, cc: Cc) {
        let [a, b, ..] = i.args;
        let rb = self.gp(b);
        let d = self.dst_new();
        if d == rb {
            unreachable!("a new destination is not an operand");
        }
        self.mov_to(d, a);
        self.a.alu(Alu::Cmp, sz, rb, d);
        self.a.cmov(cc, sz, d, rb);
        self.def_int(i.ty, d);
    }

    /// A unary operation with a source of register or memory.
    fn emit_reg_rm(&mut self, i: &Inst, op: RegRm, sz: Sz) {
        let a = i.args[0];
        let ra = self.rm(a);
        let d = self.dst(&[a]);
        self.a.reg_rm(op, sz, d, ra);
        self.def_int(i.ty, d);
    }

    /// An addition or subtraction of one whose flags keep an older C.
    fn emit_step(&mut self, i: &Inst, merge: usize) {
        let narrow = matches!(i.op, Op::LAdd | Op::LSub);
        let sz = match (narrow, i.imm) {
            (true, 8) => Sz::B,
            (true, _) => Sz::W,
            (false, _) => sz_of(i.ty),
        };
        self.carry(self.r.insts[merge].args[0], false);
        self.eflags = None;
        let d = self.dst(&[i.args[0]]);
        self.mov_to(d, i.args[0]);
        let op = if matches!(i.op, Op::Add | Op::LAdd) { Mop::Inc } else { Mop::Dec };
        self.a.mop(op, sz, d);
        if narrow {
            self.def(Loc::R(d))
        } else {
            self.def_int(i.ty, d)
        }
        self.val[merge].loc = Loc::Eflags(Kind::Add);
        self.eflags = Some(merge as u32);
    }

    /// Emits an integer operation; false if it has no inline form.
    pub(crate) fn emit_int(&mut self, i: &Inst) -> bool {
        let merge = self.val[self.idx].keeps_carry;
        if merge != u32::MAX {
            self.emit_step(i, merge as usize);
            return true;
        }
        let [a, b, f, _] = i.args;
        let sz = sz_of(i.ty);
        match i.op {
            Op::Add => self.emit_add(i, sz),
            Op::Sub => self.emit_sub(i, sz),
            Op::Adc | Op::Sbc => {
                let sub = i.op == Op::Sbc;
                self.carry(f, sub && i.imm & 256 == 0);
                self.eflags = None;
                let d = self.two(if sub { Alu::Sbb } else { Alu::Adc }, sz, a, b, !sub);
                self.def_int(i.ty, d);
                self.made_flags(self.idx, if sub { Kind::Sub } else { Kind::Add });
            }
            Op::And => self.emit_logic(i, sz, Alu::And),
            Op::Or => self.emit_logic(i, sz, Alu::Or),
            Op::Xor => self.emit_logic(i, sz, Alu::Xor),
            Op::AndN => self.emit_andn(i, sz),
            Op::OrN => {
                let ra = self.rm(a);
                let t = self.tmp();
                self.mov_to(t, b);
                self.a.mop(Mop::Not, sz, t);
                self.a.alu(Alu::Or, sz, t, ra);
                self.def_int(i.ty, t);
            }
            Op::Not | Op::Neg => {
                let d = self.dst(&[a]);
                self.mov_to(d, a);
                self.a.mop(if i.op == Op::Not { Mop::Not } else { Mop::Neg }, sz, d);
                self.def_int(i.ty, d);
                if i.op == Op::Neg {
                    self.made_flags(self.idx, Kind::Sub);
                }
            }
            Op::Mul => {
                let (a, b) = if self.imm(a).is_some() { (b, a) } else { (a, b) };
                if let Some(k) = self.imm(b) {
                    let ra = self.rm(a);
                    let d = self.dst(&[a]);
                    self.a.imul_i(sz, d, ra, k);
                    self.def_int(i.ty, d);
                } else {
                    let rb = self.rm(b);
                    let d = self.dst(&[a, b]);
                    if rb == Rm::R(d) {
                        let ra = self.rm(a);
                        self.a.reg_rm(RegRm::Imul, sz, d, ra);
                    } else {
                        self.mov_to(d, a);
                        self.a.reg_rm(RegRm::Imul, sz, d, rb);
                    }
                    self.def_int(i.ty, d);
                }
            }
            Op::MulHu => self.emit_mul_high(i, false),
            Op::MulHs => self.emit_mul_high(i, true),
            Op::DivU => self.emit_div(i, sz, false, false),
            Op::DivS => self.emit_div(i, sz, true, false),
            Op::RemU => self.emit_div(i, sz, false, true),
            Op::RemS => self.emit_div(i, sz, true, true),
            Op::Shl => self.emit_shift(i, sz, Sh::Shl, Some(VexRmv::Shlx)),
            Op::Shr => self.emit_shift(i, sz, Sh::Shr, Some(VexRmv::Shrx)),
            Op::Sar => self.emit_shift(i, sz, Sh::Sar, Some(VexRmv::Sarx)),
            Op::Ror => self.emit_shift(i, sz, Sh::Ror, None),
            Op::Extr => {
                let n = i.imm as u8;
                let ra = self.gp(a);
                let d = self.dst_new();
                self.mov_to(d, b);
                if n == 0 {
                    self.a.mov(sz, d, d);
                } else {
                    self.a.shxd_i(true, sz, d, ra, n);
                }
                self.def_int(i.ty, d);
            }
            Op::Clz => self.emit_clz(i, sz, a),
            Op::Ctz => self.emit_ctz(i, sz, a),
            Op::Cls => {
                // clz(a ^ (a >> 1 signed)) - 1
                let d = self.dst_new();
                self.mov_to(d, a);
                let t = self.tmp();
                self.a.mov(sz, t, d);
                self.a.shift_i(Sh::Sar, sz, t, 1);
                self.a.alu(Alu::Xor, sz, d, t);
                if self.a.feat.vex() {
                    self.a.reg_rm(RegRm::Lzcnt, sz, d, d);
                } else {
                    let w = sz.bytes() * 8;
                    self.a.mov_i(t, (2 * w - 1) as u64);
                    self.a.reg_rm(RegRm::Bsr, sz, d, d);
                    self.a.cmov(Cc::E, sz, d, t);
                    self.a.alu_i(Alu::Xor, sz, d, (w - 1) as i32);
                }
                self.a.alu_i(Alu::Sub, sz, d, 1);
                self.def_int(i.ty, d);
            }
            Op::Popcnt => self.emit_reg_rm(i, RegRm::Popcnt, sz),
            Op::Bswap => {
                let d = self.dst(&[a]);
                self.mov_to(d, a);
                self.a.bswap(sz, d);
                self.def_int(i.ty, d);
            }
            Op::Rev16 => {
                let d = self.dst_new();
                self.mov_to(d, a);
                if sz == Sz::D {
                    self.a.bswap(sz, d);
                    self.a.shift_i(Sh::Ror, sz, d, 16);
                } else {
                    let t = self.tmp();
                    let m = self.cst64(0x00ff_00ff_00ff_00ff);
                    self.a.mov(sz, t, d);
                    self.a.shift_i(Sh::Shr, sz, t, 8);
                    self.a.alu(Alu::And, sz, t, m);
                    self.a.alu(Alu::And, sz, d, m);
                    self.a.shift_i(Sh::Shl, sz, d, 8);
                    self.a.alu(Alu::Or, sz, d, t);
                }
                self.def_int(i.ty, d);
            }
            Op::BitRev => self.emit_bitrev(i, sz, a),
            Op::Sext8 => self.emit_reg_rm(i, RegRm::Movsx8, sz),
            Op::Sext16 => self.emit_reg_rm(i, RegRm::Movsx16, sz),
            Op::Zext8 => self.emit_reg_rm(i, RegRm::Movzx8, Sz::D),
            Op::Zext16 => self.emit_reg_rm(i, RegRm::Movzx16, Sz::D),
            Op::Sext32 => {
                if let Some(c) = self.konst(a) {
                    self.def(Loc::Const(c as u32 as i32 as i64 as u64));
                } else {
                    self.emit_reg_rm(i, RegRm::Movsxd, Sz::Q);
                }
            }
            Op::Zext32 => {
                if let Some(c) = self.konst(a) {
                    self.def(Loc::Const(c));
                } else if self.val[a.index()].zx
                    && matches!(self.val[a.index()].loc, Loc::R(_) | Loc::Spill(_))
                {
                    self.def_alias(a);
                } else {
                    let ra = self.rm(a);
                    let d = self.dst(&[a]);
                    self.a.mov(Sz::D, d, ra);
                    self.def(Loc::R(d));
                }
            }
            Op::Trunc => match self.val[a.index()].loc {
                Loc::Const(c) => self.def(Loc::Const(c as u32 as u64)),
                Loc::Addr(_) | Loc::Lazy => {
                    let g = self.gp(a);
                    self.def(Loc::R(g));
                }
                _ => self.def_alias(a),
            },
            Op::Ubfx => self.emit_field(i, sz, false),
            Op::Sbfx => self.emit_field(i, sz, true),
            Op::Bfi => self.emit_bfi(i, sz),
            Op::SMax => self.emit_minmax(i, sz, Cc::G),
            Op::SMin => self.emit_minmax(i, sz, Cc::L),
            Op::UMax => self.emit_minmax(i, sz, Cc::A),
            Op::UMin => self.emit_minmax(i, sz, Cc::B),
            Op::Pdep | Op::Pext if self.a.feat.vex() => {
                let op = if i.op == Op::Pdep { VexRvm::Pdep } else { VexRvm::Pext };
                let (ra, rb) = (self.gp(a), self.rm(b));
                let d = self.dst(&[a, b]);
                self.a.vex_rvm(op, sz, d, ra, rb);
                self.def_int(i.ty, d);
            }
            Op::Crc32 if i.imm >> 8 == 1 => {
                let rb = self.rm(b);
                let d = self.dst_new();
                // Only 32 bits of the running value count.
                match self.val[a.index()].loc {
                    Loc::R(r) => self.a.mov(Sz::D, d, r),
                    _ => {
                        self.mov_to(d, a);
                        self.a.mov(Sz::D, d, d);
                    }
                }
                match i.imm & 0xff {
                    0 => self.a.reg_rm(RegRm::Crc32B, Sz::D, d, rb),
                    1 => self.a.reg_rm(RegRm::Crc32, Sz::W, d, rb),
                    2 => self.a.reg_rm(RegRm::Crc32, Sz::D, d, rb),
                    _ => self.a.reg_rm(RegRm::Crc32, Sz::Q, d, rb),
                }
                self.def_int(i.ty, d);
            }
            _ => return self.emit_narrow(i),
        }
        true
    }
}
