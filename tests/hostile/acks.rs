//! What a peer can do with acknowledgements.

use core::time::Duration;

use rdtp::{
    buf::RangeSet,
    rng::Seed,
    transport::{cc::Algorithm, config::Config, host::HostConfig, lifecycle::CloseReason},
    wire::transport::{Ack, CloseCode, Frame, StreamId},
};

use crate::{
    BESIDE_WINDOW,
    peer::{Peer, processor_time},
};

const ROUND: Duration = Duration::from_millis(50);

/// A download from a server, with so many honest round trips.
fn download(seed: u64, honest_rounds: u64) -> Peer {
    let connection = Config { ecn: false, ..Config::default() };
    let mut peer = Peer::connect(HostConfig { connection, ..HostConfig::default() }, seed);
    peer.send(&[Frame::Stream { id: StreamId(0), offset: 0, data: b"all of it", fin: true }]);
    for _ in 0..=honest_rounds {
        peer.connection().write(StreamId(0), &vec![7; 4 << 20]).unwrap();
        peer.take();
        peer.pass(ROUND);
        let ranges: Vec<_> = peer.taken.iter().map(|&number| number..number + 1).collect();
        assert!(peer.ack(&ranges));
        // What the server knows to be acknowledged is not said again.
        let keep = peer.taken.len().saturating_sub(2000);
        peer.taken.drain(..keep);
    }
    peer
}

/// Optimistic ACK (RFC 9000 section 21.4): a peer that acknowledges what it has not received, to make
/// the server send faster. It knows which numbers were used at most, never which were left out; it is
/// caught before it has acknowledged a window, with every one of 10,000 seeds.
#[test]
fn whoever_acknowledges_ahead_is_caught_within_a_window() {
    let mut worst = 0;
    for seed in 0..10_000 {
        let mut rng = Seed::new(seed).rng();
        let mut peer = download(seed, rng.below(4));
        let stats = peer.connection().stats();
        let window = stats.window_bytes / stats.packet_bytes as u64 + 1;
        let (mut claimed, mut false_acks) = (peer.taken.last().unwrap() + 1, 0);
        while !peer.is_caught() {
            peer.connection().write(StreamId(0), &vec![7; 1 << 16]).ok();
            // All of this is lost on its way, and claimed all the same.
            peer.taken.clear();
            peer.take();
            for number in peer.taken.clone() {
                if !peer.is_caught() {
                    false_acks += 1;
                    let from = core::mem::replace(&mut claimed, number + 1);
                    peer.ack(&[from..number + 1]);
                }
            }
            peer.pass(ROUND);
            assert!(false_acks <= window, "seed {seed}: {false_acks} of a window of {window}");
        }
        worst = worst.max(false_acks * 100 / window);
        let life = peer.host.get(peer.id).unwrap().life();
        assert_eq!(life.reason(), Some(CloseReason::Local(CloseCode::Protocol)));
    }
    println!("caught after {worst} % of a window at most");
}

/// An honest peer is never taken for one, however much is lost: numbers that were left out are not
/// acknowledged by whoever looks.
#[test]
fn numbers_left_out_are_gaps_like_others() {
    let peer = download(1, 40);
    assert!(!peer.is_caught());
    assert!(peer.host.get(peer.id).unwrap().recovery().skipped() >= 3);
}

/// Numbers that were never sent are the plain case.
#[test]
fn an_ack_of_the_future_is_a_fault() {
    let mut peer = download(1, 0);
    let next = peer.taken.last().unwrap() + 1000;
    peer.ack(&[next..next + 1]);
    assert!(peer.is_caught());
}

/// The ACK that costs most: many ranges, each a gap apart, none of them news.
fn silly(peer: &Peer, ranges: u64) -> Vec<u8> {
    let mut seen = RangeSet::new(usize::MAX);
    let some = peer.taken.iter().rev().step_by(2).take(usize::try_from(ranges).unwrap());
    some.for_each(|&number| _ = seen.insert(number..number + 1).unwrap());
    assert_eq!(seen.ranges() as u64, ranges, "too few packets");
    let mut space = vec![0; 1 << 15];
    let mut writer = rdtp::wire::transport::Writer::new(&mut space);
    Ack::write(&seen, Duration::ZERO, None, usize::MAX, &mut writer);
    let len = writer.len();
    space.truncate(len);
    space
}

/// Four times the ranges, four times the work, and not sixteen times: the best of several
/// measurements.
#[test]
fn the_cost_of_ranges_is_linear() {
    let congestion = Algorithm::Fixed(16 << 20);
    let connection = Config { congestion, ecn: false, ..Config::default() };
    let config = HostConfig { connection, ..HostConfig::default() };
    let cost = |ranges: u64| {
        (0..5)
            .map(|seed| {
                let mut peer = Peer::connect(config, seed);
                peer.send(&[Frame::Stream { id: StreamId(0), offset: 0, data: b"x", fin: true }]);
                peer.connection().write(StreamId(0), &vec![7; 4 << 20]).unwrap();
                (0..60).for_each(|_| {
                    peer.take();
                    peer.pass(Duration::from_millis(1));
                });
                let frame = silly(&peer, ranges);
                let packets: Vec<_> = (0..600).map(|_| peer.packet(&frame)).collect();
                let before = processor_time();
                for packet in &packets {
                    peer.receive(packet);
                }
                processor_time().saturating_sub(before)
            })
            .min()
            .unwrap()
    };
    let (few, many) = (cost(64), cost(256));
    println!("64 ranges {few:?}, 256 ranges {many:?}");
    assert!(many < few * 10, "four times the ranges cost {few:?} and {many:?}");
}

/// A peer that never acknowledges, and asks for answers all the time: what waits to be said to it has
/// limits (CVE-2023-49295, CVE-2024-22189).
#[test]
fn answers_to_a_silent_peer_have_limits() {
    let config = HostConfig::default();
    let mut peer = Peer::connect(config, 1);
    let streams = &config.connection.streams;
    let allowed = 2 * streams.window_bytes + BESIDE_WINDOW;
    for turn in 0..20_000_u64 {
        let id = StreamId(turn % streams.peer_streams_max * 2);
        peer.send(&[
            Frame::PathChallenge(turn),
            Frame::StopSending { id, code: turn },
            Frame::DataBlocked(turn),
            Frame::StreamDataBlocked { id, max: turn },
            Frame::MaxStreams(turn),
            Frame::AckFrequency { sequence: turn, threshold: 1, delay_us: 1 },
            Frame::Ping,
        ]);
        if turn % 64 == 0 {
            peer.pass(Duration::from_millis(5));
            if turn % 1024 == 0 {
                peer.take();
            }
            if peer.is_caught() {
                break;
            }
            let held = peer.connection().memory_bytes() as u64;
            assert!(held <= allowed, "{held} bytes after {turn} packets");
        }
    }
}
