//! The same instructions as translated code: an engine over a memory that holds only them.

use crate::state::{FPSR_MASK, PC, State, WINDOW, WINDOW_SIZE};
use engine::{Config, CpuState, Engine, Exit, Memory};
use guest_aarch64::{Aarch64, cpu};
use host_x86_64::X86_64;
use ir::state::{flags_from_mem, flags_to_mem};
use ir::{Guest, Size, SlotId, TrapKind};
use std::cell::Cell;
use std::sync::{Arc, Mutex, OnceLock};

/// `svc 0`
const SVC: u32 = 0xd400_0001;

/// The instructions at their place, followed by a system call; the window is host memory at its own address.
#[derive(Default)]
struct Code {
    bytes: Mutex<Vec<u8>>,
}

impl Memory for Code {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        let bytes = self.bytes.lock().expect("no panic while locked");
        let code = usize::try_from(addr.wrapping_sub(PC)).ok().and_then(|i| bytes.get(i..)).unwrap_or(&[]);
        let n = code.len().min(buf.len());
        buf[..n].copy_from_slice(&code[..n]);
        n
    }
    fn load(&self, addr: u64, buf: &mut [u8]) -> Result<(), u64> {
        let window = window();
        let at = range(addr, buf.len())?;
        buf.copy_from_slice(&window[at]);
        Ok(())
    }
    fn store(&self, addr: u64, data: &[u8]) -> Result<(), u64> {
        let at = range(addr, data.len())?;
        set_window(at.start, data);
        Ok(())
    }
    fn cas(&self, addr: u64, size: Size, expected: u128, new: u128) -> Result<u128, u64> {
        let at = range(addr, size.bytes())?;
        let mut old = [0; 16];
        old[..size.bytes()].copy_from_slice(&window()[at.clone()]);
        let old = u128::from_le_bytes(old);
        if old == expected {
            set_window(at.start, &new.to_le_bytes()[..size.bytes()]);
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

/// Only one JIT subject at a time uses the window.
static USER: Mutex<()> = Mutex::new(());
static MAPPED: OnceLock<()> = OnceLock::new();

fn map_window() {
    MAPPED.get_or_init(|| {
        // SAFETY: a fixed anonymous mapping that replaces nothing (NOREPLACE).
        let p = unsafe {
            libc::mmap(
                (WINDOW & !0xfff) as *mut libc::c_void,
                4096,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE,
                -1,
                0,
            )
        };
        assert_eq!(p as u64, WINDOW & !0xfff, "the window's address is free");
        catch_faults();
    });
}

fn window() -> [u8; WINDOW_SIZE] {
    // SAFETY: mapped for the life of the process; only the holder of USER accesses it.
    unsafe { (WINDOW as *const [u8; WINDOW_SIZE]).read_volatile() }
}

fn set_window(at: usize, data: &[u8]) {
    assert!(at + data.len() <= WINDOW_SIZE);
    // SAFETY: inside the window, which is mapped; only the holder of USER accesses it.
    unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), (WINDOW as *mut u8).add(at), data.len()) };
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

/// The engine with one CPU.
pub struct Jit {
    engine: Box<Engine>,
    cpu: Option<Box<CpuState>>,
    memory: Arc<Code>,
    _user: Option<std::sync::MutexGuard<'static, ()>>,
}

fn make_engine(memory: &Arc<Code>) -> Box<Engine> {
    let guest = Aarch64::new(cpu::Cpu::parse("max").expect("a model"));
    let back = X86_64::detect(guest.slots());
    let mut config = Config::new(Box::new(guest), memory.clone(), Box::new(back));
    config.arena = 64 << 20;
    Engine::new(config).expect("memory for the engine")
}

impl Jit {
    /// A new engine; `memory` if the window is used.
    pub fn new(memory: bool) -> Jit {
        let user = memory.then(|| USER.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        if memory {
            map_window();
        }
        let memory = Arc::new(Code::default());
        let engine = make_engine(&memory);
        let cpu = Some(engine.new_cpu());
        Jit { engine, cpu, memory, _user: user }
    }

    /// Selects the instructions.
    pub fn select(&mut self, code: &[u32]) {
        let bytes = code.iter().chain([&SVC]).flat_map(|w| w.to_le_bytes()).collect();
        *self.memory.bytes.lock().expect("no panic while locked") = bytes;
        self.engine.invalidate(PC..PC + 4096);
    }

    fn offset(&self, slot: SlotId) -> usize {
        self.engine.guest().slots().get(slot).offset as usize
    }

    /// The state after the instruction.
    pub fn run(&mut self, before: &State) -> State {
        let mut c = self.cpu.take().expect("one user");
        for i in 0..31 {
            c.write_u64(self.offset(cpu::x(i)), before.x[i as usize]);
        }
        for i in 0..32 {
            c.write_u128(self.offset(cpu::v(i)), before.v[i as usize]);
        }
        c.write_u64(self.offset(cpu::SP), before.sp);
        c.write_u32(self.offset(cpu::NZCV), flags_to_mem((before.nzcv >> 28) as u8));
        c.write_u32(self.offset(cpu::FPCR), before.fpcr);
        self.engine.set_fp(&mut c, before.fpsr & 0x9f, before.fpcr >> 22 & 3);
        c.header_mut().sat = before.fpsr >> 27 & 1;
        if !before.window.is_empty() {
            set_window(0, &before.window);
        }
        c.set_pc(PC);
        RUNNING.set((&raw const *self.engine, &raw mut *c));
        let exit = self.engine.run(&mut c);
        RUNNING.set((std::ptr::null(), std::ptr::null_mut()));
        let (status, pc) = match exit {
            Exit::Syscall => (0, c.pc().wrapping_sub(4)),
            Exit::Fetch => (0, c.pc()),
            Exit::Trap(TrapKind::Illegal, _) => (4, c.pc()),
            Exit::Fault => (11, c.pc()),
            Exit::Trap(..) | Exit::Poll => (5, c.pc()),
        };
        let fp = self.engine.fp_flags(&c) & 0x9f | c.header().sat << 27;
        let after = State {
            x: std::array::from_fn(|i| c.read_u64(self.offset(cpu::x(i as u32)))),
            sp: c.read_u64(self.offset(cpu::SP)),
            v: std::array::from_fn(|i| c.read_u128(self.offset(cpu::v(i as u32)))),
            nzcv: u32::from(flags_from_mem(c.read_u32(self.offset(cpu::NZCV)))) << 28,
            fpcr: c.read_u32(self.offset(cpu::FPCR)),
            fpsr: fp | before.fpsr & !FPSR_MASK,
            status,
            pc_delta: pc.wrapping_sub(PC),
            window: if before.window.is_empty() { Vec::new() } else { window().to_vec() },
        };
        self.cpu = Some(c);
        after
    }
}

impl Drop for Jit {
    fn drop(&mut self) {
        if let Some(c) = self.cpu.take() {
            self.engine.release_cpu(c);
        }
    }
}
