//! What the test targets and the developer's tool share: finding and building the guest programs, the modes the
//! emulator is run in, running a command with a time limit, and the list of known failures.
//!
//! Inputs: `guest-tests/` (sources with expected output beside each), the emulator binary, the Debian arm64 tree.
//! Outputs: verdicts with a command that reproduces each failure.

pub mod bench;
pub mod differential;
pub mod filetests;
pub mod guests;
pub mod known;
pub mod programs;
pub mod readme;
pub mod run;

use std::path::PathBuf;

/// The root of the workspace.
pub fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let from_cargo = here.and_then(|p| p.parent().map(PathBuf::from));
    from_cargo.unwrap_or_else(|| std::env::current_dir().expect("the working directory exists"))
}

/// The emulator under test: `$OMNIRUN_QEMU`, else the release binary.
pub fn emulator() -> PathBuf {
    std::env::var_os("OMNIRUN_QEMU").map_or_else(|| root().join("target/release/qemu-aarch64"), PathBuf::from)
}

/// Where the Debian arm64 tree and the reference emulator are: `$OMNIRUN_TREES`, else `build/trees`.
pub fn trees() -> PathBuf {
    std::env::var_os("OMNIRUN_TREES").map_or_else(|| root().join("build/trees"), PathBuf::from)
}

/// The reference emulator, if `make bench` has installed one.
pub fn reference() -> Option<PathBuf> {
    let p = trees().join("reference/usr/bin/qemu-aarch64");
    p.exists().then_some(p)
}
