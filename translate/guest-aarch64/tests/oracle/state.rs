//! CPU states for the instruction tests: their layout on the wire and random ones with values where instructions differ.

/// Where the code lies, in all three: `code_insn` of the runner.
pub const PC: u64 = 0x4000_8004;
/// Where the memory window of a state lies in the guest.
pub const WINDOW: u64 = 0x4000_0400;
/// Its size.
pub const WINDOW_SIZE: usize = 512;
/// Bytes of a state on the wire, without the window.
pub const STATE_SIZE: usize = 800;

/// `FPSR` bits that are compared: QC and the cumulative exceptions.
pub const FPSR_MASK: u32 = 1 << 27 | 0x9f;

/// Registers before or after one instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// X0 to X30.
    pub x: [u64; 31],
    /// SP.
    pub sp: u64,
    /// V0 to V31.
    pub v: [u128; 32],
    /// As `mrs nzcv` gives it.
    pub nzcv: u32,
    /// FPCR.
    pub fpcr: u32,
    /// FPSR.
    pub fpsr: u32,
    /// Signal raised, or 0.
    pub status: u32,
    /// Address after the instruction minus its own.
    pub pc_delta: u64,
    /// Memory at `WINDOW`, empty if not used.
    pub window: Vec<u8>,
}

impl State {
    /// To the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        for x in self.x.iter().chain([&self.sp]) {
            out.extend(x.to_le_bytes());
        }
        for v in self.v {
            out.extend(v.to_le_bytes());
        }
        for w in [self.nzcv, self.fpcr, self.fpsr, self.status] {
            out.extend(w.to_le_bytes());
        }
        out.extend(self.pc_delta.to_le_bytes());
        out.extend(0u64.to_le_bytes());
        out.extend(&self.window);
    }

    /// From the wire.
    pub fn read(bytes: &[u8]) -> State {
        let u64_at = |i: usize| u64::from_le_bytes(bytes[i..i + 8].try_into().expect("8 bytes"));
        let u32_at = |i: usize| u32::from_le_bytes(bytes[i..i + 4].try_into().expect("4 bytes"));
        State {
            x: std::array::from_fn(|i| u64_at(8 * i)),
            sp: u64_at(248),
            v: std::array::from_fn(|i| {
                u128::from_le_bytes(bytes[256 + 16 * i..272 + 16 * i].try_into().expect("16 bytes"))
            }),
            nzcv: u32_at(768),
            fpcr: u32_at(772),
            fpsr: u32_at(776),
            status: u32_at(780),
            pc_delta: u64_at(784),
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

    /// Less than `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// True once in `n`.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A floating-point pattern with `e` exponent and `m` fraction bits, the boundaries more often than chance gives.
fn fp(r: &mut Random, e: u32, m: u32) -> u64 {
    let (bias, top) = ((1u64 << (e - 1)) - 1, (1u64 << e) - 1);
    let frac = (1u64 << m) - 1;
    let sign = r.below(2) << (e + m);
    let some_frac = match r.below(8) {
        0 => 0,
        1 => frac,
        2 => 1 << r.below(u64::from(m)),
        3 => frac ^ (1 << r.below(u64::from(m))),
        4 => frac & !0 << r.below(u64::from(m)),
        _ => r.next() & frac,
    };
    let near =
        |r: &mut Random, spread: u64| (bias + spread / 2).wrapping_sub(r.below(spread)).clamp(1, top - 1);
    let magnitude = match r.below(24) {
        0 => 0,
        1 => top << m,
        2 => top << m | 1 << (m - 1) | some_frac,
        3 => top << m | 1 | some_frac & frac >> 1,
        4 => some_frac.max(1),
        5 => 1 + r.below(4),
        6 => 1 << m | some_frac,
        7 => (top - 1) << m | some_frac,
        8 => bias << m,
        // Small integers and halves: ties of rounding to integral.
        9 | 10 => {
            let exp = r.below(8);
            let keep = m.saturating_sub(exp as u32 + 1).min(m);
            (bias + exp).saturating_sub(1) << m | some_frac & !0 << keep
        }
        // Around the limits of integer types.
        11 => {
            let exp = [7u64, 8, 15, 16, 31, 32, 63, 64][r.below(8) as usize].min(top - bias - 1);
            (bias + exp).saturating_sub(r.below(3)) << m | some_frac
        }
        // Products and quotients near the smallest normal number.
        12 => (bias / 2 + 1).saturating_sub(r.below(u64::from(m))).max(1) << m | some_frac,
        13 => (bias + bias / 2).saturating_sub(r.below(4)) << m | some_frac,
        14 => (r.below(u64::from(m) + 4) + 1).min(top - 1) << m | some_frac,
        15..=19 => near(r, 2 * u64::from(m) + 4) << m | some_frac,
        20 => near(r, 4) << m | some_frac,
        _ => r.next(),
    };
    sign | magnitude & ((1u64 << (e + m)) - 1)
}

fn lane_fp(r: &mut Random, bits: u32) -> u64 {
    match bits {
        16 => fp(r, 5, 10),
        32 => fp(r, 8, 23),
        _ => fp(r, 11, 52),
    }
}

/// An integer pattern of `bits` bits, often near the limits.
fn lane_int(r: &mut Random, bits: u32) -> u64 {
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

fn vector(r: &mut Random, bits: u32, lane: fn(&mut Random, u32) -> u64) -> u128 {
    (0..128 / bits).fold(0, |v, i| v | u128::from(lane(r, bits)) << (i * bits))
}

/// A random state. `fp` chooses floating-point operands and control bits.
pub fn random(r: &mut Random, fp: bool, memory: bool) -> State {
    let lane = if fp { lane_fp } else { lane_int };
    let bits = if fp { [16, 32, 64][r.below(3) as usize] } else { [8, 16, 32, 64][r.below(4) as usize] };
    let mut v: [u128; 32] = std::array::from_fn(|_| 0);
    for v in &mut v {
        *v = if r.one_in(16) {
            u128::from(r.next()) << 64 | u128::from(r.next())
        } else {
            vector(r, bits, lane)
        };
    }
    // Pairs of registers that are equal, or differ in sign or in one low bit.
    for _ in 0..8 {
        let (a, b) = (r.below(32) as usize, r.below(32) as usize);
        let flip = match r.below(4) {
            0 => 0,
            1 => vector(r, bits, |_, n| 1 << (n - 1)),
            2 => 1 << r.below(128),
            _ => u128::from(r.below(4)),
        };
        v[a] = v[b] ^ flip;
    }
    let mut x: [u64; 31] = std::array::from_fn(|_| 0);
    for x in &mut x {
        *x = match r.below(3) {
            0 => r.next(),
            1 => lane_int(r, 64),
            _ => lane_int(r, 32),
        };
    }
    let mut fpcr = 0;
    if fp {
        fpcr = (r.below(4) as u32) << 22;
        if r.one_in(2) {
            // DN, FZ, FZ16, AHP
            for bit in [25, 24, 19, 26] {
                fpcr |= u32::from(r.one_in(3)) << bit;
            }
        }
    }
    let fpsr = if r.one_in(8) { r.next() as u32 & FPSR_MASK } else { 0 };
    let window = if memory { (0..WINDOW_SIZE).map(|_| r.next() as u8).collect() } else { Vec::new() };
    State {
        x,
        sp: WINDOW + 256,
        v,
        nzcv: (r.below(16) as u32) << 28,
        fpcr,
        fpsr,
        status: 0,
        pc_delta: 0,
        window,
    }
}
