//! The transport: connections with two streams each way, so that talk never waits for a file.

use core::{net::SocketAddr, time::Duration};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use rdtp::{
    app::chat::{Lane, PeerId, Wire},
    endpoint::Endpoint as _,
    link::Profile,
    net::{Clock, Driver},
    rng::Seed,
    time::Instant,
    transport::{
        config::Config,
        connection::{Connection, Event},
        cookie::Secret,
        host::{Host, HostConfig, HostEvent},
        stream::{ReadError, StreamEvent, StreamLimits},
    },
    wire::transport::{ConnectionId, StreamId},
};
use rustix::event::{PollFd, PollFlags};

use super::{
    Bad, Carrier, News, Side, Traffic, draw, driver, lost, raw::poll_fd, refusals, relink, secret,
};

/// A lane asks for no more while so many bytes wait in front of its stream.
const ROOM_BYTES: usize = 64 * 1024;
/// Bytes that one stream is read in one turn, so that no connection waits for another.
const READ_BYTES: usize = 64 * 1024;
/// How long a connection that ends may take to deliver what it was given.
const LINGER: Duration = Duration::from_secs(2);
/// Talk is sent before files.
const TALK_PRIORITY: u8 = 0;
const BULK_PRIORITY: u8 = 10;

/// One lane of a connection.
#[derive(Debug, Default)]
struct Way {
    stream: Option<StreamId>,
    out: Vec<u8>,
}

#[derive(Debug)]
struct Conn {
    id: ConnectionId,
    talk: Way,
    bulk: Way,
    /// Streams of the peer, and which lane the first byte of each said it is.
    incoming: BTreeMap<StreamId, Option<Lane>>,
    /// What it sends is not read, and fills the windows of its streams.
    held: bool,
    /// Streams on which there is more to be read.
    unread: BTreeSet<StreamId>,
    closing: Option<Instant>,
    finished: bool,
}

#[derive(Debug)]
pub(super) struct Rdt {
    side: Side,
    driver: Driver<Host>,
    bad: Option<Bad>,
    clock: Clock,
    conns: BTreeMap<PeerId, Conn>,
    peers: BTreeMap<ConnectionId, PeerId>,
    calls: u64,
    refusals: u64,
    /// Connections that are read on in the next turn.
    unread: BTreeSet<PeerId>,
    buffer: Vec<u8>,
}

impl Rdt {
    pub(super) fn open(side: Side, bad: Option<Bad>, clock: Clock) -> io::Result<Self> {
        let driver = driver(host(side), side, bad.as_ref(), 0, clock)?;
        let (conns, peers) = (BTreeMap::new(), BTreeMap::new());
        let buffer = vec![0; 16 * 1024];
        let (calls, refusals, unread) = (0, 0, BTreeSet::new());
        Ok(Self { side, driver, bad, clock, conns, peers, calls, refusals, unread, buffer })
    }

    fn insert(&mut self, id: ConnectionId, address: SocketAddr) -> PeerId {
        let peer = PeerId { address, number: id.0 };
        let (talk, bulk) = (Way::default(), Way::default());
        let (incoming, unread) = (BTreeMap::new(), BTreeSet::new());
        let (held, closing, finished) = (false, None, false);
        let conn = Conn { id, talk, bulk, incoming, held, unread, closing, finished };
        self.conns.insert(peer, conn);
        self.peers.insert(id, peer);
        peer
    }

    fn event(&mut self, HostEvent { id, event }: HostEvent, news: &mut Vec<News>) {
        let peer = if let Some(&peer) = self.peers.get(&id) {
            peer
        } else {
            let Some(address) = self.driver.endpoint().get(id).map(Connection::peer) else {
                return;
            };
            if matches!(event, Event::Closed(_)) || matches!(self.side, Side::Call(_)) {
                return;
            }
            let peer = self.insert(id, address);
            news.push(News::Opened(peer));
            peer
        };
        match event {
            Event::Connected if matches!(self.side, Side::Call(_)) => {
                news.push(News::Opened(peer));
                self.pump(peer);
            }
            Event::Stream(StreamEvent::Opened(stream)) => {
                if let Some(conn) = self.conns.get_mut(&peer) {
                    conn.incoming.insert(stream, None);
                }
            }
            Event::Stream(StreamEvent::Readable(stream)) => self.read(peer, stream, news),
            Event::Stream(StreamEvent::Finished(stream)) => {
                let conn = self.conns.get_mut(&peer);
                if conn
                    .is_some_and(|conn| conn.talk.stream == Some(stream) && conn.closing.is_some())
                {
                    self.end(peer, News::Closed, news);
                }
            }
            Event::Stream(_) => self.pump(peer),
            Event::Closed(_) => self.end(peer, News::Closed, news),
            Event::Connected | Event::Datagram => {}
        }
    }

    fn read(&mut self, peer: PeerId, stream: StreamId, news: &mut Vec<News>) {
        let now = self.clock.now();
        let Some(conn) = self.conns.get_mut(&peer) else { return };
        if conn.held {
            conn.unread.insert(stream);
            return;
        }
        let Some(connection) = self.driver.endpoint_mut().get_mut(conn.id) else { return };
        let mut read = 0;
        loop {
            if read >= READ_BYTES {
                conn.unread.insert(stream);
                self.unread.insert(peer);
                return;
            }
            let len = match connection.read(now, stream, &mut self.buffer) {
                Ok(len) => len,
                Err(ReadError::Blocked) => return,
                Err(_) => break,
            };
            read += len;
            let mut bytes = &self.buffer[..len];
            // Of a stream that we opened ourselves, the peer's half is the same lane.
            let own = [(&conn.talk, Lane::Talk), (&conn.bulk, Lane::Bulk)];
            let own = own.into_iter().find(|(way, _)| way.stream == Some(stream));
            let known = own.map(|(_, lane)| lane).or(conn.incoming.get(&stream).copied().flatten());
            let lane = if let Some(lane) = known {
                lane
            } else {
                let Some((&first, rest)) = bytes.split_first() else { continue };
                bytes = rest;
                let lane = if first == 0 { Lane::Talk } else { Lane::Bulk };
                conn.incoming.insert(stream, Some(lane));
                // Both talk on the stream that the caller opened.
                if lane == Lane::Talk && conn.talk.stream.is_none() {
                    conn.talk.stream = Some(stream);
                }
                lane
            };
            if !bytes.is_empty() && conn.closing.is_none() {
                news.push(News::Bytes(peer, lane, bytes.to_vec()));
            }
        }
        // The peer says no more. Where it is the talk, that is the end.
        if conn.talk.stream == Some(stream) {
            self.end(peer, News::Closed, news);
        }
    }

    /// Gives the streams as much as they take.
    fn pump(&mut self, peer: PeerId) {
        let Some(conn) = self.conns.get_mut(&peer) else { return };
        let Some(connection) = self.driver.endpoint_mut().get_mut(conn.id) else { return };
        let calls = matches!(self.side, Side::Call(_));
        for (way, priority, code) in
            [(&mut conn.talk, TALK_PRIORITY, 0), (&mut conn.bulk, BULK_PRIORITY, 1)]
        {
            // Who was called waits for the caller's stream to talk on.
            let may_open = calls || code == 1;
            if way.stream.is_none() && may_open && !way.out.is_empty() {
                way.stream = connection.open_stream(priority).ok();
                if let Some(stream) = way.stream
                    && connection.write(stream, &[code]) != Ok(1)
                {
                    continue;
                }
            }
            let Some(stream) = way.stream else { continue };
            let mut sent = 0;
            while sent < way.out.len() {
                match connection.write(stream, &way.out[sent..]) {
                    Ok(len) => sent += len,
                    Err(_) => break,
                }
            }
            way.out.drain(..sent);
        }
        let empty = conn.talk.out.is_empty() && conn.bulk.out.is_empty();
        if conn.closing.is_some() && empty && !core::mem::replace(&mut conn.finished, true) {
            match conn.talk.stream {
                Some(stream) => drop(connection.finish(stream)),
                None => connection.close(self.clock.now(), 0, b""),
            }
        }
    }

    fn end(&mut self, peer: PeerId, what: fn(PeerId) -> News, news: &mut Vec<News>) {
        let Some(conn) = self.conns.remove(&peer) else { return };
        self.peers.remove(&conn.id);
        if let Some(connection) = self.driver.endpoint_mut().get_mut(conn.id) {
            connection.close(self.clock.now(), 0, b"");
        }
        news.push(what(peer));
    }
}

fn host(side: Side) -> Host {
    let config = HostConfig {
        connection: Config {
            streams: StreamLimits {
                peer_streams_max: 4,
                send_buffer_bytes: 256 * 1024,
                ..Config::default().streams
            },
            open_timeout: Duration::from_secs(10),
            ..Config::default()
        },
        accepts: matches!(side, Side::Listen(_)),
        connections_max: 20_000,
        // What one address may do is the chat's to judge.
        connections_per_address_max: 20_000,
        ..HostConfig::default()
    };
    // The configuration is a constant of this program, and a test of every carrier opens one.
    Host::new(config, Secret::new(secret()), Seed::new(draw()))
        .unwrap_or_else(|error| super::super::refuse(error))
}

impl Carrier for Rdt {
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
        if !self.unread.is_empty() {
            return Some(Instant::ZERO);
        }
        let closing = self.conns.values().filter_map(|conn| conn.closing);
        closing.chain(self.driver.deadline()).min()
    }

    fn step(&mut self, _: &[PollFlags], news: &mut Vec<News>) -> io::Result<()> {
        self.driver.step(&mut ())?;
        for peer in core::mem::take(&mut self.unread) {
            let streams = self.conns.get_mut(&peer).map(|conn| core::mem::take(&mut conn.unread));
            for stream in streams.into_iter().flatten() {
                self.read(peer, stream, news);
            }
        }
        while let Some(event) = self.driver.endpoint_mut().poll_event() {
            self.event(event, news);
        }
        let now = self.clock.now();
        let late = |(peer, conn): (&PeerId, &Conn)| {
            conn.closing.is_some_and(|at| at <= now).then_some(*peer)
        };
        let late: Vec<PeerId> = self.conns.iter().filter_map(late).collect();
        for peer in late {
            self.end(peer, News::Closed, news);
        }
        let refusals = refusals(&self.driver);
        if refusals > core::mem::replace(&mut self.refusals, refusals)
            && matches!(self.side, Side::Call(_))
        {
            let gone: Vec<PeerId> = self.conns.keys().copied().collect();
            for peer in gone {
                self.end(peer, News::Gone, news);
            }
        }
        Ok(())
    }

    fn connect(&mut self) -> io::Result<PeerId> {
        let Side::Call(address) = self.side else { return Err(io::ErrorKind::Unsupported.into()) };
        if self.calls > 0 {
            let bad = self.bad.as_ref();
            self.driver = driver(host(self.side), self.side, bad, self.calls, self.clock)?;
            self.refusals = 0;
            self.conns.clear();
            self.peers.clear();
        }
        self.calls += 1;
        let id = self.driver.endpoint_mut().open(self.clock.now(), address);
        Ok(self.insert(id, address))
    }

    fn has_room(&self, peer: PeerId, lane: Lane) -> bool {
        self.conns.get(&peer).is_some_and(|conn| {
            let way = if lane == Lane::Talk { &conn.talk } else { &conn.bulk };
            way.out.len() < ROOM_BYTES
        })
    }

    fn send(&mut self, peer: PeerId, lane: Lane, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(&peer).filter(|conn| conn.closing.is_none()) else {
            return;
        };
        let way = if lane == Lane::Talk { &mut conn.talk } else { &mut conn.bulk };
        way.out.extend_from_slice(bytes);
        self.pump(peer);
    }

    fn hold(&mut self, peer: PeerId, held: bool) {
        let Some(conn) = self.conns.get_mut(&peer) else { return };
        conn.held = held;
        if !held && !conn.unread.is_empty() {
            self.unread.insert(peer);
        }
    }

    fn close(&mut self, peer: PeerId) {
        self.hold(peer, false);
        if let Some(conn) = self.conns.get_mut(&peer) {
            conn.closing = conn.closing.or(Some(self.clock.now() + LINGER));
            self.pump(peer);
        }
    }

    fn has_work(&self) -> bool {
        let host = self.driver.endpoint();
        // Last words may be lost: who closes waits until they have arrived, as long as it lingers.
        let waits = |conn: &Conn| {
            host.get(conn.id).is_some_and(|connection| {
                connection.streams().has_data()
                    || conn.closing.is_some() && connection.recovery().in_flight_bytes() > 0
            })
        };
        self.conns.values().any(|conn| !conn.talk.out.is_empty() || waits(conn))
            || self.driver.has_work(self.clock.now())
    }

    fn traffic(&self) -> Option<Traffic> {
        let mut traffic = Traffic { lost: lost(&self.driver), ..Traffic::default() };
        traffic.sent = self.driver.stats().datagrams_out;
        for conn in self.conns.values() {
            let Some(connection) = self.driver.endpoint().get(conn.id) else { continue };
            let stats = connection.stats();
            let spurious = stats.recovery.spurious_packets;
            traffic.resent += stats.recovery.lost_packets.saturating_sub(spurious);
            traffic.rtt = Some(stats.srtt);
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
