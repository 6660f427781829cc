//! Random words: what a CPU has not is illegal on both sides, what it has does the same.

use crate::state::{Random, State, random};
use crate::suite::{self, Suite};
use crate::{Batch, access, cases, compare, number, report, rows};
use guest_riscv::cpu::Feature;
use guest_riscv::decode::{Insn, decode};

/// Whether the reference can be asked about a word at all.
fn comparable(suite: &Suite, word: u32, insn: Option<Insn>) -> bool {
    if let Some(insn) = insn {
        // Vectors have their own tests.
        if matches!(insn, Insn::Vector(_)) {
            return false;
        }
        return rows::skip(suite, insn).is_none() && rows::fits(suite, insn);
    }
    let major = word & 0x7f;
    let f3 = word >> 12 & 7;
    match major {
        // System calls and CSRs; what only the supervisor has is illegal anyway.
        0x73 => f3 == 4,
        0x57 | 0x77 => false,
        0x07 | 0x27 => (1..=4).contains(&f3),
        // Zalasr: the reference takes any value in the fields that must be zero.
        0x2f => !matches!(word >> 27, 6 | 7),
        _ => true,
    }
}

fn run(suite: Suite) {
    let cpu = suite.parsed();
    let mut r = Random(number("OMNIRUN_ORACLE_SEED", 1) << 24 ^ 77);
    let count = 40 * cases();
    // The lowest bits are ones; the major opcodes in use are more interesting than the others.
    let batches = (0..count).filter_map(|_| {
        let mut word = r.next() as u32 | 3;
        if !r.one_in(8) {
            let major = r.pick(&[
                0x03, 0x07, 0x0b, 0x0f, 0x13, 0x1b, 0x23, 0x27, 0x2f, 0x33, 0x3b, 0x43, 0x47, 0x4b, 0x4f,
                0x53, 0x63, 0x67, 0x73, 0x7b,
            ]);
            word = word & !0x7f | major;
            if r.one_in(2) {
                // Fields that are often fixed.
                word &= !(r.pick(&[0, 0xf000_0000, 0xfe00_0000, 0x01f0_0000]));
            }
        }
        let insn = decode(word, &cpu.features);
        if !comparable(&suite, word, insn) {
            return None;
        }
        let in_x = cpu.features.has(Feature::Zfinx);
        let bits = r.pick(&[16, 32, 64]);
        let memory = insn.is_some_and(|i| access::of(i).is_some());
        let states: Vec<State> = (0..2)
            .map(|_| {
                let mut s = random(&suite, &mut r, bits, in_x, memory);
                if !cpu.features.has(Feature::Fx) {
                    (s.f, s.fcsr) = ([0; 32], 0);
                }
                if let Some(insn) = insn {
                    access::prepare(&suite, insn, &mut s, &mut r);
                }
                s
            })
            .collect();
        Some(Batch { name: format!("{word:08x}"), code: word.to_le_bytes().to_vec(), states })
    });
    let (total, failed) = compare(&suite, batches, |_, _| false);
    report(&suite, "words", total, &failed);
}

macro_rules! tests {
    ($( $name:ident $suite:ident; )*) => { $(
        #[test]
        fn $name() {
            run(suite::$suite);
        }
    )* };
}

tests! {
    words_max_64 MAX64;
    words_max_32 MAX32;
    words_vendor VENDOR;
    words_ventana VENTANA;
    words_finx_64 FINX64;
    words_finx_32 FINX32;
    words_zcm_64 ZCM64;
    words_zcm_32 ZCM32;
    words_base_64 BASE64;
    words_base_32 BASE32;
    words_old_64 U54;
    words_old_32 U34;
}
