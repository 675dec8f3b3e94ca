//! How many states a second the checker visits: `cargo bench --bench checker`.

use std::{thread, time::Instant};

use rdtp::{
    channel::{Channel, Overtake},
    check::{Alone, Model, Report, Workers},
    classic::{Protocol, gbn::GoBackN, rdt30::StopAndWait, sr::SelectiveRepeat},
    seq::Modulus,
};

struct Pair;

impl Workers for Pair {
    fn count(&self) -> usize {
        2
    }

    fn each<T: Send>(&mut self, tasks: &mut [T], work: &(dyn Fn(&mut T) + Sync)) {
        let Some((last, others)) = tasks.split_last_mut() else { return };
        thread::scope(|scope| {
            for task in others {
                scope.spawn(move || work(task));
            }
            work(last);
        });
    }
}

/// Runs a check; returns its report and thousands of states a second.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn time(check: impl Fn() -> Report) -> (Report, u128) {
    let start = Instant::now();
    let report = check();
    let rate = u128::from(report.states) * 1_000_000 / start.elapsed().as_nanos().max(1);
    (report, rate)
}

fn measure<P: Protocol>(name: &str, protocol: &P, model: Model) {
    let (report, alone) = time(|| model.check_with(protocol, &mut Alone));
    let (_, pair) = time(|| model.check_with(protocol, &mut Pair));
    println!(
        "{name:<24} {:>9} states {:>10} transitions {:>6} k/s, two threads {:>6} k/s: {}",
        report.states, report.transitions, alone, pair, report.verdict
    );
}

fn main() {
    const FIFO: Channel = Channel::PERFECT.corrupting().losing().duplicating();
    let gbn = |window, modulus| GoBackN::with_illegal_window(window, Modulus::new(modulus));
    let sr = |window, modulus| SelectiveRepeat::with_illegal_window(window, Modulus::new(modulus));
    let over = |channel| Model::over(channel);
    measure("rdt3.0, 6 messages", &StopAndWait::RDT30, over(FIFO).messages(6).capacity(4));
    measure("rdt3.0, 30 messages", &StopAndWait::RDT30, over(FIFO).messages(30).capacity(7));
    measure(
        "unbounded stop-and-wait",
        &StopAndWait::new(Modulus::NEVER),
        over(Channel::HOSTILE).messages(6).capacity(4),
    );
    measure("gbn:3/4", &gbn(3, 4), over(FIFO).messages(7).capacity(3));
    measure("gbn:4/5", &gbn(4, 5), over(Channel::PERFECT.losing()).messages(9).capacity(4));
    measure("sr:3/6", &sr(3, 6), over(Channel::PERFECT.losing()).messages(9).capacity(3));
    let twice = Channel::PERFECT.losing().overtaking(Overtake::AtMost(1));
    measure("gbn:2/5 overtaken once", &gbn(2, 5), over(twice).messages(7).capacity(4));
}
