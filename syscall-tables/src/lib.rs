//! syscall-tables
