//! The AArch64 front end and the passes on random instructions: every region verifies before and after the passes,
//! its text reads back, and the passes do not change what it does. Any bytes are taken by the front end of every guest.

use guest_aarch64::{Aarch64, cpu, decode};
use host_x86_64::X86_64;
use host_x86_64::asm::{Features, Level};
use ir::testing::{Rng, ToyMachine, fuzz};
use ir::{BackEnd, BlockRequest, Builder, CompileCx, Guest, Inst, Region, interp, text, verify};

/// What the back end asks; descriptors are only counted.
struct Cx<'a>(&'a dyn Guest, u32);

impl CompileCx for Cx<'_> {
    fn guest(&self) -> &dyn Guest {
        self.0
    }
    fn descriptor(&mut self, _inst: &Inst) -> u32 {
        self.1 += 1;
        self.1
    }
    fn mode_key(&self) -> u64 {
        0
    }
    fn no_chain(&self) -> bool {
        false
    }
}

/// Blocks at consecutive addresses over the code, as the engine makes them.
fn translate(guest: &Aarch64, mode: u64, code: &[u8]) -> Region {
    let mut b = Builder::new(mode);
    let mut at = 0;
    while at < code.len() && b.region().blocks.len() < 8 {
        let pc = 0x40_0000 + at as u64;
        guest.translate_block(
            &BlockRequest { pc, code: &code[at..], mode, max_insns: 64, tagged: false, attributes: 0 },
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

fn disassembly(guest: &dyn Guest, code: &[u8]) -> String {
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

/// Any bytes translate to a region that verifies, under any mode, the passes keep it so, and every back end takes it.
fn fuzz_front_end(guest: &dyn Guest, modes: impl Fn(&mut Rng) -> u64, word: impl Fn(&mut Rng) -> Vec<u8>) {
    let back_ends = [Level::Sse, Level::Avx2, Level::Avx512]
        .map(|l| X86_64::new(Features::detect_at_most(l), guest.slots()));
    fuzz(&format!("{} front end", guest.name()), 3, |rng| {
        let mut code = Vec::new();
        for _ in 0..1 + rng.below(16) {
            code.extend(word(rng));
        }
        code.truncate(code.len() - rng.below(4).min(code.len()));
        let mode = modes(rng);
        let mut b = Builder::new(mode);
        let (max_insns, tagged) = (1 + rng.below(20), rng.one_in(4));
        // The top of the address space too.
        let top = 0u64.wrapping_sub(4 * rng.below(8) as u64) & (u64::MAX >> (64 - guest.address_bits()));
        let pc = if rng.one_in(8) { top } else { 0x40_0000 };
        guest.translate_block(
            &BlockRequest { pc, code: &code, mode, max_insns, tagged, attributes: 0 },
            &mut b,
        );
        let mut region = b.finish();
        let show = |r: &Region| format!("{}\n{}", disassembly(guest, &code), text::print(r, guest));
        verify(&region, guest).unwrap_or_else(|e| panic!("{e}\n{}", show(&region)));
        opt::run(&mut region, guest);
        verify(&region, guest).unwrap_or_else(|e| panic!("{e}\n{}", show(&region)));
        let code = back_ends[rng.below(3)].compile(&region, &mut Cx(guest, 0));
        assert!(!code.entries.is_empty());
    });
}

#[test]
fn fuzz_aarch64() {
    let guest = Aarch64::new(cpu::Cpu::parse("max").expect("a model"));
    fuzz_front_end(
        &guest,
        |rng| if rng.one_in(2) { rng.bits() & 0xffff } else { 0 },
        |rng| {
            let word = if rng.one_in(3) {
                rng.bits() as u32
            } else {
                // Near an instruction.
                decode::generate(&decode::ROWS[rng.below(decode::ROWS.len())], rng.bits() as u32)
                    ^ 1 << rng.below(32)
            };
            word.to_le_bytes().to_vec()
        },
    );
}

#[test]
fn fuzz_riscv() {
    use guest_riscv::decode::{ROWS, generate};
    let guest = guest_riscv::Riscv::new(guest_riscv::cpu::Cpu::default());
    fuzz_front_end(
        &guest,
        |_| 0,
        |rng| match rng.below(4) {
            0 => (rng.bits() as u32).to_le_bytes().to_vec(),
            1 => (rng.bits() as u16).to_le_bytes().to_vec(),
            _ => {
                let word = generate(&ROWS[rng.below(ROWS.len())], rng.bits() as u32) ^ 1 << rng.below(32);
                word.to_le_bytes().to_vec()
            }
        },
    );
}

/// Bytes of an x86 instruction: prefixes, an opcode map, and anything.
fn x86_word(rng: &mut Rng) -> Vec<u8> {
    const PREFIXES: [u8; 12] = [0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x48, 0x41];
    const MAPS: [&[u8]; 7] = [&[], &[0x0f], &[0x0f, 0x38], &[0x0f, 0x3a], &[0xc5], &[0xc4], &[0x62]];
    let mut word = Vec::new();
    while rng.one_in(3) {
        word.push(PREFIXES[rng.below(PREFIXES.len())]);
    }
    word.extend(MAPS[rng.below(MAPS.len())]);
    for _ in 0..1 + rng.below(9) {
        word.push(rng.bits() as u8);
    }
    word
}

fn fuzz_x86(bits: u32, sizes: [u64; 2]) {
    use guest_x86::{cpu::MODE_SIZE, models::Cpu};
    let guest = guest_x86::X86::new(Cpu::parse(bits, "max").expect("a model"));
    let mode = |rng: &mut Rng| {
        let rest = if rng.one_in(2) { rng.bits() & 0x3fff & !MODE_SIZE } else { 0 };
        rest | sizes[usize::from(rng.one_in(4))]
    };
    fuzz_front_end(&guest, mode, x86_word);
}

#[test]
fn fuzz_x86_64() {
    fuzz_x86(64, [0, guest_x86::cpu::MODE_32]);
}

#[test]
fn fuzz_i386() {
    fuzz_x86(32, [guest_x86::cpu::MODE_32, guest_x86::cpu::MODE_16]);
}
