//! Translated code against the interpreter on random guest code, for every host feature level of this machine.
//!
//! `OMNIRUN_CASES` sets the number of cases per level (the default keeps the ordinary run short), `OMNIRUN_SEED` the first
//! seed. A failure prints the seed: `OMNIRUN_SEED=... OMNIRUN_CASES=1` reproduces it.

use guest_aarch64::Aarch64;
use guest_aarch64::cpu::Cpu;
use host_x86_64::X86_64;
use host_x86_64::asm::{Features, Level};
use omnirun_tests::differential::{Pair, Rng, Subject, set_up};

fn aarch64_instruction(r: &mut Rng) -> Vec<u8> {
    let rows = guest_aarch64::decode::ROWS;
    loop {
        let row = &rows[r.below(rows.len() as u64) as usize];
        // The other groups neither branch nor trap nor read what changes by itself.
        if row.group != "branch_sys" {
            return guest_aarch64::decode::generate(row, r.next_u64() as u32).to_le_bytes().to_vec();
        }
    }
}

fn riscv_instruction(r: &mut Rng) -> Vec<u8> {
    const LEAVING: [&str; 16] = [
        "jal", "jalr", "beq", "bne", "blt", "bge", "bltu", "bgeu", "ecall", "ebreak", "fence_i", "csrrw",
        "csrrs", "csrrc", "csrrwi", "csrrsi",
    ];
    let rows = guest_riscv::decode::ROWS;
    loop {
        if r.below(4) == 0 {
            // A compressed instruction that stands for one that stays.
            let half = r.next_u64() as u16;
            let word = guest_riscv::expand(half, &guest_riscv::cpu::Cpu::default().features);
            if half & 3 != 3 && word.is_some_and(|w| !matches!(w & 0x7f, 0x63 | 0x67 | 0x6f | 0x73)) {
                return half.to_le_bytes().to_vec();
            }
            continue;
        }
        let row = &rows[r.below(rows.len() as u64) as usize];
        if !LEAVING.contains(&row.name) && row.name != "csrrci" {
            let mut word = guest_riscv::decode::generate(row, r.next_u64() as u32);
            if row.group == "float" && r.below(2) == 0 {
                // The rounding mode compilers use, where the row has one (it is no fixed bit then).
                word |= 7 << 12 & !row.mask;
            }
            return word.to_le_bytes().to_vec();
        }
    }
}

/// A vector instruction with registers that make it legal more often than not, perhaps after setting vtype and vl.
fn riscv_vector(r: &mut Rng) -> Vec<u8> {
    let mut code = Vec::new();
    if r.below(3) == 0 {
        let (sew, lmul) = (r.below(4) as u32, [0, 0, 1, 1, 2, 3, 6, 7][r.below(8) as usize]);
        let set = if r.below(3) > 0 {
            // vsetvli with all elements
            0x7057 | (1 + r.below(31) as u32) << 7
        } else {
            // vsetivli
            0xc000_7057 | (r.below(32) as u32) << 15
        };
        code.extend((set | sew << 23 | lmul << 20).to_le_bytes());
    }
    let rows = guest_riscv::decode::ROWS;
    loop {
        let row = &rows[r.below(rows.len() as u64) as usize];
        if row.group == "vector" {
            let mut word = guest_riscv::decode::generate(row, r.next_u64() as u32);
            let align = r.below(4) as u32;
            for shift in [7, 15, 20] {
                word &= !((((1 << align) - 1) << shift) & !row.mask);
            }
            code.extend(word.to_le_bytes());
            return code;
        }
    }
}

/// A guest under test.
struct Case {
    name: &'static str,
    subject: fn() -> Subject,
    slots: fn() -> ir::SlotTable,
}

const CASES: [Case; 3] = [
    Case {
        name: "aarch64",
        subject: || Subject {
            guest: || Box::new(Aarch64::new(Cpu::default())),
            instruction: aarch64_instruction,
            syscall: &[0x01, 0x00, 0x00, 0xd4],
            pointers: &[0, 1, 2, 3, 4, 5, 9, 10, 19, 20, 28, 31],
            control: &[],
        },
        slots: guest_aarch64::cpu::slot_table,
    },
    Case {
        name: "riscv64",
        subject: || Subject {
            guest: || Box::new(guest_riscv::Riscv::new(guest_riscv::cpu::Cpu::default())),
            instruction: riscv_instruction,
            syscall: &[0x73, 0x00, 0x00, 0x00],
            pointers: &[0, 1, 4, 5, 7, 8, 9, 10, 12, 14, 20, 30],
            control: &[64, 65, 66, 67],
        },
        slots: guest_riscv::cpu::slot_table,
    },
    Case {
        name: "riscv64-vector",
        subject: || Subject {
            guest: || Box::new(guest_riscv::Riscv::new(guest_riscv::cpu::Cpu::default())),
            instruction: riscv_vector,
            syscall: &[0x73, 0x00, 0x00, 0x00],
            pointers: &[0, 1, 4, 5, 7, 8, 9, 10, 12, 14, 20, 30],
            control: &[64, 65, 66, 67],
        },
        slots: guest_riscv::cpu::slot_table,
    },
];

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
    let levels = [("sse4", Level::Sse), ("avx2", Level::Avx2), ("avx512", Level::Avx512)];
    let (mut passed, mut failed) = (0u64, 0u64);
    for case in &CASES {
        for (name, level) in levels {
            let slots = (case.slots)();
            let back_end =
                || -> Box<dyn ir::BackEnd> { Box::new(X86_64::new(Features::detect_at_most(level), &slots)) };
            let mut pair = Pair::new((case.subject)(), &back_end);
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
