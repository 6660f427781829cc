//! The benchmark and the demo: the same programs natively, under the reference emulator and under Omnirun, in turn.
//!
//! Real programs come from the host (native) and the guest's Debian tree; kernels come from `guest-tests/bench/`, built
//! for both with the same flags. Output of all three runs must be equal (of the two emulators, where the tree's release
//! is not the host's). Figures are medians of wall-clock time; "ratio" is time divided by native time. Inputs are chosen so
//! that five rounds of everything take some minutes: many short runs say more than one long one.

use crate::guests::{GuestTest, Link};
use crate::list::{GUESTS, Guest};
use crate::{programs, root};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// One benchmark.
struct Bench {
    name: &'static str,
    /// How often the command is run for one sample (short ones are repeated).
    repeat: u32,
    /// What is run.
    what: What,
}

enum What {
    /// A kernel of `guest-tests/bench/`.
    Kernel(&'static str),
    /// A kernel that uses what only this guest has.
    Own(&'static str, &'static str),
    /// A program, the same path on both sides, and arguments.
    Program(&'static str, &'static [&'static str]),
    /// A shell with a script that starts foreign programs, which the reference emulator cannot do by itself.
    Shell(&'static str),
    /// Python with these arguments: the path has the release's version in it.
    Python(&'static [&'static str]),
    /// The compiler proper with these arguments: the host's cross compiler does the same work as the tree's own.
    Cc1(&'static [&'static str]),
}

const BENCHES: &[Bench] = &[
    Bench { name: "hello, static", repeat: 10, what: What::Kernel("hello") },
    Bench { name: "echo, start", repeat: 10, what: What::Program("/bin/echo", &["hello"]) },
    Bench {
        name: "fork, exec of true",
        repeat: 1,
        what: What::Shell("i=0; while [ $i -lt {forks} ]; do /bin/true; i=$((i + 1)); done; echo $i"),
    },
    Bench { name: "python3, start", repeat: 3, what: What::Python(&["-S", "-c", "print(1)"]) },
    Bench { name: "python", repeat: 1, what: What::Python(&["{bench}/work.py"]) },
    Bench { name: "lua", repeat: 1, what: What::Program("/usr/bin/lua5.4", &["{bench}/work.lua"]) },
    Bench { name: "perl", repeat: 1, what: What::Program("/usr/bin/perl", &["{bench}/work.pl"]) },
    Bench {
        name: "sqlite",
        repeat: 1,
        what: What::Program("/usr/bin/sqlite3", &[":memory:", ".read {bench}/work.sql"]),
    },
    Bench {
        name: "cc1 -O2",
        repeat: 1,
        what: What::Cc1(&["-quiet", "-fno-ident", "-O2", "{work}/program.c", "-o", "-"]),
    },
    Bench { name: "bzip2", repeat: 1, what: What::Program("/bin/bzip2", &["-c", "{work}/text"]) },
    Bench { name: "xz", repeat: 1, what: What::Program("/usr/bin/xz", &["-T1", "-2c", "{work}/text"]) },
    Bench {
        name: "zstd",
        repeat: 1,
        what: What::Program("/usr/bin/zstd", &["-q", "-T1", "-9c", "{work}/text"]),
    },
    Bench {
        name: "sort",
        repeat: 1,
        what: What::Program("/usr/bin/sort", &["--parallel=1", "{work}/lines"]),
    },
    Bench { name: "sha256sum", repeat: 1, what: What::Program("/usr/bin/sha256sum", &["{work}/blob"]) },
    Bench {
        name: "openssl aes-256-ctr",
        repeat: 1,
        what: What::Program(
            "/usr/bin/openssl",
            &["enc", "-aes-256-ctr", "-K", "00", "-iv", "00", "-in", "{work}/blob"],
        ),
    },
    Bench { name: "integer loops", repeat: 1, what: What::Kernel("intloop") },
    Bench { name: "calls (fib)", repeat: 1, what: What::Kernel("fib") },
    Bench { name: "indirect calls", repeat: 1, what: What::Kernel("indirect") },
    Bench { name: "memory", repeat: 1, what: What::Kernel("memory") },
    Bench { name: "FP scalar", repeat: 1, what: What::Kernel("fpscalar") },
    Bench { name: "FP vector", repeat: 1, what: What::Kernel("fpvector") },
    Bench { name: "integer vector", repeat: 1, what: What::Kernel("intvector") },
    Bench { name: "RVV memcpy", repeat: 1, what: What::Own("riscv64", "rvv_memcpy") },
    Bench { name: "RVV saxpy", repeat: 1, what: What::Own("riscv64", "rvv_saxpy") },
    Bench { name: "RVV dot product", repeat: 1, what: What::Own("riscv64", "rvv_dot") },
    Bench { name: "system calls", repeat: 1, what: What::Kernel("syscalls") },
    Bench { name: "threads", repeat: 1, what: What::Kernel("threads") },
    Bench { name: "signals", repeat: 1, what: What::Kernel("signals") },
];

/// How often the shell starts a program, if nothing else is said.
pub const FORKS: u32 = 300;

/// What takes longer has failed.
const LIMIT: Duration = Duration::from_secs(120);

/// No translations are kept.
const COLD: &str = "off";

/// Debian 12's.
const HOST_PYTHON: &str = "/usr/bin/python3.11";

/// A measured command: seconds, output.
struct Sample {
    seconds: f64,
    output: Vec<u8>,
    good: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Time on the wall: what a user waits.
    Wall,
    /// Time of all processors: steadier on a machine that does other things as well.
    Cpu,
}

/// Processor time of all children so far, in seconds.
fn children_cpu() -> f64 {
    let part = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 * 1e-6;
    nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)
        .map_or(0.0, |u| part(u.user_time()) + part(u.system_time()))
}

/// `cache` is the emulator's `-cache`: where translations are kept, or `off`.
fn sample(words: &[String], repeat: u32, clock: Clock, cache: &str) -> Sample {
    let (mut output, mut good) = (Vec::new(), true);
    let (start, cpu) = (Instant::now(), children_cpu());
    for _ in 0..repeat {
        let mut cmd = Command::new(&words[0]);
        cmd.args(&words[1..]).env("LC_ALL", "C").env("QEMU_CACHE", cache);
        cmd.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        match limited(cmd) {
            Some(out) => {
                good &= out.status.success();
                output = out.stdout;
            }
            None => good = false,
        }
    }
    let seconds = match clock {
        Clock::Wall => start.elapsed().as_secs_f64(),
        Clock::Cpu => children_cpu() - cpu,
    };
    Sample { seconds: seconds / f64::from(repeat), output, good }
}

/// Runs a command to its end or the limit. Not by `timeout`, whose own start would count as the program's.
fn limited(mut cmd: Command) -> Option<Output> {
    let child = cmd.spawn().ok()?;
    let pid = child.id();
    let (done, wait) = channel::<()>();
    let watch = std::thread::spawn(move || {
        if wait.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    });
    let out = child.wait_with_output();
    drop(done);
    watch.join().ok()?;
    out.ok()
}

/// Peak resident memory of a command in MiB, measured by GNU time: a child of ours would start with our own peak.
fn peak(words: &[String], work: &Path) -> Result<f64, String> {
    let file = work.join("peak");
    let mut cmd = Command::new("/usr/bin/time");
    cmd.args(["-f", "%M", "-o"]).arg(&file).args(["timeout", "120"]).args(words);
    cmd.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    cmd.status().map_err(|e| format!("/usr/bin/time: {e} (run `make bench`, which installs it)"))?;
    let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let kib: f64 =
        text.lines().last().unwrap_or("").trim().parse().map_err(|_| format!("GNU time says {text}"))?;
    Ok(kib / 1024.0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Builds a kernel for both sides.
fn kernel(guest: &'static Guest, name: &str) -> Result<(PathBuf, PathBuf), String> {
    let source = root().join("guest-tests/bench").join(format!("{name}.c"));
    let test = GuestTest::kernel(source)?;
    Ok((test.build(None, Link::Static)?, test.build(Some(guest), Link::Static)?))
}

/// The command on the host and, behind an emulator, in the guest.
fn commands(
    guest: &'static Guest,
    bench: &Bench,
    work: &Path,
    forks: u32,
    qemu: &Path,
) -> Result<(Vec<String>, Vec<String>), String> {
    let text = |p: &Path| p.to_string_lossy().into_owned();
    let tree = programs::tree(guest);
    let (host, foreign, args) = match bench.what {
        What::Kernel(name) | What::Own(_, name) => {
            let (native, foreign) = kernel(guest, name)?;
            return Ok((vec![text(&native)], vec![text(qemu), text(&foreign)]));
        }
        What::Program(path, args) => (path, path, args.to_vec()),
        What::Shell(script) => ("/bin/dash", "/bin/dash", vec!["-c", script]),
        What::Python(args) => (HOST_PYTHON, tree.clone()?.python, args.to_vec()),
        What::Cc1(args) => (tree.clone()?.cc1.1, tree.clone()?.cc1.0, args.to_vec()),
    };
    let tree = text(&tree?.path());
    let fill = |a: &&str| {
        let bench_dir = text(&root().join("guest-tests/bench"));
        let text = a.replace("{bench}", &bench_dir).replace("{work}", &text(work));
        text.replace("{forks}", &forks.to_string())
    };
    let args: Vec<String> = args.iter().map(fill).collect();
    let mut native = vec![host.to_owned()];
    native.extend(args.clone());
    let mut foreign = vec![text(qemu), "-L".to_owned(), tree.clone(), format!("{tree}{foreign}")];
    foreign.extend(args);
    Ok((native, foreign))
}

/// Writes the inputs: text with repeated words, lines of numbers, bytes without structure, a C program.
fn inputs(work: &Path) -> std::io::Result<()> {
    if work.join("inputs-2").exists() {
        return Ok(());
    }
    std::fs::create_dir_all(work)?;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut text = Vec::new();
    while text.len() < 1 << 20 {
        let word = next() % 5000;
        write!(
            text,
            "w{:x}{} ",
            word.wrapping_mul(2_654_435_761) % 60_000,
            ["s", "ed", "ing", ""][next() as usize % 4]
        )?;
        if next() % 12 == 0 {
            text.push(b'\n');
        }
    }
    std::fs::write(work.join("text"), &text)?;
    let lines: String =
        (0..200_000).map(|_| format!("{:09} {:x}\n", next() % 1_000_000_000, next())).collect();
    std::fs::write(work.join("lines"), lines)?;
    let blob: Vec<u8> = (0..32 << 20).map(|_| next() as u8).collect();
    std::fs::write(work.join("blob"), blob)?;
    std::fs::write(work.join("program.c"), c_program(40))?;
    std::fs::write(work.join("inputs-2"), "")
}

/// A C program of `n` functions whose result is known.
pub fn c_program(n: u32) -> String {
    let mut text = String::from("int printf(const char *, ...);\nstruct s { int a[8]; double d; };\n");
    for i in 0..n {
        text.push_str(&format!(
            "static unsigned f{i}(unsigned x, struct s *p) {{\n  unsigned t = x ^ {i}u;\n  for (int i = 0; i < 8; i++) {{\n    \
             p->a[i] += t * {}u + i;\n    if (p->a[i] & {}) t = t * 31 + p->a[(i + {}) & 7]; else t ^= t >> 3;\n  }}\n  \
             switch (t % 5) {{ case 0: t += {i}; break; case 1: t ^= 0x55; break; case 3: p->d += t % 7; break; }}\n  \
             return t;\n}}\n",
            i * 7 + 3,
            1 << (i % 5),
            i % 8,
        ));
    }
    text.push_str("int main(void) {\n  struct s s = {{1, 2, 3}};\n  unsigned x = 1;\n  for (int k = 0; k < 50; k++) {\n");
    for i in 0..n {
        text.push_str(&format!("    x = f{i}(x, &s);\n"));
    }
    text.push_str("  }\n  printf(\"%u %d %.1f\\n\", x, s.a[3], s.d);\n  return 0;\n}\n");
    text
}

/// The figures of one row.
struct Row {
    name: &'static str,
    native: f64,
    reference: Option<f64>,
    ours: Option<f64>,
    /// Ours with the translations of an earlier run.
    warm: Option<f64>,
    /// Peak resident memory in MiB: native, reference, ours.
    memory: [Option<f64>; 3],
}

/// Runs all benchmarks whose name contains one of `filter` (all, if empty), `runs` times each.
pub fn bench(
    guest: &'static Guest,
    runs: usize,
    forks: u32,
    clock: Clock,
    filter: &[String],
) -> Result<(), String> {
    let work = root().join("build/bench");
    inputs(&work).map_err(|e| format!("{}: {e}", work.display()))?;
    let reference = guest.reference();
    let mut rows = Vec::new();
    println!(
        "{:<22}{:>10}{:>12}{:>12}{:>9}{:>9}{:>9}{:>9}{:>9}{:>20}",
        "",
        "native s",
        "reference s",
        "omnirun s",
        "ref/nat",
        "our/nat",
        "warm/nat",
        "ref/our",
        "ref/warm",
        "peak MiB n/r/o"
    );
    for b in BENCHES
        .iter()
        .filter(|b| filter.is_empty() || filter.iter().any(|f| b.name.contains(f.as_str())))
        .filter(|b| !matches!(b.what, What::Own(owner, _) if owner != guest.name))
    {
        let row = measure(guest, b, &work, reference.as_deref(), runs, forks, clock)?;
        print_row(&row);
        rows.push(row);
    }
    let table = markdown(&rows, clock, runs);
    let path = report_path(guest);
    std::fs::write(&path, &table).map_err(|e| format!("{}: {e}", path.display()))?;
    println!("\n{}\nwritten to {}", summary(&rows), path.display());
    Ok(())
}

/// Where the table of a guest's last run is.
pub fn report_path(guest: &Guest) -> PathBuf {
    root().join("build").join(format!("bench-{}.md", guest.name))
}

fn measure(
    guest: &'static Guest,
    b: &Bench,
    work: &Path,
    reference: Option<&Path>,
    runs: usize,
    forks: u32,
    clock: Clock,
) -> Result<Row, String> {
    let (native, ours) = commands(guest, b, work, forks, &guest.emulator())?;
    let reference = reference.filter(|_| !matches!(b.what, What::Shell(_)));
    let theirs = reference.map(|r| commands(guest, b, work, forks, r)).transpose()?.map(|c| c.1);
    let (mut n, mut t, mut o, mut w) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // Cold is without kept translations, warm with those of a run before.
    let cache = format!("dir={}", root().join("build/cache/bench").display());
    let (mut good_t, mut good_o) = (theirs.is_some(), true);
    for _ in 0..runs {
        let base = sample(&native, b.repeat, clock, COLD);
        if !base.good {
            return Err(format!("{}: the native run fails: {}", b.name, native.join(" ")));
        }
        n.push(base.seconds);
        // Another release's program may print something else; then the two emulators must agree.
        let other = matches!(b.what, What::Program(..) | What::Python(_) | What::Cc1(_))
            && guest.tree.as_ref().is_some_and(|t| !t.same_as_host);
        let mut expected = base.output;
        if let (Some(cmd), true) = (&theirs, good_t) {
            let s = sample(cmd, b.repeat, clock, COLD);
            if other {
                expected.clone_from(&s.output);
            }
            good_t = s.good && s.output == expected;
            t.push(s.seconds);
        }
        if good_o {
            let s = sample(&ours, b.repeat, clock, COLD);
            good_o = s.good && s.output == expected;
            o.push(s.seconds);
            if w.is_empty() {
                sample(&ours, 1, clock, &cache);
            }
            let s = sample(&ours, b.repeat, clock, &cache);
            good_o &= s.good && s.output == expected;
            w.push(s.seconds);
        }
    }
    if !good_o {
        println!("{}: fails or prints something else: {}", b.name, ours.join(" "));
    }
    let row = |good: bool, v: Vec<f64>| good.then(|| median(v));
    let memory = [
        Some(peak(&native, work)?),
        theirs.filter(|_| good_t).map(|cmd| peak(&cmd, work)).transpose()?,
        Some(peak(&ours, work)?).filter(|_| good_o),
    ];
    Ok(Row {
        name: b.name,
        native: median(n),
        reference: row(good_t, t),
        ours: row(good_o, o),
        warm: row(good_o, w),
        memory,
    })
}

fn cell(v: Option<f64>, digits: usize) -> String {
    v.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"))
}

fn print_row(r: &Row) {
    println!(
        "{:<22}{:>10.4}{:>12}{:>12}{:>9}{:>9}{:>9}{:>9}{:>9}{:>20}",
        r.name,
        r.native,
        cell(r.reference, 4),
        cell(r.ours, 4),
        cell(r.reference.map(|t| t / r.native), 2),
        cell(r.ours.map(|t| t / r.native), 2),
        cell(r.warm.map(|t| t / r.native), 2),
        cell(r.reference.zip(r.ours).map(|(t, o)| t / o), 2),
        cell(r.reference.zip(r.warm).map(|(t, w)| t / w), 2),
        peaks(r)
    );
}

/// The three peaks in one cell.
fn peaks(r: &Row) -> String {
    r.memory.map(|m| cell(m, 1)).join(" / ")
}

fn geometric_mean(values: &[f64]) -> Option<f64> {
    let n = values.len();
    (n > 0).then(|| (values.iter().map(|v| v.ln()).sum::<f64>() / n as f64).exp())
}

fn summary(rows: &[Row]) -> String {
    let faster: Vec<f64> = rows.iter().filter_map(|r| Some(r.reference? / r.ours?)).collect();
    let ours: Vec<f64> = rows.iter().filter_map(|r| Some(r.ours? / r.native)).collect();
    let warm: Vec<f64> = rows.iter().filter_map(|r| Some(r.warm? / r.native)).collect();
    let theirs: Vec<f64> = rows.iter().filter_map(|r| Some(r.reference? / r.native)).collect();
    format!(
        "geometric mean over {} programs: Omnirun {}x native, reference {}x native, Omnirun {}x faster than the reference; \
         slowest against it {}x; warm {}x native",
        faster.len(),
        cell(geometric_mean(&ours), 2),
        cell(geometric_mean(&theirs), 2),
        cell(geometric_mean(&faster), 2),
        cell(faster.iter().copied().min_by(f64::total_cmp), 2),
        cell(geometric_mean(&warm), 2)
    )
}

fn markdown(rows: &[Row], clock: Clock, runs: usize) -> String {
    let mut text = String::from(
        "| program | native, s | QEMU / native | Omnirun / native | again, warm / native | Omnirun is faster by | warm, faster by | peak MiB: native / QEMU / Omnirun |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for r in rows {
        text.push_str(&format!(
            "| {} | {:.4} | {} | {} | {} | {} | {} | {} |\n",
            r.name,
            r.native,
            cell(r.reference.map(|t| t / r.native), 2),
            cell(r.ours.map(|t| t / r.native), 2),
            cell(r.warm.map(|t| t / r.native), 2),
            cell(r.reference.zip(r.ours).map(|(t, o)| t / o), 2),
            cell(r.reference.zip(r.warm).map(|(t, w)| t / w), 2),
            peaks(r)
        ));
    }
    let what = match clock {
        Clock::Wall => "time",
        Clock::Cpu => "processor time",
    };
    let all = |f: &dyn Fn(&Row) -> Option<f64>| {
        cell(geometric_mean(&rows.iter().filter_map(f).collect::<Vec<_>>()), 2)
    };
    text.push_str(&format!(
        "| **geometric mean** | | {} | {} | {} | {} | {} | |\n",
        all(&|r| Some(r.reference? / r.native)),
        all(&|r| Some(r.ours? / r.native)),
        all(&|r| Some(r.warm? / r.native)),
        all(&|r| Some(r.reference? / r.ours?)),
        all(&|r| Some(r.reference? / r.warm?))
    ));
    text.push_str(&format!("\nMedian {what} of {runs} runs each.\n"));
    text
}

/// Runs foreign programs of three kinds, with their output and their time beside native.
pub fn demo() -> Result<(), String> {
    for guest in GUESTS.iter().filter(|g| g.tree.is_some()) {
        demo_of(guest)?;
    }
    println!("\nAll of them printed what the native programs print.");
    Ok(())
}

fn demo_of(guest: &'static Guest) -> Result<(), String> {
    let of = programs::tree(guest)?;
    let tree = of.path().to_string_lossy().into_owned();
    let qemu = guest.emulator();
    let show = |kind: &str, native: &[String], foreign: &[String]| {
        println!("\n== {kind}\n$ {}", foreign.join(" "));
        let (base, ours) = (sample(native, 1, Clock::Wall, COLD), sample(foreign, 1, Clock::Wall, COLD));
        print!("{}", String::from_utf8_lossy(&ours.output));
        if !ours.good {
            return Err(format!("{kind}: the foreign program failed"));
        }
        if ours.output != base.output {
            return Err(format!("{kind}: the output is not the native program's"));
        }
        let ratio = ours.seconds / base.seconds;
        println!(
            "   same output natively; {:.3} s here, {:.3} s native, {ratio:.1}x",
            ours.seconds, base.seconds
        );
        Ok(())
    };
    let text = |p: &Path| p.to_string_lossy().into_owned();
    println!("\nOmnirun demo: {} Linux programs on this machine, through {}", guest.name, qemu.display());
    let (native, foreign) = kernel(guest, "fib")?;
    show("static program: recursive Fibonacci", &[text(&native)], &[text(&qemu), text(&foreign)])?;
    let code = "import sys, hashlib; print('python', sys.version_info[0], hashlib.sha256(bytes(10**6)).hexdigest()[:16], \
                sum(i * i for i in range(300000)))";
    let args = |python: String| [python, "-c".to_owned(), code.to_owned()];
    let mut foreign = vec![text(&qemu), "-L".to_owned(), tree.clone()];
    foreign.extend(args(format!("{tree}{}", of.python)));
    show("dynamic program: Debian's own python3", &args(HOST_PYTHON.to_owned()), &foreign)?;
    let (native, threads) = kernel(guest, "threads")?;
    show(
        "threaded program: eight threads, mutexes and atomics",
        &[text(&native)],
        &[text(&qemu), text(&threads)],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometric_mean_of_reciprocals_is_one() {
        assert!((geometric_mean(&[4.0, 0.25]).expect("two values") - 1.0).abs() < 1e-12);
        assert!(geometric_mean(&[]).is_none());
    }

    #[test]
    fn the_generated_c_program_has_three_thousand_lines() {
        assert!(c_program(400).lines().count() >= 3000);
    }
}
