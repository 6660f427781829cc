//! The RISC-V vDSO: time functions, cache flush and the signal return trampoline, which unwinders recognise by its two
//! instructions.

use crate::arch::Vdso;
use crate::arch::vdso::{Function, build};

const ECALL: u32 = 0x0000_0073;
const RET: u32 = 0x0000_8067;

/// `li a7, number`
const fn li_a7(number: u32) -> u32 {
    number << 20 | 17 << 7 | 0x13
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Numbers from the kernel's generic `asm/unistd.h` and `arch/riscv`.
const CLOCK_GETTIME: u32 = 113;
const CLOCK_GETRES: u32 = 114;
const RT_SIGRETURN: u32 = 139;
const GETCPU: u32 = 168;
const GETTIMEOFDAY: u32 = 169;
const HWPROBE: u32 = 258;
const FLUSH_ICACHE: u32 = 259;

/// The image. A 32-bit program's has no time functions, whose calls it makes with 64-bit times.
pub fn image(xlen: u32) -> Vdso {
    let call = |number| bytes(&[li_a7(number), ECALL, RET]);
    let sigreturn = bytes(&[li_a7(RT_SIGRETURN), ECALL]);
    let functions = [
        ("__vdso_clock_gettime", call(CLOCK_GETTIME)),
        ("__vdso_gettimeofday", call(GETTIMEOFDAY)),
        ("__vdso_clock_getres", call(CLOCK_GETRES)),
        ("__vdso_getcpu", call(GETCPU)),
        ("__vdso_flush_icache", call(FLUSH_ICACHE)),
        ("__vdso_riscv_hwprobe", call(HWPROBE)),
    ];
    let mut list: Vec<Function<'_>> =
        functions.iter().map(|(name, code)| Function { name, code, sigreturn: false }).collect();
    list.push(Function { name: "__vdso_rt_sigreturn", code: &sigreturn, sigreturn: true });
    if xlen == 32 {
        list.drain(..3);
    }
    build(243, xlen == 64, "LINUX_4.15", &list)
}
