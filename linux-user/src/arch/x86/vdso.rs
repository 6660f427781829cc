//! The vDSO of 64-bit and 32-bit programs: time functions whose calls are answered without the kernel, and, for 32-bit
//! programs, the entry for all system calls and the trampolines that signal handlers return through. Debuggers and unwinders
//! know the trampolines by their bytes.

use crate::arch::Vdso;
use crate::arch::vdso::{Function, build};

/// mov $number, %eax
fn mov_eax(number: u32) -> Vec<u8> {
    let mut code = vec![0xb8];
    code.extend(number.to_le_bytes());
    code
}

/// A function that makes a 64-bit call with its own arguments.
fn call64(number: u32) -> Vec<u8> {
    let mut code = mov_eax(number);
    code.extend([0x0f, 0x05, 0xc3]);
    code
}

/// A function that makes a 32-bit call with its first three arguments.
fn call32(number: u32) -> Vec<u8> {
    // push %ebx; mov 8(%esp), %ebx; mov 12(%esp), %ecx; mov 16(%esp), %edx
    let mut code = vec![0x53, 0x8b, 0x5c, 0x24, 0x08, 0x8b, 0x4c, 0x24, 0x0c, 0x8b, 0x54, 0x24, 0x10];
    code.extend(mov_eax(number));
    // int $0x80; pop %ebx; ret
    code.extend([0xcd, 0x80, 0x5b, 0xc3]);
    code
}

/// The vDSO and what of it the kernel side needs.
#[derive(Debug)]
pub struct Image {
    /// The image.
    pub vdso: Vdso,
    /// Offsets of the 32-bit trampolines: of the old form, with siginfo.
    pub trampolines: [u64; 2],
    /// Offset of where `sysenter` goes on.
    pub landing: u64,
}

/// The image. Call numbers are those of `asm/unistd_64.h` and `asm/unistd_32.h`.
pub fn image(long: bool) -> Image {
    if long {
        let numbers = [
            ("clock_gettime", 228),
            ("gettimeofday", 96),
            ("time", 201),
            ("getcpu", 309),
            ("clock_getres", 229),
        ];
        let named: Vec<(String, Vec<u8>)> = numbers
            .iter()
            .flat_map(|&(name, nr)| [(format!("__vdso_{name}"), call64(nr)), (name.to_owned(), call64(nr))])
            .collect();
        let functions: Vec<Function<'_>> =
            named.iter().map(|(name, code)| Function { name, code, sigreturn: false }).collect();
        let vdso = build(62, true, "LINUX_2.6", &functions);
        return Image { vdso, trampolines: [0; 2], landing: 0 };
    }
    let numbers = [
        ("__vdso_clock_gettime", 265),
        ("__vdso_clock_gettime64", 403),
        ("__vdso_gettimeofday", 78),
        ("__vdso_time", 13),
        ("__vdso_clock_getres", 266),
        ("__vdso_getcpu", 318),
    ];
    let timed: Vec<Vec<u8>> = numbers.iter().map(|&(_, nr)| call32(nr)).collect();
    let mut functions: Vec<Function<'_>> = numbers
        .iter()
        .zip(&timed)
        .map(|(&(name, _), code)| Function { name, code, sigreturn: false })
        .collect();
    // pop %eax; mov $__NR_sigreturn, %eax; int $0x80
    let old = [&[0x58][..], &mov_eax(119), &[0xcd, 0x80]].concat();
    let rt = [&mov_eax(173)[..], &[0xcd, 0x80]].concat();
    // int $0x80; ret; and behind it what `sysenter` returns to: pop %ebp; pop %edx; pop %ecx; ret.
    let vsyscall = [0xcd, 0x80, 0xc3, 0x5d, 0x5a, 0x59, 0xc3];
    functions.push(Function { name: "__kernel_sigreturn", code: &old, sigreturn: false });
    functions.push(Function { name: "__kernel_rt_sigreturn", code: &rt, sigreturn: true });
    functions.push(Function { name: "__kernel_vsyscall", code: &vsyscall, sigreturn: false });
    let mut vdso = build(3, false, "LINUX_2.6", &functions);
    let at = |n: usize| vdso.places[numbers.len() + n];
    let (trampolines, entry) = ([at(0), at(1)], at(2));
    // All system calls of a program may come from the entry: they are calls like any others.
    vdso.private = 0..trampolines[0];
    vdso.entry = Some(entry);
    Image { vdso, trampolines, landing: entry + 3 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trampolines_are_where_they_are_said_to_be() {
        let image = image(false);
        let bytes = |at: u64, n: usize| &image.vdso.image[at as usize..][..n];
        assert_eq!(bytes(image.trampolines[0], 8), [0x58, 0xb8, 119, 0, 0, 0, 0xcd, 0x80]);
        assert_eq!(bytes(image.trampolines[1], 7), [0xb8, 173, 0, 0, 0, 0xcd, 0x80]);
        assert_eq!(bytes(image.landing, 4), [0x5d, 0x5a, 0x59, 0xc3]);
        assert!(!image.vdso.private.contains(&image.vdso.entry.unwrap()));
    }
}
