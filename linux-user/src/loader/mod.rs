//! From a program file to a process image: parse -> plan -> stack -> apply. The first three are pure.
//!
//! * [`elf::parse`] (and [`flat::parse`]) turn bytes into an [`Image`], with every file value checked;
//! * [`plan::plan`] decides what is mapped where;
//! * [`stack::build`] lays out arguments, environment and auxiliary vector;
//! * [`apply::load`] opens the files and maps them.
//!
//! Each refusal is a [`LoadError`] with the errno the kernel gives and, for people, a sentence.

pub mod apply;
pub mod elf;
pub mod flat;
pub mod plan;
pub mod stack;

use crate::errno::Errno;
use std::ops::Range;

/// Bytes of a file at given offsets.
pub trait Source {
    /// Fills `buf` from `offset`; how many bytes there were.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Errno>;
    /// File length.
    fn len(&self) -> u64;
    /// An empty file.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Source for [u8] {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let count = buf.len().min(self.len() - from);
        buf[..count].copy_from_slice(&self[from..from + count]);
        Ok(count)
    }

    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }
}

/// Which programs an emulator runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// `e_machine`.
    pub machine: u16,
    /// 64-bit class.
    pub wide: bool,
    /// Byte order.
    pub big_endian: bool,
    /// First address past user space.
    pub task_size: u64,
}

/// A loadable piece of an image. Addresses are as in the file, before relocation of the whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Address and length in memory.
    pub mem: Range<u64>,
    /// Offset in the file.
    pub offset: u64,
    /// Bytes from the file.
    pub file_len: u64,
    /// `mm::prot` bits.
    pub prot: u32,
    /// Alignment, a power of two (1 if the file says nothing).
    pub align: u64,
}

/// What the stack segment header asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StackRights {
    /// There is no such header.
    Unsaid,
    /// Not executable.
    Data,
    /// Executable.
    Exec,
}

/// A parsed program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// May be placed anywhere.
    pub relocatable: bool,
    /// Entry address.
    pub entry: u64,
    /// At least one, in the order of the file.
    pub segments: Vec<Segment>,
    /// Address range of the segments.
    pub span: Range<u64>,
    /// The interpreter's path.
    pub interpreter: Option<Vec<u8>>,
    /// Address of the program headers in memory, zero if they are not loaded.
    pub phdr: u64,
    /// Size of one program header.
    pub phent: u64,
    /// Number of program headers.
    pub phnum: u64,
    /// Stack rights.
    pub stack: StackRights,
    /// The architecture's feature bits (GNU property `*_FEATURE_1_AND`).
    pub features: u32,
}

/// Why a program cannot be loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// The file (by its name) cannot be opened or read.
    Open(String, Errno),
    /// Not a program in any format we know.
    NotElf,
    /// A program for another architecture: its name, or its machine number.
    WrongArch(u16, Option<&'static str>),
    /// A malformed file; what is wrong with it.
    Malformed(&'static str),
    /// A flat binary that needs the shared library of this number.
    FlatLibrary(u8),
    /// The interpreter that the program names is not there.
    NoInterpreter(String, Errno, Option<String>),
    /// The interpreter is malformed or for another architecture.
    BadInterpreter(String, Box<LoadError>),
    /// The addresses that the program must have are not free.
    Occupied(Range<u64>),
    /// Arguments and environment do not fit.
    TooBig,
    /// The host refused memory.
    Memory(Errno),
}

impl LoadError {
    /// What `execve` returns.
    pub fn errno(&self) -> Errno {
        match self {
            LoadError::Open(_, errno) | LoadError::NoInterpreter(_, errno, _) | LoadError::Memory(errno) => {
                *errno
            }
            LoadError::NotElf
            | LoadError::WrongArch(..)
            | LoadError::Malformed(_)
            | LoadError::FlatLibrary(_) => Errno::ENOEXEC,
            LoadError::BadInterpreter(..) => Errno::ELIBBAD,
            LoadError::Occupied(_) => Errno::ENOMEM,
            LoadError::TooBig => Errno::E2BIG,
        }
    }

    /// The exit code: 1 where the file could not be opened or is no program, 255 for a refused image.
    pub fn exit_code(&self) -> i32 {
        match self {
            LoadError::Open(..) | LoadError::NotElf | LoadError::TooBig => 1,
            LoadError::WrongArch(..)
            | LoadError::Malformed(_)
            | LoadError::FlatLibrary(_)
            | LoadError::NoInterpreter(..)
            | LoadError::BadInterpreter(..)
            | LoadError::Occupied(_)
            | LoadError::Memory(_) => 255,
        }
    }

    /// One line for the user, without the emulator's name.
    pub fn message(&self, path: &str) -> String {
        match self {
            LoadError::Open(name, errno) => {
                format!("Error while loading {name}: {}", text(*errno))
            }
            LoadError::NotElf => format!("Error while loading {path}: {}", text(Errno::ENOEXEC)),
            LoadError::WrongArch(_, Some(name)) => {
                format!("{path}: this is {} {name} program: use qemu-{name}", article(name))
            }
            LoadError::WrongArch(machine, None) => {
                format!("{path}: Invalid ELF image for this architecture (machine {machine})")
            }
            LoadError::Malformed(what) => format!("{path}: malformed program: {what}"),
            LoadError::FlatLibrary(id) => {
                format!("{path}: it needs shared library {id}, and flat shared libraries are not supported")
            }
            LoadError::NoInterpreter(name, errno, hint) => {
                let hint = hint.as_ref().map_or(String::new(), |hint| format!(" ({hint})"));
                format!("Could not open '{name}': {}{hint}", text(*errno))
            }
            LoadError::BadInterpreter(name, inner) => {
                format!("{path}: bad interpreter {name}: {}", inner.message(name))
            }
            LoadError::Occupied(range) => format!(
                "{path}: cannot be loaded: the host does not have addresses {:#x}-{:#x} free",
                range.start, range.end
            ),
            LoadError::TooBig => format!("Error while loading {path}: {}", text(Errno::E2BIG)),
            LoadError::Memory(errno) => format!("{path}: cannot be loaded: {}", text(*errno)),
        }
    }
}

/// The smallest range that holds both; an empty one does not count.
fn hull(a: &Range<u64>, b: &Range<u64>) -> Range<u64> {
    if a.is_empty() { b.clone() } else { a.start.min(b.start)..a.end.max(b.end) }
}

fn article(name: &str) -> &'static str {
    // By sound: "an x86_64", "an s390x", "an m68k", "an sh4", "an hppa".
    let spelled = ["x", "s390", "m68", "sh4", "hppa"].iter().any(|start| name.starts_with(start));
    if spelled || name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

fn text(errno: Errno) -> String {
    errno.text().map_or_else(|| format!("error {}", errno.0), str::to_owned)
}

#[cfg(test)]
mod tests;
