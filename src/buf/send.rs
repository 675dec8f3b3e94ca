//! What the application wrote and the peer has not acknowledged.

use core::ops::Range;

use super::{
    RangeSet,
    slots::{Slot, SlotSpace, Slots, WholeSlot},
};

/// The sending side of a byte stream: bytes to send for the first time, bytes to send again, bytes
/// on their way.
///
/// Bytes stay where they were written, in slots that have the size of a packet's payload, so that a
/// full slot becomes a packet by one copy and no search. Positions in the stream are absolute and
/// start at 0.
///
/// ```
/// use rdtp::buf::SendBuffer;
///
/// let mut stream = SendBuffer::new(1200, 1 << 16);
/// assert_eq!(stream.write(b"hello"), 5);
/// assert_eq!(stream.take(3), Some(0..3));
/// assert_eq!(stream.take(1200), Some(3..5));
/// stream.lost(0..3);
/// stream.acked(3..5);
/// assert_eq!(stream.take(1200), Some(0..3), "lost bytes go first");
/// let mut packet = [0; 3];
/// stream.copy(0, &mut packet);
/// assert_eq!(&packet, b"hel");
/// stream.acked(0..3);
/// assert!(stream.is_acked());
/// ```
#[derive(Clone, Debug)]
pub struct SendBuffer {
    slots: Slots,
    /// Whether slots leave as they lie: then bytes are taken slot by slot.
    aligned: bool,
    /// Bytes that leave together best.
    run_bytes: u64,
    /// The slot that the first byte which was never sent is in, counted from the beginning; at
    /// most the one after the last.
    cursor: u64,
    capacity_bytes: u64,
    /// Bytes that were never sent, at most.
    unsent_max: u64,
    /// Where the next byte of the application goes.
    written: u64,
    /// The first byte that was never sent.
    next: u64,
    /// Acknowledged bytes beyond the first that is not. What splits them are our own packets.
    acked: RangeSet,
    /// Bytes to send again.
    lost: RangeSet,
    /// The first byte that is not acknowledged.
    base: u64,
}

/// By how many bytes slots from [`SendBuffer::FAR`] on are smaller, so that the packet has the same length.
const FAR_BYTES: usize = 4;

/// Bytes on their way beside which one byte of less than a run may wait.
const FLYING_PER_SHORT: u64 = 4;

impl SendBuffer {
    /// From here on a place in the stream takes eight bytes in a header instead of four.
    pub const FAR: u64 = 1 << 30;

    /// An empty buffer with slots of `slot_bytes` (one byte to 2^30) that holds at most
    /// `capacity_bytes`. It takes no memory before the first write.
    pub fn new(slot_bytes: usize, capacity_bytes: u64) -> Self {
        Self {
            slots: Slots::new(slot_bytes),
            aligned: false,
            run_bytes: 0,
            cursor: 0,
            capacity_bytes,
            unsent_max: u64::MAX,
            written: 0,
            next: 0,
            acked: RangeSet::new(usize::MAX),
            lost: RangeSet::new(usize::MAX),
            base: 0,
        }
    }

    /// The same, with `headroom` bytes before each slot (four more from [`FAR`](Self::FAR) on), so that a
    /// full one can leave as it lies once [`set_aligned`](Self::set_aligned) was called. When headers have
    /// exactly that length, packets lie one right behind the other.
    #[must_use]
    pub fn with_headroom(mut self, headroom: usize) -> Self {
        self.slots = self.slots.with_headroom(headroom);
        self
    }

    /// Whether slots are to leave as they lie ([`next_slot`](Self::next_slot)). New bytes are then
    /// taken slot by slot, so that a short packet is not followed by slots in two pieces each.
    pub const fn set_aligned(&mut self, aligned: bool) {
        self.aligned = aligned;
    }

    /// So many bytes leave together best; see [`is_short`](Self::is_short).
    pub const fn set_run_bytes(&mut self, run_bytes: u64) {
        self.run_bytes = run_bytes;
    }

    /// From now on takes no more than makes so many bytes with those that were never sent, however many
    /// it could hold.
    pub const fn set_unsent_max(&mut self, bytes: u64) {
        self.unsent_max = bytes;
    }

    /// Slots from now on take `slot_bytes`.
    pub fn set_slot_bytes(&mut self, slot_bytes: usize) {
        self.slots.set_slot_bytes(slot_bytes);
    }

    /// Takes as much of `data` as there is room for and returns how much that was; 0 tells the
    /// application to wait.
    pub fn write(&mut self, data: &[u8]) -> usize {
        // What fills slots leaves as it lies if it begins in a new one, where the rest of one that has left
        // would have to be copied, and with each write so would the first part of the next.
        if self.aligned && data.len() >= self.slots.slot_bytes() {
            self.slots.close_below(self.next);
        }
        let mut taken = 0;
        while taken < data.len() {
            let space = self.reserve();
            if space.is_empty() {
                break;
            }
            let len = space.len().min(data.len() - taken);
            space[..len].copy_from_slice(&data[taken..taken + len]);
            self.commit(len);
            taken += len;
        }
        taken
    }

    /// Room for the next bytes, in their final place; empty when the buffer is full. What is
    /// written there counts after [`commit`](Self::commit).
    pub fn reserve(&mut self) -> &mut [u8] {
        let room = usize::try_from(self.room()).unwrap_or(usize::MAX);
        if room > 0 && self.slots.last().is_none_or(Slot::is_full) {
            self.slots.add(self.written, if self.written >= Self::FAR { FAR_BYTES } else { 0 });
        }
        self.slots.space(room)
    }

    /// Makes the first `len` bytes of the last [`reserve`](Self::reserve) part of the stream, or as
    /// many of them as were reserved.
    pub fn commit(&mut self, len: usize) {
        let room = usize::try_from(self.room()).unwrap_or(usize::MAX);
        self.written += self.slots.fill(len.min(room), self.aligned) as u64;
    }

    /// Bytes that may still be written.
    pub fn room(&self) -> u64 {
        let (held, unsent) = (self.written - self.base, self.written - self.next);
        let room = self.capacity_bytes.saturating_sub(held);
        room.min(self.unsent_max.saturating_sub(unsent))
    }

    /// The next bytes to send, at most `len_max`: lost ones first, then new ones. They count as on
    /// their way. `None` when there is nothing to send.
    pub fn take(&mut self, len_max: usize) -> Option<Range<u64>> {
        self.take_within(len_max, u64::MAX)
    }

    /// Like [`take`](Self::take), but with no byte at or beyond `limit` that was never sent: what
    /// the peer's window allows.
    pub fn take_within(&mut self, len_max: usize, limit: u64) -> Option<Range<u64>> {
        if len_max == 0 {
            return None;
        }
        if let Some(lost) = self.lost.take_lowest(len_max as u64) {
            return Some(lost);
        }
        let mut end = self.written.min(self.next.saturating_add(len_max as u64)).min(limit);
        if self.aligned {
            // What begins in a slot ends with it, so that the next can leave as it lies.
            self.seek();
            end = end.min(self.slots.get(self.cursor).map_or(end, Slot::end));
        }
        let range = self.next..end.max(self.next);
        self.next = range.end;
        (!range.is_empty()).then_some(range)
    }

    /// Moves the cursor to the slot of the next byte.
    fn seek(&mut self) {
        self.cursor = self.cursor.max(self.slots.first_number());
        while self
            .slots
            .get(self.cursor)
            .is_some_and(|slot| slot.end() <= self.next && slot.is_full())
        {
            self.cursor += 1;
        }
    }

    /// What is to be sent next, if that is a full slot and all of it, below `limit` unless it is
    /// sent again. [`take_slot`](Self::take_slot) takes it.
    pub fn next_slot(&mut self, limit: u64) -> Option<WholeSlot> {
        if !self.aligned {
            return None;
        }
        let (number, from) = if let Some(lost) = self.lost.first() {
            let number = self.slots.number_of(lost.start);
            if lost.end < self.slots.get(number)?.end() {
                return None;
            }
            (number, lost.start)
        } else {
            self.seek();
            (self.cursor, self.next)
        };
        let slot = self.slots.get(number)?;
        let fits = self.has_lost() || slot.end() <= limit;
        let whole = slot.is_full() && slot.start() == from && fits;
        whole.then(|| WholeSlot { number, bytes: from..slot.end() })
    }

    /// A slot that [`next_slot`](Self::next_slot) has shown is on its way.
    pub fn take_slot(&mut self, whole: &WholeSlot) -> Option<SlotSpace<'_>> {
        if self.lost.is_empty() {
            self.next = whole.bytes.end;
            self.cursor = whole.number + 1;
        } else {
            self.lost.take_lowest(whole.payload_bytes());
        }
        self.slots.open(whole.number)
    }

    /// Slots as packets: `header` bytes of what was written before each, and its payload, `count` of them
    /// from number `first` on. Those that lie right behind each other are one piece.
    pub fn packets(&self, first: u64, count: usize, header: usize) -> impl Iterator<Item = &[u8]> {
        self.slots.packets(first, count, header)
    }

    /// Copies the bytes from `start` on into `out`. They must have been taken and not acknowledged
    /// up to their end.
    pub fn copy(&self, start: u64, out: &mut [u8]) {
        assert!(
            start >= self.base && start + out.len() as u64 <= self.written,
            "not in the buffer"
        );
        self.slots.copy(start, out);
    }

    /// What lies at `end` or beyond was never sent after all: it has its turn with the new bytes.
    /// Nothing there may have been acknowledged.
    pub fn rewind(&mut self, end: u64) {
        if end < self.next {
            debug_assert!(self.acked.last().is_none_or(|last| last.end <= end), "acknowledged");
            self.next = end.max(self.base);
            self.lost.remove(self.next..u64::MAX).unwrap_or_default();
        }
    }

    /// The peer has these bytes, which were taken before; returns how many of them were not known
    /// to be acknowledged.
    pub fn acked(&mut self, range: Range<u64>) -> u64 {
        // After a rewind, a late ACK may tell of bytes that count as never sent.
        let end = range.end.min(self.next).max(self.base);
        let range = range.start.clamp(self.base, end)..end;
        if range.start == self.base && self.acked.is_empty() && self.lost.is_empty() {
            // Nearly everything arrives in order.
            self.base = range.end;
            self.slots.release_below(self.base);
            return range.end - range.start;
        }
        let new = self.acked.insert(range.clone()).unwrap_or(0);
        // Removing may cut a range in two, and the set has no bound.
        self.lost.remove(range).unwrap_or_default();
        if let Some(first) = self.acked.first().filter(|first| first.start == self.base) {
            self.base = first.end;
            self.acked.remove_below(self.base);
            self.slots.release_below(self.base);
        }
        new
    }

    /// These bytes, which were taken before, did not arrive: those that are not acknowledged by now
    /// are to be sent again. Returns how many that is.
    pub fn lost(&mut self, range: Range<u64>) -> u64 {
        debug_assert!(range.end <= self.next, "lost before it was sent");
        let range = range.start.max(self.base)..range.end;
        let missing = self.acked.missing(range);
        missing.map(|part| self.lost.insert(part).unwrap_or(0)).sum()
    }

    /// Whether there is anything to send, new or again.
    pub fn is_pending(&self) -> bool {
        !self.lost.is_empty() || self.next < self.written
    }

    /// Whether what is unsent had better wait for more, if there is more to come: it is less than a packet,
    /// or than a run, and little beside what is on its way, so that an ACK soon makes room for the rest.
    pub fn is_short(&self) -> bool {
        let (unsent, flying) = (self.written - self.next, self.next - self.base);
        let open =
            self.slots.last().is_some_and(|slot| !slot.is_full() && slot.start() <= self.next);
        let run = unsent < self.run_bytes && unsent <= flying / FLYING_PER_SHORT;
        let waits = unsent > 0 && flying > 0 && (open || run);
        waits && self.aligned && self.lost.is_empty()
    }

    /// The first bytes to send again.
    pub fn first_lost(&self) -> Option<Range<u64>> {
        self.lost.first()
    }

    /// Whether there is anything to send again.
    pub fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Whether everything that was written is acknowledged.
    pub fn is_acked(&self) -> bool {
        self.base == self.written
    }

    /// Bytes written since the stream began.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The first byte that was never sent.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The first byte that is not acknowledged.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Bytes of memory it holds: slots in use and to be used again, and what it knows of them.
    pub fn memory_bytes(&self) -> usize {
        self.slots.memory_bytes() + self.acked.memory_bytes() + self.lost.memory_bytes()
    }

    /// Gives back the memory that only further bytes would need: what is kept for later slots, and the
    /// last slot once the peer has all of it. What was [reserved](Self::reserve) and not committed is
    /// gone.
    pub fn shrink(&mut self) {
        if self.is_acked() {
            self.slots.clear();
        }
        self.slots.shrink();
        self.acked.shrink();
        self.lost.shrink();
    }

    /// Drops everything, as if no more had been written than was sent: the stream was reset.
    pub fn abandon(&mut self) {
        self.slots.clear();
        self.slots.forget_spare();
        self.lost.clear();
        self.acked.clear();
        (self.base, self.written) = (self.next, self.next);
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::wire::crc32c;

    fn index(at: u64) -> usize {
        usize::try_from(at).unwrap()
    }

    fn byte(at: u64) -> u8 {
        at.wrapping_mul(0x9e37_79b9).to_be_bytes()[6]
    }

    #[test]
    fn memory_that_only_traffic_needs_is_given_back() {
        let mut stream = SendBuffer::new(100, 1000);
        assert_eq!(stream.write(&[1; 250]), 250);
        stream.take(250);
        stream.acked(0..200);
        stream.shrink();
        let held = stream.memory_bytes();
        assert!((100..300).contains(&held), "the last slot is not acknowledged: {held}");
        let mut rest = [0; 50];
        stream.copy(200, &mut rest);
        assert_eq!(rest, [1; 50]);
        stream.acked(200..250);
        stream.shrink();
        assert_eq!((stream.memory_bytes(), stream.is_acked()), (0, true));
        assert_eq!(stream.write(&[2; 150]), 150);
        assert_eq!(stream.take(200), Some(250..400));
        let mut more = [0; 150];
        stream.copy(250, &mut more);
        assert_eq!(more, [2; 150]);
        stream.lost(250..300);
        assert_eq!(stream.take(200), Some(250..300));
        stream.acked(250..400);
        assert!(stream.is_acked());
    }

    proptest! {
        /// A lossy peer gets every byte in the end, whatever the order of events.
        #[test]
        fn every_byte_arrives(
            slot in 1..40_usize,
            headroom in prop::sample::select(&[0_usize, 10][..]),
            capacity in 1..200_u64,
            ops in prop::collection::vec((0..5_u8, 1..60_usize), 1..200),
        ) {
            let mut buffer = SendBuffer::new(slot, capacity).with_headroom(headroom);
            buffer.set_aligned(headroom > 0);
            let mut flying: Vec<Range<u64>> = Vec::new();
            let mut have: Vec<Option<u8>> = Vec::new();
            for (op, n) in ops {
                match op {
                    0 => {
                        let start = buffer.written();
                        let data: Vec<u8> = (0..n as u64).map(|i| byte(start + i)).collect();
                        let room = buffer.room();
                        prop_assert_eq!(buffer.write(&data) as u64, room.min(n as u64));
                    }
                    1 if buffer.next_slot(u64::MAX).is_some() => {
                        let whole = buffer.next_slot(u64::MAX).unwrap();
                        let SlotSpace { head, len, code } = buffer.take_slot(&whole).unwrap();
                        head[headroom - 7..].copy_from_slice(b"header!");
                        prop_assert_eq!(len as u64, whole.payload_bytes());
                        let packet = buffer.packets(whole.number, 1, 7).next().unwrap().to_vec();
                        let (head, payload) = packet.split_at(7);
                        prop_assert_eq!(head, b"header!");
                        prop_assert_eq!(code, crc32c::compute([payload]));
                        have.resize(have.len().max(index(whole.bytes.end)), None);
                        for (at, &got) in whole.bytes.clone().zip(payload) {
                            prop_assert_eq!(got, byte(at));
                        }
                        flying.push(whole.bytes);
                    }
                    1 | 2 => if let Some(range) = buffer.take(n) {
                        prop_assert!(range.end - range.start <= n as u64);
                        let mut out = vec![0; index(range.end - range.start)];
                        buffer.copy(range.start, &mut out);
                        have.resize(have.len().max(index(range.end)), None);
                        for (at, got) in range.clone().zip(out) {
                            prop_assert_eq!(got, byte(at));
                        }
                        flying.push(range);
                    },
                    3 if !flying.is_empty() => {
                        let range = flying.swap_remove(n % flying.len());
                        for at in range.clone() {
                            have[index(at)] = Some(byte(at));
                        }
                        buffer.acked(range);
                    }
                    _ if !flying.is_empty() => {
                        let range = flying.swap_remove(n % flying.len());
                        buffer.lost(range);
                    }
                    _ => {}
                }
                prop_assert!(buffer.written() - buffer.base() <= capacity);
                let missing = have.iter().position(Option::is_none).unwrap_or(have.len()) as u64;
                prop_assert_eq!(buffer.base(), missing);
            }
            for range in flying.drain(..) {
                buffer.lost(range);
            }
            while let Some(range) = buffer.take(7) {
                buffer.acked(range);
            }
            prop_assert!(buffer.is_acked() && !buffer.is_pending());
        }
    }

    #[test]
    fn what_was_acknowledged_meanwhile_is_not_sent_again() {
        let mut buffer = SendBuffer::new(10, 100);
        buffer.write(&[7; 30]);
        assert_eq!(buffer.take(30), Some(0..30));
        assert_eq!(buffer.acked(10..20), 10);
        assert_eq!(buffer.acked(5..20), 5, "counted once");
        assert_eq!(buffer.lost(0..30), 15);
        assert_eq!([buffer.take(30), buffer.take(30)], [Some(0..5), Some(20..30)]);
    }

    #[test]
    fn what_was_taken_back_was_never_sent() {
        let mut buffer = SendBuffer::new(10, 100);
        buffer.write(&[7; 50]);
        assert_eq!(buffer.take(50), Some(0..50));
        buffer.lost(0..50);
        buffer.rewind(20);
        assert_eq!((buffer.next(), buffer.take_within(60, 20)), (20, Some(0..20)));
        assert_eq!(buffer.take_within(60, 20), None, "the limit counts again");
        assert_eq!(
            buffer.acked(10..40),
            10,
            "an ACK from before tells of what was sent since only"
        );
        assert_eq!(buffer.take_within(60, 60), Some(20..50));
        buffer.rewind(90);
        assert_eq!(buffer.next(), 50);
    }

    #[test]
    fn steady_state_allocates_no_slots() {
        let mut buffer = SendBuffer::new(100, 1000);
        let mut memory = 0;
        for round in 0..50 {
            assert_eq!(buffer.write(&[1; 950]), 950);
            while let Some(range) = buffer.take(100) {
                buffer.acked(range);
            }
            if round == 5 {
                memory = buffer.memory_bytes();
            }
        }
        assert_eq!(buffer.memory_bytes(), memory);
        assert!(memory <= 3000, "{memory}");
    }

    #[test]
    fn full_slots_leave_as_they_lie_and_again_when_lost() {
        let mut buffer = SendBuffer::new(10, 100).with_headroom(4);
        buffer.set_aligned(true);
        buffer.write(&[7; 34]);
        assert_eq!(buffer.take(100), Some(0..10), "not beyond the slot");
        let second = WholeSlot { number: 1, bytes: 10..20 };
        assert_eq!(buffer.next_slot(19), None, "beyond the peer's window");
        assert_eq!(buffer.next_slot(20), Some(second.clone()));
        assert!(buffer.take_slot(&second).is_some());
        assert_eq!(buffer.take(4), Some(20..24));
        assert_eq!(buffer.next_slot(99), None, "in the middle of a slot");
        assert_eq!(buffer.take(100), Some(24..30));
        assert_eq!(buffer.next_slot(99), None, "not full");
        buffer.lost(10..20);
        assert_eq!(buffer.next_slot(0), Some(second.clone()), "again, whatever the window says");
        assert!(buffer.take_slot(&second).is_some());
        buffer.acked(0..20);
        buffer.lost(20..24);
        assert_eq!(buffer.next_slot(99), None, "a part of one");
        buffer.lost(24..30);
        assert_eq!(buffer.next_slot(99), Some(WholeSlot { number: 2, bytes: 20..30 }));
    }

    #[test]
    fn a_long_write_begins_in_a_slot_of_its_own_once_the_last_has_left() {
        let mut buffer = SendBuffer::new(10, 100).with_headroom(4);
        buffer.set_aligned(true);
        buffer.write(&[7; 13]);
        assert_eq!(buffer.take(100), Some(0..10));
        buffer.write(&[8; 10]);
        assert_eq!(buffer.take(100), Some(10..20), "it had not left");
        assert_eq!(buffer.take(100), Some(20..23));
        buffer.write(&[9; 2]);
        assert_eq!(buffer.take(100), Some(23..25), "a short one fills it up");
        buffer.write(&[9; 12]);
        let next = WholeSlot { number: 3, bytes: 25..35 };
        assert_eq!(buffer.next_slot(99), Some(next.clone()));
        assert!(buffer.take_slot(&next).is_some());
        assert_eq!(buffer.take(100), Some(35..37));
        buffer.lost(20..25);
        let again = WholeSlot { number: 2, bytes: 20..25 };
        assert_eq!(buffer.next_slot(0), Some(again), "what is in it is all there will be");
        let mut copy = [0; 17];
        buffer.copy(20, &mut copy);
        assert_eq!(copy[..4], [8, 8, 8, 9], "every byte is found");
        assert_eq!(copy[4..], [9; 13]);
        buffer.acked(0..37);
        assert!(buffer.is_acked());
    }

    /// Packets of full slots lie one right behind the other, as soon as there are enough of them.
    #[test]
    fn a_run_of_packets_is_one_piece() {
        const PACKETS: usize = 44;
        let mut buffer = SendBuffer::new(1400, 1 << 20).with_headroom(23);
        buffer.set_aligned(true);
        let chunk = vec![7; 1400 * PACKETS];
        for round in 0..20 {
            buffer.write(&chunk);
            buffer.write(&chunk);
            let first = buffer.next_slot(u64::MAX).unwrap();
            let mut end = 0;
            while let Some(whole) = buffer.next_slot(u64::MAX) {
                let SlotSpace { head, .. } = buffer.take_slot(&whole).unwrap();
                assert_eq!(head.len(), 23);
                head.fill(1);
                end = whole.bytes.end;
            }
            let pieces: Vec<_> = buffer.packets(first.number, PACKETS, 23).collect();
            assert_eq!(pieces.iter().map(|piece| piece.len()).sum::<usize>(), 1423 * PACKETS);
            for packet in pieces.iter().flat_map(|piece| piece.chunks(1423)) {
                assert!(packet[..23] == [1; 23] && packet[23..] == [7; 1400]);
            }
            assert!(round == 0 || pieces.len() <= 2, "{} pieces", pieces.len());
            let shorter: Vec<_> = buffer.packets(first.number, 3, 20).collect();
            assert_eq!(shorter.len(), 3, "with shorter headers each lies alone");
            buffer.acked(buffer.base()..end);
        }
    }

    #[test]
    fn far_slots_leave_room_for_a_longer_header() {
        let mut buffer = SendBuffer::new(1 << 16, 1 << 31).with_headroom(4);
        buffer.set_aligned(true);
        let chunk = vec![0; 1 << 16];
        for _ in 0..SendBuffer::FAR >> 16 {
            buffer.write(&chunk);
            let whole = buffer.next_slot(u64::MAX).unwrap();
            buffer.take_slot(&whole);
            buffer.acked(whole.bytes);
        }
        assert_eq!(buffer.reserve().len(), (1 << 16) - FAR_BYTES);
    }

    #[test]
    fn the_window_of_the_peer_stops_new_bytes_only() {
        let mut buffer = SendBuffer::new(100, 1000);
        buffer.write(&[1; 100]);
        assert_eq!(buffer.take_within(60, 40), Some(0..40));
        assert_eq!(buffer.take_within(60, 40), None);
        buffer.lost(0..40);
        assert_eq!(buffer.take_within(60, 0), Some(0..40));
    }

    #[test]
    fn little_waits_for_more_beside_much_that_is_on_its_way() {
        let mut buffer = SendBuffer::new(10, 300).with_headroom(4);
        buffer.set_aligned(true);
        let slots = |buffer: &mut SendBuffer, count: usize| {
            for _ in 0..count {
                let whole = buffer.next_slot(u64::MAX).unwrap();
                buffer.take_slot(&whole);
            }
        };
        buffer.write(&[7; 95]);
        assert!(!buffer.is_short(), "nothing is on its way");
        slots(&mut buffer, 9);
        assert!(buffer.is_short(), "less than a packet");
        buffer.acked(0..90);
        assert!(!buffer.is_short(), "no ACK comes that makes room");
        buffer.write(&[7; 105]);
        slots(&mut buffer, 9);
        assert!(!buffer.is_short(), "two packets");
        buffer.set_run_bytes(30);
        assert!(buffer.is_short(), "less than a run, and less than a fourth of what flies");
        buffer.acked(90..110);
        assert!(!buffer.is_short(), "more than a fourth");
        buffer.write(&[7; 5]);
        slots(&mut buffer, 2);
        assert!(buffer.is_short());
        buffer.lost(110..120);
        assert!(!buffer.is_short(), "what is lost does not wait");
    }

    #[test]
    fn no_more_waits_than_is_of_use() {
        let mut buffer = SendBuffer::new(10, 100);
        buffer.set_unsent_max(30);
        assert_eq!((buffer.write(&[7; 50]), buffer.room()), (30, 0));
        buffer.set_unsent_max(1000);
        assert_eq!((buffer.write(&[7; 150]), buffer.room()), (70, 0));
        buffer.set_unsent_max(30);
        assert_eq!(buffer.take(80), Some(0..80));
        assert_eq!(buffer.room(), 0, "all that it can hold is held");
        buffer.acked(40..80);
        assert_eq!(buffer.room(), 0, "the first bytes are not acknowledged");
        buffer.acked(0..40);
        assert_eq!(buffer.room(), 10);
    }

    #[test]
    fn a_full_buffer_reserves_nothing() {
        let mut buffer = SendBuffer::new(8, 10);
        assert_eq!(buffer.reserve().len(), 8);
        buffer.commit(8);
        assert_eq!(buffer.reserve().len(), 2);
        buffer.commit(100);
        assert_eq!((buffer.reserve().len(), buffer.written(), buffer.room()), (0, 10, 0));
    }
}
