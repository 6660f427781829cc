//! Running: the entry into translated code and the functions that translated code calls back.

use crate::cpu::LookupEntry;
use crate::translate::{Code, PC_MASK, build_region};
use crate::{CpuState, Engine, EngineMachine, FaultInfo, LogItem, Tier};
use ir::interp::{self, BlockExit};
use ir::state::{Header, LOOP_COUNTERS, RuntimeEntry};
use ir::{BlockId, Stop, TrapKind, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Why [`Engine::run`] returned. State is exact and in the CPU, `pc` included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// System call; pc is the next instruction.
    Syscall,
    /// The poll word was set. Whoever set it clears it.
    Poll,
    /// A trap; pc as the trap says.
    Trap(TrapKind, u64),
    /// A memory fault at pc: see [`CpuState::fault`].
    Fault,
    /// The instruction at pc cannot be fetched.
    Fetch,
}

impl Engine {
    /// Runs the CPU until something needs the runtime.
    pub fn run(&self, cpu: &mut CpuState) -> Exit {
        self.refresh_mode(cpu);
        loop {
            self.settle_pc(cpu);
            if cpu.is_asked() {
                return Exit::Poll;
            }
            if cpu.pc() & !PC_MASK != 0 {
                return Exit::Fetch;
            }
            let exit = match self.config.tier {
                Tier::Quick => self.run_translated(cpu),
                Tier::Interpreter => self.run_interpreted(cpu),
            };
            if let Some(exit) = exit {
                return exit;
            }
        }
    }

    /// The program counter that a branch to the address in `pc` leaves, and how the block there is reached.
    fn settle_pc(&self, cpu: &mut CpuState) {
        let to = cpu.pc();
        if to & !PC_MASK != 0 {
            cpu.header_mut().entry_mode = (to >> 48 & self.entry_modes(cpu)) as u32;
            cpu.set_pc(self.guest().branch_address(to));
        }
    }

    fn entry_modes(&self, cpu: &CpuState) -> u64 {
        self.guest().entry_modes(cpu.header().mode_key >> 48)
    }

    /// The key of the block at `pc`, with how it is reached.
    fn entry_key(&self, cpu: &CpuState) -> u64 {
        let h = cpu.header();
        let entry = if h.entry_mode == 0 { 0 } else { u64::from(h.entry_mode) & self.entry_modes(cpu) };
        h.pc | h.mode_key | entry << 48
    }

    fn run_translated(&self, cpu: &mut CpuState) -> Option<Exit> {
        if self.flush_wanted.load(Ordering::Acquire) {
            self.flush();
        }
        // SAFETY: the block belongs to the CPU, which outlives this call; the word is atomic and nobody else's to write.
        let inside = unsafe { AtomicU32::from_ptr(&raw mut cpu.header_mut().inside) };
        let _in_code = self.gate.enter(inside);
        let generation = self.generation.load(Ordering::Acquire);
        if cpu.generation != generation {
            cpu.reset_prediction(self.entries[RuntimeEntry::ReturnMiss as usize], generation);
        }
        let key = self.entry_key(cpu);
        if self.config.log_mask & (LogItem::Exec as u32 | LogItem::Cpu as u32) != 0 {
            self.log_exec(cpu);
        }
        let host = match self.look_up(cpu, key) {
            Ok(Some(h)) => h,
            Ok(None) => return Some(Exit::Fetch),
            Err(crate::translate::ArenaFull) => {
                self.flush_wanted.store(true, Ordering::Release);
                return None;
            }
        };
        if self.address_mask != u64::MAX {
            crate::sys::use_memory_base(self.config.memory_base);
        }
        cpu.header_mut().entry_mode = 0;
        // SAFETY: `enter` is the back end's entry with this signature; `host` is installed code for this guest, and
        // the gate keeps it installed while we run. The code changes the CPU only through this pointer.
        unsafe {
            let enter: extern "C" fn(*mut u8, u64) = std::mem::transmute(self.enter as *const ());
            enter(cpu.block_ptr(), host);
        }
        self.settle_pc(cpu);
        cpu.settle_flags(self.guest().slots(), &self.flags_slots);
        let h = cpu.header();
        match h.exit_code & 0xff {
            exit::SYSCALL => Some(Exit::Syscall),
            exit::POLL => cpu.is_asked().then_some(Exit::Poll),
            exit::TRAP => Some(Exit::Trap(trap_kind(h.exit_code >> 8), h.exit_info)),
            exit::FAULT => self.finish_fault(cpu),
            exit::FETCH => Some(Exit::Fetch),
            exit::RESUME => {
                // A transfer that the runtime could not make has said the mode; it may know less than the state tells.
                if h.exit_code & KEEP_MODE == 0 {
                    self.refresh_mode(cpu);
                }
                None
            }
            exit::HOT => {
                // The head counts once more when it is entered now: that must not overflow again.
                let n = (h.pc >> self.guest().insn_align_log2()) as usize % LOOP_COUNTERS;
                cpu.header_mut().loops[n] = 0;
                if self.heat(cpu).is_err() {
                    self.flush_wanted.store(true, Ordering::Release);
                }
                None
            }
            other => unreachable!("exit code {other} at guest pc {:#x}", h.pc),
        }
    }

    /// A fault recorded by the handler or a helper. Accesses through tagged or otherwise non-canonical addresses
    /// are told apart here, since the host does not report their address.
    fn finish_fault(&self, cpu: &mut CpuState) -> Option<Exit> {
        // The mode may have changed since the block began.
        self.refresh_mode(cpu);
        let f = cpu.fault();
        if f.signo == libc::SIGSEGV && f.code == SI_KERNEL {
            let page = cpu.pc() >> 12;
            let new = self.lock().tagged_pages.insert(page);
            if new {
                self.invalidate(page << 12..(page + 1) << 12);
                return None;
            }
            // The access itself is bad: the interpreter finds the address.
            return self.step_one(cpu, true);
        }
        self.settle_fault(cpu)
    }

    /// Lets the guest do what an instruction does before it faults; perhaps it does not fault at all.
    fn settle_fault(&self, cpu: &mut CpuState) -> Option<Exit> {
        let mut code = [0; 16];
        let n = self.config.memory.fetch(cpu.pc(), &mut code);
        let done = self.guest().after_fault(&mut EngineMachine::new(self, cpu), &code[..n]);
        let Some(len) = done else { return Some(Exit::Fault) };
        cpu.set_pc(cpu.pc().wrapping_add(len));
        self.refresh_mode(cpu);
        None
    }

    /// Executes exactly one guest instruction by the interpreter, ignoring breakpoints.
    pub fn step(&self, cpu: &mut CpuState) -> Option<Exit> {
        self.refresh_mode(cpu);
        self.settle_pc(cpu);
        if cpu.pc() & !PC_MASK != 0 {
            return Some(Exit::Fetch);
        }
        self.step_one(cpu, false)
    }

    fn step_one(&self, cpu: &mut CpuState, tagged: bool) -> Option<Exit> {
        let mode = self.entry_key(cpu) >> 48;
        cpu.header_mut().entry_mode = 0;
        let region = {
            let mut inner = self.lock();
            if tagged {
                inner.tagged_pages.insert(cpu.pc() >> 12);
            }
            build_region(&self.config, &inner, cpu.pc(), mode, 1, true, &mut Code::default())
        };
        match region {
            Some(r) => self.interpret(cpu, &r),
            None => Some(Exit::Fetch),
        }
    }

    fn run_interpreted(&self, cpu: &mut CpuState) -> Option<Exit> {
        let key = self.entry_key(cpu);
        cpu.header_mut().entry_mode = 0;
        let region = {
            let mut inner = self.lock();
            match inner.interpreted.get(&key) {
                Some(r) => Arc::clone(r),
                None => {
                    let mode = key >> 48;
                    let max = self.max_insns();
                    let code = &mut Code::default();
                    let r = build_region(&self.config, &inner, cpu.pc(), mode, max, false, code);
                    let Some(mut r) = r else { return Some(Exit::Fetch) };
                    opt::run(&mut r, self.guest());
                    let r = Arc::new(r);
                    if inner.interpreted.len() > 1 << 16 {
                        inner.interpreted.clear();
                    }
                    inner.interpreted.insert(key, Arc::clone(&r));
                    r
                }
            }
        };
        if self.config.log_mask & (LogItem::Exec as u32 | LogItem::Cpu as u32) != 0 {
            self.log_exec(cpu);
        }
        self.interpret(cpu, &region)
    }

    fn interpret(&self, cpu: &mut CpuState, region: &ir::Region) -> Option<Exit> {
        let exit = {
            // Flags accumulated in the host's status word belong to the same sticky set.
            let flags = self.fp_flags(cpu);
            let round = cpu.header().fp_round;
            self.set_fp(cpu, flags, round);
            let mut m = EngineMachine::new(self, cpu);
            let e = interp::run_block(region, BlockId(0), &mut m, self.guest().helpers());
            drop(m);
            // Here the next block is translated by itself, so no recipe may go on to it.
            cpu.settle_flags(self.guest().slots(), &self.flags_slots);
            let (flags, round) = (cpu.header().fp_flags, cpu.header().fp_round);
            self.set_fp(cpu, flags, round);
            e
        };
        match exit {
            BlockExit::Next(pc) => {
                cpu.set_pc(pc);
                self.settle_pc(cpu);
                None
            }
            BlockExit::Switch { pc, mode } => {
                cpu.set_pc(pc);
                cpu.header_mut().mode_key = mode << 48;
                None
            }
            BlockExit::Resume { pc } => {
                cpu.set_pc(pc);
                self.refresh_mode(cpu);
                None
            }
            BlockExit::Syscall { next } => {
                cpu.set_pc(next);
                Some(Exit::Syscall)
            }
            BlockExit::Trap { kind, pc, info } => {
                cpu.set_pc(pc);
                Some(Exit::Trap(kind, info))
            }
            BlockExit::Stop { pc, stop } => {
                cpu.set_pc(pc);
                self.refresh_mode(cpu);
                if let Stop::Fault { addr, .. } = stop
                    && addr & !PC_MASK != 0
                {
                    // Perhaps a tagged address: once more with tags stripped, as `finish_fault` does.
                    let page = pc >> 12;
                    let new = self.lock().tagged_pages.insert(page);
                    if new {
                        self.invalidate(page << 12..(page + 1) << 12);
                        return None;
                    }
                }
                match stop_exit(cpu, stop) {
                    Exit::Fault => self.settle_fault(cpu),
                    other => Some(other),
                }
            }
        }
    }

    fn log_exec(&self, cpu: &CpuState) {
        self.log(LogItem::Exec, &format!("Trace 0: [{:016x}]\n", cpu.pc()));
        if let Some(f) = self.config.dump_cpu {
            self.log(LogItem::Cpu, &f(cpu));
        }
    }

    /// Finds or makes the code for `key` and enters it in the thread's table.
    fn look_up(&self, cpu: &CpuState, key: u64) -> Result<Option<u64>, crate::translate::ArenaFull> {
        let index = CpuState::lookup_index(key, self.guest().insn_align_log2());
        // SAFETY: the index is below the number of entries and the table lives as long as the CPU.
        let e: &LookupEntry = unsafe { &*cpu.lookup_base().add(index) };
        // Another thread may take the key out meanwhile (`forget`), and puts the runtime's entry there, which wants a key
        // in its register and would take the host address for one. Only we put keys in, so one that is there before and
        // after was there all the time.
        if e.key.load(Ordering::Acquire) == key {
            let host = e.host.load(Ordering::Acquire);
            if e.key.load(Ordering::Relaxed) == key {
                return Ok(Some(host));
            }
        }
        let mut inner = self.lock();
        let host = self.find(&mut inner, key)?;
        if let Some(host) = host
            && !self.no_chain()
        {
            // Written under the translation lock so that an invalidation by another thread comes before or after.
            e.host.store(host, Ordering::Relaxed);
            e.key.store(key, Ordering::Release);
        }
        Ok(host)
    }

    /// Empties the code cache once no thread is in translated code.
    fn flush(&self) {
        let _all_out = self.exclude_code();
        if !self.flush_wanted.load(Ordering::Acquire) {
            return;
        }
        let mut inner = self.lock();
        self.save_kept(&mut inner);
        inner.store = crate::Store::new(&inner.arena);
        inner.arena.clear();
        inner.persist.flushed();
        inner.lukewarm.clear();
        self.generation.fetch_add(1, Ordering::AcqRel);
        inner.counters.flushes += 1;
        self.flush_wanted.store(false, Ordering::Release);
    }

    /// Waits until no thread is in translated code and keeps it so.
    pub(crate) fn exclude_code(&self) -> crate::gate::Closed<'_> {
        self.gate.close(&self.threads, |leave| self.ask_all(leave))
    }

    pub(crate) fn ask_all(&self, leave: bool) {
        let threads = self.threads.lock();
        for t in threads.iter() {
            // SAFETY: registered CPUs are alive; the poll word is atomic.
            let poll = unsafe { &*t.0 }.poll();
            if leave {
                poll.fetch_or(POLL_FLUSH, Ordering::AcqRel);
            } else {
                poll.fetch_and(!POLL_FLUSH, Ordering::AcqRel);
            }
        }
    }

    /// Brings the threads that run dead code out of it: in a loop they would find no exit.
    pub(crate) fn ask_to_look_up(&self) {
        let threads = self.threads.lock();
        for t in threads.iter() {
            // SAFETY: registered CPUs are alive; the poll word is atomic.
            unsafe { &*t.0 }.poll().fetch_or(POLL_CODE, Ordering::AcqRel);
        }
    }
}

/// Bit of the poll word that asks for a flush; the bits not named here belong to the runtime above.
pub(crate) const POLL_FLUSH: u32 = 1 << 31;
/// Bit of the poll word that asks to look the code up anew. The thread clears it itself.
pub(crate) const POLL_CODE: u32 = 1 << 30;

/// `si_code` of faults whose address the host does not report (general protection: non-canonical address).
const SI_KERNEL: i32 = 0x80;

fn trap_kind(n: u32) -> TrapKind {
    const ALL: [TrapKind; 8] = [
        TrapKind::Illegal,
        TrapKind::Break,
        TrapKind::Arithmetic,
        TrapKind::PcAlign,
        TrapKind::SpAlign,
        TrapKind::Service,
        TrapKind::Fetch,
        TrapKind::Yield,
    ];
    ALL[n as usize]
}

fn stop_exit(cpu: &mut CpuState, stop: Stop) -> Exit {
    match stop {
        Stop::Fault { addr, write } => {
            cpu.set_fault(FaultInfo {
                signo: 0,
                code: 0,
                addr,
                write: Some(write),
                host_write: Some(write),
                align: false,
            });
            Exit::Fault
        }
        Stop::Align { addr } => {
            cpu.set_fault(FaultInfo { signo: 0, code: 0, addr, write: None, host_write: None, align: true });
            Exit::Fault
        }
        Stop::Trap(kind, info) => Exit::Trap(kind, info),
    }
}

/// With `exit::RESUME`: the mode stays as it is.
const KEEP_MODE: u32 = 1 << 8;

/// The engine and the CPU behind a state block.
///
/// # Safety
/// `state` is the block of a CPU made by this engine, on its own thread.
unsafe fn context<'a>(state: *mut Header) -> (&'a Engine, &'a mut CpuState) {
    // SAFETY: `new_cpu` stored both pointers; engine and CPU outlive translated code.
    unsafe {
        let h = &*state;
        (&*(h.engine as *const Engine), &mut *(h.cpu as *mut CpuState))
    }
}

/// Finds code for `key` or arranges an exit; the host address to continue at.
///
/// # Safety
/// Called by the runtime entries with the running CPU's block.
pub(crate) unsafe extern "C" fn rt_look_up(state: *mut Header, key: u64) -> u64 {
    // SAFETY: by contract.
    let (engine, cpu) = unsafe { context(state) };
    let exit_entry = engine.entries[RuntimeEntry::Exit as usize];
    let expected = cpu.header().mode_key;
    let entry = (key ^ expected) & !PC_MASK;
    let resume = |cpu: &mut CpuState, pc: u64, entry: u64| {
        let h = cpu.header_mut();
        (h.pc, h.entry_mode, h.exit_code) = (pc, (entry >> 48) as u32, exit::RESUME | KEEP_MODE);
        exit_entry
    };
    if entry & !(engine.guest().entry_modes(expected >> 48) << 48) != 0 {
        // An address with high bits set, outside the keys: the run loop asks the guest what it means.
        return resume(cpu, key & !expected, 0);
    }
    let pc = key & PC_MASK;
    if engine.no_chain() {
        return resume(cpu, pc, entry);
    }
    match engine.look_up(cpu, key) {
        Ok(Some(host)) => host,
        Ok(None) => {
            cpu.set_pc(pc);
            cpu.header_mut().exit_code = exit::FETCH;
            exit_entry
        }
        Err(crate::translate::ArenaFull) => {
            engine.flush_wanted.store(true, Ordering::Release);
            resume(cpu, pc, entry)
        }
    }
}

/// Finds code for `key`, links the exit at `site` to it, and returns where to continue.
///
/// # Safety
/// As [`rt_look_up`].
pub(crate) unsafe extern "C" fn rt_link(state: *mut Header, key: u64, site: u64) -> u64 {
    // SAFETY: by contract.
    let host = unsafe { rt_look_up(state, key) };
    // SAFETY: by contract.
    let (engine, _) = unsafe { context(state) };
    if host != engine.entries[RuntimeEntry::Exit as usize] {
        let mut inner = engine.lock();
        // Looked up again under the lock: another thread may have invalidated the code meanwhile.
        if engine.installed(&inner, key) == Some(host) {
            let crate::Inner { store, arena, persist, .. } = &mut *inner;
            let back = engine.back_end();
            if !store.link(arena, back, site, key, host)
                && let Some(stub) = persist.stub(site)
            {
                if !persist.is_placed(host) {
                    store.note_link(site, stub, key);
                }
                arena.patch32(site, back.link_value(site, host));
            }
        }
    }
    host
}

/// A return landed on the wrong pad or on the sentinel.
///
/// # Safety
/// As [`rt_look_up`].
pub(crate) unsafe extern "C" fn rt_return_miss(state: *mut Header, key: u64) -> u64 {
    // SAFETY: by contract.
    unsafe { rt_look_up(state, key) }
}

/// A system call: done in place, or an exit.
///
/// # Safety
/// As [`rt_look_up`]; slots are in memory and pc is set.
pub(crate) unsafe extern "C" fn rt_syscall(state: *mut Header) -> u32 {
    // SAFETY: by contract.
    let (engine, cpu) = unsafe { context(state) };
    let Some(call) = engine.config.fast_call else { return 0 };
    if !call(cpu) {
        return 0;
    }
    if cpu.poll().load(Ordering::Acquire) != 0 {
        cpu.header_mut().exit_code = exit::POLL;
        return 0;
    }
    1
}

/// Evaluates a pure operation out of line.
///
/// # Safety
/// As [`rt_look_up`].
pub(crate) unsafe extern "C" fn rt_eval(state: *mut Header, descriptor: u32) {
    // SAFETY: by contract.
    let (engine, cpu) = unsafe { context(state) };
    let inst = engine.descriptors.get(descriptor);
    let mut fp = cpu.fp_state();
    let r = interp::eval(inst, &cpu.header().operands(inst), &mut fp);
    cpu.set_fp_state(fp);
    cpu.header_mut().set_result(inst, r);
}

/// Executes an operation with effects out of line. Non-zero: leave translated code.
///
/// # Safety
/// As [`rt_look_up`]; slots are in memory and pc is set.
pub(crate) unsafe extern "C" fn rt_helper(state: *mut Header, descriptor: u32) -> u32 {
    // SAFETY: by contract.
    let (engine, cpu) = unsafe { context(state) };
    let inst = engine.descriptors.get(descriptor);
    let args = cpu.header().operands(inst);
    let r = {
        let mut m = EngineMachine::new(engine, cpu);
        interp::exec(inst, &args, &mut m, engine.guest().helpers())
    };
    match r {
        Ok(v) => {
            cpu.header_mut().set_result(inst, v);
            0
        }
        Err(stop) => {
            match stop_exit(cpu, stop) {
                Exit::Trap(kind, info) => {
                    let h = cpu.header_mut();
                    h.exit_code = exit::TRAP | (kind as u32) << 8;
                    h.exit_info = info;
                }
                Exit::Fault | Exit::Syscall | Exit::Poll | Exit::Fetch => {
                    cpu.header_mut().exit_code = exit::FAULT;
                }
            }
            1
        }
    }
}
