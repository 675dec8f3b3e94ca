//! Many peers on one socket.

use alloc::collections::BTreeMap;
use core::{
    fmt,
    net::SocketAddr,
    ops::Bound::{Excluded, Unbounded},
    time::Duration,
};

use crate::{
    batch::Batch,
    endpoint::{Disposition, DropReason, Endpoint, RecvMeta, Transmit},
    time::Instant,
    trace::{TraceEvent, Tracer},
};

/// How many peers a [`Hub`] keeps, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubConfig {
    /// The most peers at the same time. A datagram from one more is discarded with
    /// [`DropReason::PeersFull`].
    pub peers_max: usize,
    /// A peer that was not heard for so long is removed, whatever it still owes or is owed.
    pub idle_after: Duration,
}

impl Default for HubConfig {
    /// 1,024 peers, one minute.
    fn default() -> Self {
        Self { peers_max: 1_024, idle_after: Duration::from_mins(1) }
    }
}

/// What a [`Hub`] tells the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubEvent<T> {
    /// A new peer: its first event of all.
    Joined(SocketAddr),
    /// An event of the endpoint that talks to this peer.
    Peer(SocketAddr, T),
    /// The peer was idle and is gone: its last event.
    Left(SocketAddr),
}

/// One endpoint per peer, behind one socket: an [`Endpoint`] that tells peers apart by the address
/// they send from.
///
/// The first datagram from an unknown address makes `make` build an endpoint for it; with `None` it
/// declines the peer. When the new endpoint discards that first datagram and has nothing to answer,
/// it is dropped again: noise creates no peers.
///
/// ```
/// use rdtp::{endpoint::Endpoint, hub::{Hub, HubConfig}};
/// # fn build<E: Endpoint>(make: impl Fn(core::net::SocketAddr) -> E) {
/// let mut hub = Hub::new(HubConfig::default(), |_now, peer| Some(make(peer)));
/// assert_eq!(hub.peers().count(), 0);
/// assert_eq!(hub.poll_timeout(), None);
/// # }
/// ```
pub struct Hub<E, F> {
    config: HubConfig,
    make: F,
    peers: BTreeMap<SocketAddr, Peer<E>>,
    /// Who was served last: the next in order of addresses has the next turn.
    sent_to: Option<SocketAddr>,
    told_of: Option<SocketAddr>,
    /// Keeps what no peer's endpoint can tell, and knows whether tracing is on.
    tracer: Tracer,
}

struct Peer<E> {
    endpoint: E,
    heard_at: Instant,
    announced: bool,
    /// Idle for too long: goes as soon as the application has taken its last event.
    leaving: bool,
}

impl<E: Endpoint, F: FnMut(Instant, SocketAddr) -> Option<E>> Hub<E, F> {
    /// A hub without peers that builds the endpoint of each new one with `make`.
    pub fn new(config: HubConfig, make: F) -> Self {
        Self {
            config,
            make,
            peers: BTreeMap::new(),
            sent_to: None,
            told_of: None,
            tracer: Tracer::default(),
        }
    }

    /// The addresses of its peers, in order.
    pub fn peers(&self) -> impl Iterator<Item = SocketAddr> {
        self.peers.keys().copied()
    }

    /// The endpoint that talks to `peer`.
    pub fn get(&self, peer: SocketAddr) -> Option<&E> {
        self.peers.get(&peer).map(|peer| &peer.endpoint)
    }

    /// The endpoint that talks to `peer`, to send through it.
    pub fn get_mut(&mut self, peer: SocketAddr) -> Option<&mut E> {
        self.peers.get_mut(&peer).map(|peer| &mut peer.endpoint)
    }

    /// The endpoint that talks to `peer`, built at `now` if there is none: to speak first. There is no
    /// [`HubEvent::Joined`] then. `None` when there are too many peers, or this one is declined.
    pub fn open(&mut self, now: Instant, peer: SocketAddr) -> Option<&mut E> {
        if !self.peers.contains_key(&peer) {
            if self.peers.len() >= self.config.peers_max {
                return None;
            }
            let mut endpoint = (self.make)(now, peer)?;
            endpoint.set_tracing(self.tracer.is_on());
            let new = Peer { endpoint, heard_at: now, announced: true, leaving: false };
            self.peers.insert(peer, new);
        }
        self.get_mut(peer)
    }

    /// Forgets `peer` at once and without an event; returns the endpoint that talked to it. Its
    /// next datagram makes it a new peer.
    pub fn remove(&mut self, peer: SocketAddr) -> Option<E> {
        self.peers.remove(&peer).map(|peer| peer.endpoint)
    }

    /// The peer whose turn it is after `last`: the next in order, around the end.
    fn after(&self, last: Option<SocketAddr>) -> Option<SocketAddr> {
        let beyond = last.map_or(Unbounded, Excluded);
        let mut rest = self.peers.range((beyond, Unbounded));
        rest.next().or_else(|| self.peers.iter().next()).map(|(address, _)| *address)
    }

    fn meet(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        if self.peers.len() >= self.config.peers_max {
            return self.refuse(DropReason::PeersFull);
        }
        let Some(mut endpoint) = (self.make)(now, meta.source) else {
            return self.refuse(DropReason::UnknownPeer);
        };
        endpoint.set_tracing(self.tracer.is_on());
        let disposition = endpoint.handle_datagram(now, meta, datagram);
        // A protocol that answers damage with a NAK must get the chance to do so.
        if disposition == Disposition::Accepted || endpoint.poll_timeout().is_some() {
            let peer = Peer { endpoint, heard_at: now, announced: false, leaving: false };
            self.peers.insert(meta.source, peer);
        } else {
            // It leaves no endpoint behind that could tell what became of the datagram.
            while let Some(event) = endpoint.poll_trace() {
                self.tracer.emit(|| event);
            }
        }
        disposition
    }

    fn refuse(&mut self, reason: DropReason) -> Disposition {
        self.tracer.emit(|| TraceEvent::Discard { packet: None, reason });
        Disposition::Discarded(reason)
    }
}

impl<E: Endpoint, F: FnMut(Instant, SocketAddr) -> Option<E>> Endpoint for Hub<E, F> {
    type Event = HubEvent<E::Event>;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        let Some(peer) = self.peers.get_mut(&meta.source) else {
            return self.meet(now, meta, datagram);
        };
        peer.heard_at = peer.heard_at.max(now);
        peer.leaving = false;
        peer.endpoint.handle_datagram(now, meta, datagram)
    }

    fn handle_timeout(&mut self, now: Instant) {
        for peer in self.peers.values_mut() {
            if peer.endpoint.poll_timeout().is_some_and(|deadline| deadline <= now) {
                peer.endpoint.handle_timeout(now);
            }
            peer.leaving |= peer.heard_at + self.config.idle_after <= now;
        }
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        let mut address = self.sent_to;
        for _ in 0..self.peers.len() {
            address = self.after(address);
            let peer = self.peers.get_mut(&address?)?;
            if let Some(transmit) = peer.endpoint.poll_transmit(now, batch) {
                self.sent_to = address;
                return Some(transmit);
            }
        }
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let deadline = |peer: &Peer<E>| {
            if peer.leaving || !peer.announced {
                return Instant::ZERO;
            }
            let idle_at = peer.heard_at + self.config.idle_after;
            peer.endpoint.poll_timeout().map_or(idle_at, |inner| inner.min(idle_at))
        };
        self.peers.values().map(deadline).min()
    }

    fn poll_event(&mut self) -> Option<Self::Event> {
        let mut next = self.told_of;
        for _ in 0..self.peers.len() {
            next = self.after(next);
            let address = next?;
            let peer = self.peers.get_mut(&address)?;
            if !peer.announced {
                peer.announced = true;
                return Some(HubEvent::Joined(address));
            }
            if let Some(event) = peer.endpoint.poll_event() {
                self.told_of = next;
                return Some(HubEvent::Peer(address, event));
            }
            if peer.leaving {
                self.peers.remove(&address);
                return Some(HubEvent::Left(address));
            }
        }
        None
    }

    fn set_tracing(&mut self, on: bool) {
        self.tracer.set(on);
        for peer in self.peers.values_mut() {
            peer.endpoint.set_tracing(on);
        }
    }

    fn poll_trace(&mut self) -> Option<TraceEvent> {
        let told = self.peers.values_mut().find_map(|peer| peer.endpoint.poll_trace());
        told.or_else(|| self.tracer.take())
    }
}

impl<E: fmt::Debug, F> fmt::Debug for Hub<E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, make: _, peers, sent_to: _, told_of: _, tracer } = self;
        f.debug_struct("Hub")
            .field("config", config)
            .field("peers", &peers.keys())
            .field("tracing", &tracer.is_on())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ecn::Ecn, wire::DecodeError};
    use alloc::{collections::VecDeque, vec::Vec};

    /// Echoes every datagram twice and reports its first byte; calls an empty one damaged, which it
    /// answers if `answers_damage`.
    #[derive(Default)]
    struct Toy {
        replies: VecDeque<(SocketAddr, Vec<u8>)>,
        events: VecDeque<u8>,
        answers_damage: bool,
    }

    impl Endpoint for Toy {
        type Event = u8;
        fn handle_datagram(&mut self, _: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
            let Some(first) = datagram.first() else {
                if self.answers_damage {
                    self.replies.push_back((meta.source, b"?".to_vec()));
                }
                let damage = DecodeError::Short { needed: 1, got: 0 };
                return Disposition::Discarded(DropReason::Damaged(damage));
            };
            self.events.push_back(*first);
            for _ in 0..2 {
                self.replies.push_back((meta.source, datagram.to_vec()));
            }
            Disposition::Accepted
        }
        fn handle_timeout(&mut self, _: Instant) {}
        fn poll_transmit(&mut self, _: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
            let (destination, bytes) = self.replies.pop_front()?;
            assert!(batch.put(&bytes));
            Some(Transmit {
                destination,
                source: None,
                ecn: Ecn::NotEct,
                size: bytes.len(),
                segment_size: None,
            })
        }
        fn poll_timeout(&self) -> Option<Instant> {
            (!self.replies.is_empty() || !self.events.is_empty()).then_some(Instant::ZERO)
        }
        fn poll_event(&mut self) -> Option<u8> {
            self.events.pop_front()
        }
    }

    const CONFIG: HubConfig = HubConfig { peers_max: 3, idle_after: Duration::from_secs(10) };

    fn address(n: u8) -> SocketAddr {
        SocketAddr::new([10, 0, 0, n].into(), 1)
    }

    fn second(n: u64) -> Instant {
        Instant::from_nanos(n * 1_000_000_000)
    }

    fn sent<E: Endpoint>(hub: &mut E) -> Option<SocketAddr> {
        let mut space = [0; 64];
        Some(hub.poll_transmit(Instant::ZERO, &mut Batch::new(&mut space))?.destination)
    }

    fn events<E: Endpoint>(hub: &mut E) -> Vec<E::Event> {
        core::iter::from_fn(|| hub.poll_event()).collect()
    }

    #[test]
    fn peers_take_turns() {
        let mut hub = Hub::new(CONFIG, |_, _| Some(Toy::default()));
        for n in 1..=3 {
            let hello = hub.handle_datagram(second(0), RecvMeta::from(address(n)), b"hello");
            assert_eq!(hello, Disposition::Accepted);
        }
        assert_eq!(hub.poll_timeout(), Some(Instant::ZERO));
        let order: Vec<_> = core::iter::from_fn(|| sent(&mut hub)).collect();
        assert_eq!(order, [1, 2, 3, 1, 2, 3].map(address));
        let expected: Vec<_> = [1, 2, 3]
            .into_iter()
            .map(address)
            .flat_map(|peer| [HubEvent::Joined(peer), HubEvent::Peer(peer, b'h')])
            .collect();
        assert_eq!(events(&mut hub), expected);
        assert_eq!(hub.poll_timeout(), Some(second(10)), "only idleness is left to wait for");
    }

    #[test]
    fn peers_are_limited_and_strangers_declined() {
        let mut hub = Hub::new(CONFIG, |_, peer| (peer != address(9)).then(Toy::default));
        let mut offer =
            |n, bytes: &[u8]| hub.handle_datagram(second(0), RecvMeta::from(address(n)), bytes);
        assert_eq!(offer(9, b"x"), Disposition::Discarded(DropReason::UnknownPeer));
        for n in 1..=3 {
            assert_eq!(offer(n, b"x"), Disposition::Accepted);
        }
        assert_eq!(offer(4, b"x"), Disposition::Discarded(DropReason::PeersFull));
        assert_eq!(offer(2, b"x"), Disposition::Accepted);
        assert_eq!(hub.peers().collect::<Vec<_>>(), [1, 2, 3].map(address));
    }

    #[test]
    fn whoever_speaks_first_opens_and_hears_no_joining() {
        let mut hub = Hub::new(CONFIG, |_, peer| (peer != address(9)).then(Toy::default));
        assert!(hub.open(second(0), address(9)).is_none(), "declined");
        for n in 1..=3 {
            hub.open(second(0), address(n))
                .unwrap()
                .replies
                .push_back((address(n), b"hi".to_vec()));
        }
        assert!(hub.open(second(0), address(4)).is_none(), "too many");
        assert!(hub.open(second(0), address(3)).is_some(), "there already");
        assert_eq!(sent(&mut hub), Some(address(1)));
        let _ = hub.handle_datagram(second(1), RecvMeta::from(address(2)), b"x");
        assert_eq!(events(&mut hub), [HubEvent::Peer(address(2), b'x')]);
    }

    #[test]
    fn noise_makes_no_peer_unless_it_is_to_be_answered() {
        for answers_damage in [false, true] {
            let make = |_, _| Some(Toy { answers_damage, ..Toy::default() });
            let mut hub = Hub::new(CONFIG, make);
            let noise = hub.handle_datagram(second(0), RecvMeta::from(address(1)), b"");
            assert!(matches!(noise, Disposition::Discarded(DropReason::Damaged(_))));
            assert_eq!(hub.peers().count(), usize::from(answers_damage));
            assert_eq!(sent(&mut hub).is_some(), answers_damage);
        }
    }

    #[test]
    fn an_idle_peer_leaves_after_its_last_event() {
        let mut hub = Hub::new(CONFIG, |_, _| Some(Toy::default()));
        for (at, n) in [(0, 1), (5, 2)] {
            let _ = hub.handle_datagram(second(at), RecvMeta::from(address(n)), b"x");
        }
        while sent(&mut hub).is_some() {}
        hub.handle_timeout(second(9));
        assert_eq!(events(&mut hub).len(), 4, "nobody leaves early");
        let _ = hub.handle_datagram(second(9), RecvMeta::from(address(1)), b"y");
        while sent(&mut hub).is_some() {}
        hub.handle_timeout(second(15));
        assert_eq!(hub.poll_timeout(), Some(Instant::ZERO));
        assert_eq!(
            events(&mut hub),
            [HubEvent::Peer(address(1), b'y'), HubEvent::Left(address(2))]
        );
        hub.handle_timeout(second(18));
        assert_eq!(events(&mut hub), []);
        hub.handle_timeout(second(19));
        assert_eq!(events(&mut hub), [HubEvent::Left(address(1))]);
        assert_eq!((hub.peers().count(), hub.poll_timeout()), (0, None));
    }

    #[test]
    fn a_word_in_time_keeps_a_leaving_peer() {
        let mut hub = Hub::new(CONFIG, |_, _| Some(Toy::default()));
        let _ = hub.handle_datagram(second(0), RecvMeta::from(address(1)), b"x");
        hub.handle_timeout(second(10));
        let _ = hub.handle_datagram(second(10), RecvMeta::from(address(1)), b"y");
        assert!(!events(&mut hub).contains(&HubEvent::Left(address(1))));
        assert!(hub.get(address(1)).is_some() && hub.get_mut(address(2)).is_none());
        assert!(hub.remove(address(1)).is_some() && hub.remove(address(1)).is_none());
    }
}
