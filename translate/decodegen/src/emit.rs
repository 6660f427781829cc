//! `Table` to Rust source: types, tree, mnemonics, rows for the instruction generator.

use crate::Options;
use crate::model::{Field, Row, Table};
use std::collections::BTreeMap;
use std::fmt::Write;

fn camel(s: &str) -> String {
    let mut out = String::new();
    for part in s.split('_') {
        let mut chars = part.chars();
        if let Some(c) = chars.next() {
            out.extend(c.to_uppercase());
            out.push_str(chars.as_str());
        }
    }
    out
}

/// The set type, for the feature enum at path `FEATURE`.
const FEATURES: &str = "\
/// A set of features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features([u64; 4]);
impl Features {
    /// The empty set.
    pub const NONE: Self = Self([0; 4]);
    /// All features up to `last` in the order of their declaration.
    pub const fn up_to(last: FEATURE) -> Self {
        let mut set = Self::NONE;
        let mut i = 0;
        while i <= last as usize {
            set.0[i / 64] |= 1 << (i % 64);
            i += 1;
        }
        set
    }
    /// Whether the feature is in the set.
    #[inline]
    pub const fn has(&self, feature: FEATURE) -> bool {
        self.0[feature as usize / 64] >> (feature as u32 % 64) & 1 == 1
    }
    /// The set with `features` added.
    pub const fn with(mut self, features: &[FEATURE]) -> Self {
        let mut i = 0;
        while i < features.len() {
            self.0[features[i] as usize / 64] |= 1 << (features[i] as u32 % 64);
            i += 1;
        }
        self
    }
    /// The set without `features`.
    pub const fn without(mut self, features: &[FEATURE]) -> Self {
        let mut i = 0;
        while i < features.len() {
            self.0[features[i] as usize / 64] &= !(1 << (features[i] as u32 % 64));
            i += 1;
        }
        self
    }
}
";

/// Writes to a `String` cannot fail.
macro_rules! line {
    ($out:expr, $($arg:tt)*) => { writeln!($out, $($arg)*).expect("writing to a String") };
}

pub(crate) fn emit(t: &Table, o: &Options<'_>) -> String {
    let mut out = FEATURES.replace("FEATURE", o.feature);
    let set_signed = |set: usize, i: usize| t.sets[set].signed[i].unwrap_or(false);
    for (si, s) in t.sets.iter().enumerate().filter(|(si, _)| t.rows.iter().any(|r| r.set == Some(*si))) {
        line!(out, "/// Arguments `{}`.", s.name);
        line!(out, "#[derive(Debug, Clone, Copy, PartialEq, Eq)]\npub struct Args{} {{", camel(&s.name));
        for (i, f) in s.fields.iter().enumerate() {
            let ty = if set_signed(si, i) { "i32" } else { "u32" };
            line!(out, "    /// `{f}`.\n    pub {f}: {ty},");
        }
        line!(out, "}}");
    }
    for (gi, g) in t.groups.iter().enumerate() {
        line!(
            out,
            "/// Instructions of group `{g}`.\n#[derive(Debug, Clone, Copy, PartialEq, Eq)]\npub enum {} {{",
            camel(g)
        );
        for r in t.rows.iter().filter(|r| r.group == gi) {
            line!(out, "    /// {}", r.mnemonic);
            match r.set {
                Some(s) => line!(out, "    {}(Args{}),", camel(&r.name), camel(&t.sets[s].name)),
                None => line!(out, "    {},", camel(&r.name)),
            }
        }
        line!(out, "}}\nimpl {} {{", camel(g));
        line!(
            out,
            "    /// As printed in traces.\n    pub fn mnemonic(&self) -> &'static str {{\n        match self {{"
        );
        for r in t.rows.iter().filter(|r| r.group == gi) {
            let dots = if r.set.is_some() { "(..)" } else { "" };
            line!(out, "            Self::{}{dots} => {:?},", camel(&r.name), r.mnemonic);
        }
        line!(out, "        }}\n    }}\n}}");
    }
    line!(out, "/// A decoded instruction.\n#[derive(Debug, Clone, Copy, PartialEq, Eq)]\npub enum Insn {{");
    for g in &t.groups {
        line!(out, "    /// Group `{g}`.\n    {0}({0}),", camel(g));
    }
    line!(
        out,
        "}}\nimpl Insn {{\n    /// As printed in traces.\n    pub fn mnemonic(&self) -> &'static str {{\n        match self {{"
    );
    for g in &t.groups {
        line!(out, "            Self::{}(i) => i.mnemonic(),", camel(g));
    }
    line!(out, "        }}\n    }}\n}}");
    rows(&mut out, t, o);
    for (i, r) in t.rows.iter().enumerate() {
        row_fn(&mut out, t, o, i, r);
    }
    line!(out, "/// The instruction that `insn` encodes on a CPU with these features.");
    line!(out, "pub fn decode(insn: u32, features: &Features) -> Option<Insn> {{");
    let all: Vec<usize> = (0..t.rows.len()).collect();
    tree(&mut out, t, &all, 0, 1);
    line!(out, "}}");
    out
}

fn rows(out: &mut String, t: &Table, o: &Options<'_>) {
    line!(
        out,
        "/// One row of the decode tables, for tests.\n#[derive(Debug)]\npub struct Row {{\n    /// Row name.\n    pub name: &'static str,\n    \
         /// Group name.\n    pub group: &'static str,\n    /// Mnemonic.\n    pub mnemonic: &'static str,\n    /// Fixed bits.\n    pub mask: u32,\n    \
         /// Their values.\n    pub value: u32,\n    /// Words that do not belong to the row, as (mask, value).\n    pub excludes: &'static [(u32, u32)],\n    \
         /// Needed features, each for words with `word & mask == value`.\n    pub features: &'static [({}, u32, u32)],\n}}",
        o.feature
    );
    line!(out, "/// All rows; earlier ones win.\npub static ROWS: &[Row] = &[");
    for r in &t.rows {
        let feature =
            |(f, (m, v)): &(String, (u32, u32))| format!("({}::{}, {m:#x}, {v:#x})", o.feature, camel(f));
        let features: Vec<String> = r.features.iter().map(feature).collect();
        line!(
            out,
            "    Row {{ name: {:?}, group: {:?}, mnemonic: {:?}, mask: {:#x}, value: {:#x}, excludes: &{:?}, features: &[{}] }},",
            r.name,
            t.groups[r.group],
            r.mnemonic,
            r.mask,
            r.value,
            r.excludes,
            features.join(", ")
        );
    }
    line!(out, "];");
    let word = if t.width == 32 { u32::MAX } else { (1 << t.width) - 1 };
    line!(
        out,
        "/// A word of the row, its free bits filled from `random`.\npub fn generate(row: &Row, random: u32) -> u32 {{\n    \
         let mut r = random;\n    loop {{\n        let word = (r & !row.mask | row.value) & {word:#x};\n        \
         if !row.excludes.iter().any(|&(m, v)| word & m == v) {{\n            return word;\n        }}\n        \
         r = r.wrapping_mul(0x9E37_79B1).rotate_left(7).wrapping_add(0x7F4A_7C15);\n    }}\n}}"
    );
}

fn expr(f: &Field, signed: bool) -> String {
    match f {
        Field::Const(v) => format!("{v}"),
        Field::Bits { parts, .. } => {
            let total: u32 = parts.iter().map(|p| p.len).sum();
            let mut left = total;
            let mut terms = Vec::new();
            for p in parts {
                left -= p.len;
                let mask = ((1u64 << p.len) - 1) as u32;
                let mut term = if p.pos == 0 {
                    format!("insn & {mask:#x}")
                } else {
                    format!("insn >> {} & {mask:#x}", p.pos)
                };
                if left > 0 {
                    term = format!("({term}) << {left}");
                }
                terms.push(term);
            }
            let bits = terms.join(" | ");
            match (signed, total < 32) {
                (true, true) => format!("((({bits}) << {0}) as i32) >> {0}", 32 - total),
                (true, false) => format!("({bits}) as i32"),
                (false, _) => bits,
            }
        }
    }
}

fn row_fn(out: &mut String, t: &Table, o: &Options<'_>, index: usize, r: &Row) {
    let f = if r.features.is_empty() { "_f" } else { "f" };
    line!(out, "fn row_{index}(insn: u32, {f}: &Features) -> Option<Insn> {{");
    let mut cond = format!("insn & {:#x} != {:#x}", r.mask, r.value);
    for (m, v) in &r.excludes {
        write!(cond, " || insn & {m:#x} == {v:#x}").expect("writing to a String");
    }
    for (feature, (m, v)) in &r.features {
        let when = if *m == 0 { String::new() } else { format!("insn & {m:#x} == {v:#x} && ") };
        write!(cond, " || {when}!f.has({}::{})", o.feature, camel(feature)).expect("writing to a String");
    }
    line!(out, "    if {cond} {{\n        return None;\n    }}");
    let group = camel(&t.groups[r.group]);
    let name = camel(&r.name);
    match r.set {
        None => line!(out, "    Some(Insn::{group}({group}::{name}))"),
        Some(set) => {
            line!(out, "    Some(Insn::{group}({group}::{name}(Args{} {{", camel(&t.sets[set].name));
            for (i, (arg, field)) in r.args.iter().enumerate() {
                line!(out, "        {arg}: {},", expr(field, t.sets[set].signed[i].unwrap_or(false)));
            }
            line!(out, "    }})))");
        }
    }
    line!(out, "}}");
}

/// Prints an expression of type `Option<Insn>` that tries `rows` in order; bits in `known` have been tested.
fn tree(out: &mut String, t: &Table, rows: &[usize], known: u32, depth: usize) {
    let pad = "    ".repeat(depth);
    if rows.len() <= 3 {
        for (i, r) in rows.iter().enumerate() {
            let call = format!("row_{r}(insn, features)");
            match i {
                0 => line!(out, "{pad}{call}"),
                _ => line!(out, "{pad}    .or_else(|| {call})"),
            }
        }
        return;
    }
    let common = rows.iter().fold(!known, |m, &r| m & t.rows[r].mask);
    if common != 0 {
        let mut parts: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for &r in rows {
            parts.entry(t.rows[r].value & common).or_default().push(r);
        }
        line!(out, "{pad}match insn & {common:#x} {{");
        for (value, part) in parts {
            line!(out, "{pad}    {value:#x} => {{");
            tree(out, t, &part, known | common, depth + 2);
            line!(out, "{pad}    }}");
        }
        line!(out, "{pad}    _ => None,\n{pad}}}");
        return;
    }
    // No bit is fixed in all rows: split on the bit fixed in most; rows that ignore it go to both sides.
    let fixed = |b: u32| rows.iter().filter(|&&r| t.rows[r].mask >> b & 1 == 1).count();
    let best = (0..t.width).filter(|b| known >> b & 1 == 0).max_by_key(|&b| fixed(b));
    match best.filter(|&b| fixed(b) > 0) {
        Some(b) => {
            let bit = 1u32 << b;
            let side = |v: u32| -> Vec<usize> {
                rows.iter()
                    .copied()
                    .filter(|&r| t.rows[r].mask & bit == 0 || t.rows[r].value & bit == v)
                    .collect()
            };
            line!(out, "{pad}if insn & {bit:#x} == 0 {{");
            tree(out, t, &side(0), known | bit, depth + 1);
            line!(out, "{pad}}} else {{");
            tree(out, t, &side(bit), known | bit, depth + 1);
            line!(out, "{pad}}}");
        }
        None => {
            // All rows are decided by exclusions or features only.
            line!(out, "{pad}None");
            for r in rows {
                line!(out, "{pad}    .or_else(|| row_{r}(insn, features))");
            }
        }
    }
}
