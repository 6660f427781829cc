//! Writes the Rust tables. Cross references (a set, struct or argument that does not exist) stop the build here.

use crate::parse::{Call, Tables, number};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

struct Names {
    flags: HashMap<String, usize>,
    structs: HashMap<String, usize>,
    arches: HashMap<String, usize>,
}

fn camel(name: &str) -> String {
    let mut out = String::new();
    for part in name.split(['_', '.', '-']).filter(|p| !p.is_empty()) {
        let mut c = part.chars();
        if let Some(f) = c.next() {
            if f.is_ascii_digit() && out.ends_with(|c: char| c.is_ascii_digit()) {
                out.push('_');
            }
            out.push(f.to_ascii_uppercase());
            out.push_str(&c.as_str().to_ascii_lowercase());
        }
    }
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert(0, 'N');
    }
    out
}

fn shout(name: &str) -> String {
    name.to_ascii_uppercase().replace(['.', '-'], "_")
}

/// A mistake in the data: printed by cargo with the message.
fn fail(message: String) -> ! {
    eprintln!("syscall-tables: {message}");
    std::process::exit(1)
}

const PRIMS: &[(&str, &str)] = &[
    ("i8", "I8"),
    ("u8", "U8"),
    ("char", "U8"),
    ("i16", "I16"),
    ("u16", "U16"),
    ("i32", "I32"),
    ("u32", "U32"),
    ("i64", "I64"),
    ("u64", "U64"),
    ("int", "I32"),
    ("uint", "U32"),
    ("long", "Long"),
    ("ulong", "ULong"),
    ("size", "ULong"),
    ("ptr", "Ptr"),
];

impl Names {
    fn flag(&self, name: &str, at: &str) -> usize {
        *self.flags.get(name).unwrap_or_else(|| fail(format!("{at}: no flag set '{name}'")))
    }

    fn ty(&self, name: &str, at: &str) -> String {
        if let Some((_, p)) = PRIMS.iter().find(|(n, _)| *n == name) {
            return format!("Ty::{p}");
        }
        match self.structs.get(name) {
            Some(i) => format!("Ty::Struct(StructId({i}))"),
            None => fail(format!("{at}: no type '{name}'")),
        }
    }

    fn show(&self, show: &str, name: &str, at: &str) -> String {
        match show {
            "" if name.starts_with('_') => "Show::Hidden".into(),
            "" => "Show::Plain".into(),
            "hex" => "Show::Hex".into(),
            "mode" => "Show::Mode".into(),
            "dev" => "Show::Dev".into(),
            "str" => "Show::Text".into(),
            "hidden" => "Show::Hidden".into(),
            s => match s.split_once('.') {
                Some(("flags" | "enum", set)) => format!("Show::Flags(FlagSetId({}))", self.flag(set, at)),
                _ => fail(format!("{at}: unknown display '{s}'")),
            },
        }
    }

    fn arch_mask(&self, list: &[String], at: &str) -> u32 {
        list.iter().fold(0, |m, a| {
            m | 1 << self.arches.get(a).unwrap_or_else(|| fail(format!("{at}: no arch '{a}'")))
        })
    }

    fn arg(&self, call: &Call, ty: &str) -> String {
        let at = &call.name;
        let scalars = [
            "fd", "dirfd", "int", "uint", "long", "ulong", "size", "off", "mode", "dev", "pid", "uid", "sig",
            "addr", "hex", "path", "rpath", "str", "ioctl", "fcntl", "u64", "loff", "lo", "hi",
        ];
        if scalars.contains(&ty) {
            return format!("ArgTy::{}", camel(ty));
        }
        let Some((dir, rest)) = ty.split_once('.') else {
            fail(format!("{at}: unknown argument type '{ty}'"))
        };
        if dir == "flags" || dir == "enum" {
            return format!("ArgTy::Flags(FlagSetId({}))", self.flag(rest, at));
        }
        let dir = match dir {
            "in" => "In",
            "out" => "Out",
            "inout" => "InOut",
            d => fail(format!("{at}: direction in, out or inout expected, found '{d}'")),
        };
        let (elem, count) = match rest.split_once('[') {
            Some((e, c)) => (e, c.trim_end_matches(']')),
            None => (rest, "1"),
        };
        let (count, actual) = count.split_once(';').unwrap_or((count, ""));
        let count_of = |c: &str| -> String {
            let index = |n: &str| {
                call.args
                    .iter()
                    .position(|a| a.name == n)
                    .unwrap_or_else(|| fail(format!("{at}: no argument '{n}'")))
            };
            match c {
                "" => "Count::Same".into(),
                "ret" => "Count::Ret".into(),
                c if c.starts_with('*') => format!("Count::Deref({})", index(&c[1..])),
                c => match number(c) {
                    Ok(n) => format!("Count::Lit({n})"),
                    Err(_) => format!("Count::Arg({})", index(c)),
                },
            }
        };
        let what = match elem {
            "bytes" => "MemTy::Bytes".to_string(),
            "sigset" => "MemTy::Sigset".to_string(),
            "sockaddr" => "MemTy::Sockaddr".to_string(),
            "fdset" => "MemTy::FdSet".to_string(),
            "iovec" => format!("MemTy::Iovec({})", self.ty("iovec", at)),
            "msghdr" => format!("MemTy::Msghdr({})", self.ty("msghdr", at)),
            "str" => "MemTy::Strings".to_string(),
            e => format!("MemTy::Elem({})", self.ty(e, at)),
        };
        format!(
            "ArgTy::Mem(MemArg {{ dir: Dir::{dir}, ty: {what}, count: {}, actual: {} }})",
            count_of(count),
            count_of(actual)
        )
    }
}

pub fn generate(t: &Tables) -> String {
    let mut o = String::new();
    let names = Names {
        flags: t.flags.iter().enumerate().map(|(i, f)| (f.name.clone(), i)).collect(),
        structs: struct_order(t).into_iter().enumerate().map(|(i, n)| (n, i)).collect(),
        arches: t.arches.iter().enumerate().map(|(i, a)| (a.name.clone(), i)).collect(),
    };
    arches(&mut o, t);
    errno(&mut o, t);
    flags(&mut o, t, &names);
    structs(&mut o, t, &names);
    calls(&mut o, t, &names);
    numbers(&mut o, t);
    ioctls(&mut o, t, &names);
    o
}

fn arches(o: &mut String, t: &Tables) {
    o.push_str("/// A guest or host ABI.\n#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]\n#[repr(u8)]\npub enum Arch {\n");
    for a in &t.arches {
        let _ = writeln!(o, "    /// `{}`\n    {},", a.name, camel(&a.name));
    }
    let _ = writeln!(
        o,
        "}}\n\n/// Facts of every [`Arch`], in order.\npub static ARCHES: [ArchInfo; {}] = [",
        t.arches.len()
    );
    for (i, a) in t.arches.iter().enumerate() {
        let tbl = t.arches.iter().position(|b| b.tbl == a.tbl).unwrap_or(i);
        let _ = writeln!(
            o,
            "    ArchInfo {{ arch: Arch::{}, name: {:?}, machine: {:?}, word: {}, big_endian: {}, align64: {}, elf_machine: {}, even_pairs: {}, numbers: &NUMBERS_{} }},",
            camel(&a.name),
            a.name,
            a.machine,
            a.word / 8,
            a.big,
            a.align64,
            a.elf,
            a.even_pairs,
            shout(&t.arches[tbl].tbl)
        );
    }
    o.push_str("];\n\n");
}

fn errno(o: &mut String, t: &Tables) {
    o.push_str("impl Errno {\n");
    for (n, s, text) in &t.errno {
        let _ = writeln!(o, "    /// {text}.\n    pub const {s}: Errno = Errno({n});");
    }
    o.push_str("}\n\nstatic ERRNO: &[(i32, &str, &str)] = &[\n");
    for (n, s, text) in &t.errno {
        let _ = writeln!(o, "    ({n}, {s:?}, {text:?}),");
    }
    o.push_str("];\n\nstatic SIGNALS: &[&str] = &[\n");
    for (i, (n, s)) in t.signals.iter().enumerate() {
        if *n as usize != i + 1 {
            fail(format!("signal.def: {s} out of order"));
        }
        let _ = writeln!(o, "    {s:?},");
    }
    o.push_str("];\n\n");
}

fn flags(o: &mut String, t: &Tables, names: &Names) {
    let host = names.arches["x86_64"];
    let _ = writeln!(
        o,
        "/// Every set of flags or enumeration.\npub static FLAG_SETS: [FlagSet; {}] = [",
        t.flags.len()
    );
    for f in &t.flags {
        let mut differs = 0u32;
        let mut rows = String::new();
        for e in &f.entries {
            let mut over: BTreeMap<usize, u64> = BTreeMap::new();
            for (a, v) in &e.over {
                over.insert(
                    *names.arches.get(a).unwrap_or_else(|| fail(format!("flags {}: no arch '{a}'", f.name))),
                    *v,
                );
            }
            let host_value = over.get(&host).copied().unwrap_or(e.value);
            for i in 0..t.arches.len() {
                if over.get(&i).copied().unwrap_or(e.value) != host_value {
                    differs |= 1 << i;
                }
            }
            let list: Vec<String> = over.iter().map(|(a, v)| format!("({a}, {v:#x})")).collect();
            let _ = writeln!(
                rows,
                "        Flag {{ name: {:?}, value: {:#x}, mask: {:#x}, over: &[{}] }},",
                e.name,
                e.value,
                e.mask,
                list.join(", ")
            );
        }
        let _ = writeln!(
            o,
            "    FlagSet {{ name: {:?}, is_enum: {}, differs: {differs:#x}, flags: &[\n{rows}    ] }},",
            f.name, f.is_enum
        );
    }
    o.push_str("];\n\n/// Names of the sets.\npub mod flags {\n    use super::FlagSetId;\n");
    for (i, f) in t.flags.iter().enumerate() {
        let _ = writeln!(
            o,
            "    /// `{}`\n    pub const {}: FlagSetId = FlagSetId({i});",
            f.name,
            shout(&f.name)
        );
    }
    o.push_str("}\n\n");
}

fn struct_order(t: &Tables) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for s in &t.structs {
        if !out.contains(&s.name) {
            out.push(s.name.clone());
        }
    }
    out
}

fn structs(o: &mut String, t: &Tables, names: &Names) {
    let order = struct_order(t);
    let _ = writeln!(o, "/// Every structure.\npub static STRUCTS: [StructDef; {}] = [", order.len());
    for n in &order {
        let _ = writeln!(o, "    StructDef {{ name: {n:?}, variants: &[");
        // Variants for named arches first: the first match wins, the base comes last.
        let mut list: Vec<_> = t.structs.iter().filter(|s| s.name == *n).collect();
        list.sort_by_key(|s| s.arches.is_empty());
        for s in list {
            let mask = if s.arches.is_empty() { u32::MAX } else { names.arch_mask(&s.arches, n) };
            let _ =
                writeln!(o, "        StructVariant {{ arches: {mask:#x}, packed: {}, fields: &[", s.packed);
            for f in &s.fields {
                let _ = writeln!(
                    o,
                    "            Field {{ name: {:?}, ty: {}, count: {}, is_text: {}, show: {} }},",
                    f.name,
                    names.ty(&f.ty, n),
                    f.count,
                    f.ty == "char",
                    names.show(&f.show, &f.name, n)
                );
            }
            o.push_str("        ] },\n");
        }
        o.push_str("    ] },\n");
    }
    o.push_str("];\n\n/// Names of the structures.\npub mod structs {\n    use super::StructId;\n");
    for (i, n) in order.iter().enumerate() {
        let _ = writeln!(o, "    /// `struct {n}`\n    pub const {}: StructId = StructId({i});", shout(n));
    }
    o.push_str("}\n\n");
}

fn calls(o: &mut String, t: &Tables, names: &Names) {
    o.push_str("/// Every system call of any arch.\n#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]\n#[repr(u16)]\npub enum CallId {\n");
    for c in &t.calls {
        let _ = writeln!(o, "    /// `{}`\n    {},", c.name, camel(&c.name));
    }
    let _ = writeln!(
        o,
        "}}\n\n/// Description of every call, indexed by [`CallId`].\npub static CALLS: [CallDesc; {}] = [",
        t.calls.len()
    );
    let host: HashMap<&str, u32> = t.numbers["x86_64"].iter().map(|(n, s)| (s.as_str(), *n)).collect();
    for c in &t.calls {
        let args: Vec<String> = c
            .args
            .iter()
            .map(|a| format!("ArgDesc {{ name: {:?}, ty: {} }}", a.name, names.arg(c, &a.ty)))
            .collect();
        let level = match c.level.as_str() {
            "plain" => "Level::Plain",
            "handler" => "Level::Handler",
            "never" => "Level::Never",
            _ => "Level::None",
        };
        let ret = match c.ret.as_str() {
            "int" => "Ret::Int",
            "fd" => "Ret::Fd",
            "addr" => "Ret::Addr",
            "void" => "Ret::Never",
            "hex" => "Ret::Hex",
            "mode" => "Ret::Mode",
            "revents" => "Ret::Int",
            r => fail(format!("{}: unknown result '{r}'", c.name)),
        };
        // `plain NAME`: the host's call has another name.
        let on_host =
            if c.level == "plain" && !c.module.is_empty() { c.module.as_str() } else { c.name.as_str() };
        let nr = host.get(on_host).map_or("-1".to_string(), u32::to_string);
        if c.level == "plain" && nr == "-1" {
            fail(format!("{}: a plain call must exist on the host", c.name));
        }
        let _ = writeln!(
            o,
            "    CallDesc {{ id: CallId::{}, name: {:?}, args: &[{}], ret: {ret}, level: {level}, note: {:?}, host_nr: {nr} }},",
            camel(&c.name),
            c.name,
            args.join(", "),
            c.note
        );
    }
    o.push_str("];\n\n");
    // One row per handler; the crate that implements them decides what a row becomes.
    o.push_str(
        "/// Calls the given macro with one `Call => module::sys_call;` row for each call that a handler implements.\n\
         #[macro_export]\nmacro_rules! with_handlers {\n    ($apply:ident) => {\n        $apply! {\n",
    );
    for c in t.calls.iter().filter(|c| c.level == "handler") {
        let name = c.name.trim_start_matches('_').to_ascii_lowercase();
        let _ = writeln!(o, "            {} => {}::sys_{};", camel(&c.name), c.module, name);
    }
    o.push_str("        }\n    };\n}\n\n");
}

fn numbers(o: &mut String, t: &Tables) {
    for (tbl, map) in &t.numbers {
        let small = map.keys().filter(|n| **n < 1024).max().map_or(0, |n| n + 1);
        let _ = writeln!(o, "static NUMBERS_{}: Numbers = Numbers {{ small: &[", shout(tbl));
        for n in 0..small {
            match map.get(&n) {
                Some(name) => {
                    let _ = writeln!(o, "    Some(CallId::{}),", camel(name));
                }
                None => o.push_str("    None,\n"),
            }
        }
        o.push_str("], large: &[");
        for (n, name) in map.iter().filter(|(n, _)| **n >= 1024) {
            let _ = write!(o, "({n}, CallId::{}), ", camel(name));
        }
        o.push_str("] };\n");
    }
    o.push('\n');
}

fn ioctls(o: &mut String, t: &Tables, names: &Names) {
    let _ = writeln!(o, "/// Every known ioctl.\npub static IOCTLS: [IoctlDesc; {}] = [", t.ioctls.len());
    for i in &t.ioctls {
        // Either a plain number or DIR(type,nr[,size-type]) with DIR one of IO IOR IOW IOWR.
        let number_expr = if let Some((dir, rest)) = i.number.split_once('(') {
            let parts: Vec<&str> = rest.trim_end_matches(')').split(',').collect();
            let group = match parts[0].strip_prefix('\'') {
                Some(c) => c.bytes().next().map_or(0, u64::from),
                None => number(parts[0]).unwrap_or_else(|e| fail(format!("{}: {e}", i.name))),
            };
            let nr = number(parts.get(1).copied().unwrap_or(""))
                .unwrap_or_else(|e| fail(format!("{}: {e}", i.name)));
            let size = match parts.get(2) {
                Some(s) => format!("Some({})", names.ty(s, &i.name)),
                None => "None".into(),
            };
            let d = match dir {
                "IO" => 0,
                "IOW" => 1,
                "IOR" => 2,
                "IOWR" => 3,
                _ => fail(format!("{}: IO, IOR, IOW or IOWR expected", i.name)),
            };
            format!("IoctlNr::Coded {{ dir: {d}, group: {group}, nr: {nr}, size: {size} }}")
        } else {
            format!(
                "IoctlNr::Fixed({:#x})",
                number(&i.number).unwrap_or_else(|e| fail(format!("{}: {e}", i.name)))
            )
        };
        let arg = match i.dir.as_str() {
            "none" => "IoctlArg::None".to_string(),
            "value" => "IoctlArg::Value".to_string(),
            "raw" => "IoctlArg::Raw".to_string(),
            "handler" => "IoctlArg::Handler".to_string(),
            "refuse" => "IoctlArg::Refuse".to_string(),
            d @ ("in" | "out" | "inout") => {
                let d = match d {
                    "in" => "In",
                    "out" => "Out",
                    _ => "InOut",
                };
                format!("IoctlArg::Mem(Dir::{d}, {})", names.ty(&i.ty, &i.name))
            }
            d => fail(format!("{}: unknown direction '{d}'", i.name)),
        };
        let over: Vec<String> = i
            .over
            .iter()
            .map(|(a, v)| {
                format!(
                    "({}, {v:#x})",
                    names.arches.get(a).unwrap_or_else(|| fail(format!("{}: no arch '{a}'", i.name)))
                )
            })
            .collect();
        let _ = writeln!(
            o,
            "    IoctlDesc {{ name: {:?}, nr: {number_expr}, over: &[{}], arg: {arg} }},",
            i.name,
            over.join(", ")
        );
    }
    o.push_str("];\n");
}
