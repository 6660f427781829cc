//! Interned operation descriptors: translated code names an out-of-line operation by a small number.
//!
//! Reading takes no lock (translated code reads on every out-of-line operation); writing happens under the
//! translation lock.

use crate::hash::KeyMap;
use ir::Inst;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// Chunk `n` holds `FIRST << n` descriptors: a short program touches no more than the first few.
const FIRST: usize = 32;
const CHUNKS: usize = 16;

/// A place for a descriptor: written once, under the translation lock. A writer that dies leaves it as it was.
struct Cell {
    there: AtomicBool,
    inst: UnsafeCell<MaybeUninit<Inst>>,
}

// SAFETY: the contents are written by the one who has the translation lock while `there` is false, and only read after.
unsafe impl Sync for Cell {}

type Chunk = Box<[Cell]>;

/// Chunk and place in it of a descriptor.
fn place(index: u32) -> (usize, usize) {
    let n = (index as usize / FIRST + 1).ilog2() as usize;
    (n, index as usize - FIRST * ((1 << n) - 1))
}

/// Append-only table. Chunks are made once and stay.
pub(crate) struct Descriptors {
    chunks: [AtomicPtr<Chunk>; CHUNKS],
}

/// The writer's side: what is interned already.
#[derive(Default)]
pub(crate) struct Interner {
    index: KeyMap<(ir::Op, ir::Type, ir::Attr, u64), u32>,
    next: u32,
}

impl Interner {
    /// What the table has.
    pub fn of(table: &Descriptors) -> Interner {
        let mut made = Interner::default();
        while let Some(inst) = table.find(made.next) {
            made.index.insert((inst.op, inst.ty, inst.attr, inst.imm), made.next);
            made.next += 1;
        }
        made
    }
}

impl Descriptors {
    pub fn new() -> Descriptors {
        Descriptors { chunks: [const { AtomicPtr::new(std::ptr::null_mut()) }; CHUNKS] }
    }

    fn chunk(&self, n: usize) -> Option<&Chunk> {
        // SAFETY: null or a box that was leaked into the table, which frees it when it goes itself.
        unsafe { self.chunks[n].load(Ordering::Acquire).as_ref() }
    }

    fn find(&self, index: u32) -> Option<&Inst> {
        let (n, at) = place(index);
        let cell = &self.chunk(n)?[at];
        // SAFETY: what is there is written and stays as it is.
        cell.there.load(Ordering::Acquire).then(|| unsafe { (*cell.inst.get()).assume_init_ref() })
    }

    /// The descriptor with this index.
    pub fn get(&self, index: u32) -> &Inst {
        self.find(index).expect("translated code names only interned descriptors")
    }

    /// Interns the operation of `inst`; `changing` is told when the interner changes and when it is done.
    pub fn intern(&self, interner: &mut Interner, inst: &Inst, changing: impl Fn(bool)) -> u32 {
        let key = (inst.op, inst.ty, inst.attr, inst.imm);
        if let Some(&index) = interner.index.get(&key) {
            return index;
        }
        changing(true);
        let index = interner.next;
        let (n, at) = place(index);
        assert!(n < CHUNKS, "out-of-line operations are bounded by the guest's encodings");
        if self.chunk(n).is_none() {
            let cell =
                || Cell { there: AtomicBool::new(false), inst: UnsafeCell::new(MaybeUninit::uninit()) };
            let chunk: Chunk = (0..FIRST << n).map(|_| cell()).collect();
            self.chunks[n].store(Box::into_raw(Box::new(chunk)), Ordering::Release);
        }
        let cell = &self.chunk(n).expect("made above")[at];
        // SAFETY: nothing is there, so nobody reads; the interner is the translation lock's.
        unsafe { (*cell.inst.get()).write(*inst) };
        cell.there.store(true, Ordering::Release);
        interner.next += 1;
        interner.index.insert(key, index);
        changing(false);
        index
    }
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        for chunk in &mut self.chunks {
            let chunk = *chunk.get_mut();
            if !chunk.is_null() {
                // SAFETY: made by `Box::into_raw` and nobody's but ours.
                drop(unsafe { Box::from_raw(chunk) });
            }
        }
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
