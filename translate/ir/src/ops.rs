//! The operations table: the one declaration of every IR operation.
//!
//! A row gives the enum name, the text name, the argument kinds, the result kind, which attribute it carries and
//! its effect. Enum, printer, parser, builder checks and the verifier follow from it.
//!
//! "Unspecified" means any value without a crash; nothing here is undefined unless the row says so.

/// Kind of an argument or result in the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The instruction's own type, I32 or I64.
    T,
    /// I32.
    W,
    /// I64.
    X,
    /// Optional I64: may be [`crate::Val::NONE`].
    XOpt,
    /// V128.
    V,
    /// Flags.
    F,
    /// T or V128 or Flags: whatever the slot or helper says.
    Any,
    /// Optional, any type (helper arguments).
    AnyOpt,
    /// No result.
    Void,
}

/// Which [`crate::Attr`] variant an operation carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttrKind {
    /// `Attr::None`
    None,
    /// `Attr::Mem`
    Mem,
    /// `Attr::Rmw`
    Rmw,
    /// `Attr::Vec`
    Vec,
    /// `Attr::Fp`
    Fp,
    /// `Attr::FpCvt`
    FpCvt,
    /// `Attr::Cc`
    Cc,
    /// `Attr::Slot`
    Slot,
    /// `Attr::Helper`
    Helper,
}

/// What an operation does beside computing its result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Nothing: may be removed when unused, merged and moved.
    Pure,
    /// Accumulates sticky floating-point flags or the sticky saturation flag: not removed when unused.
    Sticky,
    /// Reads the guest state or a sticky register.
    ReadState,
    /// Writes the guest state or a sticky register.
    WriteState,
    /// Reads guest memory; may fault.
    Load,
    /// Writes guest memory (or reads and writes it); may fault.
    Store,
    /// Orders memory, or marks an instruction: stays where it is.
    Barrier,
    /// Runs a helper with the effects its descriptor declares.
    Call,
}

macro_rules! ops {
    ($( $(#[$doc:meta])* $name:ident $text:literal ($($arg:ident),*) -> $res:ident, $attr:ident, $eff:ident; )*) => {
        /// An IR operation.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u16)]
        pub enum Op { $( $(#[$doc])* $name, )* }

        /// Static facts of one operation.
        #[derive(Clone, Copy, Debug)]
        pub struct OpInfo {
            /// Text name.
            pub text: &'static str,
            /// Argument kinds.
            pub args: &'static [Kind],
            /// Result kind.
            pub result: Kind,
            /// Attribute kind.
            pub attr: AttrKind,
            /// Effect.
            pub effect: Effect,
        }

        impl Op {
            /// Every operation, in table order.
            pub const ALL: &'static [Op] = &[ $( Op::$name, )* ];
        }

        static INFO: &[OpInfo] = &[ $( OpInfo {
            text: $text, args: &[$( Kind::$arg ),*], result: Kind::$res,
            attr: AttrKind::$attr, effect: Effect::$eff,
        }, )* ];

        impl Op {
            /// The table row of this operation.
            pub fn info(self) -> &'static OpInfo { &INFO[self as usize] }
            /// The operation with this text name.
            pub fn from_text(text: &str) -> Option<Op> {
                Op::ALL.iter().copied().find(|op| op.info().text == text)
            }
        }
    };
}

/// In the immediate of a scalar `FSqrt` or `FMa`: what lies above the result's lane is the first argument's and not zero.
pub const MERGE: u64 = 0x100;

/// In the immediate of `FToS` and `FToU`: a NaN gives the largest integer.
pub const NAN_IS_MAX: u64 = 0x100;

/// In the immediate of `FCmp`: nothing is raised.
pub const SILENT: u64 = 2;

ops! {
    // --- structure -------------------------------------------------------------------------------------
    /// Removed instruction.
    Nop "nop" () -> Void, None, Pure;
    /// Start of the guest instruction at address imm. Faults after it belong to it.
    Insn "insn" () -> Void, None, Barrier;
    /// Reads a guest slot.
    Get "get" () -> Any, Slot, ReadState;
    /// Writes a guest slot.
    Set "set" (Any) -> Void, Slot, WriteState;
    /// Stores the flags recipe imm ([`crate::Recipe`]) in a flags slot.
    Defer "defer" () -> Void, Slot, WriteState;
    /// The mode bits become imm: the block's exit is to code under that mode. The last operation of its block.
    SetMode "setmode" () -> Void, None, WriteState;
    /// Calls a guest helper. The result type is the instruction's type (may be Void).
    Call "call" (AnyOpt, AnyOpt, AnyOpt, AnyOpt) -> Any, Helper, Call;

    // --- integer constants and arithmetic (T = I32 or I64) -----------------------------------------------
    /// imm (truncated to T).
    Const "const" () -> T, None, Pure;
    /// imm, a guest address derived from the program counter: relocated in persistent code. I64.
    Addr "addr" () -> X, None, Pure;
    /// a + b
    Add "add" (T, T) -> T, None, Pure;
    /// a - b
    Sub "sub" (T, T) -> T, None, Pure;
    /// a + b + C
    Adc "adc" (T, T, F) -> T, None, Pure;
    /// a - b - !C; with imm = 256 a - b - C
    Sbc "sbc" (T, T, F) -> T, None, Pure;
    /// a * b, low half
    Mul "mul" (T, T) -> T, None, Pure;
    /// high 64 bits of the unsigned product. I64.
    MulHu "mulhu" (X, X) -> X, None, Pure;
    /// high 64 bits of the signed product. I64.
    MulHs "mulhs" (X, X) -> X, None, Pure;
    /// a / b unsigned; 0 when b = 0
    DivU "divu" (T, T) -> T, None, Pure;
    /// a / b signed, truncating; 0 when b = 0; MIN / -1 = MIN
    DivS "divs" (T, T) -> T, None, Pure;
    /// a % b unsigned; a when b = 0
    RemU "remu" (T, T) -> T, None, Pure;
    /// a % b signed; a when b = 0; MIN % -1 = 0
    RemS "rems" (T, T) -> T, None, Pure;
    /// a & b
    And "and" (T, T) -> T, None, Pure;
    /// a | b
    Or "or" (T, T) -> T, None, Pure;
    /// a ^ b
    Xor "xor" (T, T) -> T, None, Pure;
    /// a & !b
    AndN "andn" (T, T) -> T, None, Pure;
    /// a | !b
    OrN "orn" (T, T) -> T, None, Pure;
    /// !a
    Not "not" (T) -> T, None, Pure;
    /// -a
    Neg "neg" (T) -> T, None, Pure;
    /// a << (b mod width)
    Shl "shl" (T, T) -> T, None, Pure;
    /// a >> (b mod width), zeros in
    Shr "shr" (T, T) -> T, None, Pure;
    /// a >> (b mod width), sign in
    Sar "sar" (T, T) -> T, None, Pure;
    /// a rotated right by b mod width
    Ror "ror" (T, T) -> T, None, Pure;
    /// (a:b) >> imm, low T; imm < width
    Extr "extr" (T, T) -> T, None, Pure;
    /// leading zeros; width when 0
    Clz "clz" (T) -> T, None, Pure;
    /// trailing zeros; width when 0
    Ctz "ctz" (T) -> T, None, Pure;
    /// leading bits equal to the sign, not counting it
    Cls "cls" (T) -> T, None, Pure;
    /// bits set
    Popcnt "popcnt" (T) -> T, None, Pure;
    /// bytes reversed
    Bswap "bswap" (T) -> T, None, Pure;
    /// bytes reversed within each 16 bits
    Rev16 "rev16" (T) -> T, None, Pure;
    /// bits reversed
    BitRev "bitrev" (T) -> T, None, Pure;
    /// low 8 bits sign-extended
    Sext8 "sext8" (T) -> T, None, Pure;
    /// low 16 bits sign-extended
    Sext16 "sext16" (T) -> T, None, Pure;
    /// low 8 bits zero-extended
    Zext8 "zext8" (T) -> T, None, Pure;
    /// low 16 bits zero-extended
    Zext16 "zext16" (T) -> T, None, Pure;
    /// I32 to I64, sign
    Sext32 "sext32" (W) -> X, None, Pure;
    /// I32 to I64, zero
    Zext32 "zext32" (W) -> X, None, Pure;
    /// I64 to I32
    Trunc "trunc" (X) -> W, None, Pure;
    /// len bits of a from lsb, zero-extended; imm = lsb | len << 8; lsb + len <= width
    Ubfx "ubfx" (T) -> T, None, Pure;
    /// len bits of a from lsb, sign-extended; imm as ubfx
    Sbfx "sbfx" (T) -> T, None, Pure;
    /// a with the low len bits of b placed at lsb; imm as ubfx
    Bfi "bfi" (T, T) -> T, None, Pure;
    /// signed maximum
    SMax "smax" (T, T) -> T, None, Pure;
    /// signed minimum
    SMin "smin" (T, T) -> T, None, Pure;
    /// unsigned maximum
    UMax "umax" (T, T) -> T, None, Pure;
    /// unsigned minimum
    UMin "umin" (T, T) -> T, None, Pure;
    /// the low bits of a, in order, at the places of the bits set in b
    Pdep "pdep" (T, T) -> T, None, Pure;
    /// the bits of a at the places of the bits set in b, in order, from bit 0 up
    Pext "pext" (T, T) -> T, None, Pure;
    /// CRC-32 step: (crc, value), T = I64 for 8-byte values else I32; imm = log2(value bytes) | poly << 8
    /// (poly 0 = 0x04C11DB7, 1 = Castagnoli), bit-reflected. The result is 32 bits, zero-extended.
    Crc32 "crc32" (T, T) -> T, None, Pure;

    // --- narrow arithmetic: imm = width in bits, 8 or 16. a with its low bits replaced by those of the result ----------
    /// a + b
    LAdd "ladd" (T, T) -> T, None, Pure;
    /// a - b
    LSub "lsub" (T, T) -> T, None, Pure;
    /// a + b + C
    LAdc "ladc" (T, T, F) -> T, None, Pure;
    /// a - b - !C; with bit 8 of imm a - b - C
    LSbc "lsbc" (T, T, F) -> T, None, Pure;
    /// a & b
    LAnd "land" (T, T) -> T, None, Pure;
    /// a | b
    LOr "lor" (T, T) -> T, None, Pure;
    /// a ^ b
    LXor "lxor" (T, T) -> T, None, Pure;
    /// -a
    LNeg "lneg" (T) -> T, None, Pure;
    /// a << (b mod 32)
    LShl "lshl" (T, T) -> T, None, Pure;
    /// a >> (b mod 32), zeros in
    LShr "lshr" (T, T) -> T, None, Pure;
    /// a >> (b mod 32), sign in
    LSar "lsar" (T, T) -> T, None, Pure;

    // --- flags -----------------------------------------------------------------------------------------
    /// The flags of the operation that made the argument: the result of add, sub, adc, sbc, neg (as 0 - a), or of
    /// and, andn, or, xor (C = V = H = 0), or of shl, shr, sar by other than zero (C the last bit shifted out, V the
    /// change of the sign that the first step makes, H = 0), or of the narrow form of these, whose flags are those of
    /// the narrow width. imm = 1: C is turned round. The `flags` of one result all have the
    /// same imm.
    FlagsOf "flags" (Any) -> F, None, Pure;
    /// the flags of b named in imm (bits as in [`crate::state::flags_to_mem`]'s argument), the other flags of a
    FlagsMerge "flagsmerge" (F, F) -> F, None, Pure;
    /// cc holds in the first ? the second : the third
    FlagsSelect "flagsselect" (F, F, F) -> F, Cc, Pure;
    /// flags in the form they have in memory ([`crate::state::flags_to_mem`]), unspecified bits zero
    FlagsPack "flagspack" (F) -> W, None, Pure;
    /// flags from that form; other bits are ignored
    FlagsUnpack "flagsunpack" (W) -> F, None, Pure;
    /// packed flags: N bit 31, Z bit 30, C bit 29, V bit 28, rest 0
    Nzcv "nzcv" (F) -> W, None, Pure;
    /// flags from the packed form (other bits ignored)
    MkFlags "mkflags" (W) -> F, None, Pure;
    /// if cc holds in the first, the second, else the flags in imm (packed as nzcv)
    CondFlags "condflags" (F, F) -> F, Cc, Pure;
    /// cc holds in f ? a : b
    Select "select" (F, T, T) -> T, Cc, Pure;
    /// cc holds in f ? 1 : 0
    SetCc "setcc" (F) -> T, Cc, Pure;
    /// cc holds in f ? a : b, vectors
    VSelect "vselect" (F, V, V) -> V, Cc, Pure;

    // --- memory: address = a + (b << scale) + imm (signed) ------------------------------------------------
    /// Load into T.
    Load "load" (X, XOpt) -> T, Mem, Load;
    /// Store of the low bytes of the third argument.
    Store "store" (X, XOpt, T) -> Void, Mem, Store;
    /// Says that the memory there will be wanted. Never faults.
    Prefetch "prefetch" (X, XOpt) -> Void, Mem, Barrier;
    /// Load of 1 to 16 bytes into the low bytes of a vector, the rest zero.
    VLoad "vload" (X, XOpt) -> V, Mem, Load;
    /// Store of the low 1 to 16 bytes of a vector.
    VStore "vstore" (X, XOpt, V) -> Void, Mem, Store;
    /// Masked load: (address, index, mask), lanes of the attribute's size in 16 bytes: lane i from memory if bit i of the mask is
    /// set, else zero and its memory untouched.
    VLoadMask "vloadmask" (X, XOpt, X) -> V, Mem, Load;
    /// Masked store: (address, index, vector, mask): only the lanes whose bit is set are accessed. If it faults nothing is written.
    VStoreMask "vstoremask" (X, XOpt, V, X) -> Void, Mem, Store;
    /// Compare and exchange: (address, expected, new) -> old, zero-extended.
    Cas "cas" (X, T, T) -> T, Mem, Store;
    /// 16-byte compare and exchange.
    Cas128 "cas128" (X, V, V) -> V, Mem, Store;
    /// Atomic read-modify-write: (address, value) -> old, zero-extended.
    AtomicRmw "rmw" (X, T) -> T, Rmw, Store;
    /// Load-linked, zero-extended: sets the monitor (address, value, size).
    Ll "ll" (X) -> T, Mem, Load;
    /// Store-conditional: (address, value) -> 0 stored, 1 not. Clears the monitor.
    Sc "sc" (X, T) -> W, Mem, Store;
    /// 16-byte load-linked.
    Ll128 "ll128" (X) -> V, Mem, Load;
    /// 16-byte store-conditional.
    Sc128 "sc128" (X, V) -> W, Mem, Store;
    /// Clears the monitor.
    ClearMonitor "clrex" () -> Void, None, WriteState;
    /// Fence; imm 0 = full, 1 = earlier loads before later accesses, 2 = earlier stores before later stores.
    Fence "fence" () -> Void, None, Barrier;
    /// Translated code made from the imm guest bytes at a is no longer valid.
    InvalCode "invalcode" (X) -> Void, None, Call;

    // --- floating-point and saturation status ---------------------------------------------------------
    /// Sticky flags: bit 0 invalid, 1 divide by zero, 2 overflow, 3 underflow, 4 inexact, 7 input denormal. Under
    /// `NanRule::X86` operations raise the last one for denormals they use; with imm 1 what the host raised so counts; with
    /// imm 2 the result is bits 0 to 4 in reverse order.
    GetFpFlags "getfpflags" () -> W, None, ReadState;
    /// Replaces the sticky flags; imm 2: from the reverse order.
    SetFpFlags "setfpflags" (W) -> Void, None, WriteState;
    /// Sets the dynamic rounding mode: 0 nearest even, 1 up, 2 down, 3 zero, 4 nearest away.
    SetRound "setround" (W) -> Void, None, WriteState;
    /// Sticky saturation flag, 0 or 1.
    GetSat "getsat" () -> W, None, ReadState;
    /// Replaces the sticky saturation flag.
    SetSat "setsat" (W) -> Void, None, WriteState;

    // --- vectors: moves ------------------------------------------------------------------------------------
    /// imm replicated: 64-bit pattern in each active 8 bytes (shape D x 1 or D x 2).
    VConst "vconst" () -> V, Vec, Pure;
    /// The active lanes, the rest zero.
    VLow "vlow" (V) -> V, Vec, Pure;
    /// Integer broadcast to the active lanes.
    VDup "vdup" (T) -> V, Vec, Pure;
    /// Lane imm broadcast to the active lanes.
    VDupLane "vduplane" (V) -> V, Vec, Pure;
    /// a with lane imm replaced by the integer b; other lanes (all 16 bytes) kept.
    VIns "vins" (V, T) -> V, Vec, Pure;
    /// a with lane (imm & 255) replaced by lane (imm >> 8) of b; others kept.
    VInsLane "vinslane" (V, V) -> V, Vec, Pure;
    /// Lane imm, zero-extended.
    VGetU "vgetu" (V) -> T, Vec, Pure;
    /// Bit i is the top bit of lane i.
    VMask "vmask" (V) -> T, Vec, Pure;
    /// Lane i is all ones if bit imm + i of the integer is set, else zero.
    VFromMask "vfrommask" (T) -> V, Vec, Pure;
    /// Lane imm, sign-extended.
    VGetS "vgets" (V) -> T, Vec, Pure;
    /// Even result lanes from the low halves: a0 b0 a1 b1 ...
    VZip1 "vzip1" (V, V) -> V, Vec, Pure;
    /// The same from the upper halves of the active lanes.
    VZip2 "vzip2" (V, V) -> V, Vec, Pure;
    /// Even lanes of a then of b.
    VUzp1 "vuzp1" (V, V) -> V, Vec, Pure;
    /// Odd lanes of a then of b.
    VUzp2 "vuzp2" (V, V) -> V, Vec, Pure;
    /// a0 b0 a2 b2 ...
    VTrn1 "vtrn1" (V, V) -> V, Vec, Pure;
    /// a1 b1 a3 b3 ...
    VTrn2 "vtrn2" (V, V) -> V, Vec, Pure;
    /// Bytes imm.. of a followed by b, over the active bytes.
    VExt "vext" (V, V) -> V, Vec, Pure;
    /// (base, table, index): byte i = index[i] - 16*imm in 0..16 ? table[that] : base[i]. Lane B.
    VTbl "vtbl" (V, V, V) -> V, Vec, Pure;
    /// Lanes H, S or D, all 16 bytes: byte i of imm says where lane i comes from: lane n of a (n), lane n of b (lanes + n), or
    /// zero (0x80).
    VPerm "vperm" (V, V) -> V, Vec, Pure;
    /// (a, index), lane B, all 16 bytes: byte i = index[i] has its top bit set ? 0 : a[index[i] mod 16].
    VShufB "vshufb" (V, V) -> V, Vec, Pure;
    /// (mask, a, b): the top bit of the mask's lane ? the lane of a : that of b
    VBlendT "vblendt" (V, V, V) -> V, Vec, Pure;
    /// Lanes reversed within containers of (1 << imm) bytes.
    VRev "vrev" (V) -> V, Vec, Pure;

    // --- vectors: logic (shape gives the active bytes) -------------------------------------------------
    /// a & b
    VAnd "vand" (V, V) -> V, Vec, Pure;
    /// a | b
    VOr "vor" (V, V) -> V, Vec, Pure;
    /// a ^ b
    VXor "vxor" (V, V) -> V, Vec, Pure;
    /// a & !b
    VAndN "vandn" (V, V) -> V, Vec, Pure;
    /// a | !b
    VOrN "vorn" (V, V) -> V, Vec, Pure;
    /// !a
    VNot "vnot" (V) -> V, Vec, Pure;
    /// (mask & a) | (!mask & b); arguments (mask, a, b)
    VBsl "vbsl" (V, V, V) -> V, Vec, Pure;

    /// (a, b, c): each bit is the bit of imm whose number is that of a, b, c, a uppermost
    VTern "vtern" (V, V, V) -> V, Vec, Pure;
    /// Z: a & b is zero; C: b & !a is zero; the other flags are clear. All 16 bytes.
    VTest "vtest" (V, V) -> F, Vec, Pure;

    // --- vectors: integer lanes ------------------------------------------------------------------------
    /// a + b
    VAdd "vadd" (V, V) -> V, Vec, Pure;
    /// a - b
    VSub "vsub" (V, V) -> V, Vec, Pure;
    /// a * b, low half
    VMul "vmul" (V, V) -> V, Vec, Pure;
    /// -a
    VNeg "vneg" (V) -> V, Vec, Pure;
    /// |a|, wrapping
    VAbs "vabs" (V) -> V, Vec, Pure;
    /// |a - b| signed
    VAbdS "vabds" (V, V) -> V, Vec, Pure;
    /// |a - b| unsigned
    VAbdU "vabdu" (V, V) -> V, Vec, Pure;
    /// signed maximum
    VSMax "vsmax" (V, V) -> V, Vec, Pure;
    /// signed minimum
    VSMin "vsmin" (V, V) -> V, Vec, Pure;
    /// unsigned maximum
    VUMax "vumax" (V, V) -> V, Vec, Pure;
    /// unsigned minimum
    VUMin "vumin" (V, V) -> V, Vec, Pure;
    /// (a + b) >> 1 signed, no overflow
    VHaddS "vhadds" (V, V) -> V, Vec, Pure;
    /// unsigned halving add
    VHaddU "vhaddu" (V, V) -> V, Vec, Pure;
    /// (a + b + 1) >> 1 signed
    VRhaddS "vrhadds" (V, V) -> V, Vec, Pure;
    /// unsigned rounding halving add
    VRhaddU "vrhaddu" (V, V) -> V, Vec, Pure;
    /// (a - b) >> 1 signed
    VHsubS "vhsubs" (V, V) -> V, Vec, Pure;
    /// unsigned halving subtract
    VHsubU "vhsubu" (V, V) -> V, Vec, Pure;
    /// a == b ? all ones : 0
    VCmpEq "vcmpeq" (V, V) -> V, Vec, Pure;
    /// signed a > b
    VCmpGtS "vcmpgts" (V, V) -> V, Vec, Pure;
    /// signed a >= b
    VCmpGeS "vcmpges" (V, V) -> V, Vec, Pure;
    /// unsigned a > b
    VCmpGtU "vcmpgtu" (V, V) -> V, Vec, Pure;
    /// unsigned a >= b
    VCmpGeU "vcmpgeu" (V, V) -> V, Vec, Pure;
    /// a & b != 0
    VTst "vtst" (V, V) -> V, Vec, Pure;
    /// a << imm (imm < width)
    VShlI "vshli" (V) -> V, Vec, Pure;
    /// a >> imm unsigned (1 <= imm <= width; width gives 0)
    VShrI "vshri" (V) -> V, Vec, Pure;
    /// a >> imm signed (1 <= imm <= width)
    VSarI "vsari" (V) -> V, Vec, Pure;
    /// a >> imm unsigned, rounded
    VRshrI "vrshri" (V) -> V, Vec, Pure;
    /// a >> imm signed, rounded
    VRsarI "vrsari" (V) -> V, Vec, Pure;
    /// (a, b): b << imm, low imm bits of each lane from a
    VSliI "vslii" (V, V) -> V, Vec, Pure;
    /// (a, b): b >> imm, high imm bits of each lane from a
    VSriI "vsrii" (V, V) -> V, Vec, Pure;
    /// a shifted by the signed low byte of each lane of b: left if positive, right if negative; signed
    VShlS "vshls" (V, V) -> V, Vec, Pure;
    /// the same, unsigned
    VShlU "vshlu" (V, V) -> V, Vec, Pure;
    /// the same, signed, right shifts rounded
    VRshlS "vrshls" (V, V) -> V, Vec, Pure;
    /// the same, unsigned, right shifts rounded
    VRshlU "vrshlu" (V, V) -> V, Vec, Pure;
    /// the same, signed, saturating (sticky flag)
    VQshlS "vqshls" (V, V) -> V, Vec, Sticky;
    /// the same, unsigned, saturating
    VQshlU "vqshlu" (V, V) -> V, Vec, Sticky;
    /// signed, rounding, saturating
    VQrshlS "vqrshls" (V, V) -> V, Vec, Sticky;
    /// unsigned, rounding, saturating
    VQrshlU "vqrshlu" (V, V) -> V, Vec, Sticky;
    /// signed a << imm, saturating to unsigned
    VQshluI "vqshlui" (V) -> V, Vec, Sticky;
    /// signed saturating a + b; imm 1 = the sticky flag stays as it is
    VQaddS "vqadds" (V, V) -> V, Vec, Sticky;
    /// unsigned saturating a + b; imm 1 = the sticky flag stays as it is
    VQaddU "vqaddu" (V, V) -> V, Vec, Sticky;
    /// signed saturating a - b; imm 1 = the sticky flag stays as it is
    VQsubS "vqsubs" (V, V) -> V, Vec, Sticky;
    /// unsigned saturating a - b; imm 1 = the sticky flag stays as it is
    VQsubU "vqsubu" (V, V) -> V, Vec, Sticky;
    /// signed a + unsigned b, saturated as signed (Arm SUQADD)
    VSuqadd "vsuqadd" (V, V) -> V, Vec, Sticky;
    /// unsigned a + signed b, saturated as unsigned (Arm USQADD)
    VUsqadd "vusqadd" (V, V) -> V, Vec, Sticky;
    /// saturating |a|
    VQabs "vqabs" (V) -> V, Vec, Sticky;
    /// saturating -a
    VQneg "vqneg" (V) -> V, Vec, Sticky;
    /// saturating high half of 2ab, signed
    VQdmulh "vqdmulh" (V, V) -> V, Vec, Sticky;
    /// rounded
    VQrdmulh "vqrdmulh" (V, V) -> V, Vec, Sticky;
    /// (acc, a, b): high half of acc<<width + 2ab + round, saturated
    VQrdmlah "vqrdmlah" (V, V, V) -> V, Vec, Sticky;
    /// (acc, a, b): the same, subtracting
    VQrdmlsh "vqrdmlsh" (V, V, V) -> V, Vec, Sticky;
    /// Lanes of half width from a, sign-extended. Shape is the result's; imm 0 = from byte 0, 1 = from byte 8.
    VWidenS "vwidens" (V) -> V, Vec, Pure;
    /// zero-extended
    VWidenU "vwidenu" (V) -> V, Vec, Pure;
    /// Low halves of lanes of double width. Shape is the result's.
    VNarrow "vnarrow" (V) -> V, Vec, Pure;
    /// signed to signed, saturating
    VQnarrowS "vqnarrows" (V) -> V, Vec, Sticky;
    /// unsigned to unsigned, saturating
    VQnarrowU "vqnarrowu" (V) -> V, Vec, Sticky;
    /// signed to unsigned, saturating
    VQnarrowSu "vqnarrowsu" (V) -> V, Vec, Sticky;
    /// Lanes of double width >> imm unsigned, rounded if bit 8 of imm, then saturated unsigned (shape: result).
    VQshrnU "vqshrnu" (V) -> V, Vec, Sticky;
    /// signed shift, saturated signed
    VQshrnS "vqshrns" (V) -> V, Vec, Sticky;
    /// signed shift, saturated unsigned
    VQshrnSu "vqshrnsu" (V) -> V, Vec, Sticky;
    /// Widening product of half-width lanes, signed; imm as vwidens.
    VMullS "vmulls" (V, V) -> V, Vec, Pure;
    /// unsigned
    VMullU "vmullu" (V, V) -> V, Vec, Pure;
    /// doubling, saturating, signed
    VQdmull "vqdmull" (V, V) -> V, Vec, Sticky;
    /// Carry-less product of bytes, low 8 bits (lane B).
    VPmul "vpmul" (V, V) -> V, Vec, Pure;
    /// Carry-less widening product: result lane H (8 products of bytes) or Q (one of 64 bits); imm as vwidens.
    VPmull "vpmull" (V, V) -> V, Vec, Pure;
    /// Lanes of double width of a then of b, signed, saturated as signed. Shape is the result's, all 16 bytes.
    VPackS "vpacks" (V, V) -> V, Vec, Pure;
    /// the same, saturated as unsigned
    VPackU "vpacku" (V, V) -> V, Vec, Pure;
    /// high half of a * b, signed (lane H)
    VMulHS "vmulhs" (V, V) -> V, Vec, Pure;
    /// unsigned
    VMulHU "vmulhu" (V, V) -> V, Vec, Pure;
    /// (a * b >> 14) + 1 >> 1, signed, low half (lane H)
    VMulHR "vmulhr" (V, V) -> V, Vec, Pure;
    /// Products of adjacent signed half-width lanes added in pairs, wrapping. Shape is the result's (lane S).
    VMaddS "vmadds" (V, V) -> V, Vec, Pure;
    /// a unsigned, b signed, saturating (lane H)
    VMaddUs "vmaddus" (V, V) -> V, Vec, Pure;
    /// Sum of the absolute differences of eight unsigned bytes (lane D).
    VSad "vsad" (V, V) -> V, Vec, Pure;
    /// Products of the low halves of the lanes, signed
    VMulLoS "vmullos" (V, V) -> V, Vec, Pure;
    /// unsigned
    VMulLoU "vmullou" (V, V) -> V, Vec, Pure;
    /// a << the low 64 bits of b (zero from the width on)
    VShlX "vshlx" (V, V) -> V, Vec, Pure;
    /// a >> the low 64 bits of b, unsigned
    VShrX "vshrx" (V, V) -> V, Vec, Pure;
    /// a >> the low 64 bits of b, signed (the sign from the width on)
    VSarX "vsarx" (V, V) -> V, Vec, Pure;
    /// a << the lane of b, unsigned (zero from the width on)
    VShlV "vshlv" (V, V) -> V, Vec, Pure;
    /// a >> the lane of b, unsigned
    VShrV "vshrv" (V, V) -> V, Vec, Pure;
    /// a >> the lane of b, signed
    VSarV "vsarv" (V, V) -> V, Vec, Pure;
    /// a rotated left by the lane of b modulo the width
    VRolV "vrolv" (V, V) -> V, Vec, Pure;
    /// The lane of b: negative ? -a : zero ? 0 : a
    VSign "vsign" (V, V) -> V, Vec, Pure;
    /// Adjacent pairs of a then of b: even lane - odd lane.
    VPsub "vpsub" (V, V) -> V, Vec, Pure;
    /// Adjacent pairs of a then of b added.
    VPadd "vpadd" (V, V) -> V, Vec, Pure;
    /// pairwise signed maximum
    VPsmax "vpsmax" (V, V) -> V, Vec, Pure;
    /// pairwise signed minimum
    VPsmin "vpsmin" (V, V) -> V, Vec, Pure;
    /// pairwise unsigned maximum
    VPumax "vpumax" (V, V) -> V, Vec, Pure;
    /// pairwise unsigned minimum
    VPumin "vpumin" (V, V) -> V, Vec, Pure;
    /// Adjacent half-width lanes of a added into the result lanes, signed. Shape is the result's.
    VAddlpS "vaddlps" (V) -> V, Vec, Pure;
    /// unsigned
    VAddlpU "vaddlpu" (V) -> V, Vec, Pure;
    /// Sum of the active lanes in lane 0.
    VRedAdd "vredadd" (V) -> V, Vec, Pure;
    /// Sum of the active lanes, signed, in one lane of double width.
    VRedAddlS "vredaddls" (V) -> V, Vec, Pure;
    /// unsigned
    VRedAddlU "vredaddlu" (V) -> V, Vec, Pure;
    /// maximum of the active lanes, signed
    VRedSMax "vredsmax" (V) -> V, Vec, Pure;
    /// minimum, signed
    VRedSMin "vredsmin" (V) -> V, Vec, Pure;
    /// maximum, unsigned
    VRedUMax "vredumax" (V) -> V, Vec, Pure;
    /// minimum, unsigned
    VRedUMin "vredumin" (V) -> V, Vec, Pure;
    /// bits set per lane
    VCnt "vcnt" (V) -> V, Vec, Pure;
    /// leading zeros per lane
    VClz "vclz" (V) -> V, Vec, Pure;
    /// leading sign bits per lane
    VCls "vcls" (V) -> V, Vec, Pure;
    /// bits reversed per lane
    VRbit "vrbit" (V) -> V, Vec, Pure;
    /// (acc, a, b): lanes S += sums of four byte products, signed
    VDotS "vdots" (V, V, V) -> V, Vec, Pure;
    /// unsigned
    VDotU "vdotu" (V, V, V) -> V, Vec, Pure;
    /// a unsigned, b signed
    VDotUs "vdotus" (V, V, V) -> V, Vec, Pure;
    /// (acc, a, b): 2x2 S += (2x8 bytes) * (2x8 bytes)^T, signed
    VMmlaS "vmmlas" (V, V, V) -> V, Vec, Pure;
    /// unsigned
    VMmlaU "vmmlau" (V, V, V) -> V, Vec, Pure;
    /// a unsigned, b signed
    VMmlaUs "vmmlaus" (V, V, V) -> V, Vec, Pure;
    /// unsigned reciprocal estimate, S lanes (Arm URECPE)
    VUrecpe "vurecpe" (V) -> V, Vec, Pure;
    /// unsigned reciprocal square root estimate, S lanes (Arm URSQRTE)
    VUrsqrte "vursqrte" (V) -> V, Vec, Pure;

    // --- floating point, lanes of H, S or D --------------------------------------------------------------
    // Of add, sub, mul, div, max and min: imm 1 = the bits above the active lanes are those of a.
    // Of sqrt and fma scalars: MERGE says so.
    // Max and min under `NanRule::X86`: the second operand if one is a NaN or both are zero; any NaN is invalid.
    /// a + b
    FAdd "fadd" (V, V) -> V, Fp, Sticky;
    /// a - b
    FSub "fsub" (V, V) -> V, Fp, Sticky;
    /// a * b
    FMul "fmul" (V, V) -> V, Fp, Sticky;
    /// a * b, with 0 * inf = 2 (Arm FMULX)
    FMulx "fmulx" (V, V) -> V, Fp, Sticky;
    /// a / b
    FDiv "fdiv" (V, V) -> V, Fp, Sticky;
    /// square root
    FSqrt "fsqrt" (V) -> V, Fp, Sticky;
    /// (acc, a, b): acc + a*b, fused; imm bit 0 negates a first, bit 1 negates acc first, bit 2 turns bit 1 round in odd lanes
    FMa "fma" (V, V, V) -> V, Fp, Sticky;
    /// IEEE 754-2019 maximum: NaN if either is; +0 > -0
    FMax "fmax" (V, V) -> V, Fp, Sticky;
    /// minimum
    FMin "fmin" (V, V) -> V, Fp, Sticky;
    /// IEEE 754-2008 maxNum: a quiet NaN loses against a number; imm 1 = IEEE 754-2019 maximumNumber: any NaN does
    FMaxNm "fmaxnm" (V, V) -> V, Fp, Sticky;
    /// minNum; imm 1 = minimumNumber
    FMinNm "fminnm" (V, V) -> V, Fp, Sticky;
    /// pairwise add of the concatenation a:b
    FPadd "fpadd" (V, V) -> V, Fp, Sticky;
    /// pairwise max
    FPmax "fpmax" (V, V) -> V, Fp, Sticky;
    /// pairwise min
    FPmin "fpmin" (V, V) -> V, Fp, Sticky;
    /// pairwise maxNum
    FPmaxNm "fpmaxnm" (V, V) -> V, Fp, Sticky;
    /// pairwise minNum
    FPminNm "fpminnm" (V, V) -> V, Fp, Sticky;
    /// sign flipped
    FNeg "fneg" (V) -> V, Vec, Pure;
    /// sign cleared
    FAbs "fabs" (V) -> V, Vec, Pure;
    /// Compares lane 0: less N, equal Z C, greater C, unordered C V; imm 1 = quiet NaNs signal too,
    /// 2 = nothing is raised
    FCmp "fcmp" (V, V) -> F, Fp, Sticky;
    /// Compares lane 0: less C, equal Z, greater none, unordered Z C P; imm 1 = quiet NaNs signal too
    FComi "fcomi" (V, V) -> F, Fp, Sticky;
    /// mask of the relations in imm: bit 0 less, 1 equal, 2 greater, 3 unordered; bit 4 = quiet NaNs signal too
    FCmpP "fcmpp" (V, V) -> V, Fp, Sticky;
    /// a - b in even lanes, a + b in odd ones
    FAddSub "faddsub" (V, V) -> V, Fp, Sticky;
    /// Adjacent pairs of the concatenation a:b: even lane - odd lane
    FPsub "fpsub" (V, V) -> V, Fp, Sticky;
    /// mask a == b (quiet)
    FCmpEq "fcmpeq" (V, V) -> V, Fp, Sticky;
    /// mask a >= b (signalling)
    FCmpGe "fcmpge" (V, V) -> V, Fp, Sticky;
    /// mask a > b (signalling)
    FCmpGt "fcmpgt" (V, V) -> V, Fp, Sticky;
    /// Round to integral by the attribute's mode; imm 1 = raise inexact
    FRint "frint" (V) -> V, Fp, Sticky;
    /// Round to integral that fits a signed integer of imm (32 or 64) bits, else that type's minimum, invalid
    FRintN "frintn" (V) -> V, Fp, Sticky;
    /// Reciprocal estimate (Arm FRECPE)
    FRecpe "frecpe" (V) -> V, Fp, Sticky;
    /// Reciprocal square root estimate (Arm FRSQRTE)
    FRsqrte "frsqrte" (V) -> V, Fp, Sticky;
    /// Reciprocal estimate with an error below 1.5 * 2^-12, S lanes: what the host's own instruction gives. No flags.
    FRcp "frcp" (V) -> V, Vec, Pure;
    /// Estimate of the reciprocal square root, likewise
    FRsqrt "frsqrt" (V) -> V, Vec, Pure;
    /// Reciprocal estimate with an error below 2^-14, S or D lanes: what the host's own instruction gives, if it has one
    FRcp14 "frcp14" (V) -> V, Vec, Pure;
    /// Estimate of the reciprocal square root, likewise
    FRsqrt14 "frsqrt14" (V) -> V, Vec, Pure;
    /// 2 - a*b fused (Arm FRECPS)
    FRecps "frecps" (V, V) -> V, Fp, Sticky;
    /// (3 - a*b) / 2 fused (Arm FRSQRTS)
    FRsqrts "frsqrts" (V, V) -> V, Fp, Sticky;
    /// Exponent reciprocal (Arm FRECPX)
    FRecpx "frecpx" (V) -> V, Fp, Sticky;
    /// Complex add with rotation imm (90 or 270)
    FCadd "fcadd" (V, V) -> V, Fp, Sticky;
    /// (acc, a, b): complex multiply-add with rotation imm (0, 90, 180, 270)
    FCmla "fcmla" (V, V, V) -> V, Fp, Sticky;
    /// Format conversion: the Fp shape is the source format and lanes, the Size the result's. imm bit 0: take
    /// the source lanes from byte 8 on; bit 1: the 16-bit side is bfloat16; bit 2: alternative half precision
    /// (Arm AHP).
    FCvt "fcvt" (V) -> V, FpCvt, Sticky;
    /// H lanes from lane imm on as S lanes (the shape), bit-exact: NaNs keep payload and stay signalling, no flags;
    /// denormals are zero under flush_half.
    FWidenH "fwidenh" (V) -> V, Fp, Pure;
    /// Lane 0 to a signed integer T, saturating, NaN = 0 (the maximum with [`NAN_IS_MAX`] in
    /// imm); value * 2^imm first. The Size is unused.
    FToS "ftos" (V) -> T, FpCvt, Sticky;
    /// to an unsigned integer T
    FToU "ftou" (V) -> T, FpCvt, Sticky;
    /// each lane to a signed integer of the Size's width
    VFToS "vftos" (V) -> V, FpCvt, Sticky;
    /// each lane to an unsigned integer of the Size's width
    VFToU "vftou" (V) -> V, FpCvt, Sticky;
    /// signed integer T (the Size is its width) to lane 0 in the Fp shape's format, divided by 2^imm
    SToF "stof" (T) -> V, FpCvt, Sticky;
    /// unsigned integer T
    UToF "utof" (T) -> V, FpCvt, Sticky;
    /// signed integer lanes to floating-point lanes of the same width
    VSToF "vstof" (V) -> V, FpCvt, Sticky;
    /// unsigned
    VUToF "vutof" (V) -> V, FpCvt, Sticky;
    /// Double to 32-bit integer modulo 2^32 (Arm FJCVTZS): bits 31:0 the result, bit 32 set if exact.
    FJcvt "fjcvt" (V) -> X, Fp, Sticky;
    /// (acc, a, b): bfloat16 dot product of pairs into S lanes (Arm BFDOT, without extended behaviours)
    BfDot "bfdot" (V, V, V) -> V, Fp, Pure;
    /// (acc, a, b): bfloat16 matrix multiply (Arm BFMMLA)
    BfMmla "bfmmla" (V, V, V) -> V, Fp, Pure;

    // --- cryptography -----------------------------------------------------------------------------------
    /// AES SubBytes and ShiftRows
    AesEnc "aesenc" (V) -> V, None, Pure;
    /// AES inverse ShiftRows and SubBytes
    AesDec "aesdec" (V) -> V, None, Pure;
    /// AES MixColumns
    AesMc "aesmc" (V) -> V, None, Pure;
    /// AES inverse MixColumns
    AesImc "aesimc" (V) -> V, None, Pure;
    /// Arm SHA1C (d, n, m)
    Sha1C "sha1c" (V, V, V) -> V, None, Pure;
    /// Arm SHA1P
    Sha1P "sha1p" (V, V, V) -> V, None, Pure;
    /// Arm SHA1M
    Sha1M "sha1m" (V, V, V) -> V, None, Pure;
    /// Arm SHA1SU0 (d, n, m)
    Sha1Su0 "sha1su0" (V, V, V) -> V, None, Pure;
    /// Arm SHA1SU1 (d, n)
    Sha1Su1 "sha1su1" (V, V) -> V, None, Pure;
    /// Arm SHA256H (d, n, m)
    Sha256H "sha256h" (V, V, V) -> V, None, Pure;
    /// Arm SHA256H2
    Sha256H2 "sha256h2" (V, V, V) -> V, None, Pure;
    /// Two SHA-256 rounds: (state words h g d c, state words f e b a, lanes 0 and 1: message words with their
    /// constants), all from lane 0 up -> f e b a afterwards
    Sha256Two "sha256two" (V, V, V) -> V, None, Pure;
    /// Arm SHA256SU0 (d, n)
    Sha256Su0 "sha256su0" (V, V) -> V, None, Pure;
    /// Arm SHA256SU1 (d, n, m)
    Sha256Su1 "sha256su1" (V, V, V) -> V, None, Pure;
    /// Arm SHA512H (d, n, m)
    Sha512H "sha512h" (V, V, V) -> V, None, Pure;
    /// Arm SHA512H2
    Sha512H2 "sha512h2" (V, V, V) -> V, None, Pure;
    /// Arm SHA512SU0 (d, n)
    Sha512Su0 "sha512su0" (V, V) -> V, None, Pure;
    /// Arm SHA512SU1 (d, n, m)
    Sha512Su1 "sha512su1" (V, V, V) -> V, None, Pure;
    /// Arm SM3PARTW1 (d, n, m)
    Sm3PartW1 "sm3partw1" (V, V, V) -> V, None, Pure;
    /// Arm SM3PARTW2
    Sm3PartW2 "sm3partw2" (V, V, V) -> V, None, Pure;
    /// Arm SM3SS1 (n, m, a)
    Sm3Ss1 "sm3ss1" (V, V, V) -> V, None, Pure;
    /// Arm SM3TT1A (d, n, m), imm = element
    Sm3Tt1A "sm3tt1a" (V, V, V) -> V, None, Pure;
    /// Arm SM3TT1B
    Sm3Tt1B "sm3tt1b" (V, V, V) -> V, None, Pure;
    /// Arm SM3TT2A
    Sm3Tt2A "sm3tt2a" (V, V, V) -> V, None, Pure;
    /// Arm SM3TT2B
    Sm3Tt2B "sm3tt2b" (V, V, V) -> V, None, Pure;
    /// Arm SM4E (d, n)
    Sm4E "sm4e" (V, V) -> V, None, Pure;
    /// Arm SM4EKEY (n, m)
    Sm4Ekey "sm4ekey" (V, V) -> V, None, Pure;
}
