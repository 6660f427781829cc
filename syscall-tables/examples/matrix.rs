//! `cargo run -p syscall-tables --example matrix [arch]`: the support matrix as Markdown: of one arch, or the shares of all.

use syscall_tables::{Arch, matrix};

fn main() {
    let Some(name) = std::env::args().nth(1) else {
        print!("{}\n{}", matrix::overview(), matrix::missing());
        return;
    };
    match Arch::from_name(&name) {
        Some(arch) => print!("{}", matrix::markdown(arch)),
        None => {
            eprintln!("unknown arch '{name}'");
            std::process::exit(1);
        }
    }
}
