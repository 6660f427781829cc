//! The vector groups: operands, decorations and registers of their cases, and the groups themselves.

use crate::compare;
use crate::forms::Maker;
use crate::state::{DATA, DATA_SIZE, Extended, State};
use iced_x86::{
    Code, CpuidFeature as F, EncodingKind, Instruction, Mnemonic as M, OpCodeOperandKind as K, OpKind,
    Register, RoundingControl,
};
use ir::testing::Rng;

/// Sets a vector or mask operand; false for other kinds.
pub fn operand(maker: &mut Maker<'_>, insn: &mut Instruction, n: u32, kind: K) -> bool {
    let evex = insn.code().op_code().encoding() == EncodingKind::EVEX;
    let registers = match (maker.bits, evex) {
        (64, true) => 32,
        (64, false) => 16,
        _ => 8,
    };
    let number = maker.rng.below(registers) as u32;
    let memory = maker.rng.one_in(2);
    let r = match kind {
        K::xmm_or_mem | K::ymm_or_mem | K::zmm_or_mem | K::k_or_mem if memory => {
            maker.put_memory(insn, n);
            return true;
        }
        K::xmm_reg | K::xmm_rm | K::xmm_vvvv | K::xmm_is4 | K::xmm_is5 | K::xmm_or_mem => {
            Register::XMM0 + number
        }
        K::ymm_reg | K::ymm_rm | K::ymm_vvvv | K::ymm_is4 | K::ymm_is5 | K::ymm_or_mem => {
            Register::YMM0 + number
        }
        K::zmm_reg | K::zmm_rm | K::zmm_vvvv | K::zmm_or_mem => Register::ZMM0 + number,
        K::k_reg | K::k_rm | K::k_vvvv | K::k_or_mem => Register::K0 + maker.rng.below(8) as u32,
        K::mem_vsib32x
        | K::mem_vsib64x
        | K::mem_vsib32y
        | K::mem_vsib64y
        | K::mem_vsib32z
        | K::mem_vsib64z => {
            let base = match kind {
                K::mem_vsib32x | K::mem_vsib64x => Register::XMM0,
                K::mem_vsib32y | K::mem_vsib64y => Register::YMM0,
                _ => Register::ZMM0,
            };
            insn.set_op_kind(n, OpKind::Memory);
            let bits = maker.bits;
            let gprs = if bits == 64 { 16 } else { 8 };
            insn.set_memory_base(crate::forms::gpr(bits, maker.rng.below(gprs)));
            insn.set_memory_index(base + number);
            insn.set_memory_index_scale(1 << maker.rng.below(4));
            insn.set_memory_displ_size(bits / 8);
            insn.set_memory_displacement64(maker.rng.below(64) as u64);
            return true;
        }
        K::imm4_m2z => {
            insn.set_op_kind(n, OpKind::Immediate8);
            insn.set_immediate8(maker.rng.below(4) as u8);
            return true;
        }
        K::seg_rDI => {
            insn.set_op_kind(n, if maker.bits == 64 { OpKind::MemorySegRDI } else { OpKind::MemorySegEDI });
            return true;
        }
        _ => return false,
    };
    insn.set_op_kind(n, OpKind::Register);
    insn.set_op_register(n, r);
    true
}

/// Masks, broadcasts and rounding of an EVEX form.
pub fn decorate(rng: &mut Rng, insn: &mut Instruction) {
    let info = insn.code().op_code();
    let memory = insn.op_kinds().any(|k| k == OpKind::Memory);
    if info.can_use_op_mask_register() && (info.require_op_mask_register() || rng.one_in(2)) {
        insn.set_op_mask(Register::K1 + rng.below(7) as u32);
        if info.can_use_zeroing_masking() && !(memory && insn.op0_kind() == OpKind::Memory) && rng.one_in(2) {
            insn.set_zeroing_masking(true);
        }
    }
    if memory && info.can_broadcast() && rng.one_in(2) {
        insn.set_is_broadcast(true);
    }
    if !memory {
        if info.can_use_rounding_control() && rng.one_in(2) {
            let all = [
                RoundingControl::RoundToNearest,
                RoundingControl::RoundDown,
                RoundingControl::RoundUp,
                RoundingControl::RoundTowardZero,
            ];
            insn.set_rounding_control(rng.pick(&all));
        } else if info.can_suppress_all_exceptions() && !info.can_use_rounding_control() && rng.one_in(2) {
            insn.set_suppress_all_exceptions(true);
        }
    }
}

/// A number as floating point likes to have it: special values, ordinary ones of like size, any bits.
fn lane(rng: &mut Rng, bits: u32) -> u64 {
    let (exp, frac) = match bits {
        16 => (5, 10),
        32 => (8, 23),
        _ => (11, 52),
    };
    let sign = (rng.bits() & 1) << (bits - 1);
    let bias = (1u64 << (exp - 1)) - 1;
    let max = (1u64 << exp) - 1;
    let any = rng.bits() & ((1 << frac) - 1);
    sign | match rng.below(12) {
        0 => 0,
        1 => max << frac,
        2 => max << frac | 1 << (frac - 1) | any,
        3 => max << frac | (any & !(1 << (frac - 1))).max(1),
        4 => any >> rng.below(frac),
        5 => (max - 1 - rng.below(3) as u64) << frac | any,
        6 => (1 + rng.below(3) as u64) << frac | any,
        7 => bias << frac,
        8 => (bias + rng.below(70) as u64).min(max - 1) << frac | any,
        9 => (bias + rng.below(12) as u64) << frac | (any >> (frac - 4)) << (frac - 4),
        _ => (bias - 4 + rng.below(9) as u64) << frac | any,
    }
}

fn chunk(rng: &mut Rng, bytes: &mut [u8]) {
    match rng.below(6) {
        0 => bytes.chunks_exact_mut(8).for_each(|b| b.copy_from_slice(&rng.bits().to_le_bytes())),
        1 => {
            let small = rng.below(20) as u8;
            bytes.iter_mut().for_each(|b| *b = small.wrapping_add(rng.below(4) as u8).wrapping_sub(3));
        }
        2 | 3 => bytes.chunks_exact_mut(8).for_each(|b| b.copy_from_slice(&lane(rng, 64).to_le_bytes())),
        _ => bytes.chunks_exact_mut(4).for_each(|b| b.copy_from_slice(&(lane(rng, 32) as u32).to_le_bytes())),
    }
}

fn touches(insn: &Instruction) -> bool {
    (0..insn.op_count()).any(|n| {
        let r = insn.op_register(n);
        insn.op_kind(n) == OpKind::Register && (r.is_xmm() || r.is_ymm() || r.is_zmm() || r.is_k())
    }) || insn.memory_index().is_vector_register()
        || matches!(
            insn.mnemonic(),
            M::Ldmxcsr | M::Stmxcsr | M::Vldmxcsr | M::Vstmxcsr | M::Vzeroall | M::Vzeroupper
        )
}

/// Vector registers, masks, MXCSR and memory of a case.
pub fn prepare(maker: &mut Maker<'_>, insn: &Instruction, s: &mut State) {
    if !touches(insn) {
        return;
    }
    let rng = &mut *maker.rng;
    for range in [160..416, 576..832, 1152..2688] {
        s.xsave[range].chunks_exact_mut(16).for_each(|c| chunk(rng, c));
    }
    for n in 0..8 {
        let v = if rng.one_in(6) { 0 } else { rng.bits() };
        s.xsave[1088 + 8 * n..1096 + 8 * n].copy_from_slice(&v.to_le_bytes());
    }
    s.data.chunks_exact_mut(16).for_each(|c| chunk(rng, c));
    let mut mxcsr = 0x1f80 | (rng.below(4) as u32) << 13;
    if rng.one_in(3) {
        mxcsr |= rng.bits() as u32 & 0x3f;
    }
    if rng.one_in(5) {
        mxcsr |= rng.bits() as u32 & 0x8040;
    }
    if rng.one_in(8) {
        // Underflow stays masked: unmasked, a tiny exact result is an exception that is not modelled.
        mxcsr &= !(rng.bits() as u32 & 0x1780);
    }
    s.xsave[24..28].copy_from_slice(&mxcsr.to_le_bytes());
    match insn.mnemonic() {
        M::Ldmxcsr | M::Vldmxcsr => s.data.chunks_exact_mut(4).for_each(|b| {
            let v = rng.bits() as u32 & if rng.one_in(8) { u32::MAX } else { 0xffff };
            b.copy_from_slice(&v.to_le_bytes());
        }),
        M::Maskmovdqu | M::Vmaskmovdqu => s.gpr[7] = DATA + rng.below(DATA_SIZE - 8) as u64,
        _ => {}
    }
    if insn.memory_index().is_vector_register() {
        // Indices that stay near.
        for range in [160..416, 576..832, 1152..2688] {
            let wide = insn
                .code()
                .op_code()
                .op_kinds()
                .iter()
                .any(|k| matches!(k, K::mem_vsib64x | K::mem_vsib64y | K::mem_vsib64z));
            for b in s.xsave[range].chunks_exact_mut(if wide { 8 } else { 4 }) {
                let v = rng.below(400) as i64 - 200;
                let len = b.len();
                b.copy_from_slice(&v.to_le_bytes()[..len]);
                if rng.one_in(4) {
                    b[len - 1] |= 0x80;
                    b[len - 1] &= if rng.one_in(2) { 0xff } else { 0x7f };
                }
            }
        }
        let n = insn.memory_base().full_register() as usize - Register::RAX as usize;
        s.gpr[n] = DATA + 2048 + rng.below(2048) as u64;
        if rng.one_in(6) {
            s.gpr[n] = DATA + DATA_SIZE as u64 - 128;
        }
    }
    if insn.mnemonic() as u32 >= M::Pcmpestri as u32 && insn.mnemonic() as u32 <= M::Pcmpistrm as u32
        || insn.mnemonic() as u32 >= M::Vpcmpestri as u32 && insn.mnemonic() as u32 <= M::Vpcmpistrm as u32
    {
        let explicit = insn.memory_base().full_register();
        for (n, r) in [(0, Register::RAX), (2, Register::RDX)] {
            if explicit != r && insn.memory_index().full_register() != r {
                s.gpr[n] = (rng.below(40) as i64 - 20) as u64;
                if rng.one_in(8) {
                    s.gpr[n] ^= rng.bits() << 32;
                }
            }
        }
        // Few different units, and some zeros.
        for i in 160..416 {
            s.xsave[i] = rng.pick(&[0, 1, 2, 3, 0x41, 0x80, 0xff, 1, 2]);
        }
        s.data.iter_mut().for_each(|b| *b = rng.pick(&[0, 1, 2, 3, 0x41, 0x80, 0xff, 1, 2]));
    }
}

/// Whether every feature of a form is one of these.
fn of(code: Code, features: &[F]) -> bool {
    let mmx = (0..code.op_code().op_count())
        .any(|n| matches!(code.op_code().op_kind(n), K::mm_reg | K::mm_rm | K::mm_or_mem));
    let elsewhere = matches!(
        code.mnemonic(),
        M::Movnti
            | M::Mfence
            | M::Lfence
            | M::Sfence
            | M::Crc32
            | M::Pause
            | M::Maskmovq
            | M::Movntq
            | M::Prefetchw
            | M::Prefetcht0
            | M::Prefetcht1
            | M::Prefetcht2
            | M::Prefetchnta
            | M::Fisttp
            | M::Monitor
            | M::Mwait
    );
    !mmx && !elsewhere
        && !code.cpuid_features().is_empty()
        && code.cpuid_features().iter().all(|f| features.contains(f))
}

fn run(features: &[F], least: usize) {
    let report = compare(64, |c| of(c, features), Extended::Yes);
    assert!(report.forms >= least, "only {} forms; without a case: {:?}", report.forms, report.skipped);
}

#[test]
fn sse_forms() {
    run(&[F::SSE, F::SSE2], 190);
}

#[test]
fn sse4_forms() {
    let list = [F::SSE3, F::SSSE3, F::SSE4_1, F::SSE4_2, F::AES, F::PCLMULQDQ, F::SHA, F::GFNI];
    run(&list, 100);
}

#[test]
fn avx_forms() {
    let list = [F::AVX, F::AVX2, F::FMA, F::F16C, F::VAES, F::VPCLMULQDQ, F::AES, F::PCLMULQDQ, F::GFNI];
    run(&list, 400);
}

#[test]
fn avx512_forms() {
    let list = [
        F::AVX512F,
        F::AVX512BW,
        F::AVX512DQ,
        F::AVX512VL,
        F::AVX512CD,
        F::AVX512_VBMI,
        F::AVX512_VBMI2,
        F::AVX512_IFMA,
        F::AVX512_VNNI,
        F::AVX512_BITALG,
        F::AVX512_VPOPCNTDQ,
        F::AVX512_BF16,
        F::VAES,
        F::VPCLMULQDQ,
        F::GFNI,
    ];
    run(&list, 1000);
}

#[test]
fn sse_forms_32() {
    let report = compare(32, |c| of(c, &[F::SSE, F::SSE2, F::SSE3, F::SSSE3, F::SSE4_1]), Extended::Yes);
    assert!(report.forms >= 200, "only {} forms; without a case: {:?}", report.forms, report.skipped);
}
