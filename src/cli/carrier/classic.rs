//! The machines of the textbook: bytes cut into messages, which arrive in order.

use core::{net::SocketAddr, time::Duration};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
};

use rdtp::{
    app::chat::{Lane, PeerId, Wire},
    classic::{Config, Conversation, Event, Spec},
    endpoint::Endpoint as _,
    hub::{Hub, HubConfig, HubEvent},
    link::Profile,
    net::{Clock, Driver},
    time::Instant,
};
use rustix::event::{PollFd, PollFlags};

use super::{Bad, Carrier, News, Side, Traffic, driver, lost, raw::poll_fd, refusals, relink};
use crate::cli::transfer::TimeoutRule;

/// Bytes of one message: it fits into a packet on every path.
const MESSAGE_BYTES: usize = 1_100;
/// A peer asks for no more while so many bytes wait.
const ROOM_BYTES: usize = 64 * 1024;
/// Peers of a server at the same time.
const PEERS_MAX: usize = 20_000;
/// How long a peer may be silent: the program says more often that it is there.
const IDLE: Duration = Duration::from_mins(1);
/// After so many tries without an answer the peer is given up.
const ATTEMPTS_MAX: u32 = 25;

type Talk = Box<dyn Conversation + Send>;
type Make = Box<dyn FnMut(Instant, SocketAddr) -> Option<Talk>>;

pub(super) struct Classical {
    spec: Spec,
    side: Side,
    driver: Driver<Hub<Talk, Make>>,
    bad: Option<Bad>,
    clock: Clock,
    out: BTreeMap<PeerId, VecDeque<u8>>,
    closing: BTreeSet<PeerId>,
    called: Option<PeerId>,
    calls: u64,
    refusals: u64,
}

impl Classical {
    pub(super) fn open(spec: Spec, side: Side, bad: Option<Bad>, clock: Clock) -> io::Result<Self> {
        let driver = driver(hub(spec), side, bad.as_ref(), 0, clock)?;
        let (out, closing) = (BTreeMap::new(), BTreeSet::new());
        let (called, calls, refusals) = (None, 0, 0);
        Ok(Self { spec, side, driver, bad, clock, out, closing, called, calls, refusals })
    }

    /// Hands bytes to the machine of a peer as long as it takes messages.
    fn pump(&mut self, peer: PeerId) {
        let now = self.clock.now();
        let Some(out) = self.out.get_mut(&peer) else { return };
        let Some(machine) = self.driver.endpoint_mut().get_mut(peer.address) else { return };
        let mut message = Vec::with_capacity(MESSAGE_BYTES);
        while !out.is_empty() && machine.queue_room() > 0 {
            message.clear();
            message.extend(out.iter().take(MESSAGE_BYTES));
            if machine.send(now, &message).is_err() {
                break;
            }
            out.drain(..message.len());
        }
    }

    fn event(&mut self, event: HubEvent<Event>, news: &mut Vec<News>) {
        match event {
            HubEvent::Joined(address) => {
                let peer = address.into();
                // The one who was called is reported when it was called.
                if self.out.insert(peer, VecDeque::new()).is_none() {
                    news.push(News::Opened(peer));
                }
            }
            HubEvent::Peer(address, Event::Delivered(message)) => {
                news.push(News::Bytes(address.into(), Lane::Talk, message.to_vec()));
            }
            HubEvent::Peer(address, Event::Acknowledged { .. }) => self.pump(address.into()),
            HubEvent::Peer(address, Event::GaveUp { .. }) | HubEvent::Left(address) => {
                self.over(address.into(), News::Closed, news);
            }
        }
    }

    fn over(&mut self, peer: PeerId, what: fn(PeerId) -> News, news: &mut Vec<News>) {
        self.driver.endpoint_mut().remove(peer.address);
        self.closing.remove(&peer);
        if self.out.remove(&peer).is_some() {
            news.push(what(peer));
        }
    }

    fn machine(&self, peer: PeerId) -> Option<&Talk> {
        self.driver.endpoint().get(peer.address)
    }
}

fn hub(spec: Spec) -> Hub<Talk, Make> {
    let config = Config {
        timeout: TimeoutRule::DEFAULT,
        attempts_max: Some(ATTEMPTS_MAX),
        queue_messages_max: 64,
        ..Config::default()
    };
    let make: Make = Box::new(move |_, peer| spec.endpoint(config, peer).ok());
    Hub::new(HubConfig { peers_max: PEERS_MAX, idle_after: IDLE }, make)
}

impl Carrier for Classical {
    fn wire(&self) -> Wire {
        Wire::Stream
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
            self.out.insert(peer, VecDeque::new());
            news.push(News::Opened(peer));
        }
        self.driver.step(&mut ())?;
        while let Some(event) = self.driver.endpoint_mut().poll_event() {
            self.event(event, news);
        }
        let is_gone = |peer: &PeerId| {
            let sent = self.machine(*peer).is_none_or(Conversation::is_idle);
            sent && self.out.get(peer).is_none_or(VecDeque::is_empty)
        };
        let gone: Vec<PeerId> = self.closing.iter().copied().filter(is_gone).collect();
        for peer in gone {
            // The machine stays for a while, so that the peer's last packets are answered and do not
            // make a new one; the hub lets it go when it is silent.
            self.closing.remove(&peer);
            self.out.remove(&peer);
        }
        let refusals = refusals(&self.driver);
        if refusals > core::mem::replace(&mut self.refusals, refusals)
            && let Side::Call(peer) = self.side
        {
            self.over(peer.into(), News::Gone, news);
        }
        Ok(())
    }

    fn connect(&mut self) -> io::Result<PeerId> {
        let Side::Call(peer) = self.side else { return Err(io::ErrorKind::Unsupported.into()) };
        // Machines have no connections: to begin anew is to come from another port.
        if self.calls > 0 {
            self.driver =
                driver(hub(self.spec), self.side, self.bad.as_ref(), self.calls, self.clock)?;
            self.refusals = 0;
        }
        self.calls += 1;
        self.out.clear();
        self.driver.endpoint_mut().open(self.clock.now(), peer);
        self.called = Some(peer.into());
        Ok(peer.into())
    }

    fn has_room(&self, peer: PeerId, _: Lane) -> bool {
        self.out.get(&peer).is_some_and(|out| out.len() < ROOM_BYTES)
    }

    fn send(&mut self, peer: PeerId, _: Lane, bytes: &[u8]) {
        if let Some(out) = self.out.get_mut(&peer) {
            out.extend(bytes);
            self.pump(peer);
        }
    }

    fn hold(&mut self, _: PeerId, _: bool) {}

    fn close(&mut self, peer: PeerId) {
        if self.out.contains_key(&peer) {
            self.closing.insert(peer);
        }
    }

    fn has_work(&self) -> bool {
        let waits = |peer: &PeerId| self.machine(*peer).is_some_and(|machine| !machine.is_idle());
        self.out.iter().any(|(peer, out)| !out.is_empty() || waits(peer))
    }

    fn traffic(&self) -> Option<Traffic> {
        let mut traffic = Traffic { lost: lost(&self.driver), ..Traffic::default() };
        traffic.sent = self.driver.stats().datagrams_out;
        for machine in self.out.keys().filter_map(|peer| self.machine(*peer)) {
            traffic.resent += machine.stats().data_resent;
            traffic.rtt = machine.rtt().srtt().or(traffic.rtt);
        }
        Some(traffic)
    }

    fn set_link(&mut self, profile: &Profile) -> bool {
        if let Some(bad) = &mut self.bad {
            bad.profile = profile.clone();
        }
        relink(&mut self.driver, self.side, profile)
    }
}
