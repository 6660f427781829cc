//! `execve` and `execveat`.
//!
//! Input: a path, argv, envp; output: a host exec, or the error that the kernel would give. Everything that can fail is
//! checked before: once the host kernel has replaced us, the caller cannot be told any more.
//!
//! * A program for our own guest architecture runs under this very binary (`/proc/self/exe`) with our options and
//!   `-0 argv0`; binfmt_misc is not needed.
//! * A script runs its interpreter, by the kernel's rules for `#!`.
//! * A host program, and whatever only the host kernel knows, is exec'ed as it is.
//! * A program of another architecture runs under the `qemu-<arch>` beside our binary, if there is one.
//! * A foreign program whose file gives rights (set-uid) is the host kernel's to start, through binfmt_misc, where that can.

use crate::errno::{Errno, SysResult};
use crate::guest_mem::GuestMem;
use crate::host_signal::{self, SYNC_MASK};
use crate::process::{privileged, sysroot};
use crate::sys::{raw_syscall, safe_syscall};
use crate::syscall::SysCx;
use crate::task::{ExecConfig, Task};
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The kernel looks at this much of a file (BINPRM_BUF_SIZE).
const HEAD: usize = 256;
/// Scripts may nest this deep.
const MAX_DEPTH: usize = 5;
/// The kernel's bound on one string (MAX_ARG_STRLEN) and ours on all: more than any stack limit allows.
const MAX_STRING: usize = 128 * 1024;
const MAX_TOTAL: usize = 64 << 20;
const PATH_MAX: usize = 4096;

/// `execve`
pub fn sys_execve(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let path = cx.mem.cstr(a[0], PATH_MAX)?;
    exec(cx, &Request { dirfd: libc::AT_FDCWD, path, flags: 0 }, a[1], a[2])
}

/// `execveat`
pub fn sys_execveat(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let flags = a[4] as i32;
    if flags & !(libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    let path = cx.mem.cstr(a[1], PATH_MAX)?;
    exec(cx, &Request { dirfd: a[0] as i32, path, flags }, a[2], a[3])
}

struct Request {
    dirfd: i32,
    path: Vec<u8>,
    flags: i32,
}

/// How a program will be started.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plan {
    kind: Kind,
    /// Path for the host, or for the emulator's loader.
    path: PathBuf,
    argv: Vec<CString>,
    /// The host kernel is asked first, because only it can give the rights that the file gives.
    privileged: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// The host kernel runs it.
    Host,
    /// Our own binary does.
    Own,
    /// Another of our binaries does.
    Other(PathBuf),
}

fn exec(cx: &mut SysCx<'_>, request: &Request, argv: u64, envp: u64) -> SysResult {
    // A nameless program is found again through a descriptor that stays open over the exec.
    let (file, path, _kept) = open(cx.task, request)?;
    let mut total = 0;
    let mut args = strings(cx.mem, argv, cx.abi.info().word, &mut total)?;
    let env = strings(cx.mem, envp, cx.abi.info().word, &mut total)?;
    if args.is_empty() {
        // As Linux since 5.18: a program can rely on argv[0].
        args.push(CString::default());
    }
    let plan = plan(cx.task, file, path, args, 0)?;
    if plan.privileged {
        match start(cx.task, Plan { kind: Kind::Host, ..plan.clone() }, &env) {
            // The kernel knows nobody who runs it.
            Err(Errno::ENOEXEC) => {}
            result => return result,
        }
    }
    start(cx.task, plan, &env)
}

fn strings(mem: GuestMem, addr: u64, word: usize, total: &mut usize) -> Result<Vec<CString>, Errno> {
    let mut list = Vec::new();
    if addr == 0 {
        return Ok(list);
    }
    let mut at = addr;
    loop {
        let pointer = if word == 8 { mem.read::<u64>(at)? } else { u64::from(mem.read::<u32>(at)?) };
        if pointer == 0 {
            return Ok(list);
        }
        let text = mem.cstr(pointer, MAX_STRING).map_err(|errno| match errno {
            Errno::ENAMETOOLONG => Errno::E2BIG,
            other => other,
        })?;
        *total += text.len() + 1 + word;
        if *total > MAX_TOTAL {
            return Err(Errno::E2BIG);
        }
        list.push(CString::new(text).map_err(|_| Errno::EINVAL)?);
        at += word as u64;
    }
}

/// Opens what is to be executed and gives the path under which a new process will find it again.
fn open(task: &Task, request: &Request) -> Result<(File, PathBuf, Option<File>), Errno> {
    if request.path.is_empty() {
        if request.flags & libc::AT_EMPTY_PATH == 0 {
            return Err(Errno::ENOENT);
        }
        let link = PathBuf::from(format!("/proc/self/fd/{}", request.dirfd));
        let file = open_checked(&link, true)?;
        if let Some(path) = named(&file) {
            return Ok((file, path, None));
        }
        // SAFETY: a fresh descriptor.
        let kept = unsafe {
            File::from_raw_fd(raw_syscall(libc::SYS_dup, [request.dirfd as u64, 0, 0, 0, 0, 0])? as i32)
        };
        let path = PathBuf::from(format!("/proc/self/fd/{}", kept.as_raw_fd()));
        return Ok((file, path, Some(kept)));
    }
    let follow = request.flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    let given = Path::new(OsStr::from_bytes(&request.path));
    if given.is_relative() && request.dirfd != libc::AT_FDCWD {
        let base =
            std::fs::read_link(format!("/proc/self/fd/{}", request.dirfd)).map_err(|_| Errno::EBADF)?;
        let path = base.join(given);
        return Ok((open_checked(&path, follow)?, path, None));
    }
    let path = sysroot::program(task, given);
    Ok((open_checked(&path, follow)?, path, None))
}

/// The checks of `do_open_execat` and of the permission bits, with the kernel's errors.
fn open_checked(path: &Path, follow: bool) -> Result<File, Errno> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::ENOENT)?;
    let at = libc::AT_FDCWD as u64;
    let nofollow = if follow { 0 } else { libc::O_NOFOLLOW };
    let flags = (libc::O_PATH | libc::O_CLOEXEC | nofollow) as u64;
    let fd = raw_syscall(libc::SYS_openat, [at, name.as_ptr() as u64, flags, 0, 0, 0])?;
    // SAFETY: a fresh descriptor.
    let handle = unsafe { File::from_raw_fd(fd as i32) };
    let meta = handle.metadata()?;
    if meta.file_type().is_symlink() {
        return Err(Errno::ELOOP);
    }
    if !meta.is_file() {
        return Err(Errno::EACCES);
    }
    // Effective ids, and EACCES also for mounts without exec.
    let flags = (libc::AT_EACCESS | libc::AT_EMPTY_PATH) as u64;
    let empty = c"";
    let args = [fd, empty.as_ptr() as u64, libc::X_OK as u64, flags, 0, 0];
    raw_syscall(libc::SYS_faccessat2, args).map_err(|_| Errno::EACCES)?;
    let link = CString::new(format!("/proc/self/fd/{fd}")).map_err(|_| Errno::ENOENT)?;
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as u64;
    let opened = match raw_syscall(libc::SYS_openat, [at, link.as_ptr() as u64, flags, 0, 0, 0]) {
        // There is no /proc.
        Err(Errno::ENOENT) => raw_syscall(libc::SYS_openat, [at, name.as_ptr() as u64, flags, 0, 0, 0]),
        opened => opened,
    };
    // SAFETY: a fresh descriptor.
    let file = unsafe { File::from_raw_fd(opened? as i32) };
    if written(&file) { Err(Errno::ETXTBSY) } else { Ok(file) }
}

/// True if somebody has the file open for writing. A read lease says so to the file's owner; others are not told.
fn written(file: &File) -> bool {
    let fd = file.as_raw_fd() as u64;
    let lease = |what: i32| raw_syscall(libc::SYS_fcntl, [fd, libc::F_SETLEASE as u64, what as u64, 0, 0, 0]);
    match lease(libc::F_RDLCK) {
        Ok(_) => {
            let _ = lease(libc::F_UNLCK);
            false
        }
        Err(errno) => errno == Errno::EAGAIN,
    }
}

/// The path of an open file, unless it has none (memfd, deleted).
fn named(file: &File) -> Option<PathBuf> {
    let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    let there = std::fs::metadata(&path).ok()?;
    let here = file.metadata().ok()?;
    (there.dev() == here.dev() && there.ino() == here.ino()).then_some(path)
}

/// What the first bytes of a file say.
#[derive(Debug, PartialEq, Eq)]
enum Format<'a> {
    Script { interpreter: &'a [u8], argument: Option<&'a [u8]> },
    Elf { class: u8, data: u8, machine: u16 },
    Flat,
    Unknown,
}

fn recognise(head: &[u8]) -> Result<Format<'_>, Errno> {
    if let Some(rest) = head.strip_prefix(b"#!") {
        return script(rest, head.len() == HEAD);
    }
    if head.len() >= 20 && head.starts_with(b"\x7fELF") {
        let pair = [head[18], head[19]];
        let machine = if head[5] == 2 { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) };
        return Ok(Format::Elf { class: head[4], data: head[5], machine });
    }
    if crate::loader::flat::is_flat(head) {
        return Ok(Format::Flat);
    }
    Ok(Format::Unknown)
}

fn blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The kernel's `load_script`: one optional argument, trailing blanks dropped, a cut-off interpreter refused.
fn script(rest: &[u8], full: bool) -> Result<Format<'_>, Errno> {
    let end = rest.iter().position(|&byte| byte == b'\n' || byte == 0);
    let line = &rest[..end.unwrap_or(rest.len())];
    let start = line.iter().position(|byte| !blank(byte)).ok_or(Errno::ENOEXEC)?;
    let line = &line[start..];
    if line.is_empty() {
        return Err(Errno::ENOEXEC);
    }
    let name_end = line.iter().position(blank);
    if end.is_none() && full && name_end.is_none() {
        return Err(Errno::ENOEXEC);
    }
    let (interpreter, tail) = line.split_at(name_end.unwrap_or(line.len()));
    let from = tail.iter().position(|byte| !blank(byte));
    let to = tail.iter().rposition(|byte| !blank(byte));
    let argument = from.zip(to).map(|(from, to)| &tail[from..=to]);
    Ok(Format::Script { interpreter, argument })
}

fn plan(task: &Task, mut file: File, path: PathBuf, argv: Vec<CString>, depth: usize) -> Result<Plan, Errno> {
    if depth > MAX_DEPTH {
        return Err(Errno::ELOOP);
    }
    let mut head = Vec::new();
    (&mut file).take(HEAD as u64).read_to_end(&mut head)?;
    let config = &task.process.exec;
    match recognise(&head)? {
        Format::Script { interpreter, argument } => {
            let interpreter = OsString::from_vec(interpreter.to_vec());
            let mut new = vec![CString::new(interpreter.as_bytes()).map_err(|_| Errno::ENOEXEC)?];
            if let Some(argument) = argument {
                new.push(CString::new(argument).map_err(|_| Errno::ENOEXEC)?);
            }
            new.push(CString::new(path.into_os_string().into_vec()).map_err(|_| Errno::ENOEXEC)?);
            new.extend(argv.into_iter().skip(1));
            let path = sysroot::program(task, Path::new(&interpreter));
            let file = open_checked(&path, true)?;
            plan(task, file, path, new, depth + 1)
        }
        Format::Elf { class, data, machine }
            if (class, data, machine) == (config.class, config.data, config.machine) =>
        {
            check_guest_elf(task, &file, &head)?;
            let privileged = privileged::by_kernel(task, &file, &head);
            Ok(Plan { kind: Kind::Own, path, argv, privileged })
        }
        Format::Elf { class, data, machine } if machine != HOST_MACHINE => {
            let kind = sibling(class, data, machine).map_or(Kind::Host, Kind::Other);
            let privileged = kind != Kind::Host && privileged::by_kernel(task, &file, &head);
            Ok(Plan { kind, path, argv, privileged })
        }
        // A flat binary does not say for which machine it is.
        Format::Flat => {
            crate::loader::flat::parse(&file).map_err(|error| error.errno())?;
            Ok(Plan { kind: Kind::Own, path, argv, privileged: false })
        }
        Format::Elf { .. } | Format::Unknown => Ok(Plan { kind: Kind::Host, path, argv, privileged: false }),
    }
}

/// EM_X86_64.
const HOST_MACHINE: u16 = 62;

/// Our binary for another architecture, beside this one.
fn sibling(class: u8, data: u8, machine: u16) -> Option<PathBuf> {
    let name = match (machine, class, data) {
        (183, 2, 1) => "aarch64",
        (183, 2, 2) => "aarch64_be",
        (40, 1, 1) => "arm",
        (40, 1, 2) => "armeb",
        (243, 2, 1) => "riscv64",
        (243, 1, 1) => "riscv32",
        (3, 1, 1) => "i386",
        (21, 2, 2) => "ppc64",
        (21, 2, 1) => "ppc64le",
        (20, 1, 2) => "ppc",
        (22, 2, 2) => "s390x",
        (8, 1, 2) => "mips",
        (8, 1, 1) => "mipsel",
        (8, 2, 2) => "mips64",
        (8, 2, 1) => "mips64el",
        (2, 1, 2) => "sparc",
        (43, 2, 2) => "sparc64",
        (4, 1, 2) => "m68k",
        (42, 1, 1) => "sh4",
        (42, 1, 2) => "sh4eb",
        (0x9026, 2, 1) => "alpha",
        (258, 2, 1) => "loongarch64",
        _ => return None,
    };
    let path = super::own::name()?.parent()?.join(format!("qemu-{name}"));
    path.exists().then_some(path)
}

/// What the kernel's `load_elf_binary` refuses before the point of no return, above all a missing interpreter.
fn check_guest_elf(task: &Task, file: &File, head: &[u8]) -> Result<(), Errno> {
    let big = head[5] == 2;
    let wide = head[4] == 2;
    let number = |bytes: &[u8], at: usize, len: usize| -> Option<u64> {
        let field = bytes.get(at..at + len)?;
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if big { field.iter().fold(0, fold) } else { field.iter().rev().fold(0, fold) })
    };
    let get = |at, len| number(head, at, len).ok_or(Errno::ENOEXEC);
    let kind = get(16, 2)?;
    let (offset, entry, count) =
        if wide { (get(32, 8)?, get(54, 2)?, get(56, 2)?) } else { (get(28, 4)?, get(42, 2)?, get(44, 2)?) };
    let expected = if wide { 56 } else { 32 };
    if !matches!(kind, 2 | 3) || entry != expected || count == 0 || count * expected > 65536 {
        return Err(Errno::ENOEXEC);
    }
    let mut table = vec![0; (count * expected) as usize];
    file.read_exact_at(&mut table, offset).map_err(|_| Errno::ENOEXEC)?;
    for header in table.chunks_exact(expected as usize) {
        if number(header, 0, 4) != Some(3) {
            continue;
        }
        let (at, size) = if wide {
            (number(header, 8, 8), number(header, 32, 8))
        } else {
            (number(header, 4, 4), number(header, 16, 4))
        };
        let (Some(at), Some(size)) = (at, size) else { return Err(Errno::ENOEXEC) };
        if !(2..=PATH_MAX as u64).contains(&size) {
            return Err(Errno::ENOEXEC);
        }
        let mut name = vec![0; size as usize];
        file.read_exact_at(&mut name, at).map_err(|_| Errno::ENOEXEC)?;
        if name.pop() != Some(0) {
            return Err(Errno::ENOEXEC);
        }
        let interpreter = open_checked(&sysroot::program(task, Path::new(OsStr::from_bytes(&name))), true)?;
        let mut magic = [0; 4];
        interpreter.read_exact_at(&mut magic, 0).map_err(|_| Errno::EIO)?;
        return if magic == *b"\x7fELF" { Ok(()) } else { Err(Errno::ELIBBAD) };
    }
    Ok(())
}

/// The emulator's argv: its own name, options, `-0 argv0 path`, the rest.
fn emulator_argv(
    config: &ExecConfig,
    name: CString,
    own: bool,
    kept: &[CString],
    plan: Plan,
) -> Result<Vec<CString>, Errno> {
    let mut argv = vec![name];
    argv.extend_from_slice(kept);
    if own {
        argv.extend(config.options.iter().cloned());
    }
    argv.push(c"-0".to_owned());
    let mut rest = plan.argv.into_iter();
    argv.push(rest.next().unwrap_or_default());
    // A path that starts with a dash must not be read as an option.
    let mut path = plan.path.into_os_string().into_vec();
    if path.starts_with(b"-") {
        path.splice(0..0, *b"./");
    }
    argv.push(CString::new(path).map_err(|_| Errno::ENOENT)?);
    argv.extend(rest);
    Ok(argv)
}

fn start(task: &mut Task, plan: Plan, env: &[CString]) -> SysResult {
    let to_c = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::ENOENT);
    let config = task.process.exec.clone();
    let (plan_is_host, plan_is_own) = (plan.kind == Kind::Host, plan.kind == Kind::Own);
    let filters = crate::seccomp::for_exec(task)?;
    let close = |fd: Option<i32>| {
        if let Some(fd) = fd {
            let _ = raw_syscall(libc::SYS_close, [fd as u64, 0, 0, 0, 0, 0]);
        }
    };
    if filters.is_some() && plan_is_host {
        // A program of the host would run without them.
        close(filters);
        return Err(Errno::EPERM);
    }
    // What is the task's and stays over an exec, as options.
    let mut kept = Vec::new();
    let mut keep = |name: &str, value: String| {
        kept.extend([CString::new(name), CString::new(value)].into_iter().flatten());
    };
    if let Some(told) = crate::trace::for_exec(task) {
        keep("-traced", told);
    }
    if let Some(told) = crate::syscall::misc::limits_for_exec() {
        keep("-limits", told);
    }
    if let Some(fd) = filters {
        keep("-seccomp", fd.to_string());
    }
    let debugger = if plan_is_own { crate::gdb::children::for_exec(task) } else { None };
    if let Some((told, _)) = &debugger {
        keep("-debugged", told.clone());
    }
    let (program, argv) = match &plan.kind {
        Kind::Host => (to_c(&plan.path)?, plan.argv),
        Kind::Own => {
            let name = super::own::name().and_then(|path| to_c(path).ok()).unwrap_or_default();
            (c"/proc/self/exe".to_owned(), emulator_argv(&config, name, true, &kept, plan)?)
        }
        Kind::Other(binary) => {
            let name = to_c(binary)?;
            (name.clone(), emulator_argv(&config, name, false, &kept, plan)?)
        }
    };
    let pointers = |list: &[CString]| -> Vec<*const libc::c_char> {
        list.iter().map(|text| text.as_ptr()).chain(std::iter::once(std::ptr::null())).collect()
    };
    let (argv_pointers, env_pointers) = (pointers(&argv), pointers(env));
    super::exit::flush();
    task.sighand.before_exec();
    // The new program inherits the guest's whole mask. The CPU's signals are only ever blocked here.
    let masked = task.blocked & SYNC_MASK != 0;
    let mut open_mask = 0;
    if masked {
        open_mask = host_signal::set_mask(task.blocked | task.slots.recorded());
    }
    let args =
        [program.as_ptr() as u64, argv_pointers.as_ptr() as u64, env_pointers.as_ptr() as u64, 0, 0, 0];
    if plan_is_host {
        crate::syscall::misc::limits_to_host(true);
    }
    let mut result = safe_syscall(libc::SYS_execve, args);
    if plan_is_own && result == Err(Errno::ENOENT) {
        result = Err(super::own::exec(&task.files, &argv, &env_pointers));
    }
    if plan_is_host {
        crate::syscall::misc::limits_to_host(false);
    }
    if masked {
        host_signal::set_mask(open_mask);
    }
    task.sighand.exec_failed();
    close(filters);
    close(debugger.map(|(_, fd)| fd));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_lines_are_read_as_the_kernel_does() {
        let plain = recognise(b"#!/bin/sh\necho").unwrap();
        assert_eq!(plain, Format::Script { interpreter: b"/bin/sh", argument: None });
        let spaced = recognise(b"#! \t/usr/bin/env  -S a b \t\nx").unwrap();
        assert_eq!(spaced, Format::Script { interpreter: b"/usr/bin/env", argument: Some(b"-S a b") });
        assert_eq!(recognise(b"#!\n"), Err(Errno::ENOEXEC));
        assert_eq!(recognise(b"#!   \n/bin/sh"), Err(Errno::ENOEXEC));
        let mut cut = b"#!/".to_vec();
        cut.resize(HEAD, b'a');
        assert_eq!(recognise(&cut), Err(Errno::ENOEXEC), "an interpreter name that does not fit");
        assert_eq!(recognise(b"echo hi").unwrap(), Format::Unknown);
    }

    #[test]
    fn elf_machine_is_read_in_the_files_byte_order() {
        let mut head = vec![0; 64];
        head[..4].copy_from_slice(b"\x7fELF");
        (head[4], head[5], head[18]) = (2, 1, 183);
        assert_eq!(recognise(&head).unwrap(), Format::Elf { class: 2, data: 1, machine: 183 });
        (head[5], head[18], head[19]) = (2, 0, 22);
        assert_eq!(recognise(&head).unwrap(), Format::Elf { class: 2, data: 2, machine: 22 });
    }

    #[test]
    fn emulator_argv_carries_options_argv0_and_path() {
        let config =
            ExecConfig { options: vec![c"-L".to_owned(), c"/tree".to_owned()], ..ExecConfig::default() };
        let argv = vec![c"sh".to_owned(), c"-c".to_owned()];
        let plan = Plan { kind: Kind::Own, path: PathBuf::from("-x"), argv, privileged: false };
        let argv = emulator_argv(&config, c"q".to_owned(), true, &[], plan).unwrap();
        let text: Vec<_> = argv.iter().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(text, ["q", "-L", "/tree", "-0", "sh", "./-x", "-c"]);
    }
}
