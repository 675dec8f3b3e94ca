//! One endpoint behind one socket.

mod receive;

use alloc::{boxed::Box, vec, vec::Vec};
use core::{net::SocketAddr, time::Duration};
use std::{
    io::{self, IoSlice},
    thread,
};

use super::{
    spin::Spin,
    unsent::{Lies, Unsent},
    waker::Wakeups,
};
use crate::{
    batch::Batch,
    endpoint::{Disposition, Endpoint, Offer, RecvMeta, Train},
    link::{Delivery, Link, LinkConfig},
    net::{Clock, Interest, Sent, Socket, Waker, wait},
    sys::udp::{Inbox, MESSAGES_MAX, Outgoing},
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
    /// What of `space` the socket has not taken yet, in order.
    unsent: Vec<Unsent>,
    links: Option<Box<Links>>,
    /// What arrived and was not looked at.
    inbox: Inbox,
    spin: Spin,
    wakeups: Option<Wakeups>,
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

impl<E: Endpoint> Driver<E> {
    /// One turn takes no more from the socket after so many datagrams. What the system delivers
    /// together is taken together, so there may be a few hundred.
    pub const RECEIVE_MAX: usize = 64;
    /// The most batches that one turn takes from the endpoint.
    pub const TRANSMIT_MAX: usize = 16;

    /// The most datagrams that leave the outgoing link in one turn.
    pub const RELEASE_MAX: usize = 256;

    /// `endpoint` behind `socket`, with all that the system can do for many datagrams at once
    /// ([`Socket::capabilities`]). Drivers that wait together share one clock by copy.
    pub fn new(endpoint: E, mut socket: Socket, clock: Clock) -> Self {
        socket.set_up_batching();
        Self {
            endpoint,
            socket,
            clock,
            node: NodeId(0),
            tracing: false,
            space: vec![0; MESSAGES_MAX * Socket::DATAGRAM_BYTES_MAX],
            unsent: Vec::with_capacity(MESSAGES_MAX),
            links: None,
            inbox: Inbox::new(),
            spin: Spin::default(),
            wakeups: None,
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

    /// How long at most [`turn`](Self::turn) looks again and again before it sleeps, when what it waited
    /// for lately came so soon; 50 us unless set, zero for never. It is 20 us as a rule, and more where
    /// that would have been too little the last time. A sleeper costs its peer the time to wake it, with
    /// every batch.
    #[must_use]
    pub fn with_spin(mut self, longest: Duration) -> Self {
        self.spin = Spin::new(longest);
        self
    }

    /// A handle to end the wait of [`turn`](Self::turn) from another thread. Fails when the system
    /// has no descriptor left.
    pub fn waker(&mut self) -> io::Result<Waker> {
        match &self.wakeups {
            Some(wakeups) => Ok(wakeups.waker()),
            None => Ok(self.wakeups.insert(Wakeups::new()?).waker()),
        }
    }

    /// Makes the bad network another one from now on; what is on its way keeps its fate. False when
    /// there is none to be changed.
    pub fn set_links(&mut self, outgoing: &LinkConfig, incoming: &LinkConfig) -> bool {
        let now = self.clock.now();
        let Some(links) = &mut self.links else { return false };
        links.outgoing.set_config(now, outgoing.clone());
        links.incoming.set_config(now, incoming.clone());
        true
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

    /// The endpoint alone, without what was on its way.
    pub fn into_endpoint(self) -> E {
        self.endpoint
    }

    /// The socket.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// A peer at which nobody listens, as its machine said; on sockets that
    /// [ask for it](Socket::hear_refusals).
    pub fn poll_refusal(&mut self) -> Option<SocketAddr> {
        self.socket.poll_refusal()
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
        let endpoint = if self.unsent.is_empty() { self.endpoint.poll_timeout() } else { None };
        let Some(links) = &self.links else { return endpoint };
        let leaves = if links.stuck.is_some() { None } else { links.outgoing.poll_timeout() };
        earliest(endpoint, earliest(leaves, links.incoming.poll_timeout()))
    }

    /// Whether the send buffer is full: what was given last still waits for room.
    pub fn is_blocked(&self) -> bool {
        !self.unsent.is_empty() || self.links.as_ref().is_some_and(|links| links.stuck.is_some())
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

    /// Waits until a datagram arrives, a deadline comes, somebody [wakes](Waker::wake) it or it is
    /// `until`, whichever is first, and then does one [`step`](Self::step).
    ///
    /// Fails only when the socket itself is of no more use.
    pub fn turn(
        &mut self,
        observer: &mut (impl Observer + ?Sized),
        until: Option<Instant>,
    ) -> io::Result<Turn> {
        self.wait(until)?;
        self.step(observer)
    }

    /// The first half of [`turn`](Self::turn): waits, and does nothing else. For whoever has to look
    /// at something between the two, such as who woke it.
    pub fn wait(&mut self, until: Option<Instant>) -> io::Result<()> {
        let wake = earliest(self.deadline(), until);
        if self.inbox.is_empty() && !self.is_due(wake)? {
            let mut interests = [self.interest(); 2];
            let mut count = 1;
            if let Some(wakeups) = &self.wakeups {
                interests[1] = Interest::read(wakeups);
                count = 2;
            }
            let before = self.clock.now();
            wait(&interests[..count], wake, &self.clock)?;
            let slept = self.clock.now() - before;
            self.spin.on_slept(slept);
        }
        if let Some(wakeups) = &mut self.wakeups {
            wakeups.hear();
        }
        Ok(())
    }

    /// Looks for a short while whether there is something to do; what has arrived is in the inbox.
    fn is_due(&mut self, wake: Option<Instant>) -> io::Result<bool> {
        let start = self.clock.now();
        let end = start + self.spin.length();
        let mut now = start;
        loop {
            let woken = self.wakeups.as_ref().is_some_and(Wakeups::is_woken);
            if woken || wake.is_some_and(|wake| wake <= now) {
                return Ok(true);
            }
            if self.is_blocked() {
                return Ok(false);
            }
            // Bulk has arrived before anybody asks: to wait for it would be one call more.
            if self.fetch()? {
                if now > start {
                    self.spin.on_met();
                }
                return Ok(true);
            }
            now = self.clock.now();
            if now >= end {
                self.spin.on_waited_in_vain();
                return Ok(false);
            }
            // The peer may be waiting for this very core.
            thread::yield_now();
        }
    }

    /// Does what can be done now, within bounds, and does not wait: takes datagrams, acts on
    /// deadlines, sends.
    ///
    /// For several drivers in one thread: [`wait`] for the [`interest`](Self::interest)s of all
    /// until the earliest [`deadline`](Self::deadline), then step each.
    pub fn step(&mut self, observer: &mut (impl Observer + ?Sized)) -> io::Result<Turn> {
        self.step_with(observer, &mut |endpoint, now, meta, train| {
            (1, endpoint.handle_datagram(now, meta, train.first()))
        })
    }

    /// Like [`step`](Self::step), handing datagrams over by `handle`, as they arrived together. It says
    /// how many of the first ones it has taken, at least one, and what became of them. For endpoints
    /// that give more away with a datagram than [`Endpoint::handle_datagram`] does, such as
    /// [`Host::handle_train_for`](crate::transport::host::Host::handle_train_for).
    pub fn step_with(
        &mut self,
        observer: &mut (impl Observer + ?Sized),
        handle: &mut impl FnMut(&mut E, Instant, RecvMeta, Train<'_>) -> (usize, Disposition),
    ) -> io::Result<Turn> {
        self.step_while(observer, &mut |endpoint, now, meta, train| {
            Some(handle(endpoint, now, meta, train))
        })
    }

    /// The same with a choice: a datagram of which `handle` makes nothing stays where it is, with all
    /// that came after it, for the next step to begin with. Then nothing else is done either, and
    /// [something is left](Self::has_arrivals).
    pub(super) fn step_while(
        &mut self,
        observer: &mut (impl Observer + ?Sized),
        handle: &mut impl FnMut(&mut E, Instant, RecvMeta, Train<'_>) -> Option<(usize, Disposition)>,
    ) -> io::Result<Turn> {
        self.set_tracing(observer.wants_records());
        let received = self.receive(observer, handle)?;
        let sent = if self.has_arrivals() { 0 } else { self.act(observer) };
        Ok(Turn { sent, received })
    }

    /// The second half of [`step`](Self::step): acts on deadlines and sends, and takes nothing from the
    /// socket. For whoever has just written something, and waits for what comes of it anyhow. Returns
    /// how many datagrams went on their way.
    pub fn act(&mut self, observer: &mut (impl Observer + ?Sized)) -> usize {
        self.set_tracing(observer.wants_records());
        let now = self.clock.now();
        if self.endpoint.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.endpoint.handle_timeout(now);
            self.trace(now, observer);
        }
        let sent = self.transmit(now);
        self.release(now);
        if self.socket.take_move() {
            self.endpoint.handle_move(now);
        }
        self.trace(now, observer);
        sent
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

    /// Takes batches from the endpoint and sends them, until there are none, the socket is full or
    /// it is enough for one turn.
    fn transmit(&mut self, now: Instant) -> usize {
        let mut sent = 0;
        let mut batches = 0;
        let mut more = true;
        while self.flush(now) && more && batches < Self::TRANSMIT_MAX {
            // Several batches leave with one call, one after the other in the same space.
            let (mut start, mut lent) = (0, 0);
            while self.unsent.len() < MESSAGES_MAX
                && self.space.len() - start >= Socket::DATAGRAM_BYTES_MAX
            {
                let space = &mut self.space[start..][..Socket::DATAGRAM_BYTES_MAX];
                let mut batch = Batch::new(space);
                let Some(offer) = self.endpoint.poll_offer(now, &mut batch) else {
                    more = false;
                    break;
                };
                let (Offer::Written(transmit) | Offer::Lent(transmit)) = offer;
                let segment = transmit.segment_size.unwrap_or(transmit.size);
                let count = transmit.size.div_ceil(segment.max(1)).max(1);
                sent += count;
                batches += 1;
                self.stats.datagrams_out += count as u64;
                self.stats.bytes_out += transmit.size as u64;
                if let Offer::Lent(_) = offer {
                    self.unsent.push(Unsent { transmit, lies: Lies::Lent(lent), segment });
                    lent += 1;
                } else {
                    let bytes = start..start + transmit.size;
                    start = bytes.end;
                    self.unsent.extend(Unsent::split(transmit, bytes, segment));
                }
            }
        }
        sent
    }

    /// Sends what is there; false when the socket is full. Nothing is lent any more afterwards.
    fn flush(&mut self, now: Instant) -> bool {
        let mut done = 0;
        if let Some(links) = &mut self.links {
            for unsent in self.unsent.drain(..) {
                let to = unsent.transmit.destination;
                let mut each = |bytes: &[u8]| {
                    let datagrams = bytes.chunks(unsent.segment.max(1));
                    datagrams.for_each(|datagram| _ = links.outgoing.offer(now, datagram, to));
                };
                match unsent.lies {
                    Lies::Here(bytes) => each(&self.space[bytes]),
                    Lies::Lent(nth) => self.endpoint.lent(nth, &mut each),
                }
            }
        }
        while done < self.unsent.len() {
            let rest = &self.unsent[done..];
            let count = rest.len().min(MESSAGES_MAX);
            let mut parts = [IoSlice::new(&[]); MESSAGES_MAX * Batch::SEGMENTS_MAX];
            let mut batches = [Outgoing::NONE; MESSAGES_MAX];
            let mut ends = [0; MESSAGES_MAX];
            let mut end = 0;
            for (at, unsent) in ends.iter_mut().zip(rest) {
                let mut put = |part| {
                    parts[end] = IoSlice::new(part);
                    end += 1;
                };
                match &unsent.lies {
                    Lies::Here(bytes) => put(&self.space[bytes.clone()]),
                    Lies::Lent(nth) => self.endpoint.lent(*nth, &mut put),
                }
                *at = end;
            }
            let mut start = 0;
            for ((batch, &end), unsent) in batches.iter_mut().zip(&ends).zip(rest) {
                *batch = unsent.message(&self.socket, &parts[start..end]);
                start = end;
            }
            let progress = self.socket.send_batches(&batches[..count]);
            done += progress.batches;
            if progress.batches < count {
                self.keep(done, progress.bytes);
                return false;
            }
        }
        self.unsent.clear();
        self.endpoint.take_back();
        true
    }

    /// Keeps what the socket has not taken: all from batch `done` on but its first `bytes`. What is
    /// lent is copied, since the endpoint may change before there is room.
    fn keep(&mut self, done: usize, mut bytes: usize) {
        let mut kept = Vec::new();
        let mut unsent = Vec::with_capacity(MESSAGES_MAX);
        for batch in self.unsent.drain(done..) {
            let start = kept.len();
            match batch.lies {
                Lies::Here(range) => kept.extend_from_slice(&self.space[range]),
                Lies::Lent(nth) => {
                    self.endpoint.lent(nth, &mut |piece| kept.extend_from_slice(piece));
                }
            }
            let from = start + core::mem::take(&mut bytes);
            unsent.push(Unsent { lies: Lies::Here(from..kept.len()), ..batch });
        }
        self.space[..kept.len()].copy_from_slice(&kept);
        self.unsent = unsent;
        self.endpoint.take_back();
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
    fn took(&mut self, train: Train<'_>, disposition: Disposition) {
        let count = train.count() as u64;
        self.datagrams_in += count;
        self.bytes_in += train.bytes().len() as u64;
        self.discarded += if disposition == Disposition::Accepted { 0 } else { count };
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
