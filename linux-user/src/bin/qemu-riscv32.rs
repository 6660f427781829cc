//! `qemu-riscv32`: runs 32-bit RISC-V Linux programs.
#![cfg_attr(not(test), no_main)]

use guest_riscv::cpu::{Cpu, MODELS_32};
use linux_user::arch::riscv::Riscv;
use linux_user::start::{self, GuestBinary};

linux_user::program!(GuestBinary {
    name: "riscv32",
    cpu_help: || {
        let names: Vec<String> = MODELS_32.iter().map(|model| format!("  {}\n", model.name)).collect();
        format!("Available CPUs:\n{}", names.concat())
    },
    make: |model| {
        let cpu = model.map_or(Ok(Cpu::default_for(32)), |text| Cpu::parse(32, text))?;
        let arch = Box::leak(Box::new(Riscv::new(cpu)));
        Ok(start::Cpu { guest: Box::new(guest_riscv::Riscv::new(cpu)), arch })
    },
});
