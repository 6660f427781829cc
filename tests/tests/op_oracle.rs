//! The definitions of the vector, floating-point and cryptographic operations against an independent emulator.
//!
//! One AArch64 instruction per operation and shape is assembled into a small static program, which applies it to
//! operands from a file and writes results, status and flags; the evaluator must give the same bits. Where the cross
//! compiler or an emulator is missing it fails with what to install. `OMNIRUN_ORACLE_RUNS` sets the operand sets per row.

use ir::testing::Rng;
use ir::{Attr, Fp, FpRules, FpState, Inst, NanRule, Op, Round, Shape, Size, Type, Val, interp};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where a row's result is.
#[derive(Clone, Copy, PartialEq)]
enum Out {
    V,
    X,
    W,
    Flags,
}

/// An instruction on v0 (d), v1 (n), v2 (m), x3 in, x5 out, and the operation that it is.
struct Row {
    asm: String,
    op: Op,
    attr: Attr,
    imm: u64,
    /// Arguments: d, n, m, x.
    args: &'static str,
    out: Out,
}

const RULES: FpRules = FpRules {
    nan: NanRule::Arm,
    tiny_before: true,
    flush_in: false,
    flush_out: false,
    flush_half: false,
    alternate: false,
};

fn letter(s: Size) -> char {
    match s {
        Size::B => 'b',
        Size::H => 'h',
        Size::S => 's',
        Size::D => 'd',
        Size::Q => 'q',
    }
}

fn arrangement(s: Shape) -> String {
    format!("{}{}", s.lanes, letter(s.lane))
}

const ALL: &[Size] = &[Size::B, Size::H, Size::S, Size::D];
const BHS: &[Size] = &[Size::B, Size::H, Size::S];
const HS: &[Size] = &[Size::H, Size::S];
const FP: &[Size] = &[Size::H, Size::S, Size::D];

fn shapes(sizes: &[Size]) -> Vec<Shape> {
    let mut v: Vec<Shape> =
        sizes.iter().flat_map(|&s| [Shape::full(s, false), Shape::full(s, true)]).collect();
    v.retain(|s| !(s.lane == Size::D && s.lanes == 1));
    v
}

struct Rows(Vec<Row>);

impl Rows {
    fn add(&mut self, asm: String, op: Op, attr: Attr, imm: u64, args: &'static str, out: Out) {
        self.0.push(Row { asm, op, attr, imm, args, out });
    }

    /// `name vd.T, vn.T, ...` for every shape of the sizes.
    fn vec(&mut self, name: &str, op: Op, sizes: &[Size], args: &'static str) {
        for s in shapes(sizes) {
            let a = arrangement(s);
            let operands = if args.contains('m') {
                format!("v0.{a}, v1.{a}, v2.{a}")
            } else {
                format!("v0.{a}, v1.{a}")
            };
            self.add(format!("{name} {operands}"), op, Attr::Vec(s), 0, args, Out::V);
        }
    }

    /// Shifts by immediate, a few amounts each; `left` from 0.
    fn shift(&mut self, name: &str, op: Op, left: bool, args: &'static str) {
        for s in shapes(ALL) {
            let a = arrangement(s);
            let bits = s.lane.bits();
            let amounts = if left { [0, 1, bits / 2 + 1, bits - 1] } else { [1, 2, bits / 2 + 1, bits] };
            for n in amounts {
                self.add(format!("{name} v0.{a}, v1.{a}, #{n}"), op, Attr::Vec(s), n.into(), args, Out::V);
            }
        }
    }

    /// Floating point: vectors and scalars.
    fn fp(&mut self, name: &str, op: Op, args: &'static str, imm: u64) {
        self.fp_round(name, op, args, imm, Round::Dynamic, FP);
    }

    fn fp_round(&mut self, name: &str, op: Op, args: &'static str, imm: u64, round: Round, sizes: &[Size]) {
        for s in shapes(sizes) {
            let a = arrangement(s);
            let operands = if args.contains('m') {
                format!("v0.{a}, v1.{a}, v2.{a}")
            } else {
                format!("v0.{a}, v1.{a}")
            };
            let attr = Attr::Fp(Fp { shape: s, round, rules: RULES });
            self.add(format!("{name} {operands}"), op, attr, imm, args, Out::V);
        }
    }

    fn fp_scalar(&mut self, name: &str, op: Op, args: &'static str, imm: u64) {
        for &size in FP {
            let c = letter(size);
            let operands =
                if args.contains('m') { format!("{c}0, {c}1, {c}2") } else { format!("{c}0, {c}1") };
            let operands = if args == "dnm" { format!("{c}0, {c}1, {c}2, {c}0") } else { operands };
            let attr = Attr::Fp(Fp { shape: Shape::scalar(size), round: Round::Dynamic, rules: RULES });
            self.add(format!("{name} {operands}"), op, attr, imm, args, Out::V);
        }
    }
}

fn rows() -> Vec<Row> {
    let mut r = Rows(Vec::new());
    vector_rows(&mut r);
    float_rows(&mut r);
    conversion_rows(&mut r);
    crypto_rows(&mut r);
    r.0
}

fn vector_rows(r: &mut Rows) {
    for (name, op) in [("add", Op::VAdd), ("sub", Op::VSub), ("addp", Op::VPadd)] {
        r.vec(name, op, ALL, "nm");
    }
    for (name, op) in [
        ("mul", Op::VMul),
        ("sabd", Op::VAbdS),
        ("uabd", Op::VAbdU),
        ("smax", Op::VSMax),
        ("smin", Op::VSMin),
        ("umax", Op::VUMax),
        ("umin", Op::VUMin),
        ("shadd", Op::VHaddS),
        ("uhadd", Op::VHaddU),
        ("srhadd", Op::VRhaddS),
        ("urhadd", Op::VRhaddU),
        ("shsub", Op::VHsubS),
        ("uhsub", Op::VHsubU),
        ("smaxp", Op::VPsmax),
        ("sminp", Op::VPsmin),
        ("umaxp", Op::VPumax),
        ("uminp", Op::VPumin),
    ] {
        r.vec(name, op, BHS, "nm");
    }
    for (name, op) in [
        ("cmeq", Op::VCmpEq),
        ("cmgt", Op::VCmpGtS),
        ("cmge", Op::VCmpGeS),
        ("cmhi", Op::VCmpGtU),
        ("cmhs", Op::VCmpGeU),
        ("cmtst", Op::VTst),
        ("sshl", Op::VShlS),
        ("ushl", Op::VShlU),
        ("srshl", Op::VRshlS),
        ("urshl", Op::VRshlU),
        ("sqshl", Op::VQshlS),
        ("uqshl", Op::VQshlU),
        ("sqrshl", Op::VQrshlS),
        ("uqrshl", Op::VQrshlU),
        ("sqadd", Op::VQaddS),
        ("uqadd", Op::VQaddU),
        ("sqsub", Op::VQsubS),
        ("uqsub", Op::VQsubU),
        ("zip1", Op::VZip1),
        ("zip2", Op::VZip2),
        ("uzp1", Op::VUzp1),
        ("uzp2", Op::VUzp2),
        ("trn1", Op::VTrn1),
        ("trn2", Op::VTrn2),
    ] {
        r.vec(name, op, ALL, "nm");
    }
    r.vec("suqadd", Op::VSuqadd, ALL, "dn");
    r.vec("usqadd", Op::VUsqadd, ALL, "dn");
    for (name, op) in [("neg", Op::VNeg), ("abs", Op::VAbs), ("sqabs", Op::VQabs), ("sqneg", Op::VQneg)] {
        r.vec(name, op, ALL, "n");
    }
    r.vec("clz", Op::VClz, BHS, "n");
    r.vec("cls", Op::VCls, BHS, "n");
    r.vec("cnt", Op::VCnt, &[Size::B], "n");
    r.vec("rbit", Op::VRbit, &[Size::B], "n");
    r.vec("pmul", Op::VPmul, &[Size::B], "nm");
    for (name, op) in [("sqdmulh", Op::VQdmulh), ("sqrdmulh", Op::VQrdmulh)] {
        r.vec(name, op, HS, "nm");
    }
    r.vec("sqrdmlah", Op::VQrdmlah, HS, "dnm");
    r.vec("sqrdmlsh", Op::VQrdmlsh, HS, "dnm");
    r.shift("shl", Op::VShlI, true, "n");
    r.shift("sqshlu", Op::VQshluI, true, "n");
    r.shift("sli", Op::VSliI, true, "dn");
    for (name, op) in [("ushr", Op::VShrI), ("sshr", Op::VSarI), ("urshr", Op::VRshrI), ("srshr", Op::VRsarI)]
    {
        r.shift(name, op, false, "n");
    }
    r.shift("sri", Op::VSriI, false, "dn");
    for (name, op) in
        [("and", Op::VAnd), ("orr", Op::VOr), ("eor", Op::VXor), ("bic", Op::VAndN), ("orn", Op::VOrN)]
    {
        r.vec(name, op, &[Size::B], "nm");
    }
    r.vec("bsl", Op::VBsl, &[Size::B], "dnm");
    r.vec("mvn", Op::VNot, &[Size::B], "n");
    for (name, sizes, log) in [("rev16", &BHS[..1], 1), ("rev32", &BHS[..2], 2), ("rev64", BHS, 3)] {
        for s in shapes(sizes) {
            let a = arrangement(s);
            r.add(format!("{name} v0.{a}, v1.{a}"), Op::VRev, Attr::Vec(s), log, "n", Out::V);
        }
    }
    for s in shapes(&[Size::B]) {
        let a = arrangement(s);
        for n in [0, 3, 7] {
            let asm = format!("ext v0.{a}, v1.{a}, v2.{a}, #{n}");
            r.add(asm, Op::VExt, Attr::Vec(s), n, "nm", Out::V);
        }
        r.add(format!("tbx v0.{a}, {{v1.16b}}, v2.{a}"), Op::VTbl, Attr::Vec(s), 0, "dnm", Out::V);
    }
    widening_rows(r);
    for (sizes, name, op) in [
        (&BHS[..2], "addv", Op::VRedAdd),
        (&BHS[..2], "smaxv", Op::VRedSMax),
        (&BHS[..2], "sminv", Op::VRedSMin),
        (&BHS[..2], "umaxv", Op::VRedUMax),
        (&BHS[..2], "uminv", Op::VRedUMin),
    ] {
        for s in shapes(sizes) {
            let a = arrangement(s);
            r.add(format!("{name} {}0, v1.{a}", letter(s.lane)), op, Attr::Vec(s), 0, "n", Out::V);
        }
    }
    for s in shapes(&BHS[..2]) {
        let (a, wide) = (arrangement(s), if s.lane == Size::B { 'h' } else { 's' });
        r.add(format!("saddlv {wide}0, v1.{a}"), Op::VRedAddlS, Attr::Vec(s), 0, "n", Out::V);
        r.add(format!("uaddlv {wide}0, v1.{a}"), Op::VRedAddlU, Attr::Vec(s), 0, "n", Out::V);
    }
    for s in shapes(&[Size::S]) {
        let (a, bytes) = (arrangement(s), s.bytes());
        for (name, op) in [("sdot", Op::VDotS), ("udot", Op::VDotU), ("usdot", Op::VDotUs)] {
            let asm = format!("{name} v0.{a}, v1.{bytes}b, v2.{bytes}b");
            r.add(asm, op, Attr::Vec(s), 0, "dnm", Out::V);
        }
        r.add(format!("urecpe v0.{a}, v1.{a}"), Op::VUrecpe, Attr::Vec(s), 0, "n", Out::V);
        r.add(format!("ursqrte v0.{a}, v1.{a}"), Op::VUrsqrte, Attr::Vec(s), 0, "n", Out::V);
    }
    for (name, op) in [("smmla", Op::VMmlaS), ("ummla", Op::VMmlaU), ("usmmla", Op::VMmlaUs)] {
        let s = Shape::new(Size::S, 4);
        r.add(format!("{name} v0.4s, v1.16b, v2.16b"), op, Attr::Vec(s), 0, "dnm", Out::V);
    }
}

fn widening_rows(r: &mut Rows) {
    for (narrow, wide) in [(Size::B, Size::H), (Size::H, Size::S), (Size::S, Size::D)] {
        let w = Shape::full(wide, true);
        let (wa, lo, hi) =
            (arrangement(w), arrangement(Shape::full(narrow, false)), arrangement(Shape::full(narrow, true)));
        for (suffix, half, imm) in [("", &lo, 0), ("2", &hi, 1)] {
            for (name, op) in [("sxtl", Op::VWidenS), ("uxtl", Op::VWidenU)] {
                r.add(format!("{name}{suffix} v0.{wa}, v1.{half}"), op, Attr::Vec(w), imm, "n", Out::V);
            }
            for (name, op) in [("smull", Op::VMullS), ("umull", Op::VMullU), ("sqdmull", Op::VQdmull)] {
                if name == "sqdmull" && narrow == Size::B {
                    continue;
                }
                let asm = format!("{name}{suffix} v0.{wa}, v1.{half}, v2.{half}");
                r.add(asm, op, Attr::Vec(w), imm, "nm", Out::V);
            }
        }
        let s = Shape::full(narrow, false);
        for (name, op) in [
            ("xtn", Op::VNarrow),
            ("sqxtn", Op::VQnarrowS),
            ("uqxtn", Op::VQnarrowU),
            ("sqxtun", Op::VQnarrowSu),
        ] {
            r.add(format!("{name} v0.{lo}, v1.{wa}"), op, Attr::Vec(s), 0, "n", Out::V);
        }
        for (name, op, round) in [
            ("sqshrn", Op::VQshrnS, 0),
            ("uqshrn", Op::VQshrnU, 0),
            ("sqshrun", Op::VQshrnSu, 0),
            ("sqrshrn", Op::VQshrnS, 256),
            ("uqrshrn", Op::VQshrnU, 256),
            ("sqrshrun", Op::VQshrnSu, 256),
        ] {
            for n in [1, narrow.bits() / 2, narrow.bits()] {
                let asm = format!("{name} v0.{lo}, v1.{wa}, #{n}");
                r.add(asm, op, Attr::Vec(s), u64::from(n) | round, "n", Out::V);
            }
        }
        for w in shapes(&[wide]) {
            let (wa, na) = (arrangement(w), arrangement(Shape::new(narrow, w.lanes * 2)));
            r.add(format!("saddlp v0.{wa}, v1.{na}"), Op::VAddlpS, Attr::Vec(w), 0, "n", Out::V);
            r.add(format!("uaddlp v0.{wa}, v1.{na}"), Op::VAddlpU, Attr::Vec(w), 0, "n", Out::V);
        }
    }
    for (asm, lane, imm) in [
        ("pmull v0.8h, v1.8b, v2.8b", Size::H, 0),
        ("pmull2 v0.8h, v1.16b, v2.16b", Size::H, 1),
        ("pmull v0.1q, v1.1d, v2.1d", Size::Q, 0),
        ("pmull2 v0.1q, v1.2d, v2.2d", Size::Q, 1),
    ] {
        r.add(asm.into(), Op::VPmull, Attr::Vec(Shape::full(lane, true)), imm, "nm", Out::V);
    }
}

fn float_rows(r: &mut Rows) {
    for (name, op) in [
        ("fadd", Op::FAdd),
        ("fsub", Op::FSub),
        ("fmul", Op::FMul),
        ("fmulx", Op::FMulx),
        ("fdiv", Op::FDiv),
        ("fmax", Op::FMax),
        ("fmin", Op::FMin),
        ("fmaxnm", Op::FMaxNm),
        ("fminnm", Op::FMinNm),
        ("fcmeq", Op::FCmpEq),
        ("fcmge", Op::FCmpGe),
        ("fcmgt", Op::FCmpGt),
        ("frecps", Op::FRecps),
        ("frsqrts", Op::FRsqrts),
    ] {
        r.fp(name, op, "nm", 0);
        r.fp_scalar(name, op, "nm", 0);
    }
    for (name, op) in [
        ("faddp", Op::FPadd),
        ("fmaxp", Op::FPmax),
        ("fminp", Op::FPmin),
        ("fmaxnmp", Op::FPmaxNm),
        ("fminnmp", Op::FPminNm),
    ] {
        r.fp(name, op, "nm", 0);
    }
    for (name, op) in [("fsqrt", Op::FSqrt), ("frecpe", Op::FRecpe), ("frsqrte", Op::FRsqrte)] {
        r.fp(name, op, "n", 0);
        r.fp_scalar(name, op, "n", 0);
    }
    r.fp_scalar("frecpx", Op::FRecpx, "n", 0);
    r.fp("fmla", Op::FMa, "dnm", 0);
    r.fp("fmls", Op::FMa, "dnm", 1);
    for (name, imm) in [("fmadd", 0), ("fmsub", 1), ("fnmadd", 3), ("fnmsub", 2)] {
        r.fp_scalar(name, Op::FMa, "dnm", imm);
    }
    for (name, round, imm) in [
        ("frintn", Round::Nearest, 0),
        ("frintp", Round::Up, 0),
        ("frintm", Round::Down, 0),
        ("frintz", Round::Zero, 0),
        ("frinta", Round::NearestAway, 0),
        ("frintx", Round::Dynamic, 1),
        ("frinti", Round::Dynamic, 0),
    ] {
        r.fp_round(name, Op::FRint, "n", imm, round, FP);
    }
    for (name, round, imm) in [
        ("frint32z", Round::Zero, 32),
        ("frint32x", Round::Dynamic, 32),
        ("frint64z", Round::Zero, 64),
        ("frint64x", Round::Dynamic, 64),
    ] {
        r.fp_round(name, Op::FRintN, "n", imm, round, &FP[1..]);
    }
    for s in shapes(FP) {
        let (a, attr) = (arrangement(s), Attr::Fp(Fp { shape: s, round: Round::Dynamic, rules: RULES }));
        for rot in [90, 270] {
            r.add(format!("fcadd v0.{a}, v1.{a}, v2.{a}, #{rot}"), Op::FCadd, attr, rot, "nm", Out::V);
        }
        for rot in [0, 90, 180, 270] {
            r.add(format!("fcmla v0.{a}, v1.{a}, v2.{a}, #{rot}"), Op::FCmla, attr, rot, "dnm", Out::V);
        }
    }
    for &size in FP {
        let c = letter(size);
        let attr = Attr::Fp(Fp { shape: Shape::scalar(size), round: Round::Dynamic, rules: RULES });
        r.add(format!("fcmp {c}1, {c}2"), Op::FCmp, attr, 0, "nm", Out::Flags);
        r.add(format!("fcmpe {c}1, {c}2"), Op::FCmp, attr, 1, "nm", Out::Flags);
    }
    let odd = |shape| Attr::Fp(Fp { shape, round: Round::Odd, rules: RULES });
    r.add("bfdot v0.4s, v1.8h, v2.8h".into(), Op::BfDot, odd(Shape::new(Size::S, 4)), 0, "dnm", Out::V);
    r.add("bfdot v0.2s, v1.4h, v2.4h".into(), Op::BfDot, odd(Shape::new(Size::S, 2)), 0, "dnm", Out::V);
    r.add("bfmmla v0.4s, v1.8h, v2.8h".into(), Op::BfMmla, odd(Shape::new(Size::S, 4)), 0, "dnm", Out::V);
}

fn conversion_rows(r: &mut Rows) {
    let cvt = |shape, round, size| Attr::FpCvt(Fp { shape, round, rules: RULES }, size);
    for &from in FP {
        for &to in FP {
            if from != to {
                let asm = format!("fcvt {}0, {}1", letter(to), letter(from));
                r.add(asm, Op::FCvt, cvt(Shape::scalar(from), Round::Dynamic, to), 0, "n", Out::V);
            }
        }
    }
    r.add(
        "bfcvt h0, s1".into(),
        Op::FCvt,
        cvt(Shape::scalar(Size::S), Round::Dynamic, Size::H),
        2,
        "n",
        Out::V,
    );
    r.add("fcvtxn s0, d1".into(), Op::FCvt, cvt(Shape::scalar(Size::D), Round::Odd, Size::S), 0, "n", Out::V);
    r.add(
        "fcvtl2 v0.2d, v1.4s".into(),
        Op::FCvt,
        cvt(Shape::new(Size::S, 2), Round::Dynamic, Size::D),
        1,
        "n",
        Out::V,
    );
    r.add(
        "fcvtl v0.4s, v1.4h".into(),
        Op::FCvt,
        cvt(Shape::new(Size::H, 4), Round::Dynamic, Size::S),
        0,
        "n",
        Out::V,
    );
    r.add(
        "fcvtn v0.2s, v1.2d".into(),
        Op::FCvt,
        cvt(Shape::new(Size::D, 2), Round::Dynamic, Size::S),
        0,
        "n",
        Out::V,
    );
    r.add(
        "fcvtn v0.4h, v1.4s".into(),
        Op::FCvt,
        cvt(Shape::new(Size::S, 4), Round::Dynamic, Size::H),
        0,
        "n",
        Out::V,
    );
    for (suffix, round) in [
        ("n", Round::Nearest),
        ("p", Round::Up),
        ("m", Round::Down),
        ("z", Round::Zero),
        ("a", Round::NearestAway),
    ] {
        for (sign, op, vop) in [("s", Op::FToS, Op::VFToS), ("u", Op::FToU, Op::VFToU)] {
            for &f in FP {
                let c = letter(f);
                let attr = cvt(Shape::scalar(f), round, Size::S);
                r.add(format!("fcvt{suffix}{sign} w5, {c}1"), op, attr, 0, "n", Out::W);
                r.add(format!("fcvt{suffix}{sign} x5, {c}1"), op, attr, 0, "n", Out::X);
                if suffix == "z" {
                    r.add(format!("fcvt{suffix}{sign} w5, {c}1, #7"), op, attr, 7, "n", Out::W);
                    r.add(format!("fcvt{suffix}{sign} x5, {c}1, #64"), op, attr, 64, "n", Out::X);
                }
            }
            for s in shapes(FP) {
                let a = arrangement(s);
                r.add(
                    format!("fcvt{suffix}{sign} v0.{a}, v1.{a}"),
                    vop,
                    cvt(s, round, s.lane),
                    0,
                    "n",
                    Out::V,
                );
            }
        }
    }
    for (name, op, vop) in [("scvtf", Op::SToF, Op::VSToF), ("ucvtf", Op::UToF, Op::VUToF)] {
        for &f in FP {
            let c = letter(f);
            for (reg, size) in [('w', Size::S), ('x', Size::D)] {
                let attr = cvt(Shape::scalar(f), Round::Dynamic, size);
                r.add(format!("{name} {c}0, {reg}3"), op, attr, 0, "x", Out::V);
                r.add(format!("{name} {c}0, {reg}3, #9"), op, attr, 9, "x", Out::V);
            }
        }
        for s in shapes(FP) {
            let a = arrangement(s);
            let attr = cvt(s, Round::Dynamic, s.lane);
            r.add(format!("{name} v0.{a}, v1.{a}"), vop, attr, 0, "n", Out::V);
            r.add(format!("{name} v0.{a}, v1.{a}, #5"), vop, attr, 5, "n", Out::V);
        }
    }
    let js = Attr::Fp(Fp { shape: Shape::scalar(Size::D), round: Round::Zero, rules: RULES });
    r.add("fjcvtzs w5, d1".into(), Op::FJcvt, js, 0, "n", Out::W);
}

fn crypto_rows(r: &mut Rows) {
    for (asm, op, args) in [
        ("aesmc v0.16b, v1.16b", Op::AesMc, "n"),
        ("aesimc v0.16b, v1.16b", Op::AesImc, "n"),
        ("sha1c q0, s1, v2.4s", Op::Sha1C, "dnm"),
        ("sha1p q0, s1, v2.4s", Op::Sha1P, "dnm"),
        ("sha1m q0, s1, v2.4s", Op::Sha1M, "dnm"),
        ("sha1su0 v0.4s, v1.4s, v2.4s", Op::Sha1Su0, "dnm"),
        ("sha1su1 v0.4s, v1.4s", Op::Sha1Su1, "dn"),
        ("sha256h q0, q1, v2.4s", Op::Sha256H, "dnm"),
        ("sha256h2 q0, q1, v2.4s", Op::Sha256H2, "dnm"),
        ("sha256su0 v0.4s, v1.4s", Op::Sha256Su0, "dn"),
        ("sha256su1 v0.4s, v1.4s, v2.4s", Op::Sha256Su1, "dnm"),
        ("sha512h q0, q1, v2.2d", Op::Sha512H, "dnm"),
        ("sha512h2 q0, q1, v2.2d", Op::Sha512H2, "dnm"),
        ("sha512su0 v0.2d, v1.2d", Op::Sha512Su0, "dn"),
        ("sha512su1 v0.2d, v1.2d, v2.2d", Op::Sha512Su1, "dnm"),
        ("sm3partw1 v0.4s, v1.4s, v2.4s", Op::Sm3PartW1, "dnm"),
        ("sm3partw2 v0.4s, v1.4s, v2.4s", Op::Sm3PartW2, "dnm"),
        ("sm3ss1 v0.4s, v1.4s, v2.4s, v0.4s", Op::Sm3Ss1, "nmd"),
        ("sm4e v0.4s, v1.4s", Op::Sm4E, "dn"),
        ("sm4ekey v0.4s, v1.4s, v2.4s", Op::Sm4Ekey, "nm"),
    ] {
        r.add(asm.into(), op, Attr::None, 0, args, Out::V);
    }
    for (name, op) in [
        ("sm3tt1a", Op::Sm3Tt1A),
        ("sm3tt1b", Op::Sm3Tt1B),
        ("sm3tt2a", Op::Sm3Tt2A),
        ("sm3tt2b", Op::Sm3Tt2B),
    ] {
        for i in [0, 3] {
            r.add(format!("{name} v0.4s, v1.4s, v2.s[{i}]"), op, Attr::None, i, "dnm", Out::V);
        }
    }
}

/// Bytes of a record: d, n, m (16 each), x, fpcr, flags, row.
const RECORD: usize = 80;

/// The program: reads records, runs the row's instruction on each, writes them back.
fn program(rows: &[Row]) -> String {
    let mut s = String::from(
        "  .arch armv8.6-a+crypto+sha3+sm4+fp16+bf16+i8mm+rdma+dotprod\n  .text\n  .global _start\n_start:\n\
         1: mov x0, #0\n  ldr x1, =buf\n  mov x2, #80\n  mov x8, #63\n  svc #0\n  cmp x0, #80\n  b.ne 9f\n\
         ldr x9, =buf\n  ldp q0, q1, [x9]\n  ldr q2, [x9, #32]\n  ldp x3, x4, [x9, #48]\n  ldr x10, [x9, #72]\n\
         ldr x11, =table\n  ldr x11, [x11, x10, lsl #3]\n  mov x5, #0\n  msr nzcv, xzr\n  msr fpcr, x4\n\
         msr fpsr, xzr\n  blr x11\n  mrs x6, fpsr\n  mrs x7, nzcv\n  mrs x4, fpcr\n  msr fpcr, xzr\n\
         orr x6, x6, x7, lsl #32\n  str q0, [x9]\n  stp x5, x4, [x9, #48]\n  str x6, [x9, #64]\n\
         mov x0, #1\n  ldr x1, =buf\n  mov x2, #80\n  mov x8, #64\n  svc #0\n  b 1b\n\
         9: mov x0, #0\n  mov x8, #93\n  svc #0\n  .ltorg\n",
    );
    for (i, r) in rows.iter().enumerate() {
        let _ = write!(s, "r{i}: {}\n  ret\n", r.asm);
    }
    s.push_str("  .data\n  .balign 16\nbuf: .skip 80\ntable:\n");
    for i in 0..rows.len() {
        let _ = writeln!(s, "  .quad r{i}");
    }
    s
}

/// The modes: rounding in bits 23:22, FZ 24, DN 25, FZ16 19, AH 1, FIZ 0.
fn rules(fpcr: u64) -> FpRules {
    let bit = |n: u32| fpcr >> n & 1 != 0;
    FpRules {
        alternate: bit(1),
        nan: if bit(25) { NanRule::Default } else { NanRule::Arm },
        flush_in: bit(0) || bit(24) && !bit(1),
        flush_out: bit(24),
        flush_half: bit(19),
        ..RULES
    }
}

fn operand(rng: &mut Rng, s: Option<Shape>) -> u128 {
    let Some(s) = s else { return rng.vector() };
    // Floating-point lanes with interesting exponents and fractions.
    let (exp, frac) = match s.lane {
        Size::H => (5, 10),
        Size::S => (8, 23),
        _ => (11, 52),
    };
    let bits = s.lane.bits();
    let mut v = 0;
    for i in 0..128 / bits {
        let emax = (1u64 << exp) - 1;
        let e = match rng.below(8) {
            0 => 0,
            1 => emax,
            2 => 1 + rng.bits() % 3,
            3 => emax - 1 - rng.bits() % 3,
            4 | 5 => (emax / 2 + rng.bits() % 9).wrapping_sub(4) & emax,
            _ => rng.bits() & emax,
        };
        let fmask = (1u64 << frac) - 1;
        let f = match rng.below(6) {
            0 => 0,
            1 => fmask,
            2 => 1 << rng.below(frac),
            3 => rng.bits() & 7,
            _ => rng.bits() & fmask,
        };
        let x = (rng.bits() & 1) << (bits - 1) | e << frac | f;
        v |= u128::from(x) << (i * bits);
    }
    v
}

fn emulator() -> PathBuf {
    let installed = || {
        let p = PathBuf::from("/usr/bin/qemu-aarch64");
        assert!(p.exists(), "{} is missing: install the package qemu-user", p.display());
        p
    };
    omnirun_tests::list::Guest::named("aarch64")
        .expect("a guest of ours")
        .reference()
        .unwrap_or_else(installed)
}

#[test]
fn operations_agree_with_another_emulator() {
    let emulator = emulator();
    let rows = rows();
    let dir = std::env::temp_dir().join(format!("omnirun-oracle-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a temporary directory");
    let (src, exe) = (dir.join("oracle.S"), dir.join("oracle"));
    std::fs::write(&src, program(&rows)).expect("writable");
    let built = Command::new("aarch64-linux-gnu-gcc")
        .args(["-nostdlib", "-static", "-o"])
        .args([&exe, &src])
        .status()
        .unwrap_or_else(|e| panic!("aarch64-linux-gnu-gcc: {e}: install the package gcc-aarch64-linux-gnu"));
    assert!(built.success(), "the oracle program assembles");
    let runs: usize = std::env::var("OMNIRUN_ORACLE_RUNS").ok().and_then(|s| s.parse().ok()).unwrap_or(200);
    let mut rng = Rng::new(11);
    let mut input = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let float = match row.attr {
            Attr::Fp(fp) | Attr::FpCvt(fp, _) => Some(fp.shape),
            _ => None,
        };
        let to_float = matches!(row.op, Op::SToF | Op::UToF | Op::VSToF | Op::VUToF);
        for _ in 0..runs {
            let shape = if to_float || matches!(row.op, Op::BfDot | Op::BfMmla) { None } else { float };
            for _ in 0..3 {
                input.extend(operand(&mut rng, shape).to_le_bytes());
            }
            let mut fpcr = 0;
            if float.is_some() {
                fpcr = (rng.bits() & 3) << 22;
                if rng.one_in(3) {
                    fpcr |= rng.bits() & (3 << 24 | 1 << 19);
                }
                if rng.one_in(4) {
                    fpcr |= 2 | rng.bits() & 1;
                }
            }
            for x in [rng.number(), fpcr, 0, i as u64] {
                input.extend(x.to_le_bytes());
            }
        }
    }
    std::fs::write(dir.join("in"), &input).expect("writable");
    let output = Command::new(&emulator)
        .args(["-cpu", "max"])
        .arg(&exe)
        .stdin(Stdio::from(std::fs::File::open(dir.join("in")).expect("readable")))
        .output()
        .expect("the emulator runs");
    assert!(output.status.success(), "{:?} {}", output.status, String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout.len(), input.len());
    let mut bad = std::collections::BTreeMap::<String, (usize, String)>::new();
    for (before, after) in input.chunks(RECORD).zip(output.stdout.chunks(RECORD)) {
        let quad = |b: &[u8], at: usize| u64::from_le_bytes(b[at..at + 8].try_into().expect("8 bytes"));
        let vec = |b: &[u8], at: usize| u128::from_le_bytes(b[at..at + 16].try_into().expect("16 bytes"));
        let row = &rows[quad(before, 72) as usize];
        let (d, n, m, x) = (vec(before, 0), vec(before, 16), vec(before, 32), quad(before, 48));
        let fpcr = quad(after, 56);
        let mut args = [0u128; 4];
        for (slot, c) in args.iter_mut().zip(row.args.chars()) {
            *slot = match c {
                'd' => d,
                'n' => n,
                'm' => m,
                _ => x.into(),
            };
        }
        // The scalar multiply-adds have their addend last: v0 is it.
        let attr = match row.attr {
            Attr::Fp(fp) => Attr::Fp(Fp { rules: rules(fpcr), ..fp }),
            Attr::FpCvt(fp, size) => Attr::FpCvt(Fp { rules: rules(fpcr), ..fp }, size),
            other => other,
        };
        let ty = match row.out {
            Out::V => Type::V128,
            Out::X => Type::I64,
            Out::W if row.op == Op::FJcvt => Type::I64,
            Out::W => Type::I32,
            Out::Flags => Type::Flags,
        };
        let inst = Inst { op: row.op, ty, attr, args: [Val::NONE; 4], imm: row.imm };
        let mut state = FpState { flags: 0, round: (fpcr >> 22 & 3) as u32, sat: 0 };
        let got = interp::eval(&inst, &args, &mut state);
        let status = quad(after, 64);
        let want = match row.out {
            Out::V => vec(after, 0),
            Out::W if row.op == Op::FJcvt => u128::from(quad(after, 48)) | u128::from(status >> 62 & 1) << 32,
            Out::X | Out::W => quad(after, 48).into(),
            Out::Flags => (status >> 60).into(),
        };
        // FPToFixedJS (DDI 0487): a denormal flushed to zero is not exact. Some versions of the reference say it is.
        let flushed = fpcr >> 24 & 1 != 0 && n as u64 >> 52 & 0x7ff == 0 && n as u64 & ((1 << 52) - 1) != 0;
        let want = if row.op == Op::FJcvt && flushed { want & u128::from(u32::MAX) } else { want };
        let (flags, sat) = (status as u32 & 0x9f, status as u32 >> 27 & 1);
        if got != want || state.flags != flags || state.sat != sat {
            let entry = bad.entry(row.asm.clone()).or_default();
            entry.0 += 1;
            if entry.1.is_empty() {
                entry.1 = format!(
                    "d={d:#034x} n={n:#034x} m={m:#034x} x={x:#x} fpcr={fpcr:#x}\n    got  {got:#034x} {:#x} {}\n    want {want:#034x} {flags:#x} {sat}",
                    state.flags, state.sat
                );
            }
        }
    }
    eprintln!("{} rows, {runs} operand sets each", rows.len());
    let _ = std::fs::remove_dir_all(&dir);
    let mut text = String::new();
    for (asm, (count, first)) in &bad {
        let _ = writeln!(text, "{asm}: {count} of {runs} differ\n    {first}");
    }
    assert!(bad.is_empty(), "{} of {} rows differ\n{text}", bad.len(), rows.len());
}
