//! The text form of regions: what `-d op` prints and tests read back.
//!
//! ```text
//! region mode=0x0
//! block 0 pc=0x1000 end=0x1008 entry
//!   %0 = get.i64 x0
//!   %1 = const.i64 0x1
//!   %2 = add.i64 %0, %1
//!   set x0, %2
//!   jump pc 0x1008
//! ```

use crate::{Attr, Guest, Inst, Op, Region, Round, Size, Target, Term, Type, Val};
use std::fmt::Write as _;

/// Text of a type.
pub(crate) fn type_text(ty: Type) -> &'static str {
    match ty {
        Type::Void => "void",
        Type::I32 => "i32",
        Type::I64 => "i64",
        Type::V128 => "v128",
        Type::Flags => "flags",
    }
}

pub(crate) fn size_text(s: Size) -> char {
    match s {
        Size::B => 'b',
        Size::H => 'h',
        Size::S => 's',
        Size::D => 'd',
        Size::Q => 'q',
    }
}

/// Prints a region.
pub fn print(region: &Region, guest: &dyn Guest) -> String {
    let mut s = format!("region mode={:#x}\n", region.mode);
    for (i, b) in region.blocks.iter().enumerate() {
        let entry = if b.entry { " entry" } else { "" };
        let _ = writeln!(s, "block {i} pc={:#x} end={:#x}{entry}", b.pc, b.end);
        for v in b.first..b.last {
            let inst = &region.insts[v as usize];
            if inst.op != Op::Nop {
                let _ = writeln!(s, "  {}", inst_text(Val(v), inst, guest));
            }
        }
        let _ = writeln!(s, "  {}", term_text(&b.term));
    }
    s
}

/// Text of one instruction.
pub fn inst_text(v: Val, inst: &Inst, guest: &dyn Guest) -> String {
    let mut s = String::new();
    if inst.ty != Type::Void {
        let _ = write!(s, "%{} = ", v.0);
    }
    s.push_str(inst.op.info().text);
    if inst.ty != Type::Void {
        let _ = write!(s, ".{}", type_text(inst.ty));
    }
    match inst.attr {
        Attr::None => {}
        Attr::Slot(id) => {
            let _ = write!(s, " {}", guest.slots().get(id).name);
        }
        Attr::Helper(id) => {
            let _ = write!(s, " {}", guest.helpers()[id.0 as usize].name);
        }
        Attr::Cc(cc) => {
            let _ = write!(s, " {}", format!("{cc:?}").to_lowercase());
        }
        Attr::Vec(sh) => {
            let _ = write!(s, " {}{}", sh.lanes, size_text(sh.lane));
        }
        Attr::Mem(m) => s.push_str(&mem_text(&m)),
        Attr::Rmw(m, r) => {
            let _ = write!(s, "{} {}", mem_text(&m), format!("{r:?}").to_lowercase());
        }
        Attr::Fp(fp) => s.push_str(&fp_text(&fp)),
        Attr::FpCvt(fp, size) => {
            let _ = write!(s, "{} to={}", fp_text(&fp), size_text(size));
        }
    }
    let count = inst.args.iter().rposition(|a| a.is_some()).map_or(0, |i| i + 1);
    for (i, a) in inst.args[..count].iter().enumerate() {
        s.push_str(if i == 0 { " " } else { ", " });
        if a.is_some() {
            let _ = write!(s, "%{}", a.0);
        } else {
            s.push('_');
        }
    }
    if inst.imm != 0 || matches!(inst.op, Op::Const | Op::Addr | Op::Insn | Op::VConst) {
        let _ = write!(s, " {:#x}", inst.imm);
    }
    s
}

fn mem_text(m: &crate::Mem) -> String {
    let mut s = format!(" {}", size_text(m.size));
    if m.ext == crate::Ext::Sign {
        s.push_str(" sext");
    }
    if m.big_endian {
        s.push_str(" be");
    }
    match m.order {
        crate::Order::Relaxed => {}
        crate::Order::Acquire => s.push_str(" acq"),
        crate::Order::Release => s.push_str(" rel"),
        crate::Order::AcqRel => s.push_str(" acqrel"),
    }
    if m.aligned {
        s.push_str(if m.within16 { " aligned16" } else { " aligned" });
    }
    if m.scale != 0 {
        let _ = write!(s, " scale={}", m.scale);
    }
    s
}

fn fp_text(fp: &crate::Fp) -> String {
    let mut s = format!(" {}{}", fp.shape.lanes, size_text(fp.shape.lane));
    if fp.round != Round::Dynamic {
        let _ = write!(s, " round={}", format!("{:?}", fp.round).to_lowercase());
    }
    let r = fp.rules;
    let _ = write!(s, " nan={}", format!("{:?}", r.nan).to_lowercase());
    for (on, name) in [
        (r.tiny_before, " tiny-before"),
        (r.flush_in, " flush-in"),
        (r.flush_out, " flush-out"),
        (r.flush_half, " flush-half"),
        (r.alternate, " alternate"),
    ] {
        if on {
            s.push_str(name);
        }
    }
    s
}

fn target_text(t: Target) -> String {
    match t {
        Target::Pc(pc) => format!("pc {pc:#x}"),
        Target::Block(b) => format!("block {}", b.0),
    }
}

/// Text of a terminator.
pub fn term_text(t: &Term) -> String {
    match t {
        Term::Jump(t) => format!("jump {}", target_text(*t)),
        Term::Branch { flags, cc, then, els } => format!(
            "branch {} %{}, {}, {}",
            format!("{cc:?}").to_lowercase(),
            flags.0,
            target_text(*then),
            target_text(*els)
        ),
        Term::Call { target, ret } => format!("call {target:#x}, {ret:#x}"),
        Term::CallIndirect { addr, ret } => format!("callind %{}, {ret:#x}", addr.0),
        Term::Indirect { addr } => format!("indirect %{}", addr.0),
        Term::Return { addr } => format!("return %{}", addr.0),
        Term::Syscall { next } => format!("syscall {next:#x}"),
        Term::Trap { kind, pc, info } => {
            format!("trap {} {pc:#x}, {info:#x}", format!("{kind:?}").to_lowercase())
        }
        Term::Switch { pc, mode } => format!("switch {pc:#x}, {mode:#x}"),
        Term::Resume { pc } => format!("resume {pc:#x}"),
    }
}
