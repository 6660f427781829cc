//! `/proc/cpuinfo` in the kernel's form (`arch/x86/kernel/cpu/proc.c`), by CPU model.

use guest_x86::features::{Feature, Out, TABLE};
use guest_x86::models::Cpu;

/// The kernel's name of a feature (`asm/cpufeatures.h`), where it is not ours with underscores.
fn kernel_name(name: &str) -> String {
    match name {
        "sse3" => "pni".to_owned(),
        "avx512vnni" => "avx512_vnni".to_owned(),
        "cr8legacy" => "cr8_legacy".to_owned(),
        "ss" => "ss".to_owned(),
        other => other.replace(['-', '.'], "_"),
    }
}

/// The order of the kernel's list: its capability words.
fn word(leaf: u32, sub: u32, out: Out) -> u32 {
    match (leaf, sub, out) {
        (1, 0, Out::D) => 0,
        (0x8000_0001, 0, Out::D) => 1,
        (1, 0, Out::C) => 4,
        (0x8000_0001, 0, Out::C) => 6,
        (7, 0, Out::B) => 9,
        (0xd, 1, Out::A) => 10,
        (7, 1, Out::A) => 12,
        (0x8000_0008, 0, Out::B) => 13,
        (7, 0, Out::C) => 16,
        _ => 18,
    }
}

fn flags(cpu: &Cpu) -> String {
    let mut list: Vec<(u32, u32, String)> = TABLE
        .iter()
        .filter(|row| cpu.has(row.0))
        .filter_map(|row| row.2.map(|(leaf, sub, out, bit)| (word(leaf, sub, out), bit, kernel_name(row.1))))
        .collect();
    if cpu.has(Feature::Lm) {
        list.push((3, 16, "rep_good".to_owned()));
    }
    list.sort_by_key(|row| (row.0, row.1));
    list.into_iter().map(|row| row.2).collect::<Vec<_>>().join(" ")
}

/// The file's text.
pub fn cpuinfo(cpu: &Cpu, processors: usize) -> String {
    let (family, model, stepping) = cpu.model.version;
    let brand = if cpu.model.brand.is_empty() { "unknown" } else { cpu.model.brand };
    let yes = |f| if cpu.has(f) { "yes" } else { "no" };
    let flags = flags(cpu);
    let (physical, linear) = if cpu.has(Feature::Lm) { (46, 48) } else { (36, 32) };
    (0..processors)
        .map(|n| {
            format!(
                "processor\t: {n}\nvendor_id\t: {}\ncpu family\t: {family}\nmodel\t\t: {model}\nmodel name\t: {brand}\n\
                 stepping\t: {stepping}\ncpu MHz\t\t: 2000.000\ncache size\t: 16384 KB\nphysical id\t: 0\nsiblings\t: \
                 {processors}\ncore id\t\t: {n}\ncpu cores\t: {processors}\napicid\t\t: {n}\ninitial apicid\t: {n}\nfpu\t\t: \
                 {}\nfpu_exception\t: {}\ncpuid level\t: {}\nwp\t\t: yes\nflags\t\t: {flags}\nbugs\t\t:\nbogomips\t: \
                 4000.00\nclflush size\t: 64\ncache_alignment\t: 64\naddress sizes\t: {physical} bits physical, {linear} bits \
                 virtual\npower management:\n\n",
                cpu.model.vendor,
                yes(Feature::Fpu),
                yes(Feature::Fpu),
                cpu.model.level,
            )
        })
        .collect()
}
