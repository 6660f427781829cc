//! How the debugger sees the registers: the standard features `org.gnu.gdb.i386.core`, `.sse`, `.linux`, `.segments`, `.avx`.

use crate::arch::GdbRegister;

/// What a register is, and its number among its kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A general register, by the manual's number.
    General(u32),
    /// Instruction pointer.
    Ip,
    /// EFLAGS.
    Flags,
    /// A selector, by `Seg`.
    Selector(usize),
    /// ST(n).
    St(usize),
    /// fctrl, fstat, ftag, fiseg, fioff, foseg, fooff, fop.
    Control(usize),
    /// Low half of a vector register.
    Xmm(u32),
    /// MXCSR.
    Mxcsr,
    /// Number of the system call.
    Orig,
    /// Base of FS (4) or GS (5).
    Base(usize),
    /// Bits 255 to 128 of a vector register.
    YmmHigh(u32),
}

/// A register, its place, and the type in the description.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// Name and width.
    pub gdb: GdbRegister,
    /// Where it is.
    pub place: Place,
    kind: &'static str,
    feature: &'static str,
}

const GENERAL64: [(&str, u32); 16] = [
    ("rax", 0),
    ("rbx", 3),
    ("rcx", 1),
    ("rdx", 2),
    ("rsi", 6),
    ("rdi", 7),
    ("rbp", 5),
    ("rsp", 4),
    ("r8", 8),
    ("r9", 9),
    ("r10", 10),
    ("r11", 11),
    ("r12", 12),
    ("r13", 13),
    ("r14", 14),
    ("r15", 15),
];
const GENERAL32: [(&str, u32); 8] =
    [("eax", 0), ("ecx", 1), ("edx", 2), ("ebx", 3), ("esp", 4), ("ebp", 5), ("esi", 6), ("edi", 7)];
/// In the order of the description, with `Seg`'s numbers.
const SELECTORS: [(&str, usize); 6] = [("cs", 1), ("ss", 2), ("ds", 3), ("es", 0), ("fs", 4), ("gs", 5)];
const ST: [&str; 8] = ["st0", "st1", "st2", "st3", "st4", "st5", "st6", "st7"];
const CONTROL: [&str; 8] = ["fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"];
const XMM: [&str; 16] = [
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
    "xmm12", "xmm13", "xmm14", "xmm15",
];
const YMM: [&str; 16] = [
    "ymm0h", "ymm1h", "ymm2h", "ymm3h", "ymm4h", "ymm5h", "ymm6h", "ymm7h", "ymm8h", "ymm9h", "ymm10h",
    "ymm11h", "ymm12h", "ymm13h", "ymm14h", "ymm15h",
];

/// The registers in the order of the description.
pub fn registers(long: bool, sse: bool, avx: bool) -> Vec<Register> {
    let word = if long { 64 } else { 32 };
    let mut list = Vec::new();
    let mut add = |feature, name, bits, kind, place| {
        list.push(Register { gdb: GdbRegister { name, bits }, place, kind, feature });
    };
    let general: &[(&str, u32)] = if long { &GENERAL64 } else { &GENERAL32 };
    for &(name, n) in general {
        let kind = if n == 4 || n == 5 { "data_ptr" } else { "int" };
        add("core", name, word, kind, Place::General(n));
    }
    add("core", if long { "rip" } else { "eip" }, word, "code_ptr", Place::Ip);
    add("core", "eflags", 32, "i386_eflags", Place::Flags);
    for (name, n) in SELECTORS {
        add("core", name, 32, "int", Place::Selector(n));
    }
    for (n, name) in ST.into_iter().enumerate() {
        add("core", name, 80, "i387_ext", Place::St(n));
    }
    for (n, name) in CONTROL.into_iter().enumerate() {
        add("core", name, 32, "int", Place::Control(n));
    }
    let vectors = if long { 16 } else { 8 };
    if sse {
        for (n, name) in XMM.into_iter().enumerate().take(vectors) {
            add("sse", name, 128, "vec128", Place::Xmm(n as u32));
        }
        add("sse", "mxcsr", 32, "i386_mxcsr", Place::Mxcsr);
    }
    add("linux", if long { "orig_rax" } else { "orig_eax" }, word, "int", Place::Orig);
    if long {
        add("segments", "fs_base", 64, "int", Place::Base(4));
        add("segments", "gs_base", 64, "int", Place::Base(5));
    }
    if sse && avx {
        for (n, name) in YMM.into_iter().enumerate().take(vectors) {
            add("avx", name, 128, "uint128", Place::YmmHigh(n as u32));
        }
    }
    list
}

fn types(feature: &str) -> String {
    let flags = |id: &str, fields: &[(&str, u32)]| {
        let fields: String = fields
            .iter()
            .map(|(name, bit)| format!("<field name=\"{name}\" start=\"{bit}\" end=\"{bit}\"/>"))
            .collect();
        format!("<flags id=\"{id}\" size=\"4\">{fields}</flags>")
    };
    match feature {
        "core" => flags(
            "i386_eflags",
            &[
                ("CF", 0),
                ("", 1),
                ("PF", 2),
                ("AF", 4),
                ("ZF", 6),
                ("SF", 7),
                ("TF", 8),
                ("IF", 9),
                ("DF", 10),
                ("OF", 11),
                ("NT", 14),
                ("RF", 16),
                ("VM", 17),
                ("AC", 18),
                ("VIF", 19),
                ("VIP", 20),
                ("ID", 21),
            ],
        ),
        "sse" => {
            let kinds = [
                ("v4f", "ieee_single", 4, "v4_float"),
                ("v2d", "ieee_double", 2, "v2_double"),
                ("v16i8", "int8", 16, "v16_int8"),
                ("v8i16", "int16", 8, "v8_int16"),
                ("v4i32", "int32", 4, "v4_int32"),
                ("v2i64", "int64", 2, "v2_int64"),
            ];
            let vectors: String = kinds
                .iter()
                .map(|(id, ty, n, _)| format!("<vector id=\"{id}\" type=\"{ty}\" count=\"{n}\"/>"))
                .collect();
            let fields: String = kinds
                .iter()
                .map(|(id, _, _, name)| format!("<field name=\"{name}\" type=\"{id}\"/>"))
                .collect();
            let union =
                format!("<union id=\"vec128\">{fields}<field name=\"uint128\" type=\"uint128\"/></union>");
            let mxcsr = flags(
                "i386_mxcsr",
                &[
                    ("IE", 0),
                    ("DE", 1),
                    ("ZE", 2),
                    ("OE", 3),
                    ("UE", 4),
                    ("PE", 5),
                    ("DAZ", 6),
                    ("IM", 7),
                    ("DM", 8),
                    ("ZM", 9),
                    ("OM", 10),
                    ("UM", 11),
                    ("PM", 12),
                    ("FZ", 15),
                ],
            );
            vectors + &union + &mxcsr
        }
        _ => String::new(),
    }
}

/// `target.xml`.
pub fn target_xml(long: bool, registers: &[Register]) -> String {
    let arch = if long { "i386:x86-64" } else { "i386" };
    let mut xml = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">\
         <architecture>{arch}</architecture><osabi>GNU/Linux</osabi>"
    );
    let mut open = "";
    for r in registers {
        if r.feature != open {
            if !open.is_empty() {
                xml += "</feature>";
            }
            xml += &format!("<feature name=\"org.gnu.gdb.i386.{}\">{}", r.feature, types(r.feature));
            open = r.feature;
        }
        let group = if matches!(r.place, Place::Control(_)) { " group=\"float\"" } else { "" };
        xml +=
            &format!("<reg name=\"{}\" bitsize=\"{}\" type=\"{}\"{group}/>", r.gdb.name, r.gdb.bits, r.kind);
    }
    xml + "</feature></target>"
}
