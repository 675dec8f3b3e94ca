//! Strangers who would have a connection move (RFC 9000 sections 9.3 and 21.5).

use core::time::Duration;

use rdtp::{
    endpoint::{Disposition, Endpoint, RecvMeta},
    transport::host::HostConfig,
    wire::transport::{Frame, Packet, StreamId},
};

use crate::peer::{Peer, address, drain};

fn ping(peer: &mut Peer) -> Vec<u8> {
    peer.packet(&[1])
}

/// Somebody on the path copies every packet under the address of a victim and is faster than the
/// original. As long as the old address lives, the flow never moves, and the victim gets no more than
/// three times what was sent in its name.
#[test]
fn copies_under_another_address_move_nothing() {
    let mut peer = Peer::connect(HostConfig::default(), 1);
    let (home, mut to_victim, mut from_victim) = (peer.address, 0, 0);
    peer.connection().open_stream(0).unwrap();
    for turn in 0..2000_u64 {
        peer.connection().write(StreamId::new(0, true), &[7; 1000]).ok();
        let datagram = ping(&mut peer);
        let victim = address(1000 + u32::try_from(turn % 5).unwrap());
        // The copy comes first, and is taken: it is authentic.
        let copy = peer.host.handle_datagram(peer.now, RecvMeta::from(victim), &datagram);
        assert_eq!(copy, Disposition::Accepted);
        from_victim += datagram.len();
        let original = peer.host.handle_datagram(peer.now, RecvMeta::from(home), &datagram);
        assert!(matches!(original, Disposition::Discarded(_)));
        for (to, sent) in drain(&mut peer.host, peer.now) {
            to_victim += if to == home { 0 } else { sent.len() };
        }
        // The next packet finds its own way.
        peer.pass(Duration::from_millis(10));
        let next = ping(&mut peer);
        let next = peer.host.handle_datagram(peer.now, RecvMeta::from(home), &next);
        assert_eq!(next, Disposition::Accepted);
        assert_eq!(peer.connection().peer(), home, "turn {turn}");
    }
    println!("{from_victim} bytes in the victims' names, {to_victim} to them");
    assert!(to_victim > 0 && to_victim <= 3 * from_victim);
    assert_eq!(peer.connection().stats().moves, 0);
}

/// An attacker who moves on with every packet is looked at twice a second, and nothing grows.
#[test]
fn moves_have_a_rate() {
    let mut peer = Peer::connect(HostConfig::default(), 1);
    peer.know_all();
    let (home, before) = (peer.address, peer.connection().memory_bytes());
    let mut asked = 0;
    for n in 0..10_000 {
        let datagram = ping(&mut peer);
        let _ = peer.host.handle_datagram(peer.now, RecvMeta::from(address(5000 + n)), &datagram);
        let sent = drain(&mut peer.host, peer.now);
        asked += sent.iter().filter(|(to, _)| *to != home).count();
        peer.pass(Duration::from_millis(1));
    }
    println!("{asked} challenges in ten seconds");
    assert!((1..=80).contains(&asked), "{asked} challenges");
    assert_eq!(peer.connection().peer(), home);
    assert!(peer.connection().memory_bytes() <= before + 16_384);
}

/// Who guesses the answer moves nothing; who was asked does.
#[test]
fn an_answer_has_to_be_heard() {
    let mut peer = Peer::connect(HostConfig::default(), 1);
    let (home, elsewhere) = (peer.address, address(9));
    peer.take();
    peer.address = elsewhere;
    assert!(peer.send(&[Frame::Ping]));
    let asked: Vec<u64> = drain(&mut peer.host, peer.now)
        .iter()
        .filter(|(to, _)| *to == elsewhere)
        .filter_map(|(_, datagram)| challenge(datagram))
        .collect();
    let [asked] = asked[..] else { panic!("{asked:?}") };
    for guess in [0, 1, asked ^ 1, asked.swap_bytes()] {
        peer.send(&[Frame::PathResponse(guess)]);
        assert_eq!(peer.connection().peer(), home);
    }
    peer.send(&[Frame::PathResponse(asked)]);
    assert_eq!(peer.connection().peer(), elsewhere);
    assert_eq!(peer.connection().stats().moves, 1);
}

fn challenge(datagram: &[u8]) -> Option<u64> {
    let Ok(Packet::Data { frames, .. }) = Packet::decode(datagram) else { return None };
    let mut reader = rdtp::wire::transport::Reader::new(frames);
    match Frame::decode(&mut reader) {
        Ok(Frame::PathChallenge(data)) => Some(data),
        _ => None,
    }
}
