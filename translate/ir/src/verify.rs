//! The verifier: checks a region against the operations table and the rules of regions. It runs after front ends and
//! passes in tests and debug builds; a failure is a bug of ours, reported with the text of the instruction.

use crate::text::{inst_text, term_text};
use crate::{
    Attr, AttrKind, Block, Guest, Inst, Kind, Mem, Op, Recipe, Region, Shape, Size, SlotId, Target, Term,
    Type, Val,
};

/// Checks a region; the error names the first violation.
pub fn verify(region: &Region, guest: &dyn Guest) -> Result<(), String> {
    let mut next = 0;
    for (index, block) in region.blocks.iter().enumerate() {
        if block.first != next || block.last < block.first || block.last as usize > region.insts.len() {
            return Err(format!("block {index}: instructions {}..{} after {next}", block.first, block.last));
        }
        next = block.last;
        let cx = Checker { region, guest, block };
        for i in block.first..block.last {
            let inst = &region.insts[i as usize];
            cx.inst(i, inst).map_err(|e| format!("block {index}: {}: {e}", describe(Val(i), inst, guest)))?;
        }
        cx.term().map_err(|e| format!("block {index}: {}: {e}", term_text(&block.term)))?;
    }
    if next as usize == region.insts.len() { Ok(()) } else { Err("instructions after the last block".into()) }
}

/// The text of an instruction, or its debug form when it has no text because an index is wrong.
fn describe(v: Val, inst: &Inst, guest: &dyn Guest) -> String {
    let printable = match inst.attr {
        Attr::Slot(s) => (s.0 as usize) < guest.slots().slots.len(),
        Attr::Helper(h) => (h.0 as usize) < guest.helpers().len(),
        Attr::None
        | Attr::Mem(_)
        | Attr::Rmw(..)
        | Attr::Vec(_)
        | Attr::Fp(_)
        | Attr::FpCvt(..)
        | Attr::Cc(_) => true,
    };
    if printable { inst_text(v, inst, guest) } else { format!("{inst:?}") }
}

struct Checker<'a> {
    region: &'a Region,
    guest: &'a dyn Guest,
    block: &'a Block,
}

fn ensure(ok: bool, what: &str) -> Result<(), String> {
    if ok { Ok(()) } else { Err(what.into()) }
}

impl Checker<'_> {
    /// The type of a value used at `at`, which must be made earlier in the same block.
    fn used(&self, v: Val, at: u32) -> Result<Type, String> {
        ensure(v.0 >= self.block.first && v.0 < at, "a value from elsewhere or later")?;
        let ty = self.region.inst(v).ty;
        ensure(ty != Type::Void, "an operation without result as argument")?;
        Ok(ty)
    }

    fn slot_type(&self, s: SlotId) -> Result<Type, String> {
        let slots = &self.guest.slots().slots;
        slots.get(s.0 as usize).map(|d| d.ty).ok_or_else(|| "no such slot".into())
    }

    fn inst(&self, at: u32, inst: &Inst) -> Result<(), String> {
        let info = inst.op.info();
        let kind = match inst.attr {
            Attr::None => AttrKind::None,
            Attr::Mem(_) => AttrKind::Mem,
            Attr::Rmw(..) => AttrKind::Rmw,
            Attr::Vec(_) => AttrKind::Vec,
            Attr::Fp(_) => AttrKind::Fp,
            Attr::FpCvt(..) => AttrKind::FpCvt,
            Attr::Cc(_) => AttrKind::Cc,
            Attr::Slot(_) => AttrKind::Slot,
            Attr::Helper(_) => AttrKind::Helper,
        };
        ensure(kind == info.attr, "the wrong attribute")?;
        let t = self.args(at, inst)?;
        match info.result {
            Kind::T => {
                ensure(matches!(inst.ty, Type::I32 | Type::I64), "result is not an integer")?;
                let from_vector = info.args.first() == Some(&Kind::V);
                ensure(from_vector || t.is_none_or(|t| t == inst.ty), "argument and result types differ")
            }
            Kind::W => ensure(inst.ty == Type::I32, "result is not i32"),
            Kind::X => ensure(inst.ty == Type::I64, "result is not i64"),
            Kind::V => ensure(inst.ty == Type::V128, "result is not v128"),
            Kind::F => ensure(inst.ty == Type::Flags, "result is not flags"),
            Kind::Void => ensure(inst.ty == Type::Void, "an unexpected result"),
            Kind::Any | Kind::AnyOpt | Kind::XOpt => Ok(()),
        }?;
        self.attribute(inst, t)?;
        shape_of_op(inst)?;
        immediate(inst)
    }

    /// Checks the arguments; the common type of those of kind T.
    fn args(&self, at: u32, inst: &Inst) -> Result<Option<Type>, String> {
        let kinds = inst.op.info().args;
        let mut t = None;
        for (i, &v) in inst.args.iter().enumerate() {
            let Some(&kind) = kinds.get(i) else {
                ensure(!v.is_some(), "too many arguments")?;
                continue;
            };
            if !v.is_some() {
                ensure(matches!(kind, Kind::XOpt | Kind::AnyOpt), "a missing argument")?;
                continue;
            }
            let ty = self.used(v, at)?;
            match kind {
                Kind::T => {
                    ensure(matches!(ty, Type::I32 | Type::I64), "argument is not an integer")?;
                    ensure(t.is_none_or(|t| t == ty), "arguments of different types")?;
                    t = Some(ty);
                }
                Kind::W => ensure(ty == Type::I32, "argument is not i32")?,
                Kind::X | Kind::XOpt => ensure(ty == Type::I64, "argument is not i64")?,
                Kind::V => ensure(ty == Type::V128, "argument is not v128")?,
                Kind::F => ensure(ty == Type::Flags, "argument is not flags")?,
                Kind::Any | Kind::AnyOpt => {}
                Kind::Void => return Err("the table has a void argument".into()),
            }
        }
        if inst.op == Op::SetMode {
            ensure(at + 1 == self.block.last, "setmode is not the last operation")?;
        }
        if inst.op == Op::FlagsOf {
            let made = self.region.inst(inst.args[0]).op;
            let ok = matches!(made, Op::Add | Op::Sub | Op::Adc | Op::Sbc | Op::Neg)
                || matches!(made, Op::And | Op::AndN | Op::Or | Op::Xor | Op::Shl | Op::Shr | Op::Sar)
                || matches!(made, Op::LAdd | Op::LSub | Op::LAdc | Op::LSbc | Op::LNeg)
                || matches!(made, Op::LAnd | Op::LOr | Op::LXor | Op::LShl | Op::LShr | Op::LSar);
            ensure(ok, "flags of an operation that has none")?;
        }
        Ok(t)
    }

    fn attribute(&self, inst: &Inst, t: Option<Type>) -> Result<(), String> {
        match inst.attr {
            Attr::None | Attr::Cc(_) => Ok(()),
            Attr::Slot(s) => {
                let ty = self.slot_type(s)?;
                let used = match inst.op {
                    Op::Set => self.region.inst(inst.args[0]).ty,
                    Op::Defer => Type::Flags,
                    _ => inst.ty,
                };
                ensure(ty == used, "not the slot's type")
            }
            Attr::Helper(h) => ensure((h.0 as usize) < self.guest.helpers().len(), "no such helper"),
            Attr::Mem(m) | Attr::Rmw(m, _) => {
                let vector = inst.op.info().args.contains(&Kind::V);
                memory(m, if vector { Type::V128 } else { t.unwrap_or(inst.ty) })
            }
            Attr::Vec(s) => lanes(s),
            Attr::Fp(fp) | Attr::FpCvt(fp, _) => {
                lanes(fp.shape)?;
                ensure(matches!(fp.shape.lane, Size::H | Size::S | Size::D), "not a floating-point lane")?;
                match (inst.op, inst.attr) {
                    (Op::SToF | Op::UToF, Attr::FpCvt(_, size)) => {
                        let ok = t == Some(if size == Size::D { Type::I64 } else { Type::I32 });
                        ensure(ok, "the size is not the integer's")
                    }
                    (Op::VFToS | Op::VFToU, Attr::FpCvt(_, size)) => {
                        ensure(size <= Size::D, "an integer wider than 64 bits")
                    }
                    (Op::FCvt, Attr::FpCvt(_, size)) => {
                        ensure(matches!(size, Size::H | Size::S | Size::D), "no floating-point format")
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    fn term(&self) -> Result<(), String> {
        let block = |t: Target| match t {
            Target::Pc(_) => Ok(()),
            Target::Block(b) => ensure((b.0 as usize) < self.region.blocks.len(), "no such block"),
        };
        let value = |v: Val, ty: Type| match self.used(v, self.block.last)? {
            t if t == ty => Ok(()),
            _ => Err("a value of the wrong type".to_string()),
        };
        match self.block.term {
            Term::Jump(t) => block(t),
            Term::Branch { flags, cc: _, then, els } => {
                value(flags, Type::Flags)?;
                block(then)?;
                block(els)
            }
            Term::CallIndirect { addr, ret: _ } | Term::Indirect { addr } | Term::Return { addr } => {
                value(addr, Type::I64)
            }
            Term::Call { .. }
            | Term::Syscall { .. }
            | Term::Trap { .. }
            | Term::Switch { .. }
            | Term::Resume { .. } => Ok(()),
        }
    }
}

/// An access must fit the integer type, if it is one.
fn memory(m: Mem, ty: Type) -> Result<(), String> {
    ensure(m.scale <= 4, "a scale above 4")?;
    match ty {
        Type::I32 => ensure(m.size <= Size::S, "an access wider than i32"),
        Type::I64 => ensure(m.size <= Size::D, "an access wider than i64"),
        Type::Void | Type::V128 | Type::Flags => Ok(()),
    }
}

fn lanes(s: Shape) -> Result<(), String> {
    ensure(s.lanes >= 1 && s.bytes() <= 16, "lanes that do not fit")
}

/// Whether an operation has such lanes and such an immediate.
#[cfg(test)]
pub(crate) fn exists(inst: &Inst) -> bool {
    shape_of_op(inst).is_ok() && immediate(inst).is_ok()
}

/// Lanes that an operation can have.
fn shape_of_op(inst: &Inst) -> Result<(), String> {
    let (s, other) = match inst.attr {
        Attr::Vec(s) => (s, None),
        Attr::Fp(fp) => (fp.shape, None),
        Attr::FpCvt(fp, size) => (fp.shape, Some(size)),
        Attr::None | Attr::Mem(_) | Attr::Rmw(..) | Attr::Cc(_) | Attr::Slot(_) | Attr::Helper(_) => {
            return Ok(());
        }
    };
    let (lane, even) = (s.lane, s.lanes % 2 == 0);
    let ok = match inst.op {
        // Twice as wide, in or out.
        Op::VNarrow
        | Op::VQnarrowS
        | Op::VQnarrowU
        | Op::VQnarrowSu
        | Op::VQshrnU
        | Op::VQshrnS
        | Op::VQshrnSu => lane <= Size::S && s.bytes() <= 8,
        Op::VRedAddlS | Op::VRedAddlU => lane <= Size::S,
        Op::VWidenS | Op::VWidenU | Op::VMullS | Op::VMullU | Op::VQdmull | Op::VAddlpS | Op::VAddlpU => {
            matches!(lane, Size::H | Size::S | Size::D)
        }
        Op::VPmull => matches!(lane, Size::H | Size::Q),
        Op::VDotS | Op::VDotU | Op::VDotUs | Op::VUrecpe | Op::VUrsqrte | Op::BfDot | Op::FWidenH => {
            lane == Size::S
        }
        Op::VMmlaS | Op::VMmlaU | Op::VMmlaUs | Op::BfMmla => s == Shape::new(Size::S, 4),
        Op::VTbl | Op::VExt => lane == Size::B,
        Op::VPerm => matches!(lane, Size::H | Size::S | Size::D) && s.bytes() == 16,
        Op::VShufB => s == Shape::new(Size::B, 16),
        Op::VPackS | Op::VPackU => lane <= Size::S && s.bytes() == 16,
        Op::VMulHS | Op::VMulHU | Op::VMulHR => lane == Size::H,
        Op::VMaddUs => lane == Size::H && s.bytes() == 16,
        Op::VMaddS => lane == Size::S && s.bytes() == 16,
        Op::VSad | Op::VMulLoS | Op::VMulLoU => lane == Size::D && s.bytes() == 16,
        Op::FRcp | Op::FRsqrt => lane == Size::S,
        Op::FRcp14 | Op::FRsqrt14 => matches!(lane, Size::S | Size::D),
        Op::FCadd | Op::FCmla => even,
        Op::FJcvt => lane == Size::D,
        Op::FRintN => matches!(lane, Size::S | Size::D),
        Op::FCvt => other
            .is_some_and(|o| matches!(o, Size::H | Size::S | Size::D) && o.bytes() * s.lanes as usize <= 16),
        Op::VFToS | Op::VFToU => {
            other.is_some_and(|o| o <= Size::D && o.bytes() * s.lanes as usize <= 16) && lane != Size::Q
        }
        Op::VLow
        | Op::VAnd
        | Op::VOr
        | Op::VXor
        | Op::VAndN
        | Op::VOrN
        | Op::VNot
        | Op::VBsl
        | Op::VConst => true,
        _ => lane != Size::Q,
    };
    ensure(ok, "lanes that the operation does not have")
}

/// Ranges of immediates.
fn immediate(inst: &Inst) -> Result<(), String> {
    let width = if inst.ty == Type::I32 { 32 } else { 64 };
    let imm = inst.imm;
    let (bits, count) = match inst.attr {
        Attr::Vec(s) => (u64::from(s.lane.bits()), 16 / s.lane.bytes() as u64),
        _ => (0, 0),
    };
    let ok = match inst.op {
        Op::Extr => imm < width,
        Op::Ubfx | Op::Sbfx | Op::Bfi => {
            let (lsb, len) = (imm & 0xff, imm >> 8);
            len >= 1 && lsb + len <= width
        }
        Op::Crc32 => imm & 0xff <= 3 && imm >> 8 <= 1 && (imm & 0xff == 3) == (inst.ty == Type::I64),
        Op::VDupLane | Op::VIns | Op::VGetU | Op::VGetS => imm < count,
        Op::VInsLane => imm & 255 < count && imm >> 8 < count,
        Op::VShlI | Op::VQshluI | Op::VSliI => imm < bits,
        Op::VShrI | Op::VSarI | Op::VRshrI | Op::VRsarI | Op::VSriI => (1..=bits).contains(&imm),
        Op::VQshrnU | Op::VQshrnS | Op::VQshrnSu => (1..=bits * 2).contains(&(imm & 255)),
        Op::FCadd => imm == 90 || imm == 270,
        Op::FCmla => matches!(imm, 0 | 90 | 180 | 270),
        Op::VRev => imm <= 3 && 8 << imm >= bits,
        Op::FToS | Op::FToU => imm & !crate::NAN_IS_MAX <= 64,
        Op::SToF | Op::UToF | Op::VFToS | Op::VFToU | Op::VSToF | Op::VUToF => imm <= 64,
        Op::LAdd
        | Op::LSub
        | Op::LAdc
        | Op::LAnd
        | Op::LOr
        | Op::LXor
        | Op::LNeg
        | Op::LShl
        | Op::LShr
        | Op::LSar => imm == 8 || imm == 16,
        Op::LSbc => matches!(imm & !256, 8 | 16),
        Op::FlagsOf => imm <= 1,
        Op::FlagsMerge => imm <= 63,
        Op::FSqrt | Op::FMa => {
            let scalar = matches!(inst.attr, Attr::Fp(f) if f.shape.lanes == 1);
            imm & !crate::MERGE <= 7 && (imm & crate::MERGE == 0 || scalar)
        }
        Op::FRintN => imm == 32 || imm == 64,
        Op::Defer => u32::try_from(imm).is_ok_and(|m| Recipe::decode(m).is_some()),
        _ => true,
    };
    ensure(ok, "an immediate out of range")
}
