//! The interpreter: the executable definition of the IR, on any [`Machine`].
//!
//! In: a region, a block of it and a machine. Out: how control left ([`BlockExit`]), with all state in the machine.
//! Values are 128-bit patterns, zero-extended; flags are HPNZCV in bits 5 to 0. Nothing is kept between instructions but
//! the values of the block, so that the state at a stop is exact: all effects of earlier operations, none of later ones.

mod crypto;
mod eval;
mod float;
mod int;
mod lanes;
mod mem;
mod saturate;
#[cfg(test)]
mod tests;
mod vec;

pub use eval::{eval, truncate};
pub use float::env as float_env;
pub use int::{flags_of, flags_of_inst};

use crate::{Attr, BlockId, HelperDesc, Inst, Machine, Op, Region, Stop, Target, Term, TrapKind, Val};

/// How control left a region.
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
        /// Guest address reported.
        pc: u64,
        /// Detail.
        info: u64,
    },
    /// Go on at `pc` under these mode bits.
    Switch {
        /// Guest address.
        pc: u64,
        /// Mode bits.
        mode: u64,
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

/// Runs one operation other than [`Op::FlagsOf`]: the definition of every operation with effects, also for translated
/// code that calls it out of line.
pub fn exec(
    inst: &Inst,
    args: &[u128; 4],
    mach: &mut dyn Machine,
    helpers: &[HelperDesc],
) -> Result<u128, Stop> {
    match inst.op {
        Op::Nop | Op::Insn | Op::Prefetch => Ok(0),
        Op::Defer => match inst.attr {
            Attr::Slot(slot) => {
                let at = mach.slots().get(slot).offset as usize;
                mach.state()[at..at + 4].copy_from_slice(&(inst.imm as u32).to_le_bytes());
                Ok(0)
            }
            _ => panic!("defer without a slot"),
        },
        Op::SetMode => {
            mach.set_mode(inst.imm);
            Ok(0)
        }
        Op::Get => match inst.attr {
            Attr::Slot(slot) => Ok(truncate(inst.ty, mach.slot(slot))),
            _ => panic!("get without a slot"),
        },
        Op::Set => match inst.attr {
            Attr::Slot(slot) => {
                mach.set_slot(slot, args[0]);
                Ok(0)
            }
            _ => panic!("set without a slot"),
        },
        Op::Call => match inst.attr {
            Attr::Helper(id) => Ok(truncate(inst.ty, (helpers[id.0 as usize].func)(mach, args)?)),
            _ => panic!("call without a helper"),
        },
        Op::Load
        | Op::Store
        | Op::VLoad
        | Op::VStore
        | Op::VLoadMask
        | Op::VStoreMask
        | Op::Cas
        | Op::Cas128
        | Op::AtomicRmw
        | Op::Ll
        | Op::Sc
        | Op::Ll128
        | Op::Sc128
        | Op::ClearMonitor
        | Op::Fence
        | Op::InvalCode => Ok(truncate(inst.ty, mem::exec(inst, args, mach)?)),
        _ => Ok(eval(inst, args, mach.fp())),
    }
}

/// Runs from `block` on, through blocks that are parts of one instruction, until control leaves for a guest address or
/// stops.
pub fn run_block(
    region: &Region,
    block: BlockId,
    mach: &mut dyn Machine,
    helpers: &[HelperDesc],
) -> BlockExit {
    let mut run = Run { region, helpers, values: vec![0; region.insts.len()] };
    let mut block = block;
    loop {
        match run.block(block, mach) {
            Ok(Target::Block(next)) => block = next,
            Ok(Target::Pc(pc)) => return BlockExit::Next(pc),
            Err(exit) => return exit,
        }
    }
}

struct Run<'a> {
    region: &'a Region,
    helpers: &'a [HelperDesc],
    values: Vec<u128>,
}

impl Run<'_> {
    fn block(&mut self, id: BlockId, mach: &mut dyn Machine) -> Result<Target, BlockExit> {
        let block = &self.region.blocks[id.0 as usize];
        let mut pc = block.pc;
        for i in self.region.range(id) {
            let inst = &self.region.insts[i];
            if inst.op == Op::Insn {
                pc = inst.imm;
                continue;
            }
            self.values[i] = if inst.op == Op::FlagsOf {
                let made = self.region.inst(inst.args[0]);
                let flags = flags_of_inst(made, &self.args(made));
                u128::from(flags.expect("flags of an operation that has flags"))
                    ^ u128::from(inst.imm & 1) << 1
            } else {
                let args = self.args(inst);
                exec(inst, &args, mach, self.helpers).map_err(|stop| BlockExit::Stop { pc, stop })?
            };
        }
        self.leave(&block.term)
    }

    fn args(&self, inst: &Inst) -> [u128; 4] {
        inst.args.map(|v| if v.is_some() { self.values[v.index()] } else { 0 })
    }

    fn leave(&self, term: &Term) -> Result<Target, BlockExit> {
        let value = |v: Val| self.values[v.index()];
        Err(match *term {
            Term::Jump(target) => return Ok(target),
            Term::Branch { flags, cc, then, els } => {
                return Ok(if cc.holds(value(flags) as u8) { then } else { els });
            }
            Term::Call { target, ret: _ } => BlockExit::Next(target),
            Term::CallIndirect { addr, ret: _ } | Term::Indirect { addr } | Term::Return { addr } => {
                BlockExit::Next(value(addr) as u64)
            }
            Term::Syscall { next } => BlockExit::Syscall { next },
            Term::Trap { kind, pc, info } => BlockExit::Trap { kind, pc, info },
            Term::Switch { pc, mode } => BlockExit::Switch { pc, mode },
            Term::Resume { pc } => BlockExit::Resume { pc },
        })
    }
}
