//! x87, MMX and 3DNow!.

use crate::trans::{Flow, Tr};
use iced_x86::Instruction;

impl Tr<'_> {
    /// Translates an instruction of this group; `None` if it is not one.
    pub(crate) fn x87_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        let _ = insn;
        None
    }
}
