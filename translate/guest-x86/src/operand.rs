//! Operands: addresses, reads and writes of registers, memory and immediates.
//!
//! A *raw* value of an operand has type I32 at 32 bits and I64 otherwise; above the operand's width its bits are
//! anything. The destination of a narrow operation on a register is the whole register, whose upper bits the narrow
//! operations of the IR keep.

use crate::cpu::{self, MODE_AC, MODE_SEGMENTS, Seg};
use crate::trans::Tr;
use iced_x86::{Instruction, MemorySize, Mnemonic, OpKind, Register};
use ir::{Mem, Order, Rmw, Size, Type, Val};

/// Where an instruction's memory operand is: base + (index << scale) + disp.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ea {
    pub base: Val,
    pub index: Val,
    pub scale: u8,
    pub disp: i64,
}

/// A destination that has been read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dst {
    /// A general register by its number.
    Reg(u32),
    /// ah, ch, dh, bh: by the number of the register that it is in.
    High(u32),
    /// Memory.
    Mem(Ea),
}

/// The IR's size of this many bits.
pub(crate) fn size_of(bits: u32) -> Size {
    match bits {
        8 => Size::B,
        16 => Size::H,
        32 => Size::S,
        64 => Size::D,
        _ => Size::Q,
    }
}

/// The type of a raw value of this many bits.
pub(crate) fn type_of(bits: u32) -> Type {
    if bits == 32 { Type::I32 } else { Type::I64 }
}

/// The number of a general register of any width, and whether it is one of ah, ch, dh, bh.
pub(crate) fn gpr_number(r: Register) -> (u32, bool) {
    match r {
        Register::AH => (cpu::RAX, true),
        Register::CH => (cpu::RCX, true),
        Register::DH => (cpu::RDX, true),
        Register::BH => (cpu::RBX, true),
        r => (r.full_register().number() as u32, false),
    }
}

/// A segment register.
pub(crate) fn segment(r: Register) -> Option<Seg> {
    Some(match r {
        Register::ES => Seg::Es,
        Register::CS => Seg::Cs,
        Register::SS => Seg::Ss,
        Register::DS => Seg::Ds,
        Register::FS => Seg::Fs,
        Register::GS => Seg::Gs,
        _ => return None,
    })
}

/// Whether a LOCK prefix is allowed: a read-modify-write instruction with memory as destination.
pub(crate) fn lockable(insn: &Instruction) -> bool {
    let op = matches!(
        insn.mnemonic(),
        Mnemonic::Add
            | Mnemonic::Adc
            | Mnemonic::And
            | Mnemonic::Btc
            | Mnemonic::Btr
            | Mnemonic::Bts
            | Mnemonic::Cmpxchg
            | Mnemonic::Cmpxchg8b
            | Mnemonic::Cmpxchg16b
            | Mnemonic::Dec
            | Mnemonic::Inc
            | Mnemonic::Neg
            | Mnemonic::Not
            | Mnemonic::Or
            | Mnemonic::Sbb
            | Mnemonic::Sub
            | Mnemonic::Xor
            | Mnemonic::Xadd
            | Mnemonic::Xchg
    );
    op && insn.op_kinds().any(|k| k == OpKind::Memory)
        && (insn.op0_kind() == OpKind::Memory || insn.mnemonic() == Mnemonic::Xchg)
}

/// Width of a memory operand that an integer instruction has.
fn memory_bits(m: MemorySize) -> u32 {
    m.size() as u32 * 8
}

/// Width of an operand in bits.
pub(crate) fn op_bits(insn: &Instruction, n: u32) -> u32 {
    match insn.op_kind(n) {
        OpKind::Register => insn.op_register(n).size() as u32 * 8,
        OpKind::Memory
        | OpKind::MemorySegSI
        | OpKind::MemorySegESI
        | OpKind::MemorySegRSI
        | OpKind::MemorySegDI
        | OpKind::MemorySegEDI
        | OpKind::MemorySegRDI
        | OpKind::MemoryESDI
        | OpKind::MemoryESEDI
        | OpKind::MemoryESRDI => memory_bits(insn.memory_size()),
        OpKind::Immediate8 | OpKind::Immediate8_2nd => 8,
        OpKind::Immediate16 | OpKind::Immediate8to16 => 16,
        OpKind::Immediate32 | OpKind::Immediate8to32 => 32,
        _ => 64,
    }
}

impl Tr<'_> {
    /// The general register `n` as an address part of `bits`.
    fn address_part(&mut self, r: Register) -> Val {
        let (n, _) = gpr_number(r);
        self.r64(n)
    }

    /// An instruction's memory operand, with its segment's base.
    pub fn ea(&mut self, insn: &Instruction) -> Ea {
        let ea = self.offset(insn);
        let seg = segment(insn.memory_segment());
        self.in_segment(ea, seg)
    }

    /// The offset of an instruction's memory operand in its segment (what LEA gives), cut to the address size.
    pub fn offset(&mut self, insn: &Instruction) -> Ea {
        let (base, index) = (insn.memory_base(), insn.memory_index());
        let disp = insn.memory_displacement64();
        if insn.is_ip_rel_memory_operand() {
            let addr = insn.ip_rel_memory_address();
            return Ea { base: self.b.addr(addr), index: Val::NONE, scale: 0, disp: 0 };
        }
        let bits = address_bits(insn);
        let scale = insn.memory_index_scale().trailing_zeros() as u8;
        // In a 32-bit address space accesses wrap by themselves at 32 bits.
        if bits == 64 || bits == 32 && self.cpu.bits == 32 {
            let disp = if bits == 32 { i64::from(disp as i32) } else { disp as i64 };
            return match (base != Register::None, index != Register::None) {
                (false, false) => {
                    let disp = if bits == 32 { disp as u32 as u64 } else { disp as u64 };
                    Ea { base: self.b.const64(disp), index: Val::NONE, scale: 0, disp: 0 }
                }
                (true, false) => Ea { base: self.address_part(base), index: Val::NONE, scale: 0, disp },
                (false, true) => {
                    let v = self.address_part(index);
                    let n = self.b.const64(u64::from(scale));
                    let base = if scale == 0 { v } else { self.b.shl(v, n) };
                    Ea { base, index: Val::NONE, scale: 0, disp }
                }
                (true, true) => {
                    let base = self.address_part(base);
                    Ea { base, index: self.address_part(index), scale, disp }
                }
            };
        }
        // 32-bit addresses in 64-bit code and all 16-bit ones: computed and cut.
        let mut sum = self.b.const32(disp as u32);
        if index != Register::None {
            let v = self.address_part(index);
            let v = self.b.trunc(v);
            let n = self.b.const32(u32::from(scale));
            let v = if scale == 0 { v } else { self.b.shl(v, n) };
            sum = self.b.add(v, sum);
        }
        if base != Register::None {
            let v = self.address_part(base);
            let v = self.b.trunc(v);
            sum = self.b.add(v, sum);
        }
        if bits == 16 {
            sum = self.b.zext16(sum);
        }
        Ea { base: self.b.zext32(sum), index: Val::NONE, scale: 0, disp: 0 }
    }

    /// Adds a segment's base to an offset.
    pub fn in_segment(&mut self, ea: Ea, seg: Option<Seg>) -> Ea {
        let Some(seg) = seg else { return ea };
        let based = match seg {
            Seg::Fs | Seg::Gs => true,
            Seg::Cs | Seg::Ds | Seg::Es | Seg::Ss => !self.long() && self.mode & MODE_SEGMENTS != 0,
        };
        if !based {
            return ea;
        }
        let base = self.b.get(cpu::segment_base(seg), Type::I64);
        if self.b.as_const(ea.base).is_some() && !ea.index.is_some() {
            let c = self.b.as_const(ea.base).unwrap_or(0) as i64;
            if i32::try_from(c.wrapping_add(ea.disp)).is_ok() {
                return Ea { base, index: Val::NONE, scale: 0, disp: c.wrapping_add(ea.disp) };
            }
        }
        if !ea.index.is_some() {
            return Ea { base, index: ea.base, scale: 0, disp: ea.disp };
        }
        let sum = self.b.add(ea.base, base);
        Ea { base: sum, ..ea }
    }

    /// The address as one value (LEA without cutting; atomic accesses).
    pub fn linear(&mut self, ea: Ea) -> Val {
        let mut v = ea.base;
        if ea.index.is_some() {
            let n = self.b.const64(u64::from(ea.scale));
            let x = if ea.scale == 0 { ea.index } else { self.b.shl(ea.index, n) };
            v = self.b.add(v, x);
        }
        if ea.disp != 0 {
            let d = self.b.const64(ea.disp as u64);
            v = self.b.add(v, d);
        }
        v
    }

    /// The same, cut to 32 bits in a 32-bit address space: for operations whose address does not wrap by itself.
    pub fn flat(&mut self, ea: Ea) -> Val {
        let v = self.linear(ea);
        if self.cpu.bits == 32 {
            let w = self.b.trunc(v);
            self.b.zext32(w)
        } else {
            v
        }
    }

    /// Memory attributes of an access: under AC it must be aligned.
    pub fn mem(&self, bits: u32) -> Mem {
        let mem = Mem::plain(size_of(bits));
        if self.mode & MODE_AC != 0 && bits > 8 { mem.natural() } else { mem }
    }

    /// Loads a raw value; it is zero-extended.
    pub fn load(&mut self, bits: u32, ea: Ea) -> Val {
        let mem = self.mem(bits).scaled(ea.scale);
        self.b.load(type_of(bits), mem, ea.base, ea.index, ea.disp)
    }

    /// Stores the low bits of a value.
    pub fn store(&mut self, bits: u32, ea: Ea, v: Val) {
        let mem = self.mem(bits).scaled(ea.scale);
        self.b.store(mem, ea.base, ea.index, ea.disp, v);
    }

    /// The raw value of a general register.
    pub fn reg_raw(&mut self, r: Register) -> Val {
        let (n, high) = gpr_number(r);
        let v = self.r64(n);
        if high {
            self.b.ubfx(v, 8, 8)
        } else if r.size() == 4 {
            self.b.trunc(v)
        } else {
            v
        }
    }

    /// The raw value of an operand, as `bits` wide.
    pub fn read(&mut self, insn: &Instruction, n: u32, bits: u32) -> Val {
        match insn.op_kind(n) {
            OpKind::Register => {
                let r = insn.op_register(n);
                let v = self.reg_raw(r);
                self.retype(v, bits)
            }
            OpKind::Memory => {
                let ea = self.ea(insn);
                self.load(bits, ea)
            }
            _ => {
                let v = insn.immediate(n);
                self.b.iconst(type_of(bits), v)
            }
        }
    }

    /// A raw value of another width's type.
    pub fn retype(&mut self, v: Val, bits: u32) -> Val {
        match (self.b.ty(v), type_of(bits)) {
            (Type::I64, Type::I32) => self.b.trunc(v),
            (Type::I32, Type::I64) => self.b.zext32(v),
            _ => v,
        }
    }

    /// The value of an operand zero-extended, of the raw type.
    pub fn read_zext(&mut self, insn: &Instruction, n: u32, bits: u32) -> Val {
        let v = self.read(insn, n, bits);
        if insn.op_kind(n) == OpKind::Memory { v } else { self.zext(v, bits) }
    }

    /// Clears the bits of a raw value above its width.
    pub fn zext(&mut self, v: Val, bits: u32) -> Val {
        match bits {
            8 => self.b.zext8(v),
            16 => self.b.zext16(v),
            _ => v,
        }
    }
    /// Fills them with the sign.
    pub fn sext(&mut self, v: Val, bits: u32) -> Val {
        match bits {
            8 => self.b.sext8(v),
            16 => self.b.sext16(v),
            _ => v,
        }
    }

    /// A destination operand and its raw value. For a narrow register that is the whole register.
    pub fn dest(&mut self, insn: &Instruction, n: u32, bits: u32) -> (Dst, Val) {
        match insn.op_kind(n) {
            OpKind::Register => {
                let r = insn.op_register(n);
                let (k, high) = gpr_number(r);
                let v = self.reg_raw(r);
                (if high { Dst::High(k) } else { Dst::Reg(k) }, v)
            }
            _ => {
                let ea = self.ea(insn);
                let v = self.load(bits, ea);
                (Dst::Mem(ea), v)
            }
        }
    }

    /// A destination operand that is not read.
    pub fn dest_only(&mut self, insn: &Instruction, n: u32) -> Dst {
        match insn.op_kind(n) {
            OpKind::Register => {
                let (k, high) = gpr_number(insn.op_register(n));
                if high { Dst::High(k) } else { Dst::Reg(k) }
            }
            _ => Dst::Mem(self.ea(insn)),
        }
    }

    /// Writes what a narrow operation on [`Self::dest`]'s value gave (its upper bits are the register's own).
    pub fn write_back(&mut self, dst: Dst, bits: u32, v: Val) {
        match dst {
            Dst::Reg(n) => self.set_r(n, v),
            Dst::High(n) => {
                let old = self.r64(n);
                let new = self.b.bfi(old, v, 8, 8);
                self.b.set(cpu::gpr(n), new);
            }
            Dst::Mem(ea) => self.store(bits, ea, v),
        }
    }

    /// Writes the low bits of a raw value.
    pub fn write(&mut self, dst: Dst, bits: u32, v: Val) {
        match dst {
            Dst::Reg(n) if bits < 32 => {
                let v = self.wide(v);
                let old = self.r64(n);
                let new = self.b.bfi(old, v, 0, bits);
                self.b.set(cpu::gpr(n), new);
            }
            _ => {
                let v = if matches!(dst, Dst::High(_)) { self.wide(v) } else { v };
                self.write_back(dst, bits, v);
            }
        }
    }

    /// An atomic read-modify-write of memory; the old value, raw.
    pub fn atomic(&mut self, rmw: Rmw, bits: u32, ea: Ea, v: Val) -> Val {
        let addr = self.flat(ea);
        let mem = self.mem(bits).with_order(Order::AcqRel);
        let v = self.retype(v, bits);
        self.b.rmw(mem, rmw, addr, v)
    }

    /// An atomic compare and exchange; the old value, raw.
    pub fn compare_exchange(&mut self, bits: u32, ea: Ea, expected: Val, new: Val) -> Val {
        let addr = self.flat(ea);
        let mem = self.mem(bits).with_order(Order::AcqRel);
        self.b.cas(mem, addr, expected, new)
    }
}

/// Bits of an instruction's addresses.
pub(crate) fn address_bits(insn: &Instruction) -> u32 {
    for r in [insn.memory_base(), insn.memory_index()] {
        match r.size() {
            2 => return 16,
            4 => return 32,
            8 if r != Register::None => return 64,
            _ => {}
        }
    }
    match insn.memory_displ_size() {
        2 => 16,
        4 => 32,
        8 => 64,
        _ => crate::trans::code_size(insn),
    }
}
