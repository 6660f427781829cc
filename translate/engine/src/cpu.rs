//! The per-thread CPU: the state block, the look-up table for indirect branches and the return-prediction stack.

use crate::run::POLL_CODE;
use crate::sys::Mapping;
use ir::state::{GUEST_OFFSET, Header, LOOKUP_BYTES, LOOKUP_ENTRIES, flags_to_mem};
use ir::{DEAD_KEY, FpState, Recipe, SlotId, SlotTable, Type};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Bytes of the return-prediction stack, without its guard page.
const RETURN_STACK: usize = 256 << 10;
/// Bytes at its top that hold the sentinel, so that underflow is found by an ordinary return.
const SENTINEL: usize = 4096;
/// Size of the guard below it.
const GUARD: usize = 4096;

/// One look-up entry: key and host address, read by translated code.
#[repr(C)]
pub(crate) struct LookupEntry {
    pub key: AtomicU64,
    pub host: AtomicU64,
}

/// What the host's fault handler recorded about the last memory fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FaultInfo {
    /// Host signal number (0 for faults found by the interpreter or a helper: an access fault).
    pub signo: i32,
    /// Host signal code.
    pub code: i32,
    /// Guest address.
    pub addr: u64,
    /// It was a write, if known.
    pub write: Option<bool>,
    /// The host's instruction wrote, if a page fault tells: an operation that reads and writes may be told by either.
    pub host_write: Option<bool>,
    /// The access was misaligned where alignment is required.
    pub align: bool,
}

/// A guest CPU: registers and everything that translated code of this thread reaches through its state register.
#[derive(Debug)]
pub struct CpuState {
    block: NonNull<u8>,
    /// Bytes of the block.
    size: usize,
    /// The look-up table and, right above it, the block.
    memory: Mapping,
    ret: Mapping,
    /// Flush generation this CPU's return stack and table belong to.
    pub(crate) generation: u64,
}

// SAFETY: the block is owned memory; a CPU is used by one thread at a time, and what other threads touch in it (the
// poll word and the look-up table) is atomic.
unsafe impl Send for CpuState {}

impl CpuState {
    /// Allocates a zeroed CPU for a guest with this slot table; the host may have no memory for it.
    pub(crate) fn allocate(slots: &SlotTable) -> std::io::Result<CpuState> {
        let size = (GUEST_OFFSET + slots.size as usize + 63) & !63;
        // The block starts at a page, so the table below it can be given back.
        let memory = Mapping::new(LOOKUP_BYTES + size, false)?;
        // SAFETY: inside the mapping.
        let block = unsafe { memory.base().add(LOOKUP_BYTES) };
        let block = NonNull::new(block).expect("a mapping is not at null");
        let ret = Mapping::new(RETURN_STACK + GUARD, false)?;
        ret.guard(0, GUARD)?;
        let mut cpu = CpuState { block, size, memory, ret, generation: 0 };
        let (ret_base, ret_len) = (cpu.ret.base() as u64, cpu.ret.size());
        let h = cpu.header_mut();
        h.ret_lo = ret_base + GUARD as u64;
        h.ret_hi = ret_base + (ret_len - SENTINEL) as u64;
        h.monitor_addr = u64::MAX;
        h.host_fpcr = 0x1f80;
        h.guest_fpcr = 0x1f80;
        Ok(cpu)
    }

    /// Fills the sentinels, empties the look-up table: after creation and after a flush.
    pub(crate) fn reset_prediction(&mut self, return_miss: u64, generation: u64) {
        self.generation = generation;
        let (lo, hi) = (self.header().ret_hi, self.ret.base() as u64 + self.ret.size() as u64);
        for a in (lo..hi).step_by(8) {
            // SAFETY: the sentinel area is inside our own return stack mapping.
            unsafe { (a as *mut u64).write(return_miss) };
        }
        self.header_mut().ret_sp = lo;
        self.memory.discard(LOOKUP_BYTES);
        // Even a short program fills entries all over the table.
        self.memory.populate(0, LOOKUP_BYTES);
        // An all-zero entry would match key 0: the guest address 0.
        self.entry(0).key.store(DEAD_KEY, Ordering::Relaxed);
        let look_up = self.header().entries[ir::state::RuntimeEntry::LookUp as usize];
        self.entry(0).host.store(look_up, Ordering::Relaxed);
    }

    pub(crate) fn entry(&self, index: usize) -> &LookupEntry {
        assert!(index < LOOKUP_ENTRIES);
        // SAFETY: index is in range and the table is zero-initialised memory valid for atomics, alive with self.
        unsafe { &*self.memory.base().cast::<LookupEntry>().add(index) }
    }

    pub(crate) fn lookup_base(&self) -> *const LookupEntry {
        self.memory.base().cast()
    }

    /// Index of a key in the table: must match the back end's inline probe. Functions are aligned more than instructions: upper
    /// bits fill up what that leaves unused.
    pub(crate) fn lookup_index(key: u64, align_log2: u32) -> usize {
        let key = key ^ u64::from(key as u32 >> LOOKUP_ENTRIES.ilog2());
        ((key << (4 - align_log2)) as usize & ((LOOKUP_ENTRIES - 1) * 16)) / 16
    }

    /// The header.
    pub fn header(&self) -> &Header {
        // SAFETY: the block starts with a header (zeroed is valid for it) and lives as long as self.
        unsafe { self.block.cast::<Header>().as_ref() }
    }

    /// The header, mutable.
    pub fn header_mut(&mut self) -> &mut Header {
        // SAFETY: as in `header`; exclusive through &mut self.
        unsafe { self.block.cast::<Header>().as_mut() }
    }

    /// Address of the block: what translated code's state register is derived from.
    pub fn block_ptr(&self) -> *mut u8 {
        self.block.as_ptr()
    }

    /// The guest part of the state block.
    pub fn state(&self) -> &[u8] {
        // SAFETY: the guest part is inside the allocation.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr().add(GUEST_OFFSET), self.size - GUEST_OFFSET) }
    }

    /// The guest part of the state block, mutable.
    pub fn state_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `state`; exclusive through &mut self.
        unsafe {
            std::slice::from_raw_parts_mut(self.block.as_ptr().add(GUEST_OFFSET), self.size - GUEST_OFFSET)
        }
    }

    /// Guest program counter.
    pub fn pc(&self) -> u64 {
        self.header().pc
    }

    /// Sets the guest program counter.
    pub fn set_pc(&mut self, pc: u64) {
        self.header_mut().pc = pc;
    }

    /// The poll word: another thread or a signal handler sets it to make translated code leave.
    pub fn poll(&self) -> &AtomicU32 {
        &self.header().poll
    }

    /// Outside of translated code there is no code to leave: true if the poll word asks for anything else.
    pub fn is_asked(&self) -> bool {
        let poll = self.poll();
        let asked = poll.load(Ordering::Acquire);
        if asked & POLL_CODE != 0 {
            poll.fetch_and(!POLL_CODE, Ordering::AcqRel);
        }
        asked & !POLL_CODE != 0
    }

    /// Non-zero while this CPU's thread is inside the gate.
    pub(crate) fn inside(&self) -> &AtomicU32 {
        let word = &raw const self.header().inside;
        // SAFETY: an aligned word of the block, alive with self and only ever accessed atomically.
        unsafe { AtomicU32::from_ptr(word.cast_mut()) }
    }

    /// Reads 8 bytes of guest state at `offset`.
    pub fn read_u64(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.state()[offset..offset + 8].try_into().expect("8 bytes"))
    }

    /// Writes 8 bytes of guest state at `offset`.
    pub fn write_u64(&mut self, offset: usize, v: u64) {
        self.state_mut()[offset..offset + 8].copy_from_slice(&v.to_le_bytes());
    }

    /// Reads 4 bytes of guest state at `offset`.
    pub fn read_u32(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.state()[offset..offset + 4].try_into().expect("4 bytes"))
    }

    /// Writes 4 bytes of guest state at `offset`.
    pub fn write_u32(&mut self, offset: usize, v: u32) {
        self.state_mut()[offset..offset + 4].copy_from_slice(&v.to_le_bytes());
    }

    /// Reads 16 bytes of guest state at `offset`.
    pub fn read_u128(&self, offset: usize) -> u128 {
        u128::from_le_bytes(self.state()[offset..offset + 16].try_into().expect("16 bytes"))
    }

    /// Writes 16 bytes of guest state at `offset`.
    pub fn write_u128(&mut self, offset: usize, v: u128) {
        self.state_mut()[offset..offset + 16].copy_from_slice(&v.to_le_bytes());
    }

    /// Details of the last [`crate::Exit::Fault`].
    pub fn fault(&self) -> FaultInfo {
        let h = self.header();
        FaultInfo {
            signo: h.fault_signo,
            code: h.fault_code,
            addr: h.fault_addr,
            write: (h.fault_flags & 1 != 0).then_some(h.fault_flags & 2 != 0),
            host_write: (h.fault_flags & 8 != 0).then_some(h.fault_flags & 16 != 0),
            align: h.fault_flags & 4 != 0,
        }
    }

    /// Records a fault. Kept in the block, since the fault handler writes it behind the runner's back.
    pub(crate) fn set_fault(&mut self, f: FaultInfo) {
        let h = self.header_mut();
        (h.fault_signo, h.fault_code, h.fault_addr) = (f.signo, f.code, f.addr);
        let write = f.write.map_or(0, |w| 1 | u32::from(w) << 1);
        let host_write = f.host_write.map_or(0, |w| 1 | u32::from(w) << 1);
        h.fault_flags = write | u32::from(f.align) << 2 | host_write << 3;
    }

    /// Flags that translated code left as recipes become plain.
    pub(crate) fn settle_flags(&mut self, slots: &SlotTable, flags: &[SlotId]) {
        for &s in flags {
            let at = slots.get(s).offset as usize;
            if let Some(recipe) = Recipe::decode(self.read_u32(at)) {
                let value = recipe.flags(|s| {
                    let d = slots.get(s);
                    let at = d.offset as usize;
                    if d.ty == Type::I32 { u64::from(self.read_u32(at)) } else { self.read_u64(at) }
                });
                self.write_u32(at, flags_to_mem(value));
            }
        }
    }

    pub(crate) fn fp_state(&self) -> FpState {
        let h = self.header();
        FpState { flags: h.fp_flags, round: h.fp_round, sat: h.sat }
    }

    pub(crate) fn set_fp_state(&mut self, fp: FpState) {
        let h = self.header_mut();
        (h.fp_flags, h.fp_round, h.sat) = (fp.flags, fp.round, fp.sat);
    }

    /// Clears the load-linked monitor, as exceptions do.
    pub fn clear_monitor(&mut self) {
        self.header_mut().monitor_addr = u64::MAX;
    }
}
