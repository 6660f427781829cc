//! Fault-safe access to guest memory: the only code that dereferences guest addresses outside translated code.
//!
//! Input: guest (host) addresses that may be wild; output: bytes moved, or how many were left when the host faulted.
//! Every instruction that may fault has a row in [`fixup`]; the host's SIGSEGV/SIGBUS handler asks it where to go on.
//! The guest may change memory at any time, so nothing here makes a Rust reference to it.

use std::arch::global_asm;

global_asm!(
    ".pushsection .text",
    ".macro omnirun_hidden name",
    ".globl \\name",
    ".hidden \\name",
    "\\name:",
    ".endm",
    // (dst: rdi, src: rsi, len: rdx) -> bytes not copied. rcx counts down, so a fault leaves the remainder in it.
    "omnirun_hidden omnirun_uaccess_copy",
    "mov rcx, rdx",
    "omnirun_hidden omnirun_uaccess_start",
    "rep movsb",
    "omnirun_hidden omnirun_uaccess_copy_out",
    "mov rax, rcx",
    "ret",
    // (dst: rdi, byte: esi, len: rdx) -> bytes not written.
    "omnirun_hidden omnirun_uaccess_fill",
    "mov rcx, rdx",
    "mov eax, esi",
    "omnirun_hidden omnirun_uaccess_fill_insn",
    "rep stosb",
    "omnirun_hidden omnirun_uaccess_fill_out",
    "mov rax, rcx",
    "ret",
    // (addr: rdi, old and expected: rsi, new: rdx) -> 0, or 1 after a fault. rbx is saved in r8.
    "omnirun_hidden omnirun_uaccess_cas16",
    "mov r8, rbx",
    "mov r9, rsi",
    "mov rbx, [rdx]",
    "mov rcx, [rdx + 8]",
    "mov rax, [r9]",
    "mov rdx, [r9 + 8]",
    "omnirun_hidden omnirun_uaccess_cas16_insn",
    "lock cmpxchg16b [rdi]",
    "omnirun_hidden omnirun_uaccess_cas16_done",
    "mov [r9], rax",
    "mov [r9 + 8], rdx",
    "mov rbx, r8",
    "xor eax, eax",
    "ret",
    "omnirun_hidden omnirun_uaccess_cas16_fault",
    "mov rbx, r8",
    "mov eax, 1",
    "ret",
    // Single accesses: rax is the value, rdx is 0 or, after a fault, 1.
    "omnirun_hidden omnirun_uaccess_single",
    "omnirun_hidden omnirun_uaccess_load1",
    "xor edx, edx",
    "movzx eax, byte ptr [rdi]",
    "ret",
    "omnirun_hidden omnirun_uaccess_load2",
    "xor edx, edx",
    "movzx eax, word ptr [rdi]",
    "ret",
    "omnirun_hidden omnirun_uaccess_load4",
    "xor edx, edx",
    "mov eax, [rdi]",
    "ret",
    "omnirun_hidden omnirun_uaccess_load8",
    "xor edx, edx",
    "mov rax, [rdi]",
    "ret",
    "omnirun_hidden omnirun_uaccess_store1",
    "xor edx, edx",
    "mov [rdi], sil",
    "ret",
    "omnirun_hidden omnirun_uaccess_store2",
    "xor edx, edx",
    "mov [rdi], si",
    "ret",
    "omnirun_hidden omnirun_uaccess_store4",
    "xor edx, edx",
    "mov [rdi], esi",
    "ret",
    "omnirun_hidden omnirun_uaccess_store8",
    "xor edx, edx",
    "mov [rdi], rsi",
    "ret",
    // (addr: rdi, expected: rsi, new: rdx); the old value is the result.
    "omnirun_hidden omnirun_uaccess_cas4",
    "mov eax, esi",
    "mov ecx, edx",
    "xor edx, edx",
    "lock cmpxchg [rdi], ecx",
    "mov eax, eax",
    "ret",
    "omnirun_hidden omnirun_uaccess_cas8",
    "mov rax, rsi",
    "mov rcx, rdx",
    "xor edx, edx",
    "lock cmpxchg [rdi], rcx",
    "ret",
    "omnirun_hidden omnirun_uaccess_cas1",
    "mov eax, esi",
    "mov ecx, edx",
    "xor edx, edx",
    "lock cmpxchg [rdi], cl",
    "movzx eax, al",
    "ret",
    "omnirun_hidden omnirun_uaccess_cas2",
    "mov eax, esi",
    "mov ecx, edx",
    "xor edx, edx",
    "lock cmpxchg [rdi], cx",
    "movzx eax, ax",
    "ret",
    "omnirun_hidden omnirun_uaccess_single_fault",
    "mov edx, 1",
    "ret",
    ".purgem omnirun_hidden",
    ".popsection",
);

/// What the single accesses return: in rax and rdx.
#[repr(C)]
#[derive(Clone, Copy)]
struct Access {
    value: u64,
    fault: u64,
}

impl Access {
    fn get(self) -> Result<u64, Fault> {
        if self.fault == 0 { Ok(self.value) } else { Err(Fault) }
    }
}

unsafe extern "C" {
    fn omnirun_uaccess_copy(dst: *mut u8, src: *const u8, len: usize) -> usize;
    fn omnirun_uaccess_fill(dst: *mut u8, byte: u32, len: usize) -> usize;
    fn omnirun_uaccess_load1(addr: u64) -> Access;
    fn omnirun_uaccess_load2(addr: u64) -> Access;
    fn omnirun_uaccess_load4(addr: u64) -> Access;
    fn omnirun_uaccess_load8(addr: u64) -> Access;
    fn omnirun_uaccess_store1(addr: u64, value: u64) -> Access;
    fn omnirun_uaccess_store2(addr: u64, value: u64) -> Access;
    fn omnirun_uaccess_store4(addr: u64, value: u64) -> Access;
    fn omnirun_uaccess_store8(addr: u64, value: u64) -> Access;
    fn omnirun_uaccess_cas16(addr: u64, old: *mut [u64; 2], new: *const [u64; 2]) -> u32;
    fn omnirun_uaccess_cas1(addr: u64, expected: u64, new: u64) -> Access;
    fn omnirun_uaccess_cas2(addr: u64, expected: u64, new: u64) -> Access;
    fn omnirun_uaccess_cas4(addr: u64, expected: u64, new: u64) -> Access;
    fn omnirun_uaccess_cas8(addr: u64, expected: u64, new: u64) -> Access;
    static omnirun_uaccess_start: u8;
    static omnirun_uaccess_copy_out: u8;
    static omnirun_uaccess_fill_insn: u8;
    static omnirun_uaccess_fill_out: u8;
    static omnirun_uaccess_cas16_insn: u8;
    static omnirun_uaccess_cas16_done: u8;
    static omnirun_uaccess_cas16_fault: u8;
    static omnirun_uaccess_single: u8;
    static omnirun_uaccess_single_fault: u8;
}

/// The host faulted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault;

/// Where a thread that faulted at host address `pc` must go on, if `pc` is in one of the routines above.
/// Async-signal-safe.
pub fn fixup(pc: u64) -> Option<u64> {
    let copy = &raw const omnirun_uaccess_start as u64..&raw const omnirun_uaccess_copy_out as u64;
    let fill = &raw const omnirun_uaccess_fill_insn as u64..&raw const omnirun_uaccess_fill_out as u64;
    let single = &raw const omnirun_uaccess_single as u64..&raw const omnirun_uaccess_single_fault as u64;
    let wide = &raw const omnirun_uaccess_cas16_insn as u64..&raw const omnirun_uaccess_cas16_done as u64;
    if wide.contains(&pc) {
        Some(&raw const omnirun_uaccess_cas16_fault as u64)
    } else if copy.contains(&pc) {
        Some(copy.end)
    } else if fill.contains(&pc) {
        Some(fill.end)
    } else if single.contains(&pc) {
        Some(single.end)
    } else {
        None
    }
}

/// Copies from a wild address; returns how many bytes at the end were not copied.
pub fn copy_from(buf: &mut [u8], src: u64) -> usize {
    // SAFETY: the destination is ours; the source is read by the fixed-up instruction only.
    unsafe { omnirun_uaccess_copy(buf.as_mut_ptr(), src as *const u8, buf.len()) }
}

/// Copies to a wild address; returns how many bytes at the end were not copied.
///
/// The caller vouches that the range is the guest's: see `GuestMem`.
pub fn copy_to(dst: u64, buf: &[u8]) -> usize {
    // SAFETY: the source is ours; the destination is guest memory, written by the fixed-up instruction only.
    unsafe { omnirun_uaccess_copy(dst as *mut u8, buf.as_ptr(), buf.len()) }
}

/// Copies between wild addresses; returns how many bytes at the end were not copied.
pub fn copy_between(dst: u64, src: u64, len: usize) -> usize {
    // SAFETY: as `copy_from` and `copy_to`.
    unsafe { omnirun_uaccess_copy(dst as *mut u8, src as *const u8, len) }
}

/// Fills at a wild address; returns how many bytes at the end were not written.
pub fn fill(dst: u64, byte: u8, len: usize) -> usize {
    // SAFETY: as `copy_to`.
    unsafe { omnirun_uaccess_fill(dst as *mut u8, u32::from(byte), len) }
}

/// Reads 1, 2, 4 or 8 bytes with one access.
pub fn load(addr: u64, size: usize) -> Result<u64, Fault> {
    // SAFETY: the routines have fix-ups.
    unsafe {
        match size {
            1 => omnirun_uaccess_load1(addr),
            2 => omnirun_uaccess_load2(addr),
            4 => omnirun_uaccess_load4(addr),
            _ => omnirun_uaccess_load8(addr),
        }
    }
    .get()
}

/// Writes 1, 2, 4 or 8 bytes with one access.
pub fn store(addr: u64, size: usize, value: u64) -> Result<(), Fault> {
    // SAFETY: the routines have fix-ups; the address is guest memory.
    unsafe {
        match size {
            1 => omnirun_uaccess_store1(addr, value),
            2 => omnirun_uaccess_store2(addr, value),
            4 => omnirun_uaccess_store4(addr, value),
            _ => omnirun_uaccess_store8(addr, value),
        }
    }
    .get()
    .map(|_| ())
}

/// Atomic compare-and-exchange of 4 bytes; returns the old value.
pub fn cas4(addr: u64, expected: u32, new: u32) -> Result<u32, Fault> {
    // SAFETY: as `store`.
    unsafe { omnirun_uaccess_cas4(addr, u64::from(expected), u64::from(new)) }.get().map(|v| v as u32)
}

/// Atomic compare-and-exchange of 8 bytes; returns the old value.
pub fn cas8(addr: u64, expected: u64, new: u64) -> Result<u64, Fault> {
    // SAFETY: as `store`.
    unsafe { omnirun_uaccess_cas8(addr, expected, new) }.get()
}

/// Atomic compare-and-exchange of 1 to 16 bytes; returns the old value. 16 bytes must be aligned.
pub fn cas(addr: u64, size: usize, expected: u128, new: u128) -> Result<u128, Fault> {
    if size == 16 {
        let mut old = [expected as u64, (expected >> 64) as u64];
        let new = [new as u64, (new >> 64) as u64];
        // SAFETY: as `store`; the operands are ours. Every x86-64 processor that runs Linux today has the instruction.
        let fault = unsafe { omnirun_uaccess_cas16(addr, &raw mut old, &raw const new) };
        return if fault == 0 { Ok(u128::from(old[0]) | u128::from(old[1]) << 64) } else { Err(Fault) };
    }
    let (expected, new) = (expected as u64, new as u64);
    // SAFETY: as `store`.
    unsafe {
        match size {
            1 => omnirun_uaccess_cas1(addr, expected, new),
            2 => omnirun_uaccess_cas2(addr, expected, new),
            4 => omnirun_uaccess_cas4(addr, expected, new),
            _ => omnirun_uaccess_cas8(addr, expected, new),
        }
    }
    .get()
    .map(u128::from)
}
