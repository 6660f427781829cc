//! What is tested: an engine, translating or interpreting, over a memory that holds one instruction and the page.

use crate::Suite;
use crate::state::{PAGE, State, WINDOW};
use engine::{Config, CpuState, Engine, Exit, Memory, Tier};
use guest_riscv::{Riscv, cpu, vector};
use host_x86_64::X86_64;
use host_x86_64::asm::{Features, Level};
use ir::{Guest, Size, SlotId, TrapKind};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Where code is placed, each piece after the last so that nothing needs to be invalidated.
const CODE: u64 = 0x10_0000;
const STEP: u64 = 64;

/// The instruction at its place, followed by a system call; the page is host memory at its own address.
#[derive(Default)]
struct Code {
    at: AtomicU64,
    bytes: Mutex<Vec<u8>>,
}

impl Memory for Code {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        let at = self.at.load(Ordering::Relaxed);
        let bytes = self.bytes.lock().expect("no panic while locked");
        let code = usize::try_from(addr.wrapping_sub(at)).ok().and_then(|i| bytes.get(i..)).unwrap_or(&[]);
        let n = code.len().min(buf.len());
        buf[..n].copy_from_slice(&code[..n]);
        n
    }
    fn load(&self, addr: u64, buf: &mut [u8]) -> Result<(), u64> {
        let at = range(addr, buf.len())?;
        // SAFETY: the page is mapped for the life of the process; only the holder of USER accesses it.
        let page = unsafe { &*(WINDOW as *const [u8; PAGE]) };
        buf.copy_from_slice(&page[at]);
        Ok(())
    }
    fn store(&self, addr: u64, data: &[u8]) -> Result<(), u64> {
        let at = range(addr, data.len())?;
        set_window(at.start, data);
        Ok(())
    }
    fn cas(&self, addr: u64, _: Size, _: u128, _: u128) -> Result<u128, u64> {
        Err(addr)
    }
}

fn range(addr: u64, len: usize) -> Result<std::ops::Range<usize>, u64> {
    let at = addr.wrapping_sub(WINDOW);
    if at >= PAGE as u64 {
        Err(addr)
    } else if len as u64 > PAGE as u64 - at {
        Err(WINDOW + PAGE as u64)
    } else {
        Ok(at as usize..at as usize + len)
    }
}

/// Only one subject at a time uses the page.
static USER: Mutex<()> = Mutex::new(());
static MAPPED: OnceLock<()> = OnceLock::new();

fn map_window() {
    MAPPED.get_or_init(|| {
        // SAFETY: fixed anonymous mappings that replace nothing (NOREPLACE): the page between two that are not accessible.
        unsafe {
            let page = |at: u64, prot| {
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
                let p = libc::mmap(at as *mut libc::c_void, PAGE, prot, flags, -1, 0);
                assert_eq!(p as u64, at, "the page's address is free");
            };
            page(WINDOW - PAGE as u64, libc::PROT_NONE);
            page(WINDOW, libc::PROT_READ | libc::PROT_WRITE);
            page(WINDOW + PAGE as u64, libc::PROT_NONE);
        }
        catch_faults();
    });
}

fn set_window(at: usize, data: &[u8]) {
    assert!(at + data.len() <= PAGE);
    // SAFETY: inside the page, which is mapped; only the holder of USER accesses it.
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

/// Keeps the page for one test.
pub fn exclusive() -> std::sync::MutexGuard<'static, ()> {
    map_window();
    USER.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// An engine with one CPU.
pub struct Subject {
    engine: Box<Engine>,
    cpu: Option<Box<CpuState>>,
    memory: Arc<Code>,
    next: u64,
    vlenb: usize,
    xlen: u32,
    /// Bits of the widest element.
    pub elen: u32,
}

/// The front end with the suite's CPU.
pub fn guest(suite: &Suite) -> Riscv {
    Riscv::new(cpu::Cpu::parse(suite.xlen, &suite.cpu()).expect("a CPU"))
}

impl Subject {
    /// Translating for this level, or interpreting.
    pub fn new(level: Option<Level>, suite: &Suite) -> Subject {
        let memory = Arc::new(Code::default());
        let guest = guest(suite);
        let elen = if guest.cpu().features.has(cpu::Feature::Zve64x) { 64 } else { 32 };
        let back = X86_64::new(Features::detect_at_most(level.unwrap_or(Level::Sse)), guest.slots());
        let mut config = Config::new(Box::new(guest), memory.clone(), Box::new(back));
        config.arena = 64 << 20;
        config.tier = if level.is_some() { Tier::Quick } else { Tier::Interpreter };
        let engine = Engine::new(config).expect("memory for the engine");
        let cpu = Some(engine.new_cpu());
        Subject { engine, cpu, memory, next: CODE, vlenb: suite.vlenb, xlen: suite.xlen, elen }
    }

    /// Selects the instruction.
    pub fn select(&mut self, word: u32) {
        self.next += STEP;
        let bytes = [word, 0x73].iter().flat_map(|w| w.to_le_bytes()).collect();
        *self.memory.bytes.lock().expect("no panic while locked") = bytes;
        self.memory.at.store(self.next, Ordering::Relaxed);
    }

    fn offset(&self, slot: SlotId) -> usize {
        self.engine.guest().slots().get(slot).offset as usize
    }

    /// The state after the instruction.
    pub fn run(&mut self, before: &State) -> State {
        let mut c = self.cpu.take().expect("one user");
        for i in 1..32 {
            c.write_u64(self.offset(cpu::x(i)), before.x[i as usize]);
        }
        for i in 0..32 {
            c.write_u128(self.offset(cpu::f(i)), u128::from(before.f[i as usize]));
        }
        let v = vector::V_OFFSET as usize;
        c.state_mut()[v..v + 32 * self.vlenb].copy_from_slice(&before.v);
        // As the reference's vsetvl sets them.
        let t = vector::VType::decode(before.vtype, 8 * self.vlenb as u32, self.elen);
        let vl = t.map_or(0, |t| before.vl.min(u64::from(t.vlmax(8 * self.vlenb as u32))));
        c.write_u64(self.offset(vector::VL), vl);
        c.write_u64(self.offset(vector::VTYPE), if t.is_some() { before.vtype } else { vector::VILL });
        c.write_u32(self.offset(vector::VSTART), before.vstart as u32 & (8 * self.vlenb as u32 - 1));
        c.write_u32(self.offset(vector::VXRM), before.vcsr as u32 >> 1);
        c.header_mut().sat = before.vcsr as u32 & 1;
        let frm = before.fcsr as u32 >> 5;
        c.write_u32(self.offset(cpu::FRM), frm);
        let reversed = |flags: u32| (flags & 31).reverse_bits() >> 27;
        let round = if matches!(frm, 1..=3) { 4 - frm } else { frm & 4 };
        self.engine.set_fp(&mut c, reversed(before.fcsr as u32), round);
        if !before.window.is_empty() {
            set_window(0, &before.window);
        }
        c.set_pc(self.next);
        RUNNING.set((&raw const *self.engine, &raw mut *c));
        let exit = self.engine.run(&mut c);
        RUNNING.set((std::ptr::null(), std::ptr::null_mut()));
        let (status, pc) = match exit {
            Exit::Syscall => (0, c.pc().wrapping_sub(4)),
            Exit::Trap(TrapKind::Illegal, _) => (4, c.pc()),
            Exit::Fault => (11, c.pc()),
            Exit::Trap(..) | Exit::Poll | Exit::Fetch => (5, c.pc()),
        };
        let x = |i: u32| if i == 0 { 0 } else { c.read_u64(self.offset(cpu::x(i))) };
        let mut window = Vec::new();
        if !before.window.is_empty() {
            window = vec![0; PAGE];
            self.memory.load(WINDOW, &mut window).expect("the page");
        }
        let fcsr = reversed(self.engine.fp_flags(&c)) | c.read_u32(self.offset(cpu::FRM)) << 5;
        let after = State {
            x: std::array::from_fn(|i| x(i as u32)),
            f: std::array::from_fn(|i| c.read_u64(self.offset(cpu::f(i as u32)))),
            vl: c.read_u64(self.offset(vector::VL)),
            vtype: match c.read_u64(self.offset(vector::VTYPE)) {
                // The top bit of the register that reads it.
                vector::VILL => 1 << (self.xlen - 1),
                v => v,
            },
            vstart: u64::from(c.read_u32(self.offset(vector::VSTART))),
            vcsr: u64::from(c.read_u32(self.offset(vector::VXRM)) << 1 | c.header().sat),
            fcsr: u64::from(fcsr),
            status,
            pc_delta: pc.wrapping_sub(self.next),
            v: c.state()[v..v + 32 * self.vlenb].to_vec(),
            window,
        };
        self.cpu = Some(c);
        after
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        if let Some(c) = self.cpu.take() {
            self.engine.release_cpu(c);
        }
    }
}
