//! What those can do who have no connection, and copy, guess and repeat.

use core::time::Duration;

use rdtp::{
    endpoint::{Disposition, Endpoint, RecvMeta},
    rng::Seed,
    transport::host::HostConfig,
    wire::transport::{
        CloseCode, ConnectionId, Frame, Packet, ResetToken, StreamId, truncate_number,
    },
};

use crate::peer::{Peer, address, write};

/// A connection in the middle of something, and what can be seen of it from outside.
fn busy(seed: u64) -> Peer {
    let mut peer = Peer::connect(HostConfig::default(), seed);
    peer.send(&[Frame::Stream { id: StreamId(0), offset: 0, data: b"hello", fin: false }]);
    peer.connection().write(StreamId(0), &[7; 3000]).unwrap();
    peer.take();
    peer
}

/// Blind injection: forged packets with a good checksum, for IDs and numbers by chance, from the right
/// address. The chance of a hit is one in 2^64 each: none of a million is taken.
#[test]
fn a_million_blind_packets_hit_nothing() {
    let mut peer = busy(1);
    let before = peer.connection().stats();
    let mut rng = Seed::new(2).rng();
    for n in 0..1_000_000_u32 {
        let (to, number) = (ConnectionId(rng.next_u64()), rng.next_u64());
        let packet = match n % 3 {
            0 => Packet::Data { to, number: truncate_number(number), frames: &[] },
            1 => Packet::Reset { to, token: ResetToken([u8::try_from(n % 256).unwrap(); 16]) },
            _ => Packet::Challenge { to, number, cookie: b"c" },
        };
        let datagram = write_small(&packet);
        let taken = peer.host.handle_datagram(peer.now, RecvMeta::from(peer.address), &datagram);
        assert_ne!(taken, Disposition::Accepted);
        if n % 64 == 0 {
            peer.take();
        }
    }
    let after = peer.connection().stats();
    assert_eq!(before.datagrams_received, after.datagrams_received);
    assert!(!peer.is_caught());
}

fn write_small(packet: &Packet<'_>) -> Vec<u8> {
    let mut space = vec![0; 64];
    let mut writer = rdtp::wire::transport::Writer::new(&mut space);
    packet.encode(&mut writer);
    if matches!(packet, Packet::Data { .. }) {
        let code = CloseCode::Application(1);
        Frame::Close { code, reason: b"" }.encode(&mut writer);
    }
    rdtp::wire::transport::seal(writer.written());
    let len = writer.len();
    space.truncate(len);
    space
}

/// Whoever knows everything but the token cannot reset a connection.
#[test]
fn a_reset_takes_the_token() {
    let mut peer = busy(1);
    let to = ConnectionId(0xaaaa_0001);
    for bit in 0..128 {
        let mut token = [5; 16];
        token[bit / 8] ^= 1 << (bit % 8);
        let datagram = write_small(&Packet::Reset { to, token: ResetToken(token) });
        let taken = peer.host.handle_datagram(peer.now, RecvMeta::from(peer.address), &datagram);
        assert_ne!(taken, Disposition::Accepted);
    }
    assert!(!peer.is_caught());
    let datagram = write_small(&Packet::Reset { to, token: ResetToken([5; 16]) });
    let taken = peer.host.handle_datagram(peer.now, RecvMeta::from(peer.address), &datagram);
    assert_eq!(taken, Disposition::Accepted);
}

/// Replay: any packet again at any time, from the same address or another, changes nothing.
#[test]
fn old_packets_change_nothing() {
    let mut peer = busy(1);
    let mut recorded = Vec::new();
    for n in 0..200_u64 {
        let number = truncate_number(peer.next);
        peer.next += 1;
        let packet = Packet::Data { to: peer.id, number, frames: &[] };
        let datagram = write(&packet, |writer| {
            let frame = Frame::Stream { id: StreamId(0), offset: 5 + n, data: b"x", fin: false };
            frame.encode(writer);
            Frame::Datagram(b"once").encode(writer);
        });
        let meta = RecvMeta::from(peer.address);
        assert_eq!(peer.host.handle_datagram(peer.now, meta, &datagram), Disposition::Accepted);
        recorded.push(datagram);
        peer.take();
        while peer.connection().recv_datagram().is_some() {}
        peer.pass(Duration::from_millis(3));
        for old in recorded.iter().rev().step_by(7) {
            for source in [peer.address, address(77)] {
                let taken = peer.host.handle_datagram(peer.now, RecvMeta::from(source), old);
                assert_ne!(taken, Disposition::Accepted);
            }
        }
        assert_eq!(peer.connection().recv_datagram(), None);
        let here = peer.address;
        assert_eq!(peer.connection().peer(), here);
    }
    assert_eq!(peer.connection().stats().datagrams_received, 200 + 3);
}

/// Connection IDs of eight bits, so that they clash all the time: no packet changes another
/// connection.
#[test]
fn short_ids_clash_with_nobody() {
    let mut host = crate::peer::server(HostConfig::default(), 1);
    host.shorten_ids(8);
    let mut ids = std::collections::BTreeSet::new();
    let mut now = rdtp::time::Instant::ZERO;
    for n in 1..=200 {
        let mut peer = Peer::join(host, now, n);
        assert!(ids.insert(peer.id) && peer.id.0 < 256, "{}", peer.id);
        let data = n.to_be_bytes();
        peer.send(&[Frame::Stream { id: StreamId(0), offset: 0, data: &data, fin: false }]);
        now = peer.now;
        host = peer.host;
    }
    let all: Vec<_> = host.connections().map(|(id, connection)| (id, connection.peer())).collect();
    for (id, peer) in all {
        let mut out = [0; 8];
        assert_eq!(host.get_mut(id).unwrap().read(now, StreamId(0), &mut out), Ok(4));
        let n = u32::from_be_bytes([out[0], out[1], out[2], out[3]]);
        assert_eq!(peer, address(n), "{id}");
    }
}
