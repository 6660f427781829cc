//! The running guest as the interpreter and out-of-line operations see it.

use crate::{CpuState, Engine};
use ir::{FpState, Machine, Monitor, Size, SlotTable, Stop};
use std::sync::atomic::{Ordering, fence};

/// Guest memory as the runtime above the translator provides it. Guest addresses in, faults out.
pub trait Memory: Sync + Send {
    /// Copies the guest's executable bytes at `addr` into `buf`; the number of bytes that may be executed
    /// (0 if not even the first).
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize;
    /// The same for a translation, which is dropped when the bytes change ([`crate::Engine::invalidate`]). Besides, whether they may
    /// change without notice: then the translation compares them with what it was made from. One call tells both, because which
    /// it is may change at any moment.
    fn hold(&self, addr: u64, buf: &mut [u8]) -> (usize, bool) {
        (self.fetch(addr, buf), false)
    }
    /// Rights of the architecture's own that the page at `addr` has.
    fn attributes(&self, addr: u64) -> u32 {
        let _ = addr;
        0
    }
    /// Whether any page has or had such rights.
    fn has_attributes(&self) -> bool {
        false
    }
    /// Reads; `Err` is the first bad address.
    fn load(&self, addr: u64, buf: &mut [u8]) -> Result<(), u64>;
    /// Writes; `Err` is the first bad address.
    fn store(&self, addr: u64, data: &[u8]) -> Result<(), u64>;
    /// Copies upwards; how many bytes, up to the first bad one.
    fn copy(&self, to: u64, from: u64, len: usize) -> usize {
        let mut byte = [0];
        let bad = |k: u64| self.load(from + k, &mut byte).and_then(|()| self.store(to + k, &byte)).is_err();
        (0..len as u64).position(bad).unwrap_or(len)
    }
    /// Fills; how many bytes, up to the first bad one.
    fn fill(&self, to: u64, byte: u8, len: usize) -> usize {
        (0..len as u64).position(|k| self.store(to + k, &[byte]).is_err()).unwrap_or(len)
    }
    /// Atomic compare and exchange; the old value.
    fn cas(&self, addr: u64, size: Size, expected: u128, new: u128) -> Result<u128, u64>;
}

/// One thread's CPU with the process's memory, for the duration of one operation.
pub struct EngineMachine<'a> {
    engine: &'a Engine,
    cpu: &'a mut CpuState,
    fp: FpState,
    monitor: Monitor,
}

impl<'a> EngineMachine<'a> {
    pub(crate) fn new(engine: &'a Engine, cpu: &'a mut CpuState) -> EngineMachine<'a> {
        let fp = cpu.fp_state();
        let h = cpu.header();
        let value = u128::from(h.monitor_value[0]) | u128::from(h.monitor_value[1]) << 64;
        let monitor = Monitor { addr: h.monitor_addr, size: h.monitor_size, value };
        EngineMachine { engine, cpu, fp, monitor }
    }
}

impl Drop for EngineMachine<'_> {
    fn drop(&mut self) {
        self.cpu.set_fp_state(self.fp);
        let h = self.cpu.header_mut();
        h.monitor_addr = self.monitor.addr;
        h.monitor_size = self.monitor.size;
        h.monitor_value = [self.monitor.value as u64, (self.monitor.value >> 64) as u64];
    }
}

impl Machine for EngineMachine<'_> {
    fn state(&mut self) -> &mut [u8] {
        self.cpu.state_mut()
    }
    fn slots(&self) -> &SlotTable {
        self.engine.guest().slots()
    }
    fn address_mask(&self) -> u64 {
        self.engine.address_mask
    }
    fn fp(&mut self) -> &mut FpState {
        &mut self.fp
    }
    fn monitor(&mut self) -> &mut Monitor {
        &mut self.monitor
    }
    fn set_mode(&mut self, mode: u64) {
        self.cpu.header_mut().mode_key = mode << 48;
    }
    fn load(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Stop> {
        self.engine.memory().load(addr, buf).map_err(|addr| Stop::Fault { addr, write: false })
    }
    fn store(&mut self, addr: u64, data: &[u8]) -> Result<(), Stop> {
        self.engine.memory().store(addr, data).map_err(|addr| Stop::Fault { addr, write: true })
    }
    fn copy(&mut self, to: u64, from: u64, len: usize) -> usize {
        self.engine.memory().copy(to, from, len)
    }
    fn fill(&mut self, to: u64, byte: u8, len: usize) -> usize {
        self.engine.memory().fill(to, byte, len)
    }
    fn cas(&mut self, addr: u64, size: Size, expected: u128, new: u128) -> Result<u128, Stop> {
        self.engine.memory().cas(addr, size, expected, new).map_err(|addr| Stop::Fault { addr, write: true })
    }
    fn fence(&mut self) {
        fence(Ordering::SeqCst);
    }
    fn invalidate_code(&mut self, addr: u64, len: u64) {
        self.engine.invalidate(addr..addr.saturating_add(len));
    }
}
