//! Carriers: how a program's bytes get to its peers, whatever is below.
//!
//! | `--over` | below | what the program sees |
//! | --- | --- | --- |
//! | `tcp` | TCP | bytes in order |
//! | `udp` | UDP | datagrams, some of which arrive |
//! | `rdt` | the transport | bytes in order, on two streams: talk before files |
//! | `rdt3.0`, `gbn`, `sr` | a machine of the textbook | bytes in order, cut into messages |

mod classic;
mod raw;
mod rdt;
mod tcp;

use core::{fmt, net::SocketAddr, ops::RangeInclusive, str::FromStr, time::Duration};
use std::{
    fs::File,
    io::{self, Read as _},
    process,
};

use rdtp::{
    app::chat::{Frames, Lane, PeerId, Wire},
    classic::Spec,
    endpoint::Endpoint,
    link::{Link, Profile},
    net::{Clock, Driver, Socket, SocketConfig},
    rng::Seed,
    time::Instant,
    trace::NodeId,
};
use rustix::event::{PollFd, PollFlags, Timespec};

use super::Failure;

/// What a carrier reports.
#[derive(Debug)]
pub(crate) enum News {
    /// Somebody is there, or whom we called has answered.
    Opened(PeerId),
    /// Bytes in order.
    Bytes(PeerId, Lane, Vec<u8>),
    /// A datagram.
    Datagram(PeerId, Vec<u8>),
    /// The connection is over, or none came about.
    Closed(PeerId),
    /// The same: the peer's machine says that nobody is there (ICMP port unreachable).
    Gone(PeerId),
}

/// What a carrier did, for people who want to watch it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    /// Packets sent, the first time and again.
    pub(crate) sent: u64,
    /// Packets that were sent again.
    pub(crate) resent: u64,
    /// Packets that the bad network in front of the carrier has lost.
    pub(crate) lost: u64,
    /// The round trip as the carrier measures it.
    pub(crate) rtt: Option<Duration>,
}

/// A way to send and receive.
pub(crate) trait Carrier {
    /// What it does with bytes.
    fn wire(&self) -> Wire;
    /// Where it listens, or sends from.
    fn local_addr(&self) -> SocketAddr;
    /// What to wait for.
    fn fds<'a>(&'a self, fds: &mut Vec<PollFd<'a>>);
    /// When [`step`](Self::step) has something to do even if nothing arrives.
    fn deadline(&self) -> Option<Instant>;
    /// Does what can be done now; `ready` says what became of each of [`fds`](Self::fds).
    fn step(&mut self, ready: &[PollFlags], news: &mut Vec<News>) -> io::Result<()>;
    /// Begins a connection to the peer that it was made for.
    fn connect(&mut self) -> io::Result<PeerId>;
    /// Whether it wants more to send to this peer now.
    fn has_room(&self, peer: PeerId, lane: Lane) -> bool;
    /// Takes bytes for a peer. On a carrier of datagrams they are one.
    fn send(&mut self, peer: PeerId, lane: Lane, bytes: &[u8]);
    /// Stops reading from a peer, or goes on. Where that cannot be, nothing changes.
    fn hold(&mut self, peer: PeerId, held: bool);
    /// Ends a connection after what it was given.
    fn close(&mut self, peer: PeerId);
    /// Whether something it was given has not left, or not arrived where that can be known.
    fn has_work(&self) -> bool;
    /// What it did so far; none where the system sends the packets.
    fn traffic(&self) -> Option<Traffic>;
    /// Puts another bad network in its way. False where there can be none.
    fn set_link(&mut self, profile: &Profile) -> bool;
}

/// Sends a frame: with its length before it where bytes have no borders of their own.
pub(crate) fn send_frame(carrier: &mut dyn Carrier, peer: PeerId, lane: Lane, frame: &[u8]) {
    match carrier.wire() {
        Wire::Datagram => carrier.send(peer, lane, frame),
        Wire::Stream => {
            let framed = [&Frames::prefix(frame.len())[..], frame].concat();
            carrier.send(peer, lane, &framed);
        }
    }
}

/// What carries a program's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// TCP connections.
    Tcp,
    /// Bare datagrams.
    Udp,
    /// The production transport.
    Rdt,
    /// One of the book's protocols.
    Book(Spec),
}

impl FromStr for Over {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "rdt" => Ok(Self::Rdt),
            name => name.parse().map(Self::Book).map_err(|error| {
                format!("{error}; write tcp, udp, rdt, or a protocol such as rdt3.0, gbn or sr")
            }),
        }
    }
}

impl Over {
    /// One for a program whose bytes have to arrive, or to be seen lost: of the book's protocols those
    /// that repair every loss.
    pub(crate) fn of_stream(text: &str) -> Result<Self, String> {
        let usual = "choose tcp, udp, rdt, rdt3.0, gbn or sr";
        let over: Self = text.parse().map_err(|_| usual.to_owned())?;
        match over {
            Self::Book(Spec::StopAndWait(_) | Spec::GoBackN(_) | Spec::SelectiveRepeat(_))
            | Self::Tcp
            | Self::Udp
            | Self::Rdt => Ok(over),
            Self::Book(_) => Err(usual.to_owned()),
        }
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.write_str("tcp"),
            Self::Udp => f.write_str("udp"),
            Self::Rdt => f.write_str("rdt"),
            Self::Book(spec) => spec.fmt(f),
        }
    }
}

/// The bad network in front of a carrier.
#[derive(Clone, Debug)]
pub(crate) struct Bad {
    pub(crate) profile: Profile,
    pub(crate) seed: Seed,
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Anybody who comes to this address.
    Listen(SocketAddr),
    /// This one.
    Call(SocketAddr),
}

/// Makes a carrier. Fails when the address cannot be had.
pub(crate) fn open(
    over: Over,
    side: Side,
    bad: Option<Bad>,
    clock: Clock,
) -> Result<Box<dyn Carrier>, Failure> {
    let failed = |error: io::Error| match side {
        Side::Listen(address) => Failure(format!("{address}: {error}; choose another port")),
        Side::Call(address) => Failure(format!("{address}: {error}")),
    };
    Ok(match over {
        Over::Tcp if bad.is_some() => {
            return Err(Failure(
                "--link stands in front of datagrams, and over tcp the system sends them: use \
                 rdt, udp, rdt3.0, gbn or sr"
                    .to_owned(),
            ));
        }
        Over::Tcp => Box::new(tcp::Tcp::open(side, clock).map_err(failed)?),
        Over::Udp => Box::new(raw::Udp::open(side, bad.as_ref(), clock).map_err(failed)?),
        Over::Rdt => Box::new(rdt::Rdt::open(side, bad, clock).map_err(failed)?),
        Over::Book(spec) => {
            Box::new(classic::Classical::open(spec, side, bad, clock).map_err(failed)?)
        }
    })
}

/// A carrier of datagrams from a port of these, the first that can be had in an order that `draw`
/// decides (S1-11: several clients on one machine).
pub(crate) fn open_udp_from(
    ports: RangeInclusive<u16>,
    draw: u64,
    peer: SocketAddr,
    bad: Option<&Bad>,
    clock: Clock,
) -> io::Result<Box<dyn Carrier>> {
    let any = SocketAddr::new(if peer.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() }, 0);
    let config = SocketConfig { fragments: true, ..SocketConfig::default() };
    let count = u64::from(ports.end() - ports.start()) + 1;
    let mut failed = io::ErrorKind::AddrInUse.into();
    for attempt in 0..count {
        let offset = u16::try_from(draw.wrapping_add(attempt) % count).unwrap_or_default();
        match Socket::bind(SocketAddr::new(any.ip(), ports.start() + offset), &config) {
            Ok(mut socket) => {
                socket.connect(peer)?;
                return Ok(Box::new(raw::Udp::behind(socket, Side::Call(peer), bad, clock)));
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// A UDP socket for this side.
fn socket(side: Side, fragments: bool) -> io::Result<Socket> {
    let config = SocketConfig {
        recv_buffer_bytes: Some(4 << 20),
        send_buffer_bytes: Some(1 << 20),
        dual_stack: true,
        fragments,
        ..SocketConfig::default()
    };
    match side {
        Side::Listen(address) => Socket::bind(address, &config),
        Side::Call(peer) => {
            let config = SocketConfig { dual_stack: false, ..config };
            let mut socket = Socket::bind_for(peer, &config)?;
            socket.connect(peer)?;
            Ok(socket)
        }
    }
}

/// A driver for this side, with its bad network; `index` tells one connection after another apart.
/// Whoever calls always has one, perfect at first, so that it can be made worse.
fn driver<E: Endpoint>(
    endpoint: E,
    side: Side,
    bad: Option<&Bad>,
    index: u64,
    clock: Clock,
) -> io::Result<Driver<E>> {
    Ok(with_link(Driver::new(endpoint, socket(side, false)?, clock), side, bad, index))
}

/// A driver with its bad network.
fn with_link<E: Endpoint>(
    driver: Driver<E>,
    side: Side,
    bad: Option<&Bad>,
    index: u64,
) -> Driver<E> {
    let perfect = Bad { profile: Profile::default(), seed: Seed::new(Clock::unix_nanos()) };
    let bad = match (bad, side) {
        (None, Side::Listen(_)) => return driver,
        (None, Side::Call(_)) => &perfect,
        (Some(bad), _) => bad,
    };
    let seed = if index == 0 { bad.seed } else { bad.seed.index(index) };
    let [up, down]: [Link<SocketAddr>; 2] = bad.profile.links(seed);
    let (out, into) = match side {
        Side::Call(_) => (up, down),
        Side::Listen(_) => (down, up),
    };
    driver.with_links(out, into, NodeId(1))
}

/// Makes the bad network of a driver another one.
fn relink<E: Endpoint>(driver: &mut Driver<E>, side: Side, profile: &Profile) -> bool {
    match side {
        Side::Call(_) => driver.set_links(&profile.up, &profile.down),
        Side::Listen(_) => driver.set_links(&profile.down, &profile.up),
    }
}

/// How often the machine at the other end has said that nobody listens there. On a socket with one peer
/// that is the peer's machine.
fn refusals<E: Endpoint>(driver: &Driver<E>) -> u64 {
    driver.socket().stats().refused
}

/// What the links of a driver have lost.
fn lost<E: Endpoint>(driver: &Driver<E>) -> u64 {
    let lost = |link: &Link<SocketAddr>| {
        let total = link.stats().total();
        total.lost + total.outage + total.queue_full + total.too_large
    };
    driver.links().map_or(0, |(out, into)| lost(out) + lost(into))
}

/// Waits until one of the carriers' descriptors, or one more, is ready, or `until` has come. What
/// the carrier's descriptors said is in `ready` afterwards; returns whether the one more is ready.
pub(crate) fn wait(
    carriers: &[&dyn Carrier],
    also: Option<rustix::fd::BorrowedFd<'_>>,
    until: Option<Instant>,
    clock: &Clock,
    ready: &mut Vec<Vec<PollFlags>>,
) -> io::Result<bool> {
    let mut fds = Vec::new();
    let mut ends = Vec::new();
    for carrier in carriers {
        carrier.fds(&mut fds);
        ends.push(fds.len());
    }
    if let Some(fd) = also {
        fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
    }
    let timeout = until.map(|until| {
        let time = (until - clock.now()).min(Duration::from_hours(1));
        let seconds = i64::try_from(time.as_secs()).unwrap_or(3_600);
        Timespec { tv_sec: seconds, tv_nsec: time.subsec_nanos().into() }
    });
    match rustix::event::poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut start = 0;
    ready.clear();
    for end in ends {
        ready.push(fds[start..end].iter().map(PollFd::revents).collect());
        start = end;
    }
    Ok(also.is_some() && fds.last().is_some_and(|fd| !fd.revents().is_empty()))
}

/// Bytes that nobody can guess, where the system gives any.
pub(crate) fn secret() -> [u8; 16] {
    let mut bytes = [0; 16];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    if read.is_err() {
        // The next best: what differs from process to process and from moment to moment.
        Seed::new(Clock::unix_nanos()).index(process::id().into()).rng().fill(&mut bytes);
    }
    bytes
}

/// A number that nobody can guess.
pub(crate) fn draw() -> u64 {
    let bytes = secret();
    u64::from_be_bytes(core::array::from_fn(|at| bytes[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_have_the_names_that_they_print() {
        for name in ["tcp", "udp", "rdt", "rdt3.0", "gbn", "sr", "gbn:4/8"] {
            let over = Over::of_stream(name).unwrap();
            assert!(over.to_string().starts_with(name.split(':').next().unwrap()));
        }
        for name in ["", "rdt1.0", "rdt2.2", "quic"] {
            assert!(Over::of_stream(name).is_err(), "{name}");
        }
        // A monitor wants to see those, too, that lose.
        for name in ["rdt1.0", "rdt2.2"] {
            assert_eq!(name.parse::<Over>().unwrap().to_string(), name);
        }
    }

    /// A server and a client of it.
    fn both(over: Over, clock: Clock) -> [Box<dyn Carrier>; 2] {
        let any = "127.0.0.1:0".parse().unwrap();
        let server = open(over, Side::Listen(any), None, clock).unwrap();
        let client = open(over, Side::Call(server.local_addr()), None, clock).unwrap();
        [server, client]
    }

    /// Both sides of a carrier in one thread: what one sends the other gets, on both lanes.
    fn carries(over: &str) {
        let over: Over = over.parse().unwrap();
        let clock = Clock::start();
        let [mut server, mut client] = both(over, clock);
        let there = client.connect().unwrap();
        let is_stream = client.wire() == Wire::Stream;
        let (mut here, mut sent, mut heard) = (None, false, Vec::new());
        let mut ready = Vec::new();
        let limit = clock.now() + Duration::from_secs(20);
        let text: Vec<u8> = if is_stream { vec![7; 200_000] } else { b"hello".to_vec() };
        let mut closed = false;
        while heard.len() < 2 * text.len() || !closed {
            assert!(clock.now() < limit, "{over}: {} bytes", heard.len());
            let wake = [client.deadline(), server.deadline()].into_iter().flatten().min();
            let wake = wake.map_or(limit, |at| at.min(limit));
            wait(&[&*client, &*server], None, Some(wake), &clock, &mut ready).unwrap();
            let mut news = Vec::new();
            client.step(&ready[0], &mut news).unwrap();
            for item in news.drain(..) {
                match item {
                    News::Opened(peer) if !sent => {
                        assert_eq!(peer, there);
                        client.send(there, Lane::Talk, &text);
                        client.send(there, Lane::Bulk, &text);
                        sent = true;
                    }
                    News::Closed(_) => closed = true,
                    _ => {}
                }
            }
            server.step(&ready[1], &mut news).unwrap();
            for item in news {
                match item {
                    News::Opened(peer) => here = Some(peer),
                    News::Bytes(peer, _, bytes) | News::Datagram(peer, bytes) => {
                        assert!(here.is_none_or(|here| here == peer));
                        heard.extend_from_slice(&bytes);
                        // Each says goodbye; where there are connections, the other learns of it.
                        if heard.len() == 2 * text.len() {
                            server.close(peer);
                            closed |= !matches!(over, Over::Tcp | Over::Rdt);
                        }
                    }
                    News::Closed(_) | News::Gone(_) => {}
                }
            }
        }
        assert_eq!(heard, [&text[..], &text[..]].concat());
    }

    /// Who is held sends as much as there is space on the way, and the rest when it is read again.
    fn holds(over: &str) {
        let over: Over = over.parse().unwrap();
        let clock = Clock::start();
        let [mut server, mut client] = both(over, clock);
        let there = client.connect().unwrap();
        let (mut here, mut ready, mut news) = (None, Vec::new(), Vec::new());
        let (mut sent, mut heard, mut idle, mut held) = (0, 0, 0, true);
        let limit = clock.now() + Duration::from_mins(1);
        let chunk = vec![7; 16 * 1024];
        while held || heard < sent {
            assert!(clock.now() < limit, "{over}: {heard} of {sent} bytes");
            let soon = clock.now() + Duration::from_millis(5);
            wait(&[&*client, &*server], None, Some(soon), &clock, &mut ready).unwrap();
            client.step(&ready[0], &mut news).unwrap();
            news.clear();
            server.step(&ready[1], &mut news).unwrap();
            for item in news.drain(..) {
                match item {
                    News::Opened(peer) => {
                        server.hold(peer, true);
                        here = Some(peer);
                    }
                    News::Bytes(_, _, bytes) => heard += bytes.len(),
                    other => panic!("{other:?}"),
                }
            }
            let before = sent;
            while held && here.is_some() && client.has_room(there, Lane::Talk) && sent < 1 << 30 {
                client.send(there, Lane::Talk, &chunk);
                sent += chunk.len();
            }
            // What came with the connection may have been read before it was held.
            if let (true, Some(peer)) = (held, here) {
                assert!(heard <= 1 << 20, "{over} reads on: {heard} of {sent}");
                idle = if sent > before { 0 } else { idle + 1 };
                held = idle < 40;
                server.hold(peer, held);
            }
        }
        assert!(sent < 1 << 30, "{over}: there is no end of space");
    }

    #[test]
    fn who_is_held_is_not_read() {
        for over in ["tcp", "rdt"] {
            holds(over);
        }
    }

    #[test]
    fn tcp_carries() {
        carries("tcp");
    }

    #[test]
    fn udp_carries() {
        carries("udp");
    }

    #[test]
    fn rdt_carries() {
        carries("rdt");
    }

    #[test]
    fn the_textbook_carries() {
        for over in ["rdt3.0", "gbn", "sr"] {
            carries(over);
        }
    }
}
