//! Plans for the groups outside FP and Advanced SIMD data processing: integer, loads and stores, atomics, structures.

use crate::state::{Random, State, WINDOW, WINDOW_SIZE};
use crate::{Plan, branches, run};
use guest_aarch64::cpu::Features;
use guest_aarch64::decode::{Insn, Ldst, LdstAtomic, LdstVec, Row, decode};

/// End of the mapped page around the window.
const PAGE_END: u64 = (WINDOW & !4095) + 4096;

/// Data processing that is not compared, with the reason.
pub fn skip_dp(row: &Row, insn: u32) -> Option<&'static str> {
    // Covered with the `pac` row of the same key; the cipher itself has its own tests (`pauth.rs`).
    if row.name.starts_with("aut") || row.name == "pacga" {
        return Some("keys are random");
    }
    // The modifier is the pointer itself.
    let own = row.name.starts_with("pac") && insn >> 5 & 31 == insn & 31;
    own.then_some("no pointer comes back")
}

/// The address of an access.
struct Access {
    rn: u32,
    disp: i64,
    /// Register, extension, shift.
    index: Option<(u32, u32, u32)>,
    bytes: u64,
    align: bool,
    /// Registers that are written beside the base, which must not be the base when it is written back.
    loads: Vec<u32>,
    write_back: bool,
}

/// In place of a base register.
const NO_BASE: u32 = 32;

impl Access {
    fn new(rn: u32, disp: i64, bytes: u64) -> Access {
        Access { rn, disp, index: None, bytes, align: false, loads: Vec::new(), write_back: false }
    }
    /// No base register: the address is in the instruction.
    fn literal() -> Access {
        Access::new(NO_BASE, 0, 16)
    }
    fn data(mut self, regs: &[u32]) -> Access {
        self.loads.extend(regs);
        self
    }
    fn back(mut self, write_back: bool) -> Access {
        self.write_back = write_back;
        self
    }
    fn indexed(mut self, rm: u32, option: u32, scale: u32) -> Access {
        self.index = Some((rm, option, scale));
        self
    }
    fn aligned(mut self) -> Access {
        self.align = true;
        self
    }
}

fn ldst(insn: Ldst) -> Option<Access> {
    use Ldst as I;
    let single = |rn, rt, imm: i32, idx, bytes| {
        let disp = if idx == 1 { 0 } else { i64::from(imm) };
        Access::new(rn, disp, bytes).data(&[rt]).back(idx == 1 || idx == 3)
    };
    let pair = |rn, rt: u32, rt2: u32, imm: i32, idx, log2: u32| {
        let disp = if idx == 1 { 0 } else { i64::from(imm) << log2 };
        Access::new(rn, disp, 2 << log2).data(&[rt, rt2]).back(idx == 1 || idx == 3)
    };
    Some(match insn {
        I::Stp(a) | I::Ldp(a) => pair(a.rn, a.rt, a.rt2, a.imm, a.idx, 2 + a.sz),
        I::Ldpsw(a) => pair(a.rn, a.rt, a.rt2, a.imm, a.idx, 2),
        // SIMD&FP registers never are the base.
        I::StpV(a) | I::LdpV(a) => pair(a.rn, 32 + a.rt, 32 + a.rt2, a.imm, a.idx, 2 + a.size),
        I::StrImm(a) => single(a.rn, a.rt, a.imm, a.idx, 1 << a.size),
        I::LdrImm(a) | I::LdrsImm(a) => single(a.rn, a.rt, a.imm, a.idx, 1 << a.size),
        I::StrImmV(a) | I::LdrImmV(a) => single(a.rn, 32, a.imm, a.idx, 1 << a.size),
        I::StrUimm(a) | I::StrUimmV(a) | I::LdrUimmV(a) => {
            Access::new(a.rn, i64::from(a.uimm) << a.size, 1 << a.size)
        }
        I::LdrUimm(a) | I::LdrsUimm(a) => Access::new(a.rn, i64::from(a.uimm) << a.size, 1 << a.size),
        I::StrReg(a) | I::StrRegV(a) | I::LdrRegV(a) => {
            Access::new(a.rn, 0, 1 << a.size).indexed(a.rm, a.option, a.s * a.size)
        }
        I::LdrReg(a) | I::LdrsReg(a) => {
            Access::new(a.rn, 0, 1 << a.size).indexed(a.rm, a.option, a.s * a.size)
        }
        I::PrfmLit | I::Prfum | I::PrfmUimm(_) | I::PrfmReg(_) => Access::new(31, 0, 1),
        // The address is in the instruction: see `adjust_memory`.
        I::LdrLitW(_) | I::LdrLitX(_) | I::LdrswLit(_) | I::LdrLitS(_) | I::LdrLitD(_) | I::LdrLitQ(_) => {
            Access::literal()
        }
        I::Ldra(a) if a.rn == 31 || a.rt == a.rn => return None,
        I::Ldra(a) => Access::new(a.rn, i64::from(a.imm) << 3, 8),
        I::Cpyf(_) | I::Cpy(_) | I::Set(_) => return None,
    })
}

fn atomic(insn: LdstAtomic) -> Option<Access> {
    use LdstAtomic as I;
    let access = match insn {
        I::Stxr(a) if a.rs == a.rt || a.rs == a.rn => return None,
        I::Stxr(a) => Access::new(a.rn, 0, 1 << a.size),
        I::Ldxr(a) => Access::new(a.rn, 0, 1 << a.size),
        I::Stxp(a) if a.rs == a.rt || a.rs == a.rn || a.rs == a.rt2 => return None,
        I::Stxp(a) => Access::new(a.rn, 0, 8 << a.sz),
        I::Ldxp(a) => Access::new(a.rn, 0, 8 << a.sz).data(&[a.rt, a.rt2]),
        I::Stllr(a) | I::Stlr(a) | I::Ldlar(a) | I::Ldar(a) | I::Ldapr(a) => {
            Access::new(a.rn, 0, 1 << a.size)
        }
        I::Casp(a) => Access::new(a.rn, 0, 8 << a.sz),
        I::Cas(a) => Access::new(a.rn, 0, 1 << a.size),
        I::Ldadd(a)
        | I::Ldclr(a)
        | I::Ldeor(a)
        | I::Ldset(a)
        | I::Ldsmax(a)
        | I::Ldsmin(a)
        | I::Ldumax(a)
        | I::Ldumin(a)
        | I::Swp(a) => Access::new(a.rn, 0, 1 << a.size),
        I::Stlur(a) => Access::new(a.rn, a.imm.into(), 1 << a.size),
        I::Ldapur(a) | I::Ldapurs(a) => Access::new(a.rn, a.imm.into(), 1 << a.size),
        I::Ldclrp(a) | I::Ldsetp(a) | I::Swpp(a) => Access::new(a.rn, 0, 16).data(&[a.rt, a.rt2]),
        I::Stilp(a) | I::Ldiapp(a) => {
            let (bytes, back) = (8 << a.sz, a.nowb == 0);
            let disp = if back && matches!(insn, I::Stilp(_)) { -(bytes as i64) } else { 0 };
            Access::new(a.rn, disp, bytes).data(&[a.rt, a.rt2]).back(back)
        }
        I::StlrPre(a) => Access::new(a.rn, -(4 << a.sz), 4 << a.sz).data(&[a.rt]).back(true),
        I::LdaprPost(a) => Access::new(a.rn, 0, 4 << a.sz).data(&[a.rt]).back(true),
        I::StlurV(a) | I::LdapurV(a) => Access::new(a.rn, a.imm.into(), 1 << a.size),
        I::Stl1(a) | I::Ldap1(a) => Access::new(a.rn, 0, 8),
    };
    Some(access.aligned())
}

fn structure(insn: LdstVec) -> Access {
    use LdstVec as I;
    match insn {
        I::LdMult4(a)
        | I::Ld1Mult4(a)
        | I::LdMult3(a)
        | I::Ld1Mult3(a)
        | I::Ld1Mult1(a)
        | I::LdMult2(a)
        | I::Ld1Mult2(a) => Access::new(a.rn, 0, u64::from(a.selem * a.rpt) * (8 << a.q)),
        I::LdMultp4(a)
        | I::Ld1Multp4(a)
        | I::LdMultp3(a)
        | I::Ld1Multp3(a)
        | I::Ld1Multp1(a)
        | I::LdMultp2(a)
        | I::Ld1Multp2(a) => Access::new(a.rn, 0, u64::from(a.selem * a.rpt) * (8 << a.q)),
        I::LdSingB(a) | I::LdSingH(a) | I::LdSingS(a) | I::LdSingD(a) => {
            Access::new(a.rn, 0, u64::from(a.selem + 1) << a.size)
        }
        I::LdSingpB(a) | I::LdSingpH(a) | I::LdSingpS(a) | I::LdSingpD(a) => {
            Access::new(a.rn, 0, u64::from(a.selem + 1) << a.size)
        }
        I::LdRep(a) | I::LdRepR2(a) => Access::new(a.rn, 0, u64::from(a.selem + 1) << a.size),
        I::LdRepp(a) | I::LdReppR2(a) => Access::new(a.rn, 0, u64::from(a.selem + 1) << a.size),
    }
}

fn access(insn: u32) -> Option<Access> {
    match decode(insn, &Features::ALL)? {
        Insn::Ldst(i) => ldst(i),
        Insn::LdstAtomic(i) => atomic(i),
        Insn::LdstVec(i) => Some(structure(i)),
        _ => None,
    }
}

fn skip_memory(_: &Row, insn: u32) -> Option<&'static str> {
    let Some(a) = access(insn) else {
        return Some("several instructions, or a register that is the base too");
    };
    if a.index.is_some_and(|(rm, ..)| rm == a.rn) {
        return Some("base and index are one register");
    }
    let overlap = a.write_back && a.rn != 31 && a.loads.contains(&a.rn);
    if a.rn == 31 && a.align && a.disp % a.bytes as i64 != 0 {
        return Some("SP and the access cannot both be aligned");
    }
    let twice = a.loads.len() == 2 && a.loads[0] == a.loads[1];
    (overlap || twice).then_some("CONSTRAINED UNPREDICTABLE")
}

fn prepare_memory(_: &Row, insn: u32, s: &mut State, r: &mut Random) {
    let Some(a) = access(insn) else { return };
    if a.rn == NO_BASE {
        return;
    }
    let mut target = WINDOW + r.below(WINDOW_SIZE as u64 - a.bytes + 1);
    let signed = matches!(decode(insn, &Features::ALL), Some(Insn::Ldst(Ldst::Ldra(_))));
    if r.one_in(32) && !signed {
        // Past the page: a fault, after which no register may have changed. (Not across its end: how much of a multiple
        // access is done before the fault is the implementation's choice.)
        target = PAGE_END + 16 + r.below(64);
    }
    if a.rn == 31 {
        target = target.max(WINDOW + 16);
    }
    if a.align {
        target &= !(a.bytes - 1);
    }
    let mut base = target.wrapping_sub(a.disp as u64);
    if let Some((rm, option, scale)) = a.index {
        let small = r.below(256).wrapping_sub(128);
        let (index, raw) = match option {
            2 => (small as u32 as u64 & 0xff, small as u32 as u64 & 0xff | r.next() << 32),
            6 => (small, small & 0xffff_ffff | r.next() << 32),
            _ => (small, small),
        };
        if rm == 31 {
            base = target;
        } else {
            s.x[rm as usize] = raw;
            base = target.wrapping_sub(index << scale);
        }
    }
    match a.rn {
        // The reference does not check the alignment of SP.
        31 => s.sp = base & !15,
        n => s.x[n as usize] = base,
    }
}

/// Literals lie in the window; bits that should be one are.
fn adjust_memory(row: &Row, insn: u32, r: &mut Random) -> u32 {
    match row.name {
        // Rs and Rt2 should be ones; a newer reference insists.
        "stllr" | "stlr" | "ldlar" | "ldar" => insn | 31 << 16 | 31 << 10,
        "prfm_lit" => insn,
        name if name.contains("_lit") => branches::literal(insn, 16, r),
        _ => insn,
    }
}

/// A load through an authenticated pointer signs it first (`pacdza`, `pacdzb`) and takes the code away again (`xpacd`).
fn code_memory(_: &Row, insn: u32) -> Vec<u32> {
    match decode(insn, &Features::ALL) {
        Some(Insn::Ldst(Ldst::Ldra(a))) => vec![0xdac1_2be0 | a.m << 10 | a.rn, insn, 0xdac1_47e0 | a.rn],
        _ => vec![insn],
    }
}

/// The plans of this file.
pub static PLANS: [Plan; 6] = [
    Plan { skip: skip_dp, ..Plan::new("dp_imm") },
    Plan {
        skip: skip_dp,
        adjust: |row, insn, _| if matches!(row.name, "smulh" | "umulh") { insn | 31 << 10 } else { insn },
        code: branches::pac_code,
        prepare: branches::pac_prepare,
        ..Plan::new("dp_reg")
    },
    MEMORY,
    Plan { group: "ldst_atomic", ..MEMORY },
    Plan { group: "ldst_vec", ..MEMORY },
    Plan {
        skip: branches::skip,
        adjust: branches::adjust,
        code: branches::code,
        prepare: branches::prepare,
        memory: true,
        ..Plan::new("branch_sys")
    },
];

const MEMORY: Plan = Plan {
    skip: skip_memory,
    adjust: adjust_memory,
    code: code_memory,
    prepare: prepare_memory,
    memory: true,
    ..Plan::new("ldst")
};

#[test]
fn dp_imm_matches_the_reference() {
    run("dp_imm");
}

#[test]
fn dp_reg_matches_the_reference() {
    run("dp_reg");
}

#[test]
fn branch_sys_matches_the_reference() {
    run("branch_sys");
}

#[test]
fn ldst_matches_the_reference() {
    run("ldst");
}

#[test]
fn ldst_atomic_matches_the_reference() {
    run("ldst_atomic");
}

#[test]
fn ldst_vec_matches_the_reference() {
    run("ldst_vec");
}
