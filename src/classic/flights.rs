//! Messages on their way: what the adapter remembers of each until it is acknowledged.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::{
    seq::{Modulus, Seq},
    time::Instant,
    trace::Tag,
};

/// One message that the sender took and does not yet believe delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flight {
    /// Its packet's number; `None` until the sender has made the packet.
    seq: Option<Seq>,
    /// How often it has left.
    pub(super) attempts: u32,
    /// When it last left.
    pub(super) sent_at: Instant,
    /// Whether it waits for the driver.
    pub(super) queued: bool,
}

/// The flights in the order of their messages, found by sequence number.
#[derive(Clone, Debug)]
pub(super) struct Flights {
    flights: VecDeque<Flight>,
    modulus: Modulus,
}

impl Flights {
    pub(super) fn new(modulus: Modulus) -> Self {
        Self { flights: VecDeque::new(), modulus }
    }

    /// A message is about to be handed to the sender.
    pub(super) fn expect(&mut self) {
        self.flights.push_back(Flight {
            seq: None,
            attempts: 0,
            sent_at: Instant::ZERO,
            queued: false,
        });
    }

    /// The packet of number `seq` is put in line. False when it is in line already.
    pub(super) fn queue(&mut self, seq: Seq) -> bool {
        // The sender's first packet for a new message tells its number.
        if let Some(new) = self.flights.back_mut().filter(|flight| flight.seq.is_none()) {
            new.seq = Some(seq);
            new.queued = true;
            return true;
        }
        match self.find_mut(seq) {
            Some(flight) => !core::mem::replace(&mut flight.queued, true),
            None => true,
        }
    }

    /// The packet of number `seq` leaves; returns which attempt this is.
    pub(super) fn depart(&mut self, seq: Seq, now: Instant) -> u32 {
        match self.find_mut(seq) {
            Some(flight) => {
                flight.attempts = flight.attempts.saturating_add(1);
                flight.sent_at = now;
                flight.queued = false;
                flight.attempts
            }
            // Acknowledged while it waited, or a protocol that expects no acknowledgement.
            None => 1,
        }
    }

    /// Drops the oldest flights until `unacked` are left; returns how many were dropped.
    pub(super) fn settle(&mut self, unacked: usize) -> u64 {
        let done = self.flights.len().saturating_sub(unacked);
        self.flights.drain(..done);
        done as u64
    }

    /// How many messages are on their way.
    pub(super) fn len(&self) -> usize {
        self.flights.len()
    }

    /// Whether the packet of number `seq` is on its way.
    pub(super) fn contains(&self, seq: Seq) -> bool {
        self.position(seq).is_some()
    }

    /// The flight that a timer watches.
    pub(super) fn watched(&self, tag: Tag) -> Option<&Flight> {
        match tag {
            Tag::Oldest => self.flights.front(),
            Tag::Packet(seq) => self.position(seq).and_then(|at| self.flights.get(at)),
        }
    }

    pub(super) fn is_oldest(&self, seq: Seq) -> bool {
        self.flights.front().is_some_and(|flight| flight.seq == Some(seq))
    }

    /// The round trip that an ACK of `seq` would measure now. Only of messages sent once: of the
    /// others nobody knows which copy is acknowledged (Karn's rule; RFC 6298, section 3).
    pub(super) fn sample(&self, seq: Seq, now: Instant) -> Option<Duration> {
        let flight = self.flights.get(self.position(seq)?)?;
        (flight.attempts == 1 && !flight.queued).then(|| now - flight.sent_at)
    }

    fn position(&self, seq: Seq) -> Option<usize> {
        let first = self.flights.front()?.seq?;
        let offset = usize::try_from(self.modulus.distance(first, seq)).ok()?;
        self.flights.get(offset).filter(|flight| flight.seq == Some(seq)).map(|_| offset)
    }

    fn find_mut(&mut self, seq: Seq) -> Option<&mut Flight> {
        let at = self.position(seq)?;
        self.flights.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    /// Packets 6, 7 and 0 of modulus 8, sent at 6, 7 and 8 ms.
    fn three() -> Flights {
        let mut flights = Flights::new(Modulus::new(8));
        for (seq, millis) in [(6, 6), (7, 7), (0, 8)] {
            flights.expect();
            assert!(flights.queue(seq), "not in line before");
            assert_eq!(flights.sample(seq, at(9)), None, "not sent yet");
            assert_eq!(flights.depart(seq, at(millis)), 1);
        }
        flights
    }

    #[test]
    fn finds_packets_by_number_and_by_timer() {
        let mut flights = three();
        let on_their_way = |flights: &Flights| (0..8).map(|seq| flights.contains(seq)).collect();
        let all: alloc::vec::Vec<bool> = on_their_way(&flights);
        assert_eq!(all, [true, false, false, false, false, false, true, true]);
        assert!(flights.is_oldest(6) && !flights.is_oldest(7));
        let sent_at = |flights: &Flights, tag| flights.watched(tag).map(|flight| flight.sent_at);
        assert_eq!(sent_at(&flights, Tag::Oldest), Some(at(6)));
        assert_eq!(sent_at(&flights, Tag::Packet(0)), Some(at(8)));
        assert_eq!(sent_at(&flights, Tag::Packet(1)), None);
        assert_eq!((flights.settle(1), flights.settle(1)), (2, 0));
        assert_eq!(sent_at(&flights, Tag::Oldest), Some(at(8)));
        assert!(flights.is_oldest(0) && !flights.contains(6));
    }

    #[test]
    fn what_is_in_line_is_not_put_there_again() {
        let mut flights = three();
        assert!(flights.queue(7), "it had left");
        assert!(!flights.queue(7), "now it waits");
        assert_eq!(flights.depart(7, at(20)), 2, "the second attempt");
        assert!(flights.queue(7), "it has left again");
        assert!(flights.queue(3), "nobody expects an acknowledgement of 3");
        assert_eq!(flights.depart(3, at(20)), 1);
    }

    /// Karn's rule.
    #[test]
    fn only_what_was_sent_once_measures_the_round_trip() {
        let mut flights = three();
        assert_eq!(flights.sample(7, at(10)), Some(Duration::from_millis(3)));
        assert_eq!(flights.sample(5, at(10)), None, "5 is not on its way");
        assert!(flights.queue(7));
        assert_eq!(flights.sample(7, at(10)), None, "a second copy is about to leave");
        flights.depart(7, at(11));
        assert_eq!(flights.sample(7, at(12)), None, "which copy is acknowledged?");
        assert_eq!(flights.sample(6, at(12)), Some(Duration::from_millis(6)));
    }
}
