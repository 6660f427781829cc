//! String instructions, with and without repetition. SDM volume 2: MOVS, STOS, LODS, CMPS, SCAS, REP.
//!
//! A single one is a few operations. A repeated one is a helper that works through memory page by page; when it faults the
//! registers are those of the element that could not be done. It comes back after a bounded amount of work, so that
//! signals are seen, and the block starts again.

use crate::cpu::{self, FLAGS, MODE_DF, RAX, RCX, RDI, RSI, Seg};
use crate::helpers::{STRING, id, plain};
use crate::operand::{Dst, Ea, segment, type_of};
use crate::trans::{Flow, Tr};
use iced_x86::{Instruction, Mnemonic, Register};
use ir::{Attr, Cc, HelperDesc, Inst, Machine, Op, SlotSet, Stop, Target, Term, Type, Val};

/// The repeated forms.
const REPEAT: u16 = 0;

/// Elements done in one call at most.
const BUDGET: u64 = 1 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Movs,
    Stos,
    Lods,
    Cmps,
    Scas,
}

const KINDS: [Kind; 5] = [Kind::Movs, Kind::Stos, Kind::Lods, Kind::Cmps, Kind::Scas];

impl Tr<'_> {
    /// Translates an instruction of this group; `None` if it is not one.
    pub(crate) fn string_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic as M;
        if !insn.is_string_instruction() {
            return None;
        }
        let (kind, bits) = match insn.mnemonic() {
            M::Movsb => (Kind::Movs, 8),
            M::Movsw => (Kind::Movs, 16),
            M::Movsd => (Kind::Movs, 32),
            M::Movsq => (Kind::Movs, 64),
            M::Stosb => (Kind::Stos, 8),
            M::Stosw => (Kind::Stos, 16),
            M::Stosd => (Kind::Stos, 32),
            M::Stosq => (Kind::Stos, 64),
            M::Lodsb => (Kind::Lods, 8),
            M::Lodsw => (Kind::Lods, 16),
            M::Lodsd => (Kind::Lods, 32),
            M::Lodsq => (Kind::Lods, 64),
            M::Cmpsb => (Kind::Cmps, 8),
            M::Cmpsw => (Kind::Cmps, 16),
            M::Cmpsd => (Kind::Cmps, 32),
            M::Cmpsq => (Kind::Cmps, 64),
            M::Scasb => (Kind::Scas, 8),
            M::Scasw => (Kind::Scas, 16),
            M::Scasd => (Kind::Scas, 32),
            M::Scasq => (Kind::Scas, 64),
            // Port input and output.
            _ => return Some(self.general_protection(0)),
        };
        let address = address_bits(insn);
        if insn.has_rep_prefix() || insn.has_repne_prefix() {
            return Some(self.repeated(insn, kind, bits, address));
        }
        self.once(insn, kind, bits, address);
        Some(Flow::Next)
    }

    /// The address in rsi (with the segment that a prefix may name) or rdi (always ES).
    fn string_address(&mut self, reg: u32, seg: Option<Seg>, address: u32) -> Ea {
        let v = self.r64(reg);
        let base = match address {
            16 => self.b.zext16(v),
            32 if self.cpu.bits == 64 => {
                let w = self.b.trunc(v);
                self.b.zext32(w)
            }
            _ => v,
        };
        self.in_segment(Ea { base, index: Val::NONE, scale: 0, disp: 0 }, seg)
    }

    /// Moves rsi or rdi by an element.
    fn advance(&mut self, reg: u32, bits: u32, address: u32) {
        let bytes = u64::from(bits / 8);
        let down = self.mode & MODE_DF != 0;
        let v = self.r64(reg);
        match address {
            32 => {
                let w = self.b.trunc(v);
                let n = self.b.const32(bytes as u32);
                let v = if down { self.b.sub(w, n) } else { self.b.add(w, n) };
                self.set_r(reg, v);
            }
            _ => {
                let n = self.b.const64(bytes);
                let v = if down { self.b.sub(v, n) } else { self.b.add(v, n) };
                if address == 16 { self.set_r16(reg, v) } else { self.b.set(cpu::gpr(reg), v) }
            }
        }
    }

    fn once(&mut self, insn: &Instruction, kind: Kind, bits: u32, address: u32) {
        let source = segment(insn.memory_segment()).or(Some(Seg::Ds));
        let (uses_si, uses_di) = (uses_si(kind), uses_di(kind));
        let from = if uses_si {
            let ea = self.string_address(RSI, source, address);
            Some(self.load(bits, ea))
        } else {
            None
        };
        let to = if uses_di { Some(self.string_address(RDI, Some(Seg::Es), address)) } else { None };
        let acc = self.r64(RAX);
        let acc = self.retype(acc, bits);
        let mut flags = None;
        match (kind, from, to) {
            (Kind::Movs, Some(v), Some(ea)) => self.store(bits, ea, v),
            (Kind::Stos, _, Some(ea)) => self.store(bits, ea, acc),
            (Kind::Lods, Some(v), _) => self.write(Dst::Reg(RAX), bits, v),
            (Kind::Cmps, Some(a), Some(ea)) => {
                let b = self.load(bits, ea);
                let r = self.op2(Op::Sub, Op::LSub, bits, a, b);
                flags = Some(self.b.flags_turned(r));
            }
            (_, _, Some(ea)) => {
                let b = self.load(bits, ea);
                let r = self.op2(Op::Sub, Op::LSub, bits, acc, b);
                flags = Some(self.b.flags_turned(r));
            }
            _ => {}
        }
        if uses_si {
            self.advance(RSI, bits, address);
        }
        if uses_di {
            self.advance(RDI, bits, address);
        }
        if let Some(f) = flags {
            self.set_flags(f);
        }
    }

    fn repeated(&mut self, insn: &Instruction, kind: Kind, bits: u32, address: u32) -> Flow {
        let source = segment(insn.memory_segment()).or(Some(Seg::Ds));
        let zero = self.b.const64(0);
        let none = Ea { base: zero, index: Val::NONE, scale: 0, disp: 0 };
        // The bases alone: offsets wrap in the helper.
        let based = self.in_segment(none, source);
        let source = self.linear(based);
        let based = self.in_segment(none, Some(Seg::Es));
        let target = self.linear(based);
        let what = KINDS.iter().position(|&k| k == kind).unwrap_or(0) as u64
            | u64::from(bits) << 8
            | u64::from(address) << 16
            | u64::from(self.mode & MODE_DF != 0) << 24
            | u64::from(insn.has_repne_prefix()) << 25
            | u64::from(self.cpu.bits) << 32;
        let what = self.b.const64(what);
        let _ = type_of(bits);
        let left = self.call(id(STRING, REPEAT), Type::I64, &[what, source, target]);
        let f = self.is_zero(left);
        let again = Target::Pc(self.pc);
        Flow::End(Term::Branch { flags: f, cc: Cc::Ne, then: again, els: Target::Pc(self.next) })
    }
}

fn uses_si(kind: Kind) -> bool {
    matches!(kind, Kind::Movs | Kind::Lods | Kind::Cmps)
}

fn uses_di(kind: Kind) -> bool {
    matches!(kind, Kind::Movs | Kind::Stos | Kind::Cmps | Kind::Scas)
}

/// Width of the address registers of a string instruction.
fn address_bits(insn: &Instruction) -> u32 {
    use iced_x86::OpKind as K;
    for k in insn.op_kinds() {
        match k {
            K::MemorySegSI | K::MemorySegDI | K::MemoryESDI => return 16,
            K::MemorySegESI | K::MemorySegEDI | K::MemoryESEDI => return 32,
            K::MemorySegRSI | K::MemorySegRDI | K::MemoryESRDI => return 64,
            _ => {}
        }
    }
    debug_assert!(insn.memory_base() == Register::None);
    crate::trans::code_size(insn)
}

/// What a repeated instruction does, from its descriptor.
struct Repeat {
    kind: Kind,
    /// Bytes of an element.
    size: u64,
    /// What of an address register counts.
    mask: u64,
    down: bool,
    /// Ends at the first equal element rather than at the first other one.
    until_equal: bool,
    /// The CPU's addresses have 32 bits.
    narrow: bool,
    source: u64,
    target: u64,
}

impl Repeat {
    fn decode(args: &[u128; 4]) -> Repeat {
        let what = args[0] as u64;
        Repeat {
            kind: KINDS[(what & 7) as usize % KINDS.len()],
            size: (what >> 8 & 0xff) / 8,
            mask: u64::MAX >> (64 - (what >> 16 & 0xff).clamp(1, 64)),
            down: what >> 24 & 1 != 0,
            until_equal: what >> 25 & 1 != 0,
            narrow: what >> 32 & 0xff == 32,
            source: args[1] as u64,
            target: args[2] as u64,
        }
    }

    /// The linear address of an offset.
    fn linear(&self, base: u64, offset: u64) -> u64 {
        let a = base.wrapping_add(offset & self.mask);
        if self.narrow { a & 0xffff_ffff } else { a }
    }

    /// An address register moved by `n` elements.
    fn moved(&self, reg: u64, n: u64) -> u64 {
        let by = n.wrapping_mul(self.size);
        let new = if self.down { reg.wrapping_sub(by) } else { reg.wrapping_add(by) };
        self.put(reg, new)
    }

    /// A register with its counting part replaced: 32-bit writes clear the rest.
    fn put(&self, reg: u64, new: u64) -> u64 {
        match self.mask {
            0xffff => reg & !0xffff | new & 0xffff,
            mask => new & mask,
        }
    }

    /// Bytes from an offset on before the offset or the address wraps, going up.
    fn to_wrap(&self, base: u64, offset: u64) -> u64 {
        let offsets = (self.mask - (offset & self.mask)).saturating_add(1);
        if self.narrow { offsets.min((1 << 32) - self.linear(base, offset)) } else { offsets }
    }

    /// Elements from an offset on that lie in one page and do not wrap, going up; at least 1.
    fn in_page(&self, base: u64, offset: u64) -> u64 {
        let to_page = 4096 - self.linear(base, offset) % 4096;
        (to_page.min(self.to_wrap(base, offset)) / self.size).max(1)
    }
}

/// The registers of a repeated instruction.
struct Regs {
    count: u64,
    si: u64,
    di: u64,
}

fn repeat(m: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    let r = Repeat::decode(args);
    let reg = |m: &mut dyn Machine, n: u32| m.slot(cpu::gpr(n)) as u64;
    let mut s = Regs { count: reg(m, RCX), si: reg(m, RSI), di: reg(m, RDI) };
    let mut budget = BUDGET;
    let mut last = None;
    if s.count & r.mask != 0 && r.mask == 0xffff_ffff {
        // The first iteration has begun to write the registers even if it faults.
        s = Regs { count: r.put(s.count, s.count), ..s };
        if uses_si(r.kind) {
            s.si = r.put(s.si, s.si);
        }
        if uses_di(r.kind) {
            s.di = r.put(s.di, s.di);
        }
    }
    let result = loop {
        let left = s.count & r.mask;
        if left == 0 || budget == 0 {
            break Ok(left);
        }
        let step = match batch(m, &r, &s, left.min(budget)) {
            Ok(step) => step,
            Err(stop) => break Err(stop),
        };
        budget -= step.done;
        s.count = r.put(s.count, left - step.done);
        if uses_si(r.kind) {
            s.si = r.moved(s.si, step.done);
        }
        if uses_di(r.kind) {
            s.di = r.moved(s.di, step.done);
        }
        if step.compared.is_some() {
            last = step.compared;
        }
        if step.ended {
            break Ok(0);
        }
    };
    for (n, v) in [(RCX, s.count), (RSI, s.si), (RDI, s.di)] {
        m.set_slot(cpu::gpr(n), v.into());
    }
    // A fault leaves the flags as they were before the instruction.
    if let (Some((a, b)), true) = (last, result.is_ok()) {
        m.set_slot(FLAGS, compare_flags(r.size, a, b).into());
    }
    result.map(u128::from)
}

/// The flags of a - b.
fn compare_flags(size: u64, a: u64, b: u64) -> u8 {
    let (op, ty, imm) = match size {
        1 => (Op::LSub, Type::I32, 8),
        2 => (Op::LSub, Type::I32, 16),
        4 => (Op::Sub, Type::I32, 0),
        _ => (Op::Sub, Type::I64, 0),
    };
    let inst = Inst { op, ty, attr: Attr::None, args: [Val::NONE; 4], imm };
    let f = ir::interp::flags_of_inst(&inst, &[a.into(), b.into(), 0, 0]).unwrap_or(0);
    // C is a borrow here.
    f ^ 2
}

struct Step {
    done: u64,
    compared: Option<(u64, u64)>,
    ended: bool,
}

/// Bytes that are compared or written from a buffer at once.
const CHUNK: usize = 512;
/// Bytes that are copied or filled at once: signals wait so long.
const BULK: u64 = 1 << 18;

/// Copies or fills as many whole elements as can be done without a look at each.
fn bulk(m: &mut dyn Machine, r: &Repeat, s: &Regs, most: u64) -> u64 {
    let (from, to) = (r.linear(r.source, s.si), r.linear(r.target, s.di));
    let mut bytes = (most.min(BULK) * r.size).min(r.to_wrap(r.target, s.di));
    // Of an element across a page's end nothing is written if one of the pages is bad.
    if to % r.size != 0 || uses_si(r.kind) && from % r.size != 0 {
        bytes = bytes.min(4096 - to % 4096);
        if uses_si(r.kind) {
            bytes = bytes.min(4096 - from % 4096);
        }
    }
    let written = match r.kind {
        Kind::Movs => {
            bytes = bytes.min(r.to_wrap(r.source, s.si));
            // What is written must not be read in the same batch.
            let ahead = to.wrapping_sub(from);
            if ahead != 0 && ahead < bytes {
                bytes = ahead;
            }
            if bytes < r.size {
                return 0;
            }
            m.copy(to, from, (bytes / r.size * r.size) as usize)
        }
        _ => {
            let value = (m.slot(cpu::gpr(RAX)) as u64).to_le_bytes();
            let value = &value[..r.size as usize];
            if bytes < r.size {
                return 0;
            }
            if value.iter().all(|&b| b == value[0]) {
                m.fill(to, value[0], (bytes / r.size * r.size) as usize)
            } else {
                let mut buf = [0; CHUNK];
                for chunk in buf.chunks_exact_mut(value.len()) {
                    chunk.copy_from_slice(value);
                }
                let total = (bytes / r.size * r.size) as usize;
                let len = total.min(CHUNK).min((4096 - to % 4096) as usize) / value.len() * value.len();
                let mut have = m.store(to, &buf[..len]).map_or(0, |()| len);
                // The rest is a copy of what is there.
                while have != 0 && have < total {
                    let n = m.copy(to + have as u64, to, have.min(total - have));
                    have += n / value.len() * value.len();
                    if n < len.min(total - have) {
                        break;
                    }
                }
                have
            }
        }
    } as u64;
    written / r.size
}

fn element(bytes: &[u8]) -> u64 {
    let mut raw = [0; 8];
    raw[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(raw)
}

/// Does some elements going up, one going down.
fn batch(m: &mut dyn Machine, r: &Repeat, s: &Regs, most: u64) -> Result<Step, Stop> {
    let (from, to) = (r.linear(r.source, s.si), r.linear(r.target, s.di));
    let size = r.size as usize;
    let done = |n: u64| Step { done: n, compared: None, ended: false };
    if matches!(r.kind, Kind::Movs | Kind::Stos) && !r.down {
        let n = bulk(m, r, s, most);
        if n != 0 {
            return Ok(done(n));
        }
        // Nothing done: a single element says why.
    }
    let mut n = if r.down { 1 } else { most.min(CHUNK as u64 / r.size) };
    if uses_si(r.kind) {
        n = n.min(r.in_page(r.source, s.si));
    }
    if uses_di(r.kind) {
        n = n.min(r.in_page(r.target, s.di));
    }
    match r.kind {
        Kind::Movs => {
            let mut buf = [0; 8];
            m.load(from, &mut buf[..size])?;
            m.store(to, &buf[..size])?;
            Ok(done(1))
        }
        Kind::Stos => {
            let value = (m.slot(cpu::gpr(RAX)) as u64).to_le_bytes();
            m.store(to, &value[..size])?;
            Ok(done(1))
        }
        Kind::Lods => {
            let mut buf = [0; 8];
            m.load(from, &mut buf[..size])?;
            let old = m.slot(cpu::gpr(RAX)) as u64;
            let v = u64::from_le_bytes(buf);
            let new = match size {
                1 => old & !0xff | v,
                2 => old & !0xffff | v,
                _ => v,
            };
            m.set_slot(cpu::gpr(RAX), new.into());
            Ok(done(1))
        }
        Kind::Cmps | Kind::Scas => {
            let len = n as usize * size;
            let mut a = [0; CHUNK];
            if r.kind == Kind::Cmps {
                m.load(from, &mut a[..len])?;
            }
            let acc = (m.slot(cpu::gpr(RAX)) as u64).to_le_bytes();
            let mut b = [0; CHUNK];
            m.load(to, &mut b[..len])?;
            let mut compared = None;
            for k in 0..n as usize {
                let at = k * size..(k + 1) * size;
                let x = if r.kind == Kind::Cmps { &a[at.clone()] } else { &acc[..size] };
                let y = &b[at];
                compared = Some((element(x), element(y)));
                if (x == y) == r.until_equal {
                    return Ok(Step { done: k as u64 + 1, compared, ended: true });
                }
            }
            Ok(Step { done: n, compared, ended: false })
        }
    }
}

/// Helpers of this group.
pub(crate) fn helpers() -> Vec<HelperDesc> {
    let regs = vec![cpu::gpr(RAX), cpu::gpr(RCX), cpu::gpr(RSI), cpu::gpr(RDI)];
    let mut writes = regs.clone();
    writes.push(FLAGS);
    vec![HelperDesc {
        reads: SlotSet::Some(writes.clone()),
        writes: SlotSet::Some(writes),
        may_fault: true,
        ..plain("repeat", repeat)
    }]
}
