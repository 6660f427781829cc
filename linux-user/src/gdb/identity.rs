//! Which process the debugger sees: its number is the real one, it was there before the debugger came, and the debugger can
//! kill it but start no other.

use super::target::Debuggee;
use gdbstub::common::Pid;
use gdbstub::target::ext::extended_mode::{
    Args, AttachKind, CurrentActivePid, CurrentActivePidOps, ExtendedMode, ShouldTerminate,
};
use gdbstub::target::{TargetError, TargetResult};

fn refused<T>() -> TargetResult<T, Debuggee> {
    Err(TargetError::Errno(libc::EPERM as u8))
}

impl ExtendedMode for Debuggee {
    fn run(&mut self, _filename: Option<&[u8]>, _args: Args<'_, '_>) -> TargetResult<Pid, Self> {
        refused()
    }

    fn attach(&mut self, _pid: Pid) -> TargetResult<(), Self> {
        refused()
    }

    fn query_if_attached(&mut self, _pid: Pid) -> TargetResult<AttachKind, Self> {
        Ok(AttachKind::Attach)
    }

    fn kill(&mut self, _pid: Option<Pid>) -> TargetResult<ShouldTerminate, Self> {
        Ok(ShouldTerminate::Yes)
    }

    fn restart(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn support_current_active_pid(&mut self) -> Option<CurrentActivePidOps<'_, Self>> {
        Some(self)
    }
}

impl CurrentActivePid for Debuggee {
    fn current_active_pid(&mut self) -> Result<Pid, Self::Error> {
        Pid::new(self.process.pid() as usize).ok_or("no process")
    }
}
