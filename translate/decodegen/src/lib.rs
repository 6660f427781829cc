//! Build-time generator of instruction decoders for guests with fixed-width code.
//!
//! Stage: build script of a guest crate. Input: `*.decode` texts. Output: Rust source with one struct per argument set,
//! one enum per group (file) and one over all groups, a `decode` function that is a tree of `match`es on bit masks, the
//! printed mnemonics, the type `Features` (a set of the guest's features), and a table of rows from which tests generate
//! valid instruction words.
//!
//! The text, line by line (`#` starts a comment):
//!
//! ```text
//! .group dp_imm                     every later row goes into enum DpImm
//! %imm21  s5:19 29:2                a field made of parts, most significant first; `s` makes it signed
//! &rri    sf rd rn imm              an argument set; rows with exactly these fields share its struct
//! @rri    sf:1 .. ...... . imm:12 rn:5 rd:5
//!                                   a format: bits and fields that rows can refer to
//! add_imm add - @rri . 00 100010 . ............ ..... ..... !imm=000000000000
//!                                   a row: name, mnemonic, needed features, then items
//! {                                 rows inside braces may overlap; the first that matches wins
//! }
//! ```
//!
//! Features are `-` for none or a list `a+b` of which all are needed; `a/field=bits` is needed only where the field has
//! these bits (which may contain `x`).
//!
//! Items of a row or format: runs of `0`, `1`, `.` (given by a field or format) and `-` (ignored) bits; inline fields
//! `name:len` or `name:slen`; `name=%field` and `name=number`; `field==bits`, which
//! fixes a field of the format (with `x` in the bits it stays an argument); `@format`; `&set`; and exclusions `!field=bits` or
//! `!f=bits,g=bits` (bits may contain `x`): encodings that match the bits but do not belong to the row.
//!
//! What must hold: two rows outside one brace group never match the same word (a build error that names both lines);
//! no row is hidden completely by earlier ones of its group; every `.` is covered by a field.

mod emit;
mod model;
mod parse;

pub use model::{Field, Part, Row, Table};

/// One input text and the name it has in error messages.
pub struct Source<'a> {
    /// Shown before the line number in errors.
    pub name: &'a str,
    /// The text.
    pub text: &'a str,
}

/// What the generated code must know about the crate that includes it.
pub struct Options<'a> {
    /// Instruction width in bits, at most 32.
    pub width: u32,
    /// Path of the feature enum (`repr(u8)`), whose variants are the CamelCase names of the feature column.
    /// The set type over it, `Features`, is part of the generated code.
    pub feature: &'a str,
}

/// A mistake in a decode text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// `file:line`.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl std::error::Error for Error {}

/// Parses and checks the texts.
pub fn load(sources: &[Source<'_>], width: u32) -> Result<Table, Vec<Error>> {
    let table = parse::parse(sources, width)?;
    let errors = table.check();
    if errors.is_empty() { Ok(table) } else { Err(errors) }
}

/// Parses, checks, and prints the decoder.
pub fn generate(sources: &[Source<'_>], options: &Options<'_>) -> Result<String, Vec<Error>> {
    Ok(emit::emit(&load(sources, options.width)?, options))
}

/// All of a guest's build script: reads `DIR/FILE.decode` of the crate that is being built for every file, and writes the
/// decoder as `OUT_DIR/OUTPUT`. Mistakes in the texts fail the build with their lines.
pub fn build(dir: &str, files: &[&str], options: &Options<'_>, output: &str) {
    let variable = |name| std::path::PathBuf::from(std::env::var_os(name).expect("set by cargo"));
    let crate_dir = variable("CARGO_MANIFEST_DIR");
    println!("cargo::rerun-if-changed={}", crate_dir.join(dir).display());
    let mut texts: Vec<(String, String)> = Vec::new();
    for file in files {
        let name = format!("{dir}/{file}.decode");
        match std::fs::read_to_string(crate_dir.join(&name)) {
            Ok(text) => texts.push((name, text)),
            Err(e) => return println!("cargo::error={name}: {e}"),
        }
    }
    let sources: Vec<Source<'_>> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    match generate(&sources, options) {
        Ok(code) => std::fs::write(variable("OUT_DIR").join(output), code).expect("OUT_DIR can be written"),
        Err(errors) => errors.iter().for_each(|e| println!("cargo::error={e}")),
    }
}
