//! When to acknowledge, and what (RFC 9000 section 13.2).

use core::{ops::Range, time::Duration};

use super::loss::PACKET_THRESHOLD;
use crate::{
    buf::RangeSet,
    ecn::Ecn,
    time::Instant,
    wire::transport::{ACK_RANGES_MAX, EcnCounts},
};

/// How acknowledgements are held back and merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckPolicy {
    /// Packets to be acknowledged that may wait for one ACK, itself included.
    pub threshold: u64,
    /// The longest that an ACK waits.
    pub delay_max: Duration,
}

/// The packets that arrived, and whether their sender should be told now.
#[derive(Clone, Debug)]
pub struct Acks {
    policy: AckPolicy,
    /// All numbers seen, as far back as [`Acks::SEEN_SPAN`]: what comes again is a copy.
    seen: RangeSet,
    /// Numbers below count as seen.
    floor: u64,
    /// Numbers that the peer may not know to have arrived.
    report: RangeSet,
    largest: Option<(u64, Instant)>,
    ecn: EcnCounts,
    /// Packets to be acknowledged since the last ACK.
    waiting: u64,
    deadline: Option<Instant>,
    /// The number whose arrival lets the sender take for lost what is missing before it; 0 for none.
    proof: u64,
}

impl Acks {
    /// How far behind the highest number a packet may come and still be told from a copy. A window
    /// smaller than the reordering of the path costs throughput (quinn 2710).
    pub const SEEN_SPAN: u64 = 1 << 16;
    /// Ranges of numbers that are remembered.
    pub const RANGES_MAX: usize = ACK_RANGES_MAX;

    /// Nothing arrived yet.
    pub const fn new(policy: AckPolicy) -> Self {
        Self {
            policy,
            seen: RangeSet::new(Self::RANGES_MAX),
            floor: 0,
            report: RangeSet::new(Self::RANGES_MAX),
            largest: None,
            ecn: EcnCounts { ect0: 0, ect1: 0, ce: 0 },
            waiting: 0,
            deadline: None,
            proof: 0,
        }
    }

    /// Whether a packet of this number would be a copy, or too old to tell.
    pub fn is_copy(&self, number: u64) -> bool {
        number < self.floor || self.seen.contains(number)
    }

    /// Takes note of a new packet. `eliciting` tells whether it wants to be acknowledged.
    pub fn on_packet(&mut self, now: Instant, number: u64, eliciting: bool, ecn: Ecn) {
        self.remember(number..number + 1);
        self.report.insert_or_forget_lowest(number..number + 1);
        self.count_mark(ecn, 1);
        let expected = self.largest.map_or(number, |(largest, _)| largest + 1);
        let in_order = number == expected;
        let proves = self.proof > 0 && number >= self.proof && {
            let missing = self.proof - PACKET_THRESHOLD;
            self.proof = 0;
            !self.is_copy(missing)
        };
        if number > expected {
            self.proof = number + PACKET_THRESHOLD - 1;
        }
        if self.largest.is_none_or(|(largest, _)| number > largest) {
            self.largest = Some((number, now));
        }
        if !eliciting {
            return;
        }
        self.waiting += 1;
        let deadline = *self.deadline.get_or_insert(now + self.policy.delay_max);
        // A gap, a late packet, and congestion are news that the sender should have at once
        // (13.2.1), and so is what makes a loss of a gap.
        if !in_order || proves || ecn == Ecn::Ce || self.waiting >= self.policy.threshold {
            self.deadline = Some(deadline.min(now));
        }
    }

    /// The number that would be the next in order, as long as nothing missing is on its way to be taken
    /// for lost.
    pub fn next_in_order(&self) -> Option<u64> {
        self.largest.filter(|_| self.proof == 0).map(|(largest, _)| largest + 1)
    }

    /// So many new packets that want to be acknowledged, the [next in order](Self::next_in_order): the
    /// same as [`on_packet`](Self::on_packet) with one after the other.
    pub fn on_train(&mut self, now: Instant, numbers: Range<u64>, ecn: Ecn) {
        let count = numbers.end - numbers.start;
        self.remember(numbers.clone());
        self.report.insert_or_forget_lowest(numbers.clone());
        self.count_mark(ecn, count);
        self.largest = Some((numbers.end - 1, now));
        self.waiting += count;
        let deadline = *self.deadline.get_or_insert(now + self.policy.delay_max);
        if ecn == Ecn::Ce || self.waiting >= self.policy.threshold {
            self.deadline = Some(deadline.min(now));
        }
    }

    const fn count_mark(&mut self, ecn: Ecn, packets: u64) {
        match ecn {
            Ecn::NotEct => {}
            Ecn::Ect0 => self.ecn.ect0 += packets,
            Ecn::Ect1 => self.ecn.ect1 += packets,
            Ecn::Ce => self.ecn.ce += packets,
        }
    }

    fn remember(&mut self, numbers: Range<u64>) {
        self.seen.insert_or_forget_lowest(numbers);
        let highest = self.seen.last().map_or(0, |last| last.end);
        let floor = highest.saturating_sub(Self::SEEN_SPAN);
        if self.seen.ranges() == Self::RANGES_MAX {
            // What may have been forgotten must not be taken for new.
            self.floor = self.floor.max(self.seen.first().map_or(0, |first| first.start));
        }
        self.floor = self.floor.max(floor);
        self.seen.remove_below(self.floor);
    }

    /// The peer wants an ACK at once.
    pub fn hurry(&mut self, now: Instant) {
        if self.waiting > 0 {
            self.deadline = Some(now);
        }
    }

    /// The peer's wish, or our own, how to acknowledge from now on.
    pub fn set_policy(&mut self, policy: AckPolicy) {
        self.policy = policy;
    }

    /// Until when an ACK has to leave; `None` when none is owed.
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether an ACK is worth its bytes in a packet that leaves anyway.
    pub const fn is_owed(&self) -> bool {
        self.deadline.is_some()
    }

    /// What to report: the ranges, and how long ago the highest arrived.
    pub fn report(&self, now: Instant) -> (&RangeSet, Duration) {
        (&self.report, self.largest.map_or(Duration::ZERO, |(_, at)| now - at))
    }

    /// The marks seen, when there were any.
    pub fn ecn(&self) -> Option<EcnCounts> {
        (self.ecn != EcnCounts::default()).then_some(self.ecn)
    }

    /// Gives back the memory beyond what it remembers.
    pub(super) fn shrink(&mut self) {
        self.seen.shrink();
        self.report.shrink();
    }

    /// Bytes of memory it holds.
    pub fn memory_bytes(&self) -> usize {
        self.seen.memory_bytes() + self.report.memory_bytes()
    }

    /// The highest number that arrived.
    pub fn largest(&self) -> Option<u64> {
        self.largest.map(|(number, _)| number)
    }

    /// An ACK with everything was written into a packet.
    pub fn on_sent(&mut self) {
        (self.waiting, self.deadline) = (0, None);
    }

    /// The peer has received an ACK of ours that reported up to `largest`: no need to say that again
    /// (13.2.4).
    pub fn on_acked(&mut self, largest: u64) {
        self.report.remove_below(largest + 1);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn acks() -> Acks {
        Acks::new(AckPolicy { threshold: 2, delay_max: Duration::from_millis(25) })
    }

    const fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    /// However few ACKs the sender wants: what is missing is reported when it is found missing, and
    /// again when the sender may take it for lost.
    #[test]
    fn a_gap_is_news_twice() {
        let mut acks = Acks::new(AckPolicy { threshold: 100, ..acks().policy });
        let due: Vec<u64> = [0, 1, 3, 4, 5, 6, 7, 9, 10, 12, 13, 14, 15]
            .into_iter()
            .filter(|&number| {
                acks.on_packet(at(0), number, true, Ecn::NotEct);
                let due = acks.deadline() == Some(at(0));
                if due {
                    acks.on_sent();
                }
                due
            })
            .collect();
        assert_eq!(due, [3, 5, 9, 12, 14], "packet 8 counts as lost by 12 as well");
    }

    #[test]
    fn every_second_packet_or_a_delay() {
        let mut acks = acks();
        acks.on_packet(at(0), 5, true, Ecn::NotEct);
        assert_eq!(acks.deadline(), Some(at(25)));
        acks.on_packet(at(10), 6, true, Ecn::NotEct);
        assert_eq!(acks.deadline(), Some(at(10)));
        assert_eq!(acks.report(at(12)).1, Duration::from_millis(2));
        acks.on_sent();
        assert_eq!(acks.deadline(), None);
        acks.on_packet(at(20), 7, false, Ecn::NotEct);
        assert_eq!(acks.deadline(), None, "an ACK is not acknowledged");
    }

    /// The same after packets of these numbers.
    fn after(mut acks: Acks, numbers: &[u64]) -> Acks {
        for &number in numbers {
            acks.on_packet(at(0), number, true, Ecn::NotEct);
        }
        acks
    }

    /// A train of packets in order does what they do one by one, whatever came before.
    #[test]
    fn trains_are_packets_one_after_the_other() {
        let marks = [Ecn::NotEct, Ecn::Ect0, Ecn::Ce, Ecn::Ect1];
        for (threshold, ecn) in [1, 2, 5, 100].into_iter().zip(marks) {
            let acks = Acks::new(AckPolicy { threshold, ..acks().policy });
            for before in [&[0][..], &[0, 1, 2], &[0, 2, 1], &[0, 70_000], &[5, 7, 8, 9, 10]] {
                let mut single = after(acks.clone(), before);
                let mut train = single.clone();
                let Some(first) = train.next_in_order() else { continue };
                train.on_train(at(7), first..first + 9, ecn);
                (first..first + 9).for_each(|number| single.on_packet(at(7), number, true, ecn));
                assert_eq!(alloc::format!("{train:?}"), alloc::format!("{single:?}"));
            }
        }
    }

    #[test]
    fn what_may_prove_a_loss_is_in_no_train() {
        assert_eq!(acks().next_in_order(), None, "nothing came");
        assert_eq!(after(acks(), &[0, 2]).next_in_order(), None, "4 will prove that 1 is lost");
        assert_eq!(after(acks(), &[0, 2, 3, 4]).next_in_order(), Some(5));
    }

    #[test]
    fn gaps_late_packets_and_congestion_are_told_at_once() {
        let mut acks = acks();
        acks.on_packet(at(0), 5, true, Ecn::NotEct);
        acks.on_sent();
        for (number, ecn) in [(7, Ecn::NotEct), (6, Ecn::NotEct), (8, Ecn::Ce)] {
            acks.on_packet(at(1), number, true, ecn);
            assert_eq!(acks.deadline(), Some(at(1)), "{number}");
            acks.on_sent();
        }
        acks.on_packet(at(2), 9, true, Ecn::Ect0);
        assert_eq!(acks.deadline(), Some(at(27)));
        assert_eq!(acks.ecn(), Some(EcnCounts { ect0: 1, ect1: 0, ce: 1 }));
        acks.hurry(at(3));
        assert_eq!(acks.deadline(), Some(at(3)));
    }

    #[test]
    fn what_the_peer_knows_is_reported_no_more_yet_copies_are_seen() {
        let mut acks = acks();
        (0..10).for_each(|number| acks.on_packet(at(0), number, true, Ecn::NotEct));
        acks.on_acked(9);
        assert!(acks.report(at(0)).0.is_empty() && acks.is_copy(3));
        // One that comes late, after the peer was told about higher ones.
        acks.on_packet(at(1), 12, true, Ecn::NotEct);
        acks.on_acked(12);
        assert!(!acks.is_copy(11));
        acks.on_packet(at(1), 11, true, Ecn::NotEct);
        assert_eq!((acks.report(at(1)).0.first(), acks.report(at(1)).0.count()), (Some(11..12), 1));
    }

    #[test]
    fn memory_is_bounded_and_forgetting_is_safe() {
        let mut acks = acks();
        for number in (0..4_000).step_by(2) {
            assert!(!acks.is_copy(number));
            acks.on_packet(at(0), number, true, Ecn::NotEct);
        }
        assert!(acks.is_copy(0), "forgotten, so refused");
        assert!(acks.is_copy(3_998) && !acks.is_copy(3_997));
        assert!(acks.report(at(0)).0.ranges() <= Acks::RANGES_MAX);
        acks.on_packet(at(0), 1 << 40, true, Ecn::NotEct);
        assert!(acks.is_copy((1 << 40) - Acks::SEEN_SPAN) && !acks.is_copy((1 << 40) - 1));
    }
}
