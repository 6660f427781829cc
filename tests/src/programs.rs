//! Real programs: scripts in `guest-tests/programs/`, run by a Debian tree's own bash under the emulator, so that
//! every command in them is a foreign child as well. Expected output is what the host's bash and tools print, in
//! `NAME.out`; where a tree's release prints something else, in `NAME.RELEASE.out`.
//!
//! Directives as in [`crate::guests`], behind `# test:`: `timeout=SECONDS`, `full=only` (only with `OMNIRUN_FULL`),
//! `short=first` (without it, only for the first guest of the list), `limit=KIB` (run under that `ulimit -v`),
//! `native=skip` (the output is not what the host would print), `only=GUEST` (for this guest).
//!
//! The full form does more in most scripts, has four times the time, and runs every script a second time in an address
//! space of 8 GiB, as in a container.

use crate::list::{GUESTS, Guest, Tree};
use crate::run::{Invocation, diff, quote, tail};
use crate::{root, trees};
use std::path::PathBuf;
use std::time::Duration;

/// One script.
#[derive(Clone, Debug)]
pub struct Program {
    /// File name without extension.
    pub name: String,
    /// The script.
    pub script: PathBuf,
    /// Its time limit.
    pub timeout: Duration,
    /// Whether it runs only in the full form.
    pub full_only: bool,
    /// Whether only the first guest runs it in the short form.
    pub short_first: bool,
    /// The only guest that has it.
    pub only: Option<String>,
    /// Address space limit in KiB.
    pub limit: Option<u64>,
    /// Whether the expected output can be made natively.
    pub native: bool,
}

/// All scripts, by name.
pub fn discover() -> Result<Vec<Program>, String> {
    let dir = root().join("guest-tests/programs");
    let mut list = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?.flatten() {
        let script = entry.path();
        if script.extension().is_some_and(|e| e == "sh") {
            list.push(load(script)?);
        }
    }
    list.sort_by(|a: &Program, b| a.name.cmp(&b.name));
    Ok(list)
}

fn load(script: PathBuf) -> Result<Program, String> {
    let text = std::fs::read_to_string(&script).map_err(|e| format!("{}: {e}", script.display()))?;
    let name = script.file_stem().expect("a script has a name").to_string_lossy().into_owned();
    let timeout = Duration::from_secs(120);
    let mut p = Program {
        name,
        script,
        timeout,
        full_only: false,
        short_first: false,
        only: None,
        limit: None,
        native: true,
    };
    for word in text.lines().take(8).filter_map(|l| l.split_once("# test: ")).flat_map(|(_, d)| d.split(' '))
    {
        let bad = || format!("{}: directive {word}", p.script.display());
        match word.split_once('=').ok_or_else(bad)? {
            ("timeout", v) => p.timeout = Duration::from_secs(v.parse().map_err(|_| bad())?),
            ("limit", v) => p.limit = Some(v.parse().map_err(|_| bad())?),
            ("only", guest) => p.only = Some(guest.to_owned()),
            ("full", "only") => p.full_only = true,
            ("short", "first") => p.short_first = true,
            ("native", "skip") => p.native = false,
            _ => return Err(bad()),
        }
    }
    if full() {
        p.timeout *= 4;
    }
    Ok(p)
}

/// Whether the long form was asked for.
pub fn full() -> bool {
    std::env::var_os("OMNIRUN_FULL").is_some()
}

/// The tree of a guest that has one.
pub fn tree(guest: &Guest) -> Result<&Tree, String> {
    guest.tree.as_ref().ok_or_else(|| format!("{} has no tree of programs", guest.name))
}

impl Program {
    /// Whether this run has it for a guest.
    pub fn wanted(&self, guest: &Guest) -> bool {
        let its = self.only.as_ref().is_none_or(|only| only == guest.name);
        let short = guest.tree.as_ref().and_then(|t| t.short);
        let short = short.is_none_or(|names| names.contains(&self.name.as_str()));
        its && (full() || short && !self.full_only && (!self.short_first || guest.name == GUESTS[0].name))
    }

    /// The same in an address space of 8 GiB, as in a container without overcommit.
    pub fn limited(&self) -> Program {
        Program { name: format!("{}-8g", self.name), limit: Some(8 << 20), ..self.clone() }
    }

    /// The file with what it prints on this guest's tree.
    pub fn expected_path(&self, guest: &Guest) -> PathBuf {
        let own = guest.tree.as_ref().map(|t| self.script.with_extension(format!("{}.out", t.release)));
        own.filter(|path| path.exists()).unwrap_or_else(|| self.script.with_extension("out"))
    }
}

/// The command that runs a script: natively, or with a guest's tree under this emulator.
pub fn invocation(p: &Program, under: Option<(&Guest, PathBuf)>) -> Result<Invocation, String> {
    let place = under.as_ref().map_or("native", |(guest, _)| guest.name);
    let work = root().join("build/work").join(format!("program-{place}-{}", p.name));
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(&work).map_err(|e| format!("{}: {e}", work.display()))?;
    let script = p.script.to_string_lossy().into_owned();
    let mut words = match under {
        None => vec!["/bin/bash".to_owned(), script],
        Some((guest, qemu)) => {
            let tree = tree(guest)?.path();
            let bash = tree.join("bin/bash");
            [qemu, PathBuf::from("-L"), tree, bash, PathBuf::from(&script)]
                .iter()
                .map(|w| w.to_string_lossy().into_owned())
                .collect()
        }
    };
    if let Some(kib) = p.limit {
        let line: Vec<String> = words.iter().map(|w| quote(w)).collect();
        words = vec!["/bin/bash".into(), "-c".into(), format!("ulimit -v {kib}; exec {}", line.join(" "))];
    }
    let mut inv = Invocation::new(words, &work);
    if full() {
        inv.env.push(("FULL".to_owned(), "1".to_owned()));
        inv.env.push(("TOOLS".to_owned(), trees().join("tools").join(place).to_string_lossy().into_owned()));
    }
    // All programs share one cache of translations, several at a time, from one run of the tests to the next.
    let cache = format!("dir={}", root().join("build/cache/programs").display());
    inv.env.push(("QEMU_CACHE".to_owned(), cache));
    inv.env.push(("PROGRAMS".to_owned(), root().join("guest-tests/programs").to_string_lossy().into_owned()));
    Ok(inv)
}

/// Runs a script under the emulator and compares.
pub fn check(p: &Program, guest: &Guest) -> Result<(), String> {
    let expected_path = p.expected_path(guest);
    let expected =
        std::fs::read_to_string(&expected_path).map_err(|e| format!("{}: {e}", expected_path.display()))?;
    let inv = invocation(p, Some((guest, guest.emulator())))?;
    let out = inv.run(p.timeout).map_err(|e| format!("{}: {e}", inv.words[0]))?;
    if out.status == 0 && out.stdout == expected {
        let _ = std::fs::remove_dir_all(&inv.dir);
        return Ok(());
    }
    let what = if out.status == 124 { "time limit".to_owned() } else { format!("status {}", out.status) };
    Err(format!(
        "{what} after {:.1} s\n{}{}reproduce: {}",
        out.time.as_secs_f64(),
        diff(&expected, &out.stdout, 20),
        tail(&out.stderr, 20),
        inv.shell_line()
    ))
}
