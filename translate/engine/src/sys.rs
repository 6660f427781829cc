//! The only host-OS code of the translator: anonymous mappings and the fields of a host fault context.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

/// An anonymous private mapping, unmapped on drop.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping is plain memory; whoever reads or writes it upholds its own synchronisation.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes read-write (and executable if asked), committed only when touched.
    ///
    /// Code memory is private and both writable and executable: `fork` must give the child its own copy of the
    /// code (a shared mapping at two addresses would let parent and child patch each other's jumps).
    pub fn new(len: usize, executable: bool) -> io::Result<Mapping> {
        let prot = libc::PROT_READ | libc::PROT_WRITE | if executable { libc::PROT_EXEC } else { 0 };
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches no existing memory.
        let p = unsafe { libc::mmap(std::ptr::null_mut(), len, prot, flags, -1, 0) };
        if p == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(p.cast()).expect("mmap does not return null");
        Ok(Mapping { base, len })
    }

    /// Start address.
    pub fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Length in bytes.
    pub fn size(&self) -> usize {
        self.len
    }

    /// Makes `len` bytes from `offset` (page aligned) inaccessible.
    pub fn guard(&self, offset: usize, len: usize) -> io::Result<()> {
        assert!(offset + len <= self.len, "guard lies inside the mapping");
        // SAFETY: the range lies inside our own mapping.
        let r = unsafe { libc::mprotect(self.base().add(offset).cast(), len, libc::PROT_NONE) };
        if r == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Makes the pages of a range present, which is cheaper than as many faults. No more than a hint.
    pub fn populate(&self, offset: usize, len: usize) {
        let (from, to) = (offset & !4095, (offset + len).next_multiple_of(4096).min(self.len));
        // SAFETY: the range is our own mapping; nothing in it changes.
        unsafe { libc::madvise(self.base().add(from).cast(), to - from, libc::MADV_POPULATE_WRITE) };
    }

    /// Gives the first `len` bytes (page aligned) back to the kernel; they read as zero afterwards.
    pub fn discard(&self, len: usize) {
        assert!(len <= self.len, "what is discarded lies inside the mapping");
        // SAFETY: the range is our own private anonymous mapping; callers hold no references into it.
        unsafe { libc::madvise(self.base().cast(), len, libc::MADV_DONTNEED) };
    }
}

/// Sleeps while `word` is `value`, or not at all; may come back early.
pub(crate) fn futex_wait(word: &AtomicU32, value: u32) {
    let no_limit = std::ptr::null::<libc::timespec>();
    // SAFETY: the word lives through the call; nothing else is touched.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), FUTEX_WAIT_PRIVATE, value, no_limit) };
}

/// Wakes one who sleeps by [`futex_wait`].
pub(crate) fn futex_wake(word: &AtomicU32) {
    // SAFETY: as above. The word may be gone by now: then the kernel finds nobody, or wakes a sleeper that looks again.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), FUTEX_WAKE_PRIVATE, 1) };
}

const FUTEX_WAIT_PRIVATE: i32 = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
const FUTEX_WAKE_PRIVATE: i32 = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;

/// Makes `base` this thread's base of guest memory: translated code reaches it through a segment register that nothing
/// else on this host uses. Cheap when it is already there.
pub fn use_memory_base(base: u64) {
    thread_local! {
        static CURRENT: std::cell::Cell<u64> = const { std::cell::Cell::new(u64::MAX) };
    }
    const ARCH_SET_GS: i32 = 0x1001;
    if CURRENT.get() != base {
        // SAFETY: changes only the base of gs, which neither the C library nor Rust uses on x86-64.
        let r = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, base) };
        assert_eq!(r, 0, "the base of a segment can be set");
        CURRENT.set(base);
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and nothing refers to it any more.
        unsafe { libc::munmap(self.base().cast(), self.len) };
    }
}

/// Reads the host program counter and stack pointer of an interrupted context.
///
/// # Safety
/// `uc` is the context argument of a signal handler that is running.
pub unsafe fn context_pc_sp(uc: *const libc::ucontext_t) -> (u64, u64) {
    // SAFETY: the caller vouches for `uc`.
    let g = unsafe { &(*uc).uc_mcontext.gregs };
    (g[libc::REG_RIP as usize] as u64, g[libc::REG_RSP as usize] as u64)
}

/// Whether the host CPU says that the access of an interrupted context was a write; none if it was no page fault.
///
/// # Safety
/// As [`context_pc_sp`].
pub unsafe fn context_write(uc: *const libc::ucontext_t) -> Option<bool> {
    const PAGE_FAULT: i64 = 14;
    // SAFETY: the caller vouches for `uc`.
    let g = unsafe { &(*uc).uc_mcontext.gregs };
    (g[libc::REG_TRAPNO as usize] == PAGE_FAULT).then(|| g[libc::REG_ERR as usize] & 2 != 0)
}

/// Sets the host program counter of an interrupted context.
///
/// # Safety
/// As [`context_pc_sp`]; `pc` must be a valid continuation for the interrupted register contents.
pub unsafe fn set_context_pc(uc: *mut libc::ucontext_t, pc: u64) {
    // SAFETY: the caller vouches for `uc`.
    unsafe { (*uc).uc_mcontext.gregs[libc::REG_RIP as usize] = pc as i64 };
}

/// Sets the host stack pointer of an interrupted context.
///
/// # Safety
/// As [`set_context_pc`].
pub unsafe fn set_context_sp(uc: *mut libc::ucontext_t, sp: u64) {
    // SAFETY: the caller vouches for `uc`.
    unsafe { (*uc).uc_mcontext.gregs[libc::REG_RSP as usize] = sp as i64 };
}
