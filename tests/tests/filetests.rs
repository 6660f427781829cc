//! Runs every `*.ft` file under `translate/filetests/`.

use libtest_mimic::{Arguments, Failed, Trial};
use omnirun_tests::{filetests, root};
use std::path::{Path, PathBuf};

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for e in entries.flatten() {
        let p = e.path();
        if p.is_dir() {
            files(&p, out);
        } else if p.extension().is_some_and(|x| x == "ft") {
            out.push(p);
        }
    }
}

fn check(path: &Path) -> Result<(), Failed> {
    let text = std::fs::read_to_string(path)?;
    let test = filetests::parse(&text)?;
    if test.stages.is_empty() {
        return Err("the file names no stage".into());
    }
    let outputs: Vec<String> = test
        .stages
        .iter()
        .map(|s| filetests::run_stage(s, &test).map(|t| t.trim_end().to_owned()))
        .collect::<Result<_, _>>()?;
    if std::env::var_os("BLESS").is_some() {
        let mut new = test.head.clone();
        for o in &outputs {
            new.push_str("\n---\n");
            new.push_str(o);
        }
        new.push('\n');
        std::fs::write(path, new)?;
        return Ok(());
    }
    for (i, out) in outputs.iter().enumerate() {
        let want = test.expected.get(i).map_or("", String::as_str);
        if out != want {
            return Err(format!(
                "stage {}: output differs (BLESS=1 accepts it)\n--- expected\n{want}\n--- got\n{out}",
                test.stages[i]
            )
            .into());
        }
    }
    Ok(())
}

fn main() {
    let args = Arguments::from_args();
    let dir = root().join("translate/filetests");
    let mut paths = Vec::new();
    files(&dir, &mut paths);
    paths.sort();
    let trials = paths
        .into_iter()
        .map(|p| {
            let name = p.strip_prefix(&dir).unwrap_or(&p).display().to_string();
            Trial::test(name, move || check(&p))
        })
        .collect();
    libtest_mimic::run(&args, trials).exit();
}
