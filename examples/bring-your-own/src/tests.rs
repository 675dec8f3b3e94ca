//! The bug is found by each of the tools, and the fix passes all of them.

use super::*;

const HASTY: NextPlease = NextPlease { checks_number: false };
const FIXED: NextPlease = NextPlease { checks_number: true };

fn messages() -> Vec<Vec<u8>> {
    (0..50).map(|n| vec![n; 8]).collect()
}

#[test]
fn the_checker_tells_the_shortest_story_and_proves_the_fix() {
    let model = Model::over(NextPlease::TOLERATES);
    let story = model.check(&HASTY).trace.expect("a counterexample").words();
    assert_eq!(story[2..4], ["the channel copies ACK 1", "ACK 1 arrives"]);
    assert_eq!(story.len(), 6);
    let report = model.check(&FIXED);
    assert!(report.holds(), "{report}");
}

#[test]
fn one_fault_is_enough_for_the_bug_and_none_for_the_fix() {
    let failure = harness::property_test(&HASTY, 300).expect_err("the bug");
    assert_eq!(failure.schedule.0.len(), 1, "{failure}");
    assert_eq!(harness::property_test(&FIXED, 300).expect("no bug").schedules, 300);
}

#[test]
fn a_bad_seed_is_found_for_the_bug_and_none_for_the_fix() {
    let network = "loss=10%,dup=10%,corrupt=10%,delay=10ms".parse().expect("a network");
    let transfer = Transfer::new(messages()).over(network);
    assert!(transfer.campaign(&HASTY, 0..20).is_err());
    let tally = transfer.campaign(&FIXED, 0..20).expect("no bug");
    assert!(tally.runs == 20 && tally.copies > 0 && tally.damaged > 0, "{tally}");
}

#[test]
fn the_fix_carries_messages_between_sockets_and_has_a_picture() {
    let network = || "loss=5%,dup=5%,corrupt=5%".parse().expect("a network");
    let report = Loopback::new(messages()).over(network()).run_protocol(&FIXED, &mut ());
    assert_eq!(report.expect("sockets").verdict.to_string(), "intact");
    let transfer = Transfer::new(messages()).over(network());
    let ladder = harness::ladder(&transfer, &FIXED).expect("a ladder");
    assert!(ladder.to_svg().starts_with("<svg") && ladder.to_text().contains("Wait for ACK of 1"));
}
