//! The translator: the loop over a basic block and what all groups share.

use crate::cpu::{self, Cpu, Feature, Features};
use crate::decode::{Insn, decode};
use crate::expand;
use crate::trans_boxed::Quiet;
use ir::{BlockRequest, Builder, Target, Term, TrapKind, Type, Val};

/// What follows an instruction.
pub(crate) enum Flow {
    /// The next one.
    Next,
    /// The block ends here.
    End(Term),
    /// It is not allocated after all (CSR numbers, rounding modes).
    Undefined,
}

/// Translates one block.
pub(crate) struct Tr<'a> {
    /// Where the IR goes.
    pub b: &'a mut Builder,
    /// The CPU.
    pub cpu: &'a Cpu,
    /// Type of an integer register's value.
    pub xt: Type,
    /// The mode bits here: a new vtype changes them within a block.
    pub mode: u64,
    /// The region's mode bits.
    pub region_mode: u64,
    /// Address of the instruction.
    pub pc: u64,
    /// Its length.
    pub len: u64,
    /// Floating-point registers known to hold a boxed single (bit set), by this block's own writes.
    pub boxed: u32,
    /// This comparison stands between `frflags` and the `fsflags` that takes back what it raises: nothing.
    pub silent: bool,
    /// The instruction as 32 bits.
    pub word: u32,
    /// One instruction is wanted and must be executed.
    pub single: bool,
}

/// The 32-bit form of the instruction at the start of `bytes` (2 or 4 of them).
pub(crate) fn word_of(bytes: &[u8], features: &Features) -> Option<u32> {
    match *bytes {
        [a, b] => expand(u16::from_le_bytes([a, b]), features),
        [a, b, c, d] => Some(u32::from_le_bytes([a, b, c, d])),
        _ => None,
    }
}

/// Translates the basic block that `req` asks for.
pub(crate) fn block(cpu: &Cpu, req: &BlockRequest<'_>, b: &mut Builder) {
    b.begin_block(req.pc);
    let xt = if cpu.xlen == 32 { Type::I32 } else { Type::I64 };
    let single = req.max_insns == 1;
    let (mode, region_mode) = (req.mode, req.mode);
    let mut t =
        Tr { b, cpu, xt, mode, region_mode, pc: req.pc, len: 4, boxed: 0, silent: false, word: 0, single };
    let trap = |kind, pc| Term::Trap { kind, pc, info: 0 };
    let align = if cpu.features.has(Feature::Zca) { 1 } else { 3 };
    if req.pc & align != 0 {
        t.b.insn(req.pc);
        t.b.end_block(trap(TrapKind::PcAlign, req.pc), req.pc);
        return;
    }
    t.assume_boxed(req);
    let mut quiet = Quiet::default();
    let mut left = req.max_insns.max(1);
    // Beside the address, which may wrap at the end of the space.
    let mut at = 0;
    loop {
        let len = match req.code.get(at) {
            Some(b) if b & 3 == 3 => 4,
            Some(_) | None => 2,
        };
        let bytes = req.code.get(at..at + len);
        let Some(bytes) = bytes.filter(|_| left > 0) else {
            if t.pc == req.pc {
                t.b.insn(t.pc);
                t.b.end_block(trap(TrapKind::Fetch, t.pc), t.pc);
            } else {
                t.end_block(Term::Jump(Target::Pc(t.pc)), t.pc);
            }
            return;
        };
        left -= 1;
        at += len;
        t.len = len as u64;
        t.b.insn(t.pc);
        let special = if let [a, b] = *bytes { t.zcm(u16::from_le_bytes([a, b])) } else { None };
        t.word = word_of(bytes, &cpu.features).unwrap_or(0);
        let insn = decode(t.word, &cpu.features);
        let restored = left > 0 && quiet.step(&mut t, &req.code[at..]);
        let flow = match insn {
            _ if special.is_some() => special.unwrap_or(Flow::Undefined),
            _ if restored => Flow::Next,
            Some(Insn::Int(i)) => t.int(i),
            Some(Insn::Atomic(i)) => t.atomic(i),
            Some(Insn::Float(i)) => t.float(i),
            Some(Insn::Crypto(i)) => t.crypto(i),
            Some(Insn::Xthead(i)) => t.xthead(i),
            Some(Insn::Vector(i)) => t.vector_insn(i),
            None => Flow::Undefined,
        };
        let next = t.next();
        match flow {
            Flow::Next => t.pc = next,
            Flow::End(term) => return t.end_block(term, next),
            Flow::Undefined => return t.b.end_block(trap(TrapKind::Illegal, t.pc), next),
        }
    }
}

impl Tr<'_> {
    /// Ends the block. What follows it runs under the mode here, which may not be the region's any more.
    fn end_block(&mut self, term: Term, end: u64) {
        // The others name their mode or find it afresh.
        let inherits = !matches!(term, Term::Switch { .. } | Term::Resume { .. } | Term::Trap { .. });
        if inherits && self.mode != self.region_mode {
            self.b.set_mode(self.mode);
        }
        self.b.end_block(term, end);
    }

    /// Address of the next instruction.
    pub fn next(&self) -> u64 {
        self.wrap(self.pc.wrapping_add(self.len))
    }

    /// A code address: 32 bits wide where registers are.
    pub fn wrap(&self, addr: u64) -> u64 {
        if self.rv32() { addr & 0xffff_ffff } else { addr }
    }

    /// Whether registers have 32 bits. Slots always have 64: then the upper half is zero.
    pub fn rv32(&self) -> bool {
        self.xt == Type::I32
    }

    /// Whether the CPU has this.
    pub fn has(&self, f: Feature) -> bool {
        self.cpu.features.has(f)
    }

    /// A constant of a register's width.
    pub fn c(&mut self, v: i64) -> Val {
        self.b.iconst(self.xt, v as u64)
    }

    /// Integer register; x0 is zero.
    pub fn x(&mut self, n: u32) -> Val {
        let v = self.x64(n);
        if self.rv32() { self.b.trunc(v) } else { v }
    }

    /// The slot of an integer register: 64 bits, with the upper half zero where registers have 32.
    pub fn x64(&mut self, n: u32) -> Val {
        if n == 0 { self.b.const64(0) } else { self.b.get(cpu::x(n), Type::I64) }
    }

    /// Low 32 bits of an integer register.
    pub fn w(&mut self, n: u32) -> Val {
        let v = self.x64(n);
        self.b.trunc(v)
    }

    /// A 64-bit value of which a register holds the low part.
    pub fn low(&mut self, v: Val) -> Val {
        if self.rv32() { self.b.trunc(v) } else { v }
    }

    /// An I32 extended to 64 bits as a register holds it.
    pub fn widen(&mut self, v: Val) -> Val {
        match (self.b.ty(v), self.rv32()) {
            (Type::I32, true) => self.b.zext32(v),
            (Type::I32, false) => self.b.sext32(v),
            _ => v,
        }
    }

    /// Writes an integer register; an I32 is sign-extended on a 64-bit CPU.
    pub fn set(&mut self, n: u32, v: Val) {
        if n != 0 {
            let v = self.widen(v);
            self.b.set(cpu::x(n), v);
        }
    }

    /// Writes the return address.
    pub fn set_link(&mut self, n: u32) {
        if n != 0 {
            let v = self.b.addr(self.next());
            self.b.set(cpu::x(n), v);
        }
    }

    /// `x[rs1] + imm` as base and displacement for an access, which wraps at the CPU's width of addresses.
    pub fn address(&mut self, rs1: u32, imm: i64) -> (Val, i64) {
        (self.x64(rs1), imm)
    }
}
