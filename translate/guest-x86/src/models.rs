//! CPU models: `-cpu NAME[,+feature][,-feature][,feature=on|off]`.

use crate::features::{Feature, Features, NOT_OFFERED, Out, TABLE, by_name};
use Feature as F;

/// A configured CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// 64 or 32.
    pub bits: u32,
    /// What it has.
    pub features: Features,
    /// The model.
    pub model: &'static Model,
}

/// A CPU model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// Name for `-cpu`.
    pub name: &'static str,
    /// Vendor string of CPUID leaf 0.
    pub vendor: &'static str,
    /// Family, model, stepping.
    pub version: (u32, u32, u32),
    /// Highest standard leaf.
    pub level: u32,
    /// Highest extended leaf; zero if there are none.
    pub extended: u32,
    /// Brand string of leaves 0x80000002 to 0x80000004.
    pub brand: &'static str,
    /// What it has.
    pub features: Features,
}

const I486: Features = Features::NONE.with(&[F::Fpu, F::Vme, F::Pse]);
const PENTIUM: Features = I486.with(&[F::De, F::Tsc, F::Msr, F::Mce, F::Cx8]);
const PENTIUM2: Features =
    PENTIUM.with(&[F::Pae, F::Sep, F::Mtrr, F::Pge, F::Mca, F::Cmov, F::Pat, F::Pse36, F::Mmx, F::Fxsr]);
const PENTIUM3: Features = PENTIUM2.with(&[F::Sse]);
const COREDUO: Features =
    PENTIUM3.with(&[F::Apic, F::Clflush, F::Acpi, F::Sse2, F::Ss, F::Sse3, F::Monitor, F::Nx]);
const N270: Features = COREDUO.with(&[F::Ssse3, F::Movbe, F::LahfLm]);
const CORE2DUO: Features = COREDUO.with(&[F::Ssse3, F::Cx16, F::Lm, F::Syscall, F::LahfLm]);
const ATHLON: Features = PENTIUM2.with(&[F::Sse, F::Apic, F::Syscall, F::Mmxext, F::D3now, F::D3nowext]);
const V1: Features = PENTIUM3.with(&[F::Apic, F::Clflush, F::Sse2, F::Lm, F::Syscall, F::Nx]);
const V2: Features = V1.with(&[F::Cx16, F::LahfLm, F::Popcnt, F::Sse3, F::Ssse3, F::Sse41, F::Sse42]);
const V3: Features =
    V2.with(&[F::Avx, F::Avx2, F::Bmi1, F::Bmi2, F::F16c, F::Fma, F::Abm, F::Movbe, F::Xsave]);
const V4: Features = V3.with(&[F::Avx512f, F::Avx512bw, F::Avx512cd, F::Avx512dq, F::Avx512vl]);
const QEMU64: Features = V1.with(&[F::Hypervisor, F::Cx16, F::LahfLm, F::Sse3]);
const KVM64: Features = V1.with(&[F::Hypervisor, F::Cx16, F::Sse3]);
const QEMU32: Features = PENTIUM3.with(&[F::Apic, F::Sse2, F::Sse3, F::Hypervisor, F::Clflush]);
const KVM32: Features = PENTIUM3.with(&[F::Apic, F::Sse2, F::Sse3, F::Hypervisor, F::Clflush]);
const CONROE: Features = V1.with(&[F::Sse3, F::Ssse3, F::LahfLm]);
const PENRYN: Features = CONROE.with(&[F::Cx16, F::Sse41]);
const NEHALEM: Features = PENRYN.with(&[F::Sse42, F::Popcnt]);
const WESTMERE: Features = NEHALEM.with(&[F::Aes, F::Pclmulqdq]);
const SANDYBRIDGE: Features = WESTMERE.with(&[F::Avx, F::Xsave, F::Rdtscp, F::Xsaveopt]);
const IVYBRIDGE: Features = SANDYBRIDGE.with(&[F::F16c, F::Rdrand, F::Fsgsbase, F::Erms]);
const HASWELL: Features = IVYBRIDGE.with(&[F::Fma, F::Movbe, F::Bmi1, F::Bmi2, F::Avx2, F::Abm]);
const BROADWELL: Features = HASWELL.with(&[F::Rdseed, F::Adx, F::Prefetchw]);
const SKYLAKE: Features = BROADWELL.with(&[F::Xsavec, F::Xgetbv1]);
const SKYLAKE_SERVER: Features = SKYLAKE.with(&[
    F::Avx512f,
    F::Avx512dq,
    F::Avx512cd,
    F::Avx512bw,
    F::Avx512vl,
    F::Clwb,
    F::Clflushopt,
    F::Pku,
    F::Pdpe1gb,
]);
const CASCADELAKE: Features = SKYLAKE_SERVER.with(&[F::Avx512vnni]);
const ICELAKE: Features = CASCADELAKE.with(&[
    F::Avx512vbmi,
    F::Umip,
    F::Avx512vbmi2,
    F::Gfni,
    F::Vaes,
    F::Vpclmulqdq,
    F::Avx512bitalg,
    F::Avx512vpopcntdq,
    F::Avx512ifma,
    F::ShaNi,
    F::Rdpid,
    F::Fsrm,
]);
const SAPPHIRE: Features = ICELAKE.with(&[F::Serialize, F::AvxVnni, F::Avx512bf16, F::Movdiri, F::Movdir64b]);
const OPTERON1: Features = V1.with(&[F::Sse3]);
const OPTERON2: Features = OPTERON1.with(&[F::Cx16, F::LahfLm]);
const OPTERON3: Features =
    OPTERON2.with(&[F::Monitor, F::Popcnt, F::Abm, F::Sse4a, F::Misalignsse, F::Rdtscp]);
const OPTERON4: Features = OPTERON3.with(&[
    F::Ssse3,
    F::Sse41,
    F::Sse42,
    F::Aes,
    F::Pclmulqdq,
    F::Avx,
    F::Xsave,
    F::Prefetchw,
    F::Pdpe1gb,
]);
const OPTERON5: Features = OPTERON4.with(&[F::Fma, F::F16c, F::Tbm, F::Bmi1]);
const PHENOM: Features = OPTERON2.with(&[
    F::Monitor,
    F::Ht,
    F::Popcnt,
    F::Abm,
    F::Sse4a,
    F::Mmxext,
    F::D3now,
    F::D3nowext,
    F::FxsrOpt,
    F::Pdpe1gb,
    F::Rdtscp,
]);
const EPYC: Features = OPTERON4.with(&[
    F::Fma,
    F::F16c,
    F::Movbe,
    F::Rdrand,
    F::Fsgsbase,
    F::Bmi1,
    F::Bmi2,
    F::Avx2,
    F::Rdseed,
    F::Adx,
    F::Clflushopt,
    F::ShaNi,
    F::Xsaveopt,
    F::Xsavec,
    F::Xgetbv1,
    F::Mmxext,
    F::FxsrOpt,
    F::Cr8legacy,
]);
const EPYC_ROME: Features = EPYC.with(&[F::Clwb, F::Umip, F::Rdpid, F::Clzero]);
const EPYC_MILAN: Features = EPYC_ROME.with(&[F::Erms, F::Fsrm, F::Pku, F::Vaes, F::Vpclmulqdq]);
const EPYC_GENOA: Features = EPYC_MILAN.with(&[
    F::Avx512f,
    F::Avx512dq,
    F::Avx512cd,
    F::Avx512bw,
    F::Avx512vl,
    F::Avx512ifma,
    F::Avx512vbmi,
    F::Avx512vbmi2,
    F::Gfni,
    F::Avx512vnni,
    F::Avx512bitalg,
    F::Avx512vpopcntdq,
    F::Avx512bf16,
]);
/// Everything that Intel's CPUs have; what is not translated goes by [`NOT_OFFERED`], as from every model.
const MAX: Features = Features::ALL.without(&[
    F::Tbm,
    F::Sse4a,
    F::Clzero,
    F::Monitor,
    F::D3now,
    F::D3nowext,
    F::Mmxext,
    F::Misalignsse,
    F::CmpLegacy,
    F::Cr8legacy,
    F::FxsrOpt,
]);

const INTEL: &str = "GenuineIntel";
const AMD: &str = "AuthenticAMD";

const fn m(
    name: &'static str,
    vendor: &'static str,
    version: (u32, u32, u32),
    level: u32,
    extended: u32,
    brand: &'static str,
    features: Features,
) -> Model {
    Model { name, vendor, version, level, extended, brand, features }
}

/// All models, the default first. Facts: the vendors' CPUID documents; names and numbers as QEMU's users know them.
pub const MODELS: &[Model] = &[
    m("max", INTEL, (6, 143, 8), 0x1f, 0x80000008, "Omnirun x86 max", MAX),
    m("486", INTEL, (4, 8, 0), 0x1, 0x0, "", I486),
    m("pentium", INTEL, (5, 4, 3), 0x1, 0x0, "", PENTIUM),
    m("pentium2", INTEL, (6, 5, 2), 0x2, 0x0, "", PENTIUM2),
    m("pentium3", INTEL, (6, 7, 3), 0x3, 0x0, "", PENTIUM3),
    m(
        "coreduo",
        INTEL,
        (6, 14, 8),
        0xa,
        0x80000008,
        "Genuine Intel(R) CPU           T2600  @ 2.16GHz",
        COREDUO,
    ),
    m(
        "core2duo",
        INTEL,
        (6, 15, 11),
        0xa,
        0x80000008,
        "Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz",
        CORE2DUO,
    ),
    m("n270", INTEL, (6, 28, 2), 0xa, 0x80000008, "Intel(R) Atom(TM) CPU N270   @ 1.60GHz", N270),
    m("athlon", AMD, (6, 2, 3), 0x1, 0x80000008, "AMD Athlon", ATHLON),
    m("phenom", AMD, (16, 2, 3), 0x5, 0x8000001a, "AMD Phenom(tm) 9550 Quad-Core Processor", PHENOM),
    m("qemu64", AMD, (15, 107, 1), 0xd, 0x8000000a, "QEMU Virtual CPU version 2.5+", QEMU64),
    m("qemu32", INTEL, (6, 6, 3), 0x4, 0x80000004, "QEMU Virtual CPU version 2.5+", QEMU32),
    m("kvm64", INTEL, (15, 6, 1), 0xd, 0x80000008, "Common KVM processor", KVM64),
    m("kvm32", INTEL, (15, 6, 1), 0x5, 0x80000008, "Common 32-bit KVM processor", KVM32),
    m("Conroe", INTEL, (6, 15, 3), 0xa, 0x80000008, "Intel Celeron_4x0 (Conroe/Merom Class Core 2)", CONROE),
    m("Penryn", INTEL, (6, 23, 3), 0xa, 0x80000008, "Intel Core 2 Duo P9xxx (Penryn Class Core 2)", PENRYN),
    m("Nehalem", INTEL, (6, 26, 3), 0xb, 0x80000008, "Intel Core i7 9xx (Nehalem Class Core i7)", NEHALEM),
    m("Westmere", INTEL, (6, 44, 1), 0xb, 0x80000008, "Westmere E56xx/L56xx/X56xx (Nehalem-C)", WESTMERE),
    m("SandyBridge", INTEL, (6, 42, 1), 0xd, 0x80000008, "Intel Xeon E312xx (Sandy Bridge)", SANDYBRIDGE),
    m("IvyBridge", INTEL, (6, 58, 9), 0xd, 0x80000008, "Intel Xeon E3-12xx v2 (Ivy Bridge)", IVYBRIDGE),
    m("Haswell", INTEL, (6, 60, 4), 0xd, 0x80000008, "Intel Core Processor (Haswell)", HASWELL),
    m("Broadwell", INTEL, (6, 61, 2), 0xd, 0x80000008, "Intel Core Processor (Broadwell)", BROADWELL),
    m("Skylake-Client", INTEL, (6, 94, 3), 0xd, 0x80000008, "Intel Core Processor (Skylake)", SKYLAKE),
    m("Skylake-Server", INTEL, (6, 85, 4), 0xd, 0x80000008, "Intel Xeon Processor (Skylake)", SKYLAKE_SERVER),
    m(
        "Cascadelake-Server",
        INTEL,
        (6, 85, 6),
        0xd,
        0x80000008,
        "Intel Xeon Processor (Cascadelake)",
        CASCADELAKE,
    ),
    m("Icelake-Server", INTEL, (6, 134, 0), 0xd, 0x80000008, "Intel Xeon Processor (Icelake)", ICELAKE),
    m(
        "SapphireRapids",
        INTEL,
        (6, 143, 4),
        0x20,
        0x80000008,
        "Intel Xeon Processor (SapphireRapids)",
        SAPPHIRE,
    ),
    m("Opteron_G1", AMD, (15, 6, 1), 0x5, 0x80000008, "AMD Opteron 240 (Gen 1 Class Opteron)", OPTERON1),
    m("Opteron_G2", AMD, (15, 6, 1), 0x5, 0x80000008, "AMD Opteron 22xx (Gen 2 Class Opteron)", OPTERON2),
    m("Opteron_G3", AMD, (16, 2, 3), 0x5, 0x80000008, "AMD Opteron 23xx (Gen 3 Class Opteron)", OPTERON3),
    m("Opteron_G4", AMD, (21, 1, 2), 0xd, 0x8000001a, "AMD Opteron 62xx class CPU", OPTERON4),
    m("Opteron_G5", AMD, (21, 2, 0), 0xd, 0x8000001a, "AMD Opteron 63xx class CPU", OPTERON5),
    m("EPYC", AMD, (23, 1, 2), 0xd, 0x8000001e, "AMD EPYC Processor", EPYC),
    m("EPYC-Rome", AMD, (23, 49, 0), 0xd, 0x8000001e, "AMD EPYC-Rome Processor", EPYC_ROME),
    m("EPYC-Milan", AMD, (25, 1, 1), 0xd, 0x8000001e, "AMD EPYC-Milan Processor", EPYC_MILAN),
    m("EPYC-Genoa", AMD, (25, 17, 0), 0xd, 0x80000022, "AMD EPYC-Genoa Processor", EPYC_GENOA),
    m("x86-64-v1", INTEL, (15, 6, 1), 0xd, 0x80000008, "Omnirun x86-64-v1", V1),
    m("x86-64-v2", INTEL, (6, 44, 1), 0xd, 0x80000008, "Omnirun x86-64-v2", V2),
    m("x86-64-v3", INTEL, (6, 60, 4), 0xd, 0x80000008, "Omnirun x86-64-v3", V3),
    m("x86-64-v4", INTEL, (6, 85, 4), 0xd, 0x80000008, "Omnirun x86-64-v4", V4),
];

/// Text of `-cpu help`.
pub fn help(bits: u32) -> String {
    let names = MODELS.iter().filter(|m| bits == 32 || m.features.has(Feature::Lm));
    let names: String = names.map(|model| format!("  {}\n", model.name)).collect();
    format!("Available CPUs:\n{names}")
}

impl Cpu {
    /// The default CPU of this width.
    pub fn default_for(bits: u32) -> Cpu {
        let model = &MODELS[0];
        Cpu { bits, features: narrowed(model.features, bits), model }
    }

    /// The CPU that a `-cpu` argument names; the error is one line.
    pub fn parse(bits: u32, text: &str) -> Result<Cpu, String> {
        let mut parts = text.split(',');
        let name = parts.next().unwrap_or_default();
        let model = MODELS
            .iter()
            .find(|m| m.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| format!("unable to find CPU model '{name}'"))?;
        let mut features = narrowed(model.features, bits);
        for part in parts.filter(|p| !p.is_empty()) {
            let (feature, on) = match (part.strip_prefix('+'), part.strip_prefix('-'), part.split_once('=')) {
                (Some(name), _, _) => (name, true),
                (_, Some(name), _) => (name, false),
                (_, _, Some((name, "on" | "true" | "yes"))) => (name, true),
                (_, _, Some((name, "off" | "false" | "no"))) => (name, false),
                _ => (part, true),
            };
            let known = by_name(feature).ok_or_else(|| {
                format!("can't apply global {name}-x86_64-cpu.{feature}=on: Property '{name}-x86_64-cpu.{feature}' not found")
            })?;
            if on && NOT_OFFERED.has(known) {
                return Err(format!(
                    "CPU feature '{feature}' is not offered yet: its instructions are not translated"
                ));
            }
            features = features.set(known, on);
        }
        Ok(Cpu { bits, features, model })
    }

    /// EDX of CPUID leaf 1: what AT_HWCAP is.
    pub fn feature_bits(&self) -> u32 {
        let bit = |row: &(Feature, &str, Option<crate::features::Place>)| match row.2 {
            Some((1, 0, Out::D, n)) if self.has(row.0) => 1 << n,
            _ => 0,
        };
        TABLE.iter().map(bit).sum()
    }

    /// Whether it has a feature.
    pub fn has(&self, f: Feature) -> bool {
        self.features.has(f)
    }
}

/// What of a model's features a CPU of this width has here.
fn narrowed(features: Features, bits: u32) -> Features {
    let features = features.minus(NOT_OFFERED);
    if bits == 32 { features.without(&[F::Lm, F::Syscall, F::LahfLm]) } else { features }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_levels_contain_each_other_and_models_are_unique() {
        let of = |name: &str| MODELS.iter().find(|m| m.name == name).expect("there").features;
        for pair in ["x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v4", "max"].windows(2) {
            assert!(of(pair[0]).iter().all(|f| of(pair[1]).has(f)), "{pair:?}");
        }
        for (i, m) in MODELS.iter().enumerate() {
            assert!(MODELS[..i].iter().all(|n| n.name != m.name), "{}", m.name);
            assert!(m.brand.len() < 48, "{}", m.name);
        }
    }

    #[test]
    fn properties_change_a_model() {
        let cpu = Cpu::parse(64, "max,-avx,sse4.2=off").expect("a model");
        assert!(!cpu.has(Feature::Avx) && !cpu.has(Feature::Sse42) && cpu.has(Feature::Sse2));
        assert!(Cpu::parse(64, "nonsense").is_err());
        assert!(Cpu::parse(64, "max,nonsense=on").is_err());
    }

    #[test]
    fn no_model_offers_what_is_not_translated() {
        for (model, bits) in MODELS.iter().flat_map(|m| [(m, 64), (m, 32)]) {
            let cpu = Cpu::parse(bits, model.name).expect("a model");
            assert_eq!(cpu.features.and(NOT_OFFERED), Features::NONE, "{}", model.name);
        }
        for feature in NOT_OFFERED.iter() {
            let name = TABLE[feature as usize].1;
            let error = Cpu::parse(64, &format!("max,+{name}")).expect_err("not offered");
            assert!(error.contains(name) && !error.contains('\n'), "{error}");
            assert!(Cpu::parse(64, &format!("max,-{name}")).is_ok());
        }
    }
}
