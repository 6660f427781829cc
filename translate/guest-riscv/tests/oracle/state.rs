//! CPU states for the instruction tests: their layout on the wire and random ones with values where instructions differ.

use crate::suite::Suite;

/// Where the code is, in the reference and for us.
pub const CODE: u64 = 0x2000_1000;
/// Where the memory window of a state lies in the guest.
pub const WINDOW: u64 = 0x4000_0400;
/// Its size.
pub const WINDOW_SIZE: usize = 512;
/// Bytes of a state on the wire, without the window.
pub const STATE_SIZE: usize = 528;

/// Registers before or after some code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// x1 to x31; the first is not used.
    pub x: [u64; 32],
    /// f0 to f31.
    pub f: [u64; 32],
    /// fflags and frm.
    pub fcsr: u32,
    /// The signal that ended it: 5 is a breakpoint, and usual.
    pub status: u32,
    /// Where.
    pub pc: u64,
    /// Memory at `WINDOW`, empty if not used.
    pub window: Vec<u8>,
}

impl State {
    /// To the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        for w in self.x.iter().chain(&self.f) {
            out.extend(w.to_le_bytes());
        }
        out.extend(self.fcsr.to_le_bytes());
        out.extend(self.status.to_le_bytes());
        out.extend(self.pc.to_le_bytes());
        out.extend(&self.window);
    }

    /// From the wire.
    pub fn read(bytes: &[u8]) -> State {
        let u64_at = |i: usize| u64::from_le_bytes(bytes[i..i + 8].try_into().expect("8 bytes"));
        let u32_at = |i: usize| u32::from_le_bytes(bytes[i..i + 4].try_into().expect("4 bytes"));
        State {
            x: std::array::from_fn(|i| if i == 0 { 0 } else { u64_at(8 * i) }),
            f: std::array::from_fn(|i| u64_at(256 + 8 * i)),
            fcsr: u32_at(512),
            status: u32_at(516),
            pc: u64_at(520),
            window: bytes[STATE_SIZE..].to_vec(),
        }
    }
}

/// A small generator (splitmix64): same seed, same tests.
pub struct Random(pub u64);

impl Random {
    /// 64 random bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
    /// Below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }
    /// True one time in `n`.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
    /// One of these.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }
}

/// A floating-point pattern: often special, or near the limits of formats and integers.
fn float(r: &mut Random, exp_bits: u32, frac_bits: u32) -> u64 {
    let max = (1u64 << exp_bits) - 1;
    let bias = max >> 1;
    let ones = (1u64 << frac_bits) - 1;
    let sign = r.below(2);
    let frac = match r.below(6) {
        0 => 0,
        1 => ones,
        2 => 1 << r.below(frac_bits.into()),
        3 => ones & ones << r.below(frac_bits.into()),
        _ => r.next() & ones,
    };
    let exp = match r.below(14) {
        0 => 0,
        1 => max,
        2 => 1,
        3 => max - 1,
        4 | 5 => bias + r.below(3) - 1,
        // Around the widths of integers and of narrower formats.
        6 | 7 => (bias + r.pick(&[7, 8, 15, 16, 31, 32, 63, 64, 10, 23, 52, 127]) + r.below(3)).min(max) - 1,
        8 => bias.saturating_sub(r.pick(&[14, 15, 24, 25, 126, 127, 149, 150]) + r.below(2)),
        9..=11 => (bias + r.below(2 * u64::from(frac_bits))).saturating_sub(frac_bits.into()).min(max),
        _ => r.below(max + 1),
    };
    sign << (exp_bits + frac_bits) | exp << frac_bits | frac
}

/// A pattern of this many bits in its format.
pub fn float_of(r: &mut Random, bits: u32) -> u64 {
    match bits {
        16 if r.one_in(3) => float(r, 8, 7),
        16 => float(r, 5, 10),
        32 => float(r, 8, 23),
        _ => float(r, 11, 52),
    }
}

/// An integer pattern of `bits` bits, often near the limits.
pub fn integer(r: &mut Random, bits: u32) -> u64 {
    let mask = !0 >> (64 - bits);
    let v = match r.below(12) {
        0 => 0,
        1 => !0,
        2 => 1 << (bits - 1),
        3 => mask >> 1,
        4 => r.below(2 * u64::from(bits) + 4).wrapping_sub(u64::from(bits)),
        5 => 1 << r.below(u64::from(bits)),
        6 => !0 << r.below(u64::from(bits)),
        7 => (1u64 << (bits - 1)).wrapping_add(r.below(5)).wrapping_sub(2),
        _ => r.next(),
    };
    v & mask
}

/// A random state for code that works on values of `bits` bits; `in_x` puts floating-point values into integer registers.
pub fn random(suite: &Suite, r: &mut Random, bits: u32, in_x: bool, memory: bool) -> State {
    let mut f = [0; 32];
    for f in &mut f {
        let v = float_of(r, bits);
        *f = match r.below(24) {
            // Not boxed, or only in part.
            0 => v | r.next() << bits.min(63),
            1 => v,
            2 => float_of(r, 64),
            3 => v | u64::MAX << 32,
            _ if bits == 64 => v,
            _ => v | u64::MAX << bits,
        };
    }
    for _ in 0..8 {
        // Pairs that are equal, or differ in sign or in one low bit.
        let (a, b) = (r.below(32) as usize, r.below(32) as usize);
        f[a] = f[b] ^ r.pick(&[0, 1 << (bits - 1), 1, 2]);
    }
    let mut x = [0; 32];
    for x in &mut x[1..] {
        *x = match r.below(4) {
            0 => r.next(),
            1 => integer(r, 64),
            2 => i64::from(integer(r, 32) as i32) as u64,
            _ => integer(r, 32),
        };
        if in_x {
            let v = float_of(r, bits);
            *x = match (r.below(6), bits) {
                (0, _) => v | r.next() << bits.min(63),
                (1, 16) => i64::from(v as i16) as u64,
                (1, 32) => i64::from(v as i32) as u64,
                (_, 64) if suite.xlen == 32 && r.one_in(2) => v >> 32,
                _ => v,
            };
        }
        *x &= suite.mask();
    }
    if r.one_in(2) {
        let (a, b) = (1 + r.below(31) as usize, 1 + r.below(31) as usize);
        x[a] = x[b];
    }
    // Not in the runner's own signal stack, which would take the frame there.
    if x[2] < 1 << 20 {
        x[2] += 1 << 24;
    }
    // Reserved rounding modes now and then.
    let frm = if r.one_in(12) { 5 + r.below(3) } else { r.below(5) } as u32;
    let flags = if r.one_in(4) { r.next() as u32 & 31 } else { 0 };
    let window = if memory { (0..WINDOW_SIZE).map(|_| r.next() as u8).collect() } else { Vec::new() };
    State { x, f, fcsr: frm << 5 | flags, status: 0, pc: 0, window }
}
