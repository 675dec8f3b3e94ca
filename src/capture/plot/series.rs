//! Values over time in bounded memory: as time goes on, neighbours are merged.

use alloc::{vec, vec::Vec};
use core::array;

use crate::time::Instant;

/// Buckets that are kept at most; a picture has fewer columns.
const BUCKETS_MAX: usize = 2_048;
/// How long a bucket is at first, in nanoseconds.
const WIDTH: u64 = 1_000;

/// Time in buckets that double their length when there are too many.
#[derive(Clone, Copy, Debug)]
struct Grid {
    width: u64,
}

impl Grid {
    /// The bucket of `at`, after as many doublings as it takes; `merge` is called for each.
    fn find(&mut self, at: Instant, mut merge: impl FnMut()) -> usize {
        while at.as_nanos() / self.width >= BUCKETS_MAX as u64 {
            self.width *= 2;
            merge();
        }
        usize::try_from(at.as_nanos() / self.width).unwrap_or(BUCKETS_MAX - 1)
    }

    fn start(self, bucket: usize) -> Instant {
        Instant::from_nanos(bucket as u64 * self.width)
    }
}

/// What a value did within a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) at: Instant,
    pub(super) first: u64,
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) last: u64,
}

/// A value that changes at points of time.
#[derive(Clone, Debug)]
pub(super) struct Series {
    grid: Grid,
    buckets: Vec<Option<Bucket>>,
}

impl Series {
    pub(super) const fn new() -> Self {
        Self { grid: Grid { width: WIDTH }, buckets: Vec::new() }
    }

    pub(super) fn push(&mut self, at: Instant, value: u64) {
        let buckets = &mut self.buckets;
        let bucket = self.grid.find(at, || {
            let pairs = buckets.chunks(2).map(|pair| match *pair {
                [Some(one), Some(two)] => Some(Bucket {
                    at: one.at,
                    first: one.first,
                    min: one.min.min(two.min),
                    max: one.max.max(two.max),
                    last: two.last,
                }),
                [one, two] => one.or(two),
                [one] => one,
                _ => None,
            });
            *buckets = pairs.collect();
        });
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, None);
        }
        let new = Bucket { at, first: value, min: value, max: value, last: value };
        let there = self.buckets[bucket].get_or_insert(new);
        (there.min, there.max, there.last) = (there.min.min(value), there.max.max(value), value);
    }

    /// The buckets in which it changed.
    pub(super) fn iter(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.buckets.iter().flatten().copied()
    }

    pub(super) fn max(&self) -> Option<u64> {
        self.iter().map(|bucket| bucket.max).max()
    }
}

/// Which of `N` states something was in, and for how long.
#[derive(Clone, Debug)]
pub(super) struct Shares<const N: usize> {
    grid: Grid,
    buckets: Vec<[u64; N]>,
    state: usize,
    since: Instant,
}

impl<const N: usize> Shares<N> {
    pub(super) const fn new() -> Self {
        let grid = Grid { width: WIDTH };
        Self { grid, buckets: Vec::new(), state: 0, since: Instant::ZERO }
    }

    /// From `at` on it is in this state.
    pub(super) fn enter(&mut self, at: Instant, state: usize) {
        self.pass(at);
        self.state = state;
    }

    /// Time has passed in the same state.
    pub(super) fn pass(&mut self, until: Instant) {
        let buckets = &mut self.buckets;
        let last = self.grid.find(until, || {
            let sum = |pair: &[[u64; N]]| array::from_fn(|n| pair.iter().map(|part| part[n]).sum());
            *buckets = buckets.chunks(2).map(sum).collect();
        });
        if self.buckets.len() <= last {
            self.buckets.resize(last + 1, [0; N]);
        }
        while self.since < until {
            let bucket = usize::try_from(self.since.as_nanos() / self.grid.width).unwrap_or(last);
            let end = self.grid.start(bucket + 1).min(until);
            self.buckets[bucket][self.state] +=
                (end.as_nanos()).saturating_sub(self.since.as_nanos());
            self.since = end;
        }
    }

    /// Nothing before `at` counts.
    pub(super) fn begin(&mut self, at: Instant) {
        self.since = at;
    }

    /// In all, in nanoseconds.
    pub(super) fn totals(&self) -> [u64; N] {
        array::from_fn(|n| self.buckets.iter().map(|bucket| bucket[n]).sum())
    }

    /// For each of `columns` columns up to `end`, the state that it was in for longest.
    pub(super) fn columns(&self, columns: usize, end: Instant) -> Vec<Option<usize>> {
        let mut sums = vec![[0_u64; N]; columns];
        for (at, bucket) in self.buckets.iter().enumerate() {
            let middle = self.grid.start(at).as_nanos() + self.grid.width / 2;
            let place = u128::from(middle) * columns as u128 / u128::from(end.as_nanos().max(1));
            let place = usize::try_from(place).unwrap_or(columns).min(columns.saturating_sub(1));
            if let Some(sum) = sums.get_mut(place) {
                (0..N).for_each(|n| sum[n] += bucket[n]);
            }
        }
        let mut before = None;
        let longest = sums.iter().map(|sum| {
            let most = (0..N).max_by_key(|&n| (sum[n], N - n)).filter(|&n| sum[n] > 0);
            // A bucket may be longer than a column.
            before = most.or(before);
            before
        });
        longest.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn a_long_series_keeps_its_extremes_in_bounded_memory() {
        let mut series = Series::new();
        for n in 0..100_000 {
            series.push(at(n), if n == 77_777 { 1_000 } else { 10 + n % 2 });
        }
        assert!((BUCKETS_MAX / 4..=BUCKETS_MAX).contains(&series.iter().count()));
        assert_eq!(series.max(), Some(1_000));
        assert_eq!(series.iter().last().map(|bucket| bucket.last), Some(11));
        assert!(series.iter().all(|bucket| bucket.min == 10));
        let peak = series.iter().find(|bucket| bucket.max == 1_000).unwrap();
        assert!(peak.at <= at(77_777) && at(77_777) - peak.at < core::time::Duration::from_secs(1));
        let times: Vec<_> = series.iter().map(|bucket| bucket.at).collect();
        assert!(times.is_sorted());
    }

    #[test]
    fn shares_add_up_to_the_time_that_passed() {
        let mut shares = Shares::<3>::new();
        shares.begin(at(5));
        shares.enter(at(10), 2);
        shares.enter(at(30_000), 1);
        shares.pass(at(40_000));
        assert_eq!(shares.totals().map(|nanos| nanos / 1_000_000), [5, 10_000, 29_990]);
        let columns = shares.columns(4, at(40_000));
        assert_eq!(columns, [Some(2), Some(2), Some(2), Some(1)]);
    }
}
