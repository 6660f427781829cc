//! CPU features: names as on the `-cpu` command line, where CPUID shows them, and which instructions need them.
//!
//! Facts: SDM volume 2A, CPUID; AMD64 manual volume 3, appendix E. One row per feature, everything else follows from it.

use iced_x86::CpuidFeature as I;

/// A register of a CPUID answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Out {
    /// eax
    A,
    /// ebx
    B,
    /// ecx
    C,
    /// edx
    D,
}

/// Where CPUID shows a feature: leaf, subleaf, register, bit.
pub type Place = (u32, u32, Out, u32);

macro_rules! features {
    ($( $(#[$doc:meta])* $name:ident $text:literal $place:expr, [$($iced:ident),*]; )*) => {
        /// A feature.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "the manual's names")]
        pub enum Feature { $( $(#[$doc])* $name, )* }

        /// Every feature with its name and place.
        pub const TABLE: &[(Feature, &str, Option<Place>)] = &[ $( (Feature::$name, $text, $place), )* ];

        /// The feature that an instruction's table row names; `None` if no user program can have it here.
        pub fn needed(iced: I) -> Option<Option<Feature>> {
            match iced {
                $( $( I::$iced => Some(Some(Feature::$name)), )* )*
                // What every CPU here has.
                I::INTEL8086 | I::INTEL186 | I::INTEL286 | I::INTEL386 | I::INTEL486 | I::INTEL8086_ONLY => Some(None),
                I::CPUID | I::MULTIBYTENOP | I::PAUSE | I::X64 | I::UDBG | I::RDPMC => Some(None),
                // Hints that older CPUs execute as no operation.
                I::CET_IBT | I::CLDEMOTE | I::PREFETCHITI | I::PREFETCHWT1 => Some(None),
                _ => None,
            }
        }
    };
}

const fn leaf1c(bit: u32) -> Option<Place> {
    Some((1, 0, Out::C, bit))
}
const fn leaf1d(bit: u32) -> Option<Place> {
    Some((1, 0, Out::D, bit))
}
const fn leaf7b(bit: u32) -> Option<Place> {
    Some((7, 0, Out::B, bit))
}
const fn leaf7c(bit: u32) -> Option<Place> {
    Some((7, 0, Out::C, bit))
}
const fn leaf7d(bit: u32) -> Option<Place> {
    Some((7, 0, Out::D, bit))
}
const fn leaf7_1a(bit: u32) -> Option<Place> {
    Some((7, 1, Out::A, bit))
}
const fn leaf_d1(bit: u32) -> Option<Place> {
    Some((13, 1, Out::A, bit))
}
const fn ext_c(bit: u32) -> Option<Place> {
    Some((0x8000_0001, 0, Out::C, bit))
}
const fn ext_d(bit: u32) -> Option<Place> {
    Some((0x8000_0001, 0, Out::D, bit))
}

features! {
    Fpu "fpu" leaf1d(0), [FPU, FPU287, FPU387, FPU287XL_ONLY];
    Vme "vme" leaf1d(1), [];
    De "de" leaf1d(2), [];
    Pse "pse" leaf1d(3), [];
    Tsc "tsc" leaf1d(4), [TSC];
    Msr "msr" leaf1d(5), [MSR];
    Pae "pae" leaf1d(6), [];
    Mce "mce" leaf1d(7), [];
    Cx8 "cx8" leaf1d(8), [CX8];
    Apic "apic" leaf1d(9), [];
    Sep "sep" leaf1d(11), [SEP];
    Mtrr "mtrr" leaf1d(12), [];
    Pge "pge" leaf1d(13), [];
    Mca "mca" leaf1d(14), [];
    Cmov "cmov" leaf1d(15), [CMOV];
    Pat "pat" leaf1d(16), [];
    Pse36 "pse36" leaf1d(17), [];
    Clflush "clflush" leaf1d(19), [CLFSH];
    Acpi "acpi" leaf1d(22), [];
    Mmx "mmx" leaf1d(23), [MMX];
    Fxsr "fxsr" leaf1d(24), [FXSR];
    Sse "sse" leaf1d(25), [SSE];
    Sse2 "sse2" leaf1d(26), [SSE2];
    Ss "ss" leaf1d(27), [];
    Ht "ht" leaf1d(28), [];
    Sse3 "sse3" leaf1c(0), [SSE3];
    Pclmulqdq "pclmulqdq" leaf1c(1), [PCLMULQDQ];
    Monitor "monitor" leaf1c(3), [];
    Ssse3 "ssse3" leaf1c(9), [SSSE3];
    Fma "fma" leaf1c(12), [FMA];
    Cx16 "cx16" leaf1c(13), [CMPXCHG16B];
    Sse41 "sse4.1" leaf1c(19), [SSE4_1];
    Sse42 "sse4.2" leaf1c(20), [SSE4_2];
    Movbe "movbe" leaf1c(22), [MOVBE];
    Popcnt "popcnt" leaf1c(23), [POPCNT];
    Aes "aes" leaf1c(25), [AES];
    Xsave "xsave" leaf1c(26), [XSAVE];
    Avx "avx" leaf1c(28), [AVX];
    F16c "f16c" leaf1c(29), [F16C];
    Rdrand "rdrand" leaf1c(30), [RDRAND];
    Hypervisor "hypervisor" leaf1c(31), [];
    Fsgsbase "fsgsbase" leaf7b(0), [FSGSBASE];
    Bmi1 "bmi1" leaf7b(3), [BMI1];
    Avx2 "avx2" leaf7b(5), [AVX2];
    Bmi2 "bmi2" leaf7b(8), [BMI2];
    Erms "erms" leaf7b(9), [];
    Avx512f "avx512f" leaf7b(16), [AVX512F];
    Avx512dq "avx512dq" leaf7b(17), [AVX512DQ];
    Rdseed "rdseed" leaf7b(18), [RDSEED];
    Adx "adx" leaf7b(19), [ADX];
    Avx512ifma "avx512ifma" leaf7b(21), [AVX512_IFMA];
    Clflushopt "clflushopt" leaf7b(23), [CLFLUSHOPT];
    Clwb "clwb" leaf7b(24), [CLWB];
    Avx512cd "avx512cd" leaf7b(28), [AVX512CD];
    ShaNi "sha-ni" leaf7b(29), [SHA];
    Avx512bw "avx512bw" leaf7b(30), [AVX512BW];
    Avx512vl "avx512vl" leaf7b(31), [AVX512VL];
    Avx512vbmi "avx512vbmi" leaf7c(1), [AVX512_VBMI];
    Umip "umip" leaf7c(2), [];
    Pku "pku" leaf7c(3), [PKU];
    Avx512vbmi2 "avx512-vbmi2" leaf7c(6), [AVX512_VBMI2];
    Gfni "gfni" leaf7c(8), [GFNI];
    Vaes "vaes" leaf7c(9), [VAES];
    Vpclmulqdq "vpclmulqdq" leaf7c(10), [VPCLMULQDQ];
    Avx512vnni "avx512vnni" leaf7c(11), [AVX512_VNNI];
    Avx512bitalg "avx512-bitalg" leaf7c(12), [AVX512_BITALG];
    Avx512vpopcntdq "avx512-vpopcntdq" leaf7c(14), [AVX512_VPOPCNTDQ];
    Rdpid "rdpid" leaf7c(22), [RDPID];
    Movdiri "movdiri" leaf7c(27), [MOVDIRI];
    Movdir64b "movdir64b" leaf7c(28), [MOVDIR64B];
    Fsrm "fsrm" leaf7d(4), [];
    Serialize "serialize" leaf7d(14), [SERIALIZE];
    AvxVnni "avx-vnni" leaf7_1a(4), [AVX_VNNI];
    Avx512bf16 "avx512-bf16" leaf7_1a(5), [AVX512_BF16];
    Xsaveopt "xsaveopt" leaf_d1(0), [XSAVEOPT];
    Xsavec "xsavec" leaf_d1(1), [XSAVEC];
    Xgetbv1 "xgetbv1" leaf_d1(2), [];
    LahfLm "lahf-lm" ext_c(0), [];
    CmpLegacy "cmp-legacy" ext_c(1), [];
    Cr8legacy "cr8legacy" ext_c(4), [];
    Abm "abm" ext_c(5), [LZCNT];
    Sse4a "sse4a" ext_c(6), [SSE4A];
    Misalignsse "misalignsse" ext_c(7), [];
    Prefetchw "3dnowprefetch" ext_c(8), [PREFETCHW];
    Tbm "tbm" ext_c(21), [TBM];
    Syscall "syscall" ext_d(11), [SYSCALL];
    Nx "nx" ext_d(20), [];
    Mmxext "mmxext" ext_d(22), [];
    FxsrOpt "fxsr-opt" ext_d(25), [];
    Pdpe1gb "pdpe1gb" ext_d(26), [];
    Rdtscp "rdtscp" ext_d(27), [RDTSCP];
    Lm "lm" ext_d(29), [];
    D3nowext "3dnowext" ext_d(30), [D3NOWEXT];
    D3now "3dnow" ext_d(31), [D3NOW];
    Clzero "clzero" Some((0x8000_0008, 0, Out::B, 0)), [CLZERO];
}

/// Not offered yet, by any model: their instructions are not translated (protection keys also lack their calls).
/// `features_and_translations_agree` in the oracle tests holds this list against the translator.
pub const NOT_OFFERED: Features =
    Features::NONE.with(&[Feature::D3now, Feature::D3nowext, Feature::Tbm, Feature::Clzero, Feature::Pku]);

/// A set of features.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Features(u128);

impl Features {
    /// None.
    pub const NONE: Features = Features(0);
    /// All in the table.
    pub const ALL: Features = Features((1 << TABLE.len()) - 1);

    /// As bits, by the order of the table.
    pub const fn raw(self) -> u128 {
        self.0
    }
    /// From these bits.
    pub const fn from_raw(bits: u128) -> Features {
        Features(bits & Features::ALL.0)
    }
    /// Whether it is there.
    pub const fn has(self, f: Feature) -> bool {
        self.0 >> f as u32 & 1 != 0
    }
    /// With one more, or one less.
    #[must_use]
    pub const fn set(self, f: Feature, on: bool) -> Features {
        if on { Features(self.0 | 1 << f as u32) } else { Features(self.0 & !(1 << f as u32)) }
    }
    /// With these as well.
    #[must_use]
    pub const fn with(self, more: &[Feature]) -> Features {
        let (mut set, mut i) = (self, 0);
        while i < more.len() {
            set = set.set(more[i], true);
            i += 1;
        }
        set
    }
    /// Without these.
    #[must_use]
    pub const fn without(self, less: &[Feature]) -> Features {
        let (mut set, mut i) = (self, 0);
        while i < less.len() {
            set = set.set(less[i], false);
            i += 1;
        }
        set
    }
    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Features) -> Features {
        Features(self.0 & other.0)
    }
    /// Those that are not in the other set.
    #[must_use]
    pub const fn minus(self, other: Features) -> Features {
        Features(self.0 & !other.0)
    }
    /// Those in it.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        TABLE.iter().map(|row| row.0).filter(move |&f| self.has(f))
    }
}

/// The feature with this name; `_` and `-` are the same, and some have a second name.
pub fn by_name(name: &str) -> Option<Feature> {
    let plain = |s: &str| s.replace(['_', '.'], "-");
    let name = match name {
        "lzcnt" => "abm",
        "sse4-1" => "sse4.1",
        "sse4-2" => "sse4.2",
        "pni" => "sse3",
        "cmpxchg16b" => "cx16",
        "cmpxchg8b" => "cx8",
        "ffxsr" => "fxsr-opt",
        other => other,
    };
    TABLE.iter().find(|row| plain(row.1) == plain(name)).map(|row| row.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_the_enumerations_order_and_places_are_unique() {
        let mut places = Vec::new();
        for (i, (f, name, place)) in TABLE.iter().enumerate() {
            assert_eq!(*f as usize, i);
            assert_eq!(by_name(name), Some(*f));
            if let Some(place) = place {
                assert!(!places.contains(place), "{name}");
                places.push(*place);
            }
        }
    }

    #[test]
    fn sets() {
        let s = Features::NONE.with(&[Feature::Sse, Feature::Avx]);
        assert!(s.has(Feature::Avx) && !s.has(Feature::Sse2));
        assert_eq!(s.iter().count(), 2);
        assert_eq!(Features::ALL.iter().count(), TABLE.len());
    }
}
