//! FPCR.NEP, AH and FIZ, which the reference does not have: expected values from the Arm Architecture Reference Manual.

use crate::state::{Random, State, random};
use crate::subject::Subject;
use crate::{jit, same};
use guest_aarch64::{Aarch64, cpu};

const FIZ: u32 = 1;
const AH: u32 = 1 << 1;
const NEP: u32 = 1 << 2;

/// V0 after the instruction with V1, V2, V3 as given; the interpreter and translated code agree.
fn run(insn: u32, fpcr: u32, v: [u128; 4]) -> u128 {
    let guest = Aarch64::new(cpu::Cpu::default());
    let mut before = random(&mut Random(1), true, false);
    before.fpcr = fpcr;
    before.v[..4].copy_from_slice(&v);
    let interpreted: State = Subject::new(&guest, &[insn]).run(&before);
    let mut jit = jit::Jit::new(false);
    jit.select(&[insn]);
    assert!(same(&interpreted, &jit.run(&before)), "{insn:08x}");
    interpreted.v[0]
}

const ONE: u128 = 0x3f80_0000;
const TWO: u128 = 0x4000_0000;
const HIGH: [u128; 4] = [0xd0 << 32, 0xd1 << 32, 0xd2 << 32, 0xd3 << 32];

fn ones() -> [u128; 4] {
    HIGH.map(|h| h | ONE)
}

#[test]
fn nep_keeps_the_other_elements_of_a_source() {
    // fadd s0, s1, s2: from the first source
    assert_eq!(run(0x1e22_2820, NEP, ones()), HIGH[1] | TWO);
    assert_eq!(run(0x1e22_2820, 0, ones()), TWO);
    // fmadd s0, s1, s2, s3: from the addend
    assert_eq!(run(0x1f02_0c20, NEP, ones()), HIGH[3] | TWO);
    // fsqrt s0, s1; scvtf s0, s1 (zero); fcvt d0, s1: from the destination
    assert_eq!(run(0x1e21_c020, NEP, ones()), HIGH[0] | ONE);
    assert_eq!(run(0x5e21_d820, NEP, [HIGH[0] | 7, HIGH[1], 0, 0]), HIGH[0]);
    assert_eq!(run(0x1e22_c020, NEP, [0xff << 64 | 5, ONE, 0, 0]), 0xff << 64 | 0x3ff0 << 48);
    // fmla s0, s1, v2.s[0]: from the destination; fmul s0, s1, v2.s[0]: from the first source
    assert_eq!(run(0x5f82_1020, NEP, ones()), HIGH[0] | TWO);
    assert_eq!(run(0x5f82_9020, NEP, ones()), HIGH[1] | ONE);
    // fmov s0, s1 and vector forms: not affected
    assert_eq!(run(0x1e20_4020, NEP, ones()), ONE);
    assert_eq!(run(0x0e22_d420, NEP, [0, ONE, ONE, 0]), TWO);
}

#[test]
fn ah_leaves_the_sign_of_nans_and_changes_minima() {
    const NAN: u128 = 0x7fc0_1234;
    // fneg s0, s1; fabs s0, s1
    assert_eq!(run(0x1e21_4020, AH, [0, NAN, 0, 0]), NAN);
    assert_eq!(run(0x1e21_4020, 0, [0, NAN, 0, 0]), NAN | 1 << 31);
    assert_eq!(run(0x1e20_c020, AH, [0, NAN | 1 << 31, 0, 0]), NAN | 1 << 31);
    assert_eq!(run(0x1e21_4020, AH, [0, ONE, 0, 0]), ONE | 1 << 31);
    // fmax s0, s1, s2: the second operand if one is a NaN, or both are zeros
    assert_eq!(run(0x1e22_4820, AH, [0, NAN, ONE, 0]), ONE);
    assert_eq!(run(0x1e22_4820, AH, [0, 0, 1 << 31, 0]), 1 << 31);
    assert_eq!(run(0x1e22_4820, 0, [0, 0, 1 << 31, 0]), 0);
    // fdiv s0, s1, s2 of zeros: the default NaN is negative
    assert_eq!(run(0x1e22_1820, AH, [0; 4]), 0xffc0_0000);
    assert_eq!(run(0x1e22_1820, 0, [0; 4]), 0x7fc0_0000);
}

#[test]
fn fiz_flushes_inputs_only() {
    // fmul s0, s1, s2: a denormal times two
    assert_eq!(run(0x1e22_0820, FIZ, [0, 1, TWO, 0]), 0);
    assert_eq!(run(0x1e22_0820, 0, [0, 1, TWO, 0]), 2);
    // The smallest normal number times a half
    assert_eq!(run(0x1e22_0820, FIZ, [0, 0x0080_0000, 0x3f00_0000, 0]), 0x0040_0000);
}
