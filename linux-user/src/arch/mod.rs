//! What user mode needs to know of a guest architecture: one trait object, so that everything else is compiled once.
//!
//! Input: the guest's CPU state; output: system call registers, initial state, the facts behind auxv, uname, cpuinfo,
//! core dumps and the debugger. A new guest is a folder here.

pub mod aarch64;
pub mod riscv;
pub mod vdso;

/// System calls that only some architecture has.
pub use x86::calls::{
    sys_arch_prctl, sys_get_thread_area, sys_ioperm, sys_iopl, sys_modify_ldt, sys_set_thread_area,
};
pub mod x86;

use crate::cpu::CpuState;
use crate::errno::Errno;
use crate::guest_mem::GuestMem;
use crate::signal::SignalArch;
use engine::Engine;

/// The guest's vDSO: an ELF image that is mapped read-only and executable.
#[derive(Clone, Debug)]
pub struct Vdso {
    /// The image.
    pub image: Vec<u8>,
    /// Offset of `__kernel_rt_sigreturn` or its like in the image.
    pub sigreturn: u64,
    /// Offsets of all functions, in the order in which they were given.
    pub places: Vec<u64>,
    /// What of the image makes calls of its own, which nobody sees as system calls.
    pub private: std::ops::Range<u64>,
    /// Offset of the entry for system calls (AT_SYSINFO), if it has one.
    pub entry: Option<u64>,
}

/// Hardware capabilities as the auxiliary vector shows them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hwcaps {
    /// AT_HWCAP.
    pub hwcap: u64,
    /// AT_HWCAP2.
    pub hwcap2: u64,
    /// AT_HWCAP3, if the guest's kernel has it.
    pub hwcap3: Option<u64>,
}

/// Where 64-bit kernels begin to place position-independent programs: two thirds of user space (`ELF_ET_DYN_BASE`). Tools that
/// keep a shadow of all memory, such as the address sanitizer, count on the lower eighth and more being free.
pub const PIE_BASE: u64 = ((1 << 47) / 3 * 2) & !0xfff;

/// Where the loader puts things when nothing else is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placement {
    /// Lowest base of a position-independent program.
    pub pie_base: u64,
    /// Bits of randomness in that base, above the page offset.
    pub pie_random_bits: u32,
    /// First address past user space.
    pub task_size: u64,
}

/// Types of register notes (kernel UAPI `linux/elf.h`).
#[allow(missing_docs, reason = "the kernel's names")]
pub mod nt {
    pub const PRSTATUS: u32 = 1;
    pub const PRFPREG: u32 = 2;
    pub const PRXFPREG: u32 = 0x46e6_2b7f;
    pub const I386_TLS: u32 = 0x200;
    pub const X86_XSTATE: u32 = 0x202;
    pub const ARM_TLS: u32 = 0x401;
    pub const ARM_HW_BREAK: u32 = 0x402;
    pub const ARM_HW_WATCH: u32 = 0x403;
    pub const ARM_SYSTEM_CALL: u32 = 0x404;
    pub const ARM_PAC_MASK: u32 = 0x406;
    pub const RISCV_VECTOR: u32 = 0x901;
}

/// A `ptrace` request for registers from before there were register sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Legacy {
    /// All of a set, at the request's data address.
    Set {
        /// Its note type.
        note: u32,
        /// It is set rather than read.
        write: bool,
    },
    /// A word of `struct user`, which ends at `end` and begins with the general registers.
    Peek {
        /// Size of the structure.
        end: u64,
    },
    /// The same, written.
    Poke {
        /// Size of the structure.
        end: u64,
    },
}

/// The answer to a hardware probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// The value.
    pub value: u64,
    /// It is a set of bits rather than a number.
    pub is_set: bool,
}

/// How the debugger sees one register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GdbRegister {
    /// Name in the target description.
    pub name: &'static str,
    /// Bits.
    pub bits: u32,
}

/// A guest architecture.
pub trait Arch: SignalArch + Send + Sync {
    /// Name as in `qemu-<name>`.
    fn name(&self) -> &'static str {
        self.abi().info().name
    }

    /// The system call ABI: numbers, layouts, byte order, word size, ELF machine, uname's machine.
    fn abi(&self) -> syscall_tables::Arch;

    /// Number and arguments of the system call that the CPU has just executed.
    fn syscall_regs(&self, cpu: &CpuState) -> (u64, [u64; 6]);

    /// Stores a system call's result: a value or minus an error number, in the ABI's form.
    fn set_result(&self, cpu: &mut CpuState, result: Result<u64, Errno>);

    /// Bytes of the system call instruction: how far the PC steps back to execute it again. The registers that the call
    /// changed are restored from `args`.
    fn restart_syscall(&self, cpu: &mut CpuState, nr: u64, args: &[u64; 6]);

    /// Sets the stack pointer.
    fn set_sp(&self, cpu: &mut CpuState, sp: u64);

    /// The thread pointer.
    fn tls(&self, cpu: &CpuState) -> u64;

    /// Sets the thread pointer.
    fn set_tls(&self, cpu: &mut CpuState, tls: u64);

    /// Whether `clone` can set a new thread's thread pointer from this argument.
    fn check_clone_tls(&self, mem: GuestMem, tls: u64) -> Result<(), Errno> {
        let _ = (mem, tls);
        Ok(())
    }

    /// Sets a new thread's thread pointer from `clone`'s argument.
    fn set_clone_tls(&self, cpu: &mut CpuState, mem: GuestMem, tls: u64) {
        let _ = mem;
        self.set_tls(cpu, tls);
    }

    /// Notes for tracers that a system call begins (none: no call is being made), where registers show it.
    fn mark_call(&self, cpu: &mut CpuState, number: Option<u64>) {
        let _ = (cpu, number);
    }

    /// The call's number as a tracer left it, where it is in a register of its own.
    fn marked_call(&self, cpu: &CpuState) -> Option<u64> {
        let _ = cpu;
        None
    }

    /// The state with which a new image starts; everything else in `cpu` is cleared.
    fn start(&self, cpu: &mut CpuState, entry: u64, sp: u64);

    /// Where images go.
    fn placement(&self) -> Placement;

    /// PROT_* bits of its own that the kernel accepts.
    fn extra_prot(&self) -> u32 {
        0
    }

    /// Rights that an image with these GNU property feature bits adds to its executable segments.
    fn segment_prot(&self, features: u32) -> u32 {
        let _ = features;
        0
    }

    /// Whether `mmap` has MAP_32BIT.
    fn has_low_flag(&self) -> bool {
        false
    }

    /// A program that says nothing of its stack is of old, and whatever it can read it can execute.
    fn unsaid_stack_executes_all(&self) -> bool {
        false
    }

    /// Debian's C library package for this guest, for messages.
    fn libc_package(&self) -> &'static str;

    /// AT_HWCAP and its successors.
    fn hwcaps(&self) -> Hwcaps;

    /// AT_PLATFORM.
    fn platform(&self) -> &'static str;

    /// AT_MINSIGSTKSZ.
    fn min_signal_stack(&self) -> u64;

    /// The vDSO, if it has one.
    fn vdso(&self) -> Option<&Vdso>;

    /// `/proc/cpuinfo` for this many processors.
    fn cpuinfo(&self, processors: usize) -> String;

    /// Components of the state that the kernel saves and restores, on guests whose kernel tells.
    fn state_components(&self) -> u64 {
        0
    }

    /// Whether users and groups have 16 bits in core files.
    fn short_ids(&self) -> bool {
        false
    }

    /// What an old request for registers means here.
    fn legacy_ptrace(&self, request: u64) -> Option<Legacy> {
        let _ = request;
        None
    }

    /// The value of a hardware probe key, on guests whose kernel has that call.
    fn hwprobe(&self, key: i64) -> Option<Probe> {
        let _ = key;
        None
    }

    /// Removes what the CPU ignores in a data address.
    fn untag(&self, addr: u64) -> u64 {
        addr
    }

    /// Registers as `-d cpu` prints them; `vectors` adds the floating-point ones.
    fn dump(&self, engine: &Engine, cpu: &CpuState, vectors: bool) -> String;

    /// The register sets that ptrace and core dumps show, by note type; [`nt::PRSTATUS`] comes first.
    fn regsets(&self) -> &'static [u32];

    /// One of them, in the guest kernel's layout.
    fn regset(&self, engine: &Engine, cpu: &CpuState, note: u32) -> Option<Vec<u8>>;

    /// The size of its elements, of which ptrace takes whole ones only (debuggers find the width of a set by that).
    fn regset_unit(&self, _note: u32) -> usize {
        self.abi().info().word
    }

    /// Sets one of them, all of it; false if it cannot be set to that.
    fn set_regset(&self, engine: &Engine, cpu: &mut CpuState, note: u32, bytes: &[u8]) -> bool;

    /// Target description for the debugger: `target.xml`.
    fn gdb_description(&self) -> &str;

    /// Registers in the order of the target description.
    fn gdb_registers(&self) -> &[GdbRegister];

    /// Reads one of these, little-endian.
    fn gdb_read(&self, engine: &Engine, cpu: &CpuState, index: usize) -> Vec<u8>;

    /// Writes one of these.
    fn gdb_write(&self, engine: &Engine, cpu: &mut CpuState, index: usize, value: &[u8]);
}

/// A CPU model that `-cpu` selects: name and one line about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Model {
    /// As given to `-cpu`.
    pub name: &'static str,
    /// For `-cpu help`.
    pub about: &'static str,
}
