//! Collecting what was translated and offering it to the cache files.

use super::format::{self, FileView, Record, reloc};
use super::{Image, Persist};
use crate::arena::Arena;
use crate::descriptors::Descriptors;
use crate::store::{Installed, Store};
use crate::{CacheConfig, Config};
use ir::{BackEnd, Reloc};

/// Fewer new regions than this are not worth a write.
const FEW: usize = 4;
/// A file is not rewritten for less than this part of it.
const PART: usize = 512;
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
        let mut by_file: Vec<Vec<Record>> = self.files.iter().map(|_| Vec::new()).collect();
        for region in store.regions().iter().skip(from).filter(|r| r.is_savable()) {
            let Some(image) = region.guest.first().and_then(|g| self.image(g.start)) else { continue };
            let image = &self.images[image];
            if let Some(record) = record(region, image, arena, descriptors, back) {
                by_file[image.file].push(record);
            }
        }
        for (file, records) in by_file.into_iter().enumerate() {
            let bytes: usize = records.iter().map(|r| r.code.len() * 2).sum();
            let old = self.files[file].bytes.as_ref().map_or(0, |b| (**b).as_ref().len());
            if records.len() < FEW || bytes * PART < old {
                continue;
            }
            self.counters.saved += records.len() as u64;
            let key = self.files[file].key;
            let lineage = records
                .iter()
                .fold(u64::from(std::process::id()), |n, r| n.rotate_left(7).wrapping_mul(31) ^ r.hash);
            let mut records = Some(records);
            cache.files.update(&self.files[file].name, &mut |present| {
                let present = present.and_then(|b| FileView::check(b, &key));
                let link = |site: u64, to: u64| back.link_value(site, to);
                format::build(&key, present, lineage, records.take()?, &link)
            });
        }
    }

    /// Regions of the store that were not offered yet.
    pub fn unsaved(&self, store: &Store) -> usize {
        store.regions().len().saturating_sub(self.seen)
    }
}

/// A region as it goes into a file; `None` if it cannot.
fn record(
    region: &Installed,
    image: &Image,
    arena: &Arena,
    descriptors: &Descriptors,
    back: &dyn BackEnd,
) -> Option<Record> {
    let bias = image.bias;
    let offset = |pc: u64| u32::try_from(pc.wrapping_sub(bias)).ok();
    let inside = |g: &std::ops::Range<u64>| g.start >= image.range.start && g.end <= image.range.end;
    if !region.guest.iter().all(inside) {
        return None;
    }
    let mut code = arena.read(&region.host);
    for (link, _) in region.exits() {
        let at = (link.site - region.host.start) as usize;
        code.get_mut(at..at + 4)?.copy_from_slice(&back.link_value(link.site, link.stub).to_le_bytes());
    }
    let saved = region.saved()?;
    if super::content_hash(&code) != saved.code_hash {
        // Something else was patched.
        return None;
    }
    let mut record = Record {
        hash: saved.guest_hash,
        mode: region.mode_key,
        entries: saved.entries.iter().map(|e| Some((offset(e.0)?, e.1))).collect::<Option<_>>()?,
        ranges: region
            .guest
            .iter()
            .map(|g| Some((offset(g.start)?, (g.end - g.start) as u32)))
            .collect::<Option<_>>()?,
        marks: region.marks.iter().map(|m| Some((m.0, offset(m.1)?))).collect::<Option<_>>()?,
        exits: region
            .exits()
            .map(|(l, key)| {
                let inner = |a: u64| (a - region.host.start) as u32;
                (inner(l.site), inner(l.stub), key.wrapping_sub(bias))
            })
            .collect(),
        pads: region.pads.iter().map(|p| (p - region.host.start) as u32).collect(),
        ..Record::default()
    };
    for r in &saved.relocs {
        match *r {
            Reloc::Guest64(at) => {
                let f = code.get_mut(at as usize..at as usize + 8)?;
                let v = u64::from_le_bytes((&*f).try_into().expect("eight bytes"));
                f.copy_from_slice(&v.wrapping_sub(bias).to_le_bytes());
                record.relocs.push((reloc::GUEST64, at));
            }
            Reloc::Guest32(at) => {
                let f = code.get_mut(at as usize..at as usize + 4)?;
                let v = u32::from_le_bytes((&*f).try_into().expect("four bytes"));
                let v = i32::try_from(u64::from(v).wrapping_sub(bias) as i64).ok()?;
                f.copy_from_slice(&v.to_le_bytes());
                record.relocs.push((reloc::GUEST32, at));
            }
            Reloc::Descriptor(at) => {
                let f = code.get_mut(at as usize..at as usize + 4)?;
                let number = u32::from_le_bytes((&*f).try_into().expect("four bytes"));
                f.copy_from_slice(&(record.descriptors.len() as u32).to_le_bytes());
                record.descriptors.push(descriptors.get(number).to_words());
                record.relocs.push((reloc::DESCRIPTOR, at));
            }
            Reloc::Fixed => return None,
        }
    }
    record.code = code;
    Some(record)
}
