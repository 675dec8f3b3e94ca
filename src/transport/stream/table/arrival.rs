//! What arrives of a stream: bytes, and that there are no more.

use core::time::Duration;

use super::{
    super::{StreamEvent, StreamFault, recv::Received},
    Streams,
};
use crate::{time::Instant, wire::transport::StreamId};

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
