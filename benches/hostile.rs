//! What hostile acknowledgements cost: 100,000 a second must take less than a fifth of a processor.
//!
//! `cargo bench --bench hostile`. The other things that hostile peers try are tests: `cargo test --test
//! hostile`.

#![allow(clippy::cast_precision_loss, reason = "figures for people have few digits")]
#![allow(clippy::unwrap_used, reason = "a failed bench may panic")]

use core::{ops::Range, time::Duration};

use rdtp::{
    buf::RangeSet,
    transport::{cc::Algorithm, config::Config, host::HostConfig},
    wire::transport::{ACK_RANGES_MAX, Ack, Frame, StreamId, Writer},
};

#[path = "../tests/hostile/peer.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod peer;

use peer::{Peer, processor_time};

const STREAM: StreamId = StreamId(0);
/// A second.
const ACKS: u32 = 100_000;
/// Sent for each figure.
const ACKS_EACH: usize = 20_000;

/// A server with thousands of packets on their way.
fn busy() -> Peer {
    let connection =
        Config { congestion: Algorithm::Fixed(4 << 20), ecn: false, ..Config::default() };
    let mut peer = Peer::connect(HostConfig { connection, ..HostConfig::default() }, 1);
    peer.send(&[Frame::Stream { id: STREAM, offset: 0, data: b"x", fin: true }]);
    peer.connection().write(STREAM, &vec![7; 4 << 20]).unwrap();
    for _ in 0..60 {
        peer.take();
        peer.pass(Duration::from_millis(1));
    }
    peer
}

fn frame(ranges: impl Iterator<Item = Range<u64>>) -> Vec<u8> {
    let mut seen = RangeSet::new(usize::MAX);
    ranges.for_each(|range| _ = seen.insert(range).unwrap());
    let mut space = vec![0; 1 << 15];
    let mut writer = Writer::new(&mut space);
    Ack::write(&seen, Duration::ZERO, None, usize::MAX, &mut writer);
    let len = writer.len();
    space.truncate(len);
    space
}

/// Sends so many ACKs, the `n`-th of them made by `make`; the time for one in nanoseconds.
fn cost(mut make: impl FnMut(&Peer, usize) -> Vec<u8>) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..3 {
        let mut peer = busy();
        // Packets are made beforehand, each with a number of its own; what is measured is the server
        // alone.
        let datagrams: Vec<_> = (0..ACKS_EACH)
            .map(|n| {
                let frame = make(&peer, n % peer.taken.len());
                peer.packet(&frame)
            })
            .collect();
        let before = processor_time();
        for datagram in &datagrams {
            assert!(peer.receive(datagram));
        }
        let took = processor_time().saturating_sub(before);
        best = best.min(took.as_nanos() as f64 / ACKS_EACH as f64);
    }
    best
}

fn main() {
    println!(
        "hostile ACKs                              ns each   share of a core at 100,000 a second"
    );
    let mut worst = 0.0_f64;
    let mut row = |name: &str, make: &mut dyn FnMut(&Peer, usize) -> Vec<u8>| {
        let nanos = cost(make);
        let share = nanos * f64::from(ACKS) / 1e9 * 100.0;
        worst = worst.max(share);
        println!("{name:<40} {nanos:>8.0}   {share:>6.1} %");
    };
    let gaps = |peer: &Peer, ranges: usize| {
        let some = peer.taken.iter().rev().step_by(2).take(ranges);
        frame(some.map(|&number| number..number + 1))
    };
    row("one packet more each", &mut |peer, n| {
        let number = peer.taken[n.min(peer.taken.len() - 1)];
        frame(core::iter::once(number..number + 1))
    });
    row("64 ranges, no news", &mut |peer, _| gaps(peer, 64));
    row("256 ranges, all that one may have", &mut |peer, _| gaps(peer, ACK_RANGES_MAX));
    println!("\nworst {worst:.1} %, target 20 %: {}", if worst < 20.0 { "met" } else { "MISSED" });
}
