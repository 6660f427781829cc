//! The table: which operation an instruction does on each chunk of 128 bits.
//!
//! One arm serves the legacy, VEX and EVEX forms of an instruction.

use super::helpers as h;
use super::operand::{full, real_operands};
use super::rows::{Cx, Emit, Row};
use crate::trans::Tr;
use iced_x86::{EncodingKind, Instruction, Mnemonic, OpKind};
use ir::Size::{self, B, D, H, S};
use ir::{Op, Round, Type, Val};

fn one(op: Op, lane: Size) -> Row {
    Row::new(1, lane, Emit::Op(op, 0))
}
fn two(op: Op, lane: Size) -> Row {
    Row::new(2, lane, Emit::Op(op, 0))
}
fn f1(lane: Size, f: super::rows::Make) -> Row {
    Row::new(1, lane, Emit::F(f))
}
fn f2(lane: Size, f: super::rows::Make) -> Row {
    Row::new(2, lane, Emit::F(f))
}
fn f3(lane: Size, f: super::rows::Make) -> Row {
    Row::new(3, lane, Emit::F(f))
}
fn fp(n: u32, op: Op, lane: Size) -> Row {
    Row::new(n, lane, Emit::Fp(op, 0))
}
fn fs(op: Op, lane: Size) -> Row {
    Row::new(2, lane, Emit::Fp(op, 1)).scalar()
}
fn call(n: u32, id: u16, lane: Size) -> Row {
    Row::new(n, lane, Emit::Call(id))
}
fn fcall(n: u32, id: u16, lane: Size) -> Row {
    Row::new(n, lane, Emit::FpCall(id))
}

/// A shift: by an immediate, or by a count in a register or memory.
fn shift(imm: bool, by_imm: Op, by_count: Op, lane: Size) -> Row {
    if !imm {
        return two(by_count, lane).count();
    }
    match by_imm {
        Op::VShlI => f1(lane, |t, cx, a| shift_imm(t, cx, Op::VShlI, a[0])),
        Op::VShrI => f1(lane, |t, cx, a| shift_imm(t, cx, Op::VShrI, a[0])),
        _ => f1(lane, |t, cx, a| shift_imm(t, cx, Op::VSarI, a[0])),
    }
}

/// Saturating arithmetic that no flag records.
fn saturating(op: Op, lane: Size) -> Row {
    Row::new(2, lane, Emit::Op(op, 1))
}

/// The row of an instruction that has one.
pub(super) fn row(insn: &Instruction) -> Option<Row> {
    use Mnemonic::*;
    let evex = insn.encoding() == EncodingKind::EVEX;
    // The string comparison has its name from another time.
    if insn.mnemonic() == Cmpsd && !insn.op0_register().is_xmm() {
        return None;
    }
    let imm = insn.op_kind(insn.op_count().wrapping_sub(1).min(4)) == OpKind::Immediate8;
    // A comparison gives a mask register in EVEX forms.
    let cmp = |r: Row| if evex { r.mask() } else { r };
    Some(match insn.mnemonic() {
        // Integer arithmetic.
        Paddb | Vpaddb => two(Op::VAdd, B),
        Paddw | Vpaddw => two(Op::VAdd, H),
        Paddd | Vpaddd => two(Op::VAdd, S),
        Paddq | Vpaddq => two(Op::VAdd, D),
        Psubb | Vpsubb => two(Op::VSub, B),
        Psubw | Vpsubw => two(Op::VSub, H),
        Psubd | Vpsubd => two(Op::VSub, S),
        Psubq | Vpsubq => two(Op::VSub, D),
        Paddsb | Vpaddsb => saturating(Op::VQaddS, B),
        Paddsw | Vpaddsw => saturating(Op::VQaddS, H),
        Paddusb | Vpaddusb => saturating(Op::VQaddU, B),
        Paddusw | Vpaddusw => saturating(Op::VQaddU, H),
        Psubsb | Vpsubsb => saturating(Op::VQsubS, B),
        Psubsw | Vpsubsw => saturating(Op::VQsubS, H),
        Psubusb | Vpsubusb => saturating(Op::VQsubU, B),
        Psubusw | Vpsubusw => saturating(Op::VQsubU, H),
        Pavgb | Vpavgb => two(Op::VRhaddU, B),
        Pavgw | Vpavgw => two(Op::VRhaddU, H),
        Pmullw | Vpmullw => two(Op::VMul, H),
        Pmulld | Vpmulld => two(Op::VMul, S),
        Vpmullq => two(Op::VMul, D),
        Pmulhw | Vpmulhw => two(Op::VMulHS, H),
        Pmulhuw | Vpmulhuw => two(Op::VMulHU, H),
        Pmulhrsw | Vpmulhrsw => two(Op::VMulHR, H),
        Pmuludq | Vpmuludq => two(Op::VMulLoU, D),
        Pmuldq | Vpmuldq => two(Op::VMulLoS, D),
        Pmaddwd | Vpmaddwd => two(Op::VMaddS, S).whole(),
        Pmaddubsw | Vpmaddubsw => two(Op::VMaddUs, H).whole(),
        Psadbw | Vpsadbw => two(Op::VSad, D).whole(),
        Pabsb | Vpabsb => one(Op::VAbs, B),
        Pabsw | Vpabsw => one(Op::VAbs, H),
        Pabsd | Vpabsd => one(Op::VAbs, S),
        Vpabsq => one(Op::VAbs, D),
        Psignb | Vpsignb => two(Op::VSign, B),
        Psignw | Vpsignw => two(Op::VSign, H),
        Psignd | Vpsignd => two(Op::VSign, S),
        Phaddw | Vphaddw => two(Op::VPadd, H),
        Phaddd | Vphaddd => two(Op::VPadd, S),
        Phsubw | Vphsubw => two(Op::VPsub, H),
        Phsubd | Vphsubd => two(Op::VPsub, S),
        Phaddsw | Vphaddsw => f2(H, |t, _, a| pair_saturating(t, Op::VQaddS, a)),
        Phsubsw | Vphsubsw => f2(H, |t, _, a| pair_saturating(t, Op::VQsubS, a)),
        Pminsb | Vpminsb => two(Op::VSMin, B),
        Pminsw | Vpminsw => two(Op::VSMin, H),
        Pminsd | Vpminsd => two(Op::VSMin, S),
        Vpminsq => two(Op::VSMin, D),
        Pminub | Vpminub => two(Op::VUMin, B),
        Pminuw | Vpminuw => two(Op::VUMin, H),
        Pminud | Vpminud => two(Op::VUMin, S),
        Vpminuq => two(Op::VUMin, D),
        Pmaxsb | Vpmaxsb => two(Op::VSMax, B),
        Pmaxsw | Vpmaxsw => two(Op::VSMax, H),
        Pmaxsd | Vpmaxsd => two(Op::VSMax, S),
        Vpmaxsq => two(Op::VSMax, D),
        Pmaxub | Vpmaxub => two(Op::VUMax, B),
        Pmaxuw | Vpmaxuw => two(Op::VUMax, H),
        Pmaxud | Vpmaxud => two(Op::VUMax, S),
        Vpmaxuq => two(Op::VUMax, D),
        Phminposuw | Vphminposuw => call(1, h::MIN_POSITION, H),
        Mpsadbw | Vmpsadbw if !evex => {
            f2(H, |t, cx, a| t.call_pure(h::MULTI_SAD, a, u64::from(cx.imm >> (3 * (cx.chunk & 1)) & 7)))
        }
        // Logic.
        Pand | Vpand | Vpandd | Andps | Vandps => two(Op::VAnd, S),
        Vpandq | Andpd | Vandpd => two(Op::VAnd, D),
        Por | Vpor | Vpord | Orps | Vorps => two(Op::VOr, S),
        Vporq | Orpd | Vorpd => two(Op::VOr, D),
        Pxor | Vpxor | Vpxord | Xorps | Vxorps => xor(insn, S),
        Vpxorq | Xorpd | Vxorpd => xor(insn, D),
        Pandn | Vpandn | Vpandnd | Andnps | Vandnps => Row::new(2, S, Emit::Swap(Op::VAndN)),
        Vpandnq | Andnpd | Vandnpd => Row::new(2, D, Emit::Swap(Op::VAndN)),
        Vpternlogd => f3(S, ternary),
        Vpternlogq => f3(D, ternary),
        // Comparisons.
        Pcmpeqb | Vpcmpeqb => cmp(two(Op::VCmpEq, B)),
        Pcmpeqw | Vpcmpeqw => cmp(two(Op::VCmpEq, H)),
        Pcmpeqd | Vpcmpeqd => cmp(two(Op::VCmpEq, S)),
        Pcmpeqq | Vpcmpeqq => cmp(two(Op::VCmpEq, D)),
        Pcmpgtb | Vpcmpgtb => cmp(two(Op::VCmpGtS, B)),
        Pcmpgtw | Vpcmpgtw => cmp(two(Op::VCmpGtS, H)),
        Pcmpgtd | Vpcmpgtd => cmp(two(Op::VCmpGtS, S)),
        Pcmpgtq | Vpcmpgtq => cmp(two(Op::VCmpGtS, D)),
        Vpcmpb => f2(B, compare_signed).mask(),
        Vpcmpw => f2(H, compare_signed).mask(),
        Vpcmpd => f2(S, compare_signed).mask(),
        Vpcmpq => f2(D, compare_signed).mask(),
        Vpcmpub => f2(B, compare_unsigned).mask(),
        Vpcmpuw => f2(H, compare_unsigned).mask(),
        Vpcmpud => f2(S, compare_unsigned).mask(),
        Vpcmpuq => f2(D, compare_unsigned).mask(),
        Vptestmb => two(Op::VTst, B).mask(),
        Vptestmw => two(Op::VTst, H).mask(),
        Vptestmd => two(Op::VTst, S).mask(),
        Vptestmq => two(Op::VTst, D).mask(),
        Vptestnmb => f2(B, test_none).mask(),
        Vptestnmw => f2(H, test_none).mask(),
        Vptestnmd => f2(S, test_none).mask(),
        Vptestnmq => f2(D, test_none).mask(),
        // Shifts.
        Psllw | Vpsllw => shift(imm, Op::VShlI, Op::VShlX, H),
        Pslld | Vpslld => shift(imm, Op::VShlI, Op::VShlX, S),
        Psllq | Vpsllq => shift(imm, Op::VShlI, Op::VShlX, D),
        Psrlw | Vpsrlw => shift(imm, Op::VShrI, Op::VShrX, H),
        Psrld | Vpsrld => shift(imm, Op::VShrI, Op::VShrX, S),
        Psrlq | Vpsrlq => shift(imm, Op::VShrI, Op::VShrX, D),
        Psraw | Vpsraw => shift(imm, Op::VSarI, Op::VSarX, H),
        Psrad | Vpsrad => shift(imm, Op::VSarI, Op::VSarX, S),
        Vpsraq => shift(imm, Op::VSarI, Op::VSarX, D),
        Pslldq | Vpslldq => f1(B, |t, cx, a| byte_shift(t, cx.imm, true, a[0])),
        Psrldq | Vpsrldq => f1(B, |t, cx, a| byte_shift(t, cx.imm, false, a[0])),
        Vpsllvw => two(Op::VShlV, H),
        Vpsllvd => two(Op::VShlV, S),
        Vpsllvq => two(Op::VShlV, D),
        Vpsrlvw => two(Op::VShrV, H),
        Vpsrlvd => two(Op::VShrV, S),
        Vpsrlvq => two(Op::VShrV, D),
        Vpsravw => two(Op::VSarV, H),
        Vpsravd => two(Op::VSarV, S),
        Vpsravq => two(Op::VSarV, D),
        Vprold => f1(S, |t, cx, a| rotate(t, cx, u32::from(cx.imm), a[0])),
        Vprolq => f1(D, |t, cx, a| rotate(t, cx, u32::from(cx.imm), a[0])),
        Vprord => f1(S, |t, cx, a| rotate(t, cx, 32 - u32::from(cx.imm) % 32, a[0])),
        Vprorq => f1(D, |t, cx, a| rotate(t, cx, 64 - u32::from(cx.imm) % 64, a[0])),
        Vprolvd => two(Op::VRolV, S),
        Vprolvq => two(Op::VRolV, D),
        Vprorvd => f2(S, rotate_right_by),
        Vprorvq => f2(D, rotate_right_by),
        Vpshldw => f2(H, |t, cx, a| double_shift(t, cx, a, true)),
        Vpshldd => f2(S, |t, cx, a| double_shift(t, cx, a, true)),
        Vpshldq => f2(D, |t, cx, a| double_shift(t, cx, a, true)),
        Vpshrdw => f2(H, |t, cx, a| double_shift(t, cx, a, false)),
        Vpshrdd => f2(S, |t, cx, a| double_shift(t, cx, a, false)),
        Vpshrdq => f2(D, |t, cx, a| double_shift(t, cx, a, false)),
        // Shuffles inside a chunk.
        Pshufb | Vpshufb => two(Op::VShufB, B).whole(),
        Pshufd | Vpshufd => f1(S, |t, cx, a| t.perm(S, &fours(cx.imm), a[0], a[0])).whole(),
        Pshuflw | Vpshuflw => f1(H, |t, cx, a| {
            let i = fours(cx.imm);
            t.perm(H, &[i[0], i[1], i[2], i[3], 4, 5, 6, 7], a[0], a[0])
        })
        .whole(),
        Pshufhw | Vpshufhw => f1(H, |t, cx, a| {
            let i = fours(cx.imm).map(|x| x + 4);
            t.perm(H, &[0, 1, 2, 3, i[0], i[1], i[2], i[3]], a[0], a[0])
        })
        .whole(),
        Shufps | Vshufps => f2(S, |t, cx, a| {
            let i = fours(cx.imm);
            t.perm(S, &[i[0], i[1], i[2] + 4, i[3] + 4], a[0], a[1])
        })
        .whole(),
        Shufpd | Vshufpd => f2(D, |t, cx, a| {
            let i = cx.imm >> (2 * cx.chunk);
            t.perm(D, &[i & 1, 2 + (i >> 1 & 1)], a[0], a[1])
        })
        .whole(),
        Vpermilps if imm => f1(S, |t, cx, a| t.perm(S, &fours(cx.imm), a[0], a[0])).whole(),
        Vpermilpd if imm => f1(D, |t, cx, a| {
            let i = cx.imm >> (2 * cx.chunk);
            t.perm(D, &[i & 1, i >> 1 & 1], a[0], a[0])
        })
        .whole(),
        Vpermilps => f2(S, |t, cx, a| lane_call(t, cx, h::PERMUTE_IN_LANE, a)).whole(),
        Vpermilpd => f2(D, |t, cx, a| lane_call(t, cx, h::PERMUTE_IN_LANE, a)).whole(),
        Punpcklbw | Vpunpcklbw => two(Op::VZip1, B).whole(),
        Punpcklwd | Vpunpcklwd => two(Op::VZip1, H).whole(),
        Punpckldq | Vpunpckldq | Unpcklps | Vunpcklps => two(Op::VZip1, S).whole(),
        Punpcklqdq | Vpunpcklqdq | Unpcklpd | Vunpcklpd => two(Op::VZip1, D).whole(),
        Punpckhbw | Vpunpckhbw => two(Op::VZip2, B).whole(),
        Punpckhwd | Vpunpckhwd => two(Op::VZip2, H).whole(),
        Punpckhdq | Vpunpckhdq | Unpckhps | Vunpckhps => two(Op::VZip2, S).whole(),
        Punpckhqdq | Vpunpckhqdq | Unpckhpd | Vunpckhpd => two(Op::VZip2, D).whole(),
        Packsswb | Vpacksswb => two(Op::VPackS, B).whole(),
        Packssdw | Vpackssdw => two(Op::VPackS, H).whole(),
        Packuswb | Vpackuswb => two(Op::VPackU, B).whole(),
        Packusdw | Vpackusdw => two(Op::VPackU, H).whole(),
        Palignr | Vpalignr => f2(B, |t, cx, a| align(t, cx.imm, a)).whole(),
        Movsldup | Vmovsldup => f1(S, |t, _, a| t.perm(S, &[0, 0, 2, 2], a[0], a[0])).whole(),
        Movshdup | Vmovshdup => f1(S, |t, _, a| t.perm(S, &[1, 1, 3, 3], a[0], a[0])).whole(),
        Pblendw | Vpblendw => f2(H, |t, cx, a| blend(t, H, cx.imm, a)),
        Blendps | Vblendps | Vpblendd => f2(S, |t, cx, a| blend(t, S, cx.imm >> (4 * cx.chunk), a)),
        Blendpd | Vblendpd => f2(D, |t, cx, a| blend(t, D, cx.imm >> (2 * cx.chunk), a)),
        Pblendvb => f2(B, blend_by_xmm0),
        Blendvps => f2(S, blend_by_xmm0),
        Blendvpd => f2(D, blend_by_xmm0),
        Vpblendvb => f3(B, blend_by),
        Vblendvps => f3(S, blend_by),
        Vblendvpd => f3(D, blend_by),
        // Bits.
        Vpopcntb => one(Op::VCnt, B),
        Vpopcntw => one(Op::VCnt, H),
        Vpopcntd => one(Op::VCnt, S),
        Vpopcntq => one(Op::VCnt, D),
        Vplzcntd => one(Op::VClz, S),
        Vplzcntq => one(Op::VClz, D),
        // Dot products and multiply-add of integers.
        Vpdpbusd => Row::new(3, S, Emit::Op(Op::VDotUs, 0)),
        Vpdpwssd => f3(S, |t, _, a| {
            let sum = t.b.vop(Op::VMaddS, full(S), &[a[1], a[2]], 0);
            t.b.vop(Op::VAdd, full(S), &[a[0], sum], 0)
        }),
        // Cryptography.
        Aesenc | Vaesenc => f2(B, |t, _, a| aes(t, &[Op::AesEnc, Op::AesMc], a)),
        Aesenclast | Vaesenclast => f2(B, |t, _, a| aes(t, &[Op::AesEnc], a)),
        Aesdec | Vaesdec => f2(B, |t, _, a| aes(t, &[Op::AesDec, Op::AesImc], a)),
        Aesdeclast | Vaesdeclast => f2(B, |t, _, a| aes(t, &[Op::AesDec], a)),
        Aesimc | Vaesimc => f1(B, |t, _, a| t.b.crypto(Op::AesImc, &[a[0]], 0)),
        Aeskeygenassist | Vaeskeygenassist => call(1, h::AES_KEYGEN, B),
        Pclmulqdq | Vpclmulqdq => f2(D, carryless),
        Sha1rnds4 => call(2, h::SHA1_ROUNDS, S),
        Sha1nexte => call(2, h::SHA1_NEXTE, S),
        Sha1msg1 => call(2, h::SHA1_MSG1, S),
        Sha1msg2 => call(2, h::SHA1_MSG2, S),
        Sha256rnds2 => f2(S, |t, _, a| {
            let w = t.chunk(0, 0);
            t.b.crypto(Op::Sha256Two, &[a[0], a[1], w], 0)
        }),
        Sha256msg1 => call(2, h::SHA256_MSG1, S),
        Sha256msg2 => call(2, h::SHA256_MSG2, S),
        Gf2p8mulb | Vgf2p8mulb => call(2, h::GF_MUL, B),
        Gf2p8affineqb | Vgf2p8affineqb => call(2, h::GF_AFFINE, B).whole(),
        Gf2p8affineinvqb | Vgf2p8affineinvqb => call(2, h::GF_AFFINE_INV, B).whole(),
        // Floating point.
        Addps | Vaddps => fp(2, Op::FAdd, S),
        Addpd | Vaddpd => fp(2, Op::FAdd, D),
        Addss | Vaddss => fs(Op::FAdd, S),
        Addsd | Vaddsd => fs(Op::FAdd, D),
        Subps | Vsubps => fp(2, Op::FSub, S),
        Subpd | Vsubpd => fp(2, Op::FSub, D),
        Subss | Vsubss => fs(Op::FSub, S),
        Subsd | Vsubsd => fs(Op::FSub, D),
        Mulps | Vmulps => fp(2, Op::FMul, S),
        Mulpd | Vmulpd => fp(2, Op::FMul, D),
        Mulss | Vmulss => fs(Op::FMul, S),
        Mulsd | Vmulsd => fs(Op::FMul, D),
        Divps | Vdivps => fp(2, Op::FDiv, S),
        Divpd | Vdivpd => fp(2, Op::FDiv, D),
        Divss | Vdivss => fs(Op::FDiv, S),
        Divsd | Vdivsd => fs(Op::FDiv, D),
        Minps | Vminps => fp(2, Op::FMin, S),
        Minpd | Vminpd => fp(2, Op::FMin, D),
        Minss | Vminss => fs(Op::FMin, S),
        Minsd | Vminsd => fs(Op::FMin, D),
        Maxps | Vmaxps => fp(2, Op::FMax, S),
        Maxpd | Vmaxpd => fp(2, Op::FMax, D),
        Maxss | Vmaxss => fs(Op::FMax, S),
        Maxsd | Vmaxsd => fs(Op::FMax, D),
        Sqrtps | Vsqrtps => fp(1, Op::FSqrt, S),
        Sqrtpd | Vsqrtpd => fp(1, Op::FSqrt, D),
        Sqrtss | Vsqrtss => fp(1, Op::FSqrt, S).scalar(),
        Sqrtsd | Vsqrtsd => fp(1, Op::FSqrt, D).scalar(),
        Rcpps | Vrcpps => one(Op::FRcp, S),
        Rcpss | Vrcpss => one(Op::FRcp, S).scalar(),
        Rsqrtps | Vrsqrtps => one(Op::FRsqrt, S),
        Rsqrtss | Vrsqrtss => one(Op::FRsqrt, S).scalar(),
        Haddps | Vhaddps => fp(2, Op::FPadd, S),
        Haddpd | Vhaddpd => fp(2, Op::FPadd, D),
        Hsubps | Vhsubps => fp(2, Op::FPsub, S),
        Hsubpd | Vhsubpd => fp(2, Op::FPsub, D),
        Addsubps | Vaddsubps => fp(2, Op::FAddSub, S),
        Addsubpd | Vaddsubpd => fp(2, Op::FAddSub, D),
        Dpps | Vdpps => f2(S, dot).fp(),
        Dppd | Vdppd => f2(D, dot).fp(),
        Cmpps | Vcmpps => cmp(f2(S, compare_fp).fp()),
        Cmppd | Vcmppd => cmp(f2(D, compare_fp).fp()),
        Cmpss | Vcmpss => cmp(f2(S, compare_fp).fp().scalar()),
        Cmpsd | Vcmpsd => cmp(f2(D, compare_fp).fp().scalar()),
        Roundps | Vroundps => f1(S, round).fp(),
        Roundpd | Vroundpd => f1(D, round).fp(),
        Roundss | Vroundss => f1(S, round).fp().scalar(),
        Roundsd | Vroundsd => f1(D, round).fp().scalar(),
        Vdbpsadbw => call(2, h::DOUBLE_SAD, H).whole(),
        Vpshufbitqmb => call(2, h::SHUFFLE_BITS, B).mask(),
        Vpshldvw => f3(H, |t, cx, a| lane_call(t, cx, h::DOUBLE_LEFT, a)),
        Vpshldvd => f3(S, |t, cx, a| lane_call(t, cx, h::DOUBLE_LEFT, a)),
        Vpshldvq => f3(D, |t, cx, a| lane_call(t, cx, h::DOUBLE_LEFT, a)),
        Vpshrdvw => f3(H, |t, cx, a| lane_call(t, cx, h::DOUBLE_RIGHT, a)),
        Vpshrdvd => f3(S, |t, cx, a| lane_call(t, cx, h::DOUBLE_RIGHT, a)),
        Vpshrdvq => f3(D, |t, cx, a| lane_call(t, cx, h::DOUBLE_RIGHT, a)),
        Vpmultishiftqb => call(2, h::MULTI_SHIFT, B).whole(),
        Vpdpbusds => call(3, h::DOT_BYTES_SATURATING, S),
        Vpdpwssds => call(3, h::DOT_WORDS_SATURATING, S),
        Vpmadd52luq => call(3, h::MADD52_LOW, D),
        Vpmadd52huq => call(3, h::MADD52_HIGH, D),
        Vdpbf16ps => call(3, h::DOT_BF16, S),
        Vrndscaleps => fcall(1, h::ROUND_SCALE, S),
        Vrndscalepd => fcall(1, h::ROUND_SCALE, D),
        Vrndscaless => fcall(1, h::ROUND_SCALE, S).scalar(),
        Vrndscalesd => fcall(1, h::ROUND_SCALE, D).scalar(),
        Vreduceps => fcall(1, h::REDUCE, S),
        Vreducepd => fcall(1, h::REDUCE, D),
        Vreducess => fcall(1, h::REDUCE, S).scalar(),
        Vreducesd => fcall(1, h::REDUCE, D).scalar(),
        Vgetexpps => fcall(1, h::GET_EXP, S),
        Vgetexppd => fcall(1, h::GET_EXP, D),
        Vgetexpss => fcall(1, h::GET_EXP, S).scalar(),
        Vgetexpsd => fcall(1, h::GET_EXP, D).scalar(),
        Vgetmantps => fcall(1, h::GET_MANT, S),
        Vgetmantpd => fcall(1, h::GET_MANT, D),
        Vgetmantss => fcall(1, h::GET_MANT, S).scalar(),
        Vgetmantsd => fcall(1, h::GET_MANT, D).scalar(),
        Vscalefps => fcall(2, h::SCALE, S),
        Vscalefpd => fcall(2, h::SCALE, D),
        Vscalefss => fcall(2, h::SCALE, S).scalar(),
        Vscalefsd => fcall(2, h::SCALE, D).scalar(),
        Vrcp14ps => f1(S, |t, cx, a| estimate(t, cx, Op::FRcp14, a[0])),
        Vrcp14pd => f1(D, |t, cx, a| estimate(t, cx, Op::FRcp14, a[0])),
        Vrcp14ss => f1(S, |t, cx, a| estimate(t, cx, Op::FRcp14, a[0])).scalar(),
        Vrcp14sd => f1(D, |t, cx, a| estimate(t, cx, Op::FRcp14, a[0])).scalar(),
        Vrsqrt14ps => f1(S, |t, cx, a| estimate(t, cx, Op::FRsqrt14, a[0])),
        Vrsqrt14pd => f1(D, |t, cx, a| estimate(t, cx, Op::FRsqrt14, a[0])),
        Vrsqrt14ss => f1(S, |t, cx, a| estimate(t, cx, Op::FRsqrt14, a[0])).scalar(),
        Vrsqrt14sd => f1(D, |t, cx, a| estimate(t, cx, Op::FRsqrt14, a[0])).scalar(),
        Vrangeps => fcall(2, h::RANGE, S),
        Vrangepd => fcall(2, h::RANGE, D),
        Vrangess => fcall(2, h::RANGE, S).scalar(),
        Vrangesd => fcall(2, h::RANGE, D).scalar(),
        Vfixupimmps => fcall(3, h::FIXUP, S),
        Vfixupimmpd => fcall(3, h::FIXUP, D),
        Vfixupimmss => fcall(3, h::FIXUP, S).scalar(),
        Vfixupimmsd => fcall(3, h::FIXUP, D).scalar(),
        Vfpclassps => class(S),
        Vfpclasspd => class(D),
        Vfpclassss => class(S).scalar(),
        Vfpclasssd => class(D).scalar(),
        // Conversions between lanes of one width.
        Cvtdq2ps | Vcvtdq2ps => f1(S, |t, cx, a| convert(t, cx, Op::VSToF, cx.round, a[0])).fp(),
        Vcvtudq2ps => f1(S, |t, cx, a| convert(t, cx, Op::VUToF, cx.round, a[0])).fp(),
        Vcvtqq2pd => f1(D, |t, cx, a| convert(t, cx, Op::VSToF, cx.round, a[0])).fp(),
        Vcvtuqq2pd => f1(D, |t, cx, a| convert(t, cx, Op::VUToF, cx.round, a[0])).fp(),
        Cvtps2dq | Vcvtps2dq => f1(S, |t, cx, a| convert(t, cx, Op::VFToS, cx.round, a[0])).fp(),
        Cvttps2dq | Vcvttps2dq => f1(S, |t, cx, a| convert(t, cx, Op::VFToS, Round::Zero, a[0])).fp(),
        Vcvtps2udq => f1(S, |t, cx, a| convert(t, cx, Op::VFToU, cx.round, a[0])).fp(),
        Vcvttps2udq => f1(S, |t, cx, a| convert(t, cx, Op::VFToU, Round::Zero, a[0])).fp(),
        Vcvtpd2qq => f1(D, |t, cx, a| convert(t, cx, Op::VFToS, cx.round, a[0])).fp(),
        Vcvttpd2qq => f1(D, |t, cx, a| convert(t, cx, Op::VFToS, Round::Zero, a[0])).fp(),
        Vcvtpd2uqq => f1(D, |t, cx, a| convert(t, cx, Op::VFToU, cx.round, a[0])).fp(),
        Vcvttpd2uqq => f1(D, |t, cx, a| convert(t, cx, Op::VFToU, Round::Zero, a[0])).fp(),
        m if (Vfmadd132pd as u32..=Vfnmsub231ss as u32).contains(&(m as u32)) => return fused(m),
        _ => return None,
    })
}

/// XOR of a register with itself does not depend on it.
fn xor(insn: &Instruction, lane: Size) -> Row {
    let real = real_operands(insn);
    let same = real >= 2
        && insn.op_kind(real - 1) == OpKind::Register
        && insn.op_register(real - 1) == insn.op_register(real - 2);
    if same { f2(lane, |t, _, _| t.vzero()) } else { two(Op::VXor, lane) }
}

fn class(lane: Size) -> Row {
    // It looks at the operand's bits only and raises nothing.
    Row { fp: false, ..fcall(1, h::CLASSIFY, lane) }.mask()
}

/// A fused multiply-add by its mnemonic: vf[n]m{add,sub,addsub,subadd}{132,213,231}{ps,pd,ss,sd}.
fn fused(m: Mnemonic) -> Option<Row> {
    let name = format!("{m:?}");
    let rest = name.strip_prefix("Vf")?;
    let (negated, rest) = match rest.strip_prefix('n') {
        Some(r) => (1, r),
        None => (0, rest),
    };
    let kinds = [("maddsub", 6), ("msubadd", 4), ("madd", 0), ("msub", 2)];
    let (imm, rest) = kinds.iter().find_map(|(k, imm)| Some((*imm, rest.strip_prefix(k)?)))?;
    let (order, form) = rest.split_at_checked(3)?;
    let lane = match form {
        "ps" | "ss" => S,
        "pd" | "sd" => D,
        _ => return None,
    };
    // The order says which operands are multiplied.
    let row = match order {
        "132" => Row::new(3, lane, Emit::Fused([1, 0, 2], imm | negated)),
        "213" => Row::new(3, lane, Emit::Fused([2, 1, 0], imm | negated)),
        "231" => Row::new(3, lane, Emit::Fused([0, 1, 2], imm | negated)),
        _ => return None,
    };
    Some(if form.starts_with('s') { row.scalar() } else { row })
}

fn fours(imm: u8) -> [u8; 4] {
    [imm & 3, imm >> 2 & 3, imm >> 4 & 3, imm >> 6]
}

impl Tr<'_> {
    /// Lanes of `a` and `b` by a constant list: see [`Op::VPerm`].
    pub(super) fn perm(&mut self, lane: Size, from: &[u8], a: Val, b: Val) -> Val {
        let imm = from.iter().rev().fold(0u64, |m, &n| m << 8 | u64::from(n));
        self.b.vop(Op::VPerm, full(lane), &[a, b], imm)
    }
}

fn shift_imm(t: &mut Tr<'_>, cx: &Cx, op: Op, a: Val) -> Val {
    let bits = cx.lane.bits();
    let n = u32::from(cx.imm);
    if n == 0 {
        return a;
    }
    if n >= bits && op != Op::VSarI {
        return t.vzero();
    }
    t.b.vop(op, full(cx.lane), &[a], u64::from(n.min(bits - u32::from(op != Op::VSarI))))
}

fn byte_shift(t: &mut Tr<'_>, n: u8, left: bool, a: Val) -> Val {
    if n == 0 {
        return a;
    }
    let zero = t.vzero();
    if n > 15 {
        return zero;
    }
    if left {
        t.b.vop(Op::VExt, full(B), &[zero, a], u64::from(16 - n))
    } else {
        t.b.vop(Op::VExt, full(B), &[a, zero], u64::from(n))
    }
}

fn align(t: &mut Tr<'_>, n: u8, a: &[Val]) -> Val {
    match n {
        0 => a[1],
        1..=15 => t.b.vop(Op::VExt, full(B), &[a[1], a[0]], u64::from(n)),
        16..=31 => byte_shift(t, n - 16, false, a[0]),
        _ => t.vzero(),
    }
}

fn rotate(t: &mut Tr<'_>, cx: &Cx, n: u32, a: Val) -> Val {
    let bits = cx.lane.bits();
    let n = n % bits;
    if n == 0 {
        return a;
    }
    let up = t.b.vop(Op::VShlI, full(cx.lane), &[a], u64::from(n));
    let down = t.b.vop(Op::VShrI, full(cx.lane), &[a], u64::from(bits - n));
    t.b.vop(Op::VOr, full(cx.lane), &[up, down], 0)
}

fn rotate_right_by(t: &mut Tr<'_>, cx: &Cx, a: &[Val]) -> Val {
    let n = t.b.vop(Op::VNeg, full(cx.lane), &[a[1]], 0);
    t.b.vop(Op::VRolV, full(cx.lane), &[a[0], n], 0)
}

fn double_shift(t: &mut Tr<'_>, cx: &Cx, a: &[Val], left: bool) -> Val {
    let bits = cx.lane.bits();
    let n = u32::from(cx.imm) % bits;
    if n == 0 {
        return a[0];
    }
    let (first, second) = if left { (Op::VShlI, Op::VShrI) } else { (Op::VShrI, Op::VShlI) };
    let x = t.b.vop(first, full(cx.lane), &[a[0]], u64::from(n));
    let y = t.b.vop(second, full(cx.lane), &[a[1]], u64::from(bits - n));
    t.b.vop(Op::VOr, full(cx.lane), &[x, y], 0)
}

/// A helper that is told the lane size.
fn lane_call(t: &mut Tr<'_>, cx: &Cx, id: u16, a: &[Val]) -> Val {
    t.call_pure(id, a, u64::from(cx.imm) | (cx.lane as u64) << 8)
}

fn pair_saturating(t: &mut Tr<'_>, op: Op, a: &[Val]) -> Val {
    let even = t.b.vop(Op::VUzp1, full(H), &[a[0], a[1]], 0);
    let odd = t.b.vop(Op::VUzp2, full(H), &[a[0], a[1]], 0);
    t.b.vop(op, full(H), &[even, odd], 1)
}

fn ternary(t: &mut Tr<'_>, cx: &Cx, a: &[Val]) -> Val {
    match cx.imm {
        0 => t.vzero(),
        0xff => t.b.vconst(u64::MAX, true),
        n => t.b.vop(Op::VTern, full(cx.lane), a, u64::from(n)),
    }
}

fn compare_signed(t: &mut Tr<'_>, cx: &Cx, a: &[Val]) -> Val {
    compare(t, cx, a, Op::VCmpGtS)
}
fn compare_unsigned(t: &mut Tr<'_>, cx: &Cx, a: &[Val]) -> Val {
    compare(t, cx, a, Op::VCmpGtU)
}
fn compare(t: &mut Tr<'_>, cx: &Cx, a: &[Val], gt: Op) -> Val {
    let shape = full(cx.lane);
    let v = match cx.imm & 3 {
        0 => t.b.vop(Op::VCmpEq, shape, &[a[0], a[1]], 0),
        1 => t.b.vop(gt, shape, &[a[1], a[0]], 0),
        2 => {
            let v = t.b.vop(gt, shape, &[a[0], a[1]], 0);
            t.b.vop(Op::VNot, shape, &[v], 0)
        }
        _ => t.vzero(),
    };
    if cx.imm & 4 != 0 { t.b.vop(Op::VNot, shape, &[v], 0) } else { v }
}

fn test_none(t: &mut Tr<'_>, cx: &Cx, a: &[Val]) -> Val {
    let v = t.b.vop(Op::VTst, full(cx.lane), &[a[0], a[1]], 0);
    t.b.vop(Op::VNot, full(cx.lane), &[v], 0)
}

fn blend(t: &mut Tr<'_>, lane: Size, bits: u8, a: &[Val]) -> Val {
    let n = full(lane).lanes;
    let from: Vec<u8> = (0..n).map(|i| if bits >> i & 1 != 0 { n + i } else { i }).collect();
    t.perm(lane, &from, a[0], a[1])
}

fn blend_by_xmm0(t: &mut Tr<'_>, cx: &Cx, a: &[Val]) -> Val {
    let m = t.chunk(0, 0);
    t.b.vop(Op::VBlendT, full(cx.lane), &[m, a[1], a[0]], 0)
}
fn blend_by(t: &mut Tr<'_>, cx: &Cx, a: &[Val]) -> Val {
    t.b.vop(Op::VBlendT, full(cx.lane), &[a[2], a[1], a[0]], 0)
}

fn aes(t: &mut Tr<'_>, steps: &[Op], a: &[Val]) -> Val {
    let v = steps.iter().fold(a[0], |v, &op| t.b.crypto(op, &[v], 0));
    t.b.vop(Op::VXor, full(B), &[v, a[1]], 0)
}

fn carryless(t: &mut Tr<'_>, cx: &Cx, a: &[Val]) -> Val {
    let (x, y) = (cx.imm & 1, cx.imm >> 4 & 1);
    let wide = full(Size::Q);
    if x == y {
        return t.b.vop(Op::VPmull, wide, &[a[0], a[1]], u64::from(x));
    }
    let p = t.b.vop(Op::VDupLane, full(D), &[a[0]], u64::from(x));
    let q = t.b.vop(Op::VDupLane, full(D), &[a[1]], u64::from(y));
    t.b.vop(Op::VPmull, wide, &[p, q], 0)
}

/// The relations of a predicate of the comparison instructions, and whether quiet NaNs signal, as [`Op::FCmpP`] wants them.
pub(super) fn predicate(imm: u8) -> u64 {
    // Less 1, equal 2, greater 4, unordered 8; 16 = signalling. SDM volume 2A, CMPPD.
    const P: [u8; 16] = [2, 17, 19, 8, 13, 30, 28, 7, 10, 25, 27, 0, 5, 22, 20, 15];
    let p = P[imm as usize & 15];
    u64::from(if imm & 16 != 0 { p ^ 16 } else { p })
}

fn compare_fp(t: &mut Tr<'_>, cx: &Cx, a: &[Val]) -> Val {
    let fp = t.fp(cx.shape, Round::Dynamic);
    // Legacy forms have three bits of predicate.
    t.b.fop(Op::FCmpP, fp, a, predicate(if cx.legacy { cx.imm & 7 } else { cx.imm & 31 }))
}

/// The rounding that an immediate of the rounding instructions asks for.
fn round_of(imm: u8) -> Round {
    match imm & 7 {
        0 => Round::Nearest,
        1 => Round::Down,
        2 => Round::Up,
        3 => Round::Zero,
        _ => Round::Dynamic,
    }
}

fn round(t: &mut Tr<'_>, cx: &Cx, a: &[Val]) -> Val {
    let fp = t.fp(cx.shape, round_of(cx.imm));
    t.b.fop(Op::FRint, fp, a, u64::from(cx.imm & 8 == 0))
}

pub(super) fn convert(t: &mut Tr<'_>, cx: &Cx, op: Op, round: Round, a: Val) -> Val {
    let fp = t.fp(full(cx.lane), round);
    t.b.fcvt(op, Type::V128, fp, cx.lane, a, 0)
}

/// An estimate; under DAZ that of zero for a denormal, under FZ zero in place of one.
fn estimate(t: &mut Tr<'_>, cx: &Cx, op: Op, a: Val) -> Val {
    let rules = t.fp_rules();
    let a = if rules.flush_in { without_denormals(t, cx.lane, a) } else { a };
    let r = t.b.vop(op, full(cx.lane), &[a], 0);
    if rules.flush_out { without_denormals(t, cx.lane, r) } else { r }
}

/// Zeros of the same sign in place of denormals.
fn without_denormals(t: &mut Tr<'_>, lane: Size, a: Val) -> Val {
    let shape = full(lane);
    let (exponent, sign) = if lane == S {
        (0x7f80_0000_7f80_0000, 0x8000_0000_8000_0000)
    } else {
        (0x7ff0_0000_0000_0000, 1 << 63)
    };
    let (exponent, sign) = (t.b.vconst(exponent, true), t.b.vconst(sign, true));
    let normal = t.b.vop(Op::VTst, shape, &[a, exponent], 0);
    let zero = t.b.vop(Op::VAnd, shape, &[a, sign], 0);
    t.b.vop(Op::VBsl, shape, &[normal, a, zero], 0)
}

fn dot(t: &mut Tr<'_>, cx: &Cx, a: &[Val]) -> Val {
    let fp = t.fp(full(cx.lane), Round::Dynamic);
    let n = full(cx.lane).lanes;
    let pick = |on: &dyn Fn(u8) -> bool, from: &dyn Fn(u8) -> u8| -> Vec<u8> {
        (0..n).map(|i| if on(i) { from(i) } else { 0x80 }).collect()
    };
    let imm = cx.imm;
    let chosen = pick(&|i| imm >> (4 + i) & 1 != 0, &|i| i);
    let x = t.perm(cx.lane, &chosen, a[0], a[0]);
    let y = t.perm(cx.lane, &chosen, a[1], a[1]);
    let mut sum = t.b.fop(Op::FMul, fp, &[x, y], 0);
    sum = t.b.fop(Op::FPadd, fp, &[sum, sum], 0);
    if n == 4 {
        // Which of two NaNs comes out depends on the lane.
        let x = t.perm(cx.lane, &[0, 0, 1, 1], sum, sum);
        let y = t.perm(cx.lane, &[1, 1, 0, 0], sum, sum);
        sum = t.b.fop(Op::FAdd, fp, &[x, y], 0);
    }
    let out = pick(&|i| imm >> i & 1 != 0, &|i| i);
    t.perm(cx.lane, &out, sum, sum)
}
