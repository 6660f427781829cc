//! MXCSR, FXSAVE and the XSAVE family.

use super::helpers;
use crate::cpu;
use crate::operand::address_bits;
use crate::trans::{Flow, Tr};
use iced_x86::{Instruction, Mnemonic};
use ir::{Attr, Op, Type, Val};

impl Tr<'_> {
    /// Instructions of this file; `None` for others.
    pub(super) fn vector_state(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic::*;
        Some(match insn.mnemonic() {
            Stmxcsr | Vstmxcsr => {
                let v = self.mxcsr_image();
                let ea = self.ea(insn);
                self.store(32, ea, v);
                Flow::Next
            }
            Ldmxcsr | Vldmxcsr => {
                let ea = self.ea(insn);
                let v = self.load(32, ea);
                self.set_mxcsr(v);
                self.mode_changed()
            }
            Fxsave | Fxsave64 | Xsave | Xsave64 | Xsaveopt | Xsaveopt64 | Xsavec | Xsavec64 => {
                self.save_state(insn);
                Flow::Next
            }
            Fxrstor | Fxrstor64 | Xrstor | Xrstor64 => {
                self.restore_state(insn);
                self.mode_changed()
            }
            _ => return None,
        })
    }

    /// MXCSR as a program sees it.
    pub(super) fn mxcsr_image(&mut self) -> Val {
        let flags = self.fp_flags();
        // Invalid in its place, divide to inexact one up, the denormal flag at bit 1.
        let invalid = self.b.ubfx(flags, 0, 1);
        let rest = self.b.ubfx(flags, 1, 4);
        let image = self.b.bfi(invalid, rest, 2, 4);
        let denormal = self.b.ubfx(flags, 7, 1);
        let image = self.b.bfi(image, denormal, 1, 1);
        let control = self.get32(cpu::MXCSR);
        self.b.or(image, control)
    }

    /// Replaces MXCSR: #GP for reserved bits.
    pub(super) fn set_mxcsr(&mut self, image: Val) {
        self.call(helpers::id(helpers::CHECK_MXCSR), Type::Void, &[image]);
        let flags = self.b.const32(0x3f);
        let control = self.b.andn(image, flags);
        self.b.set(cpu::MXCSR, control);
        let invalid = self.b.ubfx(image, 0, 1);
        let rest = self.b.ubfx(image, 2, 4);
        let flags = self.b.bfi(invalid, rest, 1, 4);
        let denormal = self.b.ubfx(image, 1, 1);
        let flags = self.b.bfi(flags, denormal, 7, 1);
        self.set_fp_flags(flags);
        // 1 is down and 2 is up here.
        let up = self.b.ubfx(image, 14, 1);
        let down = self.b.ubfx(image, 13, 1);
        let round = self.b.bfi(up, down, 1, 1);
        self.b.push(Op::SetRound, Type::Void, Attr::None, &[round], 0);
    }

    fn state_area(&mut self, insn: &Instruction) -> (Val, Val) {
        use Mnemonic::*;
        let ea = self.ea(insn);
        let _ = address_bits(insn);
        let addr = self.flat(ea);
        let long =
            matches!(insn.mnemonic(), Fxsave64 | Fxrstor64 | Xsave64 | Xsaveopt64 | Xsavec64 | Xrstor64);
        let kind = match insn.mnemonic() {
            Fxsave | Fxsave64 | Fxrstor | Fxrstor64 => 0,
            Xsavec | Xsavec64 => 2,
            _ => 1,
        };
        let registers = if self.long() { 16 } else { 8 };
        let word = u64::from(long) | kind << 1 | registers << 8;
        (addr, self.b.const64(word))
    }

    /// The components that edx:eax asks for.
    fn requested(&mut self) -> Val {
        let low = self.r64(cpu::RAX);
        let high = self.r64(cpu::RDX);
        self.b.bfi(low, high, 32, 32)
    }

    fn save_state(&mut self, insn: &Instruction) {
        let (addr, word) = self.state_area(insn);
        let mxcsr = self.mxcsr_image();
        let components = self.requested();
        let have = self.state_components();
        let have = self.b.const64(have << 16);
        let word = self.b.or(word, have);
        let mxcsr = self.b.zext32(mxcsr);
        self.call(helpers::id(helpers::SAVE_STATE), Type::Void, &[addr, word, components, mxcsr]);
    }

    fn restore_state(&mut self, insn: &Instruction) {
        let (addr, word) = self.state_area(insn);
        let components = self.requested();
        let have = self.state_components();
        let have = self.b.const64(have << 16);
        let word = self.b.or(word, have);
        let mxcsr = self.mxcsr_image();
        let mxcsr = self.b.zext32(mxcsr);
        let new = self.call(helpers::id(helpers::RESTORE_STATE), Type::I32, &[addr, word, components, mxcsr]);
        self.set_mxcsr(new);
    }

    /// What XCR0 has on.
    fn state_components(&self) -> u64 {
        use crate::features::Feature;
        let avx = if self.has(Feature::Avx) { 4 } else { 0 };
        let wide = if self.has(Feature::Avx512f) { 0xe0 } else { 0 };
        3 | avx | wide
    }
}
