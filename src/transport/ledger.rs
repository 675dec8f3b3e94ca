//! What was sent and not yet settled: packet number to what it held.

use alloc::collections::VecDeque;
use core::ops::Range;

use super::delivery::Stamp;
use crate::{time::Instant, wire::transport::StreamId};

/// One thing that a packet held and that matters when the packet arrives or is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes of a stream, and whether it ends after them.
    Stream {
        /// Which stream.
        id: StreamId,
        /// Which bytes.
        bytes: Range<u64>,
        /// Whether the end of the stream was told.
        fin: bool,
    },
    /// An ACK frame that reported up to this number.
    Ack {
        /// The highest number reported.
        largest: u64,
    },
    /// The connection's limit was raised.
    MaxData,
    /// A stream's limit was raised.
    MaxStreamData(StreamId),
    /// The number of streams was raised.
    MaxStreams,
    /// A stream was reset.
    ResetStream(StreamId),
    /// The peer was asked to stop sending.
    StopSending(StreamId),
    /// The sender said that the connection's limit holds it up.
    DataBlocked,
    /// The sender said that a stream's limit holds it up.
    StreamDataBlocked(StreamId),
    /// A wish how to acknowledge.
    AckFrequency,
    /// A cookie for a later connection.
    Ticket,
}

impl Content {
    /// How many bytes of a stream it is.
    pub const fn stream_bytes(&self) -> u64 {
        match self {
            Self::Stream { bytes, .. } => bytes.end - bytes.start,
            _ => 0,
        }
    }
}

/// What is known of a packet that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When it left.
    pub at: Instant,
    /// Its length, UDP payload.
    pub bytes: u32,
    /// Whether it wants to be acknowledged; only such packets count as in flight.
    pub eliciting: bool,
    /// Whether the application, not a window, held sending up when it left.
    pub app_limited: bool,
    /// Whether it carried an ECN mark.
    pub marked: bool,
    /// What had been delivered then.
    pub stamp: Stamp,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// On its way, as far as is known.
    Flying,
    /// The peer has it.
    Acked,
    /// Given up; its ACK may still come and prove that wrong.
    Lost,
}

/// Entries for which memory is kept when nothing is on its way.
const ENTRIES_KEPT: usize = 1024;
/// Packets that want no ACK and are remembered behind one that does. A peer that acknowledges nothing
/// and asks for one answer after the other gets no more of our memory than this.
const QUIET_MAX: usize = 64;

#[derive(Clone, Debug)]
struct Entry {
    number: u64,
    sent: Sent,
    fate: Fate,
    /// Contents of all packets before it, counted from the beginning, modulo 2^32.
    start: u32,
    contents: u16,
}

/// The packets that are not settled, in the order of their numbers.
///
/// A ring: finding a packet is an index unless numbers were left out, and a search then, and in the
/// steady state nothing is allocated. Packets that were declared lost stay until
/// [`forget`](Self::forget) so that a late ACK can show the mistake.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// The number of the next packet.
    next: u64,
    /// By ascending number.
    entries: VecDeque<Entry>,
    /// Entries of packets that want no ACK.
    quiet: usize,
    /// The contents of all entries, one after the other.
    contents: VecDeque<Content>,
    /// Contents that were dropped from the front since the beginning, modulo 2^32.
    dropped: u32,
    /// No packet below is on its way.
    lowest_flying: u64,
    in_flight_bytes: u64,
    flying: u64,
}

impl Ledger {
    /// Nothing sent; the next packet has the number `first`.
    pub const fn new(first: u64) -> Self {
        Self {
            next: first,
            entries: VecDeque::new(),
            quiet: 0,
            contents: VecDeque::new(),
            dropped: 0,
            lowest_flying: first,
            in_flight_bytes: 0,
            flying: 0,
        }
    }

    /// The number of the next packet.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Puts a packet down and returns its number.
    pub fn push(&mut self, sent: Sent, contents: impl IntoIterator<Item = Content>) -> u64 {
        let number = self.next;
        self.next += 1;
        if !sent.eliciting && self.quiet >= QUIET_MAX {
            return number;
        }
        let before = self.contents.len();
        self.contents.extend(contents);
        let contents = u16::try_from(self.contents.len() - before)
            .expect("a datagram has fewer than 65,536 frames");
        let before = u32::try_from(before).expect("memory ends before");
        let start = self.dropped.wrapping_add(before);
        if sent.eliciting {
            self.in_flight_bytes += u64::from(sent.bytes);
            self.flying += 1;
        }
        let fate = if sent.eliciting { Fate::Flying } else { Fate::Acked };
        self.entries.push_back(Entry { number, sent, fate, start, contents });
        if !sent.eliciting {
            self.quiet += 1;
            self.settle();
        }
        number
    }

    /// Leaves a number out: nobody can acknowledge it.
    pub const fn skip(&mut self) {
        self.next += 1;
    }

    /// The place of the first packet whose number is not below `number`.
    fn place(&self, number: u64) -> usize {
        let Some(front) = self.entries.front() else { return 0 };
        let ahead = usize::try_from(number.saturating_sub(front.number)).unwrap_or(usize::MAX);
        // Numbers that were left out are few: mostly there is none, or all of them are before it.
        let at = ahead.min(self.entries.len() - 1);
        let left_out = self.entries[at].number.saturating_sub(number);
        let at = usize::try_from(left_out).ok().and_then(|left_out| at.checked_sub(left_out));
        match at {
            Some(at) if self.entries[at].number == number => at,
            _ => self.entries.partition_point(|entry| entry.number < number),
        }
    }

    fn index(&self, number: u64) -> Option<usize> {
        let at = self.place(number);
        self.entries.get(at).is_some_and(|entry| entry.number == number).then_some(at)
    }

    /// The packet of this number and what became of it; `None` when it is settled or was never sent.
    pub fn get(&self, number: u64) -> Option<(&Sent, Fate)> {
        self.index(number).map(|at| (&self.entries[at].sent, self.entries[at].fate))
    }

    /// What the packet held.
    pub fn contents(&self, number: u64) -> impl Iterator<Item = &Content> {
        let at = self.index(number);
        let range = at.map_or(0..0, |at| {
            let Entry { start, contents, .. } = self.entries[at];
            let start = start.wrapping_sub(self.dropped) as usize;
            start..start + usize::from(contents)
        });
        self.contents.range(range)
    }

    /// The packets of a range that are not settled, lowest first.
    pub fn range(
        &self,
        numbers: Range<u64>,
    ) -> impl DoubleEndedIterator<Item = (u64, &Sent, Fate)> {
        let from = self.place(numbers.start);
        let entries = self.entries.range(from..self.place(numbers.end).max(from));
        entries.map(|entry| (entry.number, &entry.sent, entry.fate))
    }

    /// The packets on their way with numbers below `end`, lowest first.
    pub fn flying_below(&mut self, end: u64) -> impl Iterator<Item = (u64, &Sent)> {
        let is_flying = |&(_, _, fate): &(u64, &Sent, Fate)| fate == Fate::Flying;
        let lowest = self.range(self.lowest_flying..self.next).find(is_flying);
        self.lowest_flying = lowest.map_or(self.next, |(number, ..)| number);
        let flying = self.range(self.lowest_flying..end).filter(is_flying);
        flying.map(|(number, sent, _)| (number, sent))
    }

    /// Says what became of a packet. Returns what was thought before; `None` when it is settled.
    pub fn set(&mut self, number: u64, fate: Fate) -> Option<Fate> {
        let at = self.index(number)?;
        let entry = &mut self.entries[at];
        let before = core::mem::replace(&mut entry.fate, fate);
        if before == Fate::Flying && fate != Fate::Flying {
            self.in_flight_bytes -= u64::from(entry.sent.bytes);
            self.flying -= 1;
        }
        Some(before)
    }

    /// Says that the peer has a packet, and hands out what it held. Returns what was known of it until
    /// then; `None` when that was already known.
    pub fn acknowledge(
        &mut self,
        number: u64,
        mut each: impl FnMut(&Content),
    ) -> Option<(Sent, Fate)> {
        let at = self.index(number)?;
        let entry = &mut self.entries[at];
        let before = core::mem::replace(&mut entry.fate, Fate::Acked);
        if before == Fate::Acked {
            return None;
        }
        if before == Fate::Flying {
            self.in_flight_bytes -= u64::from(entry.sent.bytes);
            self.flying -= 1;
        }
        let start = entry.start.wrapping_sub(self.dropped) as usize;
        let end = start + usize::from(entry.contents);
        (start..end).filter_map(|at| self.contents.get(at)).for_each(&mut each);
        Some((entry.sent, before))
    }

    /// Drops packets from the front that are acknowledged, and lost ones that left before `before`.
    pub fn forget(&mut self, before: Instant) {
        while let Some(entry) = self.entries.front() {
            match entry.fate {
                Fate::Acked => {}
                Fate::Lost if entry.sent.at < before => {}
                _ => break,
            }
            self.pop();
        }
        // After a large transfer nothing is left of its memory but what the next needs at once.
        if self.entries.is_empty() && self.entries.capacity() > ENTRIES_KEPT {
            self.entries.shrink_to(ENTRIES_KEPT);
            self.contents.shrink_to(ENTRIES_KEPT);
        }
    }

    /// Drops acknowledged packets from the front.
    fn settle(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.fate == Fate::Acked) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.quiet -= usize::from(!entry.sent.eliciting);
        (0..entry.contents).for_each(|_| _ = self.contents.pop_front());
        self.dropped = self.dropped.wrapping_add(u32::from(entry.contents));
    }

    /// Bytes of packets that are on their way and want to be acknowledged.
    pub const fn in_flight_bytes(&self) -> u64 {
        self.in_flight_bytes
    }

    /// Packets that are on their way and want to be acknowledged.
    pub const fn flying(&self) -> u64 {
        self.flying
    }

    /// Packets that are not settled, lost ones among them.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of memory it holds.
    pub fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
            + self.contents.capacity() * size_of::<Content>()
    }

    /// Gives back the memory beyond what the packets need that are not settled.
    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
        self.contents.shrink_to_fit();
    }

    /// Whether all is settled.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The lowest number that is not settled.
    pub fn first(&self) -> u64 {
        self.entries.front().map_or(self.next, |entry| entry.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn sent(ms: u64, bytes: u32, eliciting: bool) -> Sent {
        let at = Instant::from_nanos(ms * 1_000_000);
        Sent { at, bytes, eliciting, app_limited: false, marked: false, stamp: Stamp::default() }
    }

    fn ack_of(largest: u64) -> Content {
        Content::Ack { largest }
    }

    #[test]
    fn packets_and_contents_stay_together() {
        let mut ledger = Ledger::new(100);
        assert_eq!(ledger.push(sent(0, 10, true), [ack_of(1), ack_of(2)]), 100);
        assert_eq!(ledger.push(sent(1, 20, true), []), 101);
        assert_eq!(ledger.push(sent(2, 30, true), [ack_of(3)]), 102);
        assert_eq!((ledger.in_flight_bytes(), ledger.flying(), ledger.next()), (60, 3, 103));
        assert_eq!(ledger.set(100, Fate::Acked), Some(Fate::Flying));
        assert_eq!(ledger.set(99, Fate::Acked), None);
        ledger.forget(Instant::ZERO);
        assert_eq!((ledger.first(), ledger.get(100)), (101, None));
        assert_eq!(ledger.contents(102).collect::<Vec<_>>(), [&ack_of(3)]);
        assert_eq!(ledger.contents(101).count() + ledger.contents(100).count(), 0);
        let numbers = |range| ledger.range(range).map(|(n, ..)| n).collect::<Vec<_>>();
        assert_eq!(numbers(0..102), [101]);
        assert_eq!(numbers(102..1 << 60), [102]);
        assert_eq!(numbers(5..6), []);
    }

    #[test]
    fn lost_packets_stay_for_a_while_and_count_no_more() {
        let mut ledger = Ledger::new(0);
        ledger.push(sent(5, 10, true), []);
        ledger.push(sent(9, 10, true), []);
        ledger.set(0, Fate::Lost);
        assert_eq!(ledger.in_flight_bytes(), 10);
        ledger.forget(Instant::from_nanos(5_000_000));
        assert_eq!(ledger.get(0).map(|(_, fate)| fate), Some(Fate::Lost));
        assert_eq!(ledger.set(0, Fate::Acked), Some(Fate::Lost), "a mistake comes to light");
        assert_eq!(ledger.in_flight_bytes(), 10);
        ledger.forget(Instant::from_nanos(5_000_000));
        assert_eq!(ledger.first(), 1);
    }

    #[test]
    fn memory_goes_with_the_last_packet() {
        let mut ledger = Ledger::new(0);
        (0..5000).for_each(|n| _ = ledger.push(sent(n, 10, true), [ack_of(n)]));
        let full = ledger.memory_bytes();
        (0..5000).for_each(|n| _ = ledger.set(n, Fate::Acked));
        ledger.skip();
        ledger.forget(Instant::ZERO);
        assert!(ledger.is_empty() && ledger.next() == 5001);
        assert!(ledger.memory_bytes() < full / 4, "{} of {full}", ledger.memory_bytes());
    }

    #[test]
    fn numbers_may_be_left_out() {
        let mut ledger = Ledger::new(10);
        for number in [10, 12, 13, 17] {
            (ledger.next()..number).for_each(|_| ledger.skip());
            assert_eq!(ledger.push(sent(number, 1, true), [ack_of(number)]), number);
        }
        let found = |ledger: &Ledger| {
            let known = (9..20).filter(|&number| ledger.get(number).is_some());
            known.collect::<Vec<_>>()
        };
        assert_eq!(found(&ledger), [10, 12, 13, 17]);
        for number in [10, 12, 13, 17] {
            assert_eq!(ledger.contents(number).collect::<Vec<_>>(), [&ack_of(number)]);
        }
        let numbers =
            |ledger: &Ledger, range| ledger.range(range).map(|(n, ..)| n).collect::<Vec<_>>();
        assert_eq!(numbers(&ledger, 11..17), [12, 13]);
        ledger.set(10, Fate::Acked);
        ledger.set(13, Fate::Lost);
        ledger.forget(Instant::ZERO);
        assert_eq!((ledger.first(), found(&ledger)), (12, [12, 13, 17].to_vec()));
        let flying = |ledger: &mut Ledger, end| {
            ledger.flying_below(end).map(|(number, _)| number).collect::<Vec<_>>()
        };
        assert_eq!(flying(&mut ledger, 18), [12, 17]);
        assert_eq!(flying(&mut ledger, 17), [12]);
    }

    #[test]
    fn little_is_kept_behind_a_packet_that_nobody_acknowledges() {
        let mut ledger = Ledger::new(0);
        ledger.push(sent(0, 10, true), []);
        (1..10_000).for_each(|n| assert_eq!(ledger.push(sent(n, 10, false), [ack_of(n)]), n));
        assert_eq!(ledger.len(), 1 + QUIET_MAX);
        assert_eq!(ledger.push(sent(10_000, 10, true), []), 10_000);
        ledger.set(0, Fate::Acked);
        ledger.forget(Instant::ZERO);
        assert_eq!((ledger.first(), ledger.len()), (10_000, 1));
        ledger.push(sent(10_001, 10, false), [ack_of(1)]);
        assert_eq!(ledger.contents(10_001).count(), 1, "there is room again");
    }

    #[test]
    fn packets_that_want_no_ack_do_not_fly() {
        let mut ledger = Ledger::new(0);
        ledger.push(sent(0, 10, false), [ack_of(1)]);
        assert!(ledger.is_empty() && ledger.next() == 1 && ledger.in_flight_bytes() == 0);
        ledger.push(sent(0, 10, true), []);
        ledger.push(sent(0, 10, false), [ack_of(1)]);
        assert_eq!((ledger.len(), ledger.flying(), ledger.contents(2).count()), (2, 1, 1));
    }
}
