//! Which memory an instruction reaches, so that states can be made in which it lies in the window.

use crate::state::{CODE, Random, State, WINDOW, WINDOW_SIZE};
use crate::suite::Suite;
use guest_riscv::cpu::Feature;
use guest_riscv::decode::{Atomic, Float, Insn, Int, Xthead};

/// An access: `x[base] + disp + (x[index] << shift)`.
pub struct Access {
    pub base: u32,
    pub disp: i64,
    /// Register, shift, only its low 32 bits.
    pub index: Option<(u32, u32, bool)>,
    pub bytes: u64,
    pub align: bool,
}

fn plain(base: u32, disp: i64, bytes: u64) -> Access {
    Access { base, disp, index: None, bytes, align: false }
}

fn aligned(base: u32, bytes: u64) -> Access {
    Access { align: true, ..plain(base, 0, bytes) }
}

/// The access of an instruction, if it has one.
pub fn of(insn: Insn) -> Option<Access> {
    Some(match insn {
        Insn::Int(i) => match i {
            Int::Lb(a) | Int::Lh(a) | Int::Lw(a) | Int::Ld(a) | Int::Lbu(a) | Int::Lhu(a) | Int::Lwu(a) => {
                plain(a.rs1, a.imm.into(), 1 << a.size)
            }
            Int::Sb(a) | Int::Sh(a) | Int::Sw(a) | Int::Sd(a) => plain(a.rs1, a.imm.into(), 1 << a.size),
            Int::CboZero(a) | Int::CboInval(a) | Int::CboClean(a) | Int::CboFlush(a) => plain(a.rs1, 0, 1),
            _ => return None,
        },
        Insn::Atomic(i) => match i {
            Atomic::Lr(a) | Atomic::LbAq(a) => aligned(a.rs1, 1 << a.size),
            Atomic::Sc(a)
            | Atomic::Amoswap(a)
            | Atomic::Amoadd(a)
            | Atomic::Amoxor(a)
            | Atomic::Amoand(a)
            | Atomic::Amoor(a)
            | Atomic::Amomin(a)
            | Atomic::Amomax(a)
            | Atomic::Amominu(a)
            | Atomic::Amomaxu(a)
            | Atomic::Amocas(a)
            | Atomic::AmocasD(a)
            | Atomic::AmocasP(a)
            | Atomic::AmocasQ(a)
            | Atomic::SbRl(a) => aligned(a.rs1, 1 << a.size),
        },
        Insn::Float(i) => match i {
            Float::Flh(a) | Float::Flw(a) | Float::Fld(a) => plain(a.rs1, a.imm.into(), 1 << a.size),
            Float::Fsh(a) | Float::Fsw(a) | Float::Fsd(a) => plain(a.rs1, a.imm.into(), 1 << a.size),
            _ => return None,
        },
        Insn::Xthead(i) => match i {
            Xthead::ThLoadIb(a) | Xthead::ThStoreIb(a) => plain(a.rs1, i64::from(a.imm) << a.sh, 1 << a.size),
            Xthead::ThLoadIa(a) | Xthead::ThStoreIa(a) => plain(a.rs1, 0, 1 << a.size),
            Xthead::ThLoadR(a) | Xthead::ThStoreR(a) | Xthead::ThFloadR(a) | Xthead::ThFstoreR(a) => {
                Access { index: Some((a.rs2, a.sh, false)), ..plain(a.rs1, 0, 1 << a.size) }
            }
            Xthead::ThLoadUr(a) | Xthead::ThStoreUr(a) | Xthead::ThFloadUr(a) | Xthead::ThFstoreUr(a) => {
                Access { index: Some((a.rs2, a.sh, true)), ..plain(a.rs1, 0, 1 << a.size) }
            }
            Xthead::ThLwd(a) | Xthead::ThLwud(a) | Xthead::ThSwd(a) => plain(a.rs1, i64::from(a.sh) << 3, 8),
            Xthead::ThLdd(a) | Xthead::ThSdd(a) => plain(a.rs1, i64::from(a.sh) << 4, 16),
            _ => return None,
        },
        Insn::Crypto(_) | Insn::Vector(_) => return None,
    })
}

/// Makes the state fit: an access lies in the window (now and then beyond its page), a jump in the code.
pub fn prepare(suite: &Suite, insn: Insn, s: &mut State, r: &mut Random) {
    if let Insn::Int(Int::Jalr(a)) = insn {
        let align = if suite.parsed().features.has(Feature::Zca) { 1 } else { 3 };
        let target = (CODE + 4 + r.below(512)) & !align | r.below(2);
        s.x[a.rs1 as usize] = target.wrapping_sub(i64::from(a.imm) as u64) & suite.mask();
        return;
    }
    let Some(a) = of(insn) else { return };
    let mut target = WINDOW + r.below(WINDOW_SIZE as u64 - a.bytes + 1);
    // Whether a store-conditional that fails anyway touches memory is the implementation's choice.
    if r.one_in(32) && !matches!(insn, Insn::Atomic(Atomic::Sc(_))) {
        // Past the page: a fault, after which no register may have changed.
        target = (WINDOW & !4095) + 4096 + 16 + r.below(64);
    }
    // The reference gives up on misaligned atomics; `behaviour.rs` has them.
    if a.align {
        target &= !(a.bytes - 1);
    }
    let mut base = target.wrapping_sub(a.disp as u64);
    if let Some((index, shift, word)) = a.index {
        let small = if word { r.below(128) } else { r.below(256).wrapping_sub(128) };
        if index == a.base {
            // The quotient rounds down.
            target = target.max(WINDOW + 32);
            base = if word { target / (1 + (1 << shift)) } else { (target & !15) / (1 + (1 << shift)) };
        } else if index != 0 {
            s.x[index as usize] = if word { small | r.next() << 32 } else { small };
            base = target.wrapping_sub(small << shift);
        }
    }
    if a.base != 0 {
        s.x[a.base as usize] = base & suite.mask();
    }
}
