//! Random guest code under the interpreter, the quick and the hot tier: the same registers, memory and faults.
//!
//! A case is a seed. Its code is a run of random instructions ended by a system call, its registers are random with
//! interesting values among them, and some registers point into a small buffer so that memory is reached. Every second case
//! is the body of a loop that counts in memory. The engines run the case from the same state; a difference is reported with
//! seed, disassembly and both states.

use engine::{AtOnce, Config, CpuState, Engine, Exit, HotConfig, LogItem, Memory, Tier};
use ir::{BackEnd, Guest, Size, Type};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// Where the guest's memory lies: code in the first page, data after it.
pub const BASE: u64 = 0x2000_0000;
/// Bytes of guest memory.
pub const LEN: usize = 64 << 10;
/// Start of the data part.
pub const DATA: u64 = BASE + 4096;
/// A loop's counter (32 bits, of which three count), after the code.
pub const COUNTER: u64 = DATA - 16;
/// How often a loop runs.
const PASSES: u32 = 5;

/// A small, fast generator: SplitMix64.
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next_u64() % n
    }
    /// An integer with interesting values among random ones.
    pub fn integer(&mut self) -> u64 {
        match self.below(12) {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << 63,
            3 => i64::MAX as u64,
            4 => self.below(256),
            5 => u64::from(self.next_u64() as u32),
            6 => 1 << self.below(64),
            7 => 0x8000_0000,
            8 => (self.next_u64() as i32) as i64 as u64,
            _ => self.next_u64(),
        }
    }
    /// 64 bits with interesting floating-point patterns among them.
    pub fn float_bits(&mut self) -> u64 {
        match self.below(10) {
            0 => [0u64, 1 << 63, 0x7ff0_0000_0000_0000, 0xfff0_0000_0000_0000][self.below(4) as usize],
            1 => 0x7ff8_0000_0000_0000 | self.next_u64() & 0x8007_ffff_ffff_ffff,
            2 => 0x7ff0_0000_0000_0001 | self.next_u64() & 0x8007_ffff_ffff_ffff,
            3 => self.next_u64() & 0x800f_ffff_ffff_ffff,
            4 => (f64::from(self.next_u64() as i32) / 16.0).to_bits(),
            5 => {
                let s = |r: &mut Rng| u64::from((f32::from(r.next_u64() as i16) / 8.0).to_bits());
                s(self) | s(self) << 32
            }
            6 => {
                let special =
                    [0u64, 0x8000_0000, 0x7f80_0000, 0x7fc0_0001, 0x7f80_0001, 0x0000_0001, 0x0080_0000];
                special[self.below(7) as usize] | special[self.below(7) as usize] << 32
            }
            7 => 0x0010_0000_0000_0000 | self.next_u64() & 0x801f_ffff_ffff_ffff,
            _ => self.next_u64(),
        }
    }
}

/// What a test needs to know of a guest.
pub struct Subject {
    /// Makes the guest.
    pub guest: fn() -> Box<dyn Guest>,
    /// A random instruction that neither branches nor leaves.
    pub instruction: fn(&mut Rng) -> Vec<u8>,
    /// Code that counts [`COUNTER`] down and goes back by so many bytes, less its own, unless the low three bits are zero.
    pub back: fn(usize) -> Vec<u8>,
    /// A system call instruction.
    pub syscall: &'static [u8],
    /// Integer slots to point into the data buffer.
    pub pointers: &'static [u16],
    /// Control slots, zero at the start.
    pub control: &'static [u16],
}

/// Guest memory at its own host address, checked by range.
struct TestMemory;

fn check(addr: u64, len: usize) -> Result<(), u64> {
    let end = BASE + LEN as u64;
    if addr < BASE || addr >= end {
        Err(addr)
    } else if end - addr < len as u64 {
        Err(end)
    } else {
        Ok(())
    }
}

impl Memory for TestMemory {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        if check(addr, 1).is_err() {
            return 0;
        }
        let n = buf.len().min((BASE + LEN as u64 - addr) as usize);
        // SAFETY: the range was checked to lie in the mapping made by `map_memory`.
        unsafe { std::ptr::copy(addr as *const u8, buf.as_mut_ptr(), n) };
        n
    }
    fn load(&self, addr: u64, buf: &mut [u8]) -> Result<(), u64> {
        check(addr, buf.len())?;
        // SAFETY: as in `fetch`.
        unsafe { std::ptr::copy(addr as *const u8, buf.as_mut_ptr(), buf.len()) };
        Ok(())
    }
    fn store(&self, addr: u64, data: &[u8]) -> Result<(), u64> {
        check(addr, data.len())?;
        // SAFETY: as in `fetch`.
        unsafe { std::ptr::copy(data.as_ptr(), addr as *mut u8, data.len()) };
        Ok(())
    }
    fn cas(&self, addr: u64, size: Size, expected: u128, new: u128) -> Result<u128, u64> {
        check(addr, size.bytes())?;
        if !addr.is_multiple_of(size.bytes() as u64) || size == Size::Q {
            let mut old = [0u8; 16];
            self.load(addr, &mut old[..size.bytes()])?;
            let old = u128::from_le_bytes(old);
            if old == expected {
                self.store(addr, &new.to_le_bytes()[..size.bytes()])?;
            }
            return Ok(old);
        }
        let o = Ordering::SeqCst;
        // SAFETY: in range and aligned; the test is single-threaded.
        Ok(unsafe {
            match size {
                Size::B => {
                    let r =
                        AtomicU8::from_ptr(addr as *mut u8).compare_exchange(expected as u8, new as u8, o, o);
                    u128::from(r.unwrap_or_else(|e| e))
                }
                Size::H => {
                    let r = AtomicU16::from_ptr(addr as *mut u16).compare_exchange(
                        expected as u16,
                        new as u16,
                        o,
                        o,
                    );
                    u128::from(r.unwrap_or_else(|e| e))
                }
                Size::S => {
                    let r = AtomicU32::from_ptr(addr as *mut u32).compare_exchange(
                        expected as u32,
                        new as u32,
                        o,
                        o,
                    );
                    u128::from(r.unwrap_or_else(|e| e))
                }
                Size::D | Size::Q => {
                    let r = AtomicU64::from_ptr(addr as *mut u64).compare_exchange(
                        expected as u64,
                        new as u64,
                        o,
                        o,
                    );
                    u128::from(r.unwrap_or_else(|e| e))
                }
            }
        })
    }
}

thread_local! {
    static RUNNING: Cell<Option<(*const Engine, *mut CpuState)>> = const { Cell::new(None) };
}

extern "C" fn on_fault(signo: libc::c_int, info: *mut libc::siginfo_t, uc: *mut libc::c_void) {
    if let Some((engine, cpu)) = RUNNING.get() {
        // SAFETY: `run_case` set the pointers for the duration of the run, and these are the handler's arguments.
        let recovered = unsafe {
            (*engine).recover_fault(cpu, uc.cast(), signo, (*info).si_code, (*info).si_addr() as u64)
        };
        if recovered {
            return;
        }
    }
    // Ours: die by the signal itself.
    // SAFETY: resetting a disposition is async-signal-safe.
    unsafe { libc::signal(signo, libc::SIG_DFL) };
}

/// Maps guest memory (once) and installs the fault handler on an alternate stack of the calling thread.
pub fn set_up() {
    static MAPPED: std::sync::Once = std::sync::Once::new();
    MAPPED.call_once(|| {
        // SAFETY: the range is not used by anything else (checked by NOREPLACE).
        let p = unsafe {
            libc::mmap(
                BASE as *mut libc::c_void,
                LEN,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE,
                -1,
                0,
            )
        };
        assert_eq!(p as u64, BASE, "the test's guest memory is free");
    });
    // SAFETY: a fresh stack for the handler, which is async-signal-safe.
    unsafe {
        let stack = libc::mmap(
            std::ptr::null_mut(),
            64 << 10,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        let ss = libc::stack_t { ss_sp: stack, ss_flags: 0, ss_size: 64 << 10 };
        libc::sigaltstack(&raw const ss, std::ptr::null_mut());
        let mut sa: libc::sigaction = std::mem::zeroed();
        sa.sa_sigaction = on_fault as *const () as usize;
        sa.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        for s in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP] {
            libc::sigaction(s, &raw const sa, std::ptr::null_mut());
        }
    }
}

/// The engines: the interpreter, the quick tier, the hot tier at first sight, the hot tier for loops after their first
/// passes.
pub struct Pair {
    subject: Subject,
    engines: [Box<Engine>; 4],
    cpus: [Box<CpuState>; 4],
}

const NAMES: [&str; 4] = ["interpreter", "quick", "hot", "quick then hot"];

/// A difference, as text for a person.
pub type Difference = String;

impl Pair {
    /// Engines for `subject` with this back end.
    pub fn new(subject: Subject, back_end: &dyn Fn() -> Box<dyn BackEnd>) -> Pair {
        let make = |tier, hot: Option<AtOnce>| {
            let mut c = Config::new((subject.guest)(), Arc::new(TestMemory), back_end());
            c.tier = tier;
            c.hot = hot.map(|at_once| HotConfig { threshold: 1, at_once });
            c.arena = 64 << 20;
            if std::env::var_os("OMNIRUN_LOG").is_some() && tier == Tier::Quick {
                c.log_mask = LogItem::OpOpt as u32 | LogItem::OutAsm as u32;
                c.log = Some(Arc::new(|_, text| eprint!("{text}")));
            }
            Engine::new(c).expect("memory for an engine")
        };
        let engines = [
            make(Tier::Interpreter, None),
            make(Tier::Quick, None),
            make(Tier::Quick, Some(AtOnce::All)),
            make(Tier::Quick, Some(AtOnce::None)),
        ];
        let cpus = [0, 1, 2, 3].map(|i| engines[i].new_cpu());
        Pair { subject, engines, cpus }
    }

    fn set_memory(code: &[u8], seed: u64) {
        let mut r = Rng(seed);
        // SAFETY: the mapping made by `set_up`, used by this thread only.
        let mem = unsafe { std::slice::from_raw_parts_mut(BASE as *mut u8, LEN) };
        for chunk in mem.chunks_exact_mut(8) {
            chunk.copy_from_slice(&r.float_bits().to_le_bytes());
        }
        let at = (COUNTER - BASE) as usize;
        mem[at..at + 4].copy_from_slice(&PASSES.to_le_bytes());
        mem[..code.len()].copy_from_slice(code);
    }

    fn memory() -> Vec<u8> {
        // SAFETY: as in `set_memory`.
        unsafe { std::slice::from_raw_parts(BASE as *const u8, LEN) }.to_vec()
    }

    /// The instructions of the case `seed`, and what its registers and rounding mode are made from.
    pub fn case(&self, seed: u64, count: usize) -> (Vec<Vec<u8>>, u64, u32) {
        let mut r = Rng(seed);
        let code = (0..count).map(|_| (self.subject.instruction)(&mut r)).collect();
        (code, r.next_u64(), r.below(4) as u32)
    }

    /// Runs the case `seed` with `count` instructions.
    pub fn run_case(&mut self, seed: u64, count: usize) -> Result<(), Difference> {
        let (code, state_seed, round) = self.case(seed, count);
        let title = format!("seed {seed:#x}, {count} instructions");
        self.run_code(&title, &code.concat(), state_seed, round).map(|_| ())
    }

    /// Runs this code from a random state; what it changed, or how an engine differs from the interpreter.
    pub fn run_code(
        &mut self,
        title: &str,
        code: &[u8],
        state_seed: u64,
        round: u32,
    ) -> Result<Vec<String>, Difference> {
        let mut code = code.to_vec();
        let looped = state_seed & 1 != 0;
        if looped {
            code.extend((self.subject.back)(code.len()));
        }
        code.extend(self.subject.syscall);
        let mut changed = Vec::new();
        for other in if looped { [2, 3] } else { [1, 2] } {
            changed = self.compare(title, &code, state_seed, round, other)?;
        }
        Ok(changed)
    }

    /// Runs the code under the interpreter and another engine.
    fn compare(
        &mut self,
        title: &str,
        code: &[u8],
        state_seed: u64,
        round: u32,
        other: usize,
    ) -> Result<Vec<String>, Difference> {
        let mut before = Vec::new();
        let mut results = Vec::new();
        for i in [0, other] {
            Self::set_memory(code, state_seed ^ 1);
            let (engine, cpu) = (&self.engines[i], &mut self.cpus[i]);
            engine.invalidate(BASE..BASE + 4096);
            fill(engine.guest(), cpu, self.subject.pointers, self.subject.control, state_seed);
            engine.set_fp(cpu, 0, round);
            cpu.header_mut().sat = 0;
            cpu.clear_monitor();
            cpu.set_pc(BASE);
            before = summary(engine, cpu);
            RUNNING.set(Some((std::ptr::from_ref(&**engine), std::ptr::from_mut(&mut **cpu))));
            let exit = engine.run(cpu);
            RUNNING.set(None);
            results.push((exit, summary(engine, cpu), Self::memory()));
        }
        let same_exit = match (results[0].0, results[1].0) {
            (Exit::Fault, Exit::Fault) => true,
            (a, b) => a == b,
        };
        if same_exit && results[0].1 == results[1].1 && results[0].2 == results[1].2 {
            let mut changed = vec![format!("exit {:?}", results[0].0)];
            for (old, new) in before.iter().zip(&results[0].1).filter(|(old, new)| old != new) {
                changed.push(format!("{:8} {:#034x} -> {:#034x}", old.0, old.1, new.1));
            }
            return Ok(changed);
        }
        let mut text = format!("{title}\n");
        for (pc, _, asm) in self.engines[0].guest().disassemble(BASE, code) {
            text += &format!("  {pc:#x}: {asm}\n");
        }
        text += &format!("exit: interpreter {:?}, {} {:?}\n", results[0].0, NAMES[other], results[1].0);
        for (a, b) in results[0].1.iter().zip(&results[1].1) {
            if a != b {
                text +=
                    &format!("  {:8} interpreter {:#034x}\n           translated  {:#034x}\n", a.0, a.1, b.1);
            }
        }
        if let Some(at) = (0..LEN).find(|&k| results[0].2[k] != results[1].2[k]) {
            text += &format!(
                "  memory {:#x}: interpreter {:#04x}, translated {:#04x}\n",
                BASE + at as u64,
                results[0].2[at],
                results[1].2[at]
            );
        }
        Err(text)
    }
}

/// Random register contents.
fn fill(guest: &dyn Guest, cpu: &mut CpuState, pointers: &[u16], zero: &[u16], seed: u64) {
    let mut r = Rng(seed);
    for (i, s) in guest.slots().slots.iter().enumerate() {
        let at = s.offset as usize;
        if zero.contains(&(i as u16)) {
            if s.ty == Type::I32 {
                cpu.write_u32(at, 0)
            } else {
                cpu.write_u64(at, 0)
            }
            continue;
        }
        if matches!(s.ty, Type::I32 | Type::Void) || i >= 70 && s.ty != Type::V128 {
            // Control registers stay as they are at reset; the mode belongs to the test.
            continue;
        }
        match s.ty {
            Type::I64 => {
                let v = if pointers.contains(&(i as u16)) {
                    DATA + 4096 + r.below(1024) * if r.below(4) == 0 { 1 } else { 16 }
                } else {
                    r.integer()
                };
                cpu.write_u64(at, v);
            }
            Type::V128 => {
                let (low, high) = (r.float_bits(), r.float_bits());
                let high = if guest.half_slots().contains(&(i as u16)) { 0 } else { high };
                cpu.write_u128(at, u128::from(low) | u128::from(high) << 64);
            }
            Type::Flags => cpu.write_u32(at, ir::state::flags_to_mem(r.below(16) as u8)),
            Type::I32 | Type::Void => {}
        }
    }
}

/// Everything that must agree, by name.
fn summary(engine: &Engine, cpu: &CpuState) -> Vec<(String, u128)> {
    let mut out = vec![
        ("pc".to_owned(), u128::from(cpu.pc())),
        ("fpflags".to_owned(), u128::from(engine.fp_flags(cpu))),
        ("sat".to_owned(), u128::from(cpu.header().sat)),
    ];
    for s in &engine.guest().slots().slots {
        let at = s.offset as usize;
        let v = match s.ty {
            Type::Void => 0,
            Type::I32 => u128::from(cpu.read_u32(at)),
            Type::I64 => u128::from(cpu.read_u64(at)),
            Type::V128 => cpu.read_u128(at),
            Type::Flags => u128::from(ir::state::flags_from_mem(cpu.read_u32(at))),
        };
        out.push((s.name.to_owned(), v));
    }
    out
}
