//! From `main` to the first guest instruction.
//!
//! Input: the command line and what a binary says of its guest; output: the guest's exit code. Everything that can be
//! wrong before the program runs ends in one line and QEMU's exit code.

use crate::arch::Arch;
use crate::cache::{Cache, Mode, build_id};
use crate::guest_mem::GuestMem;
use crate::loader::{self, LoadError, apply};
use crate::log;
use crate::mm::Mm;
use crate::options::{self, About, LogBit, Options};
use crate::process::exit;
use crate::run::run_task;
use crate::task::{ExecConfig, Fs, Process, Task, lock};
use engine::{CacheConfig, Config, Engine, Tier};
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::fd::FromRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A configured CPU: the translator's side and ours.
pub struct Cpu {
    /// Front end.
    pub guest: Box<dyn ir::Guest>,
    /// Facts for user mode.
    pub arch: &'static dyn Arch,
}

/// What a binary says of its guest.
pub struct GuestBinary {
    /// As in `qemu-<name>`.
    pub name: &'static str,
    /// Text of `-cpu help`.
    pub cpu_help: fn() -> String,
    /// Makes the CPU that `-cpu` names (none: the default); the error is one line.
    pub make: fn(Option<&str>) -> Result<Cpu, String>,
}

/// AT_FLAGS_PRESERVE_ARGV0: binfmt_misc's P flag was set, and the original argv[0] follows the program's path.
const PRESERVE_ARGV0: u64 = 1;

fn auxval(kind: u64) -> u64 {
    // SAFETY: reads the process's own vector.
    unsafe { libc::getauxval(kind) }
}

/// The heap grows by larger steps and is not given back each time that a little is free at its end: either costs a system
/// call, and page faults when it grows again.
fn keep_heap() {
    // SAFETY: these set parameters of the allocator; there is no other thread yet.
    unsafe {
        libc::mallopt(libc::M_TOP_PAD, 512 << 10);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 16 << 20);
    }
}

/// The `main` of a binary, as the C library calls it. Rust's own would look at descriptors, signals and the stack first,
/// at the cost of two dozen system calls in each process, and change what the guest is to inherit.
#[macro_export]
macro_rules! program {
    ($binary:expr) => {
        const BINARY: $crate::start::GuestBinary = $binary;

        // SAFETY: no other function of this name is linked in: tests have their harness's instead.
        #[cfg(not(test))]
        #[unsafe(no_mangle)]
        extern "C" fn main(_argc: i32, _argv: *const *const u8) -> i32 {
            $crate::start::main(&BINARY)
        }

        #[cfg(test)]
        const _: &str = BINARY.name;
    };
}

/// Runs a program; never returns.
pub fn main(binary: &GuestBinary) -> ! {
    crate::proc_view::note_own_brk();
    crate::sys::std_fds::fill();
    keep_heap();
    let cpus = (binary.cpu_help)();
    let about = About { name: binary.name, cpus: &cpus };
    let args = std::env::args_os().skip(1);
    // A set-uid program, started by binfmt_misc with flag C: who started it must not steer the emulator.
    let secure = auxval(libc::AT_SECURE) != 0;
    let parsed = if secure {
        Ok(Options { program: args.collect(), ..Options::default() })
    } else {
        options::parse(&about, args, |name| std::env::var_os(name))
    };
    let options = match parsed {
        Ok(options) => options,
        Err(leave) => {
            print!("{}", leave.out);
            eprint!("{}", leave.err);
            std::process::exit(leave.code);
        }
    };
    let (traced, filters) = (options.traced.clone(), options.seccomp);
    match prepare(binary, options) {
        Ok(mut task) => {
            crate::sys::std_fds::restore();
            if let Some(fd) = filters {
                crate::seccomp::after_exec(&task, fd as i32);
            }
            if let Some(told) = traced {
                crate::trace::after_exec(&mut task, &told);
            }
            let code = run_task(&mut task);
            exit::leave_thread(&mut task, code);
            exit::exit_group(code)
        }
        Err((line, code)) => {
            eprintln!("{line}");
            std::process::exit(code)
        }
    }
}

fn prepare(binary: &GuestBinary, mut options: Options) -> Result<Box<Task>, (String, i32)> {
    let named = |line: String| format!("qemu-{}: {line}", binary.name);
    let fail = |line: String| (named(line), 1);
    log::start(&options).map_err(fail)?;
    if let Some(release) = &options.release {
        let _ = crate::syscall::misc::RELEASE.set(release.clone());
    }
    if let Some(told) = &options.limits {
        crate::syscall::misc::limits_after_exec(told);
    }
    let cpu = (binary.make)(options.cpu.as_deref()).map_err(fail)?;
    let arch = cpu.arch;
    let sysroot = options.sysroot.clone().or_else(|| {
        let default = options::default_sysroot(binary.name);
        default.is_dir().then_some(default)
    });

    let mut given = std::mem::take(&mut options.program);
    let path = PathBuf::from(given.remove(0));
    if auxval(libc::AT_FLAGS) & PRESERVE_ARGV0 == 0 {
        given.insert(0, path.clone().into_os_string());
    } else if given.is_empty() {
        given.push(path.clone().into_os_string());
    }
    if let Some(argv0) = &options.argv0 {
        given[0].clone_from(argv0);
    }
    let host_path = program_path(&path, sysroot.as_deref(), arch);
    let env = options::change_environment(
        &options.env,
        std::env::vars_os()
            .map(|(name, value)| {
                let mut entry = name;
                entry.push("=");
                entry.push(value);
                entry
            })
            .collect(),
    );
    // Guests with 32-bit addresses live behind a base.
    let base = if arch.abi().info().word == 8 {
        0
    } else {
        crate::mm::find_window(0).map_err(|_| fail("no room for the guest's addresses".to_owned()))?
    };
    let whole = arch.placement().task_size;
    let limit = options.reserved.map_or(whole, |asked| asked.min(whole));
    let mm = Mm::new(GuestMem::new(base, limit), arch.extra_prot());
    let mm = if arch.has_low_flag() { mm.with_low_flag() } else { mm };
    let mm = Arc::new(if limit < whole { mm.bounded() } else { mm });
    let loaded = apply::load(
        &mm,
        arch,
        apply::Request {
            path: &host_path,
            file: exec_fd(),
            exec_fn: path.as_os_str().as_bytes().to_vec(),
            args: given.into_iter().map(OsString::into_vec).collect(),
            env,
            sysroot: sysroot.as_deref(),
            stack_size: options.stack_size,
            base: options.base,
            seed: options.seed,
        },
    )
    .map_err(|error| {
        let line = error.message(&path.display().to_string());
        let code = error.exit_code();
        match error {
            // As QEMU, these name what was loaded instead of the emulator.
            LoadError::Open(..) | LoadError::NotElf | LoadError::TooBig => (line, code),
            LoadError::WrongArch(..)
            | LoadError::Malformed(_)
            | LoadError::FlatLibrary(_)
            | LoadError::NoInterpreter(..)
            | LoadError::BadInterpreter(..)
            | LoadError::Occupied(_)
            | LoadError::Memory(_) => (named(line), code),
        }
    })?;
    if options.logs(LogBit::Page) {
        log::write(&format!(
            "page layout: program at bias {:#x}, entry {:#x}, stack {:#x}\n{}",
            loaded.bias,
            loaded.program_entry,
            loaded.sp,
            String::from_utf8_lossy(&crate::proc_view::maps(&mm))
        ));
    }

    crate::mm::shown::set_program(&loaded.exe);
    let engine = make_engine(cpu, &mm, &options).map_err(fail)?;
    let exec = Arc::new(exec_config(arch, &options, loaded.exe));
    let pid = std::process::id() as i32;
    let process = Arc::new(Process::new(pid, exec));
    let fs = Arc::new(Fs::new(sysroot));
    let mut task = Task::first(process, mm, fs, arch, engine)
        .map_err(|errno| fail(format!("cannot start: {}", errno.text().unwrap_or("?"))))?;
    if let Some(fd) = log::own_fd() {
        lock(&task.files.hidden).insert(fd, "log");
    }
    crate::process::own::start(options.own, &task.files);
    arch.start(&mut task.cpu, loaded.entry, loaded.sp);
    if let Some(name) = &options.gdb {
        crate::gdb::start(name, &mut task).map_err(fail)?;
    }
    if let Some(told) = &options.debugged {
        crate::gdb::children::after_exec(told, &mut task).map_err(fail)?;
    }
    set_process_name(&host_path);
    crate::proc_view::tell_kernel(&task.mm);
    Ok(task)
}

/// `/proc/self/comm` is the program's, as after exec.
fn set_process_name(path: &Path) {
    let name = path.file_name().unwrap_or(OsStr::new(""));
    let Ok(name) = CString::new(name.as_bytes()) else { return };
    let args = [libc::PR_SET_NAME as u64, name.as_ptr() as u64, 0, 0, 0, 0];
    let _ = crate::sys::raw_syscall(libc::SYS_prctl, args);
}

/// The descriptor of the program that binfmt_misc's O flag passes.
fn exec_fd() -> Option<File> {
    let has = {
        // AT_EXECFD may be zero, so its presence counts: absent entries set errno.
        let fd = auxval(libc::AT_EXECFD);
        (fd != 0).then_some(fd as i32)
    };
    // SAFETY: the kernel opened this descriptor for us.
    has.map(|fd| unsafe { File::from_raw_fd(fd) })
}

/// The literal path if it is a program of ours; otherwise, for an absolute path, the one under the root if that is.
fn program_path(path: &Path, sysroot: Option<&Path>, arch: &dyn Arch) -> PathBuf {
    if sysroot.is_none() || !path.is_absolute() || is_ours(path, arch) {
        return path.to_path_buf();
    }
    let Ok(name) = CString::new(path.as_os_str().as_bytes()) else { return path.to_path_buf() };
    let under = crate::paths::host_path(sysroot, &name, true);
    let under = Path::new(OsStr::from_bytes(under.to_bytes()));
    if is_ours(under, arch) { under.to_path_buf() } else { path.to_path_buf() }
}

fn is_ours(path: &Path, arch: &dyn Arch) -> bool {
    let mut head = [0; 64];
    let Ok(file) = File::open(path) else { return false };
    let Ok(got) = loader::Source::read_at(&file, 0, &mut head) else { return false };
    loader::elf::ident(&head[..got]).is_some_and(|ident| {
        let info = arch.abi().info();
        ident.machine == info.elf_machine && ident.big_endian == info.big_endian
    })
}

fn exec_config(arch: &dyn Arch, options: &Options, exe: PathBuf) -> ExecConfig {
    let info = arch.abi().info();
    let mut given: Vec<CString> =
        options.given.iter().filter_map(|option| CString::new(option.as_bytes()).ok()).collect();
    if options.log_file.is_some() && !options.log_append {
        given.push(c"-log-append".to_owned());
    }
    ExecConfig {
        machine: info.elf_machine,
        class: if info.word == 8 { 2 } else { 1 },
        data: if info.big_endian { 2 } else { 1 },
        exe,
        options: given,
    }
}

struct Dumper {
    arch: &'static dyn Arch,
    vectors: bool,
    engine: std::sync::Weak<Engine>,
}

static DUMPER: OnceLock<Dumper> = OnceLock::new();

fn dump_cpu(cpu: &engine::CpuState) -> String {
    let Some(dumper) = DUMPER.get() else { return String::new() };
    dumper.engine.upgrade().map_or(String::new(), |engine| dumper.arch.dump(&engine, cpu, dumper.vectors))
}

const DEFAULT_ARENA: u64 = 256 << 20;

fn make_engine(cpu: Cpu, mm: &Arc<Mm>, options: &Options) -> Result<Arc<Engine>, String> {
    let back_end = crate::host::back_end(cpu.guest.slots(), options.host_features.as_deref())?;
    let mut config = Config::new(cpu.guest, mm.clone(), back_end);
    config.memory_base = mm.mem().base();
    if options.interpreter {
        config.tier = Tier::Interpreter;
    }
    config.hot = options.hot;
    config.arena = options.tb_size.map_or(DEFAULT_ARENA, |mib| mib << 20) as usize;
    config.one_insn = options.one_insn;
    config.no_chain = options.logs(LogBit::NoChain);
    config.log_mask = log::engine_mask(options);
    if config.log_mask != 0 {
        config.log = Some(Arc::new(|_, text: &str| log::write(text)));
    }
    config.log_filter.clone_from(&options.log_filter);
    config.dump_cpu = Some(dump_cpu);
    if crate::syscall::fast::prepare(cpu.arch, mm) {
        config.fast_call = Some(crate::syscall::fast::call);
    }
    config.on_install = crate::perf::start(options.perfmap, options.jitdump)?;
    config.cache = cache_config(options, &config);
    let kept = config.cache.is_some();
    let engine = Engine::new(config).map_err(|error| format!("cannot reserve the code cache: {error}"))?;
    let engine: Arc<Engine> = Arc::from(engine);
    let _ = DUMPER.set(Dumper {
        arch: cpu.arch,
        vectors: options.logs(LogBit::Fpu),
        engine: Arc::downgrade(&engine),
    });
    if kept {
        crate::cache::save_at_end(&engine, options.cache.stats);
    }
    if engine.guest().code_changes_by_stores() {
        mm.watch_code();
    }
    // The engine holds the memory; the memory only refers back to it.
    let back = Arc::downgrade(&engine);
    mm.on_stale_code(Box::new(move |start, len| {
        if let Some(engine) = back.upgrade() {
            engine.invalidate(start..start.saturating_add(len));
        }
    }));
    let back = Arc::downgrade(&engine);
    mm.on_new_code(kept.then(|| -> crate::mm::NewCode {
        Box::new(move |range, id, offset| {
            if let Some(engine) = back.upgrade() {
                engine.map_image(range, id, offset);
            }
        })
    }));
    Ok(engine)
}

/// The cache of translations, unless what is asked for shows or changes how code is made.
fn cache_config(options: &Options, config: &Config) -> Option<CacheConfig> {
    let plain = config.tier == Tier::Quick
        && !config.one_insn
        && !config.no_chain
        && config.log_mask == 0
        && options.hot.is_none_or(|hot| hot.at_once == engine::AtOnce::None)
        && options.gdb.is_none();
    let cache = if plain { Cache::find(&options.cache)? } else { return None };
    let model = options.cpu.as_deref().unwrap_or("");
    Some(CacheConfig {
        files: Arc::new(cache),
        write: options.cache.mode == Mode::ReadWrite,
        code_key: format!("{}\0{model}\0{:?}", build_id()?, options.hot),
    })
}
