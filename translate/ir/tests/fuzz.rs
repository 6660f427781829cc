//! Fuzz targets of the IR: the reader of the text form and the verifier never panic, and what the verifier accepts the
//! interpreter runs.

use ir::testing::{Rng, ToyGuest, ToyMachine, fuzz, interpret, random_region};
use ir::{parse, text, verify};

/// Words of the language, to put where others were.
const WORDS: &[&str] = &[
    "%0",
    "%1",
    "%4294967295",
    "_",
    "0x0",
    "0xffffffffffffffff",
    "region",
    "block",
    "entry",
    "pc",
    "jump",
    "call",
    "add.i64",
    "get.i64",
    "x0",
    "v3",
    "16b",
    "2d",
    "255q",
    "scale=255",
    "aligned",
    "aligned16",
    "to=q",
    "nan=x86",
    "round=odd",
    "eq",
    "=",
    "é",
];

fn mutate(text: &str, rng: &mut Rng) -> String {
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    for _ in 0..1 + rng.below(3) {
        let i = rng.below(lines.len());
        let mut words: Vec<&str> = lines[i].split(' ').collect();
        let at = rng.below(words.len());
        match rng.below(6) {
            0 => {
                words.remove(at);
            }
            1 => words.insert(at, rng.pick(WORDS)),
            2 => words.truncate(at),
            _ => words[at] = rng.pick(WORDS),
        }
        lines[i] = words.join(" ");
        match rng.below(8) {
            0 => {
                lines.remove(i);
            }
            1 => {
                let j = rng.below(lines.len());
                lines.swap(i, j);
            }
            _ => {}
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\n")
}

#[test]
fn fuzz_text_and_verifier() {
    let guest = ToyGuest::new();
    let (mut read, mut valid) = (0, 0);
    fuzz("IR text", 2, |rng| {
        let (blocks, len) = (1 + rng.below(3), 1 + rng.below(12));
        let region = random_region(rng, blocks, len, |_| true);
        let original = text::print(&region, &guest);
        for _ in 0..8 {
            let Ok(region) = parse(&mutate(&original, rng), &guest) else { continue };
            read += 1;
            if verify(&region, &guest).is_err() || region.blocks.is_empty() {
                continue;
            }
            valid += 1;
            let printed = text::print(&region, &guest);
            let again = parse(&printed, &guest).expect("what was printed reads back");
            assert_eq!(text::print(&again, &guest), printed);
            let mut machine = ToyMachine::random(&guest, rng);
            interpret(&region, &guest, &mut machine, 20);
        }
    });
    println!("{read} read, {valid} valid");
    assert!(valid > 0);
}
