//! The guest CPU as kernel objects hold it: the engine's state block, given back to the engine when its task goes.

pub use engine::CpuState;
use engine::Engine;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The bit of the poll word that signals and other requests of this crate use; the rest is the engine's.
const POLL_BIT: u32 = 1;

/// A registered CPU and the engine that knows it.
pub struct OwnedCpu {
    cpu: ManuallyDrop<Box<CpuState>>,
    engine: Arc<Engine>,
}

impl OwnedCpu {
    /// A new CPU, all zero.
    pub fn new(engine: &Arc<Engine>) -> OwnedCpu {
        OwnedCpu { cpu: ManuallyDrop::new(engine.new_cpu()), engine: engine.clone() }
    }

    /// A copy for a child; none if the host has no memory for it.
    pub fn duplicate(&self) -> Option<OwnedCpu> {
        let cpu = self.engine.clone_cpu(&self.cpu).ok()?;
        Some(OwnedCpu { cpu: ManuallyDrop::new(cpu), engine: self.engine.clone() })
    }

    /// Clears our request, before what it asks for is looked at.
    pub fn clear_poll(&self) {
        self.cpu.poll().fetch_and(!POLL_BIT, Ordering::SeqCst);
        // The engine's own, or nothing that waits for an empty word would come to an end.
        self.cpu.is_asked();
    }

    /// True if translated code was asked to leave.
    pub fn poll_requested(&self) -> bool {
        self.cpu.poll().load(Ordering::Relaxed) & POLL_BIT != 0
    }
}

/// Asks translated code of the CPU with this poll word to leave. Async-signal-safe.
pub fn request_poll(poll: &AtomicU32) {
    poll.fetch_or(POLL_BIT, Ordering::SeqCst);
}

impl Deref for OwnedCpu {
    type Target = CpuState;

    fn deref(&self) -> &CpuState {
        &self.cpu
    }
}

impl DerefMut for OwnedCpu {
    fn deref_mut(&mut self) -> &mut CpuState {
        &mut self.cpu
    }
}

impl Drop for OwnedCpu {
    fn drop(&mut self) {
        // SAFETY: taken once, here.
        let cpu = unsafe { ManuallyDrop::take(&mut self.cpu) };
        self.engine.release_cpu(cpu);
    }
}
