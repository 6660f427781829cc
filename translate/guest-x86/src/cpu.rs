//! The guest state of x86: slots, mode bits, and what a trap's detail means.
//!
//! Facts: Intel 64 and IA-32 Architectures Software Developer's Manual (SDM), AMD64 Architecture Programmer's Manual.
//!
//! One table serves 16, 32 and 64-bit code. In a 32-bit CPU the upper halves of the general registers are always zero.

use ir::{SlotDesc, SlotId, SlotTable, Type};

/// General registers in the manual's order: rax rcx rdx rbx rsp rbp rsi rdi r8 to r15.
pub const fn gpr(n: u32) -> SlotId {
    SlotId(n as u16)
}

/// rax
pub const RAX: u32 = 0;
/// rcx
pub const RCX: u32 = 1;
/// rdx
pub const RDX: u32 = 2;
/// rbx
pub const RBX: u32 = 3;
/// rsp
pub const RSP: u32 = 4;
/// rbp
pub const RBP: u32 = 5;
/// rsi
pub const RSI: u32 = 6;
/// rdi
pub const RDI: u32 = 7;

/// The arithmetic flags: N is SF, Z is ZF, C is CF (a borrow after subtractions), V is OF, P is PF, H is AF.
pub const FLAGS: SlotId = SlotId(16);
/// DF: 0 or 1. It is in the mode too.
pub const DF: SlotId = SlotId(17);
/// Other bits of EFLAGS that a program can change, in their places: TF, NT, AC, ID. TF and AC are in the mode too.
pub const EFLAGS_REST: SlotId = SlotId(18);
/// MXCSR without its sticky flags, which are the engine's (`GetFpFlags`).
pub const MXCSR: SlotId = SlotId(19);
/// Base of a segment: `Seg` as index. Those of CS, DS, ES and SS are used in 32-bit code under [`MODE_SEGMENTS`] only.
pub const fn segment_base(s: Seg) -> SlotId {
    SlotId(20 + s as u16)
}
/// Selector of a segment.
pub const fn selector(s: Seg) -> SlotId {
    SlotId(26 + s as u16)
}
/// x87 control word.
pub const FCW: SlotId = SlotId(32);
/// x87 status word without TOP (bits 13 to 11 are zero here).
pub const FSW: SlotId = SlotId(33);
/// x87 tags, one bit for each physical register: 1 = in use (as in the XSAVE area's abridged tag word).
pub const FTW: SlotId = SlotId(34);
/// x87 top of stack, 0 to 7. It is in the mode too.
pub const FTOP: SlotId = SlotId(35);
/// x87 last opcode, 11 bits.
pub const FOP: SlotId = SlotId(36);
/// x87 last instruction pointer.
pub const FIP: SlotId = SlotId(37);
/// x87 last data pointer.
pub const FDP: SlotId = SlotId(38);
/// Selectors of these two: CS in the low half, DS in the upper.
pub const FCS_FDS: SlotId = SlotId(39);
/// A mask register of AVX-512.
pub const fn k(n: u32) -> SlotId {
    SlotId(40 + n as u16)
}
/// A physical x87 register (not relative to the top): 80 bits; MMX register n is its low 64 bits.
pub const fn st(n: u32) -> SlotId {
    SlotId(48 + n as u16)
}
/// Bits 127 to 0 of vector register n.
pub const fn xmm(n: u32) -> SlotId {
    SlotId(56 + n as u16)
}
/// Bits 255 to 128 of vector register n.
pub const fn ymm_high(n: u32) -> SlotId {
    SlotId(88 + n as u16)
}
/// Bits 383 to 256 (`half` 0) or 511 to 384 (`half` 1) of vector register n.
pub const fn zmm_high(n: u32, half: u32) -> SlotId {
    SlotId(120 + 2 * n as u16 + half as u16)
}
/// A far transfer's destination, for [`trap::FAR`].
pub const FAR_TARGET: SlotId = SlotId(184);
/// The thread's own entries of the GDT (12 to 14), as raw descriptors: `set_thread_area`.
pub const fn tls(n: u32) -> SlotId {
    SlotId(185 + n as u16)
}
/// Size of the code that CS says, as in the mode ([`MODE_SIZE`]).
pub const CODE_SIZE: SlotId = SlotId(188);
/// The system call's number while a call is being made, all ones otherwise: what debuggers know as orig_rax.
pub const ORIG_RAX: SlotId = SlotId(189);
/// Number of slots.
pub const SLOTS: usize = 190;

/// Segment registers in the manual's order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Seg {
    /// ES
    Es = 0,
    /// CS
    Cs,
    /// SS
    Ss,
    /// DS
    Ds,
    /// FS
    Fs,
    /// GS
    Gs,
}

/// All segment registers.
pub const SEGS: [Seg; 6] = [Seg::Es, Seg::Cs, Seg::Ss, Seg::Ds, Seg::Fs, Seg::Gs];

/// Mode: code size, 0 = 64 bits, 1 = 32 bits, 2 = 16 bits.
pub const MODE_SIZE: u64 = 3;
/// Mode: 32-bit code.
pub const MODE_32: u64 = 1;
/// Mode: 16-bit code.
pub const MODE_16: u64 = 2;
/// Mode: DF is set.
pub const MODE_DF: u64 = 1 << 2;
/// Mode: TF is set: every instruction is a block of its own that ends with a trap.
pub const MODE_TF: u64 = 1 << 3;
/// Mode: an SSE exception is unmasked.
pub const MODE_SSE_UNMASKED: u64 = 1 << 4;
/// Mode: MXCSR.DAZ.
pub const MODE_DAZ: u64 = 1 << 5;
/// Mode: MXCSR.FZ.
pub const MODE_FZ: u64 = 1 << 6;
/// Mode: position of the x87 top of stack.
pub const MODE_TOP_SHIFT: u32 = 7;
/// Mode: x87 top of stack.
pub const MODE_TOP: u64 = 7 << MODE_TOP_SHIFT;
/// Mode: an x87 exception is unmasked.
pub const MODE_X87_UNMASKED: u64 = 1 << 10;
/// Mode: x87 precision or rounding control is not the default (64 bits, nearest).
pub const MODE_X87_CONTROL: u64 = 1 << 11;
/// Mode: CS, DS, ES or SS has a base other than zero (32-bit and 16-bit code).
pub const MODE_SEGMENTS: u64 = 1 << 12;
/// Mode: AC is set: misaligned accesses fault.
pub const MODE_AC: u64 = 1 << 13;

/// EFLAGS bits.
#[allow(missing_docs, reason = "the manual's names")]
pub mod eflags {
    pub const CF: u32 = 1;
    pub const PF: u32 = 1 << 2;
    pub const AF: u32 = 1 << 4;
    pub const ZF: u32 = 1 << 6;
    pub const SF: u32 = 1 << 7;
    pub const TF: u32 = 1 << 8;
    pub const IF: u32 = 1 << 9;
    pub const DF: u32 = 1 << 10;
    pub const OF: u32 = 1 << 11;
    pub const NT: u32 = 1 << 14;
    pub const RF: u32 = 1 << 16;
    pub const AC: u32 = 1 << 18;
    pub const ID: u32 = 1 << 21;
    /// What a program reads: bit 1 and IF are always set.
    pub const FIXED: u32 = 2 | IF;
    /// What [`super::EFLAGS_REST`] holds.
    pub const REST: u32 = TF | NT | AC | ID;
}

/// The default MXCSR: all masked.
pub const MXCSR_DEFAULT: u32 = 0x1f80;
/// The default x87 control word as Linux starts a program.
pub const FCW_DEFAULT: u32 = 0x37f;

/// Exceptions that are reported as [`ir::TrapKind::Service`]: `info` is vector | error code << 8. #UD, #BP, #DE, #MF and #XM
/// have trap kinds of their own: `Illegal`, `Break` (pc is behind the instruction), and `Arithmetic` with the vector as info.
pub mod trap {
    /// #DE
    pub const DE: u64 = 0;
    /// #DB
    pub const DB: u64 = 1;
    /// #BP
    pub const BP: u64 = 3;
    /// #OF
    pub const OF: u64 = 4;
    /// #BR
    pub const BR: u64 = 5;
    /// #NP
    pub const NP: u64 = 11;
    /// #SS
    pub const SS: u64 = 12;
    /// #GP
    pub const GP: u64 = 13;
    /// #MF
    pub const MF: u64 = 16;
    /// #AC
    pub const AC: u64 = 17;
    /// #XM
    pub const XM: u64 = 19;
    /// `int 0x80` in 64-bit code: a system call of the 32-bit ABI. pc is the next instruction.
    pub const INT80: u64 = 0x180;
    /// `sysenter`. pc is the instruction.
    pub const SYSENTER: u64 = 0x181;
    /// `syscall` in 32-bit code (AMD). pc is the next instruction.
    pub const SYSCALL32: u64 = 0x182;
    /// A far transfer that has been made but for the instruction pointer: go on at what slot `FAR_TARGET` holds.
    pub const FAR: u64 = 0x183;

    /// The detail of a trap with an error code.
    pub const fn with_error(vector: u64, error: u64) -> u64 {
        vector | error << 8
    }
}

/// The engine's sticky flags (`GetFpFlags`) of an MXCSR value.
pub fn sticky_of_mxcsr(mxcsr: u32) -> u32 {
    (mxcsr & 1) | (mxcsr >> 1 & 1) << 7 | (mxcsr >> 2 & 15) << 1
}

/// The six flag bits of MXCSR from the engine's sticky flags.
pub fn mxcsr_of_sticky(sticky: u32) -> u32 {
    (sticky & 1) | (sticky >> 7 & 1) << 1 | (sticky >> 1 & 15) << 2
}

/// The engine's number of the rounding mode of an MXCSR value: it counts up before down.
pub fn round_of_mxcsr(mxcsr: u32) -> u32 {
    [0, 2, 1, 3][(mxcsr >> 13 & 3) as usize]
}

/// EFLAGS as a program sees it, from the parts in the state block. `arithmetic` is the flags slot's memory.
pub fn eflags_image(arithmetic: u32, df: u32, rest: u32) -> u32 {
    (arithmetic >> 8 & 0xd5) | (arithmetic & 1) << 11 | (df & 1) << 10 | rest & eflags::REST | eflags::FIXED
}

/// The parts of an EFLAGS image: the flags slot's memory, DF, the rest.
pub fn eflags_parts(image: u32) -> (u32, u32, u32) {
    ((image & 0xd5) << 8 | image >> 11 & 1, image >> 10 & 1, image & eflags::REST)
}

const GPR_NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];

/// The state table. `bits` is the CPU's width.
pub fn slot_table(bits: u32) -> SlotTable {
    let mut slots: Vec<SlotDesc> = Vec::with_capacity(SLOTS);
    let mut at = 0;
    let mut add = |name: &'static str, ty: Type| {
        let size = match ty {
            Type::I64 => 8,
            Type::V128 => 16,
            Type::I32 | Type::Flags | Type::Void => 4,
        };
        at = (at + size - 1) & !(size - 1);
        slots.push(SlotDesc { name, ty, offset: at });
        at += size;
    };
    for name in GPR_NAMES {
        add(name, Type::I64);
    }
    add("eflags", Type::Flags);
    for name in ["df", "eflags_rest", "mxcsr"] {
        add(name, Type::I32);
    }
    for name in ["es_base", "cs_base", "ss_base", "ds_base", "fs_base", "gs_base"] {
        add(name, Type::I64);
    }
    for name in ["es", "cs", "ss", "ds", "fs", "gs", "fcw", "fsw", "ftw", "ftop", "fop"] {
        add(name, Type::I32);
    }
    for name in ["fip", "fdp"] {
        add(name, Type::I64);
    }
    add("fcs_fds", Type::I32);
    for name in ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"] {
        add(name, Type::I64);
    }
    for name in ["st0", "st1", "st2", "st3", "st4", "st5", "st6", "st7"] {
        add(name, Type::V128);
    }
    for name in names::XMM {
        add(name, Type::V128);
    }
    for name in names::YMM {
        add(name, Type::V128);
    }
    for name in names::ZMM {
        add(name, Type::V128);
    }
    for name in ["far_target", "tls0", "tls1", "tls2"] {
        add(name, Type::I64);
    }
    add("code_size", Type::I32);
    add("orig_rax", Type::I64);
    // What compiled programs touch most. A 32-bit CPU's eight all fit.
    let pin_int: &[u32] = if bits == 32 {
        &[RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI]
    } else {
        &[RAX, RDI, RDX, RCX, RSI, RSP, RBX, RBP, 8, 12]
    };
    SlotTable {
        size: (at + 63) & !63,
        slots,
        pin_int: pin_int.iter().map(|&n| gpr(n)).collect(),
        pin_vec: (0..if bits == 32 { 8 } else { 32 }).map(xmm).collect(),
    }
}

/// The slots' names that are many.
mod names {
    macro_rules! numbered {
        ($name:ident, $len:literal, $prefix:literal, $($n:literal)*) => {
            pub const $name: [&str; $len] = [$(concat!($prefix, $n)),*];
        };
    }
    numbered!(XMM, 32, "xmm", 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    numbered!(YMM, 32, "ymmh", 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    numbered!(ZMM, 64, "zmmh", "0a" "0b" "1a" "1b" "2a" "2b" "3a" "3b" "4a" "4b" "5a" "5b" "6a" "6b" "7a" "7b"
        "8a" "8b" "9a" "9b" "10a" "10b" "11a" "11b" "12a" "12b" "13a" "13b" "14a" "14b" "15a" "15b"
        "16a" "16b" "17a" "17b" "18a" "18b" "19a" "19b" "20a" "20b" "21a" "21b" "22a" "22b" "23a" "23b"
        "24a" "24b" "25a" "25b" "26a" "26b" "27a" "27b" "28a" "28b" "29a" "29b" "30a" "30b" "31a" "31b");
}

/// The state with which programs start, all else being zero: control words and the code's size. `state` is the guest part of
/// the state block, `bits` the program's width.
pub fn reset(table: &SlotTable, state: &mut [u8], bits: u32) {
    let mut put = |slot: SlotId, value: u32| {
        let at = table.get(slot).offset as usize;
        state[at..at + 4].copy_from_slice(&value.to_le_bytes());
    };
    put(MXCSR, MXCSR_DEFAULT);
    put(FCW, FCW_DEFAULT);
    put(CODE_SIZE, if bits == 32 { MODE_32 as u32 } else { 0 });
}

/// The mode bits of a state.
pub fn mode(table: &SlotTable, state: &[u8]) -> u64 {
    let word = |slot: SlotId| {
        let at = table.get(slot).offset as usize;
        state.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    };
    let long = |slot: SlotId| {
        let at = table.get(slot).offset as usize;
        state.get(at..at + 8).map_or(0, |b| b.iter().fold(0u64, |a, &x| a | u64::from(x)))
    };
    let mut mode = u64::from(word(CODE_SIZE)) & MODE_SIZE;
    if mode != 0 && [Seg::Cs, Seg::Ds, Seg::Es, Seg::Ss].iter().any(|&s| long(segment_base(s)) != 0) {
        mode |= MODE_SEGMENTS;
    }
    if word(DF) != 0 {
        mode |= MODE_DF;
    }
    let rest = word(EFLAGS_REST);
    if rest & eflags::TF != 0 {
        mode |= MODE_TF;
    }
    if rest & eflags::AC != 0 {
        mode |= MODE_AC;
    }
    mode | mode_of_mxcsr(word(MXCSR)) | mode_of_fcw(word(FCW)) | u64::from(word(FTOP) & 7) << MODE_TOP_SHIFT
}

/// The mode bits that MXCSR sets.
pub fn mode_of_mxcsr(mxcsr: u32) -> u64 {
    let unmasked = if mxcsr & 0x1f80 == 0x1f80 { 0 } else { MODE_SSE_UNMASKED };
    let daz = if mxcsr & 0x40 != 0 { MODE_DAZ } else { 0 };
    let fz = if mxcsr & 0x8000 != 0 { MODE_FZ } else { 0 };
    unmasked | daz | fz
}

/// The mode bits that the x87 control word sets.
pub fn mode_of_fcw(fcw: u32) -> u64 {
    let unmasked = if fcw & 0x3f == 0x3f { 0 } else { MODE_X87_UNMASKED };
    unmasked | if fcw & 0xf00 == 0x300 { 0 } else { MODE_X87_CONTROL }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_where_their_numbers_say() {
        let t = slot_table(64);
        assert_eq!(t.slots.len(), SLOTS);
        let name = |s: SlotId| t.get(s).name;
        assert_eq!(name(gpr(15)), "r15");
        assert_eq!(name(FLAGS), "eflags");
        assert_eq!(name(MXCSR), "mxcsr");
        assert_eq!(name(segment_base(Seg::Gs)), "gs_base");
        assert_eq!(name(selector(Seg::Es)), "es");
        assert_eq!(name(FCW), "fcw");
        assert_eq!(name(FCS_FDS), "fcs_fds");
        assert_eq!(name(k(7)), "k7");
        assert_eq!(name(st(0)), "st0");
        assert_eq!(name(xmm(31)), "xmm31");
        assert_eq!(name(ymm_high(0)), "ymmh0");
        assert_eq!(name(zmm_high(31, 1)), "zmmh31b");
        assert_eq!(name(tls(2)), "tls2");
        assert_eq!(name(CODE_SIZE), "code_size");
        assert_eq!(name(ORIG_RAX), "orig_rax");
    }

    #[test]
    fn eflags_images_come_back() {
        for image in [0x202, 0xed7, 0x244e03 & !eflags::RF] {
            let (a, d, r) = eflags_parts(image);
            assert_eq!(eflags_image(a, d, r), image | 0x202);
        }
    }

    #[test]
    fn mxcsr_flags_come_back() {
        for flags in 0..64 {
            assert_eq!(mxcsr_of_sticky(sticky_of_mxcsr(flags)), flags);
        }
    }

    #[test]
    fn the_default_mode_is_zero() {
        let t = slot_table(64);
        let mut state = vec![0; t.size as usize];
        reset(&t, &mut state, 64);
        assert_eq!(mode(&t, &state), 0);
        reset(&t, &mut state, 32);
        assert_eq!(mode(&t, &state), MODE_32);
    }
}
