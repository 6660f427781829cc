//! The subjects: the same code under the interpreter and as translated code for each feature level of the host.

use crate::native::Windows;
use crate::state::{CODE, CODE_SIZE, DATA, DATA_SIZE, Event, Outcome, State};
use engine::{Config, CpuState, Engine, Exit, Memory, Tier};
use guest_x86::X86;
use guest_x86::cpu::{self, Seg, trap};
use guest_x86::models::Cpu;
use host_x86_64::X86_64;
use host_x86_64::asm::{Features, Level};
use ir::{Guest, Size, SlotId, TrapKind};
use std::cell::Cell;
use std::sync::Arc;

/// Guest memory: the two windows at their host addresses.
struct Host;

impl Memory for Host {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        let at = addr.wrapping_sub(CODE);
        if at >= CODE_SIZE as u64 {
            return 0;
        }
        let n = buf.len().min(CODE_SIZE - at as usize);
        // SAFETY: inside the mapped code window.
        unsafe { std::ptr::copy_nonoverlapping(addr as *const u8, buf.as_mut_ptr(), n) };
        n
    }
    fn load(&self, addr: u64, buf: &mut [u8]) -> Result<(), u64> {
        check(addr, buf.len())?;
        // SAFETY: inside the mapped data window.
        unsafe { std::ptr::copy_nonoverlapping(addr as *const u8, buf.as_mut_ptr(), buf.len()) };
        Ok(())
    }
    fn store(&self, addr: u64, data: &[u8]) -> Result<(), u64> {
        check(addr, data.len())?;
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), addr as *mut u8, data.len()) };
        Ok(())
    }
    fn cas(&self, addr: u64, size: Size, expected: u128, new: u128) -> Result<u128, u64> {
        let mut old = [0; 16];
        let n = size.bytes();
        self.load(addr, &mut old[..n])?;
        let old = u128::from_le_bytes(old);
        if old == expected {
            self.store(addr, &new.to_le_bytes()[..n])?;
        }
        Ok(old)
    }
}

fn check(addr: u64, len: usize) -> Result<(), u64> {
    let at = addr.wrapping_sub(DATA);
    if at >= DATA_SIZE as u64 {
        return Err(addr);
    }
    if at + len as u64 > DATA_SIZE as u64 { Err(DATA + DATA_SIZE as u64) } else { Ok(()) }
}

thread_local! {
    /// The engine and CPU whose translated code runs on this thread.
    static RUNNING: Cell<(*const Engine, *mut CpuState)> = const { Cell::new((std::ptr::null(), std::ptr::null_mut())) };
}

/// Turns a fault of translated code into [`Exit::Fault`]; false if none runs.
///
/// # Safety
/// In a signal handler, with the kernel's context.
pub unsafe fn recover(uc: *mut libc::c_void, sig: i32, code: i32, addr: u64) -> bool {
    let (engine, cpu) = RUNNING.get();
    // SAFETY: set only while `run` holds both.
    !engine.is_null() && unsafe { (*engine).recover_fault(cpu, uc.cast(), sig, code, addr) }
}

/// An engine with one CPU.
pub struct Subject {
    /// For messages.
    pub name: &'static str,
    engine: Box<Engine>,
    cpu: Option<Box<CpuState>>,
}

/// The interpreter and the translator for each feature level, for a CPU.
pub fn subjects(cpu: Cpu) -> Vec<Subject> {
    let levels = [
        ("interpreter", Level::Sse, Tier::Interpreter),
        ("sse4", Level::Sse, Tier::Quick),
        ("avx2", Level::Avx2, Tier::Quick),
        ("avx512", Level::Avx512, Tier::Quick),
    ];
    levels
        .into_iter()
        .map(|(name, level, tier)| {
            let guest = X86::new(cpu);
            let back = X86_64::new(Features::detect_at_most(level), guest.slots());
            let mut config = Config::new(Box::new(guest), Arc::new(Host), Box::new(back));
            config.arena = 32 << 20;
            config.tier = tier;
            let engine = Engine::new(config).expect("memory for the engine");
            let cpu = engine.new_cpu();
            Subject { name, engine, cpu: Some(cpu) }
        })
        .collect()
}

impl Subject {
    /// The code window has other contents.
    pub fn code_changed(&self) {
        self.engine.invalidate(CODE..CODE + CODE_SIZE as u64);
    }

    /// The state after the code.
    pub fn run(&mut self, windows: &Windows, before: &State) -> Outcome {
        let mut c = self.cpu.take().expect("one user");
        windows.set_data(&before.data);
        let guest = self.engine.guest();
        let bits = guest.address_bits();
        load(guest, &self.engine, &mut c, before, bits);
        c.set_pc(CODE);
        RUNNING.set((&raw const *self.engine, &raw mut *c));
        let exit = loop {
            let exit = self.engine.run(&mut c);
            if exit == Exit::Trap(TrapKind::Service, trap::FAR) {
                let at = guest.slots().get(cpu::FAR_TARGET).offset as usize;
                let to = c.read_u64(at);
                c.set_pc(to);
                continue;
            }
            break exit;
        };
        RUNNING.set((std::ptr::null(), std::ptr::null_mut()));
        let event = event(&c, exit, before.flags);
        let mut state = store(guest, &self.engine, &c, before);
        state.data = windows.data();
        self.cpu = Some(c);
        Outcome { state, event }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        if let Some(c) = self.cpu.take() {
            self.engine.release_cpu(c);
        }
    }
}

fn event(c: &CpuState, exit: Exit, flags: u32) -> Event {
    let mut event = Event { vector: 255, error: None, address: 0, pc: c.pc() };
    match exit {
        Exit::Trap(TrapKind::Break, _) => (event.vector, event.error) = (3, Some(0)),
        Exit::Trap(TrapKind::Illegal, _) => (event.vector, event.error) = (6, Some(0)),
        Exit::Trap(TrapKind::Arithmetic, info) => (event.vector, event.error) = (info as u32, Some(0)),
        Exit::Trap(TrapKind::Service, info) if info < 0x100 || info >> 8 > 1 => {
            (event.vector, event.error) = (info as u32 & 0xff, Some((info >> 8) as u32));
        }
        Exit::Fetch => (event.vector, event.error, event.address) = (14, Some(0), c.pc()),
        Exit::Trap(..) | Exit::Syscall | Exit::Poll => {}
        Exit::Fault => {
            let f = c.fault();
            let canonical = (f.addr as i64) << 16 >> 16 == f.addr as i64;
            if f.align {
                // An SSE operand, unless every access has to be aligned.
                (event.vector, event.error) = (if flags & 1 << 18 != 0 { 17 } else { 13 }, Some(0));
            } else if canonical {
                event.vector = 14;
                event.address = f.addr;
                event.error = f.write.map(|w| u32::from(w) << 1);
            } else {
                let mut code = [0; 15];
                let n = Host.fetch(c.pc(), &mut code);
                let stack = guest_x86::uses_stack_segment(&code[..n], 64);
                (event.vector, event.error) = (if stack { 12 } else { 13 }, Some(0));
            }
        }
    }
    event
}

/// Slots and places in the XSAVE area of the parts of vector register n.
fn vector_parts(n: u32) -> [(SlotId, usize); 4] {
    let k = n as usize;
    if n < 16 {
        let z = 1152 + 32 * k;
        [
            (cpu::xmm(n), 160 + 16 * k),
            (cpu::ymm_high(n), 576 + 16 * k),
            (cpu::zmm_high(n, 0), z),
            (cpu::zmm_high(n, 1), z + 16),
        ]
    } else {
        let z = 1664 + 64 * (k - 16);
        [
            (cpu::xmm(n), z),
            (cpu::ymm_high(n), z + 16),
            (cpu::zmm_high(n, 0), z + 32),
            (cpu::zmm_high(n, 1), z + 48),
        ]
    }
}

fn get<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("in range")
}

fn load(guest: &dyn Guest, engine: &Engine, c: &mut CpuState, s: &State, bits: u32) {
    c.state_mut().fill(0);
    cpu::reset(guest.slots(), c.state_mut(), bits);
    let at = |slot: SlotId| guest.slots().get(slot).offset as usize;
    let cs = if bits == 32 { 0x23 } else { 0x33 };
    for (seg, selector) in [(Seg::Cs, cs), (Seg::Ss, 0x2b), (Seg::Ds, 0x2b), (Seg::Es, 0x2b)] {
        c.write_u32(at(cpu::selector(seg)), selector);
    }
    for n in 0..16 {
        let v = if bits == 32 { s.gpr[n] & 0xffff_ffff } else { s.gpr[n] };
        c.write_u64(at(cpu::gpr(n as u32)), v);
    }
    let (arithmetic, df, rest) = cpu::eflags_parts(s.flags);
    c.write_u32(at(cpu::FLAGS), arithmetic);
    c.write_u32(at(cpu::DF), df);
    c.write_u32(at(cpu::EFLAGS_REST), rest);
    for n in 0..32 {
        for (slot, place) in vector_parts(n) {
            c.write_u128(at(slot), u128::from_le_bytes(get(&s.xsave, place)));
        }
    }
    for n in 0..8 {
        c.write_u64(at(cpu::k(n)), u64::from_le_bytes(get(&s.xsave, 1088 + 8 * n as usize)));
    }
    let mxcsr = s.mxcsr();
    c.write_u32(at(cpu::MXCSR), mxcsr & !0x3f);
    engine.set_fp(c, cpu::sticky_of_mxcsr(mxcsr), cpu::round_of_mxcsr(mxcsr));
    let word = |place: usize| u32::from(u16::from_le_bytes(get(&s.xsave, place)));
    let status = word(2);
    let top = status >> 11 & 7;
    c.write_u32(at(cpu::FCW), word(0));
    c.write_u32(at(cpu::FSW), status & !(7 << 11));
    c.write_u32(at(cpu::FTOP), top);
    c.write_u32(at(cpu::FTW), u32::from(s.xsave[4]));
    c.write_u32(at(cpu::FOP), word(6));
    c.write_u64(at(cpu::FIP), u64::from_le_bytes(get(&s.xsave, 8)));
    c.write_u64(at(cpu::FDP), u64::from_le_bytes(get(&s.xsave, 16)));
    for i in 0..8 {
        let mut raw: [u8; 16] = get(&s.xsave, 32 + 16 * i as usize);
        raw[10..].fill(0);
        c.write_u128(at(cpu::st((top + i) & 7)), u128::from_le_bytes(raw));
    }
}

fn store(guest: &dyn Guest, engine: &Engine, c: &CpuState, before: &State) -> State {
    let at = |slot: SlotId| guest.slots().get(slot).offset as usize;
    let mut s = State { data: Vec::new(), ..before.clone() };
    for n in 0..16 {
        s.gpr[n] = c.read_u64(at(cpu::gpr(n as u32)));
    }
    s.flags = cpu::eflags_image(
        c.read_u32(at(cpu::FLAGS)),
        c.read_u32(at(cpu::DF)),
        c.read_u32(at(cpu::EFLAGS_REST)),
    );
    let mut put = |place: usize, bytes: &[u8]| s.xsave[place..place + bytes.len()].copy_from_slice(bytes);
    for n in 0..32 {
        for (slot, place) in vector_parts(n) {
            put(place, &c.read_u128(at(slot)).to_le_bytes());
        }
    }
    for n in 0..8 {
        put(1088 + 8 * n as usize, &c.read_u64(at(cpu::k(n))).to_le_bytes());
    }
    let mxcsr = c.read_u32(at(cpu::MXCSR)) & !0x3f | cpu::mxcsr_of_sticky(engine.fp_flags(c));
    put(24, &mxcsr.to_le_bytes());
    let top = c.read_u32(at(cpu::FTOP)) & 7;
    put(0, &(c.read_u32(at(cpu::FCW)) as u16).to_le_bytes());
    put(2, &((c.read_u32(at(cpu::FSW)) | top << 11) as u16).to_le_bytes());
    put(4, &[c.read_u32(at(cpu::FTW)) as u8, 0]);
    put(6, &(c.read_u32(at(cpu::FOP)) as u16).to_le_bytes());
    put(8, &c.read_u64(at(cpu::FIP)).to_le_bytes());
    put(16, &c.read_u64(at(cpu::FDP)).to_le_bytes());
    for i in 0..8 {
        put(32 + 16 * i as usize, &c.read_u128(at(cpu::st((top + i) & 7))).to_le_bytes());
    }
    s
}
