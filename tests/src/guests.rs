//! The guest programs: discovery, directives, building with the cross compiler, and the mode matrix.
//!
//! A source is `guest-tests/multiarch/NAME.{c,cc}` (built for every guest with a C library and for the host, and run
//! there first) or `guest-tests/GUEST/NAME.{c,cc,S}`; its expected output is `NAME.out` beside it. The first lines may hold
//! directives in the form `// test: KEY=VALUE KEY=VALUE`:
//! `link=static,pie,dynamic` (flavours; default static), `flags=-pthread,-lm` (commas between), `timeout=SECONDS`
//! (for the plain mode), `compiler=vectors` (for a guest by its compiler that makes vector code), `slow=skip` (not under the
//! interpreter or one instruction at a time), `native=skip`
//! (for a program whose result is the guest's own), `long=64` (for guests whose `long` has 64 bits), `oracle=skip` (the reference emulator is known to be wrong).

use crate::list::{GUESTS, Guest};
use crate::root;
use crate::run::{Invocation, diff, tail};
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

/// For what a program is built: the host, or a guest.
pub type Target = Option<&'static Guest>;

/// The name of a target in paths and lists.
pub fn target_name(target: Target) -> &'static str {
    target.map_or("native", |g| g.name)
}

fn compiler(target: Target, source: &Path) -> String {
    let command = if source.extension().is_some_and(|e| e == "cc") { "g++" } else { "gcc" };
    target.map_or_else(|| command.to_owned(), |g| format!("{}-{command}", g.triple))
}

/// One source with its directives.
#[derive(Clone, Debug)]
pub struct GuestTest {
    /// File name without extension.
    pub name: String,
    /// The source.
    pub source: PathBuf,
    /// The only guest it is for; none: it can be built for every one, and for the host.
    pub own: Target,
    /// Whether it thinks of `long` as 64 bits.
    pub wide: bool,
    /// The flavours it is built in.
    pub links: Vec<Link>,
    /// Extra words for the compiler.
    pub flags: Vec<String>,
    /// Whether a guest's compiler for vector code builds it.
    pub vectors: bool,
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
    fn load(source: PathBuf, own: Target) -> Result<Self, String> {
        let text = std::fs::read_to_string(&source).map_err(|e| format!("{}: {e}", source.display()))?;
        let name = source.file_stem().expect("a source has a name").to_string_lossy().into_owned();
        let mut test = GuestTest {
            name,
            source,
            own,
            wide: false,
            links: vec![Link::Static],
            flags: Vec::new(),
            vectors: false,
            timeout: Duration::from_secs(60),
            slow: true,
            native: own.is_none_or(Guest::is_native),
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
        let mut test = Self::load(source, None)?;
        test.name = format!("bench-{}", test.name);
        Ok(test)
    }

    fn directive(&mut self, word: &str) -> Result<(), String> {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("directive {word} has no value"))?;
        match key {
            "link" => self.links = value.split(',').map(Link::parse).collect::<Result<_, _>>()?,
            "flags" => self.flags = value.split(',').map(str::to_owned).collect(),
            "compiler" => self.vectors = value == "vectors",
            "timeout" => {
                self.timeout = Duration::from_secs(value.parse().map_err(|e| format!("{word}: {e}"))?);
            }
            "long" => self.wide = value == "64",
            "slow" => self.slow = value != "skip",
            "native" => self.native = value != "skip",
            "oracle" => self.oracle = value != "skip",
            _ => return Err(format!("unknown directive {key}")),
        }
        Ok(())
    }

    /// Whether it is one of this guest's.
    pub fn is_for(&self, guest: &Guest) -> bool {
        let fits = guest.hosted && (!self.wide || guest.abi.info().word == 8);
        self.own.map_or(fits, |own| own.name == guest.name)
    }

    /// The file with the expected output.
    pub fn expected_path(&self) -> PathBuf {
        self.source.with_extension("out")
    }

    /// Builds it, unless a binary newer than its sources is there.
    pub fn build(&self, target: Target, link: Link) -> Result<PathBuf, String> {
        // The tests run side by side, and several of them want the same binary.
        static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let dir = root().join("build/guests").join(target_name(target));
        std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let binary = dir.join(format!("{}-{}", self.name, link.name()));
        let include = root().join("guest-tests/include");
        let mut newest = modified(&self.source);
        let headers = root().join("guest-tests").join(target_name(target)).join("include");
        for dir in [&include, &headers] {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                newest = newest.max(modified(&entry.path()));
            }
        }
        if modified(&binary) > newest {
            return Ok(binary);
        }
        let own = target.filter(|_| self.vectors).and_then(|g| g.vectors.split_first());
        let (compiler, words) = match own {
            Some((command, words)) => ((*command).to_owned(), words),
            None => (compiler(target, &self.source), &[][..]),
        };
        let part = binary.with_extension(format!("{}.part", std::process::id()));
        let mut cmd = std::process::Command::new(&compiler);
        cmd.args(["-O2", "-g", "-w", "-D_GNU_SOURCE"]).args(words).arg("-I").arg(&include).args(link.flags());
        if let Some(guest) = target {
            cmd.arg("-I").arg(root().join("guest-tests").join(guest.name).join("include")).args(guest.flags);
        }
        cmd.arg(&self.source).arg("-o").arg(&part);
        cmd.args(self.flags.iter().filter(|f| !(target.is_none() && f.starts_with("-march"))));
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

/// All guest programs: those for every guest first, then each guest's own; by name.
pub fn discover() -> Result<Vec<GuestTest>, String> {
    let mut list = Vec::new();
    let folders = GUESTS.iter().map(|g| (g.name, Some(g)));
    for (folder, own) in std::iter::once(("multiarch", None)).chain(folders) {
        let dir = root().join("guest-tests").join(folder);
        let entries = std::fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let mut found = BTreeMap::new();
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|e| e == "c" || e == "cc" || e == "S") {
                let test = GuestTest::load(path, own)?;
                if let Some(old) = found.insert(test.name.clone(), test) {
                    return Err(format!("two guest programs in {folder} are called {}", old.name));
                }
            }
        }
        list.extend(found.into_values());
    }
    Ok(list)
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
    /// Runs in a row with one cache of translations; each must be right. Zero: no cache.
    pub cached: u32,
}

/// The matrix of the emulator's modes. Every program runs in `jit`; the others show where a difference comes from.
pub const MODES: [Mode; 7] = {
    const PLAIN: Mode = Mode { name: "jit", args: &[], env: &[], slow: false, cached: 0 };
    [
        PLAIN,
        // The first run writes the cache, the others live on it.
        Mode { name: "warm", cached: 3, ..PLAIN },
        Mode { name: "nochain", args: &["-d", "nochain", "-D", "/dev/null"], ..PLAIN },
        Mode { name: "sse4", env: &[("OMNIRUN_HOST_FEATURES", "sse4")], ..PLAIN },
        Mode { name: "avx2", env: &[("OMNIRUN_HOST_FEATURES", "avx2")], ..PLAIN },
        Mode { name: "one-insn", args: &["-one-insn-per-tb"], slow: true, ..PLAIN },
        Mode { name: "interp", args: &["-tier", "interpreter"], slow: true, ..PLAIN },
    ]
};

/// Where a program runs.
#[derive(Clone, Debug)]
pub enum Runner {
    /// On the host itself: built for it, or for a guest that is of its kind.
    Native(Target),
    /// Under a guest's reference emulator.
    Reference(&'static Guest, PathBuf),
    /// Under a guest's emulator, which is being tested.
    Ours(&'static Guest, Mode),
}

impl Runner {
    /// The name in test names.
    pub fn name(&self) -> &'static str {
        match self {
            Runner::Native(_) => "native",
            Runner::Reference(..) => "oracle",
            Runner::Ours(_, mode) => mode.name,
        }
    }

    /// What it runs programs of.
    pub fn target(&self) -> Target {
        match self {
            Runner::Native(target) => *target,
            Runner::Reference(guest, _) | Runner::Ours(guest, _) => Some(guest),
        }
    }
}

/// The command that runs a program.
pub fn invocation(test: &GuestTest, link: Link, runner: &Runner) -> Result<Invocation, String> {
    let target = runner.target();
    let name = format!("{}-{}-{}-{}", target_name(target), test.name, link.name(), runner.name());
    let work = root().join("build/work").join(name);
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(&work).map_err(|e| format!("{}: {e}", work.display()))?;
    let binary = test.build(target, link)?.to_string_lossy().into_owned();
    let mut words = Vec::new();
    let mut env = Vec::new();
    let program = match runner {
        Runner::Native(_) => None,
        Runner::Reference(guest, path) => {
            env.push(("QEMU_CPU".to_owned(), guest.oracle_cpu.to_owned()));
            Some(path.clone())
        }
        Runner::Ours(guest, mode) => {
            env.extend(mode.env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
            let cache = if mode.cached > 0 {
                format!("dir={}", cache_dir(test, guest, link).display())
            } else {
                "off".into()
            };
            env.push(("QEMU_CACHE".to_owned(), cache));
            env.push(("SCALE".to_owned(), if mode.slow { "5" } else { "100" }.to_owned()));
            Some(guest.emulator())
        }
    };
    if let (Some(program), Some(guest)) = (program, target) {
        words.push(program.to_string_lossy().into_owned());
        if let Runner::Ours(_, mode) = runner {
            words.extend(mode.args.iter().map(|a| (*a).to_owned()));
        }
        if link == Link::Dynamic {
            words.extend(["-L".to_owned(), guest.cross_root()]);
        }
    }
    words.push(binary);
    let mut inv = Invocation::new(words, &work);
    inv.env = env;
    Ok(inv)
}

fn cache_dir(test: &GuestTest, guest: &Guest, link: Link) -> PathBuf {
    root().join("build/cache").join(format!("{}-{}-{}", guest.name, test.name, link.name()))
}

/// Runs a program and compares its output and status with what is expected.
pub fn check(test: &GuestTest, link: Link, runner: &Runner) -> Result<(), String> {
    let Runner::Ours(guest, Mode { cached: runs @ 1.., .. }) = runner else {
        return check_once(test, link, runner);
    };
    let dir = cache_dir(test, guest, link);
    let _ = std::fs::remove_dir_all(&dir);
    for run in 1..=*runs {
        check_once(test, link, runner).map_err(|e| format!("run {run}: {e}"))?;
    }
    let _ = std::fs::remove_dir_all(&dir);
    Ok(())
}

fn check_once(test: &GuestTest, link: Link, runner: &Runner) -> Result<(), String> {
    let inv = invocation(test, link, runner)?;
    let expected = std::fs::read_to_string(test.expected_path())
        .map_err(|e| format!("{}: {e}", test.expected_path().display()))?;
    let slow = matches!(runner, Runner::Ours(_, mode) if mode.slow);
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

/// Every runner for a program, in the order of the list of guests and of the matrix.
pub fn runners(test: &GuestTest) -> Vec<Runner> {
    let mut list = Vec::new();
    if test.native && test.own.is_none() {
        list.push(Runner::Native(None));
    }
    for guest in GUESTS.iter().filter(|g| test.is_for(g)) {
        if test.native && guest.is_native() && (test.own.is_some() || guest.abi != syscall_tables::HOST) {
            list.push(Runner::Native(Some(guest)));
        }
        let asked = std::env::var_os("OMNIRUN_ORACLE").is_some();
        if let (true, Some(path), true) = (test.oracle, guest.reference(), asked) {
            list.push(Runner::Reference(guest, path));
        }
        list.extend(modes(test, guest).map(|mode| Runner::Ours(guest, mode)));
    }
    list
}

/// The modes that a program is run in for a guest.
pub fn modes(test: &GuestTest, guest: &'static Guest) -> impl Iterator<Item = Mode> {
    let (slow, own) = (test.slow, test.own.is_some());
    MODES.into_iter().filter(move |m| (slow || !m.slow) && (own || guest.shared_modes.contains(&m.name)))
}
