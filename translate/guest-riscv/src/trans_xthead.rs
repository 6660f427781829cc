//! Vendor extensions of the T-Head cores: "RISC-V extensions by T-Head", XThead*. All of them on 64-bit CPUs only.

use crate::cpu;
use crate::decode::{ArgsIdx, ArgsInc, ArgsR, ArgsTwo, Xthead};
use crate::trans::{Flow, Tr};
use ir::{Attr, Cc, Ext, Mem, Op, Order, Size, Term, Type, Val};

impl Tr<'_> {
    pub(crate) fn xthead(&mut self, insn: Xthead) -> Flow {
        match insn {
            Xthead::ThAddsl(a) => {
                let (x, y) = (self.x(a.rs1), self.x(a.rs2));
                let n = self.b.const64(u64::from(a.sh));
                let s = self.b.shl(y, n);
                let r = self.b.add(x, s);
                self.set(a.rd, r);
            }
            Xthead::ThExt(a) | Xthead::ThExtu(a) => {
                let x = self.x(a.rs1);
                let signed = matches!(insn, Xthead::ThExt(_));
                if a.msb < a.lsb {
                    // An empty field: rd stays.
                    return Flow::Next;
                }
                let r = if signed {
                    self.b.sbfx(x, a.lsb, a.msb - a.lsb + 1)
                } else {
                    self.b.ubfx(x, a.lsb, a.msb - a.lsb + 1)
                };
                self.set(a.rd, r);
            }
            Xthead::ThFf0(a) => {
                let x = self.x(a.rs1);
                let n = self.b.not(x);
                let r = self.b.clz(n);
                self.set(a.rd, r);
            }
            Xthead::ThFf1(a) => {
                let x = self.x(a.rs1);
                let r = self.b.clz(x);
                self.set(a.rd, r);
            }
            Xthead::ThSrri(a) => {
                let x = self.x(a.rs1);
                let n = self.b.const64(u64::from(a.sh));
                let r = self.b.ror(x, n);
                self.set(a.rd, r);
            }
            Xthead::ThSrriw(a) => {
                let x = self.w(a.rs1);
                let n = self.b.const32(a.sh);
                let r = self.b.ror(x, n);
                self.set(a.rd, r);
            }
            Xthead::ThRev(a) => {
                let x = self.x(a.rs1);
                let r = self.b.bswap(x);
                self.set(a.rd, r);
            }
            Xthead::ThRevw(a) => {
                let x = self.w(a.rs1);
                let r = self.b.bswap(x);
                self.set(a.rd, r);
            }
            Xthead::ThTstnbz(a) => {
                let x = self.x(a.rs1);
                let o = self.orc_b(x);
                let r = self.b.not(o);
                self.set(a.rd, r);
            }
            Xthead::ThTst(a) => {
                let x = self.x(a.rs1);
                let r = self.b.ubfx(x, a.sh, 1);
                self.set(a.rd, r);
            }
            Xthead::ThMveqz(a) => self.move_if(a, Cc::Eq),
            Xthead::ThMvnez(a) => self.move_if(a, Cc::Ne),
            Xthead::ThMula(a) => self.accumulate(a, Type::I64, false, Op::Add),
            Xthead::ThMuls(a) => self.accumulate(a, Type::I64, false, Op::Sub),
            Xthead::ThMulaw(a) => self.accumulate(a, Type::I32, false, Op::Add),
            Xthead::ThMulsw(a) => self.accumulate(a, Type::I32, false, Op::Sub),
            Xthead::ThMulah(a) => self.accumulate(a, Type::I32, true, Op::Add),
            Xthead::ThMulsh(a) => self.accumulate(a, Type::I32, true, Op::Sub),
            // Caches are coherent here.
            Xthead::ThDcacheCva(_) | Xthead::ThDcacheIva(_) | Xthead::ThDcacheCiva(_) => {}
            Xthead::ThSync | Xthead::ThSyncS => self.b.fence(0),
            Xthead::ThIcacheIva(_) | Xthead::ThSyncI | Xthead::ThSyncIs => {
                // No address: all code may have changed.
                let all = self.b.const64(0);
                self.b.push(Op::InvalCode, Type::Void, Attr::None, &[all], 1 << 47);
                return Flow::End(Term::Resume { pc: self.next() });
            }
            Xthead::ThLoadIb(a) => return self.load_inc(a, true),
            Xthead::ThLoadIa(a) => return self.load_inc(a, false),
            Xthead::ThStoreIb(a) => self.store_inc(a, true),
            Xthead::ThStoreIa(a) => self.store_inc(a, false),
            Xthead::ThLoadR(a) => self.load_indexed(a, false),
            Xthead::ThLoadUr(a) => self.load_indexed(a, true),
            Xthead::ThStoreR(a) => self.store_indexed(a, false),
            Xthead::ThStoreUr(a) => self.store_indexed(a, true),
            Xthead::ThFloadR(a) => self.fload_indexed(a, false),
            Xthead::ThFloadUr(a) => self.fload_indexed(a, true),
            Xthead::ThFstoreR(a) => self.fstore_indexed(a, false),
            Xthead::ThFstoreUr(a) => self.fstore_indexed(a, true),
            Xthead::ThLwd(a) => return self.load_pair(a, Mem::plain(Size::S).signed(), 3),
            Xthead::ThLwud(a) => return self.load_pair(a, Mem::plain(Size::S), 3),
            Xthead::ThLdd(a) => return self.load_pair(a, Mem::plain(Size::D), 4),
            Xthead::ThSwd(a) => self.store_pair(a, Size::S, 3),
            Xthead::ThSdd(a) => self.store_pair(a, Size::D, 4),
        }
        Flow::Next
    }

    fn move_if(&mut self, a: ArgsR, cc: Cc) {
        let (x, y, old) = (self.x(a.rs1), self.x(a.rs2), self.x(a.rd));
        let t = self.b.and(y, y);
        let f = self.b.flags_of(t);
        let r = self.b.select(cc, f, x, old);
        self.set(a.rd, r);
    }

    /// rd plus or minus a product, of whole registers, words, or low halves.
    fn accumulate(&mut self, a: ArgsR, ty: Type, halves: bool, op: Op) {
        let source = |t: &mut Self, n| {
            let v = if ty == Type::I64 { t.x(n) } else { t.w(n) };
            if halves { t.b.sext16(v) } else { v }
        };
        let (x, y) = (source(self, a.rs1), source(self, a.rs2));
        let old = if ty == Type::I64 { self.x(a.rd) } else { self.w(a.rd) };
        let product = self.b.mul(x, y);
        let r = self.b.push(op, ty, Attr::None, &[old, product], 0);
        self.set(a.rd, r);
    }

    fn mem(size: u32, uns: u32) -> Mem {
        let mem = Mem::plain(Size::from_log2(size).unwrap_or(Size::D));
        Mem { ext: if uns != 0 { Ext::Zero } else { Ext::Sign }, order: Order::Relaxed, ..mem }
    }

    /// The incremented base, and the displacement of the access from the old one.
    fn incremented(&mut self, a: ArgsInc, before: bool) -> (Val, Val, i64) {
        let base = self.x(a.rs1);
        let step = i64::from(a.imm) << a.sh;
        let c = self.c(step);
        let new = self.b.add(base, c);
        (base, new, if before { step } else { 0 })
    }

    fn load_inc(&mut self, a: ArgsInc, before: bool) -> Flow {
        if a.rd == a.rs1 {
            return Flow::Undefined;
        }
        let (base, new, disp) = self.incremented(a, before);
        let v = self.b.load(Type::I64, Self::mem(a.size, a.uns), base, Val::NONE, disp);
        self.set(a.rs1, new);
        self.set(a.rd, v);
        Flow::Next
    }

    fn store_inc(&mut self, a: ArgsInc, before: bool) {
        let v = self.x(a.rd);
        let (base, new, disp) = self.incremented(a, before);
        self.b.store(Self::mem(a.size, a.uns), base, Val::NONE, disp, v);
        self.set(a.rs1, new);
    }

    /// The access and its operands: base and index.
    fn indexed(&mut self, a: ArgsIdx, word: bool) -> (Mem, Val, Val) {
        let base = self.x(a.rs1);
        let index = if word {
            let w = self.w(a.rs2);
            self.b.zext32(w)
        } else {
            self.x(a.rs2)
        };
        (Self::mem(a.size, a.uns).scaled(a.sh as u8), base, index)
    }

    fn load_indexed(&mut self, a: ArgsIdx, word: bool) {
        let (mem, base, index) = self.indexed(a, word);
        let v = self.b.load(Type::I64, mem, base, index, 0);
        self.set(a.rd, v);
    }

    fn store_indexed(&mut self, a: ArgsIdx, word: bool) {
        let v = self.x(a.rd);
        let (mem, base, index) = self.indexed(a, word);
        self.b.store(mem, base, index, 0, v);
    }

    fn fload_indexed(&mut self, a: ArgsIdx, word: bool) {
        let (mem, base, index) = self.indexed(a, word);
        let v = self.b.load(Type::V128, Mem { ext: Ext::Zero, ..mem }, base, index, 0);
        self.set_f(a.rd, mem.size, v);
    }

    fn fstore_indexed(&mut self, a: ArgsIdx, word: bool) {
        let v = self.b.get(cpu::f(a.rd), Type::V128);
        let (mem, base, index) = self.indexed(a, word);
        self.b.store(Mem { ext: Ext::Zero, ..mem }, base, index, 0, v);
    }

    fn load_pair(&mut self, a: ArgsTwo, mem: Mem, shift: u32) -> Flow {
        if a.rd == a.rs1 || a.rd2 == a.rs1 || a.rd == a.rd2 {
            return Flow::Undefined;
        }
        let base = self.x(a.rs1);
        let disp = i64::from(a.sh) << shift;
        let first = self.b.load(Type::I64, mem, base, Val::NONE, disp);
        let second = self.b.load(Type::I64, mem, base, Val::NONE, disp + mem.size.bytes() as i64);
        self.set(a.rd, first);
        self.set(a.rd2, second);
        Flow::Next
    }

    fn store_pair(&mut self, a: ArgsTwo, size: Size, shift: u32) {
        let (first, second) = (self.x(a.rd), self.x(a.rd2));
        let base = self.x(a.rs1);
        let disp = i64::from(a.sh) << shift;
        self.b.store(Mem::plain(size), base, Val::NONE, disp, first);
        self.b.store(Mem::plain(size), base, Val::NONE, disp + size.bytes() as i64, second);
    }
}
