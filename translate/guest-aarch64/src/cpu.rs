//! CPU features and models.

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
    Bti,
    Dit,
    Ssbs,
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

/// A set of features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features(u64);

impl Features {
    /// Everything that is implemented.
    pub const ALL: Self = Self((1 << (Feature::Rpres as u32 + 1)) - 1);

    /// No optional feature: Armv8.0 with floating point and Advanced SIMD.
    pub const NONE: Self = Self(0);

    /// Whether the feature is in the set.
    #[inline]
    pub const fn has(&self, feature: Feature) -> bool {
        self.0 >> feature as u32 & 1 == 1
    }

    /// The set with `features` added.
    pub const fn with(self, features: &[Feature]) -> Self {
        let mut set = self.0;
        let mut i = 0;
        while i < features.len() {
            set |= 1 << features[i] as u32;
            i += 1;
        }
        Self(set)
    }

    /// The set without `features`.
    pub const fn without(self, features: &[Feature]) -> Self {
        Self(self.0 & !Self::NONE.with(features).0)
    }
}
