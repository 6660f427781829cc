//! Host system calls: the plain one and the one that no signal is lost to.
//!
//! Input: number and six arguments; output: `SysResult`. A blocking call made for a guest must go through
//! [`safe_syscall`]: between its check of the thread's poll word and the `syscall` instruction lies a window, and the
//! host signal handler moves a thread that it finds in the window to one of two exits, so:
//! * the call had not begun when the signal came: `ERESTARTNOINTR` (513), the guest executes it again afterwards;
//! * the kernel wanted to restart the call (our handlers are SA_RESTART, so it stepped back to the instruction):
//!   `ERESTARTSYS` (512), the guest's own SA_RESTART decides;
//! * the kernel gave `EINTR` itself: it is the guest's to see.
//!
//! The first two are told apart by rcx: zero before the call, the return address once the kernel was entered.

use crate::errno::{Errno, SysResult};
use std::arch::{asm, global_asm};
use std::sync::atomic::AtomicU32;

global_asm!(
    ".pushsection .text",
    ".globl omnirun_safe_syscall",
    ".hidden omnirun_safe_syscall",
    "omnirun_safe_syscall:",
    ".cfi_startproc",
    "push rbx",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset rbx, 0",
    "mov rbx, rdi",
    "mov rax, rsi",
    "mov r11, rdx",
    "mov rdi, [r11]",
    "mov rsi, [r11 + 8]",
    "mov rdx, [r11 + 16]",
    "mov r10, [r11 + 24]",
    "mov r8, [r11 + 32]",
    "mov r9, [r11 + 40]",
    "xor ecx, ecx",
    ".globl omnirun_safe_start",
    ".hidden omnirun_safe_start",
    "omnirun_safe_start:",
    "cmp dword ptr [rbx], 0",
    "jne omnirun_safe_not_begun",
    ".globl omnirun_safe_insn",
    ".hidden omnirun_safe_insn",
    "omnirun_safe_insn:",
    "syscall",
    ".globl omnirun_safe_end",
    ".hidden omnirun_safe_end",
    "omnirun_safe_end:",
    "pop rbx",
    ".cfi_remember_state",
    ".cfi_adjust_cfa_offset -8",
    "ret",
    ".cfi_restore_state",
    ".globl omnirun_safe_not_begun",
    ".hidden omnirun_safe_not_begun",
    "omnirun_safe_not_begun:",
    "mov rax, -513",
    "jmp omnirun_safe_end",
    ".globl omnirun_safe_restart",
    ".hidden omnirun_safe_restart",
    "omnirun_safe_restart:",
    "mov rax, -512",
    "jmp omnirun_safe_end",
    ".cfi_endproc",
    ".popsection",
);

unsafe extern "C" {
    fn omnirun_safe_syscall(poll: *const AtomicU32, nr: u64, args: *const [u64; 6]) -> i64;
    static omnirun_safe_start: u8;
    static omnirun_safe_insn: u8;
    static omnirun_safe_end: u8;
    static omnirun_safe_not_begun: u8;
    static omnirun_safe_restart: u8;
}

/// A host system call for a guest that may block: see the module's head for what interruption means.
///
/// The caller vouches for the arguments: pointers are into memory that lives through the call.
pub fn safe_syscall(nr: i64, args: [u64; 6]) -> SysResult {
    let poll = crate::host_signal::poll_word();
    // SAFETY: the routine follows the C ABI, reads `args` once and `poll` (which outlives the thread's guest code); what
    // the kernel does with the arguments is what the guest asked for.
    Errno::from_ret(unsafe { omnirun_safe_syscall(poll, nr as u64, &args) })
}

/// A host system call that does not block (or whose interruption is of no interest).
pub fn raw_syscall(nr: i64, args: [u64; 6]) -> SysResult {
    let ret: i64;
    // SAFETY: the kernel ABI: rcx and r11 are clobbered, memory may be written by the call.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") nr => ret,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    Errno::from_ret(ret)
}

/// Called by the host signal handler: where a thread interrupted at `pc` with `rcx` must continue, if it is in the
/// window. Async-signal-safe.
pub fn rewind(pc: u64, rcx: u64) -> Option<u64> {
    let start = &raw const omnirun_safe_start as u64;
    let insn = &raw const omnirun_safe_insn as u64;
    let end = &raw const omnirun_safe_end as u64;
    if pc < start || pc > insn {
        return None;
    }
    let begun = pc == insn && rcx == end;
    Some(if begun {
        &raw const omnirun_safe_restart as u64
    } else {
        &raw const omnirun_safe_not_begun as u64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_return_the_kernels_values() {
        let pid = u64::from(std::process::id());
        assert_eq!(safe_syscall(libc::SYS_getpid, [0; 6]), Ok(pid));
        assert_eq!(raw_syscall(libc::SYS_getpid, [0; 6]), Ok(pid));
        assert_eq!(safe_syscall(libc::SYS_close, [u64::MAX, 0, 0, 0, 0, 0]), Err(Errno::EBADF));
    }

    #[test]
    fn pending_poll_prevents_the_call() {
        let poll = AtomicU32::new(1);
        // SAFETY: as in `safe_syscall`.
        let ret = unsafe { omnirun_safe_syscall(&poll, libc::SYS_getpid as u64, &[0; 6]) };
        assert_eq!(ret, -513);
    }

    #[test]
    fn rewind_tells_begun_from_not_begun() {
        let insn = &raw const omnirun_safe_insn as u64;
        let end = &raw const omnirun_safe_end as u64;
        assert_eq!(rewind(insn, 0), Some(&raw const omnirun_safe_not_begun as u64));
        assert_eq!(rewind(insn, end), Some(&raw const omnirun_safe_restart as u64));
        assert_eq!(rewind(end, end), None);
    }
}
