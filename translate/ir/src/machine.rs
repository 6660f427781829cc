//! What the interpreter, the evaluator and guest helpers see of a running guest.

use crate::{Size, SlotId, SlotTable, Type};

/// Why an instruction could not finish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// Guest memory access failed.
    Fault {
        /// First guest address that could not be accessed.
        addr: u64,
        /// It was a write.
        write: bool,
    },
    /// Misaligned access where alignment is required.
    Align {
        /// The address.
        addr: u64,
    },
    /// Any other trap raised by a helper.
    Trap(crate::TrapKind, u64),
}

/// Sticky floating-point state that operations read and write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FpState {
    /// Sticky flags as [`crate::Op::GetFpFlags`].
    pub flags: u32,
    /// Dynamic rounding as [`crate::Op::SetRound`].
    pub round: u32,
    /// Sticky saturation.
    pub sat: u32,
}

/// The monitor of load-linked/store-conditional.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Monitor {
    /// Address, or all ones when clear.
    pub addr: u64,
    /// Bytes.
    pub size: u64,
    /// Value loaded.
    pub value: u128,
}

/// A guest CPU and its memory.
pub trait Machine {
    /// The guest part of the state block.
    fn state(&mut self) -> &mut [u8];
    /// The slot table.
    fn slots(&self) -> &SlotTable;
    /// The bits of an address that count: see [`crate::Guest::address_bits`].
    fn address_mask(&self) -> u64 {
        u64::MAX
    }
    /// Floating-point and saturation status.
    fn fp(&mut self) -> &mut FpState;
    /// The monitor.
    fn monitor(&mut self) -> &mut Monitor;
    /// Sets the mode bits under which control goes on: see [`crate::Op::SetMode`].
    fn set_mode(&mut self, mode: u64) {
        let _ = mode;
    }
    /// Reads guest memory. All of it or a fault at the first bad byte.
    fn load(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Stop>;
    /// Writes guest memory. All of it or a fault; nothing is written on a fault that a 16-byte access at the
    /// same place would not have written.
    fn store(&mut self, addr: u64, data: &[u8]) -> Result<(), Stop>;
    /// Copies guest memory upwards, in any pieces; how many bytes were copied before the first bad one of either side. What is
    /// written must not be read again.
    fn copy(&mut self, to: u64, from: u64, len: usize) -> usize {
        (0..len as u64).position(|k| self.copy_byte(to + k, from + k).is_err()).unwrap_or(len)
    }
    /// Fills guest memory upwards; how many bytes were written before the first bad one.
    fn fill(&mut self, to: u64, byte: u8, len: usize) -> usize {
        (0..len as u64).position(|k| self.store(to + k, &[byte]).is_err()).unwrap_or(len)
    }
    /// One step of [`Machine::copy`].
    fn copy_byte(&mut self, to: u64, from: u64) -> Result<(), Stop> {
        let mut byte = [0];
        self.load(from, &mut byte)?;
        self.store(to, &byte)
    }
    /// Atomic compare and exchange of 1 to 16 bytes; returns the old value.
    fn cas(&mut self, addr: u64, size: Size, expected: u128, new: u128) -> Result<u128, Stop>;
    /// Full memory fence.
    fn fence(&mut self);
    /// Translations of these guest code bytes are no longer valid.
    fn invalidate_code(&mut self, addr: u64, len: u64);

    /// Reads a slot, zero-extended (flags: as HPNZCV in bits 5:0).
    fn slot(&mut self, id: SlotId) -> u128 {
        let d = self.slots().get(id);
        let (off, ty) = (d.offset as usize, d.ty);
        let s = self.state();
        match ty {
            Type::Void => 0,
            Type::I32 => u128::from(u32::from_le_bytes(s[off..off + 4].try_into().expect("4 bytes"))),
            Type::I64 => u128::from(u64::from_le_bytes(s[off..off + 8].try_into().expect("8 bytes"))),
            Type::V128 => u128::from_le_bytes(s[off..off + 16].try_into().expect("16 bytes")),
            Type::Flags => {
                let mem = u32::from_le_bytes(s[off..off + 4].try_into().expect("4 bytes"));
                u128::from(match crate::Recipe::decode(mem) {
                    Some(recipe) => recipe.flags(|slot| self.slot(slot) as u64),
                    None => crate::state::flags_from_mem(mem),
                })
            }
        }
    }

    /// Writes a slot (flags: HPNZCV in bits 5:0).
    fn set_slot(&mut self, id: SlotId, value: u128) {
        let d = self.slots().get(id);
        let (off, ty) = (d.offset as usize, d.ty);
        let s = self.state();
        match ty {
            Type::Void => {}
            Type::I32 => s[off..off + 4].copy_from_slice(&(value as u32).to_le_bytes()),
            Type::I64 => s[off..off + 8].copy_from_slice(&(value as u64).to_le_bytes()),
            Type::V128 => s[off..off + 16].copy_from_slice(&value.to_le_bytes()),
            Type::Flags => {
                s[off..off + 4].copy_from_slice(&crate::state::flags_to_mem(value as u8).to_le_bytes());
            }
        }
    }
}
