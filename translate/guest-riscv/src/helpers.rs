//! Runtime helpers of the RISC-V guest: what is rare and not worth IR.

use ir::{HelperDesc, HelperFn, HelperId, Machine, SlotSet, Stop};

/// Time counter (rdtime): nanoseconds of the host's monotonic clock scaled to 10 MHz.
pub(crate) const TIME: HelperId = HelperId(0);
/// Cycle and instruction counters: nanoseconds.
pub(crate) const CYCLE: HelperId = HelperId(1);
/// fclass: (bits, log2 of the format's bytes).
pub(crate) const FCLASS: HelperId = HelperId(2);
/// A vector instruction element by element: see [`crate::vector::helper`].
pub(crate) const VEXEC: HelperId = HelperId(3);

/// The table, in the order of the numbers above.
pub(crate) fn table() -> Vec<HelperDesc> {
    let d = |name, func: HelperFn, pure_fn| HelperDesc {
        name,
        func,
        reads: SlotSet::None,
        writes: SlotSet::None,
        may_fault: false,
        pure_fn,
    };
    let vexec = HelperDesc {
        reads: SlotSet::All,
        writes: SlotSet::All,
        may_fault: true,
        ..d("vexec", crate::vector::helper, false)
    };
    vec![d("time", time, false), d("cycle", cycle, false), d("fclass", fclass, true), vexec]
}

fn nanoseconds() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

fn time(_: &mut dyn Machine, _: &[u128; 4]) -> Result<u128, Stop> {
    Ok(u128::from(nanoseconds() / 100))
}

fn cycle(_: &mut dyn Machine, _: &[u128; 4]) -> Result<u128, Stop> {
    Ok(u128::from(nanoseconds()))
}

fn fclass(_: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    let (exp_bits, width) = match a[1] {
        1 => (5, 16),
        2 => (8, 32),
        _ => (11, 64),
    };
    let bits = a[0] as u64 & (u64::MAX >> (64 - width));
    let frac_bits = width - 1 - exp_bits;
    let sign = bits >> (width - 1) & 1 != 0;
    let exp = bits >> frac_bits & ((1 << exp_bits) - 1);
    let frac = bits & ((1 << frac_bits) - 1);
    let max = (1 << exp_bits) - 1;
    let class = match (exp, frac, sign) {
        (0, 0, true) => 3,
        (0, 0, false) => 4,
        (0, _, true) => 2,
        (0, _, false) => 5,
        (e, 0, true) if e == max => 0,
        (e, 0, false) if e == max => 7,
        (e, f, _) if e == max => 8 + u32::from(f >> (frac_bits - 1) & 1 != 0),
        (_, _, true) => 1,
        (_, _, false) => 6,
    };
    Ok(1 << class)
}
