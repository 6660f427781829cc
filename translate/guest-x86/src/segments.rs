//! Descriptors: the kernel's GDT as user mode sees it, the thread's three TLS entries, the process's LDT.
//!
//! Facts: SDM volume 3, "Segment Descriptors"; the kernel's `arch/x86/include/asm/segment.h`.

use crate::cpu::{self, Seg, trap};
use ir::{Machine, Stop, TrapKind};
use std::sync::{PoisonError, RwLock};

/// The process's LDT, which `modify_ldt` writes. One process of ours has one.
static LDT: RwLock<Vec<u64>> = RwLock::new(Vec::new());

/// Sets an entry of the LDT.
pub fn set_ldt_entry(index: usize, descriptor: u64) {
    let mut ldt = LDT.write().unwrap_or_else(PoisonError::into_inner);
    if ldt.len() <= index {
        ldt.resize(index + 1, 0);
    }
    ldt[index] = descriptor;
}

/// The entries of the LDT.
pub fn ldt() -> Vec<u64> {
    LDT.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// GDT entries 4, 5 and 6: 32-bit code, data, 64-bit code, all of user mode, flat.
const GDT: [u64; 3] = [0x00cf_fb00_0000_ffff, 0x00cf_f300_0000_ffff, 0x00af_fb00_0000_ffff];
/// GDT entry 15: its limit is the CPU's number.
const CPU_NUMBER: u64 = 0x0040_f500_0000_0000;
/// Entries that an LDT can have.
pub const LDT_ENTRIES: usize = 8192;
/// Selector of 64-bit user code.
pub const USER_CS: u16 = 0x33;
/// Selector of 32-bit user code.
pub const USER32_CS: u16 = 0x23;
/// Selector of user data and stacks.
pub const USER_DS: u16 = 0x2b;
/// First GDT entry of the thread's own.
pub const FIRST_TLS: u64 = 12;

/// A descriptor's fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Descriptor(pub u64);

impl Descriptor {
    /// Base address.
    pub fn base(self) -> u64 {
        self.0 >> 16 & 0xff_ffff | self.0 >> 56 << 24
    }
    /// Limit in bytes.
    pub fn limit(self) -> u64 {
        let raw = self.0 & 0xffff | self.0 >> 32 & 0xf_0000;
        if self.0 >> 55 & 1 != 0 { raw << 12 | 0xfff } else { raw }
    }
    fn present(self) -> bool {
        self.0 >> 47 & 1 != 0
    }
    fn dpl(self) -> u64 {
        self.0 >> 45 & 3
    }
    /// Code or data rather than a system segment.
    fn memory(self) -> bool {
        self.0 >> 44 & 1 != 0
    }
    /// Code segment.
    pub fn code(self) -> bool {
        self.memory() && self.0 >> 43 & 1 != 0
    }
    /// Readable code or writable data.
    fn second(self) -> bool {
        self.0 >> 41 & 1 != 0
    }
    /// 64-bit code.
    pub fn long(self) -> bool {
        self.0 >> 53 & 1 != 0
    }
    /// 32-bit code or stack.
    pub fn big(self) -> bool {
        self.0 >> 54 & 1 != 0
    }
}

/// The thread's own entries.
fn thread_entries(m: &mut dyn Machine) -> [u64; 3] {
    std::array::from_fn(|n| m.slot(cpu::tls(n as u32)) as u64)
}

/// The descriptor that a selector names, from the GDT, the thread's entries or the LDT. Null selectors name none.
pub fn find(selector: u64, tls: [u64; 3]) -> Option<Descriptor> {
    let index = selector >> 3 & 0x1fff;
    let raw = if selector & 4 != 0 {
        let ldt = LDT.read().unwrap_or_else(PoisonError::into_inner);
        ldt.get(index as usize).copied().unwrap_or(0)
    } else {
        match index {
            4..=6 => GDT[index as usize - 4],
            FIRST_TLS..=14 => tls[(index - FIRST_TLS) as usize],
            15 => CPU_NUMBER,
            _ => 0,
        }
    };
    (raw != 0).then_some(Descriptor(raw))
}

fn fault(vector: u64, selector: u64) -> Stop {
    Stop::Trap(TrapKind::Service, trap::with_error(vector, selector & 0xfffc))
}

/// The base that a data segment register gets with a selector, or the exception.
pub fn data(seg: Seg, selector: u64, tls: [u64; 3]) -> Result<u64, Stop> {
    if selector & 0xfffc == 0 {
        return if seg == Seg::Ss { Err(fault(trap::GP, 0)) } else { Ok(0) };
    }
    let d = find(selector, tls).ok_or(fault(trap::GP, selector))?;
    let readable = d.memory() && (!d.code() || d.second());
    let ok = if seg == Seg::Ss {
        d.memory() && !d.code() && d.second() && d.dpl() == 3 && selector & 3 == 3
    } else {
        readable && d.dpl() == 3
    };
    if !ok {
        return Err(fault(trap::GP, selector));
    }
    if !d.present() {
        return Err(fault(if seg == Seg::Ss { trap::SS } else { trap::NP }, selector));
    }
    Ok(d.base())
}

/// The base and the code's size (as slot `CODE_SIZE`) that CS gets with a selector, or the exception: a return needs a selector
/// of user privilege, a jump or call makes it one.
pub fn code(selector: u64, returns: bool, tls: [u64; 3]) -> Result<(u64, u64), Stop> {
    if selector & 0xfffc == 0 {
        return Err(fault(trap::GP, 0));
    }
    let d = find(selector, tls).ok_or(fault(trap::GP, selector))?;
    if !d.code() || d.dpl() != 3 || returns && selector & 3 != 3 {
        return Err(fault(trap::GP, selector));
    }
    if !d.present() {
        return Err(fault(trap::NP, selector));
    }
    let base = if d.long() { 0 } else { d.base() };
    let kind = if d.long() {
        0
    } else if d.big() {
        cpu::MODE_32
    } else {
        cpu::MODE_16
    };
    Ok((base, kind))
}

/// Loads a data segment register; whether the mode may be another now.
pub fn load(m: &mut dyn Machine, seg: Seg, selector: u64) -> Result<bool, Stop> {
    let selector = selector & 0xffff;
    let tls = thread_entries(m);
    let base = data(seg, selector, tls)?;
    m.set_slot(cpu::selector(seg), selector.into());
    let slot = cpu::segment_base(seg);
    let changed = m.slot(slot) != u128::from(base) && !matches!(seg, Seg::Fs | Seg::Gs);
    m.set_slot(slot, base.into());
    Ok(changed)
}

/// Loads CS for a far transfer.
pub fn load_code(m: &mut dyn Machine, selector: u64, returns: bool) -> Result<(), Stop> {
    let selector = selector & 0xffff;
    let tls = thread_entries(m);
    let (base, kind) = code(selector, returns, tls)?;
    m.set_slot(cpu::selector(Seg::Cs), (selector | 3).into());
    m.set_slot(cpu::segment_base(Seg::Cs), base.into());
    m.set_slot(cpu::CODE_SIZE, kind.into());
    Ok(())
}

/// What a question about a selector asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask {
    /// LAR
    Rights,
    /// LSL
    Limit,
    /// VERR
    Readable,
    /// VERW
    Writable,
}

/// The answer, if the selector is valid for the question.
pub fn ask(m: &mut dyn Machine, what: Ask, selector: u64) -> Option<u64> {
    if selector & 0xfffc == 0 {
        return None;
    }
    let d = find(selector, thread_entries(m))?;
    if d.dpl() < 3 {
        return None;
    }
    match what {
        Ask::Rights => d.memory().then_some(d.0 >> 32 & 0x00ff_ff00),
        Ask::Limit => d.memory().then_some(d.limit()),
        Ask::Readable => (d.memory() && (!d.code() || d.second())).then_some(0),
        Ask::Writable => (d.memory() && !d.code() && d.second()).then_some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_kernels_descriptors() {
        let [code32, data, code64] = GDT.map(Descriptor);
        assert!(code32.code() && code32.big() && !code32.long() && code32.limit() == 0xffff_ffff);
        assert!(!data.code() && data.base() == 0);
        assert!(code64.long() && code64.code());
        assert_eq!(Descriptor(0x12cf_f334_5678_ffff).base(), 0x1234_5678);
    }
}
