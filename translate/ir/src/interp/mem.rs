//! Operations on guest memory and on the monitor, through [`Machine`].

use super::int::sext;
use crate::{Attr, Ext, Inst, Machine, Mem, Op, Order, Rmw, Size, Stop, Type};

fn attr(inst: &Inst) -> Mem {
    match inst.attr {
        Attr::Mem(m) | Attr::Rmw(m, _) => m,
        _ => panic!("{:?} has no memory attribute", inst.op),
    }
}

/// Address of an access with base and index.
fn indexed(mach: &dyn Machine, m: Mem, args: &[u128; 4], imm: u64) -> u64 {
    (args[0] as u64).wrapping_add((args[1] as u64) << m.scale).wrapping_add(imm) & mach.address_mask()
}

fn check_aligned(m: Mem, addr: u64) -> Result<u64, Stop> {
    let bytes = m.size.bytes() as u64;
    let bad = m.aligned && addr & (bytes - 1) != 0 && !(m.within16 && addr % 16 + bytes <= 16);
    if bad { Err(Stop::Align { addr }) } else { Ok(addr) }
}

/// Reverses the bytes of a big-endian access.
fn swap(m: Mem, v: u128) -> u128 {
    if m.big_endian { v.swap_bytes() >> (128 - m.size.bits()) } else { v }
}

fn cut(size: Size, v: u128) -> u128 {
    if size == Size::Q { v } else { v & ((1 << size.bits()) - 1) }
}

fn load(mach: &mut dyn Machine, m: Mem, addr: u64) -> Result<u128, Stop> {
    let mut buf = [0; 16];
    mach.load(addr, &mut buf[..m.size.bytes()])?;
    if matches!(m.order, Order::Acquire | Order::AcqRel) {
        mach.fence();
    }
    Ok(u128::from_le_bytes(buf))
}

fn store(mach: &mut dyn Machine, m: Mem, addr: u64, v: u128) -> Result<(), Stop> {
    let ordered = matches!(m.order, Order::Release | Order::AcqRel);
    if ordered {
        mach.fence();
    }
    mach.store(addr, &swap(m, cut(m.size, v)).to_le_bytes()[..m.size.bytes()])?;
    if ordered {
        mach.fence();
    }
    Ok(())
}

fn extended(m: Mem, ty: Type, v: u128) -> u128 {
    match (m.ext, ty) {
        (Ext::Sign, Type::I32) => u128::from(sext(v as u64, m.size.bits().min(64)) as u32),
        (Ext::Sign, Type::I64) => u128::from(sext(v as u64, m.size.bits().min(64)) as u64),
        (Ext::Zero | Ext::Sign, _) => v,
    }
}

fn combine(op: Rmw, size: Size, old: u128, arg: u128) -> u128 {
    let signed = |v: u128| ((v << (128 - size.bits())) as i128) >> (128 - size.bits());
    let new = match op {
        Rmw::Add => old.wrapping_add(arg),
        Rmw::AndNot => old & !arg,
        Rmw::And => old & arg,
        Rmw::Or => old | arg,
        Rmw::Xor => old ^ arg,
        Rmw::SMax => signed(old).max(signed(arg)) as u128,
        Rmw::SMin => signed(old).min(signed(arg)) as u128,
        Rmw::UMax => old.max(arg),
        Rmw::UMin => old.min(arg),
        Rmw::Swap => arg,
    };
    cut(size, new)
}

/// Bytes that lie in one page wherever pages begin: no page is smaller.
const PAGE: u64 = 4096;

/// All ones in the lanes whose bits are set.
fn lane_mask(size: Size, bits: u64) -> u128 {
    let lane = u128::MAX >> (128 - size.bits());
    let chosen = (0..16 / size.bytes() as u32).filter(|i| bits >> i & 1 != 0);
    chosen.fold(0, |mask, i| mask | lane << (size.bits() * i))
}

fn load_masked(mach: &mut dyn Machine, size: Size, addr: u64, bits: u64) -> Result<u128, Stop> {
    let mask = lane_mask(size, bits);
    let mut buf = [0; 16];
    if mask == 0 {
        return Ok(0);
    }
    // In one page either all of it can be read or nothing.
    if addr % PAGE <= PAGE - 16 && mach.load(addr, &mut buf).is_ok() {
        return Ok(u128::from_le_bytes(buf) & mask);
    }
    buf = [0; 16];
    for at in (0..16).step_by(size.bytes()).filter(|at| bits >> (at / size.bytes()) & 1 != 0) {
        let addr = addr.wrapping_add(at as u64) & mach.address_mask();
        mach.load(addr, &mut buf[at..at + size.bytes()])?;
    }
    Ok(u128::from_le_bytes(buf))
}

fn store_masked(mach: &mut dyn Machine, size: Size, addr: u64, v: u128, bits: u64) -> Result<(), Stop> {
    let (size, mask) = (size.bytes(), mach.address_mask());
    let lanes = 16 / size;
    let place = |i: usize| addr.wrapping_add((i * size) as u64) & mask;
    if addr % PAGE > PAGE - 16 {
        let mut there = [0; 16];
        for i in (0..lanes).filter(|i| bits >> i & 1 != 0) {
            // A page that can be read but not written shows at the store: the one above is tried first.
            mach.load(place(i), &mut there[..size]).map_err(|stop| match stop {
                Stop::Fault { addr, .. } => Stop::Fault { addr, write: true },
                other => other,
            })?;
        }
    }
    let bytes = v.to_le_bytes();
    let mut end = lanes;
    while end > 0 {
        // Runs of lanes are one store each, from the top, and cut where a page ends.
        let run = (0..end).rev().take_while(|&i| bits >> i & 1 != 0).count();
        let cut = (end - run..end).rev().find(|&i| place(i) % PAGE == 0).filter(|&i| i > end - run);
        let start = cut.unwrap_or(end - run);
        if run > 0 {
            mach.store(place(start), &bytes[start * size..end * size])?;
        }
        end = if run > 0 { start } else { end - 1 };
    }
    Ok(())
}

/// Runs one operation that touches memory or the monitor.
pub(super) fn exec(inst: &Inst, args: &[u128; 4], mach: &mut dyn Machine) -> Result<u128, Stop> {
    match inst.op {
        Op::Load | Op::VLoad => {
            let m = attr(inst);
            let addr = check_aligned(m, indexed(mach, m, args, inst.imm))?;
            let v = load(mach, m, addr)?;
            Ok(extended(m, inst.ty, swap(m, v)))
        }
        Op::Store | Op::VStore => {
            let m = attr(inst);
            let addr = check_aligned(m, indexed(mach, m, args, inst.imm))?;
            store(mach, m, addr, args[2])?;
            Ok(0)
        }
        Op::VLoadMask => {
            let m = attr(inst);
            let addr = indexed(mach, m, args, inst.imm);
            load_masked(mach, m.size, addr, args[2] as u64)
        }
        Op::VStoreMask => {
            let m = attr(inst);
            let addr = indexed(mach, m, args, inst.imm);
            store_masked(mach, m.size, addr, args[2], args[3] as u64)?;
            Ok(0)
        }
        Op::Cas | Op::Cas128 => {
            let m = attr(inst);
            let addr = check_aligned(m, args[0] as u64 & mach.address_mask())?;
            let (expected, new) = (swap(m, cut(m.size, args[1])), swap(m, cut(m.size, args[2])));
            let old = mach.cas(addr, m.size, expected, new)?;
            Ok(swap(m, old))
        }
        Op::AtomicRmw => {
            let Attr::Rmw(m, op) = inst.attr else { panic!("rmw without its attribute") };
            let addr = check_aligned(m, args[0] as u64 & mach.address_mask())?;
            let arg = cut(m.size, args[1]);
            let mut seen = load(mach, m, addr)?;
            loop {
                let old = swap(m, seen);
                let found = mach.cas(addr, m.size, seen, swap(m, combine(op, m.size, old, arg)))?;
                if found == seen {
                    return Ok(old);
                }
                seen = found;
            }
        }
        Op::Ll | Op::Ll128 => {
            let m = attr(inst);
            let addr = check_aligned(m, args[0] as u64 & mach.address_mask())?;
            let value = load(mach, m, addr)?;
            *mach.monitor() = crate::Monitor { addr, size: m.size.bytes() as u64, value };
            Ok(swap(m, value))
        }
        Op::Sc | Op::Sc128 => {
            let m = attr(inst);
            let addr = check_aligned(m, args[0] as u64 & mach.address_mask())?;
            let monitor = *mach.monitor();
            mach.monitor().addr = u64::MAX;
            if monitor.addr != addr || monitor.size != m.size.bytes() as u64 {
                return Ok(1);
            }
            let old = mach.cas(addr, m.size, monitor.value, swap(m, cut(m.size, args[1])))?;
            Ok(u128::from(old != monitor.value))
        }
        Op::ClearMonitor => {
            mach.monitor().addr = u64::MAX;
            Ok(0)
        }
        Op::Fence => {
            mach.fence();
            Ok(0)
        }
        Op::InvalCode => {
            mach.invalidate_code(args[0] as u64, inst.imm);
            Ok(0)
        }
        op => panic!("{op:?} does not touch memory"),
    }
}
