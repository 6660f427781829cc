//! The state that an instruction is run on, its random generation, and its form for the reference.

use guest_riscv::decode::Row;

/// The page that the guest can access; its neighbours are not mapped.
pub const WINDOW: u64 = 0x4000_0000;
/// Its size.
pub const PAGE: usize = 4096;

/// Registers and memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    pub x: [u64; 32],
    pub f: [u64; 32],
    pub vl: u64,
    pub vtype: u64,
    pub vstart: u64,
    pub vcsr: u64,
    pub fcsr: u64,
    /// Signal, 0 if none.
    pub status: u64,
    /// The program counter after it, from the instruction on.
    pub pc_delta: u64,
    pub v: Vec<u8>,
    /// The page, or nothing if the instruction does not access memory.
    pub window: Vec<u8>,
}

impl State {
    pub fn write(&self, out: &mut Vec<u8>) {
        for w in self.x.iter().chain(&self.f) {
            out.extend(w.to_le_bytes());
        }
        for w in [self.vl, self.vtype, self.vstart, self.vcsr, self.fcsr, self.status, self.pc_delta, 0] {
            out.extend(w.to_le_bytes());
        }
        out.extend(&self.v);
        out.extend(&self.window);
    }

    pub fn read(bytes: &[u8], vlenb: usize) -> State {
        let word = |i: usize| u64::from_le_bytes(bytes[8 * i..8 * i + 8].try_into().expect("8 bytes"));
        State {
            x: std::array::from_fn(word),
            f: std::array::from_fn(|i| word(32 + i)),
            vl: word(64),
            vtype: word(65),
            vstart: word(66),
            vcsr: word(67),
            fcsr: word(68),
            status: word(69),
            pc_delta: word(70),
            v: bytes[576..576 + 32 * vlenb].to_vec(),
            window: bytes[576 + 32 * vlenb..].to_vec(),
        }
    }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// An integer with interesting values among random ones.
    fn integer(&mut self) -> u64 {
        match self.below(10) {
            0 => 0,
            1 => u64::MAX,
            2 => 0x8000_0000_8000_8080,
            3 => i64::MAX as u64,
            4 => self.below(64),
            5 => self.next() as i32 as u64,
            6 => self.next() & 0x0101_0101_0101_0101,
            _ => self.next(),
        }
    }

    /// A floating-point number of a format: small integers and their neighbours, special values, anything.
    fn float(&mut self, exp: u32, frac: u32) -> u64 {
        let width = 1 + exp + frac;
        let mask = u64::MAX >> (64 - width);
        let sign = self.below(2) << (width - 1);
        let inf = ((1u64 << exp) - 1) << frac;
        let bias = (1u64 << (exp - 1)) - 1;
        sign | match self.below(12) {
            0 => 0,
            1 => inf,
            2 => inf | 1 << (frac - 1),
            3 => inf | (1 + self.below(3)),
            4 => 1 + self.next() % ((1 << frac) - 1),
            5 => 1u64 << frac,
            6 => inf - 1,
            7 => bias << frac,
            8 | 9 => (bias - 3 + self.below(8)) << frac | self.next() & ((1 << frac) - 1) & (self.next() | 7),
            _ => self.next() & mask >> 1,
        }
    }

    /// 64 bits of elements of one kind.
    fn elements(&mut self, kind: u64) -> u64 {
        match kind {
            0 => self.integer(),
            1 => (0..4).fold(0, |v, _| v << 16 | self.float(5, 10)),
            2 => (0..2).fold(0, |v, _| v << 32 | self.float(8, 23)),
            3 => self.float(11, 52),
            4 => (0..4).fold(0, |v, _| v << 16 | self.float(8, 7)),
            _ => self.below(16) | self.below(300) << 16 | self.below(16) << 32 | self.below(16) << 48,
        }
    }
}

/// A word of the row whose register numbers are multiples of `1 << align` for the most part. x31 is never a scalar operand: it
/// holds the address of the state in the reference.
pub fn encoding(row: &Row, r: &mut Random, align: u32) -> u32 {
    loop {
        let mut w = guest_riscv::decode::generate(row, r.next() as u32);
        for shift in [7, 15, 20] {
            if !r.one_in(6) {
                w &= !(((1 << align) - 1) << shift & !row.mask);
            }
        }
        let fields = [w >> 7 & 31, w >> 15 & 31, w >> 20 & 31];
        let excluded = row.excludes.iter().any(|&(m, v)| w & m == v);
        // Bit 8 of vtype belongs to an extension that only the reference has.
        let alternate = row.name.starts_with("vset") && w >> 28 & 1 != 0;
        if !alternate && !fields.contains(&31) && !excluded && w & row.mask == row.value {
            return w;
        }
    }
}

/// What a batch of states has in common.
pub struct Plan {
    pub vlenb: usize,
    pub memory: bool,
    pub vtype: u64,
    /// The instruction.
    pub word: u32,
    /// Width of an integer register.
    pub xlen: u32,
}

fn vlmax(vtype: u64, vlenb: usize) -> u64 {
    let n = vlenb as u64 >> (vtype >> 3 & 7);
    match vtype & 7 {
        k @ 0..=3 => n << k,
        4 => 0,
        k => n >> (8 - k),
    }
}

/// A random state; `first` is the first element that may be started with.
pub fn random(r: &mut Random, plan: &Plan) -> State {
    let vtype = if r.one_in(8) { r.below(256) & 0xdf } else { plan.vtype | r.below(4) << 6 };
    let max = vlmax(vtype, plan.vlenb);
    let vl = if r.one_in(2) { max } else { r.below(max + 2) };
    // Cryptographic instructions want whole groups.
    let crypto = plan.word & 0x7f == 0x77 && !r.one_in(8);
    let vl = if crypto { vl & !7 } else { vl };
    let vstart = if r.one_in(8) && max > 0 { r.below(max) } else { 0 };
    let sew = vtype >> 3 & 3;
    let kind = if r.one_in(3) { r.below(6) } else { [0, 1, 2, 3][sew as usize] };
    let vstart = if crypto { vstart & !7 } else { vstart };
    let mut s = State {
        x: [0; 32],
        f: [0; 32],
        vl,
        vtype,
        vstart,
        vcsr: r.below(8),
        fcsr: (if r.one_in(16) { 5 + r.below(3) } else { r.below(5) }) << 5 | r.below(32) & r.next(),
        status: 0,
        pc_delta: 0,
        v: Vec::new(),
        window: Vec::new(),
    };
    for i in 1..31 {
        s.x[i] = if r.one_in(3) { r.below(40) } else { r.integer() };
        s.f[i] = match r.below(4) {
            0 => u64::MAX << 16 | r.float(5, 10),
            1 => u64::MAX << 32 | r.float(8, 23),
            2 => r.float(11, 52),
            _ => match sew {
                1 => u64::MAX << 16 | r.float(5, 10),
                2 => u64::MAX << 32 | r.float(8, 23),
                _ => r.float(11, 52),
            },
        };
    }
    for _ in 0..4 * plan.vlenb {
        let kind = if r.one_in(16) { r.below(6) } else { kind };
        s.v.extend(r.elements(kind).to_le_bytes());
    }
    // Masks: often dense or sparse.
    for b in &mut s.v[..plan.vlenb] {
        *b = match r.below(4) {
            0 => 0xff,
            1 => 0,
            _ => r.next() as u8,
        };
    }
    if plan.memory {
        memory(r, plan, &mut s);
    }
    if plan.xlen == 32 {
        s.x.iter_mut().for_each(|x| *x &= 0xffff_ffff);
    }
    s
}

/// Points the operands of an access into the page, sometimes near its ends.
fn memory(r: &mut Random, plan: &Plan, s: &mut State) {
    let (rs1, rs2) = ((plan.word >> 15 & 31) as usize, (plan.word >> 20 & 31) as usize);
    // The reference does not survive faults of whole-register accesses.
    let whole = plan.word >> 20 & 31 == 8 && plan.word >> 26 & 3 == 0;
    let near_end = r.one_in(4) && !whole;
    if whole {
        // Nor starts past the end.
        s.vstart %= plan.vlenb as u64 >> (plan.word >> 12 & 7).saturating_sub(4);
    }
    let near_start = r.one_in(6) && !whole;
    s.x[rs1] = WINDOW
        + match (near_start, near_end) {
            (true, _) => r.below(24),
            (_, true) => PAGE as u64 - 4 - r.below(200),
            (false, false) => 1024 + r.below(1500),
        };
    if rs2 != rs1 {
        s.x[rs2] = if r.one_in(6) { r.below(80).wrapping_neg() } else { r.below(40) };
    }
    s.x[0] = 0;
    if plan.word >> 26 & 1 != 0 {
        // Indices: small ones in the group of vs2.
        let width = 1usize << (plan.word >> 12 & 7).saturating_sub(4);
        let from = rs2 * plan.vlenb;
        let to = (from + 8 * plan.vlenb).min(s.v.len());
        for chunk in s.v[from..to].chunks_exact_mut(width) {
            let v = if r.one_in(40) { r.next() } else { r.below(if near_end { 300 } else { 900 }) };
            chunk.copy_from_slice(&v.to_le_bytes()[..width]);
        }
    }
    s.window = (0..PAGE / 8).flat_map(|_| r.next().to_le_bytes()).collect();
}
