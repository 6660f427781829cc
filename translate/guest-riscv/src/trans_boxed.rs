//! Two things about a whole block of floating-point code: which registers it may take as boxed, and comparisons whose flags are
//! taken back.
//!
//! A block that reads singles from registers it has not written itself checks them all at its start, in one test, and goes to
//! the same address in the mode [`UNBOXED`] if one is not boxed. There each read has its own check. Both modes are right for
//! every state; the registers that programs take singles from are boxed ones, so the second is hardly ever entered.
//!
//! Compilers write a quiet comparison as `frflags; flt; fsflags`.

use crate::cpu::{self, Feature};
use crate::trans::Tr;
use ir::{BlockRequest, Cc, Op, Shape, Size, Target, Term, Type};

/// Mode bit: registers may hold what is not a boxed single.
pub(crate) const UNBOXED: u64 = 1 << 11;

const LOAD: u32 = 0x07;
const OP: u32 = 0x53;

/// The registers that the code at the start of a block reads as singles before it writes them.
fn singles_read(code: &[u8], max_insns: usize, rv32: bool) -> u32 {
    let (mut read, mut written) = (0u32, 0u32);
    let mut at = 0;
    for _ in 0..max_insns {
        let Some(&[a, b]) = code.get(at..at + 2) else { break };
        let half = u16::from_le_bytes([a, b]);
        if half & 3 != 3 {
            at += 2;
            match (half >> 13, half & 3) {
                // c.j, c.beqz, c.bnez; c.jr and c.jalr. A c.jal of RV32 is c.addiw otherwise.
                (5..=7, 1) => break,
                (1, 1) if rv32 => break,
                (4, 2) if half & 0x7c == 0 => break,
                // c.fld and c.flw, also relative to the stack.
                (1, 0) => written |= 1 << (8 + (half >> 2 & 7)),
                (3, 0) if rv32 => written |= 1 << (8 + (half >> 2 & 7)),
                (1, 2) => written |= 1 << (half >> 7 & 31),
                (3, 2) if rv32 => written |= 1 << (half >> 7 & 31),
                _ => {}
            }
            continue;
        }
        let Some(&[_, _, c, d]) = code.get(at..at + 4) else { break };
        at += 4;
        let word = u32::from_le_bytes([a, b, c, d]);
        let field = |lsb: u32| word >> lsb & 31;
        let single = word >> 25 & 3 == 0;
        let mut reads = |fields: &[u32]| {
            for &lsb in fields {
                read |= !written & 1 << field(lsb);
            }
        };
        match word & 0x7f {
            // Branches and jumps.
            0x63 | 0x67 | 0x6f => break,
            LOAD if matches!(word >> 12 & 7, 1..=3) => written |= 1 << field(7),
            0x43 | 0x47 | 0x4b | 0x4f => {
                if single {
                    reads(&[15, 20, 27]);
                }
                written |= 1 << field(7);
            }
            OP => {
                let to_integer = match word >> 27 {
                    // Arithmetic, sign injection, minimum and maximum.
                    0..=5 => {
                        if single {
                            reads(&[15, 20]);
                        }
                        false
                    }
                    0x14 => {
                        if single {
                            reads(&[15, 20]);
                        }
                        true
                    }
                    // Square root and conversions to integers.
                    0x0b | 0x18 => {
                        if single {
                            reads(&[15]);
                        }
                        word >> 27 == 0x18
                    }
                    // Conversions from singles.
                    8 => {
                        if field(20) == 0 {
                            reads(&[15]);
                        }
                        false
                    }
                    0x1c => true,
                    _ => false,
                };
                if !to_integer {
                    written |= 1 << field(7);
                }
            }
            _ => {}
        }
    }
    read
}

impl Tr<'_> {
    /// Checks at the start of a block that what it reads as singles is boxed, and leaves it otherwise.
    pub(crate) fn assume_boxed(&mut self, req: &BlockRequest<'_>) {
        // With one instruction to be executed there is no other mode to go to first.
        if self.mode & UNBOXED != 0 || self.single || !self.has(Feature::F) {
            return;
        }
        let registers = singles_read(req.code, req.max_insns, self.rv32());
        if registers == 0 {
            return;
        }
        self.b.insn(self.pc);
        let shape = Shape::new(Size::D, 2);
        let all = (0..32).filter(|n| registers >> n & 1 != 0).fold(None, |all, n| {
            let v = self.b.get(cpu::f(n), Type::V128);
            Some(all.map_or(v, |all| self.b.vop(Op::VAnd, shape, &[all, v], 0)))
        });
        let Some(all) = all else { return };
        // Sign-extended from above the value, a box is all ones.
        let raw = self.b.vget(Type::I64, shape, false, all, 0);
        let boxes = self.b.sbfx(raw, 32, 32);
        let one = self.b.const64(1);
        let t = self.b.add(boxes, one);
        let flags = self.b.flags_of(t);
        let (other, body) = (self.b.upcoming_block(1), self.b.upcoming_block(2));
        let term = Term::Branch { flags, cc: Cc::Ne, then: Target::Block(other), els: Target::Block(body) };
        self.b.end_block(term, self.pc);
        self.b.begin_internal(self.pc);
        self.b.end_block(Term::Switch { pc: self.pc, mode: self.mode | UNBOXED }, self.pc);
        self.b.begin_internal(self.pc);
        self.b.insn(self.pc);
        self.boxed = registers;
    }
}

/// Finds `frflags rd; flt or fle; fsflags rd`.
#[derive(Default)]
pub(crate) struct Quiet {
    /// The register that holds the flags, and how many instructions ago it was read; zero if none.
    register: u32,
    age: u32,
}

impl Quiet {
    /// Looks at the instruction that comes now and at the code after it. Whether it is the `fsflags` that changes nothing;
    /// `silent` says whether it is the comparison before that.
    pub(crate) fn step(&mut self, t: &mut Tr<'_>, rest: &[u8]) -> bool {
        const RD: u32 = 0xf80;
        t.silent = false;
        let word = t.word;
        self.age += 1;
        if word & !RD == 0x0010_2073 {
            (self.register, self.age) = (word >> 7 & 31, 0);
            return false;
        }
        let restore = self.register << 15 | 0x0010_1073;
        if self.register == 0 || self.age > 2 || t.in_x() {
            return false;
        }
        // flt and fle of singles and doubles.
        let compares = word & 0xfc00_607f == 0xa000_0053 && word >> 7 & 31 != self.register;
        match self.age {
            1 => t.silent = compares && rest.get(..4) == Some(&restore.to_le_bytes()),
            2 if word == restore => return self.silenced(),
            _ => {}
        }
        if !t.silent {
            self.register = 0;
        }
        false
    }

    fn silenced(&mut self) -> bool {
        std::mem::take(&mut self.register) != 0
    }
}
