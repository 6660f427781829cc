//! System instructions, flags as a register, segments, CPUID, time, and hints.

use crate::cpu::{self, DF, EFLAGS_REST, MODE_AC, MODE_DF, MODE_TF, RAX, RCX, RDX, eflags, trap};
use crate::features::Feature;
use crate::helpers::{SYSTEM, id, plain};
use crate::trans::{Flow, Tr, flag};
use iced_x86::{Instruction, Mnemonic};
use ir::{Cc, HelperDesc, Machine, Stop, Target, Term, TrapKind, Type, Val};

/// The 128-bit division.
pub(crate) const DIVIDE: u16 = 0;
/// CPUID.
const CPUID: u16 = 1;
/// The time-stamp counter.
const TSC: u16 = 2;

impl Tr<'_> {
    /// Translates an instruction of this group; `None` if it is not one.
    pub(crate) fn system_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic as M;
        Some(match insn.mnemonic() {
            M::Syscall => self.syscall(),
            M::Sysenter => self.service(trap::SYSENTER, false),
            M::Endbr32 | M::Endbr64 | M::Pause | M::Cldemote => Flow::Next,
            M::Prefetchnta
            | M::Prefetcht0
            | M::Prefetcht1
            | M::Prefetcht2
            | M::Prefetchw
            | M::Prefetch
            | M::Prefetchwt1
            | M::Prefetchit0
            | M::Prefetchit1
            | M::Reservednop
            | M::Clflush
            | M::Clflushopt
            | M::Clwb => Flow::Next,
            M::Mfence => {
                self.b.fence(0);
                Flow::Next
            }
            M::Lfence => {
                self.b.fence(1);
                Flow::Next
            }
            M::Sfence => {
                self.b.fence(2);
                Flow::Next
            }
            M::Cld => self.direction(false),
            M::Std => self.direction(true),
            M::Cpuid => {
                let (leaf, sub) = (self.r32(RAX), self.r32(RCX));
                for (n, reg) in [RAX, cpu::RBX, RCX, RDX].into_iter().enumerate() {
                    let which = self.b.const32(n as u32);
                    let (leaf, sub) = (self.wide(leaf), self.wide(sub));
                    let v = self.call(id(SYSTEM, CPUID), Type::I32, &[leaf, sub, which]);
                    self.set_r(reg, v);
                }
                Flow::Next
            }
            M::Rdtsc => {
                let v = self.call(id(SYSTEM, TSC), Type::I64, &[]);
                let n = self.b.const64(32);
                let (low, high) = (self.b.trunc(v), self.b.shr(v, n));
                self.set_r(RAX, low);
                self.set_r(RDX, high);
                Flow::Next
            }
            M::Stc | M::Clc => {
                let bit = self.b.const32(u32::from(insn.mnemonic() == M::Stc));
                self.set_carry(bit);
                Flow::Next
            }
            M::Cmc => {
                let f = self.flags();
                let bit = self.b.setcc(Type::I32, Cc::Cc, f);
                self.set_carry(bit);
                Flow::Next
            }
            M::Lahf | M::Sahf if self.long() && !self.has(Feature::LahfLm) => Flow::Undefined,
            M::Lahf => {
                let image = self.eflags();
                let image = self.wide(image);
                let a = self.r64(RAX);
                let v = self.b.bfi(a, image, 8, 8);
                self.b.set(cpu::gpr(RAX), v);
                Flow::Next
            }
            M::Sahf => {
                let a = self.r32(RAX);
                let ah = self.b.ubfx(a, 8, 8);
                let eight = self.b.const32(8);
                let packed = self.b.shl(ah, eight);
                let f = self.b.flags_unpack(packed);
                self.merge_flags(f, !flag::V & 63);
                Flow::Next
            }
            M::Pushf | M::Pushfd | M::Pushfq => {
                let image = self.eflags();
                let bits = insn.stack_pointer_increment().unsigned_abs() * 8;
                let v = self.retype(image, bits);
                self.push_value(bits, v);
                Flow::Next
            }
            M::Popf | M::Popfd | M::Popfq => self.popf(insn),
            M::Hlt | M::Cli | M::Sti => self.general_protection(0),
            _ => return None,
        })
    }

    /// `syscall`: rcx and r11 get the return address and EFLAGS.
    fn syscall(&mut self) -> Flow {
        if !self.long() {
            return self.service(trap::SYSCALL32, true);
        }
        let image = self.eflags();
        let next = self.b.addr(self.next);
        self.b.set(cpu::gpr(RCX), next);
        self.set_r(11, image);
        Flow::End(Term::Syscall { next: self.next })
    }

    /// popf: what user mode may change, and the mode if that follows.
    fn popf(&mut self, insn: &Instruction) -> Flow {
        let bytes = i64::from(insn.stack_pointer_increment());
        let bits = (bytes * 8) as u32;
        let ea = self.stack(0);
        let v = self.load(bits, ea);
        let v = self.narrow32(v);
        self.add_sp(bytes);
        self.set_eflags(v, bits);
        // The slots behind mode bits are written: go on here if the mode is as it was.
        let watched = self.b.const32(eflags::DF | eflags::TF | eflags::AC);
        let now = self.b.const32(self.mode_flags());
        let changed = self.b.and(v, watched);
        let changed = if bits == 16 {
            let low = self.b.const32(0xffff);
            let (x, y) = (self.b.and(changed, low), self.b.and(now, low));
            self.b.sub(x, y)
        } else {
            self.b.sub(changed, now)
        };
        let f = self.b.flags_of(changed);
        let other = self.b.upcoming_block(1);
        let term =
            Term::Branch { flags: f, cc: Cc::Ne, then: Target::Block(other), els: Target::Pc(self.next) };
        self.end_block(term, self.next);
        self.b.begin_internal(self.pc);
        self.b.insn(self.pc);
        self.mode_changed()
    }

    /// EFLAGS bits that the mode says.
    fn mode_flags(&self) -> u32 {
        let bit = |mode: u64, flag: u32| if self.mode & mode != 0 { flag } else { 0 };
        bit(MODE_DF, eflags::DF) | bit(MODE_TF, eflags::TF) | bit(MODE_AC, eflags::AC)
    }

    /// Writes what user mode may of EFLAGS: all of an image, or its low 16 bits.
    pub(crate) fn set_eflags(&mut self, image: Val, bits: u32) {
        let mask = self.b.const32(0xd5);
        let low = self.b.and(image, mask);
        let eight = self.b.const32(8);
        let low = self.b.shl(low, eight);
        let over = self.b.ubfx(image, 11, 1);
        let packed = self.b.or(low, over);
        let f = self.b.flags_unpack(packed);
        self.set_flags(f);
        let df = self.b.ubfx(image, 10, 1);
        self.b.set(DF, df);
        let rest = if bits == 16 {
            let old = self.get32(EFLAGS_REST);
            self.b.bfi(old, image, 0, 16)
        } else {
            image
        };
        let mask = self.b.const32(eflags::REST);
        let rest = self.b.and(rest, mask);
        self.b.set(EFLAGS_REST, rest);
    }

    /// EFLAGS as an I32.
    pub(crate) fn eflags(&mut self) -> Val {
        let f = self.flags();
        let packed = self.b.flags_pack(f);
        let n = self.b.const32(8);
        let low = self.b.shr(packed, n);
        let mask = self.b.const32(0xd5);
        let low = self.b.and(low, mask);
        let v = self.b.ubfx(packed, 0, 1);
        let eleven = self.b.const32(11);
        let v = self.b.shl(v, eleven);
        let image = self.b.or(low, v);
        let rest = self.get32(EFLAGS_REST);
        let image = self.b.or(image, rest);
        let fixed = eflags::FIXED | if self.mode & MODE_DF != 0 { eflags::DF } else { 0 };
        let fixed = self.b.const32(fixed);
        self.b.or(image, fixed)
    }

    /// cld, std.
    fn direction(&mut self, down: bool) -> Flow {
        if down == (self.mode & MODE_DF != 0) {
            return Flow::Next;
        }
        let v = self.b.const32(u32::from(down));
        self.b.set(DF, v);
        let mode = if down { self.mode | MODE_DF } else { self.mode & !MODE_DF };
        Flow::End(Term::Switch { pc: self.next, mode })
    }

    /// Far jumps and calls.
    pub(crate) fn far(&mut self, insn: &Instruction, call: bool) -> Flow {
        let _ = (insn, call);
        self.general_protection(0)
    }

    /// Far returns.
    pub(crate) fn far_return(&mut self, insn: &Instruction) -> Flow {
        let _ = insn;
        self.general_protection(0)
    }

    /// mov to a segment register.
    pub(crate) fn load_segment_insn(&mut self, insn: &Instruction) -> Flow {
        let _ = insn;
        self.general_protection(0)
    }

    /// mov from a segment register.
    pub(crate) fn store_segment(&mut self, insn: &Instruction) {
        let bits = crate::operand::op_bits(insn, 0);
        let Some(seg) = crate::operand::segment(insn.op1_register()) else { return };
        let v = self.get32(cpu::selector(seg));
        let dst = self.dest_only(insn, 0);
        let bits = if matches!(dst, crate::operand::Dst::Mem(_)) { 16 } else { bits };
        let v = if bits == 64 { self.wide(v) } else { v };
        self.write(dst, bits, v);
    }

    /// pop of a segment register.
    pub(crate) fn pop_segment(&mut self, insn: &Instruction, bits: u32) -> Flow {
        let _ = (insn, bits);
        self.general_protection(0)
    }
}

fn divide(_: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    let (low, high, by) = (args[0] as u64, args[1] as u64, args[2] as u64);
    let bad = Stop::Trap(TrapKind::Arithmetic, trap::DE);
    let dividend = u128::from(high) << 64 | u128::from(low);
    if args[3] == 0 {
        if by == 0 || high >= by {
            return Err(bad);
        }
        let (q, r) = (dividend / u128::from(by), dividend % u128::from(by));
        return Ok(q | r << 64);
    }
    let (dividend, by) = (dividend as i128, i128::from(by as i64));
    let (Some(q), Some(r)) = (dividend.checked_div(by), dividend.checked_rem(by)) else { return Err(bad) };
    if i64::try_from(q).is_err() {
        return Err(bad);
    }
    Ok(u128::from(q as u64) | u128::from(r as u64) << 64)
}

fn cpuid(_: &mut dyn Machine, _: &[u128; 4]) -> Result<u128, Stop> {
    Ok(0)
}

fn tsc(_: &mut dyn Machine, _: &[u128; 4]) -> Result<u128, Stop> {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    Ok(START.get_or_init(Instant::now).elapsed().as_nanos())
}

/// Helpers of this group.
pub(crate) fn helpers() -> Vec<HelperDesc> {
    vec![HelperDesc { may_fault: true, ..plain("divide", divide) }, plain("cpuid", cpuid), plain("tsc", tsc)]
}
