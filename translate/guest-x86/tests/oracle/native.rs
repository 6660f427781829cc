//! The oracle: the instruction on the host's CPU. A signal handler puts the case's registers into its own context and
//! returns into the code; the breakpoint behind the instruction, or its fault, comes back as another signal, whose
//! context holds the result.

use crate::emulated;
use crate::state::{CODE, CODE_SIZE, DATA, DATA_SIZE, Event, Outcome, State, XSAVE};
use std::cell::{Cell, UnsafeCell};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The signal that starts a case.
const START: i32 = libc::SIGUSR1;
const MAGIC: u32 = 0x4650_5853;
/// Offset of the kernel's words in the legacy area, and where the header begins.
const SW_RESERVED: usize = 464;
const HEADER: usize = 512;

/// What passes between the caller and the handler.
struct Exchange {
    bits: u32,
    before: State,
    after: Option<(State, Event)>,
    /// The caller's own context.
    gregs: [i64; 23],
    fp: Vec<u8>,
}

thread_local! {
    static EXCHANGE: UnsafeCell<Option<Exchange>> = const { UnsafeCell::new(None) };
    static ACTIVE: Cell<bool> = const { Cell::new(false) };
}

/// Where each general register is in the context.
const GREGS: [i32; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

/// The context's floating-point area: all of it.
///
/// # Safety
/// `uc` is the kernel's context of a running handler.
unsafe fn fp_area<'a>(uc: *mut libc::ucontext_t) -> &'a mut [u8] {
    // SAFETY: by contract; the kernel says how long the area is where the magic number stands.
    unsafe {
        let base = (*uc).uc_mcontext.fpregs.cast::<u8>();
        let word = |at: usize| base.add(at).cast::<u32>().read_unaligned();
        let len = if word(SW_RESERVED) == MAGIC { word(SW_RESERVED + 16) as usize } else { 512 };
        std::slice::from_raw_parts_mut(base, len)
    }
}

extern "C" fn handler(sig: i32, info: *mut libc::siginfo_t, uc: *mut libc::c_void) {
    let uc = uc.cast::<libc::ucontext_t>();
    if sig == START {
        // SAFETY: the exchange is this thread's, and its owner waits in `raise`.
        EXCHANGE.with(|x| unsafe {
            if let Some(x) = (*x.get()).as_mut() {
                begin(x, uc);
                ACTIVE.set(true);
            }
        });
        return;
    }
    if ACTIVE.get() {
        ACTIVE.set(false);
        // SAFETY: as above.
        EXCHANGE.with(|x| unsafe {
            if let Some(x) = (*x.get()).as_mut() {
                finish(x, uc, info);
            }
        });
        return;
    }
    // SAFETY: the kernel's pointers are valid in a handler.
    let recovered = unsafe { emulated::recover(uc.cast(), sig, (*info).si_code, (*info).si_addr() as u64) };
    if !recovered {
        // SAFETY: the default action ends the process when the instruction faults again.
        unsafe { libc::signal(sig, libc::SIG_DFL) };
    }
}

/// # Safety
/// As [`fp_area`].
unsafe fn begin(x: &mut Exchange, uc: *mut libc::ucontext_t) {
    // SAFETY: by contract.
    let (gregs, fp) = unsafe { (&mut (*uc).uc_mcontext.gregs, fp_area(uc)) };
    x.gregs = *gregs;
    x.fp.clear();
    x.fp.extend_from_slice(fp);
    for (n, &at) in GREGS.iter().enumerate() {
        gregs[at as usize] = x.before.gpr[n] as i64;
    }
    gregs[libc::REG_RIP as usize] = CODE as i64;
    gregs[libc::REG_EFL as usize] = i64::from(x.before.flags | 0x202);
    if x.bits == 32 {
        let selectors = &mut gregs[libc::REG_CSGSFS as usize];
        *selectors = *selectors & !0xffff | 0x23;
    }
    fp[..SW_RESERVED].copy_from_slice(&x.before.xsave[..SW_RESERVED]);
    if fp.len() > HEADER {
        let features = u64::from_le_bytes(fp[SW_RESERVED + 8..SW_RESERVED + 16].try_into().expect("8 bytes"));
        fp[HEADER..HEADER + 64].fill(0);
        // x87, SSE, AVX and AVX-512 state.
        fp[HEADER..HEADER + 8].copy_from_slice(&(features & 0xe7).to_le_bytes());
        let end = fp.len().min(2688);
        fp[576..end].copy_from_slice(&x.before.xsave[576..end]);
    }
}

/// # Safety
/// As [`fp_area`].
unsafe fn finish(x: &mut Exchange, uc: *mut libc::ucontext_t, info: *mut libc::siginfo_t) {
    // SAFETY: by contract.
    let (gregs, fp) = unsafe { (&mut (*uc).uc_mcontext.gregs, fp_area(uc)) };
    let mut state = State { data: Vec::new(), ..x.before.clone() };
    for (n, &at) in GREGS.iter().enumerate() {
        state.gpr[n] = gregs[at as usize] as u64;
    }
    state.flags = gregs[libc::REG_EFL as usize] as u32;
    state.xsave[..SW_RESERVED].copy_from_slice(&fp[..SW_RESERVED]);
    if fp.len() > HEADER {
        let present = fp[HEADER];
        let end = fp.len().min(XSAVE);
        state.xsave[576..end].copy_from_slice(&fp[576..end]);
        // A component that is not there is in its initial state.
        let parts = [(2, 576..832), (5, 1088..1152), (6, 1152..1664), (7, 1664..2688)];
        for (bit, range) in parts {
            if present >> bit & 1 == 0 && range.end <= end {
                state.xsave[range].fill(0);
            }
        }
        if present & 2 == 0 {
            state.xsave[160..416].fill(0);
        }
        if present & 1 == 0 {
            state.xsave[..24].fill(0);
            state.xsave[..2].copy_from_slice(&0x37fu16.to_le_bytes());
            state.xsave[32..160].fill(0);
        }
    }
    let vector = gregs[libc::REG_TRAPNO as usize] as u32;
    let error = gregs[libc::REG_ERR as usize] as u32;
    let event = Event {
        vector,
        error: Some(if vector == 14 { error & 2 } else { error }),
        // SAFETY: the kernel's siginfo.
        address: if vector == 14 { unsafe { (*info).si_addr() as u64 } } else { 0 },
        pc: gregs[libc::REG_RIP as usize] as u64,
    };
    x.after = Some((state, event));
    *gregs = x.gregs;
    fp.copy_from_slice(&x.fp);
}

static USER: Mutex<()> = Mutex::new(());

/// Exclusive use of the code and data windows, with handlers and an alternate stack for this thread.
pub struct Windows {
    _user: MutexGuard<'static, ()>,
    stack: Vec<u8>,
}

fn map(at: u64, len: usize, prot: i32, flags: i32) {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | flags;
    // SAFETY: an anonymous mapping at an address that is free (NOREPLACE) or inside our own reservation.
    let p = unsafe { libc::mmap(at as *mut libc::c_void, len, prot, flags, -1, 0) };
    assert_eq!(p as u64, at, "the tests' addresses are free");
}

impl Windows {
    /// Waits for exclusive use.
    pub fn take() -> Windows {
        static MAPPED: OnceLock<()> = OnceLock::new();
        let user = USER.lock().unwrap_or_else(PoisonError::into_inner);
        MAPPED.get_or_init(|| {
            let rw = libc::PROT_READ | libc::PROT_WRITE;
            map(CODE, CODE_SIZE, rw | libc::PROT_EXEC, libc::MAP_FIXED_NOREPLACE);
            let around = 64 << 20;
            map(DATA - around, 2 * around as usize, libc::PROT_NONE, libc::MAP_FIXED_NOREPLACE);
            map(DATA, DATA_SIZE, rw, libc::MAP_FIXED);
            for sig in [START, libc::SIGTRAP, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE] {
                // SAFETY: a zeroed sigaction with the fields that matter filled in.
                unsafe {
                    let mut act: libc::sigaction = std::mem::zeroed();
                    act.sa_sigaction = handler as *const () as usize;
                    act.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
                    assert_eq!(libc::sigaction(sig, &raw const act, std::ptr::null_mut()), 0);
                }
            }
        });
        let mut stack = vec![0u8; 256 << 10];
        let alt = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
        // SAFETY: the stack lives as long as the windows are held.
        assert_eq!(unsafe { libc::sigaltstack(&raw const alt, std::ptr::null_mut()) }, 0);
        Windows { _user: user, stack }
    }

    /// Puts code at its place, with breakpoints behind and before it.
    pub fn set_code(&self, code: &[u8]) {
        let mut all = [0xcc; CODE_SIZE];
        all[..code.len()].copy_from_slice(code);
        // SAFETY: the mapped code window, which nobody executes now.
        unsafe { (CODE as *mut [u8; CODE_SIZE]).write_volatile(all) };
    }

    /// Copies to the data window.
    pub fn set_data(&self, data: &[u8]) {
        assert_eq!(data.len(), DATA_SIZE);
        // SAFETY: the mapped data window; only the holder uses it.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), DATA as *mut u8, DATA_SIZE) };
    }

    /// Copies from the data window.
    pub fn data(&self) -> Vec<u8> {
        // SAFETY: as above.
        unsafe { (DATA as *const [u8; DATA_SIZE]).read_volatile() }.to_vec()
    }

    /// Runs the code that [`Windows::set_code`] has set in a code segment of this width.
    pub fn run(&self, bits: u32, before: &State) -> Outcome {
        debug_assert!(!self.stack.is_empty());
        self.set_data(&before.data);
        let exchange = Exchange { bits, before: before.clone(), after: None, gregs: [0; 23], fp: Vec::new() };
        // SAFETY: this thread's cell, which the handler uses only during `raise`.
        EXCHANGE.with(|x| unsafe { *x.get() = Some(exchange) });
        // 64-bit code does not look at these two, 32-bit code needs them; a signal frame does not hold them.
        // SAFETY: the kernel's selector of user data.
        unsafe { std::arch::asm!("mov ds, {0:x}", "mov es, {0:x}", in(reg) 0x2b_u32) };
        // NT and ID pass through signal frames in neither direction.
        // SAFETY: the stack is used as a push does; the flags are free here.
        unsafe {
            std::arch::asm!("pushfq", "and qword ptr [rsp], {0}", "popfq", const !0x20_4000_i32);
        }
        // SAFETY: the handler returns here with our own context.
        unsafe { libc::raise(START) };
        // SAFETY: as above.
        let exchange = EXCHANGE.with(|x| unsafe { (*x.get()).take() });
        let (mut state, event) = exchange.and_then(|x| x.after).expect("the handler has run");
        state.data = self.data();
        Outcome { state, event }
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        let off = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        // SAFETY: nothing runs on the stack that goes away.
        unsafe { libc::sigaltstack(&raw const off, std::ptr::null_mut()) };
    }
}
