//! Bit tests, scans, counts, BMI, CRC32.

use crate::trans::{Flow, Tr};
use iced_x86::Instruction;

impl Tr<'_> {
    /// Translates an instruction of this group; `None` if it is not one.
    pub(crate) fn bits_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        let _ = insn;
        None
    }
}
