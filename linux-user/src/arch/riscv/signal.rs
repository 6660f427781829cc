//! RISC-V signal frames, byte for byte as the kernel's `arch/riscv/kernel/signal.c` lays them out.
//!
//! Layout source: UAPI `asm/sigcontext.h`, `asm/ucontext.h`, `asm/ptrace.h`. Building and reading are pure.

use super::vector::VectorState;
use crate::cpu::CpuState;
use crate::guest_mem::GuestMem;
use crate::signal::{AltStack, BadFrame, Frame, Restored};
use engine::Engine;
use guest_riscv::cpu as regs;
use ir::SlotId;
use syscall_tables::Arch;

/// All registers that a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Regs {
    /// Program counter in place of x0, then x1 to x31: the order of `user_regs_struct`.
    pub x: [u64; 32],
    /// f0 to f31.
    pub f: [u64; 32],
    /// fflags and frm.
    pub fcsr: u32,
}

/// Where things are in a frame, which depends on the width of a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    abi: Arch,
    word: usize,
    /// `uc_stack`.
    stack: usize,
    /// `uc_sigmask`.
    mask: usize,
    /// `sc_regs`.
    regs: usize,
    /// `sc_fpregs`.
    fp: usize,
    /// `sizeof(struct rt_sigframe)`.
    pub size: usize,
}

/// Behind the siginfo.
const UC: usize = 128;
/// `sizeof(union __riscv_fp_state)`.
const FP_SIZE: usize = 528;

impl Shape {
    /// The frame of 32- or 64-bit programs.
    pub const fn of(xlen: u32) -> Shape {
        let (abi, word) = if xlen == 32 { (Arch::Riscv32, 4) } else { (Arch::Riscv64, 8) };
        // uc_flags and uc_link; ss_sp, ss_flags with padding, ss_size; room for 1024 signals; aligned to 16.
        let stack = UC + 2 * word;
        let mask = stack + 3 * word;
        let regs = (mask + 128).next_multiple_of(16);
        let fp = regs + 32 * word;
        Shape { abi, word, stack, mask, regs, fp, size: fp + FP_SIZE }
    }

    /// `struct __sc_riscv_v_state`: five words and a pointer, aligned to 16.
    const fn vector_head(&self) -> usize {
        (6 * self.word).next_multiple_of(16)
    }

    /// Bytes of the vector record with its header, for registers of `vlen` bits.
    pub const fn vector_size(&self, vlen: u32) -> usize {
        8 + self.vector_head() + 4 * vlen as usize
    }

    /// The largest frame.
    pub const fn size_with(&self, vlen: u32) -> usize {
        (self.size + self.vector_size(vlen)).next_multiple_of(16)
    }

    fn put_word(&self, bytes: &mut [u8], at: usize, value: u64) {
        bytes[at..at + self.word].copy_from_slice(&value.to_le_bytes()[..self.word]);
    }

    fn word_at(&self, bytes: &[u8], at: usize) -> u64 {
        let mut raw = [0; 8];
        raw[..self.word].copy_from_slice(&bytes[at..at + self.word]);
        u64::from_le_bytes(raw)
    }
}

fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// RISCV_V_MAGIC.
const VECTOR_MAGIC: u32 = 0x5346_5457;

/// Builds the frame: its address, its bytes and the registers for the handler.
pub fn encode(
    shape: Shape,
    regs: &Regs,
    vector: Option<&VectorState>,
    frame: &Frame<'_>,
    trampoline: u64,
) -> (u64, Vec<u8>, Regs) {
    let size = vector.map_or(shape.size, |v| shape.size_with(8 * v.data.len() as u32 / 32));
    let addr = frame.sp.wrapping_sub(size as u64) & !15;
    let mut bytes = vec![0; size];
    let b = &mut bytes;
    if let Some(v) = vector {
        // The header is in the last words of the floating-point state, the record behind it; an empty header ends the list.
        let (header, record) = (shape.size - 8, shape.size);
        let data = record + shape.vector_head();
        put(b, header, VECTOR_MAGIC.to_le_bytes());
        put(b, header + 4, ((data - header + v.data.len()) as u32).to_le_bytes());
        let controls = v.controls(shape.word);
        b[record..record + controls.len()].copy_from_slice(&controls);
        shape.put_word(b, record + controls.len(), addr + data as u64);
        b[data..data + v.data.len()].copy_from_slice(&v.data);
    }
    put(b, 0, frame.info.to_abi(shape.abi));
    shape.put_word(b, shape.stack, frame.altstack.sp);
    put(b, shape.stack + shape.word, frame.altstack.flags.to_le_bytes());
    shape.put_word(b, shape.stack + 2 * shape.word, frame.altstack.size);
    put(b, shape.mask, frame.old_mask.to_le_bytes());
    for n in 0..32 {
        shape.put_word(b, shape.regs + shape.word * n, regs.x[n]);
        put(b, shape.fp + 8 * n, regs.f[n].to_le_bytes());
    }
    put(b, shape.fp + 256, regs.fcsr.to_le_bytes());
    let mut new = *regs;
    new.x[0] = frame.action.handler;
    new.x[1] = trampoline;
    new.x[2] = addr;
    new.x[10] = frame.sig as u64;
    new.x[11] = addr;
    new.x[12] = addr + UC as u64;
    (addr, bytes, new)
}

/// Reads a frame back.
pub fn decode(shape: Shape, bytes: &[u8]) -> Result<(Regs, Restored), BadFrame> {
    let bytes = bytes.get(..shape.size).ok_or(BadFrame)?;
    let mut regs = Regs { fcsr: u32_at(bytes, shape.fp + 256), ..Regs::default() };
    for n in 0..32 {
        regs.x[n] = shape.word_at(bytes, shape.regs + shape.word * n);
        regs.f[n] = u64_at(bytes, shape.fp + 8 * n);
    }
    let altstack = AltStack {
        sp: shape.word_at(bytes, shape.stack),
        flags: u32_at(bytes, shape.stack + shape.word),
        size: shape.word_at(bytes, shape.stack + 2 * shape.word),
    };
    Ok((regs, Restored { mask: u64_at(bytes, shape.mask), altstack: Some(altstack) }))
}

/// The vector record of a frame: its five control words and the address of the registers. `None`: there is none.
pub fn vector_record(shape: Shape, vlen: u32, bytes: &[u8]) -> Result<Option<(Vec<u8>, u64)>, BadFrame> {
    let header = shape.size - 8;
    if u32_at(bytes, header - 4) != 0 {
        return Err(BadFrame);
    }
    match (u32_at(bytes, header), u32_at(bytes, header + 4) as usize) {
        (0, 0) => Ok(None),
        (VECTOR_MAGIC, size) if size == shape.vector_size(vlen) && bytes.len() >= header + size + 8 => {
            let record = shape.size;
            let pointer = shape.word_at(bytes, record + 5 * shape.word);
            if u64_at(bytes, header + size) != 0 {
                return Err(BadFrame);
            }
            Ok(Some((bytes[record..record + 5 * shape.word].to_vec(), pointer)))
        }
        _ => Err(BadFrame),
    }
}

/// fflags has the engine's five flags in reverse order.
fn reverse_flags(flags: u32) -> u32 {
    (flags & 0x1f).reverse_bits() >> 27
}

/// The engine's number of a rounding mode: both count nearest as 0 and nearest-away as 4, the directed ones in reverse.
fn round(frm: u32) -> u32 {
    if matches!(frm, 1..=3) { 4 - frm } else { frm & 4 }
}

/// Reads all registers of a CPU.
pub fn load(engine: &Engine, cpu: &CpuState) -> Regs {
    let slots = engine.guest().slots();
    let at = |id: SlotId| slots.get(id).offset as usize;
    Regs {
        x: std::array::from_fn(|n| if n == 0 { cpu.pc() } else { cpu.read_u64(at(regs::x(n as u32))) }),
        f: std::array::from_fn(|n| cpu.read_u64(at(regs::f(n as u32)))),
        fcsr: reverse_flags(engine.fp_flags(cpu)) | (cpu.read_u32(at(regs::FRM)) & 7) << 5,
    }
}

/// Writes all registers of a CPU.
pub fn store(engine: &Engine, cpu: &mut CpuState, values: &Regs) {
    let slots = engine.guest().slots();
    let at = |id: SlotId| slots.get(id).offset as usize;
    cpu.set_pc(values.x[0]);
    for n in 1..32 {
        cpu.write_u64(at(regs::x(n as u32)), values.x[n]);
    }
    for (n, value) in values.f.iter().enumerate() {
        cpu.write_u128(at(regs::f(n as u32)), u128::from(*value));
    }
    let frm = values.fcsr >> 5 & 7;
    cpu.write_u32(at(regs::FRM), frm);
    engine.set_fp(cpu, reverse_flags(values.fcsr), round(frm));
    cpu.clear_monitor();
}

/// Writes a frame to guest memory and enters the handler. `vlen` is zero for CPUs without vectors.
pub fn push(
    shape: Shape,
    vlen: u32,
    engine: &Engine,
    cpu: &mut CpuState,
    mem: GuestMem,
    frame: &Frame<'_>,
    trampoline: u64,
) -> Result<(), BadFrame> {
    let slots = engine.guest().slots();
    let vector = (vlen != 0).then(|| VectorState::load(slots, vlen, cpu)).filter(VectorState::used);
    let (addr, bytes, regs) = encode(shape, &load(engine, cpu), vector.as_ref(), frame, trampoline);
    mem.copy_out(addr, &bytes).map_err(|_| BadFrame)?;
    store(engine, cpu, &regs);
    Ok(())
}

/// Restores what the frame at the stack pointer holds.
pub fn pop(
    shape: Shape,
    vlen: u32,
    engine: &Engine,
    cpu: &mut CpuState,
    mem: GuestMem,
) -> Result<Restored, BadFrame> {
    let sp = load(engine, cpu).x[2];
    let mut bytes = vec![0; shape.size_with(vlen)];
    // Without a vector record nothing may be mapped behind the frame.
    let got = mem.copy_in_partial(sp, &mut bytes);
    bytes.truncate(got);
    let (values, restored) = decode(shape, &bytes)?;
    if let Some((controls, pointer)) = vector_record(shape, vlen, &bytes)? {
        let mut data = vec![0; 4 * vlen as usize];
        mem.copy_in(pointer, &mut data).map_err(|_| BadFrame)?;
        let state = VectorState::from_parts(&controls, shape.word, data);
        state.store(engine.guest().slots(), vlen, cpu);
    }
    store(engine, cpu, &values);
    Ok(restored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{FaultState, SigAction, SigInfo};

    #[test]
    fn sigreturn_of_a_frame_gives_the_same_registers() {
        let mut regs = Regs { fcsr: 0x7f, ..Regs::default() };
        for n in 0..32 {
            regs.x[n] = 0x1111_0000 + n as u64;
            regs.f[n] = 0x2222_0000 + n as u64;
        }
        let info = SigInfo::fault(11, 1, 0xdead_0000);
        let action = SigAction { handler: 0x40_2000, flags: 0, restorer: 0, mask: 0 };
        let altstack = AltStack { sp: 0x5000, size: 0x2000, flags: 0 };
        let sp = 0x7fff_0008;
        let frame = Frame {
            sig: 11,
            info: &info,
            action,
            old_mask: 0x55,
            altstack,
            sp,
            fault: FaultState::default(),
            forced: false,
        };
        for (xlen, size) in [(32, 944), (64, 1088)] {
            let shape = Shape::of(xlen);
            assert_eq!(shape.size, size);
            let (addr, bytes, new) = encode(shape, &regs, None, &frame, 0x99_0000);
            assert_eq!(addr % 16, 0);
            assert_eq!((new.x[0], new.x[1], new.x[2], new.x[10]), (0x40_2000, 0x99_0000, addr, 11));
            assert_eq!((new.x[11], new.x[12]), (addr, addr + 128));
            let (back, restored) = decode(shape, &bytes).expect("a good frame");
            assert_eq!(back, regs);
            assert_eq!((restored.mask, restored.altstack), (0x55, Some(altstack)));
        }
    }
    #[test]
    fn vectors_follow_the_frame() {
        let info = SigInfo::fault(11, 1, 0);
        let frame = Frame {
            sig: 11,
            info: &info,
            action: SigAction { handler: 0, flags: 0, restorer: 0, mask: 0 },
            old_mask: 0,
            altstack: AltStack { sp: 0, size: 0, flags: 0 },
            sp: 0x7fff_0000,
            fault: FaultState::default(),
            forced: false,
        };
        for (xlen, vlen) in [(64, 128), (64, 1024), (32, 256)] {
            let shape = Shape::of(xlen);
            let data: Vec<u8> = (0..4 * vlen).map(|n| n as u8).collect();
            let state = VectorState { vstart: 3, vl: 5, vtype: 0xc8, vcsr: 5, data };
            let (addr, bytes, _) = encode(shape, &Regs::default(), Some(&state), &frame, 0);
            assert_eq!(addr + bytes.len() as u64, 0x7fff_0000);
            assert_eq!(bytes.len() % 16, 0);
            let (controls, pointer) = vector_record(shape, vlen, &bytes).unwrap().unwrap();
            let at = (pointer - addr) as usize;
            let back =
                VectorState::from_parts(&controls, shape.word, bytes[at..at + state.data.len()].to_vec());
            assert_eq!(back, state);
            let mut bad = bytes.clone();
            bad[shape.size - 4] ^= 16;
            assert_eq!(vector_record(shape, vlen, &bad), Err(BadFrame));
            let (_, plain, _) = encode(shape, &Regs::default(), None, &frame, 0);
            assert_eq!(vector_record(shape, vlen, &plain), Ok(None));
        }
    }
}
