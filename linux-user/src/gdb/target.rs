//! The guest as `gdbstub` sees it. All methods run on the server's thread while every guest thread is held, except those
//! that resume.

use super::signals::from_gdb;
use super::{Action, CHANGED, Catch, WATCHING, Watch, state};
use crate::arch::Arch;
use crate::cpu::CpuState;
use crate::mm::Mm;
use crate::task::Process;
use engine::Engine;
use gdbstub::arch::{RegId, Registers};
use gdbstub::common::{Pid, Signal, Tid};
use gdbstub::target::ext::auxv::{Auxv, AuxvOps};
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::multithread::{
    MultiThreadBase, MultiThreadRangeStepping, MultiThreadRangeSteppingOps, MultiThreadResume,
    MultiThreadResumeOps, MultiThreadSchedulerLocking, MultiThreadSchedulerLockingOps, MultiThreadSingleStep,
    MultiThreadSingleStepOps,
};
use gdbstub::target::ext::base::single_register_access::{SingleRegisterAccess, SingleRegisterAccessOps};
use gdbstub::target::ext::breakpoints::{
    Breakpoints, BreakpointsOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint, SwBreakpointOps, WatchKind,
};
use gdbstub::target::ext::catch_syscalls::{CatchSyscalls, CatchSyscallsOps, SyscallNumbers};
use gdbstub::target::ext::exec_file::{ExecFile, ExecFileOps};
use gdbstub::target::ext::extended_mode::ExtendedModeOps;
use gdbstub::target::ext::host_io::HostIoOps;
use gdbstub::target::ext::target_description_xml_override::{
    TargetDescriptionXmlOverride, TargetDescriptionXmlOverrideOps,
};
use gdbstub::target::ext::thread_extra_info::{ThreadExtraInfo, ThreadExtraInfoOps};
use gdbstub::target::{Target, TargetError, TargetResult};
use std::fs::File;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A file that the debugger has open.
pub enum OpenFile {
    /// A host file.
    File(File),
    /// What stands for a file.
    Content(Vec<u8>),
}

/// The process under the debugger.
pub struct Debuggee {
    /// Its threads.
    pub process: Arc<Process>,
    /// Its memory.
    pub mm: Arc<Mm>,
    /// Its translator.
    pub engine: Arc<Engine>,
    /// Its architecture.
    pub arch: &'static dyn Arch,
    /// `/proc/self/mem`: writes read-only pages as ptrace does.
    pub memory: File,
    /// `-L`.
    pub sysroot: Option<PathBuf>,
    /// What the debugger has open.
    pub files: Vec<Option<OpenFile>>,
}

/// Registers of any architecture, as bytes in the debugger's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnyRegisters(Vec<u8>);

impl Registers for AnyRegisters {
    type ProgramCounter = u64;

    fn pc(&self) -> u64 {
        0
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        for &byte in &self.0 {
            write_byte(Some(byte));
        }
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        self.0 = bytes.to_vec();
        Ok(())
    }
}

/// A register's number in the target description.
#[derive(Clone, Copy, Debug)]
pub struct AnyRegister(usize);

impl RegId for AnyRegister {
    fn from_raw_id(id: usize) -> Option<(Self, Option<NonZeroUsize>)> {
        Some((AnyRegister(id), None))
    }

    fn to_raw_id(&self) -> Option<usize> {
        Some(self.0)
    }
}

/// Any 64-bit architecture; what differs is in the target description.
pub struct AnyArch;

impl gdbstub::arch::Arch for AnyArch {
    type Usize = u64;
    type Registers = AnyRegisters;
    type BreakpointKind = usize;
    type RegId = AnyRegister;
}

impl Debuggee {
    /// Runs `act` on a held thread's CPU.
    fn with_cpu<T>(
        &self,
        tid: Tid,
        act: impl FnOnce(&mut CpuState) -> T,
    ) -> Result<T, TargetError<&'static str>> {
        let state = state();
        let thread = state.threads.get(&(tid.get() as i32)).ok_or(TargetError::Errno(libc::ESRCH as u8))?;
        // SAFETY: the thread is held, and cannot be resumed while we hold the state (rule 1).
        Ok(act(unsafe { &mut *thread.cpu }))
    }

    /// Lets all threads run with the actions they have.
    pub fn resume_all(&self) {
        let mut state = state();
        if state.due().is_some() {
            return;
        }
        state.stopped = false;
        let locked = state.locked;
        for thread in state.threads.values_mut() {
            thread.hold = locked && !thread.chosen;
            if !thread.hold && thread.status == super::Status::Held {
                // From here on it is on its own.
                thread.status = super::Status::Running;
                thread.resumed = true;
            }
        }
        CHANGED.notify_all();
    }

    fn set_action(&self, tid: Tid, action: Action, signal: Option<Signal>) {
        if let Some(thread) = state().threads.get_mut(&(tid.get() as i32)) {
            thread.action = action;
            thread.chosen = true;
            thread.signal = signal.map(from_gdb);
        }
    }
}

pub(super) fn copy_part(bytes: &[u8], offset: u64, length: usize, buf: &mut [u8]) -> usize {
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let count = (bytes.len() - from).min(length).min(buf.len());
    buf[..count].copy_from_slice(&bytes[from..from + count]);
    count
}

impl Target for Debuggee {
    type Arch = AnyArch;
    type Error = &'static str;

    fn base_ops(&mut self) -> BaseOps<'_, AnyArch, &'static str> {
        BaseOps::MultiThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_target_description_xml_override(
        &mut self,
    ) -> Option<TargetDescriptionXmlOverrideOps<'_, Self>> {
        Some(self)
    }

    fn support_catch_syscalls(&mut self) -> Option<CatchSyscallsOps<'_, Self>> {
        Some(self)
    }

    fn support_extended_mode(&mut self) -> Option<ExtendedModeOps<'_, Self>> {
        Some(self)
    }

    fn use_fork_stop_reason(&self) -> bool {
        true
    }

    fn support_exec_file(&mut self) -> Option<ExecFileOps<'_, Self>> {
        Some(self)
    }

    fn support_host_io(&mut self) -> Option<HostIoOps<'_, Self>> {
        Some(self)
    }

    fn support_auxv(&mut self) -> Option<AuxvOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadBase for Debuggee {
    fn read_registers(&mut self, regs: &mut AnyRegisters, tid: Tid) -> TargetResult<(), Self> {
        let (arch, engine) = (self.arch, self.engine.clone());
        regs.0 = self.with_cpu(tid, |cpu| {
            (0..arch.gdb_registers().len()).flat_map(|index| arch.gdb_read(&engine, cpu, index)).collect()
        })?;
        Ok(())
    }

    fn write_registers(&mut self, regs: &AnyRegisters, tid: Tid) -> TargetResult<(), Self> {
        let (arch, engine) = (self.arch, self.engine.clone());
        self.with_cpu(tid, |cpu| {
            let mut rest = &regs.0[..];
            for (index, register) in arch.gdb_registers().iter().enumerate() {
                let Some((value, tail)) = rest.split_at_checked(register.bits as usize / 8) else { break };
                arch.gdb_write(&engine, cpu, index, value);
                rest = tail;
            }
        })
    }

    fn support_single_register_access(&mut self) -> Option<SingleRegisterAccessOps<'_, Tid, Self>> {
        Some(self)
    }

    fn read_addrs(&mut self, start: u64, data: &mut [u8], _tid: Tid) -> TargetResult<usize, Self> {
        let got = self.mm.mem().copy_in_partial(start, data);
        if got > 0 || data.is_empty() {
            return Ok(got);
        }
        // The debugger may read what the program may not.
        let allowed = self.mm.find(start).is_some();
        match self.memory.read_at(data, start) {
            Ok(got) if allowed && got > 0 => Ok(got),
            Ok(_) | Err(_) => Err(TargetError::Errno(libc::EFAULT as u8)),
        }
    }

    fn write_addrs(&mut self, start: u64, data: &[u8], _tid: Tid) -> TargetResult<(), Self> {
        if !self.mm.is_mapped(start, data.len() as u64) || self.memory.write_all_at(data, start).is_err() {
            return Err(TargetError::Errno(libc::EFAULT as u8));
        }
        self.mm.invalidate_code(start, data.len() as u64);
        Ok(())
    }

    fn list_active_threads(&mut self, thread_is_active: &mut dyn FnMut(Tid)) -> Result<(), Self::Error> {
        let tids: Vec<i32> = state().threads.keys().copied().collect();
        for tid in tids {
            if let Some(tid) = Tid::new(tid as usize) {
                thread_is_active(tid);
            }
        }
        Ok(())
    }

    fn support_resume(&mut self) -> Option<MultiThreadResumeOps<'_, Self>> {
        Some(self)
    }

    fn support_thread_extra_info(&mut self) -> Option<ThreadExtraInfoOps<'_, Self>> {
        Some(self)
    }
}

impl SingleRegisterAccess<Tid> for Debuggee {
    fn read_register(&mut self, tid: Tid, reg: AnyRegister, buf: &mut [u8]) -> TargetResult<usize, Self> {
        let (arch, engine) = (self.arch, self.engine.clone());
        if reg.0 >= arch.gdb_registers().len() {
            return Err(TargetError::NonFatal);
        }
        let value = self.with_cpu(tid, |cpu| arch.gdb_read(&engine, cpu, reg.0))?;
        let count = value.len().min(buf.len());
        buf[..count].copy_from_slice(&value[..count]);
        Ok(count)
    }

    fn write_register(&mut self, tid: Tid, reg: AnyRegister, value: &[u8]) -> TargetResult<(), Self> {
        let (arch, engine) = (self.arch, self.engine.clone());
        if reg.0 >= arch.gdb_registers().len() {
            return Err(TargetError::NonFatal);
        }
        self.with_cpu(tid, |cpu| arch.gdb_write(&engine, cpu, reg.0, value))
    }
}

impl MultiThreadResume for Debuggee {
    fn resume(&mut self) -> Result<(), Self::Error> {
        self.resume_all();
        Ok(())
    }

    fn clear_resume_actions(&mut self) -> Result<(), Self::Error> {
        let mut state = state();
        state.locked = false;
        for thread in state.threads.values_mut() {
            thread.action = Action::Continue;
            thread.chosen = false;
            thread.signal = None;
        }
        Ok(())
    }

    fn set_resume_action_continue(&mut self, tid: Tid, signal: Option<Signal>) -> Result<(), Self::Error> {
        self.set_action(tid, Action::Continue, signal);
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<MultiThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_range_step(&mut self) -> Option<MultiThreadRangeSteppingOps<'_, Self>> {
        Some(self)
    }

    fn support_scheduler_locking(&mut self) -> Option<MultiThreadSchedulerLockingOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadSingleStep for Debuggee {
    fn set_resume_action_step(&mut self, tid: Tid, signal: Option<Signal>) -> Result<(), Self::Error> {
        self.set_action(tid, Action::Step, signal);
        Ok(())
    }
}

impl MultiThreadRangeStepping for Debuggee {
    fn set_resume_action_range_step(&mut self, tid: Tid, start: u64, end: u64) -> Result<(), Self::Error> {
        self.set_action(tid, Action::Range(start, end), None);
        Ok(())
    }
}

impl MultiThreadSchedulerLocking for Debuggee {
    fn set_resume_action_scheduler_lock(&mut self) -> Result<(), Self::Error> {
        state().locked = true;
        Ok(())
    }
}

impl ThreadExtraInfo for Debuggee {
    fn thread_extra_info(&self, tid: Tid, buf: &mut [u8]) -> Result<usize, Self::Error> {
        let path = format!("/proc/self/task/{}/comm", tid.get());
        let name = std::fs::read(path).unwrap_or_default();
        let name = name.strip_suffix(b"\n").unwrap_or(&name);
        Ok(copy_part(name, 0, buf.len(), buf))
    }
}

impl Breakpoints for Debuggee {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl SwBreakpoint for Debuggee {
    fn add_sw_breakpoint(&mut self, addr: u64, _kind: usize) -> TargetResult<bool, Self> {
        if self.mm.find(addr).is_none() {
            return Ok(false);
        }
        state().breakpoints.insert(addr);
        self.engine.set_breakpoint(addr, true);
        Ok(true)
    }

    fn remove_sw_breakpoint(&mut self, addr: u64, _kind: usize) -> TargetResult<bool, Self> {
        let was = state().breakpoints.remove(&addr);
        self.engine.set_breakpoint(addr, false);
        Ok(was)
    }
}

impl HwWatchpoint for Debuggee {
    fn add_hw_watchpoint(&mut self, addr: u64, len: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        if len > 4096 {
            return Ok(false);
        }
        let mut bytes = vec![0; len as usize];
        if self.mm.mem().copy_in(addr, &mut bytes).is_err() {
            return Ok(false);
        }
        state().watches.push(Watch { addr, kind, bytes });
        WATCHING.store(true, Ordering::Relaxed);
        Ok(true)
    }

    fn remove_hw_watchpoint(&mut self, addr: u64, len: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        let mut state = state();
        let same = |w: &Watch| w.addr == addr && w.bytes.len() as u64 == len && w.kind == kind;
        let found = state.watches.iter().position(same);
        if let Some(index) = found {
            state.watches.remove(index);
        }
        WATCHING.store(!state.watches.is_empty(), Ordering::Relaxed);
        Ok(found.is_some())
    }
}

impl TargetDescriptionXmlOverride for Debuggee {
    fn target_description_xml(
        &self,
        annex: &[u8],
        offset: u64,
        length: usize,
        buf: &mut [u8],
    ) -> TargetResult<usize, Self> {
        if annex != b"target.xml" {
            return Err(TargetError::NonFatal);
        }
        Ok(copy_part(self.arch.gdb_description().as_bytes(), offset, length, buf))
    }
}

impl Auxv for Debuggee {
    fn get_auxv(&self, offset: u64, length: usize, buf: &mut [u8]) -> TargetResult<usize, Self> {
        Ok(copy_part(&self.mm.lock().image.auxv, offset, length, buf))
    }
}

impl ExecFile for Debuggee {
    fn get_exec_file(
        &self,
        _pid: Option<Pid>,
        offset: u64,
        length: usize,
        buf: &mut [u8],
    ) -> TargetResult<usize, Self> {
        Ok(copy_part(self.process.exec.exe.as_os_str().as_bytes(), offset, length, buf))
    }
}

impl CatchSyscalls for Debuggee {
    fn enable_catch_syscalls(&mut self, filter: Option<SyscallNumbers<'_, u64>>) -> TargetResult<(), Self> {
        state().catch = match filter {
            Some(numbers) => Catch::Some(numbers.collect()),
            None => Catch::All,
        };
        Ok(())
    }

    fn disable_catch_syscalls(&mut self) -> TargetResult<(), Self> {
        state().catch = Catch::None;
        Ok(())
    }
}
