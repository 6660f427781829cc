//! Vector encoders: one entry per operand shape, each choosing legacy SSE, VEX or EVEX from the host's features, the
//! row and the registers. Input: a [`V`] row and operands; output: bytes. Legacy forms with a memory operand of 16
//! bytes need that memory aligned; callers load guest memory with `movups` first.

use super::vtable::{E, Form, L, V, VRow, X};
use super::{Asm, Gp, Map, Mem, Pp, Rm, Xmm};

/// A mask register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct K(pub u8);

/// What the host can do, in steps that distributions know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Level {
    /// x86-64-v2: SSE4.2, POPCNT, CMPXCHG16B.
    #[default]
    Sse,
    /// x86-64-v3: AVX2, FMA, BMI1/2, F16C, MOVBE, LZCNT.
    Avx2,
    /// x86-64-v4: AVX-512 F, VL, BW, DQ, CD.
    Avx512,
}

/// Host features the back end chooses code by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Features {
    /// Base level.
    pub level: Level,
    /// AES-NI.
    pub aes: bool,
    /// PCLMULQDQ.
    pub pclmul: bool,
    /// VAES and VPCLMULQDQ: the EVEX forms of the two.
    pub vaes: bool,
    /// SHA extensions.
    pub sha: bool,
    /// GF2P8 instructions.
    pub gfni: bool,
    /// AVX512_VBMI.
    pub vbmi: bool,
    /// AVX512_VBMI2.
    pub vbmi2: bool,
    /// AVX512_BITALG.
    pub bitalg: bool,
    /// AVX512_VPOPCNTDQ.
    pub vpopcntdq: bool,
    /// AVX512_VNNI.
    pub vnni: bool,
    /// AVX512_BF16.
    pub bf16: bool,
    /// RDRAND.
    pub rdrand: bool,
}

impl Features {
    /// What this machine has.
    pub fn detect() -> Features {
        macro_rules! has {
            ($($f:tt),*) => { $(std::arch::is_x86_feature_detected!($f))&&* };
        }
        let v3 = has!("avx2", "fma", "bmi1", "bmi2", "f16c", "movbe", "lzcnt");
        let v4 = v3 && has!("avx512f", "avx512vl", "avx512bw", "avx512dq", "avx512cd");
        Features {
            level: match (v4, v3) {
                (true, _) => Level::Avx512,
                (false, true) => Level::Avx2,
                (false, false) => Level::Sse,
            },
            aes: has!("aes"),
            pclmul: has!("pclmulqdq"),
            vaes: has!("vaes", "vpclmulqdq"),
            sha: has!("sha"),
            gfni: has!("gfni"),
            vbmi: has!("avx512vbmi"),
            vbmi2: has!("avx512vbmi2"),
            bitalg: has!("avx512bitalg"),
            vpopcntdq: has!("avx512vpopcntdq"),
            vnni: has!("avx512vnni"),
            bf16: has!("avx512bf16"),
            rdrand: has!("rdrand"),
        }
    }
    /// This machine limited to `level` (for tests of the other code paths).
    pub fn detect_at_most(level: Level) -> Features {
        let f = Features::detect();
        if f.level <= level {
            return f;
        }
        let f = Features { level, ..f };
        match level {
            Level::Avx512 => f,
            Level::Avx2 => Features {
                vbmi: false,
                vbmi2: false,
                bitalg: false,
                vpopcntdq: false,
                vnni: false,
                bf16: false,
                ..f
            },
            Level::Sse => Features { aes: f.aes, pclmul: f.pclmul, sha: f.sha, ..Features::default() },
        }
    }
    /// Whether VEX encodings are used.
    pub fn vex(&self) -> bool {
        self.level >= Level::Avx2
    }
    /// Whether EVEX encodings may be used.
    pub fn evex(&self) -> bool {
        self.level >= Level::Avx512
    }
}

/// Vector length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vl {
    /// 128 bits
    X,
    /// 256 bits
    Y,
    /// 512 bits
    Z,
}

/// A vector register or memory operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Xm {
    /// Register.
    R(Xmm),
    /// Memory.
    M(Mem),
}
impl From<Xmm> for Xm {
    fn from(r: Xmm) -> Xm {
        Xm::R(r)
    }
}
impl From<Mem> for Xm {
    fn from(m: Mem) -> Xm {
        Xm::M(m)
    }
}

/// Raw fields of one vector instruction.
struct Enc {
    reg: u8,
    vvvv: u8,
    rm: Raw,
    /// Immediate and whether there is one.
    imm: Option<u8>,
    l: Vl,
    mask: u8,
    zero: bool,
}
#[derive(Clone, Copy)]
enum Raw {
    R(u8),
    M(Mem),
}
impl From<Xm> for Raw {
    fn from(x: Xm) -> Raw {
        match x {
            Xm::R(r) => Raw::R(r.0),
            Xm::M(m) => Raw::M(m),
        }
    }
}
impl From<Rm> for Raw {
    fn from(x: Rm) -> Raw {
        match x {
            Rm::R(r) => Raw::R(r.0),
            Rm::M(m) => Raw::M(m),
        }
    }
}

impl Asm {
    /// Emits by the best of VEX and EVEX that can hold the registers.
    fn v_enc(&mut self, r: &VRow, e: Enc) {
        let vec_rm =
            !matches!(r.form, Form::RvGp | Form::RvGpi | Form::GpMr | Form::GpMri | Form::XmGp | Form::XmK);
        let hi = e.reg >= 16 || e.vvvv >= 16 || matches!(e.rm, Raw::R(n) if vec_rm && n >= 16);
        let plain = !hi && e.mask == 0 && e.l != Vl::Z;
        if r.enc & X != 0 && plain {
            self.v_vex(r, e);
        } else {
            debug_assert!(r.enc & E != 0 && self.feat.evex(), "{} cannot take these registers", r.name);
            self.v_evex(r, e);
        }
    }

    fn v_vex(&mut self, r: &VRow, e: Enc) {
        let op = if r.vex_op != 0 { r.vex_op } else { r.op };
        // pblendvb and its kin moved to map 0F3A in VEX, their selector being an immediate.
        let map = if r.vex_op != 0 { Map::M3a } else { r.map };
        let imm = e.imm.is_some() as u32;
        match e.rm {
            Raw::R(n) => {
                self.vex_prefix(r.pp, map, r.w_all, e.l as u8, op, (e.reg >> 3, 0, n >> 3), e.vvvv);
                self.modrm_reg(e.reg, n);
            }
            Raw::M(m) => {
                self.seg_prefix(&m);
                let (x, b) = m.rex_xb();
                self.vex_prefix(r.pp, map, r.w_all, e.l as u8, op, (e.reg >> 3, x, b), e.vvvv);
                self.modrm_mem(e.reg, &m, imm, 1);
            }
        }
        if let Some(i) = e.imm {
            self.u8(i);
        }
    }

    fn v_evex(&mut self, r: &VRow, e: Enc) {
        let (x, b) = match e.rm {
            Raw::R(n) => (n >> 4 & 1, n >> 3 & 1),
            Raw::M(m) => {
                self.seg_prefix(&m);
                m.rex_xb()
            }
        };
        let not = |v: u8| v & 1 ^ 1;
        let w = r.w_all || r.w_evex;
        self.u8(0x62);
        self.u8(not(e.reg >> 3) << 7 | not(x) << 6 | not(b) << 5 | not(e.reg >> 4) << 4 | r.map as u8);
        self.u8((w as u8) << 7 | (!e.vvvv & 15) << 3 | 4 | r.pp as u8);
        self.u8((e.zero as u8) << 7 | (e.l as u8) << 5 | not(e.vvvv >> 4) << 3 | e.mask);
        self.u8(r.op);
        let n = if r.fixed { r.bytes as i32 } else { (r.bytes as i32) << e.l as u8 };
        match e.rm {
            Raw::R(n) => self.modrm_reg(e.reg, n),
            Raw::M(m) => self.modrm_mem(e.reg, &m, e.imm.is_some() as u32, n),
        }
        if let Some(i) = e.imm {
            self.u8(i);
        }
    }

    /// A legacy form; `reg` may be a general register or /digit.
    fn v_sse(&mut self, r: &VRow, reg: u8, rm: Raw, imm: Option<u8>) {
        debug_assert!(r.enc & L != 0, "{} has no SSE form", r.name);
        let rm = match rm {
            Raw::R(n) => Rm::R(Gp(n)),
            Raw::M(m) => Rm::M(m),
        };
        self.legacy(false, r.pp, r.w_all, r.map, r.op, reg, &rm, (false, false), imm.is_some() as u32);
        if let Some(i) = imm {
            self.u8(i);
        }
    }

    fn use_vex(&self, r: &VRow) -> bool {
        self.feat.vex() && r.enc & (X | E) != 0
    }

    /// Whether `op` exists on this host at all (with low registers).
    pub fn has_v(&self, op: V) -> bool {
        let enc = op.row().enc;
        enc & L != 0 || enc & X != 0 && self.feat.vex() || enc & E != 0 && self.feat.evex()
    }
    /// Whether `op` can name xmm16 and up on this host.
    pub fn takes_high(&self, op: V) -> bool {
        op.row().enc & E != 0 && self.feat.evex()
    }

    /// `dst = src` (a whole register).
    pub fn vmov(&mut self, dst: Xmm, src: Xmm) {
        if dst != src {
            self.v2(V::Movaps, dst, src);
        }
    }

    /// Three operands: `dst = a op b`. For rows that read `dst` as well (FMA and others) it is an input too.
    pub fn v3(&mut self, op: V, dst: Xmm, a: Xmm, b: impl Into<Xm>) {
        self.v3_any(op, dst, a, b.into(), None, Vl::X);
    }
    /// The same with an immediate.
    pub fn v3i(&mut self, op: V, dst: Xmm, a: Xmm, b: impl Into<Xm>, imm: u8) {
        self.v3_any(op, dst, a, b.into(), Some(imm), Vl::X);
    }
    /// Three operands at a vector length (VEX and EVEX hosts for more than 128 bits).
    pub fn v3l(&mut self, op: V, l: Vl, dst: Xmm, a: Xmm, b: impl Into<Xm>) {
        self.v3_any(op, dst, a, b.into(), None, l);
    }
    fn v3_any(&mut self, op: V, dst: Xmm, a: Xmm, b: Xm, imm: Option<u8>, l: Vl) {
        let r = op.row();
        debug_assert!(matches!(r.form, Form::Rvm | Form::Rvmi), "{}", r.name);
        if self.use_vex(r) {
            self.v_enc(r, Enc { reg: dst.0, vvvv: a.0, rm: b.into(), imm, l, mask: 0, zero: false });
            return;
        }
        let b = self.sse_two(dst, a, b, r.commutes);
        self.v_sse(r, dst.0, b.into(), imm);
    }
    /// Makes `dst = a` for a destructive form and says where the other operand is then.
    fn sse_two(&mut self, dst: Xmm, a: Xmm, b: Xm, commutes: bool) -> Xm {
        if dst == a {
            return b;
        }
        if b == Xm::R(dst) {
            if commutes {
                return Xm::R(a);
            }
            let t = self.vtmp.expect("a scratch vector register");
            debug_assert!(t != a && t != dst);
            self.v_sse(V::Movaps.row(), t.0, Raw::R(dst.0), None);
            self.v_sse(V::Movaps.row(), dst.0, Raw::R(a.0), None);
            return Xm::R(t);
        }
        self.v_sse(V::Movaps.row(), dst.0, Raw::R(a.0), None);
        b
    }

    /// Two operands: `dst = op(b)`; also compares that only set flags (`dst` is then a source).
    pub fn v2(&mut self, op: V, dst: Xmm, b: impl Into<Xm>) {
        self.v2_any(op, dst, b.into(), None, Vl::X);
    }
    /// The same with an immediate.
    pub fn v2i(&mut self, op: V, dst: Xmm, b: impl Into<Xm>, imm: u8) {
        self.v2_any(op, dst, b.into(), Some(imm), Vl::X);
    }
    /// Two operands at a vector length.
    pub fn v2l(&mut self, op: V, l: Vl, dst: Xmm, b: impl Into<Xm>) {
        self.v2_any(op, dst, b.into(), None, l);
    }
    fn v2_any(&mut self, op: V, dst: Xmm, b: Xm, imm: Option<u8>, l: Vl) {
        let r = op.row();
        debug_assert!(matches!(r.form, Form::Rm | Form::Rmi), "{}", r.name);
        if self.use_vex(r) {
            self.v_enc(r, Enc { reg: dst.0, vvvv: 0, rm: b.into(), imm, l, mask: 0, zero: false });
        } else {
            self.v_sse(r, dst.0, b.into(), imm);
        }
    }

    /// A store shape: `dst = src` where `dst` is memory or a register.
    pub fn vst(&mut self, op: V, dst: impl Into<Xm>, src: Xmm) {
        self.vst_any(op, dst.into(), src, None, Vl::X);
    }
    /// The same with an immediate.
    pub fn vsti(&mut self, op: V, dst: impl Into<Xm>, src: Xmm, imm: u8) {
        self.vst_any(op, dst.into(), src, Some(imm), Vl::X);
    }
    /// A store shape at a vector length.
    pub fn vstl(&mut self, op: V, l: Vl, dst: impl Into<Xm>, src: Xmm) {
        self.vst_any(op, dst.into(), src, None, l);
    }
    fn vst_any(&mut self, op: V, dst: Xm, src: Xmm, imm: Option<u8>, l: Vl) {
        let r = op.row();
        debug_assert!(matches!(r.form, Form::Mr | Form::Mri), "{}", r.name);
        if self.use_vex(r) {
            self.v_enc(r, Enc { reg: src.0, vvvv: 0, rm: dst.into(), imm, l, mask: 0, zero: false });
        } else {
            self.v_sse(r, src.0, dst.into(), imm);
        }
    }

    /// A shift by an immediate.
    pub fn vsh(&mut self, op: V, dst: Xmm, a: Xmm, n: u8) {
        let r = op.row();
        debug_assert_eq!(r.form, Form::Vmi, "{}", r.name);
        if self.use_vex(r) {
            let rm = Raw::R(a.0);
            let e = Enc { reg: r.digit, vvvv: dst.0, rm, imm: Some(n), l: Vl::X, mask: 0, zero: false };
            self.v_enc(r, e);
        } else {
            if dst != a {
                self.v_sse(V::Movaps.row(), dst.0, Raw::R(a.0), None);
            }
            self.v_sse(r, r.digit, Raw::R(dst.0), Some(n));
        }
    }

    /// `dst = op(a, general b)`, with an immediate for the inserts.
    pub fn vgp3(&mut self, op: V, dst: Xmm, a: Xmm, b: impl Into<Rm>, imm: Option<u8>) {
        let r = op.row();
        debug_assert!(matches!(r.form, Form::RvGp | Form::RvGpi), "{}", r.name);
        let rm: Raw = b.into().into();
        if self.use_vex(r) {
            self.v_enc(r, Enc { reg: dst.0, vvvv: a.0, rm, imm, l: Vl::X, mask: 0, zero: false });
        } else {
            if dst != a {
                self.v_sse(V::Movaps.row(), dst.0, Raw::R(a.0), None);
            }
            self.v_sse(r, dst.0, rm, imm);
        }
    }
    /// `dst = op(general src)`
    pub fn v_from_gp(&mut self, op: V, dst: Xmm, src: impl Into<Rm>) {
        let r = op.row();
        debug_assert_eq!(r.form, Form::XmGp, "{}", r.name);
        let rm: Raw = src.into().into();
        if self.use_vex(r) {
            self.v_enc(r, Enc { reg: dst.0, vvvv: 0, rm, imm: None, l: Vl::X, mask: 0, zero: false });
        } else {
            self.v_sse(r, dst.0, rm, None);
        }
    }
    /// `general dst/mem = op(src)`, with an immediate for the extracts.
    pub fn v_to_gp(&mut self, op: V, dst: impl Into<Rm>, src: Xmm, imm: Option<u8>) {
        let r = op.row();
        debug_assert!(matches!(r.form, Form::GpMr | Form::GpMri), "{}", r.name);
        let rm: Raw = dst.into().into();
        if self.use_vex(r) {
            self.v_enc(r, Enc { reg: src.0, vvvv: 0, rm, imm, l: Vl::X, mask: 0, zero: false });
        } else {
            self.v_sse(r, src.0, rm, imm);
        }
    }
    /// `general dst = op(b)` where `b` is the r/m operand (conversions, sign masks).
    pub fn v_gp(&mut self, op: V, dst: Gp, b: impl Into<Xm>) {
        let r = op.row();
        debug_assert_eq!(r.form, Form::GpRm, "{}", r.name);
        let b = b.into();
        if self.use_vex(r) {
            self.v_enc(
                r,
                Enc { reg: dst.0, vvvv: 0, rm: b.into(), imm: None, l: Vl::X, mask: 0, zero: false },
            );
        } else {
            self.v_sse(r, dst.0, b.into(), None);
        }
    }
    /// `dst = sel ? b : a` by the sign bits of `sel` (which is xmm0 on an SSE host; low registers only).
    pub fn vblendv(&mut self, op: V, dst: Xmm, a: Xmm, b: Xmm, sel: Xmm) {
        let r = op.row();
        debug_assert_eq!(r.form, Form::Rvmr, "{}", r.name);
        if self.feat.vex() {
            let imm = Some(sel.0 << 4);
            self.v_enc(
                r,
                Enc { reg: dst.0, vvvv: a.0, rm: Raw::R(b.0), imm, l: Vl::X, mask: 0, zero: false },
            );
        } else {
            debug_assert!(sel == Xmm(0) && dst != sel);
            let b = self.sse_two(dst, a, Xm::R(b), false);
            self.v_sse(r, dst.0, b.into(), None);
        }
    }
    /// Mask compare: `k = a op b` (EVEX hosts).
    pub fn vk(&mut self, op: V, dst: K, a: Xmm, b: impl Into<Xm>, imm: Option<u8>) {
        let r = op.row();
        debug_assert!(matches!(r.form, Form::Kvm | Form::Kvmi), "{}", r.name);
        self.v_evex(
            r,
            Enc { reg: dst.0, vvvv: a.0, rm: b.into().into(), imm, l: Vl::X, mask: 0, zero: false },
        );
    }
    /// `k = class(b)` and `k = sign bits of b` (EVEX hosts).
    pub fn vk2(&mut self, op: V, dst: K, b: impl Into<Xm>, imm: Option<u8>) {
        let r = op.row();
        debug_assert!(matches!(r.form, Form::Krmi | Form::KRm), "{}", r.name);
        self.v_evex(r, Enc { reg: dst.0, vvvv: 0, rm: b.into().into(), imm, l: Vl::X, mask: 0, zero: false });
    }
    /// `dst = all ones where k is set` (EVEX hosts).
    pub fn v_from_k(&mut self, op: V, dst: Xmm, k: K) {
        let r = op.row();
        debug_assert_eq!(r.form, Form::XmK, "{}", r.name);
        self.v_evex(
            r,
            Enc { reg: dst.0, vvvv: 0, rm: Raw::R(k.0), imm: None, l: Vl::X, mask: 0, zero: false },
        );
    }
    /// Three operands under a mask (EVEX hosts): lanes outside are kept, or zeroed when `zero`.
    pub fn v3k(&mut self, op: V, dst: Xmm, k: K, zero: bool, a: Xmm, b: impl Into<Xm>, imm: Option<u8>) {
        let r = op.row();
        self.v_evex(r, Enc { reg: dst.0, vvvv: a.0, rm: b.into().into(), imm, l: Vl::X, mask: k.0, zero });
    }
    /// Two operands under a mask (EVEX hosts).
    pub fn v2k(&mut self, op: V, dst: Xmm, k: K, zero: bool, b: impl Into<Xm>, imm: Option<u8>) {
        let r = op.row();
        self.v_evex(r, Enc { reg: dst.0, vvvv: 0, rm: b.into().into(), imm, l: Vl::X, mask: k.0, zero });
    }

    /// A store under a mask (EVEX hosts): memory outside is neither written nor touched.
    pub fn vstk(&mut self, op: V, dst: impl Into<Xm>, k: K, src: Xmm) {
        let rm = dst.into().into();
        self.v_evex(op.row(), Enc { reg: src.0, vvvv: 0, rm, imm: None, l: Vl::X, mask: k.0, zero: false });
    }

    /// `kmovb/w/d/q k, r32/r64` by width in bytes.
    pub fn kmov_from_gp(&mut self, bytes: u32, k: K, r: Gp) {
        let (pp, w) = Self::kmov_bits(bytes);
        self.vex_prefix(pp, Map::M0f, w, 0, 0x92, (0, 0, r.0 >> 3), 0);
        self.modrm_reg(k.0, r.0);
    }
    /// `kmovb/w/d/q r32/r64, k` by width in bytes.
    pub fn kmov_to_gp(&mut self, bytes: u32, r: Gp, k: K) {
        let (pp, w) = Self::kmov_bits(bytes);
        self.vex_prefix(pp, Map::M0f, w, 0, 0x93, (r.0 >> 3, 0, 0), 0);
        self.modrm_reg(r.0, k.0);
    }
    fn kmov_bits(bytes: u32) -> (Pp, bool) {
        match bytes {
            1 => (Pp::P66, false),
            2 => (Pp::N, false),
            4 => (Pp::F2, false),
            _ => (Pp::F2, true),
        }
    }
    /// `kortestb/w k, k`: ZF when all clear.
    pub fn kortest(&mut self, wide: bool, a: K, b: K) {
        let pp = if wide { Pp::N } else { Pp::P66 };
        self.vex_prefix(pp, Map::M0f, false, 0, 0x98, (0, 0, 0), 0);
        self.modrm_reg(a.0, b.0);
    }
    /// `vinserti128`/`vextracti128`/`vpermq` are rare enough to be spelled by hand: `vinserti128 dst, a, b, hi`.
    pub fn vinserti128(&mut self, dst: Xmm, a: Xmm, b: Xmm, hi: bool) {
        self.vex_prefix(Pp::P66, Map::M3a, false, 1, 0x38, (dst.0 >> 3, 0, b.0 >> 3), a.0);
        self.modrm_reg(dst.0, b.0);
        self.u8(hi as u8);
    }
    /// `vextracti128 dst, src, hi`
    pub fn vextracti128(&mut self, dst: Xmm, src: Xmm, hi: bool) {
        self.vex_prefix(Pp::P66, Map::M3a, false, 1, 0x39, (src.0 >> 3, 0, dst.0 >> 3), 0);
        self.modrm_reg(src.0, dst.0);
        self.u8(hi as u8);
    }
    /// `vzeroupper`
    pub fn vzeroupper(&mut self) {
        self.vex_prefix(Pp::N, Map::M0f, false, 0, 0x77, (0, 0, 0), 0);
    }
}
