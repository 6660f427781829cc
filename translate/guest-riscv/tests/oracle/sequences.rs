//! Random straight pieces of code with short forward branches, loads and stores around sp, compressed instructions and
//! accesses to fcsr: what single instructions do not show (allocation, boxes known from before, passes, mode changes). Few
//! registers, so that results are used. A difference is reduced by replacing instructions by no-operations while it
//! stays.

use crate::reference::Reference;
use crate::state::{Random, State, WINDOW, random};
use crate::subject::Subject;
use crate::suite::{self, Suite};
use crate::{access, cases, describe, jit, number, rows};
use guest_riscv::cpu::{Cpu, Feature};
use guest_riscv::decode::{Float, Insn, Int, ROWS, Row, decode, generate};
use guest_riscv::{Riscv, expand};

const NOP: [u8; 4] = [0x13, 0, 0, 0];
const NOP2: [u8; 2] = [0x01, 0];
/// States per piece.
const STATES: usize = 8;

/// Straight code without memory, and without what changes the stack pointer.
fn stays(cpu: &Cpu, suite: &Suite, word: u32) -> bool {
    let Some(insn) = decode(word, &cpu.features) else { return false };
    let leaves = matches!(
        insn,
        Insn::Int(
            Int::Jal(_)
                | Int::Jalr(_)
                | Int::Beq(_)
                | Int::Bne(_)
                | Int::Blt(_)
                | Int::Bge(_)
                | Int::Bltu(_)
                | Int::Bgeu(_)
                | Int::Ecall
                | Int::Ebreak
                | Int::FenceI
                | Int::CboInval(_)
        )
    );
    let vector = matches!(insn, Insn::Vector(_));
    // Fields of stores and the like may be 2 as well; that only loses some.
    let sp = word >> 7 & 31 == 2;
    let pairs = cpu.xlen == 32 && matches!(insn, Insn::Atomic(_));
    // Known mistakes of the reference: one of `rows.rs`, and roundings whose result is overwritten are dropped with
    // their flags.
    let mistaken = match insn {
        Insn::Float(Float::Fsgnjn(a) | Float::Fsgnjx(a)) => a.fmt == 2,
        Insn::Float(Float::Fround(_) | Float::Froundnx(_)) => true,
        _ => false,
    };
    !leaves
        && !vector
        && !sp
        && !pairs
        && !mistaken
        && access::of(insn).is_none()
        && rows::skip(suite, insn).is_none()
}

/// `insn` with its register fields among `few`, as far as it stays what it is.
fn with_few_registers(row: &Row, word: u32, few: &[u32; 4], r: &mut Random) -> u32 {
    let mut word = word;
    for at in [7, 15, 20, 27] {
        let changed = word & !(31 << at) | r.pick(few) << at;
        let fits = changed & row.mask == row.value && !row.excludes.iter().any(|&(m, v)| changed & m == v);
        if fits && (at != 27 || row.name.starts_with("fm") || row.name.starts_with("fnm")) {
            word = changed;
        }
    }
    word
}

fn straight(suite: &Suite, cpu: &Cpu, r: &mut Random, few: &[u32; 4]) -> Vec<u8> {
    loop {
        if cpu.features.has(Feature::Zca) && r.one_in(4) {
            let half = r.next() as u16;
            if half & 3 != 3 && expand(half, &cpu.features).is_some_and(|w| stays(cpu, suite, w)) {
                return half.to_le_bytes().to_vec();
            }
            continue;
        }
        let row = &ROWS[r.below(ROWS.len() as u64) as usize];
        let mut word = with_few_registers(row, generate(row, r.next() as u32), few, r);
        if row.group == "float" && r.one_in(2) {
            // The rounding mode compilers use, where the row has one (it is no fixed bit then).
            word |= 7 << 12 & !row.mask;
        }
        if stays(cpu, suite, word) {
            return word.to_le_bytes().to_vec();
        }
    }
}

/// A load or store around sp.
fn memory(cpu: &Cpu, r: &mut Random, few: &[u32; 4]) -> Vec<u8> {
    const NAMES: [&str; 13] =
        ["lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "sb", "sh", "sw", "sd", "flw", "fsd"];
    loop {
        let name = r.pick(&NAMES);
        let row = ROWS.iter().find(|row| row.name == name).expect("a row of the tables");
        let any = generate(row, r.next() as u32) & !(31 << 15) | 2 << 15;
        let imm = r.below(128) as u32;
        let store = row.value & 0x20 != 0;
        let word = if store {
            any & 0x0000_707f | r.pick(few) << 20 | 2 << 15 | imm >> 5 << 25 | (imm & 31) << 7
        } else {
            any & 0x0000_707f | imm << 20 | 2 << 15 | r.pick(few) << 7
        };
        if decode(word, &cpu.features).is_some() && (store || word >> 7 & 31 != 2) {
            return word.to_le_bytes().to_vec();
        }
    }
}

/// A forward branch over this many bytes.
fn branch(r: &mut Random, few: &[u32; 4], bytes: u32) -> Vec<u8> {
    let f3 = r.pick(&[0, 1, 4, 5, 6, 7]);
    let imm = 4 + bytes;
    let word = (imm >> 5 & 63) << 25
        | r.pick(few) << 20
        | r.pick(few) << 15
        | f3 << 12
        | (imm >> 1 & 15) << 8
        | 0x63;
    word.to_le_bytes().to_vec()
}

/// An access to fflags, frm or fcsr; values of frm are legal ones mostly.
fn status(r: &mut Random, few: &[u32; 4]) -> Vec<u8> {
    let (csr, rd) = (1 + r.below(3) as u32, r.pick(few));
    let word = match r.below(4) {
        0 => csr << 20 | 2 << 12 | rd << 7 | 0x73,
        1 => 2 << 20 | (r.below(5) as u32) << 15 | 5 << 12 | rd << 7 | 0x73,
        2 => 1 << 20 | (r.below(32) as u32) << 15 | 5 << 12 | rd << 7 | 0x73,
        _ => csr << 20 | (r.below(32) as u32) << 15 | 7 << 12 | rd << 7 | 0x73,
    };
    word.to_le_bytes().to_vec()
}

/// A quiet comparison as compilers write it: `frflags; flt or fle; fsflags`.
fn quiet_compare(cpu: &Cpu, r: &mut Random, few: &[u32; 4]) -> [Vec<u8>; 3] {
    let flags = r.pick(few);
    let double = cpu.features.has(Feature::D) && r.one_in(2);
    let compare = 0xa000_0053
        | u32::from(double) << 25
        | r.pick(few) << 20
        | r.pick(few) << 15
        | (r.below(2) as u32) << 12
        | r.pick(few) << 7;
    [0x0010_2073 | flags << 7, compare, 0x0010_1073 | flags << 15].map(|w| w.to_le_bytes().to_vec())
}

fn piece(suite: &Suite, cpu: &Cpu, r: &mut Random) -> Vec<Vec<u8>> {
    // Some of those the host pins, and any; never sp.
    let few = std::array::from_fn(|i| if i < 2 { 8 + r.below(8) as u32 } else { 3 + r.below(29) as u32 });
    let len = 2 + r.below(14) as usize;
    let mut code = Vec::new();
    let fx = cpu.features.has(Feature::Fx);
    while code.len() < len {
        match r.below(20) {
            0..=3 => code.push(memory(cpu, r, &few)),
            4 | 5 => {
                let over = [straight(suite, cpu, r, &few), straight(suite, cpu, r, &few)];
                code.push(branch(r, &few, over.iter().map(|c| c.len() as u32).sum()));
                code.extend(over);
            }
            6 if fx => code.push(status(r, &few)),
            7 if fx => code.extend(quiet_compare(cpu, r, &few)),
            _ => code.push(straight(suite, cpu, r, &few)),
        }
    }
    code
}

type Difference<'a> = (&'static str, &'a State, State, State);

/// The first difference of one state, if any.
fn difference<'a>(
    suite: &Suite,
    reference: &mut Reference,
    jit: &mut jit::Jit,
    guest: &Riscv,
    code: &[u8],
    states: &'a [State],
) -> Option<Difference<'a>> {
    reference.send(code, states);
    let after = reference.receive(states);
    let mut subject = Subject::new(guest, code, suite.breakpoints());
    jit.select(code);
    for (before, want) in states.iter().zip(after) {
        for (by, got) in [("interpreter", subject.run(before)), ("JIT", jit.run(before))] {
            if want != got {
                return Some((by, before, want, got));
            }
        }
    }
    None
}

fn run(suite: Suite) {
    let mut reference = Reference::start(&suite);
    let mut jit = jit::Jit::new(&suite);
    let (guest, cpu) = (suite.guest(), suite.parsed());
    let seed = number("OMNIRUN_ORACLE_SEED", 1);
    let pieces = 4 * cases();
    let mut r = Random(seed << 16 | u64::from(suite.xlen));
    let in_x = cpu.features.has(Feature::Zfinx);
    let mut bad = 0;
    for _ in 0..pieces {
        let mut code = piece(&suite, &cpu, &mut r);
        let states: Vec<State> = (0..STATES)
            .map(|_| {
                let bits = r.pick(&[16, 32, 64]);
                let mut s = random(&suite, &mut r, bits, in_x, true);
                s.x[2] = WINDOW + 64 + r.below(256);
                if !cpu.features.has(Feature::Fx) {
                    (s.f, s.fcsr) = ([0; 32], 0);
                }
                s
            })
            .collect();
        if difference(&suite, &mut reference, &mut jit, &guest, &code.concat(), &states).is_none() {
            continue;
        }
        bad += 1;
        // All states stay: another level of the host runs each time.
        for i in 0..code.len() {
            let nop = if code[i].len() == 2 { NOP2.to_vec() } else { NOP.to_vec() };
            let was = std::mem::replace(&mut code[i], nop);
            let still = (0..3).any(|_| {
                difference(&suite, &mut reference, &mut jit, &guest, &code.concat(), &states).is_some()
            });
            if !still {
                code[i] = was;
            }
        }
        if bad <= number("OMNIRUN_ORACLE_SHOW", 2) {
            let bytes = code.concat();
            for _ in 0..3 {
                if let Some((by, b, want, got)) =
                    difference(&suite, &mut reference, &mut jit, &guest, &bytes, &states)
                {
                    eprintln!("{}, {by}: sequence\n{}", suite.name, describe(&guest, &bytes, b, &want, &got));
                    break;
                }
            }
        }
    }
    eprintln!("{} sequences: {} cases, seed {seed}", suite.name, pieces * STATES as u64);
    assert_eq!(bad, 0, "pieces of code differ");
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
    sequences_64 MAX64;
    sequences_32 MAX32;
    sequences_vendor VENDOR;
    sequences_finx_64 FINX64;
    sequences_finx_32 FINX32;
    sequences_old_64 U54;
    sequences_base_32 BASE32;
}
