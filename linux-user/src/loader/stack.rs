//! The first stack of a process: strings, vectors and the auxiliary vector, as the kernel's `create_elf_tables` and
//! `copy_strings` lay them out.
//!
//! Pure: input is what goes on it and the address of its top; output is bytes and addresses.

use std::ops::Range;

/// Types of auxiliary vector entries.
#[allow(missing_docs, reason = "the names of the kernel's UAPI auxvec.h")]
pub mod at {
    pub const NULL: u64 = 0;
    pub const PHDR: u64 = 3;
    pub const PHENT: u64 = 4;
    pub const PHNUM: u64 = 5;
    pub const PAGESZ: u64 = 6;
    pub const BASE: u64 = 7;
    pub const FLAGS: u64 = 8;
    pub const ENTRY: u64 = 9;
    pub const UID: u64 = 11;
    pub const EUID: u64 = 12;
    pub const GID: u64 = 13;
    pub const EGID: u64 = 14;
    pub const PLATFORM: u64 = 15;
    pub const HWCAP: u64 = 16;
    pub const CLKTCK: u64 = 17;
    pub const SECURE: u64 = 23;
    pub const BASE_PLATFORM: u64 = 24;
    pub const RANDOM: u64 = 25;
    pub const HWCAP2: u64 = 26;
    pub const RSEQ_FEATURE_SIZE: u64 = 27;
    pub const RSEQ_ALIGN: u64 = 28;
    pub const HWCAP3: u64 = 29;
    pub const EXECFN: u64 = 31;
    pub const SYSINFO: u64 = 32;
    pub const SYSINFO_EHDR: u64 = 33;
    pub const MINSIGSTKSZ: u64 = 51;
}

/// An auxiliary value: a number, or something on the stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuxValue {
    /// As it is.
    Number(u64),
    /// Address of the platform string.
    Platform,
    /// Address of the 16 random bytes.
    Random,
    /// Address of the program's file name.
    ExecFn,
}

/// What goes on the stack.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// Arguments.
    pub args: &'a [Vec<u8>],
    /// Environment.
    pub env: &'a [Vec<u8>],
    /// File name as given to exec.
    pub exec_fn: &'a [u8],
    /// Auxiliary entries without the final AT_NULL.
    pub aux: &'a [(u64, AuxValue)],
    /// AT_PLATFORM.
    pub platform: &'a str,
    /// AT_RANDOM.
    pub random: [u8; 16],
    /// 8 or 4.
    pub word: usize,
    /// Byte order.
    pub big_endian: bool,
}

/// The finished stack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stack {
    /// Stack pointer: address of the first byte.
    pub sp: u64,
    /// From `sp` to the top.
    pub bytes: Vec<u8>,
    /// Addresses of the argument strings.
    pub args: Range<u64>,
    /// Addresses of the environment strings.
    pub env: Range<u64>,
    /// The auxiliary vector's bytes.
    pub auxv: Vec<u8>,
}

/// Lays out the stack below `top` (16-aligned). None if it takes more than `limit` bytes.
pub fn build(contents: &Contents<'_>, top: u64, limit: u64) -> Option<Stack> {
    let word = contents.word;
    let strings = |list: &[Vec<u8>]| list.iter().map(|s| s.len() as u64 + 1).sum::<u64>();
    let vectors = (contents.args.len() + contents.env.len() + 3 + 2 * (contents.aux.len() + 1)) as u64;
    let (args_len, env_len) = (strings(contents.args), strings(contents.env));
    let size = args_len + env_len + contents.exec_fn.len() as u64 + vectors * word as u64 + 256;
    if size > limit || size > top {
        return None;
    }
    // Downwards from the top: a null word, the file name, environment, arguments.
    let mut high = Vec::new();
    let null_len = 8;
    let exec_fn = top - null_len - (contents.exec_fn.len() as u64 + 1);
    let env = exec_fn - env_len..exec_fn;
    let args = env.start - args_len..env.start;
    let platform = (args.start & !15) - (contents.platform.len() as u64 + 1).next_multiple_of(16);
    let random = platform - 16;
    high.extend_from_slice(&contents.random);
    high.extend_from_slice(contents.platform.as_bytes());
    high.resize((args.start - random) as usize, 0);
    let mut arg_ptrs = Vec::new();
    let mut env_ptrs = Vec::new();
    for (list, pointers) in [(contents.args, &mut arg_ptrs), (contents.env, &mut env_ptrs)] {
        for string in list {
            pointers.push(random + high.len() as u64);
            high.extend_from_slice(string);
            high.push(0);
        }
    }
    high.extend_from_slice(contents.exec_fn);
    high.resize((top - random) as usize, 0);

    let sp = (random - vectors * word as u64) & !15;
    let mut low = Vec::new();
    let put = |out: &mut Vec<u8>, value: u64| {
        if contents.big_endian {
            out.extend_from_slice(&value.to_be_bytes()[8 - word..]);
        } else {
            out.extend_from_slice(&value.to_le_bytes()[..word]);
        }
    };
    put(&mut low, contents.args.len() as u64);
    for pointers in [&arg_ptrs, &env_ptrs] {
        for &pointer in pointers {
            put(&mut low, pointer);
        }
        put(&mut low, 0);
    }
    let mut auxv = Vec::new();
    for &(kind, value) in contents.aux {
        put(&mut auxv, kind);
        put(
            &mut auxv,
            match value {
                AuxValue::Number(number) => number,
                AuxValue::Platform => platform,
                AuxValue::Random => random,
                AuxValue::ExecFn => exec_fn,
            },
        );
    }
    put(&mut auxv, at::NULL);
    put(&mut auxv, 0);
    low.extend_from_slice(&auxv);
    low.resize((random - sp) as usize, 0);
    low.extend_from_slice(&high);
    Some(Stack { sp, bytes: low, args, env, auxv })
}
