//! Scalar cryptography: Zknd, Zkne, Zknh, Zksed, Zksh. The manual, "Cryptography Extensions: Scalar & Entropy Source".
//!
//! AES goes through the vector operations on a whole state; where only one word is wanted it is in every column, so that
//! ShiftRows changes nothing.

use crate::decode::{ArgsByte, ArgsKs, ArgsR, ArgsUn, Crypto};
use crate::trans::{Flow, Tr};
use ir::{Attr, Op, Shape, Size, Type, Val};

/// AES round constants of the key schedule.
const RCON: [u32; 10] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36];

/// One term of a hash function's sum or sigma: rotated or shifted right.
#[derive(Clone, Copy)]
enum Term {
    Ror(u32),
    Shr(u32),
    Shl(u32),
}
use Term::{Ror, Shl, Shr};

impl Tr<'_> {
    pub(crate) fn crypto(&mut self, insn: Crypto) -> Flow {
        match insn {
            Crypto::Aes32esi(a) => self.aes32(a, Op::AesEnc, None),
            Crypto::Aes32esmi(a) => self.aes32(a, Op::AesEnc, Some(Op::AesMc)),
            Crypto::Aes32dsi(a) => self.aes32(a, Op::AesDec, None),
            Crypto::Aes32dsmi(a) => self.aes32(a, Op::AesDec, Some(Op::AesImc)),
            Crypto::Aes64es(a) => self.aes64(a, Op::AesEnc, None),
            Crypto::Aes64esm(a) => self.aes64(a, Op::AesEnc, Some(Op::AesMc)),
            Crypto::Aes64ds(a) => self.aes64(a, Op::AesDec, None),
            Crypto::Aes64dsm(a) => self.aes64(a, Op::AesDec, Some(Op::AesImc)),
            Crypto::Aes64im(a) => {
                let x = self.x(a.rs1);
                let v = self.vector(x);
                let v = self.b.crypto(Op::AesImc, &[v], 0);
                let r = self.lane64(v);
                self.set(a.rd, r);
            }
            Crypto::Aes64ks1i(a) => self.key_schedule(a),
            Crypto::Aes64ks2(a) => {
                let (x, y) = (self.x(a.rs1), self.x(a.rs2));
                let high = self.b.ubfx(x, 32, 32);
                let w0 = self.b.xor(high, y);
                let n = self.b.const64(32);
                let up = self.b.shl(w0, n);
                let w1 = self.b.xor(up, y);
                let r = self.b.bfi(w1, w0, 0, 32);
                self.set(a.rd, r);
            }
            Crypto::Sha256sum0(a) => self.sha256(a, [Ror(2), Ror(13), Ror(22)]),
            Crypto::Sha256sum1(a) => self.sha256(a, [Ror(6), Ror(11), Ror(25)]),
            Crypto::Sha256sig0(a) => self.sha256(a, [Ror(7), Ror(18), Shr(3)]),
            Crypto::Sha256sig1(a) => self.sha256(a, [Ror(17), Ror(19), Shr(10)]),
            Crypto::Sha512sum0(a) => self.sha512(a, [Ror(28), Ror(34), Ror(39)]),
            Crypto::Sha512sum1(a) => self.sha512(a, [Ror(14), Ror(18), Ror(41)]),
            Crypto::Sha512sig0(a) => self.sha512(a, [Ror(1), Ror(8), Shr(7)]),
            Crypto::Sha512sig1(a) => self.sha512(a, [Ror(19), Ror(61), Shr(6)]),
            // Halves of the same in 32-bit registers: terms of rs1, then of rs2.
            Crypto::Sha512sum0r(a) => self.halves(a, [Shl(25), Shl(30), Shr(28)], [Shr(7), Shr(2), Shl(4)]),
            Crypto::Sha512sum1r(a) => self.halves(a, [Shl(23), Shr(14), Shr(18)], [Shr(9), Shl(18), Shl(14)]),
            Crypto::Sha512sig0l(a) => self.halves(a, [Shr(1), Shr(7), Shr(8)], [Shl(31), Shl(25), Shl(24)]),
            Crypto::Sha512sig0h(a) => self.halves(a, [Shr(1), Shr(7), Shr(8)], [Shl(31), Shl(24)]),
            Crypto::Sha512sig1l(a) => self.halves(a, [Shl(3), Shr(6), Shr(19)], [Shr(29), Shl(26), Shl(13)]),
            Crypto::Sha512sig1h(a) => self.halves(a, [Shl(3), Shr(6), Shr(19)], [Shr(29), Shl(13)]),
            Crypto::Sm3p0(a) => self.sm3(a, 9, 17),
            Crypto::Sm3p1(a) => self.sm3(a, 15, 23),
            Crypto::Sm4ed(a) => self.sm4(a, Op::Sm4E, &[0, 2, 10, 18, 24]),
            Crypto::Sm4ks(a) => self.sm4(a, Op::Sm4Ekey, &[0, 13, 23]),
        }
        Flow::Next
    }

    fn lane64(&mut self, v: Val) -> Val {
        self.b.vget(Type::I64, Shape::new(Size::D, 2), false, v, 0)
    }

    /// The I32 in every column of an AES state.
    fn columns(&mut self, x: Val) -> Val {
        self.b.push(Op::VDup, Type::V128, Attr::Vec(Shape::full(Size::S, true)), &[x], 0)
    }

    fn aes64(&mut self, a: ArgsR, sub: Op, mix: Option<Op>) {
        let (x, y) = (self.x(a.rs1), self.x(a.rs2));
        let low = self.vector(x);
        let state = self.b.push(Op::VIns, Type::V128, Attr::Vec(Shape::new(Size::D, 2)), &[low, y], 1);
        let mut v = self.b.crypto(sub, &[state], 0);
        if let Some(mix) = mix {
            v = self.b.crypto(mix, &[v], 0);
        }
        let r = self.lane64(v);
        self.set(a.rd, r);
    }

    /// One byte of rs2 through the S-box and perhaps MixColumns, added to rs1.
    fn aes32(&mut self, a: ArgsByte, sub: Op, mix: Option<Op>) {
        let y = self.w(a.rs2);
        let state = self.columns(y);
        let mut v = self.b.crypto(sub, &[state], 0);
        let mask = self.b.vconst(0xff << (8 * a.bs), false);
        v = self.b.vop(Op::VAnd, Shape::new(Size::D, 1), &[v, mask], 0);
        if let Some(mix) = mix {
            v = self.b.crypto(mix, &[v], 0);
        }
        let t = self.b.vget(Type::I32, Shape::new(Size::S, 4), false, v, 0);
        let x = self.w(a.rs1);
        let r = self.b.xor(x, t);
        self.set(a.rd, r);
    }

    fn key_schedule(&mut self, a: ArgsKs) {
        let x = self.x(a.rs1);
        let n = self.b.const64(32);
        let high = self.b.shr(x, n);
        let word = self.b.trunc(high);
        let state = self.columns(word);
        let v = self.b.crypto(Op::AesEnc, &[state], 0);
        let mut t = self.b.vget(Type::I32, Shape::new(Size::S, 4), false, v, 0);
        if let Some(rc) = RCON.get(a.rnum as usize) {
            let eight = self.b.const32(8);
            t = self.b.ror(t, eight);
            let rc = self.b.const32(*rc);
            t = self.b.xor(t, rc);
        }
        let t = self.b.zext32(t);
        let r = self.b.bfi(t, t, 32, 32);
        self.set(a.rd, r);
    }

    /// The exclusive or of the terms of x.
    fn terms(&mut self, x: Val, terms: &[Term]) -> Val {
        let ty = self.b.ty(x);
        let mut sum = None;
        for term in terms {
            let (n, op) = match *term {
                Ror(n) => (n, Op::Ror),
                Shr(n) => (n, Op::Shr),
                Shl(n) => (n, Op::Shl),
            };
            let n = self.b.iconst(ty, u64::from(n));
            let t = self.b.push(op, ty, Attr::None, &[x, n], 0);
            sum = Some(sum.map_or(t, |s| self.b.xor(s, t)));
        }
        sum.unwrap_or(x)
    }

    fn sha256(&mut self, a: ArgsUn, terms: [Term; 3]) {
        let x = self.w(a.rs1);
        let r = self.terms(x, &terms);
        self.set(a.rd, r);
    }

    fn sha512(&mut self, a: ArgsUn, terms: [Term; 3]) {
        let x = self.x(a.rs1);
        let r = self.terms(x, &terms);
        self.set(a.rd, r);
    }

    fn halves<const N: usize>(&mut self, a: ArgsR, first: [Term; 3], second: [Term; N]) {
        let (x, y) = (self.x(a.rs1), self.x(a.rs2));
        let s = self.terms(x, &first);
        let t = self.terms(y, &second);
        let r = self.b.xor(s, t);
        self.set(a.rd, r);
    }

    fn sm3(&mut self, a: ArgsUn, n: u32, m: u32) {
        let x = self.w(a.rs1);
        let t = self.terms(x, &[Ror(32 - n), Ror(32 - m)]);
        let r = self.b.xor(x, t);
        self.set(a.rd, r);
    }

    /// One byte of rs2 through the S-box and the linear map of a round (`rotations` to the left), added to rs1. A whole
    /// round substitutes the three zero bytes of the word as well; the map being linear, they add a constant. The
    /// operation has the most significant byte first, these instructions have it last.
    fn sm4(&mut self, a: ArgsByte, round: Op, rotations: &[u32]) {
        const SBOX_OF_0: u32 = 0xd6;
        let y = self.w(a.rs2);
        let byte = self.b.const32(0xff << (8 * a.bs));
        let y = self.b.and(y, byte);
        let y = self.b.bswap(y);
        let zero = self.b.vconst(0, true);
        let shape = Shape::new(Size::S, 4);
        let state = self.b.push(Op::VIns, Type::V128, Attr::Vec(shape), &[zero, y], 1);
        let v = self.b.crypto(round, &[state, zero], 0);
        let t = self.b.vget(Type::I32, shape, false, v, 0);
        let others = (0..4).filter(|i| *i != 3 - a.bs).fold(0, |w, i| w | SBOX_OF_0 << (8 * i));
        let constant = rotations.iter().fold(0, |c, n| c ^ others.rotate_left(*n));
        let constant = self.b.const32(constant);
        let t = self.b.xor(t, constant);
        let t = self.b.bswap(t);
        let x = self.w(a.rs1);
        let r = self.b.xor(x, t);
        self.set(a.rd, r);
    }
}
