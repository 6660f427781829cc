//! The A64 decoder, generated from `a64/*.decode` by `decodegen`. Input: an instruction word and the CPU's features.
//! Output: the instruction with its fields, named as in the Arm manual. Total: what is not allocated gives `None`.

#![allow(clippy::all, unused_qualifications, reason = "generated code")]
#![allow(unused_parens, clippy::precedence, reason = "generated code")]

include!(concat!(env!("OUT_DIR"), "/a64.rs"));
