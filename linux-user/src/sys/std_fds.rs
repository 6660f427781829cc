//! Standard descriptors that were closed when the process began.
//!
//! Rust's runtime opens `/dev/null` on each of 0, 1, 2 that is closed, so that its own files do not land there. A guest
//! must find them closed, as it would without us. An initialiser that runs before the runtime notes them.

use super::raw_syscall;
use std::sync::atomic::{AtomicU32, Ordering};

static CLOSED: AtomicU32 = AtomicU32::new(0);

extern "C" fn note() {
    for fd in 0..3u64 {
        if raw_syscall(libc::SYS_fcntl, [fd, libc::F_GETFD as u64, 0, 0, 0, 0]).is_err() {
            CLOSED.fetch_or(1 << fd, Ordering::Relaxed);
        }
    }
}

#[used]
// SAFETY: the section holds functions that the C library calls once before `main`; this one needs nothing set up.
#[unsafe(link_section = ".init_array")]
static NOTE: extern "C" fn() = note;

/// Closes what was closed, before guest code runs.
pub fn restore() {
    let closed = CLOSED.swap(0, Ordering::Relaxed);
    for fd in (0..3u64).filter(|fd| closed >> fd & 1 != 0) {
        let _ = raw_syscall(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
    }
}
