//! The first packets of a connection leave several times, spaced.
//!
//! Before a round trip is known, a sender waits a second until it takes a packet for lost (RFC 8085
//! section 3.1.1, RFC 8961 section 4), and that second is the tail of every short exchange: at 5 %
//! loss each way one in ten meets it. A timer that is shorter would be a guess. Copies are none: they
//! leave whatever happens, within the ten packets that every path is expected to bear at once.

use core::time::Duration;

use crate::time::Instant;

/// Flights of each side that leave several times: the handshake's, and the first answer, of which
/// the sender knows one round trip and thus little.
const FLIGHTS: u8 = 2;
/// Packets of a flight that is worth it: a longer one shows its losses itself.
const FLIGHT_PACKETS_MAX: u32 = 2;

/// Decides when what is on its way leaves again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copies {
    /// Copies of each flight.
    count: u8,
    pause: Duration,
    flights_left: u8,
    /// The first packet of this flight, and how many have left.
    first: Option<u64>,
    packets: u32,
    /// Copies of this flight that have not left.
    left: u8,
    at: Option<Instant>,
    /// When what was lost leaves once more.
    after_loss: Option<Instant>,
}

/// What is to leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A copy of the flight.
    Flight,
    /// A copy of what was lost, if no more than a few packets are on their way.
    Lost,
}

impl Copies {
    pub(super) const fn new(count: u8, pause: Duration) -> Self {
        Self {
            count,
            pause,
            flights_left: FLIGHTS,
            first: None,
            packets: 0,
            left: count,
            at: None,
            after_loss: None,
        }
    }

    /// A packet of this number left that wants to be acknowledged.
    pub(super) fn on_sent(&mut self, now: Instant, number: u64) {
        self.first.get_or_insert(number);
        self.packets += 1;
        let sent = u32::from(self.count - self.left) + 1;
        if self.flights_left == 0 || self.packets > FLIGHT_PACKETS_MAX * sent {
            self.at = None;
        } else if self.left > 0 {
            self.at.get_or_insert(now + self.pause);
        }
    }

    /// The peer has packets up to this number. Late copies of an earlier flight end no later one.
    pub(super) fn on_heard(&mut self, largest: u64) {
        if self.first.is_some_and(|first| largest >= first) {
            self.flights_left = self.flights_left.saturating_sub(1);
            self.renew();
        }
    }

    /// Something was lost and is sent again. A flow that has little on its way learns late when that is
    /// lost too, and everything behind it waits: it leaves once more.
    pub(super) fn on_loss(&mut self, now: Instant) {
        if self.count > 0 {
            self.after_loss.get_or_insert(now + self.pause);
        }
    }

    /// Nothing of this flight counts any more: the next one begins anew.
    pub(super) fn renew(&mut self) {
        (self.first, self.packets, self.left, self.at) = (None, 0, self.count, None);
    }

    /// When the next copy leaves.
    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.at, self.after_loss].into_iter().flatten().min()
    }

    /// What is to leave by now. Once for each.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Due> {
        if self.at.take_if(|at| *at <= now).is_some() {
            self.left -= 1;
            return Some(Due::Flight);
        }
        self.after_loss.take_if(|at| *at <= now).map(|_| Due::Lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    fn copies() -> Copies {
        Copies::new(2, Duration::from_millis(15))
    }

    #[test]
    fn two_copies_at_a_distance() {
        let mut copies = copies();
        copies.on_sent(at(0), 7);
        assert_eq!(copies.deadline(), Some(at(15)));
        let due = [14, 15, 15].map(|time| copies.take_due(at(time)));
        assert_eq!(due, [None, Some(Due::Flight), None]);
        copies.on_sent(at(15), 8);
        assert_eq!(copies.take_due(at(30)), Some(Due::Flight));
        copies.on_sent(at(30), 9);
        assert_eq!(copies.deadline(), None, "no third");
    }

    #[test]
    fn the_first_two_flights_and_no_more() {
        let mut copies = copies();
        copies.on_sent(at(0), 1);
        copies.on_heard(1);
        assert_eq!(copies.deadline(), None);
        copies.on_sent(at(50), 3);
        copies.on_heard(2);
        assert_eq!(copies.deadline(), Some(at(65)), "a copy of the first flight arrived as well");
        copies.on_heard(3);
        copies.on_sent(at(100), 4);
        assert_eq!(copies.deadline(), None);
    }

    #[test]
    fn long_flights_help_themselves() {
        let mut copies = copies();
        (1..=3).for_each(|flying| copies.on_sent(at(0), flying));
        assert_eq!(copies.deadline(), None);
        let mut none = Copies::new(0, Duration::ZERO);
        none.on_sent(at(0), 1);
        none.on_loss(at(0));
        assert_eq!(none.deadline(), None);
    }

    #[test]
    fn what_was_lost_leaves_once_more() {
        let mut copies = copies();
        copies.on_loss(at(10));
        copies.on_loss(at(12));
        assert_eq!((copies.deadline(), copies.take_due(at(25))), (Some(at(25)), Some(Due::Lost)));
        assert_eq!(copies.deadline(), None);
    }
}
