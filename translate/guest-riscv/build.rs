//! Generates the decoder of 32-bit instructions from `src/rv/*.decode`. Compressed ones are expanded first.

fn main() {
    let options = decodegen::Options { width: 32, feature: "crate::cpu::Feature" };
    decodegen::build("src/rv", &["int", "atomic", "float", "crypto", "xthead", "vector"], &options, "rv.rs");
}
