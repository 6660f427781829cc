//! The reader of the text form. In: what [`crate::text::print`] gives. Out: a region that prints the same; removed
//! instructions come back as such where value numbers need them.

use crate::*;

/// Reads a region.
pub fn parse(text: &str, guest: &dyn Guest) -> Result<Region, String> {
    let mut region = Region::default();
    let mut open = false;
    for (n, line) in text.lines().enumerate() {
        let words: Vec<&str> =
            line.split(|c: char| c.is_whitespace() || c == ',').filter(|w| !w.is_empty()).collect();
        parse_line(&words, &mut region, &mut open, guest)
            .map_err(|e| format!("line {}: {e}: {line}", n + 1))?;
    }
    if open { Err("the last block has no end".into()) } else { Ok(region) }
}

fn parse_line(words: &[&str], region: &mut Region, open: &mut bool, guest: &dyn Guest) -> Result<(), String> {
    match words {
        [] => Ok(()),
        ["region", mode] => {
            region.mode = number(field(mode, "mode")?)?;
            Ok(())
        }
        ["block", _, pc, end, rest @ ..] => {
            if *open {
                return Err("a block inside a block".into());
            }
            *open = true;
            let first = region.insts.len() as u32;
            region.blocks.push(Block {
                pc: number(field(pc, "pc")?)?,
                end: number(field(end, "end")?)?,
                entry: rest == ["entry"],
                first,
                last: first,
                term: Term::Resume { pc: 0 },
            });
            Ok(())
        }
        _ if !*open => Err("outside a block".into()),
        _ => {
            let term = parse_term(words)?;
            if term.is_none() {
                parse_inst(words, region, guest)?;
            }
            let last = region.insts.len() as u32;
            let block = region.blocks.last_mut().ok_or("no block")?;
            block.last = last;
            if let Some(term) = term {
                block.term = term;
                *open = false;
            }
            Ok(())
        }
    }
}

fn field<'a>(word: &'a str, name: &str) -> Result<&'a str, String> {
    let value = word.strip_prefix(name).and_then(|w| w.strip_prefix('='));
    value.ok_or_else(|| format!("expected {name}="))
}

fn number(word: &str) -> Result<u64, String> {
    let r = match word.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => word.parse(),
    };
    r.map_err(|_| format!("not a number: {word}"))
}

fn value(word: &str) -> Result<Val, String> {
    if word == "_" {
        return Ok(Val::NONE);
    }
    let n = word.strip_prefix('%').and_then(|n| n.parse().ok());
    n.map(Val).ok_or_else(|| format!("not a value: {word}"))
}

fn cc(word: &str) -> Result<Cc, String> {
    named(&Cc::ALL, word)
}

/// The item whose debug name in lower case is `word`.
fn named<T: Copy + std::fmt::Debug>(all: &[T], word: &str) -> Result<T, String> {
    let found = all.iter().copied().find(|t| format!("{t:?}").to_lowercase() == word);
    found.ok_or_else(|| format!("unknown word: {word}"))
}

const ROUNDS: [Round; 7] =
    [Round::Dynamic, Round::Nearest, Round::Zero, Round::Down, Round::Up, Round::NearestAway, Round::Odd];
const NAN_RULES: [NanRule; 3] = [NanRule::Arm, NanRule::Default, NanRule::X86];
const RMWS: [Rmw; 10] = [
    Rmw::Add,
    Rmw::AndNot,
    Rmw::And,
    Rmw::Or,
    Rmw::Xor,
    Rmw::SMax,
    Rmw::SMin,
    Rmw::UMax,
    Rmw::UMin,
    Rmw::Swap,
];
const TRAPS: [TrapKind; 8] = [
    TrapKind::Illegal,
    TrapKind::Break,
    TrapKind::Arithmetic,
    TrapKind::PcAlign,
    TrapKind::SpAlign,
    TrapKind::Service,
    TrapKind::Fetch,
    TrapKind::Yield,
];

fn target(kind: &str, at: &str) -> Result<Target, String> {
    match kind {
        "pc" => Ok(Target::Pc(number(at)?)),
        "block" => Ok(Target::Block(BlockId(at.parse().map_err(|_| "not a block number")?))),
        _ => Err(format!("unknown target: {kind}")),
    }
}

/// A terminator, if the line is one. `call` with a number is the terminator, with a name the operation.
fn parse_term(words: &[&str]) -> Result<Option<Term>, String> {
    Ok(Some(match *words {
        ["jump", kind, at] => Term::Jump(target(kind, at)?),
        ["branch", c, flags, k1, t1, k2, t2] => {
            Term::Branch { flags: value(flags)?, cc: cc(c)?, then: target(k1, t1)?, els: target(k2, t2)? }
        }
        ["call", to, ret] if to.starts_with("0x") => Term::Call { target: number(to)?, ret: number(ret)? },
        ["callind", addr, ret] => Term::CallIndirect { addr: value(addr)?, ret: number(ret)? },
        ["indirect", addr] => Term::Indirect { addr: value(addr)? },
        ["return", addr] => Term::Return { addr: value(addr)? },
        ["syscall", next] => Term::Syscall { next: number(next)? },
        ["trap", kind, pc, info] => {
            Term::Trap { kind: named(&TRAPS, kind)?, pc: number(pc)?, info: number(info)? }
        }
        ["switch", pc, mode] => Term::Switch { pc: number(pc)?, mode: number(mode)? },
        ["resume", pc] => Term::Resume { pc: number(pc)? },
        _ => return Ok(None),
    }))
}

fn parse_inst(words: &[&str], region: &mut Region, guest: &dyn Guest) -> Result<(), String> {
    let words = match words {
        [v, "=", rest @ ..] => {
            let v = value(v)?.index();
            if v < region.insts.len() || v > region.insts.len() + (1 << 16) {
                return Err("values out of order".into());
            }
            region.insts.resize(v, Inst::NOP);
            rest
        }
        _ => words,
    };
    let (name, mut rest) = words.split_first().ok_or("no operation")?;
    let (name, ty) = name.split_once('.').unwrap_or((name, "void"));
    let op = Op::from_text(name).ok_or("unknown operation")?;
    let types = [Type::Void, Type::I32, Type::I64, Type::V128, Type::Flags];
    let ty = types.into_iter().find(|&t| text::type_text(t) == ty).ok_or("unknown type")?;
    let attr = attribute(op.info().attr, &mut rest, guest)?;
    let mut args = [Val::NONE; 4];
    let mut n = 0;
    while let Some((word, more)) = rest.split_first()
        && (word.starts_with('%') || *word == "_")
    {
        *args.get_mut(n).ok_or("too many arguments")? = value(word)?;
        n += 1;
        rest = more;
    }
    let imm = match rest {
        [] => 0,
        [imm] => number(imm)?,
        _ => return Err("words left over".into()),
    };
    region.insts.push(Inst { op, ty, attr, args, imm });
    Ok(())
}

/// Takes the words of an attribute off the front.
fn attribute(kind: AttrKind, words: &mut &[&str], guest: &dyn Guest) -> Result<Attr, String> {
    Ok(match kind {
        AttrKind::None => Attr::None,
        AttrKind::Slot => {
            let name = take(words)?;
            let index = guest.slots().slots.iter().position(|s| s.name == name);
            Attr::Slot(SlotId(index.ok_or("unknown slot")? as u16))
        }
        AttrKind::Helper => Attr::Helper(guest.helper_by_name(take(words)?).ok_or("unknown helper")?),
        AttrKind::Cc => Attr::Cc(cc(take(words)?)?),
        AttrKind::Vec => Attr::Vec(shape(take(words)?)?),
        AttrKind::Mem => Attr::Mem(mem(words)?),
        AttrKind::Rmw => Attr::Rmw(mem(words)?, named(&RMWS, take(words)?)?),
        AttrKind::Fp => Attr::Fp(fp(words)?),
        AttrKind::FpCvt => {
            let fp = fp(words)?;
            Attr::FpCvt(fp, size(field(take(words)?, "to")?)?)
        }
    })
}

fn take<'a>(words: &mut &[&'a str]) -> Result<&'a str, String> {
    let (first, rest) = words.split_first().ok_or("the attribute is missing")?;
    *words = rest;
    Ok(first)
}

fn size(word: &str) -> Result<Size, String> {
    let all = [Size::B, Size::H, Size::S, Size::D, Size::Q];
    let found = all.into_iter().find(|&s| word.len() == 1 && word.starts_with(text::size_text(s)));
    found.ok_or_else(|| format!("not a size: {word}"))
}

fn shape(word: &str) -> Result<Shape, String> {
    let (lanes, lane) = word.split_at_checked(word.len().saturating_sub(1)).ok_or("not a shape")?;
    Ok(Shape { lane: size(lane)?, lanes: lanes.parse().map_err(|_| "not a shape")? })
}

fn mem(words: &mut &[&str]) -> Result<Mem, String> {
    let mut m = Mem::plain(size(take(words)?)?);
    while let Some((word, rest)) = words.split_first() {
        match *word {
            "sext" => m.ext = Ext::Sign,
            "be" => m.big_endian = true,
            "acq" => m.order = Order::Acquire,
            "rel" => m.order = Order::Release,
            "acqrel" => m.order = Order::AcqRel,
            "aligned" => m.aligned = true,
            "aligned16" => m = m.inside16(),
            w if w.starts_with("scale=") => m.scale = number(field(w, "scale")?)? as u8,
            _ => break,
        }
        *words = rest;
    }
    Ok(m)
}

fn fp(words: &mut &[&str]) -> Result<Fp, String> {
    let shape = shape(take(words)?)?;
    let mut round = Round::Dynamic;
    let mut rules = FpRules {
        nan: NanRule::Arm,
        tiny_before: false,
        flush_in: false,
        flush_out: false,
        flush_half: false,
        alternate: false,
    };
    while let Some((word, rest)) = words.split_first() {
        match *word {
            "tiny-before" => rules.tiny_before = true,
            "flush-in" => rules.flush_in = true,
            "flush-out" => rules.flush_out = true,
            "flush-half" => rules.flush_half = true,
            "alternate" => rules.alternate = true,
            w if w.starts_with("round=") => round = named(&ROUNDS, field(w, "round")?)?,
            w if w.starts_with("nan=") => rules.nan = named(&NAN_RULES, field(w, "nan")?)?,
            _ => break,
        }
        *words = rest;
    }
    Ok(Fp { shape, round, rules })
}
