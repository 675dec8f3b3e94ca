//! Monitor and answer over the production transport: messages on one stream of one connection.

use core::net::SocketAddr;
use std::collections::{BTreeMap, VecDeque};

use rdtp::{
    app::monitor::{
        EchoEvent, Format, MESSAGE_BYTES_MAX, Monitor, MonitorEndpoint, MonitorEvent, answer,
    },
    batch::Batch,
    endpoint::{Disposition, Endpoint, RecvMeta, Transmit},
    rng::Seed,
    time::Instant,
    trace::TraceEvent,
    transport::{
        connection::{Connection, Event},
        cookie::Secret,
        host::{Host, HostConfig, HostEvent},
        message::{MessageConfig, MessageReceiver, MessageSender, RecvError},
        stream::StreamEvent,
    },
    wire::transport::{ConnectionId, StreamId},
};

use super::super::Failure;

const MESSAGES: MessageConfig =
    MessageConfig { message_bytes_max: MESSAGE_BYTES_MAX as u64, refusal_code: 1 };

/// Streams that a peer may have open: one carries probes.
const STREAMS_MAX: u64 = 4;
/// Monitors that are answered at the same time.
const PEERS_MAX: usize = 1_024;

fn host(accepts: bool, seed: Seed) -> Result<Host, Failure> {
    let mut config = HostConfig { accepts, connections_max: PEERS_MAX, ..HostConfig::default() };
    config.connection.streams.peer_streams_max = STREAMS_MAX;
    let mut secret = [0; 16];
    seed.split("secret").rng().fill(&mut secret);
    Ok(Host::new(config, Secret::new(secret), seed)?)
}

/// A [`Monitor`] that keeps a connection to its peer, and opens a new one when that has ended.
pub(super) struct RdtMonitor {
    monitor: Monitor,
    host: Host,
    peer: SocketAddr,
    line: Option<Line>,
    trouble: Option<String>,
}

/// A connection, and the stream for the probes.
struct Line {
    id: ConnectionId,
    sender: MessageSender,
    receiver: MessageReceiver,
    message: Vec<u8>,
}

impl RdtMonitor {
    pub(super) fn new(monitor: Monitor, peer: SocketAddr, seed: Seed) -> Result<Self, Failure> {
        Ok(Self { monitor, host: host(false, seed)?, peer, line: None, trouble: None })
    }

    /// Why the last connection ended, once.
    pub(super) fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    pub(super) fn close(&mut self, now: Instant) {
        let id = self.line.take().map(|line| line.id);
        if let Some(connection) = id.and_then(|id| self.host.get_mut(id)) {
            connection.close(now, 0, b"done");
        }
    }

    /// Sends a probe, over a new connection if there is none.
    fn send(&mut self, now: Instant, probe: &[u8]) {
        if self.line.is_none() {
            let id = self.host.open(now, self.peer);
            let stream = self.host.get_mut(id).and_then(|there| there.open_stream(0).ok());
            self.line = stream.map(|stream| Line {
                id,
                sender: MessageSender::new(stream),
                receiver: MessageReceiver::new(stream, MESSAGES),
                message: Vec::new(),
            });
        }
        let Some(line) = &mut self.line else { return };
        let sent = self.host.get_mut(line.id).is_some_and(|there| {
            // A few bytes a probe never fill a send buffer of megabytes, whatever waits there.
            line.sender.send(there, probe).is_ok()
        });
        if !sent {
            self.hang_up(now);
        }
    }

    fn hang_up(&mut self, now: Instant) {
        self.close(now);
        self.monitor.handle_unreachable(now);
    }

    fn listen(&mut self, now: Instant) {
        while let Some(HostEvent { id, event }) = self.host.poll_event() {
            let Some(line) = self.line.as_mut().filter(|line| line.id == id) else { continue };
            match event {
                Event::Stream(StreamEvent::Readable(_)) => {
                    let Some(there) = self.host.get_mut(id) else { continue };
                    let ended = line.read(now, there, &mut self.monitor);
                    if let Err(error) = ended {
                        self.trouble = Some(error.to_string());
                        self.hang_up(now);
                    }
                }
                Event::Closed(reason) => {
                    self.line = None;
                    self.trouble = Some(reason.to_string());
                    self.monitor.handle_unreachable(now);
                }
                _ => {}
            }
        }
    }
}

impl Line {
    /// Takes the replies that are there; an error means that no more will come.
    fn read(
        &mut self,
        now: Instant,
        there: &mut Connection,
        monitor: &mut Monitor,
    ) -> Result<(), RecvError> {
        loop {
            match self.receiver.recv(now, there, &mut self.message) {
                Ok(()) => {
                    monitor.handle_message(now, &self.message);
                    self.message.clear();
                }
                Err(RecvError::Blocked) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

impl MonitorEndpoint for RdtMonitor {
    fn monitor(&self) -> &Monitor {
        &self.monitor
    }
    fn monitor_mut(&mut self) -> &mut Monitor {
        &mut self.monitor
    }
}

impl Endpoint for RdtMonitor {
    type Event = MonitorEvent;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        let disposition = self.host.handle_datagram(now, meta, datagram);
        self.listen(now);
        disposition
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.host.handle_timeout(now);
        self.listen(now);
        self.monitor.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        if let Some(probe) = self.monitor.poll_message(now) {
            self.send(now, &probe);
        }
        self.host.poll_transmit(now, batch)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.host.poll_timeout().into_iter().chain(self.monitor.poll_timeout()).min()
    }

    fn poll_event(&mut self) -> Option<MonitorEvent> {
        self.monitor.poll_event()
    }

    fn set_tracing(&mut self, on: bool) {
        self.host.set_tracing(on);
    }

    fn poll_trace(&mut self) -> Option<TraceEvent> {
        self.host.poll_trace()
    }
}

/// Answers probes on every stream of every connection.
pub(super) struct RdtEcho {
    host: Host,
    streams: BTreeMap<(ConnectionId, StreamId), Talk>,
    events: VecDeque<EchoEvent>,
    now: Instant,
}

/// One stream with probes.
struct Talk {
    receiver: MessageReceiver,
    sender: MessageSender,
    message: Vec<u8>,
}

impl RdtEcho {
    /// The most events that wait for the application; the oldest go.
    const EVENTS_MAX: usize = 4_096;

    pub(super) fn new(seed: Seed) -> Result<Self, Failure> {
        Ok(Self {
            host: host(true, seed)?,
            streams: BTreeMap::new(),
            events: VecDeque::new(),
            now: Instant::ZERO,
        })
    }

    fn listen(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(HostEvent { id, event }) = self.host.poll_event() {
            match event {
                Event::Stream(StreamEvent::Readable(stream)) => self.read(now, id, stream),
                Event::Closed(_) => self.streams.retain(|(connection, _), _| *connection != id),
                _ => {}
            }
        }
    }

    fn read(&mut self, now: Instant, id: ConnectionId, stream: StreamId) {
        let Some(there) = self.host.get_mut(id) else { return };
        let peer = there.peer();
        let talk = self.streams.entry((id, stream)).or_insert_with(|| Talk {
            receiver: MessageReceiver::new(stream, MESSAGES),
            sender: MessageSender::new(stream),
            message: Vec::new(),
        });
        loop {
            match talk.receiver.recv(now, there, &mut talk.message) {
                Ok(()) => {
                    let reply = answer(Format::Token, &talk.message);
                    talk.message.clear();
                    let sent = reply.is_some_and(|reply| talk.sender.send(there, &reply).is_ok());
                    if self.events.len() >= Self::EVENTS_MAX {
                        self.events.pop_front();
                    }
                    self.events.push_back(if sent {
                        EchoEvent::Answered(peer)
                    } else {
                        EchoEvent::Ignored(peer)
                    });
                }
                Err(RecvError::Blocked) => return,
                Err(_) => {
                    // Both halves are over then, and the stream is forgotten.
                    let _ = there.finish(stream);
                    self.streams.remove(&(id, stream));
                    return;
                }
            }
        }
    }
}

impl Endpoint for RdtEcho {
    type Event = EchoEvent;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        let disposition = self.host.handle_datagram(now, meta, datagram);
        self.listen(now);
        disposition
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.host.handle_timeout(now);
        self.listen(now);
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.host.poll_transmit(now, batch)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let told = (!self.events.is_empty()).then_some(self.now);
        told.into_iter().chain(self.host.poll_timeout()).min()
    }

    fn poll_event(&mut self) -> Option<EchoEvent> {
        self.events.pop_front()
    }

    fn set_tracing(&mut self, on: bool) {
        self.host.set_tracing(on);
    }

    fn poll_trace(&mut self) -> Option<TraceEvent> {
        self.host.poll_trace()
    }
}
