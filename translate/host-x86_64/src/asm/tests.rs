//! Every row of the encoding tables, encoded with a set of operands and read back by an independent disassembler.

use super::vtable::{E, Form, L, X};
use super::*;
use iced_x86::{Decoder, DecoderOptions, Instruction, OpKind, Register};

/// What an operand should read back as.
#[derive(Clone, Debug, PartialEq)]
enum Op {
    G(Gp, Sz),
    Xr(Xmm, u8),
    Kr(u8),
    M(Mem),
    I(u64),
}

fn gp_name(r: Gp, s: Sz) -> String {
    const N: [&str; 8] = ["A", "C", "D", "B", "SP", "BP", "SI", "DI"];
    let n = r.0 as usize;
    if n >= 8 {
        return format!("R{n}{}", ["L", "W", "D", ""][s as usize]);
    }
    let core = N[n];
    match (s, n < 4) {
        (Sz::B, _) => format!("{core}L"),
        (Sz::W, true) => format!("{core}X"),
        (Sz::W, false) => core.into(),
        (Sz::D, true) => format!("E{core}X"),
        (Sz::D, false) => format!("E{core}"),
        (Sz::Q, true) => format!("R{core}X"),
        (Sz::Q, false) => format!("R{core}"),
    }
}

fn decode(a: &Asm) -> Vec<Instruction> {
    let mut d = Decoder::with_ip(64, &a.buf, 0, DecoderOptions::NONE);
    let mut out = Vec::new();
    while d.can_decode() {
        out.push(d.decode());
    }
    out
}

fn show(r: Register) -> String {
    format!("{r:?}")
}

fn check(a: &mut Asm, what: &str, name: &str, ops: &[Op]) {
    a.finish();
    let is = decode(a);
    assert_eq!(is.len(), 1, "{what}: {:02x?} -> {is:?}", a.buf);
    let i = &is[0];
    let got = format!("{:?}", i.mnemonic()).to_lowercase();
    assert_eq!(got, name, "{what}: {:02x?} -> {i}", a.buf);
    assert_eq!(i.op_count() as usize, ops.len(), "{what}: {:02x?} -> {i}", a.buf);
    for (k, o) in ops.iter().enumerate() {
        let k = k as u32;
        let ok = match o {
            Op::G(r, s) => i.op_kind(k) == OpKind::Register && show(i.op_register(k)) == gp_name(*r, *s),
            Op::Xr(r, l) => {
                i.op_kind(k) == OpKind::Register
                    && show(i.op_register(k)) == format!("{}MM{}", ["X", "Y", "Z"][*l as usize], r.0)
            }
            Op::Kr(n) => i.op_kind(k) == OpKind::Register && show(i.op_register(k)) == format!("K{n}"),
            Op::I(v) => match i.op_kind(k) {
                OpKind::Register | OpKind::Memory => false,
                // The disassembler widens sign-extended immediates to its own idea of the size.
                _ => {
                    i.immediate(k) == *v
                        || i.immediate(k) as u16 as u64 == *v
                        || i.immediate(k) as u32 as u64 == *v
                }
            },
            Op::M(m) => {
                let base = match m.base {
                    Base::None => "None".into(),
                    Base::Reg(r) => gp_name(r, if m.addr32 { Sz::D } else { Sz::Q }),
                    Base::Rip | Base::Label(_) => "RIP".into(),
                };
                let seg = match m.seg {
                    Seg::None => "None",
                    Seg::Fs => "FS",
                    Seg::Gs => "GS",
                };
                let disp = match m.base {
                    Base::Rip => i.memory_displacement64().wrapping_sub(i.len() as u64) as i32 == m.disp,
                    Base::Label(_) => i.memory_displacement64() as i32 == m.disp,
                    Base::None | Base::Reg(_) => i.memory_displacement64() as i32 == m.disp,
                };
                let index = m.index.map_or("None".into(), |(r, _)| gp_name(r, Sz::Q));
                let index_ok = m.addr32 || show(i.memory_index()) == index;
                i.op_kind(k) == OpKind::Memory
                    && show(i.memory_base()) == base
                    && index_ok
                    && m.index.is_none_or(|(_, s)| i.memory_index_scale() == 1 << s)
                    && show(i.segment_prefix()) == seg
                    && disp
            }
        };
        assert!(ok, "{what}: operand {k} is {o:?}, {:02x?} -> {i}", a.buf);
    }
}

fn mems() -> Vec<Mem> {
    vec![
        Mem::b(RBP, -8),
        Mem::b(RSP, 0),
        Mem::b(R12, 0x40),
        Mem::b(R13, 0),
        Mem::b(RAX, 0),
        Mem::b(RDI, 0x1234),
        Mem::bi(RBX, R9, 3, -0x80),
        Mem::bi(R13, R12, 0, 0x7f),
        Mem::i(R10, 2, 0x1000),
        Mem::abs(0x1234),
        Mem::rip(0x100),
        Mem::b(R8, 16).seg(Seg::Gs),
        Mem::bi(R14, RSI, 1, 64).seg(Seg::Fs),
        Mem { addr32: true, ..Mem::b(RCX, 8) },
        Mem::b(RDX, 15),
    ]
}

const GPS: [Gp; 6] = [RAX, RBX, RSP, RSI, R8, R13];
const SIZES: [Sz; 4] = [Sz::B, Sz::W, Sz::D, Sz::Q];

/// A fresh buffer with label 0 bound to offset 0.
fn asm(f: Features) -> Asm {
    Asm::new(f)
}

fn feat(level: Level) -> Features {
    Features { level, ..Features::default() }
}

fn rms() -> Vec<Rm> {
    GPS.iter().map(|r| Rm::R(*r)).chain(mems().into_iter().map(Rm::M)).collect()
}

fn op_of(rm: Rm, s: Sz) -> Op {
    match rm {
        Rm::R(r) => Op::G(r, s),
        Rm::M(m) => Op::M(m),
    }
}

#[test]
fn integer_rows() {
    let f = Features::default();
    for rm in rms() {
        for r in GPS {
            for sz in SIZES {
                for op in Alu::ALL {
                    let mut a = asm(f);
                    a.alu(op, sz, r, rm);
                    let name = format!("{op:?}").to_lowercase();
                    check(&mut a, "alu", &name, &[Op::G(r, sz), op_of(rm, sz)]);
                    if let Rm::M(m) = rm {
                        let mut a = asm(f);
                        a.alu_mr(op, sz, m, r);
                        check(&mut a, "alu_mr", &name, &[Op::M(m), Op::G(r, sz)]);
                    }
                }
                for &op in RegRm::ALL {
                    let row = op.row();
                    let bad = match (row.src, sz) {
                        (None, Sz::B) => row.op8 == 0,
                        (Some(s), _) if row.pp == Pp::F2 => !matches!(sz, Sz::D | Sz::Q) && s == Sz::B,
                        (Some(s), _) => s >= sz,
                        (None, _) => false,
                    };
                    let bad = bad
                        || op == RegRm::Movbe && matches!(rm, Rm::R(_))
                        || op == RegRm::Movsxd && sz != Sz::Q
                        || op == RegRm::Mov && matches!(rm, Rm::R(_));
                    if bad || row.name == "crc32" && sz < Sz::D {
                        continue;
                    }
                    let mut a = asm(f);
                    a.reg_rm(op, sz, r, rm);
                    check(&mut a, "reg_rm", row.name, &[Op::G(r, sz), op_of(rm, row.src.unwrap_or(sz))]);
                }
                for &op in Mr::ALL {
                    let row = op.row();
                    if row.op8 == 0 && sz == Sz::B || op == Mr::Movbe && matches!(rm, Rm::R(_)) {
                        continue;
                    }
                    let mut a = asm(f);
                    a.mr(op, sz, rm, r);
                    check(&mut a, "mr", row.name, &[op_of(rm, sz), Op::G(r, sz)]);
                }
                for cc in Cc::ALL {
                    if sz != Sz::B {
                        let mut a = asm(f);
                        a.cmov(cc, sz, r, rm);
                        let n = decode(&a)[0];
                        assert_eq!(n.condition_code() as u8, cc as u8 + 1);
                        assert_eq!(show(n.op0_register()), gp_name(r, sz));
                    }
                }
                if sz >= Sz::D {
                    for &op in VexRvm::ALL {
                        let mut a = asm(f);
                        a.vex_rvm(op, sz, r, R9, rm);
                        check(&mut a, "rvm", op.row().name, &[Op::G(r, sz), Op::G(R9, sz), op_of(rm, sz)]);
                    }
                    for &op in VexRmv::ALL {
                        let mut a = asm(f);
                        a.vex_rmv(op, sz, r, rm, R9);
                        check(&mut a, "rmv", op.row().name, &[Op::G(r, sz), op_of(rm, sz), Op::G(R9, sz)]);
                    }
                    for &op in VexVm::ALL {
                        let mut a = asm(f);
                        a.vex_vm(op, sz, r, rm);
                        check(&mut a, "vm", op.row().name, &[Op::G(r, sz), op_of(rm, sz)]);
                    }
                    let mut a = asm(f);
                    a.rorx(sz, r, rm, 7);
                    check(&mut a, "rorx", "rorx", &[Op::G(r, sz), op_of(rm, sz), Op::I(7)]);
                }
                if sz != Sz::B {
                    let mut a = asm(f);
                    a.shxd_i(true, sz, rm, r, 3);
                    check(&mut a, "shrd", "shrd", &[op_of(rm, sz), Op::G(r, sz), Op::I(3)]);
                    let mut a = asm(f);
                    a.shxd_cl(false, sz, rm, r);
                    check(&mut a, "shld", "shld", &[op_of(rm, sz), Op::G(r, sz), Op::G(RCX, Sz::B)]);
                    for imm in [5i32, 0x1234] {
                        let mut a = asm(f);
                        a.imul_i(sz, r, rm, imm);
                        check(&mut a, "imul", "imul", &[Op::G(r, sz), op_of(rm, sz), Op::I(imm as u64)]);
                    }
                    if let Rm::M(m) = rm {
                        let mut a = asm(f);
                        a.lea(sz, r, m);
                        check(&mut a, "lea", "lea", &[Op::G(r, sz), Op::M(Mem { seg: m.seg, ..m })]);
                    }
                }
            }
        }
        for sz in SIZES {
            for op in Alu::ALL {
                for imm in [5i32, -3, 0x123, 0x12345678] {
                    let mut a = asm(f);
                    a.alu_i(op, sz, rm, imm);
                    let v = match sz {
                        Sz::B => imm as u8 as u64,
                        Sz::W => imm as u16 as u64,
                        Sz::D => imm as u32 as u64,
                        Sz::Q => imm as i64 as u64,
                    };
                    check(&mut a, "alu_i", &format!("{op:?}").to_lowercase(), &[op_of(rm, sz), Op::I(v)]);
                }
            }
            let mut a = asm(f);
            a.test_i(sz, rm, 0x55);
            check(&mut a, "test_i", "test", &[op_of(rm, sz), Op::I(0x55)]);
            for &op in Mop::ALL {
                let mut a = asm(f);
                a.mop(op, sz, rm);
                check(&mut a, "mop", op.row().name, &[op_of(rm, sz)]);
            }
            for op in [Sh::Rol, Sh::Ror, Sh::Rcl, Sh::Rcr, Sh::Shl, Sh::Shr, Sh::Sar] {
                let name = format!("{op:?}").to_lowercase();
                for n in [1u8, 5] {
                    let mut a = asm(f);
                    a.shift_i(op, sz, rm, n);
                    check(&mut a, "shift_i", &name, &[op_of(rm, sz), Op::I(n as u64)]);
                }
                let mut a = asm(f);
                a.shift_cl(op, sz, rm);
                check(&mut a, "shift_cl", &name, &[op_of(rm, sz), Op::G(RCX, Sz::B)]);
            }
            if sz != Sz::B {
                for (op, n) in [(Mr::Bt, "bt"), (Mr::Bts, "bts"), (Mr::Btr, "btr"), (Mr::Btc, "btc")] {
                    let mut a = asm(f);
                    a.bt_i(op, sz, rm, 9);
                    check(&mut a, "bt_i", n, &[op_of(rm, sz), Op::I(9)]);
                }
            }
            if let Rm::M(m) = rm {
                let mut a = asm(f);
                a.store_i(sz, m, 0x11);
                check(&mut a, "store_i", "mov", &[Op::M(m), Op::I(0x11)]);
            }
        }
        for cc in Cc::ALL {
            let mut a = asm(f);
            a.setcc(cc, rm);
            assert_eq!(decode(&a)[0].condition_code() as u8, cc as u8 + 1);
        }
        let mut a = asm(f);
        a.jmp_rm(rm);
        check(&mut a, "jmp", "jmp", &[op_of(rm, Sz::Q)]);
        let mut a = asm(f);
        a.call_rm(rm);
        check(&mut a, "call", "call", &[op_of(rm, Sz::Q)]);
        if let Rm::M(m) = rm {
            for wide in [false, true] {
                let mut a = asm(f);
                a.lock_cmpxchg_pair(wide, m);
                check(&mut a, "cx", if wide { "cmpxchg16b" } else { "cmpxchg8b" }, &[Op::M(m)]);
            }
            let mut a = asm(f);
            a.ldmxcsr(m);
            check(&mut a, "ldmxcsr", "ldmxcsr", &[Op::M(m)]);
            let mut a = asm(f);
            a.stmxcsr(m);
            check(&mut a, "stmxcsr", "stmxcsr", &[Op::M(m)]);
            let mut a = asm(f);
            a.push_m(m);
            check(&mut a, "push", "push", &[Op::M(m)]);
        }
    }
}

#[test]
fn plain_instructions() {
    type Emit = fn(&mut Asm);
    let list: &[(&str, Emit)] = &[
        ("ret", Asm::ret),
        ("lahf", Asm::lahf),
        ("sahf", Asm::sahf),
        ("cmc", Asm::cmc),
        ("stc", Asm::stc),
        ("clc", Asm::clc),
        ("pushfq", Asm::pushf),
        ("popfq", Asm::popf),
        ("ud2", Asm::ud2),
        ("int3", Asm::int3),
        ("pause", Asm::pause),
        ("rdtsc", Asm::rdtsc),
        ("mfence", Asm::mfence),
        ("cdq", |a| a.cdq(Sz::D)),
        ("cqo", |a| a.cdq(Sz::Q)),
        ("vzeroupper", Asm::vzeroupper),
    ];
    for (name, e) in list {
        let mut a = asm(Features::default());
        e(&mut a);
        let i = decode(&a);
        assert_eq!((i.len(), format!("{:?}", i[0].mnemonic()).to_lowercase()), (1, name.to_string()));
    }
    for r in GPS {
        let mut a = asm(Features::default());
        a.push(r);
        check(&mut a, "push", "push", &[Op::G(r, Sz::Q)]);
        let mut a = asm(Features::default());
        a.pop(r);
        check(&mut a, "pop", "pop", &[Op::G(r, Sz::Q)]);
        for sz in [Sz::D, Sz::Q] {
            let mut a = asm(Features::default());
            a.bswap(sz, r);
            check(&mut a, "bswap", "bswap", &[Op::G(r, sz)]);
        }
        for v in [0u64, 0x1234_5678, 0xffff_ffff, 0xffff_ffff_8000_0000, 0x1234_5678_9abc_def0] {
            let mut a = asm(Features::default());
            a.mov_i(r, v);
            let i = decode(&a)[0];
            let got = match i.op0_register().size() {
                4 => i.immediate(1) & 0xffff_ffff,
                _ => i.immediate(1),
            };
            assert_eq!(got, v);
            assert_eq!(show(i.op0_register().full_register()), gp_name(r, Sz::Q));
        }
    }
    for n in 1..40 {
        let mut a = asm(Features::default());
        a.nops(n);
        assert_eq!(a.buf.len(), n);
        assert!(decode(&a).iter().all(|i| format!("{:?}", i.mnemonic()) == "Nop"));
    }
}

#[test]
fn labels_and_jumps() {
    let mut a = asm(Features::default());
    let (l, back, data) = (a.new_label(), a.here(), a.new_label());
    a.jcc(Cc::Ne, l);
    a.jcc8(Cc::G, l);
    a.jmp8(back);
    a.alu_i(Alu::Add, Sz::D, Mem::label(data), 0x1234567);
    a.jmp(back);
    a.call(l);
    a.bind(l);
    a.ret();
    a.align(16);
    a.bind(data);
    a.finish();
    let (lo, dofs) = (a.offset(l).unwrap() as u64, a.offset(data).unwrap() as u64);
    let i = decode(&a);
    assert_eq!((i[0].near_branch64(), i[1].near_branch64(), i[2].near_branch64()), (lo, lo, 0));
    assert_eq!(i[3].memory_displacement64(), dofs);
    assert_eq!((i[4].near_branch64(), i[5].near_branch64()), (0, lo));
    assert_eq!(dofs % 16, 0);
}

fn emit_row(a: &mut Asm, op: V, d: u8, x: u8, rm: Rm, l: Vl) -> Vec<Op> {
    let row = op.row();
    let vl = l as u8;
    let legacy = !(a.feat.vex() && row.enc & (X | E) != 0);
    let xm = match rm {
        Rm::R(r) => Xm::R(Xmm(r.0)),
        Rm::M(m) => Xm::M(m),
    };
    let b = match rm {
        Rm::R(r) => Op::Xr(Xmm(r.0), vl),
        Rm::M(m) => Op::M(m),
    };
    let dst = Op::Xr(Xmm(d), vl);
    let gsz = if row.gp64 || row.bytes == 8 && row.w_all { Sz::Q } else { Sz::D };
    let (xd, xa) = (Xmm(d), Xmm(x));
    let g = match rm {
        Rm::R(r) => Op::G(r, gsz),
        Rm::M(m) => Op::M(m),
    };
    let with = |mut v: Vec<Op>, imm: bool| {
        if legacy && v.len() > 1 && v[1] == Op::Xr(xa, vl) && v[0] == Op::Xr(xd, vl) {
            v.remove(1);
        }
        if imm {
            v.push(Op::I(0x15));
        }
        v
    };
    match row.form {
        Form::Rvm => {
            a.v3l(op, l, xd, xa, xm);
            with(vec![dst, Op::Xr(xa, vl), b], false)
        }
        Form::Rvmi => {
            a.v3i(op, xd, xa, xm, 0x15);
            with(vec![dst, Op::Xr(xa, vl), b], true)
        }
        Form::Rm => {
            a.v2l(op, l, xd, xm);
            vec![dst, b]
        }
        Form::Rmi => {
            a.v2i(op, xd, xm, 0x15);
            vec![dst, b, Op::I(0x15)]
        }
        Form::Mr => {
            a.vstl(op, l, xm, xd);
            vec![b, dst]
        }
        Form::Mri => {
            a.vsti(op, xm, xd, 0x15);
            vec![b, dst, Op::I(0x15)]
        }
        Form::Vmi => {
            let Rm::R(r) = rm else { unreachable!("register only") };
            let src = if legacy { xd } else { Xmm(r.0) };
            a.vsh(op, xd, src, 0x15);
            if legacy { vec![dst, Op::I(0x15)] } else { vec![dst, b, Op::I(0x15)] }
        }
        Form::RvGp => {
            a.vgp3(op, xd, xa, rm, None);
            with(vec![dst, Op::Xr(xa, vl), g], false)
        }
        Form::RvGpi => {
            a.vgp3(op, xd, xa, rm, Some(0x15));
            with(vec![dst, Op::Xr(xa, vl), g], true)
        }
        Form::GpRm => {
            let r = Gp(d & 15);
            a.v_gp(op, r, xm);
            vec![Op::G(r, gsz), b]
        }
        Form::GpMr => {
            a.v_to_gp(op, rm, xd, None);
            vec![g, dst]
        }
        Form::GpMri => {
            a.v_to_gp(op, rm, xd, Some(0x15));
            vec![g, dst, Op::I(0x15)]
        }
        Form::XmGp => {
            a.v_from_gp(op, xd, rm);
            vec![dst, g]
        }
        Form::Kvm => {
            a.vk(op, K(d & 7), xa, xm, None);
            vec![Op::Kr(d & 7), Op::Xr(xa, vl), b]
        }
        Form::Kvmi => {
            a.vk(op, K(d & 7), xa, xm, Some(5));
            vec![Op::Kr(d & 7), Op::Xr(xa, vl), b, Op::I(5)]
        }
        Form::Krmi => {
            a.vk2(op, K(d & 7), xm, Some(0x15));
            vec![Op::Kr(d & 7), b, Op::I(0x15)]
        }
        Form::KRm => {
            a.vk2(op, K(d & 7), xm, None);
            vec![Op::Kr(d & 7), b]
        }
        Form::XmK => {
            let Rm::R(r) = rm else { unreachable!("register only") };
            a.v_from_k(op, xd, K(r.0 & 7));
            vec![dst, Op::Kr(r.0 & 7)]
        }
        Form::Rvmr => {
            let Rm::R(r) = rm else { return vec![] };
            if legacy {
                a.vblendv(op, xd, xa, Xmm(r.0), Xmm(0));
                vec![dst, Op::Xr(Xmm(r.0), vl)]
            } else {
                a.vblendv(op, xd, xa, Xmm(r.0), Xmm(9));
                vec![dst, Op::Xr(xa, vl), b, Op::Xr(Xmm(9), vl)]
            }
        }
    }
}

fn vector_rows(level: Level, regs: &[u8]) {
    let f = feat(level);
    for &op in V::ALL {
        let row = op.row();
        if !Asm::new(f).has_v(op) {
            continue;
        }
        let vex = f.vex() && row.enc & (X | E) != 0;
        for &d in regs {
            for &x in regs {
                let rms = regs.iter().map(|r| Rm::R(Gp(*r))).chain(mems().into_iter().map(Rm::M));
                for rm in rms {
                    let is_mem = matches!(rm, Rm::M(_));
                    if is_mem && row.reg_only || !is_mem && row.mem_only || (d == 0 && row.form == Form::Rvmr)
                    {
                        continue;
                    }
                    // Without EVEX forms only the low registers exist; general registers stop at 15.
                    let low = row.enc & E == 0 || !f.evex();
                    let gp_rm = matches!(
                        row.form,
                        Form::RvGp | Form::RvGpi | Form::GpMr | Form::GpMri | Form::XmGp | Form::XmK
                    );
                    let rm_hi = matches!(rm, Rm::R(r) if r.0 > 15);
                    if low && (d > 15 || x > 15 || rm_hi) || gp_rm && rm_hi {
                        continue;
                    }
                    if !vex && (rm == Rm::R(Gp(d)) || matches!(row.form, Form::Rvm) && x != d) {
                        continue;
                    }
                    let x = if vex { x } else { d };
                    let mut a = Asm::new(f);
                    let ops = emit_row(&mut a, op, d, x, rm, Vl::X);
                    if ops.is_empty() {
                        continue;
                    }
                    let evex = vex && a.buf.contains(&0x62) && {
                        let skip = a.buf.iter().take_while(|b| [0x64, 0x65, 0x67].contains(b)).count();
                        a.buf[skip] == 0x62
                    };
                    let base = row.name;
                    let name = if !vex {
                        base.to_string()
                    } else if evex && row.evex_name.is_some() {
                        row.evex_name.unwrap().to_string()
                    } else if base.starts_with('v') {
                        base.to_string()
                    } else {
                        format!("v{base}")
                    };
                    let name = name.replace("_k", "");
                    assert!(
                        row.enc
                            & (if !vex {
                                L
                            } else if evex {
                                E
                            } else {
                                X
                            })
                            != 0
                    );
                    check(&mut a, &format!("{op:?} d{d} x{x} {rm:?}"), &name, &ops);
                }
            }
        }
    }
}

#[test]
fn vector_rows_sse() {
    vector_rows(Level::Sse, &[0, 3, 8, 15]);
}

#[test]
fn vector_rows_avx2() {
    vector_rows(Level::Avx2, &[0, 3, 8, 15]);
}

#[test]
fn vector_rows_avx512() {
    vector_rows(Level::Avx512, &[2, 12, 17, 30]);
}
