//! The guest CPU's state block as kernel objects see it.

use std::sync::atomic::{AtomicU32, Ordering};

/// Registers and poll word of one guest thread.
pub struct CpuState {
    /// Non-zero makes translated code leave at the next poll.
    pub poll: AtomicU32,
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
}
