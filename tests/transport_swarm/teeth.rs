//! Each invariant notices what it is there for, and a failing seed fails the same way again.

use rdtp::sim::swarm::{Failure, Invariant, transport::Swarm};

use crate::bent::{Bent, vice};

/// More than any of them needs.
const SEEDS: u64 = 2_000;

/// The first failure of a swarm, which must come again from its seed alone.
fn caught<const V: u8>() -> Failure {
    let swarm = Swarm::with(Bent::<V>::make);
    let failure = swarm.clone().seeds(0..SEEDS).run(&mut ()).expect_err("it is found");
    if V != vice::MOODY {
        let again = swarm.run_seed(failure.seed, &mut ());
        assert_eq!(again.as_ref(), Err(&failure), "the seed repeats it");
    }
    failure
}

/// A mistake, and the invariants that it may break first.
type Row = (&'static str, fn() -> Failure, &'static [Invariant]);

const ROWS: [Row; 20] = [
    ("a byte is delivered out of its place", caught::<{ vice::ROTATES }>, &[Invariant::Prefix]),
    (
        "a bit is flipped on its way to the application",
        caught::<{ vice::FLIPS }>,
        &[Invariant::NoInvention],
    ),
    (
        "bytes of one stream are delivered on another",
        caught::<{ vice::MIXES_STREAMS }>,
        &[Invariant::Isolation],
    ),
    (
        "a datagram is delivered twice",
        caught::<{ vice::REPEATS_DATAGRAMS }>,
        &[Invariant::AtMostOnce],
    ),
    (
        "what an old open says is heard again",
        caught::<{ vice::HEARS_GHOSTS }>,
        &[Invariant::AtMostOnce],
    ),
    ("what was sent counts as acknowledged", caught::<{ vice::BOASTS }>, &[Invariant::NoLie]),
    (
        "a packet is handed to another connection",
        caught::<{ vice::CONFUSES }>,
        &[Invariant::Isolation],
    ),
    ("the peer's windows are not kept", caught::<{ vice::OVERRUNS }>, &[Invariant::FlowControl]),
    ("the congestion window is not kept", caught::<{ vice::FLOODS }>, &[Invariant::Congestion]),
    ("packets are not paced", caught::<{ vice::BURSTS }>, &[Invariant::Congestion]),
    (
        "an open is answered with five packets",
        caught::<{ vice::AMPLIFIES }>,
        &[Invariant::Amplification],
    ),
    (
        "whatever arrives is kept for ever",
        caught::<{ vice::HOARDS }>,
        &[Invariant::Memory, Invariant::Quiescence],
    ),
    ("a packet number is used twice", caught::<{ vice::COPIES }>, &[Invariant::Numbers]),
    ("the timer is always due", caught::<{ vice::SPINS }>, &[Invariant::Clock]),
    ("a run depends on more than its seed", caught::<{ vice::MOODY }>, &[Invariant::Determinism]),
    (
        "there are no timers",
        caught::<{ vice::TIMELESS }>,
        &[Invariant::Liveness, Invariant::CleanFailure, Invariant::Quiescence],
    ),
    ("timers are half a minute late", caught::<{ vice::SLEEPS }>, &[Invariant::Liveness]),
    ("an opened window is not heard of", caught::<{ vice::DEADLOCKS }>, &[Invariant::Liveness]),
    ("a timer runs when all is over", caught::<{ vice::NEVER_RESTS }>, &[Invariant::Quiescence]),
    (
        "the application does not hear of the end",
        caught::<{ vice::HIDES_THE_END }>,
        &[Invariant::CleanFailure, Invariant::Quiescence],
    ),
];

#[test]
fn each_bent_host_breaks_the_invariant_it_is_bent_against() {
    let mut wrong = Vec::new();
    for (mistake, caught, invariants) in ROWS {
        let failure = caught();
        println!("| {mistake} | {} | {} |", failure.invariant.name(), failure.seed + 1);
        if !invariants.contains(&failure.invariant) {
            wrong.push(format!("{mistake}: {failure}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn an_honest_host_in_the_same_clothes_is_not_caught() {
    let tally = Swarm::with(Bent::<{ vice::NONE }>::make).seeds(0..300).run(&mut ()).unwrap();
    assert_eq!(tally.runs, 300);
}
