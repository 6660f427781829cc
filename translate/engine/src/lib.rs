//! The engine: translates on demand, installs, links, runs and invalidates code; one per process, shared by all
//! guest threads.
//!
//! Rules about threads (numbers are referred to in comments):
//! 1. The translation lock (`inner`) covers the store, the arena's allocation and the interner. It is never held
//!    while translated code runs, and is the innermost lock of the runtime, except for `threads`.
//! 2. A thread is in translated code only inside `gate`; a flush closes it, so it runs when no thread is in
//!    translated code.
//! 3. `threads` lists every live CPU, for clearing look-up entries and for asking threads to leave.
//! 4. The fault handler may take `inner` for a fault in translated code: by rule 1 the faulting thread does not hold it.
//! 5. Around `fork` the forking thread holds `inner` and `threads` and keeps the gate open, so they are consistent in the
//!    child. Other threads may be in translated code, which changes nothing without `inner`; waiting for them to leave
//!    made a fork among 64 busy threads take as long as scheduling them all.

mod arena;
mod config;
mod cpu;
mod descriptors;
mod gate;
mod hash;
mod hot;
mod machine;
mod persist;
pub mod robust;
mod run;
mod store;
pub mod sys;
mod tables;
mod translate;

pub use config::{Config, FastCall, InstallHook, LogItem, LogSink, Tier};
pub use cpu::{CpuState, FaultInfo};
pub use hot::{AtOnce, HotConfig};
pub use machine::{EngineMachine, Memory};
pub use persist::{
    CacheBytes, CacheConfig, CacheCounters, CacheFiles, CacheSink, ImageId, Rebuild, cache_regions,
};
pub use run::Exit;

use arena::Arena;
use descriptors::{Descriptors, Interner};
use gate::{Gate, Kept};
use ir::state::Header;
use ir::{BackEnd, Guest, Region, RuntimeFns, SlotId, Type};
use persist::Persist;
use robust::{Mutex, MutexGuard};
use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, compiler_fence};
use store::Store;

/// What the translation lock protects.
pub(crate) struct Inner {
    pub store: Store,
    pub arena: Arena,
    pub interner: Interner,
    /// Regions kept as IR for the interpreter tier, by key.
    pub interpreted: HashMap<u64, Arc<Region>>,
    /// Keys of loop heads whose loops cannot be had.
    pub lukewarm: HashSet<u64>,
    /// Guest pages where a tagged address was used: translated with checks.
    pub tagged_pages: HashSet<u64>,
    /// Debugger's breakpoints.
    pub breakpoints: std::collections::BTreeSet<u64>,
    /// Code of earlier processes.
    pub persist: Persist,
    /// Figures.
    pub counters: Counters,
    /// Nothing here is being changed: an owner that died did no harm. Only parts of an operation say so.
    pub whole: Whole,
}

/// See [`Inner::whole`].
#[derive(Default)]
pub(crate) struct Whole(AtomicBool);

impl Whole {
    /// Says so, or not any more. What the calling thread does stays on its side of this.
    pub fn set(&self, whole: bool) {
        compiler_fence(Ordering::SeqCst);
        self.0.store(whole, Ordering::Release);
        compiler_fence(Ordering::SeqCst);
    }
}

impl Inner {
    /// Starts with empty tables, reading as little as possible of the present ones: somebody died while changing them.
    fn renew(&mut self, engine: &Engine) {
        fn leave<T>(place: &mut T, new: T) {
            std::mem::forget(std::mem::replace(place, new));
        }
        let new = self.store.successor(&self.arena);
        leave(&mut self.store, new);
        leave(&mut self.interner, Interner::of(&engine.descriptors));
        leave(&mut self.interpreted, HashMap::new());
        leave(&mut self.lukewarm, HashSet::new());
        leave(&mut self.tagged_pages, HashSet::new());
        leave(&mut self.persist, Persist::new(&engine.config));
    }
}

/// A CPU known to the engine.
#[derive(Clone, Copy)]
pub(crate) struct ThreadRef(pub *const CpuState);

// SAFETY: only atomics of the CPU are reached through the pointer, and it is removed before the CPU goes away.
unsafe impl Send for ThreadRef {}

/// Figures for `info jit`-like output and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Regions installed since the start.
    pub regions: u64,
    /// Guest bytes they cover.
    pub guest_bytes: u64,
    /// Host bytes they take.
    pub host_bytes: u64,
    /// Whole-cache flushes.
    pub flushes: u64,
    /// Guest instructions translated; with [`Config::time_stages`] only, like what follows.
    pub guest_insns: u64,
    /// Nanoseconds for front end, passes, back end, installation.
    pub stage_ns: [u64; 4],
}

/// The translator of one process.
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) inner: Mutex<Inner>,
    pub(crate) threads: Mutex<Vec<ThreadRef>>,
    pub(crate) gate: Gate,
    pub(crate) descriptors: Descriptors,
    pub(crate) flush_wanted: AtomicBool,
    pub(crate) generation: AtomicU64,
    pub(crate) entries: [u64; 16],
    pub(crate) enter: u64,
    /// The guest's flags slots.
    pub(crate) flags_slots: Vec<SlotId>,
    arena_range: Range<u64>,
    address_mask: u64,
    runtime_end: u64,
}

impl Engine {
    /// Creates the engine: reserves the arena and generates the runtime entries.
    pub fn new(config: Config) -> io::Result<Box<Engine>> {
        let mut arena = Arena::new(config.arena)?;
        let fns = RuntimeFns {
            look_up: run::rt_look_up as *const () as u64,
            link: run::rt_link as *const () as u64,
            eval: run::rt_eval as *const () as u64,
            helper: run::rt_helper as *const () as u64,
            return_miss: run::rt_return_miss as *const () as u64,
            syscall: run::rt_syscall as *const () as u64,
        };
        let runtime = config.back_end.runtime(&fns);
        let base =
            arena.install(&runtime.bytes).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        arena.keep();
        let mut entries = [0; 16];
        for (i, off) in &runtime.entries {
            entries[*i] = base + u64::from(*off);
        }
        let arena_range = arena.range();
        let slots = &config.guest.slots().slots;
        let flags_slots =
            (0..slots.len()).filter(|&s| slots[s].ty == Type::Flags).map(|s| SlotId(s as u16)).collect();
        let address_mask = u64::MAX >> (64 - config.guest.address_bits());
        let persist = Persist::new(&config);
        Ok(Box::new(Engine {
            config,
            inner: Mutex::new(Inner {
                store: Store::new(&arena),
                arena,
                interner: Interner::default(),
                interpreted: HashMap::new(),
                lukewarm: HashSet::new(),
                tagged_pages: HashSet::new(),
                breakpoints: std::collections::BTreeSet::new(),
                persist,
                counters: Counters::default(),
                whole: Whole::default(),
            }),
            threads: Mutex::new(Vec::new()),
            gate: Gate::default(),
            descriptors: Descriptors::new(),
            flush_wanted: AtomicBool::new(false),
            generation: AtomicU64::new(1),
            entries,
            enter: base + u64::from(runtime.enter),
            flags_slots,
            arena_range,
            address_mask,
            runtime_end: base + runtime.bytes.len() as u64,
        }))
    }

    /// The guest.
    pub fn guest(&self) -> &dyn Guest {
        &*self.config.guest
    }

    /// Guest memory.
    pub fn memory(&self) -> &dyn Memory {
        &*self.config.memory
    }

    pub(crate) fn back_end(&self) -> &dyn BackEnd {
        &*self.config.back_end
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        let inner = self.inner.lock();
        inner.whole.set(false);
        inner
    }

    /// Figures so far.
    pub fn counters(&self) -> Counters {
        self.lock().counters
    }

    /// A new CPU, zeroed and registered.
    ///
    /// The returned box must not be moved out of while it is registered; [`Engine::release_cpu`] takes it back.
    pub fn new_cpu(&self) -> Box<CpuState> {
        self.try_new_cpu().expect("memory for a CPU")
    }

    /// As [`Engine::new_cpu`], where the host may have no memory for one more.
    pub fn try_new_cpu(&self) -> io::Result<Box<CpuState>> {
        let mut cpu = Box::new(CpuState::allocate(self.guest().slots())?);
        let entries = self.entries;
        let fpcr = self.back_end().fpcr(0);
        let h = cpu.header_mut();
        h.entries = entries;
        h.guest_fpcr = fpcr;
        h.engine = std::ptr::from_ref(self) as u64;
        let p = std::ptr::from_mut(&mut *cpu) as u64;
        cpu.header_mut().cpu = p;
        let generation = self.generation.load(Ordering::Acquire);
        cpu.reset_prediction(entries[ir::state::RuntimeEntry::ReturnMiss as usize], generation);
        self.threads.lock().push(ThreadRef(std::ptr::from_ref(&*cpu)));
        Ok(cpu)
    }

    /// A new CPU with the guest state, pc and floating-point status of `from`.
    pub fn clone_cpu(&self, from: &CpuState) -> io::Result<Box<CpuState>> {
        let mut cpu = self.try_new_cpu()?;
        cpu.state_mut().copy_from_slice(from.state());
        cpu.set_fp_state(from.fp_state());
        let (pc, mode_key, fpcr) = (from.header().pc, from.header().mode_key, from.header().guest_fpcr);
        let h = cpu.header_mut();
        (h.pc, h.mode_key, h.guest_fpcr) = (pc, mode_key, fpcr);
        Ok(cpu)
    }

    /// Unregisters and frees a CPU.
    pub fn release_cpu(&self, cpu: Box<CpuState>) {
        let p = std::ptr::from_ref(&*cpu);
        self.threads.lock().retain(|t| !std::ptr::eq(t.0, p));
        drop(cpu);
    }

    /// The guest code bytes in `range` changed, were unmapped or lost their permission.
    pub fn invalidate(&self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let mut inner = self.lock();
        if self.config.tier == Tier::Interpreter {
            inner
                .interpreted
                .retain(|_, r| !r.blocks.iter().any(|b| b.pc < range.end && range.start < b.end));
            return;
        }
        if !inner.lukewarm.is_empty() {
            inner.lukewarm.retain(|key| !range.contains(&(key & translate::PC_MASK)));
        }
        inner.persist.trim(&range);
        if inner.persist.touches(&range) {
            let Inner { store, arena, persist, .. } = &mut *inner;
            persist.release(store, arena, self.back_end());
        }
        if !inner.store.touches(&range) {
            return;
        }
        let Inner { store, arena, .. } = &mut *inner;
        let dead = store.invalidate(arena, self.back_end(), &range);
        if dead.is_empty() {
            return;
        }
        self.forget(&dead);
        self.ask_to_look_up();
    }

    /// Takes keys out of the threads' look-up tables.
    pub(crate) fn forget(&self, keys: &[u64]) {
        let align = self.guest().insn_align_log2();
        let threads = self.threads.lock();
        for t in threads.iter() {
            // SAFETY: registered CPUs are alive (release_cpu removes them first); only atomics are used.
            let cpu = unsafe { &*t.0 };
            for &key in keys {
                let e = cpu.entry(CpuState::lookup_index(key, align));
                if e.key.compare_exchange(key, ir::DEAD_KEY, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                    // A jump to an address that looks like the dead key must still be looked up.
                    e.host.store(self.entries[ir::state::RuntimeEntry::LookUp as usize], Ordering::Release);
                }
            }
        }
    }

    /// A private executable mapping of the file `id` was made at `range`, from `offset` in the file on: its code may be in
    /// the persistent cache. Told after the invalidation of what was there before.
    pub fn map_image(&self, range: Range<u64>, id: ImageId, offset: u64) {
        if self.config.cache.is_some() {
            self.lock().persist.map(range, id, offset);
        }
    }

    /// Writes new code to the persistent cache: before the process ends or becomes another program.
    pub fn save_cache(&self) {
        if self.config.cache.is_some() {
            self.save_kept(&mut self.lock());
        }
    }

    /// Figures of the persistent cache.
    pub fn cache_counters(&self) -> CacheCounters {
        self.lock().persist.counters
    }

    /// Sets or removes a breakpoint: execution arriving at `pc` leaves with a `Yield` trap before the instruction.
    pub fn set_breakpoint(&self, pc: u64, on: bool) {
        {
            let mut inner = self.lock();
            if on {
                inner.breakpoints.insert(pc)
            } else {
                inner.breakpoints.remove(&pc)
            };
        }
        self.invalidate(pc..pc.saturating_add(1));
    }

    /// Reads and replaces sticky floating-point flags from outside translated code (signal frames, clone).
    pub fn fp_flags(&self, cpu: &CpuState) -> u32 {
        let host = self.back_end().fpcr_flags(cpu.header().guest_fpcr);
        cpu.header().fp_flags | if self.guest().reports_denormals() { host } else { host & !0x80 }
    }

    /// Sets sticky flags and the dynamic rounding mode (as the `SetFpFlags` and `SetRound` ops).
    pub fn set_fp(&self, cpu: &mut CpuState, flags: u32, round: u32) {
        let fpcr = self.back_end().fpcr(round);
        let h = cpu.header_mut();
        (h.fp_flags, h.fp_round, h.guest_fpcr) = (flags, round, fpcr);
    }

    /// Called by the host's handler for SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGTRAP on the faulting thread. True if
    /// the fault belongs to translated code: then the context was rewritten so that [`Engine::run`] returns
    /// [`Exit::Fault`] (or goes on, if the fault was the return-prediction stack's). Async-signal-safe by rule 4.
    ///
    /// # Safety
    /// `uc` is the running handler's context; `cpu` is the CPU of this thread.
    pub unsafe fn recover_fault(
        &self,
        cpu: *mut CpuState,
        uc: *mut libc::ucontext_t,
        signo: i32,
        code: i32,
        addr: u64,
    ) -> bool {
        // SAFETY: the caller vouches for `uc`.
        let (pc, sp) = unsafe { sys::context_pc_sp(uc) };
        if !self.arena_range.contains(&pc) {
            return false;
        }
        // SAFETY: the caller vouches for `cpu`; translated code holds no references into it.
        let cpu = unsafe { &mut *cpu };
        let (lo, hi) = (cpu.header().ret_lo, cpu.header().ret_hi);
        if signo == libc::SIGSEGV && addr < lo && addr >= lo - 4096 && sp <= lo + 8 {
            // The return-prediction stack is full: start it again. Older returns are looked up.
            // SAFETY: the new stack pointer is inside the CPU's return stack.
            unsafe { sys::set_context_sp(uc, hi) };
            return true;
        }
        if pc < self.runtime_end {
            return false;
        }
        let exit = self.entries[ir::state::RuntimeEntry::Exit as usize];
        let found = {
            let inner = self.lock();
            inner.whole.set(true);
            let found = inner.store.fault_at(pc).or_else(|| Some((inner.persist.guest_pc(pc)?, None)));
            inner.whole.set(false);
            found
        };
        let Some((guest_pc, own_exit)) = found else { return false };
        let addr = addr.wrapping_sub(self.config.memory_base);
        // SAFETY: the caller vouches for `uc`.
        let host_write = unsafe { sys::context_write(uc) };
        cpu.set_fault(FaultInfo { signo, code, addr, write: None, host_write, align: false });
        let h: &mut Header = cpu.header_mut();
        h.pc = guest_pc;
        h.exit_code = ir::exit::FAULT;
        h.exit_info = addr;
        // SAFETY: the exit entry accepts canonical registers, which hold at every possible fault, or else the region has
        // its own way there.
        unsafe { sys::set_context_pc(uc, own_exit.unwrap_or(exit)) };
        true
    }

    /// Takes over what a dead process that shared this memory held, by the name it had (see [`robust`]). Its CPUs must be
    /// released afterwards.
    pub fn reclaim(&self, dead: u32) {
        drop(self.threads.reclaim(dead));
        if self.gate.reclaim(dead) {
            self.ask_all(false);
        }
        if let Some(mut inner) = self.inner.reclaim(dead)
            && !inner.whole.0.load(Ordering::Acquire)
        {
            // What it was changing cannot be read any more. Threads may still be in the code that there is, until the flush.
            inner.renew(self);
            self.flush_wanted.store(true, Ordering::Release);
            self.ask_to_look_up();
        }
    }

    /// Takes all locks for a `fork`.
    pub fn fork_guard(&self) -> ForkGuard<'_> {
        let gate = self.gate.keep();
        let inner = self.lock();
        let threads = self.threads.lock();
        ForkGuard { _gate: gate, inner, threads }
    }
}

/// All engine locks, held across a `fork`; dropped by parent and child.
pub struct ForkGuard<'a> {
    _gate: Kept<'a>,
    inner: MutexGuard<'a, Inner>,
    threads: MutexGuard<'a, Vec<ThreadRef>>,
}

impl ForkGuard<'_> {
    /// In the child: only `cpu`'s thread exists any more.
    pub fn child(mut self, cpu: &CpuState) {
        let regions = self.inner.store.regions().len();
        self.inner.persist.after_fork(regions);
        self.threads.retain(|t| std::ptr::eq(t.0, cpu));
    }
}
