//! Text to `Table`. Every refusal names its line.

use crate::model::{Cube, Field, Part, Row, Set, Table};
use crate::{Error, Source};
use std::collections::HashMap;

/// What the items of a format or row say so far.
#[derive(Clone, Default)]
struct Items {
    /// Per bit, from the top: '0', '1', '.', '-'; empty if no bits were written.
    bits: Vec<char>,
    args: Vec<(String, Field)>,
    set: Option<String>,
    excludes: Vec<String>,
    /// Fields of the format that the row fixes.
    fixed: Vec<(String, String)>,
}

struct Parser {
    width: u32,
    fields: HashMap<String, Field>,
    formats: HashMap<String, Items>,
    table: Table,
    names: HashMap<String, String>,
}

pub(crate) fn parse(sources: &[Source<'_>], width: u32) -> Result<Table, Vec<Error>> {
    let mut p = Parser {
        width,
        fields: HashMap::new(),
        formats: HashMap::new(),
        table: Table { width, ..Table::default() },
        names: HashMap::new(),
    };
    let mut errors = Vec::new();
    let mut brace_count = 0;
    for source in sources {
        let mut group = None;
        let mut braces = None;
        for (n, line) in source.text.lines().enumerate() {
            let place = format!("{}:{}", source.name, n + 1);
            let line = line.split('#').next().unwrap_or("").trim();
            let result = match line {
                "" => Ok(()),
                "{" if braces.is_some() => Err("a brace group inside another".to_string()),
                "{" => {
                    brace_count += 1;
                    braces = Some(brace_count);
                    Ok(())
                }
                "}" if braces.is_none() => Err("`}` without `{`".to_string()),
                "}" => {
                    braces = None;
                    Ok(())
                }
                _ => p.line(line, &place, &mut group, braces),
            };
            if let Err(what) = result {
                errors.push(Error { place, what });
            }
        }
        if braces.is_some() {
            errors.push(Error { place: source.name.to_string(), what: "`{` without `}`".to_string() });
        }
    }
    if errors.is_empty() { Ok(p.table) } else { Err(errors) }
}

fn is_name(s: &str) -> bool {
    s.chars().next().is_some_and(|c| c.is_ascii_lowercase())
        && s.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn number(s: &str) -> Option<i64> {
    match s.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => s.parse().ok(),
    }
}

impl Parser {
    fn line(
        &mut self,
        line: &str,
        place: &str,
        group: &mut Option<usize>,
        braces: Option<usize>,
    ) -> Result<(), String> {
        let mut words = line.split_whitespace();
        let head = words.next().unwrap_or("");
        let rest: Vec<&str> = words.collect();
        if head == ".group" {
            let [name] = rest[..] else { return Err("`.group` takes one name".to_string()) };
            let known = self.table.groups.iter().position(|g| g == name);
            *group = Some(known.unwrap_or_else(|| {
                self.table.groups.push(name.to_string());
                self.table.groups.len() - 1
            }));
            Ok(())
        } else if let Some(name) = head.strip_prefix('%') {
            self.field(name, &rest)
        } else if let Some(name) = head.strip_prefix('&') {
            self.set(name, &rest)
        } else if let Some(name) = head.strip_prefix('@') {
            if !is_name(name) {
                return Err(format!("bad format name `{name}`"));
            }
            let items = self.items(&rest)?;
            match self.formats.insert(name.to_string(), items) {
                None => Ok(()),
                Some(_) => Err(format!("format `{name}` declared twice")),
            }
        } else {
            let group = group.ok_or("row before `.group`")?;
            self.row(head, &rest, place, group, braces)
        }
    }

    fn field(&mut self, name: &str, rest: &[&str]) -> Result<(), String> {
        if !is_name(name) {
            return Err(format!("bad field name `{name}`"));
        }
        let mut parts = Vec::new();
        let mut signed = false;
        for (i, word) in rest.iter().enumerate() {
            let part = word.strip_prefix('s').filter(|_| i == 0);
            signed |= part.is_some();
            let (pos, len) = part.unwrap_or(word).split_once(':').ok_or("a field part is `pos:len`")?;
            let (Ok(pos), Ok(len)) = (pos.parse(), len.parse()) else {
                return Err(format!("bad field part `{word}`"));
            };
            parts.push(self.part(pos, len)?);
        }
        if parts.is_empty() {
            return Err(format!("field `{name}` has no parts"));
        }
        match self.fields.insert(name.to_string(), Field::Bits { parts, signed }) {
            None => Ok(()),
            Some(_) => Err(format!("field `{name}` declared twice")),
        }
    }

    fn part(&self, pos: u32, len: u32) -> Result<Part, String> {
        if len == 0 || pos + len > self.width {
            return Err(format!("field part {pos}:{len} is outside the instruction"));
        }
        Ok(Part { pos, len })
    }

    fn set(&mut self, name: &str, rest: &[&str]) -> Result<(), String> {
        if !is_name(name) || self.table.sets.iter().any(|s| s.name == name) {
            return Err(format!("argument set `{name}` declared twice or badly named"));
        }
        if let Some(bad) = rest.iter().find(|f| !is_name(f)) {
            return Err(format!("bad argument name `{bad}`"));
        }
        let mut fields: Vec<String> = rest.iter().map(|f| (*f).to_string()).collect();
        fields.sort();
        if fields.windows(2).any(|w| w[0] == w[1]) || fields.is_empty() {
            return Err(format!("argument set `{name}` is empty or names an argument twice"));
        }
        if let Some(other) = self.table.sets.iter().find(|s| sorted(&s.fields) == fields) {
            return Err(format!("argument sets `{name}` and `{}` have the same arguments", other.name));
        }
        let fields: Vec<String> = rest.iter().map(|f| (*f).to_string()).collect();
        let signed = vec![None; fields.len()];
        self.table.sets.push(Set { name: name.to_string(), fields, signed });
        Ok(())
    }

    fn items(&self, words: &[&str]) -> Result<Items, String> {
        let width = self.width as usize;
        let mut items = Items::default();
        let mut format: Option<&Items> = None;
        let mut inline = Vec::new();
        for word in words {
            if let Some(name) = word.strip_prefix('@') {
                let known = self.formats.get(name).ok_or(format!("no format `{name}`"))?;
                if format.replace(known).is_some() {
                    return Err("more than one format".to_string());
                }
            } else if let Some(name) = word.strip_prefix('&') {
                items.set = Some(name.to_string());
            } else if let Some(text) = word.strip_prefix('!') {
                items.excludes.push(text.to_string());
            } else if word.chars().all(|c| "01.-".contains(c)) {
                items.bits.extend(word.chars());
            } else if let Some((name, bits)) = word.split_once("==") {
                items.fixed.push((name.to_string(), bits.to_string()));
            } else if let Some((name, value)) = word.split_once('=') {
                let field = match value.strip_prefix('%') {
                    Some(f) => self.fields.get(f).cloned().ok_or(format!("no field `{f}`"))?,
                    None => Field::Const(number(value).ok_or(format!("bad number `{value}`"))?),
                };
                items.args.push((name.to_string(), field));
            } else if let Some((name, len)) = word.split_once(':') {
                let bare = len.strip_prefix('s');
                let n: usize = bare.unwrap_or(len).parse().map_err(|_| format!("bad field `{word}`"))?;
                if n == 0 || n > width {
                    return Err(format!("bad field `{word}`"));
                }
                inline.push((name.to_string(), items.bits.len(), n, bare.is_some()));
                items.bits.extend(std::iter::repeat_n('.', n));
            } else {
                return Err(format!("cannot read `{word}`"));
            }
        }
        if !items.bits.is_empty() && items.bits.len() != width {
            return Err(format!("{} bits given, the instruction has {width}", items.bits.len()));
        }
        for (name, at, n, signed) in inline {
            let part = Part { pos: (width - at - n) as u32, len: n as u32 };
            items.args.push((name, Field::Bits { parts: vec![part], signed }));
        }
        if let Some(f) = format {
            if items.bits.is_empty() {
                items.bits.clone_from(&f.bits);
            } else {
                for (b, &fb) in items.bits.iter_mut().zip(&f.bits) {
                    match (*b, fb) {
                        ('.', _) => *b = fb,
                        (_, '.') => {}
                        (x, y) if x == y => {}
                        (_, _) => return Err("bits contradict the format".to_string()),
                    }
                }
            }
            for (name, field) in &f.args {
                // A row may replace an argument of its format.
                if !items.args.iter().any(|(n, _)| n == name) {
                    items.args.push((name.clone(), field.clone()));
                }
            }
            items.excludes.extend(f.excludes.iter().cloned());
            items.set = items.set.or(f.set.clone());
        }
        for (name, bits) in std::mem::take(&mut items.fixed) {
            let (mask, value) = exclusion(&format!("{name}={bits}"), &items.args)?;
            for (i, b) in items.bits.iter_mut().enumerate() {
                let at = width - 1 - i;
                if mask >> at & 1 == 1 {
                    *b = if value >> at & 1 == 1 { '1' } else { '0' };
                }
            }
            if !bits.contains('x') {
                items.args.retain(|(n, _)| *n != name);
            }
        }
        for (i, (name, _)) in items.args.iter().enumerate() {
            if !is_name(name) || items.args[..i].iter().any(|(n, _)| n == name) {
                return Err(format!("argument `{name}` given twice or badly named"));
            }
        }
        Ok(items)
    }

    fn row(
        &mut self,
        name: &str,
        rest: &[&str],
        place: &str,
        group: usize,
        braces: Option<usize>,
    ) -> Result<(), String> {
        let [mnemonic, features, words @ ..] = rest else {
            return Err("a row is: name mnemonic features items".to_string());
        };
        if !is_name(name) {
            return Err(format!("bad row name `{name}`"));
        }
        if let Some(other) = self.names.insert(name.to_string(), place.to_string()) {
            return Err(format!("row `{name}` is already at {other}"));
        }
        let items = self.items(words)?;
        let mut needed = Vec::new();
        for feature in features.split('+').filter(|f| *f != "-") {
            let (feature, cube) = match feature.split_once('/') {
                Some((feature, when)) => (feature, exclusion(when, &items.args)?),
                None => (feature, (0, 0)),
            };
            if !is_name(feature) {
                return Err(format!("bad feature `{feature}`"));
            }
            needed.push((feature.to_string(), cube));
        }
        if items.bits.is_empty() {
            return Err("no bits".to_string());
        }
        let (mut mask, mut value, mut open) = (0u32, 0u32, 0u32);
        for (i, c) in items.bits.iter().enumerate() {
            let bit = 1u32 << (self.width as usize - 1 - i);
            match c {
                '0' => mask |= bit,
                '1' => {
                    mask |= bit;
                    value |= bit;
                }
                '.' => open |= bit,
                _ => {}
            }
        }
        for (_, field) in &items.args {
            if let Field::Bits { parts, .. } = field {
                for p in parts {
                    open &= !((((1u64 << p.len) - 1) as u32) << p.pos);
                }
            }
        }
        if open != 0 {
            return Err(format!("bits {open:#010x} are neither fixed nor in a field"));
        }
        let mut excludes = Vec::new();
        for text in &items.excludes {
            // An exclusion that contradicts the fixed bits says nothing.
            let cube = exclusion(text, &items.args)?;
            if (cube.1 ^ value) & cube.0 & mask == 0 {
                excludes.push((cube.0, cube.1));
            }
        }
        let (set, args) = self.arguments(name, items)?;
        self.table.rows.push(Row {
            place: place.to_string(),
            group,
            name: name.to_string(),
            mnemonic: (*mnemonic).to_string(),
            features: needed,
            mask,
            value,
            excludes,
            args,
            set,
            braces,
        });
        Ok(())
    }

    /// Finds or makes the argument set and puts the arguments in its order.
    #[allow(clippy::type_complexity)]
    fn arguments(
        &mut self,
        row: &str,
        items: Items,
    ) -> Result<(Option<usize>, Vec<(String, Field)>), String> {
        if items.args.is_empty() {
            return Ok((None, Vec::new()));
        }
        let names: Vec<String> = items.args.iter().map(|(n, _)| n.clone()).collect();
        let found = match &items.set {
            Some(s) => {
                let i = self
                    .table
                    .sets
                    .iter()
                    .position(|x| &x.name == s)
                    .ok_or(format!("no argument set `{s}`"))?;
                if sorted(&self.table.sets[i].fields) != sorted(&names) {
                    return Err(format!(
                        "row has arguments {names:?}, set `{s}` {:?}",
                        self.table.sets[i].fields
                    ));
                }
                Some(i)
            }
            None => self.table.sets.iter().position(|s| sorted(&s.fields) == sorted(&names)),
        };
        let index = found.unwrap_or_else(|| {
            let signed = vec![None; names.len()];
            self.table.sets.push(Set { name: row.to_string(), fields: names, signed });
            self.table.sets.len() - 1
        });
        let set = &mut self.table.sets[index];
        let mut args = Vec::new();
        for (name, signed) in set.fields.iter().zip(&mut set.signed) {
            let Some((_, field)) = items.args.iter().find(|(n, _)| n == name) else {
                return Err(format!("argument `{name}` missing"));
            };
            // A constant takes the type that the other rows give the argument.
            let neutral = matches!(field, Field::Const(v) if *v >= 0);
            match signed {
                None if neutral => {}
                None => *signed = Some(field.signed()),
                Some(s) if *s == field.signed() || neutral => {}
                Some(_) => {
                    return Err(format!("argument `{name}` of set `{}` is signed in one row only", set.name));
                }
            }
            args.push((name.clone(), field.clone()));
        }
        Ok((Some(index), args))
    }
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut v = names.to_vec();
    v.sort();
    v
}

/// `field=bits[,field=bits]` as a cube.
fn exclusion(text: &str, args: &[(String, Field)]) -> Result<Cube, String> {
    let mut cube = (0u32, 0u32);
    for term in text.split(',') {
        let (name, bits) = term.split_once('=').ok_or(format!("cannot read exclusion `{term}`"))?;
        let Some((_, Field::Bits { parts, .. })) = args.iter().find(|(n, _)| n == name) else {
            return Err(format!("exclusion of `{name}`, which is no field of the row"));
        };
        let positions: Vec<u32> = parts.iter().flat_map(|p| (p.pos..p.pos + p.len).rev()).collect();
        if positions.len() != bits.len() {
            return Err(format!("exclusion `{term}` has the wrong width"));
        }
        for (pos, c) in positions.iter().zip(bits.chars()) {
            match c {
                '0' => cube.0 |= 1 << pos,
                '1' => {
                    cube.0 |= 1 << pos;
                    cube.1 |= 1 << pos;
                }
                'x' => {}
                _ => return Err(format!("bad bit `{c}` in exclusion `{term}`")),
            }
        }
    }
    Ok(cube)
}
