//! `rdtp check --replay`: a counterexample played to the endpoints that are shipped.

use core::fmt::Write as _;

use clap::ValueEnum;
use rdtp::{
    capture::{Ladder, ladder::Fold},
    check::{Played as Seen, Schedule, Trace},
    classic::{ConfigError, Protocol, Spec, Visitor},
    harness,
    quantity::Span,
    sim::{Report, Verdict},
};

use super::super::{Failure, lab};

/// Where to play it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Stage {
    /// The simulator: the same endpoints that run over sockets, bytes and timers and all
    Sim,
    /// The client and the server of the classroom exercise (rdt2.1, rdt2.2, rdt3.0)
    Lab,
}

/// What came of it.
pub(crate) struct Played {
    /// Whether it failed in the same way.
    pub(crate) reproduced: bool,
    /// What came of it, in a few words.
    pub(crate) verdict: String,
    /// What to print.
    pub(crate) text: String,
}

pub(super) fn is_of_the_lab(spec: Spec) -> bool {
    lab::protocols().contains(&spec)
}

pub(super) fn play(stage: Stage, spec: Spec, trace: &Trace) -> Result<Played, Failure> {
    match stage {
        Stage::Sim => in_simulator(spec, trace),
        Stage::Lab => lab::replay(spec, trace),
    }
}

/// Said where no times can be found.
pub(crate) fn without_times() -> Failure {
    Failure(
        "this counterexample needs a timer that was set later to run out earlier, which no fixed \
         timeout does; look for another one with --patient or --fewest-faults"
            .into(),
    )
}

/// Plays a counterexample to a protocol whatever its type.
struct Replay<'a> {
    trace: &'a Trace,
    schedule: &'a Schedule,
    ladder: &'a mut Ladder,
}

impl Visitor for Replay<'_> {
    type Output = Result<(Seen, Report), ConfigError>;

    fn visit<P: Protocol>(self, protocol: P) -> Self::Output {
        harness::replay(&protocol, self.trace, self.schedule, self.ladder)
    }
}

fn in_simulator(spec: Spec, trace: &Trace) -> Result<Played, Failure> {
    let schedule = trace.schedule(Schedule::GAP).ok_or_else(without_times)?;
    let mut ladder = Ladder::new(&format!("{spec} in the simulator")).folded(Fold::default());
    let replay = Replay { trace, schedule: &schedule, ladder: &mut ladder };
    let (seen, report) = spec.visit(replay)?;
    if let Verdict::Wrong { after } = report.verdict {
        ladder.mark_wrong(after);
    }
    let (reproduced, verdict) = (trace.is_reproduced(&seen), words(trace, &report));
    let mut text = format!(
        "replay in the simulator: the same faults to real endpoints; timeout {}\n\n{}\n",
        Span(schedule.timeout),
        ladder.to_text()
    );
    let _ = writeln!(text, "{verdict}\n{}", comparison(trace, reproduced));
    Ok(Played { reproduced, verdict, text })
}

/// Whether this is what the checker had found.
pub(crate) fn comparison(trace: &Trace, reproduced: bool) -> &'static str {
    match (reproduced, trace.is_jammed()) {
        (true, _) => "the same failure",
        (false, false) => "NOT the same failure",
        (false, true) => {
            "NOT the same failure: the checked channel is full and makes everybody wait, which no \
             network does"
        }
    }
}

/// The simulator's verdict; while the run is still going on, who believes what.
fn words(trace: &Trace, report: &Report) -> String {
    let stuck = matches!(trace.verdict, rdtp::check::Verdict::Stuck { .. });
    match report.verdict {
        Verdict::OutOfTime { .. } if !stuck => format!(
            "the sender believes {} messages delivered, {} were",
            report.sender.messages_acknowledged,
            report.delivered.len()
        ),
        verdict => verdict.to_string(),
    }
}
