//! Features, models and the guest state of RISC-V.
//!
//! Facts: The RISC-V Instruction Set Manual, volume I; RISC-V Profiles (RVA22, RVA23); Linux `Documentation/arch/riscv/hwprobe.rst`.

pub use crate::decode::Features;
use ir::{SlotDesc, SlotId, SlotTable, Type};

/// An extension that programs can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "named as the extensions are")]
pub enum Feature {
    Rv64,
    M,
    A,
    F,
    D,
    C,
    Zba,
    Zbb,
    Zbc,
    Zbs,
    Zbkb,
    Zbkx,
    Zicond,
    Zicbom,
    Zicboz,
    Zawrs,
    Zacas,
    Zabha,
    Zfhmin,
    Zfh,
    Zcb,
}

use Feature as E;

const NAMES: &[(&str, Feature)] = &[
    ("m", E::M),
    ("a", E::A),
    ("f", E::F),
    ("d", E::D),
    ("c", E::C),
    ("zba", E::Zba),
    ("zbb", E::Zbb),
    ("zbc", E::Zbc),
    ("zbs", E::Zbs),
    ("zbkb", E::Zbkb),
    ("zbkx", E::Zbkx),
    ("zicond", E::Zicond),
    ("zicbom", E::Zicbom),
    ("zicboz", E::Zicboz),
    ("zawrs", E::Zawrs),
    ("zacas", E::Zacas),
    ("zabha", E::Zabha),
    ("zfhmin", E::Zfhmin),
    ("zfh", E::Zfh),
    ("zcb", E::Zcb),
];

const GC: Features = Features::NONE.with(&[E::Rv64, E::M, E::A, E::F, E::D, E::C]);
const RVA22: Features = GC.with(&[E::Zba, E::Zbb, E::Zbs, E::Zicbom, E::Zicboz, E::Zfhmin]);
const MAX: Features =
    RVA22.with(&[E::Zbc, E::Zbkb, E::Zbkx, E::Zicond, E::Zawrs, E::Zacas, E::Zabha, E::Zfh, E::Zcb]);

/// A CPU model.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// Name for `-cpu`.
    pub name: &'static str,
    /// What it has.
    pub features: Features,
}

/// The models, the default first.
pub const MODELS: &[Model] = &[
    Model { name: "rv64", features: MAX },
    Model { name: "max", features: MAX },
    Model { name: "rva22u64", features: RVA22 },
    Model { name: "sifive-u54", features: GC },
    Model { name: "thead-c906", features: GC },
];

/// A CPU as configured.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    /// The model's name.
    pub name: &'static str,
    /// What it has.
    pub features: Features,
}

impl Default for Cpu {
    fn default() -> Self {
        Cpu { name: MODELS[0].name, features: MODELS[0].features }
    }
}

impl Cpu {
    /// Parses the argument of `-cpu`: `model[,extension=on|off]...`. An error is one line for the user.
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
        let mut cpu = Cpu { name: model.name, features: model.features };
        for property in parts {
            let (key, value) = property.split_once('=').unwrap_or((property, "on"));
            let on = match value {
                "on" | "true" | "yes" => true,
                "off" | "false" | "no" => false,
                _ => return Err(format!("CPU property '{key}' takes on or off, not '{value}'")),
            };
            let Some(&(_, f)) = NAMES.iter().find(|(n, _)| *n == key) else {
                return Err(format!("CPU '{name}' has no property '{key}'"));
            };
            cpu.features = if on { cpu.features.with(&[f]) } else { cpu.features.without(&[f]) };
        }
        Ok(cpu)
    }

    /// AT_HWCAP: a bit for each single-letter extension.
    pub fn hwcap(&self) -> u64 {
        let letters = [
            ('i', None),
            ('m', Some(E::M)),
            ('a', Some(E::A)),
            ('f', Some(E::F)),
            ('d', Some(E::D)),
            ('c', Some(E::C)),
        ];
        letters
            .iter()
            .filter(|(_, f)| f.is_none_or(|f| self.features.has(f)))
            .fold(0, |m, (c, _)| m | 1 << (*c as u32 - 'a' as u32))
    }

    /// The ISA string of `/proc/cpuinfo`.
    pub fn isa(&self) -> String {
        let mut s = String::from("rv64i");
        for (name, f) in NAMES {
            if self.features.has(*f) {
                if name.len() > 1 {
                    s.push('_');
                }
                s.push_str(name);
            }
        }
        s
    }
}

/// Integer register x1 to x31.
pub fn x(n: u32) -> SlotId {
    debug_assert!((1..32).contains(&n));
    SlotId(n as u16 - 1)
}

/// Floating-point register f0 to f31.
pub fn f(n: u32) -> SlotId {
    debug_assert!(n < 32);
    SlotId(31 + n as u16)
}

/// The rounding mode field of fcsr (I32).
pub const FRM: SlotId = SlotId(63);

const X_NAMES: [&str; 31] = [
    "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7",
    "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
];
const F_NAMES: [&str; 32] = [
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2", "fa3", "fa4",
    "fa5", "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8",
    "ft9", "ft10", "ft11",
];

/// Offset of x1 in the guest part of the state block; the others follow.
pub const X_OFFSET: u32 = 0;
/// Offset of f0; each takes 16 bytes, of which the low 8 count.
pub const F_OFFSET: u32 = 256;

/// The state table.
pub fn slot_table() -> SlotTable {
    let slot = |name, ty, offset| SlotDesc { name, ty, offset };
    let mut slots = Vec::new();
    slots.extend(X_NAMES.iter().enumerate().map(|(i, n)| slot(n, Type::I64, X_OFFSET + 8 * i as u32)));
    slots.extend(F_NAMES.iter().enumerate().map(|(i, n)| slot(n, Type::V128, F_OFFSET + 16 * i as u32)));
    slots.push(slot("frm", Type::I32, 248));
    SlotTable {
        slots,
        size: F_OFFSET + 512,
        // a5 a4 sp a0 a3 s0 a2 a1 ra s1 t1 a6: order of use in compiled programs.
        pin_int: [15, 14, 2, 10, 13, 8, 12, 11, 1, 9, 6, 16, 17, 18, 19].map(x).to_vec(),
        pin_vec: (10..18).chain(0..8).chain([8, 9]).chain(28..32).chain(18..28).map(f).collect(),
    }
}

/// Mode bits: the rounding mode field, since reserved modes trap and one has no host equivalent.
pub fn mode_of_frm(frm: u32) -> u64 {
    u64::from(frm & 7)
}
