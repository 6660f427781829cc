//! Collecting what was translated and offering it to the cache files.

use super::format::{self, FileView, Record, Source, reloc};
use super::{Image, Persist};
use crate::arena::Arena;
use crate::descriptors::Descriptors;
use crate::store::{Installed, Store};
use crate::{CacheConfig, Config};
use ir::{BackEnd, Reloc};

/// Fewer new regions than this are not worth a write.
const FEW: usize = 4;
/// A file is not rewritten for less than this part of it.
const PART: u64 = 512;
/// So many new regions are written without waiting for the end.
pub(crate) const MANY: usize = 4096;

impl Persist {
    /// Writes what was translated since the last time.
    pub fn save(
        &mut self,
        cache: &CacheConfig,
        store: &Store,
        arena: &Arena,
        descriptors: &Descriptors,
        config: &Config,
    ) {
        let from = std::mem::replace(&mut self.seen, store.regions().len());
        if !cache.write {
            return;
        }
        let back = &*config.back_end;
        let mut by_file: Vec<Vec<(u32, u32)>> = self.files.iter().map(|_| Vec::new()).collect();
        for (i, region) in store.regions().iter().enumerate().skip(from) {
            let start = region.saved().and_then(|_| region.tables.guest().next()).map(|g| g.start);
            if let Some(image) = start.and_then(|start| self.image(start)) {
                by_file[self.images[image].file].push((i as u32, image as u32));
            }
        }
        for (file, list) in by_file.into_iter().enumerate() {
            let bytes: u64 = list
                .iter()
                .map(|&(r, _)| &store.regions()[r as usize].host)
                .map(|h| (h.end - h.start) * 2)
                .sum();
            let old = self.files[file].bytes.as_ref().map_or(0, |b| (**b).as_ref().len());
            if list.len() < FEW || bytes * PART < old as u64 {
                continue;
            }
            self.counters.saved += list.len() as u64;
            let key = self.files[file].key;
            let mut source = Regions { list, images: &self.images, store, arena, descriptors, back };
            cache.files.update(&self.files[file].name, &mut |present, sink| {
                let present = present.and_then(|b| FileView::check(b, &key));
                let link = |site: u64, to: u64| back.link_value(site, to);
                format::build(&key, present, std::process::id().into(), &mut source, &link, sink)
            });
        }
    }

    /// Regions of the store that were not offered yet.
    pub fn unsaved(&self, store: &Store) -> usize {
        store.regions().len().saturating_sub(self.seen)
    }
}

/// Regions of the store, each with its image.
struct Regions<'a> {
    list: Vec<(u32, u32)>,
    images: &'a [Image],
    store: &'a Store,
    arena: &'a Arena,
    descriptors: &'a Descriptors,
    back: &'a dyn BackEnd,
}

impl Source for Regions<'_> {
    fn len(&self) -> usize {
        self.list.len()
    }
    fn get(&mut self, i: usize, into: &mut Record) -> bool {
        let (region, image) = self.list[i];
        let (region, image) = (&self.store.regions()[region as usize], &self.images[image as usize]);
        record(region, image, self, into).is_some()
    }
}

/// A region as it goes into a file; `None` if it cannot.
fn record(region: &Installed, image: &Image, from: &Regions<'_>, record: &mut Record) -> Option<()> {
    let bias = image.bias;
    let offset = |pc: u64| u32::try_from(pc.wrapping_sub(bias)).ok();
    let tables = &region.tables;
    let saved = region.saved()?;
    (record.hash, record.mode) = (saved.guest_hash, region.mode_key);
    for g in tables.guest() {
        if g.start < image.range.start || g.end > image.range.end {
            return None;
        }
        record.ranges.push((offset(g.start)?, (g.end - g.start) as u32));
    }
    from.arena.read(&region.host, &mut record.code);
    for e in tables.exits() {
        let (site, stub) = (region.host.start + u64::from(e.at), region.host.start + u64::from(e.stub));
        let field = record.code.get_mut(e.at as usize..e.at as usize + 4)?;
        field.copy_from_slice(&from.back.link_value(site, stub).to_le_bytes());
        record.exits.push((e.at, e.stub, e.key.wrapping_sub(bias)));
    }
    record.exits.sort_unstable();
    if super::content_hash(&record.code) != saved.code_hash {
        // Something else was patched.
        return None;
    }
    for (pc, at) in tables.entries() {
        record.entries.push((offset(pc)?, at));
    }
    for (at, pc) in tables.marks() {
        record.marks.push((at, offset(pc)?));
    }
    record.pads.extend(tables.pads());
    for r in tables.relocs() {
        match r {
            Reloc::Guest64(at) => {
                let f = record.code.get_mut(at as usize..at as usize + 8)?;
                let v = u64::from_le_bytes((&*f).try_into().expect("eight bytes"));
                f.copy_from_slice(&v.wrapping_sub(bias).to_le_bytes());
                record.relocs.push((reloc::GUEST64, at));
            }
            Reloc::Guest32(at) => {
                let f = record.code.get_mut(at as usize..at as usize + 4)?;
                let v = u32::from_le_bytes((&*f).try_into().expect("four bytes"));
                let v = i32::try_from(u64::from(v).wrapping_sub(bias) as i64).ok()?;
                f.copy_from_slice(&v.to_le_bytes());
                record.relocs.push((reloc::GUEST32, at));
            }
            Reloc::Descriptor(at) => {
                let f = record.code.get_mut(at as usize..at as usize + 4)?;
                let number = u32::from_le_bytes((&*f).try_into().expect("four bytes"));
                f.copy_from_slice(&(record.descriptors.len() as u32).to_le_bytes());
                record.descriptors.push(from.descriptors.get(number).to_words());
                record.relocs.push((reloc::DESCRIPTOR, at));
            }
            Reloc::Fixed => return None,
        }
    }
    Some(())
}
