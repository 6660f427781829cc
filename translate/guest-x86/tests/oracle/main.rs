//! Every instruction form with random operands: natively on the host's CPU, under the interpreter, and translated for each
//! feature level of the host; registers, flags, memory and faults must be equal.
//!
//! `OMNIRUN_CASES` is the number of cases of a form (default 6), `OMNIRUN_SEED` the seed, `OMNIRUN_FORM` a part of the name of
//! the only forms to run. A group is a test function with a predicate over forms.

mod emulated;
mod forms;
mod integer;
mod native;
mod offered;
mod state;
mod vector;
mod x87;

use forms::Maker;
use guest_x86::models::Cpu;
use iced_x86::Code;
use ir::testing::Rng;
use native::Windows;
use state::{Extended, differences};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// How many forms ran, and which could not be made.
#[derive(Default)]
pub struct Report {
    /// Forms with at least one case.
    pub forms: usize,
    /// Cases.
    pub cases: usize,
    /// Forms without a case.
    pub skipped: Vec<Code>,
}

/// Runs all forms that `group` says, in code of `bits`.
pub fn compare(bits: u32, group: impl Fn(Code) -> bool, extended: Extended) -> Report {
    let cases = number("OMNIRUN_CASES", 6);
    let seed = number("OMNIRUN_SEED", 1);
    let only = std::env::var("OMNIRUN_FORM").unwrap_or_default();
    let cpu = Cpu::default_for(bits);
    let windows = Windows::take();
    let mut subjects = emulated::subjects(cpu);
    let mut report = Report::default();
    let mut bad: Vec<String> = Vec::new();
    for code in Code::values().filter(|&c| group(c)) {
        let name = format!("{code:?}");
        let info = code.op_code();
        if !name.contains(&only) || bits == 64 && !info.mode64() || bits == 32 && !info.mode32() {
            continue;
        }
        let mut rng = Rng::new(seed.wrapping_mul(0x9e37_79b9).wrapping_add(code as u64));
        let mut made = 0;
        let mut wrong = 0;
        for number in 0..cases {
            let Some(case) = (Maker { bits, rng: &mut rng, row: false }).case(code) else { continue };
            made += 1;
            windows.set_code(&case.bytes);
            let want = windows.run(bits, &case.state);
            for subject in &mut subjects {
                subject.code_changed();
                let mut got = subject.run(&windows, &case.state);
                // What becomes of the upper half of a gather's mask at a fault is not specified.
                if let (14, Some(n)) = (want.event.vector, gather_mask(bits, &case.bytes)) {
                    let upper = 576 + 16 * n..592 + 16 * n;
                    got.state.xsave[upper.clone()].copy_from_slice(&want.state.xsave[upper]);
                }
                // An unmasked overflow is found before it is known whether the result would be inexact too.
                const OVERFLOW: u8 = 8;
                const INEXACT: u8 = 32;
                if want.event.vector != 0 && want.state.xsave[24] & OVERFLOW != 0 {
                    got.state.xsave[24] = got.state.xsave[24] & !INEXACT | want.state.xsave[24] & INEXACT;
                }
                let diff = differences(&case.state, &want, &got, extended);
                if !diff.is_empty() {
                    wrong += 1;
                    if wrong <= 2 {
                        let regs: Vec<String> = (0..16)
                            .map(|n| format!("{:?}={:x}", forms::name(n), case.state.gpr[n]))
                            .collect();
                        bad.push(format!(
                            "{name} case {number} {}: {} {:02x?}\n  {}\n  {}",
                            subject.name,
                            case.text,
                            case.bytes,
                            diff.join("\n  "),
                            regs.join(" ")
                        ));
                    }
                    break;
                }
            }
        }
        report.cases += made;
        if made == 0 {
            report.skipped.push(code);
        } else {
            report.forms += 1;
        }
    }
    assert!(bad.is_empty(), "{} forms differ:\n{}", bad.len(), bad.join("\n"));
    report
}

/// The number of the mask register of a VEX-encoded gather.
fn gather_mask(bits: u32, bytes: &[u8]) -> Option<usize> {
    use iced_x86::{Decoder, DecoderOptions, EncodingKind, Mnemonic as M};
    let insn = Decoder::new(bits, bytes, DecoderOptions::NONE).decode();
    let gather = matches!(
        insn.mnemonic(),
        M::Vgatherdps
            | M::Vgatherdpd
            | M::Vgatherqps
            | M::Vgatherqpd
            | M::Vpgatherdd
            | M::Vpgatherdq
            | M::Vpgatherqd
            | M::Vpgatherqq
    );
    (gather && insn.encoding() == EncodingKind::VEX).then(|| insn.op2_register().number())
}

/// Runs random sequences of forms that `group` says.
pub fn compare_sequences(bits: u32, group: impl Fn(Code) -> bool, extended: Extended) {
    let cases = number("OMNIRUN_CASES", 6) * 200;
    let mut rng = Rng::new(number("OMNIRUN_SEED", 1));
    let windows = Windows::take();
    let mut subjects = emulated::subjects(Cpu::default_for(bits));
    let forms: Vec<Code> = Code::values()
        .filter(|&c| group(c) && if bits == 64 { c.op_code().mode64() } else { c.op_code().mode32() })
        .collect();
    for number in 0..cases {
        let len = 2 + rng.below(10);
        let Some(case) = (Maker { bits, rng: &mut rng, row: true }).sequence(&forms, len) else { continue };
        windows.set_code(&case.bytes);
        let want = windows.run(bits, &case.state);
        for subject in &mut subjects {
            subject.code_changed();
            let got = subject.run(&windows, &case.state);
            let diff = differences(&case.state, &want, &got, extended);
            assert!(
                diff.is_empty(),
                "sequence {number} {}: {} {:02x?}\n  {}",
                subject.name,
                case.text,
                case.bytes,
                diff.join("\n  ")
            );
        }
    }
}
