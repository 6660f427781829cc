//! Registers emulators with the kernel's binfmt_misc, and says why a program would not run.
//!
//! Input: a command line; output: writes to binfmt_misc or files, text, an exit code. `guests` is the data, `options` the
//! command line, `registry` what the kernel knows, `doctor` the diagnosis.
#![forbid(unsafe_code)]

pub mod doctor;
pub mod guests;
pub mod options;
pub mod registry;

use guests::{GUESTS, Guest};
use options::{Command, Options, Target};
use registry::Registry;
use std::fmt::Write as _;
use std::path::Path;

/// What a run printed, and its exit code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// Exit code.
    pub code: i32,
}

impl Outcome {
    fn fail(&mut self, line: &str) {
        self.err += &format!("ERROR: {line}\n");
        self.code = 1;
    }
}

/// `\x7f\x45...`, as binfmt_misc and the files for it take bytes.
pub fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut s, b| {
        let _ = write!(s, "\\x{b:02x}");
        s
    })
}

/// The guests that a list names; an empty list or `all` means all that are not of the host's family.
fn selected(names: &[String], options: &Options) -> Result<Vec<&'static Guest>, String> {
    if names.is_empty() || names.iter().any(|n| n.eq_ignore_ascii_case("all")) {
        let family = guests::family_of_host(&options.host);
        return Ok(GUESTS.iter().filter(|g| options.ignore_family || g.family != family).collect());
    }
    names
        .iter()
        .map(|n| {
            let name = n.strip_prefix("qemu-").unwrap_or(n);
            Guest::named(name).ok_or_else(|| format!("unknown CPU \"{n}\""))
        })
        .collect()
}

/// Runs a command.
pub fn run(options: &Options) -> Outcome {
    let mut done = Outcome::default();
    let registry = Registry::new(&options.binfmt_dir);
    let names = &options.names;
    let guests = match (&options.command, selected(names, options)) {
        (Command::Doctor, _) => Vec::new(),
        (_, Ok(guests)) => guests,
        (_, Err(line)) => {
            done.fail(&line);
            return done;
        }
    };
    match options.command {
        Command::Register => match &options.target {
            Target::Kernel => register(options, &registry, &guests, &mut done),
            Target::Systemd | Target::Debian => export(options, &guests, &mut done),
        },
        Command::Show => {
            // Without names also what others have registered.
            let wanted =
                |entry: &str| names.is_empty() || guests.iter().any(|g| entry == format!("qemu-{}", g.name));
            match registry.entries() {
                Ok(entries) => {
                    for entry in entries.iter().filter(|e| wanted(&e.name)) {
                        let _ = writeln!(done.out, "{entry}");
                    }
                }
                Err(line) => done.fail(&line),
            }
        }
        Command::Remove => {
            // All means ours: every guest, the host's family too.
            let all = names.is_empty() || names.iter().any(|n| n.eq_ignore_ascii_case("all"));
            let guests = if all { GUESTS.iter().collect() } else { guests };
            for g in guests {
                let name = format!("qemu-{}", g.name);
                match registry.remove(&name) {
                    Ok(true) => {
                        let _ = writeln!(done.out, "removed {name}");
                    }
                    Ok(false) if all => {}
                    Ok(false) => done.fail(&format!("{name} is not registered")),
                    Err(line) => done.fail(&line),
                }
            }
        }
        Command::Doctor => doctor::run(options, &registry, &mut done),
    }
    done
}

fn register(options: &Options, registry: &Registry, guests: &[&'static Guest], done: &mut Outcome) {
    if let Err(line) = registry.ready() {
        return done.fail(&line);
    }
    let mut missing = Vec::new();
    for g in guests {
        let path = options.emulator(g);
        if !Path::new(&path).exists() {
            missing.push(path);
            continue;
        }
        let name = format!("qemu-{}", g.name);
        let result = registry.remove(&name).and_then(|_| registry.register(&options.line(g)));
        match result {
            Ok(()) => {
                let _ = writeln!(done.out, "Setting {path} as binfmt interpreter for {}", g.name);
            }
            Err(line) => done.fail(&format!("{name}: {line}")),
        }
    }
    match missing.as_slice() {
        [] => {}
        [one] if !options.names.is_empty() => {
            done.fail(&format!("{one} does not exist (--qemu-path says where)"))
        }
        some if some.len() == guests.len() => {
            done.fail(&format!("no emulator in {} (--qemu-path says where)", options.qemu_path));
        }
        some => {
            let _ = writeln!(done.err, "not registered, as they are not in {}: {}", options.qemu_path, {
                let names: Vec<&str> = some.iter().filter_map(|p| p.rsplit('/').next()).collect();
                names.join(" ")
            });
        }
    }
}

fn export(options: &Options, guests: &[&'static Guest], done: &mut Outcome) {
    let dir = options.export_dir();
    for g in guests {
        let (name, text) = match options.target {
            Target::Debian => (format!("qemu-{}", g.name), options.debian_template(g)),
            Target::Kernel | Target::Systemd => (format!("qemu-{}.conf", g.name), options.line(g) + "\n"),
        };
        let path = dir.join(name);
        match std::fs::write(&path, text) {
            Ok(()) => {
                let _ = writeln!(done.out, "Generating {}", path.display());
            }
            Err(error) => return done.fail(&format!("cannot write to {}: {error}", path.display())),
        }
    }
}
