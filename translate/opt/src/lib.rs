//! The passes: each a plain function over a region, in its own file; the order is one array here.
//!
//! Laws: a pass preserves types and effects, adds no work where code is likely to run, and is near-linear in the region's
//! size. Removed instructions become `nop`, so value numbers stay valid.
#![forbid(unsafe_code)]

mod address;
mod dead;
mod defer;
mod flag_parts;
mod fold;
mod values;

use ir::{Guest, Region};

/// A pass.
pub type Pass = fn(&mut Region, &dyn Guest);

/// The passes of the quick tier by name, in order.
pub const PASSES: &[(&str, Pass)] =
    &[("fold", fold::run), ("dead", dead::run), ("flag-parts", flag_parts::run), ("defer", defer::run)];

/// Runs all passes.
pub fn run(region: &mut Region, guest: &dyn Guest) {
    for (_, pass) in PASSES {
        pass(region, guest);
    }
}

/// Runs the passes that are not named in `off`: for bisecting.
pub fn run_without(region: &mut Region, guest: &dyn Guest, off: &[&str]) {
    for (name, pass) in PASSES {
        if !off.contains(name) {
            pass(region, guest);
        }
    }
}

#[cfg(test)]
mod tests;
