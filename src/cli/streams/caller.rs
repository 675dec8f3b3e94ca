//! One connection as a [`Conversation`]: what a single sender, and a race, want of the transport.

use core::net::SocketAddr;

use rdtp::{
    batch::Batch,
    classic::{Conversation, Event, Role, SendError, Stats},
    endpoint::{Disposition, DropReason, Endpoint, Offer, RecvMeta, Transmit},
    time::Instant,
    trace::TraceEvent,
    transport::{
        config::{Config, ConfigError},
        stats::Stats as ConnectionStats,
    },
    wire::transport::ConnectionId,
};

use super::{CloseReason, News, Streams, call::CHUNK_BYTES_MAX};

/// One side of a connection with one stream.
#[derive(Debug)]
pub(crate) struct Caller {
    streams: Streams,
    id: Option<ConnectionId>,
    closed: Option<CloseReason>,
    stats: Stats,
}

impl Caller {
    /// A side that opens a connection to `peer` (`Role::Sender`), or one that accepts one.
    pub(crate) fn new(config: Config, role: Role, peer: SocketAddr) -> Result<Self, ConfigError> {
        let mut streams = Streams::new(config, role, 1)?;
        let id = (role == Role::Sender).then(|| streams.open(Instant::ZERO, peer));
        Ok(Self { streams, id, closed: None, stats: Stats::NONE })
    }

    /// Ends the connection, with a code that the peer hears.
    pub(crate) fn close(&mut self, now: Instant, code: u64) {
        if let Some(id) = self.id {
            self.streams.close(now, id, code);
        }
    }

    /// Why the connection is over, if it is.
    pub(crate) fn closed(&self) -> Option<CloseReason> {
        self.closed
    }

    /// What the connection counted.
    pub(crate) fn connection_stats(&self) -> ConnectionStats {
        self.id.and_then(|id| self.streams.stats(id)).unwrap_or_default()
    }

    fn count(&mut self) {
        let stats = self.connection_stats();
        let recovery = stats.recovery;
        let resent = recovery.lost_packets.saturating_sub(recovery.spurious_packets);
        self.stats.data_resent = resent;
        self.stats.data_sent = recovery.sent_packets.saturating_sub(resent);
        self.stats.feedback_sent = stats.datagrams_sent.saturating_sub(recovery.sent_packets);
        self.stats.packets_received = stats.datagrams_received;
        self.stats.timeouts = recovery.probe_timeouts;
    }
}

impl Endpoint for Caller {
    type Event = Event;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        let disposition = self.streams.handle_datagram(now, meta, datagram);
        match disposition {
            Disposition::Discarded(DropReason::Damaged(_)) => self.stats.packets_damaged += 1,
            Disposition::Discarded(_) => self.stats.packets_discarded += 1,
            Disposition::Accepted => {}
        }
        disposition
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.streams.handle_timeout(now);
    }

    fn handle_move(&mut self, now: Instant) {
        self.streams.handle_move(now);
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.streams.poll_transmit(now, batch)
    }

    fn poll_offer(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Offer> {
        self.streams.poll_offer(now, batch)
    }

    fn lent<'a>(&'a self, nth: usize, each: &mut dyn FnMut(&'a [u8])) {
        self.streams.lent(nth, each);
    }

    fn take_back(&mut self) {
        self.streams.take_back();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.streams.poll_timeout()
    }

    fn poll_event(&mut self) -> Option<Event> {
        let event = loop {
            let Some((id, news)) = self.streams.poll_event() else { break None };
            match news {
                News::Joined(_) => self.id = self.id.or(Some(id)),
                _ if self.id != Some(id) => {}
                News::Delivered(message) => {
                    self.stats.messages_delivered += 1;
                    break Some(Event::Delivered(message));
                }
                News::Acknowledged(total) => {
                    self.stats.messages_acknowledged = total;
                    break Some(Event::Acknowledged { total });
                }
                News::Left(reason) => self.closed = Some(reason),
            }
        };
        if event.is_none() {
            self.count();
        }
        event
    }

    fn set_tracing(&mut self, on: bool) {
        self.streams.set_tracing(on);
    }

    fn poll_trace(&mut self) -> Option<TraceEvent> {
        self.streams.poll_trace()
    }
}

impl Conversation for Caller {
    fn send(&mut self, _: Instant, message: &[u8]) -> Result<(), SendError> {
        let Some(id) = self.id else { return Err(SendError::ReceiverOnly) };
        if self.closed.is_some() {
            return Err(SendError::Closed);
        }
        if message.len() > CHUNK_BYTES_MAX + 1 {
            return Err(SendError::Size { len: message.len(), max: CHUNK_BYTES_MAX + 1 });
        }
        if !self.streams.send(id, message) {
            return Err(SendError::QueueFull);
        }
        self.stats.messages_sent += 1;
        Ok(())
    }

    /// One that has ended is idle when the peer need not be told any more.
    fn is_idle(&self) -> bool {
        let Some(id) = self.id else { return true };
        self.unacked() == 0 || !self.streams.is_alive_or_closing(id)
    }

    fn queue_room(&self) -> usize {
        self.id.filter(|_| self.closed.is_none()).map_or(0, |id| self.streams.room(id))
    }

    fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    fn unacked(&self) -> u64 {
        self.id.map_or(0, |id| self.streams.unacked(id))
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}
