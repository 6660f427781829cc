//! Build stage: reads the data files of `linux/` and writes one Rust file of tables to `OUT_DIR`.
//!
//! Input formats are described at the top of each data file. A mistake in the data fails the build with file and line.

#[path = "build/parse.rs"]
mod parse;
#[path = "build/write.rs"]
mod write;

fn main() {
    println!("cargo:rerun-if-changed=linux");
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=build.rs");
    let dir = std::path::Path::new("linux");
    match parse::load(dir) {
        Ok(tables) => {
            let out = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
            let text = write::generate(&tables);
            std::fs::write(std::path::Path::new(&out).join("tables.rs"), text).expect("OUT_DIR is writable");
        }
        Err(message) => {
            eprintln!("{message}");
            std::process::exit(1);
        }
    }
}
