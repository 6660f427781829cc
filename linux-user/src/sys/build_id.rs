//! The build id that the linker put into this binary.

const PT_NOTE: u32 = 4;
const PT_PHDR: u32 = 6;
const NT_GNU_BUILD_ID: u32 = 3;

#[repr(C)]
struct Header {
    kind: u32,
    _flags: u32,
    _offset: u64,
    vaddr: u64,
    _paddr: u64,
    _filesz: u64,
    memsz: u64,
    _align: u64,
}

/// The id, if the binary has one.
pub fn build_id() -> Option<&'static [u8]> {
    // SAFETY: reads the process's own vector.
    let (at, count) = unsafe { (libc::getauxval(libc::AT_PHDR), libc::getauxval(libc::AT_PHNUM)) };
    if at == 0 || count == 0 {
        return None;
    }
    // SAFETY: the kernel gives address and number of this binary's program headers, which stay mapped.
    let headers = unsafe { std::slice::from_raw_parts(at as *const Header, count as usize) };
    let bias = at.wrapping_sub(headers.iter().find(|h| h.kind == PT_PHDR)?.vaddr);
    headers.iter().filter(|h| h.kind == PT_NOTE).find_map(|h| {
        // SAFETY: note segments are part of the loaded image.
        let notes =
            unsafe { std::slice::from_raw_parts(bias.wrapping_add(h.vaddr) as *const u8, h.memsz as usize) };
        find(notes)
    })
}

fn find(mut notes: &[u8]) -> Option<&[u8]> {
    loop {
        let word = |at: usize| Some(u32::from_le_bytes(notes.get(at..at + 4)?.try_into().ok()?));
        let (name, len, kind) = (word(0)? as usize, word(4)? as usize, word(8)?);
        let data = 12 + name.checked_next_multiple_of(4)?;
        let end = data.checked_add(len)?;
        if kind == NT_GNU_BUILD_ID && notes.get(12..16) == Some(b"GNU\0") {
            return notes.get(data..end);
        }
        notes = notes.get(end.checked_next_multiple_of(4)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_behind_other_notes() {
        let mut notes = Vec::new();
        for (name, kind, data) in [(&b"Go\0\0"[..], 4u32, &b"abcde\0\0\0"[..]), (b"GNU\0", 3, b"12345678")] {
            notes.extend_from_slice(&4u32.to_le_bytes());
            notes.extend_from_slice(&(data.len() as u32).to_le_bytes());
            notes.extend_from_slice(&kind.to_le_bytes());
            notes.extend_from_slice(name);
            notes.extend_from_slice(data);
        }
        assert_eq!(find(&notes), Some(&b"12345678"[..]));
        assert_eq!(find(&notes[..30]), None);
        assert_eq!(find(&[0xff; 40]), None);
    }
}
