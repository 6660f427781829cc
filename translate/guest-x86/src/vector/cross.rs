//! What moves data between the chunks of a register: permutations, inserts, broadcasts, compress and expand, gather and scatter.

use crate::trans::{Flow, Tr};
use iced_x86::Instruction;

impl Tr<'_> {
    /// Instructions of this file; `None` for others.
    pub(super) fn vector_cross(&mut self, insn: &Instruction) -> Option<Flow> {
        let _ = insn;
        None
    }
}
