//! One endpoint behind one socket.

use alloc::{boxed::Box, vec, vec::Vec};
use core::{net::SocketAddr, ops::Range};
use std::io;

use crate::{
    batch::Batch,
    endpoint::{Disposition, Endpoint, RecvMeta},
    link::{Delivery, Link},
    net::{Clock, Interest, Sent, Socket, wait},
    time::Instant,
    trace::{NodeId, Observer, Place, Record, TraceEvent},
};

/// What one turn did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Datagrams that the endpoint gave and that went on their way.
    pub sent: usize,
    /// Datagrams that the endpoint took.
    pub received: usize,
}

/// What a driver did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriverStats {
    /// Datagrams the endpoint gave.
    pub datagrams_out: u64,
    /// Bytes in those.
    pub bytes_out: u64,
    /// Datagrams the endpoint was given.
    pub datagrams_in: u64,
    /// Bytes in those.
    pub bytes_in: u64,
    /// Datagrams the endpoint discarded.
    pub discarded: u64,
}

/// The blocking driver: an endpoint, a socket and a clock.
///
/// The application calls [`turn`](Self::turn) in a loop, and between two turns talks to its
/// endpoint with [`endpoint_mut`](Self::endpoint_mut): hands messages over and drains
/// [`poll_event`](Endpoint::poll_event). An endpoint whose events are not drained is due at once,
/// and the loop spins.
///
/// ```no_run
/// use rdtp::{endpoint::Endpoint, net::{Clock, Driver, Socket, SocketConfig}};
///
/// fn run<E: Endpoint>(endpoint: E) -> std::io::Result<()> {
///     let socket = Socket::bind("127.0.0.1:0".parse().unwrap(), &SocketConfig::default())?;
///     let mut driver = Driver::new(endpoint, socket, Clock::start());
///     loop {
///         driver.turn(&mut (), None)?;
///         while let Some(event) = driver.endpoint_mut().poll_event() {
///             // act on it
/// #           let _ = event;
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Driver<E> {
    endpoint: E,
    socket: Socket,
    clock: Clock,
    node: NodeId,
    tracing: bool,
    /// Where the endpoint writes what it wants sent.
    space: Vec<u8>,
    /// What of `space` the socket has not taken yet.
    unsent: Option<Unsent>,
    links: Option<Box<Links>>,
    scratch: Vec<u8>,
    stats: DriverStats,
}

/// The bad network between the endpoint and the socket.
#[derive(Debug)]
struct Links {
    outgoing: Link<SocketAddr>,
    incoming: Link<SocketAddr>,
    /// What is called the other end in traces.
    peer: NodeId,
    /// What left the outgoing link when the send buffer was full.
    stuck: Option<Delivery<SocketAddr>>,
}

/// The rest of a batch for which the send buffer had no room.
#[derive(Clone, Debug)]
struct Unsent {
    destination: SocketAddr,
    bytes: Range<usize>,
    segment: usize,
}

impl<E: Endpoint> Driver<E> {
    /// The most datagrams that one turn takes from the socket.
    pub const RECEIVE_MAX: usize = 64;
    /// The most batches that one turn takes from the endpoint.
    pub const TRANSMIT_MAX: usize = 16;

    /// The most datagrams that leave the outgoing link in one turn.
    pub const RELEASE_MAX: usize = 256;

    /// `endpoint` behind `socket`. Drivers that wait together share one clock by copy.
    pub fn new(endpoint: E, socket: Socket, clock: Clock) -> Self {
        Self {
            endpoint,
            socket,
            clock,
            node: NodeId(0),
            tracing: false,
            space: vec![0; Socket::DATAGRAM_BYTES_MAX],
            unsent: None,
            links: None,
            // One more, so that nothing the endpoint gets was cut off unseen.
            scratch: vec![0; Socket::DATAGRAM_BYTES_MAX + 1],
            stats: DriverStats::default(),
        }
    }

    /// The name under which this endpoint appears in traces; `A` unless set.
    #[must_use]
    pub fn with_node(mut self, node: NodeId) -> Self {
        self.node = node;
        self
    }

    /// Puts a bad network before the socket: `outgoing` takes what the endpoint sends, `incoming`
    /// what arrives for it. Traces call the other end `peer`.
    #[must_use]
    pub fn with_links(
        mut self,
        outgoing: Link<SocketAddr>,
        incoming: Link<SocketAddr>,
        peer: NodeId,
    ) -> Self {
        self.links = Some(Box::new(Links { outgoing, incoming, peer, stuck: None }));
        self
    }

    /// The outgoing and the incoming link, if there are any.
    pub fn links(&self) -> Option<(&Link<SocketAddr>, &Link<SocketAddr>)> {
        self.links.as_ref().map(|links| (&links.outgoing, &links.incoming))
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &E {
        &self.endpoint
    }

    /// The endpoint, to send through it and to drain its events.
    pub fn endpoint_mut(&mut self) -> &mut E {
        &mut self.endpoint
    }

    /// The socket.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The address that peers can reach.
    pub fn local_addr(&self) -> SocketAddr {
        self.socket.local_addr()
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// What this driver did so far.
    pub fn stats(&self) -> DriverStats {
        self.stats
    }

    /// When [`step`](Self::step) has something to do even if nothing arrives.
    pub fn deadline(&self) -> Option<Instant> {
        // While the send buffer is full nothing can be transmitted, and what is ready in the
        // endpoint stays ready: only room in the buffer, or a datagram, changes anything.
        let endpoint = if self.unsent.is_some() { None } else { self.endpoint.poll_timeout() };
        let Some(links) = &self.links else { return endpoint };
        let leaves = if links.stuck.is_some() { None } else { links.outgoing.poll_timeout() };
        earliest(endpoint, earliest(leaves, links.incoming.poll_timeout()))
    }

    /// Whether the send buffer is full: what was given last still waits for room.
    pub fn is_blocked(&self) -> bool {
        self.unsent.is_some() || self.links.as_ref().is_some_and(|links| links.stuck.is_some())
    }

    /// Whether there is something to do at `now` without anything arriving, or something has not
    /// left the outgoing link. A program that ends may want to wait until there is not.
    pub fn has_work(&self, now: Instant) -> bool {
        self.is_blocked()
            || self.deadline().is_some_and(|deadline| deadline <= now)
            || self.links.as_ref().is_some_and(|links| links.outgoing.in_flight() > 0)
    }

    /// What to wait for on its socket.
    pub fn interest(&self) -> Interest<'_> {
        Interest::read(&self.socket).and_write(self.is_blocked())
    }

    /// Waits until a datagram arrives, a deadline comes or it is `until`, whichever is first, and
    /// then does one [`step`](Self::step).
    ///
    /// Fails only when the socket itself is of no more use.
    pub fn turn(
        &mut self,
        observer: &mut (impl Observer + ?Sized),
        until: Option<Instant>,
    ) -> io::Result<Turn> {
        let wake = earliest(self.deadline(), until);
        wait(&[self.interest()], wake, &self.clock)?;
        self.step(observer)
    }

    /// Does what can be done now, within bounds, and does not wait: takes datagrams, acts on
    /// deadlines, sends.
    ///
    /// For several drivers in one thread: [`wait`] for the [`interest`](Self::interest)s of all
    /// until the earliest [`deadline`](Self::deadline), then step each.
    pub fn step(&mut self, observer: &mut (impl Observer + ?Sized)) -> io::Result<Turn> {
        self.set_tracing(observer.wants_records());
        let mut turn = Turn { sent: 0, received: self.receive(observer)? };
        let now = self.clock.now();
        if self.endpoint.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.endpoint.handle_timeout(now);
            self.trace(now, observer);
        }
        turn.sent = self.transmit(now);
        self.release(now);
        self.trace(now, observer);
        Ok(turn)
    }

    fn set_tracing(&mut self, on: bool) {
        if on != self.tracing {
            self.tracing = on;
            self.endpoint.set_tracing(on);
            if let Some(links) = &mut self.links {
                links.outgoing.set_tracing(on);
                links.incoming.set_tracing(on);
            }
        }
    }

    /// Takes datagrams from the socket, and from the incoming link what has arrived there.
    fn receive(&mut self, observer: &mut (impl Observer + ?Sized)) -> io::Result<usize> {
        let mut received = 0;
        for _ in 0..Self::RECEIVE_MAX {
            let Some((len, source)) = self.socket.recv_from(&mut self.scratch)? else { break };
            let (now, datagram) = (self.clock.now(), &self.scratch[..len]);
            if let Some(links) = &mut self.links {
                links.incoming.offer(now, datagram, source);
                continue;
            }
            let disposition = self.endpoint.handle_datagram(now, RecvMeta::from(source), datagram);
            self.stats.took(len, disposition);
            received += 1;
            self.trace(now, observer);
        }
        let now = self.clock.now();
        while received < Self::RECEIVE_MAX {
            let Some(links) = &mut self.links else { break };
            let Some(delivery) = links.incoming.poll_deliver(now) else { break };
            let meta = RecvMeta::from(delivery.tag);
            let disposition = self.endpoint.handle_datagram(now, meta, &delivery.bytes);
            self.stats.took(delivery.bytes.len(), disposition);
            links.incoming.recycle(delivery.bytes);
            received += 1;
            self.trace(now, observer);
        }
        Ok(received)
    }

    /// Takes batches from the endpoint and sends them, until there are none, the socket is full or
    /// it is enough for one turn.
    fn transmit(&mut self, now: Instant) -> usize {
        let mut sent = 0;
        for _ in 0..Self::TRANSMIT_MAX {
            if let Some(unsent) = self.unsent.take() {
                self.unsent = self.send(now, unsent);
                if self.unsent.is_some() {
                    break;
                }
            }
            let mut batch = Batch::new(&mut self.space);
            let Some(transmit) = self.endpoint.poll_transmit(now, &mut batch) else { break };
            sent += batch.count();
            self.stats.datagrams_out += batch.count() as u64;
            self.stats.bytes_out += transmit.size as u64;
            self.unsent = Some(Unsent {
                destination: transmit.destination,
                bytes: 0..transmit.size,
                segment: transmit.segment_size.unwrap_or(transmit.size),
            });
        }
        if let Some(unsent) = self.unsent.take() {
            self.unsent = self.send(now, unsent);
        }
        sent
    }

    /// Sends the segments of a batch; returns those that found no room.
    fn send(&mut self, now: Instant, mut unsent: Unsent) -> Option<Unsent> {
        loop {
            let end = unsent.bytes.end.min(unsent.bytes.start + unsent.segment);
            let datagram = &self.space[unsent.bytes.start..end];
            if let Some(links) = &mut self.links {
                links.outgoing.offer(now, datagram, unsent.destination);
            } else if self.socket.send_to(datagram, unsent.destination) == Sent::WouldBlock {
                return Some(unsent);
            }
            unsent.bytes.start = end;
            if unsent.bytes.is_empty() {
                return None;
            }
        }
    }

    /// Sends what has left the outgoing link.
    fn release(&mut self, now: Instant) {
        let Some(links) = &mut self.links else { return };
        for _ in 0..Self::RELEASE_MAX {
            let next = links.stuck.take().or_else(|| links.outgoing.poll_deliver(now));
            let Some(delivery) = next else { break };
            if self.socket.send_to(&delivery.bytes, delivery.tag) == Sent::WouldBlock {
                links.stuck = Some(delivery);
                break;
            }
            links.outgoing.recycle(delivery.bytes);
        }
    }

    fn trace(&mut self, now: Instant, observer: &mut (impl Observer + ?Sized)) {
        if !self.tracing {
            return;
        }
        let mut record = |place, event| observer.record(&Record { at: now, place, event });
        while let Some(event) = self.endpoint.poll_trace() {
            record(Place::Node(self.node), event);
        }
        let Some(links) = &mut self.links else { return };
        let (here, there) = (self.node, links.peer);
        for (link, from, to) in
            [(&mut links.outgoing, here, there), (&mut links.incoming, there, here)]
        {
            while let Some((datagram, fate)) = link.poll_fate() {
                record(Place::Link { from, to }, TraceEvent::Link { datagram, fate });
            }
        }
    }
}

impl DriverStats {
    fn took(&mut self, bytes: usize, disposition: Disposition) {
        self.datagrams_in += 1;
        self.bytes_in += bytes as u64;
        self.discarded += u64::from(disposition != Disposition::Accepted);
    }
}

/// The earlier of two deadlines, where `None` is never.
fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
