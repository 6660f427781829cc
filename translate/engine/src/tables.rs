//! The side tables of an installed region, written as short numbers: a few bytes for each guest instruction, where
//! vectors of addresses took four times as much and an allocation each. They are read rarely: for a fault, a link, an
//! invalidation, the cache.

use ir::{ExitSite, Reloc};
use std::ops::Range;

/// What is to be written; offsets are from the region's first byte of host code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    /// Guest byte ranges it was made from.
    pub guest: &'a [Range<u64>],
    /// Enterable blocks: guest address and host offset.
    pub entries: &'a [(u64, u32)],
    pub exits: &'a [ExitSite],
    /// Host offsets of the keys of return pads.
    pub pads: &'a [u32],
    /// Host offset and guest address, sorted by offset.
    pub marks: &'a [(u32, u64)],
    /// Only for the persistent cache.
    pub relocs: &'a [Reloc],
}

/// The tables of one region: sections one after the other, each behind its length. Guest addresses are relative to `base`.
#[derive(Debug)]
pub(crate) struct Tables {
    base: u64,
    bytes: Box<[u8]>,
}

#[derive(Clone, Copy)]
enum Section {
    Guest,
    Entries,
    Exits,
    Pads,
    Marks,
    Relocs,
}

impl Tables {
    /// Writes the tables; `scratch` is memory for it.
    pub fn new(parts: &Parts<'_>, scratch: &mut Vec<u8>) -> Tables {
        let base = parts.guest.first().map_or(0, |g| g.start);
        scratch.clear();
        // In the order of `Section`.
        section(scratch, |w| {
            for g in parts.guest {
                put_signed(w, g.start.wrapping_sub(base));
                put(w, g.end - g.start);
            }
        });
        section(scratch, |w| {
            for &(pc, at) in parts.entries {
                put_signed(w, pc.wrapping_sub(base));
                put(w, at.into());
            }
        });
        section(scratch, |w| {
            for e in parts.exits {
                put(w, e.at.into());
                put(w, e.stub.into());
                put_signed(w, e.key.wrapping_sub(base));
            }
        });
        section(scratch, |w| parts.pads.iter().for_each(|&at| put(w, at.into())));
        section(scratch, |w| {
            let (mut at, mut pc) = (0, base);
            for m in parts.marks {
                put(w, u64::from(m.0 - at));
                put_signed(w, m.1.wrapping_sub(pc));
                (at, pc) = *m;
            }
        });
        section(scratch, |w| {
            for r in parts.relocs {
                let (kind, at) = match *r {
                    Reloc::Guest64(at) => (0, at),
                    Reloc::Guest32(at) => (1, at),
                    Reloc::Descriptor(at) => (2, at),
                    Reloc::Fixed => (3, 0),
                };
                put(w, u64::from(at) << 2 | kind);
            }
        });
        Tables { base, bytes: scratch.as_slice().into() }
    }

    fn section(&self, which: Section) -> Reader<'_> {
        let mut r = Reader(&self.bytes);
        for _ in 0..which as usize {
            let len = r.number();
            r.0 = &r.0[len as usize..];
        }
        let len = r.number();
        Reader(&r.0[..len as usize])
    }

    /// Guest byte ranges.
    pub fn guest(&self) -> impl Iterator<Item = Range<u64>> + use<'_> {
        let base = self.base;
        self.section(Section::Guest).items(move |r| {
            let start = base.wrapping_add(r.signed());
            start..start + r.number()
        })
    }

    /// (guest address, host offset) of the enterable blocks.
    pub fn entries(&self) -> impl Iterator<Item = (u64, u32)> + use<'_> {
        let base = self.base;
        self.section(Section::Entries).items(move |r| (base.wrapping_add(r.signed()), r.number() as u32))
    }

    /// The patchable exits.
    pub fn exits(&self) -> impl Iterator<Item = ExitSite> + use<'_> {
        let base = self.base;
        self.section(Section::Exits).items(move |r| {
            let (at, stub) = (r.number() as u32, r.number() as u32);
            ExitSite { at, stub, key: base.wrapping_add(r.signed()) }
        })
    }

    /// Host offsets of the pads' keys.
    pub fn pads(&self) -> impl Iterator<Item = u32> + use<'_> {
        self.section(Section::Pads).items(|r| r.number() as u32)
    }

    /// (host offset, guest address), sorted by offset.
    pub fn marks(&self) -> impl Iterator<Item = (u32, u64)> + use<'_> {
        let (mut at, mut pc) = (0, self.base);
        self.section(Section::Marks).items(move |r| {
            at += r.number() as u32;
            pc = pc.wrapping_add(r.signed());
            (at, pc)
        })
    }

    /// The relocations.
    pub fn relocs(&self) -> impl Iterator<Item = Reloc> + use<'_> {
        self.section(Section::Relocs).items(|r| {
            let n = r.number();
            let at = (n >> 2) as u32;
            match n & 3 {
                0 => Reloc::Guest64(at),
                1 => Reloc::Guest32(at),
                2 => Reloc::Descriptor(at),
                _ => Reloc::Fixed,
            }
        })
    }
}

/// Seven bits a byte, the lowest first; the top bit says that more follow.
fn put(w: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        w.push(n as u8 | 0x80);
        n >>= 7;
    }
    w.push(n as u8);
}

/// A difference: the sign goes to the lowest bit.
fn put_signed(w: &mut Vec<u8>, n: u64) {
    put(w, n << 1 ^ ((n as i64) >> 63) as u64);
}

/// Writes the section's length before what `fill` writes.
fn section(w: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = w.len();
    fill(w);
    let end = w.len();
    put(w, (end - start) as u64);
    let by = w.len() - end;
    w[start..].rotate_right(by);
}

/// Reads what was written here.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> u64 {
        let (mut n, mut shift) = (0, 0);
        loop {
            let (&byte, rest) = self.0.split_first().expect("a section holds whole numbers");
            self.0 = rest;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return n;
            }
            shift += 7;
        }
    }
    fn signed(&mut self) -> u64 {
        let n = self.number();
        n >> 1 ^ (n & 1).wrapping_neg()
    }
    /// The section's items until it is empty.
    fn items<T>(mut self, mut next: impl FnMut(&mut Reader<'a>) -> T) -> impl Iterator<Item = T> {
        std::iter::from_fn(move || (!self.0.is_empty()).then(|| next(&mut self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_read_back() {
        let exit = |at, key| ExitSite { at, stub: at + 200, key };
        let marks = [(0, 0x4000), (7, 0x4004), (300, 0x3ffc), (70_000, 0xffff_ffff_fff0)];
        let parts = Parts {
            guest: &[0x4000..0x4010, 0x5000..0x5001],
            entries: &[(0x4000, 0), (0x4008, 129), (0, 16_384)],
            exits: &[exit(4, 0x4100), exit(128, 3 << 48 | 0x1000), exit(20_000, u64::MAX)],
            pads: &[8, 1 << 20],
            marks: &marks,
            relocs: &[Reloc::Guest64(3), Reloc::Guest32(1 << 18), Reloc::Descriptor(0), Reloc::Fixed],
        };
        let mut scratch = vec![1, 2, 3];
        let t = Tables::new(&parts, &mut scratch);
        assert_eq!(t.guest().collect::<Vec<_>>(), parts.guest);
        assert_eq!(t.entries().collect::<Vec<_>>(), parts.entries);
        assert_eq!(t.exits().collect::<Vec<_>>(), parts.exits);
        assert_eq!(t.pads().collect::<Vec<_>>(), parts.pads);
        assert_eq!(t.marks().collect::<Vec<_>>(), parts.marks);
        assert_eq!(t.relocs().collect::<Vec<_>>(), parts.relocs);
        let none = Parts { guest: &[], entries: &[], exits: &[], pads: &[], marks: &[], relocs: &[] };
        let t = Tables::new(&none, &mut scratch);
        assert_eq!((t.guest().count(), t.marks().count(), t.relocs().count()), (0, 0, 0));
    }
}
