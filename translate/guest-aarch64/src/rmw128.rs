//! 16-byte read-modify-write (FEAT_LSE128) as a helper.

use ir::{Machine, Size, Stop};

/// old & !operand
pub(crate) const CLEAR: u64 = 0;
/// old | operand
pub(crate) const SET: u64 = 1;
/// operand
pub(crate) const SWAP: u64 = 2;

/// (address, operand, operation) -> old value.
pub(crate) fn helper(m: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    let (addr, operand) = (args[0] as u64, args[1]);
    if addr & 15 != 0 {
        return Err(Stop::Align { addr });
    }
    let mut old = m.cas(addr, Size::Q, 0, 0)?;
    loop {
        let new = match args[2] as u64 {
            CLEAR => old & !operand,
            SET => old | operand,
            _ => operand,
        };
        let seen = m.cas(addr, Size::Q, old, new)?;
        if seen == old {
            return Ok(old);
        }
        old = seen;
    }
}
