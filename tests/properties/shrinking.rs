//! What fails comes back with the fewest faults, and wrong protocols are found at all.

use core::time::Duration;

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use rdtp::{
    channel::{Channel, Overtake},
    classic::Spec,
    harness::{Failure, Fault, Play, Schedule, Way, property_test, schedules},
};

use super::{endpoint, indexed};

fn runner() -> TestRunner {
    let chance = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(super::Cases::default(), chance)
}

/// The first schedule of many that breaks a protocol over this channel, simplified as proptest does.
fn broken_by(name: &str, channel: Channel, cases: u32) -> Option<Failure> {
    let spec = Spec::parse_even_if_illegal(name).unwrap();
    let run = |schedule: &Schedule| {
        Play::new(indexed(20)).over(channel).run_with(schedule, endpoint(spec)).err()
    };
    let mut runner = runner();
    for _ in 0..cases {
        let mut tree = schedules(channel).new_tree(&mut runner).unwrap();
        let Some(mut simplest) = run(&tree.current()) else { continue };
        let mut go_on = tree.simplify();
        while go_on {
            match run(&tree.current()) {
                Some(failure) => {
                    simplest = failure;
                    go_on = tree.simplify();
                }
                None => go_on = tree.complicate(),
            }
        }
        return Some(simplest);
    }
    None
}

#[test]
fn wrong_windows_and_moduli_are_found_with_one_or_two_faults() {
    let lossy = Channel::PERFECT.losing().duplicating().corrupting();
    let once = lossy.overtaking(Overtake::AtMost(1));
    let cases = [
        ("gbn:4/4", lossy, 1),
        ("sr:3/4", lossy, 1),
        ("sr:2/4", once, 2),
        ("rdt3.0", once, 2),
        ("rdt2.2", lossy, 1),
    ];
    for (name, channel, faults_max) in cases {
        let failure =
            broken_by(name, channel, 500).unwrap_or_else(|| panic!("{name} is not found"));
        let faults = failure.schedule.0.len();
        assert!((1..=faults_max).contains(&faults), "{name}: {failure}");
    }
    for name in ["gbn:3/4", "sr:2/4", "rdt3.0"] {
        assert!(broken_by(name, lossy, 200).is_none(), "{name} bears this");
    }
}

/// Whatever makes a run fail, no fault that is left could be left out.
#[test]
fn simpler_schedules_come_to_an_end_at_the_fewest_faults() {
    let late = |schedule: &Schedule| {
        let slow =
            |fault| matches!(fault, Fault::Delay { late } if late >= Duration::from_millis(40));
        schedule.0.iter().any(|strike| strike.way == Way::Down && slow(strike.fault))
    };
    let lost = |schedule: &Schedule| {
        schedule.0.iter().any(|strike| strike.nth > 4 && strike.fault == Fault::Drop)
    };
    let (mut runner, mut found) = (runner(), 0);
    for _ in 0..300 {
        let mut tree = schedules(Channel::HOSTILE).new_tree(&mut runner).unwrap();
        let fails = |schedule: &Schedule| late(schedule) && lost(schedule);
        if !fails(&tree.current()) {
            continue;
        }
        let mut steps = 0;
        let mut go_on = tree.simplify();
        while go_on {
            steps += 1;
            assert!(steps < 2_000, "no end");
            go_on = if fails(&tree.current()) { tree.simplify() } else { tree.complicate() };
        }
        let text = tree.current().to_string();
        let (down, up) = ("datagram 1 from the receiver arrives 40ms late", "datagram 5 from the");
        assert!(tree.current().0.len() == 2 && text.contains(down) && text.contains(up), "{text}");
        found += 1;
    }
    assert!(found > 5, "{found} of 300 schedules have both");
}

#[test]
fn the_one_call_finds_and_proves_nothing_more_than_it_tried() {
    use rdtp::classic::{gbn::GoBackN, rdt30::StopAndWait};
    use rdtp::seq::Modulus;
    assert_eq!(property_test(&StopAndWait::RDT30, 100).unwrap().schedules, 100);
    let wrong = GoBackN::with_illegal_window(4, Modulus::new(4));
    let failure = property_test(&wrong, 300).unwrap_err();
    assert_eq!(failure.schedule.0.len(), 1, "{failure}");
    assert_eq!(property_test(&wrong, 300).unwrap_err().to_string(), failure.to_string());
}
