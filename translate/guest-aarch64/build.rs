//! Generates the A64 decoder from `src/a64/*.decode`.

use decodegen::{Options, Source, generate};
use std::path::PathBuf;

const FILES: [&str; 7] = ["dp_imm", "dp_reg", "branch_sys", "ldst", "fp", "simd", "crypto"];

fn main() {
    let dir = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("src/a64");
    println!("cargo::rerun-if-changed={}", dir.display());
    let texts: Vec<(String, String)> = FILES
        .iter()
        .map(|f| {
            let name = format!("src/a64/{f}.decode");
            let text = std::fs::read_to_string(dir.join(format!("{f}.decode"))).expect("decode file");
            (name, text)
        })
        .collect();
    let sources: Vec<Source<'_>> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    let options = Options { width: 32, feature: "crate::cpu::Feature", feature_set: "crate::cpu::Features" };
    match generate(&sources, &options) {
        Ok(code) => {
            let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("set by cargo")).join("a64.rs");
            std::fs::write(out, code).expect("write decoder");
        }
        Err(errors) => {
            for e in errors {
                println!("cargo::error={e}");
            }
        }
    }
}
