//! What can be asked of the streams of a connection, and what they hold.

use alloc::collections::{BTreeMap, VecDeque};

use super::Streams;
use crate::{
    transport::stream::{RecvHalf, SendHalf, StreamEvent},
    wire::transport::StreamId,
};

impl Streams {
    /// Whether what was written and never sent has at most so many bytes.
    pub(in crate::transport) fn is_unsent_within(&self, bytes: u64) -> bool {
        let ids = self.ready.values().flatten();
        let halves = ids.filter_map(|id| self.send_half(*id)).map(SendHalf::buffer);
        let mut sum = 0_u64;
        halves.map(|half| half.written() - half.next()).all(|unsent| {
            sum += unsent;
            sum <= bytes
        })
    }

    /// Streams that are not over.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether all streams are over.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Whether a limit of the peer is what holds sending up: a window, or the number of streams while
    /// the application waits for another.
    pub fn is_held_up(&self) -> bool {
        self.refused
            || self.send_limit.is_blocked()
            || self.table.values().any(|stream| stream.is_held_up())
    }

    /// Bytes of memory that all streams hold: their buffers, and the queues they stand in.
    pub fn memory_bytes(&self) -> usize {
        let streams: usize = self.table.values().map(|stream| stream.memory_bytes()).sum();
        let ready: usize = self.ready.values().map(VecDeque::capacity).sum();
        let queues = (ready + self.telling.capacity()) * size_of::<StreamId>()
            + self.events.capacity() * size_of::<StreamEvent>();
        streams + queues + self.peer_over.memory_bytes()
    }

    /// Gives back the memory that only traffic needs.
    pub(in crate::transport) fn shrink(&mut self) {
        self.table.values_mut().for_each(|stream| stream.shrink());
        // A map keeps its last node.
        if self.ready.values().all(VecDeque::is_empty) {
            self.ready = BTreeMap::new();
        }
        self.telling.shrink_to_fit();
        self.events.shrink_to_fit();
        self.peer_over.shrink();
    }

    /// The sending half of a stream, for statistics.
    pub fn send_half(&self, id: StreamId) -> Option<&SendHalf> {
        self.table.get(&id).map(|stream| &stream.send)
    }

    /// Bytes of all streams sent again.
    pub const fn resent_bytes(&self) -> u64 {
        self.resent
    }

    /// The receiving half of a stream, for statistics.
    pub fn recv_half(&self, id: StreamId) -> Option<&RecvHalf> {
        self.table.get(&id).map(|stream| &stream.recv)
    }

    /// Bytes that streams have carried: sent for the first time, or read by the application.
    pub(in crate::transport) const fn carried_bytes(&self) -> u64 {
        self.sent + (self.recv_window.consumed() - self.unwanted)
    }

    /// Bytes of all streams sent for the first time.
    pub const fn sent_bytes(&self) -> u64 {
        self.sent
    }
}
