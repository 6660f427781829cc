//! Runs every guest program natively, then under the emulator in each mode: `GUEST::NAME[LINK]::MODE`.
//! With `OMNIRUN_ORACLE=1` the reference emulators are asked as well.

use libtest_mimic::{Arguments, Failed, Trial};
use omnirun_tests::guests::{self, Link, Runner};
use omnirun_tests::known;
use omnirun_tests::list::GUESTS;

fn main() {
    let args = Arguments::from_args();
    match trials() {
        Ok(list) => libtest_mimic::run(&args, list).exit(),
        Err(e) => {
            eprintln!("guests: {e}");
            std::process::exit(1);
        }
    }
}

fn trials() -> Result<Vec<Trial>, String> {
    let known = std::sync::Arc::new(known::load()?);
    let mut list = Vec::new();
    for guest in GUESTS {
        list.push(Trial::test(format!("{}::emulator_is_built", guest.name), move || {
            let there = guest.emulator();
            let hint = format!("{} is missing: run `make test`, which builds it", there.display());
            if there.exists() { Ok(()) } else { Err(hint.into()) }
        }));
    }
    for test in guests::discover()? {
        for runner in guests::runners(&test) {
            let links = match runner {
                Runner::Native(_) => vec![test.links[0]],
                // The flavours differ in loading only, so one of them is enough outside the plain mode.
                Runner::Ours(_, ref m) if m.name != "jit" && m.cached == 0 => vec![test.links[0]],
                Runner::Ours(..) | Runner::Reference(..) => test.links.clone(),
            };
            for link in links {
                if link == Link::StaticPie && runner.target().is_some_and(|g| !g.static_pie) {
                    continue;
                }
                list.push(trial(test.clone(), link, runner.clone(), known.clone()));
            }
        }
    }
    Ok(list)
}

fn trial(
    t: guests::GuestTest,
    link: Link,
    runner: Runner,
    known: std::sync::Arc<Vec<known::Known>>,
) -> Trial {
    let guest = guests::target_name(runner.target());
    let name = format!("{guest}::{}[{}]::{}", t.name, link.name(), runner.name());
    Trial::test(name, move || {
        let entry = known::find(&known, guest, &t.name, runner.name());
        let verdict = guests::check(&t, link, &runner).or_else(|first| retry(&t, link, &runner, first));
        known::judge(entry, verdict).map_err(Failed::from)
    })
}

/// The native run is the measure of the test itself; on a loaded machine a timing test may need a second try there.
/// The emulator gets none: a failure that comes and goes is still a failure.
fn retry(t: &guests::GuestTest, link: Link, runner: &Runner, first: String) -> Result<(), String> {
    match runner {
        Runner::Native(_) => guests::check(t, link, runner),
        Runner::Reference(..) | Runner::Ours(..) => Err(first),
    }
}
