//! The same code translated for the host: an engine over a memory that holds only it.

use crate::state::{CODE, State, WINDOW, WINDOW_SIZE};
use crate::subject::{padded, reversed, round_of};
use crate::suite::Suite;
use engine::{Config, CpuState, Engine, Exit, Memory};
use guest_riscv::cpu;
use host_x86_64::X86_64;
use host_x86_64::asm::{Features, Level};
use ir::{Guest, Size, SlotId, TrapKind};
use std::cell::Cell;
use std::sync::{Arc, Mutex, OnceLock};

/// The code at its place; the window is host memory behind the base.
struct Code {
    base: u64,
    bytes: Mutex<Vec<u8>>,
}

impl Memory for Code {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        let bytes = self.bytes.lock().expect("no panic while locked");
        let code = usize::try_from(addr.wrapping_sub(CODE)).ok().and_then(|i| bytes.get(i..)).unwrap_or(&[]);
        let n = code.len().min(buf.len());
        buf[..n].copy_from_slice(&code[..n]);
        n
    }
    fn load(&self, addr: u64, buf: &mut [u8]) -> Result<(), u64> {
        let at = range(addr, buf.len())?;
        buf.copy_from_slice(&window(self.base)[at]);
        Ok(())
    }
    fn store(&self, addr: u64, data: &[u8]) -> Result<(), u64> {
        let at = range(addr, data.len())?;
        set_window(self.base, at.start, data);
        Ok(())
    }
    fn cas(&self, addr: u64, size: Size, expected: u128, new: u128) -> Result<u128, u64> {
        let at = range(addr, size.bytes())?;
        let mut old = [0; 16];
        old[..size.bytes()].copy_from_slice(&window(self.base)[at.clone()]);
        let old = u128::from_le_bytes(old);
        if old == expected {
            set_window(self.base, at.start, &new.to_le_bytes()[..size.bytes()]);
        }
        Ok(old)
    }
}

fn range(addr: u64, len: usize) -> Result<std::ops::Range<usize>, u64> {
    let at = addr.wrapping_sub(WINDOW);
    if at <= WINDOW_SIZE as u64 && len as u64 <= WINDOW_SIZE as u64 - at {
        Ok(at as usize..at as usize + len)
    } else {
        Err(addr)
    }
}

/// Only one JIT subject at a time uses the windows.
static USER: Mutex<()> = Mutex::new(());

/// The base of 32-bit guests, with the windows of both widths mapped.
fn base32() -> u64 {
    static BASE: OnceLock<u64> = OnceLock::new();
    *BASE.get_or_init(|| {
        let map = |at: u64, len: usize, prot: i32, flags: i32| {
            // SAFETY: an anonymous mapping, at an address that is free (NOREPLACE) or inside our reservation.
            let p = unsafe {
                libc::mmap(
                    at as *mut libc::c_void,
                    len,
                    prot,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | flags,
                    -1,
                    0,
                )
            };
            assert_ne!(p, libc::MAP_FAILED, "memory for the tests");
            p as u64
        };
        let rw = libc::PROT_READ | libc::PROT_WRITE;
        let page = WINDOW & !0xfff;
        assert_eq!(map(page, 4096, rw, libc::MAP_FIXED_NOREPLACE), page, "the window's address is free");
        let base = map(0, (4 << 30) + 8192, libc::PROT_NONE, libc::MAP_NORESERVE);
        map(base + page, 4096, rw, libc::MAP_FIXED);
        catch_faults();
        base
    })
}

fn window(base: u64) -> [u8; WINDOW_SIZE] {
    // SAFETY: mapped for the life of the process; only the holder of USER accesses it.
    unsafe { ((base + WINDOW) as *const [u8; WINDOW_SIZE]).read_volatile() }
}

fn set_window(base: u64, at: usize, data: &[u8]) {
    assert!(at + data.len() <= WINDOW_SIZE);
    // SAFETY: inside the window, which is mapped; only the holder of USER accesses it.
    unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), ((base + WINDOW) as *mut u8).add(at), data.len()) };
}

thread_local! {
    /// The engine and CPU whose translated code runs on this thread.
    static RUNNING: Cell<(*const Engine, *mut CpuState)> = const { Cell::new((std::ptr::null(), std::ptr::null_mut())) };
}

/// Installs the handler that turns a fault of translated code into [`Exit::Fault`].
fn catch_faults() {
    extern "C" fn handler(sig: i32, info: *mut libc::siginfo_t, uc: *mut libc::c_void) {
        let (engine, cpu) = RUNNING.get();
        // SAFETY: set only while `run` holds both; the kernel's pointers are valid in a handler.
        let recovered = !engine.is_null()
            && unsafe {
                (*engine).recover_fault(cpu, uc.cast(), sig, (*info).si_code, (*info).si_addr() as u64)
            };
        if !recovered {
            // SAFETY: the default action ends the process when the instruction faults again.
            unsafe { libc::signal(sig, libc::SIG_DFL) };
        }
    }
    // SAFETY: a zeroed sigaction with the fields that matter filled in; the handler only does what is safe there.
    unsafe {
        let mut act: libc::sigaction = std::mem::zeroed();
        act.sa_sigaction = handler as *const () as usize;
        act.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        assert_eq!(libc::sigaction(libc::SIGSEGV, &raw const act, std::ptr::null_mut()), 0);
    }
}

/// An engine with one CPU, for each feature level of this host in turn.
pub struct Jit {
    levels: Vec<(Box<Engine>, Option<Box<CpuState>>)>,
    current: usize,
    memory: Arc<Code>,
    breakpoints: u32,
    _user: std::sync::MutexGuard<'static, ()>,
}

impl Jit {
    /// New engines.
    pub fn new(suite: &Suite) -> Jit {
        let user = USER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let base = base32();
        let base = if suite.xlen == 32 { base } else { 0 };
        let memory = Arc::new(Code { base, bytes: Mutex::default() });
        let levels = [Level::Sse, Level::Avx2, Level::Avx512].map(|level| {
            let guest = suite.guest();
            let back = X86_64::new(Features::detect_at_most(level), guest.slots());
            let mut config = Config::new(Box::new(guest), memory.clone(), Box::new(back));
            config.arena = 32 << 20;
            config.memory_base = base;
            let engine = Engine::new(config).expect("memory for the engine");
            let cpu = engine.new_cpu();
            (engine, Some(cpu))
        });
        let breakpoints = suite.breakpoints();
        Jit { levels: levels.into(), current: 0, memory, breakpoints, _user: user }
    }

    /// Selects the code, for the next feature level.
    pub fn select(&mut self, code: &[u8]) {
        self.current = (self.current + 1) % self.levels.len();
        *self.memory.bytes.lock().expect("no panic while locked") = padded(code, self.breakpoints);
        for (engine, _) in &self.levels {
            engine.invalidate(CODE..CODE + 4096);
        }
    }

    /// The state after the code.
    pub fn run(&mut self, before: &State) -> State {
        let (engine, cpu) = &mut self.levels[self.current];
        let mut c = cpu.take().expect("one user");
        let offset = |slot: SlotId| engine.guest().slots().get(slot).offset as usize;
        for i in 1..32 {
            c.write_u64(offset(cpu::x(i)), before.x[i as usize]);
        }
        for i in 0..32 {
            c.write_u128(offset(cpu::f(i)), u128::from(before.f[i as usize]));
        }
        c.write_u32(offset(cpu::FRM), before.fcsr >> 5);
        engine.set_fp(&mut c, reversed(before.fcsr), round_of(before.fcsr >> 5));
        c.clear_monitor();
        if !before.window.is_empty() {
            set_window(self.memory.base, 0, &before.window);
        }
        c.set_pc(CODE);
        RUNNING.set((&raw const **engine, &raw mut *c));
        let exit = engine.run(&mut c);
        RUNNING.set((std::ptr::null(), std::ptr::null_mut()));
        let status = match exit {
            Exit::Syscall => 99,
            Exit::Fetch | Exit::Poll => 5,
            Exit::Trap(TrapKind::Illegal, _) => 4,
            Exit::Fault if c.fault().align => 7,
            Exit::Fault => 11,
            Exit::Trap(..) => 5,
        };
        let after = State {
            x: std::array::from_fn(|i| if i == 0 { 0 } else { c.read_u64(offset(cpu::x(i as u32))) }),
            f: std::array::from_fn(|i| c.read_u64(offset(cpu::f(i as u32)))),
            fcsr: reversed(engine.fp_flags(&c)) | c.read_u32(offset(cpu::FRM)) << 5,
            status,
            pc: c.pc(),
            window: if before.window.is_empty() { Vec::new() } else { window(self.memory.base).to_vec() },
        };
        *cpu = Some(c);
        after
    }
}

impl Drop for Jit {
    fn drop(&mut self) {
        for (engine, cpu) in &mut self.levels {
            if let Some(c) = cpu.take() {
                engine.release_cpu(c);
            }
        }
    }
}
