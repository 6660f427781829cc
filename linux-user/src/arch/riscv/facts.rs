//! What the kernel says of the CPU: `riscv_hwprobe`, `/proc/cpuinfo`.

use guest_riscv::cpu::{Cpu, Feature as E};

/// Keys of UAPI `asm/hwprobe.h`.
const EXTENSIONS: i64 = 4;

/// Bits of the key for extensions, in order.
const BITS: [Option<E>; 59] = [
    // F and D together.
    Some(E::D),
    Some(E::C),
    Some(E::V),
    Some(E::Zba),
    Some(E::Zbb),
    Some(E::Zbs),
    Some(E::Zicboz),
    Some(E::Zbc),
    Some(E::Zbkb),
    Some(E::Zbkc),
    Some(E::Zbkx),
    Some(E::Zknd),
    Some(E::Zkne),
    Some(E::Zknh),
    Some(E::Zksed),
    Some(E::Zksh),
    Some(E::Zkt),
    Some(E::Zvbb),
    Some(E::Zvbc),
    Some(E::Zvkb),
    Some(E::Zvkg),
    Some(E::Zvkned),
    Some(E::Zvknha),
    Some(E::Zvknhb),
    Some(E::Zvksed),
    Some(E::Zvksh),
    Some(E::Zvkt),
    Some(E::Zfh),
    Some(E::Zfhmin),
    Some(E::Zihintntl),
    Some(E::Zvfh),
    Some(E::Zvfhmin),
    Some(E::Zfa),
    Some(E::Ztso),
    Some(E::Zacas),
    Some(E::Zicond),
    Some(E::Zihintpause),
    Some(E::Zve32x),
    Some(E::Zve32f),
    Some(E::Zve64x),
    Some(E::Zve64f),
    Some(E::Zve64d),
    Some(E::Zimop),
    Some(E::Zca),
    Some(E::Zcb),
    Some(E::Zcd),
    Some(E::Zcf),
    Some(E::Zcmop),
    Some(E::Zawrs),
    // Pointer masking: the system calls that turn it on are not there.
    None,
    Some(E::Zicntr),
    Some(E::Zihpm),
    Some(E::Zfbfmin),
    Some(E::Zvfbfmin),
    Some(E::Zvfbfwma),
    Some(E::Zicbom),
    Some(E::Zaamo),
    Some(E::Zalrsc),
    Some(E::Zabha),
];

/// The value of a key; none if it is not known. `top` is the first address past user space.
pub fn probe(cpu: &Cpu, key: i64, top: u64) -> Option<u64> {
    /// Misaligned accesses of either kind are fast: they are the host's.
    const FAST: u64 = 3;
    let has = |f| cpu.features.has(f);
    match key {
        0..=2 => Some(cpu.ids[key as usize]),
        3 => Some(u64::from(has(E::M) && has(E::A))),
        EXTENSIONS => {
            let set = BITS.iter().enumerate().filter(|(_, f)| f.is_some_and(has));
            Some(set.fold(0, |bits, (n, _)| bits | 1 << n))
        }
        // The three bits of the old key.
        5 => Some(FAST),
        6 => Some(if has(E::Zicboz) { u64::from(cpu.block.zero) } else { 0 }),
        7 => Some(top - 1),
        // What the time counter of the translator counts.
        8 => Some(10_000_000),
        9 => Some(FAST),
        10 => Some(if has(E::Zve32x) { FAST } else { 4 }),
        12 => Some(if has(E::Zicbom) { u64::from(cpu.block.manage) } else { 0 }),
        _ => None,
    }
}

/// Whether the key's values are sets of bits, of which a question names some.
pub fn is_set(key: i64) -> bool {
    matches!(key, 3 | EXTENSIONS | 5)
}

/// `/proc/cpuinfo`.
pub fn cpuinfo(cpu: &Cpu, processors: usize) -> String {
    let isa = cpu.isa();
    let mmu = if cpu.xlen == 32 { "sv32" } else { "sv48" };
    let [vendor, arch, implementation] = cpu.ids;
    (0..processors)
        .map(|n| {
            format!(
                "processor\t: {n}\nhart\t\t: {n}\nisa\t\t: {isa}\nmmu\t\t: {mmu}\nmvendorid\t: {vendor:#x}\n\
                 marchid\t\t: {arch:#x}\nmimpid\t\t: {implementation:#x}\nhart isa\t: {isa}\n\n"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_have_the_kernels_bits() {
        let of = |text: &str| probe(&Cpu::parse(64, text).unwrap(), EXTENSIONS, 1 << 47).unwrap();
        // rv64gc with what C brings along (Zca, Zcd), and A (Zaamo, Zalrsc).
        assert_eq!(of("sifive-u54") & (1 << 43 | 1 << 45 | 7), 1 << 43 | 1 << 45 | 3);
        assert_eq!(of("max,v=off") & 1 << 2, 0);
        assert_eq!(of("max") & 1 << 2, 4);
        assert_eq!(of("max") >> 59, 0);
    }
}
