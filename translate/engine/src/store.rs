//! The store of installed regions: look-up by key, links between regions, invalidation by byte range.
//!
//! Invariants (all changes under the engine's translation lock):
//! 1. A key maps to at most one live entry.
//! 2. Every linked site is listed under the key it leads to, with the stub it falls back to.
//! 3. Memory of a dead region is reused only by a flush, when no thread is in translated code. Until then a thread
//!    may still run it to its next exit: this is what the architectures allow before a context synchronisation.
//! 4. Invalidating a region removes its keys, re-points the sites that lead to it, and kills the keys of its pads.

use crate::arena::Arena;
use crate::hash::KeyMap;
use crate::tables::{Parts, Tables};
use crate::translate::PC_MASK;
use ir::{BackEnd, DEAD_KEY, ExitSite};
use std::mem::ManuallyDrop;
use std::ops::Range;

/// An installed region.
#[derive(Debug)]
pub(crate) struct Installed {
    /// Host range.
    pub host: Range<u64>,
    /// The mode in the keys of its entries, but for the first block's.
    pub mode_key: u64,
    /// The mode in the first block's key.
    first_mode: u64,
    pub tables: Tables,
    /// What is kept for the persistent cache.
    kept: Option<Kept>,
    /// Where faults in it go on, if not at the exit entry.
    fault_exit: Option<u64>,
    live: bool,
}

/// What only the persistent cache needs of a region.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    /// Hash of the guest bytes.
    pub guest_hash: u64,
    /// Hash of the unlinked code.
    pub code_hash: u64,
}

/// A region as it is handed in, its code installed.
#[derive(Clone, Debug)]
pub(crate) struct Region<'a> {
    pub host: Range<u64>,
    /// Look-up key of the first entry.
    pub first: u64,
    pub mode_key: u64,
    pub parts: Parts<'a>,
    pub fault_exit: Option<u32>,
}

impl Installed {
    /// What is kept of a new, valid and relocatable region.
    pub fn saved(&self) -> Option<Kept> {
        self.kept.filter(|_| self.live)
    }

    fn key(&self, pc: u64, index: usize) -> u64 {
        pc | if index == 0 { self.first_mode } else { self.mode_key }
    }

    /// Look-up keys of its entries.
    fn keys(&self) -> impl Iterator<Item = u64> {
        self.tables.entries().enumerate().map(|(i, (pc, _))| self.key(pc, i))
    }

    fn exit_at(&self, site: u64) -> Option<ExitSite> {
        let at = site - self.host.start;
        self.tables.exits().find(|e| u64::from(e.at) == at)
    }
}

/// A site that leads to a key, and what it falls back to, by their offsets in the arena: a node of a list.
#[derive(Clone, Copy, Debug)]
struct Link {
    site: u32,
    stub: u32,
    next: u32,
}

/// The end of a list of links.
const END: u32 = u32::MAX;

/// What is known of a key.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Offset of the code in the arena; zero, where the runtime's own code is, for none.
    host: u32,
    /// List of the sites that lead there.
    links: u32,
}

impl Default for Entry {
    fn default() -> Entry {
        Entry { host: 0, links: END }
    }
}

/// Whether an exit is a jump to the head of a loop in the same region.
fn is_inside(exit: &ExitSite, entries: &[(u64, u32)]) -> bool {
    entries.iter().any(|e| e.1 == exit.stub)
}

/// All installed regions.
pub(crate) struct Store {
    /// The arena's first byte.
    base: u64,
    entries: KeyMap<u64, Entry>,
    regions: Vec<Installed>,
    /// (host offset, index in `regions`), ascending: what was made here, and what was adopted. The arena is filled from the
    /// bottom, so each only grows at its end.
    by_host: [Vec<(u32, u32)>; 2],
    /// Guest page number -> regions with bytes on it.
    by_page: KeyMap<u64, Vec<u32>>,
    links: Vec<Link>,
    /// Nodes of `links` that are free, as a list.
    free: u32,
    /// Jumps to a loop's head inside regions, by key: sites that are linked only to a better translation.
    inside: KeyMap<u64, Vec<u64>>,
    /// Better translations by key.
    hot: KeyMap<u64, Hot>,
    scratch: Vec<u8>,
    /// The regions of a store that was given up, for faults in what still runs. Perhaps the last one is half written.
    before: ManuallyDrop<Vec<Installed>>,
}

/// A better translation that has taken the place of another.
#[derive(Clone, Copy, Debug)]
struct Hot {
    host: u64,
    /// The entry before.
    under: Option<u64>,
}

const PAGE_SHIFT: u32 = 12;

impl Store {
    /// An empty store for code in this arena.
    pub fn new(arena: &Arena) -> Store {
        Store {
            base: arena.range().start,
            entries: KeyMap::default(),
            regions: Vec::new(),
            by_host: Default::default(),
            by_page: KeyMap::default(),
            links: Vec::new(),
            free: END,
            inside: KeyMap::default(),
            hot: KeyMap::default(),
            scratch: Vec::new(),
            before: ManuallyDrop::default(),
        }
    }

    /// The offset of an address in the arena.
    fn offset(&self, host: u64) -> u32 {
        u32::try_from(host - self.base).expect("an arena has less than 4 GiB")
    }

    pub fn look_up(&self, key: u64) -> Option<u64> {
        let entry = self.entries.get(&key).filter(|e| e.host != 0)?;
        Some(self.base + u64::from(entry.host))
    }

    /// An empty store that takes the place of this one, which nobody can read any more.
    pub fn successor(&self, arena: &Arena) -> Store {
        // SAFETY: the vector's words are copied as they are; this store is not dropped after (`Inner::renew`), nor is the copy.
        let before = ManuallyDrop::new(unsafe { std::ptr::read(&raw const self.regions) });
        Store { before, ..Store::new(arena) }
    }

    /// All regions in the order of their installation, dead ones included.
    pub fn regions(&self) -> &[Installed] {
        &self.regions
    }

    /// Records a region, and links its exits to what is there already; with the hashes of its guest bytes and its code it can
    /// go to the persistent cache.
    pub fn add(&mut self, arena: &Arena, back: &dyn BackEnd, region: &Region<'_>, kept: Option<Kept>) {
        self.record(region, kept, false);
        let at = region.host.start;
        for e in region.parts.exits.iter().filter(|e| !is_inside(e, region.parts.entries)) {
            if let Some(host) = self.look_up(e.key) {
                let (site, stub) = (at + u64::from(e.at), at + u64::from(e.stub));
                self.note_link(site, stub, e.key);
                arena.patch32(site, back.link_value(site, host));
            }
        }
    }

    /// Records a region of the persistent cache, some of whose exits are linked already.
    pub fn adopt(&mut self, arena: &Arena, back: &dyn BackEnd, region: &Region<'_>) {
        self.record(region, None, true);
        let at = region.host.start;
        for e in region.parts.exits {
            let (site, stub) = (at + u64::from(e.at), at + u64::from(e.stub));
            if arena.read32(site) != back.link_value(site, stub) {
                self.note_link(site, stub, e.key);
            }
        }
    }

    fn record(&mut self, region: &Region<'_>, kept: Option<Kept>, adopted: bool) {
        let Region { ref host, first, mode_key, ref parts, fault_exit } = *region;
        let index = self.regions.len() as u32;
        let at = self.offset(host.start);
        let installed = Installed {
            host: host.clone(),
            mode_key,
            first_mode: first & !PC_MASK,
            tables: Tables::new(parts, &mut self.scratch),
            kept,
            fault_exit: fault_exit.map(|f| host.start + u64::from(f)),
            live: true,
        };
        for (i, &(pc, off)) in parts.entries.iter().enumerate() {
            let entry = self.entries.entry(installed.key(pc, i)).or_default();
            // An older translation of the same block stays valid for those who are linked to it.
            if entry.host == 0 {
                entry.host = at + off;
            }
        }
        for e in parts.exits.iter().filter(|e| is_inside(e, parts.entries)) {
            self.inside.entry(e.key).or_default().push(host.start + u64::from(e.at));
        }
        for g in parts.guest {
            for page in g.start >> PAGE_SHIFT..=(g.end - 1) >> PAGE_SHIFT {
                let list = self.by_page.entry(page).or_default();
                if list.last() != Some(&index) {
                    list.push(index);
                }
            }
        }
        let by_host = &mut self.by_host[usize::from(adopted)];
        debug_assert!(by_host.last().is_none_or(|l| l.0 < at), "the arena is filled from the bottom");
        by_host.push((at, index));
        self.regions.push(installed);
    }

    /// The better translation of `key`.
    pub fn hot_entry(&self, key: u64) -> Option<u64> {
        self.hot.get(&key).map(|h| h.host)
    }

    /// Makes everything that leads to `key` lead to `host`, a better translation that was installed for it.
    pub fn publish(&mut self, arena: &Arena, back: &dyn BackEnd, key: u64, host: u64) {
        let before = self.look_up(key);
        self.entries.entry(key).or_default().host = self.offset(host);
        let hot = self.hot.entry(key).or_insert(Hot { host, under: before.filter(|&b| b != host) });
        hot.host = host;
        for site in self.inside.get(&key).cloned().unwrap_or_default() {
            if let Some(stub) = self.unlinked(arena, back, site) {
                self.note_link(site, stub, key);
            }
        }
        let mut at = self.entries[&key].links;
        while at != END {
            let l = self.links[at as usize];
            let site = self.base + u64::from(l.site);
            arena.patch32(site, back.link_value(site, host));
            at = l.next;
        }
    }

    /// Records that `site` was made to lead to the entry for `key`, and falls back to `stub`.
    pub fn note_link(&mut self, site: u64, stub: u64, key: u64) {
        let (site, stub) = (self.offset(site), self.offset(stub));
        let entry = self.entries.entry(key).or_default();
        let link = Link { site, stub, next: entry.links };
        if self.free == END {
            entry.links = self.links.len() as u32;
            self.links.push(link);
        } else {
            entry.links = self.free;
            let node = &mut self.links[self.free as usize];
            self.free = node.next;
            *node = link;
        }
    }

    /// Where `site` leads now, if it is a valid region's and leads where it led at first.
    fn unlinked(&self, arena: &Arena, back: &dyn BackEnd, site: u64) -> Option<u64> {
        let region = &self.regions[self.region_at(site)?];
        let stub = region.host.start + u64::from(region.exit_at(site).filter(|_| region.live)?.stub);
        (arena.read32(site) == back.link_value(site, stub)).then_some(stub)
    }

    /// Makes `site` lead to `host`, the entry for `key`. False if the site is not (or no longer) linkable.
    pub fn link(&mut self, arena: &Arena, back: &dyn BackEnd, site: u64, key: u64, host: u64) -> bool {
        let Some(stub) = self.unlinked(arena, back, site) else { return false };
        self.note_link(site, stub, key);
        arena.patch32(site, back.link_value(site, host));
        true
    }

    fn region_at(&self, host: u64) -> Option<usize> {
        let offset = u32::try_from(host.checked_sub(self.base)?).ok()?;
        self.by_host.iter().find_map(|list| {
            let i = list.partition_point(|e| e.0 <= offset).checked_sub(1)?;
            let index = list[i].1 as usize;
            self.regions[index].host.contains(&host).then_some(index)
        })
    }

    /// The guest instruction that the host address belongs to, and where a fault there goes on, if not at the exit entry.
    pub fn fault_at(&self, host: u64) -> Option<(u64, Option<u64>)> {
        let region = match self.region_at(host) {
            Some(index) => &self.regions[index],
            None => self.before.iter().find(|r| r.host.contains(&host))?,
        };
        let off = (host - region.host.start) as u32;
        let mark = region.tables.marks().take_while(|m| m.0 <= off).last()?;
        Some((mark.1, region.fault_exit))
    }

    /// Guest pages that have translated code, for quick rejection.
    pub fn touches(&self, range: &Range<u64>) -> bool {
        let (first, last) = (range.start >> PAGE_SHIFT, (range.end - 1) >> PAGE_SHIFT);
        if last - first > self.by_page.len() as u64 {
            self.by_page.keys().any(|p| (first..=last).contains(p))
        } else {
            (first..=last).any(|p| self.by_page.contains_key(&p))
        }
    }

    /// Invalidates all regions that were made from bytes in `range`; returns the dead keys.
    pub fn invalidate(&mut self, arena: &Arena, back: &dyn BackEnd, range: &Range<u64>) -> Vec<u64> {
        let (first, last) = (range.start >> PAGE_SHIFT, (range.end - 1) >> PAGE_SHIFT);
        let pages: Vec<u64> = if last - first > self.by_page.len() as u64 {
            self.by_page.keys().copied().filter(|p| (first..=last).contains(p)).collect()
        } else {
            (first..=last).filter(|p| self.by_page.contains_key(p)).collect()
        };
        let mut dead = Vec::new();
        for page in pages {
            let list = self.by_page.remove(&page).unwrap_or_default();
            let (hit, keep): (Vec<u32>, Vec<u32>) = list.into_iter().partition(|&i| {
                let r = &self.regions[i as usize];
                !r.live || r.tables.guest().any(|g| g.start < range.end && range.start < g.end)
            });
            if !keep.is_empty() {
                self.by_page.insert(page, keep);
            }
            for i in hit {
                if self.regions[i as usize].live {
                    self.kill(arena, back, i as usize, &mut dead);
                }
            }
        }
        dead
    }

    fn kill(&mut self, arena: &Arena, back: &dyn BackEnd, index: usize, dead: &mut Vec<u64>) {
        self.regions[index].live = false;
        let region = &self.regions[index];
        let host = region.host.clone();
        for pad in region.tables.pads() {
            arena.patch64(host.start + u64::from(pad), DEAD_KEY);
        }
        let first = dead.len();
        dead.extend(region.keys());
        for &key in &dead[first..] {
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            // Another translation of the same block may have taken this one's place, or this one another's. What leads to
            // the key may lead to either.
            let mut at = std::mem::replace(&mut entry.links, END);
            if self.look_up(key).is_some_and(|h| host.contains(&h)) {
                self.entries.remove(&key);
                let under = self.hot.remove(&key).and_then(|h| h.under);
                if let Some(under) = under
                    && self.region_at(under).is_some_and(|i| self.regions[i].live)
                {
                    let host = self.offset(under);
                    self.entries.insert(key, Entry { host, links: END });
                }
            }
            while at != END {
                let node = &mut self.links[at as usize];
                let (site, stub) = (self.base + u64::from(node.site), self.base + u64::from(node.stub));
                arena.patch32(site, back.link_value(site, stub));
                let next = std::mem::replace(&mut node.next, self.free);
                (self.free, at) = (at, next);
            }
        }
    }
}
