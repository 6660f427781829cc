//! Memory that a thread keeps from one translation to the next, so that a short region does not pay for it.
//!
//! A thread may run as another process on this thread's thread-local storage, and that process may be killed at any moment, half
//! way through a move: it keeps nothing and takes nothing ([`keep_nothing`]).

use std::cell::Cell;
use std::thread::LocalKey;

/// Where something is kept.
pub type Kept<T> = LocalKey<Cell<T>>;

thread_local! {
    static NOTHING: Cell<bool> = const { Cell::new(false) };
}

/// What is kept there, or something new.
pub fn take<T: Default + 'static>(kept: &'static Kept<T>) -> T {
    if NOTHING.get() { T::default() } else { kept.take() }
}

/// Keeps this for the next [`take`].
pub fn keep<T: 'static>(kept: &'static Kept<T>, value: T) {
    if !NOTHING.get() {
        kept.set(value);
    }
}

/// From now on the calling thread keeps nothing, or does so again.
pub fn keep_nothing(nothing: bool) {
    NOTHING.set(nothing);
}
