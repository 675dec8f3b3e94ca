//! Whole endpoints, bytes and timers and all, under every placement of a few faults.

use std::time::Duration;

use rdtp::{
    check::{Failure, Fault, Message, Sweep, SweepReport, Violation},
    classic::{Config, Spec, Timeout},
    wire::Codec,
};

use super::*;

fn sweep(name: &str, sweep: Sweep) -> SweepReport {
    let spec = Spec::parse_even_if_illegal(name).unwrap();
    let codec = if spec.fields().checksum { Codec::default() } else { Codec::Bare };
    // Longer than a round trip of 20 ms, and shorter than a late datagram takes.
    let timeout = Timeout::Fixed(Duration::from_millis(30));
    let report = sweep.run(|role, peer| {
        spec.endpoint(Config { role, codec, timeout, ..Config::default() }, peer)
    });
    report.unwrap()
}

#[test]
fn what_is_tolerated_survives_every_placement_of_two_faults() {
    for name in ["rdt2.1", "rdt2.2", "rdt3.0", "gbn:3/4", "sr:2/4", "gbn", "sr"] {
        let spec: Spec = name.parse().unwrap();
        let mut channel = spec.tolerates();
        // Late copies overtake: where order matters, the channel does not copy.
        channel.duplicate &= channel.overtake == Overtake::Any;
        let report = sweep(name, Sweep { messages: 6, ..Sweep::over(channel) });
        assert_eq!(report.failure, None, "{name}");
        assert!(report.runs > 60, "{name}: {} runs", report.runs);
    }
}

#[test]
fn the_fewest_faults_that_break_each() {
    let one = |name, channel| {
        let report = sweep(name, Sweep { messages: 8, ..Sweep::over(channel) });
        let (placement, failure) = report.failure.unwrap_or_else(|| panic!("{name} survives"));
        (placement, failure)
    };
    let duplicate = Violation::Delivered { got: Message(0), expected: Message(1) };
    // Datagram 1 is the first ACK.
    let ack_damaged = (vec![(1, Fault::Corrupt)], Failure::Unsafe(duplicate));
    assert_eq!(one("rdt2.0", CORRUPTS), ack_damaged);
    let ack_ignored = (vec![(1, Fault::Corrupt)], Failure::Unfinished { delivered: 1 });
    assert_eq!(one("rdt2.0:ignore", CORRUPTS), ack_ignored);
    let lost = (vec![(0, Fault::Drop)], Failure::Unfinished { delivered: 0 });
    assert_eq!(one("rdt2.2", LOSES), lost);
    let (placement, failure) = one("gbn:4/4", LOSES);
    assert_eq!(placement, [(0, Fault::Drop)], "one lost packet, not four ACKs");
    assert!(matches!(failure, Failure::Unsafe(_)), "{failure:?}");
    let (placement, failure) = one("sr:3/4", LOSES);
    assert_eq!(placement.len(), 1, "one lost ACK, not three");
    assert!(matches!(failure, Failure::Unsafe(_)), "{failure:?}");
    let (placement, failure) = one("rdt3.0", REORDERS);
    assert!(placement.len() <= 2, "{placement:?}");
    assert!(matches!(failure, Failure::Unsafe(_)), "{failure:?}");
}

#[test]
fn placements_are_counted_right() {
    // 1 + 10 * 2 + C(10, 2) * 4 placements of at most two faults of two kinds on ten datagrams.
    let small = Sweep { datagrams: 10, ..Sweep::over(LOSES.corrupting()) };
    assert_eq!(sweep("gbn", small).runs, 1 + 20 + 45 * 4);
    assert_eq!(sweep("gbn", Sweep { faults: 0, ..small }).runs, 1);
    assert_eq!(sweep("gbn", Sweep::over(PERFECT)).runs, 1);
}
