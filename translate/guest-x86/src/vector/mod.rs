//! SSE to AVX-512: instructions on XMM, YMM, ZMM and mask registers, MXCSR, and the XSAVE family.

use crate::trans::{Flow, Tr};
use iced_x86::Instruction;

impl Tr<'_> {
    /// Translates an instruction of this group; `None` if it is not one.
    pub(crate) fn vector_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        let _ = insn;
        None
    }
}
