//! Memory copy and set (FEAT_MOPS), the architecture's option A: after the prologue the size register holds the number of
//! bytes left, negative for an upward copy with the address registers at the end, positive for a downward one. The prologue
//! does the whole work if it can, as one call is dearer than the copy of a few bytes; a fault is left to the main
//! instruction, which goes on where the registers say.

use crate::cpu::{NZCV, x};
use ir::{Machine, Stop};

/// Operation and registers as one helper argument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub rd: u32,
    /// Source address of a copy, value of a set.
    pub rs: u32,
    pub rn: u32,
    /// 0 prologue, 1 main, 2 epilogue.
    pub stage: u32,
    /// Copy upwards whatever the overlap (CPYF).
    pub forward: bool,
    pub set: bool,
}

impl Request {
    pub fn pack(self) -> u64 {
        u64::from(
            self.rd
                | self.rs << 5
                | self.rn << 10
                | self.stage << 15
                | u32::from(self.forward) << 17
                | u32::from(self.set) << 18,
        )
    }

    fn unpack(v: u64) -> Request {
        let v = v as u32;
        Request {
            rd: v & 31,
            rs: v >> 5 & 31,
            rn: v >> 10 & 31,
            stage: v >> 15 & 3,
            forward: v >> 17 & 1 == 1,
            set: v >> 18 & 1 == 1,
        }
    }
}

const PAGE: u64 = 4096;

fn untag(addr: u64) -> u64 {
    ((addr << 8) as i64 >> 8) as u64
}

fn get(m: &mut dyn Machine, n: u32) -> u64 {
    if n == 31 { 0 } else { m.slot(x(n)) as u64 }
}

fn put(m: &mut dyn Machine, n: u32, v: u64) {
    m.set_slot(x(n), u128::from(v));
}

pub(crate) fn helper(m: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    let r = Request::unpack(args[0] as u64);
    if r.stage == 0 {
        prologue(m, r);
        // A fault belongs to the main instruction: the registers are as the prologue and what was done leave them.
        let _ = run(m, r);
    } else {
        run(m, r)?;
    }
    Ok(0)
}

fn prologue(m: &mut dyn Machine, r: Request) {
    let (dst, src, size) = (get(m, r.rd), get(m, r.rs), get(m, r.rn));
    let limit = if r.set || r.forward { i64::MAX as u64 } else { (1 << 55) - 1 };
    let size = size.min(limit);
    m.set_slot(NZCV, 0);
    if !r.set && !r.forward {
        let (d, s) = (dst << 8 >> 8, src << 8 >> 8);
        if s < d && s + size > d {
            return put(m, r.rn, size);
        }
    }
    put(m, r.rd, dst.wrapping_add(size));
    if !r.set {
        put(m, r.rs, src.wrapping_add(size));
    }
    put(m, r.rn, size.wrapping_neg());
}

fn run(m: &mut dyn Machine, r: Request) -> Result<(), Stop> {
    // Most are short: clearing a page each time would cost more than the copy.
    let left = (get(m, r.rn) as i64).unsigned_abs();
    if left <= 256 { run_by::<256>(m, r) } else { run_by::<{ PAGE as usize }>(m, r) }
}

fn run_by<const SIZE: usize>(m: &mut dyn Machine, r: Request) -> Result<(), Stop> {
    let mut buf = [0u8; SIZE];
    let (dst, src) = (get(m, r.rd), get(m, r.rs));
    if r.set {
        buf.fill(src as u8);
    }
    loop {
        let left = get(m, r.rn) as i64;
        if left == 0 {
            return Ok(());
        }
        if left < 0 {
            // No piece crosses a page on either side, so that a fault loses nothing that could have been done.
            let (d, s) = (untag(dst.wrapping_add(left as u64)), untag(src.wrapping_add(left as u64)));
            let mut n = left.unsigned_abs().min(PAGE - d % PAGE);
            if !r.set {
                n = n.min(PAGE - s % PAGE);
                if d > s && d - s < n {
                    // An upward copy onto its own source repeats the pattern.
                    n = d - s;
                }
                m.load(s, &mut buf[..n as usize])?;
            }
            m.store(d, &buf[..n as usize])?;
            put(m, r.rn, (left + n as i64) as u64);
        } else {
            let (d, s) = (untag(dst.wrapping_add(left as u64)), untag(src.wrapping_add(left as u64)));
            let before = |end: u64| (end.wrapping_sub(1)) % PAGE + 1;
            let n = (left as u64).min(before(d)).min(before(s));
            m.load(s.wrapping_sub(n), &mut buf[..n as usize])?;
            m.store(d.wrapping_sub(n), &buf[..n as usize])?;
            put(m, r.rn, left as u64 - n);
        }
    }
}
