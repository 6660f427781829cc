//! What the kernel knows: the directory of binfmt_misc.
//!
//! Input: its path; output: entries, or one line about what is wrong.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The mounted file system.
#[derive(Clone, Debug)]
pub struct Registry {
    dir: PathBuf,
}

/// A registered format, as its file tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Name of the entry.
    pub name: String,
    /// Not switched off.
    pub enabled: bool,
    /// The emulator.
    pub interpreter: String,
    /// Its flags.
    pub flags: String,
    /// First bytes of the programs, from `offset` on.
    pub magic: Vec<u8>,
    /// Which bits count (empty: all).
    pub mask: Vec<u8>,
    /// Where the magic stands.
    pub offset: usize,
}

impl Entry {
    /// Whether the entry takes a program with these first bytes.
    pub fn matches(&self, head: &[u8]) -> bool {
        let bytes = head.get(self.offset..).unwrap_or(&[]);
        !self.magic.is_empty()
            && bytes.len() >= self.magic.len()
            && self.magic.iter().enumerate().all(|(i, m)| {
                let mask = self.mask.get(i).copied().unwrap_or(0xff);
                m & mask == bytes[i] & mask
            })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = if self.flags.is_empty() { "-" } else { &self.flags };
        let state = if self.enabled { "enabled" } else { "disabled" };
        write!(f, "{:<20} {state:<8} flags {flags:<5} {}", self.name, self.interpreter)
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).filter_map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()).collect()
}

fn entry(name: &str, text: &str) -> Entry {
    let mut e = Entry { name: name.to_owned(), ..Entry::default() };
    for line in text.lines() {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("enabled", _) => e.enabled = true,
            ("interpreter", path) => e.interpreter = path.to_owned(),
            ("flags:", flags) => e.flags = flags.trim().to_owned(),
            ("offset", n) => e.offset = n.parse().unwrap_or(0),
            ("magic", hex) => e.magic = unhex(hex),
            ("mask", hex) => e.mask = unhex(hex),
            _ => {}
        }
    }
    e
}

impl Registry {
    /// The file system at `dir`.
    pub fn new(dir: &Path) -> Registry {
        Registry { dir: dir.to_path_buf() }
    }

    /// Its path.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether it is mounted: its control file is there.
    pub fn mounted(&self) -> bool {
        self.dir.join("register").exists()
    }

    /// Whether it is switched on as a whole.
    pub fn switched_on(&self) -> bool {
        fs::read_to_string(self.dir.join("status")).map_or(true, |s| s.trim() != "disabled")
    }

    /// Mounted, or mounted now. The error says what to do.
    pub fn ready(&self) -> Result<(), String> {
        if !self.mounted() && self.dir.is_dir() {
            let mount = std::process::Command::new("mount")
                .args(["-t", "binfmt_misc", "binfmt_misc"])
                .arg(&self.dir)
                .output();
            drop(mount);
        }
        if self.mounted() {
            return Ok(());
        }
        Err(format!(
            "binfmt_misc is not mounted at {}: as root, modprobe binfmt_misc; mount -t binfmt_misc binfmt_misc {0}",
            self.dir.display()
        ))
    }

    /// Writes a registration.
    pub fn register(&self, line: &str) -> Result<(), String> {
        self.write("register", line)
    }

    /// Removes an entry; false if there is none.
    pub fn remove(&self, name: &str) -> Result<bool, String> {
        if !self.dir.join(name).exists() {
            return Ok(false);
        }
        self.write(name, "-1").map(|()| true)
    }

    fn write(&self, file: &str, text: &str) -> Result<(), String> {
        let path = self.dir.join(file);
        let fail = |error: std::io::Error| format!("cannot write to {}: {error}", path.display());
        // One write: the kernel takes each as a whole.
        let mut file = fs::OpenOptions::new().append(true).open(&path).map_err(fail)?;
        file.write_all(text.as_bytes()).map_err(fail)
    }

    /// All entries, by name.
    pub fn entries(&self) -> Result<Vec<Entry>, String> {
        let list = fs::read_dir(&self.dir)
            .map_err(|error| format!("cannot read {}: {error}", self.dir.display()))?;
        let mut entries: Vec<Entry> = list
            .filter_map(|file| {
                let name = file.ok()?.file_name().into_string().ok()?;
                if name == "register" || name == "status" {
                    return None;
                }
                Some(entry(&name, &fs::read_to_string(self.dir.join(&name)).ok()?))
            })
            .collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_the_kernel_prints_them() {
        let e = entry("x", "enabled\ninterpreter /bin/e -x\nflags: POCF\noffset 2\nmagic 7f45\nmask ff0f\n");
        assert!(e.enabled && e.matches(&[0, 0, 0x7f, 0xf5]) && !e.matches(&[0, 0, 0x7f, 0x46]));
        assert_eq!((e.interpreter.as_str(), e.flags.as_str()), ("/bin/e -x", "POCF"));
        assert!(!e.matches(&[0, 0, 0x7f]));
        assert!(!entry("y", "disabled\nextension .exe\n").matches(&[]));
    }
}
