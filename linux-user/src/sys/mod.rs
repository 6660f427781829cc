//! Host primitives: raw system calls and fault-safe access to guest memory. Host-OS code that others build on.

pub mod build_id;
pub mod heap;
pub mod safe_syscall;
pub mod std_fds;
pub mod uaccess;

pub use safe_syscall::{raw_syscall, safe_syscall};
