//! The effectful end of the loader: opens files, maps plans, writes the stack.
//!
//! Input: a [`Request`]; output: a filled `Mm` and a [`Loaded`], or an error with nothing half-done that matters (the
//! process ends, or `execve` has not begun).

use super::stack::{self, AuxValue, Contents, at};
use super::{Image, LoadError, Source, StackRights, Wanted, elf, flat, plan};
use crate::arch::Arch;
use crate::errno::Errno;
use crate::mm::{ImageLayout, Kind, Mm, PAGE, prot};
use crate::sys::raw_syscall;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What is to be loaded, and how.
#[derive(Debug)]
pub struct Request<'a> {
    /// The program as a host path.
    pub path: &'a Path,
    /// It is open already (from binfmt_misc).
    pub file: Option<File>,
    /// AT_EXECFN.
    pub exec_fn: Vec<u8>,
    /// Arguments.
    pub args: Vec<Vec<u8>>,
    /// Environment.
    pub env: Vec<Vec<u8>>,
    /// `-L`.
    pub sysroot: Option<&'a Path>,
    /// Bytes of stack; none: RLIMIT_STACK.
    pub stack_size: Option<u64>,
    /// Base of a position-independent program; none: the architecture's, randomised.
    pub base: Option<u64>,
    /// Seed of all randomness, if it is to be repeatable.
    pub seed: Option<u64>,
}

/// A loaded program.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Where execution starts: the interpreter's entry, if there is one.
    pub entry: u64,
    /// Initial stack pointer.
    pub sp: u64,
    /// The program's own entry.
    pub program_entry: u64,
    /// Distance of the program from its file's addresses.
    pub bias: u64,
    /// Absolute path of the program.
    pub exe: PathBuf,
}

impl Source for File {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let mut done = 0;
        while done < buf.len() {
            match FileExt::read_at(self, &mut buf[done..], offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // An offset that no file has.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
                Err(error) => return Err(errno_of(&error)),
            }
        }
        Ok(done)
    }

    fn len(&self) -> u64 {
        self.metadata().map_or(0, |meta| meta.len())
    }
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

/// Numbers for address randomisation and AT_RANDOM.
struct Random(Option<u64>);

impl Random {
    fn next(&mut self) -> u64 {
        match &mut self.0 {
            Some(state) => {
                // SplitMix64: any seed will do.
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = *state;
                z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
                z ^ z >> 31
            }
            None => {
                let mut bytes = [0u8; 8];
                let _ = raw_syscall(libc::SYS_getrandom, [bytes.as_mut_ptr() as u64, 8, 0, 0, 0, 0]);
                u64::from_le_bytes(bytes)
            }
        }
    }
}

/// Opens a program as `execve` would.
pub fn open_program(path: &Path) -> Result<File, LoadError> {
    let fail = |errno| LoadError::Open(path.display().to_string(), errno);
    let file = File::open(path).map_err(|error| fail(errno_of(&error)))?;
    let meta = file.metadata().map_err(|error| fail(errno_of(&error)))?;
    if !meta.is_file() {
        return Err(fail(if meta.is_dir() { Errno::EISDIR } else { Errno::EACCES }));
    }
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| fail(Errno::ENOENT))?;
    let cwd = libc::AT_FDCWD as u64;
    let args = [cwd, name.as_ptr() as u64, libc::X_OK as u64, libc::AT_EACCESS as u64, 0, 0];
    match raw_syscall(libc::SYS_faccessat2, args) {
        Err(Errno::EACCES) => Err(fail(Errno::EACCES)),
        Ok(_) | Err(_) => Ok(file),
    }
}

/// Loads the program into an empty `Mm`.
pub fn load(mm: &Mm, arch: &dyn Arch, mut request: Request<'_>) -> Result<Loaded, LoadError> {
    let file = match request.file.take() {
        Some(file) => file,
        None => open_program(request.path)?,
    };
    let placement = arch.placement();
    let info = arch.abi().info();
    let wanted = Wanted {
        machine: info.elf_machine,
        wide: info.word == 8,
        big_endian: info.big_endian,
        task_size: placement.task_size,
    };
    let mut magic = [0; 4];
    let got = Source::read_at(&file, 0, &mut magic).map_err(LoadError::Memory)?;
    let flat = if flat::is_flat(&magic[..got]) { Some(flat::parse(&file)?) } else { None };
    let image = match &flat {
        Some(flat) => flat_image(flat),
        None => elf::parse(&file, &wanted)?,
    };
    let interpreter = match &image.interpreter {
        Some(name) => Some(open_interpreter(name, &wanted, arch, request.sysroot)?),
        None => None,
    };
    let personality = raw_syscall(libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0, 0]).unwrap_or(0);
    let randomize = personality & libc::ADDR_NO_RANDOMIZE as u64 == 0 && request.base.is_none();
    let all = image.stack == StackRights::Unsaid && arch.unsaid_stack_executes_all();
    mm.set_read_implies_exec(all || personality & libc::READ_IMPLIES_EXEC as u64 != 0);
    let mut random = Random(request.seed);
    if randomize && mm.windowed() {
        mm.randomize_top(random.next());
    }

    let program = match &flat {
        Some(flat) => place_flat(mm, flat, request.base, info.big_endian)?,
        None => place_program(mm, arch, &file, &image, &request, randomize, &mut random)?,
    };
    let (entry, interp_base) = match &interpreter {
        Some((file, image, name)) => {
            let bad = |error| LoadError::BadInterpreter(name.clone(), Box::new(error));
            let placed = place_anywhere(mm, arch, file, image).map_err(bad)?;
            (placed.entry, placed.bias)
        }
        None => (program.entry, 0),
    };
    let vdso = map_vdso(mm, arch)?;
    if let Some(own) = arch.vdso() {
        mm.set_vdso(vdso.start + own.private.start..vdso.start + own.private.end);
    }
    let call_entry = arch.vdso().and_then(|own| own.entry).map(|entry| vdso.start + entry);

    // brk starts behind the program, randomised as the kernel does (here within 32 MiB).
    let mut brk = program.end.saturating_add(PAGE - 1) & !(PAGE - 1);
    if randomize {
        brk = brk.saturating_add((random.next() & 0x1fff) * PAGE);
    }

    // A flat binary names its own size, as there is no growing stack on the machines it is made for.
    let least = flat.map_or(0, |flat| u64::from(flat.stack));
    let stack = make_stack(mm, &image, request.stack_size, least)?;
    let ids = ids();
    let hwcaps = arch.hwcaps();
    let number = AuxValue::Number;
    let mut aux = Vec::new();
    if !vdso.is_empty() {
        aux.push((at::SYSINFO_EHDR, number(vdso.start)));
        aux.extend(call_entry.map(|entry| (at::SYSINFO, number(entry))));
    }
    aux.extend([
        (at::MINSIGSTKSZ, number(arch.min_signal_stack())),
        (at::HWCAP, number(hwcaps.hwcap)),
        (at::PAGESZ, number(PAGE)),
        (at::CLKTCK, number(100)),
        (at::PHDR, number(program.phdr)),
        (at::PHENT, number(image.phent)),
        (at::PHNUM, number(image.phnum)),
        (at::BASE, number(interp_base)),
        (at::FLAGS, number(0)),
        (at::ENTRY, number(program.entry)),
        (at::UID, number(ids[0])),
        (at::EUID, number(ids[1])),
        (at::GID, number(ids[2])),
        (at::EGID, number(ids[3])),
        (at::SECURE, number(ids[4])),
        (at::RANDOM, AuxValue::Random),
        (at::HWCAP2, number(hwcaps.hwcap2)),
    ]);
    if let Some(hwcap3) = hwcaps.hwcap3 {
        aux.push((at::HWCAP3, number(hwcap3)));
    }
    aux.extend([(at::EXECFN, AuxValue::ExecFn), (at::PLATFORM, AuxValue::Platform)]);

    let mut seed = [0; 16];
    seed[..8].copy_from_slice(&random.next().to_le_bytes());
    seed[8..].copy_from_slice(&random.next().to_le_bytes());
    let contents = Contents {
        args: &request.args,
        env: &request.env,
        exec_fn: &request.exec_fn,
        aux: &aux,
        platform: arch.platform(),
        random: seed,
        word: info.word,
        big_endian: info.big_endian,
    };
    // As the kernel: the top is moved down a little, and strings take at most a quarter of the stack.
    let top = stack.end - if randomize { (random.next() & 0x1ff) << 4 } else { 0 };
    let limit = ((stack.end - stack.start) / 4).max(128 << 10).min(stack.end - stack.start - 32768);
    let built = stack::build(&contents, top, limit).ok_or(LoadError::TooBig)?;
    mm.mem().copy_out(built.sp, &built.bytes).map_err(LoadError::Memory)?;

    let mut layout = mm.lock();
    layout.brk = brk..brk;
    layout.image = ImageLayout {
        code: program.code.clone(),
        data: program.data.clone(),
        start_stack: built.sp,
        args: built.args,
        env: built.env,
        auxv: built.auxv,
        vdso,
        stack,
    };
    drop(layout);
    let exe = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
        .unwrap_or_else(|_| request.path.to_path_buf());
    Ok(Loaded { entry, sp: built.sp, program_entry: program.entry, bias: program.bias, exe })
}

/// Real and effective user and group, and whether the kernel thinks us privileged.
fn ids() -> [u64; 5] {
    let id = |nr| raw_syscall(nr, [0; 6]).unwrap_or(0);
    // SAFETY: getauxval only reads the process's own vector.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) };
    [id(libc::SYS_getuid), id(libc::SYS_geteuid), id(libc::SYS_getgid), id(libc::SYS_getegid), secure]
}

fn open_interpreter(
    name: &[u8],
    wanted: &Wanted,
    arch: &dyn Arch,
    sysroot: Option<&Path>,
) -> Result<(File, Image, String), LoadError> {
    let shown = String::from_utf8_lossy(name).into_owned();
    let missing = |errno| {
        let hint = format!(
            "give the root of {} system with -L DIR, or install Debian's {}",
            if arch.name().starts_with(['a', 'e', 'i', 'o', 'u']) {
                format!("an {}", arch.name())
            } else {
                format!("a {}", arch.name())
            },
            arch.libc_package()
        );
        LoadError::NoInterpreter(shown.clone(), errno, Some(hint))
    };
    let guest = CString::new(name).map_err(|_| missing(Errno::ENOENT))?;
    let host = crate::paths::host_path(sysroot, &guest, true);
    let path = Path::new(OsStr::from_bytes(host.to_bytes()));
    let file = match open_program(path) {
        Ok(file) => file,
        Err(error) => return Err(missing(error.errno())),
    };
    let image = elf::parse(&file, wanted)
        .map_err(|error| LoadError::BadInterpreter(shown.clone(), Box::new(error)))?;
    Ok((file, image, shown))
}

fn place_program(
    mm: &Mm,
    arch: &dyn Arch,
    file: &File,
    image: &Image,
    request: &Request<'_>,
    randomize: bool,
    random: &mut Random,
) -> Result<plan::Plan, LoadError> {
    let placement = arch.placement();
    if !image.relocatable {
        let plan = plan::plan(image, 0, placement.task_size)?;
        return match reserve(mm, plan.span.start, plan.span.end - plan.span.start) {
            Ok(_) => map(mm, arch, file, image, plan),
            Err(Errno::EEXIST) => Err(LoadError::Occupied(plan.span)),
            // Below vm.mmap_min_addr.
            Err(Errno::EPERM | Errno::EACCES) => Err(LoadError::Occupied(plan.span)),
            Err(errno) => Err(LoadError::Memory(errno)),
        };
    }
    if request.base.is_none() && placement.pie_base >= mm.mem().limit() {
        return place_anywhere(mm, arch, file, image);
    }
    let align = plan::alignment(image);
    let len = plan::span_len(image);
    let first = request.base.unwrap_or(placement.pie_base);
    // A taken place is tried again elsewhere, unless the user named it.
    for attempt in 0..16u64 {
        let mut base = first;
        if randomize {
            base += (random.next() & ((1 << placement.pie_random_bits) - 1)) * PAGE;
        } else {
            base += attempt * (1 << 32);
        }
        // Round up: an asked-for base of zero pages is not a place for programs.
        base = base.saturating_add(align - 1) & !(align - 1);
        match reserve(mm, base, len) {
            Ok(base) => {
                return map(mm, arch, file, image, plan::plan(image, base, placement.task_size)?);
            }
            Err(Errno::EEXIST) if request.base.is_some() => {
                return Err(LoadError::Occupied(base..base.saturating_add(len)));
            }
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(LoadError::Memory(errno)),
        }
    }
    place_anywhere(mm, arch, file, image)
}

/// What the rest of the loader wants to know of a flat binary.
fn flat_image(flat: &flat::Flat) -> Image {
    Image {
        relocatable: true,
        entry: u64::from(flat.entry),
        segments: Vec::new(),
        span: 0..flat::span_len(flat),
        interpreter: None,
        phdr: 0,
        phent: 0,
        phnum: 0,
        stack: StackRights::Exec,
        features: 0,
    }
}

/// Places a flat binary below 4 GiB.
fn place_flat(
    mm: &Mm,
    flat: &flat::Flat,
    asked: Option<u64>,
    big_endian: bool,
) -> Result<plan::Plan, LoadError> {
    const STEP: u64 = 1 << 28;
    let len = (flat::span_len(flat) + PAGE - 1) & !(PAGE - 1);
    for attempt in 1..16 {
        let base = asked.unwrap_or(attempt * STEP) & !(PAGE - 1);
        match reserve(mm, base, len) {
            Ok(_) => {}
            Err(Errno::EEXIST) if asked.is_none() => continue,
            Err(Errno::EEXIST | Errno::EPERM) => return Err(LoadError::Occupied(base..base + len)),
            Err(errno) => return Err(LoadError::Memory(errno)),
        }
        let placed = flat::place(flat, base, big_endian)?;
        mm.mprotect(base, len, prot::READ | prot::WRITE | prot::EXEC).map_err(LoadError::Memory)?;
        mm.mem().copy_out(base, &placed.bytes).map_err(LoadError::Memory)?;
        return Ok(plan::Plan {
            span: base..base + len,
            bias: base,
            pieces: Vec::new(),
            entry: placed.entry,
            phdr: 0,
            code: base..placed.data.start,
            data: placed.data,
            end: placed.span.end,
        });
    }
    Err(LoadError::Occupied(STEP..16 * STEP))
}

/// Places a relocatable image where the kernel chooses, a fixed one where it wants.
fn place_anywhere(mm: &Mm, arch: &dyn Arch, file: &File, image: &Image) -> Result<plan::Plan, LoadError> {
    let task_size = arch.placement().task_size;
    if !image.relocatable {
        let plan = plan::plan(image, 0, task_size)?;
        reserve(mm, plan.span.start, plan.span.end - plan.span.start)
            .map_err(|_| LoadError::Occupied(plan.span.clone()))?;
        return map(mm, arch, file, image, plan);
    }
    let align = plan::alignment(image);
    let len = plan::span_len(image);
    let room = len.checked_add(align - PAGE).ok_or(LoadError::Memory(Errno::ENOMEM))?;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as u64;
    let start = mm.mmap(0, room, 0, flags, -1, 0).map_err(LoadError::Memory)?;
    let base = (start + align - 1) & !(align - 1);
    if base > start {
        let _ = mm.munmap(start, base - start);
    }
    if base + len < start + room {
        let _ = mm.munmap(base + len, start + room - base - len);
    }
    map(mm, arch, file, image, plan::plan(image, base, task_size)?)
}

/// Reserves the whole span of an image, so that nothing else can come in between.
fn reserve(mm: &Mm, base: u64, len: u64) -> Result<u64, Errno> {
    let flags =
        (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE) as u64;
    mm.mmap(base, len, 0, flags, -1, 0)
}

/// Maps the pieces over the reservation and gives the holes back.
fn map(
    mm: &Mm,
    arch: &dyn Arch,
    file: &File,
    image: &Image,
    plan: plan::Plan,
) -> Result<plan::Plan, LoadError> {
    let fixed = (libc::MAP_PRIVATE | libc::MAP_FIXED) as u64;
    // A dynamic program's own pages are marked by its interpreter, as the kernel leaves it.
    let extra = if image.interpreter.is_none() { arch.segment_prot(image.features) } else { 0 };
    let mut holes = vec![plan.span.clone()];
    for piece in &plan.pieces {
        let len = piece.range.end - piece.range.start;
        let rights = piece.prot | if piece.prot & prot::EXEC != 0 { extra } else { 0 };
        let result = match piece.offset {
            Some(offset) => mm.mmap(piece.range.start, len, rights, fixed, file.as_raw_fd(), offset),
            None => mm.mmap(piece.range.start, len, rights, fixed | libc::MAP_ANONYMOUS as u64, -1, 0),
        };
        result.map_err(LoadError::Memory)?;
        if !piece.clear.is_empty() {
            // A file that ends before the segment does: the kernel refuses such a program too.
            let (start, len) = (piece.clear.start, (piece.clear.end - piece.clear.start) as usize);
            mm.mem()
                .zero(start, len)
                .map_err(|_| LoadError::Malformed("a segment's data lies behind the end of the file"))?;
        }
        holes = holes
            .into_iter()
            .flat_map(|hole| {
                [hole.start..hole.end.min(piece.range.start), hole.start.max(piece.range.end)..hole.end]
            })
            .filter(|hole| hole.start < hole.end)
            .collect();
    }
    for hole in holes {
        let _ = mm.munmap(hole.start, hole.end - hole.start);
    }
    Ok(plan)
}

fn map_vdso(mm: &Mm, arch: &dyn Arch) -> Result<std::ops::Range<u64>, LoadError> {
    let Some(vdso) = arch.vdso() else { return Ok(0..0) };
    let anonymous = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let len = (vdso.image.len() as u64 + PAGE - 1) & !(PAGE - 1);
    let rw = prot::READ | prot::WRITE;
    let start = mm.mmap_kind(0, len, rw, anonymous, -1, 0, Kind::Vdso).map_err(LoadError::Memory)?;
    mm.mem().copy_out(start, &vdso.image).map_err(LoadError::Memory)?;
    mm.mprotect(start, len, prot::READ | prot::EXEC).map_err(LoadError::Memory)?;
    Ok(start..start + len)
}

/// Bytes below the stack that stay unmapped for everybody: the kernel's stack guard gap.
const STACK_GUARD: u64 = 256 * PAGE;
const DEFAULT_STACK: u64 = 8 << 20;
const MAX_STACK: u64 = 1 << 30;

fn make_stack(
    mm: &Mm,
    image: &Image,
    asked: Option<u64>,
    least: u64,
) -> Result<std::ops::Range<u64>, LoadError> {
    let mut limit = [0u64; 2];
    let args = [0, libc::RLIMIT_STACK as u64, 0, &raw mut limit as u64, 0, 0];
    let soft = raw_syscall(libc::SYS_prlimit64, args).map_or(DEFAULT_STACK, |_| limit[0]);
    let size = (asked.unwrap_or(soft).max(least).clamp(128 << 10, MAX_STACK) + PAGE - 1) & !(PAGE - 1);
    let mut rights = prot::READ | prot::WRITE;
    if image.stack == StackRights::Exec {
        rights |= prot::EXEC;
    }
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK) as u64;
    let try_size = |size: u64| {
        let start = mm.mmap(0, STACK_GUARD + size, 0, flags, -1, 0)?;
        let bottom = start + STACK_GUARD;
        let fixed = flags | libc::MAP_FIXED as u64;
        mm.mmap_kind(bottom, size, rights, fixed, -1, 0, Kind::Stack)?;
        // The guard stays a host mapping, so that nothing is placed there, but is no guest memory.
        mm.disown(start, STACK_GUARD);
        Ok(bottom..bottom + size)
    };
    try_size(size).or_else(|_| try_size(size.min(DEFAULT_STACK))).map_err(LoadError::Memory)
}
