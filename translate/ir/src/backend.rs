//! What a host back end provides to the engine, and what it gets. Back ends are pure: bytes and tables out.

use crate::kept;
use crate::{Guest, Inst, Region};
use std::cell::Cell;

/// Host addresses of the engine's functions, `extern "C"`, that the runtime entries call on the runtime's stack.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeFns {
    /// `fn(state, key) -> host address to continue at` (the address of the exit entry to leave).
    pub look_up: u64,
    /// `fn(state, key, site address) -> host address to continue at`, linking the site when possible.
    pub link: u64,
    /// `fn(state, descriptor index)`: arguments in `Header::call_args`, result in `call_result`; no slots used.
    pub eval: u64,
    /// `fn(state, descriptor index) -> u32`: as `eval` with slots and memory; non-zero: leave translated code now
    /// (exit code, info and pc are set).
    pub helper: u64,
    /// `fn(state, key) -> host address`: a return whose prediction was wrong.
    pub return_miss: u64,
    /// `fn(state) -> u32`: a system call with slots in memory and pc behind it. Non-zero: it is done, translated code goes
    /// on there; zero: leave (the exit code is set).
    pub syscall: u64,
}

/// The runtime's own host code, generated once per process.
#[derive(Clone, Debug, Default)]
pub struct RuntimeCode {
    /// Position-independent code.
    pub bytes: Vec<u8>,
    /// Offset of `extern "C" fn enter(state, host address)`: runs translated code until an exit.
    pub enter: u32,
    /// (index in `Header::entries`, offset).
    pub entries: Vec<(usize, u32)>,
}

/// A patchable direct exit: the 4-byte aligned displacement at `at` initially leads to the exit's own stub.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExitSite {
    /// Offset of the displacement field.
    pub at: u32,
    /// Offset of the stub it leads to when unlinked; for a jump to a loop's head in the same region that head.
    pub stub: u32,
    /// The look-up key it leads to: a guest address with the mode in force there.
    pub key: u64,
}

/// A return landing pad.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pad {
    /// Offset of the 8-byte aligned key that the pad compares with. Invalidation writes [`DEAD_KEY`] there.
    pub key_at: u32,
    /// Guest return address.
    pub pc: u64,
}

/// The key of what is dead. A guest may jump to any address, so no value is impossible; this one is not canonical and has no
/// pattern that a program would make (all ones, addresses of a kernel).
pub const DEAD_KEY: u64 = 0x8d3a_91c7_5be2_d469;

/// Something absolute in the code, for persistent caches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reloc {
    /// 8-byte guest address at the offset.
    Guest64(u32),
    /// 4-byte guest address at the offset.
    Guest32(u32),
    /// 4-byte index of an interned descriptor at the offset.
    Descriptor(u32),
    /// The code holds a guest address in a form that cannot be changed: it is not kept.
    Fixed,
}

/// The output of a compilation.
#[derive(Clone, Debug, Default)]
pub struct HostCode {
    /// Host bytes, position independent; they are installed 16-byte aligned.
    pub bytes: Vec<u8>,
    /// Enterable blocks: (guest address, offset).
    pub entries: Vec<(u64, u32)>,
    /// Patchable exits.
    pub exits: Vec<ExitSite>,
    /// Return landing pads.
    pub pads: Vec<Pad>,
    /// Sorted by offset: from this offset on the code belongs to the guest instruction at this address.
    pub marks: Vec<(u32, u64)>,
    /// Absolute values.
    pub relocs: Vec<Reloc>,
    /// Where a fault in this code goes on instead of at the exit entry, if registers differ from the canonical map.
    pub fault_exit: Option<u32>,
}

/// How a region is compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// Loops are counted: each passage of a loop's head adds this to one of [`crate::state::Header::loops`], and when that
    /// overflows the code leaves with [`exit::HOT`]. Jumps to heads inside the region are patchable, too.
    pub count: Option<u32>,
    /// The region is worth its own register map, and only its first block is entered from outside.
    pub hot: bool,
}

thread_local! {
    /// Memory of outputs that are done with.
    static SPARE: Cell<HostCode> = Cell::default();
}

impl HostCode {
    /// An empty output, in the memory of one that was given back.
    pub fn empty() -> HostCode {
        kept::take(&SPARE)
    }
    /// Gives the memory back for the next compilation of this thread.
    pub fn recycle(mut self) {
        // Every field, so that nothing of one region is left for the next.
        let HostCode { bytes, entries, exits, pads, marks, relocs, fault_exit } = &mut self;
        bytes.clear();
        entries.clear();
        exits.clear();
        pads.clear();
        marks.clear();
        relocs.clear();
        *fault_exit = None;
        kept::keep(&SPARE, self);
    }
}

/// What the back end may ask while compiling.
pub trait CompileCx {
    /// The guest.
    fn guest(&self) -> &dyn Guest;
    /// Index of the interned (op, type, attribute, immediate) of `inst`, for out-of-line evaluation.
    fn descriptor(&mut self, inst: &Inst) -> u32;
    /// Bits 48 to 63 of the look-up key for this region's mode.
    fn mode_key(&self) -> u64;
    /// Direct exits must go through the dispatcher (`-d nochain`), and so must returns.
    fn no_chain(&self) -> bool;
    /// How to compile.
    fn plan(&self) -> Plan {
        Plan::default()
    }
}

/// A host back end for one feature level.
pub trait BackEnd: Sync + Send {
    /// Name for logs and cache keys, with the feature level.
    fn name(&self) -> String;
    /// Generates the runtime entries.
    fn runtime(&self, fns: &RuntimeFns) -> RuntimeCode;
    /// Compiles a region.
    fn compile(&self, region: &Region, cx: &mut dyn CompileCx) -> HostCode;
    /// The 4 bytes to store at a displacement field at address `site` so that it leads to `to`.
    fn link_value(&self, site: u64, to: u64) -> u32;
    /// Initial [`crate::state::Header::guest_fpcr`] for a dynamic rounding mode (as `SetRound`), no sticky flags.
    fn fpcr(&self, round: u32) -> u32;
    /// Sticky flags (as `GetFpFlags`) held in a host status word.
    fn fpcr_flags(&self, fpcr: u32) -> u32;
    /// Disassembles host code for logs.
    fn disassemble(&self, bytes: &[u8], address: u64) -> Vec<(u64, String)>;
}

/// Exit codes in [`crate::state::Header::exit_code`].
pub mod exit {
    /// System call; pc is the next instruction.
    pub const SYSCALL: u32 = 1;
    /// The poll word was non-zero.
    pub const POLL: u32 = 2;
    /// Trap: the kind is in bits 8 to 15 (`TrapKind as u32`), `exit_info` is the trap's info.
    pub const TRAP: u32 = 3;
    /// Memory fault recorded by the host's fault handler; `exit_info` is the guest address.
    pub const FAULT: u32 = 4;
    /// Look-up failed: the code at pc cannot be fetched.
    pub const FETCH: u32 = 5;
    /// Look up again (mode changed, code invalidated, single step done).
    pub const RESUME: u32 = 6;
    /// The loop whose head is at pc has run often.
    pub const HOT: u32 = 7;
}
