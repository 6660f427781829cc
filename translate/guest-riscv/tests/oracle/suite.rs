//! The CPUs that are compared: the argument of `-cpu` is the reference's and ours.

use guest_riscv::Riscv;
use guest_riscv::cpu::{Cpu, Feature};

/// A CPU under test.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// For messages.
    pub name: &'static str,
    /// 32 or 64.
    pub xlen: u32,
    /// `-cpu`.
    pub cpu: &'static str,
}

/// All there is.
pub const MAX64: Suite = Suite { name: "rv64", xlen: 64, cpu: "max" };
/// The same with 32 bits.
pub const MAX32: Suite = Suite { name: "rv32", xlen: 32, cpu: "max" };
/// The vendors' extensions.
pub const VENDOR: Suite = Suite { name: "vendor", xlen: 64, cpu: "thead-c906" };
/// Conditional operations of another vendor.
pub const VENTANA: Suite = Suite { name: "ventana", xlen: 64, cpu: "veyron-v1" };
/// Floating point in integer registers.
pub const FINX64: Suite = Suite { name: "finx64", xlen: 64, cpu: "rv64i,m=on,a=on,zdinx=on,zhinx=on,zca=on" };
/// The same with pairs of 32-bit registers.
pub const FINX32: Suite = Suite { name: "finx32", xlen: 32, cpu: "rv32i,m=on,a=on,zdinx=on,zhinx=on,zca=on" };
/// Push, pop and table jumps in the place of compressed double-precision accesses.
pub const ZCM64: Suite =
    Suite { name: "zcm64", xlen: 64, cpu: "rv64i,m=on,a=on,f=on,zca=on,zcmp=on,zcmt=on,zcb=on" };
/// The same with 32 bits.
pub const ZCM32: Suite =
    Suite { name: "zcm32", xlen: 32, cpu: "rv32i,m=on,a=on,f=on,zca=on,zcmp=on,zcmt=on,zcb=on" };
/// The base set alone: everything else is illegal.
pub const BASE64: Suite = Suite { name: "base64", xlen: 64, cpu: "rv64i" };
/// The same with 32 bits.
pub const BASE32: Suite = Suite { name: "base32", xlen: 32, cpu: "rv32i" };
/// A core of the first generation.
pub const U54: Suite = Suite { name: "u54", xlen: 64, cpu: "sifive-u54" };
/// The same with 32 bits.
pub const U34: Suite = Suite { name: "u34", xlen: 32, cpu: "sifive-u34" };

/// Every one.
pub const ALL: [Suite; 12] =
    [MAX64, MAX32, VENDOR, VENTANA, FINX64, FINX32, ZCM64, ZCM32, BASE64, BASE32, U54, U34];

impl Suite {
    /// Our CPU.
    pub fn parsed(&self) -> Cpu {
        Cpu::parse(self.xlen, self.cpu).expect("the suite's CPU")
    }

    /// Our front end.
    pub fn guest(&self) -> Riscv {
        Riscv::new(self.parsed())
    }

    /// Breakpoints that fill four bytes.
    pub fn breakpoints(&self) -> u32 {
        if self.parsed().features.has(Feature::Zca) { 0x9002_9002 } else { 0x0010_0073 }
    }

    /// A core from before privileged version 1.11.
    pub fn is_old(&self) -> bool {
        self.cpu.starts_with("sifive")
    }

    /// What a register can hold.
    pub fn mask(&self) -> u64 {
        u64::MAX >> (64 - self.xlen)
    }
}
