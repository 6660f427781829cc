//! Error numbers as the kernel returns them: the table of `syscall-tables`.
//!
//! Stage: shared vocabulary of every syscall handler. The codes 512..516 never reach a guest: they say how an interrupted
//! call continues (see `signal/mod.rs`).

pub use syscall_tables::Errno;

/// What a syscall handler returns.
pub type SysResult = Result<u64, Errno>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_ret_splits_at_minus_4095() {
        assert_eq!(Errno::from_ret(-2), Err(Errno::ENOENT));
        assert_eq!(Errno::from_ret(-4096), Ok(-4096i64 as u64));
        assert_eq!(Errno::from_ret(7), Ok(7));
        assert_eq!(Errno::ENOENT.to_ret() as i64, -2);
    }

    #[test]
    fn only_restart_codes_restart() {
        assert!(Errno::ERESTARTSYS.is_restart() && Errno::ERESTARTNOINTR.is_restart());
        assert!(!Errno::EINTR.is_restart() && !Errno::ESIGRETURN.is_restart());
    }
}
