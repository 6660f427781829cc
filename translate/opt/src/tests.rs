//! Passes against the interpreter: a random region must do the same before and after, at every prefix of the passes.

use crate::PASSES;
use ir::testing::{Rng, ToyGuest, ToyMachine, interpret, random_region};
use ir::{Effect, Guest, Op, Region, text, verify};

/// Checks each pass by itself and all in order.
fn check(region: &Region, guest: &ToyGuest, rng: &mut Rng) {
    let start = ToyMachine::random(guest, rng);
    let mut want = start.clone();
    let exit = interpret(region, guest, &mut want, 12);
    let registers = want.registers();
    let compare = |after: &Region, name: &str| {
        let before = || format!("{name}\n{}\n{}", text::print(region, guest), text::print(after, guest));
        verify(after, guest).unwrap_or_else(|e| panic!("{e}\n{}", before()));
        let mut got = start.clone();
        assert_eq!(interpret(after, guest, &mut got, 12), exit, "{}", before());
        for (got, want) in got.registers().iter().zip(&registers) {
            assert_eq!(got, want, "{}", before());
        }
        assert!(got.memory == want.memory, "memory differs: {}", before());
        assert_eq!((got.fp, got.monitor), (want.fp, want.monitor), "{}", before());
    };
    for (name, pass) in PASSES {
        let mut r = region.clone();
        pass(&mut r, guest);
        compare(&r, name);
    }
    let mut r = region.clone();
    crate::run(&mut r, guest);
    compare(&r, "all");
}

fn many(seed: u64, runs: usize, allowed: fn(Op) -> bool) {
    let guest = ToyGuest::new();
    let mut rng = Rng::new(seed);
    for _ in 0..runs {
        let (blocks, len) = (1 + rng.below(4), 1 + rng.below(30));
        let region = random_region(&mut rng, blocks, len, allowed);
        check(&region, &guest, &mut rng);
    }
}

#[test]
fn passes_preserve_all_operations() {
    many(1, 1500, |_| true);
}

#[test]
fn passes_preserve_integer_code() {
    many(2, 6000, |op| {
        matches!(op.info().effect, Effect::Pure | Effect::ReadState | Effect::WriteState)
            && op.info().attr != ir::AttrKind::Vec
    });
}

#[test]
fn passes_preserve_flags_and_memory() {
    many(3, 6000, |op| {
        use Op::*;
        matches!(
            op,
            FlagsOf | CondFlags | SetCc | Select | Adc | Sbc | Nzcv | MkFlags | Load | Store | Get | Call
        ) || matches!(
            op,
            Add | Shl | Const | Zext32 | Trunc | FlagsMerge | FlagsSelect | FlagsPack | FlagsUnpack
        )
    });
}

/// Runs the passes over a one-block region given as text.
fn optimised(body: &str) -> String {
    let guest = ToyGuest::new();
    let src = format!("region mode=0x0\nblock 0 pc=0x1000 end=0x1004 entry\n{body}");
    let mut r = ir::parse(&src, &guest).expect("readable");
    verify(&r, &guest).expect("valid");
    crate::run(&mut r, &guest);
    assert!(!guest.slots().slots.is_empty());
    text::print(&r, &guest)
}

#[test]
fn constants_are_folded() {
    let out = optimised("%0 = const.i64 0x5\nset x0 %0\n%2 = add.i64 %0, %0\nset x1 %2\njump pc 0x1004\n");
    assert!(out.contains("const.i64 0xa"), "{out}");
}

#[test]
fn an_overwritten_slot_is_not_written() {
    let out =
        optimised("%0 = get.i64 x1\nset x0 %0\n%2 = add.i64 %0, %0\nset x0 %2\nset x1 %0\njump pc 0x1004\n");
    assert_eq!(out.matches("set x0").count(), 1, "{out}");
}

#[test]
fn a_slot_is_written_before_a_possible_fault() {
    let out = optimised("%0 = get.i64 x1\nset x0 %0\n%2 = load.i64 d %0\nset x0 %2\njump pc 0x1004\n");
    assert_eq!(out.matches("set x0").count(), 2, "{out}");
}
