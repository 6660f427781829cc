//! Processes and threads: creation, exec, exit, identity, futexes. What the host kernel can do with the guest's own
//! arguments (waiting, scheduling, credentials) is a plain call in the syscall tables.

pub mod exit;
