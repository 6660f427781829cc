//! Which encodings are reserved under a vtype. The manual, chapter "V": "Vector Operands", "Mapping for Element Width", and the
//! constraints in the instructions' own sections.

use super::{Fields, VType};
use crate::cpu::{Feature, Features};
use crate::decode::Vector;

/// Instructions that do not depend on vtype.
pub(super) fn without_vtype(insn: Vector) -> bool {
    matches!(insn, Vector::Vlr(_) | Vector::Vsr(_))
}

/// A group of registers that an instruction names.
#[derive(Clone, Copy)]
struct Group {
    reg: u32,
    /// Log2 of its registers.
    emul: i32,
    /// Log2 of its elements' bytes; -3 for mask bits.
    eew: i32,
}

impl Group {
    fn len(self) -> u32 {
        1 << self.emul.max(0)
    }
    fn aligned(self) -> bool {
        self.reg & (self.len() - 1) == 0
    }
    fn overlaps(self, o: Group) -> bool {
        self.reg < o.reg + o.len() && o.reg < self.reg + self.len()
    }
    /// As a destination over a source: the same width, or the parts that the manual allows.
    fn may_cover(self, src: Group) -> bool {
        if !self.overlaps(src) || (self.eew == src.eew && self.reg == src.reg) {
            return true;
        }
        if self.eew < src.eew {
            return self.reg == src.reg;
        }
        self.eew > src.eew && src.emul >= 0 && src.reg == self.reg + self.len() - src.len()
    }
}

/// What legality depends on.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub f: &'a Fields,
    pub t: VType,
    pub features: &'a Features,
    pub elen: u32,
    pub vlen: u32,
    /// vstart is not zero.
    pub started: bool,
    pub frm: u32,
}

impl Context<'_> {
    fn sew(&self) -> i32 {
        self.t.sew as i32
    }

    fn group(&self, reg: u32, up: i32) -> Group {
        Group { reg, emul: self.t.lmul + up, eew: self.sew() + up }
    }

    fn mask(&self, reg: u32) -> Group {
        Group { reg, emul: 0, eew: -3 }
    }

    /// An element of this width exists and the group has a legal size.
    fn valid(&self, g: Group) -> bool {
        g.eew == -3 || (g.eew >= 0 && 8 << g.eew <= self.elen && (-3..=3).contains(&g.emul) && g.aligned())
    }

    /// A masked instruction does not write v0 (unless it writes a mask), and sources are read with one width only.
    fn operands(&self, dst: Group, sources: &[Group]) -> bool {
        let masked = !self.f.vm;
        if masked && dst.eew != -3 && dst.reg == 0 {
            return false;
        }
        self.valid(dst) && sources.iter().all(|&s| self.valid(s) && dst.may_cover(s)) && self.widths(sources)
    }

    /// No register is read with two widths; the mask is one of the sources.
    fn widths(&self, sources: &[Group]) -> bool {
        let mask = self.mask(0);
        sources.iter().enumerate().all(|(i, a)| {
            (self.f.vm || a.eew == -3 || !a.overlaps(mask))
                && sources[..i].iter().all(|b| a.eew == b.eew || !a.overlaps(*b))
        })
    }

    /// The second source, if it is a vector.
    fn vs1(&self, up: i32) -> Option<Group> {
        matches!(self.f.f3, 0..=2).then(|| self.group(self.f.vs1, up))
    }

    /// vd, vs2 and perhaps vs1 with these widths relative to SEW.
    fn shape(&self, vd: i32, vs2: i32, vs1: i32) -> bool {
        let (d, a) = (self.group(self.f.vd, vd), self.group(self.f.vs2, vs2));
        match self.vs1(vs1) {
            Some(b) => self.operands(d, &[a, b]),
            None => self.operands(d, &[a]),
        }
    }

    fn unary(&self, vd: i32, vs2: i32) -> bool {
        self.operands(self.group(self.f.vd, vd), &[self.group(self.f.vs2, vs2)])
    }

    /// The destination is a mask. Reading v0 also as an operand is not refused.
    fn makes_mask(&self) -> bool {
        let (d, a) = (self.mask(self.f.vd), self.group(self.f.vs2, 0));
        let free = Fields { vm: true, ..*self.f };
        let free = Context { f: &free, ..*self };
        match self.vs1(0) {
            Some(b) => free.operands(d, &[a, b]),
            None => free.operands(d, &[a]),
        }
    }

    /// A wide destination that is also read.
    fn accumulate(&self) -> bool {
        let (d, a) = (self.group(self.f.vd, 1), self.group(self.f.vs2, 0));
        let b = self.vs1(0).unwrap_or(a);
        self.shape(1, 0, 0) && self.apart(d, &[a, b])
    }

    fn apart(&self, d: Group, sources: &[Group]) -> bool {
        sources.iter().all(|s| !d.overlaps(*s))
    }

    fn reduction(&self, up: i32) -> bool {
        let (a, b) = (self.group(self.f.vs2, 0), Group { reg: self.f.vs1, emul: 0, eew: self.sew() + up });
        !self.started && self.valid(a) && self.valid(b) && self.widths(&[a, b])
    }

    fn has(&self, f: Feature) -> bool {
        self.features.has(f)
    }

    /// Arithmetic on elements of `sew` + `up` is there, and the dynamic rounding mode is one.
    fn float(&self, up: i32) -> bool {
        self.frm <= 4
            && match self.sew() + up {
                1 => self.has(Feature::Zvfh),
                2 => self.has(Feature::Zve32f),
                3 => self.has(Feature::Zve64d),
                _ => false,
            }
    }

    /// Conversions between half and single need only Zvfhmin.
    fn half_min(&self) -> bool {
        self.frm <= 4
            && match self.sew() {
                1 => self.has(Feature::Zvfhmin),
                2 => self.has(Feature::Zve64d),
                _ => false,
            }
    }

    /// Works on groups of `n` elements: a register group must hold one.
    fn crypto(&self, sew_ok: bool, n: u32) -> bool {
        let bits = if self.t.lmul >= 0 { self.vlen << self.t.lmul } else { self.vlen >> -self.t.lmul };
        sew_ok && bits >= (n * 8) << self.t.sew
    }

    fn load_store(&self, eew: i32, load: bool) -> bool {
        let emul = eew - self.sew() + self.t.lmul;
        let g = Group { reg: self.f.vd, emul, eew };
        self.valid(g) && self.segments(g) && !(load && !self.f.vm && self.f.vd == 0)
    }

    fn segments(&self, g: Group) -> bool {
        let n = (self.f.nf + 1) * g.len();
        n <= 8 && g.reg + n <= 32
    }

    fn indexed(&self, load: bool) -> bool {
        let eew = self.f.eew() as i32;
        // An index is no wider than an address.
        if eew == 3 && self.features.has(Feature::Rv32) {
            return false;
        }
        let d = self.group(self.f.vd, 0);
        let index = Group { reg: self.f.vs2, emul: eew - self.sew() + self.t.lmul, eew };
        if !(self.valid(d) && self.valid(index) && self.segments(d)) {
            return false;
        }
        if !self.f.vm && index.overlaps(self.mask(0)) {
            return false;
        }
        if !load {
            return self.widths(&[d, index]);
        }
        (self.f.vm || self.f.vd != 0)
            && (0..=self.f.nf).all(|i| {
                let field = Group { reg: d.reg + i * d.len(), ..d };
                if self.f.nf > 0 { !field.overlaps(index) } else { field.may_cover(index) }
            })
    }

    /// Whether the encoding is not reserved.
    pub fn allowed(&self, insn: Vector) -> bool {
        use Vector as V;
        let f = self.f;
        match insn {
            V::Vsetvli(_) | V::Vsetivli(_) | V::Vsetvl(_) => true,
            V::Vle(_) | V::Vleff(_) | V::Vlse(_) => self.load_store(f.eew() as i32, true),
            V::Vse(_) | V::Vsse(_) => self.load_store(f.eew() as i32, false),
            V::Vlm(_) | V::Vsm(_) => true,
            V::Vlr(_) | V::Vsr(_) => f.vd & f.nf == 0 && 8 << f.eew() <= self.elen,
            V::Vluxei(_) | V::Vloxei(_) => self.indexed(true),
            V::Vsuxei(_) | V::Vsoxei(_) => self.indexed(false),

            V::Vadd(_)
            | V::Vandn(_)
            | V::Vsub(_)
            | V::Vrsub(_)
            | V::Vminu(_)
            | V::Vmin(_)
            | V::Vmaxu(_)
            | V::Vmax(_)
            | V::Vand(_)
            | V::Vor(_)
            | V::Vxor(_)
            | V::Vror(_)
            | V::VrorHi(_)
            | V::Vrol(_)
            | V::Vsaddu(_)
            | V::Vsadd(_)
            | V::Vssubu(_)
            | V::Vssub(_)
            | V::Vsll(_)
            | V::Vsrl(_)
            | V::Vsra(_)
            | V::Vssrl(_)
            | V::Vssra(_)
            | V::Vsmul(_)
            | V::Vaaddu(_)
            | V::Vaadd(_)
            | V::Vasubu(_)
            | V::Vasub(_)
            | V::Vdivu(_)
            | V::Vdiv(_)
            | V::Vremu(_)
            | V::Vrem(_)
            | V::Vmulhu(_)
            | V::Vmul(_)
            | V::Vmulhsu(_)
            | V::Vmulh(_)
            | V::Vmadd(_)
            | V::Vnmsub(_)
            | V::Vmacc(_)
            | V::Vnmsac(_) => self.shape(0, 0, 0),
            V::Vclmul(_) | V::Vclmulh(_) => self.sew() == 3 && self.shape(0, 0, 0),
            V::Vadc(_) | V::Vsbc(_) => {
                // Overlap with the mask, an operand like the others, is not refused.
                let free = Fields { vm: true, ..*f };
                f.vd != 0 && Context { f: &free, ..*self }.shape(0, 0, 0)
            }
            V::Vmerge(_) => self.shape(0, 0, 0),
            V::VmvV(_) => {
                let d = self.group(f.vd, 0);
                self.valid(d) && self.vs1(0).is_none_or(|s| self.valid(s))
            }
            V::Vmadc(_)
            | V::Vmsbc(_)
            | V::Vmseq(_)
            | V::Vmsne(_)
            | V::Vmsltu(_)
            | V::Vmslt(_)
            | V::Vmsleu(_)
            | V::Vmsle(_)
            | V::Vmsgtu(_)
            | V::Vmsgt(_) => self.makes_mask(),
            V::Vmvnr(_) => f.vd & f.vs1 == 0 && f.vs2 & f.vs1 == 0,
            V::Vnsrl(_) | V::Vnsra(_) | V::Vnclipu(_) | V::Vnclip(_) => self.shape(0, 1, 0),
            V::Vwsll(_)
            | V::Vwaddu(_)
            | V::Vwadd(_)
            | V::Vwsubu(_)
            | V::Vwsub(_)
            | V::Vwmulu(_)
            | V::Vwmulsu(_)
            | V::Vwmul(_) => self.shape(1, 0, 0),
            V::Vwmaccu(_) | V::Vwmacc(_) | V::Vwmaccus(_) | V::Vwmaccsu(_) => self.accumulate(),
            V::VwadduW(_) | V::VwaddW(_) | V::VwsubuW(_) | V::VwsubW(_) => self.shape(1, 1, 0),

            V::Vrgather(_) => {
                let (d, a) = (self.group(f.vd, 0), self.group(f.vs2, 0));
                self.shape(0, 0, 0) && self.apart(d, &[a]) && self.vs1(0).is_none_or(|b| self.apart(d, &[b]))
            }
            V::Vrgatherei16(_) => {
                let (d, a) = (self.group(f.vd, 0), self.group(f.vs2, 0));
                let b = Group { reg: f.vs1, emul: 1 - self.sew() + self.t.lmul, eew: 1 };
                self.operands(d, &[a, b]) && self.apart(d, &[a, b])
            }
            V::Vslideup(_) | V::Vslide1up(_) => {
                self.unary(0, 0) && self.apart(self.group(f.vd, 0), &[self.group(f.vs2, 0)])
            }
            V::Vslidedown(_) | V::Vslide1down(_) => self.unary(0, 0),
            V::Vfslide1up(_) => {
                self.float(0) && self.unary(0, 0) && self.apart(self.group(f.vd, 0), &[self.group(f.vs2, 0)])
            }
            V::Vfslide1down(_) => self.float(0) && self.unary(0, 0),
            V::Vcompress(_) => {
                let (d, a, m) = (self.group(f.vd, 0), self.group(f.vs2, 0), self.mask(f.vs1));
                !self.started && self.valid(d) && self.valid(a) && self.apart(d, &[a, m])
            }

            V::Vredsum(_)
            | V::Vredand(_)
            | V::Vredor(_)
            | V::Vredxor(_)
            | V::Vredminu(_)
            | V::Vredmin(_)
            | V::Vredmaxu(_)
            | V::Vredmax(_) => self.reduction(0),
            V::Vwredsumu(_) | V::Vwredsum(_) => self.reduction(1),
            V::Vfredusum(_) | V::Vfredosum(_) | V::Vfredmin(_) | V::Vfredmax(_) => {
                self.float(0) && self.reduction(0)
            }
            V::Vfwredusum(_) | V::Vfwredosum(_) => self.float(0) && self.float(1) && self.reduction(1),

            V::VmvXS(_) | V::VmvSX(_) => true,
            V::VcpopM(_) | V::VfirstM(_) => !self.started,
            V::Vzext(_) | V::Vsext(_) => {
                let down = 4 - (f.vs1 >> 1) as i32;
                self.sew() >= down && self.unary(0, -down)
            }
            V::Vbrev8(_) | V::Vrev8(_) | V::Vbrev(_) | V::Vclz(_) | V::Vctz(_) | V::VcpopV(_) => {
                self.unary(0, 0)
            }
            V::Vmsbf(_) | V::Vmsof(_) | V::Vmsif(_) => !self.started && f.vd != f.vs2 && (f.vm || f.vd != 0),
            V::Viota(_) => {
                let d = self.group(f.vd, 0);
                !self.started && self.operands(d, &[]) && self.apart(d, &[self.mask(f.vs2)])
            }
            V::Vid(_) => self.operands(self.group(f.vd, 0), &[]),
            V::Vmandn(_)
            | V::Vmand(_)
            | V::Vmor(_)
            | V::Vmxor(_)
            | V::Vmorn(_)
            | V::Vmnand(_)
            | V::Vmnor(_)
            | V::Vmxnor(_) => true,

            V::Vfadd(_)
            | V::Vfsub(_)
            | V::Vfmin(_)
            | V::Vfmax(_)
            | V::Vfsgnj(_)
            | V::Vfsgnjn(_)
            | V::Vfsgnjx(_)
            | V::Vfdiv(_)
            | V::Vfrdiv(_)
            | V::Vfmul(_)
            | V::Vfrsub(_)
            | V::Vfmadd(_)
            | V::Vfnmadd(_)
            | V::Vfmsub(_)
            | V::Vfnmsub(_)
            | V::Vfmacc(_)
            | V::Vfnmacc(_)
            | V::Vfmsac(_)
            | V::Vfnmsac(_)
            | V::Vfmerge(_) => self.float(0) && self.shape(0, 0, 0),
            V::VfcvtXuF(_)
            | V::VfcvtXF(_)
            | V::VfcvtFXu(_)
            | V::VfcvtFX(_)
            | V::VfcvtRtzXuF(_)
            | V::VfcvtRtzXF(_)
            | V::Vfsqrt(_)
            | V::Vfrsqrt7(_)
            | V::Vfrec7(_)
            | V::Vfclass(_) => self.float(0) && self.unary(0, 0),
            V::VfmvFS(_) | V::VfmvSF(_) => self.float(0),
            V::VfmvVF(_) => self.float(0) && self.valid(self.group(f.vd, 0)),
            V::Vmfeq(_) | V::Vmfle(_) | V::Vmflt(_) | V::Vmfne(_) | V::Vmfgt(_) | V::Vmfge(_) => {
                self.float(0) && self.makes_mask()
            }
            V::VfwcvtXuF(_) | V::VfwcvtXF(_) | V::VfwcvtRtzXuF(_) | V::VfwcvtRtzXF(_) => {
                self.float(0) && self.unary(1, 0)
            }
            V::VfwcvtFXu(_) | V::VfwcvtFX(_) => self.float(1) && self.unary(1, 0),
            V::VfwcvtFF(_) => self.half_min() && self.unary(1, 0),
            V::Vfwcvtbf16(_) => self.frm <= 4 && self.sew() == 1 && self.unary(1, 0),
            V::VfncvtXuF(_) | V::VfncvtXF(_) | V::VfncvtRtzXuF(_) | V::VfncvtRtzXF(_) => {
                self.float(1) && self.unary(0, 1)
            }
            V::VfncvtFXu(_) | V::VfncvtFX(_) => self.float(0) && self.unary(0, 1),
            V::VfncvtFF(_) => self.half_min() && self.unary(0, 1),
            V::VfncvtRodFF(_) => self.half_min() && self.float(0) && self.unary(0, 1),
            V::Vfncvtbf16(_) => self.frm <= 4 && self.sew() == 1 && self.unary(0, 1),
            V::Vfwadd(_) | V::Vfwsub(_) | V::Vfwmul(_) => {
                self.float(0) && self.float(1) && self.shape(1, 0, 0)
            }
            V::Vfwmacc(_) | V::Vfwnmacc(_) | V::Vfwmsac(_) | V::Vfwnmsac(_) => {
                self.float(0) && self.float(1) && self.accumulate()
            }
            V::VfwaddW(_) | V::VfwsubW(_) => self.float(0) && self.float(1) && self.shape(1, 1, 0),
            V::Vfwmaccbf16(_) => self.frm <= 4 && self.sew() == 1 && self.accumulate(),

            V::VaesdmVv(_)
            | V::VaesdfVv(_)
            | V::VaesemVv(_)
            | V::VaesefVv(_)
            | V::Vgmul(_)
            | V::Vsm4rVv(_) => self.crypto(self.sew() == 2, 4) && self.unary(0, 0),
            V::VaesdmVs(_)
            | V::VaesdfVs(_)
            | V::VaesemVs(_)
            | V::VaesefVs(_)
            | V::VaeszVs(_)
            | V::Vsm4rVs(_) => {
                let d = self.group(f.vd, 0);
                self.crypto(self.sew() == 2, 4) && self.valid(d) && self.apart(d, &[self.mask(f.vs2)])
            }
            V::Vaeskf1(_) | V::Vaeskf2(_) | V::Vsm4k(_) => {
                self.crypto(self.sew() == 2, 4) && self.unary(0, 0)
            }
            V::Vsha2ms(_) | V::Vsha2ch(_) | V::Vsha2cl(_) => {
                let wide = self.sew() == 3 && self.has(Feature::Zvknhb);
                let d = self.group(f.vd, 0);
                self.crypto(self.sew() == 2 || wide, 4)
                    && self.shape(0, 0, 0)
                    && self.apart(d, &[self.group(f.vs2, 0), self.group(f.vs1, 0)])
            }
            V::Vghsh(_) => self.crypto(self.sew() == 2, 4) && self.shape(0, 0, 0),
            V::Vsm3me(_) => {
                let d = self.group(f.vd, 0);
                self.crypto(self.sew() == 2, 8)
                    && self.shape(0, 0, 0)
                    && self.apart(d, &[self.group(f.vs2, 0)])
            }
            V::Vsm3c(_) => {
                self.crypto(self.sew() == 2, 8)
                    && self.unary(0, 0)
                    && self.apart(self.group(f.vd, 0), &[self.group(f.vs2, 0)])
            }
        }
    }
}
