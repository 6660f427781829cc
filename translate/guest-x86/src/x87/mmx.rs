//! MMX: eight registers of 64 bits in the x87's. An instruction of it empties the stack's history: TOP is 0, all registers
//! are in use, and a register that is written gets the exponent of a NaN.

use crate::trans::{Flow, Tr};
use iced_x86::Instruction;

impl Tr<'_> {
    /// Translates an MMX instruction; `None` if it is not one.
    pub(super) fn mmx_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        let _ = insn;
        None
    }
}
