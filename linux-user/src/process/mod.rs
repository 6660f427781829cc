//! Processes and threads: creation, exec, exit, identity, futexes. What the host kernel can do with the guest's own
//! arguments (waiting, scheduling, credentials) is a plain call in the syscall tables.

mod clone;
pub mod core_file;
mod exec;
pub mod exit;
mod futex;
pub mod own;
mod prctl;
mod privileged;
mod sysroot;

pub use clone::{sys_clone, sys_clone3, sys_fork, sys_vfork};
pub use exec::{sys_execve, sys_execveat};
pub use futex::{
    sys_exit, sys_exit_group, sys_futex, sys_futex_requeue, sys_futex_time64, sys_futex_waitv,
    sys_get_robust_list, sys_set_robust_list, sys_set_tid_address,
};
pub use own::{sys_chroot, sys_pivot_root};
pub use prctl::{sys_personality, sys_prctl};
