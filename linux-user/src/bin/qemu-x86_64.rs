//! `qemu-x86_64`: runs 64-bit x86 Linux programs.
#![cfg_attr(not(test), no_main)]

use guest_x86::models::{Cpu, help};
use linux_user::arch::x86::X86;
use linux_user::start::{self, GuestBinary};

linux_user::program!(GuestBinary {
    name: "x86_64",
    cpu_help: || help(64),
    make: |model| {
        let cpu = model.map_or(Ok(Cpu::default_for(64)), |text| Cpu::parse(64, text))?;
        let arch = Box::leak(Box::new(X86::new(cpu)));
        Ok(start::Cpu { guest: Box::new(guest_x86::X86::new(cpu)), arch })
    },
});
