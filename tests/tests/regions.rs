//! The AArch64 front end and the passes on random instructions: every region verifies before and after the passes,
//! its text reads back, and the passes do not change what it does.

use guest_aarch64::{Aarch64, cpu, decode};
use ir::testing::{Rng, ToyMachine};
use ir::{BlockRequest, Builder, Guest, Region, interp, text, verify};

/// Blocks at consecutive addresses over the code, as the engine makes them.
fn translate(guest: &Aarch64, mode: u64, code: &[u8]) -> Region {
    let mut b = Builder::new(mode);
    let mut at = 0;
    while at < code.len() && b.region().blocks.len() < 8 {
        let pc = 0x40_0000 + at as u64;
        guest.translate_block(
            &BlockRequest { pc, code: &code[at..], mode, max_insns: 64, tagged: false },
            &mut b,
        );
        let end = b.region().blocks.iter().map(|b| b.end).max().unwrap_or(pc);
        at = ((end - 0x40_0000) as usize).max(at + 4);
    }
    b.finish()
}

fn words(rng: &mut Rng, n: usize) -> Vec<u8> {
    let mut code = Vec::new();
    for _ in 0..n {
        let row = &decode::ROWS[rng.below(decode::ROWS.len())];
        code.extend(decode::generate(row, rng.bits() as u32).to_le_bytes());
    }
    code
}

fn check_text(region: &Region, guest: &Aarch64) {
    let printed = text::print(region, guest);
    let back = ir::parse(&printed, guest).unwrap_or_else(|e| panic!("{e}\n{printed}"));
    assert_eq!(text::print(&back, guest), printed);
}

fn disassembly(guest: &Aarch64, code: &[u8]) -> String {
    guest.disassemble(0x40_0000, code).iter().map(|(pc, _, t)| format!("{pc:#x} {t}\n")).collect()
}

#[test]
fn regions_verify_and_passes_preserve_them() {
    let guest = Aarch64::new(cpu::Cpu::parse("max").expect("a model"));
    let mut rng = Rng::new(21);
    for _ in 0..6000 {
        let n = 1 + rng.below(12);
        let code = words(&mut rng, n);
        let mode = if rng.one_in(4) { rng.bits() & 0xff } else { 0 };
        let region = translate(&guest, mode, &code);
        verify(&region, &guest).unwrap_or_else(|e| {
            panic!("{e}\n{}\n{}", disassembly(&guest, &code), text::print(&region, &guest))
        });
        check_text(&region, &guest);
        let mut after = region.clone();
        opt::run(&mut after, &guest);
        let show = || {
            format!(
                "{}\n{}\n{}",
                disassembly(&guest, &code),
                text::print(&region, &guest),
                text::print(&after, &guest)
            )
        };
        verify(&after, &guest).unwrap_or_else(|e| panic!("{e}\n{}", show()));
        check_text(&after, &guest);
        for b in 0..region.blocks.len() {
            if !region.blocks[b].entry {
                continue;
            }
            let id = ir::BlockId(b as u32);
            let mut want = ToyMachine::random(&guest, &mut rng);
            let mut got = want.clone();
            let exit = interp::run_block(&region, id, &mut want, guest.helpers());
            assert_eq!(interp::run_block(&after, id, &mut got, guest.helpers()), exit, "{}", show());
            // Flags that every successor overwrites may differ at a transfer inside the region.
            let inside = matches!(exit, interp::BlockExit::Next(pc) if region.block_at(pc).is_some());
            for (g, w) in got.registers().iter().zip(want.registers()) {
                assert!(*g == w || (inside && w.0 == "nzcv"), "{g:?} not {w:?} in block {b}\n{}", show());
            }
            assert!(got.memory == want.memory, "memory in block {b}\n{}", show());
            assert_eq!(got.fp, want.fp, "{}", show());
        }
    }
}
