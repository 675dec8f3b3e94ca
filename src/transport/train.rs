//! Bulk that arrives: packets in order that hold bytes of one stream and nothing else, as the system
//! delivers them together. What is asked once for all of them need not be asked for each.
//!
//! It is a short way and does nothing else than the ordinary one of `inbound`, which takes whatever is
//! not that plain.

use super::connection::Connection;
use crate::{
    endpoint::{RecvMeta, Train},
    time::Instant,
    wire::transport::{Bulk, StreamId, truncate_number},
};

impl Connection {
    /// Takes the first datagrams of a train, which begins with `first`, as far as they are bulk in order,
    /// and returns how many. What comes next is as if each had been [handed over](Self::handle_packet_for) alone.
    pub(super) fn handle_train(
        &mut self,
        now: Instant,
        meta: RecvMeta,
        first: &Bulk<'_>,
        train: Train<'_>,
        reader: &mut dyn FnMut(StreamId, &[u8]) -> usize,
    ) -> usize {
        let Some(start) = self.acks.next_in_order() else { return 0 };
        if !self.is_plain_from(meta) {
            return 0;
        }
        let srtt = self.recovery.rtt().smoothed();
        let Some(mut order) = self.streams.in_order(now, first.id, srtt) else { return 0 };
        let (mut next, mut bytes) = (start, 0);
        for datagram in train.datagrams() {
            let fits = |bulk: &Bulk<'_>| {
                (bulk.to, bulk.id) == (first.to, first.id)
                    && (bulk.number, bulk.offset) == (truncate_number(next), order.position())
            };
            // Whatever it seems to be, nothing of it counts before the checksum holds.
            let bulk = Bulk::peek(datagram).filter(|bulk| fits(bulk) && bulk.is_whole());
            let Some(taken) = bulk.and_then(|bulk| order.take(bulk.data, reader).ok()) else {
                break;
            };
            (next, bytes) = (next + 1, bytes + datagram.len());
            if !taken {
                break;
            }
        }
        let count = next - start;
        if count > 0 {
            self.streams.after_order(first.id);
            self.acks.on_train(now, start..next, meta.ecn);
            self.on_train(now, count, bytes);
        }
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    /// Whether data packets from there are looked at for their frames alone.
    fn is_plain_from(&self, meta: RecvMeta) -> bool {
        self.life.is_established()
            && meta.source == self.path.address()
            && self.path.candidate().is_none()
            && !self.repairing.is_receiving()
            && !self.recovery.tracer.is_on()
    }

    fn on_train(&mut self, now: Instant, count: u64, bytes: usize) {
        if self.acceptor {
            self.validation.trust();
        }
        (self.asks, self.heard_at) = (0, now);
        self.slack.on_use(now);
        self.counted.datagrams_received += count;
        self.counted.bytes_received += bytes as u64;
    }
}
