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

/// Runs `$body` under a control word, with the status in ax. Exception flags stay in the unit from one call to the next (clearing
/// them and loading a control word are slow): they are cleared before only if one of them is not in `$seen`, the guest's.
macro_rules! unit {
    ([$($body:literal),*], $control:expr, $seen:expr, $op:expr, $($operands:tt)*) => {{
        let control = [$control | 0x3f, 0x37f];
        let status: u32;
        asm!(
            "fnstsw ax",
            "test eax, {new:e}",
            "jz 2f",
            "fnclex",
            "2:",
            "cmp {word:e}, 0x37f",
            "je 3f",
            "fldcw [{control}]",
            "3:",
            $($body,)*
            "cmp {word:e}, 0x37f",
            "je 4f",
            "fldcw [{control} + 2]",
            "4:",
            control = in(reg) control.as_ptr(),
            word = in(reg) u32::from(control[0]),
            new = in(reg) u32::from(!$seen & 0x3f),
            form = in(reg) form($op),
            out("eax") status,
            out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
            out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
            $($operands)*
        );
        status as u16
    }};
}

/// An instruction that replaces ST(0), which is `a`, and leaves the depth of the stack: the result and the status. All exceptions
/// are masked here and in the next functions; `seen` is the status before, whose exceptions may be in the result again.
pub fn unary(op: u16, a: u128, operand: &mut Operand, control: u16, seen: u16) -> (u128, u16) {
    let a = a.to_le_bytes();
    let mut out = [0u8; 16];
    // SAFETY: one register is pushed and popped; the instruction reads `operand` at most.
    let status = unsafe {
        unit!(
            ["fld tbyte ptr [{a}]", "call {form}", "fnstsw ax", "fstp tbyte ptr [{out}]"],
            control, seen, op,
            a = in(reg) a.as_ptr(), out = in(reg) out.as_mut_ptr(), in("rdi") operand.0.as_mut_ptr(),
        )
    };
    (u128::from_le_bytes(out), status)
}

/// The same where the instruction uses ST(1), which is `b`, and no memory.
pub fn binary(op: u16, a: u128, b: u128, control: u16, seen: u16) -> (u128, u16) {
    let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
    let mut out = [0u8; 16];
    // SAFETY: two registers are pushed and popped.
    let status = unsafe {
        unit!(
            [
                "fld tbyte ptr [{b}]", "fld tbyte ptr [{a}]", "call {form}", "fnstsw ax",
                "fstp tbyte ptr [{out}]", "fstp st(0)"
            ],
            control, seen, op,
            a = in(reg) a.as_ptr(), b = in(reg) b.as_ptr(), out = in(reg) out.as_mut_ptr(),
        )
    };
    (u128::from_le_bytes(out), status)
}

/// An instruction that pushes a value: that value and the status.
pub fn load(op: u16, operand: &mut Operand, control: u16, seen: u16) -> (u128, u16) {
    let mut out = [0u8; 16];
    // SAFETY: what the instruction pushes is popped; it reads `operand` at most.
    let status = unsafe {
        unit!(
            ["call {form}", "fnstsw ax", "fstp tbyte ptr [{out}]"],
            control, seen, op,
            out = in(reg) out.as_mut_ptr(), in("rdi") operand.0.as_mut_ptr(),
        )
    };
    (u128::from_le_bytes(out), status)
}

/// An instruction that stores ST(0), which is `a`, in memory and pops it: the status.
pub fn store(op: u16, a: u128, operand: &mut Operand, control: u16, seen: u16) -> u16 {
    let a = a.to_le_bytes();
    // SAFETY: one register is pushed, which the instruction pops; it writes `operand` only.
    unsafe {
        unit!(
            ["fld tbyte ptr [{a}]", "call {form}", "fnstsw ax"],
            control, seen, op,
            a = in(reg) a.as_ptr(), in("rdi") operand.0.as_mut_ptr(),
        )
    }
}

/// EFLAGS' low byte of a comparison of `a` with `b` by FCOMI or FUCOMI with ST(1), and the status.
pub fn compare_flags(op: u16, a: u128, b: u128, seen: u16) -> (u8, u16) {
    let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
    let flags: u32;
    // SAFETY: two registers are pushed and popped.
    let status = unsafe {
        unit!(
            [
                "fld tbyte ptr [{b}]", "fld tbyte ptr [{a}]", "call {form}", "lahf", "mov {flags:e}, eax",
                "fnstsw ax", "fstp st(0)", "fstp st(0)"
            ],
            (0x37fu16), seen, op,
            a = in(reg) a.as_ptr(), b = in(reg) b.as_ptr(), flags = out(reg) flags,
        )
    };
    ((flags >> 8) as u8, status)
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
        let (two, status) = binary(0x0c1, one, one, 0x37f, 0);
        assert_eq!((two, status & 0x3f), (0x4000u128 << 64 | 1 << 63, 0));
        assert_eq!(unary(0x1e0, one, &mut operand, 0x37f, 0).0, one | 1 << 79);
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
