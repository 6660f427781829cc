//! Where the fields of a structure are on an arch, and conversion of one arch's bytes into another's.
//!
//! Layouts follow the C rules: a field is aligned to its type, except that the alignment of 64-bit integers is a fact of
//! the ABI and that packed structures have none. Fields are matched by name, so variants with other orders convert too.

use crate::tables::{ARCHES, Arch, STRUCTS};
use crate::types::{Field, StructId, Ty};
use std::sync::OnceLock;

/// One placed field.
#[derive(Debug)]
pub struct FieldAt {
    /// Its declaration.
    pub field: &'static Field,
    /// Offset in bytes.
    pub offset: usize,
    /// Size of one element.
    pub size: usize,
}

/// A structure as placed on an arch.
#[derive(Debug)]
pub struct Layout {
    /// Bytes in all, with tail padding.
    pub size: usize,
    /// Alignment.
    pub align: usize,
    /// In order of declaration.
    pub fields: Vec<FieldAt>,
}

impl Layout {
    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&FieldAt> {
        self.fields.iter().find(|f| f.field.name == name)
    }
}

/// (size, alignment) of a type on an arch.
pub fn element(ty: Ty, arch: Arch) -> (usize, usize) {
    let info = arch.info();
    match ty {
        Ty::I8 | Ty::U8 => (1, 1),
        Ty::I16 | Ty::U16 => (2, 2),
        Ty::I32 | Ty::U32 => (4, 4),
        Ty::I64 | Ty::U64 => (8, info.align64),
        Ty::Long | Ty::ULong | Ty::Ptr => (info.word, info.word),
        Ty::Struct(id) => {
            let l = layout(id, arch);
            (l.size, l.align)
        }
    }
}

fn compute(id: StructId, arch: Arch) -> Layout {
    let v = id.on(arch);
    let (mut at, mut align) = (0usize, 1usize);
    let mut fields = Vec::with_capacity(v.fields.len());
    for f in v.fields {
        let (size, mut a) = element(f.ty, arch);
        if v.packed {
            a = 1;
        }
        at = at.next_multiple_of(a);
        fields.push(FieldAt { field: f, offset: at, size });
        at += size * (f.count.max(1) as usize);
        align = align.max(a);
    }
    Layout { size: at.next_multiple_of(align), align, fields }
}

/// Something of each structure for each architecture; a process needs those of one or two, so the others take no memory.
type PerArch<T> = [OnceLock<Box<[OnceLock<T>]>>; ARCHES.len()];

fn cell<T>(all: &'static PerArch<T>, arch: Arch, id: StructId) -> &'static OnceLock<T> {
    let list = all[arch as usize].get_or_init(|| STRUCTS.iter().map(|_| OnceLock::new()).collect());
    &list[id.0 as usize]
}

/// The layout, computed once.
pub fn layout(id: StructId, arch: Arch) -> &'static Layout {
    static CACHE: PerArch<Layout> = [const { OnceLock::new() }; ARCHES.len()];
    cell(&CACHE, arch, id).get_or_init(|| compute(id, arch))
}

/// True if the bytes mean the same on both.
pub fn same_layout(ty: Ty, a: Arch, b: Arch) -> bool {
    if a == b {
        return true;
    }
    if element(ty, a).0 != element(ty, b).0 {
        return false;
    }
    match ty {
        Ty::I8 | Ty::U8 => true,
        Ty::I16 | Ty::U16 | Ty::I32 | Ty::U32 | Ty::I64 | Ty::U64 | Ty::Long | Ty::ULong | Ty::Ptr => {
            a.info().big_endian == b.info().big_endian
        }
        Ty::Struct(id) => {
            let (la, lb) = (layout(id, a), layout(id, b));
            la.fields.len() == lb.fields.len()
                && la.fields.iter().zip(&lb.fields).all(|(x, y)| {
                    x.field.name == y.field.name
                        && x.offset == y.offset
                        && x.field.count == y.field.count
                        && same_layout(x.field.ty, a, b)
                        && same_layout(y.field.ty, a, b)
                })
        }
    }
}

/// Reads a scalar of `bytes.len()` bytes, sign-extended if `signed`.
pub(crate) fn get(bytes: &[u8], big: bool, signed: bool) -> u64 {
    let mut v = 0u64;
    for i in 0..bytes.len() {
        let b = if big { bytes[i] } else { bytes[bytes.len() - 1 - i] };
        v = v << 8 | u64::from(b);
    }
    if signed && bytes.len() < 8 && !bytes.is_empty() {
        let shift = 64 - 8 * bytes.len() as u32;
        v = ((v << shift) as i64 >> shift) as u64;
    }
    v
}

/// Writes the low bytes of a scalar.
pub(crate) fn put(bytes: &mut [u8], big: bool, mut v: u64) {
    let n = bytes.len();
    for i in 0..n {
        bytes[if big { n - 1 - i } else { i }] = v as u8;
        v >>= 8;
    }
}

fn signed(ty: Ty) -> bool {
    matches!(ty, Ty::I8 | Ty::I16 | Ty::I32 | Ty::I64 | Ty::Long)
}

impl FieldAt {
    /// The (first) scalar value of this field in a structure's bytes.
    pub fn get(&self, bytes: &[u8], arch: Arch) -> u64 {
        let end = self.offset + self.size;
        bytes.get(self.offset..end).map_or(0, |b| get(b, arch.info().big_endian, signed(self.field.ty)))
    }

    /// Stores a scalar value into this field.
    pub fn put(&self, bytes: &mut [u8], arch: Arch, value: u64) {
        let end = self.offset + self.size;
        if let Some(b) = bytes.get_mut(self.offset..end) {
            put(b, arch.info().big_endian, value);
        }
    }
}

/// The scalar at the start of `bytes`.
pub fn read_scalar(ty: Ty, bytes: &[u8], arch: Arch) -> u64 {
    let n = element(ty, arch).0;
    bytes.get(..n).map_or(0, |b| get(b, arch.info().big_endian, signed(ty)))
}

/// One scalar's way from one layout into another, or that of several neighbours that stay as they are.
struct Move {
    from: u32,
    from_size: u32,
    signed: bool,
    /// The bytes are copied.
    same: bool,
    to: u32,
    to_size: u32,
}

/// The scalars of a structure in both layouts, in the order of the destination.
fn moves(id: StructId, from: Arch, to: Arch, from_base: usize, to_base: usize, out: &mut Vec<Move>) {
    let (lf, lt) = (layout(id, from), layout(id, to));
    for (i, t) in lt.fields.iter().enumerate() {
        let same = lf.fields.get(i).filter(|f| f.field.name == t.field.name);
        let Some(f) = same.or_else(|| lf.field(t.field.name)) else { continue };
        let n = f.field.count.max(1).min(t.field.count.max(1)) as usize;
        for k in 0..n {
            let (a, b) = (from_base + f.offset + k * f.size, to_base + t.offset + k * t.size);
            match (f.field.ty, t.field.ty) {
                (Ty::Struct(_), Ty::Struct(inner)) => moves(inner, from, to, a, b, out),
                (ty, _) => {
                    let same = f.size == t.size && from.info().big_endian == to.info().big_endian;
                    let (a, b, size) = (a as u32, b as u32, f.size as u32);
                    match out.last_mut() {
                        Some(m) if same && m.same && m.from + m.from_size == a && m.to + m.to_size == b => {
                            m.from_size += size;
                            m.to_size += size;
                        }
                        _ => out.push(Move {
                            from: a,
                            from_size: size,
                            signed: signed(ty),
                            same,
                            to: b,
                            to_size: t.size as u32,
                        }),
                    }
                }
            }
        }
    }
}

/// The moves between an arch and the host, computed once; other pairs have none kept.
fn kept_moves(id: StructId, from: Arch, to: Arch) -> Option<&'static [Move]> {
    static IN: PerArch<Vec<Move>> = [const { OnceLock::new() }; ARCHES.len()];
    static OUT: PerArch<Vec<Move>> = [const { OnceLock::new() }; ARCHES.len()];
    let cell = match (from == crate::HOST, to == crate::HOST) {
        (false, true) => cell(&IN, from, id),
        (true, false) => cell(&OUT, to, id),
        _ => return None,
    };
    Some(cell.get_or_init(|| {
        let mut out = Vec::new();
        moves(id, from, to, 0, 0, &mut out);
        out
    }))
}

/// Converts one element of type `ty`. Bytes of `dst` that have no source become zero.
pub fn convert(ty: Ty, from: Arch, src: &[u8], to: Arch, dst: &mut [u8]) {
    let (big_from, big_to) = (from.info().big_endian, to.info().big_endian);
    let Ty::Struct(id) = ty else {
        let (ns, nd) = (element(ty, from).0, element(ty, to).0);
        return put(&mut dst[..nd], big_to, get(&src[..ns], big_from, signed(ty)));
    };
    dst[..layout(id, to).size].fill(0);
    let computed;
    let list = match kept_moves(id, from, to) {
        Some(list) => list,
        None => {
            let mut out = Vec::new();
            moves(id, from, to, 0, 0, &mut out);
            computed = out;
            &computed
        }
    };
    for m in list {
        let s = &src[m.from as usize..][..m.from_size as usize];
        let d = &mut dst[m.to as usize..][..m.to_size as usize];
        if m.same {
            d.copy_from_slice(s);
        } else {
            put(d, big_to, get(s, big_from, m.signed));
        }
    }
}
