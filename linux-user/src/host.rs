//! The host's back end, chosen at run time.
//!
//! Input: the level that `-host` allows; output: the back end for this machine. A new host is an arm here.

use host_x86_64::X86_64;
use host_x86_64::asm::{Features, Level};
use ir::{BackEnd, SlotTable};

/// The back end for a guest with these slots, at most at `level`. The error is one line.
pub fn back_end(slots: &SlotTable, level: Option<&str>) -> Result<Box<dyn BackEnd>, String> {
    let level = match level {
        None | Some("avx512") => Level::Avx512,
        Some("avx2") => Level::Avx2,
        Some("sse" | "sse2" | "sse4") => Level::Sse,
        Some(other) => return Err(format!("'-host' takes sse, avx2 or avx512, not '{other}'")),
    };
    Ok(Box::new(X86_64::new(Features::detect_at_most(level), slots)))
}
