//! Running one command with a time limit, with its output captured, and describing it so that a person can repeat it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command to run: program, arguments, extra environment, directory.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The words of the command; the first is the program.
    pub words: Vec<String>,
    /// Variables set on top of a clean environment.
    pub env: Vec<(String, String)>,
    /// The directory to run in.
    pub dir: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub struct Outcome {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit status as a shell gives it: 0..=255, 128+n for signal n, 124 for the time limit.
    pub status: i32,
    /// Wall-clock time.
    pub time: Duration,
}

/// The variables every test runs with, so that the caller's environment changes nothing.
const BASE_ENV: [(&str, &str); 5] = [
    ("PATH", "/usr/bin:/bin:/usr/sbin:/sbin"),
    ("HOME", "/nonexistent"),
    ("LC_ALL", "C"),
    ("TZ", "UTC"),
    ("TERM", "dumb"),
];

impl Invocation {
    /// A command with the base environment.
    pub fn new(words: Vec<String>, dir: &Path) -> Self {
        Self { words, env: Vec::new(), dir: dir.to_path_buf() }
    }

    /// The command as a line for a shell.
    pub fn shell_line(&self) -> String {
        let env: Vec<String> = self.env.iter().map(|(k, v)| format!("{k}={}", quote(v))).collect();
        let words: Vec<String> = self.words.iter().map(|w| quote(w)).collect();
        let gap = if env.is_empty() { "" } else { " " };
        format!("cd {} && {}{gap}{}", quote(&self.dir.to_string_lossy()), env.join(" "), words.join(" "))
    }

    /// Runs it; at the limit the whole process group is killed.
    pub fn run(&self, limit: Duration) -> std::io::Result<Outcome> {
        // coreutils' timeout puts the command in a group of its own and kills all of it, also from a test that
        // has forked; without --foreground a grandchild cannot outlive the limit.
        let mut cmd = Command::new("timeout");
        cmd.arg("--kill-after=5").arg(limit.as_secs().max(1).to_string()).args(&self.words);
        cmd.env_clear().envs(BASE_ENV).envs(self.env.iter().map(|(k, v)| (k, v)));
        cmd.current_dir(&self.dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let start = Instant::now();
        let mut child = cmd.spawn()?;
        let mut err_pipe = child.stderr.take().expect("stderr was piped");
        let reader = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = err_pipe.read_to_end(&mut text);
            text
        });
        let mut out = Vec::new();
        child.stdout.take().expect("stdout was piped").read_to_end(&mut out)?;
        let status = child.wait()?;
        let time = start.elapsed();
        let err = reader.join().unwrap_or_default();
        use std::os::unix::process::ExitStatusExt;
        let status = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Ok(Outcome {
            stdout: String::from_utf8_lossy(&out).into_owned(),
            stderr: String::from_utf8_lossy(&err).into_owned(),
            status,
            time,
        })
    }
}

/// Quotes one word for a shell.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The first lines where two texts differ, at most `limit` of them.
pub fn diff(expected: &str, got: &str, limit: usize) -> String {
    let (mut e, mut g) = (expected.lines(), got.lines());
    let (mut text, mut line, mut shown) = (String::new(), 0, 0);
    while shown < limit {
        line += 1;
        match (e.next(), g.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                shown += 1;
                for (mark, side) in [('-', a), ('+', b)] {
                    if let Some(s) = side {
                        let s: String = s.chars().take(200).collect();
                        text.push_str(&format!("  {line:4} {mark} {s}\n"));
                    }
                }
            }
        }
    }
    text
}

/// The last `limit` lines of a text.
pub fn tail(text: &str, limit: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(limit)..].iter().map(|l| format!("  | {l}\n")).collect()
}
