//! ELF parsing: both classes, both byte orders, nothing trusted.
//!
//! Input: a [`Source`]; output: an [`Image`]. The checks and their errors are those of the kernel's `load_elf_binary`.

use super::{Image, LoadError, Segment, Source, StackRights, Wanted};
use crate::errno::Errno;
use crate::mm::{PAGE, prot};

const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_PHDR: u32 = 6;
const PT_GNU_STACK: u32 = 0x6474_e551;
const PT_GNU_PROPERTY: u32 = 0x6474_e553;
const NT_GNU_PROPERTY_TYPE_0: u32 = 5;
/// `GNU_PROPERTY_AARCH64_FEATURE_1_AND` and `GNU_PROPERTY_X86_FEATURE_1_AND`: the processors' ranges overlap.
const FEATURE_1_AND: [u32; 2] = [0xc000_0000, 0xc000_0002];
const PATH_MAX: u64 = 4096;

/// Class, byte order, type and machine: enough to say who runs a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ident {
    /// 64-bit class.
    pub wide: bool,
    /// Byte order.
    pub big_endian: bool,
    /// `e_type`.
    pub kind: u16,
    /// `e_machine`.
    pub machine: u16,
    /// `e_flags`.
    pub flags: u32,
}

/// Reads scalars of the file's class and order.
#[derive(Clone, Copy)]
struct Reader<'a> {
    bytes: &'a [u8],
    wide: bool,
    big_endian: bool,
}

impl Reader<'_> {
    fn uint(&self, at: usize, size: usize) -> u64 {
        let mut value = 0u64;
        for i in 0..size {
            let index = if self.big_endian { at + i } else { at + size - 1 - i };
            value = value << 8 | u64::from(self.bytes.get(index).copied().unwrap_or(0));
        }
        value
    }

    fn u16(&self, at: usize) -> u16 {
        self.uint(at, 2) as u16
    }

    fn u32(&self, at: usize) -> u32 {
        self.uint(at, 4) as u32
    }

    /// A field whose offset and size depend on the class.
    fn word(&self, at64: usize, at32: usize) -> u64 {
        if self.wide { self.uint(at64, 8) } else { self.uint(at32, 4) }
    }
}

/// Reads the ELF identification, if the bytes are an ELF header.
pub fn ident(header: &[u8]) -> Option<Ident> {
    if header.len() < 52 || !header.starts_with(b"\x7fELF") {
        return None;
    }
    let wide = match header[4] {
        1 => false,
        2 => true,
        _ => return None,
    };
    let big_endian = match header[5] {
        1 => false,
        2 => true,
        _ => return None,
    };
    if wide && header.len() < 64 {
        return None;
    }
    let reader = Reader { bytes: header, wide, big_endian };
    let flags = reader.u32(if wide { 48 } else { 36 });
    Some(Ident { wide, big_endian, kind: reader.u16(16), machine: reader.u16(18), flags })
}

/// The name of the emulator for a program, if it is one of ours.
pub fn emulator_of(ident: &Ident) -> Option<&'static str> {
    let known = syscall_tables::ARCHES.iter().find(|arch| {
        arch.elf_machine == ident.machine
            && arch.big_endian == ident.big_endian
            && (arch.word == 8 || arch.word == 64) == ident.wide
    });
    known.map(|arch| arch.name).or(match (ident.machine, ident.wide, ident.big_endian) {
        (8, true, true) => Some("mips64"),
        (8, true, false) => Some("mips64el"),
        (8, false, true) => Some("mips"),
        (8, false, false) => Some("mipsel"),
        (2 | 18, false, true) => Some("sparc32plus"),
        (43, true, true) => Some("sparc64"),
        (4, false, true) => Some("m68k"),
        (42, false, false) => Some("sh4"),
        (42, false, true) => Some("sh4eb"),
        (0x9026, true, false) => Some("alpha"),
        (20, false, true) => Some("ppc"),
        (15, false, true) => Some("hppa"),
        (92, false, true) => Some("or1k"),
        (94, false, false) => Some("xtensa"),
        (94, false, true) => Some("xtensaeb"),
        (189, false, false) => Some("microblazeel"),
        (189, false, true) => Some("microblaze"),
        (164, false, false) => Some("hexagon"),
        (258, true, false) => Some("loongarch64"),
        _ => None,
    })
}

fn read_exact(source: &(impl Source + ?Sized), offset: u64, buf: &mut [u8]) -> Result<bool, LoadError> {
    let got = source.read_at(offset, buf).map_err(LoadError::Memory)?;
    Ok(got == buf.len())
}

/// Parses an image for the wanted guest.
pub fn parse(source: &(impl Source + ?Sized), wanted: &Wanted) -> Result<Image, LoadError> {
    let mut header = [0u8; 64];
    let got = source.read_at(0, &mut header).map_err(LoadError::Memory)?;
    let Some(ident) = ident(&header[..got]) else {
        return Err(if header.starts_with(b"\x7fELF") {
            LoadError::Malformed("the ELF header is cut off or damaged")
        } else {
            LoadError::NotElf
        });
    };
    if ident.machine != wanted.machine || ident.wide != wanted.wide || ident.big_endian != wanted.big_endian {
        return Err(LoadError::WrongArch(ident.machine, emulator_of(&ident)));
    }
    if ident.kind != ET_EXEC && ident.kind != ET_DYN {
        return Err(LoadError::Malformed("it is neither an executable nor a shared object"));
    }
    let wide = ident.wide;
    let reader = Reader { bytes: &header, wide, big_endian: ident.big_endian };
    let phoff = reader.word(32, 28);
    let (phent, phnum) = (reader.u16(if wide { 54 } else { 42 }), reader.u16(if wide { 56 } else { 44 }));
    let size = if wide { 56u64 } else { 32 };
    if u64::from(phent) != size {
        return Err(LoadError::Malformed("its program headers have the wrong size"));
    }
    let total = size * u64::from(phnum);
    // The kernel's ELF_MIN_ALIGN and 64 KiB bounds.
    if phnum == 0 || total > 65536 {
        return Err(LoadError::Malformed("its number of program headers is wrong"));
    }
    let mut table = vec![0; total as usize];
    if !read_exact(source, phoff, &mut table)? {
        return Err(LoadError::Malformed("its program headers are cut off"));
    }
    let mut image = Image {
        relocatable: ident.kind == ET_DYN,
        entry: reader.word(24, 24),
        segments: Vec::new(),
        span: 0..0,
        interpreter: None,
        phdr: 0,
        phent: size,
        phnum: u64::from(phnum),
        stack: StackRights::Unsaid,
        features: 0,
    };
    let mut phdr = None;
    for raw in table.chunks_exact(size as usize) {
        let r = Reader { bytes: raw, ..reader };
        let (kind, flags) = (r.u32(0), r.u32(if wide { 4 } else { 24 }));
        let (offset, vaddr) = (r.word(8, 4), r.word(16, 8));
        let (filesz, memsz) = (r.word(32, 16), r.word(40, 20));
        let align = r.word(48, 28);
        match kind {
            PT_LOAD => {
                if let Some(segment) = load_segment(wanted, offset, vaddr, filesz, memsz, align, flags)? {
                    if phdr.is_none() && offset <= phoff && phoff - offset < filesz {
                        phdr = vaddr.checked_add(phoff - offset);
                    }
                    let start = segment.mem.start & !(PAGE - 1);
                    image.span = super::hull(&image.span, &(start..segment.mem.end));
                    image.segments.push(segment);
                }
            }
            PT_INTERP if image.interpreter.is_none() => {
                image.interpreter = Some(interpreter(source, offset, filesz)?);
            }
            PT_PHDR => phdr = Some(vaddr),
            PT_GNU_STACK => {
                image.stack = if flags & 1 != 0 { StackRights::Exec } else { StackRights::Data };
            }
            PT_GNU_PROPERTY => image.features = features(source, &reader, offset, filesz)?,
            _ => {}
        }
    }
    if image.segments.is_empty() {
        return Err(LoadError::Malformed("it has nothing to load"));
    }
    image.phdr = phdr.unwrap_or(0);
    Ok(image)
}

fn load_segment(
    wanted: &Wanted,
    offset: u64,
    vaddr: u64,
    filesz: u64,
    memsz: u64,
    align: u64,
    flags: u32,
) -> Result<Option<Segment>, LoadError> {
    if memsz == 0 {
        return Ok(None);
    }
    // As `load_elf_binary`: these are EINVAL and SIGKILL there, since the old image is gone by then.
    if filesz > memsz {
        return Err(LoadError::Malformed("a segment is larger in the file than in memory"));
    }
    let end = vaddr.checked_add(memsz).filter(|end| *end <= wanted.task_size);
    let Some(end) = end else {
        return Err(LoadError::Malformed("a segment lies outside the address space"));
    };
    if filesz > 0 && (vaddr ^ offset) & (PAGE - 1) != 0 {
        return Err(LoadError::Malformed("a segment's address and file offset disagree within the page"));
    }
    if offset.checked_add(filesz).is_none_or(|end| end > i64::MAX as u64) {
        return Err(LoadError::Malformed("a segment lies outside the file"));
    }
    let mut rights = 0;
    for (flag, right) in [(4, prot::READ), (2, prot::WRITE), (1, prot::EXEC)] {
        if flags & flag != 0 {
            rights |= right;
        }
    }
    // As the kernel: an alignment that is no power of two is ignored.
    let align = if align.is_power_of_two() { align } else { 1 };
    Ok(Some(Segment { mem: vaddr..end, offset, file_len: filesz, prot: rights, align }))
}

fn interpreter(source: &(impl Source + ?Sized), offset: u64, len: u64) -> Result<Vec<u8>, LoadError> {
    if !(2..=PATH_MAX).contains(&len) {
        return Err(LoadError::Malformed("its interpreter's name has an impossible length"));
    }
    let mut name = vec![0; len as usize];
    if !read_exact(source, offset, &mut name)? || name.last() != Some(&0) {
        return Err(LoadError::Malformed("its interpreter's name is cut off"));
    }
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(0);
    name.truncate(end);
    Ok(name)
}

/// The feature bits of the GNU property note; a malformed note has none.
fn features(
    source: &(impl Source + ?Sized),
    reader: &Reader<'_>,
    offset: u64,
    len: u64,
) -> Result<u32, LoadError> {
    // The kernel reads at most 1 KiB.
    if len > 1024 {
        return Ok(0);
    }
    let mut note = vec![0; len as usize];
    if !read_exact(source, offset, &mut note)? {
        return Ok(0);
    }
    let r = Reader { bytes: &note, ..*reader };
    if note.len() < 16 || r.u32(0) != 4 || r.u32(8) != NT_GNU_PROPERTY_TYPE_0 || &note[12..16] != b"GNU\0" {
        return Ok(0);
    }
    let align = if reader.wide { 8 } else { 4 };
    let end = note.len().min(16usize.saturating_add(r.u32(4) as usize));
    let mut at = 16;
    while at + 8 <= end {
        let (kind, size) = (r.u32(at), r.u32(at + 4) as usize);
        if FEATURE_1_AND.contains(&kind) && size == 4 && at + 12 <= end {
            return Ok(r.u32(at + 8));
        }
        let Some(next) = size.checked_add(8 + align - 1).and_then(|step| at.checked_add(step & !(align - 1)))
        else {
            break;
        };
        at = next;
    }
    Ok(0)
}

/// Errors that mean "not for us, but maybe for somebody": used by `execve`.
pub fn is_foreign(error: &LoadError) -> bool {
    matches!(error, LoadError::WrongArch(..)) || error.errno() == Errno::ENOEXEC
}
