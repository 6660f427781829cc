//! CSR instructions: fflags, frm and fcsr with all six instructions, which other numbers are legal, and the table jumps that
//! need jvt.

use crate::state::{CODE, Random, State, WINDOW, random};
use crate::suite::{self, Suite};
use crate::{Batch, cases, compare, number, report};
use guest_riscv::cpu::Feature;

fn instruction(csr: u32, rs1: u32, f3: u32, rd: u32) -> Vec<u8> {
    (csr << 20 | rs1 << 15 | f3 << 12 | rd << 7 | 0x73).to_le_bytes().to_vec()
}

fn states(suite: &Suite, r: &mut Random, count: usize) -> Vec<State> {
    let fx = suite.parsed().features.has(Feature::Fx);
    (0..count)
        .map(|_| {
            let mut s = random(suite, r, 32, false, false);
            if !fx {
                (s.f, s.fcsr) = ([0; 32], 0);
            }
            s
        })
        .collect()
}

fn float_status(suite: Suite) {
    let mut r = Random(number("OMNIRUN_ORACLE_SEED", 1) << 8);
    let rounds = cases() / 8;
    let batches =
        (0..rounds).flat_map(|_| [1, 2, 3].map(|csr| [1, 2, 3, 5, 6, 7].map(|f3| (csr, f3)))).flatten();
    let batches = batches.map(|(csr, f3)| {
        let (rs1, rd) = (r.below(32) as u32, if r.one_in(4) { 0 } else { r.below(32) as u32 });
        let states = states(&suite, &mut r, 16);
        Batch { name: format!("csr {csr:x} f3 {f3}"), code: instruction(csr, rs1, f3, rd), states }
    });
    let (total, failed) = compare(&suite, batches, |_, _| false);
    report(&suite, "fcsr", total, &failed);
}

/// Every CSR number, read and written without a result.
fn legality(suite: Suite) {
    let mut r = Random(7);
    let with_vectors = suite.parsed().features.has(Feature::Zve32x);
    let batches =
        (0..4096).flat_map(|csr| [(csr, 0, 2), (csr, 0, 5), (csr, 1, 6)]).filter_map(|(csr, rs1, f3)| {
            // The vector unit's, as long as there is none.
            let vector = matches!(csr, 8..=10 | 15 | 0xc20..=0xc22);
            // Stacks of return addresses, which this CPU says it has not.
            let shadow = csr == 0x11;
            if vector && !with_vectors || shadow {
                return None;
            }
            let mut states = states(&suite, &mut r, 1);
            states[0].fcsr = 0;
            Some(Batch { name: format!("csr {csr:x} f3 {f3}"), code: instruction(csr, rs1, f3, 0), states })
        });
    let (total, failed) = compare(&suite, batches, |_, _| false);
    report(&suite, "CSR numbers", total, &failed);
}

/// `csrrw x0, jvt, x5` and a jump through the table in the window.
fn table_jumps(suite: Suite) {
    let mut r = Random(number("OMNIRUN_ORACLE_SEED", 1) << 9);
    let entry = suite.xlen as usize / 8;
    let batches = (0..cases()).map(|_| {
        // As many entries as fit in the window behind an aligned base.
        let index = r.below(512 / entry as u64) as u32;
        let mut code = instruction(0x17, 5, 1, 0);
        code.extend((0xa002 | (index as u16) << 2).to_le_bytes());
        let mut states = states(&suite, &mut r, 8);
        for s in &mut states {
            s.x[5] = WINDOW;
            s.window = (0..512 / entry)
                .flat_map(|_| (CODE + 8 + 2 * r.below(100)).to_le_bytes()[..entry].to_vec())
                .collect();
        }
        Batch { name: format!("table jump {index}"), code, states }
    });
    let (total, failed) = compare(&suite, batches, |_, _| false);
    report(&suite, "table jumps", total, &failed);
}

#[test]
fn fcsr_64() {
    float_status(suite::MAX64);
}

#[test]
fn fcsr_32() {
    float_status(suite::MAX32);
}

#[test]
fn fcsr_of_values_in_integer_registers() {
    float_status(suite::FINX64);
}

#[test]
fn fcsr_is_illegal_without_floating_point() {
    float_status(suite::BASE32);
    float_status(suite::BASE64);
}

#[test]
fn numbers_64() {
    legality(suite::MAX64);
    legality(suite::U54);
    legality(suite::BASE64);
    legality(suite::ZCM64);
}

#[test]
fn numbers_32() {
    legality(suite::MAX32);
    legality(suite::U34);
    legality(suite::FINX32);
}

#[test]
fn jumps_through_a_table() {
    table_jumps(suite::ZCM64);
    table_jumps(suite::ZCM32);
}
