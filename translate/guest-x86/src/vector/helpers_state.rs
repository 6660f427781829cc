//! FXSAVE and XSAVE areas. Facts: SDM volume 1, chapters 10.5 and 13.

use super::helpers::{get_chunk, set_chunk};
use crate::cpu::{self, MXCSR_DEFAULT, trap};
use ir::{Machine, Stop, TrapKind};

/// Components in the standard form: number, offset, size.
const COMPONENTS: [(u32, usize, usize); 4] = [(2, 576, 256), (5, 1088, 64), (6, 1152, 512), (7, 1664, 1024)];

/// Bits of the helpers' word.
struct What {
    long: bool,
    /// 0 FXSAVE, 1 XSAVE, 2 XSAVEC.
    kind: u32,
    registers: u32,
    have: u64,
}

fn what(word: u64) -> What {
    What {
        long: word & 1 != 0,
        kind: (word >> 1 & 3) as u32,
        registers: (word >> 8 & 0xff) as u32,
        have: word >> 16,
    }
}

fn protection() -> Stop {
    Stop::Trap(TrapKind::Service, trap::with_error(trap::GP, 0))
}

fn put(area: &mut [u8], at: usize, bytes: &[u8]) {
    area[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The x87 part of the legacy area: control, status, tags, last instruction, registers.
fn save_x87(m: &mut dyn Machine, area: &mut [u8], long: bool) {
    let top = m.slot(cpu::FTOP) as u16 & 7;
    let status = m.slot(cpu::FSW) as u16 & !0x3800 | top << 11;
    put(area, 0, &(m.slot(cpu::FCW) as u16).to_le_bytes());
    put(area, 2, &status.to_le_bytes());
    area[4] = m.slot(cpu::FTW) as u8;
    put(area, 6, &(m.slot(cpu::FOP) as u16).to_le_bytes());
    let (ip, dp) = (m.slot(cpu::FIP) as u64, m.slot(cpu::FDP) as u64);
    put(area, 8, &ip.to_le_bytes());
    put(area, 16, &dp.to_le_bytes());
    if !long {
        let selectors = m.slot(cpu::FCS_FDS) as u32;
        put(area, 12, &(selectors & 0xffff).to_le_bytes());
        put(area, 20, &(selectors >> 16).to_le_bytes());
    }
    for i in 0..8 {
        let r = m.slot(cpu::st(u32::from(top.wrapping_add(i) & 7)));
        put(area, 32 + 16 * usize::from(i), &r.to_le_bytes()[..10]);
    }
}

fn half(area: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([area[at], area[at + 1]])
}
fn quad(area: &[u8], at: usize) -> u64 {
    area[at..at + 8].iter().rev().fold(0, |r, &b| r << 8 | u64::from(b))
}
fn vector(area: &[u8], at: usize) -> u128 {
    u128::from(quad(area, at)) | u128::from(quad(area, at + 8)) << 64
}

fn restore_x87(m: &mut dyn Machine, area: &[u8], long: bool) {
    let status = half(area, 2);
    let top = status >> 11 & 7;
    m.set_slot(cpu::FCW, (half(area, 0) & 0x1f7f | 0x40).into());
    m.set_slot(cpu::FSW, (status & !0x3800).into());
    m.set_slot(cpu::FTOP, top.into());
    m.set_slot(cpu::FTW, area[4].into());
    m.set_slot(cpu::FOP, (half(area, 6) & 0x7ff).into());
    let (ip, dp) = (quad(area, 8), quad(area, 16));
    if long {
        m.set_slot(cpu::FIP, ip.into());
        m.set_slot(cpu::FDP, dp.into());
    } else {
        m.set_slot(cpu::FIP, (ip & 0xffff_ffff).into());
        m.set_slot(cpu::FDP, (dp & 0xffff_ffff).into());
        let selectors = u128::from(ip >> 32 & 0xffff) | u128::from(dp >> 32 & 0xffff) << 16;
        m.set_slot(cpu::FCS_FDS, selectors);
    }
    for i in 0..8u16 {
        let r = vector(area, 32 + 16 * usize::from(i)) & (u128::MAX >> 48);
        m.set_slot(cpu::st(u32::from(top.wrapping_add(i) & 7)), r);
    }
}

fn initial_x87(m: &mut dyn Machine) {
    for slot in [cpu::FSW, cpu::FTW, cpu::FTOP, cpu::FOP, cpu::FIP, cpu::FDP, cpu::FCS_FDS] {
        m.set_slot(slot, 0);
    }
    m.set_slot(cpu::FCW, cpu::FCW_DEFAULT.into());
    for i in 0..8 {
        m.set_slot(cpu::st(i), 0);
    }
}

/// The bytes of a component above the legacy area.
fn component(m: &mut dyn Machine, n: u32, registers: u32) -> Vec<u8> {
    let mut out = Vec::new();
    match n {
        2 => (0..16).for_each(|r| {
            let v = if r < registers { get_chunk(m, r, 1) } else { 0 };
            out.extend(v.to_le_bytes());
        }),
        5 => (0..8).for_each(|r| out.extend((m.slot(cpu::k(r)) as u64).to_le_bytes())),
        6 => (0..16).for_each(|r| {
            for c in 2..4 {
                let v = if r < registers { get_chunk(m, r, c) } else { 0 };
                out.extend(v.to_le_bytes());
            }
        }),
        _ => (16..32).for_each(|r| {
            for c in 0..4 {
                let v = if registers == 16 { get_chunk(m, r, c) } else { 0 };
                out.extend(v.to_le_bytes());
            }
        }),
    }
    out
}

fn set_component(m: &mut dyn Machine, n: u32, registers: u32, bytes: Option<&[u8]>) {
    let at = |i: usize| bytes.map_or(0, |b| vector(b, i));
    match n {
        2 => (0..registers).for_each(|r| set_chunk(m, r, 1, at(16 * r as usize))),
        5 => (0..8).for_each(|r| m.set_slot(cpu::k(r), bytes.map_or(0, |b| quad(b, 8 * r as usize)).into())),
        6 => (0..registers).for_each(|r| {
            for c in 0..2 {
                set_chunk(m, r, 2 + c, at(32 * r as usize + 16 * c as usize));
            }
        }),
        _ if registers == 16 => (16..32).for_each(|r| {
            for c in 0..4 {
                set_chunk(m, r, c, at(64 * (r as usize - 16) + 16 * c as usize));
            }
        }),
        _ => {}
    }
}

/// Components that are not in their initial state.
fn in_use(m: &mut dyn Machine, registers: u32, mxcsr: u32) -> u64 {
    let mut used = 0;
    let x87 = [cpu::FSW, cpu::FTW, cpu::FTOP, cpu::FOP, cpu::FIP, cpu::FDP, cpu::FCS_FDS];
    if x87.iter().any(|&s| m.slot(s) != 0)
        || m.slot(cpu::FCW) as u32 != cpu::FCW_DEFAULT
        || (0..8).any(|i| m.slot(cpu::st(i)) != 0)
    {
        used |= 1;
    }
    if (0..registers).any(|r| get_chunk(m, r, 0) != 0) || mxcsr != MXCSR_DEFAULT {
        used |= 2;
    }
    for (n, ..) in COMPONENTS {
        if component(m, n, registers).iter().any(|&b| b != 0) {
            used |= 1 << n;
        }
    }
    used
}

/// (address, word, requested components, MXCSR).
pub(super) fn save(m: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    let (addr, w, mxcsr) = (a[0] as u64, what(a[1] as u64), a[3] as u32);
    if addr & if w.kind == 0 { 15 } else { 63 } != 0 {
        return Err(protection());
    }
    let wanted = if w.kind == 0 { 3 } else { a[2] as u64 & w.have };
    let mut legacy = [0u8; 512];
    m.load(addr, &mut legacy)?;
    if wanted & 1 != 0 {
        save_x87(m, &mut legacy, w.long);
    }
    if w.kind == 0 || wanted & 6 != 0 && w.kind == 1 || wanted & 2 != 0 {
        put(&mut legacy, 24, &mxcsr.to_le_bytes());
        put(&mut legacy, 28, &0xffffu32.to_le_bytes());
    }
    if wanted & 2 != 0 {
        for r in 0..w.registers {
            put(&mut legacy, 160 + 16 * r as usize, &get_chunk(m, r, 0).to_le_bytes());
        }
    }
    let used = in_use(m, w.registers, mxcsr) & wanted;
    // What faults first is the end: nothing is half written then.
    let mut pieces: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut at = 576;
    for (n, offset, size) in COMPONENTS {
        if wanted >> n & 1 == 0 || w.kind == 0 {
            continue;
        }
        let place = if w.kind == 2 { at } else { offset };
        if w.kind == 1 || used >> n & 1 != 0 {
            pieces.push((place, component(m, n, w.registers)));
        }
        at += size;
    }
    if w.kind != 0 {
        let mut header = [0u8; 64];
        m.load(addr + 512, &mut header)?;
        let before = quad(&header, 0);
        let bits = before & !wanted | used;
        if w.kind == 2 {
            header = [0; 64];
            put(&mut header, 0, &used.to_le_bytes());
            put(&mut header, 8, &(wanted | 1 << 63).to_le_bytes());
        } else {
            put(&mut header, 0, &bits.to_le_bytes());
        }
        pieces.push((512, header.to_vec()));
    }
    // The last 48 bytes of the legacy area are the program's.
    pieces.push((0, legacy[..464].to_vec()));
    for (at, bytes) in pieces {
        m.store(addr.wrapping_add(at as u64), &bytes)?;
    }
    Ok(0)
}

/// The same arguments; the new MXCSR, whose reserved bits the caller checks.
pub(super) fn restore(m: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    let (addr, w, old) = (a[0] as u64, what(a[1] as u64), a[3] as u32);
    if addr & if w.kind == 0 { 15 } else { 63 } != 0 {
        return Err(protection());
    }
    let mut legacy = [0u8; 512];
    m.load(addr, &mut legacy)?;
    let stored = u32::from(half(&legacy, 24)) | u32::from(half(&legacy, 26)) << 16;
    if w.kind == 0 {
        if stored & !0xffff != 0 {
            return Err(protection());
        }
        restore_x87(m, &legacy, w.long);
        for r in 0..w.registers {
            set_chunk(m, r, 0, vector(&legacy, 160 + 16 * r as usize));
        }
        return Ok(stored.into());
    }
    let mut header = [0u8; 64];
    m.load(addr + 512, &mut header)?;
    let (bits, compact) = (quad(&header, 0), quad(&header, 8));
    let format = if compact >> 63 != 0 { compact & !(1 << 63) } else { 0 };
    let reserved = header[16..].iter().any(|&b| b != 0);
    if bits & !w.have != 0 || format & !w.have != 0 || reserved || (compact >> 63 != 0 && bits & !format != 0)
    {
        return Err(protection());
    }
    if compact >> 63 == 0 && compact != 0 {
        return Err(protection());
    }
    let wanted = a[2] as u64 & w.have;
    // All of memory before any register.
    let mut parts: Vec<(u32, Option<Vec<u8>>)> = Vec::new();
    let mut at = 576;
    for (n, offset, size) in COMPONENTS {
        let place = if format != 0 { at } else { offset };
        if wanted >> n & 1 != 0 {
            let mut bytes = vec![0; size];
            let there = bits >> n & 1 != 0;
            if there {
                m.load(addr.wrapping_add(place as u64), &mut bytes)?;
            }
            parts.push((n, there.then_some(bytes)));
        }
        if format >> n & 1 != 0 {
            at += size;
        }
    }
    let mxcsr = if compact >> 63 != 0 {
        match (wanted >> 1 & 1, bits >> 1 & 1) {
            (1, 1) => stored,
            (1, _) => MXCSR_DEFAULT,
            _ => old,
        }
    } else if wanted & 6 != 0 {
        stored
    } else {
        old
    };
    if mxcsr & !0xffff != 0 {
        return Err(protection());
    }
    if wanted & 1 != 0 {
        if bits & 1 != 0 {
            restore_x87(m, &legacy, w.long);
        } else {
            initial_x87(m);
        }
    }
    if wanted & 2 != 0 {
        for r in 0..w.registers {
            let v = if bits & 2 != 0 { vector(&legacy, 160 + 16 * r as usize) } else { 0 };
            set_chunk(m, r, 0, v);
        }
    }
    for (n, bytes) in parts {
        set_component(m, n, w.registers, bytes.as_deref());
    }
    Ok(mxcsr.into())
}
