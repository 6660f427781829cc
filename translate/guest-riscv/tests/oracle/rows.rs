//! Every row of the decode tables on the CPUs that have it.

use crate::state::{Random, State, random};
use crate::suite::{self, Suite};
use crate::{Batch, access, cases, compare, number, report};
use guest_riscv::cpu::Features;
use guest_riscv::decode::{Float, Insn, Int, ROWS, Row, decode, generate};

/// States per encoding.
const BATCH: usize = 32;

/// Why an instruction is not run here.
pub fn skip(suite: &Suite, insn: Insn) -> Option<&'static str> {
    match insn {
        Insn::Int(Int::CboClean(_) | Int::CboFlush(_)) => {
            Some("the reference behaves as kernels before 6.16, which do not allow it; `behaviour.rs`")
        }
        Insn::Float(Float::Fmin(_) | Float::Fmax(_)) if suite.is_old() => {
            Some("the reference gives cores of the first privileged versions the NaN rule of IEEE 754-2008")
        }
        Insn::Float(Float::Fsgnjn(a) | Float::Fsgnjx(a)) if a.fmt == 2 && suite.name == "finx32" => {
            Some("the reference drops the result")
        }
        Insn::Int(Int::Ecall) => Some("a system call; the emulator's own tests have them"),
        Insn::Int(
            Int::Csrrw(_) | Int::Csrrs(_) | Int::Csrrc(_) | Int::Csrrwi(_) | Int::Csrrsi(_) | Int::Csrrci(_),
        ) => Some("in `csr`, by register"),
        _ => None,
    }
}

/// Whether an instruction can be compared: jumps stay near, accesses have a base.
pub fn fits(suite: &Suite, insn: Insn) -> bool {
    // Without compressed instructions a target of odd halves traps; see `behaviour.rs`.
    let step = if suite.breakpoints() == 0x0010_0073 { 2 } else { 1 };
    // Not to itself, for ever.
    let near = |imm: i32| (-400..400).contains(&imm) && imm % step == 0 && imm != 0;
    match insn {
        Insn::Int(Int::Jal(a)) => near(a.imm),
        Insn::Int(Int::Beq(a) | Int::Bne(a) | Int::Blt(a) | Int::Bge(a) | Int::Bltu(a) | Int::Bgeu(a)) => {
            near(a.imm)
        }
        Insn::Int(Int::Jalr(a)) => a.rs1 != 0,
        _ => access::of(insn).is_none_or(|a| a.base != 0),
    }
}

/// Bits of the values that an instruction works on.
pub fn bits(row: &Row, word: u32) -> u32 {
    let format = |fmt: u32| [32, 64, 16, 32][fmt as usize & 3];
    match row.name {
        "fcvt_f" => format(word >> 20),
        "fcvt_sb" => 16,
        "flw" | "fsw" | "fcvt_bf" => 32,
        "flh" | "fsh" => 16,
        _ => format(word >> 25),
    }
}

/// A word of the row that the CPU has and that can be compared. Branches get near targets.
pub fn word_of(suite: &Suite, features: &Features, row: &Row, r: &mut Random) -> Option<(u32, Insn)> {
    (0..400).find_map(|_| {
        let mut word = generate(row, r.next() as u32);
        match word & 0x7f {
            // jal: only the lower bits of the distance, and a sign.
            0x6f if r.one_in(2) => word &= 0x0fe0_0fff,
            0x6f => word = word & 0x0fe0_0fff | 0xf01f_f000 | 0x8000_0000,
            0x63 if r.one_in(2) => word &= 0x0dff_ff7f,
            0x63 => word |= 0xe200_0080,
            _ => {}
        }
        let insn = decode(word, features)?;
        (skip(suite, insn).is_none() && fits(suite, insn)).then_some((word, insn))
    })
}

fn same(_: &State, _: &State) -> bool {
    false
}

/// Runs the groups' rows on the CPU.
fn run(suite: Suite, groups: &[&str]) {
    let cases = cases();
    let seed = number("OMNIRUN_ORACLE_SEED", 1);
    let only = std::env::var("OMNIRUN_ORACLE_ROWS").unwrap_or_default();
    let features = suite.parsed().features;
    let in_x = features.has(guest_riscv::cpu::Feature::Zfinx);
    let batches = ROWS
        .iter()
        .filter(|row| groups.contains(&row.group))
        .filter(|row| only.is_empty() || only.split(',').any(|w| row.name.contains(w)))
        .flat_map(|row| {
            let hash = row.name.bytes().fold(0u64, |h, b| h.wrapping_mul(131).wrapping_add(b.into()));
            let mut r = Random(seed ^ hash << 8);
            (0..cases.div_ceil(BATCH as u64)).map_while(move |_| {
                let (word, insn) = word_of(&suite, &features, row, &mut r)?;
                let bits = bits(row, word);
                let float = row.group == "float";
                let memory = access::of(insn).is_some();
                let states = (0..BATCH)
                    .map(|_| {
                        let mut s = random(&suite, &mut r, bits, in_x && float, memory);
                        if !features.has(guest_riscv::cpu::Feature::Fx) {
                            (s.f, s.fcsr) = ([0; 32], 0);
                        }
                        access::prepare(&suite, insn, &mut s, &mut r);
                        s
                    })
                    .collect();
                Some(Batch { name: row.name.into(), code: word.to_le_bytes().to_vec(), states })
            })
        });
    let (total, failed) = compare(&suite, batches, same);
    report(&suite, &groups.join(", "), total, &failed);
    assert!(total > 0 || !only.is_empty(), "something was compared");
}

macro_rules! tests {
    ($( $name:ident $suite:ident $groups:expr; )*) => { $(
        #[test]
        fn $name() {
            run(suite::$suite, &$groups);
        }
    )* };
}

tests! {
    integer_64 MAX64 ["int", "crypto"];
    integer_32 MAX32 ["int", "crypto"];
    integer_base_64 BASE64 ["int"];
    integer_base_32 BASE32 ["int"];
    integer_old VENDOR ["int"];
    integer_ventana VENTANA ["int"];
    atomic_64 MAX64 ["atomic"];
    atomic_32 MAX32 ["atomic"];
    float_64 MAX64 ["float"];
    float_32 MAX32 ["float"];
    float_old_64 U54 ["float"];
    float_old_32 U34 ["float"];
    float_in_integer_registers_64 FINX64 ["float"];
    float_in_integer_registers_32 FINX32 ["float"];
    vendor VENDOR ["xthead"];
}
