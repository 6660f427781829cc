//! The decoder is total, agrees with a linear search over the rows, and accepts what an independent disassembler accepts.

use guest_aarch64::cpu::{Feature, Features};
use guest_aarch64::decode::{ROWS, Row, decode, generate};

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }
}

fn matches(r: &Row, word: u32, features: &Features) -> bool {
    word & r.mask == r.value
        && !r.excludes.iter().any(|&(m, v)| word & m == v)
        && r.features.iter().all(|&(f, m, v)| word & m != v || features.has(f))
}

/// Any word on any CPU: the decoder gives what a linear search over the rows gives.
#[test]
fn fuzz_decoder() {
    let mut round = 0u32;
    let cases = ir::testing::fuzz("decoder", 2, |rng| {
        // A random subset of the features, or all.
        let features = match rng.below(4) {
            0 => Features::ALL,
            1 => Features::NONE,
            _ => {
                let named = ROWS[rng.below(ROWS.len())].features.iter().map(|&(f, ..)| f);
                let some: Vec<Feature> = named.chain([Feature::Lse, Feature::Fp16, Feature::Pauth]).collect();
                if rng.one_in(2) { Features::ALL.without(&some) } else { Features::NONE.with(&some) }
            }
        };
        for _ in 0..64 {
            round = round.wrapping_add(1);
            // Random words seldom hit the sparse groups: most are a row with two bits flipped.
            let word = match round % 4 {
                0 => rng.bits() as u32,
                _ => {
                    let near = generate(&ROWS[rng.below(ROWS.len())], rng.bits() as u32);
                    if round % 4 == 1 { near } else { near ^ 1 << rng.below(32) ^ 1 << rng.below(32) }
                }
            };
            let want = ROWS.iter().find(|r| matches(r, word, &features)).map(|r| r.mnemonic);
            let got = decode(word, &features).map(|insn| insn.mnemonic());
            assert_eq!(got, want, "{word:#010x}");
        }
    });
    assert!(cases > 100);
}

#[test]
fn every_row_generates_words_that_decode() {
    let mut rng = Rng(2);
    for row in ROWS {
        for _ in 0..100 {
            let word = generate(row, rng.next());
            assert!(decode(word, &Features::ALL).is_some(), "{} {word:#010x}", row.name);
        }
    }
}

#[test]
fn every_optional_row_needs_its_feature() {
    let mut rng = Rng(3);
    for row in ROWS.iter().filter(|r| !r.features.is_empty()) {
        for _ in 0..100 {
            let word = generate(row, rng.next());
            let needed: Vec<Feature> =
                row.features.iter().filter(|&&(_, m, v)| word & m == v).map(|&(f, _, _)| f).collect();
            let without = decode(word, &Features::ALL.without(&needed)).map(|i| i.mnemonic());
            // A hint row of a missing feature is the plain hint.
            let hint = row.group == "branch_sys" && word >> 12 == 0xd5032;
            assert!(
                needed.is_empty() || without.is_none() || hint && without == Some("hint"),
                "{} {word:#010x}",
                row.name
            );
        }
    }
}

/// Mnemonics that the disassembler knows and this guest does not have: memory tagging, SME, TME, 64-byte stores, what is
/// undefined at EL0, and system register names of other levels. `fmlal` and its kin are accepted by it with a reserved
/// size bit.
const NOT_OURS: &[&str] = &[
    "addg", "subg", "gmi", "irg", "ldg", "ldgm", "stg", "st2g", "stzg", "stz2g", "stgm", "stzgm", "stgp",
    "subp", "subps", "setg", "smstart", "smstop", "tcancel", "tcommit", "ttest", "tstart", "st64b", "ld64b",
    "dcps", "hlt", "hvc", "smc", "eret", "drps", "msr", "mrs", "sys", "sysl", "at", "tlbi", "dc", "ic",
    "fmlal", "fmlsl", "brb", "gcs",
];

/// Mnemonics that the disassembler may be too old for, or where it refuses operands that the architecture leaves
/// CONSTRAINED UNPREDICTABLE (equal registers with write-back, should-be-one bits, overlapping copy registers).
const NOT_THEIRS: &[&str] = &[
    "ldap1", "stl1", "ldapur", "stlur", "ldapr", "stlr", "stilp", "ldiapp", "ldclrp", "ldsetp", "swpp",
    "ldar", "ldpsw", "cpy", "cpyf", "set",
];

#[test]
fn validity_agrees_with_objdump() {
    let dir = std::env::temp_dir().join(format!("a64-decode-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("words.bin");
    let mut rng = Rng(4);
    let mut words: Vec<u32> = (0..100_000).map(|_| rng.next()).collect();
    for row in ROWS {
        for k in 0..60 {
            let word = generate(row, rng.next());
            words.push(if k % 3 == 0 { word } else { word ^ 1 << (rng.next() % 32) });
        }
    }
    std::fs::write(&file, words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    let run = std::process::Command::new("aarch64-linux-gnu-objdump")
        .args(["-D", "-z", "-b", "binary", "-maarch64"])
        .arg(&file)
        .output();
    let run = run.unwrap_or_else(|e| {
        panic!("aarch64-linux-gnu-objdump: {e}: install the package binutils-aarch64-linux-gnu")
    });
    std::fs::remove_dir_all(&dir).unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    let lines: Vec<&str> =
        text.lines().filter_map(|l| l.split_once(":\t")?.1.split_once('\t')).map(|x| x.1).collect();
    assert_eq!(lines.len(), words.len());
    let mut wrong = Vec::new();
    for (&word, line) in words.iter().zip(lines) {
        let theirs = !line.contains("undefined") && !line.starts_with(".inst");
        // Top-level groups of SVE and SME, and `udf`, which is an undefined instruction with a name.
        let skip = matches!(word >> 25 & 15, 0..=3) || line.starts_with("udf");
        match decode(word, &Features::ALL) {
            Some(insn) if !theirs && !NOT_THEIRS.contains(&insn.mnemonic()) => {
                wrong.push(format!("{word:08x} ours only: {insn:?}"))
            }
            None if theirs && !skip && !NOT_OURS.iter().any(|m| line.starts_with(m)) => {
                wrong.push(format!("{word:08x} theirs only: {line}"));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} differences: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
}
