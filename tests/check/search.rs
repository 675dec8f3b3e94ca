//! The search itself: bounds are kept and said, hands do not matter, and nothing is vacuous.

use std::thread;

use rdtp::{
    check::{Alone, Message, Workers},
    classic::{
        Datum, Effects, Fields, Fired, Input, Machine, Packet, Rule, SenderMachine, Transition,
        rdt30::StopAndWait,
    },
    trace::Tag,
};

use super::*;

struct Hands(usize);

impl Workers for Hands {
    fn count(&self) -> usize {
        self.0
    }

    fn each<T: Send>(&mut self, tasks: &mut [T], work: &(dyn Fn(&mut T) + Sync)) {
        thread::scope(|scope| {
            for task in tasks {
                scope.spawn(move || work(task));
            }
        });
    }
}

#[test]
fn a_report_does_not_depend_on_how_many_work() {
    let both = |protocol: &dyn Fn(&mut Hands) -> Report| {
        [1, 2, 3].map(|count| {
            let report = protocol(&mut Hands(count));
            let words = report.trace.as_ref().map(|trace| trace.words());
            (report.verdict, report.states, report.transitions, report.depth, words)
        })
    };
    let reports = both(&|hands| model(LOSES, 9, 3).check_with(&sr(3, 5), hands));
    assert!(reports[0].4.is_some() && reports.iter().all(|report| *report == reports[0]));
    let reports = both(&|hands| model(FIFO, 7, 3).check_with(&gbn(3, 4), hands));
    assert!(reports[0].1 > 70_000 && reports.iter().all(|report| *report == reports[0]));
}

#[test]
fn a_bound_on_states_leaves_the_question_open() {
    let model = model(LOSES, 7, 3).states_max(1_000);
    for report in
        [model.check_with(&gbn(3, 4), &mut Alone), model.fewest_faults().check(&gbn(3, 4))]
    {
        assert_eq!(report.verdict, Verdict::OutOfBound);
        assert!(report.trace.is_none() && (1_000..2_000).contains(&report.states));
    }
}

#[test]
fn both_orders_visit_the_same_states() {
    let report = holds(&StopAndWait::RDT30, model(FIFO, 4, 3));
    let faults = holds(&StopAndWait::RDT30, model(FIFO, 4, 3).fewest_faults());
    assert_eq!(size(&report), size(&faults));
    assert_eq!(report.finished_states, faults.finished_states);
}

/// A protocol of a user: stop-and-wait that resends for ever, however often it is acknowledged.
#[derive(Clone, Debug)]
struct Deaf;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct DeafSender<D>(Option<D>, rdtp::classic::gbn::WaitState);

static ANY: Rule = Rule::new("any", "anything", "whatever", &[]);

impl<D: Datum> Machine<D> for DeafSender<D> {
    type State = rdtp::classic::gbn::WaitState;

    fn state(&self) -> Self::State {
        self.1
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<Self::State> {
        if let Input::Send(data) = input {
            self.0 = Some(data);
        } else if !matches!(input, Input::Expire(_)) {
            return Fired::take(&mut self.1, &ANY, rdtp::classic::gbn::WaitState::Wait);
        }
        if let Some(data) = self.0.clone() {
            effects.udt_send(Packet::Data { seq: 0, data });
            effects.start_timer(Tag::Oldest);
        }
        Fired::take(&mut self.1, &ANY, rdtp::classic::gbn::WaitState::Wait)
    }

    fn table(&self) -> Vec<Transition> {
        Vec::new()
    }
}

impl<D: Datum> SenderMachine<D> for DeafSender<D> {
    fn ready(&self) -> bool {
        self.0.is_none()
    }

    fn unacked(&self) -> usize {
        usize::from(self.0.is_some())
    }
}

impl Protocol for Deaf {
    const NAME: &'static str = "deaf";
    const FIGURE: &'static str = "none";
    const FIELDS: Fields = StopAndWait::FIELDS;
    const TOLERATES: Channel = Channel::PERFECT;
    type Sender<D: Datum> = DeafSender<D>;
    type Receiver<D: Datum> = <StopAndWait as Protocol>::Receiver<D>;

    fn sender<D: Datum>(&self) -> DeafSender<D> {
        DeafSender(None, rdtp::classic::gbn::WaitState::Wait)
    }

    fn receiver<D: Datum>(&self) -> Self::Receiver<D> {
        StopAndWait::RDT30.receiver()
    }
}

#[test]
fn a_loop_without_exit_is_found_and_told_from_a_dead_end() {
    let report = model(LOSES, 2, 2).check(&Deaf);
    assert_eq!(report.verdict, Verdict::Stuck { deadlock: false });
    assert_eq!(report.finished_states, 0, "nothing ever finishes");
    assert_eq!(report.stuck_states, report.states);
    assert_eq!(report.steps(), Some(0), "stuck before anything happens");
}

#[test]
fn every_trace_is_a_run_of_the_machines() {
    let report = breaks(&sr(3, 4), model(LOSES, 8, 3), 11);
    let trace = report.trace.unwrap();
    let delivered: Vec<_> = trace
        .steps
        .iter()
        .flat_map(|step| &step.effects)
        .filter_map(|effect| match effect {
            rdtp::classic::Effect::Deliver(Message(number)) => Some(*number),
            _ => None,
        })
        .collect();
    assert_eq!(delivered, [0, 1, 2, 3, 0]);
}
