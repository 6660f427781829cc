//! The helper table: guest behaviour that is not worth IR.

use crate::{mops, pauth, rmw128};
use ir::{HelperDesc, HelperId, Machine, SlotSet, Stop};
use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};

/// () -> CNTVCT_EL0
pub(crate) const CNTVCT: HelperId = HelperId(0);
/// () -> random number
pub(crate) const RNDR: HelperId = HelperId(1);
/// (pointer, modifier, key low, key high) -> code
pub(crate) const QARMA5: HelperId = HelperId(2);
/// (packed `mops::Request`)
pub(crate) const MOPS: HelperId = HelperId(3);
/// (address, operand, operation) -> old value
pub(crate) const RMW128: HelperId = HelperId(4);

/// The table, in the order of the constants above.
pub(crate) fn table() -> Vec<HelperDesc> {
    let plain = |name, func| HelperDesc {
        name,
        func,
        reads: SlotSet::None,
        writes: SlotSet::None,
        may_fault: false,
        pure_fn: false,
    };
    vec![
        plain("cntvct", cntvct),
        plain("rndr", rndr),
        HelperDesc { pure_fn: true, ..plain("qarma5", pauth::qarma5_helper) },
        HelperDesc {
            reads: SlotSet::All,
            writes: SlotSet::All,
            may_fault: true,
            ..plain("mops", mops::helper)
        },
        HelperDesc { may_fault: true, ..plain("rmw128", rmw128::helper) },
    ]
}

/// Nanoseconds of the host's monotonic clock, so that all processes and the kernel's clocks agree.
fn cntvct(_: &mut dyn Machine, _: &[u128; 4]) -> Result<u128, Stop> {
    let now =
        nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).expect("every Linux has this clock");
    Ok(now.tv_sec() as u128 * 1_000_000_000 + now.tv_nsec() as u128)
}

/// Keyed hashes of a counter; the keys come from the operating system.
fn rndr(_: &mut dyn Machine, _: &[u128; 4]) -> Result<u128, Stop> {
    thread_local! {
        static STATE: RefCell<(RandomState, u64)> = RefCell::new((RandomState::new(), 0));
    }
    Ok(u128::from(STATE.with_borrow_mut(|(keys, n)| {
        *n += 1;
        // The process id keeps a forked child from repeating its parent's numbers.
        keys.hash_one((*n, std::process::id()))
    })))
}
