//! Value types and the attributes that operations carry.
//!
//! Everything here is plain data without a guest's or a host's name: the front ends fill it in, the passes and
//! the back ends read it. See `translate/README.md` for the glossary.

/// The type of an IR value.
///
/// Narrow integers are represented as [`Type::I32`]; a memory operation extends, an explicit `sext`/`zext`
/// operation narrows. Floating-point values live in the low lanes of a [`Type::V128`] and the operation says
/// which lanes are active (see [`Shape`]): this is how register files and hosts hold them, and it spares the
/// moves between a scalar and a vector view of the same register.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Type {
    /// No result (stores, slot writes, barriers).
    Void,
    /// 32-bit integer. Bits above 31 of a host register holding it are unspecified.
    I32,
    /// 64-bit integer.
    I64,
    /// 128-bit vector register.
    V128,
    /// Condition flags N, Z, C, V, P (even parity of the low result byte) and H (carry or borrow out of bit 3) as one
    /// value (see [`Cc`]).
    Flags,
}

/// A condition over a [`Type::Flags`] value. `C` after a subtraction means "no borrow", unless it was turned round (see
/// [`crate::Op::FlagsOf`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Cc {
    /// Z: equal.
    Eq,
    /// !Z: not equal.
    Ne,
    /// C: carry set; unsigned >= after a subtraction.
    Cs,
    /// !C: carry clear; unsigned <.
    Cc,
    /// N: negative.
    Mi,
    /// !N: positive or zero.
    Pl,
    /// V: overflow.
    Vs,
    /// !V: no overflow.
    Vc,
    /// C && !Z: unsigned >.
    Hi,
    /// !C || Z: unsigned <=.
    Ls,
    /// N == V: signed >=.
    Ge,
    /// N != V: signed <.
    Lt,
    /// !Z && N == V: signed >.
    Gt,
    /// Z || N != V: signed <=.
    Le,
    /// C || Z: unsigned <= where C is a borrow.
    Be,
    /// !C && !Z: unsigned > where C is a borrow.
    Ab,
    /// P: parity even.
    Pe,
    /// !P: parity odd.
    Po,
}

impl Cc {
    /// All conditions, in encoding order.
    pub const ALL: [Cc; 18] = [
        Cc::Eq,
        Cc::Ne,
        Cc::Cs,
        Cc::Cc,
        Cc::Mi,
        Cc::Pl,
        Cc::Vs,
        Cc::Vc,
        Cc::Hi,
        Cc::Ls,
        Cc::Ge,
        Cc::Lt,
        Cc::Gt,
        Cc::Le,
        Cc::Be,
        Cc::Ab,
        Cc::Pe,
        Cc::Po,
    ];

    /// The opposite condition.
    pub fn invert(self) -> Cc {
        Cc::ALL[self as usize ^ 1]
    }

    /// The flags that decide the condition, packed as for [`Cc::holds`].
    pub fn needs(self) -> u8 {
        match self {
            Cc::Eq | Cc::Ne => 4,
            Cc::Cs | Cc::Cc => 2,
            Cc::Mi | Cc::Pl => 8,
            Cc::Vs | Cc::Vc => 1,
            Cc::Hi | Cc::Ls | Cc::Be | Cc::Ab => 6,
            Cc::Ge | Cc::Lt => 9,
            Cc::Gt | Cc::Le => 13,
            Cc::Pe | Cc::Po => 16,
        }
    }

    /// Evaluates the condition on flags packed as H=bit 5, P=bit 4, N=bit 3, Z=bit 2, C=bit 1, V=bit 0.
    pub fn holds(self, flags: u8) -> bool {
        let (n, z, c, v) = (flags & 8 != 0, flags & 4 != 0, flags & 2 != 0, flags & 1 != 0);
        match self {
            Cc::Eq => z,
            Cc::Ne => !z,
            Cc::Cs => c,
            Cc::Cc => !c,
            Cc::Mi => n,
            Cc::Pl => !n,
            Cc::Vs => v,
            Cc::Vc => !v,
            Cc::Hi => c && !z,
            Cc::Ls => !c || z,
            Cc::Ge => n == v,
            Cc::Lt => n != v,
            Cc::Gt => !z && n == v,
            Cc::Le => z || n != v,
            Cc::Be => c || z,
            Cc::Ab => !c && !z,
            Cc::Pe => flags & 16 != 0,
            Cc::Po => flags & 16 == 0,
        }
    }
}

/// Width of one vector lane, or of a memory access.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Size {
    /// 8 bits.
    B,
    /// 16 bits.
    H,
    /// 32 bits.
    S,
    /// 64 bits.
    D,
    /// 128 bits.
    Q,
}

impl Size {
    /// From log2 of the width in bytes (0..=4).
    pub fn from_log2(n: u32) -> Option<Size> {
        [Size::B, Size::H, Size::S, Size::D, Size::Q].get(n as usize).copied()
    }
    /// Width in bytes.
    pub fn bytes(self) -> usize {
        1 << self as usize
    }
    /// Width in bits.
    pub fn bits(self) -> u32 {
        8 << self as u32
    }
}

/// The active part of a 128-bit vector: `lanes` lanes of `lane` width from bit 0 up.
///
/// Unless an operation says otherwise, lanes of the result above the active ones are zero.
/// A scalar operation has one lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Shape {
    /// Lane width. For floating point: `H` = half, `S` = single, `D` = double.
    pub lane: Size,
    /// Number of active lanes, 1 to 16. For widening and narrowing operations it counts the *result's* lanes
    /// and `lane` is the result's width unless the operation's text says otherwise.
    pub lanes: u8,
}

impl Shape {
    /// `lanes` lanes of width `lane`.
    pub const fn new(lane: Size, lanes: u8) -> Shape {
        Shape { lane, lanes }
    }
    /// One lane: a scalar.
    pub const fn scalar(lane: Size) -> Shape {
        Shape { lane, lanes: 1 }
    }
    /// As many lanes as fit into 8 (`q` false) or 16 bytes.
    pub fn full(lane: Size, q: bool) -> Shape {
        Shape { lane, lanes: ((if q { 16 } else { 8 }) / lane.bytes()) as u8 }
    }
    /// Bytes covered by the active lanes.
    pub fn bytes(self) -> usize {
        self.lane.bytes() * self.lanes as usize
    }
}

/// Ordering of a memory access, as in the C++ memory model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub enum Order {
    /// No ordering.
    #[default]
    Relaxed,
    /// Later accesses stay later.
    Acquire,
    /// Earlier accesses stay earlier, and a later `SeqCst`-class acquire of the same thread is not moved
    /// before it (AArch64 `stlr`): on a store-buffered host it needs a full barrier.
    Release,
    /// Both (read-modify-write operations only).
    AcqRel,
}

/// How a loaded value is extended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub enum Ext {
    /// Zero-extended.
    #[default]
    Zero,
    /// Sign-extended to the result type.
    Sign,
}

/// Attributes of a memory access. Every access may fault unless `ir` says it is to the state block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Mem {
    /// Bytes accessed.
    pub size: Size,
    /// Extension of loads narrower than the result type.
    pub ext: Ext,
    /// Bytes are reversed relative to a little-endian host.
    pub big_endian: bool,
    /// Ordering.
    pub order: Order,
    /// The access must be naturally aligned, else an alignment fault.
    pub aligned: bool,
    /// With `aligned`: a misaligned access faults only if it leaves 16 aligned bytes.
    pub within16: bool,
    /// Log2 of the factor applied to the index argument (0..=4).
    pub scale: u8,
}

impl Mem {
    /// A plain little-endian access of `size`.
    pub const fn plain(size: Size) -> Mem {
        Mem {
            size,
            ext: Ext::Zero,
            big_endian: false,
            order: Order::Relaxed,
            aligned: false,
            within16: false,
            scale: 0,
        }
    }
    /// The same access, sign-extending.
    pub const fn signed(mut self) -> Mem {
        self.ext = Ext::Sign;
        self
    }
    /// The same access with an ordering.
    pub const fn with_order(mut self, order: Order) -> Mem {
        self.order = order;
        self
    }
    /// The same access, faulting when misaligned.
    pub const fn natural(mut self) -> Mem {
        self.aligned = true;
        self
    }
    /// The same access, faulting when misaligned and not inside 16 aligned bytes.
    pub const fn inside16(mut self) -> Mem {
        self.aligned = true;
        self.within16 = true;
        self
    }
    /// The same access with a scaled index.
    pub const fn scaled(mut self, log2: u8) -> Mem {
        self.scale = log2;
        self
    }
}

/// The operation of an atomic read-modify-write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Rmw {
    /// new = old + arg
    Add,
    /// new = old & !arg
    AndNot,
    /// new = old & arg
    And,
    /// new = old | arg
    Or,
    /// new = old ^ arg
    Xor,
    /// signed maximum
    SMax,
    /// signed minimum
    SMin,
    /// unsigned maximum
    UMax,
    /// unsigned minimum
    UMin,
    /// new = arg
    Swap,
}

/// Rounding mode of a floating-point operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Round {
    /// The thread's current mode (`set_fp_round`).
    Dynamic,
    /// To nearest, ties to even.
    Nearest,
    /// Toward zero.
    Zero,
    /// Toward minus infinity.
    Down,
    /// Toward plus infinity.
    Up,
    /// To nearest, ties away from zero.
    NearestAway,
    /// To odd (von Neumann rounding, for double rounding-free narrowing).
    Odd,
}

/// Which NaN an operation returns and when results are tiny: the guest's floating-point flavour.
///
/// It is known when code is translated (it belongs to the mode key), so operations carry it as data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct FpRules {
    /// Choice of the result NaN.
    pub nan: NanRule,
    /// Tininess is detected before rounding.
    pub tiny_before: bool,
    /// Denormal inputs of single and double operations are replaced by zero.
    pub flush_in: bool,
    /// Denormal results of single and double operations are replaced by zero.
    pub flush_out: bool,
    /// The same pair for half precision.
    pub flush_half: bool,
    /// Arm `FPCR.AH`: alternate handling (NaN sign, flush by unbounded exponent, min/max as x86).
    pub alternate: bool,
}

impl FpRules {
    /// True when the fast path of an ordinary host (IEEE, no flushing) gives the same non-NaN results.
    pub fn plain(self) -> bool {
        !(self.flush_in || self.flush_out || self.flush_half || self.alternate)
    }
}

/// NaN propagation rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum NanRule {
    /// First signalling operand quieted, else first quiet operand, else the positive default NaN. A fused
    /// multiply-add looks at its addend first.
    Arm,
    /// Always the positive default NaN (Arm `FPCR.DN`, RISC-V).
    Default,
    /// First NaN operand quieted (SSE); default NaN is negative.
    X86,
}

/// Attributes of a floating-point operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Fp {
    /// Active lanes; `lane` is the format.
    pub shape: Shape,
    /// Rounding.
    pub round: Round,
    /// Flavour.
    pub rules: FpRules,
}

/// Index of a guest-state slot in the guest's slot table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct SlotId(pub u16);

/// Index of a runtime helper in the guest's helper table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct HelperId(pub u16);

/// What an instruction carries beside its arguments and its immediate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Attr {
    /// Nothing.
    None,
    /// A memory access.
    Mem(Mem),
    /// A memory access with its read-modify-write operation.
    Rmw(Mem, Rmw),
    /// Vector lanes.
    Vec(Shape),
    /// Floating point.
    Fp(Fp),
    /// Conversion between two floating-point formats or float and integer: format attributes of the
    /// *source* for float-to-something, of the *result* for integer-to-float, and the other side's width.
    FpCvt(Fp, Size),
    /// A condition.
    Cc(Cc),
    /// A guest-state slot.
    Slot(SlotId),
    /// A runtime helper.
    Helper(HelperId),
}
