//! Monitor and answer straight in datagrams.

use alloc::collections::VecDeque;
use core::{net::SocketAddr, time::Duration};

use super::{EchoEvent, Format, Heard, Monitor, MonitorEndpoint, MonitorEvent, Written, answer};
use crate::{
    batch::Batch,
    ecn::Ecn,
    endpoint::{Disposition, DropReason, Endpoint, RecvMeta, Transmit},
    time::Instant,
};

/// A [`Monitor`] whose probes are datagrams.
#[derive(Debug)]
pub struct DatagramMonitor {
    monitor: Monitor,
    peer: SocketAddr,
}

impl DatagramMonitor {
    /// Probes `peer`, and hears nobody else.
    pub fn new(monitor: Monitor, peer: SocketAddr) -> Self {
        Self { monitor, peer }
    }
}

impl MonitorEndpoint for DatagramMonitor {
    fn monitor(&self) -> &Monitor {
        &self.monitor
    }
    fn monitor_mut(&mut self) -> &mut Monitor {
        &mut self.monitor
    }
}

impl Endpoint for DatagramMonitor {
    type Event = MonitorEvent;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        if meta.source != self.peer {
            return Disposition::Discarded(DropReason::UnknownPeer);
        }
        match self.monitor.handle_message(now, datagram) {
            Heard::Reply | Heard::Late | Heard::Copy => Disposition::Accepted,
            Heard::Foreign => Disposition::Discarded(DropReason::NoReceiver),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.monitor.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        if !batch.fits(super::MESSAGE_BYTES_MAX) {
            return None;
        }
        let probe = self.monitor.poll_message(now)?;
        put(batch, &probe, self.peer)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.monitor.poll_timeout()
    }

    fn poll_event(&mut self) -> Option<MonitorEvent> {
        self.monitor.poll_event()
    }
}

fn put(batch: &mut Batch<'_>, message: &Written, destination: SocketAddr) -> Option<Transmit> {
    let (size, ecn) = (message.len(), Ecn::NotEct);
    let sent = Transmit { source: None, destination, ecn, size, segment_size: None };
    batch.put(message).then_some(sent)
}

/// Answers probes that come as datagrams, from anybody, and keeps nothing of who asked.
#[derive(Debug)]
pub struct DatagramEcho {
    format: Format,
    pub(super) outbox: VecDeque<(SocketAddr, Written)>,
    pub(super) events: VecDeque<EchoEvent>,
    /// Words answered since the second began that is under way.
    words: (Instant, u32),
    now: Instant,
}

impl DatagramEcho {
    /// The most replies that wait for the driver; more are dropped, as if the network had.
    pub const OUTBOX_MAX: usize = 1_024;
    /// The most events that wait for the application; the oldest go.
    pub const EVENTS_MAX: usize = 4_096;
    /// The most probes of [`Format::Word`] that are answered in a second. The answer to the word is
    /// the word, so two hosts that answer it keep each other busy for ever, with this rate at most.
    pub const WORDS_PER_SECOND_MAX: u32 = 1_000;

    /// Answers probes of this format.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            outbox: VecDeque::new(),
            events: VecDeque::new(),
            words: (Instant::ZERO, 0),
            now: Instant::ZERO,
        }
    }

    fn has_budget(&mut self, now: Instant) -> bool {
        if self.format == Format::Token {
            return true;
        }
        let (since, count) = &mut self.words;
        if now - *since >= Duration::from_secs(1) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= Self::WORDS_PER_SECOND_MAX
    }

    fn emit(&mut self, event: EchoEvent) {
        if self.events.len() >= Self::EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

impl Endpoint for DatagramEcho {
    type Event = EchoEvent;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        self.now = self.now.max(now);
        let Some(reply) = answer(self.format, datagram) else {
            self.emit(EchoEvent::Ignored(meta.source));
            return Disposition::Discarded(DropReason::NoReceiver);
        };
        if self.outbox.len() >= Self::OUTBOX_MAX || !self.has_budget(now) {
            self.emit(EchoEvent::Ignored(meta.source));
            return Disposition::Discarded(DropReason::InboxFull);
        }
        self.outbox.push_back((meta.source, reply));
        self.emit(EchoEvent::Answered(meta.source));
        Disposition::Accepted
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    fn poll_transmit(&mut self, _: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        let (destination, reply) = self.outbox.front()?;
        let sent = put(batch, reply, *destination)?;
        self.outbox.pop_front();
        Some(sent)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (!self.outbox.is_empty() || !self.events.is_empty()).then_some(self.now)
    }

    fn poll_event(&mut self) -> Option<EchoEvent> {
        self.events.pop_front()
    }
}
