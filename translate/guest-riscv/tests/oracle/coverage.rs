//! Every row of the decode tables is compared with the reference somewhere, or here is why not.

use crate::rows::{skip, word_of};
use crate::state::Random;
use crate::suite::{self, Suite};
use guest_riscv::cpu::Features;
use guest_riscv::decode::{ROWS, Row, decode, generate};

/// Rows that no test compares with the reference.
const ELSEWHERE: [(&str, &str); 3] = [
    ("ecall", "system calls are the emulator's own tests"),
    ("cbo_clean", "the reference behaves as older kernels, which do not allow it; `behaviour.rs`"),
    ("cbo_flush", "the reference behaves as older kernels, which do not allow it; `behaviour.rs`"),
];

/// Rows that `csr.rs` compares.
const CSR: [&str; 6] = ["csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi", "csrrci"];

/// Groups that `rows.rs` compares on a suite.
const COMPARED: [(&[&str], &[Suite]); 4] = [
    (&["int", "crypto"], &[suite::MAX64, suite::MAX32, suite::VENTANA]),
    (&["atomic"], &[suite::MAX64, suite::MAX32]),
    (&["float"], &[suite::MAX64, suite::MAX32]),
    (&["xthead"], &[suite::VENDOR]),
];

fn compared(row: &Row) -> bool {
    COMPARED.iter().any(|(groups, suites)| {
        groups.contains(&row.group)
            && suites.iter().any(|s| {
                let features: Features = s.parsed().features;
                word_of(s, &features, row, &mut Random(1)).is_some()
            })
    })
}

#[test]
fn every_row_is_compared_or_has_a_reason() {
    // Vector rows have their own tests.
    for row in ROWS.iter().filter(|row| !row.group.starts_with('v')) {
        let elsewhere = CSR.contains(&row.name) || ELSEWHERE.iter().any(|(name, _)| *name == row.name);
        assert!(
            compared(row) != elsewhere,
            "{}: {}",
            row.name,
            if elsewhere { "compared after all" } else { "not compared" }
        );
    }
}

#[test]
fn every_suite_is_a_cpu_of_ours() {
    for s in suite::ALL {
        let features = s.parsed().features;
        let some = ROWS.iter().any(|row| {
            let word = generate(row, 1);
            decode(word, &features).is_some_and(|insn| skip(&s, insn).is_none())
        });
        assert!(some, "{}", s.name);
    }
}
