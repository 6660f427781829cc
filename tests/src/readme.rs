//! The README's generated parts: what works, from the tests and tables themselves, and the last benchmark of each guest.

use crate::list::{GUESTS, Guest};
use crate::{bench, guests, known, programs, root};

/// Rewrites both parts. The benchmark is left as it is when there is no new one.
pub fn write() -> Result<(), String> {
    let path = root().join("README.md");
    let mut text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    text = put(&text, "works", &works()?)?;
    for guest in GUESTS.iter().filter(|g| g.hosted && g.tree.is_some()) {
        if let Ok(table) = std::fs::read_to_string(bench::report_path(guest)) {
            text = put(&text, &bench_part(guest), &table)?;
        }
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

fn bench_part(guest: &Guest) -> String {
    format!("bench {}", guest.name)
}

fn works() -> Result<String, String> {
    let tables: Vec<String> = GUESTS.iter().map(guest_works).collect::<Result<_, _>>()?;
    Ok(tables.join("\n"))
}

fn guest_works(guest: &'static Guest) -> Result<String, String> {
    let known = known::load()?;
    let tests = guests::discover()?;
    let mine = tests.iter().filter(|t| t.is_for(guest));
    let (mut number, mut runs, mut failing) = (0, 0, 0);
    for test in mine {
        number += 1;
        for mode in guests::modes(test, guest) {
            runs += 1;
            failing += usize::from(known::find(&known, guest.name, &test.name, mode.name).is_some());
        }
    }
    let calls = syscall_tables::matrix::summary(guest.abi);
    let mut text = format!(
        "| Guest `{}` | |\n|---|---|\n| Instructions | {} |\n| System calls | {} of {} (Linux 6.12) |\n\
         | Guest programs | {number} programs in up to {} modes: {runs} runs, {failing} known to fail |\n",
        guest.name,
        guest.instructions,
        calls.handler + calls.plain,
        calls.handler + calls.plain + calls.none,
        guests::MODES.len(),
    );
    if let Some(tree) = &guest.tree {
        let mut list = programs::discover()?;
        // Of a younger guest only these are known to pass.
        list.retain(|p| tree.short.is_none_or(|short| short.contains(&p.name.as_str())));
        let names: Vec<String> = list.iter().map(|p| format!("`{}`", p.name)).collect();
        let bad: Vec<String> = list
            .iter()
            .filter(|p| known::find(&known, guest.name, &p.name, "program").is_some())
            .map(|p| format!("`{}`", p.name))
            .collect();
        let bad =
            if bad.is_empty() { "none fails".to_owned() } else { format!("failing: {}", bad.join(" ")) };
        text += &format!("| Programs of {} | {}; {bad} |\n", tree.release, names.join(" "));
    }
    Ok(text)
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
        for guest in GUESTS.iter().filter(|g| g.hosted && g.tree.is_some()) {
            put(&text, &bench_part(guest), "").expect("marked");
        }
    }
}
