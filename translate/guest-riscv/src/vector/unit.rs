//! The definition of the vector instructions: one instruction, element by element, on the state block. Used as the runtime
//! helper of everything that has no inline form, and to find out how far an inline access got when it faults.

use super::{
    ASK_ELEN32, ASK_RV32, ASK_VALID, Fields, V_OFFSET, VL, VL_OFFSET, VSTART, VSTART_OFFSET, VTYPE,
    VTYPE_OFFSET, VType,
};
use crate::cpu::{self, Feature, Features};
use crate::decode::{Insn, Vector, decode};
use ir::softfloat::{self as sf, Env};
use ir::{Machine, Stop, TrapKind};

const ILLEGAL: Stop = Stop::Trap(TrapKind::Illegal, 0);

/// Everything, so that the word decodes whatever the CPU has: it was checked when translating.
const ALL: Features = Features::up_to(Feature::Zknde);

/// The helper: word in bits 31:0 of the argument, log2 of the bytes of a register above.
pub(crate) fn helper(m: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    let arg = args[0] as u64;
    let vlenb = 1usize << (arg >> 32 & 15);
    if arg & ASK_VALID != 0 {
        let vtype = m.slot(VTYPE) as u64;
        return VType::decode(vtype, 8 * vlenb as u32, 64).map(|_| 0).ok_or(ILLEGAL);
    }
    if let Some(Insn::Vector(Vector::Vsetvl(a))) = decode(arg as u32, &ALL) {
        set_vl(m, [a.rd, a.rs1, a.rs2], vlenb, if arg & ASK_ELEN32 != 0 { 32 } else { 64 });
        return Ok(0);
    }
    exec(m, arg as u32, vlenb, arg & ASK_RV32 != 0)?;
    Ok(0)
}

/// After a failed access of translated code: executes the instruction up to the element that faults. True if none does, as
/// with loads that a fault shortens.
pub(crate) fn after_fault(cpu: &cpu::Cpu, m: &mut dyn Machine, word: u32) -> bool {
    let vector = matches!(decode(word, &cpu.features), Some(Insn::Vector(i)) if super::mem::is_memory(i));
    vector && m.slot(VSTART) == 0 && exec(m, word, cpu.vlen as usize / 8, cpu.xlen == 32).is_ok()
}

/// Executes one instruction that [`super::check`] allows.
pub(super) fn exec(m: &mut dyn Machine, word: u32, vlenb: usize, rv32: bool) -> Result<(), Stop> {
    let Some(Insn::Vector(insn)) = decode(word, &ALL) else { return Err(ILLEGAL) };
    let f = Fields::of(word);
    // By offset: the general way through the slot table costs more than a short instruction.
    let s = m.state();
    let word = |at: u32| -> u64 {
        let at = at as usize;
        u64::from_le_bytes(s[at..at + 8].try_into().expect("8 bytes"))
    };
    let (vl, vtype) = (word(VL_OFFSET) as usize, word(VTYPE_OFFSET));
    let vstart = word(VSTART_OFFSET) as u32 as usize;
    let vxrm = (word(VSTART_OFFSET) >> 32) as u32 & 3;
    let x = |n: u32| if n == 0 { 0 } else { word(cpu::X_OFFSET + 8 * (n - 1)) };
    let (rs1, rs2) = (x(f.vs1), x(f.vs2));
    let f1 = word(cpu::F_OFFSET + 16 * f.vs1);
    let t = VType::decode(vtype, 8 * vlenb as u32, 64).unwrap_or(VType { sew: 0, lmul: 0 });
    // State from a damaged signal frame must not lead outside the registers.
    let vl = vl.min(t.vlmax(8 * vlenb as u32) as usize);
    let mut mask = [0; 128];
    let v0 = V_OFFSET as usize;
    mask[..vlenb].copy_from_slice(&s[v0..v0 + vlenb]);
    if super::mem::is_memory(insn) {
        let first_only = matches!(insn, Vector::Vleff(_));
        // A stride is signed.
        let rs2 = if rv32 { rs2 as i32 as u64 } else { rs2 };
        let mut a = super::mem::Access { m, vlenb, t, vl, vstart, f, mask, base: rs1, rs2, first_only, rv32 };
        a.exec(insn)?;
        if vstart != 0 {
            m.set_slot(VSTART, 0);
        }
        return Ok(());
    }
    let fp = *m.fp();
    let mut u = Unit {
        vlenb,
        sew: t.sew,
        t,
        vl,
        vstart,
        f,
        mask,
        uimm: super::int::unsigned_immediate(insn),
        rs1: if rv32 { rs1 as i32 as u64 } else { rs1 },
        f1,
        env: Env {
            round: match fp.round {
                1 => sf::Round::Up,
                2 => sf::Round::Down,
                3 => sf::Round::Zero,
                4 => sf::Round::NearestAway,
                _ => sf::Round::NearestEven,
            },
            nan: sf::NanRule::Default,
            int_invalid: sf::IntInvalid::NanIsMax,
            tininess: sf::Tininess::After,
            ..Env::default()
        },
        sat: false,
        vxrm,
        r: &mut m.state()[v0..v0 + 32 * vlenb],
        out: Output::None,
    };
    u.exec(insn)?;
    let (flags, sat, out) = (u.env.flags, u.sat, u.out);
    m.fp().flags |= flags;
    if sat {
        m.fp().sat = 1;
    }
    match out {
        Output::None => {}
        Output::X(v) if f.vd != 0 => {
            m.set_slot(cpu::x(f.vd), u128::from(if rv32 { u64::from(v as u32) } else { v }));
        }
        Output::X(_) => {}
        Output::F(v) => m.set_slot(cpu::f(f.vd), u128::from(v)),
    }
    if vstart != 0 {
        m.set_slot(VSTART, 0);
    }
    Ok(())
}

fn set_vl(m: &mut dyn Machine, [rd, rs1, rs2]: [u32; 3], vlenb: usize, elen: u32) {
    let x = |m: &mut dyn Machine, n: u32| if n == 0 { 0 } else { m.slot(cpu::x(n)) as u64 };
    let (vtype, avl, old) = (x(m, rs2), x(m, rs1), m.slot(VL) as u64);
    let (vl, vtype) = match VType::decode(vtype, 8 * vlenb as u32, elen) {
        Some(t) => {
            let max = u64::from(t.vlmax(8 * vlenb as u32));
            let avl = match (rs1, rd) {
                (0, 0) => old,
                (0, _) => max,
                _ => avl,
            };
            (avl.min(max), vtype)
        }
        None => (0, super::VILL),
    };
    m.set_slot(VL, u128::from(vl));
    m.set_slot(VTYPE, u128::from(vtype));
    m.set_slot(VSTART, 0);
    if rd != 0 {
        m.set_slot(cpu::x(rd), u128::from(vl));
    }
}

/// A scalar result.
#[derive(Clone, Copy)]
pub(super) enum Output {
    None,
    X(u64),
    F(u64),
}

/// The vector unit during one instruction.
pub(super) struct Unit<'a> {
    /// All registers.
    pub r: &'a mut [u8],
    pub vlenb: usize,
    /// Log2 of the bytes of an element.
    pub sew: u32,
    pub t: VType,
    pub vl: usize,
    pub vstart: usize,
    pub f: Fields,
    /// v0 before the instruction.
    pub mask: [u8; 128],
    /// The immediate is unsigned.
    pub uimm: bool,
    /// x[rs1].
    pub rs1: u64,
    /// f[rs1].
    pub f1: u64,
    pub env: Env,
    pub sat: bool,
    pub vxrm: u32,
    pub out: Output,
}

/// Sign-extends an element of 1 << `sew` bytes.
#[inline]
pub(super) fn sx(v: u64, sew: u32) -> i64 {
    let n = 64 - (8 << sew);
    ((v << n) as i64) >> n
}

/// Zero-extends.
#[inline]
pub(super) fn zx(v: u64, sew: u32) -> u64 {
    let n = 64 - (8 << sew);
    v << n >> n
}

impl Unit<'_> {
    pub fn bits(&self) -> u32 {
        8 << self.sew
    }

    /// Element `i` of the group at `reg`, zero-extended.
    #[inline]
    pub fn get(&self, reg: u32, i: usize, sew: u32) -> u64 {
        let at = reg as usize * self.vlenb + (i << sew);
        let s = &self.r[at..at + (1 << sew)];
        match sew {
            0 => u64::from(s[0]),
            1 => u64::from(u16::from_le_bytes([s[0], s[1]])),
            2 => u64::from(u32::from_le_bytes([s[0], s[1], s[2], s[3]])),
            _ => u64::from_le_bytes([s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]]),
        }
    }

    #[inline]
    pub fn put(&mut self, reg: u32, i: usize, sew: u32, v: u64) {
        let at = reg as usize * self.vlenb + (i << sew);
        self.r[at..at + (1 << sew)].copy_from_slice(&v.to_le_bytes()[..1 << sew]);
    }

    /// Whether the mask lets element `i` through.
    #[inline]
    pub fn on(&self, i: usize) -> bool {
        self.f.vm || self.mask[i / 8] >> (i % 8) & 1 != 0
    }

    pub fn bit(&self, reg: u32, i: usize) -> bool {
        self.r[reg as usize * self.vlenb + i / 8] >> (i % 8) & 1 != 0
    }

    pub fn put_bit(&mut self, reg: u32, i: usize, v: bool) {
        let at = reg as usize * self.vlenb + i / 8;
        self.r[at] = self.r[at] & !(1 << (i % 8)) | u8::from(v) << (i % 8);
    }

    /// The scalar or immediate operand, if there is one.
    pub fn scalar(&self) -> Option<u64> {
        match self.f.f3 {
            3 if self.uimm => Some(u64::from(self.f.vs1)),
            3 => Some((i64::from(self.f.vs1) << 59 >> 59) as u64),
            4 | 6 => Some(self.rs1),
            5 => Some(self.float_scalar(self.sew)),
            _ => None,
        }
    }

    /// f[rs1] as an element; what is not boxed is the canonical NaN.
    pub fn float_scalar(&self, sew: u32) -> u64 {
        let boxed = sew == 3 || self.f1 >> (8 << sew) == u64::MAX >> (8 << sew);
        if boxed { zx(self.f1, sew) } else { self.env.default_nan(super::float::format(sew)) }
    }

    /// vd[i] = f(vs2[i], the other operand, vd[i]), all zero-extended.
    #[inline]
    pub fn map(&mut self, f: impl Fn(u64, u64, u64) -> u64) {
        let (sew, s) = (self.sew, self.scalar().map(|s| zx(s, self.sew)));
        for i in self.vstart..self.vl {
            if self.on(i) {
                let b = s.unwrap_or_else(|| self.get(self.f.vs1, i, sew));
                let v = f(self.get(self.f.vs2, i, sew), b, self.get(self.f.vd, i, sew));
                self.put(self.f.vd, i, sew, v);
            }
        }
    }

    /// The same with sign-extended operands.
    #[inline]
    pub fn map_signed(&mut self, f: impl Fn(i64, i64) -> i64) {
        let sew = self.sew;
        self.map(|a, b, _| f(sx(a, sew), sx(b, sew)) as u64);
    }

    /// The same where the operation also touches the unit (saturation, rounding, flags).
    #[inline]
    pub fn map_with(&mut self, f: impl Fn(&mut Self, u64, u64, u64) -> u64) {
        let (sew, s) = (self.sew, self.scalar().map(|s| zx(s, self.sew)));
        for i in self.vstart..self.vl {
            if self.on(i) {
                let b = s.unwrap_or_else(|| self.get(self.f.vs1, i, sew));
                let (a, d) = (self.get(self.f.vs2, i, sew), self.get(self.f.vd, i, sew));
                let v = f(self, a, b, d);
                self.put(self.f.vd, i, sew, v);
            }
        }
    }

    /// vd[i] (of width `d`) = f(vs2[i] (of width `a`), the other operand (of SEW), vd[i]).
    #[inline]
    pub fn map_sizes(&mut self, d: u32, a: u32, f: impl Fn(&mut Self, u64, u64, u64) -> u64) {
        let (sew, s) = (self.sew, self.scalar().map(|s| zx(s, self.sew)));
        for i in self.vstart..self.vl {
            if self.on(i) {
                let b = s.unwrap_or_else(|| self.get(self.f.vs1, i, sew));
                let (x, z) = (self.get(self.f.vs2, i, a), self.get(self.f.vd, i, d));
                let v = f(self, x, b, z);
                self.put(self.f.vd, i, d, v);
            }
        }
    }

    /// vd[i] (of width `d`) = f(vs2[i] (of width `a`)).
    #[inline]
    pub fn unary(&mut self, d: u32, a: u32, f: impl Fn(&mut Self, u64) -> u64) {
        for i in self.vstart..self.vl {
            if self.on(i) {
                let x = self.get(self.f.vs2, i, a);
                let v = f(self, x);
                self.put(self.f.vd, i, d, v);
            }
        }
    }

    /// Mask bit vd[i] = f(vs2[i], the other operand).
    #[inline]
    pub fn compare(&mut self, f: impl Fn(&mut Self, u64, u64) -> bool) {
        let (sew, s) = (self.sew, self.scalar().map(|s| zx(s, self.sew)));
        for i in self.vstart..self.vl {
            if self.on(i) {
                let b = s.unwrap_or_else(|| self.get(self.f.vs1, i, sew));
                let a = self.get(self.f.vs2, i, sew);
                let v = f(self, a, b);
                self.put_bit(self.f.vd, i, v);
            }
        }
    }

    /// A reduction: the scalar in element 0 of vs1 and vd has width `wide`.
    #[inline]
    pub fn reduce(&mut self, wide: u32, f: impl Fn(&mut Self, u64, u64) -> u64) {
        if self.vl == 0 {
            return;
        }
        let mut acc = self.get(self.f.vs1, 0, wide);
        for i in 0..self.vl {
            if self.on(i) {
                let x = self.get(self.f.vs2, i, self.sew);
                acc = zx(f(self, acc, x), wide);
            }
        }
        self.put(self.f.vd, 0, wide, acc);
    }

    fn exec(&mut self, insn: Vector) -> Result<(), Stop> {
        if self.crypto(insn)? {
            return Ok(());
        }
        if !(self.int(insn) || self.fixed(insn) || self.perm(insn) || self.float(insn)) {
            return Err(ILLEGAL);
        }
        Ok(())
    }

    /// Cryptographic instructions work on whole groups of `n` elements.
    pub fn groups(&self, n: usize) -> Result<std::ops::Range<usize>, Stop> {
        if !self.vl.is_multiple_of(n) || !self.vstart.is_multiple_of(n) {
            return Err(ILLEGAL);
        }
        Ok(self.vstart / n..self.vl / n)
    }
}
