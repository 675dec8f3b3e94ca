//! Every protocol within its tolerance, under arbitrary payloads and schedules of faults that
//! shrink to the fewest.
//!
//! The faults and the checks at every step are those of `rdtp::harness`, which anybody can use for
//! a protocol of their own; `endpoint.rs` does so with an endpoint that is no pair of machines.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

mod endpoint;
mod shrinking;

use core::{net::SocketAddr, time::Duration};

use proptest::{collection::vec, prelude::*, test_runner::Config as Cases};
use rdtp::{
    channel::Channel,
    classic::{Config, ConfigError, Conversation, Role, Spec, Timeout},
    harness::{Failure, Fault, Flaw, Play, Schedule, Schedules, Strike, Way, schedules},
};

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

/// Schedules for any protocol: each run leaves out what its protocol does not bear.
fn any_schedule() -> Schedules {
    schedules(Channel::HOSTILE).faults_max(24).datagrams(60)
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

type Made = Result<Box<dyn Conversation + Send>, ConfigError>;

fn endpoint(spec: Spec) -> impl FnMut(Role, SocketAddr) -> Made {
    move |role, peer| {
        let config = Config {
            role,
            timeout: Timeout::Fixed(Duration::from_millis(30)),
            attempts_max: None,
            inbox_messages_max: 1 << 16,
            ..Config::default()
        };
        spec.endpoint(config, peer)
    }
}

fn run(name: &str, play: Play, schedule: &Schedule) -> Result<(), Failure> {
    let spec = Spec::parse_even_if_illegal(name).unwrap();
    play.over(spec.tolerates()).run_with(schedule, endpoint(spec))
}

/// So many cases, or what `PROPTEST_CASES` asks for if that is more.
fn at_least(cases: u32) -> Cases {
    let asked = Cases::default();
    Cases { cases: asked.cases.max(cases), ..asked }
}

proptest! {
    #![proptest_config(at_least(2000))]

    #[test]
    fn every_protocol_keeps_its_promise(
        which in 0..SPECS.len(),
        messages in payloads(),
        schedule in any_schedule(),
    ) {
        run(SPECS[which], Play::new(messages), &schedule)?;
    }

    #[test]
    fn numbers_wrap_without_harm(
        which in 0..SPECS.len(),
        count in 30_u8..60,
        schedule in any_schedule(),
    ) {
        run(SPECS[which], Play::new(indexed(count)), &schedule)?;
    }

    #[test]
    fn both_directions_at_once(
        which in 0..DUPLEX.len(),
        up in payloads(),
        down in payloads(),
        schedule in any_schedule(),
    ) {
        run(DUPLEX[which], Play::new(up).back(down), &schedule)?;
    }
}

/// The book's fixed order over a perfect channel, duplex, for the protocols without timers too.
#[test]
fn every_protocol_is_full_duplex_over_a_perfect_channel() {
    for spec in Spec::book() {
        let play = Play::new(indexed(40)).back(indexed(33));
        let outcome = play.run_with(&Schedule::default(), endpoint(spec));
        outcome.unwrap_or_else(|error| panic!("{spec}: {error}"));
    }
}

/// The harness has teeth: outside its tolerance a protocol is caught.
#[test]
fn outside_their_tolerance_they_are_caught() {
    let strike = |fault| Schedule(vec![Strike { way: Way::Up, nth: 1, fault }]);
    let caught = |name: &str, fault| {
        let play = Play::new(indexed(5)).over(Channel::HOSTILE);
        play.run_with(&strike(fault), endpoint(name.parse().unwrap())).unwrap_err()
    };
    let late = Duration::from_millis(25);
    let failure = caught("rdt3.0", Fault::Duplicate { late });
    assert_eq!(failure.flaw, Flaw::Delivered { message: 2 }, "an old copy of packet 0: {failure}");
    let failure = caught("rdt2.2", Fault::Drop);
    assert_eq!(failure.flaw, Flaw::Deadlock { delivered: 0 }, "it waits for ever: {failure}");
}
