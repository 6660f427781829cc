//! Pointer authentication: adding, checking and stripping codes in IR, with a fast algorithm by default and the
//! architected QARMA5 as a helper.
//!
//! Addresses have 48 bits and tags are ignored (TBI), as Linux sets EL0 up: the code is in bits 54:48, bit 55 selects the
//! half of the address space, bits 63:56 stay. With FEAT_PAuth2 the code is added to those bits by exclusive or, and a failed
//! check leaves what that gives back; with FEAT_FPAC it traps instead; without both it writes an error code into bits
//! 54:53. The fast algorithm is ours (the architecture leaves it to the implementation); it
//! mixes pointer, modifier and key by multiplication, enough to catch mistakes but not an attacker with time.

use crate::cpu::{Feature, KEY_GA, pac_key};
use crate::helpers;
use crate::trans::Tr;
use ir::{Machine, Stop, Target, Term, TrapKind, Type, Val};

const PAC_LOW: u32 = 48;
const PAC_LEN: u32 = 7;
const PAC_MASK: u64 = 0x7f << PAC_LOW;

/// Odd constants with well spread bits (fractions of the golden ratio, of pi and of e).
const MIX: [u64; 3] = [0x9e37_79b9_7f4a_7c15, 0x243f_6a88_85a3_08d3, 0xb7e1_5162_8aed_2a6b];

impl Tr<'_> {
    /// The 64-bit code of `ptr` under `modifier`.
    fn compute_pac(&mut self, ptr: Val, modifier: Val, key: u32) -> Val {
        let lo = self.b.get(pac_key(key, false), Type::I64);
        let hi = self.b.get(pac_key(key, true), Type::I64);
        if self.cpu.qarma5 {
            return self.b.call(helpers::QARMA5, Type::I64, &[ptr, modifier, lo, hi]);
        }
        let [m0, m1, m2] = MIX.map(|m| self.b.const64(m));
        let a = self.b.xor(ptr, lo);
        let a = self.b.mul(a, m0);
        let c = self.b.xor(modifier, hi);
        let c = self.b.mul(c, m1);
        let by = self.b.const64(29);
        let c = self.b.ror(c, by);
        let h = self.b.xor(a, c);
        let by = self.b.const64(32);
        let s = self.b.shr(h, by);
        let h = self.b.xor(h, s);
        let h = self.b.mul(h, m2);
        let s = self.b.shr(h, by);
        self.b.xor(h, s)
    }

    /// The pointer with its code replaced by copies of bit 55.
    fn strip(&mut self, ptr: Val) -> Val {
        let ext = self.b.sbfx(ptr, 55, 1);
        self.b.bfi(ptr, ext, PAC_LOW, PAC_LEN)
    }

    /// `AddPAC` on register `rd`.
    pub(crate) fn pac_reg(&mut self, key: u32, rd: u32, modifier: Val) {
        if rd == 31 {
            return;
        }
        let ptr = self.x(rd);
        let plain = self.strip(ptr);
        let pac = self.compute_pac(plain, modifier, key);
        if self.cpu.features.has(Feature::Pauth2) {
            let v = self.mix(ptr, pac);
            return self.set(rd, v);
        }
        let field = self.b.ubfx(pac, PAC_LOW, PAC_LEN);
        // A pointer that was not canonical gets a code that cannot check: its bit 54 is inverted.
        let same = self.b.sub(ptr, plain);
        let same = self.b.flags_of(same);
        let bad = self.b.setcc(Type::I64, ir::Cc::Ne, same);
        let by = self.b.const64(u64::from(PAC_LEN) - 1);
        let bad = self.b.shl(bad, by);
        let field = self.b.xor(field, bad);
        let v = self.b.bfi(ptr, field, PAC_LOW, PAC_LEN);
        self.set(rd, v);
    }

    /// The pointer with the code added to its bits.
    fn mix(&mut self, ptr: Val, pac: Val) -> Val {
        let mask = self.b.const64(PAC_MASK);
        let field = self.b.and(pac, mask);
        self.b.xor(ptr, field)
    }

    /// `Auth` of the pointer in `rn` (31: the stack pointer): the plain one, or what a failure leaves. With FEAT_FPAC the
    /// block is split: what follows is in a part that only a good pointer reaches.
    fn auth(&mut self, key: u32, rn: u32, modifier: Val) -> Val {
        let ptr = self.reg_sp(Type::I64, rn);
        let plain = self.strip(ptr);
        let pac = self.compute_pac(plain, modifier, key);
        let mixed = self.mix(ptr, pac);
        let pauth2 = self.cpu.features.has(Feature::Pauth2);
        // The bits must hold the code itself, or with FEAT_PAuth2 the code on top of copies of bit 55.
        let differ = if pauth2 { self.b.xor(mixed, plain) } else { mixed };
        let mask = self.b.const64(PAC_MASK);
        let differ = self.b.and(differ, mask);
        if self.cpu.features.has(Feature::Fpac) {
            self.trap_unless_zero(differ);
            let ptr = self.reg_sp(Type::I64, rn);
            return self.strip(ptr);
        }
        if pauth2 {
            return mixed;
        }
        let ok = self.b.flags_of(differ);
        let code = self.b.const64(if key & 1 == 0 { 1 } else { 2 });
        let bad = self.b.bfi(plain, code, 53, 2);
        self.b.select(ir::Cc::Eq, ok, plain, bad)
    }

    /// Ends the block by a check, with a trap behind it and a part that goes on.
    fn trap_unless_zero(&mut self, differ: Val) {
        let flags = self.b.flags_of(differ);
        let next = self.next();
        let then = Target::Block(self.b.upcoming_block(1));
        let els = Target::Block(self.b.upcoming_block(2));
        self.b.end_block(Term::Branch { flags, cc: ir::Cc::Ne, then, els }, next);
        self.b.begin_internal(self.pc);
        self.b
            .end_block(Term::Trap { kind: TrapKind::Illegal, pc: self.pc, info: ir::ILLEGAL_OPERAND }, next);
        self.b.begin_internal(self.pc);
        self.split = true;
    }

    /// `Auth` on register `rd`.
    pub(crate) fn aut_reg(&mut self, key: u32, rd: u32, modifier: Val) {
        if rd == 31 {
            return;
        }
        let v = self.auth(key, rd, modifier);
        self.set(rd, v);
    }

    /// The address in `rn` after a check with key IA or IB.
    pub(crate) fn authenticated(&mut self, key: u32, rn: u32, modifier: Val) -> Val {
        self.auth(key, rn, modifier)
    }

    /// The data address in `rn` after a check with key DA or DB and a zero modifier.
    pub(crate) fn authenticated_data(&mut self, m: u32, rn: u32) -> Val {
        let zero = self.b.const64(0);
        self.auth(2 + m, rn, zero)
    }

    /// `Strip` on register `rd`.
    pub(crate) fn xpac_reg(&mut self, rd: u32) {
        if rd != 31 {
            let ptr = self.x(rd);
            let v = self.strip(ptr);
            // Tags are ignored in the lower half of the address space only.
            let ext = self.b.sbfx(ptr, 55, 1);
            let by = self.b.const64(56);
            let top = self.b.shl(ext, by);
            let v = self.b.or(v, top);
            self.set(rd, v);
        }
    }

    /// PACGA: the upper half of the code.
    pub(crate) fn pacga(&mut self, n: Val, m: Val) -> Val {
        let pac = self.compute_pac(n, m, KEY_GA);
        let mask = self.b.const64(0xffff_ffff << 32);
        self.b.and(pac, mask)
    }
}

/// Helper: (pointer, modifier, key low, key high) -> code.
pub(crate) fn qarma5_helper(_: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    let [ptr, modifier, lo, hi] = args.map(|a| a as u64);
    Ok(u128::from(qarma5(ptr, modifier, hi, lo)))
}

/// Round constants: digits of pi.
const ROUNDS: [u64; 5] =
    [0, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89, 0x4528_21e6_38d0_1377];
const ALPHA: u64 = 0xc0ac_29b7_c97c_50dd;
const SUB: [u8; 16] = [0xb, 0x6, 0x8, 0xf, 0xc, 0x0, 0x9, 0xe, 0x3, 0x7, 0x4, 0x5, 0xd, 0x2, 0x1, 0xa];
/// Cell permutations; cell 0 is the most significant nibble, new cell i is old cell `TABLE[i]`.
const TAU: [usize; 16] = [0, 11, 6, 13, 10, 1, 12, 7, 5, 14, 3, 8, 15, 4, 9, 2];
const TWEAK: [usize; 16] = [6, 5, 14, 15, 0, 1, 2, 3, 7, 12, 13, 4, 8, 9, 10, 11];
/// Tweak cells that also step a shift register.
const LFSR: [usize; 7] = [0, 1, 3, 4, 8, 11, 13];

type Cells = [u8; 16];

fn cells(v: u64) -> Cells {
    std::array::from_fn(|i| (v >> (60 - 4 * i)) as u8 & 15)
}

fn word(c: Cells) -> u64 {
    c.iter().fold(0, |v, &n| v << 4 | u64::from(n))
}

fn permute(v: u64, table: &[usize; 16]) -> u64 {
    let c = cells(v);
    word(std::array::from_fn(|i| c[table[i]]))
}

fn invert(v: u64, table: &[usize; 16]) -> u64 {
    let c = cells(v);
    let mut out = [0; 16];
    for i in 0..16 {
        out[table[i]] = c[i];
    }
    word(out)
}

fn substitute(v: u64) -> u64 {
    word(cells(v).map(|n| SUB[n as usize]))
}

fn substitute_back(v: u64) -> u64 {
    word(cells(v).map(|n| SUB.iter().position(|&s| s == n).expect("SUB is a permutation") as u8))
}

/// Each column times circ(0, r, r^2, r), where r rotates a nibble left.
fn multiply(v: u64) -> u64 {
    let c = cells(v);
    let rot = |n: u8, by: u32| (n << by | n >> (4 - by)) & 15;
    word(std::array::from_fn(|i| {
        let (row, col) = (i / 4, i % 4);
        let at = |k: usize| c[(row + k) % 4 * 4 + col];
        rot(at(1), 1) ^ rot(at(2), 2) ^ rot(at(3), 1)
    }))
}

fn tweak_step(v: u64) -> u64 {
    let mut c = cells(permute(v, &TWEAK));
    for i in LFSR {
        c[i] = c[i] >> 1 | ((c[i] ^ c[i] >> 1) & 1) << 3;
    }
    word(c)
}

fn tweak_back(v: u64) -> u64 {
    let mut c = cells(v);
    for i in LFSR {
        c[i] = (c[i] << 1 & 15) | (c[i] >> 3 ^ c[i]) & 1;
    }
    invert(word(c), &TWEAK)
}

/// The block cipher QARMA-64 with five rounds and the third S-box, as the architecture's `ComputePAC` uses it.
fn qarma5(data: u64, modifier: u64, key0: u64, key1: u64) -> u64 {
    // Rotated right by one, with the lowest bit also taking the former top bit.
    let modk0 = key0.rotate_right(1) ^ key0 >> 63;
    let mut tweak = modifier;
    let mut v = data ^ key0;
    for (i, round) in ROUNDS.iter().enumerate() {
        v ^= key1 ^ tweak ^ round;
        if i > 0 {
            v = multiply(permute(v, &TAU));
        }
        v = substitute(v);
        tweak = tweak_step(tweak);
    }
    v ^= modk0 ^ tweak;
    v = substitute(multiply(permute(v, &TAU)));
    v = multiply(permute(v, &TAU)) ^ key1;
    v = substitute_back(invert(v, &TAU));
    v = invert(multiply(v), &TAU) ^ key0 ^ tweak;
    for (i, round) in ROUNDS.iter().rev().enumerate() {
        v = substitute_back(v);
        if i < 4 {
            v = invert(multiply(v), &TAU);
        }
        tweak = tweak_back(tweak);
        v ^= key1 ^ tweak ^ round ^ ALPHA;
    }
    v ^ modk0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qarma5_of_its_authors_example() {
        let (w0, k0) = (0x84be_85ce_9804_e94b, 0xec28_02d4_e0a4_88e9);
        assert_eq!(qarma5(0xfb62_3599_da6e_8127, 0x477d_469d_ec0b_8762, w0, k0), 0xc003_b939_99b3_3765);
    }

    #[test]
    fn tweak_steps_back() {
        for v in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(tweak_back(tweak_step(v)), v);
        }
    }
}
