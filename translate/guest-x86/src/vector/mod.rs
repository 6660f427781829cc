//! SSE to AVX-512: instructions on XMM, YMM, ZMM and mask registers, MXCSR, and the XSAVE family.
//!
//! Most instructions are rows of `table.rs`: an operation on 128-bit chunks, which `rows.rs` repeats over the vector's length and
//! surrounds with what the encodings differ in (legacy forms keep the upper bits, VEX forms clear them, EVEX forms mask). What
//! does not fit has a function of its own: moves (`moves.rs`), what crosses chunks (`cross.rs`), mask registers (`masks.rs`),
//! conversions between widths (`convert.rs`), state (`state.rs`). What has no operation in the IR is a helper (`helpers.rs`).

mod convert;
mod cross;
mod helpers;
mod helpers_fp;
mod helpers_int;
mod helpers_state;
mod helpers_string;
mod helpers_wide;
mod masks;
mod mmx;
mod moves;
mod operand;
mod rows;
mod scalar;
mod state;
mod table;

use crate::trans::{Flow, Tr};
use iced_x86::Instruction;

pub(crate) use helpers::helpers;

impl Tr<'_> {
    /// Translates an instruction of this group; `None` if it is not one.
    pub(crate) fn vector_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        if let Some(row) = table::row(insn) {
            return Some(self.vector_row(insn, &row));
        }
        None.or_else(|| self.vector_move(insn))
            .or_else(|| self.vector_scalar(insn))
            .or_else(|| self.vector_convert(insn))
            .or_else(|| self.vector_cross(insn))
            .or_else(|| self.mask_insn(insn))
            .or_else(|| self.vector_state(insn))
    }
}
