//! Runtime helpers of the RISC-V guest: what is rare and not worth IR.

use ir::{HelperDesc, HelperFn, HelperId, Machine, SlotSet, Stop};

/// Time counter (rdtime): nanoseconds of the host's monotonic clock scaled to 10 MHz.
pub(crate) const TIME: HelperId = HelperId(0);
/// Cycle and instruction counters: nanoseconds.
pub(crate) const CYCLE: HelperId = HelperId(1);
/// fclass: (bits, log2 of the format's bytes).
pub(crate) const FCLASS: HelperId = HelperId(2);
/// Carry-less product, low half.
pub(crate) const CLMUL: HelperId = HelperId(3);
/// High half.
pub(crate) const CLMULH: HelperId = HelperId(4);
/// Reversed product.
pub(crate) const CLMULR: HelperId = HelperId(5);
/// Crossbar permutation of nibbles.
pub(crate) const XPERM4: HelperId = HelperId(6);
/// Crossbar permutation of bytes.
pub(crate) const XPERM8: HelperId = HelperId(7);

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
    vec![
        d("time", time, false),
        d("cycle", cycle, false),
        d("fclass", fclass, true),
        d("clmul", clmul, true),
        d("clmulh", clmulh, true),
        d("clmulr", clmulr, true),
        d("xperm4", xperm4, true),
        d("xperm8", xperm8, true),
    ]
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

fn product(a: u128, b: u128) -> u128 {
    (0..64).filter(|i| b >> i & 1 != 0).fold(0, |acc, i| acc ^ (a & u128::from(u64::MAX)) << i)
}

fn clmul(_: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    Ok(product(a[0], a[1]) & u128::from(u64::MAX))
}

fn clmulh(_: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    Ok(product(a[0], a[1]) >> 64)
}

fn clmulr(_: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    Ok(product(a[0], a[1]) >> 63 & u128::from(u64::MAX))
}

fn xperm(table: u64, index: u64, width: u32) -> u128 {
    let mask = (1u64 << width) - 1;
    let lanes = 64 / width;
    let mut r = 0;
    for i in 0..lanes {
        let k = index >> (i * width) & mask;
        if k < u64::from(lanes) {
            r |= (table >> (k as u32 * width) & mask) << (i * width);
        }
    }
    u128::from(r)
}

fn xperm4(_: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    Ok(xperm(a[0] as u64, a[1] as u64, 4))
}

fn xperm8(_: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    Ok(xperm(a[0] as u64, a[1] as u64, 8))
}
