//! A, Zabha, Zacas.

use crate::cpu;
use crate::decode::{ArgsAmo, Atomic};
use crate::trans::{Flow, Tr};
use ir::{Mem, Op, Order, Rmw, Shape, Size, Type, Val};

fn order(aq: u32, rl: u32) -> Order {
    match (aq, rl) {
        (0, 0) => Order::Relaxed,
        (_, 0) => Order::Acquire,
        (0, _) => Order::Release,
        _ => Order::AcqRel,
    }
}

impl Tr<'_> {
    pub(crate) fn atomic(&mut self, insn: Atomic) -> Flow {
        match insn {
            Atomic::Lr(a) => {
                let (size, ty) = self.width(a.size);
                let addr = self.x64(a.rs1);
                let mem = Mem::plain(size).natural().with_order(order(a.aq, a.rl));
                let v = self.b.ll(ty, mem, addr);
                self.set(a.rd, v);
            }
            Atomic::Sc(a) => {
                let (size, ty) = self.width(a.size);
                let addr = self.x64(a.rs1);
                let v = if ty == Type::I32 { self.w(a.rs2) } else { self.x(a.rs2) };
                let mem = Mem::plain(size).natural().with_order(order(a.aq, a.rl));
                let r = self.b.sc(mem, addr, v);
                self.set(a.rd, r);
            }
            Atomic::Amoswap(a) => self.amo(a, Rmw::Swap),
            Atomic::Amoadd(a) => self.amo(a, Rmw::Add),
            Atomic::Amoxor(a) => self.amo(a, Rmw::Xor),
            Atomic::Amoand(a) => self.amo(a, Rmw::And),
            Atomic::Amoor(a) => self.amo(a, Rmw::Or),
            Atomic::Amomin(a) => self.amo(a, Rmw::SMin),
            Atomic::Amomax(a) => self.amo(a, Rmw::SMax),
            Atomic::Amominu(a) => self.amo(a, Rmw::UMin),
            Atomic::Amomaxu(a) => self.amo(a, Rmw::UMax),
            Atomic::LbAq(a) => {
                let (size, _) = self.width(a.size);
                let addr = self.x64(a.rs1);
                let mem = Mem::plain(size).signed().natural().with_order(Order::Acquire);
                let v = self.b.load(self.xt, mem, addr, Val::NONE, 0);
                self.set(a.rd, v);
            }
            Atomic::SbRl(a) => {
                let (size, _) = self.width(a.size);
                let addr = self.x64(a.rs1);
                let v = self.x(a.rs2);
                let mem = Mem::plain(size).natural().with_order(Order::Release);
                self.b.store(mem, addr, Val::NONE, 0, v);
            }
            Atomic::AmocasP(a) => {
                // A pair of 32-bit registers.
                let addr = self.x64(a.rs1);
                let (expected, new) = (self.pair64(a.rd), self.pair64(a.rs2));
                let mem = Mem::plain(Size::D).natural().with_order(Order::AcqRel);
                let old = self.b.cas(mem, addr, expected, new);
                self.set_pair64(a.rd, old);
            }
            Atomic::Amocas(a) | Atomic::AmocasD(a) => {
                let (size, ty) = self.width(a.size);
                let addr = self.x64(a.rs1);
                let (expected, new) = if ty == Type::I32 {
                    (self.w(a.rd), self.w(a.rs2))
                } else {
                    (self.x(a.rd), self.x(a.rs2))
                };
                let expected = self.cut(size, expected);
                let mem = Mem::plain(size).natural().with_order(Order::AcqRel);
                let old = self.b.cas(mem, addr, expected, new);
                let old = self.extend(size, old);
                self.set(a.rd, old);
            }
            Atomic::AmocasQ(a) => {
                let addr = self.x64(a.rs1);
                let expected = self.pair(a.rd);
                let new = self.pair(a.rs2);
                let mem = Mem::plain(Size::Q).natural().with_order(Order::AcqRel);
                let old = self.b.cas(mem, addr, expected, new);
                if a.rd != 0 {
                    let d = Shape::new(Size::D, 2);
                    let lo = self.b.vget(Type::I64, d, false, old, 0);
                    let hi = self.b.vget(Type::I64, d, false, old, 1);
                    self.b.set(cpu::x(a.rd), lo);
                    self.b.set(cpu::x(a.rd + 1), hi);
                }
            }
        }
        Flow::Next
    }

    fn width(&self, size: u32) -> (Size, Type) {
        match size {
            0 => (Size::B, Type::I32),
            1 => (Size::H, Type::I32),
            2 => (Size::S, Type::I32),
            _ => (Size::D, Type::I64),
        }
    }

    fn cut(&mut self, size: Size, v: Val) -> Val {
        match size {
            Size::B => self.b.zext8(v),
            Size::H => self.b.zext16(v),
            Size::S | Size::D | Size::Q => v,
        }
    }

    fn extend(&mut self, size: Size, v: Val) -> Val {
        match size {
            Size::B => self.b.sext8(v),
            Size::H => self.b.sext16(v),
            Size::S | Size::D | Size::Q => v,
        }
    }

    /// An even pair of 32-bit registers as one number; the pair at x0 is zero.
    pub(crate) fn pair64(&mut self, n: u32) -> Val {
        if n == 0 {
            return self.b.const64(0);
        }
        let (lo, hi) = (self.x64(n), self.x64(n + 1));
        self.b.bfi(lo, hi, 32, 32)
    }

    /// Writes such a pair; nothing is written at x0.
    pub(crate) fn set_pair64(&mut self, n: u32, v: Val) {
        if n != 0 {
            let lo = self.b.trunc(v);
            self.set(n, lo);
            let n32 = self.b.const64(32);
            let hi = self.b.shr(v, n32);
            self.b.set(cpu::x(n + 1), hi);
        }
    }

    /// An even register pair; the pair at x0 is zero.
    fn pair(&mut self, n: u32) -> Val {
        let (lo, hi) = if n == 0 { (self.x(0), self.x(0)) } else { (self.x(n), self.x(n + 1)) };
        let shape = Shape::new(Size::D, 2);
        let v = self.b.push(Op::VDup, Type::V128, ir::Attr::Vec(shape), &[lo], 0);
        self.b.push(Op::VIns, Type::V128, ir::Attr::Vec(shape), &[v, hi], 1)
    }

    fn amo(&mut self, a: ArgsAmo, op: Rmw) {
        let (size, ty) = self.width(a.size);
        let addr = self.x64(a.rs1);
        let v = if ty == Type::I32 { self.w(a.rs2) } else { self.x(a.rs2) };
        let mem = Mem::plain(size).natural().with_order(order(a.aq, a.rl));
        let old = self.b.rmw(mem, op, addr, v);
        let old = self.extend(size, old);
        self.set(a.rd, old);
    }
}
