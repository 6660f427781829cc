//! The AArch64 vDSO: time functions and the signal return trampoline.
//!
//! The time functions are the plain system calls; the run loop recognises calls from the vDSO's pages and answers them
//! from the host's vDSO, without dispatch, trace or kernel entry. Unwinders recognise the trampoline by its two
//! instructions, so they stand as in the kernel's.

use crate::arch::Vdso;
use crate::arch::vdso::{Function, build};

const BTI_C: u32 = 0xd503_245f;
const SVC: u32 = 0xd400_0001;
const RET: u32 = 0xd65f_03c0;
const NOP: u32 = 0xd503_201f;

/// `mov x8, #number`
const fn mov_x8(number: u32) -> u32 {
    0xd280_0008 | number << 5
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Numbers from the kernel's generic `asm/unistd.h`.
const CLOCK_GETTIME: u32 = 113;
const CLOCK_GETRES: u32 = 114;
const RT_SIGRETURN: u32 = 139;
const GETTIMEOFDAY: u32 = 169;

/// The image.
pub fn image() -> Vdso {
    let call = |number| bytes(&[BTI_C, mov_x8(number), SVC, RET]);
    // The word before the trampoline keeps unwinders from the function that stands in front of it.
    let sigreturn = bytes(&[mov_x8(RT_SIGRETURN), SVC, NOP]);
    let (gettime, getres, timeofday) = (call(CLOCK_GETTIME), call(CLOCK_GETRES), call(GETTIMEOFDAY));
    let function = |name, code, sigreturn| Function { name, code, sigreturn };
    build(
        183,
        true,
        "LINUX_2.6.39",
        &[
            function("__kernel_clock_gettime", &gettime, false),
            function("__kernel_gettimeofday", &timeofday, false),
            function("__kernel_clock_getres", &getres, false),
            function("__kernel_rt_sigreturn", &sigreturn, true),
        ],
    )
}
