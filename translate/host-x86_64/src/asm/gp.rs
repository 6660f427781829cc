//! General-register instructions. Input: typed operands; output: bytes. Families that share a shape are rows of a
//! table (an enum whose variant is the mnemonic); the rest are methods of their own.

use super::{Asm, Gp, Label, Map, Mem, Pp, Rm, Sz, rows};

/// A condition code in its hardware numbering.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Cc {
    /// overflow
    O,
    /// no overflow
    No,
    /// below, carry
    B,
    /// above or equal, no carry
    Ae,
    /// equal, zero
    E,
    /// not equal
    Ne,
    /// below or equal
    Be,
    /// above
    A,
    /// negative
    S,
    /// not negative
    Ns,
    /// parity even (unordered)
    P,
    /// parity odd
    Np,
    /// signed less
    L,
    /// signed greater or equal
    Ge,
    /// signed less or equal
    Le,
    /// signed greater
    G,
}

impl Cc {
    /// All sixteen, by number.
    pub const ALL: [Cc; 16] = [
        Cc::O,
        Cc::No,
        Cc::B,
        Cc::Ae,
        Cc::E,
        Cc::Ne,
        Cc::Be,
        Cc::A,
        Cc::S,
        Cc::Ns,
        Cc::P,
        Cc::Np,
        Cc::L,
        Cc::Ge,
        Cc::Le,
        Cc::G,
    ];
    /// The opposite condition.
    pub fn invert(self) -> Cc {
        Cc::ALL[self as usize ^ 1]
    }
}

/// The eight classic two-operand operations, by their /digit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Alu {
    /// add
    Add,
    /// or
    Or,
    /// adc
    Adc,
    /// sbb
    Sbb,
    /// and
    And,
    /// sub
    Sub,
    /// xor
    Xor,
    /// cmp
    Cmp,
}

impl Alu {
    /// All eight, by number.
    pub const ALL: [Alu; 8] = [Alu::Add, Alu::Or, Alu::Adc, Alu::Sbb, Alu::And, Alu::Sub, Alu::Xor, Alu::Cmp];
}

/// Shifts and rotates, by their /digit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Sh {
    /// rol
    Rol,
    /// ror
    Ror,
    /// rcl
    Rcl,
    /// rcr
    Rcr,
    /// shl
    Shl,
    /// shr
    Shr,
    /// sar
    Sar = 7,
}

/// A row of a ModRM family: name, prefix, map, opcode, and (where used) the /digit.
#[derive(Clone, Copy, Debug)]
pub struct GpRow {
    /// Mnemonic.
    pub name: &'static str,
    /// Mandatory prefix.
    pub pp: Pp,
    /// Opcode map.
    pub map: Map,
    /// Opcode (of the non-byte size).
    pub op: u8,
    /// Opcode for byte operands, or 0 when there is none.
    pub op8: u8,
    /// /digit
    pub digit: u8,
    /// Size of the r/m operand when it differs from the register's.
    pub src: Option<Sz>,
}

const fn g(name: &'static str, pp: Pp, map: Map, op: u8) -> GpRow {
    GpRow { name, pp, map, op, op8: 0, digit: 0, src: None }
}
impl GpRow {
    const fn b(self, op8: u8) -> GpRow {
        GpRow { op8, ..self }
    }
    const fn d(self, digit: u8) -> GpRow {
        GpRow { digit, ..self }
    }
    const fn s(self, s: Sz) -> GpRow {
        GpRow { src: Some(s), ..self }
    }
}

rows! {
    /// `op reg, r/m`
    RegRm: GpRow, REG_RM {
        Imul = g("imul", Pp::N, Map::M0f, 0xaf);
        Movzx8 = g("movzx", Pp::N, Map::M0f, 0xb6).s(Sz::B);
        Movzx16 = g("movzx", Pp::N, Map::M0f, 0xb7).s(Sz::W);
        Movsx8 = g("movsx", Pp::N, Map::M0f, 0xbe).s(Sz::B);
        Movsx16 = g("movsx", Pp::N, Map::M0f, 0xbf).s(Sz::W);
        Movsxd = g("movsxd", Pp::N, Map::One, 0x63).s(Sz::D);
        Mov = g("mov", Pp::N, Map::One, 0x8b).b(0x8a);
        Bsf = g("bsf", Pp::N, Map::M0f, 0xbc);
        Bsr = g("bsr", Pp::N, Map::M0f, 0xbd);
        Tzcnt = g("tzcnt", Pp::F3, Map::M0f, 0xbc);
        Lzcnt = g("lzcnt", Pp::F3, Map::M0f, 0xbd);
        Popcnt = g("popcnt", Pp::F3, Map::M0f, 0xb8);
        Movbe = g("movbe", Pp::N, Map::M38, 0xf0);
        Crc32B = g("crc32", Pp::F2, Map::M38, 0xf0).s(Sz::B);
        Crc32 = g("crc32", Pp::F2, Map::M38, 0xf1);
    }
}

rows! {
    /// `op r/m, reg`
    Mr: GpRow, MR {
        Mov = g("mov", Pp::N, Map::One, 0x89).b(0x88);
        Test = g("test", Pp::N, Map::One, 0x85).b(0x84);
        Xchg = g("xchg", Pp::N, Map::One, 0x87).b(0x86);
        Xadd = g("xadd", Pp::N, Map::M0f, 0xc1).b(0xc0);
        Cmpxchg = g("cmpxchg", Pp::N, Map::M0f, 0xb1).b(0xb0);
        Bt = g("bt", Pp::N, Map::M0f, 0xa3);
        Bts = g("bts", Pp::N, Map::M0f, 0xab);
        Btr = g("btr", Pp::N, Map::M0f, 0xb3);
        Btc = g("btc", Pp::N, Map::M0f, 0xbb);
        Movbe = g("movbe", Pp::N, Map::M38, 0xf1);
    }
}

rows! {
    /// `op r/m`
    Mop: GpRow, MOP {
        Not = g("not", Pp::N, Map::One, 0xf7).b(0xf6).d(2);
        Neg = g("neg", Pp::N, Map::One, 0xf7).b(0xf6).d(3);
        Mul = g("mul", Pp::N, Map::One, 0xf7).b(0xf6).d(4);
        Imul = g("imul", Pp::N, Map::One, 0xf7).b(0xf6).d(5);
        Div = g("div", Pp::N, Map::One, 0xf7).b(0xf6).d(6);
        Idiv = g("idiv", Pp::N, Map::One, 0xf7).b(0xf6).d(7);
        Inc = g("inc", Pp::N, Map::One, 0xff).b(0xfe).d(0);
        Dec = g("dec", Pp::N, Map::One, 0xff).b(0xfe).d(1);
    }
}

rows! {
    /// `op reg, vvvv, r/m` (BMI)
    VexRvm: GpRow, VEX_RVM {
        Andn = g("andn", Pp::N, Map::M38, 0xf2);
        Mulx = g("mulx", Pp::F2, Map::M38, 0xf6);
        Pdep = g("pdep", Pp::F2, Map::M38, 0xf5);
        Pext = g("pext", Pp::F3, Map::M38, 0xf5);
    }
}

rows! {
    /// `op reg, r/m, vvvv` (BMI)
    VexRmv: GpRow, VEX_RMV {
        Shlx = g("shlx", Pp::P66, Map::M38, 0xf7);
        Shrx = g("shrx", Pp::F2, Map::M38, 0xf7);
        Sarx = g("sarx", Pp::F3, Map::M38, 0xf7);
        Bextr = g("bextr", Pp::N, Map::M38, 0xf7);
        Bzhi = g("bzhi", Pp::N, Map::M38, 0xf5);
    }
}

rows! {
    /// `op vvvv, r/m` (BMI)
    VexVm: GpRow, VEX_VM {
        Blsr = g("blsr", Pp::N, Map::M38, 0xf3).d(1);
        Blsmsk = g("blsmsk", Pp::N, Map::M38, 0xf3).d(2);
        Blsi = g("blsi", Pp::N, Map::M38, 0xf3).d(3);
    }
}

rows! {
    /// `op reg, r/m, imm8` with VEX (BMI2)
    VexRm: GpRow, VEX_RM {
        Rorx = g("rorx", Pp::F2, Map::M3a, 0xf0);
    }
}

impl Asm {
    fn imm(&mut self, sz: Sz, v: i32) {
        match sz {
            Sz::B => self.u8(v as u8),
            Sz::W => self.u16(v as u16),
            Sz::D | Sz::Q => self.u32(v as u32),
        }
    }
    /// One-byte-map instruction with the byte/word opcode pair `op`, `op | 1`.
    fn pair(&mut self, sz: Sz, op: u8, reg: u8, rm: &Rm, imm: u32, regs_are: (bool, bool)) {
        let b = sz == Sz::B;
        self.legacy(
            sz == Sz::W,
            Pp::N,
            sz == Sz::Q,
            Map::One,
            op | !b as u8,
            reg,
            rm,
            (b && regs_are.0, b && regs_are.1),
            imm,
        );
    }

    /// `op dst, src`
    pub fn alu(&mut self, op: Alu, sz: Sz, dst: Gp, src: impl Into<Rm>) {
        match src.into() {
            Rm::R(s) => self.pair(sz, (op as u8) << 3, s.0, &dst.into(), 0, (true, true)),
            m => self.pair(sz, (op as u8) << 3 | 2, dst.0, &m, 0, (true, true)),
        }
    }
    /// `op mem, src`
    pub fn alu_mr(&mut self, op: Alu, sz: Sz, dst: Mem, src: Gp) {
        self.pair(sz, (op as u8) << 3, src.0, &Rm::M(dst), 0, (true, true));
    }
    /// `lock op mem, src`
    pub fn lock_alu_mr(&mut self, op: Alu, sz: Sz, dst: Mem, src: Gp) {
        self.u8(0xf0);
        self.alu_mr(op, sz, dst, src);
    }
    /// `op r/m, imm` (imm8 where it fits)
    pub fn alu_i(&mut self, op: Alu, sz: Sz, dst: impl Into<Rm>, imm: i32) {
        let dst = dst.into();
        if sz == Sz::B {
            self.pair(sz, 0x80, op as u8, &dst, 1, (false, true));
            self.u8(imm as u8);
        } else if i8::try_from(imm).is_ok() || sz == Sz::W && i8::try_from(imm as i16).is_ok() {
            self.legacy(sz == Sz::W, Pp::N, sz == Sz::Q, Map::One, 0x83, op as u8, &dst, (false, false), 1);
            self.u8(imm as u8);
        } else {
            let n = sz.bytes().min(4);
            self.pair(sz, 0x81, op as u8, &dst, n, (false, false));
            self.imm(sz, imm);
        }
    }
    /// `lock op mem, imm`
    pub fn lock_alu_i(&mut self, op: Alu, sz: Sz, dst: Mem, imm: i32) {
        self.u8(0xf0);
        self.alu_i(op, sz, dst, imm);
    }
    /// `test r/m, imm`
    pub fn test_i(&mut self, sz: Sz, dst: impl Into<Rm>, imm: i32) {
        let n = sz.bytes().min(4);
        self.pair(sz, 0xf6, 0, &dst.into(), n, (false, true));
        self.imm(sz, imm);
    }
    /// `op reg, r/m` of a table row.
    pub fn reg_rm(&mut self, op: RegRm, sz: Sz, dst: Gp, src: impl Into<Rm>) {
        let r = op.row();
        let code = if sz == Sz::B { r.op8 } else { r.op };
        debug_assert!(code != 0 || sz != Sz::B, "{} has no byte form", r.name);
        let b = sz == Sz::B;
        let sb = r.src.unwrap_or(sz) == Sz::B;
        self.legacy(sz == Sz::W, r.pp, sz == Sz::Q, r.map, code, dst.0, &src.into(), (b, sb), 0);
    }
    /// `op r/m, reg` of a table row.
    pub fn mr(&mut self, op: Mr, sz: Sz, dst: impl Into<Rm>, src: Gp) {
        let r = op.row();
        let b = sz == Sz::B;
        let code = if b { r.op8 } else { r.op };
        self.legacy(sz == Sz::W, r.pp, sz == Sz::Q, r.map, code, src.0, &dst.into(), (b, b), 0);
    }
    /// `lock op mem, reg` of a table row.
    pub fn lock_mr(&mut self, op: Mr, sz: Sz, dst: Mem, src: Gp) {
        self.u8(0xf0);
        self.mr(op, sz, dst, src);
    }
    /// `op r/m` of a table row.
    pub fn mop(&mut self, op: Mop, sz: Sz, rm: impl Into<Rm>) {
        let r = op.row();
        let b = sz == Sz::B;
        let code = if b { r.op8 } else { r.op };
        self.legacy(sz == Sz::W, r.pp, sz == Sz::Q, r.map, code, r.digit, &rm.into(), (false, b), 0);
    }
    /// `mov dst, src`
    pub fn mov(&mut self, sz: Sz, dst: Gp, src: impl Into<Rm>) {
        match src.into() {
            Rm::R(s) => self.mr(Mr::Mov, sz, dst, s),
            m => self.reg_rm(RegRm::Mov, sz, dst, m),
        }
    }
    /// `mov mem, src`
    pub fn store(&mut self, sz: Sz, dst: Mem, src: Gp) {
        self.mr(Mr::Mov, sz, dst, src);
    }
    /// `mov mem, imm` (sign-extended to 64 bits)
    pub fn store_i(&mut self, sz: Sz, dst: Mem, imm: i32) {
        let n = sz.bytes().min(4);
        self.pair(sz, 0xc6, 0, &Rm::M(dst), n, (false, false));
        self.imm(sz, imm);
    }
    /// Sets all 64 bits of `dst` to `v` by the shortest move; flags are kept.
    pub fn mov_i(&mut self, dst: Gp, v: u64) {
        if v <= u32::MAX as u64 {
            if dst.0 >= 8 {
                self.u8(0x41);
            }
            self.u8(0xb8 | dst.0 & 7);
            self.u32(v as u32);
        } else if i32::try_from(v as i64).is_ok() {
            self.legacy(false, Pp::N, true, Map::One, 0xc7, 0, &dst.into(), (false, false), 4);
            self.u32(v as u32);
        } else {
            self.mov_i64(dst, v);
        }
    }
    /// `movabs dst, imm64`: always ten bytes, for values that are patched or relocated.
    pub fn mov_i64(&mut self, dst: Gp, v: u64) {
        self.u8(0x48 | dst.0 >> 3);
        self.u8(0xb8 | dst.0 & 7);
        self.u64(v);
    }
    /// `xor dst, dst`
    pub fn zero(&mut self, dst: Gp) {
        self.alu(Alu::Xor, Sz::D, dst, dst);
    }
    /// `lea dst, mem`
    pub fn lea(&mut self, sz: Sz, dst: Gp, m: Mem) {
        self.legacy(sz == Sz::W, Pp::N, sz == Sz::Q, Map::One, 0x8d, dst.0, &Rm::M(m), (false, false), 0);
    }
    /// `prefetcht0 mem`
    pub fn prefetch(&mut self, m: Mem) {
        self.legacy(false, Pp::N, false, Map::M0f, 0x18, 1, &Rm::M(m), (false, false), 0);
    }
    /// `op r/m, imm8`
    pub fn shift_i(&mut self, op: Sh, sz: Sz, rm: impl Into<Rm>, n: u8) {
        let rm = rm.into();
        if n == 1 {
            self.pair(sz, 0xd0, op as u8, &rm, 0, (false, true));
        } else {
            self.pair(sz, 0xc0, op as u8, &rm, 1, (false, true));
            self.u8(n);
        }
    }
    /// `op r/m, cl`
    pub fn shift_cl(&mut self, op: Sh, sz: Sz, rm: impl Into<Rm>) {
        self.pair(sz, 0xd2, op as u8, &rm.into(), 0, (false, true));
    }
    /// `shld`/`shrd r/m, reg, imm8`
    pub fn shxd_i(&mut self, right: bool, sz: Sz, rm: impl Into<Rm>, src: Gp, n: u8) {
        let op = if right { 0xac } else { 0xa4 };
        self.legacy(sz == Sz::W, Pp::N, sz == Sz::Q, Map::M0f, op, src.0, &rm.into(), (false, false), 1);
        self.u8(n);
    }
    /// `shld`/`shrd r/m, reg, cl`
    pub fn shxd_cl(&mut self, right: bool, sz: Sz, rm: impl Into<Rm>, src: Gp) {
        let op = if right { 0xad } else { 0xa5 };
        self.legacy(sz == Sz::W, Pp::N, sz == Sz::Q, Map::M0f, op, src.0, &rm.into(), (false, false), 0);
    }
    /// `imul dst, r/m, imm`
    pub fn imul_i(&mut self, sz: Sz, dst: Gp, src: impl Into<Rm>, imm: i32) {
        let short = i8::try_from(imm).is_ok();
        let (op, n) = if short { (0x6b, 1) } else { (0x69, sz.bytes().min(4)) };
        self.legacy(sz == Sz::W, Pp::N, sz == Sz::Q, Map::One, op, dst.0, &src.into(), (false, false), n);
        self.imm(if short { Sz::B } else { sz }, imm);
    }
    /// `bt`/`bts`/`btr`/`btc r/m, imm8` (`op` is the matching [`Mr`] row)
    pub fn bt_i(&mut self, op: Mr, sz: Sz, rm: impl Into<Rm>, n: u8) {
        let digit = match op {
            Mr::Bts => 5,
            Mr::Btr => 6,
            Mr::Btc => 7,
            Mr::Bt | Mr::Mov | Mr::Test | Mr::Xchg | Mr::Xadd | Mr::Cmpxchg | Mr::Movbe => 4,
        };
        self.legacy(sz == Sz::W, Pp::N, sz == Sz::Q, Map::M0f, 0xba, digit, &rm.into(), (false, false), 1);
        self.u8(n);
    }
    /// `setcc r/m8`
    pub fn setcc(&mut self, cc: Cc, rm: impl Into<Rm>) {
        self.legacy(false, Pp::N, false, Map::M0f, 0x90 | cc as u8, 0, &rm.into(), (false, true), 0);
    }
    /// `cmovcc dst, r/m`
    pub fn cmov(&mut self, cc: Cc, sz: Sz, dst: Gp, src: impl Into<Rm>) {
        let op = 0x40 | cc as u8;
        self.legacy(sz == Sz::W, Pp::N, sz == Sz::Q, Map::M0f, op, dst.0, &src.into(), (false, false), 0);
    }
    /// `op reg, vvvv, r/m`
    pub fn vex_rvm(&mut self, op: VexRvm, sz: Sz, dst: Gp, a: Gp, b: impl Into<Rm>) {
        let r = op.row();
        self.vex_gp(r.pp, r.map, sz == Sz::Q, r.op, dst.0, a.0, &b.into(), 0);
    }
    /// `op reg, r/m, vvvv`
    pub fn vex_rmv(&mut self, op: VexRmv, sz: Sz, dst: Gp, a: impl Into<Rm>, b: Gp) {
        let r = op.row();
        self.vex_gp(r.pp, r.map, sz == Sz::Q, r.op, dst.0, b.0, &a.into(), 0);
    }
    /// `op vvvv, r/m`
    pub fn vex_vm(&mut self, op: VexVm, sz: Sz, dst: Gp, a: impl Into<Rm>) {
        let r = op.row();
        self.vex_gp(r.pp, r.map, sz == Sz::Q, r.op, r.digit, dst.0, &a.into(), 0);
    }
    /// `rorx dst, r/m, imm8`
    pub fn rorx(&mut self, sz: Sz, dst: Gp, a: impl Into<Rm>, n: u8) {
        let r = VexRm::Rorx.row();
        self.vex_gp(r.pp, r.map, sz == Sz::Q, r.op, dst.0, 0, &a.into(), 1);
        self.u8(n);
    }
    /// `bswap reg` (32 or 64 bits)
    pub fn bswap(&mut self, sz: Sz, r: Gp) {
        let rex = ((sz == Sz::Q) as u8) << 3 | r.0 >> 3;
        if rex != 0 {
            self.u8(0x40 | rex);
        }
        self.u8(0x0f);
        self.u8(0xc8 | r.0 & 7);
    }
    /// `cwd`/`cdq`/`cqo`
    pub fn cdq(&mut self, sz: Sz) {
        match sz {
            Sz::B | Sz::D => {}
            Sz::W => self.u8(0x66),
            Sz::Q => self.u8(0x48),
        }
        self.u8(0x99);
    }
    /// `lock cmpxchg8b`/`cmpxchg16b mem`
    pub fn lock_cmpxchg_pair(&mut self, wide: bool, m: Mem) {
        self.u8(0xf0);
        self.legacy(false, Pp::N, wide, Map::M0f, 0xc7, 1, &Rm::M(m), (false, false), 0);
    }
    /// `push r`
    pub fn push(&mut self, r: Gp) {
        if r.0 >= 8 {
            self.u8(0x41);
        }
        self.u8(0x50 | r.0 & 7);
    }
    /// `pop r`
    pub fn pop(&mut self, r: Gp) {
        if r.0 >= 8 {
            self.u8(0x41);
        }
        self.u8(0x58 | r.0 & 7);
    }
    /// `push mem`
    pub fn push_m(&mut self, m: Mem) {
        self.legacy(false, Pp::N, false, Map::One, 0xff, 6, &Rm::M(m), (false, false), 0);
    }
    /// `pop mem`
    pub fn pop_m(&mut self, m: Mem) {
        self.legacy(false, Pp::N, false, Map::One, 0x8f, 0, &Rm::M(m), (false, false), 0);
    }
    /// `jcc label`
    pub fn jcc(&mut self, cc: Cc, l: Label) {
        self.u8(0x0f);
        self.u8(0x80 | cc as u8);
        self.fix(l, -4);
    }
    /// `jcc short label`
    pub fn jcc8(&mut self, cc: Cc, l: Label) {
        self.u8(0x70 | cc as u8);
        self.fix8(l);
    }
    /// `jmp label`
    pub fn jmp(&mut self, l: Label) {
        self.u8(0xe9);
        self.fix(l, -4);
    }
    /// `jmp short label`
    pub fn jmp8(&mut self, l: Label) {
        self.u8(0xeb);
        self.fix8(l);
    }
    /// `call label`
    pub fn call(&mut self, l: Label) {
        self.u8(0xe8);
        self.fix(l, -4);
    }
    /// A bare 32-bit displacement to a label, as the last field of an instruction.
    pub fn rel32(&mut self, l: Label) {
        self.fix(l, -4);
    }
    /// `jmp rel32` with a raw displacement; returns the offset of the field.
    pub fn jmp_raw(&mut self, rel: i32) -> u32 {
        self.u8(0xe9);
        self.u32(rel as u32);
        self.pos() - 4
    }
    /// `jcc rel32` with a raw displacement; returns the offset of the field.
    pub fn jcc_raw(&mut self, cc: Cc, rel: i32) -> u32 {
        self.u8(0x0f);
        self.u8(0x80 | cc as u8);
        self.u32(rel as u32);
        self.pos() - 4
    }
    /// `call rel32` with a raw displacement; returns the offset of the field.
    pub fn call_raw(&mut self, rel: i32) -> u32 {
        self.u8(0xe8);
        self.u32(rel as u32);
        self.pos() - 4
    }
    /// `jmp r/m`
    pub fn jmp_rm(&mut self, rm: impl Into<Rm>) {
        self.legacy(false, Pp::N, false, Map::One, 0xff, 4, &rm.into(), (false, false), 0);
    }
    /// `call r/m`
    pub fn call_rm(&mut self, rm: impl Into<Rm>) {
        self.legacy(false, Pp::N, false, Map::One, 0xff, 2, &rm.into(), (false, false), 0);
    }
    /// `ret`
    pub fn ret(&mut self) {
        self.u8(0xc3);
    }
    /// `lahf`
    pub fn lahf(&mut self) {
        self.u8(0x9f);
    }
    /// `sahf`
    pub fn sahf(&mut self) {
        self.u8(0x9e);
    }
    /// `cmc`
    pub fn cmc(&mut self) {
        self.u8(0xf5);
    }
    /// `stc`
    pub fn stc(&mut self) {
        self.u8(0xf9);
    }
    /// `clc`
    pub fn clc(&mut self) {
        self.u8(0xf8);
    }
    /// `pushfq`
    pub fn pushf(&mut self) {
        self.u8(0x9c);
    }
    /// `popfq`
    pub fn popf(&mut self) {
        self.u8(0x9d);
    }
    /// `ud2`
    pub fn ud2(&mut self) {
        self.u16(0x0b0f);
    }
    /// `int3`
    pub fn int3(&mut self) {
        self.u8(0xcc);
    }
    /// `pause`
    pub fn pause(&mut self) {
        self.u16(0x90f3);
    }
    /// `rdtsc`
    pub fn rdtsc(&mut self) {
        self.u16(0x310f);
    }
    /// `mfence`
    pub fn mfence(&mut self) {
        self.u16(0xae0f);
        self.u8(0xf0);
    }
    /// `ldmxcsr mem`
    pub fn ldmxcsr(&mut self, m: Mem) {
        self.legacy(false, Pp::N, false, Map::M0f, 0xae, 2, &Rm::M(m), (false, false), 0);
    }
    /// `stmxcsr mem`
    pub fn stmxcsr(&mut self, m: Mem) {
        self.legacy(false, Pp::N, false, Map::M0f, 0xae, 3, &Rm::M(m), (false, false), 0);
    }
    /// `rdrand reg`
    pub fn rdrand(&mut self, sz: Sz, r: Gp) {
        self.legacy(sz == Sz::W, Pp::N, sz == Sz::Q, Map::M0f, 0xc7, 6, &r.into(), (false, false), 0);
    }
    /// `n` bytes of no-operation, in as few instructions as possible.
    pub fn nops(&mut self, mut n: usize) {
        const NOP: [&[u8]; 9] = [
            &[0x90],
            &[0x66, 0x90],
            &[0x0f, 0x1f, 0x00],
            &[0x0f, 0x1f, 0x40, 0],
            &[0x0f, 0x1f, 0x44, 0, 0],
            &[0x66, 0x0f, 0x1f, 0x44, 0, 0],
            &[0x0f, 0x1f, 0x80, 0, 0, 0, 0],
            &[0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
            &[0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
        ];
        while n > 0 {
            let k = n.min(9);
            self.buf.extend_from_slice(NOP[k - 1]);
            n -= k;
        }
    }
}
