//! Every protocol within its tolerance, under arbitrary payloads and fault schedules that shrink.
//!
//! The channel here is a list of packets in flight that a schedule of operations drops, copies,
//! damages and delivers, as far as the protocol's own `tolerates()` allows. After every operation:
//! what was delivered is a prefix of what was sent, the sender believes no more than was delivered,
//! and no timer spins. Afterwards the channel is fair, and everything must arrive.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

mod channel;

use channel::{Op, Pair};
use proptest::{collection::vec, prelude::*, test_runner::Config as Cases};
use rdtp::classic::{Role, Spec};

/// Protocols with parameters for every kind of tolerance.
const SPECS: [&str; 15] = [
    "rdt1.0",
    "rdt2.0",
    "rdt2.0:ack",
    "rdt2.1",
    "rdt2.2",
    "rdt3.0",
    "saw:4",
    "saw:9",
    "gbn:4/5",
    "gbn:3/7",
    "gbn",
    "sr:2/4",
    "sr:2/6",
    "sr:3/12",
    "sr",
];

/// Those whose feedback is numbered and timed, so that both directions may share a bad channel.
const DUPLEX: [&str; 7] = ["rdt3.0", "saw:4", "gbn:4/5", "gbn:3/7", "gbn", "sr:2/4", "sr"];

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let way = any::<bool>();
    let op = prop_oneof![
        6 => (way, 0_usize..6).prop_map(|(up, nth)| Op::Deliver { up, nth }),
        2 => (way, 0_usize..6).prop_map(|(up, nth)| Op::Lose { up, nth }),
        2 => (way, 0_usize..6).prop_map(|(up, nth)| Op::Duplicate { up, nth }),
        2 => (way, 0_usize..6, any::<u16>()).prop_map(|(up, nth, bit)| Op::Corrupt { up, nth, bit }),
        3 => (1_u64..80).prop_map(|millis| Op::Wait { millis }),
        2 => Just(Op::Timeout),
    ];
    vec(op, 0..120)
}

/// Payloads of all sizes, empty ones too. Messages are told apart by content where it matters: each
/// begins with its index, except for a few short ones.
fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 0..40), 1..24)
}

/// More messages than there are numbers, so that numbers wrap, several times over.
fn indexed(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|i| vec![i; usize::from(i % 5) + 1]).collect()
}

proptest! {
    #![proptest_config(Cases { cases: 2000, ..Cases::default() })]

    #[test]
    fn every_protocol_keeps_its_promise(
        which in 0..SPECS.len(),
        messages in payloads(),
        ops in ops(),
    ) {
        let spec: Spec = SPECS[which].parse().unwrap();
        let mut pair = Pair::new(spec, Role::Sender, Role::Receiver);
        pair.send_up(&messages);
        pair.play(&ops)?;
        pair.finish()?;
    }

    #[test]
    fn numbers_wrap_without_harm(which in 0..SPECS.len(), count in 30_u8..60, ops in ops()) {
        let spec: Spec = SPECS[which].parse().unwrap();
        let mut pair = Pair::new(spec, Role::Sender, Role::Receiver);
        pair.send_up(&indexed(count));
        pair.play(&ops)?;
        pair.finish()?;
    }

    #[test]
    fn both_directions_at_once(
        which in 0..DUPLEX.len(),
        up in payloads(),
        down in payloads(),
        ops in ops(),
    ) {
        let spec: Spec = DUPLEX[which].parse().unwrap();
        let mut pair = Pair::new(spec, Role::Duplex, Role::Duplex);
        pair.send_up(&up);
        pair.send_down(&down);
        pair.play(&ops)?;
        pair.finish()?;
    }
}

/// The book's fixed order over a perfect channel, duplex, for the protocols without timers too.
#[test]
fn every_protocol_is_full_duplex_over_a_perfect_channel() {
    for spec in Spec::book() {
        let mut pair = Pair::new(spec, Role::Duplex, Role::Duplex);
        pair.send_up(&indexed(40));
        pair.send_down(&indexed(33));
        pair.finish().unwrap_or_else(|error| panic!("{spec}: {error}"));
    }
}

/// The harness has teeth: outside its tolerance a protocol is caught.
#[test]
fn outside_their_tolerance_they_are_caught() {
    let late_copy = [
        Op::Duplicate { up: true, nth: 0 },
        Op::Deliver { up: true, nth: 0 },
        Op::Deliver { up: false, nth: 0 },
        Op::Deliver { up: true, nth: 1 },
        Op::Deliver { up: true, nth: 0 },
    ];
    let mut pair = Pair::new("rdt3.0".parse().unwrap(), Role::Sender, Role::Receiver);
    pair.allow_everything();
    pair.send_up(&indexed(5));
    let caught = pair.play(&late_copy).and_then(|()| pair.finish());
    assert!(caught.is_err(), "an old copy of packet 0 is delivered as message 2");

    let mut pair = Pair::new("rdt2.2".parse().unwrap(), Role::Sender, Role::Receiver);
    pair.allow_everything();
    pair.send_up(&indexed(5));
    let caught = pair.play(&[Op::Lose { up: true, nth: 0 }]).and_then(|()| pair.finish());
    assert!(caught.is_err(), "rdt 2.2 waits for ever after one loss");
}
