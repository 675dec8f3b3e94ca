//! The production transport: any bytes as a packet and as frames; then two hosts and a story of
//! calls, with bytes of the story in place of what they send, sealed so that they are looked at.

use core::{net::SocketAddr, time::Duration};

use rdtp::{
    batch::Batch,
    endpoint::{Endpoint, RecvMeta},
    rng::Seed,
    time::Instant,
    transport::{
        config::Config,
        cookie::Secret,
        host::{EarlyData, Host, HostConfig},
    },
    wire::transport::{ConnectionId, Frame, Packet, Reader, StreamId, Writer, seal},
};

use super::Bytes;

const OPS_MAX: usize = 300;
/// Room for any datagram of this target.
const ROOM: usize = 2048;
const CONNECTIONS_MAX: usize = 8;

pub(super) fn run(data: &[u8]) {
    decode(data);
    let mut sealed = [&[0; 4], data].concat();
    seal(&mut sealed);
    decode(&sealed);
    frames(data);
    Story::new().live(Bytes(data));
}

/// What is decoded and written again is decoded to the same.
fn decode(datagram: &[u8]) {
    let Ok(packet) = Packet::decode(datagram) else { return };
    let mut space = vec![0; datagram.len() + 256];
    let mut writer = Writer::new(&mut space);
    packet.encode(&mut writer);
    seal(writer.written());
    assert_eq!(Packet::decode(writer.written()), Ok(packet));
}

fn frames(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    while let Ok(frame) = Frame::decode(&mut reader) {
        if reader.is_empty() {
            return;
        }
        // An ACK is copied from the packet that it came in: it is written range by range.
        if matches!(frame, Frame::Ack(_)) {
            continue;
        }
        let mut space = vec![0; frame.encoded_len() + 64];
        let mut writer = Writer::new(&mut space);
        frame.encode(&mut writer);
        let written = writer.written().to_vec();
        assert_eq!(Frame::decode(&mut Reader::new(&written)), Ok(frame));
    }
}

fn address(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, u8::try_from(node).unwrap_or(0)], 7))
}

struct Story {
    hosts: [Host; 2],
    now: Instant,
    flying: [Vec<Vec<u8>>; 2],
}

impl Story {
    fn new() -> Self {
        // Everything that a packet can reach.
        let connection = Config { repair_percent: 100, ..Config::default() };
        let config = HostConfig {
            connection,
            connections_max: CONNECTIONS_MAX,
            early_data: EarlyData::Anyone,
            ..HostConfig::default()
        };
        let host = |n: u8| Host::new(config, Secret::new([n; 16]), Seed::new(n.into()));
        let hosts = [1, 2].map(|n| host(n).expect("a good configuration"));
        Self { hosts, now: Instant::ZERO, flying: Default::default() }
    }

    fn live(mut self, mut bytes: Bytes<'_>) {
        for _ in 0..OPS_MAX {
            if bytes.is_empty() {
                break;
            }
            let what = bytes.byte();
            let at = usize::from(what >> 7);
            match what % 12 {
                0 => _ = self.hosts[at].open(self.now, address(1 - at)),
                1 | 2 => self.transmit(at),
                3 | 4 => self.deliver(at, &mut bytes),
                5 => self.forge(at, &mut bytes),
                6 => self.now += Duration::from_millis(bytes.number()),
                7 => self.now += Duration::from_secs(bytes.number()),
                8 => self.timeout(at),
                9 => _ = self.hosts[at].poll_event(),
                _ => self.operate(at, &mut bytes),
            }
            for host in &self.hosts {
                assert!(host.connections().count() <= CONNECTIONS_MAX + OPS_MAX);
            }
        }
    }

    /// The nth connection of a host.
    fn connection(&self, at: usize, bytes: &mut Bytes<'_>) -> Option<ConnectionId> {
        let nth = bytes.below(CONNECTIONS_MAX);
        self.hosts[at].connections().map(|(id, _)| id).nth(nth)
    }

    fn transmit(&mut self, at: usize) {
        let mut space = [0; ROOM];
        let mut batch = Batch::new(&mut space);
        if self.hosts[at].poll_transmit(self.now, &mut batch).is_some() {
            self.flying[at].extend(batch.segments().map(<[u8]>::to_vec));
        }
    }

    fn hand(&mut self, to: usize, datagram: &[u8]) {
        let meta = RecvMeta::from(address(1 - to));
        let _ = self.hosts[to].handle_datagram(self.now, meta, datagram);
    }

    fn deliver(&mut self, from: usize, bytes: &mut Bytes<'_>) {
        let how = bytes.byte();
        let count = self.flying[from].len();
        let Some(nth) = usize::from(how >> 3).checked_rem(count) else { return };
        // Copies, now and then.
        let mut datagram = match how % 8 {
            0 => self.flying[from][nth].clone(),
            _ => self.flying[from].remove(nth),
        };
        // What stands behind the header is another's: frames that an honest peer never sends.
        if how % 8 == 1 {
            let from = bytes.below(datagram.len());
            let new = bytes.take(datagram.len() - from);
            datagram[from..from + new.len()].copy_from_slice(new);
            seal(&mut datagram);
        }
        self.hand(1 - from, &datagram);
    }

    /// Frames of the story in a packet that is addressed well.
    fn forge(&mut self, at: usize, bytes: &mut Bytes<'_>) {
        let Some(to) = self.connection(at, bytes) else { return };
        let number = u32::try_from(bytes.seq() & 0xffff_ffff).unwrap_or(0);
        let len = bytes.below(64);
        let frames = bytes.take(len);
        let mut space = [0; ROOM];
        let mut writer = Writer::new(&mut space);
        Packet::Data { to, number, frames }.encode(&mut writer);
        seal(writer.written());
        let datagram = writer.written().to_vec();
        self.hand(at, &datagram);
    }

    /// Rule 3: after a timeout the next deadline is in the future, or there is something to poll.
    fn timeout(&mut self, at: usize) {
        let (host, now) = (&mut self.hosts[at], self.now);
        host.handle_timeout(now);
        if host.poll_timeout().is_some_and(|due| due <= now) && host.poll_event().is_none() {
            let mut space = [0; ROOM];
            let mut batch = Batch::new(&mut space);
            assert!(host.poll_transmit(now, &mut batch).is_some(), "a timer spins");
            self.flying[at].extend(batch.segments().map(<[u8]>::to_vec));
        }
    }

    fn operate(&mut self, at: usize, bytes: &mut Bytes<'_>) {
        let Some(id) = self.connection(at, bytes) else { return };
        let (what, now) = (bytes.byte(), self.now);
        let stream = StreamId(bytes.seq());
        let number = bytes.number();
        let Some(connection) = self.hosts[at].get_mut(id) else { return };
        let mut out = [0; 512];
        match what % 14 {
            0 | 1 => _ = connection.open_stream(what),
            2 | 3 => _ = connection.write(stream, &vec![what; 40 * usize::from(what)]),
            4 => _ = connection.finish(stream),
            5 => _ = connection.reset(stream, number),
            6 => connection.stop(now, stream, number),
            7 => connection.set_priority(stream, what),
            8 => _ = connection.read(now, stream, &mut out),
            9 => {
                let len = connection.peek(stream).map_or(0, <[u8]>::len);
                connection.consume(now, stream, len.min(usize::from(what)));
            }
            10 => _ = connection.send_datagram(&out[..usize::from(what)]),
            11 => _ = connection.recv_datagram(),
            12 => {
                let room = connection.reserve(stream).map_or(0, |space| space.len());
                connection.commit(stream, room);
            }
            _ => connection.close(now, number, &out[..usize::from(what)]),
        }
        let _ = (connection.stats(), connection.streams().memory_bytes());
    }
}
