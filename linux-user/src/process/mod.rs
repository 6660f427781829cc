//! Processes and threads: creation, exec, exit, waiting, identity, scheduling, futexes.

pub mod exit;
