//! The command line: the options of the script that people know, and commands in front.
//!
//! Input: arguments and environment; output: [`Options`], or what to print. Variables (`QEMU_PATH`, `QEMU_SUFFIX`,
//! `QEMU_PERSISTENT`, `QEMU_CREDENTIAL`, `QEMU_PRESERVE_ARGV0`, `HOST_ARCH`) are the defaults of options.

use crate::guests::{GUESTS, Guest};
use crate::{Outcome, escaped};
use std::path::PathBuf;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Register, or write files.
    Register,
    /// Print what is registered.
    Show,
    /// Unregister.
    Remove,
    /// Explain.
    Doctor,
}

/// Where registrations go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// binfmt_misc itself.
    Kernel,
    /// Files for systemd-binfmt.
    Systemd,
    /// Templates for Debian's update-binfmts.
    Debian,
}

/// A parsed command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What is to be done.
    pub command: Command,
    /// Guests, or the file of `doctor`.
    pub names: Vec<String>,
    /// Where to.
    pub target: Target,
    /// Directory of the emulators.
    pub qemu_path: String,
    /// Behind the emulator's name.
    pub qemu_suffix: String,
    /// Directory for files.
    pub export: Option<PathBuf>,
    /// Flag F.
    pub persistent: bool,
    /// Flags O and C.
    pub credential: bool,
    /// Flag P.
    pub preserve_argv0: bool,
    /// Register the host's family too.
    pub ignore_family: bool,
    /// Where binfmt_misc is mounted.
    pub binfmt_dir: PathBuf,
    /// Root of the guest's system, for `doctor`.
    pub sysroot: Option<PathBuf>,
    /// The host, as `uname -m` says it.
    pub host: String,
}

const USAGE: &str = "\
usage: qemu-binfmt-conf [register|show|remove|doctor] [options] [CPU... | all | FILE]

Configure binfmt_misc to run programs of other architectures by their emulators.

  register [CPU...]      (default) register emulators, replacing older entries
  show [CPU...]          print what is registered
  remove [CPU...|all]    unregister
  doctor [FILE]          say why FILE (or anything) would not run, and what to do

  -h, --help             display this usage
  -Q, --qemu-path PATH   directory of the emulators (QEMU_PATH)
  -F, --qemu-suffix S    add a suffix to the emulators' names (QEMU_SUFFIX)
  -c, --credential yes|no      flags O and C: set-uid programs, unreadable programs
  -p, --persistent yes|no      flag F: the emulator is opened now, for chroots and containers
  -g, --preserve-argv0 yes|no  flag P: the program sees the argv[0] it was called with
  -i, --ignore-family yes|no   also what the host runs by itself
  -d, --debian           write templates for update-binfmts instead (/usr/share/binfmts)
  -s, --systemd CPU      write files for systemd-binfmt instead (/etc/binfmt.d); ALL for all
  -e, --exportdir PATH   where to write files
      --binfmt-dir PATH  where binfmt_misc is mounted (/proc/sys/fs/binfmt_misc)
  -L PATH                root of the guest's system, for doctor
";

fn usage() -> String {
    let names: Vec<&str> = GUESTS.iter().map(|g| g.name).collect();
    format!("{USAGE}\nCPU is one of: {}\n", names.join(" "))
}

fn fail(line: &str) -> Outcome {
    Outcome { out: String::new(), err: format!("ERROR: {line}\n"), code: 1 }
}

fn yes(option: &str, value: &str) -> Result<bool, Outcome> {
    match value {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(fail(&format!("{option} takes yes or no, not \"{value}\""))),
    }
}

/// Parses the arguments without the program's name. `host`: the machine's architecture.
pub fn parse(
    args: impl IntoIterator<Item = String>,
    var: impl Fn(&str) -> Option<String>,
    host: &str,
) -> Result<Options, Outcome> {
    let flag = |name: &str| var(name).map_or(Ok(false), |v| yes(name, &v));
    let mut o = Options {
        command: Command::Register,
        names: Vec::new(),
        target: Target::Kernel,
        qemu_path: var("QEMU_PATH").unwrap_or_else(|| "/usr/local/bin".to_owned()),
        qemu_suffix: var("QEMU_SUFFIX").unwrap_or_default(),
        export: None,
        persistent: flag("QEMU_PERSISTENT")?,
        credential: flag("QEMU_CREDENTIAL")?,
        preserve_argv0: flag("QEMU_PRESERVE_ARGV0")?,
        ignore_family: false,
        binfmt_dir: PathBuf::from("/proc/sys/fs/binfmt_misc"),
        sysroot: var("QEMU_LD_PREFIX").map(PathBuf::from),
        host: var("HOST_ARCH").unwrap_or_else(|| host.to_owned()),
    };
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let (option, mut given) = match arg.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option.to_owned(), Some(value.to_owned())),
            _ => (arg.clone(), None),
        };
        let mut value = || {
            given.take().or_else(|| args.next()).ok_or_else(|| fail(&format!("{option} needs an argument")))
        };
        match option.as_str() {
            "-h" | "--help" => return Err(Outcome { out: usage(), ..Outcome::default() }),
            "-Q" | "--qemu-path" => o.qemu_path = value()?,
            "-F" | "-S" | "--qemu-suffix" => o.qemu_suffix = value()?,
            "-e" | "--exportdir" => o.export = Some(PathBuf::from(value()?)),
            "-c" | "--credential" => o.credential = yes(&option, &value()?)?,
            "-p" | "--persistent" => o.persistent = yes(&option, &value()?)?,
            "-g" | "--preserve-argv0" => o.preserve_argv0 = yes(&option, &value()?)?,
            "-i" | "--ignore-family" => o.ignore_family = yes(&option, &value()?)?,
            "-d" | "--debian" => o.target = Target::Debian,
            "-s" | "--systemd" => {
                o.target = Target::Systemd;
                o.names.push(value()?);
            }
            "--binfmt-dir" => o.binfmt_dir = PathBuf::from(value()?),
            "-L" => o.sysroot = Some(PathBuf::from(value()?)),
            "register" if o.names.is_empty() => o.command = Command::Register,
            "show" if o.names.is_empty() => o.command = Command::Show,
            "remove" if o.names.is_empty() => o.command = Command::Remove,
            "doctor" if o.names.is_empty() => o.command = Command::Doctor,
            unknown if unknown.starts_with('-') => {
                return Err(fail(&format!("unknown option \"{unknown}\" (--help lists them)")));
            }
            _ => o.names.push(arg),
        }
    }
    if o.command == Command::Doctor && o.names.len() > 1 {
        return Err(fail("doctor looks at one file"));
    }
    Ok(o)
}

impl Options {
    /// Path of a guest's emulator.
    pub fn emulator(&self, guest: &Guest) -> String {
        format!("{}/{}{}", self.qemu_path.trim_end_matches('/'), guest.emulator(), self.qemu_suffix)
    }

    /// The flags of an entry.
    pub fn flags(&self) -> String {
        let flags = [(self.credential, "OC"), (self.persistent, "F"), (self.preserve_argv0, "P")];
        flags.iter().filter(|(on, _)| *on).map(|(_, flag)| *flag).collect()
    }

    /// The line that registers a guest.
    pub fn line(&self, guest: &Guest) -> String {
        let (magic, mask) = guest.rule();
        let (magic, mask) = (escaped(&magic), escaped(&mask));
        format!(":qemu-{}:M::{magic}:{mask}:{}:{}", guest.name, self.emulator(guest), self.flags())
    }

    /// A template for update-binfmts.
    pub fn debian_template(&self, guest: &Guest) -> String {
        let (magic, mask) = guest.rule();
        let yes = |on| if on { "yes" } else { "no" };
        format!(
            "package qemu-{}\ninterpreter {}\nmagic {}\nmask {}\ncredentials {}\npreserve {}\nfix_binary {}\n",
            guest.name,
            self.emulator(guest),
            escaped(&magic),
            escaped(&mask),
            yes(self.credential),
            yes(self.preserve_argv0),
            yes(self.persistent)
        )
    }

    /// Where files go.
    pub fn export_dir(&self) -> PathBuf {
        let default = if self.target == Target::Debian { "/usr/share/binfmts" } else { "/etc/binfmt.d" };
        self.export.clone().unwrap_or_else(|| PathBuf::from(default))
    }
}
