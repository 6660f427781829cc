//! Differential tests of the vector instructions: for every row of the decode table random encodings and random states, run by
//! the reference emulator, by the interpreter and as translated code for every host level; everything must be equal.
//!
//! The reference must be newer than what distributions install, so its results are recorded: `golden-*.txt` has a hash of them per
//! row. `OMNIRUN_RISCV_ORACLE=/path/to/qemu-riscv64` runs it and compares in full; with `BLESS=1` its results are recorded.
//! `OMNIRUN_ORACLE_CASES` sets the number of encodings per row, `OMNIRUN_ORACLE_SEED` the seed (both only with the reference),
//! `OMNIRUN_ORACLE_ROWS` limits the run to rows whose names contain one of these words.

mod reference;
mod state;
mod subject;

use guest_riscv::decode::ROWS;
use host_x86_64::asm::Level;
use ir::Guest;
use reference::Reference;
use state::{Plan, Random, State};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use subject::Subject;

/// States per encoding.
const BATCH: usize = 12;
/// Encodings per row.
const ENCODINGS: u64 = 8;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|s| s.parse().ok())
}

/// FNV-1a.
fn hash(state: &State, mut h: u64) -> u64 {
    let mut bytes = Vec::new();
    state.write(&mut bytes);
    for b in bytes {
        h = (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3);
    }
    h
}

fn describe(guest: &dyn Guest, name: &str, word: u32, before: &State, want: &State, got: &State) -> String {
    let mut out = String::new();
    let text = guest.disassemble(0, &word.to_le_bytes()).pop().map_or(String::new(), |(_, _, text)| text);
    let t = before.vtype;
    let _ = writeln!(
        out,
        "{name} {word:08x} {text} vm={} vd={} vs2={} vs1={} nf={}: sew={} lmul={} vl={} vstart={} vcsr={} fcsr={:x}",
        word >> 25 & 1,
        word >> 7 & 31,
        word >> 20 & 31,
        word >> 15 & 31,
        word >> 29,
        8 << (t >> 3 & 7),
        (t & 7) as i64,
        before.vl,
        before.vstart,
        before.vcsr,
        before.fcsr,
    );
    let n = before.v.len() / 32;
    let reg = |s: &State, i: usize| -> String {
        s.v[n * i..n * (i + 1)].iter().rev().map(|b| format!("{b:02x}")).collect()
    };
    for i in [0, word >> 7 & 31, word >> 20 & 31, word >> 15 & 31] {
        let i = i as usize;
        let _ = writeln!(out, "    v{i}={} x{i}={:x} f{i}={:x}", reg(before, i), before.x[i], before.f[i]);
    }
    for i in 0..32 {
        if want.v[n * i..n * (i + 1)] != got.v[n * i..n * (i + 1)] {
            let _ = writeln!(out, "    v{i}: want {}\n    v{i}: got  {}", reg(want, i), reg(got, i));
        }
        for (name, a, b) in [("x", want.x[i], got.x[i]), ("f", want.f[i], got.f[i])] {
            if a != b {
                let _ = writeln!(out, "    {name}{i}: want {a:016x} got {b:016x}");
            }
        }
    }
    for (name, a, b) in [
        ("vl", want.vl, got.vl),
        ("vtype", want.vtype, got.vtype),
        ("vstart", want.vstart, got.vstart),
        ("vcsr", want.vcsr, got.vcsr),
        ("fcsr", want.fcsr, got.fcsr),
        ("signal", want.status, got.status),
        ("pc", want.pc_delta, got.pc_delta),
    ] {
        if a != b {
            let _ = writeln!(out, "    {name}: want {a:x} got {b:x}");
        }
    }
    if let Some(i) = (0..want.window.len()).find(|&i| want.window[i] != got.window[i]) {
        let _ = writeln!(out, "    memory +{i:#x}: want {:02x} got {:02x}", want.window[i], got.window[i]);
    }
    out
}

fn golden(vlenb: usize) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vector/golden-{}.txt", 8 * vlenb))
}

/// Runs every row with this vector length.
fn run(vlenb: usize) {
    let _page = subject::exclusive();
    let mut reference = Reference::start(vlenb);
    let live = reference.is_some();
    let bless = live && std::env::var_os("BLESS").is_some();
    let custom = live && !bless;
    let encodings = number("OMNIRUN_ORACLE_CASES").filter(|_| custom).unwrap_or(ENCODINGS);
    let seed = number("OMNIRUN_ORACLE_SEED").filter(|_| custom).unwrap_or(1);
    let only = std::env::var("OMNIRUN_ORACLE_ROWS").unwrap_or_default();
    let levels = [("SSE", Level::Sse), ("AVX2", Level::Avx2), ("AVX-512", Level::Avx512)];
    let guest = subject::guest(vlenb);
    let mut interpreter = Subject::new(None, vlenb);
    let mut jits = levels.map(|(name, level)| (name, Subject::new(Some(level), vlenb)));
    let recorded: BTreeMap<String, String> = std::fs::read_to_string(golden(vlenb))
        .unwrap_or_default()
        .lines()
        .filter_map(|l| l.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())))
        .collect();
    let (mut record, mut failed, mut total) = (String::new(), Vec::new(), 0);
    for row in ROWS.iter().filter(|r| r.group == "vector") {
        if !only.is_empty() && !only.split(',').any(|w| row.name.contains(w)) {
            continue;
        }
        let mut r = Random(
            seed ^ row.name.bytes().fold(0u64, |h, b| h.wrapping_mul(131).wrapping_add(b.into())) << 8,
        );
        // Loads and stores.
        let memory = matches!(row.value & 0x7f, 0x07 | 0x27);
        let (mut bad, mut legal, mut sum) = (0, 0, 0xcbf2_9ce4_8422_2325);
        for _ in 0..encodings {
            let lmul = [0, 1, 2, 3, 0, 1, 5, 6, 7][r.below(9) as usize];
            let mut sew = r.below(4);
            if matches!(lmul, 5 | 6) && sew > 1 {
                sew = 0;
            }
            if row.value & 0x7f == 0x77 {
                sew = 2 + u64::from(r.one_in(3));
            }
            let plan = Plan {
                vlenb,
                memory,
                vtype: sew << 3 | lmul,
                word: state::encoding(row, &mut r, if lmul < 4 { lmul as u32 } else { 0 }),
            };
            let before: Vec<State> = (0..BATCH).map(|_| state::random(&mut r, &plan)).collect();
            interpreter.select(plan.word);
            jits.iter_mut().for_each(|(_, j)| j.select(plan.word));
            let ours: Vec<State> = before.iter().map(|s| interpreter.run(s)).collect();
            let want = match &mut reference {
                Some(reference) => reference.run(row.name, plan.word, &before),
                None => ours.clone(),
            };
            for (i, (b, want)) in before.iter().zip(&want).enumerate() {
                total += 1;
                legal += u64::from(want.status != 4);
                sum = hash(want, sum);
                let mut check = |by: &str, got: &State| {
                    if got != want {
                        bad += 1;
                        if bad <= number("OMNIRUN_ORACLE_SHOW").unwrap_or(2) {
                            eprintln!("{by}: {}", describe(&guest, row.name, plan.word, b, want, got));
                        }
                    }
                };
                check("interpreter", &ours[i]);
                for (name, jit) in &mut jits {
                    check(name, &jit.run(b));
                }
            }
        }
        if legal == 0 {
            eprintln!("{}: no case was legal", row.name);
        }
        let line = format!("{sum:016x}");
        if bad > 0 {
            failed.push(format!("{}: {bad} differences", row.name));
        } else if !live && recorded.get(row.name) != Some(&line) {
            failed.push(format!("{}: not what the reference gave", row.name));
        }
        let _ = writeln!(record, "{} {line}", row.name);
    }
    eprintln!("vlen {}: {total} cases, seed {seed}", 8 * vlenb);
    assert!(failed.is_empty(), "{} rows differ:\n{}", failed.len(), failed.join("\n"));
    if bless && only.is_empty() {
        std::fs::write(golden(vlenb), record).expect("the record can be written");
    }
}

#[test]
fn vectors_of_128_bits_match_the_reference() {
    run(16);
}

#[test]
fn vectors_of_256_bits_match_the_reference() {
    run(32);
}

#[test]
fn vectors_of_512_bits_match_the_reference() {
    run(64);
}

#[test]
fn vectors_of_1024_bits_match_the_reference() {
    run(128);
}
