//! `qemu-binfmt-conf`: see the crate.

use binfmt_conf::{options, run};

fn main() {
    let parsed =
        options::parse(std::env::args().skip(1), |name| std::env::var(name).ok(), std::env::consts::ARCH);
    let done = match parsed {
        Ok(options) => run(&options),
        Err(outcome) => outcome,
    };
    print!("{}", done.out);
    eprint!("{}", done.err);
    std::process::exit(done.code);
}
