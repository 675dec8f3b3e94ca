//! One endpoint behind one socket.

use alloc::{vec, vec::Vec};
use core::{net::SocketAddr, ops::Range};
use std::io;

use crate::{
    batch::Batch,
    endpoint::{Disposition, Endpoint, RecvMeta},
    net::{Clock, Interest, Sent, Socket, wait},
    time::Instant,
    trace::{NodeId, Observer, Place, Record},
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
    scratch: Vec<u8>,
    stats: DriverStats,
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
        if self.unsent.is_some() { None } else { self.endpoint.poll_timeout() }
    }

    /// Whether the send buffer is full: what was given last still waits for room.
    pub fn is_blocked(&self) -> bool {
        self.unsent.is_some()
    }

    /// Whether there is something to do at `now` without anything arriving. A program that ends
    /// may want to wait until there is not.
    pub fn has_work(&self, now: Instant) -> bool {
        self.is_blocked() || self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// What to wait for on its socket.
    pub fn interest(&self) -> Interest<'_> {
        Interest::read(&self.socket).and_write(self.unsent.is_some())
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
        let wants = observer.wants_records();
        if wants != self.tracing {
            self.tracing = wants;
            self.endpoint.set_tracing(wants);
        }
        let mut turn = Turn::default();
        for _ in 0..Self::RECEIVE_MAX {
            let Some((len, source)) = self.socket.recv_from(&mut self.scratch)? else { break };
            let now = self.clock.now();
            let disposition =
                self.endpoint.handle_datagram(now, RecvMeta::from(source), &self.scratch[..len]);
            self.stats.datagrams_in += 1;
            self.stats.bytes_in += len as u64;
            self.stats.discarded += u64::from(disposition != Disposition::Accepted);
            turn.received += 1;
            self.trace(now, observer);
        }
        let now = self.clock.now();
        if self.endpoint.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.endpoint.handle_timeout(now);
            self.trace(now, observer);
        }
        turn.sent = self.transmit(now);
        self.trace(now, observer);
        Ok(turn)
    }

    /// Takes batches from the endpoint and sends them, until there are none, the socket is full or
    /// it is enough for one turn.
    fn transmit(&mut self, now: Instant) -> usize {
        let mut sent = 0;
        for _ in 0..Self::TRANSMIT_MAX {
            if let Some(unsent) = self.unsent.take() {
                self.unsent = self.send(unsent);
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
            self.unsent = self.send(unsent);
        }
        sent
    }

    /// Sends the segments of a batch; returns those that found no room.
    fn send(&mut self, mut unsent: Unsent) -> Option<Unsent> {
        loop {
            let end = unsent.bytes.end.min(unsent.bytes.start + unsent.segment);
            let datagram = &self.space[unsent.bytes.start..end];
            if self.socket.send_to(datagram, unsent.destination) == Sent::WouldBlock {
                return Some(unsent);
            }
            unsent.bytes.start = end;
            if unsent.bytes.is_empty() {
                return None;
            }
        }
    }

    fn trace(&mut self, now: Instant, observer: &mut (impl Observer + ?Sized)) {
        if self.tracing {
            while let Some(event) = self.endpoint.poll_trace() {
                observer.record(&Record { at: now, place: Place::Node(self.node), event });
            }
        }
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
