//! `rdtp check`: every order of events, or the shortest way to make a protocol fail.
//!
//! Exit status: 0 it holds, 1 a counterexample, 2 bad usage, also a file that cannot be written, 3 the
//! bound on states was reached.

mod answer;
mod hands;
mod promela;
pub(crate) mod replay;
mod table;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};
use rdtp::{
    capture::{Ladder, ladder::Fold},
    channel::{Channel, Overtake},
    check::{Model, Report, STATES_MAX, Trace, Verdict, Violation},
    classic::{Protocol, Spec, SpecError, Visitor},
    net::Clock,
    seq::Modulus,
    trace::{NodeId, Observer as _},
};

use super::{Failure, Outcome, refuse, states, whole};
use answer::Answer;
use hands::Hands;
use replay::Stage;

/// The window of a windowed protocol when none is given: spaces grow fast with it.
const WINDOW_DEFAULT: u64 = 2;

/// Take a protocol through everything that can happen, and show the shortest way to break it.
///
/// Exit status: 0 when it holds, 1 when there is a counterexample, 2 for bad usage, 3 when the bound on
/// states was reached.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Options {
    /// rdt1.0, rdt2.0 (:ignore, :ack), rdt2.1, rdt2.2, rdt3.0, saw:M, gbn:N/M or sr:N/M; illegal
    /// windows too
    #[arg(required_unless_present = "all")]
    protocol: Option<String>,
    /// Window in packets [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    window: Option<u64>,
    /// How many sequence numbers there are
    #[arg(long, value_name = "M", conflicts_with = "bits",
          value_parser = clap::value_parser!(u64).range(1..))]
    modulus: Option<u64>,
    /// The same as a field of this many bits
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=62))]
    bits: Option<u32>,
    /// What the channel does, both ways, separated by commas [default: all that the protocol is made
    /// to bear]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FAULTS")]
    channel: Option<Vec<Fault>>,
    /// What the channel does to feedback, if that differs
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FAULTS")]
    feedback: Option<Vec<Fault>>,
    /// A packet is overtaken by at most this many sent later
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u64).range(..=254))]
    overtake: Option<u64>,
    /// How many messages are sent [default: enough for the numbers to wrap around, or 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..65_535))]
    messages: Option<u16>,
    /// How many packets are in flight each way [default: 3, or 4 for larger windows; 2 with --all]
    #[arg(long, value_name = "C", value_parser = clap::value_parser!(u64).range(1..=64))]
    capacity: Option<u64>,
    /// Give up after this many states; ten million take about 1 GiB
    #[arg(long, value_name = "N", default_value_t = 20_000_000,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(STATES_MAX)))]
    states_max: u32,
    /// Timers expire only when nothing is on its way
    #[arg(long)]
    patient: bool,
    /// Show the counterexample with the fewest faults, not the one with the fewest steps
    #[arg(long)]
    fewest_faults: bool,
    /// Write the state diagrams along the counterexample to this file as SVG, one frame a step
    #[arg(long, value_name = "FILE")]
    states: Option<PathBuf>,
    /// How many threads search [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Write the counterexample as a ladder diagram to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Play the counterexample again, step by step, and see whether it fails in the same way
    #[arg(long, value_enum, value_name = "WHERE")]
    replay: Option<Stage>,
    /// Print the result as JSON; with --all, that of every search
    #[arg(long)]
    json: bool,
    /// Write the model for the model checker Spin to this file, - for standard output, and do not
    /// search
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fewest_faults", "json", "svg", "states", "replay"])]
    promela: Option<PathBuf>,
    /// Print a table: each protocol of the book against each fault
    #[arg(long, conflicts_with_all = ["protocol", "window", "modulus", "bits", "channel",
          "feedback", "overtake", "messages", "patient", "fewest_faults", "svg", "replay",
          "promela", "states"])]
    all: bool,
    /// With --all: print Markdown, the table and then every counterexample in words
    #[arg(long, requires = "all", conflicts_with = "json")]
    markdown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Fault {
    /// Nothing: what is sent arrives, in order
    None,
    /// Packets are lost
    Lose,
    /// Packets are copied
    Duplicate,
    /// Packets are damaged
    Corrupt,
    /// Any packet in flight may come next
    Reorder,
}

fn channel(faults: &[Fault], overtake: Option<u64>) -> Channel {
    let reorder = if faults.contains(&Fault::Reorder) { Overtake::Any } else { Overtake::NEVER };
    Channel {
        corrupt: faults.contains(&Fault::Corrupt),
        lose: faults.contains(&Fault::Lose),
        duplicate: faults.contains(&Fault::Duplicate),
        overtake: overtake.map_or(reorder, Overtake::AtMost),
    }
}

/// The protocol that the options name.
fn spec(options: &Options, name: &str) -> Result<Spec, SpecError> {
    let spec = Spec::parse_even_if_illegal(name)?;
    let modulus = options.modulus.map(Modulus::new).or(options.bits.map(Modulus::bits));
    let windowed = matches!(spec, Spec::GoBackN(_) | Spec::SelectiveRepeat(_));
    let small = (windowed && !name.contains(':')).then_some(WINDOW_DEFAULT);
    spec.with(options.window.or(small), modulus, true)
}

/// The bounds that the options set, or such as show what there is to see: enough messages for the
/// numbers to wrap around and a window more, and room for the whole of a small window.
fn bounds<P: Protocol>(options: &Options, protocol: &P, channel: Channel) -> Model {
    let (modulus, window) = (protocol.modulus(), protocol.window());
    let wrap = if modulus.never_repeats() { 2 } else { modulus.count() };
    let messages = u16::try_from(wrap + window).unwrap_or(u16::MAX - 1).max(4);
    let capacity = options.capacity.unwrap_or(window.clamp(3, 4));
    Model::over(channel)
        .messages(options.messages.unwrap_or(messages))
        .capacity(usize::try_from(capacity).unwrap_or(usize::MAX))
        .states_max(options.states_max)
}

/// All that a protocol is made to bear.
fn promise<P: Protocol>(protocol: &P) -> Channel {
    P::TOLERATES.overtaking(protocol.tolerates().overtake)
}

impl Options {
    /// What is checked.
    fn model<P: Protocol>(&self, protocol: &P) -> Model {
        let both = match (&self.channel, self.overtake) {
            (Some(faults), overtake) => channel(faults, overtake),
            (None, None) => promise(protocol),
            (None, Some(depth)) => promise(protocol).overtaking(Overtake::AtMost(depth)),
        };
        let mut model = bounds(self, protocol, both);
        if let Some(faults) = &self.feedback {
            model = model.feedback(channel(faults, self.overtake));
        }
        model.early_timeouts = !self.patient;
        model.fewest_faults = self.fewest_faults;
        model
    }
}

/// Runs a check of a protocol whatever its type.
struct Check<'a> {
    options: &'a Options,
    hands: Hands,
}

impl Visitor for Check<'_> {
    type Output = (Model, Report);

    fn visit<P: Protocol>(mut self, protocol: P) -> Self::Output {
        let model = self.options.model(&protocol);
        let report = model.check_with(&protocol, &mut self.hands);
        (model, report)
    }
}

pub(crate) fn run(options: &Options) -> Outcome {
    if options.all {
        table::print(options)?;
        return Ok(ExitCode::SUCCESS);
    }
    let name = options.protocol.as_deref().unwrap_or_default();
    let spec = spec(options, name).unwrap_or_else(|error| refuse(error));
    if let Some(Stage::Lab) = options.replay
        && !replay::is_of_the_lab(spec)
    {
        refuse(format_args!("the lab has rdt2.1, rdt2.2 and rdt3.0, not {spec}; use --replay sim"));
    }
    if let Some(path) = &options.promela {
        return promela::write(options, spec, path);
    }
    options.svg.iter().chain(&options.states).for_each(|path| whole::expect(path));
    let clock = Clock::start();
    let (model, report) = spec.visit(Check { options, hands: Hands::new(options.threads) });
    let seconds = (clock.now() - rdtp::time::Instant::ZERO).as_secs_f64();
    if options.json {
        let mut answer = Answer::new(spec, &model, &report, seconds);
        if let (Some(stage), Some(trace)) = (options.replay, &report.trace) {
            answer.replay = Some((&replay::play(stage, spec, trace)?).into());
        }
        let text = serde_json::to_string_pretty(&answer)
            .map_err(|error| Failure(format!("cannot write JSON: {error}")))?;
        say!("{text}");
    } else {
        print(spec, &model, &report, seconds);
        if let (Some(stage), Some(trace)) = (options.replay, &report.trace) {
            say!("\n{}", replay::play(stage, spec, trace)?.text.trim_end());
        }
    }
    write_pictures(options, spec, &report)?;
    Ok(ExitCode::from(match report.verdict {
        Verdict::Holds => 0,
        Verdict::Unsafe(_) | Verdict::Stuck { .. } => 1,
        Verdict::OutOfBound => 3,
    }))
}

/// Writes what the options want to have of a counterexample, or says that there is none.
fn write_pictures(options: &Options, spec: Spec, report: &Report) -> Result<(), Failure> {
    if let Some(trace) = &report.trace {
        if let Some(path) = &options.svg {
            whole::write(path, &picture(spec, trace).to_svg())?;
        }
        if let Some(path) = &options.states {
            let title = format!("{spec}: {}", failure(trace.verdict));
            states::write(&states::of_trace(spec, &title, trace)?, path)?;
        }
        return Ok(());
    }
    let wanted = [
        options.svg.as_ref().map(|_| "draw"),
        options.states.as_ref().map(|_| "show the states of"),
        options.replay.map(|_| "play again"),
    ];
    for what in wanted.into_iter().flatten() {
        eprintln!("rdtp: there is no counterexample to {what}");
    }
    Ok(())
}

/// What went wrong, for the title of a picture, which has one line.
fn failure(verdict: Verdict) -> String {
    match verdict {
        Verdict::Unsafe(Violation::Delivered { got, expected }) => {
            format!("{got} in place of {expected}")
        }
        Verdict::Unsafe(Violation::Believed { believed, delivered }) => {
            format!("{believed} messages believed delivered, but {delivered} delivered")
        }
        Verdict::Stuck { deadlock } => if deadlock { "deadlock" } else { "livelock" }.to_owned(),
        verdict @ (Verdict::Holds | Verdict::OutOfBound) => verdict.to_string(),
    }
}

/// A counterexample as a ladder diagram, whole.
fn picture(spec: Spec, trace: &Trace) -> Ladder {
    let mut ladder = Ladder::new(&format!("{spec}: {} (step k at k ms)", failure(trace.verdict)))
        .between((NodeId(0), "sender"), (NodeId(1), "receiver"))
        .folded(Fold::NEVER);
    if let Verdict::Unsafe(Violation::Delivered { expected, .. }) = trace.verdict {
        ladder.mark_wrong(expected.0.into());
    }
    trace.records().iter().for_each(|record| ladder.record(record));
    ladder
}

fn print(spec: Spec, model: &Model, report: &Report, seconds: f64) {
    let channel = |channel: Channel| {
        if channel == Channel::PERFECT { "is perfect".into() } else { channel.to_string() }
    };
    let data = channel(model.data);
    if model.data == model.feedback {
        say!("{spec} over a channel that {data}");
    } else {
        let feedback = channel(model.feedback);
        say!("{spec} over a channel that {data}, and for feedback {feedback}");
    }
    let timers = if model.early_timeouts { "" } else { ", patient timers" };
    say!(
        "bounds: {} messages, {} packets in flight each way{timers}",
        model.messages,
        model.capacity
    );
    say!("{}", report.verdict);
    say!(
        "{} states, {} transitions, {seconds:.2} s{}",
        report.states,
        report.transitions,
        match report.verdict {
            Verdict::Holds | Verdict::Stuck { .. } => ": everything that can happen",
            Verdict::Unsafe(_) => " until the first failure",
            Verdict::OutOfBound => ", and more; try fewer messages, or a larger --states-max",
        }
    );
    let Some(trace) = &report.trace else { return };
    let (steps, faults) = (trace.steps.len(), trace.faults());
    let by = if model.fewest_faults { "fewest faults" } else { "fewest steps" };
    say!("\ncounterexample with the {by}: {}, {}", count(steps, "step"), count(faults, "fault"));
    for (number, words) in (1..).zip(trace.words()) {
        say!("{number:>3}. {words}");
    }
    say!("\n{}\nin short: {}", picture(spec, trace).to_text(), trace.summary());
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
