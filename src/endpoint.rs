//! The contract between protocols and drivers.
//!
//! An [`Endpoint`] is one side of a conversation as a value: datagrams and time go in, datagrams,
//! deadlines and events come out. It owns no socket, reads no clock and draws no random number, so
//! the same code runs in the [simulator](crate::sim), behind [real sockets](crate::net), and in
//! tests that call it by hand.
//!
//! # The loop of a driver, in six steps
//!
//! 1. Drain [`poll_transmit`](Endpoint::poll_transmit) until it returns `None`; send what it wrote.
//! 2. Drain [`poll_event`](Endpoint::poll_event) until it returns `None`; act on what it says.
//! 3. Ask [`poll_timeout`](Endpoint::poll_timeout) for the next deadline.
//! 4. Wait for a datagram until that deadline, no longer.
//! 5. Hand a datagram over with [`handle_datagram`](Endpoint::handle_datagram).
//! 6. At the deadline call [`handle_timeout`](Endpoint::handle_timeout). Repeat.
//!
//! # What both sides may rely on
//!
//! 1. Any method may be called at any time in any order. Order affects latency, never correctness.
//! 2. `poll_timeout` changes nothing, and is due whenever something is ready to be polled. A driver
//!    that waits only for deadlines and datagrams cannot deadlock.
//! 3. `handle_timeout` too early does nothing, too late does what it would have done in time. After
//!    `handle_timeout(now)` the next deadline is in the future, or there is something to poll.
//! 4. A returned [`Transmit`] counts as sent. A driver whose socket would block keeps it and tries
//!    again; anything else it may drop, and the endpoint will treat that as loss.
//! 5. What an endpoint learns about the path does not depend on how often it was polled.
//! 6. An empty [`Batch`] has room for the longest datagram of the endpoint; 65,507 bytes are enough
//!    for any. One batch has one destination, one ECN mark and equal segments (the last may be shorter).
//! 7. Input from the network never panics and is never an `Err`: it yields a [`Disposition`].
//! 8. The same calls with the same arguments give the same bytes.
//! 9. Every queue that a peer can make grow has a named limit in the endpoint's configuration.
//!
//! `tests/contract/` holds every endpoint of this crate to these rules.

use core::net::{IpAddr, SocketAddr};

use crate::{batch::Batch, ecn::Ecn, time::Instant, trace::TraceEvent};

pub use crate::trace::DropReason;

/// What a driver knows about a datagram it received, beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvMeta {
    /// Who sent it, as far as the network says.
    pub source: SocketAddr,
    /// The mark in its IP header.
    pub ecn: Ecn,
    /// The address of this machine that it was sent to, when the driver knows: one socket may have
    /// several.
    pub local: Option<IpAddr>,
}

impl RecvMeta {
    /// A datagram from `source` without an ECN mark.
    pub const fn from(source: SocketAddr) -> Self {
        Self { source, ecn: Ecn::NotEct, local: None }
    }
}

/// Datagrams that arrived together from one peer, with the same mark: one behind the other, all of one
/// length but the last, which may be shorter. Systems deliver bulk this way (UDP_GRO, see udp(7)).
///
/// There is always a first one, which may be empty.
///
/// ```
/// use rdtp::endpoint::Train;
///
/// let train = Train::new(b"aaabbbc", 3);
/// assert_eq!((train.count(), train.first()), (3, &b"aaa"[..]));
/// let rest = train.after(1).unwrap();
/// assert_eq!(rest.datagrams().collect::<Vec<_>>(), [&b"bbb"[..], b"c"]);
/// assert_eq!(rest.up_to(1).bytes(), b"bbb");
/// assert!(rest.after(2).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Train<'a> {
    bytes: &'a [u8],
    stride: usize,
}

impl<'a> Train<'a> {
    /// The datagrams in `bytes`, of `stride` bytes each. A stride of 0 counts as 1.
    pub fn new(bytes: &'a [u8], stride: usize) -> Self {
        Self { bytes, stride: stride.max(1) }
    }

    /// One datagram.
    pub fn one(datagram: &'a [u8]) -> Self {
        Self::new(datagram, datagram.len())
    }

    /// The first of them.
    pub fn first(&self) -> &'a [u8] {
        &self.bytes[..self.stride.min(self.bytes.len())]
    }

    /// How many there are, at least one.
    pub fn count(&self) -> usize {
        self.bytes.len().div_ceil(self.stride).max(1)
    }

    /// All bytes of all of them.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes of each but the last.
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// One by one.
    pub fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        // An empty datagram is one all the same.
        let empty = self.bytes.is_empty().then_some(self.bytes);
        self.bytes.chunks(self.stride).chain(empty)
    }

    /// What remains without the first `count`; `None` when nothing does.
    pub fn after(&self, count: usize) -> Option<Self> {
        let rest = self.bytes.get(count.saturating_mul(self.stride)..)?;
        (count == 0 || !rest.is_empty()).then_some(Self { bytes: rest, ..*self })
    }

    /// The first `count` of them, at least one.
    #[must_use]
    pub fn up_to(&self, count: usize) -> Self {
        let len = count.max(1).saturating_mul(self.stride).min(self.bytes.len());
        Self { bytes: &self.bytes[..len], ..*self }
    }
}

/// What to do with the bytes that [`Endpoint::poll_transmit`] wrote into the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to send them.
    pub destination: SocketAddr,
    /// Which address of this machine they should leave from; `None` leaves it to the system.
    pub source: Option<IpAddr>,
    /// The mark to put on them.
    pub ecn: Ecn,
    /// Bytes in the batch.
    pub size: usize,
    /// The length of each datagram in the batch (the last may be shorter); `None` for a single one.
    pub segment_size: Option<usize>,
}

/// What [`Endpoint::poll_offer`] has to send, and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// In the batch.
    Written(Transmit),
    /// With the endpoint, which shows it by [`Endpoint::lent`].
    Lent(Transmit),
}

/// What became of a datagram. Counted and traced, never an error: the network owes us nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Disposition {
    /// It was taken and moved the protocol.
    Accepted,
    /// It was not taken, for this reason.
    Discarded(DropReason),
}

/// One side of a conversation, without clock, socket or chance. See the [module](self) for the loop
/// that drives it and for the nine rules that it keeps.
pub trait Endpoint {
    /// What it tells the application.
    type Event;

    /// Takes a datagram that arrived.
    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition;

    /// Acts on every deadline that `now` has reached.
    fn handle_timeout(&mut self, now: Instant);

    /// What this side sends comes from another address from now on, and goes another way: the socket
    /// was connected anew. An endpoint that can tell its peers does so at once.
    fn handle_move(&mut self, now: Instant) {
        let _ = now;
    }

    /// Writes the next datagrams, all to one destination, into `batch`; `None` when there is
    /// nothing to send. An empty batch without room for the next datagram is a mistake of the
    /// driver: the datagram stays, and stays due.
    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit>;

    /// Like [`poll_transmit`](Self::poll_transmit), for a driver that can send datagrams from where
    /// they lie: an endpoint that has them as a whole need not copy them into the batch. A driver
    /// that calls this looks at what is [`lent`](Self::lent) before it calls anything else but this,
    /// and then [gives it back](Self::take_back).
    fn poll_offer(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Offer> {
        self.poll_transmit(now, batch).map(Offer::Written)
    }

    /// Shows the datagrams of the `nth` [`Offer::Lent`] since the last was given back, counted from
    /// 0. Each piece holds one of them or, where they lie one right behind the other, several.
    fn lent<'a>(&'a self, nth: usize, each: &mut dyn FnMut(&'a [u8])) {
        let _ = (nth, each);
    }

    /// The driver is done with everything that was lent to it.
    fn take_back(&mut self) {}

    /// When to call again if nothing arrives. A point in the past means now; `None` means that only
    /// a datagram or the application can wake this endpoint.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The next thing the application should know.
    fn poll_event(&mut self) -> Option<Self::Event>;

    /// Starts or stops recording what happens inside, for [`poll_trace`](Self::poll_trace).
    fn set_tracing(&mut self, on: bool) {
        let _ = on;
    }

    /// The next recorded step, when tracing is on. Drivers hand these to an
    /// [`Observer`](crate::trace::Observer), together with the time and the node.
    fn poll_trace(&mut self) -> Option<TraceEvent> {
        None
    }
}

impl<E: Endpoint + ?Sized> Endpoint for alloc::boxed::Box<E> {
    type Event = E::Event;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        (**self).handle_datagram(now, meta, datagram)
    }
    fn handle_timeout(&mut self, now: Instant) {
        (**self).handle_timeout(now);
    }
    fn handle_move(&mut self, now: Instant) {
        (**self).handle_move(now);
    }
    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        (**self).poll_transmit(now, batch)
    }
    fn poll_offer(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Offer> {
        (**self).poll_offer(now, batch)
    }
    fn lent<'a>(&'a self, nth: usize, each: &mut dyn FnMut(&'a [u8])) {
        (**self).lent(nth, each);
    }
    fn take_back(&mut self) {
        (**self).take_back();
    }
    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }
    fn poll_event(&mut self) -> Option<Self::Event> {
        (**self).poll_event()
    }
    fn set_tracing(&mut self, on: bool) {
        (**self).set_tracing(on);
    }
    fn poll_trace(&mut self) -> Option<TraceEvent> {
        (**self).poll_trace()
    }
}
