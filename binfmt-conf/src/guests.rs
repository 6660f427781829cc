//! The architectures as data, and the rules that recognise their programs.
//!
//! Facts: ELF specification and its processor supplements, `elf.h` of the GNU C library (machine numbers, flags). A rule is
//! the start of the file, compared under a mask: class, byte order, type (executable or shared object) and machine count; the
//! OS ABI and its version do not, since Linux programs have several.

/// One architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guest {
    /// As in `qemu-<name>`.
    pub name: &'static str,
    /// 64-bit ELF class.
    pub wide: bool,
    /// Byte order.
    pub big_endian: bool,
    /// `e_machine`.
    pub machine: u16,
    /// Architectures of one family run on each other's processors: a host registers none of its own.
    pub family: &'static str,
    /// `e_flags` under a mask, where the machine alone does not tell.
    pub flags: Option<(u32, u32)>,
}

const fn guest(
    name: &'static str,
    bits: u8,
    order: char,
    machine: u16,
    family: &'static str,
    flags: Option<(u32, u32)>,
) -> Guest {
    Guest { name, wide: bits == 64, big_endian: order == 'b', machine, family, flags }
}

/// EF_MIPS_ABI2: the N32 ABI.
const N32: u32 = 0x20;

/// All architectures that QEMU's user mode has.
pub const GUESTS: &[Guest] = &[
    guest("aarch64", 64, 'l', 183, "arm", None),
    guest("aarch64_be", 64, 'b', 183, "arm", None),
    guest("alpha", 64, 'l', 0x9026, "alpha", None),
    guest("arm", 32, 'l', 40, "arm", None),
    guest("armeb", 32, 'b', 40, "arm", None),
    guest("hexagon", 32, 'l', 164, "hexagon", None),
    guest("hppa", 32, 'b', 15, "hppa", None),
    guest("i386", 32, 'l', 3, "i386", None),
    guest("i486", 32, 'l', 6, "i386", None),
    guest("loongarch64", 64, 'l', 258, "loongarch", None),
    guest("m68k", 32, 'b', 4, "m68k", None),
    guest("microblaze", 32, 'b', 189, "microblaze", None),
    guest("microblazeel", 32, 'l', 189, "microblaze", None),
    guest("mips", 32, 'b', 8, "mips", Some((0, N32))),
    guest("mipsel", 32, 'l', 8, "mips", Some((0, N32))),
    guest("mips64", 64, 'b', 8, "mips", None),
    guest("mips64el", 64, 'l', 8, "mips", None),
    guest("mipsn32", 32, 'b', 8, "mips", Some((N32, N32))),
    guest("mipsn32el", 32, 'l', 8, "mips", Some((N32, N32))),
    guest("or1k", 32, 'b', 92, "or1k", None),
    guest("ppc", 32, 'b', 20, "ppc", None),
    guest("ppc64", 64, 'b', 21, "ppc", None),
    guest("ppc64le", 64, 'l', 21, "ppcle", None),
    guest("riscv32", 32, 'l', 243, "riscv", None),
    guest("riscv64", 64, 'l', 243, "riscv", None),
    guest("s390x", 64, 'b', 22, "s390x", None),
    guest("sh4", 32, 'l', 42, "sh4", None),
    guest("sh4eb", 32, 'b', 42, "sh4", None),
    guest("sparc", 32, 'b', 2, "sparc", None),
    guest("sparc32plus", 32, 'b', 18, "sparc", None),
    guest("sparc64", 64, 'b', 43, "sparc", None),
    guest("x86_64", 64, 'l', 62, "i386", None),
    guest("xtensa", 32, 'l', 94, "xtensa", None),
    guest("xtensaeb", 32, 'b', 94, "xtensa", None),
];

/// Offset of `e_flags` in a 32-bit header; only such guests are told apart by it.
const FLAGS_AT: usize = 36;

impl Guest {
    /// The architecture of this name.
    pub fn named(name: &str) -> Option<&'static Guest> {
        GUESTS.iter().find(|g| g.name == name)
    }

    /// The emulator's binary. The oldest x86 machine number is run by the same one.
    pub fn emulator(&self) -> String {
        format!("qemu-{}", if self.name == "i486" { "i386" } else { self.name })
    }

    fn half(&self, value: u16) -> [u8; 2] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// What a program's first bytes are, and which of their bits count.
    pub fn rule(&self) -> (Vec<u8>, Vec<u8>) {
        let mut magic =
            vec![0x7f, b'E', b'L', b'F', 1 + u8::from(self.wide), 1 + u8::from(self.big_endian), 1];
        let mut mask = vec![0xff; 7];
        // OS ABI and its version, then padding.
        magic.resize(16, 0);
        mask.extend([0, 0]);
        mask.resize(16, 0xff);
        // ET_EXEC is 2, ET_DYN is 3.
        magic.extend(self.half(2));
        mask.extend(self.half(0xfffe));
        magic.extend(self.half(self.machine));
        mask.extend([0xff, 0xff]);
        if let Some((flags, flags_mask)) = self.flags {
            let bytes = |word: u32| if self.big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
            for (field, word) in [(&mut magic, flags), (&mut mask, flags_mask)] {
                field.resize(FLAGS_AT, 0);
                field.extend(bytes(word));
            }
        }
        (magic, mask)
    }

    /// Whether the rule fits these first bytes.
    pub fn matches(&self, head: &[u8]) -> bool {
        let (magic, mask) = self.rule();
        head.len() >= magic.len() && magic.iter().zip(&mask).zip(head).all(|((m, k), b)| m & k == b & k)
    }
}

/// The architecture whose program begins with these bytes.
pub fn of_program(head: &[u8]) -> Option<&'static Guest> {
    GUESTS.iter().find(|g| g.matches(head))
}

/// The family of a machine by its `uname -m`.
pub fn family_of_host(machine: &str) -> &str {
    match machine {
        "x86_64" | "i386" | "i486" | "i586" | "i686" | "amd64" => "i386",
        m if m.starts_with("aarch64") || m.starts_with("arm") => "arm",
        "ppc64le" => "ppcle",
        m if m.starts_with("ppc") => "ppc",
        m if m.starts_with("mips") => "mips",
        m if m.starts_with("riscv") => "riscv",
        m if m.starts_with("sparc") => "sparc",
        m if m.starts_with("loongarch") => "loongarch",
        m => m,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_the_known_ones() {
        let text = |b: &[u8]| b.iter().map(|x| format!("{x:02x}")).collect::<String>();
        let (magic, mask) = Guest::named("aarch64").unwrap().rule();
        assert_eq!(text(&magic), "7f454c460201010000000000000000000200b700");
        assert_eq!(text(&mask), "ffffffffffffff0000fffffffffffffffeffffff");
        let (magic, mask) = Guest::named("s390x").unwrap().rule();
        assert_eq!(text(&magic), "7f454c4602020100000000000000000000020016");
        assert_eq!(text(&mask), "ffffffffffffff0000fffffffffffffffffeffff");
    }

    #[test]
    fn every_program_has_one_guest() {
        for g in GUESTS {
            let (magic, _) = g.rule();
            for kind in [2, 3] {
                let mut head = magic.clone();
                head.resize(64, 0);
                head[if g.big_endian { 17 } else { 16 }] = kind;
                // Another OS ABI.
                head[7] = 3;
                let found: Vec<&str> = GUESTS.iter().filter(|o| o.matches(&head)).map(|o| o.name).collect();
                assert_eq!(found, [g.name]);
            }
            let mut object = magic.clone();
            object[if g.big_endian { 17 } else { 16 }] = 1;
            object.resize(64, 0);
            assert_eq!(of_program(&object), None, "{} object file", g.name);
        }
        assert_eq!(of_program(b"#!/bin/sh\n"), None);
    }
}
