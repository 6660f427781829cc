//! The instructions themselves.

use crate::{Image, Operand};
use core::arch::{asm, global_asm};

// One entry of four bytes for every encoding: D8 to DF with a register, then with the operand at [rdi].
global_asm!(
    ".pushsection .text.omnirun_x87_forms,\"ax\",@progbits",
    ".balign 16",
    ".globl omnirun_x87_forms",
    ".hidden omnirun_x87_forms",
    "omnirun_x87_forms:",
    ".set omnirun_x87_i, 0",
    ".rept 512",
    ".byte 0xd8 + (omnirun_x87_i >> 6), 0xc0 + (omnirun_x87_i & 63), 0xc3, 0x90",
    ".set omnirun_x87_i, omnirun_x87_i + 1",
    ".endr",
    ".set omnirun_x87_i, 0",
    ".rept 64",
    ".byte 0xd8 + (omnirun_x87_i >> 3), 7 + ((omnirun_x87_i & 7) << 3), 0xc3, 0x90",
    ".set omnirun_x87_i, omnirun_x87_i + 1",
    ".endr",
    ".popsection",
);

unsafe extern "C" {
    static omnirun_x87_forms: u8;
}

/// Address of an encoding: its first byte's low three bits above its ModRM byte.
fn form(opcode: u16) -> usize {
    let (first, modrm) = (usize::from(opcode >> 8 & 7), usize::from(opcode & 0xff));
    let n = if modrm >= 0xc0 { first * 64 + (modrm & 63) } else { 512 + first * 8 + (modrm >> 3 & 7) };
    (&raw const omnirun_x87_forms) as usize + 4 * n
}

/// Executes one instruction, which must be a defined one, on the image. `flags` is the low byte of EFLAGS before; returned is that
/// after. Nothing happens while an unmasked exception is pending.
pub fn run(image: &mut Image, opcode: u16, operand: &mut Operand, flags: u8) -> u8 {
    if image.status() & !image.control() & 0x3f != 0 {
        return flags;
    }
    let mut ax = u32::from(flags) << 8;
    // SAFETY: the image and the operand are as large as the largest instruction's, no unmasked exception is pending before it, and
    // FNSAVE neither waits for one nor leaves anything in the unit.
    unsafe {
        asm!(
            "frstor [{image}]",
            "sahf",
            "call {form}",
            "lahf",
            "fnsave [{image}]",
            image = in(reg) image.0.as_mut_ptr(),
            form = in(reg) form(opcode),
            in("rdi") operand.0.as_mut_ptr(),
            inout("eax") ax,
            out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
            out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
        );
    }
    (ax >> 8) as u8
}

/// ST(0) op ST(1) where these are `a` and `b`, under a control word with all exceptions masked; `op` is the ModRM field of D8:
/// add, mul, (none), (none), sub, subr, div, divr. The result and the status.
pub fn arithmetic(op: u16, a: u128, b: u128, control: u16) -> (u128, u16) {
    let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
    let mut out = [0u8; 16];
    let status: u32;
    let control = control | 0x3f;
    // SAFETY: two registers are pushed and popped; all exceptions are masked; the unit is as it was afterwards.
    unsafe {
        asm!(
            "fldcw [{control}]",
            "fld tbyte ptr [{b}]",
            "fld tbyte ptr [{a}]",
            "call {form}",
            "fnstsw ax",
            "fstp tbyte ptr [{out}]",
            "fstp st(0)",
            "fninit",
            control = in(reg) &raw const control,
            a = in(reg) a.as_ptr(),
            b = in(reg) b.as_ptr(),
            out = in(reg) out.as_mut_ptr(),
            form = in(reg) form(0xc1 | (op & 7) << 3),
            out("eax") status,
            out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
            out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
        );
    }
    (u128::from_le_bytes(out), status as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_one_is_two() {
        let mut image = Image::new(0x37f);
        let mut operand = Operand([0; 128]);
        // fld1, fld1, faddp
        run(&mut image, 0x1e8, &mut operand, 2);
        run(&mut image, 0x1e8, &mut operand, 2);
        assert_eq!((image.status() >> 11 & 7, image.in_use()), (6, 0xc0));
        run(&mut image, 0x6c1, &mut operand, 2);
        assert_eq!((image.status() >> 11 & 7, image.in_use()), (7, 0x80));
        assert_eq!(image.register(0), [0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0x40]);
        let one = 0x3fffu128 << 64 | 1 << 63;
        assert_eq!(arithmetic(0, one, one, 0x37f), (0x4000u128 << 64 | 1 << 63, 0x3000));
    }

    #[test]
    fn an_unmasked_exception_stops_nothing_but_the_instruction() {
        // 1 / 0 with the zero-divide exception unmasked: fldz, fld1, fdiv st, st(1)
        let mut image = Image::new(0x37b);
        let mut operand = Operand([0; 128]);
        for op in [0x1ee, 0x1e8, 0x0f1] {
            run(&mut image, op, &mut operand, 2);
        }
        assert_eq!(image.status() & 0x80ff, 0x8084);
        assert_eq!(image.register(0)[8..], [0xff, 0x3f]);
        // Pending: the next one does not run.
        run(&mut image, 0x1e8, &mut operand, 2);
        assert_eq!(image.status() >> 11 & 7, 6);
    }
}
