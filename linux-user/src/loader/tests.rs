//! Parse and plan on good, cut and mutilated files, with fixed seeds.

use super::plan::plan;
use super::stack::{AuxValue, Contents, at, build};
use super::*;
use crate::mm::prot;
use ir::testing::{Rng, fuzz};

const WANTED: Wanted = Wanted { machine: 183, wide: true, big_endian: false, task_size: 1 << 47 };

/// A small dynamic executable: two loads, an interpreter, a stack header.
fn sample() -> Vec<u8> {
    let mut file = vec![0u8; 0x2000];
    file[..4].copy_from_slice(b"\x7fELF");
    (file[4], file[5], file[6]) = (2, 1, 1);
    let put = |file: &mut Vec<u8>, at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(&mut file, 16, &3u16.to_le_bytes());
    put(&mut file, 18, &183u16.to_le_bytes());
    put(&mut file, 24, &0x1100u64.to_le_bytes());
    put(&mut file, 32, &64u64.to_le_bytes());
    put(&mut file, 54, &56u16.to_le_bytes());
    put(&mut file, 56, &4u16.to_le_bytes());
    let mut header = |index: usize, kind: u32, flags: u32, words: [u64; 6]| {
        let at = 64 + index * 56;
        put(&mut file, at, &kind.to_le_bytes());
        put(&mut file, at + 4, &flags.to_le_bytes());
        for (i, word) in words.iter().enumerate() {
            put(&mut file, at + 8 + i * 8, &word.to_le_bytes());
        }
    };
    header(0, 3, 4, [0x200, 0x200, 0x200, 12, 12, 1]);
    header(1, 1, 5, [0, 0, 0, 0x1200, 0x1200, 0x10000]);
    header(2, 1, 6, [0x1800, 0x11800, 0x11800, 0x100, 0x3000, 0x10000]);
    header(3, 0x6474_e551, 6, [0; 6]);
    file[0x200..0x20c].copy_from_slice(b"/lib/ld.so\0\0");
    file
}

#[test]
fn a_good_file_is_parsed_and_planned() {
    let file = sample();
    let image = elf::parse(&file[..], &WANTED).unwrap();
    assert!(image.relocatable);
    assert_eq!(image.interpreter.as_deref(), Some(&b"/lib/ld.so"[..]));
    assert_eq!(image.stack, StackRights::Data);
    assert_eq!((image.phdr, image.phnum), (64, 4));
    assert_eq!(plan::alignment(&image), 0x10000);
    let plan = plan(&image, 0x5500_0000_0000, 1 << 47).unwrap();
    assert_eq!(plan.entry, 0x5500_0000_1100);
    assert_eq!(plan.span, 0x5500_0000_0000..0x5500_0001_5000);
    let pieces: Vec<_> = plan.pieces.iter().map(|p| (p.range.clone(), p.prot, p.offset)).collect();
    let base = 0x5500_0000_0000u64;
    let rw = prot::READ | prot::WRITE;
    assert_eq!(
        pieces,
        [
            (base..base + 0x2000, prot::READ | prot::EXEC, Some(0)),
            (base + 0x11000..base + 0x12000, rw, Some(0x1000)),
            (base + 0x12000..base + 0x15000, rw, None),
        ]
    );
    assert_eq!(plan.pieces[1].clear, base + 0x11900..base + 0x12000);
}

#[test]
fn refusals_name_their_reason_and_errno() {
    let file = sample();
    assert_eq!(elf::parse(&b"#!/bin/sh\n"[..], &WANTED), Err(LoadError::NotElf));
    assert_eq!(elf::parse(&b""[..], &WANTED), Err(LoadError::NotElf));
    let other = Wanted { machine: 243, ..WANTED };
    let error = elf::parse(&file[..], &other).unwrap_err();
    assert_eq!(error.message("./x"), "./x: this is an aarch64 program: use qemu-aarch64");
    assert_eq!(error.errno(), Errno::ENOEXEC);
    assert!(matches!(elf::parse(&file[..100], &WANTED), Err(LoadError::Malformed(_))));
    let mut bad = file.clone();
    bad[64 + 56 + 40..64 + 56 + 48].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(elf::parse(&bad[..], &WANTED), Err(LoadError::Malformed(_))));
}

/// Values at which the checks of a loader turn.
const EDGES: [u64; 14] = [
    0,
    1,
    0xff,
    0xfff,
    0x1000,
    0x1001,
    0xffff_ffff,
    1 << 31,
    1 << 46,
    (1 << 47) - 1,
    1 << 47,
    1 << 63,
    u64::MAX,
    u64::MAX - 4095,
];

/// A file of any class and order, made of a header, segments and a property note that may say anything.
fn wild(rng: &mut Rng, wanted: &Wanted) -> Vec<u8> {
    let mut file = vec![0u8; 0x400];
    let put = |file: &mut Vec<u8>, at: usize, size: usize, value: u64| {
        let le = value.to_le_bytes();
        for i in 0..size {
            file[at + i] = le[if wanted.big_endian { size - 1 - i } else { i }];
        }
    };
    let number = |rng: &mut Rng| match rng.below(3) {
        0 => rng.pick(&EDGES),
        1 => rng.bits() & 0x3fff,
        _ => rng.number(),
    };
    file[..4].copy_from_slice(b"\x7fELF");
    (file[4], file[5], file[6]) = (1 + u8::from(wanted.wide), 1 + u8::from(wanted.big_endian), 1);
    put(&mut file, 16, 2, 2 + rng.bits() % 2);
    put(&mut file, 18, 2, wanted.machine.into());
    let (word, entry, phoff, phent, size) =
        if wanted.wide { (8, 24, 32, 54, 56) } else { (4, 24, 28, 42, 32) };
    put(&mut file, entry, word, number(rng));
    put(&mut file, phoff, word, 64);
    put(&mut file, phent, 2, size as u64);
    let count = 1 + rng.below(6);
    put(&mut file, phent + 2, 2, count as u64);
    for i in 0..count {
        let at = 64 + i * size;
        let kind = rng.pick(&[1, 1, 1, 3, 6, 0x6474_e551, 0x6474_e553, 4]);
        put(&mut file, at, 4, kind);
        // A load near what is sensible, so that some are accepted.
        let (offset, address) = (rng.bits() & 0x3000, (rng.bits() & 0xf_f000) + 0x1_0000);
        let values = if rng.one_in(4) {
            std::array::from_fn(|_| number(rng))
        } else {
            let skew = rng.bits() & 0xfff;
            let len = rng.bits() & 0x1fff;
            [offset + skew, address + skew, address, len, len + (rng.bits() & 0x3fff), 1 << rng.below(24)]
        };
        let fields: [usize; 6] = if wanted.wide { [8, 16, 24, 32, 40, 48] } else { [4, 8, 12, 16, 20, 28] };
        for (field, value) in fields.iter().zip(values) {
            put(&mut file, at + field, word, value);
        }
        put(&mut file, at + if wanted.wide { 4 } else { 24 }, 4, rng.bits() & 7);
    }
    for byte in &mut file[0x200..] {
        *byte = rng.bits() as u8;
    }
    // The start of a property note.
    put(&mut file, 0x200, 4, 4);
    put(&mut file, 0x204, 4, number(rng));
    put(&mut file, 0x208, 4, 5);
    file[0x20c..0x210].copy_from_slice(b"GNU\0");
    file
}

/// Any bytes give an image or an error, and an image gives a plan that stays inside its span.
#[test]
fn fuzz_elf_parse_and_plan() {
    let good = sample();
    let mut parsed = 0;
    let cases = fuzz("ELF parse and plan", 3, |rng| {
        let mut wanted = WANTED;
        let mut file = good.clone();
        if rng.one_in(2) {
            wanted.wide = rng.one_in(2);
            wanted.big_endian = rng.one_in(2);
            wanted.task_size = if wanted.wide { 1 << 47 } else { 0xffff_0000 };
            file = wild(rng, &wanted);
        }
        for _ in 0..rng.below(4) {
            // Mostly in the headers.
            let at = rng.below(288);
            if rng.one_in(2) {
                file[at] = rng.bits() as u8;
            } else {
                file[at & !7..][..8].copy_from_slice(&rng.pick(&EDGES).to_le_bytes());
            }
        }
        if rng.one_in(7) {
            file.truncate(rng.below(0x2000));
        }
        let Ok(image) = elf::parse(&file[..], &wanted) else { return };
        parsed += 1;
        assert!(plan::alignment(&image).is_power_of_two());
        let base = (rng.bits() >> 20) << 12;
        let Ok(plan) = plan(&image, base, wanted.task_size) else { return };
        assert_eq!(plan.span.end - plan.span.start, plan::span_len(&image));
        for piece in &plan.pieces {
            assert!(piece.range.start < piece.range.end, "{piece:?}");
            assert!(piece.range.start >= plan.span.start && piece.range.end <= plan.span.end, "{plan:?}");
            assert!(piece.range.start % 4096 == 0 && piece.range.end % 4096 == 0);
            assert!(piece.clear.is_empty() || piece.clear.end <= piece.range.end);
        }
    });
    println!("{parsed} parsed");
    assert!(
        cases < 1000 || parsed > cases / 20,
        "the mutations must not all be refused: {parsed} of {cases}"
    );
}

/// Any strings and auxiliary values give a stack that ends at its top and holds them, or none if they do not fit.
#[test]
fn fuzz_stack() {
    fuzz("first stack", 1, |rng| {
        let strings = |rng: &mut Rng| -> Vec<Vec<u8>> {
            let longest = rng.pick(&[1, 16, 200, 5000]);
            (0..rng.below(40))
                .map(|_| (0..rng.below(longest)).map(|_| 1 + rng.bits() as u8 % 255).collect())
                .collect()
        };
        let (args, env) = (strings(rng), strings(rng));
        let aux: Vec<(u64, AuxValue)> = (0..rng.below(30))
            .map(|i| {
                let other = [AuxValue::Platform, AuxValue::Random, AuxValue::ExecFn];
                (i as u64 + 1, if rng.one_in(3) { rng.pick(&other) } else { AuxValue::Number(rng.number()) })
            })
            .collect();
        let word = rng.pick(&[4, 8]);
        let contents = Contents {
            args: &args,
            env: &env,
            exec_fn: b"./prog",
            aux: &aux,
            platform: "any",
            random: [7; 16],
            word,
            big_endian: rng.one_in(2),
        };
        let top = if word == 4 { 0xffff_0000 } else { 0x7fff_0000_0000 };
        let limit = rng.pick(&[4096, 1 << 16, 1 << 20]);
        let Some(stack) = build(&contents, top, limit) else { return };
        assert_eq!(stack.sp % 16, 0);
        assert!(stack.bytes.len() as u64 <= limit);
        assert_eq!(stack.sp + stack.bytes.len() as u64, top);
        let held =
            |s: &Vec<u8>| stack.bytes.windows(s.len() + 1).any(|w| w[..s.len()] == s[..] && w[s.len()] == 0);
        assert!(args.iter().chain(&env).take(4).all(held));
    });
}

#[test]
fn the_stack_is_laid_out_as_the_kernel_does() {
    let args = [b"prog".to_vec(), b"".to_vec()];
    let env = [b"A=b".to_vec()];
    let contents = Contents {
        args: &args,
        env: &env,
        exec_fn: b"./prog",
        aux: &[
            (at::PAGESZ, AuxValue::Number(4096)),
            (at::RANDOM, AuxValue::Random),
            (at::EXECFN, AuxValue::ExecFn),
        ],
        platform: "aarch64",
        random: [7; 16],
        word: 8,
        big_endian: false,
    };
    let top = 0x7fff_0000_0000u64;
    let stack = build(&contents, top, 1 << 20).unwrap();
    assert_eq!(stack.sp % 16, 0);
    assert_eq!(stack.sp + stack.bytes.len() as u64, top);
    let word = |index: usize| u64::from_le_bytes(stack.bytes[index * 8..index * 8 + 8].try_into().unwrap());
    let string = |addr: u64| {
        let at = (addr - stack.sp) as usize;
        let len = stack.bytes[at..].iter().position(|&b| b == 0).unwrap();
        stack.bytes[at..at + len].to_vec()
    };
    assert_eq!(word(0), 2);
    assert_eq!(string(word(1)), b"prog");
    assert_eq!(string(word(2)), b"");
    assert_eq!(word(3), 0);
    assert_eq!(string(word(4)), b"A=b");
    assert_eq!(word(5), 0);
    assert_eq!((word(6), word(7)), (at::PAGESZ, 4096));
    assert_eq!(word(8), at::RANDOM);
    assert_eq!(stack.bytes[(word(9) - stack.sp) as usize..][..16], [7; 16]);
    assert_eq!(word(10), at::EXECFN);
    assert_eq!(string(word(11)), b"./prog");
    assert_eq!((word(12), word(13)), (at::NULL, 0));
    assert_eq!(stack.args.start, word(1));
    assert_eq!(stack.args.end, stack.env.start);
    assert_eq!(build(&contents, top, 100), None);
}

#[test]
fn narrow_big_endian_stacks_use_their_own_words() {
    let args = [b"x".to_vec()];
    let contents = Contents {
        args: &args,
        env: &[],
        exec_fn: b"x",
        aux: &[],
        platform: "p",
        random: [0; 16],
        word: 4,
        big_endian: true,
    };
    let stack = build(&contents, 0xbfff_f000, 1 << 16).unwrap();
    assert_eq!(stack.bytes[..4], [0, 0, 0, 1]);
    let pointer = u32::from_be_bytes(stack.bytes[4..8].try_into().unwrap());
    assert_eq!(stack.bytes[(u64::from(pointer) - stack.sp) as usize], b'x');
}
