//! The x87.
//!
//! Instructions of the x87 are executed by the host's own unit (`x87-unit`), so values, status and transcendental functions are
//! the host's. The control instructions and what moves the whole state are here and in `helpers.rs`; MMX is in `vector/mmx.rs`.
//!
//! TOP is in the mode and known at translation time. Where an instruction may or may not push or pop (an unmasked exception,
//! FPTAN's range) the block ends and the mode is looked up.

mod helpers;
mod quick;

use crate::cpu::{self, MODE_TOP, MODE_TOP_SHIFT, MODE_X87_UNMASKED};
use crate::trans::{Flow, Tr};
use iced_x86::{Code, Instruction, Mnemonic, OpKind};
use ir::{Type, Val};

pub(crate) use helpers::helpers;

/// What an instruction does with its memory operand, in bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    None,
    Read(u32),
    Write(u32),
}

/// The opcode as the unit counts it: the low three bits of the first byte above the ModRM byte.
fn opcode(bytes: &[u8]) -> Option<u32> {
    let prefix =
        |b: &u8| matches!(b, 0x26 | 0x2e | 0x36 | 0x3e | 0x40..=0x4f | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3);
    let mut rest = bytes.iter().skip_while(|b| prefix(b));
    match (rest.next(), rest.next()) {
        (Some(&first @ 0xd8..=0xdf), Some(&modrm)) => Some(u32::from(first & 7) << 8 | u32::from(modrm)),
        _ => None,
    }
}

/// The memory operand of an opcode whose ModRM byte says memory.
fn access(op: u32) -> Access {
    match (op >> 8, op >> 3 & 7) {
        (0, _) | (1, 0) | (2, _) | (3, 0) => Access::Read(4),
        (4, _) | (5, 0) | (7, 5) => Access::Read(8),
        (6, _) | (7, 0) => Access::Read(2),
        (3, 5) | (7, 4) => Access::Read(10),
        (1, 2 | 3) | (3, 1..=3) => Access::Write(4),
        (5, 1..=3) | (7, 7) => Access::Write(8),
        (7, 1..=3) => Access::Write(2),
        (3, 7) | (7, 6) => Access::Write(10),
        _ => Access::None,
    }
}

impl Tr<'_> {
    /// Translates an instruction of this group; `None` if it is not one.
    pub(crate) fn x87_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        if insn.mnemonic() == Mnemonic::Wait {
            self.x87_pending();
            return Some(Flow::Next);
        }
        if let Some(op) = opcode(self.bytes) {
            return Some(self.x87_control(insn).unwrap_or_else(|| self.x87_execute(insn, op)));
        }
        self.mmx_insn(insn)
    }

    /// #MF if an unmasked exception waits.
    pub(crate) fn x87_pending(&mut self) {
        if self.mode & MODE_X87_UNMASKED != 0 {
            self.call(helpers::id(helpers::PENDING), Type::Void, &[]);
        }
    }

    /// The top of the stack.
    fn top(&self) -> u32 {
        ((self.mode & MODE_TOP) >> MODE_TOP_SHIFT) as u32
    }

    pub(crate) fn set_top(&mut self, top: u32) {
        self.mode = self.mode & !MODE_TOP | u64::from(top & 7) << MODE_TOP_SHIFT;
    }

    /// The status word as a program sees it.
    fn x87_status(&mut self) -> Val {
        let status = self.get32(cpu::FSW);
        let top = self.b.const32(self.top() << 11);
        self.b.or(status, top)
    }

    /// Instructions that do not compute, most of which do not wait.
    fn x87_control(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic::*;
        Some(match insn.mnemonic() {
            Fnstsw => {
                let v = self.x87_status();
                if insn.op0_kind() == OpKind::Memory {
                    let ea = self.ea(insn);
                    let v = self.wide(v);
                    self.store(16, ea, v);
                } else {
                    let v = self.wide(v);
                    self.set_r16(cpu::RAX, v);
                }
                Flow::Next
            }
            Fnstcw => {
                let v = self.get32(cpu::FCW);
                let v = self.wide(v);
                let ea = self.ea(insn);
                self.store(16, ea, v);
                Flow::Next
            }
            Fnclex => {
                let v = self.get32(cpu::FSW);
                let keep = self.b.const32(0x7f00);
                let v = self.b.and(v, keep);
                self.b.set(cpu::FSW, v);
                Flow::Next
            }
            Fneni | Fndisi | Fnsetpm => Flow::Next,
            Fninit => {
                self.call(helpers::id(helpers::INITIAL), Type::Void, &[]);
                self.mode_changed()
            }
            Fldcw => {
                self.x87_pending();
                let ea = self.ea(insn);
                let v = self.load(16, ea);
                let v = self.narrow32(v);
                self.call(helpers::id(helpers::SET_CONTROL), Type::Void, &[v]);
                self.mode_changed()
            }
            Fnstenv | Fldenv | Fnsave | Frstor => {
                let (small, helper) = match insn.code() {
                    Code::Fnstenv_m14byte => (true, helpers::STORE_ENV),
                    Code::Fnstenv_m28byte => (false, helpers::STORE_ENV),
                    Code::Fnsave_m94byte => (true, helpers::SAVE),
                    Code::Fnsave_m108byte => (false, helpers::SAVE),
                    Code::Fldenv_m14byte => (true, helpers::LOAD_ENV),
                    Code::Fldenv_m28byte => (false, helpers::LOAD_ENV),
                    Code::Frstor_m94byte => (true, helpers::RESTORE),
                    _ => (false, helpers::RESTORE),
                };
                if matches!(insn.mnemonic(), Fldenv | Frstor) {
                    self.x87_pending();
                }
                let ea = self.ea(insn);
                let addr = self.flat(ea);
                let small = self.b.const32(small.into());
                self.call(helpers::id(helper), Type::Void, &[addr, small]);
                self.mode_changed()
            }
            _ => return None,
        })
    }

    /// The address that the data pointer gets.
    fn x87_data_pointer(&mut self, insn: &Instruction) -> Val {
        let ea = self.offset(insn);
        self.flat(ea)
    }

    /// Everything else: out of line on the host's unit.
    fn x87_execute(&mut self, insn: &Instruction, op: u32) -> Flow {
        let memory = op & 0xff < 0xc0;
        self.x87_pending();
        let masked = self.mode & MODE_X87_UNMASKED == 0;
        let number = self.b.const32(op);
        let none = self.b.const64(0);
        let pointer = if memory && !masked { self.x87_data_pointer(insn) } else { none };
        let increment = insn.fpu_stack_increment_info();
        // FCMOVcc, F(U)COMI(P): by opcode DA C0 to DF, DB C0 to DF, DB and DF E8 to F7.
        let moves = matches!((op >> 8, op & 0xff), (2 | 3, 0xc0..=0xdf));
        let compares = matches!((op >> 8, op & 0xff), (3 | 7, 0xe8..=0xf7));
        if moves || compares {
            let flags = self.flags();
            let packed = self.b.flags_pack(flags);
            let new =
                self.call(helpers::id(helpers::EXECUTE_FLAGS), Type::I32, &[number, packed, none, pointer]);
            if compares {
                let new = self.b.flags_unpack(new);
                self.set_flags(new);
            }
        } else {
            let (first, second) = match if memory { access(op) } else { Access::None } {
                Access::None => (none, none),
                Access::Read(10) => {
                    let ea = self.ea(insn);
                    let low = self.load(64, ea);
                    let high = self.load(16, crate::operand::Ea { disp: ea.disp + 8, ..ea });
                    (low, high)
                }
                Access::Read(bytes) => {
                    let ea = self.ea(insn);
                    (self.load(8 * bytes, ea), none)
                }
                Access::Write(_) => {
                    let ea = self.ea(insn);
                    (self.flat(ea), none)
                }
            };
            let helper = match access(op) {
                Access::Write(_) if memory => helpers::EXECUTE_STORE,
                _ => helpers::EXECUTE,
            };
            self.call(helpers::id(helper), Type::Void, &[number, first, second, pointer]);
        }
        let pc = self.b.addr(self.pc);
        self.b.set(cpu::FIP, pc);
        if increment.increment() != 0 {
            if !masked || increment.conditional() {
                return self.mode_changed();
            }
            self.set_top(self.top().wrapping_add(increment.increment() as u32));
        }
        Flow::Next
    }
}
