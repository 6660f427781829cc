//! CPU features and models; what a program can learn about them: HWCAP, HWCAP2, ID registers.
//!
//! Facts: Arm Architecture Reference Manual DDI 0487 (ID registers), Linux `Documentation/arch/arm64/elf_hwcaps.rst` and
//! `cpu-feature-registers.rst` (what the kernel shows to EL0), the cores' technical reference manuals (MIDR, features).

pub use crate::decode::Features;
pub use crate::regs::*;

/// An architecture feature that programs can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "named as in the Arm manual, FEAT_<name>")]
pub enum Feature {
    Aes,
    Pmull,
    Sha1,
    Sha256,
    Sha512,
    Sha3,
    Sm3,
    Sm4,
    Crc32,
    Lse,
    Lse2,
    Lse128,
    Rdm,
    Fp16,
    Fhm,
    Dotprod,
    Fcma,
    Jscvt,
    Frintts,
    I8mm,
    Bf16,
    Rcpc,
    Rcpc2,
    Rcpc3,
    Lor,
    Flagm,
    Flagm2,
    Pauth,
    Pauth2,
    Fpac,
    Dgh,
    Dit,
    Ssbs,
    Bti,
    Sb,
    Specres,
    Dpb,
    Dpb2,
    Rng,
    Wfxt,
    Xs,
    Mops,
    Cssc,
    Hbc,
    Ecv,
    Afp,
    Rpres,
}

use Feature as F;

const FEATURE_NAMES: &[(&str, Feature)] = &[
    ("aes", F::Aes),
    ("pmull", F::Pmull),
    ("sha1", F::Sha1),
    ("sha256", F::Sha256),
    ("sha512", F::Sha512),
    ("sha3", F::Sha3),
    ("sm3", F::Sm3),
    ("sm4", F::Sm4),
    ("crc32", F::Crc32),
    ("lse", F::Lse),
    ("lse2", F::Lse2),
    ("lse128", F::Lse128),
    ("rdm", F::Rdm),
    ("fp16", F::Fp16),
    ("fhm", F::Fhm),
    ("dotprod", F::Dotprod),
    ("fcma", F::Fcma),
    ("jscvt", F::Jscvt),
    ("frintts", F::Frintts),
    ("i8mm", F::I8mm),
    ("bf16", F::Bf16),
    ("rcpc", F::Rcpc),
    ("rcpc2", F::Rcpc2),
    ("rcpc3", F::Rcpc3),
    ("lor", F::Lor),
    ("flagm", F::Flagm),
    ("flagm2", F::Flagm2),
    ("pauth", F::Pauth),
    ("pauth2", F::Pauth2),
    ("fpac", F::Fpac),
    ("dgh", F::Dgh),
    ("dit", F::Dit),
    ("ssbs", F::Ssbs),
    ("bti", F::Bti),
    ("sb", F::Sb),
    ("specres", F::Specres),
    ("dpb", F::Dpb),
    ("dpb2", F::Dpb2),
    ("rng", F::Rng),
    ("wfxt", F::Wfxt),
    ("xs", F::Xs),
    ("mops", F::Mops),
    ("cssc", F::Cssc),
    ("hbc", F::Hbc),
    ("ecv", F::Ecv),
    ("afp", F::Afp),
    ("rpres", F::Rpres),
];

impl Features {
    /// Everything that is implemented. `Features::NONE` is Armv8.0 with floating point and Advanced SIMD.
    pub const ALL: Self = Self::up_to(Feature::Rpres);
}

/// A named CPU.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// As given to `-cpu`.
    pub name: &'static str,
    /// Main ID register.
    pub midr: u32,
    /// What it has, as far as it is implemented here.
    pub features: Features,
}

const V8_0: Features = Features::NONE.with(&[F::Aes, F::Pmull, F::Sha1, F::Sha256, F::Crc32]);
const V8_2: Features = V8_0.with(&[F::Lse, F::Lor, F::Rdm, F::Fp16, F::Dotprod, F::Dpb, F::Rcpc]);
const N1: Features = V8_2.with(&[F::Ssbs]);
const V8_4: Features = N1.with(&[
    F::Fhm,
    F::Fcma,
    F::Jscvt,
    F::Rcpc2,
    F::Flagm,
    F::Pauth,
    F::Dit,
    F::Dpb2,
    F::I8mm,
    F::Bf16,
    F::Lse2,
]);
const V1: Features = V8_4.with(&[F::Pauth2, F::Sha512, F::Sha3, F::Sm3, F::Sm4, F::Rng]);
const A710: Features = V8_4.with(&[
    F::Pauth2,
    F::Fpac,
    F::Bti,
    F::Flagm2,
    F::Frintts,
    F::Sb,
    F::Specres,
    F::Sha512,
    F::Sha3,
    F::Sm3,
    F::Sm4,
]);

const A64FX: Features = V8_0.with(&[F::Lse, F::Lor, F::Rdm, F::Fp16, F::Dpb, F::Fcma]);
const A78AE: Features = N1.with(&[F::Rcpc2, F::Flagm, F::Lse2]);
const N2: Features = A710.with(&[F::Rng]);

/// All models; the first is the default.
pub const MODELS: &[Model] = &[
    Model { name: "max", midr: 0x000f_04f0, features: Features::ALL },
    Model { name: "a64fx", midr: 0x461f_0010, features: A64FX },
    Model { name: "cortex-a35", midr: 0x411f_d040, features: V8_0 },
    Model { name: "cortex-a53", midr: 0x410f_d034, features: V8_0 },
    Model { name: "cortex-a55", midr: 0x412f_d050, features: V8_2 },
    Model { name: "cortex-a57", midr: 0x411f_d070, features: V8_0 },
    Model { name: "cortex-a72", midr: 0x410f_d083, features: V8_0 },
    Model { name: "cortex-a76", midr: 0x414f_d0b1, features: N1 },
    Model { name: "cortex-a78ae", midr: 0x410f_d423, features: A78AE },
    Model { name: "cortex-a710", midr: 0x412f_d471, features: A710 },
    Model { name: "neoverse-n1", midr: 0x414f_d0c1, features: N1 },
    Model { name: "neoverse-n2", midr: 0x410f_d493, features: N2 },
    Model { name: "neoverse-v1", midr: 0x411f_d402, features: V1 },
];

/// Properties of other emulators' CPUs for what is not there: they can be turned off.
const ABSENT: &[&str] = &["sve", "sme", "mte", "pauth-qarma3", "lpa2"];

/// A CPU as configured.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    /// The model's name.
    pub name: &'static str,
    /// Main ID register.
    pub midr: u32,
    /// What it has.
    pub features: Features,
    /// Pointer authentication by the architected QARMA5 instead of the fast algorithm.
    pub qarma5: bool,
    /// Misaligned atomics inside 16 aligned bytes work, as FEAT_LSE2 has it. Without the feature itself it is not promised
    /// that a pair of registers is loaded or stored at once.
    pub relaxed_atomics: bool,
}

impl Default for Cpu {
    fn default() -> Self {
        let m = &MODELS[0];
        Cpu { name: m.name, midr: m.midr, features: m.features, qarma5: false, relaxed_atomics: true }
    }
}

impl Cpu {
    /// What a program gets when nothing is said: all but the copy instructions, for libraries that find them use them
    /// even for a few bytes, where their own code is several times faster than a call out of translated code; and all but
    /// the promise of LSE2 that LDP and STP are atomic, which costs each of them and is asked for by lock-free 16-byte
    /// loads only.
    pub fn preferred() -> Cpu {
        let all = Cpu::default();
        Cpu { features: all.features.without(&[F::Mops, F::Lse2]), ..all }
    }

    /// Parses the argument of `-cpu`: `model[,property=on|off]...`. Properties are feature names and `pauth-impdef`
    /// (off selects QARMA5). An error is one line for the user.
    pub fn parse(text: &str) -> Result<Cpu, String> {
        let mut parts = text.split(',');
        let name = match parts.next().unwrap_or("") {
            "any" => "max",
            name => name,
        };
        let model = MODELS
            .iter()
            .find(|m| m.name == name)
            .ok_or_else(|| format!("unable to find CPU model '{name}'"))?;
        let Model { name: model_name, midr, features } = *model;
        let mut cpu = Cpu { name: model_name, midr, features, qarma5: false, relaxed_atomics: false };
        for property in parts {
            let (key, value) = property.split_once('=').unwrap_or((property, "on"));
            let on = match value {
                "on" | "true" | "yes" => true,
                "off" | "false" | "no" => false,
                _ => return Err(format!("CPU property '{key}' takes on or off, not '{value}'")),
            };
            if key == "pauth-impdef" || key == "pauth-qarma5" {
                cpu.qarma5 = on == (key == "pauth-qarma5");
            } else if !on && ABSENT.contains(&key) {
                // As asked: it is not there.
            } else if let Some(&(_, f)) = FEATURE_NAMES.iter().find(|(n, _)| *n == key) {
                cpu.features = if on { cpu.features.with(&[f]) } else { cpu.features.without(&[f]) };
            } else {
                return Err(format!("CPU '{name}' has no property '{key}'"));
            }
        }
        cpu.relaxed_atomics = cpu.features.has(F::Lse2);
        Ok(cpu)
    }

    fn bits(&self, table: &[(Feature, u32)]) -> u64 {
        table.iter().filter(|(f, _)| self.features.has(*f)).fold(0, |m, &(_, bit)| m | 1 << bit)
    }

    /// AT_HWCAP. FP, ASIMD, EVTSTRM and CPUID are always there.
    pub fn hwcap(&self) -> u64 {
        let mut caps = 1 | 1 << 1 | 1 << 2 | 1 << 11;
        caps |= self.bits(&[
            (F::Aes, 3),
            (F::Pmull, 4),
            (F::Sha1, 5),
            (F::Sha256, 6),
            (F::Crc32, 7),
            (F::Lse, 8),
            (F::Fp16, 9),
            (F::Fp16, 10),
            (F::Rdm, 12),
            (F::Jscvt, 13),
            (F::Fcma, 14),
            (F::Rcpc, 15),
            (F::Dpb, 16),
            (F::Sha3, 17),
            (F::Sm3, 18),
            (F::Sm4, 19),
            (F::Dotprod, 20),
            (F::Sha512, 21),
            (F::Fhm, 23),
            (F::Dit, 24),
            (F::Lse2, 25),
            (F::Rcpc2, 26),
            (F::Flagm, 27),
            (F::Ssbs, 28),
            (F::Sb, 29),
            (F::Pauth, 30),
            (F::Pauth, 31),
        ]);
        caps
    }

    /// AT_HWCAP2.
    pub fn hwcap2(&self) -> u64 {
        self.bits(&[
            (F::Dpb2, 0),
            (F::Flagm2, 7),
            (F::Frintts, 8),
            (F::I8mm, 13),
            (F::Bf16, 14),
            (F::Dgh, 15),
            (F::Rng, 16),
            (F::Bti, 17),
            (F::Ecv, 19),
            (F::Afp, 20),
            (F::Rpres, 21),
            (F::Wfxt, 31),
            (F::Cssc, 34),
            (F::Mops, 43),
            (F::Hbc, 44),
            (F::Rcpc3, 46),
            (F::Lse128, 47),
        ])
    }

    /// The ID register with number op0:op1:CRn:CRm:op2 as the kernel shows it to EL0; those it shows as zero are zero, and
    /// numbers that it does not emulate are `None`.
    pub fn id_register(&self, sysreg: u32) -> Option<u64> {
        let (op0, op1, crn) = (sysreg >> 14 & 3, sysreg >> 11 & 7, sysreg >> 7 & 15);
        let (crm, op2) = (sysreg >> 3 & 15, sysreg & 7);
        if (op0, op1, crn) != (3, 0, 0) {
            return None;
        }
        let has = |f| u64::from(self.features.has(f));
        let pick = |fields: &[(u32, u64)]| Some(fields.iter().fold(0, |m, &(shift, v)| m | v << shift));
        match (crm, op2) {
            (0, 0) => Some(u64::from(self.midr)),
            (0, 5) => Some(1 << 31),
            (0, 6) => Some(0),
            (0, _) | (1, _) | (8.., _) => None,
            // ID_AA64PFR0: AArch64 at EL0 to EL2, FP and Advanced SIMD (0, or 1 with half precision), DIT
            (4, 0) => {
                pick(&[(0, 1), (4, 1), (8, 1), (16, has(F::Fp16)), (20, has(F::Fp16)), (48, has(F::Dit))])
            }
            (4, 1) => pick(&[(0, has(F::Bti)), (4, 2 * has(F::Ssbs))]),
            // ID_AA64DFR0: the kernel shows debug version 6
            (5, 0) => Some(6),
            (6, 0) => pick(&[
                (4, has(F::Aes) + has(F::Pmull)),
                (8, has(F::Sha1)),
                (12, has(F::Sha256) + has(F::Sha512)),
                (16, has(F::Crc32)),
                (20, 2 * has(F::Lse) + has(F::Lse128)),
                (28, has(F::Rdm)),
                (32, has(F::Sha3)),
                (36, has(F::Sm3)),
                (40, has(F::Sm4)),
                (44, has(F::Dotprod)),
                (48, has(F::Fhm)),
                (52, has(F::Flagm) + has(F::Flagm2)),
                (60, has(F::Rng)),
            ]),
            (6, 1) => {
                // 1 FEAT_PAuth, 3 FEAT_PAuth2, 4 FEAT_FPAC, 5 FEAT_FPACCOMBINE (ours comes with it).
                let pauth = has(F::Pauth) * (1 + 2 * has(F::Pauth2) * (1 + has(F::Fpac)));
                let (qarma, fast) = (u64::from(self.qarma5), u64::from(!self.qarma5));
                pick(&[
                    (0, has(F::Dpb) + has(F::Dpb2)),
                    (4, pauth * qarma),
                    (8, pauth * fast),
                    (12, has(F::Jscvt)),
                    (16, has(F::Fcma)),
                    (20, has(F::Rcpc) + has(F::Rcpc2) + has(F::Rcpc3)),
                    (24, has(F::Pauth) * qarma),
                    (28, has(F::Pauth) * fast),
                    (32, has(F::Frintts)),
                    (36, has(F::Sb)),
                    (44, has(F::Bf16)),
                    (48, has(F::Dgh)),
                    (52, has(F::I8mm)),
                ])
            }
            (6, 2) => pick(&[
                (0, 2 * has(F::Wfxt)),
                (4, has(F::Rpres)),
                (16, has(F::Mops)),
                (20, has(F::Hbc)),
                (52, has(F::Cssc)),
            ]),
            (7, 0) => pick(&[(60, has(F::Ecv))]),
            (7, 1) => pick(&[(44, has(F::Afp))]),
            (7, 2) => pick(&[(32, has(F::Lse2))]),
            (2..=7, _) => Some(0),
        }
    }
}

/// CTR_EL0: 64-byte lines, PIPT, no need to clean data to the point of unification for instructions (IDC). DIC is clear:
/// programs must invalidate by IC IVAU, which is how translations learn of changed code.
pub const CTR_EL0: u64 = 1 << 31 | 1 << 28 | 4 << 24 | 4 << 20 | 4 << 16 | 3 << 14 | 4;
/// DCZID_EL0: DC ZVA zeroes 64 bytes.
pub const DCZID_EL0: u64 = 4;
/// CNTFRQ_EL0: the counter counts nanoseconds, as the architecture asks from Armv8.6 on.
pub const CNTFRQ_EL0: u64 = 1_000_000_000;

/// Bits of FPCR that can be set.
pub fn fpcr_mask(features: &Features) -> u32 {
    let mut mask = 0b1_1111 << 22;
    if features.has(F::Fp16) {
        mask |= 1 << 19;
    }
    if features.has(F::Afp) {
        mask |= 7;
    }
    mask
}

/// Mode bit: SP is not a multiple of 16, so an access through it faults (Linux enables SCTLR_EL1.SA0).
pub const MODE_SP_MISALIGNED: u64 = 1 << 7;

/// Mode bit: the process has or had guarded pages, so indirect branches set PSTATE.BTYPE.
pub const MODE_BTI: u64 = 1 << 8;

/// Position of PSTATE.BTYPE in the mode of a block that an indirect branch reached; only with [`MODE_BTI`].
pub const MODE_BTYPE_SHIFT: u32 = 13;

/// Attribute of a guarded page: the kernel's PROT_BTI.
pub const GUARDED: u32 = 0x10;

/// Mode bits for the translation key.
pub fn mode(fpcr: u32, sp: u64) -> u64 {
    mode_of_fpcr(fpcr) | if sp & 15 != 0 { MODE_SP_MISALIGNED } else { 0 }
}

/// Mode bits from FPCR: bit 0 DN, 1 FZ, 2 FZ16, 3 AHP, 4 AH, 5 FIZ, 6 NEP.
pub fn mode_of_fpcr(fpcr: u32) -> u64 {
    let bit = |from: u32, to: u32| u64::from(fpcr >> from & 1) << to;
    bit(25, 0) | bit(24, 1) | bit(19, 2) | bit(26, 3) | bit(1, 4) | bit(0, 5) | bit(2, 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_change_features_and_bad_ones_are_refused() {
        let cpu = Cpu::parse("max,pauth-impdef=off,mops=off").unwrap();
        assert!(cpu.qarma5 && !cpu.features.has(F::Mops) && cpu.features.has(F::Cssc));
        assert!(Cpu::parse("cortex-a53").unwrap().hwcap() & 1 << 8 == 0);
        assert!(Cpu::parse("pdp11").is_err());
        assert!(Cpu::parse("max,wings=on").is_err());
        assert!(Cpu::parse("max,lse=maybe").is_err());
    }

    #[test]
    fn feature_names_are_complete() {
        let all = FEATURE_NAMES.iter().fold(Features::NONE, |s, &(_, f)| s.with(&[f]));
        assert_eq!(all, Features::ALL);
    }

    #[test]
    fn id_registers_follow_features() {
        let a53 = Cpu::parse("cortex-a53").unwrap();
        // ID_AA64ISAR0_EL1 of a Cortex-A53 with the crypto extension
        assert_eq!(a53.id_register(0xc030), Some(0x1_1120));
        assert_eq!(a53.id_register(0xc000), Some(0x410f_d034));
        assert_eq!(a53.id_register(0xc031), Some(0));
        assert_eq!(a53.id_register(0xde82), None);
    }
}
