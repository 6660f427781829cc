//! The vocabulary of the tables, and the small queries on them.

use crate::tables::{ARCHES, Arch, CALLS, CallId, FLAG_SETS, STRUCTS, errno_rows, signal_rows};
use std::fmt;

/// Index into [`FLAG_SETS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlagSetId(pub u16);

/// Index into [`STRUCTS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StructId(pub u16);

/// Facts of one ABI.
#[derive(Debug)]
pub struct ArchInfo {
    /// Which.
    pub arch: Arch,
    /// As in the name of the binary.
    pub name: &'static str,
    /// What uname reports.
    pub machine: &'static str,
    /// Bytes of a long and of a pointer.
    pub word: usize,
    /// Byte order.
    pub big_endian: bool,
    /// Alignment of a 64-bit integer inside a structure.
    pub align64: usize,
    /// `e_machine`.
    pub elf_machine: u16,
    /// A 64-bit argument of a call begins in a register of even number (32-bit arches).
    pub even_pairs: bool,
    /// System call numbers.
    pub numbers: &'static Numbers,
}

impl Arch {
    /// The facts.
    pub fn info(self) -> &'static ArchInfo {
        &ARCHES[self as usize]
    }

    /// The arch of that name.
    pub fn from_name(name: &str) -> Option<Arch> {
        ARCHES.iter().find(|a| a.name == name).map(|a| a.arch)
    }

    /// True if every scalar type has the same size, alignment and order in both.
    pub fn same_data_model(self, other: Arch) -> bool {
        let (a, b) = (self.info(), other.info());
        a.word == b.word && a.big_endian == b.big_endian && a.align64 == b.align64
    }

    /// The call behind a number.
    pub fn call(self, number: u64) -> Option<CallId> {
        self.info().numbers.get(number)
    }
}

/// Number to call, for one arch.
#[derive(Debug)]
pub struct Numbers {
    /// Indexed by number.
    pub small: &'static [Option<CallId>],
    /// Sorted, for numbers of 1024 and more.
    pub large: &'static [(u32, CallId)],
}

impl Numbers {
    /// The call behind a number.
    pub fn get(&self, number: u64) -> Option<CallId> {
        if let Some(c) = usize::try_from(number).ok().and_then(|n| self.small.get(n)) {
            return *c;
        }
        let n = u32::try_from(number).ok()?;
        self.large.binary_search_by_key(&n, |r| r.0).ok().map(|i| self.large[i].1)
    }

    /// The number of a call.
    pub fn number_of(&self, call: CallId) -> Option<u64> {
        let small = self.small.iter().position(|c| *c == Some(call)).map(|n| n as u64);
        small.or_else(|| self.large.iter().find(|r| r.1 == call).map(|r| u64::from(r.0)))
    }
}

/// A kernel error number (positive).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

impl Errno {
    /// The host C library's `errno`, for the few calls made through it.
    pub fn last() -> Errno {
        Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(Errno::EIO.0))
    }

    /// The value for a guest's result register.
    pub fn to_ret(self) -> u64 {
        -i64::from(self.0) as u64
    }

    /// Splits what the host kernel returned.
    pub fn from_ret(ret: i64) -> Result<u64, Errno> {
        if (-4095..0).contains(&ret) { Err(Errno(-ret as i32)) } else { Ok(ret as u64) }
    }

    /// True for the codes that make the run loop execute the call again (512, 513, 514, 516).
    pub fn is_restart(self) -> bool {
        matches!(self.0, 512 | 513 | 514 | 516)
    }

    fn row(self) -> Option<&'static (i32, &'static str, &'static str)> {
        errno_rows().binary_search_by_key(&self.0, |r| r.0).ok().map(|i| &errno_rows()[i])
    }

    /// The symbolic name, as strace prints it.
    pub fn name(self) -> Option<&'static str> {
        self.row().map(|r| r.1)
    }

    /// The C library's description.
    pub fn text(self) -> Option<&'static str> {
        self.row().map(|r| r.2)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(n) => f.write_str(n),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(t) => f.write_str(t),
            None => write!(f, "Unknown error {}", self.0),
        }
    }
}

impl std::error::Error for Errno {}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Errno {
        Errno(error.raw_os_error().unwrap_or(Errno::EIO.0))
    }
}

/// A signal's name (`SIGINT`, `SIGRT_3`).
pub fn signal_name(signal: u64) -> Option<String> {
    match signal {
        0 => None,
        1..=31 => signal_rows().get(signal as usize - 1).map(|s| s.to_string()),
        32..=64 => Some(format!("SIGRT_{}", signal - 32)),
        _ => None,
    }
}

/// One flag or enumeration value.
#[derive(Debug)]
pub struct Flag {
    /// The C name.
    pub name: &'static str,
    /// The value on most arches.
    pub value: u64,
    /// The bits the value is compared in.
    pub mask: u64,
    /// (arch index, value) where it differs.
    pub over: &'static [(u8, u64)],
}

impl Flag {
    /// The value on one arch.
    pub fn on(&self, arch: Arch) -> u64 {
        self.over.iter().find(|o| o.0 == arch as u8).map_or(self.value, |o| o.1)
    }

    /// The bits compared on one arch.
    pub fn mask_on(&self, arch: Arch) -> u64 {
        if self.mask == self.value { self.on(arch) } else { self.mask }
    }
}

/// A set of flags that are ORed, or an enumeration.
#[derive(Debug)]
pub struct FlagSet {
    /// Its name in the data.
    pub name: &'static str,
    /// One value, not a set.
    pub is_enum: bool,
    /// Bit per arch whose values are not the host's.
    pub differs: u32,
    /// Values; where several match, the first wins, so combinations come before their parts.
    pub flags: &'static [Flag],
}

impl FlagSetId {
    /// The set.
    pub fn get(self) -> &'static FlagSet {
        &FLAG_SETS[self.0 as usize]
    }

    /// A value of `from` as the same meaning on `to`. Unnamed bits stay unless they mean something else there.
    pub fn convert(self, value: u64, from: Arch, to: Arch) -> u64 {
        let set = self.get();
        let differs = |a: Arch| set.differs & (1 << a as u32) != 0;
        if from == to || (!differs(from) && !differs(to)) {
            return value;
        }
        if set.is_enum {
            return set.flags.iter().find(|f| f.on(from) == value).map_or(value, |f| f.on(to));
        }
        let (mut rest, mut out, mut taken) = (value, 0, 0);
        for f in set.flags {
            let (v, m) = (f.on(from), f.mask_on(from));
            if m != 0 && value & m == v && rest & v == v {
                out |= f.on(to);
                rest &= !m;
            }
            taken |= f.mask_on(to);
        }
        out | (rest & !taken)
    }

    /// Guest value to host value.
    pub fn to_host(self, value: u64, guest: Arch) -> u64 {
        self.convert(value, guest, crate::HOST)
    }

    /// Host value to guest value.
    pub fn from_host(self, value: u64, guest: Arch) -> u64 {
        self.convert(value, crate::HOST, guest)
    }

    /// True if the arch's values are the host's.
    pub fn same_as_host(self, guest: Arch) -> bool {
        self.get().differs & (1 << guest as u32) == 0
    }

    /// The value of a named member on an arch.
    pub fn value(self, name: &str, arch: Arch) -> Option<u64> {
        self.get().flags.iter().find(|f| f.name == name).map(|f| f.on(arch))
    }
}

/// A field's or element's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ty {
    /// 8 bits, signed.
    I8,
    /// 8 bits.
    U8,
    /// 16 bits, signed.
    I16,
    /// 16 bits.
    U16,
    /// 32 bits, signed.
    I32,
    /// 32 bits.
    U32,
    /// 64 bits, signed.
    I64,
    /// 64 bits.
    U64,
    /// A word, signed.
    Long,
    /// A word.
    ULong,
    /// A guest address.
    Ptr,
    /// A nested structure.
    Struct(StructId),
}

/// How strace shows a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Show {
    /// By its type.
    Plain,
    /// Hexadecimal.
    Hex,
    /// File type and permission bits.
    Mode,
    /// A device number.
    Dev,
    /// Characters up to a zero.
    Text,
    /// Names of a set.
    Flags(FlagSetId),
    /// Padding.
    Hidden,
}

/// One field of a structure.
#[derive(Debug)]
pub struct Field {
    /// The C name.
    pub name: &'static str,
    /// Type of the field or of one element.
    pub ty: Ty,
    /// Elements of an array; 0 if it is none.
    pub count: u32,
    /// Declared `char`.
    pub is_text: bool,
    /// Display.
    pub show: Show,
}

/// A structure as some arches have it.
#[derive(Debug)]
pub struct StructVariant {
    /// Bit per arch.
    pub arches: u32,
    /// No padding, alignment 1.
    pub packed: bool,
    /// In order.
    pub fields: &'static [Field],
}

/// A structure.
#[derive(Debug)]
pub struct StructDef {
    /// The C name.
    pub name: &'static str,
    /// The first that covers an arch is the arch's.
    pub variants: &'static [StructVariant],
}

impl StructId {
    /// The definition.
    pub fn def(self) -> &'static StructDef {
        &STRUCTS[self.0 as usize]
    }

    /// The arch's variant.
    pub fn on(self, arch: Arch) -> &'static StructVariant {
        let v = self.def().variants;
        v.iter().find(|v| v.arches & (1 << arch as u32) != 0).unwrap_or(&v[v.len() - 1])
    }
}

/// Which way a buffer goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dir {
    /// The kernel reads it.
    In,
    /// The kernel writes it.
    Out,
    /// Both.
    InOut,
}

/// Number of elements behind a pointer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// (After the call) as many as before it.
    Same,
    /// Fixed.
    Lit(u32),
    /// The value of that argument.
    Arg(u8),
    /// The u32 that argument points to.
    Deref(u8),
    /// The call's result.
    Ret,
}

/// What a pointer points to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemTy {
    /// Bytes that need no conversion.
    Bytes,
    /// Scalars or structures.
    Elem(Ty),
    /// A signal set of `count` bytes.
    Sigset,
    /// A socket address of `count` bytes.
    Sockaddr,
    /// A set of `count` descriptors.
    FdSet,
    /// Vector of buffers.
    Iovec(Ty),
    /// A message header.
    Msghdr(Ty),
    /// A zero-ended vector of strings.
    Strings,
}

/// A pointer argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemArg {
    /// Direction.
    pub dir: Dir,
    /// Content.
    pub ty: MemTy,
    /// Elements before the call.
    pub count: Count,
    /// Elements that the kernel filled in.
    pub actual: Count,
}

/// An argument's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are those of the data file, explained at its top")]
pub enum ArgTy {
    Fd,
    Dirfd,
    Int,
    Uint,
    Long,
    Ulong,
    Size,
    Off,
    U64,
    Loff,
    Lo,
    Hi,
    Mode,
    Dev,
    Pid,
    Uid,
    Sig,
    Addr,
    Hex,
    Path,
    Rpath,
    Str,
    Ioctl,
    Fcntl,
    Flags(FlagSetId),
    Mem(MemArg),
}

/// One argument.
#[derive(Debug)]
pub struct ArgDesc {
    /// Its name in the manual page.
    pub name: &'static str,
    /// Its type.
    pub ty: ArgTy,
}

/// What a call returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ret {
    /// A number.
    Int,
    /// A descriptor.
    Fd,
    /// An address.
    Addr,
    /// A bit set.
    Hex,
    /// Permission bits.
    Mode,
    /// It does not return.
    Never,
}

/// How far a call is supported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Converted by the tables and passed to the host.
    Plain,
    /// Has code of its own.
    Handler,
    /// ENOSYS; the note says why.
    None,
    /// ENOSYS, as it should be: the note says why a user program has no use for it.
    Never,
}

impl Level {
    /// Something is done for it.
    pub fn works(self) -> bool {
        matches!(self, Level::Plain | Level::Handler)
    }
}

/// One system call.
#[derive(Debug)]
pub struct CallDesc {
    /// Which.
    pub id: CallId,
    /// Its name.
    pub name: &'static str,
    /// Arguments in order.
    pub args: &'static [ArgDesc],
    /// Result.
    pub ret: Ret,
    /// Support.
    pub level: Level,
    /// Why it is not supported, or what is special.
    pub note: &'static str,
    /// The host's number, or -1.
    pub host_nr: i32,
}

impl CallId {
    /// The description.
    pub fn desc(self) -> &'static CallDesc {
        &CALLS[self as usize]
    }
}

/// An ioctl's number.
#[derive(Debug)]
pub enum IoctlNr {
    /// The same bits everywhere (but see the overrides).
    Fixed(u64),
    /// Built from direction, group letter, number and size.
    Coded {
        /// 0 none, 1 write, 2 read, 3 both.
        dir: u8,
        /// Letter.
        group: u8,
        /// Number.
        nr: u8,
        /// What the size is of.
        size: Option<Ty>,
    },
}

/// An ioctl's argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IoctlArg {
    /// Ignored.
    None,
    /// A number.
    Value,
    /// A pointer to bytes that are the same everywhere.
    Raw,
    /// A pointer to a structure or number.
    Mem(Dir, Ty),
    /// Has code of its own.
    Handler,
    /// Not offered to guests.
    Refuse,
}

/// One ioctl.
#[derive(Debug)]
pub struct IoctlDesc {
    /// The C name.
    pub name: &'static str,
    /// Number.
    pub nr: IoctlNr,
    /// (arch index, number) where it differs.
    pub over: &'static [(u8, u64)],
    /// Argument.
    pub arg: IoctlArg,
}

impl IoctlDesc {
    /// The number on one arch.
    pub fn on(&self, arch: Arch) -> u64 {
        if let Some(o) = self.over.iter().find(|o| o.0 == arch as u8) {
            return o.1;
        }
        match self.nr {
            IoctlNr::Fixed(n) => n,
            IoctlNr::Coded { dir, group, nr, size } => {
                let size = size.map_or(0, |t| crate::layout::element(t, arch).0 as u64);
                // asm/ioctl.h: PowerPC (like MIPS, SPARC, Alpha) has 13 size bits and its own direction codes.
                match arch {
                    Arch::Ppc | Arch::Ppc64 | Arch::Ppc64le => {
                        let d = [1, 4, 2, 6][dir as usize];
                        d << 29 | (size & 0x1fff) << 16 | u64::from(group) << 8 | u64::from(nr)
                    }
                    _ => u64::from(dir) << 30 | (size & 0x3fff) << 16 | u64::from(group) << 8 | u64::from(nr),
                }
            }
        }
    }
}
