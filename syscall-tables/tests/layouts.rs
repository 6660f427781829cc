//! Sizes and offsets of every structure against what compilers say (`tests/data/<arch>.txt`, made by `layout_values.c`).

use syscall_tables::{Arch, STRUCTS, layout};

fn check(name: &str, text: &str) {
    let arch = Arch::from_name(name).expect("data is named after an arch");
    let mut bad = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(structure), Some(size)) = (words.next(), words.next()) else { continue };
        let id = STRUCTS.iter().position(|s| s.name == structure).expect("a structure of structs.def");
        let l = layout(syscall_tables::StructId(id as u16), arch);
        if l.size.to_string() != size {
            bad.push(format!("{name}: {structure} has {} bytes, compiler says {size}", l.size));
        }
        for word in words {
            let (field, offset) = word.split_once(':').expect("field:offset");
            match l.field(field) {
                Some(f) if f.offset.to_string() == offset => {}
                Some(f) => {
                    bad.push(format!("{name}: {structure}.{field} at {}, compiler says {offset}", f.offset))
                }
                None => bad.push(format!("{name}: {structure}.{field} missing")),
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn layouts_agree_with_compilers() {
    check("x86_64", include_str!("data/x86_64.txt"));
    check("aarch64", include_str!("data/aarch64.txt"));
    check("riscv64", include_str!("data/riscv64.txt"));
    check("i386", include_str!("data/i386.txt"));
    check("arm", include_str!("data/arm.txt"));
    check("ppc", include_str!("data/ppc.txt"));
    check("riscv32", include_str!("data/riscv32.txt"));
}
