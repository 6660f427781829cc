//! Branches, hints, barriers, system registers, literal loads and pointer authentication: instructions that are compared
//! as part of a few more, which show where control went or take a key's secret out of the result.

use crate::state::{PC, Random, State, WINDOW, WINDOW_SIZE};
use guest_aarch64::cpu::Features;
use guest_aarch64::decode::{BranchSys, Insn, Row, decode};

/// `movz x9, #n`: executed or not.
const fn mark(n: u32) -> u32 {
    0xd280_0000 | n << 5 | 9
}

/// `b` by this many words.
const fn jump(words: u32) -> u32 {
    0x1400_0000 | words
}

/// `xpaci`: the register without its code.
const fn xpaci(rd: u32) -> u32 {
    0xdac1_43e0 | rd
}

/// `insn` with the field of `bits` bits at `at` set.
const fn with(insn: u32, at: u32, bits: u32, value: i32) -> u32 {
    let mask = ((1 << bits) - 1) << at;
    insn & !mask | (value as u32) << at & mask
}

/// Position and size of a direct branch's offset.
fn offset(insn: BranchSys) -> Option<(u32, u32)> {
    use BranchSys as I;
    match insn {
        I::B(_) | I::Bl(_) => Some((0, 26)),
        I::Cbz(_) | I::Cbnz(_) | I::BCond(_) | I::BcCond(_) => Some((5, 19)),
        I::Tbz(_) | I::Tbnz(_) => Some((5, 14)),
        _ => None,
    }
}

fn branch_sys(insn: u32) -> Option<BranchSys> {
    match decode(insn, &Features::ALL) {
        Some(Insn::BranchSys(i)) => Some(i),
        _ => None,
    }
}

/// Register with the address to branch to, the modifier's register, and how many instructions come before.
fn indirect(insn: BranchSys) -> Option<(u32, Option<u32>, u64)> {
    use BranchSys as I;
    match insn {
        I::Br(a) | I::Blr(a) | I::Ret(a) => Some((a.rn, None, 0)),
        I::Braz(a) | I::Blraz(a) => Some((a.rn, None, 1)),
        I::Reta(_) => Some((30, None, 1)),
        I::Bra(a) | I::Blra(a) => Some((a.rn, Some(a.rm), 1)),
        _ => None,
    }
}

/// NZCV, FPCR and FPSR as bits 19:5 of `mrs`; other system registers give times, identities or addresses.
const COMPARED: [u32; 3] = [0x5a10, 0x5a20, 0x5a21];

/// The instruction with the system registers that are compared.
pub fn adjust(row: &Row, insn: u32, r: &mut Random) -> u32 {
    match row.name {
        "msr" | "mrs" => with(insn, 5, 15, COMPARED[r.below(3) as usize] as i32),
        // CRm should be zero; the reference insists.
        "cfinv" | "xaflag" | "axflag" => with(insn, 8, 4, 0),
        _ => insn,
    }
}

pub fn skip(_: &Row, insn: u32) -> Option<&'static str> {
    use BranchSys as I;
    let Some(i) = branch_sys(insn) else { return Some("a row of another group") };
    if let Some((rn, rm, _)) = indirect(i) {
        return (rn == 31 || rm == Some(rn)).then_some("no register holds the target");
    }
    match i {
        I::Svc(_) => Some("a system call"),
        // Covered with the `pac` row of the same key.
        I::Autia1716(_) | I::Autib1716(_) | I::Autiaz(_) | I::Autiasp(_) | I::Autibz(_) | I::Autibsp(_) => {
            Some("keys are random")
        }
        I::DcCvac(a) | I::DcCvau(a) | I::DcCvap(a) | I::DcCvadp(a) | I::DcCivac(a) => {
            (a.rt == 31).then_some("address zero")
        }
        I::IcIvau(a) => (a.rt == 31).then_some("address zero"),
        // Blocks are 512 bytes in the reference and 64 here.
        I::DcZva(_) => Some("another block size"),
        // A wait until a time of the host.
        I::Wfet(_) | I::Wfit(_) => Some("a wait until a time"),
        _ => None,
    }
}

/// The code that is run for a row.
pub fn code(_: &Row, insn: u32) -> Vec<u32> {
    use BranchSys as I;
    let Some(i) = branch_sys(insn) else { return vec![insn] };
    if let Some((at, bits)) = offset(i) {
        // One word in two of the row's goes backwards.
        return if insn.count_ones().is_multiple_of(2) {
            vec![with(insn, at, bits, 2), mark(1)]
        } else {
            vec![jump(3), mark(1), jump(3), with(insn, at, bits, -2), mark(2)]
        };
    }
    match i {
        I::Br(_) | I::Blr(_) | I::Ret(_) => vec![insn, mark(1)],
        // paciza, pacizb; pacia, pacib with SP; pacia, pacib
        I::Braz(a) | I::Blraz(a) => vec![0xdac1_23e0 | a.m << 10 | a.rn, insn, mark(1), xpaci(a.rn)],
        I::Reta(a) => vec![0xdac1_0000 | a.m << 10 | 31 << 5 | 30, insn, mark(1), xpaci(30)],
        I::Bra(a) | I::Blra(a) => {
            vec![0xdac1_0000 | a.m << 10 | a.rm << 5 | a.rn, insn, mark(1), xpaci(a.rn)]
        }
        // And back: the hint with bit 2 of its number set.
        I::Pacia1716(_) | I::Pacib1716(_) | I::Paciaz(_) | I::Paciasp(_) | I::Pacibz(_) | I::Pacibsp(_) => {
            vec![insn, insn | 1 << 7]
        }
        _ => vec![insn],
    }
}

pub fn prepare(_: &Row, insn: u32, s: &mut State, r: &mut Random) {
    use BranchSys as I;
    let Some(i) = branch_sys(insn) else { return };
    if let Some((rn, _, before)) = indirect(i) {
        s.x[rn as usize] = PC + 4 * before + 8;
        return;
    }
    match i {
        I::DcCvac(a) | I::DcCvau(a) | I::DcCvap(a) | I::DcCvadp(a) | I::DcCivac(a) | I::IcIvau(a) => {
            s.x[a.rt as usize] = WINDOW + r.below(WINDOW_SIZE as u64)
        }
        I::Pacia1716(_) | I::Pacib1716(_) => canonical(&mut s.x[17]),
        I::Paciaz(_) | I::Paciasp(_) | I::Pacibz(_) | I::Pacibsp(_) => canonical(&mut s.x[30]),
        // FPCR: rounding, FZ, DN, AHP, FZ16; FPSR: the bits of AArch64. NZCV has only its own.
        I::Msr(a) if a.rt != 31 => {
            let bits = if a.sysreg & 0x7fff == COMPARED[1] & 0x7fff { 0x07c8_0000 } else { 0xf800_009f };
            let bits = if a.sysreg & 0x7fff == COMPARED[2] & 0x7fff { 0x0800_009f } else { bits };
            s.x[a.rt as usize] = r.next() & bits;
        }
        _ => {}
    }
}

/// An address without code in its upper bits.
fn canonical(x: &mut u64) {
    *x &= (1 << 47) - 1;
}

/// Pointer authentication of the data-processing group: authentication follows at once, so that the result is the
/// pointer again, whatever the keys.
pub fn pac_code(row: &Row, insn: u32) -> Vec<u32> {
    if is_pac(row) { vec![insn, insn | 1 << 12] } else { vec![insn] }
}

fn is_pac(row: &Row) -> bool {
    row.name.starts_with("pac") && row.name != "pacga"
}

pub fn pac_prepare(row: &Row, insn: u32, s: &mut State, _: &mut Random) {
    if is_pac(row) && insn & 31 != 31 {
        canonical(&mut s.x[insn as usize & 31]);
    }
}

/// A literal load from the window.
pub fn literal(insn: u32, bytes: u64, r: &mut Random) -> u32 {
    let target = (WINDOW + r.below(WINDOW_SIZE as u64 - bytes)) & !3;
    with(insn, 5, 19, (target as i64 - PC as i64) as i32 / 4)
}
