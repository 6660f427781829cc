//! The table of vector instructions: one row per operation with what its legacy SSE, VEX and EVEX forms need. The
//! variant's name is the mnemonic without a leading `v` (unless only VEX or EVEX has it), with `St`, `Ld`, `I`, `Gp`,
//! `K` or `Q` appended where one mnemonic has several shapes.

use super::{Map, Pp, rows};

/// How the operands sit in the encoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// dst, a (vvvv), b/mem; legacy: dst is also a
    Rvm,
    /// the same with an immediate
    Rvmi,
    /// dst, b/mem
    Rm,
    /// the same with an immediate
    Rmi,
    /// b/mem (the destination), src
    Mr,
    /// the same with an immediate
    Mri,
    /// dst (vvvv), src, imm8 with a /digit; legacy: dst is also src
    Vmi,
    /// dst, a, general register or memory
    RvGp,
    /// the same with an immediate
    RvGpi,
    /// general register, b/mem
    GpRm,
    /// general register or memory, src
    GpMr,
    /// the same with an immediate
    GpMri,
    /// dst, general register or memory
    XmGp,
    /// mask, a, b/mem
    Kvm,
    /// the same with an immediate
    Kvmi,
    /// mask, b/mem, imm
    Krmi,
    /// mask, b
    KRm,
    /// dst, mask
    XmK,
    /// dst, a, b/mem, selector register; legacy: the selector is xmm0
    Rvmr,
}

/// Has a legacy SSE form.
pub const L: u8 = 1;
/// Has a VEX form.
pub const X: u8 = 2;
/// Has an EVEX form.
pub const E: u8 = 4;
const LX: u8 = L | X;
const XE: u8 = X | E;
const LXE: u8 = L | X | E;

/// One vector operation.
#[derive(Clone, Copy, Debug)]
pub struct VRow {
    /// Mnemonic of the legacy form (or of the only one).
    pub name: &'static str,
    /// Mnemonic of the EVEX form when it is not `v` + name.
    pub evex_name: Option<&'static str>,
    /// Which encodings exist ([`L`], [`X`], [`E`]).
    pub enc: u8,
    /// Mandatory prefix.
    pub pp: Pp,
    /// Opcode map.
    pub map: Map,
    /// Opcode.
    pub op: u8,
    /// Opcode of the VEX form when it differs (0: the same).
    pub vex_op: u8,
    /// Operand layout.
    pub form: Form,
    /// /digit of an immediate shift.
    pub digit: u8,
    /// REX.W, VEX.W and EVEX.W are all set.
    pub w_all: bool,
    /// Only EVEX.W is set.
    pub w_evex: bool,
    /// Bytes a memory operand has at 128 bits; also the EVEX displacement scale.
    pub bytes: u8,
    /// The memory operand does not grow with the vector length.
    pub fixed: bool,
    /// a and b may be swapped.
    pub commutes: bool,
    /// Only a register as r/m operand.
    pub reg_only: bool,
    /// Only memory as r/m operand.
    pub mem_only: bool,
    /// The VEX and EVEX forms read the destination too.
    pub rmw: bool,
    /// The r/m operand is always an xmm register.
    pub rm_xmm: bool,
    /// The general register is 64 bits wide.
    pub gp64: bool,
}

const fn r(name: &'static str, enc: u8, pp: Pp, map: Map, op: u8, form: Form) -> VRow {
    VRow {
        name,
        evex_name: None,
        enc,
        pp,
        map,
        op,
        vex_op: 0,
        form,
        digit: 0,
        w_all: false,
        w_evex: false,
        bytes: 16,
        fixed: false,
        commutes: false,
        reg_only: false,
        mem_only: false,
        rmw: false,
        rm_xmm: false,
        gp64: false,
    }
}

impl VRow {
    const fn n(self, bytes: u8) -> VRow {
        VRow { bytes, ..self }
    }
    const fn xw(self) -> VRow {
        VRow { w_all: true, ..self }
    }
    const fn ew(self) -> VRow {
        VRow { w_evex: true, ..self }
    }
    const fn c(self) -> VRow {
        VRow { commutes: true, ..self }
    }
    const fn regonly(self) -> VRow {
        VRow { reg_only: true, ..self }
    }
    const fn memonly(self) -> VRow {
        VRow { mem_only: true, ..self }
    }
    const fn rmw(self) -> VRow {
        VRow { rmw: true, ..self }
    }
    const fn fixn(self) -> VRow {
        VRow { fixed: true, ..self }
    }
    const fn rmx(self) -> VRow {
        VRow { rm_xmm: true, ..self }
    }
    const fn gpq(self) -> VRow {
        VRow { gp64: true, ..self }
    }
    const fn digit(self, digit: u8) -> VRow {
        VRow { digit, ..self }
    }
    const fn vop(self, vex_op: u8) -> VRow {
        VRow { vex_op, ..self }
    }
    const fn en(self, name: &'static str) -> VRow {
        VRow { evex_name: Some(name), ..self }
    }
}

rows! {
    /// A vector operation; see [`VRow`].
    V: VRow, V_ROWS {
        // Moves.
        Movaps = r("movaps", LXE, Pp::N, Map::M0f, 0x28, Form::Rm);
        Movups = r("movups", LXE, Pp::N, Map::M0f, 0x10, Form::Rm);
        MovapsSt = r("movaps", LXE, Pp::N, Map::M0f, 0x29, Form::Mr);
        MovupsSt = r("movups", LXE, Pp::N, Map::M0f, 0x11, Form::Mr);
        Movdqa = r("movdqa", LXE, Pp::P66, Map::M0f, 0x6f, Form::Rm).en("vmovdqa32");
        Movdqu = r("movdqu", LXE, Pp::F3, Map::M0f, 0x6f, Form::Rm).en("vmovdqu32");
        MovdqaSt = r("movdqa", LXE, Pp::P66, Map::M0f, 0x7f, Form::Mr).en("vmovdqa32");
        MovdquSt = r("movdqu", LXE, Pp::F3, Map::M0f, 0x7f, Form::Mr).en("vmovdqu32");
        Movdqu8 = r("vmovdqu8", E, Pp::F2, Map::M0f, 0x6f, Form::Rm);
        Movdqu16 = r("vmovdqu16", E, Pp::F2, Map::M0f, 0x6f, Form::Rm).ew();
        Movdqu32 = r("vmovdqu32", E, Pp::F3, Map::M0f, 0x6f, Form::Rm);
        Movdqu64 = r("vmovdqu64", E, Pp::F3, Map::M0f, 0x6f, Form::Rm).ew();
        Movdqu8St = r("vmovdqu8", E, Pp::F2, Map::M0f, 0x7f, Form::Mr);
        Movdqu16St = r("vmovdqu16", E, Pp::F2, Map::M0f, 0x7f, Form::Mr).ew();
        Movdqu32St = r("vmovdqu32", E, Pp::F3, Map::M0f, 0x7f, Form::Mr);
        Movdqu64St = r("vmovdqu64", E, Pp::F3, Map::M0f, 0x7f, Form::Mr).ew();
        Movss = r("movss", LXE, Pp::F3, Map::M0f, 0x10, Form::Rvm).n(4).regonly();
        Movsd = r("movsd", LXE, Pp::F2, Map::M0f, 0x10, Form::Rvm).n(8).ew().regonly();
        MovssLd = r("movss", LXE, Pp::F3, Map::M0f, 0x10, Form::Rm).n(4).memonly();
        MovsdLd = r("movsd", LXE, Pp::F2, Map::M0f, 0x10, Form::Rm).n(8).ew().memonly();
        MovssSt = r("movss", LXE, Pp::F3, Map::M0f, 0x11, Form::Mr).n(4).memonly();
        MovsdSt = r("movsd", LXE, Pp::F2, Map::M0f, 0x11, Form::Mr).n(8).ew().memonly();
        Movd = r("movd", LXE, Pp::P66, Map::M0f, 0x6e, Form::XmGp).n(4);
        Movq = r("movq", LXE, Pp::P66, Map::M0f, 0x6e, Form::XmGp).n(8).xw().regonly();
        MovdSt = r("movd", LXE, Pp::P66, Map::M0f, 0x7e, Form::GpMr).n(4);
        MovqGp = r("movq", LXE, Pp::P66, Map::M0f, 0x7e, Form::GpMr).n(8).xw().regonly();
        MovqX = r("movq", LXE, Pp::F3, Map::M0f, 0x7e, Form::Rm).n(8).ew();
        MovqSt = r("movq", LXE, Pp::P66, Map::M0f, 0xd6, Form::Mr).n(8).ew().memonly();
        Movlps = r("movlps", LXE, Pp::N, Map::M0f, 0x12, Form::Rvm).n(8).memonly();
        Movhps = r("movhps", LXE, Pp::N, Map::M0f, 0x16, Form::Rvm).n(8).memonly();
        Movhlps = r("movhlps", LXE, Pp::N, Map::M0f, 0x12, Form::Rvm).regonly();
        Movlhps = r("movlhps", LXE, Pp::N, Map::M0f, 0x16, Form::Rvm).regonly();
        MovlpsSt = r("movlps", LXE, Pp::N, Map::M0f, 0x13, Form::Mr).n(8).memonly();
        MovhpsSt = r("movhps", LXE, Pp::N, Map::M0f, 0x17, Form::Mr).n(8).memonly();
        Movddup = r("movddup", LXE, Pp::F2, Map::M0f, 0x12, Form::Rm).n(8).ew();
        Movshdup = r("movshdup", LXE, Pp::F3, Map::M0f, 0x16, Form::Rm);
        Movsldup = r("movsldup", LXE, Pp::F3, Map::M0f, 0x12, Form::Rm);
        Vpbroadcastb = r("vpbroadcastb", XE, Pp::P66, Map::M38, 0x78, Form::Rm).n(1).fixn();
        Vpbroadcastw = r("vpbroadcastw", XE, Pp::P66, Map::M38, 0x79, Form::Rm).n(2).fixn();
        Vpbroadcastd = r("vpbroadcastd", XE, Pp::P66, Map::M38, 0x58, Form::Rm).n(4).fixn();
        Vpbroadcastq = r("vpbroadcastq", XE, Pp::P66, Map::M38, 0x59, Form::Rm).n(8).ew().fixn();
        Vbroadcastss = r("vbroadcastss", XE, Pp::P66, Map::M38, 0x18, Form::Rm).n(4).fixn();
        VpbroadcastbGp = r("vpbroadcastb", E, Pp::P66, Map::M38, 0x7a, Form::XmGp).regonly().en("vpbroadcastb");
        VpbroadcastwGp = r("vpbroadcastw", E, Pp::P66, Map::M38, 0x7b, Form::XmGp).regonly().en("vpbroadcastw");
        VpbroadcastdGp = r("vpbroadcastd", E, Pp::P66, Map::M38, 0x7c, Form::XmGp).regonly().en("vpbroadcastd");
        VpbroadcastqGp = r("vpbroadcastq", E, Pp::P66, Map::M38, 0x7c, Form::XmGp).ew().regonly().gpq().en("vpbroadcastq");
        // Integer arithmetic.
        Paddb = r("paddb", LXE, Pp::P66, Map::M0f, 0xfc, Form::Rvm).c();
        Paddw = r("paddw", LXE, Pp::P66, Map::M0f, 0xfd, Form::Rvm).c();
        Paddd = r("paddd", LXE, Pp::P66, Map::M0f, 0xfe, Form::Rvm).c();
        Paddq = r("paddq", LXE, Pp::P66, Map::M0f, 0xd4, Form::Rvm).ew().c();
        Paddsb = r("paddsb", LXE, Pp::P66, Map::M0f, 0xec, Form::Rvm).c();
        Paddsw = r("paddsw", LXE, Pp::P66, Map::M0f, 0xed, Form::Rvm).c();
        Paddusb = r("paddusb", LXE, Pp::P66, Map::M0f, 0xdc, Form::Rvm).c();
        Paddusw = r("paddusw", LXE, Pp::P66, Map::M0f, 0xdd, Form::Rvm).c();
        Pavgb = r("pavgb", LXE, Pp::P66, Map::M0f, 0xe0, Form::Rvm).c();
        Pavgw = r("pavgw", LXE, Pp::P66, Map::M0f, 0xe3, Form::Rvm).c();
        Pminub = r("pminub", LXE, Pp::P66, Map::M0f, 0xda, Form::Rvm).c();
        Pmaxub = r("pmaxub", LXE, Pp::P66, Map::M0f, 0xde, Form::Rvm).c();
        Pminsw = r("pminsw", LXE, Pp::P66, Map::M0f, 0xea, Form::Rvm).c();
        Pmaxsw = r("pmaxsw", LXE, Pp::P66, Map::M0f, 0xee, Form::Rvm).c();
        Pmullw = r("pmullw", LXE, Pp::P66, Map::M0f, 0xd5, Form::Rvm).c();
        Pmulhw = r("pmulhw", LXE, Pp::P66, Map::M0f, 0xe5, Form::Rvm).c();
        Pmulhuw = r("pmulhuw", LXE, Pp::P66, Map::M0f, 0xe4, Form::Rvm).c();
        Pmuludq = r("pmuludq", LXE, Pp::P66, Map::M0f, 0xf4, Form::Rvm).ew().c();
        Pmaddwd = r("pmaddwd", LXE, Pp::P66, Map::M0f, 0xf5, Form::Rvm).c();
        Psadbw = r("psadbw", LXE, Pp::P66, Map::M0f, 0xf6, Form::Rvm).c();
        Psubb = r("psubb", LXE, Pp::P66, Map::M0f, 0xf8, Form::Rvm);
        Psubw = r("psubw", LXE, Pp::P66, Map::M0f, 0xf9, Form::Rvm);
        Psubd = r("psubd", LXE, Pp::P66, Map::M0f, 0xfa, Form::Rvm);
        Psubq = r("psubq", LXE, Pp::P66, Map::M0f, 0xfb, Form::Rvm).ew();
        Psubsb = r("psubsb", LXE, Pp::P66, Map::M0f, 0xe8, Form::Rvm);
        Psubsw = r("psubsw", LXE, Pp::P66, Map::M0f, 0xe9, Form::Rvm);
        Psubusb = r("psubusb", LXE, Pp::P66, Map::M0f, 0xd8, Form::Rvm);
        Psubusw = r("psubusw", LXE, Pp::P66, Map::M0f, 0xd9, Form::Rvm);
        Pminsb = r("pminsb", LXE, Pp::P66, Map::M38, 0x38, Form::Rvm).c();
        Pminsd = r("pminsd", LXE, Pp::P66, Map::M38, 0x39, Form::Rvm).c();
        Pminuw = r("pminuw", LXE, Pp::P66, Map::M38, 0x3a, Form::Rvm).c();
        Pminud = r("pminud", LXE, Pp::P66, Map::M38, 0x3b, Form::Rvm).c();
        Pmaxsb = r("pmaxsb", LXE, Pp::P66, Map::M38, 0x3c, Form::Rvm).c();
        Pmaxsd = r("pmaxsd", LXE, Pp::P66, Map::M38, 0x3d, Form::Rvm).c();
        Pmaxuw = r("pmaxuw", LXE, Pp::P66, Map::M38, 0x3e, Form::Rvm).c();
        Pmaxud = r("pmaxud", LXE, Pp::P66, Map::M38, 0x3f, Form::Rvm).c();
        Pmulld = r("pmulld", LXE, Pp::P66, Map::M38, 0x40, Form::Rvm).c();
        Pmulhrsw = r("pmulhrsw", LXE, Pp::P66, Map::M38, 0x0b, Form::Rvm).c();
        Pmuldq = r("pmuldq", LXE, Pp::P66, Map::M38, 0x28, Form::Rvm).ew().c();
        Pmaddubsw = r("pmaddubsw", LXE, Pp::P66, Map::M38, 0x04, Form::Rvm);
        Vpminsq = r("vpminsq", E, Pp::P66, Map::M38, 0x39, Form::Rvm).ew().c();
        Vpminuq = r("vpminuq", E, Pp::P66, Map::M38, 0x3b, Form::Rvm).ew().c();
        Vpmaxsq = r("vpmaxsq", E, Pp::P66, Map::M38, 0x3d, Form::Rvm).ew().c();
        Vpmaxuq = r("vpmaxuq", E, Pp::P66, Map::M38, 0x3f, Form::Rvm).ew().c();
        Vpmullq = r("vpmullq", E, Pp::P66, Map::M38, 0x40, Form::Rvm).ew().c();
        Pabsb = r("pabsb", LXE, Pp::P66, Map::M38, 0x1c, Form::Rm);
        Pabsw = r("pabsw", LXE, Pp::P66, Map::M38, 0x1d, Form::Rm);
        Pabsd = r("pabsd", LXE, Pp::P66, Map::M38, 0x1e, Form::Rm);
        Vpabsq = r("vpabsq", E, Pp::P66, Map::M38, 0x1f, Form::Rm).ew();
        Psignb = r("psignb", LX, Pp::P66, Map::M38, 0x08, Form::Rvm);
        Psignw = r("psignw", LX, Pp::P66, Map::M38, 0x09, Form::Rvm);
        Psignd = r("psignd", LX, Pp::P66, Map::M38, 0x0a, Form::Rvm);
        Phaddw = r("phaddw", LX, Pp::P66, Map::M38, 0x01, Form::Rvm);
        Phaddd = r("phaddd", LX, Pp::P66, Map::M38, 0x02, Form::Rvm);
        Phaddsw = r("phaddsw", LX, Pp::P66, Map::M38, 0x03, Form::Rvm);
        Phsubw = r("phsubw", LX, Pp::P66, Map::M38, 0x05, Form::Rvm);
        Phsubd = r("phsubd", LX, Pp::P66, Map::M38, 0x06, Form::Rvm);
        // Logic.
        Pand = r("pand", LXE, Pp::P66, Map::M0f, 0xdb, Form::Rvm).c().en("vpandd");
        Pandn = r("pandn", LXE, Pp::P66, Map::M0f, 0xdf, Form::Rvm).en("vpandnd");
        Por = r("por", LXE, Pp::P66, Map::M0f, 0xeb, Form::Rvm).c().en("vpord");
        Pxor = r("pxor", LXE, Pp::P66, Map::M0f, 0xef, Form::Rvm).c().en("vpxord");
        Andps = r("andps", LXE, Pp::N, Map::M0f, 0x54, Form::Rvm).c();
        Andpd = r("andpd", LXE, Pp::P66, Map::M0f, 0x54, Form::Rvm).ew().c();
        Andnps = r("andnps", LXE, Pp::N, Map::M0f, 0x55, Form::Rvm);
        Andnpd = r("andnpd", LXE, Pp::P66, Map::M0f, 0x55, Form::Rvm).ew();
        Orps = r("orps", LXE, Pp::N, Map::M0f, 0x56, Form::Rvm).c();
        Orpd = r("orpd", LXE, Pp::P66, Map::M0f, 0x56, Form::Rvm).ew().c();
        Xorps = r("xorps", LXE, Pp::N, Map::M0f, 0x57, Form::Rvm).c();
        Xorpd = r("xorpd", LXE, Pp::P66, Map::M0f, 0x57, Form::Rvm).ew().c();
        Vpternlogd = r("vpternlogd", E, Pp::P66, Map::M3a, 0x25, Form::Rvmi).rmw();
        Vpternlogq = r("vpternlogq", E, Pp::P66, Map::M3a, 0x25, Form::Rvmi).ew().rmw();
        // Compares to a vector.
        Pcmpeqb = r("pcmpeqb", LX, Pp::P66, Map::M0f, 0x74, Form::Rvm).c();
        Pcmpeqw = r("pcmpeqw", LX, Pp::P66, Map::M0f, 0x75, Form::Rvm).c();
        Pcmpeqd = r("pcmpeqd", LX, Pp::P66, Map::M0f, 0x76, Form::Rvm).c();
        Pcmpgtb = r("pcmpgtb", LX, Pp::P66, Map::M0f, 0x64, Form::Rvm);
        Pcmpgtw = r("pcmpgtw", LX, Pp::P66, Map::M0f, 0x65, Form::Rvm);
        Pcmpgtd = r("pcmpgtd", LX, Pp::P66, Map::M0f, 0x66, Form::Rvm);
        Pcmpeqq = r("pcmpeqq", LX, Pp::P66, Map::M38, 0x29, Form::Rvm).c();
        Pcmpgtq = r("pcmpgtq", LX, Pp::P66, Map::M38, 0x37, Form::Rvm);
        // Shifts.
        Psllw = r("psllw", LXE, Pp::P66, Map::M0f, 0xf1, Form::Rvm).fixn().rmx();
        Pslld = r("pslld", LXE, Pp::P66, Map::M0f, 0xf2, Form::Rvm).fixn().rmx();
        Psllq = r("psllq", LXE, Pp::P66, Map::M0f, 0xf3, Form::Rvm).ew().fixn().rmx();
        Psrlw = r("psrlw", LXE, Pp::P66, Map::M0f, 0xd1, Form::Rvm).fixn().rmx();
        Psrld = r("psrld", LXE, Pp::P66, Map::M0f, 0xd2, Form::Rvm).fixn().rmx();
        Psrlq = r("psrlq", LXE, Pp::P66, Map::M0f, 0xd3, Form::Rvm).ew().fixn().rmx();
        Psraw = r("psraw", LXE, Pp::P66, Map::M0f, 0xe1, Form::Rvm).fixn().rmx();
        Psrad = r("psrad", LXE, Pp::P66, Map::M0f, 0xe2, Form::Rvm).fixn().rmx();
        Vpsraq = r("vpsraq", E, Pp::P66, Map::M0f, 0xe2, Form::Rvm).ew().fixn().rmx();
        PsllwI = r("psllw", LXE, Pp::P66, Map::M0f, 0x71, Form::Vmi).regonly().digit(6);
        PslldI = r("pslld", LXE, Pp::P66, Map::M0f, 0x72, Form::Vmi).regonly().digit(6);
        PsllqI = r("psllq", LXE, Pp::P66, Map::M0f, 0x73, Form::Vmi).ew().regonly().digit(6);
        PsrlwI = r("psrlw", LXE, Pp::P66, Map::M0f, 0x71, Form::Vmi).regonly().digit(2);
        PsrldI = r("psrld", LXE, Pp::P66, Map::M0f, 0x72, Form::Vmi).regonly().digit(2);
        PsrlqI = r("psrlq", LXE, Pp::P66, Map::M0f, 0x73, Form::Vmi).ew().regonly().digit(2);
        PsrawI = r("psraw", LXE, Pp::P66, Map::M0f, 0x71, Form::Vmi).regonly().digit(4);
        PsradI = r("psrad", LXE, Pp::P66, Map::M0f, 0x72, Form::Vmi).regonly().digit(4);
        VpsraqI = r("vpsraq", E, Pp::P66, Map::M0f, 0x72, Form::Vmi).ew().regonly().digit(4);
        PslldqI = r("pslldq", LXE, Pp::P66, Map::M0f, 0x73, Form::Vmi).regonly().digit(7);
        PsrldqI = r("psrldq", LXE, Pp::P66, Map::M0f, 0x73, Form::Vmi).regonly().digit(3);
        VproldI = r("vprold", E, Pp::P66, Map::M0f, 0x72, Form::Vmi).regonly().digit(1);
        VprolqI = r("vprolq", E, Pp::P66, Map::M0f, 0x72, Form::Vmi).ew().regonly().digit(1);
        VprordI = r("vprord", E, Pp::P66, Map::M0f, 0x72, Form::Vmi).regonly().digit(0);
        VprorqI = r("vprorq", E, Pp::P66, Map::M0f, 0x72, Form::Vmi).ew().regonly().digit(0);
        Vpsllvd = r("vpsllvd", XE, Pp::P66, Map::M38, 0x47, Form::Rvm);
        Vpsllvq = r("vpsllvq", XE, Pp::P66, Map::M38, 0x47, Form::Rvm).xw();
        Vpsrlvd = r("vpsrlvd", XE, Pp::P66, Map::M38, 0x45, Form::Rvm);
        Vpsrlvq = r("vpsrlvq", XE, Pp::P66, Map::M38, 0x45, Form::Rvm).xw();
        Vpsravd = r("vpsravd", XE, Pp::P66, Map::M38, 0x46, Form::Rvm);
        Vpsravq = r("vpsravq", E, Pp::P66, Map::M38, 0x46, Form::Rvm).ew();
        Vpsllvw = r("vpsllvw", E, Pp::P66, Map::M38, 0x12, Form::Rvm).ew();
        Vpsrlvw = r("vpsrlvw", E, Pp::P66, Map::M38, 0x10, Form::Rvm).ew();
        Vpsravw = r("vpsravw", E, Pp::P66, Map::M38, 0x11, Form::Rvm).ew();
        Vprolvd = r("vprolvd", E, Pp::P66, Map::M38, 0x15, Form::Rvm);
        Vprolvq = r("vprolvq", E, Pp::P66, Map::M38, 0x15, Form::Rvm).ew();
        Vprorvd = r("vprorvd", E, Pp::P66, Map::M38, 0x14, Form::Rvm);
        Vprorvq = r("vprorvq", E, Pp::P66, Map::M38, 0x14, Form::Rvm).ew();
        Vpshldw = r("vpshldw", E, Pp::P66, Map::M3a, 0x70, Form::Rvmi).ew();
        Vpshldd = r("vpshldd", E, Pp::P66, Map::M3a, 0x71, Form::Rvmi);
        Vpshldq = r("vpshldq", E, Pp::P66, Map::M3a, 0x71, Form::Rvmi).ew();
        Vpshrdw = r("vpshrdw", E, Pp::P66, Map::M3a, 0x72, Form::Rvmi).ew();
        Vpshrdd = r("vpshrdd", E, Pp::P66, Map::M3a, 0x73, Form::Rvmi);
        Vpshrdq = r("vpshrdq", E, Pp::P66, Map::M3a, 0x73, Form::Rvmi).ew();
        Vpshldvw = r("vpshldvw", E, Pp::P66, Map::M38, 0x70, Form::Rvm).ew().rmw();
        Vpshldvd = r("vpshldvd", E, Pp::P66, Map::M38, 0x71, Form::Rvm).rmw();
        Vpshldvq = r("vpshldvq", E, Pp::P66, Map::M38, 0x71, Form::Rvm).ew().rmw();
        Vpshrdvw = r("vpshrdvw", E, Pp::P66, Map::M38, 0x72, Form::Rvm).ew().rmw();
        Vpshrdvd = r("vpshrdvd", E, Pp::P66, Map::M38, 0x73, Form::Rvm).rmw();
        Vpshrdvq = r("vpshrdvq", E, Pp::P66, Map::M38, 0x73, Form::Rvm).ew().rmw();
        Vpmultishiftqb = r("vpmultishiftqb", E, Pp::P66, Map::M38, 0x83, Form::Rvm).ew();
        // Shuffles.
        Pshufb = r("pshufb", LXE, Pp::P66, Map::M38, 0x00, Form::Rvm);
        Pshufd = r("pshufd", LXE, Pp::P66, Map::M0f, 0x70, Form::Rmi);
        Pshufhw = r("pshufhw", LXE, Pp::F3, Map::M0f, 0x70, Form::Rmi);
        Pshuflw = r("pshuflw", LXE, Pp::F2, Map::M0f, 0x70, Form::Rmi);
        Shufps = r("shufps", LXE, Pp::N, Map::M0f, 0xc6, Form::Rvmi);
        Shufpd = r("shufpd", LXE, Pp::P66, Map::M0f, 0xc6, Form::Rvmi).ew();
        Punpcklbw = r("punpcklbw", LXE, Pp::P66, Map::M0f, 0x60, Form::Rvm);
        Punpcklwd = r("punpcklwd", LXE, Pp::P66, Map::M0f, 0x61, Form::Rvm);
        Punpckldq = r("punpckldq", LXE, Pp::P66, Map::M0f, 0x62, Form::Rvm);
        Punpcklqdq = r("punpcklqdq", LXE, Pp::P66, Map::M0f, 0x6c, Form::Rvm).ew();
        Punpckhbw = r("punpckhbw", LXE, Pp::P66, Map::M0f, 0x68, Form::Rvm);
        Punpckhwd = r("punpckhwd", LXE, Pp::P66, Map::M0f, 0x69, Form::Rvm);
        Punpckhdq = r("punpckhdq", LXE, Pp::P66, Map::M0f, 0x6a, Form::Rvm);
        Punpckhqdq = r("punpckhqdq", LXE, Pp::P66, Map::M0f, 0x6d, Form::Rvm).ew();
        Packsswb = r("packsswb", LXE, Pp::P66, Map::M0f, 0x63, Form::Rvm);
        Packssdw = r("packssdw", LXE, Pp::P66, Map::M0f, 0x6b, Form::Rvm);
        Packuswb = r("packuswb", LXE, Pp::P66, Map::M0f, 0x67, Form::Rvm);
        Packusdw = r("packusdw", LXE, Pp::P66, Map::M38, 0x2b, Form::Rvm);
        Unpcklps = r("unpcklps", LXE, Pp::N, Map::M0f, 0x14, Form::Rvm);
        Unpcklpd = r("unpcklpd", LXE, Pp::P66, Map::M0f, 0x14, Form::Rvm).ew();
        Unpckhps = r("unpckhps", LXE, Pp::N, Map::M0f, 0x15, Form::Rvm);
        Unpckhpd = r("unpckhpd", LXE, Pp::P66, Map::M0f, 0x15, Form::Rvm).ew();
        Palignr = r("palignr", LXE, Pp::P66, Map::M3a, 0x0f, Form::Rvmi);
        Pblendw = r("pblendw", LX, Pp::P66, Map::M3a, 0x0e, Form::Rvmi);
        Blendps = r("blendps", LX, Pp::P66, Map::M3a, 0x0c, Form::Rvmi);
        Blendpd = r("blendpd", LX, Pp::P66, Map::M3a, 0x0d, Form::Rvmi);
        Vpblendd = r("vpblendd", X, Pp::P66, Map::M3a, 0x02, Form::Rvmi);
        Pblendvb = r("pblendvb", LX, Pp::P66, Map::M38, 0x10, Form::Rvmr).vop(0x4c);
        Blendvps = r("blendvps", LX, Pp::P66, Map::M38, 0x14, Form::Rvmr).vop(0x4a);
        Blendvpd = r("blendvpd", LX, Pp::P66, Map::M38, 0x15, Form::Rvmr).vop(0x4b);
        Vpermb = r("vpermb", E, Pp::P66, Map::M38, 0x8d, Form::Rvm);
        Vpermw = r("vpermw", E, Pp::P66, Map::M38, 0x8d, Form::Rvm).ew();
        Vpermi2b = r("vpermi2b", E, Pp::P66, Map::M38, 0x75, Form::Rvm).rmw();
        Vpermi2w = r("vpermi2w", E, Pp::P66, Map::M38, 0x75, Form::Rvm).ew().rmw();
        Vpermi2d = r("vpermi2d", E, Pp::P66, Map::M38, 0x76, Form::Rvm).rmw();
        Vpermi2q = r("vpermi2q", E, Pp::P66, Map::M38, 0x76, Form::Rvm).ew().rmw();
        Vpermt2b = r("vpermt2b", E, Pp::P66, Map::M38, 0x7d, Form::Rvm).rmw();
        Vpermt2w = r("vpermt2w", E, Pp::P66, Map::M38, 0x7d, Form::Rvm).ew().rmw();
        Vpermt2d = r("vpermt2d", E, Pp::P66, Map::M38, 0x7e, Form::Rvm).rmw();
        Vpermt2q = r("vpermt2q", E, Pp::P66, Map::M38, 0x7e, Form::Rvm).ew().rmw();
        Vpermilps = r("vpermilps", XE, Pp::P66, Map::M38, 0x0c, Form::Rvm);
        Vpermilpd = r("vpermilpd", XE, Pp::P66, Map::M38, 0x0d, Form::Rvm).ew();
        Insertps = r("insertps", LXE, Pp::P66, Map::M3a, 0x21, Form::Rvmi).n(4);
        Pinsrb = r("pinsrb", LXE, Pp::P66, Map::M3a, 0x20, Form::RvGpi).n(1);
        Pinsrw = r("pinsrw", LXE, Pp::P66, Map::M0f, 0xc4, Form::RvGpi).n(2);
        Pinsrd = r("pinsrd", LXE, Pp::P66, Map::M3a, 0x22, Form::RvGpi).n(4);
        Pinsrq = r("pinsrq", LXE, Pp::P66, Map::M3a, 0x22, Form::RvGpi).n(8).xw();
        Pextrb = r("pextrb", LXE, Pp::P66, Map::M3a, 0x14, Form::GpMri).n(1);
        Pextrw = r("pextrw", LXE, Pp::P66, Map::M3a, 0x15, Form::GpMri).n(2);
        Pextrd = r("pextrd", LXE, Pp::P66, Map::M3a, 0x16, Form::GpMri).n(4);
        Pextrq = r("pextrq", LXE, Pp::P66, Map::M3a, 0x16, Form::GpMri).n(8).xw();
        Pmovsxbw = r("pmovsxbw", LXE, Pp::P66, Map::M38, 0x20, Form::Rm).n(8);
        Pmovzxbw = r("pmovzxbw", LXE, Pp::P66, Map::M38, 0x30, Form::Rm).n(8);
        Pmovsxbd = r("pmovsxbd", LXE, Pp::P66, Map::M38, 0x21, Form::Rm).n(4);
        Pmovzxbd = r("pmovzxbd", LXE, Pp::P66, Map::M38, 0x31, Form::Rm).n(4);
        Pmovsxbq = r("pmovsxbq", LXE, Pp::P66, Map::M38, 0x22, Form::Rm).n(2);
        Pmovzxbq = r("pmovzxbq", LXE, Pp::P66, Map::M38, 0x32, Form::Rm).n(2);
        Pmovsxwd = r("pmovsxwd", LXE, Pp::P66, Map::M38, 0x23, Form::Rm).n(8);
        Pmovzxwd = r("pmovzxwd", LXE, Pp::P66, Map::M38, 0x33, Form::Rm).n(8);
        Pmovsxwq = r("pmovsxwq", LXE, Pp::P66, Map::M38, 0x24, Form::Rm).n(4);
        Pmovzxwq = r("pmovzxwq", LXE, Pp::P66, Map::M38, 0x34, Form::Rm).n(4);
        Pmovsxdq = r("pmovsxdq", LXE, Pp::P66, Map::M38, 0x25, Form::Rm).n(8);
        Pmovzxdq = r("pmovzxdq", LXE, Pp::P66, Map::M38, 0x35, Form::Rm).n(8);
        Vpmovwb = r("vpmovwb", E, Pp::F3, Map::M38, 0x30, Form::Mr).n(8);
        Vpmovswb = r("vpmovswb", E, Pp::F3, Map::M38, 0x20, Form::Mr).n(8);
        Vpmovuswb = r("vpmovuswb", E, Pp::F3, Map::M38, 0x10, Form::Mr).n(8);
        Vpmovdw = r("vpmovdw", E, Pp::F3, Map::M38, 0x33, Form::Mr).n(8);
        Vpmovsdw = r("vpmovsdw", E, Pp::F3, Map::M38, 0x23, Form::Mr).n(8);
        Vpmovusdw = r("vpmovusdw", E, Pp::F3, Map::M38, 0x13, Form::Mr).n(8);
        Vpmovqd = r("vpmovqd", E, Pp::F3, Map::M38, 0x35, Form::Mr).n(8);
        Vpmovsqd = r("vpmovsqd", E, Pp::F3, Map::M38, 0x25, Form::Mr).n(8);
        Vpmovusqd = r("vpmovusqd", E, Pp::F3, Map::M38, 0x15, Form::Mr).n(8);
        // To general and mask registers.
        Pmovmskb = r("pmovmskb", LX, Pp::P66, Map::M0f, 0xd7, Form::GpRm).regonly();
        Movmskps = r("movmskps", LX, Pp::N, Map::M0f, 0x50, Form::GpRm).regonly();
        Movmskpd = r("movmskpd", LX, Pp::P66, Map::M0f, 0x50, Form::GpRm).regonly();
        Ptest = r("ptest", LX, Pp::P66, Map::M38, 0x17, Form::Rm);
        Vpcmpb = r("vpcmpb", E, Pp::P66, Map::M3a, 0x3f, Form::Kvmi);
        Vpcmpub = r("vpcmpub", E, Pp::P66, Map::M3a, 0x3e, Form::Kvmi);
        Vpcmpw = r("vpcmpw", E, Pp::P66, Map::M3a, 0x3f, Form::Kvmi).ew();
        Vpcmpuw = r("vpcmpuw", E, Pp::P66, Map::M3a, 0x3e, Form::Kvmi).ew();
        Vpcmpd = r("vpcmpd", E, Pp::P66, Map::M3a, 0x1f, Form::Kvmi);
        Vpcmpud = r("vpcmpud", E, Pp::P66, Map::M3a, 0x1e, Form::Kvmi);
        Vpcmpq = r("vpcmpq", E, Pp::P66, Map::M3a, 0x1f, Form::Kvmi).ew();
        Vpcmpuq = r("vpcmpuq", E, Pp::P66, Map::M3a, 0x1e, Form::Kvmi).ew();
        VcmppsK = r("vcmpps", E, Pp::N, Map::M0f, 0xc2, Form::Kvmi).en("vcmpps");
        VcmppdK = r("vcmppd", E, Pp::P66, Map::M0f, 0xc2, Form::Kvmi).ew().en("vcmppd");
        VcmpssK = r("vcmpss", E, Pp::F3, Map::M0f, 0xc2, Form::Kvmi).n(4).en("vcmpss");
        VcmpsdK = r("vcmpsd", E, Pp::F2, Map::M0f, 0xc2, Form::Kvmi).n(8).ew().en("vcmpsd");
        Vptestmb = r("vptestmb", E, Pp::P66, Map::M38, 0x26, Form::Kvm);
        Vptestnmb = r("vptestnmb", E, Pp::F3, Map::M38, 0x26, Form::Kvm);
        Vptestmw = r("vptestmw", E, Pp::P66, Map::M38, 0x26, Form::Kvm).ew();
        Vptestnmw = r("vptestnmw", E, Pp::F3, Map::M38, 0x26, Form::Kvm).ew();
        Vptestmd = r("vptestmd", E, Pp::P66, Map::M38, 0x27, Form::Kvm);
        Vptestnmd = r("vptestnmd", E, Pp::F3, Map::M38, 0x27, Form::Kvm);
        Vptestmq = r("vptestmq", E, Pp::P66, Map::M38, 0x27, Form::Kvm).ew();
        Vptestnmq = r("vptestnmq", E, Pp::F3, Map::M38, 0x27, Form::Kvm).ew();
        Vfpclassps = r("vfpclassps", E, Pp::P66, Map::M3a, 0x66, Form::Krmi);
        Vfpclasspd = r("vfpclasspd", E, Pp::P66, Map::M3a, 0x66, Form::Krmi).ew();
        Vfpclassss = r("vfpclassss", E, Pp::P66, Map::M3a, 0x67, Form::Krmi).n(4);
        Vfpclasssd = r("vfpclasssd", E, Pp::P66, Map::M3a, 0x67, Form::Krmi).n(8).ew();
        Vpmovm2b = r("vpmovm2b", E, Pp::F3, Map::M38, 0x28, Form::XmK).regonly();
        Vpmovm2w = r("vpmovm2w", E, Pp::F3, Map::M38, 0x28, Form::XmK).ew().regonly();
        Vpmovm2d = r("vpmovm2d", E, Pp::F3, Map::M38, 0x38, Form::XmK).regonly();
        Vpmovm2q = r("vpmovm2q", E, Pp::F3, Map::M38, 0x38, Form::XmK).ew().regonly();
        Vpmovb2m = r("vpmovb2m", E, Pp::F3, Map::M38, 0x29, Form::KRm).regonly();
        Vpmovw2m = r("vpmovw2m", E, Pp::F3, Map::M38, 0x29, Form::KRm).ew().regonly();
        Vpmovd2m = r("vpmovd2m", E, Pp::F3, Map::M38, 0x39, Form::KRm).regonly();
        Vpmovq2m = r("vpmovq2m", E, Pp::F3, Map::M38, 0x39, Form::KRm).ew().regonly();
        Vpblendmb = r("vpblendmb", E, Pp::P66, Map::M38, 0x66, Form::Rvm);
        Vpblendmw = r("vpblendmw", E, Pp::P66, Map::M38, 0x66, Form::Rvm).ew();
        Vpblendmd = r("vpblendmd", E, Pp::P66, Map::M38, 0x64, Form::Rvm);
        Vpblendmq = r("vpblendmq", E, Pp::P66, Map::M38, 0x64, Form::Rvm).ew();
        // Floating point.
        Addps = r("addps", LXE, Pp::N, Map::M0f, 0x58, Form::Rvm);
        Addpd = r("addpd", LXE, Pp::P66, Map::M0f, 0x58, Form::Rvm).ew();
        Addss = r("addss", LXE, Pp::F3, Map::M0f, 0x58, Form::Rvm).n(4);
        Addsd = r("addsd", LXE, Pp::F2, Map::M0f, 0x58, Form::Rvm).n(8).ew();
        Mulps = r("mulps", LXE, Pp::N, Map::M0f, 0x59, Form::Rvm);
        Mulpd = r("mulpd", LXE, Pp::P66, Map::M0f, 0x59, Form::Rvm).ew();
        Mulss = r("mulss", LXE, Pp::F3, Map::M0f, 0x59, Form::Rvm).n(4);
        Mulsd = r("mulsd", LXE, Pp::F2, Map::M0f, 0x59, Form::Rvm).n(8).ew();
        Subps = r("subps", LXE, Pp::N, Map::M0f, 0x5c, Form::Rvm);
        Subpd = r("subpd", LXE, Pp::P66, Map::M0f, 0x5c, Form::Rvm).ew();
        Subss = r("subss", LXE, Pp::F3, Map::M0f, 0x5c, Form::Rvm).n(4);
        Subsd = r("subsd", LXE, Pp::F2, Map::M0f, 0x5c, Form::Rvm).n(8).ew();
        Minps = r("minps", LXE, Pp::N, Map::M0f, 0x5d, Form::Rvm);
        Minpd = r("minpd", LXE, Pp::P66, Map::M0f, 0x5d, Form::Rvm).ew();
        Minss = r("minss", LXE, Pp::F3, Map::M0f, 0x5d, Form::Rvm).n(4);
        Minsd = r("minsd", LXE, Pp::F2, Map::M0f, 0x5d, Form::Rvm).n(8).ew();
        Divps = r("divps", LXE, Pp::N, Map::M0f, 0x5e, Form::Rvm);
        Divpd = r("divpd", LXE, Pp::P66, Map::M0f, 0x5e, Form::Rvm).ew();
        Divss = r("divss", LXE, Pp::F3, Map::M0f, 0x5e, Form::Rvm).n(4);
        Divsd = r("divsd", LXE, Pp::F2, Map::M0f, 0x5e, Form::Rvm).n(8).ew();
        Maxps = r("maxps", LXE, Pp::N, Map::M0f, 0x5f, Form::Rvm);
        Maxpd = r("maxpd", LXE, Pp::P66, Map::M0f, 0x5f, Form::Rvm).ew();
        Maxss = r("maxss", LXE, Pp::F3, Map::M0f, 0x5f, Form::Rvm).n(4);
        Maxsd = r("maxsd", LXE, Pp::F2, Map::M0f, 0x5f, Form::Rvm).n(8).ew();
        Sqrtps = r("sqrtps", LXE, Pp::N, Map::M0f, 0x51, Form::Rm);
        Sqrtpd = r("sqrtpd", LXE, Pp::P66, Map::M0f, 0x51, Form::Rm).ew();
        Sqrtss = r("sqrtss", LXE, Pp::F3, Map::M0f, 0x51, Form::Rvm).n(4);
        Sqrtsd = r("sqrtsd", LXE, Pp::F2, Map::M0f, 0x51, Form::Rvm).n(8).ew();
        Cmpps = r("cmpps", LX, Pp::N, Map::M0f, 0xc2, Form::Rvmi);
        Cmppd = r("cmppd", LX, Pp::P66, Map::M0f, 0xc2, Form::Rvmi);
        Cmpss = r("cmpss", LX, Pp::F3, Map::M0f, 0xc2, Form::Rvmi).n(4);
        Cmpsd = r("cmpsd", LX, Pp::F2, Map::M0f, 0xc2, Form::Rvmi).n(8);
        Ucomiss = r("ucomiss", LXE, Pp::N, Map::M0f, 0x2e, Form::Rm).n(4);
        Ucomisd = r("ucomisd", LXE, Pp::P66, Map::M0f, 0x2e, Form::Rm).n(8).ew();
        Comiss = r("comiss", LXE, Pp::N, Map::M0f, 0x2f, Form::Rm).n(4);
        Comisd = r("comisd", LXE, Pp::P66, Map::M0f, 0x2f, Form::Rm).n(8).ew();
        Cvtss2sd = r("cvtss2sd", LXE, Pp::F3, Map::M0f, 0x5a, Form::Rvm).n(4);
        Cvtsd2ss = r("cvtsd2ss", LXE, Pp::F2, Map::M0f, 0x5a, Form::Rvm).n(8).ew();
        Cvtps2pd = r("cvtps2pd", LXE, Pp::N, Map::M0f, 0x5a, Form::Rm).n(8);
        Cvtpd2ps = r("cvtpd2ps", LXE, Pp::P66, Map::M0f, 0x5a, Form::Rm).ew();
        Cvtdq2ps = r("cvtdq2ps", LXE, Pp::N, Map::M0f, 0x5b, Form::Rm);
        Cvtps2dq = r("cvtps2dq", LXE, Pp::P66, Map::M0f, 0x5b, Form::Rm);
        Cvttps2dq = r("cvttps2dq", LXE, Pp::F3, Map::M0f, 0x5b, Form::Rm);
        Cvtdq2pd = r("cvtdq2pd", LXE, Pp::F3, Map::M0f, 0xe6, Form::Rm).n(8);
        Cvtpd2dq = r("cvtpd2dq", LXE, Pp::F2, Map::M0f, 0xe6, Form::Rm).ew();
        Cvttpd2dq = r("cvttpd2dq", LXE, Pp::P66, Map::M0f, 0xe6, Form::Rm).ew();
        Cvtsi2ss = r("cvtsi2ss", LXE, Pp::F3, Map::M0f, 0x2a, Form::RvGp).n(4);
        Cvttss2si = r("cvttss2si", LXE, Pp::F3, Map::M0f, 0x2c, Form::GpRm).n(4);
        Cvtss2si = r("cvtss2si", LXE, Pp::F3, Map::M0f, 0x2d, Form::GpRm).n(4);
        Vcvtusi2ss = r("vcvtusi2ss", E, Pp::F3, Map::M0f, 0x7b, Form::RvGp).n(4);
        Vcvttss2usi = r("vcvttss2usi", E, Pp::F3, Map::M0f, 0x78, Form::GpRm).n(4);
        Vcvtss2usi = r("vcvtss2usi", E, Pp::F3, Map::M0f, 0x79, Form::GpRm).n(4);
        Cvtsi2ssQ = r("cvtsi2ss", LXE, Pp::F3, Map::M0f, 0x2a, Form::RvGp).n(8).xw().gpq();
        Cvttss2siQ = r("cvttss2si", LXE, Pp::F3, Map::M0f, 0x2c, Form::GpRm).n(4).xw().gpq();
        Cvtss2siQ = r("cvtss2si", LXE, Pp::F3, Map::M0f, 0x2d, Form::GpRm).n(4).xw().gpq();
        Vcvtusi2ssQ = r("vcvtusi2ss", E, Pp::F3, Map::M0f, 0x7b, Form::RvGp).n(8).xw().gpq();
        Vcvttss2usiQ = r("vcvttss2usi", E, Pp::F3, Map::M0f, 0x78, Form::GpRm).n(4).xw().gpq();
        Vcvtss2usiQ = r("vcvtss2usi", E, Pp::F3, Map::M0f, 0x79, Form::GpRm).n(4).xw().gpq();
        Cvtsi2sd = r("cvtsi2sd", LXE, Pp::F2, Map::M0f, 0x2a, Form::RvGp).n(4);
        Cvttsd2si = r("cvttsd2si", LXE, Pp::F2, Map::M0f, 0x2c, Form::GpRm).n(8);
        Cvtsd2si = r("cvtsd2si", LXE, Pp::F2, Map::M0f, 0x2d, Form::GpRm).n(8);
        Vcvtusi2sd = r("vcvtusi2sd", E, Pp::F2, Map::M0f, 0x7b, Form::RvGp).n(4);
        Vcvttsd2usi = r("vcvttsd2usi", E, Pp::F2, Map::M0f, 0x78, Form::GpRm).n(8);
        Vcvtsd2usi = r("vcvtsd2usi", E, Pp::F2, Map::M0f, 0x79, Form::GpRm).n(8);
        Cvtsi2sdQ = r("cvtsi2sd", LXE, Pp::F2, Map::M0f, 0x2a, Form::RvGp).n(8).xw().gpq();
        Cvttsd2siQ = r("cvttsd2si", LXE, Pp::F2, Map::M0f, 0x2c, Form::GpRm).n(8).xw().gpq();
        Cvtsd2siQ = r("cvtsd2si", LXE, Pp::F2, Map::M0f, 0x2d, Form::GpRm).n(8).xw().gpq();
        Vcvtusi2sdQ = r("vcvtusi2sd", E, Pp::F2, Map::M0f, 0x7b, Form::RvGp).n(8).xw().gpq();
        Vcvttsd2usiQ = r("vcvttsd2usi", E, Pp::F2, Map::M0f, 0x78, Form::GpRm).n(8).xw().gpq();
        Vcvtsd2usiQ = r("vcvtsd2usi", E, Pp::F2, Map::M0f, 0x79, Form::GpRm).n(8).xw().gpq();
        Vcvtqq2pd = r("vcvtqq2pd", E, Pp::F3, Map::M0f, 0xe6, Form::Rm).ew();
        Vcvtuqq2pd = r("vcvtuqq2pd", E, Pp::F3, Map::M0f, 0x7a, Form::Rm).ew();
        Vcvttpd2qq = r("vcvttpd2qq", E, Pp::P66, Map::M0f, 0x7a, Form::Rm).ew();
        Vcvttpd2uqq = r("vcvttpd2uqq", E, Pp::P66, Map::M0f, 0x78, Form::Rm).ew();
        Vcvtpd2qq = r("vcvtpd2qq", E, Pp::P66, Map::M0f, 0x7b, Form::Rm).ew();
        Vcvtpd2uqq = r("vcvtpd2uqq", E, Pp::P66, Map::M0f, 0x79, Form::Rm).ew();
        Vcvttps2udq = r("vcvttps2udq", E, Pp::N, Map::M0f, 0x78, Form::Rm);
        Vcvtps2udq = r("vcvtps2udq", E, Pp::N, Map::M0f, 0x79, Form::Rm);
        Vcvtudq2ps = r("vcvtudq2ps", E, Pp::F2, Map::M0f, 0x7a, Form::Rm);
        Vcvtqq2ps = r("vcvtqq2ps", E, Pp::N, Map::M0f, 0x5b, Form::Rm).ew();
        Vcvtuqq2ps = r("vcvtuqq2ps", E, Pp::F2, Map::M0f, 0x7a, Form::Rm).ew();
        Roundps = r("roundps", LXE, Pp::P66, Map::M3a, 0x08, Form::Rmi).en("vrndscaleps");
        Roundpd = r("roundpd", LXE, Pp::P66, Map::M3a, 0x09, Form::Rmi).ew().en("vrndscalepd");
        Roundss = r("roundss", LXE, Pp::P66, Map::M3a, 0x0a, Form::Rvmi).n(4).en("vrndscaless");
        Roundsd = r("roundsd", LXE, Pp::P66, Map::M3a, 0x0b, Form::Rvmi).n(8).ew().en("vrndscalesd");
        Haddps = r("haddps", LX, Pp::F2, Map::M0f, 0x7c, Form::Rvm);
        Hsubps = r("hsubps", LX, Pp::F2, Map::M0f, 0x7d, Form::Rvm);
        Hsubpd = r("hsubpd", LX, Pp::P66, Map::M0f, 0x7d, Form::Rvm);
        Addsubps = r("addsubps", LX, Pp::F2, Map::M0f, 0xd0, Form::Rvm);
        Addsubpd = r("addsubpd", LX, Pp::P66, Map::M0f, 0xd0, Form::Rvm);
        Vrcp14ps = r("vrcp14ps", E, Pp::P66, Map::M38, 0x4c, Form::Rm);
        Vrcp14pd = r("vrcp14pd", E, Pp::P66, Map::M38, 0x4c, Form::Rm).ew();
        Vrsqrt14ps = r("vrsqrt14ps", E, Pp::P66, Map::M38, 0x4e, Form::Rm);
        Vrsqrt14pd = r("vrsqrt14pd", E, Pp::P66, Map::M38, 0x4e, Form::Rm).ew();
        Rcpps = r("rcpps", LX, Pp::N, Map::M0f, 0x53, Form::Rm);
        Rsqrtps = r("rsqrtps", LX, Pp::N, Map::M0f, 0x52, Form::Rm);
        Haddpd = r("haddpd", LX, Pp::P66, Map::M0f, 0x7c, Form::Rvm);
        Vcvtph2ps = r("vcvtph2ps", XE, Pp::P66, Map::M38, 0x13, Form::Rm).n(8);
        Vcvtps2ph = r("vcvtps2ph", XE, Pp::P66, Map::M3a, 0x1d, Form::Mri).n(8);
        Vfixupimmps = r("vfixupimmps", E, Pp::P66, Map::M3a, 0x54, Form::Rvmi).rmw();
        Vfixupimmpd = r("vfixupimmpd", E, Pp::P66, Map::M3a, 0x54, Form::Rvmi).ew().rmw();
        Vfixupimmss = r("vfixupimmss", E, Pp::P66, Map::M3a, 0x55, Form::Rvmi).n(4).rmw();
        Vfixupimmsd = r("vfixupimmsd", E, Pp::P66, Map::M3a, 0x55, Form::Rvmi).n(8).ew().rmw();
        Vrangeps = r("vrangeps", E, Pp::P66, Map::M3a, 0x50, Form::Rvmi);
        Vrangepd = r("vrangepd", E, Pp::P66, Map::M3a, 0x50, Form::Rvmi).ew();
        Vrangess = r("vrangess", E, Pp::P66, Map::M3a, 0x51, Form::Rvmi).n(4);
        Vrangesd = r("vrangesd", E, Pp::P66, Map::M3a, 0x51, Form::Rvmi).n(8).ew();
        Vfmadd132ps = r("vfmadd132ps", XE, Pp::P66, Map::M38, 0x98, Form::Rvm).rmw();
        Vfmadd132pd = r("vfmadd132pd", XE, Pp::P66, Map::M38, 0x98, Form::Rvm).xw().rmw();
        Vfmadd132ss = r("vfmadd132ss", XE, Pp::P66, Map::M38, 0x99, Form::Rvm).n(4).rmw();
        Vfmadd132sd = r("vfmadd132sd", XE, Pp::P66, Map::M38, 0x99, Form::Rvm).n(8).xw().rmw();
        Vfmsub132ps = r("vfmsub132ps", XE, Pp::P66, Map::M38, 0x9a, Form::Rvm).rmw();
        Vfmsub132pd = r("vfmsub132pd", XE, Pp::P66, Map::M38, 0x9a, Form::Rvm).xw().rmw();
        Vfmsub132ss = r("vfmsub132ss", XE, Pp::P66, Map::M38, 0x9b, Form::Rvm).n(4).rmw();
        Vfmsub132sd = r("vfmsub132sd", XE, Pp::P66, Map::M38, 0x9b, Form::Rvm).n(8).xw().rmw();
        Vfnmadd132ps = r("vfnmadd132ps", XE, Pp::P66, Map::M38, 0x9c, Form::Rvm).rmw();
        Vfnmadd132pd = r("vfnmadd132pd", XE, Pp::P66, Map::M38, 0x9c, Form::Rvm).xw().rmw();
        Vfnmadd132ss = r("vfnmadd132ss", XE, Pp::P66, Map::M38, 0x9d, Form::Rvm).n(4).rmw();
        Vfnmadd132sd = r("vfnmadd132sd", XE, Pp::P66, Map::M38, 0x9d, Form::Rvm).n(8).xw().rmw();
        Vfnmsub132ps = r("vfnmsub132ps", XE, Pp::P66, Map::M38, 0x9e, Form::Rvm).rmw();
        Vfnmsub132pd = r("vfnmsub132pd", XE, Pp::P66, Map::M38, 0x9e, Form::Rvm).xw().rmw();
        Vfnmsub132ss = r("vfnmsub132ss", XE, Pp::P66, Map::M38, 0x9f, Form::Rvm).n(4).rmw();
        Vfnmsub132sd = r("vfnmsub132sd", XE, Pp::P66, Map::M38, 0x9f, Form::Rvm).n(8).xw().rmw();
        Vfmadd213ps = r("vfmadd213ps", XE, Pp::P66, Map::M38, 0xa8, Form::Rvm).rmw();
        Vfmadd213pd = r("vfmadd213pd", XE, Pp::P66, Map::M38, 0xa8, Form::Rvm).xw().rmw();
        Vfmadd213ss = r("vfmadd213ss", XE, Pp::P66, Map::M38, 0xa9, Form::Rvm).n(4).rmw();
        Vfmadd213sd = r("vfmadd213sd", XE, Pp::P66, Map::M38, 0xa9, Form::Rvm).n(8).xw().rmw();
        Vfmsub213ps = r("vfmsub213ps", XE, Pp::P66, Map::M38, 0xaa, Form::Rvm).rmw();
        Vfmsub213pd = r("vfmsub213pd", XE, Pp::P66, Map::M38, 0xaa, Form::Rvm).xw().rmw();
        Vfmsub213ss = r("vfmsub213ss", XE, Pp::P66, Map::M38, 0xab, Form::Rvm).n(4).rmw();
        Vfmsub213sd = r("vfmsub213sd", XE, Pp::P66, Map::M38, 0xab, Form::Rvm).n(8).xw().rmw();
        Vfnmadd213ps = r("vfnmadd213ps", XE, Pp::P66, Map::M38, 0xac, Form::Rvm).rmw();
        Vfnmadd213pd = r("vfnmadd213pd", XE, Pp::P66, Map::M38, 0xac, Form::Rvm).xw().rmw();
        Vfnmadd213ss = r("vfnmadd213ss", XE, Pp::P66, Map::M38, 0xad, Form::Rvm).n(4).rmw();
        Vfnmadd213sd = r("vfnmadd213sd", XE, Pp::P66, Map::M38, 0xad, Form::Rvm).n(8).xw().rmw();
        Vfnmsub213ps = r("vfnmsub213ps", XE, Pp::P66, Map::M38, 0xae, Form::Rvm).rmw();
        Vfnmsub213pd = r("vfnmsub213pd", XE, Pp::P66, Map::M38, 0xae, Form::Rvm).xw().rmw();
        Vfnmsub213ss = r("vfnmsub213ss", XE, Pp::P66, Map::M38, 0xaf, Form::Rvm).n(4).rmw();
        Vfnmsub213sd = r("vfnmsub213sd", XE, Pp::P66, Map::M38, 0xaf, Form::Rvm).n(8).xw().rmw();
        Vfmadd231ps = r("vfmadd231ps", XE, Pp::P66, Map::M38, 0xb8, Form::Rvm).rmw();
        Vfmadd231pd = r("vfmadd231pd", XE, Pp::P66, Map::M38, 0xb8, Form::Rvm).xw().rmw();
        Vfmadd231ss = r("vfmadd231ss", XE, Pp::P66, Map::M38, 0xb9, Form::Rvm).n(4).rmw();
        Vfmadd231sd = r("vfmadd231sd", XE, Pp::P66, Map::M38, 0xb9, Form::Rvm).n(8).xw().rmw();
        Vfmsub231ps = r("vfmsub231ps", XE, Pp::P66, Map::M38, 0xba, Form::Rvm).rmw();
        Vfmsub231pd = r("vfmsub231pd", XE, Pp::P66, Map::M38, 0xba, Form::Rvm).xw().rmw();
        Vfmsub231ss = r("vfmsub231ss", XE, Pp::P66, Map::M38, 0xbb, Form::Rvm).n(4).rmw();
        Vfmsub231sd = r("vfmsub231sd", XE, Pp::P66, Map::M38, 0xbb, Form::Rvm).n(8).xw().rmw();
        Vfnmadd231ps = r("vfnmadd231ps", XE, Pp::P66, Map::M38, 0xbc, Form::Rvm).rmw();
        Vfnmadd231pd = r("vfnmadd231pd", XE, Pp::P66, Map::M38, 0xbc, Form::Rvm).xw().rmw();
        Vfnmadd231ss = r("vfnmadd231ss", XE, Pp::P66, Map::M38, 0xbd, Form::Rvm).n(4).rmw();
        Vfnmadd231sd = r("vfnmadd231sd", XE, Pp::P66, Map::M38, 0xbd, Form::Rvm).n(8).xw().rmw();
        Vfnmsub231ps = r("vfnmsub231ps", XE, Pp::P66, Map::M38, 0xbe, Form::Rvm).rmw();
        Vfnmsub231pd = r("vfnmsub231pd", XE, Pp::P66, Map::M38, 0xbe, Form::Rvm).xw().rmw();
        Vfnmsub231ss = r("vfnmsub231ss", XE, Pp::P66, Map::M38, 0xbf, Form::Rvm).n(4).rmw();
        Vfnmsub231sd = r("vfnmsub231sd", XE, Pp::P66, Map::M38, 0xbf, Form::Rvm).n(8).xw().rmw();
        Vpdpbusd = r("vpdpbusd", E, Pp::P66, Map::M38, 0x50, Form::Rvm).rmw();
        Vpdpwssd = r("vpdpwssd", E, Pp::P66, Map::M38, 0x52, Form::Rvm).rmw();
        Vdpbf16ps = r("vdpbf16ps", E, Pp::F3, Map::M38, 0x52, Form::Rvm).rmw();
        Vcvtneps2bf16 = r("vcvtneps2bf16", E, Pp::F3, Map::M38, 0x72, Form::Rm);
        // Crypto and bit counting.
        Aesenc = r("aesenc", LXE, Pp::P66, Map::M38, 0xdc, Form::Rvm);
        Aesenclast = r("aesenclast", LXE, Pp::P66, Map::M38, 0xdd, Form::Rvm);
        Aesdec = r("aesdec", LXE, Pp::P66, Map::M38, 0xde, Form::Rvm);
        Aesdeclast = r("aesdeclast", LXE, Pp::P66, Map::M38, 0xdf, Form::Rvm);
        Aesimc = r("aesimc", LX, Pp::P66, Map::M38, 0xdb, Form::Rm);
        Aeskeygenassist = r("aeskeygenassist", LX, Pp::P66, Map::M3a, 0xdf, Form::Rmi);
        Pclmulqdq = r("pclmulqdq", LXE, Pp::P66, Map::M3a, 0x44, Form::Rvmi);
        Sha1nexte = r("sha1nexte", L, Pp::N, Map::M38, 0xc8, Form::Rvm);
        Sha1msg1 = r("sha1msg1", L, Pp::N, Map::M38, 0xc9, Form::Rvm);
        Sha1msg2 = r("sha1msg2", L, Pp::N, Map::M38, 0xca, Form::Rvm);
        Sha1rnds4 = r("sha1rnds4", L, Pp::N, Map::M3a, 0xcc, Form::Rvmi);
        Sha256rnds2 = r("sha256rnds2", L, Pp::N, Map::M38, 0xcb, Form::Rvm);
        Sha256msg1 = r("sha256msg1", L, Pp::N, Map::M38, 0xcc, Form::Rvm);
        Sha256msg2 = r("sha256msg2", L, Pp::N, Map::M38, 0xcd, Form::Rvm);
        Gf2p8mulb = r("gf2p8mulb", LXE, Pp::P66, Map::M38, 0xcf, Form::Rvm);
        Gf2p8affineqb = r("gf2p8affineqb", LXE, Pp::P66, Map::M3a, 0xce, Form::Rvmi).xw();
        Gf2p8affineinvqb = r("gf2p8affineinvqb", LXE, Pp::P66, Map::M3a, 0xcf, Form::Rvmi).xw();
        Vpopcntb = r("vpopcntb", E, Pp::P66, Map::M38, 0x54, Form::Rm);
        Vpopcntw = r("vpopcntw", E, Pp::P66, Map::M38, 0x54, Form::Rm).ew();
        Vpopcntd = r("vpopcntd", E, Pp::P66, Map::M38, 0x55, Form::Rm);
        Vpopcntq = r("vpopcntq", E, Pp::P66, Map::M38, 0x55, Form::Rm).ew();
        Vplzcntd = r("vplzcntd", E, Pp::P66, Map::M38, 0x44, Form::Rm);
        Vplzcntq = r("vplzcntq", E, Pp::P66, Map::M38, 0x44, Form::Rm).ew();
    }
}
