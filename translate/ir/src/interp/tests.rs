//! Each operation against worked examples, and the loop on a small machine.

use super::*;
use crate::testing::ToyMachine;
use crate::*;

fn inst(op: Op, ty: Type, attr: Attr, imm: u64) -> Inst {
    Inst { op, ty, attr, args: [Val::NONE; 4], imm }
}

fn vector(op: Op, s: Shape, imm: u64, a: u128, b: u128, c: u128) -> u128 {
    eval(&inst(op, Type::V128, Attr::Vec(s), imm), &[a, b, c, 0], &mut FpState::default())
}

fn saturating(op: Op, s: Shape, imm: u64, a: u128, b: u128, c: u128) -> (u128, u32) {
    let mut fp = FpState::default();
    let r = eval(&inst(op, Type::V128, Attr::Vec(s), imm), &[a, b, c, 0], &mut fp);
    (r, fp.sat)
}

const B8: Shape = Shape::new(Size::B, 8);
const B16: Shape = Shape::new(Size::B, 16);
const H4: Shape = Shape::new(Size::H, 4);
const H8: Shape = Shape::new(Size::H, 8);
const S2: Shape = Shape::new(Size::S, 2);
const S4: Shape = Shape::new(Size::S, 4);
const D2: Shape = Shape::new(Size::D, 2);
/// Bytes 0 to 15 and 16 to 31.
const LO: u128 = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100;
const HI: u128 = 0x1f1e_1d1c_1b1a_1918_1716_1514_1312_1110;

#[test]
fn vector_moves() {
    assert_eq!(vector(Op::VZip1, B16, 0, LO, HI, 0), 0x1707_1606_1505_1404_1303_1202_1101_1000);
    assert_eq!(vector(Op::VZip2, S4, 0, LO, HI, 0), 0x1f1e_1d1c_0f0e_0d0c_1b1a_1918_0b0a_0908);
    assert_eq!(vector(Op::VZip1, B8, 0, LO, HI, 0), 0x1303_1202_1101_1000);
    assert_eq!(vector(Op::VUzp1, H8, 0, LO, HI, 0), 0x1d1c_1918_1514_1110_0d0c_0908_0504_0100);
    assert_eq!(vector(Op::VUzp2, S2, 0, LO, HI, 0), 0x1716_1514_0706_0504);
    assert_eq!(vector(Op::VTrn1, D2, 0, LO, HI, 0), 0x1716_1514_1312_1110_0706_0504_0302_0100);
    assert_eq!(vector(Op::VTrn2, H4, 0, LO, HI, 0), 0x1716_0706_1312_0302);
    assert_eq!(vector(Op::VExt, B16, 3, LO, HI, 0), 0x1211_100f_0e0d_0c0b_0a09_0807_0605_0403);
    assert_eq!(vector(Op::VExt, B8, 3, LO, HI, 0), 0x1211_1007_0605_0403);
    assert_eq!(vector(Op::VExt, B16, 0, LO, HI, 0), LO);
    assert_eq!(vector(Op::VRev, B16, 2, LO, 0, 0), 0x0c0d_0e0f_0809_0a0b_0405_0607_0001_0203);
    assert_eq!(vector(Op::VRev, H4, 3, LO, 0, 0), 0x0100_0302_0504_0706);
    assert_eq!(vector(Op::VDupLane, H8, 3, LO, 0, 0), 0x0706_0706_0706_0706_0706_0706_0706_0706);
    assert_eq!(vector(Op::VInsLane, S4, 1 | 3 << 8, LO, HI, 0), 0x0f0e_0d0c_0b0a_0908_1f1e_1d1c_0302_0100);
    assert_eq!(vector(Op::VConst, D2, 5, 0, 0, 0), 5 << 64 | 5);
    // Table of one register: index 0x12 is out of range and keeps the base, with imm 1 it is in range.
    let index = 0x1203_0100;
    assert_eq!(vector(Op::VTbl, B8, 0, u128::MAX, HI, index), 0x1010_1010_ff13_1110);
    assert_eq!(vector(Op::VTbl, B8, 1, LO, HI, index), 0x0706_0504_1202_0100);
}

#[test]
fn vector_integer_lanes() {
    assert_eq!(vector(Op::VAdd, B8, 0, 0xff01, 0x0101, 0), 0x0002);
    assert_eq!(vector(Op::VAbs, B8, 0, 0x80ff, 0, 0), 0x8001);
    assert_eq!(vector(Op::VAbdS, B8, 0, 0x80, 0x7f, 0), 0xff);
    assert_eq!(
        vector(Op::VHaddS, D2, 0, 0x7fff_ffff_ffff_ffff, 0x7fff_ffff_ffff_ffff, 0),
        0x7fff_ffff_ffff_ffff
    );
    assert_eq!(vector(Op::VRhaddU, B8, 0, 0xff, 0xfe, 0), 0xff);
    assert_eq!(vector(Op::VHsubU, B8, 0, 0, 1, 0), 0xff);
    assert_eq!(vector(Op::VCmpGtS, B8, 0, 0x01, 0xff, 0), 0xff);
    assert_eq!(vector(Op::VCmpGtU, B8, 0, 0x01, 0xff, 0), 0);
    assert_eq!(vector(Op::VSarI, B8, 8, 0x80, 0, 0), 0xff);
    assert_eq!(vector(Op::VShrI, D2, 64, u128::MAX, 0, 0), 0);
    assert_eq!(vector(Op::VRshrI, B8, 8, 0xff, 0, 0), 1);
    assert_eq!(vector(Op::VRshrI, D2, 1, u64::MAX.into(), 0, 0), 1 << 63);
    assert_eq!(vector(Op::VRsarI, B8, 1, 0xfd, 0, 0), 0xff);
    assert_eq!(vector(Op::VSliI, B8, 4, 0xab, 0x0c, 0), 0xcb);
    assert_eq!(vector(Op::VSriI, B8, 4, 0xab, 0xc0, 0), 0xac);
    assert_eq!(vector(Op::VSriI, B8, 8, 0xab, 0xc0, 0), 0xab);
    // Register shifts: left 1, left too far, right 1, right too far.
    let by = 0xf0ff_0801;
    assert_eq!(vector(Op::VShlS, B8, 0, 0x8181_8181, by, 0), 0xffc0_0002);
    assert_eq!(vector(Op::VShlU, B8, 0, 0x8181_8181, by, 0), 0x0040_0002);
    assert_eq!(vector(Op::VRshlS, B8, 0, 0x8181_8181, by, 0), 0x00c1_0002);
    assert_eq!(vector(Op::VRshlU, B8, 0, 0x81, 0xf8, 0), 0x01);
    assert_eq!(vector(Op::VWidenS, H8, 1, 0x80 << 64, 0, 0), 0xff80);
    assert_eq!(vector(Op::VNarrow, B8, 0, 0x1234_5678, 0, 0), 0x3478);
    assert_eq!(vector(Op::VMullS, H8, 0, 0xff, 0x02, 0), 0xfffe);
    assert_eq!(vector(Op::VMullU, D2, 0, 0xffff_ffff, 0xffff_ffff, 0), 0xffff_fffe_0000_0001);
    assert_eq!(vector(Op::VPadd, B8, 0, 0x0201, 0x0403, 0), 0x07_0000_0003);
    assert_eq!(vector(Op::VAddlpS, H4, 0, 0xff_ff01, 0, 0), 0xffff_0000);
    assert_eq!(vector(Op::VRedAdd, B16, 0, LO, 0, 0), 120);
    assert_eq!(vector(Op::VRedAddlS, B8, 0, 0xffff, 0, 0), 0xfffe);
    assert_eq!(vector(Op::VRedSMin, B8, 0, 0x8001, 0, 0), 0x80);
    assert_eq!(vector(Op::VCls, B8, 0, 0xff01, 0, 0), 0x0707_0707_0707_0706);
    assert_eq!(vector(Op::VClz, H4, 0, 1, 0, 0), 0x0010_0010_0010_000f);
    assert_eq!(vector(Op::VRbit, B8, 0, 0x01, 0, 0), 0x80);
    assert_eq!(vector(Op::VDotS, S2, 0, 10, 0xff02, 0x0203), 14);
    assert_eq!(vector(Op::VDotUs, S2, 0, 0, 0xff, 0xff), 0xffff_ff01);
    assert_eq!(
        vector(Op::VMmlaU, S4, 0, 1, 0x01 | 0x02 << 64, 0x03 | 0x04 << 64),
        8 << 96 | 6 << 64 | 4 << 32 | 4
    );
    assert_eq!(vector(Op::VPmul, B8, 0, 3, 3, 0), 5);
    assert_eq!(vector(Op::VPmull, Shape::new(Size::Q, 1), 0, 1 << 63, 2, 0), 1 << 64);
    assert_eq!(vector(Op::VPmull, H8, 0, 0xff, 0xff, 0), 0x5555);
}

#[test]
fn saturation() {
    assert_eq!(saturating(Op::VQaddS, B8, 0, 0x7f, 1, 0), (0x7f, 1));
    assert_eq!(saturating(Op::VQaddS, B8, 0, 0x7e, 1, 0), (0x7f, 0));
    assert_eq!(saturating(Op::VQsubU, B8, 0, 0, 1, 0), (0, 1));
    assert_eq!(saturating(Op::VQaddU, D2, 0, u64::MAX.into(), 1, 0), (u64::MAX.into(), 1));
    assert_eq!(saturating(Op::VSuqadd, B8, 0, 0xff, 0xff, 0), (0x7f, 1));
    assert_eq!(saturating(Op::VUsqadd, B8, 0, 1, 0xfe, 0), (0, 1));
    assert_eq!(saturating(Op::VQabs, B8, 0, 0x80, 0, 0), (0x7f, 1));
    assert_eq!(saturating(Op::VQdmulh, H4, 0, 0x8000, 0x8000, 0), (0x7fff, 1));
    assert_eq!(saturating(Op::VQrdmulh, H4, 0, 0x4000, 1, 0), (1, 0));
    assert_eq!(saturating(Op::VQrdmlsh, H4, 0, 1, 0x4000, 1), (1, 0));
    assert_eq!(saturating(Op::VQdmull, S4, 0, 0x8000, 0x8000, 0), (0x7fff_ffff, 1));
    assert_eq!(saturating(Op::VQshlS, B8, 0, 0x01, 8, 0), (0x7f, 1));
    assert_eq!(saturating(Op::VQshlS, D2, 0, 1, 63, 0), (0x7fff_ffff_ffff_ffff, 1));
    assert_eq!(saturating(Op::VQshlU, D2, 0, 1, 63, 0), (1 << 63, 0));
    assert_eq!(saturating(Op::VQshlU, D2, 0, 1, 64, 0), (u64::MAX.into(), 1));
    assert_eq!(saturating(Op::VQrshlU, B8, 0, 0xff, 0xf8, 0), (1, 0));
    assert_eq!(saturating(Op::VQshluI, B8, 1, 0x80, 0, 0), (0, 1));
    assert_eq!(saturating(Op::VQnarrowSu, B8, 0, 0xffff_0100, 0, 0), (0x00ff, 1));
    assert_eq!(saturating(Op::VQshrnS, B8, 4 | 256, 0x07f8, 0, 0), (0x7f, 1));
    assert_eq!(saturating(Op::VQshrnU, B8, 4, 0x0ff8, 0, 0), (0xff, 0));
}

const RULES: FpRules = FpRules {
    nan: NanRule::Arm,
    tiny_before: true,
    flush_in: false,
    flush_out: false,
    flush_half: false,
    alternate: false,
};

fn fp(shape: Shape, round: Round) -> Fp {
    Fp { shape, round, rules: RULES }
}

#[test]
fn floating_point_lanes() {
    let mut st = FpState::default();
    let f = |x: f32| u128::from(x.to_bits());
    let two = |x: f32, y: f32| f(y) << 32 | f(x);
    let at = Attr::Fp(fp(S2, Round::Dynamic));
    let mut run = |op, imm, a, b, c| eval(&inst(op, Type::V128, at, imm), &[a, b, c, 0], &mut st);
    assert_eq!(run(Op::FAdd, 0, two(1.0, 2.0), two(3.0, 4.0), 0), two(4.0, 6.0));
    assert_eq!(run(Op::FMa, 1, two(1.0, 2.0), two(3.0, 4.0), two(5.0, 6.0)), two(-14.0, -22.0));
    assert_eq!(run(Op::FMa, 3, two(1.0, 2.0), two(3.0, 4.0), two(5.0, 6.0)), two(-16.0, -26.0));
    assert_eq!(run(Op::FPadd, 0, two(1.0, 2.0), two(3.0, 4.0), 0), two(3.0, 7.0));
    // (1 + 2i) + i (3 + 4i) and (1 + 2i) - i (3 + 4i)
    assert_eq!(run(Op::FCadd, 90, two(1.0, 2.0), two(3.0, 4.0), 0), two(-3.0, 5.0));
    assert_eq!(run(Op::FCadd, 270, two(1.0, 2.0), two(3.0, 4.0), 0), two(5.0, -1.0));
    // (1 + 2i)(3 + 4i) = -5 + 10i by two steps.
    let half = run(Op::FCmla, 0, 0, two(1.0, 2.0), two(3.0, 4.0));
    assert_eq!(run(Op::FCmla, 90, half, two(1.0, 2.0), two(3.0, 4.0)), two(-5.0, 10.0));
    let half = run(Op::FCmla, 180, 0, two(1.0, 2.0), two(3.0, 4.0));
    assert_eq!(run(Op::FCmla, 270, half, two(1.0, 2.0), two(3.0, 4.0)), two(5.0, -10.0));
    assert_eq!(run(Op::FCmpGe, 0, two(1.0, 2.0), two(1.0, 3.0), 0), 0xffff_ffff);
    assert_eq!(st.flags, 0);
    // The dynamic rounding mode and sticky flags.
    st.round = 1;
    let third = eval(&inst(Op::FDiv, Type::V128, at, 0), &[f(1.0), f(3.0), 0, 0], &mut st);
    assert_eq!(third & 0xffff_ffff, 0x3eaa_aaab);
    assert_eq!(st.flags, 1 | 16, "0/0 in the upper lane is invalid");
    let cmp = inst(Op::FCmp, Type::Flags, at, 0);
    assert_eq!(eval(&cmp, &[f(1.0), f(2.0), 0, 0], &mut st), 0b1000);
    assert_eq!(eval(&cmp, &[f(1.0), f(f32::NAN), 0, 0], &mut st), 0b0011);
}

#[test]
fn conversions() {
    let mut st = FpState::default();
    let d = |x: f64| u128::from(x.to_bits());
    let at = |shape, size| Attr::FpCvt(fp(shape, Round::Zero), size);
    let one = Shape::scalar(Size::D);
    let mut run = |op, ty, attr, imm, a| eval(&inst(op, ty, attr, imm), &[a, 0, 0, 0], &mut st);
    assert_eq!(run(Op::FToS, Type::I32, at(one, Size::S), 0, d(-1.5)), 0xffff_ffff);
    assert_eq!(run(Op::FToS, Type::I64, at(one, Size::S), 1, d(-1.5)), 0xffff_ffff_ffff_fffd);
    assert_eq!(run(Op::SToF, Type::V128, at(one, Size::S), 0, 0xffff_ffff), d(-1.0));
    assert_eq!(run(Op::UToF, Type::V128, at(one, Size::S), 0, 0xffff_ffff), d(4294967295.0));
    assert_eq!(run(Op::SToF, Type::V128, at(one, Size::D), 1, 3), d(1.5));
    assert_eq!(run(Op::FCvt, Type::V128, at(one, Size::S), 0, d(1.5)), 0x3fc0_0000);
    assert_eq!(run(Op::FCvt, Type::V128, at(S2, Size::D), 1, 0x3fc0_0000 << 64), d(1.5));
    assert_eq!(run(Op::FCvt, Type::V128, at(Shape::scalar(Size::S), Size::H), 2, 0x3fc0_0000), 0x3fc0);
    assert_eq!(run(Op::VSToF, Type::V128, at(S2, Size::S), 0, 0xffff_ffff_0000_0001), 0xbf80_0000_3f80_0000);
    // bfloat16 1 * 2 + 3 * 4 + 5
    let dot = inst(Op::BfDot, Type::V128, Attr::Fp(fp(S2, Round::Odd)), 0);
    assert_eq!(eval(&dot, &[0x40a0_0000, 0x4040_3f80, 0x4080_4000, 0], &mut st), 0x4198_0000);
}

/// A machine with 256 bytes of memory at 0x1000 and two integer slots and one for flags.
fn toy() -> ToyMachine {
    let slot = |name, ty, offset| SlotDesc { name, ty, offset };
    let slots = vec![
        slot("x0", Type::I64, 0),
        slot("x1", Type::I64, 8),
        slot("w2", Type::I32, 16),
        slot("f", Type::Flags, 20),
    ];
    let slots = SlotTable { slots, size: 32, pin_int: vec![], pin_vec: vec![] };
    ToyMachine::new(slots, 0x1000, (0..=255).collect())
}

const X0: SlotId = SlotId(0);
const X1: SlotId = SlotId(1);
const W2: SlotId = SlotId(2);
const FLAGS: SlotId = SlotId(3);

#[test]
fn counting_loop_runs_and_leaves() {
    // x1 += x0; x0 -= 1; while x0 != 0
    let mut b = Builder::new(0);
    b.begin_block(0x4000);
    b.insn(0x4000);
    let (x0, x1) = (b.get(X0, Type::I64), b.get(X1, Type::I64));
    let sum = b.add(x1, x0);
    b.set(X1, sum);
    b.insn(0x4004);
    let one = b.const64(1);
    let left = b.sub(x0, one);
    let flags = b.flags_of(left);
    b.set(X0, left);
    b.set(FLAGS, flags);
    b.end_block(
        Term::Branch { flags, cc: Cc::Ne, then: Target::Pc(0x4000), els: Target::Pc(0x4008) },
        0x4008,
    );
    let region = b.finish();
    let mut m = toy();
    m.set_slot(X0, 10);
    let mut rounds = 0;
    while run_block(&region, BlockId(0), &mut m, &[]) == BlockExit::Next(0x4000) {
        rounds += 1;
    }
    assert_eq!((rounds, m.slot(X1), m.slot(FLAGS)), (9, 55, 0b01_0110));
}

#[test]
fn a_fault_names_its_instruction_and_keeps_earlier_effects() {
    let mut b = Builder::new(0);
    b.begin_block(0);
    b.insn(0);
    let base = b.const64(0x10fc);
    b.set(X0, base);
    b.insn(4);
    let v = b.load(Type::I64, Mem::plain(Size::D), base, Val::NONE, 0);
    b.set(X1, v);
    b.end_block(Term::Jump(Target::Pc(8)), 8);
    let region = b.finish();
    let mut m = toy();
    let exit = run_block(&region, BlockId(0), &mut m, &[]);
    assert_eq!(exit, BlockExit::Stop { pc: 4, stop: Stop::Fault { addr: 0x1100, write: false } });
    assert_eq!((m.slot(X0), m.slot(X1)), (0x10fc, 0));
}

#[test]
fn memory_operations() {
    let mut m = toy();
    let mut run = |op, ty, attr, imm, args: [u128; 4]| exec(&inst(op, ty, attr, imm), &args, &mut m, &[]);
    let mem = |size| Attr::Mem(Mem::plain(size));
    let at = |off: u128| 0x1000 + off;
    assert_eq!(run(Op::Load, Type::I64, mem(Size::S), 4, [at(0), 0, 0, 0]), Ok(0x0706_0504));
    let scaled = Attr::Mem(Mem::plain(Size::B).signed().scaled(3));
    assert_eq!(run(Op::Load, Type::I32, scaled, (-8i64) as u64, [at(0), 0x1f, 0, 0]), Ok(0xffff_fff0));
    let big = Attr::Mem(Mem { big_endian: true, ..Mem::plain(Size::H) });
    assert_eq!(run(Op::Load, Type::I32, big, 0, [at(2), 0, 0, 0]), Ok(0x0203));
    let natural = Attr::Mem(Mem::plain(Size::D).natural());
    assert_eq!(run(Op::Load, Type::I64, natural, 0, [at(1), 0, 0, 0]), Err(Stop::Align { addr: 0x1001 }));
    assert_eq!(run(Op::Store, Type::Void, big, 0, [at(0), 0, 0xabcd, 0]), Ok(0));
    assert_eq!(run(Op::Load, Type::I32, mem(Size::H), 0, [at(0), 0, 0, 0]), Ok(0xcdab));
    let rmw = |op| Attr::Rmw(Mem::plain(Size::B), op);
    assert_eq!(run(Op::AtomicRmw, Type::I32, rmw(Rmw::Add), 0, [at(0xff), 1, 0, 0]), Ok(0xff));
    assert_eq!(run(Op::AtomicRmw, Type::I32, rmw(Rmw::SMin), 0, [at(0xff), 0x80, 0, 0]), Ok(0));
    assert_eq!(run(Op::AtomicRmw, Type::I32, rmw(Rmw::UMax), 0, [at(0xff), 0x90, 0, 0]), Ok(0x80));
    assert_eq!(run(Op::Load, Type::I32, mem(Size::B), 0, [at(0xff), 0, 0, 0]), Ok(0x90));
    assert_eq!(run(Op::Cas, Type::I32, mem(Size::B), 0, [at(0xff), 0x90, 1, 0]), Ok(0x90));
    // The monitor: a plain pair stores, a second store-conditional does not, nor one after a change.
    assert_eq!(run(Op::Ll, Type::I32, mem(Size::B), 0, [at(0xff), 0, 0, 0]), Ok(1));
    assert_eq!(run(Op::Sc, Type::I32, mem(Size::B), 0, [at(0xff), 2, 0, 0]), Ok(0));
    assert_eq!(run(Op::Sc, Type::I32, mem(Size::B), 0, [at(0xff), 3, 0, 0]), Ok(1));
    assert_eq!(run(Op::Ll, Type::I32, mem(Size::B), 0, [at(0xff), 0, 0, 0]), Ok(2));
    assert_eq!(run(Op::Store, Type::Void, mem(Size::B), 0, [at(0xff), 0, 9, 0]), Ok(0));
    assert_eq!(run(Op::Sc, Type::I32, mem(Size::B), 0, [at(0xff), 3, 0, 0]), Ok(1));
    assert_eq!(run(Op::Set, Type::Void, Attr::Slot(W2), 0, [u128::MAX, 0, 0, 0]), Ok(0));
    assert_eq!(run(Op::Get, Type::I32, Attr::Slot(W2), 0, [0; 4]), Ok(0xffff_ffff));
}

/// Every operation of the table evaluates without a panic for every shape it may meet.
#[test]
fn every_operation_evaluates() {
    let shapes = [B8, B16, H4, H8, S2, S4, Shape::new(Size::D, 1), D2];
    let values = [0, u128::MAX, LO, HI, 1 << 127, 0x7fff_7fff_7fff_7fff_7fff_7fff_7fff_7fff];
    for &op in Op::ALL {
        let info = op.info();
        if !matches!(info.effect, Effect::Pure | Effect::Sticky) || matches!(op, Op::Nop | Op::FlagsOf) {
            continue;
        }
        let narrowing = info.text.contains("narrow") || info.text.contains("shrn");
        for s in shapes {
            let float = matches!(info.attr, AttrKind::Fp | AttrKind::FpCvt);
            if (float && s.lane == Size::B) || (narrowing && (s.lane == Size::D || s.bytes() > 8)) {
                continue;
            }
            let words = info.text.starts_with("vdot")
                || info.text.starts_with("vmmla")
                || info.text.starts_with("bf");
            if (op == Op::FWidenH || words) && s.lane != Size::S {
                continue;
            }
            let attr = match info.attr {
                AttrKind::None => Attr::None,
                AttrKind::Vec => Attr::Vec(s),
                AttrKind::Fp => Attr::Fp(fp(s, Round::Dynamic)),
                AttrKind::FpCvt if op == Op::FCvt && s.lanes > 2 => continue,
                AttrKind::FpCvt => Attr::FpCvt(fp(s, Round::Up), Size::D),
                AttrKind::Cc => Attr::Cc(Cc::Hi),
                AttrKind::Mem | AttrKind::Rmw | AttrKind::Slot | AttrKind::Helper => continue,
            };
            for ty in [Type::I32, Type::I64] {
                let ty = match info.result {
                    Kind::V => Type::V128,
                    Kind::F => Type::Flags,
                    Kind::X => Type::I64,
                    Kind::W => Type::I32,
                    Kind::T | Kind::XOpt | Kind::Any | Kind::AnyOpt | Kind::Void => ty,
                };
                for (i, &a) in values.iter().enumerate() {
                    let (b, c) = (values[(i + 1) % 6], values[(i + 2) % 6]);
                    // At most the last lane, where it names one.
                    let imm = [0, 1, 3][i % 3].min(16 / s.lane.bytes() as u64 - 1);
                    let narrow = matches!(
                        op,
                        Op::LAdd
                            | Op::LSub
                            | Op::LAdc
                            | Op::LSbc
                            | Op::LAnd
                            | Op::LOr
                            | Op::LXor
                            | Op::LNeg
                            | Op::LShl
                            | Op::LShr
                            | Op::LSar
                    );
                    let imm = match op {
                        Op::FRintN => 32,
                        _ if narrow => [8, 16][i % 2],
                        _ => imm,
                    };
                    let inst = inst(op, ty, attr, imm);
                    if !verify::exists(&inst) {
                        continue;
                    }
                    let r = eval(&inst, &[a, b, c, 0], &mut FpState::default());
                    assert_eq!(r, truncate(ty, r), "{op:?} leaves bits above its type");
                }
            }
        }
    }
}
