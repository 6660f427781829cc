//! Regions: what a front end produces, the passes rewrite and a back end compiles.

use crate::kept;
use crate::{Attr, Cc, Kind, Op, Type};
use std::cell::Cell;

/// A value: the index of the instruction that made it in [`Region::insts`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct Val(pub u32);

impl Val {
    /// No value (an absent optional argument).
    pub const NONE: Val = Val(u32::MAX);
    /// True unless this is [`Val::NONE`].
    pub fn is_some(self) -> bool {
        self != Val::NONE
    }
    /// The instruction's index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One instruction.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Inst {
    /// Operation.
    pub op: Op,
    /// Result type ([`Type::Void`] if none). For operations on T without a T result (store) the type of T is
    /// that of the argument.
    pub ty: Type,
    /// Attribute.
    pub attr: Attr,
    /// Arguments, [`Val::NONE`] when absent.
    pub args: [Val; 4],
    /// Immediate.
    pub imm: u64,
}

impl Inst {
    /// A removed instruction.
    pub const NOP: Inst =
        Inst { op: Op::Nop, ty: Type::Void, attr: Attr::None, args: [Val::NONE; 4], imm: 0 };

    /// The present arguments.
    pub fn args(&self) -> impl Iterator<Item = Val> + '_ {
        self.args.iter().copied().filter(|v| v.is_some())
    }
    /// The kinds of the arguments.
    pub fn kinds(&self) -> &'static [Kind] {
        self.op.info().args
    }
}

/// Index of a block in [`Region::blocks`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct BlockId(pub u32);

/// Where a direct transfer goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Target {
    /// A guest address. If a block of the same region starts there the back end jumps inside the region,
    /// otherwise it is a patchable exit.
    Pc(u64),
    /// A block of the same region that has no guest address of its own (part of one instruction).
    Block(BlockId),
}

/// How a block ends. The set is closed; each is a patchable exit of the region.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Term {
    /// Unconditional transfer.
    Jump(Target),
    /// Two-way branch on flags.
    Branch {
        /// Flags tested.
        flags: Val,
        /// Condition.
        cc: Cc,
        /// Taken when it holds.
        then: Target,
        /// Taken when not.
        els: Target,
    },
    /// Direct call: the callee returns to `ret`. The front end has set the link register already.
    Call {
        /// Callee.
        target: u64,
        /// Return address.
        ret: u64,
    },
    /// Indirect call through an I64 value.
    CallIndirect {
        /// Callee address.
        addr: Val,
        /// Return address.
        ret: u64,
    },
    /// Indirect jump.
    Indirect {
        /// Destination address.
        addr: Val,
    },
    /// Return: an indirect jump that is predicted by the call stack.
    Return {
        /// Destination address.
        addr: Val,
    },
    /// System call; execution continues at `next`. The exit has pc = `next`.
    Syscall {
        /// Address of the next instruction.
        next: u64,
    },
    /// Leaves translated code with a trap. The exit has pc = `pc`.
    Trap {
        /// What happened.
        kind: TrapKind,
        /// Guest address reported (the instruction's own, or the next one, as the guest's rules say).
        pc: u64,
        /// Detail, for example the break number.
        info: u64,
    },
    /// Goes on at `pc` under other mode bits, which the front end knows to be right for the state (or for any state).
    Switch {
        /// Where to go on.
        pc: u64,
        /// The mode bits, as from [`crate::Guest::mode`].
        mode: u64,
    },
    /// The mode key changed (state guard): look up `pc` afresh.
    Resume {
        /// Where to go on.
        pc: u64,
    },
}

/// Traps raised by translated code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum TrapKind {
    /// Undefined or disabled instruction; `info` is zero, or [`ILLEGAL_OPERAND`].
    Illegal,
    /// Breakpoint instruction.
    Break,
    /// Arithmetic trap (integer divide, trapping floating point); `info` is guest-defined.
    Arithmetic,
    /// The program counter is misaligned.
    PcAlign,
    /// The stack pointer is misaligned.
    SpAlign,
    /// Guest-defined request to the runtime (`info` says which), for instance a time function.
    Service,
    /// The instruction could not be fetched: not mapped or not executable.
    Fetch,
    /// An access needs special handling by the runtime at `info`.
    Yield,
}

/// With [`TrapKind::Illegal`]: the instruction exists, but not with this operand.
pub const ILLEGAL_OPERAND: u64 = 1;

/// A basic block: `region.insts[first..last]` and a terminator.
#[derive(Clone, PartialEq, Debug)]
pub struct Block {
    /// Guest address of the block; for a block inside an instruction, the instruction's address.
    pub pc: u64,
    /// Guest address after the last instruction decoded.
    pub end: u64,
    /// False for a block that is part of one instruction and cannot be entered from outside.
    pub entry: bool,
    /// First instruction.
    pub first: u32,
    /// One past the last instruction.
    pub last: u32,
    /// How it ends.
    pub term: Term,
}

/// A unit of compilation: some basic blocks of guest code under one mode key.
///
/// Values are local to a block; state crosses blocks in slots (a hot tier may add block parameters).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Region {
    /// CPU mode bits that translation depended on (see `engine`'s key).
    pub mode: u64,
    /// Blocks; the first is the region's entry.
    pub blocks: Vec<Block>,
    /// All instructions, block after block.
    pub insts: Vec<Inst>,
}

thread_local! {
    /// Memory of finished regions.
    static SPARE: Cell<Region> = Cell::default();
}

impl Region {
    /// An empty region, in the memory of one that was given back.
    pub fn empty(mode: u64) -> Region {
        Region { mode, ..kept::take(&SPARE) }
    }
    /// Gives the memory back for the next region of this thread.
    pub fn recycle(mut self) {
        self.blocks.clear();
        self.insts.clear();
        kept::keep(&SPARE, self);
    }
    /// The instruction that made `v`.
    pub fn inst(&self, v: Val) -> &Inst {
        &self.insts[v.index()]
    }
    /// Instruction indices of a block.
    pub fn range(&self, b: BlockId) -> std::ops::Range<usize> {
        let b = &self.blocks[b.0 as usize];
        b.first as usize..b.last as usize
    }
    /// Whether a block leaves for code under other mode bits: then its exits are not to blocks of the region.
    pub fn changes_mode(&self, b: BlockId) -> bool {
        let r = self.range(b);
        !r.is_empty() && self.insts[r.end - 1].op == Op::SetMode
    }
    /// The block that can be entered at guest address `pc`.
    pub fn block_at(&self, pc: u64) -> Option<BlockId> {
        self.blocks.iter().position(|b| b.entry && b.pc == pc).map(|i| BlockId(i as u32))
    }
}
