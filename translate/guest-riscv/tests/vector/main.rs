//! Differential tests of the vector instructions: for every row of the decode table random encodings and random states, run by
//! the reference emulator, by the interpreter and as translated code for every host level; everything must be equal.
//!
//! `OMNIRUN_ORACLE_CASES` sets the number of encodings per row (with twelve states each), `OMNIRUN_ORACLE_SEED` the seed,
//! `OMNIRUN_ORACLE_ROWS` limits the run to rows whose names contain one of these words.

mod reference;
mod state;
mod subject;

use guest_riscv::decode::ROWS;
use host_x86_64::asm::Level;
use ir::Guest;
use reference::Reference;
use state::{Plan, Random, State};
use std::fmt::Write;
use subject::Subject;

/// States per encoding.
const BATCH: usize = 12;
/// Encodings per row.
const ENCODINGS: u64 = 8;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|s| s.parse().ok())
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

/// What is compared.
pub struct Suite {
    /// Width of an integer register.
    pub xlen: u32,
    /// Bytes of a vector register.
    pub vlenb: usize,
    model: &'static str,
}

/// Whether it is an access of 64-bit elements or indices, which the manual reserves where elements have 32 bits: the reference
/// executes some of them.
fn lenient(memory: bool, word: u32, elen: u32) -> bool {
    elen == 32 && memory && word >> 12 & 7 == 7
}

impl Suite {
    /// The argument of `-cpu`.
    pub fn cpu(&self) -> String {
        format!("{},vlen={}", self.model, 8 * self.vlenb)
    }
}

/// Runs every row.
fn run(xlen: u32, vlenb: usize, model: &'static str) {
    let suite = &Suite { xlen, vlenb, model };
    let _page = subject::exclusive();
    let mut reference = Reference::start(suite);
    let encodings = number("OMNIRUN_ORACLE_CASES").unwrap_or(ENCODINGS);
    let seed = number("OMNIRUN_ORACLE_SEED").unwrap_or(1);
    let only = std::env::var("OMNIRUN_ORACLE_ROWS").unwrap_or_default();
    let levels = [("SSE", Level::Sse), ("AVX2", Level::Avx2), ("AVX-512", Level::Avx512)];
    let guest = subject::guest(suite);
    let mut interpreter = Subject::new(None, suite);
    let mut jits = levels.map(|(name, level)| (name, Subject::new(Some(level), suite)));
    let (mut failed, mut total, mut illegal) = (Vec::new(), 0, 0);
    for row in ROWS.iter().filter(|r| r.group == "vector") {
        if !only.is_empty() && !only.split(',').any(|w| row.name.contains(w)) {
            continue;
        }
        let mut r = Random(
            seed ^ row.name.bytes().fold(0u64, |h, b| h.wrapping_mul(131).wrapping_add(b.into())) << 8,
        );
        // Loads and stores.
        let memory = matches!(row.value & 0x7f, 0x07 | 0x27);
        let (mut bad, mut legal) = (0, 0);
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
                xlen,
                word: state::encoding(row, &mut r, if lmul < 4 { lmul as u32 } else { 0 }),
            };
            if lenient(memory, plan.word, interpreter.elen) {
                continue;
            }
            let before: Vec<State> = (0..BATCH).map(|_| state::random(&mut r, &plan)).collect();
            interpreter.select(plan.word);
            jits.iter_mut().for_each(|(_, j)| j.select(plan.word));
            let ours: Vec<State> = before.iter().map(|s| interpreter.run(s)).collect();
            let want = reference.run(row.name, plan.word, &before);
            for (i, (b, want)) in before.iter().zip(&want).enumerate() {
                total += 1;
                legal += u64::from(want.status != 4);
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
        // Not there on this CPU.
        if legal == 0 {
            illegal += 1;
        }
        if bad > 0 {
            failed.push(format!("{}: {bad} differences", row.name));
        }
    }
    eprintln!("rv{xlen} {}: {total} cases, seed {seed}, {illegal} rows are illegal", suite.cpu());
    assert!(failed.is_empty(), "{} rows differ:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn vectors_of_128_bits_match_the_reference() {
    run(64, 16, "max");
}

#[test]
fn vectors_of_256_bits_match_the_reference() {
    run(64, 32, "max");
}

#[test]
fn vectors_of_512_bits_match_the_reference() {
    run(64, 64, "max");
}

#[test]
fn vectors_of_1024_bits_match_the_reference() {
    run(64, 128, "max");
}

#[test]
fn elements_of_32_bits_match_the_reference() {
    run(64, 16, "rv64,zve32f=on,zvbb=on,elen=32");
}

#[test]
fn vectors_with_registers_of_32_bits_match_the_reference() {
    run(32, 16, "max");
}

#[test]
fn elements_of_32_bits_with_registers_of_32_bits_match_the_reference() {
    run(32, 32, "rv32,zve32f=on,zvbb=on,elen=32");
}
