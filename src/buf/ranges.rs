//! Sets of numbers that are mostly runs: packet numbers that arrived, bytes that were acknowledged.

use alloc::vec::Vec;
use core::{fmt, ops::Range};

/// A set of `u64`, kept as disjoint, ascending ranges with gaps between them, and at most so many.
///
/// ```
/// use rdtp::buf::RangeSet;
///
/// let mut seen = RangeSet::new(8);
/// assert_eq!(seen.insert(0..3), Ok(3));
/// assert_eq!(seen.insert(5..6), Ok(1));
/// assert_eq!(seen.insert(2..6), Ok(2), "3 and 4 were missing");
/// assert_eq!(seen.iter().collect::<Vec<_>>(), [0..6]);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RangeSet {
    /// Not empty each, ascending, and never touching.
    ranges: Vec<Range<u64>>,
    ranges_max: usize,
}

/// How far down a walk through a [`RangeSet`] has come.
#[derive(Clone, Copy, Debug)]
pub struct Descent {
    /// Ranges from here on begin above everything that will still be asked about.
    above: usize,
}

/// One more range than a [`RangeSet`] may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangesFull;

impl fmt::Display for RangesFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many gaps: no room for one more range")
    }
}

impl core::error::Error for RangesFull {}

impl fmt::Debug for RangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.ranges).finish()
    }
}

impl RangeSet {
    /// The empty set, which never holds more than `ranges_max` ranges.
    pub const fn new(ranges_max: usize) -> Self {
        Self { ranges: Vec::new(), ranges_max }
    }

    /// Adds `new` and returns how many of its numbers were missing. An error, and no change, when
    /// that would take one range too many.
    pub fn insert(&mut self, new: Range<u64>) -> Result<u64, RangesFull> {
        if new.is_empty() {
            return Ok(0);
        }
        // Nearly everything comes in order, or right behind a gap.
        let is_full = self.ranges.len() >= self.ranges_max;
        match self.ranges.last_mut() {
            Some(last) if last.end == new.start => {
                last.end = new.end;
                return Ok(len(&new));
            }
            Some(last) if last.end < new.start && !is_full => {
                self.ranges.push(new.clone());
                return Ok(len(&new));
            }
            _ => {}
        }
        // Those that touch `new` or overlap it merge with it.
        let from = self.ranges.partition_point(|range| range.end < new.start);
        let merged = self.ranges[from..].partition_point(|range| range.start <= new.end);
        let Some(first) = self.ranges.get(from).filter(|_| merged > 0) else {
            if self.ranges.len() >= self.ranges_max {
                return Err(RangesFull);
            }
            self.ranges.insert(from, new.clone());
            return Ok(new.end - new.start);
        };
        let last = &self.ranges[from + merged - 1];
        let whole = first.start.min(new.start)..last.end.max(new.end);
        let known: u64 = self.ranges[from..from + merged].iter().map(len).sum();
        self.ranges[from] = whole.clone();
        self.ranges.drain(from + 1..from + merged);
        Ok(len(&whole) - known)
    }

    /// Adds `new`; when the set is full, its lowest range goes to make room. Returns how many
    /// numbers of `new` were missing; 0 as well when `new` itself would be the lowest.
    pub fn insert_or_forget_lowest(&mut self, new: Range<u64>) -> u64 {
        if let Ok(added) = self.insert(new.clone()) {
            return added;
        }
        if self.ranges.first().is_none_or(|lowest| new.end < lowest.start) {
            return 0;
        }
        self.ranges.remove(0);
        self.insert(new).unwrap_or(0)
    }

    /// Takes the numbers of `old` out. An error, and no change, when that would cut a range in two
    /// and there is no room for both.
    pub fn remove(&mut self, old: Range<u64>) -> Result<(), RangesFull> {
        if old.is_empty() {
            return Ok(());
        }
        let from = self.ranges.partition_point(|range| range.end <= old.start);
        let hit = self.ranges[from..].partition_point(|range| range.start < old.end);
        if hit == 0 {
            return Ok(());
        }
        let head = self.ranges[from].start..old.start;
        let tail = old.end..self.ranges[from + hit - 1].end;
        if hit == 1 && !head.is_empty() && !tail.is_empty() {
            if self.ranges.len() >= self.ranges_max {
                return Err(RangesFull);
            }
            self.ranges[from] = head;
            self.ranges.insert(from + 1, tail);
            return Ok(());
        }
        let rest = [head, tail].into_iter().filter(|range| !range.is_empty());
        self.ranges.splice(from..from + hit, rest);
        Ok(())
    }

    /// Takes out every number below `bound`.
    pub fn remove_below(&mut self, bound: u64) {
        if self.ranges.first().is_none_or(|first| first.start >= bound) {
            return;
        }
        // Nearly always the bound has moved on a little, within the lowest range.
        if self.ranges.first().is_some_and(|first| first.end <= bound) {
            let gone = self.ranges.partition_point(|range| range.end <= bound);
            self.ranges.drain(..gone);
        }
        if let Some(first) = self.ranges.first_mut() {
            first.start = first.start.max(bound);
        }
    }

    /// Takes out and returns the lowest range, cut after `len_max` numbers.
    pub fn take_lowest(&mut self, len_max: u64) -> Option<Range<u64>> {
        let first = self.ranges.first_mut()?;
        if len(first) > len_max {
            let cut = first.start..first.start + len_max;
            first.start = cut.end;
            return Some(cut);
        }
        Some(self.ranges.remove(0))
    }

    /// The parts of `within` that it does not have, lowest first.
    pub fn missing(&self, within: Range<u64>) -> impl Iterator<Item = Range<u64>> + use<'_> {
        let from = self.ranges.partition_point(|range| range.end <= within.start);
        let mut known = self.ranges[from..].iter();
        let mut start = within.start;
        core::iter::from_fn(move || {
            while start < within.end {
                let (end, next) = match known.next() {
                    Some(range) if range.start < within.end => (range.start.max(start), range.end),
                    _ => (within.end, within.end),
                };
                let part = start..end;
                start = next;
                if !part.is_empty() {
                    return Some(part);
                }
            }
            None
        })
    }

    /// Begins a walk from the highest range down, for [`has_all`](Self::has_all).
    pub const fn descend(&self) -> Descent {
        Descent { above: self.ranges.len() }
    }

    /// Whether it has all numbers of `range`. Of the ranges asked about on one walk each lies below the
    /// one before; then all answers together take one pass over the set. Numbers that were asked
    /// about may be inserted on the way.
    ///
    /// ```
    /// # use rdtp::buf::RangeSet;
    /// let mut seen = RangeSet::new(8);
    /// for known in [2..5, 7..9] {
    ///     seen.insert(known).unwrap();
    /// }
    /// let mut walk = seen.descend();
    /// assert!(!seen.has_all(&(8..10), &mut walk));
    /// assert!(seen.has_all(&(7..8), &mut walk));
    /// assert!(seen.has_all(&(3..5), &mut walk));
    /// ```
    pub fn has_all(&self, range: &Range<u64>, walk: &mut Descent) -> bool {
        while let Some(known) = walk.above.checked_sub(1).and_then(|at| self.ranges.get(at)) {
            if known.start <= range.start {
                return range.end <= known.end;
            }
            walk.above -= 1;
        }
        false
    }

    /// Whether it has `number`.
    pub fn contains(&self, number: u64) -> bool {
        // Mostly it is asked about numbers beyond all others.
        if let Some(last) = self.ranges.last().filter(|last| last.start <= number) {
            return number < last.end;
        }
        let at = self.ranges.partition_point(|range| range.end <= number);
        self.ranges.get(at).is_some_and(|range| range.start <= number)
    }

    /// Whether a range of it overlaps `range` or lies right beside it: then both would be one.
    pub fn touches(&self, range: &Range<u64>) -> bool {
        let at = self.ranges.partition_point(|known| known.end < range.start);
        self.ranges.get(at).is_some_and(|known| known.start <= range.end)
    }

    /// The lowest range.
    pub fn first(&self) -> Option<Range<u64>> {
        self.ranges.first().cloned()
    }

    /// The highest range.
    pub fn last(&self) -> Option<Range<u64>> {
        self.ranges.last().cloned()
    }

    /// Its ranges, lowest first; `rev()` gives the highest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + ExactSizeIterator {
        self.ranges.iter().cloned()
    }

    /// How many ranges it holds.
    pub fn ranges(&self) -> usize {
        self.ranges.len()
    }

    /// Bytes of memory it holds.
    pub fn memory_bytes(&self) -> usize {
        self.ranges.capacity() * size_of::<Range<u64>>()
    }

    /// Gives back the memory beyond what its ranges need.
    pub fn shrink(&mut self) {
        self.ranges.shrink_to_fit();
    }

    /// How many numbers it has.
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(len).sum()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Takes everything out and keeps the memory.
    pub fn clear(&mut self) {
        self.ranges.clear();
    }
}

fn len(range: &Range<u64>) -> u64 {
    range.end - range.start
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Op {
        Insert(Range<u64>),
        Force(Range<u64>),
        Remove(Range<u64>),
        Below(u64),
        Take(u64),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let range = || (0..60_u64, 0..12_u64).prop_map(|(start, len)| start..start + len);
        let op = prop_oneof![
            4 => range().prop_map(Op::Insert),
            1 => range().prop_map(Op::Force),
            2 => range().prop_map(Op::Remove),
            1 => (0..70_u64).prop_map(Op::Below),
            1 => (1..9_u64).prop_map(Op::Take),
        ];
        prop::collection::vec(op, 0..60)
    }

    fn apply(set: &mut RangeSet, model: &mut BTreeSet<u64>, op: Op) {
        let before = model.clone();
        match op {
            Op::Insert(range) => {
                let missing = range.clone().filter(|n| !model.contains(n)).count() as u64;
                match set.insert(range.clone()) {
                    Ok(added) => {
                        assert_eq!(added, missing);
                        model.extend(range);
                    }
                    Err(RangesFull) => assert_eq!(set.ranges(), set.ranges_max),
                }
            }
            Op::Force(range) => {
                let lowest = set.first();
                let full = set.clone().insert(range.clone()).is_err();
                set.insert_or_forget_lowest(range.clone());
                match lowest {
                    Some(lowest) if full && range.end < lowest.start => {}
                    Some(lowest) if full => {
                        model.retain(|n| !lowest.contains(n));
                        model.extend(range);
                    }
                    _ => model.extend(range),
                }
            }
            Op::Remove(range) => match set.remove(range.clone()) {
                Ok(()) => model.retain(|n| !range.contains(n)),
                Err(RangesFull) => assert_eq!(set.ranges(), set.ranges_max),
            },
            Op::Below(bound) => {
                set.remove_below(bound);
                model.retain(|&n| n >= bound);
            }
            Op::Take(len) => match set.take_lowest(len) {
                Some(range) => {
                    assert!(range.end - range.start <= len && Some(&range.start) == model.first());
                    model.retain(|n| !range.contains(n));
                }
                None => assert!(before.is_empty()),
            },
        }
    }

    proptest! {
        /// Against the obvious set of numbers.
        #[test]
        fn agrees_with_a_set_of_numbers(ops in ops(), ranges_max in 1..6_usize) {
            let (mut set, mut model) = (RangeSet::new(ranges_max), BTreeSet::new());
            for op in ops {
                apply(&mut set, &mut model, op);
                prop_assert!(set.ranges() <= ranges_max);
                prop_assert!(set.iter().all(|range| !range.is_empty()));
                let pairs = set.ranges.windows(2).all(|pair| pair[0].end < pair[1].start);
                prop_assert!(pairs, "ascending, with gaps: {:?}", set);
                let numbers: BTreeSet<u64> = set.iter().flatten().collect();
                prop_assert_eq!(&numbers, &model);
                prop_assert_eq!(set.count(), model.len() as u64);
                prop_assert!((0..80).all(|n| set.contains(n) == model.contains(&n)));
                let missing: Vec<u64> = set.missing(10..50).flatten().collect();
                prop_assert_eq!(missing, (10..50).filter(|n| !model.contains(n)).collect::<Vec<_>>());
                prop_assert!(set.missing(10..50).all(|range| !range.is_empty()));
            }
        }
    }

    #[test]
    fn the_ends_of_the_numbers() {
        let mut set = RangeSet::new(2);
        assert_eq!(set.insert(u64::MAX - 1..u64::MAX), Ok(1));
        assert_eq!(set.insert(0..1), Ok(1));
        assert_eq!(set.insert(5..6), Err(RangesFull));
        assert_eq!(set.insert(0..u64::MAX), Ok(u64::MAX - 2));
        assert_eq!(set.first(), set.last());
    }
}
