//! The known failures: `guest-tests/known-failures.txt`, one per line as `GUEST TEST MODE REASON`.
//!
//! A listed test that fails is reported as passed-by-list; one that passes fails the run, so that the list can only
//! shrink with the defects it names.

use crate::root;

/// One line of the list.
#[derive(Debug)]
pub struct Known {
    guest: String,
    test: String,
    mode: String,
    /// Why it fails.
    pub reason: String,
}

/// Reads the list.
pub fn load() -> Result<Vec<Known>, String> {
    let path = root().join("guest-tests/known-failures.txt");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<Known>, String> {
    let mut list = Vec::new();
    for (n, line) in text.lines().enumerate().map(|(n, l)| (n + 1, l.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.splitn(4, char::is_whitespace).map(str::trim);
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(guest), Some(test), Some(mode), Some(reason)) if !reason.is_empty() => list.push(Known {
                guest: guest.to_owned(),
                test: test.to_owned(),
                mode: mode.to_owned(),
                reason: reason.to_owned(),
            }),
            _ => return Err(format!("known-failures.txt:{n}: expected GUEST TEST MODE REASON")),
        }
    }
    Ok(list)
}

/// The entry for a test in a mode; `*` in the list stands for every mode.
pub fn find<'a>(list: &'a [Known], guest: &str, test: &str, mode: &str) -> Option<&'a Known> {
    list.iter().find(|k| k.guest == guest && k.test == test && (k.mode == mode || k.mode == "*"))
}

/// Turns a verdict round by the list.
pub fn judge(entry: Option<&Known>, verdict: Result<(), String>) -> Result<(), String> {
    match (entry, verdict) {
        (None, v) => v,
        (Some(_), Err(_)) => Ok(()),
        (Some(k), Ok(())) => {
            Err(format!("passes, but known-failures.txt lists it ({}): remove the line", k.reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_test_that_passes_fails() {
        let list = parse("# note\naarch64 files * seekdir wraps\n").expect("well formed");
        let entry = find(&list, "aarch64", "files", "jit");
        assert!(judge(entry, Err("no".into())).is_ok());
        assert!(judge(entry, Ok(())).is_err());
        assert!(find(&list, "aarch64", "dirs", "jit").is_none());
    }

    #[test]
    fn a_line_without_reason_is_refused() {
        assert!(parse("aarch64 files jit").is_err());
    }
}
