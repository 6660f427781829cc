//! The x86-64 assembler: encodings only, no policy. Input: typed operands; output: bytes in [`Asm::buf`] with labels
//! resolved by [`Asm::finish`]. General-register instructions are in [`gp`], vector rows in [`vtable`], their
//! encoders in [`vec`]. What must hold: every row of every table decodes back to itself under an independent
//! disassembler (`tests.rs`); position-dependent values are labels or rip-relative, so the bytes are relocatable.
#![forbid(unsafe_code)]

pub mod gp;
pub mod vec;
pub mod vtable;

#[cfg(test)]
mod tests;

pub use gp::{Alu, Cc, Mop, Mr, RegRm, Sh, VexRm, VexRmv, VexRvm, VexVm};
pub use vec::{Features, K, Level, Vl, Xm};
pub use vtable::V;

/// A general register by hardware number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Gp(pub u8);

/// A vector register by hardware number; 16 and up need EVEX.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Xmm(pub u8);

/// `rax`
pub const RAX: Gp = Gp(0);
/// `rcx`
pub const RCX: Gp = Gp(1);
/// `rdx`
pub const RDX: Gp = Gp(2);
/// `rbx`
pub const RBX: Gp = Gp(3);
/// `rsp`
pub const RSP: Gp = Gp(4);
/// `rbp`
pub const RBP: Gp = Gp(5);
/// `rsi`
pub const RSI: Gp = Gp(6);
/// `rdi`
pub const RDI: Gp = Gp(7);
/// `r8`
pub const R8: Gp = Gp(8);
/// `r9`
pub const R9: Gp = Gp(9);
/// `r10`
pub const R10: Gp = Gp(10);
/// `r11`
pub const R11: Gp = Gp(11);
/// `r12`
pub const R12: Gp = Gp(12);
/// `r13`
pub const R13: Gp = Gp(13);
/// `r14`
pub const R14: Gp = Gp(14);
/// `r15`
pub const R15: Gp = Gp(15);

/// Operand size of a general-register instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Sz {
    /// 8 bits
    B,
    /// 16 bits
    W,
    /// 32 bits
    D,
    /// 64 bits
    Q,
}

impl Sz {
    /// Size in bytes.
    pub fn bytes(self) -> u32 {
        match self {
            Sz::B => 1,
            Sz::W => 2,
            Sz::D => 4,
            Sz::Q => 8,
        }
    }
}

/// Segment override of a memory operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Seg {
    /// No override.
    #[default]
    None,
    /// `fs:`
    Fs,
    /// `gs:`
    Gs,
}

/// A code position that may be bound later.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Label(pub u32);

/// What a memory operand's address starts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Base {
    /// No base: disp32 (sign-extended), possibly with an index.
    None,
    /// A register.
    Reg(Gp),
    /// rip-relative with a ready displacement from the end of the instruction.
    Rip,
    /// rip-relative to a label of this buffer.
    Label(Label),
}

/// A memory operand: `seg:[base + index * scale + disp]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mem {
    /// Start of the address.
    pub base: Base,
    /// Index register and log2 of its scale; `rsp` cannot be an index.
    pub index: Option<(Gp, u8)>,
    /// Signed displacement.
    pub disp: i32,
    /// Segment override.
    pub seg: Seg,
    /// Address computed in 32 bits (prefix 67).
    pub addr32: bool,
}

impl Mem {
    /// `[base + disp]`
    pub fn b(base: Gp, disp: i32) -> Mem {
        Mem { base: Base::Reg(base), index: None, disp, seg: Seg::None, addr32: false }
    }
    /// `[base + index << scale + disp]`
    pub fn bi(base: Gp, index: Gp, scale: u8, disp: i32) -> Mem {
        Mem { index: Some((index, scale)), ..Mem::b(base, disp) }
    }
    /// `[index << scale + disp]`
    pub fn i(index: Gp, scale: u8, disp: i32) -> Mem {
        Mem { base: Base::None, index: Some((index, scale)), disp, seg: Seg::None, addr32: false }
    }
    /// `[disp]`, absolute and sign-extended.
    pub fn abs(disp: i32) -> Mem {
        Mem { base: Base::None, index: None, disp, seg: Seg::None, addr32: false }
    }
    /// `[rip + disp]`
    pub fn rip(disp: i32) -> Mem {
        Mem { base: Base::Rip, index: None, disp, seg: Seg::None, addr32: false }
    }
    /// `[label]`
    pub fn label(l: Label) -> Mem {
        Mem { base: Base::Label(l), index: None, disp: 0, seg: Seg::None, addr32: false }
    }
    /// The same address plus `d`.
    pub fn plus(self, d: i32) -> Mem {
        Mem { disp: self.disp.wrapping_add(d), ..self }
    }
    /// The same address in another segment.
    pub fn seg(self, seg: Seg) -> Mem {
        Mem { seg, ..self }
    }
    fn rex_xb(&self) -> (u8, u8) {
        let x = self.index.map_or(0, |(i, _)| i.0 >> 3);
        let b = if let Base::Reg(r) = self.base { r.0 >> 3 } else { 0 };
        (x, b)
    }
}

/// A general register or memory operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rm {
    /// Register.
    R(Gp),
    /// Memory.
    M(Mem),
}
impl From<Gp> for Rm {
    fn from(r: Gp) -> Rm {
        Rm::R(r)
    }
}
impl From<Mem> for Rm {
    fn from(m: Mem) -> Rm {
        Rm::M(m)
    }
}

/// A mandatory prefix in its VEX encoding (`pp`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pp {
    /// none
    N = 0,
    /// 66
    P66 = 1,
    /// F3
    F3 = 2,
    /// F2
    F2 = 3,
}

/// An opcode map in its VEX encoding (`mmmmm`); 0 is the one-byte map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Map {
    /// one-byte opcodes
    One = 0,
    /// 0F
    M0f = 1,
    /// 0F 38
    M38 = 2,
    /// 0F 3A
    M3a = 3,
}

#[derive(Clone, Copy, Debug)]
struct Fixup {
    at: u32,
    label: Label,
    /// Added to `target - at`: minus the distance from the field to the end of the instruction.
    addend: i32,
    short: bool,
}

const UNBOUND: u32 = u32::MAX;

/// The code buffer.
#[derive(Debug, Default)]
pub struct Asm {
    /// The bytes so far.
    pub buf: Vec<u8>,
    labels: Vec<u32>,
    fixups: Vec<Fixup>,
    /// What the vector methods may emit.
    pub feat: Features,
    /// A vector register that the legacy-SSE forms of three-operand methods may destroy.
    pub vtmp: Option<Xmm>,
}

impl Asm {
    /// An empty buffer for a host with these features.
    pub fn new(feat: Features) -> Asm {
        Asm { feat, ..Asm::default() }
    }
    /// Forgets the code and labels but keeps the memory.
    pub fn reset(&mut self) {
        self.buf.clear();
        self.labels.clear();
        self.fixups.clear();
    }
    /// Offset of the next byte.
    #[inline]
    pub fn pos(&self) -> u32 {
        self.buf.len() as u32
    }
    /// One byte.
    #[inline]
    pub fn u8(&mut self, b: u8) {
        self.buf.push(b);
    }
    /// Two bytes, little endian.
    #[inline]
    pub fn u16(&mut self, v: u16) {
        self.buf.extend_from_slice(&v.to_le_bytes());
    }
    /// Four bytes, little endian.
    #[inline]
    pub fn u32(&mut self, v: u32) {
        self.buf.extend_from_slice(&v.to_le_bytes());
    }
    /// Eight bytes, little endian.
    #[inline]
    pub fn u64(&mut self, v: u64) {
        self.buf.extend_from_slice(&v.to_le_bytes());
    }
    /// A new, unbound label.
    pub fn new_label(&mut self) -> Label {
        self.labels.push(UNBOUND);
        Label(self.labels.len() as u32 - 1)
    }
    /// Binds `l` to the next byte.
    pub fn bind(&mut self, l: Label) {
        debug_assert_eq!(self.labels[l.0 as usize], UNBOUND, "label bound twice");
        self.labels[l.0 as usize] = self.pos();
    }
    /// A label bound here.
    pub fn here(&mut self) -> Label {
        let l = self.new_label();
        self.bind(l);
        l
    }
    /// Offset of a bound label.
    pub fn offset(&self, l: Label) -> Option<u32> {
        let o = self.labels[l.0 as usize];
        (o != UNBOUND).then_some(o)
    }
    fn fix(&mut self, label: Label, addend: i32) {
        let at = self.pos();
        self.fixups.push(Fixup { at, label, addend, short: false });
        self.u32(0);
    }
    fn fix8(&mut self, label: Label) {
        let at = self.pos();
        self.fixups.push(Fixup { at, label, addend: -1, short: true });
        self.u8(0);
    }
    /// Fills `align`-byte alignment with long no-ops.
    pub fn align(&mut self, align: u32) {
        let pad = self.pos().wrapping_neg() & (align - 1);
        self.nops(pad as usize);
    }
    /// Resolves all label references. Panics on an unbound label or a short jump that is too long: both are bugs of
    /// the caller, not of the guest.
    pub fn finish(&mut self) {
        for f in &self.fixups {
            let t = self.labels[f.label.0 as usize];
            assert_ne!(t, UNBOUND, "unbound label");
            let rel = (t as i64 - f.at as i64 + f.addend as i64) as i32;
            let at = f.at as usize;
            if f.short {
                self.buf[at] = i8::try_from(rel).expect("short jump out of range") as u8;
            } else {
                self.buf[at..at + 4].copy_from_slice(&rel.to_le_bytes());
            }
        }
        self.fixups.clear();
    }

    fn seg_prefix(&mut self, m: &Mem) {
        let mut h = Head::default();
        h.seg_prefix(m);
        self.head(h);
    }

    /// ModRM, SIB and displacement of a memory operand. `imm` is the count of bytes that follow the displacement,
    /// `n` the EVEX displacement scale (1 elsewhere).
    fn modrm_mem(&mut self, reg: u8, m: &Mem, imm: u32, n: i32) {
        self.with_mem(Head::default(), reg, m, imm, n);
    }

    fn modrm_reg(&mut self, reg: u8, rm: u8) {
        self.u8(0xc0 | (reg & 7) << 3 | rm & 7);
    }

    /// Appends the beginning of an instruction.
    #[inline]
    fn head(&mut self, h: Head) {
        // Eight bytes, so that the size is known; then what is too much is taken back.
        self.buf.extend_from_slice(&h.bits.to_le_bytes());
        self.buf.truncate(self.buf.len() - 8 + h.len as usize);
    }

    /// Appends the beginning of an instruction and its memory operand.
    fn with_mem(&mut self, mut h: Head, reg: u8, m: &Mem, imm: u32, n: i32) {
        if h.len > 5 {
            self.head(h);
            h = Head::default();
        }
        let reg = (reg & 7) << 3;
        match m.base {
            Base::Rip => {
                h.u8(reg | 5);
                self.head(h);
                self.u32(m.disp as u32);
            }
            Base::Label(l) => {
                h.u8(reg | 5);
                self.head(h);
                self.fix(l, m.disp - 4 - imm as i32);
            }
            Base::None => {
                let (idx, sc) = m.index.map_or((4, 0), |(i, s)| (i.0 & 7, s));
                h.u8(reg | 4);
                h.u8(sc << 6 | idx << 3 | 5);
                self.head(h);
                self.u32(m.disp as u32);
            }
            Base::Reg(base) => {
                let scaled = if n == 1 { Some(m.disp) } else { (m.disp % n == 0).then(|| m.disp / n) };
                let short = scaled.and_then(|d| i8::try_from(d).ok());
                let none = m.disp == 0 && base.0 & 7 != 5;
                let md = if none {
                    0
                } else if short.is_some() {
                    0x40
                } else {
                    0x80
                };
                if let Some((i, s)) = m.index {
                    debug_assert_ne!(i, RSP);
                    h.u8(md | reg | 4);
                    h.u8(s << 6 | (i.0 & 7) << 3 | base.0 & 7);
                } else if base.0 & 7 == 4 {
                    h.u8(md | reg | 4);
                    h.u8(0x24);
                } else {
                    h.u8(md | reg | base.0 & 7);
                }
                match short {
                    _ if none => self.head(h),
                    Some(d) => {
                        h.u8(d as u8);
                        self.head(h);
                    }
                    None => {
                        self.head(h);
                        self.u32(m.disp as u32);
                    }
                }
            }
        }
    }

    /// A legacy-encoded instruction up to its ModRM operand; immediates follow. `byte_reg` says that `reg` is an
    /// 8-bit register, `byte_rm` the same for a register operand `rm` (both matter for spl..dil).
    #[allow(clippy::too_many_arguments, reason = "the fields of one encoding")]
    fn legacy(
        &mut self,
        p66: bool,
        pp: Pp,
        w: bool,
        map: Map,
        op: u8,
        reg: u8,
        rm: &Rm,
        bytes: (bool, bool),
        imm: u32,
    ) {
        let mut h = Head::default();
        let (x, b) = match rm {
            Rm::R(r) => (0, r.0 >> 3),
            Rm::M(m) => {
                h.seg_prefix(m);
                m.rex_xb()
            }
        };
        if p66 {
            h.u8(0x66);
        }
        match pp {
            Pp::N => {}
            Pp::P66 => h.u8(0x66),
            Pp::F3 => h.u8(0xf3),
            Pp::F2 => h.u8(0xf2),
        }
        let rex = (w as u8) << 3 | (reg >> 3 & 1) << 2 | x << 1 | b;
        let low8 = |r: u8| (4..8).contains(&r);
        let force = bytes.0 && low8(reg) || bytes.1 && matches!(rm, Rm::R(r) if low8(r.0));
        if rex != 0 || force {
            h.u8(0x40 | rex);
        }
        match map {
            Map::One => {}
            Map::M0f => h.u8(0x0f),
            Map::M38 => h.u16(0x380f),
            Map::M3a => h.u16(0x3a0f),
        }
        h.u8(op);
        match rm {
            Rm::R(r) if h.len < 8 => {
                h.u8(0xc0 | (reg & 7) << 3 | r.0 & 7);
                self.head(h);
            }
            Rm::R(r) => {
                self.head(h);
                self.modrm_reg(reg, r.0);
            }
            Rm::M(m) => self.with_mem(h, reg, m, imm, 1),
        }
    }

    /// A VEX prefix and opcode, choosing the two-byte form when it can.
    fn vex_prefix(&mut self, pp: Pp, map: Map, w: bool, l: u8, op: u8, rxb: (u8, u8, u8), vvvv: u8) {
        let (r, x, b) = rxb;
        let last = (!vvvv & 15) << 3 | l << 2 | pp as u8;
        if x == 0 && b == 0 && !w && map == Map::M0f {
            self.u8(0xc5);
            self.u8((r ^ 1) << 7 | last);
        } else {
            self.u8(0xc4);
            self.u8((r ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | map as u8);
            self.u8((w as u8) << 7 | last);
        }
        self.u8(op);
    }

    /// A VEX-encoded instruction over general registers.
    fn vex_gp(&mut self, pp: Pp, map: Map, w: bool, op: u8, reg: u8, vvvv: u8, rm: &Rm, imm: u32) {
        match rm {
            Rm::R(r) => {
                self.vex_prefix(pp, map, w, 0, op, (reg >> 3, 0, r.0 >> 3), vvvv);
                self.modrm_reg(reg, r.0);
            }
            Rm::M(m) => {
                self.seg_prefix(m);
                let (x, b) = m.rex_xb();
                self.vex_prefix(pp, map, w, 0, op, (reg >> 3, x, b), vvvv);
                self.modrm_mem(reg, m, imm, 1);
            }
        }
    }
}

/// Up to eight bytes of an instruction, put together before they go to the buffer at once.
#[derive(Clone, Copy, Default)]
struct Head {
    bits: u64,
    len: u32,
}

impl Head {
    #[inline(always)]
    fn u8(&mut self, b: u8) {
        self.bits |= u64::from(b) << ((self.len * 8) & 63);
        self.len += 1;
    }
    #[inline(always)]
    fn u16(&mut self, v: u16) {
        self.bits |= u64::from(v) << ((self.len * 8) & 63);
        self.len += 2;
    }
    #[inline(always)]
    fn seg_prefix(&mut self, m: &Mem) {
        match m.seg {
            Seg::None => {}
            Seg::Fs => self.u8(0x64),
            Seg::Gs => self.u8(0x65),
        }
        if m.addr32 {
            self.u8(0x67);
        }
    }
}

/// Declares a fieldless enum with one constant row per variant.
macro_rules! rows {
    ($(#[$m:meta])* $E:ident : $R:ty, $T:ident { $($v:ident = $r:expr;)* }) => {
        $(#[$m])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u16)]
        pub enum $E { $(#[doc = stringify!($v)] $v,)* }
        impl $E {
            /// All rows, for tests and listings.
            pub const ALL: &'static [$E] = &[$($E::$v),*];
            /// The encoding row.
            #[inline]
            pub fn row(self) -> &'static $R { &$T[self as usize] }
        }
        static $T: &[$R] = &[$($r),*];
    };
}
pub(crate) use rows;
