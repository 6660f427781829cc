//! Memory and status operations. Guest addresses are host addresses, or offsets from the base of the gs segment with the
//! wrap at 32 bits that the address-size prefix gives; a fault is found by the host's handler, for which all guest
//! state is in place (rule 2 of `alloc`).

use crate::alloc::{C, Loc, sz_of};
use crate::asm::*;
use crate::regs::hdr;
use ir::state::Header;
use ir::{Attr, Ext, Inst, Op, Order, Rmw, Size, Type, Val};
use std::mem::offset_of;

fn host_size(s: Size) -> Sz {
    match s {
        Size::B => Sz::B,
        Size::H => Sz::W,
        Size::S => Sz::D,
        Size::D | Size::Q => Sz::Q,
    }
}

/// The sticky flags in reverse order: of the IR's five bits, and from 32 on of the host's six (invalid 0, denormal 1, divide 2,
/// overflow 3, underflow 4, inexact 5).
static REVERSED: [u8; 96] = {
    let mut t = [0; 96];
    let mut i = 0;
    while i < 32 {
        t[i] = (i as u8).reverse_bits() >> 3;
        i += 1;
    }
    while i < 96 {
        let host = i as u8 - 32;
        t[i] = ((host & 1 | host >> 1 & 0x1e).reverse_bits()) >> 3;
        i += 1;
    }
    t
};

impl C<'_> {
    /// An operand in guest memory.
    fn guest(&self, m: Mem) -> Mem {
        if self.addr32 { Mem { seg: Seg::Gs, addr32: true, ..m } } else { m }
    }
    /// The operand of an access: base + (index << scale) + imm.
    fn address(&mut self, base: Val, index: Val, scale: u8, disp: i64) -> Mem {
        let m = self.flat_address(base, index, scale, disp);
        self.guest(m)
    }
    fn flat_address(&mut self, base: Val, index: Val, scale: u8, disp: i64) -> Mem {
        let mut disp = disp;
        if self.addr32 {
            // Where the sum wraps, so may its parts.
            disp = i64::from(disp as i32);
            if let (Some(c), false) = (self.konst(base), index.is_some()) {
                return Mem::abs((c as i32).wrapping_add(disp as i32));
            }
        }
        if let (Some(c), false) = (self.konst(base), index.is_some())
            && let Ok(d) = i32::try_from((c as i64).wrapping_add(disp))
            && d >= 0
        {
            return Mem::abs(d);
        }
        let b = self.gp(base);
        let mut m = Mem::b(b, 0);
        if index.is_some() {
            if let Some(k) = self.konst(index) {
                disp = disp.wrapping_add((k as i64) << scale);
                if self.addr32 {
                    disp = i64::from(disp as i32);
                }
            } else if scale <= 3 {
                let x = self.gp(index);
                m.index = Some((x, scale));
            } else {
                let t = self.tmp();
                self.mov_to(t, index);
                self.a.shift_i(Sh::Shl, Sz::Q, t, scale);
                m.index = Some((t, 0));
            }
        }
        match i32::try_from(disp) {
            Ok(d) => m.disp = d,
            Err(_) => {
                let t = self.tmp();
                self.a.mov_i(t, disp as u64);
                // The large constant joins the base.
                self.a.lea(Sz::Q, t, Mem::bi(t, b, 0, 0));
                m.base = Base::Reg(t);
            }
        }
        m
    }
    /// For accesses that must be aligned: the address in a register, checked; misaligned ones are done (and refused)
    /// out of line. Returns the operand and the label to bind after the access.
    fn aligned(&mut self, i: &Inst, m: Mem, size: Size) -> (Gp, Mem, Label) {
        let t = self.tmp();
        let plain = match m {
            Mem { base: Base::Reg(r), index: None, disp: 0, .. } => Some(r),
            _ => None,
        };
        if plain.is_none() {
            self.a.lea(Sz::Q, t, m);
        }
        let at = plain.unwrap_or(t);
        self.a.test_i(Sz::B, at, size.bytes() as i32 - 1);
        self.eflags = None;
        // The result of a load may be in `t`, since at a fault a pinned register must still be the old one.
        let result = if i.ty == Type::Void { Loc::None } else { Loc::R(t) };
        let (cold, back) = self.cold_eval(i, result);
        self.a.jcc(Cc::Ne, cold);
        (t, self.guest(Mem::b(at, 0)), back)
    }
    /// The same for an atomic operation, whose address is `b` and whose result will be in `result`; eax is taken.
    fn aligned_atomic(&mut self, i: &Inst, b: Gp, mem: ir::Mem, result: Loc) -> Option<Label> {
        if !mem.aligned || mem.size == Size::B {
            return None;
        }
        self.a.test_i(Sz::B, b, mem.size.bytes() as i32 - 1);
        let (cold, back) = self.cold_eval(i, result);
        self.a.jcc(Cc::Ne, cold);
        Some(back)
    }
    fn bind_back(&mut self, back: Option<Label>) {
        if let Some(l) = back {
            self.a.bind(l);
        }
    }

    fn emit_load(&mut self, i: &Inst, mem: ir::Mem) {
        let [a, b, ..] = i.args;
        if mem.aligned {
            self.take(RAX);
        }
        let m = self.address(a, b, mem.scale, i.imm as i64);
        let mut back = None;
        let check = mem.aligned && mem.size != Size::B;
        let (d, m) = if check {
            let (t, m, l) = self.aligned(i, m, mem.size);
            back = Some(l);
            (t, m)
        } else {
            // The registers of the address are read before the destination is written.
            (self.dst(&[a, b]), m)
        };
        let sign = mem.ext == Ext::Sign && mem.size < if i.ty == Type::I64 { Size::D } else { Size::S };
        let sz = sz_of(i.ty);
        if mem.big_endian && mem.size != Size::B {
            match mem.size {
                Size::B | Size::H => {
                    self.a.reg_rm(RegRm::Movzx16, Sz::D, d, m);
                    self.a.shift_i(Sh::Rol, Sz::W, d, 8);
                    if sign {
                        self.a.reg_rm(RegRm::Movsx16, sz, d, d);
                    }
                }
                Size::S => {
                    self.a.mov(Sz::D, d, m);
                    self.a.bswap(Sz::D, d);
                    if sign {
                        self.a.reg_rm(RegRm::Movsxd, Sz::Q, d, d);
                    }
                }
                Size::D | Size::Q => {
                    self.a.mov(Sz::Q, d, m);
                    self.a.bswap(Sz::Q, d);
                }
            }
        } else {
            self.load_int(d, m, mem.size, sign.then_some(sz));
        }
        if let Some(l) = back {
            self.a.bind(l);
        }
        if i.ty == Type::I32 { self.def_z(d) } else { self.def(Loc::R(d)) }
    }
    /// A load of `size`, zero-extended or sign-extended to the given size.
    fn load_int(&mut self, d: Gp, m: Mem, size: Size, sign: Option<Sz>) {
        match (size, sign) {
            (Size::B, None) => self.a.reg_rm(RegRm::Movzx8, Sz::D, d, m),
            (Size::H, None) => self.a.reg_rm(RegRm::Movzx16, Sz::D, d, m),
            (Size::B, Some(s)) => self.a.reg_rm(RegRm::Movsx8, s, d, m),
            (Size::H, Some(s)) => self.a.reg_rm(RegRm::Movsx16, s, d, m),
            (Size::S, Some(_)) => self.a.reg_rm(RegRm::Movsxd, Sz::Q, d, m),
            (Size::S, None) => self.a.mov(Sz::D, d, m),
            (Size::D | Size::Q, _) => self.a.mov(Sz::Q, d, m),
        }
    }

    fn emit_store(&mut self, i: &Inst, mem: ir::Mem) {
        let [a, b, v, _] = i.args;
        if mem.aligned {
            self.take(RAX);
        }
        let m = self.address(a, b, mem.scale, i.imm as i64);
        let release = mem.order != Order::Relaxed;
        let sz = host_size(mem.size);
        let mut back = None;
        let mut m = m;
        if mem.aligned && mem.size != Size::B {
            let (_, at, l) = self.aligned(i, m, mem.size);
            (m, back) = (at, Some(l));
        }
        let swap = mem.big_endian && mem.size != Size::B;
        if swap || release {
            // Everything else that the address needed is in `m`; eax is only kept free for the call out of line.
            if mem.aligned {
                self.unlock(RAX);
            }
            let t = self.tmp();
            self.mov_to(t, v);
            match (swap, sz) {
                (true, Sz::W) => self.a.shift_i(Sh::Rol, Sz::W, t, 8),
                (true, s) => self.a.bswap(s, t),
                (false, _) => {}
            }
            if release {
                self.a.mr(Mr::Xchg, sz, m, t);
            } else {
                self.a.store(sz, m, t);
            }
        } else if let Some(k) = self.imm(v) {
            self.a.store_i(sz, m, k);
        } else if let (Some(k), true) = (self.konst(v), sz != Sz::Q) {
            self.a.store_i(sz, m, k as i32);
        } else {
            if mem.aligned {
                self.unlock(RAX);
            }
            let g = self.gp(v);
            self.a.store(sz, m, g);
        }
        if let Some(l) = back {
            self.a.bind(l);
        }
    }

    /// For an aligned vector access: a jump to the evaluation out of line if the address is not; where it comes back.
    fn aligned_vector(&mut self, i: &Inst, m: Mem, result: Loc) -> Label {
        let t = self.tmp();
        self.a.lea(Sz::Q, t, m);
        self.a.test_i(Sz::B, t, 15);
        self.eflags = None;
        let (cold, back) = self.cold_eval(i, result);
        self.a.jcc(Cc::Ne, cold);
        self.unlock(t);
        back
    }

    fn emit_vload(&mut self, i: &Inst, mem: ir::Mem) -> bool {
        if mem.big_endian || mem.aligned && mem.size != Size::Q {
            return false;
        }
        let [a, b, ..] = i.args;
        if mem.aligned {
            self.take(RAX);
        }
        let m = self.address(a, b, mem.scale, i.imm as i64);
        let d = self.xdst(&[]);
        let back = mem.aligned.then(|| self.aligned_vector(i, m, Loc::X(d)));
        match mem.size {
            Size::Q => self.a.v2(V::Movups, d, m),
            Size::D => self.a.v2(V::MovqX, d, m),
            Size::S => self.a.v2(V::MovssLd, d, m),
            Size::H | Size::B => {
                let t = self.tmp();
                self.load_int(t, m, mem.size, None);
                self.a.v_from_gp(V::Movd, d, t);
            }
        }
        self.bind_back(back);
        self.val[self.idx].vz = mem.size.bytes() as u8;
        self.def(Loc::X(d));
        true
    }

    /// Hosts without mask registers do it out of line.
    fn emit_vload_mask(&mut self, i: &Inst, mem: ir::Mem) -> bool {
        if !self.a.feat.evex() || mem.size == Size::Q {
            return false;
        }
        let [a, b, k, _] = i.args;
        let m = self.address(a, b, mem.scale, i.imm as i64);
        let k = self.gp(k);
        self.a.kmov_from_gp(4, K(1), k);
        let d = self.xdst(&[]);
        let op = match mem.size {
            Size::B => V::Movdqu8,
            Size::H => V::Movdqu16,
            Size::S => V::Movdqu32,
            Size::D | Size::Q => V::Movdqu64,
        };
        self.a.v2k(op, d, K(1), true, m, None);
        self.val[self.idx].vz = 16;
        self.def(Loc::X(d));
        true
    }

    fn emit_vstore_mask(&mut self, i: &Inst, mem: ir::Mem) -> bool {
        if !self.a.feat.evex() || mem.size == Size::Q {
            return false;
        }
        let [a, b, v, k] = i.args;
        let m = self.address(a, b, mem.scale, i.imm as i64);
        let k = self.gp(k);
        self.a.kmov_from_gp(4, K(1), k);
        let x = self.x(v);
        let op = match mem.size {
            Size::B => V::Movdqu8St,
            Size::H => V::Movdqu16St,
            Size::S => V::Movdqu32St,
            Size::D | Size::Q => V::Movdqu64St,
        };
        self.a.vstk(op, m, K(1), x);
        true
    }

    fn emit_vstore(&mut self, i: &Inst, mem: ir::Mem) -> bool {
        if mem.big_endian || mem.aligned && mem.size != Size::Q {
            return false;
        }
        let [a, b, v, _] = i.args;
        if mem.aligned {
            self.take(RAX);
        }
        let m = self.address(a, b, mem.scale, i.imm as i64);
        let x = self.x(v);
        let back = mem.aligned.then(|| self.aligned_vector(i, m, Loc::None));
        match mem.size {
            Size::Q => self.a.vst(V::MovupsSt, m, x),
            Size::D => self.a.vst(V::MovqSt, m, x),
            Size::S => self.a.vst(V::MovssSt, m, x),
            Size::H => self.a.v_to_gp(V::Pextrw, m, x, Some(0)),
            Size::B => self.a.v_to_gp(V::Pextrb, m, x, Some(0)),
        }
        self.bind_back(back);
        if mem.order != Order::Relaxed {
            self.a.mfence();
        }
        true
    }

    fn emit_cas(&mut self, i: &Inst, mem: ir::Mem) -> bool {
        if mem.big_endian {
            return false;
        }
        let [a, expected, new, _] = i.args;
        let sz = host_size(mem.size);
        self.take(RAX);
        let b = self.gp(a);
        let n = self.gp(new);
        let back = self.aligned_atomic(i, b, mem, Loc::R(RAX));
        self.mov_to(RAX, expected);
        let m = self.guest(Mem::b(b, 0));
        self.a.lock_mr(Mr::Cmpxchg, sz, m, n);
        self.bind_back(back);
        self.def_old(i.ty, RAX, sz);
        true
    }
    /// Records a result that an instruction of size `sz` left in `g`.
    fn def_old(&mut self, ty: Type, g: Gp, sz: Sz) {
        match sz {
            Sz::B => self.a.reg_rm(RegRm::Movzx8, Sz::D, g, g),
            Sz::W => self.a.reg_rm(RegRm::Movzx16, Sz::D, g, g),
            Sz::D => self.a.mov(Sz::D, g, g),
            Sz::Q => {}
        }
        if ty == Type::I32 { self.def_z(g) } else { self.def(Loc::R(g)) }
    }

    fn emit_rmw(&mut self, i: &Inst, mem: ir::Mem, op: Rmw) -> bool {
        if mem.big_endian {
            return false;
        }
        let [a, v, ..] = i.args;
        let sz = host_size(mem.size);
        let wide = if sz == Sz::Q { Sz::Q } else { Sz::D };
        self.take(RAX);
        match op {
            Rmw::Add | Rmw::Swap => {
                let b = self.gp(a);
                let t = self.tmp();
                let back = self.aligned_atomic(i, b, mem, Loc::R(t));
                self.mov_to(t, v);
                let m = self.guest(Mem::b(b, 0));
                if op == Rmw::Add {
                    self.a.lock_mr(Mr::Xadd, sz, m, t);
                } else {
                    self.a.mr(Mr::Xchg, sz, m, t);
                }
                self.bind_back(back);
                self.def_old(i.ty, t, sz);
                return true;
            }
            Rmw::And | Rmw::Or | Rmw::Xor | Rmw::AndNot if self.val[self.idx].uses == 0 => {
                let b = self.gp(a);
                let mut r = self.gp(v);
                let back = self.aligned_atomic(i, b, mem, Loc::None);
                let alu = match op {
                    Rmw::Or => Alu::Or,
                    Rmw::Xor => Alu::Xor,
                    _ => Alu::And,
                };
                if op == Rmw::AndNot {
                    self.a.mov(Sz::Q, RAX, r);
                    self.a.mop(Mop::Not, Sz::Q, RAX);
                    r = RAX;
                }
                let m = self.guest(Mem::b(b, 0));
                self.a.lock_alu_mr(alu, sz, m, r);
                self.bind_back(back);
                return true;
            }
            Rmw::AndNot | Rmw::And | Rmw::Or | Rmw::Xor | Rmw::SMax | Rmw::SMin | Rmw::UMax | Rmw::UMin => {}
        }
        let b = self.gp(a);
        let r = self.gp(v);
        let t = self.tmp();
        let m = self.guest(Mem::b(b, 0));
        let back = self.aligned_atomic(i, b, mem, Loc::R(RAX));
        self.load_int(RAX, m, mem.size, None);
        let again = self.a.here();
        match op {
            Rmw::AndNot => {
                self.a.mov(wide, t, r);
                self.a.mop(Mop::Not, wide, t);
                self.a.alu(Alu::And, wide, t, RAX);
            }
            Rmw::And | Rmw::Or | Rmw::Xor => {
                let alu = match op {
                    Rmw::Or => Alu::Or,
                    Rmw::Xor => Alu::Xor,
                    _ => Alu::And,
                };
                self.a.mov(wide, t, RAX);
                self.a.alu(alu, wide, t, r);
            }
            Rmw::SMax | Rmw::SMin | Rmw::UMax | Rmw::UMin => {
                let cc = match op {
                    Rmw::SMax => Cc::L,
                    Rmw::SMin => Cc::G,
                    Rmw::UMax => Cc::B,
                    _ => Cc::A,
                };
                self.a.mov(wide, t, RAX);
                self.a.alu(Alu::Cmp, sz, RAX, r);
                self.a.cmov(cc, wide, t, r);
            }
            Rmw::Add | Rmw::Swap => unreachable!("done above"),
        }
        self.a.lock_mr(Mr::Cmpxchg, sz, m, t);
        self.a.jcc(Cc::Ne, again);
        self.bind_back(back);
        self.def_old(i.ty, RAX, sz);
        true
    }

    fn emit_ll(&mut self, i: &Inst, mem: ir::Mem) -> bool {
        if mem.big_endian {
            return false;
        }
        let a = i.args[0];
        self.take(RAX);
        let b = self.gp(a);
        let d = self.dst_new();
        let back = self.aligned_atomic(i, b, mem, Loc::R(d));
        let m = self.guest(Mem::b(b, 0));
        self.load_int(d, m, mem.size, None);
        self.a.store(Sz::Q, hdr(offset_of!(Header, monitor_addr)), b);
        self.a.store_i(Sz::Q, hdr(offset_of!(Header, monitor_size)), mem.size.bytes() as i32);
        self.a.store(Sz::Q, hdr(offset_of!(Header, monitor_value)), d);
        self.a.store_i(Sz::Q, hdr(offset_of!(Header, monitor_value) + 8), 0);
        self.bind_back(back);
        if i.ty == Type::I32 {
            self.def_z(d)
        } else {
            self.def(Loc::R(d))
        }
        true
    }

    fn emit_sc(&mut self, i: &Inst, mem: ir::Mem) -> bool {
        if mem.big_endian {
            return false;
        }
        let [a, v, ..] = i.args;
        self.take(RAX);
        let b = self.gp(a);
        let n = self.gp(v);
        let t = self.tmp();
        let out = self.a.new_label();
        let addr = hdr(offset_of!(Header, monitor_addr));
        let back = self.aligned_atomic(i, b, mem, Loc::R(t));
        self.a.mov_i(t, 1);
        self.a.alu(Alu::Cmp, Sz::Q, b, Rm::M(addr));
        self.a.jcc8(Cc::Ne, out);
        self.a.alu_i(Alu::Cmp, Sz::Q, hdr(offset_of!(Header, monitor_size)), mem.size.bytes() as i32);
        self.a.jcc8(Cc::Ne, out);
        self.a.mov(Sz::Q, RAX, Rm::M(hdr(offset_of!(Header, monitor_value))));
        let m = self.guest(Mem::b(b, 0));
        self.a.lock_mr(Mr::Cmpxchg, host_size(mem.size), m, n);
        self.a.setcc(Cc::Ne, t);
        self.a.bind(out);
        self.a.store_i(Sz::Q, addr, -1);
        self.bind_back(back);
        self.def_z(t);
        true
    }

    fn emit_status(&mut self, i: &Inst) -> bool {
        let a = i.args[0];
        let fpcr = hdr(offset_of!(Header, guest_fpcr));
        match i.op {
            Op::ClearMonitor => self.a.store_i(Sz::Q, hdr(offset_of!(Header, monitor_addr)), -1),
            Op::Fence => {
                // A locked operation orders as mfence does, and is faster.
                if i.imm == 0 {
                    self.a.lock_alu_i(Alu::Or, Sz::D, hdr(offset_of!(Header, reserved2)), 0);
                }
            }
            Op::GetSat => {
                let d = self.dst(&[]);
                self.a.mov(Sz::D, d, Rm::M(hdr(offset_of!(Header, sat))));
                self.def_z(d);
            }
            Op::SetSat => {
                let t = self.tmp();
                self.mov_to(t, a);
                self.a.alu_i(Alu::And, Sz::D, t, 1);
                self.a.store(Sz::D, hdr(offset_of!(Header, sat)), t);
            }
            Op::GetFpFlags if i.imm == 2 => {
                self.a.stmxcsr(fpcr);
                let d = self.dst_new();
                let (t, u) = (self.tmp(), self.tmp());
                let table = self.pool.table(&mut self.a, &REVERSED);
                self.a.lea(Sz::Q, t, Mem::label(table));
                self.a.mov(Sz::D, d, Rm::M(fpcr));
                self.a.alu_i(Alu::And, Sz::D, d, 0x3f);
                self.a.reg_rm(RegRm::Movzx8, Sz::D, d, Mem::bi(t, d, 0, 32));
                self.a.mov(Sz::D, u, Rm::M(hdr(offset_of!(Header, fp_flags))));
                self.a.alu_i(Alu::And, Sz::D, u, 0x1f);
                self.a.reg_rm(RegRm::Movzx8, Sz::D, u, Mem::bi(t, u, 0, 0));
                self.a.alu(Alu::Or, Sz::D, d, u);
                self.def_z(d);
            }
            Op::SetFpFlags if i.imm == 2 => {
                let g = self.gp(a);
                let (t, u) = (self.tmp(), self.tmp());
                let table = self.pool.table(&mut self.a, &REVERSED);
                self.a.lea(Sz::Q, t, Mem::label(table));
                self.a.mov(Sz::D, u, g);
                self.a.alu_i(Alu::And, Sz::D, u, 0x1f);
                self.a.reg_rm(RegRm::Movzx8, Sz::D, u, Mem::bi(t, u, 0, 0));
                self.a.store(Sz::D, hdr(offset_of!(Header, fp_flags)), u);
                self.a.stmxcsr(fpcr);
                self.a.alu_i(Alu::And, Sz::D, fpcr, !0x3f);
                self.a.ldmxcsr(fpcr);
            }
            Op::GetFpFlags => {
                // Host: invalid 0, denormal 1, divide 2, overflow 3, underflow 4, inexact 5.
                self.a.stmxcsr(fpcr);
                let d = self.dst_new();
                let t = self.tmp();
                self.a.mov(Sz::D, d, Rm::M(fpcr));
                self.a.mov(Sz::D, t, d);
                self.a.shift_i(Sh::Shr, Sz::D, t, 1);
                self.a.alu_i(Alu::And, Sz::D, t, 0x1e);
                if i.imm & 1 != 0 {
                    let u = self.tmp();
                    self.a.mov(Sz::D, u, d);
                    self.a.shift_i(Sh::Shl, Sz::D, u, 6);
                    self.a.alu_i(Alu::And, Sz::D, u, 0x80);
                    self.a.alu(Alu::Or, Sz::D, t, u);
                }
                self.a.alu_i(Alu::And, Sz::D, d, 1);
                self.a.alu(Alu::Or, Sz::D, d, t);
                self.a.alu(Alu::Or, Sz::D, d, Rm::M(hdr(offset_of!(Header, fp_flags))));
                self.def_z(d);
            }
            Op::SetFpFlags => {
                let g = self.gp(a);
                self.a.store(Sz::D, hdr(offset_of!(Header, fp_flags)), g);
                self.a.stmxcsr(fpcr);
                self.a.alu_i(Alu::And, Sz::D, fpcr, !0x3f);
                self.a.ldmxcsr(fpcr);
            }
            Op::SetRound => {
                // Guest 0 nearest, 1 up, 2 down, 3 zero; the host has up and down the other way round. Nearest away
                // (4) is no host mode: operations under it are evaluated out of line.
                let (t, u) = (self.tmp(), self.tmp());
                self.mov_to(t, a);
                self.a.store(Sz::D, hdr(offset_of!(Header, fp_round)), t);
                self.a.mov(Sz::D, u, t);
                self.a.alu_i(Alu::And, Sz::D, u, 1);
                self.a.shift_i(Sh::Shl, Sz::D, u, 14);
                self.a.alu_i(Alu::And, Sz::D, t, 2);
                self.a.shift_i(Sh::Shl, Sz::D, t, 12);
                self.a.alu(Alu::Or, Sz::D, t, u);
                self.a.stmxcsr(fpcr);
                self.a.alu_i(Alu::And, Sz::D, fpcr, !0x6000);
                self.a.alu_mr(Alu::Or, Sz::D, fpcr, t);
                self.a.ldmxcsr(fpcr);
            }
            _ => return false,
        }
        true
    }

    /// Emits a memory or status operation; false if it has no inline form.
    pub(crate) fn emit_mem(&mut self, i: &Inst) -> bool {
        match (i.op, i.attr) {
            (Op::Load, Attr::Mem(m)) => self.emit_load(i, m),
            (Op::Store, Attr::Mem(m)) => self.emit_store(i, m),
            (Op::VLoad, Attr::Mem(m)) => return self.emit_vload(i, m),
            (Op::VStore, Attr::Mem(m)) => return self.emit_vstore(i, m),
            (Op::VLoadMask, Attr::Mem(m)) => return self.emit_vload_mask(i, m),
            (Op::VStoreMask, Attr::Mem(m)) => return self.emit_vstore_mask(i, m),
            (Op::Prefetch, Attr::Mem(m)) => {
                let [a, b, ..] = i.args;
                let m = self.address(a, b, m.scale, i.imm as i64);
                self.a.prefetch(m);
            }
            (Op::Cas, Attr::Mem(m)) => return self.emit_cas(i, m),
            (Op::AtomicRmw, Attr::Rmw(m, op)) => return self.emit_rmw(i, m, op),
            (Op::Ll, Attr::Mem(m)) => return self.emit_ll(i, m),
            (Op::Sc, Attr::Mem(m)) => return self.emit_sc(i, m),
            _ => return self.emit_status(i),
        }
        true
    }
}
