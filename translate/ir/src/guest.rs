//! What a guest front end provides: its state slots, its helpers and its translator.

use crate::{Builder, HelperId, Machine, SlotId, Stop, Type};
use std::ops::Range;

/// One piece of guest state.
#[derive(Clone, Debug)]
pub struct SlotDesc {
    /// Name as shown in dumps.
    pub name: &'static str,
    /// I32, I64, V128 or Flags. In memory flags are 4 bytes: see [`crate::state::flags_to_mem`].
    pub ty: Type,
    /// Byte offset in the guest part of the state block, aligned to the type.
    pub offset: u32,
}

/// The guest's state table.
#[derive(Clone, Debug)]
pub struct SlotTable {
    /// All slots; a [`SlotId`] is an index.
    pub slots: Vec<SlotDesc>,
    /// Bytes of the guest part of the state block.
    pub size: u32,
    /// Integer slots in order of preference for a host register at region boundaries, from measured use.
    pub pin_int: Vec<SlotId>,
    /// Vector slots in order of preference.
    pub pin_vec: Vec<SlotId>,
}

impl SlotTable {
    /// The description of a slot.
    pub fn get(&self, id: SlotId) -> &SlotDesc {
        &self.slots[id.0 as usize]
    }
}

/// Which slots a helper touches.
#[derive(Clone, Debug)]
pub enum SlotSet {
    /// None.
    None,
    /// These.
    Some(Vec<SlotId>),
    /// Possibly any.
    All,
}

/// A runtime helper: guest behaviour that is not worth IR. Arguments and result are zero-extended to 128 bits.
pub type HelperFn = fn(&mut dyn Machine, &[u128; 4]) -> Result<u128, Stop>;

/// A helper and its declared effects.
#[derive(Clone, Debug)]
pub struct HelperDesc {
    /// Name in dumps.
    pub name: &'static str,
    /// The function.
    pub func: HelperFn,
    /// Slots it reads through the machine.
    pub reads: SlotSet,
    /// Slots it writes through the machine.
    pub writes: SlotSet,
    /// It touches guest memory and may fault, or stops for another reason.
    pub may_fault: bool,
    /// Only a function of its arguments.
    pub pure_fn: bool,
}

/// What the translator is asked for.
#[derive(Clone, Copy, Debug)]
pub struct BlockRequest<'a> {
    /// Guest address of the first instruction.
    pub pc: u64,
    /// The guest's code bytes from `pc` on: as many as are readable and executable, up to the engine's limit.
    pub code: &'a [u8],
    /// CPU mode bits (guest-defined, from [`Guest::mode`]).
    pub mode: u64,
    /// Translate at most this many guest instructions.
    pub max_insns: usize,
    /// Make memory accesses strip address tags (set when a tagged access faulted here).
    pub tagged: bool,
    /// The architecture's own rights of the page of the first instruction (zero unless a page of the process has some).
    pub attributes: u32,
}

/// A guest front end for one CPU model.
pub trait Guest: Sync + Send {
    /// Name of the architecture, as in `qemu-<name>`.
    fn name(&self) -> &'static str;
    /// State table.
    fn slots(&self) -> &SlotTable;
    /// Helper table.
    fn helpers(&self) -> &[HelperDesc];
    /// The guest's own mode bits for the translation key, from the guest part of the state block. Must fit 16
    /// bits and be cheap: it is computed when code that may change the mode has run.
    fn mode(&self, state: &[u8]) -> u64;
    /// Log2 of the alignment of instructions (2 for fixed 4-byte instructions, 1 with 2-byte ones, 0 for any):
    /// spreads the look-up table.
    fn insn_align_log2(&self) -> u32;
    /// Numbers of the vector slots whose upper 8 bytes are always zero: whoever writes one keeps to that.
    fn half_slots(&self) -> Range<u16> {
        0..0
    }
    /// Width of a data address. With 32 the address of every access wraps there, and the memory lies behind a base that the
    /// engine knows: operations need not cut what they compute, but the address of an atomic one is zero-extended.
    fn address_bits(&self) -> u32 {
        64
    }
    /// Whether a denormal operand that an operation uses is an exception to the guest: the input-denormal flag then means that.
    fn reports_denormals(&self) -> bool {
        false
    }
    /// Code may change by ordinary stores, without an instruction or a call that says so: whoever keeps translations must find
    /// out by itself.
    fn code_changes_by_stores(&self) -> bool {
        false
    }
    /// What the program counter becomes on a branch to `addr`: architectures that ignore tag bits in addresses drop
    /// them here. Asked only when the address is outside the look-up keys' range.
    fn branch_address(&self, addr: u64) -> u64 {
        addr
    }
    /// Mode bits that stand while pages with rights of the architecture's own exist in the process.
    fn attributes_mode(&self) -> u64 {
        0
    }
    /// The bits of a mode that say how a block was reached. An indirect branch sets them in its destination (bits 48 to 63);
    /// they hold for the first block of a region and are zero at its direct exits.
    fn entry_modes(&self, mode: u64) -> u64 {
        let _ = mode;
        0
    }
    /// Translates one basic block at `req.pc` into `b`: `b.begin_block(pc)`, instructions each started with
    /// `b.insn(pc)`, then `b.end_block(term, end_pc)`. It may add blocks that are parts of one instruction.
    /// If `req.code` does not hold the whole first instruction the block is a [`crate::TrapKind::Fetch`] trap; if a
    /// later one is incomplete, or `max_insns` is reached, the block ends with a jump to it. Undefined
    /// instructions become [`crate::TrapKind::Illegal`] traps. Never panics on any bytes.
    fn translate_block(&self, req: &BlockRequest<'_>, b: &mut Builder);
    /// An access of the instruction at the start of `code` has failed with the state as it was before the instruction.
    /// Does what the architecture lets happen before the fault, for instance the elements of a vector below the bad one.
    /// The length of the instruction if it is complete after all, which then did not fault.
    fn after_fault(&self, machine: &mut dyn Machine, code: &[u8]) -> Option<u64> {
        let _ = (machine, code);
        None
    }
    /// Disassembles the instructions in `code` for logs: (address, bytes, text).
    fn disassemble(&self, pc: u64, code: &[u8]) -> Vec<(u64, Range<usize>, String)>;
    /// The helper with this name (used by the text form).
    fn helper_by_name(&self, name: &str) -> Option<HelperId> {
        self.helpers().iter().position(|h| h.name == name).map(|i| HelperId(i as u16))
    }
}
