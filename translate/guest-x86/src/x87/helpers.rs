//! The x87's helpers: one instruction on the host's unit, and what moves the whole state.

use super::{Access, access, quick};
use crate::cpu::{self, FCW_DEFAULT, trap};
use crate::helpers::X87;
use ir::{HelperDesc, HelperFn, HelperId, Machine, SlotSet, Stop, TrapKind};
use x87_unit::{Image, Operand};

/// A helper by its number in this group.
pub(super) const fn id(n: u16) -> HelperId {
    crate::helpers::id(X87, n)
}

/// (opcode, operand, its upper part, data pointer): an instruction without flags and without a store.
pub(super) const EXECUTE: u16 = 0;
/// (opcode, address, -, data pointer): one that stores.
pub(super) const EXECUTE_STORE: u16 = 1;
/// (opcode, flags, -, data pointer): one that reads or writes EFLAGS; the flags afterwards, all in their memory form.
pub(super) const EXECUTE_FLAGS: u16 = 2;
/// #MF if an unmasked exception waits.
pub(super) const PENDING: u16 = 3;
/// FNINIT.
pub(super) const INITIAL: u16 = 4;
/// (control word)
pub(super) const SET_CONTROL: u16 = 5;
/// (address, 16-bit form): FNSTENV.
pub(super) const STORE_ENV: u16 = 6;
/// The same: FLDENV.
pub(super) const LOAD_ENV: u16 = 7;
/// FNSAVE.
pub(super) const SAVE: u16 = 8;
/// FRSTOR.
pub(super) const RESTORE: u16 = 9;

/// The group's helpers in the order of their numbers.
pub(crate) fn helpers() -> Vec<HelperDesc> {
    let mut state: Vec<_> = (0..8).map(cpu::st).collect();
    state.extend([cpu::FCW, cpu::FSW, cpu::FTW, cpu::FTOP, cpu::FOP, cpu::FIP, cpu::FDP, cpu::FCS_FDS]);
    let list: [(&'static str, HelperFn, bool); 10] = [
        ("x87_execute", execute, false),
        ("x87_execute_store", execute_store, true),
        ("x87_execute_flags", execute_flags, false),
        ("x87_pending", pending, true),
        ("x87_initial", |m, _| Ok(initial(m)), false),
        ("x87_set_control", set_control, false),
        ("x87_store_env", store_env, true),
        ("x87_load_env", load_env, true),
        ("x87_save", save, true),
        ("x87_restore", restore, true),
    ];
    list.into_iter()
        .map(|(name, func, may_fault)| HelperDesc {
            name,
            func,
            reads: SlotSet::Some(state.clone()),
            writes: SlotSet::Some(state.clone()),
            may_fault,
            pure_fn: false,
        })
        .collect()
}

const EXCEPTIONS: u32 = 0x3f;
/// Error summary, and the bit that follows it.
const SUMMARY: u32 = 0x8080;
const TOP_BITS: u32 = 0x3800;

fn word(m: &mut dyn Machine, slot: ir::SlotId) -> u32 {
    m.slot(slot) as u32
}

/// A status word whose summary bits fit the control word.
fn summarised(status: u32, control: u32) -> u32 {
    let bits = if status & !control & EXCEPTIONS != 0 { SUMMARY } else { 0 };
    status & !SUMMARY | bits
}

fn image(m: &mut dyn Machine) -> Image {
    let mut image = Image::new(m.slot(cpu::FCW) as u16);
    let top = word(m, cpu::FTOP) & 7;
    image.set_status((word(m, cpu::FSW) | top << 11) as u16);
    image.set_in_use(m.slot(cpu::FTW) as u8);
    for i in 0..8 {
        let r = m.slot(cpu::st((top + i) & 7)).to_le_bytes();
        image.register(i as usize).copy_from_slice(&r[..10]);
    }
    image
}

fn put_image(m: &mut dyn Machine, image: &mut Image) {
    let status = u32::from(image.status());
    let top = status >> 11 & 7;
    m.set_slot(cpu::FSW, (status & !TOP_BITS).into());
    m.set_slot(cpu::FTOP, top.into());
    m.set_slot(cpu::FTW, image.in_use().into());
    for i in 0..8 {
        let mut r = [0; 16];
        r[..10].copy_from_slice(image.register(i as usize));
        m.set_slot(cpu::st((top + i) & 7), u128::from_le_bytes(r));
    }
}

/// The opcode and the data pointer are kept for an unmasked exception only, as CPUs have done it since the Pentium 4.
fn note(m: &mut dyn Machine, op: u32, pointer: u128) {
    if word(m, cpu::FSW) & 0x80 != 0 {
        m.set_slot(cpu::FOP, op.into());
        m.set_slot(cpu::FDP, pointer);
    }
}

fn execute(m: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    let op = a[0] as u32;
    if quick::execute(m, op, a[1] as u64, a[2] as u64).is_some() {
        return Ok(0);
    }
    let mut image = image(m);
    let mut operand = Operand([0; 128]);
    operand.0[..8].copy_from_slice(&(a[1] as u64).to_le_bytes());
    operand.0[8..16].copy_from_slice(&(a[2] as u64).to_le_bytes());
    x87_unit::run(&mut image, op as u16, &mut operand, 2);
    put_image(m, &mut image);
    note(m, op, a[3]);
    Ok(0)
}

/// Writes the operand of a store, in the pieces that the CPU takes: what is before the one that faults is written.
fn write_operand(m: &mut dyn Machine, op: u32, addr: u128, operand: &Operand) -> Result<(), Stop> {
    let Access::Write(bytes) = access(op) else { return Ok(()) };
    let piece = if bytes == 10 && op >> 8 == 3 { 8 } else { bytes as usize };
    let mut at = addr as u64;
    for part in operand.0[..bytes as usize].chunks(piece) {
        m.store(at, part)?;
        at = at.wrapping_add(part.len() as u64);
    }
    Ok(())
}

fn execute_store(m: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    let op = a[0] as u32;
    if let Some((operand, status)) = quick::stored(m, op) {
        write_operand(m, op, a[1], &operand)?;
        quick::after_store(m, op, status);
        return Ok(0);
    }
    let mut image = image(m);
    let mut operand = Operand([0; 128]);
    x87_unit::run(&mut image, op as u16, &mut operand, 2);
    let (status, control) = (u32::from(image.status()), word(m, cpu::FCW));
    // With one of these unmasked nothing is stored, but for the inexact exception.
    if status & !control & 0x1f == 0 {
        write_operand(m, op, a[1], &operand)?;
    }
    put_image(m, &mut image);
    note(m, op, a[3]);
    Ok(0)
}

fn execute_flags(m: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    let (op, flags) = (a[0] as u32, a[1] as u32);
    if let Some(after) = quick::compare_flags(m, op) {
        return Ok((u32::from(after & 0xd5) << 8).into());
    }
    let mut image = image(m);
    let after = x87_unit::run(&mut image, op as u16, &mut Operand([0; 128]), (flags >> 8) as u8);
    put_image(m, &mut image);
    note(m, op, a[3]);
    // An unmasked exception does not keep a comparison from setting the flags.
    Ok((u32::from(after & 0xd5) << 8).into())
}

fn pending(m: &mut dyn Machine, _: &[u128; 4]) -> Result<u128, Stop> {
    if word(m, cpu::FSW) & 0x80 != 0 {
        return Err(Stop::Trap(TrapKind::Arithmetic, trap::MF));
    }
    Ok(0)
}

fn initial(m: &mut dyn Machine) -> u128 {
    for slot in [cpu::FSW, cpu::FTW, cpu::FTOP, cpu::FOP, cpu::FIP, cpu::FDP, cpu::FCS_FDS] {
        m.set_slot(slot, 0);
    }
    m.set_slot(cpu::FCW, FCW_DEFAULT.into());
    0
}

fn put_control(m: &mut dyn Machine, v: u32) {
    let v = v & 0x1f7f | 0x40;
    m.set_slot(cpu::FCW, v.into());
    let status = word(m, cpu::FSW);
    m.set_slot(cpu::FSW, summarised(status, v).into());
}

fn set_control(m: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    put_control(m, a[0] as u32);
    Ok(0)
}

/// The tag of a register in use: 0 valid, 1 zero, 2 special.
fn tag(r: u128) -> u32 {
    let (exponent, fraction) = ((r >> 64) as u32 & 0x7fff, r as u64);
    match (exponent, fraction) {
        (0, 0) => 1,
        (0 | 0x7fff, _) => 2,
        (_, f) if f >> 63 == 0 => 2,
        _ => 0,
    }
}

/// The environment as FNSTENV writes it.
fn environment(m: &mut dyn Machine, small: bool) -> Vec<u8> {
    let (in_use, top) = (word(m, cpu::FTW), word(m, cpu::FTOP) & 7);
    let tags = (0..8).fold(0, |all, i| {
        let t = if in_use >> i & 1 == 0 { 3 } else { tag(m.slot(cpu::st(i))) };
        all | t << (2 * i)
    });
    let selectors = word(m, cpu::FCS_FDS);
    let (control, status) = (word(m, cpu::FCW), word(m, cpu::FSW) | top << 11);
    let (ip, dp) = (word(m, cpu::FIP), word(m, cpu::FDP));
    if small {
        let all = [control, status, tags, ip, selectors & 0xffff, dp, selectors >> 16];
        all.iter().flat_map(|&v| (v as u16).to_le_bytes()).collect()
    } else {
        let high = 0xffff_0000;
        let code = selectors & 0xffff | word(m, cpu::FOP) << 16;
        let all = [control | high, status | high, tags | high, ip, code, dp, selectors >> 16 | high];
        all.iter().flat_map(|&v| v.to_le_bytes()).collect()
    }
}

fn put_environment(m: &mut dyn Machine, bytes: &[u8], small: bool) {
    let field = |n: usize| {
        if small {
            u32::from(u16::from_le_bytes([bytes[2 * n], bytes[2 * n + 1]]))
        } else {
            u32::from_le_bytes([bytes[4 * n], bytes[4 * n + 1], bytes[4 * n + 2], bytes[4 * n + 3]])
        }
    };
    let (status, tags) = (field(1), field(2));
    let in_use = (0..8).filter(|i| tags >> (2 * i) & 3 != 3).fold(0u32, |r, i| r | 1 << i);
    m.set_slot(cpu::FSW, (status & 0xffff & !TOP_BITS).into());
    m.set_slot(cpu::FTOP, (status >> 11 & 7).into());
    m.set_slot(cpu::FTW, in_use.into());
    m.set_slot(cpu::FIP, field(3).into());
    m.set_slot(cpu::FDP, field(5).into());
    if !small {
        m.set_slot(cpu::FOP, (field(4) >> 16 & 0x7ff).into());
    }
    put_control(m, field(0));
}

fn store_env(m: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    let bytes = environment(m, a[1] != 0);
    m.store(a[0] as u64, &bytes)?;
    let control = word(m, cpu::FCW);
    put_control(m, control | EXCEPTIONS);
    Ok(0)
}

fn load_env(m: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    let small = a[1] != 0;
    let mut bytes = vec![0; if small { 14 } else { 28 }];
    m.load(a[0] as u64, &mut bytes)?;
    put_environment(m, &bytes, small);
    Ok(0)
}

fn save(m: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    let mut bytes = environment(m, a[1] != 0);
    let top = word(m, cpu::FTOP);
    for i in 0..8 {
        bytes.extend(&m.slot(cpu::st((top + i) & 7)).to_le_bytes()[..10]);
    }
    m.store(a[0] as u64, &bytes)?;
    Ok(initial(m))
}

fn restore(m: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    let small = a[1] != 0;
    let env = if small { 14 } else { 28 };
    let mut bytes = vec![0; env + 80];
    m.load(a[0] as u64, &mut bytes)?;
    put_environment(m, &bytes, small);
    let top = word(m, cpu::FTOP);
    for i in 0..8 {
        let mut r = [0; 16];
        let at = env + 10 * i as usize;
        r[..10].copy_from_slice(&bytes[at..at + 10]);
        m.set_slot(cpu::st((top + i) & 7), u128::from_le_bytes(r));
    }
    Ok(0)
}
