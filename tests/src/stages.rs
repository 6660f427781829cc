//! The stages of the translator one by one, for the developer's tool: decode, translate, opt, emit, run, and `reduce`, which
//! shrinks random code on which translated code and interpreter differ.
//!
//! Input: guest code in hexadecimal or a filetest; output: text. Each stage is a function of its input alone.

use crate::differential::{Pair, set_up};
use crate::filetests;
use crate::subjects::{Case, LEVELS};
use host_x86_64::asm::Level;
use ir::Guest;
use std::fmt::Write as _;

/// A stage to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Addresses, bytes, instructions.
    Decode,
    /// The IR as the front end makes it.
    Translate,
    /// The IR after the passes.
    Opt,
    /// Host code.
    Emit,
    /// What it does to random registers, by both engines.
    Run,
}

/// Code as words of four or eight hexadecimal digits, or the code of the filetest that the first word names.
pub fn code(words: &[String]) -> Result<Vec<u8>, String> {
    if let [file] = words
        && file.ends_with(".ft")
    {
        let text = std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
        return filetests::parse(&text).map(|t| t.code);
    }
    let mut code = Vec::new();
    for word in words {
        let digits = word.trim_start_matches("0x");
        let value = u32::from_str_radix(digits, 16).map_err(|e| format!("{word}: {e}"))?;
        match digits.len() {
            4 => code.extend((value as u16).to_le_bytes()),
            8 => code.extend(value.to_le_bytes()),
            _ => return Err(format!("{word}: an instruction has four or eight hexadecimal digits")),
        }
    }
    if code.is_empty() { Err("no instructions are given".to_owned()) } else { Ok(code) }
}

/// The host level of this name.
pub fn level(name: &str) -> Result<Level, String> {
    LEVELS
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, level)| *level)
        .ok_or_else(|| format!("no host level {name}: there are sse4, avx2, avx512"))
}

/// The output of a stage.
pub fn show(stage: Stage, case: &Case, level: Level, code: &[u8]) -> Result<String, String> {
    let guest = ((case.subject)().guest)();
    let guest: &dyn Guest = &*guest;
    let mut region = filetests::translate(guest, code, 0);
    match stage {
        Stage::Decode => Ok(decode(guest, code)),
        Stage::Translate => Ok(ir::text::print(&region, guest)),
        Stage::Opt => {
            opt::run(&mut region, guest);
            Ok(ir::text::print(&region, guest))
        }
        Stage::Emit => {
            opt::run(&mut region, guest);
            Ok(filetests::emit(guest, &region, code, level, ir::Plan::default()))
        }
        Stage::Run => {
            set_up();
            let mut pair = Pair::new((case.subject)(), &|| case.back_end(level));
            pair.run_code("given code", code, 2, 0).map(|lines| lines.join("\n") + "\n")
        }
    }
}

fn decode(guest: &dyn Guest, code: &[u8]) -> String {
    let mut text = String::new();
    for (pc, bytes, line) in guest.disassemble(filetests::PC, code) {
        let hex: String = code[bytes].iter().rev().map(|b| format!("{b:02x}")).collect();
        let _ = writeln!(text, "{pc:#x}: {hex:<8}  {line}");
    }
    text
}

/// The least part of `items`, in order, for which `fails` holds: halves are left out, then quarters, and at last single ones.
pub fn reduce<T: Clone>(items: &[T], mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut kept = items.to_vec();
    let mut step = kept.len().div_ceil(2);
    while step > 0 {
        let mut at = 0;
        let mut left_out = false;
        while at < kept.len() {
            let mut shorter = kept.clone();
            shorter.drain(at..(at + step).min(kept.len()));
            if fails(&shorter) {
                (kept, left_out) = (shorter, true);
            } else {
                at += step;
            }
        }
        // A pass over single ones may make others superfluous.
        step = if step == 1 && left_out { 1 } else { step / 2 };
    }
    kept
}

/// Shrinks the random case `seed` of `count` instructions; the report of what is left.
pub fn reduce_case(case: &Case, level: Level, seed: u64, count: usize) -> Result<String, String> {
    set_up();
    let mut pair = Pair::new((case.subject)(), &|| case.back_end(level));
    let (code, state, round) = pair.case(seed, count);
    let mut run = |code: &[Vec<u8>]| pair.run_code("reduced", &code.concat(), state, round);
    if run(&code).is_ok() {
        return Ok(format!("seed {seed:#x}, {count} instructions: no difference\n"));
    }
    let kept = reduce(&code, |part| run(part).is_err());
    let report = run(&kept).err().unwrap_or_default();
    let words: Vec<String> =
        kept.iter().map(|i| i.iter().rev().map(|b| format!("{b:02x}")).collect::<String>()).collect();
    Ok(format!(
        "{} of {count} instructions are left\n{report}\nomnirun-dev emit -g {} {}\n",
        kept.len(),
        case.name,
        words.join(" ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reduction_keeps_what_matters_and_nothing_else() {
        let items: Vec<u32> = (0..100).collect();
        let kept = reduce(&items, |part| part.contains(&17) && part.contains(&83));
        assert_eq!(kept, [17, 83]);
        assert_eq!(reduce(&items, |part| part.len() > 3).len(), 4);
        assert!(reduce(&items, |_| true).is_empty());
    }

    #[test]
    fn every_stage_shows_something_for_every_guest() {
        // add x0, x1, x2; add a0, a1, a2 and c.li a0, 1
        for (guest, words) in [("aarch64", &["8b020020"][..]), ("riscv64", &["00c58533", "4505"])] {
            let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
            let code = code(&words).unwrap();
            let case = Case::named(guest).unwrap();
            let show = |stage| show(stage, case, Level::Sse, &code).unwrap();
            assert!(show(Stage::Decode).contains("add"));
            assert!(show(Stage::Translate).contains("add"));
            assert!(show(Stage::Opt).contains("set"));
            assert!(show(Stage::Emit).contains("host instructions for"));
            assert!(show(Stage::Run).contains("exit Syscall"));
        }
        assert!(code(&["12".to_owned()]).is_err() && Case::named("vax").is_err() && level("mmx").is_err());
        let none = reduce_case(Case::named("aarch64").unwrap(), Level::Sse, 3, 5).unwrap();
        assert!(none.contains("no difference"), "{none}");
    }
}
