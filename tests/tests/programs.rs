//! Runs the scripts of `guest-tests/programs/` with the Debian trees' programs under the emulators.
//! `OMNIRUN_FULL=1` (`make test-programs`) adds the long ones.

use libtest_mimic::{Arguments, Failed, Trial};
use omnirun_tests::list::GUESTS;
use omnirun_tests::{known, programs};

fn main() {
    let args = Arguments::from_args();
    let run = || -> Result<Vec<Trial>, String> {
        let known = std::sync::Arc::new(known::load()?);
        let mut list = Vec::new();
        for guest in GUESTS {
            let Some(tree) = &guest.tree else { continue };
            list.push(Trial::test(format!("{}::tree_is_there", guest.name), || {
                let bash = tree.path().join("bin/bash");
                let hint = format!("{} is missing: run `make test`, which unpacks it", bash.display());
                if bash.exists() { Ok(()) } else { Err(hint.into()) }
            }));
            let mut wanted = programs::discover()?;
            wanted.retain(|p| p.wanted(guest));
            if programs::full() {
                let again: Vec<_> =
                    wanted.iter().filter(|p| p.limit.is_none()).map(|p| p.limited()).collect();
                wanted.extend(again);
            }
            for p in wanted {
                let known = known.clone();
                list.push(Trial::test(format!("{}::program::{}", guest.name, p.name), move || {
                    let entry = known::find(&known, guest.name, &p.name, "program");
                    known::judge(entry, programs::check(&p, guest)).map_err(Failed::from)
                }));
            }
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
