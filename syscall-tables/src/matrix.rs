//! The support matrix, printed from the same rows that drive dispatch.

use crate::tables::{Arch, IOCTLS};
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
        }
    }
    s
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
        "{} of {} calls work ({} with code of their own, {} by table), and {} ioctls.\n",
        s.plain + s.handler,
        list.len(),
        s.handler,
        s.plain,
        IOCTLS.len()
    );
    let _ = writeln!(out, "**Own code:** {}\n", names(Level::Handler));
    let _ = writeln!(out, "**By table:** {}\n", names(Level::Plain));
    let _ = writeln!(out, "| ENOSYS | because |\n|---|---|");
    for d in list.iter().filter(|d| d.level_on(arch) == Level::None) {
        let _ = writeln!(out, "| `{}` | {} |", d.name, d.reason_on(arch));
    }
    out
}
