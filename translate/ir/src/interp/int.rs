//! Integer operations and flags on values zero-extended to 64 bits. `w` is the width of T, 32 or 64.

use crate::{Inst, Op, Type};

/// Width of an integer type in bits.
pub(super) fn width(ty: Type) -> u32 {
    if ty == Type::I32 { 32 } else { 64 }
}

#[inline]
fn mask(w: u32, a: u64) -> u64 {
    a & low_bits(w)
}

/// Sign-extends `bits` bits (1 to 64).
#[inline]
pub(super) fn sext(a: u64, bits: u32) -> i64 {
    ((a << (64 - bits)) as i64) >> (64 - bits)
}

#[inline]
fn low_bits(len: u32) -> u64 {
    if len >= 64 { u64::MAX } else { (1 << len) - 1 }
}

/// a + b + carry and its flags as NZCV.
fn add_with_carry(w: u32, a: u64, b: u64, carry: bool) -> (u64, u8) {
    let wide = u128::from(a) + u128::from(b) + u128::from(carry);
    let r = mask(w, wide as u64);
    let c = wide >> w != 0;
    let v = (!(a ^ b) & (a ^ r)) >> (w - 1) & 1;
    let h = (a ^ b ^ r) as u8 & 16;
    (r, nzp(w, r) | u8::from(c) << 1 | v as u8 | h << 1)
}

/// The difference and its flags; C means "no borrow", H is a borrow.
fn sub_with_carry(w: u32, a: u64, b: u64, carry: bool) -> (u64, u8) {
    let (r, f) = add_with_carry(w, a, mask(w, !b), carry);
    (r, f ^ 32)
}

/// The N, Z and P flags of a result.
fn nzp(w: u32, r: u64) -> u8 {
    let parity = u8::from((r as u8).count_ones() & 1 == 0);
    ((r >> (w - 1) & 1) as u8) << 3 | u8::from(r == 0) << 2 | parity << 4
}

/// The flags of a shift by `n`, which is not zero, of `a` to `r`.
fn shift_flags(op: Op, w: u32, a: u64, n: u32, r: u64) -> u8 {
    let bit = |k: u32| a >> k & 1;
    let (c, v) = match op {
        Op::Shl => (if n <= w { bit(w - n) } else { 0 }, bit(w - 1) ^ bit(w - 2)),
        Op::Shr => (if n <= w { bit(n - 1) } else { 0 }, bit(w - 1)),
        _ => (bit(n.min(w) - 1), 0),
    };
    nzp(w, r) | (c as u8) << 1 | v as u8
}

/// The operation on whole values that a narrow one stands for.
fn wide(op: Op) -> Op {
    match op {
        Op::LAdd => Op::Add,
        Op::LSub => Op::Sub,
        Op::LAdc => Op::Adc,
        Op::LSbc => Op::Sbc,
        Op::LAnd => Op::And,
        Op::LOr => Op::Or,
        Op::LXor => Op::Xor,
        Op::LNeg => Op::Neg,
        Op::LShl => Op::Shl,
        Op::LShr => Op::Shr,
        Op::LSar => Op::Sar,
        _ => op,
    }
}

/// Result and flags of an operation whose flags can be asked for, on `w` bits.
fn with_flags(op: Op, w: u32, args: &[u128; 4], imm: u64) -> Option<(u64, u8)> {
    let (a, b) = (mask(w, args[0] as u64), mask(w, args[1] as u64));
    let carry = args[2] & 2 != 0;
    let logic = |r: u64| Some((r, nzp(w, r)));
    let op = wide(op);
    match op {
        Op::Add => Some(add_with_carry(w, a, b, false)),
        Op::Adc => Some(add_with_carry(w, a, b, carry)),
        Op::Sub => Some(sub_with_carry(w, a, b, true)),
        Op::Sbc => Some(sub_with_carry(w, a, b, carry != (imm & 256 != 0))),
        Op::Neg => Some(sub_with_carry(w, 0, a, true)),
        Op::And => logic(a & b),
        Op::AndN => logic(a & !b),
        Op::Or => logic(a | b),
        Op::Xor => logic(a ^ b),
        Op::Shl | Op::Shr | Op::Sar => {
            let n = args[1] as u32 & if w == 64 { 63 } else { 31 };
            let r = match op {
                Op::Shl => mask(w, a << n),
                Op::Shr => a >> n,
                _ => mask(w, (sext(a, w) >> n) as u64),
            };
            Some((r, if n == 0 { nzp(w, r) } else { shift_flags(op, w, a, n, r) }))
        }
        _ => None,
    }
}

/// A narrow operation: `a` with its low bits replaced.
pub(super) fn narrow(inst: &Inst, args: &[u128; 4]) -> u64 {
    let w = inst.imm as u32 & 0xff;
    let (r, _) = with_flags(inst.op, w, args, inst.imm).expect("a narrow operation has flags");
    mask(width(inst.ty), args[0] as u64 & !low_bits(w) | r)
}

/// The width at which an operation works.
fn flags_width(inst: &Inst) -> u32 {
    if wide(inst.op) == inst.op { width(inst.ty) } else { inst.imm as u32 & 0xff }
}

/// The flags of an operation on `args`: what [`Op::FlagsOf`] its result is, but for the turning of C. `None` when the
/// operation has no flags.
pub fn flags_of_inst(inst: &Inst, args: &[u128; 4]) -> Option<u8> {
    with_flags(inst.op, flags_width(inst), args, inst.imm).map(|(_, f)| f)
}

/// The flags of the operation `op` of type `ty` on `args`.
pub fn flags_of(op: Op, ty: Type, args: &[u128; 4]) -> Option<u8> {
    with_flags(op, width(ty), args, 0).map(|(_, f)| f)
}

/// Flags as NZCV from bits 31 to 28.
pub(super) fn unpack_flags(packed: u64) -> u8 {
    (packed >> 28 & 15) as u8
}

/// Two-operand operations on T; `carry` is for those that take flags.
pub(super) fn binary(op: Op, w: u32, a: u64, b: u64, carry: bool, imm: u64) -> u64 {
    let (a, b) = (mask(w, a), mask(w, b));
    let (sa, sb) = (sext(a, w), sext(b, w));
    let shift = (b as u32) & (w - 1);
    let r = match op {
        Op::Add => a.wrapping_add(b),
        Op::Sub => a.wrapping_sub(b),
        Op::Adc => a.wrapping_add(b).wrapping_add(carry.into()),
        Op::Sbc => a.wrapping_sub(b).wrapping_sub((carry == (imm & 256 != 0)).into()),
        Op::Mul => a.wrapping_mul(b),
        Op::MulHu => ((u128::from(a) * u128::from(b)) >> 64) as u64,
        Op::MulHs => ((i128::from(sa) * i128::from(sb)) >> 64) as u64,
        Op::DivU => a.checked_div(b).unwrap_or(0),
        Op::DivS => {
            if b == 0 {
                0
            } else {
                sa.wrapping_div(sb) as u64
            }
        }
        Op::RemU => a.checked_rem(b).unwrap_or(a),
        Op::RemS => {
            if b == 0 {
                a
            } else {
                sa.wrapping_rem(sb) as u64
            }
        }
        Op::And => a & b,
        Op::Or => a | b,
        Op::Xor => a ^ b,
        Op::AndN => a & !b,
        Op::OrN => a | !b,
        Op::Shl => a << shift,
        Op::Shr => a >> shift,
        Op::Sar => (sa >> shift) as u64,
        Op::Ror => rotate(w, a, shift),
        Op::Extr => {
            let lsb = (imm as u32) & (w - 1);
            let both = u128::from(a) << w | u128::from(b);
            (both >> lsb) as u64
        }
        Op::Bfi => {
            let (lsb, len) = field(w, imm);
            let m = low_bits(len) << lsb;
            a & !m | (b << lsb) & m
        }
        Op::SMax => sa.max(sb) as u64,
        Op::SMin => sa.min(sb) as u64,
        Op::UMax => a.max(b),
        Op::UMin => a.min(b),
        Op::Pdep => bits_set(b).enumerate().fold(0, |r, (k, n)| r | (a >> k & 1) << n),
        Op::Pext => bits_set(b).enumerate().fold(0, |r, (k, n)| r | (a >> n & 1) << k),
        Op::Crc32 => crc32(a as u32, b, 1 << (imm & 3), imm >> 8 & 1 != 0).into(),
        _ => panic!("{op:?} is not a two-operand integer operation"),
    };
    mask(w, r)
}

/// The numbers of the bits set, ascending.
fn bits_set(mask: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |n| mask >> n & 1 != 0)
}

fn rotate(w: u32, a: u64, by: u32) -> u64 {
    if w == 32 { u64::from((a as u32).rotate_right(by)) } else { a.rotate_right(by) }
}

/// (lsb, len) of a bit field, forced into the width.
fn field(w: u32, imm: u64) -> (u32, u32) {
    let lsb = (imm as u32 & 0xff).min(w - 1);
    (lsb, (imm as u32 >> 8 & 0xff).min(w - lsb))
}

/// One-operand operations on T.
pub(super) fn unary(op: Op, w: u32, a: u64, imm: u64) -> u64 {
    let a = mask(w, a);
    let r = match op {
        Op::Not => !a,
        Op::Neg => a.wrapping_neg(),
        Op::Clz => u64::from(a.leading_zeros() - (64 - w)),
        Op::Ctz => u64::from(a.trailing_zeros().min(w)),
        Op::Cls => cls(a, w),
        Op::Popcnt => a.count_ones().into(),
        Op::Bswap => a.swap_bytes() >> (64 - w),
        Op::Rev16 => (a & 0x00ff_00ff_00ff_00ff) << 8 | (a >> 8) & 0x00ff_00ff_00ff_00ff,
        Op::BitRev => a.reverse_bits() >> (64 - w),
        Op::Sext8 => sext(a, 8) as u64,
        Op::Sext16 => sext(a, 16) as u64,
        Op::Zext8 => a & 0xff,
        Op::Zext16 => a & 0xffff,
        Op::Sext32 => sext(a, 32) as u64,
        Op::Zext32 | Op::Trunc => a & 0xffff_ffff,
        Op::Ubfx => {
            let (lsb, len) = field(w, imm);
            a >> lsb & low_bits(len)
        }
        Op::Sbfx => {
            let (lsb, len) = field(w, imm);
            if len == 0 { 0 } else { sext(a >> lsb, len) as u64 }
        }
        _ => panic!("{op:?} is not a one-operand integer operation"),
    };
    mask(w, r)
}

/// Leading bits of a `w`-bit number that equal its sign, without the sign itself.
pub(super) fn cls(a: u64, w: u32) -> u64 {
    let s = sext(a, w);
    u64::from((s ^ (s >> 63)).leading_zeros() - (64 - w) - 1)
}

const fn crc_table(poly: u32) -> [u32; 256] {
    let mut t = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut c = i as u32;
        let mut k = 0;
        while k < 8 {
            c = if c & 1 != 0 { c >> 1 ^ poly } else { c >> 1 };
            k += 1;
        }
        t[i] = c;
        i += 1;
    }
    t
}

/// Bit-reflected tables of 0x04C11DB7 and 0x1EDC6F41 (Castagnoli).
static CRC: [[u32; 256]; 2] = [crc_table(0xedb8_8320), crc_table(0x82f6_3b78)];

fn crc32(crc: u32, value: u64, bytes: usize, castagnoli: bool) -> u32 {
    let table = &CRC[usize::from(castagnoli)];
    value.to_le_bytes()[..bytes].iter().fold(crc, |c, &b| c >> 8 ^ table[usize::from(c as u8 ^ b)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_additions_and_subtractions() {
        let f = |op, ty, a: u64, b: u64, c: u128| {
            flags_of(op, ty, &[a.into(), b.into(), c, 0]).expect("flags") & 15
        };
        assert_eq!(f(Op::Sub, Type::I64, 5, 5, 0), 0b0110);
        assert_eq!(f(Op::Sub, Type::I64, 4, 5, 0), 0b1000);
        assert_eq!(f(Op::Sub, Type::I32, 0x8000_0000, 1, 0), 0b0011);
        assert_eq!(f(Op::Add, Type::I32, 0x7fff_ffff, 1, 0), 0b1001);
        assert_eq!(f(Op::Add, Type::I64, u64::MAX, 1, 0), 0b0110);
        assert_eq!(f(Op::Adc, Type::I32, 0xffff_ffff, 0, 2), 0b0110);
        assert_eq!(f(Op::Sbc, Type::I64, 0, 0, 0), 0b1000);
        assert_eq!(f(Op::And, Type::I32, 0x8000_0000, u64::MAX, 0), 0b1000);
        assert_eq!(f(Op::AndN, Type::I32, 7, u64::MAX, 0), 0b0100);
    }

    #[test]
    fn division_and_shift_edges() {
        let min = 1u64 << 63;
        assert_eq!(binary(Op::DivS, 64, min, u64::MAX, false, 0), min);
        assert_eq!(binary(Op::DivS, 32, 0x8000_0000, 0xffff_ffff, false, 0), 0x8000_0000);
        assert_eq!(binary(Op::RemS, 64, min, u64::MAX, false, 0), 0);
        assert_eq!(binary(Op::DivU, 64, 7, 0, false, 0), 0);
        assert_eq!(binary(Op::RemU, 64, 7, 0, false, 0), 7);
        assert_eq!(binary(Op::Shl, 32, 1, 33, false, 0), 2);
        assert_eq!(binary(Op::Sar, 32, 0x8000_0000, 31, false, 0), 0xffff_ffff);
        assert_eq!(binary(Op::Extr, 32, 0x1, 0x8000_0000, false, 31), 3);
        assert_eq!(binary(Op::Bfi, 64, u64::MAX, 0, false, 4 | 8 << 8), 0xffff_ffff_ffff_f00f);
        assert_eq!(unary(Op::Cls, 32, 0xffff_fff0, 0), 27);
        assert_eq!(unary(Op::Cls, 64, 0, 0), 63);
        assert_eq!(unary(Op::Clz, 32, 0, 0), 32);
        assert_eq!(unary(Op::Ctz, 32, 0, 0), 32);
        assert_eq!(unary(Op::Sbfx, 32, 0xf0, 4 | 4 << 8), 0xffff_ffff);
        assert_eq!(unary(Op::Ubfx, 64, u64::MAX, 64 << 8), u64::MAX);
    }

    #[test]
    fn crc_check_values() {
        // The usual check input "123456789", initial and final complement.
        let run = |castagnoli| {
            let c = crc32(!0, u64::from_le_bytes(*b"12345678"), 8, castagnoli);
            !crc32(c, b'9'.into(), 1, castagnoli)
        };
        assert_eq!(run(false), 0xcbf4_3926);
        assert_eq!(run(true), 0xe306_9283);
    }
}
