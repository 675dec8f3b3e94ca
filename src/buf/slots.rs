//! Where the bytes of a stream lie until the peer has them.

use alloc::{boxed::Box, collections::VecDeque, vec, vec::Vec};
use core::{fmt, ops::Range};

use crate::wire::crc32c;

/// A row of slots, each with room for a packet's payload and, before it, for the packet's header. They are
/// filled at the end of the row and released at its front.
///
/// Slots that follow each other lie one behind the other, so that packets of the full length do too: a
/// run of them is one piece of memory, which the system copies faster than forty.
#[derive(Clone)]
pub(super) struct Slots {
    row: VecDeque<Slot>,
    /// The memory of the row, in its order.
    slabs: VecDeque<Slab>,
    /// Memory of slots that were released, last in, first out: it is warm in the cache.
    spare: Vec<Slab>,
    /// Slots that were released from the front since the beginning.
    released: u64,
    /// The same of slabs, modulo 2^32.
    slabs_released: u32,
    slot_bytes: u32,
    /// Bytes before each slot's payload, for the header of the packet that it becomes.
    headroom: u32,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// The place of its first byte in the stream.
    start: u64,
    len: u32,
    /// Bytes of the stream that it takes.
    room: u32,
    /// The code of its payload, once it is full and somebody has asked.
    code: Option<u32>,
    /// Which slab its payload lies in, counted from the beginning, and where.
    slab: u32,
    at: u32,
}

/// Memory for some slots.
#[derive(Clone)]
struct Slab {
    bytes: Box<[u8]>,
    /// Bytes of each slot, headroom and payload.
    pitch: u32,
    /// Slots that were given out, from the front, and how many of them are in the row.
    used: u32,
    held: u32,
}

/// Bytes of a slab at most, if a slot has no more: what one message of the system can hold.
const SLAB_BYTES_MAX: usize = 1 << 16;

impl Slab {
    fn new(slots: usize, pitch: usize) -> Self {
        Self { bytes: vec![0; slots * pitch].into(), pitch: narrow(pitch), used: 0, held: 0 }
    }

    fn slots(&self) -> usize {
        self.bytes.len() / self.pitch as usize
    }

    fn is_used_up(&self) -> bool {
        (self.used as usize + 1) * self.pitch as usize > self.bytes.len()
    }
}

/// The longest slot and the longest header. No packet has as much.
const LENGTH_MAX: usize = 1 << 30;

/// A length within a slab, or a number of slabs.
fn narrow(len: usize) -> u32 {
    u32::try_from(len).expect("no slot is longer than LENGTH_MAX")
}

impl Slot {
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    pub(super) fn end(&self) -> u64 {
        self.start + u64::from(self.len)
    }

    pub(super) fn is_full(&self) -> bool {
        self.len == self.room
    }

    /// Its payload, in its slab.
    fn payload(&self) -> Range<usize> {
        self.at as usize..(self.at + self.len) as usize
    }
}

/// What is known of the slots, not the bytes.
impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots =
            |slabs: &mut dyn Iterator<Item = &Slab>| slabs.map(Slab::slots).collect::<Vec<_>>();
        f.debug_struct("Slots")
            .field("row", &self.row)
            .field("slabs", &slots(&mut self.slabs.iter()))
            .field("spare", &slots(&mut self.spare.iter()))
            .field("released", &self.released)
            .field("slot_bytes", &self.slot_bytes)
            .field("headroom", &self.headroom)
            .finish_non_exhaustive()
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
            slabs: VecDeque::new(),
            spare: Vec::new(),
            released: 0,
            slabs_released: 0,
            slot_bytes: narrow(slot_bytes.clamp(1, LENGTH_MAX)),
            headroom: 0,
        }
    }

    /// The same with so many bytes before each payload.
    pub(super) fn with_headroom(mut self, headroom: usize) -> Self {
        self.headroom = narrow(headroom.min(LENGTH_MAX));
        self
    }

    /// Bytes of payload that new slots take.
    pub(super) fn slot_bytes(&self) -> usize {
        self.slot_bytes as usize
    }

    /// Changes that.
    pub(super) fn set_slot_bytes(&mut self, slot_bytes: usize) {
        if slot_bytes != self.slot_bytes() {
            self.slot_bytes = narrow(slot_bytes.clamp(1, LENGTH_MAX));
            self.spare.clear();
        }
    }

    fn pitch(&self) -> usize {
        (self.headroom + self.slot_bytes) as usize
    }

    // Filling.

    /// The slot that is filled.
    pub(super) fn last(&self) -> Option<&Slot> {
        self.row.back()
    }

    /// A new one at the end, for the bytes from `start` on, that takes `less` bytes less than others, for
    /// a header that is longer by as many.
    pub(super) fn add(&mut self, start: u64, less: usize) {
        let (pitch, less) = (self.pitch(), narrow(less.min(self.slot_bytes() - 1)));
        if self.slabs.back().is_none_or(|slab| slab.is_used_up() || slab.pitch as usize != pitch) {
            self.add_slab();
        }
        let slab = self.slabs_released.wrapping_add(narrow(self.slabs.len())).wrapping_sub(1);
        let Some(memory) = self.slabs.back_mut() else { return };
        let at = memory.used * memory.pitch + self.headroom + less;
        memory.used += 1;
        memory.held += 1;
        let room = self.slot_bytes - less;
        self.row.push_back(Slot { start, len: 0, room, code: None, slab, at });
    }

    fn add_slab(&mut self) {
        // Of slots of another length, with nothing in it.
        self.slabs.pop_back_if(|slab| slab.held == 0);
        let (slots, pitch) = (self.slab_slots(), self.pitch());
        let spare = self.spare.pop().filter(|slab| slab.pitch as usize == pitch);
        self.slabs.push_back(spare.unwrap_or_else(|| Slab::new(slots, pitch)));
    }

    /// How many slots a new slab has: as many as there are, so that little memory is for few.
    fn slab_slots(&self) -> usize {
        self.row.len().clamp(1, (SLAB_BYTES_MAX / self.pitch()).max(1))
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
        let (Some(slot), Some(slab)) = (self.row.back(), self.slabs.back_mut()) else {
            return &mut [];
        };
        let len = ((slot.room - slot.len) as usize).min(len_max);
        &mut slab.bytes[slot.payload().end..][..len]
    }

    /// As many bytes of that space as there are, at most `len`, are the stream's; returns how many.
    /// `codes` tells whether the code of a slot that is full now is wanted: its bytes are in the cache.
    pub(super) fn fill(&mut self, len: usize, codes: bool) -> usize {
        let (Some(slot), Some(slab)) = (self.row.back_mut(), self.slabs.back()) else { return 0 };
        let len = len.min((slot.room - slot.len) as usize);
        slot.len += narrow(len);
        if codes && slot.is_full() {
            slot.code = Some(crc32c::compute([&slab.bytes[slot.payload()]]));
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

    /// The place of the slab in which a slot lies.
    fn place_of_slab(&self, slot: &Slot) -> usize {
        slot.slab.wrapping_sub(self.slabs_released) as usize
    }

    /// The memory in which a slot lies.
    fn bytes_of(&self, slot: &Slot) -> &[u8] {
        &self.slabs[self.place_of_slab(slot)].bytes
    }

    /// The number of the slot that holds the byte at `start`.
    pub(super) fn number_of(&self, start: u64) -> u64 {
        self.released + self.place_of(start) as u64
    }

    fn place_of(&self, start: u64) -> usize {
        // Nearly all slots are full, and then it is a matter of counting.
        let first = self.row.front().map_or(start, |slot| slot.start);
        let guess = (start - first) / u64::from(self.slot_bytes);
        let guess = usize::try_from(guess).unwrap_or(usize::MAX);
        match self.row.get(guess) {
            Some(slot) if slot.start <= start && start < slot.end() => guess,
            _ => self.row.partition_point(|slot| slot.end() <= start),
        }
    }

    /// A slot that is about to leave.
    pub(super) fn open(&mut self, number: u64) -> Option<SlotSpace<'_>> {
        let place = self.place(number)?;
        let at = self.place_of_slab(self.row.get(place)?);
        let (slot, slab) = (&mut self.row[place], &mut self.slabs[at]);
        let (head, payload) = slab.bytes.split_at_mut(slot.at as usize);
        let len = slot.len as usize;
        let code = *slot.code.get_or_insert_with(|| crc32c::compute([&payload[..len]]));
        let from = head.len() - head.len() % slab.pitch as usize;
        Some(SlotSpace { head: &mut head[from..], len, code })
    }

    /// Slots as packets: `header` bytes of what was written before each, and its payload. Those that lie
    /// right behind each other are one piece.
    pub(super) fn packets(
        &self,
        first: u64,
        count: usize,
        header: usize,
    ) -> impl Iterator<Item = &[u8]> {
        let place = self.place(first).unwrap_or(usize::MAX);
        let end = place.saturating_add(count).min(self.row.len());
        let mut slots = self.row.range(place.min(end)..end).peekable();
        core::iter::from_fn(move || {
            let slot = slots.next()?;
            let mut last = slot;
            while let Some(next) = slots.next_if(|next| {
                next.slab == last.slab && next.at as usize == last.payload().end + header
            }) {
                last = next;
            }
            Some(&self.bytes_of(slot)[slot.at as usize - header..last.payload().end])
        })
    }

    /// Copies the bytes from `start` on, which must be there.
    pub(super) fn copy(&self, start: u64, out: &mut [u8]) {
        let mut at = self.place_of(start);
        let mut done = 0;
        while done < out.len() {
            let slot = &self.row[at];
            let skip = usize::try_from(start + done as u64 - slot.start).unwrap_or(usize::MAX);
            let bytes = &self.bytes_of(slot)[slot.payload()][skip..];
            let len = bytes.len().min(out.len() - done);
            out[done..done + len].copy_from_slice(&bytes[..len]);
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
        self.row.pop_front();
        let is_last = self.slabs.len() == 1;
        let Some(slab) = self.slabs.front_mut() else { return };
        slab.held -= 1;
        if slab.held > 0 {
            return;
        }
        if is_last && !slab.is_used_up() {
            slab.used = 0;
        } else {
            self.release_slab();
        }
    }

    fn release_slab(&mut self) {
        self.slabs_released = self.slabs_released.wrapping_add(1);
        let Some(mut slab) = self.slabs.pop_front() else { return };
        slab.used = 0;
        // One that is far smaller than those of today would cut runs short for ever.
        let fits = slab.pitch as usize == self.pitch() && slab.slots() * 2 >= self.slab_slots();
        self.spare.extend(fits.then_some(slab));
    }

    /// Releases all of them.
    pub(super) fn clear(&mut self) {
        self.released += self.row.len() as u64;
        self.row.clear();
        self.slabs.clear();
    }

    /// Gives back what is kept for later slots, and room for more of them in the row.
    pub(super) fn shrink(&mut self) {
        self.spare = Vec::new();
        self.row.shrink_to_fit();
        self.slabs.shrink_to_fit();
    }

    /// Forgets what is kept for later slots.
    pub(super) fn forget_spare(&mut self) {
        self.spare.clear();
    }

    /// Bytes of memory of slots in use and to be used again.
    pub(super) fn memory_bytes(&self) -> usize {
        let slabs = self.slabs.iter().chain(&self.spare).map(|slab| slab.bytes.len());
        slabs.sum::<usize>()
            + self.row.capacity() * size_of::<Slot>()
            + (self.slabs.capacity() + self.spare.capacity()) * size_of::<Slab>()
    }
}
