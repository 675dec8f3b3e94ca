//! Taking back what was sent under limits that do not hold.

use super::Streams;
use crate::{transport::flow::SendLimit, wire::transport::StreamId};

impl Streams {
    /// Nothing of what was sent has been kept, and less may be allowed than was thought: `bytes` on
    /// all streams together, on the first `streams` of them. Everything is to be sent again, as far
    /// as that goes.
    pub(in crate::transport) fn rewind(&mut self, bytes: u64, streams: u64) {
        self.send_limit = SendLimit::new(bytes);
        self.peer_stream_window = bytes;
        self.opened_max = streams;
        self.sent = 0;
        let parked = |id: StreamId| id.by_acceptor() == self.acceptor && id.index() >= streams;
        let queues = self.ready.values_mut().chain(core::iter::once(&mut self.telling));
        queues.for_each(|queue| queue.retain(|&id| !parked(id)));
        for (id, stream) in &mut self.table {
            let parked = parked(*id);
            stream.send.rewind(if parked { 0 } else { bytes });
            stream.queued &= !parked;
            stream.telling &= !parked;
            self.sent += stream.send.buffer().next();
        }
    }

    /// Whether a stream was opened that the peer does not allow any more: it waits, with all that it has
    /// to say.
    pub(super) const fn is_parked(&self, id: StreamId) -> bool {
        id.by_acceptor() == self.acceptor && id.index() >= self.opened_max
    }

    /// The peer allows more streams again: those that waited have their turn.
    pub(super) fn unpark(&mut self, from: u64) {
        let last = self.opened.min(self.opened_max);
        for index in from..last {
            let id = StreamId::new(index, self.acceptor);
            self.enqueue(id);
            self.tell(id);
        }
    }
}
