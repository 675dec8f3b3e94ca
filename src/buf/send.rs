//! What the application wrote and the peer has not acknowledged.

use alloc::{boxed::Box, collections::VecDeque, vec, vec::Vec};
use core::ops::Range;

use super::RangeSet;

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
    slots: VecDeque<Slot>,
    /// Memory of slots that were acknowledged, last in, first out: it is warm in the cache.
    spare: Vec<Box<[u8]>>,
    slot_bytes: usize,
    capacity_bytes: u64,
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

#[derive(Clone, Debug)]
struct Slot {
    /// The place of its first byte in the stream.
    start: u64,
    len: usize,
    bytes: Box<[u8]>,
}

impl Slot {
    fn end(&self) -> u64 {
        self.start + self.len as u64
    }
}

impl SendBuffer {
    /// An empty buffer with slots of `slot_bytes` (at least one byte) that holds at most
    /// `capacity_bytes`. It takes no memory before the first write.
    pub fn new(slot_bytes: usize, capacity_bytes: u64) -> Self {
        Self {
            slots: VecDeque::new(),
            spare: Vec::new(),
            slot_bytes: slot_bytes.max(1),
            capacity_bytes,
            written: 0,
            next: 0,
            acked: RangeSet::new(usize::MAX),
            lost: RangeSet::new(usize::MAX),
            base: 0,
        }
    }

    /// Takes as much of `data` as there is room for and returns how much that was; 0 tells the
    /// application to wait.
    pub fn write(&mut self, data: &[u8]) -> usize {
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
        if room > 0 && self.slots.back().is_none_or(|slot| slot.len == slot.bytes.len()) {
            let bytes = self.spare.pop().unwrap_or_else(|| vec![0; self.slot_bytes].into());
            self.slots.push_back(Slot { start: self.written, len: 0, bytes });
        }
        let Some(slot) = self.slots.back_mut() else { return &mut [] };
        let end = slot.bytes.len().min(slot.len.saturating_add(room));
        &mut slot.bytes[slot.len..end]
    }

    /// Makes the first `len` bytes of the last [`reserve`](Self::reserve) part of the stream, or as
    /// many of them as were reserved.
    pub fn commit(&mut self, len: usize) {
        let room = usize::try_from(self.room()).unwrap_or(usize::MAX);
        let Some(slot) = self.slots.back_mut() else { return };
        let len = len.min(slot.bytes.len() - slot.len).min(room);
        slot.len += len;
        self.written += len as u64;
    }

    /// Bytes that may still be written.
    pub fn room(&self) -> u64 {
        self.capacity_bytes.saturating_sub(self.written - self.base)
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
        let end = self.written.min(self.next.saturating_add(len_max as u64)).min(limit);
        let range = self.next..end.max(self.next);
        self.next = range.end;
        (!range.is_empty()).then_some(range)
    }

    /// Copies the bytes from `start` on into `out`. They must have been taken and not acknowledged
    /// up to their end.
    pub fn copy(&self, start: u64, out: &mut [u8]) {
        assert!(
            start >= self.base && start + out.len() as u64 <= self.written,
            "not in the buffer"
        );
        let mut at = self.slot_of(start);
        let mut done = 0;
        while done < out.len() {
            let slot = &self.slots[at];
            let skip = usize::try_from(start + done as u64 - slot.start).unwrap_or(usize::MAX);
            let len = (slot.len - skip).min(out.len() - done);
            out[done..done + len].copy_from_slice(&slot.bytes[skip..skip + len]);
            done += len;
            at += 1;
        }
    }

    /// The slot that holds the byte at `start`.
    fn slot_of(&self, start: u64) -> usize {
        // Nearly all slots are full, and then it is a matter of counting.
        let first = self.slots.front().map_or(start, |slot| slot.start);
        let guess = usize::try_from((start - first) / self.slot_bytes as u64).unwrap_or(usize::MAX);
        match self.slots.get(guess) {
            Some(slot) if slot.start <= start && start < slot.end() => guess,
            _ => self.slots.partition_point(|slot| slot.end() <= start),
        }
    }

    /// The peer has these bytes, which were taken before; returns how many of them were not known
    /// to be acknowledged.
    pub fn acked(&mut self, range: Range<u64>) -> u64 {
        debug_assert!(range.end <= self.next, "acknowledged before it was sent");
        let range = range.start.max(self.base)..range.end.max(self.base);
        let new = self.acked.insert(range.clone()).unwrap_or(0);
        // Removing may cut a range in two, and the set has no bound.
        self.lost.remove(range).unwrap_or_default();
        if let Some(first) = self.acked.first().filter(|first| first.start == self.base) {
            self.base = first.end;
            self.acked.remove_below(self.base);
            while self.slots.front().is_some_and(|slot| slot.end() <= self.base && slot.len > 0) {
                self.release_front();
            }
        }
        new
    }

    fn release_front(&mut self) {
        // A slot that is not full yet goes on being filled.
        let open = self.slots.len() == 1 && self.slots[0].len < self.slots[0].bytes.len();
        if open {
            let slot = &mut self.slots[0];
            slot.start = slot.end();
            slot.len = 0;
            return;
        }
        self.spare.extend(self.slots.pop_front().map(|slot| slot.bytes));
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
        let slots = (self.slots.len() + self.spare.len()) * self.slot_bytes;
        let places = self.slots.capacity() * size_of::<Slot>()
            + self.spare.capacity() * size_of::<Box<[u8]>>();
        slots + places + self.acked.memory_bytes() + self.lost.memory_bytes()
    }

    /// Drops everything, as if no more had been written than was sent: the stream was reset.
    pub fn abandon(&mut self) {
        self.slots.clear();
        self.spare.clear();
        self.lost.clear();
        self.acked.clear();
        (self.base, self.written) = (self.next, self.next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index(at: u64) -> usize {
        usize::try_from(at).unwrap()
    }

    fn byte(at: u64) -> u8 {
        at.wrapping_mul(0x9e37_79b9).to_be_bytes()[6]
    }

    proptest! {
        /// A lossy peer gets every byte in the end, whatever the order of events.
        #[test]
        fn every_byte_arrives(
            slot in 1..40_usize,
            capacity in 1..200_u64,
            ops in prop::collection::vec((0..5_u8, 1..60_usize), 1..200),
        ) {
            let mut buffer = SendBuffer::new(slot, capacity);
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
    fn steady_state_allocates_no_slots() {
        let mut buffer = SendBuffer::new(100, 1000);
        let mut memory = 0;
        for round in 0..50 {
            assert_eq!(buffer.write(&[1; 950]), 950);
            while let Some(range) = buffer.take(100) {
                buffer.acked(range);
            }
            if round == 0 {
                memory = buffer.memory_bytes();
            }
        }
        assert!(buffer.memory_bytes() <= memory + 100, "{} > {memory}", buffer.memory_bytes());
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
    fn a_full_buffer_reserves_nothing() {
        let mut buffer = SendBuffer::new(8, 10);
        assert_eq!(buffer.reserve().len(), 8);
        buffer.commit(8);
        assert_eq!(buffer.reserve().len(), 2);
        buffer.commit(100);
        assert_eq!((buffer.reserve().len(), buffer.written(), buffer.room()), (0, 10, 0));
    }
}
