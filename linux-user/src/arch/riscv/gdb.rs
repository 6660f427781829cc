//! How the debugger sees the registers: the standard features `org.gnu.gdb.riscv.cpu` and `.fpu`.

use crate::arch::GdbRegister;

/// Index of the program counter; x0 to x31 stand before it.
pub const PC: usize = 32;
/// Index of the first floating-point register.
pub const F0: usize = 33;
/// Index of fflags; frm and fcsr follow.
pub const FFLAGS: usize = 65;

macro_rules! registers {
    ($($name:literal $bits:literal),* $(,)?) => {
        &[$(GdbRegister { name: $name, bits: $bits }),*]
    };
}

/// In the order of the description, with integer registers of 64 bits.
pub static REGISTERS: &[GdbRegister] = registers!(
    "zero" 64, "ra" 64, "sp" 64, "gp" 64, "tp" 64, "t0" 64, "t1" 64, "t2" 64, "fp" 64, "s1" 64, "a0" 64, "a1" 64,
    "a2" 64, "a3" 64, "a4" 64, "a5" 64, "a6" 64, "a7" 64, "s2" 64, "s3" 64, "s4" 64, "s5" 64, "s6" 64, "s7" 64,
    "s8" 64, "s9" 64, "s10" 64, "s11" 64, "t3" 64, "t4" 64, "t5" 64, "t6" 64, "pc" 64,
    "ft0" 64, "ft1" 64, "ft2" 64, "ft3" 64, "ft4" 64, "ft5" 64, "ft6" 64, "ft7" 64, "fs0" 64, "fs1" 64, "fa0" 64,
    "fa1" 64, "fa2" 64, "fa3" 64, "fa4" 64, "fa5" 64, "fa6" 64, "fa7" 64, "fs2" 64, "fs3" 64, "fs4" 64, "fs5" 64,
    "fs6" 64, "fs7" 64, "fs8" 64, "fs9" 64, "fs10" 64, "fs11" 64, "ft8" 64, "ft9" 64, "ft10" 64, "ft11" 64,
    "fflags" 32, "frm" 32, "fcsr" 32,
);

/// Index of v0, behind which the vector registers and vstart, vl, vtype, vcsr and vlenb stand.
pub const V0: usize = 68;

const VECTOR_NAMES: [&str; 37] = [
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15",
    "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30",
    "v31", "vstart", "vl", "vtype", "vcsr", "vlenb",
];

/// In the order of the description. `vlen` is zero without vectors.
pub fn registers(xlen: u32, vlen: u32) -> Vec<GdbRegister> {
    let narrow =
        |(n, r): (usize, &GdbRegister)| GdbRegister { bits: if n <= PC { xlen } else { r.bits }, ..*r };
    let mut list: Vec<GdbRegister> = REGISTERS.iter().enumerate().map(narrow).collect();
    if vlen != 0 {
        let vector =
            |(n, name): (usize, &&'static str)| GdbRegister { name, bits: if n < 32 { vlen } else { xlen } };
        list.extend(VECTOR_NAMES.iter().enumerate().map(vector));
    }
    list
}

/// The types of a vector register: a union of vectors of each element size.
fn vector_types(vlen: u32) -> String {
    let sizes =
        [("bytes", "uint8", 8), ("shorts", "uint16", 16), ("words", "uint32", 32), ("longs", "uint64", 64)];
    let mut types = String::new();
    let mut fields = String::new();
    for (name, element, bits) in sizes.iter().filter(|(_, _, bits)| *bits <= vlen) {
        types += &format!("<vector id=\"{name}\" type=\"{element}\" count=\"{}\"/>", vlen / bits);
        fields = format!("<field name=\"{}\" type=\"{name}\"/>{fields}", &name[..1]);
    }
    format!("{types}<union id=\"riscv_vector\">{fields}</union>")
}

/// `target.xml`.
pub fn target_xml(xlen: u32, vlen: u32) -> String {
    let mut xml = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">\
         <architecture>riscv:rv{xlen}</architecture><osabi>GNU/Linux</osabi>\
         <feature name=\"org.gnu.gdb.riscv.cpu\">",
    );
    for (index, register) in registers(xlen, vlen).iter().enumerate() {
        if index == F0 {
            xml += "</feature><feature name=\"org.gnu.gdb.riscv.fpu\">";
        } else if index == V0 {
            xml += "</feature><feature name=\"org.gnu.gdb.riscv.vector\">";
            xml += &vector_types(vlen);
        } else if index == V0 + 32 {
            xml += "</feature><feature name=\"org.gnu.gdb.riscv.csr\">";
        }
        let kind = match index {
            1 | PC => " type=\"code_ptr\"",
            2..=4 | 8 => " type=\"data_ptr\"",
            F0..FFLAGS => " type=\"ieee_double\"",
            V0.. if index < V0 + 32 => " type=\"riscv_vector\"",
            _ => " type=\"int\"",
        };
        xml += &format!("<reg name=\"{}\" bitsize=\"{}\"{kind}/>", register.name, register.bits);
    }
    xml += "</feature></target>";
    xml
}
