//! What arrives of a stream: bytes, and that there are no more.

use core::time::Duration;

use super::{
    super::{
        StreamEvent, StreamFault,
        recv::{Received, RecvHalf},
    },
    Streams,
};
use crate::{time::Instant, transport::flow::RecvWindow, wire::transport::StreamId};

/// A stream of which everything so far was read, and whose next bytes come packet by packet: the short
/// way of [`Streams::on_data`].
#[derive(Debug)]
pub(in crate::transport) struct InOrder<'a> {
    id: StreamId,
    half: &'a mut RecvHalf,
    /// The window of the connection, and how much of it was used.
    window: &'a mut RecvWindow,
    received: &'a mut u64,
    now: Instant,
    srtt: Duration,
}

impl InOrder<'_> {
    /// Where its next byte stands.
    pub(in crate::transport) const fn position(&self) -> u64 {
        self.half.buffer().position()
    }

    /// Offers the next bytes to `reader`; what it does not take waits to be read. Returns whether it
    /// took all; an error, and no change, when the peer may not send them.
    pub(in crate::transport) fn take(
        &mut self,
        data: &[u8],
        reader: &mut dyn FnMut(StreamId, &[u8]) -> usize,
    ) -> Result<bool, StreamFault> {
        let credit = self.window.limit() - *self.received;
        let mut reader = |bytes: &[u8]| reader(self.id, bytes);
        let Received { advanced, taken, .. } =
            self.half.on_data(self.half.buffer().position(), data, false, credit, &mut reader)?;
        *self.received += advanced;
        if taken > 0 {
            self.half.on_consumed(self.now, taken, self.srtt);
            self.window.on_consumed(self.now, taken, self.srtt);
        }
        Ok(taken == advanced)
    }
}

impl Streams {
    /// Bytes of a stream arrived. What comes in order, with nothing waiting before it, is offered to
    /// `reader` first, which says how much of it it has taken.
    #[expect(clippy::too_many_arguments, reason = "the fields of a frame, and who is there")]
    pub fn on_data(
        &mut self,
        now: Instant,
        id: StreamId,
        offset: u64,
        data: &[u8],
        fin: bool,
        srtt: Duration,
        reader: &mut dyn FnMut(&[u8]) -> usize,
    ) -> Result<(), StreamFault> {
        let credit = self.recv_window.limit() - self.received;
        let Some(stream) = self.of_peer(id)? else { return Ok(()) };
        let received = stream.recv.on_data(offset, data, fin, credit, reader)?;
        if received.taken > 0 {
            stream.recv.on_consumed(now, received.taken, srtt);
        }
        let waits = stream.recv.on_gap();
        let readable = stream.recv.take_readable();
        let telling = stream.has_control() && !stream.telling;
        let over = stream.is_over();
        self.received += received.advanced;
        self.unwanted += received.discarded;
        let consumed = received.taken + received.discarded;
        if consumed > 0 {
            self.recv_window.on_consumed(now, consumed, srtt);
        }
        if waits {
            self.recv_window.on_gap(self.received);
        }
        if readable {
            self.events.push_back(StreamEvent::Readable(id));
        }
        if telling {
            self.tell(id);
        }
        if over {
            self.remove_if_over(id);
        }
        Ok(())
    }

    /// A stream whose next bytes go to the reader as soon as they arrive, with nothing before them;
    /// `None` when that is not so. [`after_order`](Self::after_order) has to follow.
    pub(in crate::transport) fn in_order(
        &mut self,
        now: Instant,
        id: StreamId,
        srtt: Duration,
    ) -> Option<InOrder<'_>> {
        let half = &mut self.table.get_mut(&id)?.recv;
        let (window, received) = (&mut self.recv_window, &mut self.received);
        let order = InOrder { id, half, window, received, now, srtt };
        order.half.is_drained().then_some(order)
    }

    /// Tells what came of bytes [in order](Self::in_order).
    pub(in crate::transport) fn after_order(&mut self, id: StreamId) {
        let Some(stream) = self.table.get_mut(&id) else { return };
        if stream.recv.take_readable() {
            self.events.push_back(StreamEvent::Readable(id));
        }
        self.tell(id);
    }

    /// The peer gave a stream up.
    pub fn on_reset(
        &mut self,
        now: Instant,
        id: StreamId,
        code: u64,
        final_size: u64,
        srtt: Duration,
    ) -> Result<(), StreamFault> {
        let credit = self.recv_window.limit() - self.received;
        let Some(stream) = self.of_peer(id)? else { return Ok(()) };
        let received = stream.recv.on_reset(code, final_size, credit)?;
        if stream.recv.take_readable() {
            self.events.push_back(StreamEvent::Readable(id));
        }
        self.on_received(now, id, received, srtt);
        Ok(())
    }

    fn on_received(&mut self, now: Instant, id: StreamId, received: Received, srtt: Duration) {
        self.received += received.advanced;
        self.unwanted += received.discarded;
        self.recv_window.on_consumed(now, received.discarded, srtt);
        self.remove_if_over(id);
    }
}
