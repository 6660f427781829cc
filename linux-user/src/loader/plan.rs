//! What is mapped where: segments become page-aligned mappings at a base.
//!
//! Pure: input is an [`Image`] and a base; output a [`Plan`] whose mappings are disjoint and lie in its span.

use super::{Image, LoadError};
use crate::mm::PAGE;
use std::ops::Range;

/// One mapping of a plan. Addresses are final.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Page-aligned address range.
    pub range: Range<u64>,
    /// `mm::prot` bits.
    pub prot: u32,
    /// Offset in the file, or anonymous memory.
    pub offset: Option<u64>,
    /// Bytes to clear behind the file's data in its last page.
    pub clear: Range<u64>,
}

/// A placed image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Pages from the first to the last.
    pub span: Range<u64>,
    /// Distance from the file's addresses.
    pub bias: u64,
    /// Mappings in address order of application: later ones replace earlier ones.
    pub pieces: Vec<Piece>,
    /// Entry address.
    pub entry: u64,
    /// Address of the program headers, or zero.
    pub phdr: u64,
    /// Executable range.
    pub code: Range<u64>,
    /// Writable range.
    pub data: Range<u64>,
    /// End of the highest segment: where brk starts, before page rounding.
    pub end: u64,
}

/// The alignment that a relocatable image's base must have.
pub fn alignment(image: &Image) -> u64 {
    // Absurd alignments are capped, as no address would have them.
    image.segments.iter().map(|segment| segment.align).max().unwrap_or(PAGE).clamp(PAGE, 1 << 30)
}

/// Bytes that the image spans in memory, in pages.
pub fn span_len(image: &Image) -> u64 {
    // The parser keeps addresses below the task size: rounding up cannot overflow.
    page_up(image.span.end) - image.span.start
}

fn page_up(addr: u64) -> u64 {
    addr.saturating_add(PAGE - 1) & !(PAGE - 1)
}

/// Plans the image with its first page at `base` (ignored for images with fixed addresses).
pub fn plan(image: &Image, base: u64, task_size: u64) -> Result<Plan, LoadError> {
    let bias = if image.relocatable { base.wrapping_sub(image.span.start) } else { 0 };
    let span = image.span.start.wrapping_add(bias)..page_up(image.span.end).wrapping_add(bias);
    if span.start > span.end || span.end > task_size {
        return Err(LoadError::Malformed("it does not fit into the address space"));
    }
    let mut pieces = Vec::new();
    let mut code = 0..0;
    let mut data = 0..0;
    let mut end = 0;
    for segment in &image.segments {
        let mem = segment.mem.start.wrapping_add(bias)..segment.mem.end.wrapping_add(bias);
        let file_end = mem.start + segment.file_len;
        let start = mem.start & !(PAGE - 1);
        let mut at = start;
        if segment.file_len > 0 {
            at = page_up(file_end);
            let clear = if segment.prot & crate::mm::prot::WRITE != 0 && mem.end > file_end {
                file_end..at
            } else {
                0..0
            };
            let offset = Some(segment.offset & !(PAGE - 1));
            pieces.push(Piece { range: start..at, prot: segment.prot, offset, clear });
        }
        let mem_end = page_up(mem.end);
        if mem_end > at {
            pieces.push(Piece { range: at..mem_end, prot: segment.prot, offset: None, clear: 0..0 });
        }
        let range = if segment.prot & crate::mm::prot::EXEC != 0 { &mut code } else { &mut data };
        *range = super::hull(range, &mem);
        end = end.max(mem.end);
    }
    Ok(Plan {
        span,
        bias,
        pieces,
        entry: image.entry.wrapping_add(bias),
        phdr: if image.phdr == 0 { 0 } else { image.phdr.wrapping_add(bias) },
        code,
        data,
        end,
    })
}
