//! `siginfo_t` as the host kernel gives it, and how the emulator makes its own.
//!
//! 64-bit little-endian guests use the very same bytes; others convert in their frame code from the accessors here.

use crate::host_signal::SIGINFO_SIZE;

/// `si_code` values that the emulator itself raises (kernel UAPI `siginfo.h`).
pub mod code {
    /// Sent by `kill`.
    pub const SI_USER: i32 = 0;
    /// Sent by the kernel without more detail.
    pub const SI_KERNEL: i32 = 0x80;
    /// Sent by `tkill`/`tgkill`.
    pub const SI_TKILL: i32 = -6;
    /// Illegal opcode.
    pub const ILL_ILLOPC: i32 = 1;
    /// Illegal operand or branch target (BTI).
    pub const ILL_ILLOPN: i32 = 2;
    /// Nothing is mapped.
    pub const SEGV_MAPERR: i32 = 1;
    /// The mapping forbids it.
    pub const SEGV_ACCERR: i32 = 2;
    /// Misaligned.
    pub const BUS_ADRALN: i32 = 1;
    /// Behind the end of a file mapping.
    pub const BUS_ADRERR: i32 = 2;
    /// Integer division by zero.
    pub const FPE_INTDIV: i32 = 1;
    /// Breakpoint instruction.
    pub const TRAP_BRKPT: i32 = 1;
}

/// One signal's information, in host layout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SigInfo {
    /// The host's bytes.
    pub raw: [u8; SIGINFO_SIZE],
}

impl SigInfo {
    /// From recorded bytes.
    pub fn from_raw(raw: [u8; SIGINFO_SIZE]) -> SigInfo {
        SigInfo { raw }
    }

    /// A fault of the CPU.
    pub fn fault(sig: i32, code: i32, addr: u64) -> SigInfo {
        let mut info = SigInfo { raw: [0; SIGINFO_SIZE] };
        info.put(0, sig);
        info.put(8, code);
        info.raw[16..24].copy_from_slice(&addr.to_ne_bytes());
        info
    }

    /// From a process, as `kill` and `tgkill` make it.
    pub fn user(sig: i32, code: i32, pid: i32, uid: u32) -> SigInfo {
        let mut info = SigInfo { raw: [0; SIGINFO_SIZE] };
        info.put(0, sig);
        info.put(8, code);
        info.put(16, pid);
        info.put(20, uid as i32);
        info
    }

    fn put(&mut self, offset: usize, value: i32) {
        self.raw[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
    }

    fn get(&self, offset: usize) -> i32 {
        i32::from_ne_bytes(self.raw[offset..offset + 4].try_into().expect("four bytes"))
    }

    /// `si_signo`
    pub fn signo(&self) -> i32 {
        self.get(0)
    }

    /// Sets `si_signo`.
    pub fn set_signo(&mut self, sig: i32) {
        self.put(0, sig);
    }

    /// `si_errno`
    pub fn errno(&self) -> i32 {
        self.get(4)
    }

    /// `si_code`
    pub fn code(&self) -> i32 {
        self.get(8)
    }

    /// `si_pid`
    pub fn pid(&self) -> i32 {
        self.get(16)
    }

    /// `si_uid`
    pub fn uid(&self) -> u32 {
        self.get(20) as u32
    }

    /// `si_addr`
    pub fn addr(&self) -> u64 {
        u64::from_ne_bytes(self.raw[16..24].try_into().expect("eight bytes"))
    }

    /// `si_status` of SIGCHLD.
    pub fn status(&self) -> i32 {
        self.get(24)
    }

    /// `si_value` of queued signals.
    pub fn value(&self) -> u64 {
        u64::from_ne_bytes(self.raw[24..32].try_into().expect("eight bytes"))
    }
}
