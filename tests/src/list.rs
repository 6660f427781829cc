//! The list of guests: one row of data for each, from which every harness here works.
//!
//! A new guest is a row, a folder `guest-tests/NAME` if it has programs of its own, and its compiler in `setup.sh`.

use crate::{root, trees};
use std::path::PathBuf;

/// A Debian tree with the guest's programs.
#[derive(Debug)]
pub struct Tree {
    /// Its folder in [`trees`].
    pub folder: &'static str,
    /// Its release, for people and in the names of expected output that is this release's own.
    pub release: &'static str,
    /// Whether the host's programs (Debian 12) are of the same versions, so that outputs can be compared.
    pub same_as_host: bool,
    /// The scripts that the short form of the program tests runs on it: the kernel side is the same code for all trees.
    pub short: Option<&'static [&'static str]>,
    /// Its python.
    pub python: &'static str,
    /// Its C compiler proper, and the host's cross compiler that does the same work.
    pub cc1: (&'static str, &'static str),
}

impl Tree {
    /// Where it is.
    pub fn path(&self) -> PathBuf {
        trees().join(self.folder)
    }
}

/// One guest.
#[derive(Debug)]
pub struct Guest {
    /// Name as in `qemu-NAME`, in `guest-tests/NAME` and in test names.
    pub name: &'static str,
    /// Prefix of the cross compiler's commands; the cross C library is in `/usr/TRIPLE`.
    pub triple: &'static str,
    /// Words that every compilation for it has.
    pub flags: &'static [&'static str],
    /// The command and first words of a compiler that makes vector code where the cross compiler makes none.
    pub vectors: &'static [&'static str],
    /// Whether there is a C library, so that the programs of `guest-tests/multiarch` can be built.
    pub hosted: bool,
    /// A file that is there where the host's kernel runs its programs itself, so that it is the measure of them.
    pub native: Option<&'static str>,
    /// Whether that library can be linked into a position-independent program.
    pub static_pie: bool,
    /// The modes in which those are run; programs of its own run in all.
    pub shared_modes: &'static [&'static str],
    /// Whether Debian 12's gdb knows its system calls.
    pub gdb_calls: bool,
    /// `QEMU_CPU` for the reference emulator.
    pub oracle_cpu: &'static str,
    /// The system call ABI.
    pub abi: syscall_tables::Arch,
    /// Its Debian tree.
    pub tree: Option<Tree>,
    /// What of its instructions is there, for the README.
    pub instructions: &'static str,
}

/// All guests.
pub static GUESTS: &[Guest] = &[
    Guest {
        name: "aarch64",
        triple: "aarch64-linux-gnu",
        flags: &[],
        vectors: &[],
        hosted: true,
        native: None,
        static_pie: true,
        shared_modes: &["jit", "warm", "nochain", "sse4", "avx2", "one-insn", "interp"],
        gdb_calls: true,
        // Its frames carry an SVE record that overrides the FPSIMD one, which ours (without SVE) do not have.
        oracle_cpu: "max,sve=off,sme=off",
        abi: syscall_tables::Arch::Aarch64,
        tree: Some(Tree {
            folder: "arm64",
            release: "debian12",
            same_as_host: true,
            short: None,
            python: "/usr/bin/python3.11",
            cc1: ("/usr/lib/gcc/aarch64-linux-gnu/12/cc1", "/usr/lib/gcc-cross/aarch64-linux-gnu/12/cc1"),
        }),
        instructions: "Armv8.0 to Armv8.6 at EL0, and what compilers use of later ones; no SVE, no MTE",
    },
    Guest {
        name: "riscv64",
        triple: "riscv64-linux-gnu",
        flags: &[],
        // Debian 12's gcc knows no vectors of this guest.
        vectors: &[
            "clang-19",
            "--target=riscv64-linux-gnu",
            "--gcc-install-dir=/usr/lib/gcc-cross/riscv64-linux-gnu/12",
            "-isystem/usr/riscv64-linux-gnu/include",
            "-march=rv64gcv",
            // Debian 12's linker crashes on the relocations of clang's newer debugging information.
            "-gdwarf-4",
        ],
        hosted: true,
        native: None,
        static_pie: false,
        // The other modes tell host levels and linking apart, which are the same code for every guest.
        shared_modes: &["jit", "warm", "one-insn", "interp"],
        gdb_calls: false,
        oracle_cpu: "max",
        abi: syscall_tables::Arch::Riscv64,
        tree: Some(Tree {
            folder: "riscv64",
            release: "debian13",
            same_as_host: false,
            short: None,
            python: "/usr/bin/python3.13",
            cc1: ("/usr/libexec/gcc/riscv64-linux-gnu/14/cc1", "/usr/lib/gcc-cross/riscv64-linux-gnu/12/cc1"),
        }),
        instructions: "RV64GC, Zba Zbb Zbc Zbs, Zbkb Zbkx, Zicond, Zacas, Zabha, Zfh, Zcb, V, Zvfh, Zvfbf*, Zvbb, Zvbc, Zvk*",
    },
    Guest {
        name: "riscv32",
        // Debian has no C library for it: its programs bring their own start-up code.
        triple: "riscv64-linux-gnu",
        flags: &["-march=rv32gc", "-mabi=ilp32d", "-nostdlib", "-ffreestanding"],
        vectors: &[],
        hosted: false,
        native: None,
        static_pie: false,
        shared_modes: &[],
        gdb_calls: false,
        oracle_cpu: "max",
        abi: syscall_tables::Arch::Riscv32,
        tree: None,
        instructions: "as RV64, with 32-bit registers; static programs (ilp32d)",
    },
    Guest {
        name: "x86_64",
        triple: "x86_64-linux-gnu",
        flags: &[],
        vectors: &[],
        hosted: true,
        native: Some("/proc/self/exe"),
        static_pie: true,
        shared_modes: &["jit", "warm", "one-insn", "interp"],
        gdb_calls: false,
        oracle_cpu: "max",
        abi: syscall_tables::Arch::X86_64,
        tree: Some(Tree {
            folder: "amd64",
            release: "debian12",
            same_as_host: true,
            short: Some(&["bash", "coreutils", "perl", "python", "sqlite", "node", "directory", "gcc"]),
            python: "/usr/bin/python3.11",
            cc1: ("/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1"),
        }),
        instructions: "integer, SSE to AVX-512 (without FP16), FMA, F16C, AES, SHA; x87",
    },
    Guest {
        name: "i386",
        triple: "i686-linux-gnu",
        flags: &[],
        vectors: &[],
        // Its shared programs are right on the host (but for those marked long=64); under the emulator clocks and
        // seccomp fail and at least one hangs.
        hosted: false,
        native: Some("/proc/sys/abi/vsyscall32"),
        static_pie: true,
        shared_modes: &["jit", "warm", "one-insn", "interp"],
        gdb_calls: false,
        oracle_cpu: "max",
        abi: syscall_tables::Arch::I386,
        tree: Some(Tree {
            folder: "i386",
            release: "debian12-i386",
            same_as_host: true,
            short: Some(&["bash", "coreutils", "perl", "python", "busybox", "directory"]),
            python: "/usr/bin/python3.11",
            cc1: ("/usr/lib/gcc/i686-linux-gnu/12/cc1", "/usr/lib/gcc-cross/i686-linux-gnu/12/cc1"),
        }),
        instructions: "as x86_64, with segments",
    },
];

impl Guest {
    /// The guest of this name.
    pub fn named(name: &str) -> Result<&'static Guest, String> {
        let known = || GUESTS.iter().map(|g| g.name).collect::<Vec<_>>().join(", ");
        GUESTS
            .iter()
            .find(|g| g.name == name)
            .ok_or_else(|| format!("no guest {name}; there are {}", known()))
    }

    /// The emulator under test: `$OMNIRUN_QEMU` where that is this guest's, else the release binary.
    pub fn emulator(&self) -> PathBuf {
        let binary = format!("qemu-{}", self.name);
        std::env::var_os("OMNIRUN_QEMU")
            .map(PathBuf::from)
            .filter(|p| {
                let name = p.file_name().unwrap_or_default().to_string_lossy().into_owned();
                name.starts_with(&binary)
            })
            .unwrap_or_else(|| root().join("target/release").join(binary))
    }

    /// Whether the host runs its programs, too.
    pub fn is_native(&self) -> bool {
        cfg!(target_arch = "x86_64") && self.native.is_some_and(|file| std::path::Path::new(file).exists())
    }

    /// The reference emulator, if `make bench` has installed one.
    pub fn reference(&self) -> Option<PathBuf> {
        let path = trees().join("reference/usr/bin").join(format!("qemu-{}", self.name));
        path.exists().then_some(path)
    }

    /// The root of the cross C library, for `-L`; the host's own compiler has the host's own.
    pub fn cross_root(&self) -> String {
        let cross = format!("/usr/{}", self.triple);
        if PathBuf::from(&cross).join("lib").exists() { cross } else { "/".to_owned() }
    }
}
