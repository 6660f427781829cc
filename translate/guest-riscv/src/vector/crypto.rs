//! Zvkned, Zvknh, Zvkg, Zvksed, Zvksh: the manual's chapter "Vector Cryptography Extensions".

use super::unit::Unit;
use crate::decode::Vector;
use ir::{Attr, FpState, Inst, Op, Stop, Type};

/// An operation of the IR on vectors, by its definition.
fn op(op: Op, args: &[u128]) -> u128 {
    let mut a = [0; 4];
    a[..args.len()].copy_from_slice(args);
    let inst = Inst { op, ty: Type::V128, attr: Attr::None, ..Inst::NOP };
    ir::interp::eval(&inst, &a, &mut FpState::default())
}

fn words(v: u128) -> [u32; 4] {
    std::array::from_fn(|i| (v >> (32 * i)) as u32)
}

fn join(w: [u32; 4]) -> u128 {
    w.iter().rev().fold(0, |v, &x| v << 32 | u128::from(x))
}

/// SubWord: in a state of four equal columns ShiftRows changes nothing.
fn sub_word(w: u32) -> u32 {
    op(Op::AesEnc, &[join([w; 4])]) as u32
}

/// Round constant of a key expansion step, counted from 0.
fn rcon(r: u32) -> u32 {
    (0..r).fold(1, |c, _| c << 1 ^ if c & 0x80 != 0 { 0x11b } else { 0 })
}

fn chain(first: u32, rest: [u32; 4]) -> u128 {
    let mut w = [first; 4];
    for i in 1..4 {
        w[i] = w[i - 1] ^ rest[i];
    }
    join(w)
}

/// AES-128 round key from the one before.
fn key_forward_1(vs2: u128, imm: u32) -> u128 {
    let round = if matches!(imm & 15, 1..=10) { imm & 15 } else { imm & 15 ^ 8 };
    let key = words(vs2);
    chain(sub_word(key[3].rotate_right(8)) ^ rcon(round - 1) ^ key[0], key)
}

/// AES-256 round key from the two before.
fn key_forward_2(vd: u128, vs2: u128, imm: u32) -> u128 {
    let round = if matches!(imm & 15, 2..=14) { imm & 15 } else { imm & 15 ^ 8 };
    let (key, before) = (words(vs2), words(vd));
    let w = if round & 1 != 0 {
        sub_word(key[3])
    } else {
        sub_word(key[3].rotate_right(8)) ^ rcon((round >> 1) - 1)
    };
    chain(w ^ before[0], before)
}

fn reverse_bits_of_bytes(v: u128) -> u128 {
    v.swap_bytes().reverse_bits()
}

/// Product in GCM's field, operands and result with their bits in GCM's order.
fn gcm_product(a: u128, b: u128) -> u128 {
    let (s, mut h, mut z) = (reverse_bits_of_bytes(a), reverse_bits_of_bytes(b), 0);
    for i in 0..128 {
        if s >> i & 1 != 0 {
            z ^= h;
        }
        h = h << 1 ^ if h >> 127 != 0 { 0x87 } else { 0 };
    }
    reverse_bits_of_bytes(z)
}

/// The functions of SHA-256 and SHA-512 on one width.
trait Sha: Copy {
    fn add(self, o: Self) -> Self;
    fn choose(self, f: Self, g: Self) -> Self;
    fn majority(self, b: Self, c: Self) -> Self;
    fn sum0(self) -> Self;
    fn sum1(self) -> Self;
    fn sig0(self) -> Self;
    fn sig1(self) -> Self;
}

macro_rules! sha {
    ($t:ty, $s0:expr, $s1:expr, $l0:expr, $l1:expr) => {
        impl Sha for $t {
            fn add(self, o: Self) -> Self {
                self.wrapping_add(o)
            }
            fn choose(self, f: Self, g: Self) -> Self {
                self & f ^ !self & g
            }
            fn majority(self, b: Self, c: Self) -> Self {
                self & b ^ self & c ^ b & c
            }
            fn sum0(self) -> Self {
                self.rotate_right($s0.0) ^ self.rotate_right($s0.1) ^ self.rotate_right($s0.2)
            }
            fn sum1(self) -> Self {
                self.rotate_right($s1.0) ^ self.rotate_right($s1.1) ^ self.rotate_right($s1.2)
            }
            fn sig0(self) -> Self {
                self.rotate_right($l0.0) ^ self.rotate_right($l0.1) ^ self >> $l0.2
            }
            fn sig1(self) -> Self {
                self.rotate_right($l1.0) ^ self.rotate_right($l1.1) ^ self >> $l1.2
            }
        }
    };
}
sha!(u32, (2, 13, 22), (6, 11, 25), (7, 18, 3), (17, 19, 10));
sha!(u64, (28, 34, 39), (14, 18, 41), (1, 8, 7), (19, 61, 6));

/// Four more words of the message schedule.
fn schedule<T: Sha>(d: [T; 4], vs2: [T; 4], vs1: [T; 4]) -> [T; 4] {
    let w16 = vs1[2].sig1().add(vs2[1]).add(d[1].sig0()).add(d[0]);
    let w17 = vs1[3].sig1().add(vs2[2]).add(d[2].sig0()).add(d[1]);
    let w18 = w16.sig1().add(vs2[3]).add(d[3].sig0()).add(d[2]);
    let w19 = w17.sig1().add(vs1[0]).add(vs2[0].sig0()).add(d[3]);
    [w16, w17, w18, w19]
}

/// Two rounds.
fn compress<T: Sha>(d: [T; 4], vs2: [T; 4], w: [T; 2]) -> [T; 4] {
    let [mut h, mut g, mut dd, mut c] = d;
    let [mut f, mut e, mut b, mut a] = vs2;
    for w in w {
        let t1 = h.add(e.sum1()).add(e.choose(f, g)).add(w);
        let t2 = a.sum0().add(a.majority(b, c));
        (h, g, f, e) = (g, f, e, dd.add(t1));
        (dd, c, b, a) = (c, b, a, t1.add(t2));
    }
    [f, e, b, a]
}

fn p0(x: u32) -> u32 {
    x ^ x.rotate_left(9) ^ x.rotate_left(17)
}

fn p1(x: u32) -> u32 {
    x ^ x.rotate_left(15) ^ x.rotate_left(23)
}

/// Eight more words of SM3's message.
fn sm3_expand(first: [u32; 8], second: [u32; 8]) -> [u32; 8] {
    let mut w = [0; 24];
    for i in 0..8 {
        w[i] = first[i].swap_bytes();
        w[8 + i] = second[i].swap_bytes();
    }
    for i in 16..24 {
        let x = p1(w[i - 16] ^ w[i - 9] ^ w[i - 3].rotate_left(15));
        w[i] = x ^ w[i - 13].rotate_left(7) ^ w[i - 6];
    }
    std::array::from_fn(|i| w[16 + i].swap_bytes())
}

/// Two rounds of SM3.
fn sm3_compress(state: [u32; 8], message: [u32; 8], rounds: u32) -> [u32; 8] {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state.map(u32::swap_bytes);
    let w = message.map(u32::swap_bytes);
    for k in 0..2u32 {
        let j = 2 * rounds + k;
        let early = j < 16;
        let t: u32 = if early { 0x79cc_4519 } else { 0x7a87_9d8a };
        let rotated = a.rotate_left(12);
        let ss1 = rotated.wrapping_add(e).wrapping_add(t.rotate_left(j % 32)).rotate_left(7);
        let ff = if early { a ^ b ^ c } else { a & b | a & c | b & c };
        let gg = if early { e ^ f ^ g } else { e & f | !e & g };
        let x = w[k as usize] ^ w[k as usize + 4];
        let tt1 = ff.wrapping_add(d).wrapping_add(ss1 ^ rotated).wrapping_add(x);
        let tt2 = gg.wrapping_add(h).wrapping_add(ss1).wrapping_add(w[k as usize]);
        (d, c, b, a) = (c, b.rotate_left(9), a, tt1);
        (h, g, f, e) = (g, f.rotate_left(19), e, p0(tt2));
    }
    [a, b, c, d, e, f, g, h].map(u32::swap_bytes)
}

impl Unit<'_> {
    fn quad(&self, reg: u32, group: usize) -> u128 {
        let at = reg as usize * self.vlenb + 16 * group;
        u128::from_le_bytes(self.r[at..at + 16].try_into().expect("16 bytes"))
    }

    fn put_quad(&mut self, reg: u32, group: usize, v: u128) {
        let at = reg as usize * self.vlenb + 16 * group;
        self.r[at..at + 16].copy_from_slice(&v.to_le_bytes());
    }

    fn elements<const N: usize>(&self, reg: u32, group: usize) -> [u64; N] {
        std::array::from_fn(|i| self.get(reg, N * group + i, self.sew))
    }

    fn put_elements(&mut self, reg: u32, group: usize, v: &[u64]) {
        for (i, &x) in v.iter().enumerate() {
            self.put(reg, v.len() * group + i, self.sew, x);
        }
    }

    /// vd = f(vd, vs2) by groups of 128 bits; `scalar` takes vs2's first group always.
    fn quads(&mut self, scalar: bool, f: impl Fn(u128, u128) -> u128) -> Result<bool, Stop> {
        for g in self.groups(4)? {
            let (d, s) = (self.quad(self.f.vd, g), self.quad(self.f.vs2, if scalar { 0 } else { g }));
            self.put_quad(self.f.vd, g, f(d, s));
        }
        Ok(true)
    }

    fn sha(
        &mut self,
        small: impl Fn([u32; 4], [u32; 4], [u32; 4]) -> [u32; 4],
        large: impl Fn([u64; 4], [u64; 4], [u64; 4]) -> [u64; 4],
    ) -> Result<bool, Stop> {
        for g in self.groups(4)? {
            let [d, a, b] = [self.f.vd, self.f.vs2, self.f.vs1].map(|r| self.elements::<4>(r, g));
            let r = if self.sew == 2 {
                let [d, a, b] = [d, a, b].map(|v| v.map(|x| x as u32));
                small(d, a, b).map(u64::from)
            } else {
                large(d, a, b)
            };
            self.put_elements(self.f.vd, g, &r);
        }
        Ok(true)
    }

    /// False if it is none of these. A length that is no multiple of the group is illegal.
    pub fn crypto(&mut self, insn: Vector) -> Result<bool, Stop> {
        use Vector as V;
        let imm = self.f.vs1;
        match insn {
            V::VaesemVv(_) => self.quads(false, |d, k| op(Op::AesMc, &[op(Op::AesEnc, &[d])]) ^ k),
            V::VaesemVs(_) => self.quads(true, |d, k| op(Op::AesMc, &[op(Op::AesEnc, &[d])]) ^ k),
            V::VaesefVv(_) => self.quads(false, |d, k| op(Op::AesEnc, &[d]) ^ k),
            V::VaesefVs(_) => self.quads(true, |d, k| op(Op::AesEnc, &[d]) ^ k),
            V::VaesdmVv(_) => self.quads(false, |d, k| op(Op::AesImc, &[op(Op::AesDec, &[d]) ^ k])),
            V::VaesdmVs(_) => self.quads(true, |d, k| op(Op::AesImc, &[op(Op::AesDec, &[d]) ^ k])),
            V::VaesdfVv(_) => self.quads(false, |d, k| op(Op::AesDec, &[d]) ^ k),
            V::VaesdfVs(_) => self.quads(true, |d, k| op(Op::AesDec, &[d]) ^ k),
            V::VaeszVs(_) => self.quads(true, |d, k| d ^ k),
            V::Vaeskf1(_) => self.quads(false, |_, s| key_forward_1(s, imm)),
            V::Vaeskf2(_) => self.quads(false, |d, s| key_forward_2(d, s, imm)),
            V::Vgmul(_) => self.quads(false, gcm_product),
            V::Vghsh(_) => {
                for g in self.groups(4)? {
                    let y = self.quad(self.f.vd, g) ^ self.quad(self.f.vs1, g);
                    let v = gcm_product(y, self.quad(self.f.vs2, g));
                    self.put_quad(self.f.vd, g, v);
                }
                Ok(true)
            }
            V::Vsha2ms(_) => self.sha(schedule, schedule),
            V::Vsha2ch(_) => {
                self.sha(|d, a, w| compress(d, a, [w[2], w[3]]), |d, a, w| compress(d, a, [w[2], w[3]]))
            }
            V::Vsha2cl(_) => {
                self.sha(|d, a, w| compress(d, a, [w[0], w[1]]), |d, a, w| compress(d, a, [w[0], w[1]]))
            }
            V::Vsm4rVv(_) => self.quads(false, |d, k| op(Op::Sm4E, &[d, k])),
            V::Vsm4rVs(_) => self.quads(true, |d, k| op(Op::Sm4E, &[d, k])),
            V::Vsm4k(_) => {
                let round = 4 * (imm & 7);
                let constant =
                    |i: u32| u32::from_be_bytes(std::array::from_fn(|j| ((4 * i + j as u32) * 7) as u8));
                let ck = join(std::array::from_fn(|i| constant(round + i as u32)));
                self.quads(false, |_, s| op(Op::Sm4Ekey, &[s, ck]))
            }
            V::Vsm3me(_) => {
                for g in self.groups(8)? {
                    let [a, b] = [self.f.vs1, self.f.vs2].map(|r| self.elements::<8>(r, g).map(|x| x as u32));
                    let r = sm3_expand(a, b).map(u64::from);
                    self.put_elements(self.f.vd, g, &r);
                }
                Ok(true)
            }
            V::Vsm3c(_) => {
                for g in self.groups(8)? {
                    let [d, m] = [self.f.vd, self.f.vs2].map(|r| self.elements::<8>(r, g).map(|x| x as u32));
                    let r = sm3_compress(d, m, imm).map(u64::from);
                    self.put_elements(self.f.vd, g, &r);
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
