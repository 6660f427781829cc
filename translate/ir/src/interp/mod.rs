//! The interpreter: the executable definition of every operation. Signatures first; the definitions follow.

use crate::{BlockId, FpState, HelperDesc, Inst, Machine, Region, Stop, TrapKind};

/// How an interpreted block ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BlockExit {
    /// Go on at this guest address.
    Next(u64),
    /// System call; go on at `next`.
    Syscall {
        /// Address of the next instruction.
        next: u64,
    },
    /// Trap.
    Trap {
        /// What happened.
        kind: TrapKind,
        /// Guest address.
        pc: u64,
        /// Detail.
        info: u64,
    },
    /// The mode changed: go on at `pc`.
    Resume {
        /// Guest address.
        pc: u64,
    },
    /// The instruction at `pc` could not finish.
    Stop {
        /// Guest address.
        pc: u64,
        /// Why.
        stop: Stop,
    },
}

/// Evaluates an operation without memory or slots.
pub fn eval(inst: &Inst, _args: &[u128; 4], _fp: &mut FpState) -> u128 {
    unreachable!("{:?} has no definition yet", inst.op)
}

/// Executes any operation but `flags`.
pub fn exec(
    inst: &Inst,
    args: &[u128; 4],
    m: &mut dyn Machine,
    _helpers: &[HelperDesc],
) -> Result<u128, Stop> {
    Ok(eval(inst, args, m.fp()))
}

/// Interprets one block.
pub fn run_block(
    region: &Region,
    block: BlockId,
    _m: &mut dyn Machine,
    _helpers: &[HelperDesc],
) -> BlockExit {
    BlockExit::Next(region.blocks[block.0 as usize].pc)
}
