//! Parses the data files into plain structs and checks every cross reference.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

type Res<T> = Result<T, String>;

pub struct Arch {
    pub name: String,
    pub tbl: String,
    pub machine: String,
    pub word: u32,
    pub big: bool,
    pub align64: u32,
    pub elf: u32,
    pub even_pairs: bool,
}

pub struct FlagEntry {
    pub name: String,
    pub value: u64,
    pub mask: u64,
    pub over: Vec<(String, u64)>,
}

pub struct FlagSet {
    pub name: String,
    pub is_enum: bool,
    pub entries: Vec<FlagEntry>,
}

pub struct Field {
    pub ty: String,
    pub name: String,
    pub count: u32,
    pub show: String,
}

pub struct Struct {
    pub name: String,
    pub arches: Vec<String>,
    pub packed: bool,
    pub fields: Vec<Field>,
}

pub struct Arg {
    pub name: String,
    pub ty: String,
}

pub struct Call {
    pub name: String,
    pub args: Vec<Arg>,
    pub ret: String,
    pub level: String,
    pub module: String,
    pub note: String,
}

pub struct Ioctl {
    pub name: String,
    pub number: String,
    pub dir: String,
    pub ty: String,
    pub over: Vec<(String, u64)>,
}

#[derive(Default)]
pub struct Tables {
    pub arches: Vec<Arch>,
    pub errno: Vec<(u32, String, String)>,
    pub signals: Vec<(u32, String)>,
    pub flags: Vec<FlagSet>,
    pub structs: Vec<Struct>,
    pub calls: Vec<Call>,
    pub numbers: BTreeMap<String, BTreeMap<u32, String>>,
    pub ioctls: Vec<Ioctl>,
}

fn read(dir: &Path, file: &str) -> Res<Vec<(String, String)>> {
    let path = dir.join(file);
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut out = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = match line.find('#') {
            Some(p) => &line[..p],
            None => line,
        };
        if !line.trim().is_empty() {
            out.push((format!("{}:{}", path.display(), i + 1), line.trim_end().to_string()));
        }
    }
    Ok(out)
}

pub fn number(s: &str) -> Res<u64> {
    let (neg, t) = match s.strip_prefix('-') {
        Some(t) => (true, t),
        None => (false, s),
    };
    let v = if let Some(h) = t.strip_prefix("0x") {
        u64::from_str_radix(h, 16)
    } else if let Some(o) = t.strip_prefix("0o") {
        u64::from_str_radix(o, 8)
    } else if let Some(sh) = t.strip_prefix("1<<") {
        sh.parse::<u32>().map(|n| 1u64 << n)
    } else {
        t.parse()
    }
    .map_err(|_| format!("bad number '{s}'"))?;
    Ok(if neg { v.wrapping_neg() } else { v })
}

/// `a,b=1 c=2` after an `@` sign: values that differ on some arches.
fn overrides(words: &[&str]) -> Res<Vec<(String, u64)>> {
    let mut out = Vec::new();
    for w in words {
        let w = w.strip_prefix('@').ok_or_else(|| format!("expected @arch=value, found '{w}'"))?;
        let (arches, v) = w.split_once('=').ok_or_else(|| format!("expected @arch=value, found '@{w}'"))?;
        for a in arches.split(',') {
            out.push((a.to_string(), number(v)?));
        }
    }
    Ok(out)
}

pub fn load(dir: &Path) -> Res<Tables> {
    let mut t = Tables::default();
    for (at, line) in read(dir, "arches.def")? {
        let w: Vec<&str> = line.split_whitespace().collect();
        let [name, tbl, machine, word, endian, align64, elf, pairs] = w[..] else {
            return Err(format!("{at}: eight columns expected"));
        };
        let num = |s: &str| number(s).map(|v| v as u32).map_err(|e| format!("{at}: {e}"));
        t.arches.push(Arch {
            name: name.into(),
            tbl: tbl.into(),
            machine: machine.into(),
            word: num(word)?,
            big: endian == "big",
            align64: num(align64)?,
            elf: num(elf)?,
            even_pairs: pairs == "even",
        });
    }
    for (at, line) in read(dir, "errno.def")? {
        let mut w = line.splitn(3, ' ');
        let (n, s, text) = (w.next().unwrap_or(""), w.next().unwrap_or(""), w.next().unwrap_or(""));
        t.errno.push((number(n).map_err(|e| format!("{at}: {e}"))? as u32, s.into(), text.into()));
    }
    for (at, line) in read(dir, "signal.def")? {
        let mut w = line.split_whitespace();
        let (n, s) = (w.next().unwrap_or(""), w.next().unwrap_or(""));
        t.signals.push((number(n).map_err(|e| format!("{at}: {e}"))? as u32, s.into()));
    }
    load_flags(dir, &mut t)?;
    load_structs(dir, &mut t)?;
    for a in &t.arches {
        if t.numbers.contains_key(&a.tbl) {
            continue;
        }
        let mut map = BTreeMap::new();
        for (at, line) in read(dir, &format!("{}.tbl", a.tbl))? {
            let (n, name) = line.split_once(' ').ok_or_else(|| format!("{at}: number and name expected"))?;
            let n = number(n).map_err(|e| format!("{at}: {e}"))? as u32;
            if map.insert(n, name.trim().to_string()).is_some() {
                return Err(format!("{at}: number {n} twice"));
            }
        }
        t.numbers.insert(a.tbl.clone(), map);
    }
    load_calls(dir, &mut t)?;
    for (at, line) in read(dir, "ioctls.def")? {
        let w: Vec<&str> = line.split_whitespace().collect();
        if w.len() < 3 {
            return Err(format!("{at}: name, number, direction expected"));
        }
        let (ty, rest) = if w.len() > 3 && !w[3].starts_with('@') { (w[3], &w[4..]) } else { ("", &w[3..]) };
        t.ioctls.push(Ioctl {
            name: w[0].into(),
            number: w[1].into(),
            dir: w[2].into(),
            ty: ty.into(),
            over: overrides(rest).map_err(|e| format!("{at}: {e}"))?,
        });
    }
    Ok(t)
}

fn load_flags(dir: &Path, t: &mut Tables) -> Res<()> {
    let mut seen = BTreeSet::new();
    for (at, line) in read(dir, "flags.def")? {
        let w: Vec<&str> = line.split_whitespace().collect();
        if !line.starts_with(' ') {
            if w.len() != 2 || !(w[0] == "flags" || w[0] == "enum") {
                return Err(format!("{at}: 'flags NAME' or 'enum NAME' expected"));
            }
            if !seen.insert(w[1].to_string()) {
                return Err(format!("{at}: set {} twice", w[1]));
            }
            t.flags.push(FlagSet { name: w[1].into(), is_enum: w[0] == "enum", entries: Vec::new() });
            continue;
        }
        let set = t.flags.last_mut().ok_or_else(|| format!("{at}: value before any set"))?;
        // Rows may hold several plain `NAME value` pairs; a row with a mask or overrides holds one.
        let err = |e: String| format!("{at}: {e}");
        let mut i = 0;
        while i < w.len() {
            let name = w[i].to_string();
            let value =
                number(w.get(i + 1).ok_or_else(|| format!("{at}: value of {name} missing"))?).map_err(err)?;
            i += 2;
            let mut mask = if set.is_enum { u64::MAX } else { value };
            if let Some(m) = w.get(i).and_then(|m| m.strip_prefix('/')) {
                mask = number(m).map_err(err)?;
                i += 1;
            }
            let start = i;
            while w.get(i).is_some_and(|x| x.starts_with('@')) {
                i += 1;
            }
            let over = overrides(&w[start..i]).map_err(err)?;
            set.entries.push(FlagEntry { name, value, mask, over });
        }
    }
    Ok(())
}

fn load_structs(dir: &Path, t: &mut Tables) -> Res<()> {
    for (at, line) in read(dir, "structs.def")? {
        let w: Vec<&str> = line.split_whitespace().collect();
        if !line.starts_with(' ') {
            if w.len() < 2 || w[0] != "struct" {
                return Err(format!("{at}: 'struct NAME' expected"));
            }
            let mut s = Struct { name: w[1].into(), arches: Vec::new(), packed: false, fields: Vec::new() };
            for x in &w[2..] {
                if *x == "packed" {
                    s.packed = true;
                } else if let Some(a) = x.strip_prefix('@') {
                    s.arches = a.split(',').map(str::to_string).collect();
                } else {
                    return Err(format!("{at}: unknown attribute '{x}'"));
                }
            }
            t.structs.push(s);
            continue;
        }
        let s = t.structs.last_mut().ok_or_else(|| format!("{at}: field before any struct"))?;
        let ty = w[0].to_string();
        let mut i = 1;
        while i < w.len() {
            let word = w[i];
            let (name, show) = match word.split_once(':') {
                Some((n, sh)) => (n, sh.to_string()),
                None => (word, String::new()),
            };
            let (name, count) = match name.split_once('[') {
                Some((n, c)) => {
                    let c = c.strip_suffix(']').ok_or_else(|| format!("{at}: ']' missing"))?;
                    (n, number(c).map_err(|e| format!("{at}: {e}"))? as u32)
                }
                None => (name, 0),
            };
            s.fields.push(Field { ty: ty.clone(), name: name.into(), count, show });
            i += 1;
        }
    }
    Ok(())
}

fn load_calls(dir: &Path, t: &mut Tables) -> Res<()> {
    let mut index: HashMap<String, usize> = HashMap::new();
    for (at, line) in read(dir, "calls.def")? {
        let (head, tail) = line.split_once(" = ").ok_or_else(|| format!("{at}: ' = level' missing"))?;
        let (name, rest) = head.split_once('(').ok_or_else(|| format!("{at}: '(' missing"))?;
        let (args, ret) = rest.rsplit_once(')').ok_or_else(|| format!("{at}: ')' missing"))?;
        let ret = match ret.trim().strip_prefix("->") {
            Some(r) => r.trim(),
            None => "int",
        };
        let mut list = Vec::new();
        for a in args.split(", ").filter(|a| !a.trim().is_empty()) {
            let (n, ty) =
                a.split_once(':').ok_or_else(|| format!("{at}: 'name:type' expected, found '{a}'"))?;
            list.push(Arg { name: n.trim().into(), ty: ty.trim().into() });
        }
        if list.len() > 6 {
            return Err(format!("{at}: more than six arguments"));
        }
        let (levels, note) = match tail.split_once('"') {
            Some((l, n)) => (l.trim(), n.trim_end().trim_end_matches('"')),
            None => (tail.trim(), ""),
        };
        let mut w = levels.split_whitespace();
        let level = w.next().unwrap_or("").to_string();
        let module = w.next().unwrap_or("").to_string();
        match level.as_str() {
            "plain" => {}
            "handler" if !module.is_empty() => {}
            "none" | "never" if !note.is_empty() => {}
            _ => {
                return Err(format!(
                    "{at}: level is plain, 'handler MODULE', 'none \"reason\"' or 'never \"reason\"'"
                ));
            }
        }
        let name = name.trim().to_string();
        if index.insert(name.clone(), t.calls.len()).is_some() {
            return Err(format!("{at}: call {name} twice"));
        }
        t.calls.push(Call { name, args: list, ret: ret.into(), level, module, note: note.into() });
    }
    let mut named = BTreeSet::new();
    for map in t.numbers.values() {
        named.extend(map.values().cloned());
    }
    for n in &named {
        if !index.contains_key(n) {
            t.calls.push(Call {
                name: n.clone(),
                args: Vec::new(),
                ret: "int".into(),
                level: "none".into(),
                module: String::new(),
                note: "not described yet".into(),
            });
        }
    }
    if let Some(c) = t.calls.iter().find(|c| !named.contains(&c.name)) {
        return Err(format!("calls.def: {} has no number on any arch", c.name));
    }
    Ok(())
}
