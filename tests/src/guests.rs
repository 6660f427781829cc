//! The guest programs: discovery, directives, building with the cross compiler, and the mode matrix.
//!
//! A source is `guest-tests/multiarch/NAME.{c,cc}` (built for the host as well, and run there first) or
//! `guest-tests/aarch64/NAME.{c,cc,S}`; its expected output is `NAME.out` beside it. The first lines may hold
//! directives in the form `// test: KEY=VALUE KEY=VALUE`:
//! `link=static,pie,dynamic` (flavours; default static), `flags=-pthread,-lm` (commas between), `timeout=SECONDS`
//! (for the plain mode), `slow=skip` (not under the interpreter or one instruction at a time), `native=skip`
//! (for a program whose result is the guest's own), `oracle=skip` (the reference emulator is known to be wrong).

use crate::run::{Invocation, diff, tail};
use crate::{emulator, reference, root};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How a program is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Fixed address, no interpreter.
    Static,
    /// Position-independent, no interpreter.
    StaticPie,
    /// With the guest's dynamic loader.
    Dynamic,
}

impl Link {
    /// The name in directives and file names.
    pub fn name(self) -> &'static str {
        match self {
            Link::Static => "static",
            Link::StaticPie => "pie",
            Link::Dynamic => "dynamic",
        }
    }

    fn flags(self) -> &'static [&'static str] {
        match self {
            Link::Static => &["-static"],
            Link::StaticPie => &["-static-pie", "-fPIE"],
            Link::Dynamic => &["-fPIE", "-pie"],
        }
    }

    fn parse(word: &str) -> Result<Self, String> {
        [Link::Static, Link::StaticPie, Link::Dynamic]
            .into_iter()
            .find(|l| l.name() == word)
            .ok_or_else(|| format!("unknown link flavour {word}"))
    }
}

/// For what a program is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// The host's own compiler.
    Native,
    /// The AArch64 cross compiler.
    Aarch64,
}

impl Arch {
    /// The name in paths and lists.
    pub fn name(self) -> &'static str {
        match self {
            Arch::Native => "native",
            Arch::Aarch64 => "aarch64",
        }
    }

    fn compiler(self, source: &Path) -> &'static str {
        let cxx = source.extension().is_some_and(|e| e == "cc");
        match (self, cxx) {
            (Arch::Native, false) => "gcc",
            (Arch::Native, true) => "g++",
            (Arch::Aarch64, false) => "aarch64-linux-gnu-gcc",
            (Arch::Aarch64, true) => "aarch64-linux-gnu-g++",
        }
    }
}

/// One source with its directives.
#[derive(Clone, Debug)]
pub struct GuestTest {
    /// File name without extension.
    pub name: String,
    /// The source.
    pub source: PathBuf,
    /// Whether it can also be built for the host.
    pub multiarch: bool,
    /// The flavours it is built in.
    pub links: Vec<Link>,
    /// Extra words for the compiler.
    pub flags: Vec<String>,
    /// Limit in the plain mode.
    pub timeout: Duration,
    /// Whether it is run in the slow modes.
    pub slow: bool,
    /// Whether the native run must agree with the expected output.
    pub native: bool,
    /// Whether the reference emulator must agree with the expected output.
    pub oracle: bool,
}

impl GuestTest {
    fn load(source: PathBuf, multiarch: bool) -> Result<Self, String> {
        let text = std::fs::read_to_string(&source).map_err(|e| format!("{}: {e}", source.display()))?;
        let name = source.file_stem().expect("a source has a name").to_string_lossy().into_owned();
        let mut test = GuestTest {
            name,
            source,
            multiarch,
            links: vec![Link::Static],
            flags: Vec::new(),
            timeout: Duration::from_secs(60),
            slow: true,
            native: multiarch,
            oracle: true,
        };
        for word in
            text.lines().take(12).filter_map(|l| l.split_once("test: ")).flat_map(|(_, d)| d.split(' '))
        {
            test.directive(word).map_err(|e| format!("{}: {e}", test.source.display()))?;
        }
        Ok(test)
    }

    /// A benchmark kernel, which is built like a test and has no expected output.
    pub fn kernel(source: PathBuf) -> Result<Self, String> {
        let mut test = Self::load(source, true)?;
        test.name = format!("bench-{}", test.name);
        Ok(test)
    }

    fn directive(&mut self, word: &str) -> Result<(), String> {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("directive {word} has no value"))?;
        match key {
            "link" => self.links = value.split(',').map(Link::parse).collect::<Result<_, _>>()?,
            "flags" => self.flags = value.split(',').map(str::to_owned).collect(),
            "timeout" => {
                self.timeout = Duration::from_secs(value.parse().map_err(|e| format!("{word}: {e}"))?);
            }
            "slow" => self.slow = value != "skip",
            "native" => self.native = value != "skip",
            "oracle" => self.oracle = value != "skip",
            _ => return Err(format!("unknown directive {key}")),
        }
        Ok(())
    }

    /// The file with the expected output.
    pub fn expected_path(&self) -> PathBuf {
        self.source.with_extension("out")
    }

    /// Builds it, unless a binary newer than its sources is there.
    pub fn build(&self, arch: Arch, link: Link) -> Result<PathBuf, String> {
        // The tests run side by side, and several of them want the same binary.
        static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let dir = root().join("build/guests").join(arch.name());
        std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let binary = dir.join(format!("{}-{}", self.name, link.name()));
        let include = root().join("guest-tests/include");
        let mut newest = modified(&self.source);
        for entry in std::fs::read_dir(&include).into_iter().flatten().flatten() {
            newest = newest.max(modified(&entry.path()));
        }
        if modified(&binary) > newest {
            return Ok(binary);
        }
        let compiler = arch.compiler(&self.source);
        let part = binary.with_extension(format!("{}.part", std::process::id()));
        let mut cmd = std::process::Command::new(compiler);
        cmd.args(["-O2", "-g", "-w", "-D_GNU_SOURCE", "-I"]).arg(&include).args(link.flags());
        cmd.arg(&self.source).arg("-o").arg(&part);
        cmd.args(self.flags.iter().filter(|f| !(arch == Arch::Native && f.starts_with("-march"))));
        let out =
            cmd.output().map_err(|e| format!("{compiler}: {e} (run `make test`, which installs it)"))?;
        if !out.status.success() {
            return Err(format!("{compiler}: {}", String::from_utf8_lossy(&out.stderr)));
        }
        std::fs::rename(&part, &binary).map_err(|e| format!("{}: {e}", binary.display()))?;
        Ok(binary)
    }
}

fn modified(path: &Path) -> SystemTime {
    path.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// All guest programs, by name.
pub fn discover() -> Result<Vec<GuestTest>, String> {
    let mut found = BTreeMap::new();
    for (folder, multiarch) in [("multiarch", true), ("aarch64", false)] {
        let dir = root().join("guest-tests").join(folder);
        let entries = std::fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|e| e == "c" || e == "cc" || e == "S") {
                let test = GuestTest::load(path, multiarch)?;
                if let Some(old) = found.insert(test.name.clone(), test) {
                    return Err(format!("two guest programs are called {}", old.name));
                }
            }
        }
    }
    Ok(found.into_values().collect())
}

/// One way of running a program.
#[derive(Clone, Debug)]
pub struct Mode {
    /// Its name in test names and the list of known failures.
    pub name: &'static str,
    args: &'static [&'static str],
    env: &'static [(&'static str, &'static str)],
    /// Whether it is so slow that programs do less work (`SCALE`, see `guest-tests/include/check.h`).
    pub slow: bool,
}

/// The matrix of the emulator's modes. Every program runs in `jit`; the others show where a difference comes from.
pub const MODES: [Mode; 6] = [
    Mode { name: "jit", args: &[], env: &[], slow: false },
    Mode { name: "nochain", args: &["-d", "nochain", "-D", "/dev/null"], env: &[], slow: false },
    Mode { name: "sse4", args: &[], env: &[("OMNIRUN_HOST_FEATURES", "sse4")], slow: false },
    Mode { name: "avx2", args: &[], env: &[("OMNIRUN_HOST_FEATURES", "avx2")], slow: false },
    Mode { name: "one-insn", args: &["-one-insn-per-tb"], env: &[], slow: true },
    Mode { name: "interp", args: &["-tier", "interpreter"], env: &[], slow: true },
];

/// Where a program runs.
#[derive(Clone, Debug)]
pub enum Runner {
    /// On the host itself.
    Native,
    /// Under the reference emulator.
    Reference(PathBuf),
    /// Under the emulator being tested.
    Ours(Mode),
}

impl Runner {
    /// The name in test names.
    pub fn name(&self) -> &'static str {
        match self {
            Runner::Native => "native",
            Runner::Reference(_) => "oracle",
            Runner::Ours(mode) => mode.name,
        }
    }
}

/// The command that runs a program.
pub fn invocation(test: &GuestTest, link: Link, runner: &Runner) -> Result<Invocation, String> {
    let work = root().join("build/work").join(format!("{}-{}-{}", test.name, link.name(), runner.name()));
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(&work).map_err(|e| format!("{}: {e}", work.display()))?;
    let arch = if matches!(runner, Runner::Native) { Arch::Native } else { Arch::Aarch64 };
    let binary = test.build(arch, link)?.to_string_lossy().into_owned();
    let mut words = Vec::new();
    let mut env = Vec::new();
    let program = match runner {
        Runner::Native => None,
        Runner::Reference(path) => {
            // Its frames carry an SVE record that overrides the FPSIMD one, which ours (without SVE) do not have.
            env.push(("QEMU_CPU".to_owned(), "max,sve=off,sme=off".to_owned()));
            Some(path.clone())
        }
        Runner::Ours(mode) => {
            env.extend(mode.env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
            env.push(("SCALE".to_owned(), if mode.slow { "5" } else { "100" }.to_owned()));
            Some(emulator())
        }
    };
    if let Some(program) = program {
        words.push(program.to_string_lossy().into_owned());
        if let Runner::Ours(mode) = runner {
            words.extend(mode.args.iter().map(|a| (*a).to_owned()));
        }
        if link == Link::Dynamic {
            words.extend(["-L".to_owned(), "/usr/aarch64-linux-gnu".to_owned()]);
        }
    }
    words.push(binary);
    let mut inv = Invocation::new(words, &work);
    inv.env = env;
    Ok(inv)
}

/// Runs a program and compares its output and status with what is expected.
pub fn check(test: &GuestTest, link: Link, runner: &Runner) -> Result<(), String> {
    let inv = invocation(test, link, runner)?;
    let expected = std::fs::read_to_string(test.expected_path())
        .map_err(|e| format!("{}: {e}", test.expected_path().display()))?;
    let slow = matches!(runner, Runner::Ours(mode) if mode.slow);
    let limit = if slow { test.timeout * 3 } else { test.timeout };
    let out = inv.run(limit).map_err(|e| format!("{}: {e}", inv.words[0]))?;
    if out.status == 0 && out.stdout == expected {
        let _ = std::fs::remove_dir_all(&inv.dir);
        return Ok(());
    }
    let what = if out.status == 124 { "time limit".to_owned() } else { format!("status {}", out.status) };
    Err(format!(
        "{what} after {:.1} s\n{}{}reproduce: {}",
        out.time.as_secs_f64(),
        diff(&expected, &out.stdout, 12),
        tail(&out.stderr, 12),
        inv.shell_line()
    ))
}

/// Every runner for a program, in the order of the matrix.
pub fn runners(test: &GuestTest) -> Vec<Runner> {
    let mut list = Vec::new();
    if test.native {
        list.push(Runner::Native);
    }
    if let (true, Some(path), true) = (test.oracle, reference(), std::env::var_os("OMNIRUN_ORACLE").is_some())
    {
        list.push(Runner::Reference(path));
    }
    if emulator().exists() {
        list.extend(MODES.into_iter().filter(|m| test.slow || !m.slow).map(Runner::Ours));
    }
    list
}
