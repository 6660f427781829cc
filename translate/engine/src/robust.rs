//! Mutexes that survive their owner: a process that shares this memory (a vfork child) may be killed while it holds one.
//!
//! A lock says who holds it: [`OURS`], or the name that a thread of a process which may die by itself took by [`act_as`]. Whoever
//! finds such a process dead takes its locks over ([`Mutex::reclaim`]) and answers for what they guard. No lock is poisoned: a panic
//! ends the process.

use crate::sys::{futex_wait, futex_wake};
use std::cell::{Cell, UnsafeCell};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};

/// Name of the threads that live and die with this process.
pub const OURS: u32 = 1;

/// Somebody waits for the lock.
const WAITED: u32 = 1 << 31;
/// Looks at a taken lock before sleeping.
const SPINS: u32 = 60;

static NAMES: AtomicU32 = AtomicU32::new(OURS);

/// The calling thread is the only one of a new process: it takes locks as all do.
pub fn forget_name() {
    act_as(OURS);
    NOTED.with(|noted| noted.iter().for_each(|n| n.set(std::ptr::null())));
}

/// Locks that a thread with a name of its own can hold at once.
const HELD: usize = 8;

thread_local! {
    static NAME: Cell<u32> = const { Cell::new(OURS) };
    /// What such a thread has locked or is about to lock: a dead process's thread-local storage may be another's, who then
    /// reads this.
    static NOTED: [Cell<*const AtomicU32>; HELD] = const { [const { Cell::new(std::ptr::null()) }; HELD] };
}

/// A name for a process that shares this memory and may die by itself.
pub fn new_name() -> u32 {
    loop {
        let name = NAMES.fetch_add(1, Ordering::Relaxed).wrapping_add(1) & !WAITED;
        if name > OURS {
            return name;
        }
    }
}

/// The name by which the calling thread takes locks.
pub fn name() -> u32 {
    NAME.get()
}

/// From now on the calling thread takes locks by this name; the former one.
pub fn act_as(name: u32) -> u32 {
    NAME.replace(name)
}

/// Opens the locks that a dead process has left, which borrowed the calling thread's thread-local storage. For those whose
/// contents need care, [`Mutex::reclaim`] comes first.
pub fn open_locks_of(dead: u32) {
    NOTED.with(|noted| {
        for note in noted {
            // SAFETY: null, or a lock that outlives its being noted: it is in what the processes share.
            let Some(word) = (unsafe { note.replace(std::ptr::null()).as_ref() }) else { continue };
            if word.load(Ordering::Acquire) & !WAITED == dead {
                unlock(word);
            }
        }
    });
}

fn note(from: *const AtomicU32, to: *const AtomicU32) {
    NOTED.with(|noted| {
        if let Some(place) = noted.iter().find(|n| n.get() == from) {
            place.set(to);
        }
    });
}

fn unlock(word: &AtomicU32) {
    if word.swap(0, Ordering::Release) & WAITED != 0 {
        futex_wake(word);
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Mutex<T> {
    /// Zero, or the owner's name and perhaps [`WAITED`].
    word: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through a guard, of which there is one at a time.
unsafe impl<T: Send> Send for Mutex<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Mutex<T> {}

/// The lock is held as long as this lives.
#[derive(Debug)]
pub struct MutexGuard<'a, T>(&'a Mutex<T>);

impl<T> Mutex<T> {
    /// A free lock.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex { word: AtomicU32::new(0), value: UnsafeCell::new(value) }
    }

    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        let name = name();
        if name != OURS {
            note(std::ptr::null(), &self.word);
        }
        if self.word.compare_exchange(0, name, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.wait();
        }
        MutexGuard(self)
    }

    #[cold]
    fn wait(&self) {
        let mut spins = 0;
        loop {
            let word = self.word.load(Ordering::Relaxed);
            if word == 0 {
                // There may be more who wait; one waking too many does no harm.
                let mine = if spins > SPINS { name() | WAITED } else { name() };
                if self.word.compare_exchange(0, mine, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                    return;
                }
                continue;
            }
            spins += 1;
            if spins <= SPINS && word & WAITED == 0 {
                std::hint::spin_loop();
                continue;
            }
            spins = SPINS + 1;
            let waited = word | WAITED;
            if word == waited
                || self.word.compare_exchange(word, waited, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            {
                futex_wait(&self.word, waited);
            }
        }
    }

    /// Takes the lock over from a dead owner, if it has it. What is guarded may be half changed.
    pub fn reclaim(&self, dead: u32) -> Option<MutexGuard<'_, T>> {
        (self.word.load(Ordering::Acquire) & !WAITED == dead).then(|| MutexGuard(self))
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held, and the guard borrowed for as long as the reference lives.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        unlock(&self.0.word);
        if name() != OURS {
            note(&self.0.word, std::ptr::null());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_take_turns() {
        let sum = Mutex::new(0u64);
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for _ in 0..20_000 {
                        *sum.lock() += 1;
                    }
                });
            }
        });
        assert_eq!(*sum.lock(), 80_000);
    }

    #[test]
    fn a_dead_owners_lock_is_taken_over() {
        let lock = Mutex::new(5);
        let dead = new_name();
        let former = act_as(dead);
        std::mem::forget(lock.lock());
        act_as(former);
        assert!(lock.reclaim(new_name()).is_none());
        assert_eq!(lock.word.load(Ordering::Relaxed), dead, "asking for another's lock leaves it");
        std::thread::scope(|s| {
            let waiter = s.spawn(|| *lock.lock());
            while lock.word.load(Ordering::Relaxed) & WAITED == 0 {
                std::thread::yield_now();
            }
            let mut guard = lock.reclaim(dead).expect("the dead one has it");
            *guard = 6;
            drop(guard);
            assert_eq!(waiter.join().unwrap(), 6);
        });
        assert!(lock.reclaim(dead).is_none());
    }

    #[test]
    fn the_locks_of_a_thread_are_known() {
        let (a, b, c) = (Mutex::new(1), Mutex::new(2), Mutex::new(3));
        let dead = new_name();
        let former = act_as(dead);
        let first = a.lock();
        std::mem::forget(b.lock());
        drop(first);
        std::mem::forget(c.lock());
        act_as(former);
        open_locks_of(dead);
        assert_eq!((*a.lock(), *b.lock(), *c.lock()), (1, 2, 3));
    }
}
