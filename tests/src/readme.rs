//! The README's generated parts: what works, from the tests and tables themselves, and the last benchmark.

use crate::{guests, known, programs, root};

/// Rewrites both parts. The benchmark is left as it is when there is no new one.
pub fn write() -> Result<(), String> {
    let path = root().join("README.md");
    let mut text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    text = put(&text, "works", &works()?)?;
    if let Ok(table) = std::fs::read_to_string(root().join("build/bench.md")) {
        text = put(&text, "bench", &table)?;
    }
    std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// Replaces what stands between `<!-- NAME -->` and `<!-- /NAME -->`.
fn put(text: &str, name: &str, body: &str) -> Result<String, String> {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (head, rest) = text.split_once(&open).ok_or_else(|| format!("no marker {open}"))?;
    let (_, foot) = rest.split_once(&close).ok_or_else(|| format!("no marker {close}"))?;
    Ok(format!("{head}{open}{body}{close}{foot}"))
}

fn works() -> Result<String, String> {
    let known = known::load()?;
    let tests = guests::discover()?;
    let (mut runs, mut failing) = (0, 0);
    for test in &tests {
        for mode in guests::MODES.iter().filter(|m| test.slow || !m.slow) {
            runs += 1;
            failing += usize::from(known::find(&known, "aarch64", &test.name, mode.name).is_some());
        }
    }
    let list = programs::discover()?;
    let names: Vec<String> = list.iter().map(|p| format!("`{}`", p.name)).collect();
    let bad: Vec<String> = list
        .iter()
        .filter(|p| known::find(&known, "aarch64", &p.name, "program").is_some())
        .map(|p| format!("`{}`", p.name))
        .collect();
    let calls = syscall_tables::matrix::summary(syscall_tables::Arch::Aarch64);
    let bad = if bad.is_empty() { "none fails".to_owned() } else { format!("failing: {}", bad.join(" ")) };
    Ok(format!(
        "| Guest `aarch64` | |\n|---|---|\n| Instructions | Armv8.0 to Armv8.6 at EL0, and what compilers use of later ones; no SVE, no MTE |\n\
         | System calls | {} of {} (Linux 6.12) |\n\
         | Guest programs | {} programs in {} modes: {runs} runs, {failing} known to fail |\n\
         | Debian 12 programs | {}; {bad} |\n",
        calls.handler + calls.plain,
        calls.handler + calls.plain + calls.none,
        tests.len(),
        guests::MODES.len(),
        names.join(" "),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_replaced_between_its_markers() {
        let text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n";
        assert_eq!(put(text, "x", "new\n").expect("marked"), "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n");
        assert!(put(text, "y", "new").is_err());
    }

    #[test]
    fn the_readme_has_the_markers_and_every_guest_can_be_listed() {
        let text = std::fs::read_to_string(root().join("README.md")).expect("the README is there");
        put(&text, "works", &works().expect("the tests can be listed")).expect("marked");
        put(&text, "bench", "").expect("marked");
    }
}
