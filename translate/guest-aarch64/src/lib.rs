//! The AArch64 guest: CPU models, decoder, and the front end that turns instructions into IR.

#![forbid(unsafe_code)]

pub mod cpu;
pub mod decode;
