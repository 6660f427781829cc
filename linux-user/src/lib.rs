//! linux-user: runs Linux programs of another architecture as host processes.

pub mod errno;
pub mod host_signal;
pub mod sys;
