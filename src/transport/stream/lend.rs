//! Slots of streams that leave as packets without being copied.

use super::{Streams, pair::Stream};
use crate::{buf::WholeSlot, wire::transport::StreamId};

/// A slot that can leave next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NextSlot {
    pub(crate) id: StreamId,
    pub(crate) whole: WholeSlot,
}

/// A slot that is being sent: where its header goes, and what is known of its payload.
pub(crate) struct SlotSpace<'a> {
    /// Room for the header, right before the payload.
    pub(crate) head: &'a mut [u8],
    /// Bytes of payload.
    pub(crate) len: usize,
    /// Its CRC-32C.
    pub(crate) code: u32,
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

    /// The slot whose turn it is, if the next bytes to be sent are a whole one.
    pub(crate) fn next_slot(&mut self) -> Option<NextSlot> {
        if !self.lending {
            return None;
        }
        let credit = self.credit();
        let id = *self.ready.values().find_map(|queue| queue.front())?;
        let stream = self.table.get_mut(&id)?;
        let new_to = stream.send.buffer().next().saturating_add(credit);
        let whole = stream.send.next_slot(new_to)?;
        Some(NextSlot { id, whole })
    }

    /// Takes it: its bytes are on their way.
    pub(crate) fn take_slot(&mut self, next: &NextSlot, header: usize) -> Option<SlotSpace<'_>> {
        let stream = self.table.get_mut(&next.id)?;
        let before = stream.send.buffer().next();
        let len = next.whole.bytes.end - next.whole.bytes.start;
        if next.whole.bytes.start == before {
            self.sent += len;
        } else {
            self.resent += len;
        }
        let (head, len, code) = stream.send.take_slot(&next.whole, header)?;
        Some(SlotSpace { head, len, code })
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

    /// A slot as the packet that it is.
    pub(crate) fn packet(&self, id: StreamId, number: u64, header: usize) -> &[u8] {
        let stream: Option<&Stream> = self.table.get(&id).map(|stream| &**stream);
        stream.map_or(&[], |stream| stream.send.buffer().packet(number, header))
    }
}
