//! UDP as it is: each datagram for itself, and some of them arrive.

use core::net::SocketAddr;
use std::{
    collections::{BTreeMap, VecDeque},
    io,
};

use rdtp::{
    app::chat::{Lane, PeerId, Wire},
    batch::Batch,
    ecn::Ecn,
    endpoint::{Disposition, DropReason, Endpoint, RecvMeta, Transmit},
    link::Profile,
    net::{Clock, Driver, Socket},
    time::Instant,
};
use rustix::event::{PollFd, PollFlags};

use super::{Bad, Carrier, News, Side, Traffic, lost, refusals, relink, socket, with_link};

/// Datagrams that wait for the socket; while there are so many it wants no more.
const OUTBOX_MAX: usize = 4_096;
/// Datagrams that wait for the program; more are lost.
const INBOX_MAX: usize = 4_096;

/// Times in a row that a client's machine says that nobody listens there, until the client is gone. One
/// may be forged, or late.
const REFUSALS_MAX: u32 = 3;
/// Clients of which such a thing is remembered.
const DOUBTS_MAX: usize = 4_096;

/// An endpoint that does nothing: what goes in comes out.
#[derive(Debug, Default)]
struct Nothing {
    inbox: VecDeque<(SocketAddr, Vec<u8>)>,
    outbox: VecDeque<(SocketAddr, Vec<u8>)>,
}

impl Endpoint for Nothing {
    type Event = (SocketAddr, Vec<u8>);

    fn handle_datagram(&mut self, _: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        if self.inbox.len() >= INBOX_MAX {
            return Disposition::Discarded(DropReason::PeersFull);
        }
        self.inbox.push_back((meta.source, datagram.to_vec()));
        Disposition::Accepted
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_transmit(&mut self, _: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        let (destination, bytes) = self.outbox.pop_front()?;
        if !batch.put(&bytes) {
            return None;
        }
        Some(Transmit {
            destination,
            ecn: Ecn::NotEct,
            size: bytes.len(),
            segment_size: None,
            source: None,
        })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (!self.inbox.is_empty() || !self.outbox.is_empty()).then_some(Instant::ZERO)
    }

    fn poll_event(&mut self) -> Option<Self::Event> {
        self.inbox.pop_front()
    }
}

#[derive(Debug)]
pub(super) struct Udp {
    side: Side,
    driver: Driver<Nothing>,
    clock: Clock,
    /// A connection that was asked for and is not reported yet: there is nothing to wait for.
    called: Option<PeerId>,
    refusals: u64,
    /// Clients whose machine says that nobody listens, how often, and nothing came from them since.
    doubts: BTreeMap<SocketAddr, u32>,
}

impl Udp {
    pub(super) fn open(side: Side, bad: Option<&Bad>, clock: Clock) -> io::Result<Self> {
        let mut socket = socket(side, true)?;
        if let Side::Listen(_) = side {
            socket.hear_refusals();
        }
        Ok(Self::behind(socket, side, bad, clock))
    }

    /// The machine of a client says that nobody listens there. Whether that is enough.
    fn doubt(&mut self, peer: SocketAddr) -> bool {
        if self.doubts.len() >= DOUBTS_MAX {
            self.doubts.clear();
        }
        let times = self.doubts.entry(peer).or_default();
        *times += 1;
        let enough = *times >= REFUSALS_MAX;
        if enough {
            self.doubts.remove(&peer);
        }
        enough
    }

    /// Behind a socket that is there.
    pub(super) fn behind(socket: Socket, side: Side, bad: Option<&Bad>, clock: Clock) -> Self {
        // A message may be longer than a packet: then it is lost with any part of it (S0-20).
        let driver = Driver::new(Nothing::default(), socket, clock);
        let driver = with_link(driver, side, bad, 0);
        Self { side, driver, clock, called: None, refusals: 0, doubts: BTreeMap::new() }
    }
}

impl Carrier for Udp {
    fn wire(&self) -> Wire {
        Wire::Datagram
    }

    fn local_addr(&self) -> SocketAddr {
        self.driver.local_addr()
    }

    fn fds<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        fds.push(poll_fd(&self.driver));
    }

    fn deadline(&self) -> Option<Instant> {
        if self.called.is_some() { Some(Instant::ZERO) } else { self.driver.deadline() }
    }

    fn step(&mut self, _: &[PollFlags], news: &mut Vec<News>) -> io::Result<()> {
        if let Some(peer) = self.called.take() {
            news.push(News::Opened(peer));
        }
        self.driver.step(&mut ())?;
        while let Some((source, bytes)) = self.driver.endpoint_mut().poll_event() {
            self.doubts.remove(&source);
            news.push(News::Datagram(source.into(), bytes));
        }
        while let Some(peer) = self.driver.poll_refusal() {
            if self.doubt(peer) {
                news.push(News::Gone(peer.into()));
            }
        }
        let refusals = refusals(&self.driver);
        if refusals > core::mem::replace(&mut self.refusals, refusals)
            && let Side::Call(peer) = self.side
        {
            news.push(News::Gone(peer.into()));
        }
        Ok(())
    }

    fn connect(&mut self) -> io::Result<PeerId> {
        let Side::Call(peer) = self.side else { return Err(io::ErrorKind::Unsupported.into()) };
        self.called = Some(peer.into());
        Ok(peer.into())
    }

    fn has_room(&self, _: PeerId, _: Lane) -> bool {
        self.driver.endpoint().outbox.len() < OUTBOX_MAX
    }

    fn send(&mut self, peer: PeerId, _: Lane, bytes: &[u8]) {
        self.driver.endpoint_mut().outbox.push_back((peer.address, bytes.to_vec()));
    }

    fn hold(&mut self, _: PeerId, _: bool) {}

    fn close(&mut self, _: PeerId) {}

    fn has_work(&self) -> bool {
        !self.driver.endpoint().outbox.is_empty() || self.driver.has_work(self.clock.now())
    }

    fn traffic(&self) -> Option<Traffic> {
        let sent = self.driver.stats().datagrams_out;
        Some(Traffic { sent, lost: lost(&self.driver), ..Traffic::default() })
    }

    fn set_link(&mut self, profile: &Profile) -> bool {
        relink(&mut self.driver, self.side, profile)
    }
}

/// What to wait for on the socket of a driver.
pub(super) fn poll_fd<E: Endpoint>(driver: &Driver<E>) -> PollFd<'_> {
    let write = if driver.is_blocked() { PollFlags::OUT } else { PollFlags::empty() };
    PollFd::new(driver.socket(), PollFlags::IN | write)
}
