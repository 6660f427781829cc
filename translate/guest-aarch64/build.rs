//! Generates the A64 decoder from `src/a64/*.decode`.

fn main() {
    let files = ["dp_imm", "dp_reg", "branch_sys", "ldst", "fp", "simd", "crypto"];
    let options = decodegen::Options { width: 32, feature: "crate::cpu::Feature" };
    decodegen::build("src/a64", &files, &options, "a64.rs");
}
