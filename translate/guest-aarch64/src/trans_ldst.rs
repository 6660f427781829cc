//! Loads and stores of one register or a pair, general or SIMD&FP, in all addressing forms. Input: a decoded row of group
//! `ldst`; output: IR.
//!
//! No register is written before the last access of the instruction that may fault, so that a fault leaves the state exact.

use crate::cpu::Feature;
use crate::decode::{ArgsLdImm, ArgsLsPair, ArgsLsPairV, Ldst as I};
use crate::helpers;
use crate::mops::Request;
use crate::trans::{Flow, Tr};
use ir::{Cc, Mem, Size, Target, Term, Type, Val};

/// Addressing of the `imm9` forms.
const POST: u32 = 1;
const PRE: u32 = 3;

/// Width of an access; `log2` comes from a field of the instruction and is at most 4.
pub(crate) fn size_of(log2: u32) -> Size {
    Size::from_log2(log2).unwrap_or(Size::Q)
}

/// How a general register is loaded: `sign` extends to 64 bits, or to 32 if `w`.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub size: u32,
    pub sign: u32,
    pub w: u32,
}

impl Kind {
    pub fn mem(self) -> Mem {
        let mem = Mem::plain(size_of(self.size));
        if self.sign == 1 { mem.signed() } else { mem }
    }

    pub fn ty(self) -> Type {
        if self.size == 3 || self.sign == 1 && self.w == 0 { Type::I64 } else { Type::I32 }
    }
}

/// What a load or store moves.
#[derive(Clone, Copy)]
pub(crate) enum Data {
    /// A general register.
    X(Kind),
    /// A SIMD&FP register of 1 << n bytes.
    V(u32),
}

impl Data {
    fn log2(self) -> u32 {
        match self {
            Data::X(k) => k.size,
            Data::V(size) => size,
        }
    }
}

/// A zero-extending general register of 1 << n bytes.
pub(crate) fn gpr(size: u32) -> Data {
    Data::X(Kind { size, sign: 0, w: 0 })
}

impl I {
    /// Whether bits 9:5 name a base register whose alignment is checked if it is SP.
    pub(crate) fn has_checked_base(self) -> bool {
        match self {
            I::LdrLitW(_)
            | I::LdrLitX(_)
            | I::LdrswLit(_)
            | I::LdrLitS(_)
            | I::LdrLitD(_)
            | I::LdrLitQ(_)
            | I::PrfmLit
            | I::Prfum
            | I::PrfmUimm(_)
            | I::PrfmReg(_)
            | I::Cpyf(_)
            | I::Cpy(_)
            | I::Set(_) => false,
            I::Stp(_)
            | I::Ldp(_)
            | I::Ldpsw(_)
            | I::StpV(_)
            | I::LdpV(_)
            | I::StrImm(_)
            | I::LdrImm(_)
            | I::LdrsImm(_)
            | I::StrImmV(_)
            | I::LdrImmV(_)
            | I::StrUimm(_)
            | I::LdrUimm(_)
            | I::LdrsUimm(_)
            | I::StrUimmV(_)
            | I::LdrUimmV(_)
            | I::StrReg(_)
            | I::LdrReg(_)
            | I::LdrsReg(_)
            | I::StrRegV(_)
            | I::LdrRegV(_)
            | I::Ldra(_) => true,
        }
    }
}

impl Tr<'_> {
    pub(crate) fn ldst(&mut self, insn: I) -> Flow {
        match insn {
            I::LdrLitW(a) | I::LdrLitX(a) | I::LdrswLit(a) => {
                self.literal(Data::X(Kind { size: a.size, sign: a.sign, w: a.w }), a.imm, a.rt)
            }
            I::LdrLitS(a) | I::LdrLitD(a) | I::LdrLitQ(a) => self.literal(Data::V(a.size), a.imm, a.rt),
            // Prefetches never fault; those that code uses reach the host.
            I::PrfmLit | I::Prfum => Flow::Next,
            I::PrfmUimm(a) => {
                let base = self.reg_sp(Type::I64, a.rn);
                self.prefetch(a.rt, base, Val::NONE, 0, i64::from(a.uimm << 3))
            }
            I::PrfmReg(a) => {
                let (base, index, scale) = self.offset(3, a.rm, a.option, a.s, a.rn);
                self.prefetch(a.rt, base, index, scale, 0)
            }
            I::Stp(a) => self.store_pair(gpr(2 + a.sz), a),
            I::Ldp(a) => self.load_pair(gpr(2 + a.sz), a),
            I::Ldpsw(a) => {
                let a = ArgsLsPair { sz: 0, idx: a.idx, imm: a.imm, rt2: a.rt2, rn: a.rn, rt: a.rt };
                self.load_pair(Data::X(Kind { size: 2, sign: 1, w: 0 }), a)
            }
            I::StpV(a) => self.store_pair(Data::V(2 + a.size), general(a)),
            I::LdpV(a) => self.load_pair(Data::V(2 + a.size), general(a)),
            I::StrImm(a) => self.store_one(gpr(a.size), a.imm, a.idx, a.rn, a.rt),
            I::StrImmV(a) => self.store_one(Data::V(a.size), a.imm, a.idx, a.rn, a.rt),
            I::LdrImm(a) | I::LdrsImm(a) => {
                let ArgsLdImm { size, sign, w, imm, idx, rn, rt } = a;
                self.load_one(Data::X(Kind { size, sign, w }), imm, idx, rn, rt)
            }
            I::LdrImmV(a) => self.load_one(Data::V(a.size), a.imm, a.idx, a.rn, a.rt),
            I::StrUimm(a) => self.store_one(gpr(a.size), (a.uimm << a.size) as i32, 0, a.rn, a.rt),
            I::StrUimmV(a) => self.store_one(Data::V(a.size), (a.uimm << a.size) as i32, 0, a.rn, a.rt),
            I::LdrUimm(a) | I::LdrsUimm(a) => {
                let kind = Kind { size: a.size, sign: a.sign, w: a.w };
                self.load_one(Data::X(kind), (a.uimm << a.size) as i32, 0, a.rn, a.rt)
            }
            I::LdrUimmV(a) => self.load_one(Data::V(a.size), (a.uimm << a.size) as i32, 0, a.rn, a.rt),
            I::StrReg(a) => self.store_indexed(gpr(a.size), a.rm, a.option, a.s, a.rn, a.rt),
            I::StrRegV(a) => self.store_indexed(Data::V(a.size), a.rm, a.option, a.s, a.rn, a.rt),
            I::LdrReg(a) | I::LdrsReg(a) => {
                let kind = Kind { size: a.size, sign: a.sign, w: a.w };
                self.load_indexed(Data::X(kind), a.rm, a.option, a.s, a.rn, a.rt)
            }
            I::LdrRegV(a) => self.load_indexed(Data::V(a.size), a.rm, a.option, a.s, a.rn, a.rt),
            I::Ldra(a) => {
                let base = self.authenticated_data(a.m, a.rn);
                let disp = i64::from(a.imm) * 8;
                let v = self.load(Type::I64, Mem::plain(Size::D), base, disp);
                self.set(a.rt, v);
                if a.w == 1 {
                    let base = self.add_imm(base, disp);
                    self.set_sp(a.rn, base);
                }
                Flow::Next
            }
            I::Cpyf(a) => {
                self.mops(Request { rd: a.rd, rs: a.rs, rn: a.rn, stage: a.stage, forward: true, set: false })
            }
            I::Cpy(a) => self.mops(Request {
                rd: a.rd,
                rs: a.rs,
                rn: a.rn,
                stage: a.stage,
                forward: false,
                set: false,
            }),
            I::Set(a) => {
                self.mops(Request { rd: a.rd, rs: a.rs, rn: a.rn, stage: a.stage, forward: false, set: true })
            }
        }
    }

    fn mops(&mut self, r: Request) -> Flow {
        // CONSTRAINED UNPREDICTABLE with equal registers or the zero register: undefined, as it may be.
        let (d, s, n) = (r.rd, r.rs, r.rn);
        if d == n || d == s || s == n || d == 31 || n == 31 || s == 31 && !r.set {
            return Flow::Undefined;
        }
        if r.stage != 0 {
            // Nothing is left for the main instruction and the epilogue, unless there was a fault.
            let left = self.x(n);
            let zero = self.b.and(left, left);
            let flags = self.b.flags_of(zero);
            let (then, els) = (Target::Pc(self.next()), Target::Block(self.b.upcoming_block(1)));
            self.b.end_block(Term::Branch { flags, cc: Cc::Eq, then, els }, self.next());
            self.b.begin_internal(self.pc);
            self.b.insn(self.pc);
        }
        let packed = self.b.const64(r.pack());
        self.b.call(helpers::MOPS, Type::Void, &[packed]);
        if r.stage == 0 { Flow::Next } else { Flow::End(Term::Jump(Target::Pc(self.next()))) }
    }

    /// Loads what `data` says.
    pub(crate) fn load_data(&mut self, data: Data, base: Val, disp: i64) -> Val {
        match data {
            Data::X(k) => self.load(k.ty(), k.mem(), base, disp),
            Data::V(size) => self.load(Type::V128, Mem::plain(size_of(size)), base, disp),
        }
    }

    /// Stores register `rt`.
    pub(crate) fn store_data(&mut self, data: Data, rt: u32, base: Val, disp: i64) {
        let v = self.register(data, rt);
        self.store(Mem::plain(size_of(data.log2())), base, disp, v);
    }

    fn register(&mut self, data: Data, rt: u32) -> Val {
        match data {
            Data::X(k) => self.reg(k.ty(), rt),
            Data::V(_) => self.v(rt),
        }
    }

    pub(crate) fn set_data(&mut self, data: Data, rt: u32, v: Val) {
        match data {
            Data::X(_) => self.set(rt, v),
            Data::V(_) => self.set_v(rt, v),
        }
    }

    fn literal(&mut self, data: Data, imm: i32, rt: u32) -> Flow {
        let base = self.b.addr(self.pc.wrapping_add((i64::from(imm) << 2) as u64));
        let v = self.load_data(data, base, 0);
        self.set_data(data, rt, v);
        Flow::Next
    }

    /// Base register and displacement of an access of the immediate forms.
    fn indexed(&mut self, imm: i64, idx: u32, rn: u32) -> (Val, i64) {
        (self.reg_sp(Type::I64, rn), if idx == POST { 0 } else { imm })
    }

    /// Writes the base back after the accesses, when the old value is no longer needed in a register of its own.
    fn step(&mut self, imm: i64, idx: u32, rn: u32, base: Val) {
        if idx == PRE || idx == POST {
            let new = self.add_imm(base, imm);
            self.set_sp(rn, new);
        }
    }

    fn prefetch(&mut self, kind: u32, base: Val, index: Val, scale: u8, disp: i64) -> Flow {
        // Data for loads (00) and stores (10); not instructions.
        if kind >> 3 == 0 || kind >> 3 == 2 {
            self.b.prefetch(Mem::plain(Size::D).scaled(scale), base, index, disp);
        }
        Flow::Next
    }

    fn load_one(&mut self, data: Data, imm: i32, idx: u32, rn: u32, rt: u32) -> Flow {
        let (base, disp) = self.indexed(i64::from(imm), idx, rn);
        let v = self.load_data(data, base, disp);
        self.step(i64::from(imm), idx, rn, base);
        self.set_data(data, rt, v);
        Flow::Next
    }

    fn store_one(&mut self, data: Data, imm: i32, idx: u32, rn: u32, rt: u32) -> Flow {
        let (base, disp) = self.indexed(i64::from(imm), idx, rn);
        self.store_data(data, rt, base, disp);
        self.step(i64::from(imm), idx, rn, base);
        Flow::Next
    }

    /// FEAT_LSE2: a pair of X registers in 16 aligned bytes is one access (as 16 aligned bytes are on every host with AVX). A
    /// stack frame is not shared in a way that could tell.
    fn pair_at_once(&self, data: Data, rn: u32) -> bool {
        let x = matches!(data, Data::X(Kind { size: 3, .. }));
        x && !matches!(rn, 29 | 31) && self.cpu.features.has(Feature::Lse2)
    }

    fn load_pair(&mut self, data: Data, a: ArgsLsPair) -> Flow {
        let step = 1i64 << data.log2();
        let imm = i64::from(a.imm) * step;
        let (base, disp) = self.indexed(imm, a.idx, a.rn);
        if self.pair_at_once(data, a.rn) {
            let v = self.load(Type::V128, Mem::plain(Size::Q), base, disp);
            let (first, second) = self.halves(v);
            self.step(imm, a.idx, a.rn, base);
            self.set_data(data, a.rt, first);
            self.set_data(data, a.rt2, second);
            return Flow::Next;
        }
        let first = self.load_data(data, base, disp);
        let second = self.load_data(data, base, disp + step);
        self.step(imm, a.idx, a.rn, base);
        self.set_data(data, a.rt, first);
        self.set_data(data, a.rt2, second);
        Flow::Next
    }

    fn store_pair(&mut self, data: Data, a: ArgsLsPair) -> Flow {
        let step = 1i64 << data.log2();
        let imm = i64::from(a.imm) * step;
        let (base, disp) = self.indexed(imm, a.idx, a.rn);
        if self.pair_at_once(data, a.rn) {
            let (v, _) = self.pair(1, a.rt, a.rt2);
            self.store(Mem::plain(Size::Q), base, disp, v);
            self.step(imm, a.idx, a.rn, base);
            return Flow::Next;
        }
        self.store_data(data, a.rt, base, disp);
        self.store_data(data, a.rt2, base, disp + step);
        self.step(imm, a.idx, a.rn, base);
        Flow::Next
    }

    /// Base and index of a register offset, the index still to be shifted by the result's third part.
    fn offset(&mut self, log2: u32, rm: u32, option: u32, s: u32, rn: u32) -> (Val, Val, u8) {
        let base = self.reg_sp(Type::I64, rn);
        let index = self.extended(Type::I64, rm, option, 0);
        let scale = if s == 1 { log2 } else { 0 };
        if !self.tagged {
            return (base, index, scale as u8);
        }
        let by = self.b.const64(u64::from(scale));
        let index = self.b.shl(index, by);
        let sum = self.b.add(base, index);
        (self.untag(sum), Val::NONE, 0)
    }

    fn load_indexed(&mut self, data: Data, rm: u32, option: u32, s: u32, rn: u32, rt: u32) -> Flow {
        let (base, index, scale) = self.offset(data.log2(), rm, option, s, rn);
        let (ty, mem) = match data {
            Data::X(k) => (k.ty(), k.mem()),
            Data::V(size) => (Type::V128, Mem::plain(size_of(size))),
        };
        let v = self.b.load(ty, mem.scaled(scale), base, index, 0);
        self.set_data(data, rt, v);
        Flow::Next
    }

    fn store_indexed(&mut self, data: Data, rm: u32, option: u32, s: u32, rn: u32, rt: u32) -> Flow {
        let (base, index, scale) = self.offset(data.log2(), rm, option, s, rn);
        let v = self.register(data, rt);
        self.b.store(Mem::plain(size_of(data.log2())).scaled(scale), base, index, 0, v);
        Flow::Next
    }
}

/// A pair of SIMD&FP registers in the general form; its size is given apart.
fn general(a: ArgsLsPairV) -> ArgsLsPair {
    ArgsLsPair { sz: 0, idx: a.idx, imm: a.imm, rt2: a.rt2, rn: a.rn, rt: a.rt }
}
