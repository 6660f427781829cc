//! What moves data between the chunks of a register: permutations, inserts, broadcasts, compress and expand, gather and scatter.

use super::helpers;
use super::operand::{Mask, chunks_of, full, imm8, number};
use crate::cpu;
use crate::operand::Ea;
use crate::trans::{Flow, Tr};
use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use ir::Size::{self, B, D, H, Q, S};
use ir::{Op, Type, Val};

impl Tr<'_> {
    /// Instructions of this file; `None` for others.
    pub(super) fn vector_cross(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic::*;
        match insn.mnemonic() {
            Vpermq | Vpermpd if insn.op2_kind() == OpKind::Immediate8 => self.permute_quads(insn),
            Vpermb => self.permute_any(insn, B),
            Vpermw => self.permute_any(insn, H),
            Vpermd | Vpermps => self.permute_any(insn, S),
            Vpermq | Vpermpd => self.permute_any(insn, D),
            Vpermi2b => self.permute_two(insn, B, true),
            Vpermi2w => self.permute_two(insn, H, true),
            Vpermi2d | Vpermi2ps => self.permute_two(insn, S, true),
            Vpermi2q | Vpermi2pd => self.permute_two(insn, D, true),
            Vpermt2b => self.permute_two(insn, B, false),
            Vpermt2w => self.permute_two(insn, H, false),
            Vpermt2d | Vpermt2ps => self.permute_two(insn, S, false),
            Vpermt2q | Vpermt2pd => self.permute_two(insn, D, false),
            Vperm2f128 | Vperm2i128 => self.permute_halves(insn),
            Vshuff32x4 | Vshufi32x4 => self.shuffle_chunks(insn, S),
            Vshuff64x2 | Vshufi64x2 => self.shuffle_chunks(insn, D),
            Valignd => self.align_lanes(insn, S),
            Valignq => self.align_lanes(insn, D),
            Vinsertf128 | Vinserti128 | Vinsertf32x4 | Vinserti32x4 => self.insert_chunks(insn, S, 1),
            Vinsertf64x2 | Vinserti64x2 => self.insert_chunks(insn, D, 1),
            Vinsertf32x8 | Vinserti32x8 => self.insert_chunks(insn, S, 2),
            Vinsertf64x4 | Vinserti64x4 => self.insert_chunks(insn, D, 2),
            Vextractf128 | Vextracti128 | Vextractf32x4 | Vextracti32x4 => self.extract_chunks(insn, S, 1),
            Vextractf64x2 | Vextracti64x2 => self.extract_chunks(insn, D, 1),
            Vextractf32x8 | Vextracti32x8 => self.extract_chunks(insn, S, 2),
            Vextractf64x4 | Vextracti64x4 => self.extract_chunks(insn, D, 2),
            Vpbroadcastb => self.broadcast(insn, B, B),
            Vpbroadcastw => self.broadcast(insn, H, H),
            Vpbroadcastd | Vbroadcastss => self.broadcast(insn, S, S),
            Vpbroadcastq | Vbroadcastsd => self.broadcast(insn, D, D),
            Vbroadcastf32x2 | Vbroadcasti32x2 => self.broadcast(insn, D, S),
            Vbroadcastf128 | Vbroadcasti128 | Vbroadcastf32x4 | Vbroadcasti32x4 => {
                self.broadcast_chunks(insn, S, 1)
            }
            Vbroadcastf64x2 | Vbroadcasti64x2 => self.broadcast_chunks(insn, D, 1),
            Vbroadcastf32x8 | Vbroadcasti32x8 => self.broadcast_chunks(insn, S, 2),
            Vbroadcastf64x4 | Vbroadcasti64x4 => self.broadcast_chunks(insn, D, 2),
            Vpblendmb => self.blend_mask(insn, B),
            Vpblendmw => self.blend_mask(insn, H),
            Vpblendmd | Vblendmps => self.blend_mask(insn, S),
            Vpblendmq | Vblendmpd => self.blend_mask(insn, D),
            Vpconflictd => self.conflict(insn, S),
            Vpconflictq => self.conflict(insn, D),
            Vpcompressb => self.squeeze(insn, B, helpers::COMPRESS),
            Vpcompressw => self.squeeze(insn, H, helpers::COMPRESS),
            Vpcompressd | Vcompressps => self.squeeze(insn, S, helpers::COMPRESS),
            Vpcompressq | Vcompresspd => self.squeeze(insn, D, helpers::COMPRESS),
            Vpexpandb => self.squeeze(insn, B, helpers::EXPAND),
            Vpexpandw => self.squeeze(insn, H, helpers::EXPAND),
            Vpexpandd | Vexpandps => self.squeeze(insn, S, helpers::EXPAND),
            Vpexpandq | Vexpandpd => self.squeeze(insn, D, helpers::EXPAND),
            Vpgatherdd | Vgatherdps => self.gather(insn, S, S),
            Vpgatherdq | Vgatherdpd => self.gather(insn, D, S),
            Vpgatherqd | Vgatherqps => self.gather(insn, S, D),
            Vpgatherqq | Vgatherqpd => self.gather(insn, D, D),
            Vpscatterdd | Vscatterdps => self.gather(insn, S, S),
            Vpscatterdq | Vscatterdpd => self.gather(insn, D, S),
            Vpscatterqd | Vscatterqps => self.gather(insn, S, D),
            Vpscatterqq | Vscatterqpd => self.gather(insn, D, D),
            _ => return None,
        }
        Some(Flow::Next)
    }

    /// Source operand `n` whole, for instructions whose result lanes come from anywhere in it: memory is not masked.
    fn unmasked_source(&mut self, insn: &Instruction, n: u32, lane: Size, chunks: u32) -> Vec<Val> {
        self.source(insn, n, lane, chunks, false, None)
    }

    fn permute_quads(&mut self, insn: &Instruction) {
        let chunks = chunks_of(insn.op0_register());
        let imm = imm8(insn);
        let s = self.unmasked_source(insn, 1, D, chunks);
        let mut out = Vec::new();
        for c in 0..chunks {
            let from = |j: u32| imm >> (2 * (2 * (c % 2) + j)) & 3;
            let (x, y) = (from(0), from(1));
            let at = |q: u8| s[(c & !1) as usize + usize::from(q / 2)];
            out.push(self.perm(D, &[x % 2, 2 + y % 2], at(x), at(y)));
        }
        self.write_result(insn, D, out);
    }

    /// A constant of 128 bits.
    fn const128(&mut self, lo: u64, hi: u64) -> Val {
        let a = self.b.vconst(lo, true);
        if lo == hi {
            return a;
        }
        let b = self.b.vconst(hi, true);
        self.b.vop(Op::VZip1, full(D), &[a, b], 0)
    }

    /// Lane numbers as the numbers of their bytes. `lanes`: how many there are to choose from.
    fn byte_indexes(&mut self, index: Val, lane: Size, lanes: u64) -> Val {
        let mask = lanes - 1;
        let (keep, spread, offset) = match lane {
            B => (mask * 0x0101_0101_0101_0101, None, 0),
            H => (
                mask * 0x0001_0001_0001_0001,
                Some((0x0606_0404_0202_0000, 0x0e0e_0c0c_0a0a_0808)),
                0x0100_0100_0100_0100,
            ),
            S => (
                mask * 0x0000_0001_0000_0001,
                Some((0x0404_0404_0000_0000, 0x0c0c_0c0c_0808_0808)),
                0x0302_0100_0302_0100,
            ),
            _ => (mask, Some((0, 0x0808_0808_0808_0808)), 0x0706_0504_0302_0100),
        };
        let keep = self.b.vconst(keep, true);
        let mut v = self.b.vop(Op::VAnd, full(lane), &[index, keep], 0);
        if let Some((lo, hi)) = spread {
            v = self.b.vop(Op::VShlI, full(lane), &[v], lane as u64);
            let control = self.const128(lo, hi);
            v = self.b.vop(Op::VShufB, full(B), &[v, control], 0);
            let offset = self.b.vconst(offset, true);
            v = self.b.vop(Op::VAdd, full(B), &[v, offset], 0);
        }
        v
    }

    fn look_up(&mut self, table: &[Val], indexes: &[Val], lane: Size) -> Vec<Val> {
        let lanes = table.len() as u64 * u64::from(full(lane).lanes);
        let mut out = Vec::new();
        for &i in indexes {
            let bytes = self.byte_indexes(i, lane, lanes);
            let mut v = self.vzero();
            for (n, &t) in table.iter().enumerate() {
                v = self.b.vop(Op::VTbl, full(B), &[v, t, bytes], n as u64);
            }
            out.push(v);
        }
        out
    }

    fn permute_any(&mut self, insn: &Instruction, lane: Size) {
        let chunks = chunks_of(insn.op0_register());
        let indexes = self.unmasked_source(insn, 1, lane, chunks);
        let table = self.unmasked_source(insn, 2, lane, chunks);
        let out = self.look_up(&table, &indexes, lane);
        self.write_result(insn, lane, out);
    }

    fn permute_two(&mut self, insn: &Instruction, lane: Size, index_first: bool) {
        let chunks = chunks_of(insn.op0_register());
        let first = self.unmasked_source(insn, 0, lane, chunks);
        let second = self.unmasked_source(insn, 1, lane, chunks);
        let third = self.unmasked_source(insn, 2, lane, chunks);
        let (indexes, mut table) = if index_first { (first, second) } else { (second, first) };
        table.extend(third);
        let out = self.look_up(&table, &indexes, lane);
        self.write_result(insn, lane, out);
    }

    fn permute_halves(&mut self, insn: &Instruction) {
        let imm = imm8(insn);
        let mut all = self.unmasked_source(insn, 1, D, 2);
        all.extend(self.unmasked_source(insn, 2, D, 2));
        let zero = self.vzero();
        let pick = |n: u8| if n & 8 != 0 { zero } else { all[usize::from(n & 3)] };
        let out = [pick(imm), pick(imm >> 4)];
        self.write_chunks(insn, insn.op0_register(), &out);
    }

    fn shuffle_chunks(&mut self, insn: &Instruction, lane: Size) {
        let chunks = chunks_of(insn.op0_register());
        let imm = imm8(insn);
        let a = self.unmasked_source(insn, 1, lane, chunks);
        let b = self.unmasked_source(insn, 2, lane, chunks);
        let out = if chunks == 2 {
            vec![a[usize::from(imm & 1)], b[usize::from(imm >> 1 & 1)]]
        } else {
            let n = |i: u8| usize::from(imm >> (2 * i) & 3);
            vec![a[n(0)], a[n(1)], b[n(2)], b[n(3)]]
        };
        self.write_result(insn, lane, out);
    }

    fn align_lanes(&mut self, insn: &Instruction, lane: Size) {
        let chunks = chunks_of(insn.op0_register());
        let total = chunks * u32::from(full(lane).lanes);
        let n = u32::from(imm8(insn)) & (total - 1);
        let mut all = self.unmasked_source(insn, 2, lane, chunks);
        all.extend(self.unmasked_source(insn, 1, lane, chunks));
        let mut out = Vec::new();
        for c in 0..chunks {
            let at = 16 * c + n * lane.bytes() as u32;
            let (q, r) = ((at / 16) as usize, at % 16);
            out.push(if r == 0 {
                all[q]
            } else {
                self.b.vop(Op::VExt, full(B), &[all[q], all[q + 1]], r.into())
            });
        }
        self.write_result(insn, lane, out);
    }

    fn insert_chunks(&mut self, insn: &Instruction, lane: Size, part: u32) {
        let chunks = chunks_of(insn.op0_register());
        let mut out = self.unmasked_source(insn, 1, lane, chunks);
        let new = self.unmasked_source(insn, 2, lane, part);
        let at = (u32::from(imm8(insn)) % (chunks / part) * part) as usize;
        for (i, v) in new.into_iter().enumerate() {
            out[at + i] = v;
        }
        self.write_result(insn, lane, out);
    }

    fn extract_chunks(&mut self, insn: &Instruction, lane: Size, part: u32) {
        let r = insn.op1_register();
        let n = number(r);
        let at = u32::from(imm8(insn)) % (chunks_of(r) / part) * part;
        let values: Vec<Val> = (0..part).map(|c| self.chunk(n, at + c)).collect();
        if insn.op0_kind() == OpKind::Register {
            self.write_result(insn, lane, values);
            return;
        }
        let ea = self.ea(insn);
        match self.write_mask(insn) {
            Some(m) => self.masked_store(ea, lane, part, m.k, |_, c| values[c as usize], false),
            None => {
                for (c, &v) in values.iter().enumerate() {
                    self.vstore(Q, ea, 16 * c as u32, false, v);
                }
            }
        }
    }

    /// Masks for a memory operand of which every lane, or none, is read.
    fn any_lane(&mut self, mask: Option<Mask>, lanes: u32) -> Option<Mask> {
        let m = mask?;
        let low = if lanes >= 64 { m.k } else { self.b.ubfx(m.k, 0, lanes) };
        let zero = self.b.const64(0);
        let diff = self.b.sub(low, zero);
        let f = self.b.flags_of(diff);
        let k = self.b.setcc(Type::I64, ir::Cc::Ne, f);
        Some(Mask { k, ..m })
    }

    fn broadcast(&mut self, insn: &Instruction, unit: Size, lane: Size) {
        let dst = insn.op0_register();
        let chunks = chunks_of(dst);
        let r = insn.op1_register();
        let v = if insn.op1_kind() == OpKind::Memory {
            let ea = self.ea(insn);
            let mask = self.write_mask(insn);
            let lanes = chunks * u32::from(full(lane).lanes);
            let v = match (unit == lane, mask) {
                // Two lanes each under its own half of the mask.
                (false, Some(m)) => {
                    let bits = self.alternate_bits(m.k, lanes);
                    self.masked_load(ea, 0, lane, bits)
                }
                _ => match self.any_lane(mask, lanes) {
                    Some(m) => self.masked_load(ea, 0, unit, m.k),
                    None => self.vload(unit, ea, 0, false),
                },
            };
            self.b.vop(Op::VDupLane, full(unit), &[v], 0)
        } else if r.is_gpr() {
            let g = self.reg_raw(r);
            let g = if unit == D { g } else { self.narrow32(g) };
            self.b.vop(Op::VDup, full(unit), &[g], 0)
        } else {
            let v = self.chunk(number(r), 0);
            self.b.vop(Op::VDupLane, full(unit), &[v], 0)
        };
        self.write_result(insn, lane, vec![v; chunks as usize]);
    }

    /// Bit 0: any even bit of a mask of `lanes`; bit 1: any odd one.
    fn alternate_bits(&mut self, k: Val, lanes: u32) -> Val {
        let low = self.b.ubfx(k, 0, lanes);
        let mut out = None;
        for (i, pattern) in [0x5555_5555_5555_5555u64, 0xaaaa_aaaa_aaaa_aaaa].into_iter().enumerate() {
            let p = self.b.const64(pattern);
            let bits = self.b.and(low, p);
            let zero = self.b.const64(0);
            let diff = self.b.sub(bits, zero);
            let f = self.b.flags_of(diff);
            let bit = self.b.setcc(Type::I64, ir::Cc::Ne, f);
            out = Some(match out {
                None => bit,
                Some(before) => self.b.bfi(before, bit, i as u32, 1),
            });
        }
        out.unwrap_or(low)
    }

    fn broadcast_chunks(&mut self, insn: &Instruction, lane: Size, part: u32) {
        let dst = insn.op0_register();
        let chunks = chunks_of(dst);
        let ea = self.ea(insn);
        let values: Vec<Val> = match self.write_mask(insn) {
            None => (0..part).map(|c| self.vload(Q, ea, 16 * c, false)).collect(),
            Some(m) => (0..part)
                .map(|c| {
                    // A lane is read if any of its copies is wanted.
                    let mut bits = self.chunk_bits(m.k, lane, c);
                    for copy in (c + part..chunks).step_by(part as usize) {
                        let more = self.chunk_bits(m.k, lane, copy);
                        bits = self.b.or(bits, more);
                    }
                    self.masked_load(ea, 16 * c, lane, bits)
                })
                .collect(),
        };
        let all = (0..chunks).map(|c| values[(c % part) as usize]).collect();
        self.write_result(insn, lane, all);
    }

    fn blend_mask(&mut self, insn: &Instruction, lane: Size) {
        let dst = insn.op0_register();
        let chunks = chunks_of(dst);
        let mask = self.write_mask(insn);
        let a = self.source(insn, 1, lane, chunks, false, None);
        let b = self.source(insn, 2, lane, chunks, false, mask);
        let Some(m) = mask else {
            self.write_chunks(insn, dst, &b);
            return;
        };
        let mut out = Vec::new();
        for c in 0..chunks {
            let on = self.lane_mask(m.k, lane, c);
            let i = c as usize;
            out.push(if m.zeroing {
                self.b.vop(Op::VAnd, full(lane), &[b[i], on], 0)
            } else {
                self.b.vop(Op::VBsl, full(lane), &[on, b[i], a[i]], 0)
            });
        }
        self.write_chunks(insn, dst, &out);
    }

    fn conflict(&mut self, insn: &Instruction, lane: Size) {
        let chunks = chunks_of(insn.op0_register());
        let s = self.unmasked_source(insn, 1, lane, chunks);
        let mut out = Vec::new();
        for c in 0..chunks as usize {
            let mut r: Option<Val> = None;
            for p in 0..=c {
                let word = (lane as u64) << 8 | (p as u64) << 16 | u64::from(p == c) << 24;
                let v = self.call_pure(helpers::CONFLICT, &[s[c], s[p]], word);
                r = Some(match r {
                    None => v,
                    Some(before) => self.b.vop(Op::VOr, full(lane), &[before, v], 0),
                });
            }
            out.push(r.unwrap_or(s[c]));
        }
        self.write_result(insn, lane, out);
    }

    /// Where helpers of whole instructions find their parts: registers, lane, length, mask.
    fn whole_word(insn: &Instruction, dst: Register, src: Register, lane: Size) -> u64 {
        let length = if src == Register::None { dst } else { src };
        u64::from(number(dst))
            | u64::from(number(src)) << 8
            | (lane as u64) << 16
            | u64::from(chunks_of(length)) << 20
            | u64::from(insn.zeroing_masking()) << 24
            | match insn.op_mask() {
                Register::None => 0,
                k => u64::from(number(k)) << 28 | 1 << 31,
            }
    }

    fn squeeze(&mut self, insn: &Instruction, lane: Size, helper: u16) {
        let memory = insn.op_kinds().any(|k| k == OpKind::Memory);
        let (dst, src) = (insn.op0_register(), insn.op1_register());
        let register =
            |n: u32, r: Register| if insn.op_kind(n) == OpKind::Register { r } else { Register::None };
        let (d, s) = (register(0, dst), register(1, src));
        let word = Self::whole_word(
            insn,
            if d == Register::None { s } else { d },
            if s == Register::None { d } else { s },
            lane,
        );
        let addr = if memory {
            let ea = self.ea(insn);
            self.flat(ea)
        } else {
            self.b.const64(0)
        };
        let word = self.b.const64(word | u64::from(memory) << 32);
        self.call(helpers::id(helper), Type::Void, &[addr, word]);
        if d != Register::None {
            self.clear_above(number(d), chunks_of(d));
        }
    }

    /// Gathers and scatters: `lane` is an element, `index` an index.
    fn gather(&mut self, insn: &Instruction, lane: Size, index: Size) {
        let store = insn.op0_kind() == OpKind::Memory;
        let data = if store { insn.op1_register() } else { insn.op0_register() };
        let indexes = insn.memory_index();
        let k = insn.op_mask();
        // What an address has beside the index.
        let base = if insn.memory_base() == Register::None {
            self.b.const64(insn.memory_displacement64())
        } else {
            let base = self.address_base(insn);
            let disp = self.b.const64(insn.memory_displacement64());
            self.b.add(base, disp)
        };
        let seg = crate::operand::segment(insn.memory_segment());
        let zero = self.b.const64(0);
        let segment = self.in_segment(Ea { base: zero, index: Val::NONE, scale: 0, disp: 0 }, seg);
        let segment = self.linear(segment);
        let bits = crate::operand::address_bits(insn);
        let cut = u64::from(bits == 32) | u64::from(self.cpu.bits == 32) << 1;
        let lanes = (data.size().min(match (lane, index) {
            (S, D) => indexes.size() / 2,
            (D, S) => indexes.size() * 2,
            _ => indexes.size(),
        }) / lane.bytes()) as u64;
        let mask = if k == Register::None {
            if store { 0 } else { u64::from(number(insn.op2_register())) }
        } else {
            u64::from(number(k))
        };
        let word = u64::from(number(data))
            | u64::from(number(indexes)) << 8
            | mask << 16
            | u64::from(k != Register::None) << 24
            | (lane as u64) << 28
            | (index as u64) << 32
            | lanes << 36
            | u64::from(insn.memory_index_scale().trailing_zeros()) << 44
            | cut << 48
            | u64::from(store) << 52;
        let word = self.b.const64(word);
        self.call(helpers::id(helpers::GATHER), Type::Void, &[base, segment, word]);
        if !store {
            self.clear_above(number(data), chunks_of(data));
            if k == Register::None {
                self.clear_above(number(insn.op2_register()), chunks_of(insn.op2_register()));
            }
        }
    }

    fn address_base(&mut self, insn: &Instruction) -> Val {
        let (n, _) = crate::operand::gpr_number(insn.memory_base());
        self.b.get(cpu::gpr(n), Type::I64)
    }
}
