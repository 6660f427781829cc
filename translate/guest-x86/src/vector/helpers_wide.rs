//! Helpers of AVX-512: integer lanes, compress and expand, gather and scatter.

use super::helpers::{get_chunk, get_mask, set_chunk};
use super::helpers_fp::bf16_product_sum;
use super::helpers_int::{build, lane, sext, word_bits};
use crate::cpu;
use ir::{Machine, Stop};

type R = Result<u128, Stop>;

pub(super) fn double_sad(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let imm = a[3] as u32;
    let shuffled = build(32, |i| lane(a[1], 32, imm >> (2 * i) & 3));
    let sad = |x: u32, y: u32| -> u64 {
        (0..4).map(|j| lane(a[0], 8, x + j).abs_diff(lane(shuffled, 8, y + j))).sum()
    };
    Ok(build(16, |i| {
        let half = i / 4 * 8;
        sad(half + (i % 4 / 2) * 4, half + i % 4)
    }))
}

pub(super) fn shuffle_bits(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    Ok(build(8, |i| {
        let bit = lane(a[0], 64, i / 8) >> (lane(a[1], 8, i) & 63) & 1;
        if bit != 0 { 0xff } else { 0 }
    }))
}

pub(super) fn multi_shift(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    Ok(build(8, |i| lane(a[1], 64, i / 8).rotate_right(lane(a[0], 8, i) as u32 & 63)))
}

pub(super) fn double_left(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let bits = word_bits(a);
    Ok(build(bits, |i| {
        let n = lane(a[2], bits, i) as u32 % bits;
        let both = u128::from(lane(a[0], bits, i)) << bits | u128::from(lane(a[1], bits, i));
        (both << n >> bits) as u64
    }))
}

pub(super) fn double_right(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let bits = word_bits(a);
    Ok(build(bits, |i| {
        let n = lane(a[2], bits, i) as u32 % bits;
        let both = u128::from(lane(a[1], bits, i)) << bits | u128::from(lane(a[0], bits, i));
        (both >> n) as u64
    }))
}

fn saturated(x: i64) -> u64 {
    x.clamp(i32::MIN.into(), i32::MAX.into()) as u64
}

pub(super) fn dot_bytes_saturating(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    Ok(build(32, |i| {
        let product = |j: u32| lane(a[1], 8, 4 * i + j) as i64 * sext(lane(a[2], 8, 4 * i + j), 8);
        saturated(sext(lane(a[0], 32, i), 32) + (0..4).map(product).sum::<i64>())
    }))
}

pub(super) fn dot_words_saturating(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    Ok(build(32, |i| {
        let product = |j: u32| sext(lane(a[1], 16, 2 * i + j), 16) * sext(lane(a[2], 16, 2 * i + j), 16);
        saturated(sext(lane(a[0], 32, i), 32) + product(0) + product(1))
    }))
}

fn madd52(a: &[u128; 4], high: bool) -> u128 {
    let low = |x: u64| u128::from(x & ((1 << 52) - 1));
    build(64, |i| {
        let p = low(lane(a[1], 64, i)) * low(lane(a[2], 64, i));
        let p = if high { p >> 52 } else { low(p as u64) };
        lane(a[0], 64, i).wrapping_add(p as u64)
    })
}

pub(super) fn madd52_low(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    Ok(madd52(a, false))
}
pub(super) fn madd52_high(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    Ok(madd52(a, true))
}

pub(super) fn dot_bf16(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    Ok(build(32, |i| bf16_product_sum(lane(a[0], 32, i), lane(a[1], 32, i), lane(a[2], 32, i))))
}

/// (chunk, an earlier or the same chunk): which lanes of the second equal each lane of the first. Bits 23:16 of the word: the
/// second's number; bit 24: they are one, and only lanes below count.
pub(super) fn conflict(_: &mut dyn Machine, a: &[u128; 4]) -> R {
    let bits = word_bits(a);
    let w = a[3] as u64;
    let (number, same) = ((w >> 16 & 255) as u32, w >> 24 & 1 != 0);
    let lanes = 128 / bits;
    Ok(build(bits, |i| {
        (0..if same { i } else { lanes })
            .filter(|&j| lane(a[0], bits, i) == lane(a[1], bits, j))
            .fold(0, |r, j| r | 1 << (number * lanes + j))
    }))
}

/// A whole register as bytes.
fn register(m: &mut dyn Machine, n: u32, chunks: u32) -> Vec<u8> {
    (0..chunks).flat_map(|c| get_chunk(m, n, c).to_le_bytes()).collect()
}

fn set_register(m: &mut dyn Machine, n: u32, bytes: &[u8]) {
    for (c, part) in bytes.chunks(16).enumerate() {
        let mut whole = [0; 16];
        whole[..part.len()].copy_from_slice(part);
        set_chunk(m, n, c as u32, u128::from_le_bytes(whole));
    }
}

/// The word of [`compress`] and [`expand`].
struct Squeeze {
    dst: u32,
    src: u32,
    size: usize,
    chunks: u32,
    zeroing: bool,
    mask: u64,
    memory: bool,
}

fn squeeze(m: &mut dyn Machine, w: u64) -> Squeeze {
    Squeeze {
        dst: w as u32 & 255,
        src: (w >> 8) as u32 & 255,
        size: 1 << (w >> 16 & 15),
        chunks: (w >> 20 & 15) as u32,
        zeroing: w >> 24 & 1 != 0,
        mask: if w >> 31 & 1 != 0 { get_mask(m, (w >> 28 & 7) as u32) } else { u64::MAX },
        memory: w >> 32 & 1 != 0,
    }
}

/// (address, word): the chosen elements one behind the other, to a register or memory.
pub(super) fn compress(m: &mut dyn Machine, a: &[u128; 4]) -> R {
    let s = squeeze(m, a[1] as u64);
    let from = register(m, s.src, s.chunks);
    let mut out = Vec::new();
    for (i, element) in from.chunks(s.size).enumerate() {
        if s.mask >> i & 1 != 0 {
            out.extend_from_slice(element);
        }
    }
    if s.memory {
        if !out.is_empty() {
            m.store(a[0] as u64, &out)?;
        }
        return Ok(0);
    }
    let mut to = if s.zeroing { vec![0; from.len()] } else { register(m, s.dst, s.chunks) };
    to[..out.len()].copy_from_slice(&out);
    set_register(m, s.dst, &to);
    Ok(0)
}

/// (address, word): elements one behind the other to the chosen places.
pub(super) fn expand(m: &mut dyn Machine, a: &[u128; 4]) -> R {
    let s = squeeze(m, a[1] as u64);
    let len = 16 * s.chunks as usize;
    let count = (0..len / s.size).filter(|i| s.mask >> i & 1 != 0).count();
    let from = if s.memory {
        let mut bytes = vec![0; count * s.size];
        if count > 0 {
            m.load(a[0] as u64, &mut bytes)?;
        }
        bytes
    } else {
        register(m, s.src, s.chunks)
    };
    let mut to = register(m, s.dst, s.chunks);
    let mut next = from.chunks(s.size);
    for (i, place) in to.chunks_mut(s.size).enumerate() {
        if s.mask >> i & 1 != 0 {
            if let Some(e) = next.next() {
                place.copy_from_slice(e);
            }
        } else if s.zeroing {
            place.fill(0);
        }
    }
    set_register(m, s.dst, &to);
    Ok(0)
}

/// (base with displacement, segment's base, word): gather or scatter, element by element; what is done before a fault stays
/// done and is no longer in the mask.
pub(super) fn gather(m: &mut dyn Machine, a: &[u128; 4]) -> R {
    let (base, segment, w) = (a[0] as u64, a[1] as u64, a[2] as u64);
    let (data, indexes, mask) = (w as u32 & 255, (w >> 8) as u32 & 255, (w >> 16) as u32 & 255);
    let by_k = w >> 24 & 1 != 0;
    let (size, index) = (1usize << (w >> 28 & 7), 1usize << (w >> 32 & 7));
    let (lanes, scale) = ((w >> 36 & 255) as usize, w >> 44 & 3);
    let (cut_offset, cut_linear, store) = (w >> 48 & 1 != 0, w >> 49 & 1 != 0, w >> 52 & 1 != 0);
    let used = (lanes * size).div_ceil(16) as u32;
    let index_bytes = register(m, indexes, (lanes * index).div_ceil(16) as u32);
    let mut values = register(m, data, used);
    let mut masks = if by_k { Vec::new() } else { register(m, mask, used) };
    let mut k = if by_k { get_mask(m, mask) } else { 0 };
    if !by_k {
        // Only the top bit of a mask's element counts; the rest follows it.
        for e in masks.chunks_mut(size) {
            let on = e[size - 1] & 0x80 != 0;
            e.fill(if on { 0xff } else { 0 });
        }
    }
    let mut result = Ok(0);
    let mut touched = false;
    for i in 0..lanes {
        let on = if by_k { k >> i & 1 != 0 } else { masks[i * size] != 0 };
        if on {
            let raw = index_bytes[i * index..(i + 1) * index]
                .iter()
                .rev()
                .fold(0u64, |r, &b| r << 8 | u64::from(b));
            let offset = (sext(raw, 8 * index as u32) as u64) << scale;
            let mut addr = base.wrapping_add(offset);
            if cut_offset {
                addr &= 0xffff_ffff;
            }
            addr = addr.wrapping_add(segment);
            if cut_linear {
                addr &= 0xffff_ffff;
            }
            let place = i * size..(i + 1) * size;
            let done = if store { m.store(addr, &values[place]) } else { m.load(addr, &mut values[place]) };
            if let Err(stop) = done {
                result = Err(stop);
                break;
            }
            touched = true;
        }
        if by_k {
            k &= !(1 << i);
        } else {
            masks[i * size..(i + 1) * size].fill(0);
        }
    }
    if result.is_ok() {
        k = 0;
        masks.fill(0);
        if !store && lanes * size < 16 {
            values[lanes * size..].fill(0);
        }
    }
    if !store {
        set_register(m, data, &values);
        // What is above the vectors is cleared at a fault too, as the CPUs do it: of the data with the first element, unless the
        // indexes fill 512 bits; of a mask in a vector always.
        if result.is_err() {
            for c in used..4 {
                if touched && lanes * index < 64 {
                    set_chunk(m, data, c, 0);
                }
                if !by_k {
                    set_chunk(m, mask, c, 0);
                }
            }
        }
    }
    if by_k {
        m.set_slot(cpu::k(mask), k.into());
    } else {
        set_register(m, mask, &masks);
    }
    result
}
