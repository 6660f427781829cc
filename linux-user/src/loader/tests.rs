//! Parse and plan on good, cut and mutilated files, with fixed seeds.

use super::plan::plan;
use super::stack::{AuxValue, Contents, at, build};
use super::*;
use crate::mm::prot;

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

/// Mutilated files: any bytes give an image or an error, and an image gives a plan that stays inside its span.
#[test]
fn mutilated_files_never_panic() {
    let mut seed = 1u64;
    let mut next = move || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        seed >> 33
    };
    let good = sample();
    let interesting =
        [0u64, 1, 0xff, 0xfff, 0x1000, 0xffff_ffff, 1 << 46, 1 << 47, u64::MAX, u64::MAX - 4095];
    let mut parsed = 0;
    for round in 0..60_000 {
        let mut file = good.clone();
        for _ in 0..1 + next() % 4 {
            // Mostly in the headers.
            let at = (next() % 288) as usize;
            if next() % 2 == 0 {
                file[at] = next() as u8;
            } else {
                let value = interesting[(next() % interesting.len() as u64) as usize].to_le_bytes();
                let at = at & !7;
                file[at..at + 8].copy_from_slice(&value);
            }
        }
        if round % 7 == 0 {
            file.truncate((next() % 0x2000) as usize);
        }
        let Ok(image) = elf::parse(&file[..], &WANTED) else { continue };
        parsed += 1;
        let base = next() << 12;
        let Ok(plan) = plan(&image, base, WANTED.task_size) else { continue };
        for piece in &plan.pieces {
            assert!(piece.range.start < piece.range.end, "{piece:?}");
            assert!(piece.range.start >= plan.span.start && piece.range.end <= plan.span.end, "{plan:?}");
            assert!(piece.range.start % 4096 == 0 && piece.range.end % 4096 == 0);
            assert!(piece.clear.is_empty() || piece.clear.end <= piece.range.end);
        }
    }
    assert!(parsed > 1000, "the mutations must not all be refused: {parsed}");
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
