//! x87 and MMX: operands, register stacks and control words of their cases, and the groups.

use crate::compare;
use crate::forms::Maker;
use crate::state::{DATA, DATA_SIZE, Extended, State};
use iced_x86::{
    Code, CpuidFeature as F, Instruction, MemorySize, Mnemonic as M, OpCodeOperandKind as K, OpKind, Register,
};
use ir::testing::Rng;

/// Sets an operand in the register stack; false for other kinds.
pub fn operand(maker: &mut Maker<'_>, insn: &mut Instruction, n: u32, kind: K) -> bool {
    let number = maker.rng.below(8) as u32;
    let r = match kind {
        K::st0 => Register::ST0,
        K::sti_opcode => Register::ST0 + number,
        K::mm_or_mem if maker.rng.one_in(2) => {
            maker.put_memory(insn, n);
            return true;
        }
        K::mm_reg | K::mm_rm | K::mm_or_mem => Register::MM0 + number,
        _ => return false,
    };
    insn.set_op_kind(n, OpKind::Register);
    insn.set_op_register(n, r);
    true
}

/// A number of this format: special ones, ordinary ones of like size, any bits.
fn real(rng: &mut Rng, exponent_bits: u32, fraction_bits: u32) -> u64 {
    let max = (1u64 << exponent_bits) - 1;
    let bias = max >> 1;
    let any = rng.bits() & ((1 << fraction_bits) - 1);
    let sign = (rng.bits() & 1) << (exponent_bits + fraction_bits);
    sign | match rng.below(12) {
        0 => 0,
        1 => max << fraction_bits,
        2 => max << fraction_bits | any.max(1),
        3 => any >> rng.below(fraction_bits as usize),
        4 => (max - 1 - rng.below(3) as u64) << fraction_bits | any,
        5 => (1 + rng.below(3) as u64) << fraction_bits | any,
        6 => bias << fraction_bits,
        7 | 8 => {
            (bias + rng.below(12) as u64) << fraction_bits | any >> (fraction_bits - 4) << (fraction_bits - 4)
        }
        9 => rng.bits() & ((1 << (exponent_bits + fraction_bits)) - 1),
        _ => (bias + rng.below(9) as u64 - 4) << fraction_bits | any,
    }
}

/// An extended number.
fn extended(rng: &mut Rng) -> [u8; 10] {
    let any = rng.bits();
    let unit = 1u64 << 63;
    let bias = 0x3fff;
    let (exponent, fraction) = match rng.below(16) {
        0 => (0, 0),
        1 => (0x7fff, unit),
        2 => (0x7fff, unit | any),
        3 => (0x7fff, unit | any | 1 << 62),
        // Denormals, pseudo-denormals, unnormals, pseudo-NaNs.
        4 => (0, any >> (1 + rng.below(62))),
        5 => (0, any | unit),
        6 if rng.one_in(2) => (rng.below(0x8000) as u16, any & !unit),
        7 => (0x7ffe - rng.below(3) as u16, any | unit),
        8 => (1 + rng.below(70) as u16, any | unit),
        9 => (bias, unit),
        10 => (bias + rng.below(20) as u16, unit | any >> 52 << 52),
        11 => (bias + rng.below(70) as u16, unit | any),
        12 => (bias - rng.below(70) as u16, unit | any),
        // Doubles' ends, where stores overflow and underflow.
        13 => (rng.pick(&[bias + 1023, bias - 1022, bias - 1030, bias + 127, bias - 127]), unit | any),
        _ => (bias - 3 + rng.below(6) as u16, unit | any),
    };
    let sign = (rng.bits() as u16 & 1) << 15;
    let mut out = [0; 10];
    out[..8].copy_from_slice(&fraction.to_le_bytes());
    out[8..].copy_from_slice(&(exponent | sign).to_le_bytes());
    out
}

fn bcd(rng: &mut Rng) -> [u8; 10] {
    let mut out = [0; 10];
    let digits = rng.below(10);
    for b in &mut out[..digits] {
        *b = (rng.below(10) | rng.below(10) << 4) as u8;
    }
    out[9] = rng.pick(&[0, 0x80]);
    out
}

fn is_x87(code: Code) -> bool {
    let mine = |f: &F| matches!(f, F::FPU | F::FPU287 | F::FPU287XL_ONLY | F::FPU387 | F::FPU387SL_ONLY);
    code.cpuid_features().iter().any(mine) || code.mnemonic() == M::Fisttp
}

/// The stack, control word and memory of a case.
pub fn prepare(maker: &mut Maker<'_>, insn: &Instruction, s: &mut State) {
    let mmx = (0..insn.op_count()).any(|n| {
        insn.op_kind(n) == OpKind::Register && (Register::MM0..=Register::MM7).contains(&insn.op_register(n))
    }) || insn.mnemonic() == M::Emms;
    if !is_x87(insn.code()) && !mmx {
        return;
    }
    let rng = &mut *maker.rng;
    let mut control = 0x37f;
    if rng.one_in(2) {
        control = 0x7f | rng.pick(&[0, 2, 3, 3]) << 8 | (rng.below(4) as u16) << 10;
    }
    if rng.one_in(4) {
        control &= !(rng.bits() as u16 & 0x3f);
    }
    let mut status = rng.bits() as u16 & 0x4700;
    if rng.one_in(3) {
        // Sticky ones; one that is unmasked waits, which is a case of its own.
        status |= rng.bits() as u16 & 0x7f & if rng.one_in(6) { 0x7f } else { control | 0x40 };
    }
    if status & !control & 0x3f != 0 {
        status |= 0x8080;
    }
    status |= (rng.below(8) as u16) << 11;
    let one = 1u8 << rng.below(8);
    let tags = match rng.below(4) {
        0 => rng.bits() as u8,
        1 => rng.pick(&[0, one, !one]),
        _ => 0xff,
    };
    s.xsave[0..2].copy_from_slice(&control.to_le_bytes());
    s.xsave[2..4].copy_from_slice(&status.to_le_bytes());
    s.xsave[4] = tags;
    for i in 0..8 {
        let r = extended(rng);
        s.xsave[32 + 16 * i..42 + 16 * i].copy_from_slice(&r);
    }
    if insn.mnemonic() == M::Maskmovq {
        s.gpr[7] = DATA + rng.below(DATA_SIZE - 8) as u64;
    }
    let whole = matches!(insn.mnemonic(), M::Fldenv | M::Frstor);
    match insn.memory_size() {
        MemorySize::Float32 => {
            s.data
                .chunks_exact_mut(4)
                .for_each(|b| b.copy_from_slice(&(real(rng, 8, 23) as u32).to_le_bytes()));
        }
        MemorySize::Float64 => {
            s.data.chunks_exact_mut(8).for_each(|b| b.copy_from_slice(&real(rng, 11, 52).to_le_bytes()));
        }
        MemorySize::Float80 => {
            s.data.chunks_exact_mut(16).for_each(|b| b[..10].copy_from_slice(&extended(rng)))
        }
        MemorySize::Bcd => s.data.chunks_exact_mut(16).for_each(|b| b[..10].copy_from_slice(&bcd(rng))),
        _ if whole && rng.one_in(2) => s.data.chunks_exact_mut(4).for_each(|b| b[2] = 0),
        _ => {}
    }
}

fn run(bits: u32, least: usize) {
    // FSTSW and the like with a WAIT are two instructions to the decoder.
    let two = |c: Code| {
        matches!(
            c.mnemonic(),
            M::Fstsw
                | M::Fstcw
                | M::Fclex
                | M::Finit
                | M::Fstenv
                | M::Fsave
                | M::Feni
                | M::Fdisi
                | M::Fsetpm
                | M::Fstdw
                | M::Fstsg
                | M::Frstpm
        )
    };
    let report = compare(bits, |c| is_x87(c) && !two(c), Extended::Yes);
    assert!(report.forms > least, "only {} forms; without a case: {:?}", report.forms, report.skipped);
}

#[test]
fn x87_forms_64() {
    run(64, 140);
}

#[test]
fn x87_forms_32() {
    run(32, 140);
}

fn is_mmx(code: Code) -> bool {
    let info = code.op_code();
    let register = |n: u32| matches!(info.op_kind(n), K::mm_reg | K::mm_rm | K::mm_or_mem);
    let known = |f: &F| matches!(f, F::MMX | F::SSE | F::SSE2 | F::SSSE3);
    // EMMS and what the host has.
    (code == Code::Emms || (0..info.op_count()).any(register)) && code.cpuid_features().iter().all(known)
}

#[test]
fn mmx_forms_64() {
    let report = compare(64, is_mmx, Extended::Mmx);
    assert!(report.forms > 95, "only {} forms; without a case: {:?}", report.forms, report.skipped);
}
