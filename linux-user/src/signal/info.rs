//! `siginfo_t` as the host kernel gives it, and how the emulator makes its own.
//!
//! 64-bit little-endian guests use the very same bytes; for others [`SigInfo::to_abi`] and [`SigInfo::from_abi`] convert.

use crate::host_signal::SIGINFO_SIZE;
use syscall_tables::Arch;

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
    /// Illegal operand (a pointer that fails its authentication).
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

    /// The fields behind the first three, as (offset, size, offset on 32-bit arches, size there), by what the code says of
    /// the signal's origin.
    fn places(&self) -> &'static [(usize, usize, usize, usize)] {
        const SENT: &[(usize, usize, usize, usize)] = &[(16, 4, 12, 4), (20, 4, 16, 4), (24, 8, 20, 4)];
        const CHILD: &[(usize, usize, usize, usize)] =
            &[(16, 4, 12, 4), (20, 4, 16, 4), (24, 4, 20, 4), (32, 8, 24, 4), (40, 8, 28, 4)];
        const FAULT: &[(usize, usize, usize, usize)] =
            &[(16, 8, 12, 4), (24, 2, 16, 2), (32, 8, 20, 4), (40, 8, 24, 4)];
        const POLL: &[(usize, usize, usize, usize)] = &[(16, 8, 12, 4), (24, 4, 16, 4)];
        const SYS: &[(usize, usize, usize, usize)] = &[(16, 8, 12, 4), (24, 4, 16, 4), (28, 4, 20, 4)];
        if self.code() <= 0 || self.code() == code::SI_KERNEL {
            return SENT;
        }
        match self.signo() {
            libc::SIGCHLD => CHILD,
            libc::SIGILL | libc::SIGFPE | libc::SIGSEGV | libc::SIGBUS | libc::SIGTRAP => FAULT,
            libc::SIGPOLL => POLL,
            libc::SIGSYS => SYS,
            _ => SENT,
        }
    }

    /// The bytes in an ABI's layout.
    pub fn to_abi(&self, abi: Arch) -> [u8; SIGINFO_SIZE] {
        let info = abi.info();
        if info.word == 8 && !info.big_endian {
            return self.raw;
        }
        let mut out = [0; SIGINFO_SIZE];
        let mut put = |from: usize, n: usize, to: usize, m: usize| {
            let mut bytes = self.raw[from..from + n.min(m)].to_vec();
            bytes.resize(m, 0);
            if info.big_endian {
                bytes.reverse();
            }
            out[to..to + m].copy_from_slice(&bytes);
        };
        for at in [0, 4, 8] {
            put(at, 4, at, 4);
        }
        for &(wide, n, narrow, m) in self.places() {
            if info.word == 8 { put(wide, n, wide, n) } else { put(wide, n, narrow, m) }
        }
        out
    }

    /// Reads an ABI's layout.
    pub fn from_abi(abi: Arch, raw: [u8; SIGINFO_SIZE]) -> SigInfo {
        let info = abi.info();
        let mut out = SigInfo { raw };
        if info.word == 8 && !info.big_endian {
            return out;
        }
        out.raw = [0; SIGINFO_SIZE];
        let take = |from: usize, m: usize| {
            let mut bytes = raw[from..from + m].to_vec();
            if info.big_endian {
                bytes.reverse();
            }
            bytes
        };
        for at in [0, 4, 8] {
            out.raw[at..at + 4].copy_from_slice(&take(at, 4));
        }
        for &(wide, n, narrow, m) in out.places() {
            let bytes = if info.word == 8 { take(wide, n) } else { take(narrow, m) };
            out.raw[wide..wide + bytes.len()].copy_from_slice(&bytes);
        }
        out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_layouts_are_the_kernels() {
        let fault = SigInfo::fault(libc::SIGSEGV, code::SEGV_ACCERR, 0x8765_4321);
        let raw = fault.to_abi(Arch::Riscv32);
        assert_eq!(raw[..16], [11, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0x21, 0x43, 0x65, 0x87]);
        assert_eq!(
            fault.to_abi(Arch::Armeb)[..16],
            [0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 2, 0x87, 0x65, 0x43, 0x21]
        );
        let mut child = SigInfo::user(libc::SIGCHLD, 1, 77, 88);
        child.put(24, 9);
        let raw = child.to_abi(Arch::I386);
        assert_eq!((raw[12], raw[16], raw[20]), (77, 88, 9));
        for info in [fault, child, SigInfo::user(libc::SIGUSR1, -1, 5, 6)] {
            for abi in [Arch::Riscv32, Arch::Armeb, Arch::S390x, Arch::Riscv64] {
                assert_eq!(SigInfo::from_abi(abi, info.to_abi(abi)), info, "{abi:?}");
            }
        }
    }
}
