//! Translated code against the interpreter on random guest code, for every host feature level of this machine.
//!
//! `OMNIRUN_CASES` sets the number of cases per level (the default keeps the ordinary run short), `OMNIRUN_SEED` the first
//! seed. A failure prints the seed: `OMNIRUN_SEED=... OMNIRUN_CASES=1` reproduces it.

use guest_aarch64::cpu::Cpu;
use guest_aarch64::{Aarch64, decode};
use host_x86_64::X86_64;
use host_x86_64::asm::{Features, Level};
use omnirun_tests::differential::{Pair, Rng, Subject, set_up};

/// Groups of rows that branch, trap or read what changes by itself.
fn excluded(row: &decode::Row) -> bool {
    row.group == "branch_sys"
}

fn instruction(r: &mut Rng) -> Vec<u8> {
    let rows = decode::ROWS;
    loop {
        let row = &rows[r.below(rows.len() as u64) as usize];
        if !excluded(row) {
            return decode::generate(row, r.next_u64() as u32).to_le_bytes().to_vec();
        }
    }
}

fn env(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn main() {
    set_up();
    let cases = env("OMNIRUN_CASES").unwrap_or(20_000);
    let first = env("OMNIRUN_SEED").unwrap_or(1);
    let show = env("OMNIRUN_SHOW").unwrap_or(8) as usize;
    let levels: [(&str, fn() -> Box<dyn ir::BackEnd>); 3] = [
        ("sse4", || Box::new(X86_64::new(Features::detect_at_most(Level::Sse), &slots()))),
        ("avx2", || Box::new(X86_64::new(Features::detect_at_most(Level::Avx2), &slots()))),
        ("avx512", || Box::new(X86_64::new(Features::detect_at_most(Level::Avx512), &slots()))),
    ];
    let (mut passed, mut failed) = (0u64, 0u64);
    for (name, back_end) in levels {
        let subject = Subject {
            guest: || Box::new(Aarch64::new(Cpu::default())),
            instruction,
            syscall: &[0x01, 0x00, 0x00, 0xd4],
            pointers: &[0, 1, 2, 3, 4, 5, 9, 10, 19, 20, 28, 31],
        };
        let mut pair = Pair::new(subject, back_end);
        let mut differences = 0;
        for seed in first..first + cases {
            let count = 1 + (seed % 12) as usize;
            match pair.run_case(seed, count) {
                Ok(()) => passed += 1,
                Err(text) => {
                    failed += 1;
                    differences += 1;
                    if differences <= show {
                        println!("{name}: {text}");
                    }
                }
            }
        }
        println!("translator/{name}: {cases} cases, {differences} differences");
    }
    println!("{passed} passed, {failed} failed");
    if failed > 0 {
        std::process::exit(1);
    }
}

fn slots() -> ir::SlotTable {
    guest_aarch64::cpu::slot_table()
}
