//! `qemu-riscv64`: runs 64-bit RISC-V Linux programs.
#![cfg_attr(not(test), no_main)]

use guest_riscv::cpu::{Cpu, MODELS};
use linux_user::arch::riscv::Riscv;
use linux_user::start::{self, GuestBinary};

linux_user::program!(GuestBinary {
    name: "riscv64",
    cpu_help: || {
        let names: Vec<String> = MODELS.iter().map(|model| format!("  {}\n", model.name)).collect();
        format!("Available CPUs:\n{}", names.concat())
    },
    make: |model| {
        let cpu = model.map_or(Ok(Cpu::default()), |text| Cpu::parse(64, text))?;
        let arch = Box::leak(Box::new(Riscv::new(cpu)));
        Ok(start::Cpu { guest: Box::new(guest_riscv::Riscv::new(cpu)), arch })
    },
});
