//! What is on its way: datagrams ordered by the time at which they arrive.

use alloc::{
    collections::{BinaryHeap, VecDeque},
    vec::Vec,
};
use core::cmp::Reverse;

use super::{Class, reorder::HoldBack};
use crate::{ecn::Ecn, time::Instant};

/// The order of arrival. Ties go by number, so that two runs of a seed agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) release: Instant,
    pub(super) id: u64,
    pub(super) copy: u32,
}

/// A datagram on its way.
#[derive(Debug)]
pub(super) struct Parcel<T> {
    pub(super) key: Key,
    pub(super) offered: Instant,
    pub(super) class: Class,
    pub(super) hold: Option<HoldBack>,
    pub(super) tag: T,
    pub(super) ecn: Ecn,
    pub(super) bytes: Vec<u8>,
}

/// Two stores in order of arrival: a queue for those that arrive after everything in it, which on a
/// link that keeps the order is all of them, and a heap for the others.
#[derive(Debug)]
pub(super) struct Transit<T> {
    queue: VecDeque<Parcel<T>>,
    /// Keys and places in `slots`: a heap moves its entries about, so they should be small.
    heap: BinaryHeap<Reverse<(Key, usize)>>,
    slots: Vec<Option<Parcel<T>>>,
    free: Vec<usize>,
}

impl<T> Transit<T> {
    pub(super) fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            heap: BinaryHeap::new(),
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, parcel: Parcel<T>) {
        if self.queue.back().is_none_or(|last| last.key < parcel.key) {
            self.queue.push_back(parcel);
            return;
        }
        let key = parcel.key;
        let free = self.free.pop().and_then(|at| Some((at, self.slots.get_mut(at)?)));
        let at = if let Some((at, slot)) = free {
            *slot = Some(parcel);
            at
        } else {
            self.slots.push(Some(parcel));
            self.slots.len() - 1
        };
        self.heap.push(Reverse((key, at)));
    }

    /// The one that arrives first.
    pub(super) fn next(&self) -> Option<Key> {
        let queued = self.queue.front().map(|parcel| parcel.key);
        let heaped = self.heap.peek().map(|Reverse((key, _))| *key);
        match (queued, heaped) {
            (Some(queued), Some(heaped)) => Some(queued.min(heaped)),
            _ => queued.or(heaped),
        }
    }

    pub(super) fn pop(&mut self) -> Option<Parcel<T>> {
        let heap_first = match (self.queue.front(), self.heap.peek()) {
            (Some(queued), Some(Reverse((key, _)))) => *key < queued.key,
            (queued, _) => queued.is_none(),
        };
        if !heap_first {
            return self.queue.pop_front();
        }
        let Reverse((_, at)) = self.heap.pop()?;
        self.free.push(at);
        self.slots.get_mut(at)?.take()
    }
}

/// Measures how far datagrams got out of order, at the far end.
///
/// Exact as long as no datagram is overtaken by more than [`DEPTH_MAX`](Self::DEPTH_MAX); beyond
/// that it says `DEPTH_MAX`, and its memory stays bounded.
#[derive(Debug, Default)]
pub(super) struct OrderMeter {
    /// The number of the first entry of `flying`.
    base: u64,
    /// For each datagram from `base` on: how many of it (itself and copies) are on their way.
    flying: VecDeque<u32>,
    /// Deliveries that overtook something still on its way, by number.
    passed: VecDeque<u64>,
}

impl OrderMeter {
    pub(super) const DEPTH_MAX: usize = 1 << 16;

    /// Notes that `count` of the next datagram are on their way.
    pub(super) fn depart(&mut self, count: u32) {
        self.flying.push_back(count);
        if self.flying.len() > Self::DEPTH_MAX {
            self.flying.pop_front();
            self.base += 1;
        }
        self.forget();
    }

    /// Notes one more of a datagram that is on its way or may come again.
    pub(super) fn more(&mut self, id: u64) {
        if let Some(count) = self.entry(id) {
            *count = count.saturating_add(1);
        }
    }

    /// Notes that a datagram that might have come again will not.
    pub(super) fn less(&mut self, id: u64) {
        if let Some(count) = self.entry(id) {
            *count = count.saturating_sub(1);
        }
        self.forget();
    }

    fn entry(&mut self, id: u64) -> Option<&mut u32> {
        let ahead = id.checked_sub(self.base)?;
        self.flying.get_mut(usize::try_from(ahead).ok()?)
    }

    /// Notes an arrival; says by how many later ones it was overtaken.
    pub(super) fn arrive(&mut self, id: u64) -> u64 {
        if id < self.base {
            return Self::DEPTH_MAX as u64;
        }
        if let Some(count) = self.entry(id) {
            *count = count.saturating_sub(1);
        }
        let after = |passed: &VecDeque<u64>| passed.partition_point(|passed| *passed <= id);
        let overtaken_by = self.passed.len() - after(&self.passed);
        self.forget();
        if self.base < id {
            self.passed.insert(after(&self.passed), id);
            if self.passed.len() > Self::DEPTH_MAX {
                self.passed.pop_front();
            }
        }
        overtaken_by as u64
    }

    /// How many datagrams it still expects something of, or of an older one.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.flying.len()
    }

    /// Drops what can no longer matter.
    fn forget(&mut self) {
        while self.flying.front() == Some(&0) {
            self.flying.pop_front();
            self.base += 1;
        }
        while self.passed.front().is_some_and(|passed| *passed <= self.base) {
            self.passed.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Arrivals of datagrams 0, 1, 2, ... in that order, each counted by looking at all before it.
    fn count(arrivals: &[u64], at: usize) -> u64 {
        arrivals[..at].iter().filter(|before| **before > arrivals[at]).count() as u64
    }

    proptest! {
        #[test]
        fn the_meter_counts_what_a_look_at_the_whole_run_counts(
            copies in prop::collection::vec(0..3_u32, 1..40),
            shuffle: u64,
        ) {
            let mut meter = OrderMeter::default();
            let mut arrivals: Vec<u64> = (0..)
                .zip(&copies)
                .flat_map(|(id, count)| core::iter::repeat_n(id, *count as usize))
                .collect();
            let mut rng = crate::rng::Seed::new(shuffle).rng();
            for end in (1..arrivals.len()).rev() {
                arrivals.swap(end, usize::try_from(rng.below(end as u64 + 1)).unwrap());
            }
            for count in &copies {
                meter.depart(*count);
            }
            for (at, id) in arrivals.iter().enumerate() {
                prop_assert_eq!(meter.arrive(*id), count(&arrivals, at), "{:?} at {}", arrivals, at);
            }
            prop_assert!(meter.flying.is_empty() && meter.passed.is_empty());
        }
    }

    #[test]
    fn the_meter_is_bounded() {
        let mut meter = OrderMeter::default();
        for id in 0..3 * OrderMeter::DEPTH_MAX as u64 {
            meter.depart(1);
            if id > 0 {
                meter.arrive(id);
            }
            assert!(meter.flying.len() <= OrderMeter::DEPTH_MAX);
            assert!(meter.passed.len() <= OrderMeter::DEPTH_MAX);
        }
        assert_eq!(meter.arrive(0), OrderMeter::DEPTH_MAX as u64);
    }

    /// Up to its limit it is exact, one datagram further it says the limit.
    #[test]
    fn the_meter_is_exact_up_to_its_limit() {
        for (beyond, overtaken_by) in [(0, 1), (1, OrderMeter::DEPTH_MAX as u64)] {
            let mut meter = OrderMeter::default();
            (0..OrderMeter::DEPTH_MAX + beyond).for_each(|_| meter.depart(1));
            meter.arrive(7);
            assert_eq!(meter.arrive(0), overtaken_by);
        }
        let (mut meter, half) = (OrderMeter::default(), OrderMeter::DEPTH_MAX as u64 / 2);
        meter.depart(1);
        (0..half).for_each(|_| meter.depart(2));
        for id in (1..=half).flat_map(|id| [id, id]) {
            meter.arrive(id);
        }
        assert_eq!(meter.arrive(0), 2 * half, "each of them and its copy came before");
    }
}
