//! How the debugger sees the registers: the standard features `org.gnu.gdb.aarch64.core`, `.fpu` and `.tls`.

use crate::arch::GdbRegister;

/// Index of the first vector register.
pub const V0: usize = 34;
/// Index of FPSR; FPCR follows, then the thread pointer.
pub const FPSR: usize = 66;

macro_rules! registers {
    ($($name:literal $bits:literal),* $(,)?) => {
        &[$(GdbRegister { name: $name, bits: $bits }),*]
    };
}

/// In the order of the description.
pub static REGISTERS: &[GdbRegister] = registers!(
    "x0" 64, "x1" 64, "x2" 64, "x3" 64, "x4" 64, "x5" 64, "x6" 64, "x7" 64, "x8" 64, "x9" 64, "x10" 64, "x11" 64,
    "x12" 64, "x13" 64, "x14" 64, "x15" 64, "x16" 64, "x17" 64, "x18" 64, "x19" 64, "x20" 64, "x21" 64, "x22" 64,
    "x23" 64, "x24" 64, "x25" 64, "x26" 64, "x27" 64, "x28" 64, "x29" 64, "x30" 64, "sp" 64, "pc" 64, "cpsr" 32,
    "v0" 128, "v1" 128, "v2" 128, "v3" 128, "v4" 128, "v5" 128, "v6" 128, "v7" 128, "v8" 128, "v9" 128, "v10" 128,
    "v11" 128, "v12" 128, "v13" 128, "v14" 128, "v15" 128, "v16" 128, "v17" 128, "v18" 128, "v19" 128, "v20" 128,
    "v21" 128, "v22" 128, "v23" 128, "v24" 128, "v25" 128, "v26" 128, "v27" 128, "v28" 128, "v29" 128, "v30" 128,
    "v31" 128, "fpsr" 32, "fpcr" 32, "tpidr" 64,
);

/// `target.xml`: the standard features, with the names and types that gdb knows them by.
pub fn target_xml() -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">\
         <architecture>aarch64</architecture><osabi>GNU/Linux</osabi>\
         <feature name=\"org.gnu.gdb.aarch64.core\">",
    );
    for (index, register) in REGISTERS.iter().enumerate() {
        if index == V0 {
            xml += "</feature><feature name=\"org.gnu.gdb.aarch64.fpu\">";
            for (id, element, count) in [
                ("v2d", "ieee_double", 2),
                ("v2u", "uint64", 2),
                ("v4f", "ieee_single", 4),
                ("v4u", "uint32", 4),
                ("v8u", "uint16", 8),
                ("v16u", "uint8", 16),
                ("v1u", "uint128", 1),
            ] {
                xml += &format!("<vector id=\"{id}\" type=\"{element}\" count=\"{count}\"/>");
            }
            xml += "<union id=\"vnd\"><field name=\"f\" type=\"v2d\"/><field name=\"u\" type=\"v2u\"/></union>\
                    <union id=\"vns\"><field name=\"f\" type=\"v4f\"/><field name=\"u\" type=\"v4u\"/></union>\
                    <union id=\"vnh\"><field name=\"u\" type=\"v8u\"/></union>\
                    <union id=\"vnb\"><field name=\"u\" type=\"v16u\"/></union>\
                    <union id=\"vnq\"><field name=\"u\" type=\"v1u\"/></union>\
                    <union id=\"aarch64v\"><field name=\"d\" type=\"vnd\"/><field name=\"s\" type=\"vns\"/>\
                    <field name=\"h\" type=\"vnh\"/><field name=\"b\" type=\"vnb\"/>\
                    <field name=\"q\" type=\"vnq\"/></union>";
        }
        if index == FPSR + 2 {
            xml += "</feature><feature name=\"org.gnu.gdb.aarch64.tls\">";
        }
        let kind = match (register.name, register.bits) {
            ("sp", _) => " type=\"data_ptr\"",
            ("pc", _) => " type=\"code_ptr\"",
            ("tpidr", _) => " type=\"data_ptr\"",
            (_, 128) => " type=\"aarch64v\"",
            _ => "",
        };
        xml += &format!("<reg name=\"{}\" bitsize=\"{}\"{kind}/>", register.name, register.bits);
    }
    xml += "</feature></target>";
    xml
}
