//! The decoder, generated from `rv/*.decode` by `decodegen`. Input: a 32-bit instruction and the CPU's features; output: the
//! instruction with its fields, named as in the manual. Total: what is not allocated gives `None`.

#![allow(clippy::all, unused_qualifications, reason = "generated code")]
#![allow(unused_parens, clippy::precedence, reason = "generated code")]

include!(concat!(env!("OUT_DIR"), "/rv.rs"));
