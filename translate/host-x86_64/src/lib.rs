//! The x86-64 host: register map, lowering, allocation, encoding.
//!
//! Input: IR of a region; output: relocatable host bytes with side tables. `asm` holds the encodings, `regs` the
//! canonical map, `alloc` where values are, `flags` the guest's condition flags, `emit*` one operation each, `lower`
//! blocks, exits and calls out of line, `entry` the runtime's entries. The contract is in `translate/README.md`.
#![forbid(unsafe_code)]

mod alloc;
pub mod asm;
mod chain;
mod emit;
pub mod emit_cvt;
pub mod emit_fp;
mod emit_half;
mod emit_hash;
mod emit_int;
mod emit_mem;
mod emit_sat;
mod emit_simd;
pub mod emit_vec;
mod entry;
mod flags;
mod hot;
mod lower;
pub mod pool;
mod regs;

use asm::{Features, Level};
use ir::{BackEnd, CompileCx, HostCode, Region, RuntimeCode, RuntimeFns, SlotTable};

/// The back end for one guest's slots at one feature level.
pub struct X86_64 {
    feat: Features,
    map: regs::PinMap,
}

impl X86_64 {
    /// For a guest with these slots on a host with these features.
    pub fn new(feat: Features, slots: &SlotTable) -> X86_64 {
        X86_64 { feat, map: regs::PinMap::new(slots, &feat) }
    }
    /// The back end for this machine. The environment variable `OMNIRUN_HOST` (`sse`, `avx2`, `avx512`) lowers the level,
    /// for tests.
    pub fn detect(slots: &SlotTable) -> X86_64 {
        let level = match std::env::var("OMNIRUN_HOST").as_deref() {
            Ok("sse") => Level::Sse,
            Ok("avx2") => Level::Avx2,
            _ => Level::Avx512,
        };
        X86_64::new(Features::detect_at_most(level), slots)
    }
}

impl BackEnd for X86_64 {
    fn name(&self) -> String {
        format!("x86_64-{:?}", self.feat)
    }
    fn runtime(&self, fns: &RuntimeFns) -> RuntimeCode {
        entry::runtime(self.feat, &self.map, fns)
    }
    fn compile(&self, region: &Region, cx: &mut dyn CompileCx) -> HostCode {
        lower::compile(self.feat, &self.map, region, cx)
    }
    fn link_value(&self, site: u64, to: u64) -> u32 {
        to.wrapping_sub(site.wrapping_add(4)) as u32
    }
    fn fpcr(&self, round: u32) -> u32 {
        // The host numbers down 1 and up 2; nearest away has no host mode.
        let rc = match round {
            1 => 2,
            2 => 1,
            3 => 3,
            _ => 0,
        };
        0x1f80 | rc << 13
    }
    fn fpcr_flags(&self, fpcr: u32) -> u32 {
        fpcr & 1 | fpcr >> 1 & 0x1e | (fpcr & 2) << 6
    }
    fn disassemble(&self, bytes: &[u8], address: u64) -> Vec<(u64, String)> {
        use iced_x86::Formatter;
        let mut d = iced_x86::Decoder::with_ip(64, bytes, address, iced_x86::DecoderOptions::NONE);
        let mut f = iced_x86::IntelFormatter::new();
        let mut out = Vec::new();
        while d.can_decode() {
            let i = d.decode();
            let mut s = String::new();
            f.format(&i, &mut s);
            out.push((i.ip(), s));
        }
        out
    }
}
