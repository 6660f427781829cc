//! Guest address space.

/// A guest address space.
pub struct Mm {}

impl Mm {
    /// SEGV_MAPERR or SEGV_ACCERR for a faulting address.
    pub fn fault_code(&self, _addr: u64) -> i32 {
        1
    }
}
