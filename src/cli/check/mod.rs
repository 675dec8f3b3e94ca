//! `rdtp check`: every order of events, or the shortest way to make a protocol fail.
//!
//! Exit status: 0 it holds, 1 a counterexample, 2 bad usage, 3 the bound on states was reached.

mod hands;
mod table;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};
use rdtp::{
    channel::{Channel, Overtake},
    check::{Message, Model, Report, STATES_MAX, Step, Trace, Verdict},
    classic::{Packet, Protocol, Spec, SpecError, Visitor},
    net::Clock,
    seq::Modulus,
    wire::Kind,
};
use serde::Serialize;

use super::{Failure, Outcome, states};
use hands::Hands;

/// The window of a windowed protocol when none is given: spaces grow fast with it.
const WINDOW_DEFAULT: u64 = 2;

/// Take a protocol through everything that can happen, and show the shortest way to break it.
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
    /// What the channel does, both ways [default: all that the protocol is made to bear]
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
    /// How many packets are in flight each way [default: 3, or 4 for larger windows]
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
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Print a table: each protocol of the book against each fault
    #[arg(long, conflicts_with_all = ["protocol", "window", "modulus", "bits", "channel",
          "feedback", "overtake", "messages", "patient", "fewest_faults", "json", "states"])]
    all: bool,
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

/// Runs a check of a protocol whatever its type.
struct Check<'a> {
    options: &'a Options,
    hands: Hands,
}

impl Visitor for Check<'_> {
    type Output = (Model, Report);

    fn visit<P: Protocol>(mut self, protocol: P) -> Self::Output {
        let options = self.options;
        let both = match (&options.channel, options.overtake) {
            (Some(faults), overtake) => channel(faults, overtake),
            (None, None) => promise(&protocol),
            (None, Some(depth)) => promise(&protocol).overtaking(Overtake::AtMost(depth)),
        };
        let mut model = bounds(options, &protocol, both);
        if let Some(faults) = &options.feedback {
            model = model.feedback(channel(faults, options.overtake));
        }
        model.early_timeouts = !options.patient;
        model.fewest_faults = options.fewest_faults;
        let report = model.check_with(&protocol, &mut self.hands);
        (model, report)
    }
}

pub(crate) fn run(options: &Options) -> Outcome {
    if options.all {
        table::print(options);
        return Ok(ExitCode::SUCCESS);
    }
    let name = options.protocol.as_deref().unwrap_or_default();
    let spec = match spec(options, name) {
        Ok(spec) => spec,
        Err(error) => {
            eprintln!("rdtp: {error}");
            return Ok(ExitCode::from(2));
        }
    };
    let clock = Clock::start();
    let (model, report) = spec.visit(Check { options, hands: Hands::new(options.threads) });
    let seconds = (clock.now() - rdtp::time::Instant::ZERO).as_secs_f64();
    match (&options.states, &report.trace) {
        (Some(path), Some(trace)) => {
            let title = format!("{spec}: {}", report.verdict);
            states::write(&states::of_trace(spec, &title, trace)?, path)?;
        }
        (Some(path), None) => {
            eprintln!("rdtp: no counterexample, so nothing is written to {}", path.display());
        }
        (None, _) => {}
    }
    if options.json {
        let result = Answer::new(spec, &model, &report, seconds);
        let text = serde_json::to_string_pretty(&result)
            .map_err(|error| Failure(format!("cannot write JSON: {error}")))?;
        say!("{text}");
    } else {
        print(spec, &model, &report, seconds);
    }
    Ok(ExitCode::from(match report.verdict {
        Verdict::Holds => 0,
        Verdict::Unsafe(_) | Verdict::Stuck { .. } => 1,
        Verdict::OutOfBound => 3,
    }))
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
    say!("\n{}\n\nin short: {}", trace.ladder(), trace.summary());
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A result for programs.
#[derive(Serialize)]
struct Answer {
    protocol: String,
    data_channel: String,
    feedback_channel: String,
    messages: u16,
    capacity_packets: usize,
    states_max: u32,
    early_timeouts: bool,
    /// holds, unsafe, deadlock, livelock or open.
    verdict: &'static str,
    words: String,
    states: u64,
    transitions: u64,
    stuck_states: u64,
    finished_states: u64,
    seconds: f64,
    counterexample: Option<Counterexample>,
}

#[derive(Serialize)]
struct Counterexample {
    faults: usize,
    summary: String,
    steps: Vec<StepAnswer>,
}

#[derive(Serialize)]
struct StepAnswer {
    /// sender, receiver or channel.
    at: &'static str,
    /// send, timeout, arrive, lose, duplicate or corrupt.
    event: &'static str,
    /// The packet it happens to.
    packet: Option<PacketAnswer>,
    /// The packets that are sent.
    sent: Vec<PacketAnswer>,
    /// The messages that are delivered.
    delivered: Vec<u16>,
    faults: usize,
    sender_state: String,
    receiver_state: String,
    words: String,
}

#[derive(Serialize)]
struct PacketAnswer {
    id: u32,
    kind: &'static str,
    seq: u64,
    message: Option<u16>,
    damaged: bool,
    /// Whether the channel was full.
    dropped: bool,
}

impl PacketAnswer {
    fn new(flight: &rdtp::check::Flight, dropped: bool) -> Self {
        let kind = match flight.packet.kind() {
            Kind::Data => "data",
            Kind::Ack => "ack",
            Kind::Nak => "nak",
        };
        let message = match flight.packet {
            Packet::Data { data: Message(number), .. } => Some(number),
            _ => None,
        };
        let (id, seq, damaged) = (flight.id, flight.packet.seq(), flight.damaged);
        Self { id, kind, seq, message, damaged, dropped }
    }
}

impl StepAnswer {
    fn new(step: &Step, words: String) -> Self {
        use rdtp::{check::Event, classic::Effect, trace::Side};
        let (event, flight) = match &step.event {
            Event::Send(_) => ("send", None),
            Event::Timeout { .. } => ("timeout", None),
            Event::Arrive { flight, .. } => ("arrive", Some(flight)),
            Event::Lose(flight) => ("lose", Some(flight)),
            Event::Duplicate { flight, .. } => ("duplicate", Some(flight)),
            Event::Corrupt(flight) => ("corrupt", Some(flight)),
        };
        let sent = step.sent.iter().map(|flight| PacketAnswer::new(flight, false));
        let dropped = step.dropped.iter().map(|flight| PacketAnswer::new(flight, true));
        let delivered = step.effects.iter().filter_map(|effect| match effect {
            Effect::Deliver(Message(number)) => Some(*number),
            _ => None,
        });
        Self {
            at: match step.side() {
                Some(Side::Sender) => "sender",
                Some(Side::Receiver) => "receiver",
                None => "channel",
            },
            event,
            packet: flight.map(|flight| PacketAnswer::new(flight, false)),
            sent: sent.chain(dropped).collect(),
            delivered: delivered.collect(),
            faults: step.faults(),
            sender_state: step.sender.to_string(),
            receiver_state: step.receiver.to_string(),
            words,
        }
    }
}

impl Answer {
    fn new(spec: Spec, model: &Model, report: &Report, seconds: f64) -> Self {
        let counterexample = |trace: &Trace| Counterexample {
            faults: trace.faults(),
            summary: trace.summary(),
            steps: trace
                .steps
                .iter()
                .zip(trace.words())
                .map(|(step, words)| StepAnswer::new(step, words))
                .collect(),
        };
        Self {
            protocol: spec.to_string(),
            data_channel: model.data.to_string(),
            feedback_channel: model.feedback.to_string(),
            messages: model.messages,
            capacity_packets: model.capacity,
            states_max: model.states_max,
            early_timeouts: model.early_timeouts,
            verdict: match report.verdict {
                Verdict::Holds => "holds",
                Verdict::Unsafe(_) => "unsafe",
                Verdict::Stuck { deadlock: true } => "deadlock",
                Verdict::Stuck { deadlock: false } => "livelock",
                Verdict::OutOfBound => "open",
            },
            words: report.verdict.to_string(),
            states: report.states,
            transitions: report.transitions,
            stuck_states: report.stuck_states,
            finished_states: report.finished_states,
            seconds,
            counterexample: report.trace.as_deref().map(counterexample),
        }
    }
}
