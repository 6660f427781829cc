//! All 49,152 compressed encodings, legal and not, on CPUs with different sets of them: what is executed, what is illegal.

use crate::state::{Random, State, WINDOW, WINDOW_SIZE, random};
use crate::suite::{self, Suite};
use crate::{Batch, access, cases, compare, number, report};
use guest_riscv::cpu::Feature;
use guest_riscv::decode::{Insn, Int, decode};
use guest_riscv::expand;

/// States per encoding in the short run.
const STATES: usize = 2;

fn run(suite: Suite) {
    let cpu = suite.parsed();
    let seed = number("OMNIRUN_ORACLE_SEED", 1);
    let states = (cases() as usize / 1000).max(STATES);
    let compressed = (0..=u16::MAX).filter(|c| c & 3 != 3).filter(move |c| {
        // Outside the short run all of them, else every eighth.
        states > STATES || u64::from(c >> 2).wrapping_add(seed).is_multiple_of(8)
    });
    let batches = compressed.filter_map(|c| {
        let insn = expand(c, &cpu.features).and_then(|w| decode(w, &cpu.features));
        let jump = match insn {
            Some(Insn::Int(Int::Ecall)) => return None,
            Some(Insn::Int(Int::Jal(a))) => Some(a.imm),
            Some(Insn::Int(Int::Beq(a) | Int::Bne(a))) => Some(a.imm),
            _ => None,
        };
        // Far jumps leave the code, and one to itself does not end.
        if jump.is_some_and(|imm| imm == 0 || !(-400..400).contains(&imm)) {
            return None;
        }
        let zcm =
            c & 0xe003 == 0xa002 && (cpu.features.has(Feature::Zcmp) || cpu.features.has(Feature::Zcmt));
        // The table's register is zero here: a jump through it would go to a small address.
        if zcm && c >> 8 & 31 < 4 {
            return None;
        }
        let mut r = Random(seed ^ u64::from(c) << 20);
        let memory = zcm || insn.is_some_and(|i| access::of(i).is_some());
        let bits = r.pick(&[32, 64]);
        let states: Vec<State> = (0..states)
            .map(|_| {
                let mut s = random(&suite, &mut r, bits, false, memory);
                if !cpu.features.has(Feature::Fx) {
                    (s.f, s.fcsr) = ([0; 32], 0);
                }
                if let Some(insn) = insn {
                    access::prepare(&suite, insn, &mut s, &mut r);
                }
                if zcm {
                    s.x[2] = WINDOW + 128 + r.below(WINDOW_SIZE as u64 - 320);
                    // What pops into ra and is jumped to: an address in the code.
                    for chunk in s.window.chunks_exact_mut(4) {
                        // Even: the reference does not clear the lowest bit.
                        let target = crate::state::CODE + 4 + 2 * r.below(128);
                        chunk.copy_from_slice(&(target as u32).to_le_bytes());
                    }
                    s.x[2] &= !7;
                    if suite.xlen == 64 {
                        s.window.chunks_exact_mut(8).for_each(|c| c[4..].fill(0));
                    }
                }
                s
            })
            .collect();
        Some(Batch { name: format!("{c:04x}"), code: c.to_le_bytes().to_vec(), states })
    });
    let (total, failed) = compare(&suite, batches, |_, _| false);
    report(&suite, "compressed", total, &failed);
}

#[test]
fn compressed_64() {
    run(suite::MAX64);
}

#[test]
fn compressed_32() {
    run(suite::MAX32);
}

#[test]
fn compressed_with_push_and_pop_64() {
    run(suite::ZCM64);
}

#[test]
fn compressed_with_push_and_pop_32() {
    run(suite::ZCM32);
}

#[test]
fn compressed_old_64() {
    run(suite::U54);
}

#[test]
fn compressed_old_32() {
    run(suite::U34);
}
