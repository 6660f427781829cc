//! Zcmp and Zcmt: compressed instructions that are more than one 32-bit one. The manual, "Zc* Extension for Code Size Reduction".

use crate::cpu::{self, Feature};
use crate::trans::{Flow, Tr};
use ir::{Mem, Size, Term, Type, Val};

/// Registers of a list, the highest first: s11 to s0, then ra.
fn registers(rlist: u32) -> impl Iterator<Item = u32> {
    // Lists have 0 to 10 saved registers, or all 12.
    let saved = if rlist == 15 { 12 } else { rlist - 4 };
    (0..saved).rev().map(|i| if i < 2 { 8 + i } else { 16 + i }).chain([1])
}

impl Tr<'_> {
    /// Translates the instruction if it is one of these.
    pub(crate) fn zcm(&mut self, c: u16) -> Option<Flow> {
        let c = u32::from(c);
        if c & 0xe003 != 0xa002 {
            return None;
        }
        let (zcmp, zcmt) = (self.has(Feature::Zcmp), self.has(Feature::Zcmt));
        let rlist = c >> 4 & 15;
        Some(match c >> 8 & 31 {
            0..=3 if zcmt => self.table_jump(c >> 2 & 0xff),
            12..=15 if zcmp => {
                let saved = |n: u32| if n < 2 { 8 + n } else { 16 + n };
                let (r1, r2) = (saved(c >> 7 & 7), saved(c >> 2 & 7));
                match c >> 5 & 3 {
                    1 if r1 != r2 => self.two_moves([(r1, 10), (r2, 11)]),
                    3 => self.two_moves([(10, r1), (11, r2)]),
                    _ => Flow::Undefined,
                }
            }
            24 if zcmp && rlist >= 4 => self.push(rlist, c >> 2 & 3),
            26 if zcmp && rlist >= 4 => self.pop(rlist, c >> 2 & 3, false, false),
            28 if zcmp && rlist >= 4 => self.pop(rlist, c >> 2 & 3, true, true),
            30 if zcmp && rlist >= 4 => self.pop(rlist, c >> 2 & 3, true, false),
            _ if zcmp || zcmt => Flow::Undefined,
            _ => return None,
        })
    }

    fn two_moves(&mut self, moves: [(u32, u32); 2]) -> Flow {
        let values = moves.map(|(_, from)| self.b.get(cpu::x(from), Type::I64));
        for ((to, _), v) in moves.iter().zip(values) {
            self.b.set(cpu::x(*to), v);
        }
        Flow::Next
    }

    /// Bytes of a register, and of the whole stack frame.
    fn frame(&self, rlist: u32, extra: u32) -> (i64, i64) {
        let bytes = i64::from(self.cpu.xlen / 8);
        let saved = registers(rlist).count() as i64 * bytes;
        (bytes, ((saved + 15) & !15) + 16 * i64::from(extra))
    }

    fn register_mem(&self) -> Mem {
        Mem::plain(if self.rv32() { Size::S } else { Size::D })
    }

    fn push(&mut self, rlist: u32, extra: u32) -> Flow {
        let (bytes, frame) = self.frame(rlist, extra);
        let mem = self.register_mem();
        let sp = self.x64(2);
        let mut at = 0;
        for n in registers(rlist) {
            at -= bytes;
            let v = self.x(n);
            self.b.store(mem, sp, Val::NONE, at, v);
        }
        self.move_sp(-frame);
        Flow::Next
    }

    fn move_sp(&mut self, by: i64) {
        let sp = self.x(2);
        let by = self.c(by);
        let new = self.b.add(sp, by);
        self.set(2, new);
    }

    fn pop(&mut self, rlist: u32, extra: u32, ret: bool, zero: bool) -> Flow {
        let (bytes, frame) = self.frame(rlist, extra);
        let mem = self.register_mem();
        let sp = self.x64(2);
        let mut at = frame;
        // All are read before any is written, so that a fault leaves the registers as they were.
        let loads: Vec<(u32, Val)> = registers(rlist)
            .map(|n| {
                at -= bytes;
                (n, self.b.load(self.xt, mem, sp, Val::NONE, at))
            })
            .collect();
        for (n, v) in loads {
            self.set(n, v);
        }
        if zero {
            let v = self.c(0);
            self.set(10, v);
        }
        self.move_sp(frame);
        if !ret {
            return Flow::Next;
        }
        let ra = self.x(1);
        let mask = self.c(!1);
        let addr = self.b.and(ra, mask);
        let addr = self.widen(addr);
        Flow::End(Term::Return { addr })
    }

    /// cm.jt and cm.jalt: through the table at jvt.
    fn table_jump(&mut self, index: u32) -> Flow {
        let jvt = self.b.get(cpu::JVT, Type::I64);
        let mask = self.b.const64(!63);
        let base = self.b.and(jvt, mask);
        let disp = i64::from(index) * i64::from(self.cpu.xlen / 8);
        let entry = self.b.load(self.xt, self.register_mem(), base, Val::NONE, disp);
        let mask = self.c(!1);
        let addr = self.b.and(entry, mask);
        let addr = self.widen(addr);
        if index < 32 {
            return Flow::End(Term::Indirect { addr });
        }
        self.set_link(1);
        Flow::End(Term::CallIndirect { addr, ret: self.next() })
    }
}
