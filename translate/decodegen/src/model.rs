//! The parsed decode table, its overlap check, and a slow but obvious decoder used by tests.

use crate::Error;

/// One run of instruction bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Lowest bit.
    pub pos: u32,
    /// Number of bits.
    pub len: u32,
}

/// How an argument is obtained from the instruction word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Bits, most significant part first.
    Bits {
        /// The parts.
        parts: Vec<Part>,
        /// Whether the top bit is a sign.
        signed: bool,
    },
    /// The same number in every instruction of the row.
    Const(i64),
}

impl Field {
    /// Whether the argument has a signed type.
    pub fn signed(&self) -> bool {
        match self {
            Field::Bits { signed, .. } => *signed,
            Field::Const(v) => *v < 0,
        }
    }

    /// The value in `insn`.
    pub fn extract(&self, insn: u32) -> i64 {
        match self {
            Field::Const(v) => *v,
            Field::Bits { parts, signed } => {
                let (mut v, mut n) = (0u64, 0);
                for p in parts {
                    v = v << p.len | u64::from(insn >> p.pos) & ((1 << p.len) - 1);
                    n += p.len;
                }
                if *signed { (v as i64) << (64 - n) >> (64 - n) } else { v as i64 }
            }
        }
    }
}

/// A set of words: those with `word & mask == value`.
pub type Cube = (u32, u32);

/// One instruction form.
#[derive(Debug, Clone)]
pub struct Row {
    /// `file:line`.
    pub place: String,
    /// Index into `Table::groups`.
    pub group: usize,
    /// Row name, snake case.
    pub name: String,
    /// As printed in traces.
    pub mnemonic: String,
    /// Features that are all needed, each only for words in its cube.
    pub features: Vec<(String, Cube)>,
    /// Fixed bits.
    pub mask: u32,
    /// Their values.
    pub value: u32,
    /// Words that match the bits but do not belong to the row.
    pub excludes: Vec<Cube>,
    /// Arguments in the order of the set.
    pub args: Vec<(String, Field)>,
    /// Index into `Table::sets`; rows without arguments have none.
    pub set: Option<usize>,
    /// Brace group, if inside one.
    pub braces: Option<usize>,
}

impl Row {
    /// Whether the word belongs to the row, features aside.
    pub fn matches(&self, insn: u32) -> bool {
        insn & self.mask == self.value && !self.excludes.iter().any(|&(m, v)| insn & m == v)
    }
}

/// An argument set: name and fields with signedness.
#[derive(Debug, Clone)]
pub struct Set {
    /// Name in the text, snake case.
    pub name: String,
    /// Names of the fields.
    pub fields: Vec<String>,
    /// Per field, known after the first row that uses the set.
    pub signed: Vec<Option<bool>>,
}

/// Everything the texts declare.
#[derive(Debug, Default)]
pub struct Table {
    /// Instruction width in bits.
    pub width: u32,
    /// Group names in order of appearance.
    pub groups: Vec<String>,
    /// Argument sets.
    pub sets: Vec<Set>,
    /// Rows in order.
    pub rows: Vec<Row>,
}

/// A word of the cube that is in none of the excluded cubes.
pub(crate) fn witness(cube: Cube, excludes: &[Cube]) -> Option<u32> {
    let live: Vec<Cube> = excludes.iter().copied().filter(|&(m, v)| (v ^ cube.1) & m & cube.0 == 0).collect();
    let Some(&(m, _)) = live.first() else { return Some(cube.1) };
    if live.iter().any(|&(m, _)| m & !cube.0 == 0) {
        return None;
    }
    let bit = 1u32 << (m & !cube.0).trailing_zeros();
    witness((cube.0 | bit, cube.1), &live).or_else(|| witness((cube.0 | bit, cube.1 | bit), &live))
}

impl Table {
    /// The first row that matches, features aside.
    pub fn find(&self, insn: u32) -> Option<&Row> {
        self.rows.iter().find(|r| r.matches(insn))
    }

    /// Overlaps outside brace groups, rows that can never match, and useless brace members.
    pub fn check(&self) -> Vec<Error> {
        let mut errors = Vec::new();
        for (i, a) in self.rows.iter().enumerate() {
            let mut hidden = a.excludes.clone();
            for b in &self.rows[..i] {
                let excludes: Vec<Cube> = a.excludes.iter().chain(&b.excludes).copied().collect();
                let meet = (a.value ^ b.value) & a.mask & b.mask == 0;
                if !meet {
                    continue;
                }
                if a.braces.is_some() && a.braces == b.braces {
                    // With exclusions the earlier row hides less than its bits; then nothing is concluded. A row with
                    // other features hides nothing either.
                    if b.excludes.is_empty() && b.features.is_empty() {
                        hidden.push((b.mask, b.value));
                    }
                } else if let Some(w) = witness((a.mask | b.mask, a.value | b.value), &excludes) {
                    errors.push(Error {
                        place: a.place.clone(),
                        what: format!(
                            "row `{}` overlaps row `{}` at {}: both match {w:#010x}",
                            a.name, b.name, b.place
                        ),
                    });
                }
            }
            if witness((a.mask, a.value), &hidden).is_none() {
                errors.push(Error {
                    place: a.place.clone(),
                    what: format!("row `{}` can never match", a.name),
                });
            }
        }
        errors
    }
}
