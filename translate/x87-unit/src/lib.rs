//! The host's x87 unit as a function: a register image in, one instruction, the image out.
//!
//! Values, status, tags and the transcendental functions are whatever the host's CPU gives, so guests that have this unit get
//! bit-equal results without a second implementation. The unit is left as the ABI wants it: empty, default control word.

#![deny(unsafe_op_in_unsafe_fn)]

#[cfg(target_arch = "x86_64")]
mod native;
#[cfg(target_arch = "x86_64")]
pub use native::{binary, compare_flags, load, run, store, unary};

/// The unit's state in the 28-byte environment's format, followed by ST(0) to ST(7).
#[derive(Clone, Debug)]
#[repr(C, align(16))]
pub struct Image(pub [u8; 108]);

impl Image {
    /// All registers empty.
    pub fn new(control: u16) -> Image {
        let mut image = Image([0; 108]);
        image.put(0, control);
        image.put(8, 0xffff);
        image
    }
    fn put(&mut self, at: usize, v: u16) {
        self.0[at..at + 2].copy_from_slice(&v.to_le_bytes());
    }
    fn get(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }
    /// Control word.
    pub fn control(&self) -> u16 {
        self.get(0)
    }
    /// Status word with the top of stack.
    pub fn status(&self) -> u16 {
        self.get(4)
    }
    /// Sets it.
    pub fn set_status(&mut self, v: u16) {
        self.put(4, v);
    }
    /// Tags, a bit for each physical register: in use.
    pub fn in_use(&self) -> u8 {
        let full = self.get(8);
        (0..8).filter(|i| full >> (2 * i) & 3 != 3).fold(0, |r, i| r | 1 << i)
    }
    /// Sets them.
    pub fn set_in_use(&mut self, bits: u8) {
        let full = (0..8).filter(|i| bits >> i & 1 == 0).fold(0u16, |r, i| r | 3 << (2 * i));
        self.put(8, full);
    }
    /// ST(i), 10 bytes.
    pub fn register(&mut self, i: usize) -> &mut [u8] {
        &mut self.0[28 + 10 * i..38 + 10 * i]
    }
}

/// Memory operand of an instruction.
#[derive(Clone, Debug)]
#[repr(C, align(16))]
pub struct Operand(pub [u8; 128]);
