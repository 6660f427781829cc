//! Differential tests of instructions: for every row of the decode tables random encodings and random states, run by the
//! reference emulator, by the IR interpreter on our translation and as translated code for each feature level of the
//! host; registers, flags, memory, the signal and where it came must be equal. So are compressed instructions, illegal
//! ones, the CSRs, and random sequences, on several CPUs of 32 and 64 bits.
//!
//! `OMNIRUN_ORACLE_CASES` sets the number of states per row (default: a short run), `OMNIRUN_ORACLE_SEED` the seed,
//! `OMNIRUN_ORACLE_ROWS` limits the run to rows whose names contain one of these words.

mod access;
mod behaviour;
mod compressed;
mod coverage;
mod csr;
mod jit;
mod reference;
mod rows;
mod sequences;
mod state;
mod subject;
mod suite;
mod words;

use ir::Guest;
use reference::Reference;
use state::State;
use std::fmt::Write;
use subject::Subject;
use suite::Suite;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|s| s.parse().ok()).unwrap_or(default)
}

/// States per row; other tests derive their length from it.
fn cases() -> u64 {
    number("OMNIRUN_ORACLE_CASES", 96)
}

/// Says where `got` differs from `want`.
fn describe(guest: &dyn Guest, code: &[u8], before: &State, want: &State, got: &State) -> String {
    let mut out = String::new();
    for (_, bytes, text) in guest.disassemble(state::CODE, code) {
        writeln!(out, "    {:02x?} {text}", &code[bytes]).expect("string");
    }
    writeln!(out, "    before: fcsr={:02x}", before.fcsr).expect("string");
    if let Ok(bytes) = <[u8; 4]>::try_from(code) {
        let w = u32::from_le_bytes(bytes);
        for (field, n) in [("rd", w >> 7), ("rs1", w >> 15), ("rs2", w >> 20), ("rs3", w >> 27)] {
            let n = n as usize & 31;
            writeln!(out, "    {field}: x{n}={:016x} f{n}={:016x}", before.x[n], before.f[n])
                .expect("string");
        }
    }
    for i in 0..32 {
        for (c, want, got) in [('x', want.x[i], got.x[i]), ('f', want.f[i], got.f[i])] {
            if want != got {
                writeln!(out, "    {c}{i}: want {want:016x} got {got:016x}").expect("string");
            }
        }
    }
    for (name, want, got) in [
        ("fcsr", want.fcsr.into(), got.fcsr.into()),
        ("signal", want.status.into(), got.status.into()),
        ("pc", want.pc, got.pc),
    ] {
        if want != got {
            writeln!(out, "    {name}: want {want:x} got {got:x}").expect("string");
        }
    }
    if want.window != got.window {
        writeln!(out, "    memory: want {:02x?}\n    memory: got  {:02x?}", want.window, got.window)
            .expect("string");
    }
    out
}

/// Code and the states it is run with.
struct Batch {
    name: String,
    code: Vec<u8>,
    states: Vec<State>,
}

/// Runs batches; the names of those that differ, with counts. `same` is given what the reference and we made of a state.
fn compare(
    suite: &Suite,
    batches: impl Iterator<Item = Batch>,
    same: fn(&State, &State) -> bool,
) -> (u64, Vec<(String, u64)>) {
    let mut reference = Reference::start(suite);
    let mut jit = jit::Jit::new(suite);
    let guest = suite.guest();
    let show = number("OMNIRUN_ORACLE_SHOW", 2);
    let mut failed: Vec<(String, u64)> = Vec::new();
    let mut total = 0;
    let mut batches = batches;
    let mut ahead = batches.next();
    if let Some(b) = &ahead {
        reference.send(&b.code, &b.states);
    }
    while let Some(batch) = ahead {
        let after = reference.receive(&batch.states);
        ahead = batches.next();
        if let Some(b) = &ahead {
            reference.send(&b.code, &b.states);
        }
        let mut subject = Subject::new(&guest, &batch.code, suite.breakpoints());
        jit.select(&batch.code);
        for (before, want) in batch.states.iter().zip(&after) {
            total += 1;
            for (by, got) in [("interpreter", subject.run(before)), ("JIT", jit.run(before))] {
                if want == &got || same(want, &got) {
                    continue;
                }
                match failed.last_mut() {
                    Some((name, n)) if *name == batch.name => *n += 1,
                    _ => failed.push((batch.name.clone(), 1)),
                }
                if failed.last().is_some_and(|(_, n)| *n <= show) {
                    let text = describe(&guest, &batch.code, before, want, &got);
                    eprintln!(
                        "{}, {by}: {} at {}\n{text}",
                        suite.name,
                        batch.name,
                        batch.states.iter().position(|s| s == before).unwrap_or(0)
                    );
                }
            }
        }
    }
    (total, failed)
}

/// Fails if anything differed.
fn report(suite: &Suite, what: &str, total: u64, failed: &[(String, u64)]) {
    eprintln!("{} {what}: {total} cases", suite.name);
    let list: Vec<String> = failed.iter().map(|(name, n)| format!("{name}: {n}")).collect();
    assert!(failed.is_empty(), "{} {what}: {} differ:\n{}", suite.name, failed.len(), list.join("\n"));
}
