//! A bad network for any UDP program: a forwarder with a link in each direction.

use alloc::{collections::BTreeMap, vec, vec::Vec};
use core::{net::SocketAddr, time::Duration};
use std::io;

use crate::{
    link::{Delivery, Link},
    net::{Clock, Interest, Sent, Socket, SocketConfig, wait},
    time::Instant,
    trace::{NodeId, Observer, Place, Record, TraceEvent},
};

/// How many clients a [`Proxy`] serves, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyConfig {
    /// The most clients at the same time; each has a socket of its own towards the target. What
    /// one more sends is dropped.
    pub clients_max: usize,
    /// A client is forgotten when nothing came from it or for it for so long.
    pub idle_after: Duration,
}

impl Default for ProxyConfig {
    /// 256 clients, one minute.
    fn default() -> Self {
        Self { clients_max: 256, idle_after: Duration::from_mins(1) }
    }
}

/// What a proxy did so far, beside what its links count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProxyStats {
    /// Clients served.
    pub clients: u64,
    /// Datagrams dropped because of [`ProxyConfig::clients_max`], or because the system had no
    /// socket for a new client.
    pub refused: u64,
    /// Datagrams that left the link after their client was forgotten.
    pub orphaned: u64,
    /// Datagrams that the system refused to send, for instance because nobody listens there.
    pub send_errors: u64,
}

/// Forwards datagrams between any number of clients and one target, through one link in each
/// direction that all clients share, as they would share a line.
///
/// Each client gets its own socket towards the target, so that the target sees as many peers as
/// there are clients and its answers find their way. In traces the clients are `A` and the target
/// is `B`.
///
/// ```
/// use rdtp::{
///     link::Link,
///     net::{Clock, Proxy, ProxyConfig, Socket, SocketConfig},
///     rng::Seed,
/// };
///
/// let target = "127.0.0.1:5001".parse()?;
/// let listener = Socket::bind("127.0.0.1:0".parse()?, &SocketConfig::default())?;
/// let up = Link::new("loss=20%".parse()?, Seed::new(7).split("up"));
/// let down = Link::new("loss=20%".parse()?, Seed::new(7).split("down"));
/// let mut proxy =
///     Proxy::new(listener, target, (up, down), Clock::start(), ProxyConfig::default());
/// let now = proxy.now();
/// proxy.turn(&mut (), Some(now))?; // and so on, in a loop
/// assert_eq!(proxy.up().stats().total().offered, 0);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Proxy {
    config: ProxyConfig,
    clock: Clock,
    listener: Socket,
    target: SocketAddr,
    clients: BTreeMap<SocketAddr, Client>,
    up: Direction,
    down: Direction,
    tracing: bool,
    scratch: Vec<u8>,
    stats: ProxyStats,
}

#[derive(Debug)]
struct Client {
    upstream: Socket,
    active_at: Instant,
}

/// A link, and what left it when the send buffer was full. The tag is the client.
#[derive(Debug)]
struct Direction {
    link: Link<SocketAddr>,
    stuck: Option<Delivery<SocketAddr>>,
}

impl Direction {
    fn next(&mut self, now: Instant) -> Option<Delivery<SocketAddr>> {
        self.stuck.take().or_else(|| self.link.poll_deliver(now))
    }

    fn deadline(&self) -> Option<Instant> {
        if self.stuck.is_some() { None } else { self.link.poll_timeout() }
    }
}

impl Proxy {
    /// The most datagrams that one turn takes from the clients, and from each client's target.
    pub const RECEIVE_MAX: usize = 64;
    /// The most datagrams that leave each link in one turn.
    pub const RELEASE_MAX: usize = 256;

    /// A proxy that clients reach at `listener`. `up` is what their datagrams to `target` meet,
    /// `down` what the answers meet.
    pub fn new(
        listener: Socket,
        target: SocketAddr,
        (up, down): (Link<SocketAddr>, Link<SocketAddr>),
        clock: Clock,
        config: ProxyConfig,
    ) -> Self {
        Self {
            config,
            clock,
            listener,
            target,
            clients: BTreeMap::new(),
            up: Direction { link: up, stuck: None },
            down: Direction { link: down, stuck: None },
            tracing: false,
            scratch: vec![0; Socket::DATAGRAM_BYTES_MAX + 1],
            stats: ProxyStats::default(),
        }
    }

    /// The address that clients can reach.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// How many clients it serves at present.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// What it did so far.
    pub fn stats(&self) -> ProxyStats {
        self.stats
    }

    /// The link from the clients to the target.
    pub fn up(&self) -> &Link<SocketAddr> {
        &self.up.link
    }

    /// The link from the target to the clients.
    pub fn down(&self) -> &Link<SocketAddr> {
        &self.down.link
    }

    /// Waits until a datagram arrives, one leaves a link, a client expires or it is `until`; then
    /// does what can be done, within bounds.
    ///
    /// Fails only when the listening socket is of no more use.
    pub fn turn(
        &mut self,
        observer: &mut (impl Observer + ?Sized),
        until: Option<Instant>,
    ) -> io::Result<()> {
        self.set_tracing(observer.wants_records());
        let idle = self.clients.values().map(|client| client.active_at + self.config.idle_after);
        let deadlines = [self.up.deadline(), self.down.deadline(), idle.min(), until];
        let mut interests =
            vec![Interest::read(&self.listener).and_write(self.down.stuck.is_some())];
        let stuck_up = self.up.stuck.as_ref().map(|delivery| delivery.tag);
        interests.extend(self.clients.iter().map(|(address, client)| {
            Interest::read(&client.upstream).and_write(stuck_up == Some(*address))
        }));
        wait(&interests, deadlines.into_iter().flatten().min(), &self.clock)?;

        self.receive()?;
        let now = self.clock.now();
        self.release_up(now);
        self.release_down(now);
        let idle_after = self.config.idle_after;
        self.clients.retain(|_, client| client.active_at + idle_after > now);
        self.trace(now, observer);
        Ok(())
    }

    fn receive(&mut self) -> io::Result<()> {
        for _ in 0..Self::RECEIVE_MAX {
            let Some((len, client)) = self.listener.recv_from(&mut self.scratch)? else { break };
            let now = self.clock.now();
            if self.meet(client, now) {
                self.up.link.offer(now, &self.scratch[..len], client);
            } else {
                self.stats.refused += 1;
            }
        }
        for (address, client) in &mut self.clients {
            for _ in 0..Self::RECEIVE_MAX {
                // A socket towards the target that fails is one client's misfortune.
                let Ok(Some((len, _))) = client.upstream.recv_from(&mut self.scratch) else {
                    break;
                };
                client.active_at = self.clock.now();
                self.down.link.offer(client.active_at, &self.scratch[..len], *address);
            }
        }
        Ok(())
    }

    /// Whether there is, or now is, a socket for this client.
    fn meet(&mut self, address: SocketAddr, now: Instant) -> bool {
        if let Some(client) = self.clients.get_mut(&address) {
            client.active_at = now;
            return true;
        }
        if self.clients.len() >= self.config.clients_max {
            return false;
        }
        let socket = Socket::bind_for(self.target, &SocketConfig::default());
        let Ok(mut upstream) = socket else { return false };
        if upstream.connect(self.target).is_err() {
            return false;
        }
        self.stats.clients += 1;
        self.clients.insert(address, Client { upstream, active_at: now });
        true
    }

    fn release_up(&mut self, now: Instant) {
        for _ in 0..Self::RELEASE_MAX {
            let Some(delivery) = self.up.next(now) else { return };
            match self.clients.get_mut(&delivery.tag) {
                None => self.stats.orphaned += 1,
                Some(client) => match client.upstream.send_to(&delivery.bytes, self.target) {
                    Sent::Done => {}
                    Sent::Lost(_) => self.stats.send_errors += 1,
                    Sent::WouldBlock => {
                        self.up.stuck = Some(delivery);
                        return;
                    }
                },
            }
            self.up.link.recycle(delivery.bytes);
        }
    }

    fn release_down(&mut self, now: Instant) {
        for _ in 0..Self::RELEASE_MAX {
            let Some(delivery) = self.down.next(now) else { return };
            match self.listener.send_to(&delivery.bytes, delivery.tag) {
                Sent::Done => {}
                Sent::Lost(_) => self.stats.send_errors += 1,
                Sent::WouldBlock => {
                    self.down.stuck = Some(delivery);
                    return;
                }
            }
            self.down.link.recycle(delivery.bytes);
        }
    }

    fn set_tracing(&mut self, on: bool) {
        if on != self.tracing {
            self.tracing = on;
            self.up.link.set_tracing(on);
            self.down.link.set_tracing(on);
        }
    }

    fn trace(&mut self, at: Instant, observer: &mut (impl Observer + ?Sized)) {
        if !self.tracing {
            return;
        }
        let (a, b) = (NodeId(0), NodeId(1));
        for (link, from, to) in [(&mut self.up.link, a, b), (&mut self.down.link, b, a)] {
            while let Some((datagram, fate)) = link.poll_fate() {
                let event = TraceEvent::Link { datagram, fate };
                observer.record(&Record { at, place: Place::Link { from, to }, event });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rng::Seed, trace::Fate};
    use alloc::vec::Vec;

    fn socket() -> Socket {
        Socket::bind("127.0.0.1:0".parse().unwrap(), &SocketConfig::default()).unwrap()
    }

    fn proxy(target: SocketAddr, up: &str, down: &str, config: ProxyConfig) -> Proxy {
        let link = |text: &str| Link::new(text.parse().unwrap(), Seed::new(1));
        Proxy::new(socket(), target, (link(up), link(down)), Clock::start(), config)
    }

    /// Turns until `done`, or for a minute.
    fn turn_until(proxy: &mut Proxy, mut done: impl FnMut(&mut Proxy) -> bool) {
        let limit = proxy.now() + Duration::from_mins(1);
        while !done(proxy) {
            assert!(proxy.now() < limit, "{proxy:?}");
            // What `done` looks at may also change without the proxy having anything to do.
            let soon = proxy.now() + Duration::from_millis(1);
            proxy.turn(&mut (), Some(soon)).unwrap();
        }
    }

    fn received(socket: &mut Socket) -> Vec<(Vec<u8>, SocketAddr)> {
        let mut buffer = [0; 100];
        let mut all = Vec::new();
        while let Some((len, source)) = socket.recv_from(&mut buffer).unwrap() {
            all.push((buffer[..len].to_vec(), source));
        }
        all
    }

    #[test]
    fn each_client_has_its_own_path_to_the_target_and_back() {
        let mut target = socket();
        let mut proxy = proxy(target.local_addr(), "", "", ProxyConfig::default());
        let mut clients = [socket(), socket()];
        for (client, word) in clients.iter_mut().zip([b"one", b"two"]) {
            assert_eq!(client.send_to(word, proxy.local_addr()), Sent::Done);
        }
        let mut seen = Vec::new();
        turn_until(&mut proxy, |_| {
            seen.extend(received(&mut target));
            seen.len() == 2
        });
        assert_ne!(seen[0].1, seen[1].1);
        for (word, source) in &seen {
            assert_eq!(target.send_to(word, *source), Sent::Done);
        }
        for (client, word) in clients.iter_mut().zip([b"one", b"two"]) {
            let mut back = Vec::new();
            turn_until(&mut proxy, |_| {
                back.extend(received(client));
                !back.is_empty()
            });
            assert_eq!(back, [(word.to_vec(), proxy.local_addr())]);
        }
        assert_eq!((proxy.clients(), proxy.stats().clients), (2, 2));
    }

    #[test]
    fn the_links_do_what_they_are_told_in_each_direction() {
        let mut target = socket();
        let mut proxy =
            proxy(target.local_addr(), "loss=every:1:2", "dup=100%", ProxyConfig::default());
        let mut client = socket();
        let mut records: Vec<Record> = Vec::new();
        for n in 0..10_u8 {
            assert_eq!(client.send_to(&[n], proxy.local_addr()), Sent::Done);
        }
        while proxy.up().stats().total().offered < 10 {
            proxy.turn(&mut records, None).unwrap();
        }
        let mut seen = Vec::new();
        turn_until(&mut proxy, |_| {
            seen.extend(received(&mut target));
            seen.len() == 5
        });
        for (bytes, source) in &seen {
            assert_eq!(target.send_to(bytes, *source), Sent::Done);
        }
        let mut back = Vec::new();
        turn_until(&mut proxy, |_| {
            back.extend(received(&mut client));
            back.len() == 10
        });
        assert_eq!(proxy.up().stats().total().lost, 5);
        assert_eq!(proxy.down().stats().total().copies, 5);
        let lost = TraceEvent::Link { datagram: 0, fate: Fate::Lost };
        let fate_of = |r: &Record| matches!(r.event, TraceEvent::Link { fate: Fate::Lost, .. });
        assert_eq!(records.iter().filter(|r| fate_of(r)).count(), 5, "such as {lost}");
    }

    #[test]
    fn clients_are_limited_and_expire() {
        let mut target = socket();
        let config = ProxyConfig { clients_max: 1, idle_after: Duration::from_millis(20) };
        let mut proxy = proxy(target.local_addr(), "", "", config);
        let (mut first, mut second) = (socket(), socket());
        assert_eq!(first.send_to(b"a", proxy.local_addr()), Sent::Done);
        assert_eq!(second.send_to(b"b", proxy.local_addr()), Sent::Done);
        turn_until(&mut proxy, |proxy| proxy.stats().refused == 1);
        turn_until(&mut proxy, |proxy| proxy.clients() == 0);
        assert_eq!(second.send_to(b"c", proxy.local_addr()), Sent::Done);
        let mut seen = Vec::new();
        turn_until(&mut proxy, |_| {
            seen.extend(received(&mut target).into_iter().map(|(bytes, _)| bytes));
            seen.len() == 2
        });
        assert_eq!(seen, [b"a", b"c"]);
        assert_eq!(proxy.stats().clients, 2);
    }

    /// Datagrams to a port where nobody listens come back as ICMP errors on connected sockets.
    #[test]
    fn a_target_that_is_not_there_harms_nobody() {
        let gone = socket();
        let address = gone.local_addr();
        drop(gone);
        let mut proxy = proxy(address, "", "", ProxyConfig::default());
        let mut client = socket();
        for _ in 0..5 {
            assert_eq!(client.send_to(b"anyone?", proxy.local_addr()), Sent::Done);
            let offered = proxy.up().stats().total().offered;
            turn_until(&mut proxy, |proxy| proxy.up().stats().total().offered > offered);
        }
        let mut late = Socket::bind(address, &SocketConfig::default()).unwrap();
        assert_eq!(client.send_to(b"now?", proxy.local_addr()), Sent::Done);
        assert_eq!(client.send_to(b"now?", proxy.local_addr()), Sent::Done);
        turn_until(&mut proxy, |_| !received(&mut late).is_empty());
    }
}
