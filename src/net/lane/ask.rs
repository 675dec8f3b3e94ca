//! What a thread waits for.

use core::task::{Poll, Waker};

use super::Core;
use crate::wire::transport::{ConnectionId, StreamId};

/// A question that is asked until there is an answer. A closure that asks is one.
pub(in crate::net) trait Ask {
    /// What comes of it.
    type Answer;

    /// The answer, or else the waker is called when there may be one.
    fn ask(&mut self, core: &mut Core, waker: Option<&Waker>) -> Poll<Self::Answer>;

    /// Takes the next bytes of a stream as they arrive, before they are stored, and says how many.
    /// Whoever has taken some is asked next, and has an answer.
    fn take(&mut self, _: ConnectionId, _: StreamId, _: &[u8]) -> usize {
        0
    }

    /// Whether it has room for what a datagram of so many bytes may hold. Who has taken nothing has,
    /// so that nothing is left unless it has an answer.
    fn wants(&self, _: usize) -> bool {
        true
    }

    /// Bytes for which it has room.
    fn room(&self) -> usize {
        usize::MAX
    }
}

impl<T, F: FnMut(&mut Core, Option<&Waker>) -> Poll<T>> Ask for F {
    type Answer = T;

    fn ask(&mut self, core: &mut Core, waker: Option<&Waker>) -> Poll<T> {
        self(core, waker)
    }
}
