//! Each invariant notices what it is there for, and a failing seed fails the same way again.

use rdtp::sim::swarm::{Failure, Invariant, Subject, Swarm, Textbook};

use crate::bent::{self, Bent, Fault};

/// More than any of them needs.
const SEEDS: u64 = 3_000;

/// The first failure of a swarm, which must come again from its seed alone.
fn caught<S: Subject + Clone>(subject: &S) -> Failure {
    let swarm = Swarm::of(subject.clone()).seeds(0..SEEDS);
    let failure = swarm.run(&mut ()).expect_err("a wrong machine is found");
    let again = Swarm::of(subject.clone()).run_seed(failure.seed, &mut ());
    assert_eq!(again.as_ref(), Err(&failure), "the seed repeats it");
    failure
}

#[test]
fn a_window_one_too_large_is_found() {
    for failure in [
        caught(&Textbook::new(bent::window_one_too_large())),
        caught(&Textbook::new(bent::selective_window_one_too_large())),
    ] {
        // What is delivered is not next, or an old ACK is taken for one of the whole window.
        assert!(matches!(failure.invariant, Invariant::Prefix | Invariant::NoLie), "{failure}");
    }
}

#[test]
fn too_few_numbers_where_packets_overtake_are_found() {
    let failure = caught(&Textbook::new(bent::one_bit_where_packets_overtake()));
    assert!(matches!(failure.invariant, Invariant::Prefix | Invariant::NoLie), "{failure}");
}

#[test]
fn a_sender_without_a_timer_waits_for_ever() {
    let failure = caught(&Textbook::new(bent::no_timer_where_packets_are_lost()));
    assert_eq!(failure.invariant, Invariant::Liveness, "{failure}");
    assert!(failure.detail.contains("both sides wait for ever"), "{failure}");
}

#[test]
fn a_sender_that_takes_noise_for_an_ack_believes_a_lie() {
    let failure = caught(&Textbook::new(bent::garbled_feedback_taken_as_ack()));
    assert!(matches!(failure.invariant, Invariant::NoLie | Invariant::Prefix), "{failure}");
}

#[test]
fn each_bent_endpoint_breaks_the_invariant_it_is_bent_against() {
    for (fault, invariant) in [
        (Fault::NoChecksum, Invariant::NoInvention),
        (Fault::LongQueue, Invariant::Memory),
        (Fault::Spins, Invariant::Clock),
        (Fault::NeverRests, Invariant::Quiescence),
    ] {
        let failure = caught(&Bent::new(fault));
        assert_eq!(failure.invariant, invariant, "{failure}");
    }
}

#[test]
fn what_differs_from_run_to_run_is_noticed() {
    let swarm = Swarm::of(Bent::new(Fault::Moody)).seeds(0..SEEDS);
    let failure = swarm.run(&mut ()).unwrap_err();
    assert_eq!(failure.invariant, Invariant::Determinism, "{failure}");
}

#[test]
fn an_honest_subject_of_the_same_kind_is_not_caught() {
    let protocol = rdtp::classic::sr::SelectiveRepeat::new(8, rdtp::seq::Modulus::NEVER).unwrap();
    let tally = Swarm::over(&protocol).seeds(0..200).run(&mut ()).unwrap();
    assert_eq!(tally.runs, 200);
}
