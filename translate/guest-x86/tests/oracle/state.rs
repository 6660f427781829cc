//! What a case starts from and what is compared: registers, flags, the XSAVE area, memory, and how it ended.

/// Where the code is, natively and as a guest address.
pub const CODE: u64 = 0x1000_0000;
/// Bytes of code: behind the instruction there are breakpoints.
pub const CODE_SIZE: usize = 4096;
/// Where the data window is. Nothing is mapped for 64 MiB on either side.
pub const DATA: u64 = 0x2000_0000;
/// Bytes of the data window.
pub const DATA_SIZE: usize = 8192;
/// Bytes of an XSAVE area in the standard format, with everything up to PKRU.
pub const XSAVE: usize = 2696;

/// Registers.
#[derive(Clone, PartialEq, Eq)]
pub struct State {
    /// General registers in the manual's order.
    pub gpr: [u64; 16],
    /// EFLAGS.
    pub flags: u32,
    /// XSAVE area in the standard format; the header is not looked at.
    pub xsave: Vec<u8>,
    /// The data window.
    pub data: Vec<u8>,
}

impl State {
    /// All zero but the control words.
    pub fn new() -> State {
        let mut xsave = vec![0; XSAVE];
        xsave[..2].copy_from_slice(&0x37fu16.to_le_bytes());
        xsave[24..28].copy_from_slice(&0x1f80u32.to_le_bytes());
        State { gpr: [0; 16], flags: 0x202, xsave, data: vec![0; DATA_SIZE] }
    }
    /// MXCSR.
    pub fn mxcsr(&self) -> u32 {
        u32::from_le_bytes(self.xsave[24..28].try_into().expect("four bytes"))
    }
}

/// How a case ended: the exception and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// Exception vector; 3 is the breakpoint behind the instruction, 14 a page fault.
    pub vector: u32,
    /// Error code; for page faults only bit 1 (write), if it is known.
    pub error: Option<u32>,
    /// Address of a page fault.
    pub address: u64,
    /// Instruction pointer.
    pub pc: u64,
}

/// What came of a case.
#[derive(Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Registers and memory.
    pub state: State,
    /// How it ended.
    pub event: Event,
}

const NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];

/// Which parts of the XSAVE area are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extended {
    /// None.
    No,
    /// Everything.
    Yes,
    /// Everything, but not the x87 where the instruction faulted: how far MMX instructions have taken it over then is the CPU
    /// model's affair.
    Mmx,
}

/// The differences between what should be and what is, in words; empty if there are none.
pub fn differences(before: &State, want: &Outcome, got: &Outcome, extended: Extended) -> Vec<String> {
    let mut out = Vec::new();
    for (n, name) in NAMES.iter().enumerate() {
        let (b, w, g) = (before.gpr[n], want.state.gpr[n], got.state.gpr[n]);
        if w != g {
            out.push(format!("{name}: was {b:#x} want {w:#x} got {g:#x}"));
        }
    }
    // IF and the reserved bit are always set; RF is the exception's; NT and ID do not pass through signal frames.
    let mask = 0x4_0dd5;
    if (want.state.flags ^ got.state.flags) & mask != 0 {
        out.push(format!(
            "eflags: was {:#x} want {:#x} got {:#x}",
            before.flags, want.state.flags, got.state.flags
        ));
    }
    let (w, g) = (want.event, got.event);
    let errors = match (w.error, g.error) {
        // The CPU reads what it will write as a write; here the load comes first.
        (Some(2), Some(0)) if w.vector == 14 => false,
        (Some(a), Some(b)) => a != b,
        _ => false,
    };
    // Which byte of a page a masked access names is the CPU's affair.
    let same_page = extended == Extended::Yes && (w.address ^ g.address) < 4096;
    let other_place = w.address != g.address && !same_page;
    if w.vector != g.vector || w.pc != g.pc || errors || w.vector == 14 && other_place {
        out.push(format!("ended: want {w:x?} got {g:x?}"));
    }
    if let Some(at) = (0..DATA_SIZE).find(|&i| want.state.data[i] != got.state.data[i]) {
        let end = (at + 16).min(DATA_SIZE);
        out.push(format!(
            "memory at {:#x}: was {:02x?} want {:02x?} got {:02x?}",
            DATA + at as u64,
            &before.data[at..end],
            &want.state.data[at..end],
            &got.state.data[at..end]
        ));
    }
    if extended == Extended::Yes {
        // All but the mask of MXCSR, which is the CPU's and not state.
        let compared = (0..28).chain(32..416).chain(576..XSAVE);
        let mut bad: Vec<usize> = compared.filter(|&i| want.state.xsave[i] != got.state.xsave[i]).collect();
        bad.dedup_by_key(|i| *i / 16);
        for at in bad.into_iter().take(6) {
            let at = at & !15;
            let end = (at + 16).min(XSAVE);
            out.push(format!(
                "xsave at {at}: was {:02x?} want {:02x?} got {:02x?}",
                &before.xsave[at..end],
                &want.state.xsave[at..end],
                &got.state.xsave[at..end]
            ));
        }
    }
    out
}
