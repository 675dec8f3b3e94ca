//! A counterexample is found with machines. Played to real endpoints in the simulator, with bytes,
//! checksums, timers and the adapter's queues, it has to fail there in the same way.

use rdtp::{
    check::{Played, Schedule, Trace},
    classic::{
        rdt10::Rdt10,
        rdt20::{Garbled, Rdt20},
        rdt21::Rdt21,
        rdt22::Rdt22,
    },
    harness,
    trace::{Record, TraceEvent},
};

use super::*;

/// What is seen when `schedule`, made for `trace`, is played, and what was recorded.
fn play<P: Protocol>(protocol: &P, trace: &Trace, schedule: &Schedule) -> (Played, Vec<Record>) {
    let mut records = Vec::new();
    let (seen, _) = harness::replay(protocol, trace, schedule, &mut records).unwrap();
    (seen, records)
}

/// The arrows that the machines took.
fn arrows(records: &[Record]) -> Vec<TraceEvent> {
    let steps = records.iter().filter(|record| matches!(record.event, TraceEvent::Step { .. }));
    steps.map(|record| record.event).collect()
}

#[track_caller]
fn counterexample<P: Protocol>(protocol: &P, model: Model) -> (Trace, Schedule) {
    let report = model.check(protocol);
    let trace = *report.trace.unwrap_or_else(|| panic!("{protocol:?}: {}", report.verdict));
    let schedule = trace.schedule(Schedule::GAP);
    let schedule = schedule.unwrap_or_else(|| panic!("no times for {:?}", trace.words()));
    (trace, schedule)
}

#[track_caller]
fn reproduces<P: Protocol>(protocol: &P, model: Model) {
    let (trace, schedule) = counterexample(protocol, model);
    let (seen, records) = play(protocol, &trace, &schedule);
    assert!(trace.is_reproduced(&seen), "{protocol:?}: {seen:?}, {:?}", trace.words());
    let (expected, taken) = (arrows(&trace.records()), arrows(&records));
    assert_eq!(taken[..expected.len()], expected, "{protocol:?} goes the very way of the trace");
}

#[test]
fn rdt10_to_rdt22() {
    for faults in [CORRUPTS, LOSES, COPIES, REORDERS] {
        reproduces(&Rdt10, model(faults, 3, 2));
    }
    for garbled in [Garbled::Resend, Garbled::Ignore, Garbled::TakeAsAck] {
        reproduces(&Rdt20 { garbled }, model(CORRUPTS, 3, 2));
    }
    reproduces(&Rdt20::default(), model(COPIES, 3, 2));
    for faults in [LOSES, LOSES.corrupting()] {
        reproduces(&Rdt20::default(), model(faults, 4, 2));
        reproduces(&Rdt21, model(faults, 4, 2));
        reproduces(&Rdt22, model(faults, 4, 2));
    }
    reproduces(&Rdt21, model(COPIES, 4, 2));
}

#[test]
fn stop_and_wait_and_reordering() {
    for numbers in 2..=5_u16 {
        reproduces(&saw(numbers.into()), model(REORDERS, numbers + 3, 3));
    }
    let every = model(FIFO.overtaking(Overtake::Any), 4, 3);
    reproduces(&StopAndWait::RDT30, every);
    reproduces(&StopAndWait::RDT30, every.fewest_faults());
}

#[test]
fn go_back_n() {
    for window in 2..=4_u16 {
        let illegal = gbn(window.into(), window.into());
        let size = usize::from(window);
        reproduces(&illegal, model(PERFECT, 2 * window, 2 * size));
        reproduces(&illegal, model(LOSES, 2 * window, size));
        reproduces(&illegal, model(LOSES, 6, 4).patient().fewest_faults());
    }
    reproduces(&gbn(2, 3), model(REORDERS, 5, 3));
    reproduces(&gbn(2, 4), model(REORDERS, 7, 3));
}

#[test]
fn selective_repeat() {
    for (window, numbers) in [(2, 3), (3, 4), (3, 5)] {
        reproduces(&sr(window, numbers), model(LOSES, 8, 3));
    }
    for (window, numbers) in [(2, 3), (3, 4)] {
        reproduces(&sr(window, numbers), model(LOSES, 6, 4).patient().fewest_faults());
    }
    reproduces(&sr(2, 4), model(REORDERS, 6, 3));
}

#[test]
fn without_its_faults_nothing_fails() {
    let (trace, schedule) = counterexample(&StopAndWait::RDT30, model(REORDERS, 5, 3));
    let harmless = Schedule { up: Vec::new(), down: Vec::new(), ..schedule };
    let (seen, _) = play(&StopAndWait::RDT30, &trace, &harmless);
    assert!(!trace.is_reproduced(&seen), "{seen:?}");
    let (trace, schedule) = counterexample(&Rdt22, model(LOSES, 4, 2));
    let harmless = Schedule { up: Vec::new(), down: Vec::new(), ..schedule };
    let (seen, _) = play(&Rdt22, &trace, &harmless);
    assert!(seen.finished && !trace.is_reproduced(&seen), "{seen:?}");
}

/// The model lets a sender wait for room in the channel, and so finds that copies of rdt 2.2's
/// packets fill it for ever. A link has room, and the copies do no harm.
#[test]
fn a_full_channel_is_said_to_be_one() {
    let (trace, schedule) = counterexample(&Rdt22, model(COPIES, 4, 2));
    let (seen, _) = play(&Rdt22, &trace, &schedule);
    assert!(trace.is_jammed() && seen.finished && !trace.is_reproduced(&seen));
    let (trace, _) = counterexample(&Rdt22, model(LOSES, 4, 2));
    assert!(!trace.is_jammed());
}
