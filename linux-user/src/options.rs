//! The command line and its environment variables: names, arguments, order and errors are QEMU's.
//!
//! Input: argv and the environment; output: [`Options`], or what to print and the exit code. One table drives parsing,
//! variables and help. Options come before the program; variables are read first, so options win.

use crate::cache::{Cache, CacheOptions, Mode};
use std::ffi::OsString;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// Items of `-d`: name and help. The order is that of `-d help`.
pub const LOG_ITEMS: &[(&str, LogBit, &str)] = &[
    ("out_asm", LogBit::OutAsm, "show generated host assembly code for each translated region"),
    ("in_asm", LogBit::InAsm, "show guest assembly code for each translated region"),
    ("op", LogBit::Op, "show the intermediate representation of each region"),
    ("op_opt", LogBit::OpOpt, "show the intermediate representation after optimization"),
    ("op_ind", LogBit::None, "accepted; there is no separate indirect lowering here"),
    ("int", LogBit::Int, "show exceptions and signals in short format"),
    ("exec", LogBit::Exec, "show trace before each executed region (lots of logs)"),
    ("cpu", LogBit::Cpu, "show CPU registers before entering a region (lots of logs)"),
    ("fpu", LogBit::Fpu, "include FPU registers in the 'cpu' logging"),
    ("mmu", LogBit::None, "accepted; user mode has no MMU activities"),
    ("pcall", LogBit::None, "accepted; x86 system mode only"),
    ("cpu_reset", LogBit::None, "accepted; user mode resets no CPU"),
    ("unimp", LogBit::Unimp, "log unimplemented functionality"),
    ("guest_errors", LogBit::GuestErrors, "log when the guest program does something invalid"),
    ("page", LogBit::Page, "dump the memory map at the beginning of emulation"),
    ("nochain", LogBit::NoChain, "do not chain regions, so that 'exec' and 'cpu' show complete traces"),
    ("plugin", LogBit::None, "accepted; there are no plugins"),
    ("vpu", LogBit::Fpu, "include vector registers in the 'cpu' logging, as 'fpu' does"),
    (
        "invalid_mem",
        LogBit::GuestErrors,
        "log invalid accesses to memory, with the other errors of the guest",
    ),
    ("strace", LogBit::Strace, "log every system call, its input, and its result"),
    ("tid", LogBit::Tid, "open a separate log file per process; the file name must contain '%d'"),
];

/// What a `-d` item turns on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are the items")]
#[repr(u32)]
pub enum LogBit {
    None = 0,
    OutAsm = 1,
    InAsm = 2,
    Op = 4,
    OpOpt = 8,
    Int = 16,
    Exec = 32,
    Cpu = 64,
    Fpu = 128,
    Unimp = 256,
    GuestErrors = 512,
    Page = 1024,
    NoChain = 2048,
    Strace = 4096,
    Tid = 8192,
}

/// Everything that can be asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// `-g`: port or socket path.
    pub gdb: Option<String>,
    /// `-L`.
    pub sysroot: Option<PathBuf>,
    /// `-s`.
    pub stack_size: Option<u64>,
    /// `-cpu`.
    pub cpu: Option<String>,
    /// `-E` and `-U` in order: set (with '=') and unset.
    pub env: Vec<EnvChange>,
    /// `-0`.
    pub argv0: Option<OsString>,
    /// `-r`.
    pub release: Option<String>,
    /// `-B`: where a position-independent program is placed.
    pub base: Option<u64>,
    /// `-R`: guest addresses end there.
    pub reserved: Option<u64>,
    /// `-d` bits, see [`LogBit`].
    pub log: u32,
    /// `-dfilter`.
    pub log_filter: Vec<Range<u64>>,
    /// `-D`.
    pub log_file: Option<String>,
    /// `-log-append` (ours): keep what the log file holds.
    pub log_append: bool,
    /// `-one-insn-per-tb`.
    pub one_insn: bool,
    /// `-strace`.
    pub strace: bool,
    /// `-strace=SET` (ours): the calls that are shown.
    pub strace_filter: Option<String>,
    /// `-strace-times` (ours): times in the trace.
    pub strace_times: bool,
    /// `-seed`.
    pub seed: Option<u64>,
    /// `-tb-size` in MiB.
    pub tb_size: Option<u64>,
    /// `-perfmap`.
    pub perfmap: bool,
    /// `-jitdump`.
    pub jitdump: bool,
    /// `-tier` (ours): `interpreter` for the slow definition of everything.
    pub interpreter: bool,
    /// `-tier hot`, `-accel` (ours): what makes loops hot, if they are to be compiled again.
    pub hot: Option<engine::HotConfig>,
    /// `-cache` (ours): translations kept in files.
    pub cache: CacheOptions,
    /// `-host` (ours): host instruction set to use at most.
    pub host_features: Option<String>,
    /// Options as given, to be handed to a child emulator.
    pub given: Vec<OsString>,
    /// `-traced` (ours): what exec tells the new emulator of a traced task.
    pub traced: Option<String>,
    /// `-seccomp` (ours): the descriptor that holds the filters of the program that made exec.
    pub seccomp: Option<u64>,
    /// `-debugged` (ours): what exec tells the new emulator of a debugged program.
    pub debugged: Option<String>,
    /// `-self` (ours): the descriptor of the emulator.
    pub own: Option<u64>,
    /// `-limits` (ours): limits of memory that the program which made exec had set.
    pub limits: Option<String>,
    /// The program and its arguments.
    pub program: Vec<OsString>,
}

/// A change of the guest's environment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EnvChange {
    /// `name=value`.
    Set(Vec<u8>),
    /// `name`.
    Unset(Vec<u8>),
}

/// Nothing is to be run: print and leave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leave {
    /// Text for standard output.
    pub out: String,
    /// Text for standard error.
    pub err: String,
    /// Exit code.
    pub code: i32,
}

impl Leave {
    fn error(line: String) -> Leave {
        Leave { out: String::new(), err: line + "\n", code: 1 }
    }

    fn text(out: String) -> Leave {
        Leave { out, err: String::new(), code: 0 }
    }
}

/// The emulator that the options are for.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Architecture, as in `qemu-<name>`.
    pub name: &'a str,
    /// What `-cpu help` prints.
    pub cpus: &'a str,
}

type Apply = fn(&mut Options, &About<'_>, OsString) -> Result<(), Leave>;

struct Row {
    name: &'static str,
    /// What the argument is; empty if there is none.
    arg: &'static str,
    env: &'static str,
    help: &'static str,
    apply: Apply,
}

fn text(value: OsString, option: &str) -> Result<String, Leave> {
    value.into_string().map_err(|_| Leave::error(format!("qemu: the argument of '{option}' is not text")))
}

fn tier(options: &mut Options, name: &str) -> Result<(), Leave> {
    options.interpreter = matches!(name, "interpreter" | "interp");
    match name {
        "quick" | "interpreter" | "interp" => options.hot = None,
        "hot" => {
            options.hot.get_or_insert_default();
        }
        other => {
            let text = format!("qemu: a tier is quick, hot or interpreter, not '{other}'");
            return Err(Leave::error(text));
        }
    }
    Ok(())
}

/// One item of `-accel`.
fn accel(options: &mut Options, item: &str) -> Result<(), Leave> {
    let value = |v: &str| number(v.into(), "-accel");
    match item.split_once('=') {
        None if item == "tcg" => {}
        Some(("tier", name)) => tier(options, name)?,
        Some(("hot-threshold", n)) => {
            let n = value(n)?;
            let hot = options.hot.get_or_insert_default();
            hot.threshold = u32::try_from(n.max(1)).unwrap_or(u32::MAX);
            if n == 0 {
                hot.at_once = engine::AtOnce::All;
            }
        }
        Some(("hot-seed", n)) => {
            options.hot.get_or_insert_default().at_once = engine::AtOnce::Half(value(n)?);
        }
        _ => return Err(Leave::error(format!("qemu: '-accel' does not know '{item}'"))),
    }
    Ok(())
}

fn number(value: OsString, option: &str) -> Result<u64, Leave> {
    let given = text(value, option)?;
    parse_number(&given)
        .ok_or_else(|| Leave::error(format!("qemu: '{option}' takes a number, not '{given}'")))
}

/// A number in C notation.
fn parse_number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    if digits.starts_with('+') { None } else { u64::from_str_radix(digits, radix).ok() }
}

/// A number with K, M or G behind it.
fn size(value: OsString, option: &str) -> Result<u64, Leave> {
    let given = text(value, option)?;
    let bad = || Leave::error(format!("qemu: '{option}' takes a size such as 8M, not '{given}'"));
    let (digits, shift) = match given.chars().last() {
        Some('k' | 'K') => (&given[..given.len() - 1], 10),
        Some('m' | 'M') => (&given[..given.len() - 1], 20),
        Some('g' | 'G') => (&given[..given.len() - 1], 30),
        _ => (&given[..], 0),
    };
    parse_number(digits).and_then(|n| n.checked_mul(1 << shift)).ok_or_else(bad)
}

fn split_commas(value: &OsString) -> Vec<Vec<u8>> {
    value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::to_vec).collect()
}

const ROWS: &[Row] = &[
    Row {
        name: "h",
        arg: "",
        env: "",
        help: "print this help",
        apply: |_, about, _| Err(Leave::text(usage(about))),
    },
    Row { name: "help", arg: "", env: "", help: "", apply: |_, about, _| Err(Leave::text(usage(about))) },
    Row {
        name: "g",
        arg: "port",
        env: "QEMU_GDB",
        help: "wait gdb connection to 'port'; with a '/' it is the path of a unix socket",
        apply: |o, _, v| text(v, "-g").map(|v| o.gdb = Some(v)),
    },
    Row {
        name: "L",
        arg: "path",
        env: "QEMU_LD_PREFIX",
        help: "look up absolute paths under 'path' first",
        apply: |o, _, v| {
            o.sysroot = Some(PathBuf::from(v));
            Ok(())
        },
    },
    Row {
        name: "s",
        arg: "size",
        env: "QEMU_STACK_SIZE",
        help: "set the stack size to 'size' bytes",
        apply: |o, _, v| size(v, "-s").map(|v| o.stack_size = Some(v)),
    },
    Row {
        name: "cpu",
        arg: "model",
        env: "QEMU_CPU",
        help: "select CPU (-cpu help for list)",
        apply: |o, about, v| {
            let model = text(v, "-cpu")?;
            if model == "help" || model == "?" {
                return Err(Leave::text(about.cpus.to_owned()));
            }
            o.cpu = Some(model);
            Ok(())
        },
    },
    Row {
        name: "E",
        arg: "var=value",
        env: "QEMU_SET_ENV",
        help: "set guest environment variables (see below)",
        apply: |o, _, v| {
            for part in split_commas(&v) {
                if !part.contains(&b'=') {
                    return Err(Leave::error("qemu: '-E' takes name=value".to_owned()));
                }
                o.env.push(EnvChange::Set(part));
            }
            Ok(())
        },
    },
    Row {
        name: "U",
        arg: "var",
        env: "QEMU_UNSET_ENV",
        help: "unset guest environment variables (see below)",
        apply: |o, _, v| {
            for part in split_commas(&v) {
                if part.contains(&b'=') {
                    return Err(Leave::error("qemu: '-U' takes a name without '='".to_owned()));
                }
                o.env.push(EnvChange::Unset(part));
            }
            Ok(())
        },
    },
    Row {
        name: "0",
        arg: "argv0",
        env: "QEMU_ARGV0",
        help: "force the program's argv[0] to be 'argv0'",
        apply: |o, _, v| {
            o.argv0 = Some(v);
            Ok(())
        },
    },
    Row {
        name: "r",
        arg: "uname",
        env: "QEMU_UNAME",
        help: "set the kernel release that uname reports to 'uname'",
        apply: |o, _, v| text(v, "-r").map(|v| o.release = Some(v)),
    },
    Row {
        name: "B",
        arg: "address",
        env: "QEMU_GUEST_BASE",
        help: "place position-independent programs at 'address' (guest addresses are host addresses)",
        apply: |o, _, v| number(v, "-B").map(|v| o.base = (v != 0).then_some(v)),
    },
    Row {
        name: "R",
        arg: "size",
        env: "QEMU_RESERVED_VA",
        help: "guest addresses lie below 'size' (nothing is reserved)",
        apply: |o, _, v| {
            let reserved = size(v, "-R")?;
            if reserved % crate::mm::PAGE != 0 {
                return Err(Leave::error("Reserved virtual address not aligned mod 4 KiB".to_owned()));
            }
            o.reserved = (reserved != 0).then_some(reserved);
            Ok(())
        },
    },
    Row {
        name: "d",
        arg: "item[,...]",
        env: "QEMU_LOG",
        help: "enable logging of items (-d help for a list)",
        apply: |o, _, v| log_items(o, &text(v, "-d")?),
    },
    Row {
        name: "dfilter",
        arg: "range[,...]",
        env: "QEMU_DFILTER",
        help: "only log code in address ranges (a+len, a-len, a..b)",
        apply: |o, _, v| {
            for part in text(v, "-dfilter")?.split(',') {
                let range = filter(part)
                    .ok_or_else(|| Leave::error(format!("qemu: invalid range '{part}' for -dfilter")))?;
                o.log_filter.push(range);
            }
            Ok(())
        },
    },
    Row {
        name: "D",
        arg: "logfile",
        env: "QEMU_LOG_FILENAME",
        help: "write logs to 'logfile' (default stderr); %d is the process id",
        apply: |o, _, v| text(v, "-D").map(|v| o.log_file = Some(v)),
    },
    Row {
        name: "traced",
        arg: "state",
        env: "",
        help: "used by exec: the program's tracer goes on tracing",
        apply: |o, _, v| text(v, "-traced").map(|v| o.traced = Some(v)),
    },
    Row {
        name: "seccomp",
        arg: "fd",
        env: "",
        help: "used by exec: the program's filters stay",
        apply: |o, _, v| number(v, "-seccomp").map(|v| o.seccomp = Some(v)),
    },
    Row {
        name: "debugged",
        arg: "state",
        env: "",
        help: "used by exec: the program's debugger goes on debugging",
        apply: |o, _, v| text(v, "-debugged").map(|v| o.debugged = Some(v)),
    },
    Row {
        name: "self",
        arg: "fd",
        env: "",
        help: "used by exec: the emulator, where there is no /proc",
        apply: |o, _, v| number(v, "-self").map(|v| o.own = Some(v)),
    },
    Row {
        name: "limits",
        arg: "numbers",
        env: "",
        help: "used by exec: limits of address space and data stay",
        apply: |o, _, v| text(v, "-limits").map(|v| o.limits = Some(v)),
    },
    Row {
        name: "log-append",
        arg: "",
        env: "",
        help: "keep what 'logfile' holds, as executed programs do",
        apply: |o, _, _| {
            o.log_append = true;
            Ok(())
        },
    },
    Row {
        name: "p",
        arg: "pagesize",
        env: "QEMU_PAGESIZE",
        help: "accepted and ignored, as pages of the guest have 4 KiB (gone from QEMU 10 on)",
        apply: |_, _, v| {
            if number(v, "-p")?.is_power_of_two() {
                Ok(())
            } else {
                Err(Leave::error("page size must be a power of two".to_owned()))
            }
        },
    },
    Row {
        name: "t",
        arg: "tsig hsig n[,...]",
        env: "QEMU_RTSIG_MAP",
        help: "checked and ignored: the guest has all real-time signals, under their own numbers",
        apply: |_, _, v| signal_map(&text(v, "-t")?),
    },
    Row {
        name: "trace",
        arg: "pattern",
        env: "QEMU_TRACE",
        help: "accepted: there are no trace events (-d and -strace show what happens)",
        apply: |_, about, v| {
            let pattern = text(v, "-trace")?;
            let first = pattern.split(',').next().unwrap_or("");
            let name = first.strip_prefix("enable=").unwrap_or(first);
            if name == "help" || name == "?" {
                return Err(Leave::text(String::new()));
            }
            if !name.contains(['=', '*']) && !name.is_empty() {
                eprintln!("qemu-{}: warning: trace event '{name}' does not exist", about.name);
            }
            Ok(())
        },
    },
    Row {
        name: "one-insn-per-tb",
        arg: "",
        env: "QEMU_ONE_INSN_PER_TB",
        help: "run with one guest instruction per translated region",
        apply: |o, _, _| {
            o.one_insn = true;
            Ok(())
        },
    },
    Row {
        name: "singlestep",
        arg: "",
        env: "QEMU_SINGLESTEP",
        help: "the older name of -one-insn-per-tb",
        apply: |o, _, _| {
            o.one_insn = true;
            Ok(())
        },
    },
    Row {
        name: "strace",
        arg: "",
        env: "QEMU_STRACE",
        help: "log system calls; -strace=file,%signal,!futex,... logs some (classes: file desc network process signal memory ipc)",
        apply: |o, _, v| {
            o.strace = true;
            let list = text(v, "-strace")?;
            // The variable says "yes" in many ways.
            if !matches!(list.as_str(), "" | "1" | "y" | "yes" | "on" | "true") {
                crate::strace::filter::check(&list).map_err(|word| {
                    Leave::error(format!("qemu: '-strace' knows no call or class '{word}'"))
                })?;
                o.strace_filter = Some(list);
            }
            Ok(())
        },
    },
    Row {
        name: "strace-times",
        arg: "",
        env: "QEMU_STRACE_TIMES",
        help: "log system calls with times",
        apply: |o, _, _| {
            (o.strace, o.strace_times) = (true, true);
            Ok(())
        },
    },
    Row {
        name: "seed",
        arg: "number",
        env: "QEMU_RAND_SEED",
        help: "seed for pseudo-random numbers",
        apply: |o, _, v| number(v, "-seed").map(|v| o.seed = Some(v)),
    },
    Row {
        name: "tb-size",
        arg: "size",
        env: "QEMU_TB_SIZE",
        help: "set the size of the code cache in MiB",
        apply: |o, _, v| {
            let mib = number(v, "-tb-size")?;
            if mib > 2047 {
                return Err(Leave::error("qemu: '-tb-size' takes 1 to 2047".to_owned()));
            }
            // Zero is the default.
            o.tb_size = (mib != 0).then_some(mib);
            Ok(())
        },
    },
    Row {
        name: "perfmap",
        arg: "",
        env: "QEMU_PERFMAP",
        help: "write /tmp/perf-PID.map for perf",
        apply: |o, _, _| {
            o.perfmap = true;
            Ok(())
        },
    },
    Row {
        name: "jitdump",
        arg: "",
        env: "QEMU_JITDUMP",
        help: "write jit-PID.dump for perf",
        apply: |o, _, _| {
            o.jitdump = true;
            Ok(())
        },
    },
    Row {
        name: "tier",
        arg: "name",
        env: "OMNIRUN_TIER",
        help: "quick (default), interpreter, or hot (experimental: loops that run often once more, better)",
        apply: |o, _, v| tier(o, &text(v, "-tier")?),
    },
    Row {
        name: "accel",
        arg: "tcg[,item...]",
        env: "QEMU_ACCEL",
        help: "tier=name, hot-threshold=passages (0: all code at first sight), hot-seed=number (half of it)",
        apply: |o, _, v| text(v, "-accel")?.split(',').try_for_each(|item| accel(o, item)),
    },
    Row {
        name: "cache",
        arg: "item[,...]",
        env: "QEMU_CACHE",
        help: "translations kept in files: rw (default), ro, off, dir=path, size=bytes, stats; info, clear",
        apply: |o, _, v| cache_items(o, &v),
    },
    Row {
        name: "host",
        arg: "level",
        env: "OMNIRUN_HOST",
        help: "use at most this host instruction set (sse, avx2, avx512)",
        apply: |o, _, v| text(v, "-host").map(|v| o.host_features = Some(v)),
    },
    Row {
        name: "version",
        arg: "",
        env: "QEMU_VERSION",
        help: "display version information and exit",
        apply: |_, about, _| Err(Leave::text(version(about.name))),
    },
];

/// The first line of `-version`. Scripts look for the QEMU version whose interface this is.
pub fn version(name: &str) -> String {
    format!("qemu-{name} version 10.0.0 (Omnirun {})\n", env!("CARGO_PKG_VERSION"))
}

fn usage(about: &About<'_>) -> String {
    let name = about.name;
    let mut out = format!(
        "usage: qemu-{name} [options] program [arguments...]\n\
         Runs Linux programs for {name} (Omnirun {})\n\n\
         Options and associated environment variables:\n\n\
         Argument             Env-variable          Description\n",
        env!("CARGO_PKG_VERSION")
    );
    for row in ROWS {
        let left = format!("-{} {}", row.name, row.arg);
        let line = format!("{left:<20} {:<21} {}", row.env, row.help);
        out += line.trim_end();
        out.push('\n');
    }
    out += "\nDefaults:\n";
    out += &format!("QEMU_LD_PREFIX  = {}\n", default_sysroot(name).display());
    out += "QEMU_STACK_SIZE = the stack limit (ulimit -s)\n\n\
            You can use -E and -U, or QEMU_SET_ENV and QEMU_UNSET_ENV, to set and unset\n\
            environment variables of the guest program. Several are separated by commas,\n\
            and the options may be repeated. If a variable is changed more than once, the\n\
            last change stays.\n";
    out
}

/// The default of `-L`.
pub fn default_sysroot(name: &str) -> PathBuf {
    PathBuf::from(format!("/etc/qemu-binfmt/{name}"))
}

fn log_items(options: &mut Options, items: &str) -> Result<(), Leave> {
    for item in items.split(',') {
        if item == "help" || item == "?" {
            let mut out = String::from("Log items (comma separated):\n");
            for (name, _, help) in LOG_ITEMS {
                out += &format!("{name:<15} {help}\n");
            }
            return Err(Leave::text(out));
        }
        if item == "all" {
            options.log |= LOG_ITEMS.iter().fold(0, |bits, (_, bit, _)| bits | *bit as u32);
            options.log &= !(LogBit::Tid as u32);
            continue;
        }
        // There are no trace events, see -trace.
        if item.starts_with("trace:") {
            continue;
        }
        match LOG_ITEMS.iter().find(|(name, _, _)| *name == item) {
            Some((_, bit, _)) => options.log |= *bit as u32,
            None => {
                return Err(Leave::error(format!("qemu: unknown log item '{item}' (-d help lists them)")));
            }
        }
    }
    Ok(())
}

/// Checks an argument of `-t`: triples of guest signal, host signal and count, the signals real-time ones.
fn signal_map(text: &str) -> Result<(), Leave> {
    let bad = |what: &str| Leave::error(format!("Malformed {what} signal in QEMU_RTSIG_MAP"));
    for part in text.split(',') {
        let mut words = part.split_whitespace();
        let mut next = |what| words.next().and_then(|word| word.parse::<u32>().ok()).ok_or_else(|| bad(what));
        let (guest, host, count) = (next("target")?, next("host")?, next("host")?);
        for (signal, whose) in [(guest, "target"), (host, "host")] {
            if signal < 32 || count == 0 || signal.saturating_add(count - 1) > 64 {
                return Err(Leave::error(format!("{signal} is not a {whose} rt signal")));
            }
        }
        if words.next().is_some() {
            return Err(bad("host"));
        }
    }
    Ok(())
}

fn cache_items(options: &mut Options, items: &OsString) -> Result<(), Leave> {
    for item in split_commas(items) {
        let cache = &mut options.cache;
        match &item[..] {
            b"rw" | b"on" => cache.mode = Mode::ReadWrite,
            b"ro" => cache.mode = Mode::ReadOnly,
            b"off" => cache.mode = Mode::Off,
            b"stats" => cache.stats = true,
            b"info" => {
                let none = || "no cache: switched off, or no private directory for it\n".to_owned();
                return Err(Leave::text(Cache::find(cache).map_or_else(none, |c| c.info())));
            }
            b"clear" => {
                let removed = Cache::find(cache).map_or(0, |c| c.clear());
                return Err(Leave::text(format!("{removed} files removed\n")));
            }
            item => {
                if let Some(dir) = item.strip_prefix(b"dir=") {
                    cache.dir = Some(PathBuf::from(OsString::from_vec(dir.to_vec())));
                } else if let Some(bytes) = item.strip_prefix(b"size=") {
                    cache.size = Some(size(OsString::from_vec(bytes.to_vec()), "-cache size")?);
                } else {
                    let item = String::from_utf8_lossy(item);
                    return Err(Leave::error(format!(
                        "qemu: '-cache' takes rw, ro, off, dir=path, size=bytes, stats, info or clear, not '{item}'"
                    )));
                }
            }
        }
    }
    Ok(())
}

fn filter(text: &str) -> Option<Range<u64>> {
    if let Some((from, to)) = text.split_once("..") {
        let (from, to) = (parse_number(from)?, parse_number(to)?);
        return (from <= to).then(|| from..to.saturating_add(1));
    }
    if let Some((from, len)) = text.split_once('+') {
        let (from, len) = (parse_number(from)?, parse_number(len)?);
        return Some(from..from.checked_add(len)?);
    }
    let (end, len) = text.split_once('-')?;
    let (end, len) = (parse_number(end)?, parse_number(len)?);
    Some(end.checked_sub(len)?.saturating_add(1)..end.saturating_add(1))
}

impl Options {
    /// True if a `-d` item is on.
    pub fn logs(&self, bit: LogBit) -> bool {
        self.log & bit as u32 != 0
    }
}

/// What concerns one process only is not inherited by the programs it starts.
fn inherited(row: &Row) -> bool {
    !matches!(row.name, "traced" | "debugged" | "seccomp" | "self" | "limits" | "0" | "g" | "E" | "U")
}

/// The option whose argument, if it has one, follows an equals sign.
const INLINE: &str = "strace";

/// Parses the variables and the arguments (without argv[0]).
pub fn parse(
    about: &About<'_>,
    args: impl IntoIterator<Item = OsString>,
    mut var: impl FnMut(&str) -> Option<OsString>,
) -> Result<Options, Leave> {
    let mut options = Options::default();
    for row in ROWS {
        if !row.env.is_empty()
            && let Some(value) = var(row.env)
        {
            // A child gets it even if the guest clears the environment.
            if inherited(row) {
                let mut option = OsString::from(format!("-{}", row.name));
                if row.name == INLINE && !value.is_empty() {
                    option.push("=");
                    option.push(&value);
                }
                options.given.push(option);
                if !row.arg.is_empty() {
                    options.given.push(value.clone());
                }
            }
            (row.apply)(&mut options, about, value)?;
        }
    }
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next_if(|arg| arg.as_bytes().first() == Some(&b'-')) {
        let bytes = arg.as_bytes();
        if bytes == b"-" || bytes == b"--" {
            break;
        }
        // --name is -name.
        let name = bytes.strip_prefix(b"--").or_else(|| bytes.strip_prefix(b"-")).unwrap_or(bytes);
        let inline = name.strip_prefix(INLINE.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        let name = if inline.is_some() { INLINE.as_bytes() } else { name };
        let Some(row) = ROWS.iter().find(|row| row.name.as_bytes() == name) else {
            return Err(Leave::error(format!("qemu: unknown option '{}'", String::from_utf8_lossy(name))));
        };
        let mut value = inline.map(|rest| OsString::from_vec(rest.to_vec())).unwrap_or_default();
        if !row.arg.is_empty() {
            value = args
                .next()
                .ok_or_else(|| Leave::error(format!("qemu: missing argument for option '{}'", row.name)))?;
        }
        if inherited(row) {
            options.given.push(arg.clone());
            if !row.arg.is_empty() {
                options.given.push(value.clone());
            }
        }
        (row.apply)(&mut options, about, value)?;
    }
    options.program = args.collect();
    if options.program.is_empty() {
        return Err(Leave::error("qemu: no user program specified (-h shows the options)".to_owned()));
    }
    Ok(options)
}

/// Applies the changes to an environment, in order.
pub fn change_environment(changes: &[EnvChange], env: Vec<OsString>) -> Vec<Vec<u8>> {
    let mut env: Vec<Vec<u8>> = env.into_iter().map(OsString::into_vec).collect();
    let named =
        |entry: &[u8], name: &[u8]| entry.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&b'='));
    for change in changes {
        match change {
            EnvChange::Set(entry) => {
                let name = entry.split(|&byte| byte == b'=').next().unwrap_or(entry).to_vec();
                match env.iter_mut().find(|old| named(old, &name)) {
                    Some(old) => old.clone_from(entry),
                    None => env.push(entry.clone()),
                }
            }
            EnvChange::Unset(name) => env.retain(|old| !named(old, name)),
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About<'_> = About { name: "aarch64", cpus: "max\n" };

    fn run(args: &[&str]) -> Result<Options, Leave> {
        parse(&ABOUT, args.iter().map(OsString::from), |_| None)
    }

    #[test]
    fn strace_takes_a_set_of_calls() {
        let o = run(&["-strace=%file,kill", "ls"]).unwrap();
        assert!(o.strace);
        assert_eq!(o.strace_filter.as_deref(), Some("%file,kill"));
        assert_eq!(o.given, ["-strace=%file,kill"]);
        let error = run(&["-strace=nosuchcall", "ls"]).unwrap_err();
        assert!(error.err.contains("nosuchcall"), "{error:?}");
        let told = |name: &str| (name == "QEMU_STRACE").then(|| OsString::from("network"));
        let o = parse(&ABOUT, [OsString::from("ls")], told).unwrap();
        assert_eq!(o.strace_filter.as_deref(), Some("network"));
        assert_eq!(o.given, ["-strace=network"]);
        let o = parse(&ABOUT, [OsString::from("ls")], |n| (n == "QEMU_STRACE").then(|| "1".into())).unwrap();
        assert!(o.strace && o.strace_filter.is_none());
    }

    #[test]
    fn options_stop_at_the_program() {
        let o =
            run(&["-L", "/tree", "--strace", "-s", "4M", "-E", "A=1,B=2", "-U", "C", "ls", "-h"]).unwrap();
        assert_eq!(o.sysroot, Some(PathBuf::from("/tree")));
        assert!(o.strace);
        assert_eq!(o.stack_size, Some(4 << 20));
        assert_eq!(o.env.len(), 3);
        assert_eq!(o.program, ["ls", "-h"]);
        assert_eq!(o.given, ["-L", "/tree", "--strace", "-s", "4M"]);
    }

    #[test]
    fn errors_are_one_line_and_exit_1() {
        let leave = run(&["-foo", "x"]).unwrap_err();
        assert_eq!((leave.err.as_str(), leave.code), ("qemu: unknown option 'foo'\n", 1));
        assert_eq!(run(&["-L"]).unwrap_err().err, "qemu: missing argument for option 'L'\n");
        assert_eq!(run(&["-s", "abc", "x"]).unwrap_err().code, 1);
        assert_eq!(run(&["-d", "nonsense", "x"]).unwrap_err().code, 1);
        assert_eq!(run(&["-p", "3", "x"]).unwrap_err().code, 1);
        assert_eq!(run(&[]).unwrap_err().code, 1);
    }

    #[test]
    fn help_and_version_go_to_standard_output() {
        let leave = run(&["-version"]).unwrap_err();
        assert!(leave.out.starts_with("qemu-aarch64 version "), "{}", leave.out);
        assert_eq!(leave.code, 0);
        assert!(run(&["-h"]).unwrap_err().out.contains("QEMU_LD_PREFIX"));
        assert!(run(&["-d", "help"]).unwrap_err().out.contains("guest_errors"));
        assert_eq!(run(&["-cpu", "help"]).unwrap_err().out, "max\n");
    }

    #[test]
    fn variables_count_and_options_win() {
        let var = |name: &str| (name == "QEMU_LD_PREFIX").then(|| OsString::from("/env"));
        let o = parse(&ABOUT, ["x"].iter().map(OsString::from), var).unwrap();
        assert_eq!(o.sysroot, Some(PathBuf::from("/env")));
        let o = parse(&ABOUT, ["-L", "/opt", "x"].iter().map(OsString::from), var).unwrap();
        assert_eq!(o.sysroot, Some(PathBuf::from("/opt")));
    }

    #[test]
    fn log_filters_have_three_forms() {
        assert_eq!(filter("0x1000+0x10"), Some(0x1000..0x1010));
        assert_eq!(filter("0x1000..0x10ff"), Some(0x1000..0x1100));
        assert_eq!(filter("0x1000-0x10"), Some(0xff1..0x1001));
        assert_eq!(filter("junk"), None);
    }

    #[test]
    fn environment_changes_apply_in_order() {
        let env = ["A=0", "B=0", "AB=0"].iter().map(OsString::from).collect();
        let changes = [
            EnvChange::Set(b"A=1".to_vec()),
            EnvChange::Unset(b"B".to_vec()),
            EnvChange::Set(b"N=x=y".to_vec()),
        ];
        let env = change_environment(&changes, env);
        assert_eq!(env, [b"A=1".to_vec(), b"AB=0".to_vec(), b"N=x=y".to_vec()]);
    }
}
