//! `cargo run -p syscall-tables --example matrix [arch]`: the support matrix as Markdown.

fn main() {
    let name = std::env::args().nth(1).unwrap_or_else(|| "aarch64".into());
    match syscall_tables::Arch::from_name(&name) {
        Some(arch) => print!("{}", syscall_tables::matrix::markdown(arch)),
        None => {
            eprintln!("unknown arch '{name}'");
            std::process::exit(1);
        }
    }
}
