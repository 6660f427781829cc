//! The extensions: names in the order of ISA strings, what each brings along, what each cannot be without.
//!
//! Facts: The RISC-V Instruction Set Manual, volume I; RISC-V Profiles (RVA20, RVA22, RVA23); the vendors' extension manuals.

macro_rules! extensions {
    ($( $(#[$doc:meta])* $variant:ident $name:literal; )*) => {
        /// An extension that programs can see, or one of the combinations below that decode tables ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "named as the extensions are")]
        pub enum Feature {
            $( $(#[$doc])* $variant, )*
            /// Registers of 64 bits.
            Rv64,
            /// Registers of 32 bits.
            Rv32,
            /// F or Zfinx.
            Fx,
            /// D or Zdinx.
            Dx,
            /// Zfh or Zhinx.
            Hx,
            /// Zfhmin or Zhinxmin.
            Hminx,
            /// Zfhmin or Zfbfmin: moves and accesses of 16 bits.
            Fp16,
            /// Zbb or Zbkb.
            Zbbk,
            /// Zbc or Zbkc.
            Zbck,
            /// Zknd or Zkne.
            Zknde,
        }

        /// Names as in ISA strings and as properties of `-cpu`, in the order in which ISA strings have them.
        pub const NAMES: &[(&str, Feature)] = &[ $( ($name, Feature::$variant), )* ];
    };
}

extensions! {
    I "i"; E "e"; M "m"; A "a"; F "f"; D "d"; C "c"; B "b"; V "v"; H "h";
    Zic64b "zic64b"; Zicbom "zicbom"; Zicbop "zicbop"; Zicboz "zicboz"; Ziccamoa "ziccamoa"; Ziccif "ziccif";
    Zicclsm "zicclsm"; Ziccrse "ziccrse"; Zicfilp "zicfilp"; Zicfiss "zicfiss"; Zicond "zicond"; Zicntr "zicntr";
    Zicsr "zicsr"; Zifencei "zifencei"; Zihintntl "zihintntl"; Zihintpause "zihintpause"; Zihpm "zihpm";
    Zilsd "zilsd"; Zimop "zimop"; Zmmul "zmmul"; Za64rs "za64rs"; Zaamo "zaamo"; Zabha "zabha"; Zacas "zacas";
    Zalasr "zalasr"; Zalrsc "zalrsc"; Zama16b "zama16b"; Zawrs "zawrs"; Zfa "zfa"; Zfbfmin "zfbfmin"; Zfh "zfh";
    Zfhmin "zfhmin"; Zfinx "zfinx"; Zdinx "zdinx"; Zca "zca"; Zcb "zcb"; Zcf "zcf"; Zcd "zcd"; Zce "zce";
    Zclsd "zclsd"; Zcmop "zcmop"; Zcmp "zcmp"; Zcmt "zcmt"; Zba "zba"; Zbb "zbb"; Zbc "zbc"; Zbkb "zbkb";
    Zbkc "zbkc"; Zbkx "zbkx"; Zbs "zbs"; Zk "zk"; Zkn "zkn"; Zknd "zknd"; Zkne "zkne"; Zknh "zknh"; Zkr "zkr";
    Zks "zks"; Zksed "zksed"; Zksh "zksh"; Zkt "zkt"; Ztso "ztso"; Zvbb "zvbb"; Zvbc "zvbc"; Zve32f "zve32f";
    Zve32x "zve32x"; Zve64f "zve64f"; Zve64d "zve64d"; Zve64x "zve64x"; Zvfbfa "zvfbfa"; Zvfbfmin "zvfbfmin";
    Zvfbfwma "zvfbfwma"; Zvfh "zvfh"; Zvfhmin "zvfhmin"; Zvkb "zvkb"; Zvkg "zvkg"; Zvkn "zvkn"; Zvknc "zvknc";
    Zvkned "zvkned"; Zvkng "zvkng"; Zvknha "zvknha"; Zvknhb "zvknhb"; Zvks "zvks"; Zvksc "zvksc";
    Zvksed "zvksed"; Zvksg "zvksg"; Zvksh "zvksh"; Zvkt "zvkt"; Zhinx "zhinx"; Zhinxmin "zhinxmin";
    Sdtrig "sdtrig"; Shcounterenw "shcounterenw"; Sha "sha"; Shgatpa "shgatpa"; Shtvala "shtvala";
    Shvsatpa "shvsatpa"; Shvstvala "shvstvala"; Shvstvecd "shvstvecd"; Smaia "smaia"; Smcdeleg "smcdeleg";
    Smcntrpmf "smcntrpmf"; Smcsrind "smcsrind"; Smctr "smctr"; Smdbltrp "smdbltrp"; Smepmp "smepmp";
    Smpmpmt "smpmpmt"; Smrnmi "smrnmi"; Smmpm "smmpm"; Smnpm "smnpm"; Smstateen "smstateen"; Ssaia "ssaia";
    Ssccfg "ssccfg"; Ssccptr "ssccptr"; Sscofpmf "sscofpmf"; Sscounterenw "sscounterenw"; Sscsrind "sscsrind";
    Ssctr "ssctr"; Ssdbltrp "ssdbltrp"; Ssnpm "ssnpm"; Sspm "sspm"; Ssstateen "ssstateen"; Ssstrict "ssstrict";
    Sstc "sstc"; Sstvala "sstvala"; Sstvecd "sstvecd"; Ssu64xl "ssu64xl"; Supm "supm"; Svade "svade";
    Svadu "svadu"; Svinval "svinval"; Svnapot "svnapot"; Svpbmt "svpbmt"; Svrsw60t59b "svrsw60t59b";
    Svvptc "svvptc"; Xtheadba "xtheadba"; Xtheadbb "xtheadbb"; Xtheadbs "xtheadbs"; Xtheadcmo "xtheadcmo";
    Xtheadcondmov "xtheadcondmov"; Xtheadfmemidx "xtheadfmemidx"; Xtheadfmv "xtheadfmv";
    Xtheadmac "xtheadmac"; Xtheadmemidx "xtheadmemidx"; Xtheadmempair "xtheadmempair";
    Xtheadsync "xtheadsync"; Xventanacondops "xventanacondops";
}

use Feature as E;

/// What an extension brings along: being on, it turns these on.
pub(crate) const IMPLIES: &[(Feature, &[Feature])] = &[
    (E::M, &[E::Zmmul]),
    (E::A, &[E::Zaamo, E::Zalrsc]),
    (E::D, &[E::F]),
    (E::F, &[E::Zicsr]),
    (E::B, &[E::Zba, E::Zbb, E::Zbs]),
    (E::Zicntr, &[E::Zicsr]),
    (E::Zihpm, &[E::Zicsr]),
    (E::Zfh, &[E::Zfhmin]),
    (E::Zfhmin, &[E::F]),
    (E::Zfa, &[E::F]),
    (E::Zfbfmin, &[E::F]),
    (E::Zdinx, &[E::Zfinx]),
    (E::Zhinx, &[E::Zhinxmin]),
    (E::Zhinxmin, &[E::Zfinx]),
    (E::Zfinx, &[E::Zicsr]),
    (E::Zabha, &[E::Zaamo]),
    (E::Zacas, &[E::Zaamo]),
    (E::Zce, &[E::Zcb, E::Zcmp, E::Zcmt]),
    (E::Zcb, &[E::Zca]),
    (E::Zcmp, &[E::Zca]),
    (E::Zcmt, &[E::Zca, E::Zicsr]),
    (E::Zcmop, &[E::Zca]),
    (E::Zclsd, &[E::Zca, E::Zilsd]),
    (E::Zk, &[E::Zkn, E::Zkr, E::Zkt]),
    (E::Zkn, &[E::Zbkb, E::Zbkc, E::Zbkx, E::Zknd, E::Zkne, E::Zknh]),
    (E::Zks, &[E::Zbkb, E::Zbkc, E::Zbkx, E::Zksed, E::Zksh]),
    (E::V, &[E::Zve64d]),
    (E::Zve64d, &[E::Zve64f, E::D]),
    (E::Zve64f, &[E::Zve64x, E::Zve32f]),
    (E::Zve64x, &[E::Zve32x]),
    (E::Zve32f, &[E::Zve32x, E::F]),
    (E::Zve32x, &[E::Zicsr]),
    (E::Zvfh, &[E::Zvfhmin, E::Zfhmin]),
    (E::Zvfbfwma, &[E::Zvfbfmin, E::Zfbfmin]),
    (E::Zvbb, &[E::Zvkb]),
    (E::Zvkn, &[E::Zvkned, E::Zvknhb, E::Zvkb, E::Zvkt]),
    (E::Zvknc, &[E::Zvkn, E::Zvbc]),
    (E::Zvkng, &[E::Zvkn, E::Zvkg]),
    (E::Zvks, &[E::Zvksed, E::Zvksh, E::Zvkb, E::Zvkt]),
    (E::Zvksc, &[E::Zvks, E::Zvbc]),
    (E::Zvksg, &[E::Zvks, E::Zvkg]),
    (E::Zvknhb, &[E::Zvknha]),
];

/// Vector extensions: none of them without a vector unit.
pub(crate) const VECTOR: &[Feature] = &[
    E::V,
    E::Zve32f,
    E::Zve32x,
    E::Zve64f,
    E::Zve64d,
    E::Zve64x,
    E::Zvbb,
    E::Zvbc,
    E::Zvfbfa,
    E::Zvfbfmin,
    E::Zvfbfwma,
    E::Zvfh,
    E::Zvfhmin,
    E::Zvkb,
    E::Zvkg,
    E::Zvkn,
    E::Zvknc,
    E::Zvkned,
    E::Zvkng,
    E::Zvknha,
    E::Zvknhb,
    E::Zvks,
    E::Zvksc,
    E::Zvksed,
    E::Zvksg,
    E::Zvksh,
    E::Zvkt,
];

pub use crate::decode::Features;

impl Features {
    /// The set with everything its members bring along.
    pub(crate) fn closed(mut self) -> Self {
        loop {
            let mut next = self;
            for (f, list) in IMPLIES.iter().filter(|(f, _)| self.has(*f)) {
                // The compressed forms of floating-point accesses come with C; Zc* on its own leaves room for Zcmp.
                debug_assert!(NAMES.iter().any(|(_, n)| n == f));
                next = next.with(list);
            }
            if next.has(E::C) {
                next = next.with(&[E::Zca]);
                if next.has(E::D) && !next.has(E::Zcmp) && !next.has(E::Zcmt) {
                    next = next.with(&[E::Zcd]);
                }
                if next.has(E::F) && next.has(E::Rv32) {
                    next = next.with(&[E::Zcf]);
                }
            }
            if next == self {
                return self.combined();
            }
            self = next;
        }
    }

    /// Sets the combinations from their members.
    fn combined(self) -> Self {
        let any = |list: &[Feature]| list.iter().any(|f| self.has(*f));
        let pairs: [(Feature, &[Feature]); 8] = [
            (E::Fx, &[E::F, E::Zfinx]),
            (E::Dx, &[E::D, E::Zdinx]),
            (E::Hx, &[E::Zfh, E::Zhinx]),
            (E::Hminx, &[E::Zfhmin, E::Zhinxmin]),
            (E::Fp16, &[E::Zfhmin, E::Zfbfmin]),
            (E::Zbbk, &[E::Zbb, E::Zbkb]),
            (E::Zbck, &[E::Zbc, E::Zbkc]),
            (E::Zknde, &[E::Zknd, E::Zkne]),
        ];
        pairs.iter().filter(|(_, list)| any(list)).fold(self, |s, (f, _)| s.with(&[*f]))
    }

    /// The feature with this name.
    pub fn named(name: &str) -> Option<Feature> {
        NAMES.iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
    }

    /// The ISA string: `rv64imafdc_zicsr_...`, single letters only if `short`.
    pub fn isa(&self, short: bool) -> String {
        let mut s = String::from(if self.has(E::Rv32) { "rv32" } else { "rv64" });
        for (name, _) in NAMES.iter().filter(|(name, f)| self.has(*f) && !(short && name.len() > 1)) {
            if name.len() > 1 {
                s.push('_');
            }
            s.push_str(name);
        }
        s
    }

    /// Reads an ISA string, with everything that its extensions bring along. `g` is `imafd_zicsr_zifencei`; version
    /// numbers and `zvl*` are ignored. An error names what is not known.
    pub fn from_isa(text: &str) -> Result<Features, String> {
        let lower = text.to_ascii_lowercase();
        let (base, rest) = match (lower.strip_prefix("rv64"), lower.strip_prefix("rv32")) {
            (Some(rest), _) => (E::Rv64, rest),
            (_, Some(rest)) => (E::Rv32, rest),
            _ => return Err(format!("'{text}' does not start with rv32 or rv64")),
        };
        let mut set = Features::NONE.with(&[base]);
        for (i, word) in rest.split('_').enumerate() {
            if i == 0 {
                // Single letters; a multi-letter name may follow them without an underscore.
                let letters = word.find(['z', 's', 'x']).unwrap_or(word.len());
                let mut buf = [0; 4];
                for c in word[..letters].chars().filter(|c| !c.is_ascii_digit() && *c != 'p') {
                    if c == 'g' {
                        set = set.with(&[E::I, E::M, E::A, E::F, E::D, E::Zicsr, E::Zifencei]);
                        continue;
                    }
                    let f = Features::named(c.encode_utf8(&mut buf));
                    set = set.with(&[f.ok_or_else(|| format!("unknown extension '{c}'"))?]);
                }
                set = set.with_word(&word[letters..])?;
            } else {
                set = set.with_word(word)?;
            }
        }
        Ok(set.closed())
    }

    fn with_word(self, word: &str) -> Result<Features, String> {
        if word.is_empty() || word.starts_with("zvl") {
            return Ok(self);
        }
        // zicsr2p0: a version.
        let plain = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let plain =
            plain.strip_suffix('p').map_or(word, |w| w.trim_end_matches(|c: char| c.is_ascii_digit()));
        let f = Features::named(word).or_else(|| Features::named(plain));
        Ok(self.with(&[f.ok_or_else(|| format!("unknown extension '{word}'"))?]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isa_strings_round_trip() {
        let all = NAMES.iter().fold(Features::NONE.with(&[E::Rv64]), |s, (_, f)| s.with(&[*f])).closed();
        assert_eq!(Features::from_isa(&all.isa(false)).expect("our own string"), all);
        let gc = Features::from_isa("RV64GC").expect("a usual string");
        assert_eq!(gc.isa(true), "rv64imafdc");
        assert_eq!(gc.isa(false), "rv64imafdc_zicsr_zifencei_zmmul_zaamo_zalrsc_zca_zcd");
        assert_eq!(Features::from_isa("rv64i2p1_m2p0_zba1p0").expect("versions").isa(true), "rv64im");
        assert!(Features::from_isa("rv64imaxyz").is_err());
        assert!(Features::from_isa("arm64").is_err());
    }

    #[test]
    fn extensions_bring_others_along() {
        let f = Features::from_isa("rv32imafc_zkn_zcb").expect("known");
        for want in [E::Zbkb, E::Zknd, E::Zcf, E::Zca, E::Zmmul, E::Fx, E::Zbbk, E::Zknde] {
            assert!(f.has(want), "{want:?}");
        }
        assert!(!f.has(E::Zcd) && !f.has(E::Dx) && !f.has(E::Rv64));
        assert!(Features::from_isa("rv64imafdv").expect("known").has(E::Zve32x));
    }
}
