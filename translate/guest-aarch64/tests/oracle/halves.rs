//! Operations with one half-precision operand on all 65,536 values, in every rounding mode, with and without FZ16, DN
//! and AHP. Exhaustive with `OMNIRUN_ORACLE_CASES` of at least 100,000, else a sample.

use crate::reference::Reference;
use crate::state::{self, Random, State};
use crate::subject::Subject;
use crate::{correct_fp, describe, jit, number, same};
use guest_aarch64::decode::{ROWS, Row};
use guest_aarch64::{Aarch64, cpu};

/// Instruction words with the operand in V1 (and what it does to V0 or X0) of the rows with one half-precision operand.
fn words() -> Vec<(&'static Row, u32)> {
    let mut out = Vec::new();
    for row in ROWS {
        let ftype_h = row.group == "fp" && row.mask >> 22 & 3 == 0;
        let fits =
            |insn: u32| insn & row.mask == row.value && !row.excludes.iter().any(|&(m, v)| insn & m == v);
        // Registers 0 and 1, vectors of 128 bits.
        let base = row.value | 1 << 5;
        let candidates = match row.group {
            "simd_fp" if row.name.ends_with("_h") && row.mask >> 16 & 31 == 31 => vec![base | 1 << 30],
            "simd_fp" if row.name.ends_with("_sh") && row.mask >> 16 & 31 == 31 => vec![base],
            "simd_fp" if row.name == "fcvtl_v" => vec![base, base | 1 << 30],
            "simd_shift" if row.name.starts_with("fcvtz") => vec![base | 0x40 << 23 | 0x1b << 16],
            "fp" if row.name.starts_with("fcvt") || row.name.starts_with("frint") || row.name == "fsqrt" => {
                let h = base | 3 << 22;
                vec![h, h | 1 << 31, h | 40 << 10 | 1 << 31]
            }
            _ => Vec::new(),
        };
        if row.group != "fp" || ftype_h {
            let mut fitting: Vec<u32> = candidates.into_iter().filter(|&c| fits(c)).collect();
            fitting.dedup();
            out.extend(fitting.into_iter().map(|c| (row, c)));
        }
    }
    out
}

#[test]
fn half_precision_operations_match_the_reference() {
    let mut reference = Reference::start("halves");
    let mut jit = jit::Jit::new(false);
    let guest = Aarch64::new(cpu::Cpu::default());
    let all = number("OMNIRUN_ORACLE_CASES", 256) >= 100_000;
    let mut r = Random(number("OMNIRUN_ORACLE_SEED", 1));
    let words = words();
    assert!(words.len() > 80, "the rows have other names now: {}", words.len());
    let (mut bad, mut total) = (0, 0u64);
    for (row, insn) in words {
        // Scalar forms take one value each, vectors eight.
        let lanes: u32 = if row.group == "fp" || row.name.ends_with("_sh") { 1 } else { 8 };
        let mut subject = Subject::new(&guest, &[insn]);
        jit.select(&[insn]);
        // The rounding mode matters to these only, AHP to conversions between formats.
        let rounds = ["frinti", "frintx", "fsqrt"].iter().any(|n| row.name.starts_with(n));
        let formats = ["fcvt_", "fcvtl"].iter().any(|n| row.name.starts_with(n));
        for control in 0..32u32 {
            if control & 3 != 0 && !rounds || control >> 4 != 0 && !formats {
                continue;
            }
            // RMode, then FZ16, DN, AHP.
            let fpcr = (control & 3) << 22
                | (control >> 2 & 1) << 19
                | (control >> 3 & 1) << 25
                | (control >> 4) << 26;
            let batches = 65536 / lanes / 256;
            for batch in 0..batches {
                if !all && r.below(u64::from(batches) * 2) != 0 {
                    continue;
                }
                let base = state::random(&mut r, true, false);
                let states: Vec<State> = (0..256)
                    .map(|i| {
                        let mut s = base.clone();
                        let first = (batch * 256 + i) * lanes;
                        s.v[1] = (0..lanes).fold(0, |v, l| v | u128::from(first + l) << (16 * l));
                        s.fpcr = fpcr;
                        s
                    })
                    .collect();
                reference.send(&[insn], &states);
                let after = reference.receive(&states);
                for (before, mut want) in states.iter().zip(after) {
                    correct_fp(row, insn, before, &mut want);
                    total += 1;
                    for (by, got) in [("interpreter", subject.run(before)), ("JIT", jit.run(before))] {
                        if !same(&want, &got) {
                            bad += 1;
                            if bad <= 4 {
                                eprintln!("{by}: {}", describe(&guest, row.name, insn, before, &want, &got));
                            }
                        }
                    }
                }
            }
        }
    }
    eprintln!("half precision: {total} cases");
    assert_eq!(bad, 0, "half-precision results differ");
}
