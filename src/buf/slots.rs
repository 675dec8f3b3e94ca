//! Where the bytes of a stream lie until the peer has them.

use alloc::{boxed::Box, collections::VecDeque, vec, vec::Vec};
use core::ops::Range;

use crate::wire::crc32c;

/// A row of slots, each with room for a packet's payload and, before it, for the packet's header. They are
/// filled at the end of the row and released at its front.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    row: VecDeque<Slot>,
    /// Memory of slots that were released, last in, first out: it is warm in the cache.
    spare: Vec<Box<[u8]>>,
    slot_bytes: usize,
    /// Bytes before each slot's payload, for the header of the packet that it becomes.
    headroom: usize,
    /// Slots that were released from the front since the beginning.
    released: u64,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// The place of its first byte in the stream.
    start: u64,
    len: usize,
    /// Bytes of the stream that it takes.
    room: usize,
    /// The code of its payload, once it is full and somebody has asked.
    code: Option<u32>,
    /// Headroom, then payload.
    bytes: Box<[u8]>,
}

impl Slot {
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    pub(super) fn end(&self) -> u64 {
        self.start + self.len as u64
    }

    pub(super) fn is_full(&self) -> bool {
        self.len == self.room
    }
}

/// A full slot that can be sent as it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeSlot {
    /// Counted from the beginning of the stream.
    pub number: u64,
    /// Its bytes of the stream.
    pub bytes: Range<u64>,
}

impl WholeSlot {
    /// How many bytes of the stream it holds.
    pub const fn payload_bytes(&self) -> u64 {
        self.bytes.end - self.bytes.start
    }
}

/// A slot that is being sent: where its header goes, and what is known of its payload.
#[derive(Debug)]
pub struct SlotSpace<'a> {
    /// Room for a header; its end lies right before the payload.
    pub head: &'a mut [u8],
    /// Bytes of payload.
    pub len: usize,
    /// The payload's CRC-32C.
    pub code: u32,
}

impl Slots {
    /// None yet, and no memory. They will take `slot_bytes` of payload, at least one.
    pub(super) fn new(slot_bytes: usize) -> Self {
        Self {
            row: VecDeque::new(),
            spare: Vec::new(),
            slot_bytes: slot_bytes.max(1),
            headroom: 0,
            released: 0,
        }
    }

    /// The same with so many bytes before each payload.
    pub(super) fn with_headroom(mut self, headroom: usize) -> Self {
        self.headroom = headroom;
        self
    }

    /// Bytes of payload that new slots take.
    pub(super) fn slot_bytes(&self) -> usize {
        self.slot_bytes
    }

    /// Changes that.
    pub(super) fn set_slot_bytes(&mut self, slot_bytes: usize) {
        if slot_bytes != self.slot_bytes {
            self.slot_bytes = slot_bytes.max(1);
            self.spare.clear();
        }
    }

    // Filling.

    /// The slot that is filled.
    pub(super) fn last(&self) -> Option<&Slot> {
        self.row.back()
    }

    /// A new one at the end, for the bytes from `start` on, that takes `less` bytes less than others.
    pub(super) fn add(&mut self, start: u64, less: usize) {
        let bytes = self.spare.pop();
        let bytes = bytes.unwrap_or_else(|| vec![0; self.headroom + self.slot_bytes].into());
        let room = self.slot_bytes.saturating_sub(less).max(1);
        self.row.push_back(Slot { start, len: 0, room, code: None, bytes });
    }

    /// Makes what is in the last slot all that it takes, if that is something and lies below `end`.
    pub(super) fn close_below(&mut self, end: u64) {
        if let Some(slot) = self.row.back_mut()
            && slot.len > 0
            && slot.end() <= end
        {
            slot.room = slot.len;
        }
    }

    /// Where the next bytes of the last slot go, at most `len_max`; empty when there is none.
    pub(super) fn space(&mut self, len_max: usize) -> &mut [u8] {
        let Some(slot) = self.row.back_mut() else { return &mut [] };
        let end = slot.room.min(slot.len.saturating_add(len_max));
        &mut slot.bytes[self.headroom..][slot.len..end]
    }

    /// As many bytes of that space as there are, at most `len`, are the stream's; returns how many.
    /// `codes` tells whether the code of a slot that is full now is wanted: its bytes are in the cache.
    pub(super) fn fill(&mut self, len: usize, codes: bool) -> usize {
        let Some(slot) = self.row.back_mut() else { return 0 };
        let len = len.min(slot.room - slot.len);
        slot.len += len;
        if codes && slot.is_full() {
            slot.code = Some(crc32c::compute([&slot.bytes[self.headroom..][..slot.len]]));
        }
        len
    }

    // Reading.

    /// The number of the first that is still there.
    pub(super) fn first_number(&self) -> u64 {
        self.released
    }

    /// The slot of a number, counted from the beginning of the stream.
    pub(super) fn get(&self, number: u64) -> Option<&Slot> {
        self.row.get(self.place(number)?)
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.released)?).ok()
    }

    /// The number of the slot that holds the byte at `start`.
    pub(super) fn number_of(&self, start: u64) -> u64 {
        self.released + self.place_of(start) as u64
    }

    fn place_of(&self, start: u64) -> usize {
        // Nearly all slots are full, and then it is a matter of counting.
        let first = self.row.front().map_or(start, |slot| slot.start);
        let guess = usize::try_from((start - first) / self.slot_bytes as u64).unwrap_or(usize::MAX);
        match self.row.get(guess) {
            Some(slot) if slot.start <= start && start < slot.end() => guess,
            _ => self.row.partition_point(|slot| slot.end() <= start),
        }
    }

    /// A slot that is about to leave.
    pub(super) fn open(&mut self, number: u64) -> Option<SlotSpace<'_>> {
        let place = self.place(number)?;
        let Slot { bytes, len, code, .. } = self.row.get_mut(place)?;
        let (head, payload) = bytes.split_at_mut(self.headroom);
        let code = *code.get_or_insert_with(|| crc32c::compute([&payload[..*len]]));
        Some(SlotSpace { head, len: *len, code })
    }

    /// A slot as a packet: `header` bytes of what was written before it, and its payload.
    pub(super) fn packet(&self, number: u64, header: usize) -> &[u8] {
        let Some(slot) = self.get(number) else { return &[] };
        &slot.bytes[self.headroom - header..self.headroom + slot.len]
    }

    /// Copies the bytes from `start` on, which must be there.
    pub(super) fn copy(&self, start: u64, out: &mut [u8]) {
        let mut at = self.place_of(start);
        let mut done = 0;
        while done < out.len() {
            let slot = &self.row[at];
            let skip = usize::try_from(start + done as u64 - slot.start).unwrap_or(usize::MAX);
            let len = (slot.len - skip).min(out.len() - done);
            let from = self.headroom + skip;
            out[done..done + len].copy_from_slice(&slot.bytes[from..from + len]);
            done += len;
            at += 1;
        }
    }

    // Releasing.

    /// Releases slots of which nothing from `base` on is needed.
    pub(super) fn release_below(&mut self, base: u64) {
        while self.row.front().is_some_and(|slot| slot.end() <= base && slot.len > 0) {
            self.release_front();
        }
    }

    fn release_front(&mut self) {
        // A slot that is not full yet goes on being filled.
        let open = self.row.len() == 1 && !self.row[0].is_full();
        if open {
            let slot = &mut self.row[0];
            slot.start = slot.end();
            slot.len = 0;
            return;
        }
        self.released += 1;
        let size = self.headroom + self.slot_bytes;
        let gone = self.row.pop_front().map(|slot| slot.bytes);
        self.spare.extend(gone.filter(|bytes| bytes.len() == size));
    }

    /// Releases all of them.
    pub(super) fn clear(&mut self) {
        self.released += self.row.len() as u64;
        self.row.clear();
    }

    /// Gives back what is kept for later slots, and room for more of them in the row.
    pub(super) fn shrink(&mut self) {
        self.spare = Vec::new();
        self.row.shrink_to_fit();
    }

    /// Forgets what is kept for later slots.
    pub(super) fn forget_spare(&mut self) {
        self.spare.clear();
    }

    /// Bytes of memory of slots in use and to be used again.
    pub(super) fn memory_bytes(&self) -> usize {
        let slots = (self.row.len() + self.spare.len()) * (self.headroom + self.slot_bytes);
        let places = self.row.capacity() * size_of::<Slot>()
            + self.spare.capacity() * size_of::<Box<[u8]>>();
        slots + places
    }
}
