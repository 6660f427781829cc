//! An operation's identity as three words, for files: what an interned descriptor holds. Input: an [`Inst`] without its
//! arguments, or words from anywhere; output: the other. Words that are no operation decode to nothing.

use crate::*;

const TYPES: [Type; 5] = [Type::Void, Type::I32, Type::I64, Type::V128, Type::Flags];
const ORDERS: [Order; 4] = [Order::Relaxed, Order::Acquire, Order::Release, Order::AcqRel];
const ROUNDS: [Round; 7] =
    [Round::Dynamic, Round::Nearest, Round::Zero, Round::Down, Round::Up, Round::NearestAway, Round::Odd];
const NANS: [NanRule; 3] = [NanRule::Arm, NanRule::Default, NanRule::X86];
const RMWS: [Rmw; 10] = [
    Rmw::Add,
    Rmw::AndNot,
    Rmw::And,
    Rmw::Or,
    Rmw::Xor,
    Rmw::SMax,
    Rmw::SMin,
    Rmw::UMax,
    Rmw::UMin,
    Rmw::Swap,
];

fn at<T: PartialEq>(all: &[T], v: &T) -> u8 {
    all.iter().position(|x| x == v).expect("the list is complete") as u8
}

fn mem(m: &Mem) -> [u8; 7] {
    // All fields by name, so that a new one is not forgotten.
    let Mem { size, ext, big_endian, order, aligned, within16, scale } = *m;
    let ext = u8::from(ext == Ext::Sign);
    let [big_endian, aligned, within16] = [big_endian, aligned, within16].map(u8::from);
    [size as u8, ext, big_endian, at(&ORDERS, &order), aligned, scale, within16]
}

fn fp(f: &Fp) -> [u8; 5] {
    let r = f.rules;
    let bools = [r.tiny_before, r.flush_in, r.flush_out, r.flush_half, r.alternate];
    let bits = bools.iter().enumerate().fold(0, |n, (i, &b)| n | u8::from(b) << i);
    [f.shape.lane as u8, f.shape.lanes, at(&ROUNDS, &f.round), at(&NANS, &r.nan), bits]
}

fn flag(b: u8) -> Option<bool> {
    (b < 2).then_some(b == 1)
}

fn size(b: u8) -> Option<Size> {
    Size::from_log2(b.into())
}

fn shape(b: &[u8]) -> Option<Shape> {
    let lane = size(b[0])?;
    (1..=16).contains(&b[1]).then_some(Shape { lane, lanes: b[1] })
}

fn mem_of(b: &[u8]) -> Option<Mem> {
    Some(Mem {
        size: size(b[0])?,
        ext: if flag(b[1])? { Ext::Sign } else { Ext::Zero },
        big_endian: flag(b[2])?,
        order: *ORDERS.get(usize::from(b[3]))?,
        aligned: flag(b[4])?,
        scale: (b[5] <= 4).then_some(b[5])?,
        within16: flag(b[6])?,
    })
}

fn fp_of(b: &[u8]) -> Option<Fp> {
    if b[4] >= 32 {
        return None;
    }
    let bit = |n: u8| b[4] >> n & 1 == 1;
    Some(Fp {
        shape: shape(b)?,
        round: *ROUNDS.get(usize::from(b[2]))?,
        rules: FpRules {
            nan: *NANS.get(usize::from(b[3]))?,
            tiny_before: bit(0),
            flush_in: bit(1),
            flush_out: bit(2),
            flush_half: bit(3),
            alternate: bit(4),
        },
    })
}

impl Inst {
    /// Operation, type, attribute and immediate as words; arguments are left out.
    pub fn to_words(&self) -> [u64; 3] {
        let mut b = [0u8; 8];
        let kind = match &self.attr {
            Attr::None => 0,
            Attr::Mem(m) => {
                b[..7].copy_from_slice(&mem(m));
                1
            }
            Attr::Rmw(m, r) => {
                b[..7].copy_from_slice(&mem(m));
                b[7] = at(&RMWS, r);
                2
            }
            Attr::Vec(s) => {
                b[..2].copy_from_slice(&[s.lane as u8, s.lanes]);
                3
            }
            Attr::Fp(f) => {
                b[..5].copy_from_slice(&fp(f));
                4
            }
            Attr::FpCvt(f, s) => {
                b[..5].copy_from_slice(&fp(f));
                b[5] = *s as u8;
                5
            }
            Attr::Cc(c) => {
                b[0] = *c as u8;
                6
            }
            Attr::Slot(s) => {
                b[..2].copy_from_slice(&s.0.to_le_bytes());
                7
            }
            Attr::Helper(h) => {
                b[..2].copy_from_slice(&h.0.to_le_bytes());
                8
            }
        };
        let head = self.op as u64 | u64::from(at(&TYPES, &self.ty)) << 16 | kind << 24;
        [head, u64::from_le_bytes(b), self.imm]
    }

    /// The inverse of [`Inst::to_words`] for a guest with so many slots and helpers.
    pub fn from_words(words: [u64; 3], slots: usize, helpers: usize) -> Option<Inst> {
        let [head, payload, imm] = words;
        let op = *Op::ALL.get((head & 0xffff) as usize)?;
        let ty = *TYPES.get((head >> 16 & 0xff) as usize)?;
        let b = payload.to_le_bytes();
        let index = u16::from_le_bytes([b[0], b[1]]);
        let attr = match head >> 24 {
            0 => Attr::None,
            1 => Attr::Mem(mem_of(&b)?),
            2 => Attr::Rmw(mem_of(&b)?, *RMWS.get(usize::from(b[7]))?),
            3 => Attr::Vec(shape(&b)?),
            4 => Attr::Fp(fp_of(&b)?),
            5 => Attr::FpCvt(fp_of(&b)?, size(b[5])?),
            6 => Attr::Cc(*Cc::ALL.get(usize::from(b[0]))?),
            7 => Attr::Slot((usize::from(index) < slots).then_some(SlotId(index))?),
            8 => Attr::Helper((usize::from(index) < helpers).then_some(HelperId(index))?),
            _ => return None,
        };
        let kind = match attr {
            Attr::None => AttrKind::None,
            Attr::Mem(_) => AttrKind::Mem,
            Attr::Rmw(..) => AttrKind::Rmw,
            Attr::Vec(_) => AttrKind::Vec,
            Attr::Fp(_) => AttrKind::Fp,
            Attr::FpCvt(..) => AttrKind::FpCvt,
            Attr::Cc(_) => AttrKind::Cc,
            Attr::Slot(_) => AttrKind::Slot,
            Attr::Helper(_) => AttrKind::Helper,
        };
        (op.info().attr == kind).then_some(Inst { op, ty, attr, args: [Val::NONE; 4], imm })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Rng;

    #[test]
    fn words_and_operations_are_inverses() {
        // Random words: what decodes must encode to the same words; and enough of them must decode.
        let mut rng = Rng::new(7);
        let mut decoded = 0;
        for _ in 0..2_000_000 {
            let r = rng.bits();
            let op = r % (Op::ALL.len() as u64 + 3);
            let kind = r >> 16 & 15;
            let head = op | ((r >> 32) % 6) << 16 | kind << 24;
            let mut payload = rng.bits() & 0x0707_0707_0707_0707;
            if kind == 3 {
                payload &= 0xffff;
            }
            let words = [head, payload, rng.bits()];
            if let Some(inst) = Inst::from_words(words, 64, 64) {
                let again = inst.to_words();
                assert_eq!(Inst::from_words(again, 64, 64), Some(inst));
                assert_eq!((again[0], again[2]), (words[0], words[2]));
                decoded += 1;
            }
        }
        assert!(decoded > 1000, "only {decoded} of the words were operations");
        assert_eq!(Inst::from_words([Op::ALL.len() as u64, 0, 0], 1, 1), None);
        assert_eq!(Inst::from_words([Op::Get as u64 | 2 << 16 | 7 << 24, 64, 0], 64, 0), None);
    }
}
