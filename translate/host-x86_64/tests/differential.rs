//! Translated code against the interpreter: random regions, the state and memory after each compared, exact state at
//! faults included, for every feature level this machine has.
#![allow(missing_docs, reason = "a test")]

use host_x86_64::X86_64;
use host_x86_64::asm::{Features, Level};
use ir::interp::{self, BlockExit};
use ir::state::{GUEST_OFFSET, Header};
use ir::testing::{MEMORY, Rng, ToyGuest, ToyMachine, interpret, random_region};
use ir::*;
use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
const ARENA: usize = 1 << 20;
const RET_STACK: usize = 1 << 16;

struct Cx<'a> {
    guest: &'a ToyGuest,
    descriptors: Vec<Inst>,
}
impl CompileCx for Cx<'_> {
    fn guest(&self) -> &dyn Guest {
        self.guest
    }
    fn descriptor(&mut self, inst: &Inst) -> u32 {
        self.descriptors.push(*inst);
        self.descriptors.len() as u32 - 1
    }
    fn mode_key(&self) -> u64 {
        0
    }
    fn no_chain(&self) -> bool {
        false
    }
}

#[repr(C, align(64))]
struct Block {
    table: [u64; state::LOOKUP_BYTES / 8],
    bytes: [u8; GUEST_OFFSET + 4096],
}

thread_local! {
    static RUN: RefCell<Vec<Inst>> = const { RefCell::new(Vec::new()) };
}
static ARENA_AT: AtomicU64 = AtomicU64::new(0);
static EXIT: AtomicU64 = AtomicU64::new(0);
static mut STATE: *mut Header = std::ptr::null_mut();
static mut MARKS: Vec<(u32, u64)> = Vec::new();
static REGION_AT: AtomicU64 = AtomicU64::new(0);

fn leave(state: *mut Header, key: u64) -> u64 {
    // SAFETY: the running test's state block.
    unsafe {
        (*state).pc = key;
        (*state).exit_code = exit::RESUME;
        EXIT.load(Relaxed)
    }
}
extern "C" fn look_up(state: *mut Header, key: u64) -> u64 {
    leave(state, key)
}
extern "C" fn syscall(_state: *mut Header) -> u32 {
    0
}
extern "C" fn link(state: *mut Header, key: u64, _site: u64) -> u64 {
    leave(state, key)
}

struct Live<'a> {
    state: &'a mut [u8],
    slots: SlotTable,
    fp: FpState,
    monitor: Monitor,
}
impl Live<'_> {
    fn check(addr: u64, len: usize, write: bool) -> Result<*mut u8, Stop> {
        if !MEMORY.contains(&addr) || addr + len as u64 > MEMORY.end {
            return Err(Stop::Fault { addr, write });
        }
        Ok(addr as *mut u8)
    }
}
impl Machine for Live<'_> {
    fn state(&mut self) -> &mut [u8] {
        self.state
    }
    fn slots(&self) -> &SlotTable {
        &self.slots
    }
    fn fp(&mut self) -> &mut FpState {
        &mut self.fp
    }
    fn monitor(&mut self) -> &mut Monitor {
        &mut self.monitor
    }
    fn load(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Stop> {
        let p = Self::check(addr, buf.len(), false)?;
        // SAFETY: inside the mapped test memory.
        unsafe { std::ptr::copy_nonoverlapping(p, buf.as_mut_ptr(), buf.len()) };
        Ok(())
    }
    fn store(&mut self, addr: u64, data: &[u8]) -> Result<(), Stop> {
        let p = Self::check(addr, data.len(), true)?;
        // SAFETY: inside the mapped test memory.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), p, data.len()) };
        Ok(())
    }
    fn cas(&mut self, addr: u64, size: Size, expected: u128, new: u128) -> Result<u128, Stop> {
        let n = size.bytes();
        let mut buf = [0; 16];
        Self::check(addr, n, true)?;
        self.load(addr, &mut buf[..n])?;
        let old = u128::from_le_bytes(buf);
        if old == expected {
            self.store(addr, &new.to_le_bytes()[..n])?;
        }
        Ok(old)
    }
    fn fence(&mut self) {}
    fn invalidate_code(&mut self, _addr: u64, _len: u64) {}
}

fn call(state: *mut Header, descriptor: u32) -> u32 {
    // SAFETY: the running test's state block; nothing else refers to it during the call.
    let (h, guest_state) = unsafe {
        let bytes = std::slice::from_raw_parts_mut((state as *mut u8).add(GUEST_OFFSET), 4096);
        (&mut *state, bytes)
    };
    let inst = RUN.with(|r| r.borrow()[descriptor as usize]);
    let guest = ToyGuest::new();
    let args = h.operands(&inst);
    let value = u128::from(h.monitor_value[0]) | u128::from(h.monitor_value[1]) << 64;
    let mut m = Live {
        state: guest_state,
        slots: guest.slots().clone(),
        fp: FpState { flags: h.fp_flags, round: h.fp_round, sat: h.sat },
        monitor: Monitor { addr: h.monitor_addr, size: h.monitor_size, value },
    };
    let r = interp::exec(&inst, &args, &mut m, guest.helpers());
    (h.fp_flags, h.fp_round, h.sat) = (m.fp.flags, m.fp.round, m.fp.sat);
    (h.monitor_addr, h.monitor_size) = (m.monitor.addr, m.monitor.size);
    h.monitor_value = [m.monitor.value as u64, (m.monitor.value >> 64) as u64];
    match r {
        Ok(v) => {
            h.set_result(&inst, v);
            0
        }
        Err(_) => {
            h.exit_code = exit::FAULT;
            1
        }
    }
}
extern "C" fn eval(state: *mut Header, descriptor: u32) {
    call(state, descriptor);
}
extern "C" fn helper(state: *mut Header, descriptor: u32) -> u32 {
    call(state, descriptor)
}

extern "C" fn on_fault(_sig: i32, _info: *mut libc::siginfo_t, uc: *mut libc::c_void) {
    // SAFETY: a synchronous fault of this thread while translated code runs.
    unsafe {
        let uc = uc as *mut libc::ucontext_t;
        let rip = (*uc).uc_mcontext.gregs[libc::REG_RIP as usize] as u64;
        let (arena, region) = (ARENA_AT.load(Relaxed), REGION_AT.load(Relaxed));
        if !(region..arena + ARENA as u64).contains(&rip) {
            eprintln!("fault at {rip:#x}, arena {arena:#x} region {region:#x}");
            libc::abort();
        }
        let off = (rip - region) as u32;
        let marks = &*std::ptr::addr_of!(MARKS);
        let k = marks.partition_point(|m| m.0 <= off);
        (*STATE).pc = marks[k - 1].1;
        (*STATE).exit_code = exit::FAULT;
        (*uc).uc_mcontext.gregs[libc::REG_RIP as usize] = EXIT.load(Relaxed) as i64;
    }
}

struct Host {
    backend: X86_64,
    code: RuntimeCode,
    arena: *mut u8,
    block: Box<Block>,
    ret_stack: Vec<u64>,
}

impl Host {
    fn new(feat: Features, guest: &ToyGuest) -> Host {
        let backend = X86_64::new(feat, guest.slots());
        let fns = RuntimeFns {
            look_up: look_up as *const () as u64,
            link: link as *const () as u64,
            eval: eval as *const () as u64,
            helper: helper as *const () as u64,
            return_miss: look_up as *const () as u64,
            syscall: syscall as *const () as u64,
        };
        let code = backend.runtime(&fns);
        // SAFETY: fresh mappings; the fixed one is at addresses nothing else uses in a test process.
        unsafe {
            let rwx = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
            let arena =
                libc::mmap(std::ptr::null_mut(), ARENA, rwx, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
                    as *mut u8;
            std::ptr::copy_nonoverlapping(code.bytes.as_ptr(), arena, code.bytes.len());
            let p = libc::mmap(
                MEMORY.start as *mut _,
                4096,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            );
            assert_eq!(p as u64, MEMORY.start);
            let alt = Box::leak(vec![0u8; 1 << 16].into_boxed_slice());
            let ss = libc::stack_t { ss_sp: alt.as_mut_ptr() as *mut _, ss_flags: 0, ss_size: alt.len() };
            libc::sigaltstack(&ss, std::ptr::null_mut());
            let mut sa: libc::sigaction = std::mem::zeroed();
            sa.sa_sigaction = on_fault as *const () as usize;
            sa.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(libc::SIGSEGV, &sa, std::ptr::null_mut());
            libc::sigaction(libc::SIGBUS, &sa, std::ptr::null_mut());
            // SAFETY: zero is valid for bytes.
            Host {
                backend,
                code,
                arena,
                block: Box::new(std::mem::zeroed()),
                ret_stack: vec![0; RET_STACK / 8],
            }
        }
    }
    fn run(&mut self, region: &Region, guest: &ToyGuest, m: &mut ToyMachine) -> (u32, u64, String) {
        let mut cx = Cx { guest, descriptors: Vec::new() };
        let host = self.backend.compile(region, &mut cx);
        let at = (self.code.bytes.len() + 63) & !63;
        let listing = || {
            self.backend
                .disassemble(&host.bytes, 0)
                .into_iter()
                .map(|(a, s)| format!("{a:5x} {s}\n"))
                .collect::<String>()
        };
        RUN.with(|r| *r.borrow_mut() = cx.descriptors);
        let text = if std::env::var("LIST").is_ok() { listing() } else { String::new() };
        let entry = |e: usize| {
            self.arena as u64 + self.code.entries.iter().find(|x| x.0 == e).expect("an entry").1 as u64
        };
        // SAFETY: the arena is big enough and executable; the block is laid out as the contract says; the memory is
        // mapped; the code only touches these.
        unsafe {
            assert!(at + host.bytes.len() <= ARENA);
            std::ptr::copy_nonoverlapping(host.bytes.as_ptr(), self.arena.add(at), host.bytes.len());
            std::ptr::copy_nonoverlapping(m.memory.as_ptr(), MEMORY.start as *mut u8, m.memory.len());
            let base = (&raw mut *self.block).cast::<u8>().add(std::mem::offset_of!(Block, bytes));
            std::ptr::copy_nonoverlapping(m.state.as_ptr(), base.add(GUEST_OFFSET), m.state.len());
            let h = base as *mut Header;
            let n = self.ret_stack.len();
            self.ret_stack[n - 2] = entry(state::RuntimeEntry::ReturnMiss as usize);
            (*h).ret_hi = &self.ret_stack[n - 2] as *const u64 as u64;
            (*h).ret_sp = (*h).ret_hi;
            (*h).ret_lo = self.ret_stack.as_ptr() as u64;
            for &(k, off) in &self.code.entries {
                (*h).entries[k] = self.arena as u64 + off as u64;
            }
            // An empty look-up table: only the key 0 would be found.
            self.block.table[0] = DEAD_KEY;
            (*h).guest_fpcr = self.backend.fpcr(m.fp.round);
            ((*h).fp_flags, (*h).fp_round, (*h).sat) = (m.fp.flags, m.fp.round, m.fp.sat);
            ((*h).monitor_addr, (*h).monitor_size) = (m.monitor.addr, m.monitor.size);
            (*h).monitor_value = [m.monitor.value as u64, (m.monitor.value >> 64) as u64];
            ARENA_AT.store(self.arena as u64, Relaxed);
            REGION_AT.store(self.arena as u64 + at as u64, Relaxed);
            EXIT.store(entry(state::RuntimeEntry::Exit as usize), Relaxed);
            STATE = h;
            *std::ptr::addr_of_mut!(MARKS) = host.marks.clone();
            let enter: extern "C" fn(*mut Header, u64) =
                std::mem::transmute(self.arena.add(self.code.enter as usize));
            enter(h, REGION_AT.load(Relaxed) + host.entries[0].1 as u64);
            std::ptr::copy_nonoverlapping(MEMORY.start as *const u8, m.memory.as_mut_ptr(), m.memory.len());
            std::ptr::copy_nonoverlapping(base.add(GUEST_OFFSET), m.state.as_mut_ptr(), m.state.len());
            // These guests do not look at denormal operands.
            m.fp.flags = (*h).fp_flags | self.backend.fpcr_flags((*h).guest_fpcr) & !0x80;
            m.fp.round = (*h).fp_round;
            m.fp.sat = (*h).sat;
            let value = u128::from((*h).monitor_value[0]) | u128::from((*h).monitor_value[1]) << 64;
            m.monitor = Monitor { addr: (*h).monitor_addr, size: (*h).monitor_size, value };
            ((*h).exit_code, (*h).pc, text)
        }
    }
}

fn same_exit(e: BlockExit, code: u32, pc: u64) -> bool {
    match e {
        BlockExit::Next(p) | BlockExit::Switch { pc: p, .. } | BlockExit::Resume { pc: p } => {
            code == exit::RESUME && pc == p
        }
        BlockExit::Syscall { next } => code == exit::SYSCALL && pc == next,
        BlockExit::Trap { kind, pc: p, .. } => code == exit::TRAP | (kind as u32) << 8 && pc == p,
        BlockExit::Stop { pc: p, .. } => code == exit::FAULT && pc == p,
    }
}

fn differential(level: Level, seed: u64, count: usize, blocks: usize, len: usize, allowed: fn(Op) -> bool) {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let feat = Features::detect_at_most(level);
    if feat.level != level {
        return;
    }
    let guest = ToyGuest::new();
    let mut host = Host::new(feat, &guest);
    let first: usize = std::env::var("CASE").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let mut faults = 0;
    let mut failures = std::collections::BTreeMap::new();
    for case in first..first + count {
        let mut rng = Rng::new(seed.wrapping_mul(0x9e37_79b9) ^ case as u64);
        let region = random_region(&mut rng, blocks, len, allowed);
        let start = ToyMachine::random(&guest, &mut rng);
        let mut want = start.clone();
        let e = interpret(&region, &guest, &mut want, 50);
        if let BlockExit::Next(pc) = e
            && region.block_at(pc).is_some()
        {
            continue;
        }
        faults += matches!(e, BlockExit::Stop { .. }) as usize;
        let mut got = start.clone();
        if std::env::var("CASE").is_ok() {
            eprintln!("{}", text::print(&region, &guest));
        }
        let (mut code, mut pc, mut listing) = host.run(&region, &guest, &mut got);
        // The interpreter goes on after an indirect jump to the region itself.
        for _ in 0..50 {
            if code != exit::RESUME || pc != region.blocks[0].pc {
                break;
            }
            (code, pc, listing) = host.run(&region, &guest, &mut got);
        }
        // Sticky flags at a fault include those of later operations only if nothing was reordered: they are exact.
        let differs: Vec<String> = want
            .registers()
            .into_iter()
            .zip(got.registers())
            .zip(start.clone().registers())
            .filter(|((a, b), _)| a != b)
            .map(|((a, b), s)| format!("{}: was {:#x} want {:#x} got {:#x}", a.0, s.1, a.1, b.1))
            .collect();
        let ok = same_exit(e, code, pc)
            && differs.is_empty()
            && want.memory == got.memory
            && (want.fp.flags, want.fp.sat, want.fp.round) == (got.fp.flags, got.fp.sat, got.fp.round);
        if !ok {
            let ops: std::collections::BTreeSet<&str> =
                region.insts.iter().map(|i| i.op.info().text).collect();
            let why = format!(
                "{level:?} seed {seed} case {case}: exit {e:?} got code {code:#x} pc {pc:#x}; {differs:?}; memory {}; fp {:?} {:?}\n{}\n{listing}",
                want.memory == got.memory,
                want.fp,
                got.fp,
                if region.insts.len() < 60 { text::print(&region, &guest) } else { String::new() },
            );
            if std::env::var("ALL").is_err() {
                panic!("{why}");
            }
            let key = ops
                .iter()
                .filter(|o| !["insn", "set", "get"].contains(o))
                .copied()
                .collect::<Vec<_>>()
                .join(" ");
            *failures.entry(key).or_insert(0) += 1;
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(count < 1000 || faults > 0 || !allowed(Op::Load));
}

fn integer(op: Op) -> bool {
    use AttrKind::*;
    let i = op.info();
    let v = i.args.contains(&Kind::V) || i.result == Kind::V;
    !v && matches!(i.attr, None | Cc | Slot) && !matches!(op, Op::GetFpFlags | Op::SetFpFlags | Op::SetRound)
}
fn memory(op: Op) -> bool {
    matches!(op.info().attr, AttrKind::Mem | AttrKind::Rmw | AttrKind::Slot | AttrKind::Helper)
        || matches!(op, Op::Add | Op::Const | Op::ClearMonitor | Op::Shl | Op::FlagsOf | Op::Sub | Op::Fence)
}
fn vector(op: Op) -> bool {
    let i = op.info();
    i.attr == AttrKind::Vec || matches!(op, Op::Get | Op::Set | Op::Const | Op::Add)
}
fn crypto(op: Op) -> bool {
    let i = op.info();
    i.attr == AttrKind::None && i.result == Kind::V || matches!(op, Op::Get | Op::Set)
}
fn float(op: Op) -> bool {
    let i = op.info();
    matches!(i.attr, AttrKind::Fp | AttrKind::FpCvt)
        || matches!(
            op,
            Op::Get | Op::Set | Op::GetFpFlags | Op::SetFpFlags | Op::SetRound | Op::Select | Op::SetCc
        )
}

fn conversion(op: Op) -> bool {
    op.info().attr == AttrKind::FpCvt || matches!(op, Op::FRint | Op::Get | Op::Set)
}

fn saturating(op: Op) -> bool {
    let i = op.info();
    i.attr == AttrKind::Vec && i.effect == Effect::Sticky
        || ["vhadd", "vrhadd", "vhsub", "vshl", "vrsh", "vrsa", "vmul"].iter().any(|p| i.text.starts_with(p))
        || matches!(op, Op::GetSat | Op::Get | Op::Set)
}

macro_rules! levels {
    ($($name:ident $seed:literal $count:literal $blocks:literal $len:literal $set:expr;)*) => { $(
        mod $name {
            use super::*;
            #[test]
            fn sse() {
                differential(Level::Sse, $seed, $count, $blocks, $len, $set);
            }
            #[test]
            fn avx2() {
                differential(Level::Avx2, $seed, $count, $blocks, $len, $set);
            }
            #[test]
            fn avx512() {
                differential(Level::Avx512, $seed, $count, $blocks, $len, $set);
            }
        }
    )* };
}

levels! {
    integers_short 1 20000 1 3 integer;
    integers 2 5000 3 30 integer;
    memory_ops 3 10000 1 8 memory;
    memory_long 4 3000 3 30 memory;
    vectors_short 5 20000 1 3 vector;
    vectors 6 3000 2 30 vector;
    crypto_ops 7 3000 1 6 crypto;
    floats_short 8 20000 1 3 float;
    floats 9 3000 2 20 float;
    conversions 11 20000 1 4 conversion;
    saturating 12 30000 1 4 saturating;
    everything 10 5000 3 40 |_| true;
}

/// Base, index and value computed and needed later, an index scaled by 16, a displacement of more than 32 bits, an
/// alignment check and an ordered store: more scratch registers than there are.
#[test]
fn an_operation_that_needs_too_many_registers_goes_out_of_line() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let guest = ToyGuest::new();
    let int = |i| SlotId(i);
    let mut b = Builder::new(0);
    b.begin_block(0x1000);
    b.insn(0x1000);
    let (x, y) = (b.get(int(0), Type::I64), b.get(int(1), Type::I64));
    let (base, value) = (b.add(x, y), b.xor(x, y));
    let index = b.sub(x, y);
    let far = 1i64 << 40;
    let mem = Mem::plain(Size::D).natural().with_order(Order::Release).scaled(4);
    b.store(mem, base, index, far, value);
    let seen = b.load(Type::I64, Mem::plain(Size::D).natural().scaled(4), base, index, far);
    for (slot, v) in [base, index, value, seen].into_iter().enumerate() {
        b.set(int(slot as u16), v);
    }
    b.end_block(Term::Jump(Target::Pc(0x2000)), 0x1004);
    let region = b.finish();
    verify(&region, &guest).expect("a valid region");
    let mut start = ToyMachine::random(&guest, &mut Rng::new(1));
    // base = x + y and index = x - y meet the memory's start when 17 x - 15 y + far does.
    let y = 8u64;
    let x = (MEMORY.start + 64).wrapping_sub(far as u64).wrapping_add(15 * y);
    let x = x.wrapping_mul(0xf0f0_f0f0_f0f0_f0f1);
    start.set_slot(int(0), u128::from(x));
    start.set_slot(int(1), u128::from(y));
    for level in [Level::Sse, Level::Avx2, Level::Avx512] {
        let feat = Features::detect_at_most(level);
        if feat.level != level {
            continue;
        }
        let mut host = Host::new(feat, &guest);
        let (mut want, mut got) = (start.clone(), start.clone());
        let e = interpret(&region, &guest, &mut want, 50);
        assert!(matches!(e, BlockExit::Next(0x2000)), "{e:?}");
        assert_ne!(want.memory, start.memory);
        let (code, pc, _) = host.run(&region, &guest, &mut got);
        assert!(same_exit(e, code, pc), "{code:#x} {pc:#x}");
        assert_eq!((want.registers(), &want.memory), (got.registers(), &got.memory));
    }
}
