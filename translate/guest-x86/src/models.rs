//! CPU models: `-cpu NAME[,+feature][,-feature][,feature=on|off]`.

use crate::features::{Feature, Features, Out, TABLE, by_name};

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

const MAX: Features =
    Features::ALL.without(&[Feature::Tbm, Feature::Sse4a, Feature::Clzero, Feature::Monitor]);

/// All models, the default first.
pub const MODELS: &[Model] = &[Model {
    name: "max",
    vendor: "GenuineIntel",
    version: (6, 143, 8),
    level: 0x1f,
    extended: 0x8000_0008,
    brand: "Omnirun x86 max",
    features: MAX,
}];

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

/// What of a model's features a CPU of this width has.
fn narrowed(features: Features, bits: u32) -> Features {
    if bits == 32 { features.without(&[Feature::Lm, Feature::Syscall, Feature::LahfLm]) } else { features }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_change_a_model() {
        let cpu = Cpu::parse(64, "max,-avx,sse4.2=off").expect("a model");
        assert!(!cpu.has(Feature::Avx) && !cpu.has(Feature::Sse42) && cpu.has(Feature::Sse2));
        assert!(Cpu::parse(64, "nonsense").is_err());
        assert!(Cpu::parse(64, "max,nonsense=on").is_err());
    }
}
