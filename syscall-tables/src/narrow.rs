//! Arguments of 32-bit arches as the 64-bit ones have them: 64-bit numbers are put together from two registers, signed
//! numbers are extended.

use crate::tables::{Arch, CallId};
use crate::types::{ArchInfo, ArgTy, CallDesc, Level};

/// Calls whose arguments or results hold addresses of 64 bits that only the host kernel could read, or that it keeps and
/// gives back later: guests of 32 bits, and of the other byte order, do without.
const HOST_FORM_ONLY: [CallId; 6] = [
    CallId::Userfaultfd,
    CallId::Bpf,
    CallId::IoUringSetup,
    CallId::IoUringEnter,
    CallId::IoUringRegister,
    CallId::PerfEventOpen,
];

impl CallDesc {
    /// Why a call that works elsewhere is refused on one arch.
    fn refusal(&self, arch: Arch) -> Option<&'static str> {
        let info = arch.info();
        // Events are numbers only, which every guest of this byte order reads.
        let narrow = info.word == 4 && self.id != CallId::PerfEventOpen;
        let refused = (narrow || info.big_endian) && HOST_FORM_ONLY.contains(&self.id);
        refused.then_some(
            "it shares addresses of 64 bits or numbers in the host's byte order with the host kernel",
        )
    }

    /// The support on one arch.
    pub fn level_on(&self, arch: Arch) -> Level {
        if self.level.works() && self.refusal(arch).is_some() { Level::None } else { self.level }
    }

    /// Why it is not supported there.
    pub fn reason_on(&self, arch: Arch) -> &'static str {
        if self.level.works() { self.refusal(arch).unwrap_or(self.note) } else { self.note }
    }
}

/// The arguments by the call's description, from registers of 32 bits.
pub fn widen(info: &ArchInfo, desc: &CallDesc, regs: &[u64; 6]) -> [u64; 6] {
    if info.word == 8 {
        return *regs;
    }
    let word = |n: usize| regs.get(n).map_or(0, |r| *r & 0xffff_ffff);
    let signed = |n: usize| word(n) as u32 as i32 as i64 as u64;
    let mut out = [0; 6];
    let mut at = 0usize;
    for (arg, slot) in desc.args.iter().zip(&mut out) {
        match arg.ty {
            ArgTy::Loff | ArgTy::U64 => {
                if info.even_pairs {
                    at = at.next_multiple_of(2);
                }
                let (low, high) = if info.big_endian { (at + 1, at) } else { (at, at + 1) };
                *slot = word(low) | word(high) << 32;
                at += 2;
            }
            // A position in two arguments of its own, low half first everywhere.
            ArgTy::Lo => {
                *slot = word(at) | word(at + 1) << 32;
                at += 1;
            }
            ArgTy::Hi => at += 1,
            ArgTy::Fd
            | ArgTy::Dirfd
            | ArgTy::Int
            | ArgTy::Long
            | ArgTy::Off
            | ArgTy::Pid
            | ArgTy::Uid
            | ArgTy::Sig => {
                *slot = signed(at);
                at += 1;
            }
            ArgTy::Uint
            | ArgTy::Ulong
            | ArgTy::Size
            | ArgTy::Mode
            | ArgTy::Dev
            | ArgTy::Addr
            | ArgTy::Hex
            | ArgTy::Path
            | ArgTy::Rpath
            | ArgTy::Str
            | ArgTy::Ioctl
            | ArgTy::Fcntl
            | ArgTy::Flags(_)
            | ArgTy::Mem(_) => {
                *slot = word(at);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::{Arch, CALLS, widen};

    fn args(arch: Arch, call: &str, regs: [u64; 6]) -> [u64; 6] {
        let desc = CALLS.iter().find(|c| c.name == call).expect("a call");
        widen(arch.info(), desc, &regs)
    }

    #[test]
    fn pairs_follow_each_arch() {
        // pread64(fd, buf, count, pos): the position is in registers 3 and 4, or 4 and 5 where pairs are even.
        let packed = args(Arch::Riscv32, "pread64", [3, 0x1000, 16, 0x55, 0x7, 0]);
        assert_eq!(packed, [3, 0x1000, 16, 0x7_0000_0055, 0, 0]);
        assert_eq!(packed, args(Arch::I386, "pread64", [3, 0x1000, 16, 0x55, 0x7, 0]));
        assert_eq!(args(Arch::Arm, "pread64", [3, 0x1000, 16, 9, 0x55, 0x7])[3], 0x7_0000_0055);
        assert_eq!(args(Arch::Armeb, "pread64", [3, 0x1000, 16, 9, 0x7, 0x55])[3], 0x7_0000_0055);
        let all = args(Arch::I386, "fallocate", [3, 1, 2, 3, 4, 5]);
        assert_eq!(all, [3, 1, 0x3_0000_0002, 0x5_0000_0004, 0, 0]);
        assert_eq!(args(Arch::Riscv64, "fallocate", [3, 1, 2, 3, 4, 5]), [3, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn positions_in_halves_and_signs() {
        let v = args(Arch::Riscv32, "preadv2", [3, 0x1000, 2, 0xffff_ffff, 0xffff_ffff, 1]);
        assert_eq!(v, [3, 0x1000, 2, u64::MAX, 0, 1]);
        assert_eq!(args(Arch::I386, "kill", [0xffff_ffff, 9, 0, 0, 0, 0])[0], u64::MAX);
        assert_eq!(args(Arch::I386, "munmap", [0xffff_f000, 0x8000_0000, 0, 0, 0, 0])[1], 0x8000_0000);
    }
}
