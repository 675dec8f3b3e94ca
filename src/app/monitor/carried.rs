//! Monitor and answer on top of one of the book's protocols.

use alloc::collections::VecDeque;
use core::{fmt, net::SocketAddr};

use super::{EchoEvent, Format, Monitor, MonitorEndpoint, MonitorEvent, answer};
use crate::{
    batch::Batch,
    classic::{Conversation, Event},
    endpoint::{Disposition, Endpoint, RecvMeta, Transmit},
    hub::{Hub, HubEvent},
    time::Instant,
    trace::TraceEvent,
};

/// A [`Monitor`] whose probes are messages of a protocol that repeats what is lost: a loss shows as a
/// longer round trip, and what waits behind it takes longer too.
#[derive(Debug)]
pub struct CarriedMonitor<C> {
    monitor: Monitor,
    below: C,
}

impl<C: Conversation> CarriedMonitor<C> {
    /// Probes the peer of `below`.
    pub fn new(monitor: Monitor, below: C) -> Self {
        Self { monitor, below }
    }

    /// The monitor, to go on with over another conversation: the book's protocols have no handshake,
    /// and a peer that was started anew never understands the numbers of an old one.
    pub fn into_monitor(self) -> Monitor {
        self.monitor
    }

    fn listen(&mut self, now: Instant) {
        while let Some(event) = self.below.poll_event() {
            match event {
                Event::Delivered(message) => {
                    self.monitor.handle_message(now, &message);
                }
                Event::GaveUp { .. } => self.monitor.handle_unreachable(now),
                Event::Acknowledged { .. } => {}
            }
        }
    }
}

impl<C: Conversation> MonitorEndpoint for CarriedMonitor<C> {
    fn monitor(&self) -> &Monitor {
        &self.monitor
    }
    fn monitor_mut(&mut self) -> &mut Monitor {
        &mut self.monitor
    }
}

impl<C: Conversation> Endpoint for CarriedMonitor<C> {
    type Event = MonitorEvent;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        let disposition = self.below.handle_datagram(now, meta, datagram);
        self.listen(now);
        disposition
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.below.handle_timeout(now);
        self.listen(now);
        self.monitor.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        if let Some(probe) = self.monitor.poll_message(now)
            && self.below.send(now, &probe).is_err()
        {
            // Its queue is full of probes that nobody takes: this one is as lost as those.
            self.monitor.handle_unreachable(now);
        }
        self.below.poll_transmit(now, batch)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.below.poll_timeout().into_iter().chain(self.monitor.poll_timeout()).min()
    }

    fn poll_event(&mut self) -> Option<MonitorEvent> {
        self.monitor.poll_event()
    }

    fn set_tracing(&mut self, on: bool) {
        self.below.set_tracing(on);
    }

    fn poll_trace(&mut self) -> Option<TraceEvent> {
        self.below.poll_trace()
    }
}

/// Answers probes that come as messages, from as many peers as its [`Hub`] keeps.
pub struct CarriedEcho<C, F> {
    hub: Hub<C, F>,
    events: VecDeque<EchoEvent>,
    now: Instant,
}

impl<C: Conversation, F: FnMut(Instant, SocketAddr) -> Option<C>> CarriedEcho<C, F> {
    /// The most events that wait for the application; the oldest go.
    pub const EVENTS_MAX: usize = 4_096;

    /// Answers whoever talks to `hub`.
    pub fn new(hub: Hub<C, F>) -> Self {
        Self { hub, events: VecDeque::new(), now: Instant::ZERO }
    }

    fn listen(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(event) = self.hub.poll_event() {
            match event {
                HubEvent::Peer(peer, Event::Delivered(message)) => self.take(now, peer, &message),
                HubEvent::Peer(peer, Event::GaveUp { .. }) => {
                    self.hub.remove(peer);
                }
                HubEvent::Peer(_, Event::Acknowledged { .. })
                | HubEvent::Joined(_)
                | HubEvent::Left(_) => {}
            }
        }
    }

    fn take(&mut self, now: Instant, peer: SocketAddr, message: &[u8]) {
        let reply = answer(Format::Token, message);
        let below = self.hub.get_mut(peer);
        let sent = reply.zip(below).is_some_and(|(reply, below)| below.send(now, &reply).is_ok());
        if self.events.len() >= Self::EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(if sent {
            EchoEvent::Answered(peer)
        } else {
            EchoEvent::Ignored(peer)
        });
    }
}

impl<C: Conversation, F: FnMut(Instant, SocketAddr) -> Option<C>> Endpoint for CarriedEcho<C, F> {
    type Event = EchoEvent;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        let disposition = self.hub.handle_datagram(now, meta, datagram);
        self.listen(now);
        disposition
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.hub.handle_timeout(now);
        self.listen(now);
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.hub.poll_transmit(now, batch)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let told = (!self.events.is_empty()).then_some(self.now);
        told.into_iter().chain(self.hub.poll_timeout()).min()
    }

    fn poll_event(&mut self) -> Option<EchoEvent> {
        self.events.pop_front()
    }

    fn set_tracing(&mut self, on: bool) {
        self.hub.set_tracing(on);
    }

    fn poll_trace(&mut self) -> Option<TraceEvent> {
        self.hub.poll_trace()
    }
}

impl<C: fmt::Debug, F> fmt::Debug for CarriedEcho<C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hub, events, now: _ } = self;
        f.debug_struct("CarriedEcho").field("hub", hub).field("events", &events.len()).finish()
    }
}
