//! Which packets are lost: time first, numbers second (RFC 8985, RFC 9002 section 6.1).
//!
//! A packet is lost when a later one has been acknowledged and it is either too old or too far
//! behind. Both bounds learn: when a packet is acknowledged that others have overtaken, the path
//! reorders, and the bounds widen; after some recoveries without that they return to where they
//! began.

use core::time::Duration;

use super::{
    ledger::Ledger,
    rtt::{GRANULARITY, Rtt},
};
use crate::time::Instant;

/// Packets by which a later one may be ahead before the earlier is given up (RFC 9002 6.1.1).
pub(super) const PACKET_THRESHOLD: u64 = 3;
/// The packet threshold never grows beyond this: with more reordering, time alone decides.
const PACKET_THRESHOLD_MAX: u64 = 1 << 16;
/// Recoveries without a mistake after which the bounds return (RFC 8985 section 6.2).
const RECOVERIES_KEPT: u32 = 16;
/// The reordering window in eighths of a round trip: 1 at first (RFC 9002 6.1.2, 9/8 in all), 8 at
/// most, a whole round trip (RFC 8985 section 7.2).
const WINDOW_EIGHTHS: u32 = 1;
const WINDOW_EIGHTHS_MAX: u32 = 8;
/// However late earlier packets were, one is waited for no longer than so many round trips, or, since
/// the round trip is measured on the fastest packets, than the retransmission timeout that TCP takes
/// at least.
const ROUNDS_MAX: u32 = 8;
const LATE_MAX: Duration = Duration::from_millis(200);

/// Decides which packets are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossDetector {
    packet_threshold: u64,
    window_eighths: u32,
    /// The longest time from sending a packet to its ACK among those that others overtook. Where
    /// packets overtake each other the round trip is measured on the fast ones, and no multiple of
    /// it says how late the others are.
    late: Duration,
    recoveries_left: u32,
}

impl Default for LossDetector {
    fn default() -> Self {
        Self {
            packet_threshold: PACKET_THRESHOLD,
            window_eighths: WINDOW_EIGHTHS,
            late: Duration::ZERO,
            recoveries_left: 0,
        }
    }
}

impl LossDetector {
    /// Time after which a packet is overdue when a later one has been acknowledged.
    pub fn delay(&self, rtt: &Rtt) -> Duration {
        let round = rtt.smoothed().max(rtt.latest());
        let late = (self.late + self.late / 8).min((round * ROUNDS_MAX).max(LATE_MAX));
        (round + round * self.window_eighths / 8).max(late).max(GRANULARITY)
    }

    /// Packets by which a later one may be ahead.
    pub const fn packet_threshold(&self) -> u64 {
        self.packet_threshold
    }

    /// Pushes the numbers of all packets that are lost by `now` onto `lost`, lowest first. Returns
    /// when the next one will be, if nothing arrives.
    ///
    /// Packets leave in the order of their numbers, so the first that is not lost ends the search.
    pub fn detect(
        &self,
        now: Instant,
        ledger: &mut Ledger,
        largest_acked: u64,
        rtt: &Rtt,
        lost: &mut alloc::vec::Vec<u64>,
    ) -> Option<Instant> {
        let delay = self.delay(rtt);
        for (number, sent) in ledger.flying_below(largest_acked) {
            let due = sent.at + delay;
            if due > now && largest_acked - number < self.packet_threshold {
                return Some(due);
            }
            lost.push(number);
        }
        None
    }

    /// A packet is acknowledged, `late` after it left, when one that left `ahead` packets later has
    /// been before: the path reorders (RFC 8985 section 6.2, step 3).
    pub fn on_reordered(&mut self, ahead: u64, late: Duration) {
        let bound = ahead.saturating_add(ahead / 2).saturating_add(1).min(PACKET_THRESHOLD_MAX);
        self.packet_threshold = self.packet_threshold.max(bound);
        self.late = self.late.max(late);
        self.recoveries_left = RECOVERIES_KEPT;
    }

    /// Such a packet had even been given up.
    pub fn on_spurious(&mut self, ahead: u64, late: Duration) {
        self.on_reordered(ahead, late);
        self.window_eighths = (self.window_eighths * 2).min(WINDOW_EIGHTHS_MAX);
    }

    /// A recovery began.
    pub fn on_recovery(&mut self) {
        self.recoveries_left = self.recoveries_left.saturating_sub(1);
        if self.recoveries_left == 0 {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{
        delivery::Stamp,
        ledger::{Fate, Sent},
    };
    use alloc::vec::Vec;

    const fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    /// Packets 0 to 9, a millisecond apart, over a path of 80 ms.
    fn setup() -> (Ledger, Rtt) {
        let mut ledger = Ledger::new(0);
        for ms in 0..10 {
            let at = at(ms);
            let stamp = Stamp::default();
            let (eliciting, app_limited, marked) = (true, false, false);
            ledger.push(Sent { at, bytes: 1, eliciting, app_limited, marked, stamp }, []);
        }
        let mut rtt = Rtt::new(Duration::from_millis(333));
        rtt.sample(Duration::from_millis(80), Duration::ZERO);
        (ledger, rtt)
    }

    fn detect(
        detector: &LossDetector,
        now: u64,
        acked: u64,
        ledger: &mut Ledger,
        rtt: &Rtt,
    ) -> (Vec<u64>, Option<Instant>) {
        ledger.set(acked, Fate::Acked);
        let mut lost = Vec::new();
        let next = detector.detect(at(now), ledger, acked, rtt, &mut lost);
        (lost, next)
    }

    #[test]
    fn three_packets_ahead() {
        let (mut ledger, rtt) = setup();
        let detector = LossDetector::default();
        let (lost, next) = detect(&detector, 82, 2, &mut ledger, &rtt);
        assert_eq!((lost, next), (Vec::new(), Some(at(90))), "80 ms and an eighth");
        assert_eq!(detect(&detector, 84, 4, &mut ledger, &rtt), (alloc::vec![0, 1], Some(at(93))));
    }

    #[test]
    fn too_late() {
        let (mut ledger, rtt) = setup();
        let detector = LossDetector::default();
        assert_eq!(detect(&detector, 90, 1, &mut ledger, &rtt), (alloc::vec![0], None));
    }

    #[test]
    fn a_packet_overtaken_widens_the_bounds_before_one_is_given_up() {
        let (mut ledger, mut rtt) = setup();
        let mut detector = LossDetector::default();
        detector.on_reordered(6, Duration::from_millis(88));
        assert_eq!(detector.packet_threshold(), 10);
        let (lost, next) = detect(&detector, 97, 9, &mut ledger, &rtt);
        assert_eq!((lost, next), (Vec::new(), Some(at(99))), "88 ms and an eighth");
        // The fast packets set the round trip, the slow ones the bound.
        rtt = Rtt::new(Duration::from_millis(2));
        detector.on_reordered(6, Duration::from_millis(160));
        assert_eq!(detector.delay(&rtt), Duration::from_millis(180));
    }

    #[test]
    fn bounds_widen_on_mistakes_and_return() {
        let (mut ledger, rtt) = setup();
        let mut detector = LossDetector::default();
        detector.on_spurious(40, Duration::from_millis(85));
        assert_eq!(detector.packet_threshold(), 61);
        assert_eq!(detector.delay(&rtt), Duration::from_millis(100));
        let (lost, next) = detect(&detector, 89, 9, &mut ledger, &rtt);
        assert_eq!((lost, next), (Vec::new(), Some(at(100))));
        (0..9).for_each(|_| detector.on_spurious(u64::MAX, Duration::ZERO));
        assert_eq!(detector.packet_threshold(), PACKET_THRESHOLD_MAX);
        assert_eq!(detector.delay(&rtt), Duration::from_millis(160), "a round trip at most");
        detector.on_spurious(1, Duration::from_millis(240));
        assert_eq!(detector.delay(&rtt), Duration::from_millis(270), "as late as was seen");
        detector.on_spurious(1, Duration::from_secs(9));
        assert_eq!(detector.delay(&rtt), Duration::from_millis(640), "but no more than 8 rounds");
        (0..RECOVERIES_KEPT).for_each(|_| detector.on_recovery());
        assert_eq!(detector, LossDetector::default());
    }
}
