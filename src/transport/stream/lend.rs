//! Slots of streams that leave as packets without being copied.

use super::Streams;
use crate::{
    buf::{SlotSpace, WholeSlot},
    wire::transport::StreamId,
};

/// Bytes of a stream that may always wait, within its limit: a window may grow to this in a moment.
pub(super) const UNSENT_MIN: u64 = 512 << 10;

/// A slot that can leave next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NextSlot {
    pub(crate) id: StreamId,
    pub(crate) whole: WholeSlot,
}

impl Streams {
    /// Whether slots may leave as they lie: then streams are cut into packets where slots end.
    pub(crate) fn set_lending(&mut self, on: bool) {
        self.lending = on;
        for stream in self.table.values_mut() {
            stream.send.set_aligned(on);
        }
    }

    /// Slots from now on are so long: packets have become longer, or shorter.
    pub(crate) fn set_slot_bytes(&mut self, slot_bytes: usize) {
        if slot_bytes != self.slot_bytes {
            self.slot_bytes = slot_bytes;
            for stream in self.table.values_mut() {
                stream.send.set_slot_bytes(slot_bytes);
            }
        }
    }

    /// The congestion window has become so wide. What waits behind it goes cold in the cache, and takes
    /// memory: half of it is enough to go on with until an application hears that there is room.
    pub(crate) const fn on_window(&mut self, window: u64) {
        let half = window / 2;
        self.unsent_max = if half > UNSENT_MIN { half } else { UNSENT_MIN };
    }

    /// So many bytes of a stream leave together best, from the next that leave on.
    pub(crate) const fn set_run_bytes(&mut self, run_bytes: u64) {
        self.run_bytes = run_bytes;
    }

    /// Whether slots may leave as they lie.
    pub(crate) const fn is_lending(&self) -> bool {
        self.lending
    }

    /// The slot whose turn it is, if the next bytes to be sent are a whole one.
    pub(crate) fn next_slot(&mut self) -> Option<NextSlot> {
        if !self.lending {
            return None;
        }
        let credit = self.credit();
        let id = *self.ready.values().find_map(|queue| queue.front())?;
        let stream = self.table.get_mut(&id)?;
        if stream.send.is_waiting_for_more() {
            return None;
        }
        let new_to = stream.send.buffer().next().saturating_add(credit);
        let whole = stream.send.next_slot(new_to)?;
        Some(NextSlot { id, whole })
    }

    /// Takes it, and those right behind it that are as long and begin below `below`: `count_max` in all.
    /// Their bytes are on their way. Each is shown to `each`, with the place of its first byte. Returns
    /// how many there were.
    pub(crate) fn take_slots(
        &mut self,
        next: &NextSlot,
        below: u64,
        count_max: usize,
        mut each: impl FnMut(u64, SlotSpace<'_>),
    ) -> usize {
        let credit = self.credit();
        let Some(stream) = self.table.get_mut(&next.id) else { return 0 };
        let half = &mut stream.send;
        half.set_run_bytes(self.run_bytes);
        let new_to = half.buffer().next().saturating_add(credit);
        let (mut whole, len) = (next.whole.clone(), next.whole.payload_bytes());
        let mut count = 0;
        while count < count_max && whole.payload_bytes() == len && whole.bytes.start < below {
            let start = whole.bytes.start;
            let is_new = start == half.buffer().next();
            let Some(space) = half.take_slot(&whole) else { break };
            *(if is_new { &mut self.sent } else { &mut self.resent }) += len;
            each(start, space);
            count += 1;
            match half.next_slot(new_to) {
                Some(next) if next.number == whole.number + 1 => whole = next,
                _ => break,
            }
        }
        count
    }

    /// Some slots of a stream were taken: it leaves the queue if there is no more to send, or goes to
    /// its end.
    pub(crate) fn end_turn(&mut self, id: StreamId) {
        let credit = self.credit();
        let Some(stream) = self.table.get_mut(&id) else { return };
        if !stream.is_sendable(credit) {
            if let Some(queue) = self.ready.get_mut(&stream.priority)
                && queue.front() == Some(&id)
            {
                queue.pop_front();
            }
            self.leave_queue(id);
        }
        self.next_turn();
    }

    /// Slots as the packets that they are: `count` from `first` on, each with a header of `header` bytes.
    /// Packets that lie one right behind the other are one piece.
    pub(crate) fn packets(
        &self,
        id: StreamId,
        first: u64,
        count: usize,
        header: usize,
    ) -> impl Iterator<Item = &[u8]> {
        let buffer = self.table.get(&id).map(|stream| stream.send.buffer());
        buffer.into_iter().flat_map(move |buffer| buffer.packets(first, count, header))
    }
}
