//! The checker against the textbook: every verdict and every shortest counterexample comes out of
//! the search over the machines that the crate ships.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

mod book;
mod endpoints;
mod fewest;
mod overtaking;
#[cfg(feature = "cli")]
mod program;
mod replay;
mod rows;
mod search;
mod spin;
mod stateright;
mod story;
#[cfg(feature = "cli")]
#[path = "../support/program.rs"]
mod support;

use rdtp::{
    channel::{Channel, Overtake},
    check::{Model, Report, Verdict},
    classic::{Protocol, gbn::GoBackN, rdt30::StopAndWait, sr::SelectiveRepeat},
    seq::Modulus,
};

const PERFECT: Channel = Channel::PERFECT;
const LOSES: Channel = PERFECT.losing();
const CORRUPTS: Channel = PERFECT.corrupting();
const COPIES: Channel = PERFECT.duplicating();
/// Every fault that keeps order.
const FIFO: Channel = PERFECT.corrupting().losing().duplicating();
const REORDERS: Channel = PERFECT.overtaking(Overtake::Any);

/// Numbers that never repeat.
const UNBOUNDED: u64 = 1 << 62;

fn saw(numbers: u64) -> StopAndWait {
    StopAndWait::new(Modulus::new(numbers))
}

fn gbn(window: u64, numbers: u64) -> GoBackN {
    GoBackN::with_illegal_window(window, Modulus::new(numbers))
}

fn sr(window: u64, numbers: u64) -> SelectiveRepeat {
    SelectiveRepeat::with_illegal_window(window, Modulus::new(numbers))
}

/// What to search: N messages, C packets in flight each way.
fn model(channel: Channel, messages: u16, capacity: usize) -> Model {
    Model::over(channel).messages(messages).capacity(capacity)
}

/// The search closes its space, finishes somewhere, and finds nothing wrong.
#[track_caller]
fn holds<P: Protocol>(protocol: &P, model: Model) -> Report {
    let report = model.check(protocol);
    let story = report.trace.as_ref().map(|trace| trace.words().join("\n"));
    assert_eq!(report.verdict, Verdict::Holds, "{protocol:?}, {model:?}: {story:?}");
    assert!(report.finished_states > 0 && report.stuck_states == 0);
    report
}

/// A wrong delivery or belief, in this many steps and no fewer.
#[track_caller]
fn breaks<P: Protocol>(protocol: &P, model: Model, steps: usize) -> Report {
    let report = model.check(protocol);
    let found = (matches!(report.verdict, Verdict::Unsafe(_)), report.steps());
    assert_eq!(found, (true, Some(steps)), "{protocol:?}, {model:?}: {}", report.verdict);
    report
}

fn size(report: &Report) -> (u64, u64) {
    (report.states, report.transitions)
}
