//! Cache files: what is built reads back, and whatever bytes are read, nothing panics or leaves the file.

use super::format::*;

const KEY: FileKey = [1, 2, 3, 4, 5, 6, 7];
const MODE: u64 = 1 << 48;

fn link(site: u64, to: u64) -> u32 {
    to.wrapping_sub(site + 4) as u32
}

/// `n` regions of 64 guest bytes each from `first` on, each with an exit to the next.
fn records(first: u32, n: u32, size: usize) -> Vec<Record> {
    (first..first + n)
        .map(|i| Record {
            code: vec![i as u8; size],
            hash: u64::from(i) << 40,
            mode: 1 << 48,
            entries: vec![(i * 64, 0), (i * 64 + 8, 20)],
            ranges: vec![(i * 64, 64)],
            relocs: vec![(reloc::GUEST64, 24), (reloc::GUEST32, 36)],
            exits: vec![(12, 40, MODE | (u64::from(i + 1) * 64))],
            pads: vec![48],
            marks: vec![(0, i * 64), (20, i * 64 + 8)],
            ..Record::default()
        })
        .collect()
}

impl Source for Vec<Record> {
    fn len(&self) -> usize {
        self.len()
    }
    fn get(&mut self, i: usize, into: &mut Record) -> bool {
        *into = self[i].clone();
        true
    }
}

/// A file in memory with room for so many bytes.
struct Memory(Vec<u8>, u64);

impl Sink for Memory {
    fn has_room(&mut self, size: u64) -> bool {
        size <= self.1
    }
    fn write(&mut self, at: u64, bytes: &[u8]) -> bool {
        let end = at as usize + bytes.len();
        assert!(end as u64 <= self.1, "more than was said");
        if self.0.len() < end {
            self.0.resize(end, 0);
        }
        self.0[at as usize..end].copy_from_slice(bytes);
        true
    }
}

fn file(old: Option<&[u8]>, mut records: Vec<Record>) -> Option<Vec<u8>> {
    let old = old.map(|b| FileView::check(b, &KEY).expect("sound"));
    let bytes: usize = records.iter().map(|r| r.code.len() + 300).sum();
    let mut memory = Memory(Vec::new(), (bytes + old.map_or(0, |_| 1 << 20) + 4096) as u64);
    build(&KEY, old, 99, &mut records, &link, &mut memory).then_some(memory.0)
}

#[test]
fn what_is_built_reads_back() {
    let one = file(None, records(0, 100, 400)).unwrap();
    let v = FileView::check(&one, &KEY).unwrap();
    assert_eq!((v.entries(), v.regions()), (200, 100));
    assert_eq!(v.clusters(), 3, "16 KiB of code each");
    assert_eq!(cache_regions(&one), Some(100));
    for i in 0..100u64 {
        let (c, at) = v.find(MODE | (i * 64 + 8)).unwrap();
        let cluster = v.checked_cluster(c).unwrap();
        let region = cluster.regions().find(|r| r.code.contains(&at)).unwrap();
        assert_eq!(at - region.code.start, 20);
        assert_eq!((region.hash, region.mode), (i << 40, 1 << 48));
        assert_eq!(cluster.range(region.ranges.start), (i as u32 * 64, 64));
        assert_eq!(cluster.mark(region.marks.start + 1), (at, i as u32 * 64 + 8));
        let (site, stub, target) = cluster.exit(region.exits.start);
        assert_eq!(
            (site - region.code.start, stub - region.code.start, target),
            (12, 40, MODE | ((i + 1) * 64))
        );
        assert_eq!(cluster.stub_of(site), Some(stub));
        assert_eq!(cluster.stub_of(site + 4), None);
        // The exit leads to the next region if that is in the cluster, and is listed if it is in another.
        let field = &cluster.code[site as usize..site as usize + 4];
        match v.find(MODE | ((i + 1) * 64)) {
            Some((other, to)) if other == c => assert_eq!(field, link(site.into(), to.into()).to_le_bytes()),
            Some((other, to)) => {
                assert_eq!(field, [i as u8; 4]);
                assert!(cluster.cross_links().any(|x| x == (site, other, to)));
            }
            None => assert_eq!((i, field), (99, &[99u8; 4][..])),
        }
    }
    assert_eq!(v.find(0), None, "another mode");
    assert_eq!(v.find(MODE | (100 * 64)), None);
    assert!(FileView::check(&one, &[1, 2, 3, 4, 5, 6, 8]).is_none(), "another file");
}

#[test]
fn nothing_is_written_without_room() {
    let mut full = Memory(Vec::new(), 10_000);
    assert!(!build(&KEY, None, 1, &mut records(0, 100, 400), &link, &mut full));
    assert!(full.0.is_empty());
}

#[test]
fn a_file_grows_without_changing_what_it_has() {
    let one = file(None, records(0, 10, 400)).unwrap();
    assert_eq!(file(Some(&one), records(2, 5, 400)), None, "nothing new");
    let two = file(Some(&one), records(8, 90, 400)).unwrap();
    let (a, b) = (FileView::check(&one, &KEY).unwrap(), FileView::check(&two, &KEY).unwrap());
    assert_eq!(b.lineage(), a.lineage());
    assert!(b.clusters() > a.clusters());
    for i in 0..10u64 {
        assert_eq!(a.find(MODE | (i * 64)), b.find(MODE | (i * 64)));
    }
    assert_eq!(a.cluster(0).unwrap().code, b.cluster(0).unwrap().code);
    // New regions know the old ones.
    assert!(b.find(MODE | (97 * 64)).is_some());
}

#[test]
fn descriptors_are_shared_in_a_cluster() {
    let mut list = records(0, 4, 400);
    for (i, r) in list.iter_mut().enumerate() {
        r.relocs.push((reloc::DESCRIPTOR, 60));
        r.code[60..64].copy_from_slice(&0u32.to_le_bytes());
        r.descriptors = vec![[i as u64 % 2, 5, 6]];
    }
    let bytes = file(None, list).unwrap();
    let v = FileView::check(&bytes, &KEY).unwrap();
    let c = v.checked_cluster(0).unwrap();
    assert_eq!(c.descriptors().collect::<Vec<_>>(), [[0, 5, 6], [1, 5, 6]]);
    let numbers: Vec<u8> = c.regions().map(|r| c.code[r.code.start as usize + 60]).collect();
    assert_eq!(numbers, [0, 1, 0, 1]);
}

/// Reads everything that can be read.
fn read_all(bytes: &[u8]) -> usize {
    let Some(v) = FileView::check(bytes, &KEY) else { return 0 };
    let mut sound = 0;
    for i in 0..200 {
        let _ = v.find(MODE | (i * 8));
    }
    for c in 0..v.clusters().min(1000) {
        let Some(cluster) = v.checked_cluster(c) else { continue };
        sound += 1;
        let len = cluster.code.len();
        assert!(cluster.relocs().all(|(_, at)| at + 4 <= len));
        for r in cluster.regions() {
            assert!(r.code.end as usize <= len);
            for i in r.exits {
                let (site, stub, _) = cluster.exit(i);
                assert!(site as usize + 4 <= len && (stub as usize) < len);
            }
            assert!(r.pads.map(|i| cluster.pad(i)).all(|p| p as usize + 8 <= len));
            assert!(r.entries.map(|i| cluster.entry(i)).all(|e| (e.1 as usize) < len));
        }
        assert!(cluster.cross_links().all(|x| x.0 as usize + 4 <= len));
        assert!(cluster.descriptors().count() <= len.max(1 << 20));
    }
    sound
}

#[test]
fn every_changed_byte_is_noticed() {
    let good = file(None, records(0, 60, 400)).unwrap();
    let all = read_all(&good);
    assert_eq!(all, 2);
    for at in (0..200).chain((200..good.len()).step_by(61)) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        // Padding between clusters is all that no checksum covers.
        assert!(read_all(&bad) < all || at >= 24 && covers_nothing(&good, at), "byte {at}");
    }
    for len in (0..good.len()).step_by(997) {
        assert_eq!(read_all(&good[..len]), 0, "cut to {len}");
    }
}

fn covers_nothing(file: &[u8], at: usize) -> bool {
    let mut changed = file.to_vec();
    changed[at] ^= 0xff;
    let (a, b) = (FileView::check(file, &KEY).unwrap(), FileView::check(&changed, &KEY));
    b.is_some_and(|b| (0..a.clusters()).all(|c| a.cluster(c).map(|c| c.code) == b.cluster(c).map(|c| c.code)))
}

#[test]
fn hostile_files_with_right_checksums_are_harmless() {
    let good = file(None, records(0, 60, 400)).unwrap();
    let mut seed = 12345u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let view = FileView::check(&good, &KEY).unwrap();
    let index_end = 104 + view.entries() * 16 + view.clusters() * 24;
    for _ in 0..1_000 {
        let mut bad = good.clone();
        for _ in 0..1 + next() % 3 {
            // Tables and headers rather than code.
            let at = match next() % 3 {
                0 => 80 + (next() as usize % 24),
                1 => next() as usize % index_end,
                _ => index_end + next() as usize % 4000,
            } & !3;
            let values = [0, 1, u32::MAX, 0x8000_0000, next() as u32, next() as u32 % 1000];
            bad[at..at + 4].copy_from_slice(&values[next() as usize % 6].to_le_bytes());
        }
        for c in 0..view.clusters() {
            let at = 104 + view.entries() * 16 + c * 24;
            let start = u64::from_le_bytes(bad[at..at + 8].try_into().unwrap()) as usize;
            let len = u32::from_le_bytes(bad[at + 8..at + 12].try_into().unwrap()) as usize;
            if let Some(blob) = start.checked_add(len).and_then(|end| bad.get(start..end)) {
                let sum = hash(2, blob);
                bad[at + 16..at + 24].copy_from_slice(&sum.to_le_bytes());
            }
        }
        let sum = hash(1, &bad[24..index_end]);
        bad[16..24].copy_from_slice(&sum.to_le_bytes());
        read_all(&bad);
    }
}
