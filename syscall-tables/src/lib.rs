//! What the Linux system call interface looks like: numbers, arguments, structures, constants, errors, ioctls.
//!
//! Everything is data in `linux/`; `build.rs` turns it into the tables of [`tables`]. This crate knows no emulator: it
//! describes ABIs and converts bytes between them (`layout`), values between them (`FlagSet`), and names things.
#![forbid(unsafe_code)]

mod layout;
pub mod matrix;
mod narrow;
mod types;

pub use layout::{FieldAt, Layout, convert, element, layout, read_scalar, same_layout};
pub use narrow::widen;
pub use tables::{ARCHES, Arch, CALLS, CallId, FLAG_SETS, IOCTLS, STRUCTS, flags, structs};
pub use types::*;

/// The generated tables.
mod tables {
    use crate::types::*;
    include!(concat!(env!("OUT_DIR"), "/tables.rs"));

    /// (number, name, text) of every error.
    pub(crate) fn errno_rows() -> &'static [(i32, &'static str, &'static str)] {
        ERRNO
    }

    /// Names of signals 1..=31.
    pub(crate) fn signal_rows() -> &'static [&'static str] {
        SIGNALS
    }
}

/// The ABI this program itself runs on.
pub const HOST: Arch = Arch::X86_64;
