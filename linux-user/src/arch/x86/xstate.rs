//! The XSAVE area: floating-point and vector registers in the CPU's standard format, as frames and register sets hold them.
//!
//! Facts: SDM volume 1, chapters 10.5 (FXSAVE) and 13.4 (XSAVE area).

use super::state;
use crate::cpu::CpuState;
use engine::Engine;
use guest_x86::cpu as regs;
use guest_x86::features::Feature;
use guest_x86::models::Cpu;
use ir::{SlotId, SlotTable};

/// x87 and SSE: the legacy region.
pub const LEGACY: u64 = 3;
const AVX: u64 = 1 << 2;
const OPMASK: u64 = 1 << 5;
const ZMM_HI256: u64 = 1 << 6;
const HI16_ZMM: u64 = 1 << 7;
/// Bytes of the legacy region.
pub const FXSAVE: usize = 512;
/// The header behind it.
pub const HEADER: usize = 64;
/// Where the kernel says in the legacy region what follows it.
pub const SW_RESERVED: usize = 464;
/// MXCSR bits that can be set.
pub const MXCSR_MASK: u32 = 0xffff;

/// Number, offset, size: SDM table 13-1 and CPUID leaf 13 of CPUs of Intel's layout.
const PARTS: [(u64, usize, usize); 4] =
    [(AVX, 576, 256), (OPMASK, 1088, 64), (ZMM_HI256, 1152, 512), (HI16_ZMM, 1664, 1024)];

/// XCR0: what the kernel enables. Zero without XSAVE.
pub fn components(cpu: &Cpu) -> u64 {
    if !cpu.has(Feature::Xsave) {
        return 0;
    }
    let avx = if cpu.has(Feature::Avx) { AVX } else { 0 };
    let avx512 = if avx != 0 && cpu.has(Feature::Avx512f) { OPMASK | ZMM_HI256 | HI16_ZMM } else { 0 };
    LEGACY | avx | avx512
}

/// Bytes of an area with these components (zero: the legacy region alone).
pub fn size(components: u64) -> usize {
    if components == 0 {
        return FXSAVE;
    }
    let end = |&(part, at, len): &(u64, usize, usize)| if components & part != 0 { at + len } else { 0 };
    PARTS.iter().map(end).fold(FXSAVE + HEADER, usize::max)
}

/// The vector slots of a part in the order of its bytes.
fn vectors(part: u64) -> Vec<SlotId> {
    match part {
        AVX => (0..16).map(regs::ymm_high).collect(),
        ZMM_HI256 => (0..16).flat_map(|n| [regs::zmm_high(n, 0), regs::zmm_high(n, 1)]).collect(),
        HI16_ZMM => (16..32)
            .flat_map(|n| [regs::xmm(n), regs::ymm_high(n), regs::zmm_high(n, 0), regs::zmm_high(n, 1)])
            .collect(),
        _ => Vec::new(),
    }
}

fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

/// A number of two bytes in an area.
pub fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

/// One of four.
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// One of eight.
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// The area with these components.
pub fn save(engine: &Engine, slots: &SlotTable, cpu: &CpuState, components: u64) -> Vec<u8> {
    let at = |id: SlotId| slots.get(id).offset as usize;
    let word = |id: SlotId| cpu.read_u32(at(id));
    let mut b = vec![0; size(components)];
    let top = word(regs::FTOP) & 7;
    put(&mut b, 0, (word(regs::FCW) as u16).to_le_bytes());
    put(&mut b, 2, ((word(regs::FSW) & !0x3800 | top << 11) as u16).to_le_bytes());
    b[4] = word(regs::FTW) as u8;
    put(&mut b, 6, (word(regs::FOP) as u16).to_le_bytes());
    put(&mut b, 8, cpu.read_u64(at(regs::FIP)).to_le_bytes());
    put(&mut b, 16, cpu.read_u64(at(regs::FDP)).to_le_bytes());
    put(&mut b, 24, state::mxcsr(engine, slots, cpu).to_le_bytes());
    put(&mut b, 28, MXCSR_MASK.to_le_bytes());
    for n in 0..8 {
        let value = cpu.read_u128(at(regs::st((top + n) & 7))).to_le_bytes();
        b[32 + 16 * n as usize..][..10].copy_from_slice(&value[..10]);
    }
    for n in 0..16 {
        put(&mut b, 160 + 16 * n as usize, cpu.read_u128(at(regs::xmm(n))).to_le_bytes());
    }
    if components == 0 {
        return b;
    }
    let mut present = LEGACY;
    for (part, start, len) in PARTS {
        if components & part == 0 {
            continue;
        }
        if part == OPMASK {
            for n in 0..8 {
                put(&mut b, start + 8 * n as usize, cpu.read_u64(at(regs::k(n))).to_le_bytes());
            }
        }
        for (n, slot) in vectors(part).into_iter().enumerate() {
            put(&mut b, start + 16 * n, cpu.read_u128(at(slot)).to_le_bytes());
        }
        if b[start..start + len].iter().any(|&byte| byte != 0) {
            present |= part;
        }
    }
    put(&mut b, FXSAVE, present.to_le_bytes());
    b
}

/// The legacy part of the initial state.
pub fn fresh() -> Vec<u8> {
    let mut area = vec![0; FXSAVE];
    put(&mut area, 0, (regs::FCW_DEFAULT as u16).to_le_bytes());
    put(&mut area, 24, regs::MXCSR_DEFAULT.to_le_bytes());
    area
}

/// Restores from an area: of the components in `components`, those that its header names, the others are reset. False, with
/// nothing changed: it is not one.
pub fn restore(
    engine: &Engine,
    slots: &SlotTable,
    cpu: &mut CpuState,
    bytes: &[u8],
    components: u64,
) -> bool {
    if bytes.len() < size(components) || u32_at(bytes, 24) & !MXCSR_MASK != 0 {
        return false;
    }
    let present = if components == 0 { LEGACY } else { u64_at(bytes, FXSAVE) };
    // No compaction, and nothing that is not enabled.
    if components != 0
        && (present & !components != 0 || bytes[FXSAVE + 8..FXSAVE + 24].iter().any(|&b| b != 0))
    {
        return false;
    }
    legacy(engine, slots, cpu, bytes, present);
    let at = |id: SlotId| slots.get(id).offset as usize;
    for (part, start, _) in PARTS {
        let here = present & part != 0;
        if part == OPMASK {
            for n in 0..8 {
                let value = if here { u64_at(bytes, start + 8 * n as usize) } else { 0 };
                cpu.write_u64(at(regs::k(n)), value);
            }
        }
        for (n, slot) in vectors(part).into_iter().enumerate() {
            let from = start + 16 * n;
            let value = if here {
                u128::from_le_bytes(bytes[from..from + 16].try_into().expect("16 bytes"))
            } else {
                0
            };
            cpu.write_u128(at(slot), value);
        }
    }
    true
}

fn legacy(engine: &Engine, slots: &SlotTable, cpu: &mut CpuState, bytes: &[u8], present: u64) {
    let fresh = {
        let mut b = vec![0; FXSAVE];
        put(&mut b, 0, (regs::FCW_DEFAULT as u16).to_le_bytes());
        b
    };
    let at = |id: SlotId| slots.get(id).offset as usize;
    let x87 = if present & 1 != 0 { bytes } else { &fresh };
    let sse = if present & 2 != 0 { bytes } else { &fresh };
    cpu.write_u32(at(regs::FCW), u32::from(u16_at(x87, 0)));
    let status = u32::from(u16_at(x87, 2));
    let top = status >> 11 & 7;
    cpu.write_u32(at(regs::FSW), status & !0x3800);
    cpu.write_u32(at(regs::FTOP), top);
    cpu.write_u32(at(regs::FTW), u32::from(x87[4]));
    cpu.write_u32(at(regs::FOP), u32::from(u16_at(x87, 6)) & 0x7ff);
    cpu.write_u64(at(regs::FIP), u64_at(x87, 8));
    cpu.write_u64(at(regs::FDP), u64_at(x87, 16));
    for n in 0..8 {
        let mut value = [0; 16];
        value[..10].copy_from_slice(&x87[32 + 16 * n as usize..][..10]);
        cpu.write_u128(at(regs::st((top + n) & 7)), u128::from_le_bytes(value));
    }
    for n in 0..16 {
        let from = 160 + 16 * n as usize;
        let value = u128::from_le_bytes(sse[from..from + 16].try_into().expect("16 bytes"));
        cpu.write_u128(at(regs::xmm(n)), value);
    }
    // MXCSR comes with SSE or AVX (SDM 13.8.1).
    let mxcsr = if present & (2 | AVX) != 0 { u32_at(bytes, 24) } else { regs::MXCSR_DEFAULT };
    state::set_mxcsr(engine, slots, cpu, mxcsr);
}

/// Bytes of `struct fregs_state`'s environment and registers, without the software's words behind them.
pub const FSAVE: usize = 108;

/// The 387's form of the x87 registers in a legacy region, as `FNSAVE` has it and the kernel's `convert_from_fxsr` makes it.
pub fn to_fsave(fx: &[u8], cs: u16, ds: u16) -> [u8; FSAVE] {
    let mut b = [0; FSAVE];
    let (control, status) = (u16_at(fx, 0), u16_at(fx, 2));
    let top = status >> 11 & 7;
    let mut tags = 0u32;
    for phys in 0..8u16 {
        let tag = if fx[4] >> phys & 1 == 0 {
            3
        } else {
            let from = 32 + 16 * usize::from(phys.wrapping_sub(top) & 7);
            let (mantissa, exponent) = (u64_at(fx, from), u16_at(fx, from + 8) & 0x7fff);
            match (exponent, mantissa) {
                (0, 0) => 1,
                (0 | 0x7fff, _) => 2,
                (_, m) if m >> 63 == 0 => 2,
                _ => 0,
            }
        };
        tags |= tag << (2 * phys);
    }
    put(&mut b, 0, (u32::from(control) | 0xffff_0000).to_le_bytes());
    put(&mut b, 4, (u32::from(status) | 0xffff_0000).to_le_bytes());
    put(&mut b, 8, (tags | 0xffff_0000).to_le_bytes());
    put(&mut b, 12, u32_at(fx, 8).to_le_bytes());
    put(&mut b, 16, (u32::from(cs) | u32::from(u16_at(fx, 6)) << 16).to_le_bytes());
    put(&mut b, 20, u32_at(fx, 16).to_le_bytes());
    put(&mut b, 24, (u32::from(ds) | 0xffff_0000).to_le_bytes());
    for n in 0..8 {
        b[28 + 10 * n..][..10].copy_from_slice(&fx[32 + 16 * n..][..10]);
    }
    b
}

/// Puts the 387's form back into a legacy region (`convert_to_fxsr`).
pub fn from_fsave(fsave: &[u8], fx: &mut [u8]) {
    put(fx, 0, u16_at(fsave, 0).to_le_bytes());
    put(fx, 2, u16_at(fsave, 4).to_le_bytes());
    let tags = u32_at(fsave, 8);
    fx[4] = (0..8).filter(|n| tags >> (2 * n) & 3 != 3).fold(0, |set, n| set | 1 << n);
    fx[5] = 0;
    put(fx, 6, u16_at(fsave, 18).to_le_bytes());
    put(fx, 8, u64::from(u32_at(fsave, 12)).to_le_bytes());
    put(fx, 16, u64::from(u32_at(fsave, 20)).to_le_bytes());
    for n in 0..8 {
        fx[32 + 16 * n..][..10].copy_from_slice(&fsave[28 + 10 * n..][..10]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_the_cpus() {
        assert_eq!(size(0), 512);
        assert_eq!(size(LEGACY), 576);
        assert_eq!(size(7), 832);
        assert_eq!(size(0xe7), 2688);
    }

    #[test]
    fn the_387s_form_comes_back() {
        let mut fx = vec![0u8; FXSAVE];
        // TOP is 6; physical 6 and 7 are in use: 1.0 and zero.
        put(&mut fx, 0, 0x37fu16.to_le_bytes());
        put(&mut fx, 2, 0x3000u16.to_le_bytes());
        fx[4] = 0xc0;
        put(&mut fx, 32, (1u64 << 63).to_le_bytes());
        put(&mut fx, 40, 0x3fffu16.to_le_bytes());
        let saved = to_fsave(&fx, 0x23, 0x2b);
        assert_eq!(u32_at(&saved, 8), 0xffff_0000 | 0x4fff);
        let mut back = vec![0u8; FXSAVE];
        from_fsave(&saved, &mut back);
        assert_eq!(back, fx);
    }
}
