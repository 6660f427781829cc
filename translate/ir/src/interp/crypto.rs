//! Cryptographic operations: AES (FIPS 197), SHA-1/256/512 (FIPS 180-4), SM3 (GB/T 32905) and SM4 (GB/T 32907) steps.

use super::vec::get;

/// Multiplies in GF(2^8) with the given reduction polynomial (low 8 bits).
const fn gf_mul(a: u8, b: u8, poly: u8) -> u8 {
    let (mut a, mut b, mut r) = (a, b, 0);
    while b != 0 {
        if b & 1 != 0 {
            r ^= a;
        }
        a = (a << 1) ^ if a & 0x80 != 0 { poly } else { 0 };
        b >>= 1;
    }
    r
}

const fn gf_inverse(a: u8, poly: u8) -> u8 {
    // a^254
    let (mut r, mut base, mut e) = (1, a, 254u8);
    while e != 0 {
        if e & 1 != 0 {
            r = gf_mul(r, base, poly);
        }
        base = gf_mul(base, base, poly);
        e >>= 1;
    }
    r
}

const AES_POLY: u8 = 0x1b;

const fn aes_sbox() -> [u8; 256] {
    let mut t = [0; 256];
    let mut i = 0;
    while i < 256 {
        let x = gf_inverse(i as u8, AES_POLY);
        t[i] = x ^ x.rotate_left(1) ^ x.rotate_left(2) ^ x.rotate_left(3) ^ x.rotate_left(4) ^ 0x63;
        i += 1;
    }
    t
}

const fn inverse(s: &[u8; 256]) -> [u8; 256] {
    let mut t = [0; 256];
    let mut i = 0;
    while i < 256 {
        t[s[i] as usize] = i as u8;
        i += 1;
    }
    t
}

/// The affine map of SM4's S-box: a circulant matrix and a constant.
const fn sm4_affine(x: u8) -> u8 {
    let mut r = 0;
    let mut i = 0;
    while i < 8 {
        // Row i of the matrix.
        let row = 0xa7u8.rotate_left(i);
        r |= ((row & x).count_ones() as u8 & 1) << i;
        i += 1;
    }
    r ^ 0xd3
}

const fn sm4_sbox() -> [u8; 256] {
    let mut t = [0; 256];
    let mut i = 0;
    while i < 256 {
        t[i] = sm4_affine(gf_inverse(sm4_affine(i as u8), 0xf5));
        i += 1;
    }
    t
}

static AES_SBOX: [u8; 256] = aes_sbox();
static AES_INV: [u8; 256] = inverse(&aes_sbox());
static SM4_SBOX: [u8; 256] = sm4_sbox();

/// SubBytes(ShiftRows(a)).
pub(super) fn aes_enc(a: u128) -> u128 {
    let a = a.to_le_bytes();
    let mut r = [0; 16];
    for (i, r) in r.iter_mut().enumerate() {
        *r = AES_SBOX[a[(i + 4 * (i % 4)) % 16] as usize];
    }
    u128::from_le_bytes(r)
}

/// InvSubBytes(InvShiftRows(a)).
pub(super) fn aes_dec(a: u128) -> u128 {
    let a = a.to_le_bytes();
    let mut r = [0; 16];
    for (i, r) in r.iter_mut().enumerate() {
        *r = AES_INV[a[(i + 12 * (i % 4)) % 16] as usize];
    }
    u128::from_le_bytes(r)
}

fn mix(a: u128, coefficients: [u8; 4]) -> u128 {
    let a = a.to_le_bytes();
    let mut r = [0; 16];
    for (i, r) in r.iter_mut().enumerate() {
        let column = i & !3;
        for (k, &c) in coefficients.iter().enumerate() {
            *r ^= gf_mul(a[column + (i + k) % 4], c, AES_POLY);
        }
    }
    u128::from_le_bytes(r)
}

pub(super) fn aes_mix(a: u128) -> u128 {
    mix(a, [2, 3, 1, 1])
}

pub(super) fn aes_inv_mix(a: u128) -> u128 {
    mix(a, [14, 11, 13, 9])
}

#[inline]
fn word(a: u128, i: u32) -> u32 {
    get(a, 32, i) as u32
}

#[inline]
fn words(w: [u32; 4]) -> u128 {
    w.iter().rev().fold(0, |r, &x| r << 32 | u128::from(x))
}

#[inline]
fn unpack(a: u128) -> [u32; 4] {
    [word(a, 0), word(a, 1), word(a, 2), word(a, 3)]
}

pub(super) fn choose(x: u32, y: u32, z: u32) -> u32 {
    ((y ^ z) & x) ^ z
}

pub(super) fn parity(x: u32, y: u32, z: u32) -> u32 {
    x ^ y ^ z
}

pub(super) fn majority(x: u32, y: u32, z: u32) -> u32 {
    (x & y) | ((x | y) & z)
}

/// Four SHA-1 rounds with the given function.
pub(super) fn sha1(d: u128, n: u128, m: u128, f: fn(u32, u32, u32) -> u32) -> u128 {
    let mut x = unpack(d);
    let mut y = word(n, 0);
    for e in 0..4 {
        let t = f(x[1], x[2], x[3]);
        y = y.wrapping_add(x[0].rotate_left(5)).wrapping_add(t).wrapping_add(word(m, e));
        x[1] = x[1].rotate_left(30);
        let top = x[3];
        x = [y, x[0], x[1], x[2]];
        y = top;
    }
    words(x)
}

pub(super) fn sha1_su0(d: u128, n: u128, m: u128) -> u128 {
    (n << 64 | d >> 64) ^ d ^ m
}

pub(super) fn sha1_su1(d: u128, n: u128) -> u128 {
    let t = unpack(d ^ (n >> 32));
    words([
        t[0].rotate_left(1),
        t[1].rotate_left(1),
        t[2].rotate_left(1),
        t[3].rotate_left(1) ^ t[0].rotate_left(2),
    ])
}

/// Four SHA-256 rounds; the first half of the state with `first`, else the second.
pub(super) fn sha256(x: u128, y: u128, w: u128, first: bool) -> u128 {
    let (mut x, mut y) = (unpack(x), unpack(y));
    for e in 0..4 {
        let s1 = y[0].rotate_right(6) ^ y[0].rotate_right(11) ^ y[0].rotate_right(25);
        let t = y[3].wrapping_add(s1).wrapping_add(choose(y[0], y[1], y[2])).wrapping_add(word(w, e));
        let s0 = x[0].rotate_right(2) ^ x[0].rotate_right(13) ^ x[0].rotate_right(22);
        let new_x = t.wrapping_add(x[3]);
        let new_y = t.wrapping_add(s0).wrapping_add(majority(x[0], x[1], x[2]));
        // The eight words y:x rotate by one.
        (x, y) = ([new_y, x[0], x[1], x[2]], [new_x, y[0], y[1], y[2]]);
    }
    words(if first { x } else { y })
}

/// Two rounds on a state split as h g d c and f e b a; the second half afterwards (the first is the old second).
pub(super) fn sha256_two(hgdc: u128, feba: u128, w: u128) -> u128 {
    let [h, g, d, c] = unpack(hgdc);
    let [f, e, b, a] = unpack(feba);
    let (mut x, mut y) = ([a, b, c, d], [e, f, g, h]);
    for i in 0..2 {
        let s1 = y[0].rotate_right(6) ^ y[0].rotate_right(11) ^ y[0].rotate_right(25);
        let t = y[3].wrapping_add(s1).wrapping_add(choose(y[0], y[1], y[2])).wrapping_add(word(w, i));
        let s0 = x[0].rotate_right(2) ^ x[0].rotate_right(13) ^ x[0].rotate_right(22);
        let new = t.wrapping_add(s0).wrapping_add(majority(x[0], x[1], x[2]));
        y = [x[3].wrapping_add(t), y[0], y[1], y[2]];
        x = [new, x[0], x[1], x[2]];
    }
    words([y[1], y[0], x[1], x[0]])
}

pub(super) fn sha256_su0(d: u128, n: u128) -> u128 {
    let t = unpack(n << 96 | d >> 32);
    let d = unpack(d);
    words(std::array::from_fn(|e| {
        d[e].wrapping_add(t[e].rotate_right(7) ^ t[e].rotate_right(18) ^ (t[e] >> 3))
    }))
}

pub(super) fn sha256_su1(d: u128, n: u128, m: u128) -> u128 {
    let (dw, t0, t1) = (unpack(d), unpack(m << 96 | n >> 32), unpack(m));
    let mut r = [0u32; 4];
    for e in 0..4 {
        let x = if e < 2 { t1[e + 2] } else { r[e - 2] };
        let s = x.rotate_right(17) ^ x.rotate_right(19) ^ (x >> 10);
        r[e] = s.wrapping_add(dw[e]).wrapping_add(t0[e]);
    }
    words(r)
}

fn pair(a: u128) -> (u64, u64) {
    (a as u64, (a >> 64) as u64)
}

fn join(lo: u64, hi: u64) -> u128 {
    u128::from(hi) << 64 | u128::from(lo)
}

pub(super) fn sha512_h(d: u128, n: u128, m: u128) -> u128 {
    let ((w0, w1), (x0, x1), (y0, y1)) = (pair(d), pair(n), pair(m));
    let sigma = |x: u64| x.rotate_right(14) ^ x.rotate_right(18) ^ x.rotate_right(41);
    let hi = ((y1 & x0) ^ (!y1 & x1)).wrapping_add(sigma(y1)).wrapping_add(w1);
    let tmp = hi.wrapping_add(y0);
    let lo = ((tmp & y1) ^ (!tmp & x0)).wrapping_add(sigma(tmp)).wrapping_add(w0);
    join(lo, hi)
}

pub(super) fn sha512_h2(d: u128, n: u128, m: u128) -> u128 {
    let ((w0, w1), (x0, _), (y0, y1)) = (pair(d), pair(n), pair(m));
    let sigma = |x: u64| x.rotate_right(28) ^ x.rotate_right(34) ^ x.rotate_right(39);
    let hi = ((x0 & y1) ^ (x0 & y0) ^ (y1 & y0)).wrapping_add(sigma(y0)).wrapping_add(w1);
    let lo = ((hi & y0) ^ (hi & y1) ^ (y1 & y0)).wrapping_add(sigma(hi)).wrapping_add(w0);
    join(lo, hi)
}

pub(super) fn sha512_su0(d: u128, n: u128) -> u128 {
    let ((w0, w1), (x0, _)) = (pair(d), pair(n));
    let sigma = |x: u64| x.rotate_right(1) ^ x.rotate_right(8) ^ (x >> 7);
    join(w0.wrapping_add(sigma(w1)), w1.wrapping_add(sigma(x0)))
}

pub(super) fn sha512_su1(d: u128, n: u128, m: u128) -> u128 {
    let ((w0, w1), (x0, x1), (y0, y1)) = (pair(d), pair(n), pair(m));
    let sigma = |x: u64| x.rotate_right(19) ^ x.rotate_right(61) ^ (x >> 6);
    join(w0.wrapping_add(sigma(x0)).wrapping_add(y0), w1.wrapping_add(sigma(x1)).wrapping_add(y1))
}

fn sm3_p1(x: u32) -> u32 {
    x ^ x.rotate_left(15) ^ x.rotate_left(23)
}

pub(super) fn sm3_part_w1(d: u128, n: u128, m: u128) -> u128 {
    let (x, m) = (unpack(d ^ n), unpack(m));
    let mut r = [0; 4];
    for i in 0..3 {
        r[i] = sm3_p1(x[i] ^ m[i + 1].rotate_left(15));
    }
    r[3] = sm3_p1(x[3] ^ r[0].rotate_left(15));
    words(r)
}

pub(super) fn sm3_part_w2(d: u128, n: u128, m: u128) -> u128 {
    let (d, n, m) = (unpack(d), unpack(n), unpack(m));
    let tmp: [u32; 4] = std::array::from_fn(|i| n[i] ^ m[i].rotate_left(7));
    let mut r: [u32; 4] = std::array::from_fn(|i| d[i] ^ tmp[i]);
    r[3] ^= sm3_p1(tmp[0].rotate_left(15));
    words(r)
}

pub(super) fn sm3_ss1(n: u128, m: u128, a: u128) -> u128 {
    let t = word(n, 3).rotate_left(12).wrapping_add(word(m, 3)).wrapping_add(word(a, 3));
    words([0, 0, 0, t.rotate_left(7)])
}

pub(super) fn sm3_tt1(d: u128, n: u128, m: u128, imm: u64, f: fn(u32, u32, u32) -> u32) -> u128 {
    let v = unpack(d);
    let ss2 = word(n, 3) ^ v[3].rotate_left(12);
    let t = f(v[3], v[1], v[2]).wrapping_add(v[0]).wrapping_add(ss2).wrapping_add(word(m, imm as u32 & 3));
    words([v[1], v[2].rotate_left(9), v[3], t])
}

pub(super) fn sm3_tt2(d: u128, n: u128, m: u128, imm: u64, f: fn(u32, u32, u32) -> u32) -> u128 {
    let v = unpack(d);
    let t =
        f(v[3], v[2], v[1]).wrapping_add(v[0]).wrapping_add(word(n, 3)).wrapping_add(word(m, imm as u32 & 3));
    words([v[1], v[2].rotate_left(19), v[3], t ^ t.rotate_left(9) ^ t.rotate_left(17)])
}

fn sm4_sub(x: u32) -> u32 {
    u32::from_le_bytes(x.to_le_bytes().map(|b| SM4_SBOX[b as usize]))
}

fn sm4_rounds(state: u128, keys: u128, linear: fn(u32) -> u32) -> u128 {
    let mut r = unpack(state);
    for e in 0..4 {
        let t = linear(sm4_sub(r[3] ^ r[2] ^ r[1] ^ word(keys, e))) ^ r[0];
        r = [r[1], r[2], r[3], t];
    }
    words(r)
}

pub(super) fn sm4_e(d: u128, n: u128) -> u128 {
    sm4_rounds(d, n, |x| x ^ x.rotate_left(2) ^ x.rotate_left(10) ^ x.rotate_left(18) ^ x.rotate_left(24))
}

pub(super) fn sm4_ekey(n: u128, m: u128) -> u128 {
    sm4_rounds(n, m, |x| x ^ x.rotate_left(13) ^ x.rotate_left(23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_boxes_have_their_published_corners() {
        assert_eq!((AES_SBOX[0], AES_SBOX[1], AES_SBOX[0x53], AES_SBOX[255]), (0x63, 0x7c, 0xed, 0x16));
        assert_eq!(
            (SM4_SBOX[0], SM4_SBOX[1], SM4_SBOX[2], SM4_SBOX[0xef], SM4_SBOX[255]),
            (0xd6, 0x90, 0xe9, 0x84, 0x48)
        );
    }

    #[test]
    fn aes_vector_of_fips_197() {
        // Appendix B, first round: from the state after key addition to the state after MixColumns.
        let start = u128::from_le_bytes([
            0x19, 0x3d, 0xe3, 0xbe, 0xa0, 0xf4, 0xe2, 0x2b, 0x9a, 0xc6, 0x8d, 0x2a, 0xe9, 0xf8, 0x48, 0x08,
        ]);
        let shifted = u128::from_le_bytes([
            0xd4, 0xbf, 0x5d, 0x30, 0xe0, 0xb4, 0x52, 0xae, 0xb8, 0x41, 0x11, 0xf1, 0x1e, 0x27, 0x98, 0xe5,
        ]);
        let mixed = u128::from_le_bytes([
            0x04, 0x66, 0x81, 0xe5, 0xe0, 0xcb, 0x19, 0x9a, 0x48, 0xf8, 0xd3, 0x7a, 0x28, 0x06, 0x26, 0x4c,
        ]);
        assert_eq!(aes_enc(start), shifted);
        assert_eq!(aes_mix(shifted), mixed);
        assert_eq!(aes_inv_mix(mixed), shifted);
        assert_eq!(aes_dec(shifted), start);
    }

    /// The padded block of "abc", as big-endian words.
    fn abc() -> [u32; 16] {
        let mut w = [0; 16];
        w[0] = 0x6162_6380;
        w[15] = 24;
        w
    }

    #[test]
    fn sha1_of_abc() {
        let init = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
        let w = abc();
        let mut q: Vec<u128> = w.chunks(4).map(|c| words([c[0], c[1], c[2], c[3]])).collect();
        let mut abcd = words([init[0], init[1], init[2], init[3]]);
        let mut e = init[4];
        for i in 0..20 {
            if i >= 4 {
                let t = sha1_su0(q[i - 4], q[i - 3], q[i - 2]);
                q.push(sha1_su1(t, q[i - 1]));
            }
            let (k, f): (u32, fn(u32, u32, u32) -> u32) = match i / 5 {
                0 => (0x5a82_7999, choose),
                1 => (0x6ed9_eba1, parity),
                2 => (0x8f1b_bcdc, majority),
                _ => (0xca62_c1d6, parity),
            };
            let wk = words(unpack(q[i]).map(|x| x.wrapping_add(k)));
            let next_e = word(abcd, 0).rotate_left(30);
            abcd = sha1(abcd, e.into(), wk, f);
            e = next_e;
        }
        let out: Vec<u32> =
            unpack(abcd).iter().chain([&e]).zip(init).map(|(a, b)| a.wrapping_add(b)).collect();
        assert_eq!(out, [0xa999_3e36, 0x4706_816a, 0xba3e_2571, 0x7850_c26c, 0x9cd0_d89d]);
    }

    #[test]
    fn sha256_of_abc() {
        // The round constants are the fraction bits of the cube roots of the first 64 primes.
        let primes: Vec<u128> = (2u128..312).filter(|n| (2..*n).all(|d| n % d != 0)).take(64).collect();
        let root = |p: u128| {
            let (mut lo, mut hi) = (0u128, 1 << 36);
            while hi - lo > 1 {
                let mid = (lo + hi) / 2;
                if mid * mid * mid <= p << 96 { lo = mid } else { hi = mid }
            }
            lo as u32
        };
        let k: Vec<u32> = primes.iter().map(|&p| root(p)).collect();
        let init = [
            0x6a09_e667u32,
            0xbb67_ae85,
            0x3c6e_f372,
            0xa54f_f53a,
            0x510e_527f,
            0x9b05_688c,
            0x1f83_d9ab,
            0x5be0_cd19,
        ];
        let w = abc();
        let mut q: Vec<u128> = w.chunks(4).map(|c| words([c[0], c[1], c[2], c[3]])).collect();
        let mut x = words([init[0], init[1], init[2], init[3]]);
        let mut y = words([init[4], init[5], init[6], init[7]]);
        for i in 0..16 {
            if i >= 4 {
                let t = sha256_su0(q[i - 4], q[i - 3]);
                q.push(sha256_su1(t, q[i - 2], q[i - 1]));
            }
            let qw = unpack(q[i]);
            let wk = words(std::array::from_fn(|j| qw[j].wrapping_add(k[4 * i + j])));
            (x, y) = (sha256(x, y, wk, true), sha256(x, y, wk, false));
        }
        let out: Vec<u32> =
            unpack(x).iter().chain(&unpack(y)).zip(init).map(|(a, b)| a.wrapping_add(b)).collect();
        assert_eq!(
            out,
            [
                0xba78_16bf,
                0x8f01_cfea,
                0x4141_40de,
                0x5dae_2223,
                0xb003_61a3,
                0x9617_7a9c,
                0xb410_ff61,
                0xf200_15ad
            ]
        );
    }

    #[test]
    fn sha512_two_rounds() {
        // One double round against the definition with arbitrary state words a..h and k + w.
        let s: [u64; 8] = std::array::from_fn(|i| {
            0x9e37_79b9_7f4a_7c15u64.wrapping_mul(i as u64 + 3).rotate_left(i as u32)
        });
        let kw = [0x0123_4567_89ab_cdefu64, 0xfedc_ba98_7654_3210];
        let mut v = s;
        for kw in kw {
            let [a, b, c, d, e, f, g, h] = v;
            let s1 = e.rotate_right(14) ^ e.rotate_right(18) ^ e.rotate_right(41);
            let t1 = h.wrapping_add(s1).wrapping_add((e & f) ^ (!e & g)).wrapping_add(kw);
            let s0 = a.rotate_right(28) ^ a.rotate_right(34) ^ a.rotate_right(39);
            let t2 = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
            v = [t1.wrapping_add(t2), a, b, c, d.wrapping_add(t1), e, f, g];
        }
        let [a, b, c, d, e, f, g, h] = s;
        let sum = join(g.wrapping_add(kw[1]), h.wrapping_add(kw[0]));
        let t = sha512_h(sum, join(f, g), join(d, e));
        let new = sha512_h2(t, join(c, d), join(a, b));
        assert_eq!(new, join(v[0], v[1]));
        assert_eq!((t as u64).wrapping_add(c), v[4]);
        assert_eq!(((t >> 64) as u64).wrapping_add(d), v[5]);
    }

    #[test]
    fn sm4_standard_example() {
        let key = [0x0123_4567u32, 0x89ab_cdef, 0xfedc_ba98, 0x7654_3210];
        let fk = [0xa3b1_bac6u32, 0x56aa_3350, 0x677d_9197, 0xb270_22dc];
        let mut k = words(std::array::from_fn(|i| key[i] ^ fk[i]));
        let mut state = words(key);
        for i in 0..8u32 {
            // CK: byte j of word n is 7 * (4n + j).
            let ck: [u32; 4] = std::array::from_fn(|n| {
                (0..4).fold(0, |r, j| r << 8 | (((4 * (4 * i + n as u32) + j) * 7) & 0xff))
            });
            k = sm4_ekey(k, words(ck));
            state = sm4_e(state, k);
        }
        let mut out = unpack(state);
        out.reverse();
        assert_eq!(out, [0x681e_df34, 0xd206_965e, 0x86b3_e94f, 0x536e_4246]);
    }

    #[test]
    fn sm3_of_abc() {
        // A whole compression with the operations in the order that software uses them.
        let iv = [
            0x7380_166fu32,
            0x4914_b2b9,
            0x1724_42d7,
            0xda8a_0600,
            0xa96f_30bc,
            0x1631_38aa,
            0xe38d_ee4d,
            0xb0fb_0e4e,
        ];
        let mut q: Vec<u128> = abc().chunks(4).map(|c| words([c[0], c[1], c[2], c[3]])).collect();
        let ext = |a: u128, b: u128, n: u32| a >> (32 * n) | b << (128 - 32 * n);
        while q.len() < 17 {
            let i = q.len();
            let t = sm3_part_w1(q[i - 4], ext(q[i - 3], q[i - 2], 3), q[i - 1]);
            // The second step adds W[j-13] and W[j-6].
            q.push(sm3_part_w2(t, ext(q[i - 2], q[i - 1], 2), ext(q[i - 4], q[i - 3], 3)));
        }
        // State as the operations keep it: the newest word on top, older words rotated already.
        let mut v1 = words([iv[3], iv[2], iv[1], iv[0]]);
        let mut v2 = words([iv[7], iv[6], iv[5], iv[4]]);
        for j in 0..64u32 {
            let t = if j < 16 { 0x79cc_4519u32 } else { 0x7a87_9d8a };
            let ss1 = sm3_ss1(v1, v2, words([0, 0, 0, t.rotate_left(j % 32)]));
            let (w, i) = (q[j as usize / 4], u64::from(j % 4));
            let w2 = w ^ q[j as usize / 4 + 1];
            let ff: fn(u32, u32, u32) -> u32 = if j < 16 { parity } else { majority };
            let gg: fn(u32, u32, u32) -> u32 = if j < 16 { parity } else { choose };
            (v1, v2) = (sm3_tt1(v1, ss1, w2, i, ff), sm3_tt2(v2, ss1, w, i, gg));
        }
        let (mut a, mut b) = (unpack(v1), unpack(v2));
        a.reverse();
        b.reverse();
        let out: Vec<u32> = a.iter().chain(&b).zip(iv).map(|(x, y)| x ^ y).collect();
        assert_eq!(
            out,
            [
                0x66c7_f0f4,
                0x62ee_edd9,
                0xd1f2_d46b,
                0xdc10_e4e2,
                0x4167_c487,
                0x5cf2_f7a2,
                0x297d_a02b,
                0x8f4b_a8e0
            ]
        );
    }
}
