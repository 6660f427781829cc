//! The guest CPU's state block as kernel objects see it.

use std::sync::atomic::{AtomicU32, Ordering};

/// Registers and poll word of one guest thread.
pub struct CpuState {
    /// Non-zero makes translated code leave at the next poll.
    pub poll: AtomicU32,
    pc: u64,
    state: Vec<u8>,
}

impl CpuState {
    /// Clears the request, before what it asks for is looked at.
    pub fn clear_poll(&self) {
        self.poll.store(0, Ordering::SeqCst);
    }

    /// True if translated code was asked to leave.
    pub fn poll_requested(&self) -> bool {
        self.poll.load(Ordering::Relaxed) != 0
    }

    /// Guest program counter.
    pub fn pc(&self) -> u64 {
        self.pc
    }

    /// Sets the guest program counter.
    pub fn set_pc(&mut self, pc: u64) {
        self.pc = pc;
    }

    /// The guest part of the state block.
    pub fn state(&self) -> &[u8] {
        &self.state
    }

    /// The guest part of the state block, mutable.
    pub fn state_mut(&mut self) -> &mut [u8] {
        &mut self.state
    }

    /// Reads 8 bytes of guest state at `offset`.
    pub fn read_u64(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.state()[offset..offset + 8].try_into().expect("8 bytes"))
    }

    /// Writes 8 bytes of guest state at `offset`.
    pub fn write_u64(&mut self, offset: usize, v: u64) {
        self.state_mut()[offset..offset + 8].copy_from_slice(&v.to_le_bytes());
    }
}
