//! `qemu-i386`: runs 32-bit x86 Linux programs.
#![cfg_attr(not(test), no_main)]

use guest_x86::models::{Cpu, help};
use linux_user::arch::x86::X86;
use linux_user::start::{self, GuestBinary};

linux_user::program!(GuestBinary {
    name: "i386",
    cpu_help: || help(32),
    make: |model| {
        let cpu = model.map_or(Ok(Cpu::default_for(32)), |text| Cpu::parse(32, text))?;
        let arch = Box::leak(Box::new(X86::new(cpu)));
        Ok(start::Cpu { guest: Box::new(guest_x86::X86::new(cpu)), arch })
    },
});
