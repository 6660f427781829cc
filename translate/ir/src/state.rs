//! The state block: one allocation per guest thread, addressed by one host register in translated code.
//!
//! A [`Header`] that every guest has is followed at [`GUEST_OFFSET`] by the guest's slots. Offsets are part of the
//! contract between the back end, the engine and the interpreter; tests pin them.

use crate::{Inst, Kind, Type};
use std::sync::atomic::AtomicU32;

/// Byte offset of the guest's slots from the start of the state block.
pub const GUEST_OFFSET: usize = 2048;

/// Entries of the look-up table for indirect branches: (key, host address), 16 bytes each. A power of two.
pub const LOOKUP_ENTRIES: usize = 4096;

/// Bytes of the look-up table, which ends where the state block starts. The entry of a key is at byte
/// `key << (4 - insn_align_log2)`, modulo the table's size.
pub const LOOKUP_BYTES: usize = LOOKUP_ENTRIES * 16;

/// Counters of loops in the header, a power of two. A loop counts in the one that its head's address selects, whatever page
/// it is on.
pub const LOOP_COUNTERS: usize = 16;

/// Bytes of spill space for a back end in the header.
pub const SPILL_SLOTS: usize = 64;
/// Vectors of spill space. Values that live across guest instructions are contents of vector slots (32 on every guest so
/// far), others are an instruction's own.
pub const VSPILL_SLOTS: usize = 64;

/// The part of the state block that is the same for every guest. 64-byte aligned.
#[repr(C, align(64))]
pub struct Header {
    /// Guest program counter: valid whenever translated code is not running.
    pub pc: u64,
    /// Mode bits of the look-up key, already shifted to bits 48 to 63; `key = pc | mode_key`.
    pub mode_key: u64,
    /// Non-zero asks translated code to leave at the next poll.
    pub poll: AtomicU32,
    /// Non-zero while translated code or its stubs run.
    pub in_code: u32,
    /// Why translated code was left (see `engine::exit`).
    pub exit_code: u32,
    /// Non-zero while the thread may be in translated code: see the engine's gate.
    pub inside: u32,
    /// Detail of the exit.
    pub exit_info: u64,
    /// Host stack pointer of the runtime while translated code runs.
    pub host_sp: u64,
    /// Return-prediction stack: current pointer while outside translated code.
    pub ret_sp: u64,
    /// Return-prediction stack: lowest and highest usable address.
    pub ret_lo: u64,
    /// See `ret_lo`.
    pub ret_hi: u64,
    /// Host addresses of runtime entries, called or jumped to as `[state + offset]` so that code holds no
    /// absolute address: see [`RuntimeEntry`].
    pub entries: [u64; 16],
    /// Monitor of load-linked/store-conditional: address, or all ones when clear.
    pub monitor_addr: u64,
    /// Monitor: bytes covered.
    pub monitor_size: u64,
    /// Monitor: the value that was loaded (two halves).
    pub monitor_value: [u64; 2],
    /// Guest's sticky floating-point flags not held in the host's status register, as [`crate::Op::GetFpFlags`].
    pub fp_flags: u32,
    /// Dynamic rounding mode as [`crate::Op::SetRound`].
    pub fp_round: u32,
    /// Host floating-point control and status word while guest code runs (rounding mode, masked, sticky bits).
    pub guest_fpcr: u32,
    /// Host floating-point control word of the runtime.
    pub host_fpcr: u32,
    /// Sticky saturation flag, 0 or 1.
    pub sat: u32,
    /// Instruction counter space or padding.
    pub reserved2: u32,
    /// Last memory fault: host signal number (0 when found by the interpreter or a helper).
    pub fault_signo: i32,
    /// Last memory fault: host signal code.
    pub fault_code: i32,
    /// Last memory fault: bit 0 write known, bit 1 write, bit 2 misaligned.
    pub fault_flags: u32,
    /// Entry bits of the mode (see `Guest::entry_modes`) for the block at `pc`, consumed when it is entered.
    pub entry_mode: u32,
    /// Last memory fault: guest address.
    pub fault_addr: u64,
    /// The engine (opaque to translated code).
    pub engine: u64,
    /// The engine's per-thread CPU object (opaque to translated code).
    pub cpu: u64,
    /// The owner's pointer, free for the runtime above the engine.
    pub owner: u64,
    /// Operands of an out-of-line operation; flags in their memory form.
    pub call_args: [[u64; 2]; 4],
    /// Result of an out-of-line operation.
    pub call_result: [u64; 2],
    /// Spill space of the back end.
    pub spill: [u64; SPILL_SLOTS],
    /// Vector spill space of the back end (16 bytes each).
    pub vspill: [[u64; 2]; VSPILL_SLOTS],
    /// How often loops have run: see [`crate::Plan`].
    pub loops: [u32; LOOP_COUNTERS],
}

impl Header {
    /// The operands of an operation that is called out of line, as the interpreter wants them.
    pub fn operands(&self, inst: &Inst) -> [u128; 4] {
        let mut args = self.call_args.map(|[lo, hi]| u128::from(lo) | u128::from(hi) << 64);
        for (arg, kind) in args.iter_mut().zip(inst.kinds()) {
            if *kind == Kind::F {
                *arg = flags_from_mem(*arg as u32).into();
            }
        }
        args
    }

    /// Stores the result of such an operation as translated code wants it.
    pub fn set_result(&mut self, inst: &Inst, r: u128) {
        let r = if inst.ty == Type::Flags { flags_to_mem(r as u8).into() } else { r };
        self.call_result = [r as u64, (r >> 64) as u64];
    }
}

/// Runtime entries in [`Header::entries`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum RuntimeEntry {
    /// Jumped to: leaves translated code; exit code and info are in the header, registers canonical.
    Exit = 0,
    /// Jumped to with the key in the first scratch register: finds or translates the code and jumps there.
    LookUp = 1,
    /// Jumped to from an unlinked direct exit: its site address in the second scratch register, key in the first.
    Link = 2,
    /// Called: evaluates a pure operation out of line.
    Eval = 3,
    /// Called: runs a guest helper or an operation that touches guest memory out of line.
    Helper = 4,
    /// Jumped to when a return was mispredicted; the key in the first scratch register.
    ReturnMiss = 5,
    /// Called by a system call, with the header as for an exit: returns if the call was done in place, else leaves.
    Syscall = 6,
    /// First entry free for a back end's own use.
    BackEnd = 8,
}

/// The bits of [`flags_to_mem`]'s form that mean something.
pub const FLAGS_MEM: u32 = 0xd501;

/// In memory, flags are 4 bytes: byte 0 = V (0 or 1); byte 1 = N bit 7, Z bit 6, H bit 4, P bit 2, C bit 0, other bits
/// unspecified; bytes 2 and 3 zero; or, while translated code runs, a [`crate::Recipe`], which has a bit set there. The form
/// is chosen so that common hosts store and test it cheaply. `flags` is H=bit 5, P=bit 4, N=bit 3, Z=bit 2, C=bit 1,
/// V=bit 0.
pub fn flags_to_mem(flags: u8) -> u32 {
    let bit = |n: u32| u32::from(flags >> n & 1);
    bit(0) | bit(3) << 15 | bit(2) << 14 | bit(5) << 12 | bit(4) << 10 | bit(1) << 8
}

/// The inverse of [`flags_to_mem`].
pub fn flags_from_mem(mem: u32) -> u8 {
    let bit = |n: u32| mem >> n & 1;
    (bit(12) << 5 | bit(10) << 4 | bit(15) << 3 | bit(14) << 2 | bit(8) << 1 | bit(0)) as u8
}

const _: () = assert!(size_of::<Header>() <= GUEST_OFFSET);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_memory_form_round_trips() {
        for f in 0..64 {
            assert_eq!(flags_from_mem(flags_to_mem(f)), f);
        }
    }
}
