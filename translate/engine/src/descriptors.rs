//! Interned operation descriptors: translated code names an out-of-line operation by a small number.
//!
//! Reading takes no lock (translated code reads on every out-of-line operation); writing happens under the
//! translation lock.

use crate::hash::KeyMap;
use ir::Inst;
use std::sync::OnceLock;

/// Chunk `n` holds `FIRST << n` descriptors: a short program touches no more than the first few.
const FIRST: usize = 32;
const CHUNKS: usize = 16;

type Chunk = Box<[OnceLock<Inst>]>;

/// Chunk and place in it of a descriptor.
fn place(index: u32) -> (usize, usize) {
    let n = (index as usize / FIRST + 1).ilog2() as usize;
    (n, index as usize - FIRST * ((1 << n) - 1))
}

/// Append-only table.
pub(crate) struct Descriptors {
    chunks: Box<[OnceLock<Chunk>]>,
}

/// The writer's side: what is interned already.
#[derive(Default)]
pub(crate) struct Interner {
    index: KeyMap<(ir::Op, ir::Type, ir::Attr, u64), u32>,
}

impl Descriptors {
    pub fn new() -> Descriptors {
        Descriptors { chunks: (0..CHUNKS).map(|_| OnceLock::new()).collect() }
    }

    /// The descriptor with this index.
    pub fn get(&self, index: u32) -> &Inst {
        let (chunk, at) = place(index);
        self.chunks[chunk]
            .get()
            .and_then(|c| c[at].get())
            .expect("translated code names only interned descriptors")
    }

    /// Interns the operation of `inst`.
    pub fn intern(&self, interner: &mut Interner, inst: &Inst) -> u32 {
        let next = interner.index.len() as u32;
        *interner.index.entry((inst.op, inst.ty, inst.attr, inst.imm)).or_insert_with(|| {
            let (n, at) = place(next);
            assert!(n < CHUNKS, "out-of-line operations are bounded by the guest's encodings");
            let chunk = self.chunks[n].get_or_init(|| (0..FIRST << n).map(|_| OnceLock::new()).collect());
            chunk[at].get_or_init(|| *inst);
            next
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_follow_each_other() {
        let mut next = (0, 0);
        for index in 0..100_000 {
            assert_eq!(place(index), next);
            next = if next.1 + 1 == FIRST << next.0 { (next.0 + 1, 0) } else { (next.0, next.1 + 1) };
        }
    }
}
