//! The nine rules of `rdtp::endpoint`, held against every endpoint of the crate.
//!
//! `subject.rs` says which endpoints there are; to add one takes an implementation of `App` and a
//! line in `all`. `play.rs` calls any method at any time and writes down what it says (`ops.rs` says
//! which, by chance; `tests/fuzz_corpus` reads them from bytes), `drive.rs`
//! has drivers that do no more than the contract asks of them, `flood.rs` has peers that never stop
//! and applications that never listen. `liar.rs` shows that an endpoint which breaks a rule is
//! caught.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

mod drive;
mod flood;
mod liar;
mod ops;
mod play;
mod subject;

use core::time::Duration;
use std::sync::LazyLock;

use drive::{Drive, Habit};
use play::{Extra, Op, Play};
use proptest::{prelude::*, test_runner::Config as Cases};
use subject::Case;

/// Messages of one transfer: more than any window, queue or sequence of numbers here.
const MESSAGES: usize = 60;

fn with_case<T>(which: usize, run: impl FnOnce(&Case) -> T) -> T {
    let cases = subject::all(false);
    run(&cases[which % cases.len()])
}

static CASES: LazyLock<usize> = LazyLock::new(|| subject::all(false).len());

fn transcript(case: &Case, ops: &[Op], extra: Extra) -> Result<String, TestCaseError> {
    let mut play = Play::wild(case, extra);
    play.run(ops).and_then(|()| play.bounded()).map_err(TestCaseError::fail)?;
    Ok(play.transcript())
}

/// Whatever the order of calls, everything arrives.
fn delivers(case: &Case, mut play: Play<'_>, ops: &[Op]) -> Result<(), TestCaseError> {
    let outcome = play.run(ops).and_then(|()| play.finish());
    outcome.map_err(|fault| TestCaseError::fail(format!("{}: {fault}", case.name)))
}

/// The same calls give the same bytes, and calls that must make no difference make none.
fn repeats(case: &Case, ops: &[Op]) -> Result<(), TestCaseError> {
    let plain = transcript(case, ops, Extra::Nothing)?;
    for extra in [Extra::Nothing, Extra::Deadlines, Extra::EarlyTimeouts] {
        let again = transcript(case, ops, extra)?;
        prop_assert_eq!(&plain, &again, "{}: {:?} make a difference", case.name, extra);
    }
    Ok(())
}

/// So many cases, or what `PROPTEST_CASES` asks for if that is more.
fn at_least(cases: u32) -> Cases {
    let asked = Cases::default();
    Cases { cases: asked.cases.max(cases), ..asked }
}

proptest! {
    #![proptest_config(at_least(1500))]

    /// Rules 1 and 7, and 4: a datagram in flight is one that the driver keeps, a lost one is one
    /// that it dropped. A pair of ends is held to a model, one FIFO queue each way: see `Fifo` and
    /// `check` in `play.rs`. The model must hear what the ends answered (a full queue refuses, an
    /// event is not there yet), so it runs beside them and does not choose the calls.
    #[test]
    fn order_affects_no_correctness(which in 0..*CASES, ops in ops::ops()) {
        with_case(which, |case| {
            Play::sound(case).map_or(Ok(()), |play| delivers(case, play, &ops))
        })?;
    }
}

proptest! {
    #![proptest_config(at_least(600))]

    /// Rules 2, 3, 6, 7, 8 and 9 under any calls and any bytes: see the checks in `play.rs`.
    #[test]
    fn the_same_calls_give_the_same_bytes(which in 0..*CASES, ops in ops::ops()) {
        with_case(which, |case| repeats(case, &ops))?;
    }
}

/// A host has more states than all the others together: it gets a share of the schedules for itself.
fn with_host<T>(which: usize, run: impl FnOnce(&Case) -> T) -> T {
    let mut cases = subject::all(false);
    cases.retain(|case| case.name.starts_with("transport"));
    run(&cases[which % cases.len()])
}

proptest! {
    #![proptest_config(at_least(400))]

    /// Rules 1, 4 and 7.
    #[test]
    fn order_affects_no_correctness_of_a_host(which in 0..2_usize, ops in ops::ops()) {
        with_host(which, |case| delivers(case, Play::sound(case).unwrap(), &ops))?;
    }

    /// Rules 2, 3, 6, 7, 8 and 9.
    #[test]
    fn the_same_calls_give_the_same_bytes_of_a_host(which in 0..2_usize, ops in ops::ops()) {
        with_host(which, |case| repeats(case, &ops))?;
    }
}

/// Runs a transfer of every sound case with `habit`; returns how many there were.
fn all_transfer(habit: Habit, only: impl Fn(&Case) -> bool) -> usize {
    let cases = subject::all(false);
    let sound = cases.iter().filter(|case| case.sound.is_some() && only(case));
    sound
        .map(|case| {
            Drive::new(case, habit, MESSAGES).run().unwrap_or_else(|fault| panic!("{fault}"));
        })
        .count()
}

/// Rule 2: a driver that waits only for deadlines and datagrams cannot deadlock, even if it polls
/// each thing just once whenever something is due.
#[test]
fn deadlines_and_datagrams_are_enough() {
    assert!(all_transfer(Habit::PLAIN, |_| true) > 100);
    all_transfer(Habit { polls_max: 1, ..Habit::PLAIN }, |_| true);
    all_transfer(Habit { polls_max: 1, segments_max: 1, ..Habit::PLAIN }, |_| true);
}

/// Rule 3: too late does what it would have done in time.
#[test]
fn a_late_timeout_is_as_good() {
    let habit = Habit { late: Duration::from_millis(17), ..Habit::PLAIN };
    all_transfer(habit, |_| true);
    // With losses there are deadlines to be late for.
    all_transfer(Habit { drops_one_in: Some(5), ..habit }, bears_loss);
}

fn bears_loss(case: &Case) -> bool {
    case.sound.is_some_and(|channel| channel.lose)
}

/// Rule 4: who keeps a `Transmit` while the socket would block loses nothing, and who drops it
/// has made a loss, no worse.
#[test]
fn a_transmit_may_be_kept_or_dropped() {
    let slow = Habit { blocks_for: Duration::from_millis(3), ..Habit::PLAIN };
    all_transfer(slow, |_| true);
    all_transfer(Habit { segments_max: 1, ..slow }, |_| true);
    for drops in [2, 3, 7] {
        let habit = Habit { drops_one_in: Some(drops), segments_max: 2, ..Habit::PLAIN };
        assert!(all_transfer(habit, bears_loss) > 50);
    }
}

/// Rule 5: whoever asks more often learns the same, about round trips too.
#[test]
fn polling_more_often_teaches_nothing() {
    for drops_one_in in [None, Some(4)] {
        let plain = Habit { drops_one_in, ..Habit::PLAIN };
        let nervous = Habit { nervous: true, ..plain };
        let bears = |case: &Case| drops_one_in.is_none() || bears_loss(case);
        let mut round_trips = 0;
        for case in subject::all(false).iter().filter(|case| case.sound.is_some() && bears(case)) {
            let trace = |habit| {
                let mut drive = Drive::new(case, habit, MESSAGES);
                drive.run().unwrap_or_else(|fault| panic!("{fault}"));
                drive.trace
            };
            let learnt = trace(plain);
            round_trips += learnt.iter().filter(|event| event.contains("round trip")).count();
            assert_eq!(learnt, trace(nervous), "{}", case.name);
        }
        assert!(round_trips > 1000, "{round_trips} measurements");
    }
}

/// An acknowledgement whose time has come leaves whether or not the host was asked before: it was
/// forgotten until the next timeout when a timeout too early had put it into the queue of deadlines.
#[test]
fn an_early_timeout_holds_no_acknowledgement_back() {
    let ops = [
        Op::Timeout { at: 0 },
        Op::Deliver { from: 0, nth: 0 },
        Op::Timeout { at: 1 },
        Op::Deliver { from: 1, nth: 0 },
        Op::Transmit { at: 0, room: 2048, segments: 1 },
        Op::Deliver { from: 0, nth: 0 },
        Op::Event { at: 1 },
        Op::Wait { millis: 25 },
        Op::Transmit { at: 1, room: 2048, segments: 1 },
    ];
    with_host(0, |case| repeats(case, &ops)).unwrap();
}
