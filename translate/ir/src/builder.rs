//! The builder: how front ends and passes append instructions.
//!
//! Methods check arguments in debug builds only; the verifier checks whole regions in tests.

use crate::*;
use std::cell::Cell;

thread_local! {
    /// What builders of this thread noted so far; a block's epoch is above all in it.
    static HELD: Cell<Vec<(u64, Val)>> = const { Cell::new(Vec::new()) };
    static EPOCH: Cell<u64> = const { Cell::new(0) };
}

/// Builds a [`Region`] block by block. A slot read again in the same block gives the value that is in it.
#[derive(Debug)]
pub struct Builder {
    region: Region,
    open: Option<(u64, bool, u32)>,
    /// By slot the value it holds, valid if noted in this epoch: forgetting everything is one addition.
    held: Vec<(u64, Val)>,
    epoch: u64,
}

macro_rules! binary {
    ($( $(#[$doc:meta])* $name:ident $op:ident; )*) => { $(
        $(#[$doc])*
        pub fn $name(&mut self, a: Val, b: Val) -> Val {
            let ty = self.ty(a);
            self.push(Op::$op, ty, Attr::None, &[a, b], 0)
        }
    )* };
}
macro_rules! unary {
    ($( $(#[$doc:meta])* $name:ident $op:ident; )*) => { $(
        $(#[$doc])*
        pub fn $name(&mut self, a: Val) -> Val {
            let ty = self.ty(a);
            self.push(Op::$op, ty, Attr::None, &[a], 0)
        }
    )* };
}

impl Builder {
    /// An empty region under `mode`.
    pub fn new(mode: u64) -> Builder {
        Builder { region: Region::empty(mode), open: None, held: kept::take(&HELD), epoch: EPOCH.get() }
    }

    /// The finished region.
    pub fn finish(self) -> Region {
        debug_assert!(self.open.is_none(), "a block is still open");
        kept::keep(&HELD, self.held);
        EPOCH.set(self.epoch);
        self.region
    }

    /// The region so far.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Opens a block that can be entered at guest address `pc`.
    pub fn begin_block(&mut self, pc: u64) -> BlockId {
        self.begin(pc, true)
    }

    /// Opens a block inside the instruction at `pc`.
    pub fn begin_internal(&mut self, pc: u64) -> BlockId {
        self.begin(pc, false)
    }

    fn begin(&mut self, pc: u64, entry: bool) -> BlockId {
        debug_assert!(self.open.is_none(), "blocks do not nest");
        self.open = Some((pc, entry, self.region.insts.len() as u32));
        self.epoch += 1;
        BlockId(self.region.blocks.len() as u32)
    }

    /// The id that the block after the open one will get, `ahead` = 1 for the next.
    pub fn upcoming_block(&self, ahead: u32) -> BlockId {
        BlockId(self.region.blocks.len() as u32 + ahead)
    }

    /// True while a block is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Closes the open block.
    pub fn end_block(&mut self, term: Term, end: u64) {
        let (pc, entry, first) = self.open.take().expect("end_block needs an open block");
        let last = self.region.insts.len() as u32;
        self.region.blocks.push(Block { pc, end, entry, first, last, term });
    }

    /// Appends an instruction.
    #[inline]
    pub fn push(&mut self, op: Op, ty: Type, attr: Attr, args: &[Val], imm: u64) -> Val {
        debug_assert!(self.open.is_some(), "no open block");
        let mut a = [Val::NONE; 4];
        a[..args.len()].copy_from_slice(args);
        match (op, attr) {
            (Op::Set, Attr::Slot(slot)) => self.hold(slot, args[0]),
            // It may write slots.
            (Op::Call, _) => self.epoch += 1,
            _ => {}
        }
        let v = Val(self.region.insts.len() as u32);
        self.region.insts.push(Inst { op, ty, attr, args: a, imm });
        v
    }

    /// The type of a value.
    pub fn ty(&self, v: Val) -> Type {
        self.region.inst(v).ty
    }

    /// The constant behind a value, if it is one.
    pub fn as_const(&self, v: Val) -> Option<u64> {
        let i = self.region.inst(v);
        (i.op == Op::Const).then_some(i.imm)
    }

    /// Marks the start of the guest instruction at `pc`.
    pub fn insn(&mut self, pc: u64) {
        self.push(Op::Insn, Type::Void, Attr::None, &[], pc);
    }

    /// A constant of type I32 or I64.
    pub fn iconst(&mut self, ty: Type, imm: u64) -> Val {
        let imm = if ty == Type::I32 { u64::from(imm as u32) } else { imm };
        self.push(Op::Const, ty, Attr::None, &[], imm)
    }
    /// An I32 constant.
    pub fn const32(&mut self, imm: u32) -> Val {
        self.iconst(Type::I32, u64::from(imm))
    }
    /// An I64 constant.
    pub fn const64(&mut self, imm: u64) -> Val {
        self.iconst(Type::I64, imm)
    }
    /// A guest address constant.
    pub fn addr(&mut self, addr: u64) -> Val {
        self.push(Op::Addr, Type::I64, Attr::None, &[], addr)
    }

    /// Reads a slot of type `ty`.
    pub fn get(&mut self, slot: SlotId, ty: Type) -> Val {
        if let Some(v) = self.held(slot)
            && self.ty(v) == ty
        {
            return v;
        }
        let v = self.push(Op::Get, ty, Attr::Slot(slot), &[], 0);
        self.hold(slot, v);
        v
    }
    /// Writes a slot; the value has the slot's type.
    pub fn set(&mut self, slot: SlotId, v: Val) {
        self.push(Op::Set, Type::Void, Attr::Slot(slot), &[v], 0);
    }
    /// The block's exit is to code under these mode bits; the last operation of the block.
    pub fn set_mode(&mut self, mode: u64) {
        self.push(Op::SetMode, Type::Void, Attr::None, &[], mode);
    }
    /// The value that a slot is known to hold here.
    pub fn held(&self, slot: SlotId) -> Option<Val> {
        let &(epoch, v) = self.held.get(slot.0 as usize)?;
        (epoch == self.epoch).then_some(v)
    }
    fn hold(&mut self, slot: SlotId, v: Val) {
        let k = slot.0 as usize;
        if k >= self.held.len() {
            self.held.resize(k + 64, (0, Val::NONE));
        }
        self.held[k] = (self.epoch, v);
    }
    /// Calls a helper.
    pub fn call(&mut self, helper: HelperId, ty: Type, args: &[Val]) -> Val {
        self.push(Op::Call, ty, Attr::Helper(helper), args, 0)
    }

    binary! {
        /// a + b
        add Add;
        /// a - b
        sub Sub;
        /// a * b
        mul Mul;
        /// High half, unsigned.
        mulhu MulHu;
        /// High half, signed.
        mulhs MulHs;
        /// Unsigned quotient.
        divu DivU;
        /// Signed quotient.
        divs DivS;
        /// Unsigned remainder.
        remu RemU;
        /// Signed remainder.
        rems RemS;
        /// a & b
        and And;
        /// a | b
        or Or;
        /// a ^ b
        xor Xor;
        /// a & !b
        andn AndN;
        /// a | !b
        orn OrN;
        /// Left shift.
        shl Shl;
        /// Logical right shift.
        shr Shr;
        /// Arithmetic right shift.
        sar Sar;
        /// Rotate right.
        ror Ror;
        /// Signed maximum.
        smax SMax;
        /// Signed minimum.
        smin SMin;
        /// Unsigned maximum.
        umax UMax;
        /// Unsigned minimum.
        umin UMin;
    }
    unary! {
        /// !a
        not Not;
        /// -a
        neg Neg;
        /// Leading zeros.
        clz Clz;
        /// Trailing zeros.
        ctz Ctz;
        /// Leading sign bits.
        cls Cls;
        /// Bits set.
        popcnt Popcnt;
        /// Byte reversal.
        bswap Bswap;
        /// Byte reversal in halfwords.
        rev16 Rev16;
        /// Bit reversal.
        bitrev BitRev;
        /// Sign-extends 8 bits.
        sext8 Sext8;
        /// Sign-extends 16 bits.
        sext16 Sext16;
        /// Zero-extends 8 bits.
        zext8 Zext8;
        /// Zero-extends 16 bits.
        zext16 Zext16;
    }

    /// I32 to I64 by sign.
    pub fn sext32(&mut self, a: Val) -> Val {
        self.push(Op::Sext32, Type::I64, Attr::None, &[a], 0)
    }
    /// I32 to I64 by zeros.
    pub fn zext32(&mut self, a: Val) -> Val {
        self.push(Op::Zext32, Type::I64, Attr::None, &[a], 0)
    }
    /// I64 to I32.
    pub fn trunc(&mut self, a: Val) -> Val {
        self.push(Op::Trunc, Type::I32, Attr::None, &[a], 0)
    }
    /// a + b + C.
    pub fn adc(&mut self, a: Val, b: Val, f: Val) -> Val {
        let ty = self.ty(a);
        self.push(Op::Adc, ty, Attr::None, &[a, b, f], 0)
    }
    /// a - b - !C.
    pub fn sbc(&mut self, a: Val, b: Val, f: Val) -> Val {
        let ty = self.ty(a);
        self.push(Op::Sbc, ty, Attr::None, &[a, b, f], 0)
    }
    /// (hi:lo) >> lsb.
    pub fn extr(&mut self, hi: Val, lo: Val, lsb: u32) -> Val {
        let ty = self.ty(hi);
        self.push(Op::Extr, ty, Attr::None, &[hi, lo], u64::from(lsb))
    }
    /// Unsigned bit field.
    pub fn ubfx(&mut self, a: Val, lsb: u32, len: u32) -> Val {
        let ty = self.ty(a);
        self.push(Op::Ubfx, ty, Attr::None, &[a], u64::from(lsb | len << 8))
    }
    /// Signed bit field.
    pub fn sbfx(&mut self, a: Val, lsb: u32, len: u32) -> Val {
        let ty = self.ty(a);
        self.push(Op::Sbfx, ty, Attr::None, &[a], u64::from(lsb | len << 8))
    }
    /// Bit field insert.
    pub fn bfi(&mut self, a: Val, b: Val, lsb: u32, len: u32) -> Val {
        let ty = self.ty(a);
        self.push(Op::Bfi, ty, Attr::None, &[a, b], u64::from(lsb | len << 8))
    }
    /// CRC step; see [`Op::Crc32`].
    pub fn crc32(&mut self, crc: Val, value: Val, size: Size, castagnoli: bool) -> Val {
        let ty = self.ty(crc);
        self.push(Op::Crc32, ty, Attr::None, &[crc, value], size as u64 | u64::from(castagnoli) << 8)
    }

    /// The flags of the operation that made `v`.
    pub fn flags_of(&mut self, v: Val) -> Val {
        self.push(Op::FlagsOf, Type::Flags, Attr::None, &[v], 0)
    }
    /// The flags of the operation that made `v`, with C turned round.
    pub fn flags_turned(&mut self, v: Val) -> Val {
        self.push(Op::FlagsOf, Type::Flags, Attr::None, &[v], 1)
    }
    /// The flags of `b` named in `mask`, the others of `a`.
    pub fn flags_merge(&mut self, a: Val, b: Val, mask: u8) -> Val {
        self.push(Op::FlagsMerge, Type::Flags, Attr::None, &[a, b], u64::from(mask))
    }
    /// `cc` in `f` ? a : b, flags.
    pub fn flags_select(&mut self, cc: Cc, f: Val, a: Val, b: Val) -> Val {
        self.push(Op::FlagsSelect, Type::Flags, Attr::Cc(cc), &[f, a, b], 0)
    }
    /// Flags in their memory form.
    pub fn flags_pack(&mut self, f: Val) -> Val {
        self.push(Op::FlagsPack, Type::I32, Attr::None, &[f], 0)
    }
    /// Flags from their memory form.
    pub fn flags_unpack(&mut self, v: Val) -> Val {
        self.push(Op::FlagsUnpack, Type::Flags, Attr::None, &[v], 0)
    }
    /// A narrow operation on the low `width` bits (8 or 16) of `args[0]`.
    pub fn narrow(&mut self, op: Op, width: u32, args: &[Val]) -> Val {
        let ty = self.ty(args[0]);
        self.push(op, ty, Attr::None, args, u64::from(width))
    }
    /// Packed flags.
    pub fn nzcv(&mut self, f: Val) -> Val {
        self.push(Op::Nzcv, Type::I32, Attr::None, &[f], 0)
    }
    /// Flags from the packed form.
    pub fn mkflags(&mut self, v: Val) -> Val {
        self.push(Op::MkFlags, Type::Flags, Attr::None, &[v], 0)
    }
    /// `cc` in `cond` ? `then` : imm flags (bits 31:28).
    pub fn condflags(&mut self, cc: Cc, cond: Val, then: Val, nzcv: u32) -> Val {
        self.push(Op::CondFlags, Type::Flags, Attr::Cc(cc), &[cond, then], u64::from(nzcv))
    }
    /// `cc` in `f` ? a : b.
    pub fn select(&mut self, cc: Cc, f: Val, a: Val, b: Val) -> Val {
        let ty = self.ty(a);
        let op = if ty == Type::V128 { Op::VSelect } else { Op::Select };
        self.push(op, ty, Attr::Cc(cc), &[f, a, b], 0)
    }
    /// `cc` in `f` ? 1 : 0.
    pub fn setcc(&mut self, ty: Type, cc: Cc, f: Val) -> Val {
        self.push(Op::SetCc, ty, Attr::Cc(cc), &[f], 0)
    }

    /// Integer load: address base + (index << mem.scale) + disp.
    pub fn load(&mut self, ty: Type, mem: Mem, base: Val, index: Val, disp: i64) -> Val {
        let op = if ty == Type::V128 { Op::VLoad } else { Op::Load };
        self.push(op, ty, Attr::Mem(mem), &[base, index], disp as u64)
    }
    /// Store of an integer or vector.
    pub fn store(&mut self, mem: Mem, base: Val, index: Val, disp: i64, v: Val) {
        let op = if self.ty(v) == Type::V128 { Op::VStore } else { Op::Store };
        self.push(op, Type::Void, Attr::Mem(mem), &[base, index, v], disp as u64);
    }
    /// Hint that the memory there will be wanted.
    pub fn prefetch(&mut self, mem: Mem, base: Val, index: Val, disp: i64) {
        self.push(Op::Prefetch, Type::Void, Attr::Mem(mem), &[base, index], disp as u64);
    }
    /// Compare and exchange; the type follows the values.
    pub fn cas(&mut self, mem: Mem, addr: Val, expected: Val, new: Val) -> Val {
        let ty = self.ty(new);
        let op = if ty == Type::V128 { Op::Cas128 } else { Op::Cas };
        self.push(op, ty, Attr::Mem(mem), &[addr, expected, new], 0)
    }
    /// Atomic read-modify-write.
    pub fn rmw(&mut self, mem: Mem, rmw: Rmw, addr: Val, v: Val) -> Val {
        let ty = self.ty(v);
        self.push(Op::AtomicRmw, ty, Attr::Rmw(mem, rmw), &[addr, v], 0)
    }
    /// Load-linked.
    pub fn ll(&mut self, ty: Type, mem: Mem, addr: Val) -> Val {
        let op = if ty == Type::V128 { Op::Ll128 } else { Op::Ll };
        self.push(op, ty, Attr::Mem(mem), &[addr], 0)
    }
    /// Store-conditional; 0 means stored.
    pub fn sc(&mut self, mem: Mem, addr: Val, v: Val) -> Val {
        let op = if self.ty(v) == Type::V128 { Op::Sc128 } else { Op::Sc };
        self.push(op, Type::I32, Attr::Mem(mem), &[addr, v], 0)
    }
    /// Fence; see [`Op::Fence`].
    pub fn fence(&mut self, kind: u64) {
        self.push(Op::Fence, Type::Void, Attr::None, &[], kind);
    }

    /// A vector operation: any op with [`Attr::Vec`] and a V128 result.
    pub fn vop(&mut self, op: Op, shape: Shape, args: &[Val], imm: u64) -> Val {
        debug_assert!(op.info().attr == AttrKind::Vec && op.info().result == Kind::V, "{op:?}");
        self.push(op, Type::V128, Attr::Vec(shape), args, imm)
    }
    /// A 64-bit pattern in the low (`q` false) or both halves.
    pub fn vconst(&mut self, pattern: u64, q: bool) -> Val {
        self.push(Op::VConst, Type::V128, Attr::Vec(Shape::full(Size::D, q)), &[], pattern)
    }
    /// Lane to integer.
    pub fn vget(&mut self, ty: Type, shape: Shape, signed: bool, v: Val, lane: u32) -> Val {
        let op = if signed { Op::VGetS } else { Op::VGetU };
        self.push(op, ty, Attr::Vec(shape), &[v], u64::from(lane))
    }
    /// A floating-point operation: any op with [`Attr::Fp`] and a V128 result.
    pub fn fop(&mut self, op: Op, fp: Fp, args: &[Val], imm: u64) -> Val {
        debug_assert!(op.info().attr == AttrKind::Fp && op.info().result == Kind::V, "{op:?}");
        self.push(op, Type::V128, Attr::Fp(fp), args, imm)
    }
    /// A floating-point comparison of lane 0.
    pub fn fcmp(&mut self, fp: Fp, a: Val, b: Val, signalling: bool) -> Val {
        self.push(Op::FCmp, Type::Flags, Attr::Fp(fp), &[a, b], u64::from(signalling))
    }
    /// A conversion: any op with [`Attr::FpCvt`].
    pub fn fcvt(&mut self, op: Op, ty: Type, fp: Fp, other: Size, a: Val, imm: u64) -> Val {
        debug_assert!(op.info().attr == AttrKind::FpCvt, "{op:?}");
        self.push(op, ty, Attr::FpCvt(fp, other), &[a], imm)
    }
    /// An operation without attribute on vectors (cryptography).
    pub fn crypto(&mut self, op: Op, args: &[Val], imm: u64) -> Val {
        self.push(op, Type::V128, Attr::None, args, imm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_slot_is_not_read_again() {
        let (slot, other) = (SlotId(3), SlotId(70));
        let mut b = Builder::new(0);
        b.begin_block(0x1000);
        let old = b.get(slot, Type::I64);
        assert_eq!(b.get(slot, Type::I64), old);
        let five = b.const64(5);
        b.set(slot, five);
        assert_eq!((b.get(slot, Type::I64), b.held(slot), b.held(other)), (five, Some(five), None));
        // Seen as another type it is read from the state.
        assert_ne!(b.get(slot, Type::I32), five);
        b.set(slot, five);
        b.call(HelperId(0), Type::Void, &[]);
        assert_ne!(b.get(slot, Type::I64), five);
        b.end_block(Term::Jump(Target::Pc(0x1004)), 0x1004);
        b.begin_block(0x1004);
        assert_eq!(b.held(slot), None);
        b.end_block(Term::Jump(Target::Pc(0x1000)), 0x1008);
        // Nor does the next builder of the thread know anything.
        b.finish().recycle();
        let mut b = Builder::new(0);
        b.begin_block(0x1000);
        assert_eq!((b.held(slot), b.region().insts.len()), (None, 0));
    }
}
