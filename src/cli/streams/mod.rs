//! Messages over the production transport: for each transfer a connection with one stream, on which
//! messages follow each other (`transport::message`).

mod call;
mod caller;

use core::net::SocketAddr;
use std::collections::{BTreeMap, VecDeque};

pub(crate) use caller::Caller;

use call::Call;
pub(crate) use rdtp::transport::lifecycle::CloseReason;
use rdtp::{
    batch::Batch,
    classic::{Payload, Role},
    endpoint::{Disposition, Endpoint, Offer, RecvMeta, Transmit},
    rng::Seed,
    time::Instant,
    trace::TraceEvent,
    transport::{
        config::{Config, ConfigError},
        connection::{Connection, Event},
        cookie::Secret,
        host::{Host, HostConfig, HostEvent},
        stats::Stats,
        stream::{StreamEvent, StreamLimits},
    },
    wire::transport::ConnectionId,
};

use super::carrier::{draw, secret};

/// With this code a sender closes that has heard the verdict.
pub(crate) const DONE: u64 = 0;
/// With this code a side closes that cannot go on.
pub(crate) const ABORTED: u64 = 1;

/// What happens on a connection.
#[derive(Debug)]
pub(crate) enum News {
    /// A peer has opened it, and the stream.
    Joined(SocketAddr),
    /// A message has arrived.
    Delivered(Payload),
    /// The peer has this many messages in all.
    Acknowledged(u64),
    /// It is over: the last news of it.
    Left(CloseReason),
}

/// Any number of connections behind one socket: an endpoint for whoever is called, and for the
/// caller.
#[derive(Debug)]
pub(crate) struct Streams {
    host: Host,
    calls: BTreeMap<ConnectionId, Call>,
    news: VecDeque<(ConnectionId, News)>,
    /// Connections with a stream that may have messages.
    readable: VecDeque<ConnectionId>,
    /// Something arrived since it was looked for acknowledgements.
    heard: bool,
    /// The latest time that was told.
    now: Instant,
}

impl Streams {
    /// Without connections; `Role::Receiver` accepts them, at most `peers_max`.
    pub(crate) fn new(config: Config, role: Role, peers_max: usize) -> Result<Self, ConfigError> {
        let streams = StreamLimits { peer_streams_max: 1, ..config.streams };
        let config = HostConfig {
            connection: Config { streams, ..config },
            accepts: role != Role::Sender,
            connections_max: peers_max,
            ..HostConfig::default()
        };
        Ok(Self {
            host: Host::new(config, Secret::new(secret()), Seed::new(draw()))?,
            calls: BTreeMap::new(),
            news: VecDeque::new(),
            readable: VecDeque::new(),
            heard: false,
            now: Instant::ZERO,
        })
    }

    /// Opens a connection with a stream. What is sent on it waits for the answer, but for what fits
    /// into the first packets.
    fn open(&mut self, now: Instant, peer: SocketAddr) -> ConnectionId {
        let id = self.host.open(now, peer);
        self.host.hold(id);
        let stream = self.host.get_mut(id).and_then(|there| there.open_stream(0).ok());
        let mut call = stream.map_or_else(Call::default, Call::on);
        call.is_own = true;
        self.calls.insert(id, call);
        id
    }

    fn call(&mut self, id: ConnectionId) -> Option<(&mut Call, &mut Connection)> {
        Some((self.calls.get_mut(&id)?, self.host.get_mut(id)?))
    }

    /// Messages that [`send`](Self::send) takes now.
    pub(crate) fn room(&self, id: ConnectionId) -> usize {
        self.calls.get(&id).map_or(0, Call::room)
    }

    /// Messages that were taken and that the peer has not acknowledged.
    fn unacked(&self, id: ConnectionId) -> u64 {
        self.calls.get(&id).map_or(0, Call::unacked)
    }

    /// Takes a message, if there is [room](Self::room).
    pub(crate) fn send(&mut self, id: ConnectionId, message: &[u8]) -> bool {
        let call = self.call(id);
        call.is_some_and(|(call, connection)| call.send(connection, message))
    }

    /// Ends a connection at once, with a code that the peer hears.
    pub(crate) fn close(&mut self, now: Instant, id: ConnectionId, code: u64) {
        if let Some(connection) = self.host.get_mut(id) {
            connection.close(now, code, b"");
        }
    }

    /// Whether the peer may still hear something on it.
    fn is_alive_or_closing(&self, id: ConnectionId) -> bool {
        self.host.get(id).is_some_and(|there| there.life().is_alive() || there.life().is_closing())
    }

    /// What the connection counted.
    pub(crate) fn stats(&self, id: ConnectionId) -> Option<Stats> {
        self.host.get(id).map(Connection::stats)
    }

    fn on_event(&mut self, HostEvent { id, event }: HostEvent) {
        match event {
            Event::Stream(StreamEvent::Opened(stream)) if !self.calls.contains_key(&id) => {
                if let Some(there) = self.host.get(id) {
                    let peer = there.peer();
                    // What arrives before the end is still to be read.
                    self.host.hold(id);
                    self.calls.insert(id, Call::on(stream));
                    self.news.push_back((id, News::Joined(peer)));
                }
            }
            Event::Stream(StreamEvent::Readable(_)) => {
                if !self.readable.contains(&id) {
                    self.readable.push_back(id);
                }
            }
            Event::Stream(StreamEvent::Writable(_)) => {
                if let Some((call, connection)) = self.call(id) {
                    call.pump(connection);
                }
            }
            Event::Closed(reason) => {
                if let Some(call) = self.calls.get_mut(&id) {
                    call.closed = Some(reason);
                    if !self.readable.contains(&id) {
                        self.readable.push_back(id);
                    }
                }
            }
            Event::Connected | Event::Datagram | Event::Stream(_) => {}
        }
    }

    /// Asks every connection how much the peer has.
    fn hear_acknowledgements(&mut self) {
        if !core::mem::take(&mut self.heard) {
            return;
        }
        for (&id, call) in &mut self.calls {
            if call.is_owing()
                && let Some(connection) = self.host.get(id)
                && let Some(total) = call.acknowledged(connection)
            {
                self.news.push_back((id, News::Acknowledged(total)));
            }
        }
    }

    /// The next message of those that have arrived, or the end of a connection behind its last.
    fn read(&mut self) -> Option<(ConnectionId, News)> {
        while let Some(&id) = self.readable.front() {
            let now = self.now;
            if let Some((call, connection)) = self.call(id) {
                if let Some(message) = call.read(now, connection) {
                    return Some((id, News::Delivered(message)));
                }
                if let Some(reason) = call.closed {
                    let is_own = call.is_own;
                    self.readable.pop_front();
                    if !is_own {
                        self.calls.remove(&id);
                        self.host.release(id);
                    }
                    return Some((id, News::Left(reason)));
                }
            }
            self.readable.pop_front();
        }
        None
    }
}

impl Endpoint for Streams {
    type Event = (ConnectionId, News);

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        (self.now, self.heard) = (now, true);
        self.host.handle_datagram(now, meta, datagram)
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.host.handle_timeout(now);
    }

    fn handle_move(&mut self, now: Instant) {
        self.now = now;
        self.host.handle_move(now);
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.now = now;
        self.host.poll_transmit(now, batch)
    }

    fn poll_offer(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Offer> {
        self.now = now;
        self.host.poll_offer(now, batch)
    }

    fn lent<'a>(&'a self, nth: usize, each: &mut dyn FnMut(&'a [u8])) {
        self.host.lent(nth, each);
    }

    fn take_back(&mut self) {
        self.host.take_back();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.news.is_empty() && self.readable.is_empty() {
            self.host.poll_timeout()
        } else {
            Some(Instant::ZERO)
        }
    }

    fn poll_event(&mut self) -> Option<Self::Event> {
        self.hear_acknowledgements();
        loop {
            if let Some(news) = self.news.pop_front() {
                return Some(news);
            }
            let Some(event) = self.host.poll_event() else { return self.read() };
            self.on_event(event);
        }
    }

    fn set_tracing(&mut self, on: bool) {
        self.host.set_tracing(on);
    }

    fn poll_trace(&mut self) -> Option<TraceEvent> {
        self.host.poll_trace()
    }
}
