//! Every `ok_*` input loads and decodes the words of its `#=` lines; every `err_*` input fails with the text of its `#!` line.

use decodegen::{Source, load};
use std::path::PathBuf;

fn inputs(prefix: &str) -> Vec<(String, String)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/inputs");
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap())
        .filter(|e| e.file_name().to_string_lossy().starts_with(prefix))
        .map(|e| (e.file_name().to_string_lossy().into_owned(), std::fs::read_to_string(e.path()).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

#[test]
fn good_inputs_decode_as_listed() {
    for (name, text) in inputs("ok_") {
        let table = match load(&[Source { name: "in", text: &text }], 32) {
            Ok(t) => t,
            Err(e) => panic!("{name}: {e:?}"),
        };
        for line in text.lines().filter_map(|l| l.strip_prefix("#= ")) {
            let (word, want) = line.split_once(' ').unwrap();
            let word = u32::from_str_radix(word.trim_start_matches("0x"), 16).unwrap();
            let got = match table.find(word) {
                None => "-".to_string(),
                Some(r) => {
                    let args = r.args.iter().map(|(n, f)| format!(" {n}={}", f.extract(word)));
                    std::iter::once(r.name.clone()).chain(args).collect()
                }
            };
            let mut got: Vec<&str> = got.split(' ').collect();
            let mut want: Vec<&str> = want.split(' ').collect();
            got.sort_unstable();
            want.sort_unstable();
            assert_eq!(got, want, "{name}: {word:#x}");
        }
    }
}

#[test]
fn bad_inputs_are_refused_with_their_line() {
    for (name, text) in inputs("err_") {
        let want = text.lines().find_map(|l| l.strip_prefix("#! ")).unwrap();
        match load(&[Source { name: "in", text: &text }], 32) {
            Ok(_) => panic!("{name} was accepted"),
            Err(e) => assert!(e.iter().any(|e| e.to_string().contains(want)), "{name}: {e:?}"),
        }
    }
}

#[test]
fn generated_code_names_every_row() {
    for (name, text) in inputs("ok_") {
        let options = decodegen::Options { width: 32, feature: "F" };
        let code = decodegen::generate(&[Source { name: "in", text: &text }], &options).unwrap();
        assert!(code.contains("pub fn decode(insn: u32, features: &Features) -> Option<Insn>"), "{name}");
    }
}
