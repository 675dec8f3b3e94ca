//! How listeners and connections are made.

use alloc::{format, sync::Arc, vec, vec::Vec};
use core::{net::SocketAddr, time::Duration};
use std::{io, net::ToSocketAddrs};

use super::{
    Clock, Connection, Driver, Error, Listener, Socket, SocketConfig, Stream,
    lane::{Accepts, Group, Hold, LaneConfig},
    patience::{Patience, Way},
};
use crate::{
    link::Profile,
    rng::Seed,
    trace::NodeId,
    transport::{
        config::Config,
        cookie::Secret,
        host::{CookiePolicy, Host, HostConfig},
    },
    wire::transport::StreamId,
};

/// What listeners and connections have in common.
#[derive(Clone, Debug)]
struct Settings {
    host: HostConfig,
    socket: SocketConfig,
    linger: Duration,
    /// Whether the last handle waits until everything is delivered.
    waits: bool,
    secret: Option<[u8; 16]>,
    network: Option<(Profile, Seed)>,
}

impl Settings {
    fn new() -> Self {
        Self {
            host: HostConfig::default(),
            socket: SocketConfig::default(),
            linger: Duration::from_secs(5),
            waits: true,
            secret: None,
            network: None,
        }
    }

    fn lane(&self, early: bool) -> LaneConfig {
        LaneConfig { linger: self.linger, early, waits: self.waits }
    }

    /// The same for one of several lanes: with one secret, and limits that are shared out.
    fn shared_by(&self, lanes: usize) -> Self {
        let mut drawn = [0; 16];
        Seed::from_system().split("secret").rng().fill(&mut drawn);
        let cookies = match self.host.cookies {
            CookiePolicy::Above(bound) => CookiePolicy::Above(bound.div_ceil(lanes)),
            other => other,
        };
        let connections_max = self.host.connections_max.div_ceil(lanes);
        let connections_per_address_max = self.host.connections_per_address_max.div_ceil(lanes);
        let host =
            HostConfig { connections_max, connections_per_address_max, cookies, ..self.host };
        Self { host, secret: self.secret.or(Some(drawn)), ..self.clone() }
    }

    fn driver(&self, socket: Socket, clock: Clock, accepts: bool) -> io::Result<Driver<Host>> {
        let seed = Seed::from_system();
        let mut drawn = [0; 16];
        seed.split("secret").rng().fill(&mut drawn);
        let secret = self.secret.unwrap_or(drawn);
        let config = HostConfig { accepts, ..self.host };
        let host = Host::new(config, Secret::new(secret), seed).map_err(Error::Config)?;
        let driver = Driver::new(host, socket, clock);
        Ok(match &self.network {
            None => driver,
            Some((network, seed)) => {
                let [out, back] = network.links(*seed);
                driver.with_links(out, back, NodeId(1))
            }
        })
    }
}

/// The methods that both builders have.
macro_rules! common_settings {
    () => {
        /// How its connections behave, and what a peer can make them hold: a
        /// [`Preset`](crate::transport::preset::Preset), or what
        /// [`Config::builder`] builds.
        #[must_use]
        pub fn transport(mut self, config: Config) -> Self {
            self.settings.host.connection = config;
            self
        }

        /// How long what was written is still tried to be delivered when nobody holds the
        /// connection any more and the peer takes nothing. 5 s unless set; zero gives up at once.
        #[must_use]
        pub fn linger(mut self, linger: Duration) -> Self {
            self.settings.linger = linger;
            self
        }

        /// Whether the last handle waits, when it is dropped, until everything is delivered; on
        /// unless set. Without it a program that ends at once may lose what it has just written.
        #[must_use]
        pub fn waits(mut self, waits: bool) -> Self {
            self.settings.waits = waits;
            self
        }

        /// Bytes of the kernel's receive buffer. The system may grant less.
        #[must_use]
        pub fn recv_buffer_bytes(mut self, bytes: usize) -> Self {
            self.settings.socket.recv_buffer_bytes = Some(bytes);
            self
        }

        /// Bytes of the kernel's send buffer. The system may grant less.
        #[must_use]
        pub fn send_buffer_bytes(mut self, bytes: usize) -> Self {
            self.settings.socket.send_buffer_bytes = Some(bytes);
            self
        }

        /// Puts a bad network in front of the socket, for tests and lessons: `up` is what leaves.
        #[must_use]
        pub fn over(mut self, network: Profile, seed: Seed) -> Self {
            self.settings.network = Some((network, seed));
            self
        }
    };
}

/// How a connection is opened.
///
/// ```
/// use core::time::Duration;
/// use rdtp::net::{Connection, Listener};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = Listener::bind("127.0.0.1:0")?;
/// let connection = Connection::builder()
///     .connect_timeout(Duration::from_secs(3))
///     .linger(Duration::from_secs(1))
///     .connect(listener.local_addr()?)?;
/// # drop(connection);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ConnectionBuilder {
    settings: Settings,
    local: Option<SocketAddr>,
    connect_timeout: Option<Duration>,
}

impl Default for ConnectionBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ConnectionBuilder {
    /// Fit for the Internet.
    pub fn new() -> Self {
        Self { settings: Settings::new(), local: None, connect_timeout: None }
    }

    common_settings!();

    /// The address to send from. A free port of any of the machine's addresses unless set.
    #[must_use]
    pub fn local_addr(mut self, address: SocketAddr) -> Self {
        self.local = Some(address);
        self
    }

    /// How long opening may take, for each address that is tried. The transport's
    /// [`open_timeout`](Config::open_timeout) unless set.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Opens a connection to the first of these addresses that answers, and waits for that.
    pub fn connect(&self, peer: impl ToSocketAddrs) -> io::Result<Connection> {
        each_address(peer, |peer| self.open(peer, false)).map(|(connection, _)| connection)
    }

    /// Opens a connection with one stream, of which the peer hears at once.
    pub fn connect_stream(&self, peer: impl ToSocketAddrs) -> io::Result<Stream> {
        let (connection, stream) = each_address(peer, |peer| self.open(peer, true))?;
        stream
            .map(|id| Stream::new(connection, id))
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Opens a connection without waiting for the answer: a first stream may be opened and written
    /// to at once, and what fits into the first packets leaves with them.
    pub fn connect_early(&self, peer: SocketAddr) -> io::Result<Connection> {
        self.start(peer, false).map(|(connection, _)| connection)
    }

    fn open(&self, peer: SocketAddr, stream: bool) -> io::Result<(Connection, Option<StreamId>)> {
        let (connection, stream) = self.start(peer, stream)?;
        let patience = Patience::default();
        if let Some(timeout) = self.connect_timeout {
            patience.set_timeout(Way::Out, Some(timeout))?;
        }
        let lane = &connection.held.lane;
        let answered =
            patience.wait(lane, Way::Out, |core, waker| connection.poll_connected(core, waker));
        if let Err(error) = answered {
            connection.close(0, b"");
            return Err(match Error::of(&error) {
                Some(_) => error,
                None => io::Error::new(error.kind(), "nobody answered in time"),
            });
        }
        Ok((connection, stream))
    }

    pub(super) fn start(
        &self,
        peer: SocketAddr,
        stream: bool,
    ) -> io::Result<(Connection, Option<StreamId>)> {
        let mut socket = match self.local {
            Some(local) => Socket::bind(local, &self.settings.socket)?,
            None => Socket::bind_for(peer, &self.settings.socket)?,
        };
        // The system reports closed ports to connected sockets only.
        socket.connect(peer)?;
        self.start_over(socket, peer, stream)
    }

    fn start_over(
        &self,
        socket: Socket,
        peer: SocketAddr,
        stream: bool,
    ) -> io::Result<(Connection, Option<StreamId>)> {
        let clock = Clock::start();
        let driver = self.settings.driver(socket, clock, false)?;
        let config = self.settings.lane(false);
        let lane = Hold::start(driver, clock, config, None, None)?;
        let (id, stream) = lane.with(|core| {
            let id = core.open(peer);
            let stream = stream.then(|| {
                let connection = core.connection(id).ok()?;
                let stream = connection.open_stream(Connection::PRIORITY_DEFAULT).ok()?;
                connection.announce(stream).ok()?;
                Some(stream)
            });
            (id, stream.flatten())
        });
        Ok((Connection::new(lane, id, peer), stream))
    }
}

/// How a listener is made.
///
/// ```
/// use rdtp::net::Listener;
///
/// # fn main() -> std::io::Result<()> {
/// let listener = Listener::builder().connections_max(100).backlog_max(10).bind("127.0.0.1:0")?;
/// # drop(listener);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ListenerBuilder {
    settings: Settings,
    backlog_max: usize,
    early: bool,
    threads: usize,
}

impl Default for ListenerBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ListenerBuilder {
    /// Fit for the Internet: at most 16,384 connections, of which 1,024 wait to be accepted.
    pub fn new() -> Self {
        Self { settings: Settings::new(), backlog_max: 1024, early: false, threads: 1 }
    }

    common_settings!();

    /// The most connections at the same time; more are not accepted.
    #[must_use]
    pub fn connections_max(mut self, connections_max: usize) -> Self {
        self.settings.host.connections_max = connections_max;
        self
    }

    /// The most accepted connections of one address at the same time. Behind a proxy, or a test where
    /// all clients have one address, it has to be as many as there may be at all.
    #[must_use]
    pub fn connections_per_address_max(mut self, connections_per_address_max: usize) -> Self {
        self.settings.host.connections_per_address_max = connections_per_address_max;
        self
    }

    /// How long a connection has to have been idle before somebody new may push it out when all places
    /// are taken; zero for never. See [`HostConfig::push_out_after`].
    #[must_use]
    pub fn push_out_after(mut self, push_out_after: Duration) -> Self {
        self.settings.host.push_out_after = push_out_after;
        self
    }

    /// When openers have to show that they receive what is sent to their address, before anything is
    /// kept of them.
    #[must_use]
    pub fn cookies(mut self, cookies: CookiePolicy) -> Self {
        self.settings.host.cookies = cookies;
        self
    }

    /// Connections, and streams of them, that wait to be accepted; while there are so many, openers
    /// are not heard and try again.
    #[must_use]
    pub fn backlog_max(mut self, backlog_max: usize) -> Self {
        self.backlog_max = backlog_max;
        self
    }

    /// Whether streams are accepted with the opener's first packet, a round trip earlier, before it
    /// is known that the opener is where it says.
    #[must_use]
    pub fn early(mut self, early: bool) -> Self {
        self.early = early;
        self
    }

    /// The key that a restarted server proves itself with: kept over a restart, peers of the server
    /// before hear at once that their connections are gone, rather than wait for
    /// [`idle_timeout`](Config::idle_timeout). Drawn anew unless set; choose it at random and keep it
    /// to yourself.
    #[must_use]
    pub fn secret(mut self, secret: [u8; 16]) -> Self {
        self.settings.secret = Some(secret);
        self
    }

    /// How many threads, each with a socket of its own for the same address; 1 unless set, 64 at most.
    /// A connection stays with one of them for good, so that cores do not wait for each other:
    /// where the system can (Linux), it delivers by connection ID; elsewhere datagrams that come to
    /// the wrong socket are handed over. Limits on connections are shared out equally.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Whether an IPv6 socket also takes IPv4.
    #[must_use]
    pub fn dual_stack(mut self, dual_stack: bool) -> Self {
        self.settings.socket.dual_stack = dual_stack;
        self
    }

    /// A listener on the first of these addresses that can be had; port 0 lets the system choose.
    pub fn bind(&self, address: impl ToSocketAddrs) -> io::Result<Listener> {
        let lanes = u16::try_from(self.threads).unwrap_or(u16::MAX);
        if !(1..=THREADS_MAX).contains(&lanes) {
            let what = format!("a listener has 1 to {THREADS_MAX} threads");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        each_address(address, |address| self.bind_lanes(address, lanes))
    }

    fn bind_lanes(&self, address: SocketAddr, lanes: u16) -> io::Result<Listener> {
        let clock = Clock::start();
        let accepts = Arc::new(Accepts::new(self.backlog_max));
        let settings = self.settings.shared_by(usize::from(lanes));
        let sockets = sockets(address, &settings.socket, lanes)?;
        let group = (lanes > 1).then(|| Arc::new(Group::new(lanes.into())));
        let mut held = Vec::with_capacity(lanes.into());
        for (socket, lane) in sockets.into_iter().zip(0..) {
            let number = usize::from(lane);
            let accepts = Some((Arc::clone(&accepts), number));
            let seat = group.as_ref().map(|group| (Arc::clone(group), number));
            let started = settings.driver(socket, clock, true).and_then(|mut driver| {
                driver.endpoint_mut().choose_ids_in(lane, lanes);
                Hold::start(driver, clock, self.settings.lane(self.early), accepts, seat)
            });
            match (started, &group) {
                (Ok(lane), _) => held.push(lane),
                (Err(error), Some(group)) => {
                    // Nobody is to wait for those that never were.
                    (number..lanes.into()).for_each(|_| group.on_over());
                    return Err(error);
                }
                (Err(error), None) => return Err(error),
            }
        }
        Ok(Listener::new(held, accepts, clock, group))
    }
}

/// Threads of a listener, at most.
const THREADS_MAX: u16 = 64;

/// So many sockets on one address, to which datagrams come by connection ID if the system can.
fn sockets(address: SocketAddr, config: &SocketConfig, lanes: u16) -> io::Result<Vec<Socket>> {
    if lanes == 1 {
        return Ok(vec![Socket::bind(address, config)?]);
    }
    let config = SocketConfig { share_port: true, ..*config };
    let first = Socket::bind(address, &config)?;
    // The first may have been given its port by the system.
    let address = SocketAddr::new(address.ip(), first.local_addr().port());
    let mut sockets = vec![first];
    for _ in 1..lanes {
        sockets.push(Socket::bind(address, &config)?);
    }
    // Without it datagrams come as their addresses are hashed, and are handed over.
    if !config.plain {
        sockets[0].steer(lanes);
    }
    Ok(sockets)
}

/// Tries one address after the other; the error is the last one's.
pub(super) fn each_address<T>(
    addresses: impl ToSocketAddrs,
    mut attempt: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = None;
    for address in addresses.to_socket_addrs()? {
        match attempt(address) {
            Ok(done) => return Ok(done),
            Err(error) => last = Some(error),
        }
    }
    let nothing = || io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    Err(last.unwrap_or_else(nothing))
}

#[cfg(test)]
#[path = "builder_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "threads_tests.rs"]
mod threads_tests;
