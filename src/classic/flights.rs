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
