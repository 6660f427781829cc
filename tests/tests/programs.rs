//! Runs the scripts of `guest-tests/programs/` with the Debian arm64 tree's programs under the emulator.
//! `OMNIRUN_FULL=1` (`make test-programs`) adds the long ones.

use libtest_mimic::{Arguments, Failed, Trial};
use omnirun_tests::{known, programs, trees};

fn main() {
    let args = Arguments::from_args();
    let run = || -> Result<Vec<Trial>, String> {
        let known = std::sync::Arc::new(known::load()?);
        let mut list = vec![Trial::test("tree_is_there", || {
            let tree = trees().join("arm64/bin/bash");
            let hint = format!("{} is missing: run `make test`, which unpacks it", tree.display());
            if tree.exists() { Ok(()) } else { Err(hint.into()) }
        })];
        for p in programs::discover()?.into_iter().filter(|p| programs::full() || !p.full_only) {
            let known = known.clone();
            list.push(Trial::test(format!("aarch64::program::{}", p.name), move || {
                let entry = known::find(&known, "aarch64", &p.name, "program");
                known::judge(entry, programs::check(&p)).map_err(Failed::from)
            }));
        }
        Ok(list)
    };
    match run() {
        Ok(list) => libtest_mimic::run(&args, list).exit(),
        Err(e) => {
            eprintln!("programs: {e}");
            std::process::exit(1);
        }
    }
}
