//! Standard descriptors that were closed when the process began.
//!
//! While the emulator starts, each of 0, 1, 2 that is closed is `/dev/null`, so that its own files do not land there. The
//! guest finds them closed, as it would without us.

use super::raw_syscall;
use std::sync::atomic::{AtomicU32, Ordering};

static CLOSED: AtomicU32 = AtomicU32::new(0);

/// Fills the gaps, first of all.
pub fn fill() {
    for fd in 0..3u64 {
        if raw_syscall(libc::SYS_fcntl, [fd, libc::F_GETFD as u64, 0, 0, 0, 0]).is_err() {
            // The lowest that is free is this one.
            let args = [libc::AT_FDCWD as u64, c"/dev/null".as_ptr() as u64, libc::O_RDWR as u64, 0, 0, 0];
            if raw_syscall(libc::SYS_openat, args) == Ok(fd) {
                CLOSED.fetch_or(1 << fd, Ordering::Relaxed);
            }
        }
    }
}

/// Closes what was closed, before guest code runs.
pub fn restore() {
    let closed = CLOSED.swap(0, Ordering::Relaxed);
    for fd in (0..3u64).filter(|fd| closed >> fd & 1 != 0) {
        let _ = raw_syscall(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
    }
}
