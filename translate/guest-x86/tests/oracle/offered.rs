//! The list of what CPU models do not offer, against what the translator knows.

use crate::forms::Maker;
use crate::state::CODE;
use guest_x86::X86;
use guest_x86::features::{Features, NOT_OFFERED, TABLE, needed};
use guest_x86::models::Cpu;
use iced_x86::Code;
use ir::testing::Rng;
use ir::{BlockRequest, Builder, Guest, Term, TrapKind};

/// Whether an instruction is not #UD on a CPU that has everything.
fn translated(guest: &X86, bytes: &[u8]) -> bool {
    let mut b = Builder::new(0);
    let request = BlockRequest { pc: CODE, code: bytes, mode: 0, max_insns: 1, tagged: false, attributes: 0 };
    guest.translate_block(&request, &mut b);
    let region = b.finish();
    !region.blocks.iter().any(|block| matches!(block.term, Term::Trap { kind: TrapKind::Illegal, .. }))
}

#[test]
fn features_and_translations_agree() {
    let guest = X86::new(Cpu { features: Features::ALL, ..Cpu::default_for(64) });
    let mut rng = Rng::new(1);
    // Of each feature: forms that are translated, and forms that are not.
    let mut counts = vec![(0, Vec::new()); TABLE.len()];
    for code in Code::values().filter(|c| c.op_code().mode64()) {
        // With operands at random, so that one encoding that is #UD by its operands proves nothing.
        let mut made = false;
        let good = (0..4).any(|_| {
            let case = (Maker { bits: 64, rng: &mut rng, row: false }).case(code);
            made |= case.is_some();
            case.is_some_and(|case| translated(&guest, &case.bytes))
        });
        if !made {
            continue;
        }
        for feature in code.cpuid_features().iter().filter_map(|&f| needed(f).flatten()) {
            let count = &mut counts[feature as usize];
            if good { count.0 += 1 } else { count.1.push(code) }
        }
    }
    for ((feature, name, _), (good, bad)) in TABLE.iter().zip(&counts) {
        let offered = !NOT_OFFERED.has(*feature);
        if *good == 0 && !bad.is_empty() {
            assert!(!offered, "{name} is offered, and nothing of it is translated: {bad:?}");
        }
        if *good > 0 && bad.is_empty() {
            assert!(offered, "{name} is translated, and no model offers it");
        }
    }
}
