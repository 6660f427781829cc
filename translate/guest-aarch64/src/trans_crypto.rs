//! Cryptographic instructions. Input: a decoded row of group `crypto`; output: IR.

use crate::decode::Crypto as I;
use crate::fpsimd::Fx;
use ir::{Op, Shape, Size, Type, Val};

impl Fx<'_> {
    fn crypt(&mut self, op: Op, regs: &[u32], imm: u32, rd: u32) {
        let args: Vec<Val> = regs.iter().map(|&r| self.v(r)).collect();
        let r = self.b.crypto(op, &args, u64::from(imm));
        self.set_v(rd, r);
    }

    /// Lanes rotated right.
    fn rotate(&mut self, s: Shape, v: Val, right: u32) -> Val {
        if right == 0 {
            return v;
        }
        let low = self.vop(Op::VShrI, s, &[v], u64::from(right));
        let high = self.vop(Op::VShlI, s, &[v], u64::from(s.lane.bits() - right));
        self.vop(Op::VOr, s, &[low, high], 0)
    }

    /// One instruction of group `crypto`.
    pub fn trans_crypto(&mut self, i: &I) {
        let whole = Shape::full(Size::D, true);
        match *i {
            I::Aese(a) | I::Aesd(a) => {
                let (d, n) = (self.v(a.rd), self.v(a.rn));
                let x = self.vop(Op::VXor, whole, &[d, n], 0);
                let op = if matches!(*i, I::Aese(_)) { Op::AesEnc } else { Op::AesDec };
                let r = self.b.crypto(op, &[x], 0);
                self.set_v(a.rd, r);
            }
            I::Aesmc(a) => self.crypt(Op::AesMc, &[a.rn], 0, a.rd),
            I::Aesimc(a) => self.crypt(Op::AesImc, &[a.rn], 0, a.rd),
            I::Sha1c(a) => self.crypt(Op::Sha1C, &[a.rd, a.rn, a.rm], 0, a.rd),
            I::Sha1p(a) => self.crypt(Op::Sha1P, &[a.rd, a.rn, a.rm], 0, a.rd),
            I::Sha1m(a) => self.crypt(Op::Sha1M, &[a.rd, a.rn, a.rm], 0, a.rd),
            I::Sha1su0(a) => self.crypt(Op::Sha1Su0, &[a.rd, a.rn, a.rm], 0, a.rd),
            I::Sha256h(a) => self.crypt(Op::Sha256H, &[a.rd, a.rn, a.rm], 0, a.rd),
            I::Sha256h2(a) => self.crypt(Op::Sha256H2, &[a.rd, a.rn, a.rm], 0, a.rd),
            I::Sha256su1(a) => self.crypt(Op::Sha256Su1, &[a.rd, a.rn, a.rm], 0, a.rd),
            I::Sha1h(a) => {
                let s = Shape::scalar(Size::S);
                let n = self.v(a.rn);
                let w = self.b.vget(Type::I32, s, false, n, 0);
                let two = self.b.const32(2);
                let w = self.b.ror(w, two);
                let r = self.vop(Op::VDup, s, &[w], 0);
                self.set_v(a.rd, r);
            }
            I::Sha1su1(a) => self.crypt(Op::Sha1Su1, &[a.rd, a.rn], 0, a.rd),
            I::Sha256su0(a) => self.crypt(Op::Sha256Su0, &[a.rd, a.rn], 0, a.rd),
            I::Sha512h(a) => self.crypt(Op::Sha512H, &[a.rd, a.rn, a.rm], 0, a.rd),
            I::Sha512h2(a) => self.crypt(Op::Sha512H2, &[a.rd, a.rn, a.rm], 0, a.rd),
            I::Sha512su1(a) => self.crypt(Op::Sha512Su1, &[a.rd, a.rn, a.rm], 0, a.rd),
            I::Sha512su0(a) => self.crypt(Op::Sha512Su0, &[a.rd, a.rn], 0, a.rd),
            I::Rax1(a) => {
                let (n, m) = (self.v(a.rn), self.v(a.rm));
                let m = self.rotate(whole, m, 63);
                let r = self.vop(Op::VXor, whole, &[n, m], 0);
                self.set_v(a.rd, r);
            }
            I::Xar(a) => {
                let (n, m) = (self.v(a.rn), self.v(a.rm));
                let x = self.vop(Op::VXor, whole, &[n, m], 0);
                let r = self.rotate(whole, x, a.imm6);
                self.set_v(a.rd, r);
            }
            I::Eor3(a) => {
                let (n, m, x) = (self.v(a.rn), self.v(a.rm), self.v(a.ra));
                let r = self.vop(Op::VXor, whole, &[n, m], 0);
                let r = self.vop(Op::VXor, whole, &[r, x], 0);
                self.set_v(a.rd, r);
            }
            I::Bcax(a) => {
                let (n, m, x) = (self.v(a.rn), self.v(a.rm), self.v(a.ra));
                let r = self.vop(Op::VAndN, whole, &[m, x], 0);
                let r = self.vop(Op::VXor, whole, &[n, r], 0);
                self.set_v(a.rd, r);
            }
            I::Sm3partw1(a) => self.crypt(Op::Sm3PartW1, &[a.rd, a.rn, a.rm], 0, a.rd),
            I::Sm3partw2(a) => self.crypt(Op::Sm3PartW2, &[a.rd, a.rn, a.rm], 0, a.rd),
            I::Sm3ss1(a) => self.crypt(Op::Sm3Ss1, &[a.rn, a.rm, a.ra], 0, a.rd),
            I::Sm3tt1a(a) => self.crypt(Op::Sm3Tt1A, &[a.rd, a.rn, a.rm], a.imm2, a.rd),
            I::Sm3tt1b(a) => self.crypt(Op::Sm3Tt1B, &[a.rd, a.rn, a.rm], a.imm2, a.rd),
            I::Sm3tt2a(a) => self.crypt(Op::Sm3Tt2A, &[a.rd, a.rn, a.rm], a.imm2, a.rd),
            I::Sm3tt2b(a) => self.crypt(Op::Sm3Tt2B, &[a.rd, a.rn, a.rm], a.imm2, a.rd),
            I::Sm4e(a) => self.crypt(Op::Sm4E, &[a.rd, a.rn], 0, a.rd),
            I::Sm4ekey(a) => self.crypt(Op::Sm4Ekey, &[a.rn, a.rm], 0, a.rd),
        }
    }
}
