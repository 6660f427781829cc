//! Random straight pieces of code with short forward branches, loads and stores around SP, and accesses to NZCV, FPSR and
//! FPCR: what single instructions do not show (allocation, flags that fuse, passes, mode changes). Few registers, so that
//! results are used. A difference is reduced by replacing instructions by no-operations while it stays.

use crate::reference::Reference;
use crate::state::{self, Random, State};
use crate::subject::Subject;
use crate::{describe, integer, is_newer, jit, number, same};
use guest_aarch64::decode::{ROWS, Row, generate};
use guest_aarch64::{Aarch64, cpu};
use ir::Guest;

const NOP: u32 = 0xd503_201f;
const GROUPS: [&str; 8] =
    ["dp_imm", "dp_reg", "fp", "simd_int", "simd_fp", "simd_move", "simd_shift", "crypto"];
/// States per piece.
const STATES: usize = 16;

fn fits(row: &Row, insn: u32) -> bool {
    insn & row.mask == row.value && !row.excludes.iter().any(|&(m, v)| insn & m == v)
}

/// `insn` with its register fields among `few`, as far as it stays in its row.
fn with_few_registers(row: &Row, insn: u32, few: &[u32; 4], r: &mut Random) -> u32 {
    let mut insn = insn;
    for at in [0, 5, 10, 16] {
        let reg = few[r.below(4) as usize];
        let changed = insn & !(31 << at) | reg << at;
        if fits(row, changed) {
            insn = changed;
        }
    }
    insn
}

fn data_processing(r: &mut Random, few: &[u32; 4]) -> u32 {
    loop {
        let group = GROUPS[r.below(GROUPS.len() as u64) as usize];
        let rows: Vec<&Row> = ROWS.iter().filter(|row| row.group == group).collect();
        let row = rows[r.below(rows.len() as u64) as usize];
        let insn = with_few_registers(row, generate(row, r.next() as u32), few, r);
        // The stack pointer stays where the window is.
        let writes_sp = insn & 31 == 31 && (group == "dp_imm" || row.name.contains("ext"));
        // Both in `correct_fp`: known mistakes of the reference.
        let mistaken = row.name == "fjcvtzs" || row.name == "fcvtzs_is";
        let keyed = row.name.starts_with("pac") || row.name.starts_with("aut");
        if !writes_sp
            && !mistaken
            && !keyed
            && !is_newer(row)
            && (!group.starts_with("dp_") || integer::skip_dp(row, insn).is_none())
        {
            return insn;
        }
    }
}

fn memory(r: &mut Random, few: &[u32; 4]) -> u32 {
    const NAMES: [&str; 9] =
        ["str_uimm", "ldr_uimm", "ldrs_uimm", "str_uimm_v", "ldr_uimm_v", "stp", "ldp", "stp_v", "ldp_v"];
    let name = NAMES[r.below(9) as usize];
    let row = ROWS.iter().find(|row| row.name == name).expect("a row of the load and store tables");
    loop {
        let (rt, mut rt2) = (few[r.below(4) as usize], few[r.below(4) as usize]);
        if rt == rt2 {
            // A load pair of one register twice is CONSTRAINED UNPREDICTABLE.
            rt2 = (rt + 1) % 31;
        }
        let any = generate(row, r.next() as u32);
        let insn = if name.contains('p') {
            // Signed offset, -16 to 14 units of at most 16 bytes; SP is the base.
            let imm = (r.below(31) as u32).wrapping_sub(16) & 127;
            any & 0xfc40_0000 & !(7 << 23) | 2 << 23 | imm << 15 | rt2 << 10 | 31 << 5 | rt
        } else {
            any & 0xffc0_0000 | (r.below(15) as u32) << 10 | 31 << 5 | rt
        };
        if fits(row, insn) {
            return insn;
        }
    }
}

/// A forward branch over one or two instructions.
fn branch(r: &mut Random, few: &[u32; 4]) -> u32 {
    let words = 2 + r.below(2) as u32;
    let (sf, rt, bit) = ((r.below(2) as u32) << 31, few[r.below(4) as usize], r.below(32) as u32);
    match r.below(8) {
        0 => 0x1400_0000 | words,
        1 => sf | 0x3400_0000 | words << 5 | rt,
        2 => sf | 0x3500_0000 | words << 5 | rt,
        3 => sf | 0x3600_0000 | bit << 19 | words << 5 | rt,
        4 => sf | 0x3700_0000 | bit << 19 | words << 5 | rt,
        _ => 0x5400_0000 | words << 5 | r.below(16) as u32,
    }
}

/// Accesses to the status and control registers; constants go through X9.
fn system(r: &mut Random, few: &[u32; 4], code: &mut Vec<u32>) {
    let rt = few[r.below(4) as usize];
    let movz = |imm: u32, high: u32| 0xd280_0000 | high << 21 | imm << 5 | 9;
    match r.below(8) {
        0 | 1 => code.push(0xd53b_4200 | rt),
        2 | 3 => code.push(0xd51b_4200 | rt),
        4 => code.push(0xd53b_4400 | rt),
        5 => code.extend([movz(r.next() as u32 & 0x9f, 0), 0xd51b_4420 | 9]),
        6 => {
            // Rounding, and one time in two FZ16, FZ, DN, AHP: bits 19, 24, 25, 26.
            let more = if r.one_in(2) { r.next() as u32 & (1 << 3 | 7 << 8) } else { 0 };
            code.extend([movz((r.below(4) as u32) << 6 | more, 1), 0xd51b_4400 | 9]);
        }
        _ => {
            // FPSR without the bits that only AArch32 has.
            let mask = 0x9f;
            code.extend([0xd53b_4420 | 9, 0xd280_0000 | mask << 5 | rt, 0x8a00_0000 | rt << 16 | 9 << 5 | 9]);
        }
    }
}

fn piece(r: &mut Random) -> Vec<u32> {
    // Four registers: some of those the host pins, and any.
    let few = std::array::from_fn(|i| if i < 2 { r.below(8) as u32 } else { r.below(31) as u32 });
    let len = 2 + r.below(14) as usize;
    let mut code = Vec::new();
    while code.len() < len {
        match r.below(20) {
            0..=2 => code.push(memory(r, &few)),
            // Never into the middle of a constant and its use.
            3 | 4 => code.extend([branch(r, &few), data_processing(r, &few), data_processing(r, &few)]),
            5 | 6 => system(r, &few, &mut code),
            _ => code.push(data_processing(r, &few)),
        }
    }
    code
}

/// The first difference of one state, if any.
fn difference<'a>(
    reference: &mut Reference,
    jit: &mut jit::Jit,
    guest: &Aarch64,
    code: &[u32],
    states: &'a [State],
) -> Option<(&'static str, &'a State, State, State)> {
    reference.send(code, states);
    let after = reference.receive(states);
    let mut subject = Subject::new(guest, code);
    jit.select(code);
    for (before, want) in states.iter().zip(after) {
        for (by, got) in [("interpreter", subject.run(before)), ("JIT", jit.run(before))] {
            if !same(&want, &got) {
                return Some((by, before, want, got));
            }
        }
    }
    None
}

#[test]
fn random_code_matches_the_reference() {
    let mut reference = Reference::start("sequences");
    let mut jit = jit::Jit::new(true);
    let guest = Aarch64::new(cpu::Cpu::default());
    let seed = number("OMNIRUN_ORACLE_SEED", 1);
    let pieces = 2 * number("OMNIRUN_ORACLE_CASES", 256);
    let mut r = Random(seed << 16);
    let mut bad = 0;
    for _ in 0..pieces {
        let mut code = piece(&mut r);
        let fp = !r.one_in(4);
        let states: Vec<State> = (0..STATES).map(|_| state::random(&mut r, fp, true)).collect();
        let Some((by, before, ..)) = difference(&mut reference, &mut jit, &guest, &code, &states) else {
            continue;
        };
        bad += 1;
        let one = [before.clone()];
        for i in 0..code.len() {
            let was = std::mem::replace(&mut code[i], NOP);
            if difference(&mut reference, &mut jit, &guest, &code, &one).is_none() {
                code[i] = was;
            }
        }
        if bad <= number("OMNIRUN_ORACLE_SHOW", 4) {
            let bytes: Vec<u8> = code.iter().flat_map(|w| w.to_le_bytes()).collect();
            for (pc, bytes, text) in guest.disassemble(0, &bytes) {
                eprintln!("{pc:4x}: {:08x} {text}", code[bytes.start / 4]);
            }
            if let Some((_, b, want, got)) = difference(&mut reference, &mut jit, &guest, &code, &one) {
                let insn = code.iter().copied().find(|&w| w != NOP).unwrap_or(NOP);
                eprintln!("{by}: {}", describe(&guest, "sequence", insn, b, &want, &got));
            }
        }
    }
    eprintln!("sequences: {} cases, seed {seed}", pieces * STATES as u64);
    assert_eq!(bad, 0, "pieces of code differ");
}
