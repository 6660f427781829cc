//! linux-user: runs Linux programs of another architecture as host processes.

pub mod arch;
pub mod cache;
pub mod cpu;
pub mod errno;
pub mod gdb;
pub mod guest_mem;
pub mod host;
pub mod host_signal;
pub mod loader;
pub mod log;
pub mod mm;
pub mod options;
pub mod paths;
pub mod perf;
pub mod proc_view;
pub mod process;
pub mod run;
pub mod seccomp;
pub mod signal;
pub mod start;
pub mod strace;
pub mod sys;
pub mod syscall;
pub mod task;
pub mod trace;
