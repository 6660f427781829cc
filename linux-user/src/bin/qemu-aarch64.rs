//! `qemu-aarch64`: runs AArch64 Linux programs.
#![cfg_attr(not(test), no_main)]

use guest_aarch64::cpu::{Cpu, MODELS};
use linux_user::arch::aarch64::Aarch64;
use linux_user::start::{self, GuestBinary};

linux_user::program!(GuestBinary {
    name: "aarch64",
    cpu_help: || {
        let names: Vec<String> = MODELS.iter().map(|model| format!("  {}\n", model.name)).collect();
        format!("Available CPUs:\n{}", names.concat())
    },
    make: |model| {
        let cpu = model.map_or(Ok(Cpu::preferred()), Cpu::parse)?;
        let arch = Box::leak(Box::new(Aarch64::new(cpu)));
        Ok(start::Cpu { guest: Box::new(guest_aarch64::Aarch64::new(cpu)), arch })
    },
});
