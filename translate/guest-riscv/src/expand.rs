//! Compressed instructions: each is another way to write a 32-bit one. The RISC-V Instruction Set Manual, volume I, "C" and
//! "Zcb". Total: what is not allocated (or a hint outside the manual's) gives `None`.

use crate::cpu::{Feature, Features};

fn bit(c: u32, from: u32, to: u32) -> u32 {
    (c >> from & 1) << to
}
fn bits(c: u32, hi: u32, lo: u32, to: u32) -> u32 {
    (c >> lo & ((1 << (hi - lo + 1)) - 1)) << to
}
fn sext(v: u32, width: u32) -> i32 {
    ((v << (32 - width)) as i32) >> (32 - width)
}

fn i_type(op: u32, f3: u32, rd: u32, rs1: u32, imm: i32) -> u32 {
    (imm as u32 & 0xfff) << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op
}
fn s_type(op: u32, f3: u32, rs1: u32, rs2: u32, imm: u32) -> u32 {
    (imm >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | (imm & 31) << 7 | op
}
fn r_type(op: u32, f7: u32, f3: u32, rd: u32, rs1: u32, rs2: u32) -> u32 {
    f7 << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op
}
fn b_type(f3: u32, rs1: u32, imm: i32) -> u32 {
    let i = imm as u32;
    (i >> 12 & 1) << 31
        | (i >> 5 & 63) << 25
        | rs1 << 15
        | f3 << 12
        | (i >> 1 & 15) << 8
        | (i >> 11 & 1) << 7
        | 0x63
}
fn j_type(rd: u32, imm: i32) -> u32 {
    let i = imm as u32;
    (i >> 20 & 1) << 31
        | (i >> 1 & 0x3ff) << 21
        | (i >> 11 & 1) << 20
        | (i >> 12 & 0xff) << 12
        | rd << 7
        | 0x6f
}

const LOAD: u32 = 0x03;
const LOAD_FP: u32 = 0x07;
const STORE: u32 = 0x23;
const STORE_FP: u32 = 0x27;
const OP_IMM: u32 = 0x13;
const OP_IMM_32: u32 = 0x1b;
const OP: u32 = 0x33;
const OP_32: u32 = 0x3b;

/// The 32-bit instruction that the compressed one stands for.
pub fn expand(c: u16, feat: &Features) -> Option<u32> {
    let c = u32::from(c);
    if !feat.has(Feature::Zca) {
        return None;
    }
    let rv64 = feat.has(Feature::Rv64);
    let (rd, rs2) = (c >> 7 & 31, c >> 2 & 31);
    // The three-bit registers x8 to x15.
    let (r1, r2) = ((c >> 7 & 7) + 8, (c >> 2 & 7) + 8);
    let imm6 = sext(bit(c, 12, 5) | bits(c, 6, 2, 0), 6);
    let off_w = bits(c, 12, 10, 3) | bit(c, 6, 2) | bit(c, 5, 6);
    let off_d = bits(c, 12, 10, 3) | bits(c, 6, 5, 6);
    Some(match (c & 3, c >> 13) {
        (0, 0) => {
            let imm = bits(c, 12, 11, 4) | bits(c, 10, 7, 6) | bit(c, 6, 2) | bit(c, 5, 3);
            if imm == 0 {
                return None;
            }
            i_type(OP_IMM, 0, r2, 2, imm as i32)
        }
        (0, 1) if feat.has(Feature::Zcd) => i_type(LOAD_FP, 3, r2, r1, off_d as i32),
        (0, 2) => i_type(LOAD, 2, r2, r1, off_w as i32),
        (0, 3) if rv64 => i_type(LOAD, 3, r2, r1, off_d as i32),
        (0, 3) if feat.has(Feature::Zcf) => i_type(LOAD_FP, 2, r2, r1, off_w as i32),
        (0, 4) if feat.has(Feature::Zcb) => {
            let b = bit(c, 6, 0) | bit(c, 5, 1);
            let h = bit(c, 5, 1);
            match (c >> 10 & 7, c >> 6 & 1) {
                (0, _) => i_type(LOAD, 4, r2, r1, b as i32),
                (1, 0) => i_type(LOAD, 5, r2, r1, h as i32),
                (1, _) => i_type(LOAD, 1, r2, r1, h as i32),
                (2, _) => s_type(STORE, 0, r1, r2, b),
                (3, 0) => s_type(STORE, 1, r1, r2, h),
                _ => return None,
            }
        }
        (0, 5) if feat.has(Feature::Zcd) => s_type(STORE_FP, 3, r1, r2, off_d),
        (0, 6) => s_type(STORE, 2, r1, r2, off_w),
        (0, 7) if rv64 => s_type(STORE, 3, r1, r2, off_d),
        (0, 7) if feat.has(Feature::Zcf) => s_type(STORE_FP, 2, r1, r2, off_w),
        (1, 0) => i_type(OP_IMM, 0, rd, rd, imm6),
        (1, 1) if rv64 => {
            if rd == 0 {
                return None;
            }
            i_type(OP_IMM_32, 0, rd, rd, imm6)
        }
        (1, 1 | 5) => {
            let imm = bit(c, 12, 11)
                | bit(c, 11, 4)
                | bits(c, 10, 9, 8)
                | bit(c, 8, 10)
                | bit(c, 7, 6)
                | bit(c, 6, 7)
                | bits(c, 5, 3, 1)
                | bit(c, 2, 5);
            j_type(u32::from(c >> 13 == 1), sext(imm, 12))
        }
        (1, 2) => i_type(OP_IMM, 0, rd, 0, imm6),
        (1, 3) if rd == 2 => {
            let imm = bit(c, 12, 9) | bit(c, 6, 4) | bit(c, 5, 6) | bits(c, 4, 3, 7) | bit(c, 2, 5);
            if imm == 0 {
                return None;
            }
            i_type(OP_IMM, 0, 2, 2, sext(imm, 10))
        }
        (1, 3) => {
            if imm6 == 0 {
                // Zimop's compressed forms (odd registers up to 15) do nothing.
                return (rd & 0x11 == 1 && feat.has(Feature::Zcmop)).then(|| i_type(OP_IMM, 0, 0, 0, 0));
            }
            (imm6 as u32 & 0xf_ffff) << 12 | rd << 7 | 0x37
        }
        (1, 4) => {
            let sh = (imm6 & 63) as u32;
            if !rv64 && sh > 31 && c >> 10 & 3 < 2 {
                return None;
            }
            match (c >> 10 & 3, c >> 12 & 1, c >> 5 & 3) {
                (0, ..) => i_type(OP_IMM, 5, r1, r1, sh as i32),
                (1, ..) => i_type(OP_IMM, 5, r1, r1, (sh | 0x400) as i32),
                (2, ..) => i_type(OP_IMM, 7, r1, r1, imm6),
                (_, 0, 0) => r_type(OP, 0x20, 0, r1, r1, r2),
                (_, 0, 1) => r_type(OP, 0, 4, r1, r1, r2),
                (_, 0, 2) => r_type(OP, 0, 6, r1, r1, r2),
                (_, 0, _) => r_type(OP, 0, 7, r1, r1, r2),
                (_, _, 0) if rv64 => r_type(OP_32, 0x20, 0, r1, r1, r2),
                (_, _, 1) if rv64 => r_type(OP_32, 0, 0, r1, r1, r2),
                (_, _, 2) if feat.has(Feature::Zcb) && feat.has(Feature::Zmmul) => {
                    r_type(OP, 1, 0, r1, r1, r2)
                }
                (_, _, 3) if feat.has(Feature::Zcb) => {
                    let zbb = feat.has(Feature::Zbb);
                    match c >> 2 & 7 {
                        0 => i_type(OP_IMM, 7, r1, r1, 0xff),
                        1 if zbb => i_type(OP_IMM, 1, r1, r1, 0x604),
                        2 if zbb && rv64 => r_type(OP_32, 4, 4, r1, r1, 0),
                        2 if zbb => r_type(OP, 4, 4, r1, r1, 0),
                        3 if zbb => i_type(OP_IMM, 1, r1, r1, 0x605),
                        4 if feat.has(Feature::Zba) && rv64 => r_type(OP_32, 4, 0, r1, r1, 0),
                        5 => i_type(OP_IMM, 4, r1, r1, -1),
                        _ => return None,
                    }
                }
                _ => return None,
            }
        }
        (1, 6 | 7) => {
            let imm = bit(c, 12, 8) | bits(c, 11, 10, 3) | bits(c, 6, 5, 6) | bits(c, 4, 3, 1) | bit(c, 2, 5);
            b_type(c >> 13 & 1, r1, sext(imm, 9))
        }
        (2, 0) => {
            let sh = (imm6 & 63) as u32;
            if !rv64 && sh > 31 {
                return None;
            }
            i_type(OP_IMM, 1, rd, rd, sh as i32)
        }
        (2, 1) if feat.has(Feature::Zcd) => {
            i_type(LOAD_FP, 3, rd, 2, (bit(c, 12, 5) | bits(c, 6, 5, 3) | bits(c, 4, 2, 6)) as i32)
        }
        (2, 2) if rd != 0 => {
            i_type(LOAD, 2, rd, 2, (bit(c, 12, 5) | bits(c, 6, 4, 2) | bits(c, 3, 2, 6)) as i32)
        }
        (2, 3) if rv64 && rd != 0 => {
            i_type(LOAD, 3, rd, 2, (bit(c, 12, 5) | bits(c, 6, 5, 3) | bits(c, 4, 2, 6)) as i32)
        }
        (2, 3) if feat.has(Feature::Zcf) => {
            i_type(LOAD_FP, 2, rd, 2, (bit(c, 12, 5) | bits(c, 6, 4, 2) | bits(c, 3, 2, 6)) as i32)
        }
        (2, 4) => match (c >> 12 & 1, rd, rs2) {
            (0, 0, 0) => return None,
            (0, _, 0) => i_type(0x67, 0, 0, rd, 0),
            (0, ..) => r_type(OP, 0, 0, rd, 0, rs2),
            (_, 0, 0) => 0x0010_0073,
            (_, _, 0) => i_type(0x67, 0, 1, rd, 0),
            _ => r_type(OP, 0, 0, rd, rd, rs2),
        },
        (2, 5) if feat.has(Feature::Zcd) => {
            s_type(STORE_FP, 3, 2, rs2, bits(c, 12, 10, 3) | bits(c, 9, 7, 6))
        }
        (2, 6) => s_type(STORE, 2, 2, rs2, bits(c, 12, 9, 2) | bits(c, 8, 7, 6)),
        (2, 7) if rv64 => s_type(STORE, 3, 2, rs2, bits(c, 12, 10, 3) | bits(c, 9, 7, 6)),
        (2, 7) if feat.has(Feature::Zcf) => s_type(STORE_FP, 2, 2, rs2, bits(c, 12, 9, 2) | bits(c, 8, 7, 6)),
        _ => return None,
    })
}
