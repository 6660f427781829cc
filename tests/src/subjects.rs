//! The guests of the differential tests: how each makes random instructions.
//!
//! Input: a random number; output: instructions that neither branch nor leave, and what `differential` wants to know of the
//! guest. Used by the `translator` test and by `omnirun-dev run` and `reduce`.

use crate::differential::{COUNTER, Rng, Subject};
use guest_aarch64::Aarch64;
use guest_aarch64::cpu::Cpu;
use host_x86_64::X86_64;
use host_x86_64::asm::{Features, Level};

/// A random AArch64 instruction.
fn aarch64_instruction(r: &mut Rng) -> Vec<u8> {
    let rows = guest_aarch64::decode::ROWS;
    loop {
        let row = &rows[r.below(rows.len() as u64) as usize];
        // The other groups neither branch nor trap nor read what changes by itself.
        if row.group != "branch_sys" {
            return guest_aarch64::decode::generate(row, r.next_u64() as u32).to_le_bytes().to_vec();
        }
    }
}

fn riscv_instruction(r: &mut Rng) -> Vec<u8> {
    const LEAVING: [&str; 16] = [
        "jal", "jalr", "beq", "bne", "blt", "bge", "bltu", "bgeu", "ecall", "ebreak", "fence_i", "csrrw",
        "csrrs", "csrrc", "csrrwi", "csrrsi",
    ];
    let rows = guest_riscv::decode::ROWS;
    loop {
        if r.below(4) == 0 {
            // A compressed instruction that stands for one that stays.
            let half = r.next_u64() as u16;
            let word = guest_riscv::expand(half, &guest_riscv::cpu::Cpu::default().features);
            if half & 3 != 3 && word.is_some_and(|w| !matches!(w & 0x7f, 0x63 | 0x67 | 0x6f | 0x73)) {
                return half.to_le_bytes().to_vec();
            }
            continue;
        }
        let row = &rows[r.below(rows.len() as u64) as usize];
        if !LEAVING.contains(&row.name) && row.name != "csrrci" {
            let mut word = guest_riscv::decode::generate(row, r.next_u64() as u32);
            if row.group == "float" && r.below(2) == 0 {
                // The rounding mode compilers use, where the row has one (it is no fixed bit then).
                word |= 7 << 12 & !row.mask;
            }
            return word.to_le_bytes().to_vec();
        }
    }
}

/// A vector instruction with registers that make it legal more often than not, perhaps after setting vtype and vl.
fn riscv_vector(r: &mut Rng) -> Vec<u8> {
    let mut code = Vec::new();
    if r.below(3) == 0 {
        let (sew, lmul) = (r.below(4) as u32, [0, 0, 1, 1, 2, 3, 6, 7][r.below(8) as usize]);
        let set = if r.below(3) > 0 {
            // vsetvli with all elements
            0x7057 | (1 + r.below(31) as u32) << 7
        } else {
            // vsetivli
            0xc000_7057 | (r.below(32) as u32) << 15
        };
        code.extend((set | sew << 23 | lmul << 20).to_le_bytes());
    }
    let rows = guest_riscv::decode::ROWS;
    loop {
        let row = &rows[r.below(rows.len() as u64) as usize];
        if row.group == "vector" {
            let mut word = guest_riscv::decode::generate(row, r.next_u64() as u32);
            let align = r.below(4) as u32;
            for shift in [7, 15, 20] {
                word &= !((((1 << align) - 1) << shift) & !row.mask);
            }
            code.extend(word.to_le_bytes());
            return code;
        }
    }
}

fn words(code: &[u32]) -> Vec<u8> {
    code.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// The register with the counter's address is cleared, so that the body does not store there.
fn aarch64_back(body: usize) -> Vec<u8> {
    let (lo, hi) = (COUNTER as u32 & 0xffff, (COUNTER >> 16) as u32);
    let back = (-(body as i32 + 28) / 4) as u32 & 0x7_ffff;
    words(&[
        0xd280_0000 | lo << 5 | 26,   // mov x26, #lo
        0xf2a0_0000 | hi << 5 | 26,   // movk x26, #hi, lsl #16
        0xb940_0000 | 26 << 5 | 27,   // ldr w27, [x26]
        0x5100_0400 | 27 << 5 | 27,   // sub w27, w27, #1
        0xb900_0000 | 26 << 5 | 27,   // str w27, [x26]
        0x1200_0800 | 27 << 5 | 27,   // and w27, w27, #7
        0xd280_0000 | 26,             // mov x26, #0
        0x3500_0000 | back << 5 | 27, // cbnz w27, back
    ])
}

fn riscv_back(body: usize) -> Vec<u8> {
    let offset = -(body as i32 + 24) as u32;
    let page = (COUNTER as u32).wrapping_add(0x800) >> 12;
    let low = (COUNTER as u32).wrapping_sub(page << 12) & 0xfff;
    words(&[
        page << 12 | 30 << 7 | 0x37,                     // lui x30, page
        low << 20 | 30 << 15 | 2 << 12 | 31 << 7 | 0x03, // lw x31, low(x30)
        0xfff << 20 | 31 << 15 | 31 << 7 | 0x13,         // addi x31, x31, -1
        low >> 5 << 25 | 31 << 20 | 30 << 15 | 2 << 12 | (low & 31) << 7 | 0x23, // sw x31, low(x30)
        7 << 20 | 31 << 15 | 7 << 12 | 31 << 7 | 0x13,   // andi x31, x31, 7
        30 << 7 | 0x13,                                  // li x30, 0
        (offset >> 12 & 1) << 31
            | (offset >> 5 & 0x3f) << 25
            | 31 << 15
            | 1 << 12
            | (offset >> 1 & 15) << 8
            | (offset >> 11 & 1) << 7
            | 0x63, // bnez x31, back
    ])
}

/// A guest under test.
pub struct Case {
    /// Name of the guest and the kind of its instructions.
    pub name: &'static str,
    /// The guest and its generator.
    pub subject: fn() -> Subject,
    /// Its slots.
    pub slots: fn() -> ir::SlotTable,
}

impl Case {
    /// A back end for this guest at a level, or the machine's best below it.
    pub fn back_end(&self, level: Level) -> Box<dyn ir::BackEnd> {
        Box::new(X86_64::new(Features::detect_at_most(level), &(self.slots)()))
    }

    /// The case of this name.
    pub fn named(name: &str) -> Result<&'static Case, String> {
        let names = || CASES.iter().map(|c| c.name).collect::<Vec<_>>().join(", ");
        CASES
            .iter()
            .find(|c| c.name == name)
            .ok_or_else(|| format!("no generator {name}: there are {}", names()))
    }
}

/// Feature levels of the host, by name.
pub const LEVELS: [(&str, Level); 3] =
    [("sse4", Level::Sse), ("avx2", Level::Avx2), ("avx512", Level::Avx512)];

/// All of them.
pub const CASES: [Case; 3] = [
    Case {
        name: "aarch64",
        subject: || Subject {
            guest: || Box::new(Aarch64::new(Cpu::default())),
            instruction: aarch64_instruction,
            back: aarch64_back,
            syscall: &[0x01, 0x00, 0x00, 0xd4],
            pointers: &[0, 1, 2, 3, 4, 5, 9, 10, 19, 20, 28, 31],
            control: &[],
        },
        slots: guest_aarch64::cpu::slot_table,
    },
    Case {
        name: "riscv64",
        subject: || Subject {
            guest: || Box::new(guest_riscv::Riscv::new(guest_riscv::cpu::Cpu::default())),
            instruction: riscv_instruction,
            back: riscv_back,
            syscall: &[0x73, 0x00, 0x00, 0x00],
            pointers: &[0, 1, 4, 5, 7, 8, 9, 10, 12, 14, 20, 30],
            control: &[64, 65, 66, 67],
        },
        slots: guest_riscv::cpu::slot_table,
    },
    Case {
        name: "riscv64-vector",
        subject: || Subject {
            guest: || Box::new(guest_riscv::Riscv::new(guest_riscv::cpu::Cpu::default())),
            instruction: riscv_vector,
            back: riscv_back,
            syscall: &[0x73, 0x00, 0x00, 0x00],
            pointers: &[0, 1, 4, 5, 7, 8, 9, 10, 12, 14, 20, 30],
            control: &[64, 65, 66, 67],
        },
        slots: guest_riscv::cpu::slot_table,
    },
];
