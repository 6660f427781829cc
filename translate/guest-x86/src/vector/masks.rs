//! Mask registers.

use crate::trans::{Flow, Tr};
use iced_x86::Instruction;

impl Tr<'_> {
    /// Instructions on mask registers; `None` for others.
    pub(super) fn mask_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        let _ = insn;
        None
    }
}
