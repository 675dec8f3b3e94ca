//! Who takes bytes of streams as they arrive.

use super::Ask;
use crate::wire::transport::{ConnectionId, StreamId};

/// What takes the next bytes of streams as they arrive, before they are stored.
pub(super) trait Reader {
    /// Offered bytes of a stream of a connection, says how many of them it took.
    fn take(&mut self, id: ConnectionId, stream: StreamId, bytes: &[u8]) -> usize;

    /// Whether a datagram of so many bytes is to be looked at now; otherwise it waits, with all that
    /// came after it.
    fn wants(&self, _: usize) -> bool {
        true
    }

    /// Bytes for which there is room.
    fn room(&self) -> usize {
        usize::MAX
    }
}

impl<F: FnMut(ConnectionId, StreamId, &[u8]) -> usize> Reader for F {
    fn take(&mut self, id: ConnectionId, stream: StreamId, bytes: &[u8]) -> usize {
        self(id, stream, bytes)
    }
}

/// Takes what somebody waits for.
pub(super) struct For<'a, A> {
    pub(super) ask: &'a mut A,
    /// Whether it may leave what there is no room for, since somebody comes for it soon.
    pub(super) leaves: bool,
}

impl<A: Ask> Reader for For<'_, A> {
    fn take(&mut self, id: ConnectionId, stream: StreamId, bytes: &[u8]) -> usize {
        self.ask.take(id, stream, bytes)
    }

    fn wants(&self, len: usize) -> bool {
        !self.leaves || self.ask.wants(len)
    }

    fn room(&self) -> usize {
        if self.leaves { self.ask.room() } else { usize::MAX }
    }
}
