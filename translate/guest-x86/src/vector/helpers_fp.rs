//! Helpers on floating-point lanes.

use super::helpers_int::lane;
use ir::softfloat::{self as sf, Env, Format};
use ir::{Machine, Stop};

type R = Result<u128, Stop>;

/// What the word of a floating-point helper says.
pub(super) struct Word {
    pub imm: u8,
    pub bits: u32,
    pub lanes: u32,
    pub format: Format,
    round: u32,
    flush_in: bool,
    flush_out: bool,
}

pub(super) fn word(a: &[u128; 4]) -> Word {
    let w = a[3] as u32;
    let size = w >> 8 & 15;
    Word {
        imm: w as u8,
        bits: 8 << size,
        lanes: w >> 12 & 255,
        format: match size {
            1 => sf::F16,
            2 => sf::F32,
            _ => sf::F64,
        },
        round: w >> 20 & 7,
        flush_in: w >> 24 & 1 != 0,
        flush_out: w >> 25 & 1 != 0,
    }
}

/// A rounding by the IR's number of dynamic modes.
pub(super) fn rounding(n: u32) -> sf::Round {
    match n {
        1 => sf::Round::Up,
        2 => sf::Round::Down,
        3 => sf::Round::Zero,
        _ => sf::Round::NearestEven,
    }
}

impl Word {
    /// The environment of an operation now.
    pub fn env(&self, m: &mut dyn Machine) -> Env {
        Env {
            round: rounding(if self.round == 7 { m.fp().round } else { self.round }),
            nan: sf::NanRule::FirstOperand,
            negative_default_nan: true,
            int_invalid: sf::IntInvalid::Indefinite,
            tininess: sf::Tininess::After,
            flush_in: self.flush_in,
            quiet_flush_in: true,
            flush_out: self.flush_out,
            report_denormals: true,
            ..Env::default()
        }
    }

    /// A result from its lanes.
    pub fn each(&self, m: &mut dyn Machine, mut f: impl FnMut(&mut Env, u32) -> u64) -> u128 {
        let mut env = self.env(m);
        let mut r = 0;
        for i in 0..self.lanes {
            let x = f(&mut env, i) & (u64::MAX >> (64 - self.bits));
            r |= u128::from(x) << (self.bits * i);
        }
        m.fp().flags |= env.flags;
        r
    }
}

/// The two low single-precision lanes to 64-bit integers; bit 0 of the immediate: signed.
pub(super) fn single_to_long(m: &mut dyn Machine, a: &[u128; 4]) -> R {
    let w = word(a);
    let mut env = w.env(m);
    let mut r = 0;
    for i in 0..2 {
        let (x, round) = (lane(a[0], 32, i), env.round);
        let y = sf::to_int(&mut env, sf::F32, x, 64, 0, w.imm & 1 != 0, round, true);
        r |= u128::from(y) << (64 * i);
    }
    m.fp().flags |= env.flags;
    Ok(r)
}

/// 64-bit integers to single precision.
pub(super) fn long_to_single(m: &mut dyn Machine, a: &[u128; 4]) -> R {
    let w = word(a);
    let mut env = w.env(m);
    let mut r = 0;
    for i in 0..2 {
        let (x, round) = (lane(a[0], 64, i), env.round);
        let y = if w.imm & 1 != 0 {
            sf::from_sint(&mut env, sf::F32, x as i64, 0, round)
        } else {
            sf::from_uint(&mut env, sf::F32, x, 0, round)
        };
        r |= u128::from(y) << (32 * i);
    }
    m.fp().flags |= env.flags;
    Ok(r)
}

/// One single-precision number as bfloat16: to nearest even, denormals as zero, no flags. SDM: VCVTNEPS2BF16.
fn bf16(x: u64) -> u64 {
    if sf::F32.is_nan(x) {
        return x >> 16 | 0x40;
    }
    if x & 0x7f80_0000 == 0 {
        return x >> 16 & 0x8000;
    }
    if x & 0x7fff_ffff == 0x7f80_0000 {
        return x >> 16;
    }
    (x + 0x7fff + (x >> 16 & 1)) >> 16
}

pub(super) fn to_bf16(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    Ok((0..4).fold(0, |r, i| r | u128::from(bf16(lane(a[0], 32, i))) << (16 * i)))
}
