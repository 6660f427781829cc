//! Interned operation descriptors: translated code names an out-of-line operation by a small number.
//!
//! Reading takes no lock (translated code reads on every out-of-line operation); writing happens under the
//! translation lock.

use crate::hash::KeyMap;
use ir::Inst;
use std::sync::OnceLock;

const CHUNK: usize = 256;
const CHUNKS: usize = 4096;

type Chunk = Box<[OnceLock<Inst>]>;

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
        self.chunks[index as usize / CHUNK]
            .get()
            .and_then(|c| c[index as usize % CHUNK].get())
            .expect("translated code names only interned descriptors")
    }

    /// Interns the operation of `inst`.
    pub fn intern(&self, interner: &mut Interner, inst: &Inst) -> u32 {
        let next = interner.index.len() as u32;
        *interner.index.entry((inst.op, inst.ty, inst.attr, inst.imm)).or_insert_with(|| {
            assert!(
                (next as usize) < CHUNK * CHUNKS,
                "out-of-line operations are bounded by the guest's encodings"
            );
            let chunk = self.chunks[next as usize / CHUNK]
                .get_or_init(|| (0..CHUNK).map(|_| OnceLock::new()).collect());
            chunk[next as usize % CHUNK].get_or_init(|| *inst);
            next
        })
    }
}
