//! Flat binaries (uClinux, version 4): header, relocations, compressed variants.
//!
//! Input: a [`Source`]; output: a [`Flat`], and from it and a base the bytes of memory. Both steps are pure and trust
//! nothing in the file. Facts: the kernel's `include/linux/flat.h` and `fs/binfmt_flat.c`. Header and relocations are
//! big-endian; relocated words have 32 bits on every machine, so a program lies below 4 GiB. Text, data and bss are one
//! writable and executable range, as on the machines without MMU that the format comes from.

use super::{LoadError, Source};
use std::ops::Range;

/// Bytes of the header, which belongs to the text.
const HEADER: usize = 64;
const VERSION: u32 = 4;
/// Flags: load into memory (we always do), GOT at the start of the data, compressed text and data, compressed data.
const GOTPIC: u32 = 2;
const GZIP: u32 = 4;
const GZDATA: u32 = 8;
/// The kernel's bound on each size.
const MAX_SIZE: u32 = 1 << 28;
/// In front of the data the kernel puts the data addresses of the shared libraries: one word, as there are none.
const LIBRARY_TABLE: u64 = 4;
const DATA_ALIGN: u64 = 16;

/// A parsed flat binary.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flat {
    /// Header, text.
    pub text: Vec<u8>,
    /// Data.
    pub data: Vec<u8>,
    /// Bytes of zeroed memory behind the data.
    pub bss: u32,
    /// Stack that the program asks for.
    pub stack: u32,
    /// Entry, an offset in the text.
    pub entry: u32,
    /// The data begins with a table of addresses that ends with all ones.
    pub got: bool,
    /// Where words to be relocated are: offsets behind the header, in text and data as one.
    pub relocations: Vec<u32>,
}

/// Whether a file begins as a flat binary does.
pub fn is_flat(head: &[u8]) -> bool {
    head.starts_with(b"bFLT")
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Reads everything from `offset` on.
fn rest(source: &(impl Source + ?Sized), offset: u64, most: u64) -> Result<Vec<u8>, LoadError> {
    let len = source.len().saturating_sub(offset).min(most);
    let mut bytes = vec![0; len as usize];
    let got = source.read_at(offset, &mut bytes).map_err(LoadError::Memory)?;
    bytes.truncate(got);
    Ok(bytes)
}

/// The payload of a gzip member of at most `most` bytes, as the kernel reads it: no continuation, no encryption.
fn gunzip(bytes: &[u8], most: usize) -> Result<Vec<u8>, LoadError> {
    const BAD: LoadError = LoadError::Malformed("its compressed part is damaged");
    const HEADER_CRC: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let head = bytes.get(..10).ok_or(BAD)?;
    let flags = head[3];
    if head[..3] != [0x1f, 0x8b, 8] || flags & 0xe0 != 0 {
        return Err(BAD);
    }
    let mut at = 10usize;
    if flags & EXTRA != 0 {
        let len = bytes.get(at..at + 2).ok_or(BAD)?;
        at += 2 + usize::from(u16::from_le_bytes([len[0], len[1]]));
    }
    for bit in [NAME, COMMENT] {
        if flags & bit != 0 {
            let tail = bytes.get(at..).ok_or(BAD)?;
            at += tail.iter().position(|&b| b == 0).ok_or(BAD)? + 1;
        }
    }
    if flags & HEADER_CRC != 0 {
        at += 2;
    }
    let tail = bytes.get(at..).ok_or(BAD)?;
    miniz_oxide::inflate::decompress_to_vec_with_limit(tail, most).map_err(|_| BAD)
}

/// Parses a flat binary.
pub fn parse(source: &(impl Source + ?Sized)) -> Result<Flat, LoadError> {
    let head = rest(source, 0, HEADER as u64)?;
    if head.len() < HEADER || !is_flat(&head) {
        return Err(LoadError::Malformed("its flat header is cut off"));
    }
    if be32(&head, 4) != VERSION {
        return Err(LoadError::Malformed("it is a flat binary of another version than 4"));
    }
    let [entry, data_start, data_end, bss_end] = [8, 12, 16, 20].map(|at| be32(&head, at));
    let [stack, reloc_start, reloc_count, flags] = [24, 28, 32, 36].map(|at| be32(&head, at));
    let sizes = data_end.checked_sub(data_start).zip(bss_end.checked_sub(data_end));
    let Some((data_len, bss)) = sizes else {
        return Err(LoadError::Malformed("its flat segments are in the wrong order"));
    };
    let small = |size: u32| size < MAX_SIZE;
    if (data_start as usize) < HEADER
        || ![data_start, data_len, bss, stack].into_iter().all(small)
        || reloc_count >= MAX_SIZE / 4
    {
        return Err(LoadError::Malformed("its flat segments have impossible sizes"));
    }
    if !(HEADER as u32..data_start).contains(&entry) {
        return Err(LoadError::Malformed("its entry lies outside its text"));
    }
    // The whole file as it would be uncompressed. Relocations overlap the bss, which is not in the file.
    let relocations_end = u64::from(reloc_start) + 4 * u64::from(reloc_count);
    let wanted = u64::from(data_end).max(if reloc_count > 0 { relocations_end } else { 0 });
    if wanted > u64::from(MAX_SIZE) * 4 {
        return Err(LoadError::Malformed("its relocations lie outside the file"));
    }
    let mut file = head;
    // Compression may make small parts larger.
    let packed = wanted + wanted / 8 + (64 << 10);
    if flags & GZIP != 0 {
        file.extend(gunzip(&rest(source, HEADER as u64, packed)?, wanted as usize - HEADER + 1)?);
    } else if flags & GZDATA != 0 {
        file = rest(source, 0, u64::from(data_start))?;
        if file.len() == data_start as usize {
            let room = (wanted - u64::from(data_start)) as usize + 1;
            file.extend(gunzip(&rest(source, u64::from(data_start), packed)?, room)?);
        }
    } else {
        file.extend(rest(source, HEADER as u64, wanted - HEADER as u64)?);
    }
    if (file.len() as u64) < wanted {
        return Err(LoadError::Malformed("its segments or relocations are cut off"));
    }
    let relocations = (0..reloc_count as usize).map(|k| be32(&file, reloc_start as usize + 4 * k)).collect();
    let data = file[data_start as usize..data_end as usize].to_vec();
    file.truncate(data_start as usize);
    Ok(Flat { text: file, data, bss, stack, entry, got: flags & GOTPIC != 0, relocations })
}

/// A flat binary in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Text with its header, data and bss.
    pub span: Range<u64>,
    /// Data and bss.
    pub data: Range<u64>,
    /// Entry address.
    pub entry: u64,
    /// What is in memory from the start of the span on; bss follows.
    pub bytes: Vec<u8>,
}

fn data_offset(flat: &Flat) -> u64 {
    (flat.text.len() as u64 + LIBRARY_TABLE).next_multiple_of(DATA_ALIGN)
}

/// Bytes of memory that the program takes.
pub fn span_len(flat: &Flat) -> u64 {
    data_offset(flat) + flat.data.len() as u64 + u64::from(flat.bss)
}

/// The program at `base`: relocated bytes. `big_endian`: the guest's byte order.
pub fn place(flat: &Flat, base: u64, big_endian: bool) -> Result<Placed, LoadError> {
    let offset = data_offset(flat);
    let span = base..base + span_len(flat);
    if span.end > 1 << 32 {
        return Err(LoadError::Malformed("a flat binary lies below 4 GiB"));
    }
    let data = base + offset;
    let mut bytes = flat.text.clone();
    bytes.resize(offset as usize, 0);
    bytes.extend_from_slice(&flat.data);
    let code_len = (flat.text.len() - HEADER) as u64;
    // Offsets count from behind the header, and the data follows the text.
    let resolve = |r: u32| -> Result<u64, LoadError> {
        let r = u64::from(r);
        let end = code_len + flat.data.len() as u64 + u64::from(flat.bss) + u64::from(flat.stack);
        if r > end {
            return Err(match r >> 24 {
                id @ 1..=0xfe => LoadError::FlatLibrary(id as u8),
                _ => LoadError::Malformed("a relocation leads outside the program"),
            });
        }
        Ok(if r < code_len { base + HEADER as u64 + r } else { data + (r - code_len) })
    };
    let get = |bytes: &[u8], at: usize, big: bool| -> Result<u32, LoadError> {
        let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
        let word = word.ok_or(LoadError::Malformed("a relocated word lies outside the program"))?;
        Ok(if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) })
    };
    let put = |bytes: &mut [u8], at: usize, value: u64| {
        let value = value as u32;
        let word = if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        bytes[at..at + 4].copy_from_slice(&word);
    };
    let table = offset as usize - LIBRARY_TABLE as usize;
    put(&mut bytes, table, data);
    if flat.got {
        let mut at = offset as usize;
        loop {
            match get(&bytes, at, big_endian)? {
                u32::MAX => break,
                0 => {}
                value => put(&mut bytes, at, resolve(value)?),
            }
            at += 4;
        }
    }
    for &relocation in &flat.relocations {
        let at = (resolve(relocation)? - base) as usize;
        // With a GOT the words of the data are in the machine's order already.
        let value = get(&bytes, at, big_endian || !flat.got)?;
        if value != 0 {
            let to = resolve(value)?;
            put(&mut bytes, at, to);
        }
    }
    Ok(Placed { span: span.clone(), data: data..span.end, entry: base + u64::from(flat.entry), bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::testing::{Rng, fuzz};

    /// text: 8 bytes, the second word to be relocated to the data's second word; data: pointer to text, 7; 16 bytes of bss.
    fn image(flags: u32, compress: Option<usize>) -> Vec<u8> {
        let mut file = b"bFLT".to_vec();
        let words = [VERSION, 64, 72, 80, 96, 4096, 80, 2, flags, 0, 0, 0, 0, 0, 0];
        for word in words {
            file.extend_from_slice(&word.to_be_bytes());
        }
        for word in [0xd503_201fu32.swap_bytes(), 12, 0, 7, 4, 8] {
            file.extend_from_slice(&word.to_be_bytes());
        }
        // The pointer in the data leads to offset 0, which stands for null: it is made to lead to the text's second word.
        file[72..76].copy_from_slice(&4u32.to_be_bytes());
        if let Some(from) = compress {
            let packed = miniz_oxide::deflate::compress_to_vec(&file[from..], 6);
            file.truncate(from);
            // Flags: extra field, name and comment, all to be skipped.
            file.extend_from_slice(&[0x1f, 0x8b, 8, 4 | 8 | 16, 0, 0, 0, 0, 0, 3, 2, 0, 9, 9]);
            file.extend_from_slice(b"name\0comment\0");
            file.extend_from_slice(&packed);
            file.extend_from_slice(&[0; 8]);
        }
        file
    }

    #[test]
    fn words_are_relocated_in_every_variant() {
        for (flags, compress) in [(1, None), (GZIP, Some(64)), (GZDATA, Some(72))] {
            let flat = parse(&image(flags, compress)[..]).unwrap();
            assert_eq!((flat.entry, flat.bss, flat.stack, flat.relocations.len()), (64, 16, 4096, 2));
            let placed = place(&flat, 0x10000, false).unwrap();
            // Data follows the text and one word, aligned.
            assert_eq!((placed.entry, placed.data.start), (0x10040, 0x10050));
            let word = |at: usize| u32::from_le_bytes(placed.bytes[at..at + 4].try_into().unwrap());
            assert_eq!([word(0x44), word(0x50), word(0x4c)], [0x10054, 0x10044, 0x10050]);
            assert_eq!(placed.span.end, 0x10050 + 8 + 16);
        }
    }

    #[test]
    fn a_got_is_relocated_up_to_its_end() {
        let mut file = image(GOTPIC, None);
        file[32..36].fill(0);
        file[72..76].copy_from_slice(&4u32.to_le_bytes());
        file[76..80].fill(0xff);
        let placed = place(&parse(&file[..]).unwrap(), 0x10000, false).unwrap();
        assert_eq!(placed.bytes[0x50..0x54], 0x10044u32.to_le_bytes());
        assert_eq!(placed.bytes[0x54..], [0xff; 4]);
    }

    #[test]
    fn what_cannot_be_loaded_is_refused() {
        let with = |at: usize, word: u32| {
            let mut file = image(1, None);
            file[at..at + 4].copy_from_slice(&word.to_be_bytes());
            parse(&file[..]).and_then(|flat| place(&flat, 0x10000, false))
        };
        assert!(with(0, u32::from_be_bytes(*b"bFLT")).is_ok());
        let text = |r: Result<Placed, LoadError>| r.unwrap_err().message("x");
        assert!(text(with(4, 2)).contains("version"));
        assert!(text(with(8, 8)).contains("entry"));
        assert!(text(with(16, 70)).contains("order"));
        assert!(text(with(24, 1 << 30)).contains("sizes"));
        assert!(text(with(32, 3)).contains("cut off"));
        assert!(text(with(80, 0x0300_0004)).contains("shared library 3"));
        assert!(text(with(68, 0x0200_0004)).contains("shared library 2"));
        assert!(text(with(80, 22)).contains("outside"));
        assert!(parse(&image(GZIP, None)[..]).is_err());
        assert!(parse(&b"bFLT"[..]).is_err());
        let flat = parse(&image(1, None)[..]).unwrap();
        assert!(place(&flat, (1 << 32) - 64, false).is_err());
    }

    #[test]
    fn fuzz_flat() {
        fuzz("flat binaries", 1, |rng: &mut Rng| {
            let (flags, compress) =
                rng.pick(&[(1, None), (GOTPIC, None), (GZIP, Some(64)), (GZDATA, Some(72))]);
            let mut file = image(flags, compress);
            for _ in 0..rng.below(4) {
                let at = rng.below(file.len());
                file[at] = rng.bits() as u8;
            }
            if rng.one_in(3) {
                file.truncate(rng.below(file.len()));
            }
            if let Ok(flat) = parse(&file[..])
                && let Ok(placed) = place(&flat, 0x10000, rng.one_in(2))
            {
                assert!(placed.bytes.len() as u64 <= placed.span.end - placed.span.start);
            }
        });
    }
}
