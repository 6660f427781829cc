//! The common cases of an x87 instruction: all exceptions masked, its registers in use, the place of a push free. They need not
//! load and save the whole unit. Whatever else there is, is the slow path's.

use super::{Access, access};
use crate::cpu;
use ir::{Machine, SlotId};
use x87_unit::Operand;

/// C1, and all four condition bits.
const C1: u16 = 0x200;
const ALL: u16 = 0x4700;

/// The parts of the state that are looked at.
pub(super) struct Stack<'a> {
    state: &'a mut [u8],
    fcw: usize,
    fsw: usize,
    ftw: usize,
    ftop: usize,
    st: usize,
    control: u16,
    tags: u32,
    top: u32,
}

impl Stack<'_> {
    /// `None` if an exception is unmasked.
    #[inline(always)]
    pub fn new(m: &mut dyn Machine) -> Option<Stack<'_>> {
        let at = |m: &dyn Machine, s: SlotId| m.slots().get(s).offset as usize;
        let (fcw, fsw, ftw, ftop) = (at(m, cpu::FCW), at(m, cpu::FSW), at(m, cpu::FTW), at(m, cpu::FTOP));
        let st = at(m, cpu::st(0));
        let mut s = Stack { state: m.state(), fcw, fsw, ftw, ftop, st, control: 0, tags: 0, top: 0 };
        s.control = s.word(s.fcw) as u16;
        s.tags = s.word(s.ftw);
        s.top = s.word(s.ftop) & 7;
        (s.control & 0x3f == 0x3f).then_some(s)
    }
    #[inline(always)]
    fn word(&self, at: usize) -> u32 {
        self.state[at..at + 4].try_into().map_or(0, u32::from_le_bytes)
    }
    /// The status word.
    fn seen(&self) -> u16 {
        self.word(self.fsw) as u16
    }
    #[inline(always)]
    fn put(&mut self, at: usize, v: u32) {
        self.state[at..at + 4].copy_from_slice(&v.to_le_bytes());
    }
    #[inline(always)]
    fn place(&self, i: u32) -> usize {
        self.st + 16 * ((self.top + i) & 7) as usize
    }
    /// ST(i) if it is in use.
    #[inline(always)]
    fn get(&self, i: u32) -> Option<u128> {
        let at = self.place(i);
        let bytes: [u8; 16] = self.state[at..at + 16].try_into().ok()?;
        (self.tags >> ((self.top + i) & 7) & 1 != 0).then(|| u128::from_le_bytes(bytes))
    }
    #[inline(always)]
    fn set(&mut self, i: u32, v: u128) {
        let at = self.place(i);
        self.state[at..at + 16].copy_from_slice(&v.to_le_bytes());
        self.tags |= 1 << ((self.top + i) & 7);
        self.put(self.ftw, self.tags);
    }
    /// Whether a push overflows.
    fn full(&self) -> bool {
        self.tags >> ((self.top + 7) & 7) & 1 != 0
    }
    #[inline(always)]
    fn push(&mut self, v: u128) {
        self.top = (self.top + 7) & 7;
        self.put(self.ftop, self.top);
        self.set(0, v);
    }
    #[inline(always)]
    fn pop(&mut self) {
        self.tags &= !(1 << self.top);
        self.put(self.ftw, self.tags);
        self.top = (self.top + 1) & 7;
        self.put(self.ftop, self.top);
    }
    /// Adds exceptions, and replaces these condition bits.
    #[inline(always)]
    fn status(&mut self, new: u16, conditions: u16) {
        let old = self.word(self.fsw);
        let keep = old & !u32::from(conditions);
        self.put(self.fsw, keep | u32::from(new & (conditions | 0x3f)));
    }
}

/// An instruction that neither stores nor uses EFLAGS.
pub(super) fn execute(m: &mut dyn Machine, op: u32, first: u64, second: u64) -> Option<()> {
    let mut s = Stack::new(m)?;
    let mut operand = Operand([0; 128]);
    operand.0[..8].copy_from_slice(&first.to_le_bytes());
    let (byte, modrm, r, i) = (op >> 8, op & 0xff, op >> 3 & 7, op & 7);
    let (control, seen) = (s.control, s.seen());
    if modrm < 0xc0 {
        match (byte, r) {
            // Arithmetic and comparisons with memory.
            (0 | 2 | 4 | 6, _) => {
                let a = s.get(0)?;
                let op = if r == 3 { op & !8 } else { op };
                let (v, status) = x87_unit::unary(op as u16, a, &mut operand, control, seen);
                if matches!(r, 2 | 3) {
                    s.status(status, ALL);
                    if r == 3 {
                        s.pop();
                    }
                } else {
                    s.set(0, v);
                    s.status(status, C1);
                }
            }
            (3, 5) => {
                if s.full() {
                    return None;
                }
                s.push(u128::from(first) | u128::from(second & 0xffff) << 64);
                s.status(0, C1);
            }
            _ if matches!(access(op), Access::Read(2 | 4 | 8)) => {
                if s.full() {
                    return None;
                }
                let (v, status) = x87_unit::load(op as u16, &mut operand, control, seen);
                s.push(v);
                s.status(status, C1);
            }
            _ => return None,
        }
        return Some(());
    }
    match (byte, modrm) {
        // Arithmetic and comparisons with a register; the sum goes to either and the other may be popped.
        (0, _) | (4 | 6, 0xc0..=0xcf | 0xe0..=0xff) | (5, 0xe0..=0xef) => {
            let (a, b) = (s.get(0)?, s.get(i)?);
            let compares = byte == 5 || matches!(r, 2 | 3);
            if compares {
                let form = if byte == 5 { 0x5e1 } else { 0x0d1 };
                let (_, status) = x87_unit::binary(form, a, b, control, seen);
                s.status(status, ALL);
                if r & 1 != 0 {
                    s.pop();
                }
            } else {
                let (v, status) = x87_unit::binary((0xc1 | r << 3) as u16, a, b, control, seen);
                s.set(if byte == 0 { 0 } else { i }, v);
                s.status(status, C1);
                if byte == 6 {
                    s.pop();
                }
            }
        }
        // FLD, FXCH, FST, FSTP
        (1, 0xc0..=0xc7) => {
            let v = s.get(i)?;
            if s.full() {
                return None;
            }
            s.push(v);
            s.status(0, C1);
        }
        (1, 0xc8..=0xcf) => {
            let (a, b) = (s.get(0)?, s.get(i)?);
            s.set(0, b);
            s.set(i, a);
            s.status(0, C1);
        }
        (5, 0xd0..=0xdf) => {
            let v = s.get(0)?;
            s.set(i, v);
            s.status(0, C1);
            if modrm >= 0xd8 {
                s.pop();
            }
        }
        // FCHS, FABS
        (1, 0xe0 | 0xe1) => {
            let (v, sign) = (s.get(0)?, 1 << 79);
            s.set(0, if i == 0 { v ^ sign } else { v & !sign });
            s.status(0, C1);
        }
        // Constants
        (1, 0xe8..=0xee) => {
            if s.full() {
                return None;
            }
            let (v, status) = x87_unit::load(op as u16, &mut operand, control, seen);
            s.push(v);
            s.status(status, C1);
        }
        // FSQRT, FRNDINT
        (1, 0xfa | 0xfc) => {
            let a = s.get(0)?;
            let (v, status) = x87_unit::unary(op as u16, a, &mut operand, control, seen);
            s.set(0, v);
            s.status(status, C1);
        }
        _ => return None,
    }
    Some(())
}

/// The bytes that a store of ST(0) writes, if it is a common case.
pub(super) fn stored(m: &mut dyn Machine, op: u32) -> Option<(Operand, u16)> {
    let s = Stack::new(m)?;
    let a = s.get(0)?;
    let mut operand = Operand([0; 128]);
    // All forms that pop.
    let form = if op >> 3 & 7 == 2 { op | 8 } else { op };
    let status = x87_unit::store(form as u16, a, &mut operand, s.control, s.seen());
    Some((operand, status))
}

/// The registers after it.
pub(super) fn after_store(m: &mut dyn Machine, op: u32, status: u16) {
    if let Some(mut s) = Stack::new(m) {
        s.status(status, C1);
        if op >> 3 & 7 != 2 {
            s.pop();
        }
    }
}

/// FCOMI and its relatives: the low byte of EFLAGS.
pub(super) fn compare_flags(m: &mut dyn Machine, op: u32) -> Option<u8> {
    let mut s = Stack::new(m)?;
    if op & 0xff < 0xe8 {
        return None;
    }
    let (a, b) = (s.get(0)?, s.get(op & 7)?);
    let form = if op & 0xff < 0xf0 { 0x3e9 } else { 0x3f1 };
    let (flags, status) = x87_unit::compare_flags(form, a, b, s.seen());
    s.status(status, 0);
    if op >> 8 == 7 {
        s.pop();
    }
    Some(flags)
}
