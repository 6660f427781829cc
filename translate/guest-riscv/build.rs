//! Generates the decoder of 32-bit instructions from `src/rv/*.decode`. Compressed ones are expanded first.

use decodegen::{Options, Source, generate};
use std::path::PathBuf;

const FILES: [&str; 3] = ["int", "atomic", "float"];

fn main() {
    let dir = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("src/rv");
    println!("cargo::rerun-if-changed={}", dir.display());
    let texts: Vec<(String, String)> = FILES
        .iter()
        .map(|f| {
            let name = format!("src/rv/{f}.decode");
            let text = std::fs::read_to_string(dir.join(format!("{f}.decode"))).expect("decode file");
            (name, text)
        })
        .collect();
    let sources: Vec<Source<'_>> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    let options = Options { width: 32, feature: "crate::cpu::Feature", feature_set: "crate::cpu::Features" };
    match generate(&sources, &options) {
        Ok(code) => {
            let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("set by cargo")).join("rv.rs");
            std::fs::write(out, code).expect("write decoder");
        }
        Err(errors) => {
            for e in errors {
                println!("cargo::error={e}");
            }
        }
    }
}
