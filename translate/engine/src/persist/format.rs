//! The form of a cache file: bytes in, views out, and the building of a new file from an old one and new regions.
//!
//! Pure. Whatever the bytes are, reading them does not panic and stays inside them; what a view says is checked where it
//! is used to write. The form is described in `translate/README.md`.

use std::collections::HashMap;

/// The first bytes of every file; the digits are the version of the form.
pub(crate) const MAGIC: [u8; 8] = *b"OMNICC01";
/// Bytes before the index.
const HEADER: usize = 104;
const ENTRY: usize = 16;
const DIRECTORY: usize = 24;
/// A cluster is closed when its code reaches this.
const CLUSTER_CODE: usize = 16 << 10;
/// Files are not grown beyond this; the next writer starts a new one.
const MAX_FILE: usize = 64 << 20;

/// What a file is for: the hash of everything that determines code, and the identity of the guest's file.
pub(crate) type FileKey = [u64; 7];

fn fold(a: u64, b: u64) -> u64 {
    let p = u128::from(a) * u128::from(b);
    p as u64 ^ (p >> 64) as u64
}

/// A 64-bit hash in the manner of multiply-and-fold hashes.
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    const K: [u64; 3] = [0xa54f_f53a_5f1d_36f1, 0x9b05_688c_2b3e_6c1f, 0x510e_527f_ade6_82d1];
    let mut h = fold(seed ^ K[0], bytes.len() as u64 ^ K[1]);
    let mut chunks = bytes.chunks_exact(16);
    for c in &mut chunks {
        h = fold(u64_at(c, 0) ^ K[2] ^ h, u64_at(c, 8) ^ K[1]);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let mut last = [0; 16];
        last[..rest.len()].copy_from_slice(rest);
        h = fold(u64_at(&last, 0) ^ K[2] ^ h, u64_at(&last, 8) ^ K[1]);
    }
    fold(h ^ K[0], h.rotate_left(29) ^ K[2])
}

fn u16_at(b: &[u8], at: usize) -> u16 {
    b.get(at..at + 2).map_or(0, |s| u16::from_le_bytes(s.try_into().expect("two bytes")))
}

fn u32_at(b: &[u8], at: usize) -> u32 {
    b.get(at..at + 4).map_or(0, |s| u32::from_le_bytes(s.try_into().expect("four bytes")))
}

fn u64_at(b: &[u8], at: usize) -> u64 {
    b.get(at..at + 8).map_or(0, |s| u64::from_le_bytes(s.try_into().expect("eight bytes")))
}

/// A file whose index was checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileView<'a> {
    bytes: &'a [u8],
}

impl<'a> FileView<'a> {
    /// Checks header and index of a file for `key`. Clusters are checked when they are used.
    pub fn check(bytes: &'a [u8], key: &FileKey) -> Option<FileView<'a>> {
        let v = FileView { bytes };
        if bytes.len() < HEADER || bytes[..8] != MAGIC || u64_at(bytes, 8) != bytes.len() as u64 {
            return None;
        }
        if (0..7).any(|i| u64_at(bytes, 24 + 8 * i) != key[i]) {
            return None;
        }
        v.check_index()
    }

    fn check_index(self) -> Option<FileView<'a>> {
        let (v, bytes) = (self, self.bytes);
        let end = HEADER
            .checked_add(v.entries().checked_mul(ENTRY)?)?
            .checked_add(v.clusters().checked_mul(DIRECTORY)?)?;
        let index = bytes.get(24..end)?;
        (u64_at(bytes, 16) == hash(1, index)).then_some(v)
    }

    /// A view of bytes that were checked before.
    pub fn again(bytes: &'a [u8]) -> FileView<'a> {
        FileView { bytes }
    }

    /// Files with the same number differ only in what was added at the end.
    pub fn lineage(&self) -> u64 {
        u64_at(self.bytes, 80)
    }

    /// Number of index entries.
    pub fn entries(&self) -> usize {
        u32_at(self.bytes, 88) as usize
    }

    /// Number of clusters.
    pub fn clusters(&self) -> usize {
        u32_at(self.bytes, 92) as usize
    }

    /// Number of regions.
    pub fn regions(&self) -> usize {
        u32_at(self.bytes, 96) as usize
    }

    fn entry(&self, i: usize) -> (u64, u32, u32) {
        let at = HEADER + i * ENTRY;
        (u64_at(self.bytes, at), u32_at(self.bytes, at + 8), u32_at(self.bytes, at + 12))
    }

    /// Cluster and code offset of a key relative to the image.
    pub fn find(&self, key: u64) -> Option<(usize, u32)> {
        let (mut lo, mut hi) = (0, self.entries());
        while lo < hi {
            let mid = lo + (hi - lo) / 2;
            if self.entry(mid).0 < key { lo = mid + 1 } else { hi = mid }
        }
        let (found, cluster, offset) = self.entry(lo);
        (lo < self.entries() && found == key && (cluster as usize) < self.clusters())
            .then_some((cluster as usize, offset))
    }

    /// The bytes of a cluster and their checksum.
    fn blob(&self, cluster: usize) -> Option<(&'a [u8], u64)> {
        let at = HEADER + self.entries() * ENTRY + cluster * DIRECTORY;
        let start = usize::try_from(u64_at(self.bytes, at)).ok()?;
        let end = start.checked_add(u32_at(self.bytes, at + 8) as usize)?;
        Some((self.bytes.get(start..end)?, u64_at(self.bytes, at + 16)))
    }

    /// A cluster that was checked before.
    pub fn cluster(&self, cluster: usize) -> Option<Cluster<'a>> {
        Cluster::split(self.blob(cluster)?.0)
    }

    /// A cluster, its checksum and its tables checked.
    pub fn checked_cluster(&self, cluster: usize) -> Option<Cluster<'a>> {
        let (blob, sum) = self.blob(cluster)?;
        if hash(2, blob) != sum {
            return None;
        }
        let c = Cluster::split(blob)?;
        c.is_sound(self).then_some(c)
    }
}

/// The number of regions in a file for any key; `None` if it is not a sound cache file.
pub fn cache_regions(bytes: &[u8]) -> Option<u64> {
    let key = std::array::from_fn(|i| u64_at(bytes, 24 + 8 * i));
    let view = FileView::check(bytes, &key)?;
    (0..view.clusters()).all(|c| view.checked_cluster(c).is_some()).then_some(view.regions() as u64)
}

/// Kinds of relocations in a file.
pub(crate) mod reloc {
    /// 8-byte guest address, less the image's bias.
    pub const GUEST64: u32 = 0;
    /// 4-byte guest address, less the bias, signed.
    pub const GUEST32: u32 = 1;
    /// 4-byte index in the cluster's descriptors.
    pub const DESCRIPTOR: u32 = 2;
}

const COUNTS: usize = 9;
/// Bytes of one element of each table, in order: descriptors, regions, entries, ranges, relocations, exits, cross links,
/// pads, marks.
const SIZES: [usize; COUNTS] = [24, 32, 8, 8, 4, 16, 12, 4, 8];

/// The tables and the code of one cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cluster<'a> {
    tables: [&'a [u8]; COUNTS],
    /// Host code, relocated to bias zero; exits into the cluster are linked.
    pub code: &'a [u8],
}

/// One region of a cluster: where its part of each table begins and ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegionView {
    pub code: std::ops::Range<u32>,
    pub hash: u64,
    pub mode: u64,
    pub entries: std::ops::Range<usize>,
    pub ranges: std::ops::Range<usize>,
    pub exits: std::ops::Range<usize>,
    pub pads: std::ops::Range<usize>,
    pub marks: std::ops::Range<usize>,
}

impl<'a> Cluster<'a> {
    fn split(blob: &'a [u8]) -> Option<Cluster<'a>> {
        let mut at = COUNTS * 4;
        let mut tables = [&blob[..0]; COUNTS];
        for (i, t) in tables.iter_mut().enumerate() {
            let end = at.checked_add((u32_at(blob, i * 4) as usize).checked_mul(SIZES[i])?)?;
            *t = blob.get(at..end)?;
            at = end;
        }
        Some(Cluster { tables, code: blob.get(at.next_multiple_of(16)..)? })
    }

    fn count(&self, table: usize) -> usize {
        self.tables[table].len() / SIZES[table]
    }

    /// Descriptors as words.
    pub fn descriptors(&self) -> impl Iterator<Item = [u64; 3]> + use<'a> {
        self.tables[0].chunks_exact(24).map(|c| [u64_at(c, 0), u64_at(c, 8), u64_at(c, 16)])
    }

    /// The regions in code order.
    pub fn regions(&self) -> impl Iterator<Item = RegionView> + use<'a> {
        let mut sum = [0usize; 5];
        self.tables[1].chunks_exact(32).map(move |c| {
            let mut next = |k: usize, n: usize| {
                let from = sum[k];
                sum[k] += n;
                from..sum[k]
            };
            let code = u32_at(c, 0);
            RegionView {
                code: code..code.saturating_add(u32_at(c, 4)),
                hash: u64_at(c, 8),
                mode: u64::from(u16_at(c, 16)) << 48,
                entries: next(0, u16_at(c, 18).into()),
                ranges: next(1, u16_at(c, 20).into()),
                exits: next(2, u16_at(c, 22).into()),
                pads: next(3, u16_at(c, 24).into()),
                marks: next(4, u32_at(c, 28) as usize),
            }
        })
    }

    fn pair(&self, table: usize, i: usize) -> (u32, u32) {
        (u32_at(self.tables[table], i * 8), u32_at(self.tables[table], i * 8 + 4))
    }

    /// (image offset, code offset) of an enterable block.
    pub fn entry(&self, i: usize) -> (u32, u32) {
        self.pair(2, i)
    }

    /// (image offset, length) of guest bytes.
    pub fn range(&self, i: usize) -> (u32, u32) {
        self.pair(3, i)
    }

    /// (kind, code offset) of all relocations.
    pub fn relocs(&self) -> impl Iterator<Item = (u32, usize)> + use<'a> {
        self.tables[4].chunks_exact(4).map(|c| (u32_at(c, 0) >> 28, (u32_at(c, 0) & 0x0fff_ffff) as usize))
    }

    /// (site, stub, key less the bias); sites ascend.
    pub fn exit(&self, i: usize) -> (u32, u32, u64) {
        let t = self.tables[5];
        (u32_at(t, i * 16), u32_at(t, i * 16 + 4), u64_at(t, i * 16 + 8))
    }

    /// The stub of the exit whose site is at this code offset.
    pub fn stub_of(&self, site: u32) -> Option<u32> {
        let (mut lo, mut hi) = (0, self.count(5));
        while lo < hi {
            let mid = lo + (hi - lo) / 2;
            if self.exit(mid).0 < site { lo = mid + 1 } else { hi = mid }
        }
        (lo < self.count(5) && self.exit(lo).0 == site).then(|| self.exit(lo).1)
    }

    /// (site, cluster, code offset there) of exits to other clusters of the file.
    pub fn cross_links(&self) -> impl Iterator<Item = (u32, usize, u32)> + use<'a> {
        self.tables[6].chunks_exact(12).map(|c| (u32_at(c, 0), u32_at(c, 4) as usize, u32_at(c, 8)))
    }

    /// Code offset of a pad's key.
    pub fn pad(&self, i: usize) -> u32 {
        u32_at(self.tables[7], i * 4)
    }

    /// (code offset, image offset): as `HostCode::marks`.
    pub fn mark(&self, i: usize) -> (u32, u32) {
        self.pair(8, i)
    }

    /// Everything that leads to a write or a jump stays inside.
    fn is_sound(&self, file: &FileView<'_>) -> bool {
        let len = self.code.len();
        let inside = |at: u32, size: usize| (at as usize).checked_add(size).is_some_and(|e| e <= len);
        let mut last = RegionView::default();
        for r in self.regions() {
            if r.code.start < last.code.end || r.code.end as usize > len || r.code.is_empty() {
                return false;
            }
            last = r;
        }
        let ends = [last.entries.end, last.ranges.end, last.exits.end, last.pads.end, last.marks.end];
        ends == [self.count(2), self.count(3), self.count(5), self.count(7), self.count(8)]
            && (0..self.count(2)).all(|i| inside(self.entry(i).1, 1))
            && (0..self.count(3)).all(|i| (1..=1 << 16).contains(&self.range(i).1))
            && self.relocs().all(|(kind, at)| {
                kind <= reloc::DESCRIPTOR && inside(at as u32, if kind == reloc::GUEST64 { 8 } else { 4 })
            })
            && (0..self.count(5)).all(|i| {
                let (site, stub, _) = self.exit(i);
                site.is_multiple_of(4) && inside(site, 4) && inside(stub, 1)
            })
            && self
                .cross_links()
                .all(|(site, c, _)| site.is_multiple_of(4) && inside(site, 4) && c < file.clusters())
            && (0..self.count(7)).all(|i| self.pad(i).is_multiple_of(8) && inside(self.pad(i), 8))
    }
}

/// A region to be written: code at bias zero with every exit at its stub, tables relative to code and image.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub code: Vec<u8>,
    pub hash: u64,
    pub mode: u64,
    pub entries: Vec<(u32, u32)>,
    pub ranges: Vec<(u32, u32)>,
    /// Kind and code offset; a descriptor's field holds the index in `descriptors`.
    pub relocs: Vec<(u32, u32)>,
    pub descriptors: Vec<[u64; 3]>,
    /// Site, stub and key; sites ascend.
    pub exits: Vec<(u32, u32, u64)>,
    pub pads: Vec<u32>,
    pub marks: Vec<(u32, u32)>,
}

impl Record {
    /// Empties it, the memory kept.
    pub fn clear(&mut self) {
        self.code.clear();
        self.entries.clear();
        self.ranges.clear();
        self.relocs.clear();
        self.descriptors.clear();
        self.exits.clear();
        self.pads.clear();
        self.marks.clear();
    }
    /// Its bytes in a file are not more.
    fn most_bytes(&self) -> usize {
        let counts = [
            self.descriptors.len(),
            1,
            self.entries.len(),
            self.ranges.len(),
            self.relocs.len(),
            self.exits.len(),
            self.exits.len(),
            self.pads.len(),
            self.marks.len(),
        ];
        counts.iter().zip(SIZES).map(|(n, size)| n * size).sum::<usize>() + self.code.len() + 16
    }
    fn fits(&self) -> bool {
        let small = |n: usize| n <= usize::from(u16::MAX);
        small(self.entries.len())
            && small(self.ranges.len())
            && small(self.exits.len())
            && small(self.pads.len())
            && !self.ranges.is_empty()
            && self.code.len() < 1 << 20
    }
}

/// Makes the 4 bytes of a site that leads from one address to another.
pub(crate) type LinkValue<'a> = &'a dyn Fn(u64, u64) -> u32;

/// Where the bytes of a new file go.
pub trait Sink {
    /// True if there is room for a file of so many bytes.
    fn has_room(&mut self, size: u64) -> bool;
    /// Writes at an offset; what is never written is zero. False if that failed.
    fn write(&mut self, at: u64, bytes: &[u8]) -> bool;
}

/// Regions to be written.
pub(crate) trait Source {
    /// How many there are.
    fn len(&self) -> usize;
    /// Fills an empty record with the region `i`; false if it cannot be kept. The same each time it is called.
    fn get(&mut self, i: usize, into: &mut Record) -> bool;
}

/// Where a region goes.
struct Planned {
    index: usize,
    cluster: u32,
    /// Offset in the cluster's code.
    at: u32,
}

/// Writes a file for `key` with what `old` (checked) holds and the regions, one cluster after the other, so that no more than one is in
/// memory. False if nothing is added or the sink fails.
pub(crate) fn build(
    key: &FileKey,
    old: Option<FileView<'_>>,
    seed: u64,
    source: &mut dyn Source,
    link: LinkValue<'_>,
    sink: &mut dyn Sink,
) -> bool {
    // Places and keys of what is new.
    let mut record = Record::default();
    let mut plan: Vec<Planned> = Vec::new();
    let mut keys: Vec<(u64, u32, u32)> = Vec::new();
    let (mut fill, mut cluster, mut size, mut lineage) = (0, 0, 0, seed);
    for index in 0..source.len() {
        record.clear();
        if !source.get(index, &mut record) || !record.fits() {
            continue;
        }
        let known = |e: &(u32, u32)| old.is_some_and(|o| o.find(record.mode | u64::from(e.0)).is_some());
        if record.entries.iter().all(known) {
            continue;
        }
        if fill >= CLUSTER_CODE {
            (fill, cluster) = (0, cluster + 1);
        }
        plan.push(Planned { index, cluster, at: fill as u32 });
        keys.extend(
            record.entries.iter().map(|e| (record.mode | u64::from(e.0), cluster, fill as u32 + e.1)),
        );
        fill = (fill + record.code.len()).next_multiple_of(16);
        size += record.most_bytes();
        lineage = lineage.rotate_left(7).wrapping_mul(31) ^ record.hash;
    }
    if plan.is_empty() {
        return false;
    }
    let old = old.filter(|o| o.bytes.len() + size <= MAX_FILE);
    let first = old.map_or(0, |o| o.clusters());
    let new = cluster as usize + 1;

    // The index; the first region that has a key keeps it.
    keys.sort_by_key(|k| k.0);
    keys.dedup_by_key(|k| k.0);
    keys.retain(|k| old.is_none_or(|o| o.find(k.0).is_none()));
    for k in &mut keys {
        k.1 += first as u32;
    }
    let entries = old.map_or(0, |o| o.entries()) + keys.len();
    let head = HEADER + entries * ENTRY + (first + new) * DIRECTORY;
    let most = head + old.map_or(0, |o| o.bytes.len()) + size + new * (COUNTS * 4 + 32);
    if !sink.has_room(most as u64) {
        return false;
    }
    let find = |key: u64| match keys.binary_search_by_key(&key, |k| k.0) {
        Ok(i) => Some((keys[i].1, keys[i].2)),
        Err(_) => old.and_then(|o| o.find(key)).map(|(cluster, at)| (cluster as u32, at)),
    };

    // Clusters, and the directory of them.
    let mut directory = Vec::with_capacity((first + new) * DIRECTORY);
    let (mut at, mut end) = (head, head);
    let mut put = |blob: &[u8], sum: u64| {
        at = end.next_multiple_of(16);
        end = at + blob.len();
        for word in [at as u64, blob.len() as u64, sum] {
            directory.extend_from_slice(&word.to_le_bytes());
        }
        sink.write(at as u64, blob)
    };
    for c in 0..first {
        let (blob, sum) = old.and_then(|o| o.blob(c)).unwrap_or((&[], 0));
        if !put(blob, sum) {
            return false;
        }
    }
    let mut writer = ClusterWriter::default();
    for list in plan.chunk_by(|a, b| a.cluster == b.cluster) {
        writer.clear();
        let number = list[0].cluster + first as u32;
        for p in list {
            record.clear();
            if !source.get(p.index, &mut record) {
                return false;
            }
            writer.add(number, p.at, &record, &find, link);
        }
        let blob = writer.finish();
        if !put(blob, hash(2, blob)) {
            return false;
        }
    }

    // Header and index.
    let mut out = vec![0u8; HEADER];
    out.reserve(head);
    out[..8].copy_from_slice(&MAGIC);
    put64(&mut out, 8, end as u64);
    for (i, k) in key.iter().enumerate() {
        put64(&mut out, 24 + 8 * i, *k);
    }
    put64(&mut out, 80, old.map_or(lineage, |o| o.lineage()));
    put32(&mut out, 88, entries as u32);
    put32(&mut out, 92, (first + new) as u32);
    put32(&mut out, 96, (old.map_or(0, |o| o.regions()) + plan.len()) as u32);
    let mut there = old.into_iter().flat_map(|o| (0..o.entries()).map(move |i| o.entry(i))).peekable();
    for &key in &keys {
        while let Some(before) = there.next_if(|o| o.0 < key.0) {
            put_entry(&mut out, before);
        }
        put_entry(&mut out, key);
    }
    there.for_each(|e| put_entry(&mut out, e));
    out.extend_from_slice(&directory);
    let sum = hash(1, &out[24..]);
    put64(&mut out, 16, sum);
    sink.write(0, &out)
}

fn put32(out: &mut [u8], at: usize, v: u32) {
    out[at..at + 4].copy_from_slice(&v.to_le_bytes());
}

fn put64(out: &mut [u8], at: usize, v: u64) {
    out[at..at + 8].copy_from_slice(&v.to_le_bytes());
}

fn put_entry(out: &mut Vec<u8>, (key, cluster, offset): (u64, u32, u32)) {
    out.extend_from_slice(&key.to_le_bytes());
    out.extend_from_slice(&cluster.to_le_bytes());
    out.extend_from_slice(&offset.to_le_bytes());
}

/// The bytes of one cluster.
#[derive(Default)]
struct ClusterWriter {
    tables: [Vec<u8>; COUNTS],
    code: Vec<u8>,
    descriptors: HashMap<[u64; 3], u32>,
    out: Vec<u8>,
}

impl ClusterWriter {
    fn clear(&mut self) {
        self.tables.iter_mut().for_each(Vec::clear);
        self.code.clear();
        self.descriptors.clear();
    }

    /// Adds a region of cluster `number` at the code offset `at`; `find` gives cluster and code offset of a key.
    fn add(
        &mut self,
        number: u32,
        at: u32,
        r: &Record,
        find: &dyn Fn(u64) -> Option<(u32, u32)>,
        link: LinkValue<'_>,
    ) {
        let ClusterWriter { tables, code, descriptors, .. } = self;
        code.resize(at as usize, 0xcc);
        code.extend_from_slice(&r.code);
        let mut put = |table: usize, words: &[u32]| {
            for w in words {
                tables[table].extend_from_slice(&w.to_le_bytes());
            }
        };
        put(1, &[at, r.code.len() as u32, r.hash as u32, (r.hash >> 32) as u32]);
        let pack = |lo: usize, hi: usize| lo as u32 | (hi as u32) << 16;
        put(1, &[pack((r.mode >> 48) as usize, r.entries.len()), pack(r.ranges.len(), r.exits.len())]);
        put(1, &[r.pads.len() as u32, r.marks.len() as u32]);
        for e in &r.entries {
            put(2, &[e.0, at + e.1]);
        }
        for e in &r.ranges {
            put(3, &[e.0, e.1]);
        }
        for &(kind, field) in &r.relocs {
            let field = at + field;
            put(4, &[kind << 28 | field]);
            if kind == reloc::DESCRIPTOR {
                let words = r.descriptors[u32_at(code, field as usize) as usize];
                let next = descriptors.len() as u32;
                let number = *descriptors.entry(words).or_insert(next);
                if number == next {
                    put(0, &words.map(|w| [w as u32, (w >> 32) as u32]).concat());
                }
                put32(code, field as usize, number);
            }
        }
        for &(site, stub, target) in &r.exits {
            let site = at + site;
            put(5, &[site, at + stub, target as u32, (target >> 32) as u32]);
            match find(target) {
                Some((c, to)) if c == number => {
                    put32(code, site as usize, link(site.into(), to.into()));
                }
                Some((c, to)) => put(6, &[site, c, to]),
                None => {}
            }
        }
        for p in &r.pads {
            put(7, &[at + p]);
        }
        for m in &r.marks {
            put(8, &[at + m.0, m.1]);
        }
    }

    /// Tables and code together.
    fn finish(&mut self) -> &[u8] {
        self.out.clear();
        for (t, size) in self.tables.iter().zip(SIZES) {
            self.out.extend_from_slice(&((t.len() / size) as u32).to_le_bytes());
        }
        for t in &self.tables {
            self.out.extend_from_slice(t);
        }
        self.out.resize(self.out.len().next_multiple_of(16), 0);
        self.out.extend_from_slice(&self.code);
        &self.out
    }
}
