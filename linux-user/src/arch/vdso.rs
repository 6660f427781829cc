//! Builds the ELF image of a guest vDSO from its functions' code: little-endian guests, of 64 bits (wide) or 32.
//!
//! Pure. The image is one loadable segment with a dynamic section, symbols with a version, and a SysV hash table: what C
//! libraries look for.

use super::Vdso;

/// One exported function.
#[derive(Clone, Copy, Debug)]
pub struct Function<'a> {
    /// Symbol.
    pub name: &'a str,
    /// Code.
    pub code: &'a [u8],
    /// This is the signal return trampoline.
    pub sigreturn: bool,
}

const CODE_ALIGN: usize = 16;

fn elf_hash(name: &str) -> u32 {
    let mut h = 0u32;
    for byte in name.bytes() {
        h = (h << 4).wrapping_add(u32::from(byte));
        let g = h & 0xf000_0000;
        h = (h ^ g >> 24) & !g;
    }
    h
}

struct Bytes(Vec<u8>);

impl Bytes {
    fn align(&mut self, to: usize) -> usize {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
        self.0.len()
    }
    fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    /// A word of the class.
    fn word(&mut self, wide: bool, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes()[..if wide { 8 } else { 4 }]);
    }
}

/// Builds the image. `version` is the symbol version that the guest's C libraries ask for.
pub fn build(machine: u16, wide: bool, version: &str, functions: &[Function<'_>]) -> Vdso {
    const SONAME: &str = "linux-vdso.so.1";
    // Strings first: their offsets are needed everywhere.
    let mut strings = vec![0u8];
    let mut string = |text: &str| {
        let at = strings.len() as u32;
        strings.extend_from_slice(text.as_bytes());
        strings.push(0);
        at
    };
    let soname = string(SONAME);
    let version_name = string(version);
    let names: Vec<u32> = functions.iter().map(|function| string(function.name)).collect();

    let phnum = 3;
    let (ehdr, phdr_size, symbol) = if wide { (64, 56, 24) } else { (52, 32, 16) };
    let mut out = Bytes(vec![0; ehdr + phnum * phdr_size]);
    let mut places = Vec::new();
    let mut sigreturn = 0;
    for function in functions {
        let at = out.align(CODE_ALIGN);
        if function.sigreturn {
            sigreturn = at as u64;
        }
        places.push(at as u64);
        out.0.extend_from_slice(function.code);
    }
    let strtab = out.align(8);
    out.0.extend_from_slice(&strings);
    let symtab = out.align(8);
    out.0.resize(symtab + symbol, 0);
    for ((function, &name), &place) in functions.iter().zip(&names).zip(&places) {
        out.u32(name);
        if !wide {
            out.word(wide, place);
            out.word(wide, function.code.len() as u64);
        }
        // A global function in section 1: any section but "undefined".
        out.0.extend_from_slice(&[0x12, 0]);
        out.u16(1);
        if wide {
            out.word(wide, place);
            out.word(wide, function.code.len() as u64);
        }
    }
    let versym = out.align(8);
    out.u16(0);
    for _ in functions {
        out.u16(2);
    }
    let verdef = out.align(8);
    // The base definition (the file itself), then the version.
    for (flags, index, text, name, next) in [(1, 1, SONAME, soname, 28u32), (0, 2, version, version_name, 0)]
    {
        for half in [1, flags, index, 1] {
            out.u16(half);
        }
        out.u32(elf_hash(text));
        out.u32(20);
        out.u32(next);
        out.u32(name);
        out.u32(0);
    }
    let hash = out.align(8);
    let count = functions.len() as u32 + 1;
    // One bucket: the chain runs through all symbols.
    for word in [1, count, if count > 1 { 1 } else { 0 }, 0] {
        out.u32(word);
    }
    for symbol in 1..count {
        out.u32(if symbol + 1 < count { symbol + 1 } else { 0 });
    }
    let dynamic = out.align(8);
    let entries = [
        (14u64, u64::from(soname)),
        (4, hash as u64),
        (5, strtab as u64),
        (6, symtab as u64),
        (10, strings.len() as u64),
        (11, symbol as u64),
        (0x6fff_fff0, versym as u64),
        (0x6fff_fffc, verdef as u64),
        (0x6fff_fffd, 2),
        (0, 0),
    ];
    for (tag, value) in entries {
        out.word(wide, tag);
        out.word(wide, value);
    }
    let dynamic_len = out.0.len() - dynamic;
    let total = out.0.len() as u64;

    let mut head = Bytes(Vec::new());
    head.0.extend_from_slice(&[0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, 1, 1]);
    head.0.resize(16, 0);
    head.u16(3);
    head.u16(machine);
    head.u32(1);
    head.word(wide, 0);
    head.word(wide, ehdr as u64);
    head.word(wide, 0);
    head.u32(0);
    let section = if wide { 64 } else { 40 };
    for half in [ehdr as u16, phdr_size as u16, phnum as u16, section, 0, 0] {
        head.u16(half);
    }
    let mut phdr = |kind: u32, flags: u32, at: u64, len: u64, align: u64| {
        head.u32(kind);
        if wide {
            head.u32(flags);
        }
        for word in [at, at, at, len, len] {
            head.word(wide, word);
        }
        if !wide {
            head.u32(flags);
        }
        head.word(wide, align);
    };
    phdr(1, 5, 0, total, 4096);
    phdr(2, 4, dynamic as u64, dynamic_len as u64, 8);
    phdr(0x6474_e551, 4, 0, 0, 16);
    out.0[..head.0.len()].copy_from_slice(&head.0);
    Vdso { private: 0..total, image: out.0, sigreturn, places, entry: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::{Wanted, elf};

    #[test]
    fn the_image_is_a_shared_object() {
        let functions = [
            Function { name: "__kernel_clock_gettime", code: &[1, 2, 3, 4], sigreturn: false },
            Function { name: "__kernel_rt_sigreturn", code: &[5, 6, 7, 8], sigreturn: true },
        ];
        for wide in [true, false] {
            let vdso = build(183, wide, "LINUX_2.6.39", &functions);
            let task_size = if wide { 1 << 47 } else { 1 << 32 };
            let wanted = Wanted { machine: 183, wide, big_endian: false, task_size };
            let image = elf::parse(&vdso.image[..], &wanted).unwrap();
            assert!(image.relocatable);
            assert_eq!(vdso.image[vdso.sigreturn as usize..][..4], [5, 6, 7, 8]);
        }
        // The hash that C libraries compare with, as the kernel's own vDSO has it.
        assert_eq!(elf_hash("LINUX_2.6.39"), 0x075f_cb89);
    }
}
