//! Inline code for the hash operations: SHA-1 and SHA-256 through the host's SHA extensions, SHA-512 by vectors.
//!
//! The guest keeps the first word of the state in lane 0 and splits it a b c d | e f g h; the host has it in lane 3 and
//! splits a b e f | c d g h. The host's SHA-1 rounds add the round constant that the guest has already added to the
//! message, so it is taken off again. What must hold: see `emit_vec`.

use crate::asm::{V, Xmm};
use crate::emit_vec::{VecCx, splat};
use ir::{Inst, Op};

/// Reverses the four words.
const REVERSE: u8 = 0x1b;

impl VecCx<'_> {
    /// Emits a hash operation; false (and no code) if there is no inline form on this host.
    pub fn hash(&mut self, inst: &Inst, d: Xmm, [a, b, c]: [Xmm; 3]) -> bool {
        use V::*;
        let ([t0, t1], [x0, x1]) = (self.t, self.x);
        let sha = self.a.feat.sha;
        match inst.op {
            Op::Sha1Su0 => {
                self.a.v3i(Palignr, t0, b, a, 8);
                self.a.v3(Pxor, t0, t0, a);
                self.a.v3(Pxor, d, t0, c);
            }
            Op::Sha1Su1 => {
                self.a.vsh(PsrldqI, t0, b, 4);
                self.a.v3(Pxor, t0, t0, a);
                self.rotate_left(t0, t1);
                // Word 3 depends on the new word 0.
                self.a.vsh(PslldqI, t1, t0, 12);
                self.rotate_left(t1, x0);
                self.a.v3(Pxor, d, t0, t1);
            }
            Op::Sha1C if sha => self.sha1(0, 0x5a82_7999, d, [a, b, c]),
            Op::Sha1P if sha => self.sha1(1, 0x6ed9_eba1, d, [a, b, c]),
            Op::Sha1M if sha => self.sha1(2, 0x8f1b_bcdc, d, [a, b, c]),
            Op::Sha256H if sha => self.sha256(true, d, [a, b, c]),
            Op::Sha256H2 if sha => self.sha256(false, d, [b, a, c]),
            Op::Sha256Two if sha => {
                // The message goes to the register that the instruction implies.
                self.a.vmov(x0, a);
                self.a.vmov(t1, b);
                self.a.vmov(t0, c);
                self.a.v3(Sha256rnds2, x0, x0, t1);
                self.a.vmov(d, x0);
            }
            Op::Sha256Su0 if sha => {
                self.a.vmov(t0, a);
                self.a.vmov(t1, b);
                self.a.v3(Sha256msg1, t0, t0, t1);
                self.a.vmov(d, t0);
            }
            Op::Sha256Su1 if sha => {
                self.a.v3i(Palignr, x1, c, b, 4);
                self.a.v3(Paddd, x1, x1, a);
                self.a.vmov(t1, c);
                self.a.v3(Sha256msg2, x1, x1, t1);
                self.a.vmov(d, x1);
            }
            _ => return self.sha512(inst.op, d, [a, b, c]),
        }
        true
    }

    /// Words rotated left by one.
    fn rotate_left(&mut self, v: Xmm, t: Xmm) {
        self.a.vsh(V::PslldI, t, v, 1);
        self.a.vsh(V::PsrldI, v, v, 31);
        self.a.v3(V::Por, v, v, t);
    }

    fn sha1(&mut self, function: u8, constant: u32, d: Xmm, [a, b, c]: [Xmm; 3]) {
        use V::*;
        let ([t0, t1], [x0, x1]) = (self.t, self.x);
        let minus = self.pool.get(self.a, splat(constant.wrapping_neg().into(), 4));
        self.a.v2(Movaps, t0, minus);
        self.a.v3(Paddd, t0, t0, c);
        self.a.v2i(Pshufd, t0, t0, REVERSE);
        // The fifth word is added to the first message word.
        self.a.vsh(PslldqI, t1, b, 12);
        self.a.v3(Paddd, t0, t0, t1);
        self.a.v2i(Pshufd, x0, a, REVERSE);
        self.a.vmov(x1, x0);
        self.a.v3i(Sha1rnds4, x1, x1, t0, function);
        self.a.v2i(Pshufd, d, x1, REVERSE);
    }

    /// Four rounds on `x` = a b c d, `y` = e f g h; the new a b c d (`first`) or e f g h.
    fn sha256(&mut self, first: bool, d: Xmm, [x, y, m]: [Xmm; 3]) {
        use V::*;
        let ([wk, t1], [x0, x1]) = (self.t, self.x);
        debug_assert_eq!(wk, Xmm(0), "the rounds take the message in xmm0");
        self.a.v2i(Pshufd, t1, x, REVERSE);
        self.a.v2i(Pshufd, x1, y, REVERSE);
        // abef, cdgh
        self.a.vmov(x0, x1);
        self.a.v3(Punpckhqdq, x0, x0, t1);
        self.a.v3(Punpcklqdq, x1, x1, t1);
        self.a.vmov(wk, m);
        self.a.v3(Sha256rnds2, x1, x1, x0);
        self.a.v2i(Pshufd, wk, m, 0x0e);
        self.a.v3(Sha256rnds2, x0, x0, x1);
        self.a.v3(if first { Punpckhqdq } else { Punpcklqdq }, x1, x1, x0);
        self.a.v2i(Pshufd, d, x1, REVERSE);
    }
}

/// SHA-512: no host extension, but few vector instructions each.
impl VecCx<'_> {
    /// 64-bit lanes rotated right, in place.
    fn rotate_right(&mut self, v: Xmm, n: u8, t: Xmm) {
        if self.a.has_v(V::VprorqI) {
            self.a.vsh(V::VprorqI, v, v, n);
            return;
        }
        self.a.vsh(V::PsllqI, t, v, 64 - n);
        self.a.vsh(V::PsrlqI, v, v, n);
        self.a.v3(V::Por, v, v, t);
    }

    /// `y` = `x` rotated by c, b + c and a + b + c, combined by exclusive or.
    fn sigma(&mut self, y: Xmm, x: Xmm, t: Xmm, [a, b, c]: [u8; 3]) {
        self.a.vmov(y, x);
        self.rotate_right(y, a, t);
        self.a.v3(V::Pxor, y, y, x);
        self.rotate_right(y, b, t);
        self.a.v3(V::Pxor, y, y, x);
        self.rotate_right(y, c, t);
    }

    /// One of the four operations.
    pub fn sha512(&mut self, op: Op, d: Xmm, [a, b, c]: [Xmm; 3]) -> bool {
        use V::*;
        let ([t0, t1], [x0, x1]) = (self.t, self.x);
        match op {
            Op::Sha512H => {
                // First round in the low lane: choose(c.hi, b.lo, b.hi) + sigma(c.hi) + a.hi.
                self.a.vsh(PsrldqI, t0, c, 8);
                self.sigma(t1, t0, x1, [23, 4, 14]);
                self.a.vsh(PsrldqI, x0, b, 8);
                self.a.vmov(x1, x0);
                self.a.v3(Pxor, x1, x1, b);
                self.a.v3(Pand, x1, x1, t0);
                self.a.v3(Pxor, x1, x1, x0);
                self.a.v3(Paddq, t1, t1, x1);
                self.a.vsh(PsrldqI, x1, a, 8);
                self.a.v3(Paddq, t1, t1, x1);
                // Second round on x1 = first + c.lo: choose(x1, c.hi, b.lo) + sigma(x1) + a.lo.
                self.a.vmov(x1, t1);
                self.a.v3(Paddq, x1, x1, c);
                self.a.v3(Pxor, t0, t0, b);
                self.a.v3(Pand, t0, t0, x1);
                self.a.v3(Pxor, t0, t0, b);
                self.a.v3(Paddq, t0, t0, a);
                // All sources have been read: the destination is scratch.
                self.sigma(x0, x1, d, [23, 4, 14]);
                self.a.v3(Paddq, t0, t0, x0);
                self.a.v3(Punpcklqdq, d, t0, t1);
            }
            Op::Sha512H2 => {
                // majority(b.lo, c.hi, c.lo) + sigma(c.lo) + a.hi
                self.a.vsh(PsrldqI, t0, c, 8);
                self.sigma(t1, c, x0, [5, 6, 28]);
                self.majority(x1, x0, [t0, b, c]);
                self.a.v3(Paddq, t1, t1, x1);
                self.a.vsh(PsrldqI, x1, a, 8);
                self.a.v3(Paddq, t1, t1, x1);
                // majority(first, c.lo, c.hi) + sigma(first) + a.lo
                self.majority(x1, x0, [t1, c, t0]);
                self.a.v3(Paddq, x1, x1, a);
                self.sigma(t0, t1, x0, [5, 6, 28]);
                self.a.v3(Paddq, t0, t0, x1);
                self.a.v3(Punpcklqdq, d, t0, t1);
            }
            Op::Sha512Su0 => {
                self.a.v3i(Palignr, t0, b, a, 8);
                self.small_sigma(t1, t0, x1, [7, 1, 7]);
                self.a.v3(Paddq, d, t1, a);
            }
            Op::Sha512Su1 => {
                self.a.vmov(t0, b);
                self.small_sigma(t1, t0, x1, [42, 19, 6]);
                self.a.v3(Paddq, t1, t1, a);
                self.a.v3(Paddq, d, t1, c);
            }
            _ => return false,
        }
        true
    }

    /// `r` = bits set in at least two of three; `t` is scratch.
    fn majority(&mut self, r: Xmm, t: Xmm, [p, q, s]: [Xmm; 3]) {
        self.a.vmov(t, p);
        self.a.v3(V::Pand, t, t, q);
        self.a.vmov(r, p);
        self.a.v3(V::Por, r, r, q);
        self.a.v3(V::Pand, r, r, s);
        self.a.v3(V::Por, r, r, t);
    }

    /// `y` = `x` rotated by b and a + b and shifted by c, combined by exclusive or; destroys `x`.
    fn small_sigma(&mut self, y: Xmm, x: Xmm, t: Xmm, [a, b, c]: [u8; 3]) {
        self.a.vmov(y, x);
        self.rotate_right(y, a, t);
        self.a.v3(V::Pxor, y, y, x);
        self.rotate_right(y, b, t);
        self.a.vsh(V::PsrlqI, x, x, c);
        self.a.v3(V::Pxor, y, y, x);
    }
}
