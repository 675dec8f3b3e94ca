//! The textbook's protocols in the shape of `std::net`: swap one word and watch the throughput fall.
//!
//! A [`Stream`] here is what [`net::Stream`](super::Stream) is over the production transport and
//! `TcpStream` over TCP: `Read` and `Write`, timeouts, `shutdown`. Below it is one of the book's
//! protocols, in both directions at once, on a UDP socket.
//!
//! ```
//! use std::io::{Read, Write};
//! use rdtp::net::{self, classic};
//!
//! /// Knows nothing of what carries it.
//! fn say_hello(mut stream: impl Read + Write) -> std::io::Result<String> {
//!     stream.write_all(b"hello")?;
//!     let mut answer = [0; 5];
//!     stream.read_exact(&mut answer)?;
//!     Ok(String::from_utf8_lossy(&answer).into_owned())
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! for protocol in ["rdt3.0", "gbn:4/8", "sr:32/64"] {
//!     let listener = classic::Listener::bind("127.0.0.1:0", protocol)?;
//!     let address = listener.local_addr()?;
//!     let server = std::thread::spawn(move || -> std::io::Result<()> {
//!         let (mut stream, _) = listener.accept()?;
//!         let mut said = [0; 5];
//!         stream.read_exact(&mut said)?;
//!         stream.write_all(&said)
//!     });
//!     assert_eq!(say_hello(classic::Stream::connect(address, protocol)?)?, "hello");
//!     server.join().unwrap()?;
//! }
//!
//! // The same over the transport: a hundred times as fast on a long path.
//! let listener = net::Listener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let server = std::thread::spawn(move || listener.accept()?.0.write_all(b"hello"));
//! assert_eq!(say_hello(net::Stream::connect(address)?)?, "hello");
//! # server.join().unwrap()
//! # }
//! ```
//!
//! # What is added to the book
//!
//! The book's protocols carry messages from a sender that is there to a receiver that is there. A
//! stream wants more, which messages with a kind in front add; numbers are big-endian:
//!
//! | Byte | Message | Then |
//! | --- | --- | --- |
//! | 0 | open | how many bytes the listener may send in all, 8 bytes: the opener's first message |
//! | 1 | data | the next bytes of the stream, at least one |
//! | 2 | credit | how many bytes the other side may send in all, 8 bytes |
//! | 3 | end | nothing: no more data comes |
//! | 4 | stop | nothing: no more data is wanted |
//!
//! The answer to an open is a credit. So nobody is flooded, and a slow reader costs its own queue and
//! nothing else. What the network does to the protocol below is left as it is: rdt 2.2 over a network
//! that loses stands still, as in the book, and a read with a timeout says so. There is no congestion
//! control: do not use it across networks you share.

mod line;
mod listener;
mod peer;
mod stream;

use alloc::format;
use core::{net::SocketAddr, str::FromStr, time::Duration};
use std::{io, net::ToSocketAddrs};

pub use listener::{Incoming, Listener};
pub use stream::Stream;

use self::line::Line;
use super::{Clock, Driver, Socket, SocketConfig, builder::each_address};
use crate::{
    classic::{Adaptive, Config, Spec, Timeout},
    hub::{Hub, HubConfig},
    link::Profile,
    rng::Seed,
    trace::NodeId,
};

/// How streams over a protocol of the textbook are opened, or accepted.
///
/// ```
/// use core::time::Duration;
/// use rdtp::{net::classic::Builder, rng::Seed};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = Builder::new("sr:8/16")?.connect_timeout(Duration::from_secs(3));
/// let listener = builder.bind("127.0.0.1:0")?;
/// let network = "loss=10%,delay=2ms".parse()?;
/// let stream = builder.over(network, Seed::new(7)).connect(listener.local_addr()?)?;
/// # drop(stream);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    spec: Spec,
    config: Config,
    connect_timeout: Duration,
    linger: Duration,
    connections_max: usize,
    backlog_max: usize,
    network: Option<(Profile, Seed)>,
}

/// After so many tries without an answer the peer is given up.
const ATTEMPTS_MAX: u32 = 25;
/// From one machine to the other side of the world. A second at most, for a lossy link drives
/// back-off to its limit now and then, and nothing moves meanwhile.
const TIMEOUT: Adaptive = Adaptive {
    rto_initial: Duration::from_millis(200),
    rto_min: Duration::from_millis(5),
    rto_max: Duration::from_secs(1),
};
/// Streams are idle for as long as they want; this only bounds how long one is remembered whose peer
/// has vanished without a word while nobody said anything.
const IDLE: Duration = Duration::from_hours(2);

impl Builder {
    /// Streams over this protocol, as [`Spec`] reads it. Both sides have to choose the same.
    pub fn new(protocol: &str) -> io::Result<Self> {
        let spec = Spec::from_str(protocol).map_err(invalid)?;
        let config = Config {
            timeout: Timeout::Adaptive(TIMEOUT),
            attempts_max: Some(ATTEMPTS_MAX),
            // Enough to refill the window; more would only delay credits.
            queue_messages_max: 16,
            ..Config::default()
        };
        Ok(Self {
            spec,
            config,
            connect_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(5),
            connections_max: 1_024,
            backlog_max: 128,
            network: None,
        })
    }

    /// How its machines become endpoints: format and timeouts. The role is set by the stream.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// How long opening may take, for each address that is tried; 10 s unless set.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the last handle of a stream that was opened from here waits, when it is dropped, for
    /// a peer that takes nothing; 5 s unless set.
    #[must_use]
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// The most streams at the same time, those that are ending included; 1,024 unless set.
    #[must_use]
    pub fn connections_max(mut self, connections_max: usize) -> Self {
        self.connections_max = connections_max;
        self
    }

    /// Streams that wait to be accepted, 128 unless set; while there are so many, openers are not
    /// heard and try again.
    #[must_use]
    pub fn backlog_max(mut self, backlog_max: usize) -> Self {
        self.backlog_max = backlog_max;
        self
    }

    /// Puts a bad network in front of the socket, for tests and lessons: `up` is what leaves.
    #[must_use]
    pub fn over(mut self, network: Profile, seed: Seed) -> Self {
        self.network = Some((network, seed));
        self
    }

    /// Opens a stream to the first of these addresses that answers, and waits for that.
    pub fn connect(&self, peer: impl ToSocketAddrs) -> io::Result<Stream> {
        each_address(peer, |peer| {
            let mut socket = Socket::bind_for(peer, &SocketConfig::default())?;
            // The system reports closed ports to connected sockets only.
            socket.connect(peer)?;
            let line = self.start(socket, peer, 1)?;
            Stream::open(line, peer, self.connect_timeout, self.linger)
        })
    }

    /// A listener on the first of these addresses that can be had; port 0 lets the system choose.
    pub fn bind(&self, address: impl ToSocketAddrs) -> io::Result<Listener> {
        each_address(address, |address| {
            let socket = Socket::bind(address, &SocketConfig::default())?;
            Ok(Listener::new(self.start(socket, address, self.connections_max)?))
        })
    }

    fn start(&self, socket: Socket, peer: SocketAddr, peers_max: usize) -> io::Result<Line> {
        let (spec, config) = (self.spec, self.config);
        // What does not go together is to be known now, not when somebody opens a stream.
        spec.endpoint(config, peer).map_err(invalid)?;
        if config.codec.payload_max() < peer::MESSAGE_BYTES {
            let what = format!(
                "a message of {} bytes does not fit: use the compact format",
                peer::MESSAGE_BYTES
            );
            return Err(invalid(what));
        }
        let limits = HubConfig { peers_max, idle_after: IDLE };
        let make = move |_, peer| spec.endpoint(config, peer).ok();
        let hub = Hub::new(limits, line::make(make));
        let clock = Clock::start();
        let mut driver = Driver::new(hub, socket, clock);
        if let Some((network, seed)) = &self.network {
            let links = network.links(*seed);
            let codec = config.codec;
            let [out, into] =
                links.map(|link| link.with_inspect(move |bytes: &[u8]| codec.anatomy(bytes)));
            driver = driver.with_links(out, into, NodeId(1));
        }
        Line::start(driver, clock, self.backlog_max)
    }
}

fn invalid(error: impl core::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{error}"))
}
