//! A map from address ranges to values: disjoint, sorted, neighbours with equal values merged.
//!
//! Pure bookkeeping. Ranges are half-open and never empty; the caller aligns them. The entries stand side by side in memory,
//! so that another process can read them (`shown`).

use std::ops::Range;

/// One range.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Entry<V> {
    /// Its first address.
    pub start: u64,
    /// The address behind it.
    pub end: u64,
    /// What holds there.
    pub value: V,
}

/// See the module's head.
#[derive(Clone, Debug)]
pub struct RangeMap<V> {
    list: Vec<Entry<V>>,
}

impl<V> Default for RangeMap<V> {
    fn default() -> Self {
        RangeMap { list: Vec::new() }
    }
}

impl<V: Clone + PartialEq> RangeMap<V> {
    /// The entries in order.
    pub fn entries(&self) -> &[Entry<V>] {
        &self.list
    }

    /// Index of the first entry that ends behind `addr`.
    fn first_behind(&self, addr: u64) -> usize {
        self.list.partition_point(|e| e.end <= addr)
    }

    /// The range that holds `addr`.
    pub fn get(&self, addr: u64) -> Option<(Range<u64>, &V)> {
        let e = self.list.get(self.first_behind(addr))?;
        (e.start <= addr).then_some((e.start..e.end, &e.value))
    }

    /// The ranges that overlap `range`, cut to it, in order.
    pub fn overlapping(&self, range: Range<u64>) -> impl Iterator<Item = (Range<u64>, &V)> {
        self.list[self.first_behind(range.start)..]
            .iter()
            .take_while(move |e| e.start < range.end)
            .map(move |e| (e.start.max(range.start)..e.end.min(range.end), &e.value))
            .filter(|(found, _)| !found.is_empty())
    }

    /// All ranges in order.
    pub fn iter(&self) -> impl Iterator<Item = (Range<u64>, &V)> {
        self.list.iter().map(|e| (e.start..e.end, &e.value))
    }

    /// The parts of `range` that are in no range of the map.
    pub fn gaps(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut at = range.start;
        let mut gaps = Vec::new();
        for (found, _) in self.overlapping(range.clone()) {
            if at < found.start {
                gaps.push(at..found.start);
            }
            at = found.end;
        }
        if at < range.end {
            gaps.push(at..range.end);
        }
        gaps
    }

    /// Removes `range`; returns what was there.
    pub fn remove(&mut self, range: Range<u64>) -> Vec<(Range<u64>, V)> {
        if range.is_empty() {
            return Vec::new();
        }
        self.split(range.start);
        self.split(range.end);
        let from = self.first_behind(range.start);
        let to = self.list.partition_point(|e| e.start < range.end);
        self.list.drain(from..to).map(|e| (e.start..e.end, e.value)).collect()
    }

    /// Sets `range` to `value`; returns what was there.
    pub fn insert(&mut self, range: Range<u64>, value: V) -> Vec<(Range<u64>, V)> {
        if range.is_empty() {
            return Vec::new();
        }
        let old = self.remove(range.clone());
        let at = self.first_behind(range.start);
        self.list.insert(at, Entry { start: range.start, end: range.end, value });
        self.merge(at + 1);
        self.merge(at);
        old
    }

    /// Changes the values in `range`; gaps stay gaps.
    pub fn update(&mut self, range: Range<u64>, mut change: impl FnMut(&mut V)) {
        for (part, mut value) in self.remove(range) {
            change(&mut value);
            self.insert(part, value);
        }
    }

    fn split(&mut self, at: u64) {
        let index = self.first_behind(at);
        if let Some(e) = self.list.get_mut(index)
            && e.start < at
        {
            let left = Entry { start: e.start, end: at, value: e.value.clone() };
            e.start = at;
            self.list.insert(index, left);
        }
    }

    /// Joins the entry `index` to the one before if they meet and are equal.
    fn merge(&mut self, index: usize) {
        if index == 0 || index >= self.list.len() {
            return;
        }
        let (left, right) = (&self.list[index - 1], &self.list[index]);
        if left.end == right.start && left.value == right.value {
            self.list[index - 1].end = right.end;
            self.list.remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behaves_as_an_array_of_options_does() {
        // A fixed linear congruential sequence: the same operations in every run.
        let mut seed = 12345u64;
        let mut next = |n: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % n
        };
        let mut map = RangeMap::default();
        let mut model = [None; 100];
        for _ in 0..5000 {
            let start = next(100);
            let end = (start + 1 + next(20)).min(100);
            let value = next(3);
            match next(3) {
                0 => {
                    map.remove(start..end);
                    model[start as usize..end as usize].fill(None);
                }
                1 => {
                    map.update(start..end, |v| *v = value);
                    model[start as usize..end as usize].iter_mut().flatten().for_each(|v| *v = value);
                }
                _ => {
                    map.insert(start..end, value);
                    model[start as usize..end as usize].fill(Some(value));
                }
            }
            for at in 0..100 {
                assert_eq!(map.get(at).map(|(_, v)| *v), model[at as usize]);
            }
            for gap in map.gaps(0..100) {
                assert!(model[gap.start as usize..gap.end as usize].iter().all(Option::is_none));
            }
            let covered: u64 = map.overlapping(10..90).map(|(r, _)| r.end - r.start).sum();
            assert_eq!(covered, model[10..90].iter().filter(|v| v.is_some()).count() as u64);
        }
    }
}
