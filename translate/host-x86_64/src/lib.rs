//! The x86-64 host: register map, lowering, allocation, encoding.
//!
//! Input: IR of a region; output: relocatable host bytes with side tables. `asm` holds the encodings.

pub mod asm;
pub mod emit_fp;
pub mod emit_vec;
pub mod pool;
