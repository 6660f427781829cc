//! Models, the configured CPU and the guest state of RISC-V.
//!
//! Facts: The RISC-V Instruction Set Manual, volume I; RISC-V Profiles (RVA22, RVA23); Linux `Documentation/arch/riscv/hwprobe.rst`;
//! the vendors' data sheets.

pub use crate::features::{Feature, Features, NAMES};

use crate::features::VECTOR;
use crate::vector;
use Feature as E;
use ir::{SlotDesc, SlotId, SlotTable, Type};

/// A CPU model.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// Name for `-cpu`.
    pub name: &'static str,
    /// ISA string; what it lacks in implied extensions is added.
    pub isa: &'static str,
    /// mvendorid, marchid, mimpid.
    pub ids: [u64; 3],
}

// What every recent core and profile has of the supervisor's extensions; programs see the names only.
macro_rules! s_base {
    () => {
        "_sdtrig_shcounterenw_shgatpa_shtvala_shvsatpa_shvstvala_shvstvecd_ssccptr_sscounterenw_ssstrict_sstvala_sstvecd_ssu64xl"
    };
}
macro_rules! zic {
    () => {
        "_zic64b_zicbom_zicbop_zicboz_ziccamoa_ziccif_zicclsm_ziccrse_zicntr_zicsr"
    };
}
macro_rules! rva22 {
    () => {
        concat!("imafdcb", zic!(), "_zihintpause_zihpm_za64rs_zfhmin_zkt", s_base!())
    };
}
macro_rules! rva23 {
    () => {
        concat!(
            "imafdcbv",
            zic!(),
            "_zicond_zihintntl_zihintpause_zihpm_zimop_za64rs_zawrs_zfa_zfhmin_zcb_zcmop_zkt_zvbb_zvfhmin_zvkt_smnpm_ssnpm_supm",
            s_base!()
        )
    };
}
macro_rules! base {
    () => {
        concat!(
            "imafdch",
            zic!(),
            "_zifencei_zihintntl_zihintpause_zihpm_za64rs_zawrs_zfa_zba_zbb_zbc_zbs_sstc_svadu_svvptc",
            s_base!()
        )
    };
}
macro_rules! max {
    () => {
        concat!(
            "imafdcbvh",
            zic!(),
            "_zicfilp_zicfiss_zicond_zifencei_zihintntl_zihintpause_zihpm_zimop_za64rs_zabha_zacas_zalasr_zama16b_zawrs",
            "_zfa_zfbfmin_zfh_zcb_zcmop_zbc_zk_zks_ztso_zvbb_zvbc_zvfbfa_zvfbfwma_zvfh_zvknc_zvkng_zvksc_zvksg_zvkt",
            "_sha_smaia_smcdeleg_smcntrpmf_smcsrind_smctr_smepmp_smpmpmt_smmpm_smnpm_smstateen_ssaia_ssccfg_sscofpmf_sscsrind",
            "_ssctr_ssdbltrp_ssnpm_sspm_ssstateen_sstc_supm_svadu_svinval_svnapot_svpbmt_svvptc",
            s_base!()
        )
    };
}
macro_rules! thead {
    () => {
        "_xtheadba_xtheadbb_xtheadbs_xtheadcmo_xtheadcondmov_xtheadfmemidx_xtheadmac_xtheadmemidx_xtheadmempair_xtheadsync"
    };
}
macro_rules! c908 {
    () => {
        concat!(
            "_zic64b_zicbom_zicboz_ziccamoa_ziccif_zicclsm_ziccrse_zicntr_zicsr_zifencei_zihintpause_zihpm_za64rs_zba_zbb_zbc_zbs",
            "_zkt_smepmp_sscofpmf_sstc_svinval_svnapot_svpbmt",
            s_base!(),
            thead!(),
            "_xtheadfmv"
        )
    };
}
/// The models of 64 bits, the default first.
pub const MODELS: &[Model] = &[
    m("max", concat!("rv64", max!(), "_svrsw60t59b")),
    m("rv64", concat!("rv64", base!())),
    m("rv64i", "rv64i_sdtrig"),
    m("rva22u64", concat!("rv64", rva22!())),
    m("rva22s64", concat!("rv64", rva22!(), "_zifencei_svade_svinval_svpbmt")),
    m("rva23u64", concat!("rv64", rva23!())),
    m(
        "rva23s64",
        concat!(
            "rv64h",
            rva23!(),
            "_zifencei_sha_smstateen_sscofpmf_ssstateen_sstc_svade_svinval_svnapot_svpbmt"
        ),
    ),
    m("shakti-c", "rv64imafdc_zicntr_zicsr_zifencei_zihpm_sdtrig"),
    m("sifive-e51", "rv64imac_zicntr_zicsr_zifencei_zihpm_sdtrig"),
    m("sifive-u54", "rv64imafdc_zicntr_zicsr_zifencei_zihpm_sdtrig"),
    Model {
        name: "thead-c906",
        isa: concat!(
            "rv64imafdc_ziccamoa_ziccif_zicclsm_ziccrse_zicntr_zicsr_zifencei_zihpm_zfh_sdtrig_ssccptr",
            thead!()
        ),
        ids: [0x5b7, 0, 0],
    },
    Model { name: "thead-c908", isa: concat!("rv64imafdc", c908!()), ids: [0x5b7, 0x8d14_3000, 0] },
    Model { name: "thead-c908v", isa: concat!("rv64imafdcv", c908!()), ids: [0x5b7, 0x8d14_3000, 0] },
    Model {
        name: "tt-ascalon",
        isa: concat!(
            "rv64imafdcvh",
            zic!(),
            "_zicond_zifencei_zihintntl_zihintpause_zihpm_zimop_za64rs_zawrs_zfa_zfbfmin_zfh_zcb_zcmop_zba_zbb_zbs_zkr_zkt",
            "_zvbb_zvbc_zvfbfwma_zvfh_zvkng_sha_smaia_smstateen_ssaia_sscofpmf_ssstateen_sstc_svade_svinval_svnapot_svpbmt",
            s_base!()
        ),
        ids: [0x710, 0x8000_0000_0001_1200, 0],
    },
    Model {
        name: "veyron-v1",
        isa: concat!(
            "rv64imafdch_zic64b_zicbom_zicboz_ziccamoa_ziccif_zicclsm_ziccrse_zicntr_zicsr_zifencei_zihpm_za64rs",
            "_zba_zbb_zbc_zbs_sha_smaia_smstateen_ssaia_sscofpmf_ssstateen_sstc_svinval_svnapot_svpbmt_xventanacondops",
            s_base!()
        ),
        ids: [0x61f, 0x8000_0000_0001_0000, 0x111],
    },
    m(
        "xiangshan-kunminghu",
        concat!(
            "rv64imafdcbvh",
            zic!(),
            "_zicond_zifencei_zihintntl_zihintpause_zihpm_zimop_za64rs_zacas_zawrs_zfa_zfh_zcb_zcmop_zbc_zkn_zks_zkt_zvbb_zvfh",
            "_zvkt_sha_smaia_smcsrind_smmpm_smnpm_smstateen_ssaia_sscofpmf_sscsrind_ssdbltrp_ssnpm_sspm_ssstateen_sstc_supm",
            "_svade_svinval_svnapot_svpbmt",
            s_base!()
        ),
    ),
    m(
        "xiangshan-nanhu",
        concat!(
            "rv64imafdcb_zic64b_ziccamoa_ziccif_zicclsm_ziccrse_zicntr_zicsr_zifencei_zihpm_za64rs_zbc_zbkb_zbkc_zbkx",
            "_zknd_zkne_zknh_zksed_zksh_svinval",
            s_base!()
        ),
    ),
];

/// The models of 32 bits, the default first.
pub const MODELS_32: &[Model] = &[
    m("max", concat!("rv32", max!())),
    m("rv32", concat!("rv32", base!())),
    m("rv32i", "rv32i_sdtrig"),
    m(
        "lowrisc-ibex",
        concat!(
            "rv32imc_zic64b_ziccamoa_ziccif_zicclsm_ziccrse_zicntr_zicsr_zifencei_zihpm_za64rs_zba_zbb_zbc_zbs_smepmp",
            s_base!()
        ),
    ),
    m("sifive-e31", "rv32imac_zicntr_zicsr_zifencei_zihpm_sdtrig"),
    m("sifive-e34", "rv32imafc_zicntr_zicsr_zifencei_zihpm_sdtrig"),
    m("sifive-u34", "rv32imafdc_zicntr_zicsr_zifencei_zihpm_sdtrig"),
];

const fn m(name: &'static str, isa: &'static str) -> Model {
    Model { name, isa, ids: [0; 3] }
}

/// Extensions whose instructions are not there: no CPU has them, and asking for one is an error.
const ABSENT: &[Feature] = &[E::E, E::Zicfilp, E::Zicfiss, E::Zilsd, E::Zclsd, E::Zvfbfa];

/// A CPU as configured.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    /// The model's name.
    pub name: &'static str,
    /// Width of an integer register: 32 or 64.
    pub xlen: u32,
    /// What it has, with everything implied.
    pub features: Features,
    /// Bits of a vector register.
    pub vlen: u32,
    /// Bytes of a cache block for cbo.zero, cbo.clean and their like, and prefetches.
    pub block: CacheBlock,
    /// mvendorid, marchid, mimpid.
    pub ids: [u64; 3],
    /// The ISA string has single letters only.
    pub short_isa: bool,
}

/// Sizes of the blocks that cache instructions work on, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheBlock {
    /// Zicboz.
    pub zero: u32,
    /// Zicbom.
    pub manage: u32,
    /// Zicbop.
    pub prefetch: u32,
}

impl Default for Cpu {
    fn default() -> Self {
        Cpu::of(64, &MODELS[0])
    }
}

impl Cpu {
    fn of(xlen: u32, model: &Model) -> Cpu {
        let features = Features::from_isa(model.isa).expect("the models' strings are right");
        Cpu {
            name: model.name,
            xlen,
            features: features.without(ABSENT),
            vlen: 128,
            block: CacheBlock { zero: 64, manage: 64, prefetch: 64 },
            ids: model.ids,
            short_isa: false,
        }
    }

    /// The default CPU of this width.
    pub fn default_for(xlen: u32) -> Cpu {
        Cpu::of(xlen, &models(xlen)[0])
    }

    /// Parses the argument of `-cpu`: `model[,property=value]...`. An error is one line for the user.
    pub fn parse(xlen: u32, text: &str) -> Result<Cpu, String> {
        let mut parts = text.split(',');
        let name = match parts.next().unwrap_or("") {
            "any" => "max",
            name => name,
        };
        let model = models(xlen)
            .iter()
            .find(|m| m.name == name)
            .ok_or_else(|| format!("unable to find CPU model '{name}'"))?;
        let mut cpu = Cpu::of(xlen, model);
        let mut off = Vec::new();
        for property in parts {
            let (key, value) = property.split_once('=').unwrap_or((property, "on"));
            let full = format!("{name}-riscv-cpu.{key}");
            let number = || {
                let hex = value.strip_prefix("0x").map(|h| u64::from_str_radix(h, 16));
                hex.unwrap_or_else(|| value.parse()).map_err(|_| {
                    format!("can't apply global {full}={value}: Parameter '{key}' expects a number")
                })
            };
            let on = || match value {
                "on" | "true" | "yes" | "y" => Ok(true),
                "off" | "false" | "no" | "n" => Ok(false),
                _ => {
                    Err(format!("can't apply global {full}={value}: Parameter '{key}' expects 'on' or 'off'"))
                }
            };
            match key {
                "vlen" => {
                    let n = number()?;
                    if !n.is_power_of_two() || !(32..=1024).contains(&n) {
                        return Err(format!(
                            "can't apply global {full}={value}: VLEN must be a power of 2 from 32 to 1024"
                        ));
                    }
                    cpu.vlen = n as u32;
                }
                "elen" => {
                    let n = number()?;
                    if !matches!(n, 32 | 64) {
                        return Err(format!("can't apply global {full}={value}: ELEN must be 32 or 64"));
                    }
                }
                "cbom_blocksize" => cpu.block.manage = block_size(number()?)?,
                "cbop_blocksize" => cpu.block.prefetch = block_size(number()?)?,
                "cboz_blocksize" => cpu.block.zero = block_size(number()?)?,
                "mvendorid" => cpu.ids[0] = number()?,
                "marchid" => cpu.ids[1] = number()?,
                "mimpid" => cpu.ids[2] = number()?,
                "short-isa-string" => cpu.short_isa = on()?,
                // The whole machine's, without an effect on programs.
                "s" | "u" | "mmu" | "pmp" | "debug" | "x-misa-w" | "x-svukte" | "rvv_ta_all_1s"
                | "rvv_ma_all_1s" | "rvv_vl_half_avl" | "rvv_vsetvl_x0_vill" => {
                    on()?;
                }
                "priv_spec" | "vext_spec" => {}
                "pmu-mask" | "pmu-num" => {
                    number()?;
                }
                "g" if on()? => {
                    cpu.features = cpu.features.with(&[E::I, E::M, E::A, E::F, E::D, E::Zicsr, E::Zifencei]);
                }
                "g" => {}
                "rva22u64" | "rva22s64" | "rva23u64" | "rva23s64" if xlen == 64 => {
                    if on()? {
                        let profile = Cpu::parse(64, key)?.features;
                        let all: Vec<_> = NAMES.iter().map(|(_, f)| *f).filter(|f| profile.has(*f)).collect();
                        cpu.features = cpu.features.with(&all);
                    }
                }
                _ => {
                    let Some(f) = Features::named(key) else {
                        return Err(format!(
                            "can't apply global {full}={value}: Property '{full}' not found"
                        ));
                    };
                    if on()? {
                        if ABSENT.contains(&f) {
                            return Err(format!("the extension '{key}' is not implemented"));
                        }
                        cpu.features = cpu.features.with(&[f]);
                        off.retain(|g| *g != f);
                    } else {
                        off.push(f);
                    }
                }
            }
        }
        cpu.finish(&off)?;
        Ok(cpu)
    }

    /// Takes away what was turned off and checks that the rest fits together.
    fn finish(&mut self, off: &[Feature]) -> Result<(), String> {
        let set = &mut self.features;
        // Without what was implied only by what is gone.
        for f in off {
            *set = set.without(&[*f]);
            match f {
                E::V => *set = set.without(VECTOR),
                E::C => {
                    *set = set.without(&[E::Zca, E::Zcb, E::Zcd, E::Zcf, E::Zcmop, E::Zcmp, E::Zcmt, E::Zce])
                }
                E::M => *set = set.without(&[E::Zmmul]),
                E::B => *set = set.without(&[E::Zba, E::Zbb, E::Zbs]),
                E::Zba | E::Zbb | E::Zbs => *set = set.without(&[E::B]),
                E::Zkn => *set = set.without(&[E::Zk]),
                E::D => *set = set.without(&[E::Zcd]),
                _ => {}
            }
        }
        let explicit = *set;
        *set = set.without(COMBINED).closed();
        if explicit.has(E::C) && !explicit.has(E::Zcd) && off.contains(&E::Zcd) {
            *set = set.without(&[E::Zcd]);
        }
        let name = |f: Feature| NAMES.iter().find(|(_, g)| *g == f).map_or("", |(n, _)| *n);
        for f in off {
            if set.has(*f) {
                let by = crate::features::IMPLIES.iter().find(|(g, list)| set.has(*g) && list.contains(f));
                let by = by.map_or("", |(g, _)| name(*g));
                return Err(format!("the extension '{by}' requires '{}'", name(*f)));
            }
        }
        let any = |list: &[Feature]| list.iter().any(|f| set.has(*f));
        if set.has(E::Zfinx) && any(&[E::F, E::D, E::Zfh, E::Zfhmin, E::Zfa]) {
            return Err("Zfinx cannot be supported together with F extension".into());
        }
        if any(&[E::Zcmp, E::Zcmt]) && set.has(E::Zcd) {
            return Err("Zcmp/Zcmt extensions are incompatible with Zcd extension".into());
        }
        if set.has(E::Zcf) && !set.has(E::Rv32) {
            return Err("Zcf extension is only relevant to RV32".into());
        }
        if any(&[E::Zacas, E::Zabha]) && !set.has(E::Zaamo) {
            return Err("Zacas/Zabha extensions require A extension".into());
        }
        if any(VECTOR) && !set.has(E::Zve32x) {
            return Err("Vector crypto extensions require V or Zve* extensions".into());
        }
        if set.has(E::V) && self.vlen < 128 {
            return Err("V extension requires VLEN of at least 128".into());
        }
        Ok(())
    }

    /// AT_HWCAP: a bit for each single-letter extension of the base set.
    pub fn hwcap(&self) -> u64 {
        [('i', E::I), ('m', E::M), ('a', E::A), ('f', E::F), ('d', E::D), ('c', E::C), ('v', E::V)]
            .iter()
            .filter(|(_, f)| self.features.has(*f))
            .fold(0, |m, (c, _)| m | 1 << (*c as u32 - 'a' as u32))
    }

    /// The ISA string of `/proc/cpuinfo`.
    pub fn isa(&self) -> String {
        self.features.isa(self.short_isa)
    }
}

/// The decode tables' combinations, computed from their members.
const COMBINED: &[Feature] = &[E::Fx, E::Dx, E::Hx, E::Hminx, E::Fp16, E::Zbbk, E::Zbck, E::Zknde];

/// The models of this width.
pub fn models(xlen: u32) -> &'static [Model] {
    if xlen == 32 { MODELS_32 } else { MODELS }
}

fn block_size(n: u64) -> Result<u32, String> {
    if n.is_power_of_two() && (4..=4096).contains(&n) {
        Ok(n as u32)
    } else {
        Err(format!("cache block size {n} is not a power of 2 from 4 to 4096"))
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

/// The jump table's address and mode, `jvt` (I64).
pub const JVT: SlotId = SlotId(68);

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

/// The state table for vector registers of 128 bits; with others only what belongs to them is different.
pub fn slot_table() -> SlotTable {
    slot_table_for(128)
}

/// The state table for this width of vector registers.
pub fn slot_table_for(vlen: u32) -> SlotTable {
    let slot = |name, ty, offset| SlotDesc { name, ty, offset };
    let mut slots = Vec::new();
    slots.extend(X_NAMES.iter().enumerate().map(|(i, n)| slot(n, Type::I64, X_OFFSET + 8 * i as u32)));
    slots.extend(F_NAMES.iter().enumerate().map(|(i, n)| slot(n, Type::V128, F_OFFSET + 16 * i as u32)));
    slots.push(slot("frm", Type::I32, 248));
    vector::add_slots(&mut slots, vlen);
    SlotTable {
        slots,
        size: vector::state_size(vlen),
        // a5 a4 sp a0 a3 s0 a2 a1 ra s1 t1 a6: order of use in compiled programs.
        pin_int: [15, 14, 2, 10, 13, 8, 12, 11, 1, 9, 6, 16, 17, 18, 19].map(x).to_vec(),
        pin_vec: (10..18).chain(0..8).chain([8, 9]).chain(28..32).chain(18..28).map(f).collect(),
    }
}

/// Mode bits 2:0: the rounding mode field, since reserved modes trap and one has no host equivalent. The bits above belong
/// to [`vector`].
pub fn mode_of_frm(frm: u32) -> u64 {
    u64::from(frm & 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_parses() {
        for xlen in [32, 64] {
            for model in models(xlen) {
                let cpu = Cpu::parse(xlen, model.name).expect(model.name);
                assert!(cpu.features.has(E::I), "{}", model.name);
                assert_eq!(cpu.features.has(E::Rv64), xlen == 64);
            }
        }
    }

    #[test]
    fn properties_change_the_model() {
        let has = |text: &str, f| Cpu::parse(64, text).expect(text).features.has(f);
        assert!(!has("rv64,zba=off", E::Zba));
        assert!(has("sifive-u54,zba=on", E::Zba));
        assert!(has("rv64,zk=on", E::Zknh));
        assert!(!has("rv64,c=off", E::Zcd));
        assert!(has("rv64,zcmp=on,zcd=off", E::Zcmp));
        assert!(has("rv64i,zdinx=true", E::Dx));
        assert!(has("rv64i,rva22u64=on", E::Zicboz));
        assert!(Cpu::parse(64, "rv64,short-isa-string=on").expect("there").isa().starts_with("rv64imafdch"));
        assert_eq!(Cpu::parse(64, "max,cboz_blocksize=32").expect("there").block.zero, 32);
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let error = |text: &str| Cpu::parse(64, text).expect_err(text);
        assert_eq!(error("pentium"), "unable to find CPU model 'pentium'");
        assert_eq!(
            error("rv64,foo=on"),
            "can't apply global rv64-riscv-cpu.foo=on: Property 'rv64-riscv-cpu.foo' not found"
        );
        assert!(error("max,zcmp=on").contains("Zcd"));
        assert!(error("rv64,f=off").contains("requires 'f'"), "{}", error("rv64,f=off"));
        assert!(error("rv64,zfinx=on").contains("Zfinx"));
        assert!(error("rv64,vlen=100").contains("power of 2"));
    }
}
