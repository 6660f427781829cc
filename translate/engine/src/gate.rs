//! The gate between threads that run translated code and one that needs them all out (flush).
//!
//! A thread inside is noted in a word of its own CPU, not in a common counter: a process that shares this memory and is
//! killed inside (a vfork child) leaves with its CPU, which its parent takes off the list.

use crate::ThreadRef;
use crate::robust::{Mutex, MutexGuard};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// See the module.
#[derive(Default)]
pub(crate) struct Gate {
    closed: AtomicBool,
    /// Held by the thread that closed the gate; those who want in wait for it.
    closer: Mutex<()>,
}

/// A thread is inside as long as it has this.
pub(crate) struct Inside<'a>(&'a AtomicU32);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

/// Nobody closes the gate as long as this lives; threads stay inside.
pub(crate) struct Kept<'a>(#[expect(dead_code, reason = "held, not used")] MutexGuard<'a, ()>);

/// The gate is closed and nobody inside as long as this lives.
pub(crate) struct Closed<'a> {
    gate: &'a Gate,
    _closer: MutexGuard<'a, ()>,
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.gate.closed.store(false, Ordering::SeqCst);
    }
}

impl Gate {
    /// Goes inside; waits while the gate is closed. `word` is the calling CPU's.
    pub fn enter<'a>(&self, word: &'a AtomicU32) -> Inside<'a> {
        loop {
            // Either we see the gate closed or the closer sees us: both store first and look then, in one total order.
            word.store(1, Ordering::SeqCst);
            if !self.closed.load(Ordering::SeqCst) {
                return Inside(word);
            }
            word.store(0, Ordering::Release);
            drop(self.closer.lock());
        }
    }

    /// Opens the gate that a dead process closed, if one did.
    pub fn reclaim(&self, dead: u32) -> bool {
        let closer = self.closer.reclaim(dead);
        if closer.is_some() {
            self.closed.store(false, Ordering::SeqCst);
        }
        closer.is_some()
    }

    /// Keeps the gate open, so that a fork copies it so.
    pub fn keep(&self) -> Kept<'_> {
        Kept(self.closer.lock())
    }

    /// Closes the gate and waits until nobody is inside; `ask` is called again and again to bring them out.
    pub fn close(&self, threads: &Mutex<Vec<ThreadRef>>, ask: impl Fn(bool)) -> Closed<'_> {
        let closer = self.closer.lock();
        self.closed.store(true, Ordering::SeqCst);
        loop {
            ask(true);
            let inside = threads.lock().iter().any(|t| {
                // SAFETY: registered CPUs are alive and we hold the list; the word is atomic.
                unsafe { &*t.0 }.inside().load(Ordering::SeqCst) != 0
            });
            if !inside {
                ask(false);
                return Closed { gate: self, _closer: closer };
            }
            std::thread::sleep(std::time::Duration::from_micros(20));
        }
    }
}
