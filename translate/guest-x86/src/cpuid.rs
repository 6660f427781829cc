//! CPUID. SDM volume 2A; AMD64 manual volume 3, appendix E.

use crate::features::{Feature, Out, TABLE};
use crate::models::Cpu;

/// The state components that a CPU's XCR0 has on: x87, SSE, AVX, the three of AVX-512, PKRU.
pub fn xcr0(cpu: &Cpu) -> u64 {
    let mut bits = 3;
    if cpu.has(Feature::Avx) {
        bits |= 4;
    }
    if cpu.has(Feature::Avx512f) {
        bits |= 0xe0;
    }
    if cpu.has(Feature::Pku) {
        bits |= 0x200;
    }
    bits
}

/// Offset in the standard format and size of an XSAVE component.
pub fn component(n: u32) -> Option<(u32, u32)> {
    Some(match n {
        2 => (576, 256),
        5 => (1088, 64),
        6 => (1152, 512),
        7 => (1664, 1024),
        9 => (2688, 8),
        _ => return None,
    })
}

/// Size of the standard-format area with these components.
pub fn xsave_size(components: u64) -> u32 {
    let last =
        (2..10).filter(|n| components >> n & 1 != 0).filter_map(component).map(|(at, size)| at + size).max();
    last.unwrap_or(576)
}

/// Size of the compacted area.
fn compact_size(components: u64) -> u32 {
    let sizes = (2..10).filter(|n| components >> n & 1 != 0).filter_map(component).map(|(_, size)| size);
    576 + sizes.sum::<u32>()
}

/// eax, ebx, ecx, edx.
pub fn cpuid(cpu: &Cpu, leaf: u32, sub: u32) -> [u32; 4] {
    let m = cpu.model;
    // Beyond the highest leaf: Intel's CPUs answer as for the highest basic one.
    let leaf = match leaf {
        0x8000_0000.. if leaf <= m.extended => leaf,
        0..=0x7fff_ffff if leaf <= m.level => leaf,
        0x8000_0000.. if m.extended == 0 => m.level,
        0x8000_0000.. if m.vendor == "AuthenticAMD" => return [0; 4],
        _ if m.vendor == "AuthenticAMD" => return [0; 4],
        _ => m.level,
    };
    let mut r = match leaf {
        0 => vendor(m.vendor, m.level),
        1 => {
            let (family, model, stepping) = m.version;
            let version = stepping
                | (model & 15) << 4
                | family.min(15) << 8
                | (model >> 4) << 16
                | family.saturating_sub(15) << 20;
            let osxsave = if cpu.has(Feature::Xsave) { 1 << 27 } else { 0 };
            // One logical processor; a cache line of 64 bytes.
            [version, 8 << 8 | 1 << 16, osxsave, 0]
        }
        2 => [0x0000_0001, 0, 0x4d, 0x2c_307d],
        4 if m.vendor != "AuthenticAMD" => cache(sub),
        7 if sub == 0 => [1, 0, 0, 0],
        0xb => match sub {
            0 => [0, 1, 0x100, 0],
            1 => [0, 1, 0x201, 0],
            n => [0, 0, n & 0xff, 0],
        },
        0xd if cpu.has(Feature::Xsave) => xsave(cpu, sub),
        0x8000_0000 => vendor(m.vendor, m.extended),
        0x8000_0002..=0x8000_0004 => {
            let mut text = [0; 48];
            text[..m.brand.len()].copy_from_slice(m.brand.as_bytes());
            let at = (leaf - 0x8000_0002) as usize * 16;
            std::array::from_fn(|n| {
                u32::from_le_bytes([
                    text[at + 4 * n],
                    text[at + 4 * n + 1],
                    text[at + 4 * n + 2],
                    text[at + 4 * n + 3],
                ])
            })
        }
        0x8000_0005 if m.vendor == "AuthenticAMD" => [0, 0, 0x2008_0140, 0x2008_0140],
        0x8000_0006 => [0, 0, 0x0800_8140, 0],
        // 46 and 48 bits of physical and linear addresses.
        0x8000_0008 => [0x302e, 0, 0, 0],
        _ => [0; 4],
    };
    for &(feature, _, place) in TABLE {
        if let Some((l, s, out, bit)) = place
            && l == leaf
            && (s == sub || leaf != 7 && leaf != 13)
            && cpu.has(feature)
        {
            r[out as usize] |= 1 << bit;
        }
    }
    if leaf == 0x8000_0001 && m.vendor == "AuthenticAMD" {
        // AMD repeats the old features.
        let copied = cpuid(cpu, 1, 0)[Out::D as usize] & 0x0183_f3ff;
        r[Out::D as usize] |= copied;
    }
    r
}

fn vendor(name: &str, highest: u32) -> [u32; 4] {
    let word = |at: usize| {
        let b = name.as_bytes();
        u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
    };
    [highest, word(0), word(8), word(4)]
}

/// Deterministic cache parameters: 32 KiB of data, of instructions, 2 MiB, 16 MiB.
fn cache(sub: u32) -> [u32; 4] {
    let entry = |kind: u32, level: u32, ways: u32, sets: u32| {
        [kind | level << 5 | 1 << 8, 63 | (ways - 1) << 22, sets - 1, 0]
    };
    match sub {
        0 => entry(1, 1, 8, 64),
        1 => entry(2, 1, 8, 64),
        2 => entry(3, 2, 16, 2048),
        3 => entry(3, 3, 16, 16384),
        _ => [0; 4],
    }
}

fn xsave(cpu: &Cpu, sub: u32) -> [u32; 4] {
    let on = xcr0(cpu);
    match sub {
        0 => [on as u32, xsave_size(on), xsave_size(on), (on >> 32) as u32],
        1 => [0, compact_size(on), 0, 0],
        n => match component(n).filter(|_| n < 32 && on >> n & 1 != 0) {
            Some((at, size)) => [size, at, 0, 0],
            None => [0; 4],
        },
    }
}
