//! Translated code against the interpreter on random guest code, for every host feature level of this machine.
//!
//! `OMNIRUN_CASES` sets the number of cases per level (the default keeps the ordinary run short), `OMNIRUN_SEED` the first
//! seed. A failure prints the seed: `omnirun-dev reduce CASE LEVEL SEED` shrinks it to the instructions that matter.

use omnirun_tests::differential::{Pair, set_up};
use omnirun_tests::subjects::{CASES, LEVELS};

fn env(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn main() {
    set_up();
    let cases = env("OMNIRUN_CASES").unwrap_or(4_000);
    let first = env("OMNIRUN_SEED").unwrap_or(1);
    let show = env("OMNIRUN_SHOW").unwrap_or(8) as usize;
    let (mut passed, mut failed) = (0u64, 0u64);
    for case in &CASES {
        for (name, level) in LEVELS {
            let mut pair = Pair::new((case.subject)(), &|| case.back_end(level));
            let mut differences = 0;
            for seed in first..first + cases {
                let count = 1 + (seed % 12) as usize;
                match pair.run_case(seed, count) {
                    Ok(()) => passed += 1,
                    Err(text) => {
                        failed += 1;
                        differences += 1;
                        if differences <= show {
                            println!("{}/{name}: {text}", case.name);
                        }
                    }
                }
            }
            println!("translator/{}/{name}: {cases} cases, {differences} differences", case.name);
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed > 0 {
        std::process::exit(1);
    }
}
