//! The developer's tool: `omnirun-dev help` lists its sub-commands.

use host_x86_64::asm::Level;
use omnirun_tests::guests::{self, Runner};
use omnirun_tests::list::{GUESTS, Guest};
use omnirun_tests::stages::{self, Stage};
use omnirun_tests::subjects::Case;
use omnirun_tests::{bench, pace, programs, readme};
use std::time::Duration;

const HELP: &str = "\
omnirun-dev list                    guest programs and the modes each runs in
omnirun-dev repro [-g GUEST] NAME [MODE]
                                    the command that runs a guest program (build it first if needed)
omnirun-dev bless [NAME...]         rewrite expected output: natively, else by the reference emulator
omnirun-dev bench [-g GUEST] [-n RUNS] [--forks N] [--cpu] [NAME...]
                                    native, reference, Omnirun in turn; writes build/bench-GUEST.md
omnirun-dev decode|translate|opt|emit|run [-g GUEST] [-l LEVEL] WORD... | FILE.ft
                                    one stage of the translator on guest code; run: both engines, random registers
omnirun-dev reduce [-g GUEST] [-l LEVEL] SEED [COUNT]
                                    shrink a failing case of the `translator` test
omnirun-dev pace [-g GUEST] [-l LEVEL] FILE [ROUNDS [BYTES]]
                                    translate a file's code without running it: time of each stage
omnirun-dev readme                  rewrite the README's generated parts
omnirun-dev demo                    three kinds of foreign programs beside native
omnirun-dev measure CMD...          run once; print seconds and peak memory";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    let result = match args.first().map(String::as_str) {
        Some("list") => list(),
        Some("repro") => repro(rest),
        Some("bless") => bless(rest),
        Some("bench") => run_bench(rest),
        Some("decode") => show(Stage::Decode, rest),
        Some("translate") => show(Stage::Translate, rest),
        Some("opt") => show(Stage::Opt, rest),
        Some("emit") => show(Stage::Emit, rest),
        Some("run") => show(Stage::Run, rest),
        Some("reduce") => reduce(rest),
        Some("pace") => run_pace(rest),
        Some("readme") => readme::write(),
        Some("demo") => bench::demo(),
        Some("measure") => measure(rest),
        Some("help" | "-h" | "--help") | None => {
            println!("{HELP}");
            Ok(())
        }
        Some(other) => Err(format!("unknown sub-command {other}; see `omnirun-dev help`")),
    };
    if let Err(e) = result {
        eprintln!("omnirun-dev: {e}");
        std::process::exit(1);
    }
}

fn list() -> Result<(), String> {
    for test in guests::discover()? {
        let links: Vec<&str> = test.links.iter().map(|l| l.name()).collect();
        let native = if test.native { "native " } else { "" };
        let each = GUESTS.iter().filter(|g| test.is_for(g)).map(|g| {
            let modes: Vec<&str> = guests::modes(&test, g).map(|m| m.name).collect();
            format!("{}({})", g.name, modes.join(" "))
        });
        let runs: Vec<String> = each.collect();
        println!("{:<24}{:<20}{native}{}", test.name, links.join(","), runs.join(" "));
    }
    Ok(())
}

/// Takes `-g GUEST` off the front; the first guest of the list without it.
fn guest_option(args: &[String]) -> Result<(&'static Guest, &[String]), String> {
    match args {
        [flag, name, rest @ ..] if flag == "-g" => Ok((Guest::named(name)?, rest)),
        _ => Ok((&GUESTS[0], args)),
    }
}

/// `-g GUEST` and `-l LEVEL`, and what follows.
fn stage_options(mut args: &[String]) -> Result<(&'static Case, Level, &[String]), String> {
    let (mut case, mut level) = (Case::named("aarch64")?, Level::Avx512);
    loop {
        args = match args {
            [flag, name, rest @ ..] if flag == "-g" => {
                case = Case::named(name)?;
                rest
            }
            [flag, name, rest @ ..] if flag == "-l" => {
                level = stages::level(name)?;
                rest
            }
            _ => return Ok((case, level, args)),
        };
    }
}

fn show(stage: Stage, args: &[String]) -> Result<(), String> {
    let (case, level, words) = stage_options(args)?;
    print!("{}", stages::show(stage, case, level, &stages::code(words)?)?);
    Ok(())
}

fn reduce(args: &[String]) -> Result<(), String> {
    let (case, level, rest) = stage_options(args)?;
    let number = |text: &String| match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).map_err(|e| format!("{text}: {e}")),
        None => text.parse().map_err(|e| format!("{text}: {e}")),
    };
    let seed = number(rest.first().ok_or("reduce needs a seed")?)?;
    // As the test chooses the number.
    let count = rest.get(1).map_or(Ok(1 + seed % 12), number)?;
    print!("{}", stages::reduce_case(case, level, seed, count as usize)?);
    Ok(())
}

fn run_pace(args: &[String]) -> Result<(), String> {
    let (case, level, rest) = stage_options(args)?;
    let file = rest.first().ok_or("pace needs a file")?;
    let number = |k: usize, default: u64| {
        rest.get(k).map_or(Ok(default), |n| n.parse().map_err(|e| format!("{n}: {e}")))
    };
    let (rounds, bytes) = (number(1, 5)?, number(2, u64::MAX)?);
    print!("{}", pace::measure(case, level, file.as_ref(), rounds as usize, bytes)?);
    Ok(())
}

fn repro(args: &[String]) -> Result<(), String> {
    let (guest, args) = guest_option(args)?;
    let name = args.first().ok_or("repro needs a name")?;
    let mode = args.get(1).map_or("jit", String::as_str);
    let test = guests::discover()?
        .into_iter()
        .find(|t| t.name == *name && t.is_for(guest))
        .ok_or_else(|| format!("no guest program {name} for {}", guest.name))?;
    let runner = match mode {
        "native" => Runner::Native(Some(guest).filter(|g| g.is_native())),
        "oracle" => {
            Runner::Reference(guest, guest.reference().ok_or("no reference emulator: run `make bench`")?)
        }
        _ => Runner::Ours(
            guest,
            guests::MODES.into_iter().find(|m| m.name == mode).ok_or_else(|| format!("no mode {mode}"))?,
        ),
    };
    println!("{}", guests::invocation(&test, test.links[0], &runner)?.shell_line());
    Ok(())
}

fn bless(names: &[String]) -> Result<(), String> {
    let wanted = |n: &str| names.is_empty() || names.iter().any(|w| w == n);
    for test in guests::discover()?.into_iter().filter(|t| wanted(&t.name)) {
        let oracle = test.own.and_then(|guest| Some((guest, guest.reference()?)));
        let runner = match (test.native, oracle) {
            (true, _) => Runner::Native(test.own),
            (false, Some((guest, path))) if test.oracle => Runner::Reference(guest, path),
            (false, _) => {
                println!("{:<24}no oracle: its expected output is written by hand", test.name);
                continue;
            }
        };
        let inv = guests::invocation(&test, test.links[0], &runner)?;
        let out = inv.run(test.timeout).map_err(|e| e.to_string())?;
        write_expected(&test.name, &test.expected_path(), &out)?;
    }
    for p in programs::discover()?.into_iter().filter(|p| wanted(&p.name) && p.native) {
        let inv = programs::invocation(&p, None)?;
        let out = inv.run(p.timeout.max(Duration::from_secs(300))).map_err(|e| e.to_string())?;
        write_expected(&p.name, &p.script.with_extension("out"), &out)?;
    }
    Ok(())
}

fn write_expected(
    name: &str,
    path: &std::path::Path,
    out: &omnirun_tests::run::Outcome,
) -> Result<(), String> {
    if out.status != 0 {
        println!("{name:<24}status {}, not written\n{}{}", out.status, out.stdout, out.stderr);
        return Ok(());
    }
    let old = std::fs::read_to_string(path).unwrap_or_default();
    std::fs::write(path, &out.stdout).map_err(|e| format!("{}: {e}", path.display()))?;
    let word = if old == out.stdout { "unchanged" } else { "written" };
    println!("{name:<24}{word}, {:.2} s", out.time.as_secs_f64());
    Ok(())
}

fn run_bench(args: &[String]) -> Result<(), String> {
    let (guest, args) = guest_option(args)?;
    let (mut runs, mut forks, mut clock, mut filter) = (5, bench::FORKS, bench::Clock::Wall, Vec::new());
    let mut it = args.iter();
    while let Some(arg) = it.next() {
        if arg == "-n" {
            runs = it.next().and_then(|n| n.parse().ok()).ok_or("-n needs a number")?;
        } else if arg == "--forks" {
            forks = it.next().and_then(|n| n.parse().ok()).ok_or("--forks needs a number")?;
        } else if arg == "--cpu" {
            clock = bench::Clock::Cpu;
        } else {
            filter.push(arg.clone());
        }
    }
    if !guest.emulator().exists() {
        return Err(format!("{} is missing: run `make release`", guest.emulator().display()));
    }
    bench::bench(guest, runs, forks, clock, &filter)
}

fn measure(args: &[String]) -> Result<(), String> {
    let (program, rest) = args.split_first().ok_or("measure needs a command")?;
    let start = std::time::Instant::now();
    let status =
        std::process::Command::new(program).args(rest).status().map_err(|e| format!("{program}: {e}"))?;
    let seconds = start.elapsed().as_secs_f64();
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)
        .map_err(|e| e.to_string())?;
    eprintln!("{seconds:.4} s, {} KiB peak, {status}", usage.max_rss());
    Ok(())
}
