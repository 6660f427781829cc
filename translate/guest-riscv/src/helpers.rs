//! Runtime helpers of the RISC-V guest: what is rare and not worth IR.

use ir::{HelperDesc, HelperFn, HelperId, Machine, SlotSet, Stop};

/// Time counter (rdtime): nanoseconds of the host's monotonic clock scaled to 10 MHz.
pub(crate) const TIME: HelperId = HelperId(0);
/// Cycle and instruction counters: nanoseconds.
pub(crate) const CYCLE: HelperId = HelperId(1);
/// The entropy source (Zkr): 16 bits, marked as entropy.
pub(crate) const SEED: HelperId = HelperId(2);
/// A vector instruction element by element: see [`crate::vector::helper`].
pub(crate) const VEXEC: HelperId = HelperId(3);

/// The table, in the order of the numbers above.
pub(crate) fn table() -> Vec<HelperDesc> {
    let d = |name, func: HelperFn| HelperDesc {
        name,
        func,
        reads: SlotSet::None,
        writes: SlotSet::None,
        may_fault: false,
        pure_fn: false,
    };
    let vexec = HelperDesc {
        reads: SlotSet::All,
        writes: SlotSet::All,
        may_fault: true,
        ..d("vexec", crate::vector::helper)
    };
    vec![d("time", time), d("cycle", cycle), d("seed", seed), vexec]
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

fn seed(_: &mut dyn Machine, _: &[u128; 4]) -> Result<u128, Stop> {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // A keyed hash with keys from the system's entropy.
    let random = RandomState::new().build_hasher().finish();
    const ES16: u128 = 2 << 30;
    Ok(ES16 | u128::from(random as u16))
}
