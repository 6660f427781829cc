//! Flat binaries from outside: programs made here by hand for two guests, plain and compressed, and refused ones.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const AARCH64: &str = env!("CARGO_BIN_EXE_qemu-aarch64");
const RISCV64: &str = env!("CARGO_BIN_EXE_qemu-riscv64");

/// `write(1, word at 0x24, 3); exit_group(argc)`: the word is relocated.
const AARCH64_CODE: [u32; 9] = [
    0x1800_0121, // ldr w1, .+0x24
    0xd280_0020, // mov x0, #1
    0xd280_0062, // mov x2, #3
    0xd280_0808, // mov x8, #64
    0xd400_0001, // svc #0
    0xf940_03e0, // ldr x0, [sp]
    0xd280_0bc8, // mov x8, #94
    0xd400_0001, // svc #0
    0xd503_201f, // nop
];
const RISCV64_CODE: [u32; 9] = [
    0x0000_0297, // auipc t0, 0
    0x0242_a583, // lw a1, 0x24(t0)
    0x0010_0513, // li a0, 1
    0x0030_0613, // li a2, 3
    0x0400_0893, // li a7, 64
    0x0000_0073, // ecall
    0x0001_3503, // ld a0, 0(sp)
    0x05e0_0893, // li a7, 94
    0x0000_0073, // ecall
];

/// Header, code, the word (to be relocated to the data's start), data "hi\n", one relocation.
fn flat(code: &[u32; 9], flags: u32, word: u32) -> Vec<u8> {
    let mut file = b"bFLT".to_vec();
    // version, entry, data start, data end, bss end, stack, relocations, their number, flags
    for field in [4, 64, 104, 108, 4096, 65536, 108, 1, flags, 0, 0, 0, 0, 0, 0] {
        file.extend_from_slice(&field.to_be_bytes());
    }
    code.iter().for_each(|word| file.extend_from_slice(&word.to_le_bytes()));
    file.extend_from_slice(&word.to_be_bytes());
    file.extend_from_slice(b"hi\n\0");
    file.extend_from_slice(&36u32.to_be_bytes());
    file
}

fn gzip(file: &mut Vec<u8>, from: usize) {
    let packed = miniz_oxide::deflate::compress_to_vec(&file[from..], 9);
    file.truncate(from);
    file.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
    file.extend_from_slice(&packed);
    file.extend_from_slice(&[0; 8]);
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn run(emulator: &str, path: &Path, args: &[&str]) -> Output {
    Command::new(emulator).arg(path).args(args).output().unwrap()
}

#[test]
fn flat_binaries_run() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("flat-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    for (emulator, code) in [(AARCH64, &AARCH64_CODE), (RISCV64, &RISCV64_CODE)] {
        for (name, flags, packed_from) in
            [("plain", 1, None), ("gzip", 4, Some(64)), ("gzdata", 8, Some(104))]
        {
            let mut file = flat(code, flags, 40);
            if let Some(from) = packed_from {
                gzip(&mut file, from);
            }
            let out = run(emulator, &write(&dir, name, &file), &["a", "b"]);
            assert_eq!(
                (out.stdout.as_slice(), out.status.code()),
                (&b"hi\n"[..], Some(3)),
                "{name}: {out:?}"
            );
        }
        for (name, file, part) in [
            ("library", flat(code, 1, 0x0200_0000), "shared library 2"),
            ("cut", flat(code, 1, 40)[..100].to_vec(), "cut off"),
            ("damaged", flat(code, 4, 40), "damaged"),
        ] {
            let out = run(emulator, &write(&dir, name, &file), &[]);
            let err = String::from_utf8_lossy(&out.stderr).into_owned();
            assert!(err.contains(part) && err.lines().count() == 1, "{name}: {err}");
            assert_eq!(out.status.code(), Some(255), "{name}");
        }
    }
    std::fs::remove_dir_all(dir).unwrap();
}
