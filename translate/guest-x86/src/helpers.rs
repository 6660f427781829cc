//! Runtime helpers: what is rare and not worth IR. Each group has its own range of numbers, so that groups grow apart.

use crate::trans_system;
use ir::{HelperDesc, HelperFn, HelperId, SlotSet};

/// First helper of the system group.
pub const SYSTEM: u16 = 0;
/// First helper of the string group.
pub const STRING: u16 = 24;
/// First helper of the x87 and MMX group.
pub const X87: u16 = 32;
/// First helper of the vector group.
pub const VECTOR: u16 = 160;

/// A helper by group and number in it.
pub const fn id(group: u16, n: u16) -> HelperId {
    HelperId(group + n)
}

/// A helper that touches no slot and cannot fault.
pub fn plain(name: &'static str, func: HelperFn) -> HelperDesc {
    HelperDesc { name, func, reads: SlotSet::None, writes: SlotSet::None, may_fault: false, pure_fn: false }
}

/// The table of all groups.
pub fn table() -> Vec<HelperDesc> {
    let mut all = Vec::new();
    let mut group = |first: u16, list: Vec<HelperDesc>| {
        assert!(all.len() <= first as usize, "a group of helpers has outgrown its range");
        while all.len() < first as usize {
            all.push(plain("unused", |_, _| Ok(0)));
        }
        all.extend(list);
    };
    group(SYSTEM, trans_system::helpers());
    group(STRING, crate::trans_string::helpers());
    group(X87, crate::x87::helpers());
    group(VECTOR, crate::vector::helpers());
    all
}
