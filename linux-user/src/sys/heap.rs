//! The allocator: the C library's, and one for processes that share this memory and may be killed at any moment.
//!
//! The C library's allocator has locks and lists, which a process killed inside of it would leave as they are. So a thread of such a
//! process ([`Own::begin`]) allocates from a heap of its own whose every step is a single store: wherever it ends, what it leaves is whole.
//! Others may go on to use its blocks, so its memory is never given back, but the next such process takes the heap over. A block that
//! is freed by a thread of the other kind is lost.

use crate::sys::raw_syscall;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

/// Blocks have 16 bytes times a power of two.
const CLASSES: usize = 17;
const LEAST: u64 = 16;
/// What has more gets a mapping of its own.
const MOST: u64 = LEAST << (CLASSES - 1);
/// Size of a heap's first chunk of memory; each has twice as much as the one before, to the limit.
const CHUNK: u64 = 256 << 10;
const LARGEST_CHUNK: u64 = 32 << 20;
/// Most mappings there can be; after that the C library's heap must do.
const SPANS: usize = 512;

const PAGE: u64 = 4096;

/// The mappings, each in one word: its start, and its pages in the bits that addresses of pages do not have. Zero is a free
/// place, [`TAKEN`] one for a mapping to come.
static MAPPED: [AtomicU64; SPANS] = [const { AtomicU64::new(0) }; SPANS];
const TAKEN: u64 = 1;
/// How many places were ever taken.
static HIGHEST: AtomicUsize = AtomicUsize::new(0);
/// Heaps that nobody has.
static FREE: [AtomicPtr<Heap>; 16] = [const { AtomicPtr::new(std::ptr::null_mut()) }; 16];

/// At the bottom of its first chunk. One thread uses it; atomics, so that stores happen as they are written.
struct Heap {
    next: AtomicU64,
    end: AtomicU64,
    /// Size of the chunk in use.
    chunk: AtomicU64,
    /// A block that was moved away from, and its class: free when the next one is moved, since its owner may not know yet.
    left: [AtomicU64; 2],
    /// By class, the first free block; each begins with the address of the next one.
    free: [AtomicU64; CLASSES],
}

thread_local! {
    static OWN: Cell<*const Heap> = const { Cell::new(std::ptr::null()) };
}

fn word(start: u64, size: u64) -> u64 {
    let pages = size / PAGE;
    start | pages & 0xfff | pages >> 12 << 48
}

fn span(word: u64) -> Range<u64> {
    let (start, pages) = (word & 0xffff_ffff_f000, word & 0xfff | word >> 48 << 12);
    start..start + pages * PAGE
}

/// Finds the mapping that holds an address.
fn place_of(address: u64) -> Option<usize> {
    let n = HIGHEST.load(Ordering::Acquire);
    (0..n).find(|&i| span(MAPPED[i].load(Ordering::Acquire)).contains(&address))
}

fn map(size: u64) -> Option<u64> {
    let place = MAPPED
        .iter()
        .position(|m| m.compare_exchange(0, TAKEN, Ordering::AcqRel, Ordering::Relaxed).is_ok())?;
    HIGHEST.fetch_max(place + 1, Ordering::AcqRel);
    let prot = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as u64;
    let start = raw_syscall(libc::SYS_mmap, [0, size, prot, flags, u64::MAX, 0]);
    MAPPED[place].store(start.map_or(0, |start| word(start, size)), Ordering::Release);
    start.ok()
}

fn unmap(place: usize) {
    let range = span(MAPPED[place].swap(TAKEN, Ordering::AcqRel));
    let _ = raw_syscall(libc::SYS_munmap, [range.start, range.end - range.start, 0, 0, 0, 0]);
    MAPPED[place].store(0, Ordering::Release);
}

/// Class and size of the blocks for a layout; none if it gets a mapping of its own.
fn class(layout: Layout) -> Option<(usize, u64)> {
    let size = (layout.size().max(layout.align()) as u64).next_power_of_two().max(LEAST);
    (size <= MOST).then(|| ((size / LEAST).trailing_zeros() as usize, size))
}

impl Heap {
    fn make() -> Option<*const Heap> {
        let start = map(CHUNK)?;
        let heap = start as *mut Heap;
        let next = (start + size_of::<Heap>() as u64).next_multiple_of(LEAST);
        let new = Heap {
            next: next.into(),
            end: (start + CHUNK).into(),
            chunk: CHUNK.into(),
            left: [const { AtomicU64::new(0) }; 2],
            free: [const { AtomicU64::new(0) }; CLASSES],
        };
        // SAFETY: the mapping is fresh, aligned and large enough.
        unsafe { heap.write(new) };
        Some(heap)
    }

    fn take(&self, layout: Layout) -> Option<u64> {
        let Some((class, size)) = class(layout) else {
            // Mappings are aligned to pages; nothing here wants more.
            return map((layout.size() as u64).next_multiple_of(PAGE))
                .filter(|_| layout.align() <= PAGE as usize);
        };
        let block = self.free[class].load(Ordering::Relaxed);
        if block != 0 {
            // SAFETY: a free block begins with the address of the next one.
            let next = unsafe { (block as *const u64).read() };
            self.free[class].store(next, Ordering::Relaxed);
            return Some(block);
        }
        let at = self.next.load(Ordering::Relaxed).next_multiple_of(size);
        if at + size <= self.end.load(Ordering::Relaxed) {
            self.next.store(at + size, Ordering::Relaxed);
            return Some(at);
        }
        let bytes = (self.chunk.load(Ordering::Relaxed) * 2).min(LARGEST_CHUNK).max(size);
        let chunk = map(bytes)?;
        // Nothing may lie between the old place and the new end. A chunk begins at a page, so larger blocks are aligned to
        // pages only; nothing here wants more.
        self.end.store(0, Ordering::Relaxed);
        self.next.store(chunk + size, Ordering::Relaxed);
        self.end.store(chunk + bytes, Ordering::Relaxed);
        self.chunk.store(bytes, Ordering::Relaxed);
        Some(chunk)
    }

    /// Frees a block whose contents were moved.
    fn leave(&self, block: u64, class: usize) {
        let before = self.left[0].swap(0, Ordering::Relaxed);
        let its_class = self.left[1].swap(class as u64, Ordering::Relaxed);
        if before != 0 {
            self.put(before, its_class as usize);
        }
        self.left[0].store(block, Ordering::Relaxed);
    }

    fn put(&self, block: u64, class: usize) {
        let next = self.free[class].load(Ordering::Relaxed);
        // SAFETY: the block is the caller's to give, and has at least 16 bytes.
        unsafe { (block as *mut u64).write(next) };
        self.free[class].store(block, Ordering::Release);
    }
}

/// A heap for the threads of a process that may be killed by itself.
pub struct Own(*const Heap);

impl Own {
    /// One that nobody has; none if there is no memory for it.
    pub fn new() -> Option<Own> {
        let used = FREE.iter().map(|f| f.swap(std::ptr::null_mut(), Ordering::AcqRel)).find(|h| !h.is_null());
        used.map(|h| h.cast_const()).or_else(Heap::make).map(Own)
    }

    /// The calling thread allocates from it from now on.
    pub fn begin(&self) {
        OWN.set(self.0);
    }
}

/// What a thread allocates from.
pub struct Used(*const Heap);

/// What the calling thread allocates from.
pub fn used() -> Used {
    Used(OWN.get())
}

/// The calling thread allocates from that again.
pub fn go_back(to: Used) {
    OWN.set(to.0);
}

/// The calling thread allocates as others do.
pub fn use_common() {
    OWN.set(std::ptr::null());
}

impl Drop for Own {
    fn drop(&mut self) {
        if OWN.get() == self.0 {
            use_common();
        }
        for f in &FREE {
            let new = self.0.cast_mut();
            if f.compare_exchange(std::ptr::null_mut(), new, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }
}

/// See the module.
pub struct Allocator;

fn own() -> Option<&'static Heap> {
    // SAFETY: heaps are never unmapped.
    unsafe { OWN.get().as_ref() }
}

// SAFETY: blocks are disjoint, of the asked size and alignment, and stay until they are given back.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match own().and_then(|heap| heap.take(layout)) {
            Some(block) => block as *mut u8,
            // SAFETY: the caller's contract.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(block) = own().and_then(|heap| heap.take(layout)) else {
            // SAFETY: the caller's contract.
            return unsafe { System.alloc_zeroed(layout) };
        };
        // SAFETY: the block is fresh and has this size.
        unsafe { (block as *mut u8).write_bytes(0, layout.size()) };
        block as *mut u8
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match (place_of(block as u64), class(layout), own()) {
            (Some(place), None, _) => unmap(place),
            (Some(_), Some((class, _)), Some(heap)) => heap.put(block as u64, class),
            (Some(_), Some(_), None) | (None, _, Some(_)) => {}
            // SAFETY: the caller's contract; the block is not from one of our heaps.
            (None, _, None) => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if own().is_none() && place_of(block as u64).is_none() {
            // SAFETY: the caller's contract.
            return unsafe { System.realloc(block, layout, size) };
        }
        // SAFETY: the caller's contract: the new size is valid for this alignment, both blocks have the smaller size.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                match (place_of(block as u64), class(layout), own()) {
                    (Some(_), Some((class, _)), Some(heap)) => heap.leave(block as u64, class),
                    _ => self.dealloc(block, layout),
                }
            }
            new
        }
    }
}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_move_between_the_heaps() {
        let heap = Own::new().expect("memory");
        let before: Vec<u64> = (0..100).collect();
        heap.begin();
        let mut grown = before;
        grown.extend(100..1000);
        let large = vec![7u8; 3_000_000];
        let boxes: Vec<Box<u64>> = (0..300).map(Box::new).collect();
        assert!(place_of(&raw const *boxes[0] as u64).is_some());
        let first = &raw const *boxes[0] as u64;
        drop(boxes);
        let again: Vec<Box<u64>> = (0..300).map(Box::new).collect();
        assert!(again.iter().any(|b| &raw const **b as u64 == first), "free blocks are used again");
        use_common();
        grown.extend(1000..5000);
        assert!(grown.iter().copied().eq(0..5000));
        assert!(place_of(grown.as_ptr() as u64).is_none());
        let place = place_of(large.as_ptr() as u64).expect("a mapping of its own");
        assert!(large.iter().all(|&b| b == 7));
        drop(large);
        assert!(span(MAPPED[place].load(Ordering::Relaxed)).is_empty());
        assert!(again.iter().enumerate().all(|(i, b)| **b == i as u64));
    }

    #[test]
    fn layouts_have_their_alignment() {
        let heap = Own::new().expect("memory");
        for align in [1usize, 16, 64, 4096] {
            for size in [1usize, 15, 17, 5000, 40_000, 2_000_000] {
                let layout = Layout::from_size_align(size, align).unwrap();
                // SAFETY: the heap is this thread's alone.
                let block = unsafe { &*heap.0 }.take(layout).expect("memory");
                assert!(block.is_multiple_of(align as u64));
                assert!(place_of(block + size as u64 - 1).is_some());
            }
        }
    }
}
