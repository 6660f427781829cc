//! Common ground of the floating-point and Advanced SIMD translation: register access, lane shapes, the FP rules that
//! follow from `FPCR`, immediates.
//!
//! The rounding mode is dynamic; all other `FPCR` controls are known when code is translated (they are part of the
//! mode key) and become [`FpRules`]. Results of fewer than 128 bits zero the rest of the register, which the
//! operations' shapes do.

use crate::cpu;
use ir::{Attr, Builder, Fp, FpRules, NanRule, Op, Round, Shape, Size, Type, Val};

/// The `FPCR` controls that translation depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct FpMode {
    /// DN: results are the default NaN.
    pub dn: bool,
    /// FZ: flush single and double denormals.
    pub fz: bool,
    /// FZ16: flush half-precision denormals.
    pub fz16: bool,
    /// AHP: the alternative half-precision format in conversions.
    pub ahp: bool,
    /// AH: alternate handling.
    pub ah: bool,
    /// FIZ: flush denormal inputs.
    pub fiz: bool,
    /// NEP: scalar results keep the other elements of a source register.
    pub nep: bool,
}

impl FpMode {
    /// From the mode bits of the translation key, see [`cpu::mode_of_fpcr`].
    pub fn new(mode: u64) -> FpMode {
        let bit = |n: u32| mode >> n & 1 == 1;
        FpMode { dn: bit(0), fz: bit(1), fz16: bit(2), ahp: bit(3), ah: bit(4), fiz: bit(5), nep: bit(6) }
    }

    /// The rules for operations.
    pub fn rules(self) -> FpRules {
        FpRules {
            nan: if self.dn { NanRule::Default } else { NanRule::Arm },
            tiny_before: true,
            flush_in: self.fiz || self.fz && !self.ah,
            flush_out: self.fz,
            flush_half: self.fz16,
            alternate: self.ah,
        }
    }
}

/// Builds IR for one FP or SIMD instruction.
pub(crate) struct Fx<'a> {
    /// Where it goes.
    pub b: &'a mut Builder,
    /// `FPCR`.
    pub mode: FpMode,
}

/// A 64-bit pattern of lanes of `size`, each `value`.
pub(crate) fn replicate(size: Size, value: u64) -> u64 {
    match size {
        Size::B => (value & 0xff) * 0x0101_0101_0101_0101,
        Size::H => (value & 0xffff) * 0x0001_0001_0001_0001,
        Size::S => (value & 0xffff_ffff) * 0x0000_0001_0000_0001,
        Size::D | Size::Q => value,
    }
}

/// `VFPExpandImm`.
pub(crate) fn expand_fp_imm(size: Size, imm8: u32) -> u64 {
    let (exp_bits, total) = match size {
        Size::B | Size::H => (5, 16),
        Size::S => (8, 32),
        Size::D | Size::Q => (11, 64),
    };
    let imm = u64::from(imm8);
    let b6 = imm >> 6 & 1;
    let exp = (b6 ^ 1) << (exp_bits - 1)
        | if b6 == 1 { ((1 << (exp_bits - 3)) - 1) << 2 } else { 0 }
        | imm >> 4 & 3;
    let frac_bits = total - 1 - exp_bits;
    (imm >> 7) << (total - 1) | exp << frac_bits | (imm & 15) << (frac_bits - 4)
}

/// Lane width from `sz` of the SIMD tables: 0 single, 1 double, 2 half.
pub(crate) fn fp_size(sz: u32) -> Size {
    match sz {
        0 => Size::S,
        1 => Size::D,
        _ => Size::H,
    }
}

/// Lane width from the scalar `ftype`: 0 single, 1 double, 3 half.
pub(crate) fn ftype_size(ftype: u32) -> Size {
    match ftype {
        0 => Size::S,
        1 => Size::D,
        _ => Size::H,
    }
}

/// Lane width from `size`, log2 of its bytes.
pub(crate) fn int_size(size: u32) -> Size {
    match size & 3 {
        0 => Size::B,
        1 => Size::H,
        2 => Size::S,
        _ => Size::D,
    }
}

/// The lane width twice (`wide`) or half as large.
pub(crate) fn wide(size: Size) -> Size {
    match size {
        Size::B => Size::H,
        Size::H => Size::S,
        Size::S => Size::D,
        Size::D | Size::Q => Size::Q,
    }
}

/// Active lanes of an integer or FP vector or scalar form.
pub(crate) fn shape(scalar: u32, q: u32, size: Size) -> Shape {
    if scalar == 1 { Shape::scalar(size) } else { Shape::full(size, q == 1) }
}

/// Register and lane of a by-element operand; `idx` is H:L:M.
pub(crate) fn element(size: Size, idx: u32, rm: u32) -> (u32, u32) {
    match size {
        Size::B | Size::H => (rm & 15, idx),
        Size::S => (rm, idx >> 1),
        Size::D | Size::Q => (rm, idx >> 2),
    }
}

impl Fx<'_> {
    /// Vector register.
    pub fn v(&mut self, n: u32) -> Val {
        self.b.get(cpu::v(n), Type::V128)
    }

    /// Writes a vector register.
    pub fn set_v(&mut self, n: u32, value: Val) {
        self.b.set(cpu::v(n), value);
    }

    /// Writes a scalar FP result: with NEP its other elements come from register `merge`.
    pub fn set_scalar(&mut self, n: u32, size: Size, merge: u32, value: Val) {
        let value = if self.mode.nep {
            let base = self.v(merge);
            self.b.vop(Op::VInsLane, Shape::scalar(size), &[base, value], 0)
        } else {
            value
        };
        self.set_v(n, value);
    }

    /// Writes an FP result of `shape`; `scalar` forms obey NEP.
    pub fn set_fp(&mut self, n: u32, scalar: u32, shape: Shape, merge: u32, value: Val) {
        if scalar == 1 { self.set_scalar(n, shape.lane, merge, value) } else { self.set_v(n, value) }
    }

    /// General register, 31 is zero.
    pub fn x(&mut self, ty: Type, n: u32) -> Val {
        if n == 31 {
            return self.b.iconst(ty, 0);
        }
        let x = self.b.get(cpu::x(n), Type::I64);
        if ty == Type::I32 { self.b.trunc(x) } else { x }
    }

    /// Writes a general register, zero-extending; 31 is dropped.
    pub fn set_x(&mut self, n: u32, value: Val) {
        if n != 31 {
            let value = if self.b.ty(value) == Type::I32 { self.b.zext32(value) } else { value };
            self.b.set(cpu::x(n), value);
        }
    }

    /// The condition flags.
    pub fn flags(&mut self) -> Val {
        self.b.get(cpu::NZCV, Type::Flags)
    }

    /// Writes the condition flags.
    pub fn set_flags(&mut self, flags: Val) {
        self.b.set(cpu::NZCV, flags);
    }

    /// FP attributes.
    pub fn fp(&self, shape: Shape, round: Round) -> Fp {
        Fp { shape, round, rules: self.mode.rules() }
    }

    /// An FP operation with dynamic rounding.
    pub fn fop(&mut self, op: Op, shape: Shape, args: &[Val]) -> Val {
        let fp = self.fp(shape, Round::Dynamic);
        self.b.fop(op, fp, args, 0)
    }

    /// A vector operation.
    pub fn vop(&mut self, op: Op, shape: Shape, args: &[Val], imm: u64) -> Val {
        self.b.vop(op, shape, args, imm)
    }

    /// A zero vector.
    pub fn vzero(&mut self) -> Val {
        self.b.vconst(0, true)
    }

    /// `FPNeg` or `FPAbs`: with AH, NaNs are left alone.
    pub fn fsign(&mut self, op: Op, shape: Shape, a: Val) -> Val {
        let r = self.vop(op, shape, &[a], 0);
        if !self.mode.ah {
            return r;
        }
        let infinity = match shape.lane {
            Size::B | Size::H => 0x7c00,
            Size::S => 0x7f80_0000,
            Size::D | Size::Q => 0x7ff0_0000_0000_0000,
        };
        let inf = self.b.vconst(replicate(shape.lane, infinity), true);
        let magnitude = self.vop(Op::FAbs, shape, &[a], 0);
        let nan = self.vop(Op::VCmpGtU, shape, &[magnitude, inf], 0);
        let whole = Shape::full(Size::B, true);
        let low = self.vop(Op::VLow, shape, &[a], 0);
        self.vop(Op::VBsl, whole, &[nan, low, r], 0)
    }

    /// The upper half of register `rd` replaced by the low half of `value` (`q` = 1), or `value` itself, whose upper half
    /// is zero.
    pub fn set_half(&mut self, rd: u32, q: u32, value: Val) {
        let value = if q == 1 {
            let d = self.v(rd);
            self.vop(Op::VInsLane, Shape::scalar(Size::D), &[d, value], 1)
        } else {
            value
        };
        self.set_v(rd, value);
    }

    /// A conversion from or to half precision: the immediate's AHP bit.
    pub fn ahp_imm(&self, from: Size, to: Size) -> u64 {
        if self.mode.ahp && (from == Size::H || to == Size::H) { 4 } else { 0 }
    }

    /// Pushes an operation with FP attributes and an integer result.
    pub fn push_fp(&mut self, op: Op, ty: Type, fp: Fp, args: &[Val]) -> Val {
        self.b.push(op, ty, Attr::Fp(fp), args, 0)
    }
}
