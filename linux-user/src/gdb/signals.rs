//! Signal numbers: Linux's and the debugger's own. Two inverse functions.

use gdbstub::common::Signal;

/// Linux's numbers of the standard signals in the debugger's numbering.
const SIGNALS: [u8; 32] = [
    0, 1, 2, 3, 4, 5, 6, 10, 8, 9, 30, 11, 31, 13, 14, 15, 143, 20, 19, 17, 18, 21, 22, 16, 24, 25, 26, 27,
    28, 23, 32, 12,
];

/// A Linux signal as the debugger numbers it.
pub fn to_gdb(sig: i32) -> Signal {
    match sig {
        0..32 => Signal(SIGNALS[sig as usize]),
        32 => Signal(77),
        33..64 => Signal((sig - 33 + 45) as u8),
        _ => Signal(78),
    }
}

/// The inverse.
pub fn from_gdb(signal: Signal) -> i32 {
    (1..=64).find(|&sig| to_gdb(sig) == signal).unwrap_or(signal.0.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signal_numbers_round_trip() {
        assert_eq!(to_gdb(libc::SIGUSR1), Signal(30));
        assert_eq!(to_gdb(libc::SIGCHLD), Signal(20));
        for sig in 1..=64 {
            assert_eq!(from_gdb(to_gdb(sig)), sig);
        }
    }
}
