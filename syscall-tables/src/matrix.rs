//! The support matrix, printed from the same rows that drive dispatch.

use crate::tables::{ARCHES, Arch, IOCTLS};
use crate::types::{CallDesc, Level};
use std::fmt::Write;

/// How many of an arch's calls are supported, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Converted by the tables.
    pub plain: usize,
    /// With code of their own.
    pub handler: usize,
    /// ENOSYS.
    pub none: usize,
    /// ENOSYS, and no user program has a use for them.
    pub never: usize,
}

impl Summary {
    /// Calls that work.
    pub fn works(&self) -> usize {
        self.plain + self.handler
    }

    /// Calls that make sense in user mode.
    pub fn sensible(&self) -> usize {
        self.works() + self.none
    }

    /// Tenths of a percent of the sensible calls that work, rounded down.
    pub fn per_mille(&self) -> usize {
        self.works() * 1000 / self.sensible().max(1)
    }
}

fn calls_of(arch: Arch) -> Vec<&'static CallDesc> {
    let n = arch.info().numbers;
    let mut list: Vec<_> =
        n.small.iter().flatten().copied().chain(n.large.iter().map(|r| r.1)).map(|c| c.desc()).collect();
    list.sort_by_key(|d| d.id);
    list.dedup_by_key(|d| d.id);
    list
}

/// Counts of one arch.
pub fn summary(arch: Arch) -> Summary {
    let mut s = Summary::default();
    for d in calls_of(arch) {
        match d.level_on(arch) {
            Level::Plain => s.plain += 1,
            Level::Handler => s.handler += 1,
            Level::None => s.none += 1,
            Level::Never => s.never += 1,
        }
    }
    s
}

/// Markdown: a row for each arch.
pub fn overview() -> String {
    let mut out = String::from(
        "| ABI | calls | by table | own code | missing | not for programs | of those that make sense |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
    );
    for info in &ARCHES {
        let s = summary(info.arch);
        let share = s.per_mille();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {}.{} % |",
            info.name,
            s.sensible() + s.never,
            s.plain,
            s.handler,
            s.none,
            s.never,
            share / 10,
            share % 10
        );
    }
    out
}

/// Markdown: the calls that some arch lacks, with the reason.
pub fn missing() -> String {
    let mut rows: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for info in &ARCHES {
        for d in calls_of(info.arch).iter().filter(|d| d.level_on(info.arch) == Level::None) {
            let reason = d.reason_on(info.arch);
            match rows.iter_mut().find(|row| row.0 == d.name && row.1 == reason) {
                Some(row) => row.2.push(info.name),
                None => rows.push((d.name, reason, vec![info.name])),
            }
        }
    }
    rows.sort();
    let mut out = String::from("| ENOSYS | because | on |\n|---|---|---|\n");
    for (name, reason, arches) in rows {
        let on = if arches.len() == ARCHES.len() { "all".to_owned() } else { arches.join(" ") };
        let _ = writeln!(out, "| `{name}` | {reason} | {on} |");
    }
    out
}

/// Markdown: one paragraph per level, and the reasons of what is missing.
pub fn markdown(arch: Arch) -> String {
    let list = calls_of(arch);
    let names = |level: Level| {
        let n: Vec<_> =
            list.iter().filter(|d| d.level_on(arch) == level).map(|d| format!("`{}`", d.name)).collect();
        n.join(" ")
    };
    let s = summary(arch);
    let mut out = String::new();
    let _ = writeln!(out, "### {} system calls\n", arch.info().name);
    let _ = writeln!(
        out,
        "{} of {} calls that make sense in user mode work, {}.{} % ({} with code of their own, {} by table), and {} ioctls.\n",
        s.works(),
        s.sensible(),
        s.per_mille() / 10,
        s.per_mille() % 10,
        s.handler,
        s.plain,
        IOCTLS.len()
    );
    let _ = writeln!(out, "**Own code:** {}\n", names(Level::Handler));
    let _ = writeln!(out, "**By table:** {}\n", names(Level::Plain));
    for (level, title) in [(Level::None, "ENOSYS"), (Level::Never, "ENOSYS, not for programs")] {
        let _ = writeln!(out, "| {title} | because |\n|---|---|");
        for d in list.iter().filter(|d| d.level_on(arch) == level) {
            let _ = writeln!(out, "| `{}` | {} |", d.name, d.reason_on(arch));
        }
        out.push('\n');
    }
    out
}
