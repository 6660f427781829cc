//! Vector and floating-point operations: finds registers for the forms of `emit_vec` and `emit_fp`, adds their cold paths,
//! and emits what crosses between general and vector registers.

use crate::alloc::{C, ColdWork, Kind, Loc, sz_of};
use crate::asm::*;
use crate::emit_vec::VecCx;
use crate::regs::{XSCRATCH, hdr};
use ir::state::Header;
use ir::{Attr, Effect, Inst, Op, Shape, Size, Term, Type, Val};
use std::mem::offset_of;

impl C<'_> {
    fn vec_cx(&mut self, gp: Gp) -> VecCx<'_> {
        let [t0, t1, x0, x1] = XSCRATCH;
        VecCx {
            a: &mut self.a,
            pool: &mut self.pool,
            t: [t0, t1],
            x: [x0, x1],
            gp,
            clean: false,
            unguarded: false,
        }
    }

    /// Emits a vector or floating-point operation; false if it has no inline form.
    pub(crate) fn emit_simd(&mut self, i: &Inst) -> bool {
        match i.op {
            Op::VDup => return self.emit_vdup(i),
            Op::VIns => return self.emit_vins(i),
            Op::VGetU | Op::VGetS => return self.emit_vget(i),
            Op::VMask => return self.emit_vmask(i),
            Op::FCmp => return self.emit_fcmp(i),
            Op::FComi => return self.emit_fcomi(i),
            Op::VTest => return self.emit_vtest(i),
            Op::VFromMask => return self.emit_from_mask(i),
            Op::FToS | Op::FToU => return self.emit_f_to_int(i),
            Op::FJcvt => return self.emit_fjcvt(i),
            Op::SToF | Op::UToF => return self.emit_int_to_f(i),
            _ => {}
        }
        if i.ty != Type::V128 || i.args().any(|v| self.ty(v) != Type::V128) || i.args().count() > 3 {
            return false;
        }
        match i.attr {
            Attr::Vec(_) | Attr::None => self.emit_vector(i),
            Attr::Fp(_) | Attr::FpCvt(..) => self.emit_float(i),
            _ => false,
        }
    }

    fn sources(&mut self, i: &Inst) -> [Xmm; 3] {
        let mut s = [XSCRATCH[0]; 3];
        let mut n = 0;
        for v in i.args() {
            s[n] = self.x(v);
            n += 1;
        }
        // Absent sources repeat the last, so that no scratch register looks like one.
        for k in n..3 {
            if n > 0 {
                s[k] = s[n - 1];
            }
        }
        s
    }
    fn bytes_of(i: &Inst) -> u8 {
        match i.attr {
            Attr::Vec(s) => s.bytes() as u8,
            Attr::Fp(f) => f.shape.bytes() as u8,
            _ => 16,
        }
    }

    fn emit_vector(&mut self, i: &Inst) -> bool {
        let flags = self.eflags;
        if let Some(value) = self.pooled(i) {
            self.bitwise_pooled(i, value);
            return true;
        }
        if i.op == Op::VConst && self.r.insts.get(self.idx + 1).is_some_and(|n| self.pooled(n).is_some()) {
            return true;
        }
        let s = self.sources(i);
        let d = self.xdst(&i.args[..i.args().count()]);
        let gp = self.tmp();
        let ok = self.vec_cx(gp).emit(i, d, s);
        self.unlock(gp);
        if !ok {
            return false;
        }
        debug_assert_eq!(flags, self.eflags);
        if !matches!(i.op, Op::VIns | Op::VInsLane) {
            self.val[self.idx].vz = Self::bytes_of(i);
        }
        self.def(Loc::X(d));
        true
    }

    /// The constant that a bitwise operation can take from memory: its second operand, right before it and used only there.
    fn pooled(&self, i: &Inst) -> Option<u128> {
        let b = i.args[1];
        if !matches!(i.op, Op::VAnd | Op::VOr | Op::VXor) || Self::bytes_of(i) != 16 || i.args[0] == b {
            return None;
        }
        let k = &self.r.insts[b.index()];
        let alone = k.op == Op::VConst && self.val[b.index()].uses == 1;
        let next = self.r.insts.get(b.index() + 1).is_some_and(|n| n == i);
        let low = u128::from(k.imm);
        (alone && next).then_some(if Self::bytes_of(k) == 16 { low | low << 64 } else { low })
    }

    fn bitwise_pooled(&mut self, i: &Inst, value: u128) {
        let op = match i.op {
            Op::VAnd => V::Pand,
            Op::VOr => V::Por,
            _ => V::Pxor,
        };
        let s = self.x(i.args[0]);
        let d = self.xdst(&i.args[..1]);
        self.vec_cx(RAX).v3c(op, d, s, value);
        let bytes = |v: u128| (16 - v.leading_zeros() / 8) as u8;
        let before = self.val[i.args[0].index()].vz;
        self.val[self.idx].vz = match i.op {
            Op::VAnd => before.min(bytes(value)),
            _ => before.max(bytes(value)),
        };
        self.def(Loc::X(d));
    }

    fn emit_float(&mut self, i: &Inst) -> bool {
        self.take(RAX);
        let s = self.sources(i);
        let d = self.xdst(&i.args[..i.args().count()]);
        let clean = self.val[i.args[0].index()].vz <= Self::bytes_of(i) && matches!(i.attr, Attr::Fp(_));
        let unguarded = self.val[self.idx].elided;
        let mut cx = self.vec_cx(RAX);
        cx.clean = clean;
        cx.unguarded = unguarded;
        let Some(g) = cx.emit_fp(i, d, s) else {
            self.unlock(RAX);
            return false;
        };
        if let Some(cold) = g.cold {
            self.cold_at(i, Loc::X(d), cold, g.done);
        }
        if matches!(i.attr, Attr::Fp(_)) {
            let keeps = match i.op {
                Op::FAdd | Op::FSub | Op::FMul | Op::FDiv | Op::FMax | Op::FMin => i.imm == 1,
                Op::FSqrt | Op::FMa => i.imm & ir::MERGE != 0,
                _ => false,
            };
            let above = if keeps { self.val[i.args[0].index()].vz } else { 0 };
            self.val[self.idx].vz = above.max(Self::bytes_of(i));
        }
        self.def(Loc::X(d));
        true
    }

    /// A comparison whose flags are the host's.
    fn emit_fcomi(&mut self, i: &Inst) -> bool {
        let Attr::Fp(fp) = i.attr else { return false };
        if !fp.rules.plain() || !matches!(fp.shape.lane, Size::S | Size::D) {
            return false;
        }
        let xa = self.x(i.args[0]);
        let xb = self.xm(i.args[1]);
        let op = match (fp.shape.lane == Size::D, i.imm & 1 != 0) {
            (false, false) => V::Ucomiss,
            (true, false) => V::Ucomisd,
            (false, true) => V::Comiss,
            (true, true) => V::Comisd,
        };
        self.a.v2(op, xa, xb);
        self.host_flags();
        true
    }

    /// Z and C of two vectors, which is what the host's test sets.
    fn emit_vtest(&mut self, i: &Inst) -> bool {
        let [a, b, ..] = i.args;
        let (xa, xb) = (self.x(a), self.x(b));
        let mut low = [xa, xb];
        for (r, t) in low.iter_mut().zip(XSCRATCH) {
            if r.0 >= 16 {
                self.a.vmov(t, *r);
                *r = t;
            }
        }
        self.a.v2(V::Ptest, low[0], low[1]);
        self.host_flags();
        true
    }

    /// The instruction's value is what EFLAGS holds now.
    fn host_flags(&mut self) {
        self.eflags = None;
        if self.val[self.idx].uses > 0 {
            self.val[self.idx].loc = Loc::Eflags(Kind::Add);
            self.eflags = Some(self.idx as u32);
        }
    }

    /// Bits of an integer as lanes.
    fn emit_from_mask(&mut self, i: &Inst) -> bool {
        let shape = Self::shape(i);
        let (lane, shift) = (shape.lane, i.imm as u8);
        if lane == Size::Q || !self.a.feat.evex() {
            return false;
        }
        let a = i.args[0];
        let g = self.gp(a);
        let d = self.xdst(&[]);
        let t = self.tmp();
        self.a.mov(Sz::Q, t, g);
        if shift > 0 {
            self.a.shift_i(Sh::Shr, Sz::Q, t, shift);
        }
        self.a.kmov_from_gp(4, K(1), t);
        let op = match lane {
            Size::B => V::Vpmovm2b,
            Size::H => V::Vpmovm2w,
            Size::S => V::Vpmovm2d,
            _ => V::Vpmovm2q,
        };
        self.a.v_from_k(op, d, K(1));
        self.unlock(t);
        if shape.bytes() < 16 {
            self.vec_cx(RAX).low_bytes(d, d, shape.bytes());
        }
        self.val[self.idx].vz = shape.bytes() as u8;
        self.def(Loc::X(d));
        true
    }

    fn emit_f_to_int(&mut self, i: &Inst) -> bool {
        self.take(RAX);
        let s = self.x(i.args[0]);
        let d = self.dst_new();
        let Some(g) = self.vec_cx(RAX).emit_fp_to_int(i, d, i.ty == Type::I64, s) else {
            self.unlock(RAX);
            return false;
        };
        if let Some(cold) = g.cold {
            self.cold_at(i, Loc::R(d), cold, g.done);
        }
        if i.ty == Type::I32 {
            self.def_z(d)
        } else {
            self.def(Loc::R(d))
        }
        true
    }

    fn emit_fjcvt(&mut self, i: &Inst) -> bool {
        let Attr::Fp(fp) = i.attr else { return false };
        if !fp.rules.plain() {
            return false;
        }
        self.take(RAX);
        let s = self.x(i.args[0]);
        let d = self.dst_new();
        let g = self.vec_cx(RAX).modular(d, s);
        if let Some(cold) = g.cold {
            self.cold_at(i, Loc::R(d), cold, g.done);
        }
        self.def(Loc::R(d));
        true
    }

    fn emit_int_to_f(&mut self, i: &Inst) -> bool {
        let a = i.args[0];
        let s = self.gp(a);
        let d = self.xdst(&[]);
        let gp = self.tmp();
        let wide = self.ty(a) == Type::I64;
        let ok = self.vec_cx(gp).emit_int_to_fp(i, d, wide, s);
        self.unlock(gp);
        if ok {
            if let Attr::FpCvt(f, _) = i.attr {
                self.val[self.idx].vz = f.shape.bytes() as u8;
            }
            self.def(Loc::X(d));
        }
        ok
    }

    /// The first condition tested on flags value `f`.
    fn first_cc(&self, f: usize) -> Option<ir::Cc> {
        let b = &self.r.blocks[self.block];
        for j in f + 1..(b.last as usize).min(f + 12) {
            let i = &self.r.insts[j];
            if let Attr::Cc(cc) = i.attr
                && i.args[0].index() == f
            {
                return Some(cc);
            }
        }
        match b.term {
            Term::Branch { flags, cc, .. } if flags.index() == f => Some(cc),
            _ => None,
        }
    }

    fn emit_fcmp(&mut self, i: &Inst) -> bool {
        let Attr::Fp(fp) = i.attr else { return false };
        if !fp.rules.plain() || !matches!(fp.shape.lane, Size::S | Size::D) {
            return false;
        }
        use ir::Cc as G;
        let swap = matches!(self.first_cc(self.idx), Some(G::Mi | G::Cc | G::Pl | G::Cs | G::Ls | G::Hi));
        let [a, b, ..] = i.args;
        let (a, b) = if swap { (b, a) } else { (a, b) };
        let xa = self.x(a);
        let xb = self.xm(b);
        let op = match (fp.shape.lane == Size::D, i.imm & 1 != 0) {
            (false, false) => V::Ucomiss,
            (true, false) => V::Ucomisd,
            (false, true) => V::Comiss,
            (true, true) => V::Comisd,
        };
        let silent = i.imm & ir::SILENT != 0;
        if silent && !self.status_is_stored() {
            self.a.stmxcsr(hdr(offset_of!(Header, guest_fpcr)));
        }
        self.a.v2(op, xa, xb);
        if silent {
            // Only a NaN can have raised something. The host's flags stay as they are.
            let back = self.a.new_label();
            let cold = self.cold(ColdWork::Status { back });
            self.a.jcc(Cc::P, cold);
            self.a.bind(back);
        }
        self.eflags = None;
        if self.val[self.idx].uses > 0 {
            self.val[self.idx].loc = Loc::Eflags(if swap { Kind::FpSwap } else { Kind::Fp });
            self.eflags = Some(self.idx as u32);
        }
        true
    }

    /// Whether the status word was stored by an operation shortly before and nothing has raised a flag since.
    fn status_is_stored(&self) -> bool {
        let first = self.r.blocks[self.block].first as usize;
        let before = &self.r.insts[first.max(self.idx.saturating_sub(8))..self.idx];
        let last = before.iter().rposition(|i| {
            i.op.info().effect != Effect::Pure && !matches!(i.op, Op::Insn | Op::Get | Op::Set)
        });
        // Unused, it is not emitted.
        let start = self.idx - before.len();
        last.is_some_and(|n| before[n].op == Op::GetFpFlags && self.val[start + n].uses > 0)
    }

    fn shape(i: &Inst) -> Shape {
        match i.attr {
            Attr::Vec(s) => s,
            _ => Shape::new(Size::D, 2),
        }
    }

    fn emit_vdup(&mut self, i: &Inst) -> bool {
        let shape = Self::shape(i);
        let a = i.args[0];
        let d = self.xdst(&[]);
        if self.konst(a) == Some(0) {
            self.a.v3(V::Pxor, d, d, d);
        } else {
            let g = self.gp(a);
            self.dup(shape.lane, d, g);
        }
        if shape.bytes() < 16 {
            self.vec_cx(RAX).low_bytes(d, d, shape.bytes());
        }
        self.val[self.idx].vz = shape.bytes() as u8;
        self.def(Loc::X(d));
        true
    }
    fn dup(&mut self, lane: Size, d: Xmm, g: Gp) {
        if self.a.feat.evex() {
            let op = match lane {
                Size::B => V::VpbroadcastbGp,
                Size::H => V::VpbroadcastwGp,
                Size::S => V::VpbroadcastdGp,
                Size::D | Size::Q => V::VpbroadcastqGp,
            };
            self.a.v_from_gp(op, d, g);
            return;
        }
        if matches!(lane, Size::D | Size::Q) {
            self.a.v_from_gp(V::Movq, d, g);
            self.a.v3(V::Punpcklqdq, d, d, d);
            return;
        }
        self.a.v_from_gp(V::Movd, d, g);
        match lane {
            Size::B => {
                if self.a.feat.vex() {
                    self.a.v2(V::Vpbroadcastb, d, d);
                } else {
                    let t = XSCRATCH[0];
                    self.a.v3(V::Pxor, t, t, t);
                    self.a.v3(V::Pshufb, d, d, t);
                }
            }
            Size::H => {
                self.a.v2i(V::Pshuflw, d, d, 0);
                self.a.v2i(V::Pshufd, d, d, 0);
            }
            Size::S | Size::D | Size::Q => self.a.v2i(V::Pshufd, d, d, 0),
        }
    }

    fn emit_vins(&mut self, i: &Inst) -> bool {
        let [a, b, ..] = i.args;
        let op = match Self::shape(i).lane {
            Size::B => V::Pinsrb,
            Size::H => V::Pinsrw,
            Size::S => V::Pinsrd,
            Size::D => V::Pinsrq,
            Size::Q => return false,
        };
        let g = self.gp(b);
        let xa = self.x(a);
        let d = self.xdst(&[a]);
        self.a.vgp3(op, d, xa, g, Some(i.imm as u8));
        self.def(Loc::X(d));
        true
    }

    fn emit_vmask(&mut self, i: &Inst) -> bool {
        let Shape { lane, lanes } = Self::shape(i);
        let x = self.x(i.args[0]);
        let d = self.dst_new();
        // The instructions that collect bits reach the low registers only.
        let t = XSCRATCH[0];
        let (op, all) = match lane {
            Size::B => (V::Pmovmskb, 16),
            Size::H => (V::Pmovmskb, 16),
            Size::S => (V::Movmskps, 4),
            Size::D => (V::Movmskpd, 2),
            Size::Q => return false,
        };
        if lane == Size::H {
            self.a.v3(V::Packsswb, t, x, x);
        } else {
            self.a.v2(V::Movaps, t, x);
        }
        self.a.v_gp(op, d, t);
        if lanes < all {
            self.a.alu_i(Alu::And, Sz::D, Rm::R(d), (1 << lanes) - 1);
        }
        if i.ty == Type::I32 {
            self.def_z(d)
        } else {
            self.def(Loc::R(d))
        }
        true
    }
    fn emit_vget(&mut self, i: &Inst) -> bool {
        let lane = Self::shape(i).lane;
        let n = i.imm as u8;
        let v: Val = i.args[0];
        let x = self.x(v);
        let d = self.dst_new();
        match (lane, n) {
            (Size::B, _) => self.a.v_to_gp(V::Pextrb, d, x, Some(n)),
            (Size::H, _) => self.a.v_to_gp(V::Pextrw, d, x, Some(n)),
            (Size::S, 0) => self.a.v_to_gp(V::MovdSt, d, x, None),
            (Size::S, _) => self.a.v_to_gp(V::Pextrd, d, x, Some(n)),
            (Size::D, 0) => self.a.v_to_gp(V::MovqGp, d, x, None),
            (Size::D | Size::Q, _) => self.a.v_to_gp(V::Pextrq, d, x, Some(n)),
        }
        if i.ty == Type::I32 && matches!(lane, Size::D | Size::Q) {
            self.a.mov(Sz::D, d, d);
        }
        if i.op == Op::VGetS {
            let sz = sz_of(i.ty);
            match lane {
                Size::B => self.a.reg_rm(RegRm::Movsx8, sz, d, d),
                Size::H => self.a.reg_rm(RegRm::Movsx16, sz, d, d),
                Size::S if sz == Sz::Q => self.a.reg_rm(RegRm::Movsxd, Sz::Q, d, d),
                Size::S | Size::D | Size::Q => {}
            }
        }
        if i.ty == Type::I32 {
            self.def_z(d)
        } else {
            self.def(Loc::R(d))
        }
        true
    }
}
