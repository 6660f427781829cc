//! The evaluator: what each pure or sticky operation computes. The interpreter, the constant folder and translated
//! code (for operations without inline lowering) all come here.
//!
//! In: the operation with its type, attribute and immediate, arguments zero-extended to 128 bits (bits above the
//! type's width are ignored; flags are HPNZCV in bits 5 to 0). Out: the result in the same form; sticky state in `fp`.

use super::saturate::{self, SIGNED, Signs, UNSIGNED};
use super::vec::{
    self, build, get, low, map1, map1s, map2, map2s, mask2, mask2s, put, reduce, reduces, widening,
};
use super::{crypto, float, int};
use crate::softfloat as sf;
use crate::state::{flags_from_mem, flags_to_mem};
use crate::{Attr, Cc, Fp, FpState, Inst, Op, Shape, Size, Type};

/// The shape of a vector operation.
fn shape(inst: &Inst) -> Shape {
    match inst.attr {
        Attr::Vec(s) => s,
        Attr::Fp(fp) | Attr::FpCvt(fp, _) => fp.shape,
        _ => panic!("{:?} has no shape", inst.op),
    }
}

fn fp_attr(inst: &Inst) -> (Fp, Size) {
    match inst.attr {
        Attr::Fp(fp) => (fp, fp.shape.lane),
        Attr::FpCvt(fp, size) => (fp, size),
        _ => panic!("{:?} has no floating-point attribute", inst.op),
    }
}

fn cond(inst: &Inst, flags: u128) -> bool {
    match inst.attr {
        Attr::Cc(cc) => Cc::holds(cc, flags as u8),
        _ => panic!("{:?} has no condition", inst.op),
    }
}

/// Cuts a value to the width of a type.
pub fn truncate(ty: Type, v: u128) -> u128 {
    match ty {
        Type::Void => 0,
        Type::I32 => v & 0xffff_ffff,
        Type::I64 => v & u128::from(u64::MAX),
        Type::V128 => v,
        Type::Flags => v & 63,
    }
}

/// Evaluates an operation that is a function of its arguments (and of the sticky state). [`Op::FlagsOf`] needs its
/// producer and is not among them: see [`super::flags_of`].
pub fn eval(inst: &Inst, args: &[u128; 4], fp: &mut FpState) -> u128 {
    let op = inst.op;
    match op {
        Op::Const | Op::Addr => truncate(inst.ty, inst.imm.into()),
        Op::Add
        | Op::Sub
        | Op::Adc
        | Op::Sbc
        | Op::Mul
        | Op::MulHu
        | Op::MulHs
        | Op::DivU
        | Op::DivS
        | Op::RemU
        | Op::RemS
        | Op::And
        | Op::Or
        | Op::Xor
        | Op::AndN
        | Op::OrN
        | Op::Shl
        | Op::Shr
        | Op::Sar
        | Op::Ror
        | Op::Extr
        | Op::Bfi
        | Op::SMax
        | Op::SMin
        | Op::UMax
        | Op::UMin
        | Op::Pdep
        | Op::Pext
        | Op::Crc32 => {
            let w = int::width(inst.ty);
            int::binary(op, w, args[0] as u64, args[1] as u64, args[2] & 2 != 0, inst.imm).into()
        }
        Op::Not
        | Op::Neg
        | Op::Clz
        | Op::Ctz
        | Op::Cls
        | Op::Popcnt
        | Op::Bswap
        | Op::Rev16
        | Op::BitRev
        | Op::Sext8
        | Op::Sext16
        | Op::Zext8
        | Op::Zext16
        | Op::Sext32
        | Op::Zext32
        | Op::Trunc
        | Op::Ubfx
        | Op::Sbfx => int::unary(op, int::width(inst.ty), args[0] as u64, inst.imm).into(),
        Op::Nzcv => (args[0] & 15) << 28,
        Op::MkFlags => int::unpack_flags(args[0] as u64).into(),
        Op::CondFlags => {
            if cond(inst, args[0]) {
                args[1] & 63
            } else {
                int::unpack_flags(inst.imm).into()
            }
        }
        Op::LAdd
        | Op::LSub
        | Op::LAdc
        | Op::LSbc
        | Op::LAnd
        | Op::LOr
        | Op::LXor
        | Op::LNeg
        | Op::LShl
        | Op::LShr
        | Op::LSar => int::narrow(inst, args).into(),
        Op::FlagsMerge => (args[0] & !u128::from(inst.imm) | args[1] & u128::from(inst.imm)) & 63,
        Op::FlagsSelect => (if cond(inst, args[0]) { args[1] } else { args[2] }) & 63,
        Op::FlagsPack => flags_to_mem(args[0] as u8).into(),
        Op::FlagsUnpack => flags_from_mem(args[0] as u32).into(),
        Op::Select | Op::VSelect => truncate(inst.ty, if cond(inst, args[0]) { args[1] } else { args[2] }),
        Op::SetCc => cond(inst, args[0]).into(),
        Op::GetFpFlags if inst.imm == 2 => reverse5(fp.flags).into(),
        Op::GetFpFlags => fp.flags.into(),
        Op::SetFpFlags => {
            fp.flags = if inst.imm == 2 { reverse5(args[0] as u32) } else { args[0] as u32 };
            0
        }
        Op::SetRound => {
            fp.round = args[0] as u32;
            0
        }
        Op::GetSat => fp.sat.into(),
        Op::SetSat => {
            fp.sat = args[0] as u32 & 1;
            0
        }
        Op::AesEnc => crypto::aes_enc(args[0]),
        Op::AesDec => crypto::aes_dec(args[0]),
        Op::AesMc => crypto::aes_mix(args[0]),
        Op::AesImc => crypto::aes_inv_mix(args[0]),
        Op::Sha1C => crypto::sha1(args[0], args[1], args[2], crypto::choose),
        Op::Sha1P => crypto::sha1(args[0], args[1], args[2], crypto::parity),
        Op::Sha1M => crypto::sha1(args[0], args[1], args[2], crypto::majority),
        Op::Sha1Su0 => crypto::sha1_su0(args[0], args[1], args[2]),
        Op::Sha1Su1 => crypto::sha1_su1(args[0], args[1]),
        Op::Sha256H => crypto::sha256(args[0], args[1], args[2], true),
        Op::Sha256Two => crypto::sha256_two(args[0], args[1], args[2]),
        Op::Sha256H2 => crypto::sha256(args[1], args[0], args[2], false),
        Op::Sha256Su0 => crypto::sha256_su0(args[0], args[1]),
        Op::Sha256Su1 => crypto::sha256_su1(args[0], args[1], args[2]),
        Op::Sha512H => crypto::sha512_h(args[0], args[1], args[2]),
        Op::Sha512H2 => crypto::sha512_h2(args[0], args[1], args[2]),
        Op::Sha512Su0 => crypto::sha512_su0(args[0], args[1]),
        Op::Sha512Su1 => crypto::sha512_su1(args[0], args[1], args[2]),
        Op::Sm3PartW1 => crypto::sm3_part_w1(args[0], args[1], args[2]),
        Op::Sm3PartW2 => crypto::sm3_part_w2(args[0], args[1], args[2]),
        Op::Sm3Ss1 => crypto::sm3_ss1(args[0], args[1], args[2]),
        Op::Sm3Tt1A => crypto::sm3_tt1(args[0], args[1], args[2], inst.imm, crypto::parity),
        Op::Sm3Tt1B => crypto::sm3_tt1(args[0], args[1], args[2], inst.imm, crypto::majority),
        Op::Sm3Tt2A => crypto::sm3_tt2(args[0], args[1], args[2], inst.imm, crypto::parity),
        Op::Sm3Tt2B => crypto::sm3_tt2(args[0], args[1], args[2], inst.imm, crypto::choose),
        Op::Sm4E => crypto::sm4_e(args[0], args[1]),
        Op::Sm4Ekey => crypto::sm4_ekey(args[0], args[1]),
        Op::Nop
        | Op::Insn
        | Op::Get
        | Op::Set
        | Op::Defer
        | Op::Call
        | Op::FlagsOf
        | Op::Load
        | Op::Store
        | Op::Prefetch
        | Op::VLoad
        | Op::VStore
        | Op::VLoadMask
        | Op::VStoreMask
        | Op::Cas
        | Op::Cas128
        | Op::AtomicRmw
        | Op::Ll
        | Op::Sc
        | Op::Ll128
        | Op::Sc128
        | Op::ClearMonitor
        | Op::Fence
        | Op::InvalCode => panic!("{op:?} is not a function of its arguments"),
        _ => match inst.attr {
            Attr::Vec(_) => eval_vector(inst, args, fp),
            Attr::Fp(_) | Attr::FpCvt(..) => eval_float(inst, args, fp),
            _ => panic!("{op:?} lacks its attribute"),
        },
    }
}

/// Integer vector operations (those with a plain shape).
fn eval_vector(inst: &Inst, args: &[u128; 4], fp: &mut FpState) -> u128 {
    let s = shape(inst);
    let bits = s.lane.bits();
    let [a, b, c, _] = *args;
    let imm = inst.imm;
    // Where the sticky flag is to stay as it is, it goes to one that nobody reads.
    let mut ignored = 0;
    let quiet = imm == 1 && matches!(inst.op, Op::VQaddS | Op::VQaddU | Op::VQsubS | Op::VQsubU);
    let sat = if quiet { &mut ignored } else { &mut fp.sat };
    match inst.op {
        // Moves.
        Op::VConst => low(u128::from(imm) << 64 | u128::from(imm), s.bytes()),
        Op::VLow => low(a, s.bytes()),
        Op::VDup => build(s, |_| a as u64),
        Op::VDupLane => build(s, |_| get(a, bits, imm as u32)),
        Op::VIns => insert(a, bits, imm as u32, b as u64),
        Op::VInsLane => insert(a, bits, imm as u32 & 255, get(b, bits, imm as u32 >> 8)),
        Op::VMask => {
            let top = |i: u32| a >> (bits * i + bits - 1) & 1;
            (0..s.lanes.into()).fold(0, |m, i| m | top(i) << i)
        }
        Op::VFromMask => build(s, |i| if a >> (imm as u32 + i) & 1 != 0 { u64::MAX } else { 0 }),
        Op::VPerm => build(s, |i| match (imm >> (8 * i)) as u32 & 255 {
            n if n < s.lanes.into() => get(a, bits, n),
            n if n < 2 * u32::from(s.lanes) => get(b, bits, n - u32::from(s.lanes)),
            _ => 0,
        }),
        Op::VShufB => map1(s, b, |x| if x & 0x80 != 0 { 0 } else { get(a, 8, x as u32 & 15) }),
        Op::VBlendT => build(s, |i| get(if get(a, bits, i) >> (bits - 1) != 0 { b } else { c }, bits, i)),
        Op::VTern => low(super::lanes::ternary(a, b, c, imm as u8), s.bytes()),
        Op::VTest => u128::from(a & b == 0) << 2 | u128::from(b & !a == 0) << 1,
        Op::VGetU => truncate(inst.ty, get(a, bits, imm as u32).into()),
        Op::VGetS => {
            let x = int::sext(get(a, bits, imm as u32), bits) as u64;
            truncate(inst.ty, x.into())
        }
        Op::VZip1 => vec::zip(s, a, b, false),
        Op::VZip2 => vec::zip(s, a, b, true),
        Op::VUzp1 => vec::unzip(s, a, b, 0),
        Op::VUzp2 => vec::unzip(s, a, b, 1),
        Op::VTrn1 => vec::transpose(s, a, b, 0),
        Op::VTrn2 => vec::transpose(s, a, b, 1),
        Op::VExt => vec::extract(s, a, b, imm),
        Op::VTbl => vec::table(s, a, b, c, imm),
        Op::VRev => vec::reverse(s, a, imm),
        // Logic.
        Op::VAnd => low(a & b, s.bytes()),
        Op::VOr => low(a | b, s.bytes()),
        Op::VXor => low(a ^ b, s.bytes()),
        Op::VAndN => low(a & !b, s.bytes()),
        Op::VOrN => low(a | !b, s.bytes()),
        Op::VNot => low(!a, s.bytes()),
        Op::VBsl => low(a & b | !a & c, s.bytes()),
        // Lanes.
        Op::VAdd => map2(s, a, b, u64::wrapping_add),
        Op::VSub => map2(s, a, b, u64::wrapping_sub),
        Op::VMul => map2(s, a, b, u64::wrapping_mul),
        Op::VNeg => map1(s, a, u64::wrapping_neg),
        Op::VAbs => map1s(s, a, i64::unsigned_abs),
        Op::VAbdS => map2s(s, a, b, i64::abs_diff),
        Op::VAbdU => map2(s, a, b, u64::abs_diff),
        Op::VSMax => map2s(s, a, b, |x, y| x.max(y) as u64),
        Op::VSMin => map2s(s, a, b, |x, y| x.min(y) as u64),
        Op::VUMax => map2(s, a, b, u64::max),
        Op::VUMin => map2(s, a, b, u64::min),
        // Sums in 128 bits: 64-bit lanes must not overflow either.
        Op::VHaddS => map2s(s, a, b, |x, y| ((i128::from(x) + i128::from(y)) >> 1) as u64),
        Op::VHaddU => map2(s, a, b, |x, y| ((u128::from(x) + u128::from(y)) >> 1) as u64),
        Op::VRhaddS => map2s(s, a, b, |x, y| ((i128::from(x) + i128::from(y) + 1) >> 1) as u64),
        Op::VRhaddU => map2(s, a, b, |x, y| ((u128::from(x) + u128::from(y) + 1) >> 1) as u64),
        Op::VHsubS => map2s(s, a, b, |x, y| ((i128::from(x) - i128::from(y)) >> 1) as u64),
        Op::VHsubU => map2(s, a, b, |x, y| ((i128::from(x) - i128::from(y)) >> 1) as u64),
        Op::VCmpEq => mask2(s, a, b, |x, y| x == y),
        Op::VCmpGtS => mask2s(s, a, b, |x, y| x > y),
        Op::VCmpGeS => mask2s(s, a, b, |x, y| x >= y),
        Op::VCmpGtU => mask2(s, a, b, |x, y| x > y),
        Op::VCmpGeU => mask2(s, a, b, |x, y| x >= y),
        Op::VTst => mask2(s, a, b, |x, y| x & y != 0),
        Op::VShlI => map1(s, a, |x| x << (imm & 63)),
        Op::VShrI => map1(s, a, |x| (u128::from(x) >> imm.min(64)) as u64),
        Op::VSarI => map1s(s, a, |x| (x >> imm.min(63)) as u64),
        Op::VRshrI => map1(s, a, |x| vec::shift_right(x.into(), imm as u32, true) as u64),
        Op::VRsarI => map1s(s, a, |x| vec::shift_right(x.into(), imm as u32, true) as u64),
        Op::VSliI => vec::shift_left_insert(s, a, b, imm & 63),
        Op::VSriI => vec::shift_right_insert(s, a, b, imm),
        Op::VShlS => vec::shift_by(s, a, b, true, false),
        Op::VShlU => vec::shift_by(s, a, b, false, false),
        Op::VRshlS => vec::shift_by(s, a, b, true, true),
        Op::VRshlU => vec::shift_by(s, a, b, false, true),
        Op::VQshlS => saturate::shift_by(s, a, b, true, false, sat),
        Op::VQshlU => saturate::shift_by(s, a, b, false, false, sat),
        Op::VQrshlS => saturate::shift_by(s, a, b, true, true, sat),
        Op::VQrshlU => saturate::shift_by(s, a, b, false, true, sat),
        Op::VQshluI => saturate::shift_left_unsigned(s, a, imm, sat),
        Op::VQaddS => saturate::sat2(s, a, b, SIGNED, sat, |x, y| x + y),
        Op::VQaddU => saturate::sat2(s, a, b, UNSIGNED, sat, |x, y| x + y),
        Op::VQsubS => saturate::sat2(s, a, b, SIGNED, sat, |x, y| x - y),
        Op::VQsubU => saturate::sat2(s, a, b, UNSIGNED, sat, |x, y| x - y),
        Op::VSuqadd => saturate::sat2(s, a, b, Signs { a: true, b: false, r: true }, sat, |x, y| x + y),
        Op::VUsqadd => saturate::sat2(s, a, b, Signs { a: false, b: true, r: false }, sat, |x, y| x + y),
        Op::VQabs => saturate::sat2(s, a, a, SIGNED, sat, |x, _| x.abs()),
        Op::VQneg => saturate::sat2(s, a, a, SIGNED, sat, |x, _| -x),
        Op::VQdmulh => saturate::doubling_high(s, (0, a, b), 1, false, sat),
        Op::VQrdmulh => saturate::doubling_high(s, (0, a, b), 1, true, sat),
        Op::VQrdmlah => saturate::doubling_high(s, (a, b, c), 1, true, sat),
        Op::VQrdmlsh => saturate::doubling_high(s, (a, b, c), -1, true, sat),
        // Widening and narrowing.
        Op::VWidenS => build(s, |i| int::sext(widening(s, a, imm, i), bits / 2) as u64),
        Op::VWidenU => build(s, |i| widening(s, a, imm, i)),
        Op::VNarrow => build(s, |i| get(a, bits * 2, i)),
        Op::VQnarrowS => saturate::narrow(s, a, (true, true), 0, false, sat),
        Op::VQnarrowU => saturate::narrow(s, a, (false, false), 0, false, sat),
        Op::VQnarrowSu => saturate::narrow(s, a, (true, false), 0, false, sat),
        Op::VQshrnU => saturate::narrow(s, a, (false, false), imm as u32 & 255, imm & 256 != 0, sat),
        Op::VQshrnS => saturate::narrow(s, a, (true, true), imm as u32 & 255, imm & 256 != 0, sat),
        Op::VQshrnSu => saturate::narrow(s, a, (true, false), imm as u32 & 255, imm & 256 != 0, sat),
        Op::VMullS => build(s, |i| {
            let x = int::sext(widening(s, a, imm, i), bits / 2);
            x.wrapping_mul(int::sext(widening(s, b, imm, i), bits / 2)) as u64
        }),
        Op::VMullU => build(s, |i| widening(s, a, imm, i).wrapping_mul(widening(s, b, imm, i))),
        Op::VQdmull => saturate::doubling_long(s, a, b, imm, sat),
        Op::VPmul => map2(s, a, b, |x, y| vec::carryless(x, y) as u64),
        Op::VPmull => vec::carryless_long(s, a, b, imm),
        Op::VPackS
        | Op::VPackU
        | Op::VMulHS
        | Op::VMulHU
        | Op::VMulHR
        | Op::VMaddS
        | Op::VMaddUs
        | Op::VSad
        | Op::VMulLoS
        | Op::VMulLoU
        | Op::VShlX
        | Op::VShrX
        | Op::VSarX
        | Op::VShlV
        | Op::VShrV
        | Op::VSarV
        | Op::VRolV
        | Op::VSign
        | Op::VPsub => super::lanes::eval(inst.op, s, a, b),
        // Pairs and reductions.
        Op::VPadd => vec::pairwise(s, a, b, u64::wrapping_add),
        Op::VPsmax => vec::pairwise(s, a, b, |x, y| int::sext(x, bits).max(int::sext(y, bits)) as u64),
        Op::VPsmin => vec::pairwise(s, a, b, |x, y| int::sext(x, bits).min(int::sext(y, bits)) as u64),
        Op::VPumax => vec::pairwise(s, a, b, u64::max),
        Op::VPumin => vec::pairwise(s, a, b, u64::min),
        Op::VAddlpS => vec::add_long_pairs(s, a, true),
        Op::VAddlpU => vec::add_long_pairs(s, a, false),
        Op::VRedAdd => reduce(s, a, u64::wrapping_add),
        Op::VRedAddlS => vec::sum_long(s, a, true),
        Op::VRedAddlU => vec::sum_long(s, a, false),
        Op::VRedSMax => reduces(s, a, i64::max),
        Op::VRedSMin => reduces(s, a, i64::min),
        Op::VRedUMax => reduce(s, a, u64::max),
        Op::VRedUMin => reduce(s, a, u64::min),
        // Bits.
        Op::VCnt => map1(s, a, |x| x.count_ones().into()),
        Op::VClz => map1(s, a, |x| u64::from(x.leading_zeros() - (64 - bits))),
        Op::VCls => vec::count_leading_sign(s, a),
        Op::VRbit => map1(s, a, |x| x.reverse_bits() >> (64 - bits)),
        // Dot products.
        Op::VDotS => vec::dot(s, a, b, c, true, true),
        Op::VDotU => vec::dot(s, a, b, c, false, false),
        Op::VDotUs => vec::dot(s, a, b, c, false, true),
        Op::VMmlaS => vec::matrix(a, b, c, true, true),
        Op::VMmlaU => vec::matrix(a, b, c, false, false),
        Op::VMmlaUs => vec::matrix(a, b, c, false, true),
        Op::VUrecpe => vec::unsigned_estimate(s, a, false),
        Op::VUrsqrte => vec::unsigned_estimate(s, a, true),
        Op::FRcp => map1(s, a, |x| float::host_estimate(x as u32, false).into()),
        Op::FRsqrt => map1(s, a, |x| float::host_estimate(x as u32, true).into()),
        Op::FRcp14 => map1(s, a, |x| float::host_estimate_14(x, s.lane, false)),
        Op::FRsqrt14 => map1(s, a, |x| float::host_estimate_14(x, s.lane, true)),
        Op::FNeg => map1(s, a, |x| x ^ 1 << (bits - 1)),
        Op::FAbs => map1(s, a, |x| x & !(1 << (bits - 1))),
        op => panic!("{op:?} is not an integer vector operation"),
    }
}

/// `v` with lane `i` replaced.
fn insert(v: u128, bits: u32, i: u32, x: u64) -> u128 {
    v & !put(bits, i, u64::MAX) | put(bits, i, x)
}

/// The low five bits in reverse order.
fn reverse5(v: u32) -> u32 {
    v.reverse_bits() >> 27
}

/// Floating-point operations.
fn eval_float(inst: &Inst, args: &[u128; 4], state: &mut FpState) -> u128 {
    if matches!(inst.op, Op::FSqrt | Op::FMa) && inst.imm & crate::MERGE != 0 {
        let (fp, _) = fp_attr(inst);
        let r = eval_float(&Inst { imm: inst.imm & !crate::MERGE, ..*inst }, args, state);
        return insert(args[0], fp.shape.lane.bits(), 0, r as u64);
    }
    let (fp, size) = fp_attr(inst);
    let [a, b, c, _] = *args;
    let imm = inst.imm;
    if imm == 1 && matches!(inst.op, Op::FAdd | Op::FSub | Op::FMul | Op::FDiv | Op::FMax | Op::FMin) {
        let active = low(u128::MAX, fp.shape.bytes());
        return eval_float(&Inst { imm: 0, ..*inst }, args, state) | a & !active;
    }
    match inst.op {
        Op::FAdd => float::binary(fp, state, a, b, sf::add),
        Op::FSub => float::binary(fp, state, a, b, sf::sub),
        Op::FMul => float::binary(fp, state, a, b, sf::mul),
        Op::FMulx => float::binary(fp, state, a, b, sf::mul_extended),
        Op::FDiv => float::binary(fp, state, a, b, sf::div),
        Op::FSqrt => float::unary(fp, state, a, sf::sqrt),
        Op::FMa => float::fma(fp, state, a, b, c, imm),
        Op::FMax => float::binary(fp, state, a, b, float::max),
        Op::FMin => float::binary(fp, state, a, b, float::min),
        Op::FMaxNm if imm == 1 => float::binary(fp, state, a, b, float::maximum_number),
        Op::FMinNm if imm == 1 => float::binary(fp, state, a, b, float::minimum_number),
        Op::FMaxNm => float::binary(fp, state, a, b, float::max_num),
        Op::FMinNm => float::binary(fp, state, a, b, float::min_num),
        Op::FPadd => float::pairwise(fp, state, a, b, sf::add),
        Op::FPmax => float::pairwise(fp, state, a, b, float::max),
        Op::FPmin => float::pairwise(fp, state, a, b, float::min),
        Op::FPmaxNm => float::pairwise(fp, state, a, b, float::max_num),
        Op::FPminNm => float::pairwise(fp, state, a, b, float::min_num),
        Op::FCmp => float::compare(fp, state, a, b, imm),
        Op::FComi => float::compare_parity(fp, state, a, b, imm & 1 != 0),
        Op::FCmpP => float::compare_lanes(fp, state, a, b, imm),
        Op::FAddSub => float::add_sub(fp, state, a, b),
        Op::FPsub => float::pairwise(fp, state, a, b, sf::sub),
        Op::FCmpEq => float::binary(fp, state, a, b, float::mask_eq),
        Op::FCmpGe => float::binary(fp, state, a, b, float::mask_ge),
        Op::FCmpGt => float::binary(fp, state, a, b, float::mask_gt),
        Op::FRint => float::round_to_int(fp, state, a, imm & 1 != 0),
        Op::FRintN => float::round_to_int_sized(fp, state, a, imm as u32),
        Op::FRecpe => float::unary(fp, state, a, sf::recip_estimate),
        Op::FRsqrte => float::unary(fp, state, a, sf::recip_sqrt_estimate),
        Op::FRecps => float::binary(fp, state, a, b, sf::recip_step),
        Op::FRsqrts => float::binary(fp, state, a, b, sf::recip_sqrt_step),
        Op::FRecpx => float::unary(fp, state, a, sf::recip_exponent),
        Op::FCadd => float::complex_add(fp, state, a, b, imm),
        Op::FCmla => float::complex_fma(fp, state, a, b, c, imm),
        Op::FCvt => float::convert(fp, size, state, a, imm),
        Op::FWidenH => float::widen_half(fp, a, imm),
        Op::FToS => float::to_int(fp, state, a, int::width(inst.ty), true, imm).into(),
        Op::FToU => float::to_int(fp, state, a, int::width(inst.ty), false, imm).into(),
        Op::VFToS => float::lanes_to_int(fp, size, state, a, true, imm),
        Op::VFToU => float::lanes_to_int(fp, size, state, a, false, imm),
        Op::SToF => float::from_int(fp, state, a as u64, size.bits(), true, imm),
        Op::UToF => float::from_int(fp, state, a as u64, size.bits(), false, imm),
        Op::VSToF => float::lanes_from_int(fp, state, a, true, imm),
        Op::VUToF => float::lanes_from_int(fp, state, a, false, imm),
        Op::FJcvt => float::javascript(fp, state, a).into(),
        Op::BfDot => float::bf_dot(fp, a, b, c),
        Op::BfMmla => float::bf_matrix(fp, a, b, c),
        op => panic!("{op:?} is not a floating-point operation"),
    }
}
