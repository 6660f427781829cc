//! Exclusive, ordered and atomic accesses (LDXR/STXR, LDAR/STLR, LSE, RCpc). Input: a decoded row of group `ldst_atomic`; output:
//! IR. All of them must be naturally aligned or, with FEAT_LSE2, lie inside 16 aligned bytes.

use crate::decode::{ArgsAtomic, ArgsAtomicp, LdstAtomic as I};
use crate::trans::{Flow, Tr};
use crate::trans_ldst::{Data, Kind, gpr, size_of};
use ir::{Mem, Op, Order, Rmw, Shape, Size, Type, Val};

/// Ordering of a read-modify-write with acquire and release bits.
fn order(a: u32, r: u32) -> Order {
    match (a, r) {
        (0, 0) => Order::Relaxed,
        (_, 0) => Order::Acquire,
        (0, _) => Order::Release,
        _ => Order::AcqRel,
    }
}

fn int(size: u32) -> Type {
    if size == 3 { Type::I64 } else { Type::I32 }
}

impl Tr<'_> {
    pub(crate) fn atomic(&mut self, insn: I) -> Flow {
        match insn {
            I::Ldxr(a) => {
                let addr = self.at(a.rn, 0);
                let mem = self.mem(size_of(a.size), order(a.o0, 0));
                let v = self.b.ll(int(a.size), mem, addr);
                self.set(a.rt, v);
            }
            I::Stxr(a) => {
                let addr = self.at(a.rn, 0);
                let v = self.reg(int(a.size), a.rt);
                let mem = self.mem(size_of(a.size), order(0, a.o0));
                let status = self.b.sc(mem, addr, v);
                self.set(a.rs, status);
            }
            I::Ldxp(a) => {
                let addr = self.at(a.rn, 0);
                let (lo, hi) = if a.sz == 1 {
                    let mem = self.mem(Size::Q, order(a.o0, 0));
                    let v = self.b.ll(Type::V128, mem, addr);
                    self.halves(v)
                } else {
                    let mem = self.mem(Size::D, order(a.o0, 0));
                    let v = self.b.ll(Type::I64, mem, addr);
                    self.words(v)
                };
                self.set(a.rt, lo);
                self.set(a.rt2, hi);
            }
            I::Stxp(a) => {
                let addr = self.at(a.rn, 0);
                let (v, size) = self.pair(a.sz, a.rt, a.rt2);
                let mem = self.mem(size, order(0, a.o0));
                let status = self.b.sc(mem, addr, v);
                self.set(a.rs, status);
            }
            I::Stlr(a) => self.store_ordered(gpr(a.size), a.rt, a.rn, 0),
            I::Stllr(a) => self.store_ordered(gpr(a.size), a.rt, a.rn, 0),
            I::Stlur(a) => self.store_ordered(gpr(a.size), a.rt, a.rn, a.imm),
            I::StlurV(a) => self.store_ordered(Data::V(a.size), a.rt, a.rn, a.imm),
            I::Ldar(a) => self.load_ordered(gpr(a.size), a.rt, a.rn, 0),
            I::Ldlar(a) => self.load_ordered(gpr(a.size), a.rt, a.rn, 0),
            I::Ldapr(a) => self.load_ordered(gpr(a.size), a.rt, a.rn, 0),
            I::Ldapur(a) | I::Ldapurs(a) => {
                self.load_ordered(Data::X(Kind { size: a.size, sign: a.sign, w: a.w }), a.rt, a.rn, a.imm);
            }
            I::LdapurV(a) => self.load_ordered(Data::V(a.size), a.rt, a.rn, a.imm),
            I::StlrPre(a) => {
                let step = 4 << a.sz;
                self.store_ordered(gpr(2 + a.sz), a.rt, a.rn, -step);
                self.step_base(a.rn, -i64::from(step));
            }
            I::LdaprPost(a) => {
                let base = self.reg_sp(Type::I64, a.rn);
                let addr = self.untag(base);
                let mem = self.mem(size_of(2 + a.sz), Order::Acquire);
                let v = self.b.load(int(2 + a.sz), mem, addr, Val::NONE, 0);
                let new = self.add_imm(base, 4 << a.sz);
                self.set_sp(a.rn, new);
                self.set(a.rt, v);
            }
            I::Stilp(a) => {
                let bytes = 8i64 << a.sz;
                let disp = if a.nowb == 1 { 0 } else { -bytes };
                let (v, size) = self.pair(a.sz, a.rt, a.rt2);
                let addr = self.at(a.rn, disp);
                let mem = self.mem(size, Order::Release);
                self.b.store(mem, addr, Val::NONE, 0, v);
                if a.nowb == 0 {
                    self.step_base(a.rn, -bytes);
                }
            }
            I::Ldiapp(a) => {
                let base = self.reg_sp(Type::I64, a.rn);
                let addr = self.untag(base);
                let (lo, hi) = if a.sz == 1 {
                    let mem = self.mem(Size::Q, Order::Acquire);
                    let v = self.b.load(Type::V128, mem, addr, Val::NONE, 0);
                    self.halves(v)
                } else {
                    let mem = self.mem(Size::D, Order::Acquire);
                    let v = self.b.load(Type::I64, mem, addr, Val::NONE, 0);
                    self.words(v)
                };
                if a.nowb == 0 {
                    let new = self.add_imm(base, 8 << a.sz);
                    self.set_sp(a.rn, new);
                }
                self.set(a.rt, lo);
                self.set(a.rt2, hi);
            }
            I::Stl1(a) => {
                let addr = self.at(a.rn, 0);
                let v = self.v(a.rt);
                let v = self.b.vget(Type::I64, Shape::scalar(Size::D), false, v, a.q);
                let mem = self.mem(Size::D, Order::Release);
                self.b.store(mem, addr, Val::NONE, 0, v);
            }
            I::Ldap1(a) => {
                let addr = self.at(a.rn, 0);
                let mem = self.mem(Size::D, Order::Acquire);
                let v = self.b.load(Type::I64, mem, addr, Val::NONE, 0);
                let old = self.v(a.rt);
                let v = self.b.vop(Op::VIns, Shape::scalar(Size::D), &[old, v], u64::from(a.q));
                self.set_v(a.rt, v);
            }
            I::Cas(a) => {
                let addr = self.at(a.rn, 0);
                let ty = int(a.size);
                let expected = self.reg(ty, a.rs);
                let expected = match a.size {
                    0 => self.b.zext8(expected),
                    1 => self.b.zext16(expected),
                    _ => expected,
                };
                let new = self.reg(ty, a.rt);
                let mem = self.mem(size_of(a.size), order(a.a, a.r));
                let old = self.b.cas(mem, addr, expected, new);
                self.set(a.rs, old);
            }
            I::Casp(a) => {
                let addr = self.at(a.rn, 0);
                let (expected, size) = self.pair(a.sz, a.rs, a.rs + 1);
                let (new, _) = self.pair(a.sz, a.rt, a.rt + 1);
                let mem = self.mem(size, order(a.a, a.r));
                let old = self.b.cas(mem, addr, expected, new);
                let (lo, hi) = if a.sz == 1 { self.halves(old) } else { self.words(old) };
                self.set(a.rs, lo);
                self.set(a.rs + 1, hi);
            }
            I::Ldadd(a) => self.rmw(a, Rmw::Add),
            I::Ldclr(a) => self.rmw(a, Rmw::AndNot),
            I::Ldeor(a) => self.rmw(a, Rmw::Xor),
            I::Ldset(a) => self.rmw(a, Rmw::Or),
            I::Ldsmax(a) => self.rmw(a, Rmw::SMax),
            I::Ldsmin(a) => self.rmw(a, Rmw::SMin),
            I::Ldumax(a) => self.rmw(a, Rmw::UMax),
            I::Ldumin(a) => self.rmw(a, Rmw::UMin),
            I::Swp(a) => self.rmw(a, Rmw::Swap),
            I::Ldclrp(a) => self.rmw_pair(a, crate::rmw128::CLEAR),
            I::Ldsetp(a) => self.rmw_pair(a, crate::rmw128::SET),
            I::Swpp(a) => self.rmw_pair(a, crate::rmw128::SWAP),
        }
        Flow::Next
    }

    fn mem(&self, size: Size, order: Order) -> Mem {
        self.atomic_mem(Mem::plain(size)).with_order(order)
    }

    /// The alignment rule of atomic and ordered accesses.
    fn atomic_mem(&self, mem: Mem) -> Mem {
        if self.cpu.relaxed_atomics && mem.size != Size::Q { mem.inside16() } else { mem.natural() }
    }

    /// The address `rn + disp`.
    fn at(&mut self, rn: u32, disp: i64) -> Val {
        let base = self.reg_sp(Type::I64, rn);
        let sum = self.add_imm(base, disp);
        self.untag(sum)
    }

    fn step_base(&mut self, rn: u32, by: i64) {
        let base = self.reg_sp(Type::I64, rn);
        let new = self.add_imm(base, by);
        self.set_sp(rn, new);
    }

    /// The doublewords of a vector.
    pub(crate) fn halves(&mut self, v: Val) -> (Val, Val) {
        let d = Shape::scalar(Size::D);
        (self.b.vget(Type::I64, d, false, v, 0), self.b.vget(Type::I64, d, false, v, 1))
    }

    /// The words of a doubleword.
    fn words(&mut self, v: Val) -> (Val, Val) {
        let lo = self.b.trunc(v);
        let by = self.b.const64(32);
        (lo, self.b.shr(v, by))
    }

    /// Two registers as one value of 8 or 16 bytes.
    pub(crate) fn pair(&mut self, sz: u32, first: u32, second: u32) -> (Val, Size) {
        let (lo, hi) = (self.x(first), self.x(second));
        if sz == 0 {
            return (self.b.bfi(lo, hi, 32, 32), Size::D);
        }
        let d = Shape::scalar(Size::D);
        let v = self.b.vop(Op::VDup, d, &[lo], 0);
        (self.b.vop(Op::VIns, d, &[v, hi], 1), Size::Q)
    }

    fn load_ordered(&mut self, data: Data, rt: u32, rn: u32, disp: i32) {
        let addr = self.at(rn, i64::from(disp));
        let (ty, mem) = match data {
            Data::X(k) => (k.ty(), k.mem()),
            Data::V(size) => (Type::V128, Mem::plain(size_of(size))),
        };
        let mem = self.atomic_mem(mem);
        let v = self.b.load(ty, mem.with_order(Order::Acquire), addr, Val::NONE, 0);
        self.set_data(data, rt, v);
    }

    fn store_ordered(&mut self, data: Data, rt: u32, rn: u32, disp: i32) {
        let addr = self.at(rn, i64::from(disp));
        let (v, size) = match data {
            Data::X(k) => (self.reg(int(k.size), rt), k.size),
            Data::V(size) => (self.v(rt), size),
        };
        let mem = self.mem(size_of(size), Order::Release);
        self.b.store(mem, addr, Val::NONE, 0, v);
    }

    fn rmw(&mut self, a: ArgsAtomic, op: Rmw) {
        let addr = self.at(a.rn, 0);
        let v = self.reg(int(a.size), a.rs);
        let mem = self.mem(size_of(a.size), order(a.a, a.r));
        let old = self.b.rmw(mem, op, addr, v);
        self.set(a.rt, old);
    }

    fn rmw_pair(&mut self, a: ArgsAtomicp, op: u64) {
        let addr = self.at(a.rn, 0);
        let (v, _) = self.pair(1, a.rt, a.rt2);
        let op = self.b.const64(op);
        let old = self.b.call(crate::helpers::RMW128, Type::V128, &[addr, v, op]);
        let (lo, hi) = self.halves(old);
        self.set(a.rt, lo);
        self.set(a.rt2, hi);
    }
}
