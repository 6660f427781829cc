//! What the reference does otherwise, cannot do, or does differently each time: expected values from the manual.

use crate::jit::Jit;
use crate::state::{CODE, Random, State, WINDOW, random};
use crate::subject::Subject;
use crate::suite::{self, Suite};

/// The state after one instruction; the interpreter and translated code agree (in `x` only if it is the same each time).
fn run(suite: Suite, word: u32, change: impl Fn(&mut State)) -> (State, State) {
    let guest = suite.guest();
    let mut before = random(&suite, &mut Random(3), 32, false, true);
    before.fcsr = 0;
    change(&mut before);
    let code = word.to_le_bytes();
    let interpreted = Subject::new(&guest, &code, suite.breakpoints()).run(&before);
    let mut jit = Jit::new(&suite);
    jit.select(&code);
    (interpreted, jit.run(&before))
}

fn same(suite: Suite, word: u32, change: impl Fn(&mut State)) -> State {
    let (a, b) = run(suite, word, change);
    assert_eq!(a, b, "{word:08x}");
    a
}

#[test]
fn misaligned_atomics_trap() {
    // lr.w a0, (a1); sc.w a0, a2, (a1); amoadd.w a0, a2, (a1); amocas.w a0, a2, (a1)
    for word in [0x1005_a52f, 0x18c5_a52f, 0x00c5_a52f, 0x28c5_a52f] {
        let after = same(suite::MAX64, word, |s| s.x[11] = WINDOW + 2);
        assert_eq!((after.status, after.pc), (7, CODE), "{word:08x}");
    }
    // amoadd.d and, in two registers, amocas.d
    assert_eq!(same(suite::MAX64, 0x00c5_b52f, |s| s.x[11] = WINDOW + 4).status, 7);
    assert_eq!(same(suite::MAX32, 0x28c5_b52f, |s| s.x[11] = WINDOW + 4).status, 7);
}

#[test]
fn programs_may_write_blocks_back_but_not_drop_them() {
    // cbo.inval, cbo.clean, cbo.flush (a1)
    for (word, status) in [(0x0005_a00f, 4), (0x0015_a00f, 5), (0x0025_a00f, 5)] {
        assert_eq!(same(suite::MAX64, word, |s| s.x[11] = WINDOW).status, status, "{word:08x}");
    }
    assert_eq!(same(suite::U54, 0x0015_a00f, |_| ()).status, 4);
}

#[test]
fn the_entropy_source_is_read_by_writing() {
    // csrrw a0, seed, x0: 16 bits marked as entropy
    let (a, b) = run(suite::MAX64, 0x0150_1573, |_| ());
    for s in [&a, &b] {
        assert_eq!((s.status, s.x[10] >> 16), (5, 0x8000));
    }
    assert_ne!(a.x[10], b.x[10], "two readings are equal one time in 65536");
    // csrrs a0, seed, x0 only reads
    assert_eq!(same(suite::MAX64, 0x0150_2573, |_| ()).status, 4);
    assert_eq!(same(suite::U54, 0x0150_1573, |_| ()).status, 4);
}

#[test]
fn counters_count() {
    // rdcycle, rdtime, rdinstret
    for word in [0xc000_2573, 0xc010_2573, 0xc020_2573] {
        let (first, _) = run(suite::MAX64, word, |_| ());
        let (second, translated) = run(suite::MAX64, word, |_| ());
        assert_eq!((first.status, translated.status), (5, 5));
        assert!(first.x[10] <= second.x[10] && second.x[10] <= translated.x[10], "{word:08x}");
        let (narrow, _) = run(suite::MAX32, word, |_| ());
        assert_eq!((narrow.status, narrow.x[10] >> 32), (5, 0));
    }
    // rdtimeh where registers have 32 bits
    assert_eq!(run(suite::MAX32, 0xc810_2573, |_| ()).0.status, 5);
    assert_eq!(run(suite::MAX64, 0xc810_2573, |_| ()).0.status, 4);
}

#[test]
fn jumps_to_half_words_trap_without_compressed_instructions() {
    // jal x0, 6
    let after = same(suite::BASE64, 0x0060_006f, |s| (s.f, s.fcsr) = ([0; 32], 0));
    assert_eq!(after.pc, CODE + 6);
    let after = same(suite::MAX64, 0x0060_006f, |_| ());
    assert_eq!((after.status, after.pc), (5, CODE + 6));
}

#[test]
fn addresses_of_32_bits_wrap() {
    // lw a0, 1024(a1); lw a0, -4(a1); sw a2, 2047(a1); amoadd.w a0, a2, (a1)
    let load = |word, base: u64, at: usize| {
        let after = same(suite::MAX32, word, |s| {
            s.x[11] = base & 0xffff_ffff;
            s.window[at..at + 4].copy_from_slice(&0x8765_4321u32.to_le_bytes());
        });
        assert_eq!((after.status, after.x[10]), (5, 0x8765_4321));
    };
    load(0x4005_a503, WINDOW - 1024 + 16, 16);
    load(0xffc5_a503, WINDOW + 20, 16);
    // Beyond the end of the address space nothing is mapped.
    let after = same(suite::MAX32, 0x0005_a503, |s| s.x[11] = 0xffff_fffe);
    assert_eq!((after.status, after.pc), (11, CODE));
}
