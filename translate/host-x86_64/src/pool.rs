//! The constant pool of a region: 16-byte constants after the code, reached rip-relative.

use crate::asm::{Asm, Label, Mem};

/// Constants of one region.
#[derive(Debug, Default)]
pub struct Pool {
    items: Vec<(u128, Label)>,
    tables: Vec<(&'static [u8], Label)>,
}

impl Pool {
    /// Memory operand of a 16-byte constant (aligned, so that legacy SSE forms accept it).
    pub fn get(&mut self, a: &mut Asm, value: u128) -> Mem {
        let label = match self.items.iter().find(|i| i.0 == value) {
            Some(i) => i.1,
            None => {
                let l = a.new_label();
                self.items.push((value, l));
                l
            }
        };
        Mem::label(label)
    }

    /// Where a table of bytes is.
    pub fn table(&mut self, a: &mut Asm, bytes: &'static [u8]) -> Label {
        if let Some(t) = self.tables.iter().find(|t| t.0 == bytes) {
            return t.1;
        }
        let l = a.new_label();
        self.tables.push((bytes, l));
        l
    }

    /// Emits the constants at the end of the code.
    pub fn finish(&mut self, a: &mut Asm) {
        if self.items.is_empty() && self.tables.is_empty() {
            return;
        }
        a.align(16);
        for (value, label) in self.items.drain(..) {
            a.bind(label);
            a.u64(value as u64);
            a.u64((value >> 64) as u64);
        }
        for (bytes, label) in self.tables.drain(..) {
            a.bind(label);
            bytes.iter().for_each(|&b| a.u8(b));
        }
    }
}
