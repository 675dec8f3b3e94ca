//! The countdown timers of one endpoint.

use alloc::collections::{BTreeMap, VecDeque};

use crate::{time::Instant, trace::Tag};

/// Deadlines by tag, with the earliest at hand.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    deadlines: BTreeMap<Tag, Instant>,
    /// The same, sorted. A new deadline is nearly always the latest, and the one that is stopped
    /// nearly always among the earliest, so both ends are cheap where the middle is not.
    order: VecDeque<(Instant, Tag)>,
}

impl Timers {
    /// Sets a timer, or sets it anew.
    pub(super) fn start(&mut self, tag: Tag, deadline: Instant) {
        if let Some(old) = self.deadlines.insert(tag, deadline) {
            self.forget(old, tag);
        }
        let new = (deadline, tag);
        if self.order.back().is_none_or(|&last| last < new) {
            self.order.push_back(new);
        } else {
            let at = self.order.partition_point(|&earlier| earlier < new);
            self.order.insert(at, new);
        }
    }

    /// Takes a deadline out of the order; false when it was not there.
    fn forget(&mut self, deadline: Instant, tag: Tag) -> bool {
        let at = self.order.binary_search(&(deadline, tag));
        at.is_ok_and(|at| self.order.remove(at).is_some())
    }

    /// Stops a timer; false when it was not running.
    pub(super) fn stop(&mut self, tag: Tag) -> bool {
        let running = self.deadlines.remove(&tag);
        running.is_some_and(|deadline| self.forget(deadline, tag))
    }

    /// Moves the deadline of a timer that is running; does nothing otherwise.
    pub(super) fn postpone(&mut self, tag: Tag, deadline: Instant) -> bool {
        let running = self.deadlines.contains_key(&tag);
        if running {
            self.start(tag, deadline);
        }
        running
    }

    /// How many run.
    pub(super) fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// The earliest deadline. One at the end of time, where arithmetic saturates, never comes: it
    /// could not be followed by a later one.
    pub(super) fn next(&self) -> Option<Instant> {
        self.order.front().map(|&(deadline, _)| deadline).filter(|&at| at < Instant::MAX)
    }

    /// Takes out a timer that has expired by `now`: the earliest, and of equals the lowest tag.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<Tag> {
        self.next().filter(|&deadline| deadline <= now)?;
        let &(_, tag) = self.order.front()?;
        self.stop(tag);
        Some(tag)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.deadlines.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expire_in_order_of_deadline_then_tag() {
        let at = Instant::from_nanos;
        let mut timers = Timers::default();
        timers.start(Tag::Packet(2), at(5));
        timers.start(Tag::Packet(1), at(5));
        timers.start(Tag::Oldest, at(9));
        timers.start(Tag::Oldest, at(3));
        assert!(timers.postpone(Tag::Packet(2), at(6)) && !timers.postpone(Tag::Packet(7), at(6)));
        assert_eq!(timers.next(), Some(at(3)));
        assert_eq!(timers.pop_expired(at(2)), None);
        assert_eq!(timers.pop_expired(at(9)), Some(Tag::Oldest));
        assert_eq!(timers.pop_expired(at(9)), Some(Tag::Packet(1)));
        assert!(timers.stop(Tag::Packet(2)) && !timers.stop(Tag::Packet(2)));
        assert!(timers.is_empty() && timers.next().is_none());
    }

    #[test]
    fn whatever_the_order_of_starts_the_earliest_is_first() {
        let at = Instant::from_nanos;
        let mut timers = Timers::default();
        for (seq, nanos) in [(1, 9), (2, 3), (3, 6), (4, 1), (5, 6), (6, 4)] {
            timers.start(Tag::Packet(seq), at(nanos));
        }
        let order = core::iter::from_fn(|| timers.pop_expired(at(9)));
        assert!(order.eq([4, 2, 6, 3, 5, 1].map(Tag::Packet)));
    }

    #[test]
    fn the_end_of_time_never_comes() {
        let mut timers = Timers::default();
        timers.start(Tag::Oldest, Instant::MAX);
        assert_eq!((timers.next(), timers.pop_expired(Instant::MAX)), (None, None));
        assert!(!timers.is_empty());
    }
}
