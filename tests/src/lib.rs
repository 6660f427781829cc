//! What the test targets and the developer's tool share: finding and building the guest programs, the modes the
//! emulator is run in, running a command with a time limit, and the list of known failures.
//!
//! Inputs: `guest-tests/` (sources with expected output beside each), the emulator binaries, the Debian trees.
//! Outputs: verdicts with a command that reproduces each failure.

pub mod bench;
pub mod differential;
pub mod filetests;
pub mod guests;
pub mod known;
pub mod list;
pub mod pace;
pub mod programs;
pub mod readme;
pub mod run;
pub mod stages;
pub mod subjects;

use std::path::PathBuf;

/// The root of the workspace.
pub fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let from_cargo = here.and_then(|p| p.parent().map(PathBuf::from));
    from_cargo.unwrap_or_else(|| std::env::current_dir().expect("the working directory exists"))
}

/// Where the Debian trees and the reference emulators are: `$OMNIRUN_TREES`, else `build/trees`.
pub fn trees() -> PathBuf {
    std::env::var_os("OMNIRUN_TREES").map_or_else(|| root().join("build/trees"), PathBuf::from)
}
