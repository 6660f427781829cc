//! Persistent translations: code of mapped files is taken from cache files that earlier processes wrote, and new code is
//! written for later ones. Input: which files are mapped executable where, and a store of named byte files; output: host
//! addresses for keys, and new file contents.
//!
//! What must hold (all under the translation lock):
//! 1. A cluster is placed only after its checksum, its tables and the guest bytes of each of its regions were checked.
//! 2. Regions of placed clusters are not in the store; links between placed clusters are recorded nowhere but in the
//!    code. As soon as guest code of a placed cluster is invalidated, all placed clusters move to the store
//!    ([`Persist::release`]), which then knows everything about them, and are not placed again.
//! 3. Only code whose bytes are as the back end made them is written, under the hash of the guest bytes that it was
//!    made from.

mod format;
mod save;
#[cfg(test)]
mod tests;

pub use format::{Sink as CacheSink, cache_regions};
pub(crate) use save::MANY;

use crate::arena::Arena;
use crate::descriptors::{Descriptors, Interner};
use crate::store::{Region, Store};
use crate::tables::Parts;
use crate::{Config, Memory};
use format::{Cluster, FileKey, FileView, reloc};
use ir::{BackEnd, Inst};
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// Contents of a cache file: they stay as they are while this lives.
pub type CacheBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Writes new contents of a file from the present ones; false to leave it as it is.
pub type Rebuild<'a> = dyn FnMut(Option<&[u8]>, &mut dyn CacheSink) -> bool + 'a;

/// Named byte files, private to the user. All failures are silent: a cache is not needed.
pub trait CacheFiles: Send + Sync {
    /// The file's contents now.
    fn open(&self, name: &str) -> Option<CacheBytes>;
    /// Replaces the file's contents by what `build` writes, at once or not at all. False if that was not possible; `build` is
    /// not called then, or what it wrote is dropped.
    fn update(&self, name: &str, build: &mut Rebuild<'_>) -> bool;
}

/// What identifies a mapped file as it is now: device, inode, size and times.
pub type ImageId = [u64; 5];

/// How translations are kept.
pub struct CacheConfig {
    /// Where.
    pub files: Arc<dyn CacheFiles>,
    /// New code is written.
    pub write: bool,
    /// Everything that determines code beside the guest bytes and the back end's name: build, guest, CPU model.
    pub code_key: String,
}

/// Figures of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounters {
    /// Clusters placed.
    pub clusters: u64,
    /// Regions in them.
    pub regions: u64,
    /// Clusters refused because bytes, checksum or tables were not as expected.
    pub refused: u64,
    /// Regions offered to files.
    pub saved: u64,
}

/// A file's part in this process.
struct File {
    id: ImageId,
    name: String,
    key: FileKey,
    bytes: Option<CacheBytes>,
    opened: bool,
    /// Looked at again after a fork.
    again: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Absent,
    At(u64),
    Gone,
}

/// A mapped range of a file.
struct Image {
    range: Range<u64>,
    /// Address of file offset zero.
    bias: u64,
    file: usize,
    state: Vec<State>,
}

/// A cluster in the arena.
#[derive(Clone, Copy)]
struct Placed {
    len: u64,
    bias: u64,
    file: usize,
    cluster: usize,
    guest: (u64, u64),
}

/// What placing needs of the engine.
pub(crate) struct Place<'a> {
    pub arena: &'a mut Arena,
    pub interner: &'a mut Interner,
    pub descriptors: &'a Descriptors,
    pub tagged: &'a HashSet<u64>,
    pub config: &'a Config,
}

/// The arena is full.
pub(crate) struct Full;

/// All images and files of the process.
#[derive(Default)]
pub(crate) struct Persist {
    files: Vec<File>,
    /// Sorted by address, disjoint.
    images: Vec<Image>,
    placed: BTreeMap<u64, Placed>,
    /// Regions of the store before this index are saved, or another process's to save.
    seen: usize,
    code_key: [u64; 2],
    /// In a child of fork: files may have grown since the parent opened them.
    forked: bool,
    pub counters: CacheCounters,
}

impl Persist {
    pub fn new(config: &Config) -> Persist {
        let text = config
            .cache
            .as_ref()
            .map(|c| format!("{}\0{}\0{}", c.code_key, config.back_end.name(), config.guest.name()));
        let text = text.unwrap_or_default();
        let code_key = [format::hash(11, text.as_bytes()), format::hash(12, text.as_bytes())];
        Persist { code_key, ..Persist::default() }
    }

    /// A private executable mapping of a file was made.
    pub fn map(&mut self, range: Range<u64>, id: ImageId, offset: u64) {
        if range.is_empty() || offset.saturating_add(range.end - range.start) >= 1 << 32 {
            return;
        }
        self.trim(&range);
        let file = self.files.iter().position(|f| f.id == id).unwrap_or_else(|| {
            let [a, b] = self.code_key;
            let key = [a, b, id[0], id[1], id[2], id[3], id[4]];
            let bytes: Vec<u8> = key.iter().flat_map(|k| k.to_le_bytes()).collect();
            let name = format!("{:016x}{:016x}", format::hash(21, &bytes), format::hash(22, &bytes));
            self.files.push(File { id, name, key, bytes: None, opened: false, again: false });
            self.files.len() - 1
        });
        let at = self.images.partition_point(|i| i.range.start < range.start);
        let bias = range.start.wrapping_sub(offset);
        self.images.insert(at, Image { range, bias, file, state: Vec::new() });
    }

    /// Bytes in `range` changed or are gone: the images there are no longer their file's.
    pub fn trim(&mut self, range: &Range<u64>) {
        if !self.images.iter().any(|i| i.range.start < range.end && range.start < i.range.end) {
            return;
        }
        let mut left = Vec::with_capacity(self.images.len() + 1);
        for i in self.images.drain(..) {
            let parts =
                [i.range.start..i.range.end.min(range.start), i.range.start.max(range.end)..i.range.end];
            for part in parts.into_iter().filter(|p| p.start < p.end) {
                left.push(Image { range: part, state: i.state.clone(), ..i });
            }
        }
        self.images = left;
    }

    fn image(&self, pc: u64) -> Option<usize> {
        let i = self.images.partition_point(|i| i.range.start <= pc).checked_sub(1)?;
        self.images[i].range.contains(&pc).then_some(i)
    }

    fn view(&self, file: usize) -> Option<FileView<'_>> {
        self.files[file].bytes.as_ref().map(|b| FileView::again((**b).as_ref()))
    }

    /// The address of code in a placed cluster, if the cluster has that much.
    fn address(&self, base: u64, offset: u32) -> Option<u64> {
        self.placed.get(&base).filter(|p| u64::from(offset) < p.len)?;
        Some(base + u64::from(offset))
    }

    /// The host address of a key in a placed cluster.
    pub fn placed_entry(&self, key: u64) -> Option<u64> {
        let image = &self.images[self.image(key & crate::translate::PC_MASK)?];
        let (cluster, offset) = self.view(image.file)?.find(key.wrapping_sub(image.bias))?;
        match *image.state.get(cluster)? {
            State::At(base) => self.address(base, offset),
            State::Absent | State::Gone => None,
        }
    }

    /// The host address of a key, placing its cluster if there is one.
    pub fn find(&mut self, key: u64, place: &mut Place<'_>) -> Result<Option<u64>, Full> {
        let Some(i) = self.image(key & crate::translate::PC_MASK) else { return Ok(None) };
        let Some(cache) = &place.config.cache else { return Ok(None) };
        let file = self.images[i].file;
        if !self.files[file].opened {
            self.files[file].opened = true;
            self.files[file].again = true;
            self.open(file, &*cache.files);
        }
        let relative = key.wrapping_sub(self.images[i].bias);
        let mut found = self.view(file).and_then(|v| v.find(relative));
        if found.is_none() && self.forked && !self.files[file].again {
            self.files[file].again = true;
            self.open(file, &*cache.files);
            found = self.view(file).and_then(|v| v.find(relative));
        }
        let Some((cluster, offset)) = found else { return Ok(None) };
        let clusters = self.view(file).map_or(0, |v| v.clusters());
        let image = &mut self.images[i];
        if image.state.len() < clusters {
            image.state.resize(clusters, State::Absent);
        }
        let base = match image.state[cluster] {
            State::At(base) => Some(base),
            State::Gone => None,
            State::Absent => {
                let placed = self.place(i, cluster, place)?;
                if placed.is_none() {
                    self.counters.refused += 1;
                }
                self.images[i].state[cluster] = placed.map_or(State::Gone, State::At);
                if placed.is_some() {
                    self.cross_links(i, cluster, place);
                }
                placed
            }
        };
        Ok(base.and_then(|b| self.address(b, offset)))
    }

    /// Reads a file, or what was added to it.
    fn open(&mut self, file: usize, files: &dyn CacheFiles) {
        let f = &mut self.files[file];
        let Some(bytes) = files.open(&f.name) else { return };
        let Some(new) = FileView::check((*bytes).as_ref(), &f.key) else { return };
        if let Some(old) = &f.bytes {
            let old = FileView::again((**old).as_ref());
            if old.lineage() != new.lineage() || old.clusters() > new.clusters() {
                return;
            }
        }
        f.bytes = Some(bytes);
    }

    /// Checks a cluster and copies it into the arena, relocated. `None` if it must not be used.
    fn place(&mut self, image: usize, number: usize, to: &mut Place<'_>) -> Result<Option<u64>, Full> {
        let Image { ref range, bias, file, .. } = self.images[image];
        let Some(view) = self.view(file) else { return Ok(None) };
        let Some(cluster) = view.checked_cluster(number) else { return Ok(None) };
        let Some(guest) = check_guest(&cluster, bias, range, to) else { return Ok(None) };
        let guest_table = to.config.guest.slots().slots.len();
        let helpers = to.config.guest.helpers().len();
        let mut numbers = Vec::new();
        for words in cluster.descriptors() {
            let Some(inst) = Inst::from_words(words, guest_table, helpers) else { return Ok(None) };
            numbers.push(to.descriptors.intern(to.interner, &inst, |_| {}));
        }
        let base = to.arena.install(cluster.code).ok_or(Full)?;
        // Nothing leads to this code yet, so it may be changed freely.
        let code = to.arena.fresh(base, cluster.code.len());
        for (kind, at) in cluster.relocs() {
            let ok = match kind {
                reloc::GUEST64 => relocate(code, at, |v: [u8; 8]| {
                    Some(u64::from_le_bytes(v).wrapping_add(bias).to_le_bytes())
                }),
                reloc::GUEST32 => relocate(code, at, |v: [u8; 4]| {
                    let v = i64::from(i32::from_le_bytes(v)).wrapping_add(bias as i64);
                    u32::try_from(v).ok().map(u32::to_le_bytes)
                }),
                _ => relocate(code, at, |v: [u8; 4]| {
                    numbers.get(u32::from_le_bytes(v) as usize).map(|n| n.to_le_bytes())
                }),
            };
            if ok.is_none() {
                return Ok(None);
            }
        }
        let regions = cluster.regions();
        let mut count = 0;
        for r in regions {
            count += 1;
            if let Some(f) = &to.config.on_install {
                let pc = bias + u64::from(cluster.range(r.ranges.start).0);
                f(base + u64::from(r.code.start), r.code.len(), pc);
            }
        }
        let len = cluster.code.len() as u64;
        self.counters.clusters += 1;
        self.counters.regions += count;
        self.placed.insert(base, Placed { len, bias, file, cluster: number, guest });
        Ok(Some(base))
    }

    /// Links a placed cluster's exits to the placed clusters that they lead to.
    fn cross_links(&self, image: usize, number: usize, to: &mut Place<'_>) {
        let image = &self.images[image];
        let State::At(base) = image.state[number] else { return };
        let Some(cluster) = self.view(image.file).and_then(|v| v.cluster(number)) else { return };
        for (site, other, offset) in cluster.cross_links() {
            if let Some(State::At(there)) = image.state.get(other)
                && self.placed.get(there).is_some_and(|p| u64::from(offset) < p.len)
            {
                let site = base + u64::from(site);
                let value = to.config.back_end.link_value(site, there + u64::from(offset));
                to.arena.patch32(site, value);
            }
        }
    }

    fn placed_at(&self, host: u64) -> Option<(u64, &Placed)> {
        let (&base, p) = self.placed.range(..=host).next_back()?;
        (host - base < p.len).then_some((base, p))
    }

    /// True if the host address is in a placed cluster.
    pub fn is_placed(&self, host: u64) -> bool {
        self.placed_at(host).is_some()
    }

    /// The stub of a site in a placed cluster.
    pub fn stub(&self, site: u64) -> Option<u64> {
        let (base, p) = self.placed_at(site)?;
        let stub = self.view(p.file)?.cluster(p.cluster)?.stub_of((site - base) as u32)?;
        Some(base + u64::from(stub))
    }

    /// As [`Store::guest_pc`].
    pub fn guest_pc(&self, host: u64) -> Option<u64> {
        let (base, p) = self.placed_at(host)?;
        let cluster = self.view(p.file)?.cluster(p.cluster)?;
        let off = (host - base) as u32;
        let region = cluster.regions().find(|r| r.code.contains(&off))?;
        let mark = region.marks.map(|i| cluster.mark(i)).take_while(|m| m.0 <= off).last()?;
        Some(p.bias.wrapping_add(u64::from(mark.1)))
    }

    /// True if a placed cluster was made from bytes in `range`.
    pub fn touches(&self, range: &Range<u64>) -> bool {
        let meets = |from: u64, to: u64| from < range.end && range.start < to;
        self.placed.values().filter(|p| meets(p.guest.0, p.guest.1)).any(|p| {
            let Some(cluster) = self.view(p.file).and_then(|v| v.cluster(p.cluster)) else { return false };
            cluster.regions().flat_map(|r| r.ranges).any(|i| {
                let (start, len) = cluster.range(i);
                let start = p.bias.wrapping_add(u64::from(start));
                meets(start, start + u64::from(len))
            })
        })
    }

    /// Moves all placed clusters to the store (invariant 2).
    pub fn release(&mut self, store: &mut Store, arena: &Arena, back: &dyn BackEnd) {
        if self.placed.is_empty() {
            return;
        }
        for (base, p) in std::mem::take(&mut self.placed) {
            let Some(cluster) = self.view(p.file).and_then(|v| v.cluster(p.cluster)) else { continue };
            let pc = |offset: u32| p.bias.wrapping_add(u64::from(offset));
            for r in cluster.regions() {
                let at = base + u64::from(r.code.start);
                let inner = |offset: u32| offset.wrapping_sub(r.code.start);
                let guest: Vec<_> = r
                    .ranges
                    .map(|i| cluster.range(i))
                    .map(|(start, len)| pc(start)..pc(start) + u64::from(len))
                    .collect();
                let entries: Vec<_> =
                    r.entries.map(|i| cluster.entry(i)).map(|e| (pc(e.0), inner(e.1))).collect();
                let exit = |i| {
                    let (site, stub, key) = cluster.exit(i);
                    ir::ExitSite { at: inner(site), stub: inner(stub), key: key.wrapping_add(p.bias) }
                };
                let exits: Vec<_> = r.exits.map(exit).collect();
                let pads: Vec<_> = r.pads.map(|i| inner(cluster.pad(i))).collect();
                let marks: Vec<_> = r.marks.map(|i| cluster.mark(i)).map(|m| (inner(m.0), pc(m.1))).collect();
                let region = Region {
                    host: at..base + u64::from(r.code.end),
                    first: r.mode,
                    mode_key: r.mode,
                    parts: Parts {
                        guest: &guest,
                        entries: &entries,
                        exits: &exits,
                        pads: &pads,
                        marks: &marks,
                        relocs: &[],
                    },
                    fault_exit: None,
                };
                store.adopt(arena, back, &region);
            }
        }
        for image in &mut self.images {
            for s in &mut image.state {
                if matches!(s, State::At(_)) {
                    *s = State::Gone;
                }
            }
        }
    }

    /// The arena was emptied.
    pub fn flushed(&mut self) {
        self.placed.clear();
        self.seen = 0;
        for image in &mut self.images {
            image.state.clear();
        }
    }

    /// In the child of a fork: the parent saves what it has made, and files may have grown.
    pub fn after_fork(&mut self, regions: usize) {
        self.seen = regions;
        self.forked = true;
        for f in &mut self.files {
            f.again = false;
        }
    }
}

fn relocate<const N: usize>(
    code: &mut [u8],
    at: usize,
    with: impl FnOnce([u8; N]) -> Option<[u8; N]>,
) -> Option<()> {
    let field = code.get_mut(at..at + N)?;
    let new = with((&*field).try_into().expect("the length is N"))?;
    field.copy_from_slice(&new);
    Some(())
}

/// Compares the guest bytes of each region with the hash they had when it was translated, and that all of them are
/// executable and in the image. The lowest and the highest address.
fn check_guest(cluster: &Cluster<'_>, bias: u64, image: &Range<u64>, to: &Place<'_>) -> Option<(u64, u64)> {
    /// Ranges nearer than this are fetched together.
    const GAP: u64 = 512;
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for r in cluster.regions() {
        for i in r.ranges {
            let (start, len) = cluster.range(i);
            let start = bias.wrapping_add(u64::from(start));
            let end = start.checked_add(u64::from(len))?;
            if start < image.start || end > image.end {
                return None;
            }
            ranges.push((start, end));
        }
    }
    ranges.sort_unstable();
    let (lo, mut hi) = (ranges.first()?.0, 0);
    let mut spans: Vec<(u64, usize, usize)> = Vec::new();
    let mut last: Option<(u64, u64)> = None;
    let mut size = 0;
    for (start, end) in ranges {
        hi = hi.max(end);
        match &mut last {
            Some(l) if start <= l.1 + GAP => l.1 = l.1.max(end),
            Some(l) => {
                spans.push((l.0, size, (l.1 - l.0) as usize));
                size += (l.1 - l.0) as usize;
                *l = (start, end);
            }
            None => last = Some((start, end)),
        }
    }
    let l = last?;
    spans.push((l.0, size, (l.1 - l.0) as usize));
    size += (l.1 - l.0) as usize;
    let mut bytes = vec![0; size];
    for &(start, at, len) in &spans {
        if to.config.memory.hold(start, &mut bytes[at..at + len]) != (len, false) {
            return None;
        }
        if !to.tagged.is_empty()
            && (start >> 12..=(start + len as u64 - 1) >> 12).any(|page| to.tagged.contains(&page))
        {
            return None;
        }
    }
    let mut joined = Vec::new();
    for r in cluster.regions() {
        joined.clear();
        for i in r.ranges.clone() {
            let (start, len) = cluster.range(i);
            let start = bias.wrapping_add(u64::from(start));
            let s = &spans[spans.partition_point(|s| s.0 <= start).checked_sub(1)?];
            let at = s.1 + (start - s.0) as usize;
            joined.extend_from_slice(bytes.get(at..at + len as usize)?);
        }
        let ranges = r.ranges.map(|i| cluster.range(i)).map(|(start, len)| {
            let start = bias.wrapping_add(u64::from(start));
            start..start + u64::from(len)
        });
        if with_attributes(content_hash(&joined), ranges, &*to.config.memory) != r.hash {
            return None;
        }
    }
    Some((lo, hi))
}

/// The hash of a region's guest bytes, its ranges one after the other.
pub(crate) fn content_hash(bytes: &[u8]) -> u64 {
    format::hash(3, bytes)
}

/// Mixes the rights of the pages into a hash of guest bytes, where there are any that change code. A range is so short
/// that its first and last page are all of its pages.
fn with_attributes(hash: u64, ranges: impl Iterator<Item = Range<u64>>, memory: &dyn Memory) -> u64 {
    if !memory.has_attributes() {
        return hash;
    }
    ranges.fold(hash, |h, r| {
        let rights = [memory.attributes(r.start), memory.attributes(r.end - 1)];
        format::hash(h, &rights.map(u32::to_le_bytes).concat())
    })
}

/// The hash of the guest bytes of `ranges`, which lie in `code` from `pc` on; `None` if they do not.
pub(crate) fn hash_of(code: &[u8], pc: u64, ranges: &[Range<u64>], memory: &dyn Memory) -> Option<u64> {
    let part = |r: &Range<u64>| {
        let from = usize::try_from(r.start.checked_sub(pc)?).ok()?;
        code.get(from..from + usize::try_from(r.end - r.start).ok()?)
    };
    let hash = if let [only] = ranges {
        content_hash(part(only)?)
    } else {
        let mut joined = Vec::new();
        for r in ranges {
            joined.extend_from_slice(part(r)?);
        }
        content_hash(&joined)
    };
    Some(with_attributes(hash, ranges.iter().cloned(), memory))
}
