//! Helpers of the vector group: what is rare, or touches memory under a mask, or the whole state.
//!
//! Each takes up to three vectors and a word; see [`super::rows`] for what the word holds.

use super::{helpers_fp, helpers_int, helpers_state, helpers_string, helpers_wide};
use crate::cpu::{self, trap};
use crate::helpers::VECTOR;
use ir::{HelperDesc, HelperId, Machine, SlotSet, Stop, TrapKind};

/// A helper by its number in this group.
pub(super) const fn id(n: u16) -> HelperId {
    crate::helpers::id(VECTOR, n)
}

/// What a helper does beside computing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Nothing.
    Pure,
    /// Reads and raises floating-point status.
    Fp,
    /// Accesses memory or traps.
    Memory,
    /// Reads or writes any slot, and memory.
    All,
}

macro_rules! table {
    ($( $name:ident $text:literal $does:ident $func:expr; )*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "names of constants")]
        #[repr(u16)]
        enum Number { $( $name, )* }
        $( pub(super) const $name: u16 = Number::$name as u16; )*
        const TABLE: &[(&str, Does, ir::HelperFn)] = &[ $( ($text, Does::$does, $func), )* ];
    };
}

table! {
    CHECK_ALIGNMENT "check_alignment" Memory check_alignment;
    PROBE_STORE "probe_store" Memory probe_store;
    CHECK_EXCEPTIONS "check_exceptions" Memory check_exceptions;
    CHECK_MXCSR "check_mxcsr" Memory check_mxcsr;
    SAVE_STATE "save_state" All helpers_state::save;
    RESTORE_STATE "restore_state" All helpers_state::restore;
    MIN_POSITION "min_position" Pure helpers_int::min_position;
    MULTI_SAD "multi_sad" Pure helpers_int::multi_sad;
    PERMUTE_IN_LANE "permute_in_lane" Pure helpers_int::permute_in_lane;
    NARROW "narrow" Pure helpers_int::narrow;
    AES_KEYGEN "aes_keygen" Pure helpers_int::aes_keygen;
    SHA1_ROUNDS "sha1_rounds" Pure helpers_int::sha1_rounds;
    SHA1_NEXTE "sha1_nexte" Pure helpers_int::sha1_nexte;
    SHA1_MSG1 "sha1_msg1" Pure helpers_int::sha1_msg1;
    SHA1_MSG2 "sha1_msg2" Pure helpers_int::sha1_msg2;
    SHA256_MSG1 "sha256_msg1" Pure helpers_int::sha256_msg1;
    SHA256_MSG2 "sha256_msg2" Pure helpers_int::sha256_msg2;
    GF_MUL "gf_mul" Pure helpers_int::gf_mul;
    GF_AFFINE "gf_affine" Pure helpers_int::gf_affine;
    GF_AFFINE_INV "gf_affine_inv" Pure helpers_int::gf_affine_inv;
    EXTRACT_FIELD "extract_field" Pure helpers_int::extract_field;
    INSERT_FIELD "insert_field" Pure helpers_int::insert_field;
    SINGLE_TO_LONG "single_to_long" Fp helpers_fp::single_to_long;
    LONG_TO_SINGLE "long_to_single" Fp helpers_fp::long_to_single;
    TO_BF16 "to_bf16" Pure helpers_fp::to_bf16;
    DOUBLE_SAD "double_sad" Pure helpers_wide::double_sad;
    SHUFFLE_BITS "shuffle_bits" Pure helpers_wide::shuffle_bits;
    MULTI_SHIFT "multi_shift" Pure helpers_wide::multi_shift;
    DOUBLE_LEFT "double_left" Pure helpers_wide::double_left;
    DOUBLE_RIGHT "double_right" Pure helpers_wide::double_right;
    DOT_BYTES_SATURATING "dot_bytes_saturating" Pure helpers_wide::dot_bytes_saturating;
    DOT_WORDS_SATURATING "dot_words_saturating" Pure helpers_wide::dot_words_saturating;
    MADD52_LOW "madd52_low" Pure helpers_wide::madd52_low;
    MADD52_HIGH "madd52_high" Pure helpers_wide::madd52_high;
    DOT_BF16 "dot_bf16" Pure helpers_wide::dot_bf16;
    CONFLICT "conflict" Pure helpers_wide::conflict;
    COMPRESS "compress" All helpers_wide::compress;
    EXPAND "expand" All helpers_wide::expand;
    GATHER "gather" All helpers_wide::gather;
    ROUND_SCALE "round_scale" Fp helpers_fp::round_scale;
    REDUCE "reduce" Fp helpers_fp::reduce;
    GET_EXP "get_exp" Fp helpers_fp::get_exp;
    GET_MANT "get_mant" Fp helpers_fp::get_mant;
    SCALE "scale" Fp helpers_fp::scale;
    RANGE "range" Fp helpers_fp::range;
    FIXUP "fixup" Fp helpers_fp::fixup;
    CLASSIFY "classify" Pure helpers_fp::classify;
    STRING_INDEX "string_index" Pure helpers_string::index;
    STRING_MASK "string_mask" Pure helpers_string::mask;
}

/// The group's helpers in the order of their numbers.
pub(crate) fn helpers() -> Vec<HelperDesc> {
    TABLE
        .iter()
        .map(|&(name, does, func)| {
            let slots = || if does == Does::All { SlotSet::All } else { SlotSet::None };
            HelperDesc {
                name,
                func,
                reads: slots(),
                writes: slots(),
                may_fault: matches!(does, Does::Memory | Does::All),
                pure_fn: does == Does::Pure,
            }
        })
        .collect()
}

/// (address, mask): the address must be aligned if anything is accessed.
fn check_alignment(_: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    let addr = a[0] as u64;
    if a[1] as u64 != 0 && !addr.is_multiple_of(16) { Err(Stop::Align { addr }) } else { Ok(0) }
}

/// (address, mask, lane log2 | lanes << 8): the fault that a masked store of more than one access would have, before any.
fn probe_store(m: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    let (addr, bits, what) = (a[0] as u64, a[1] as u64, a[2] as u32);
    let (size, lanes) = (1usize << (what & 7), what as usize >> 8);
    let mut there = [0; 16];
    for i in (0..lanes).filter(|i| bits >> i & 1 != 0) {
        m.load(addr.wrapping_add((i * size) as u64), &mut there[..size]).map_err(|stop| match stop {
            Stop::Fault { addr, .. } => Stop::Fault { addr, write: true },
            other => other,
        })?;
    }
    Ok(0)
}

/// (new flags, flags before, MXCSR): #XM if an unmasked exception is among the new ones, else all flags.
fn check_exceptions(m: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    let (mut new, old, mxcsr) = (a[0] as u32, a[1] as u32, a[2] as u32);
    let unmasked = !(mxcsr >> 7) & 0x3f;
    let image = mxcsr_flags(new);
    if image & unmasked == 0 {
        return Ok(u128::from(new | old));
    }
    // Exceptions found before the computation hide those of the result.
    if image & unmasked & 7 != 0 {
        new &= !0b1_1100;
    }
    m.fp().flags = new | old;
    Err(Stop::Trap(TrapKind::Arithmetic, trap::XM))
}

/// Sticky flags in MXCSR's places.
pub(super) fn mxcsr_flags(f: u32) -> u32 {
    f & 1 | (f & 0x1e) << 1 | (f >> 7 & 1) << 1
}

fn check_mxcsr(_: &mut dyn Machine, a: &[u128; 4]) -> Result<u128, Stop> {
    if a[0] as u32 & !0xffff != 0 {
        Err(Stop::Trap(TrapKind::Service, trap::with_error(trap::GP, 0)))
    } else {
        Ok(0)
    }
}

/// A chunk of a vector register in the state.
pub(super) fn get_chunk(m: &mut dyn Machine, n: u32, c: u32) -> u128 {
    m.slot(super::operand::chunk_slot(n, c))
}

/// Writes one.
pub(super) fn set_chunk(m: &mut dyn Machine, n: u32, c: u32, v: u128) {
    m.set_slot(super::operand::chunk_slot(n, c), v);
}

/// A mask register in the state.
pub(super) fn get_mask(m: &mut dyn Machine, n: u32) -> u64 {
    m.slot(cpu::k(n)) as u64
}
