//! Differential tests of single instructions: for every row of the decode tables random encodings and random states, run
//! by the reference emulator, by the IR interpreter on our translation and as translated code; registers, flags and FPSR must be equal.
//!
//! `OMNIRUN_ORACLE_CASES` sets the number of states per row (default: a short run), `OMNIRUN_ORACLE_SEED` the seed,
//! `OMNIRUN_ORACLE_ROWS` limits the run to rows whose names contain one of these words.

mod branches;
mod coverage;
mod halves;
mod integer;
mod jit;
mod modes;
mod reference;
mod sequences;
mod state;
mod subject;

use guest_aarch64::cpu::Feature;
use guest_aarch64::decode::{ROWS, Row, generate};
use ir::Guest;
use reference::Reference;
use state::{FPSR_MASK, Random, State};
use subject::Subject;

/// States per encoding.
const BATCH: usize = 64;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|s| s.parse().ok()).unwrap_or(default)
}

/// What a group of rows needs.
struct Plan {
    group: &'static str,
    /// Operands and control bits of floating point.
    fp: bool,
    /// Encodings that are not run, with the reason.
    skip: fn(&Row, u32) -> Option<&'static str>,
    /// Makes a random encoding one that can be run (literals).
    adjust: fn(&Row, u32, &mut Random) -> u32,
    /// The instruction and what must stand around it.
    code: fn(&Row, u32) -> Vec<u32>,
    /// Corrects what the reference is known to get wrong.
    correct: fn(&Row, u32, &State, &mut State),
    /// Makes the state fit the instruction (addresses).
    prepare: fn(&Row, u32, &mut State, &mut Random),
    memory: bool,
}

impl Plan {
    /// Every encoding by itself, on any integers.
    const fn new(group: &'static str) -> Plan {
        Plan {
            group,
            fp: false,
            skip: |_, _| None,
            adjust: |_, insn, _| insn,
            code: |_, insn| vec![insn],
            correct: |_, _, _, _| {},
            prepare: |_, _, _, _| {},
            memory: false,
        }
    }

    /// An encoding of the row that is run, if there is one.
    fn encoding(&self, row: &Row, r: &mut Random) -> Option<u32> {
        (0..1000).find_map(|_| {
            let insn = (self.adjust)(row, generate(row, r.next() as u32), r);
            (self.skip)(row, insn).is_none().then_some(insn)
        })
    }
}

static PLANS: [Plan; 6] = [
    Plan { fp: true, correct: correct_fp, ..Plan::new("fp") },
    Plan { fp: true, correct: correct_fp, ..Plan::new("simd_fp") },
    Plan::new("simd_int"),
    Plan::new("simd_move"),
    Plan { fp: true, correct: correct_fp, ..Plan::new("simd_shift") },
    Plan::new("crypto"),
];

/// The plan of a group.
fn plan(group: &str) -> Option<&'static Plan> {
    PLANS.iter().chain(&integer::PLANS).find(|p| p.group == group)
}

/// Features that the reference may be too old for.
const NEWER: &[Feature] = &[
    Feature::Cssc,
    Feature::Lse128,
    Feature::Rcpc3,
    Feature::Mops,
    Feature::Hbc,
    Feature::Wfxt,
    Feature::Xs,
    Feature::Specres,
    // Not at EL0.
    Feature::Dpb,
    Feature::Dpb2,
];

fn is_newer(row: &Row) -> bool {
    row.features.iter().any(|(f, ..)| NEWER.contains(f))
}

/// Where QEMU 7.2 differs from the manual.
fn correct_fp(row: &Row, insn: u32, before: &State, after: &mut State) {
    // FCVTZS (scalar, fixed-point) of half precision: bits above the lane are zero (DDI 0487, C7.2 "FCVTZS (vector,
    // fixed-point)": V[d] = result of datasize bits); the reference leaves the sign there.
    if row.name == "fcvtzs_is" && insn >> 20 & 7 == 1 {
        after.v[insn as usize & 31] &= 0xffff;
    }
    // FJCVTZS: a flushed positive denormal is not exact (`FPToFixedJS`: Z = 0 if the value is zero and op<51:0> is not).
    if row.name == "fjcvtzs" && before.fpcr >> 24 & 1 == 1 {
        let n = before.v[insn as usize >> 5 & 31] as u64;
        if n != 0 && n < 1 << 52 {
            after.nzcv &= !(1 << 30);
        }
    }
}

/// Says where `got` differs from `want`, with the registers that the instruction names.
fn describe(guest: &dyn Guest, name: &str, insn: u32, before: &State, want: &State, got: &State) -> String {
    use std::fmt::Write;
    let mut out = String::new();
    let text = guest.disassemble(0, &insn.to_le_bytes()).pop().map_or(String::new(), |(_, _, text)| text);
    let fields =
        [("rd", insn & 31), ("rn", insn >> 5 & 31), ("ra", insn >> 10 & 31), ("rm", insn >> 16 & 31)];
    writeln!(
        out,
        "{} {insn:08x} {} fpcr={:08x} nzcv={:08x} fpsr={:08x}",
        name, text, before.fpcr, before.nzcv, before.fpsr
    )
    .expect("string");
    for (field, n) in fields {
        let x = before.x.get(n as usize).copied().unwrap_or(0);
        writeln!(out, "    {field}: v{n}={:032x} x{n}={x:016x}", before.v[n as usize]).expect("string");
    }
    for i in 0..32 {
        if want.v[i] != got.v[i] {
            writeln!(out, "    v{i}: want {:032x}\n    v{i}: got  {:032x}", want.v[i], got.v[i])
                .expect("string");
        }
    }
    for i in 0..31 {
        if want.x[i] != got.x[i] {
            writeln!(out, "    x{i}: want {:016x} got {:016x}", want.x[i], got.x[i]).expect("string");
        }
    }
    for (name, a, b) in [
        ("sp", want.sp, got.sp),
        ("nzcv", want.nzcv.into(), got.nzcv.into()),
        ("fpcr", want.fpcr.into(), got.fpcr.into()),
        ("fpsr", (want.fpsr & FPSR_MASK).into(), (got.fpsr & FPSR_MASK).into()),
        ("signal", want.status.into(), got.status.into()),
        ("pc", want.pc_delta, got.pc_delta),
    ] {
        if a != b {
            writeln!(out, "    {name}: want {a:08x} got {b:08x}").expect("string");
        }
    }
    if want.window != got.window {
        let at = want.window.iter().zip(&got.window).position(|(a, b)| a != b).unwrap_or(0) & !15;
        let part = |w: &[u8]| w.iter().skip(at).take(16).map(|b| format!("{b:02x}")).collect::<String>();
        writeln!(out, "    memory+{at}: want {} got {}", part(&want.window), part(&got.window))
            .expect("string");
    }
    out
}

fn same(want: &State, got: &State) -> bool {
    let masked = |s: &State| State { fpsr: s.fpsr & FPSR_MASK, ..s.clone() };
    want == got || masked(want) == masked(got)
}

/// Runs the group's plan; fails with a list of the rows that differ.
fn run(group: &'static str) {
    let plan = plan(group).expect("a plan for the group");
    let mut reference = Reference::start(group);
    let cases = number("OMNIRUN_ORACLE_CASES", 256);
    let seed = number("OMNIRUN_ORACLE_SEED", 1);
    let only = std::env::var("OMNIRUN_ORACLE_ROWS").unwrap_or_default();
    let mut jit = jit::Jit::new(plan.memory);
    let guest = guest_aarch64::Aarch64::new(guest_aarch64::cpu::Cpu::parse("max").expect("a model"));
    let mut failed = Vec::new();
    let mut total = 0;
    for row in ROWS.iter().filter(|r| r.group == plan.group) {
        if !only.is_empty() && !only.split(',').any(|w| row.name.contains(w)) {
            continue;
        }
        let name_hash = row.name.bytes().fold(0u64, |h, b| h.wrapping_mul(131).wrapping_add(b.into()));
        let mut r = Random(seed ^ name_hash << 8);
        let states = |r: &mut Random, insn: u32| -> Vec<State> {
            let mut state = || {
                let mut s = state::random(r, plan.fp, plan.memory);
                (plan.prepare)(row, insn, &mut s, r);
                s
            };
            (0..BATCH).map(|_| state()).collect()
        };
        let Some(first) = plan.encoding(row, &mut r) else {
            eprintln!("{}: not compared ({})", row.name, coverage::reason(row.name).unwrap_or("no reason"));
            continue;
        };
        let next = |r: &mut Random| {
            let insn = plan.encoding(row, r).expect("there was one");
            (insn, states(r, insn))
        };
        let batches = cases.div_ceil(BATCH as u64);
        let mut ahead = (first, states(&mut r, first));
        reference.send(&(plan.code)(row, ahead.0), &ahead.1);
        let (mut bad, mut illegal, mut changed) = (0u64, 0u64, 0u64);
        for i in 0..batches {
            let (insn, before) = ahead;
            let mut after = reference.receive(&before);
            before.iter().zip(&mut after).for_each(|(b, s)| (plan.correct)(row, insn, b, s));
            let unknown = is_newer(row) && after.iter().all(|s| s.status == 4);
            ahead = next(&mut r);
            if i + 1 < batches && !unknown {
                reference.send(&(plan.code)(row, ahead.0), &ahead.1);
            }
            if unknown {
                illegal += BATCH as u64;
                break;
            }
            let code = (plan.code)(row, insn);
            let mut subject = Subject::new(&guest, &code);
            jit.select(&code);
            for (b, want) in before.iter().zip(&after) {
                total += 1;
                illegal += u64::from(want.status == 4);
                changed += u64::from(
                    want.v != b.v || want.x != b.x || want.nzcv != b.nzcv || want.window != b.window,
                );
                for (by, got) in [("interpreter", subject.run(b)), ("JIT", jit.run(b))] {
                    if !same(want, &got) {
                        bad += 1;
                        if bad <= number("OMNIRUN_ORACLE_SHOW", 2) {
                            eprintln!("{by}: {}", describe(&guest, row.name, insn, b, want, &got));
                        }
                    }
                }
            }
        }
        if illegal > 0 {
            eprintln!("{}: the reference does not know {illegal} of its encodings", row.name);
        } else if changed == 0 {
            eprintln!("{}: no case changed anything", row.name);
        }
        if bad > 0 {
            failed.push(format!("{}: {bad} of {}", row.name, batches * BATCH as u64));
        }
    }
    eprintln!("{}: {total} cases, seed {seed}", plan.group);
    assert!(failed.is_empty(), "{} rows differ:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn scalar_fp_matches_the_reference() {
    run("fp");
}

#[test]
fn simd_fp_matches_the_reference() {
    run("simd_fp");
}

#[test]
fn simd_int_matches_the_reference() {
    run("simd_int");
}

#[test]
fn simd_move_matches_the_reference() {
    run("simd_move");
}

#[test]
fn simd_shift_matches_the_reference() {
    run("simd_shift");
}

#[test]
fn crypto_matches_the_reference() {
    run("crypto");
}
