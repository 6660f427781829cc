//! A map from address ranges to values: disjoint, sorted, neighbours with equal values merged.
//!
//! Pure bookkeeping. Ranges are half-open and never empty; the caller aligns them.

use std::collections::BTreeMap;
use std::ops::Range;

/// See the module's head.
#[derive(Clone, Debug)]
pub struct RangeMap<V> {
    /// Start -> (end, value).
    map: BTreeMap<u64, (u64, V)>,
}

impl<V> Default for RangeMap<V> {
    fn default() -> Self {
        RangeMap { map: BTreeMap::new() }
    }
}

impl<V: Clone + PartialEq> RangeMap<V> {
    /// The range that holds `addr`.
    pub fn get(&self, addr: u64) -> Option<(Range<u64>, &V)> {
        let (&start, (end, value)) = self.map.range(..=addr).next_back()?;
        (addr < *end).then_some((start..*end, value))
    }

    /// The ranges that overlap `range`, cut to it, in order.
    pub fn overlapping(&self, range: Range<u64>) -> impl Iterator<Item = (Range<u64>, &V)> {
        let first = self.get(range.start).map_or(range.start, |(found, _)| found.start);
        let cut = range.clone();
        self.map
            .range(first..range.end.max(first))
            .map(move |(&start, (end, value))| (start.max(cut.start)..(*end).min(cut.end), value))
            .filter(|(found, _)| found.start < found.end)
    }

    /// All ranges in order.
    pub fn iter(&self) -> impl Iterator<Item = (Range<u64>, &V)> {
        self.map.iter().map(|(&start, (end, value))| (start..*end, value))
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
        let keys: Vec<u64> = self.map.range(range).map(|(&start, _)| start).collect();
        keys.into_iter()
            .filter_map(|start| self.map.remove(&start).map(|(end, value)| (start..end, value)))
            .collect()
    }

    /// Sets `range` to `value`; returns what was there.
    pub fn insert(&mut self, range: Range<u64>, value: V) -> Vec<(Range<u64>, V)> {
        if range.is_empty() {
            return Vec::new();
        }
        let old = self.remove(range.clone());
        self.map.insert(range.start, (range.end, value));
        self.merge_at(range.end);
        self.merge_at(range.start);
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
        if let Some((&start, (end, value))) = self.map.range_mut(..at).next_back()
            && *end > at
        {
            let (old_end, value) = (*end, value.clone());
            debug_assert!(start < at);
            *end = at;
            self.map.insert(at, (old_end, value));
        }
    }

    /// Joins the ranges that meet at `at` if their values are equal.
    fn merge_at(&mut self, at: u64) {
        let Some((_, right)) = self.map.get(&at) else { return };
        if let Some((&start, (end, left))) = self.map.range(..at).next_back()
            && *end == at
            && left == right
        {
            let (end, value) = self.map.remove(&at).expect("found above");
            self.map.insert(start, (end, value));
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
