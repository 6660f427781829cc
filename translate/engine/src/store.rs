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
use crate::translate::PC_MASK;
use ir::{BackEnd, DEAD_KEY, ExitSite, HostCode, Reloc};
use std::collections::BTreeMap;
use std::ops::Range;

/// A linked site.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub site: u64,
    pub stub: u64,
}

/// An installed region.
#[derive(Debug)]
pub(crate) struct Installed {
    /// Host range.
    pub host: Range<u64>,
    /// Guest byte ranges it was made from.
    pub guest: Vec<Range<u64>>,
    /// The mode in its keys.
    pub mode_key: u64,
    /// Keys of its entries.
    keys: Vec<u64>,
    /// Host addresses of its pads' keys.
    pub pads: Vec<u64>,
    /// (host offset, guest pc), sorted.
    pub marks: Vec<(u32, u64)>,
    /// (site, stub) of the patchable exits.
    exits: Vec<Link>,
    /// What is kept for the persistent cache.
    kept: Option<Box<Kept>>,
    /// Where faults in it go on, if not at the exit entry.
    fault_exit: Option<u64>,
    live: bool,
}

/// What only the persistent cache needs of a region.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Hash of the guest bytes.
    pub guest_hash: u64,
    /// Hash of the unlinked code.
    pub code_hash: u64,
    pub entries: Vec<(u64, u32)>,
    pub relocs: Vec<Reloc>,
    /// Look-up keys that the exits lead to.
    targets: Vec<u64>,
}

/// The tables of a region that comes with its code installed.
#[derive(Debug)]
pub(crate) struct Parts {
    pub host: Range<u64>,
    pub mode_key: u64,
    pub guest: Vec<Range<u64>>,
    pub entries: Vec<(u64, u32)>,
    pub exits: Vec<ExitSite>,
    pub pads: Vec<u32>,
    pub marks: Vec<(u32, u64)>,
    pub fault_exit: Option<u32>,
}

impl Installed {
    /// New, valid and relocatable.
    pub fn is_savable(&self) -> bool {
        self.live && self.kept.is_some()
    }

    pub fn saved(&self) -> Option<&Kept> {
        self.kept.as_deref()
    }

    /// The exits with the look-up keys that they lead to.
    pub fn exits(&self) -> impl Iterator<Item = (Link, u64)> {
        let targets = self.kept.iter().flat_map(|k| k.targets.iter().copied());
        self.exits.iter().copied().zip(targets)
    }
}

/// All installed regions.
#[derive(Default)]
pub(crate) struct Store {
    entries: KeyMap<u64, u64>,
    regions: Vec<Installed>,
    /// Host start -> index in `regions`.
    by_host: BTreeMap<u64, usize>,
    /// Guest page number -> regions with bytes on it.
    by_page: KeyMap<u64, Vec<usize>>,
    links: KeyMap<u64, Vec<Link>>,
    /// site -> stub, for sites that exist but are not linked yet.
    sites: KeyMap<u64, u64>,
    /// Jumps to a loop's head inside regions, by key: sites that are linked only to a better translation.
    inside: KeyMap<u64, Vec<u64>>,
    /// Better translations by key.
    hot: KeyMap<u64, Hot>,
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
    pub fn look_up(&self, key: u64) -> Option<u64> {
        self.entries.get(&key).copied()
    }

    /// All regions in the order of their installation, dead ones included.
    pub fn regions(&self) -> &[Installed] {
        &self.regions
    }

    /// Records the region at host address `at`, made for the key `first`; the other blocks are entered in the mode of its
    /// exits. With the hash of its guest bytes it can go to the persistent cache.
    pub fn add(
        &mut self,
        at: u64,
        code: HostCode,
        first: u64,
        mode_key: u64,
        guest: Vec<Range<u64>>,
        hash: Option<u64>,
    ) {
        let kept = hash.map(|guest_hash| {
            Box::new(Kept {
                guest_hash,
                code_hash: crate::persist::content_hash(&code.bytes),
                entries: code.entries.clone(),
                relocs: code.relocs,
                targets: code.exits.iter().map(|e| e.key).collect(),
            })
        });
        let parts = Parts {
            host: at..at + code.bytes.len() as u64,
            mode_key,
            guest,
            entries: code.entries,
            exits: code.exits,
            pads: code.pads.iter().map(|p| p.key_at).collect(),
            marks: code.marks,
            fault_exit: code.fault_exit,
        };
        self.record(parts, first, kept);
    }

    /// Records a region of the persistent cache, some of whose exits are linked already.
    pub fn adopt(&mut self, arena: &Arena, back: &dyn BackEnd, parts: Parts) {
        let at = parts.host.start;
        let exits = parts.exits.clone();
        self.record(parts, u64::MAX, None);
        for e in exits {
            let link = Link { site: at + u64::from(e.at), stub: at + u64::from(e.stub) };
            if arena.read32(link.site) != back.link_value(link.site, link.stub) {
                self.sites.remove(&link.site);
                self.links.entry(e.key).or_default().push(link);
            }
        }
    }

    fn record(&mut self, parts: Parts, first: u64, kept: Option<Box<Kept>>) {
        let Parts { host, mode_key, guest, entries, exits, pads, marks, fault_exit } = parts;
        let at = host.start;
        let index = self.regions.len();
        let mut keys = Vec::with_capacity(entries.len());
        let heads: Vec<u32> = entries.iter().map(|e| e.1).collect();
        for (pc, off) in entries {
            let key = if pc == first & PC_MASK { first } else { pc | mode_key };
            // An older translation of the same block stays valid for those who are linked to it.
            if let std::collections::hash_map::Entry::Vacant(e) = self.entries.entry(key) {
                e.insert(at + u64::from(off));
                keys.push(key);
            } else if first == u64::MAX {
                // Threads and exits may know it from before the store did.
                keys.push(key);
            }
        }
        for e in exits.iter().filter(|e| heads.contains(&e.stub)) {
            self.inside.entry(e.key).or_default().push(at + u64::from(e.at));
        }
        let exits: Vec<Link> =
            exits.iter().map(|e| Link { site: at + u64::from(e.at), stub: at + u64::from(e.stub) }).collect();
        for l in &exits {
            self.sites.insert(l.site, l.stub);
        }
        for g in &guest {
            for page in g.start >> PAGE_SHIFT..=(g.end - 1) >> PAGE_SHIFT {
                let list = self.by_page.entry(page).or_default();
                if list.last() != Some(&index) {
                    list.push(index);
                }
            }
        }
        self.by_host.insert(at, index);
        self.regions.push(Installed {
            host,
            guest,
            mode_key,
            keys,
            pads: pads.iter().map(|&p| at + u64::from(p)).collect(),
            marks,
            exits,
            kept,
            fault_exit: fault_exit.map(|f| at + u64::from(f)),
            live: true,
        });
    }

    /// The better translation of `key`.
    pub fn hot_entry(&self, key: u64) -> Option<u64> {
        self.hot.get(&key).map(|h| h.host)
    }

    /// Makes everything that leads to `key` lead to `host`, a better translation that was installed for it.
    pub fn publish(&mut self, arena: &Arena, back: &dyn BackEnd, key: u64, host: u64) {
        let Some(index) = self.region_at(host) else { return };
        if !self.regions[index].keys.contains(&key) {
            self.regions[index].keys.push(key);
        }
        let before = self.entries.insert(key, host);
        let hot = self.hot.entry(key).or_insert(Hot { host, under: before.filter(|&b| b != host) });
        hot.host = host;
        for site in self.inside.get(&key).into_iter().flatten() {
            if let Some(stub) = self.sites.remove(site) {
                self.links.entry(key).or_default().push(Link { site: *site, stub });
            }
        }
        for l in self.links.get(&key).into_iter().flatten() {
            arena.patch32(l.site, back.link_value(l.site, host));
        }
    }

    /// Records that `site`, which is not the store's, was made to lead to the entry for `key`.
    pub fn note_link(&mut self, site: u64, stub: u64, key: u64) {
        self.links.entry(key).or_default().push(Link { site, stub });
    }

    /// Makes `site` lead to `host`, the entry for `key`. False if the site is not (or no longer) linkable.
    pub fn link(&mut self, arena: &Arena, back: &dyn BackEnd, site: u64, key: u64, host: u64) -> bool {
        let Some(stub) = self.sites.remove(&site) else { return false };
        self.links.entry(key).or_default().push(Link { site, stub });
        arena.patch32(site, back.link_value(site, host));
        true
    }

    fn region_at(&self, host: u64) -> Option<usize> {
        let (_, &index) = self.by_host.range(..=host).next_back()?;
        self.regions[index].host.contains(&host).then_some(index)
    }

    /// The guest instruction that the host address belongs to, and where a fault there goes on, if not at the exit entry.
    pub fn fault_at(&self, host: u64) -> Option<(u64, Option<u64>)> {
        let region = &self.regions[self.region_at(host)?];
        let off = (host - region.host.start) as u32;
        let i = region.marks.partition_point(|m| m.0 <= off);
        Some((region.marks[i.checked_sub(1)?].1, region.fault_exit))
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
            let (hit, keep): (Vec<usize>, Vec<usize>) = list.into_iter().partition(|&i| {
                let r = &self.regions[i];
                !r.live || r.guest.iter().any(|g| g.start < range.end && range.start < g.end)
            });
            if !keep.is_empty() {
                self.by_page.insert(page, keep);
            }
            for i in hit {
                if self.regions[i].live {
                    self.kill(arena, back, i, &mut dead);
                }
            }
        }
        dead
    }

    fn kill(&mut self, arena: &Arena, back: &dyn BackEnd, index: usize, dead: &mut Vec<u64>) {
        let region = &mut self.regions[index];
        region.live = false;
        let keys = std::mem::take(&mut region.keys);
        let pads = std::mem::take(&mut region.pads);
        let exits = std::mem::take(&mut region.exits);
        region.guest.clear();
        region.kept = None;
        let host = region.host.clone();
        for key in &keys {
            // Another translation of the same block may have taken this one's place, or this one another's. What leads to
            // the key may lead to either.
            if self.entries.get(key).is_some_and(|h| host.contains(h)) {
                self.entries.remove(key);
                let under = self.hot.remove(key).and_then(|h| h.under);
                if let Some(under) = under
                    && self.region_at(under).is_some_and(|i| self.regions[i].live)
                {
                    self.entries.insert(*key, under);
                }
            }
            for l in self.links.remove(key).unwrap_or_default() {
                arena.patch32(l.site, back.link_value(l.site, l.stub));
                self.sites.insert(l.site, l.stub);
            }
        }
        for pad in pads {
            arena.patch64(pad, DEAD_KEY);
        }
        for l in exits {
            self.sites.remove(&l.site);
        }
        dead.extend(keys);
    }
}
